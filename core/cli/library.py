"""`placet profiles` and `placet scenarios`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from core import library
from core.cli.output import say, warn
from core.domain.text import plain
from core.errors import BadInput
from core.files import toml_files

profiles = typer.Typer(help="Value profiles.", no_args_is_help=True)
scenarios = typer.Typer(help="Example scenarios.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name or a file.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Names or files. Default: all.", show_default=False)
]


@profiles.command("list")
def list_profiles() -> None:
    """The profiles there are."""
    for path, profile in library.profiles(warn).items():
        name = library.called(path, profile.name)
        told = f"{name:<24} {len(profile.values)} values  {profile.title}"
        say(plain(told, one_line=True))


@profiles.command("show")
def show_profile(name: Name) -> None:
    """A profile's values with their weights."""
    profile = library.load_profile(name, warn)
    say(plain(f"{profile.title or profile.name}\n{profile.description}".strip()))
    for value in profile.values:
        foundation = f" ({value.foundation})" if value.foundation else ""
        told = f"{value.weight:.2f}  {value.id}{foundation}: {value.statement}"
        say(plain(told, one_line=True))


@profiles.command("check")
def check_profiles(names: Names = None) -> None:
    """Whether profiles can be used; says what to mend where one cannot."""

    def check(name: str) -> str:
        profile = library.load_profile(name, warn)
        return f"{profile.name}: {len(profile.values)} values"

    _check(names, library.profile_folders(), check)


@scenarios.command("list")
def list_scenarios() -> None:
    """The scenarios there are."""
    for path, scenario in library.scenarios(warn).items():
        name = library.called(path, scenario.name)
        own = f"{len(scenario.candidates)} candidates" if scenario.candidates else "to propose"
        say(plain(f"{name:<24} {own:<14} {scenario.title}", one_line=True))


@scenarios.command("show")
def show_scenario(name: Name) -> None:
    """A scenario's goal, context and candidates."""
    scenario = library.load_scenario(name, warn)
    say(plain(f"{scenario.title or scenario.name}\nGoal: {scenario.goal}"))
    if scenario.context:
        say(plain(f"Context: {scenario.context}"))
    for candidate in scenario.candidates:
        source = f" [{candidate.source}]" if candidate.source else ""
        say(plain(f"- {candidate.text}{source}"))


@scenarios.command("check")
def check_scenarios(names: Names = None) -> None:
    """Whether scenarios, and the profiles that they name, can be used; else what to mend."""

    def check(name: str) -> str:
        scenario = library.load_scenario(name, warn)
        return f"{scenario.name}: judged by {library.profile_for(scenario, '', warn).name}"

    _check(names, library.scenario_folders(), check)


def _check(names: list[str] | None, folders: Iterable[Path], check: Callable[[str], str]) -> None:
    """A line on each of the names, or of the files in the folders; exit status 1 if one is bad."""
    found = names or [str(path) for folder in folders for path in toml_files(folder)]
    broken = False
    for name in found:
        try:
            say(plain(f"ok  {check(name)}", one_line=True))
        except BadInput as error:
            broken = True
            warn(str(error))
    if broken:
        raise typer.Exit(1)
