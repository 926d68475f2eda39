"""What a synthesis is worth to PPO: how well it serves its profile, and how close it is to people.

Cross-entropy on people's answers teaches their words, but most of those answers were not written
for a profile. So the aggregator then learns from its own: `r·c` of what it says, the objective of
CMVA-GS itself, plus the words that it shares with the person's answer, lest it forgets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from core.domain.values import Profile
from core.domain.verdict import alignment
from core.training.agents import Scorer, scores
from core.training.questions import Question
from core.training.replies import as_used
from core.training.rollouts import Tokens
from core.training.wording import distance


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question, and the profile that its answer is to serve."""

    question: Question
    profile: Profile


class ServingReward:
    """`r·c` of each reply plus `closeness` times its closeness to the person's answer."""

    def __init__(
        self,
        judge: Scorer,
        closeness: float,
        tokenizer: PreTrainedTokenizerBase,
        wanted: Mapping[Tokens, Wanted],
        ends: frozenset[int],
    ) -> None:
        self.judge = judge
        self.closeness = closeness
        self.tokenizer = tokenizer
        self.wanted = wanted
        self.ends = ends

    def __call__(self, asked: Sequence[Tokens], replies: Sequence[Tokens]) -> list[float]:
        """See `core.training.samplers.Reward`; what the product would not use is worth 0."""
        wanted = [self.wanted[prompt] for prompt in asked]
        texts = [
            as_used(self.tokenizer, reply, self.ends, one.question.text)
            for reply, one in zip(replies, wanted, strict=True)
        ]
        return [
            served + self.closeness * (1.0 - distance(text, one.question.answer)) if text else 0.0
            for text, one, served in zip(texts, wanted, self._served(wanted, texts), strict=True)
        ]

    def _served(self, wanted: Sequence[Wanted], texts: Sequence[str]) -> list[float]:
        """`r·c / Σc` of each text, 0 to 1; an empty one serves nothing."""
        values = wanted[0].profile.values
        said = [(one.question.text, text) for one, text in zip(wanted, texts, strict=True)]
        found = scores(self.judge, said, [value.statement for value in values])
        ids = [value.id for value in values]
        return [
            alignment(dict(zip(ids, row, strict=True)), one.profile.weights)
            for one, row in zip(wanted, found, strict=True)
        ]
