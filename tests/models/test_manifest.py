"""What was brought is what is there."""

import json
import shutil
from pathlib import Path

import pytest

from core.errors import ModelProblem
from core.models import manifest
from core.models.manifest import sha256, verify, weight_files, weights_digest
from core.models.transfer import unsaid


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


def test_a_record_is_believed_of_a_model_that_was_brought_and_is_as_it_was(
    pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = weights_digest(pulled)
    with monkeypatch.context() as patch:
        patch.setattr(manifest, "sha256", None)
        assert weights_digest(pulled) == recorded

    tuned = Path(shutil.copytree(pulled, tmp_path / "tuned"))
    for folder in (tuned, pulled):
        with (folder / "model.safetensors").open("ab") as weights:
            weights.write(b"tuned")
        assert weights_digest(folder) == sha256(weight_files(folder), unsaid) != recorded
