"""A Llama-shaped model from its files to the processor, in layers of our own.

Importing transformers takes longer than all the rest of a start, and for these models little of it
would be used: the layers are `core.models.fused`'s anyway. What is here is the frame around them,
embedding, positions, masks and head, and when a model is plain enough for it. Every other model is
run as transformers has it (`core.models.foreign`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import tau
from pathlib import Path
from typing import Any, ClassVar

import torch
from msgspec import Struct, convert
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from core.errors import ModelProblem, reason
from core.models.cache import Cache
from core.models.fused import READ_FROM, FusedLayer, Packed, mask_for, normed, packs
from core.models.merged import check_whole, headers, read_weights
from core.models.share import MERGED, Share, part, unheard

Weights = dict[str, Tensor]
"""Tensors by the names that checkpoints of Llama have."""


class Scaling(Struct, frozen=True, forbid_unknown_fields=True):
    """How positions are stretched for a window beyond that of training: the way of Llama 3.1."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


class Shape(Struct, frozen=True, kw_only=True):
    """What config.json says of a Llama, under the names it has there."""

    is_encoder_decoder: ClassVar[bool] = False

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    rope_scaling: Scaling | None
    tie_word_embeddings: bool
    eos_token_id: int | list[int] | None

    def get_text_config(self) -> Shape:
        """Itself: there is nothing but text."""
        return self


_PLAIN = {
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "partial_rotary_factor": 1.0,
    "quantization_config": None,
}
"""What config.json has to say, or to be silent about."""


