"""Batched decoding over one shared prefix.

What all prompts begin with is read once; its keys and values are kept until the text changes, and
expanded over the rows. Each row draws from a generator of its own, so its text does not depend on
its neighbours. Rows that are finished leave the batch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from core.domain.text import first_sentences
from core.models.base import Draft, Sampling
from core.models.cache import Prefixes, RoomyLayer, common_prefix, layers_of, rows_upon
from core.models.fused import is_fused
from core.watch import Progress, Watch

ROWS_AT_ONCE = 32
"""Rows in one batch: more gain little on a processor and cost memory."""

NUCLEUS = 64
"""Tokens looked at first when the nucleus is cut."""

Decode = Callable[[Sequence[int]], str]


@dataclass
class _Row:
    """A text being written."""

    index: int
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finished: bool = False


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    prefixes: Prefixes,
    prompts: Sequence[Sequence[int]],
    decode: Decode,
    ends: frozenset[int],
    sampling: Sampling,
    seeds: Sequence[int],
    watch: Watch,
    on_text: Callable[[int, str], None],
) -> list[Draft]:
    """A draft for each prompt (token ids, at least one), longest prompts together.

    Raises `Cancelled` between two tokens.
    """
    drafts: list[Draft | None] = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = [
            _Row(index, torch.Generator().manual_seed(seeds[index]))
            for index in order[start : start + ROWS_AT_ONCE]
        ]
        _write(model, prefixes, prompts, list(rows), decode, ends, sampling, watch, on_text)
        for row in rows:
            drafts[row.index] = Draft(row.text, len(row.tokens), row.finished)
    return [draft for draft in drafts if draft is not None]


def _write(
    model: PreTrainedModel,
    prefixes: Prefixes,
    prompts: Sequence[Sequence[int]],
    rows: list[_Row],
    decode: Decode,
    ends: frozenset[int],
    sampling: Sampling,
    watch: Watch,
    on_text: Callable[[int, str], None],
) -> None:
    began = time.monotonic()
    total = len(rows) * sampling.max_tokens
    written = 0
    logits, cache, mask, position = read(model, prefixes, [prompts[row.index] for row in rows])
    while rows:
        watch.check()
        tokens = draw(logits, sampling, [row.generator for row in rows])
        for row, token in zip(rows, tokens, strict=True):
            _extend(row, token, decode, ends, sampling)
            on_text(row.index, row.text)
        written += len(rows)
        rate = written / max(time.monotonic() - began, 1e-6)
        watch.say(
            Progress(
                stage="write",
                done=written,
                total=total,
                tokens_done=written,
                tokens_per_s=rate,
                seconds_left=(sampling.max_tokens - len(rows[0].tokens)) * len(rows) / rate,
            )
        )
        going = [
            place
            for place, row in enumerate(rows)
            if not row.finished and len(row.tokens) < sampling.max_tokens
        ]
        if len(going) < len(rows):
            if not going:
                return
            chosen = torch.tensor(going, device=mask.device)
            cache.batch_select_indices(chosen)
            mask, position = mask[chosen], position[chosen]
            rows, tokens = [rows[place] for place in going], [tokens[place] for place in going]
        mask = torch.cat([mask, mask.new_ones((len(rows), 1))], dim=1)
        logits = model(
            input_ids=torch.tensor(tokens, device=mask.device)[:, None],
            attention_mask=mask,
            position_ids=position[:, None],
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        position = position + 1


def read(
    model: PreTrainedModel, prefixes: Prefixes, prompts: Sequence[Sequence[int]]
) -> tuple[Tensor, DynamicCache, Tensor, Tensor]:
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
    model: PreTrainedModel, prefixes: Prefixes, prompts: Sequence[Sequence[int]]
) -> tuple[Tensor, DynamicCache, Tensor, Tensor]:
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
    cache = rows_upon(layers, len(rest), shared=is_fused(model))
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
    if not shared:
        cache.layers = [RoomyLayer(keys, values) for keys, values in layers_of(cache)]
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
    if sampling.sentences and (
        whole := first_sentences(text.lstrip(), sampling.sentences, open_ended=True)
    ):
        row.text, row.finished = whole, True


def draw(logits: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> list[int]:
    """One token a row from logits [rows, vocabulary]: temperature, the nucleus, then a draw.

    The same draw as `transformers` makes for one row with the same generator, which divides every
    chance by a number of an exponential distribution and takes the largest. But the vocabulary is
    not sorted, since the nucleus nearly always lies within the top tokens; and of the exponential
    numbers, -log(1 - u) with u uniform, only those within the nucleus are computed.
    """
    logits = logits.float().cpu()
    if sampling.temperature == 0.0:
        return [int(token) for token in logits.argmax(-1)]
    logits = logits / sampling.temperature
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
    return [int(token) for token in places.gather(1, drawn[:, None])[:, 0]]
