"""Answers of many speakers to many questions, written in batches and kept as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.files import write_whole
from core.models.base import Draft, Prompt, Sampling
from core.stages import prompts
from core.stages.propose import action_in, usable
from core.training.data import rows
from core.watch import SILENT, Watch

BATCH = 32

Write = Callable[[Sequence[Prompt], Sampling, Sequence[int], Watch], Sequence[Draft]]
"""A speaker: prompts and seeds → drafts."""

Told = Callable[[str, int, int], None]
"""Who is speaking, how many answers there are, and how many there will be."""


def answer_all(
    speakers: Mapping[str, Write],
    questions: Sequence[str],
    sampling: Sampling,
    seed: int,
    *,
    samples: int = 1,
    keep: Path | None = None,
    tell: Told = lambda who, done, of: None,
    watch: Watch = SILENT,
) -> dict[str, list[list[str]]]:
    """So many `samples` a question of each speaker, in order; empty where one said nothing.

    With `keep` the answers are kept in a file as they come, and those that it holds for the same
    speaker and question are not asked for again. Raises `Cancelled`.
    """
    known = _read(keep) if keep else {}
    for who, write in speakers.items():
        missing = [one for one in questions if len(known.get((who, one), ())) < samples]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            many = [(one, number) for one in batch for number in range(samples)]
            asked = [prompts.advice(one) for one, _ in many]
            seeds = [
                seed * 1_000_003 + 7_919 * number + questions.index(one) for one, number in many
            ]
            drafts = iter(write(asked, sampling, seeds, watch))
            for one in batch:
                known[who, one] = [text_of(next(drafts), one) for _ in range(samples)]
            tell(who, start + len(batch), len(missing))
            if keep:
                _write(keep, known)
    return {who: [known[who, one][:samples] for one in questions] for who in speakers}


def text_of(draft: Draft, question: str) -> str:
    """What a speaker said: as the product would use it, or as it stands where it would not."""
    return usable(draft, question, ())[0] or action_in(draft.text) or draft.text.strip()


def _read(path: Path) -> dict[tuple[str, str], list[str]]:
    found = rows(path) if path.exists() else ()
    return {(row["who"], row["question"]): row["answers"] for row in found}


def _write(path: Path, known: Mapping[tuple[str, str], list[str]]) -> None:
    told = [
        {"who": who, "question": question, "answers": answers}
        for (who, question), answers in known.items()
    ]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told))
