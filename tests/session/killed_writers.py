"""Writers that save sessions without end, each killed at random: `killed_writers.py N DIR`.

A process of its own, with one thread, so that it may fork.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.domain.candidate import Origin, Source
from core.session.store import Store
from tests.nouns import LETTER
from tests.session.operations import started


def write_without_end(folder: Path, name: str, begun: int) -> None:
    """Saves after every event, as the program does; tells through a pipe that it has begun."""
    session = started(LETTER)
    store = Store(folder / f"{name}.toml")
    number = 0
    os.write(begun, b".")
    while True:
        number += 1
        session.propose(f"Proposal {number}: " + "word " * 200, Origin(Source.POLICY, "fake"))
        store.save(session)


def main(writers: int, folder: Path) -> None:
    """Starts and kills them one after the other; half of them write over a file that is there."""
    draw = random.Random(5)
    for number in range(writers):
        heard, begun = os.pipe()
        pid = os.fork()
        if pid == 0:
            write_without_end(folder, f"session-{number // 2}", begun)
        os.read(heard, 1)  # on a busy machine it takes longer to begin than it lives
        os.close(heard)
        os.close(begun)
        time.sleep(draw.uniform(0.001, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
