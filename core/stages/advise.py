"""Advise: what each moral agent would do, one answer a value that counts.

Each samples several, and all are judged before one of each is kept: the one that respects the
agent's own value most, less what others say better. Without that, agents who all mean well say much
the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from msgspec import Struct

from core.domain.candidate import Origin, Source
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.domain.verdict import Judgement
from core.models.base import Prompt, Sampling, Voices
from core.stages import prompts
from core.stages.judge import Judge, judge
from core.stages.propose import alike, usable
from core.watch import SILENT, Advised, Dropped, Growing, Measured, Watch

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=48, sentences=1)

SAMPLES = 8

WRITTEN = 0.85
"""When of the time that samples take they are written, about; the rest goes into judging them."""


class Answer(Struct, frozen=True):
    """One sample of an agent, and what the judge said of it."""

    text: str
    scores: Mapping[str, float]
    """By value id, 0 to 1; empty where it could not be judged."""


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
    answers: dict[str, list[Answer]] = {}
    judgements: dict[str, list[Judgement | None]] = {}
    why: dict[str, str] = {}
    for row, who in enumerate(speakers):
        own = watch.part(row / len(speakers), (row + 1) / len(speakers))
        writing, reading = own.part(0.0, WRITTEN), own.part(WRITTEN, 1.0).quiet()
        seeds = [seed * 1_000_003 + place * 1009 + row for place in range(SAMPLES)]
        texts, why[who] = sampled(
            voices, scenario, profile, who, prompt, seeds, row, avoid, writing
        )
        judgements[who] = (
            judge(reviewer, scenario, profile, texts, doubt=False, watch=reading) if texts else []
        )
        answers[who] = [
            Answer(text, one.scores if one else {})
            for text, one in zip(texts, judgements[who], strict=True)
        ]
    found: dict[str, str] = {}
    closing = watch.part(1.0, 1.0)
    for row, (who, places) in enumerate(ranked(answers).items()):
        new = (one for one in places if not _among(answers[who][one].text, found.values()))
        if (place := next(new, None)) is None:
            why[who] = "another agent says the same" if places else why[who]
            watch.say(Dropped(row=row, why=why[who]))
            continue
        found[who] = text = answers[who][place].text
        watch.say(Advised(row=row, text=text, origin=Origin(Source.AGENT, who)))
        if judgement := judgements[who][place]:
            [judgement] = reviewer.doubt([(scenario, text)], [judgement], profile, closing.quiet())
            watch.say(Measured(row=row, judgement=judgement))
        else:  # once more, aloud: it says why there is none
            judge(reviewer, scenario, profile, [text], places=[row], watch=closing)
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


def ranked(answers: Mapping[str, Sequence[Answer]]) -> dict[str, list[int]]:
    """By value id the places of its answers, the one to keep first; equals in their order.

    An answer is worth its score for its own value, less all by which it outdoes, on another's
    value, the best that the other said: that is the other's to say. One that was not judged comes
    last.
    """
    best = {
        who: max((one.scores.get(who, 0.0) for one in many), default=0.0)
        for who, many in answers.items()
    }

    def worth(who: str, answer: Answer) -> float:
        if not answer.scores:
            return -inf
        others = ((answer.scores[other], top) for other, top in best.items() if other != who)
        return answer.scores[who] - sum(max(0.0, score - top) for score, top in others)

    found: dict[str, list[int]] = {}
    for who, many in answers.items():
        worths = [worth(who, one) for one in many]
        found[who] = sorted(range(len(many)), key=worths.__getitem__, reverse=True)
    return found


def _among(text: str, others: Iterable[str]) -> bool:
    return any(alike(text, other) for other in others)
