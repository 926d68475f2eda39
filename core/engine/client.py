"""The interface's side of the worker: starts it, asks it, hears it, restarts it, ends it.

Nothing here imports a library of models, and nothing here depends on the worker's good will: every
job ends with `Finished` or `Trouble`, and `stop` returns within a second.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import structs

from core.engine.child import PATIENCE, Child
from core.engine.job import Job, call
from core.engine.protocol import (
    VERSION,
    Cancel,
    Finished,
    Hello,
    Load,
    Ready,
    Reply,
    Request,
    Stop,
    Task,
    Trouble,
)

log = logging.getLogger("placet.engine")

WORKER = (sys.executable, "-P", "-m", "core.engine.worker")
"""How the worker is started. `-P`: a folder named `core` where the operator stands is not ours."""

LONGEST_LINE = 64 * 2**20
"""Bytes of a reply; of a longer one only the loss is reported."""

_ANEW = "Ask again: the next request starts it anew, with the same models."


class Life(StrEnum):
    """What the worker is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    CRASHED = "crashed"


class Engine:
    """A worker that is there when it is needed."""

    def __init__(
        self,
        on_reply: Callable[[Reply], None] = lambda reply: None,
        on_life: Callable[[Life], None] = lambda life: None,
        *,
        argv: Sequence[str] = WORKER,
        environ: Mapping[str, str] | None = None,
        longest_line: int = LONGEST_LINE,
    ) -> None:
        """Starts nothing yet.

        Args:
            on_reply: hears every reply, `Vitals` and what belongs to no job among them.
            on_life: hears of every change of `life`.
            argv: the worker's command; tests have their own.
            environ: what is changed in the worker's environment.
            longest_line: bytes that a reply may have.
        """
        self.life = Life.STOPPED
        """What the worker is doing."""
        self._on_reply = on_reply
        self._on_life = on_life
        self._argv = tuple(argv)
        self._environ = dict(environ or {})
        self._longest_line = longest_line
        self._jobs: dict[str, Job] = {}
        self._count = 0
        self._loaded: Load | None = None
        self._stopped = False
        self._runner: asyncio.Task[None] | None = None
        self._born = asyncio.Event()
        self._child: Child | None = None
        self._greeted = False
        self._unsent: list[Task] = []

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._child.pid if self._child else None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that have not ended, the running one first."""
        return tuple(self._jobs.values())

    # What the interface asks for

    async def start(self) -> None:
        """Starts the worker if it is not there; returns as soon as its process is."""
        self._stopped = False
        self._need()
        await self._born.wait()

    def submit(self, request: Task, on_reply: Callable[[Reply], None] | None = None) -> Job:
        """Asks for a job, after those that were asked for before. Starts the worker if need be."""
        job = Job(self._named(request), on_reply)
        if job.id in self._jobs:
            raise ValueError(f"there is a job {job.id!r} already")
        self._jobs[job.id] = job
        if self._stopped:
            self._tell(Trouble(job=job.id, problem="the worker was stopped"))
        elif self._child:
            self._send(job.request)
            self._see()
        else:
            self._unsent.append(job.request)
            self._need()
        return job

    def cancel(self, job: Job | str) -> None:
        """Stops a job between two tokens, or before it begins. One that has ended stays so."""
        name = job if isinstance(job, str) else job.id
        if name not in self._jobs:
            return
        if self._child:
            self._send(Cancel(job=name))
        else:
            self._unsent = [request for request in self._unsent if request.job != name]
            self._tell(Finished(job=name, cancelled=True))

    async def stop(self) -> None:
        """Ends the worker: asks it, then tells it, then kills it. Its jobs end as cancelled."""
        self._stopped = True
        runner = self._runner
        if runner is None:
            self._live(Life.STOPPED)
            return
        await self._born.wait()
        self._send(Stop())
        for harder in (None, signal.SIGTERM, signal.SIGKILL):
            if harder and self._child:
                self._child.signal(harder)
            if (await asyncio.wait({runner}, timeout=PATIENCE))[0]:
                return
        runner.cancel()
        await asyncio.wait({runner}, timeout=PATIENCE)

    # The worker's life

    def _need(self) -> None:
        """Has a worker started, if there is none."""
        if self._runner is None:
            self._born.clear()
            self._greeted = False
            self._runner = asyncio.create_task(self._run(), name="worker")
            self._live(Life.STARTING)

    async def _run(self) -> None:
        """One worker, from its start to its end."""
        try:
            how = await self._serve()
        except asyncio.CancelledError:
            how = "nobody waited for its end"
        except OSError as error:
            how = f"{self._argv[0]}: {error.strerror or error}"
        except Exception as error:
            log.exception("the worker was lost")
            how = f"{type(error).__name__}: {error}"
        self._child, self._runner, self._unsent = None, None, []
        self._born.set()
        self._settle(how)

    async def _serve(self) -> str:
        """Starts a worker, hears it until it ends, and gives how it ended."""
        self._child = await Child.start(self._argv, self._environ, self._longest_line)
        if self._loaded and not (self._unsent and isinstance(self._unsent[0], Load)):
            reload = Job(self._named(structs.replace(self._loaded, job="")))
            self._jobs = {reload.id: reload, **self._jobs}
            self._unsent.insert(0, reload.request)
        for request in self._unsent:
            self._send(request)
        self._unsent = []
        self._born.set()
        return await self._child.hear(self._tell)

    def _settle(self, how: str) -> None:
        """Says of every job left that the worker is gone."""
        jobs, self._jobs = list(self._jobs.values()), {}
        stopped = self._stopped
        self._live(Life.STOPPED if stopped else Life.CRASHED)
        lost = Trouble(problem=f"the worker stopped ({how})", mend=_ANEW, gone=True)
        log.log(logging.INFO if stopped else logging.ERROR, lost.problem)
        for job in jobs:
            if isinstance(job.request, Load):
                self._loaded = job.request
            self._pass_on(
                Finished(job=job.id, cancelled=True)
                if stopped
                else structs.replace(lost, job=job.id),
                job,
            )
        if not jobs and not stopped:
            self._pass_on(lost, None)

    # What goes out and what comes in

    def _named(self, request: Task) -> Task:
        if request.job:
            return request
        self._count += 1
        return structs.replace(request, job=f"j{self._count}")

    def _send(self, request: Request) -> None:
        if self._child:
            self._child.send(request)

    def _tell(self, reply: Reply) -> None:
        """Takes in a reply and passes it on."""
        job = self._jobs.get(getattr(reply, "job", ""))
        match reply:
            case Hello() if reply.version != VERSION:
                if self._child:
                    self._child.kill(
                        f"it speaks version {reply.version} of the protocol, "
                        f"and this Placet {VERSION}"
                    )
            case Hello():
                self._greeted = True
            case Ready() if job and isinstance(job.request, Load):
                self._loaded = job.request
            case Finished() | Trouble() if job:
                del self._jobs[job.id]
        self._pass_on(reply, job)
        self._see()

    def _pass_on(self, reply: Reply, job: Job | None) -> None:
        if job:
            job.hear(reply)
        call(self._on_reply, reply)

    def _see(self) -> None:
        """Draws from jobs and greeting what a worker that is there is doing."""
        if self._child and self._greeted:
            self._live(Life.BUSY if self._jobs else Life.IDLE)

    def _live(self, life: Life) -> None:
        if life is not self.life:
            self.life = life
            call(self._on_life, life)
