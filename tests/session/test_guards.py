"""Every guard is in `Session`: a screen cannot go round one."""

from collections.abc import Callable
from math import nan
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from core.domain.candidate import Origin, Source, Standing
from core.domain.scenario import LONGEST_TEXT, Scenario
from core.domain.verdict import Recommendation, Risk
from core.errors import Refused
from core.games.lens import lens
from core.session.events import STAND_IN, Approved, Deferred, ModelUsed, Rejected
from core.session.report import ECHO_WARNING, as_json, report
from core.session.session import Session
from core.session.upper import upper
from tests.nouns import CALL, CONSENT, HONESTY, LETTER, PROFILE, judgement, measured
from tests.session.operations import (
    OPERATIONS,
    Operation,
    after,
    judge_current,
    other_statement,
    started,
)


@pytest.fixture
def session() -> Session:
    """Two candidates, nothing judged."""
    return started(LETTER, CALL)


def judged(session: Session, risk: Risk, advice: Recommendation) -> Session:
    judge_current(session, "c1", risk, advice)
    return session


def refused(session: Session, act: Callable[[], object], told: str) -> None:
    """`act` is refused with these words and changes nothing at all."""
    before = list(session.records)
    with pytest.raises(Refused, match=told):
        act()
    assert session.records == before


def test_no_verdict_cannot_be_approved_with_or_without_a_reason(session: Session) -> None:
    refused(session, lambda: session.approve("c1"), "has no verdict")
    refused(session, lambda: session.approve("c1", "I know better"), "has no verdict")


def test_a_stale_verdict_cannot_be_approved_with_or_without_a_reason(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)
    session.edit("c1", LETTER + " And wait.")

    refused(session, lambda: session.approve("c1"), "is stale")
    refused(session, lambda: session.approve("c1", "I know better"), "is stale")


def test_a_stand_ins_word_ends_when_a_model_takes_its_place(session: Session) -> None:
    real = judgement(CALL, scenario=session.state.scenario)
    stand_in = replace(judgement(LETTER, scenario=session.state.scenario), judge=STAND_IN)
    session.use_models({"judge": ModelUsed(name=STAND_IN)})
    session.judged("c1", stand_in)
    session.judged("c2", real)
    session.approve("c1")
    session.approve("c2")
    session.choose("c1", "the best of two")

    session.use_models({"judge": ModelUsed(name="a model")})

    told = {name: found.standing for name, found in session.candidates.items()}
    assert told == {"c1": Standing.PENDING, "c2": Standing.APPROVED}
    assert session.verdict("c1").stale and session.state.plan is None
    refused(session, lambda: session.approve("c1", "I know better"), "is stale")
    assert ECHO_WARNING in report(session, "text", lens)
    session.judged("c1", judgement(LETTER, scenario=session.state.scenario))
    session.approve("c1")


def test_an_unreadable_reply_is_unjudged_and_cannot_be_approved(session: Session) -> None:
    session.judged("c1", judgement(LETTER, scores={CONSENT: 0.9}, scenario=session.state.scenario))

    assert session.verdict("c1").risk is Risk.UNJUDGED
    refused(session, lambda: session.approve("c1", "looks fine"), "has no verdict")


@pytest.mark.parametrize(
    "unsound",
    [
        {"scores": {CONSENT: nan, HONESTY: 0.9}},
        {"risk": {Risk.LOW: nan, Risk.MED: 0.05, Risk.HIGH: 0.9}},
        {"risk": {Risk.LOW: 0.2}},
    ],
)
def test_a_judgement_with_numbers_that_are_none_is_refused(
    session: Session, unsound: dict[str, Any]
) -> None:
    found = replace(judgement(LETTER, scenario=session.state.scenario), **unsound)

    refused(
        session,
        lambda: session.judged("c1", found),
        "numbers that are none, or not all of them, for c1",
    )


def test_a_failed_judge_leaves_a_candidate_unjudged(session: Session) -> None:
    session.failed("judge", "the text does not fit into the window", "c1")

    assert session.verdict("c1").risk is Risk.UNJUDGED
    assert session.candidates["c1"].trouble == "the text does not fit into the window"
    refused(session, lambda: session.approve("c1", "looks fine"), "has no verdict")


def test_low_risk_and_advice_to_approve_take_one_key(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).approve("c1")

    event = session.records[-1].event
    assert isinstance(event, Approved)
    assert not event.against_advice
    assert session.candidates["c1"].standing is Standing.APPROVED


