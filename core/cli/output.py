"""What a command prints: results on standard output or in a file, progress on standard error."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EISDIR
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from core.cli import remark, silence
from core.domain.text import plain
from core.errors import BadInput, PlacetError
from core.files import growing, writable_folder, write_whole, writing
from core.models.catalog import ECHO
from core.models.transfer import Transfer
from core.session.events import ModelUsed
from core.session.report import ECHO_WARNING
from core.session.store import is_session
from core.watch import AnyNote, Progress, Watch

_NAMES = {
    "load": "loading the models",
    "propose": "proposing",
    "read": "reading",
    "write": "writing",
    "play": "playing",
}


def warn(text: str) -> None:
    """A remark on standard error."""
    remark(f"placet: {plain(text)}\n")


def announce(*models: ModelUsed) -> None:
    """Says so, on standard error, where a stand-in without weights is at work."""
    if any(model.name == ECHO for model in models):
        warn(ECHO_WARNING)


def give(text: str, output: Path | None) -> None:
    """The result: to the file named, whole, or to standard output."""
    if output:
        write_whole(output, text)
        return
    if sys.stdout is None:
        raise PlacetError("it is closed", where="standard output")
    try:
        typer.echo(text, nl=False)
    except BrokenPipeError:
        raise  # whoever reads has read enough
    except OSError as error:
        silence(sys.stdout)
        raise PlacetError(
            f"it cannot be written ({error.strerror})", where="standard output"
        ) from None


def say(line: str) -> None:
    """A line of the result on standard output."""
    give(f"{line}\n", None)


@contextmanager
def giving(output: Path | None, meter: "Meter") -> Iterator[Callable[[str], None]]:
    """Gives what gives a part of the result at once, to where `give` would give the whole."""

    def add(text: str) -> None:
        meter.clear()
        give(text, None)

    if output:
        with growing(output) as grow:
            yield grow
    else:
        yield add


def give_json(told: object) -> None:
    """Figures as JSON on standard output; a number that is none (NaN) as null."""
    finite = json.loads(json.dumps(told), parse_constant=lambda name: None)
    say(json.dumps(finite, indent=2))


def stdin_text(errors: str = "strict") -> str:
    """All of standard input as text; `errors` is what to do with a byte that is not UTF-8."""
    if sys.stdin is None:
        raise BadInput("it is closed", where="standard input", mend="Give a text, or --file.")
    try:
        return sys.stdin.buffer.read().decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise BadInput(
            f"byte {error.start + 1} is not UTF-8 text", where="standard input"
        ) from None


def needs(package: str) -> None:
    """Refuses a command whose package of the extra `train` is missing."""
    if not find_spec(package):
        raise PlacetError(
            f"this needs {package}, of the extra `train`",
            mend="`make venv` brings it; elsewhere `pip install matplotlib peft rouge-score`.",
        )


def writable(*outputs: Path | None, read: tuple[Path | None, ...] = ()) -> None:
    """Refuses a file that could not be written, before anything is done for it.

    And one that is `read` too, or is a session: what is in it stands nowhere else.
    """
    for output in outputs:
        if output is None:
            continue
        with writing(output):
            if output.is_dir():
                raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
            same = output.is_file() and any(
                one.exists() and one.samefile(output) for one in filter(None, read)
            )
            if same or (output.is_file() and is_session(output)):
                raise PlacetError(
                    f"this is {'read here' if same else 'a session'}, and it is not written over",
                    where=str(output),
                    mend="Name another file.",
                )
            if output.is_file() or not output.exists():
                folders = output.resolve().parents  # the missing ones are made with the file
                tempfile.TemporaryFile(dir=next(filter(Path.exists, folders))).close()


def drawable(picture: Path | None) -> None:
    """Refuses a picture that could not be written, before anything is measured for it."""
    if picture:
        needs("matplotlib")
        if picture.suffix.lower() not in (".png", ".svg"):
            raise BadInput(
                f"a picture cannot be a {picture.suffix or 'file without an ending'}",
                where=str(picture),
                mend="Name it .svg or .png.",
            )
        writable_folder(picture.parent)


class Meter:
    """One line on standard error that says what is going on; quiet where nobody looks."""

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._last = 0.0
        self._shown = ""
        self._interrupted = False
        self._before: Any = None

    @property
    def watch(self) -> Watch:
        """A stage's watch that draws on this meter and hears Ctrl-C."""
        return Watch(self._note, lambda: self._interrupted)

    def _note(self, note: AnyNote) -> None:
        if isinstance(note, Progress):
            parts = [f"{_NAMES.get(note.stage, note.stage)} {note.done}/{note.total}"]
            if note.tokens_per_s:
                parts.append(f"{note.tokens_per_s:,.0f} tokens/s")
            if note.seconds_left >= 1:
                parts.append(f"{note.seconds_left:.0f} s left")
            self.show(" · ".join(parts), stage=note.stage)

    def transfer(self, transfer: Transfer) -> None:
        """Draws a pull."""
        parts = [transfer.stage]
        if transfer.total_bytes and transfer.done_bytes:
            parts.append(
                f"{transfer.done_bytes / 1e6:,.0f} of {transfer.total_bytes / 1e6:,.0f} MB"
            )
        if transfer.bytes_per_s:
            parts.append(f"{transfer.bytes_per_s / 1e6:,.1f} MB/s")
        if transfer.seconds_left >= 1:
            parts.append(f"{transfer.seconds_left:.0f} s left")
        self.show(" · ".join(parts), stage=transfer.stage)

    def show(self, text: str, *, stage: str) -> None:
        """The line as it is now: drawn over the last in a terminal, else once a stage."""
        if not self._live:
            if stage != self._shown:
                self._shown = stage
                remark(f"placet: {_NAMES.get(stage, stage)}…\n")
            return
        if stage == self._shown and time.monotonic() - self._last < 0.1:
            return
        self._shown, self._last = stage, time.monotonic()
        remark(f"\r\033[2K{text[:100]}")

    def clear(self) -> None:
        """Takes the line away."""
        if self._live and self._shown:
            remark("\r\033[2K")
            self._shown = ""

    def __enter__(self) -> "Meter":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def _interrupt(self, *_: object) -> None:
        """Ctrl-C. Raised where Python drops exceptions, it would be lost; so it is kept as well."""
        self._interrupted = True
        raise KeyboardInterrupt

    def __exit__(self, *trouble: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self.clear()
