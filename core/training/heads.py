"""Training of the judge: a LoRA adapter and two heads on the default model.

The harm head is linear; the respect head is linear plus low-rank bilinear (see `readout.Heads`).

In stages. The first reads people's judgements of everyday actions, under norms, norms turned round,
permissive and unrelated norms. The later ones mix them with our own corpus of agents at work.
One step packs about `tokens_per_step` tokens of trees (see `core.models.trees`) into rows.

LoRA: Hu et al. 2021. The read-out is at a middle layer, where linear probes are best. What is kept
is a running mean of the weights (Polyak and Juditsky 1992), which judges new work better than the
last of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.domain.text import tidy
from core.errors import BadInput, reason
from core.files import dump_toml, write_whole, writing
from core.models.adapters import digest
from core.models.catalog import ADAPTER_CONFIG
from core.models.foreign import load_trunk
from core.models.judge_model import HEADS, load_tokenize, states
from core.models.manifest import sha256
from core.models.readout import Asked, Heads, Tokenize, ask
from core.models.transfer import unsaid
from core.models.trees import Tree, pack, size
from core.training import data as sets
from core.training import people
from core.training.adapted import EAGER, Adapter, clipped_step, save_whole, taking_up
from core.training.data import Case, Split
from core.training.heads_config import HeadsConfig, Stage
from core.training.settings import same_settings
from core.training.steps import Progress, Report, in_steps, rate_at

CHECKPOINTS = "checkpoints"
LAST = "last.pt"
SETTINGS = "settings.toml"

DEV = "moral_stories.dev.jsonl"
SETS = (
    *("moral_stories.train.jsonl", DEV, "foundation_actions.jsonl"),
    "social_chemistry.positive_neutral.jsonl",
    *("moralchoice.low_ambiguity.jsonl", "safetext.jsonl", "privacylens.jsonl"),
    *("ethics.deontology_train.jsonl", "ethics.justice_train.jsonl"),
)
"""Files with the data sets that a training reads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A case as tokens with its targets."""

    asked: Asked
    labels: tuple[int, ...]
    """One a question, in order; see `Label`."""
    harm: tuple[tuple[int, float, float], ...]
    """(place of the action, target, weight) where harm is known."""

    @property
    def tree(self) -> Tree:
        """What is asked, as tokens."""
        return self.asked.tree


def build_cases(stage: Stage, data: Path, corpus: Path, rng: Random) -> list[Case]:
    """The cases that a stage draws, less those that ask about a norm the judge is measured on.

    Social Chemistry 101 has some of the very norms that Moral Stories was made of.
    """
    unseen = {_bare(story.norm) for story in sets.read_stories(data / DEV)}
    return [
        case
        for case in draw_cases(stage, data, corpus, rng)
        if not any(
            _bare(question.value) in unseen for act in case.acts for question in act.questions
        )
    ]


def draw_cases(stage: Stage, data: Path, corpus: Path, rng: Random) -> list[Case]:
    """All cases that a stage draws, in the order in which they are trained on."""
    stories, _ = sets.training_stories(data)
    if stage.stories < len(stories):
        stories = rng.sample(stories, stage.stories)
    dev = sets.read_stories(data / DEV)
    foundations = people.read_foundations(
        data / "foundation_actions.jsonl", {t for s in dev for t in (s.moral, s.immoral)}
    )
    cases = people.story_cases(stories, foundations, rng)
    if stage.chemistry:
        cases += people.chemistry_cases(
            data / "social_chemistry.positive_neutral.jsonl", stage.chemistry, rng
        )
    if stage.reasons:
        cases += people.reason_cases(data, stage.reasons, rng)
    if stage.others:
        others = people.choice_cases(data / "moralchoice.low_ambiguity.jsonl", rng)
        others += people.safety_cases(data / "safetext.jsonl", rng)
        others += people.privacy_cases(data / "privacylens.jsonl", rng)
        cases += (
            others if stage.others >= 1 else rng.sample(others, round(stage.others * len(others)))
        )
    if stage.corpus_rounds:
        situations = sets.split_situations(corpus, Split.TRAIN, stage.corpus_files)
        for _ in range(stage.corpus_rounds):
            cases += sets.corpus_cases(situations, rng)
    rng.shuffle(cases)
    return cases


def _bare(norm: str) -> str:
    """A norm as it is compared with others, whatever its case, blanks and final stop."""
    return tidy(norm).lower().rstrip(". ")


def sample(case: Case, tokenize: Tokenize) -> Sample:
    """A case as the judge is asked it."""
    asked = ask(
        tokenize,
        case.context,
        [act.text for act in case.acts],
        [[question.value for question in act.questions] for act in case.acts],
        case.order,
        case.label,
    )
    labels = tuple(question.label.value for act in case.acts for question in act.questions)
    harm = tuple(
        (i, act.harm, act.harm_weight) for i, act in enumerate(case.acts) if act.harm is not None
    )
    return Sample(asked, labels, harm)


class Trainer:
    """The adapter, the heads, and an optimiser over float32 copies of the bfloat16 adapter."""

    def __init__(self, config: HeadsConfig, base: Path) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.adapted = Adapter(
            load_trunk(base, config.depth, torch.bfloat16, EAGER),
            config.rank,
            config.alpha,
            config.first_layer,
        )
        self.heads = Heads(self.adapted.model.config.hidden_size)
        nn.init.zeros_(self.heads.respect.weight)
        nn.init.zeros_(self.heads.harm.weight)
        nn.init.zeros_(self.heads.meeting.weight)
        self.dropout = nn.Dropout(config.head_dropout)
        slow = [p for p in self.heads.parameters() if p is not self.heads.meeting.weight]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.adapted.masters, "faster": 1.0},
                {"params": slow, "faster": 1.0},
                {"params": [self.heads.meeting.weight], "faster": config.meeting_faster},
            ],
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        )
        self.mean = self._copied()
        self.taken = 0
        """Steps so far."""

    @property
    def learning(self) -> list[Tensor]:
        """What an update moves."""
        return [*self.adapted.masters, *self.heads.parameters()]

    def _copied(self) -> list[Tensor]:
        return [weight.detach().clone() for weight in self.learning]

    def loss(self, batch: Sequence[Sample]) -> Tensor:
        """Cross-entropy over keeps, unrelated, breaks, plus the weighted harm loss."""
        packed = pack([one.tree for one in batch], self.config.row_length)
        found = self.dropout(Heads.normed(states(self.adapted.model, packed)))
        leaves: list[int] = []
        about: list[int] = []
        ends: list[int] = []
        start = 0
        for one in batch:
            asked, actions = one.asked.questions
            leaves += [start + leaf for leaf in asked]
            about += [start + action for action in actions]
            ends += [start + one.asked.actions[i] for i, _, _ in one.harm]
            start += len(one.tree)
        labels = torch.tensor([label for one in batch for label in one.labels])
        loss = nn.functional.cross_entropy(
            self.heads.respect_logits(found[leaves], found[about]),
            labels,
            label_smoothing=self.config.label_smoothing,
        )
        if ends:
            targets = torch.tensor([target for one in batch for _, target, _ in one.harm])
            weights = torch.tensor([weight for one in batch for _, _, weight in one.harm])
            harm = nn.functional.binary_cross_entropy_with_logits(
                self.heads.harm_logit(found[ends]), targets, weights, reduction="sum"
            )
            loss = loss + self.config.harm_weight * harm / weights.sum()
        return loss

    def step(self, batch: Sequence[Sample], rate: float) -> float:
        """One update; the batch's loss."""
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adapted.collect()
        clipped_step(self.optimiser, self.learning, self.config.clip, rate)
        self.adapted.renew()
        self.taken += 1
        # a mean over few steps at first, so that what it began with is soon forgotten
        kept = min(self.config.average, self.taken / (self.taken + 9))
        for mean, weight in zip(self.mean, self.learning, strict=True):
            mean.lerp_(weight.detach(), 1 - kept)
        return float(loss.detach())

    @torch.no_grad()
    def settle(self) -> None:
        """Make the weights what their mean is; for `save`, at the end."""
        adapter = len(self.adapted.masters)
        self.adapted.take(self.mean[:adapter])
        for weight, mean in zip(self.heads.parameters(), self.mean[adapter:], strict=True):
            weight.copy_(mean)

    def save(self, folder: Path) -> None:
        """Adapter in peft's format (bfloat16) and heads, as they ship."""
        self.adapted.save(folder, "")
        weights = {name: weight.contiguous() for name, weight in self.heads.state_dict().items()}
        with writing(folder / HEADS, SafetensorError):
            save_file(weights, folder / HEADS)
        config = folder / ADAPTER_CONFIG
        told = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": None}
        write_whole(config, json.dumps(told, indent=2))

    def begin_from(self, folder: Path) -> None:
        """Take up what `save` wrote, to train it further; the optimiser starts anew.

        Raises:
            BadInput: a file is missing, damaged, or of another shape than this configuration's.
        """
        self.adapted.load(folder)
        path = folder / HEADS
        try:
            saved = load_file(path)
            self.heads.load_state_dict({name: weight.float() for name, weight in saved.items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise BadInput(
                f"the heads cannot be taken up ({reason(error)})",
                where=str(path),
                mend="Name the folder of a judge that was trained on this model.",
            ) from None
        self.mean = self._copied()

    def checkpoint(self, path: Path, stage: int, step: int) -> None:
        """Everything needed to go on, written whole or not at all."""
        save_whole(
            path,
            {
                "stage": stage,
                "step": step,
                "masters": [master.detach() for master in self.adapted.masters],
                "heads": self.heads.state_dict(),
                "mean": self.mean,
                "taken": self.taken,
                "optimiser": self.optimiser.state_dict(),
                "random": torch.get_rng_state(),
            },
        )

    def restore(self, path: Path) -> tuple[int, int]:
        """Take up a checkpoint: (stage, step) to go on with."""
        with taking_up(path) as saved:
            self.adapted.take(saved["masters"])
            self.heads.load_state_dict(saved["heads"])
            self.mean, self.taken = saved["mean"], int(saved["taken"])
            self.optimiser.load_state_dict(saved["optimiser"])
            torch.set_rng_state(saved["random"])
            return int(saved["stage"]), int(saved["step"])


def train(
    config: HeadsConfig,
    data: Path,
    corpus: Path,
    base: Path,
    out: Path,
    resume: bool = False,
    progress: Report = lambda _: None,
    limit: int | None = None,
    begin: Path | None = None,
) -> Path:
    """Train a judge and write adapter and heads into `out`; calibrating them comes after.

    Checkpoints lie in `out/checkpoints`: `last.pt`, and one at the end of each stage. With `resume`
    the training goes on from `last.pt`; the data's order depends on the seed alone, so it is the
    same as if it had never stopped. `limit` bounds the steps of each stage, for a trial. `begin`
    names the weights of an earlier training to go on from, instead of fresh ones.

    Returns:
        `out`.

    Raises:
        BadInput: a stage names files that the corpus has not, or the training in `out` was begun
            with other settings, data or corpus, another `limit`, or from other weights.
    """
    _seek_files(config, corpus)
    trainer = Trainer(config, base)
    if begin:
        trainer.begin_from(begin)
    tokenize = load_tokenize(base)
    folder = out / CHECKPOINTS
    at_stage, at_step = 0, 0
    begun = begun_with(config, data, corpus, limit, begin)
    if resume and (folder / LAST).exists():
        same_settings(folder / SETTINGS, begun, {"threads", "checkpoint_every"})
        at_stage, at_step = trainer.restore(folder / LAST)
    else:
        (folder / LAST).unlink(missing_ok=True)  # an earlier training's
    write_whole(folder / SETTINGS, dump_toml(begun))
    for number, stage in enumerate(config.stages):
        if number < at_stage:
            continue
        cases = build_cases(stage, data, corpus, config.order_of(number))
        steps = in_steps([sample(case, tokenize) for case in cases], stage.tokens_per_step)[:limit]
        _run_stage(
            trainer, stage, number, steps, at_step if number == at_stage else 0, folder, progress
        )
        trainer.checkpoint(folder / f"{stage.name}.pt", number + 1, 0)
        trainer.checkpoint(folder / LAST, number + 1, 0)
    trainer.settle()
    trainer.save(out)
    return out


def begun_with(
    config: HeadsConfig,
    data: Path,
    corpus: Path,
    limit: int | None = None,
    begin: Path | None = None,
) -> dict[str, Any]:
    """What a training is begun with, of what it reads: data sets by size, the rest by digest."""
    read = {
        path
        for stage in config.stages
        if stage.corpus_rounds
        for path in sets.corpus_files(corpus, stage.corpus_files)
    }
    return {
        **config.table(),
        **({"limit": limit} if limit else {}),
        "data": {name: (data / name).stat().st_size for name in SETS if (data / name).exists()},
        "corpus": sha256(sorted(read), unsaid),
        **({"begin": digest(begin, HEADS)} if begin else {}),
    }


def _seek_files(config: HeadsConfig, corpus: Path) -> None:
    """Sees that the corpus has what the stages name: what it has not would be no text, silently."""
    for stage in config.stages:
        for name in stage.corpus_files if stage.corpus_rounds else ():
            if not sets.corpus_files(corpus, (name,)):
                kinds = {path.stem.partition("-")[0] for path in sets.corpus_files(corpus)}
                near = " or ".join(get_close_matches(name, kinds)) or "one that is there"
                raise BadInput(
                    f"there is no {name}.toml or {name}-*.toml in {corpus}",
                    where=f"stages: {stage.name}: corpus_files",
                    mend=f"Name {near}.",
                )


def _run_stage(
    trainer: Trainer,
    stage: Stage,
    number: int,
    steps: Sequence[Sequence[Sample]],
    first: int,
    folder: Path,
    progress: Report,
) -> None:
    config = trainer.config
    began, tokens, losses = time.monotonic(), 0, list[float]()
    last = min(len(steps), stage.stop_after or len(steps))
    span = min(len(steps), stage.fall_over or len(steps))
    for step in range(first, last):
        rate = rate_at(stage.peak_rate, stage.end_rate, step, span, config.warmup_steps)
        losses.append(trainer.step(steps[step], rate))
        tokens += _tokens(steps[step])
        done = step + 1
        if done % 5 == 0 or done == last:
            seconds = time.monotonic() - began
            left = seconds / (done - first) * (last - done)
            progress(
                Progress(stage.name, done, last, sum(losses) / len(losses), tokens / seconds, left)
            )
            losses.clear()
        if done % config.checkpoint_every == 0:
            trainer.checkpoint(folder / LAST, number, done)


def _tokens(batch: Iterable[Sample]) -> int:
    return sum(size(one.tree) for one in batch)
