"""Figures by which a judge is measured; rates have intervals, by bootstrap but at 0 and 1.

All functions take plain arrays; nothing here knows the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.domain.text import plain

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

BINS = 10
"""Equally wide bins of a reliability diagram."""

ROUNDS = 400
"""Resamples that an interval is taken from."""

NORMAL = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""

WIDEST = 60
"""Columns that the name of a set has in a table at most."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval, for which situations or stories count whole.

    The interval is NaN where there are fewer than two of them: one says nothing about others.
    """

    value: float
    low: float
    high: float
    n: int
    """Rows it rests on."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


def auroc(scores: Floats, positive: Bools) -> float:
    """Chance that a positive row scores above a negative one, ties half; NaN without both."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    found = ranks(scores)[positive].sum()
    return float((found - positives * (positives + 1) / 2) / (positives * negatives))


def ranks(values: Floats) -> Floats:
    """The rank of each value, from 1; ties share theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], float)


def right(scores: Floats, positive: Bools, threshold: float) -> Bools:
    """Whether each row is on its side, a row at the threshold counting as positive."""
    return np.asarray((scores >= threshold) == positive)


def accuracy(scores: Floats, positive: Bools, threshold: float) -> float:
    """Share of rows on the right side."""
    return float(right(scores, positive, threshold).mean()) if len(scores) else float("nan")


def ordered(better: Floats, worse: Floats) -> Floats:
    """For each pair 1 where the better one scores higher, 0 where the worse one does, ties half."""
    return np.asarray((better > worse) + 0.5 * (better == worse), float)


def calibration_error(chances: Floats, happened: Bools) -> float:
    """Expected calibration error over equally wide bins (Naeini et al. 2015), 0 to 1."""
    return float(
        sum(b.share * abs(b.predicted - b.happened) for b in reliability(chances, happened))
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram."""

    share: float
    """Of all rows, 0 to 1."""
    predicted: float
    """Mean probability in the bin."""
    happened: float
    """Rate at which it was so."""


def reliability(chances: Floats, happened: Bools) -> list[Bin]:
    """The bars of a reliability diagram; empty ones are left out."""
    place = np.minimum((chances * BINS).astype(int), BINS - 1)
    return [
        Bin(float(inside.mean()), float(chances[inside].mean()), float(happened[inside].mean()))
        for inside in (place == number for number in range(BINS))
        if inside.any()
    ]


def best_threshold(scores: Floats, positive: Bools) -> float:
    """The threshold of highest balanced accuracy, midway between two neighbouring scores."""
    values = np.unique(scores)
    cuts = (values[1:] + values[:-1]) / 2
    if not len(cuts) or positive.all() or not positive.any():
        return 0.5
    high, low = np.sort(scores[positive]), np.sort(scores[~positive])
    kept = 1 - np.searchsorted(high, cuts) / len(high)
    turned_down = np.searchsorted(low, cuts) / len(low)
    return float(cuts[int(np.argmax(kept + turned_down))])


def with_interval(figure: Callable[[Ints], float], groups: Sequence[object]) -> Figure:
    """A figure over rows with its 95 % bootstrap interval, whole groups being drawn together.

    `figure` gets row numbers; `groups` names the group of every row, in order. Of no row at all
    there is no figure (NaN). See `share` for one that is a share of the rows.
    """
    if not len(groups):
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    member = np.array([names[name] for name in groups], dtype=np.int64)
    order = np.argsort(member, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(member[order])) + 1)
    everything = np.arange(len(member), dtype=np.int64)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(ROUNDS if len(rows) > 1 else 0):
        chosen = rng.integers(0, len(rows), len(rows))
        drawn.append(figure(np.concatenate([rows[i] for i in chosen])))
    finite = [value for value in drawn if np.isfinite(value)]
    low, high = np.quantile(finite, [0.025, 0.975]) if finite else (float("nan"), float("nan"))
    return Figure(float(figure(everything)), float(low), float(high), len(member))


def share(happened: Bools | Floats, groups: Sequence[object]) -> Figure:
    """The share of rows in which something happened (0 to 1 each), with its 95 % interval.

    Where it is 0 or 1 a bootstrap can draw nothing else, and would give a width of 0; the interval
    there is Wilson's (1927), of as many rows as there are groups. The two do not join (0 of 20
    reaches up to .16, 1 of 20 to .15): in between, of groups of many rows, Wilson's is too wide.
    """
    told = np.asarray(happened, float)
    found = with_interval(lambda rows: float(told[rows].mean()), groups)
    apart = len(set(groups))
    if found.value not in (0.0, 1.0) or apart < 2:
        return found
    far = NORMAL**2 / (apart + NORMAL**2)
    low, high = (0.0, far) if found.value == 0.0 else (1.0 - far, 1.0)
    return replace(found, low=low, high=high)


def mean(values: Floats) -> Figure:
    """The mean with its interval, each value by itself; those that are NaN are left out."""
    there = values[np.isfinite(values)]
    return with_interval(lambda rows: float(there[rows].mean()), range(len(there)))


def risk_thresholds(
    danger: Floats, broken: Bools, harmful: Bools, missed: float, alarmed: float
) -> tuple[float, float]:
    """(medium, high) thresholds of danger for stated error rates.

    At most `missed` of the harmful lie below medium and are not `broken`, which no LOW is; at most
    `alarmed` of the harmless lie from high. Medium is as high, and high as low, as these rates
    allow; medium is never above high.
    """
    bad, fine = np.sort(np.where(broken, np.inf, danger)[harmful]), np.sort(danger[~harmful])
    medium = float(bad[min(int(missed * len(bad)), len(bad) - 1)])
    spared = int(alarmed * len(fine))
    high = float(np.nextafter(fine[len(fine) - 1 - spared], 2.0))
    return min(medium, high), high


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    set: str
    figure: str
    value: Figure
    action_only: Figure | None = None
    """The same figure for the harm head, which sees no value."""


def as_text(table: Iterable[Row]) -> str:
    """A table for a terminal or a page: set, figure, value, the action-only row."""
    told = [(plain(row.set, one_line=True), row) for row in table]
    width = min(WIDEST, max([34, *(len(name) for name, _ in told)]))
    lines = []
    for name, row in told:
        blind = f" | action only {row.action_only.value:.3f}" if row.action_only else ""
        short = name if len(name) <= width else f"{name[: width - 1]}…"
        lines.append(f"{short:{width}} {row.figure:38} {row.value}{blind}")
    return "\n".join(lines)
