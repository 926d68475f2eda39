"""Judging: probabilities of allowed answers, and no verdict where there is none."""

from collections.abc import Sequence
from math import inf, nan

import msgspec
import pytest

from core.domain.verdict import Judgement, Recommendation, Risk, assess
from core.errors import BadInput, Cancelled
from core.models.base import Draft, Prompt
from core.stages.judge import QUESTIONS, PromptedJudge, judge
from core.stages.prompts import RECOMMENDATIONS, RISKS, YES_NO
from core.watch import AnyNote, Measured, Progress, Watch
from tests.fakes import USED, FakeJudge, FakeModel
from tests.nouns import CALL, CONSENT, HONESTY, LETTER, PROFILE, SCENARIO, judgement

TOO_LONG = BadInput(
    "it comes to 900 tokens; fake reads at most 512", where="scenario", mend="Shorten it."
)


def test_every_text_gets_its_judgement_in_order() -> None:
    reviewer = FakeJudge({LETTER: judgement(LETTER), CALL: judgement(CALL, Risk.HIGH)})
    notes: list[AnyNote] = []

    found = judge(reviewer, SCENARIO, PROFILE, [CALL, LETTER], watch=Watch(notes.append))

    assert found == [judgement(CALL, Risk.HIGH), judgement(LETTER)]
    assert notes == [Measured(row=row, judgement=one) for row, one in enumerate(found)]
    assert reviewer.calls == [[CALL, LETTER]]


def test_a_text_that_does_not_fit_is_unjudged_and_takes_no_other_with_it() -> None:
    reviewer = FakeJudge({LETTER: judgement(LETTER), CALL: TOO_LONG})
    notes: list[AnyNote] = []

    found = judge(reviewer, SCENARIO, PROFILE, [CALL, LETTER], watch=Watch(notes.append))

    assert found == [None, judgement(LETTER)]
    assert notes[0] == Measured(row=0, problem=f"scenario: {TOO_LONG.problem}. Shorten it.")


def test_a_text_that_does_not_fit_is_told_of_in_whole_sentences_though_nothing_mends_it() -> None:
    notes: list[AnyNote] = []

    judge(
        FakeJudge({CALL: BadInput("it is too long")}),
        SCENARIO,
        PROFILE,
        [CALL],
        watch=Watch(notes.append),
    )

    assert notes == [Measured(row=0, problem="it is too long")]


def test_what_was_measured_before_a_text_that_does_not_fit_is_told_once() -> None:
    class OneByOne(FakeJudge):
        def measure(self, rows, profile, watch, *, doubt=True):  # type: ignore[no-untyped-def]
            for row in rows:
                yield from super().measure([row], profile, watch)

    notes: list[AnyNote] = []
    reviewer = OneByOne({LETTER: judgement(LETTER), CALL: TOO_LONG})

    found = judge(reviewer, SCENARIO, PROFILE, [LETTER, CALL, LETTER], watch=Watch(notes.append))

    assert found == [judgement(LETTER), None, judgement(LETTER)]
    assert [note.row for note in notes if isinstance(note, Measured)] == [0, 1, 2]


@pytest.mark.parametrize("number", [nan, inf, -0.1, 1.1])
@pytest.mark.parametrize("part", ["harm", "scores", "breaks", "risk", "recommendation"])
def test_numbers_that_are_none_leave_a_text_unjudged(part: str, number: float) -> None:
    changed = {
        "harm": number,
        "scores": {CONSENT: 0.5, HONESTY: number},
        "breaks": {CONSENT: 0.5, HONESTY: number},
        "risk": {Risk.LOW: number, Risk.MED: 0.0, Risk.HIGH: 0.0},
        "recommendation": {**dict.fromkeys(Recommendation, 0.0), Recommendation.APPROVE: number},
    }[part]
    broken: Judgement = msgspec.structs.replace(judgement(LETTER), **{part: changed})
    notes: list[AnyNote] = []

    found = judge(
        FakeJudge({LETTER: broken}), SCENARIO, PROFILE, [LETTER], watch=Watch(notes.append)
    )

    assert found == [None]
    problem = "the judge gave numbers that are none, or not all of them"
    assert notes == [Measured(row=0, problem=problem)]


def test_cancelling_stops_the_judging() -> None:
    with pytest.raises(Cancelled):
        judge(
            FakeJudge({LETTER: judgement(LETTER)}),
            SCENARIO,
            PROFILE,
            [LETTER],
            watch=Watch(cancelled=lambda: True),
        )


# The prompted judge


def prompted(model: FakeModel, *texts: str) -> list[Judgement | None]:
    return judge(PromptedJudge(model), SCENARIO, PROFILE, texts)


