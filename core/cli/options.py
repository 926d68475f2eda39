"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.config import LARGEST_SEED
from core.errors import BadInput
from core.files import path_of
from core.models import catalog

ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Value profile: a name or a file. Default: the scenario's own, else finance-outreach.",
        show_default=False,
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        help="Model that proposes and rewrites: a name, the folder of a model or an adapter, or a "
        "GGUF file. Default: placet, the shipped one.",
        show_default=False,
    ),
]
JudgeModel = Annotated[
    str,
    typer.Option(
        "--judge",
        help="Model that scores, likewise; `prompted` asks the policy's model in words. With the "
        "policy `echo` it is `echo` too.",
        show_default=False,
    ),
]


def path_option(*names: str, help: str, exists: bool = False) -> Any:
    """An option that names a file or folder; with `exists`, one that is there.

    The shell leaves `~` alone in quotes and behind `=`, so it is read here.
    """
    parser = _existing if exists else path_of
    return typer.Option(*names, help=help, parser=parser, show_default=False)


def _existing(name: str) -> Path:
    path = path_of(name)
    if not path.exists():
        raise BadInput(
            "there is no such file or folder", where=name, mend="Check the name and the folder."
        )
    return path


Output = Annotated[Path | None, path_option(help="Write the result here.")]


def choice(allowed: tuple[str, ...], *, help: str = "") -> Any:
    """An option that takes one of a few words; another is a usage error."""

    def check(value: str) -> str:
        if value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
        return value

    return typer.Option(help=help or ", ".join(allowed), callback=check)


Device = Annotated[str, choice(catalog.DEVICES)]
Dtype = Annotated[
    str, choice(catalog.DTYPES, help="Weight format: auto, float32, bfloat16 or int8.")
]
_SEED = typer.Option(min=0, max=LARGEST_SEED, help="Same seed, same models: same outcome.")
Seed = Annotated[int, _SEED]
SeedIfGiven = Annotated[int | None, _SEED]
"""Where another stands in the configuration."""
Rewrites = Annotated[
    int, typer.Option(min=1, max=64, help="Rewrites to choose from, for each text.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
