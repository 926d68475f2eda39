"""Training of the policy and the aligner: one LoRA adapter on the default model serves both.

Cross-entropy on the reply only. Prompts are built by `core.stages.prompts` and tokenised as at
inference, lead included. All replies to one scenario share its prompt in one tree (see
`core.models.trees`), so what they share is read once. The held-out scenarios decide when to stop.

LoRA: Hu et al. 2021.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from core.errors import BadInput
from core.files import dump_toml, write_whole
from core.models.trees import size
from core.training.adapted import Adapted, clipped_step, save_whole, taking_up
from core.training.cards import FORM
from core.training.replies import Sample, losses, proposing, rewriting
from core.training.settings import Count, Natural, Part, Rate, Share, same_settings
from core.training.steps import Progress, Report, in_steps, rate_at
from core.training.texts import Scene, held_out, read_scenes

BEST = "best.pt"
LAST = "last.pt"
SETTINGS = "settings.toml"


@dataclass(frozen=True, slots=True)
class SftConfig:
    """Every hyper-parameter of the policy's adapter; written beside its weights."""

    seed: int = 11
    rank: Count = 8
    alpha: Count = 16
    first_layer: Natural = 6
    """Lowest layer with an adapter; below it there is no backward pass."""
    peak_rate: Rate = 8e-4
    """Learning rate after warming up; falls along a cosine to `end_rate`."""
    end_rate: Rate = 3e-5
    warmup_steps: Natural = 10
    weight_decay: Rate = 0.01
    clip: Rate = 1.0
    """Bound of the gradient's norm."""
    epochs: Count = 4
    """At most; the held-out loss decides."""
    tokens_per_step: Count = 2048
    row_length: Count = 384
    evaluate_every: Count = 22
    """Steps between two looks at the held-out loss, each of which is a checkpoint too."""
    patience: Count = 3
    """So many looks without a better loss end the training."""
    held_out: Part = 0.15
    """Share of the scenarios that is never trained on, between 0 and 1."""
    rewrites_propose: bool = True
    """Whether a good rewrite also serves as a proposal for its goal."""
    first_clauses: bool = False
    """Whether proposals are learnt up to the end of their first clause only."""
    unchanged_share: Share = 0.35
    """Share of the actions that may stay as they are, drawn anew each epoch: at inference only
    what the judge would not approve is rewritten."""
    more_values: Share = 0.3
    """Share of the rewrites that name a value of another scenario as well."""
    threads: Count = 2

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step of so many."""
        return rate_at(self.peak_rate, self.end_rate, step, steps, self.warmup_steps)


@dataclass(frozen=True, slots=True)
class Held:
    """Held-out loss, nats a token."""

    propose: float
    rewrite: float

    @property
    def mean(self) -> float:
        """What decides when to stop: both tasks count alike."""
        return (self.propose + self.rewrite) / 2


def epoch_samples(
    tokenizer: PreTrainedTokenizerBase, scenes: Sequence[Scene], config: SftConfig, rng: Random
) -> list[Sample]:
    """All samples of one epoch, shuffled; what is drawn at random is drawn from `rng`."""
    values = [value for scene in scenes for one in scene.wishes for value in one.values]
    made = [proposing(tokenizer, scene) for scene in scenes if scene.actions]
    for scene in scenes:
        wishes = [
            one.among(rng, values if rng.random() < config.more_values else [])
            for one in scene.wishes
            if one.changed or rng.random() < config.unchanged_share
        ]
        if wishes:
            made.append(rewriting(tokenizer, scene, wishes))
    rng.shuffle(made)
    return made


class Trainer:
    """The adapter and an optimiser over float32 copies of its bfloat16 weights."""

    def __init__(self, config: SftConfig, base: Path) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.adapted = Adapted(base, config.rank, config.alpha, config.first_layer, "cpu")
        self.optimiser = torch.optim.AdamW(
            self.adapted.masters, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )

    def loss(self, batch: Sequence[Any]) -> Tensor:
        """What an update lowers: the mean cross-entropy of a reply token, nats."""
        return losses(self.adapted.causal, batch, self.config.row_length).mean()

    def step(self, batch: Sequence[Any], rate: float) -> float:
        """One update; the batch's loss."""
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adapted.collect()
        clipped_step(self.optimiser, self.adapted.masters, self.config.clip, rate)
        self.adapted.renew()
        return float(loss.detach())

    @torch.inference_mode()
    def loss_on(self, samples: Sequence[Any]) -> float:
        """Mean loss a reply token, `nan` where there is no sample."""
        found = [
            losses(self.adapted.causal, batch, self.config.row_length)
            for batch in in_steps(samples, 2048)
        ]
        return float(torch.cat(found).mean()) if found else math.nan

    def checkpoint(self, path: Path, epoch: int, step: int, looks: Sequence[Held]) -> None:
        """Everything needed to go on, written whole or not at all."""
        save_whole(
            path,
            {
                "epoch": epoch,
                "step": step,
                "looks": [asdict(look) for look in looks],
                "masters": [master.detach() for master in self.adapted.masters],
                "optimiser": self.optimiser.state_dict(),
                "random": torch.get_rng_state(),
            },
        )

    def restore(self, path: Path) -> tuple[int, int, list[Held]]:
        """Take up a checkpoint: (epoch, step in it) to go on with, and the losses so far."""
        with taking_up(path) as saved:
            self.adapted.take(saved["masters"])
            self.optimiser.load_state_dict(saved["optimiser"])
            torch.set_rng_state(saved["random"])
            looks = [Held(**look) for look in saved["looks"]]
            return int(saved["epoch"]), int(saved["step"]), looks


