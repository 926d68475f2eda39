"""Decisions with the keyboard: what they do, and what keeps them from happening by accident."""

import pytest
from msgspec.structs import replace
from textual import events
from textual.command import CommandPalette
from textual.widgets import Input, TextArea

from core.config import Config
from core.domain.candidate import Standing
from core.domain.verdict import Risk
from core.engine.protocol import Align, Judge, Propose
from core.session.events import Approved, Rejected
from core.session.store import Store
from core.watch import Measured, Rewritten, Written
from tests.tui.driving import Clock, desk
from tests.tui.fake import TEXTS, judgement
from tui.dialogs import Ask, Dialog, Edit
from tui.flow.listing import Order
from tui.flow.looking import Looking
from tui.opening import Opened, new_session
from tui.panes.values import ValueList
from tui.screens import editing

LOW, MED, HIGH = "c1", "c2", "c3"
"""What the fake judge thinks of the first three proposals."""


async def test_a_low_risk_is_approved_with_one_key() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("a")
        assert on.standing(LOW) is Standing.APPROVED
        event = on.session.records[-1].event
        assert isinstance(event, Approved)
        assert not event.against_advice
        assert event.seconds == 2.0


@pytest.mark.parametrize("name", [MED, HIGH])
async def test_against_the_judge_it_takes_two_steps_and_a_typed_reason(name: str) -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(name)
        await on.press("a")
        await on.answered()
        assert on.standing(name) is Standing.PENDING
        await on.press("enter")  # a queued enter approves nothing
        assert on.dialog is not None
        assert on.standing(name) is Standing.PENDING
        await on.type("known owner")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.standing(name) is Standing.APPROVED)
        event = on.session.records[-1].event
        assert isinstance(event, Approved)
        assert (event.against_advice, event.reason) == (True, "known owner")


async def test_a_reason_from_before_approves_nothing_until_enter_comes_again() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        await on.begin_again("a", "known owner")
        await on.press("enter")
        assert "Enter again, if you still mean it" in on.text()
        for gap in (0.5, 0.03, 0.03):
            on.clock.forward(gap)
            await on.press("enter")  # held down
        assert on.dialog is not None
        assert on.standing(HIGH) is Standing.PENDING
        on.clock.forward(1)
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.standing(HIGH) is Standing.APPROVED)
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and event.reason == "known owner"


async def test_a_reason_from_before_that_is_typed_on_is_sent_by_one_enter() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        for typed, key in (("known", "escape"), (" owner", "enter")):
            await on.press("a")
            await on.answered()
            await on.press("end")
            await on.type(typed)
            await on.press(key)
            await on.closed()
            await on.settle()
        await on.until(lambda: on.standing(HIGH) is Standing.APPROVED)
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and event.reason == "known owner"


async def test_what_is_typed_ahead_of_a_dialog_decides_nothing() -> None:
    """A reason that begins with `a`, typed faster than the dialog opens, must not approve."""
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        for key in "xaasn":
            on.app.post_message(events.Key(key, key))
        await on.answered()
        await on.pilot.pause()
        assert isinstance(on.dialog, Ask)
        assert on.dialog.heading == f"Reject {LOW}"
        assert len(on.app.screen_stack) == 3
        assert on.standing(LOW) is Standing.PENDING


async def test_what_is_typed_ahead_into_the_filter_are_words() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        for key in ("slash", *"apr"):
            on.app.post_message(events.Key(key, "/" if key == "slash" else key))
        await on.until(lambda: on.review.needle == "apr")
        assert on.standing(LOW) is Standing.PENDING
        assert not on.screen.raw


@pytest.mark.parametrize(("pane", "key"), [("1", "N"), ("1", "e"), ("2", "e")])
async def test_what_is_typed_ahead_of_a_pane_s_dialog_decides_nothing(pane: str, key: str) -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        weights = dict(on.review.profile.weights)
        await on.press(pane)
        for one in (key, "a", "b", "space", "plus", "n"):
            on.app.post_message(events.Key(one, " " if one == "space" else one))
        await on.until(lambda: isinstance(on.dialog, Dialog))
        await on.pilot.pause()
        assert on.standing(LOW) is Standing.PENDING
        assert on.review.profile.weights == weights
        assert not on.review.blind
        assert len(on.app.screen_stack) == 3


