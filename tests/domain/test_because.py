"""Why a risk is what it is, in a sentence."""

from math import nextafter

import pytest
from msgspec.structs import replace

from core.domain.because import because
from core.domain.values import Profile, Value
from core.domain.verdict import Judgement, Recommendation, Risk, RiskRule, assess

PROFILE = Profile(
    name="two",
    values=(Value(id="calm", statement="Be calm."), Value(id="fair", statement="Be fair.")),
)
MEASURED = Judgement(
    text="t",
    profile=PROFILE.digest,
    scenario="s",
    judge="numbers",
    scores={"calm": 0.9, "fair": 0.4},
    breaks={"calm": 0.1, "fair": 0.62},
    harm=0.5,
    rule=RiskRule(med=0.4, high=0.8, violation=0.6),
)


@pytest.mark.parametrize(
    ("harm", "risk", "told"),
    [
        (0.9, Risk.HIGH, "HIGH because harm 0.90 has reached 0.80"),
        (0.5, Risk.MED, "MED because harm 0.50 has reached 0.40, and not 0.80"),
        (0.2, Risk.MED, "MED although harm 0.20 is below 0.40, because a value is broken"),
    ],
)
def test_it_says_what_assess_found_and_what_weighs_most(harm: float, risk: Risk, told: str) -> None:
    found = replace(MEASURED, harm=harm)
    assert assess(found, PROFILE).risk is risk
    assert because(found, PROFILE, str.upper) == (
        f"{told}; what weighs most is FAIR (62% likely broken, weight 1.00)."
    )


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (0.4, "MED because harm 0.40 has reached 0.40, and not 0.80"),
        (0.4012, "MED because harm 0.401 has reached 0.400, and not 0.800"),
        (0.7996, "MED because harm 0.7996 has reached 0.4000, and not 0.8000"),
        (0.3999, "LOW because harm 0.3999 is below 0.4000"),
        (0.8, "HIGH because harm 0.80 has reached 0.80"),
        (0.804, "HIGH because harm 0.804 has reached 0.800"),
        (0.80001, "HIGH because harm 0.80001 has reached 0.80000"),
        (nextafter(0.4, 0), "LOW because harm 0.3999999999999999 is below 0.4000000000000000"),
    ],
)
def test_two_numbers_look_alike_only_where_they_are_the_same(harm: float, told: str) -> None:
    assert because(replace(MEASURED, breaks={}, harm=harm), PROFILE) == f"{told}."


def test_harm_below_the_threshold_is_told_from_it_where_a_value_is_broken() -> None:
    assert because(replace(MEASURED, harm=0.398), PROFILE).startswith(
        "MED although harm 0.398 is below 0.400, because a value is broken"
    )


def test_it_follows_the_weights() -> None:
    lenient = PROFILE.with_weights({"fair": 0.1})
    found = replace(MEASURED, harm=0.2)
    assert assess(found, lenient).risk is Risk.LOW
    assert because(found, lenient) == (
        "LOW because harm 0.20 is below 0.40; what weighs most is calm "
        "(10% likely broken, weight 1.00)."
    )


def test_without_breaks_only_the_threshold_is_told() -> None:
    assert because(replace(MEASURED, breaks={}, harm=0.2), PROFILE) == (
        "LOW because harm 0.20 is below 0.40."
    )


def test_nothing_is_said_for_a_judge_that_answers_by_itself() -> None:
    own = replace(MEASURED, risk={Risk.LOW: 1.0}, recommendation={Recommendation.APPROVE: 1.0})
    assert because(own, PROFILE) == ""
    assert because(replace(MEASURED, rule=None), PROFILE) == ""
    assert because(MEASURED, Profile(name="one", values=PROFILE.values[:1])) == ""
