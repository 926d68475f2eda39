"""Layers of Llama-shaped models in fewer and larger operations, for the processor.

A decoding step reads every weight once and does little with it, so what counts is how the weights
lie in memory and how many operations there are. Here matrices are laid out once as oneDNN's product
wants them, query, key and value are one product, the activation and the sums happen within the
products, and query heads that share a key head go through attention together instead of copying
keys and values for each. Everything else stays as transformers has it: embedding, masks, positions,
caches and the head's place in the model. In float32 the texts are the same.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from core.models.share import Share, unheard
from core.models.trees import added

ROWS = 8
"""The number of rows that the layout of the weights is chosen for; it holds for any other."""

READ_FROM = 16
"""Tokens a row from which text is read rather than written: see `_read`."""

SCORES = 2**19
"""Attention scores computed at once: in float32 they stay in a core's own cache."""


def fuse(model: Any, share: Share = unheard) -> None:
    """Replaces the layers of a `PreTrainedModel`, if they are Llama's and stand on the processor.

    Weights cannot be changed, moved or saved afterwards: merge adapters before. `share` hears how
    many of the layers are done.
    """
    trunk: Any = getattr(model, "model", model)
    layers: Any = getattr(trunk, "layers", ())
    if not (packs(model) and len(layers) and all(_fits(layer) for layer in layers)):
        return
    masks = _Masks(layers[0].self_attn.num_key_value_groups)
    for index, layer in enumerate(layers):
        layers[index] = FusedLayer(layer, masks)  # the old weights go as the new ones come
        del layer
        share((index + 1) / len(layers))
    if _plain(getattr(model, "lm_head", None)):
        model.lm_head = Packed(model.lm_head.weight)


def is_fused(model: Any) -> bool:
    """Whether `fuse` replaced the layers of this model."""
    trunk: Any = getattr(model, "model", model)
    return isinstance(next(iter(getattr(trunk, "layers", ())), None), FusedLayer)


def packs(model: Any) -> bool:
    """Whether the products can be had with weights laid out beforehand."""
    mkldnn: Any = torch.backends.mkldnn
    if not mkldnn.is_available() or model.device.type != "cpu":
        return False
    return model.dtype == torch.float32 or (model.dtype == torch.bfloat16 and _bf16())


def _bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _fits(layer: Any) -> bool:
    if type(layer) is not LlamaDecoderLayer:
        return False
    linear = [part for part in layer.modules() if isinstance(part, nn.Linear)]
    return all(map(_plain, linear)) and layer.self_attn.config.hidden_act == "silu"


def _plain(part: Any) -> bool:
    """Whether this is a product and nothing else, without an adapter around it or a bias."""
    return type(part) is nn.Linear and part.bias is None


class Packed(nn.Module):
    """A product with one or several matrices [out, in], laid out for it once."""

    def __init__(self, *weights: Tensor) -> None:
        super().__init__()
        whole = torch.cat([weight.detach() for weight in weights])
        self._weight = torch.ops.mkldnn._reorder_linear_weight(whole, ROWS)

    def forward(self, states: Tensor, then: str = "none") -> Tensor:
        """States [..., in] → [..., out], followed by the activation named."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(states, self._weight, None, then, [], "")
        return found

    def onto(self, other: Tensor, states: Tensor, how: str) -> Tensor:
        """The product, added to (`add`) or multiplied with (`mul`) `other` [..., out]."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            states, other, self._weight, None, how
        )
        return found


