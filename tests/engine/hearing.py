"""What the tests of the engine share: a worker of our own, an ear, and patience with a limit."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.engine.client import Engine
from core.engine.protocol import Finished, Load, Propose, Ready, Reply, Said, Trouble
from core.watch import Growing

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))

SCENARIO = Scenario(goal="More families save.", context="A small bank.")
PROFILE = Profile(
    name="bank",
    values=(
        Value(id="fees", statement="Every fee is stated before the customer signs."),
        Value(id="calm", statement="Nobody is pressed to decide at once.", weight=0.5),
    ),
)

DEADLINE = 20.0
"""Seconds after which something will never happen."""


class Ear:
    """Keeps all that an engine says."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.ends: dict[str, Finished | Trouble] = {}
        """How jobs ended, by their ids."""
        self._news = asyncio.Event()

    def hear(self, reply: Reply) -> None:
        """Takes in a reply."""
        self.replies.append(reply)
        if isinstance(reply, Finished | Trouble):
            self.ends[reply.job] = reply
            self._news.set()

    def engine(self, argv: Sequence[str] = STAND_IN, longest_line: int = 1 << 26) -> Engine:
        """An engine that speaks to this ear."""
        return Engine(self.hear, argv=argv, longest_line=longest_line)

    def about(self, job: str) -> list[Reply]:
        """What was said about a job."""
        return [reply for reply in self.replies if getattr(reply, "job", None) == job]

    async def end_of(self, job: str, seconds: float = DEADLINE) -> Finished | Trouble:
        """How a job ends."""
        async with asyncio.timeout(seconds):
            while job not in self.ends:
                self._news.clear()
                await self._news.wait()
        return self.ends[job]

    def policies(self) -> list[str]:
        """The policies that were made ready, in order."""
        return [reply.models["policy"].name for reply in self.replies if isinstance(reply, Ready)]

    def growing(self, job: str) -> bool:
        """Whether a job's text has begun to grow."""
        return any(
            isinstance(reply, Said) and isinstance(reply.note, Growing) for reply in self.about(job)
        )


async def until(condition: Callable[[], object], seconds: float = DEADLINE) -> float:
    """Waits until `condition` holds, and gives the seconds that took; fails after the deadline."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds} s in vain")
        await asyncio.sleep(0.002)
    return time.monotonic() - began


def load(policy: str, judge: str = "echo") -> Load:
    """Asks for models."""
    return Load(policy=policy, judge=judge)


def propose(count: int = 3, *, seed: int = 1) -> Propose:
    """Asks for candidates."""
    return Propose(profile=PROFILE, scenario=SCENARIO, count=count, seed=seed)


async def generating(engine: Engine, ear: Ear, policy: str = "slow") -> str:
    """A job that is writing right now."""
    engine.submit(load(policy))
    job = engine.submit(propose())
    await until(lambda: ear.growing(job))
    return job