async def test_a_pane_has_the_focus_before_the_next_key_comes() -> None:
    async with desk() as on:
        before = on.review.profile.weights["consent"]
        for key in ("1", "left"):
            on.app.post_message(events.Key(key, None))
        await on.until(lambda: on.review.profile.weights["consent"] < before)


async def test_no_button_that_approves_has_the_focus() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        await on.press("a")
        await on.answered()
        assert isinstance(on.app.focused, Input)


async def test_a_decision_is_ignored_until_the_item_has_been_in_view_for_400_ms() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        for _ in range(3):
            await on.press("up")
        name = on.cursor
        await on.press("a")
        assert on.standing(name) is Standing.PENDING
        assert "Too soon" in on.said
        on.clock.forward(0.399)
        await on.press("j", "k")  # away and back: it counts from anew
        on.clock.forward(0.3)
        await on.press("a")
        assert on.standing(name) is Standing.PENDING
        on.clock.forward(0.8)
        await on.press("a")
        assert on.standing(name) is Standing.APPROVED


async def test_a_decision_is_ignored_when_its_verdict_has_only_just_arrived() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        assert isinstance(task, Propose)
        on.engine.said(task, Written(row=0, text=TEXTS[0]))
        await on.settle()
        on.engine.said(
            task, Measured(row=0, judgement=judgement(TEXTS[0], task.profile, task.scenario))
        )
        await on.press("a")  # not even drawn yet
        assert on.standing("c1") is Standing.PENDING
        on.clock.forward(1)
        await on.press("a")
        assert on.standing("c1") is Standing.APPROVED


async def test_a_key_that_is_held_down_decides_once() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("s")
        assert on.standing(LOW) is Standing.DEFERRED
        await on.press("u")
        assert on.standing(LOW) is Standing.PENDING
        on.clock.forward(0.5)
        await on.press("s")  # still the same press, as far as a terminal can tell
        assert on.standing(LOW) is Standing.PENDING
        on.clock.forward(0.71)
        await on.press("s")
        assert on.standing(LOW) is Standing.DEFERRED


async def test_a_key_that_came_too_soon_counts_once_it_is_pressed_on_at_leisure() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("down", "up", "a")
        assert "Too soon" in on.said
        for _ in range(2):
            on.clock.forward(0.5)
            await on.press("a")
        assert on.standing(LOW) is Standing.APPROVED


@pytest.mark.parametrize("key", ["x", "comma", "X", "e"])
async def test_a_held_key_types_nothing_into_the_dialog_it_opens(key: str) -> None:
    async with desk(config=Config(keys={"reject": "x,X,comma"})) as on:
        await on.propose()
        await on.go_to(HIGH)
        await on.press(key)
        await on.answered()
        field = on.app.focused
        assert isinstance(field, Input | TextArea)
        before = _text(field)
        for gap in (0.5, *[0.03] * 5):
            on.clock.forward(gap)
            await on.press(key)
        assert _text(field) == before
        await on.press("home")
        await on.type("fix")
        assert "fix" in _text(field)


def _text(field: Input | TextArea) -> str:
    return field.value if isinstance(field, Input) else field.text


async def test_an_unjudged_candidate_cannot_be_approved_and_the_screen_says_what_to_do() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(task, Written(row=0, text=TEXTS[0]))
        await on.press("escape")
        await on.until(lambda: not on.review.work.jobs)
        await on.settle()
        await on.press("a")
        assert on.standing("c1") is Standing.PENDING
        assert "c has it judged" in on.said
        assert "UNJUDGED" in on.text()
        await on.press("c")
        asked = on.engine.last(Judge)
        assert isinstance(asked, Judge)
        on.engine.answer(asked)
        await on.settle()
        await on.press("a")
        assert on.standing("c1") is Standing.APPROVED


