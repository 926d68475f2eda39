"""A copy of a policy that only samples: adapter merged in, layers fused, several times as fast.

Merging rounds to bfloat16, so what is sampled is within that of the policy; how likely a reply is
under the policy itself is read anew in every update.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.models.foreign import load_causal
from core.models.llama import Llama, runs_here
from core.training.adapted import Adapted
from core.training.rollouts import Policy


class Writer:
    """The model in `base`, with the adapter as it was when `renew` was last called."""

    def __init__(self, base: Path, adapted: Adapted) -> None:
        self._adapted = adapted
        device = adapted.causal.device.type
        self._shape = runs_here(base, device, torch.bfloat16)
        self.model: Any = None if self._shape else load_causal(base, None, device, "bfloat16")

    @torch.no_grad()
    def renew(self, policy: Policy) -> None:
        """Takes over what the adapter has become, and from now on samples for the policy."""
        merged = self._merged()
        if self._shape is None:
            self.model.load_state_dict(merged)
        else:
            self.model = Llama(self._shape, merged)
        policy.writer = self.model

    def _merged(self) -> dict[str, Tensor]:
        """The weights with the adapter in them, by their names in the plain model."""
        causal = self._adapted.causal
        weights = {
            name.replace(".base_layer.", "."): weight.detach()
            for name, weight in causal.state_dict().items()
            if ".lora_" not in name
        }
        for name, part in causal.named_modules():
            if hasattr(part, "lora_A"):
                low, high = part.lora_A["default"].weight, part.lora_B["default"].weight
                change = part.scaling["default"] * (high.float() @ low.float())
                plain = part.base_layer.weight
                weights[f"{name}.weight"] = (plain.float() + change).to(plain.dtype)
        return weights
