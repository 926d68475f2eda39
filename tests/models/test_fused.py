"""Fused layers compute what transformers' own do, and no other model is touched."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from core.models import fused
from core.models.cache import layers_of, rows_upon
from core.models.fused import FusedLayer, Packed, fuse, is_fused
from core.models.trees import Node, pack


@pytest.fixture
def pair(tiny_llama: Path) -> tuple[Any, Any]:
    """The same model twice: as transformers has it, and fused."""
    plain: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    fused: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    fuse(fused)
    return plain, fused


IDS = torch.tensor([[5, 9, 31, 7, 12, 40, 3], [8, 8, 21, 6, 90, 4, 17]])


@torch.inference_mode()
def differ(pair: tuple[Any, Any], **inputs: Any) -> float:
    """The largest difference between the chances that the two give."""
    plain, fused = (model(**inputs, use_cache=False).logits.softmax(-1) for model in pair)
    return float((plain - fused).abs().max())


def test_all_layers_and_the_head_of_a_llama_are_fused(pair: tuple[Any, Any]) -> None:
    _, fused = pair

    assert all(isinstance(layer, FusedLayer) for layer in fused.model.layers)
    assert isinstance(fused.get_output_embeddings(), Packed)


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


def test_two_masks_in_turn_are_not_mistaken_for_each_other(pair: tuple[Any, Any]) -> None:
    for hidden in (2, 3, 2):
        mask = torch.ones((1, 1, 7, 7), dtype=torch.bool).tril()
        mask[..., hidden] = False
        mask[..., hidden, hidden] = True
        assert differ(pair, input_ids=IDS, attention_mask=mask) < 1e-5


@torch.inference_mode()
def test_several_tokens_upon_a_cache_are_read_alike(pair: tuple[Any, Any]) -> None:
    found = []
    for model in pair:
        cache = DynamicCache()
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
        begun = DynamicCache()
        model(input_ids=IDS[:1, :3], past_key_values=begun, use_cache=True)
        cache = rows_upon(layers_of(begun), 2, shared=is_fused(model))
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

    assert is_fused(pair[1])
    assert not is_fused(pair[0])
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
        begun = DynamicCache()
        if shared:
            model(input_ids=begin, past_key_values=begun, use_cache=True)
        found.append(
            model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0)[:, shared:],
                past_key_values=rows_upon(layers_of(begun), 3, shared=is_fused(model)),
                use_cache=True,
            ).logits.softmax(-1)[mask[:, shared:].bool()]
        )

    assert len(ids[0]) >= fused.READ_FROM
    assert (found[0] - found[1]).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_t5"])
def test_a_model_of_another_kind_stays_as_it_is(request: pytest.FixtureRequest, name: str) -> None:
    from transformers import AutoModelForSeq2SeqLM

    auto: Any = AutoModelForSeq2SeqLM if name == "tiny_t5" else AutoModelForCausalLM
    model = auto.from_pretrained(request.getfixturevalue(name))
    before = [type(part) for part in model.modules()]

    fuse(model)

    assert [type(part) for part in model.modules()] == before


def test_a_llama_with_biases_stays_as_it_is(tiny_llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    layer: Any = model.model.layers[0].mlp
    layer.down_proj.bias = torch.nn.Parameter(torch.ones(32))

    fuse(model)

    assert not any(isinstance(part, FusedLayer) for part in model.modules())
