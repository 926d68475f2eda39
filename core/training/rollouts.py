"""Replies sampled from a model, and how likely the model finds them.

What prompts and replies begin with alike is read once: all sequences of a pass stand in tries, one
node a token (see `core.models.trees`). Below the lowest adapter nothing changes in a run, so what
the lower layers made of a token on its path is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.models.cache import Prefixes, common_prefix
from core.models.generate import read as read_prompts
from core.models.trees import Node, Packed, Tree, added, pack
from core.training.adapted import Adapted

Tokens = tuple[int, ...]

KEPT_PATHS = 50_000
"""Paths whose lower states are kept, at some kilobytes each."""

KEPT_ROWS = 512
"""Places whose log-probabilities over the vocabulary are kept, at some hundred kilobytes each."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A sampled reply and what it was worth."""

    prompt: Tokens
    reply: Tokens
    """At least one token."""
    reward: float = 0.0


@dataclass(frozen=True, slots=True)
class Laid:
    """Rollouts laid out for one pass."""

    packed: Packed
    trees: tuple[Tree, ...]
    places: Tensor
    """(row, column) of every token after which a reply token stands, each once [places, 2]."""
    at: Tensor
    """Which place each reply token follows [reply tokens]."""
    targets: Tensor
    """The reply tokens, in order of the rollouts [reply tokens]."""
    owners: Tensor
    """Which rollout each of them belongs to [reply tokens]."""
    paths: tuple[Tokens, ...]
    """All that stands before each place's next token, one a place."""


def trie(sequences: Sequence[Sequence[int]]) -> tuple[Tree, list[list[int]]]:
    """Sequences as a tree of single tokens, and the nodes on the way of each."""
    nodes: list[Node] = []
    known: dict[tuple[int, int], int] = {}
    ways: list[list[int]] = []
    for sequence in sequences:
        way: list[int] = []
        for token in sequence:
            step = (way[-1] if way else -1, token)
            if step not in known:
                known[step] = len(nodes)
                nodes.append(Node((token,), step[0]))
            way.append(known[step])
        ways.append(way)
    return tuple(nodes), ways


def lay(rollouts: Sequence[Rollout], row_length: int) -> Laid:
    """Rollouts in tries of about `row_length` tokens, neighbours in the alphabet together."""
    sequences = [one.prompt + one.reply[:-1] for one in rollouts]  # nothing follows the last token
    groups = _groups(sequences, row_length)
    made = [trie([sequences[index] for index in group]) for group in groups]
    packed = pack([tree for tree, _ in made], row_length)
    seen: dict[tuple[int, int], int] = {}
    paths: list[Tokens] = []
    follows: list[list[int]] = [[]] * len(rollouts)
    for group, (_, ways), cells in zip(groups, made, packed.read_at, strict=True):
        where = cells.tolist()
        for index, way in zip(group, ways, strict=True):
            start = len(rollouts[index].prompt)
            after = []
            for length, node in enumerate(way[start - 1 :], start):
                cell = (where[node][0], where[node][1])
                if cell not in seen:
                    seen[cell] = len(seen)
                    paths.append(sequences[index][:length])
                after.append(seen[cell])
            follows[index] = after
    return Laid(
        packed,
        tuple(tree for tree, _ in made),
        torch.tensor(list(seen)),
        torch.tensor([place for row in follows for place in row]),
        torch.tensor([token for one in rollouts for token in one.reply]),
        torch.tensor([index for index, one in enumerate(rollouts) for _ in one.reply]),
        tuple(paths),
    )


def _groups(sequences: Sequence[Tokens], row_length: int) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    filled = 0
    for index in sorted(range(len(sequences)), key=lambda place: sequences[place]):
        last = groups[-1]
        new = len(sequences[index]) - (
            common_prefix([sequences[last[-1]], sequences[index]]) if last else 0
        )
        if last and filled + new > row_length:
            groups.append([])
            filled, new = 0, len(sequences[index])
        groups[-1].append(index)
        filled += new
    return groups


