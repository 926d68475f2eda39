"""A model's weights, with a LoRA adapter added where there is one, brought in one by one.

Base and adapter are added in float32 and rounded once to the format that is wanted, as merging into
a model in float32 and converting it would; but that model never stands in memory, nor do the layers
that are not run.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import prod
from pathlib import Path
from typing import NamedTuple

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
    found = headers(base, depth)
    total, done = sum(prod(header.shape) for header in found.values()), 0
    for name, stored in _tensors(found):
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


class Header(NamedTuple):
    """What a file of weights tells of one of them before it is read."""

    path: Path
    shape: tuple[int, ...]
    kind: str
    """Its format, as safetensors calls it."""


def headers(base: Path, depth: int) -> dict[str, Header]:
    """Of the weights in `base` that are not above `depth` layers, by name.

    Raises:
        ModelProblem: a weight is there twice.
    """
    found: dict[str, Header] = {}
    for path in weight_files(base):
        with safe_open(str(path), framework="pt") as file:
            for name in (one for one in list(file.keys()) if _layer(one) < depth):
                if name in found:
                    raise ModelProblem(
                        f"two of its files hold {name}",
                        where=str(base),
                        mend="Leave one set of weights there, as model.safetensors or with its "
                        "index.",
                    )
                told = file.get_slice(name)
                found[name] = Header(path, tuple(told.get_shape()), str(told.get_dtype()))
    return found


def _layer(name: str) -> int:
    """The layer that a weight belongs to, from 0; -1 where it belongs to none."""
    found = re.search(r"\.layers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _tensors(found: Mapping[str, Header]) -> Iterator[tuple[str, Tensor]]:
    """The weights, each in memory of its own, file by file."""
    for path, group in groupby(found, lambda name: found[name].path):
        names = list(group)
        for start in range(0, len(names), AT_ONCE):
            with safe_open(str(path), framework="pt") as file:
                for name in names[start : start + AT_ONCE]:
                    yield name, file.get_tensor(name).clone()
