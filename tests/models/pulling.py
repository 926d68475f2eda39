"""One of two processes that pull the same model: `pulling.py FOLDER LOG`, home in PLACET_HOME."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.models import fetch
from core.models.transfer import Transfer

copytree = shutil.copytree
log = Path(sys.argv[2])
someone_waits = log.with_suffix(".waiting")


def told(transfer: Transfer) -> None:
    """Leaves a mark where this process waits for the other."""
    if transfer.stage.startswith("waiting"):
        someone_waits.touch()


def slowly(*args: Any, **kwargs: Any) -> Any:
    """Notes the copy, and begins it once the other process waits."""
    with log.open("a") as file:
        file.write("copied\n")
    deadline = time.monotonic() + 30
    while not someone_waits.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return copytree(*args, **kwargs)


if __name__ == "__main__":
    shutil.copytree = slowly
    fetch.pull("someone/tiny", source=Path(sys.argv[1]), say=told)
