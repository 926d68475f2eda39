"""The process that owns the models: `python -m core.engine.worker`, started by the client.

Requests come in on standard input, one a line, read by a thread of their own, so that a cancel is
heard while a job runs. The main thread does one job at a time, in order; models are brought beside
it, by processes that another thread waits for. Replies go out on what was standard output at the
start (see `protocol`); whatever else is written goes to the log. The worker ends at once when it is
told to, when standard input ends, and when its parent dies.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import psutil

from core.engine import process, pull
from core.engine.notes import Notes
from core.engine.protocol import (
    VERSION,
    Align,
    Cancel,
    Consult,
    Finished,
    Hello,
    Judge,
    Load,
    Propose,
    Pull,
    Ready,
    Request,
    Stop,
    Task,
    Trouble,
    Vitals,
    decode_request,
)
from core.errors import Cancelled, ModelProblem
from core.watch import Watch

if TYPE_CHECKING:
    from core.models.base import Voices
    from core.team import Team

log = logging.getLogger("placet.worker")

PULSE = 0.5
"""Seconds between two `Vitals`."""

OTHER_VERSION = 4
"""Exit status after a request from a Placet of another version."""


class Worker:
    """Does jobs, one at a time and one pull beside them, and tells of them."""

    def __init__(self, wire: process.Wire) -> None:
        """Answers on `wire`."""
        self._wire = wire
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._pulls: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued: set[str] = set()
        self._running: set[str] = set()
        self._cancelled: set[str] = set()
        self._notes = Notes(wire, "")
        self._busy = threading.Event()
        self._models: Team | None = None
        self._loaded: Load | None = None
        self._voices: Voices | None = None

    # What the threads do

    def listen(self, handle: int) -> None:
        """Takes in requests from a file descriptor until it ends, and the process with it."""
        with open(handle, "rb") as lines:
            for line in lines:
                try:
                    self._take(decode_request(line))
                except msgspec.MsgspecError as error:
                    log.warning("not a request: %r", line[:200])
                    self._wire.send(
                        Trouble(
                            problem=f"the worker could not read a request ({error})",
                            mend=f"This is a fault of Placet. The log is {process.log_path()}.",
                        )
                    )
                except Exception as error:
                    self._wire.send(process.trouble(error, ""))
        os._exit(0)

    def pulse(self) -> None:
        """Tells how the worker is doing while a job runs."""
        while True:
            self._busy.wait()
            self._vitals()
            time.sleep(PULSE)

    def work(self) -> None:
        """Does jobs as they come, for ever."""
        while True:
            task = self._next(self._tasks)
            self._notes = Notes(self._wire, task.job)
            self._busy.set()
            end = self._do(task, self._notes)
            self._busy.clear()
            self._vitals()
            self._ended(end)

    def bring(self) -> None:
        """Has models brought as they are asked for, one after another, for ever."""
        while True:
            task = self._next(self._pulls)
            self._ended(self._do(task, Notes(self._wire, task.job)))

    def _next(self, tasks: "queue.SimpleQueue[Task]") -> Task:
        """The next job that was not cancelled while it waited."""
        while True:
            task = tasks.get()
            with self._lock:
                self._queued.discard(task.job)
                if task.job not in self._cancelled:
                    self._running.add(task.job)
                    return task
                self._cancelled.discard(task.job)

    def _ended(self, end: Finished | Trouble) -> None:
        with self._lock:
            self._running.discard(end.job)
            self._cancelled.discard(end.job)
        self._wire.send(end)

    # What the reading thread does with a request

    def _take(self, request: Request) -> None:
        match request:
            case Stop():
                os._exit(0)
            case Cancel():
                self._cancel(request.job)
            case Load() if request.version != VERSION:
                self._wire.send(
                    Trouble(
                        job=request.job,
                        problem=f"the worker speaks version {VERSION} of the protocol, and was "
                        f"spoken to in version {request.version}",
                        mend="Placet was updated while it ran: leave it and start it again.",
                    )
                )
                os._exit(OTHER_VERSION)
            case _ if not request.job:
                raise ValueError("a job without an id")
            case _:
                with self._lock:
                    self._queued.add(request.job)
                (self._pulls if isinstance(request, Pull) else self._tasks).put(request)

    def _cancel(self, job: str) -> None:
        with self._lock:
            queued = job in self._queued
            if queued or job in self._running:
                self._cancelled.add(job)
            self._queued.discard(job)
        if queued:
            self._wire.send(Finished(job=job, cancelled=True))

    def _vitals(self) -> None:
        memory = psutil.Process().memory_info().rss
        self._wire.send(Vitals(memory_bytes=memory, tokens_per_s=self._notes.tokens_per_s))

    # What is done with a job

    def _do(self, task: Task, notes: Notes) -> Finished | Trouble:
        """Does one job and gives its end; whatever goes wrong in it is that end."""
        log.info("%s begins: %s", task.job, type(task).__name__)

        def cancelled() -> bool:
            notes.tick()
            return task.job in self._cancelled

        watch = Watch(notes.say, cancelled)
        try:
            match task:
                case Load():
                    self._load(task, watch)
                case Propose():
                    return Finished(job=task.job, notice=self._propose(task, watch))
                case Consult():
                    return Finished(job=task.job, notice=self._consult(task, watch))
                case Judge():
                    self._measure(task, task.texts, range(len(task.texts)), watch)
                case Align():
                    self._align(task, watch)
                case Pull():
                    pull.run(task.model, watch)
            return Finished(job=task.job)
        except Cancelled:
            log.info("%s was cancelled", task.job)
            return Finished(job=task.job, cancelled=True)
        except Exception as error:
            return process.trouble(error, task.job)
        finally:
            notes.flush()

    def _load(self, task: Load, watch: Watch) -> None:
        """Brings models into memory. The old ones stay until the new ones are ready."""
        asked = msgspec.structs.replace(task, job="")
        if self._models is None or asked != self._loaded:
            from core.team import load_team

            self._models = load_team(
                task.policy, task.judge, device=task.device, dtype=task.dtype, watch=watch
            )
            self._loaded, self._voices = asked, None
        self._wire.send(Ready(job=task.job, models=self._models.used))

    def _propose(self, task: Propose, watch: Watch) -> str:
        """Writes candidates; judges what is there after each round of writing, in one grid.

        Gives what the operator should know.
        """
        from core.stages.propose import propose

        models = self._ready()

        def judge_new(new: dict[int, str]) -> None:
            if new:
                self._measure(task, tuple(new.values()), tuple(new), watch)

        return propose(
            models.policy,
            task.scenario,
            count=task.count,
            seed=task.seed,
            avoid=task.avoid,
            on_round=judge_new,
            watch=watch,
        )

    def _consult(self, task: Consult, watch: Watch) -> str:
        """Has the agents answer and be judged; gives what the operator should know.

        The agents' model is brought into memory when they are first asked.
        """
        from core.stages.consult import consult
        from core.team import load_voices

        models, asked = self._ready(), self._loaded
        if self._voices is None and asked is not None:
            self._voices = load_voices(asked.policy, device=asked.device, dtype=asked.dtype)
        assert self._voices is not None
        used = models.used | self._voices.used(task.profile)
        self._wire.send(Ready(job=task.job, models=used))
        return consult(
            self._voices,
            models.judge,
            task.scenario,
            task.profile,
            seed=task.seed,
            avoid=task.avoid,
            watch=watch,
        )

    def _measure(
        self,
        task: Propose | Judge,
        texts: Sequence[str],
        places: Sequence[int],
        watch: Watch,
    ) -> None:
        """Judges `texts`; what is said about the n-th is said about row `places[n]`."""
        from core.stages.judge import judge

        judge(self._ready().judge, task.scenario, task.profile, texts, places=places, watch=watch)

    def _align(self, task: Align, watch: Watch) -> None:
        from core.stages.align import align

        models = self._ready()
        align(
            models.policy,
            models.judge,
            task.scenario,
            task.profile,
            task.cases,
            rewrites=task.rewrites,
            seed=task.seed,
            watch=watch,
        )

    def _ready(self) -> "Team":
        if self._models is None:
            raise ModelProblem(
                "no models are in memory yet", mend="Choose a policy and a judge, and load them."
            )
        return self._models


def main() -> None:
    """The worker, until somebody ends it."""
    process.die_with_parent(signal.SIGKILL)
    process.behave()
    requests, replies = process.take_pipes()
    process.start_log()
    wire = process.Wire(replies)
    wire.send(Hello(pid=os.getpid()))
    log.info("the worker is there")
    worker = Worker(wire)
    for name, work in (
        ("listen", lambda: worker.listen(requests)),
        ("pulse", worker.pulse),
        ("bring", worker.bring),
    ):
        threading.Thread(target=work, name=name, daemon=True).start()
    worker.work()


if __name__ == "__main__":
    main()
