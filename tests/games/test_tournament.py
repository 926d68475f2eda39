"""Matches and tournaments of the classic strategies."""

from collections.abc import Sequence
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.games import players
from core.games.matrix import GAMES, Move
from core.games.players import PLAYERS, Player
from core.games.regret import REFERENCES
from core.games.tournament import Row, play, tournament

DILEMMA = GAMES["prisoners-dilemma"]


def moves(row: str, column: str, rounds: int = 6) -> tuple[str, str]:
    played = play(DILEMMA, PLAYERS[row], PLAYERS[column], rounds, Random(1))
    return "".join(one.moves.own for one in played), "".join(one.moves.opponent for one in played)


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        ("tit-for-tat", "always-d", ("CDDDDD", "DDDDDD")),
        ("tit-for-tat", "suspicious-tit-for-tat", ("CDCDCD", "DCDCDC")),
        ("win-stay-lose-shift", "always-d", ("CDCDCD", "DDDDDD")),
        ("win-stay-lose-shift", "suspicious-tit-for-tat", ("CDDCDD", "DCDDCD")),
        ("always-c", "win-stay-lose-shift", ("CCCCCC", "CCCCCC")),
    ],
)
def test_the_classics_move_as_they_should(row: str, column: str, expected: tuple[str, str]) -> None:
    assert moves(row, column) == expected


def test_generous_tit_for_tat_forgives_every_third_time() -> None:
    own, _ = moves("generous-tit-for-tat", "always-d", 3001)
    assert own[1:].count("C") / 3000 == pytest.approx(1 / 3, abs=0.03)


def test_standings_are_means_over_rounds_and_both_seats() -> None:
    two = [players.ALWAYS_C, players.ALWAYS_D]

    found = tournament(two, [DILEMMA, GAMES["bach-or-stravinsky"]], rounds=10)

    # In the dilemma: C meets its twin in two seats (3, 3) and D twice (0, 0).
    assert found.by_game["prisoners-dilemma"] == (
        Row("always-d", 2.5, 3.0, 0.0, 0.0),
        Row("always-c", 1.5, 5.0, 1.0, 0.0),
    )
    # Where the seat matters, twins get 3 in one and 2 in the other.
    assert [row.score for row in found.by_game["bach-or-stravinsky"]] == [1.25, 1.25]
    assert found.overall[0] == Row("always-d", 1.875, 2.75, 0.0, 0.0)


@given(st.integers(0, 2**31 - 1), st.floats(0, 1))
def test_a_match_does_not_depend_on_who_else_takes_part(seed: int, noise: float) -> None:
    three = [players.TIT_FOR_TAT, players.RANDOM, players.WIN_STAY]
    wide = scores(three, seed, noise)
    pairs = [scores(pair, seed, noise) for pair in combinations(three, 2)]
    alone = [scores([one], seed, noise) for one in three]
    for player in three:
        # Against both others and its twin: what the pairs say, less the twin that is in each.
        pairwise = sum(4 * pair[player.name] for pair in pairs if player.name in pair)
        twin = sum(2 * one[player.name] for one in alone if player.name in one)
        assert 6 * wide[player.name] == pytest.approx(pairwise - twin)


def scores(taking_part: Sequence[Player], seed: int, noise: float) -> dict[str, float]:
    found = tournament(taking_part, [DILEMMA], 20, seed, noise)
    return {row.player: row.score for row in found.overall}


def test_noise_turns_moves_round() -> None:
    played = play(DILEMMA, players.ALWAYS_C, players.ALWAYS_C, 2000, Random(3), noise=0.2)
    turned = sum(one.moves.own is Move.D for one in played)
    assert turned / 2000 == pytest.approx(0.2, abs=0.03)


def test_an_illegal_reply_pays_the_penalty_and_leaves_the_other_its_payoff() -> None:
    played = play(DILEMMA, REFERENCES["illegal"], players.ALWAYS_D, 5, Random(0))
    assert all(one.payoffs[0] == -6 for one in played)
    assert len({one.moves.own for one in played}) == 1
    assert all(one.payoffs[1] == DILEMMA.payoffs(*one.moves)[1] for one in played)


@pytest.mark.filterwarnings("ignore")
def test_the_classics_agree_with_the_axelrod_package_move_for_move() -> None:
    axelrod: Any = pytest.importorskip("axelrod")
    theirs = {
        "tit-for-tat": axelrod.TitForTat,
        "suspicious-tit-for-tat": axelrod.SuspiciousTitForTat,
        "win-stay-lose-shift": axelrod.WinStayLoseShift,
        "always-c": axelrod.Cooperator,
        "always-d": axelrod.Defector,
    }
    for row, column in product(theirs, repeat=2):
        match = axelrod.Match((theirs[row](), theirs[column]()), turns=30)
        expected = tuple("".join(str(m) for m in side) for side in zip(*match.play(), strict=True))
        assert moves(row, column, 30) == expected, (row, column)
    # The generous ones draw from other generators, so their probabilities are compared.
    generous = axelrod.GTFT()
    axelrod.Match((generous, axelrod.Cooperator()), turns=1).play()
    assert generous.p == pytest.approx(players.GENEROSITY)
    assert players.GENEROUS.after == pytest.approx((1, generous.p, 1, generous.p))
    assert axelrod.Random().p == players.RANDOM.after[0] == players.RANDOM.opening
