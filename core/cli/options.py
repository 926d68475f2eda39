"""Options that several commands share."""

from typing import Annotated

import typer

ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        help="Value profile: a name or a file. Default: the scenario's own.",
        show_default=False,
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        help="Model that proposes and rewrites: a name, a folder or a GGUF file.",
        show_default=False,
    ),
]
JudgeModel = Annotated[
    str,
    typer.Option("--judge", help="Model that scores, likewise.", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Dtype = Annotated[str, typer.Option(help="Weight format: auto, float32, bfloat16 or int8.")]
_SEED = typer.Option(min=0, max=2**31 - 1, help="Same seed, same models: same outcome.")
Seed = Annotated[int, _SEED]
SeedIfGiven = Annotated[int | None, _SEED]
"""Where another stands in the configuration."""
Rewrites = Annotated[int, typer.Option(min=1, max=64, help="Rewrites tried a candidate and round.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
