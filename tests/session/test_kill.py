"""A kill at any moment loses at most the event being written."""

import subprocess
import sys
from pathlib import Path

from core.session.store import load

WRITERS = 200


def test_a_session_on_disk_is_always_whole_though_its_writer_is_killed(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_writers.py")

    subprocess.run(
        [sys.executable, str(script), str(WRITERS), str(tmp_path)], check=True, timeout=120
    )

    files = sorted(tmp_path.glob("*.toml"))
    events = [len(load(file).records) for file in files]
    assert len(files) > WRITERS / 10
    assert max(events) > 3
    litter = [path for path in tmp_path.iterdir() if path not in files]
    assert all(path.suffix == ".tmp" and path.name.startswith(".") for path in litter)
    assert len(litter) > 0, "no writer was killed while it wrote: the test has lost its bite"
