"""The judge put to the test: unseen norms, the same turned round, the corpus's held-out third.

Every table carries an action-only row: the harm head read as "1 - harm", which never sees a value.
A judge that is no better has not read the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from core.domain.verdict import Risk, RiskRule
from core.errors import BadInput, ModelProblem
from core.models.judge_model import JudgeModel
from core.training import measure
from core.training.answers import (
    ActionAnswer,
    Answer,
    corpus_answers,
    decided,
    foundation_answers,
    levels,
    story_answers,
    whole_actions,
)
from core.training.data import (
    Case,
    Label,
    Split,
    corpus_case,
    evenly,
    read_stories,
    split_situations,
)
from core.training.measure import Bools, Figure, Floats, Ints, Row
from core.training.people import FOUNDATIONS
from core.training.rivals import Rival
from core.training.rivals import questions as rivals_questions
from core.watch import SILENT, Watch

SITUATIONS = 1000
"""Held-out situations that are read at the end of a training; `placet evaluate judge` reads all."""

ENOUGH = 5
"""Rows that keep a value, and as many that break it, before a figure is given for it alone."""

VALUES = 10
"""Values that stand in a table with a figure of their own; in JSON all do."""


def value_rows(name: str, found: Sequence[Answer], threshold: float, violation: float) -> list[Row]:
    """AUROC, accuracy, calibration and neutral level over answers."""
    clear = decided(found)
    positive = np.array([a.label is Label.KEEPS for a in clear])
    groups = [a.group for a in clear]
    score = np.array([a.score for a in clear])
    blind = np.array([1 - a.harm for a in clear])
    cut = measure.best_threshold(blind, positive)

    def both(figure: str, of: Callable[[Floats, Bools], float]) -> Row:
        return Row(
            name,
            figure,
            measure.with_interval(lambda i: of(score[i], positive[i]), groups),
            measure.with_interval(lambda i: of(blind[i], positive[i]), groups),
        )

    table = [
        both("AUROC keeps/breaks", measure.auroc),
        Row(
            name,
            "accuracy keeps/breaks",
            measure.share(measure.right(score, positive, threshold), groups),
            measure.share(measure.right(blind, positive, cut), groups),
        ),
        both("calibration error", measure.calibration_error),
    ]
    for figure, pairs in _both_pairs(clear):
        origin = [clear[keeps].group for keeps, _ in pairs]
        table.append(
            Row(name, figure, _ordered(score, pairs, origin), _ordered(blind, pairs, origin))
        )
    foreign = [a for a in found if a.label is Label.UNRELATED]
    if foreign:
        level = np.array([a.score for a in foreign])
        origin = [a.group for a in foreign]
        table.append(
            Row(
                name,
                "mean score of unrelated values",
                measure.with_interval(lambda i: float(level[i].mean()), origin),
            )
        )
        marked = np.array([a.chances[Label.BREAKS.value] >= violation for a in foreign])
        table.append(Row(name, "unrelated counted as violated", measure.share(marked, origin)))
    broken = np.array([a.label is Label.BREAKS for a in found], dtype=bool)
    chance = np.array([a.chances[Label.BREAKS.value] for a in found])
    every = [a.group for a in found]
    table.append(
        Row(
            name,
            "AUROC broken/not",
            measure.with_interval(lambda i: measure.auroc(chance[i], broken[i]), every),
        )
    )
    flagged = chance[broken] >= violation
    owner = [a.group for a in found if a.label is Label.BREAKS]
    table.append(Row(name, "broken counted as violated", measure.share(flagged, owner)))
    table.append(
        Row(
            name,
            "calibration error of P(breaks)",
            measure.with_interval(lambda i: measure.calibration_error(chance[i], broken[i]), every),
        )
    )
    return table


def _both_pairs(clear: Sequence[Answer]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Contrast pairs of both kinds, where there are any."""
    told = [
        ("pairs: one value, two actions", value_pairs(clear)),
        ("pairs: one action, two values", action_pairs(clear)),
    ]
    return [(figure, pairs) for figure, pairs in told if pairs]


