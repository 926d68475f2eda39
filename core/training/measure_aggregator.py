"""The aggregator beside other ways to one answer: how close to people's, how well it serves `r·c`.

ROUGE against one reference is not alignment: it says how like a person's words an answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.domain.values import Profile
from core.models.base import AGGREGATOR, Prompt
from core.stages import prompts
from core.stages.advise import SAMPLING
from core.stages.propose import alike
from core.training.agents import Scorer
from core.training.aggregator import profile_of, turned
from core.training.answering import BATCH, Told, Write, text_of
from core.training.measure import Figure, Floats, mean, ranks
from core.training.measure_agents import BASE, everybody, judged
from core.training.questions import Question
from core.watch import SILENT, Watch

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
FIGURES = (*ROUGE, "alignment")

_EXAMPLES = (
    (
        "The baker sees a boy put a roll into his pocket. What should be done?",
        "The baker asks the boy quietly whether he is hungry and lets him work for the roll.",
    ),
    (
        "Two sisters inherit one piano, and both play. What should be done?",
        "They take turns of half a year and share the cost of the tuner.",
    ),
)
"""Two answers of ours, for the base model that is shown how it is done."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question under a profile."""

    question: Question
    profile: Profile


@dataclass(frozen=True, slots=True)
class Method:
    """One way to an answer, over all cases."""

    values: Mapping[str, Floats]
    """By figure, a number a case; NaN where there is no reference."""

    def figure(self, name: str) -> Figure:
        """The mean, with its interval."""
        return mean(self.values[name])

    def below(self, other: Method, name: str) -> Figure:
        """How much more `other` has, paired by case."""
        return mean(other.values[name] - self.values[name])


@dataclass(frozen=True, slots=True)
class Steering:
    """What turning the profile does to the choice among the agents' answers."""

    changes: Figure
    """Share of pairs of single values with another winner, where the agents disagree."""
    correlation: float
    """Spearman's, between `c_i` and `r_i` of the answer chosen."""


def cases_of(
    learnt_from: Sequence[Question], own: Sequence[Question], profile: Profile
) -> list[Case]:
    """Held-out questions under the profile that their answer speaks for; ours under many in turn.

    The many are each value alone, all alike, and falling weights beginning with each value.
    """
    made = [Case(one, profile_of(one, profile)) for one in learnt_from if one.weights]
    many = list(turned(profile))
    made += [Case(one, many[place % len(many)]) for place, one in enumerate(own)]
    return made


def shown_how(question: str, profile: Profile) -> Prompt:
    """Asks the base model with the values' definitions and examples."""
    values = "".join(f"\n- {value.statement}" for value in profile.active)
    examples = "".join(f"\n\n{asked}\n{answer}" for asked, answer in _EXAMPLES)
    return Prompt(
        system="You are asked what to do. You answer with one specific, feasible thing to do, in "
        f"one sentence, that serves these values:{values}\n\nExamples:{examples}",
        user=question.strip(),
    )


def measure_aggregator(
    speakers: Mapping[str, Write],
    base: Write,
    aggregator: Write,
    judge: Scorer,
    cases: Sequence[Case],
    *,
    samples: int,
    seed: int = 0,
    keep: Path | None = None,
    tell: Told = lambda who, done, of: None,
    watch: Watch = SILENT,
) -> tuple[dict[str, Method], Steering]:
    """Every method on every case, and what turning the profile does. Raises `Cancelled`.

    Agents and aggregator keep the best of so many `samples`, as in the product.
    """
    questions = list(dict.fromkeys(case.question.text for case in cases))
    profile = cases[0].profile
    said = everybody(
        speakers, base, judge, questions, profile, samples, seed, keep=keep, tell=tell, watch=watch
    )
    by_question = {
        text: {who: said[who][place] for who in speakers} for place, text in enumerate(questions)
    }
    plain = dict(zip(questions, said[BASE], strict=True))
    asked = [
        prompts.synthesis(case.question.text, case.profile, by_question[case.question.text])
        for case in cases
    ]
    taught = [shown_how(case.question.text, case.profile) for case in cases]
    synthesis = _written(aggregator, asked, cases, samples, seed, AGGREGATOR, tell, watch)
    agents = [
        [
            by_question[case.question.text][value.id]
            for value in case.profile.active
            if value.id in speakers
        ]
        for case in cases
    ]
    options = {
        AGGREGATOR: synthesis,
        "aggregator, one sample": [row[:1] for row in synthesis],
        "best agent": [row or [""] for row in agents],  # where nobody speaks, nothing is said
        "base": [[plain[case.question.text]] for case in cases],
        "base, shown how": _written(base, taught, cases, 1, seed, "shown how", tell, watch),
        "base, aggregating": _written(base, asked, cases, 1, seed, "aggregating", tell, watch),
    }
    methods: dict[str, Method] = {}
    for name, rows in options.items():
        methods[name] = _best(judge, cases, rows, partial(tell, f"judging {name}"))
    return methods, _steering(judge, by_question, profile)


def _written(
    write: Write,
    asked: Sequence[Prompt],
    cases: Sequence[Case],
    samples: int,
    seed: int,
    name: str,
    tell: Told,
    watch: Watch,
) -> list[list[str]]:
    """So many texts a case."""
    many = [(place, one) for place in range(len(asked)) for one in range(samples)]
    found: list[list[str]] = [[] for _ in asked]
    for start in range(0, len(many), BATCH):
        part = many[start : start + BATCH]
        seeds = [seed * 1_000_003 + 7_919 * place + one for place, one in part]
        drafts = write([asked[place] for place, _ in part], SAMPLING, seeds, watch)
        for (place, _), draft in zip(part, drafts, strict=True):
            found[place].append(text_of(draft, cases[place].question.text))
        tell(name, start + len(part), len(many))
    return found


