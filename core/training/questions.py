"""Questions that ask what to do: people's, from the data, and our own, from the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.training.data import rows

ASKED = "question_profile_answer.jsonl"
DEVELOPMENT = "moral_stories.dev.jsonl"
OWN = Path(__file__).parent / "corpus" / "questions.jsonl"


@dataclass(frozen=True, slots=True)
class Question:
    """A situation in which somebody asks what to do."""

    text: str
    answer: str = ""
    """What a person answered; empty where nobody did."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """What that answer speaks for: weights by foundation; empty where nobody said."""
    foundations: tuple[str, ...] = ()
    """What is at stake, where the question was written for it."""


def read_questions(data: Path) -> tuple[list[Question], list[Question]]:
    """The questions to learn from, and those held out: the ones of Moral Stories' development set.

    Raises:
        BadInput: a file is missing or a line cannot be read.
    """
    norms = {_field(row, "norm", data / DEVELOPMENT) for row in rows(data / DEVELOPMENT)}
    learnt: list[Question] = []
    kept: list[Question] = []
    for row in rows(data / ASKED):
        text, answer, norm = (
            _field(row, name, data / ASKED) for name in ("question", "answer", "norm")
        )
        profile = row.get("profile") or {}
        (kept if norm in norms else learnt).append(Question(text, answer, dict(profile)))
    return learnt, kept


def own_questions() -> list[Question]:
    """The questions of the corpus: for measuring only, with no answers."""
    return [Question(row["question"], foundations=tuple(row["foundations"])) for row in rows(OWN)]


def _field(row: Mapping[str, Any], name: str, path: Path) -> str:
    found = row.get(name)
    if not isinstance(found, str):
        raise BadInput("a row has no text there", where=f"{path}: {name}")
    return found
