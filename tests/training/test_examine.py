"""The judge's table, on rows few enough to work out by hand, and how rows are read for it."""

import json
from collections.abc import Mapping, Sequence
from math import inf, log, nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.domain.scenario import Scenario
from core.errors import BadInput, ModelProblem
from core.models.cache import Prefixes
from core.models.foreign import load_trunk
from core.models.judge_model import JudgeModel, Reading, load_tokenize
from core.models.readout import Asked, Calibration, Heads, action_segment, value_segment
from core.models.trained import TrainedJudge
from core.models.trees import size
from core.stages.heads import TREE_TOKENS, HeadsJudge
from core.training import examine, rivals
from core.training.answers import TREE, Answer, put, whole_actions
from core.training.data import Act, Case, Label, Question
from core.training.labelled import read_labelled
from core.watch import SILENT, Watch
from tests.nouns import PROFILE

Opinions = Mapping[tuple[str, str], tuple[float, float, float]]
KEEPS, BREAKS = Label.KEEPS, Label.BREAKS


class Opinionated:
    """A judge whose chances of each action under each value are known."""

    calibration = Calibration()
    room = 100

    def __init__(self, chances: Opinions, harm: Mapping[str, float]) -> None:
        self.respect = {
            (action_segment(action), value_segment(value)): [log(chance) for chance in told]
            for (action, value), told in chances.items()
        }
        self.harm = {action_segment(action): log(p / (1 - p)) for action, p in harm.items()}
        self.texts: list[str] = []

    def tokenize(self, text: str) -> list[int]:
        self.texts.append(text)
        return [len(self.texts) - 1]

    def read(self, asked: Sequence[Asked], watch: Watch) -> list[Reading]:
        found = []
        for one in asked:
            told = [self.texts[node.tokens[0]] for node in one.tree]
            asked_at, about = one.questions
            respect = [
                self.respect[told[end], told[leaf]]
                for leaf, end in zip(asked_at, about, strict=True)
            ]
            harm = [self.harm[told[end]] for end in one.actions]
            found.append(Reading(torch.tensor(respect), torch.tensor(harm)))
        return found


CHANCES = {
    ("Write.", "On paper."): (0.8, 0.1, 0.1),  # a score of .87
    ("Write.", "At once."): (0.5, 0.2, 0.3),  # .64
    ("Ring.", "On paper."): (0.1, 0.1, 0.8),  # .17
    ("Ring.", "At once."): (0.4, 0.2, 0.4),  # .54
}
HARM = {"Write.": 0.1, "Ring.": 0.9}
LINES: list[dict[str, Any]] = [
    {"action": "Write.", "value": "On paper.", "label": "keeps", "harm": "none"},
    {"action": "Ring.", "value": "On paper.", "label": "breaks", "harm": "serious"},
    {"action": "Write.", "value": "At once.", "label": "breaks"},
    {"action": "Ring.", "value": "At once.", "label": "keeps", "harm": 1},
]


