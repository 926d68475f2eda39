"""What trainings in steps share: how far they are, what a step reads, how fast it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from core.models.trees import Tree, size


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running training tells."""

    stage: str
    step: int
    steps: int
    loss: float
    """Mean over the steps since the last report."""
    tokens_per_second: float
    seconds_left: float
    """At the speed so far: for a stage of the judge, for the whole training of the policy."""


Report = Callable[[Progress], None]


class InTree(Protocol):
    """A sample that is read as a tree."""

    @property
    def tree(self) -> Tree:
        """Its tokens."""


One = TypeVar("One", bound=InTree)


def in_steps(samples: Iterable[One], tokens: int) -> list[list[One]]:
    """Neighbours together, about `tokens` tokens a step."""
    steps: list[list[One]] = []
    filled = 0
    for one in samples:
        length = size(one.tree)
        if not steps or filled + length > tokens:
            steps.append([])
            filled = 0
        steps[-1].append(one)
        filled += length
    return steps


def rate_at(peak: float, end: float, step: int, steps: int, warmup: int) -> float:
    """Linear warm-up to `peak`, then a cosine that has come down to `end` after `steps` steps."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * done))
