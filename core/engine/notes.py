"""What a stage says, on its way to the interface: no oftener than an eye can follow."""

import threading
import time

from core.engine import protocol
from core.engine.process import Wire
from core.watch import Advised, AnyNote, Dropped, Growing, Progress, Rewritten, Written

_RATE = 0.05
"""Seconds between two growing texts or two steps of progress."""


class Notes:
    """Passes on what a stage says about one job.

    Growing texts and progress hold the whole state each, so of many in a short time only the last
    is sent; all else is sent at once, in order.
    """

    def __init__(self, wire: Wire, job: str) -> None:
        """Speaks for `job`."""
        self.tokens_per_s = 0.0
        """The rate of the last progress that named one."""
        self._wire = wire
        self._job = job
        self._held: dict[int | str, Growing | Progress] = {}
        self._sent = 0.0
        self._lock = threading.RLock()

    def say(self, note: AnyNote) -> None:
        """Sends a note, or holds it back for a moment."""
        with self._lock:
            if isinstance(note, Progress):
                self.tokens_per_s = note.tokens_per_s or self.tokens_per_s
                self._held[note.stage] = note
                self.tick()
            elif isinstance(note, Growing):
                self._held[note.row] = note
                self.tick()
            else:
                if isinstance(note, Written | Advised | Dropped | Rewritten):
                    self._held.pop(note.row, None)
                self.flush()
                self._send(note)

    def tick(self) -> None:
        """Sends what was held back if it is time."""
        if self._held and time.monotonic() - self._sent >= _RATE:
            self.flush()

    def flush(self) -> None:
        """Sends what was held back."""
        with self._lock:
            held, self._held = self._held, {}
            for note in held.values():
                self._send(note)
            self._sent = time.monotonic()

    def _send(self, note: AnyNote) -> None:
        self._wire.send(protocol.Said(job=self._job, note=note))
