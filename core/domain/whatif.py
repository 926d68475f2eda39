"""What if one weight were another: the smallest change that would change the outcome."""

from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct

from core.domain.danger import logit
from core.domain.values import Profile
from core.domain.verdict import Judgement, Recommendation, Risk, assess

STEPS = 20
"""Weights are tried in steps of a twentieth, as the screen moves them."""

CONTENDERS = 12
"""How many of the best ranked are looked at as possible winners."""


class WhatIf(Struct, frozen=True, kw_only=True):
    """One weight, moved as little as possible, and what would follow."""

    value: str
    """The value's id."""
    weight: float
    """The weight it would take, 0 to 1."""
    change: float
    """How far that is from the weight now; negative for less."""
    risk: Risk | None = None
    """The candidate's risk then, where its recommendation would change."""
    recommendation: Recommendation | None = None
    """The candidate's recommendation then, where it would change."""
    winner: str = ""
    """The candidate that would come first then, where that would be another one."""


class _Line:
    """One candidate while the weight of one value moves and all others stand still.

    Says the same as `assess`, without working out again what does not move.
    """

    def __init__(self, name: str, judgement: Judgement, profile: Profile, moving: str) -> None:
        self.name = name
        self._score = judgement.scores[moving]
        self._rest = sum(
            judgement.scores[value.id] * value.weight
            for value in profile.values
            if value.id != moving
        )
        self._risk = assess(judgement, profile).risk.order
        own_answer = judgement.risk and judgement.recommendation
        self._rule = None if own_answer else judgement.rule
        if self._rule:
            still = {
                value.id: value.weight for value in profile.values if value.id in judgement.breaks
            }
            self._moves = still.pop(moving, None) is not None
            self._break = judgement.breaks.get(moving, 0.0)
            weighed = [weight * judgement.breaks[value] for value, weight in still.items()]
            self._peak, self._sum = max(weighed, default=0.0), sum(weighed)
            self._total = sum(still.values())
            self._harm = logit(judgement.harm)

    def risk(self, weight: float) -> int:
        """The order of the risk at that weight."""
        if self._rule is None:
            return self._risk
        peak, total, weighed = self._peak, self._total, self._sum
        if self._moves:
            peak = max(peak, weight * self._break)
            total, weighed = total + weight, weighed + weight * self._break
        risk, _ = self._rule.level_at(self._harm, peak, weighed / total if total else 0.0)
        return risk.order

    def order(self, weight: float) -> tuple[int, float]:
        """What the candidate sorts by at that weight; all share the divisor of `r·c`."""
        return self.risk(weight), -(self._rest + self._score * weight)


def what_if(judgements: Mapping[str, Judgement], profile: Profile, candidate: str) -> WhatIf | None:
    """The smallest change of one weight that changes `candidate`'s recommendation or the winner.

    `judgements` are those that count now, by candidate id, best first. Ties go to the value that
    comes first. `None` where no single weight changes anything, or `candidate` has no verdict.
    """
    fitting = {
        name: judgement
        for name, judgement in islice(judgements.items(), CONTENDERS)
        if assess(judgement, profile).risk is not Risk.UNJUDGED
    }
    about = judgements.get(candidate)
    if about is None or assess(about, profile).risk is Risk.UNJUDGED:
        return None
    best: WhatIf | None = None
    for value in profile.values:
        others = sum(profile.weights.values()) - value.weight
        own = _Line(candidate, about, profile, value.id)
        field = [_Line(*entry, profile, value.id) for entry in fitting.items()]
        winner = min(field, key=lambda line: line.order(value.weight)) if field else None
        risk = own.risk(value.weight)
        for weight in _outward(value.weight, abs(best.change) if best else 2.0):
            if others + weight <= 0:
                continue
            found = own.risk(weight) != risk
            first = min(field, key=lambda line: line.order(weight)) if field else None
            if not found and (first is None or first is winner):
                continue
            then = assess(about, profile.with_weights({value.id: weight}))
            best = WhatIf(
                value=value.id,
                weight=weight,
                change=round(weight - value.weight, 2),
                risk=then.risk if found else None,
                recommendation=then.recommendation if found else None,
                winner="" if found or first is None else first.name,
            )
            break
    return best


def _outward(now: float, closer_than: float) -> Iterator[float]:
    """Weights from nearest to furthest, up to but without a change of `closer_than`."""
    for step in range(1, STEPS + 1):
        distance = step / STEPS
        if distance > closer_than - 0.5 / STEPS:
            return
        for weight in (now - distance, now + distance):
            if -0.5 / STEPS < weight < 1 + 0.5 / STEPS:
                yield round(min(1.0, max(0.0, weight)), 2)
