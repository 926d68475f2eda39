"""`placet games evaluate`: what tuned models do with words, tables and games they never saw."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core import paths
from core.cli.options import AsJson, path_option
from core.cli.output import Meter, give, give_json, needs, warn
from core.domain.text import plain
from core.files import path_of, writable_folder, writing
from core.games import run
from core.games.matrix import GAMES, Game, load_games
from core.games.players import Player, find_player
from core.games.regret import Figures, interval, reference

if TYPE_CHECKING:
    from core.games.evaluate import Found


def evaluate(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", help="Folders of runs, or their names.", show_default=False),
    ],
    games: Annotated[str, typer.Option(help="`all`, or names and TOML files, by commas.")] = "all",
    opponent: Annotated[str, typer.Option(help="A player.")] = "random",
    as_json: AsJson = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many games only.", show_default=False)
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Beside the untuned model, plain and told a value.")
    ] = False,
    figures: Annotated[
        Path | None, path_option(help="Draw figures into this folder (SVG and PNG).")
    ] = None,
) -> None:
    """Both regrets and action types of tuned models, exact and over 50 sampled decisions.

    Runs that differ in their seed only are told together, with 95 % intervals.
    """
    needs("peft")
    if figures:
        needs("matplotlib")
        writable_folder(figures)
    asked = _games(games, limit)
    against = find_player(opponent)
    found: list[Found] = []
    with Meter() as meter:
        meter.show("loading the model", stage="load")
        from core.games import evaluate as measure

        runs = list(dict.fromkeys(map(find_run, folders)))
        reader = None
        names = run_names(runs)
        stand = {names[path]: run.standing(path) for path in runs}
        kinds = run.group_names([run.read_settings(path) for path in runs])
        groups = dict(zip(runs, kinds, strict=True))
        for path, settings, reader in measure.open_runs(runs):
            found.append(
                measure.evaluate(
                    reader,
                    names[path],
                    settings,
                    asked,
                    against,
                    progress=lambda name, run=path.name: meter.show(  # type: ignore[misc]
                        f"{run}: {name}", stage=run
                    ),
                    group=groups[path],
                )
            )
        if baselines and reader:
            found += measure.baselines(
                reader, asked, against, lambda name: meter.show(name, stage=name)
            )
    for name, (through, episodes) in stand.items():
        if not through:
            warn(f"{name} is not through: it is measured as it was after {episodes} episodes")
    if as_json:
        give_json(
            {one.name: {**entry(one, against), **_stands(stand.get(one.name))} for one in found}
        )
    else:
        give("\n".join([*table(found, asked, against), "", *conditions(found)]) + "\n", None)
    if figures:  # last, so that a picture that fails takes no measurement with it
        with Meter() as meter:
            meter.show("drawing", stage="drawing")
            written = _draw(figures, runs, found, asked, against)
        for path in written:
            warn(str(path))


def find_run(name: str) -> Path:
    """A run's folder, by its path or by its name among the usual ones."""
    given, usual = path_of(name), paths.runs() / name
    return (usual if not given.is_dir() and usual.is_dir() else given).resolve()


def run_names(folders: Sequence[Path]) -> dict[Path, str]:
    """What each run is called: by its folder's name, or its whole path where two share a name."""
    many = Counter(folder.name for folder in folders)
    return {folder: folder.name if many[folder.name] == 1 else str(folder) for folder in folders}


def entry(found: "Found", opponent: Player) -> dict[str, Any]:
    """The figures of a run against that opponent as JSON: those with unseen words first."""
    from core.games.evaluate import UNSEEN

    return {
        "setting": found.setting,
        "group": found.group,
        "opponent": opponent.name,
        "seed": found.seed,
        **_shape(found.exact[UNSEEN]),
        "sampled": _shape(found.sampled[UNSEEN]),
        "conditions": {name: _shape(figures) for name, figures in found.exact.items()},
    }


def _stands(standing: tuple[bool, int] | None) -> dict[str, Any]:
    """How far a run came; nothing of what is no run."""
    return {"through": standing[0], "episodes": standing[1]} if standing else {}


