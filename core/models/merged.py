"""A model with a LoRA adapter, brought into memory weight by weight.

Base and adapter are added in float32 and rounded once to the format that is wanted, as merging into
a model in float32 and converting it would; but that model never stands in memory, nor do the layers
that are not run.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from core.errors import ModelProblem
from core.models.adapters import changes
from core.models.manifest import weight_files
from core.models.share import Share, unheard

AT_ONCE = 8
"""Weights read before the file is closed: what is mapped of it counts as memory until then."""


def load_merged(
    base: Path,
    adapter: Path,
    dtype: torch.dtype,
    depth: int | None = None,
    share: Share = unheard,
) -> PreTrainedModel:
    """The causal model in `base` with the adapter in `adapter`, cut after `depth` layers.

    `share` hears how much of the weights is there.

    Raises:
        ModelProblem: the adapter is missing, damaged or does not fit, or the base lacks weights.
    """
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    config.num_hidden_layers = depth or config.num_hidden_layers
    waiting = changes(adapter)
    weights: dict[str, Tensor] = {}
    files = weight_files(base)
    wanted = {path: _wanted(path, config.num_hidden_layers) for path in files}
    total, done = sum(sum(sizes.values()) for sizes in wanted.values()), 0
    for name, stored in (one for path in files for one in _tensors(path, [*wanted[path]])):
        if name in weights:
            raise ModelProblem(
                f"two of its files hold {name}",
                where=str(base),
                mend="Leave one set of weights there, as model.safetensors or with its index.",
            )
        done += stored.numel()
        change = waiting.pop(name.removesuffix(".weight"), None)
        if change:
            change.check(stored.shape)
            stored = stored.float()
            change.add(stored)
        weights[name] = stored.to(dtype)
        share(done / total)
    kind: Any = AutoModelForCausalLM._model_mapping[type(config)]
    model, told = kind.from_pretrained(
        None,
        config=config,
        state_dict=weights,
        dtype=dtype,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    return complete(model, {*waiting, *told["missing_keys"]}, base)


def complete(model: Any, missing: Iterable[str], folder: Path) -> PreTrainedModel:
    """The model that was read from `folder`, ready to run; `ModelProblem` where weights lack."""
    if lacking := sorted(missing):
        raise ModelProblem(
            f"the weights lack {len(lacking)} tensors, {lacking[0]} among them",
            where=str(folder),
            mend="Bring the model again.",
        )
    ready: PreTrainedModel = model.eval()
    return ready


def _wanted(path: Path, depth: int) -> dict[str, int]:
    """The weights in a file that are not above `depth` layers, and how many numbers each has."""
    with safe_open(str(path), framework="pt") as file:
        sizes = {name: prod(file.get_slice(name).get_shape()) for name in list(file.keys())}
    return {name: size for name, size in sizes.items() if _layer(name) < depth}


def _layer(name: str) -> int:
    """The layer that a weight belongs to, from 0; -1 where it belongs to none."""
    found = re.search(r"\.layers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _tensors(path: Path, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Those weights in the file, each in memory of its own."""
    for start in range(0, len(names), AT_ONCE):
        with safe_open(str(path), framework="pt") as file:
            for name in names[start : start + AT_ONCE]:
                yield name, file.get_tensor(name).clone()
