"""What the operator has in view, since when, and whether a decision now can be meant."""

import time
from collections.abc import Callable

Clock = Callable[[], float]

SETTLE = 0.4
"""Seconds for which decisions are ignored after what they would be about has changed."""

HELD = 0.7
"""Seconds within which the same key again counts as held down, not as pressed again.

Terminals report no key releases; the longest usual delay before a held key repeats is 0.66 s.
"""


REPEATS = 0.2
"""Seconds between two presses at the least; a held key, once it repeats, is faster."""


class Looking:
    """The item under the cursor, and how long it has been there as it is."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.item = ""
        self._shown: tuple[str, object] = ("", None)
        self._since = -SETTLE
        self._spent: dict[str, float] = {}
        self._elsewhere = 0.0
        self._left: float | None = None
        """When something else came into view, while that is so."""
        self._arrived = clock()
        self._pressed: dict[str, tuple[float, float]] = {}
        """By key: when it was pressed last, and how long after the time before."""
        self._came = -SETTLE

    def at(self, item: str, shows: object) -> None:
        """Notes which item is under the cursor, and what it shows (its text and verdict)."""
        if item != self.item:
            self._settle_time()
            self.item, self._arrived = item, self._here()
        if (item, shows) != self._shown:
            self._shown, self._since = (item, shows), self.clock()

    def away(self) -> None:
        """Something else hides the item from now on: that is no time spent on it."""
        self._left = self.clock()

    def back(self) -> None:
        """Something else was in view until now: what changed meanwhile was not seen."""
        self._since = self._came = self.clock()
        if self._left is not None:
            self._elsewhere += self._since - self._left
            self._left = None

    def came(self) -> None:
        """Notes that something came by itself that the key that takes back would be about."""
        self._came = self.clock()

    def just_came(self) -> bool:
        """Whether that was so short ago that the key cannot have been meant for it."""
        return self.clock() - self._came < SETTLE

    def settled(self) -> bool:
        """Whether the item has been there, as it is, for long enough to decide on it."""
        return self.clock() - self._since >= SETTLE

    def seconds(self, item: str) -> float:
        """How long that item has been under the cursor, in all."""
        running = self._here() - self._arrived if item == self.item else 0.0
        return self._spent.get(item, 0.0) + running

    def decided(self, item: str) -> None:
        """Starts that item's time anew."""
        self._spent.pop(item, None)
        if item == self.item:
            self._arrived = self._here()

    def pressed(self, key: str, *, strict: bool = False) -> bool:
        """Takes in a key; gives whether it is a press of its own, not a held key's.

        Pressed again and again at leisure it counts from the third time on: the first gap may be
        that before a held key repeats, two such gaps are none, unless the screen stood still
        meanwhile: `strict` does not count them.
        """
        now = self.clock()
        at, before = self._pressed.get(key, (-HELD, 0.0))
        gap = now - at
        self._pressed[key] = (now, gap)
        return gap >= HELD or (not strict and gap >= REPEATS and REPEATS <= before < HELD)

    def other_key(self) -> None:
        """Takes in any other key: what comes next is a press of its own."""
        self._pressed.clear()

    def _here(self) -> float:
        """The time, without what went by elsewhere."""
        return (self.clock() if self._left is None else self._left) - self._elsewhere

    def _settle_time(self) -> None:
        if self.item:
            self._spent[self.item] = self.seconds(self.item)
