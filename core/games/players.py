"""Who plays: the classic memory-1 strategies, and what a model must be able to say to join them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple, Protocol

from msgspec import Struct

from core.errors import BadInput
from core.games.matrix import STATES, Game, Move, State


class Chances(NamedTuple):
    """How likely each reply is. The three sum to 1."""

    cooperate: float
    defect: float
    illegal: float = 0.0
    """The reply is neither of the two words."""

    def of(self, move: Move | None) -> float:
        """The probability of a move, or of an illegal reply (`None`)."""
        return {Move.C: self.cooperate, Move.D: self.defect, None: self.illegal}[move]

    def draw(self, rng: Random) -> Move | None:
        """A reply; `None` for an illegal one. Takes one number from `rng`."""
        place = rng.random()
        if place < self.cooperate:
            return Move.C
        return Move.D if place < self.cooperate + self.defect else None


class Player(Protocol):
    """Whoever can say how likely each reply is, from the last round alone."""

    @property
    def name(self) -> str:
        """As it stands in tables."""

    def chances(self, game: Game, state: State | None) -> Chances:
        """Replies of the row player of `game` after `state`; `None` in the first round."""


class Memory1(Struct, frozen=True):
    """A strategy as four probabilities of cooperation, the same in every game."""

    name: str
    title: str
    opening: float
    """P(C) in the first round."""
    after: tuple[float, float, float, float]
    """P(C) after CC, CD, DC and DD, one's own move first."""

    def chances(self, game: Game, state: State | None) -> Chances:
        """See `Player.chances`."""
        cooperate = self.opening if state is None else self.after[STATES.index(state)]
        return Chances(cooperate, 1 - cooperate)


class Illegal(Struct, frozen=True):
    """Replies with something else than a move, always: an untuned model at its worst."""

    name: str = "illegal"
    title: str = "never gives a legal reply"

    def chances(self, game: Game, state: State | None) -> Chances:
        """See `Player.chances`."""
        return Chances(0.0, 0.0, 1.0)


class Tabled(Struct, frozen=True):
    """A player whose replies are known for each game and state, as read off a model."""

    name: str
    known: Mapping[Game, Mapping[State, Chances]]
    """By the game as its row player sees it; the other seat of an uneven game is another one."""

    def chances(self, game: Game, state: State | None) -> Chances:
        """See `Player.chances`. Its first reply is what it gives on average over all states.

        Raises:
            BadInput: it was never asked about this game.
        """
        if game not in self.known:
            raise BadInput(f"it is not known how {self.name} plays {game.name}")
        known = self.known[game]
        if state is not None:
            return known[state]
        return Chances(*(sum(part) / len(STATES) for part in zip(*known.values(), strict=True)))


GENEROSITY = 1 / 3
"""How often generous tit-for-tat forgives: best for payoffs 5, 3, 1, 0 (Nowak and Sigmund 1992)."""

TIT_FOR_TAT = Memory1("tit-for-tat", "copies the opponent's last move", 1, (1, 0, 1, 0))
SUSPICIOUS = Memory1("suspicious-tit-for-tat", "tit-for-tat, but begins with D", 0, (1, 0, 1, 0))
GENEROUS = Memory1(
    "generous-tit-for-tat",
    "tit-for-tat, but forgives every third defection",
    1,
    (1, GENEROSITY, 1, GENEROSITY),
)
WIN_STAY = Memory1(
    "win-stay-lose-shift", "keeps its move while the opponent cooperates", 1, (1, 0, 0, 1)
)
ALWAYS_C = Memory1("always-c", "cooperates whatever happened", 1, (1, 1, 1, 1))
ALWAYS_D = Memory1("always-d", "defects whatever happened", 0, (0, 0, 0, 0))
RANDOM = Memory1("random", "tosses a coin", 0.5, (0.5, 0.5, 0.5, 0.5))

PLAYERS = {
    player.name: player
    for player in (TIT_FOR_TAT, SUSPICIOUS, GENEROUS, WIN_STAY, ALWAYS_C, ALWAYS_D, RANDOM)
}


SHORT = {
    "tft": TIT_FOR_TAT.name,
    "stft": SUSPICIOUS.name,
    "gtft": GENEROUS.name,
    "wsls": WIN_STAY.name,
}
"""Short names that are usual."""


def find_player(name: str) -> Memory1:
    """The classic player of that name, or of that short name.

    Raises:
        BadInput: there is none.
    """
    full = SHORT.get(name, name)
    if full not in PLAYERS:
        raise BadInput(
            f"there is no player named {name!r}", mend=f"Use one of {', '.join(PLAYERS)}."
        )
    return PLAYERS[full]
