"""What the worker's process owes its surroundings: a clean pipe, a log, manners, and an end."""

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from core import paths
from core.engine import protocol
from core.errors import PlacetError

LOG_BYTES = 2_000_000
"""The log starts anew from here on; two older ones are kept."""

NICENESS = 5
"""How far the worker stands back when the interface wants a core."""

_PR_SET_PDEATHSIG = 1

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

_PATIENT = {"GOMP_SPINCOUNT": "2000"}
"""Torch's threads spin only briefly while they wait for each other. If they spin long, and somebody
wants a core, one spins for another that cannot run; if they do not spin at all, decoding takes
twice as long on a machine that has nothing else to do."""


if TYPE_CHECKING:
    from io import TextIOWrapper, _WrappedBuffer

log = logging.getLogger("placet.worker")

GIVEN = dict(os.environ)
"""The environment as it was given to us, for the one child that may use the network."""


class Wire:
    """The protocol's way out, for all threads: one whole line at a time."""

    def __init__(self, handle: int) -> None:
        """Writes on the file descriptor `handle` and on nothing else."""
        self._handle = handle
        self._lock = threading.Lock()

    def send(self, reply: protocol.Reply) -> None:
        """Writes one reply; ends the process where nobody listens any more."""
        self.pass_on(protocol.encode(reply))

    def pass_on(self, line: bytes) -> None:
        """Writes a line that is encoded already."""
        with self._lock:
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
            except OSError:
                os._exit(0)


class _Log(RotatingFileHandler):
    """A log that takes file descriptors 1 and 2 along whenever it begins a new file."""

    def _open(self) -> "TextIOWrapper[_WrappedBuffer]":
        stream = super()._open()
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        return stream


def log_path() -> Path:
    """Where the worker's log lies."""
    return paths.state() / "worker.log"


def take_pipes() -> tuple[int, int]:
    """Private copies of standard input and output, closed to children.

    From here on descriptor 0 is empty and descriptor 1 is wherever descriptor 2 goes, so that no
    library can read a request or write into the protocol.
    """
    requests, replies = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return requests, replies


def start_log() -> None:
    """Sends logging, warnings, both standard streams and the traces of a crash to the log.

    Where the log cannot be written, all of it stays on standard error.
    """
    handler: logging.Handler
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handler = _Log(
            log_path(), maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8", errors="replace"
        )
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    faulthandler.enable(file=2)


def behave() -> None:
    """Offline, quiet, and standing back for a core. Before any library of models is imported."""
    os.environ.update(_OFFLINE)
    for name, value in _PATIENT.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)


def die_with_parent(how: signal.Signals) -> None:
    """Has the kernel send `how` when the parent dies, in whatever way (Linux only)."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)


def trouble(error: BaseException, job: str) -> protocol.Trouble:
    """What to say about an exception that ended a job; its traceback goes to the log."""
    if isinstance(error, PlacetError):
        log.info("%s failed: %s", job or "a request", error)
        return protocol.Trouble(job=job, problem=error.problem, where=error.where, mend=error.mend)
    log.error("%s failed", job or "a request", exc_info=error)
    told = " ".join(str(error).split())[:200]
    return protocol.Trouble(
        job=job,
        problem=f"{type(error).__name__}: {told}" if told else type(error).__name__,
        mend=f"Nobody foresaw this. The details are in {log_path()}.",
    )


def ending(status: int) -> str:
    """How a process ended, in words: its exit status, or the signal that killed it."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
