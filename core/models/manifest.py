"""The record beside a model's weights: where they came from, and their digests."""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core import paths
from core.errors import BadInput, ModelProblem
from core.models import catalog
from core.models.transfer import Say, moved, unsaid

MANIFEST = "placet.json"


def write(folder: Path, told: dict[str, str], say: Say) -> str | None:
    """Records the digests of the model in `folder` beside what is told of it.

    Gives the tokenizer's, as `tokenizer_digest` does.
    """
    tokenizer, files = tokenizer_digest(folder), weight_files(folder)
    digest, before = sha256(files, say), _noted(folder)
    if before.get("digest") == digest and "gguf" in before:  # a copy of what was converted
        told = {**told, "gguf": str(before["gguf"])}
    manifest = {**told, "digest": digest, "tokenizer": tokenizer, "files": _looks(files)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return tokenizer


def verify(name: str, say: Say = unsaid) -> str:
    """Reads all weights of a pulled model; gives their digest; `ModelProblem` if changed."""
    folder = catalog.locate(name)
    if folder.is_file():
        raise BadInput("a GGUF file is checked when it is read", where=str(folder))
    manifest = folder / MANIFEST
    try:
        told = json.loads(manifest.read_text("utf-8"))
    except (OSError, ValueError):
        raise ModelProblem(
            "there is no record to compare with: Placet did not bring this model",
            where=str(manifest),
        ) from None
    found = sha256(weight_files(folder), say)
    if found != told.get("digest"):
        raise ModelProblem(
            "the weights are not those that were brought",
            where=str(folder),
            mend=f"`placet models remove {name}`, then pull it again.",
        )
    if told.get("tokenizer") not in (None, tokenizer_digest(folder)):
        raise ModelProblem("the tokenizer is not the one that was brought", where=str(folder))
    return found


def tokenizer_digest(folder: Path) -> str | None:
    """SHA-256 over vocabulary and merges, however they are laid out; None without such a file."""
    try:
        model = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(model, dict):
        return None
    kept = {"vocab": model.get("vocab"), "merges": model.get("merges")}
    canonical = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def weights_digest(folder: Path, say: Say = unsaid) -> str:
    """SHA-256 over the weight files, in order of their names; as `record` has it, if it does."""
    return str(record(folder, say).get("digest") or sha256(weight_files(folder), say))


def record(folder: Path, say: Say = unsaid) -> dict[str, Any]:
    """What `write` noted of a model that Placet brought, if its weights are those of then.

    They are read where their files look otherwise.
    """
    if folder.parent != paths.models():  # the record in a copy says what was copied, no more
        return {}
    told, files = _noted(folder), weight_files(folder)
    looks = _looks(files)
    if told.get("files", looks) == looks or told.get("digest") == sha256(files, say):
        return told
    return {}


def _noted(folder: Path) -> dict[str, Any]:
    """The record as it lies there; empty where there is none."""
    with suppress(OSError, ValueError, TypeError):
        return dict(json.loads((folder / MANIFEST).read_text("utf-8")))
    return {}


def _looks(files: list[Path]) -> dict[str, list[int]]:
    """Of each file its bytes, and when it was written, in ns."""
    return {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's weights, in order of their names: those that transformers reads.

    The same weights may lie beside them in another format. `ModelProblem`: the index of the files
    is damaged, or one that it names is missing.
    """
    if (whole := folder / "model.safetensors").is_file():
        return [whole]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        named = json.loads(index.read_text("utf-8"))["weight_map"].values()
        files = sorted({folder / name for name in named})
        lacking = [path.name for path in files if not path.is_file()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        files, lacking = [], []
    if lacking or not files:
        raise ModelProblem(
            f"{lacking[0]} is missing" if lacking else "it names no files of weights",
            where=str(index),
            mend="Bring the model again.",
        )
    return files


def sha256(files: list[Path], say: Say) -> str:
    """The digest of all these files, one after the other."""
    digest = hashlib.sha256()
    total, done, began = sum(path.stat().st_size for path in files), 0, time.monotonic()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
                done += len(block)
                say(moved("checking", done, total, began))
    return digest.hexdigest()
