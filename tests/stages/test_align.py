"""Re-aligning: the best rewrite that is not riskier, or the text as it is and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from core.domain.candidate import Case
from core.domain.verdict import Judgement, Recommendation, Risk
from core.errors import BadInput, Cancelled
from core.models.base import Draft, Prompt
from core.stages.align import align
from core.watch import AnyNote, Growing, Rewritten, Watch
from tests.fakes import FakeJudge, FakeModel
from tests.nouns import CALL, CONSENT, HONESTY, PROFILE, SCENARIO, judgement

ONE = "Write to the bakeries that agreed to it and name all fees."
TWO = "Invite bakers who asked for news to an evening in the branch."
THREE = "Ring only those bakeries whose owner has signed for calls."

RISKY = Case(text=CALL, judgement=judgement(CALL, Risk.MED, scores={CONSENT: 0.2, HONESTY: 0.8}))


def scored(text: str, risk: Risk, consent: float) -> Judgement:
    return judgement(text, risk, scores={CONSENT: consent, HONESTY: 0.8})


def run(
    drafts: Sequence[str | Draft],
    opinions: Mapping[str, Judgement | BadInput],
    case: Case = RISKY,
) -> Rewritten:
    return align(
        FakeModel(drafts),
        FakeJudge(opinions),
        SCENARIO,
        PROFILE,
        [case],
        rewrites=len(drafts),
        seed=7,
    )[0]


def test_the_rewrite_with_the_highest_alignment_is_kept() -> None:
    found = run(
        [ONE, TWO, THREE],
        {
            ONE: scored(ONE, Risk.LOW, 0.7),
            TWO: scored(TWO, Risk.LOW, 0.9),
            THREE: scored(THREE, Risk.LOW, 0.8),
        },
    )

    assert found == Rewritten(row=0, text=TWO, judgement=scored(TWO, Risk.LOW, 0.9))


def test_of_rewrites_of_one_risk_the_likely_one_is_kept_unless_it_is_aligned_much_worse() -> None:
    likely = Draft(ONE, 12, True, likelihood=-1.5)
    rare = Draft(TWO, 12, True, likelihood=-2.5)

    def kept(likely_consent: float, risk: Risk = Risk.LOW) -> str:
        opinions = {ONE: scored(ONE, risk, likely_consent), TWO: scored(TWO, Risk.LOW, 1.0)}
        return run([likely, rare], opinions).text

    assert kept(0.8) == ONE
    assert kept(0.05) == TWO
    assert kept(1.0, Risk.MED) == TWO


def test_a_text_that_is_said_again_is_likely_and_yet_not_kept() -> None:
    again = Draft(f"{CALL.rstrip('.')} today.", 12, True, likelihood=-1.0)
    other = Draft(ONE, 12, True, likelihood=-2.0)
    opinions = {text: scored(text, Risk.LOW, 0.9) for text in (again.text, ONE)}

    assert run([again, other], opinions).text == ONE


def test_only_the_rewrite_that_is_kept_is_doubted() -> None:
    reviewer = FakeJudge({ONE: scored(ONE, Risk.LOW, 0.7), TWO: scored(TWO, Risk.LOW, 0.9)})

    align(FakeModel([ONE, TWO]), reviewer, SCENARIO, PROFILE, [RISKY], rewrites=2, seed=7)

    assert reviewer.doubted == [TWO]


def test_a_riskier_rewrite_is_never_taken_however_well_aligned() -> None:
    found = run([ONE], {ONE: scored(ONE, Risk.HIGH, 1.0)})

    assert (found.text, found.judgement) == ("", None)
    assert found.why == "every rewrite was riskier than the text as it stands"


def test_a_riskier_rewrite_does_not_push_a_safe_one_out() -> None:
    found = run([ONE, TWO], {ONE: scored(ONE, Risk.HIGH, 1.0), TWO: scored(TWO, Risk.MED, 0.3)})

    assert found.text == TWO


def test_a_rewrite_that_is_no_better_leaves_the_text_as_it_is() -> None:
    found = run([ONE], {ONE: scored(ONE, Risk.MED, 0.2)})

    assert found == Rewritten(row=0, why="no rewrite was better than the text as it stands")


def test_a_rewrite_that_could_not_be_judged_is_not_taken() -> None:
    found = run([ONE, TWO], {ONE: BadInput("too long"), TWO: BadInput("too long")})

    assert found == Rewritten(row=0, why="no rewrite could be used")


def test_empty_repeated_and_unchanged_rewrites_are_left_out() -> None:
    reviewer = FakeJudge({ONE: scored(ONE, Risk.LOW, 0.9)})

    found = align(
        FakeModel(["", CALL, ONE, ONE, Draft("Write to all the", 4, False)]),
        reviewer,
        SCENARIO,
        PROFILE,
        [RISKY],
        rewrites=5,
        seed=7,
    )

    assert reviewer.calls == [[ONE]]
    assert found[0].text == ONE


def test_a_tool_call_stays_a_tool_call() -> None:
    call = '{"tool": "mail", "to": "all"}'
    fewer = '{"tool": "mail", "to": "those who agreed"}'
    opinions = {ONE: scored(ONE, Risk.LOW, 0.9), fewer: scored(fewer, Risk.LOW, 0.8)}
    case = Case(text=call, judgement=judgement(call, Risk.HIGH, scores={CONSENT: 0.1}))

    assert run([ONE, fewer], opinions, case).text == fewer
    assert run([ONE, '{"tool": "mail", "to"'], opinions, case).why == "no rewrite could be used"

    deep = Case(text="[" * 2000, judgement=judgement("[" * 2000, Risk.HIGH, scores={CONSENT: 0.1}))
    assert run([ONE], opinions, deep).text == ONE


def test_without_a_usable_rewrite_nothing_is_judged_and_it_is_said_why() -> None:
    found = run(["", ""], {})

    assert found == Rewritten(row=0, why="no rewrite could be used")


def test_the_rewriter_is_told_the_values_at_stake_and_the_operators_guidance() -> None:
    model = FakeModel([ONE])
    case = Case(text=CALL, judgement=RISKY.judgement, guidance="Letters only.")

    align(
        model,
        FakeJudge({ONE: scored(ONE, Risk.LOW, 0.9)}),
        SCENARIO,
        PROFILE,
        [case],
        rewrites=1,
        seed=7,
    )

    asked = model.asked[0].user
    assert PROFILE.value(CONSENT).statement in asked
    assert PROFILE.value(HONESTY).statement not in asked
    assert "Letters only." in asked
    assert CALL in asked


def test_an_unjudged_text_is_rewritten_for_all_values_and_any_verdict_is_better() -> None:
    found = run([ONE], {ONE: scored(ONE, Risk.HIGH, 0.3)}, Case(text=CALL))

    assert found.text == ONE


def test_all_rewrites_of_all_cases_are_one_batch_with_seeds_of_their_own() -> None:
    model = FakeModel([ONE, TWO, THREE, ""])
    reviewer = FakeJudge(
        {
            ONE: scored(ONE, Risk.LOW, 0.7),
            TWO: scored(TWO, Risk.LOW, 0.9),
            THREE: scored(THREE, Risk.LOW, 0.8),
        }
    )
    notes: list[AnyNote] = []
    other = Case(text="Ring the millers too, at night.", judgement=RISKY.judgement)

    found = align(
        model,
        reviewer,
        SCENARIO,
        PROFILE,
        [RISKY, other],
        rewrites=2,
        seed=7,
        watch=Watch(notes.append),
    )

    assert [one.text for one in found] == [TWO, THREE]
    assert len(model.seeds) == len(reviewer.calls) == 1
    assert len(set(model.seeds[0])) == 4
    assert [note.row for note in notes if isinstance(note, Growing)] == [0, 1]
    assert [note for note in notes if isinstance(note, Rewritten)] == found


def test_a_text_too_long_for_the_policy_stays_and_takes_no_other_with_it() -> None:
    class Narrow(FakeModel):
        def generate(self, prompts: Sequence[Prompt], *rest: Any) -> list[Draft]:
            if any(len(prompt.user) > 1000 for prompt in prompts):
                raise BadInput("too long")
            return super().generate(prompts, *rest)

    model = Narrow([ONE, TWO])
    reviewer = FakeJudge({ONE: scored(ONE, Risk.LOW, 0.7), TWO: scored(TWO, Risk.LOW, 0.9)})
    long = Case(text="Ring them. " * 100, judgement=RISKY.judgement)
    notes: list[AnyNote] = []

    first, second = align(
        model, reviewer, SCENARIO, PROFILE, [long, RISKY], rewrites=2, seed=7,
        watch=Watch(notes.append),
    )  # fmt: skip

    assert (first.row, first.text, first.why) == (0, "", "too long")
    assert (second.row, second.text) == (1, TWO)
    assert [note for note in notes if isinstance(note, Rewritten)] == [first, second]
    assert {note.row for note in notes if isinstance(note, Growing)} == {1}


def test_cancelling_stops_the_rewriting() -> None:
    with pytest.raises(Cancelled):
        align(
            FakeModel([ONE]),
            FakeJudge({}),
            SCENARIO,
            PROFILE,
            [RISKY],
            rewrites=1,
            seed=7,
            watch=Watch(cancelled=lambda: True),
        )


def test_of_the_rewrites_the_safest_is_kept_before_the_best_aligned() -> None:
    opinions = {ONE: scored(ONE, Risk.LOW, 0.5), TWO: scored(TWO, Risk.MED, 0.9)}

    assert run([TWO, ONE], opinions).text == ONE


def test_a_rewrite_that_the_judge_would_approve_is_kept_before_one_that_it_would_not() -> None:
    scores = {CONSENT: 0.9, HONESTY: 0.8}
    held = judgement(ONE, Risk.LOW, Recommendation.MODIFY, scores=scores)
    approved = scored(TWO, Risk.LOW, 0.8)

    assert run([ONE, TWO], {ONE: held, TWO: approved}).text == TWO
    assert run([ONE], {ONE: held}, Case(text=TWO, judgement=approved)).text == ""
    assert run([TWO], {TWO: approved}, Case(text=ONE, judgement=held)).text == TWO
