"""A model with a LoRA adapter to train: bfloat16 weights, float32 copies for the optimiser.

LoRA: Hu et al. 2021.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

import core.models.quiet  # noqa: F401
from core.errors import BadInput, reason
from core.files import read_text, writing
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS

EAGER = "eager"
"""How transformers is to attend: with a mask of one's own, bfloat16 and a backward pass, its sdpa
takes twice as long."""

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block, by the names that Llama and its kin give them."""


class Adapter:
    """An adapter on the linear layers of `causal`, a causal model, from `first_layer` up.

    Raises:
        BadInput: the model has no such layer.
    """

    def __init__(self, causal: Any, rank: int, alpha: int, first_layer: int) -> None:
        depth = causal.config.num_hidden_layers
        if first_layer >= depth:  # peft takes an empty list of layers for all of them
            raise BadInput(
                f"the model has no layer {first_layer} to put an adapter on",
                where="first_layer",
                mend=f"Set it below {depth}.",
            )
        self.first_layer = first_layer
        self._alpha = alpha
        self.model: PeftModel = get_peft_model(
            causal,
            LoraConfig(
                r=rank,
                lora_alpha=alpha,
                target_modules=list(LINEAR),
                layers_to_transform=list(range(first_layer, depth)),
                task_type="CAUSAL_LM",
            ),
            autocast_adapter_dtype=False,
        ).eval()  # there is no dropout, and what was read once must come out the same again
        self.causal: Any = self.model.get_base_model()
        self.adapter = [p for p in self.model.parameters() if p.requires_grad]
        self.masters = [p.detach().float().clone().requires_grad_() for p in self.adapter]
        self.version = 0
        """Raised whenever the adapter moves."""

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """Within, the model is the base model."""
        with self.model.disable_adapter():
            yield

    def collect(self) -> None:
        """Moves the gradients of the adapter to the float32 copies."""
        for master, weight in zip(self.masters, self.adapter, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None

    @torch.no_grad()
    def renew(self) -> None:
        """Makes the adapter what the float32 copies are now."""
        for master, weight in zip(self.masters, self.adapter, strict=True):
            weight.copy_(master)
        self.version += 1

    @torch.no_grad()
    def take(self, values: Sequence[Tensor]) -> None:
        """Makes the copies, and with them the adapter, what `values` are."""
        for master, value in zip(self.masters, values, strict=True):
            master.copy_(value)
        self.renew()

    def load(self, folder: Path) -> None:
        """Takes up an adapter that `save` wrote.

        Raises:
            BadInput: it is missing, damaged, or of another shape or scale than this one.
        """
        path = folder / ADAPTER_WEIGHTS
        try:
            saved = load_file(path)
            alpha = json.loads(read_text(folder / ADAPTER_CONFIG))["lora_alpha"]
        except (KeyError, OSError, SafetensorError, TypeError, ValueError) as error:
            raise BadInput(
                f"the adapter cannot be read ({reason(error)})",
                where=str(path),
                mend="Bring its folder again, or name another.",
            ) from None
        own = {
            name.replace(".default.", "."): weight.shape
            for name, weight in self.model.named_parameters()
            if weight.requires_grad
        }
        shapes = {name: weight.shape for name, weight in saved.items()}
        if shapes != own:
            odd = next(
                name for name in sorted({*shapes, *own}) if shapes.get(name) != own.get(name)
            )
            raise BadInput(
                "the adapter has another shape than the settings say",
                where=f"{path}: {odd}",
                mend="Set `rank` and `first_layer` as they were when it was trained.",
            )
        if alpha != self._alpha:  # the same weights would say more, or less
            raise BadInput(
                f"the adapter was trained with an alpha of {alpha}, not {self._alpha}",
                where=f"{folder / ADAPTER_CONFIG}: lora_alpha",
                mend=f"Set `alpha` to {alpha}.",
            )
        self.take([saved[name] for name in own])

    def save(self, folder: Path, base_name: str) -> None:
        """The adapter in peft's format, bfloat16. `PlacetError` where it cannot be written."""
        self.model.peft_config["default"].base_model_name_or_path = base_name
        with writing(folder, SafetensorError):
            folder.mkdir(parents=True, exist_ok=True)
            self.model.save_pretrained(str(folder), save_embedding_layers=False)  # asks no hub
            (folder / "README.md").unlink(missing_ok=True)


class Adapted(Adapter):
    """The model in `base` with an adapter, to be read in trees: with a mask of one's own."""

    def __init__(self, base: Path, rank: int, alpha: int, first_layer: int, device: Any) -> None:
        causal = AutoModelForCausalLM.from_pretrained(
            base,
            dtype=torch.bfloat16,
            attn_implementation=EAGER,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        super().__init__(causal.to(device), rank, alpha, first_layer)


def save_whole(path: Path, state: dict[str, Any]) -> None:
    """A checkpoint that is there whole or not at all; `PlacetError` where it cannot be written."""
    fresh = path.with_suffix(".new")
    with writing(path, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, fresh)
        fresh.replace(path)


@contextmanager
def taking_up(path: Path) -> Iterator[dict[str, Any]]:
    """What `save_whole` wrote; `BadInput` where it is damaged or, within, turns out not to fit."""
    try:
        yield torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, UnpicklingError) as error:
        raise BadInput(
            f"the checkpoint cannot be taken up ({reason(error)})",
            where=str(path),
            mend="Resume with the settings that it was written with, or begin another folder.",
        ) from None


def clipped_step(
    optimiser: torch.optim.Optimizer,
    masters: Sequence[nn.Parameter | Tensor],
    clip: float,
    rate: float,
) -> None:
    """One step of the optimiser at a learning rate, the gradient's norm bounded.

    A group of the optimiser that says `faster` learns at so many times that rate.
    """
    nn.utils.clip_grad_norm_(masters, clip)
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("faster", 1.0)
    optimiser.step()
    optimiser.zero_grad()
