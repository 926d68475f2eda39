"""The aggregator's training and its figures, and those of the agents, with speakers of our own."""

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer

from core.domain.values import Foundation, Profile, Value
from core.errors import BadInput, PlacetError
from core.models.base import Draft, Prompt, Sampling
from core.models.catalog import ADAPTER_WEIGHTS
from core.models.trained import Measure, Tree
from core.watch import Watch
from tests import tiny

pytest.importorskip("peft")
pytest.importorskip("rouge_score")

from core.training import aggregator, answering, measure_agents, measure_aggregator, questions
from core.training.ppo import PpoConfig
from core.training.ppo_run import LAST
from core.training.questions import Question
from core.training.serving import ServingReward, Wanted
from core.training.sft import SftConfig
from core.training.wording import distance

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

PROFILE = Profile(
    name="two",
    values=(Value(id="kind", statement="Be kind."), Value(id="fair", statement="Be fair.")),
)
ASKED = [
    Question("The baker burns a roll. What now?", "The baker eats it himself.", {"kind": 1.0}),
    Question("The nurse is late. What now?", "She rings the ward.", {"kind": 0.5, "fair": 1.0}),
    Question("The gate is open. What now?", "Close the gate.", {}),
]
SAYS = {
    "kind": "Be a kind person and help whoever asks.",
    "fair": "Be a fair person and share the roll.",
    "base": "Wait for another day to come.",
}


class Words:
    """A judge for which an answer keeps a value as far as it names it."""

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        return [
            [
                Measure(
                    [0.9 if s.split()[1].rstrip(".") in answer else 0.2 for s in statements],
                    [0.0 if s.split()[1].rstrip(".") in answer else 0.4 for s in statements],
                    0.0,
                )
                for answer, statements in answers
            ]
            for _, answers in trees
        ]


