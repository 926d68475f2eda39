"""A folder or a name → a ready model: causal, chat or seq2seq. Safetensors only, no remote code."""

import os
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")  # read where tqdm is imported: bars are our own
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # waiting threads soon leave the cores to others

import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

import core.models.kept
import core.models.quiet  # noqa: F401
from core.domain.text import storable
from core.errors import ModelProblem, reason
from core.models import catalog
from core.models.adapters import digest as adapter_digest
from core.models.base import TextModel
from core.models.cache import Prefixes
from core.models.catalog import Kind
from core.models.causal import CausalModel
from core.models.default_model import GGUF_SHA256
from core.models.formats import pick_device, pick_format
from core.models.fused import fuse, is_fused
from core.models.generate import read
from core.models.judge_model import CARD, JudgeModel, read_card
from core.models.manifest import record, weight_files, weights_digest
from core.models.merged import complete, load_merged
from core.models.plain import PlainModel
from core.models.seq2seq import Seq2seqModel
from core.models.share import CONVERTED, HASHED, MERGED, Share, part, unheard
from core.models.trained import TrainedJudge
from core.session.events import ModelUsed


def load_text_model(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    share: Share = unheard,
) -> TextModel:
    """The model of that name, folder or GGUF file, in memory and ready.

    The folder of a LoRA adapter in peft's format stands for its base model with the adapter merged.
    `share` hears how far it is.

    Raises `ModelProblem` where it is missing, damaged, or of a kind that cannot be run here.
    """
    path = catalog.locate(name)
    adapter = catalog.adapter_of(name)
    _check_path(adapter or path)
    if path.is_file():
        from core.models.convert import converted  # the one loader that may write to the disk

        path = converted(path, part(share, 0.0, CONVERTED))
        share = part(share, CONVERTED, 1.0)
    check_files(path)
    config = _config(path)
    tokenizer = _tokenizer(path)
    where = pick_device(device)
    if config.is_encoder_decoder and dtype in ("auto", "int8"):
        dtype = "float32"
    dtype = pick_format(where, dtype)
    hashed = part(share, 0.0, HASHED)
    digest = weights_digest(path, lambda at: hashed(at.done_bytes / at.total_bytes))
    if adapter:
        _check_adapter(adapter, path, config, digest)
    used = ModelUsed(
        name=_shown(name, path),
        digest=digest,
        kind=_kind(config, tokenizer),
        device=where,
        dtype=dtype,
        adapter=adapter_digest(adapter) if adapter else "",
    )
    model: Any
    if config.is_encoder_decoder:
        model = _weights(AutoModelForSeq2SeqLM, path, config, where, dtype)
        return Seq2seqModel(model, tokenizer, used)
    stored = "float32" if dtype == "int8" else dtype
    if adapter:
        read = part(share, HASHED, MERGED)
        model = load_merged(path, adapter, getattr(torch, stored), share=read)
        model.to(where)
    else:
        model = _weights(AutoModelForCausalLM, path, config, where, stored)
        share(MERGED)
    if dtype == "int8":
        model = quantized(model)
    else:
        fuse(model, part(share, MERGED, 1.0))
    if not is_fused(model):
        _check_cache(model, path)
    return CausalModel(model, tokenizer, used)


def load_plain(name: str, like: CausalModel) -> PlainModel:
    """The weights of the model `like`, loaded by `name`, as transformers runs them: in float32."""
    path = catalog.locate(name)
    model: PreTrainedModel
    if adapter := catalog.adapter_of(name):
        model = load_merged(path, adapter, torch.float32)
    else:
        model = _weights(AutoModelForCausalLM, path, _config(path), "cpu", "float32")
    return PlainModel(model, like)


def load_voices(*, device: str = "auto", dtype: str = "auto") -> CausalModel:
    """The default model with weights that can be changed, for adapters to be lent to.

    Raises `ModelProblem` where it is missing or damaged.
    """
    path = catalog.locate(catalog.DEFAULT)
    check_files(path)
    config, tokenizer, where = _config(path), _tokenizer(path), pick_device(device)
    dtype = pick_format(where, "auto" if dtype == "int8" else dtype)
    used = ModelUsed(
        name=catalog.DEFAULT,
        digest=weights_digest(path),
        kind=_kind(config, tokenizer),
        device=where,
        dtype=dtype,
    )
    model = _weights(AutoModelForCausalLM, path, config, where, dtype)
    return CausalModel(model, tokenizer, used)


