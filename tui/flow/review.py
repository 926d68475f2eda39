"""One session under review: what the operator does, and what is in view."""

import re
from datetime import datetime
from pathlib import Path

import msgspec

from core import paths
from core.domain.candidate import Candidate, Origin, Source, Standing
from core.domain.scenario import HandedIn, Scenario
from core.domain.values import Profile, Value
from core.domain.verdict import Risk
from core.domain.whatif import CONTENDERS, WhatIf, what_if
from core.errors import Refused
from core.session.events import Approved, Record, Rejected
from core.session.session import Session
from core.session.store import LARGEST, Store
from tui.flow.jobs import Kind
from tui.flow.listing import Order, Rows, listing
from tui.flow.looking import Looking
from tui.flow.news import Change, News, Tone
from tui.flow.saving import Saver
from tui.flow.work import Work

_TOLD = {
    "approved": "the approval of {0}",
    "rejected": "the rejection of {0}",
    "deferred": "the deferral of {0}",
    "revised": "the last version of {0}",
    "noted": "a note",
    "weights-set": "the change of weights",
    "profile-set": "the change of values",
    "scenario-set": "the change of scenario",
}

_DOING = {
    Kind.JUDGE: "judging",
    Kind.ALIGN: "re-aligning",
    Kind.PROPOSE: "judging",
    Kind.CONSULT: "judging",
}


def new_path(scenario: Scenario) -> Path:
    """Where a new session about that scenario is kept."""
    name = re.sub(r"[^a-z0-9]+", "-", (scenario.name or "session").lower()).strip("-") or "session"
    stem = f"{datetime.now():%Y-%m-%d-%H%M%S}-{name[:40]}"
    path = paths.sessions() / f"{stem}.toml"
    number = 2
    while path.exists():
        path = paths.sessions() / f"{stem}-{number}.toml"
        number += 1
    return path


