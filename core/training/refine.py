"""The policy refined by PPO: what it writes should please the judge, fit its scenario, and differ.

Cross-entropy on people's actions teaches their form, but also details that nobody could guess: a
small model then invents details of its own and loses the thread. Here it learns from its own texts.
A reply is worth what the judge says of it under the values at stake, how much likelier its scenario
makes it (pointwise mutual information under the base model; Church and Hanks 1990), how far it is
from the other replies to the same prompt, and, for a rewrite, how much of the action it keeps.
Drift from the base model costs, as in every run of the trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.domain.scenario import Scenario
from core.domain.text import is_call
from core.files import dump_toml, write_whole
from core.models.adapters import digest
from core.models.base import Prompt
from core.stages import prompts
from core.stages.propose import overlap
from core.training.agents import Scorer, sentence_ends
from core.training.cards import REFINED, carry
from core.training.guards import base_chances
from core.training.ppo import Figures, Ppo, PpoConfig
from core.training.ppo_run import train
from core.training.replies import as_used, prompt_tokens
from core.training.rollouts import Policy, Rollout, Tokens
from core.training.samplers import Memoryless
from core.training.settings import Count, Part, Positive, Rate, Share
from core.training.texts import Scene, held_out, read_scenes
from core.training.wording import distance
from core.training.writer import Writer
from core.watch import SILENT

BLANK = Scenario(goal="Do the work at hand.", context="")
"""Under it a text is as likely as it is where it fits no scenario in particular."""


@dataclass(frozen=True, slots=True)
class RefineConfig:
    """Every hyper-parameter of a refinement."""

    prompts_per_step: Count = 8
    replies_per_prompt: Count = 4
    max_tokens: Count = 64
    rewrites: Share = 0.4
    """Share of the prompts that ask for a rewrite, 0 to 1."""
    values: Count = 4
    """Statements that a text is judged under, at least: the scenario's own, then others."""
    judged: Positive = 1.5
    """Weight of the judge's word in what a reply is worth; so for the three below."""
    fitting: Rate = 1.0
    apart: Rate = 0.5
    keeping: Rate = 0.5
    full_fit: Positive = 25.0
    """Nats by which a scenario makes a text likelier, from where on it fits wholly. Counted by the
    token instead, a few words taken from the scenario would do."""
    full_keep: Positive = 0.5
    """Share of the action's words in a rewrite, from where on it keeps the action wholly."""
    held_out: Part = 0.15
    """Share of the scenarios never trained on, between 0 and 1, as in the training before."""
    ppo: PpoConfig = field(
        default_factory=lambda: PpoConfig(
            steps=60,
            rank=8,
            alpha=16,
            first_layer=6,
            rate=5e-4,
            kl_coefficient=0.01,  # rewards lie between 0 and 1
            kl_target=6.0,
            kl_stop=100.0,  # it begins far from the base model, and comes nearer
            row_length=400,
            checkpoint_every=5,
            threads=1,
        )
    )


@dataclass(frozen=True, slots=True)
class Task:
    """Something to write."""

    prompt: Tokens
    proposal: Tokens
    """The prompt for a proposal in the same scenario; for a proposal the prompt itself."""
    scenario: Scenario
    statements: tuple[str, ...]
    """Values that the text is judged under."""
    action: str = ""
    """What is to be rewritten; empty for a proposal."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a reply is worth, each part 0 to 1; all are 0 where it cannot be used."""

    judged: float = 0.0
    """Half the mean score of the values, half the absence of harm."""
    fitting: float = 0.0
    apart: float = 0.0
    """Distance from the nearest other reply to the same prompt."""
    keeping: float | None = None
    """None for a proposal."""

    def total(self, config: RefineConfig) -> float:
        """The weighted mean of the parts there are, 0 to 1."""
        parts = [
            (config.judged, self.judged),
            (config.fitting, self.fitting),
            (config.apart, self.apart),
        ]
        if self.keeping is not None:
            parts.append((config.keeping, self.keeping))
        return sum(w * part for w, part in parts) / sum(w for w, _ in parts)


