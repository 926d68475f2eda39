"""The tutorial's own loop, in its own shape: what to measure against.

One call at a time, a review in free text, risk by substring, the rewrite taken without judging it
again. Kept as it is because it is the baseline; nothing else in Placet works like this.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.domain.scenario import Scenario
from core.domain.text import plain
from core.domain.values import Profile
from core.models.base import Draft, Prompt, Sampling
from core.watch import SILENT, Watch

PROPOSE = Sampling(temperature=0.7, top_p=0.9, max_tokens=40, one_line=False)
REVIEW = Sampling(temperature=0.0, max_tokens=128, one_line=False)
LEVELS = ("LOW", "MED", "HIGH")
UNREADABLE = 3


class Writer(Protocol):
    """A model that writes; see `TextModel.generate`."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int], watch: Watch
    ) -> list[Draft]:
        """A draft a prompt."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One candidate of the loop."""

    action: str
    review: str
    level: int
    """0 for LOW, 1 for MED, 2 for HIGH, 3 where the review names none."""
    aligned: str


@dataclass(frozen=True, slots=True)
class TutorialResult:
    """What the loop came to."""

    reviewed: tuple[Reviewed, ...]
    seconds: float

    @property
    def best(self) -> Reviewed | None:
        """The first of the lowest level; where nothing could be read, the first of all."""
        return min(self.reviewed, key=lambda item: item.level, default=None)

    @property
    def readable(self) -> int:
        """Reviews in which a level was found."""
        return sum(item.level != UNREADABLE for item in self.reviewed)

    def as_json(self) -> dict[str, Any]:
        """For other programs; a risk that could not be read is null."""
        return {
            "schema": 1,
            "candidates": [
                {
                    "text": item.action,
                    "risk": LEVELS[item.level] if item.level != UNREADABLE else None,
                    "review": item.review,
                    "aligned": item.aligned,
                }
                for item in self.reviewed
            ],
            "plan": self.best.aligned if self.best else None,
            "timings": {"total_s": round(self.seconds, 3)},
        }

    def report(self) -> str:
        """As text."""
        lines = []
        for number, item in enumerate(self.reviewed, start=1):
            level = (*LEVELS, "no readable level")[item.level]
            lines += [
                f"{number}. {plain(item.action)}",
                f"   risk: {level}",
                f"   review: {plain(item.review, one_line=True)}",
                f"   aligned: {plain(item.aligned, one_line=True)}",
            ]
        plan = plain(self.best.aligned, one_line=True) if self.best else "none"
        lines += [
            "",
            f"final plan: {plan}",
            f"{self.readable} of {len(self.reviewed)} reviews could be read; {self.seconds:.1f} s",
        ]
        return "\n".join(lines) + "\n"


def tutorial(
    model: Writer,
    scenario: Scenario,
    profile: Profile,
    *,
    candidates: int,
    seed: int,
    watch: Watch = SILENT,
) -> TutorialResult:
    """Runs the loop with one model as policy, judge and aligner."""
    began = time.monotonic()
    values = "\n".join(f"- {value.statement}" for value in profile.values)
    actions: list[str] = []
    for number in range(candidates):
        prompt = Prompt(
            "You plan the next step of an organisation.",
            f"Goal: {scenario.goal}\nContext: {scenario.context}",
            "Action:",
        )
        seeds = [seed * 1_000_003 + number]  # no two rounds share one
        written = model.generate([prompt], PROPOSE, seeds, watch)[0].text
        action = next(iter(written.strip().splitlines()), "")
        if action and action not in actions:
            actions.append(action)
    reviewed = tuple(_review(model, values, action, watch) for action in actions)
    return TutorialResult(reviewed, time.monotonic() - began)


def review_score(model: Writer, value: str, action: str, watch: Watch = SILENT) -> float:
    """What a free-text review says of an action under one value: 0 for LOW to -3 for unreadable."""
    return -float(_level(_written(model, f"- {value}", action, watch)))


def _written(model: Writer, values: str, action: str, watch: Watch) -> str:
    asked = Prompt(
        "You are an ethics reviewer.",
        f"Values:\n{values}\n\nAction: {action}\n\nReply with three fields:\n"
        "RiskLevel: LOW, MED or HIGH\nIssues: short bullets\nRecommendation: approve, modify or "
        "reject",
    )
    return model.generate([asked], REVIEW, [0], watch)[0].text


def _review(model: Writer, values: str, action: str, watch: Watch) -> Reviewed:
    review = _written(model, values, action, watch)
    rewritten = Prompt(
        "You align actions with values.",
        f"Values:\n{values}\n\nAction: {action}\n\nReview: {review}\n\nReturn the action unchanged "
        "if it is fine, otherwise rewritten so that it respects the values.",
    )
    aligned = model.generate([rewritten], REVIEW, [0], watch)[0].text or action
    return Reviewed(action, review, _level(review), aligned)


def _level(review: str) -> int:
    after = review.upper().partition("RISKLEVEL")[2]
    found = [level for level, name in enumerate(LEVELS) if name in after[:24]]
    return found[0] if len(found) == 1 else UNREADABLE