async def test_a_stale_verdict_cannot_be_approved_and_the_screen_says_what_to_do() -> None:
    async with desk() as on:
        await on.propose()
        on.review.set_scenario(goal="Another goal.")
        await on.go_to(LOW)
        assert "STALE" in on.text()
        await on.press("a")
        assert on.standing(LOW) is Standing.PENDING
        assert "c has it judged" in on.said
        await on.press("c")
        await on.until(lambda: not on.review.work.jobs)
        await on.settle()
        await on.press("a")
        assert on.standing(LOW) is Standing.APPROVED


async def test_a_rejection_needs_a_reason_that_is_offered_as_guidance() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("x")
        await on.answered()
        await on.press("enter")
        assert on.dialog is not None
        await on.type("call once")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.standing(MED) is Standing.REJECTED)
        event = on.session.records[-1].event
        assert isinstance(event, Rejected)
        assert event.reason == "call once"
        await on.settle()
        await on.press("r")
        await on.answered()
        assert on.app.screen.query_one("#line", Input).value == "call once"
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.standing(MED) is Standing.REALIGNED)
        asked = on.engine.last(Align)
        assert isinstance(asked, Align)
        assert asked.cases[0].guidance == "call once"
        assert on.session.verdict(MED).risk is Risk.LOW


async def test_a_reason_that_was_taken_back_is_not_offered_as_guidance() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("x")
        await on.answered()
        await on.type("call once")
        await on.press("enter")
        await on.until(lambda: on.standing(MED) is Standing.REJECTED)
        await on.press("u")
        await on.settle()
        await on.press("r")
        await on.answered()
        assert on.app.screen.query_one("#line", Input).value == ""


async def test_guidance_may_be_left_empty() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("r")
        await on.answered()
        await on.press("enter")
        await on.until(lambda: on.standing(MED) is Standing.REALIGNED)


async def test_an_edit_is_judged_again_at_once() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        await on.press("e")
        await on.answered()
        assert isinstance(on.dialog, Edit)
        on.app.screen.query_one(TextArea).text = "Send one letter with all fees."
        await on.press("ctrl+s")
        await on.closed()
        await on.until(lambda: on.session.verdict(HIGH).risk is Risk.LOW)
        asked = on.engine.last(Judge)
        assert isinstance(asked, Judge)
        assert asked.texts == ("Send one letter with all fees.",)


async def test_undo_says_what_it_undid_and_the_log_keeps_both() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("a")
        many = len(on.session.records)
        await on.press("u")
        assert on.standing(LOW) is Standing.PENDING
        assert on.said.startswith(f"Undone: the approval of {LOW}")
        assert len(on.session.records) == many + 1


@pytest.mark.parametrize("opener", ["x", "r", "e", "n"])
async def test_no_decision_key_works_while_a_dialog_is_open(opener: str) -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press(opener)
        await on.answered()
        on.clock.forward(5)
        many = len(on.session.records)
        for key in ("a", "x", "r", "e", "s", "u", "g", "m", "c", "d", "v", "b", "o", "q", "1"):
            on.clock.forward(5)
            await on.press(key)
        assert len(on.session.records) == many
        assert on.dialog is not None
        await on.press("escape")
        await on.closed()
        assert on.standing(LOW) is Standing.PENDING


async def test_no_decision_key_works_in_the_filter() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("slash")
        many = len(on.session.records)
        await on.type("axresuq")
        assert len(on.session.records) == many
        assert on.screen.query_one("#filter", Input).value == "axresuq"
        await on.press("escape")
        assert on.review.needle == ""


async def test_what_was_typed_into_a_dialog_is_there_the_next_time() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.begin_again("x", "half a tho")
        assert on.app.screen.query_one("#line", Input).value == "half a tho"


async def test_a_verdict_that_comes_in_leaves_an_open_dialog_and_its_draft_alone() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("x")
        await on.answered()
        await on.type("because")
        on.review.work.propose()
        await on.until(lambda: len(on.session.candidates) == 8)
        assert isinstance(on.dialog, Ask)
        assert on.app.screen.query_one("#line", Input).value == "because"


async def test_a_text_that_changed_behind_the_dialog_is_not_approved() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(HIGH)
        await on.press("a")
        await on.answered()
        on.session.realigned(HIGH, "Another text altogether.")
        await on.type("fine")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "changed meanwhile" in on.said)
        assert on.standing(HIGH) is Standing.REALIGNED


