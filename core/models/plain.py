"""A causal model run as transformers itself runs it, one prompt a call: what to measure against."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from core.models.base import Draft, Prompt, Sampling
from core.models.causal import CausalModel
from core.watch import Watch


class PlainModel:
    """Writes with `transformers.generate`, in float32 and with nothing of ours in between."""

    def __init__(self, model: Any, like: CausalModel) -> None:
        """`like` lends its tokenizer and the form of its prompts."""
        self._model = model
        self._like = like

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        seeds: Sequence[int],
        watch: Watch,
        on_text: Callable[[int, str], None] = lambda row, text: None,
    ) -> list[Draft]:
        """See `TextModel.generate`; rows are whole texts, whatever `sampling` says of their end."""
        drafts = []
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature:
            how = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
        for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            watch.check()
            tokens = self._like.tokens(prompt, sampling.max_tokens)
            torch.manual_seed(seed)
            written = self._model.generate(
                torch.tensor([tokens]),
                attention_mask=torch.ones((1, len(tokens)), dtype=torch.long),
                max_new_tokens=sampling.max_tokens,
                pad_token_id=self._like.tokenizer.pad_token_id,
                top_k=0,
                **how,
            )[0, len(tokens) :]
            text = str(self._like.tokenizer.decode(written, skip_special_tokens=True)).strip()
            drafts.append(Draft(text, len(written), len(written) < sampling.max_tokens))
            on_text(row, text)
        return drafts
