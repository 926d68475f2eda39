"""`placet session`: check, tell and export a session's file."""

from pathlib import Path
from typing import Annotated

import typer

from core import paths
from core.cli.options import Output, choice
from core.cli.output import give, say, warn, writable
from core.domain.text import plain
from core.files import path_of, toml_files, written_at
from core.games.lens import lens
from core.session.report import FORMATS, report
from core.session.store import load, session_named

app = typer.Typer(help="Sessions on disk.", no_args_is_help=True)

File = Annotated[
    Path,
    typer.Argument(
        help="A session: its file (TOML), or its name in `session list`.", parser=session_named
    ),
]


@app.command("list")
def list_() -> None:
    """The sessions that the review keeps, newest first, with their files."""
    for path in sorted(toml_files(paths.sessions()), key=written_at, reverse=True):
        say(plain(f"{path.stem:<44} {path}", one_line=True))


@app.command()
def verify(file: File) -> None:
    """Whether all events are there, unchanged and in order; names the first that does not fit."""
    session = load(file, warn=warn)
    say(f"ok: {len(session.records)} events, last digest {session.head}")


@app.command("report")
def tell(
    file: File,
    format: Annotated[str, choice(FORMATS)] = "text",
    output: Output = None,
) -> None:
    """The session as a report."""
    writable(output)
    give(report(load(file, warn=warn), format, lens), output)


_ENDINGS = {".md": "markdown", ".html": "html", ".htm": "html", ".json": "json", ".txt": "text"}


@app.command()
def export(
    file: File,
    output: Annotated[
        Path,
        typer.Argument(
            help="Where to: its ending says how (.md .html .json .txt).", parser=path_of
        ),
    ],
) -> None:
    """The session as Markdown, HTML, JSON or text, in a file."""
    if (ending := output.suffix.lower()) not in _ENDINGS:
        raise typer.BadParameter(
            f"the ending {output.suffix!r} is not one of {', '.join(_ENDINGS)}"
        )
    writable(output)
    give(report(load(file, warn=warn), _ENDINGS[ending], lens), output)
    say(str(output))