def shape_of(folder: Path) -> Shape | None:
    """The shape of the model in `folder`.

    None where it is no Llama, or has what is not done here: biases, another activation, positions
    of another kind, quantised weights. None too where the file is damaged: transformers tells why.
    """
    try:
        told = json.loads((folder / "config.json").read_text("utf-8"))
        if "model_type" not in told or any(
            told.get(name, has) != has for name, has in _PLAIN.items()
        ):
            return None
        rope = dict(told.get("rope_scaling") or told.get("rope_parameters") or {})
        theta = rope.pop("rope_theta", told.get("rope_theta", 10_000.0))
        kind = rope.pop("rope_type", None) or rope.pop("type", "default")
        if kind not in ("default", "llama3") or (kind == "default" and rope):
            return None
        heads, size = int(told["num_attention_heads"]), int(told["hidden_size"])
        groups = int(told.get("num_key_value_heads") or heads)
        if heads % groups:
            return None
        return Shape(
            vocab_size=int(told["vocab_size"]),
            hidden_size=size,
            intermediate_size=int(told["intermediate_size"]),
            num_hidden_layers=int(told["num_hidden_layers"]),
            num_attention_heads=heads,
            num_key_value_heads=groups,
            head_dim=int(told.get("head_dim") or size // heads),
            max_position_embeddings=int(told["max_position_embeddings"]),
            rms_norm_eps=float(told["rms_norm_eps"]),
            rope_theta=float(theta),
            rope_scaling=convert(rope, Scaling, strict=False) if kind == "llama3" else None,
            tie_word_embeddings=bool(told.get("tie_word_embeddings", False)),
            eos_token_id=_ends(folder, told),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None


def _ends(folder: Path, told: Mapping[str, Any]) -> int | list[int] | None:
    """What ends a text; generation_config.json comes before config.json."""
    path = folder / "generation_config.json"
    own = json.loads(path.read_text("utf-8")) if path.is_file() else told
    ends: int | list[int] | None = own.get("eos_token_id")
    return ends


def runs_here(
    folder: Path, device: str, dtype: torch.dtype, depth: int | None = None
) -> Shape | None:
    """The shape of the model in `folder` if `load_llama` loads it, by its config and headers.

    Every other one is for transformers, to run or to say what is wrong with it.
    """
    shape = shape_of(folder)
    if shape is None or device != "cpu" or not packs(dtype):
        return None
    names = ("model.safetensors", "model.safetensors.index.json")
    layers = depth or shape.num_hidden_layers
    if layers > shape.num_hidden_layers or not any((folder / name).is_file() for name in names):
        return None
    try:
        found = headers(folder, layers)
    except (SafetensorError, OSError, ModelProblem):
        return None
    wanted = _wanted(shape, layers, head=depth is None)
    if _HEAD in found:
        wanted.setdefault(_HEAD, wanted[_EMBEDDING])
    fits = all(name in found and found[name].shape == size for name, size in wanted.items())
    return shape if fits and all(one.kind in _FLOATS for one in found.values()) else None


_FLOATS = ("F64", "F32", "F16", "BF16")


def load_llama(
    base: Path,
    shape: Shape,
    adapter: Path | None,
    dtype: torch.dtype,
    depth: int | None = None,
    share: Share = unheard,
) -> Llama:
    """The Llama in `base`, whose shape is of `runs_here`, with the adapter in `adapter`.

    With a `depth` it is cut after so many layers, and without a head. `share` hears how far it is.

    Raises:
        ModelProblem: a file cannot be read, or the adapter is missing, damaged or does not fit.
    """
    layers = depth or shape.num_hidden_layers
    try:
        weights, unused = read_weights(base, adapter, dtype, layers, part(share, 0.0, MERGED))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelProblem(
            f"the weights cannot be read ({reason(error)})",
            where=str(base),
            mend="Bring the model again.",
        ) from None
    check_whole(unused, base)
    return Llama(shape, weights, depth, part(share, MERGED, 1.0))


def _wanted(shape: Shape, layers: int, *, head: bool) -> dict[str, tuple[int, ...]]:
    """The weights of a Llama and their shapes."""
    size, inner = shape.hidden_size, shape.intermediate_size
    queries = shape.num_attention_heads * shape.head_dim
    keys = shape.num_key_value_heads * shape.head_dim
    of_layer = {
        "input_layernorm": (size,),
        "post_attention_layernorm": (size,),
        "self_attn.q_proj": (queries, size),
        "self_attn.k_proj": (keys, size),
        "self_attn.v_proj": (keys, size),
        "self_attn.o_proj": (size, queries),
        "mlp.gate_proj": (inner, size),
        "mlp.up_proj": (inner, size),
        "mlp.down_proj": (size, inner),
    }
    found: dict[str, tuple[int, ...]] = {
        f"{_LAYER.format(index)}{name}.weight": size
        for index in range(layers)
        for name, size in of_layer.items()
    }
    found[_EMBEDDING] = (shape.vocab_size, size)
    if head:
        found[_NORM] = (size,)
        if not shape.tie_word_embeddings:
            found[_HEAD] = (shape.vocab_size, size)
    return found


_LAYER = "model.layers.{}."
_EMBEDDING = "model.embed_tokens.weight"
_NORM = "model.norm.weight"
_HEAD = "lm_head.weight"


class Output(Struct, frozen=True):
    """What a forward pass gives."""

    logits: Tensor
    """Of the next token [rows, tokens that were kept, vocabulary]."""


class Llama(nn.Module):
    """Token ids → logits, or states. It takes what models of transformers take."""

    own = True
    device = torch.device("cpu")

    def __init__(
        self,
        shape: Shape,
        weights: Weights,
        depth: int | None = None,
        share: Share = unheard,
    ) -> None:
        """Takes what it needs out of `weights`; they are laid out anew and cannot be changed.

        With a `depth` there are so many layers and no head, so only `states` can be asked for.
        """
        super().__init__()
        self.config = self.generation_config = shape
        self._embedding = weights[_EMBEDDING]
        self.dtype = self._embedding.dtype
        self._speeds = _speeds(shape)
        self.layers = nn.ModuleList()
        count = depth or shape.num_hidden_layers
        for index in range(count):
            name = _LAYER.format(index)
            own = [full for full in weights if full.startswith(name)]
            short = {full.removeprefix(name): weights.pop(full) for full in own}
            self.layers.append(FusedLayer(shape, index, short))
            share((index + 1) / count)
        if depth is None:
            self._norm = weights[_NORM]
            head = weights.pop(_HEAD, self._embedding)
            tied = shape.tie_word_embeddings and torch.equal(head, self._embedding)
            self._head = Packed(self._embedding if tied else head)

    def states(
        self,
        input_ids: Tensor,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        columns: Tensor | None = None,
    ) -> Tensor:
        """Hidden states after the last layer [rows, tokens, hidden], or of `columns` [rows, some].

        `input_ids` [rows, tokens]; `position_ids` the same, or one after the other behind what the
        cache holds; `attention_mask` [rows, all tokens] with 0 for what pads, or [rows, 1, tokens,
        all tokens] with what may be seen or what is added to the scores; without one each token
        sees those before it.
        """
        rows, length = input_ids.shape
        cached = past_key_values.get_seq_length() if past_key_values else 0
        if position_ids is None:
            position_ids = torch.arange(cached, cached + length)[None].expand(rows, -1)
        angles = position_ids[..., None].float() * self._speeds
        angles = torch.cat([angles, angles], dim=-1)
        turns = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        shape = self.config
        mask = mask_for(
            _seen(attention_mask, length, cached + length),
            shape.num_attention_heads // shape.num_key_value_heads,
            past_key_values.common if past_key_values else 0,
            self.dtype,
        )
        states = functional.embedding(input_ids, self._embedding)
        early = columns is not None and length >= READ_FROM
        for layer in self.layers[:-1]:
            states = layer(states, turns, mask, past_key_values)
        last = self.layers[-1]
        found: Tensor = last(states, turns, mask, past_key_values, columns if early else None)
        if columns is not None and not early:
            found = found.take_along_dim(columns[..., None], 1)
        return found

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool = True,
        logits_to_keep: int | Tensor = 0,
    ) -> Output:
        """As a causal model of transformers, for those arguments; see `states`.

        `logits_to_keep`: how many tokens from the end, 0 for all, or which, also [rows, some].
        """
        rows, length = input_ids.shape
        columns: Tensor | None = None
        if isinstance(logits_to_keep, Tensor):
            columns = logits_to_keep.expand(rows, -1)
        elif logits_to_keep:
            columns = torch.arange(length - logits_to_keep, length).expand(rows, -1)
        states = self.states(input_ids, position_ids, attention_mask, past_key_values, columns)
        return Output(self._head(normed(states, self._norm, self.config.rms_norm_eps)))


def _speeds(shape: Shape) -> Tensor:
    """How far each pair of a head's numbers is turned from one position to the next [width / 2]."""
    half = torch.arange(0, shape.head_dim, 2, dtype=torch.float32)
    speeds = 1.0 / shape.rope_theta ** (half / shape.head_dim)
    told = shape.rope_scaling
    if told is None:
        return speeds
    rounds = told.original_max_position_embeddings * speeds / tau
    span = told.high_freq_factor - told.low_freq_factor
    kept = ((rounds - told.low_freq_factor) / span).clamp(0.0, 1.0)
    return speeds * (kept + (1.0 - kept) / told.factor)


def _seen(mask: Tensor | None, length: int, whole: int) -> Tensor | None:
    """What each of the last `length` tokens may see of the `whole` [rows, 1, length, whole].

    That is those before it that do not pad; None where a single token sees them all.
    """
    if mask is not None and mask.dim() == 4:
        return mask
    padded = mask is not None and not bool(mask.all())
    if length == 1 and not padded:
        return None
    causal = torch.ones((1, 1, length, whole), dtype=torch.bool).tril(whole - length)
    return causal & mask[:, None, None].bool() if mask is not None and padded else causal
