"""The policy refined on a tiny model: what a reply is worth, and how a run goes."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from core.domain.scenario import Scenario
from core.errors import BadInput
from core.models.catalog import ADAPTER_WEIGHTS
from core.models.trained import Measure, Tree
from core.watch import Watch
from tests import tiny

pytest.importorskip("peft")

from core.stages import prompts
from core.training import refine
from core.training.adapted import Adapted
from core.training.agents import sentence_ends
from core.training.cards import REFINED
from core.training.guards import base_chances
from core.training.ppo import Figures, PpoConfig
from core.training.ppo_run import LOG
from core.training.replies import prompt_tokens
from core.training.rollouts import Policy
from core.training.texts import Scene, Wish
from core.training.writer import Writer

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

CONFIG = refine.RefineConfig(
    prompts_per_step=2,
    replies_per_prompt=3,
    max_tokens=6,
    rewrites=0.5,
    values=2,
    ppo=PpoConfig(steps=3, rank=2, alpha=4, first_layer=1, threads=1, checkpoint_every=1),
)
SHOP = Scenario(goal="Sell the old bread.", context="A baker in a small town.")
CALL = '{"tool": "sell", "args": {}}'
SCENES = [
    Scene(SHOP, ("Sell it at noon.",), (
        Wish("Sell it as fresh.", ("Be honest.",), "", "Sell it as old."),
        Wish(CALL, ("Be kind.",), "", "{}"),
        Wish("Bake less.", ("Be thrifty.",), "", "Bake less."),
    )),
]  # fmt: skip


class Kind:
    """A judge that finds every action harmless, and values respected by three quarters."""

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        return [
            [Measure([0.75] * len(said), [0.0] * len(said), 0.25) for _, said in answers]
            for _, answers in trees
        ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


@pytest.fixture(scope="module")
def begin(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("begin")
    Adapted(base, 2, 4, 1, "cpu").save(folder, "tiny")
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Scenarios of which some are learnt from: which, their hash says."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    told = [
        {"domain": "trade", "goal": f"Sell {n} rolls.", "context": "A baker.", "action": "Ask."}
        for n in range(8)
    ]
    wishes = [row | {"values": ["Be honest."], "guidance": "", "rewrite": "Say."} for row in told]
    (folder / "policy.jsonl").write_text("\n".join(map(json.dumps, told)), "utf-8")
    (folder / "align.jsonl").write_text("\n".join(map(json.dumps, wishes)), "utf-8")
    return folder


def sampler(base: Path) -> tuple[refine.RefineSampler, Policy, list[refine.Task]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    proposals, rewrites = refine.tasks(tokenizer, SCENES, 2, Random(1))
    adapted = Adapted(base, 2, 4, 1, "cpu")
    made = refine.RefineSampler(
        (proposals, rewrites),
        Kind(),
        tokenizer,
        sentence_ends(tokenizer),
        CONFIG,
        Writer(base, adapted),
    )
    return made, Policy(adapted, 200), [*proposals, *rewrites]


def test_scenes_ask_for_a_proposal_each_and_for_what_needs_mending(base: Path) -> None:
    _, _, (proposal, rewrite, call) = sampler(base)

    assert (proposal.action, rewrite.action, call.action) == ("", "Sell it as fresh.", CALL)
    assert set(proposal.statements) == {"Be honest.", "Be kind.", "Be thrifty."}
    assert rewrite.statements[0] == "Be honest." and len(rewrite.statements) <= 2


def test_a_reply_is_worth_what_the_judge_says_how_it_fits_and_how_it_differs(base: Path) -> None:
    made, policy, (proposal, rewrite, call) = sampler(base)

    def tokens(text: str) -> tuple[int, ...]:
        return tuple(made.tokenizer(text, add_special_tokens=False)["input_ids"])

    turn = made.tokenizer.eos_token
    asked = [proposal] * 3 + [rewrite] * 3 + [call] * 3
    replies = [
        tokens("Ring all farmers before they sign!"),
        tokens("Ring all farmers before they sign!"),
        tokens("Ring all farmers before"),  # cut short
        tokens("Sell it as fresh."),  # nothing changed
        tokens("Sell it as old and fresh!"),
        tokens("Give all rolls to children!"),
        tokens('{"tool": "sell", "args": {"told": "It is old. Half price."}}' + turn),
        tokens('{"tool": "sell", "args": {"told": "It is old.'),  # cut short
        tokens("Tell all buyers that it is old." + turn),  # no call
    ]

    worth = made.worth(policy, asked, replies)

    assert worth[2] == worth[3] == worth[7] == worth[8] == refine.NOTHING
    assert worth[6].judged == 0.75
    assert worth[0].judged == worth[4].judged == 0.75
    assert worth[0].apart == worth[1].apart == 0.0
    assert worth[0].keeping is None
    assert worth[4].keeping == 1.0 and worth[5].keeping == 0.0
    assert all(0.0 <= one.fitting <= 1.0 for one in worth)
    assert refine.Worth(1.0, 1.0, 1.0, 1.0).total(CONFIG) == 1.0
    assert refine.NOTHING.total(CONFIG) == 0.0


def test_a_tool_call_is_written_on_beyond_a_full_stop(base: Path) -> None:
    made, policy, (proposal, _, call) = sampler(base)
    every = frozenset(range(len(made.tokenizer)))
    made.ends = every  # a sentence would end with its first token

    replies = made._written(policy, [call, proposal, call], torch.Generator().manual_seed(3))

    assert len(replies[1]) == 1
    assert len(replies[0]) > 1 and len(replies[2]) > 1


def test_what_a_scenario_makes_likelier_fits_it(base: Path) -> None:
    made, policy, (proposal, *_) = sampler(base)
    made.config = replace(CONFIG, full_fit=1e-6)  # whatever is likelier at all fits wholly
    reply = tuple(made.tokenizer("Sell the old bread!", add_special_tokens=False)["input_ids"])
    prompt, blank = (
        tuple(prompt_tokens(made.tokenizer, prompts.proposal(one))) for one in (SHOP, refine.BLANK)
    )
    here, anywhere = base_chances(policy, [prompt, blank], [reply, reply])

    fits = made._fits(policy, [proposal, replace(proposal, proposal=made._blank)], [reply] * 2)

    assert fits == [float(here > anywhere), 0.0]  # the blank one makes nothing likelier than itself


def run(base: Path, begin: Path, corpus: Path, out: Path, steps: int = 3, **told: Any) -> Any:
    figures: list[Figures] = []
    config = replace(CONFIG, ppo=replace(CONFIG.ppo, steps=steps))
    card = refine.refine(
        config, corpus, Kind(), base, begin, out, "tiny", progress=figures.append, **told
    )
    return card, figures


def test_a_run_leaves_an_adapter_figures_and_a_card_and_goes_on_where_it_stopped(
    base: Path, begin: Path, corpus: Path, tmp_path: Path
) -> None:
    card, told = run(base, begin, corpus, tmp_path / "once")
    run(base, begin, corpus, tmp_path / "again", steps=2)
    _, rest = run(base, begin, corpus, tmp_path / "again", resume=True)

    assert [one.step for one in told] == [1, 2, 3] and [one.step for one in rest] == [3]
    assert set(told[0].extra) == {"usable", "judged", "fitting", "apart"}
    assert rest[0].reward == told[2].reward
    rows = (tmp_path / "once" / LOG).read_text("utf-8").splitlines()
    assert len(rows) == 3
    assert tomllib.loads((tmp_path / "once" / REFINED).read_text("utf-8")) == card
    assert (tmp_path / "once" / ADAPTER_WEIGHTS).exists()


def test_a_run_goes_on_only_from_the_adapter_that_it_was_begun_from(
    base: Path, begin: Path, corpus: Path, tmp_path: Path
) -> None:
    run(base, begin, corpus, tmp_path / "out", steps=1)
    Adapted(base, 2, 4, 1, "cpu").save(tmp_path / "other", "tiny")

    with pytest.raises(BadInput, match=r"about\.[\w.]+: the run was begun with"):
        run(base, tmp_path / "other", corpus, tmp_path / "out", resume=True)


def test_an_adapter_that_is_not_there_is_named(base: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="adapter") as caught:
        run(base, tmp_path / "none", corpus, tmp_path / "out")

    assert "none" in str(caught.value.where)
