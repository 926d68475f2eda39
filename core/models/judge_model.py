"""The trained judge as a model: the default model's lower layers, an adapter merged in, two heads.

Layers above the read-out are never run. The adapter lies in peft's own format; merging it needs no
peft, so judging does not depend on the training extra.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.models.cache import Layers, Prefixes, is_own, rows_upon
from core.models.llama import load_llama, runs_here
from core.models.readout import LAYOUT_VERSION, Asked, Calibration, Heads, Tokenize
from core.models.share import Share, unheard, with_transformers
from core.models.tokens import own_tokenizer
from core.models.trees import Packed, added, pack, size
from core.watch import SILENT, Progress, Watch

HEADS = "heads.safetensors"
CARD = "judge.toml"


def read_card(weights: Path) -> dict[str, Any]:
    """judge.toml beside the weights.

    Raises:
        ValueError: the weights were trained for another prompt layout.
    """
    card = tomllib.loads((weights / CARD).read_text(encoding="utf-8"))
    if card["layout"] != LAYOUT_VERSION:
        raise ValueError(
            f"{weights / CARD}: layout {card['layout']} is not {LAYOUT_VERSION}, this program's"
        )
    return card


def load_tokenize(base: Path) -> Tokenize:
    """Text → token ids, nothing added; a control token that is written out is text."""
    tokenizer: Any = own_tokenizer(base)
    if tokenizer is None:
        from core.models.foreign import read_tokenizer

        tokenizer = read_tokenizer(base)

    def tokenize(text: str) -> list[int]:
        return list(
            tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        )

    return tokenize


def states(trunk: Any, packed: Packed, before: Layers = ()) -> Tensor:
    """Hidden state at the end of every node of all trees, in order [nodes, width].

    `trunk` is a model of `load_llama` or of `load_trunk`, cut after some layers, or the latter with
    an adapter around it. All trees stand below the text whose keys and values are `before`.
    """
    rows = len(packed.input_ids)
    shared = before[0][0].shape[2] if before else 0
    seen = packed.mask.new_ones((*packed.mask.shape[:3], shared))
    cache = rows_upon(before, rows, trunk) if before else None
    ids = packed.input_ids.to(trunk.device)
    positions = (packed.position_ids + shared).to(trunk.device)
    mask = added(torch.cat([seen, packed.mask], dim=-1).to(trunk.device), trunk.dtype)
    if is_own(trunk):
        columns, places = packed.ends  # of the last layer the rest would be computed for nothing
        return trunk.states(ids, positions, mask, cache, columns)[places]
    inner = getattr(trunk, "base_model", trunk)
    inner = inner.model if hasattr(inner, "model") else inner
    inner = inner.model if hasattr(inner, "lm_head") else inner
    hidden = inner(
        input_ids=ids,
        position_ids=positions,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=bool(before),
    ).last_hidden_state
    return packed.states(hidden.cpu())


@dataclass(frozen=True, slots=True)
class Reading:
    """Uncalibrated answers to one `Asked`."""

    respect: Tensor
    """Logits of keeps, unrelated, breaks for every action and value, in order [questions, 3]."""
    harm: Tensor
    """Logit of harm for every action [actions]."""


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """A loaded judge, which reads many trees at once."""

    trunk: Any
    heads: Heads
    tokenize: Tokenize
    calibration: Calibration
    card: dict[str, Any]
    """judge.toml as it lies beside the weights."""
    prefixes: Prefixes
    """Keys and values of the contexts read lately."""

    @classmethod
    def load(
        cls,
        base: Path,
        weights: Path,
        dtype: torch.dtype = torch.bfloat16,
        device: str = "cpu",
        share: Share = unheard,
    ) -> JudgeModel:
        """Load the judge in `weights` upon the model in `base`; `share` hears how far it is.

        Raises:
            ValueError: the weights were trained for another prompt layout.
        """
        card = read_card(weights)
        depth = int(card["config"]["depth"])
        trunk: Any
        if shape := runs_here(base, device, dtype, depth):
            trunk = load_llama(base, shape, weights, dtype, depth, share)
        else:
            share = with_transformers(share)
            from core.models.foreign import load_merged

            trunk = load_merged(base, weights, dtype, depth, share).to(device)  # type: ignore[arg-type]
            trunk.model.norm = nn.Identity()
        heads = Heads(trunk.config.hidden_size)
        heads.load_state_dict(
            {name: weight.float() for name, weight in load_file(weights / HEADS).items()}
        )
        fitted = dict(card.get("calibration", {}))
        if "respect_bias" in fitted:
            fitted["respect_bias"] = tuple(fitted["respect_bias"])
        calibration = Calibration(**fitted)
        return cls(
            trunk,
            heads.eval(),
            load_tokenize(base),
            calibration,
            card,
            Prefixes(trunk, parts=False),
        )

    @property
    def room(self) -> int:
        """Tokens from a context to the end of a value at most: the model's positions."""
        return int(self.trunk.config.max_position_embeddings)

    @torch.inference_mode()
    def read(
        self,
        asked: Sequence[Asked],
        row_length: int = 128,
        tokens_at_once: int = 2048,
        above: str = "",
        watch: Watch = SILENT,
    ) -> list[Reading]:
        """Read many trees, in batches of bounded size; the answers come back in the order given.

        The text `above` stands before all of them. It is read once, and its keys and values are
        kept for the next time. `watch` hears of the tokens read after each batch.
        """
        answers: list[Reading | None] = [None] * len(asked)
        sizes = [size(one.tree) for one in asked]
        began, done, total = time.monotonic(), 0, sum(sizes)
        before = self.prefixes.layers(tuple(self.tokenize(above))) if above else ()
        for batch in batches(sizes, tokens_at_once):
            packed = pack([asked[i].tree for i in batch], row_length)
            found = states(self.trunk, packed, before)
            start = 0
            for i in batch:
                one = asked[i]
                own = Heads.normed(found[start : start + len(one.tree)])
                start += len(one.tree)
                asked_at, about = one.questions
                answers[i] = Reading(
                    self.heads.respect_logits(own[asked_at], own[about]),
                    self.heads.harm_logit(own[list(one.actions)]),
                )
            done += sum(sizes[i] for i in batch)
            speed = done / max(time.monotonic() - began, 1e-6)
            watch.say(Progress(stage="read", done=done, total=total, tokens_per_s=speed))
        return [answer for answer in answers if answer is not None]


def batches(sizes: Sequence[int], bound: int) -> list[list[int]]:
    """Group neighbours in length, so that little is padded; about `bound` tokens a group."""
    groups: list[list[int]] = [[]]
    filled = 0
    for index in sorted(range(len(sizes)), key=lambda i: (sizes[i], i)):
        if groups[-1] and filled + sizes[index] > bound:
            groups.append([])
            filled = 0
        groups[-1].append(index)
        filled += sizes[index]
    return [group for group in groups if group]
