"""The interface's side of a run of the laboratory: its process, and how it ends. No torch here.

The process is `placet games tune`. It writes the run's folder (`core.games.run`), which whoever
wants to follow reads; SIGTERM asks it to stop with a checkpoint.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from core.engine.process import NICENESS, ending
from core.errors import BadInput, PlacetError
from core.games.matrix import TRAINING_GAME, load_game
from core.games.players import PLAYERS, TIT_FOR_TAT
from core.games.rewards import Reward
from core.games.run import LEARNER, check_game, run_name

TUNE = (sys.executable, "-P", "-m", "core", "games", "tune")
"""How a run is started. `-P`: a folder named `core` where the operator stands is not ours."""

PATIENCE = 30.0
"""Seconds that a run has for its checkpoint before it is killed."""

_BRIEFLY = 2.0
"""Seconds that it has where it has not learned anything yet."""

OPPONENTS = (*PLAYERS, LEARNER)
"""Who a model can be tuned against."""

_STOPPED = 130
"""The status of a run that stopped with a checkpoint."""

_TAIL = 8_000
"""Bytes that are kept of what the process says on standard error."""


class Wish(Struct, frozen=True, kw_only=True):
    """What a run is asked for."""

    game: str = TRAINING_GAME.name
    """One of the five, or the path of a TOML file."""
    reward: Reward = Reward.DEONTOLOGICAL
    opponent: str = TIT_FOR_TAT.name
    episodes: int = 300
    seed: int = 1
    switch_to: Reward | None = None
    """The reward after episode `switch_at`: unlearning."""
    switch_at: int = 150

    def check_game(self) -> None:
        """`BadInput`: the game cannot be used, or not be learnt by these rewards."""
        check_game(load_game(self.game), self.reward, self.switch_to, self.opponent)

    def check(self) -> None:
        """`BadInput` names the field that cannot be used."""
        self.check_game()
        if self.opponent not in OPPONENTS:
            raise BadInput(f"there is no opponent {self.opponent!r}", where="opponent")
        if self.episodes < 1:
            raise BadInput("a run takes at least one episode", where="episodes")
        if self.seed < 0:
            raise BadInput("a seed is 0 or more", where="seed")
        if self.switch_to and not 1 <= self.switch_at < self.episodes:
            raise BadInput(
                f"episode {self.switch_at} is not inside a run of {self.episodes}",
                where="after episode",
                mend="Let it be earlier, or the run longer.",
            )

    @property
    def arguments(self) -> tuple[str, ...]:
        """As `placet games tune` takes it."""
        known = self.game if self.game == Path(self.game).name and "." not in self.game else ""
        told = ["--game", known or str(Path(self.game).expanduser().absolute())]
        told += ["--reward", str(self.reward), "--opponent", self.opponent]
        told += ["--episodes", str(self.episodes), "--seed", str(self.seed)]
        if self.switch_to:
            told += ["--switch-to", str(self.switch_to), "--switch-at", str(self.switch_at)]
        return tuple(told)

    def folder(self, root: Path) -> Path:
        """A folder in `root` that is not there yet, by the run's name."""
        game = Path(self.game).stem
        name = run_name(self.reward, self.switch_to, self.opponent, game, self.seed)
        number, found = 1, root / name
        while found.exists():
            number += 1
            found = root / f"{name}.{number}"
        return found


def changed(wish: Wish, **fields: object) -> Wish:
    """The wish with other fields."""
    return msgspec.structs.replace(wish, **fields)


class Tuning:
    """One process that tunes."""

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        command: Sequence[str] = TUNE,
        patience: float = PATIENCE,
    ) -> None:
        """Starts nothing yet. `arguments` are the wish's, or `--resume`."""
        self.folder = folder
        self.stopping = False
        """Whether it was asked to stop."""
        self.killed = False
        """Whether it had to be killed, so that the time since its last checkpoint is lost."""
        self.begun = time.monotonic()
        self.ended = asyncio.Event()
        self._argv = (*command, *arguments, "--out", str(folder))
        self._patience = patience
        self._process: Process | None = None
        self._said = b""
        self._hearing: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, once there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts it. `PlacetError`: the system does not let us."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
            )
        except (OSError, ValueError) as error:
            raise PlacetError(
                f"the run cannot be started ({getattr(error, 'strerror', None) or error})",
                where=self._argv[0],
            ) from None
        with contextlib.suppress(OSError, AttributeError):
            now = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self._process.pid, min(19, now + NICENESS))
        self._hearing = asyncio.create_task(self._hear(self._process))

    async def _hear(self, process: Process) -> None:
        """Keeps the end of what it says, until it has ended."""
        assert process.stderr
        while read := await process.stderr.read(4096):
            self._said = (self._said + read)[-_TAIL:]
        await process.wait()
        self.ended.set()

    def ask_to_stop(self) -> None:
        """Asks for a checkpoint and the end; returns at once."""
        self.stopping = True
        self._signal(signal.SIGTERM)

    async def stop(self, *, nothing_to_keep: bool = False) -> None:
        """Asks, waits, and kills it where it does not listen: soon, where nothing would be lost."""
        if self._process is None:
            return
        self.ask_to_stop()
        patience = min(_BRIEFLY, self._patience) if nothing_to_keep else self._patience
        try:
            await asyncio.wait_for(self.ended.wait(), patience)
        except TimeoutError:
            self.killed = True
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self.ended.set()

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    @property
    def trouble(self) -> PlacetError | None:
        """Why it ended, where nobody wanted it to, or why it could not stop as it was asked to."""
        status = self._process.returncode if self._process else None
        if status is None or status == 0 or self.killed:
            return None
        if self.stopping and status in (_STOPPED, -signal.SIGTERM):  # the latter: not begun yet
            return None
        lines = self._said.decode("utf-8", "replace").splitlines()
        for place, line in reversed(list(enumerate(lines))):
            if line.startswith("placet: "):
                after = lines[place + 1 : place + 2]
                mend = after[0].strip() if after and after[0].startswith("  ") else ""
                return PlacetError(line.removeprefix("placet: ").rstrip("."), mend=mend)
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        out_of_memory = " Perhaps the machine ran out of memory." if status == -9 else ""
        return PlacetError(
            f"the run's process ended by itself ({ending(status)})"
            + (f": {last[:200]}" if last and status > 0 else ""),
            mend=f"It goes on from its last checkpoint, if it wrote one.{out_of_memory}",
        )
