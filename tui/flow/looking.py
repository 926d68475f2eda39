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
        self._arrived = clock()
        self._pressed: dict[str, tuple[float, float]] = {}
        """By key: when it was pressed last, and how long after the time before."""
        self._came = -SETTLE

    def at(self, item: str, shows: object) -> None:
        """Notes which item is under the cursor, and what it shows (its text and verdict)."""
        now = self.clock()
        if item != self.item:
            self._settle_time(now)
            self.item, self._arrived = item, now
        if (item, shows) != self._shown:
            self._shown, self._since = (item, shows), now

    def back(self) -> None:
        """Something else was in view until now: what changed meanwhile was not seen."""
        self._since = self._came = self.clock()

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
        running = self.clock() - self._arrived if item == self.item else 0.0
        return self._spent.get(item, 0.0) + running

    def decided(self, item: str) -> None:
        """Starts that item's time anew."""
        self._spent.pop(item, None)
        if item == self.item:
            self._arrived = self.clock()

    def pressed(self, key: str) -> bool:
        """Takes in a key; gives whether it is a press of its own, not a held key's.

        Pressed again and again at leisure it counts from the third time on: the first gap may be
        that before a held key repeats, two such gaps are none.
        """
        now = self.clock()
        at, before = self._pressed.get(key, (-HELD, 0.0))
        gap = now - at
        self._pressed[key] = (now, gap)
        return gap >= HELD or (gap >= REPEATS and REPEATS <= before < HELD)

    def other_key(self) -> None:
        """Takes in any other key: what comes next is a press of its own."""
        self._pressed.clear()

    def _settle_time(self, now: float) -> None:
        if self.item:
            self._spent[self.item] = self._spent.get(self.item, 0.0) + now - self._arrived
