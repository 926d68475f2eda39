"""The pipeline: propose → judge → align → judge again → choose."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from core.domain.candidate import Case, Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import Judgement
from core.models.base import Voices
from core.session.events import Settings
from core.session.session import Session
from core.stages.align import align
from core.stages.consult import consult
from core.stages.judge import judge
from core.stages.propose import propose
from core.team import Team
from core.watch import SILENT, Advised, AnyNote, Measured, Watch

DEFAULT_CANDIDATES = 4


class Options(Struct, frozen=True, kw_only=True):
    """What a decision can be asked for."""

    candidates: int | None = None
    """How many to propose; None: four, or none where the scenario brings its own."""
    rounds: int = 1
    """How often what is not acceptable is re-aligned; 0 for never."""
    rewrites: int = 4
    """How many rewrites are tried for each in a round."""
    seed: int = 0
    agents: bool = False
    """Whether the moral agents and the aggregator bring candidates too."""

    @property
    def settings(self) -> Settings:
        """As a session notes them."""
        told = {"rounds": self.rounds, "rewrites": self.rewrites, "seed": self.seed}
        given = {"candidates": self.candidates} if self.candidates is not None else {}
        return {**given, **told, **({"agents": 1} if self.agents else {})}


def decide(
    team: Team,
    scenario: Scenario,
    profile: Profile,
    options: Options,
    *,
    keep: Callable[[Session], None] = lambda session: None,
    watch: Watch = SILENT,
) -> Session:
    """A session in which the pipeline ran through. Its last event names the plan, or says none.

    `keep` gets it after each stage, and with what came until then where one is stopped. Raises
    `Cancelled`, and `BadInput` where goal and context do not fit into the model's window.
    """
    models = team.used
    if options.agents and team.voices:
        models |= team.voices.used(profile)
    session = Session.start(profile, scenario, models=models, settings=options.settings)
    try:
        _run(session, team, options, keep, watch)
    except BaseException:
        if session.candidates:
            keep(session)
        raise
    keep(session)
    return session


def _run(
    session: Session, team: Team, options: Options, keep: Callable[[Session], None], watch: Watch
) -> None:
    """All stages, one after the other."""
    timings: dict[str, float] = {}
    with _timed(timings, "judge_s"):
        _judge(session, team, list(session.candidates), watch)
    with _timed(timings, "propose_s"):
        _propose(session, team, options, timings, watch)
    keep(session)
    if options.agents and team.voices:
        with _timed(timings, "advise_s"):
            _consult(session, team, team.voices, options, watch)
        keep(session)
    with _timed(timings, "align_s"):
        for turn in range(options.rounds):
            if not _align(session, team, options, turn, watch):
                break
            keep(session)
    timings["total_s"] = sum(timings.values())
    _choose(session, {name: round(seconds, 3) for name, seconds in timings.items()})


def _propose(
    session: Session, team: Team, options: Options, timings: dict[str, float], watch: Watch
) -> None:
    """Adds proposals, and judges what is there after each round of writing."""
    count = options.candidates
    if count is None:
        count = 0 if session.candidates else DEFAULT_CANDIDATES
    if count == 0:
        return

    def judge_new(new: dict[int, str]) -> None:
        origin = Origin(Source.POLICY, team.policy.name)
        ids = [session.propose(text, origin) for text in new.values()]
        with _timed(timings, "judge_s"):
            _judge(session, team, ids, watch)

    there = [candidate.text for candidate in session.candidates.values()]
    notice = propose(
        team.policy,
        session.state.scenario,
        count=count,
        seed=options.seed,
        avoid=there,
        on_round=judge_new,
        watch=watch,
    )
    if notice:
        session.failed("propose", notice)


def _consult(session: Session, team: Team, voices: Voices, options: Options, watch: Watch) -> None:
    """A judged candidate from each agent whose value counts, and one from the aggregator."""
    ids: dict[int, str] = {}

    def heard(note: AnyNote) -> None:
        if isinstance(note, Advised):
            ids[note.row] = session.propose(note.text, note.origin)
        elif isinstance(note, Measured):
            _measured(session, ids[note.row], note)
        watch.say(note)

    notice = consult(
        voices,
        team.judge,
        session.state.scenario,
        session.state.profile,
        seed=options.seed,
        avoid=[candidate.text for candidate in session.candidates.values()],
        watch=Watch(heard, watch.is_cancelled),
    )
    if notice:
        session.failed("advise", notice)


def _judge(session: Session, team: Team, ids: list[str], watch: Watch) -> None:
    if not ids:
        return
    texts = [session.candidates[candidate].text for candidate in ids]
    state = session.state

    def heard(note: AnyNote) -> None:
        if isinstance(note, Measured):
            _measured(session, ids[note.row], note)
        watch.say(note)

    listening = Watch(heard, watch.is_cancelled)
    judge(team.judge, state.scenario, state.profile, texts, watch=listening)


def _measured(session: Session, candidate: str, note: Measured) -> None:
    if note.judgement:
        session.judged(candidate, note.judgement)
    else:
        session.failed("judge", note.problem, candidate)


def _align(session: Session, team: Team, options: Options, turn: int, watch: Watch) -> bool:
    """One round of rewriting; whether anything changed."""
    ids = [
        candidate
        for candidate in session.candidates
        if (verdict := session.verdict(candidate)).judgement and not verdict.acceptable
    ]
    if not ids or options.rewrites < 1:
        return False
    state = session.state
    results = align(
        team.policy,
        team.judge,
        state.scenario,
        state.profile,
        [_case(session, candidate) for candidate in ids],
        rewrites=options.rewrites,
        seed=options.seed + 7919 * (turn + 1),
        watch=watch,
    )
    changed = False
    for candidate, result in zip(ids, results, strict=True):
        if result.judgement:
            session.realigned(candidate, result.text, team.policy.name)
            session.judged(candidate, result.judgement)
            changed = True
        else:
            session.kept(candidate, result.why)
    return changed


def _case(session: Session, candidate: str) -> Case:
    judgement: Judgement | None = session.verdict(candidate).judgement
    return Case(text=session.candidates[candidate].text, judgement=judgement)


def _choose(session: Session, timings: dict[str, float]) -> None:
    """Lowest risk, then highest `r·c`, among what is acceptable; never the least bad in silence."""
    for candidate in session.state.ranking():
        verdict = session.verdict(candidate)
        if verdict.acceptable:
            why = (
                f"{verdict.risk} risk, the lowest level of what is acceptable, and of that the "
                f"highest alignment with the values, {verdict.alignment:.2f}"
            )
            session.choose(candidate, why, timings)
            return
    if session.candidates:
        why = "the judge would approve none of the candidates, nor any rewrite of them"
    else:
        why = "there was no candidate to choose from"
    session.choose("", why, timings)


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Adds the seconds spent within, but for those that are timed under another name."""
    began, others = time.monotonic(), sum(timings.values())
    yield
    others = sum(timings.values()) - others
    timings[name] = timings.get(name, 0.0) + time.monotonic() - began - others
