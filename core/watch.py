"""How a stage tells what it is doing, and how it is told to stop."""

from collections.abc import Callable

from msgspec import Struct

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


SILENT = Watch()
