"""A run of the PPO trainer from its first step to its last: log, checkpoints, going on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.files import dump_toml, read_text, write_whole, writing
from core.training.adapted import save_whole, taking_up
from core.training.ppo import Figures, Ppo
from core.training.samplers import Sampler
from core.training.settings import same_settings

SETTINGS = "ppo.toml"
LOG = "log.jsonl"
LAST = Path("checkpoints") / "last.pt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    steps: int
    """Steps done, counted from the run's beginning."""
    ran_away: bool
    """Ended since the policy drifted too far from the base model."""


def train(
    trainer: Ppo,
    sampler: Sampler,
    out: Path,
    base_name: str,
    resume: bool = False,
    progress: Callable[[Figures], None] = lambda _: None,
    line: Callable[[Figures], Mapping[str, Any]] = asdict,
    about: Mapping[str, Any] | None = None,
) -> Outcome:
    """Runs until the last step, the sampler's end, or a policy that runs away.

    `out` holds the settings, a `line` of figures a step, the last checkpoint, and in the end the
    adapter. With `resume` a run goes on from its checkpoint and comes to the same figures as if it
    had never stopped. `about` is what else a run is begun with: what is learnt, and its price.

    Raises:
        BadInput: the folder holds a run with other settings (`threads` and `checkpoint_every`
            aside, and `steps` where the learning rate does not fall along them) or by another
            number of processes, or a checkpoint that cannot be taken up.
    """
    config, main = trainer.config, trainer.accelerator.is_main_process
    processes = trainer.accelerator.num_processes
    begun = {
        **asdict(config),
        **({"processes": processes} if processes > 1 else {}),
        **({"about": dict(about)} if about else {}),
    }
    first = 0
    if resume and (out / LAST).exists():
        steps = {"steps"} if config.rate_left == 1 else set[str]()
        same_settings(out / SETTINGS, begun, {*steps, "threads", "checkpoint_every"})
        with taking_up(out / LAST) as saved:
            trainer.restore(saved["trainer"])
            sampler.restore(saved["sampler"])
            first = int(saved["step"])
    if main:
        if not resume:
            (out / LAST).unlink(missing_ok=True)  # an earlier run's is not to be taken up later
        write_whole(out / SETTINGS, dump_toml(begun))
        cut_lines(out / LOG, first)
    done = first
    while done < config.steps and not trainer.ran_away and not sampler.finished():
        rollouts = sampler.sample(trainer.policy, done, trainer.generator(done))
        figures = trainer.update(rollouts, done)
        done += 1
        figures = replace(figures, extra=dict(sampler.extra()))
        if main:
            add_lines(out / LOG, [line(figures)])
            if done % config.checkpoint_every == 0 or done == config.steps:
                checkpoint(trainer, sampler, out, done)
        progress(figures)
    if main:
        checkpoint(trainer, sampler, out, done)
        trainer.adapted.save(out, base_name)
    return Outcome(done, trainer.ran_away)


def checkpoint(trainer: Ppo, sampler: Sampler, out: Path, done: int) -> None:
    """Writes what a run needs to go on."""
    save_whole(out / LAST, {"step": done, "trainer": trainer.state(), "sampler": sampler.state()})


def add_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds rows to a log of JSON lines."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def cut_lines(path: Path, step: int) -> None:
    """Takes out of a log what came after a step: a run that goes on writes it anew.

    Raises:
        BadInput: a line is damaged; file and line are named. Half a line at the end is none.
    """
    if not path.exists():
        return
    rows = read_text(path, largest=None).split("\n") if step else [""]
    if not rows[-1].endswith("}"):
        rows.pop()
    write_whole(
        path, "".join(f"{row}\n" for n, row in enumerate(rows, 1) if _step(row, path, n) <= step)
    )


def _step(row: str, path: Path, number: int) -> int:
    try:
        return int(json.loads(row)["step"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadInput(
            "this is no line of such a log",
            where=f"{path}: line {number}",
            mend="Mend the line or take it out, or begin another folder.",
        ) from None
