"""A Llama's layer in fewer and larger operations, for the processor.

A decoding step reads every weight once and does little with it, so what counts is how the weights
lie in memory and how many operations there are. Here matrices are laid out once as oneDNN's product
wants them, query, key and value are one product, the activation and the sums happen within the
products, and query heads that share a key head go through attention together instead of copying
keys and values for each. In float32 the texts are those of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.trees import added

if TYPE_CHECKING:
    from core.models.cache import Cache
    from core.models.llama import Shape

ROWS = 8
"""The number of rows that the layout of the weights is chosen for; it holds for any other."""

READ_FROM = 16
"""Tokens a row from which text is read rather than written: see `_read`."""

SCORES = 2**19
"""Attention scores computed at once: in float32 they stay in a core's own cache."""


def packs(dtype: torch.dtype) -> bool:
    """Whether the products can be had with weights laid out beforehand."""
    mkldnn: Any = torch.backends.mkldnn
    if not mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and _bf16())


def _bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


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


class FusedLayer(nn.Module):
    """One layer: attention, then the gated product, each added to what goes in."""

    def __init__(self, shape: Shape, index: int, weights: Mapping[str, Tensor]) -> None:
        """`weights` by their names below `model.layers.{index}.`."""
        super().__init__()
        self._index = index
        self._epsilon = shape.rms_norm_eps
        self._width = shape.head_dim
        self._scaling = shape.head_dim**-0.5
        self._heads = shape.num_attention_heads
        self._shared = shape.num_key_value_heads
        self._before = weights["input_layernorm.weight"]
        self._between = weights["post_attention_layernorm.weight"]
        self._in = Packed(*(weights[f"self_attn.{part}_proj.weight"] for part in "qkv"))
        self._out = Packed(weights["self_attn.o_proj.weight"])
        self._gate = Packed(weights["mlp.gate_proj.weight"])
        self._up = Packed(weights["mlp.up_proj.weight"])
        self._down = Packed(weights["mlp.down_proj.weight"])

    def forward(
        self,
        states: Tensor,
        turns: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: Cache | None,
        columns: Tensor | None = None,
    ) -> Tensor:
        """States [rows, tokens, hidden] → the same, or of the `columns` [rows, some] only.

        `turns` are cosine and sine of the positions [rows, tokens, width], `mask` is of
        `mask_for`; the cache takes in keys and values. There are columns only where text is read.
        """
        rows, length = states.shape[:2]
        heads, shared, width = self._heads, self._shared, self._width
        both = self._in(normed(states, self._before, self._epsilon))
        both = both.view(rows, length, heads + 2 * shared, width)
        turned = _rotated(both[:, :, : heads + shared], *turns)
        keys = turned[:, :, heads:].transpose(1, 2)
        values = both[:, :, heads + shared :].transpose(1, 2)
        before = None
        if cache is not None:
            keys, values = cache.update(keys, values, self._index)
            before = cache.layers[self._index].before
        reading, asking = length >= READ_FROM, turned[:, :, :heads]
        if columns is not None:
            assert mask is not None
            length = columns.shape[1]
            states = states.take_along_dim(columns[..., None], 1)
            asking = asking.take_along_dim(columns[..., None, None], 1)
            mask = mask.expand(rows, -1, -1, -1).take_along_dim(columns[:, None, :, None], 2)
        queries = asking.transpose(1, 2).reshape(rows, shared, heads // shared * length, width)
        if before and reading:  # a copy for each row costs little beside the reading
            keys, values = (
                torch.cat([above.expand(rows, -1, -1, -1), own], dim=2)
                for above, own in zip(before, (keys, values), strict=True)
            )
            before = None
        if before:
            seen = _attended(queries, keys, values, mask, before, self._scaling)
        elif not reading:
            seen = functional.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, scale=self._scaling
            )
        else:
            seen = _read(queries, keys, values, mask, self._scaling)
        seen = seen.reshape(rows, heads, length, width).transpose(1, 2)
        states = self._out.onto(states, seen.reshape(rows, length, heads * width), "add")
        middle = normed(states, self._between, self._epsilon)
        inner = self._up.onto(self._gate(middle, "swish"), middle, "mul")
        return self._down.onto(states, inner, "add")


def mask_for(seen: Tensor | None, heads: int, before: int, dtype: torch.dtype) -> Tensor | None:
    """What each token may see [rows, 1, tokens, keys], or what is added → as the layers take it.

    Where few tokens are read, that is once for each of the `heads` that share a key head and
    without the first `before` keys, which all rows have in common; else in float32.
    """
    if seen is None:
        return None
    reading = seen.shape[2] >= READ_FROM
    own, dtype = (seen, torch.float32) if reading else (seen[..., before:], dtype)
    given = added(own, dtype) if own.dtype == torch.bool else own.to(dtype)
    return given if reading or seen.shape[2] == 1 else given.repeat(1, 1, heads, 1)


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


def normed(states: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """As `functional.rms_norm`, in less than half the time.

    The processor has no kernel for that; the sum of squares as one operation keeps no squares.
    """
    exact = states.float()
    size = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)
    scale = torch.rsqrt(size.square_().div_(exact.shape[-1]).add_(epsilon))
    return (exact * scale).mul_(weight).to(states.dtype)


def _rotated(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021) for states [rows, tokens, heads, width]."""
    half = states.shape[-1] // 2
    turned = torch.cat([-states[..., half:], states[..., :half]], dim=-1)
    return torch.addcmul(states * cosine[:, :, None], turned, sine[:, :, None])
