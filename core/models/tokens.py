"""A tokenizer from its own file, without transformers.

For those whose tokenizer.json says all there is to say. The names are those of transformers'
tokenizers, which stand in for the others (`core.models.foreign`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

AnyTokenizer: TypeAlias = "Tokens | PreTrainedTokenizerBase"

_WHOLE = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Classes that take tokenizer.json as it is; others build something of their own upon it."""

_NAMED = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)

_KNOWN = {
    *_NAMED,
    "additional_special_tokens",
    "backend",
    "chat_template",
    "extra_special_tokens",
    "is_local",
    "local_files_only",
    "model_max_length",
    "padding_side",
    "processor_class",
    "tokenizer_class",
    "truncation_side",
}
"""What tokenizer_config.json may say; anything else could change what the other file says."""

_OTHERS = ("added_tokens.json", "special_tokens_map.json", "additional_chat_templates")
"""Files in older forms, which change it too."""

_FOREIGN = re.compile("strftime_now|tojson|dict|namespace")
"""What transformers has of its own in the world of chat templates."""

_LARGEST = 100_000
"""Tokens in a vocabulary. Among the larger ones are some that transformers mends."""

_UNBOUNDED = 10**30
"""What stands for no bound of a text's length."""


class Tokens:
    """Text → token ids, and back."""

    def __init__(self, folder: Path) -> None:
        """`ValueError` where the files in `folder` ask for more than is done here."""
        self._backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        told = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        self._names = {name: _name(told[name]) for name in _NAMED if told.get(name)}
        self.bos_token, self.eos_token = map(self._names.get, ("bos_token", "eos_token"))
        self.bos_token_id, self.eos_token_id, self.pad_token_id = (
            self._backend.token_to_id(name or "")
            for name in (
                self.bos_token,
                self.eos_token,
                self._names.get("pad_token", self.eos_token),
            )
        )
        more = told.get("extra_special_tokens") or told.get("additional_special_tokens") or []
        self.all_special_tokens = [*dict.fromkeys([*self._names.values(), *map(_name, more)])]
        self.added_tokens_decoder: dict[int, AddedToken] = self._backend.get_added_tokens_decoder()
        self.model_max_length = int(told.get("model_max_length") or _UNBOUNDED)
        path = folder / "chat_template.jinja"
        own = told.get("chat_template")
        self.chat_template: str | None = path.read_text("utf-8") if path.is_file() else own
        self._template = _template(self.chat_template)
        special = {token.content for token in self.added_tokens_decoder.values() if token.special}
        backend: Any = self._backend
        if (
            told.get("tokenizer_class") not in _WHOLE
            or not _KNOWN.issuperset(told)
            or not isinstance(more, list)
            or not special.issuperset(self.all_special_tokens)
            or backend.truncation
            or backend.padding
            or self._backend.get_vocab_size() > _LARGEST
            or any((folder / name).exists() for name in _OTHERS)
            or _FOREIGN.search(self.chat_template or "")
        ):
            raise ValueError("this tokenizer needs transformers")

    def __call__(
        self, text: str, add_special_tokens: bool = True, split_special_tokens: bool = False
    ) -> dict[str, list[int]]:
        """Token ids under `input_ids`; with `split_special_tokens` such a token is text."""
        self._backend.encode_special_tokens = split_special_tokens
        return {"input_ids": self._backend.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of these tokens."""
        text: str = self._backend.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text

    def apply_chat_template(
        self,
        messages: list[dict[str, str]],
        tokenize: bool = False,
        add_generation_prompt: bool = False,
    ) -> str:
        """Messages of `role` and `content` in the model's format; `TemplateError` if it refuses."""
        assert self._template and not tokenize
        return self._template.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **self._names,
        )


def own_tokenizer(folder: Path) -> Tokens | None:
    """The tokenizer in `folder`; None where transformers is needed, or to say what is wrong."""
    try:
        return Tokens(folder)
    except Exception:  # tokenizers raises bare Exception where a file is missing or damaged
        return None


def _name(told: str | dict[str, Any]) -> str:
    return told if isinstance(told, str) else str(told["content"])


def _template(text: str | None) -> Template | None:
    """A chat template as transformers reads it: model files are data, so in a sandbox."""
    if text is None:
        return None
    world = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    world.globals["raise_exception"] = _refuse
    return world.from_string(text)


def _refuse(message: str) -> None:
    raise TemplateError(message)