@pytest.mark.parametrize(
    ("risk", "advice"),
    [
        (Risk.HIGH, Recommendation.APPROVE),
        (Risk.HIGH, Recommendation.REJECT),
        (Risk.LOW, Recommendation.MODIFY),
        (Risk.MED, Recommendation.MODIFY),
        (Risk.LOW, Recommendation.REJECT),
    ],
)
def test_high_risk_or_approval_against_the_advice_needs_a_reason(
    session: Session, risk: Risk, advice: Recommendation
) -> None:
    judged(session, risk, advice)

    assert session.needs_reason("c1")
    refused(session, lambda: session.approve("c1"), "recommends")
    refused(session, lambda: session.approve("c1", " \n\t"), "recommends")
    session.approve("c1", "The board has agreed.")

    event = session.records[-1].event
    assert isinstance(event, Approved)
    assert event.against_advice
    assert session.candidates["c1"].reason == "The board has agreed."


def test_a_rejection_needs_a_reason_whatever_the_verdict(session: Session) -> None:
    refused(session, lambda: session.reject("c1", ""), "needs a reason")
    refused(session, lambda: session.reject("c1", "  "), "needs a reason")
    session.reject("c1", "Nobody has agreed to calls.")

    assert session.candidates["c1"].standing is Standing.REJECTED


def test_rejecting_what_the_judge_would_approve_is_noted_as_against_its_advice(
    session: Session,
) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).reject("c1", "Wrong bakery.")
    session.reject("c2", "Never judged.")

    noted = [
        record.event.against_advice
        for record in session.records
        if isinstance(record.event, Rejected)
    ]
    assert noted == [True, False]


def test_the_same_decision_is_not_taken_twice(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).approve("c1")
    refused(session, lambda: session.approve("c1"), "approved already")
    session.reject("c1", "On second thoughts.")
    refused(session, lambda: session.reject("c1", "Again."), "rejected already")
    session.defer("c1")
    refused(session, lambda: session.defer("c1"), "deferred already")


def test_an_approval_names_the_exact_text_it_was_for(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).approve("c1")
    event = session.records[-1].event
    assert isinstance(event, Approved)
    assert event.text == session.candidates["c1"].current.digest

    session.edit("c1", CALL)

    assert session.candidates["c1"].standing is Standing.PENDING


def test_an_approval_is_not_put_off_and_not_written_over(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).approve("c1")

    refused(session, lambda: session.defer("c1"), "is approved")
    refused(session, lambda: session.realigned("c1", CALL), "is approved")
    session.undo()
    session.defer("c1")
    session.realigned("c1", CALL + " Once.")

    assert session.candidates["c1"].standing is Standing.REALIGNED


def test_a_log_in_which_an_approval_was_put_off_is_still_read(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).approve("c1")
    session._post(Deferred(candidate="c1"))

    assert Session(session.records).candidates["c1"].standing is Standing.DEFERRED


def test_what_is_about_a_text_that_has_changed_since_is_refused(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)
    read = session.candidates["c1"].current.digest
    session.edit("c1", CALL + " Once.")
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)

    for act in (
        lambda: session.approve("c1", of=read),
        lambda: session.reject("c1", "no", of=read),
        lambda: session.realigned("c1", "Another.", of=read),
        lambda: session.kept("c1", "no rewrite was better", of=read),
    ):
        refused(session, act, "changed meanwhile")
    session.approve("c1", of=session.candidates["c1"].current.digest)


def test_a_candidate_that_does_not_exist_is_refused_everywhere(session: Session) -> None:
    for act in (
        lambda: session.approve("c9", "x"),
        lambda: session.reject("c9", "x"),
        lambda: session.defer("c9"),
        lambda: session.edit("c9", "x"),
        lambda: session.note("x", "c9"),
        lambda: session.judged("c9", judgement(LETTER)),
        lambda: session.realigned("c9", "x"),
        lambda: session.kept("c9", "x"),
        lambda: session.failed("judge", "x", "c9"),
        lambda: session.choose("c9", "x"),
        lambda: session.verdict("c9"),
    ):
        refused(session, act, "no candidate 'c9'")


