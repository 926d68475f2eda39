"""Bringing a model and taking it away: whole or not at all, once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import paths
from core.errors import BadInput, ModelProblem, PlacetError
from core.models import catalog
from core.models.fetch import pull, remove
from core.models.load import load_text_model
from core.models.manifest import verify
from tests.models.fake_pip import FakePip, litter


@pytest.mark.parametrize("name", ["none.gguf", "none.whl", "none"])
def test_a_source_that_is_not_there_is_named(default: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlacetError, match="there is no such file") as caught:
        pull(catalog.DEFAULT, source=tmp_path / name)

    assert caught.value.where == str(tmp_path / name)


def test_a_folder_carried_here_by_hand_is_copied_without_its_pickles(
    tmp_path: Path, tiny_gpt2: Path
) -> None:
    source = shutil.copytree(tiny_gpt2, tmp_path / "source")
    (source / "pytorch_model.bin").write_bytes(b"pickle")

    folder = pull("someone/tiny", source=source)

    assert folder == paths.models() / "someone--tiny"
    assert not list(folder.glob("*.bin"))
    assert load_text_model("someone/tiny", dtype="float32").used.digest == verify("someone/tiny")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path, tiny_gpt2: Path) -> None:
    source = Path(shutil.copytree(tiny_gpt2, tmp_path / "source"))
    (source / "model.safetensors").unlink()

    with pytest.raises(ModelProblem, match=r"no \*\.safetensors"):
        pull("someone/tiny", source=source)

    assert not catalog.on_disk("someone/tiny")
    assert litter() == []


def test_a_hub_that_cannot_be_reached_is_told_of_with_the_way_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip(tmp_path, monkeypatch)
    pip.script.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'OSError: no network' >&2\nexit 1")

    with pytest.raises(ModelProblem) as caught:
        pull("distilgpt2")

    assert "distilgpt2 could not be fetched (OSError: no network)" in caught.value.problem
    assert "placet models pull distilgpt2 --from FOLDER" in caught.value.mend
    assert not catalog.on_disk("distilgpt2")


def test_a_hub_client_that_says_a_lot_does_not_hold_up_the_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip(tmp_path, monkeypatch)
    pip.script.write_text(
        "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' 'x' >&2\n"
        "echo >&2\necho 'the end' >&2\nexit 1"
    )

    with pytest.raises(ModelProblem, match=r"could not be fetched \(the end\)"):
        pull("distilgpt2")


@pytest.mark.parametrize("name", ["nonesuch", "a/b/c", "echo", ""])
def test_a_name_that_stands_for_no_model_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        pull(name)


def test_two_processes_at_once_bring_a_model_once(tmp_path: Path, tiny_gpt2: Path) -> None:
    log = tmp_path / "copies"
    script = Path(__file__).with_name("pulling.py")
    both = [
        subprocess.Popen(
            [sys.executable, str(script), str(tiny_gpt2), str(log)], env=dict(os.environ)
        )
        for _ in range(2)
    ]

    assert [process.wait(timeout=90) for process in both] == [0, 0]
    assert log.read_text() == "copied\n"
    assert log.with_suffix(".waiting").exists()
    assert catalog.on_disk("someone/tiny")


def test_a_removed_model_is_gone_and_can_be_brought_again(pulled: Path, tiny_gpt2: Path) -> None:
    assert remove("someone/tiny") == pulled

    assert not catalog.on_disk("someone/tiny")
    assert litter() == []
    assert pull("someone/tiny", source=tiny_gpt2) == pulled


@pytest.mark.parametrize("name", ["someone/else", "", ".", "..", "../..", "echo"])
def test_only_pulled_models_can_be_removed(pulled: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not among the pulled models"):
        remove(name)

    assert catalog.on_disk("someone/tiny")


def test_only_whole_models_are_listed(pulled: Path) -> None:
    shutil.copytree(pulled, pulled.with_name(".other.half"))

    assert catalog.pulled() == ["someone--tiny"]
