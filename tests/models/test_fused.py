"""Our own Llama computes what that of transformers does, and no other model is taken for one."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from core.errors import ModelProblem
from core.models import fused
from core.models.cache import cache_of, is_own, layers_of, rows_upon
from core.models.foreign import load_merged
from core.models.llama import Llama, load_llama, runs_here, shape_of
from core.models.load import load_text_model
from core.models.trees import Node, pack
from tests.tiny import gpt2, t5


@pytest.fixture
def pair(tiny_llama: Path) -> tuple[Any, Any]:
    """The same model twice: as transformers runs it, and as we do."""
    return both(tiny_llama)


def both(folder: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(folder), ours(folder)


def ours(folder: Path, adapter: Path | None = None) -> Llama:
    shape = runs_here(folder, "cpu", torch.float32)
    assert shape is not None
    return load_llama(folder, shape, adapter, torch.float32)


IDS = torch.tensor([[5, 9, 31, 7, 12, 40, 3], [8, 8, 21, 6, 90, 4, 17]])


@torch.inference_mode()
def differ(pair: tuple[Any, Any], **inputs: Any) -> float:
    """The largest difference between the chances that the two give."""
    plain, fused = (model(**inputs, use_cache=False).logits.softmax(-1) for model in pair)
    return float((plain - fused).abs().max())


def test_a_row_without_a_mask_is_read_from_left_to_right(pair: tuple[Any, Any]) -> None:
    assert differ(pair, input_ids=IDS) < 1e-5
    changed = IDS.clone()
    changed[:, -1] = 55
    _, fused = pair
    with torch.inference_mode():
        assert torch.allclose(
            fused(input_ids=IDS).logits[:, :-1], fused(input_ids=changed).logits[:, :-1], atol=1e-4
        )


def test_padded_rows_are_read_alike(pair: tuple[Any, Any]) -> None:
    mask = torch.ones_like(IDS)
    mask[1, :3] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)

    with torch.inference_mode():
        plain, fused = (
            model(input_ids=IDS, attention_mask=mask, position_ids=positions).logits.softmax(-1)
            for model in pair
        )

    assert (plain - fused)[mask.bool()].abs().max() < 1e-5


def test_a_tree_is_read_alike(pair: tuple[Any, Any]) -> None:
    laid = pack([(Node((3, 5, 7)), Node((4, 6), 0), Node((8, 2, 5), 0), Node((9,), 1))])

    assert differ(
        pair,
        input_ids=laid.input_ids,
        position_ids=laid.position_ids,
        attention_mask=laid.mask,
    ) < 1e-5  # fmt: skip


def test_what_a_mask_hides_counts_for_nothing(pair: tuple[Any, Any]) -> None:
    for hidden in (2, 3, 2):
        mask = torch.ones((1, 1, 7, 7), dtype=torch.bool).tril()
        mask[..., hidden] = False
        mask[..., hidden, hidden] = True
        assert differ(pair, input_ids=IDS, attention_mask=mask) < 1e-5


@torch.inference_mode()
def test_several_tokens_upon_a_cache_are_read_alike(pair: tuple[Any, Any]) -> None:
    found = []
    for model in pair:
        cache = cache_of((), model)
        model(input_ids=IDS[:, :3], past_key_values=cache, use_cache=True)
        model(input_ids=IDS[:, 3:6], past_key_values=cache, use_cache=True)
        found.append(model(input_ids=IDS[:, 6:], past_key_values=cache).logits.softmax(-1))

    whole = pair[0](input_ids=IDS, use_cache=False).logits[:, -1:].softmax(-1)
    assert (found[0] - found[1]).abs().max() < 1e-5
    assert (found[1] - whole).abs().max() < 1e-5


@torch.inference_mode()
def test_rows_upon_one_shared_beginning_are_read_alike(pair: tuple[Any, Any]) -> None:
    """A padded row, then a step, and a row that leaves: as with a beginning for each row."""
    mask = torch.ones((2, 7), dtype=torch.long)
    mask[1, 3] = 0
    found = []
    for model in pair:
        begun = cache_of((), model)
        model(input_ids=IDS[:1, :3], past_key_values=begun, use_cache=True)
        cache = rows_upon(layers_of(begun), 2, model)
        positions = (mask.cumsum(1) - 1)[:, 3:]
        first = model(
            input_ids=IDS[:, 3:],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
        ).logits
        cache.batch_select_indices(torch.tensor([1]))
        then = model(
            input_ids=IDS[1:, :1],
            attention_mask=torch.cat([mask[1:], mask[1:, :1]], dim=1),
            position_ids=positions[1:, -1:] + 1,
            past_key_values=cache,
        ).logits
        found.append(torch.cat([first[0], first[1, 1:], then[0]]).softmax(-1))

    assert is_own(pair[1])
    assert not is_own(pair[0])
    assert (found[0] - found[1]).abs().max() < 1e-5


@pytest.mark.parametrize("at_once", [fused.SCORES, 2_000, 1])
@pytest.mark.parametrize("shared", [0, 3, 19])
@torch.inference_mode()
def test_long_rows_are_read_alike_however_many_scores_at_once(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, at_once: int, shared: int
) -> None:
    """Padded rows, upon a beginning that all share and without one."""
    monkeypatch.setattr(fused, "SCORES", at_once)
    begin, ids = torch.arange(5, 5 + shared)[None], torch.arange(60).view(3, 20) + 7
    mask = torch.ones((3, shared + 20), dtype=torch.long)
    mask[1, shared : shared + 4] = 0
    found = []
    for model in pair:
        begun = cache_of((), model)
        if shared:
            model(input_ids=begin, past_key_values=begun, use_cache=True)
        found.append(
            model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0)[:, shared:],
                past_key_values=rows_upon(layers_of(begun), 3, model),
                use_cache=True,
            ).logits.softmax(-1)[mask[:, shared:].bool()]
        )

    assert len(ids[0]) >= fused.READ_FROM
    assert (found[0] - found[1]).abs().max() < 1e-5


STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "another-base": {"rope_parameters": {"rope_theta": 500.0}},
    "tied": {"tie_word_embeddings": True},
    "wider-heads": {"head_dim": 16},
    "no-groups": {"num_key_value_heads": 4},
    "stretched": {"rope_parameters": STRETCHED},
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_llama_of_another_shape_is_read_alike(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = made(tmp_path, **changed)

    assert differ(both(folder), input_ids=torch.arange(90)[None] + 3) < 1e-5


def made(folder: Path, **changed: Any) -> Path:
    """A Llama with random weights whose config has these changes."""
    config = LlamaConfig(
        **{
            "vocab_size": 128,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "initializer_range": 0.35,
            **changed,
        }
    )
    torch.manual_seed(5)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "told",
    [
        {"rope_scaling": {"rope_type": "llama3", "factor": 4.0}},
        {"rope_parameters": {**STRETCHED, "partial_rotary_factor": 0.5}},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 500.0, "factor": 2.0}},
        {"rope_parameters": {"rope_theta": 500.0, "partial_rotary_factor": 0.5}},
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"model_type": "mistral"},
        {"num_attention_heads": 3},
        {"hidden_size": "many"},
        {"hidden_size": float("inf")},
        {"vocab_size": None},
    ],
    ids=str,
)
def test_what_is_not_done_here_is_left_to_transformers(
    tiny_llama: Path, tmp_path: Path, told: dict[str, Any]
) -> None:
    config = json.loads((tiny_llama / "config.json").read_text("utf-8"))
    assert shape_of(tiny_llama) is not None

    del config["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps({**config, **told}), "utf-8")

    assert shape_of(tmp_path) is None


@pytest.mark.parametrize("damaged", ["", "[]", '"llama"', "{}", "{", "\ufeff{}"])
def test_a_damaged_config_is_left_to_transformers(tmp_path: Path, damaged: str) -> None:
    assert shape_of(tmp_path) is None
    (tmp_path / "config.json").write_text(damaged, "utf-8")
    assert shape_of(tmp_path) is None


@pytest.mark.parametrize("make", [gpt2, t5])
def test_a_model_of_another_kind_is_run_by_transformers(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    loaded: Any = load_text_model(str(make(tmp_path)))

    assert not runs_here(tmp_path, "cpu", torch.float32)
    assert isinstance(loaded.model, PreTrainedModel)


def changed(folder: Path, **tensors: torch.Tensor | None) -> None:
    """Puts other tensors into its weights, or takes them out; `__` in a name stands for a dot."""
    weights = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        weights.pop(name.replace("__", "."), None)
        if tensor is not None:
            weights[name.replace("__", ".")] = tensor
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (None, "lack 1 tensors, .*up_proj"),
        (torch.zeros(3, 4), "cannot be run"),
        (torch.zeros(48, 32, dtype=torch.int8), ""),
    ],
    ids=["missing", "another-shape", "int8"],
)
def test_a_llama_with_other_weights_is_left_to_transformers(
    tmp_path: Path, tensor: torch.Tensor | None, told: str
) -> None:
    folder = with_words(made(tmp_path))
    assert runs_here(folder, "cpu", torch.float32)
    changed(folder, model__layers__1__mlp__up_proj__weight=tensor)

    assert not runs_here(folder, "cpu", torch.float32)
    with pytest.raises(ModelProblem, match=told) if told else nullcontext():
        load_text_model(str(folder))


def test_where_our_layers_cannot_run_transformers_does(tmp_path: Path) -> None:
    folder = made(tmp_path)

    assert not runs_here(folder, "cuda", torch.float32)
    assert not runs_here(folder, "cpu", torch.int8)
    assert runs_here(folder, "cpu", torch.float32, depth=2)
    assert not runs_here(folder, "cpu", torch.float32, depth=3)
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert not runs_here(folder, "cpu", torch.float32)


@pytest.mark.parametrize("same", [True, False])
def test_a_head_beside_an_embedding_that_it_is_tied_to_counts_if_it_is_another(
    tmp_path: Path, same: bool
) -> None:
    """Fine-tunes untie it at times, and leave their config as it was."""
    folder = made(tmp_path, tie_word_embeddings=True)
    embedding = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    changed(folder, lm_head__weight=embedding.clone() if same else embedding.flip(0))

    plain, own = both(folder)

    assert differ((plain, own), input_ids=IDS) < 1e-5
    tied = made(tmp_path / "tied", tie_word_embeddings=True)
    assert (differ((plain, both(tied)[1]), input_ids=IDS) < 1e-5) == same


def test_an_adapter_on_a_head_that_is_no_longer_tied_counts(tmp_path: Path) -> None:
    folder = made(tmp_path / "base", tie_word_embeddings=True)
    changed(folder, lm_head__weight=torch.randn(128, 32))
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    told = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": str(folder)}
    (adapter / "adapter_config.json").write_text(json.dumps(told), "utf-8")
    pair = {"A": torch.ones(2, 32), "B": torch.randn(128, 2)}
    parts = {f"base_model.model.lm_head.lora_{x}.weight": part for x, part in pair.items()}
    save_file(parts, adapter / "adapter_model.safetensors")

    own = ours(folder, adapter)

    merged = load_merged(folder, adapter, torch.float32)
    assert differ((merged, own), input_ids=IDS) < 1e-5
    assert differ((merged, both(folder)[1]), input_ids=IDS) > 1e-3


def test_weights_in_several_files_are_read_alike(tmp_path: Path) -> None:
    folder = made(tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")

    assert len([*(tmp_path / "parts").glob("model-*.safetensors")]) > 2
    assert differ((model, both(tmp_path / "parts")[1]), input_ids=IDS) < 1e-5


def test_a_weight_that_lies_in_two_files_is_left_to_transformers(tmp_path: Path) -> None:
    folder = with_words(made(tmp_path))
    whole = folder / "model.safetensors"
    whole.rename(folder / "a.safetensors")
    shutil.copy(folder / "a.safetensors", folder / "b.safetensors")
    names = load_file(folder / "a.safetensors")
    index = {"metadata": {}, "weight_map": {**dict.fromkeys(names, "a.safetensors")}}
    index["weight_map"]["model.norm.weight"] = "b.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")

    assert not runs_here(folder, "cpu", torch.float32)
    loaded: Any = load_text_model(str(folder), dtype="float32")
    assert isinstance(loaded.model, PreTrainedModel)


@pytest.mark.parametrize("name", ["plain", "another-base", "stretched"])
def test_positions_as_they_were_told_before_are_read_alike(tmp_path: Path, name: str) -> None:
    """The base above, what stretches it under another name: so most published models have it."""
    folder = made(tmp_path, **CHANGES[name])
    told = json.loads((folder / "config.json").read_text("utf-8"))
    rope = told.pop("rope_parameters")
    told["rope_theta"] = rope.pop("rope_theta")
    told["rope_scaling"] = rope if name == "stretched" else None
    (folder / "config.json").write_text(json.dumps(told), "utf-8")

    assert differ(both(folder), input_ids=torch.arange(90)[None] + 3) < 1e-5


def with_words(folder: Path) -> Path:
    """The model with a tokenizer."""
    for path in gpt2(folder / "words").glob("tokenizer*"):
        path.rename(folder / path.name)
    return folder


def test_a_llama_is_loaded_and_run_without_transformers(tmp_path: Path) -> None:
    """Its import takes longer than all the rest."""
    with_words(made(tmp_path, vocab_size=400))
    script = (
        "import sys\n"
        "from core.models.base import Prompt, Sampling\n"
        "from core.models.load import load_text_model\n"
        "from core.watch import SILENT\n"
        "model = load_text_model(sys.argv[1])\n"
        "prompt = Prompt('You plan.', 'Write to the bakers.', 'Action:')\n"
        "print(*model.generate([prompt], Sampling(max_tokens=5), [1], SILENT))\n"
        "print(*model.choose([prompt], ['LOW', 'HIGH'], SILENT))\n"
        "assert 'transformers' not in sys.modules\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Draft(")
