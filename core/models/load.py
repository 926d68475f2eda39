"""A folder or a name → a ready model: causal, chat or seq2seq. Safetensors only, no remote code."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")  # read where tqdm is imported: bars are our own
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # waiting threads soon leave the cores to others

import torch
from safetensors import SafetensorError, safe_open

import core.models.kept  # noqa: F401
from core.domain.text import storable
from core.errors import ModelProblem, reason
from core.models import catalog
from core.models.adapters import digest as adapter_digest
from core.models.base import TextModel
from core.models.catalog import Kind
from core.models.causal import CausalModel
from core.models.default_model import GGUF_SHA256
from core.models.formats import pick_device, pick_format
from core.models.judge_model import CARD, JudgeModel, read_card
from core.models.llama import load_llama, runs_here
from core.models.manifest import record, weight_files, weights_digest
from core.models.plain import PlainModel
from core.models.seq2seq import Seq2seqModel
from core.models.share import CONVERTED, HASHED, Share, part, unheard, with_transformers
from core.models.tokens import AnyTokenizer, own_tokenizer
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
    where = pick_device(device)
    shape = runs_here(path, where, getattr(torch, pick_format(where, dtype)))
    tokenizer: Any = own_tokenizer(path) if shape else None
    if not tokenizer:
        share = with_transformers(share)
    config: Any = shape or foreign().read_config(path)
    tokenizer = tokenizer or foreign().read_tokenizer(path)
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
    if config.is_encoder_decoder:
        return Seq2seqModel(foreign().load_seq2seq(path, config, where, dtype), tokenizer, used)
    read = part(share, HASHED, 1.0)
    model: Any
    if shape:
        model = load_llama(path, shape, adapter, getattr(torch, dtype), share=read)
    else:
        model = foreign().load_causal(path, adapter, where, dtype, read)
    return CausalModel(model, tokenizer, used)


def load_plain(name: str, like: CausalModel) -> PlainModel:
    """The weights of the model `like`, loaded by `name`, as transformers runs them: in float32."""
    path, adapter = catalog.locate(name), catalog.adapter_of(name)
    return PlainModel(foreign().load_causal(path, adapter, "cpu", "float32"), like)


def load_voices(*, device: str = "auto", dtype: str = "auto") -> CausalModel:
    """The default model with weights that can be changed, for adapters to be lent to.

    Raises `ModelProblem` where it is missing or damaged.
    """
    path = catalog.locate(catalog.DEFAULT)
    check_files(path)
    where = pick_device(device)
    dtype = pick_format(where, "auto" if dtype == "int8" else dtype)
    tokenizer = foreign().read_tokenizer(path)
    used = ModelUsed(
        name=catalog.DEFAULT,
        digest=weights_digest(path),
        kind=_kind(foreign().read_config(path), tokenizer),
        device=where,
        dtype=dtype,
    )
    return CausalModel(foreign().load_causal(path, None, where, dtype), tokenizer, used)


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


def foreign() -> ModuleType:
    """`core.models.foreign`, which takes seconds to import and is not needed for every model."""
    from core.models import foreign

    return foreign


def _kind(config: Any, tokenizer: AnyTokenizer) -> Kind:
    if config.is_encoder_decoder:
        return Kind.SEQ2SEQ
    return Kind.CHAT if tokenizer.chat_template else Kind.CAUSAL


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
