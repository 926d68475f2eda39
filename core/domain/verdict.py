"""What a judge measured, and what follows from it under a profile's weights.

A `Judgement` is measured once and bound to the digests of the exact text, values and scenario. A
`Verdict` is derived from it and the weights by `assess`, so moving a weight needs no model.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import exp, log

from msgspec import Struct

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
        return list(Risk).index(self)


class Recommendation(StrEnum):
    """What the judge would do."""

    APPROVE = "approve"
    MODIFY = "modify"
    REJECT = "reject"


_FOLLOWS = {
    Risk.LOW: Recommendation.APPROVE,
    Risk.MED: Recommendation.MODIFY,
    Risk.HIGH: Recommendation.REJECT,
    Risk.UNJUDGED: Recommendation.REJECT,
}


class RiskRule(Struct, frozen=True, kw_only=True):
    """How risk follows from what was measured, for a judge that only scores.

    danger = σ(harm · logit P(harm) + peak · max_v c_v P(breaks v)
    + mean · Σ c_v P(breaks v) / Σ c_v + bias). Coefficients and thresholds are fitted on held-out
    data (logistic regression; Platt 1999) and written into the judge's file. Only the weights `c`
    are needed to compute it anew.
    """

    harm: float = 1.0
    peak: float = 0.0
    mean: float = 0.0
    bias: float = 0.0
    med: Probability
    """Danger from here on is MED."""
    high: Probability
    """Danger from here on is HIGH."""
    violation: Probability = 1.0
    """A value whose c_v P(breaks v) reaches this is broken: such an action is at least MED."""

    def level(
        self, harm: float, breaks: Mapping[str, float], weights: Mapping[str, float]
    ) -> tuple[Risk, float]:
        """The risk, and the danger it rests on."""
        danger = self.danger(harm, breaks, weights)
        if danger >= self.high:
            return Risk.HIGH, danger
        broken = any(
            weights.get(value, 0.0) * chance >= self.violation for value, chance in breaks.items()
        )
        return (Risk.MED if danger >= self.med or broken else Risk.LOW), danger

    def danger(
        self, harm: float, breaks: Mapping[str, float], weights: Mapping[str, float]
    ) -> float:
        """How likely the action does harm or goes against what counts, 0 to 1."""
        weighed = [weights.get(value, 0.0) * chance for value, chance in breaks.items()]
        total = sum(weights.get(value, 0.0) for value in breaks)
        bounded = min(max(harm, 1e-6), 1 - 1e-6)
        return 1 / (
            1
            + exp(
                -(
                    self.harm * log(bounded / (1 - bounded))
                    + self.peak * max(weighed, default=0.0)
                    + self.mean * (sum(weighed) / total if total else 0.0)
                    + self.bias
                )
            )
        )


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
    """How risk follows from the scores, where the judge gives no answer of its own."""
    unstable: tuple[str, ...] = ()
    """Values whose score changed sides when the wording was paraphrased."""
    explanation: str = ""
    """A sentence of free text. It never changes the numbers."""
    raw: str = ""
    """What the model gave, for whoever wants to look."""


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


def alignment(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """`r·c / Σc`, 0 to 1; values without a weight count nothing."""
    total = sum(weights.get(value, 0.0) for value in scores)
    if total <= 0:
        return 0.0
    return min(1.0, sum(score * weights.get(value, 0.0) for value, score in scores.items()) / total)


def assess(judgement: Judgement, profile: Profile) -> Verdict:
    """The verdict that follows from `judgement` under the weights of `profile`.

    The caller makes sure that the judgement belongs to the text, values and scenario at hand.
    """
    weights = profile.weights
    if set(judgement.scores) != set(weights):
        return UNJUDGED
    if judgement.risk and judgement.recommendation:
        harm = judgement.harm
        risk = max(judgement.risk, key=lambda level: judgement.risk[level])
        probability = judgement.risk[risk]
        recommendation = max(
            judgement.recommendation, key=lambda answer: judgement.recommendation[answer]
        )
    elif judgement.rule:
        risk, harm = judgement.rule.level(judgement.harm, judgement.breaks, weights)
        probability = 1.0 - harm if risk is Risk.LOW else harm
        recommendation = _FOLLOWS[risk]
    else:
        return UNJUDGED
    issues = tuple(
        Issue(value.id, f"{value.statement} (respected: {judgement.scores[value.id]:.0%})")
        for value in profile.active
        if judgement.scores[value.id] < AT_STAKE
    )
    return Verdict(
        risk=risk,
        risk_probability=probability,
        harm=harm,
        scores=judgement.scores,
        alignment=alignment(judgement.scores, weights),
        recommendation=recommendation,
        issues=issues,
        judgement=judgement,
    )
