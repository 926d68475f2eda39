"""A copy of a policy that only samples: adapter merged in, layers fused, several times as fast.

Merging rounds to bfloat16, so what is sampled is within that of the policy; how likely a reply is
under the policy itself is read anew in every update.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from core.models.fused import fuse
from core.training.adapted import Adapted
from core.training.rollouts import Policy


class Writer:
    """The model in `base`, with the adapter as it was when `renew` was last called."""

    def __init__(self, base: Path, adapted: Adapted) -> None:
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            base,
            dtype=torch.bfloat16,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        self.model = self.model.to(adapted.causal.device).eval()
        self._layers = list(self.model.model.layers)
        self._head = self.model.lm_head
        self._plain: dict[str, nn.Parameter] = {
            name: self.model.get_submodule(name).weight for name, _ in _pairs(adapted)
        }
        self._adapted = adapted

    @torch.no_grad()
    def renew(self, policy: Policy) -> None:
        """Takes over what the adapter has become, and from now on samples for the policy."""
        for name, part in _pairs(self._adapted):
            low, high = part.lora_A["default"].weight, part.lora_B["default"].weight
            change = part.scaling["default"] * (high.float() @ low.float())
            self._plain[name].copy_(part.base_layer.weight.float() + change)
        self.model.model.layers = nn.ModuleList(self._layers)  # `fuse` puts others in their places
        self.model.lm_head = self._head
        fuse(self.model)
        policy.writer = self.model


def _pairs(adapted: Adapted) -> list[tuple[str, Any]]:
    """The adapted layers by their names in the plain model."""
    return [
        (name, part) for name, part in adapted.causal.named_modules() if hasattr(part, "lora_A")
    ]
