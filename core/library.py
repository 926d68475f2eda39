"""Profiles and scenarios by name: the operator's own before the shipped ones."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from core import paths
from core.domain.payoffs import Payoffs
from core.domain.scenario import HandedIn, Scenario
from core.domain.text import storable
from core.domain.values import Profile, Value
from core.errors import BadInput
from core.files import (
    SCHEMA,
    Warn,
    as_table,
    convert,
    dump_toml,
    foreign,
    path_of,
    read_toml,
    toml_files,
    write_whole,
)

T = TypeVar("T")

DEMO = "bank-outreach"
"""The scenario of `placet decide --demo` and of the first screen."""

DEFAULT_PROFILE = "finance-outreach"
"""The profile for a scenario that names none."""


def profile_folders() -> list[Path]:
    """Where profiles are looked for, first match wins."""
    return [paths.profiles(), paths.SHIPPED]


def scenario_folders() -> list[Path]:
    """Where scenarios are looked for, first match wins."""
    return [folder / "scenarios" for folder in profile_folders()]


def load_profile(name: str, warn: Warn | None = None) -> Profile:
    """A profile by its name or its file."""
    path = _find(name, profile_folders(), "profile")
    return convert({"name": storable(path.stem), **read_toml(path)}, Profile, str(path), warn)


def load_scenario(name: str, warn: Warn | None = None) -> Scenario:
    """A scenario by its name or its file."""
    path = _find(name, scenario_folders(), "scenario")
    return convert({"name": storable(path.stem), **read_toml(path)}, Scenario, str(path), warn)


def profile_for(scenario: Scenario, name: str = "", warn: Warn | None = None) -> Profile:
    """The profile of that name, else the one the scenario names, else the default."""
    try:
        return load_profile(name or scenario.profile or DEFAULT_PROFILE, warn)
    except BadInput as error:
        if scenario.profile and not name and not error.where:  # else it names the file already
            error.where = f"scenario {scenario.name}: profile"
        raise


def profiles(warn: Warn | None = None) -> dict[Path, Profile]:
    """All profiles that can be read, by their files, the operator's own first.

    A file of the operator's hides the shipped one that is called as it is. `warn` hears why others
    cannot be read.
    """
    return _all(profile_folders(), load_profile, warn)


def scenarios(warn: Warn | None = None) -> dict[Path, Scenario]:
    """All scenarios that can be read, as `profiles` gives profiles."""
    return _all(scenario_folders(), load_scenario, warn)


def shipped() -> list[tuple[Scenario, Profile]]:
    """The scenarios that ship, each with its profile, whatever the operator's own files are."""
    scenes = _all([paths.SHIPPED / "scenarios"], load_scenario, None).values()
    return [(scene, load_profile(str(paths.SHIPPED / f"{scene.profile}.toml"))) for scene in scenes]


def called(path: Path, name: str) -> str:
    """What a list calls a profile or a scenario: its name, and its file where that differs."""
    return name if path.stem == name else f"{name} ({path.name})"


def save_profile(profile: Profile, path: Path | None = None) -> Path:
    """Writes a profile to `path`, or under its name among the operator's own."""
    return _save(profile, path or paths.profiles() / f"{file_name(profile.name)}.toml")


def save_scenario(scenario: Scenario, path: Path | None = None) -> Path:
    """Writes a scenario to `path`, or under its name among the operator's own."""
    name = file_name(scenario.name or "scenario")
    return _save(scenario, path or paths.profiles() / "scenarios" / f"{name}.toml")


def profiles_named(name: str) -> list[Path]:
    """The files of profiles of that name: the operator's own, then the shipped one it hides."""
    return _named(name, profile_folders())


def scenarios_named(name: str) -> list[Path]:
    """The files of scenarios of that name: the operator's own, then the shipped one it hides."""
    return _named(name, scenario_folders())


def _named(name: str, folders: list[Path]) -> list[Path]:
    found = [folder / f"{file_name(name)}.toml" for folder in folders]
    return [path for path in found if path.exists()]


def _save(noun: Profile | Scenario, path: Path) -> Path:
    table: dict[str, Any] = {"schema": SCHEMA, **as_table(noun)}
    if path.exists():  # what we do not know stays as it was
        old = read_toml(path)
        table |= foreign(old, noun)
        before = _by("id", old.get("values"))
        for value in table.get("values", []):
            value |= foreign(before.get(value["id"], {}), Value)
        written = _by("text", old.get("candidates"))
        for one in table.get("candidates", []):
            one |= foreign(written.get(one["text"], {}), HandedIn)
        if "payoffs" in table:
            table["payoffs"] |= foreign(next(_tables([old.get("payoffs")]), {}), Payoffs)
    write_whole(path, dump_toml(table))
    return path


def _by(key: str, told: Any) -> dict[str, dict[str, Any]]:
    """The tables in a list by the text that each has under `key`; without those that have none."""
    return {one[key]: one for one in _tables(told) if isinstance(one.get(key), str)}


def _tables(told: Any) -> Iterator[dict[str, Any]]:
    """The tables in a list that may be no list, of things that may be none."""
    return (one for one in told if isinstance(one, dict)) if isinstance(told, list) else iter(())


def file_named(name: str) -> Path | None:
    """The file whose path that is; none where it is a name. `BadInput`: no file can have it."""
    is_path = name.endswith(".toml") or os.sep in name or (os.altsep and os.altsep in name)
    return path_of(name) if is_path else None


def files_named(*names: str) -> tuple[Path, ...]:
    """The files among them; see `file_named`."""
    return tuple(filter(None, map(file_named, names)))


def _find(name: str, folders: list[Path], what: str) -> Path:
    if path := file_named(name):
        return path
    for folder in folders:
        files = toml_files(folder)
        for path in files:
            if path.stem == name:
                return path
        for path in files:
            with suppress(BadInput):  # it is listed by the name in it, and so found by it
                if read_toml(path).get("name") == name:
                    return path
    raise BadInput(
        f"there is no {what} named {name!r}",
        mend=f"`placet {what}s list` shows those there are; a file is named by its path.",
    )


def _all(folders: list[Path], load: Callable[[str], T], warn: Warn | None) -> dict[Path, T]:
    found: dict[Path, T] = {}
    for folder in folders:
        with _left_out(warn):
            hidden = {path.stem for path in found}
            for path in toml_files(folder):
                if path.stem not in hidden:
                    with _left_out(warn):
                        found[path] = load(str(path))
    return found


@contextmanager
def _left_out(warn: Warn | None) -> Iterator[None]:
    """Within, what cannot be read is told of and left out."""
    try:
        yield
    except BadInput as error:
        if warn:
            warn(f"left out: {error.line}")


def file_name(name: str) -> str:
    """What a file or a folder for something of that name is called, without an ending."""
    return "".join(char if char.isalnum() or char in "-_" else "-" for char in name.lower())
