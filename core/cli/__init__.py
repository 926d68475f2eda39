"""The command line: thin commands over the core, and the edge where errors become a line."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

from core.errors import Cancelled, PlacetError

FAILED, INTERRUPTED = 1, 130


def main() -> None:
    """Runs a command and ends the process with its exit status.

    The screen without options goes round the parser: loading that takes longer than a picture.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a standard stream is closed: no file that is opened later may take its place
    if sys.stderr is None:  # remarks go nowhere then, and the work goes on
        sys.stderr = os.fdopen(spare, "w")
    else:
        os.close(spare)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # no result is lost to a letter that a console lacks
            stream.reconfigure(errors="backslashreplace")
    asked = sys.argv[1:]
    plain = len(asked) <= 2 and not any(word.startswith("-") for word in asked)
    if plain and asked[:1] in ([], ["review"]):
        sys.exit(guarded(lambda: _review(*asked[1:])))
    sys.exit(guarded(_run_command))


def _review(*target: str) -> int:
    from core.cli.screen import open_screen

    return open_screen(*target)


def _run_command() -> None:
    from core.cli.main import app

    app(prog_name="placet")


def guarded(run: Callable[[], object]) -> int:
    """Runs something and gives its exit status; whatever fails is told in a line or two."""
    try:
        found = run()
        return found if isinstance(found, int) else 0
    except PlacetError as error:
        return _say(str(error), FAILED)
    except (KeyboardInterrupt, Cancelled):
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        silence(sys.stdout)
        return FAILED
    except Exception as error:
        return _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    import traceback

    from core import paths

    try:
        log = paths.state() / "placet.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc(), "utf-8", errors="backslashreplace")
        where = f"\n  The details are in {log}."
    except (OSError, PlacetError):
        where = ""
    return _say(f"something went wrong: {type(error).__name__}: {error}{where}", FAILED)


def _say(text: str, status: int) -> int:
    from core.domain.text import plain

    remark(f"placet: {plain(text)}\n")
    return status


def remark(text: str) -> None:
    """Writes on standard error, or nowhere once that fails: a remark is no reason to stop."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Sends what a stream could not write, and all that follows, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
