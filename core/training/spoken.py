"""Replies of one word: how likely each word is, exactly, and replies drawn at temperature 1.

A reply is drawn token by token for as long as it may still become one of the words. So it is one
of them, or illegal; whatever could follow an illegal beginning would change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.errors import BadInput
from core.models.base import Prompt
from core.training.replies import prompt_tokens
from core.training.rollouts import Policy, Rollout, Tokens, lay


class Reply(NamedTuple):
    """A reply that was drawn."""

    tokens: Tokens
    text: str
    word: int | None
    """Which of the words it is; `None` for an illegal one."""


class Spoken:
    """What a policy would reply to some prompts with these words, as it is now."""

    def __init__(
        self,
        prompts: Sequence[Tokens],
        spelled: Sequence[Tokens],
        log_probs: Tensor,
        places: dict[tuple[int, Tokens], int],
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        """`log_probs` [places, vocabulary]; `places` by prompt and beginning of a reply."""
        self.prompts = prompts
        """In tokens."""
        self._spelled = spelled
        self._log_probs = log_probs
        self._places = places
        self._tokenizer = tokenizer
        self._sums = log_probs.double().exp().cumsum(-1)

    def chances(self) -> list[list[float]]:
        """Probability of each word, by prompt; what is missing to 1 is illegal."""
        return [
            [self._chance(row, word) for word in self._spelled] for row in range(len(self.prompts))
        ]

    def _chance(self, row: int, word: Tokens) -> float:
        found = 1.0
        for n, token in enumerate(word):
            found *= float(self._log_probs[self._places[row, word[:n]], token].exp())
        return found

    def draw(self, row: int, rng: Random) -> Reply:
        """A reply to a prompt. Takes a number from `rng` for each of its tokens."""
        tokens: Tokens = ()
        while True:
            sums = self._sums[self._places[row, tokens]]
            drawn = int(torch.searchsorted(sums, rng.random() * sums[-1]))
            tokens = (*tokens, min(drawn, len(sums) - 1))
            if tokens in self._spelled:
                return Reply(tokens, self._text(tokens), self._spelled.index(tokens))
            if not any(word[: len(tokens)] == tokens for word in self._spelled):
                return Reply(tokens, self._text(tokens), None)

    def _text(self, tokens: Tokens) -> str:
        return str(self._tokenizer.decode(list(tokens)))


class Speaker:
    """A policy with its tokenizer."""

    def __init__(self, policy: Policy, base: Path) -> None:
        self.policy = policy
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            base, local_files_only=True, trust_remote_code=False
        )

    def ask(
        self, prompts: Sequence[Prompt], words: Sequence[str], *, untuned: bool = False
    ) -> Spoken:
        """What it would reply to prompts that are all led in alike; `untuned`: without its adapter.

        Raises:
            BadInput: one word begins with the other, or does not stand apart from the lead.
        """
        asked = [tuple(prompt_tokens(self.tokenizer, prompt)) for prompt in prompts]
        spelled = self.spell(prompts[0], words)
        rollouts = [Rollout(prompt, word) for prompt in asked for word in spelled]
        laid = lay(rollouts, self.policy.row_length)
        read = self.policy.base_log_probs if untuned else self.policy.log_probs
        log_probs = read(laid).cpu()
        places: dict[tuple[int, Tokens], int] = {}
        at = iter(laid.at.tolist())
        for number, rollout in enumerate(rollouts):
            for n in range(len(rollout.reply)):
                places[number // len(spelled), rollout.reply[:n]] = next(at)
        return Spoken(asked, spelled, log_probs, places, self.tokenizer)

    def spell(self, prompt: Prompt, words: Sequence[str]) -> list[Tokens]:
        """The words as tokens that follow a prompt, after a space where it has a lead."""
        before = prompt_tokens(self.tokenizer, prompt)
        space = " " if prompt.lead else ""
        found = []
        for word in words:
            led = Prompt(prompt.system, prompt.user, prompt.lead + space + word)
            whole = prompt_tokens(self.tokenizer, led)
            if whole[: len(before)] != before or len(whole) == len(before):
                raise BadInput(f"this model cannot tell the word {word!r} from what precedes it")
            found.append(tuple(whole[len(before) :]))
        if any(one is not other and other[: len(one)] == one for one in found for other in found):
            raise BadInput(f"of the words {' and '.join(words)} one begins with the other")
        return found
