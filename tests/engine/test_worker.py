"""The worker as a process: what it answers, and that it never answers anything else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.domain.candidate import Origin, Source
from core.engine import protocol
from core.engine.protocol import Cancel, Finished, Hello, Judge, Load, Ready, Said, Trouble, Vitals
from core.watch import Advised, Growing, Measured, Progress, Written
from tests.engine.hearing import DEADLINE, PROFILE, SCENARIO, STAND_IN, propose
from tests.nasty import SPOKEN

Replies = list[protocol.Reply]


class Pipes:
    """A worker and its two pipes, with every line it wrote."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            STAND_IN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.replies: Replies = []

    def close(self) -> bytes:
        """Ends the worker, and gives what it wrote on standard error."""
        assert self.process.stderr
        if self.process.stderr.closed:
            return b""
        self.process.kill()
        with self.process:
            return self.process.stderr.read()

    def say(self, *requests: protocol.Request) -> None:
        """Writes requests."""
        self.raw(b"".join(protocol.encode(request) for request in requests))

    def raw(self, line: bytes) -> None:
        """Writes bytes."""
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def until(self, wanted: Callable[[protocol.Reply], object]) -> Replies:
        """What the worker says up to the reply that is wanted. Every line must be a reply."""
        assert self.process.stdout
        heard: Replies = []
        for line in self.process.stdout:
            heard.append(protocol.decode_reply(line))
            self.replies.append(heard[-1])
            if wanted(heard[-1]):
                return heard
        raise AssertionError(f"the worker ended; it had said {heard}")

    def end(self, job: str) -> Replies:
        """What the worker says up to the end of a job."""
        return self.until(lambda reply: isinstance(reply, Finished | Trouble) and reply.job == job)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    try:
        yield pipes
    finally:
        pipes.close()


def named(request: protocol.Propose, job: str) -> protocol.Propose:
    return protocol.Propose(
        job=job,
        profile=request.profile,
        scenario=request.scenario,
        count=request.count,
        seed=request.seed,
    )


def test_it_greets_loads_and_does_jobs_in_order(pipes: Pipes) -> None:
    pipes.say(
        Load(job="a", policy="echo", judge="echo"),
        named(propose(3), "b"),
        Judge(job="c", profile=PROFILE, scenario=SCENARIO, texts=("Send the letter.",)),
    )
    heard = pipes.end("c")
    assert isinstance(heard[0], Hello) and heard[0].pid == pipes.process.pid
    assert [reply.job for reply in heard if isinstance(reply, Finished)] == ["a", "b", "c"]
    ready = [reply for reply in heard if isinstance(reply, Ready)]
    assert ready[0].job == "a" and ready[0].models["policy"].name == "echo"


def test_proposals_are_written_and_then_judged_under_the_same_rows(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="echo", judge="echo"), named(propose(3), "b"))
    pipes.end("a")
    notes = [reply.note for reply in pipes.end("b") if isinstance(reply, Said)]
    written = {note.row: note.text for note in notes if isinstance(note, Written)}
    measured = {note.row for note in notes if isinstance(note, Measured) and note.judgement}
    assert written and set(written) == measured


def test_agents_answer_and_are_judged_under_the_same_rows(pipes: Pipes) -> None:
    consult = protocol.Consult(job="b", profile=PROFILE, scenario=SCENARIO, seed=1)
    pipes.say(Load(job="a", policy="echo", judge="echo"), consult)
    pipes.end("a")
    heard = pipes.end("b")
    notes = [reply.note for reply in heard if isinstance(reply, Said)]
    advised = {note.row: note for note in notes if isinstance(note, Advised)}
    measured = {note.row for note in notes if isinstance(note, Measured) and note.judgement}
    assert set(advised) == {0, 1, 2} == measured
    assert advised[0].origin == Origin(Source.AGENT, "fees")
    assert advised[2].origin.source is Source.AGGREGATOR
    ready = [reply for reply in heard if isinstance(reply, Ready)]
    assert {"policy", "judge", "agent fees", "aggregator"} <= set(ready[0].models)


