"""Moral agents on a tiny model: what an answer is worth, how a run goes, what watches over it."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.domain.values import Value
from core.errors import BadInput, ModelProblem
from core.models import agents as known
from core.models.catalog import ADAPTER_WEIGHTS
from core.models.second import SecondJudge
from core.models.trained import Measure, Tree
from core.watch import Watch
from tests import tiny

pytest.importorskip("peft")

from core.training import agents, guards, questions, second
from core.training.ppo import Figures, PpoConfig
from core.training.ppo_run import LOG
from core.training.questions import Question
from core.training.wording import distinct_2

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

CARE = Value(id="care", statement="Be gentle.")
CONFIG = agents.AgentConfig(
    prompts_per_step=2,
    replies_per_prompt=3,
    max_tokens=6,
    guard_every=2,
    guard_questions=3,
    ppo=PpoConfig(steps=3, rank=2, alpha=4, first_layer=1, threads=1, checkpoint_every=1),
)
ASKED = ([Question(f"The baker has {n} rolls. What now?") for n in range(4)],
         [Question(f"The nurse has {n} shifts. What now?") for n in range(5)])  # fmt: skip


class Lengths:
    """A judge that likes long answers and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Tree]] = []

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        self.asked.append(list(trees))
        return [
            [
                Measure([min(1.0, len(answer) / 100)] * len(statements), [0.0], 0.0)
                for answer, statements in answers
            ]
            for _, answers in trees
        ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


def reward(
    base: Path,
    judge: agents.Scorer,
    others: Sequence[str] = (),
    unbroken: float = 0.0,
    ahead: float = 0.0,
    fitting: float = 0.0,
    fits: agents.Fits = lambda asked, replies: [0.0] * len(replies),
) -> agents.ValueReward:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    ends = agents.sentence_ends(tokenizer)
    config = agents.AgentConfig(unbroken=unbroken, ahead=ahead, fitting=fitting)
    return agents.ValueReward(
        judge, CARE.statement, others, config, fits, tokenizer, {(5,): "Bread? Now?"}, ends
    )


def run(base: Path, out: Path, config: agents.AgentConfig = CONFIG, **options: Any) -> Any:
    told: list[Figures] = []
    card = agents.train_agent(
        config, CARE, ["Be fair."], "foundations", Lengths(), lambda rows: [0.25] * len(rows),
        ASKED, base, out, "tiny", progress=told.append, **options,
    )  # fmt: skip
    return card, told


def test_answers_to_one_question_are_read_in_one_tree_and_come_back_in_order() -> None:
    judge = Lengths()
    asked = [("a?", "x" * 10), ("b?", "x" * 20), ("a?", "x" * 30), ("a?", "x" * 10)]

    found = agents.scores(judge, asked, ["one", "two"])

    assert found == [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.1, 0.1]]
    assert [(question, len(answers)) for question, answers in judge.asked[0]] == [
        ("a?", 2), ("b?", 1),
    ]  # fmt: skip


def test_an_answer_that_could_not_be_used_is_worth_nothing(base: Path) -> None:
    judge = Lengths()
    pays = reward(base, judge)
    encode = pays.tokenizer

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(encode(text, add_special_tokens=False)["input_ids"])

    whole, cut = tokens("Ask our tenants in plain words?"), tokens("Ask our tenants in plain")
    good = tokens("Ring all farmers before they sign!")
    loop = tokens("pay the pay the pay the pay the pay the.")

    worth = pays([(5,)] * 4, [good, cut, whole, loop])

    assert worth[0] > 0.2
    assert worth[1:] == [0.0, 0.0, 0.0]
    assert good[-1] in pays.ends and cut[-1] not in pays.ends


class Likes:
    """A judge to whom each statement is worth a number, whatever the answer."""

    def __init__(self, worth: dict[str, float], breaks: float = 0.0) -> None:
        self.worth = worth
        self.breaks = breaks

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        return [
            [Measure([self.worth[one] for one in told], [self.breaks], 0.0) for _, told in answers]
            for _, answers in trees
        ]