def _shape(figures: Mapping[str, Figures]) -> dict[str, Any]:
    from core.games.evaluate import mean_actions, mean_deontological

    return {
        "deontological_regret": mean_deontological(figures),
        "utilitarian_regret": {name: one.utilitarian_regret for name, one in figures.items()},
        "actions": mean_actions(figures),
        "by_game": {
            name: {"deontological_regret": one.deontological_regret, "actions": dict(one.actions)}
            for name, one in figures.items()
        },
    }


def table(found: "list[Found]", games: dict[str, Game], opponent: Player) -> list[str]:
    """Regrets with unseen words, exact and sampled, by group, over the reference lines.

    `opponent` is the one that was measured against.
    """
    from core.games.evaluate import UNSEEN, mean_actions, mean_deontological

    groups = Counter(one.group for one in found)
    titles = {name: f"{plain(name, one_line=True)} ({many})" for name, many in groups.items()}
    width = max(34, *map(len, titles.values()))
    lines = [
        f"unseen words, against {opponent.name}: deontological regret, utilitarian regret by game, "
        "share of C and of illegal",
        f"{'':<{width}} {'deont.':>11}"
        + "".join(f" {plain(name, one_line=True)[:11]:>11}" for name in games)
        + "     C   ill.",
    ]
    for how in ("exact", "sampled"):
        lines.append(how)
        for group, title in titles.items():
            rows = [getattr(one, how)[UNSEEN] for one in found if one.group == group]
            cells = [_cell([mean_deontological(row) for row in rows])]
            cells += [_cell([row[name].utilitarian_regret for row in rows]) for name in games]
            actions = [mean_actions(row) for row in rows]
            kind = sum(row["C|C"] + row["C|D"] for row in actions) / len(actions)
            illegal = sum(row["illegal"] for row in actions) / len(actions)
            lines.append(
                f"{title:<{width}} "
                + " ".join(f"{cell:>11}" for cell in cells)
                + f" {kind:5.0%} {illegal:6.1%}"
            )
    lines.append(f"reference, against {opponent.name}")
    for policy, figures in reference(games, opponent).items():
        cells = [f"{mean_deontological(figures):.2f}"]
        cells += [f"{one.utilitarian_regret:.2f}" for one in figures.values()]
        lines.append(f"{policy:<{width}} " + " ".join(f"{cell:>11}" for cell in cells))
    return lines


def conditions(found: "list[Found]") -> list[str]:
    """How regrets hold when words, table or framing change: means over games and seeds."""
    from core.games.evaluate import UNTUNED, mean_actions, mean_deontological

    runs = [one for one in found if len(one.exact) > 1]
    if not runs:
        return []
    names = list(runs[0].exact)
    lines = ["deontological regret / share of C / illegal, exact, over all games"]
    for group in dict.fromkeys(one.group for one in runs if one.group != UNTUNED):
        lines.append(plain(group, one_line=True))
        rows = [one for one in runs if one.group == group]
        for name in names:
            regret = _cell([mean_deontological(one.exact[name]) for one in rows])
            actions = [mean_actions(one.exact[name]) for one in rows]
            kind = sum(row["C|C"] + row["C|D"] for row in actions) / len(actions)
            illegal = sum(row["illegal"] for row in actions) / len(actions)
            lines.append(f"  {name:<32} {regret:>11} {kind:5.0%} {illegal:6.1%}")
    return lines


def _cell(values: list[float]) -> str:
    over = interval(values)
    return f"{over.mean:.2f} ±{over.high - over.mean:.2f}" if over.n > 1 else f"{over.mean:.2f}"


def _games(names: str, limit: int | None) -> dict[str, Game]:
    asked = list(GAMES) if names == "all" else [name.strip() for name in names.split(",")]
    return load_games(asked[:limit], warn)


def _draw(
    folder: Path,
    runs: list[Path],
    found: "list[Found]",
    games: dict[str, Game],
    opponent: Player,
) -> list[Path]:
    from core.games import pictures

    told = [(path, run.read_settings(path)) for path in runs]
    with writing(folder):
        written = pictures.training_picture(folder, told)
        written += pictures.curves_picture(folder, told)
        written += pictures.regret_picture(folder, found, games, opponent)
    return written
