"""Advise: what each moral agent would do, one answer a value that counts."""

from collections.abc import Sequence

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.models.base import Sampling, Voices
from core.stages import prompts
from core.stages.propose import ROUNDS, usable
from core.watch import SILENT, Advised, Growing, Progress, Watch

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=48, sentences=1)


def advise(
    voices: Voices,
    scenario: Scenario,
    profile: Profile,
    *,
    seed: int,
    avoid: Sequence[str] = (),
    watch: Watch = SILENT,
) -> tuple[dict[str, str], str]:
    """An answer by value id, and what the operator should know.

    What cannot be used, or was said before, is sampled again, `ROUNDS` times. Raises `Cancelled`,
    and `ModelProblem` where no value that counts has an agent.
    """
    speakers = voices.speakers(profile)
    prompt = prompts.advice(prompts.question(scenario))
    found: dict[str, str] = {}
    why: dict[str, str] = {}
    for row, who in enumerate(speakers):
        for attempt in range(ROUNDS):
            drafts = voices.speak(
                profile,
                who,
                [prompt],
                SAMPLING,
                [seed * 1_000_003 + attempt * 1009 + row],
                watch,
                lambda _, text, row=row: watch.say(Growing(row=row, text=text)),  # type: ignore[misc]
            )
            text, why[who] = usable(drafts[0], scenario.request, [*found.values(), *avoid])
            if text:
                found[who] = text
                origin = Origin(Source.AGENT, who)
                watch.say(Advised(row=row, text=text, origin=origin))
                break
        watch.say(Progress(stage="advise", done=row + 1, total=len(speakers)))
    silent = [value.id for value in profile.active if value.id not in speakers]
    told = [f"nobody speaks for {', '.join(silent)} yet: `placet train agent`"] if silent else []
    told += [f"the agent of {who}: {why[who]}" for who in speakers if who not in found]
    return found, "; ".join(told)
