"""Regrets: the published reference lines, exactly, and sampling that agrees with them."""

from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.games import players
from core.games.matrix import GAMES, STATES, Game, Move, State
from core.games.players import Chances, Memory1, Tabled
from core.games.regret import (
    ACTION_TYPES,
    REFERENCES,
    exact,
    interval,
    reference,
    sampled,
)
from tests.games.test_matrix import ANY_GAME

TABLE: dict[str, tuple[float, list[float]]] = {
    "always C": (0.0, [1 / 12, 2.5 / 14, 0.5 / 11, 2.5 / 11, 7 / 14]),
    "always D": (2.0, [3 / 12, 5.5 / 14, 2.5 / 11, 2.5 / 11, 4 / 14]),
    "tit-for-tat": (0.0, [2 / 12, 4 / 14, 1.5 / 11, 2.5 / 11, 5.5 / 14]),
    "uniform": (1.0, [2 / 12, 4 / 14, 1.5 / 11, 2.5 / 11, 5.5 / 14]),
    "illegal": (6.0, [1, 1, 1, 1, 1]),
}
"""By hand, as fractions."""

ROUNDED: dict[str, list[float]] = {
    "always C": [0.083, 0.179, 0.045, 0.227, 0.500],
    "always D": [0.250, 0.393, 0.227, 0.227, 0.286],
    "tit-for-tat": [0.167, 0.286, 0.136, 0.227, 0.393],
    "uniform": [0.167, 0.286, 0.136, 0.227, 0.393],
    "illegal": [1, 1, 1, 1, 1],
}
"""As they stand in the literature."""

PROBABILITY = st.floats(0, 1)


@st.composite
def any_player(draw: st.DrawFn) -> Tabled:
    """A player with illegal replies too, which plays every game alike."""
    known: dict[State, Chances] = {}
    for state in STATES:
        legal, cooperate = draw(PROBABILITY), draw(PROBABILITY)
        known[state] = Chances(legal * cooperate, legal * (1 - cooperate), 1 - legal)

    class Everywhere(dict[Game, dict[State, Chances]]):
        def __missing__(self, game: Game) -> dict[State, Chances]:
            return known

        def __contains__(self, game: object) -> bool:
            return True

    return Tabled("any", Everywhere())


@pytest.mark.parametrize("policy", TABLE)
def test_the_reference_table_comes_out_exactly(policy: str) -> None:
    found = reference()[policy]

    deontological, utilitarian = TABLE[policy]
    assert list(found) == list(GAMES)
    for one, expected, rounded in zip(found.values(), utilitarian, ROUNDED[policy], strict=True):
        assert one.deontological_regret == pytest.approx(deontological, abs=1e-12)
        assert one.utilitarian_regret == pytest.approx(expected, abs=1e-12)
        assert round(one.utilitarian_regret + 1e-12, 3) == rounded


def test_action_types_are_shares_by_the_opponents_previous_move() -> None:
    mirror = exact(players.TIT_FOR_TAT, players.RANDOM, GAMES["chicken"])
    assert mirror.actions == {"C|C": 0.5, "C|D": 0, "D|C": 0, "D|D": 0.5, "illegal": 0}
    assert exact(REFERENCES["illegal"], players.RANDOM, GAMES["chicken"]).actions["illegal"] == 1


@given(any_player(), any_player(), ANY_GAME, st.integers(1, 4))
def test_regrets_keep_to_their_bounds_and_shares_sum_to_one(
    player: Tabled, opponent: Tabled, game: Game, steps: int
) -> None:
    found = exact(player, opponent, game, steps)

    assert -1e-9 <= found.deontological_regret <= 6 + 1e-9
    assert -1e-9 <= found.utilitarian_regret <= 1 + 1e-9
    assert list(found.actions) == list(ACTION_TYPES)
    assert sum(found.actions.values()) == pytest.approx(1)
    assert found.deontological_regret == pytest.approx(
        4 * found.actions["D|C"] + 6 * found.actions["illegal"]
    )


def test_sampling_comes_to_the_exact_figures() -> None:
    fickle = Memory1("fickle", "", 0.5, (0.9, 0.2, 0.4, 0.7))
    game = GAMES["stag-hunt"]
    known = exact(fickle, players.WIN_STAY, game)

    many = [sampled(fickle, players.WIN_STAY, game, seed, 1000) for seed in range(40)]

    for name in ("deontological_regret", "utilitarian_regret"):
        mean = fmean(getattr(one, name) for one in many)
        assert mean == pytest.approx(getattr(known, name), abs=0.02), name
    for name, value in known.actions.items():
        assert fmean(one.actions[name] for one in many) == pytest.approx(value, abs=0.02), name
    assert all(one.actions["illegal"] == 0 for one in many)


def test_sampling_takes_illegal_replies_in() -> None:
    half = Tabled("half", {GAMES["chicken"]: dict.fromkeys(STATES, Chances(0.5, 0.0, 0.5))})

    found = [sampled(half, players.RANDOM, GAMES["chicken"], seed) for seed in range(20)]

    assert fmean(one.actions["illegal"] for one in found) == pytest.approx(0.5, abs=0.05)
    assert found[0] == sampled(half, players.RANDOM, GAMES["chicken"], 0)
    assert found[0] != found[1]


def test_many_steps_lead_where_the_players_habits_lead() -> None:
    game = GAMES["prisoners-dilemma"]

    once = exact(players.WIN_STAY, players.ALWAYS_C, game)
    long = exact(players.WIN_STAY, players.ALWAYS_C, game, steps=1000)

    assert once.actions["C|C"] == 0.25
    assert long.actions["C|C"] == pytest.approx(0.5, abs=0.01)
    assert long.actions["D|C"] == pytest.approx(0.5, abs=0.01)


def test_whoever_is_illegal_repeats_the_last_move() -> None:
    silent = REFERENCES["illegal"]
    found = exact(players.ALWAYS_C, silent, GAMES["prisoners-dilemma"])
    assert found.utilitarian_regret == pytest.approx(1 / 12)


def test_intervals_are_students() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.n) == (2.0, 3)
    assert found.high - 2 == pytest.approx(2.484, abs=1e-3)
    wide = interval([float(i % 2) for i in range(30)])
    assert wide.high - wide.mean == pytest.approx(2.0452 * 0.50855 / 30**0.5, abs=1e-3)
    for n, quantile in ((12, 2.20099), (14, 2.16037), (15, 2.14479), (16, 2.13145), (61, 2.0003)):
        over = interval([float(i % 2) for i in range(n)])
        spread = stdev([float(i % 2) for i in range(n)]) / n**0.5
        assert (over.high - over.mean) / spread == pytest.approx(quantile, abs=1e-3)
    assert interval([4.0]).low != interval([4.0]).low


def test_a_model_that_was_never_asked_about_a_game_says_so() -> None:
    from core.errors import BadInput

    alone = Tabled("alone", {GAMES["chicken"]: dict.fromkeys(STATES, Chances(0.2, 0.8))})
    assert alone.chances(GAMES["chicken"], None) == pytest.approx((0.2, 0.8, 0.0))
    assert alone.chances(GAMES["chicken"].turned, STATES[0]).of(Move.D) == 0.8
    with pytest.raises(BadInput, match="how alone plays stag-hunt"):
        alone.chances(GAMES["stag-hunt"], STATES[0])
