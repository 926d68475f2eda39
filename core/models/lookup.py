"""Guesses at the next tokens, by what stood after the same tokens before.

A proposal takes words from its scenario and a rewrite most of its words from the action, so the
prompt, and what other rows have written, tell about every third token (prompt lookup decoding,
Saxena 2023). Guesses cost nothing; the model decides.
"""

from collections.abc import Sequence


class Lookup:
    """What came last after each token, and after each two."""

    def __init__(self) -> None:
        self._next: dict[tuple[int, ...], int] = {}

    def learn(self, tokens: Sequence[int], start: int = 0) -> None:
        """Takes in what stands from `start` on, after what stands before it."""
        for place in range(max(start, 1), len(tokens)):
            self._next[(tokens[place - 1],)] = tokens[place]
            if place > 1:
                self._next[tokens[place - 2], tokens[place - 1]] = tokens[place]

    def guess(self, tokens: Sequence[int], count: int) -> list[int]:
        """At most so many tokens after `tokens`, at least two; fewer where nothing is known."""
        before, last = tokens[-2:]
        found: list[int] = []
        while len(found) < count:
            after = self._next.get((before, last), self._next.get((last,)))
            if after is None:
                break
            found.append(after)
            before, last = last, after
        return found
