"""The laboratory, driven with a learner that learns at once, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from textual.widgets import Input

from core import paths
from core.engine.protocol import Load, Trouble
from core.engine.tuning import Tuning, Wish, changed
from core.errors import BadInput
from core.games.matrix import GAMES
from core.games.regret import ACTION_TYPES
from core.games.rewards import Reward
from core.games.run import LOG, SETTINGS, Outcome, RunSettings, hold, write_settings
from tests.nasty import SPOKEN
from tests.tui.driving import TUNER, Desk, desk
from tests.tui.tuner import encode, snapshot, update
from tui.flow.laboratory import Laboratory, Phase, Seen
from tui.keymap import keymap
from tui.keys import KEYS, Place
from tui.panes.run import RunPane, View, draw
from tui.panes.runs import RunList
from tui.panes.setting import FIELDS, SettingList, stepped
from tui.screens.laboratory import LaboratoryScreen
from tui.screens.review import ReviewScreen

SIZES = ((80, 24), (140, 40), (200, 60))


@asynccontextmanager
async def laboratory(**options: Any) -> AsyncIterator[tuple[Desk, Laboratory]]:
    """The laboratory screen."""
    async with desk(**options) as on:
        await on.press("G")
        await on.until(lambda: isinstance(on.app.screen, LaboratoryScreen), "the laboratory")
        yield on, on.app.laboratory
        await on.app.laboratory.close()


def told(on: Desk) -> str:
    """What the run's pane says, scrolled away or not."""
    return str(on.app.screen.query_one("#run-text").render())


async def through(on: Desk, lab: Laboratory) -> None:
    """Waits until the run is through and drawn."""
    await on.until(lambda: lab.phase is Phase.DONE and "✓ done" in told(on), "the run's end")


# Setting up


@pytest.mark.parametrize("size", SIZES)
async def test_with_no_run_it_says_which_keys_to_press(size: tuple[int, int]) -> None:
    async with laboratory(size=size) as (on, _):
        await on.press("3")
        assert "No run is in view." in on.text()
        for sentence in ("starts one", "opens a run", "stops with a checkpoint"):
            assert sentence in told(on)
        await on.press("2")
        assert "No runs yet." in on.text()


async def test_every_field_goes_round_its_choices_and_numbers_stay_in_bounds() -> None:
    async with laboratory() as (on, lab):
        for field in FIELDS:
            before = field.value(lab.wish)
            await on.press("right")
            assert field.value(lab.wish) != before, field.key
            await on.press("minus")
            assert field.value(lab.wish) == before, field.key
            for _ in range(9):
                await on.press("left")
            assert field.value(lab.wish)
            await on.press("down")
        assert lab.wish.seed == 0
        assert lab.wish.episodes == 1


@pytest.mark.parametrize(
    ("now", "less", "more"),
    [(1, 1, 50), (49, 1, 50), (50, 1, 100), (75, 50, 100), (120, 100, 150), (300, 250, 350)],
)
def test_a_number_steps_to_the_round_one_before_or_after(now: int, less: int, more: int) -> None:
    field = next(field for field in FIELDS if field.key == "episodes")
    wish = changed(Wish(), episodes=now)
    assert stepped(field, wish, -1).episodes == less
    assert stepped(field, wish, 1).episodes == more


async def test_a_number_is_typed_and_what_is_none_is_refused() -> None:
    async with laboratory() as (on, lab):
        await on.press("down", "down", "down", "enter")
        await on.answered()
        on.app.screen.query_one(Input).value = "many"
        await on.press("enter")
        await on.closed()
        await on.until(lambda: "'many' is not a whole number" in on.text())
        assert lab.wish.episodes == 300
        await on.press("enter")
        await on.answered()
        on.app.screen.query_one(Input).value = "40"
        await on.press("enter")
        await on.until(lambda: lab.wish.episodes == 40)


