"""Moral fine-tuning of a model on a game (Tennant, Hailes and Musolesi 2025): one run, in a folder.

What differs from the paper is told in `docs/games.md`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from math import ceil
from pathlib import Path
from typing import Any

import msgspec

from core.errors import BadInput
from core.files import as_table, field_of, read_text
from core.games import run
from core.games.episodes import Episodes, Seat
from core.training import ppo_run
from core.training.ppo import Figures, Ppo, PpoConfig
from core.training.settings import Count
from core.training.spoken import Speaker

PER_UPDATE = "episodes_per_update"

LEARNING: dict[str, str | int | float | bool] = {
    PER_UPDATE: 10,  # every prompt comes up about three times
    "rank": 16,
    "alpha": 32,
    "rate": 2e-4,
    "warmup_steps": 3,
    "passes": 2,
    "ratio_clip": 0.2,
    "kl_coefficient": 0.3,
    "exact_kl": True,  # or a move that was given up would never be tried again
    "kl_target": 0.7,  # about ln 2: the price of being sure of one of two words
    "kl_horizon": 50.0,
    "baseline": "running",
    "memory": 0.9,
    "scale_floor": 1.0,  # a point: rewards that are all alike are not blown up
    "row_length": 1024,
}
"""What a run learns by, beside the trainer's defaults and `first_layer`."""

LAST_EPISODES = 50
"""Over so many episodes at the end the share of illegal replies is taken."""


def tune(
    settings: run.RunSettings,
    folder: Path,
    base: Path,
    *,
    resume: bool = False,
    threads: int = 1,
    stopped: Callable[[], bool] = lambda: False,
    tell: Callable[[run.Update], None] = lambda _: None,
) -> run.Outcome | None:
    """Runs until the last episode, or until `stopped` says so after an update (then `None`).

    A resumed run comes to the same figures as if it had never stopped.

    Raises:
        BadInput: the folder holds a run already, or one with other settings than a resumed one's;
            or a legal move of the game may be worth no more than a reply that is none.
        Held: another process is at it.
    """
    if not (resume and run.read_outcome(folder)):  # what is through is only told again
        run.check_game(
            settings.game, settings.reward, settings.switch_to, settings.opponent, settings.xi
        )
    with run.hold(folder):
        _begin(settings, folder, resume)
        if resume and (outcome := run.read_outcome(folder)):
            return outcome
        return _learn(settings, folder, base, resume, threads, stopped, tell)


def _learn(
    settings: run.RunSettings,
    folder: Path,
    base: Path,
    resume: bool,
    threads: int,
    stopped: Callable[[], bool],
    tell: Callable[[run.Update], None],
) -> run.Outcome | None:
    config = learning(settings, threads)
    trainer = Ppo(config, base)
    rival = _rival(settings, config, base)
    episodes = Episodes(
        settings,
        Seat(Speaker(trainer.policy, base), settings.game, settings.words),
        int(settings.learning[PER_UPDATE]),
        folder / run.EPISODES,
        stopped,
        rival,
    )

    def line(figures: Figures) -> Mapping[str, Any]:
        update = episodes.line(figures)
        tell(update)
        table: dict[str, Any] = as_table(update)
        return table

    ended = ppo_run.train(trainer, episodes, folder, settings.model, resume, line=line)
    if rival:
        rival[1].adapted.save(folder / run.OPPONENT, settings.model)
    if ended.steps < config.steps and not ended.ran_away:
        return None
    return _end(folder, episodes, ended)


def usual(base: Path) -> dict[str, str | int | float | bool]:
    """What a run on the model in `base` learns by: adapters on the upper half of its layers."""
    file = base / "config.json"
    try:
        layers = int(json.loads(read_text(file))["num_hidden_layers"])
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            "this model cannot learn: it does not say how many layers it has",
            where=f"{file}: num_hidden_layers",
        ) from None
    return {**LEARNING, "first_layer": layers // 2}


def learning(settings: run.RunSettings, threads: int = 1) -> PpoConfig:
    """The trainer's settings of a run.

    Raises:
        BadInput: one of them does not exist or cannot have its value.
    """
    named = {name: value for name, value in settings.learning.items() if name != PER_UPDATE}
    known = {one.name for one in fields(PpoConfig)}
    if PER_UPDATE not in settings.learning or not named.keys() <= known:
        odd = ", ".join(sorted(named.keys() - known)) or PER_UPDATE
        raise BadInput(f"the trainer's settings are not those of this Placet ({odd})")
    try:
        episodes = msgspec.convert(settings.learning[PER_UPDATE], Count)
        before = settings.switch_at or 0  # no update goes beyond it
        told = {
            **named,
            "seed": settings.seed,
            "steps": ceil(before / episodes) + ceil((settings.episodes - before) / episodes),
            "checkpoint_every": 10,
            "threads": threads,
        }
        return msgspec.convert(told, PpoConfig)
    except msgspec.ValidationError as error:
        problem, field = field_of(error)
        raise BadInput(problem, where=f"learning.{field or PER_UPDATE}") from None


def _begin(settings: run.RunSettings, folder: Path, resume: bool) -> None:
    if not (folder / run.SETTINGS).exists():
        run.write_settings(folder, settings)
        return
    if not resume:
        raise BadInput(
            "this folder holds a run already",
            where=str(folder),
            mend="Go on with it by --resume, or name another folder by --out.",
        )
    before, now = (as_table(one) for one in (run.read_settings(folder), settings))
    for name, value in now.items():
        if before[name] != value:
            raise BadInput(
                f"the run was begun with {before[name]}, not {value}",
                where=f"{folder / run.SETTINGS}: {name}",
                mend="Resume it with its own settings, or begin another folder.",
            )


def _rival(settings: run.RunSettings, config: PpoConfig, base: Path) -> tuple[Seat, Ppo] | None:
    if settings.opponent != run.LEARNER:
        return None
    other = Ppo(PpoConfig(**{**asdict(config), "seed": config.seed + 1_000_000}), base)
    return Seat(Speaker(other.policy, base), settings.game.turned, settings.words), other


def _end(folder: Path, episodes: Episodes, ended: ppo_run.Outcome) -> run.Outcome:
    now = episodes.read()
    done = episodes.progress
    last, _ = run.read_episodes(folder)
    moves = [play.move for episode in last[-LAST_EPISODES:] for play in episode.plays]
    outcome = run.Outcome(
        updates=done.updates,
        episodes=done.episodes,
        format_updates=done.format_updates,
        format_episodes=done.format_episodes,
        seconds=done.seconds,
        before=done.before or now,
        at_switch=done.at_switch,
        end=now,
        illegal=moves.count(None) / len(moves),
        ran_away=ended.ran_away,
    )
    run.write_outcome(folder, outcome)
    return outcome
