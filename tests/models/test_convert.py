"""A GGUF file becomes a folder."""

from pathlib import Path
from typing import Any

import pytest

from core import paths
from core.errors import ModelProblem
from core.models import catalog, convert
from core.models.convert import converted
from core.models.load import load_text_model
from core.models.manifest import tokenizer_digest
from tests.models.gguf_file import gguf_file


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


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ({"lacking": ["blk.0.ffn_up", "blk.0.attn_q"]}, "the weights lack 2 tensors"),
        ({"merges": ["no such"]}, "cannot be converted"),
    ],
)
def test_a_file_that_lacks_tensors_or_has_a_damaged_tokenizer_is_refused(
    tmp_path: Path, file: dict[str, Any], problem: str
) -> None:
    damaged = gguf_file(tmp_path / "damaged.gguf", **file)

    with pytest.raises(ModelProblem, match=problem) as caught:
        converted(damaged)

    assert caught.value.where == str(damaged)
    assert not list(paths.models().glob("*/config.json"))


def test_embeddings_that_are_the_output_too_are_not_missed(tmp_path: Path) -> None:
    assert (converted(gguf_file(tmp_path / "tied.gguf", ["output"])) / "config.json").is_file()
