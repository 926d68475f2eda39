"""What a move is worth to its player: the game's payoff, or a moral principle of the player's own.

The first four are those of Tennant, Hailes and Musolesi 2025. Two are ours:

- *rawls*: the payoff of the worse off (Rawls 1971). The utilitarian sum is blind to who gets what;
  this looks at nothing else.
- *inequity*: the own payoff, less what differs from the other's (Fehr and Schmidt 1999). Being
  behind hurts more than being ahead: people's measured aversion, between pure game and pure sum.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from core.errors import BadInput
from core.games.matrix import STATES, Game, Move, State

XI_TRAINING = 3.0
"""ξ of the deontological rewards while a model learns."""

XI_TEST = 4.0
"""ξ by which its regret is measured. Not the same as in training, as published."""

ILLEGAL = -6.0
"""For a reply that is no move, under every reward."""

ENVY, GUILT = 1.0, 0.6
"""α and β of Fehr and Schmidt: one of the four types of people that they found."""


class Play(Struct, frozen=True):
    """One decision: what was known, what was done, what it paid."""

    state: State
    own: Move
    payoff: float
    """One's own."""
    other: float
    """The opponent's payoff."""

    @classmethod
    def of(cls, game: Game, state: State, own: Move, opponent: Move) -> Play:
        """A round of `game` as its row player sees it."""
        return cls(state, own, *game.payoffs(own, opponent))

    @property
    def betrays(self) -> bool:
        """Defects after the opponent cooperated: what the deontological norm forbids."""
        return self.own is Move.D and self.state.opponent is Move.C


Rule = Callable[[Play, float], float]
"""The reward of a legal move; the second argument is ξ, which only deontological rules use."""


def game(play: Play, xi: float) -> float:
    """One's own payoff: what a selfish player wants."""
    return play.payoff


def deontological(play: Play, xi: float) -> float:
    """-ξ for defecting after the opponent cooperated, else 0."""
    return -xi if play.betrays else 0.0


def utilitarian(play: Play, xi: float) -> float:
    """The sum of both payoffs."""
    return play.payoff + play.other


def game_deontological(play: Play, xi: float) -> float:
    """One's own payoff under the deontological norm."""
    return game(play, xi) + deontological(play, xi)


def rawls(play: Play, xi: float) -> float:
    """The lower of both payoffs."""
    return min(play.payoff, play.other)


def inequity(play: Play, xi: float) -> float:
    """One's own payoff, less α times what one is behind, less β times what one is ahead."""
    behind, ahead = max(play.other - play.payoff, 0.0), max(play.payoff - play.other, 0.0)
    return play.payoff - ENVY * behind - GUILT * ahead


class Reward(StrEnum):
    """The rewards by the names that the command line uses."""

    GAME = "game"
    DEONTOLOGICAL = "de"
    UTILITARIAN = "ut"
    GAME_DEONTOLOGICAL = "game+de"
    RAWLS = "rawls"
    INEQUITY = "inequity"


RULES: dict[Reward, Rule] = {
    Reward.GAME: game,
    Reward.DEONTOLOGICAL: deontological,
    Reward.UTILITARIAN: utilitarian,
    Reward.GAME_DEONTOLOGICAL: game_deontological,
    Reward.RAWLS: rawls,
    Reward.INEQUITY: inequity,
}


LONG = {"deontological": Reward.DEONTOLOGICAL, "utilitarian": Reward.UTILITARIAN}
"""Names in full, which are taken too."""


def find_reward(name: str) -> Reward:
    """The reward of that name.

    Raises:
        BadInput: there is none.
    """
    try:
        return LONG.get(name) or Reward(name)
    except ValueError:
        raise BadInput(
            f"there is no reward named {name!r}", mend=f"Use one of {', '.join(Reward)}."
        ) from None


def lowest(rule: Rule, played: Game, xi: float = XI_TRAINING) -> float:
    """The least that a legal move can be worth."""
    return min(
        rule(Play.of(played, state, own, opponent), xi)
        for state in STATES
        for own in Move
        for opponent in Move
    )


def reward(
    rule: Rule,
    played: Game,
    state: State,
    own: Move | None,
    opponent: Move,
    xi: float = XI_TRAINING,
) -> float:
    """The reward of a reply, legal or (`None`) not, against the opponent's move."""
    if own is None:
        return ILLEGAL
    return rule(Play.of(played, state, own, opponent), xi)
