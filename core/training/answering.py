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

Choose = Callable[[str, Sequence[tuple[str, Sequence[str]]]], Sequence[str]]
"""Whose answers they are, and questions with several answers each → the one to keep of each."""

Told = Callable[[str, int, int], None]
"""Who is speaking, how many answers there are, and how many there will be."""


def answer_all(
    speakers: Mapping[str, Write],
    questions: Sequence[str],
    sampling: Sampling,
    seed: int,
    *,
    samples: int = 1,
    choose: Choose | None = None,
    keep: Path | None = None,
    tell: Told = lambda who, done, of: None,
    watch: Watch = SILENT,
) -> dict[str, list[str]]:
    """An answer a question by each speaker, in order; empty where one said nothing.

    It is chosen from so many `samples`, or the first of them. With `keep` the answers are kept in
    a file as they come, and those that it holds for the same speaker, question and samples are not
    asked for again. Raises `Cancelled`.
    """
    known = _read(keep) if keep else {}
    found: dict[str, list[str]] = {}
    for who, write in speakers.items():
        missing = [one for one in questions if (who, one, samples) not in known]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            many = [(one, number) for one in batch for number in range(samples)]
            asked = [prompts.advice(one) for one, _ in many]
            seeds = [
                seed * 1_000_003 + 7_919 * number + questions.index(one) for one, number in many
            ]
            said = [
                text_of(draft, one)
                for (one, _), draft in zip(many, write(asked, sampling, seeds, watch), strict=True)
            ]
            rows = [
                (one, said[row * samples : (row + 1) * samples]) for row, one in enumerate(batch)
            ]
            chosen = choose(who, rows) if choose and samples > 1 else [row[0] for _, row in rows]
            for question, text in zip(batch, chosen, strict=True):
                known[who, question, samples] = text
            tell(who, start + len(batch), len(missing))
            if keep:
                _write(keep, known)
        found[who] = [known[who, one, samples] for one in questions]
    return found


def text_of(draft: Draft, question: str) -> str:
    """What a speaker said: as the product would use it, or as it stands where it would not."""
    return usable(draft, question, ())[0] or action_in(draft.text) or draft.text.strip()


def _read(path: Path) -> dict[tuple[str, str, int], str]:
    found = rows(path) if path.exists() else ()
    return {
        (row["who"], row["question"], int(row.get("samples", 1))): row["answer"] for row in found
    }


def _write(path: Path, known: Mapping[tuple[str, str, int], str]) -> None:
    told = [
        {"who": who, "question": question, "samples": samples, "answer": answer}
        for (who, question, samples), answer in known.items()
    ]
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in told))