async def test_a_game_of_ones_own_is_a_file_and_a_bad_one_names_file_and_field(
    tmp_path: Path,
) -> None:
    good, bad = tmp_path / "snow [drift].toml", tmp_path / "bad.toml"
    good.write_text("schema = 1\ncc = [3, 3]\ncd = [2, 4]\ndc = [4, 2]\ndd = [0, 0]\n")
    bad.write_text("schema = 1\ncc = [3, -3]\ncd = [2, 4]\ndc = [4, 2]\ndd = [0, 0]\n")
    async with laboratory() as (on, lab):
        for file in (bad, good):
            await on.press("enter")
            await on.answered()
            on.app.screen.query_one(Input).value = str(file)
            await on.press("enter")
            await on.closed()
            if file == bad:
                await on.until(lambda: lab.last and "bad.toml: cc[1]" in lab.last.text)
                assert lab.wish.game == "prisoners-dilemma"
        await on.until(lambda: lab.wish.game == str(good))
        assert "snow [drift].toml" in on.text()
        await on.press("s")
        await through(on, lab)
        assert lab.seen
        assert lab.seen.folder.name == "de-vs-tit-for-tat-snow-drift-1"
        assert lab.seen.settings
        assert lab.seen.settings.game.cd == (2, 4)


@pytest.mark.parametrize("field", ["game", "reward", "opponent", "switch"])
async def test_a_game_that_could_not_be_learnt_is_refused_as_soon_as_it_is_asked_for(
    field: str, tmp_path: Path
) -> None:
    # Whoever is behind loses 30 by `inequity`: the column player alone, who is there to learn too.
    rich = tmp_path / "rich.toml"
    rich.write_text("schema = 1\ncc = [20, 0]\ncd = [30, 0]\ndc = [20, 0]\ndd = [30, 0]\n")
    unfit = Wish(game=str(rich), reward=Reward.INEQUITY, opponent="learner")
    last = changed(unfit, reward=Reward.DEONTOLOGICAL, switch_to=Reward.INEQUITY)
    asked, before = {
        "game": (unfit, changed(unfit, game="chicken")),
        "reward": (unfit, changed(unfit, reward=Reward.RAWLS)),
        "opponent": (unfit, changed(unfit, opponent="random")),
        "switch": (last, changed(last, switch_to=Reward.RAWLS)),
    }[field]
    place = [one.key for one in FIELDS].index(field)
    async with laboratory() as (on, lab):
        lab.wish = before
        await on.press(*["down"] * place)
        if field == "game":
            await on.press("enter")
            await on.answered()
            on.app.screen.query_one(Input).value = str(rich)
            await on.press("enter")
            await on.closed()
        else:
            assert stepped(FIELDS[place], before, 1) == asked
            await on.press("right")
        await on.until(lambda: lab.last and "a legal move may be worth -30" in lab.last.text)
        assert lab.last and "choose another reward" in lab.last.text
        assert lab.wish == before


async def test_a_switch_outside_the_run_is_refused() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(switch_to=Reward.UTILITARIAN, switch_at=300)
        await on.press("s")
        await on.until(lambda: lab.last and "not inside a run of 300" in lab.last.text)
        assert lab.tuning is None


def test_a_number_steps_to_round_ones() -> None:
    episodes = next(field for field in FIELDS if field.key == "episodes")
    wish = Wish(episodes=1)
    found = []
    for _ in range(3):
        wish = stepped(episodes, wish, 1)
        found.append(wish.episodes)

    assert found == [50, 100, 150]


# A run


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_followed_to_its_end(size: tuple[int, int]) -> None:
    async with laboratory(size=size) as (on, lab):
        await on.press("s")
        await through(on, lab)
        assert lab.seen
        assert [update.step for update in lab.seen.updates] == list(range(1, 61))
        shown = told(on)
        for part in ("300 of 300 episodes", "format found", "reward", "regret", *ACTION_TYPES):
            assert part in shown, part
        for line in ("always C", "always D", "tit-for-tat", "uniform", "illegal"):
            assert line in shown
        assert "▸ this run" in shown
        assert "0.083" in shown  # always C in the Prisoner's Dilemma, as published
        assert all(cell_len(line) <= size[0] for line in on.text().splitlines())
        await on.until(lambda: "0.00 · 0.15" in on.text() or size[0] < 110)


