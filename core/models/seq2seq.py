"""A sequence-to-sequence model: prompts go into the encoder, drafts come from the decoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.domain.text import first_whole
from core.models.base import Draft, Prompt, Sampling
from core.models.causal import inert, too_long
from core.models.generate import draw, over_all, rows_at_once
from core.models.interrupt import interruptible
from core.session.events import ModelUsed
from core.watch import Progress, Watch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Seq2seqModel:
    """Prompts in, drafts and probabilities out."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, used: ModelUsed
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.used = used
        self.name = used.name
        told = model.config
        places = getattr(told, "n_positions", None) or getattr(told, "max_position_embeddings", 0)
        self.window = int(places or 512)
        self._start = int(told.decoder_start_token_id or 0)
        heads = told.num_attention_heads
        width = getattr(told, "d_kv", None) or told.hidden_size // heads
        self._token_bytes = 2 * told.num_hidden_layers * heads * width * model.dtype.itemsize

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """See `TextModel.generate`."""
        drafts: list[Draft] = []
        row = self._token_bytes * (self.window + sampling.max_tokens)
        at_once = rows_at_once(row, self.model.device)
        for start in range(0, len(prompts), at_once):
            stop = start + at_once

            def grown(row: int, text: str, start: int = start) -> None:
                on_text(start + row, text)

            some = prompts[start:stop]
            rest = len(prompts) - start - len(some)
            whole = over_all(watch, start, rest, sampling.max_tokens, 0)
            with interruptible(self.model, watch):
                drafts += self._write(some, sampling, seeds[start:stop], whole, grown)
        return drafts

    def _write(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None],
    ) -> list[Draft]:
        encoded, mask = self._read(prompts)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        written: list[list[int]] = [[] for _ in prompts]
        nats: list[list[float]] = [[] for _ in prompts]
        texts = ["" for _ in prompts]
        finished = [False for _ in prompts]
        cache = None
        last = torch.full((len(prompts), 1), self._start, device=self.model.device)
        began = time.monotonic()
        for step in range(1, sampling.max_tokens + 1):
            watch.check()
            output = self.model(
                encoder_outputs=(encoded,),
                attention_mask=mask,
                decoder_input_ids=last,
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            tokens, chances = draw(output.logits[:, -1], sampling, generators)
            for row, (token, chance) in enumerate(zip(tokens, chances, strict=True)):
                if finished[row]:
                    continue
                nats[row].append(chance)
                if token == self.tokenizer.eos_token_id:
                    finished[row] = True
                    continue
                written[row].append(token)
                text = str(self.tokenizer.decode(written[row], skip_special_tokens=True))
                texts[row] = text.strip()
                if sampling.sentences and (whole := first_whole(text, sampling.sentences)):
                    texts[row], finished[row] = whole, True
                on_text(row, texts[row])
            rate = step * len(prompts) / max(time.monotonic() - began, 1e-6)
            left = (sampling.max_tokens - step) * len(prompts)
            watch.say(
                Progress(
                    stage="write",
                    done=step * len(prompts),
                    total=sampling.max_tokens * len(prompts),
                    tokens_per_s=rate,
                    seconds_left=left / rate,
                )
            )
            if all(finished):
                break
            last = torch.tensor(tokens, device=self.model.device)[:, None]
        return [
            Draft(text, len(tokens), done, fmean(told or [0.0]))
            for text, tokens, done, told in zip(texts, written, finished, nats, strict=True)
        ]

    @torch.inference_mode()
    def choose(
        self, prompts: Sequence[Prompt], answers: Sequence[str], watch: Watch
    ) -> list[list[float]]:
        """See `TextModel.choose`."""
        rows: list[list[float]] = []
        targets: list[list[int]] = [
            self.tokenizer(answer.strip(), add_special_tokens=False)["input_ids"]
            for answer in answers
        ]
        began = time.monotonic()
        for number, prompt in enumerate(prompts, start=1):
            watch.check()
            encoded, mask = self._read([prompt])
            likelihood = []
            for target in targets:
                logits = self.model(
                    encoder_outputs=(encoded,),
                    attention_mask=mask,
                    decoder_input_ids=torch.tensor(
                        [[self._start, *target[:-1]]], device=self.model.device
                    ),
                ).logits[0]
                chances = logits.float().log_softmax(-1)
                likelihood.append(sum(chances[place, token] for place, token in enumerate(target)))
            rows.append([float(chance) for chance in torch.tensor(likelihood).softmax(0)])
            each = (time.monotonic() - began) / number
            watch.say(
                Progress(
                    stage="read",
                    done=number,
                    total=len(prompts),
                    tokens_per_s=int(mask.sum()) / max(each, 1e-6),
                    seconds_left=each * (len(prompts) - number),
                )
            )
        return rows

    def _read(self, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Encoder states [rows, tokens, width] and mask [rows, tokens]."""
        texts = [
            inert(self.tokenizer, f"{prompt.system}\n\n{prompt.user}\n{prompt.lead}".strip())
            for prompt in prompts
        ]
        inputs = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.model.device)
        if inputs["input_ids"].shape[1] > self.window:
            raise too_long(self.name, int(inputs["input_ids"].shape[1]), self.window)
        encoded = self.model.get_encoder()(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        )[0]
        return encoded, inputs["attention_mask"]
