"""What a judge measured, and what follows from it under a profile's weights.

A `Judgement` is measured once and bound to the digests of the exact text, values and scenario. A
`Verdict` is derived from it and the weights by `assess`, so moving a weight needs no model.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from operator import mul
from typing import Any, Self, TypeVar

from msgspec import Struct

from core.domain.danger import Danger, features
from core.domain.values import Probability, Profile

AT_STAKE = 0.5
"""A value scored below this, and switched on, is at stake."""


class Risk(StrEnum):
    """How risky an action is. What could not be judged is never LOW."""

    LOW = "LOW"
    MED = "MED"
    HIGH = "HIGH"
    UNJUDGED = "UNJUDGED"

    @property
    def order(self) -> int:
        """0 for LOW to 3 for UNJUDGED: what could not be judged comes last."""
        return _ORDER[self]


class Recommendation(StrEnum):
    """What the judge would do."""

    APPROVE = "approve"
    MODIFY = "modify"
    REJECT = "reject"


_ORDER: dict[StrEnum, int] = {
    answer: place for kind in (Risk, Recommendation) for place, answer in enumerate(kind)
}
"""0 for the mildest answer of its kind."""

_LEVELS, _ADVICE = set(Risk) - {Risk.UNJUDGED}, set(Recommendation)
"""What a judge that answers by itself gives a probability for."""

_Answer = TypeVar("_Answer", bound=StrEnum)

_FOLLOWS = {
    Risk.LOW: Recommendation.APPROVE,
    Risk.MED: Recommendation.MODIFY,
    Risk.HIGH: Recommendation.REJECT,
    Risk.UNJUDGED: Recommendation.REJECT,
}


class RiskRule(Danger, frozen=True, kw_only=True):
    """How risk follows from what was measured, for a judge that only scores.

    Coefficients and thresholds are fitted on held-out data (logistic regression; Platt 1999) and
    written into the judge's file. Only the weights are needed to compute it anew.
    """

    med: Probability
    """Danger from here on is MED."""
    high: Probability
    """Danger from here on is HIGH."""
    violation: Probability = 1.0
    """A value whose c_v P(breaks v) reaches this is broken: such an action is at least MED."""

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> Self:
        """As a judge's file has it; `KeyError` where the file lacks what calibration writes."""
        told = card["thresholds"]
        return cls(
            **{name: float(card["danger"][name]) for name in Danger.__struct_fields__},
            med=float(told["medium"]),
            high=float(told["high"]),
            violation=float(told["violation"]),
        )

    @property
    def weighs_breaks(self) -> bool:
        """Whether the risk depends on which values are broken."""
        return self.peak != 0 or self.mean != 0 or self.violation < 1

    def level(
        self, harm: float, breaks: Mapping[str, float], weights: Mapping[str, float]
    ) -> tuple[Risk, float]:
        """The risk, and the danger it rests on. Where a number is NaN, the risk is HIGH."""
        return self.level_at(*features(harm, breaks.values(), _counts(weights, breaks)))

    def level_at(self, logit_harm: float, peak: float, mean: float) -> tuple[Risk, float]:
        """`level`, from what `features` gives."""
        danger = self.at(logit_harm, peak, mean)
        if not danger < self.high:
            return Risk.HIGH, danger
        return (Risk.LOW if danger < self.med and peak < self.violation else Risk.MED), danger


class Judgement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a judge measured for one text under one set of value statements."""

    text: str
    """Digest of the exact text."""
    profile: str
    """Digest of the exact ids and statements."""
    scenario: str
    """Digest of the exact goal and context."""
    judge: str
    """The judge's name."""
    scores: dict[str, Probability]
    """For each value id, the probability that the action respects it."""
    harm: Probability
    """How likely the action does harm, whatever the values."""
    breaks: dict[str, Probability] = {}
    """For each value id, the probability that the action goes against it, where it is measured."""
    risk: dict[Risk, Probability] = {}
    """The judge's own answer, where it gives one: a probability for LOW, MED and HIGH."""
    recommendation: dict[Recommendation, Probability] = {}
    """The judge's own answer, where it gives one."""
    rule: RiskRule | None = None
    """How risk follows from harm and `breaks`, where the judge gives no answer of its own."""
    unstable: tuple[str, ...] = ()
    """Values whose score changed sides when the wording was paraphrased."""
    explanation: str = ""
    """A sentence of free text. It never changes the numbers."""
    raw: str = ""
    """What the model gave, for whoever wants to look."""

    @property
    def sound(self) -> bool:
        """Whether every number is a probability, and an answer of the judge's own is whole.

        Without one, a rule that weighs broken values has to be told of every value.
        """
        numbers = (
            self.harm,
            *self.scores.values(),
            *self.breaks.values(),
            *self.risk.values(),
            *self.recommendation.values(),
        )
        return (
            all(0.0 <= number <= 1.0 for number in numbers)  # which NaN is not
            and (not self.risk or self.risk.keys() == _LEVELS)
            and (not self.recommendation or self.recommendation.keys() == _ADVICE)
            and (
                self.breaks.keys() == self.scores.keys()
                or not (self.rule and self.rule.weighs_breaks)
                or bool(self.risk and self.recommendation)
            )
        )


