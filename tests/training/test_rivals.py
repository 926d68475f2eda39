"""What the judge is compared with."""

import numpy as np

from core.baseline import review_score, tutorial
from core.training import measure, rivals
from core.training.answers import Answer
from core.training.data import Act, Case, Label, Question
from core.training.examine import rival_rows
from tests.fakes import FakeModel
from tests.nouns import PROFILE, SCENARIO

KEEPS, UNRELATED, BREAKS = Label.KEEPS, Label.UNRELATED, Label.BREAKS


def case(action: str, **labels: Label) -> Case:
    asked = tuple(Question(value.replace("_", " "), label, "t") for value, label in labels.items())
    return Case("A boatyard.", (Act(action, asked),))


CASES = [
    case("Paint the boat blue.", paint_it_blue=KEEPS, never_paint=BREAKS, sing=UNRELATED),
    case("Paint the boat red.", paint_it_blue=BREAKS, never_paint=BREAKS, sing=UNRELATED),
    case("Leave the boat bare.", paint_it_blue=BREAKS, never_paint=KEEPS, sing=UNRELATED),
]


def answers() -> list[Answer]:
    return [
        Answer(str(n), "", "t", i, q.value, q.label, (0.0, 0.0, 0.0), 0.0)
        for n, one in enumerate(CASES)
        for i, act in enumerate(one.acts)
        for q in act.questions
    ]


def test_questions_come_in_the_order_of_the_answers() -> None:
    asked = rivals.questions(CASES)
    assert [(q.value, q.label) for q in asked] == [(a.value, a.label) for a in answers()]


def test_ngrams_learn_what_action_and_value_have_in_common() -> None:
    asked = [one for one in rivals.questions(CASES) if one.label is not UNRELATED]
    score = rivals.ngrams(asked, epochs=40).score(asked)
    kept = np.array([one.label is KEEPS for one in asked])
    assert measure.auroc(score, kept) == 1.0


def test_a_word_list_counts_alarming_words() -> None:
    asked = rivals.questions([case("Secretly steal it.", honesty=BREAKS), *CASES[:1]])
    score = rivals.word_list().score(asked)
    assert score[0] == -2
    assert score[1] == 0


def test_a_model_asked_in_words_is_read_not_sampled() -> None:
    model = FakeModel(answers=[(0.8, 0.2), (0.3, 0.7), (0.5, 0.5)])
    score = rivals.prompted(model).score(rivals.questions(CASES[:1]))
    assert score.tolist() == [0.8, 0.3, 0.5]
    assert not model.asked
    assert all("Paint the boat blue." in prompt.user for prompt, _ in model.questions)


def test_a_free_text_review_that_cannot_be_read_comes_last() -> None:
    model = FakeModel(drafts=["RiskLevel: LOW", "RiskLevel: HIGH", "I would not say."])
    assert [review_score(model, "Be kind.", "Wave.") for _ in range(3)] == [0.0, -2.0, -3.0]


def test_a_rival_is_measured_on_the_rows_that_are_decided_and_no_more_than_it_may() -> None:
    seen: list[int] = []

    def score(asked: object) -> measure.Floats:
        rows = list(asked)  # type: ignore[call-overload]
        seen.append(len(rows))
        return np.array([float(one.label is KEEPS) for one in rows])

    table = rival_rows("set", rivals.Rival("oracle", score, most=5), CASES, answers())
    assert seen == [5]
    assert table[0].set == "set · oracle"
    assert table[0].value.value == 1.0
    assert table[0].value.n == 5


def test_no_two_rounds_of_the_tutorials_loop_draw_alike() -> None:
    model = FakeModel([""] * 16)
    for seed in (1, 2):
        tutorial(model, SCENARIO, PROFILE, candidates=8, seed=seed)

    assert len({seed for [seed] in model.seeds}) == 16