def load_judge(
    *, device: str = "auto", dtype: str = "auto", share: Share = unheard
) -> tuple[TrainedJudge, ModelUsed]:
    """The judge trained for Placet, on the default model.

    Raises as `load_text_model` does, and where that model is not the one it was trained on.
    """
    path = catalog.locate(catalog.DEFAULT)
    check_files(path)
    where = pick_device(device)
    dtype = pick_format(where, "auto" if dtype == "int8" else dtype)
    folder, digest = catalog.WEIGHTS / "judge", weights_digest(path)
    try:
        # another release may lay out the same weights otherwise in their file
        if digest != read_card(folder)["base_digest"] and (record(path).get("gguf") != GGUF_SHA256):
            raise ModelProblem(
                f"the judge was trained on other weights than those in {path}",
                where=f"{folder / CARD}: base_digest",
                mend=f"`placet models remove {catalog.DEFAULT}`, then `placet models pull`.",
            )
        judge = TrainedJudge(JudgeModel.load(path, folder, getattr(torch, dtype), where, share))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelProblem(
            f"the judge cannot be loaded ({reason(error)})",
            where=str(folder),
            mend="Install Placet again.",
        ) from None
    used = ModelUsed(
        name=f"{catalog.DEFAULT}+judge",
        digest=digest,
        kind="heads",
        device=where,
        dtype=dtype,
        adapter=adapter_digest(folder),
    )
    return judge, used


def quantized(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its linear layers in int8, activations quantised as they come."""
    from torch.ao.quantization import quantize_dynamic

    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
    warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated")
    quantize_dynamic(  # type: ignore[no-untyped-call]
        model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
    return model


def _check_path(path: Path) -> None:
    """Refuses a path that safetensors cannot open, and a session not name."""
    if storable(str(path)) != str(path):
        raise ModelProblem(
            "the path is not UTF-8, so no weights can be read there",
            where=str(path),
            mend="Rename what is not UTF-8 in it.",
        )


def check_files(folder: Path) -> None:
    """Sees that a folder holds a model that may be loaded: `ModelProblem` says what is missing."""
    if not (folder / "config.json").is_file():
        raise ModelProblem(
            "there is no config.json, so this is not a model's folder", where=str(folder)
        )
    if (folder / catalog.ADAPTER_CONFIG).exists():
        raise ModelProblem(
            "this is both a model and an adapter",
            where=str(folder),
            mend="Give the adapter a folder of its own; it is loaded by that folder.",
        )
    files = weight_files(folder)
    if not files:
        pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
        if pickled:
            raise ModelProblem(
                "its weights are a pickle, which can run code when it is read; it is refused",
                where=str(pickled[0]),
                mend="Get the same model as safetensors.",
            )
        raise ModelProblem("there are no *.safetensors", where=str(folder))
    for path in files:
        try:
            with safe_open(str(path), framework="pt") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise ModelProblem(
                f"the weights are damaged ({reason(error)})",
                where=str(path),
                mend="Bring the model again.",
            ) from None


def _config(folder: Path) -> Any:
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise ModelProblem(
            f"this kind of model cannot be run ({reason(error)})", where=f"{folder}/config.json"
        ) from None


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
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


def _kind(config: Any, tokenizer: PreTrainedTokenizerBase) -> Kind:
    if config.is_encoder_decoder:
        return Kind.SEQ2SEQ
    return Kind.CHAT if tokenizer.chat_template else Kind.CAUSAL


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
        if "scaled_dot_product" in str(error) or "sdpa" in str(error):
            raise ModelProblem(
                "this architecture has no attention that we can run", where=str(folder)
            ) from None
        raise ModelProblem(
            f"this kind of model cannot be run ({reason(error)})", where=str(folder)
        ) from None
    return complete(model, told["missing_keys"], folder)


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


def _check_adapter(adapter: Path, base: Path, config: Any, digest: str) -> None:
    """Refuses an adapter that was not trained on these weights, where that can be told."""
    if config.is_encoder_decoder:
        raise ModelProblem(
            "only a causal model takes an adapter here", where=str(adapter), mend=_OTHER_BASE
        )
    wanted = catalog.pinned(adapter)
    if wanted and wanted != digest:
        raise ModelProblem(
            f"this adapter was trained on other weights than those in {base}",
            where=str(adapter),
            mend=_OTHER_BASE,
        )


_OTHER_BASE = "Bring the model that it was trained on, or train it anew on this one."


def _shown(name: str, path: Path) -> str:
    if adapter := catalog.adapter_of(name):
        return f"{_shown(catalog.base_of(adapter), path)}+{adapter.resolve().name}"
    known = catalog.entry(name)
    return known.name if known else path.name
