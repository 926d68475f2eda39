"""Dialogs: what one types into is always in view, and what was typed is not lost."""

import shlex
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
from textual import events
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from core import library, paths
from core.domain.candidate import Origin, Source, Standing
from core.domain.scenario import Scenario
from tests.tui.driving import Desk, desk, new
from tests.tui.fake import judgement
from tui.app import PlacetApp
from tui.dialogs import About, Confirm
from tui.opening import Opened

LOW, MED, HIGH = "c1", "c2", "c3"
"""What the fake judge thinks of the first three proposals."""

BAKERIES = Scenario(name="bakeries", goal="Have bakeries open an account.", context="A bank.")
SMALL = ((80, 24), (60, 20))
LONG = "HIGH\n" + "\n".join(f"{number}. Call." for number in range(1, 18))
"""Eighteen short lines, of a high risk."""


def with_candidate(text: str) -> Opened:
    """A session with one judged candidate."""
    opened = new(BAKERIES)
    session = opened.session
    name = session.propose(text, Origin(Source.POLICY, "fake"))
    session.judged(name, judgement(text, session.state.profile, BAKERIES))
    return opened


def in_view(on: Desk, *names: str) -> None:
    """Each of these stands whole within the window of the dialog."""
    window = on.app.screen.query_one(".window").content_region
    for name in names:
        place = on.app.screen.query_one(name, Widget).region
        assert place.height and window.contains_region(place), name


@pytest.mark.parametrize(("key", "text"), [("x", LONG), ("a", LONG), ("a", "HIGH " + "電" * 5000)])
async def test_a_long_candidate_leaves_the_field_and_the_buttons_in_view(
    key: str, text: str
) -> None:
    async with desk(with_candidate(text)) as on:
        await on.go_to("c1")
        await on.press(key)
        await on.answered()
        await on.press("enter")
        for size in SMALL:
            await on.pilot.resize_terminal(*size)
            in_view(on, "#line", "#problem", "#do", "#close")
            shown = on.app.screen.query_one("#problem", Static).render()
            assert "reason" in str(shown)
        assert "and more" in str(on.app.screen.query_one(About).query_one(Static).render())


async def test_a_long_scenario_leaves_the_problem_and_the_buttons_in_view() -> None:
    goal, context = ("\n".join(f"Line {n}." for n in range(many)) for many in (8, 13))
    async with desk(new(msgspec.structs.replace(BAKERIES, goal=goal, context=context))) as on:
        await on.press("2", "e")
        await on.answered()
        for size in SMALL:
            await on.pilot.resize_terminal(*size)
            in_view(on, "#field-0", "#field-1", "#problem", "#do", "#close")


async def test_a_long_value_leaves_the_problem_and_the_buttons_in_view() -> None:
    async with desk() as on:
        value = on.review.profile.values[0]
        on.review.set_value(msgspec.structs.replace(value, statement="word " * 119 + "end"))
        await on.press("1", "e")
        await on.answered()
        await on.type("and more")
        await on.press("ctrl+s")
        for size in SMALL:
            await on.pilot.resize_terminal(*size)
            in_view(on, "#field-0", "#problem", "#do", "#close")
        await on.press("escape")
        await on.closed()
        await on.press("D")
        await on.answered()
        in_view(on, "#close", "#do")
        await on.press("shift+tab")  # what does not fit can be scrolled to
        about = on.app.screen.query_one(About)
        assert about.max_scroll_y and on.app.focused is about


async def test_a_draft_belongs_to_the_text_that_it_was_begun_from() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.begin_again("e", "Mine. ")
        area = on.app.screen.query_one(TextArea)
        assert area.text.startswith("Mine. ")
        await on.type("z")
        await on.press("backspace", "escape")  # no change to the draft is no end of it
        await on.closed()
        await on.settle()
        await on.press("e")
        await on.answered()
        assert "Mine. " in on.app.screen.query_one(TextArea).text
        await on.press("escape")
        await on.closed()
        on.session.realigned(MED, "Another text altogether.")
        await on.settle()
        await on.press("e")
        await on.answered()
        assert on.app.screen.query_one(TextArea).text == "Another text altogether."


