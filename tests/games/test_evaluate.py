"""Tuned models read from their folders: figures, baselines, tournaments, pictures, JSON."""

import json
import shutil
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from core.errors import BadInput
from core.games import run
from core.games.matrix import GAMES, TRAINING_GAME, Game
from core.games.players import ALWAYS_C, ALWAYS_D, RANDOM, Player
from core.games.prompts import Words
from core.games.regret import ACTION_TYPES, exact
from core.games.rewards import Reward
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from tests import tiny
from tests.cli.conftest import Placet, placet

pytest.importorskip("peft")

import numpy as np
from matplotlib.figure import Figure as Picture

from core.cli.evaluating import conditions, table
from core.games import pictures
from core.games.evaluate import (
    CONDITIONS,
    UNSEEN,
    Condition,
    Found,
    baselines,
    evaluate,
    open_runs,
)
from core.games.tune import LEARNING, tune
from core.models.manifest import weights_digest

__all__ = ["placet"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


WORDS = Words("eng", "ten")
"""Single tokens that the tiny model likes; the usual words it never says."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of a setting, hardly trained, and another setting."""
    root = tmp_path_factory.mktemp("runs")
    base = tiny.llama(root / "llama")
    settings = run.RunSettings(
        game=TRAINING_GAME,
        reward=Reward.DEONTOLOGICAL,
        opponent="tit-for-tat",
        episodes=10,
        seed=1,
        words=WORDS,
        model=str(base),
        digest=weights_digest(base),
        learning={**LEARNING, "rank": 4, "first_layer": 1, "rate": 2e-2},
    )
    folders = []
    for changes in ({}, {"seed": 2}, {"reward": Reward.GAME}):
        changed = msgspec.structs.replace(settings, **changes)
        folders.append(root / changed.name)
        tune(changed, folders[-1], base)
    return folders


def test_a_run_is_measured_as_it_left_off(runs: list[Path]) -> None:
    ((_, settings, reader),) = open_runs(runs[:1])
    outcome = run.read_outcome(runs[0])
    played = reader.player("own", [TRAINING_GAME], Condition(WORDS)).known[TRAINING_GAME]
    games = {TRAINING_GAME.name: TRAINING_GAME}
    found = evaluate(reader, "own", settings, games, group=settings.setting)

    assert outcome
    for state, chances in played.items():
        assert chances == pytest.approx(outcome.end.chances["".join(state)], abs=0.02)
    assert list(found.exact) == list(found.sampled) == list(CONDITIONS)


def test_each_run_wears_its_own_adapter_and_the_untuned_model_none(runs: list[Path]) -> None:
    asked = Condition(WORDS)
    told = []
    for _, _, reader in open_runs(runs):
        told.append(reader.player("own", [TRAINING_GAME], asked).known)
        untuned = reader.player("own", [TRAINING_GAME], asked, untuned=True).known
    assert all(one != other for one, other in combinations([*told, untuned], 2))


def test_the_untuned_model_is_told_each_value(runs: list[Path]) -> None:
    ((_, _, reader),) = open_runs(runs[:1])
    found = baselines(reader, {"chicken": GAMES["chicken"]})
    assert [one.name for one in found] == [
        "untuned", "told game", "told de", "told ut", "told game+de",
    ]  # fmt: skip


def test_json_has_an_entry_a_run(placet: Placet, runs: list[Path], tmp_path: Path) -> None:
    ran = placet("games", "evaluate", *runs[:2], "--json", "--games", "chicken")
    told = json.loads(ran.out)

    assert ran.status == 0
    assert list(told) == [path.name for path in runs[:2]]
    for one in told.values():
        assert 0 <= one["deontological_regret"] <= 6
        assert list(one["utilitarian_regret"]) == ["chicken"]
        assert list(one["actions"]) == list(ACTION_TYPES)
        assert sum(one["actions"].values()) == pytest.approx(1)
        assert set(one["conditions"]) == set(CONDITIONS)


def test_a_run_that_is_not_through_is_measured_and_told_of(
    placet: Placet, runs: list[Path], tmp_path: Path
) -> None:
    early, astray = (
        Path(shutil.copytree(runs[0], tmp_path / name)) for name in ("early", "astray")
    )
    outcome = run.read_outcome(astray)
    assert outcome
    (early / run.FIGURES).unlink()
    run.write_outcome(astray, msgspec.structs.replace(outcome, ran_away=True))
    ran = placet("games", "evaluate", runs[0], early, astray, "--limit", 1, "--json")

    told = json.loads(ran.out)
    assert [(one["through"], one["episodes"]) for one in told.values()] == [
        (True, 10), (False, 10), (False, 10),
    ]  # fmt: skip
    for name in ("early", "astray"):
        assert f"{name} is not through: it is measured as it was after 10 episodes" in ran.err
    assert f"{runs[0].name} is not through" not in ran.err


def test_seeds_are_told_together_with_an_interval_and_drawn(
    placet: Placet, runs: list[Path], tmp_path: Path
) -> None:
    ran = placet("games", "evaluate", *runs[:2], "--limit", 1, "--figures", tmp_path / "drawn")

    rows = [line for line in ran.out.splitlines() if line.startswith("de-vs-tit-for-tat (2)")]
    assert len(rows) == 2 and all("±" in row for row in rows)
    assert any(line.startswith("always D") and "2.00" in line for line in ran.out.splitlines())
    names = {path.name for path in (tmp_path / "drawn").iterdir()}
    assert names == {
        f"{name}.{ending}" for name in ("training", "curves", "regret") for ending in ("svg", "png")
    }


def test_runs_that_differ_in_more_than_their_seed_are_told_apart(
    placet: Placet, runs: list[Path], tmp_path: Path
) -> None:
    longer = Path(shutil.copytree(runs[0], tmp_path / "longer"))
    settings = run.read_settings(longer)
    learns = {**settings.learning, "rate": 0.5}
    run.write_settings(longer, msgspec.structs.replace(settings, episodes=300, learning=learns))

    both = ("games", "evaluate", *runs[:2], longer, "--limit", 1)
    told = placet(*both).out
    groups = [one["group"] for one in json.loads(placet(*both, "--json").out).values()]

    usual = "de-vs-tit-for-tat, episodes 10, learning.rate 0.02"
    other = "de-vs-tit-for-tat, episodes 300, learning.rate 0.5"
    assert groups == [usual, usual, other]
    assert f"{usual} (2)" in told and f"{other} (1)" in told


@pytest.mark.parametrize(
    ("games", "opponent", "published"),
    [
        (GAMES, RANDOM, True),
        (GAMES, ALWAYS_D, False),
        ({"chicken": GAMES["chicken"]}, RANDOM, False),
    ],
)
def test_a_picture_of_regrets_is_of_its_opponent_and_beside_what_was_published_of_that(
    games: dict[str, Game], opponent: Player, published: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    drawn: list[Picture] = []
    monkeypatch.setattr(pictures, "_save", lambda one, folder, name: drawn.append(one))
    figures = {UNSEEN: {name: exact(ALWAYS_C, opponent, game) for name, game in games.items()}}
    setting = "de-vs-tit-for-tat"
    found = [Found(group, setting, group, 1, figures, figures) for group in (setting, "other")]

    pictures.regret_picture(tmp_path, found, games, opponent)

    title = drawn[0].get_suptitle()
    assert f"against {opponent.name}" in title and ("published" in title) == published
    for panel, game in zip(drawn[0].axes[1:], games.values(), strict=True):
        lines = [
            float(np.ravel(line.get_xdata())[0])
            for line in panel.get_lines()
            if line.get_label() == "always C"
        ]
        assert lines == [exact(ALWAYS_C, opponent, game).utilitarian_regret]
        marks = [line for line in panel.get_lines() if line.get_marker() == "x"]
        assert len(marks) == 2 * published


def test_tables_and_json_name_the_opponent(placet: Placet, runs: list[Path]) -> None:
    asked = ("games", "evaluate", runs[0], "--games", "chicken", "--opponent", "always-d")
    told = placet(*asked).out

    assert "unseen words, against always-d" in told and "reference, against always-d" in told
    (one,) = json.loads(placet(*asked, "--json").out).values()
    assert one["opponent"] == "always-d"


def test_names_of_games_are_drawn_literally() -> None:
    odd = msgspec.structs.replace(TRAINING_GAME, name="a\x1b[2J\u202e")
    figures = {odd.name: exact(RANDOM, RANDOM, odd)}
    both = {UNSEEN: figures, "household": figures}
    setting = f"de-vs-tft-on-{odd.name}"
    found = Found("run", setting, setting, 1, both, both)

    told = "\n".join([*table([found], {odd.name: odd}, RANDOM), *conditions([found])])

    assert "\x1b" not in told and "\u202e" not in told


def test_names_with_dollars_and_regrets_that_are_not_known_are_drawn(
    runs: list[Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(runs[0], tmp_path / "run"))
    odd = msgspec.structs.replace(TRAINING_GAME, name="a$\\frac$", title="b$\\frac$")
    settings = msgspec.structs.replace(run.read_settings(folder), game=odd)
    (line,) = run.read_updates(folder)[0]
    unknown = msgspec.structs.replace(line, deontological_regret=None, utilitarian_regret=None)
    with (folder / run.LOG).open("ab") as log:
        log.write(msgspec.json.encode(unknown) + b"\n")
    figures = {odd.name: exact(RANDOM, RANDOM, odd)}
    both = {UNSEEN: figures}
    found = Found("run", settings.setting, settings.setting, 1, both, both)

    told = [(folder, settings)]
    written = pictures.training_picture(tmp_path, told) + pictures.curves_picture(tmp_path, told)
    written += pictures.regret_picture(tmp_path, [found], {odd.name: odd})

    assert all(path.stat().st_size for path in written)


def test_a_picture_that_cannot_be_written_is_told_of_with_the_mend(
    placet: Placet, runs: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "training.svg").mkdir()

    ran = placet("games", "evaluate", runs[0], "--limit", 1, "--figures", tmp_path)

    assert ran.status == 1
    assert "unseen words" in ran.out  # what was measured is not lost
    assert f"{tmp_path}: it cannot be written (Is a directory)" in ran.trouble
    assert "space on the disk" in ran.trouble


def test_a_run_takes_part_in_a_tournament(placet: Placet, runs: list[Path]) -> None:
    ran = placet(
        "games", "tournament", "--player", runs[0], "--player", "tft", "--rounds", 10, "--json",
        "--game", "bach-or-stravinsky",
    )  # fmt: skip

    players = {row["player"]: row for row in json.loads(ran.out)["overall"]}
    assert set(players) == {runs[0].name, "tit-for-tat"}
    assert players[runs[0].name]["illegal"] > 0.5  # hardly trained


def test_who_is_named_twice_plays_once_and_runs_of_one_name_are_told_apart(
    placet: Placet, runs: list[Path], tmp_path: Path
) -> None:
    twin = Path(shutil.copytree(runs[0], tmp_path / runs[0].name))
    named = [runs[0], twin, "tft", "tit-for-tat", twin]
    asked = [word for name in named for word in ("--player", name)]
    ran = placet("games", "tournament", *asked, "--rounds", 10, "--json", "--game", "chicken")
    players = sorted(row["player"] for row in json.loads(ran.out)["overall"])
    assert players == sorted([str(runs[0]), str(twin), "tit-for-tat"])

    told = json.loads(placet("games", "evaluate", runs[0], twin, "--json", "--limit", 1).out)
    assert list(told) == [str(runs[0]), str(twin)]


def test_what_cannot_be_measured_is_named(placet: Placet, runs: list[Path], tmp_path: Path) -> None:
    assert "no run's folder" in placet("games", "evaluate", tmp_path).trouble
    assert "name too long" in placet("games", "evaluate", "x" * 300).trouble
    assert "no such user" in placet("games", "evaluate", "~nosuch/x").trouble
    settings = run.read_settings(runs[0])
    run.write_settings(tmp_path / "early", settings)
    assert "adapter cannot be read" in placet("games", "evaluate", tmp_path / "early").trouble
    other = msgspec.structs.replace(settings, digest="0" * 64)
    run.write_settings(tmp_path / "other", other)
    told = placet("games", "evaluate", tmp_path / "other").trouble
    assert "run.toml" in told and "other weights" in told
    wide = {**settings.learning, "rank": 8}
    run.write_settings(tmp_path / "wide", msgspec.structs.replace(settings, learning=wide))
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        (tmp_path / "wide" / name).write_bytes((runs[0] / name).read_bytes())
    with pytest.raises(BadInput, match="another shape"):
        list(open_runs([tmp_path / "wide"]))


def test_a_folder_that_is_no_run_is_told_of_before_another_is_measured(
    runs: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="no run's folder"):
        next(open_runs([runs[0], tmp_path]))


def test_a_run_from_the_command_line_tells_what_came_of_it(
    placet: Placet, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = runs[0].parent / "llama"
    short = ("games", "tune", "--model", model, "--episodes", 10, "--threads", 1)
    refused = placet(*short, "--reward", "kindness")
    assert (refused.status, "no reward named 'kindness'" in refused.trouble) == (1, True)
    assert placet(*short).status == 2
    assert placet(*short, "--reward", "ut", "--switch-at", 3).status == 2
    beyond = placet(*short, "--reward", "ut", "--switch-to", "de", "--switch-at", 10)
    assert "not before the last episode" in beyond.trouble
    folder = tmp_path / "ut"
    ran = placet(*short, "--reward", "utilitarian", "--out", folder)
    assert ran.err.startswith("placet: loading the models…\n")
    assert (ran.status, ran.out.splitlines()[-1]) == (0, str(folder))
    assert ran.out.startswith("10 episodes, 1 updates")
    assert "holds a run already" in placet(*short, "--reward", "ut", "--out", folder).trouble
    monkeypatch.chdir(model.parent)
    near = ("games", "tune", "--model", model.name, "--episodes", 10, "--threads", 1)
    assert placet(*near, "--reward", "ut", "--out", tmp_path / "near").status == 0
    monkeypatch.chdir(tmp_path / "near")
    assert run.read_settings(tmp_path / "near").model == str(model)
    told = json.loads(placet("games", "evaluate", ".", "--json", "--limit", 1).out)
    assert list(told) == ["near"]
    again = placet("games", "tune", "--resume", "--out", folder)
    assert again.out == ran.out  # it was through
    beside = placet("games", "tune", "--resume", "--out", folder, "--switch-to", "kindness")
    assert (beside.status, "--switch-to" in beside.err) == (2, True)
