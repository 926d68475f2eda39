"""The worker seen from the screen: cancelled, killed, late; and sessions that go on."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from core import paths
from core.cli.main import app as commands
from core.config import Config, Defaults, change_config, load_config
from core.domain.candidate import Origin, Source, Standing
from core.domain.scenario import HandedIn
from core.engine.protocol import Align, Consult, Finished, Judge, Load, Propose, Ready, Trouble
from core.errors import BadInput, Refused
from core.session.events import Failed, ModelsSet, ModelUsed
from core.session.hold import Held, Hold
from core.session.store import Store, load
from core.watch import Advised, Growing, Measured, Progress, Rewritten, Written
from tests.tui.driving import PATIENCE, Clock, Desk, desk, dump, full
from tests.tui.fake import TEXTS, FakeEngine, judgement
from tui.app import PlacetApp
from tui.bars import KeyBar
from tui.dialogs import Ask, Confirm, Pick
from tui.flow import saving
from tui.keymap import keymap
from tui.opening import Opened, new_session, open_session, session_file
from tui.panes.scenario import ScenarioPane
from tui.panes.values import ValueList
from tui.run import run_review
from tui.screens.opening import OpeningScreen
from tui.screens.review import ReviewScreen


async def test_echo_announces_itself() -> None:
    async with desk(name="echo") as on:
        assert "echo is at work" in on.text()
        assert "echo" in on.text().splitlines()[0]


async def test_escape_cancels_and_keeps_what_was_finished() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(
            task,
            Progress(stage="propose", done=1, total=4, seconds_left=9),
            Written(row=0, text=TEXTS[0]),
            Growing(row=1, text="Half a"),
        )
        await on.until(lambda: "proposing" in on.text() and "1 of 4" in on.text())
        await on.press("escape")
        await on.until(lambda: not on.review.work.jobs)
        assert on.engine.cancelled == [task.job]
        assert "Cancelled" in on.said
        assert list(on.session.candidates) == ["c1"]
        await on.until(lambda: "Half a" not in on.text())


async def test_while_proposals_are_read_by_the_judge_that_is_shown() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(task, Progress(stage="write", done=1, total=4))
        await on.until(lambda: "proposing" in on.text())
        on.engine.said(task, Progress(stage="read", done=1, total=4))
        await on.until(lambda: "judging" in on.text())


async def test_an_answer_that_waits_for_its_verdict_is_shown_as_being_judged() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("w")
        origin = Origin(Source.AGENT, "consent")
        on.engine.said(on.engine.last(Consult), Advised(row=0, text=TEXTS[0], origin=origin))
        assert [row.doing for row in on.review.rows()] == ["judging"]


async def test_a_worker_that_is_killed_loses_nothing_and_says_how_to_go_on() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(task, Written(row=0, text=TEXTS[0]), Growing(row=1, text="Half a"))
        await on.pilot.pause()
        on.engine.die()
        await on.until(lambda: "worker stopped" in on.text())
        await on.until(lambda: "tries again" in on.text())
        assert list(on.session.candidates) == ["c1"]
        assert not on.review.work.jobs
        await on.press("g")
        again = on.engine.last(Propose)
        assert again.job != task.job


async def test_what_was_judged_before_the_worker_died_has_not_failed() -> None:
    async with desk() as on:
        await on.propose()
        on.review.set_scenario(goal="Another goal.")
        on.engine.auto = False
        on.review.check()
        task = on.engine.last(Judge)
        assert isinstance(task, Judge)
        first = judgement(task.texts[0], task.profile, task.scenario)
        on.engine.said(
            task, Measured(row=0, judgement=first), Measured(row=1, problem="it does not fit")
        )
        on.engine.die()
        failed = [one.event for one in on.session.records if isinstance(one.event, Failed)]
        died = "the worker stopped (killed by SIGKILL)"
        assert [(one.candidate, one.problem) for one in failed] == [
            ("c2", "it does not fit"),
            ("c3", died),
            ("c4", died),
        ]
        assert on.session.candidates["c1"].trouble == ""


@pytest.mark.parametrize("how", ["judged", "proposed", "died"])
async def test_a_failure_about_a_text_that_was_edited_since_is_none_of_the_new_one(
    how: str,
) -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        if how == "proposed":
            on.review.work.propose()
            on.engine.said(on.engine.asked[-1], Written(row=0, text="Too long."))
        else:
            on.session.propose("Too long.", Origin(Source.HANDED_IN, "a"))
            on.review.check()
        old = on.engine.asked[-1]
        digest = on.session.candidates["c1"].current.digest
        on.session.edit("c1", "Short.")
        if how == "died":
            on.engine.hear(Trouble(job=old.job, problem="it does not fit"))
        else:
            on.engine.said(old, Measured(row=0, problem="it does not fit"))
        [failed] = [one.event for one in on.session.records if isinstance(one.event, Failed)]
        assert (failed.candidate, failed.text) == ("c1", digest)
        assert on.session.candidates["c1"].trouble == ""


@pytest.mark.parametrize("gone", [True, False])
async def test_only_a_worker_that_is_gone_troubles_more_than_its_job(gone: bool) -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        told = "it ended" if gone else "the other worker stopped"
        on.engine.hear(Trouble(job=on.engine.last(Propose).job, problem=told, gone=gone))
        assert on.review.work.trouble == (told if gone else "")
        assert told in on.said


async def test_models_that_are_missing_are_told_of_with_the_mend() -> None:
    async with desk(auto=False) as on:
        task = on.engine.last(Load)
        on.engine.hear(
            Trouble(job=task.job, problem="the model x is not on this machine", mend="Pull it.")
        )
        await on.until(lambda: "not on this machine" in on.text())
        assert "Pull it" in on.text()
        await on.until(
            lambda: "M chooses a model, or brings one; g or c tries again." in on.text(), "mend"
        )
        assert "M  then b: brings the default model" in on.text()


async def test_once_there_is_something_to_decide_the_hint_says_so() -> None:
    async with desk() as on:
        on.review.news.say("x is on this machine.")
        await on.propose()
        await on.until(lambda: "4 to decide: a approves the one under the cursor" in on.text())


async def test_how_to_cancel_is_in_view_however_long_the_name_of_what_runs_is() -> None:
    async with desk(auto=False, size=(80, 24)) as on:
        on.engine.answer(on.engine.asked[0])
        on.review.work.pull("an-owner-of-models/and-a-model-with-a-name-of-many-words-in-it")
        note = Progress(stage="converting", done=9, total=10, seconds_left=100)
        on.engine.said(on.engine.asked[-1], note)
        await on.until(lambda: "100 s left   M x cancels" in on.text())


async def test_what_is_said_while_a_job_runs_is_read_beside_its_bar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.flow.news.READING", 0.3)
    monkeypatch.setattr("tui.screens.review.READING", 0.3)
    async with desk(auto=False, size=(80, 24)) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        on.engine.said(on.engine.last(Propose), Progress(stage="propose", done=1, total=4))
        await on.until(lambda: "proposing" in on.text())
        on.review.news.say("Undone: the rejection of c1, which was one of many. " * 3)
        await on.until(lambda: "· Undone: the rejection" in on.text() and "1 of 4" in on.text())
        assert "esc cancels" in on.text()
        await on.until(lambda: "proposing" in on.text() and "Undone" not in on.text())


async def test_models_that_were_missing_are_asked_for_again() -> None:
    async with desk(auto=False) as on:
        missing = "the model x is not on this machine"
        on.engine.hear(Trouble(job=on.engine.last(Load).job, problem=missing))
        await on.press("g")
        again, propose = on.engine.asked[-2:]
        assert isinstance(again, Load)
        assert isinstance(propose, Propose)
        for task in (again, propose):
            on.engine.hear(Trouble(job=task.job, problem=missing))
        on.review.work.pull("x")
        pull = on.engine.asked[-1]
        on.engine.said(
            pull, Progress(stage="fetching", done=25_000_000, total=100_000_000, seconds_left=9)
        )
        await on.until(lambda: "pulling x: fetching" in on.text())
        assert "25 of 100" in on.text()
        on.engine.hear(Finished(job=pull.job))
        assert isinstance(on.engine.asked[-1], Load)
        on.engine.answer(on.engine.asked[-1])
        await on.until(lambda: not on.review.work.trouble)


async def test_models_lost_with_the_worker_are_asked_for_until_they_come() -> None:
    async with desk() as on:
        on.engine.auto = False
        await on.press("g")
        on.engine.die()
        assert not on.review.work.models
        await on.until(lambda: "no model" in on.text())
        for _ in range(2):
            await on.press("g")
            again, propose = on.engine.asked[-2:]
            assert isinstance(again, Load) and isinstance(propose, Propose)
            assert (again.policy, again.judge) == ("fake-model", "fake-model")
            on.engine.hear(Trouble(job=again.job, problem="there is no memory left"))
            on.engine.hear(Trouble(job=propose.job, problem="no models are in memory yet"))
            await on.until(lambda: "there is no memory left" in on.text())
            assert "g or c tries again" in on.text()
        await on.press("g")
        for task in on.engine.asked[-2:]:
            on.engine.answer(task)
        assert on.session.candidates
        await on.until(lambda: not on.review.work.trouble)
        await on.press("m")
        assert not isinstance(on.engine.asked[-2], Load)


async def test_models_the_worker_died_of_give_way_to_those_that_served() -> None:
    async with desk() as on:
        on.engine.auto = False
        on.review.work.load("too-large", "fake-model")
        on.engine.die()
        await on.press("g")
        again = on.engine.asked[-2]
        assert isinstance(again, Load)
        assert (again.policy, again.judge) == ("fake-model", "fake-model")


async def test_a_rewrite_that_comes_after_a_decision_changes_nothing() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to("c1")
        on.engine.auto = False
        on.review.realign("c1", "")
        task = on.engine.last(Align)
        await on.settle()
        await on.press("a")
        assert on.standing("c1") is Standing.APPROVED
        on.engine.said(task, Rewritten(row=0, text="Something else."))
        assert on.standing("c1") is Standing.APPROVED
        assert "approved meanwhile" in on.said


async def test_why_a_text_stays_as_it_was_is_hidden_with_its_verdict() -> None:
    async with desk() as on:
        await on.press("b")
        await on.propose()
        await on.go_to("c1")
        on.engine.auto = False
        on.review.realign("c1", "")
        on.engine.said(on.engine.last(Align), Rewritten(row=0, why="every rewrite was riskier"))
        assert "c1 stays as it was" in on.said
        await on.settle()
        assert "riskier" not in on.text() + on.said
        on.review.reveal("c1")
        await on.until(lambda: "riskier" in on.text())


@pytest.mark.parametrize("what", ["goal", "statement"])
async def test_a_rewrite_made_for_another_goal_or_other_statements_changes_nothing(
    what: str,
) -> None:
    async with desk() as on:
        await on.propose()
        on.engine.auto = False
        on.review.realign("c1", "")
        task = on.engine.last(Align)
        if what == "goal":
            on.review.set_scenario(goal="Another goal.")
        else:
            first = on.review.profile.values[0]
            on.review.set_value(replace(first, statement="Another statement."))
        on.engine.said(task, Growing(row=0, text="Some"), Rewritten(row=0, text="Something else."))
        assert on.session.candidates["c1"].text == TEXTS[0]
        assert "too late" in on.said
        assert on.review.draft("c1") == ""


@pytest.mark.parametrize("key", ["g", "w"])
async def test_proposals_made_for_another_goal_are_dropped_and_that_is_said_once(key: str) -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press(key)
        task = on.engine.asked[-1]

        def wrote(row: int) -> Written | Advised:
            text, origin = TEXTS[row], Origin(Source.AGENT, "consent")
            return (
                Written(row=row, text=text)
                if key == "g"
                else Advised(row=row, text=text, origin=origin)
            )

        on.engine.said(task, wrote(0))
        on.review.set_scenario(goal="Another goal.")
        on.engine.said(task, wrote(1), wrote(2))
        assert list(on.session.candidates) == ["c1"]
        assert sum("too late" in notice.text for notice in on.review.news.said) == 1
        on.review.undo()
        on.engine.said(task, wrote(3))
        assert list(on.session.candidates) == ["c1", "c2"]


async def test_proposals_made_under_other_statements_come_in_unjudged() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        first = on.review.profile.values[0]
        on.review.set_value(replace(first, statement="Another statement."))
        on.engine.said(task, Written(row=0, text=TEXTS[0]))
        assert on.review.stuck() == ["c1"]


async def test_a_row_that_is_no_candidate_is_drawn_under_a_name_of_its_own() -> None:
    async with desk() as on:
        await on.propose()
        on.engine.auto = False
        on.review.realign("c1", "")
        task = on.engine.last(Align)
        on.engine.said(task, Growing(row=0, text="One"), Growing(row=1, text="Two"))
        assert {row.key: row.text for row in on.review.rows()}[f"{task.job}.1"] == "Two"
        assert (on.review.draft("c1"), on.review.draft(f"{task.job}.1")) == ("One", "Two")
        assert on.review.draft("c2") == ""


async def test_replies_about_nothing_we_know_are_survived() -> None:
    async with desk() as on:
        on.engine.hear(Trouble(job="gone", problem="late"))
        on.engine.hear(Ready(models={"policy": ModelUsed(name="other")}))
        await on.propose()
        assert len(on.session.candidates) == 4


async def test_every_event_is_on_disk_and_the_session_goes_on_where_it_stood() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to("c1")
        await on.press("a")
        await on.until(lambda: not on.review.saver.dirty)
        path, head = on.review.saver.path, on.session.head
        assert load(path).head == head  # what a kill -9 here would leave
    async with desk(open_session(Store(path))) as on:
        assert on.session.head == head or on.session.records[-1].event is not None
        assert on.standing("c1") is Standing.APPROVED
        assert on.review.saver.path == path
        await on.press("u")
        await on.until(lambda: not on.review.saver.dirty)
        assert load(path).candidates["c1"].standing is Standing.PENDING


async def test_looking_around_leaves_no_file() -> None:
    async with desk() as on:
        await on.press("j", "1", "2", "3", "4")
        assert not on.review.saver.path.exists()


async def test_a_session_that_is_only_looked_at_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        path = on.review.saver.path
    before = path.read_bytes()
    monkeypatch.setattr(Store, "save", full)
    async with desk(open_session(Store(path)), name="another-model") as on:
        assert isinstance(on.session.records[-1].event, ModelsSet)
        assert "● saved" in on.text()
        await on.press("q")
        await on.until(lambda: on.engine.stopped)
    assert path.read_bytes() == before


async def test_which_models_came_is_kept_where_something_else_has_happened() -> None:
    """They can take approvals back, which the file must not go on telling of."""
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        other = ModelUsed(name="another", kind="causal", device="cpu", dtype="float32")
        on.session.use_models({"policy": other, "judge": other})
        await on.until(lambda: not on.review.saver.dirty)
        assert load(on.review.saver.path).head == on.session.head


async def test_save_as_moves_the_session(tmp_path: Path) -> None:
    async with desk() as on:
        await on.propose()
        await on.press("ctrl+s")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = str(tmp_path / "mine")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "Saved as" in on.said)
        assert load(tmp_path / "mine.toml").head == on.session.head


async def test_save_as_into_a_folder_keeps_the_name_of_the_file(tmp_path: Path) -> None:
    async with desk() as on:
        await on.propose()
        name = on.review.saver.path.name
        await on.press("ctrl+s")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = f"{tmp_path}/"
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "Saved as" in on.said)
        assert on.review.saver.path == tmp_path / name
        assert not tmp_path.with_suffix(".toml").exists()


async def test_a_folder_that_cannot_be_written_is_told_of_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk() as on:
        monkeypatch.setattr(Store, "save", full)
        await on.propose()
        await on.until(lambda: "No space left" in on.text())
        assert "not saved" in on.text()
        await on.press("q")
        await on.answered()
        assert isinstance(on.dialog, Confirm)
        assert on.dialog.heading == "Leave without saving?"
        await on.press("enter")  # no has the focus
        await on.closed()
        assert not on.engine.stopped
        await on.press("ctrl+o")
        await on.answered()
        await on.type("hidden")
        await on.press("enter")
        await on.until(lambda: "would be lost" in on.said)
        monkeypatch.undo()
        on.review.note("more", "c1")
        await on.until(lambda: not on.review.saver.dirty)
        await on.until(lambda: "No space left" not in on.text())


async def test_an_error_that_nobody_foresaw_does_not_end_the_saving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "AGAIN", 0.05)

    def surprised(store: Store, session: object) -> None:
        "\udce9".encode()

    async with desk() as on:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Store, "save", surprised)
            await on.propose()
            await on.until(lambda: "surrogates not allowed" in on.text())
            await on.press("q")
            await on.answered()
            assert isinstance(on.dialog, Confirm)
            assert on.dialog.heading == "Leave without saving?"
            await on.press("enter")  # no has the focus
            await on.closed()
        await on.until(lambda: not on.review.saver.dirty)
        assert not on.review.saver.problem
        assert load(on.review.saver.path).head == on.session.head


async def test_leaving_from_a_dialog_asks_first_where_something_is_not_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk() as on:
        monkeypatch.setattr(Store, "save", full)
        await on.propose()
        await on.until(lambda: "No space left" in on.text())
        for _ in range(2):  # who stays is asked again the next time
            await on.press("n")
            await on.answered()
            await on.press("ctrl+q")
            await on.until(lambda: isinstance(on.dialog, Confirm), "the question")
            assert not on.engine.stopped
            await on.press("escape")
            assert isinstance(on.dialog, Ask)
            await on.press("escape")
            await on.closed()
        await on.press("ctrl+q")
        await on.until(lambda: isinstance(on.dialog, Confirm), "the question")
        await on.press("ctrl+q")
        await on.until(lambda: on.engine.stopped, "the end")


async def test_a_session_is_opened_with_ctrl_o(tmp_path: Path) -> None:
    async with desk() as on:
        await on.press("ctrl+o")
        await on.answered()
        await on.type("hidden")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.review.scenario.name == "hidden-dog")
        assert on.session.state.settings == on.app.work.defaults.settings
        await on.press("ctrl+o")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = str(tmp_path / "none.toml")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "no such file" in on.said)


def test_a_scenario_is_opened_whatever_it_speaks_of_and_whatever_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hidden-dog").mkdir()
    Path("mine.toml").write_text('schema = 1\ngoal = "Explain [[events]]."\n', encoding="utf-8")

    for name, goal in (("hidden-dog", "dog"), ("mine.toml", "[[events]]")):
        assert session_file(name) is None
        assert goal in new_session(name).session.state.scenario.goal
    with pytest.raises(BadInput, match="this is a folder"):
        new_session(str(tmp_path / "hidden-dog"))


async def test_a_scenario_picked_is_begun_anew_though_a_session_is_called_as_it_is() -> None:
    kept(paths.sessions() / "hidden-dog.toml")
    async with desk() as on:
        await on.press("2", "L")
        await on.answered()
        await on.type("hidden")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.review.scenario.name == "hidden-dog")
        assert not on.session.candidates


@pytest.mark.parametrize(("name", "told"), [("hidden-dog", True), ("mine", False)])
def test_a_session_that_is_called_as_a_scenario_is_says_so(
    monkeypatch: pytest.MonkeyPatch, name: str, told: bool
) -> None:
    kept(paths.sessions() / f"{name}.toml")
    shown: list[PlacetApp] = []
    monkeypatch.setattr(PlacetApp, "run", lambda app: shown.append(app))
    assert run_review(name) == 0
    said = [one.text for one in shown[0].work.news.said]
    scenario = paths.SHIPPED / "scenarios" / f"{name}.toml"
    assert said == ([f"this is the session {name}; the scenario is {scenario}."] if told else [])


@pytest.mark.parametrize(("key", "pane"), [("ctrl+o", "3"), ("L", "2")])
async def test_a_scenario_opened_from_inside_is_judged_by_the_configured_profile(
    key: str, pane: str
) -> None:
    config = Config(defaults=Defaults(profile="public-service"))
    async with desk(config=config) as on:
        await on.press(pane, key)
        await on.answered()
        await on.type("hidden")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.review.scenario.name == "hidden-dog")
        assert on.review.profile.name == "public-service"


async def test_a_model_is_brought_on_while_another_session_is_opened() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        on.review.work.propose()
        propose = on.engine.asked[-1]
        on.review.work.pull("x")
        pull = on.engine.asked[-1]
        await on.app.show(new_session("hidden-dog"))
        assert on.engine.cancelled == [propose.job]
        assert list(on.review.work.jobs) == [pull.job]
        on.engine.said(propose, Written(row=0, text=TEXTS[0]))
        assert not on.session.candidates
        on.engine.said(pull, Progress(stage="fetching", done=50_000_000, total=100_000_000))
        await on.until(lambda: "pulling x: fetching" in on.text())
        on.engine.hear(Finished(job=pull.job))
        assert on.said == "x is on this machine."


async def test_escape_spares_a_model_that_is_being_brought() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        on.review.work.pull("x")
        pull = on.engine.asked[-1]
        on.engine.said(pull, Progress(stage="fetching", done=50_000_000, total=100_000_000))
        await on.press("g")
        propose = on.engine.last(Propose)
        on.engine.said(propose, Progress(stage="propose", done=1, total=4))
        await on.until(lambda: "1 of 4   esc cancels" in on.text() and "online" in on.text())
        await on.press("escape")
        await on.until(lambda: list(on.review.work.jobs) == [pull.job])
        assert on.engine.cancelled == [propose.job]
        await on.press("escape")
        assert on.engine.cancelled == [propose.job]
        assert on.said == "x is being brought. M x cancels that."


async def test_escape_is_offered_only_where_there_is_something_for_it() -> None:
    def offered(on: Desk) -> bool:
        return any(item.action == "do('cancel')" for item in on.screen.query_one(KeyBar).items)

    async with desk(auto=False) as on:
        assert on.review.work.loading
        assert not offered(on)
        await on.press("escape")
        assert on.said == "The models are loading."
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        await on.until(lambda: offered(on))
        await on.press("escape")
        await on.until(lambda: not on.review.work.jobs and not offered(on))


async def test_leaving_stops_the_worker() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        await on.press("q")
        await on.until(lambda: on.engine.stopped)


async def test_keys_are_remapped_and_shown_as_they_are() -> None:
    async with desk(config=Config(keys={"approve": "A", "note": "!"})) as on:
        await on.propose()
        await on.go_to("c1")
        await on.press("a")
        assert on.standing("c1") is Standing.PENDING
        assert "A approve" in on.text()
        await on.press("A")
        assert on.standing("c1") is Standing.APPROVED
        await on.press("!")
        await on.answered()


@pytest.mark.parametrize(("told", "seed"), [([], 5), (["--seed", "0"], 0), (["--seed", "7"], 7)])
def test_a_seed_that_is_given_counts_before_that_of_the_configuration_and_is_noted(
    monkeypatch: pytest.MonkeyPatch, told: list[str], seed: int
) -> None:
    change_config(defaults=Defaults(candidates=6, seed=5))
    shown: list[PlacetApp] = []
    monkeypatch.setattr(PlacetApp, "run", lambda app: shown.append(app))
    monkeypatch.setattr(sys.modules["core.cli.main"], "open_screen", run_review)
    assert commands(["review", *told], standalone_mode=False) == 0
    assert (shown[0].work.defaults.candidates, shown[0].work.defaults.seed) == (6, seed)
    noted = shown[0].review.session.state.settings
    assert noted == {"candidates": 6, "rewrites": 4, "seed": seed}


def test_a_profile_for_a_session_that_has_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    kept(path)
    monkeypatch.setattr(PlacetApp, "run", lambda app: None)
    assert run_review(str(path)) == 0
    with pytest.raises(BadInput, match="a session has its own values") as caught:
        run_review(str(path), profile="people-and-hiring")
    assert caught.value.where == "--profile"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"approve": "x"}, "both 'approve'"),
        ({"approve": "+"}, "weight-up"),
        ({"aprove": "A"}, "no key named"),
        ({"approve": "ctrl+i"}, "another key"),
        ({"approve": ""}, "not a key"),
        ({"undo": "notakey"}, "not a key"),
        ({"approve": "j"}, "down"),
        ({"use-judge": "P"}, "use-policy"),
        ({"session-verify": "q"}, "back"),
    ],
)
def test_clashes_of_keys_are_named_before_the_start(keys: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        keymap(keys)
    assert told in str(caught.value)
    assert "keys." in str(caught.value)


def test_a_key_may_mean_other_things_on_other_screens() -> None:
    assert keymap({"use-judge": "v", "approve": "P"}) == {"use-judge": "v", "approve": "P"}


async def test_the_real_worker_is_started_anew_after_a_kill() -> None:
    import os
    import signal

    from core.engine.client import Engine
    from tui.app import PlacetApp
    from tui.flow.looking import Looking

    app = PlacetApp(new_session(), policy="echo", judge="echo", looking=Looking)
    async with app.run_test(size=(120, 36)) as pilot:
        on = Desk(app, pilot, Clock(), [])
        await on.until(lambda: app.work.models, "the models")
        engine = app.work.engine
        assert isinstance(engine, Engine)
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        await on.until(lambda: "worker stopped" in app.work.trouble)
        await on.press("g")
        await on.until(lambda: len(app.review.session.candidates) == 4 and not app.work.jobs)
        assert not app.work.trouble
        await app.work.stop()


def kept(path: Path) -> str:
    """A small session in a file; gives its last digest."""
    session = new_session().session
    session.propose(TEXTS[0], Origin(Source.POLICY, "fake"))
    Store(path).save(session)
    return session.head


async def reading(app: PlacetApp, pilot: Pilot[Any], kind: type[Screen[Any]]) -> None:
    """Waits until a screen of that kind is on top."""
    end = time.monotonic() + PATIENCE
    while not (isinstance(app.screen, kind) and app.screen.children):
        assert time.monotonic() < end, f"{kind.__name__} never came: {app.screen}"
        await pilot.pause(0.02)


def held_up(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Has every session read only once the event is set."""
    go_on = threading.Event()

    def late(*told: Any, **more: Any) -> Opened:
        go_on.wait(PATIENCE)
        return open_session(*told, **more)

    monkeypatch.setattr("tui.screens.opening.open_session", late)
    return go_on


