"""Pictures of runs: how they learned, and what carries over (matplotlib, of the extra `train`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure as Picture

from core.games import run
from core.games.evaluate import UNSEEN, Found, mean_deontological
from core.games.matrix import GAMES, Game
from core.games.players import RANDOM, Player
from core.games.published import PUBLISHED
from core.games.regret import (
    ACTION_TYPES,
    Figures,
    Interval,
    action_type,
    interval,
    reference,
)

COLOURS = ("#2a7f62", "#8fc8ae", "#c0392b", "#e8a79c", "#888888")
"""Of the action types: green cooperates, red defects, pale after a defection."""

WINDOW = 10
"""Episodes over which shares are averaged in a curve."""

FORMATS = ("svg", "png")


def training_picture(folder: Path, runs: Sequence[tuple[Path, run.RunSettings]]) -> list[Path]:
    """Action types over episodes, a panel a group, means over seeds; the files written."""
    groups: dict[str, list[Path]] = {}
    switches: dict[str, int | None] = {}
    for name, (path, settings) in zip(_groups(runs), runs, strict=True):
        groups.setdefault(name, []).append(path)
        switches[name] = settings.switch_at
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    drawn = Picture(figsize=(3.4 * columns, 2.7 * rows + 0.5), layout="constrained")
    panels = list(drawn.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[len(groups) :]:
        panel.axis("off")
    for panel, (name, paths) in zip(panels, groups.items(), strict=False):
        shares = _shares(paths)
        at = np.arange(1, shares.shape[1] + 1)
        panel.stackplot(at, shares, labels=ACTION_TYPES, colors=COLOURS)
        if switches[name]:
            panel.axvline(switches[name], linestyle=":", color="black")
        panel.set(xlim=(1, max(2, len(at))), ylim=(0, 1), xlabel="episode")
        title = f"{name}, {len(paths)} seed{'s' * (len(paths) > 1)}"
        panel.set_title(title, fontsize="small", parse_math=False)  # a game may be called `$x`
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    return _save(drawn, folder, "training")


def curves_picture(folder: Path, runs: Sequence[tuple[Path, run.RunSettings]]) -> list[Path]:
    """Reward and both exact regrets over episodes, a line a group, means over seeds."""
    groups: dict[str, list[list[run.Update]]] = {}
    for name, (path, _) in zip(_groups(runs), runs, strict=True):
        groups.setdefault(name, []).append(run.read_updates(path)[0])
    drawn = Picture(figsize=(11, 3.6), layout="constrained")
    panels = drawn.subplots(1, 3)
    figures = ("reward", "deontological_regret", "utilitarian_regret")
    for panel, figure in zip(panels, figures, strict=True):
        for name, logs in groups.items():
            rows = {
                row[0].episodes: [getattr(one, figure) for one in row]
                for row in zip(*logs, strict=False)
            }
            known = {at: fmean(values) for at, values in rows.items() if None not in values}
            panel.plot([*known], [*known.values()], label=name)
        panel.set(xlabel="episode", title=figure.replace("_", " "))
    legend = drawn.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        fontsize="small",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return _save(drawn, folder, "curves")


def regret_picture(
    folder: Path,
    found: Sequence[Found],
    games: Mapping[str, Game] = GAMES,
    opponent: Player = RANDOM,
) -> list[Path]:
    """Both regrets with unseen words, by group, with 95 % bars, published values and lines.

    `opponent` is the one that was measured against. What was published is shown where games and
    opponent are those of the paper.
    """
    settings = {one.group: one.setting for one in found}
    published = PUBLISHED if games == GAMES and opponent == RANDOM else {}
    lines = reference(games, opponent)
    drawn = Picture(
        figsize=(3.1 * (len(games) + 1), 0.34 * len(settings) + 2.0), layout="constrained"
    )
    panels = drawn.subplots(1, len(games) + 1, sharey=True)
    places = np.arange(len(settings))[::-1]
    for panel, game in zip(panels, [None, *games], strict=True):
        for place, (group, setting) in zip(places, settings.items(), strict=True):
            rows = [one.exact[UNSEEN] for one in found if one.group == group]
            value = interval([_regret(figures, game) for figures in rows])
            _point(panel, value, place)
            if told := published.get(setting):
                known = told.utilitarian_regret.get(game) if game else told.deontological_regret
                if known is not None:
                    panel.plot(known, place, "x", color="black")
        for number, (policy, figures) in enumerate(lines.items()):
            if policy != "illegal":
                level = _regret(figures, game)
                panel.axvline(level, linestyle=":", color=f"C{number + 1}", label=policy)
        title = f"utilitarian, {games[game].title or game}" if game else "deontological"
        panel.set_title(title, fontsize="small", parse_math=False)
        panel.set_yticks(places, list(settings), fontsize="small", parse_math=False)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    marks = "● ours, 95 %; × published" if published else "● ours, 95 %"
    title = f"Regret with unseen words, against {opponent.name} ({marks})"
    drawn.suptitle(title, fontsize="medium")
    return _save(drawn, folder, "regret")


def _groups(runs: Sequence[tuple[Path, run.RunSettings]]) -> list[str]:
    return run.group_names([settings for _, settings in runs])


def _shares(paths: Sequence[Path]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Shares of action types over the last `WINDOW` episodes [types, episodes], over seeds."""
    runs = []
    for path in paths:
        episodes, _ = run.read_episodes(path)
        found = [
            [action_type(play.move, play.state) for play in episode.plays] for episode in episodes
        ]
        counted = np.array(
            [[kinds.count(kind) / len(kinds) for kinds in found] for kind in ACTION_TYPES]
        )
        sums = np.concatenate([np.zeros((len(ACTION_TYPES), 1)), counted.cumsum(1)], axis=1)
        ends = np.arange(1, sums.shape[1])
        starts = np.maximum(ends - WINDOW, 0)
        runs.append((sums[:, ends] - sums[:, starts]) / (ends - starts))
    shortest = min(one.shape[1] for one in runs)
    mean: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.mean(
        [one[:, :shortest] for one in runs], axis=0
    )
    return mean


def _regret(figures: Mapping[str, Figures], game: str | None) -> float:
    return figures[game].utilitarian_regret if game else mean_deontological(figures)


def _point(panel: object, value: Interval, place: float) -> None:
    sides = [[max(value.mean - value.low, 0)], [max(value.high - value.mean, 0)]]
    panel.errorbar(  # type: ignore[attr-defined]
        value.mean,
        place,
        xerr=sides if value.n > 1 else None,
        fmt="o",
        capsize=2,
        color="C0",
    )


def _save(drawn: Picture, folder: Path, name: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for ending in FORMATS]
    for path in paths:
        drawn.savefig(path, dpi=130)
    return paths
