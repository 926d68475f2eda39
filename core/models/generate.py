"""Batched decoding over one shared prefix, several tokens at a time where they can be guessed.

What all prompts begin with is read once; its keys and values are kept until the text changes, and
expanded over the rows. Each row draws from a generator of its own, so its text does not depend on
its neighbours. Rows that are finished leave the batch.

A step reads each row's last token and guesses at the next ones together, and the row goes on
through them as long as its own draws agree: speculative decoding (Leviathan et al. 2023), with the
draw to decide instead of a ratio of chances. So the text is the one of plain decoding.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor

from core.domain.text import first_whole
from core.models.base import Draft, Sampling
from core.models.cache import AnyModel, Prefixes, common_prefix, is_own, layers_of, rows_upon
from core.models.lookup import Lookup
from core.models.machine import free_bytes
from core.watch import AnyNote, Progress, Watch

ROWS_AT_ONCE = 32
"""Rows in one batch at most: more gain little on a processor."""

MEMORY = 0.5
"""Share of the memory that is free that keys and values may take."""

PLACES = 16
"""Tokens read in a step, all rows together: up to about so many cost little more than one each."""

GUESSES = 5
"""Guesses a row at most."""

NUCLEUS = 64
"""Tokens looked at first when the nucleus is cut."""

Decode = Callable[[Sequence[int]], str]


@dataclass
class _Row:
    """A text being written."""

    index: int
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    nats: list[float] = field(default_factory=list)
    """Log-probability of each token, and of the one that ends the text."""
    text: str = ""
    finished: bool = False

    @property
    def draft(self) -> Draft:
        """What has been written."""
        return Draft(self.text, len(self.tokens), self.finished, fmean(self.nats or [0.0]))


@torch.inference_mode()
def generate(
    model: AnyModel,
    prefixes: Prefixes,
    prompts: Sequence[Sequence[int]],
    decode: Decode,
    ends: frozenset[int],
    sampling: Sampling,
    seeds: Sequence[int],
    watch: Watch,
    on_text: Callable[[int, str], None],
    *,
    guessing: bool = True,
) -> list[Draft]:
    """A draft for each prompt (token ids, at least one), longest prompts together.

    `guessing` is for models that honour positions and masks of our own: a wrong guess stays in the
    cache, unseen.

    Raises `Cancelled` between two tokens.
    """
    drafts: list[Draft | None] = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    if not order:
        return []
    at_once = rows_at_once(_row_bytes(model, prefixes, prompts, sampling.max_tokens), model.device)
    written = 0
    for start in range(0, len(order), at_once):
        rows = [
            _Row(index, torch.Generator().manual_seed(seeds[index]))
            for index in order[start : start + at_once]
        ]
        rest = len(order) - start - len(rows)
        whole = over_all(watch, start, rest, sampling.max_tokens, written)
        told = (decode, ends, sampling, whole, on_text)
        _write(model, prefixes, prompts, list(rows), *told, GUESSES if guessing else 0)
        for row in rows:
            drafts[row.index] = row.draft
            written += len(row.tokens)
    return [draft for draft in drafts if draft is not None]


def rows_at_once(row_bytes: int, device: torch.device) -> int:
    """How many rows whose keys and values take so much the memory has room for, at least 1."""
    room = int(MEMORY * free_bytes(device)) // max(row_bytes, 1)
    return max(1, min(ROWS_AT_ONCE, room))


def _row_bytes(
    model: AnyModel, prefixes: Prefixes, prompts: Sequence[Sequence[int]], more: int
) -> int:
    """What keys and values of the longest prompt and `more` tokens take in a row of their own.

    By those of the common prefix, or of one token: no config tells it of every kind of model.
    """
    shared = common_prefix(prompts)
    read = max(1, min(shared, min(map(len, prompts)) - 1))
    layers = prefixes.layers(tuple(prompts[0][:read]))
    held = sum(keys.nbytes + values.nbytes for keys, values in layers)
    tokens = max(map(len, prompts)) + more - (read if is_own(model) else 0)
    return held * tokens // read


def over_all(watch: Watch, before: int, rest: int, most: int, written: int) -> Watch:
    """A watch for some rows, whose progress is told as that of all.

    `before` rows of at most `most` tokens are finished, with `written` tokens; `rest` not begun.
    """

    def say(note: AnyNote) -> None:
        if isinstance(note, Progress):
            note = replace(
                note,
                done=before * most + note.done,
                total=(before + rest) * most + note.total,
                tokens_done=written + note.tokens_done,
                seconds_left=note.seconds_left + rest * most / max(note.tokens_per_s, 1e-6),
            )
        watch.say(note)

    return Watch(say, watch.is_cancelled)


def _write(
    model: AnyModel,
    prefixes: Prefixes,
    prompts: Sequence[Sequence[int]],
    rows: list[_Row],
    decode: Decode,
    ends: frozenset[int],
    sampling: Sampling,
    watch: Watch,
    on_text: Callable[[int, str], None],
    most: int,
) -> None:
    began = time.monotonic()
    total = len(rows) * sampling.max_tokens
    written = 0
    asked = [prompts[row.index] for row in rows]
    lookup = Lookup()
    for prompt in dict.fromkeys(map(tuple, asked)):
        lookup.learn(prompt)
    first, cache, mask, position = read(model, prefixes, asked)
    logits, guesses = first[:, None], [list[int]() for _ in rows]
    while True:
        watch.check()
        drawn, nats = _drawn(logits, guesses, sampling, [row.generator for row in rows])
        for row, tokens, chances in zip(rows, drawn, nats, strict=True):
            before = len(row.tokens)
            for token, chance in zip(tokens, chances, strict=True):
                if not _over(row, sampling):
                    row.nats.append(chance)
                    _extend(row, token, decode, ends, sampling)
            on_text(row.index, row.text)
            lookup.learn([*prompts[row.index][-2:], *row.tokens], 2 + before)
            written += len(row.tokens) - before
        rate = written / max(time.monotonic() - began, 1e-6)
        left = sampling.max_tokens - max(len(row.tokens) for row in rows)
        watch.say(
            Progress(
                stage="write",
                done=written,
                total=total,
                tokens_done=written,
                tokens_per_s=rate,
                seconds_left=left * len(rows) / max(rate, 1e-6),
            )
        )
        going = [place for place, row in enumerate(rows) if not _over(row, sampling)]
        if not going:
            return
        right = torch.tensor([len(tokens) - 1 for tokens in drawn], device=mask.device)
        guessed = max(map(len, guesses))
        if guessed:  # what was wrong stays in the cache, and nobody sees it from now on
            mask[:, -guessed:] = torch.arange(guessed, device=mask.device) < right[:, None]
        position = position + right
        if len(going) < len(rows):
            going = _moved_up(going)
            chosen = torch.tensor(going, device=mask.device)
            cache.batch_select_indices(chosen)
            mask, position = mask[chosen], position[chosen]
            rows = [rows[place] for place in going]
        count = min(most, PLACES // len(rows) - 1)
        guesses = [
            lookup.guess(
                [*prompts[row.index][-1:], *row.tokens],
                min(count, sampling.max_tokens - len(row.tokens) - 1),
            )
            for row in rows
        ]
        width = 1 + max(map(len, guesses))
        fed = torch.zeros((len(rows), width), dtype=torch.long)
        for place, (row, guess) in enumerate(zip(rows, guesses, strict=True)):
            fed[place, : 1 + len(guess)] = torch.tensor([row.tokens[-1], *guess])
        fed = fed.to(mask.device)
        mask = torch.cat([mask, torch.ones_like(fed)], dim=1)
        logits = model(
            input_ids=fed,
            attention_mask=mask,
            position_ids=position[:, None] + torch.arange(width, device=mask.device),
            past_key_values=cache,
            use_cache=True,
        ).logits
        position = position + 1


def _drawn(
    logits: Tensor,
    guesses: Sequence[Sequence[int]],
    sampling: Sampling,
    generators: Sequence[torch.Generator],
) -> tuple[list[list[int]], list[list[float]]]:
    """The tokens that each row draws from its logits [rows, places, vocabulary], and their nats.

    One, and another for each guess that the one before turns out to be.
    """
    found: list[list[int]] = [[] for _ in guesses]
    nats: list[list[float]] = [[] for _ in guesses]
    going = list(range(len(guesses)))
    for place in range(logits.shape[1]):
        drawn = draw(logits[going, place], sampling, [generators[row] for row in going])
        for row, token, chance in zip(going, *drawn, strict=True):
            found[row].append(token)
            nats[row].append(chance)
        going = [row for row in going if found[row] == list(guesses[row][: place + 1])]
        if not going:
            break
    return found, nats


def _moved_up(going: Sequence[int]) -> list[int]:
    """The same rows, the last ones in the places of those that left, so that few are copied."""
    count = len(going)
    late = iter([row for row in going if row >= count])
    staying = set(going)
    return [place if place in staying else next(late) for place in range(count)]


def _over(row: _Row, sampling: Sampling) -> bool:
    return row.finished or len(row.tokens) >= sampling.max_tokens


def read(
    model: AnyModel, prefixes: Prefixes, prompts: Sequence[Sequence[int]]
) -> tuple[Tensor, Any, Tensor, Tensor]:
    """Reads the prompts over their common prefix, each that stands there twice once.

    Gives the next token's logits [rows, vocabulary], the cache, the mask [rows, cached tokens] and
    each row's next position [rows].
    """
    unique = list(dict.fromkeys(tuple(prompt) for prompt in prompts))
    logits, cache, mask, position = _read_unique(model, prefixes, unique)
    if len(unique) < len(prompts):
        known = {prompt: place for place, prompt in enumerate(unique)}
        rows = torch.tensor([known[tuple(prompt)] for prompt in prompts], device=mask.device)
        cache.batch_select_indices(rows)
        logits, mask, position = logits[rows], mask[rows], position[rows]
    return logits, cache, mask, position


def _read_unique(
    model: AnyModel, prefixes: Prefixes, prompts: Sequence[Sequence[int]]
) -> tuple[Tensor, Any, Tensor, Tensor]:
    """As `read`, row by row. Shorter prompts are padded between prefix and rest."""
    shared = min(common_prefix(prompts), min(len(prompt) for prompt in prompts) - 1)
    rest = [list(prompt[shared:]) for prompt in prompts]
    width = max(len(row) for row in rest)
    device = model.device
    ids = torch.zeros((len(rest), width), dtype=torch.long, device=device)
    seen = torch.zeros((len(rest), width), dtype=torch.long, device=device)
    for index, row in enumerate(rest):
        ids[index, width - len(row) :] = torch.tensor(row, device=device)
        seen[index, width - len(row) :] = 1
    layers = prefixes.layers(tuple(prompts[0][:shared])) if shared else ()
    cache = rows_upon(layers, len(rest), model)
    mask = torch.cat([seen.new_ones((len(rest), shared)), seen], dim=1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    if not shared and not is_own(model):
        cache = rows_upon(layers_of(cache), len(rest), model)
    return logits, cache, mask, positions[:, -1] + 1


def _extend(
    row: _Row, token: int, decode: Decode, ends: frozenset[int], sampling: Sampling
) -> None:
    if token in ends:
        row.finished = True
        return
    row.tokens.append(token)
    text = decode(row.tokens)
    row.text = text.strip()
    if sampling.one_line and "\n" in text.lstrip():
        row.text, row.finished = text.lstrip().split("\n", 1)[0].strip(), True
    if sampling.sentences and (whole := first_whole(text, sampling.sentences)):
        row.text, row.finished = whole, True


def draw(
    logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]
) -> tuple[list[int], list[float]]:
    """One token a row from logits [rows, vocabulary]: temperature, the nucleus, then a draw.

    Beside the tokens stand their log-probabilities under the model, whatever the sampling.

    The same draw as `transformers` makes for one row with the same generator, which divides every
    chance by a number of an exponential distribution and takes the largest. But the vocabulary is
    not sorted, since the nucleus nearly always lies within the top tokens; and of the exponential
    numbers, -log(1 - u) with u uniform, only those within the nucleus are computed.
    """
    plain = logits.float().cpu()
    whole = plain.logsumexp(-1, keepdim=True)

    def told(tokens: Tensor) -> tuple[list[int], list[float]]:
        return tokens[:, 0].tolist(), (plain.gather(1, tokens) - whole)[:, 0].tolist()

    if sampling.temperature == 0.0:
        return told(plain.argmax(-1, keepdim=True))
    logits = plain / sampling.temperature
    vocabulary = logits.shape[1]
    total = logits.logsumexp(-1, keepdim=True)
    count = min(NUCLEUS, vocabulary)
    while True:
        top, places = logits.topk(count)
        chances = (top - total).exp()
        reached = chances.cumsum(-1)
        if count == vocabulary or float(reached[:, -1].min()) > sampling.top_p:
            break
        count = min(count * 8, vocabulary)
    kept = (reached - chances) < sampling.top_p
    kept[:, 0] = True
    uniform = torch.empty(vocabulary, dtype=torch.float64)
    noise = torch.stack(
        [uniform.uniform_(generator=one)[row] for one, row in zip(generators, places, strict=True)]
    )
    drawn = torch.where(kept, chances / noise.neg_().log1p_().neg_(), 0.0).argmax(-1)
    return told(places.gather(1, drawn[:, None]))
