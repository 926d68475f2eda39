"""A LoRA adapter in peft's own format, added to a plain model; peft need not be installed.

`W ← W + scale · B·A` for each adapted layer, with scale = alpha / rank, or alpha / √rank where the
adapter says `use_rslora` (Hu et al. 2021; Kalajdzievski 2023).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import ModelProblem, reason
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS

_LOW = ".lora_A.weight"
_HIGH = ".lora_B.weight"
_BEFORE = "base_model.model."


@contextmanager
def lent(model: nn.Module, folder: Path) -> Iterator[None]:
    """Within, `model` has the adapter in `folder`; afterwards its weights are what they were.

    Sums are taken in float32. Only the adapted weights are held twice meanwhile, and nothing is
    changed unless the whole adapter fits.

    Raises:
        ModelProblem: a file is missing or damaged, the adapter is of another kind than plain LoRA
            on linear layers, or it was made for another model.
    """
    fitting = _fitting(model, folder)
    kept = [weight.detach().clone() for weight, _ in fitting]
    try:
        with torch.no_grad():
            for weight, change in fitting:
                change.add(weight)
        yield
    finally:
        with torch.no_grad():
            for (weight, _), before in zip(fitting, kept, strict=True):
                weight.copy_(before)


def _fitting(model: nn.Module, folder: Path) -> list[tuple[nn.Parameter, "Change"]]:
    """The weights that the adapter is about, and what it adds to each, once all of it fits."""
    found = [(_weight(model, layer, folder), change) for layer, change in changes(folder).items()]
    for weight, change in found:
        change.check(weight.shape)
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What an adapter adds to one layer's weight [out, in]."""

    layer: str
    folder: Path
    low: Tensor
    high: Tensor
    scale: float
    turned: bool
    """Whether the product is [in, out]."""

    def check(self, shape: Sequence[int]) -> None:
        """Raises `ModelProblem` unless it fits a weight of that shape."""
        own = (self.high.shape[0], self.low.shape[1])
        own = own[::-1] if self.turned else own
        if own != tuple(shape):
            raise _unfit(
                self.folder, f"{self.layer} is {tuple(shape)} here, but {own} in the adapter"
            )

    def add(self, weight: Tensor) -> None:
        """Adds it to a weight, in place; the sum is taken in float32."""
        change = self.scale * (self.high.float() @ self.low.float())
        weight.copy_(weight.float() + (change.T if self.turned else change).to(weight.device))


def changes(folder: Path) -> dict[str, Change]:
    """What the adapter in `folder` adds, by the layer's name. Raises as `lent` does."""
    config = _config(folder)
    tensors = _tensors(folder)
    found: dict[str, Change] = {}
    for name, low in tensors.items():
        if name.endswith(_HIGH):
            continue
        layer = name.removeprefix(_BEFORE).removesuffix(_LOW)
        high = tensors.get(f"{_BEFORE}{layer}{_HIGH}")
        if not name.endswith(_LOW) or high is None:
            raise _unfit(folder, f"{name} is no half of a LoRA pair")
        if low.dim() != 2 or high.dim() != 2 or low.shape[0] != high.shape[1]:
            raise _unfit(folder, f"the two halves for {layer} do not fit together")
        turned = bool(config.get("fan_in_fan_out"))
        found[layer] = Change(layer, folder, low, high, _scale(config, layer), turned)
    if not found:
        raise _unfit(folder, "it holds no weights")
    return found


def digest(folder: Path, *more: str) -> str:
    """SHA-256 over the adapter's configuration and weights, and `more` files beside them.

    Raises:
        ModelProblem: one of the files is missing.
    """
    found = hashlib.sha256()
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, *more):
        try:
            found.update((folder / name).read_bytes())
        except OSError:
            raise _missing(folder, name) from None
    return found.hexdigest()


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text("utf-8"))
    except OSError:
        raise _missing(folder, ADAPTER_CONFIG) from None
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise ModelProblem("this is not a table in JSON", where=str(folder / ADAPTER_CONFIG))
    if config.get("peft_type") != "LORA":
        raise _unfit(folder, f"its kind is {config.get('peft_type')!r}, not LORA")
    if config.get("bias", "none") != "none" or config.get("lora_bias"):
        raise _unfit(folder, "it has biases")
    for field in ("use_dora", "modules_to_save", "target_parameters", "megatron_config"):
        if config.get(field):
            raise _unfit(folder, f"it uses {field}")
    for field in ("r", "lora_alpha"):
        number = config.get(field)
        if not isinstance(number, int | float) or number <= 0:
            raise ModelProblem(f"{field} is no positive number", where=str(folder / ADAPTER_CONFIG))
    return config


def _tensors(folder: Path) -> dict[str, Tensor]:
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise _missing(folder, ADAPTER_WEIGHTS)
    try:
        return load_file(folder / ADAPTER_WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise ModelProblem(
            f"the weights are damaged ({reason(error)})", where=str(folder / ADAPTER_WEIGHTS)
        ) from None


def _weight(model: nn.Module, layer: str, folder: Path) -> nn.Parameter:
    try:
        weight = model.get_submodule(layer).weight
    except AttributeError:
        raise _unfit(folder, f"the model has no layer {layer}") from None
    if not isinstance(weight, nn.Parameter) or weight.dim() != 2 or not weight.is_floating_point():
        raise _unfit(folder, f"{layer} is no linear layer")
    return weight


def _scale(config: Mapping[str, Any], layer: str) -> float:
    rank = _of_layer(config.get("rank_pattern"), layer, config["r"])
    alpha = _of_layer(config.get("alpha_pattern"), layer, config["lora_alpha"])
    return alpha / sqrt(rank) if config.get("use_rslora") else alpha / rank


def _of_layer(pattern: object, layer: str, usual: float) -> float:
    """What a pattern says of a layer, as peft reads it: a name's end, or a regular expression."""
    if isinstance(pattern, Mapping):
        for key, number in pattern.items():
            if re.match(rf"(.*\.)?({key})$", layer):
                return float(number)
    return float(usual)


def _missing(folder: Path, name: str) -> ModelProblem:
    return ModelProblem(
        "the adapter's file is missing",
        where=str(folder / name),
        mend="Bring the adapter's folder again; where it came with Placet, install that anew.",
    )


def _unfit(folder: Path, why: str) -> ModelProblem:
    return ModelProblem(
        f"this adapter cannot be merged: {why}",
        where=str(folder),
        mend="Use a LoRA adapter on linear layers that was trained for this model.",
    )