class Speaker:
    """Says one thing, and counts how often it is asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.prompts: list[Prompt] = []

    def __call__(
        self, asked: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int], watch: Watch
    ) -> list[Draft]:
        self.prompts += asked
        return [Draft(self.text, 5, True) for _ in asked]


def test_answers_are_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    keep = tmp_path / "deep" / "answers.jsonl"
    speakers = {name: Speaker(SAYS[name]) for name in ("kind", "fair")}
    texts = [one.text for one in ASKED]

    first = answering.answer_all(speakers, texts[:2], Sampling(), 0, keep=keep)
    again = answering.answer_all(speakers, texts, Sampling(), 0, keep=keep)

    assert first["kind"] == [[SAYS["kind"]]] * 2 and again["fair"] == [[SAYS["fair"]]] * 3
    assert [len(one.prompts) for one in speakers.values()] == [3, 3]


def test_samples_are_kept_and_only_more_of_them_are_asked_for_again(tmp_path: Path) -> None:
    seen: list[int] = []

    def write(
        asked: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int], watch: Watch
    ) -> list[Draft]:
        seen.extend(seeds)
        return [Draft(f"Ask number {seed} about it.", 5, True) for seed in seeds]

    def ask(samples: int) -> list[list[str]]:
        return answering.answer_all(
            {"kind": write}, ["What now?", "And then?"], Sampling(), 0, samples=samples, keep=keep
        )["kind"]

    keep = tmp_path / "answers.jsonl"
    three = [[f"Ask number {seed + n} about it." for seed in (0, 7919, 15838)] for n in (0, 1)]

    assert ask(3) == three and ask(2) == [row[:2] for row in three] and ask(3) == three
    assert seen == [0, 7919, 15838, 1, 7920, 15839]
    assert [len(row) for row in ask(4)] == [4, 4]


def test_of_the_samples_the_one_that_the_product_keeps_is_measured() -> None:
    """To be fair is for the fair agent to say, who has not said it here."""
    said = {"kind": [["Be kind and fair.", "Be kind."]], "fair": [["Share it.", "Split it."]]}

    found = measure_agents.kept(Words(), PROFILE, ["What now?"], said)

    assert found == {"kind": ["Be kind."], "fair": ["Share it."]}


def test_the_input_names_the_values_that_count_with_their_answers() -> None:
    from core.stages import prompts

    profile = aggregator.profile_of(ASKED[0], PROFILE)
    told = prompts.synthesis(ASKED[0].text, profile, {"kind": "Hug.", "fair": "Share."}).user

    assert "1.0 Be kind.\nAnswer: Hug." in told and "Share." not in told
    nobody_said = aggregator.profile_of(ASKED[2], PROFILE)
    assert set(nobody_said.weights.values()) == {1.0}


def test_an_answer_weighs_values_by_their_foundation_and_all_alike_where_it_names_none() -> None:
    profile = Profile(
        name="own",
        values=(
            Value(id="open", statement="Be open.", foundation=Foundation.FAIRNESS),
            Value(id="mild", statement="Be mild.", foundation=Foundation.CARE),
        ),
    )
    asked = Question("Who pays?", "All do.", {"fairness": 0.5})

    assert aggregator.profile_of(asked, profile).weights == {"open": 0.5, "mild": 0.0}
    strange = replace(asked, weights={"sanctity": 1.0})
    assert aggregator.profile_of(strange, profile).weights == {"open": 1.0, "mild": 1.0}


def test_those_whose_answer_speaks_for_something_are_learnt_first() -> None:
    found = aggregator.chosen([*ASKED, Question("No answer?")], 2, seed=1)

    assert {one.text for one in found} == {one.text for one in ASKED[:2]}


def answers(texts: Sequence[str]) -> dict[str, list[str]]:
    return {name: [SAYS[name]] * len(texts) for name in ("kind", "fair")}


def trained(
    base: Path,
    out: Path,
    answers: aggregator.Answers = answers,
    agents: dict[str, str] | None = None,
    profile: Profile = PROFILE,
    questions: int = 1000,
    held_out: float = 0.3,
    **options: Any,
) -> dict[str, Any]:
    config = aggregator.AggregatorConfig(
        questions=questions,
        sft=SftConfig(
            rank=2, alpha=4, first_layer=1, epochs=2, evaluate_every=1, tokens_per_step=300,
            held_out=held_out, threads=1, warmup_steps=1,
        ),
        prompts_per_step=2, replies_per_prompt=2, max_tokens=4,
        ppo=PpoConfig(steps=2, rank=2, alpha=4, first_layer=1, checkpoint_every=1, threads=1),
    )  # fmt: skip
    many = [replace(one, text=f"{n}. {one.text}") for n in range(4) for one in ASKED]
    return aggregator.train(
        config,
        many,
        answers,
        agents or {"kind": "1f", "fair": "2e"},
        profile,
        Words(),
        base,
        out,
        "tiny",
        **options,
    )


def test_a_run_leaves_an_adapter_and_a_card(tmp_path: Path) -> None:
    base = tiny.llama(tmp_path / "base")

    card = trained(base, tmp_path / "out")

    assert (tmp_path / "out" / ADAPTER_WEIGHTS).exists()
    assert tomllib.loads((tmp_path / "out" / aggregator.CARD).read_text("utf-8")) == card
    assert card["questions"]["learnt"] + card["questions"]["held_out"] == 12
    assert math.isfinite(card["held_out_loss"])
    again = trained(base, tmp_path / "out", resume=True)
    assert again["held_out_loss"] == card["held_out_loss"]


@pytest.mark.parametrize(
    "changed",
    [
        {"agents": {"kind": "1f", "fair": "3d"}},
        {"profile": PROFILE.with_weights({"kind": 1.0, "fair": 0.5})},
        {"questions": 9},
    ],
)
def test_before_its_first_checkpoint_too_it_goes_on_only_from_what_it_was_begun_with(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    base = tiny.llama(tmp_path / "base")

    def leaving(texts: Sequence[str]) -> dict[str, list[str]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(base, tmp_path / "out", leaving)
    with pytest.raises(BadInput, match=r"about\.[\w.]+: the run was begun with"):
        trained(base, tmp_path / "out", leaving, resume=True, **changed)
    with pytest.raises(KeyboardInterrupt):  # the agents are asked again
        trained(base, tmp_path / "out", leaving, resume=True)


def test_where_no_question_is_held_out_it_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    last = tmp_path / LAST
    last.parent.mkdir()
    last.touch()

    with pytest.raises(BadInput, match="no questions are held out") as caught:
        trained(tmp_path, tmp_path, lambda _: pytest.fail("they were asked"), held_out=1e-9)

    assert caught.value.where == "sft.held_out" and last.exists()


def test_it_is_taught_before_it_is_rewarded(tmp_path: Path) -> None:
    base = tiny.llama(tmp_path / "base")

    card = trained(base, tmp_path / "out")

    assert card["steps"] == 2 and not card["ran_away"]
    taught, rewarded = (
        load_file(folder / ADAPTER_WEIGHTS)
        for folder in (tmp_path / "out" / aggregator.TAUGHT, tmp_path / "out")
    )
    assert taught.keys() == rewarded.keys()
    assert any(not taught[name].equal(rewarded[name]) for name in taught)


def test_it_is_asked_under_the_profile_of_the_answer_and_under_another(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny.llama(tmp_path / "base"))
    said = {name: [SAYS[name]] * len(ASKED) for name in ("kind", "fair")}

    found = list(aggregator.wanted(tokenizer, ASKED, said, PROFILE).values())

    assert {one.question.text for one in found} == {one.text for one in ASKED}
    assert len({tuple(one.profile.weights.values()) for one in found}) > 2


def test_a_synthesis_is_worth_what_serves_its_profile_and_stands_near_a_person_s(
    tmp_path: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny.llama(tmp_path / "base"))
    end = tokenizer.eos_token_id

    def tokens(text: str) -> tuple[int, ...]:
        return (*tokenizer(text, add_special_tokens=False)["input_ids"], end)

    asked: dict[tuple[int, ...], Wanted] = {
        (1,): Wanted(ASKED[0], PROFILE.with_weights({"kind": 1.0, "fair": 0.0})),
        (2,): Wanted(ASKED[0], PROFILE.with_weights({"kind": 1.0, "fair": 3.0})),
    }
    reward = ServingReward(Words(), 0.5, tokenizer, asked, frozenset({end}))
    kind, person = tokens("Say kind words to all of them."), tokens(ASKED[0].answer)

    alone, weighed, near, cut = reward([(1,), (2,), (1,), (1,)], [kind, kind, person, kind[:3]])

    far = 0.5 * (1 - distance("Say kind words to all of them.", ASKED[0].answer))
    assert alone == pytest.approx(0.9 + far)
    assert weighed == pytest.approx((0.9 + 3 * 0.2) / 4 + far)
    assert near == pytest.approx(0.2 + 0.5)
    assert cut == 0.0


def test_an_agent_s_gain_is_paired_by_question_and_the_second_judge_stands_beside_it() -> None:
    found = measure_agents.measure_agents(
        {"kind": Speaker(SAYS["kind"])},
        Speaker(SAYS["base"]),
        Words(),
        lambda rows: [0.7 if "kind" in text else 0.4 for text, _ in rows],
        [one.text for one in ASKED],
        PROFILE,
    )

    told = json.loads(json.dumps(measure_agents.as_json(found)))["kind"]
    plain = ("base", "agent", "second_judge_base", "second_judge_agent", "n")
    assert [told[name] for name in plain] == [0.2, 0.9, 0.4, 0.7, 3]
    assert told["gap_closed"] == pytest.approx(0.875)
    assert (told["unbroken_base"], told["unbroken_agent"]) == pytest.approx((0.6, 1.0))
    assert told["unbroken_gap_closed"] == pytest.approx(1.0)
    assert told["intervals"]["gain"] == pytest.approx([0.7, 0.7])
    assert "kind" in measure_agents.as_table(found)


def test_a_value_called_base_does_not_speak_for_the_base_model(tmp_path: Path) -> None:
    value = msgspec.structs.replace(PROFILE.values[0], id="base")
    found = measure_agents.measure_agents(
        {"base": Speaker(SAYS["kind"])},
        Speaker(SAYS["base"]),
        Words(),
        lambda rows: [0.5] * len(rows),
        [one.text for one in ASKED],
        msgspec.structs.replace(PROFILE, values=(value,)),
        keep=tmp_path / "answers.jsonl",
    )

    assert (found["base"].base.value, found["base"].agent.value) == pytest.approx((0.2, 0.9))


def measured(samples: int = 2) -> Any:
    cases = measure_aggregator.cases_of(ASKED[:2], [Question("And here?")], PROFILE)
    both = "Be a kind and fair person to whoever asks."
    return measure_aggregator.measure_aggregator(
        {name: Speaker(SAYS[name]) for name in ("kind", "fair")},
        Speaker(SAYS["base"]),
        Speaker(both),
        Words(),
        cases,
        samples=samples,
    )


def test_every_method_has_its_figures_and_the_differences_are_paired() -> None:
    methods, steering = measured()

    told = json.loads(json.dumps(measure_aggregator.as_json(methods, steering)))
    assert set(told) == {
        "aggregator", "aggregator, one sample", "best agent", "base", "base, shown how",
        "base, aggregating",
    }  # fmt: skip
    assert all(set(measure_aggregator.FIGURES) <= set(row) for row in told.values())
    assert told["aggregator"]["alignment"] == 0.9
    assert told["base"]["alignment"] == 0.2
    assert told["base"]["aggregator_minus_this"]["alignment"] == pytest.approx([0.7] * 3)
    assert told["base"]["n"] == {**dict.fromkeys(measure_aggregator.ROUGE, 2), "alignment": 3}
    assert "*" in measure_aggregator.as_table(methods, steering)


def test_a_value_alone_for_which_no_agent_speaks_gets_no_answer_from_the_best_agent() -> None:
    own = [Question("And here?"), Question("And there?")]
    cases = measure_aggregator.cases_of([], own, PROFILE)
    assert [list(case.profile.weights.values()) for case in cases] == [[1.0, 0.0], [0.0, 1.0]]

    methods, _ = measure_aggregator.measure_aggregator(
        {"kind": Speaker(SAYS["kind"])},
        Speaker(SAYS["base"]),
        Speaker(SAYS["fair"]),
        Words(),
        cases,
        samples=1,
    )

    assert methods["best agent"].values["alignment"].tolist() == [0.9, 0.0]


def test_turning_the_profile_changes_the_winner_where_agents_disagree() -> None:
    _, steering = measured()

    assert steering.changes.value == 1.0
    assert steering.correlation > 0.5


def test_one_case_makes_no_difference_certain() -> None:
    cases = measure_aggregator.cases_of([], [Question("And here?")], PROFILE)
    methods, steering = measure_aggregator.measure_aggregator(
        {"kind": Speaker(SAYS["kind"])},
        Speaker(SAYS["base"]),
        Speaker(SAYS["kind"]),
        Words(),
        cases,
        samples=1,
    )

    table = measure_aggregator.as_table(methods, steering)
    assert not any("*" in line for line in table.splitlines() if line.startswith("base"))
    assert "another winner: nothing to say" in table
    told = json.loads(json.dumps(measure_aggregator.as_json(methods, steering)))
    [_, *sides] = told["base"]["aggregator_minus_this"]["alignment"]
    assert all(map(math.isnan, sides))


def test_profiles_are_turned_from_value_to_value() -> None:
    found = [tuple(one.weights.values()) for one in aggregator.turned(PROFILE)]

    assert found == [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.5, 1.0)]


def test_a_rank_correlation_is_spearman_s() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert measure_aggregator.spearman(x, np.exp(x)) == pytest.approx(1)
    assert measure_aggregator.spearman(x, -x) == pytest.approx(-1)


def test_rouge_is_only_where_a_person_answered() -> None:
    found = measure_aggregator.rouge(["Close the gate.", "x"], ["Close the gate.", ""])

    assert found["rougeL"][0] == 1.0 and math.isnan(found["rougeL"][1])


def test_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from core.training import agent_pictures

    methods, _ = measured(1)
    found = measure_agents.measure_agents(
        {"kind": Speaker(SAYS["kind"])}, Speaker(SAYS["base"]), Words(),
        lambda rows: [0.5] * len(rows), ["A?", "B?"], PROFILE,
    )  # fmt: skip
    agent_pictures.aggregator_picture(tmp_path / "a.svg", methods)
    agent_pictures.agents_picture(tmp_path / "b.svg", found)
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("a.svg", "b.svg"))
    (tmp_path / "c.svg").mkdir()
    with pytest.raises(PlacetError, match=r"c\.svg: it cannot be written") as caught:
        agent_pictures.aggregator_picture(tmp_path / "c.svg", methods)
    assert "space on the disk" in caught.value.mend
    with pytest.raises(PlacetError, match="it cannot be written"):
        agent_pictures.agents_picture(tmp_path / "c.svg", found)


def test_our_own_questions_are_many_and_varied() -> None:
    found = questions.own_questions()

    texts = [one.text for one in found]
    assert len(texts) >= 300 and len({text.lower() for text in texts}) == len(texts)
    for foundation in ("care", "fairness", "loyalty", "authority", "sanctity"):
        assert sum(foundation in one.foundations for one in found) >= 40
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) < 8 and max(lengths) > 80
    assert len({" ".join(text.split()[:3]) for text in texts}) > 0.8 * len(texts)
