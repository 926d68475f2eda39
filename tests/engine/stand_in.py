"""A worker with models of our own making: `python stand_in.py`, in place of `core.engine.worker`.

The policy's name says what it does: `echo` writes at once, `slow` writes until it is told to stop,
and the others misbehave. All else is the real worker.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.engine import worker
from core.errors import ModelProblem
from core.models.base import Draft, Prompt, Sampling
from core.models.echo import Echo, EchoVoices
from core.session.events import ModelUsed
from core.stages.judge import Judge, PromptedJudge
from core.watch import SILENT, Progress, Watch

Hear = Callable[[int, str], None]


@dataclass
class Models:
    """What `load_team` gives."""

    policy: Echo
    judge: Judge
    used: dict[str, ModelUsed]


class Odd(Echo):
    """Does what its name says before it writes."""

    def __init__(self, does: Callable[[int, Watch, Hear], None]) -> None:
        self._does = does

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Hear = lambda row, text: None,
    ) -> list[Draft]:
        self._does(len(prompts), watch, on_text)
        return super().generate(prompts, sampling, seeds, watch, on_text)


def slow(rows: int, watch: Watch, on_text: Hear) -> None:
    """Writes on and on, a token every 20 ms, as a model on two cores does."""
    for token in range(1, 10_000):
        watch.check()
        for row in range(rows):
            on_text(row, "word " * token)
        watch.say(Progress(stage="write", done=token, total=10_000, tokens_per_s=50.0 * rows))
        time.sleep(0.02)


def noisy(rows: int, watch: Watch, on_text: Hear) -> None:
    """Writes wherever a library might."""
    print("print says hello")  # noqa: T201
    print('{"type": "finished", "job": "made-up"}', flush=True)  # noqa: T201
    print("standard error", file=sys.stderr)  # noqa: T201
    os.write(1, b"descriptor 1\n")
    ctypes.CDLL(None).puts(b"the C library")
    ctypes.CDLL(None).fflush(None)
    subprocess.run(["echo", "a child"], check=True)
    warnings.warn("a warning", stacklevel=2)
    if sys.stdin.read():
        raise AssertionError("standard input is not empty")


def broken(rows: int, watch: Watch, on_text: Hear) -> None:
    """Fails as nobody foresaw."""
    raise ZeroDivisionError("first line\nsecond line")


def greedy(rows: int, watch: Watch, on_text: Hear) -> None:
    """Has no room left."""
    raise MemoryError


def dead(rows: int, watch: Watch, on_text: Hear) -> None:
    """Ends as with an error in a library."""
    os.kill(os.getpid(), signal.SIGSEGV)


def deaf(rows: int, watch: Watch, on_text: Hear) -> None:
    """Never listens, holds the interpreter's lock, and does not end when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    on_text(0, "deaf now")
    time.sleep(0.1)
    watch.check()
    re.match(r"(a+)+$", "a" * 60 + "b")


ODD = {does.__name__: does for does in (slow, noisy, broken, greedy, dead, deaf)}


def load_team(
    policy: str, judge: str, *, device: str = "auto", dtype: str = "auto", watch: Watch = SILENT
) -> Models:
    """Stands in for `core.team.load_team`."""
    watch.say(Progress(stage="load", done=0, total=2))
    if policy == "missing":
        raise ModelProblem("it is not there", where="missing", mend="Bring it.")
    model = Odd(ODD[policy]) if policy in ODD else Echo()
    used = {"policy": ModelUsed(name=policy), "judge": ModelUsed(name=judge)}
    watch.say(Progress(stage="load", done=2, total=2))
    return Models(model, PromptedJudge(Echo(), explain=False), used)


def main() -> None:
    """The worker, with other models."""
    module = types.ModuleType("core.team")
    module.load_team = load_team  # type: ignore[attr-defined]
    module.load_voices = lambda policy, **_: EchoVoices()  # type: ignore[attr-defined]
    sys.modules["core.team"] = module
    worker.main()


if __name__ == "__main__":
    main()
