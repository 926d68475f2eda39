"""Charts of characters: areas that differ in their fill, and lines of dots."""

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

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of a braille cell's dots by column, from the bottom up."""


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
    """A line through the values in braille dots, two a cell across and four up."""
    cells = [[0] * width for _ in range(height)]
    tall, wide = height * 4, width * 2
    found = []
    for inside in bins(len(values), wide):
        known = [value for place in inside if (value := values[place]) is not None]
        found.append(fmean(known) if known else None)
    span = (high - low) or 1.0
    before: int | None = None
    for dot in range(wide if found else 0):
        value = found[dot * len(found) // wide]
        if value is None:
            before = None
            continue
        at = round(min(1.0, max(0.0, (value - low) / span)) * (tall - 1))
        # Where the line is steep, the dots between are filled in.
        start = at if before is None else before + (at > before) - (at < before)
        for level in range(min(start, at), max(start, at) + 1):
            cells[height - 1 - level // 4][dot // 2] |= _DOTS[dot % 2][level % 4]
        before = at
    return ["".join(chr(0x2800 + bits) for bits in line) for line in cells]
