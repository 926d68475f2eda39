"""The four panes: values, scenario, candidates, verdict; every key in each of them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from textual import events
from textual.widgets import Input, TextArea

from core import library, paths
from core.domain.candidate import Origin, Source, Standing
from core.domain.scenario import HandedIn, Scenario
from core.domain.verdict import Risk
from core.engine.protocol import Consult, Judge, Propose
from core.errors import BadInput
from core.session.events import ScenarioSet
from core.session.session import Session
from core.watch import Growing
from tests.tui.driving import Desk, desk, new
from tests.tui.fake import judgement
from tui.flow.incoming import read_candidates
from tui.flow.news import Tone
from tui.opening import Opened
from tui.panes.candidates import CandidatesPane
from tui.panes.values import ValuesPane, title_of
from tui.panes.verdicts import VerdictPane

BAKERIES = Scenario(name="bakeries", goal="Have bakeries open an account.", context="A bank.")


def crowded(many: int) -> Opened:
    """A session with that many judged candidates."""
    opened = new(BAKERIES)
    session, profile = opened.session, opened.session.state.profile
    for number in range(many):
        text = (
            f"Action {number}: {'HIGH' if number % 3 == 0 else 'MED' if number % 3 else ''} thing"
        )
        name = session.propose(text, Origin(Source.POLICY, "fake"))
        session.judged(name, judgement(text, profile, BAKERIES))
    return opened


def weights(on: Desk) -> dict[str, float]:
    return on.review.profile.weights


async def test_weights_move_with_keys_and_rank_anew_without_a_model() -> None:
    async with desk() as on:
        await on.propose()
        asked = len(on.engine.asked)
        await on.press("1")
        assert on.app.focused is on.screen.query_one(ValuesPane).list
        await on.press("minus", "minus")
        assert weights(on)["consent"] == 0.9
        await on.press("right", "plus")
        assert weights(on)["consent"] == 1.0
        await on.press("left")
        assert weights(on)["consent"] == 0.95
        await on.press("plus", "plus", "plus")  # no further than 1
        assert weights(on)["consent"] == 1.0
        await on.press("j", "space")
        assert weights(on)["lawful"] == 0.0
        assert "off" in on.text()
        await on.press("space")
        assert weights(on)["lawful"] == 1.0
        assert len(on.engine.asked) == asked


async def test_of_keys_that_come_at_once_each_moves_a_weight() -> None:
    async with desk() as on:
        await on.press("1")
        for _ in range(4):
            on.app.post_message(events.Key("left", None))
        await on.until(lambda: weights(on)["consent"] == 0.8)


async def test_a_value_comes_back_at_the_weight_it_had_whoever_switched_it_off() -> None:
    opened = new(BAKERIES)
    opened.session.set_weights({"consent": 0.4})
    opened.session.set_weights({"consent": 0.0})
    async with desk(opened) as on:
        await on.press("1", "space")
        assert weights(on)["consent"] == 0.4
        many = len(on.session.records)
        for _ in range(2):  # the second comes before the first is drawn
            on.app.post_message(events.Key("space", " "))
        await on.until(lambda: len(on.session.records) == many + 2)
        assert weights(on)["consent"] == 0.4


async def test_what_changed_place_is_shown() -> None:
    async with desk(crowded(9)) as on:
        before = on.session.state.ranking()
        for value in list(weights(on))[:-1]:
            on.review.set_weight(value, 0.0)
        await on.settle()
        assert on.session.state.ranking() != before
        moved = {row.key: row.moved for row in on.review.rows() if row.moved}
        assert moved
        assert "▲" in on.text()
        assert "▼" in on.text()
        assert f"{len(moved)} changed place, {on.session.state.ranking()[0]} comes first" in on.said


async def test_at_80_by_24_all_values_of_a_profile_and_the_advice_are_in_view() -> None:
    async with desk(size=(80, 24)) as on:
        await on.propose()
        await on.press("1", "left")
        shown = on.text()
        for value in weights(on):
            assert title_of(value) in shown
        assert "judge advises" in shown
        assert "consent counts 0.95: " in shown


@pytest.mark.parametrize("size", [(80, 24), (110, 24), (110, 30), (140, 40)])
async def test_a_statement_is_in_view_or_seen_to_be_cut(size: tuple[int, int]) -> None:
    async with desk(size=size) as on:
        await on.press("1", "j")

        def shown() -> str:
            place = on.screen.query_one("#statement").region
            lines = on.text().splitlines()[place.y : place.bottom]
            return " ".join(" ".join(line[place.x : place.right].split()) for line in lines)

        statement = on.review.profile.values[1].statement
        whole = size != (110, 24)
        await on.until(lambda: (shown().strip() == statement) is whole)
        assert shown().endswith("…") is not whole
        value = msgspec.structs.replace(
            on.review.profile.values[1], statement="word " * 119 + "end"
        )
        on.review.set_value(value)
        await on.until(lambda: shown().endswith("word …"))
        in_pane = on.screen.query_one(ValuesPane).content_region
        assert in_pane.contains_region(on.screen.query_one("#statement").region)
        assert in_pane.contains_region(on.screen.query_one("#value-list").region)


async def test_the_last_weight_cannot_be_switched_off() -> None:
    async with desk() as on:
        for value in list(weights(on))[1:]:
            on.review.set_weight(value, 0.0)
        await on.press("1", "space")
        assert weights(on)["consent"] == 1.0
        assert "every weight would be 0" in on.said.lower()


async def test_a_statement_that_changes_makes_verdicts_stale_visibly() -> None:
    async with desk() as on:
        await on.propose()
        await on.press("1", "e")
        await on.answered()
        on.app.screen.query_one(TextArea).text = "Another statement."
        await on.press("ctrl+s")
        await on.closed()
        await on.until(lambda: "stale" in on.said)
        await on.settle()
        assert "~ stale" in on.text()
        assert all(on.session.verdict(name).stale for name in on.session.candidates)


async def test_a_statement_that_is_saved_as_it_was_keeps_every_approval() -> None:
    async with desk() as on:
        value = on.review.profile.values[0]
        on.review.set_value(msgspec.structs.replace(value, statement="Ask first,\nthen write.\n"))
        await on.propose()
        await on.go_to("c1")
        await on.press("a", "1", "e")
        await on.answered()
        await on.press("ctrl+s")
        await on.closed()
        await on.until(lambda: not on.screen.asking)
        assert on.standing("c1") is Standing.APPROVED
        assert not on.session.verdict("c1").stale


async def test_a_value_is_added_and_removed() -> None:
    async with desk() as on:
        await on.press("1", "N")
        await on.answered()
        await on.type("No noise")
        await on.press("tab")
        on.app.screen.query_one(TextArea).text = "Write no more often than needed."
        await on.press("ctrl+s")
        await on.closed()
        await on.until(lambda: "no-noise" in weights(on))
        await on.press("end", "D")
        await on.answered()
        await on.press("enter")  # the focus is on Cancel
        await on.closed()
        assert "no-noise" in weights(on)
        await on.press("D")
        await on.answered()
        await on.press("tab", "enter")
        await on.closed()
        await on.until(lambda: "no-noise" not in weights(on))


async def test_profiles_are_loaded_saved_and_compared(home: Path) -> None:
    async with desk() as on:
        await on.press("1", "W")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = "ours"
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "Saved as" in on.said)
        assert library.load_profile("ours").weights == weights(on)
        await on.press("L")
        await on.answered()
        await on.type("operations")
        await on.press("down", "up", "enter")
        await on.closed()
        await on.until(lambda: on.review.profile.name.endswith("operations"))
        await on.press("C")
        await on.answered()
        await on.type("finance")
        await on.press("enter")
        await on.until(lambda: "here" in on.text() and "there" in on.text())
        await on.press("escape")
        await on.closed()


async def test_of_two_profiles_of_one_name_the_one_picked_is_loaded() -> None:
    shipped = library.load_profile("finance-outreach")
    own = shipped.with_weights({"consent": 0.3})
    library.save_profile(own, paths.profiles() / "ours.toml")
    async with desk(new(Scenario(goal="Wait."), "it-operations")) as on:
        for keys, picked in ((("enter",), own), (("down", "enter"), shipped)):
            await on.press("1", "L")
            await on.answered()
            await on.type("finance")
            await on.press(*keys)
            await on.closed()
            await on.until(lambda picked=picked: on.review.profile == picked)  # type: ignore[misc]


async def test_the_scenario_is_edited_in_place() -> None:
    async with desk() as on:
        await on.propose()
        await on.press("2", "e")
        await on.answered()
        on.app.screen.query_one("#field-0", TextArea).text = "Another goal."
        await on.press("ctrl+s")
        await on.closed()
        await on.until(lambda: on.review.scenario.goal == "Another goal.")
        assert on.session.verdict("c1").stale


async def test_the_scenario_is_edited_in_the_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i 's/^Have .*/Have more cake./' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    async with desk() as on:
        context = on.review.scenario.context
        monkeypatch.setattr(type(on.app), "suspend", _as_it_is)
        await on.press("2", "E")
        await on.until(lambda: on.review.scenario.goal == "Have more cake.")
        assert on.review.scenario.context == context


@pytest.mark.parametrize(
    ("goal", "context"),
    [
        ("Write\n# twice\nto them.", "- a small bank\n- few staff"),
        ("# First of all\nask.", "Known:\n---\nnothing."),
        ("One\n---\ntwo.", "Three."),
        ("  Have bakeries open an account.\n", "\n--- 3 - \n"),
        ("Have bakeries open an account.", ""),
    ],
)
async def test_an_editor_that_changes_nothing_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, goal: str, context: str
) -> None:
    monkeypatch.setenv("VISUAL", "true")
    async with desk(new(msgspec.structs.replace(BAKERIES, goal=goal, context=context))) as on:
        monkeypatch.setattr(type(on.app), "suspend", _as_it_is)
        await on.press("2", "E")
        await on.until(lambda: not on.screen.asking)
        assert (on.review.scenario.goal, on.review.scenario.context) == (goal, context)
        assert not any(isinstance(one.event, ScenarioSet) for one in on.session.records)


def editor_that_writes(text: str, folder: Path) -> str:
    """A command that leaves that text in the file it is given."""
    (folder / "text").write_text(text)
    return f"cp {folder / 'text'}"


@pytest.mark.parametrize("rule", ["---", "--- "])
async def test_the_editor_keeps_every_line_that_was_written_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    text = f"# A goal\n{rule}\n- one\n- two\n"
    monkeypatch.setenv("VISUAL", editor_that_writes(text, tmp_path))
    async with desk() as on:
        monkeypatch.setattr(type(on.app), "suspend", _as_it_is)
        await on.press("2", "E")
        await on.until(lambda: on.review.scenario.goal == "# A goal")
        assert on.review.scenario.context == "- one\n- two"


@pytest.mark.parametrize("end", ["\nA bank.\n", ""])
async def test_an_editor_that_leaves_no_goal_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    how = "# The goal, then a line of three dashes, then the context.\n"
    monkeypatch.setenv("VISUAL", editor_that_writes(f"{how}---{end}", tmp_path))
    async with desk(new(BAKERIES)) as on:
        monkeypatch.setattr(type(on.app), "suspend", _as_it_is)
        await on.press("2", "E")
        await on.until(lambda: "goal is empty" in on.said)
        assert on.review.scenario == BAKERIES


async def test_another_scenario_begins_another_session() -> None:
    async with desk() as on:
        before = on.session
        await on.propose()
        await on.go_to("c1")
        await on.press("a")
        assert "Approved c1" in on.text()
        await on.press("2", "L")
        await on.answered()
        await on.type("water")
        await on.press("enter")
        await on.closed()
        await on.until(lambda: on.session is not before)
        assert on.review.scenario.name == "water-notice"
        assert on.said == ""


@pytest.mark.parametrize("kind", ["toml", "json", "jsonl"])
async def test_candidates_come_in_from_a_file_and_are_judged(tmp_path: Path, kind: str) -> None:
    texts = ["Write once. [/", "Do the HIGH thing."]
    path = tmp_path / f"in.{kind}"
    if kind == "toml":
        path.write_text("".join(f"[[candidates]]\ntext = {json.dumps(text)}\n" for text in texts))
    elif kind == "json":
        path.write_text(json.dumps(texts))
    else:
        path.write_text(
            "".join(json.dumps({"text": text, "source": "bot"}) + "\n" for text in texts)
        )
    async with desk() as on:
        await on.press("2", "I")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = str(path)
        await on.press("enter")
        await on.closed()
        await on.until(lambda: len(on.session.candidates) == 2 and not on.review.work.jobs)
        assert on.session.verdict("c2").risk is Risk.HIGH
        assert isinstance(on.engine.last(Judge), Judge)


async def test_a_bad_file_of_candidates_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_text('[{"txt": 1}]')
    async with desk() as on:
        await on.press("2", "I")
        await on.answered()
        on.app.screen.query_one("#line", Input).value = str(path)
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "candidate 1" in on.said)
        assert not on.session.candidates


async def test_candidates_that_came_with_the_scenario_are_judged_at_once() -> None:
    from tui.opening import new_session

    async with desk(new_session("agent-tool-calls")) as on:
        await on.until(lambda: not on.review.stuck() and not on.review.work.jobs)
        assert len(on.session.candidates) > 5


async def test_text_streams_in_and_the_cursor_stays_where_it_is() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("g")
        task = on.engine.last(Propose)
        on.engine.said(task, Growing(row=0, text="Send each ow"))
        await on.until(lambda: "Send each ow" in on.text())
        assert "…writing" in on.text()
        await on.press("a")
        assert "still being written" in on.said
        wide = "".join(chr(0x4E00 + number) for number in range(90))
        on.engine.said(task, Growing(row=0, text=wide))
        await on.until(  # it ends where it grows
            lambda: any(
                "…writing" in line and f"{wide[-20:]}▏" in line for line in on.text().splitlines()
            )
        )


async def test_the_filter_narrows_the_list_and_escape_widens_it() -> None:
    async with desk() as on:
        await on.propose()
        await on.press("slash")
        await on.type("high")
        await on.until(lambda: len(on.screen.query_one(CandidatesPane).list.rows) == 1)
        await on.press("enter")
        assert on.app.focused is on.screen.query_one(CandidatesPane).list
        await on.press("escape")
        await on.until(lambda: len(on.screen.query_one(CandidatesPane).list.rows) == 4)
        await on.press("slash", "enter")  # no words
        assert on.screen.query_one("#filter").display
        await on.press("escape")
        assert not on.screen.query_one("#filter").display


async def test_the_filter_knows_standings_and_risks_as_the_screen_writes_them() -> None:
    async with desk() as on:
        await on.propose()
        on.session.propose("Wait a week.", Origin(Source.OPERATOR))
        on.session.reject("c3", "No.", of=on.session.candidates["c3"].current.digest)
        on.session.edit("c2", "Call owners once.")
        for words, found in (
            ("to decide", {"c1", "c2", "c4", "c5"}),
            ("rejected", {"c3"}),
            ("not judged", {"c5"}),
            ("stale", {"c2"}),
            ("high rejected", {"c3"}),
            ("low to decide", {"c1", "c4"}),
        ):
            on.review.set_needle(words)
            assert {row.key for row in on.review.rows()} == found, words
        on.review.set_needle("hidden")
        assert not on.review.rows()
        on.review.toggle_blind()
        assert {row.key for row in on.review.rows()} == {"c1", "c2", "c4", "c5"}


async def test_the_list_is_sorted_by_other_things() -> None:
    async with desk() as on:
        await on.propose()
        orders = []
        for _ in range(4):
            await on.press("o")
            await on.settle()
            orders.append([row.key for row in on.review.rows()])
        assert orders[0] == ["c1", "c2", "c3", "c4"]
        assert orders[3] == on.session.state.ranking()


async def test_of_keys_that_come_at_once_each_scrolls_a_line() -> None:
    async with desk(size=(80, 24)) as on:
        await on.propose()
        await on.press("4")
        pane = on.screen.query_one(VerdictPane)
        await on.until(lambda: pane.max_scroll_y >= 5)
        for _ in range(5):
            on.app.post_message(events.Key("j", "j"))
        await on.until(lambda: pane.scroll_offset.y == 5)


async def test_the_time_of_a_verdict_is_that_of_the_text_in_view() -> None:
    minutes = (datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in range(60))
    profile = library.load_profile("finance-outreach")
    session = Session.start(profile, BAKERIES, clock=lambda: next(minutes))
    name = session.propose("Call until they have agreed.", Origin(Source.POLICY, "fake"))
    session.judged(name, judgement(session.candidates[name].text, profile, BAKERIES))
    async with desk(Opened(session, None)) as on:
        before = on.review.judged_at(name)
        on.review.edit(name, "Call once.")
        await on.until(lambda: on.session.verdict(name).risk is Risk.LOW)
        assert on.review.judged_at(name) > before
        on.review.undo()
        assert on.review.judged_at(name) == before


async def test_versions_are_compared_word_by_word() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to("c2")
        await on.press("d")
        assert "only one version" in on.said
        on.session.edit("c2", "Call owners once.")
        on.session.edit("c2", "Call owners once, by day.")
        await on.settle()
        await on.press("d")
        await on.until(lambda: "version 2 → 3" in on.text())
        assert "{+once, by day.+}" in on.text()
        assert "[-once.-]" in on.text()
        await on.press("left_square_bracket")
        await on.until(lambda: "version 1 → 3" in on.text())
        await on.press("d")
        await on.until(lambda: "→ 3" not in on.text())


async def test_the_raw_answer_is_shown_on_v() -> None:
    async with desk() as on:
        await on.propose()
        await on.press("v")
        on.screen.query_one(VerdictPane).scroll_end(animate=False)
        await on.until(lambda: "word for word" in on.text())


async def test_the_what_if_line_comes_when_the_cursor_rests() -> None:
    async with desk(crowded(9)) as on:
        await on.until(lambda: "what if" in on.text())


async def test_the_what_if_line_looks_at_the_others_again_once_they_are_not_hidden() -> None:
    async with desk(crowded(9)) as on:
        await on.press("b")
        on.review.reveal("c2")
        await on.go_to("c2")
        await on.until(lambda: "No weight by itself" in on.text())
        await on.press("b")
        await on.until(lambda: "would put c8 first" in on.text())


async def test_a_judge_without_words_is_explained_by_its_numbers() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to("c3")
        assert "HIGH because harm" in on.text()


async def test_that_no_weight_would_change_anything_is_said() -> None:
    async with desk(texts=("Send the owner HIGH",)) as on:
        on.review.work.propose(1)
        await on.until(lambda: on.session.candidates and not on.review.work.jobs)
        await on.until(lambda: "No weight by itself would change the advice" in on.text())


async def test_tab_and_numbers_go_through_the_panes_at_any_size() -> None:
    for size in ((80, 24), (140, 40), (200, 60)):
        async with desk(size=size) as on:
            seen = []
            for _ in range(4):
                await on.press("tab")
                focused = on.app.focused
                assert focused is not None
                assert focused.region.height > 1
                seen.append(focused.id)
            assert seen == ["verdict", "value-list", "scenario", "candidate-list"]
            await on.press("shift+tab")
            assert on.app.focused.id == "scenario" if on.app.focused else False
            for key, wanted in zip(
                "4321",
                reversed(["value-list", "scenario", "candidate-list", "verdict"]),
                strict=True,
            ):
                await on.press(key)
                assert on.app.focused is not None
                assert on.app.focused.id == wanted


async def test_two_thousand_candidates_scroll_and_rank_anew_in_time() -> None:
    import time

    async with desk(crowded(2000)) as on:
        rows = on.screen.query_one(CandidatesPane).list
        await on.press("3")
        took = []
        for key in ["j"] * 30 + ["pagedown"] * 10 + ["end", "home"]:
            begun = time.perf_counter()
            rows.action_down() if key == "j" else rows.action_page_down()
            on.screen.draw_verdict()
            for y in range(rows.size.height):
                rows.render_line(y)
            took.append(time.perf_counter() - begun)
        assert sorted(took)[len(took) * 95 // 100] < 0.05


async def test_every_pane_says_which_key_fills_it() -> None:
    async with desk() as on:
        shown = on.text()
        assert "g  has the model propose" in shown
        assert "g  proposes candidates" in shown
    async with desk(new(msgspec.structs.replace(BAKERIES, context=""))) as on:
        assert "None yet. e writes one." in on.text()


def _as_it_is(app: object) -> object:
    from contextlib import nullcontext

    return nullcontext()


def test_a_session_stays_importable_without_textual() -> None:
    assert Session.__module__ == "core.session.session"


async def test_agents_answer_on_a_key_and_the_table_says_whose_answer_it_is() -> None:
    async with desk() as on:
        await on.press("w")
        await on.until(lambda: on.session.candidates and not on.review.work.jobs, "answers")
        await on.settle()
        origins = [str(one.origin) for one in on.session.candidates.values()]
        active = [value.id for value in on.review.profile.active]
        assert origins == [*(f"agent: {name}" for name in active), "aggregator: own 100%"]
        assert f"{active[0]}: What" in on.text() and "synthesis: What" in on.text()
        assert all(on.session.verdict(name).judgement for name in on.session.candidates)


async def test_speak_for_shows_each_agent_beside_the_synthesis() -> None:
    async with desk() as on:
        await on.press("f")
        await on.until(lambda: "no answer yet; w asks" in on.text())
        await on.press("escape", "w")
        await on.until(lambda: on.session.candidates and not on.review.work.jobs, "answers")
        await on.press("f")
        first = on.review.profile.active[0].id
        await on.until(lambda: f"What {first} wants" in on.text())
        assert "Synthesis" in on.text() and "shares its words with: own 100%" in on.text()
        assert "r·c" in on.text() and "changed since" not in on.text()
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.screen)
        on.review.edit(next(iter(on.session.candidates)), "Ask them by letter.")
        await on.settle()
        await on.press("f")
        await on.until(lambda: "changed since, last by the operator" in on.text())
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.screen)
        await on.press("b", "f")
        await on.until(lambda: "its verdict is shown once it is decided" in on.text())
        assert "r·c" not in on.text()


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_speak_for_follows_the_answers_as_they_come(size: tuple[int, int]) -> None:
    async with desk(auto=False, size=size) as on:
        on.engine.answer(on.engine.asked[0])
        await on.press("w", "f")
        await on.until(lambda: "being asked" in on.text())
        assert "w asks" not in on.text()
        on.engine.answer(on.engine.last(Consult))
        first = on.review.profile.active[0].id
        await on.until(lambda: f"What {first} wants" in on.text() and "own 100%" in on.text())
        assert "being asked" not in on.text() and "r·c" in on.text()


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_moral_rewards_stand_beside_the_verdict(size: tuple[int, int]) -> None:
    scenario = library.load_scenario("shared-loading-bay")
    async with desk(new(scenario), size=size) as on:
        await on.go_to("c2")
        assert "deontological  ✗ -3: defects after the food bank cooperated" in on.text()
        assert "utilitarian      4 if they cooperate now, 2 if they defect; at most 6" in on.text()
        await on.go_to("c1")
        assert "0: cooperates as the food bank did" in on.text()
        await on.go_to("c3")
        assert "names no move for this text" in on.text()


async def test_an_edit_takes_the_moral_rewards_away_and_blind_mode_hides_them() -> None:
    async with desk(new(library.load_scenario("shared-loading-bay"))) as on:
        await on.go_to("c2")
        on.review.edit("c2", "Keep to the afternoons, and say so.")
        await on.settle()
        assert "names no move for this text" in on.text()
        await on.go_to("c1")
        await on.press("b")
        await on.settle()
        assert "cooperates as the food bank did" not in on.text()


async def test_a_scenario_without_payoffs_shows_no_lens() -> None:
    async with desk(crowded(1)) as on:
        assert "deontological" not in on.text()
        assert "payoff table" not in on.text()


def test_a_line_of_json_may_hold_other_separators_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "One\u2028two\u0085three."}\r\n"Four."\n', "utf-8", newline="")

    assert [one.text for one in read_candidates(file)] == ["One\u2028two\u0085three.", "Four."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("X.TOML", '[[candidates]]\ntext = "One."\n'),
        ("x.json", '["One."]'),
        ("x.JSONL", '{"text": "One."}\n"Two."\n'),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_candidates_are_read_with_a_byte_order_mark_and_an_ending_in_capitals(
    tmp_path: Path, name: str, text: str, mark: str
) -> None:
    file = tmp_path / name
    file.write_text(mark + text, "utf-8")

    assert read_candidates(file)[0] == HandedIn(text="One.")


@pytest.mark.parametrize(("source", "got"), [("null", "null"), ("7", "int"), ("[]", "array")])
def test_a_source_that_is_no_text_is_refused(tmp_path: Path, source: str, got: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(f'["One.", {{"text": "Two.", "source": {source}}}]')

    with pytest.raises(BadInput, match=f"expected `str`, got `{got}`") as caught:
        read_candidates(file)
    assert caught.value.where == f"{file}: candidate 2: source"


async def test_the_same_text_twice_in_a_file_is_one_candidate() -> None:
    async with desk(auto=False) as on:
        twice = (HandedIn(text="Write."), HandedIn(text="Call."), HandedIn(text="Write."))
        assert on.review.take_in(twice) == 2
        assert [one.text for one in on.session.candidates.values()][-2:] == ["Write.", "Call."]


async def test_what_was_said_can_be_read_in_full() -> None:
    async with desk(size=(80, 24)) as on:
        await on.press("H")
        await on.until(lambda: "Nothing yet." in on.text() or on.review.news.said)
        await on.press("escape")
        on.review.news.say("First.")
        on.review.news.say("It did not go well: " + "word " * 40 + "end", Tone.ERROR)
        assert "end" not in on.text()
        await on.press("H")
        await on.until(lambda: "word end" in on.text())
        assert on.text().index("It did") < on.text().index("First.")


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_the_columns_stand_below_their_heads(size: tuple[int, int]) -> None:
    async with desk(size=size) as on:
        await on.propose()
        lines = on.text().splitlines()
        place = next(n for n, line in enumerate(lines) if "#    " in line and "standing" in line)
        head, row = lines[place], lines[place + 1]
        for name, first in (("standing", "to decide"), ("action", on.review.rows()[0].text[:5])):
            assert head.index(name) == row.index(first)
        assert (" id " in head) is (on.review.rows()[0].key in row.split()) is (size[0] > 100)