async def test_blind_mode_hides_verdict_rank_and_order_until_the_decision() -> None:
    async with desk() as on:
        await on.press("b")
        await on.propose()
        await on.settle()
        shown = on.text()
        assert "hidden until you have decided" in shown
        for word in ("LOW", "MED", "HIGH", "advises"):
            assert word not in shown
        for _ in Order:
            on.review.next_order()
            assert [row.key for row in on.review.rows()] == ["c1", "c2", "c3", "c4"]
        on.review.set_weight("consent", 0.2)
        assert on.said == "consent counts 0.20."
        assert not any(row.moved for row in on.review.rows())
        on.review.set_weight("consent", 1.0)
        on.review.set_needle("high")
        assert list(on.review.rows()) == []
        on.review.set_needle("")
        await on.go_to(LOW)
        await on.press("a")
        event = on.session.records[-1].event
        assert isinstance(event, Approved)
        assert event.blind
        await on.settle()
        assert "LOW" in on.text()


@pytest.mark.parametrize("configured", [False, True])
async def test_blind_mode_is_in_the_next_session_as_it_was_in_the_last(configured: bool) -> None:
    async with desk(config=Config(blind=configured)) as on:
        before = on.review
        await on.press("b")
        assert before.blind is not configured
        await on.app.show(new_session("night-incident"))
        assert on.review is not before
        assert on.review.blind is not configured


async def test_blind_approval_of_a_high_risk_shows_the_verdict_then_and_wants_a_reason() -> None:
    async with desk() as on:
        await on.press("b")
        await on.propose()
        await on.go_to(HIGH)
        await on.press("a")
        await on.answered()
        await on.press("escape")
        await on.closed()
        await on.until(lambda: "not approved" in on.said)
        assert on.session.candidates[HIGH].notes
        assert not on.review.hides(HIGH)


async def test_the_mouse_decides_under_the_same_guards() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        bar = on.screen.query_one("KeyBar")
        place = next(
            (x, y)
            for y in range(bar.size.height)
            for x in range(bar.size.width)
            if (item := bar.item_at(x, y)) and item.label == "approve"  # type: ignore[attr-defined]
        )
        await on.pilot.click(bar, offset=place)
        await on.pilot.pause()
        assert on.standing(LOW) is Standing.APPROVED


async def test_a_dialog_answers_once_though_two_keys_come_at_once() -> None:
    async with desk() as on:
        await on.propose()
        for opener in ("n", "x", "r"):
            await on.press(opener)
            await on.answered()
            await on.type("abc")
            for _ in range(2):
                on.app.post_message(events.Key("enter", None))
            await on.closed()
            await on.settle()
            assert on.app.screen is on.screen
        notes = [note for one in on.session.candidates.values() for note in one.notes]
        assert notes == ["abc"]


async def test_who_asks_twice_to_leave_leaves_once() -> None:
    async with desk() as on:
        on.app.post_message(events.Key("q", None))
        on.app.post_message(events.Key("q", None))
        await on.until(lambda: on.engine.stopped)
    assert on.app.return_code == 0


async def test_what_came_while_another_screen_was_in_view_has_to_be_seen_first() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("T")
        await on.until(lambda: on.app.screen is not on.screen)
        on.clock.forward(2)
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.screen)
        await on.press("a")
        assert on.standing(LOW) is Standing.PENDING
        await on.settle()
        await on.press("a")
        assert on.standing(LOW) is Standing.APPROVED


@pytest.mark.parametrize(("key", "seconds"), [("T", 4.0), ("G", 4.0), ("n", 3604.0)])
async def test_only_the_time_that_a_candidate_was_in_sight_counts(key: str, seconds: float) -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press(key)
        await on.until(lambda: on.app.screen is not on.screen)
        await on.pilot.pause()
        on.clock.forward(3600)
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.screen)
        await on.settle()
        await on.press("a")
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and event.seconds == seconds


