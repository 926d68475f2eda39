"""Every number that shapes the judge's training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from random import Random
from typing import Any

from core.training.settings import Count, Natural, Rate, Share

SETTINGS = "contexts", "drafts", "opposites", "ops", "proposals", "rightly", "subtle", "trades"
PEOPLE = "people", "people2", "oversight", "advice"
CODES = "codes", "service", "nature", "records"
EARLIER = "plain", "misuse", "policy", "unusual", "words", "short"
FIELDS = "classroom", "court", "desk", "lab", "plant", "press", "pressure", "rescue", "stack"
SECTORS = "clinic", "cloud", "counter", "crew"
OUTSIDE = "branch", "cross", "deeds", "folk", "hazard", "stances", "usual", "warden"
INSIDE = "comply", "duet", "measure", "quiet", "reply", "terse", "toolwork"
PLAIN = "abroad", "clause", "plainwork", "polar"
DEEPER = "callargs", "counsel", "infer", "norms", "orders", "stepwise", "twins"
LATEST = "bidding", "surmise", "proviso", "afar", "customs", "shell", "agentry", "motto"
ERRANDS = "errand", "gist", "remit", "mosaic"
OFFICES = "neighbours", "maxims", "deskwork", "toolbox", "guardrail", "bench"
"""Files of the corpus that some stages go through, by their names up to a dash."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of training with its own data and learning rate."""

    name: str
    peak_rate: Rate
    """Learning rate after warming up; falls along a cosine to `end_rate`."""
    end_rate: Rate
    stories: Natural
    """How many of Moral Stories' training rows."""
    chemistry: Natural = 0
    """How many rows of Social Chemistry 101."""
    reasons: Natural = 0
    """How many rows of each part of ETHICS."""
    others: Share = 1.0
    """Share of MoralChoice, SafeText and PrivacyLens that takes part, 0 to 1."""
    corpus_rounds: Natural = 0
    """How often the corpus is gone through."""
    corpus_files: tuple[str, ...] = ()
    """Names, up to a dash, of the files that are gone through; all of them where empty."""
    tokens_per_step: Count = 2048
    stop_after: Count | None = None
    """Steps after which the stage ends; None for all that its data gives."""
    fall_over: Count | None = None
    """Steps over which the learning rate falls; None for all that the data gives."""
    seed: int | None = None
    """What the data's order depends on; None for a number from the configuration's seed."""


