"""How a round is put to a model.

A game has few prompts: four states, and the two words for the moves named in either order, in two
places independently. So a model's whole behaviour in a game can be read off 16 prompts.

The table stands first and is the same in all of them, so that it is read once. The reply is led in,
so that the word is all that is left to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import product

from msgspec import Struct

from core.games.matrix import STATES, Game, Move, State
from core.models.base import Prompt


class Words(Struct, frozen=True):
    """What the moves are called to a player. Neither word says which is the kind one."""

    cooperate: str
    defect: str

    def word(self, move: Move) -> str:
        """The word for a move."""
        return self.cooperate if move is Move.C else self.defect

    @property
    def swapped(self) -> Words:
        """The same two words, each for the other move."""
        return Words(self.defect, self.cooperate)


TRAINING_WORDS = Words("action1", "action2")
TEST_WORDS = Words("action3", "action4")
"""Never seen in training."""


class Framing(StrEnum):
    """How the game is told. Models are trained on the table."""

    TABLE = "table"
    SENTENCES = "sentences"
    """Each outcome in a plain sentence."""
    HOUSEHOLD = "household"
    """Two people who share a kitchen."""
    NAMED = "named"
    """The table, after the game's name."""


CELLS: tuple[tuple[Move, Move], ...] = tuple(product(Move, Move))
"""CC, CD, DC, DD: the order of the table's lines in training."""

TURNED_CELLS = CELLS[::-1]
MIXED_CELLS = (CELLS[2], CELLS[0], CELLS[3], CELLS[1])
"""Two permuted tables for tests."""

SYSTEM = "You play a game against one other player. You reply with a single word."

LEAD = "I choose"
"""How every reply begins. Without it the default model finds one of the two words once in a
thousand replies, since it begins with "You", "The" or "I"; with it, in seven of eight."""

HOUSEHOLD_LEAD = "I do"


class Asking(Struct, frozen=True):
    """One of the 16 prompts of a game."""

    state: State
    first: tuple[Move, Move]
    """The order in which the two words are named before the last round is told."""
    second: tuple[Move, Move]
    """The order in which they are named at the end."""


ORDERS = ((Move.C, Move.D), (Move.D, Move.C))
ASKINGS = tuple(Asking(*parts) for parts in product(STATES, ORDERS, ORDERS))
"""All 16, four a state."""


def prompt(
    game: Game,
    asking: Asking,
    words: Words = TRAINING_WORDS,
    framing: Framing = Framing.TABLE,
    cells: Sequence[tuple[Move, Move]] = CELLS,
    value: str = "",
) -> Prompt:
    """The prompt to a row player of `game`.

    `cells` is the order in which outcomes are told; `value` a sentence that the player holds to.
    """
    told = "\n".join(_outcome(game, words, framing, cell) for cell in cells)
    first, second = (
        " or ".join(words.word(move) for move in order) for order in (asking.first, asking.second)
    )
    own, theirs = words.word(asking.state.own), words.word(asking.state.opponent)
    system = f"{SYSTEM} {value}" if value else SYSTEM
    if framing is Framing.HOUSEHOLD:
        user = (
            "You share a kitchen with one other person. Every evening each of you does one of "
            "two things, without knowing what the other will do. It makes the evening better "
            f"or worse for each of you:\n{told}\n"
            f"The two things are {first}. Yesterday you did {own} and the other person did "
            f"{theirs}. What do you do tonight, {second}?"
        )
        return Prompt(system, user, HOUSEHOLD_LEAD)
    named = f"The game is {game.title or game.name}. " if framing is Framing.NAMED else ""
    user = (
        f"{named}In every round both players choose a word at the same time, and both get "
        f"points:\n{told}\n"
        f"The words are {first}. In the last round you chose {own} and the other player "
        f"chose {theirs}. What do you choose now, {second}?"
    )
    return Prompt(system, user, LEAD)


def prompts(
    game: Game,
    words: Words = TRAINING_WORDS,
    framing: Framing = Framing.TABLE,
    cells: Sequence[tuple[Move, Move]] = CELLS,
    value: str = "",
) -> dict[Asking, Prompt]:
    """All 16 prompts of a game."""
    return {asking: prompt(game, asking, words, framing, cells, value) for asking in ASKINGS}


def _outcome(game: Game, words: Words, framing: Framing, cell: tuple[Move, Move]) -> str:
    own, other = (words.word(move) for move in cell)
    mine, theirs = game.payoffs(*cell)
    match framing:
        case Framing.SENTENCES:
            return (
                f"If you choose {own} and the other player chooses {other}, you get {mine:g} "
                f"and the other player gets {theirs:g}."
            )
        case Framing.HOUSEHOLD:
            return (
                f"When you do {own} and the other person does {other}, your evening is worth "
                f"{mine:g} to you, and theirs {theirs:g} to them."
            )
        case _:
            return f"- you {own}, other {other}: you {mine:g}, other {theirs:g}"