class Issue(Struct, frozen=True):
    """A value at stake."""

    value: str
    """The value's id."""
    text: str
    """What it demands, and how likely the action respects it."""


class Verdict(Struct, frozen=True, kw_only=True):
    """A judgement seen through the weights of a profile."""

    risk: Risk
    risk_probability: Probability = 0.0
    harm: Probability = 1.0
    """How likely the action does harm or goes against a weighted value: the number to rank by."""
    scores: dict[str, Probability] = {}
    alignment: Probability = 0.0
    """`r·c / Σc` (CMVA, IBM Research 2024)."""
    recommendation: Recommendation = Recommendation.REJECT
    issues: tuple[Issue, ...] = ()
    stale: bool = False
    """The judgement was about another text, other statements or another scenario."""
    judgement: Judgement | None = None

    @property
    def acceptable(self) -> bool:
        """Whether it may be approved, or planned, without anybody overriding the judge."""
        return (
            self.recommendation is Recommendation.APPROVE
            and self.risk in (Risk.LOW, Risk.MED)
            and not self.stale
        )

    @property
    def order(self) -> tuple[int, float]:
        """Sorts the best verdict first: lowest risk, then highest `r·c`."""
        return (self.risk.order, -self.alignment)


UNJUDGED = Verdict(risk=Risk.UNJUDGED)
"""No verdict: never LOW, never approvable."""


def _counts(weights: Mapping[str, float], values: Iterable[str]) -> list[float]:
    """The weight of each of `values`; 0 for one that has none."""
    try:
        return list(map(weights.__getitem__, values))
    except KeyError:
        return [weights.get(value, 0.0) for value in values]


def alignment(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """`r·c / Σc`, 0 to 1; values without a weight count nothing."""
    counts = _counts(weights, scores)
    total = sum(counts)
    return min(1.0, sum(map(mul, scores.values(), counts)) / total) if total > 0 else 0.0


class Weigher:
    """A profile's weights, ready to look at many judgements through them.

    The caller makes sure that a judgement belongs to the text, values and scenario at hand.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._weights = profile.weights

    def order(self, judgement: Judgement) -> tuple[int, float]:
        """`Verdict.order` of the verdict that follows, without the verdict."""
        risk, _ = self._risk(judgement)
        if risk is None:
            return UNJUDGED.order
        return _ORDER[risk], -alignment(judgement.scores, self._weights)

    def verdict(self, judgement: Judgement) -> Verdict:
        """The verdict that follows from `judgement`."""
        risk, harm = self._risk(judgement)
        if risk is None:
            return UNJUDGED
        if judgement.risk and judgement.recommendation:
            probability = judgement.risk[risk]
            recommendation = _likeliest(judgement.recommendation)
        else:
            probability = 1.0 - harm if risk is Risk.LOW else harm
            recommendation = _FOLLOWS[risk]
        issues = tuple(
            Issue(value.id, f"{value.statement} (respected: {judgement.scores[value.id]:.0%})")
            for value in self.profile.active
            if judgement.scores[value.id] < AT_STAKE
        )
        return Verdict(
            risk=risk,
            risk_probability=probability,
            harm=harm,
            scores=judgement.scores,
            alignment=alignment(judgement.scores, self._weights),
            recommendation=recommendation,
            issues=issues,
            judgement=judgement,
        )

    def _risk(self, judgement: Judgement) -> tuple[Risk | None, float]:
        """The risk, and the harm it rests on; no risk where the judgement gives none."""
        if judgement.scores.keys() != self._weights.keys() or not judgement.sound:
            return None, 1.0
        if judgement.risk and judgement.recommendation:
            return _likeliest(judgement.risk), judgement.harm
        if judgement.rule:
            return judgement.rule.level(judgement.harm, judgement.breaks, self._weights)
        return None, 1.0


def _likeliest(answers: Mapping[_Answer, float]) -> _Answer:
    """The likeliest answer; of some that are as likely, the most severe."""
    return max(answers, key=lambda answer: (answers[answer], _ORDER[answer]))


def assess(judgement: Judgement, profile: Profile) -> Verdict:
    """The verdict that follows from `judgement` under the weights of `profile`."""
    return Weigher(profile).verdict(judgement)
