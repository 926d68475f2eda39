"""A folder becomes a ready model, or it is said in a line why it cannot."""

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    Lfm2Config,
    PreTrainedConfig,
    RecurrentGemmaConfig,
)

from core.errors import BadInput, ModelProblem
from core.models.base import Prompt, Sampling
from core.models.catalog import Kind
from core.models.causal import CausalModel
from core.models.formats import pick_device, pick_format
from core.models.load import load_text_model
from core.models.manifest import weight_files, weights_digest
from core.models.seq2seq import Seq2seqModel
from core.watch import SILENT
from tests import tiny

Spoil = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path, tiny_gpt2: Path) -> Path:
    """A model's folder of one's own, to spoil."""
    return Path(shutil.copytree(tiny_gpt2, tmp_path / "model"))


def refused(folder: Path) -> ModelProblem:
    with pytest.raises(ModelProblem) as caught:
        load_text_model(str(folder), dtype="float32")
    assert len(str(caught.value).splitlines()) <= 2
    assert str(folder) in str(caught.value)
    return caught.value


def configured(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **fields}), "utf-8")


@pytest.mark.parametrize(
    ("name", "kind", "made"),
    [
        ("tiny_gpt2", Kind.CAUSAL, CausalModel),
        ("tiny_llama", Kind.CHAT, CausalModel),
        ("tiny_t5", Kind.SEQ2SEQ, Seq2seqModel),
    ],
)
def test_the_kind_is_read_from_the_models_own_configuration(
    request: pytest.FixtureRequest, name: str, kind: Kind, made: type
) -> None:
    folder = request.getfixturevalue(name)

    model = load_text_model(str(folder), dtype="float32")

    assert isinstance(model, made)
    assert model.used.kind == kind
    assert (model.used.name, model.used.device, model.used.dtype) == (
        folder.name, "cpu", "float32",
    )  # fmt: skip
    assert model.used.digest == weights_digest(folder)


def test_a_model_with_a_chat_template_is_asked_in_chat_and_another_plainly(
    tiny_llama: Path, tmp_path: Path
) -> None:
    prompt = Prompt("You plan.", "Write to the bakers.", "Action:")
    chat = load_text_model(str(tiny_llama), dtype="float32")
    plain = load_text_model(str(tiny.llama(tmp_path / "plain", chat=False)), dtype="float32")
    assert isinstance(chat, CausalModel)
    assert isinstance(plain, CausalModel)

    assert plain.used.kind == Kind.CAUSAL
    told = [str(model.tokenizer.decode(model.tokens(prompt, 1))) for model in (chat, plain)]
    assert "<|system|>\nYou plan.</s>" in told[0]
    assert told[0].endswith("<|assistant|>\nAction:")
    assert told[1].strip() == "You plan.\n\nWrite to the bakers.\nAction:"


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_t5"])
def test_a_sentencepiece_tokenizer_cuts_text_as_sentencepiece_itself_does(
    request: pytest.FixtureRequest, name: str
) -> None:
    from sentencepiece import SentencePieceProcessor

    folder = request.getfixturevalue(name)
    model = load_text_model(str(folder), dtype="float32")
    assert isinstance(model, CausalModel | Seq2seqModel)
    (file,) = folder.glob("*.model")
    pieces = SentencePieceProcessor(model_file=str(file))

    for text in ("Write to the bakers about every fee.", "Pay LOW, never mislead"):
        assert model.tokenizer(text, add_special_tokens=False)["input_ids"] == pieces.encode(text)


@pytest.mark.parametrize("dtype", ["auto", "bfloat16", "int8"])
@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_t5"])
def test_every_weight_format_writes_and_answers(
    request: pytest.FixtureRequest, name: str, dtype: str
) -> None:
    model = load_text_model(str(request.getfixturevalue(name)), dtype=dtype)
    prompt = Prompt("You plan.", "Write to the bakers.", "Action:")

    draft = model.generate([prompt], Sampling(max_tokens=8), [1], SILENT)[0]
    chances = model.choose([prompt], ["yes", "no"], SILENT)[0]

    assert draft.tokens > 0
    assert sum(chances) == pytest.approx(1.0, abs=1e-5)


# What cannot be run


def test_a_folder_without_a_tokenizer_is_refused(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()

    problem = refused(folder)

    assert problem.problem == "there is no tokenizer"
    assert "tokenizer.json" in problem.mend


def test_a_damaged_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0", "model": 7}')

    assert "the tokenizer cannot be read" in refused(folder).problem


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scrambled(path: Path) -> None:
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [cut_short, scrambled, emptied])
def test_corrupt_safetensors_are_refused_and_the_file_is_named(folder: Path, spoil: Spoil) -> None:
    spoil(folder / "model.safetensors")

    problem = refused(folder)

    assert "the weights are damaged" in problem.problem
    assert problem.where.endswith("model.safetensors")
    assert problem.mend == "Bring the model again."


def test_weights_that_lack_a_tensor_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    problem = refused(folder)

    assert "lack 1 tensors, transformer.h.1.mlp.c_fc.weight" in problem.problem


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    configured(folder, n_embd=64)

    assert refused(folder).problem


def test_a_pickle_is_refused_and_never_read(folder: Path) -> None:
    touched = folder / "touched"
    (folder / "model.safetensors").unlink()

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path(touched).write_text, ("run",))

    torch.save({"weight": Trap()}, folder / "pytorch_model.bin")
    problem = refused(folder)

    assert "a pickle, which can run code" in problem.problem
    assert problem.where.endswith("pytorch_model.bin")
    assert not touched.exists()


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    configured(folder, model_type="nonesuch", architectures=["NonesuchForCausalLM"])

    problem = refused(folder)

    assert "this kind of model cannot be run" in problem.problem
    assert problem.where.endswith("config.json")