NOTHING = Worth()


def tasks(
    tokenizer: PreTrainedTokenizerBase, scenes: Sequence[Scene], count: int, rng: Random
) -> tuple[list[Task], list[Task]]:
    """Proposals and rewrites that the scenes ask for.

    Each is judged under its own values, and others drawn at random where it has fewer than `count`.
    """
    pool = [value for scene in scenes for wish in scene.wishes for value in wish.values]

    def under(own: Sequence[str]) -> tuple[str, ...]:
        others = rng.sample(pool, min(count, len(pool)))
        return tuple(dict.fromkeys([*own, *others[: max(0, count - len(own))]]))

    def tokens(prompt: Prompt) -> Tokens:
        return tuple(prompt_tokens(tokenizer, prompt))

    asked = [tokens(prompts.proposal(scene.scenario)) for scene in scenes]
    proposals = [
        Task(
            proposal,
            proposal,
            scene.scenario,
            under([value for wish in scene.wishes for value in wish.values]),
        )
        for scene, proposal in zip(scenes, asked, strict=True)
    ]
    rewrites = [
        Task(
            tokens(prompts.rewrite(scene.scenario, wish.action, wish.values, wish.guidance)),
            proposal,
            scene.scenario,
            under(wish.values),
            wish.action,
        )
        for scene, proposal in zip(scenes, asked, strict=True)
        for wish in scene.changes
    ]
    return proposals, rewrites


class RefineSampler(Memoryless):
    """Proposals and rewrites, some replies to each, and what every reply is worth."""

    def __init__(
        self,
        asked: tuple[Sequence[Task], Sequence[Task]],
        judge: Scorer,
        tokenizer: PreTrainedTokenizerBase,
        ends: frozenset[int],
        config: RefineConfig,
        writer: Writer,
    ) -> None:
        super().__init__()
        self.asked = asked
        self.judge = judge
        self.tokenizer = tokenizer
        self.ends = ends
        self.turn = frozenset({tokenizer.eos_token_id})
        self.config = config
        self.writer = writer
        self._blank = tuple(prompt_tokens(tokenizer, prompts.proposal(BLANK)))

    def sample(self, policy: Policy, step: int, generator: torch.Generator) -> list[Rollout]:
        """See `core.training.samplers.Sampler.sample`."""
        self.writer.renew(policy)
        drawn = self._drawn(generator)
        each = self.config.replies_per_prompt
        asked = [task for task in drawn for _ in range(each)]
        replies = self._written(policy, asked, generator)
        worth = self.worth(policy, asked, replies)
        self._extra = {
            "usable": fmean(one is not NOTHING for one in worth),
            "judged": fmean(one.judged for one in worth),
            "fitting": fmean(one.fitting for one in worth),
            "apart": fmean(one.apart for one in worth),
        }
        return [
            Rollout(task.prompt, reply, one.total(self.config))
            for task, reply, one in zip(asked, replies, worth, strict=True)
        ]

    def worth(
        self, policy: Policy, asked: Sequence[Task], replies: Sequence[Tokens]
    ) -> list[Worth]:
        """What each reply to its task is worth; replies to one prompt stand together."""
        texts = [self.read(*pair) for pair in zip(asked, replies, strict=True)]
        rows = [row for row, text in enumerate(texts) if text]
        judged = self._judged([(asked[row], texts[row]) for row in rows])
        fits = self._fits(policy, [asked[row] for row in rows], [replies[row] for row in rows])
        found = [NOTHING] * len(texts)
        for row, said, fit in zip(rows, judged, fits, strict=True):
            task = asked[row]
            others = [
                texts[other]
                for other, one in enumerate(asked)
                if one is task and other != row and texts[other]
            ]
            kept = min(1.0, overlap(task.action, texts[row]) / self.config.full_keep)
            found[row] = Worth(
                said,
                fit,
                min((distance(texts[row], other) for other in others), default=1.0),
                kept if task.action else None,
            )
        return found

    def read(self, task: Task, reply: Tokens) -> str:
        """The reply as the product would use it, or an empty text.

        A rewrite changes something, and that of a tool call is a tool call.
        """
        found = as_used(self.tokenizer, reply, self._ends(task), task.scenario.request)
        lost = found == task.action or (is_call(task.action) and not is_call(found))
        return "" if lost else found

    def _ends(self, task: Task) -> frozenset[int]:
        """Tokens that end a reply: a tool call goes on after a full stop."""
        return self.turn if is_call(task.action) else self.ends

    def _written(
        self, policy: Policy, asked: Sequence[Task], generator: torch.Generator
    ) -> list[Tokens]:
        """A reply to each task, those that end alike written together."""
        replies: dict[int, Tokens] = {}
        for ends in (self.ends, self.turn):
            rows = [row for row, task in enumerate(asked) if self._ends(task) == ends]
            if rows:
                begun = [asked[row].prompt for row in rows]
                written = policy.write(begun, self.config.max_tokens, ends, generator)
                replies |= dict(zip(rows, written, strict=True))
        return [replies[row] for row in range(len(asked))]

    def _drawn(self, generator: torch.Generator) -> list[Task]:
        rewrites = round(self.config.rewrites * self.config.prompts_per_step)
        counts = (self.config.prompts_per_step - rewrites, rewrites)
        return [
            some[place]
            for some, count in zip(self.asked, counts, strict=True)
            for place in torch.randperm(len(some), generator=generator)[:count].tolist()
        ]

    def _judged(self, said: Sequence[tuple[Task, str]]) -> list[float]:
        found = self.judge.measure(
            [(task.scenario.context, [(text, task.statements)]) for task, text in said],
            SILENT,
            second=False,
        )
        return [(fmean(one.scores) + 1.0 - one.harm) / 2 for [one] in found]

    def _fits(
        self, policy: Policy, asked: Sequence[Task], replies: Sequence[Tokens]
    ) -> list[float]:
        """A rewrite too fits as a proposal for its scenario would: what it rewrites is no help."""
        here = base_chances(policy, [task.proposal for task in asked], replies)
        anywhere = base_chances(policy, [self._blank] * len(replies), replies)
        return [
            min(1.0, max(0.0, (one - other) / self.config.full_fit))
            for one, other in zip(here, anywhere, strict=True)
        ]


