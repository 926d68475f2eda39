"""The trained judge: an adapter and two heads that read an action against each value.

One forward pass over packed trees answers for many actions and values; nothing is sampled. How it
was trained and how far it can be trusted stands in its card and in `docs/judge.md`.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from core.domain.text import digest
from core.domain.values import Profile
from core.domain.verdict import Judgement, RiskRule
from core.session.events import ModelUsed
from core.stages.judge import Row
from core.watch import Progress, Watch

if TYPE_CHECKING:
    from core.models.trained import Measure, Question, TrainedJudge

Part = tuple[int, "Question"]
"""A row's place, and a window of its action with the statements it is read against."""

TREE_TOKENS = 448
"""Tokens in one tree: context, some actions, their values. Attention grows with their square."""

BATCH_TREES = 4
"""Trees in one forward pass; between two, the operator can stop."""

WINDOW, STRIDE = 224, 160
"""A longer action is read in windows of so many tokens, a new one every `STRIDE`."""

BORDER = 0.2
"""Scores this near to a half, and only they, are read again, worded and ordered otherwise."""


class HeadsJudge:
    """Scores any action against any values, in the order of milliseconds each."""

    def __init__(self, model: "TrainedJudge", used: ModelUsed) -> None:
        self.model = model
        self.used = used
        self.rule = RiskRule(**model.danger, **model.thresholds)

    def measure(self, rows: Sequence[Row], profile: Profile, watch: Watch) -> list[Judgement]:
        """See `Judge.measure`. Actions of any length fit: the worst window counts."""
        statements = tuple(value.statement for value in profile.values)
        asked = [
            (row, (part, statements))
            for row, (_, text) in enumerate(rows)
            for part in self.model.windows(text, WINDOW, STRIDE)
        ]
        found = self._read(rows, asked, watch, second=False)
        close = [
            [place for place, score in enumerate(measure.scores) if abs(score - 0.5) < BORDER]
            for measure in found
        ]
        near = [
            (row, (part, tuple(statements[place] for place in places)))
            for (row, (part, _)), places in zip(asked, close, strict=True)
            if places
        ]
        again = iter(self._read(rows, near, watch, second=True))
        turned = [
            {
                place
                for place, score in zip(places, next(again).scores, strict=True)
                if (score < 0.5) != (measure.scores[place] < 0.5)
            }
            if places
            else set()
            for places, measure in zip(close, found, strict=True)
        ]
        judgements = []
        for row, (scenario, text) in enumerate(rows):
            mine = [
                (measure, places)
                for (owner, _), measure, places in zip(asked, found, turned, strict=True)
                if owner == row
            ]
            ids = [value.id for value in profile.values]
            scores = [min(first.scores[place] for first, _ in mine) for place in range(len(ids))]
            breaks = [max(first.breaks[place] for first, _ in mine) for place in range(len(ids))]
            judgements.append(
                Judgement(
                    text=digest(text),
                    profile=profile.digest,
                    scenario=scenario.digest,
                    judge=self.used.name,
                    scores=dict(zip(ids, scores, strict=True)),
                    harm=max(first.harm for first, _ in mine),
                    breaks=dict(zip(ids, breaks, strict=True)),
                    rule=self.rule,
                    unstable=tuple(
                        name
                        for place, name in enumerate(ids)
                        if any(place in places for _, places in mine)
                    ),
                    raw="\n".join(_raw(ids, first) for first, _ in mine),
                )
            )
        return judgements

    def _read(
        self,
        rows: Sequence[Row],
        asked: "Sequence[Part]",
        watch: Watch,
        *,
        second: bool,
    ) -> "list[Measure]":
        """A measure for each part of an action, in order."""
        found: list[Measure] = []
        trees = list(self._trees(rows, asked))
        began, read = time.monotonic(), 0
        for start in range(0, len(trees), BATCH_TREES):
            watch.check()
            batch = trees[start : start + BATCH_TREES]
            found += [
                measure
                for tree in self.model.measure(batch, watch, second=second)
                for measure in tree
            ]
            read += sum(self.model.tokens(*tree) for tree in batch)
            rate = read / max(time.monotonic() - began, 1e-6)
            left = (len(trees) - start - len(batch)) * read / (start + len(batch)) / rate
            watch.say(
                Progress(
                    stage="read",
                    done=len(found),
                    total=len(asked),
                    tokens_done=read,
                    tokens_per_s=rate,
                    seconds_left=left,
                )
            )
        return found

    def _trees(
        self, rows: Sequence[Row], asked: "Sequence[Part]"
    ) -> "Iterator[tuple[str, list[Question]]]":
        """A context with as many of its neighbouring actions as fit into a tree, in order."""
        for context, group in groupby(asked, key=lambda one: rows[one[0]][0].context):
            questions: list[Question] = []
            for _, question in group:
                if questions and self.model.tokens(context, [*questions, question]) > TREE_TOKENS:
                    yield context, questions
                    questions = []
                questions.append(question)
            yield context, questions


def _raw(ids: Sequence[str], measure: "Measure") -> str:
    lines = [f"P(harm) = {measure.harm:.4f}"]
    lines += [
        f"{name}: score {score:.4f}, P(breaks) {breaks:.4f}"
        for name, score, breaks in zip(ids, measure.scores, measure.breaks, strict=True)
    ]
    return "\n".join(lines)
