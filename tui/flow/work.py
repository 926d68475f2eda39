"""What is asked of the engine, and what its answers mean for the session."""

from collections.abc import Callable, Sequence
from itertools import count

from msgspec import structs

from core.config import Defaults, change_config, load_config
from core.domain.candidate import Candidate, Case, Origin, Source
from core.engine.protocol import (
    Align,
    Consult,
    Finished,
    Hello,
    Judge,
    Load,
    Propose,
    Pull,
    Ready,
    Reply,
    Said,
    Task,
    Trouble,
    Vitals,
)
from core.errors import PlacetError, Refused
from core.session.events import Failed, Kept, ModelUsed, Proposed, Revised, Undone
from core.session.session import Session
from core.watch import Advised, AnyNote, Dropped, Growing, Measured, Progress, Rewritten, Written
from tui.flow.engine import EngineLike, Hear
from tui.flow.jobs import Job, Kind
from tui.flow.news import Change, News, Tone

_MODELS = (Kind.LOAD, Kind.PULL)
"""What is not about a session."""


class Work:
    """The jobs of one worker. It may serve one session after another."""

    def __init__(self, make: Callable[[Hear], EngineLike], news: News, defaults: Defaults) -> None:
        """`make` gives the engine, once it is needed; by `defaults` goes what a key asks for."""
        self._make = make
        self.engine: EngineLike | None = None
        self.news = news
        self.defaults = defaults
        self.session: Session | None = None
        self.jobs: dict[str, Job] = {}
        self.models: dict[str, ModelUsed] = {}
        self.wanted = ("", "")
        """The policy and the judge last asked for."""
        self.place = ("auto", "auto")
        """The device and the format that they are asked for in."""
        self.unasked = False
        """Whether they have to be asked for before anything else: at the start, and again after
        they could not be had, or were lost with the worker."""
        self.vitals: Vitals | None = None
        self.trouble = ""
        """Why the worker or the models are not there."""
        self.hearing = False
        """Whether what changes now comes from the worker, and not from the operator."""
        self._loaded: tuple[str, str] | None = None
        """The policy and the judge that were asked for by those names and came last."""
        self._number = count(1)

    # Asking

    async def start(self) -> None:
        """Starts the worker and asks for the first models, unless a job has done so already."""
        self._load_first()
        if self.engine:
            await self.engine.start()

    async def stop(self) -> None:
        """Stops the worker."""
        if self.engine:
            await self.engine.stop()

    def load(self, policy: str, judge: str, chosen: dict[str, str] | None = None) -> None:
        """Asks for models. Once they are there, those `chosen`, by role, become the defaults."""
        self.unasked = False
        self.wanted = (policy, judge)
        device, dtype = self.place
        job = self._job(Kind.LOAD)
        job.chosen, job.pair = chosen or {}, self.wanted
        self._submit(job, Load(job=job.id, policy=policy, judge=judge, device=device, dtype=dtype))

    def propose(self, many: int | None = None) -> None:
        """Asks for candidates unlike the latest that there are."""
        session = self._served()
        job = self._job(Kind.PROPOSE)
        self._submit(
            job,
            Propose(
                job=job.id,
                profile=session.state.profile,
                scenario=session.state.scenario,
                count=many or self.defaults.candidates,
                seed=self._seed(session),
                avoid=_latest(session),
            ),
        )

    def consult(self) -> None:
        """Asks the moral agents of the values that count, and the aggregator."""
        session = self._served()
        job = self._job(Kind.CONSULT)
        self._submit(
            job,
            Consult(
                job=job.id,
                profile=session.state.profile,
                scenario=session.state.scenario,
                seed=self._seed(session),
                avoid=_latest(session),
            ),
        )

    def judge(self, candidates: Sequence[str]) -> None:
        """Asks for a verdict on each candidate's current text."""
        session = self._served()
        found = [session.candidates[name] for name in candidates if not self.expects(session, name)]
        if not found:
            return
        job = self._job(Kind.JUDGE, found)
        self._submit(
            job,
            Judge(
                job=job.id,
                profile=session.state.profile,
                scenario=session.state.scenario,
                texts=tuple(candidate.text for candidate in found),
            ),
        )

    def realign(self, candidate: str, guidance: str) -> None:
        """Asks for a better text."""
        session = self._served()
        found = session.candidates[candidate]
        if any(
            job.kind is Kind.ALIGN and candidate in job.candidates for job in self.jobs.values()
        ):
            told = f"{self.news.key_of('cancel')} cancels it."
            raise Refused(f"{candidate} is being re-aligned already", mend=told)
        verdict = session.verdict(candidate)
        job = self._job(Kind.ALIGN, [found])
        job.guidance = guidance
        case = Case(
            text=found.text,
            judgement=None if verdict.stale else verdict.judgement,
            guidance=guidance,
        )
        self._submit(
            job,
            Align(
                job=job.id,
                profile=session.state.profile,
                scenario=session.state.scenario,
                cases=(case,),
                rewrites=self.defaults.rewrites,
                seed=self._seed(session),
            ),
        )

    def pull(self, model: str) -> None:
        """Asks for a model to be brought onto this machine."""
        job = self._job(Kind.PULL, model=model)
        self._submit(job, Pull(job=job.id, model=model))

    def cancel(self) -> bool:
        """Cancels what was asked about the session; gives whether there was anything."""
        found = self.about_session
        self._cancel(found)
        return bool(found)

    def stop_pulling(self) -> bool:
        """Cancels the bringing of a model; gives whether one was being brought."""
        found = [job for job in self.jobs.values() if job.kind is Kind.PULL]
        self._cancel(found)
        return bool(found)

    def leave(self) -> None:
        """Cancels what was asked about the session and forgets it; what still comes is dropped.

        Models are brought and loaded on: the next session is served by them as well.
        """
        self.cancel()
        self.session = None
        self.jobs = {name: job for name, job in self.jobs.items() if job.kind in _MODELS}

    def _cancel(self, jobs: Sequence[Job]) -> None:
        for job in reversed(jobs):
            job.cancelling = True
            if self.engine:
                self.engine.cancel(job.id)
        self.news.changed(Change.WORK)

    # What is going on

    @property
    def current(self) -> Job | None:
        """The job that runs, the first one waiting if none has said anything yet."""
        return next(iter(self.jobs.values()), None)

    @property
    def about_session(self) -> list[Job]:
        """The jobs that `cancel` ends: all but those that bring or load models."""
        return [job for job in self.jobs.values() if job.kind not in _MODELS]

    @property
    def loading(self) -> bool:
        """Whether models are being loaded."""
        return any(job.kind is Kind.LOAD for job in self.jobs.values())

    @property
    def pulling(self) -> Job | None:
        """The job that brings a model, if there is one."""
        return next((job for job in self.jobs.values() if job.kind is Kind.PULL), None)

    def expects(self, session: Session, candidate: str) -> bool:
        """Whether a verdict on its current text, under these values, is on its way."""
        found = session.candidates.get(candidate)
        if session is not self.session or found is None:
            return False
        text, about = found.current.digest, _about(session)
        return any(
            job.about == about
            and (
                (candidate in job.written.values() and text == found.revisions[0].digest)
                or (job.kind is Kind.JUDGE and (candidate, text) in job.asked)
            )
            for job in self.jobs.values()
        )

    def busy_with(self, candidate: str) -> Kind | None:
        """What is being done about a candidate, if anything."""
        for job in self.jobs.values():
            if candidate in job.candidates or candidate in job.written.values():
                return job.kind
        return None

    @property
    def echo(self) -> bool:
        """Whether the stand-in that needs no weights is at work."""
        names = [used.name for used in self.models.values()] or list(self.wanted)
        return "echo" in names

    @property
    def _policy_name(self) -> str:
        used = self.models.get("policy")
        return used.name if used else self.wanted[0]

    # Hearing

    def hear(self, reply: Reply) -> None:
        """Takes in one line of the worker. Whatever is wrong with it, the rest goes on."""
        self.hearing = True
        try:
            self._take_in(reply)
        except PlacetError as error:
            self.news.say(f"What came from the worker was refused: {error.problem}", Tone.ERROR)
        finally:
            self.hearing = False

    def _take_in(self, reply: Reply) -> None:
        if isinstance(reply, Said):
            if job := self.jobs.get(reply.job):
                self._said(job, reply.note)
        elif isinstance(reply, Vitals):
            self.vitals = reply
            self.news.changed(Change.WORK)
        elif isinstance(reply, Ready):
            self.models, self.trouble = reply.models, ""
            if (job := self.jobs.get(reply.job)) and job.kind is Kind.LOAD:
                self._loaded = job.pair
                self._remember(job.chosen)
            if self.session:
                self.session.use_models(reply.models)
            self.news.changed(Change.WORK)
        elif isinstance(reply, Finished):
            self._finished(reply)
        elif isinstance(reply, Trouble):
            self._troubled(reply)
        elif isinstance(reply, Hello):
            self.trouble = ""
            self.news.changed(Change.WORK)

    def _said(self, job: Job, note: AnyNote) -> None:
        session = self.session
        if isinstance(note, Progress):
            job.progress = note
            self.news.changed(Change.WORK)
            return
        if session is None:
            return
        if isinstance(note, Growing):
            job.drafts[note.row] = note.text
            self.news.changed(Change.DRAFTS)
        elif isinstance(note, Dropped):
            job.drafts.pop(note.row, None)
            self.news.changed(Change.DRAFTS | Change.CANDIDATES)
        elif isinstance(note, Measured):
            self._measured(session, job, note)
        else:
            job.drafts.pop(note.row, None)
            job.answered.add(note.row)
            if self._too_late(session, job):
                self.news.changed(Change.DRAFTS | Change.CANDIDATES)
            elif isinstance(note, Written):
                self._written(session, job, note, Origin(Source.POLICY, self._policy_name))
            elif isinstance(note, Advised):
                self._written(session, job, note, note.origin)
            else:
                self._rewritten(session, job, note)

    def _too_late(self, session: Session, job: Job) -> bool:
        """Whether what a job writes was asked for elsewhere than where we are now; says so once."""
        profile, scenario = _about(session)
        by_values = job.kind is not Kind.PROPOSE  # the policy reads no statements
        late = job.about[1] != scenario or (by_values and job.about[0] != profile)
        if late and not job.late:
            job.late = True
            self.news.say(
                f"{job.kind.value.capitalize()} came too late: goal, context or a statement has "
                "changed meanwhile. What was written for the old one is dropped.",
                Tone.WARNING,
            )
        return late

    def _written(self, session: Session, job: Job, note: Written | Advised, origin: Origin) -> None:
        try:
            job.written[note.row] = session.propose(note.text, origin)
        except Refused as error:
            self.news.say(f"A proposal was dropped: {error.problem}", Tone.WARNING)

    def _measured(self, session: Session, job: Job, note: Measured) -> None:
        if job.kind in (Kind.PROPOSE, Kind.CONSULT):
            candidate = job.written.get(note.row, "")
        elif job.kind is Kind.JUDGE and note.row < len(job.candidates):
            candidate = job.candidates[note.row]
        else:
            return  # aligning measures its own rewrites
        job.answered.add(note.row)
        if candidate not in session.candidates:
            return
        if note.judgement:
            session.judged(candidate, note.judgement)
            return
        judging, first = job.kind is Kind.JUDGE, session.candidates[candidate].revisions[0]
        text = job.texts[note.row] if judging else first.digest  # it may have been edited since
        problem = note.problem or "the judge gave no verdict"
        session.failed("judge", problem, candidate, of=text)

    def _rewritten(self, session: Session, job: Job, note: Rewritten) -> None:
        if note.row >= len(job.candidates):
            return
        name, text = job.candidates[note.row], job.texts[note.row]
        now = session.candidates[name]
        try:  # one that was rejected already may come back this way
            if now.standing.decided and now.standing is not job.standings[note.row]:
                raise Refused(f"{name} was {now.standing.value} meanwhile")
            if not note.text or note.text == now.text:
                why = note.why or "no rewrite was better"
                session.kept(name, why, job.guidance, of=text)
                told = "no rewrite was taken. Its verdict tells why."  # which may be hidden
                self.news.say(f"{name} stays as it was: {told}", Tone.WARNING)
                return
            session.realigned(name, note.text, self._policy_name, job.guidance, of=text)
        except Refused as error:
            self.news.say(f"The rewrite of {name} is dropped: {error.problem}.", Tone.WARNING)
            return
        if note.judgement:
            session.judged(name, note.judgement)
        shows, undoes = self.news.key_of("difference"), self.news.key_of("undo")
        self.news.say(f"Re-aligned {name}. {shows} shows the difference, {undoes} takes it back.")

    def _finished(self, reply: Finished) -> None:
        job = self.jobs.pop(reply.job, None)
        if job is None:
            return
        if reply.cancelled:
            self.news.say(f"Cancelled: {job.kind.value}. What was finished before is kept.")
        elif reply.notice:
            self.news.say(reply.notice, Tone.WARNING)
            if self.session and job.kind in (Kind.PROPOSE, Kind.CONSULT):
                self.session.failed(job.kind.name.lower(), reply.notice)
        elif job.kind is Kind.PULL:
            self.news.say(f"{job.model} is on this machine.")
            self._load_first()
        elif job.kind in (Kind.LOAD, Kind.PROPOSE, Kind.JUDGE):
            self.news.settle()
        self.news.changed(Change.ALL)

    def _troubled(self, reply: Trouble) -> None:
        job = self.jobs.pop(reply.job, None)
        told = reply.error.line
        load = job if job and job.kind is Kind.LOAD else None
        if load and self.wanted == load.pair and (self.models or reply.gone):
            self.wanted = self._loaded or load.pair  # they go on serving, or come again
        if reply.gone:
            self.models, self.vitals = {}, None  # they were in its memory
        if reply.gone or (load and not self.models):
            self.trouble, self.unasked = told, True
        if job and self.session and job.kind is not Kind.PULL:
            stage = job.kind.name.lower()
            for row, (name, text) in enumerate(zip(job.candidates, job.texts, strict=True)):
                if row not in job.answered and name in self.session.candidates:
                    self.session.failed(stage, reply.problem, name, of=text)
            if job.kind in (Kind.PROPOSE, Kind.CONSULT):
                self.session.failed(stage, reply.problem)
        what = f"{job.kind.value.capitalize()} failed" if job else "The worker has a problem"
        self.news.say(f"{what}: {told}", Tone.ERROR)
        self.news.changed(Change.ALL)

    # Handing in

    def _job(self, kind: Kind, candidates: Sequence[Candidate] = (), model: str = "") -> Job:
        return Job(
            id=f"{kind.name.lower()}-{next(self._number)}",
            kind=kind,
            candidates=[candidate.id for candidate in candidates],
            texts=[candidate.current.digest for candidate in candidates],
            standings=[candidate.standing for candidate in candidates],
            about=_about(self.session) if self.session else ("", ""),
            model=model,
        )

    def _seed(self, session: Session) -> int:
        """Another for each attempt: of one that failed, or was taken back, more is expected."""
        kinds = (Proposed, Revised, Kept, Failed, Undone)
        return self.defaults.seed + sum(isinstance(one.event, kinds) for one in session.records)

    def _remember(self, chosen: dict[str, str]) -> None:
        """Keeps models as the defaults for the next start."""
        if not chosen:
            return
        try:
            change_config(defaults=structs.replace(load_config().defaults, **chosen))
        except PlacetError as error:
            self.news.say(f"Loaded, but not kept for the next start: {error.line}", Tone.WARNING)

    def _load_first(self) -> None:
        if self.unasked:
            self.load(*self.wanted)

    def _submit(self, job: Job, task: Task) -> None:
        if job.kind not in _MODELS:
            self._load_first()  # a key may come before the models were asked for
        self.jobs[job.id] = job
        self.news.changed(Change.WORK | Change.CANDIDATES)
        try:
            self.engine = self.engine or self._make(self.hear)
            self.engine.submit(task)
        except (OSError, PlacetError) as error:
            self.hear(Trouble(job=job.id, problem=f"the worker could not take it: {error}"))

    def _served(self) -> Session:
        if self.session is None:
            raise Refused("there is no session open")
        return self.session


def _about(session: Session) -> tuple[str, str]:
    _, profile, scenario = session.state.bond("")  # hashed once a change, not once a candidate
    return profile, scenario


def _latest(session: Session) -> tuple[str, ...]:
    """The texts that new ones are not to repeat: more than these no model reads along."""
    return tuple(candidate.text for candidate in session.candidates.values())[-64:]
