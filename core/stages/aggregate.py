"""Aggregate: the agents' answers and the profile become one answer (CMVA-GS, IBM Research 2024).

Several are sampled; the one that the judge finds to serve the profile best, by `r·c`, is kept,
with its judgement and what it drew on.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from core.domain.scenario import Scenario
from core.domain.text import terms, words
from core.domain.values import Profile
from core.domain.verdict import Judgement, assess
from core.models.base import AGGREGATOR, Voices
from core.stages import prompts
from core.stages.advise import SAMPLES, WRITTEN, sampled
from core.stages.judge import Judge, judge
from core.watch import SILENT, Watch


class Synthesis(Struct, frozen=True, kw_only=True):
    """What came of it."""

    text: str = ""
    """Empty where no sample could be used."""
    judgement: Judgement | None = None
    drew_on: dict[str, float] = {}
    """By value id, the share of its content words that stand in that agent's answer, 0 to 1."""
    own: float = 0.0
    """Share of its content words that stand in no agent's answer."""
    problem: str = ""

    @property
    def sources(self) -> str:
        """Whose words it shares, the most first: "care 60%, fairness 20%, own 30%"."""
        ranked = sorted(self.drew_on.items(), key=lambda one: -one[1])
        parts = [f"{who} {share:.0%}" for who, share in ranked if share]
        return ", ".join([*parts, f"own {self.own:.0%}"])


def aggregate(
    voices: Voices,
    reviewer: Judge,
    scenario: Scenario,
    profile: Profile,
    answers: Mapping[str, str],
    *,
    seed: int,
    row: int = 0,
    avoid: Sequence[str] = (),
    samples: int = SAMPLES,
    watch: Watch = SILENT,
) -> Synthesis:
    """One answer from the agents' `answers` (by value id). Raises `Cancelled`.

    It says none of these, nor of `avoid`, again. Its growing text is told of in `row`.
    """
    prompt = prompts.synthesis(prompts.question(scenario), profile, answers)
    seeds = [seed * 1_000_003 + 500_009 + place for place in range(samples)]
    said = (*avoid, *answers.values())
    writing, reading = watch.part(0.0, WRITTEN), watch.part(WRITTEN, 1.0).quiet()
    texts, why = sampled(voices, scenario, profile, AGGREGATOR, prompt, seeds, row, said, writing)
    if not texts:
        return Synthesis(problem=f"no synthesis could be used: {why}")
    judgements = judge(reviewer, scenario, profile, texts, doubt=False, watch=reading)
    found = best(texts, judgements, profile)
    if found is None:
        return Synthesis(problem="no synthesis could be judged")
    text, judgement = found
    [judgement] = reviewer.doubt([(scenario, text)], [judgement], profile, reading)
    drew_on, own = provenance(text, answers)
    return Synthesis(text=text, judgement=judgement, drew_on=drew_on, own=own)


def best(
    texts: Sequence[str], judgements: Sequence[Judgement | None], profile: Profile
) -> tuple[str, Judgement] | None:
    """The text with the highest `r·c`, the first of equals; None where none was judged."""
    judged = [
        (text, judgement)
        for text, judgement in zip(texts, judgements, strict=True)
        if judgement is not None
    ]
    return max(judged, key=lambda one: assess(one[1], profile).alignment, default=None)


def provenance(text: str, answers: Mapping[str, str]) -> tuple[dict[str, float], float]:
    """By value id the share of the words of `text` in that answer, and the share in none.

    Words of up to three letters do not count: they stand everywhere. In a script that writes no
    blank between words, two neighbouring letters count as one.
    """
    told = {term for term in terms(text) if len(term) > 3 or len(words(term)) > 1}
    if not told:
        return dict.fromkeys(answers, 0.0), 1.0
    theirs = {who: told & terms(answer) for who, answer in answers.items()}
    shared = set[str]().union(*theirs.values())
    drew_on = {who: len(found) / len(told) for who, found in theirs.items()}
    return drew_on, len(told - shared) / len(told)
