"""How an operator decided: how many, how fast, and how often against the judge."""

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct, field

from core.domain.verdict import Risk
from core.session.events import Approved, Record, Rejected
from core.session.state import undone


class Agreement(Struct, frozen=True, kw_only=True):
    """How operator and judge agree, over decisions where the judge had an opinion."""

    decisions: int = 0
    agreed: int = 0
    kappa: float | None = None
    """Cohen's kappa (Cohen 1960), -1 to 1; `None` where it is not defined: no decisions, or both
    always said the same one thing."""

    @property
    def share(self) -> float | None:
        """The share of decisions in which they agreed, 0 to 1."""
        return self.agreed / self.decisions if self.decisions else None


class Statistics(Struct, frozen=True, kw_only=True):
    """The decisions made in a session and not taken back.

    One that ended because values or scenario changed is a decision all the same.
    """

    decisions: int = 0
    approved: int = 0
    rejected: int = 0
    undone: int = 0
    """Decisions that were taken back."""
    open: Agreement = field(default_factory=Agreement)
    """Decided with the verdict in view."""
    blind: Agreement = field(default_factory=Agreement)
    """Decided before the verdict was shown."""
    all: Agreement = field(default_factory=Agreement)
    decided_by_risk: dict[Risk, int] = {}
    overrides_by_risk: dict[Risk, int] = {}
    """Decisions against the judge."""
    median_seconds: float | None = None
    """How long a candidate was in front of the operator before the decision."""
    total_seconds: float = 0.0

    @property
    def overrides(self) -> int:
        """Decisions against the judge, over all risk levels."""
        return sum(self.overrides_by_risk.values())

    @property
    def sway(self) -> float | None:
        """Agreement with the verdict in view less agreement without: how far the judge sways."""
        if self.open.share is None or self.blind.share is None:
            return None
        return self.open.share - self.blind.share


def statistics(records: Iterable[Record]) -> Statistics:
    """The statistics of a log of events; decisions that were undone count only as undone."""
    records = list(records)
    gone = undone(records)
    made = [
        (record.seq, record.event)
        for record in records
        if isinstance(record.event, Approved | Rejected)
    ]
    stand = [event for seq, event in made if seq not in gone]
    by_risk: dict[Risk, int] = {}
    overrides: dict[Risk, int] = {}
    for event in stand:
        by_risk[event.risk] = by_risk.get(event.risk, 0) + 1
        if event.against_advice:
            overrides[event.risk] = overrides.get(event.risk, 0) + 1
    seconds = [event.seconds for event in stand if event.seconds > 0]
    return Statistics(
        decisions=len(stand),
        approved=sum(isinstance(event, Approved) for event in stand),
        rejected=sum(isinstance(event, Rejected) for event in stand),
        undone=len(made) - len(stand),
        open=agreement([event for event in stand if not event.blind]),
        blind=agreement([event for event in stand if event.blind]),
        all=agreement(stand),
        decided_by_risk=by_risk,
        overrides_by_risk=overrides,
        median_seconds=median(seconds) if seconds else None,
        total_seconds=sum(seconds),
    )


def agreement(decisions: Sequence[Approved | Rejected]) -> Agreement:
    """How far operator and judge agree on yes and no; unjudged candidates are left out."""
    pairs = [
        (isinstance(event, Approved), isinstance(event, Approved) is not event.against_advice)
        for event in decisions
        if event.risk is not Risk.UNJUDGED
    ]
    total = len(pairs)
    if not total:
        return Agreement()
    agreed = sum(operator == judge for operator, judge in pairs)
    yes = sum(operator for operator, _ in pairs) / total, sum(judge for _, judge in pairs) / total
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    kappa = None if chance >= 1 else (agreed / total - chance) / (1 - chance)
    return Agreement(decisions=total, agreed=agreed, kappa=kappa)