def _ordered(scores: Floats, pairs: Sequence[tuple[int, int]], groups: Sequence[str]) -> Figure:
    better, worse = (scores[[pair[side] for pair in pairs]] for side in (0, 1))
    return measure.share(measure.ordered(better, worse), groups)


def value_pairs(found: Sequence[Answer]) -> list[tuple[int, int]]:
    """Places (keeps, breaks) of answers that share group and value."""
    return _pairs(found, lambda a: (a.group, a.value))


def action_pairs(found: Sequence[Answer]) -> list[tuple[int, int]]:
    """Places (keeps, breaks) of answers that share group and action."""
    return _pairs(found, lambda a: (a.group, a.action))


def _pairs(found: Sequence[Answer], key: Callable[[Answer], object]) -> list[tuple[int, int]]:
    sides: dict[object, tuple[list[int], list[int]]] = {}
    for place, answer in enumerate(found):
        sides.setdefault(key(answer), ([], []))[answer.label is Label.BREAKS].append(place)
    return [(k, b) for keeps, breaks in sides.values() for k in keeps for b in breaks]


def risk_rows(name: str, found: Sequence[ActionAnswer], rule: RiskRule) -> list[Row]:
    """How well danger tells harmful from harmless, and the risk that comes out of it."""
    judged = levels(rule, found)
    danger = np.array([number for _, number in judged])
    harmful = np.array([a.harmful for a in found])
    head = np.array([a.harm for a in found])
    groups = [a.group for a in found]
    told: list[tuple[str, Callable[[Ints], float]]] = [
        ("AUROC harmful/harmless by danger", lambda i: measure.auroc(danger[i], harmful[i])),
        ("AUROC harmful/harmless by harm head", lambda i: measure.auroc(head[i], harmful[i])),
        ("calibration error of P(harm)", lambda i: measure.calibration_error(head[i], harmful[i])),
    ]
    return [Row(name, figure, measure.with_interval(of, groups)) for figure, of in told] + [
        Row(name, figure, measure.share(np.array(out), of))
        for figure, out, of in rates(found, [risk for risk, _ in judged])
    ]


def rates(
    found: Sequence[ActionAnswer], risks: Sequence[Risk]
) -> list[tuple[str, list[bool], list[str]]]:
    """What comes out as which of `risks`: figure, whether each of its actions does, their groups.

    A figure rests on its own actions alone: the others say nothing of it.
    """
    harmful, harmless, blameless = (
        [a.harmful for a in found],
        [not a.harmful for a in found],
        [a.blameless for a in found],
    )
    return [
        (
            f"{kind} that come out {level}",
            [risk is level for risk in compress(risks, chosen)],
            [a.group for a in compress(found, chosen)],
        )
        for kind, chosen, level in (
            ("harmful", harmful, Risk.LOW),
            ("harmless", harmless, Risk.HIGH),
            ("harmful", harmful, Risk.HIGH),
            ("harmless", harmless, Risk.LOW),
            ("blameless", blameless, Risk.LOW),
        )
    ]


def evaluate(judge: JudgeModel, data: Path, corpus: Path, watch: Watch = SILENT) -> list[Row]:
    """The whole table, at the thresholds of the judge's card.

    Of the held-out situations `SITUATIONS`, evenly spread: a training ends that much sooner.
    """
    threshold = float(judge.card["thresholds"]["respect"])
    violation = float(judge.card["thresholds"]["violation"])
    stories = read_stories(data / "moral_stories.dev.jsonl")
    people = story_answers(judge, stories, seed=0, watch=watch.timed("measuring on norms"))
    table: list[Row] = []
    for kinds, name in (
        (("norm", "unrelated"), "unseen norms"),
        (("edited",), "unseen norms turned by an edit"),
        (("reworded",), "unseen norms turned and reworded"),
    ):
        table += value_rows(name, [a for a in people if a.kind in kinds], threshold, violation)
    held = evenly(split_situations(corpus, Split.HELD_OUT), SITUATIONS)
    found = corpus_answers(judge, held, watch.timed("measuring on held-out situations"))
    table += value_rows("corpus, held out", found, threshold, violation)
    for domain in sorted({s.domain for s in held}):
        clear = decided([a for a in found if a.domain == domain])
        table.append(_auroc_row(f"held out: {domain}", clear))
    whole = whole_actions([corpus_case(one) for one in held], found)
    table += risk_rows("corpus, held out", whole, RiskRule.of_card(judge.card))
    foundation = foundation_answers(judge, data)
    for name in FOUNDATIONS:
        if asked := [a for a in foundation if a.kind == name]:
            table.append(_auroc_row(f"foundation: {name}", asked))
    return table


