"""A run's folder: what is written is read again, as it grows, and damage is named."""

from pathlib import Path

import msgspec
import pytest

from core.errors import BadInput
from core.games import run
from core.games.matrix import GAMES, STATES, TRAINING_GAME, Move
from core.games.players import Chances
from core.games.rewards import Reward

SETTINGS = run.RunSettings(
    game=TRAINING_GAME,
    reward=Reward.GAME,
    opponent="tit-for-tat",
    episodes=300,
    seed=3,
    switch_to=Reward.DEONTOLOGICAL,
    switch_at=100,
    model="tiny",
    digest="ab",
    learning={"rate": 1e-4, "steps": 7, "baseline": "running"},
)
SNAPSHOT = run.Snapshot(
    episodes=4,
    chances={f"{own}{other}": Chances(0.5, 0.25, 0.25) for own, other in STATES},
    actions={"C|C": 1.0},
    deontological_regret=1.0,
    utilitarian_regret=0.5,
)


@pytest.mark.parametrize(
    ("name", "told"),
    [("prisoners-dilemma", "prisoners-dilemma"), ("../../My game", "My-game"), ("博弈", "game")],
)
def test_a_run_s_folder_is_named_by_what_it_is_and_lies_in_one_place(name: str, told: str) -> None:
    settings = msgspec.structs.replace(
        SETTINGS, game=msgspec.structs.replace(TRAINING_GAME, name=name)
    )

    assert settings.name == f"game-then-de-vs-tit-for-tat-{told}-3"


def update(step: int) -> run.Update:
    return run.Update(
        step=step,
        steps=9,
        episodes=step * 4,
        phase=run.FORMAT,
        rule=Reward.GAME,
        reward=-6.0,
        kl=0.25,
        entropy=1.5,
        seconds=1.0,
        seconds_left=8.0,
        actions={"illegal": 1.0},
    )


def episode(number: int) -> run.Episode:
    plays = (
        run.Step(STATES[1], "action1", Move.C, Move.D, 0.0),
        run.Step(STATES[1], " §", None, Move.C, -6.0),
    )
    return run.Episode(number=number, step=1, rule=Reward.GAME, plays=plays)


def add(path: Path, *rows: msgspec.Struct) -> None:
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)


def test_settings_and_figures_come_back_as_they_were(tmp_path: Path) -> None:
    plain = msgspec.structs.replace(SETTINGS, switch_to=None, switch_at=None)
    for settings in (SETTINGS, plain):
        run.write_settings(tmp_path, settings)
        assert run.read_settings(tmp_path) == settings
    assert run.read_outcome(tmp_path) is None
    outcome = run.Outcome(
        updates=9,
        episodes=36,
        format_updates=2,
        format_episodes=8,
        seconds=9.5,
        before=SNAPSHOT,
        end=SNAPSHOT,
        illegal=0.02,
    )
    run.write_outcome(tmp_path, outcome)
    assert run.read_outcome(tmp_path) == outcome


def test_runs_of_one_setting_share_its_name_whatever_the_seed() -> None:
    other = msgspec.structs.replace(SETTINGS, seed=4)
    assert SETTINGS.setting == other.setting == "game-then-de-vs-tit-for-tat"
    assert SETTINGS.name != other.name
    other_pay = msgspec.structs.replace(TRAINING_GAME, cc=(2, 2))
    shadow = msgspec.structs.replace(SETTINGS, game=other_pay)
    assert shadow.setting == "game-then-de-vs-tit-for-tat-on-prisoners-dilemma"
    elsewhere = msgspec.structs.replace(SETTINGS, game=GAMES["stag-hunt"])
    assert elsewhere.setting == "game-then-de-vs-tit-for-tat-on-stag-hunt"


def test_runs_are_told_together_where_only_their_seed_differs() -> None:
    seed = msgspec.structs.replace(SETTINGS, seed=4)
    later = msgspec.structs.replace(SETTINGS, switch_at=150, learning={"rate": 2e-4})
    cells = [msgspec.structs.replace(TRAINING_GAME, name="own", cc=(pay, pay)) for pay in (2, 3)]
    own = [msgspec.structs.replace(SETTINGS, game=game) for game in cells]

    name = SETTINGS.setting
    assert run.group_names([SETTINGS, seed]) == [name, name]
    told = run.group_names([SETTINGS, seed, later, *own])
    assert told[0] == told[1]
    assert told[2] == f"{name}, switch_at 150, learning.rate 0.0002"
    assert len(set(told)) == 4
    assert [one.split(", ", 1)[0] for one in told[3:]] == [f"{name}-on-own"] * 2


def test_a_log_is_read_on_while_it_grows_and_half_a_line_waits(tmp_path: Path) -> None:
    assert run.read_updates(tmp_path) == ([], 0)
    add(tmp_path / run.LOG, update(1), update(2))
    half = msgspec.json.encode(update(3))
    with (tmp_path / run.LOG).open("ab") as file:
        file.write(half[:20])
    rows, end = run.read_updates(tmp_path)
    assert rows == [update(1), update(2)]
    assert run.read_updates(tmp_path, end) == ([], end)
    with (tmp_path / run.LOG).open("ab") as file:
        file.write(half[20:] + b"\n")
    rows, later = run.read_updates(tmp_path, end)
    assert rows == [update(3)]
    (tmp_path / run.LOG).write_bytes(b"")
    add(tmp_path / run.LOG, update(1))
    assert run.read_updates(tmp_path, later)[0] == [update(1)]


def test_episodes_keep_their_illegal_replies(tmp_path: Path) -> None:
    add(tmp_path / run.EPISODES, episode(1), episode(2))
    assert run.read_episodes(tmp_path)[0] == [episode(1), episode(2)]


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no run\.toml"):
        run.read_settings(tmp_path)
    run.write_settings(tmp_path, SETTINGS)
    text = (tmp_path / run.SETTINGS).read_text("utf-8")
    (tmp_path / run.SETTINGS).write_text(
        text.replace("switch_at = 100", "switch_at = 300"), "utf-8"
    )
    with pytest.raises(BadInput, match="switch_at is not before the last episode"):
        run.read_settings(tmp_path)
    (tmp_path / run.SETTINGS).write_text(text.replace('"tit-for-tat"', '"fox"'), "utf-8")
    with pytest.raises(BadInput, match=r"run\.toml: opponent: there is no player named 'fox'"):
        run.read_settings(tmp_path)
    (tmp_path / run.LOG).write_text("{}\n", "utf-8")
    with pytest.raises(BadInput, match=r"log\.jsonl: line 1: .*missing"):
        run.read_updates(tmp_path)
    (tmp_path / run.FIGURES).write_text("[]", "utf-8")
    with pytest.raises(BadInput, match="no figures of a run"):
        run.read_outcome(tmp_path)


def test_runs_are_found_by_their_settings(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    run.write_settings(tmp_path / "b", SETTINGS)
    run.write_settings(tmp_path / "a", SETTINGS)
    assert run.find_runs(tmp_path) == [tmp_path / "a", tmp_path / "b"]
