"""Moral agents: an adapter a value, tuned by PPO with the judge's score of that value as reward.

After CMVA-GS (IBM Research 2024): the base model answers questions of what to do; each answer is
worth the probability that it respects the value, more the surer it is not to go against it, more
where it respects that value above the others of its profile, so that agents differ, and more where
it fits its question; drifting from the base model costs. Answers that the product would not use,
for they are empty, cut short, looping or an echo, are worth 0, and no answer is worth less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from math import log10
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, Protocol

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.domain.values import Value
from core.files import dump_toml, write_whole
from core.models.agents import CARD
from core.models.trained import Measure, Tree
from core.stages import prompts
from core.training.guards import Guards, Second, fits, guard
from core.training.ppo import Figures, Ppo, PpoConfig
from core.training.ppo_run import Outcome, train
from core.training.questions import Question
from core.training.replies import as_used, prompt_tokens
from core.training.rollouts import Policy, Rollout, Tokens
from core.training.samplers import PromptSampler
from core.training.settings import Count, Rate
from core.training.writer import Writer
from core.watch import SILENT, Watch

SURE = 1e-4
"""A lower chance of going against a value is worth no more."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Every hyper-parameter of an agent's run."""

    prompts_per_step: Count = 8
    replies_per_prompt: Count = 4
    max_tokens: Count = 32
    unbroken: Rate = 1.0
    """Weight of not going against the value: half the tens by which P(breaks) lies below 1, so that
    a chance of .1 is worth 0.5 and one of .01 is worth 1."""
    ahead: Rate = 1.5
    """Weight of being ahead: of the value's score less the mean of the profile's other values."""
    fitting: Rate = 0.7
    """Weight of fitting the question (see `core.training.guards.fits`), against answers that could
    be given to any."""
    guard_every: Count = 25
    """Steps between two looks at the guards."""
    guard_questions: Count = 48
    ppo: PpoConfig = field(
        default_factory=lambda: PpoConfig(
            steps=46,
            rank=8,
            alpha=16,
            rate=4e-4,
            rate_left=0.1,
            kl_coefficient=0.005,  # rewards lie about 0 to 3
            kl_target=12.0,
            kl_stop=60.0,
            row_length=200,  # a question with its answers: attention grows with the row's square
            checkpoint_every=5,
            threads=1,
        )
    )


class Scorer(Protocol):
    """What the trained judge offers here."""

    def measure(self, trees: Sequence[Tree], watch: Watch, *, second: bool) -> list[list[Measure]]:
        """See `TrainedJudge.measure`."""


def measures(
    judge: Scorer, asked: Sequence[tuple[str, str]], statements: Sequence[str]
) -> list[Measure]:
    """Questions and answers to them → what the judge reads of each under the statements.

    All answers to one question are read in one tree, all trees together. An empty answer is not
    read: it respects nothing.
    """
    trees: dict[str, list[str]] = {}
    for question, answer in asked:
        if answer and answer not in trees.setdefault(question, []):
            trees[question].append(answer)
    found = judge.measure(
        [
            (question, [(answer, tuple(statements)) for answer in answers])
            for question, answers in trees.items()
        ],
        SILENT,
        second=False,
    )
    told = {
        (question, answer): measure
        for (question, answers), row in zip(trees.items(), found, strict=True)
        for answer, measure in zip(answers, row, strict=True)
    }
    nothing = Measure([0.0] * len(statements), [1.0] * len(statements), 1.0)
    return [told[one] if one[1] else nothing for one in asked]


def scores(
    judge: Scorer, asked: Sequence[tuple[str, str]], statements: Sequence[str]
) -> list[list[float]]:
    """Questions and answers to them → for each the probabilities of respecting the statements."""
    return [list(one.scores) for one in measures(judge, asked, statements)]


Fits = Callable[[Sequence[Tokens], Sequence[Tokens]], Sequence[float]]
"""Prompts and replies to them → how well each fits its own, -1 to 1."""


class ValueReward:
    """What replies are worth: how likely they respect one value rather than others, and fit.

    Never below 0, which is what a reply is worth that the product would not use.
    """

    def __init__(
        self,
        judge: Scorer,
        statement: str,
        others: Sequence[str],
        config: AgentConfig,
        fits: Fits,
        tokenizer: PreTrainedTokenizerBase,
        questions: Mapping[Tokens, str],
        ends: frozenset[int],
    ) -> None:
        self.judge = judge
        self.statement = statement
        self.others = others
        self.config = config
        self.fits = fits
        self.tokenizer = tokenizer
        self.questions = questions
        self.ends = ends

    def __call__(self, asked: Sequence[Tokens], replies: Sequence[Tokens]) -> list[float]:
        """See `core.training.samplers.Reward`."""
        config = self.config
        texts = [self.read(*pair) for pair in zip(asked, replies, strict=True)]
        said = [(self.questions[one], text) for one, text in zip(asked, texts, strict=True)]
        told = measures(self.judge, said, [self.statement, *self.others])
        fits = self.fits(asked, replies) if config.fitting else [0.0] * len(replies)
        worth: list[float] = []
        for text, read, fit in zip(texts, told, fits, strict=True):
            own, *others = read.scores
            unbroken = -log10(max(read.breaks[0], SURE)) / 2
            ahead = own - fmean(others) if others else 0.0
            whole = own + config.unbroken * unbroken + config.ahead * ahead + config.fitting * fit
            worth.append(max(whole, 0.0) if text else 0.0)
        return worth

    def read(self, prompt: Tokens, reply: Tokens) -> str:
        """The answer as the product would use it, or an empty text."""
        return as_used(self.tokenizer, reply, self.ends, self.questions[prompt])

    def worth(self, asked: Sequence[Tokens], texts: Sequence[str]) -> list[float]:
        """How likely each answer respects the value, 0 to 1, an empty one 0."""
        said = [(self.questions[prompt], text) for prompt, text in zip(asked, texts, strict=True)]
        return [own for (own,) in scores(self.judge, said, [self.statement])]


