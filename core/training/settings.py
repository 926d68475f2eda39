"""The settings of a training, read from a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from core.errors import BadInput
from core.files import dump_toml, field_of, parse_toml, read_text

Settings = TypeVar("Settings")

Count = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Part = Annotated[float, msgspec.Meta(gt=0, lt=1)]
"""A share that leaves something on both sides."""


def load_settings(kind: type[Settings], path: Path) -> Settings:
    """The settings of `kind`, a dataclass, in a TOML file; what is not named keeps its default.

    Raises:
        BadInput: the file cannot be read, or a field does not exist or cannot have its value; file
            and field are named.
    """
    told = parse_toml(read_text(path), str(path))
    try:
        found = msgspec.convert(_over(msgspec.to_builtins(kind()), told), kind)
    except msgspec.ValidationError as error:
        problem, field = field_of(error)
        raise BadInput(problem, where=f"{path}: {field}".rstrip(": ")) from None
    for name in _strange(told, msgspec.to_builtins(found)):
        raise BadInput("there is no such setting", where=f"{path}: {name.replace('.[', '[')}")
    return found


def same_settings(path: Path, settings: dict[str, Any], free: Collection[str] = ()) -> None:
    """Sees that a run goes on with the settings in the file, those `free` to change aside.

    Raises:
        BadInput: one is another; file and field are named.
    """
    tables = parse_toml(read_text(path), str(path)), parse_toml(dump_toml(settings), "")
    before, now = ({name: t[name] for name in t if name not in free} for t in tables)
    for name, then, one in _changed(before, now):
        raise BadInput(
            f"the run was begun with {then}, not {one}",
            where=f"{path}: {name.removeprefix('.')}",
            mend="Resume it with its own settings and files, or begin another folder.",
        )


def _changed(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What is another, by its dotted name, as it was and as it is; None where there is nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        for inner in sorted({*before, *now}):
            yield from _changed(before.get(inner), now.get(inner), f"{name}.{inner}")
    elif isinstance(before, list) and isinstance(now, list):
        for place, pair in enumerate(zip_longest(before, now)):
            yield from _changed(*pair, f"{name}[{place}]")
    elif before != now:
        yield name, before, now


def _over(usual: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with what a file says in their place, table by table."""
    return {
        **usual,
        **{
            name: _over(usual[name], value)
            if isinstance(value, dict) and isinstance(usual.get(name), dict)
            else value
            for name, value in told.items()
        },
    }


def _strange(told: Any, found: Any) -> Iterator[str]:
    """Names in a file, dotted, that no setting has."""
    if isinstance(told, dict) and isinstance(found, dict):
        for name, value in told.items():
            if name not in found:
                yield name
            else:
                yield from (f"{name}.{inner}" for inner in _strange(value, found[name]))
    elif isinstance(told, list) and isinstance(found, tuple):
        for place, pair in enumerate(zip(told, found, strict=True)):
            yield from (f"[{place}].{inner}" for inner in _strange(*pair))
