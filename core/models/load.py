"""A folder or a name → a ready model: causal, chat or seq2seq. Safetensors only, no remote code."""

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
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
from transformers.utils import logging as transformers_logging

from core.errors import BadInput, ModelProblem
from core.models import catalog
from core.models.adapters import CONFIG as ADAPTER_CONFIG
from core.models.adapters import digest as adapter_digest
from core.models.base import TextModel
from core.models.catalog import Kind
from core.models.causal import CausalModel
from core.models.fused import fuse
from core.models.judge_model import JudgeModel
from core.models.merged import complete, load_merged
from core.models.plain import PlainModel
from core.models.seq2seq import Seq2seqModel
from core.models.share import HASHED, MERGED, Share, part, unheard
from core.models.trained import TrainedJudge
from core.session.events import ModelUsed

transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "int8")


class Formats(NamedTuple):
    """Weight formats by phase: prompts are bound by arithmetic, decoding by memory."""

    read: str
    write: str

    def __str__(self) -> str:
        return self.read if self.read == self.write else f"{self.write}+{self.read}"


def load_text_model(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    reads: bool = False,
    share: Share = unheard,
) -> TextModel:
    """The model of that name, folder or GGUF file, in memory and ready.

    The folder of a LoRA adapter in peft's format stands for its base model with the adapter merged.

    With `reads` the weights to read with are brought into memory too, not on first use. `share`
    hears how far it is.

    Raises `ModelProblem` where it is missing, damaged, or of a kind that cannot be run here.
    """
    path = catalog.locate(name)
    if path.is_file():
        from core.models.convert import converted  # the one loader that may write to the disk

        path = converted(path)
    _check_files(path)
    config = _config(path)
    tokenizer = _tokenizer(path)
    where = pick_device(device)
    if config.is_encoder_decoder:
        formats = pick_formats(where, "float32" if dtype in ("auto", "int8") else dtype)
    else:
        formats = pick_formats(where, dtype)
    digest = weights_digest(path, part(share, 0.0, HASHED))
    adapter = catalog.adapter_of(name)
    if adapter:
        _check_adapter(adapter, path, config, digest)
    used = ModelUsed(
        name=_shown(name, path),
        digest=digest,
        kind=_kind(config, tokenizer),
        device=where,
        dtype=str(formats),
        adapter=adapter_digest(adapter) if adapter else "",
    )
    if config.is_encoder_decoder:
        model = _weights(AutoModelForSeq2SeqLM, path, config, where, formats.read)
        return Seq2seqModel(model, tokenizer, used)

    def weights(dtype: str) -> PreTrainedModel:
        stored = "float32" if dtype == "int8" else dtype
        model: Any
        if adapter:
            model = load_merged(
                path, adapter, getattr(torch, stored), share=part(share, HASHED, MERGED)
            )
            model.to(where)
        else:
            model = _weights(AutoModelForCausalLM, path, config, where, stored)
        if dtype == "int8":
            return quantized(model)
        share(MERGED)
        fuse(model, part(share, MERGED, 1.0))
        ready: PreTrainedModel = model
        return ready

    writer = weights(formats.write)
    same = formats.read == formats.write
    reader = writer if same else weights(formats.read) if reads else None
    return CausalModel(writer, lambda: reader or weights(formats.read), tokenizer, used)


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
    _check_files(path)
    config, tokenizer, where = _config(path), _tokenizer(path), pick_device(device)
    formats = pick_formats(where, "auto" if dtype == "int8" else dtype)
    used = ModelUsed(
        name=catalog.DEFAULT,
        digest=weights_digest(path),
        kind=_kind(config, tokenizer),
        device=where,
        dtype=str(formats),
    )
    model = _weights(AutoModelForCausalLM, path, config, where, formats.write)
    return CausalModel(model, lambda: model, tokenizer, used)


def load_judge(
    *, device: str = "auto", dtype: str = "auto", share: Share = unheard
) -> tuple[TrainedJudge, ModelUsed]:
    """The judge trained for Placet, on the default model. Raises as `load_text_model` does."""
    path = catalog.locate(catalog.DEFAULT)
    _check_files(path)
    where = pick_device(device)
    read = pick_formats(where, "auto" if dtype == "int8" else dtype).read
    folder = catalog.WEIGHTS / "judge"
    try:
        judge = TrainedJudge(JudgeModel.load(path, folder, getattr(torch, read), where, share))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelProblem(
            f"the judge cannot be loaded ({_line(error)})",
            where=str(folder),
            mend="Install Placet again.",
        ) from None
    used = ModelUsed(
        name=f"{catalog.DEFAULT}+judge",
        digest=weights_digest(path),
        kind="heads",
        device=where,
        dtype=read,
        adapter=adapter_digest(folder),
    )
    return judge, used


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


def pick_formats(device: str, dtype: str) -> Formats:
    """The weight formats that `auto` stands for on this processor, or the one asked for.

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
        return Formats(dtype, dtype)
    if device != "cpu":
        return Formats("bfloat16", "bfloat16")
    read = "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
    return Formats(read, read)


def quantized(model: PreTrainedModel) -> PreTrainedModel:
    """The model with its linear layers in int8, activations quantised as they come."""
    from torch.ao.quantization import quantize_dynamic

    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
    warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated")
    quantize_dynamic(  # type: ignore[no-untyped-call]
        model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
    return model


def weights_digest(folder: Path, share: Share = unheard) -> str:
    """SHA-256 over the weight files, in order of their names. Kept beside a pulled model."""
    try:
        told = json.loads((folder / "placet.json").read_text("utf-8"))["digest"]
        return str(told)
    except (OSError, ValueError, KeyError):
        return file_digest(_weight_files(folder), share)


def file_digest(files: Sequence[Path], share: Share = unheard) -> str:
    """SHA-256 over the contents of `files`, one after the other; `share` hears how far it is."""
    digest = hashlib.sha256()
    total, done = sum(path.stat().st_size for path in files), 0
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                done += len(block)
                share(done / total)
    return digest.hexdigest()


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _check_files(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelProblem(
            "there is no config.json, so this is not a model's folder", where=str(folder)
        )
    if (folder / ADAPTER_CONFIG).exists():
        raise ModelProblem(
            "this is both a model and an adapter",
            where=str(folder),
            mend="Give the adapter a folder of its own; it is loaded by that folder.",
        )
    files = _weight_files(folder)
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
                f"the weights are damaged ({str(error).splitlines()[0]})",
                where=str(path),
                mend="Bring the model again.",
            ) from None


def _config(folder: Path) -> Any:
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise ModelProblem(
            f"this kind of model cannot be run ({_line(error)})", where=f"{folder}/config.json"
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
            f"the tokenizer cannot be read ({_line(error)})",
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
            f"this kind of model cannot be run ({_line(error)})", where=str(folder)
        ) from None
    return complete(model, told["missing_keys"], folder)


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


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
