"""What is asked of the engine, one job each, and how far it has come."""

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from core.domain.candidate import Standing
from core.watch import Progress


class Kind(Enum):
    """What a job is for, as the operator reads it."""

    LOAD = "loading the models"
    PROPOSE = "proposing"
    CONSULT = "asking the moral agents"
    JUDGE = "judging"
    ALIGN = "re-aligning"
    PULL = "pulling"


@dataclass
class Job:
    """A request on its way."""

    id: str
    kind: Kind
    candidates: list[str] = field(default_factory=list)
    """The candidate of each row, where the rows are candidates."""
    texts: list[str] = field(default_factory=list)
    """The digest of each row's text when the job was handed in."""
    standings: list[Standing] = field(default_factory=list)
    """How each row's candidate stood when the job was handed in."""
    about: tuple[str, str] = ("", "")
    """The digests of the values and of the scenario that it was handed in with."""
    late: bool = False
    """Whether the operator was told that what it writes is about others."""
    guidance: str = ""
    written: dict[int, str] = field(default_factory=dict)
    """For each row that was proposed, the candidate it became."""
    answered: set[int] = field(default_factory=set)
    """The rows that have what was asked for: if the job fails later, they have not failed."""
    drafts: dict[int, str] = field(default_factory=dict)
    """What is being written, by row."""
    progress: Progress | None = None
    model: str = ""
    """What a pull brings."""
    pair: tuple[str, str] = ("", "")
    """The policy and the judge that a load asks for."""
    chosen: dict[str, str] = field(default_factory=dict)
    """By role, the models that become the defaults once a load has succeeded."""
    cancelling: bool = False

    @cached_property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Each row's candidate and the digest of its text: looked up for each of thousands."""
        return frozenset(zip(self.candidates, self.texts, strict=True))

    def row(self, place: int) -> str:
        """The name that a row goes by in the list: a candidate's, or one of its own."""
        return self.candidates[place] if place < len(self.candidates) else f"{self.id}.{place}"

    @property
    def told(self) -> str:
        """What it does, as the operator reads it."""
        if self.cancelling:
            return "cancelling"
        if self.kind is Kind.PULL:
            stage = f": {self.progress.stage}" if self.progress else ""
            return f"{self.kind.value} {self.model}{stage}"
        # The policy writes and the judge reads.
        judges = self.kind is Kind.PROPOSE and self.progress and self.progress.stage == "read"
        return str((Kind.JUDGE if judges else self.kind).value)

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are done, and of how many; a pull's are megabytes."""
        if self.progress is None:
            return 0, 0
        size = 10**6 if self.kind is Kind.PULL else 1
        return self.progress.done // size, self.progress.total // size

    @property
    def seconds_left(self) -> float:
        """What it will take still; 0 where that is not known."""
        return self.progress.seconds_left if self.progress else 0.0
