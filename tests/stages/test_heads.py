"""The trained judge as a stage, over a model that scores by words."""

from collections.abc import Sequence
from math import nan

import pytest

from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.domain.verdict import Risk, RiskRule, assess
from core.models.trained import Measure, Tree
from core.session.events import ModelUsed
from core.stages.heads import TREE_TOKENS, HeadsJudge
from core.stages.judge import judge_rows
from core.watch import SILENT, AnyNote, Progress, Watch

PROFILE = Profile(
    name="two",
    values=(
        Value(id="phone", statement="Never by telephone."),
        Value(id="plain", statement="Plain words."),
    ),
)
SCENARIO = Scenario(goal="Reach the customers.", context="A shop.")


class Words:
    """A judge that counts words: `telephone` breaks the first value, `maybe` is a close call."""

    rule = RiskRule(harm=0.0, peak=10.0, mean=0.0, bias=-5.0, med=0.3, high=0.7)

    def __init__(self) -> None:
        self.trees: list[tuple[str, list[str], bool]] = []
        self.asked: list[tuple[str, tuple[str, ...], bool]] = []

    def windows(self, text: str, window: int, stride: int) -> list[str]:
        words = text.split()
        return [" ".join(words[at : at + window]) for at in range(0, max(len(words), 1), stride)]

    def tokens(self, action: str, statements: Sequence[str]) -> int:
        return len(action.split()) + 25 * len(statements)

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        for context, questions in trees:
            self.trees.append((context, [action for action, _ in questions], second))
            self.asked += [(action, statements, second) for action, statements in questions]
        return [
            [self._one(action, statements, second) for action, statements in questions]
            for _, questions in trees
        ]

    @staticmethod
    def _one(action: str, statements: Sequence[str], second: bool) -> Measure:
        phone = 0.1 if "telephone" in action else 0.9
        if "maybe" in action:
            phone = 0.55 if not second else 0.45
        if "unread" in action:
            phone = 0.55 if not second else nan
        scores = [phone if "telephone" in statement else 0.9 for statement in statements]
        breaks = [1 - score for score in scores]
        none = {part: nan for part in ("score", "break", "harm") if f"no {part}" in action}
        return Measure(
            scores=[none.get("score", score) for score in scores],
            breaks=[none.get("break", chance) for chance in breaks],
            harm=none.get("harm", 0.1),
        )


def judged(model: Words | None = None) -> HeadsJudge:
    return HeadsJudge(model or Words(), ModelUsed(name="words"))  # type: ignore[arg-type]


def test_the_weighted_worst_violation_makes_the_risk() -> None:
    [measured] = judged().measure([(SCENARIO, "Ring them by telephone now.")], PROFILE, SILENT)

    assert assess(measured, PROFILE).risk is Risk.HIGH
    assert assess(measured, PROFILE.with_weights({"phone": 0.0})).risk is Risk.LOW


def test_a_breach_at_the_end_of_a_long_action_counts() -> None:
    text = "Write a letter. " * 200 + "Then ring them by telephone."
    [measured] = judged().measure([(SCENARIO, text)], PROFILE, SILENT)

    assert measured.scores["phone"] == 0.1
    assert assess(measured, PROFILE).risk is Risk.HIGH


