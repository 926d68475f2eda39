"""A GGUF file → a folder with float32 safetensors, whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Any

from core import paths
from core.errors import ModelProblem, reason
from core.models import manifest
from core.models.disk import alone, disk_error, room_for
from core.models.manifest import sha256
from core.models.share import Share, part, unheard
from core.models.transfer import Say, Transfer, ticking

CONVERTED_PER_S = 5_000_000
"""Bytes of GGUF that are converted in a second, roughly."""

_HASHED = 0.05
"""When of the time that it takes its digest is known, about."""


def converted(gguf: Path, share: Share = unheard) -> Path:
    """The folder with the safetensors made from a GGUF file, made on first use.

    `share` hears how far it is, by what converting usually takes.
    """
    if gguf.suffix != ".gguf":
        raise ModelProblem("this is neither a model's folder nor a GGUF file", where=str(gguf))
    hashed = part(share, 0.0, _HASHED)
    digest = sha256([gguf], lambda at: hashed(at.done_bytes / at.total_bytes))
    target = paths.models() / f"{gguf.stem}-{digest[:12]}"
    size = gguf.stat().st_size
    rest = part(share, _HASHED, 1.0)

    def say(at: Transfer) -> None:
        if at.seconds_left and not at.total_bytes:
            rest(1.0 - at.seconds_left * CONVERTED_PER_S / size)

    with alone(target, say):
        if not (target / "config.json").is_file():
            room_for(size * 7, target.parent)
            convert(gguf, target, {"source": gguf.name, "gguf": digest}, say)
    return target


def convert(
    gguf: Path, target: Path, told: dict[str, str], say: Say, tokenizer_sha256: str = ""
) -> None:
    """GGUF → a folder with float32 safetensors, put in place by one rename."""
    os.environ["TQDM_DISABLE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    import core.models.quiet  # noqa: F401
    from core.models.foreign import complete

    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        with ticking("converting to safetensors", gguf.stat().st_size / CONVERTED_PER_S, say):
            try:
                tokenizer = AutoTokenizer.from_pretrained(
                    gguf.parent, gguf_file=gguf.name, trust_remote_code=False
                )
            except Exception as error:  # tokenizers raises bare Exception where it is damaged
                raise _unfit(gguf, error) from None
            auto: Any = AutoModelForCausalLM
            model, loaded = auto.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                dtype=torch.float32,
                trust_remote_code=False,
                quantization_config=GgufConfig(dequantize=True),
                output_loading_info=True,
            )
            model = complete(model, loaded["missing_keys"], gguf)
            model.save_pretrained(half)
            tokenizer.save_pretrained(half)
        found = manifest.write(half, told, say)
        if tokenizer_sha256 and found != tokenizer_sha256:
            raise ModelProblem(
                "the tokenizer in this GGUF file is not the one it should yield",
                where=str(gguf),
                mend="Another version of transformers may read it otherwise; use the locked one.",
            )
        half.rename(target)
    except OSError as error:
        raise disk_error(error, half) from None
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise _unfit(gguf, error) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _unfit(gguf: Path, error: Exception) -> ModelProblem:
    return ModelProblem(f"this GGUF file cannot be converted ({reason(error)})", where=str(gguf))