def refine(
    config: RefineConfig,
    corpus: Path,
    judge: Scorer,
    base: Path,
    begin: Path,
    out: Path,
    base_name: str,
    *,
    resume: bool = False,
    progress: Callable[[Figures], None] = lambda _: None,
) -> dict[str, Any]:
    """Refines the adapter in `begin`, and writes adapter, log and card into `out`; gives the card.

    Raises:
        BadInput: the adapter in `begin` is missing, damaged or of another shape, or a resumed run
            was begun from another.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    learnt = [scene for scene in read_scenes(corpus, False) if not held_out(scene, config.held_out)]
    asked = tasks(tokenizer, learnt, config.values, Random(config.ppo.seed))
    trainer = Ppo(config.ppo, base)
    trainer.adapted.load(begin)
    writer = Writer(base, trainer.adapted)
    sampler = RefineSampler(asked, judge, tokenizer, sentence_ends(tokenizer), config, writer)
    about = {name: told for name, told in asdict(config).items() if name != "ppo"}
    about["begin"] = digest(begin)
    outcome = train(trainer, sampler, out, base_name, resume, progress, about=about)
    card = {
        "schema": 1,
        "base": base_name,
        "steps": outcome.steps,
        "ran_away": outcome.ran_away,
        "tasks": {"proposals": len(asked[0]), "rewrites": len(asked[1])},
        "config": asdict(config),
    }
    if trainer.accelerator.is_main_process:
        carry(begin, out)
        write_whole(out / REFINED, dump_toml(card))
    return card
