"""What tells a better agent from one that has found out how to please its judge.

Measured on questions that are never trained on: a second judge, length, repetition, how far apart
the answers to different questions are, and how likely the base model finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import torch

from core.domain.text import words
from core.models.second import Asked
from core.training.rollouts import Policy, Rollout, Tokens, lay
from core.training.wording import distance, distinct_2

Second = Callable[[Sequence[Asked]], Sequence[float]]
"""Actions and statements → probabilities of respecting, by a judge that never rewards."""

ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Guards:
    """Means over the answers to the guard questions."""

    reward: float
    """What the rewarding judge says, 0 to 1."""
    second: float
    """What the second judge says, 0 to 1."""
    usable: float
    """Share of answers that are a whole, own sentence, 0 to 1."""
    length: float
    """Words an answer."""
    distinct_2: float
    """Different word pairs by all word pairs, over all answers, 0 to 1."""
    apart: float
    """Distance between answers to different questions (Jaccard, of words), 0 to 1."""
    fluency: float
    """Log-probability of a token under the base model, nats."""
    fit: float
    """How much likelier that is after its own question than after another (see `fits`), nats."""


def guard(
    policy: Policy,
    prompts: Sequence[Tokens],
    replies: Sequence[Tokens],
    texts: Sequence[str],
    rewards: Sequence[float],
    statement: str,
    second: Second,
) -> Guards:
    """Figures on one reply a prompt; `texts` are the replies as they are used, empty if not."""
    said = [text for text in texts if text]
    own = base_chances(policy, prompts, replies)
    return Guards(
        reward=fmean(rewards),
        second=fmean(second([(text, statement) for text in said])) if said else 0.0,
        usable=len(said) / len(texts),
        length=fmean(len(words(text)) for text in said) if said else 0.0,
        distinct_2=distinct_2(said) if said else 0.0,
        apart=apart(said),
        fluency=sum(own) / sum(map(len, replies)),
        fit=fmean(_fits(policy, prompts, replies, own)),
    )


def apart(texts: Sequence[str]) -> float:
    """Mean distance of each text from its neighbour in the list, 0 to 1."""
    pairs = list(pairwise(texts))
    return fmean(distance(one, other) for one, other in pairs) if pairs else 0.0


def fits(policy: Policy, prompts: Sequence[Tokens], replies: Sequence[Tokens]) -> list[float]:
    """How much likelier a token of each reply is after its own prompt than after the next other.

    Under the base model, in nats, -1 to 1; what could be said to anybody is near 0. It is pointwise
    mutual information, which Li et al. 2016 use against dull replies.
    """
    return _fits(policy, prompts, replies, base_chances(policy, prompts, replies))


def _fits(
    policy: Policy, prompts: Sequence[Tokens], replies: Sequence[Tokens], own: Sequence[float]
) -> list[float]:
    known = list(dict.fromkeys(prompts))
    other = dict(zip(known, [*known[1:], known[0]], strict=True))
    strange = base_chances(policy, [other[prompt] for prompt in prompts], replies)
    return [
        max(-1.0, min(1.0, (near - far) / len(reply)))
        for near, far, reply in zip(own, strange, replies, strict=True)
    ]


@torch.no_grad()
def base_chances(
    policy: Policy, prompts: Sequence[Tokens], replies: Sequence[Tokens]
) -> list[float]:
    """Log-probability of each reply under the base model, nats."""
    found: list[float] = []
    rollouts = [Rollout(*pair) for pair in zip(prompts, replies, strict=True)]
    with policy.adapted.switched_off():
        for start in range(0, len(rollouts), ROWS_AT_ONCE):
            part = rollouts[start : start + ROWS_AT_ONCE]
            laid = lay(part, policy.row_length)
            logs = policy.logits(laid).log_softmax(-1)
            chances = logs[laid.at.to(logs.device), laid.targets.to(logs.device)].cpu()
            found += torch.zeros(len(part)).index_add_(0, laid.owners, chances).tolist()
    return found
