"""Measures the screen in a real terminal (a pty): `python -m tests.tui.measure`; prints JSON.

first_paint_ms: from the start of the process to the first bytes of the screen's frame, its title
among them. key_to_paint_ms: from a key to the bytes of what it changes (the name of the candidate
that the cursor has moved to, the number of the weight), not just to any bytes; once while nothing
runs, once while the worker generates. exit_ms: from `q` in mid-generation to the end of the
process. `--candidates N` opens a session of N candidates. Keys are measured once the models are
loaded and have proposed; `--policy placet --judge placet` takes those that were pulled.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from core import paths

KEYS = (b"j", b"k", b"j", b"k", b"1", b"-", b"-", b"+", b"+", b"3")
"""What an operator presses: moving, weighing, going from pane to pane."""

HOME = b"\x1b[H"
"""The first line of the list."""

CURSOR = re.compile(rb"4 Verdict \xc2\xb7 (c\d+)")
WEIGHT = re.compile(rb"Consent[^\r\n]{0,400}? (\d\.\d\d)")
"""What tells that a move, or a change of the first weight, is painted: it is not as before."""

EFFECT = {b"j": CURSOR, b"k": CURSOR, b"-": WEIGHT, b"+": WEIGHT}

IDLE = b"approves the one under the cursor"
"""The hint of a screen that has candidates and on which nothing runs."""

SETTLED = 0.08
"""Seconds of silence after which a painting is over."""


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, argv: list[str], env: dict[str, str], size: tuple[int, int]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self.seen = b""

    def read(self, wait: float) -> bytes:
        """What comes within `wait` seconds; the first piece of it."""
        ready, _, _ = select.select([self.master], [], [], wait)
        if not ready:
            return b""
        try:
            piece = os.read(self.master, 1 << 20)
        except OSError:
            return b""
        self.seen += piece
        return piece

    def until(self, text: bytes, patience: float = 60.0, start: int = 0) -> float:
        """Waits for a text after so many bytes; gives the seconds since the program's start."""
        end = time.perf_counter() + patience
        while self.seen.find(text, start) < 0:
            if time.perf_counter() > end:
                raise TimeoutError(f"{text!r} never came: {self.seen[-600:]!r}")
            self.read(0.05)
        return time.perf_counter() - self.begun

    def drain(self, quiet: float = SETTLED, most: float = 2.0) -> None:
        """Reads until nothing comes for a while."""
        end = time.perf_counter() + most
        while time.perf_counter() < end and self.read(quiet):
            pass

    def press(self, key: bytes) -> float:
        """Sends a key and gives the seconds until its effect is painted; any paint will do for
        keys whose effect no text tells of."""
        self.drain(0.004, 0.02)
        effect = EFFECT.get(key)
        before = effect.findall(self.seen)[-1:] if effect else []
        start, begun = len(self.seen), time.perf_counter()
        os.write(self.master, key)
        while time.perf_counter() - begun < 5.0:
            came = self.read(2.0)
            found = effect.findall(self.seen, start)[-1:] if effect else []
            if found not in ([], before) or (came and not effect):
                return time.perf_counter() - begun
        raise TimeoutError(f"nothing was painted after {key!r}: {self.seen[start:][-600:]!r}")

    def propose(self) -> None:
        """Has candidates proposed and judged, which takes until the models are loaded, too."""
        start = len(self.seen)
        os.write(self.master, b"g")
        self.until(IDLE, 150.0, start)

    def close(self) -> None:
        """Ends it, however it is."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def crowd(path: Path, many: int) -> None:
    """Writes a session of that many judged candidates."""
    from core import library
    from core.domain.candidate import Origin, Source
    from core.session.session import Session
    from core.session.store import Store
    from tests.tui.fake import judgement

    scenario = library.load_scenario(library.DEMO)
    session = Session.start(library.profile_for(scenario), scenario)
    profile = session.state.profile
    for number in range(many):
        text = (
            f"Write to owner {number} and name every fee, {'HIGH' * (number % 3)} in plain words."
        )
        name = session.propose(text, Origin(Source.POLICY, "measure"))
        session.judged(name, judgement(text, profile, scenario))
    Store(path).save(session)


def measure(policy: str, judge: str, many: int, size: tuple[int, int]) -> dict[str, object]:
    """One start, one generation, one end."""
    home = tempfile.mkdtemp(prefix="placet-measure-")
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    env["PLACET_HOME"] = home
    Path(home, "models").symlink_to(paths.models())
    Path(home, "config.toml").write_text(
        f'schema = 1\n[defaults]\npolicy = "{policy}"\njudge = "{judge}"\n', "utf-8"
    )
    argv = [str(Path(sys.executable).with_name("placet")), "review"]
    if many:
        path = Path(home) / "crowd.toml"
        crowd(path, many)
        argv.append(str(path))
    terminal = Terminal(argv, env, size)
    try:
        first = terminal.until(b"Candidates")
        terminal.until(b"to decide" if many else b"Nothing to decide yet")
        terminal.drain(0.3)
        terminal.propose()
        terminal.drain(0.3)
        os.write(terminal.master, b"3" + HOME)
        terminal.drain(0.3)
        quiet = [terminal.press(key) for key in KEYS * 3]
        busy: list[float] = []
        generating = 0
        while len(busy) < 120 and generating < 12:
            generating += 1
            os.write(terminal.master, HOME)
            terminal.drain(0.05, 0.5)
            os.write(terminal.master, b"g")
            for key in KEYS:
                busy.append(terminal.press(key))
                time.sleep(0.03)
            terminal.drain(0.02, 0.1)
        terminal.drain(0.3, 5.0)
        terminal.press(b"g")
        begun = time.perf_counter()
        os.write(terminal.master, b"q")
        while terminal.process.poll() is None and time.perf_counter() - begun < 10:
            terminal.read(0.01)
        left = time.perf_counter() - begun
    finally:
        terminal.close()
    return {
        "policy": policy,
        "candidates": many,
        "size": f"{size[0]}x{size[1]}",
        "first_paint_ms": round(first * 1000),
        "key_to_paint_ms": _spread(quiet),
        "key_to_paint_generating_ms": _spread(busy),
        "exit_generating_ms": round(left * 1000),
        "exit_status": terminal.process.returncode,
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered) * 1000, 1),
        "p95": round(ordered[int(len(ordered) * 0.95) - 1] * 1000, 1),
        "most": round(ordered[-1] * 1000, 1),
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="echo")
    parser.add_argument("--judge", default="echo")
    parser.add_argument("--candidates", type=int, default=0)
    parser.add_argument("--size", default="140x40")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    runs = [
        measure(given.policy, given.judge, given.candidates, (width, height))
        for _ in range(given.runs)
    ]
    print(json.dumps({"load": os.getloadavg()[0], "runs": runs}, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