async def test_a_draft_of_the_scenario_belongs_to_the_texts_that_it_was_begun_from() -> None:
    async with desk(new(BAKERIES)) as on:
        await on.press("2", "e")
        await on.answered()
        await on.type("Mine. ")
        await on.press("escape")
        await on.closed()
        await on.press("e")
        await on.answered()
        await on.type("z")
        await on.press("backspace", "escape")
        await on.closed()
        await on.press("e")
        await on.answered()
        assert on.app.screen.query_one("#field-0", TextArea).text.startswith("Mine. ")
        await on.press("escape")
        await on.closed()
        on.review.set_scenario(goal="Another goal.")
        await on.press("e")
        await on.answered()
        assert on.app.screen.query_one("#field-0", TextArea).text == "Another goal."


async def test_a_statement_that_was_begun_is_there_the_next_time() -> None:
    async with desk(new(BAKERIES)) as on:
        await on.press("1")
        for key in ("e", "N"):
            on.clock.forward(2)
            await on.press(key)
            await on.answered()
            area = on.app.screen.query_one(TextArea)
            before, area.text = area.text, "Nobody is hurried."
            await on.pilot.pause()
            await on.press("escape")
            await on.closed()
            on.clock.forward(2)
            await on.press(key)
            await on.answered()
            area = on.app.screen.query_one(TextArea)
            assert area.text == "Nobody is hurried."
            area.text = before
            await on.pilot.pause()
            await on.press("escape")
            await on.closed()
        assert not any(on.screen.drafts.values())


async def test_a_statement_that_was_taken_over_is_no_draft() -> None:
    async with desk(new(BAKERIES)) as on:
        await on.press("1", "e")
        await on.answered()
        on.app.screen.query_one(TextArea).text = "Nobody is hurried."
        await on.pilot.pause()
        await on.press("ctrl+s")
        await on.until(lambda: on.review.profile.values[0].statement == "Nobody is hurried.")
        assert not on.screen.drafts


async def test_lines_that_are_pasted_become_one() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        for key in ("slash", "x"):
            await on.settle()
            await on.press(key)
            await on.until(lambda: isinstance(on.app.focused, Input))
            on.app.post_message(events.Paste("Call once,\r\nthen\nwrite.\n"))
            field = on.app.screen.query_one(Input)
            await on.until(lambda field=field: field.value)  # type: ignore[misc]
            assert field.value == "Call once, then write."
            await on.press("escape")


async def test_no_guidance_is_asked_for_what_is_approved() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(LOW)
        await on.press("a")
        await on.settle()
        await on.press("r")
        await on.until(lambda: "is approved" in on.said)
        assert on.dialog is None


async def test_a_reason_for_a_rejection_outlives_a_rewrite_that_comes_meanwhile() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to(MED)
        await on.press("x")
        await on.answered()
        await on.type("too pushy")
        on.session.realigned(MED, "Another text altogether.")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "changed meanwhile" in on.said)
        await on.settle()
        await on.press("x")
        await on.answered()
        assert on.app.screen.query_one("#line", Input).value == "too pushy"
        await on.press("enter")
        await on.until(lambda: on.standing(MED) is Standing.REJECTED)
        await on.press("u")
        await on.settle()
        await on.press("x")
        await on.answered()
        assert on.app.screen.query_one("#line", Input).value == ""  # it has done its work


