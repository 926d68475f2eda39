"""A request under way: its replies as they come, and how it ended."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from core.engine.protocol import Finished, Reply, Task, Trouble

log = logging.getLogger("placet.engine")

T = TypeVar("T")


class Job:
    """Iterate over it for its replies, or await `ended` for the last one."""

    def __init__(self, request: Task, on_reply: Callable[[Reply], None] | None = None) -> None:
        """With `on_reply`, replies go there and are not kept for iterating."""
        self.request = request
        self.end: Finished | Trouble | None = None
        """How it ended, once it has."""
        self._on_reply = on_reply
        self._replies: deque[Reply] = deque()
        self._news = asyncio.Event()

    @property
    def id(self) -> str:
        """What its replies carry in `job`."""
        return self.request.job

    async def ended(self) -> Finished | Trouble:
        """Waits for the end, and gives it."""
        while self.end is None:
            self._news.clear()
            await self._news.wait()
        return self.end

    async def __aiter__(self) -> AsyncIterator[Reply]:
        """Its replies as they come, `Finished` or `Trouble` last. For one reader."""
        while True:
            while self._replies:
                reply = self._replies.popleft()
                yield reply
                if isinstance(reply, Finished | Trouble):
                    return
            if self.end is not None:
                return
            self._news.clear()
            await self._news.wait()

    def hear(self, reply: Reply) -> None:
        """Takes in a reply about this job."""
        if isinstance(reply, Finished | Trouble):
            self.end = reply
        if self._on_reply:
            call(self._on_reply, reply)
        else:
            self._replies.append(reply)
        self._news.set()


def call(callback: Callable[[T], None], told: T) -> None:
    """Tells a subscriber; its mistakes stay its own."""
    try:
        callback(told)
    except Exception:
        log.exception("a subscriber failed over %s", type(told).__name__)
