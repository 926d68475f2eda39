"""A model's weights, with a LoRA adapter added where there is one, brought in one by one.

Base and adapter are added in float32 and rounded once to the format that is wanted, as merging into
a model in float32 and converting it would; but that model never stands in memory, nor do the layers
that are not run.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from core.errors import ModelProblem
from core.models.adapters import changes
from core.models.manifest import weight_files
from core.models.share import Share, unheard

AT_ONCE = 8
"""Weights read before the file is closed: what is mapped of it counts as memory until then."""


def read_weights(
    base: Path,
    adapter: Path | None,
    dtype: torch.dtype,
    depth: int,
    share: Share = unheard,
) -> tuple[dict[str, Tensor], set[str]]:
    """The weights in `base` up to `depth` layers, with the adapter in `adapter`, by name.

    Besides, the names of the layers that the adapter changes and the base does not have. `share`
    hears how much is there.

    Raises:
        ModelProblem: the adapter is missing, damaged or does not fit, or a weight is there twice.
    """
    waiting = changes(adapter) if adapter else {}
    weights: dict[str, Tensor] = {}
    files = weight_files(base)
    wanted = {path: _wanted(path, depth) for path in files}
    total, done = sum(sum(sizes.values()) for sizes in wanted.values()), 0
    for name, stored in (one for path in files for one in _tensors(path, [*wanted[path]])):
        if name in weights:
            raise _twice(name, base)
        done += stored.numel()
        change = waiting.pop(name.removesuffix(".weight"), None)
        if change:
            change.check(stored.shape)
            stored = stored.float()
            change.add(stored)
        weights[name] = stored.to(dtype)
        share(done / total)
    return weights, {*waiting}


def check_whole(missing: Iterable[str], folder: Path) -> None:
    """Raises `ModelProblem` where weights lack that are called so."""
    if lacking := sorted(missing):
        raise ModelProblem(
            f"the weights lack {len(lacking)} tensors, {lacking[0]} among them",
            where=str(folder),
            mend="Bring the model again.",
        )


def headers(base: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and format of every weight in `base`, by name; nothing of the weights is read.

    Raises:
        ModelProblem: a weight is there twice.
    """
    found = {}
    for path in weight_files(base):
        with safe_open(str(path), framework="pt") as file:
            for name in list(file.keys()):
                if name in found:
                    raise _twice(name, base)
                part = file.get_slice(name)
                found[name] = (tuple(part.get_shape()), str(part.get_dtype()))
    return found


def _twice(name: str, base: Path) -> ModelProblem:
    return ModelProblem(
        f"two of its files hold {name}",
        where=str(base),
        mend="Leave one set of weights there, as model.safetensors or with its index.",
    )


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