def test_a_known_architecture_that_writes_no_text_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))

    assert "this kind of model cannot be run" in refused(folder).problem


@pytest.mark.parametrize(
    "config",
    [
        Lfm2Config(
            vocab_size=450,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            layer_types=["conv", "full_attention"],
        ),
        RecurrentGemmaConfig(
            vocab_size=450,
            hidden_size=32,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            lru_width=32,
        ),
    ],
    ids=["hybrid", "recurrent"],
)
def test_a_model_that_keeps_other_than_keys_and_values_is_refused_at_once(
    folder: Path, config: PreTrainedConfig
) -> None:
    made: Any = AutoModelForCausalLM
    made.from_config(config).save_pretrained(folder)

    problem = refused(folder)

    assert "this kind of model cannot be run" in problem.problem
    assert "all attention" in problem.mend


@pytest.mark.parametrize("model_type", ["nonesuch", "gpt2"])
def test_remote_code_is_refused_and_never_run(folder: Path, model_type: str) -> None:
    touched = folder / "touched"
    code = f"from pathlib import Path\nPath({str(touched)!r}).write_text('run')\n"
    (folder / "own.py").write_text(code)
    configured(
        folder,
        model_type=model_type,
        auto_map={
            "AutoConfig": "own.Config",
            "AutoModelForCausalLM": "own.Model",
            "AutoTokenizer": ["own.Tokenizer", None],
        },
    )

    try:
        load_text_model(str(folder), dtype="float32")
    except ModelProblem:
        pass
    else:
        assert model_type == "gpt2", "a model that only its own code could run was loaded"

    assert not touched.exists()


@pytest.mark.parametrize("config", ["", "[]", "{", '{"model_type": 7}', "\x00"])
def test_a_configuration_that_is_none_is_refused(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)

    assert refused(folder).problem


@pytest.mark.parametrize("name", [b"caf\xe9", b"caf\xe9.gguf"])
def test_a_path_that_is_not_utf_8_is_refused(folder: Path, gguf: Path, name: bytes) -> None:
    named = folder.with_name(os.fsdecode(name))
    if named.suffix:
        shutil.copy(gguf, named)
    else:
        folder.rename(named)

    problem = refused(named)

    assert "not UTF-8" in problem.problem
    assert "Rename" in problem.mend


def test_a_folder_that_is_no_models_is_refused(tmp_path: Path, folder: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (folder / "model.safetensors").unlink()

    assert "no config.json" in refused(empty).problem
    assert "no *.safetensors" in refused(folder).problem


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "model.txt"
    text.write_text("hello")
    fake = tmp_path / "model.gguf"
    fake.write_bytes(b"GGUF" + b"\x00" * 100)

    assert "neither a model's folder nor a GGUF file" in refused(text).problem
    assert "this GGUF file cannot be converted" in refused(fake).problem


@pytest.mark.parametrize(
    ("name", "told", "mend"),
    [
        ("distilgpt2", "is not on this machine", "placet models pull distilgpt2"),
        ("someone/something", "is not on this machine", "copy its folder"),
        ("nonesuch", "there is no model 'nonesuch'", "placet models list"),
        ("./nonesuch", "there is no model './nonesuch'", "placet models list"),
    ],
)
def test_a_model_that_is_not_there_is_named_with_the_way_to_bring_it(
    name: str, told: str, mend: str
) -> None:
    with pytest.raises(ModelProblem, match=told) as caught:
        load_text_model(name)
    assert mend in caught.value.mend


# Devices and formats


def test_devices_and_formats_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BadInput, match="no device 'tpu'"):
        pick_device("tpu")
    with pytest.raises(BadInput, match="no weight format 'int4'"):
        pick_format("cpu", "int4")
    with pytest.raises(BadInput, match="int8 runs on the processor only"):
        pick_format("cuda", "int8")
    assert pick_device("cpu") == "cpu"


def test_a_device_that_this_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(BadInput, match="this machine has no cuda"):
        pick_device("cuda")


@pytest.mark.parametrize(("fast", "told"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_where_the_machine_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, told: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)

    assert pick_format("cuda", "auto") == "bfloat16"
    assert pick_format("cpu", "float32") == "float32"
    assert pick_format("cpu", "auto") == told


def test_the_digest_covers_every_weight_file_in_order(tmp_path: Path) -> None:
    for name, content in (("b.safetensors", b"two"), ("a.safetensors", b"one")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "note.txt").write_text("not weights")

    assert weights_digest(tmp_path) == sha256(b"onetwo").hexdigest()
    before = weights_digest(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(b"twp")
    assert weights_digest(tmp_path) != before


def test_weights_that_lie_there_in_another_format_too_are_not_read(tmp_path: Path) -> None:
    names = ("model-1.safetensors", "model-2.safetensors", "model.fp16.safetensors")
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": names[1], "b": names[0], "c": names[1]}}))
    assert [path.name for path in weight_files(tmp_path)] == [*names[:2]]

    (tmp_path / names[1]).unlink()
    with pytest.raises(ModelProblem, match=f"{names[1]} is missing"):
        weight_files(tmp_path)
    index.write_text("[]")
    with pytest.raises(ModelProblem, match="no files of weights"):
        weight_files(tmp_path)

    (tmp_path / "model.safetensors").touch()
    assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]
