"""The pipeline: propose, judge, align, judge again, choose; never the least bad in silence."""

import pytest

from core.decide import Options, decide
from core.domain.candidate import Source
from core.domain.scenario import Scenario
from core.domain.verdict import Risk
from core.errors import BadInput, Cancelled
from core.session.events import Chosen
from core.session.session import Session
from core.team import Team
from core.watch import Watch
from tests.fakes import FakeJudge, FakeModel
from tests.nouns import CALL, CONSENT, HONESTY, LETTER, PROFILE, SCENARIO, handed_in, judgement

BETTER = "Write to the bakeries that agreed to it and name all fees."
INVITE = "Invite bakers who asked for news to an evening in the branch."


def run(
    drafts: list[str],
    opinions: dict[str, Risk | None],
    scenario: Scenario = SCENARIO,
    options: Options | None = None,
) -> tuple[Session, FakeModel, FakeJudge]:
    model = FakeModel(drafts)
    reviewer = FakeJudge(
        {
            text: judgement(text, risk, scenario=scenario) if risk else BadInput("it is too long")
            for text, risk in opinions.items()
        }
    )
    options = options or Options(candidates=len(drafts), rounds=0, seed=7)
    return decide(Team(model, reviewer), scenario, PROFILE, options), model, reviewer


def test_the_lowest_risk_is_chosen() -> None:
    session, _, _ = run([CALL, LETTER], {CALL: Risk.HIGH, LETTER: Risk.LOW})

    plan = session.state.plan
    assert plan is not None
    assert session.candidates[plan.candidate].text == LETTER
    assert plan.why.startswith("LOW risk, the lowest level of what is acceptable")


def test_among_equal_risks_the_highest_alignment_is_chosen() -> None:
    model = FakeModel([LETTER, INVITE])
    reviewer = FakeJudge(
        {
            LETTER: judgement(LETTER, scores={CONSENT: 0.6, HONESTY: 0.6}),
            INVITE: judgement(INVITE, scores={CONSENT: 0.7, HONESTY: 0.6}),
        }
    )

    session = decide(Team(model, reviewer), SCENARIO, PROFILE, Options(candidates=2, rounds=0))

    assert session.state.plan is not None
    assert session.state.plan.candidate == "c2"


@pytest.mark.parametrize("risk", [Risk.MED, Risk.HIGH, None])
def test_where_nothing_is_acceptable_there_is_no_plan_and_it_is_said_why(
    risk: Risk | None,
) -> None:
    session, _, _ = run([CALL, LETTER], {CALL: risk, LETTER: risk})

    plan = session.state.plan
    assert plan is not None
    assert (plan.candidate, plan.text) == ("", "")
    assert "would approve none of the candidates" in plan.why


def test_without_any_candidate_there_is_no_plan_and_it_is_said_why() -> None:
    session, _, reviewer = run(["", *["Do it."] * 2], {}, options=Options(candidates=1))

    assert session.state.plan is not None
    assert session.state.plan.why == "there was no candidate to choose from"
    assert reviewer.calls == []
    assert any(record.table["kind"] == "failed" for record in session.records)


def test_what_is_written_is_judged_before_anything_is_written_again() -> None:
    model = FakeModel([CALL, "", LETTER])
    reviewer = FakeJudge({CALL: judgement(CALL, Risk.HIGH), LETTER: judgement(LETTER)})
    when: list[tuple[str, int]] = []

    session = decide(
        Team(model, reviewer),
        SCENARIO,
        PROFILE,
        Options(candidates=2, rounds=0),
        watch=Watch(lambda note: when.append((type(note).__name__, len(model.seeds)))),
    )

    assert [name for name in when if name[0] == "Measured"] == [("Measured", 1), ("Measured", 2)]
    assert [one.text for one in session.candidates.values()] == [CALL, LETTER]


def test_what_the_judge_would_not_approve_is_re_aligned_and_judged_again() -> None:
    session, model, _ = run(
        [CALL, BETTER],
        {CALL: Risk.HIGH, BETTER: Risk.LOW},
        options=Options(candidates=1, rounds=1, rewrites=1),
    )

    candidate = session.candidates["c1"]
    assert [revision.text for revision in candidate.revisions] == [CALL, BETTER]
    assert candidate.current.origin.source is Source.ALIGNER
    assert session.verdict("c1").risk is Risk.LOW
    assert session.state.plan is not None
    assert session.state.plan.text == candidate.current.digest
    assert not model.drafts


def test_what_the_judge_would_approve_is_left_alone() -> None:
    session, model, _ = run(
        [LETTER], {LETTER: Risk.LOW}, options=Options(candidates=1, rounds=3, rewrites=2)
    )

    assert len(session.candidates["c1"].revisions) == 1
    assert len(model.asked) == 1


def test_re_aligning_goes_on_for_as_many_rounds_as_asked_while_it_helps() -> None:
    session, model, _ = run(
        [CALL, INVITE, BETTER],
        {CALL: Risk.HIGH, INVITE: Risk.MED, BETTER: Risk.LOW},
        options=Options(candidates=1, rounds=5, rewrites=1),
    )

    assert [revision.text for revision in session.candidates["c1"].revisions] == [
        CALL, INVITE, BETTER,
    ]  # fmt: skip
    assert len({seeds[0] for seeds in model.seeds}) == 3


def test_a_text_that_stays_as_it_is_says_why() -> None:
    session, _, _ = run(
        [CALL, ""], {CALL: Risk.HIGH}, options=Options(candidates=1, rounds=4, rewrites=1)
    )

    assert session.candidates["c1"].text == CALL
    assert session.candidates["c1"].trouble == "no rewrite could be used"


def test_candidates_handed_in_are_judged_and_none_is_proposed_unasked() -> None:
    session, model, reviewer = run(
        [],
        {CALL: Risk.HIGH, LETTER: Risk.LOW},
        handed_in(CALL, LETTER),
        Options(rounds=0),
    )

    assert model.asked == []
    assert reviewer.calls == [[CALL, LETTER]]
    assert [one.origin.name for one in session.candidates.values()] == ["crm-agent"] * 2


def test_models_settings_seed_and_timings_are_noted() -> None:
    session, _, _ = run([LETTER], {LETTER: Risk.LOW})

    assert session.state.settings == {"candidates": 1, "rounds": 0, "rewrites": 4, "seed": 7}
    assert {role: used.name for role, used in session.state.models.items()} == {
        "policy": "fake",
        "judge": "fake",
    }
    last = session.records[-1].event
    assert isinstance(last, Chosen)
    assert set(last.timings) == {"propose_s", "judge_s", "align_s", "total_s"}


def test_a_judge_that_fails_leaves_its_text_unjudged_and_the_others_judged() -> None:
    session, _, _ = run([CALL, LETTER], {CALL: None, LETTER: Risk.LOW})

    assert session.verdict("c1").risk is Risk.UNJUDGED
    assert session.candidates["c1"].trouble != ""
    assert session.state.plan is not None
    assert session.state.plan.candidate == "c2"


def test_cancelling_raises_and_gives_no_half_a_decision() -> None:
    with pytest.raises(Cancelled):
        decide(
            Team(FakeModel([LETTER]), FakeJudge({})),
            SCENARIO,
            PROFILE,
            Options(candidates=1),
            watch=Watch(cancelled=lambda: True),
        )
