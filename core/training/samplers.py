"""Who plays for the PPO trainer: a sampler asks the policy and finds out what replies are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from core.training.rollouts import Policy, Rollout, Tokens
from core.training.writer import Writer


class Sampler(Protocol):
    """Whoever gives rollouts. All that is random in it comes from the generator."""

    def sample(self, policy: Policy, step: int, generator: torch.Generator) -> list[Rollout]:
        """Replies of the policy with their rewards; `step` counts from 0."""

    def extra(self) -> Mapping[str, float]:
        """Figures of the last samples, for the log."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to hold: numbers, strings, tensors and containers of these."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""

    def finished(self) -> bool:
        """Whether the run is to end before its last step."""


Reward = Callable[[Sequence[Tokens], Sequence[Tokens]], Sequence[float]]
"""Prompts and replies to them → what each reply is worth."""


class Memoryless:
    """What a sampler has that keeps nothing from step to step and never ends a run by itself."""

    def __init__(self) -> None:
        self._extra: dict[str, float] = {}

    def extra(self) -> Mapping[str, float]:
        """See `Sampler.extra`."""
        return self._extra

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing was kept."""

    def finished(self) -> bool:
        """Never before the last step."""
        return False


class PromptSampler(Memoryless):
    """Prompts drawn at random, several replies to each, and a reward for every reply."""

    def __init__(
        self,
        prompts: Sequence[Tokens],
        reward: Reward,
        *,
        prompts_per_step: int,
        replies_per_prompt: int,
        max_tokens: int,
        ends: frozenset[int],
        writer: Writer | None = None,
    ) -> None:
        super().__init__()
        self.prompts = prompts
        self.reward = reward
        self.prompts_per_step = prompts_per_step
        self.replies_per_prompt = replies_per_prompt
        self.max_tokens = max_tokens
        self.ends = ends
        self.writer = writer

    def sample(self, policy: Policy, step: int, generator: torch.Generator) -> list[Rollout]:
        """See `Sampler.sample`."""
        if self.writer:
            self.writer.renew(policy)
        order = torch.randperm(len(self.prompts), generator=generator).tolist()
        drawn = [self.prompts[place] for place in order[: self.prompts_per_step]]
        asked = [prompt for prompt in drawn for _ in range(self.replies_per_prompt)]
        replies = policy.write(asked, self.max_tokens, self.ends, generator)
        worth = self.reward(asked, replies)
        return [
            Rollout(prompt, reply, float(value))
            for prompt, reply, value in zip(asked, replies, worth, strict=True)
        ]