class Policy:
    """A model with an adapter, as samplers and trainers see it."""

    def __init__(self, adapted: Adapted, row_length: int) -> None:
        self.adapted = adapted
        self.row_length = row_length
        self._causal = adapted.causal
        self.writer: Any = adapted.causal
        """What samples: the policy itself, or a faster copy of it (see `core.training.writer`)."""
        self._inner: Any = adapted.causal.model
        first = adapted.first_layer
        self._lower: nn.ModuleList = self._inner.layers[:first]
        self._upper: nn.ModuleList = self._inner.layers[first:]
        self._ids: dict[tuple[int, int], int] = {}
        self._states: list[Tensor] = []
        self._rows: dict[Tokens, Tensor] = {}
        self._base_rows: dict[Tokens, Tensor] = {}
        self._version = adapted.version
        self.splits = first > 0 and self._halves_agree()
        """Whether the lower layers are read apart, once a path."""

    def logits(self, laid: Laid) -> Tensor:
        """What follows each place, float32 [places, vocabulary]."""
        hidden = self._hidden(laid)
        found: Tensor = self._causal.lm_head(hidden[laid.places[:, 0], laid.places[:, 1]]).float()
        return found

    @torch.no_grad()
    def log_probs(self, laid: Laid) -> Tensor:
        """What follows each place, with no gradient, float32 [places, vocabulary].

        Kept until the adapter moves: who samples and who learns from it ask for the same places.
        """
        if self._version != self.adapted.version:
            self._rows.clear()
            self._version = self.adapted.version
        return self._recalled(laid, self._rows)

    @torch.no_grad()
    def base_log_probs(self, laid: Laid) -> Tensor:
        """The same of the base model, which never moves."""
        with self.adapted.switched_off():
            return self._recalled(laid, self._base_rows)

    def _recalled(self, laid: Laid, rows: dict[Tokens, Tensor]) -> Tensor:
        """All places from memory, or all computed; kept where there is room."""
        if all(path in rows for path in laid.paths):
            return torch.stack([rows[path] for path in laid.paths])
        found = self.logits(laid).log_softmax(-1)
        if len(rows) + len(laid.paths) <= KEPT_ROWS:
            rows.update(zip(laid.paths, found, strict=True))
        return found

    @torch.no_grad()
    def write(
        self,
        prompts: Sequence[Tokens],
        max_tokens: int,
        ends: frozenset[int],
        generator: torch.Generator,
    ) -> list[Tokens]:
        """A reply a prompt, sampled at temperature 1; the token that ends it belongs to it."""
        replies: list[list[int]] = [[] for _ in prompts]
        going = list(range(len(prompts)))
        logits, cache, mask, position = read_prompts(
            self.writer, Prefixes(self.writer), [list(prompt) for prompt in prompts]
        )
        while True:
            chances = logits.float().softmax(-1).cpu()
            drawn = torch.multinomial(chances, 1, generator=generator)[:, 0].tolist()
            kept = []
            for place, (row, token) in enumerate(zip(going, drawn, strict=True)):
                replies[row].append(token)
                if token not in ends and len(replies[row]) < max_tokens:
                    kept.append(place)
            if not kept:
                return [tuple(reply) for reply in replies]
            if len(kept) < len(going):
                rows = torch.tensor(kept, device=mask.device)
                cache.batch_select_indices(rows)
                mask, position = mask[rows], position[rows]
                going, drawn = [going[i] for i in kept], [drawn[i] for i in kept]
            mask = torch.cat([mask, mask.new_ones((len(going), 1))], dim=1)
            logits = self.writer(
                input_ids=torch.tensor(drawn, device=mask.device)[:, None],
                attention_mask=mask,
                position_ids=position[:, None],
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
            position = position + 1

    def _hidden(self, laid: Laid) -> Tensor:
        packed = laid.packed
        device, dtype = self._causal.device, self._causal.dtype
        told: dict[str, Any] = {
            "position_ids": packed.position_ids.to(device),
            "attention_mask": added(packed.mask.to(device), dtype),
        }
        if not self.splits:
            return self._run(self._inner.layers, input_ids=packed.input_ids.to(device), **told)
        return self._run(self._upper, inputs_embeds=self._below(laid, told), **told)

    def _run(
        self, layers: nn.ModuleList, norm: nn.Module | None = None, **inputs: Tensor
    ) -> Tensor:
        """Some of the model's layers, one after the other, and its last norm or another."""
        whole, last = self._inner.layers, self._inner.norm
        self._inner.layers, self._inner.norm = layers, norm or last
        try:
            found: Tensor = self._inner(use_cache=False, **inputs).last_hidden_state
        finally:
            self._inner.layers, self._inner.norm = whole, last
        return found

    @torch.no_grad()
    def _below(self, laid: Laid, told: dict[str, Any]) -> Tensor:
        """States below the lowest adapter [rows, length, width], computed where a path is new."""
        if len(self._states) > KEPT_PATHS:
            self._ids.clear()
            self._states.clear()
        paths = [list(self._paths(tree)) for tree in laid.trees]
        cells = torch.cat(list(laid.packed.read_at))
        rows, columns = cells[:, 0], cells[:, 1]
        ids = [path for tree in paths for path in tree]
        if max(ids) >= len(self._states):
            made = self._run(
                self._lower,
                nn.Identity(),
                input_ids=laid.packed.input_ids.to(self._causal.device),
                **told,
            )
            fresh = {path: n for n, path in enumerate(ids) if path >= len(self._states)}
            found = made[rows, columns]
            self._states += [found[fresh[path]].clone() for path in sorted(fresh)]
        shape = (*laid.packed.input_ids.shape, self._causal.config.hidden_size)
        states = torch.zeros(shape, dtype=self._causal.dtype, device=self._causal.device)
        states[rows, columns] = torch.stack([self._states[path] for path in ids])
        return states

    def _paths(self, tree: Tree) -> Iterator[int]:
        """A number for each node's way from the root, the same in every tree."""
        mine: list[int] = []
        for node in tree:
            step = (mine[node.parent] if node.parent >= 0 else -1, node.tokens[0])
            mine.append(self._ids.setdefault(step, len(self._ids)))
            yield mine[-1]

    def _halves_agree(self) -> bool:
        """Whether this kind of model can be read in two halves: tried on a small tree."""
        vocabulary = int(self._causal.config.vocab_size)
        tokens = [tuple(n % vocabulary for n in row) for row in ((3, 5, 7, 4), (3, 5, 9))]
        laid = lay([Rollout(row, (0,)) for row in tokens], 32)
        self.splits = False
        with torch.no_grad(), suppress(TypeError, ValueError, RuntimeError):
            whole = self.logits(laid)
            self.splits = True
            return bool((self.logits(laid) - whole).abs().max() < 0.05)
        return False
