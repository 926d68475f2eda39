"""Models as transformers has them: every kind but the Llamas that `core.models.llama` runs.

Importing this takes longer than a load without it, so it is imported where such a model is met.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import DynamicLayer

import core.models.quiet  # noqa: F401
from core.errors import BadInput, ModelProblem, reason
from core.models.cache import Layers, Prefixes, RoomyLayer
from core.models.generate import read
from core.models.merged import check_whole, read_weights
from core.models.share import MERGED, Share, part, unheard


def read_config(folder: Path) -> Any:
    """What config.json says; `ModelProblem` where that kind of model is not known."""
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise ModelProblem(
            f"this kind of model cannot be run ({reason(error)})", where=f"{folder}/config.json"
        ) from None


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder; `ModelProblem` where it is missing or damaged."""
    names = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
    if not any((folder / name).is_file() for name in names):
        raise ModelProblem(
            "there is no tokenizer",
            where=str(folder),
            mend=f"Copy the model's tokenizer there ({names[0]} or {names[1]}).",
        )
    try:
        made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # tokenizers raises bare Exception where a file is damaged
        raise ModelProblem(
            f"the tokenizer cannot be read ({reason(error)})",
            where=str(folder),
            mend="Bring the model again.",
        ) from None
    if made.pad_token is None:
        made.pad_token = made.eos_token
    return made


def load_seq2seq(folder: Path, config: Any, device: str, dtype: str) -> PreTrainedModel:
    """The sequence-to-sequence model in `folder`; `ModelProblem` where it cannot be run."""
    return _weights(AutoModelForSeq2SeqLM, folder, config, device, dtype)


def load_causal(
    folder: Path,
    adapter: Path | None,
    device: str,
    dtype: str,
    share: Share = unheard,
) -> PreTrainedModel:
    """The causal model in `folder`, with the adapter in `adapter`, in a format of `DTYPES`.

    Raises `ModelProblem` where it is damaged, or of a kind that cannot be run here.
    """
    stored = "float32" if dtype == "int8" else dtype
    if adapter:
        merged = part(share, 0.0, MERGED)
        model = load_merged(folder, adapter, getattr(torch, stored), share=merged)
        model.to(device)  # type: ignore[arg-type]
    else:
        model = _weights(AutoModelForCausalLM, folder, read_config(folder), device, stored)
    share(MERGED)
    if dtype == "int8":
        model = quantized(model)
    _check_cache(model, folder)
    return model


def load_merged(
    base: Path,
    adapter: Path,
    dtype: torch.dtype,
    depth: int | None = None,
    share: Share = unheard,
) -> PreTrainedModel:
    """The causal model in `base` with the adapter in `adapter`, cut after `depth` layers.

    `share` hears how much of the weights is there.

    Raises:
        ModelProblem: the adapter is missing, damaged or does not fit, or the base lacks weights.
    """
    config = read_config(base)
    config.num_hidden_layers = depth or config.num_hidden_layers
    weights, unused = read_weights(base, adapter, dtype, config.num_hidden_layers, share)
    try:
        kind: Any = AutoModelForCausalLM._model_mapping[type(config)]
        model, told = kind.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=dtype,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        raise _unfit(base, error) from None
    return complete(model, {*unused, *told["missing_keys"]}, base)


def load_trunk(base: Path, depth: int, dtype: torch.dtype, attention: str = "sdpa") -> Any:
    """The causal model in `base`, cut after `depth` layers and without its last norm.

    Raises:
        BadInput: it has not so many.
    """
    model: Any = AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype, attn_implementation=attention
    )
    if depth > len(model.model.layers):
        raise BadInput(
            f"the model has no {depth} layers to read the state after",
            where="depth",
            mend=f"Set it to {len(model.model.layers)} or less.",
        )
    model.model.layers = model.model.layers[:depth]
    model.model.norm = nn.Identity()
    model.config.num_hidden_layers = depth
    model.config.use_cache = False
    return model.eval()


def complete(model: Any, missing: Iterable[str], folder: Path) -> PreTrainedModel:
    """The model that was read from `folder`, ready to run; `ModelProblem` where weights lack."""
    check_whole(missing, folder)
    ready: PreTrainedModel = model.eval()
    return ready


def quantized(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its linear layers in int8, activations quantised as they come."""
    from torch.ao.quantization import quantize_dynamic

    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
    warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated")
    quantize_dynamic(  # type: ignore[no-untyped-call]
        model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
    return model


def _weights(auto: Any, folder: Path, config: Any, device: str, dtype: str) -> PreTrainedModel:
    """The weights on their device; larger than one device, they are spread by accelerate."""
    try:
        model, told = auto.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            output_loading_info=True,
            **({} if device == "cpu" else {"device_map": "auto" if device == "cuda" else device}),
        )
    except (ValueError, OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise _unfit(folder, error) from None
    return complete(model, told["missing_keys"], folder)


def _unfit(folder: Path, error: Exception) -> ModelProblem:
    if "scaled_dot_product" in str(error) or "sdpa" in str(error):
        return ModelProblem("this architecture has no attention that we can run", where=str(folder))
    return ModelProblem(f"this kind of model cannot be run ({reason(error)})", where=str(folder))


class GrowingLayer(RoomyLayer, DynamicLayer):  # type: ignore[misc, no-untyped-call]
    """A layer of a cache of transformers' that has room for tokens to come."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        DynamicLayer.__init__(self)  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        RoomyLayer.__init__(self, keys, values)


def growing(layers: Layers) -> DynamicCache:
    """A cache with room that begins with these keys and values, for a model of transformers."""
    cache = DynamicCache()
    cache.layers = [GrowingLayer(keys, values) for keys, values in layers]
    return cache


@torch.inference_mode()
def _check_cache(model: PreTrainedModel, folder: Path) -> None:
    """Refuses a model that keeps other than a layer's keys and values of what it read."""
    try:
        read(model, Prefixes(model), [(0, 1), (0, 2)])
    except Exception as error:  # every kind fails in a way of its own
        raise ModelProblem(
            f"this kind of model cannot be run ({reason(error)})",
            where=str(folder),
            mend="Choose one whose layers are all attention, such as Llama, Qwen 2.5 or Gemma.",
        ) from None