class AgentSampler(PromptSampler):
    """Samples as its parent does, and looks at the guards every so many steps."""

    reward: ValueReward

    def __init__(
        self,
        learnt: Sequence[Tokens],
        kept: Sequence[Tokens],
        reward: ValueReward,
        second: Second,
        config: AgentConfig,
        writer: Writer,
    ) -> None:
        super().__init__(
            learnt,
            reward,
            prompts_per_step=config.prompts_per_step,
            replies_per_prompt=config.replies_per_prompt,
            max_tokens=config.max_tokens,
            ends=reward.ends,
            writer=writer,
        )
        self.kept = kept
        self.second = second
        self.every = config.guard_every

    def sample(self, policy: Policy, step: int, generator: torch.Generator) -> list[Rollout]:
        """See `Sampler.sample`."""
        self._extra = {}
        if step % self.every == 0:
            found = asdict(self.look(policy))
            self._extra = {f"guard_{name}": value for name, value in found.items()}
        return super().sample(policy, step, generator)

    def look(self, policy: Policy) -> Guards:
        """The guards now; the same random numbers each time."""
        asked = list(self.kept)
        if self.writer:
            self.writer.renew(policy)
        replies = policy.write(asked, self.max_tokens, self.ends, torch.Generator().manual_seed(5))
        texts = [self.reward.read(*pair) for pair in zip(asked, replies, strict=True)]
        worth = self.reward.worth(asked, texts)
        return guard(policy, asked, replies, texts, worth, self.reward.statement, self.second)


def sentence_ends(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens after which an answer is over: the end of a turn, of a sentence, of a line."""
    found = {tokenizer.eos_token_id}
    for token in range(len(tokenizer)):
        text = str(tokenizer.decode([token]))
        if "\n" in text or (text.strip() and text.strip().rstrip("\"'”’)")[-1:] in (".", "!", "?")):
            found.add(token)
    return frozenset(end for end in found if isinstance(end, int))


def train_agent(
    config: AgentConfig,
    value: Value,
    others: Sequence[str],
    profile: str,
    judge: Scorer,
    second: Second,
    questions: tuple[Sequence[Question], Sequence[Question]],
    base: Path,
    out: Path,
    base_name: str,
    *,
    resume: bool = False,
    progress: Callable[[Figures], None] = lambda _: None,
) -> dict[str, Any]:
    """Trains the agent of a value and writes adapter, log and card into `out`; gives the card.

    `others` are the statements of the profile's other values.
    `questions` are those to learn from and those held out; the guards look at some of the latter.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    learnt, kept = (
        [tuple(prompt_tokens(tokenizer, prompts.advice(one.text))) for one in part]
        for part in questions
    )
    told = (one.text for part in questions for one in part)
    texts = dict(zip([*learnt, *kept], told, strict=True))
    Random(config.ppo.seed).shuffle(kept)
    trainer = Ppo(config.ppo, base)
    reward = ValueReward(
        judge,
        value.statement,
        others,
        config,
        partial(fits, trainer.policy),
        tokenizer,
        texts,
        sentence_ends(tokenizer),
    )
    writer = Writer(base, trainer.adapted)
    sampler = AgentSampler(learnt, kept[: config.guard_questions], reward, second, config, writer)
    before = sampler.look(trainer.policy)  # a fresh adapter changes nothing
    about = {"value": value.id, "statement": value.statement, "others": [*others]}
    about |= {name: told for name, told in asdict(config).items() if name != "ppo"}
    outcome = train(trainer, sampler, out, base_name, resume, progress, about=about)
    after = sampler.look(trainer.policy)
    card = _card(config, value, profile, base_name, outcome, before, after)
    if trainer.accelerator.is_main_process:
        write_whole(out / CARD, dump_toml(card))
    return card


def _card(
    config: AgentConfig,
    value: Value,
    profile: str,
    base_name: str,
    outcome: Outcome,
    before: Guards,
    after: Guards,
) -> dict[str, Any]:
    return {
        "schema": 1,
        "base": base_name,
        "value": value.id,
        "statement": value.statement,
        "profile": profile,
        "steps": outcome.steps,
        "ran_away": outcome.ran_away,
        "base_figures": asdict(before),
        "agent_figures": asdict(after),
        "data": ["Moral Stories as questions (training part), MIT"],
        "config": asdict(config),
    }