def write(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_two_actions_under_two_values_give_the_table_that_was_worked_out_by_hand(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, [{"group": "g", "context": "A shop.", **row} for row in LINES])
    named = read_labelled(path)
    found = put(Opinionated(CHANCES, HARM), named)  # type: ignore[arg-type]

    assert [(a.action, a.value, a.label) for a in found] == [
        (0, "On paper.", KEEPS),
        (0, "At once.", BREAKS),
        (1, "On paper.", BREAKS),
        (1, "At once.", KEEPS),
    ]
    assert [a.score for a in found] == pytest.approx([0.87, 0.64, 0.17, 0.54])
    assert examine.value_pairs(found) == [(0, 2), (3, 1)]
    assert examine.action_pairs(found) == [(0, 1), (3, 2)]
    table = {row.figure: row for row in examine.value_rows("set", found, 0.5, 0.5)}
    assert {figure: row.value.value for figure, row in table.items()} == pytest.approx(
        {
            "AUROC keeps/breaks": 3 / 4,
            "accuracy keeps/breaks": 3 / 4,
            "calibration error": (0.13 + 0.64 + 0.17 + 0.46) / 4,
            "pairs: one value, two actions": 1 / 2,
            "pairs: one action, two values": 1.0,
            "AUROC broken/not": 3 / 4,
            "broken counted as violated": 1 / 2,
            "calibration error of P(breaks)": (0.1 + 0.7 + 0.2 + 0.4) / 4,
        }
    )
    assert {f: row.action_only.value for f, row in table.items() if row.action_only} == (
        pytest.approx(
            {
                "AUROC keeps/breaks": 1 / 2,
                "accuracy keeps/breaks": 1 / 2,
                "calibration error": (0.4 + 0.4) / 2,
                "pairs: one value, two actions": 1 / 2,
                "pairs: one action, two values": 1 / 2,
            }
        )
    )
    write_it, ring = whole_actions([case for _, _, case in named], found)
    assert (write_it.harmful, ring.harmful) == (False, True)
    assert (write_it.harm, ring.harm) == pytest.approx((0.1, 0.9))
    assert write_it.breaks == pytest.approx((0.1, 0.3))
    assert ring.breaks == pytest.approx((0.8, 0.4))


def test_actions_of_one_group_in_two_contexts_are_two(tmp_path: Path) -> None:
    rows = [{"group": "g", "context": f"Shop {n}.", **row} for n, row in enumerate(LINES[:3:2])]
    found = put(Opinionated(CHANCES, HARM), read_labelled(write(tmp_path, rows)))  # type: ignore[arg-type]
    assert [a.action for a in found] == [0, 1]
    assert not examine.action_pairs(found)


def test_an_error_of_the_judge_is_no_figure() -> None:
    for harm, respect in ((nan, 0.0), (0.0, inf), (0.0, nan)):
        judge = Opinionated(CHANCES, HARM)
        judge.harm = dict.fromkeys(judge.harm, harm)
        judge.respect = {key: [0.0, respect, 0.0] for key in judge.respect}
        case = Case("", (Act("Ring.", (Question("At once.", KEEPS, "t"),)),))
        with pytest.raises(ModelProblem, match="a number that is none"):
            put(judge, [("row 7", "", case)])  # type: ignore[arg-type]


def test_a_rivals_number_that_is_none_is_no_figure() -> None:
    case = Case("", (Act("Ring.", (Question("At once.", KEEPS, "t"),)),))
    found = [answer("At once.", KEEPS, 0.5)]
    broken = rivals.Rival("a rival", lambda asked: torch.full((len(asked),), nan).double().numpy())
    with pytest.raises(ModelProblem, match="a rival"):
        examine.rival_rows("set", broken, [case], found)


def answer(value: str, label: Label, score: float) -> Answer:
    return Answer("g", "", "t", 0, value, label, (0.0, 0.0, 0.0), 0.0, score=score)


def test_values_that_are_asked_often_have_figures_of_their_own() -> None:
    found = []
    for value, keeps, breaks in (("Few.", 5, 4), ("Some.", 5, 5), ("One side.", 20, 0)):
        found += [answer(value, KEEPS, 0.9)] * keeps + [answer(value, BREAKS, 0.1)] * breaks
    found += [answer("Many.", label, 0.5) for label in (KEEPS, BREAKS) * 6]

    table = examine.by_value("set", found)

    assert [(row.set, row.value.value, row.value.n) for row in table] == [
        ("set: Many.", 0.5, 12),
        ("set: Some.", 1.0, 10),
    ]
    assert {row.figure for row in table} == {"AUROC keeps/breaks of one value"}  # of no domain


@pytest.fixture
def judge(tiny_llama: Path) -> JudgeModel:
    """A judge that has learnt nothing, over a model that reads few tokens."""
    trunk = load_trunk(tiny_llama, 2, torch.float32)
    return JudgeModel(
        trunk,
        Heads(trunk.config.hidden_size),
        load_tokenize(tiny_llama),
        Calibration(),
        {
            "danger": {"harm": 1.0, "peak": 6.0, "mean": 0.0, "bias": -0.5},
            "thresholds": {"medium": 0.3, "high": 0.7, "violation": 0.9},
        },
        Prefixes(trunk, parts=False),
    )


def test_a_long_action_is_measured_as_the_product_reads_it(
    judge: JudgeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = " ".join(f"Ring customer {n} tonight." for n in range(150)), "Write a letter."
    values = [value.statement for value in PROFILE.values]
    asked = tuple(Question(value, KEEPS, "t") for value in values)
    case = Case("A shop.", tuple(Act(text, asked) for text in texts))
    sizes: list[int] = []
    read = JudgeModel.read

    def noting(self: JudgeModel, asked: Sequence[Asked], **more: Any) -> list[Reading]:
        sizes.extend(size(one.tree) for one in asked)
        return read(self, asked, **more)

    monkeypatch.setattr(JudgeModel, "read", noting)
    found = put(judge, [("g", "", case)])
    assert len(sizes) > 1  # the mask over a tree grows with its square

    product = HeadsJudge(TrainedJudge(judge), SimpleNamespace(name="judge"))  # type: ignore[arg-type]
    scenario = Scenario(goal="Sell.", context="A shop.")
    for place, one in enumerate(
        product.measure([(scenario, text) for text in texts], PROFILE, SILENT, doubt=False)
    ):
        own = found[place * len(values) : (place + 1) * len(values)]
        assert [a.score for a in own] == pytest.approx([*one.scores.values()], abs=1e-4)
        assert [a.chances[BREAKS.value] for a in own] == pytest.approx(
            [*one.breaks.values()], abs=1e-4
        )
        assert [a.harm for a in own] == pytest.approx([one.harm] * len(own), abs=1e-4)
        assert {a.action for a in own} == {place}


def test_no_tree_is_large_whatever_the_values_and_the_script(
    judge: JudgeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def noting(self: JudgeModel, asked: Sequence[Asked], **_: Any) -> list[Reading]:
        sizes.extend(size(one.tree) for one in asked)
        return [
            Reading(torch.zeros(len(one.questions[0]), 3), torch.zeros(len(one.actions)))
            for one in asked
        ]

    monkeypatch.setattr(JudgeModel, "read", noting)
    for word, times in (("Ring them. ", 50), ("電話", 30)):
        questions = tuple(Question(f"{n} {word * times}", KEEPS, "t") for n in range(16))
        acts = tuple(Act(f"{n} {word * 15}", questions) for n in range(3))
        found = put(judge, [("g", "", Case("", acts))])
        assert [a.value for a in found] == [q.value for act in acts for q in act.questions]
        longest = max(len(judge.tokenize(value_segment(q.value))) for q in questions)
        assert longest < TREE_TOKENS < max(sizes) <= TREE


def test_a_context_that_does_not_fit_is_named(judge: JudgeModel) -> None:
    case = Case("A shop. " * 2000, (Act("Ring.", (Question("At once.", KEEPS, "t"),)),))
    with pytest.raises(BadInput, match="the judge reads at most 2048") as caught:
        put(judge, [("line 3", "", case)])
    assert caught.value.where == "line 3: context"
