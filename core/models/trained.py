"""The trained judge, ready to be asked: texts in, probabilities out."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from msgspec import Struct

from core.domain.verdict import RiskRule
from core.models.causal import too_long
from core.models.interrupt import interruptible
from core.models.judge_model import JudgeModel
from core.models.readout import Order, action_segment, ask, context_segment, value_segment
from core.watch import Watch

Question = tuple[str, tuple[str, ...]]
"""An action, and the statements of the values it is read against."""

Tree = tuple[str, list[Question]]
"""A context and some actions in it."""


class Measure(Struct, frozen=True):
    """What was read of one action."""

    scores: list[float]
    """For each value asked about, the probability that the action respects it."""
    breaks: list[float]
    """For each value asked about, the probability that the action goes against it."""
    harm: float
    """The probability that the action does harm, whatever the values."""


class TrainedJudge:
    """Contexts, actions and statements of values → measures."""

    def __init__(self, model: JudgeModel) -> None:
        """`KeyError` where the judge's card lacks what calibration writes."""
        self.model = model
        self.rule = RiskRule.of_card(model.card)
        self._length = lru_cache(maxsize=4096)(lambda text: len(model.tokenize(text)))

    def windows(self, text: str, window: int, stride: int) -> list[str]:
        """See `windows`."""
        return windows(self._length, text, window, stride)

    def tokens(self, action: str, statements: Sequence[str]) -> int:
        """Tokens of an action and of the values below it, without the context above."""
        return self._length(action_segment(action)) + sum(
            self._length(value_segment(statement)) for statement in statements
        )

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        """Measures by tree and action; `second` words and orders the same question otherwise.

        A context that all trees share is read once and kept, but for `second`, where it stands
        below the actions.

        Raises `Cancelled` between two layers, and `BadInput` where a context with an action and a
        statement does not fit into the model's positions.
        """
        self._check(trees)
        calibration = self.model.calibration
        contexts = {context.strip() for context, _ in trees}
        shared = contexts.pop() if len(contexts) == 1 and not second else ""
        above = context_segment(shared) if shared else ""
        asked = [
            ask(
                self.model.tokenize,
                "" if shared else context,
                [action for action, _ in questions],
                [statements for _, statements in questions],
                Order.ACTION_FIRST if second else Order.CONTEXT_FIRST,
                "Rule" if second else "Value",
            )
            for context, questions in trees
        ]
        with interruptible(self.model.trunk, watch):
            readings = self.model.read(asked, above=above)
        found = []
        for (_, questions), reading in zip(trees, readings, strict=True):
            counts = [len(statements) for _, statements in questions]
            scores = torch.split(calibration.score(reading.respect), counts)
            breaks = torch.split(calibration.respect(reading.respect)[:, 2], counts)
            harm = calibration.harm(reading.harm).tolist()
            found.append(
                [
                    Measure(of_action.tolist(), against.tolist(), chance)
                    for of_action, against, chance in zip(scores, breaks, harm, strict=True)
                ]
            )
        return found

    def _check(self, trees: Sequence[Tree]) -> None:
        """Sees that every way through the trees fits."""
        for context, questions in trees:
            above = self._length(context_segment(context)) if context.strip() else 0
            for action, statements in questions:
                values = (self._length(value_segment(statement)) for statement in statements)
                tokens = above + self._length(action_segment(action)) + max(values, default=0)
                if tokens > self.model.room:
                    raise too_long("the judge", tokens, self.model.room)


def windows(length: Callable[[str], int], text: str, window: int, stride: int) -> list[str]:
    """The text, or overlapping pieces of it of at most about `window` tokens."""
    if length(text) <= window:
        return [text]
    words = _WORD.findall(text)
    each = length(text) / max(1, len(words))
    size, step = max(1, int(window / each)), max(1, int(stride / each))
    starts = range(0, max(1, len(words) - size + step), step)
    pieces = [" ".join(words[start : start + size]) for start in starts]
    if size == 1:
        return pieces
    return [  # where words are longer than on an average, pieces are too
        part
        for piece in pieces
        for part in (
            [piece] if length(piece) <= 2 * window else windows(length, piece, window, stride)
        )
    ]


_WORD = re.compile(r"\S{1,64}")
"""A word, or a piece of a longer one: there are languages without spaces, and texts of one word."""
