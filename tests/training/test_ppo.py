"""The PPO trainer on a tiny random model: it learns, stops, goes on, and says what it does."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from core.errors import BadInput
from core.models import adapters
from core.models.catalog import ADAPTER_WEIGHTS
from tests import tiny

pytest.importorskip("peft")

from core.training.adapted import Adapted
from core.training.ppo import Baseline, Figures, Ppo, PpoConfig
from core.training.ppo_run import LAST, LOG, SETTINGS, train
from core.training.rollouts import Policy, Rollout, Tokens, lay
from core.training.samplers import PromptSampler
from core.training.settings import load_settings

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

CONFIG = PpoConfig(
    steps=25,
    rank=4,
    alpha=8,
    first_layer=1,
    rate=2e-2,
    warmup_steps=1,
    kl_coefficient=0.01,
    kl_stop=1000,
    checkpoint_every=4,
    threads=1,
)
LUCKY = range(40, 120)
"""Tokens that pay."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


def lucky(prompts: Sequence[Tokens], replies: Sequence[Tokens]) -> list[float]:
    """A toy reward: the share of lucky tokens."""
    return [sum(token in LUCKY for token in reply) / len(reply) for reply in replies]


def sampler(reward: Any = lucky) -> PromptSampler:
    return PromptSampler(
        [(5, 9, 30 + n, 7) for n in range(6)],
        reward,
        prompts_per_step=4,
        replies_per_prompt=6,
        max_tokens=5,
        ends=frozenset({2}),
    )


def run(base: Path, out: Path, config: PpoConfig = CONFIG, **options: Any) -> list[Figures]:
    told: list[Figures] = []
    train(Ppo(config, base), sampler(), out, "tiny", progress=told.append, **options)
    return told


@pytest.mark.parametrize("baseline", ["prompt", "running"])
def test_what_is_rewarded_becomes_likelier(
    base: Path, tmp_path: Path, baseline: Literal["prompt", "running"]
) -> None:
    told = run(base, tmp_path, replace(CONFIG, steps=60, baseline=baseline))

    rewards = [one.reward for one in told]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:3]) / 3 + 0.3
    assert [one.step for one in told] == list(range(1, 61))
    assert told[0].kl == pytest.approx(0, abs=1e-6)
    assert told[-1].kl > 0.5
    assert told[-1].entropy < told[0].entropy
    assert all(0 < one.length <= 5 and one.samples == 24 for one in told)