async def test_a_session_is_read_once_the_screen_is_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    head = kept(path)
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(100, 30)) as pilot:
        await reading(app, pilot, ReviewScreen)
        assert head in [record.digest for record in app.review.session.records]
        assert app.review.saver.path == path
        while app.review.saver.dirty:
            await pilot.pause(0.02)
    assert list(tmp_path.iterdir()) == [path], "the file is free again"


async def test_no_key_or_click_in_a_pane_ends_anything_while_a_session_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    kept(path)
    go_on = held_up(monkeypatch)
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(140, 30)) as pilot:
        await reading(app, pilot, OpeningScreen)
        for pane in (ValueList, ScenarioPane):
            app.screen.set_focus(app.screen.query_one(pane))
            await pilot.press("e", "N", "D", "L", "W", "C", "E", "I")
        await pilot.click(ScenarioPane, times=2)
        assert isinstance(app.screen, OpeningScreen)
        go_on.set()
        await reading(app, pilot, ReviewScreen)


async def test_no_screen_stays_below_the_session_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The palette can be opened while a session is read, at the start and later on."""
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    kept(first)
    kept(second)
    go_on = held_up(monkeypatch)
    app = PlacetApp(first, engine=FakeEngine)
    async with app.run_test(size=(140, 30)) as pilot:
        await reading(app, pilot, OpeningScreen)
        await pilot.press("ctrl+p", "q", "u")
        await reading(app, pilot, CommandPalette)
        go_on.set()
        await reading(app, pilot, ReviewScreen)
        go_on.clear()
        await pilot.press("ctrl+o")
        await reading(app, pilot, Pick)
        app.screen.query_one("#line", Input).value = str(second)
        await pilot.press("enter")
        await reading(app, pilot, ReviewScreen)
        await pilot.press("ctrl+p")
        await reading(app, pilot, CommandPalette)
        left = app.screen_stack[1]
        go_on.set()
        end = time.monotonic() + PATIENCE
        while left in app.screen_stack:
            assert time.monotonic() < end, app.screen_stack
            await pilot.pause(0.02)
        await reading(app, pilot, ReviewScreen)
        assert app.review.saver.path == second
        assert len(app.screen_stack) == 2


async def test_a_session_that_cannot_be_read_ends_the_start_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    kept(path)
    path.write_text(path.read_text("utf-8").replace("fake", "fade"), "utf-8")
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(100, 30)) as pilot:
        end = time.monotonic() + PATIENCE
        while app.failed is None:
            assert time.monotonic() < end
            await pilot.pause(0.02)
    assert "event 2 (proposed) was changed" in str(app.failed)
    assert app.return_code == 1


async def test_a_session_that_another_placet_has_open_is_offered_as_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    head = kept(path)
    before = path.read_bytes()
    other = Hold(path)
    other.take()
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(100, 30)) as pilot:
        await reading(app, pilot, Confirm)
        await pilot.pause()
        shown = "\n".join(dump(app))
        assert "Another Placet has this session open" in shown
        assert f"process {os.getpid()}" in shown
        await pilot.press("tab", "enter")
        await reading(app, pilot, ReviewScreen)
        assert head in [record.digest for record in app.review.session.records]
        app.review.note("Only in the copy.", "")
        while app.review.saver.dirty:
            await pilot.pause(0.02)
        copy = app.review.saver.path
    assert copy != path
    assert path.read_bytes() == before
    assert load(copy).state.notes == ["Only in the copy."]
    other.free()


async def test_whoever_does_not_want_a_copy_leaves_the_session_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    kept(path)
    other = Hold(path)
    other.take()
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(100, 30)) as pilot:
        await reading(app, pilot, Confirm)
        await pilot.pause()
        await pilot.press("escape")
        end = time.monotonic() + PATIENCE
        while app.return_code is None:
            assert time.monotonic() < end
            await pilot.pause(0.02)
    assert app.return_code == 1
    with pytest.raises(Held):
        Hold(path).take()
    other.free()


async def test_unknown_keys_in_a_session_are_named_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    kept(path)
    path.write_text(path.read_text("utf-8").replace("schema = 1", 'schema = 1\nmood = "calm"', 1))
    app = PlacetApp(path, engine=FakeEngine)
    async with app.run_test(size=(140, 30)) as pilot:
        await reading(app, pilot, ReviewScreen)
        assert app.work.news.last
        assert "'mood' is not known here" in app.work.news.last.text


async def test_the_session_that_is_open_is_not_opened_twice() -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        await on.press("ctrl+o")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = str(on.review.saver.path)
        await on.press("enter")
        await on.until(lambda: "the session that is open" in on.said)


async def test_a_policy_that_cannot_be_loaded_is_not_asked_for_again() -> None:
    async with desk(auto=False) as on:
        work = on.review.work
        first = on.engine.last(Load)
        on.engine.answer(first)
        work.load("broken", "fake-model", {"policy": "broken"})
        broken = on.engine.last(Load)
        on.engine.hear(Trouble(job=broken.job, problem="it is damaged"))
        assert work.wanted == ("fake-model", "fake-model")
        assert load_config().defaults.policy == ""


async def test_what_is_judged_under_other_values_is_not_waited_for() -> None:
    async with desk(auto=False) as on:
        on.session.propose("Write to them.", Origin(Source.HANDED_IN, "a"))
        assert on.review.check() == 1 and on.review.check() == 0
        value = on.review.profile.values[0]
        on.review.set_value(replace(value, statement="Something else."))
        assert on.review.check() == 1
        await on.press("c")
        assert on.said == "1 being judged already."


async def test_thousands_that_come_in_while_thousands_are_judged_do_not_hold_up_the_screen() -> (
    None
):
    async with desk(auto=False) as on:
        for batch in "ab":
            texts = tuple(HandedIn(text=f"Action {batch}{number}.") for number in range(4000))
            assert on.review.take_in(texts) == 4000
            begun = time.process_time()
            assert on.review.check() == 4000
            assert time.process_time() - begun < 0.5
        assert on.review.check() == 0


async def test_each_attempt_draws_anew_though_nothing_came_of_the_last() -> None:
    async with desk(auto=False) as on:
        on.review.work.propose()
        first = on.engine.last(Propose)
        on.engine.hear(Finished(job=first.job, notice="0 of 4 could be used"))
        on.review.work.propose()
        second = on.engine.last(Propose)
        assert isinstance(first, Propose) and isinstance(second, Propose)
        assert first.seed != second.seed


@pytest.mark.parametrize("path", ["~nobody-here/x.toml", "x" * 300 + ".toml"])
async def test_a_path_that_cannot_be_one_is_told_of(path: str) -> None:
    async with desk() as on:
        await on.press("ctrl+s")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = path
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "cannot be" in on.said)
        assert on.app.screen is on.screen


async def test_a_link_that_leads_nowhere_among_the_sessions_ends_nothing(home: Path) -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        (on.review.saver.path.parent / "x.toml").symlink_to("/nowhere")
        await on.press("S")
        await on.until(lambda: "open here" in on.text())


async def test_a_session_does_not_grow_by_files_until_it_cannot_be_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk() as on:
        assert on.review.take_in((HandedIn(text="First."),)) == 1
        await on.until(lambda: not on.review.saver.dirty)
        size = on.review.saver.path.stat().st_size
        monkeypatch.setattr("tui.flow.review.LARGEST", 2 * size)
        assert on.review.take_in((HandedIn(text="Second."),)) == 1
        await on.until(lambda: not on.review.saver.dirty)
        with pytest.raises(Refused, match="could not be opened again"):
            on.review.take_in((HandedIn(text="Third."),))
        assert list(on.session.candidates) == ["c1", "c2"]


async def test_a_judgement_is_not_awaited_of_a_session_that_was_left() -> None:
    async with desk(auto=False) as on:
        on.session.propose("Write to them.", Origin(Source.HANDED_IN, "a"))
        on.review.check()
        on.review.work.leave()
        assert not on.review.work.expects(on.session, "c1")
        assert "no verdict" in on.review.what_to_do("c1")


async def test_two_new_sessions_of_one_second_are_kept_in_two_files() -> None:
    async with desk() as one, desk() as other:
        path = one.review.saver.path
        other.review.saver._store = other.review.saver._store.at(path)
        await one.propose()
        await one.until(lambda: not one.review.saver.dirty)
        await other.propose()
        await other.until(lambda: not other.review.saver.dirty)
        assert not other.review.saver.problem
        assert other.review.saver.path.name == f"{path.stem}-2.toml"
        assert load(path).head == one.session.head
        assert load(other.review.saver.path).head == other.session.head


async def test_a_file_that_came_since_its_name_was_chosen_is_not_written_over() -> None:
    async with desk() as on:
        path = on.review.saver.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("somebody else's", encoding="utf-8")
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        assert path.read_text(encoding="utf-8") == "somebody else's"
        assert load(on.review.saver.path).head == on.session.head
