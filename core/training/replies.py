"""Prompts and the replies to them, as tokens: what the policy learns and is measured on.

All replies to one scenario share its prompt in one tree (see `core.models.trees`).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from core.models.base import Draft, Prompt
from core.models.causal import as_text
from core.models.trees import Node, Tree, added, pack
from core.stages import prompts
from core.stages.propose import usable
from core.training.texts import Scene, Wish


@dataclass(frozen=True, slots=True)
class Sample:
    """Prompts with a common beginning, and a reply to each."""

    tree: Tree
    """A root that all share; each leaf is the rest of a prompt, at least a token, and its reply."""
    replies: tuple[int, ...]
    """Tokens of the reply at the end of each leaf."""


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> list[int]:
    """The prompt, exactly as `CausalModel` reads it."""
    return list(tokenizer(as_text(tokenizer, prompt), add_special_tokens=False)["input_ids"])


def as_used(
    tokenizer: PreTrainedTokenizerBase,
    reply: Sequence[int],
    ends: Container[int],
    asked: str,
) -> str:
    """A sampled reply to what was `asked` as the product would use it, or an empty text.

    It is whole where its last token is among `ends`.
    """
    text = str(tokenizer.decode(list(reply), skip_special_tokens=True))
    first = next(iter(text.strip().splitlines()), "")
    return usable(Draft(first, len(reply), reply[-1] in ends), asked, ())[0]


def sample(tokenizer: PreTrainedTokenizerBase, asked: Sequence[tuple[Prompt, str]]) -> Sample:
    """A tree of prompts and replies; each reply ends with the token that ends a turn."""
    starts = [prompt_tokens(tokenizer, prompt) for prompt, _ in asked]
    ends = [
        list(tokenizer(f" {reply}{tokenizer.eos_token}", add_special_tokens=False)["input_ids"])
        for _, reply in asked
    ]
    shared = min(len(start) for start in starts) - 1
    for index, tokens in enumerate(zip(*starts, strict=False)):
        if len(set(tokens)) > 1:
            shared = min(shared, index)
            break
    leaves = [Node((*start[shared:], *end), 0) for start, end in zip(starts, ends, strict=True)]
    return Sample((Node(tuple(starts[0][:shared])), *leaves), tuple(len(end) for end in ends))


def proposing(tokenizer: PreTrainedTokenizerBase, scene: Scene) -> Sample:
    """The policy's task: good actions for the goal."""
    prompt = prompts.proposal(scene.scenario)
    return sample(tokenizer, [(prompt, action) for action in scene.actions])


def rewriting(tokenizer: PreTrainedTokenizerBase, scene: Scene, wishes: Sequence[Wish]) -> Sample:
    """The aligner's task: rewrites of the actions in `wishes`."""
    return sample(
        tokenizer,
        [
            (prompts.rewrite(scene.scenario, one.action, one.values, one.guidance), one.rewrite)
            for one in wishes
        ],
    )


def losses(causal: Any, batch: Sequence[Sample], row_length: int = 384) -> Tensor:
    """Cross-entropy of every reply token in nats, in order [tokens]; `causal` is a causal model."""
    packed = pack([one.tree for one in batch], row_length)
    hidden = causal.model(
        input_ids=packed.input_ids,
        position_ids=packed.position_ids,
        attention_mask=added(packed.mask, causal.dtype),
        use_cache=False,
    ).last_hidden_state
    places = torch.cat(
        [
            torch.stack([end[0].expand(length), end[1] - length + torch.arange(length)], dim=1)
            for one, ends in zip(batch, packed.read_at, strict=True)
            for end, length in zip(ends[1:], one.replies, strict=True)
        ]
    )
    logits = causal.lm_head(hidden[places[:, 0], places[:, 1]]).float()
    targets = packed.input_ids[places[:, 0], places[:, 1] + 1]
    return nn.functional.cross_entropy(logits, targets, reduction="none")
