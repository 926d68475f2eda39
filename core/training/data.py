"""Rows of people's judgements, read from disk and turned into cases that a judge is trained on.

A case is a context with actions, and for each action the statements it was judged by. Nothing of
the data sets is kept in the project; `corpus/` holds texts of our own. `people.py` makes cases of
the data sets, this file of the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from core.domain.scenario import LONGEST_TEXT
from core.domain.text import storable
from core.domain.values import LONGEST_STATEMENT
from core.errors import BadInput
from core.files import parse_toml, read_text
from core.models.readout import Order
from core.training import norms

T = TypeVar("T")


class Label(Enum):
    """What an action does to a value; the number is the place in the head's logits."""

    KEEPS = 0
    UNRELATED = 1
    BREAKS = 2

    @property
    def turned(self) -> Label:
        """The label under the opposite value."""
        return Label(2 - self.value)


NEVER = "bare-", "ledger-", "outside-"
"""How the identities begin of the situations that show how the judge does on new work; those of
`outside` were written without sight of any other."""


class Split(Enum):
    """What a situation is used for."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    HELD_OUT = "held-out"
    NEVER = "never"
    """Of kinds that are neither trained nor calibrated on, nor counted among the held-out."""


class Harm(Enum):
    """What an action would do to people, rights, security or trust."""

    NONE = "none"
    SOME = "some"
    SERIOUS = "serious"


@dataclass(frozen=True, slots=True)
class Question:
    """One statement of value put to one action."""

    value: str
    label: Label
    kind: str
    """Its origin: norm, turned, permissive, unrelated, foundation, rule, corpus or labelled; where
    a judge is measured also edited, reworded, or a foundation's name."""


