"""Keys and values: kept for what is shared, and given room to grow while rows are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from core.models.llama import Llama

AnyModel: TypeAlias = "Llama | PreTrainedModel"

KEPT_PREFIXES = 6
"""How many prefixes keep their keys and values."""

Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of every layer, each [rows, heads, tokens, width]."""


class RoomyLayer:
    """A cache layer with room for tokens to come, so that a step copies only the new one."""

    step = 64
    before: tuple[Tensor, Tensor] | None = None
    common = 0
    """Tokens of `before`, which stand there once for all rows."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self._make_room(keys, values, self.step)

    def _make_room(self, keys: Tensor, values: Tensor, more: int) -> None:
        self._stores = [
            torch.cat([part, part.new_empty((*part.shape[:2], more, part.shape[3]))], dim=2)
            for part in (keys, values)
        ]
        self._show(keys.shape[2])

    def _show(self, length: int) -> None:
        self._length = length
        self.keys, self.values = (store[:, :, :length] for store in self._stores)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Takes in what is new [rows, heads, new, width] and gives all there is."""
        start, new = self._length, key_states.shape[2]
        if start + new > self._stores[0].shape[2]:
            keys, values = (store[:, :, :start] for store in self._stores)
            self._make_room(keys, values, new + self.step)
        for store, states in zip(self._stores, (key_states, value_states), strict=True):
            store[:, :, start : start + new] = states
        self._show(start + new)
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Tokens of a row so far."""
        return self.common + self._length

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps these rows only, in this order."""
        order = indices.tolist()
        if all(old >= new for new, old in enumerate(order)):  # no row is asked for once it is gone
            for store in self._stores:
                for new, old in enumerate(order):
                    if new != old:
                        store[new] = store[old]
            self._stores = [store[: len(order)] for store in self._stores]
        else:
            self._stores = [store.index_select(0, indices) for store in self._stores]
        self._show(self._length)


class SharedLayer(RoomyLayer):
    """A cache layer whose rows all begin with the same keys and values, which stand there once.

    The layers of `core.models.fused` look for `before` by themselves.
    """

    def __init__(self, keys: Tensor, values: Tensor, rows: int) -> None:
        """`keys` and `values` are those of one row [1, heads, tokens, width]."""
        self.before = (keys, values)
        self.common = keys.shape[2]
        super().__init__(*(part[:, :, :0].expand(rows, -1, -1, -1) for part in (keys, values)))


class Cache:
    """The layers' keys and values, for our own models."""

    def __init__(self, layers: Sequence[RoomyLayer] = ()) -> None:
        self.layers = list(layers)

    def update(self, keys: Tensor, values: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """Takes in what is new in a layer and gives all that it holds."""
        if index == len(self.layers):
            self.layers.append(RoomyLayer(keys, values))
            return keys, values
        return self.layers[index].update(keys, values)

    def get_seq_length(self) -> int:
        """Tokens of a row so far."""
        return self.layers[0].get_seq_length() if self.layers else 0

    @property
    def common(self) -> int:
        """Tokens that stand there once for all rows."""
        return self.layers[0].common if self.layers else 0

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps these rows only, in this order."""
        for layer in self.layers:
            layer.batch_select_indices(indices)


def is_own(model: AnyModel) -> TypeGuard[Llama]:
    """Whether this is a model of `core.models.llama`, whose layers look for `before`."""
    return bool(getattr(model, "own", False))


@dataclass
class Prefixes:
    """Keys and values of prefixes read lately, the most recent last."""

    model: AnyModel
    parts: bool = True
    """Whether what begins alike is taken over. It saves reading, but the last digits then depend
    on what was read before."""
    entries: list[tuple[tuple[int, ...], Layers]] = field(default_factory=list)

    def layers(self, tokens: tuple[int, ...]) -> Layers:
        """Keys and values of one row of `tokens`; only what is new is computed."""
        shared, best = 0, None
        for known, layers in self.entries:
            length = common_prefix([known, tokens])
            if length > shared and (self.parts or known == tokens):
                shared, best = length, layers
        cut: Layers = [(keys[:, :, :shared], values[:, :, :shared]) for keys, values in best or []]
        if shared < len(tokens):
            cache = cache_of(cut, self.model)
            rest = torch.tensor([tokens[shared:]], device=self.model.device)
            if is_own(self.model):
                self.model.states(rest, past_key_values=cache)
            else:
                self.model(input_ids=rest, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cut = layers_of(cache)
        self.entries = [entry for entry in self.entries if entry[0] != tokens]
        self.entries = [*self.entries, (tokens, cut)][-KEPT_PREFIXES:]
        return cut


def cache_of(layers: Layers, model: AnyModel) -> Any:
    """A cache that begins with these keys and values; they stay as they are."""
    if is_own(model):
        return Cache([RoomyLayer(keys, values) for keys, values in layers])
    from transformers import DynamicCache

    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def rows_upon(layers: Layers, rows: int, model: AnyModel) -> Any:
    """A cache of so many rows that all begin with these keys and values [1, ...].

    They stand there once if the model can do with it, else once a row.
    """
    if is_own(model):
        return Cache([SharedLayer(keys, values, rows) for keys, values in layers])
    from core.models.foreign import growing

    return growing(
        [
            (keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
            for keys, values in layers
        ]
    )


def layers_of(cache: Any) -> Layers:
    """The keys and values in a cache."""
    layers: list[Any] = cache.layers
    return [(layer.keys, layer.values) for layer in layers]


def common_prefix(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with."""
    length = min(len(row) for row in rows)
    for index in range(length):
        if any(row[index] != rows[0][index] for row in rows):
            return index
    return length
