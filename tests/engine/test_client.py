"""The client: cancels, crashes, restarts, ends, and whatever a worker may do wrong."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from msgspec import structs

from core.engine.client import Engine
from core.engine.protocol import Finished, Hello, Pull, Ready, Reply, Said, Trouble
from core.watch import Growing, Measured, Written
from tests.engine.hearing import Ear, generating, load, propose, until

pytestmark = pytest.mark.asyncio

AT_ONCE = 0.2
"""Seconds that a cancel may take."""


async def test_a_job_gives_its_replies_in_order(engine: Engine, ear: Ear) -> None:
    loading = engine.submit(load("echo"))
    job = engine.submit(propose())
    end = await ear.end_of(job)
    first = ear.about(loading)
    assert isinstance(first[-1], Finished) and any(isinstance(reply, Ready) for reply in first)
    notes = [reply.note for reply in ear.about(job) if isinstance(reply, Said)]
    kinds = [type(note) for note in notes if isinstance(note, Growing | Written | Measured)]
    assert kinds[0] is Growing and kinds[-1] is Measured and Written in kinds
    assert isinstance(end, Finished) and not end.cancelled
    assert ear.about(job)[-1] is end


async def test_a_running_job_is_cancelled_at_once(engine: Engine, ear: Ear) -> None:
    job = await generating(engine, ear)
    engine.cancel(job)
    assert await until(lambda: job in ear.ends) < AT_ONCE
    assert ear.ends[job] == Finished(job=job, cancelled=True)
    await ear.end_of(engine.submit(load("echo")))
    assert (await ear.end_of(engine.submit(propose()))) != ear.ends[job]


async def test_nothing_is_said_about_a_job_after_its_end(engine: Engine, ear: Ear) -> None:
    job = await generating(engine, ear)
    engine.cancel(job)
    await ear.end_of(job)
    await ear.end_of(engine.submit(load("echo")))
    assert [reply for reply in ear.about(job) if isinstance(reply, Finished | Trouble)] == [
        ear.about(job)[-1]
    ]


async def test_a_queued_job_is_cancelled_while_another_runs(engine: Engine, ear: Ear) -> None:
    running = await generating(engine, ear)
    queued = engine.submit(propose())
    last = engine.submit(load("echo"))
    engine.cancel(queued)
    assert await until(lambda: queued in ear.ends) < AT_ONCE
    assert ear.ends[queued] == Finished(job=queued, cancelled=True) and running not in ear.ends
    engine.cancel(running)
    assert isinstance(await ear.end_of(last), Finished)
    assert not any(isinstance(reply, Said) for reply in ear.about(queued))


async def test_a_job_is_cancelled_before_the_worker_is_there(engine: Engine, ear: Ear) -> None:
    job = engine.submit(propose())
    engine.cancel(job)
    assert ear.ends[job] == Finished(job=job, cancelled=True)
    engine.cancel(job)
    engine.cancel("never heard of")


async def test_a_crash_ends_all_jobs_and_the_next_one_works(engine: Engine, ear: Ear) -> None:
    running = await generating(engine, ear)
    queued, pid = engine.submit(propose()), engine.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    for job in (running, queued):
        end = await ear.end_of(job)
        assert isinstance(end, Trouble) and "SIGKILL" in end.problem and end.mend and end.gone
    assert engine.pid is None
    await generating(engine, ear)
    assert ear.policies() == ["slow", "slow"]


async def test_a_crash_in_a_library_is_told(engine: Engine, ear: Ear) -> None:
    engine.submit(load("dead"))
    end = await ear.end_of(engine.submit(propose()))
    assert isinstance(end, Trouble) and "SIGSEGV" in end.problem


async def test_a_job_that_fails_is_told_from_a_worker_that_is_gone(
    engine: Engine, ear: Ear
) -> None:
    end = await ear.end_of(engine.submit(load("missing")))
    assert isinstance(end, Trouble) and not end.gone


async def test_a_callback_may_ask_again_at_once(ear: Ear) -> None:
    again: list[object] = []

    def retry(reply: Reply) -> None:
        ear.hear(reply)
        if isinstance(reply, Trouble) and not again:
            again.append(engine.submit(load("echo")))

    engine = Engine(retry, argv=ear.engine()._argv)
    job = engine.submit(load("slow"))
    await ear.end_of(job)
    job = engine.submit(propose())
    await until(lambda: ear.growing(job))
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    await until(lambda: ear.policies() == ["slow", "echo"])
    await engine.stop()


async def test_a_worker_that_cannot_be_started_is_told(ear: Ear) -> None:
    engine = ear.engine(["/nowhere/to/be/found"])
    end = await ear.end_of(engine.submit(load("echo")))
    assert isinstance(end, Trouble) and "/nowhere" in end.problem
    assert engine.pid is None
    await engine.stop()


async def test_what_a_worker_says_before_it_has_a_log_is_told(ear: Ear) -> None:
    engine = ear.engine([sys.executable, "-c", "import there_is_no_such_module"])
    end = await ear.end_of(engine.submit(load("echo")))
    assert isinstance(end, Trouble) and "there_is_no_such_module" in end.problem


async def test_a_worker_of_another_version_is_refused(ear: Ear) -> None:
    hello = '{"type":"hello","pid":1,"version":99}'
    engine = ear.engine([sys.executable, "-c", f"print('{hello}', flush=True); input(); input()"])
    end = await ear.end_of(engine.submit(load("echo")))
    assert isinstance(end, Trouble) and "99" in end.problem


async def test_a_worker_that_closes_its_pipe_and_stays_is_killed(ear: Ear) -> None:
    code = "import os, time; os.close(1); time.sleep(1000)"
    engine = ear.engine([sys.executable, "-c", code])
    assert isinstance(await ear.end_of(engine.submit(load("echo"))), Trouble)


async def test_a_child_that_holds_the_pipe_does_not_hide_a_crash(ear: Ear) -> None:
    engine = ear.engine(["sh", "-c", "sleep 1000 & echo $! ; exit 3"])
    began = time.monotonic()
    end = await ear.end_of(engine.submit(load("echo")))
    assert isinstance(end, Trouble) and "status 3" in end.problem
    assert time.monotonic() - began < 5
    for child in psutil.process_iter(["cmdline"]):
        if child.info["cmdline"] == ["sleep", "1000"] and child.ppid() == 1:
            child.kill()


@pytest.mark.parametrize("line", ["not json", '{"type":"hello"}', '{"type":"said","job":7}', ""])
async def test_a_bad_line_is_reported_and_survived(ear: Ear, line: str) -> None:
    code = (
        "import sys\n"
        f"print({line!r})\n"
        'print(\'{"type":"hello","pid":1}\')\n'
        'print(\'{"type":"finished","job":"j1"}\', flush=True)\n'
        "sys.stdin.read()"
    )
    engine = ear.engine([sys.executable, "-c", code])
    assert isinstance(await ear.end_of(engine.submit(load("echo"))), Finished)
    assert isinstance(ear.replies[0], Trouble) and ear.replies[0].job == ""
    await engine.stop()


async def test_a_line_that_is_too_long_is_reported_and_survived(ear: Ear) -> None:
    code = (
        "import sys\n"
        "print('x' * 300_000)\n"
        'print(\'{"type":"finished","job":"j1"}\', flush=True)\n'
        "sys.stdin.read()"
    )
    engine = ear.engine([sys.executable, "-c", code], longest_line=100_000)
    assert isinstance(await ear.end_of(engine.submit(load("echo"))), Finished)
    assert any(isinstance(reply, Trouble) for reply in ear.replies)
    await engine.stop()


async def test_a_subscriber_that_fails_stops_nothing(ear: Ear) -> None:
    def fail(reply: Reply) -> None:
        ear.hear(reply)
        raise RuntimeError("no")

    engine = Engine(fail, argv=ear.engine()._argv)
    assert isinstance(await ear.end_of(engine.submit(load("echo"))), Finished)
    await engine.stop()


@pytest.mark.parametrize("policy", ["slow", "deaf"])
async def test_it_stops_within_a_second_in_mid_generation(
    engine: Engine, ear: Ear, policy: str
) -> None:
    """`deaf` neither hears requests nor ends when a signal asks it to."""
    running = await generating(engine, ear, policy)
    queued = engine.submit(propose())
    pid = engine.pid
    if policy == "deaf":
        await asyncio.sleep(0.15)
    began = time.monotonic()
    await engine.stop()
    assert time.monotonic() - began < 1.0
    assert pid and not psutil.pid_exists(pid)
    assert engine.pid is None
    for job in (running, queued):
        assert ear.ends[job] == Finished(job=job, cancelled=True)


async def test_it_stops_a_worker_that_was_suspended(engine: Engine, ear: Ear) -> None:
    await generating(engine, ear)
    assert engine.pid
    os.kill(engine.pid, signal.SIGSTOP)
    began = time.monotonic()
    await engine.stop()
    assert time.monotonic() - began < 1.0


async def test_it_stops_while_it_starts_and_when_it_never_did(engine: Engine, ear: Ear) -> None:
    await engine.stop()
    engine._stopped = False
    job = engine.submit(load("echo"))
    await engine.stop()
    assert ear.ends[job] == Finished(job=job, cancelled=True)
    late = engine.submit(load("echo"))
    assert isinstance(ear.ends[late], Trouble)
    await engine.start()
    assert isinstance(await ear.end_of(engine.submit(load("echo"))), Finished)


async def test_two_jobs_of_one_name_are_a_mistake(engine: Engine) -> None:
    job = engine.submit(load("slow"))
    with pytest.raises(ValueError, match=job):
        engine.submit(structs.replace(load("slow"), job=job))


async def test_a_folder_named_core_where_we_stand_is_not_ours(
    ear: Ear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('the wrong core')")
    monkeypatch.chdir(tmp_path)
    engine = Engine(ear.hear)
    await engine.start()
    await until(lambda: any(isinstance(reply, Hello) for reply in ear.replies))
    await engine.stop()


async def test_a_pull_that_fails_says_why(engine: Engine, ear: Ear) -> None:
    end = await ear.end_of(engine.submit(Pull(model="there-is-none")))
    assert isinstance(end, Trouble) and "there-is-none" in end.problem and end.mend


@pytest.mark.parametrize("how", ["cancel", "stop", "kill"])
async def test_a_pull_ends_with_all_that_it_started(
    engine: Engine, ear: Ear, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The index answers nothing, as behind a wall, so pip waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as wall:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{wall.getsockname()[1]}/simple")
        job = engine.submit(Pull(model="SmolLM2-135M-Instruct"))
        await until(lambda: engine.pid)
        worker = psutil.Process(engine.pid)
        await until(lambda: len(worker.children(recursive=True)) >= 2)
        children = worker.children(recursive=True)
        if how == "cancel":
            engine.cancel(job)
            assert await until(lambda: job in ear.ends) < AT_ONCE + 0.1
        elif how == "stop":
            await engine.stop()
        else:
            worker.kill()
        await ear.end_of(job)
        await until(lambda: not any(child.is_running() for child in children))


async def test_a_pull_keeps_no_other_job_waiting(
    engine: Engine, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as wall:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{wall.getsockname()[1]}/simple")
        pulls = [engine.submit(Pull(model="SmolLM2-135M-Instruct")) for _ in range(2)]
        engine.submit(load("echo"))
        end = await ear.end_of(engine.submit(propose()))
        assert isinstance(end, Finished) and not end.cancelled
        assert not any(pull in ear.ends for pull in pulls)
        for pull in reversed(pulls):
            engine.cancel(pull)
            assert await ear.end_of(pull) == Finished(job=pull, cancelled=True)


async def test_the_client_brings_in_no_library_of_models() -> None:
    code = (
        "import sys, core.engine.client\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub', 'tokenizers', 'textual', 'numpy'}\n"
        "print(heavy & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