async def test_a_newer_version_takes_the_place_of_an_older_difference() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        on.review.edit(LOW, "Write to them once.")
        await on.settle()
        await on.press("d")
        assert on.screen.compare == (0, 1)
        on.review.edit(LOW, "Write to them twice.")
        await on.settle()
        assert on.screen.compare == (1, 2) and "twice" in on.text()


async def test_an_edit_in_the_midst_of_proposing_is_judged() -> None:
    async with desk(auto=False) as on:
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(task, Written(row=0, text="Write to them."))
        name = next(iter(on.session.candidates))
        assert on.review.check() == 0  # it is on its way
        on.review.edit(name, "Write to them once.")
        asked = on.engine.last(Judge)
        assert isinstance(asked, Judge) and asked.texts == ("Write to them once.",)


async def test_what_is_typed_ahead_of_a_dialog_does_not_end_the_program() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        on.app.post_message(events.Key("x", None))
        on.app.post_message(events.Key("q", "q"))
        await on.answered()
        await on.pilot.pause()
        assert not on.engine.stopped


async def test_a_decision_after_its_verdict_was_shown_is_not_blind() -> None:
    async with desk() as on:
        await on.propose()
        await on.press("b")
        await on.go_to(LOW)
        await on.press("a")
        on.clock.forward(2)
        on.review.undo()
        assert not on.review.hides(LOW)
        on.review.edit(LOW, "Another text.")
        assert on.review.hides(LOW)


async def test_a_key_held_down_decides_nothing_about_the_line_that_takes_the_place() -> None:
    async with desk() as on:
        await on.propose()
        on.review.set_needle("pending")
        await on.go_to(LOW)
        await on.press("a")
        assert on.standing(LOW) is Standing.APPROVED
        await on.until(lambda: on.cursor and on.cursor != LOW)
        other = on.cursor
        on.clock.forward(0.5)
        await on.press("a")  # the same press, as far as a terminal can tell
        await on.settle()
        assert on.standing(other) is Standing.PENDING and on.dialog is None
        on.clock.forward(0.5)
        await on.press("down", "up", "s")
        assert not on.session.candidates[other].standing.decided


async def test_undo_held_down_takes_back_one_and_an_approval_is_not_put_off() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("a")
        await on.press("s")
        assert on.standing(LOW) is Standing.APPROVED and "Too soon" in on.said
        on.clock.forward(2)
        await on.press("s")
        assert on.standing(LOW) is Standing.APPROVED and "is approved" in on.said
        on.review.session.note("a remark", LOW)
        for _ in range(3):
            on.clock.forward(0.03)
            await on.press("u")
        assert on.standing(LOW) is Standing.APPROVED
        on.clock.forward(1)
        await on.press("u")
        assert on.standing(LOW) is Standing.PENDING


async def test_a_reason_typed_for_another_text_is_not_offered() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("a")
        await on.answered()
        await on.type("only owners we know")
        await on.press("escape")
        await on.closed()
        on.clock.forward(2)
        await on.press("a")
        await on.answered()
        assert on.screen.app.screen.query_one(Input).value == "only owners we know"
        await on.press("escape")
        await on.closed()
        text = on.session.candidates[MED].text + " Tonight."
        on.session.edit(MED, text)
        on.session.judged(MED, judgement(text, on.review.profile, on.review.scenario))
        on.clock.forward(2)
        await on.settle()
        on.clock.forward(2)
        await on.press("a")
        await on.answered()
        assert on.screen.app.screen.query_one(Input).value == ""


async def test_a_value_that_is_gone_does_not_end_the_program() -> None:
    async with desk() as on:
        for event in (ValueList.Nudge, ValueList.Weigh):
            on.screen.post_message(event("gone", 0.1))
        on.screen.do(editing.edit_value(on.screen, "gone"))
        await on.until(lambda: "no longer there" in on.said)


async def test_what_was_in_view_before_blind_mode_is_not_decided_blind() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.settle()
        await on.press("b")
        on.clock.forward(2)
        await on.press("a")
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and not event.blind


async def test_a_verdict_seen_before_its_session_was_left_leaves_no_decision_blind() -> None:
    async with desk() as on:
        await on.propose()
        before = Opened(on.session, Store(on.review.saver.path))
        await on.app.show(new_session("night-incident"))
        await on.press("b")
        await on.app.show(before)
        await on.go_to(LOW)
        assert on.review.hides(LOW)
        await on.press("a")
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and not event.blind