def test_rows_that_came_to_nothing_do_not_shift_the_verdicts(pipes: Pipes) -> None:
    """Echo repeats itself when asked for many, so that rows in the middle are dropped."""
    from core.domain.text import digest

    pipes.say(Load(job="a", policy="echo", judge="echo"), named(propose(24), "b"))
    pipes.end("a")
    notes = [reply.note for reply in pipes.end("b") if isinstance(reply, Said)]
    written = {note.row: note.text for note in notes if isinstance(note, Written)}
    measured = [note for note in notes if isinstance(note, Measured)]
    assert len(written) < 24
    assert {note.row: note.judgement.text for note in measured if note.judgement} == {
        row: digest(text) for row, text in written.items()
    }


def test_only_the_protocol_comes_out_of_it(pipes: Pipes, home: Path) -> None:
    pipes.say(Load(job="a", policy="noisy", judge="echo"), named(propose(), "b"))
    assert isinstance(pipes.end("b")[-1], Finished)
    assert pipes.close() == b""
    log = (home / "state" / "worker.log").read_text("utf-8")
    for said in ("print says hello", "made-up", "standard error", "descriptor 1", "the C library"):
        assert said in log
    assert "a child" in log and "a warning" in log


GARBAGE = (
    b"\n",
    b"hello\n",
    b"\xff\xfe\n",
    b"[" * 5_000 + b"\n",
    b'{"type":"fly"}\n',
    b'{"type":"judge","job":"x"}\n',
    b'{"type":"pull","job":"","model":"x"}\n',
)


def test_lines_that_are_no_requests_are_answered_and_survived(pipes: Pipes) -> None:
    for line in GARBAGE:
        pipes.raw(line)
        trouble = pipes.until(lambda reply: isinstance(reply, Trouble))[-1]
        assert isinstance(trouble, Trouble) and trouble.job == "" and trouble.problem
    pipes.say(Load(job="a", policy="echo", judge="echo"))
    assert isinstance(pipes.end("a")[-1], Finished)


def test_another_version_is_refused_and_ends_it(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="echo", judge="echo", version=99))
    trouble = pipes.end("a")[-1]
    assert isinstance(trouble, Trouble) and "99" in trouble.problem and trouble.mend
    assert pipes.process.wait(DEADLINE) != 0


def test_an_error_of_ours_names_what_where_and_mend(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="missing", judge="echo"))
    assert pipes.end("a")[-1] == Trouble(
        job="a", problem="it is not there", where="missing", mend="Bring it."
    )


@pytest.mark.parametrize("policy", ["broken", "greedy"])
def test_any_other_error_is_one_line_and_its_traceback_is_in_the_log(
    pipes: Pipes, home: Path, policy: str
) -> None:
    pipes.say(Load(job="a", policy=policy, judge="echo"), named(propose(), "b"))
    trouble = pipes.end("b")[-1]
    log = home / "state" / "worker.log"
    assert isinstance(trouble, Trouble) and "\n" not in trouble.problem
    assert str(log) in trouble.mend
    assert "Traceback" in log.read_text("utf-8")
    pipes.say(Judge(job="c", profile=PROFILE, scenario=SCENARIO, texts=("Go on.",)))
    assert isinstance(pipes.end("c")[-1], Finished)


def test_without_models_a_job_says_what_to_do(pipes: Pipes) -> None:
    pipes.say(named(propose(), "a"))
    trouble = pipes.end("a")[-1]
    assert isinstance(trouble, Trouble) and "load" in trouble.mend


def test_models_that_cannot_be_loaded_leave_the_old_ones(pipes: Pipes) -> None:
    pipes.say(
        Load(job="a", policy="echo", judge="echo"),
        Load(job="b", policy="missing", judge="echo"),
        named(propose(), "c"),
    )
    assert isinstance(pipes.end("c")[-1], Finished)


