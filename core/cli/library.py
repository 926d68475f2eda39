"""`placet profiles` and `placet scenarios`."""

from typing import Annotated

import typer

from core import library
from core.cli.output import warn
from core.domain.text import plain
from core.errors import BadInput

profiles = typer.Typer(help="Value profiles.", no_args_is_help=True)
scenarios = typer.Typer(help="Example scenarios.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name or a file.")]


@profiles.command("list")
def list_profiles() -> None:
    """The profiles there are."""
    for profile in library.profiles(warn):
        typer.echo(
            f"{plain(profile.name):<24} {len(profile.values)} values  {plain(profile.title)}"
        )


@profiles.command("show")
def show_profile(name: Name) -> None:
    """A profile's values with their weights."""
    profile = library.load_profile(name, warn)
    typer.echo(plain(f"{profile.title or profile.name}\n{profile.description}".strip()))
    for value in profile.values:
        foundation = f" ({value.foundation})" if value.foundation else ""
        typer.echo(plain(f"{value.weight:.2f}  {value.id}{foundation}: {value.statement}"))


@profiles.command("check")
def check_profiles(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or files. Default: all.", show_default=False)
    ] = None,
) -> None:
    """Whether profiles can be used; says what to mend where one cannot."""
    found = names or [
        str(path) for folder in library.profile_folders() for path in sorted(folder.glob("*.toml"))
    ]
    broken: list[str] = []
    for name in found:
        try:
            profile = library.load_profile(name, warn)
            typer.echo(f"ok  {plain(profile.name)}: {len(profile.values)} values")
        except BadInput as error:
            broken.append(name)
            warn(str(error))
    if broken:
        raise typer.Exit(1)


@scenarios.command("list")
def list_scenarios() -> None:
    """The scenarios there are."""
    for scenario in library.scenarios(warn):
        own = f"{len(scenario.candidates)} candidates" if scenario.candidates else "to propose"
        typer.echo(f"{plain(scenario.name):<24} {own:<14} {plain(scenario.title)}")


@scenarios.command("show")
def show_scenario(name: Name) -> None:
    """A scenario's goal, context and candidates."""
    scenario = library.load_scenario(name, warn)
    typer.echo(plain(f"{scenario.title or scenario.name}\nGoal: {scenario.goal}"))
    if scenario.context:
        typer.echo(plain(f"Context: {scenario.context}"))
    for candidate in scenario.candidates:
        source = f" [{candidate.source}]" if candidate.source else ""
        typer.echo(plain(f"- {candidate.text}{source}"))
