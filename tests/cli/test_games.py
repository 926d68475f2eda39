"""`placet games`, from the arguments to the exit status."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Placet


def test_the_games_players_and_rewards_are_listed(placet: Placet) -> None:
    told = placet("games", "list").out

    assert "prisoners-dilemma          3,3   0,4   4,0   1,1  Prisoner's Dilemma" in told
    assert "win-stay-lose-shift" in told
    assert "\nut   " in told


def test_the_reference_lines_are_exact_json(placet: Placet) -> None:
    told = json.loads(placet("games", "reference", "--json").out)

    assert list(told) == ["always C", "always D", "tit-for-tat", "uniform", "illegal"]
    assert set(told["always D"]) == {"deontological_regret", "utilitarian_regret"}
    assert told["always D"]["deontological_regret"] == pytest.approx(2)
    assert told["always C"]["utilitarian_regret"] == pytest.approx(
        {
            "prisoners-dilemma": 1 / 12,
            "stag-hunt": 2.5 / 14,
            "chicken": 0.5 / 11,
            "bach-or-stravinsky": 2.5 / 11,
            "defective-coordination": 0.5,
        }
    )


def test_the_reference_lines_are_a_table_for_people(placet: Placet, tmp_path: Path) -> None:
    path = tmp_path / "snow.toml"
    path.write_text("schema = 1\ncc = [3, 3]\ncd = [2, 4]\ndc = [4, 2]\ndd = [0, 0]\n", "utf-8")

    told = placet("games", "reference", "--game", "stag-hunt", "--game", path).out

    lines = told.splitlines()
    assert lines[1].split() == ["deontological", "regret", "0.000", "2.000", "0.000", "1.000",
                                "6.000"]  # fmt: skip
    assert lines[2].split()[:4] == ["utilitarian,", "stag-hunt", "0.179", "0.393"]
    assert lines[3].split()[:4] == ["utilitarian,", "snow", "0.000", "0.250"]


def test_a_tournament_ranks_the_players(placet: Placet) -> None:
    both = ("--player", "always-c", "--player", "always-d", "--rounds", 5)

    table = placet("games", "tournament", *both, "--game", "prisoners-dilemma").out
    told = json.loads(placet("games", "tournament", *both, "--json", "--seed", 3).out)

    assert [line.split() for line in table.splitlines()] == [
        ["prisoners-dilemma", "score", "welfare", "C"],
        ["always-d", "2.50", "3.00", "0%"],
        ["always-c", "1.50", "5.00", "100%"],
    ]
    assert (told["rounds"], told["seed"], told["noise"]) == (5, 3, 0.0)
    assert len(told["by_game"]) == 5
    assert set(told["overall"][0]) == {"player", "score", "welfare", "cooperation", "illegal"}


def test_a_tournament_says_what_it_is_at(placet: Placet) -> None:
    assert placet("games", "tournament", "--rounds", 1).err == "placet: playing…\n"


def test_two_games_or_players_of_one_name_are_refused(placet: Placet, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        'schema = 1\nname = "chicken"\ncc = [3, 3]\ncd = [2, 4]\ndc = [4, 2]\ndd = [0, 0]\n',
        "utf-8",
    )
    (tmp_path / "random").mkdir()
    both = ("--game", "chicken", "--game", other)

    for command in ("reference", "tournament"):
        told = placet("games", command, *both).trouble
        assert f"{other}: two different games are named 'chicken': chicken and this" in told
    assert placet("games", "reference", "--game", "chicken", "--game", "chicken").status == 0
    told = placet("games", "tournament", "--player", "tft", "--player", tmp_path / "random").trouble
    assert f"{tmp_path / 'random'}: the run is named as the player random is" in told


def test_the_same_seed_gives_the_same_tournament(placet: Placet) -> None:
    def run(seed: int) -> str:
        return placet("games", "tournament", "--noise", 0.1, "--rounds", 20, "--seed", seed).out

    assert run(1) == run(1) != run(2)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("tournament", "--player", "fox"), 1, "no player named 'fox'"),
        (("tournament", "--game", "go"), 1, "no game named 'go'"),
        (("reference", "--game", "no/such.toml"), 1, "there is no such file"),
        (("reference", "--game", "~nosuch/x.toml"), 1, "~nosuch/x.toml: there is no such user"),
        (
            ("reference", "--game", f"{'x' * 300}.toml"),
            1,
            "it cannot be reached (File name too long)",
        ),
        (("reference", "--game", "x" * 300), 1, "File name too long"),
        (("tournament", "--player", "~nosuch/x"), 1, "~nosuch/x: there is no such user"),
        (("tournament", "--player", "x" * 300), 1, "File name too long"),
        (("tournament", "--rounds", 0), 2, "--rounds"),
        (("tournament", "--noise", 1.5), 2, "--noise"),
        (("nonesuch",), 2, "nonesuch"),
    ],
)
def test_what_cannot_be_done_is_refused(
    placet: Placet, arguments: tuple[object, ...], status: int, told: str
) -> None:
    ran = placet("games", *arguments)

    assert (ran.status, ran.out) == (status, "")
    assert told in ran.err
    assert "Traceback" not in ran.err
