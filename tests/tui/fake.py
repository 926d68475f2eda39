"""An engine in this process that speaks the protocol: answers by itself, or when it is told to."""

import asyncio
from collections.abc import Callable, Sequence

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.text import digest
from core.domain.values import Profile
from core.domain.verdict import Judgement, RiskRule
from core.engine.protocol import (
    Align,
    Consult,
    Finished,
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
from core.session.events import ModelUsed
from core.watch import Advised, Growing, Measured, Progress, Rewritten, Written

RULE = RiskRule(harm=1.0, peak=0.0, mean=0.0, bias=0.0, med=0.45, high=0.75)

TEXTS = (
    "Send each owner a one-page sheet with every fee and every risk of the account, and an "
    "invitation to ask the branch about it.",
    "Call owners in the evening until they have agreed to a meeting in the branch.",
    "Say in the letter that the offer ends tonight, although it runs until June.",
    "Invite owners to a free question hour with an adviser who is paid no commission.",
    "Ask the accountant of each business to forward the clients' balance sheets.",
    "Offer a call-back at a time the owner picks, and leave it at that if there is no answer.",
    "Compare the account with two of other banks in a table, fees first.",
    "Put a notice in the branch window with the terms in full.",
)

_HARM = {"until they have agreed": 0.6, "although": 0.92, "forward": 0.88, "HIGH": 0.9, "MED": 0.5}


def judgement(text: str, profile: Profile, scenario: Scenario) -> Judgement:
    """What the fake judge measures: harm by a few words, scores by the text's digest."""
    harm = next((much for word, much in _HARM.items() if word in text), 0.12)
    noise = bytes.fromhex(digest(text))
    scores = {}
    for place, value in enumerate(profile.values):
        wobble = noise[place % 32] / 255 * 0.2 - 0.1
        low = harm > 0.4 and noise[(place + 7) % 32] % 3 == 0
        scores[value.id] = round(min(1.0, max(0.0, (0.22 if low else 0.82 - harm / 4) + wobble)), 4)
    return Judgement(
        text=digest(text),
        profile=profile.digest,
        scenario=scenario.digest,
        judge="fake",
        scores=scores,
        harm=harm,
        rule=RULE,
        explanation="Calling again until they agree puts pressure on the owner."
        if 0.4 < harm < 0.7
        else "",
        raw=f"harm={harm} scores={scores}",
    )


class FakeEngine:
    """What `core.engine.client.Engine` is to the screen."""

    def __init__(
        self,
        hear: Callable[[Reply], None],
        *,
        auto: bool = True,
        texts: Sequence[str] = TEXTS,
        name: str = "fake-model",
    ) -> None:
        self.hear = hear
        self.auto = auto
        self.texts = texts
        self.name = name
        self.asked: list[Task] = []
        self.cancelled: list[str] = []
        self.stopped = False
        self.given = 0

    async def start(self) -> None:
        """There is no process."""

    async def stop(self) -> None:
        """Notes that it was stopped."""
        self.stopped = True

    def submit(self, request: Task) -> object:
        """Answers soon, if it answers by itself."""
        self.asked.append(request)
        if self.auto:
            asyncio.get_running_loop().call_soon(self.answer, request)
        return request

    def cancel(self, job: str) -> None:
        """Ends the job as cancelled."""
        self.cancelled.append(job)
        asyncio.get_running_loop().call_soon(self.hear, Finished(job=job, cancelled=True))

    def last(self, kind: type) -> Task:
        """The last request of a kind."""
        return next(task for task in reversed(self.asked) if isinstance(task, kind))

    def said(self, task: Task, *notes: object) -> None:
        """Says something about a job."""
        for note in notes:
            self.hear(Said(job=task.job, note=note))  # type: ignore[arg-type]

    def answer(self, task: Task) -> None:
        """Does the whole job."""
        match task:
            case Load():
                self.hear(
                    Ready(
                        job=task.job,
                        models={
                            role: ModelUsed(name=self.name, device="cpu", dtype="int8")
                            for role in ("policy", "judge")
                        },
                    )
                )
                self.hear(Vitals(memory_bytes=912_000_000, tokens_per_s=312))
            case Propose():
                self.propose(task)
            case Consult():
                self.consult(task)
            case Judge():
                self.judge(task)
            case Align():
                self.align(task)
            case Pull():
                self.said(task, Progress(stage="pull", done=50, total=100, seconds_left=3))
        self.hear(Finished(job=task.job))

    def next_texts(self, task: Propose) -> list[str]:
        """Texts that were not proposed before."""
        fresh: list[str] = []
        while len(fresh) < task.count:
            number, self.given = self.given, self.given + 1
            text = self.texts[number % len(self.texts)]
            turn = number // len(self.texts)
            fresh.append(f"{text} ({turn + 1})" if turn else text)
        return fresh

    def propose(self, task: Propose) -> None:
        """Writes, then judges."""
        texts = self.next_texts(task)
        for row, text in enumerate(texts):
            self.said(task, Growing(row=row, text=text[: len(text) // 2]))
        for row, text in enumerate(texts):
            self.said(task, Written(row=row, text=text))
        for row, text in enumerate(texts):
            found = judgement(text, task.profile, task.scenario)
            self.said(task, Measured(row=row, judgement=found))

    def consult(self, task: Consult) -> None:
        """An answer a value that counts, then a synthesis."""
        origins = [Origin(Source.AGENT, value.id) for value in task.profile.active]
        for row, origin in enumerate([*origins, Origin(Source.AGGREGATOR, "own 100%")]):
            text = f"What {origin.name} wants is that somebody asks first."
            self.said(task, Advised(row=row, text=text, origin=origin))
            found = judgement(text, task.profile, task.scenario)
            self.said(task, Measured(row=row, judgement=found))

    def judge(self, task: Judge) -> None:
        """Judges."""
        for row, text in enumerate(task.texts):
            found = judgement(text, task.profile, task.scenario)
            self.said(task, Measured(row=row, judgement=found))

    def align(self, task: Align) -> None:
        """Writes something harmless."""
        for row, case in enumerate(task.cases):
            text = f"{case.text.split('until')[0].strip()} once, at a time they chose."
            self.said(task, Growing(row=row, text=text[:20]))
            found = judgement(text, task.profile, task.scenario)
            self.said(task, Rewritten(row=row, text=text, judgement=found))

    def die(self) -> None:
        """Fails every job that has not ended, as the client does when the worker is killed."""
        for task in self.asked:
            self.hear(
                Trouble(
                    job=task.job,
                    problem="the worker stopped (killed by SIGKILL)",
                    mend="Ask again: the next request starts it anew.",
                    gone=True,
                )
            )
