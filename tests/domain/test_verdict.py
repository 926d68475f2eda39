"""The verdict that follows from what was measured and from the weights."""

from math import exp, log, nan
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.verdict import (
    UNJUDGED,
    Recommendation,
    Risk,
    RiskRule,
    Weigher,
    alignment,
    assess,
)
from tests.nouns import (
    CALL,
    CONSENT,
    HONESTY,
    LETTER,
    PROFILE,
    RULE,
    SCENARIO,
    judgement,
    measured,
)

SCORES = st.floats(0, 1)


def test_what_could_not_be_judged_comes_last_and_is_never_acceptable() -> None:
    levels = sorted(Risk, key=lambda level: level.order)

    assert levels == [Risk.LOW, Risk.MED, Risk.HIGH, Risk.UNJUDGED]
    assert not UNJUDGED.acceptable
    assert UNJUDGED.recommendation is Recommendation.REJECT


def test_alignment_is_r_times_c_over_the_sum_of_c() -> None:
    assert alignment({"a": 0.9, "b": 0.3}, {"a": 1.0, "b": 0.5}) == pytest.approx(1.05 / 1.5)


def test_a_value_without_a_weight_does_not_count() -> None:
    assert alignment({"a": 0.2, "b": 0.9}, {"a": 0.0, "b": 0.4}) == pytest.approx(0.9)
    assert alignment({"a": 0.2}, {"a": 0.0}) == 0.0


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(SCORES, SCORES), min_size=1))
def test_alignment_is_a_mean_of_the_scores(pairs: dict[str, tuple[float, float]]) -> None:
    scores = {name: score for name, (score, _) in pairs.items()}
    weights = {name: weight for name, (_, weight) in pairs.items()}
    found = alignment(scores, weights)

    counting = [score for name, score in scores.items() if weights[name] > 0]
    if sum(weights.values()) > 1e-9:
        assert min(counting) - 1e-6 <= found <= max(counting) + 1e-6


def test_danger_is_a_logistic_sum_of_harm_the_worst_violation_and_their_mean() -> None:
    rule = RiskRule(harm=1.5, peak=2.0, mean=-1.0, bias=0.25, med=0.3, high=0.7)
    _, found = rule.level(0.2, {CONSENT: 0.9, HONESTY: 0.6}, PROFILE.weights)

    logit = 1.5 * log(0.2 / 0.8) + 2.0 * 0.9 - 1.0 * (0.9 + 0.3) / 1.5 + 0.25
    assert found == pytest.approx(1 / (1 + exp(-logit)))


@pytest.mark.parametrize("harm", [0.0, 1.0])
def test_danger_stays_a_probability_though_harm_is_certain_or_ruled_out(harm: float) -> None:
    _, danger = RULE.level(harm, {CONSENT: 1.0}, {CONSENT: 0.0})

    assert 0.0 <= danger <= 1.0
    assert (danger > 0.5) == (harm > 0.5)


@pytest.mark.parametrize(
    ("consent", "risk", "advice"),
    [
        (0.9, Risk.LOW, Recommendation.APPROVE),
        (0.6, Risk.MED, Recommendation.MODIFY),
        (0.1, Risk.HIGH, Recommendation.REJECT),
    ],
)
def test_where_a_judge_only_scores_risk_follows_from_the_rule(
    consent: float, risk: Risk, advice: Recommendation
) -> None:
    verdict = assess(measured(CALL, {CONSENT: consent, HONESTY: 0.9}), PROFILE)

    assert (verdict.risk, verdict.recommendation) == (risk, advice)


@pytest.mark.parametrize(
    ("harm", "consent", "honesty"), [(nan, 0.9, 0.9), (0.1, nan, 0.9), (0.1, 0.9, nan)]
)
def test_from_a_number_that_is_none_follows_no_verdict_and_never_a_low_risk(
    harm: float, consent: float, honesty: float
) -> None:
    found = measured(LETTER, {CONSENT: consent, HONESTY: honesty}, harm)

    assert assess(found, PROFILE) == UNJUDGED
    assert RULE.level(found.harm, {CONSENT: nan}, PROFILE.weights)[0] is Risk.HIGH


@pytest.mark.parametrize(
    "unsound",
    [
        {"harm": 1.01},
        {"scores": {CONSENT: -0.1, HONESTY: 0.9}},
        {"risk": {Risk.LOW: nan, Risk.MED: 0.05, Risk.HIGH: 0.9}},
        {"risk": {Risk.LOW: 0.2}},
        {"risk": {Risk.LOW: 0.2, Risk.MED: 0.1, Risk.HIGH: 0.1, Risk.UNJUDGED: 0.6}},
        {"recommendation": {Recommendation.APPROVE: 0.2}},
    ],
)
def test_from_numbers_out_of_bounds_or_an_answer_that_is_not_whole_follows_no_verdict(
    unsound: dict[str, Any],
) -> None:
    found = msgspec.structs.replace(judgement(LETTER), **unsound)

    assert assess(found, PROFILE) == UNJUDGED
    assert Weigher(PROFILE).order(found) == UNJUDGED.order


def test_where_a_judge_answers_by_itself_its_likeliest_answer_counts() -> None:
    verdict = assess(judgement(LETTER, Risk.MED, Recommendation.APPROVE), PROFILE)

    assert (verdict.risk, verdict.risk_probability) == (Risk.MED, 0.8)
    assert verdict.recommendation is Recommendation.APPROVE
    assert verdict.acceptable


