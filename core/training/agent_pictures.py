"""Pictures of the moral agents and of the aggregator (matplotlib, of the extra `train`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Drawing

from core.files import writing
from core.training.measure import Figure
from core.training.measure_agents import Conformity
from core.training.measure_aggregator import FIGURES, Method


def agents_picture(path: Path, found: Mapping[str, Conformity]) -> None:
    """Base and agent by value, as both judges see them, the first in two ways; SVG or PNG.

    Raises `PlacetError` where it cannot be written.
    """
    drawn = Drawing(figsize=(12, 3.6), layout="constrained")
    sides = drawn.subplots(1, 3, sharey=True)
    values = list(found)
    for axes, title, pairs in (
        (sides[0], "Respects the value", [(one.base, one.agent) for one in found.values()]),
        (
            sides[1],
            "Does not go against it",
            [(one.unbroken_base, one.unbroken_agent) for one in found.values()],
        ),
        (
            sides[2],
            "The second judge, never a reward",
            [(one.second_base, one.second_agent) for one in found.values()],
        ),
    ):
        for place, name in enumerate(("base", "agent")):
            _bars(axes, [pair[place] for pair in pairs], place - 0.5, name)
        axes.set_xticks(np.arange(len(values)), values, rotation=20)
        axes.set(title=title, ylim=(0, 1))
    sides[0].set_ylabel("probability of conforming")
    drawn.legend(*sides[0].get_legend_handles_labels(), loc="outside right upper")
    with writing(path):
        drawn.savefig(path)


def aggregator_picture(path: Path, methods: Mapping[str, Method]) -> None:
    """Every method by ROUGE and by `r·c`. Raises as `agents_picture` does."""
    drawn = Drawing(figsize=(11, 3.6), layout="constrained")
    names = list(methods)[::-1]
    places = np.arange(len(names))
    for axes, figure in zip(drawn.subplots(1, len(FIGURES), sharey=True), FIGURES, strict=True):
        found = [methods[name].figure(figure) for name in names]
        middle = [one.value for one in found]
        axes.errorbar(middle, places, xerr=_sides(found), fmt="o", capsize=2)
        axes.set_yticks(places, names, fontsize="small")
        axes.set_title("r·c" if figure == "alignment" else figure)
    with writing(path):
        drawn.savefig(path)


def _bars(axes: object, found: Sequence[Figure], shift: float, name: str) -> None:
    axes.bar(  # type: ignore[attr-defined]
        np.arange(len(found)) + shift * 0.38,
        [one.value for one in found],
        0.36,
        yerr=_sides(found),
        capsize=2,
        label=name,
    )


def _sides(found: Sequence[Figure]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How far each interval reaches below and above [2, figures]; nought where there is none."""
    sides = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
    return np.asarray(np.nan_to_num(np.maximum(sides, 0)), float)
