"""Runs `placet` in this process, from the arguments to the exit status."""

import io
import sys
from collections.abc import Callable

import pytest

from core.cli import main
from tests.cli.running import Ran

Placet = Callable[..., Ran]


@pytest.fixture
def placet(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Placet:
    """`placet("decide", "--demo")`, with what comes in on standard input as `stdin`."""

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["placet", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Ran(0 if code is None else int(code), out, err)

    return run
