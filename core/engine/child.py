"""The worker's process as its parent sees it: what goes in, what comes out, and how it ends."""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio import SubprocessTransport as Transport
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from signal import Signals

import msgspec

from core.engine.process import ending, log_path
from core.engine.protocol import Reply, Request, Trouble, decode_reply, encode

log = logging.getLogger("placet.engine")

PATIENCE = 0.3
"""Seconds that the worker has for ending by itself, and again after each stronger hint."""


class Child:
    """A worker's process, and its three pipes."""

    def __init__(self, process: Transport, pipes: "_Pipes") -> None:
        assert pipes.stdin and pipes.stdout and pipes.stderr
        self._process = process
        self._dead = pipes.dead
        self._stdin, self._stdout, self._stderr = pipes.stdin, pipes.stdout, pipes.stderr
        self._killed_for = ""

    @classmethod
    async def start(
        cls, argv: Sequence[str], environ: Mapping[str, str], longest_line: int
    ) -> "Child":
        """Starts one; `environ` is what is changed in its environment. Raises `OSError`."""
        return cls(
            *await asyncio.get_running_loop().subprocess_exec(
                lambda: _Pipes(longest_line),
                *argv,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**os.environ, "PYTHONPATH": _where_we_look(), **environ},
            )
        )

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.get_pid()

    def send(self, request: Request) -> None:
        """Hands it a request."""
        self._stdin.write(encode(request))

    def signal(self, how: Signals) -> None:
        """Sends it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)

    def kill(self, why: str) -> None:
        """Kills it; `why` is told as how it ended."""
        self._killed_for = why
        self._process.kill()

    async def hear(self, take: Callable[[Reply], None]) -> str:
        """Takes in replies until it ends, and gives how it ended, with its last words."""
        last_words: deque[str] = deque(maxlen=20)
        dying = asyncio.create_task(self._dead.wait())
        hearing = asyncio.create_task(_hear(self._stdout, take))
        overhearing = asyncio.create_task(_overhear(self._stderr, last_words))
        try:
            await asyncio.wait({dying, hearing}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({dying, hearing}, timeout=PATIENCE)
            if not dying.done():
                log.error("the worker closed its pipe and stayed; it is killed")
                self._process.kill()
                await dying
            await asyncio.wait({overhearing}, timeout=PATIENCE)
        finally:
            for task in (dying, hearing, overhearing):
                task.cancel()
            self._process.close()
        how = self._killed_for or ending(self._process.get_returncode() or 0)
        return f"{how}: {last_words[-1]}" if last_words else how


class _Pipes(SubprocessStreamProtocol):
    """A worker's pipes, and word of its death even where a child of its own holds them open."""

    def __init__(self, longest_line: int) -> None:
        super().__init__(limit=longest_line, loop=asyncio.get_running_loop())
        self.dead = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the loop."""
        super().process_exited()
        self.dead.set()


async def _hear(lines: asyncio.StreamReader, take: Callable[[Reply], None]) -> None:
    """Takes in replies until the worker has no more. A line that is none is reported."""
    while True:
        try:
            line = await lines.readline()
            if not line:
                return
            take(decode_reply(line))
        except (msgspec.MsgspecError, ValueError) as error:
            log.warning("not a reply: %s", error)
            take(
                Trouble(
                    problem=f"a reply of the worker could not be read ({error})",
                    mend=f"If something is missing, ask again. The log is {log_path()}.",
                )
            )
        await asyncio.sleep(0)


async def _overhear(lines: asyncio.StreamReader, last_words: deque[str]) -> None:
    """Keeps what the worker writes before it has a log, or without one."""
    while block := await lines.read(1 << 16):
        for line in block.decode("utf-8", "replace").splitlines():
            if line.strip():
                log.warning("the worker wrote: %s", line)
                last_words.append(line.strip()[:200])


def _where_we_look() -> str:
    """Our own way of finding modules, for a worker that does not look where it was started."""
    return os.pathsep.join(path for path in sys.path if path)
