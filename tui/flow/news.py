"""What changed, told to whoever draws it."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, Flag, auto
from typing import NamedTuple

READING = 4.0
"""Seconds that a notice stays where the progress of a job would stand."""


class Change(Flag):
    """Which parts of the screen are no longer up to date."""

    CANDIDATES = auto()
    DRAFTS = auto()
    """Only texts that are being written grew."""
    VALUES = auto()
    SCENARIO = auto()
    WORK = auto()
    """What runs, and how far it is."""
    SAVING = auto()
    ALL = CANDIDATES | DRAFTS | VALUES | SCENARIO | WORK | SAVING


class Tone(Enum):
    """How a notice is meant."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class Notice(NamedTuple):
    """Something the operator is told once."""

    text: str
    tone: Tone = Tone.INFORMATION


class News:
    """Keeps subscribers and tells them."""

    def __init__(self) -> None:
        self._on_change: list[Callable[[Change], None]] = []
        self._on_notice: list[Callable[[Notice], None]] = []
        self.key_of: Callable[[str], str] = lambda name: name
        """The key that a binding of that name has; whoever draws knows."""
        self.last: Notice | None = None
        """The last notice, kept on the screen until the next."""
        self._said_at = -READING
        self.said: deque[Notice] = deque(maxlen=200)
        """The latest notices, oldest first."""

    def subscribe(
        self, on_change: Callable[[Change], None], on_notice: Callable[[Notice], None]
    ) -> Callable[[], None]:
        """Calls back on every change and notice; gives a function that ends it."""
        self._on_change.append(on_change)
        self._on_notice.append(on_notice)

        def end() -> None:
            self._on_change.remove(on_change)
            self._on_notice.remove(on_notice)

        return end

    def changed(self, change: Change) -> None:
        """Tells that something is no longer up to date."""
        for callback in tuple(self._on_change):
            callback(change)

    def warn(self, texts: Sequence[str]) -> None:
        """Says the first of these warnings, and how many more there are."""
        if texts:
            more = f" ({len(texts) - 1} more)" if len(texts) > 1 else ""
            self.say(f"{texts[0]}{more}.", Tone.WARNING)

    def say(self, text: str, tone: Tone = Tone.INFORMATION) -> None:
        """Tells the operator something."""
        self.last, self._said_at = Notice(text, tone), time.monotonic()
        self.said.append(self.last)
        for callback in tuple(self._on_notice):
            callback(self.last)

    @property
    def fresh(self) -> Notice | None:
        """The last notice, if it was said within the last `READING` seconds."""
        return self.last if time.monotonic() - self._said_at < READING else None

    def forget(self) -> None:
        """Drops what was said last: it is about a session that is left."""
        self.last = None

    def settle(self) -> None:
        """Drops what was said last, unless it was a warning: what comes next is worth more."""
        if self.last and self.last.tone is Tone.INFORMATION:
            self.last = None
