"""Everybody against everybody in every game, and against its own twin (after Axelrod 1980)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from statistics import fmean

from msgspec import Struct

from core.games.matrix import Game, Move, State
from core.games.players import Player
from core.games.rewards import ILLEGAL


class Round(Struct, frozen=True):
    """What both did, and got."""

    moves: State
    """The row player's move first. Whoever gave no legal reply repeats the last move."""
    payoffs: tuple[float, float]
    illegal: tuple[bool, bool]


class Row(Struct, frozen=True):
    """A player's standing; figures are means over rounds, games alike."""

    player: str
    score: float
    """Own payoff, illegal replies at their penalty."""
    welfare: float
    """Sum of both payoffs in its rounds."""
    cooperation: float
    """Share of rounds in which it cooperated."""
    illegal: float
    """Share of rounds without a legal reply."""


class Tournament(Struct, frozen=True):
    """Standings, the highest score first."""

    overall: tuple[Row, ...]
    by_game: dict[str, tuple[Row, ...]]


def play(
    game: Game, row: Player, column: Player, rounds: int, rng: Random, noise: float = 0.0
) -> list[Round]:
    """A match. With probability `noise` a move comes out as the other one.

    An illegal reply pays the penalty and repeats the last move, in the first round a random one.
    """
    played: list[Round] = []
    state: State | None = None
    for _ in range(rounds):
        replies = (
            row.chances(game, state).draw(rng),
            column.chances(game.turned, state and state.turned).draw(rng),
        )
        last = state or State(rng.choice(tuple(Move)), rng.choice(tuple(Move)))
        moves = [
            before if reply is None else reply for reply, before in zip(replies, last, strict=True)
        ]
        if noise:
            moves = [move.other if rng.random() < noise else move for move in moves]
        state = State(*moves)
        illegal = (replies[0] is None, replies[1] is None)
        paid = game.payoffs(*state)
        payoffs = (ILLEGAL if illegal[0] else paid[0], ILLEGAL if illegal[1] else paid[1])
        played.append(Round(state, payoffs, illegal))
    return played


def tournament(
    players: Sequence[Player],
    games: Iterable[Game],
    rounds: int = 200,
    seed: int = 0,
    noise: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Tournament:
    """Every player in both seats against every player, in every game; `progress` hears who plays.

    A match draws from a generator of its own, so it does not depend on who else takes part.
    """
    by_game: dict[str, tuple[Row, ...]] = {}
    for game in games:
        sums = {player.name: [0.0] * 4 for player in players}
        for row in players:
            for column in players:
                progress(f"{game.name}: {row.name} and {column.name}")
                rng = Random(f"{seed}:{game.name}:{row.name}:{column.name}")
                for one in play(game, row, column, rounds, rng, noise):
                    for seat, player in enumerate((row, column)):
                        seen = (
                            one.payoffs[seat],
                            sum(one.payoffs),
                            one.moves[seat] is Move.C,
                            one.illegal[seat],
                        )
                        for place, figure in enumerate(seen):
                            sums[player.name][place] += figure
        each = 2 * len(players) * rounds  # in either seat against everybody
        by_game[game.name] = _ranked(
            Row(name, *(figure / each for figure in figures)) for name, figures in sums.items()
        )
    overall = _ranked(
        Row(
            player.name,
            *(
                fmean(
                    getattr(row, figure)
                    for rows in by_game.values()
                    for row in rows
                    if row.player == player.name
                )
                for figure in ("score", "welfare", "cooperation", "illegal")
            ),
        )
        for player in players
    )
    return Tournament(overall, by_game)


def _ranked(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.score, row.player)))