def test_a_prompted_judge_asks_one_question_a_value_and_one_each_for_risk_and_advice() -> None:
    model = FakeModel(answers=[[0.9, 0.1], [0.3, 0.7], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])

    found = prompted(model, LETTER)[0]

    assert found is not None
    assert [answers for _, answers in model.questions] == [YES_NO, YES_NO, RISKS, RECOMMENDATIONS]
    for (prompt, _), value in zip(model.questions, PROFILE.values, strict=False):
        assert value.statement in prompt.user.partition("Action:")[2]
    assert all(LETTER in prompt.user for prompt, _ in model.questions)
    assert found.scores == {CONSENT: 0.9, HONESTY: 0.3}
    assert found.risk == {Risk.LOW: 0.7, Risk.MED: 0.2, Risk.HIGH: 0.1}
    assert found.harm == pytest.approx(0.2)
    assert assess(found, PROFILE).acceptable
    assert "P(yes | consent) = 0.9000" in found.raw
    assert found.explanation == ""


def test_a_judgement_is_bound_to_the_text_the_values_and_the_scenario() -> None:
    found = prompted(FakeModel(answers=[[1, 0], [1, 0], [1, 0, 0], [1, 0, 0]]), LETTER)[0]

    assert found is not None
    expected = judgement(LETTER)
    assert (found.text, found.profile, found.scenario) == (
        expected.text, expected.profile, expected.scenario,
    )  # fmt: skip


def test_a_sentence_explains_what_would_not_be_approved_and_changes_no_number() -> None:
    answers = [[0.2, 0.8], [0.3, 0.7], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]
    silent = judge(
        PromptedJudge(FakeModel(answers=answers), explain=False), SCENARIO, PROFILE, [CALL]
    )[0]
    told = prompted(FakeModel(["Nobody has agreed. RiskLevel: LOW"], answers), CALL)[0]

    assert silent is not None
    assert told is not None
    assert told.explanation == "Nobody has agreed. RiskLevel: LOW"
    assert assess(told, PROFILE).risk is Risk.HIGH
    assert msgspec.structs.replace(told, explanation="") == silent


def test_advice_as_likely_to_change_as_to_approve_is_explained_too() -> None:
    answers = [[0.8, 0.2], [0.7, 0.3], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2]]

    found = prompted(FakeModel(["Nobody has agreed."], answers), CALL)[0]

    assert found is not None
    assert found.explanation == "Nobody has agreed."
    assert not assess(found, PROFILE).acceptable


def test_values_without_weight_are_scored_and_shown_for_a_verdict_holds_for_any_weights() -> None:
    profile = PROFILE.with_weights({HONESTY: 0.0})
    model = FakeModel(answers=[[1, 0], [0, 1], [1, 0, 0], [1, 0, 0]])

    found = judge(PromptedJudge(model), SCENARIO, profile, [LETTER])[0]

    assert found is not None
    assert set(found.scores) == {CONSENT, HONESTY}
    assert all(value.statement in model.questions[2][0].user for value in PROFILE.values)


def test_a_judge_asked_in_words_judges_many_texts_in_order_and_tells_of_the_first_early() -> None:
    class Even:
        """Answers by the action, and notes what else was asked at once."""

        used, many = USED, list[int]()

        def choose(
            self, asked: Sequence[Prompt], answers: Sequence[str], watch: Watch
        ) -> list[list[float]]:
            self.many.append(len(asked))
            for done in (1, 2):
                watch.say(Progress(stage="read", done=done, total=2, tokens_done=done))
            sure = [0.2 if "Ring" in one.user else 0.9 for one in asked]
            return [[one, *[(1 - one) / (len(answers) - 1)] * (len(answers) - 1)] for one in sure]

        def generate(self, asked: Sequence[Prompt], *_: object) -> list[Draft]:
            return [Draft(f"About {one.user.count('Ring')}.", 2, True) for one in asked]

    model, notes = Even(), list[AnyNote]()
    texts = [CALL if row % 3 else LETTER for row in range(100)]
    reviewer = PromptedJudge(model)  # type: ignore[arg-type]

    found = judge(reviewer, SCENARIO, PROFILE, texts, watch=Watch(notes.append))

    one_by_one = [judge(reviewer, SCENARIO, PROFILE, [text])[0] for text in (LETTER, CALL)]
    assert found == [one_by_one[1] if row % 3 else one_by_one[0] for row in range(100)]
    assert found[1] is not None and found[1].explanation == "About 1."
    first = next(place for place, note in enumerate(notes) if isinstance(note, Measured))
    shares = [note.done / note.total for note in notes if isinstance(note, Progress)]
    assert max(note.done / note.total for note in notes[:first] if isinstance(note, Progress)) < 0.3
    assert shares == sorted(shares) and shares[-1] > 0.95
    assert 20 <= max(model.many) <= QUESTIONS
