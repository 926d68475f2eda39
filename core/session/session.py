"""A session: an append-only log of events, folded into state. Every guard lives here."""

import getpass
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from core import __version__
from core.domain.candidate import Candidate, Origin, Source, Standing
from core.domain.scenario import LONGEST_TEXT, Scenario
from core.domain.text import storable
from core.domain.values import Profile
from core.domain.verdict import Judgement, Risk, Verdict
from core.errors import Refused
from core.session.events import (
    FIRST,
    AnyEvent,
    Approved,
    Chosen,
    Deferred,
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
    seal,
)
from core.session.state import State, fold, undone

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def operator_name() -> str:
    """Who is logged in at this workstation, as UTF-8 can hold it."""
    try:
        return storable(getpass.getuser())
    except (OSError, KeyError, ImportError):  # no name in the environment, nor accounts to ask
        return "unknown"


class Session:
    """What happened, in order, and what it amounts to.

    Every change goes through a method here; each posts one event or raises `Refused` and changes
    nothing. Subscribers are called after every event with its record.
    """

    def __init__(
        self, records: Iterable[Record], *, operator: str = "", clock: Clock = now
    ) -> None:
        """Takes up a log that exists. `Session.start` begins a new one."""
        self.records = list(records)
        self.state: State = fold(self.records)
        self.operator = operator or operator_name()
        self._clock = clock
        self._subscribers: list[Callable[[Record], None]] = []

    @classmethod
    def start(
        cls,
        profile: Profile,
        scenario: Scenario,
        *,
        models: Mapping[str, ModelUsed] | None = None,
        settings: Settings | None = None,
        operator: str = "",
        clock: Clock = now,
    ) -> "Session":
        """A new session; candidates handed in with the scenario are its first."""
        event = Started(
            placet=__version__,
            profile=profile,
            scenario=scenario,
            models=dict(models or {}),
            settings=settings or {},
        )
        operator = operator or operator_name()
        session = cls(
            [seal(1, _stamp(clock), operator, event, FIRST)], operator=operator, clock=clock
        )
        for handed_in in scenario.candidates:
            session.propose(handed_in.text, Origin(Source.HANDED_IN, handed_in.source))
        return session

    # What it amounts to

    @property
    def head(self) -> str:
        """The digest of the last event. Whoever notes it down can later tell if the log was cut."""
        return self.records[-1].digest

    @property
    def candidates(self) -> dict[str, Candidate]:
        """The candidates by id, oldest first."""
        return self.state.candidates

    def verdict(self, candidate: str) -> Verdict:
        """The verdict on a candidate's current text."""
        return self.state.verdict(self._known(candidate).id)

    def subscribe(self, callback: Callable[[Record], None]) -> Callable[[], None]:
        """Calls `callback` after every event; gives a function that ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    # What models and other programs bring

    def propose(self, text: str, origin: Origin) -> str:
        """Adds a candidate and gives its id."""
        text, origin = self._text(text), Origin(origin.source, storable(origin.name))
        number = len(self.candidates) + 1
        while f"c{number}" in self.candidates:
            number += 1
        self._post(Proposed(candidate=f"c{number}", text=text, origin=origin))
        return f"c{number}"

    def judged(self, candidate: str, judgement: Judgement) -> None:
        """Takes in what a judge measured. It counts only for the exact text it was about.

        Refused where its numbers are none, or are incomplete.
        """
        known = self._known(candidate).id
        if not judgement.sound:
            raise Refused(
                f"the judge gave numbers that are none, or not all of them, for {candidate}"
            )
        self._post(Judged(candidate=known, judgement=judgement))

    def failed(self, stage: str, problem: str, candidate: str = "", *, of: str = "") -> None:
        """Takes in that a stage gave nothing; for a candidate, of the text with the digest `of`."""
        now = self._known(candidate).current.digest if candidate else ""
        problem = storable(problem)
        self._post(Failed(stage=stage, problem=problem, candidate=candidate, text=of or now))

    def realigned(
        self, candidate: str, text: str, model: str = "", guidance: str = "", *, of: str = ""
    ) -> None:
        """Takes in a rewrite by the aligner, of the text with the digest `of`.

        Refused where another text counts by now, and where the one that counts is approved.
        """
        self._about(candidate, of)
        self.refuse_approved(candidate)
        self._revise(candidate, text, Origin(Source.ALIGNER, model), guidance)

    def kept(self, candidate: str, why: str, guidance: str = "", *, of: str = "") -> None:
        """Takes in that re-aligning left the text as it was. Refused where another one counts."""
        told, asked = storable(why), storable(guidance)
        text = self._about(candidate, of).current.digest
        self._post(Kept(candidate=candidate, why=told, guidance=asked, text=text))

    def choose(self, candidate: str, why: str, timings: Mapping[str, float] | None = None) -> None:
        """Settles on a plan; an empty `candidate` says that nothing was acceptable."""
        text = self._known(candidate).current.digest if candidate else ""
        if candidate and not self.state.plannable(candidate):
            raise Refused(f"{candidate} is not acceptable as it stands, so it cannot be the plan")
        self._post(Chosen(candidate=candidate, text=text, why=why, timings=dict(timings or {})))

    def use_models(self, models: Mapping[str, ModelUsed]) -> None:
        """Notes which models count from here on."""
        if dict(models) != self.state.models:
            self._post(ModelsSet(models=dict(models), settings=self.state.settings))

    # What the operator does

    def approve(
        self,
        candidate: str,
        reason: str = "",
        *,
        of: str = "",
        blind: bool = False,
        seconds: float = 0.0,
    ) -> None:
        """Says yes to the exact text as it stands.

        Refused where there is no verdict on it, where the judge advises otherwise unless a reason
        is given, and where it is not the text with the digest `of`, the one that was read.
        """
        found = self._about(candidate, of)
        verdict = self.verdict(candidate)
        if found.standing is Standing.APPROVED:
            raise Refused(f"{candidate} is approved already")
        if verdict.stale:
            raise Refused(
                f"the verdict on {candidate} is stale: text, values, scenario or judge "
                "have changed",
                mend="Have it judged again first.",
            )
        if verdict.risk is Risk.UNJUDGED:
            raise Refused(
                f"{candidate} has no verdict, and no verdict is not a low risk",
                mend="Have it judged first.",
            )
        against = self.needs_reason(candidate)
        if against and not reason.strip():
            raise Refused(
                f"the judge finds {candidate} {verdict.risk} and recommends: "
                f"{verdict.recommendation}",
                mend="Approving it all the same needs a reason.",
            )
        self._post(
            Approved(
                candidate=candidate,
                text=found.current.digest,
                risk=verdict.risk,
                alignment=verdict.alignment,
                against_advice=against,
                reason=self._remark(reason),
                blind=blind,
                seconds=round(seconds, 1),
            )
        )

    def needs_reason(self, candidate: str) -> bool:
        """Whether approving goes against the judge: HIGH risk, or it recommends otherwise."""
        return not self.verdict(candidate).acceptable

    def reject(
        self,
        candidate: str,
        reason: str,
        *,
        of: str = "",
        blind: bool = False,
        seconds: float = 0.0,
    ) -> None:
        """Says no, and why. Refused without a reason, and for another text than `of` as above."""
        found = self._about(candidate, of)
        if found.standing is Standing.REJECTED:
            raise Refused(f"{candidate} is rejected already")
        if not reason.strip():
            raise Refused(
                "a rejection needs a reason", mend="It is offered as guidance to the next re-align."
            )
        verdict = self.verdict(candidate)
        self._post(
            Rejected(
                candidate=candidate,
                text=found.current.digest,
                risk=verdict.risk,
                reason=self._remark(reason),
                against_advice=verdict.acceptable,
                blind=blind,
                seconds=round(seconds, 1),
            )
        )

    def defer(self, candidate: str) -> None:
        """Puts a candidate off. Refused where it is approved."""
        self.refuse_approved(candidate)
        if self._known(candidate).standing is Standing.DEFERRED:
            raise Refused(f"{candidate} is deferred already")
        self._post(Deferred(candidate=candidate))

    def refuse_approved(self, candidate: str) -> None:
        """Refuses where the candidate is approved, which nothing ends in passing.

        Whoever would ask the operator or a model for something first asks this before.
        """
        if self._known(candidate).standing is Standing.APPROVED:
            raise Refused(f"{candidate} is approved", mend="Take the approval back first.")

    def edit(self, candidate: str, text: str) -> None:
        """Gives a candidate another text. Its verdict is stale from then on."""
        self._revise(candidate, text, Origin(Source.OPERATOR, self.operator), "")

    def note(self, text: str, candidate: str = "") -> None:
        """Adds a remark."""
        if not text.strip():
            raise Refused("an empty note says nothing")
        self._post(
            Noted(text=self._text(text), candidate=self._known(candidate).id if candidate else "")
        )

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Changes the moral profile vector; the ranking follows at once, without a model."""
        unknown = set(weights) - set(self.state.profile.weights)
        if unknown:
            raise Refused(f"there is no value {min(unknown)!r} in this profile")
        changed = {**self.state.profile.weights, **weights}
        if any(not 0.0 <= weight <= 1.0 for weight in changed.values()):
            raise Refused("a weight lies between 0 and 1")
        if not any(changed.values()):
            raise Refused("every weight would be 0, so nothing would count")
        if changed != self.state.profile.weights:
            self._post(WeightsSet(weights=changed))

    def last_weight(self, value: str) -> float:
        """The last weight above 0 that a value had and nobody took back; 1 where it had none."""
        gone = undone(self.records)
        for record in reversed(self.records):
            event, weights = record.event, dict[str, float]()
            if isinstance(event, WeightsSet):
                weights = event.weights
            elif isinstance(event, Started | ProfileSet):
                weights = event.profile.weights
            if record.seq not in gone and weights.get(value):
                return weights[value]
        return 1.0

    def set_profile(self, profile: Profile) -> None:
        """Changes the values. Where a statement changed, verdicts are stale."""
        if profile != self.state.profile:
            self._post(ProfileSet(profile=profile))

    def set_scenario(self, scenario: Scenario) -> None:
        """Changes goal or context. Verdicts given elsewhere are stale."""
        if scenario != self.state.scenario:
            self._post(ScenarioSet(scenario=scenario))

    def undo(self) -> Record:
        """Takes back the last action that still counts, and gives its record."""
        record = self.to_undo()
        if record is None:
            raise Refused("there is nothing to undo")
        self._post(Undone(of=record.seq))
        return record

    def to_undo(self) -> Record | None:
        """What `undo` would take back: something the operator did, or a rewrite."""
        gone = undone(self.records)
        for record in reversed(self.records):
            if record.event.undoable and record.seq not in gone:
                return record
        return None

    # How an event gets in

    def _revise(self, candidate: str, text: str, origin: Origin, guidance: str) -> None:
        text, guidance = self._text(text), storable(guidance)
        if text == self._known(candidate).text:
            raise Refused(f"the text of {candidate} is the same as before")
        self._post(Revised(candidate=candidate, text=text, origin=origin, guidance=guidance))

    def _post(self, event: AnyEvent) -> None:
        record = seal(len(self.records) + 1, _stamp(self._clock), self.operator, event, self.head)
        self.records.append(record)
        if isinstance(event, Undone):
            self.state = fold(self.records)
        else:
            self.state.apply(record)
        for callback in tuple(self._subscribers):
            callback(record)

    def _known(self, candidate: str) -> Candidate:
        try:
            return self.candidates[candidate]
        except KeyError:
            raise Refused(f"there is no candidate {candidate!r}") from None

    def _about(self, candidate: str, of: str) -> Candidate:
        """The candidate, if the digest `of` is that of its text; an empty one names no text."""
        found = self._known(candidate)
        if of and of != found.current.digest:
            raise Refused(f"{candidate} was changed meanwhile", mend="Read it again first.")
        return found

    @staticmethod
    def _text(text: str) -> str:
        text = storable(text)
        if not text.strip():
            raise Refused("the text is empty")
        if len(text) > LONGEST_TEXT:
            raise Refused(f"the text is longer than {LONGEST_TEXT:,} characters")
        return text

    @staticmethod
    def _remark(text: str) -> str:
        return storable(text.strip())[:LONGEST_TEXT]


def _stamp(clock: Clock) -> str:
    return clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
