"""The log only grows, undo is an event, and the state is nothing but its fold."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.domain.candidate import Origin, Source, Standing
from core.domain.scenario import Scenario
from core.domain.text import digest
from core.domain.verdict import Recommendation, Risk
from core.errors import Tampered
from core.session.events import (
    STAND_IN,
    AnyEvent,
    Approved,
    Chosen,
    Deferred,
    Failed,
    Judged,
    Kept,
    ModelUsed,
    Proposed,
    Record,
    Rejected,
    Undone,
    WeightsSet,
    seal,
)
from core.session.session import Session
from core.session.state import State, fold
from core.session.store import Store, load
from tests.nasty import NASTY
from tests.nouns import CALL, CONSENT, LETTER, PROFILE, judgement
from tests.session.operations import (
    OPERATIONS,
    UNDO,
    UNDOABLE,
    Operation,
    after,
    do,
    judge_current,
    started,
)


@given(OPERATIONS)
def test_the_fold_of_events_is_deterministic(operations: list[Operation]) -> None:
    session = after(operations)

    assert fold(session.records) == fold(list(session.records)) == session.state
    assert after(operations).records == session.records


@given(OPERATIONS, UNDOABLE)
def test_undo_of_anything_returns_the_former_state(
    operations: list[Operation], last: Operation
) -> None:
    session = after(operations)
    before = fold(session.records)
    if not do(session, last) or fold(session.records) == before:
        return

    undone = session.undo()

    assert undone.seq == len(session.records) - 1
    assert session.state == before


@given(OPERATIONS, st.lists(UNDOABLE, max_size=6))
def test_undo_again_and_again_goes_back_step_by_step(
    operations: list[Operation], steps: list[Operation]
) -> None:
    session = after(operations)
    states: list[State] = [fold(session.records)]
    for step in steps:
        before = len(session.records)
        if do(session, step) and len(session.records) > before:
            states.append(fold(session.records))

    for state in reversed(states[:-1]):
        session.undo()
        assert session.state == state


@given(OPERATIONS)
def test_undo_is_an_event_not_a_deletion_and_the_log_only_grows(
    operations: list[Operation],
) -> None:
    session = started("Write to the baker.", "Ring the miller.")
    for operation in operations:
        before = list(session.records)
        let_through = do(session, operation)
        assert session.records[: len(before)] == before
        if operation is UNDO and let_through:
            event = session.records[-1].event
            assert isinstance(event, Undone)
            assert event.of < len(session.records)
            assert len(session.records) == len(before) + 1


@given(OPERATIONS)
def test_each_event_carries_the_digest_of_the_one_before(operations: list[Operation]) -> None:
    records = after(operations).records

    assert records[0].table["previous"] == "0" * 64
    for one, other in pairwise(records):
        assert other.table["previous"] == one.digest
        assert other.seq == one.seq + 1
    assert len({record.digest for record in records}) == len(records)


def test_what_models_bring_is_not_taken_back_by_undo() -> None:
    session = started(LETTER)
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)
    session.defer("c1")
    session.propose(CALL, Origin(Source.POLICY, "fake"))

    undone = session.undo()

    assert undone.table["kind"] == "deferred"
    assert list(session.candidates) == ["c1", "c2"]
    assert session.verdict("c1").acceptable


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_can_be_a_candidate_a_reason_or_a_note(text: str) -> None:
    session = started("Write to the baker.")
    if not text.strip():
        return
    name = session.propose(text, Origin(Source.AGENT, text[:50]))
    session.edit("c1", "x" + text[:100])
    session.reject(name, text)
    session.note(text)
    session.note(text, name)
    session.failed("judge", text, name)
    session.kept(name, text, text)
    session.realigned(name, text[:100] + "x", "fake", text)

    assert fold(session.records) == session.state
    assert "\ud800" not in session.candidates[name].revisions[0].text


def test_subscribers_hear_of_every_event_after_it_counts() -> None:
    session = started(LETTER)
    heard: list[tuple[AnyEvent, str]] = []

    def hear(record: Record) -> None:
        heard.append((record.event, session.candidates["c1"].standing.value))

    leave = session.subscribe(hear)
    session.defer("c1")
    session.undo()
    leave()
    session.defer("c1")

    assert [standing for _, standing in heard] == ["deferred", "pending"]
    assert [event for event, _ in heard] == [record.event for record in session.records[2:4]]


def test_a_log_that_does_not_begin_with_its_start_is_refused() -> None:
    session = started(LETTER)

    with pytest.raises(ValueError, match="begins with its start"):
        Session(session.records[1:])
    with pytest.raises(ValueError, match="starts once"):
        Session([session.records[0], session.records[0]])


def chained(session: Session, event: AnyEvent) -> list[Record]:
    """The session's records and `event`, which the chain fits, whatever a guard would say."""
    at = "2026-01-02T04:00:00Z"
    return [*session.records, seal(len(session.records) + 1, at, "eve", event, session.head)]


