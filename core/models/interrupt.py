"""Stopping within a forward pass: a long prompt takes longer than an operator should wait."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from core.watch import Watch


@contextmanager
def interruptible(model: nn.Module, watch: Watch) -> Iterator[None]:
    """Asks `watch` before each layer; within, a forward pass may raise `Cancelled`."""
    blocks = [
        block for found in model.modules() if isinstance(found, nn.ModuleList) for block in found
    ]
    handles = [block.register_forward_pre_hook(lambda *_: watch.check()) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
