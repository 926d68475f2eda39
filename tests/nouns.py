"""Small nouns for tests: a profile, a scenario, judgements that say what one wants them to say."""

from collections.abc import Mapping

from core.domain.scenario import HandedIn, Scenario
from core.domain.text import digest
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement, Recommendation, Risk, RiskRule

CONSENT, HONESTY = "consent", "honesty"

PROFILE = Profile(
    name="house",
    title="House rules",
    values=(
        Value(id=CONSENT, statement="Write only to people who have agreed to it.", weight=1.0),
        Value(id=HONESTY, statement="State every fee before anybody signs.", weight=0.5),
    ),
)

SCENARIO = Scenario(
    goal="Have more bakeries open a savings account.",
    context="A regional bank serves 3,000 family businesses.",
    name="bakeries",
)

LETTER = "Send each bakery one letter that names every fee."
CALL = "Ring every bakery tonight and mention no fee."

RULE = RiskRule(harm=1.0, peak=6.0, mean=0.0, bias=-0.5, med=0.3, high=0.7)

_ADVICE = {
    Risk.LOW: Recommendation.APPROVE,
    Risk.MED: Recommendation.MODIFY,
    Risk.HIGH: Recommendation.REJECT,
}


def handed_in(*texts: str) -> Scenario:
    """The scenario with candidates of somebody else's."""
    return Scenario(
        goal=SCENARIO.goal,
        context=SCENARIO.context,
        candidates=tuple(HandedIn(text=text, source="crm-agent") for text in texts),
    )


def judgement(
    text: str,
    risk: Risk = Risk.LOW,
    advice: Recommendation | None = None,
    *,
    scores: Mapping[str, float] | None = None,
    profile: Profile = PROFILE,
    scenario: Scenario = SCENARIO,
) -> Judgement:
    """A judge that answers by itself: `risk`, and `advice` or what follows from the risk."""
    advice = advice or _ADVICE[risk]
    return Judgement(
        text=digest(text),
        profile=profile.digest,
        scenario=scenario.digest,
        judge="fake",
        scores=dict(scores or {value.id: 0.8 for value in profile.values}),
        harm={Risk.LOW: 0.1, Risk.MED: 0.5, Risk.HIGH: 0.9}[risk],
        risk={level: 0.8 if level is risk else 0.1 for level in (Risk.LOW, Risk.MED, Risk.HIGH)},
        recommendation={answer: 0.8 if answer is advice else 0.1 for answer in Recommendation},
    )


def measured(
    text: str,
    scores: Mapping[str, float],
    harm: float = 0.1,
    *,
    rule: RiskRule = RULE,
    profile: Profile = PROFILE,
    scenario: Scenario = SCENARIO,
) -> Judgement:
    """A judge that only scores, so that risk follows from `rule` and the weights."""
    return Judgement(
        text=digest(text),
        profile=profile.digest,
        scenario=scenario.digest,
        judge="fake",
        scores=dict(scores),
        harm=harm,
        breaks={value: 1.0 - score for value, score in scores.items()},
        rule=rule,
    )