async def test_areas_and_curves_are_told_by_their_characters_alone() -> None:
    async with laboratory() as (on, lab):
        await on.press("s")
        await through(on, lab)
        shown = on.text()
        for fill in "█▓▒░×":
            assert fill in shown
        assert any(char in shown for char in "▂▃▄▅▆▇")


@pytest.mark.parametrize(
    ("opponent", "going", "through_with"),
    [
        ("random", "last update's samples, against random", "exact, against random."),
        ("learner", "last update's samples, against learner", "exact, against a random opponent"),
    ],
)
def test_the_table_says_which_figures_are_sampled_and_against_whom(
    opponent: str, going: str, through_with: str, tmp_path: Path
) -> None:
    asked = settings(opponent=opponent, episodes=60)
    seen = Seen(tmp_path)
    seen.settings = asked
    assert "its shares" not in table(seen)
    seen.updates = [update(12, asked)]
    assert going in table(seen)
    read = snapshot(seen.updates[0])
    seen.outcome = Outcome(
        updates=12, episodes=60, format_updates=8, format_episodes=40, seconds=1.0,
        before=read, end=read, illegal=0.0,
    )  # fmt: skip
    assert through_with in table(seen)


def table(seen: Seen) -> str:
    view = View(seen, Phase.STOPPED, lambda key: key)
    return " ".join(str(part) for part in draw(view, 120, 60))


async def test_a_switch_of_the_reward_is_marked() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(reward=Reward.GAME, switch_to=Reward.DEONTOLOGICAL, switch_at=150)
        await on.press("s")
        await through(on, lab)
        assert "▲ reward de" in told(on)
        assert lab.seen
        assert lab.seen.folder.name == "game-then-de-vs-tit-for-tat-prisoners-dilemma-1"


async def test_a_pause_keeps_a_checkpoint_and_going_on_resumes() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="learner")
        await on.press("s")
        await on.until(lambda: lab.seen and len(lab.seen.updates) == 12, "the first updates")
        assert lab.phase is Phase.RUNNING
        assert "▶ running" in told(on)
        await on.press("p")
        await on.until(lambda: lab.phase is Phase.PAUSED and "‖ paused" in told(on), "the pause")
        assert lab.tuning is None
        await on.press("p")
        await through(on, lab)
        assert lab.seen
        assert [update.step for update in lab.seen.updates] == list(range(1, 61))


async def test_a_run_that_was_stopped_is_opened_from_the_list_and_goes_on() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="learner")
        await on.press("s")
        await on.until(lambda: lab.seen and len(lab.seen.updates) == 12)
        await on.press("s", "s")  # a second one would share the machine
        await on.until(lambda: lab.last and "two would share the machine" in lab.last.text)
        await on.press("x")
        await on.until(lambda: lab.phase is Phase.STOPPED)
        lab.seen = None
        await on.until(lambda: "60 of 300 episodes" in on.text())
        await on.press("2", "enter")
        await on.until(lambda: "□ stopped" in told(on))
        await on.press("p")
        await through(on, lab)
        await on.press("p")
        await on.until(lambda: lab.last and "nothing to go on with" in lab.last.text)
        await on.press("x")
        await on.until(lambda: lab.last and lab.last.text == "No run goes on.")


async def test_a_run_goes_on_while_one_reviews_and_stops_when_placet_quits() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="learner")
        await on.press("s")
        await on.until(lambda: lab.tuning and lab.seen and len(lab.seen.updates) == 12)
        tuning = lab.tuning
        await on.press("escape")
        await on.until(lambda: isinstance(on.app.screen, ReviewScreen))
        assert lab.tuning is tuning
        await on.press("G")
        await on.until(lambda: "a run goes on" in on.text())
        assert tuning
        await on.app.action_quit()
        assert tuning.ended.is_set()
        assert not tuning.killed