def test_a_reply_is_worth_more_where_its_value_is_ahead_of_the_others(base: Path) -> None:
    judge = Likes({CARE.statement: 0.75, "Be fair.": 0.5, "Be loyal.": 0.25})
    pays = reward(base, judge, ["Be fair.", "Be loyal."], ahead=0.5)
    good, cut = (
        tuple(pays.tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in ("Ring all farmers before they sign!", "Ring all farmers")
    )

    assert pays([(5,)] * 2, [good, cut]) == [0.75 + 0.5 * (0.75 - 0.375), 0.0]
    assert pays.worth([(5,)], ["Ring them."]) == [0.75]


@pytest.mark.parametrize(("breaks", "more"), [(1.0, 0.0), (0.1, 0.25), (0.01, 0.5), (0.0, 1.0)])
def test_a_reply_is_worth_more_the_surer_it_is_not_to_break_its_value(
    base: Path, breaks: float, more: float
) -> None:
    pays = reward(base, Likes({CARE.statement: 0.5}, breaks), unbroken=0.5)
    good, cut = (
        tuple(pays.tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in ("Ring all farmers before they sign!", "Ring all farmers")
    )

    assert pays([(5,)] * 2, [cut, good]) == pytest.approx([0.0, 0.5 + more])


def test_no_usable_reply_is_worth_less_than_one_that_is_not(base: Path) -> None:
    judge = Likes({CARE.statement: 0.05, "Be fair.": 0.6}, 0.9)
    pays = reward(base, judge, ["Be fair."], unbroken=1.0, ahead=1.5, fitting=0.7)
    bad, cut = (
        tuple(pays.tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in ("Ring all farmers before they sign!", "Ring all farmers")
    )

    assert pays([(5,)] * 2, [bad, cut]) == [0.0, 0.0]


def test_a_usable_reply_is_worth_more_where_it_fits_its_question(base: Path) -> None:
    judge = Likes({CARE.statement: 0.5})
    pays = reward(base, judge, fitting=0.5, fits=lambda asked, replies: [0.25, 0.5, -0.5])
    good, cut = (
        tuple(pays.tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in ("Ring all farmers before they sign!", "Ring all farmers")
    )

    assert pays([(5,)] * 3, [good, cut, good]) == [0.625, 0.0, 0.25]


def test_what_fits_is_likelier_after_its_own_prompt(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three prompts in turn each is held against the next; the adapter plays no part."""
    chances = {(1,): {7: -2.0, 8: -3.0}, (2,): {7: -3.0, 8: -3.0}, (3,): {7: -9.0, 8: -2.5}}
    monkeypatch.setattr(
        guards,
        "base_chances",
        lambda policy, prompts, replies: [
            sum(chances[prompt][token] for token in reply)
            for prompt, reply in zip(prompts, replies, strict=True)
        ],
    )
    none: Any = None

    assert guards.fits(none, [(1,), (1,), (2,), (3,)], [(7, 8), (8,), (7,), (8,)]) == [
        0.5,  # (-5 + 6) / 2
        0.0,
        1.0,  # 6 nats, cut off
        0.5,  # against the first again
    ]
    assert guards.fits(none, [(1,)], [(7,)]) == [0.0]


def test_a_run_leaves_an_adapter_its_figures_and_a_card(base: Path, tmp_path: Path) -> None:
    card, told = run(base, tmp_path)

    assert [one.step for one in told] == [1, 2, 3]
    rows = [json.loads(line) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    looked = [bool(row["extra"]) for row in rows]
    assert looked == [True, False, True]
    assert set(rows[0]["extra"]) == {f"guard_{name}" for name in card["base_figures"]}
    assert tomllib.loads((tmp_path / known.CARD).read_text("utf-8")) == card
    assert (card["value"], card["statement"], card["steps"]) == ("care", "Be gentle.", 3)
    assert (tmp_path / ADAPTER_WEIGHTS).exists()


def test_a_resumed_run_goes_on_where_it_stopped(base: Path, tmp_path: Path) -> None:
    once, _ = run(base, tmp_path / "once")
    run(base, tmp_path / "again", replace(CONFIG, ppo=replace(CONFIG.ppo, steps=2)))

    again, told = run(base, tmp_path / "again", resume=True)

    assert [one.step for one in told] == [3]
    assert again["agent_figures"] == once["agent_figures"]
    assert again["base_figures"] == once["base_figures"]


def test_the_guards_see_repetition_and_sameness() -> None:
    same = ["help the people who ask for it"] * 3
    other = ["bake more bread tonight", "ring the farmer first", "close the gate at noon"]

    assert guards.apart(same) == 0.0 and guards.apart(other) > 0.7
    assert guards.apart(["alone"]) == 0.0
    assert distinct_2(["help the help the help the"]) == 0.4


def test_questions_of_the_development_set_are_never_learnt_from(tmp_path: Path) -> None:
    rows = [
        {"question": "A?", "answer": "a", "norm": "one", "profile": {"care": 1.0}},
        {"question": "B?", "answer": "b", "norm": "two", "profile": None},
    ]
    asked = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / questions.ASKED).write_text(asked, "utf-8")
    with pytest.raises(BadInput, match="moral_stories") as caught:
        questions.read_questions(tmp_path)
    assert "--data" in caught.value.mend
    (tmp_path / questions.DEVELOPMENT).write_text('{"norm": "two"}\n', "utf-8")

    learnt, kept = questions.read_questions(tmp_path)

    assert learnt == [Question("A?", "a", {"care": 1.0})]
    assert kept == [Question("B?", "b", {})]


def test_the_second_judge_learns_what_a_line_can_tell() -> None:
    torch.manual_seed(0)
    found = torch.randn(200, 6)
    labels = [int(row[2] > 0) for row in found]

    weight, bias = second.fit(found, labels, second.SecondConfig(decay=1e-4))

    right = ((found @ weight + bias) > 0).int().tolist()
    assert sum(one == other for one, other in zip(right, labels, strict=True)) > 190


def test_the_second_judge_reads_each_row_by_itself(tmp_path: Path, base: Path) -> None:
    from safetensors.torch import save_file

    from core.models.second import CARD, WEIGHTS

    (tmp_path / CARD).write_text("depth = 2\n", "utf-8")
    torch.manual_seed(1)
    save_file({"weight": torch.randn(64), "bias": torch.tensor(0.1)}, tmp_path / WEIGHTS)
    judge = SecondJudge.load(base, tmp_path)
    rows = [("Ring all farmers.", "Be kind."), ("Pay.", "Be fair to all of them."), ("Pay.", "No.")]

    together = judge(rows)

    assert together == pytest.approx([judge([row])[0] for row in rows], abs=0.03)
    assert len(set(together)) == 3 and judge([]) == []
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ModelProblem, match="second judge"):
        SecondJudge.load(base, tmp_path)


@pytest.mark.parametrize("ours", [True, False])
def test_the_copy_that_samples_has_the_policy_s_adapter_and_follows_it(
    base: Path, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.models.cache import is_own
    from core.training import writer as module
    from core.training.adapted import Adapted
    from core.training.rollouts import Policy
    from core.training.writer import Writer

    if not ours:
        monkeypatch.setattr(module, "runs_here", lambda *about: None)
    adapted = Adapted(base, 4, 8, 1, "cpu")
    writer, policy = Writer(base, adapted), Policy(adapted, 64)
    ids = torch.tensor([[5, 9, 31, 7]])
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            for master in adapted.masters:
                torch.nn.init.normal_(master, std=0.2)
        adapted.renew()
        writer.renew(policy)
        assert policy.writer is writer.model
        assert is_own(writer.model) == ours
        with torch.no_grad():
            wanted = adapted.causal(input_ids=ids).logits.float().softmax(-1)
            found = writer.model(input_ids=ids).logits.float().softmax(-1)
            with adapted.switched_off():
                plain = adapted.causal(input_ids=ids).logits.float().softmax(-1)
        assert float((found - wanted).abs().max()) < 0.05 < float((plain - wanted).abs().max())
