"""What the judge is compared with: word lists, n-grams, the model asked in words.

A rival gives each question a number, higher where it takes the value to be kept. It is measured
on the same rows as the judge, at the threshold that suits it best on these rows: that flatters it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn

from core.domain.scenario import Scenario
from core.domain.text import words
from core.domain.values import Profile, Value
from core.models.base import TextModel
from core.stages import prompts
from core.training.data import Case, Label
from core.training.measure import Floats
from core.watch import SILENT, Watch

ALARMING = frozenset(
    words(
        """abuse bribe cheat conceal cruel cut deceive delete deny destroy discriminate dump evict
        exploit fake force forge fraud harm hide humiliate hurt ignore illegal insult kill leak lie
        manipulate mislead mock poison pressure punish refuse scare secretly sell spy steal threaten
        trick violate weapon without"""
    )
)
"""Words that a filter by words would look for."""


@dataclass(frozen=True, slots=True)
class Question:
    """One value put to one action, as a rival sees it."""

    context: str
    action: str
    value: str
    label: Label


@dataclass(frozen=True, slots=True)
class Rival:
    """Something else that tells keeping from breaking."""

    name: str
    score: Callable[[Sequence[Question]], Floats]
    """A number a question, higher where the value is kept."""
    most: int = 1_000_000
    """Rows it is measured on at most, the first of them: for what is slow."""


def questions(cases: Iterable[Case]) -> list[Question]:
    """Every question of every case, in the order in which the judge answers them."""
    return [
        Question(case.context, act.text, asked.value, asked.label)
        for case in cases
        for act in case.acts
        for asked in act.questions
    ]


def word_list() -> Rival:
    """The fewer alarming words an action has, the better."""

    def score(asked: Sequence[Question]) -> Floats:
        return np.array([-sum(w in ALARMING for w in words(one.action)) for one in asked], float)

    return Rival("word list", score)


BUCKETS = 1 << 17


def ngrams(learnt: Sequence[Question], epochs: int = 12) -> Rival:
    """Logistic regression on hashed words and word pairs of action, value and their meeting.

    What is unrelated is left out of its training.
    """
    told = [one for one in learnt if one.label is not Label.UNRELATED]
    torch.manual_seed(0)
    weights = nn.EmbeddingBag(BUCKETS, 1, mode="mean")
    nn.init.zeros_(weights.weight)
    optimiser = torch.optim.Adam(weights.parameters(), lr=0.05, weight_decay=1e-6)
    features = [_features(one) for one in told]
    kept = torch.tensor([float(one.label is Label.KEEPS) for one in told])
    for _ in range(epochs):
        order = torch.randperm(len(told)).tolist()
        for start in range(0, len(order), 512):
            rows = order[start : start + 512]
            logits = _logits(weights, [features[i] for i in rows])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, kept[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    @torch.inference_mode()
    def score(asked: Sequence[Question]) -> Floats:
        return np.asarray(_logits(weights, [_features(one) for one in asked]), dtype=float)

    return Rival("n-grams", score)


def prompted(model: TextModel, watch: Watch = SILENT) -> Rival:
    """The probability of "yes" when the model is asked in words, as `PromptedJudge` does."""

    def score(asked: Sequence[Question]) -> Floats:
        requests = [
            prompts.respect(
                Scenario(goal="Do the work at hand.", context=one.context),
                Profile(name="asked", values=(Value(id="asked", statement=one.value),)),
                one.action,
                one.value,
            )
            for one in asked
        ]
        return np.array([yes for yes, _ in model.choose(requests, prompts.YES_NO, watch)])

    return Rival(f"{model.name}, asked in words", score)


def _logits(weights: nn.EmbeddingBag, rows: Sequence[Sequence[int]]) -> Tensor:
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    flat = torch.tensor([place for row in rows for place in row])
    logits: Tensor = 10.0 * weights(flat, torch.tensor(starts))[:, 0]
    return logits


def _features(one: Question) -> list[int]:
    action, value = words(one.action), words(one.value)
    found = [f"a {w}" for w in action] + [f"v {w}" for w in value]
    found += [f"a {a} {b}" for a, b in pairwise(action)]
    found += [f"v {a} {b}" for a, b in pairwise(value)]
    found += [f"x {v} {a}" for v in set(value) for a in set(action)]
    return [crc32(name.encode()) % BUCKETS for name in found] or [0]
