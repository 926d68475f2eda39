"""Which agents there are, and one model that takes their adapters on and off."""

import json
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from core import paths
from core.domain.values import Foundation, Profile, Value
from core.errors import ModelProblem
from core.models import adapters, agents
from core.models.base import AGGREGATOR, GREEDY, Prompt, Sampling
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from core.models.causal import CausalModel
from core.models.voices import AdapterVoices
from core.session.events import ModelUsed
from core.watch import SILENT
from tests import tiny

CARE = Value(id="care", statement="Be gentle.", foundation=Foundation.CARE)
FEES = Value(id="fees", statement="Name the fees.")
PROFILE = Profile(name="My House", values=(CARE, FEES))
LAYER = "model.layers.1.mlp.up_proj"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


def adapter(folder: Path, statement: str = "", layer: str = LAYER, size: float = 0.5) -> Path:
    """A LoRA adapter on one layer of the tiny model, with a card."""
    folder.mkdir(parents=True)
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config), "utf-8")
    torch.manual_seed(len(statement))
    name = f"base_model.model.{layer}"
    save_file(
        {
            f"{name}.lora_A.weight": torch.randn(2, 32) * size,
            f"{name}.lora_B.weight": torch.randn(64, 2) * size,
        },
        folder / ADAPTER_WEIGHTS,
    )
    if statement:
        (folder / agents.CARD).write_text(tomli_w.dumps({"statement": statement}), "utf-8")
    return folder


def model(base: Path) -> CausalModel:
    made = LlamaForCausalLM.from_pretrained(base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    used = ModelUsed(name="tiny", kind="causal", device="cpu", dtype="float32")
    return CausalModel(made, tokenizer, used)


def test_a_lent_adapter_is_taken_off_again_whatever_happens(base: Path, tmp_path: Path) -> None:
    plain = LlamaForCausalLM.from_pretrained(base)
    before = {name: weight.clone() for name, weight in plain.state_dict().items()}
    folder = adapter(tmp_path / "a")

    def stopped() -> None:
        with adapters.lent(plain, folder):
            inside = plain.state_dict()
            changed = [name for name, w in before.items() if not torch.equal(inside[name], w)]
            assert changed == [f"{LAYER}.weight"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert all(torch.equal(w, before[name]) for name, w in plain.state_dict().items())


def test_an_adapter_that_does_not_fit_changes_nothing(base: Path, tmp_path: Path) -> None:
    plain = LlamaForCausalLM.from_pretrained(base)
    folder = adapter(tmp_path / "a", layer="model.layers.7.mlp.up_proj")

    with pytest.raises(ModelProblem, match="no layer"), adapters.lent(plain, folder):
        raise AssertionError("never gets here")


def test_the_operator_s_own_agent_comes_before_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "shipped", lambda: tmp_path / "shipped")
    with pytest.raises(ModelProblem, match="no moral agent"):
        agents.agents_of(PROFILE)
    ours = adapter(tmp_path / "shipped" / "care", "Protect the weak.")
    assert agents.agents_of(PROFILE) == {"care": ours}  # by its foundation
    fees = adapter(agents.own("My House", "fees"), FEES.statement)
    care = adapter(agents.own("My House", "care"), CARE.statement)
    assert agents.agents_of(PROFILE) == {"care": care, "fees": fees}
    assert fees.parent == paths.agents() / "my-house"
    assert list(agents.agents_of(PROFILE.with_weights({"care": 0.0}))) == ["fees"]


def test_an_agent_speaks_for_the_statement_it_was_trained_on_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "shipped", lambda: tmp_path / "none")
    adapter(agents.own("My House", "fees"), "Hide the fees.")

    assert agents.agent_of(PROFILE, FEES) is None


def test_speakers_take_turns_on_one_model_and_leave_it_as_it_was(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "shipped", lambda: tmp_path / "none")
    adapter(agents.own("My House", "care"), CARE.statement)
    adapter(agents.own("My House", "fees"), FEES.statement)
    speaking = AdapterVoices(model(base))
    asked, sampling = (
        [Prompt("Help.", "Who calls the tenants?")],
        Sampling(temperature=GREEDY.temperature, max_tokens=8, one_line=False),
    )

    def say(who: str) -> str:
        return speaking.speak(PROFILE, who, asked, sampling, [0], SILENT)[0].text

    plain = speaking.speak_with(None, asked, sampling, [0], SILENT)[0].text
    first, other, again = say("care"), say("fees"), say("care")

    assert first == again != other
    assert plain not in (first, other)
    assert speaking.speak_with(None, asked, sampling, [0], SILENT)[0].text == plain
    before = speaking.aggregates
    assert not before
    with pytest.raises(ModelProblem, match="aggregator"):
        say(AGGREGATOR)
    adapter(paths.agents() / AGGREGATOR)
    assert speaking.aggregates and say(AGGREGATOR)
    used = speaking.used(PROFILE)
    assert set(used) == {"agent care", "agent fees", AGGREGATOR}
    assert len({one.adapter for one in used.values()}) == 3
