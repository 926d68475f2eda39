"""What is counted of a policy's proposals and rewrites, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ProposalFigures:
    """What became of the proposals. Shares are 0 to 1; `nan` where nothing can be said."""

    model: str
    asked: int
    usable: float
    """Share of first drafts that the filters of `core.stages.propose` let through, each alone."""
    on_topic: float
    """Share of the usable ones whose words fit their own scenario better than any other one."""
    grounded: float
    """Mean share of an action's content words that stand in the goal or the context."""
    specific: float
    """Share of the usable ones with a figure in them."""
    distance: float
    """Mean Jaccard distance of words between two actions for one scenario."""
    distinct_2: float
    """Different word pairs by all word pairs, over all texts (Li et al. 2016)."""
    words: float
    """Mean length."""
    low: float
    """Share judged LOW of the usable ones for other scenarios, which have values to judge by."""
    why_not: Mapping[str, int]
    texts: tuple[tuple[str, ...], ...]
    """The usable actions, scenario by scenario."""


@dataclass(frozen=True, slots=True)
class RewriteFigures:
    """What became of the rewrites. Shares are 0 to 1; `nan` where nothing can be said."""

    model: str
    asked: int
    usable: float
    """Share of first drafts that the filters let through."""
    changed: float
    """Share of drafts, usable ones, that are not the action itself."""
    on_topic: float
    """Share of the usable ones whose words fit their own scenario better than any other one."""
    kept: float
    """Mean share of the action's content words that the rewrite keeps."""
    json_kept: float
    """Share of JSON actions whose rewrite is a JSON object again."""
    distance: float
    """Mean Jaccard distance of words between action and rewrite."""
    words: float
    """Mean length."""
    low_before: float
    """Share of the actions judged LOW."""
    low_after: float
    """Share of the usable rewrites judged LOW."""
    mended: float
    """Share of the HIGH actions for which the whole stage, some rewrites and the choice of the
    best one, gives a text that is LOW and on topic."""
    high: int
    """How many actions were judged HIGH."""
    texts: tuple[str, ...]
    """A rewrite for each action, empty where none was usable."""


def as_table(rows: Sequence[ProposalFigures] | Sequence[RewriteFigures]) -> str:
    """The figures of several models, a column each, as text."""
    if not rows:
        return ""
    names = [name for name in asdict(rows[0]) if name not in ("model", "texts", "why_not")]
    lines = [["", *(row.model for row in rows)]]
    lines += [[name, *(_shown(getattr(row, name)) for row in rows)] for name in names]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "-" if math.isnan(value) else f"{value:.3f}" if value < 2 else f"{value:.1f}"
