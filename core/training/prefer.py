"""The policy taught by grades: of its own texts, those that a reader found good become likelier.

What people write teaches a small model their details, and it makes up its own; a judge's word
teaches it to sound harmless. Here it learns from what it wrote itself, some ten texts a prompt,
each graded by a reader: of two texts to a prompt the one with the better grade is to gain more,
against the policy as it was at the beginning (direct preference optimisation: Rafailov et al.
2023).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.errors import BadInput
from core.files import dump_toml, read_text, write_whole
from core.models.adapters import digest
from core.models.base import Prompt
from core.models.trees import Tree, size
from core.stages import prompts
from core.training.cards import PREFERRED, carry
from core.training.data import rows
from core.training.replies import Sample, losses, sample
from core.training.settings import Count, Part, Positive
from core.training.sft import Held, SftConfig, Trainer, learn, see_held_out
from core.training.sft import begin as begin_training
from core.training.steps import Progress, Report, in_steps
from core.training.texts import Scene, held_out, read_scenes


@dataclass(frozen=True, slots=True)
class PreferConfig:
    """Every hyper-parameter of a training by grades."""

    texts: str = "graded-1.jsonl"
    """The file of the corpus with the texts, which the policy that is begun from wrote."""
    best: Count = 2
    """Texts of a prompt that are read from the top of its grades."""
    worst: Count = 2
    """Texts that are read from the bottom."""
    beta: Positive = 0.1
    """What a nat gained against the beginning counts; the smaller, the further it may drift."""
    looked_at: Part = 0.22
    """Share of the scenarios that decide when to stop, by the same hash that holds scenarios out
    of every training: those between the two shares are graded and not learnt from."""
    sft: SftConfig = field(
        default_factory=lambda: SftConfig(
            peak_rate=3e-4, end_rate=1e-5, epochs=1, row_length=512, evaluate_every=30
        )
    )
    """`held_out`, `rank`, `alpha` and `first_layer` have to be those of what it begins from."""


@dataclass(frozen=True, slots=True)
class Graded:
    """Texts to one prompt with their grades."""

    sample: Sample
    grades: tuple[int, ...]
    """0 to 3, one a reply, in order; the higher, the better."""
    rewrites: bool
    """Whether the prompt asks for a rewrite."""
    before: tuple[float, ...] = ()
    """Log-probability of each reply under the policy as it was at the beginning, nats."""

    @property
    def tree(self) -> Tree:
        """The prompt and its replies as tokens."""
        return self.sample.tree


def read_graded(
    path: Path,
    scenes: Sequence[Scene],
    tokenizer: PreTrainedTokenizerBase,
    config: PreferConfig,
) -> list[tuple[Scene, Graded]]:
    """The graded texts of `path`, each with its scene, in the file's order.

    A row has a `goal`, the `action` that was to be rewritten or "", and `texts` with their
    `grades`. One whose texts are all as good is left out.

    Raises:
        BadInput: no scene has that goal and action, or texts and grades are not of one length.
    """
    asked: dict[tuple[str, str], tuple[Scene, Prompt]] = {}
    for scene in scenes:
        goal = scene.scenario.goal
        asked[goal, ""] = scene, prompts.proposal(scene.scenario)
        for wish in scene.wishes:
            asked[goal, wish.action] = (
                scene,
                prompts.rewrite(scene.scenario, wish.action, wish.values, wish.guidance),
            )
    found = []
    for number, row in enumerate(rows(path), 1):
        where = f"{path}: line {number}"
        if (row["goal"], row["action"]) not in asked:
            raise BadInput("no scenario has that goal and action", where=f"{where}: goal")
        if len(row["texts"]) != len(row["grades"]):
            raise BadInput("there is not a grade for every text", where=f"{where}: grades")
        scene, prompt = asked[row["goal"], row["action"]]
        told = dict(_chosen(row, config))
        if len(set(told.values())) > 1:
            tree = sample(tokenizer, [(prompt, text) for text in told])
            found.append((scene, Graded(tree, tuple(told.values()), bool(row["action"]))))
    return found


def _chosen(row: dict[str, Any], config: PreferConfig) -> list[tuple[str, int]]:
    """Texts and grades that are learnt from: the best and the worst."""
    pairs = list(zip(row["texts"], row["grades"], strict=True))
    Random(row["goal"]).shuffle(pairs)  # or the first of those that are as good would always count
    pairs.sort(key=lambda pair: -pair[1])
    return [*pairs[: config.best], *pairs[max(config.best, len(pairs) - config.worst) :]]


class Preferring(Trainer):
    """The policy's trainer with preferences for its loss."""

    def __init__(self, config: PreferConfig, base: Path, begin: Path) -> None:
        super().__init__(config.sft, base)
        self.adapted.load(begin)
        self.preferring = config

    @torch.no_grad()
    def looked_up(self, graded: Sequence[Graded], progress: Report) -> list[Graded]:
        """With `before` as the policy is now."""
        found = list[Graded]()
        began, tokens = time.monotonic(), 0
        batches = in_steps(graded, self.config.tokens_per_step)
        for done, batch in enumerate(batches, 1):
            told = self._chances(batch)
            found += [
                replace(one, before=tuple(map(float, chances)))
                for one, chances in zip(batch, told, strict=True)
            ]
            tokens += sum(size(one.tree) for one in batch)
            seconds = time.monotonic() - began
            left = seconds / done * (len(batches) - done)
            cost = -float(sum(map(sum, told))) / sum(sum(one.sample.replies) for one in batch)
            progress(Progress("beginning", done, len(batches), cost, tokens / seconds, left))
        return found

    def loss(self, batch: Sequence[Any]) -> Tensor:
        """Mean over all pairs of unlike grades."""
        gains = list[Tensor]()
        for one, chances in zip(batch, self._chances(batch), strict=True):
            gained = [now - was for now, was in zip(chances, one.before, strict=True)]
            gains += [
                gained[i] - gained[j]
                for i, j in permutations(range(len(gained)), 2)
                if one.grades[i] > one.grades[j]
            ]
        return -nn.functional.logsigmoid(self.preferring.beta * torch.stack(gains)).mean()

    @torch.inference_mode()
    def loss_on(self, samples: Sequence[Any]) -> float:
        """Mean loss a prompt, `nan` where there is none."""
        batches = in_steps(samples, self.config.tokens_per_step)
        found = [float(self.loss(batch)) * len(batch) for batch in batches]
        return sum(found) / len(samples) if samples else math.nan

    def _chances(self, batch: Sequence[Graded]) -> list[list[Tensor]]:
        """Log-probability of every reply to every prompt, nats."""
        lengths = [length for one in batch for length in one.sample.replies]
        flat = losses(self.adapted.causal, [one.sample for one in batch], self.config.row_length)
        replies = iter(torch.split(flat, lengths))
        return [[-next(replies).sum() for _ in one.grades] for one in batch]