class _Masks:
    """The attention mask of a forward pass, once for each query head that shares a key head."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self._asked: Tensor | None = None
        self._given: Tensor | None = None

    def __call__(
        self, mask: Tensor | None, queries: int, like: Tensor, before: int
    ) -> Tensor | None:
        """A mask [rows, 1, queries, keys] or none → [rows, 1, heads · queries, keys] to be added.

        The first `before` keys are left out of what it gives. Where text is read it is float32 and
        once for all heads. Without a mask each of several queries sees those before it, as
        everywhere in transformers.
        """
        if mask is None:
            if queries == 1:
                return None
            mask = torch.ones((1, 1, queries, before + queries), dtype=torch.bool)
            mask = mask.tril(before)
        elif mask is self._asked:
            return self._given
        own, reading = mask[..., before:], queries >= READ_FROM
        dtype = torch.float32 if reading else like.dtype
        given = added(own, dtype) if own.dtype == torch.bool else own.to(dtype)
        if queries > 1 and not reading:
            given = given.repeat(1, 1, self._heads, 1)
        self._asked, self._given = mask, given
        return given


class FusedLayer(nn.Module):
    """Computes what a `LlamaDecoderLayer` does."""

    def __init__(self, layer: Any, masks: _Masks) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self._index = int(attention.layer_idx)
        self._width = int(attention.head_dim)
        self._scaling = float(attention.scaling)
        self._heads = int(attention.config.num_attention_heads)
        self._shared = int(attention.config.num_key_value_heads)
        self._masks = masks
        self._before = layer.input_layernorm
        self._between = layer.post_attention_layernorm
        self._in = Packed(attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight)
        self._out = Packed(attention.o_proj.weight)
        self._gate = Packed(mlp.gate_proj.weight)
        self._up = Packed(mlp.up_proj.weight)
        self._down = Packed(mlp.down_proj.weight)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """As `LlamaDecoderLayer.forward`."""
        assert position_embeddings is not None
        rows, length = hidden_states.shape[:2]
        heads, shared, width = self._heads, self._shared, self._width
        both = self._in(_normed(hidden_states, self._before))
        both = both.view(rows, length, heads + 2 * shared, width)
        turned = _rotated(both[:, :, : heads + shared], *position_embeddings)
        keys = turned[:, :, heads:].transpose(1, 2)
        values = both[:, :, heads + shared :].transpose(1, 2)
        before = None
        if past_key_values is not None:
            keys, values = past_key_values.update(keys, values, self._index)
            before = getattr(past_key_values.layers[self._index], "before", None)
        queries = turned[:, :, :heads].transpose(1, 2)
        queries = queries.reshape(rows, shared, heads // shared * length, width)
        if before and length >= READ_FROM:  # a copy for each row costs little beside the reading
            keys, values = (
                torch.cat([above.expand(rows, -1, -1, -1), own], dim=2)
                for above, own in zip(before, (keys, values), strict=True)
            )
            before = None
        mask = self._masks(attention_mask, length, keys, before[0].shape[2] if before else 0)
        if before:
            seen = _attended(queries, keys, values, mask, before, self._scaling)
        elif length < READ_FROM:
            seen = functional.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, scale=self._scaling
            )
        else:
            seen = _read(queries, keys, values, mask, self._scaling)
        seen = seen.reshape(rows, heads, length, width).transpose(1, 2)
        states = self._out.onto(hidden_states, seen.reshape(rows, length, heads * width), "add")
        normed = _normed(states, self._between)
        inner = self._up.onto(self._gate(normed, "swish"), normed, "mul")
        return self._down.onto(states, inner, "add")


def _read(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scaling: float
) -> Tensor:
    """Attention of queries [rows, heads, query heads · n, width] to keys [rows, heads, m, width].

    Two products with a softmax in float32 between them, a few rows or queries at a time: half the
    time of the processor's kernel, which multiplies in small pieces. `mask` [rows, 1, n, m].
    """
    assert mask is not None
    rows, heads, many, width = queries.shape
    count, seen = mask.shape[2:]
    mask = mask.expand(rows, -1, -1, -1)[:, :, None]
    by_head = queries.view(rows, heads, many // count, count, width)
    found = torch.empty_like(by_head)
    keys = keys.transpose(2, 3)
    together = max(1, SCORES // (heads * many * seen))
    length = max(1, min(count, SCORES // (heads * many // count * seen)))
    for first in range(0, rows, together):
        some = slice(first, first + together)
        for start in range(0, count, length):
            at = (some, slice(None), slice(None), slice(start, start + length))
            asked = by_head[at]
            scores = (asked.flatten(2, 3) @ keys[some]).view(*asked.shape[:4], seen)
            chances = torch.add(mask[at], scores, alpha=scaling).softmax(-1).to(values.dtype)
            found[at] = (chances.flatten(2, 3) @ values[some]).view(asked.shape)
    return found.view(queries.shape)


def _attended(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    before: tuple[Tensor, Tensor],
    scaling: float,
) -> Tensor:
    """Attention of queries [rows, heads, n, width] to their own keys and to those `before` all.

    The shared part is read once for all rows, as if they were one. Two softmaxes are put together
    by the logarithms of their sums (Juravsky et al. 2024).
    """
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    rows, heads, count, width = queries.shape
    as_one = queries.transpose(0, 1).reshape(1, heads, rows * count, width)
    shared, weight = attend(as_one, *before, scale=scaling)
    shared = shared.view(heads, rows, count, width).transpose(0, 1)
    weight = weight.view(heads, rows, count).transpose(0, 1)
    own, own_weight = attend(queries, keys, values, attn_mask=mask, scale=scaling)
    found: Tensor = torch.lerp(
        own, shared, (weight - own_weight).sigmoid().to(own.dtype)[..., None]
    )
    return found


def _normed(states: Tensor, norm: Any) -> Tensor:
    """As `functional.rms_norm`, in less than half the time.

    The processor has no kernel for that; the sum of squares as one operation keeps no squares.
    """
    exact = states.float()
    size = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)
    scale = torch.rsqrt(size.square_().div_(exact.shape[-1]).add_(norm.variance_epsilon))
    return (exact * scale).mul_(norm.weight).to(states.dtype)


def _rotated(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021) for states [rows, tokens, heads, width]."""
    half = states.shape[-1] // 2
    turned = torch.cat([-states[..., half:], states[..., :half]], dim=-1)
    return torch.addcmul(states * cosine[:, :, None], turned, sine[:, :, None])