def test_a_run_leaves_its_settings_its_figures_and_an_adapter(base: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=3)
    told = run(base, tmp_path, config)

    assert tomllib.loads((tmp_path / SETTINGS).read_text("utf-8")) == asdict(config)
    assert load_settings(PpoConfig, tmp_path / SETTINGS) == config
    rows = [json.loads(line) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    assert rows == [asdict(one) for one in told]
    model = LlamaForCausalLM.from_pretrained(base)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with adapters.lent(model, tmp_path):
        changed = {
            name for name, weight in model.state_dict().items() if (weight != before[name]).any()
        }
    assert changed and all("layers.1." in name for name in changed)


@pytest.mark.parametrize(("left", "least", "most"), [(1.0, 1.0, 1.0), (0.1, 0.1, 0.2)])
def test_the_learning_rate_falls_to_what_is_to_be_left(
    base: Path, tmp_path: Path, left: float, least: float, most: float
) -> None:
    trainer = Ppo(replace(CONFIG, steps=8, rate_left=left), base)
    train(trainer, sampler(), tmp_path, "tiny")

    [group] = trainer.optimiser.param_groups
    assert least * CONFIG.rate <= group["lr"] <= most * CONFIG.rate


def test_the_same_seed_gives_the_same_figures_and_a_resumed_run_too(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, steps=10, baseline="running")
    once = run(base, tmp_path / "once", config)

    update, left = Ppo.update, [7]

    def stopping(self: Ppo, rollouts: Sequence[Rollout], step: int) -> Figures:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return update(self, rollouts, step)

    monkeypatch.setattr(Ppo, "update", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "again", config)
    monkeypatch.setattr(Ppo, "update", update)
    again = run(base, tmp_path / "again", config, resume=True)

    def without_time(rows: Sequence[Figures]) -> list[Figures]:
        return [replace(row, seconds=0.0) for row in rows]

    assert [row.step for row in again] == [5, 6, 7, 8, 9, 10]  # the checkpoint was after 4
    assert without_time(again) == without_time(once[4:])
    logged = (tmp_path / "again" / LOG).read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in logged] == list(range(1, 11))
    first, second = (load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("once", "again"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = run(base, tmp_path / "other", replace(config, seed=2, steps=2))
    assert without_time(other) != without_time(once[:2])


def test_a_run_is_not_resumed_with_other_settings(base: Path, tmp_path: Path) -> None:
    run(base, tmp_path, replace(CONFIG, steps=1))

    with pytest.raises(BadInput, match=r"rate: the run was begun with 0\.02, not 0\.5"):
        run(base, tmp_path, replace(CONFIG, steps=2, rate=0.5), resume=True)
    assert len(run(base, tmp_path, replace(CONFIG, steps=3), resume=True)) == 2
    with pytest.raises(BadInput, match=r"about: the run was begun with"):
        run(base, tmp_path, replace(CONFIG, steps=4), resume=True, about={"value": "loyalty"})


def test_a_run_whose_rate_falls_is_resumed_with_as_many_steps(base: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=1, rate_left=0.1)
    run(base, tmp_path, config)

    with pytest.raises(BadInput, match="steps: the run was begun with 1, not 2"):
        run(base, tmp_path, replace(config, steps=2), resume=True)


def test_a_checkpoint_that_is_no_plain_data_is_not_loaded(base: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    run(base, tmp_path, replace(CONFIG, steps=1))
    torch.save({"step": Trap()}, tmp_path / LAST)

    with pytest.raises(BadInput, match="cannot be taken up") as caught:
        run(base, tmp_path, CONFIG, resume=True)
    assert caught.value.where == str(tmp_path / LAST)
    assert not (tmp_path / "sprung").exists()


def test_a_policy_that_runs_away_ends_the_run(base: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, kl_stop=0.05, kl_patience=2)
    trainer = Ppo(config, base)

    outcome = train(trainer, sampler(), tmp_path, "tiny")

    assert outcome.ran_away
    assert outcome.steps < config.steps
    assert (tmp_path / ADAPTER_WEIGHTS).exists()


def test_drift_costs_more_while_it_is_above_its_target(base: Path, tmp_path: Path) -> None:
    told = run(base, tmp_path, replace(CONFIG, steps=12, kl_target=0.1, kl_horizon=5))

    prices = [one.coefficient for one in told]
    assert prices[0] > prices[1]  # no drift yet
    assert prices[-1] > prices[-2]
    dear = run(base, tmp_path / "dear", replace(CONFIG, kl_coefficient=5.0, kl_horizon=1e9))
    cheap = run(base, tmp_path / "cheap", replace(CONFIG, kl_coefficient=0.0))
    assert dear[-1].kl < cheap[-1].kl / 3


def test_equal_rewards_teach_nothing(base: Path, tmp_path: Path) -> None:
    trainer = Ppo(replace(CONFIG, steps=3, kl_coefficient=0.0), base)
    before = [master.detach().clone() for master in trainer.adapted.masters]

    train(trainer, sampler(lambda prompts, replies: [2.0] * len(replies)), tmp_path, "tiny")

    for old, new in zip(before, trainer.adapted.masters, strict=True):
        assert torch.equal(old, new)


def test_a_reply_is_held_against_the_others_to_its_prompt() -> None:
    baseline = Baseline("prompt", memory=0.9, floor=1e-9)

    found = baseline.advantages([(1,), (1,), (1,), (2,)], [3.0, 0.0, 0.0, 1.0])

    size = ((9 + 2.25 + 2.25) / 4) ** 0.5
    assert found == pytest.approx([3 / size, -1.5 / size, -1.5 / size, 0])


def test_a_running_baseline_learns_what_each_prompt_is_worth() -> None:
    baseline = Baseline("running", memory=0.5, floor=1.0)
    for _ in range(12):
        baseline.advantages([(1,), (2,)], [5.0, -5.0])

    assert baseline.values == pytest.approx({(1,): 5.0, (2,): -5.0}, abs=0.01)
    assert baseline.advantages([(1,), (2,)], [6.0, -5.0]) == pytest.approx([1, 0], abs=0.01)


def random_adapter(adapted: Adapted) -> None:
    with torch.no_grad():
        for master in adapted.masters:
            torch.nn.init.normal_(master, std=0.2)
    adapted.renew()


def test_an_adapter_above_the_last_layer_is_refused(base: Path) -> None:
    depth = LlamaForCausalLM.from_pretrained(base).config.num_hidden_layers

    with pytest.raises(BadInput, match=f"no layer {depth} ") as caught:
        Adapted(base, 4, 8, depth, "cpu")

    assert caught.value.where == "first_layer"
    assert f"below {depth}" in caught.value.mend


@pytest.mark.parametrize("first_layer", [0, 1])
def test_replies_are_as_likely_in_a_trie_as_alone_also_where_the_lower_half_is_kept(
    base: Path, first_layer: int
) -> None:
    adapted = Adapted(base, 4, 8, first_layer, "cpu")
    random_adapter(adapted)
    policy = Policy(adapted, row_length=12)
    assert policy.splits == (first_layer > 0)
    rollouts = [
        Rollout((5, 9, 31), (7, 8)),
        Rollout((5, 9, 31), (7, 12, 2)),
        Rollout((5, 9, 31), (7, 8)),
        Rollout((5, 40), (9,)),
        Rollout(tuple(range(20, 32)), (50, 51)),
    ]
    for _ in range(2):  # the second time from what was kept
        laid = lay(rollouts, policy.row_length)
        with torch.no_grad():
            found = policy.logits(laid).log_softmax(-1)[laid.at, laid.targets]
        for index, one in enumerate(rollouts):
            whole = torch.tensor([one.prompt + one.reply])
            with torch.no_grad():
                logits = adapted.causal(input_ids=whole).logits[0].float().log_softmax(-1)
            start = len(one.prompt) - 1
            alone = [float(logits[start + n, token]) for n, token in enumerate(one.reply)]
            assert found[laid.owners == index].tolist() == pytest.approx(alone, abs=0.15)
    assert laid.places.shape[0] < laid.targets.shape[0]  # what is shared is read once


def test_the_next_token_and_what_is_written_come_from_the_same_policy(base: Path) -> None:
    adapted = Adapted(base, 4, 8, 1, "cpu")
    random_adapter(adapted)
    policy = Policy(adapted, row_length=64)
    prompts: list[Tokens] = [(5, 9, 31), (5, 9, 40, 7)]
    laid = lay([Rollout(prompt, (0,)) for prompt in prompts], 64)
    likely = policy.log_probs(laid)[laid.at].exp()
    drawn = policy.write(prompts * 400, 1, frozenset({2}), torch.Generator().manual_seed(4))

    for place, chances in enumerate(likely):
        counts = torch.zeros(len(chances))
        for (token,) in drawn[place::2]:
            counts[token] += 1
        top = int(chances.argmax())
        assert float(counts[top] / 400) == pytest.approx(float(chances[top]), abs=0.08)
        assert float((counts / 400 - chances).abs().max()) < 0.08


@pytest.mark.slow
def test_two_processes_learn_one_policy(base: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from tests.training.test_ppo import CONFIG, Ppo, sampler, train\n"
        "base, out = map(Path, sys.argv[1:])\n"
        "trainer = Ppo(replace(CONFIG, steps=4, baseline='running'), base)\n"
        "train(trainer, sampler(), out, 'tiny')\n"
        "total = sum(float(m.detach().double().sum()) for m in trainer.adapted.masters)\n"
        "told = repr((total, trainer.baseline.state()))\n"
        "(out / f'state{trainer.accelerator.process_index}').write_text(told)\n",
        "utf-8",
    )
    out = tmp_path / "out"
    done = subprocess.run(
        [
            # What `accelerate launch` does on several cards; on a processor it would need MPI.
            sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
            "--standalone", script, base, out,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "ACCELERATE_USE_CPU": "true",
        },
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    assert (out / "state0").read_text() == (out / "state1").read_text()
    with pytest.raises(BadInput, match="processes: the run was begun with 2"):
        run(base, out, replace(CONFIG, steps=4, baseline="running"), resume=True)
    rows = [json.loads(line) for line in (out / LOG).read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert {row["samples"] for row in rows} == {48}
