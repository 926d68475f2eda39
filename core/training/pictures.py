"""Pictures of how a judge did (matplotlib, of the extra `train`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from core.files import writing
from core.training.answers import Answer, decided
from core.training.data import Label
from core.training.measure import Bools, Floats, Row, calibration_error, reliability


def judge_picture(path: Path, found: Sequence[Answer], table: Sequence[Row]) -> None:
    """Reliability diagrams beside AUROC by set and domain, with 95 % bars; SVG or PNG by its name.

    Raises `PlacetError` where it cannot be written.
    """
    drawn = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = drawn.subplots(1, 2)
    clear = decided(found)
    curves = (
        ("score: value kept", [a.score for a in clear], [a.label is Label.KEEPS for a in clear]),
        (
            "P(breaks): value broken",
            [a.chances[Label.BREAKS.value] for a in found],
            [a.label is Label.BREAKS for a in found],
        ),
    )
    left.plot([0, 1], [0, 1], linestyle=":", color="gray")
    for name, chances, happened in curves:
        _curve(left, name, np.array(chances), np.array(happened))
    left.set(xlabel="told", ylabel="happened", xlim=(0, 1), ylim=(0, 1), title="Reliability")
    left.legend(loc="upper left", fontsize="small")
    rows = [row for row in table if row.figure == "AUROC keeps/breaks"][::-1]
    places = np.arange(len(rows))
    values = np.array([row.value.value for row in rows])
    sides = np.array(
        [[row.value.value - row.value.low, row.value.high - row.value.value] for row in rows]
    ).T
    right.errorbar(values, places, xerr=np.maximum(sides, 0), fmt="o", capsize=2)
    blind = [
        (row.action_only.value, y) for row, y in zip(rows, places, strict=True) if row.action_only
    ]
    right.plot([x for x, _ in blind], [y for _, y in blind], "x", color="gray")
    right.axvline(0.5, linestyle=":", color="gray")
    right.set_yticks(places, [row.set for row in rows], fontsize="small")
    right.set(xlim=(0, 1), title="AUROC (× by the action alone)")
    with writing(path):
        drawn.savefig(path)


def _curve(axes: object, name: str, chances: Floats, happened: Bools) -> None:
    bins = reliability(chances, happened)
    error = calibration_error(chances, happened)
    axes.plot(  # type: ignore[attr-defined]
        [b.predicted for b in bins],
        [b.happened for b in bins],
        marker="o",
        label=f"{name}, ECE {error:.3f}",
    )