@pytest.mark.parametrize("part", ["score", "break", "harm"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_window_that_gives_no_number_leaves_the_action_unjudged(part: str, place: str) -> None:
    letters = "Write a letter. " * 200
    text = f"{letters}no {part}" if place == "last" else f"no {part} {letters}"

    assert judge_rows(judged(), [(SCENARIO, text)], PROFILE) == [None]


def test_a_second_reading_that_gives_no_number_is_marked_unstable() -> None:
    [found] = judged().measure([(SCENARIO, "This fits, unread.")], PROFILE, SILENT)

    assert found.unstable == ("phone",)


def test_a_verdict_that_flips_under_another_wording_is_marked_unstable() -> None:
    shaky, firm = judged().measure(
        [(SCENARIO, "This maybe fits."), (SCENARIO, "Send a letter.")], PROFILE, SILENT
    )

    assert shaky.unstable == ("phone",)
    assert firm.unstable == ()


def test_only_close_calls_are_read_a_second_time() -> None:
    model = Words()
    judge_rows(
        judged(model), [(SCENARIO, "This maybe fits."), (SCENARIO, "Send a letter.")], PROFILE
    )

    assert [actions for _, actions, second in model.trees if second] == [["This maybe fits."]]


def test_neighbours_in_one_context_share_a_tree_up_to_its_bound() -> None:
    model = Words()
    rows = [(SCENARIO, f"Send letter number {number}.") for number in range(30)]
    judge_rows(judged(model), rows, PROFILE)

    statements = [value.statement for value in PROFILE.values]
    sizes = [
        sum(model.tokens(action, statements) for action in actions) for _, actions, _ in model.trees
    ]
    assert TREE_TOKENS / 2 < max(sizes) <= TREE_TOKENS


def test_many_values_are_read_in_pieces_and_put_together_in_order() -> None:
    """Attention grows with the square of a tree."""
    model = Words()
    values = tuple(
        Value(id=f"v{n}", statement="Never by telephone." if n == 17 else f"Rule number {n}.")
        for n in range(32)
    )
    rows = [(SCENARIO, "Use the telephone."), (SCENARIO, "Send a letter.")]
    first, other = judge_rows(judged(model), rows, Profile(name="many", values=values))

    assert first is not None and other is not None
    assert first.scores == {f"v{n}": 0.1 if n == 17 else 0.9 for n in range(32)}
    assert set(other.scores.values()) == {0.9}
    pieces = [statements for _, statements, _ in model.asked]
    assert max(25 * len(statements) for statements in pieces) <= TREE_TOKENS
    assert {len(statements) for statements in pieces} == {8}


def test_in_a_second_reading_the_context_counts_below_every_action() -> None:
    model = Words()
    there = Scenario(goal="Reach the customers.", context="A shop. " * 60)
    rows = [(there, f"This maybe fits {n}.") for n in range(4)]

    [*judged(model).measure(rows, PROFILE, SILENT)]

    assert max(len(actions) for _, actions, second in model.trees if second) == 1
    assert max(len(actions) for _, actions, second in model.trees if not second) > 1


def test_the_first_verdict_comes_before_the_other_actions_are_read() -> None:
    model = Words()
    rows = [(SCENARIO, f"Send letter number {number}, maybe.") for number in range(30)]

    first = next(iter(judged(model).measure(rows, PROFILE, SILENT)))

    assert first.unstable == ("phone",)
    assert sum(len(actions) for _, actions, second in model.trees if not second) < 6


def test_without_doubt_nothing_is_read_twice_and_what_is_doubted_later_is_told_alike() -> None:
    model = Words()
    rows = [(SCENARIO, "This maybe fits."), (SCENARIO, "Send a letter.")]

    quick = [*judged(model).measure(rows, PROFILE, SILENT, doubt=False)]

    assert not any(second for _, _, second in model.trees)
    assert [one.unstable for one in quick] == [(), ()]
    assert judged(model).doubt(rows, quick, PROFILE, SILENT) == judge_rows(judged(), rows, PROFILE)
    said: list[AnyNote] = []
    judged(model).doubt(rows, quick, PROFILE, Watch(said.append))
    last = said[-1]
    assert isinstance(last, Progress) and last.done == last.total == 2


def test_the_time_left_counts_how_long_the_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("core.stages.heads.time.monotonic", lambda: float(next(clock)))
    heard: list[AnyNote] = []
    rows = [(SCENARIO, "word " * many) for many in (350, 350, 3950)]

    judge_rows(judged(), rows, PROFILE, watch=Watch(heard.append))

    told: dict[int, float] = {}
    for note in heard:
        if isinstance(note, Progress):
            told.setdefault(note.done, note.seconds_left)
    assert told == {0: 0.0, 1: pytest.approx(3 * (400 + 4000) / 400), 2: told[2], 3: 0.0}
    assert told[2] == pytest.approx(6 * 4000 / 800)


def test_rows_of_several_contexts_keep_their_order() -> None:
    rows = [
        (Scenario(goal="A.", context=f"Place {number % 3}."), f"Send letter {number}.")
        for number in range(9)
    ]
    rows[4] = (rows[4][0], "Ring by telephone.")
    found = judge_rows(judged(), rows, PROFILE)

    assert [one.scores["phone"] if one else None for one in found].index(0.1) == 4
    assert [one.scenario for one in found if one] == [scenario.digest for scenario, _ in rows]


def test_only_the_values_that_are_close_calls_are_read_a_second_time() -> None:
    model = Words()

    judge_rows(
        judged(model),
        [(SCENARIO, "Ring them maybe tomorrow."), (SCENARIO, "Write to all of them.")],
        PROFILE,
    )

    assert [one for one in model.asked if one[2]] == [
        ("Ring them maybe tomorrow.", ("Never by telephone.",), True)
    ]