@dataclass(frozen=True, slots=True)
class HeadsConfig:
    """Every hyper-parameter of the judge; written beside its weights."""

    seed: int = 7
    depth: Count = 22
    """Layers run; the state is read after the last of them."""
    first_layer: Natural = 6
    """Lowest layer with an adapter; below it there is no backward pass."""
    rank: Count = 16
    alpha: Count = 32
    weight_decay: Rate = 0.01
    head_dropout: Share = 0.1
    harm_weight: Rate = 1.0
    """Share of the harm loss against the respect loss."""
    meeting_faster: Rate = 10.0
    """Learning rate of the weights by which action and value meet, against all others: there are
    few, and they start at nought."""
    label_smoothing: Share = 0.02
    row_length: Count = 256
    average: Share = 0.998
    """What the mean of the weights keeps of itself at a step; 0 for the last step's weights."""
    warmup_steps: Natural = 60
    clip: Rate = 1.0
    """Bound of the gradient's norm."""
    checkpoint_every: Count = 50
    """Steps between checkpoints."""
    threads: Count = 2
    stages: tuple[Stage, ...] = field(
        default=(
            Stage(
                "people",
                peak_rate=4e-4,
                end_rate=2e-4,
                stories=10_000,
                chemistry=4_000,
                tokens_per_step=1024,
                stop_after=1350,
            ),
            Stage(
                "agents",
                peak_rate=4e-4,
                end_rate=0.0,
                stories=4_200,
                chemistry=800,
                others=0.6,
                corpus_rounds=3,
                tokens_per_step=1024,
                stop_after=1000,
                fall_over=1000,
            ),
            Stage(
                "broad-begun",
                peak_rate=4e-4,
                end_rate=0.0,
                stories=2_500,
                others=0.3,
                corpus_rounds=2,
                tokens_per_step=1024,
                stop_after=175,
                fall_over=1500,
                seed=11_000,
            ),
            Stage(
                "broad",
                peak_rate=3e-4,
                end_rate=0.0,
                stories=1_500,
                others=0.2,
                corpus_rounds=1,
                tokens_per_step=1024,
                seed=12_000,
            ),
            Stage(
                "broad-again",
                peak_rate=2.5e-4,
                end_rate=0.0,
                stories=1_000,
                others=0.2,
                corpus_rounds=1,
                tokens_per_step=1024,
                stop_after=600,
                fall_over=600,
                seed=13_000,
            ),
            Stage(
                "people-again",
                peak_rate=5e-4,
                end_rate=2e-4,
                stories=4_200,
                chemistry=4_000,
                reasons=3_000,
                others=0.6,
                corpus_rounds=1,
                stop_after=175,
                fall_over=876,
                seed=7_001,
            ),
            Stage(
                "wider",
                peak_rate=5e-4,
                end_rate=3e-4,
                stories=2_500,
                chemistry=2_000,
                reasons=2_000,
                others=0.3,
                corpus_rounds=1,
                stop_after=275,
                fall_over=753,
                seed=11_000,
            ),
            Stage(
                "widest",
                peak_rate=4e-4,
                end_rate=0.0,
                stories=2_000,
                chemistry=600,
                reasons=600,
                others=0.2,
                corpus_rounds=2,
                stop_after=800,
                fall_over=800,
                seed=12_000,
            ),
            Stage(
                "new",
                peak_rate=4e-4,
                end_rate=2.5e-4,
                stories=4_200,
                chemistry=2_000,
                others=0.3,
                corpus_rounds=1,
                corpus_files=SETTINGS,
                seed=7_001,
            ),
            Stage(
                "newer",
                peak_rate=3.5e-4,
                end_rate=2e-4,
                stories=2_500,
                chemistry=1_000,
                others=0.2,
                corpus_rounds=1,
                corpus_files=(*SETTINGS, *PEOPLE),
                seed=11_000,
            ),
            Stage(
                "newest",
                peak_rate=3e-4,
                end_rate=0.0,
                stories=1_500,
                chemistry=300,
                others=0.1,
                corpus_rounds=1,
                corpus_files=(*CODES, *PEOPLE, *EARLIER),
                stop_after=430,
                fall_over=430,
                seed=12_000,
            ),
            Stage(
                "fields",
                peak_rate=4e-4,
                end_rate=2.5e-4,
                stories=2_500,
                chemistry=1_000,
                others=0.2,
                corpus_rounds=1,
                corpus_files=FIELDS,
                seed=7_001,
            ),
            Stage(
                "fields-again",
                peak_rate=3e-4,
                end_rate=0.0,
                stories=1_500,
                chemistry=300,
                others=0.1,
                corpus_rounds=1,
                corpus_files=(*SECTORS, *FIELDS, *SETTINGS),
                seed=12_000,
            ),
            Stage(
                "outside",
                peak_rate=4e-4,
                end_rate=2.5e-4,
                stories=2_500,
                chemistry=600,
                others=0.2,
                corpus_rounds=1,
                corpus_files=(
                    *OUTSIDE,
                    "charter",
                    "council",
                    "misuse",
                    "oversight",
                    "policy",
                    "tools",
                ),
                seed=7_001,
            ),
            Stage(
                "inside",
                peak_rate=3e-4,
                end_rate=0.0,
                stories=1_500,
                chemistry=300,
                others=0.1,
                corpus_rounds=1,
                corpus_files=INSIDE,
                seed=12_000,
            ),
            Stage(
                "again",
                peak_rate=4e-4,
                end_rate=2e-4,
                stories=2_500,
                chemistry=600,
                others=0.1,
                corpus_rounds=1,
                corpus_files=(*OUTSIDE, *INSIDE),
                stop_after=600,
                fall_over=600,
                seed=14_001,
            ),
            Stage(
                "more",
                peak_rate=4e-4,
                end_rate=3e-4,
                stories=4_000,
                chemistry=600,
                others=0.1,
                corpus_rounds=1,
                corpus_files=(*PLAIN, *SETTINGS),
                stop_after=400,
                fall_over=560,
                seed=15_001,
            ),
            Stage(
                "most",
                peak_rate=3e-4,
                end_rate=0.5e-4,
                stories=4_500,
                chemistry=600,
                others=0.1,
                corpus_rounds=1,
                corpus_files=(*DEEPER, *PEOPLE, "clause", "plainwork"),
                stop_after=400,
                fall_over=560,
                seed=16_001,
            ),
            Stage(
                "whole",
                peak_rate=3.5e-4,
                end_rate=2e-4,
                stories=7_000,
                chemistry=800,
                others=0.1,
                corpus_rounds=1,
                stop_after=750,
                fall_over=1000,
                seed=17_001,
            ),
            Stage(
                "latest",
                peak_rate=3e-4,
                end_rate=0.5e-4,
                stories=2_500,
                chemistry=400,
                others=0.1,
                corpus_rounds=1,
                corpus_files=LATEST,
                seed=18_001,
            ),
            Stage(
                "norms",
                peak_rate=3e-4,
                end_rate=2e-4,
                stories=10_000,
                chemistry=1_500,
                others=0.2,
                corpus_rounds=1,
                corpus_files=(
                    *ERRANDS,
                    *("comply", "duet", "reply", "abroad"),
                    *("branch", "cross", "folk", "stances", "usual", "warden"),
                ),
                stop_after=420,
                fall_over=600,
                seed=19_001,
            ),
            Stage(
                "offices",
                peak_rate=3e-4,
                end_rate=0.5e-4,
                stories=5_000,
                chemistry=400,
                others=0.15,
                corpus_rounds=1,
                corpus_files=(*ERRANDS, *OFFICES),
                stop_after=450,
                fall_over=450,
                seed=22_001,
            ),
        )
    )

    def order_of(self, number: int) -> Random:
        """What the order of the data of that stage is drawn from."""
        own = self.stages[number].seed
        return Random(self.seed * 1000 + number if own is None else own)

    def table(self) -> dict[str, Any]:
        """As plain values, for TOML; what is None is left out."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "stages"} | {
            "stages": [
                {name: value for name, value in asdict(stage).items() if value is not None}
                for stage in self.stages
            ]
        }