async def test_a_decision_can_be_made_from_the_palette() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("ctrl+p")
        await on.until(lambda: isinstance(on.app.screen, CommandPalette))
        await on.type("approve")
        on.clock.forward(2)
        await on.app.workers.wait_for_complete()
        await on.press("down", "enter")
        await on.until(lambda: on.standing(LOW) is Standing.APPROVED)


async def test_a_text_that_is_too_long_is_told_of_in_the_dialog_and_not_lost() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("e")
        await on.answered()
        area = on.app.screen.query_one(TextArea)
        area.text = "word " * 4001
        await on.press("ctrl+s")
        await on.settle()
        assert isinstance(on.dialog, Edit) and area.text.startswith("word")
        assert len(on.session.candidates[LOW].revisions) == 1


async def test_a_list_that_was_in_view_before_blind_mode_leaves_no_decision_blind() -> None:
    async with desk() as on:
        await on.propose()
        on.review.toggle_blind()
        await on.go_to(LOW)
        await on.press("a")
        await on.until(lambda: on.standing(LOW) is Standing.APPROVED)
        event = on.session.records[-1].event
        assert isinstance(event, Approved) and not event.blind


async def test_the_palette_has_nothing_that_takes_the_verdict_out_of_view() -> None:
    async with desk() as on:
        titles = {command.title for command in on.app.get_system_commands(on.screen)}
        assert {"Maximize", "Minimize"}.isdisjoint(titles)
        assert titles


async def test_only_what_is_open_is_said_to_be_judged_again() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        on.engine.answer(on.engine.last(Propose))
        await on.until(lambda: on.session.candidates and not on.review.work.jobs)
        on.review.reject(LOW, "no", of=on.session.candidates[LOW].current.digest)
        open_ = sum(not one.standing.decided for one in on.session.candidates.values())
        first = on.review.profile.values[0]
        on.review.set_value(replace(first, statement="Be sparing with letters."))
        assert f"{open_} verdicts are stale" in on.said
        await on.go_to(LOW)
        assert "STALE" in on.text() and "has it judged" not in on.text()


async def test_undo_takes_no_rewrite_back_that_has_only_just_come() -> None:
    async with desk() as on:
        await on.propose()
        on.engine.auto = False
        on.review.realign(MED, "")
        await on.go_to(LOW)
        await on.press("a")
        on.clock.forward(2)
        on.engine.said(on.engine.last(Align), Rewritten(row=0, text="Call once."))
        await on.press("u")
        assert on.standing(LOW) is Standing.APPROVED
        assert on.session.candidates[MED].text == "Call once."
        assert f"Too soon: the last version of {MED}" in on.said
        on.clock.forward(1)
        await on.press("u")
        assert on.session.candidates[MED].text == TEXTS[1]
        on.clock.forward(1)
        await on.press("u")
        assert on.standing(LOW) is Standing.PENDING


async def test_undo_takes_back_at_once_what_the_operator_did_after_a_rewrite_came() -> None:
    async with desk() as on:
        await on.propose()
        on.engine.auto = False
        on.review.realign(MED, "")
        on.engine.said(on.engine.last(Align), Rewritten(row=0, text="Call once."))
        on.review.note("a remark", LOW)
        await on.press("u")
        assert on.said.startswith("Undone: a note")


@pytest.mark.parametrize("key", ["undo", "approve"])
def test_a_key_pressed_again_and_again_at_leisure_is_no_held_key(key: str) -> None:
    clock = Clock()
    looking = Looking(clock)

    def presses(gaps: list[float]) -> list[bool]:
        told = []
        for gap in gaps:
            clock.forward(gap)
            told.append(looking.pressed(key))
        return told

    assert presses([9, 0.3, 0.3, 0.3, 0.3]) == [True, False, True, True, True]
    assert presses([9, 0.5, 0.03, 0.03, 0.1, 0.1]) == [True] + [False] * 5
    assert presses([9, 0.8, 0.8]) == [True, True, True]
