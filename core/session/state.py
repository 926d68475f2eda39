"""What a session amounts to: the fold of its events."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from core.domain.candidate import Candidate, Revision, Source, Standing
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import UNJUDGED, Judgement, Verdict, assess
from core.session.events import (
    Approved,
    Chosen,
    Deferred,
    Event,
    Failed,
    Judged,
    Kept,
    ModelsSet,
    ModelUsed,
    Noted,
    ProfileSet,
    Proposed,
    Record,
    Rejected,
    Revised,
    ScenarioSet,
    Settings,
    Started,
    Undone,
    WeightsSet,
)

Bond = tuple[str, str, str]
"""The digests of text, statements and scenario that a judgement is bound to."""


@dataclass
class State:
    """The state after some events. Candidates are frozen; the containers are ours to change."""

    profile: Profile
    scenario: Scenario
    models: dict[str, ModelUsed]
    settings: Settings
    candidates: dict[str, Candidate] = field(default_factory=dict)
    """By id, in the order in which they came."""
    judgements: dict[Bond, Judgement] = field(default_factory=dict)
    """By what they are about: an edit taken back finds its judgement again."""
    latest: dict[str, Judgement] = field(default_factory=dict)
    """By candidate: what was measured last, stale or not."""
    plan: Chosen | None = None
    notes: tuple[str, ...] = ()
    _derived: dict[str, tuple[Judgement, Profile, Verdict]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._digests = (self.profile.digest, self.scenario.digest)

    def apply(self, record: Record) -> None:
        """Takes one more event in."""
        event = record.event
        if isinstance(event, Started):
            raise ValueError("a session starts once")
        if isinstance(event, ModelsSet):
            self.models, self.settings = event.models, event.settings
        elif isinstance(event, WeightsSet):
            self.profile = self.profile.with_weights(event.weights)
        elif isinstance(event, ProfileSet):
            self.profile = event.profile
            self._digests = (self.profile.digest, self.scenario.digest)
        elif isinstance(event, ScenarioSet):
            self.scenario = event.scenario
            self._digests = (self.profile.digest, self.scenario.digest)
        elif isinstance(event, Chosen):
            self.plan = event
        elif isinstance(event, Proposed):
            revision = Revision(text=event.text, origin=event.origin, at=record.at)
            self.candidates[event.candidate] = Candidate(id=event.candidate, revisions=(revision,))
        elif isinstance(event, Judged):
            judgement = event.judgement
            self.judgements[judgement.text, judgement.profile, judgement.scenario] = judgement
            self.latest[event.candidate] = judgement
            self._change(event.candidate, trouble="")
        elif isinstance(event, Noted) and not event.candidate:
            self.notes += (event.text,)
        elif isinstance(event, Failed) and not event.candidate:
            self.notes += (f"{event.stage}: {event.problem}",)
        elif not isinstance(event, Undone):
            self._apply_to_candidate(event, record.at)

    def _apply_to_candidate(self, event: Event, at: str) -> None:
        if isinstance(event, Revised):
            revision = Revision(
                text=event.text, origin=event.origin, guidance=event.guidance, at=at
            )
            written_by_us = event.origin.source is Source.ALIGNER
            self._change(
                event.candidate,
                revisions=(*self.candidates[event.candidate].revisions, revision),
                standing=Standing.REALIGNED if written_by_us else Standing.PENDING,
                reason="",
                trouble="",
            )
        elif isinstance(event, Approved):
            self._change(event.candidate, standing=Standing.APPROVED, reason=event.reason)
        elif isinstance(event, Rejected):
            self._change(event.candidate, standing=Standing.REJECTED, reason=event.reason)
        elif isinstance(event, Deferred):
            self._change(event.candidate, standing=Standing.DEFERRED, reason=event.reason)
        elif isinstance(event, Noted):
            notes = (*self.candidates[event.candidate].notes, event.text)
            self._change(event.candidate, notes=notes)
        elif isinstance(event, Kept):
            self._change(event.candidate, trouble=event.why)
        elif isinstance(event, Failed) and event.candidate:
            self._change(event.candidate, trouble=event.problem)

    def _change(self, candidate: str, **fields: object) -> None:
        if candidate in self.candidates:
            self.candidates[candidate] = msgspec.structs.replace(
                self.candidates[candidate], **fields
            )

    def bond(self, text_digest: str) -> Bond:
        """What a judgement of that text has to be bound to, to count now."""
        return (text_digest, *self._digests)

    def verdict(self, candidate: str) -> Verdict:
        """The verdict on the candidate's current text; stale or `UNJUDGED` where there is none."""
        current = self.candidates[candidate].current
        if judgement := self.judgements.get(self.bond(current.digest)):
            known = self._derived.get(candidate)
            if known and known[0] is judgement and known[1] is self.profile:
                return known[2]
            verdict = assess(judgement, self.profile)
            self._derived[candidate] = (judgement, self.profile, verdict)
            return verdict
        if judgement := self.latest.get(candidate):
            return msgspec.structs.replace(UNJUDGED, stale=True, judgement=judgement)
        return UNJUDGED

    def verdict_on(self, revision: Revision) -> Verdict:
        """The verdict on one version of a text, `UNJUDGED` where there is none."""
        judgement = self.judgements.get(self.bond(revision.digest))
        return assess(judgement, self.profile) if judgement else UNJUDGED

    def ranking(self) -> list[str]:
        """Candidate ids, best verdict first: lowest risk, then highest `r·c`, then oldest."""
        return sorted(self.candidates, key=lambda candidate: self.verdict(candidate).order)


def fold(records: Iterable[Record]) -> State:
    """The state after `records`, those undone left out. The first must be `Started`."""
    records = list(records)
    start = records[0].event if records else None
    if not isinstance(start, Started):
        raise ValueError("a session begins with its start")
    gone = {record.event.of for record in records if isinstance(record.event, Undone)}
    state = State(start.profile, start.scenario, start.models, start.settings)
    for record in records[1:]:
        if record.seq not in gone:
            state.apply(record)
    return state
