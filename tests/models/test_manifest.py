"""What was brought is what is there."""

import json
from pathlib import Path

import pytest

from core.errors import ModelProblem
from core.models.manifest import verify


def test_tampered_weights_are_noticed(pulled: Path) -> None:
    weights = pulled / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(bytes(raw))

    with pytest.raises(ModelProblem, match="not those that were brought") as caught:
        verify("someone/tiny")
    assert "placet models remove someone/tiny" in caught.value.mend


def test_a_tampered_tokenizer_is_noticed(pulled: Path) -> None:
    path = pulled / "tokenizer.json"
    table = json.loads(path.read_text("utf-8"))
    table["model"]["merges"].reverse()
    path.write_text(json.dumps(table), "utf-8")

    with pytest.raises(ModelProblem, match="tokenizer is not the one"):
        verify("someone/tiny")


def test_a_model_that_somebody_else_put_there_has_nothing_to_compare_with(
    tiny_gpt2: Path,
) -> None:
    with pytest.raises(ModelProblem, match="Placet did not bring this model"):
        verify(str(tiny_gpt2))
