"""A learner that learns at once: `python tuner.py … --out DIR`, in place of `placet games tune`.

The opponent's name says how it behaves: `random` dies on the way, `always-d` says that the disk is
full, `always-c` does not listen to SIGTERM, `learner` waits; the others learn to the end.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.games.matrix import load_game
from core.games.players import Chances
from core.games.rewards import Reward
from core.games.run import (
    FORMAT,
    LEARNING,
    LOG,
    Outcome,
    RunSettings,
    Snapshot,
    Update,
    read_settings,
    read_updates,
    write_outcome,
    write_settings,
)

EACH = 5
"""Episodes an update."""


def update(step: int, settings: RunSettings) -> Update:
    """What a model that learns in ten updates would log."""
    legal = min(1.0, step / 10)
    good = min(1.0, max(0.0, (step - 10) / 20))
    switched = settings.switch_at is not None and step * EACH > settings.switch_at
    shares = {
        "C|C": legal * (0.25 + 0.45 * good),
        "C|D": legal * (0.25 - 0.15 * good),
        "D|C": legal * (0.25 - 0.2 * good),
        "D|D": legal * (0.25 - 0.1 * good),
    }
    return Update(
        step=step,
        steps=settings.episodes // EACH,
        episodes=step * EACH,
        phase=FORMAT if step <= 8 else LEARNING,
        rule=settings.switch_to if switched and settings.switch_to else settings.reward,
        reward=-6 * (1 - legal) - 3 * shares["D|C"],
        kl=0.1,
        entropy=1.0,
        seconds=1.0,
        seconds_left=settings.episodes / EACH - step,
        actions={**shares, "illegal": 1 - legal},
        deontological_regret=6 * (1 - legal) + 2 * (1 - good) * legal,
        utilitarian_regret=1 - 0.85 * legal * (0.5 + good / 2),
    )


def snapshot(one: Update) -> Snapshot:
    """The figures at an update."""
    return Snapshot(
        episodes=one.episodes,
        chances=dict.fromkeys(("CC", "CD", "DC", "DD"), Chances(0.8, 0.2, 0.0)),
        actions=one.actions,
        deontological_regret=one.deontological_regret or 0.0,
        utilitarian_regret=one.utilitarian_regret or 0.0,
    )


def main() -> None:
    """The run."""
    asked = argparse.ArgumentParser()
    for name in ("game", "reward", "opponent", "switch-to"):
        asked.add_argument(f"--{name}", default="")
    for name in ("episodes", "seed", "switch-at"):
        asked.add_argument(f"--{name}", type=int)
    asked.add_argument("--out", type=Path)
    asked.add_argument("--resume", action="store_true")
    told = asked.parse_args()
    stop, begun = list[int](), time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    if told.resume:
        settings = read_settings(told.out)
    else:
        settings = RunSettings(
            game=load_game(told.game),
            reward=Reward(told.reward),
            opponent=told.opponent,
            episodes=told.episodes,
            seed=told.seed,
            switch_to=Reward(told.switch_to) if told.switch_to else None,
            switch_at=told.switch_at,
            model="stand-in",
            digest="0" * 64,
        )
        write_settings(told.out, settings)
    done = len(read_updates(told.out)[0])
    with (told.out / LOG).open("ab") as log:
        for step in range(done + 1, settings.episodes // EACH + 1):
            line = encode(update(step, settings))
            log.write(line)
            log.flush()
            behave(settings.opponent, step, told.resume)
            while settings.opponent == "learner" and step == 12 and not told.resume:
                time.sleep(0.005)
                if stop or time.monotonic() > begun + 60:  # whoever waits for it may be gone
                    return
            if stop and settings.opponent != "always-c":
                return
    steps = settings.episodes // EACH
    (told.out / "adapter_config.json").write_text('{"base_model_name_or_path": "stand-in"}')
    write_outcome(
        told.out,
        Outcome(
            updates=steps,
            episodes=settings.episodes,
            format_updates=8,
            format_episodes=8 * EACH,
            seconds=60.0,
            before=snapshot(update(0, settings)),
            end=snapshot(update(steps, settings)),
            illegal=0.01,
        ),
    )


def encode(line: Update) -> bytes:
    """A line of the log."""
    import msgspec

    return msgspec.json.encode(line) + b"\n"


def behave(opponent: str, step: int, resumed: bool) -> None:
    """What else may happen on the way."""
    if step != 12 or resumed:
        return
    if opponent == "random":
        os.kill(os.getpid(), signal.SIGKILL)
    if opponent == "always-d":
        sys.stderr.write(
            "loading…\nplacet: /run/log.jsonl: it cannot be written (No space left on device)\n"
            "  Check the space on the disk.\n"
        )
        sys.exit(1)
    if opponent == "always-c":
        time.sleep(60)


if __name__ == "__main__":
    main()
