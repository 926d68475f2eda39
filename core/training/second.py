"""Fits the second judge on stories that the first one never read.

The first stage of the first judge's training stops before it has gone through its data. Its order
depends on its seed alone, so it is replayed here, and what it never reached and no later stage
could draw is used: actions under their norms and under the foundations that people named for them.
The stories it was calibrated on are left out as well. It is measured on Moral Stories' development
set, which neither judge was fitted on.

The stages of the judge that rewarded the agents are replayed: they are what the second judge is
there to check. Later ones draw from all stories, so the judge that ships may have read most of
those that the second was fitted on.

A line cannot tell a norm from its opposite, so opposites are not among the rows: what it reads is
the action, far more than the statement. That is what a check needs, and not what a reward needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from core.files import dump_toml, write_whole, writing
from core.models.judge_model import load_tokenize
from core.models.second import CARD, WEIGHTS, Asked, Features
from core.training import data as sets
from core.training import people
from core.training.calibrate import minimise
from core.training.data import Story
from core.training.heads import draw_cases, sample
from core.training.heads_config import HeadsConfig
from core.training.measure import accuracy, auroc
from core.training.steps import in_steps


@dataclass(frozen=True, slots=True)
class SecondConfig:
    """What shapes the regression."""

    seed: int = 3
    stages: int = 13
    """As many of the first judge's stages as the judge that rewarded the agents had."""
    depth: int = 20
    """Layers of the plain model that are run."""
    decay: float = 0.1
    """Weight of the squared norm in the loss."""
    rounds: int = 200
    """Steps of L-BFGS, at most."""


Row = tuple[Asked, int]
"""An action with a statement, and 1 if it respects it."""


def unread(data: Path, corpus: Path, base: Path, config: HeadsConfig) -> list[Story]:
    """Training stories of which the judge of `config` read nothing.

    It was trained before norms of the development set were left out, so what it drew counts.
    """
    tokenize = load_tokenize(base)
    read: set[str] = set()
    for number, stage in enumerate(config.stages):
        cases = draw_cases(stage, data, corpus, config.order_of(number))
        reached = len(cases)
        if not stage.corpus_rounds:  # the corpus grows, and the order of a stage with it is another
            steps = in_steps([sample(case, tokenize) for case in cases], stage.tokens_per_step)
            reached = sum(len(step) for step in steps[: stage.stop_after])
        read |= {act.text for case in cases[:reached] for act in case.acts}
    learnt, _ = sets.training_stories(data)
    return [story for story in learnt if not {story.moral, story.immoral} & read]


def rows_of(stories: Sequence[Story], data: Path, rng: Random) -> list[Row]:
    """Both actions of each story under its norm and its foundations."""
    foundations = people.read_foundations(data / "foundation_actions.jsonl", set())
    made: list[Row] = []
    for story in stories:
        for text, moral in ((story.moral, 1), (story.immoral, 0)):
            made.append(((text, story.norm), moral))
            made += foundation_rows(text, foundations, rng)
    return made


def foundation_rows(
    text: str, foundations: dict[str, tuple[tuple[str, ...], int]], rng: Random
) -> list[Row]:
    """An action under a statement of each foundation that people named for it."""
    listed, label = foundations.get(text, ((), 0))
    return [((text, rng.choice(people.FOUNDATIONS[name])), label) for name in listed]


def fit(found: Tensor, labels: Sequence[int], config: SecondConfig) -> tuple[Tensor, float]:
    """Logistic regression with a squared penalty: weights [width] and the bias."""
    targets = torch.tensor(labels, dtype=torch.float32)
    middle, spread = found.mean(0), found.std(0).clamp(min=1e-3)
    scaled = (found - middle) / spread
    weight = torch.zeros(found.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)

    def loss() -> Tensor:
        found = binary_cross_entropy_with_logits(scaled @ weight + bias, targets)
        return found + config.decay * weight.square().sum()

    minimise([weight, bias], loss, config.rounds)
    own = (weight / spread).detach()
    return own, float(bias.detach() - own @ middle)


def train(
    config: SecondConfig, data: Path, corpus: Path, base: Path, out: Path, base_name: str
) -> dict[str, Any]:
    """Fits the regression and writes weights and card into `out`; gives the card."""
    torch.set_num_threads(1)
    read = HeadsConfig()
    stories = unread(data, corpus, base, replace(read, stages=read.stages[: config.stages]))
    rows = rows_of(stories, data, Random(config.seed))
    features = Features.load(base, config.depth)
    weight, bias = fit(features([row for row, _ in rows]), [one for _, one in rows], config)
    figures = {}
    for name, kept in _tests(data, Random(config.seed + 1)).items():
        scores = torch.sigmoid(features([row for row, _ in kept]) @ weight + bias).numpy()
        positive = np.array([one == 1 for _, one in kept])
        figures[name] = {
            "auroc": round(auroc(scores.astype(float), positive), 4),
            "accuracy": round(accuracy(scores.astype(float), positive, 0.5), 4),
            "n": len(kept),
        }
    card = {
        "schema": 1,
        "base": base_name,
        "depth": config.depth,
        "fitted_on": {
            "stories": len(stories),
            "rows": len(rows),
            "sets": ["Moral Stories (train), stories that those stages had not read, MIT"],
        },
        "config": asdict(config),
        "measured_on": figures,
    }
    with writing(out / WEIGHTS, SafetensorError):
        out.mkdir(parents=True, exist_ok=True)
        save_file({"weight": weight, "bias": torch.tensor(bias)}, out / WEIGHTS)
    write_whole(out / CARD, dump_toml(card))
    return card


def _tests(data: Path, rng: Random) -> dict[str, list[Row]]:
    """Development rows: actions under their norms, and under the statements of foundations."""
    stories = sets.read_stories(data / "moral_stories.dev.jsonl")
    foundations = people.read_foundations(data / "foundation_actions.jsonl", set())
    acts = [
        (text, 1 - place, one.norm)
        for one in stories
        for place, text in enumerate((one.moral, one.immoral))
    ]
    named = [row for text, _, _ in acts for row in foundation_rows(text, foundations, rng)]
    return {"norms": [((text, norm), label) for text, label, norm in acts], "foundations": named}
