"""Consult: the moral agents' answers and the aggregator's, each told of and judged."""

from collections.abc import Sequence

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.models.base import Voices
from core.stages.advise import advise
from core.stages.aggregate import aggregate
from core.stages.judge import Judge
from core.watch import SILENT, Advised, Dropped, Measured, Watch


def consult(
    voices: Voices,
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    *,
    seed: int,
    avoid: Sequence[str] = (),
    watch: Watch = SILENT,
) -> str:
    """Says `Advised` and `Measured` for every answer, the synthesis in the row after the agents'.

    Gives what the operator should know. Raises `Cancelled`, and `ModelProblem` where no value that
    counts has an agent.
    """
    watch = watch.timed("advise")
    row = len(voices.speakers(profile))
    end = row / (row + 1) if voices.aggregates else 1.0
    answers, notice = advise(
        voices, reviewer, scenario, profile, seed=seed, avoid=avoid, watch=watch.part(0.0, end)
    )
    told = [notice] if notice else []
    if not voices.aggregates:
        told.append("there is no aggregator yet: `placet train aggregator`")
    elif answers:
        rest = watch.part(end, 1.0)
        found = aggregate(
            voices,
            reviewer,
            scenario,
            profile,
            answers,
            seed=seed,
            row=row,
            avoid=avoid,
            watch=rest,
        )
        if found.problem:
            told.append(found.problem)
            watch.say(Dropped(row=row, why=found.problem))
        else:
            origin = Origin(Source.AGGREGATOR, found.sources)
            watch.say(Advised(row=row, text=found.text, origin=origin))
            watch.say(Measured(row=row, judgement=found.judgement))
    return "; ".join(told)
