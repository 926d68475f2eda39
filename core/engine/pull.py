"""Bringing a model onto this machine: `python -m core.engine.pull MODEL`, the worker's child.

A child, because the worker is offline for good, and because a download can then be stopped at any
moment by ending it and all that it started. It answers with the protocol's replies.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import msgspec

from core.engine import process, protocol
from core.errors import PlacetError
from core.watch import AnyNote, Progress, Watch

if TYPE_CHECKING:
    from core.models.transfer import Transfer

log = logging.getLogger("placet.pull")

_LOOK = 0.05
"""Seconds between two looks at whether the job was cancelled."""


def run(model: str, watch: Watch) -> None:
    """Pulls a model in a child process. Raises `Cancelled`, or `PlacetError` with the cause."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "core.engine.pull", model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=process.GIVEN,
        start_new_session=True,
    )
    assert child.stdout
    ends: list[protocol.Reply] = []
    ear = threading.Thread(target=_listen, args=(child.stdout, watch.say, ends), daemon=True)
    ear.start()
    try:
        while child.poll() is None:
            watch.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK)
        ear.join(1.0)
    except BaseException:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    match ends:
        case [protocol.Finished()]:
            return
        case [protocol.Trouble() as told]:
            raise told.error
    raise PlacetError(
        f"fetching {model} ended before it was done ({process.ending(child.returncode)})",
        mend=f"Try again: it goes on where it stopped. The log is {process.log_path()}.",
    )


def _listen(lines: IO[bytes], say: Callable[[AnyNote], None], ends: list[protocol.Reply]) -> None:
    with lines:
        for line in lines:
            try:
                reply = protocol.decode_reply(line)
            except msgspec.MsgspecError:
                log.warning("not a reply: %r", line[:200])
                continue
            if isinstance(reply, protocol.Said):
                say(reply.note)
            else:
                ends.append(reply)


def _end_with(parent: int) -> None:
    """Ends this process, and all that it started, when the worker at the other end is gone."""
    os.read(parent, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """The child."""
    parent, replies = process.take_pipes()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    process.start_log()
    wire = process.Wire(replies)
    model = sys.argv[1]

    def say(transfer: "Transfer") -> None:
        note = Progress(
            stage=transfer.stage,
            done=transfer.done_bytes,
            total=transfer.total_bytes,
            seconds_left=transfer.seconds_left,
        )
        wire.send(protocol.Said(job="", note=note))

    try:
        from core.models.fetch import pull

        pull(model, say=say)
    except Exception as error:
        wire.send(process.trouble(error, "pull"))
        return 1
    wire.send(protocol.Finished(job=""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
