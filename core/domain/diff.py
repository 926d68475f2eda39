"""A word-level difference between two versions of a text."""

import re
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache

MOST = 2_000
"""Words of a text that are compared one by one: it happens while a screen is drawn, in a time that
grows with their square. Longer texts differ as a whole."""


class Change(StrEnum):
    """What happened to a run of words."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@lru_cache(maxsize=8)
def word_diff(before: str, after: str) -> tuple[tuple[Change, str], ...]:
    """Runs of words that stayed, went or came, in reading order.

    Joining all runs but the added ones gives `before`; all but the removed ones gives `after`.
    """
    old, new = (re.findall(r"\s+|\S+", text) for text in (before, after))
    if before != after and max(len(old), len(new)) > 2 * MOST:  # for blanks stand between words
        return (Change.REMOVED, before), (Change.ADDED, after)
    runs: list[tuple[Change, str]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            runs.append((Change.SAME, "".join(old[i1:i2])))
            continue
        if i2 > i1:
            runs.append((Change.REMOVED, "".join(old[i1:i2])))
        if j2 > j1:
            runs.append((Change.ADDED, "".join(new[j1:j2])))
    return tuple(runs)
