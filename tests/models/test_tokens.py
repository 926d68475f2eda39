"""Our own tokenizer gives what that of transformers gives, or leaves it to do so."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

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
    ],
    ids=str,
)
def test_what_is_not_done_here_is_left_to_transformers(
    folder: Path, tmp_path: Path, told: dict[str, Any]
) -> None:
    assert with_files(folder, tmp_path / "same", {}) is not None
    assert with_files(folder, tmp_path / "changed", told) is None


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