def test_empty_and_endless_texts_are_refused(session: Session) -> None:
    origin = Origin(Source.POLICY, "fake")
    refused(session, lambda: session.propose(" \n", origin), "the text is empty")
    refused(session, lambda: session.propose("x" * (LONGEST_TEXT + 1), origin), "longer than")
    refused(session, lambda: session.edit("c1", ""), "the text is empty")
    refused(session, lambda: session.edit("c1", LETTER), "same as before")
    refused(session, lambda: session.note(" "), "empty note")


def test_only_what_is_acceptable_can_be_the_plan(session: Session) -> None:
    refused(session, lambda: session.choose("c1", "the best"), "not acceptable")
    judged(session, Risk.MED, Recommendation.MODIFY)
    refused(session, lambda: session.choose("c1", "the best"), "not acceptable")
    judged(session, Risk.LOW, Recommendation.APPROVE)
    session.choose("c1", "the best")

    assert session.state.plan is not None
    assert session.state.plan.candidate == "c1"


@pytest.mark.parametrize(
    "turn_down",
    [
        lambda session: session.set_weights({HONESTY: 1.0}),
        lambda session: session.reject("c1", "Not this year."),
        lambda session: session.defer("c1"),
        lambda session: session.edit("c1", CALL),
        lambda session: session.realigned("c1", CALL, "fake"),
    ],
    ids=["weights", "rejected", "deferred", "edited", "re-aligned"],
)
def test_a_plan_ends_with_what_it_rests_on_and_comes_back_with_undo_alone(
    session: Session, turn_down: Callable[[Session], None]
) -> None:
    scores, scenario = {CONSENT: 0.95, HONESTY: 0.5}, session.state.scenario
    session.set_weights({HONESTY: 0.0})
    session.judged("c1", measured(LETTER, scores, scenario=scenario))
    session.choose("c1", "it is best", {"total_s": 1.5})

    turn_down(session)

    assert session.state.plan is None
    assert as_json(session, lens)["plan"] is None
    assert "plan" not in upper(session.state, len(session.records), session.head)
    assert "Proposed by the judge's ranking" not in report(session, "text", lens)
    assert as_json(session, lens)["timings"] == {"total_s": 1.5}
    session.undo()
    assert as_json(session, lens)["plan"]["text"] == LETTER


def test_a_plan_ends_where_the_judge_finds_its_text_risky_after_all(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).choose("c1", "it is best")

    judged(session, Risk.HIGH, Recommendation.REJECT)
    judged(session, Risk.LOW, Recommendation.APPROVE)

    assert session.state.plan is None


def test_a_plan_that_rests_on_what_was_taken_back_since_is_none(session: Session) -> None:
    session.edit("c1", CALL)
    judged(session, Risk.LOW, Recommendation.APPROVE).choose("c1", "it is best")

    session.undo()

    assert session.state.plan is None


def test_what_was_rejected_or_put_off_cannot_be_the_plan(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE).reject("c1", "Not this year.")
    refused(session, lambda: session.choose("c1", "the best"), "not acceptable")
    session.defer("c1")
    refused(session, lambda: session.choose("c1", "the best"), "not acceptable")


@given(OPERATIONS)
def test_a_plan_is_always_an_acceptable_current_text_that_nobody_rejected(
    operations: list[Operation],
) -> None:
    session = after(operations)

    plan = session.state.plan
    if plan and plan.candidate:
        planned = session.candidates[plan.candidate]
        assert planned.current.digest == plan.text
        assert session.verdict(plan.candidate).acceptable
        assert planned.standing is not Standing.REJECTED


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"kindness": 0.5}, "no value 'kindness'"),
        ({CONSENT: 1.01}, "between 0 and 1"),
        ({CONSENT: -0.01}, "between 0 and 1"),
        ({CONSENT: float("nan")}, "between 0 and 1"),
        ({CONSENT: 0.0, HONESTY: 0.0}, "every weight would be 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(
    session: Session, weights: dict[str, float], told: str
) -> None:
    refused(session, lambda: session.set_weights(weights), told)


def test_nothing_to_undo_is_refused(session: Session) -> None:
    refused(session, session.undo, "nothing to undo")


# What makes a verdict stale


def test_an_edit_makes_the_verdict_stale_and_taking_it_back_makes_it_fresh(
    session: Session,
) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)
    fresh = session.verdict("c1")

    session.edit("c1", LETTER + " ")
    stale = session.verdict("c1")
    assert (stale.risk, stale.stale, stale.acceptable) == (Risk.UNJUDGED, True, False)
    session.undo()
    assert session.verdict("c1") == fresh

    session.edit("c1", CALL)
    session.edit("c1", LETTER)
    assert session.verdict("c1") == fresh