async def test_a_key_pressed_twice_starts_one_run() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="learner")
        await asyncio.gather(lab.start(), lab.start(), return_exceptions=True)
        await on.until(lambda: lab.seen and len(lab.seen.updates) == 12)
        assert [row.folder.name for row in lab.rows()] == ["de-vs-learner-prisoners-dilemma-1"]


async def test_what_is_read_while_placet_ends_is_not_drawn_any_more() -> None:
    async with laboratory() as (on, _):
        screen = on.app.screen
        assert isinstance(screen, LaboratoryScreen)
        await screen.query_children("*").remove()  # the panes go before their screen does
        await screen._list()
        screen._draw()


async def test_a_run_that_does_not_listen_is_killed() -> None:
    async with laboratory(patience=0.2) as (on, lab):
        lab.wish = Wish(opponent="always-c")
        await on.press("s")
        await on.until(lambda: lab.seen and len(lab.seen.updates) == 12)
        await on.press("x")
        await on.until(lambda: lab.last and "did not listen and was killed" in lab.last.text)
        assert lab.phase is Phase.STOPPED


# What goes wrong


async def test_a_run_that_another_process_is_at_is_left_to_it() -> None:
    folder = paths.runs() / "theirs"
    write_settings(folder, settings())
    async with laboratory() as (on, lab):
        with hold(folder):
            lab.open(folder)
            await on.until(lambda: "running elsewhere" in told(on))
            await on.press("p")
            await on.until(lambda: lab.last and "another process is at it" in lab.last.text)
            assert lab.tuning is None
        assert lab.phase is Phase.STOPPED


async def test_a_run_that_another_process_is_at_is_followed_until_it_ends() -> None:
    folder = paths.runs() / "theirs"
    write_settings(folder, settings())
    async with laboratory() as (on, lab):
        with hold(folder):
            lab.open(folder)
            await on.until(lambda: "running elsewhere" in told(on))
            (folder / LOG).write_bytes(encode(update(1, settings())))
            await on.until(lambda: "running elsewhere   5 of" in told(on))
        await on.until(lambda: "goes on from the last checkpoint" in told(on))


async def test_a_process_that_dies_is_told_of_and_can_go_on() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="random")
        await on.press("s")
        await on.until(lambda: lab.phase is Phase.DIED and "! ended by itself" in told(on))
        assert "killed by SIGKILL" in told(on)
        assert "out of memory" in told(on)
        await on.press("p")
        await through(on, lab)


async def test_what_the_run_says_of_a_full_disk_is_shown_with_its_mend() -> None:
    async with laboratory() as (on, lab):
        lab.wish = Wish(opponent="always-d")
        await on.press("s")
        await on.until(lambda: lab.phase is Phase.DIED)
        await on.until(lambda: "No space left on device" in told(on))
        assert "Check the space on the disk." in told(on)
        assert "Traceback" not in told(on)


async def test_a_stop_that_failed_is_not_told_as_a_good_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.engine.tuning._BRIEFLY", 60.0)
    paths.runs().mkdir(parents=True)
    script = (
        "trap 'echo \"placet: it cannot be written\" >&2; exit 1' TERM; "
        'for last; do :; done; : > "$last.hears"; while :; do sleep .02; done'
    )
    async with laboratory(tuner=("sh", "-c", script), patience=60) as (on, lab):
        await lab.start()
        await on.until(lambda: [*paths.runs().glob("*.hears")], "the process")
        await lab.stop()
        assert lab.last and "it cannot be written" in lab.last.text
        assert "can go on" not in lab.last.text


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("/nonesuch/placet",), "cannot be started"),
        (("sh", "-c", "echo 'placet: peft is not installed' >&2; echo '  pip install' >&2; exit 1"),
         "Peft is not installed"),
        (("sh", "-c", "echo Traceback >&2; echo 'ValueError: odd' >&2; exit 1"), "ValueError: odd"),
        (("sh", "-c", "exit 7"), "exit status 7"),
    ],
)  # fmt: skip
async def test_a_run_that_cannot_begin_is_a_line_with_the_mend(
    command: tuple[str, ...], sentence: str
) -> None:
    async with laboratory(tuner=command) as (on, lab):
        await on.press("s")
        await on.until(
            lambda: lab.last and sentence.lower() in lab.last.text.lower() and lab.tuning is None,
            sentence,
        )
        await on.press("p")
        await on.until(lambda: lab.last and "go on" in lab.last.text)


