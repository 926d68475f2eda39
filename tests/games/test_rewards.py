"""The rewards, on every state and move."""

from itertools import product

import pytest
from hypothesis import given

from core.games import rewards
from core.games.matrix import GAMES, STATES, Game, Move, State
from core.games.rewards import ILLEGAL, RULES, XI_TEST, XI_TRAINING, Play, Reward, lowest, reward
from tests.games.test_matrix import ANY_GAME

C, D = Move.C, Move.D
DILEMMA = GAMES["prisoners-dilemma"]

PUBLISHED = {
    Reward.GAME: {(C, C): 3, (C, D): 0, (D, C): 4, (D, D): 1},
    Reward.UTILITARIAN: {(C, C): 6, (C, D): 4, (D, C): 4, (D, D): 2},
}
"""By the two moves of the round, in the dilemma; the last round does not matter to these."""


def test_xi_is_three_in_training_and_four_in_the_test() -> None:
    assert (XI_TRAINING, XI_TEST, ILLEGAL) == (3, 4, -6)


@pytest.mark.parametrize(("state", "own", "theirs"), list(product(STATES, Move, Move)))
def test_rewards_are_as_published_for_every_state_and_move(
    state: State, own: Move, theirs: Move
) -> None:
    def given_by(name: Reward) -> float:
        return reward(RULES[name], DILEMMA, state, own, theirs)

    norm = -3 if own is D and state.opponent is C else 0
    assert given_by(Reward.GAME) == PUBLISHED[Reward.GAME][own, theirs]
    assert given_by(Reward.UTILITARIAN) == PUBLISHED[Reward.UTILITARIAN][own, theirs]
    assert given_by(Reward.DEONTOLOGICAL) == norm
    assert given_by(Reward.GAME_DEONTOLOGICAL) == PUBLISHED[Reward.GAME][own, theirs] + norm


@pytest.mark.parametrize("name", Reward)
@pytest.mark.parametrize("state", STATES)
def test_an_illegal_reply_costs_the_same_under_every_reward(name: Reward, state: State) -> None:
    for theirs in Move:
        assert reward(RULES[name], DILEMMA, state, None, theirs) == -6


def test_the_least_that_a_move_is_worth_is_found_in_every_state() -> None:
    rich = Game(name="rich", cc=(0, 20), cd=(0, 20), dc=(0, 30), dd=(0, 30))

    assert lowest(RULES[Reward.INEQUITY], rich) == -30
    assert lowest(RULES[Reward.INEQUITY], rich.turned) == 20 - 0.6 * 20
    assert lowest(RULES[Reward.DEONTOLOGICAL], rich, 4) == -4
    for game, rule in product(GAMES.values(), RULES.values()):
        assert lowest(rule, game) > ILLEGAL


def test_the_two_of_our_own_look_at_who_gets_what() -> None:
    state = STATES[0]
    cells = [(C, C), (C, D), (D, C), (D, D)]

    def row(name: Reward) -> list[float]:
        return [reward(RULES[name], DILEMMA, state, *cell) for cell in cells]

    assert row(Reward.RAWLS) == [3, 0, 0, 1]
    assert row(Reward.INEQUITY) == pytest.approx([3, -4, 1.6, 1])


@given(ANY_GAME)
def test_rewards_keep_to_what_they_stand_for_in_any_game(game: Game) -> None:
    for state, own, theirs in product(STATES, Move, Move):
        play = Play.of(game, state, own, theirs)
        assert rewards.rawls(play, 0) <= rewards.utilitarian(play, 0) / 2
        assert rewards.inequity(play, 0) <= rewards.game(play, 0)
        if play.payoff == play.other:
            assert rewards.inequity(play, 0) == rewards.rawls(play, 0) == play.payoff
        assert rewards.game_deontological(play, 2) == pytest.approx(
            rewards.game(play, 2) + rewards.deontological(play, 2)
        )
        if state.opponent is D:
            assert rewards.deontological(play, 2) == 0
