"""`placet games`: matrix games, classic players, exact regrets, tournaments."""

from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli import evaluating, tuning
from core.cli.options import AsJson, Seed
from core.cli.output import Meter, give, give_json, needs, say, warn
from core.domain.text import plain
from core.errors import BadInput
from core.games import players, rewards
from core.games.matrix import GAMES, Game, load_games
from core.games.regret import reference
from core.games.tournament import Row, tournament

app = typer.Typer(
    help="Matrix games: models that learn them, payoffs, regrets, tournaments.",
    no_args_is_help=True,
)

Games = Annotated[
    list[str] | None,
    typer.Option("--game", help="A name or a TOML file; again for more. Default: all five."),
]


app.command("tune")(tuning.tune)
app.command("evaluate")(evaluating.evaluate)


@app.command("list")
def list_all() -> None:
    """The games with their payoffs, the players and the rewards."""
    say(f"{'game':<24} {'CC':>5} {'CD':>5} {'DC':>5} {'DD':>5}")
    for game in GAMES.values():
        cells = (game.cc, game.cd, game.dc, game.dd)
        told = " ".join(f"{f'{mine:g},{theirs:g}':>5}" for mine, theirs in cells)
        say(f"{game.name:<24} {told}  {game.title}")
    say("\nplayer")
    for player in players.PLAYERS.values():
        say(f"{player.name:<24} {player.title}")
    say("\nreward")
    for name, rule in rewards.RULES.items():
        say(f"{name:<24} {(rule.__doc__ or '').strip()}")


@app.command("reference")
def show_reference(games: Games = None, as_json: AsJson = False) -> None:
    """Exact regrets of five fixed policies against a random opponent."""
    chosen = _games(games)
    found = reference(chosen)
    if as_json:
        told = {
            policy: {
                "deontological_regret": next(iter(rows.values())).deontological_regret,
                "utilitarian_regret": {name: one.utilitarian_regret for name, one in rows.items()},
            }
            for policy, rows in found.items()
        }
        give_json(told)
        return
    lines = [f"{'':<36}" + "".join(f" {policy:>11}" for policy in found)]
    deontological = [next(iter(rows.values())).deontological_regret for rows in found.values()]
    lines.append(
        f"{'deontological regret':<36}" + "".join(f" {one:>11.3f}" for one in deontological)
    )
    for name in chosen:
        regrets = [rows[name].utilitarian_regret for rows in found.values()]
        title = f"utilitarian, {plain(name, one_line=True)}"
        lines.append(f"{title:<36}" + "".join(f" {one:>11.3f}" for one in regrets))
    give("\n".join(lines) + "\n", None)


@app.command("tournament")
def run_tournament(
    names: Annotated[
        list[str] | None,
        typer.Option("--player", help="A player or a run; again for more. Default: all players."),
    ] = None,
    games: Games = None,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Rounds a match.")] = 200,
    seed: Seed = 0,
    noise: Annotated[
        float, typer.Option(min=0, max=1, help="How often a move comes out as the other one.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Every player against every player, itself included, in both seats of every game."""
    playing = _games(games)
    with Meter() as meter:
        taking_part = _players(names or [*players.PLAYERS], playing, meter)
        found = tournament(
            taking_part,
            playing.values(),
            rounds,
            seed,
            noise,
            lambda told: meter.show(plain(told, one_line=True), stage="play"),
        )
    if as_json:
        told = {
            "rounds": rounds,
            "seed": seed,
            "noise": noise,
            "overall": [_row(row) for row in found.overall],
            "by_game": {name: [_row(row) for row in rows] for name, rows in found.by_game.items()},
        }
        give_json(told)
        return
    tables = {"all games": found.overall, **found.by_game}
    if len(found.by_game) == 1:
        del tables["all games"]
    give("\n".join(_table(name, rows) for name, rows in tables.items()), None)


def _games(names: list[str] | None) -> dict[str, Game]:
    return load_games(names or GAMES, warn)


def _players(names: list[str], games: dict[str, Game], meter: Meter) -> list[players.Player]:
    """Classic players, and models of runs with the words that they were trained on; each once."""
    classic = {*players.PLAYERS, *players.SHORT}
    folders = {name: evaluating.find_run(name) for name in names if name not in classic}
    called = evaluating.run_names([*dict.fromkeys(folders.values())])
    found: dict[str | Path, players.Player] = {}
    for name in names:
        folder = folders.get(name)
        if folder is None or not folder.is_dir():
            one = players.find_player(name)
            found.setdefault(one.name, one)
        elif folder not in found:
            if called[folder] in players.PLAYERS:
                raise BadInput(
                    f"the run is named as the player {called[folder]} is",
                    where=str(folder),
                    mend="Give its folder another name.",
                )
            meter.show(f"loading {called[folder]}", stage="load")
            found[folder] = _model(folder, called[folder], games)
    return [*found.values()]


def _model(folder: Path, name: str, games: dict[str, Game]) -> players.Player:
    needs("peft")
    from core.games.evaluate import Condition, open_runs

    seats = {seat for game in games.values() for seat in (game, game.turned)}
    ((_, settings, reader),) = open_runs([folder])
    return reader.player(name, seats, Condition(settings.words))


def _row(row: Row) -> dict[str, Any]:
    return {
        "player": row.player,
        "score": row.score,
        "welfare": row.welfare,
        "cooperation": row.cooperation,
        "illegal": row.illegal,
    }


def _table(title: str, rows: tuple[Row, ...]) -> str:
    lines = [f"{plain(title, one_line=True):<24} score welfare     C"]
    lines += [
        f"{plain(row.player, one_line=True):<24} "
        f"{row.score:5.2f} {row.welfare:7.2f} {row.cooperation:5.0%}"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
