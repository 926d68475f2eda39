"""How fast a whole decision is, beside the tutorial's loop on the same weights, in one run."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from core import library
from core.baseline import Writer, tutorial
from core.decide import Options, decide
from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.models import catalog
from core.stages.judge import judge
from core.team import Team
from core.watch import SILENT, AnyNote, Growing, Measured, Progress, Watch

SCALE_CANDIDATES = (2, 4, 8, 16, 32, 64)
SCALE_VALUES = (1, 2, 4, 8, 16, 32)


@dataclass
class Timing:
    """What one round showed: seconds and tokens; of what is judged, without the contexts."""

    total_s: float = 0.0
    first_candidate_s: float = 0.0
    first_verdict_s: float = 0.0
    tokens: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "write": 0.0})
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "write": 0.0})

    def rate(self, stage: str) -> float:
        """Tokens a second while that stage ran."""
        return self.tokens[stage] / self.seconds[stage] if self.seconds[stage] else 0.0


def bench(
    team: Team,
    *,
    candidates: int,
    values: int,
    repeat: int,
    policy: str = "",
    scaling: bool = True,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """The figures of `placet bench --json`; see `docs/performance.md`.

    Rounds of Placet and of the tutorial's loop alternate, after one of each that is not counted, so
    that a drift of the machine's speed falls on both. The loop runs as it would without Placet: on
    the same weights, by transformers alone, in float32. `policy` is the name these were loaded by.
    """
    scenario, profile = setting(values)
    ours: list[Timing] = []
    theirs: list[float] = []
    tell("a first round")
    placet_round(team, scenario, profile, candidates, seed=0)
    peak = peak_memory()
    loop_model = _plain(team, policy)
    ceilings = _ceilings()
    for turn in range(repeat + 1):
        tell(f"round {turn} of {repeat}" if turn else "warming up")
        timing = placet_round(team, scenario, profile, candidates, seed=turn)
        loop = tutorial(
            loop_model, scenario, profile, candidates=candidates if turn else 1, seed=turn
        )
        if turn:
            ours.append(timing)
            theirs.append(loop.seconds)
    median = statistics.median(one.total_s for one in ours)
    found: dict[str, Any] = {
        "candidates": candidates,
        "values": values,
        "models": {role: model.name for role, model in team.used.items()},
        "formats": {role: model.dtype for role, model in team.used.items()},
        "placet": {
            "median_s": round(median, 3),
            "all_s": [round(one.total_s, 3) for one in ours],
            "prefill_tokens_per_s": round(statistics.median(one.rate("read") for one in ours), 1),
            "decode_tokens_per_s": round(statistics.median(one.rate("write") for one in ours), 1),
            "tokens_written": round(statistics.median(one.tokens["write"] for one in ours)),
            "tokens_judged": round(statistics.median(one.tokens["read"] for one in ours)),
            "first_candidate_s": round(statistics.median(one.first_candidate_s for one in ours), 3),
            "first_verdict_s": round(statistics.median(one.first_verdict_s for one in ours), 3),
            "peak_memory_bytes": peak,
        },
        "tutorial": {
            "median_s": round(statistics.median(theirs), 3),
            "all_s": [round(one, 3) for one in theirs],
        },
        "ratio": round(statistics.median(theirs) / median, 2),
        "machine": ceilings,
        "scaling": [],
    }
    if scaling:
        found["scaling"] = list(_scaling(team, tell))
    return found


def _plain(team: Team, policy: str) -> Writer:
    """What the tutorial's loop runs on: the policy without what Placet does for its speed."""
    if team.policy.used.kind not in ("chat", "causal"):
        return team.policy
    from core.models.causal import CausalModel
    from core.models.load import load_plain

    assert isinstance(team.policy, CausalModel)
    return load_plain(policy or catalog.OWN, team.policy)


def _ceilings() -> dict[str, float]:
    from core.models.machine import measure

    found = measure()
    return {
        "read_gb_per_s": round(found.read_bytes_per_s / 1e9, 1),
        "bfloat16_gflop_per_s": round(found.operations_per_s / 1e9),
    }


def placet_round(
    team: Team, scenario: Scenario, profile: Profile, candidates: int, seed: int
) -> Timing:
    """One round: propose, judge the grid, re-align with 4 rewrites, judge again, choose."""
    timing = Timing()
    began = time.monotonic()
    run: dict[str, tuple[float, float]] = {}

    def hear(note: AnyNote) -> None:
        now = time.monotonic() - began
        if isinstance(note, Growing) and note.text and not timing.first_candidate_s:
            timing.first_candidate_s = now
        elif isinstance(note, Measured) and not timing.first_verdict_s:
            timing.first_verdict_s = now
        elif isinstance(note, Progress) and note.tokens_per_s and note.tokens_done:
            done, seconds = run.get(note.stage, (0.0, 0.0))
            if note.tokens_done < done:  # a new run of this stage begins
                _add(timing, note.stage, done, seconds)
            run[note.stage] = (note.tokens_done, note.tokens_done / note.tokens_per_s)

    options = Options(candidates=candidates, rewrites=4, rounds=1, seed=seed)
    decide(team, scenario, profile, options, watch=Watch(hear))
    timing.total_s = time.monotonic() - began
    for stage, (done, seconds) in run.items():
        _add(timing, stage, done, seconds)
    return timing


def _add(timing: Timing, stage: str, tokens: float, seconds: float) -> None:
    if stage in timing.tokens:
        timing.tokens[stage] += tokens
        timing.seconds[stage] += seconds


def setting(values: int) -> tuple[Scenario, Profile]:
    """The demo scenario, and as many values as asked for: its own, then those of other profiles.

    All of them as they ship, so that figures can be compared.
    """
    found = {scenario.name: (scenario, profile) for scenario, profile in library.shipped()}
    scenario, own = found[library.DEMO]
    profiles = sorted((profile for _, profile in found.values()), key=lambda one: one.name)
    pool: list[Value] = []
    for profile in [own, *profiles]:
        known = {value.statement for value in pool}
        pool += [value for value in profile.values if value.statement not in known]
    chosen = tuple(
        msgspec.structs.replace(pool[place % len(pool)], id=f"v{place + 1}")
        for place in range(values)
    )
    return scenario, Profile(name="bench", values=chosen)


def _scaling(team: Team, tell: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Seconds to judge, by the number of candidates and by that of values."""
    actions = [
        candidate.text
        for scenario, _ in library.shipped()
        for candidate in scenario.candidates
        if not candidate.text.startswith("{")
    ]
    Random(0).shuffle(actions)  # or the first few would be one scenario's, and of one kind
    for candidates, values in [
        *((count, 5) for count in SCALE_CANDIDATES),
        *((8, count) for count in SCALE_VALUES),
    ]:
        tell(f"judging {candidates} candidates by {values} values")
        scenario, profile = setting(values)
        texts = [f"{actions[place % len(actions)]} ({place})" for place in range(candidates)]
        seconds = []
        for _ in range(3):
            began = time.monotonic()
            judge(team.judge, scenario, profile, texts, watch=SILENT)
            seconds.append(time.monotonic() - began)
        median = statistics.median(seconds)
        yield {
            "candidates": candidates,
            "values": values,
            "judge_s": round(median, 4),
            "pairs_per_s": round(candidates * values / median, 1),
        }


def peak_memory() -> int:
    """The most memory this process ever held, in bytes; 0 where the system does not say."""
    try:
        import resource  # only where there is POSIX
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
