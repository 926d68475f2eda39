"""Games for two players with two moves each, and what a player remembers of the last round."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from typing import NamedTuple

import msgspec
from msgspec import Struct

from core.domain.payoffs import Cell
from core.domain.text import storable
from core.errors import BadInput
from core.files import Warn, convert, path_of, read_toml


class Move(StrEnum):
    """The two moves; what they are called to a player is another matter."""

    C = "C"
    """Cooperate."""
    D = "D"
    """Defect."""

    @property
    def other(self) -> Move:
        """The move that this is not."""
        return Move.D if self is Move.C else Move.C


class State(NamedTuple):
    """All that a memory-1 player knows: the moves of the last round, as this player saw it."""

    own: Move
    opponent: Move

    @property
    def turned(self) -> State:
        """The same round as the opponent saw it."""
        return State(self.opponent, self.own)


STATES = tuple(State(own, opponent) for own, opponent in product(Move, repeat=2))
"""CC, CD, DC, DD."""


class Game(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A 2×2 game. The first letter of a cell is the row player's move."""

    name: str
    title: str = ""
    cc: Cell
    cd: Cell
    dc: Cell
    dd: Cell

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("the name is empty")
        if len(self.name) > 40 or len(self.title) > 80:
            raise ValueError("a name has at most 40 characters, a title at most 80")
        if self.best == 0:
            raise ValueError("every payoff is 0, so nothing is at stake")

    def payoffs(self, row: Move, column: Move) -> Cell:
        """What both get, the row player first."""
        payoffs: Cell = getattr(self, f"{row}{column}".lower())
        return payoffs

    @property
    def best(self) -> float:
        """The highest sum of both payoffs."""
        return max(sum(self.payoffs(*cell)) for cell in product(Move, repeat=2))

    @property
    def turned(self) -> Game:
        """The same game as the column player sees it."""
        return msgspec.structs.replace(
            self, cc=self.cc[::-1], cd=self.dc[::-1], dc=self.cd[::-1], dd=self.dd[::-1]
        )


GAMES = {
    game.name: game
    for game in (
        Game(
            name="prisoners-dilemma",
            title="Prisoner's Dilemma",
            cc=(3, 3),
            cd=(0, 4),
            dc=(4, 0),
            dd=(1, 1),
        ),
        Game(name="stag-hunt", title="Stag Hunt", cc=(4, 4), cd=(0, 3), dc=(3, 0), dd=(1, 1)),
        Game(name="chicken", title="Chicken", cc=(2, 2), cd=(1, 4), dc=(4, 1), dd=(0, 0)),
        Game(
            name="bach-or-stravinsky",
            title="Bach or Stravinsky",
            cc=(3, 2),
            cd=(0, 0),
            dc=(0, 0),
            dd=(2, 3),
        ),
        Game(
            name="defective-coordination",
            title="Defective Coordination",
            cc=(1, 1),
            cd=(0, 0),
            dc=(0, 0),
            dd=(4, 4),
        ),
    )
}
"""The five games of Tennant, Hailes and Musolesi 2025, in their order; training is on the first."""

TRAINING_GAME = GAMES["prisoners-dilemma"]


def load_game(name: str, warn: Warn | None = None) -> Game:
    """One of the five by its name, or any game from a TOML file by its path.

    Raises:
        BadInput: there is no such game, or the file cannot be used; file and field are named.
    """
    if name in GAMES:
        return GAMES[name]
    path = path_of(name)
    if path.suffix != ".toml" and len(path.parts) < 2:
        raise BadInput(
            f"there is no game named {name!r}",
            mend="`placet games list` shows those there are; a file is named by its path.",
        )
    return convert({"name": storable(path.stem), **read_toml(path)}, Game, str(path), warn)


def load_games(names: Iterable[str], warn: Warn | None = None) -> dict[str, Game]:
    """Games by their names, each once.

    Raises:
        BadInput: as `load_game` does; or two games share a name, and one would stand for both.
    """
    found: dict[str, Game] = {}
    given: dict[str, str] = {}
    for name in names:
        game = load_game(name, warn)
        if found.setdefault(game.name, game) != game:
            raise BadInput(
                f"two different games are named {game.name!r}: {given[game.name]} and this",
                where=name,
                mend="Give one of them another `name`.",
            )
        given.setdefault(game.name, name)
    return found