def labelled_rows(
    name: str,
    named: Sequence[tuple[str, str, Case]],
    found: Sequence[Answer],
    card: dict[str, Any],
    rivals: Sequence[Rival] = (),
) -> list[Row]:
    """The figures for rows that somebody brings, of which `found` are the judge's answers.

    Risk only where the rows say what does harm.
    """
    threshold = float(card["thresholds"]["respect"])
    violation = float(card["thresholds"]["violation"])
    cases = [case for _, _, case in named]
    if not decided(found):
        raise BadInput("no row keeps its value or breaks it: there is nothing to measure by")
    table = value_rows(name, found, threshold, violation)
    for rival in rivals:
        table += rival_rows(name, rival, cases, found)
    for domain in sorted({answer.domain for answer in found} - {""}):
        if clear := decided([a for a in found if a.domain == domain]):
            table.append(_auroc_row(f"{name}: {domain}", clear))
    if all(act.harm is not None for case in cases for act in case.acts):
        table += risk_rows(name, whole_actions(cases, found), RiskRule.of_card(card))
    return table


def by_value(name: str, found: Sequence[Answer]) -> list[Row]:
    """How well keeping is told from breaking of each value that often enough is one and the other.

    The value asked most often comes first.
    """
    asked: dict[str, list[Answer]] = {}
    for answer in decided(found):
        asked.setdefault(answer.value, []).append(answer)
    often = sorted(asked.items(), key=lambda one: -len(one[1]))
    return [
        _auroc_row(f"{name}: {value}", clear, "AUROC keeps/breaks of one value")
        for value, clear in often
        if ENOUGH <= sum(a.label is Label.KEEPS for a in clear) <= len(clear) - ENOUGH
    ]


def rival_rows(
    name: str, rival: Rival, cases: Sequence[Case], found: Sequence[Answer]
) -> list[Row]:
    """What a rival makes of the rows of which `found` are the judge's answers."""
    asked = [one for one in rivals_questions(cases) if one.label is not Label.UNRELATED]
    score = rival.score(asked[: rival.most])
    if not np.isfinite(score).all():
        raise ModelProblem("it gave a number that is none", where=rival.name)
    clear = decided(found)[: rival.most]
    positive = np.array([a.label is Label.KEEPS for a in clear])
    groups = [a.group for a in clear]
    cut = measure.best_threshold(score, positive)
    told = f"{name} · {rival.name}"
    table = [
        Row(
            told,
            "AUROC keeps/breaks",
            measure.with_interval(lambda i: measure.auroc(score[i], positive[i]), groups),
        ),
        Row(
            told,
            "accuracy keeps/breaks",
            measure.share(measure.right(score, positive, cut), groups),
        ),
    ]
    for figure, pairs in _both_pairs(clear):
        origin = [clear[keeps].group for keeps, _ in pairs]
        table.append(Row(told, figure, _ordered(score, pairs, origin)))
    return table


def _auroc_row(name: str, clear: Sequence[Answer], figure: str = "AUROC keeps/breaks") -> Row:
    positive = np.array([a.label is Label.KEEPS for a in clear])
    groups = [a.group for a in clear]
    score, blind = np.array([a.score for a in clear]), np.array([1 - a.harm for a in clear])
    return Row(
        name,
        figure,
        measure.with_interval(lambda i: measure.auroc(score[i], positive[i]), groups),
        measure.with_interval(lambda i: measure.auroc(blind[i], positive[i]), groups),
    )
