"""The interface's side of the worker: starts it, asks it, hears it, restarts it, ends it.

Nothing here imports a library of models, and nothing here depends on the worker's good will: every
job ends with `Finished` or `Trouble`, and `stop` returns within a second. A worker that is started
anew has no models: whoever asks brings them first.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from core.engine.child import PATIENCE, Child
from core.engine.protocol import (
    VERSION,
    Cancel,
    Finished,
    Hello,
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

_ANEW = "Ask again: the next request starts it anew."


class Engine:
    """A worker that is there when it is needed."""

    def __init__(
        self,
        on_reply: Callable[[Reply], None],
        *,
        argv: Sequence[str] = WORKER,
        environ: Mapping[str, str] | None = None,
        longest_line: int = LONGEST_LINE,
    ) -> None:
        """Starts nothing yet.

        Args:
            on_reply: hears every reply, `Vitals` and what belongs to no job among them. Its
                mistakes stay its own.
            argv: the worker's command; tests have their own.
            environ: what is changed in the worker's environment.
            longest_line: bytes that a reply may have.
        """
        self._on_reply = on_reply
        self._argv = tuple(argv)
        self._environ = dict(environ or {})
        self._longest_line = longest_line
        self._jobs: dict[str, Task] = {}
        self._count = 0
        self._stopped = False
        self._runner: asyncio.Task[None] | None = None
        self._born = asyncio.Event()
        self._child: Child | None = None
        self._unsent: list[Task] = []

    @property
    def pid(self) -> int | None:
        """The worker's process id, while there is one."""
        return self._child.pid if self._child else None

    # What the interface asks for

    async def start(self) -> None:
        """Starts the worker if it is not there; returns as soon as its process is."""
        self._stopped = False
        self._need()
        await self._born.wait()

    def submit(self, request: Task) -> str:
        """Asks for a job, after those that were asked for before, and gives its id.

        Starts the worker if need be.
        """
        request = self._named(request)
        if request.job in self._jobs:
            raise ValueError(f"there is a job {request.job!r} already")
        self._jobs[request.job] = request
        if self._stopped:
            self._tell(Trouble(job=request.job, problem="the worker was stopped"))
        elif self._child:
            self._send(request)
        else:
            self._unsent.append(request)
            self._need()
        return request.job

    def cancel(self, job: str) -> None:
        """Stops a job between two tokens, or before it begins. One that has ended stays so."""
        if job not in self._jobs:
            return
        if self._child:
            self._send(Cancel(job=job))
        else:
            self._unsent = [request for request in self._unsent if request.job != job]
            self._tell(Finished(job=job, cancelled=True))

    async def stop(self) -> None:
        """Ends the worker: asks it, then tells it, then kills it. Its jobs end as cancelled."""
        self._stopped = True
        runner = self._runner
        if runner is None:
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
            self._runner = asyncio.create_task(self._run(), name="worker")

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
        for request in self._unsent:
            self._send(request)
        self._unsent = []
        self._born.set()
        return await self._child.hear(self._tell)

    def _settle(self, how: str) -> None:
        """Says of every job left that the worker is gone."""
        jobs, self._jobs = list(self._jobs.values()), {}
        stopped = self._stopped
        lost = Trouble(problem=f"the worker stopped ({how})", mend=_ANEW, gone=True)
        log.log(logging.INFO if stopped else logging.ERROR, lost.problem)
        for job in jobs:
            self._pass_on(
                Finished(job=job.job, cancelled=True)
                if stopped
                else structs.replace(lost, job=job.job)
            )
        if not jobs and not stopped:
            self._pass_on(lost)

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
            case Finished() | Trouble() if job:
                del self._jobs[job.job]
        self._pass_on(reply)

    def _pass_on(self, reply: Reply) -> None:
        try:
            self._on_reply(reply)
        except Exception:
            log.exception("a subscriber failed over %s", type(reply).__name__)
