"""The main path in a real terminal, with the real command and worker, on echo and on the model."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from core import paths
from core.session.store import load

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

PATIENCE = 120.0

ECHO = "--policy echo --judge echo"
REAL = "--policy placet --judge placet"


class Tmux:
    """A terminal of a size, with a program in it."""

    def __init__(
        self, home: Path, width: int, height: int, target: str = "", options: str = ECHO
    ) -> None:
        self.home = home
        self.name = f"placet-{uuid4().hex[:8]}"
        command = (
            f"echo $$ > '{home}.pid'; "
            f"PLACET_HOME='{home}' '{Path(sys.executable).with_name('placet')}' review {target} "
            f"{options}; echo left with $?; sleep 600"
        )
        self.run(
            "-f", "/dev/null", "new-session", "-d", "-s", self.name,
            "-x", str(width), "-y", str(height), command,
        )  # fmt: skip

    def run(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self.run("send-keys", "-t", self.name, *keys)

    def type(self, text: str) -> None:
        self.run("send-keys", "-t", self.name, "-l", text)

    def screen(self) -> str:
        return self.run("capture-pane", "-p", "-t", self.name)

    def until(self, *texts: str, without: str = "\0") -> str:
        end = time.monotonic() + PATIENCE
        while True:
            shown = self.screen()
            if all(text in shown for text in texts) and without not in shown:
                return shown
            assert time.monotonic() < end, f"{texts} never came:\n{shown}"
            time.sleep(0.05)

    def until_any(self, *texts: str) -> None:
        end = time.monotonic() + PATIENCE
        while not any(text in (shown := self.screen()) for text in texts):
            assert time.monotonic() < end, f"none of {texts} came:\n{shown}"
            time.sleep(0.05)

    def close(self) -> None:
        self.run("kill-server")


@pytest.fixture(
    params=[
        pytest.param((size, options), marks=marks, id=f"{size[0]}x{size[1]}-{name}")
        for options, name, marks in ((ECHO, "echo", ()), (REAL, "real", pytest.mark.model))
        for size in ((80, 24), (140, 40))
    ]
)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tmux]:
    size, options = request.param
    home = tmp_path / "home"
    if options == REAL:
        home.mkdir()
        (home / "models").symlink_to(paths.models())
    width, height = size
    found = Tmux(home, width, height, options=options)
    try:
        yield found
    finally:
        found.close()


def test_the_main_path_in_a_real_terminal(terminal: Tmux) -> None:
    terminal.until("Nothing to decide yet", "propose", "quit")
    terminal.press("g")
    terminal.until("to decide", "by rank", "advises", without="cancels")
    time.sleep(0.5)  # the guard against accidents
    terminal.press("x")
    terminal.until("Reject c")
    terminal.press("Enter")
    terminal.until("A rejection needs a reason")
    terminal.type("not without asking them")
    terminal.press("Enter")
    terminal.until("Rejected c", without="Reject c1\n")
    time.sleep(0.8)
    terminal.press("r")
    terminal.until("Re-align c", "not without asking them")
    terminal.press("Enter")
    terminal.until("by rank", without="Re-align c")
    terminal.until_any("stays as it was", "re-aligned")
    terminal.press("j")
    time.sleep(0.8)
    terminal.press("a")
    shown = terminal.until("pprove")
    end = time.monotonic() + PATIENCE
    while "✓ approved" not in shown and "against the judge" not in shown:
        assert time.monotonic() < end, shown
        time.sleep(0.1)
        shown = terminal.screen()
    if "against the judge" in shown:
        terminal.type("seen and agreed")
        terminal.press("Enter")
    terminal.until("✓ approved", without="against the judge")
    terminal.press("u")
    terminal.until("Undone: the approval of c")
    terminal.until("● saved")
    terminal.press("q")
    terminal.until("left with 0")
    (path,) = (terminal.home / "sessions").glob("*.toml")
    kinds = [record.table["kind"] for record in load(path).records]
    assert {"proposed", "judged", "rejected", "approved", "undone"} <= set(kinds)


def test_after_a_kill_the_session_goes_on_where_it_stood(home: Path) -> None:
    terminal = Tmux(home, 140, 40)
    try:
        terminal.until("Nothing to decide yet", "echo is at work")
        terminal.press("g")
        terminal.until("advises", without="…writing")
        time.sleep(0.8)
        terminal.press("s")
        terminal.until("Deferred c", "● saved")
        shell = psutil.Process(int(Path(f"{home}.pid").read_text()))
        for child in shell.children():
            child.kill()
        terminal.until("left with 137")
    finally:
        terminal.close()
    (path,) = (home / "sessions").glob("*.toml")
    again = Tmux(home, 140, 40, f"'{path}'")
    try:
        again.until("deferred", "4 to decide")
        again.press("u")
        again.until("Undone: the deferral of c")
    finally:
        again.close()


def test_leaving_in_mid_generation_leaves_nothing_behind(home: Path) -> None:
    terminal = Tmux(home, 100, 30)
    try:
        terminal.until("Nothing to decide yet", "echo")
        terminal.press("g")
        terminal.press("q")
        terminal.until("left with 0")
    finally:
        terminal.close()
    assert not list((home / "sessions").glob("*.tmp"))


def test_a_key_of_the_configuration_that_is_not_known_is_told(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text('schema = 1\ntheem = "dark"\n', "utf-8")
    terminal = Tmux(home, 120, 40)

    try:
        terminal.until("'theem' is not known here", "kept but not used")
    finally:
        terminal.close()
