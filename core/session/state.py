"""What a session amounts to: the fold of its events."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from core.domain.candidate import Candidate, Revision, Source, Standing
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import UNJUDGED, Judgement, Risk, Verdict, Weigher
from core.session.events import (
    STAND_IN,
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
    """What was chosen last, while it can still be chosen; once ended, only undo brings it back."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds by stage of the run that chose last, whatever became of its plan."""
    notes: list[str] = field(default_factory=list)
    judged_at: dict[Bond, str] = field(default_factory=dict, compare=False)
    """By what was judged: when that was last, UTC, ISO 8601."""
    _bearers: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)
    """By a text's digest: the candidates that have or had it."""
    _verdicts: dict[str, Verdict] = field(default_factory=dict, repr=False, compare=False)
    _orders: dict[str, tuple[int, float]] = field(default_factory=dict, repr=False, compare=False)
    _counting: dict[str, Judgement | None] = field(default_factory=dict, repr=False, compare=False)
    _ranking: list[str] | None = field(default=None, repr=False, compare=False)
    _digests: tuple[str, str] = field(default=("", ""), repr=False, compare=False)

    def __post_init__(self) -> None:
        self._bind()

    def apply(self, record: Record) -> None:
        """Takes one more event in.

        Raises `KeyError` where it is about a candidate that there is not, and `ValueError` where it
        cannot follow here.
        """
        event = record.event
        if isinstance(event, Started):
            raise ValueError("a session starts once")
        if isinstance(event, ModelsSet):
            self.settings = event.settings
            self._use(event.models)
        elif isinstance(event, WeightsSet):
            self.profile = self.profile.with_weights(event.weights)
            self._weigh()
        elif isinstance(event, ProfileSet):
            self.profile = event.profile
            self._bind()
        elif isinstance(event, ScenarioSet):
            self.scenario = event.scenario
            self._bind()
        elif isinstance(event, Chosen):
            if event.candidate and event.candidate not in self.candidates:
                raise KeyError(event.candidate)
            self.plan, self.timings = event, event.timings
        elif isinstance(event, Proposed):
            if event.candidate in self.candidates:
                raise ValueError(f"{event.candidate} is proposed twice")
            revision = Revision(text=event.text, origin=event.origin, at=record.at)
            self.candidates[event.candidate] = Candidate(id=event.candidate, revisions=(revision,))
            self._bears(event.candidate, revision)
        elif isinstance(event, Judged):
            judgement = event.judgement
            bond = (judgement.text, judgement.profile, judgement.scenario)
            self.judgements[bond] = judgement
            self.latest[event.candidate] = judgement
            self.judged_at[bond] = record.at
            for bearer in (event.candidate, *self._bearers.get(judgement.text, ())):
                self._forget(bearer)
            self._change(event.candidate, trouble="")
        elif isinstance(event, Noted) and not event.candidate:
            self.notes.append(event.text)
        elif isinstance(event, Failed) and not event.candidate:
            self.notes.append(f"{event.stage}: {event.problem}")
        elif not isinstance(event, Undone):
            self._apply_to_candidate(event, record.at)
        self._end_plan()

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
            self._bears(event.candidate, revision)
        elif isinstance(event, Approved | Rejected):
            if event.text != self.candidates[event.candidate].current.digest:
                raise ValueError(f"a decision is about another text of {event.candidate}")
            approved, verdict = isinstance(event, Approved), self.verdict(event.candidate)
            if approved and verdict.risk is Risk.UNJUDGED:
                raise ValueError(f"{event.candidate} is approved without a verdict")
            if not (event.reason.strip() or (approved and verdict.acceptable)):
                raise ValueError(
                    f"{event.candidate} is decided on without the reason that it takes"
                )
            standing = Standing.APPROVED if approved else Standing.REJECTED
            self._change(event.candidate, standing=standing, reason=event.reason)
        elif isinstance(event, Deferred):
            self._change(event.candidate, standing=Standing.DEFERRED, reason=event.reason)
        elif isinstance(event, Noted):
            notes = (*self.candidates[event.candidate].notes, event.text)
            self._change(event.candidate, notes=notes)
        elif isinstance(event, Kept | Failed):
            told = event.why if isinstance(event, Kept) else event.problem
            now = self.candidates[event.candidate].current.digest
            if event.text in ("", now):  # an edit that it was about may be taken back
                self._change(event.candidate, trouble=told)

    def _end_plan(self) -> None:
        """Drops a plan that is about another text than the current one, or cannot be one now."""
        if self.plan and (name := self.plan.candidate):
            current = self.candidates[name].current.digest
            if self.plan.text != current or not self.plannable(name):
                self.plan = None

    def _change(self, candidate: str, **fields: object) -> None:
        self.candidates[candidate] = msgspec.structs.replace(self.candidates[candidate], **fields)

    def bond(self, text_digest: str) -> Bond:
        """What a judgement of that text has to be bound to, to count now."""
        return (text_digest, *self._digests)

    def verdict(self, candidate: str) -> Verdict:
        """The verdict on the candidate's current text; stale or `UNJUDGED` where there is none.

        The same object until something changes about it.
        """
        known = self._verdicts.get(candidate)
        if known is None:
            if judgement := self._judgement(candidate):
                known = self.weigher.verdict(judgement)
            elif judgement := self.latest.get(candidate):
                known = msgspec.structs.replace(UNJUDGED, stale=True, judgement=judgement)
            else:
                known = UNJUDGED
            self._verdicts[candidate] = known
        return known

    def plannable(self, candidate: str) -> bool:
        """Whether the current text may be the plan: acceptable, neither rejected nor put off."""
        standing = self.candidates[candidate].standing
        turned_down = standing in (Standing.REJECTED, Standing.DEFERRED)
        return self.verdict(candidate).acceptable and not turned_down

    def verdict_on(self, revision: Revision) -> Verdict:
        """The verdict on one version of a text, `UNJUDGED` where there is none."""
        judgement = self.judgements.get(self.bond(revision.digest))
        if judgement is None or not self._stands(judgement):
            return UNJUDGED
        return self.weigher.verdict(judgement)

    def ranking(self) -> list[str]:
        """Candidate ids, best verdict first: lowest risk, then highest `r·c`, then oldest."""
        if self._ranking is None:
            self._ranking = sorted(self.candidates, key=self.order)
        return list(self._ranking)

    def order(self, candidate: str) -> tuple[int, float]:
        """`Verdict.order` of the candidate's verdict: thousands of them cost no verdict each."""
        known = self._orders.get(candidate)
        if known is None:
            judgement = self._judgement(candidate)
            known = self.weigher.order(judgement) if judgement else UNJUDGED.order
            self._orders[candidate] = known
        return known

    def _judgement(self, candidate: str) -> Judgement | None:
        """The judgement that counts for the candidate's current text, if there is one."""
        if candidate not in self._counting:
            found = self.judgements.get(self.bond(self.candidates[candidate].current.digest))
            self._counting[candidate] = found if found and self._stands(found) else None
        return self._counting[candidate]

    def _stands(self, judgement: Judgement) -> bool:
        """Whether whoever gave it may be believed: a stand-in only while it is the judge."""
        judge = self.models.get("judge")
        return judgement.judge != STAND_IN or judge is None or judge.name == STAND_IN

    def grounds(self, candidate: str) -> tuple[Judgement | None, Judgement | None]:
        """What the candidate's verdict follows from, the weights apart."""
        return self._judgement(candidate), self.latest.get(candidate)

    def still(self) -> "State":
        """This state as it is now, for another thread to read while this one goes on."""
        still = copy.copy(self)
        told = ("candidates", "judgements", "latest", "notes")
        for name in (*told, "_verdicts", "_orders", "_counting"):
            setattr(still, name, copy.copy(getattr(self, name)))
        return still

    # What of this has to be worked out anew

    def _bears(self, candidate: str, revision: Revision) -> None:
        """A candidate has another text."""
        self._bearers.setdefault(revision.digest, []).append(candidate)
        self._forget(candidate)

    def _forget(self, candidate: str) -> None:
        """The text of a candidate, or its judgement, is another."""
        self._counting.pop(candidate, None)
        self._orders.pop(candidate, None)
        self._verdicts.pop(candidate, None)
        self._ranking = None

    def _weigh(self) -> None:
        """The weights are others."""
        self.weigher = Weigher(self.profile)
        self._orders, self._verdicts, self._ranking = {}, {}, None

    def _use(self, models: dict[str, ModelUsed]) -> None:
        """Other models are at work. With a stand-in goes what was decided on its word."""
        self.models = models
        self._counting = {}
        self._weigh()
        for candidate in self.candidates.values():
            if candidate.standing is Standing.APPROVED and not self._judgement(candidate.id):
                self._change(candidate.id, standing=Standing.PENDING, reason="")

    def _bind(self) -> None:
        """Values or scenario may be others, so that other judgements count.

        What was approved, or chosen as the plan, was so under those before.
        """
        before, self._digests = self._digests, (self.profile.digest, self.scenario.digest)
        if before != self._digests:
            self.plan = None
            for candidate in self.candidates.values():
                if candidate.standing is Standing.APPROVED:
                    self._change(candidate.id, standing=Standing.PENDING, reason="")
        self._counting = {}
        self._weigh()


def fold(records: Iterable[Record]) -> State:
    """The state after `records`, those undone left out. The first must be `Started`."""
    records = list(records)
    start = records[0].event if records else None
    if not isinstance(start, Started):
        raise ValueError("a session begins with its start")
    gone = undone(records)
    state = State(start.profile, start.scenario, start.models, start.settings)
    for record in records[1:]:
        if record.seq not in gone:
            state.apply(record)
    return state


def undone(records: Iterable[Record]) -> set[int]:
    """The numbers of the records that later ones take back.

    Raises `ValueError` where one takes back what nobody can, what came after it, or the same again.
    """
    undoable, gone = set[int](), set[int]()
    for record in records:
        if isinstance(record.event, Undone):
            if record.event.of not in undoable:
                raise ValueError(f"event {record.event.of} cannot be taken back")
            undoable.remove(record.event.of)
            gone.add(record.event.of)
        elif record.event.undoable:
            undoable.add(record.seq)
    return gone
