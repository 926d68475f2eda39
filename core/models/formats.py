"""On which device a model runs here, and in which format its weights lie in memory."""

import torch

from core.errors import BadInput
from core.models.catalog import DEVICES, DTYPES


def pick_device(device: str) -> str:
    """The device that `auto` stands for, or the one asked for if this machine has it."""
    if device not in DEVICES:
        raise BadInput(f"there is no device {device!r}", mend=f"Use one of {', '.join(DEVICES)}.")
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if has[name])
    if not has[device]:
        raise BadInput(f"this machine has no {device}", where="--device", mend="Use `auto`.")
    return device


def pick_format(device: str, dtype: str) -> str:
    """The weight format that `auto` stands for on this device, or the one asked for.

    bfloat16 is two to three times as fast as float32 where the processor multiplies it. int8 would
    write faster still, but never by itself: it scales a whole layer's input alike, and this family
    of models has outliers there (measured on the default model: 43 % of the likeliest next tokens
    are the same as in float32; bfloat16 97 %).
    """
    if dtype not in DTYPES:
        raise BadInput(
            f"there is no weight format {dtype!r}", mend=f"Use one of {', '.join(DTYPES)}."
        )
    if dtype == "int8" and device != "cpu":
        raise BadInput("int8 runs on the processor only", where="--dtype", mend="Use `auto`.")
    if dtype != "auto":
        return dtype
    fast = device != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if fast else "float32"