async def test_the_editor_goes_on_with_what_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlacetApp, "suspend", lambda app: nullcontext())
    written = tmp_path / "written"
    written.write_text("\n---\nA small bank.\n")
    monkeypatch.setenv("VISUAL", f"cp {written}")
    async with desk(new(BAKERIES)) as on:
        await on.press("2", "E")
        await on.until(lambda: "goal is empty" in on.said)
        assert "E goes on with what you wrote" in on.said
        monkeypatch.setenv("VISUAL", "sed -i '1s/^/Have cake./'")
        await on.press("E")
        await on.until(lambda: on.review.scenario.goal == "Have cake.")
        assert on.review.scenario.context == "A small bank."
        assert not any(on.screen.drafts.values())


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ('cp {} "$0"; exit 3', "ended with status 3"),
        ('cp {} "$0"; printf \'\\351\' >> "$0"', "is not UTF-8 text"),
        ('cp {} "$0"; head -c 1000001 /dev/zero >> "$0"', "are read"),
    ],
    ids=["status", "bytes", "size"],
)
async def test_what_the_editor_wrote_is_kept_whatever_came_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editor: str, told: str
) -> None:
    monkeypatch.setattr(PlacetApp, "suspend", lambda app: nullcontext())
    written, again = tmp_path / "written", tmp_path / "again"
    written.write_text("Have cake.\n---\nA small bank.\n")
    monkeypatch.setenv("VISUAL", shlex.join(["sh", "-c", editor.format(written)]))
    async with desk(new(BAKERIES)) as on:
        await on.press("2", "E")
        await on.until(lambda: told in on.said)
        assert "E goes on with what you wrote" in on.said
        assert on.review.scenario == BAKERIES
        monkeypatch.setenv("VISUAL", shlex.join(["sh", "-c", f'cp "$0" {again}; exit 1']))
        await on.press("E")
        await on.until(lambda: "ended with status 1" in on.said)
        assert again.read_text("utf-8").startswith(written.read_text("utf-8"))


async def test_an_editor_that_is_left_without_a_change_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PlacetApp, "suspend", lambda app: nullcontext())
    monkeypatch.setenv("VISUAL", "false")
    async with desk(new(BAKERIES)) as on:
        await on.press("2", "E")
        await on.until(lambda: on.said == "The editor ended with status 1; nothing was changed.")
        assert not on.screen.drafts


async def test_saving_under_a_name_that_is_taken_asks_first() -> None:
    async with desk(new(BAKERIES)) as on:
        for pane, shipped, load, folder in (
            ("1", "it-operations", library.load_profile, paths.profiles()),
            ("2", "night-incident", library.load_scenario, paths.profiles() / "scenarios"),
        ):
            await on.press(pane)
            theirs = load(shipped)
            for name, answer in (
                (shipped, "escape"),
                ("ours", ""),
                ("ours", "escape"),
                ("ours", "tab"),
                (shipped, "tab"),
            ):
                on.review.news.say("")
                await on.press("W")
                await on.answered()
                on.app.screen.query_one("#line", Input).value = name
                await on.press("enter")
                if answer:
                    await on.until(lambda: isinstance(on.dialog, Confirm))
                    assert ("comes with Placet" in on.text()) is (name == shipped)
                    await on.press(answer)
                if answer == "tab":
                    await on.press("enter")
                if answer == "escape":
                    await on.until(lambda: not on.screen.asking)
                    assert "Saved as" not in on.said
                    assert load(shipped) == theirs
                else:
                    await on.until(lambda: "Saved as" in on.said)
                    assert (folder / f"{name}.toml").is_file()


async def test_a_value_keeps_the_letters_of_its_name_and_shows_its_id() -> None:
    async with desk(new(BAKERIES)) as on:
        await on.press("1", "N")
        await on.answered()
        name = on.app.screen.query_one("#field-0", Input)
        on.app.screen.query_one(TextArea).text = "Nobody is put to shame."
        for typed, shown in (
            ("Großer Łódź, Ærø: déjà-vu", "grosser-lodz-aero-deja-vu"),
            ("尊厳", "value-1"),
            ("Würde & Ärzte", "wurde-arzte"),
        ):
            name.value = typed
            await on.until(lambda shown=shown: f"Its id in the log: {shown}" in on.text())  # type: ignore[misc]
        name.value = "a" * 41
        await on.pilot.pause()
        await on.press("ctrl+s")
        await on.until(lambda: "! An id has at most 40 characters; this one" in on.text())
        name.value = "Würde & Ärzte"
        await on.pilot.pause()
        await on.press("ctrl+s")
        await on.until(lambda: "wurde-arzte" in on.review.profile.weights)
