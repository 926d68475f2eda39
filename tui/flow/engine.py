"""The engine as the screen needs it: a way to hand in requests and hear what comes back."""

from collections.abc import Callable
from typing import Protocol

from core.engine.protocol import Align, Consult, Judge, Load, Propose, Pull, Reply

Task = Load | Propose | Consult | Judge | Align | Pull
"""A request that is a job."""

Hear = Callable[[Reply], None]
"""Takes in every reply, on the event loop."""


class EngineLike(Protocol):
    """What `core.engine.client.Engine` offers and the screen uses."""

    async def start(self) -> None:
        """Starts the worker, if it is not there."""

    async def stop(self) -> None:
        """Stops the worker, in under a second, whatever it is doing."""

    def submit(self, request: Task) -> object:
        """Hands a job in; starts the worker anew where it has died."""

    def cancel(self, job: str) -> None:
        """Stops a job, running or waiting."""


def real(hear: Hear) -> EngineLike:
    """The engine with a worker in a process of its own."""
    from core.engine.client import Engine

    return Engine(on_reply=hear)