async def test_a_run_stopped_before_it_began_leaves_nothing() -> None:
    async with laboratory(tuner=("sh", "-c", "exec sleep 60")) as (on, lab):
        await on.press("s")
        await on.until(lambda: "▶ starting" in told(on))
        await on.press("x")
        await on.until(lambda: lab.last and "nothing was kept" in lab.last.text)
        assert lab.seen is None
        assert not paths.runs().exists()


async def test_a_log_or_settings_that_cannot_be_read_are_told_of() -> None:
    folder = paths.runs() / "spoilt"
    folder.mkdir(parents=True)
    (folder / SETTINGS).write_text("schema = 1\ngame = 7\n")
    async with laboratory() as (on, lab):
        await on.press("2")
        await on.until(lambda: "! spoilt" in on.text())
        await on.press("enter")
        await on.until(lambda: "cannot be read" in told(on))
        write_settings(folder, settings())
        (folder / LOG).write_text("{nonsense\n")
        await on.press("2", "enter")
        await on.until(lambda: "no line of such a log" in told(on))
        await on.press("t")
        await on.until(lambda: lab.last and "no adapter" in lab.last.text)


@pytest.mark.parametrize("text", [text for text in SPOKEN if 0 < len(text.strip()) <= 40])
async def test_nasty_names_are_drawn_literally(text: str) -> None:
    folder = paths.runs() / ("run " + "".join(char for char in text if char not in "/\0\ud800"))
    game = msgspec.structs.replace(GAMES["chicken"], name=text[:40], title=text[:80])
    write_settings(folder, settings(game=game))
    async with laboratory() as (on, lab):
        await on.press("2")
        await on.until(lambda: on.app.screen.query_one(RunList).rows)
        await on.press("enter")
        await on.until(lambda: lab.seen and "stopped" in told(on))
        assert "\x1b" not in on.text()
        assert "\u202e" not in on.text()
        assert on.app.is_running


def settings(**fields: Any) -> RunSettings:
    return RunSettings(
        **{
            "game": GAMES["chicken"], "reward": Reward.GAME, "opponent": "random", "episodes": 10,
            "seed": 1, "model": "m", "digest": "0" * 64, **fields,
        }
    )  # fmt: skip


# The tuned model in the review


async def test_a_tuned_model_is_tried_as_the_policy_with_its_origin() -> None:
    async with laboratory() as (on, lab):
        await on.press("t")
        await on.until(lambda: lab.last and "No run is in view" in lab.last.text)
        await on.press("s")
        await through(on, lab)
        assert lab.seen
        await on.press("t")
        await on.until(lambda: lab.last and "proposes in the review" in lab.last.text)
        asked = on.engine.last(Load)
        assert isinstance(asked, Load)
        assert (asked.policy, asked.judge) == (str(lab.seen.folder), "fake-model")
        await on.press("escape")
        assert lab.seen.folder.name not in on.said  # it is loaded, and stands at the top
        assert f"run {lab.seen.folder.name}" in on.review.news.said[-1].text