@dataclass(frozen=True, slots=True)
class Act:
    """An action with the questions put about it."""

    text: str
    questions: tuple[Question, ...]
    harm: float | None = None
    """How likely the action does harm, 0 to 1; None where nobody said."""
    harm_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged in one go: a tree of one context, its actions and their questions."""

    context: str
    acts: tuple[Act, ...]
    order: Order = Order.CONTEXT_FIRST
    label: str = "Value"


@dataclass(frozen=True, slots=True)
class Story:
    """A row of Moral Stories (Emelin et al. 2021)."""

    id: str
    norm: str
    moral: str
    immoral: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """An action of the corpus with what it does to every value of its situation."""

    text: str
    labels: dict[str, Label]
    harm: Harm


@dataclass(frozen=True, slots=True)
class Situation:
    """A situation of the corpus."""

    id: str
    domain: str
    context: str
    values: dict[str, str]
    actions: tuple[Proposal, ...]

    @property
    def split(self) -> Split:
        """Where it belongs, by its identity alone."""
        return split_of(self.id)


def split_of(identity: str) -> Split:
    """A third, by hash, is never trained on; a sixth of the rest calibrates.

    Situations that differ after a slash alone share their actions, and stay together.
    """
    story = identity.partition("/")[0]
    if story.startswith(NEVER):
        return Split.NEVER
    number = _hashed(f"placet judge {story}")
    if number % 3 == 0:
        return Split.HELD_OUT
    return Split.CALIBRATION if number // 3 % 6 == 0 else Split.TRAIN


def evenly(found: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of them, in their order, as far apart as can be."""
    count = min(limit or len(found), len(found))
    return [found[place * len(found) // count] for place in range(count)]


def hashed_share(text: str) -> float:
    """Where a text falls between 0 and 1, by its hash alone, evenly."""
    return _hashed(text) / 2**32


def _hashed(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big")


class Record(dict[str, Any]):
    """An object of a file, which knows where it stands."""

    def __init__(self, told: Any, where: str) -> None:
        """`TypeError` where it is none."""
        if not isinstance(told, dict):
            raise TypeError(f"it is of the kind {type(told).__name__}")
        super().__init__(told)
        self.where = where

    def __missing__(self, name: str) -> Any:
        raise BadInput("the row does not say it", where=f"{self.where}: {name}")


def text_of(row: Record, name: str, most: int = LONGEST_TEXT, *, empty: bool = False) -> str:
    """The text in a field, of `most` characters at most; it may be `empty` where that is said.

    Raises `BadInput` where it is none that can be judged; file, row and field are named.
    """
    text, where = row[name], f"{row.where}: {name}"
    if not isinstance(text, str):
        raise BadInput("this is not a text in quotes", where=where)
    if not text.strip() and not empty:
        raise BadInput("it is empty", where=where)
    if storable(text) != text:
        raise BadInput("this is not UTF-8 text", where=where)
    if len(text) > most:
        raise BadInput(f"it is longer than {most} characters", where=where, mend="Shorten it.")
    return text


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file.

    Raises:
        BadInput: the file cannot be read, a line is no object, or, once it is asked for, a row
            lacks a field; file, line and field are named.
    """
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield Record(json.loads(line), f"{path}, line {number}")
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})",
            where=str(path),
            mend="Check the name; the folder with the data sets is named by --data.",
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(
            f"this is no JSON object ({error})", where=f"{path}, line {number}"
        ) from None


def read_stories(path: Path) -> list[Story]:
    """A file of Moral Stories."""
    return [
        Story(row["id"], row["norm"], row["moral_action"], row["immoral_action"])
        for row in rows(path)
    ]


def training_stories(data: Path) -> tuple[list[Story], list[Story]]:
    """Moral Stories' training rows: those to train on, and one in 25, by hash, to calibrate on."""
    train: list[Story] = []
    calibration: list[Story] = []
    for story in read_stories(data / "moral_stories.train.jsonl"):
        (train if sha256(story.id.encode()).digest()[0] % 25 else calibration).append(story)
    return train, calibration


def corpus_files(folder: Path, names: tuple[str, ...] = ()) -> list[Path]:
    """The files of a corpus in their order: of each name NAME.toml and NAME-*.toml, or all."""
    starts = tuple(f"{name}-" for name in names)
    found = sorted(folder.glob("*.toml"))
    return [path for path in found if not names or f"{path.stem}-".startswith(starts)]


def read_corpus(folder: Path, names: tuple[str, ...] = ()) -> list[Situation]:
    """All situations in the `corpus_files` of those names, in the order of their files.

    Raises:
        ValueError: an identity stands twice.
        BadInput: as of `read_situations`.
    """
    found: dict[str, Situation] = {}
    for path in corpus_files(folder, names):
        for situation in read_situations(path):
            if situation.id in found:
                raise ValueError(f"{path.name}: {situation.id} stands twice")
            found[situation.id] = situation
    return list(found.values())


def split_situations(corpus: Path, split: Split, names: tuple[str, ...] = ()) -> list[Situation]:
    """The situations of one split; files, order and errors as of `read_corpus`."""
    return [one for one in read_corpus(corpus, names) if one.split is split]


def read_situations(path: Path) -> list[Situation]:
    """The situations in one file.

    Raises:
        BadInput: it cannot be read, a text cannot be judged, or an action leaves a value without a
            label; file, situation and field are named.
    """
    told = parse_toml(read_text(path, largest=None), str(path)).get("situations")
    if not isinstance(told, list):
        raise BadInput(
            "there are none in it",
            where=f"{path}: situations",
            mend="Begin each of them with `[[situations]]`, in two brackets.",
        )
    return [_situation(one, path, number) for number, one in enumerate(told)]


def _situation(told: Any, path: Path, number: int) -> Situation:
    where = f"{path}: situations[{number}]"
    try:
        where = f"{path}: {text_of(Record(told, where), 'id')}"
        table = Record(told, where)
        values = Record(table["values"], f"{where}: values")
        actions = [
            Record(one, f"{where}: actions[{place}]") for place, one in enumerate(table["actions"])
        ]
        for name, some in (("values", values), ("actions", actions)):
            if not some:
                raise BadInput("there are none", where=f"{where}: {name}")
        for one in actions:
            if one["labels"].keys() != values.keys():
                raise BadInput("labels and values differ", where=f"{one.where}: labels")
        return Situation(
            table["id"],
            text_of(table, "domain", empty=True),
            text_of(table, "context", empty=True),
            {key: text_of(values, key, LONGEST_STATEMENT) for key in values},
            tuple(
                Proposal(
                    text_of(one, "text"),
                    {key: Label[label.upper()] for key, label in one["labels"].items()},
                    Harm(one["harm"]),
                )
                for one in actions
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"this is no situation ({type(error).__name__}: {error})", where=where
        ) from None


def corpus_case(situation: Situation) -> Case:
    """A situation as it stands, every action under all its values."""
    return Case(
        situation.context,
        tuple(
            Act(
                action.text,
                tuple(
                    Question(situation.values[key], label, "corpus")
                    for key, label in action.labels.items()
                ),
                0.0 if action.harm is Harm.NONE else 1.0,
            )
            for action in situation.actions
        ),
    )


def corpus_cases(situations: Sequence[Situation], rng: Random) -> list[Case]:
    """One round through the corpus, each time worded and arranged a little differently.

    Rules that can surely be turned round also appear as their opposite; a value of another domain
    stands in as unrelated; now and then the context is left out, or comes after the action. Two
    actions make a case: longer rows cost more in attention than the repeated context.
    """
    cases: list[Case] = []
    for situation in situations:
        rewritten: dict[str, str] = {}
        added: dict[str, tuple[str, bool]] = {}
        for value in situation.values.values():
            rewritten[value] = _respelt(value, rng)
            if rng.random() < 0.6 and (turned := norms.turn_rule(value, rng)) is not None:
                added[value] = (_respelt(turned, rng), True)
        foreign = None
        other = rng.choice(situations)
        if other.domain != situation.domain and rng.random() < 0.5:
            foreign = Question(
                _respelt(rng.choice(list(other.values.values())), rng), Label.UNRELATED, "unrelated"
            )
        acts = []
        plain = corpus_case(situation)
        for act in plain.acts:
            questions = [replace(q, value=rewritten[q.value]) for q in act.questions]
            questions += [
                Question(added[q.value][0], q.label.turned, "turned")
                for q in act.questions
                if q.value in added
            ]
            acts.append(
                replace(act, questions=(*questions, foreign) if foreign else tuple(questions))
            )
        order = Order.ACTION_FIRST if rng.random() < 0.12 else Order.CONTEXT_FIRST
        context = "" if rng.random() < 0.1 else situation.context
        label = "Rule" if rng.random() < 0.25 else "Value"
        rng.shuffle(acts)
        cases += [
            Case(context, tuple(acts[i : i + 2]), order, label) for i in range(0, len(acts), 2)
        ]
    return cases


def _respelt(value: str, rng: Random) -> str:
    chance = rng.random()
    if chance < 0.1:
        return value.rstrip(".")
    if chance < 0.2:
        return value[:1].lower() + value[1:].rstrip(".")
    return value
