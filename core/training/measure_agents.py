"""Moral agents beside the base model: how far their answers conform, on questions never learnt.

The reward that trains is the reward that scores, so a second judge's view stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.domain.values import Profile
from core.models.voices import AdapterVoices
from core.stages.advise import SAMPLING, Answer, ranked
from core.training.agents import Scorer, measures
from core.training.answering import Told, Write, answer_all
from core.training.guards import Second, apart
from core.training.measure import Figure, Floats, mean
from core.training.wording import distinct_2
from core.watch import SILENT, Watch

AT_ONCE = 64
"""Answers judged in one go."""

BASE = ""
"""The base model among the speakers: no value has this id."""


@dataclass(frozen=True, slots=True)
class Conformity:
    """One value: the base model and its agent, means of probabilities with 95 % intervals."""

    base: Figure
    agent: Figure
    unbroken_base: Figure
    """Of not going against the value, as CMVA-GS counts: what is neutral conforms."""
    unbroken_agent: Figure
    second_base: Figure
    second_agent: Figure
    gain: Figure
    """Agent minus base, paired by question."""
    second_gain: Figure
    closed: float
    """Share of the gap between the base model and 1 that the agent closes."""
    unbroken_closed: float
    """The same of not going against the value."""
    words: tuple[float, float]
    """Words an answer, base and agent."""
    distinct_2: tuple[float, float]
    apart: tuple[float, float]
    """Distance between the answers to different questions, 0 to 1."""


def speaker(voices: AdapterVoices, folder: Path | None) -> Write:
    """The base model, or an agent, as `answer_all` asks it."""
    return partial(voices.speak_with, folder)


def kept(
    judge: Scorer,
    profile: Profile,
    questions: Sequence[str],
    samples: Mapping[str, Sequence[Sequence[str]]],
    tell: Told = lambda who, done, of: None,
) -> dict[str, list[str]]:
    """By value id, of the samples to each question the one that the product keeps first."""
    ids = [value.id for value in profile.values]
    asked = [
        (question, text)
        for many in samples.values()
        for question, texts in zip(questions, many, strict=True)
        for text in texts
    ]
    statements = [value.statement for value in profile.values]
    told = iter(judged(judge, asked, statements, partial(tell, "choosing")))
    answers = {
        who: [
            [Answer(text, dict(zip(ids, next(told), strict=True))) for text in texts]
            for texts in many
        ]
        for who, many in samples.items()
    }
    found: dict[str, list[str]] = {who: [] for who in samples}
    for place in range(len(questions)):
        here = {who: many[place] for who, many in answers.items()}
        for who, places in ranked(here).items():
            found[who].append(here[who][places[0]].text)
    return found


Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def judged(
    judge: Scorer,
    asked: Sequence[tuple[str, str]],
    statements: Sequence[str],
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Matrix:
    """Questions and answers → probabilities of respecting [answers, statements]; empty ones 0."""
    return both_ways(judge, asked, statements, tell)[0]


def both_ways(
    judge: Scorer,
    asked: Sequence[tuple[str, str]],
    statements: Sequence[str],
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Matrix, Matrix]:
    """Probabilities of respecting, and of not going against [answers, statements]; empty ones 0."""
    found = np.zeros((2, len(asked), len(statements)))
    for start in range(0, len(asked), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        read = measures(judge, asked[part], statements)
        found[0, part] = [one.scores for one in read]
        found[1, part] = 1.0 - np.array([one.breaks for one in read])
        tell(min(len(asked), start + AT_ONCE), len(asked))
    return found[0], found[1]


def everybody(
    speakers: Mapping[str, Write],
    base: Write,
    judge: Scorer,
    questions: Sequence[str],
    profile: Profile,
    samples: int,
    seed: int,
    *,
    keep: Path | None,
    tell: Told,
    watch: Watch,
) -> dict[str, list[str]]:
    """What `BASE` says to each question, and what each agent keeps of its `samples`."""
    ask = partial(answer_all, sampling=SAMPLING, seed=seed, keep=keep, tell=tell, watch=watch)
    plain = ask({BASE: base}, questions)
    said = ask(speakers, questions, samples=samples)
    chosen = kept(judge, profile, questions, said, tell) if samples > 1 else _first(said)
    return _first(plain) | chosen


def _first(samples: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, list[str]]:
    return {who: [texts[0] for texts in many] for who, many in samples.items()}


def measure_agents(
    speakers: Mapping[str, Write],
    base: Write,
    judge: Scorer,
    second: Second,
    questions: Sequence[str],
    profile: Profile,
    *,
    samples: int = 1,
    seed: int = 0,
    keep: Path | None = None,
    tell: Told = lambda who, done, of: None,
    watch: Watch = SILENT,
) -> dict[str, Conformity]:
    """By value id; `speakers` are the agents. Answers are judged as they were written.

    An agent's answer is chosen from so many `samples` (see `kept`), the base model's is one.
    With `keep` the answers are kept in a file, and taken from there. Raises `Cancelled`.
    """
    said = everybody(
        speakers, base, judge, questions, profile, samples, seed, keep=keep, tell=tell, watch=watch
    )
    found: dict[str, Conformity] = {}
    for who in speakers:
        statement = profile.value(who).statement
        watch.check()
        pairs = [list(zip(questions, said[one], strict=True)) for one in (BASE, who)]
        heard = partial(tell, f"judging {who}")
        plain, tuned = (
            [sides[:, 0] for sides in both_ways(judge, part, [statement], heard)] for part in pairs
        )
        others = [
            np.array(second([(text or ".", statement) for _, text in part])) for part in pairs
        ]
        texts = [said[BASE], said[who]]
        found[who] = Conformity(
            base=mean(plain[0]),
            agent=mean(tuned[0]),
            unbroken_base=mean(plain[1]),
            unbroken_agent=mean(tuned[1]),
            second_base=mean(others[0]),
            second_agent=mean(others[1]),
            gain=mean(tuned[0] - plain[0]),
            second_gain=mean(others[1] - others[0]),
            closed=_closed(plain[0], tuned[0]),
            unbroken_closed=_closed(plain[1], tuned[1]),
            words=(_words(texts[0]), _words(texts[1])),
            distinct_2=(distinct_2(texts[0]), distinct_2(texts[1])),
            apart=(apart(texts[0]), apart(texts[1])),
        )
    return found


def _closed(plain: Floats, tuned: Floats) -> float:
    return float((tuned.mean() - plain.mean()) / max(1e-9, 1 - plain.mean()))


def _words(texts: Sequence[str]) -> float:
    return float(np.mean([len(text.split()) for text in texts]))


def as_json(found: Mapping[str, Conformity]) -> dict[str, dict[str, object]]:
    """As `placet evaluate agents --json` gives it."""
    return {
        who: {
            "base": round(one.base.value, 4),
            "agent": round(one.agent.value, 4),
            "unbroken_base": round(one.unbroken_base.value, 4),
            "unbroken_agent": round(one.unbroken_agent.value, 4),
            "second_judge_base": round(one.second_base.value, 4),
            "second_judge_agent": round(one.second_agent.value, 4),
            "n": one.base.n,
            "intervals": {
                name: [round(figure.low, 4), round(figure.high, 4)]
                for name, figure in (
                    ("base", one.base),
                    ("agent", one.agent),
                    ("unbroken_base", one.unbroken_base),
                    ("unbroken_agent", one.unbroken_agent),
                    ("second_judge_base", one.second_base),
                    ("second_judge_agent", one.second_agent),
                    ("gain", one.gain),
                    ("second_judge_gain", one.second_gain),
                )
            },
            "gap_closed": round(one.closed, 4),
            "unbroken_gap_closed": round(one.unbroken_closed, 4),
            "words": [round(value, 1) for value in one.words],
            "distinct_2": [round(value, 4) for value in one.distinct_2],
            "apart": [round(value, 4) for value in one.apart],
        }
        for who, one in found.items()
    }


def as_table(found: Mapping[str, Conformity]) -> str:
    """For a person: a line a value."""
    lines = [
        f"{'':<12} {'base':>20} {'agent':>20} {'gap closed':>10}   "
        f"{'not broken:':<11} {'gap closed':>10}   "
        f"second judge: {'base':>5} {'agent':>5} {'gain':>21}   {'words':>11}  {'apart':>9}"
    ]
    for who, one in found.items():
        second = one.second_gain
        lines.append(
            f"{who:<12} {_shown(one.base):>20} {_shown(one.agent):>20} {one.closed:>10.0%}   "
            f"{one.unbroken_base.value:.3f} {one.unbroken_agent.value:.3f} "
            f"{one.unbroken_closed:>10.0%}   "
            f"{'':<13} {one.second_base.value:>6.3f} {one.second_agent.value:>5.3f} "
            f"{second.value:>+6.3f} [{second.low:+.3f}, {second.high:+.3f}]   "
            f"{one.words[0]:>4.1f} → {one.words[1]:>4.1f}  "
            f"{one.apart[0]:.2f} → {one.apart[1]:.2f}"
        )
    n = next(iter(found.values())).base.n if found else 0
    return "\n".join([*lines, f"n = {n} questions; 95 % bootstrap intervals"])


def _shown(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
