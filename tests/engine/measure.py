"""Measures how soon a cancelled worker is free: `python -m tests.engine.measure`; prints JSON.

Starts the real worker through the client, has it propose, judge and re-align in turn, and cancels
each job at a random moment within its first second. What is measured is the time from there to the
job's last reply, with which the worker takes the next one. Jobs that ended by themselves before
they were cancelled count for nothing and are done again.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
from time import perf_counter
from typing import Any

from core import library
from core.bench import setting
from core.domain.candidate import Case
from core.engine.client import Engine
from core.engine.protocol import Align, Finished, Judge, Load, Propose, Task
from tests.engine.hearing import Ear

LOADING = 300.0
"""Seconds that the models have to be there."""

WITHIN = 1.0
"""Seconds from the request to the latest moment of cancelling."""


def tasks(seed: int) -> list[Task]:
    """One job of each kind, each long enough to be interrupted."""
    scenario, profile = setting(5)
    texts = [
        f"{candidate.text} ({seed}.{place})"
        for place, candidate in enumerate(
            candidate for known in library.scenarios().values() for candidate in known.candidates
        )
    ]
    cases = tuple(Case(text=text) for text in texts[:4])
    return [
        Propose(profile=profile, scenario=scenario, count=8, seed=seed),
        Judge(profile=profile, scenario=scenario, texts=tuple(texts * 8)),
        Align(profile=profile, scenario=scenario, cases=cases, rewrites=4, seed=seed),
    ]


async def measure(policy: str, judge: str, times: int) -> dict[str, Any]:
    """Milliseconds from cancel to the job's end, `times` of them."""
    ear = Ear()
    engine = Engine(ear.hear)
    chance = random.Random(7)
    taken: list[float] = []
    try:
        loading = engine.submit(Load(policy=policy, judge=judge))
        end = await ear.end_of(loading, LOADING)
        if not isinstance(end, Finished):
            raise SystemExit(f"the models could not be loaded: {end}")
        seed = 0
        while len(taken) < times:
            seed += 1
            for task in tasks(seed)[: times - len(taken)]:
                job = engine.submit(task)
                await asyncio.sleep(chance.uniform(0.02, WITHIN))
                begun = perf_counter()
                engine.cancel(job)
                end = await ear.end_of(job, LOADING)
                if isinstance(end, Finished) and end.cancelled:
                    taken.append((perf_counter() - begun) * 1000)
    finally:
        await engine.stop()
    ordered = sorted(taken)
    return {
        "policy": policy or "placet",
        "judge": judge or "placet",
        "times": times,
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[max(0, int(times * 0.95 + 0.5) - 1)], 1),
        "most_ms": round(ordered[-1], 1),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="")
    parser.add_argument("--judge", default="")
    parser.add_argument("--times", type=int, default=30)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.policy, given.judge, given.times))))  # noqa: T201


if __name__ == "__main__":
    main()