@pytest.mark.parametrize("comes", [True, False])
async def test_a_tuned_model_is_not_said_to_be_the_policy_before_it_is(comes: bool) -> None:
    async with laboratory() as (on, lab):
        await on.press("s")
        await through(on, lab)
        on.engine.auto = False
        await on.press("t")
        await on.until(lambda: isinstance(on.engine.asked[-1], Load) and on.review.work.jobs)
        assert on.said.startswith("Loading the laboratory's run")
        load = on.engine.asked[-1]
        if comes:
            on.engine.name = "tuned-1"
            on.engine.answer(load)
            assert on.said == ""
            await on.until(lambda: "policy tuned-1" in on.text())
        else:
            on.engine.hear(Trouble(job=load.job, problem="there is no memory left"))
            assert "no memory left" in on.said
            await on.until(lambda: "no memory left" in on.text())
            assert "policy fake-model" in on.text()
        assert not any("policy is" in notice.text for notice in on.review.news.said)


# Keys and sizes


@pytest.mark.parametrize("size", SIZES)
async def test_every_key_stands_in_footer_palette_and_help(size: tuple[int, int]) -> None:
    async with laboratory(size=size) as (on, _):
        commands = [command.help for command in on.app.get_system_commands(on.app.screen)]
        shown = on.text()
        for key in KEYS:
            if key.place is Place.LAB:
                assert key.tooltip in commands or key.id == "lab-palette"
                assert not key.show or f" {key.label}" in shown, key.id
        await on.press("question_mark")
        await on.until(lambda: not isinstance(on.app.screen, LaboratoryScreen))
        told = on.app.screen.query_one("#text").render().plain  # type: ignore[union-attr]
        text = " ".join(told.split())  # lines are broken to the width
        for key in KEYS:
            if key.place is Place.LAB:
                assert key.tooltip in text
                assert f"[{key.id}]" in text


def test_its_keys_can_be_changed_and_clashes_are_named() -> None:
    assert keymap({"lab-start": "R"}) == {"lab-start": "R"}
    with pytest.raises(BadInput, match="would mean both"):
        keymap({"lab-start": "p"})


@pytest.mark.parametrize(("size", "panes"), [((80, 24), "2"), ((140, 40), "123")])
async def test_every_key_is_survived_in_every_pane(size: tuple[int, int], panes: str) -> None:
    async with laboratory(size=size) as (on, lab):
        await on.press("s")
        await through(on, lab)
        for pane in panes:
            for key in KEYS:
                if key.place not in (Place.LAB, Place.LIST) or key.id in (
                    "lab-back",
                    "lab-palette",
                ):
                    continue
                await on.press(pane)
                await on.press(key.key.split(",")[0])
                await on.pilot.pause()
                while not isinstance(on.app.screen, LaboratoryScreen):
                    await on.press("G" if isinstance(on.app.screen, ReviewScreen) else "escape")
                if lab.tuning:
                    await lab.stop()
        assert on.app.is_running


async def test_tab_goes_round_the_panes_at_80_columns() -> None:
    async with laboratory(size=(80, 24)) as (on, _):
        seen = []
        for _ in range(4):
            seen.append(type(on.app.focused))
            await on.press("tab")
        assert seen == [SettingList, RunList, RunPane, SettingList]
        await on.press("shift+tab")
        assert isinstance(on.app.focused, SettingList)


# Following


async def test_a_log_that_a_resumed_run_cut_is_read_without_doubles(tmp_path: Path) -> None:
    done = Tuning(tmp_path / "run", Wish(episodes=100).arguments, command=TUNER)
    await done.start()
    await asyncio.wait_for(done.ended.wait(), 30)
    log = tmp_path / "run" / LOG
    whole = log.read_bytes().splitlines(keepends=True)
    seen = Seen(tmp_path / "run")
    assert seen.read()
    assert len(seen.updates) == 20
    assert not seen.read()

    log.write_bytes(b"".join(whole[:12]))
    seen.read()
    log.write_bytes(b"".join(whole[:15]) + whole[15][:9])
    seen.read()

    assert [update.step for update in seen.updates] == list(range(1, 16))
