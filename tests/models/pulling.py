"""One of two processes that pull the same model: `pulling.py FOLDER LOG`, home in PLACET_HOME."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.models import fetch

copytree = shutil.copytree


def slowly(*args: Any, **kwargs: Any) -> Any:
    """Notes the copy and gives the other process time to come in between."""
    with Path(sys.argv[2]).open("a") as log:
        log.write("copied\n")
    time.sleep(0.5)
    return copytree(*args, **kwargs)


if __name__ == "__main__":
    shutil.copytree = slowly
    stages: list[str] = []
    fetch.pull(
        "someone/tiny", source=Path(sys.argv[1]), say=lambda moved: stages.append(moved.stage)
    )
    print("waited" if any("waiting" in stage for stage in stages) else "went first")
