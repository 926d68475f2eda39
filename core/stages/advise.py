"""Advise: what each moral agent would do, one answer a value that counts.

Each samples several; the one that the judge finds to respect the agent's value best, and better
than the others' values, is kept. Without that, agents who all mean well say much the same.
"""

from collections.abc import Mapping, Sequence
from math import inf
from statistics import fmean

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import Judgement
from core.models.base import Prompt, Sampling, Voices
from core.stages import prompts
from core.stages.judge import Judge, judge
from core.stages.propose import usable
from core.watch import SILENT, Advised, Growing, Measured, Progress, Watch

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=48, sentences=1)

SAMPLES = 8


def advise(
    voices: Voices,
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    *,
    seed: int,
    avoid: Sequence[str] = (),
    watch: Watch = SILENT,
) -> tuple[dict[str, str], str]:
    """An answer by value id, and what the operator should know; says `Advised` and `Measured`.

    What cannot be used, or was said before, is left out. Raises `Cancelled`, and `ModelProblem`
    where no value that counts has an agent.
    """
    speakers = voices.speakers(profile)
    prompt = prompts.advice(prompts.question(scenario))
    found: dict[str, str] = {}
    why: dict[str, str] = {}
    for row, who in enumerate(speakers):
        seeds = [seed * 1_000_003 + place * 1009 + row for place in range(SAMPLES)]
        said = [*found.values(), *avoid]
        texts, why[who] = sampled(voices, scenario, profile, who, prompt, seeds, row, said, watch)
        if texts:
            text, judgement = _chosen(reviewer, scenario, profile, who, texts, watch.quiet())
            found[who] = text
            watch.say(Advised(row=row, text=text, origin=Origin(Source.AGENT, who)))
            if judgement:
                watch.say(Measured(row=row, judgement=judgement))
            else:  # once more, aloud: it says why there is none
                judge(reviewer, scenario, profile, [text], places=[row], watch=watch)
        watch.say(Progress(stage="advise", done=row + 1, total=len(speakers)))
    silent = [value.id for value in profile.active if value.id not in speakers]
    told = [f"nobody speaks for {', '.join(silent)} yet: `placet train agent`"] if silent else []
    told += [f"the agent of {who}: {why[who]}" for who in speakers if who not in found]
    return found, "; ".join(told)


def sampled(
    voices: Voices,
    scenario: Scenario,
    profile: Profile,
    who: str,
    prompt: Prompt,
    seeds: Sequence[int],
    row: int,
    avoid: Sequence[str],
    watch: Watch,
) -> tuple[list[str], str]:
    """What `who` says with each of the seeds, if it can be used, and why the last could not.

    The first text is told of as it grows, in `row`. Raises `Cancelled`.
    """
    drafts = voices.speak(
        profile,
        who,
        [prompt] * len(seeds),
        SAMPLING,
        seeds,
        watch,
        lambda place, text: None if place else watch.say(Growing(row=row, text=text)),
    )
    texts: list[str] = []
    why = ""
    for draft in drafts:
        text, problem = usable(draft, scenario.request, [*texts, *avoid])
        if text:
            texts.append(text)
        why = problem or why
    return texts, why


def _chosen(
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    who: str,
    texts: Sequence[str],
    watch: Watch,
) -> tuple[str, Judgement | None]:
    """The text to keep, with its judgement, doubted, if there is one."""
    judgements = judge(reviewer, scenario, profile, texts, doubt=False, watch=watch)
    place = best(who, [one.scores if one else {} for one in judgements])
    text, judgement = texts[place], judgements[place]
    if judgement:
        [judgement] = reviewer.doubt([(scenario, text)], [judgement], profile, watch)
    return text, judgement


def best(who: str, answers: Sequence[Mapping[str, float]]) -> int:
    """Which of a value's answers to keep, the first of equals.

    `answers` are their scores by value id, 0 to 1; one that was not judged has none, and comes
    last.
    """

    def worth(scores: Mapping[str, float]) -> float:
        if who not in scores:
            return -inf
        others = [score for name, score in scores.items() if name != who]
        ahead = scores[who] - fmean(others) if others else 0.0
        return scores[who] + ahead

    return max(range(len(answers)), key=lambda place: worth(answers[place]))
