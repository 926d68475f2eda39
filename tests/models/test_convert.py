"""A GGUF file becomes a folder."""

from pathlib import Path

import pytest

from core import paths
from core.models import catalog, convert
from core.models.convert import converted
from core.models.load import load_text_model
from core.models.manifest import tokenizer_digest


def test_a_gguf_file_of_ones_own_is_converted_once(
    gguf: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    folder = converted(gguf, shares.append)
    monkeypatch.setattr(convert, "convert", None)

    assert shares == sorted(shares) and shares[0] > 0
    assert converted(gguf) == folder
    assert folder.parent == paths.models()
    assert tokenizer_digest(folder) == tokenizer
    assert load_text_model(str(gguf), dtype="float32").used.kind == catalog.Kind.CAUSAL
