"""A causal language model, chat or plain."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from jinja2 import TemplateError

from core.errors import BadInput
from core.models.base import Draft, Prompt, Sampling
from core.models.cache import AnyModel, Prefixes, is_own
from core.models.generate import generate
from core.models.interrupt import interruptible
from core.models.score import choose
from core.models.tokens import AnyTokenizer
from core.models.trees import Node, pack
from core.session.events import ModelUsed
from core.watch import Watch


class CausalModel:
    """Prompts in, drafts and probabilities out."""

    def __init__(
        self,
        model: AnyModel,
        tokenizer: AnyTokenizer,
        used: ModelUsed,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.used = used
        self.name = used.name
        self.window = _window(model.config, tokenizer)
        self._slides = _slides(model.config, self.window)
        self._ends = _ends(model, tokenizer)
        self.forget()

    @cached_property
    def takes_trees(self) -> bool:
        """Whether the model honours positions and masks of our own."""
        return not self._slides and _takes_trees(self.model)

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """See `TextModel.generate`."""
        rows = [self.tokens(prompt, sampling.max_tokens) for prompt in prompts]
        drafts: dict[int, Draft] = {}
        with interruptible(self.model, watch):
            for group in self._alike(rows):

                def grown(place: int, text: str, group: list[int] = group) -> None:
                    on_text(group[place], text)

                found = generate(
                    self.model,
                    self._write_prefixes,
                    [rows[row] for row in group],
                    lambda ids: str(self.tokenizer.decode(list(ids), skip_special_tokens=True)),
                    self._ends,
                    sampling,
                    [seeds[row] for row in group],
                    watch,
                    grown,
                    guessing=not self._slides and (is_own(self.model) or self.takes_trees),
                )
                drafts |= dict(zip(group, found, strict=True))
        return [drafts[row] for row in range(len(rows))]

    def _alike(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """The places of rows that are read together: all, or those of one length.

        The latter where a window slides: what pads a row would take up places in it.
        """
        if not self._slides:
            return [[*range(len(rows))]]
        lengths = sorted({len(row) for row in rows})
        return [[n for n, row in enumerate(rows) if len(row) == length] for length in lengths]

    def forget(self) -> None:
        """Drops what was kept of prompts read before: the weights are others now."""
        self._write_prefixes = Prefixes(self.model)
        self._read_prefixes = Prefixes(self.model)

    def choose(
        self, prompts: Sequence[Prompt], answers: Sequence[str], watch: Watch
    ) -> list[list[float]]:
        """See `TextModel.choose`."""
        leads = {lead: self._after(lead, answers) for lead in {prompt.lead for prompt in prompts}}
        room = max(len(answer) for answers in leads.values() for answer in answers)
        rows = [self.tokens(prompt, room) for prompt in prompts]
        found: dict[int, list[float]] = {}
        with interruptible(self.model, watch):
            for group in self._alike(rows):
                for lead, tokens in leads.items():
                    same = [row for row in group if prompts[row].lead == lead]
                    if not same:
                        continue
                    some = [rows[row] for row in same]
                    told = choose(
                        self.model,
                        self._read_prefixes,
                        some,
                        tokens,
                        watch,
                        packed=self.takes_trees,
                    )
                    found |= dict(zip(same, told, strict=True))
        return [found[row] for row in range(len(rows))]

    def tokens(self, prompt: Prompt, room: int) -> list[int]:
        """The prompt as the model reads it; `BadInput` unless `room` more tokens fit."""
        tokens = self._encode(as_text(self.tokenizer, prompt))
        if len(tokens) + room > self.window:
            raise too_long(self.name, len(tokens), self.window - room)
        return tokens

    def _after(self, lead: str, answers: Sequence[str]) -> list[list[int]]:
        """Each answer as it stands behind `lead`: most vocabularies join a word and its blank."""
        before = self._encode(lead)
        whole = [self._encode(f"{lead} {answer}".strip()) for answer in answers]
        if any(tokens[: len(before)] != before for tokens in whole):  # the two are one token
            return [self._encode(answer) for answer in answers]
        return [tokens[len(before) :] for tokens in whole]

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens


def as_text(tokenizer: AnyTokenizer, prompt: Prompt) -> str:
    """The prompt as one text: in the model's chat format, if it has one."""
    system, user = inert(tokenizer, prompt.system), inert(tokenizer, prompt.user)
    both = f"{system}\n\n{user}"
    if not tokenizer.chat_template:
        first = tokenizer("a")["input_ids"][:1]  # a base model may want a token to begin with
        begin = tokenizer.bos_token if first == [tokenizer.bos_token_id] else ""
        return f"{begin}{both}\n{prompt.lead}"
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": user},
    ]
    try:
        return _in_format(tokenizer, messages) + prompt.lead
    except TemplateError:  # a format without a place for the system's text
        return _in_format(tokenizer, [{"role": "user", "content": both}]) + prompt.lead


