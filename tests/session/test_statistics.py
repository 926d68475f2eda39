"""How an operator decided."""

import pytest

from core.domain.candidate import Origin, Source
from core.domain.verdict import Risk
from core.session.events import Approved, Rejected
from core.session.session import Session
from core.session.statistics import Agreement, agreement, statistics
from tests.nouns import PROFILE, SCENARIO


def approved(*, against: bool = False, risk: Risk = Risk.LOW, blind: bool = False) -> Approved:
    return Approved(
        candidate="c1", text="t", risk=risk, alignment=0.5, against_advice=against, blind=blind
    )


def rejected(*, against: bool = False, risk: Risk = Risk.HIGH, blind: bool = False) -> Rejected:
    return Rejected(
        candidate="c1", text="t", risk=risk, reason="r", against_advice=against, blind=blind
    )


def test_kappa_as_worked_out_by_hand() -> None:
    # 20 both yes, 5 yes against no, 10 no against yes, 15 both no: Cohen's own arithmetic, 0.4.
    decisions = (
        [approved()] * 20
        + [approved(against=True)] * 5
        + [rejected(against=True)] * 10
        + [rejected()] * 15
    )
    found = agreement(decisions)
    assert (found.decisions, found.agreed) == (50, 35)
    assert found.kappa == pytest.approx(0.4)


def test_where_both_always_say_the_same_kappa_is_not_defined() -> None:
    assert agreement([approved()] * 3) == Agreement(decisions=3, agreed=3, kappa=None)
    assert agreement([]) == Agreement()


def test_an_unjudged_rejection_says_nothing_about_agreement() -> None:
    assert agreement([rejected(risk=Risk.UNJUDGED)]).decisions == 0


def test_undone_decisions_count_only_as_undone() -> None:
    session = Session.start(PROFILE, SCENARIO)
    name = session.propose("Write to them.", Origin(Source.POLICY))
    session.reject(name, "no", seconds=4)
    session.undo()
    session.reject(name, "no", seconds=2, blind=True)
    found = statistics(session.records)
    assert (found.decisions, found.rejected, found.undone) == (1, 1, 1)
    assert (found.median_seconds, found.total_seconds) == (2, 2)
    assert found.decided_by_risk == {Risk.UNJUDGED: 1}
    assert found.sway is None


def test_a_session_without_decisions_has_no_numbers() -> None:
    found = statistics(Session.start(PROFILE, SCENARIO).records)
    assert (found.decisions, found.median_seconds, found.overrides) == (0, None, 0)