def reread(tmp_path: Path, session: Session, event: AnyEvent) -> None:
    """Reads the session from a file in which `event` came last."""
    session.records = chained(session, event)
    Store(tmp_path / "session.toml").save(session)
    load(tmp_path / "session.toml")


@pytest.mark.parametrize("of", [1, 2, 3, 9], ids=["start", "proposal", "judgement", "none"])
def test_a_chained_log_takes_back_only_what_an_operator_can(of: int) -> None:
    session = started(LETTER)
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)

    with pytest.raises(ValueError, match=f"event {of} cannot be taken back"):
        Session(chained(session, Undone(of=of)))


def test_a_chained_log_takes_nothing_back_twice() -> None:
    session = started(LETTER)
    session.defer("c1")
    session.undo()

    with pytest.raises(ValueError, match="event 3 cannot be taken back"):
        Session(chained(session, Undone(of=3)))


def test_a_chained_log_proposes_a_candidate_once() -> None:
    session = started(LETTER)
    again = next(r.event for r in session.records if isinstance(r.event, Proposed))

    with pytest.raises(ValueError, match="c1 is proposed twice"):
        Session(chained(session, again))


@pytest.mark.parametrize("text", [CALL, LETTER], ids=["of another candidate", "before the edit"])
def test_a_chained_decision_about_another_text_is_refused(tmp_path: Path, text: str) -> None:
    session = started(LETTER, CALL)
    session.edit("c1", LETTER + " Twice.")
    found = digest(text)
    for event in (
        Approved(candidate="c1", text=found, risk=Risk.LOW, alignment=0.9),
        Rejected(candidate="c1", text=found, risk=Risk.LOW, reason="No."),
    ):
        with pytest.raises(ValueError, match="another text of c1"):
            Session(chained(session, event))

    with pytest.raises(Tampered, match="another text of c1"):
        reread(tmp_path, session, event)


def judge_other_scenario(session: Session) -> None:
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)
    session.set_scenario(Scenario(goal="Something else."))


def judge_as_stand_in(session: Session) -> None:
    found = judgement(LETTER, scenario=session.state.scenario)
    session.judged("c1", replace(found, judge=STAND_IN))


@pytest.mark.parametrize(
    "before",
    [lambda session: None, judge_other_scenario, judge_as_stand_in],
    ids=["never judged", "stale", "by a stand-in"],
)
def test_a_chained_approval_without_a_verdict_is_refused(
    tmp_path: Path, before: Callable[[Session], object]
) -> None:
    session = started(LETTER)
    session.use_models({"judge": ModelUsed(name="a model")})
    before(session)
    event = Approved(candidate="c1", text=digest(LETTER), risk=Risk.LOW, alignment=0.9)

    with pytest.raises(Tampered, match=r"do not follow.*c1 is approved without a verdict"):
        reread(tmp_path, session, event)


@pytest.mark.parametrize(
    "event",
    [
        Approved(candidate="c1", text=digest(LETTER), risk=Risk.HIGH, alignment=0.1, reason=" "),
        Rejected(candidate="c1", text=digest(LETTER), risk=Risk.HIGH, reason=""),
    ],
    ids=["approved against the judge", "rejected"],
)
def test_a_chained_decision_without_the_reason_it_takes_is_refused(
    tmp_path: Path, event: AnyEvent
) -> None:
    session = started(LETTER)
    judge_current(session, "c1", Risk.HIGH, Recommendation.REJECT)
    told = Session(chained(session, replace(event, reason="The board asked for it.")))
    assert told.candidates["c1"].reason == "The board asked for it."

    with pytest.raises(Tampered, match="c1 is decided on without the reason"):
        reread(tmp_path, session, event)


