"""Our own tokenizer gives what that of transformers gives, or leaves it to do so."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from core.models import tokens
from core.models.tokens import Tokens, own_tokenizer
from tests.tiny import CHAT_TEMPLATE, gpt2, llama, t5

SPECIAL = ("<|endoftext|>", "<|user|>", "<|end|>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of chats, as transformers saves it."""
    folder = tmp_path_factory.mktemp("tokens")
    made: Any = PreTrainedTokenizerFast.from_pretrained(gpt2(folder / "model"))
    made.add_special_tokens(
        {
            "bos_token": SPECIAL[0],
            "pad_token": SPECIAL[2],
            "additional_special_tokens": [SPECIAL[1]],
        }
    )
    made.add_tokens(["fees and fees"])
    made.chat_template = CHAT_TEMPLATE
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Tokens, Any]:
    """The same one twice: ours, and that of transformers."""
    own = own_tokenizer(folder)
    assert own is not None
    return own, AutoTokenizer.from_pretrained(folder)


PIECES = st.one_of(st.sampled_from([*SPECIAL, " the fees", "\n\n", "  "]), st.text(max_size=12))


@given(st.lists(PIECES, max_size=8).map("".join))
def test_every_text_becomes_the_same_tokens(both: tuple[Tokens, Any], text: str) -> None:
    own, theirs = both

    for how in (
        {},
        {"add_special_tokens": False},
        {"add_special_tokens": False, "split_special_tokens": True},
    ):
        ids = own(text, **how)["input_ids"]
        assert ids == theirs(text, **how)["input_ids"]
        for skip in (True, False):
            assert own.decode(ids, skip_special_tokens=skip) == theirs.decode(
                ids, skip_special_tokens=skip
            )


def test_what_else_is_asked_of_it_is_the_same(both: tuple[Tokens, Any]) -> None:
    own, theirs = both

    for name in ("bos_token", "bos_token_id", "eos_token_id", "pad_token_id", "chat_template"):
        assert getattr(own, name) == getattr(theirs, name), name
    assert set(own.all_special_tokens) == set(theirs.all_special_tokens)
    assert own.model_max_length == theirs.model_max_length
    assert str(own.added_tokens_decoder) == str(theirs.added_tokens_decoder)


@pytest.mark.parametrize("begun", [True, False])
def test_a_chat_is_laid_out_alike(both: tuple[Tokens, Any], begun: bool) -> None:
    messages = [{"role": "system", "content": "{{ 1 + 1 }}"}, {"role": "user", "content": " x\n"}]

    own, theirs = (
        one.apply_chat_template(messages, tokenize=False, add_generation_prompt=begun)
        for one in both
    )

    assert own == theirs


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no system') }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_chat_format_can_refuse_but_reach_nothing(folder: Path, template: str) -> None:
    """Model files are data: a template runs in a sandbox."""
    own = with_files(folder, folder.parent / "other", {"chat_template": template})
    assert own is not None

    with pytest.raises(TemplateError):
        own.apply_chat_template([{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "told",
    [
        {"tokenizer_class": "LlamaTokenizer"},
        {"tokenizer_class": None},
        {"add_bos_token": True},
        {"split_special_tokens": True},
        {"eos_token": "</nowhere>"},
        {"chat_template": {"default": "x"}},
        {"chat_template": "{% if %}"},
        {"chat_template": [{"name": "default", "template": "x"}]},
        {"chat_template": "{{ strftime_now('%Y') }}"},
        {"chat_template": "{{ messages | tojson }}"},
        {"chat_template": "{% set all = namespace(_x=1) %}"},
        {"user_token": "<|user|>"},
        {"extra_special_tokens": {"user_token": "<|user|>"}},
        {"added_tokens_decoder": {"400": {"content": "<|new|>", "special": True}}},
        {"max_len": 77},
        {"clean_up_tokenization_spaces": True},
    ],
    ids=str,
)
def test_what_is_not_done_here_is_left_to_transformers(
    folder: Path, tmp_path: Path, told: dict[str, Any]
) -> None:
    assert with_files(folder, tmp_path / "same", {}) is not None
    assert with_files(folder, tmp_path / "changed", told) is None


@pytest.mark.parametrize(
    "name", ["added_tokens.json", "special_tokens_map.json", "additional_chat_templates"]
)
def test_files_of_older_forms_are_left_to_transformers(
    folder: Path, tmp_path: Path, name: str
) -> None:
    assert with_files(folder, tmp_path, {}) is not None
    (tmp_path / name).mkdir()

    assert own_tokenizer(tmp_path) is None


def test_a_large_vocabulary_is_left_to_transformers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_LARGEST", 300)

    assert own_tokenizer(folder) is None


@pytest.mark.parametrize("how", ["truncation", "padding"])
def test_a_tokenizer_that_cuts_or_fills_is_left_to_transformers(
    folder: Path, tmp_path: Path, how: str
) -> None:
    assert with_files(folder, tmp_path, {}) is not None
    backend = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    backend.enable_truncation(5) if how == "truncation" else backend.enable_padding()
    backend.save(str(tmp_path / "tokenizer.json"))

    assert own_tokenizer(tmp_path) is None


def test_the_chat_format_in_a_file_of_its_own_counts(folder: Path, tmp_path: Path) -> None:
    with_files(folder, tmp_path, {})
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}!", "utf-8")
    own, theirs = own_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    said = [{"role": "user", "content": "x"}]

    assert own is not None
    assert own.apply_chat_template(said) == "x!"
    assert theirs.apply_chat_template(said, tokenize=False) == "x!"


@pytest.mark.parametrize("make", [llama, t5])
def test_a_sentencepiece_tokenizer_is_left_to_transformers(tmp_path: Path, make: Any) -> None:
    assert own_tokenizer(make(tmp_path)) is None


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_are_left_to_transformers(folder: Path, tmp_path: Path, name: str) -> None:
    with_files(folder, tmp_path, {})
    whole = (tmp_path / name).read_bytes()
    for damaged in (b"", b"{}", b"[1]", whole[:-9], b"\xff" + whole):
        (tmp_path / name).write_bytes(damaged)
        assert own_tokenizer(tmp_path) is None


def with_files(folder: Path, other: Path, told: dict[str, Any]) -> Tokens | None:
    """The tokenizer of `folder` in `other`, with these changes to what tokenizer_config.json says.

    The chat format is put there too.
    """
    other.mkdir(exist_ok=True)
    (other / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (other / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": CHAT_TEMPLATE, **config, **told}), "utf-8"
    )
    return own_tokenizer(other)