def train(
    config: SftConfig,
    corpus: Path,
    base: Path,
    out: Path,
    base_name: str,
    resume: bool = False,
    progress: Report = lambda _: None,
    limit: int | None = None,
) -> Path:
    """Train the adapter on `corpus` (policy.jsonl, align.jsonl) and write it into `out`.

    The adapter with the lowest held-out loss is kept, not the last one. Checkpoints lie in
    `out/checkpoints`; with `resume` the training goes on from `last.pt` and comes to the same
    figures as if it had never stopped. `limit` bounds the steps of each epoch, for a trial.

    Returns:
        `out`.

    Raises:
        BadInput: there is nothing to learn from, no proposals or no rewrites are held out, the loss
            is no longer a number, or a resumed training was begun with something else.
    """
    scenes = read_scenes(corpus, config.rewrites_propose, config.first_clauses)
    learnt = [scene for scene in scenes if not held_out(scene, config.held_out)]
    kept = [scene for scene in scenes if held_out(scene, config.held_out)]
    if learnt:
        see_held_out(
            "held_out",
            "Raise the share, or bring more texts: of proposals as of rewrites.",
            proposals=[one for one in kept if one.actions],
            rewrites=[one for one in kept if one.changes],
        )
    begin(out / "checkpoints", config, resume, limit)
    trainer = Trainer(config, base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tests = (
        [proposing(tokenizer, scene) for scene in kept if scene.actions],
        [rewriting(tokenizer, scene, scene.changes) for scene in kept if scene.changes],
    )
    looks = learn(
        trainer,
        lambda rng: epoch_samples(tokenizer, learnt, config, rng),
        lambda: Held(*(trainer.loss_on(samples) for samples in tests)),
        out / "checkpoints",
        resume,
        progress,
        limit,
    )
    trainer.adapted.save(out, base_name)
    _write_card(out, config, base_name, learnt, kept, looks)
    return out


def see_held_out(where: str, mend: str, **kinds: Sequence[Any]) -> None:
    """Refuses a training that holds none of a kind out, before anything of it is begun.

    Its loss on them would be no number, as that of a training that has diverged.

    Raises:
        BadInput: there are none, and nothing says when to stop.
    """
    for kind, kept in kinds.items():
        if not kept:
            raise BadInput(
                f"no {kind} are held out, so nothing says when to stop", where=where, mend=mend
            )


def begin(
    folder: Path,
    config: SftConfig,
    resume: bool,
    limit: int | None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Notes in `folder` what a training is begun with, before anything of it is done.

    `about` is what that is besides settings and `limit`. Without `resume` an earlier training's
    checkpoints are thrown away.

    Raises:
        BadInput: with `resume`, the training in `folder` was begun with something else (`threads`
            aside).
    """
    begun = {
        **asdict(config),
        **({"limit": limit} if limit else {}),
        **({"about": dict(about)} if about else {}),
    }
    if not resume:
        for name in (LAST, BEST):  # not to be taken up later
            (folder / name).unlink(missing_ok=True)
    elif (folder / SETTINGS).exists():
        same_settings(folder / SETTINGS, begun, {"threads"})
    write_whole(folder / SETTINGS, dump_toml(begun))


def learn(
    trainer: Trainer,
    epoch_of: Callable[[Random], Sequence[Any]],
    look: Callable[[], Held],
    folder: Path,
    resume: bool,
    progress: Report,
    limit: int | None,
) -> list[Held]:
    """Go through the epochs until the held-out loss no longer falls; the trainer ends at its best.

    `epoch_of` gives an epoch's samples in order, from what is drawn; `look` the held-out loss as it
    is now. Checkpoints lie in `folder`, where `begin` was. Returns the losses seen on the way.

    Raises:
        BadInput: there are no samples, or the held-out loss is no number any more.
    """
    config = trainer.config
    epoch, first, looks = 0, 0, list[Held]()
    if resume and (folder / LAST).exists():
        epoch, first, looks = trainer.restore(folder / LAST)
    while epoch < config.epochs and not _stale(looks, config.patience):
        steps = in_steps(epoch_of(Random(config.seed * 1000 + epoch)), config.tokens_per_step)
        steps = steps[:limit]
        if not steps:
            raise BadInput(
                "there is nothing to learn from", mend="Bring more texts: some are kept apart."
            )
        began, tokens, recent = time.monotonic(), 0, list[float]()
        for step in range(first, len(steps)):
            at = epoch * len(steps) + step
            whole = config.epochs * len(steps)
            recent.append(trainer.step(steps[step], config.rate_at(at, whole)))
            tokens += sum(size(one.tree) for one in steps[step])
            done = step + 1
            if done % 5 == 0 or done == len(steps):
                seconds = time.monotonic() - began
                left = seconds / (done - first) * (whole - at - 1)
                mean = sum(recent) / len(recent)
                progress(
                    Progress(f"epoch {epoch + 1}", done, len(steps), mean, tokens / seconds, left)
                )
                recent.clear()
            if done % config.evaluate_every == 0 or done == len(steps):
                looks.append(look())
                if not math.isfinite(looks[-1].mean):
                    raise BadInput(
                        f"the training has diverged: the held-out loss is {looks[-1].mean}",
                        where="peak_rate",
                        mend=f"Set it below {config.peak_rate}, and begin anew.",
                    )
                progress(Progress("held out", done, len(steps), looks[-1].mean, 0.0, 0.0))
                if min(looks, key=lambda one: one.mean) is looks[-1]:
                    trainer.checkpoint(folder / BEST, epoch, done, looks)
                trainer.checkpoint(folder / LAST, epoch, done, looks)
                if _stale(looks, config.patience):
                    break
        epoch, first = epoch + 1, 0
    trainer.restore(folder / BEST)
    return looks


def _stale(looks: Sequence[Held], patience: int) -> bool:
    best = min(range(len(looks)), key=lambda index: looks[index].mean, default=0)
    return len(looks) - 1 - best >= patience


def _write_card(
    out: Path,
    config: SftConfig,
    base_name: str,
    learnt: Sequence[Scene],
    kept: Sequence[Scene],
    looks: Sequence[Held],
) -> None:
    best = min(looks, key=lambda look: look.mean)
    card: dict[str, Any] = {
        "schema": 1,
        "base": base_name,
        "config": asdict(config),
        "data": {"scenarios_trained_on": len(learnt), "scenarios_held_out": len(kept)},
        "held_out_loss": asdict(best),
        "looks": [asdict(look) for look in looks],
    }
    write_whole(out / FORM, dump_toml(card))
