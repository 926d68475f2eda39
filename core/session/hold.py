"""Who has a session's file: one Placet at a time, so that two never write over each other."""

import contextlib
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import PlacetError
from core.session.session import operator_name

if TYPE_CHECKING:
    from filelock import FileLock


class Held(PlacetError):
    """A session's file that another Placet has open."""


class Hold:
    """The right to write one file. The system takes it back when the process ends, however it does.

    It lies beside the file as `.NAME.lock`, and says who has it.
    """

    def __init__(self, path: Path) -> None:
        """Takes nothing yet."""
        self.path = path
        self._lock: FileLock | None = None

    def __enter__(self) -> "Hold":
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def take(self) -> None:
        """Takes the file, unless it is ours already. `Held` says who has it."""
        if self._lock is not None:
            return
        from filelock import FileLock, Timeout

        beside = _beside(self.path)
        lock = FileLock(beside, timeout=0, thread_local=False)
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise Held(
                f"another Placet has this session open ({_holder(beside)})",
                where=str(self.path),
                mend="Leave it there, or open a copy here.",
            ) from None
        except OSError as error:
            raise PlacetError(
                f"it cannot be written ({error.strerror or error})",
                where=str(self.path),
                mend="Check the rights on the folder, or name another file.",
            ) from None
        self._lock = lock
        with contextlib.suppress(OSError):
            beside.write_text(
                json.dumps(
                    {
                        "by": operator_name(),
                        "process": os.getpid(),
                        "host": socket.gethostname(),
                        "since": datetime.now().isoformat(timespec="minutes"),
                    }
                ),
                "utf-8",
            )

    def free(self) -> None:
        """Lets go of the file."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                _beside(self.path).unlink()  # while it is still ours
            self._lock.release(force=True)
            self._lock = None


def _beside(path: Path) -> Path:
    real = path.resolve()
    return real.with_name(f".{real.name}.lock")


def _holder(beside: Path) -> str:
    """Who has the file, as far as that can be read."""
    try:
        told = json.loads(beside.read_text("utf-8"))
        by, process, since = told["by"], told["process"], told["since"]
        where = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
    except (OSError, ValueError, TypeError, KeyError):
        return "it does not say who"
    return f"{by}, process {process}{where}, since {str(since).replace('T', ' ')}"