def test_a_verdict_is_bound_to_the_statements_and_a_change_makes_it_stale(
    session: Session,
) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)

    session.set_profile(other_statement("Write to anybody at all."))

    assert session.verdict("c1").stale
    refused(session, lambda: session.approve("c1", "x"), "is stale")
    session.set_profile(PROFILE)
    assert session.verdict("c1").acceptable


def test_a_verdict_is_bound_to_the_scenario_and_a_change_makes_it_stale(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)

    session.set_scenario(Scenario(goal="Close all accounts."))

    assert session.verdict("c1").stale


def test_a_judgement_of_another_text_does_not_count(session: Session) -> None:
    session.judged("c1", judgement(CALL, scenario=session.state.scenario))

    verdict = session.verdict("c1")
    assert (verdict.risk, verdict.stale) == (Risk.UNJUDGED, True)


def test_a_change_of_weights_alone_ranks_anew_at_once_without_any_model_call(
    session: Session,
) -> None:
    for candidate, scores in (
        ("c1", {CONSENT: 0.9, HONESTY: 0.5}),
        ("c2", {CONSENT: 0.6, HONESTY: 1.0}),
    ):
        text = session.candidates[candidate].text
        session.judged(candidate, judgement(text, scores=scores, scenario=session.state.scenario))
    assert session.state.ranking() == ["c1", "c2"]

    session.set_weights({CONSENT: 0.1, HONESTY: 1.0})

    assert session.state.ranking() == ["c2", "c1"]
    assert session.verdict("c2").alignment == pytest.approx((0.06 + 1.0) / 1.1)
    assert not session.verdict("c1").stale
    session.undo()
    assert session.state.ranking() == ["c1", "c2"]


def test_the_ranking_is_lowest_risk_then_highest_alignment_then_oldest() -> None:
    session = started("one", "two", "three", "four", "five")
    for candidate, risk, score in (
        ("c1", Risk.HIGH, 0.9),
        ("c2", Risk.LOW, 0.6),
        ("c3", Risk.LOW, 0.7),
        ("c4", Risk.LOW, 0.7),
    ):
        session.judged(
            candidate,
            judgement(
                session.candidates[candidate].text,
                risk,
                scores={CONSENT: score, HONESTY: score},
                scenario=session.state.scenario,
            ),
        )

    assert session.state.ranking() == ["c3", "c4", "c2", "c1", "c5"]


def test_an_approval_and_a_plan_end_with_the_scenario_and_the_statements_they_were_about(
    session: Session,
) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)
    session.approve("c1")
    session.reject("c2", "no")
    session.choose("c1", "it is best", {})

    def now() -> tuple[list[str], bool]:
        standings = [one.standing.value for one in session.candidates.values()]
        return standings, session.state.plan is not None

    session.set_weights({CONSENT: 0.2})
    assert now() == (["approved", "rejected"], True)

    session.set_scenario(Scenario(goal="Something else."))
    assert now() == (["pending", "rejected"], False)

    session.undo()
    assert now() == (["approved", "rejected"], True)

    session.set_profile(other_statement("Ask first, always."))
    assert now() == (["pending", "rejected"], False)


@pytest.mark.parametrize(
    ("risk", "advice", "against"),
    [
        (Risk.LOW, Recommendation.APPROVE, True),
        (Risk.HIGH, Recommendation.APPROVE, False),
        (Risk.LOW, Recommendation.MODIFY, False),
    ],
)
def test_only_one_of_both_answers_goes_against_the_judge(
    session: Session, risk: Risk, advice: Recommendation, against: bool
) -> None:
    judged(session, risk, advice)

    session.reject("c1", "no")

    event = session.records[-1].event
    assert isinstance(event, Rejected) and event.against_advice is against
    assert session.needs_reason("c1") is not against


def test_the_trouble_of_an_edit_goes_when_it_is_taken_back(session: Session) -> None:
    judged(session, Risk.LOW, Recommendation.APPROVE)
    session.edit("c1", LETTER + " And wait.")
    session.failed("judge", "it does not fit", "c1")
    assert session.candidates["c1"].trouble

    session.undo()

    assert session.candidates["c1"].trouble == ""
