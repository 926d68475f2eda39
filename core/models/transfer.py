"""How far the bringing of a model has come."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from core.models.repeat import every


class Transfer(Struct, frozen=True, kw_only=True):
    """How far a pull has come."""

    stage: str
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    seconds_left: float = 0.0


Say = Callable[[Transfer], None]
"""Hears how far a pull has come."""


def unsaid(_: Transfer) -> None:
    """A `Say` for where nobody wants to know."""


def moved(stage: str, done: int, total: int, began: float) -> Transfer:
    """Where a step stands that began at `began` (monotonic seconds), at the speed so far."""
    rate = done / max(time.monotonic() - began, 1e-6)
    return Transfer(
        stage=stage,
        done_bytes=done,
        total_bytes=total,
        bytes_per_s=rate,
        seconds_left=max(total - done, 0) / rate if rate and total else 0.0,
    )


@contextmanager
def ticking(stage: str, expected_s: float, say: Say) -> Iterator[None]:
    """Says how long is left of a step that tells nothing by itself, from what it usually takes."""
    began = time.monotonic()

    def tick() -> None:
        left = max(1.0, expected_s - (time.monotonic() - began))
        say(Transfer(stage=stage, seconds_left=left))

    tick()
    with every(0.5, tick):
        yield
