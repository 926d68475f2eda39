"""The default model with one of Placet's adapters, brought into memory weight by weight.

Base and adapter are added in float32 and rounded once to the format that is wanted, as merging into
a model in float32 and converting it would; but that model never stands in memory, nor do the layers
that are not run.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from core.errors import ModelProblem
from core.models.adapters import changes

AT_ONCE = 8
"""Weights read before the file is closed: what is mapped of it counts as memory until then."""

_LAYER = re.compile(r"\.layers\.(\d+)\.")


def load_merged(
    base: Path, adapter: Path, dtype: torch.dtype, depth: int | None = None
) -> PreTrainedModel:
    """The causal model in `base` with the adapter in `adapter`, cut after `depth` layers.

    Raises:
        ModelProblem: the adapter is missing, damaged or does not fit, or the base lacks weights.
    """
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    config.num_hidden_layers = depth or config.num_hidden_layers
    waiting = changes(adapter)
    weights: dict[str, Tensor] = {}
    for name, stored in _tensors(sorted(base.glob("*.safetensors"))):
        layer = _LAYER.search(name)
        if layer and int(layer[1]) >= config.num_hidden_layers:
            continue
        change = waiting.pop(name.removesuffix(".weight"), None)
        if change:
            change.check(stored.shape)
            stored = stored.float()
            change.add(stored)
        weights[name] = stored.to(dtype)
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


def _tensors(files: Iterable[Path]) -> Iterator[tuple[str, Tensor]]:
    """Names and weights in the files, each in memory of its own."""
    for path in files:
        with safe_open(str(path), framework="pt") as file:
            names = list(file.keys())
        for start in range(0, len(names), AT_ONCE):
            with safe_open(str(path), framework="pt") as file:
                for name in names[start : start + AT_ONCE]:
                    yield name, file.get_tensor(name).clone()
