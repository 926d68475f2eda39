"""A second judge, beside the one that rewards: it is measured against, and never trained on.

A logistic regression over the plain model's hidden states: no adapter, another depth and another
reading than the first judge's, fitted on stories that the first judge of that day had not read.
What an agent learns to do for the one judge alone does not show in the other.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from core.errors import ModelProblem
from core.models.foreign import load_trunk
from core.models.judge_model import batches, load_tokenize, states
from core.models.readout import Heads, Tokenize, ask
from core.models.trees import pack, size

CARD = "second.toml"
WEIGHTS = "second.safetensors"

Asked = tuple[str, str]
"""An action and the statement of a value."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the plain model's middle makes of an action and a value."""

    trunk: Any
    tokenize: Tokenize

    @classmethod
    def load(cls, base: Path, depth: int) -> Features:
        """The model in `base`, read after `depth` layers."""
        dtype = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
        return cls(load_trunk(base, depth, dtype), load_tokenize(base))

    @torch.inference_mode()
    def __call__(self, rows: Sequence[Asked], tokens_at_once: int = 4096) -> Tensor:
        """States after the action and after the value, side by side [rows, 2 · width]."""
        trees = [ask(self.tokenize, "", [action], [[value]]) for action, value in rows]
        found: list[Tensor | None] = [None] * len(rows)
        for batch in batches([size(one.tree) for one in trees], tokens_at_once):
            ends = states(self.trunk, pack([trees[row].tree for row in batch], 256))
            both = Heads.normed(ends).reshape(len(batch), -1)
            for place, row in enumerate(batch):
                found[row] = both[place]
        return torch.stack([one for one in found if one is not None])


@dataclass(frozen=True, slots=True)
class SecondJudge:
    """Actions and statements of values → probabilities of respecting."""

    features: Features
    weight: Tensor
    """[2 · width]."""
    bias: float

    @classmethod
    def load(cls, base: Path, folder: Path) -> SecondJudge:
        """The regression in `folder` over the model in `base`.

        Raises:
            ModelProblem: a file is missing or damaged.
        """
        try:
            card = tomllib.loads((folder / CARD).read_text("utf-8"))
            held = load_file(folder / WEIGHTS)
            features = Features.load(base, int(card["depth"]))
            return cls(features, held["weight"].float(), float(held["bias"]))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelProblem(
                f"the second judge cannot be loaded ({error})",
                where=str(folder),
                mend="`placet train second --data … --out …` makes it anew.",
            ) from None

    def __call__(self, rows: Sequence[Asked]) -> list[float]:
        """The probability that each action respects the value beside it."""
        if not rows:
            return []
        chances: list[float] = torch.sigmoid(self.features(rows) @ self.weight + self.bias).tolist()
        return chances
