"""Room on the disk, and turns at it, for whoever brings a model."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import ModelProblem, PlacetError
from core.models.transfer import Say, Transfer


@contextmanager
def alone(target: Path, say: Say) -> Iterator[None]:
    """Lets one process at a time bring this model; another waits, and finds it there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(Transfer(stage="waiting for another process that brings the same model"))
            lock.acquire()
    except OSError as error:
        raise disk_error(error, target.parent) from None
    try:
        yield
    finally:
        lock.release()


def room_for(size: int, folder: Path) -> None:
    """`ModelProblem` unless `size` bytes, and what it takes to get there, fit."""
    free = shutil.disk_usage(folder).free
    needed = int(size * 1.4)
    if free < needed:
        raise ModelProblem(
            f"there is room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are needed",
            where=str(folder),
            mend="Make room, or set PLACET_HOME to a folder on another disk.",
        )


def disk_error(error: OSError, where: Path) -> PlacetError:
    """What to tell of a disk that is full or not ours."""
    return PlacetError(
        f"the disk said no ({error.strerror or error})",
        where=str(where),
        mend="Check the space and the rights, or set PLACET_HOME to another folder.",
    )