def test_models_that_are_there_are_not_loaded_again(pipes: Pipes) -> None:
    pipes.say(
        Load(job="a", policy="echo", judge="echo"), Load(job="b", policy="echo", judge="echo")
    )
    pipes.end("a")
    again = pipes.end("b")
    assert any(isinstance(reply, Ready) and reply.job == "b" for reply in again)
    assert not any(isinstance(reply, Said) for reply in again)


def test_vitals_are_told_while_a_job_runs(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="slow", judge="echo"), named(propose(), "b"))
    pipes.end("a")
    heard = pipes.until(lambda reply: isinstance(reply, Vitals) and reply.tokens_per_s > 0)
    assert isinstance(heard[-1], Vitals) and heard[-1].memory_bytes > 1_000_000


def test_growing_text_comes_no_oftener_than_an_eye_can_follow(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="slow", judge="echo"), named(propose(3), "b"))
    pipes.end("a")
    began = time.monotonic()
    steps = 0

    def enough(reply: protocol.Reply) -> bool:
        nonlocal steps
        steps += isinstance(reply, Said) and isinstance(reply.note, Progress)
        return steps == 10

    heard = pipes.until(enough)
    seconds = time.monotonic() - began
    growing = [r for r in heard if isinstance(r, Said) and isinstance(r.note, Growing)]
    assert 0 < len(growing) <= 3 * (seconds / 0.05 + 2)


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_any_text_can_be_judged(text: str) -> None:
    """In process, for speed: the stages and the way back through the protocol."""
    from core.models.echo import Echo
    from core.stages.judge import PromptedJudge, judge
    from core.watch import Watch

    told: Replies = []
    watch = Watch(lambda note: told.append(protocol.Said(job="j", note=note)))
    judge(PromptedJudge(Echo()), SCENARIO, PROFILE, [text], watch=watch)
    assert [protocol.decode_reply(protocol.encode(reply)) for reply in told] == told


def test_it_ends_when_its_input_ends_in_the_middle_of_a_job(pipes: Pipes) -> None:
    pipes.say(Load(job="a", policy="slow", judge="echo"), named(propose(), "b"))
    pipes.until(lambda reply: isinstance(reply, Said) and isinstance(reply.note, Growing))
    assert pipes.process.stdin
    pipes.process.stdin.close()
    pipes.process.wait(DEADLINE)
    assert pipes.process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_it_dies_with_its_parent_even_if_others_hold_the_pipe(home: Path) -> None:
    """A parent that is killed while a third process keeps the worker's input open."""
    read, write = os.pipe()
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            f"worker = subprocess.Popen({STAND_IN!r}, stdin={read}, stdout=subprocess.PIPE)\n"
            "worker.stdout.readline()\n"
            "print(worker.pid, flush=True)\n"
            "time.sleep(1000)",
        ],
        stdout=subprocess.PIPE,
        pass_fds=[read],
    )
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    psutil.wait_procs([worker], timeout=DEADLINE)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    os.close(read)
    os.close(write)


def test_an_interrupt_at_the_terminal_is_not_for_it(pipes: Pipes) -> None:
    pipes.until(lambda reply: isinstance(reply, Hello))
    pipes.process.send_signal(signal.SIGINT)
    pipes.say(Load(job="a", policy="echo", judge="echo"))
    assert isinstance(pipes.end("a")[-1], Finished)


def test_a_cancel_for_a_job_that_is_not_there_does_no_harm(pipes: Pipes) -> None:
    pipes.say(Cancel(job="b"), Load(job="a", policy="echo", judge="echo"), named(propose(), "b"))
    pipes.end("a")
    end = pipes.end("b")[-1]
    assert isinstance(end, Finished) and not end.cancelled


def test_it_works_where_no_log_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLACET_HOME", str(tmp_path / "file"))
    pipes = Pipes()
    pipes.say(Load(job="a", policy="noisy", judge="echo"), named(propose(), "b"))
    assert isinstance(pipes.end("b")[-1], Finished)
    assert b"print says hello" in pipes.close()
