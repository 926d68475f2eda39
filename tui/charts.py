"""Charts of characters: areas that differ in their fill, and columns that follow a figure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from core.games.regret import ACTION_TYPES

FILLS = {
    "C|C": ("█", "$text-success"),
    "C|D": ("▓", "$primary"),
    "D|C": ("▒", "$text-error"),
    "D|D": ("░", "$text-warning"),
    "illegal": ("×", "$foreground-muted"),
}
"""Character and colour of each action type, from the bottom up; the characters alone tell them."""

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bins(many: int, width: int) -> list[range]:
    """Which of `many` things in a row stand in each of at most `width` columns."""
    columns = min(many, width)
    edges = [round(column * many / columns) for column in range(columns + 1)] if columns else []
    return [range(start, end) for start, end in pairwise(edges)]


def areas(shares: Sequence[Mapping[str, float]], width: int, height: int) -> list[list[str]]:
    """The action type of every cell, by line from the top; columns are means over time.

    Few things are drawn as wide as there is room, so that the chart always fills its width.
    """
    if not shares:
        return []
    columns = []
    for inside in bins(len(shares), width):
        mean = {
            name: fmean(shares[place].get(name, 0.0) for place in inside) for name in ACTION_TYPES
        }
        columns.append(_column(mean, height))
    spread = [columns[place * len(columns) // width] for place in range(width)]
    return [[column[height - 1 - line] for column in spread] for line in range(height)]


def _column(shares: Mapping[str, float], height: int) -> list[str]:
    """The type of each cell of a column, from the bottom up."""
    total = sum(shares.values()) or 1.0
    found = []
    for cell in range(height):
        middle, under = (cell + 0.5) / height * total, 0.0
        for name in ACTION_TYPES:
            under += shares[name]
            if middle < under:
                break
        found.append(name)
    return found


def curve(
    values: Sequence[float | None], width: int, height: int, low: float, high: float
) -> list[str]:
    """A column for each value, or for a mean of some, exact to an eighth of a cell.

    The lowest value is a thin line, so that it differs from one that is not known.
    """
    found = []
    for inside in bins(len(values), width):
        known = [value for place in inside if (value := values[place]) is not None]
        found.append(fmean(known) if known else None)
    levels = []
    for column in range(width if found else 0):
        value = found[column * len(found) // width]
        share = 0.0 if value is None else (value - low) / ((high - low) or 1.0)
        eighths = 1 + round(min(1.0, max(0.0, share)) * (height * 8 - 1))
        levels.append(0 if value is None else eighths)
    lines = []
    for line in reversed(range(height)):
        told = "".join(_EIGHTHS[max(0, min(8, level - line * 8))] for level in levels)
        lines.append(told.ljust(width))
    return lines
