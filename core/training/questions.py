"""Questions that ask what to do: people's, from the data, and our own, from the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
        BadInput: a file is missing, a line cannot be read, or it lacks a field.
    """
    norms = {row["norm"] for row in rows(data / DEVELOPMENT)}
    learnt: list[Question] = []
    kept: list[Question] = []
    for row in rows(data / ASKED):
        asked = Question(row["question"], row["answer"], dict(row.get("profile") or {}))
        (kept if row["norm"] in norms else learnt).append(asked)
    return learnt, kept


def own_questions() -> list[Question]:
    """The questions of the corpus: for measuring only, with no answers."""
    return [Question(row["question"], foundations=tuple(row["foundations"])) for row in rows(OWN)]