def test_an_approval_is_read_whose_ground_went_only_later(tmp_path: Path) -> None:
    session = started(LETTER)
    session.use_models({"judge": ModelUsed(name=STAND_IN)})
    judge_as_stand_in(session)
    session.approve("c1", blind=True)
    session.edit("c1", CALL)
    session.undo()
    session.use_models({"judge": ModelUsed(name="a model")})

    Store(tmp_path / "session.toml").save(session)

    assert load(tmp_path / "session.toml").state == session.state


@pytest.mark.parametrize("weight", [-5.0, 1.01])
def test_chained_weights_out_of_bounds_are_refused(tmp_path: Path, weight: float) -> None:
    with pytest.raises(Tampered, match="weights-set"):
        reread(tmp_path, started(LETTER), WeightsSet(weights={CONSENT: weight}))


@pytest.mark.parametrize(
    "event",
    [
        Approved(candidate="c9", text=digest(LETTER), risk=Risk.LOW, alignment=0.9),
        Rejected(candidate="c9", text=digest(LETTER), risk=Risk.LOW, reason="No."),
        Deferred(candidate="c9"),
        Failed(candidate="c9", stage="judge", problem="It broke."),
        Kept(candidate="c9", why="As good as it gets."),
        Judged(candidate="c9", judgement=judgement(LETTER)),
        Chosen(candidate="c9", text=digest(LETTER), why="LOW risk"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_chained_event_about_a_candidate_that_was_never_proposed_is_refused(
    event: AnyEvent,
) -> None:
    with pytest.raises(KeyError, match="c9"):
        Session(chained(started(LETTER), event))


def test_a_decision_still_stands_when_a_later_edit_is_taken_back() -> None:
    session = started(LETTER)
    session.edit("c1", CALL)
    session.reject("c1", "Nobody has agreed.")
    session.edit("c1", LETTER + " Twice.")
    session.undo()

    assert Session(session.records).candidates["c1"].standing is Standing.REJECTED
    assert session.candidates["c1"].text == CALL


def test_undo_after_undo_in_a_long_session_takes_no_time() -> None:
    session = started(LETTER)
    for number in range(20_000):
        session.note(f"Note {number}.")
    began = time.process_time()
    for _ in range(10):
        session.undo()

    assert time.process_time() - began < 4  # tens of seconds where each note copies all before it
    assert session.state.notes[-1] == "Note 19989."


def test_a_state_for_another_thread_to_read_stays_as_it_was() -> None:
    session = started(LETTER)
    session.note("Before.")
    still = session.state.still()
    before = fold(session.records)

    session.note("After.")
    session.note("After.", "c1")
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)
    session.propose(CALL, Origin(Source.POLICY, "fake"))

    assert still == before


def test_setting_what_is_set_already_makes_no_event() -> None:
    session = started(LETTER)
    before = len(session.records)

    session.set_weights(session.state.profile.weights)
    session.set_profile(session.state.profile)
    session.set_scenario(session.state.scenario)
    session.use_models(session.state.models)

    assert len(session.records) == before


def test_the_last_weight_of_a_value_is_none_that_was_taken_back() -> None:
    session = started()
    value = PROFILE.values[0]
    for weight in (0.4, 0.9):
        session.set_weights({value.id: weight})
    session.undo()
    session.set_weights({value.id: 0.0})
    assert session.last_weight(value.id) == 0.4
    session.undo()
    session.undo()
    assert session.last_weight(value.id) == value.weight
    assert session.last_weight("of nobody") == 1.0


def test_times_are_utc_and_names_are_kept() -> None:
    session = started(LETTER)

    assert session.records[0].at == "2026-01-02T03:04:06Z"
    assert {record.by for record in session.records} == {"rosa"}


@given(OPERATIONS, OPERATIONS)
def test_what_a_session_has_worked_out_already_is_what_its_events_amount_to(
    first: list[Operation], then: list[Operation]
) -> None:
    session = after(first)
    for operation in [*then, lambda s: s.propose("Ring the miller.", Origin(Source.POLICY))]:
        looked_at = session.state  # the verdicts and ranks that are kept from one look to the next
        looked_at.ranking()
        for candidate in session.candidates:
            session.verdict(candidate)
        do(session, operation)

    anew = fold(session.records)
    verdicts = {name: anew.verdict(name) for name in anew.candidates}
    assert {name: session.verdict(name) for name in session.candidates} == verdicts
    assert session.state.ranking() == sorted(verdicts, key=lambda name: verdicts[name].order)
    assert all(session.state.order(name) == verdict.order for name, verdict in verdicts.items())
