"""How a stage tells what it is doing, and how it is told to stop."""

import time
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from core.domain.candidate import Origin
from core.domain.verdict import Judgement
from core.errors import Cancelled


class Note(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Something a stage says while it works."""


class Progress(Note, frozen=True, kw_only=True, tag="progress"):
    """How far a stage has come."""

    stage: str
    done: int
    total: int
    tokens_done: int = 0
    """Tokens read or written so far in this run of the stage."""
    tokens_per_s: float = 0.0
    seconds_left: float = 0.0


class Growing(Note, frozen=True, kw_only=True, tag="growing"):
    """The text of a row so far."""

    row: int
    text: str


class Written(Note, frozen=True, kw_only=True, tag="written"):
    """A proposal that is whole and passed the filters."""

    row: int
    text: str


class Advised(Note, frozen=True, kw_only=True, tag="advised"):
    """An answer of a moral agent or of the aggregator."""

    row: int
    text: str
    origin: Origin


class Dropped(Note, frozen=True, kw_only=True, tag="dropped"):
    """A row that came to nothing."""

    row: int
    why: str


class Measured(Note, frozen=True, kw_only=True, tag="measured"):
    """The judgement on a row, or why there is none."""

    row: int
    judgement: Judgement | None = None
    problem: str = ""


class Rewritten(Note, frozen=True, kw_only=True, tag="rewritten"):
    """What re-aligning a row gave: a better text and its judgement, or why the old one stays."""

    row: int
    text: str = ""
    judgement: Judgement | None = None
    why: str = ""


AnyNote = Progress | Growing | Written | Advised | Dropped | Measured | Rewritten


class Watch:
    """A stage's ear and mouth. The default hears nothing and says nothing."""

    def __init__(
        self,
        say: Callable[[AnyNote], None] = lambda note: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.say = say
        self.is_cancelled = cancelled

    def check(self) -> None:
        """Raises `Cancelled` once the operator wants to stop. Called between tokens."""
        if self.is_cancelled():
            raise Cancelled

    def quiet(self) -> "Watch":
        """This one, told of progress only; it stops when this one does."""
        return Watch(
            lambda note: self.say(note) if isinstance(note, Progress) else None, self.is_cancelled
        )

    def part(self, begin: float, end: float) -> "Watch":
        """For a part that takes the whole from `begin` to `end`: its progress is told as that.

        Told in thousandths, without the time left, which only the whole can know; see `timed`.
        """

        def say(note: AnyNote) -> None:
            if isinstance(note, Progress):
                share = begin + (end - begin) * note.done / max(note.total, 1)
                note = replace(note, done=round(1000 * share), total=1000, seconds_left=0.0)
            self.say(note)

        return Watch(say, self.is_cancelled)

    def timed(self, stage: str) -> "Watch":
        """Tells progress as that of `stage`, in hundredths, with the time left at its speed so far.

        It begins now. Nothing is said of the time before a twentieth is done.
        """
        began = time.monotonic()

        def say(note: AnyNote) -> None:
            if isinstance(note, Progress):
                share = note.done / max(note.total, 1)
                left = (time.monotonic() - began) * (1 - share) / share if share >= 0.05 else 0.0
                done = round(100 * share)
                note = replace(note, stage=stage, done=done, total=100, seconds_left=left)
            self.say(note)

        return Watch(say, self.is_cancelled)


SILENT = Watch()
