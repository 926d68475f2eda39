"""Candidates that another program left in a file."""

import json
from pathlib import Path
from typing import Any

from core.domain.scenario import HandedIn
from core.errors import BadInput
from core.files import convert, parse_toml, read_text

MOST = 5_000
"""Candidates that are taken in from one file."""


def read_candidates(path: Path) -> tuple[HandedIn, ...]:
    """The candidates in a TOML, JSON or JSON-lines file; `BadInput` names file and place.

    TOML: `[[candidates]]` with `text` and, if known, `source`. JSON: a list, or an object with
    `candidates`. Each item is such an object, or just the text.
    """
    text = read_text(path, largest=16_000_000).removeprefix("\ufeff")  # which some editors write
    where, ending = str(path), path.suffix.lower()
    if ending == ".toml":
        items = parse_toml(text, where).get("candidates", [])
    elif ending in (".jsonl", ".ndjson"):
        items = [
            _json(line, f"{where}: line {number}")
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        ]
    else:
        items = _json(text, where)
        if isinstance(items, dict):
            items = items.get("candidates", [])
    if not isinstance(items, list) or not items:
        raise BadInput(
            "there are no candidates in it",
            where=where,
            mend="TOML: [[candidates]] with `text`. JSON: a list. JSONL: an object a line.",
        )
    if len(items) > MOST:
        raise BadInput(f"{len(items):,} candidates; at most {MOST:,} are taken in", where=where)
    return tuple(_one(item, f"{where}: candidate {n}") for n, item in enumerate(items, start=1))


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"this is not JSON: {error}", where=where) from None


def _one(item: Any, where: str) -> HandedIn:
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise BadInput("it has no `text`", where=where)
    return convert({key: item[key] for key in ("text", "source") if key in item}, HandedIn, where)
