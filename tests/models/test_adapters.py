"""An adapter in peft's format is merged as peft merges it, or refused whole."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from core.errors import ModelProblem
from core.models import adapters
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS

peft = pytest.importorskip("peft")

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of the default one's kind, on disk."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def adapter(base: Path, folder: Path, **options: Any) -> Any:
    """A LoRA adapter with weights that are not zero, saved; the model around it."""
    torch.manual_seed(1)
    model = peft.get_peft_model(
        LlamaForCausalLM.from_pretrained(base),
        peft.LoraConfig(task_type="CAUSAL_LM", **options),
    )
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(str(folder))
    return model


@pytest.mark.parametrize(
    "options",
    [
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]},
        {"r": 4, "lora_alpha": 8, "use_rslora": True, "target_modules": "all-linear"},
        {
            "r": 2,
            "lora_alpha": 3,
            "target_modules": ["v_proj", "up_proj"],
            "layers_to_transform": [1, 2],
            "rank_pattern": {"up_proj": 5},
            "alpha_pattern": {"layers.2.self_attn.v_proj": 7},
        },
    ],
    ids=["plain", "rank-stabilised", "some-layers-and-patterns"],
)
def test_an_adapter_is_merged_as_peft_merges_it(
    base: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    theirs = adapter(base, tmp_path, **options).merge_and_unload().state_dict()
    untouched = LlamaForCausalLM.from_pretrained(base).state_dict()
    ours = LlamaForCausalLM.from_pretrained(base)
    with adapters.lent(ours, tmp_path):
        merged = {name: weight.clone() for name, weight in ours.state_dict().items()}
    assert merged.keys() == theirs.keys()
    assert any(not torch.equal(merged[name], untouched[name]) for name in merged)
    for name, weight in merged.items():
        assert torch.allclose(weight, theirs[name], atol=1e-6), name


def test_an_adapter_for_another_model_changes_nothing(base: Path, tmp_path: Path) -> None:
    adapter(base, tmp_path, r=2, target_modules=["q_proj"])
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=16,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,
    )
    other = LlamaForCausalLM(config)
    before = {name: weight.clone() for name, weight in other.state_dict().items()}
    with pytest.raises(ModelProblem, match="adapter"), adapters.lent(other, tmp_path):
        raise AssertionError("never gets here")
    assert all(torch.equal(before[name], weight) for name, weight in other.state_dict().items())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"peft_type": "IA3"}, "kind"),
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"r": 0}, "positive number"),
        ({"lora_alpha": "many"}, "positive number"),
    ],
)
def test_an_adapter_of_another_kind_is_refused(
    base: Path, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    adapter(base, tmp_path, r=2, target_modules=["q_proj"])
    path = tmp_path / ADAPTER_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ModelProblem, match=problem):
        adapters.changes(tmp_path)


@pytest.mark.parametrize("name", [ADAPTER_CONFIG, ADAPTER_WEIGHTS])
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_adapter_names_its_file(
    base: Path, tmp_path: Path, name: str, damage: str
) -> None:
    adapter(base, tmp_path, r=2, target_modules=["q_proj"])
    whole = adapters.digest(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut short":
        path.write_bytes(content[: len(content) // 2])
        assert adapters.digest(tmp_path) != whole
    with pytest.raises(ModelProblem) as caught:
        adapters.changes(tmp_path)
    assert name in caught.value.where