@pytest.mark.parametrize(
    ("risk", "advice", "found"),
    [
        ((0.5, 0.5, 0.0), (0.4, 0.4, 0.2), (Risk.MED, Recommendation.MODIFY)),
        ((0.4, 0.2, 0.4), (0.4, 0.2, 0.4), (Risk.HIGH, Recommendation.REJECT)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (Risk.HIGH, Recommendation.REJECT)),
    ],
)
def test_of_answers_that_are_as_likely_the_more_severe_counts(
    risk: tuple[float, ...], advice: tuple[float, ...], found: tuple[Risk, Recommendation]
) -> None:
    risks = dict(zip((Risk.LOW, Risk.MED, Risk.HIGH), risk, strict=True))
    recommendations = dict(zip(Recommendation, advice, strict=True))

    for there in (dict, lambda answers: dict(reversed(answers.items()))):
        asked = msgspec.structs.replace(
            judgement(LETTER), risk=there(risks), recommendation=there(recommendations)
        )
        verdict = assess(asked, PROFILE)
        assert (verdict.risk, verdict.recommendation) == found


def test_a_judge_that_says_high_and_approve_at_once_is_not_acceptable() -> None:
    assert not assess(judgement(CALL, Risk.HIGH, Recommendation.APPROVE), PROFILE).acceptable


def test_a_judgement_over_other_values_is_unjudged() -> None:
    for scores in ({CONSENT: 0.9}, {CONSENT: 0.9, HONESTY: 0.9, "other": 0.9}):
        assert assess(judgement(LETTER, scores=scores), PROFILE) == UNJUDGED


def test_a_judgement_with_neither_an_answer_nor_a_rule_is_unjudged() -> None:
    found = msgspec.structs.replace(judgement(LETTER), risk={})

    assert assess(found, PROFILE).risk is Risk.UNJUDGED


@pytest.mark.parametrize("weighs", [{"peak": 6.0}, {"mean": -1.0}, {"violation": 0.6}])
@pytest.mark.parametrize("known", [{}, {HONESTY: 0.1}, {CONSENT: 0.1, HONESTY: 0.1, "other": 0.1}])
def test_where_it_was_not_measured_what_is_broken_a_rule_that_weighs_it_gives_no_verdict(
    weighs: dict[str, float], known: dict[str, float]
) -> None:
    rule = RiskRule(med=0.5, high=0.9, **weighs)
    whole = measured(LETTER, {CONSENT: 0.1, HONESTY: 0.9}, rule=rule)
    partly = msgspec.structs.replace(whole, breaks=known)
    own = judgement(LETTER)

    assert assess(whole, PROFILE).risk is not Risk.UNJUDGED
    assert not partly.sound
    assert assess(partly, PROFILE) == UNJUDGED
    answered = msgspec.structs.replace(
        partly, risk=own.risk, recommendation=own.recommendation
    )  # the rule is not asked then
    assert assess(answered, PROFILE).risk is Risk.LOW


def test_a_rule_that_looks_at_harm_alone_needs_no_breaks() -> None:
    found = measured(LETTER, {CONSENT: 0.1, HONESTY: 0.9}, rule=RiskRule(med=0.5, high=0.9))

    assert assess(msgspec.structs.replace(found, breaks={}), PROFILE).risk is Risk.LOW


def test_issues_name_the_weighted_values_that_are_likely_not_respected() -> None:
    found = judgement(CALL, Risk.HIGH, scores={CONSENT: 0.2, HONESTY: 0.3})

    issues = assess(found, PROFILE).issues
    assert [issue.value for issue in issues] == [CONSENT, HONESTY]
    assert "Write only to people" in issues[0].text
    assert "20%" in issues[0].text
    assert [issue.value for issue in assess(found, PROFILE.with_weights({HONESTY: 0})).issues] == [
        CONSENT
    ]


@given(SCORES, SCORES, SCORES, SCORES, SCORES)
def test_more_weight_on_the_worst_violation_never_lowers_the_risk(
    consent: float, honesty: float, harm: float, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    if more == 0.0:
        return
    found = measured(LETTER, {CONSENT: consent, HONESTY: honesty}, harm)

    low, high = (
        assess(found, PROFILE.with_weights({CONSENT: weight})).risk.order for weight in (less, more)
    )
    assert low <= high


def test_a_judgement_is_about_one_text_one_profile_and_one_scenario() -> None:
    found = judgement(LETTER)

    assert found.profile == PROFILE.digest
    assert found.scenario == SCENARIO.digest
    assert found.text != judgement(LETTER + " ").text


def test_a_broken_value_makes_it_med_however_harmless_and_only_while_it_counts() -> None:
    rule = RiskRule(harm=0.0, bias=-5.0, med=0.3, high=0.7, violation=0.6)
    weighing = {CONSENT: 1.0, HONESTY: 0.5}

    assert rule.level(0.0, {CONSENT: 0.7, HONESTY: 0.7}, weighing)[0] is Risk.MED
    assert rule.level(0.0, {CONSENT: 0.5, HONESTY: 0.9}, weighing)[0] is Risk.LOW
    assert (
        rule.level(0.0, {CONSENT: 0.7, HONESTY: 0.7}, {CONSENT: 0.0, HONESTY: 0.5})[0] is Risk.LOW
    )
