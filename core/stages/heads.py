"""The trained judge: an adapter and two heads that read an action against each value.

One forward pass over packed trees answers for some actions and all values; nothing is sampled. How
it was trained and how far it can be trusted stands in its card and in `docs/judge.md`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from math import ceil, isfinite, nan
from typing import TYPE_CHECKING

import msgspec

from core.domain.text import digest
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement
from core.session.events import ModelUsed
from core.stages.judge import Row
from core.watch import Progress, Watch

if TYPE_CHECKING:
    from core.models.trained import Measure, Question, TrainedJudge, Tree

FIRST_TOKENS = 256
"""Tokens of actions and values that are read before the first verdicts: an action or two."""

BATCH_TOKENS = 4096
"""Tokens of each batch after the first: large ones are read a quarter faster."""

TREE_TOKENS = 256
"""Tokens in one tree, without its context. Attention grows with their square."""

WINDOW, STRIDE = 224, 160
"""A longer action is read in windows of so many tokens, a new one every `STRIDE`."""

BORDER = 0.15
"""Scores this near to a half, and only they, are read again, worded and ordered otherwise."""


class HeadsJudge:
    """Scores any action against any values, in the order of milliseconds each."""

    def __init__(self, model: "TrainedJudge", used: ModelUsed) -> None:
        self.model = model
        self.used = used
        self.rule = model.rule

    def measure(
        self, rows: Sequence[Row], profile: Profile, watch: Watch, *, doubt: bool = True
    ) -> Iterator[Judgement]:
        """See `Judge.measure`. Actions of any length fit: the worst window counts."""
        statements = [value.statement for value in profile.values]
        sizes = [self.model.tokens(text, statements) for _, text in rows]
        tally = _Tally(watch, sizes)
        for some in _batches(rows, sizes):
            measured = self._read(some, [profile.values] * len(some), tally, second=False)
            found = [
                self._judgement(row, profile, measures)
                for row, measures in zip(some, measured, strict=True)
            ]
            yield from self._doubted(some, found, profile, tally) if doubt else found
            tally.finish(len(some))

    def doubt(
        self, rows: Sequence[Row], judgements: Sequence[Judgement], profile: Profile, watch: Watch
    ) -> list[Judgement]:
        """See `Judge.doubt`."""
        tally = _Tally(watch, [1] * len(rows))
        found = self._doubted(rows, judgements, profile, tally)
        tally.finish(len(rows))
        return found

    def _judgement(self, row: Row, profile: Profile, measures: "Sequence[Measure]") -> Judgement:
        scenario, text = row
        ids = [value.id for value in profile.values]
        scores = _worst(min, (measure.scores for measure in measures))
        breaks = _worst(max, (measure.breaks for measure in measures))
        [harm] = _worst(max, ([measure.harm] for measure in measures))
        return Judgement(
            text=digest(text),
            profile=profile.digest,
            scenario=scenario.digest,
            judge=self.used.name,
            scores=dict(zip(ids, scores, strict=True)),
            harm=harm,
            breaks=dict(zip(ids, breaks, strict=True)),
            rule=self.rule,
            raw="\n".join(_raw(ids, measure) for measure in measures),
        )

    def _doubted(
        self,
        rows: Sequence[Row],
        judgements: Sequence[Judgement],
        profile: Profile,
        tally: "_Tally",
    ) -> list[Judgement]:
        """The judgements, those with close calls after a second reading of these."""
        close = {
            place: values
            for place, judgement in enumerate(judgements)
            if (values := [one for one in profile.values if _is_close(judgement.scores[one.id])])
        }
        again = self._read([rows[place] for place in close], [*close.values()], tally, second=True)
        found = list(judgements)
        for (place, values), measures in zip(close.items(), again, strict=True):
            scores = _worst(min, (measure.scores for measure in measures))
            turned = tuple(
                value.id
                for value, score in zip(values, scores, strict=True)
                if not isfinite(score) or (score < 0.5) != (found[place].scores[value.id] < 0.5)
            )
            found[place] = msgspec.structs.replace(found[place], unstable=turned)
        return found

    def _read(
        self,
        rows: Sequence[Row],
        values: Sequence[Sequence[Value]],
        tally: "_Tally",
        *,
        second: bool,
    ) -> "list[list[Measure]]":
        """For each row, a measure of each window of its action under the row's values."""
        parts: list[tuple[str, Question]] = []
        counts: list[list[int]] = []
        for (scenario, text), asked in zip(rows, values, strict=True):
            statements = tuple(value.statement for value in asked)
            counts.append([])
            for window in self.model.windows(text, WINDOW, STRIDE):
                pieces = self._pieces(window, statements)
                parts += [(scenario.context, (window, piece)) for piece in pieces]
                counts[-1].append(len(pieces))
        tally.watch.check()
        trees = list(self._trees(parts, second=second))
        read = self.model.measure(trees, tally.watch, second=second) if trees else []
        tally.count(sum(self.model.tokens(*question) for _, question in parts))
        measures = iter([measure for tree in read for measure in tree])
        return [[_joined(list(islice(measures, count))) for count in row] for row in counts]

    def _pieces(self, action: str, statements: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The statements in pieces of like number, of at most about `TREE_TOKENS` each.

        So what is read grows with the values as their number does, and not as its square.
        """
        below = self.model.tokens(action, statements) - self.model.tokens(action, ())
        count = max(1, ceil(below / TREE_TOKENS))
        size = max(1, ceil(len(statements) / count))
        starts = range(0, max(1, len(statements)), size)
        return [statements[start : start + size] for start in starts]

    def _trees(self, parts: "Sequence[tuple[str, Question]]", *, second: bool) -> "Iterator[Tree]":
        """A context with as many of its neighbouring actions as fit into a tree, in order.

        In a second reading the context stands below each of them, and counts as often.
        """
        for context, group in groupby(parts, key=lambda part: part[0]):
            questions: list[Question] = []
            tokens = 0
            for _, question in group:
                more = self.model.tokens(*question)
                more += self.model.tokens(context, ()) if second else 0
                if questions and tokens + more > TREE_TOKENS:
                    yield context, questions
                    questions, tokens = [], 0
                questions.append(question)
                tokens += more
            yield context, questions


def _batches(rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[Sequence[Row]]:
    """Neighbours that are read together; few at first, so that a verdict comes early."""
    start, tokens, bound = 0, 0, FIRST_TOKENS
    for place, more in enumerate(sizes):
        if place > start and tokens + more > bound:
            yield rows[start:place]
            start, tokens, bound = place, 0, BATCH_TOKENS
        tokens += more
    if rows:
        yield rows[start:]


class _Tally:
    """How many rows and tokens were read, and how fast, told as it changes."""

    def __init__(self, watch: Watch, sizes: Sequence[int]) -> None:
        self.watch = watch
        self._sizes = sizes
        """What each row takes, in a unit of its own: rows are of very different lengths."""
        self._all = sum(sizes)
        self._share = 0
        """What the rows that are done took, of `_all`."""
        self._began = time.monotonic()
        self._done = 0
        self._tokens = 0

    def count(self, tokens: int) -> None:
        """So many tokens more were read."""
        self._tokens += tokens
        self._say()

    def finish(self, rows: int) -> None:
        """So many rows more are done."""
        self._share += sum(self._sizes[self._done : self._done + rows])
        self._done += rows
        self._say()

    def _say(self) -> None:
        seconds = max(time.monotonic() - self._began, 1e-6)
        left = self._all - self._share
        self.watch.say(
            Progress(
                stage="read",
                done=self._done,
                total=len(self._sizes),
                tokens_done=self._tokens,
                tokens_per_s=self._tokens / seconds,
                seconds_left=left * seconds / self._share if self._share else 0.0,
            )
        )


def _joined(pieces: "Sequence[Measure]") -> "Measure":
    """The measure of an action whose values were read in pieces; harm is the same in each."""
    return msgspec.structs.replace(
        pieces[0],
        scores=[score for piece in pieces for score in piece.scores],
        breaks=[chance for piece in pieces for chance in piece.breaks],
    )


def _worst(
    pick: Callable[[Iterable[float]], float], windows: Iterable[Sequence[float]]
) -> list[float]:
    """Of each number its worst window; NaN where one gave none, so that there is no verdict."""
    return [
        pick(column) if all(map(isfinite, column)) else nan for column in zip(*windows, strict=True)
    ]


def _is_close(score: float) -> bool:
    return abs(score - 0.5) < BORDER


def _raw(ids: Sequence[str], measure: "Measure") -> str:
    lines = [f"P(harm) = {measure.harm:.4f}"]
    lines += [
        f"{name}: score {score:.4f}, P(breaks) {breaks:.4f}"
        for name, score, breaks in zip(ids, measure.scores, measure.breaks, strict=True)
    ]
    return "\n".join(lines)