class Review:
    """The session, its file, its worker, and the operator's place in it.

    Every method that changes anything raises `Refused` where a guard of the session says no.
    """

    def __init__(
        self,
        session: Session,
        work: Work,
        store: Store,
        *,
        looking: Looking | None = None,
        blind: bool = False,
        resumed: bool = False,
    ) -> None:
        self.session = session
        self.work = work
        self.news: News = work.news
        self.looking = looking or Looking()
        self.blind = blind
        self.order = Order.RANK
        self.needle = ""
        self.saver = Saver(session, store, lambda: self.news.changed(Change.SAVING))
        self._seen: set[tuple[str, str]] = set()
        """Candidates, with the digest of their text, whose verdict was shown before a decision."""
        self._shown: set[tuple[str, str]] = set()
        """The same, of verdicts in view at any time, also before blind mode was on."""
        self._brought = 0
        """The number of the last event that came from the worker and can be undone."""
        self._before: dict[str, int] = {}
        self._stuck: tuple[object, list[str]] = (None, [])
        if resumed:
            self.saver.opened()
        work.session = session
        self._end = session.subscribe(self._happened)
        if work.models:
            session.use_models(work.models)
        self._all_shown()  # what has a verdict may have been in view here before

    async def close(self) -> None:
        """Lets go of the session; all of it is on disk then, if that can be."""
        self._end()
        if self.work.session is self.session:
            self.work.leave()
        await self.saver.flush()
        self.saver.free()

    def _happened(self, record: Record) -> None:
        kind = record.event.__struct_config__.tag
        if kind not in ("weights-set", "undone", "judged"):
            self._before = {}
        if self.work.hearing and record.event.undoable:
            self._brought = record.seq
            self.looking.came()
        self.saver.ask()
        change = Change.CANDIDATES
        if kind in ("weights-set", "profile-set", "undone"):
            change |= Change.VALUES
        if kind in ("scenario-set", "undone"):
            change |= Change.SCENARIO
        self.news.changed(change)

    # What is in view

    @property
    def profile(self) -> Profile:
        """The values that count now."""
        return self.session.state.profile

    @property
    def scenario(self) -> Scenario:
        """The scenario that counts now."""
        return self.session.state.scenario

    def candidate(self, name: str) -> Candidate | None:
        """The candidate of that id, if it is one and not a draft."""
        return self.session.candidates.get(name)

    def hides(self, name: str) -> bool:
        """Whether the verdict on a candidate is kept back until there is a decision."""
        found = self.candidate(name)
        return bool(
            self.blind
            and found
            and not found.standing.decided
            and self._as_now(name) not in self._seen
        )

    @property
    def hiding(self) -> bool:
        """Whether any verdict is kept back."""
        return self.blind and any(self.hides(name) for name in self.session.candidates)

    def shown(self, name: str) -> None:
        """Notes that the verdict on a candidate is in view."""
        self._shown.add(self._as_now(name))

    def _all_shown(self) -> None:
        """Notes that of all candidates that have a verdict: the list shows risk and rank of all."""
        for name in self.session.candidates:
            if any(self.session.state.grounds(name)):
                self.shown(name)

    def is_blind(self, name: str) -> bool:
        """Whether a decision now is one without its verdict ever having been in view."""
        return self.hides(name) and self._as_now(name) not in self._shown

    def reveal(self, name: str) -> None:
        """Shows a verdict that was kept back. From here on the decision is not blind."""
        self._seen.add(self._as_now(name))
        self.news.changed(Change.CANDIDATES)

    def _as_now(self, name: str) -> tuple[str, str]:
        return name, self.session.candidates[name].current.digest

    def rows(self) -> Rows:
        """The candidates as they are to be listed."""
        drafts: dict[str, str] = {}
        doing: dict[str, str] = {}
        for job in self.work.jobs.values():
            for place, text in job.drafts.items():
                drafts[job.row(place)] = text
            for name in [*job.candidates, *job.written.values()]:
                doing[name] = _DOING.get(job.kind, "")
        hidden = (
            frozenset(name for name in self.session.candidates if self.hides(name))
            if self.blind
            else frozenset[str]()
        )
        return listing(
            self.session.state,
            order=self.order,
            needle=self.needle,
            hidden=hidden,
            before=self._before,
            drafts=drafts,
            doing=doing,
        )

    def counts(self) -> tuple[int, int]:
        """How many candidates there are, and how many are still to be decided."""
        found = self.session.candidates.values()
        return len(found), sum(not candidate.standing.decided for candidate in found)

    def draft(self, name: str) -> str:
        """What is being written for a candidate, or as one."""
        for job in self.work.jobs.values():
            for place, text in job.drafts.items():
                if job.row(place) == name:
                    return text
        return ""

    def what_if(self, name: str) -> WhatIf | None:
        """The smallest change of one weight that would change something."""
        state = self.session.state
        others = [] if self.hiding else state.ranking()[:CONTENDERS]  # an order would tell of them
        looked_at = dict.fromkeys([*others, name])
        verdicts = {found: state.verdict(found) for found in looked_at}
        return what_if(
            {
                found: verdict.judgement
                for found, verdict in verdicts.items()
                if verdict.judgement and not verdict.stale
            },
            self.profile,
            name,
        )

    def judged_at(self, name: str) -> str:
        """When the verdict in view was given, UTC, ISO 8601; empty where there is none."""
        if (found := self.session.verdict(name).judgement) is None:
            return ""
        return self.session.state.judged_at[found.text, found.profile, found.scenario]

    def stuck(self) -> list[str]:
        """Candidates still to be decided that have no verdict that counts, and none coming."""
        known = (len(self.session.records), tuple(self.work.jobs))
        if self._stuck[0] != known:
            found = [name for name in self.unjudged() if not self.work.expects(self.session, name)]
            self._stuck = (known, found)
        return self._stuck[1]

    def what_to_do(self, name: str) -> str:
        """What has to happen before a candidate can be approved; empty where it can be."""
        verdict = self.session.verdict(name)
        if verdict.risk is Risk.UNJUDGED and self.work.expects(self.session, name):
            return "It is being judged; its verdict is on its way."
        if verdict.stale:
            return "The verdict is stale: text, values, scenario or judge have changed since."
        if verdict.risk is Risk.UNJUDGED:
            return "There is no verdict yet, and no verdict is not a low risk."
        return ""

    # Decisions

    def approve(self, name: str, reason: str = "", *, of: str, blind: bool = False) -> None:
        """Says yes to the text with the digest `of`."""
        seconds = self.looking.seconds(name)
        self.session.approve(name, reason, of=of, blind=blind, seconds=seconds)
        self._decided(name, "Approved", reason)

    def reject(self, name: str, reason: str, *, of: str, blind: bool = False) -> None:
        """Says no to the text with the digest `of`, and why."""
        seconds = self.looking.seconds(name)
        self.session.reject(name, reason, of=of, blind=blind, seconds=seconds)
        self._decided(name, "Rejected", reason)

    def defer(self, name: str) -> None:
        """Puts a candidate off."""
        self.session.defer(name)
        self.news.say(f"Deferred {name}. {self.news.key_of('undo')} takes it back.")

    def undo(self) -> None:
        """Takes back the last thing that happened, and says what that was."""
        record = self.session.undo()
        if isinstance(record.event, Approved | Rejected):
            self._seen.add(self._as_now(record.event.candidate))
        self.news.say(f"Undone: {_told(record)}. The log keeps both.")

    def just_came(self) -> str:
        """What undo would take back, where that came by itself only just now; empty elsewhere."""
        record = self.session.to_undo()
        sudden = record and record.seq == self._brought and self.looking.just_came()
        return _told(record) if record and sudden else ""

    def note(self, text: str, name: str) -> None:
        """Adds a remark."""
        self.session.note(text, name if name in self.session.candidates else "")
        self.news.say("Noted.")

    def edit(self, name: str, text: str) -> None:
        """Gives a candidate another text, and has it judged at once."""
        self.session.edit(name, text)
        self.work.judge([name])

    def realign(self, name: str, guidance: str) -> None:
        """Asks for a better text; a rejected candidate may come back this way."""
        self.session.refuse_approved(name)
        self.work.realign(name, guidance)

    def unjudged(self) -> list[str]:
        """Candidates still to be decided that have no verdict that counts."""
        return [
            name
            for name, candidate in self.session.candidates.items()
            if not candidate.standing.decided
            and self.session.state.order(name)[0] == Risk.UNJUDGED.order
        ]

    def check(self) -> int:
        """Has everything judged that has no verdict that counts; gives how many that are."""
        found = self.stuck()
        if found:
            self.work.judge(found)
        return len(found)

    def guidance_for(self, name: str) -> str:
        """The reason why a candidate is rejected, if it is: guidance for its next re-align."""
        found = self.session.candidates[name]
        return found.reason if found.standing is Standing.REJECTED else ""

    def _decided(self, name: str, what: str, reason: str) -> None:
        self.looking.decided(name)
        if self.session.candidates[name].standing.decided:
            self._seen.add(self._as_now(name))  # it is shown from here on
        told = f" “{reason}”" if reason else ""
        self.news.say(f"{what} {name}.{told} {self.news.key_of('undo')} takes it back.")

    # Values and scenario

    def set_weight(self, value: str, weight: float) -> None:
        """Moves one weight, and says what changed place."""
        if not self._before:
            self._before = self._ranks()
        self.session.set_weights({value: round(min(1.0, max(0.0, weight)), 2)})
        counts = f"{value} counts {self.profile.weights[value]:.2f}"
        if self.hiding:
            self.news.say(f"{counts}.")  # who gained and who lost would give verdicts away
            return
        now = self._ranks()
        moved = sum(self._before[name] != place for name, place in now.items())
        if not moved:
            told = "no candidate changed place" if now else "there is nothing to rank yet"
        else:
            told = f"{moved} changed place, {next(iter(now))} comes first"
        self.news.say(f"{counts}: {told}.")

    def set_value(self, value: Value) -> None:
        """Changes one value, or adds it where there is none of that id."""
        values = list(self.profile.values)
        places = [place for place, known in enumerate(values) if known.id == value.id]
        if places:
            values[places[0]] = value
        else:
            values.append(value)
        self._set_values(tuple(values))

    def remove_value(self, value: str) -> None:
        """Takes a value out."""
        self._set_values(tuple(known for known in self.profile.values if known.id != value))

    def set_profile(self, profile: Profile) -> None:
        """Goes by other values."""
        self.session.set_profile(profile)
        self._tell_stale()

    def set_scenario(self, **fields: str) -> None:
        """Changes goal, context or title."""
        try:
            changed = msgspec.structs.replace(self.scenario, **fields)
        except ValueError as error:
            raise Refused(str(error)) from None
        self.session.set_scenario(changed)
        self._tell_stale()

    def take_in(self, texts: tuple[HandedIn, ...]) -> int:
        """Adds candidates that somebody handed in; gives how many were new.

        Refused where the file has half of what can be read: verdicts and decisions are to come.
        """
        if self.saver.size > LARGEST // 2:
            raise Refused(
                f"the session has {self.saver.size:,} bytes; with many more it could not be opened "
                "again",
                mend="Begin another one for them.",
            )
        known = {candidate.text for candidate in self.session.candidates.values()}
        fresh: dict[str, HandedIn] = {}
        for text in texts:
            if text.text not in known:
                fresh.setdefault(text.text, text)
        for handed_in in fresh.values():
            self.session.propose(handed_in.text, Origin(Source.HANDED_IN, handed_in.source))
        return len(fresh)

    def _set_values(self, values: tuple[Value, ...]) -> None:
        try:
            changed = msgspec.structs.replace(self.profile, values=values)
        except ValueError as error:
            raise Refused(str(error)) from None
        self.session.set_profile(changed)
        self._tell_stale()

    def _tell_stale(self) -> None:
        stale = sum(
            self.session.verdict(name).stale
            for name, found in self.session.candidates.items()
            if not found.standing.decided
        )
        if stale:
            verdicts = "1 verdict is" if stale == 1 else f"{stale} verdicts are"
            key = self.news.key_of("judge")
            self.news.say(
                f"{verdicts} stale now. {key} has all of them judged again.", Tone.WARNING
            )

    def _ranks(self) -> dict[str, int]:
        ranking = self.session.state.ranking()
        return {name: place for place, name in enumerate(ranking, start=1)}

    # Looks of the list

    def set_needle(self, needle: str) -> None:
        """Shows only candidates that contain all these words."""
        self.needle = needle
        self.news.changed(Change.CANDIDATES)

    def next_order(self) -> None:
        """Sorts by the next thing."""
        self.order = self.order.next
        self.news.changed(Change.CANDIDATES)

    def toggle_blind(self) -> None:
        """Switches blind mode."""
        if not self.blind:
            self._all_shown()
        self.blind = not self.blind
        self.news.changed(Change.ALL)
        if self.blind:
            self.news.say("Blind mode: verdicts and ranks stay hidden until you have decided.")
        else:
            self.news.say("Blind mode is off: verdicts are in view.")


def _told(record: Record) -> str:
    """What an event that can be undone is called."""
    kind = str(record.event.__struct_config__.tag)
    return _TOLD.get(kind, kind).format(getattr(record.event, "candidate", ""))