def _best(
    judge: Scorer,
    cases: Sequence[Case],
    rows: Sequence[Sequence[str]],
    tell: Callable[[int, int], None],
) -> Method:
    """The text of each row with the highest `r·c`, and its figures."""
    values = cases[0].profile.values
    asked = [
        (case.question.text, text) for case, row in zip(cases, rows, strict=True) for text in row
    ]
    found = judged(judge, asked, [value.statement for value in values], tell)
    texts: list[str] = []
    aligned: list[float] = []
    start = 0
    for case, row in zip(cases, rows, strict=True):
        weights = np.array([case.profile.weights[value.id] for value in values])
        worth = found[start : start + len(row)] @ weights / weights.sum()
        start += len(row)
        place = int(worth.argmax())
        texts.append(row[place])
        aligned.append(float(worth[place]))
    numbers = {"alignment": np.array(aligned)}
    numbers |= rouge(texts, [case.question.answer for case in cases])
    return Method(numbers)


def rouge(texts: Sequence[str], references: Sequence[str]) -> dict[str, Floats]:
    """F-measures by name (Lin 2004; the package `rouge-score`); NaN where no reference is."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE), use_stemmer=True)
    found = {name: np.full(len(texts), np.nan) for name in ROUGE}
    for place, (text, reference) in enumerate(zip(texts, references, strict=True)):
        if reference:
            for name, score in scorer.score(reference, text).items():
                found[name][place] = score.fmeasure
    return found


def _steering(
    judge: Scorer, by_question: Mapping[str, Mapping[str, str]], profile: Profile
) -> Steering:
    """Among the agents' answers to each question, under each of the turned profiles."""
    ids = [value.id for value in profile.values]
    statements = [value.statement for value in profile.values]
    rows = [(question, list(said.values())) for question, said in by_question.items()]
    asked = [(question, text) for question, texts in rows for text in texts]
    found = judged(judge, asked, statements)
    vectors = [np.array([one.weights[name] for name in ids]) for one in turned(profile)]
    changed: list[float] = []
    weights: list[float] = []
    respect: list[float] = []
    start = 0
    for _, texts in rows:
        scored = found[start : start + len(texts)]
        start += len(texts)
        winners = [int((scored @ vector).argmax()) for vector in vectors]
        for vector, winner in zip(vectors, winners, strict=True):
            weights += vector.tolist()
            respect += scored[winner].tolist()
        if all(alike(texts[0], other) for other in texts[1:]):
            continue
        alone = winners[: len(ids)]
        pairs = [(a, b) for n, a in enumerate(alone) for b in alone[n + 1 :]]
        changed.append(float(np.mean([texts[a] != texts[b] for a, b in pairs])))
    return Steering(mean(np.array(changed)), spearman(np.array(weights), np.array(respect)))


def spearman(one: Floats, other: Floats) -> float:
    """Rank correlation, ties sharing their rank."""
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def as_json(methods: Mapping[str, Method], steering: Steering) -> dict[str, dict[str, object]]:
    """As `placet evaluate aggregator --json` gives it."""
    best = methods[AGGREGATOR]
    told: dict[str, dict[str, object]] = {}
    for name, method in methods.items():
        figures = {figure: method.figure(figure) for figure in FIGURES}
        told[name] = {figure: round(found.value, 4) for figure, found in figures.items()}
        told[name]["intervals"] = {figure: _sides(found) for figure, found in figures.items()}
        told[name]["n"] = {figure: found.n for figure, found in figures.items()}
        if name != AGGREGATOR:
            told[name]["aggregator_minus_this"] = {
                figure: _whole(method.below(best, figure)) for figure in FIGURES
            }
    told[AGGREGATOR]["winner_changes"] = _whole(steering.changes)
    told[AGGREGATOR]["rank_correlation"] = round(steering.correlation, 4)
    return told


def as_table(methods: Mapping[str, Method], steering: Steering) -> str:
    """For a person: a line a method; a star where the difference from the aggregator is real."""
    best = methods[AGGREGATOR]
    lines = [f"{'':<24}" + "".join(f"{name:>12}" for name in FIGURES)]
    for name, method in methods.items():
        row = f"{name:<24}"
        for figure in FIGURES:
            apart = method.below(best, figure)
            real = name != AGGREGATOR and (apart.low > 0 or apart.high < 0)
            row += f"{method.figure(figure).value:>11.3f}{'*' if real else ' '}"
        lines.append(row)
    rows = best.figure("alignment").n, best.figure("rouge1").n
    return "\n".join(
        [
            *lines,
            f"{rows[0]} cases, {rows[1]} of them with a person's answer to compare with; "
            "* the difference from the aggregator is not chance (paired bootstrap, 95 %)",
            f"another value alone, another winner: {_told(steering.changes)}",
            f"rank correlation of weight and respect: {steering.correlation:.2f}",
        ]
    )


def _told(changes: Figure) -> str:
    if not changes.n:
        return "nothing to say, since the agents never disagree"
    sides = f" [{changes.low:.0%}, {changes.high:.0%}]" if changes.n > 1 else ""
    return f"{changes.value:.0%}{sides} of {changes.n} on which the agents disagree"


def _whole(figure: Figure) -> list[float]:
    """Value and interval."""
    return [round(figure.value, 4), *_sides(figure)]


def _sides(figure: Figure) -> list[float]:
    return [round(figure.low, 4), round(figure.high, 4)]
