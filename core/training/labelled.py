"""Labelled rows that somebody brings to measure the judge by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from core.domain.values import LONGEST_STATEMENT
from core.errors import BadInput
from core.files import read_text
from core.training.data import (
    Act,
    Case,
    Harm,
    Label,
    Question,
    Record,
    Split,
    corpus_case,
    evenly,
    read_situations,
    split_situations,
    text_of,
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
    line's number stands in for it. Null or "" says no more than a field left out. Lines about one
    action, of one group and context, make one case. `limit` bounds situations, or lines.

    Raises `BadInput` naming the line.
    """
    if path.suffix == ".toml":
        found = read_situations(path)[:limit]
        named = [(one.id, one.domain, corpus_case(one)) for one in found]
    else:
        named = _gathered(path, limit)
    if not named:
        raise BadInput("there are no rows in it", where=str(path))
    return named


def held_out(corpus: Path, limit: int | None = None) -> list[Named]:
    """The third of the corpus that is never trained on; of it `limit` situations, evenly spread."""
    kept = evenly(split_situations(corpus, Split.HELD_OUT), limit)
    return [(one.id, one.domain, corpus_case(one)) for one in kept]


def _gathered(path: Path, limit: int | None) -> list[Named]:
    """A case for each action that the lines are about, in the order in which they first come."""
    found: dict[tuple[str, str, str], Named] = {}
    lines = enumerate(read_text(path, largest=LARGEST).split("\n"), start=1)
    for number, line in islice(((n, line) for n, line in lines if line.strip()), limit):
        where = f"{path}, line {number}"
        try:
            for one in _cases(Record(json.loads(line), where), f"line {number}"):
                group, _, case = one
                key = group, case.context, case.acts[0].text
                found[key] = _joined(found[key], one, where) if key in found else one
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise BadInput(
                f"this is no labelled row ({type(error).__name__}: {error})", where=where
            ) from None
    return [*found.values()]


def _joined(one: Named, other: Named, where: str) -> Named:
    """A case with what another line asks of its action besides."""
    group, domain, case = one
    [act], [more] = case.acts, other[2].acts
    harm = more.harm if act.harm is None else act.harm
    for name, same in (("domain", domain == other[1]), ("harm", more.harm in (None, harm))):
        if not same:
            raise BadInput(
                f"a line above has another {name} for the same action in the same group",
                where=f"{where}: {name}",
                mend="Give both the same, or put them into different groups.",
            )
    act = replace(act, questions=act.questions + more.questions, harm=harm)
    return group, domain, replace(case, acts=(act,))


def _cases(row: Record, number: str) -> Iterator[Named]:
    """The one or two actions of a line, with its value."""
    name = next((name for name in ("group", "id") if row.get(name) not in (None, "")), "")
    if type(row.get(name)) is int:
        row[name] = str(row[name])
    group = text_of(row, name) if name else number
    domain, context = (
        "" if row.get(name) is None else text_of(row, name, empty=True)
        for name in ("domain", "context")
    )
    if "norm" in row and "moral_action" in row:
        norm = text_of(row, "norm", LONGEST_STATEMENT)
        for key, label in (("moral_action", Label.KEEPS), ("immoral_action", Label.BREAKS)):
            act = Act(text_of(row, key), (Question(norm, label, "norm"),))
            yield group, domain, Case(context, (act,))
        return
    told = row["label"]
    label = _LABELS[told.lower() if isinstance(told, str) else told]
    harm = row.get("harm")
    level = None
    if harm is not None:
        level = float(Harm(harm) is not Harm.NONE) if isinstance(harm, str) else float(harm)
        if not 0.0 <= level <= 1.0:
            raise BadInput("it is no number from 0 to 1", where=f"{row.where}: harm")
    question = Question(text_of(row, "value", LONGEST_STATEMENT), label, "labelled")
    yield group, domain, Case(context, (Act(text_of(row, "action"), (question,), level),))
