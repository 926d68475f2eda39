"""A candidate action: a chain of revisions, each with its digest and origin."""

from enum import StrEnum

from msgspec import Struct

from core.domain.text import digest
from core.domain.verdict import Judgement


class Source(StrEnum):
    """What kind of author a text has."""

    POLICY = "policy"
    HANDED_IN = "handed-in"
    OPERATOR = "operator"
    ALIGNER = "aligner"
    AGENT = "agent"
    AGGREGATOR = "aggregator"


class Origin(Struct, frozen=True):
    """Who wrote a text."""

    source: Source
    name: str = ""
    """The model, program, person or moral agent, where it is known."""

    def __str__(self) -> str:
        return f"{self.source.value}: {self.name}" if self.name else self.source.value


class Revision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a candidate's text."""

    text: str
    origin: Origin
    guidance: str = ""
    """What the operator asked for, where a model wrote this version."""
    at: str = ""
    """When, UTC, ISO 8601."""

    @property
    def digest(self) -> str:
        """SHA-256 of the exact text."""
        return digest(self.text)


class Standing(StrEnum):
    """Where a candidate stands with the operator."""

    PENDING = "pending"
    REALIGNED = "re-aligned"
    """Pending, with a current version that the aligner wrote."""
    DEFERRED = "deferred"
    APPROVED = "approved"
    REJECTED = "rejected"

    @property
    def decided(self) -> bool:
        """Whether there is nothing left to decide."""
        return self in (Standing.APPROVED, Standing.REJECTED)


class Candidate(Struct, frozen=True, kw_only=True):
    """An action somebody might take, with all its versions."""

    id: str
    revisions: tuple[Revision, ...]
    """Oldest first, never empty."""
    standing: Standing = Standing.PENDING
    reason: str = ""
    """Why it stands there, in the operator's words."""
    notes: tuple[str, ...] = ()
    trouble: str = ""
    """Why there is no verdict or no rewrite, if the last attempt failed."""

    @property
    def current(self) -> Revision:
        """The version that counts."""
        return self.revisions[-1]

    @property
    def text(self) -> str:
        """The text of the version that counts."""
        return self.current.text

    @property
    def origin(self) -> Origin:
        """Who proposed it first."""
        return self.revisions[0].origin


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text to re-align."""

    text: str
    judgement: Judgement | None = None
    """What was measured of it, if it was."""
    guidance: str = ""
    """What the operator asks for."""
