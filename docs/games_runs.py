"""Makes the runs and figures of docs/games.md: `python docs/games_runs.py FOLDER`.

Seven settings, three seeds each. Runs that are through are left alone, stopped ones go on, so the
command may be given again at any time; in the end it measures all of them and draws the figures.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

from core.cli import guarded
from core.cli.evaluating import conditions, entry, table
from core.cli.tuning import stoppable
from core.errors import Cancelled
from core.games import pictures, run
from core.games.evaluate import baselines, evaluate, open_runs
from core.games.matrix import GAMES, TRAINING_GAME
from core.games.players import RANDOM
from core.games.rewards import Reward
from core.games.tune import tune, usual
from core.models import catalog
from core.models.manifest import weights_digest

SEEDS = (1, 2, 3)
EPISODES, UNLEARNING, SWITCH = 200, 400, 200

SETTINGS: tuple[dict[str, Any], ...] = (
    {"reward": Reward.GAME},
    {"reward": Reward.DEONTOLOGICAL},
    {"reward": Reward.UTILITARIAN},
    {"reward": Reward.GAME_DEONTOLOGICAL},
    {"reward": Reward.GAME, "switch_to": Reward.DEONTOLOGICAL},
    {"reward": Reward.GAME, "switch_to": Reward.UTILITARIAN},
    {"reward": Reward.DEONTOLOGICAL, "opponent": run.LEARNER},
)


def main() -> int:
    """Trains what is missing, then measures and draws."""
    root = Path(sys.argv[1])
    base = catalog.locate(catalog.DEFAULT)
    digest = weights_digest(base)
    folders = []
    with stoppable() as stopped:
        for seed, setting in product(SEEDS, SETTINGS):
            unlearns = "switch_to" in setting
            asked: dict[str, Any] = {
                "opponent": "tit-for-tat",
                "switch_at": SWITCH if unlearns else None,
                **setting,
            }
            settings = run.RunSettings(
                game=TRAINING_GAME,
                episodes=UNLEARNING if unlearns else EPISODES,
                seed=seed,
                model=catalog.DEFAULT,
                digest=digest,
                learning=usual(base),
                **asked,
            )
            folders.append(root / settings.name)
            began = time.monotonic()
            outcome = tune(settings, folders[-1], base, resume=True, stopped=stopped)
            if outcome is None:
                raise Cancelled
            told = " ".join(f"{name} {share:.0%}" for name, share in outcome.end.actions.items())
            print(f"{settings.name}: {time.monotonic() - began:,.0f} s, {told}", flush=True)  # noqa: T201
    measure(folders, root / "figures")
    return 0


def measure(folders: list[Path], out: Path) -> None:
    """Regrets and action types of all runs as text, JSON and pictures."""
    found = []
    told = [(path, run.read_settings(path)) for path in folders]
    groups = run.group_names([settings for _, settings in told])
    for (path, settings, reader), group in zip(open_runs(folders), groups, strict=True):
        print(f"measuring {path.name}", flush=True)  # noqa: T201
        found.append(evaluate(reader, path.name, settings, group=group))
    found += baselines(reader)
    out.mkdir(parents=True, exist_ok=True)
    entries = {one.name: entry(one, RANDOM) for one in found}
    (out / "regret.json").write_text(json.dumps(entries, indent=1))
    text = "\n".join([*table(found, GAMES, RANDOM), "", *conditions(found)])
    (out / "regret.txt").write_text(text + "\n", "utf-8")
    pictures.training_picture(out, told)
    pictures.curves_picture(out, told)
    pictures.regret_picture(out, found)
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(guarded(main))