def prefer(
    config: PreferConfig,
    corpus: Path,
    base: Path,
    begin: Path,
    out: Path,
    base_name: str,
    resume: bool = False,
    progress: Report = lambda _: None,
    limit: int | None = None,
) -> Path:
    """Trains the adapter in `begin` by the grades of `corpus`, and writes it into `out`.

    What the beginning makes of every text is read first. The adapter with the lowest loss on the
    scenarios that are looked at is kept. Checkpoints as in `sft.train`.

    Returns:
        `out`.

    Raises:
        BadInput: the graded texts are missing or damaged, none of them decide when to stop, the
            adapter in `begin` is damaged or of another shape, or a resumed training was begun from
            something else.
        ModelProblem: there is no adapter in `begin`.
    """
    path = corpus / config.texts
    about = {name: told for name, told in asdict(config).items() if name != "sft"}
    about["graded"] = sha256(read_text(path, largest=None).encode()).hexdigest()
    about["begin"] = digest(begin)
    if config.looked_at <= config.sft.held_out:
        raise BadInput(
            "no scenarios are looked at, so nothing says when to stop",
            where="looked_at",
            mend=f"Set it above `sft.held_out`, which is {config.sft.held_out}.",
        )
    tokenizer = AutoTokenizer.from_pretrained(base)
    found = read_graded(path, read_scenes(corpus, False), tokenizer, config)
    learnt = [one for scene, one in found if not held_out(scene, config.looked_at)]
    kept = [
        one
        for scene, one in found
        if held_out(scene, config.looked_at) and not held_out(scene, config.sft.held_out)
    ]
    see_held_out(
        str(path),
        "Grade some of those looked at unlike each other, or raise `looked_at`.",
        proposals=[one for one in kept if not one.rewrites],
        rewrites=[one for one in kept if one.rewrites],
    )
    begin_training(out / "checkpoints", config.sft, resume, limit, about)
    trainer = Preferring(config, base, begin)
    learnt, kept = trainer.looked_up(learnt, progress), trainer.looked_up(kept, progress)

    def shuffled(rng: Random) -> list[Graded]:
        return rng.sample(learnt, len(learnt))

    def look() -> Held:
        return Held(
            *(trainer.loss_on([one for one in kept if one.rewrites is r]) for r in (False, True))
        )

    looks = learn(trainer, shuffled, look, out / "checkpoints", resume, progress, limit)
    trainer.adapted.save(out, base_name)
    card: dict[str, Any] = {
        "schema": 1,
        "base": base_name,
        "config": asdict(config),
        "prompts": {"learnt": len(learnt), "looked_at": len(kept)},
        "looks": [asdict(one) for one in looks],
    }
    carry(begin, out)
    write_whole(out / PREFERRED, dump_toml(card))
    return out
