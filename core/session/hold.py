"""Who has a file: one Placet at a time, so that two never write over each other."""

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
    """A file that another Placet has."""


class Hold:
    """The right to write one file. The system takes it back when the process ends, however it does.

    It lies beside the file as `.NAME.lock`, and says who has it.
    """

    def __init__(
        self,
        path: Path,
        *,
        taken: str = "another Placet has this session open",
        mend: str = "Leave it there, or open a copy here.",
    ) -> None:
        """Takes nothing yet. `taken` and `mend` are what whoever comes second is told."""
        self.path = path
        self._taken = taken
        self._mend = mend
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
                f"{self._taken} ({_holder(beside)})", where=str(self.path), mend=self._mend
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

    def held(self) -> Held | None:
        """What `take` would raise, where somebody else has the file."""
        if self._lock is not None or not _beside(self.path).exists():
            return None
        try:
            with self:  # what a killed process left behind is cleared away as well
                return None
        except Held as error:
            return error
        except PlacetError:
            return None

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
