"""Autosave: after every event, off the event loop's thread, never two at once."""

import asyncio
import copy
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from core.errors import PlacetError, reason
from core.session.events import ModelsSet, Started
from core.session.hold import Held
from core.session.session import Session
from core.session.store import Store

PAINTED = 0.02
"""Seconds that saving leaves to the painting of what is saved; both want the processor."""

AGAIN = 5.0
"""Seconds until saving is tried again where it failed."""


class Saver:
    """Keeps one session on disk. `changed` is called whenever its state is another."""

    def __init__(self, session: Session, store: Store, changed: Callable[[], None]) -> None:
        self.session = session
        self.problem = ""
        """Why the last save failed."""
        self.saved_at: datetime | None = None
        store.rest = _rest
        self._store = store
        self._changed = changed
        self._saved = 0
        self._read = 0
        """Records that were read from the file."""
        self.fresh = True
        """Whether the name can still be another: nothing was read from the file or put there."""
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._again: asyncio.TimerHandle | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def size(self) -> int:
        """Bytes that the file has; 0 while there is none."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def dirty(self) -> bool:
        """Whether the file lacks something that somebody could miss.

        Which models came is nothing of that kind while nothing else has happened.
        """
        records = self.session.records
        return self._saved < len(records) and any(
            not isinstance(record.event, Started | ModelsSet) for record in records[self._read :]
        )

    def opened(self) -> None:
        """Notes that the session was read from the file and is whole there."""
        self._saved = self._read = len(self.session.records)
        self.fresh = False

    def ask(self) -> None:
        """Saves soon; what comes in meanwhile is saved with the next turn."""
        if self.dirty and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._changed()

    async def move(self, path: Path) -> None:
        """Saves to another file from now on; `PlacetError` says why that cannot be."""
        async with self._turn:
            store = self._store.at(path)
            many = len(self.session.records)
            if path.resolve() == self.path.resolve():
                store.hold = self._store.hold
            await asyncio.to_thread(_save, store, _still(self.session))
            if store.hold is not self._store.hold:
                self._store.hold.free()
            self._store, self._saved, self.problem = store, many, ""
            self.fresh = False
            self.saved_at = datetime.now()
        self.ask()

    async def flush(self) -> None:
        """Waits until all that happened is on disk, or one more try has failed."""
        if self._task and not self._task.done():
            await self._task
        if self.dirty:
            await self._run()

    def _try_again(self) -> None:
        if self._again:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(AGAIN, self.ask)

    def free(self) -> None:
        """Lets others have the file."""
        if self._again:
            self._again.cancel()
        self._store.hold.free()

    def _put(self, session: Session) -> None:
        """Saves; under the next free name where another session took this one first."""
        if self.fresh:
            first = self.path
            for number in count(2):
                with suppress(Held):
                    self._store.hold.take()
                    if not self.path.exists():
                        break
                    self._store.hold.free()
                self._store = self._store.at(first.with_name(f"{first.stem}-{number}.toml"))
        _save(self._store, session)
        self.fresh = False

    async def _run(self) -> None:
        while self.dirty:
            await asyncio.sleep(PAINTED)
            async with self._turn:
                many = len(self.session.records)
                try:
                    await asyncio.to_thread(self._put, _still(self.session))
                except Exception as error:  # whatever it is: else saving would end in silence
                    known = isinstance(error, PlacetError)
                    told = str(error) if known else f"it cannot be saved ({reason(error)})"
                    self.problem = told
                    self._try_again()
                    break
                self._saved, self.problem, self.saved_at = many, "", datetime.now()
            self._changed()
        self._changed()


def _rest() -> None:
    time.sleep(0.002)


def _save(store: Store, session: Session) -> None:
    """Puts the session on disk, unless somebody else has the file."""
    store.hold.take()
    store.save(session)


def _still(session: Session) -> Session:
    """The session as it stands, safe to read in another thread while events come in."""
    still = copy.copy(session)
    still.records = list(session.records)
    still.state = session.state.still()
    return still
