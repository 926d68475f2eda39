"""The folder of an adapter stands for its base with the adapter merged, or it is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from core.errors import ModelProblem
from core.models import catalog
from core.models.adapters import digest
from core.models.base import Prompt
from core.models.causal import CausalModel
from core.models.foreign import load_merged
from core.models.load import load_text_model
from core.models.manifest import weights_digest
from core.watch import SILENT

LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


def adapter(folder: Path, base: Path, **fields: Any) -> Path:
    """A LoRA adapter of rank 2 on one layer of `base`."""
    folder.mkdir(parents=True)
    config = {
        "peft_type": "LORA",
        "r": 2,
        "lora_alpha": 4,
        "base_model_name_or_path": str(base),
        **fields,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    made = LlamaForCausalLM(LlamaConfig.from_pretrained(base))
    rows, columns = made.model.layers[0].self_attn.q_proj.weight.shape
    pair = {f"{LAYER}.lora_A.weight": torch.ones(2, columns)}
    pair[f"{LAYER}.lora_B.weight"] = torch.ones(rows, 2)
    save_file(pair, folder / "adapter_model.safetensors")
    return folder


def pin(folder: Path, weights: str) -> None:
    (folder / "run.toml").write_text(f'schema = 1\ndigest = "{weights}"\n', "utf-8")


def refused(folder: Path) -> ModelProblem:
    with pytest.raises(ModelProblem) as raised:
        load_text_model(str(folder), dtype="float32")
    assert str(folder) in str(raised.value)
    return raised.value


def test_the_adapter_is_merged_and_named_with_its_base(tmp_path: Path, tiny_llama: Path) -> None:
    folder = adapter(tmp_path / "ut-vs-tft", tiny_llama)
    pin(folder, weights_digest(tiny_llama))

    plain = load_text_model(str(tiny_llama), dtype="float32")
    tuned = load_text_model(str(folder), dtype="float32")

    assert isinstance(plain, CausalModel)
    assert isinstance(tuned, CausalModel)
    assert tuned.used.name == f"{tiny_llama.name}+ut-vs-tft"
    assert tuned.used.adapter == digest(folder)
    assert tuned.used.digest == plain.used.digest
    asked = [Prompt("You plan.", "Write to the bakers.", "Action:")]
    before, after = (model.choose(asked, ["yes", "no"], SILENT)[0] for model in (plain, tuned))
    assert before != pytest.approx(after, abs=1e-4)


def test_it_is_merged_into_the_weights_that_are_read_where_they_lie_there_twice(
    tmp_path: Path, tiny_llama: Path
) -> None:
    base = Path(shutil.copytree(tiny_llama, tmp_path / "base"))
    folder = adapter(tmp_path / "a", base)
    once = load_merged(base, folder, torch.float32).state_dict()

    shutil.copy(base / "model.safetensors", base / "model.fp16.safetensors")
    twice = load_merged(base, folder, torch.float32).state_dict()
    assert all(torch.equal(weight, once[name]) for name, weight in twice.items())

    (base / "model.safetensors").rename(base / "other.safetensors")
    with pytest.raises(ModelProblem, match="two of its files hold"):
        load_merged(base, folder, torch.float32)


def test_a_base_that_lies_where_it_is_named_is_taken_whatever_its_name(
    tmp_path: Path, tiny_llama: Path
) -> None:
    base = Path(shutil.copytree(tiny_llama, tmp_path / "own" / catalog.DEFAULT))

    assert catalog.locate(str(adapter(tmp_path / "a", base))) == base


def test_weights_other_than_those_it_was_trained_on_are_refused(
    tmp_path: Path, tiny_llama: Path
) -> None:
    folder = adapter(tmp_path / "a", tiny_llama)
    pin(folder, "0" * 64)

    assert "trained on other weights" in refused(folder).problem


def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path, tiny_llama: Path) -> None:
    folder = adapter(tmp_path / "a", tiny_llama)
    (folder / "run.toml").write_text("digest = [", "utf-8")

    assert "which weights" in refused(folder).problem


@pytest.mark.parametrize("base", [None, "", 7, ["a"]])
def test_an_adapter_that_names_no_model_is_refused(
    tmp_path: Path, tiny_llama: Path, base: object
) -> None:
    folder = adapter(tmp_path / "a", tiny_llama, base_model_name_or_path=base)

    assert "which model it is for" in refused(folder).problem


def test_an_adapter_for_an_adapter_or_for_an_encoder_and_decoder_is_refused(
    tmp_path: Path, tiny_llama: Path, tiny_t5: Path
) -> None:
    below = adapter(tmp_path / "below", tiny_llama)

    above = adapter(tmp_path / "above", tiny_llama, base_model_name_or_path=str(below))
    assert "another adapter" in refused(above).problem
    other = adapter(tmp_path / "other", tiny_llama, base_model_name_or_path=str(tiny_t5))
    assert "only a causal model" in refused(other).problem


def test_an_adapter_of_another_shape_is_refused(tmp_path: Path, tiny_llama: Path) -> None:
    folder = adapter(tmp_path / "a", tiny_llama)
    save_file(
        {f"{LAYER}.lora_A.weight": torch.ones(2, 7), f"{LAYER}.lora_B.weight": torch.ones(7, 2)},
        folder / "adapter_model.safetensors",
    )

    assert "cannot be merged" in refused(folder).problem


def test_a_base_that_is_not_here_is_named_with_the_way_to_bring_it(
    tmp_path: Path, tiny_llama: Path
) -> None:
    folder = adapter(
        tmp_path / "a", tiny_llama, base_model_name_or_path=f"HuggingFaceTB/{catalog.DEFAULT}"
    )

    with pytest.raises(ModelProblem, match=f"{catalog.DEFAULT} is not on this machine"):
        load_text_model(str(folder))


def test_a_whole_model_with_an_adapter_in_the_same_folder_is_refused(
    tmp_path: Path, tiny_llama: Path
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "whole"))
    (folder / "adapter_config.json").write_text("{}", "utf-8")

    assert "both a model and an adapter" in refused(folder).problem
