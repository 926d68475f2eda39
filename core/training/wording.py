"""How texts differ, and which request a text belongs to, by their words alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from core.domain.text import words

_COMMON = frozenset(
    words(
        """about after again all and any are been before but can each for from has have into its
        may more not one only other out over own same should than that the their them then they
        this those three two until was were what when where which who will with within would
        your"""
    )
)


class Topics:
    """Which of many requests a text belongs to, by its content words, rare ones counting more.

    No embedding: a text in other words than its request counts as off the topic.
    """

    def __init__(self, requests: Iterable[str]) -> None:
        self.requests = list(dict.fromkeys(requests))
        self._stems = [stems(request) for request in self.requests]
        self._spread = Counter(stem for found in self._stems for stem in found)

    def place(self, request: str) -> int:
        """Where a request stands."""
        return self.requests.index(request)

    def nearest(self, text: str) -> int:
        """The place of the request that fits best, -1 if none shares a word with the text."""
        own = stems(text)
        fits = [
            sum(self._rarity(stem) for stem in own & found)
            / math.sqrt(sum(self._rarity(stem) ** 2 for stem in found) or 1.0)
            for found in self._stems
        ]
        best = max(range(len(fits)), key=fits.__getitem__, default=-1)
        return best if best >= 0 and fits[best] > 0 else -1

    def _rarity(self, stem: str) -> float:
        return 1.0 + math.log(len(self.requests) / self._spread[stem])


def stems(text: str) -> frozenset[str]:
    """The content words of a text, cut to five letters so that inflections meet."""
    return frozenset(w[:5] for w in words(text) if len(w) > 2 and w not in _COMMON)


def distance(one: str, other: str) -> float:
    """Jaccard distance of the words, 0 (the same words) to 1 (none shared)."""
    first, second = set(words(one)), set(words(other))
    return 1.0 - len(first & second) / len(first | second) if first | second else 0.0


def distinct_2(texts: Iterable[str]) -> float:
    """Different word pairs by all word pairs."""
    pairs = [pair for text in texts for pair in zip(words(text), words(text)[1:], strict=False)]
    return len(set(pairs)) / len(pairs) if pairs else math.nan
