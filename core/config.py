"""The configuration file: what the operator changed about keys, looks and defaults."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from core import paths
from core.errors import BadInput
from core.files import (
    SCHEMA,
    Warn,
    as_table,
    convert,
    dump_toml,
    foreign,
    parse_toml,
    read_text,
    read_toml,
    write_whole,
)
from core.session.events import Settings

LARGEST_SEED = 2**31 - 1
"""What a command or the configuration may begin with; the seeds of single rows are larger."""


class Defaults(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the review screen asks for where its command line names nothing else."""

    profile: str = ""
    """A value profile's name or file; empty for the one the scenario names."""
    scenario: str = ""
    """What the review screen opens with; empty for the demo scenario."""
    policy: str = ""
    """The policy model; empty for the default one."""
    judge: str = ""
    """The judge; empty for the default one."""
    candidates: Annotated[int, Meta(ge=1, le=64)] = 4
    """How many candidates one press of the key proposes."""
    rewrites: Annotated[int, Meta(ge=1, le=32)] = 4
    """How many rewrites re-aligning tries for each candidate."""
    seed: Annotated[int, Meta(ge=0, le=LARGEST_SEED)] = 0
    """Same seed, same models: same outcome."""

    @property
    def settings(self) -> Settings:
        """As a session notes them."""
        return {"candidates": self.candidates, "rewrites": self.rewrites, "seed": self.seed}


class Config(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The configuration file, all of it optional."""

    theme: str = ""
    """A theme's name, as the command palette lists them; empty for Placet's own dark one."""
    operator: str = ""
    """The name that decisions are signed with; empty for the login name."""
    blind: bool = False
    """Begin in blind mode: decide first, then see the verdict."""
    keys: dict[str, str] = {}
    """Other keys, by the name of the binding: `approve = "A"`."""
    defaults: Defaults = Defaults()


def load_config(path: Path | None = None, warn: Warn | None = None) -> Config:
    """The configuration, or the defaults without a file; `BadInput` names file and field."""
    path = path or paths.config()
    if not path.exists():
        return Config()
    return convert(read_toml(path), Config, str(path), warn)


def change_config(path: Path | None = None, **fields: Any) -> Config:
    """Writes some fields of the configuration and leaves all else in the file as it was.

    Comments go where what changes stands in other lines than `key = value`.
    """
    path = path or paths.config()
    changed = msgspec.structs.replace(load_config(path), **fields)
    before: dict[str, Any] = read_toml(path) if path.exists() else {"schema": SCHEMA}
    table = dict(before)
    told = as_table(changed)
    for name in fields:
        value, old = getattr(changed, name), table.pop(name, None)
        if name in told:
            table[name] = told[name]
        if isinstance(value, Struct) and isinstance(old, dict) and (kept := foreign(old, value)):
            table[name] = table.get(name, {}) | kept
    text = read_text(path) if path.exists() else ""
    write_whole(path, _edited(text, before, table) or dump_toml(table))
    return changed


_HEADER = re.compile(r"\s*\[\s*([\w-]+)\s*\]\s*(?:#.*)?")
_LINE = re.compile(r"""(\s*([\w-]+)\s*=\s*)(?:"[^"\\]*"|'[^']*'|[\w.+-]+)(\s*(?:#.*)?)""")


def _edited(text: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    """`text`, which says `before`, with the lines changed in which `after` differs.

    Empty where it would not say `after` then: there is more in TOML than such lines.
    """
    old, new = _flat(before), _flat(after)
    lines: list[str] = []
    table, last = "", dict[str, int]()  # after which line what is new in a table comes
    for line in text.removeprefix("\ufeff").split("\n"):
        header, found = _HEADER.fullmatch(line), _LINE.fullmatch(line)
        if header:
            table = header[1]
        if found:
            place = (table, found[2])
            if place in old and place not in new:
                continue
            if old.get(place) != new.get(place):
                line = f"{found[1]}{_line(found[2], new[place]).partition(' = ')[2]}{found[3]}"
        if header or found:
            last[table] = len(lines)
        lines.append(line)
    for table, key in new:
        if (table, key) not in old:
            if table not in last:
                last[table] = len(lines)
                lines += [f"[{table}]", ""]
            lines[last[table]] += f"\n{_line(key, new[table, key])}"
    edited = "\n".join(lines)
    with suppress(BadInput):
        if _flat(parse_toml(edited, "")) == new:
            return edited
    return ""


def _flat(table: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """What a file says, by table and key; what stands above all tables has none."""
    found: dict[tuple[str, str], Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= {(name, key): one for key, one in value.items()}
        else:
            found["", name] = value
    return found


def _line(key: str, value: Any) -> str:
    return dump_toml({key: value}).rstrip("\n")
