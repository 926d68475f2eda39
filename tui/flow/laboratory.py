"""The laboratory: one run at a time in its process, and the run that is in view."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from core import paths
from core.engine.tuning import PATIENCE, TUNE, Tuning, Wish
from core.errors import BadInput, PlacetError, Refused
from core.games import run as folders
from core.games.run import Outcome, RunSettings, Update
from core.models import catalog
from tui.flow.news import Notice, Tone


class Phase(Enum):
    """How a run stands."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping with a checkpoint"
    PAUSED = "paused"
    STOPPED = "stopped"
    ELSEWHERE = "running elsewhere"
    DONE = "done"
    DIED = "ended by itself"
    UNREADABLE = "cannot be read"


class Seen:
    """A run's folder as it was read so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: RunSettings | None = None
        self.updates: list[Update] = []
        self.outcome: Outcome | None = None
        self.problem: PlacetError | None = None
        """What cannot be read, or why the run ended."""
        self.lines = 0
        """Lines of the log that were read, those of a log that was cut again."""
        self._read_to = 0

    def read(self) -> bool:
        """Reads what is new; gives whether there was anything."""
        before = self._state()
        try:
            if self.settings is None and (self.folder / folders.SETTINGS).is_file():
                self.settings = folders.read_settings(self.folder)
            self._read_log()
            self.outcome = folders.read_outcome(self.folder)
        except PlacetError as error:
            self.problem = error
        except OSError as error:
            self.problem = PlacetError(
                f"it cannot be read ({error.strerror})", where=str(self.folder)
            )
        return before != self._state()

    def _state(self) -> tuple[object, ...]:
        return (self.settings, self._read_to, self.outcome, str(self.problem))

    def _read_log(self) -> None:
        try:
            rows, self._read_to = folders.read_updates(self.folder, self._read_to)
        except BadInput:
            if not self._read_to:
                raise
            # A resumed run cut the log where we stood in the middle of a line.
            self.updates, self._read_to = [], 0
            rows, self._read_to = folders.read_updates(self.folder)
        self.lines += len(rows)
        for row in rows:
            while self.updates and self.updates[-1].step >= row.step:
                self.updates.pop()
            self.updates.append(row)

    @property
    def tuned(self) -> bool:
        """Whether there is an adapter to try."""
        return catalog.adapter_of(str(self.folder)) is not None


class Row(NamedTuple):
    """A run in the list."""

    folder: Path
    phase: Phase
    told: str
    """How far it is, or what is wrong."""


class Laboratory:
    """What the laboratory screen shows and does. It stays while the screen comes and goes."""

    def __init__(
        self, *, command: Sequence[str] = TUNE, every: float = 0.3, patience: float = PATIENCE
    ) -> None:
        """`command` starts a run; `every` so many seconds its log is read.

        `patience` is how many seconds it has for its checkpoint before it is killed.
        """
        self.wish = Wish()
        self.seen: Seen | None = None
        """The run in view."""
        self.tuning: Tuning | None = None
        """The process, while there is one."""
        self.last: Notice | None = None
        self._command = command
        self._every = every
        self._patience = patience
        self._paused: Path | None = None
        self._learning = False
        """Whether the process has logged an update."""
        self._follower: asyncio.Task[None] | None = None
        self._hearers: list[Callable[[], None]] = []

    def subscribe(self, hear: Callable[[], None]) -> Callable[[], None]:
        """Calls back whenever something changed; gives a function that ends it."""
        self._hearers.append(hear)
        return lambda: self._hearers.remove(hear)

    def say(self, text: str, tone: Tone = Tone.INFORMATION) -> None:
        """Tells the operator something."""
        self.last = Notice(text, tone)
        self._changed()

    def _changed(self) -> None:
        for hear in tuple(self._hearers):
            hear()

    # How things stand

    @property
    def phase(self) -> Phase | None:
        """How the run in view stands."""
        return self.phase_of(self.seen) if self.seen else None

    def phase_of(self, seen: Seen) -> Phase:
        """How a run stands."""
        if self.tuning and self.tuning.folder == seen.folder:
            if self.tuning.stopping:
                return Phase.STOPPING
            return Phase.RUNNING if self._learning else Phase.STARTING
        if seen.outcome:
            return Phase.DONE
        if folders.hold(seen.folder).held():
            return Phase.ELSEWHERE
        if seen.problem:
            return Phase.DIED if seen.settings else Phase.UNREADABLE
        return Phase.PAUSED if self._paused == seen.folder else Phase.STOPPED

    @property
    def seconds(self) -> float:
        """How long the process has been there."""
        return time.monotonic() - self.tuning.begun if self.tuning else 0.0

    def rows(self) -> list[Row]:
        """All runs on this machine, the last changed first."""
        found = [Seen(folder) for folder in folders.find_runs(paths.runs())]
        for seen in found:
            seen.read()
            if self.seen and self.seen.folder == seen.folder:
                seen.problem = seen.problem or self.seen.problem
        return [
            Row(seen.folder, self.phase_of(seen), _told(seen))
            for seen in sorted(found, key=_changed_at, reverse=True)
        ]

    # What the operator does

    async def start(self) -> None:
        """Starts a run as it is wished for."""
        self._free()
        self.wish.check()
        await self._tune(Seen(self.wish.folder(paths.runs())), self.wish.arguments)

    async def pause_or_go_on(self) -> None:
        """Stops the run in view with a checkpoint, or goes on from it."""
        seen = self.seen
        if seen is None:
            raise Refused("there is no run in view to go on with")
        if self.tuning and self.tuning.folder == seen.folder:
            self._paused = seen.folder
            await self._end("Paused")
            return
        self._free()
        if seen.outcome:
            raise Refused(f"{seen.folder.name} is through: there is nothing to go on with")
        if seen.settings is None:
            raise Refused(f"{seen.folder.name} has no settings to go on by")
        if held := folders.hold(seen.folder).held():
            raise held
        seen.problem = None
        await self._tune(seen, ("--resume",))

    async def stop(self) -> None:
        """Ends the run that goes on, with a checkpoint."""
        if self.tuning is None:
            raise Refused("no run goes on")
        self._paused = None
        await self._end("Stopped")

    def open(self, folder: Path) -> None:
        """Shows a run."""
        self.seen = Seen(folder)
        self.seen.read()
        self._changed()

    def look_again(self) -> None:
        """Reads what the run in view has logged since, where that is not our own process."""
        if self.seen and not (self.tuning and self.tuning.folder == self.seen.folder):
            self.seen.read()
            self._changed()

    async def close(self) -> None:
        """Ends the run that goes on, since Placet ends."""
        if self.tuning:
            await self.tuning.stop(nothing_to_keep=not self._learning)
        if self._follower:
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower

    def leave(self) -> None:
        """Asks the run to end, where there is no time to wait."""
        if self.tuning:
            self.tuning.ask_to_stop()

    def _free(self) -> None:
        if self.tuning:
            raise Refused(
                f"{self.tuning.folder.name} goes on, and two would share the machine",
                mend="Stop it first; it can go on later.",
            )

    async def _tune(self, seen: Seen, arguments: Sequence[str]) -> None:
        tuning = Tuning(seen.folder, arguments, command=self._command, patience=self._patience)
        self.tuning = tuning  # at once: a second key must not start a second run
        try:
            await tuning.start()
        except PlacetError:
            self.tuning = None
            raise
        self.seen, self._paused, self._learning = seen, None, False
        self.say(f"Starting {seen.folder.name}: the model is loaded first.")
        self._follower = asyncio.create_task(self._follow(tuning, seen))

    async def _end(self, how: str) -> None:
        tuning = self.tuning
        if tuning is None or tuning.stopping:
            return
        self.say("Asked the run to stop with a checkpoint.")
        await tuning.stop(nothing_to_keep=not self._learning)
        if self._follower:
            await self._follower
        if tuning.trouble:
            return  # it was told of, and there may be no checkpoint to go on from
        if self.seen and self.seen.folder == tuning.folder and self.seen.settings is None:
            self.seen = None
            self.say(f"{how} before it had begun: nothing was kept.")
        elif tuning.killed and self._learning:
            self.say(
                f"{tuning.folder.name} did not listen and was killed: what it learned since its "
                "last checkpoint is lost.",
                Tone.WARNING,
            )
        else:
            self.say(f"{how}: {tuning.folder.name} can go on from here.")

    async def _follow(self, tuning: Tuning, seen: Seen) -> None:
        while not tuning.ended.is_set():
            before = seen.lines
            if seen.read() or not self._learning:
                if not self._learning and seen.lines > before:
                    self._learning, self.last = True, None
                self._changed()
            if self.seen and self.seen.folder == seen.folder:
                seen = self.seen  # it was opened again from the list
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(tuning.ended.wait(), self._every)
        seen.read()
        self.tuning = None
        if trouble := tuning.trouble:
            seen.problem = trouble
            self.say(f"{seen.folder.name}: {trouble.line}", Tone.ERROR)
        elif seen.outcome:
            self.say(f"{seen.folder.name} is through.")
        self._changed()


def _changed_at(seen: Seen) -> float:
    try:
        log = seen.folder / folders.LOG
        return (log if log.exists() else seen.folder).stat().st_mtime
    except OSError:
        return 0.0


def _told(seen: Seen) -> str:
    if seen.outcome:
        end = seen.outcome.end
        return f"{end.deontological_regret:.2f} · {end.utilitarian_regret:.2f}"
    if seen.problem:
        return seen.problem.problem
    done = seen.updates[-1].episodes if seen.updates else 0
    return f"{done} of {seen.settings.episodes} episodes" if seen.settings else ""
