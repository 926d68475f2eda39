"""Labelled rows that somebody brings to measure the judge by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.files import read_text
from core.training.data import (
    Act,
    Case,
    Harm,
    Label,
    Question,
    Split,
    corpus_case,
    evenly,
    read_situations,
    split_situations,
)

Named = tuple[str, str, Case]
"""Group, domain, and a case with the labels it ought to get."""

LARGEST = 1_000_000_000
"""Bytes that a file of JSON lines may have."""

_LABELS: dict[str | float, Label] = {
    "keeps": Label.KEEPS,
    "breaks": Label.BREAKS,
    "unrelated": Label.UNRELATED,
    "1": Label.KEEPS,
    "0": Label.BREAKS,
    1: Label.KEEPS,
    0: Label.BREAKS,
}


def read_labelled(path: Path, limit: int | None = None) -> list[Named]:
    """The cases in a file: TOML situations, or JSON lines in one of two shapes.

    A line is `{"value", "action", "label"}` with `context`, `group`, `domain` and `harm` if there
    are any, or `{"norm", "moral_action", "immoral_action"}`; where there is no `group`, `id` or the
    line's number stands in for it. Raises `BadInput` naming the line.
    """
    named: list[Named] = []
    lines: list[str] = []
    try:
        if path.suffix == ".toml":
            named = [(one.id, one.domain, corpus_case(one)) for one in read_situations(path)]
        else:
            lines = read_text(path, largest=LARGEST).split("\n")
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise BadInput(
            f"it cannot be read ({type(error).__name__}: {error})", where=str(path)
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            named += _cases(json.loads(line), str(number))
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise BadInput(
                f"this is no labelled row ({type(error).__name__}: {error})",
                where=f"{path}, line {number}",
            ) from None
        if limit and len(named) >= limit:
            break
    if not named:
        raise BadInput("there are no rows in it", where=str(path))
    return named[:limit]


def held_out(corpus: Path, limit: int | None = None) -> list[Named]:
    """The third of the corpus that is never trained on; of it `limit` situations, evenly spread."""
    kept = evenly(split_situations(corpus, Split.HELD_OUT), limit)
    return [(one.id, one.domain, corpus_case(one)) for one in kept]


def _cases(row: dict[str, Any], number: str) -> Iterator[Named]:
    group = str(row.get("group") or row.get("id") or number)
    domain = str(row.get("domain", ""))
    context = str(row.get("context") or "")
    if "norm" in row and "moral_action" in row:
        acts = tuple(
            Act(str(row[key]), (Question(str(row["norm"]), label, "norm"),))
            for key, label in (
                ("moral_action", Label.KEEPS),
                ("immoral_action", Label.BREAKS),
            )
        )
        yield group, domain, Case(context, acts)
        return
    told = row["label"]
    label = _LABELS[told.lower() if isinstance(told, str) else told]
    harm = row.get("harm")
    level = None
    if harm is not None:
        level = float(Harm(harm) is not Harm.NONE) if isinstance(harm, str) else float(harm)
    question = Question(str(row["value"]), label, "labelled")
    yield group, domain, Case(context, (Act(str(row["action"]), (question,), level),))