def inert(tokenizer: AnyTokenizer, text: str) -> str:
    """`text` with a blank in each control token that is written out in it.

    Else whoever wrote the text could end the request and answer it in the model's stead.
    """
    control = _control(tokenizer, str(tokenizer.chat_template or ""))
    return control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@lru_cache(maxsize=8)
def _control(tokenizer: AnyTokenizer, template: str) -> re.Pattern[str]:
    """What is read as a control token. A chat format may use some that are not marked as such."""
    told = set(tokenizer.all_special_tokens)
    for token in tokenizer.added_tokens_decoder.values():
        name = token.content
        if token.special or (name in template and not name.isalnum()):
            told.add(name)
    names = sorted((name for name in told if len(name.strip()) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) or "(?!)")


def _in_format(tokenizer: AnyTokenizer, messages: list[dict[str, str]]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def too_long(name: str, tokens: int, room: int) -> BadInput:
    """The error for a prompt that the window cannot hold: refused, since values could be lost."""
    return BadInput(
        f"goal, context, values and action come to {tokens} tokens; {name} reads at most {room}",
        where="scenario",
        mend="Shorten goal or context, use fewer values, or choose a model that reads more.",
    )


def _window(config: Any, tokenizer: AnyTokenizer) -> int:
    told = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    return int(min(told or 2048, tokenizer.model_max_length or 10**9))


def _slides(config: Any, window: int) -> bool:
    """Whether some layers see only the last tokens of what the window holds."""
    config = config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and not any("sliding" in kind or "chunked" in kind for kind in kinds):
        return False
    spans = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return any(isinstance(span, int) and span < window for span in spans)


def _ends(model: AnyModel, tokenizer: AnyTokenizer) -> frozenset[int]:
    told: Any = getattr(model.generation_config, "eos_token_id", None)
    ends = set(told if isinstance(told, list) else [told]) | {tokenizer.eos_token_id}
    return frozenset(end for end in ends if isinstance(end, int))


@torch.inference_mode()
def _takes_trees(model: AnyModel) -> bool:
    """Whether the model honours positions and masks of our own: a small tree against plain rows.

    Models with relative, sliding or recurrent attention do not, and are read row by row.
    """
    vocabulary = int(model.config.get_text_config().vocab_size)

    def piece(*tokens: int) -> tuple[int, ...]:
        return tuple(token % vocabulary for token in tokens)

    trunk, one, other = piece(3, 5, 7, 9), piece(4, 6), piece(8, 2, 5)
    laid = pack([(Node(trunk), Node(one, 0), Node(other, 0))])
    try:
        packed = model(
            input_ids=laid.input_ids.to(model.device),
            position_ids=laid.position_ids.to(model.device),
            attention_mask=laid.mask.to(model.device),
            logits_to_keep=laid.read_at[0][:, 1].to(model.device),
            use_cache=False,
        ).logits[0]
        plain = [
            model(input_ids=torch.tensor([trunk + leaf], device=model.device), use_cache=False)
            .logits[0, -1]
            .float()
            for leaf in (piece(), one, other)
        ]
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
        return False
    found = packed.float().log_softmax(-1)
    right = torch.stack(plain).log_softmax(-1)
    return bool((found.exp() - right.exp()).abs().max() < 0.02)
