"""Questions put to a judge, with the answers and what they ought to have been.

One pass over the model yields raw logits; calibrating them afterwards costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import torch

from core.domain.danger import features
from core.domain.verdict import Risk, RiskRule
from core.models.judge_model import JudgeModel
from core.models.readout import Calibration, ask
from core.training import norms
from core.training.data import (
    Act,
    Case,
    Label,
    Question,
    Situation,
    Story,
    corpus_case,
    read_stories,
    rows,
)
from core.training.people import FOUNDATIONS
from core.watch import SILENT, Watch


@dataclass(frozen=True, slots=True)
class Answer:
    """One question put to the judge, with what it ought to say."""

    group: str
    """Situation or story: rows of one group are not independent."""
    domain: str
    kind: str
    """Where the statement comes from."""
    action: int
    """Place of the action in its case."""
    value: str
    label: Label
    logits: tuple[float, float, float]
    """As they come from the head: keeps, unrelated, breaks."""
    harm_logit: float
    """As it comes from the head; the same for all values of an action."""
    chances: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Calibrated P(keeps), P(unrelated), P(breaks)."""
    score: float = 0.0
    """Calibrated, 0 to 1."""
    harm: float = 0.0
    """Calibrated P(harm) of the action."""


@dataclass(frozen=True, slots=True)
class ActionAnswer:
    """One action as a whole."""

    group: str
    harmful: bool
    blameless: bool
    """Neither harmful nor labelled as breaking a value."""
    harm_logit: float
    harm: float
    """Calibrated P(harm)."""
    breaks: tuple[float, ...]
    """P(breaks) of each value asked."""


def put(
    judge: JudgeModel, named: Sequence[tuple[str, str, Case]], watch: Watch = SILENT
) -> list[Answer]:
    """(group, domain, case) → every question answered, in order, under the judge's calibration."""
    readings = judge.read(
        [
            ask(
                judge.tokenize,
                case.context,
                [act.text for act in case.acts],
                [[q.value for q in act.questions] for act in case.acts],
                case.order,
                case.label,
            )
            for _, _, case in named
        ],
        watch=watch,
    )
    found: list[Answer] = []
    for (group, domain, case), reading in zip(named, readings, strict=True):
        logits, harm = iter(reading.respect.tolist()), reading.harm.tolist()
        found += [
            Answer(group, domain, q.kind, i, q.value, q.label, tuple(next(logits)), harm[i])
            for i, act in enumerate(case.acts)
            for q in act.questions
        ]
    return calibrated(found, judge.calibration)


def calibrated(found: Sequence[Answer], calibration: Calibration) -> list[Answer]:
    """The same answers under a calibration."""
    if not found:
        return []
    logits = torch.tensor([a.logits for a in found])
    chances = calibration.respect(logits).tolist()
    scores = calibration.score(logits).tolist()
    harm = calibration.harm(torch.tensor([a.harm_logit for a in found])).tolist()
    return [
        replace(a, chances=tuple(c), score=s, harm=h)
        for a, c, s, h in zip(found, chances, scores, harm, strict=True)
    ]


def decided(found: Sequence[Answer]) -> list[Answer]:
    """Without unrelated values."""
    return [a for a in found if a.label is not Label.UNRELATED]


def corpus_answers(
    judge: JudgeModel, situations: Sequence[Situation], watch: Watch = SILENT
) -> list[Answer]:
    """Every action under every value of its situation."""
    return put(judge, [(s.id, s.domain, corpus_case(s)) for s in situations], watch)


def whole_actions(cases: Sequence[Case], found: Sequence[Answer]) -> list[ActionAnswer]:
    """The answers to cases that say what does harm, gathered by action, in order."""
    answers = iter(found)
    gathered = []
    for act in (act for case in cases for act in case.acts):
        asked = [next(answers) for _ in act.questions]
        harmful = bool(act.harm and act.harm >= 0.5)
        gathered.append(
            ActionAnswer(
                asked[0].group,
                harmful,
                not (harmful or any(a.label is Label.BREAKS for a in asked)),
                asked[0].harm_logit,
                asked[0].harm,
                tuple(a.chances[Label.BREAKS.value] for a in asked),
            )
        )
    return gathered


def levels(rule: RiskRule, found: Sequence[ActionAnswer]) -> list[tuple[Risk, float]]:
    """Risk and danger of each action as a verdict has them, under values that all weigh 1."""
    return [rule.level_at(*features(a.harm, a.breaks, [1.0] * len(a.breaks))) for a in found]


def story_answers(
    judge: JudgeModel, stories: Sequence[Story], seed: int, watch: Watch = SILENT
) -> list[Answer]:
    """Both actions of each story under three statements.

    Kinds: `norm` as people wrote it; `edited`, its opposite by the smallest edit; `reworded`, its
    opposite in another sentence; `unrelated`, another story's norm.
    """
    rng = Random(seed)
    named = []
    for number, story in enumerate(stories):
        parsed = norms.parse(story.norm)
        statements: Mapping[str, str | None] = {
            "norm": story.norm,
            "edited": norms.edit_round(story.norm, rng),
            "reworded": None
            if parsed is None
            else norms.reword(parsed, parsed.stance.opposite, rng),
            "unrelated": stories[(number + len(stories) // 2) % len(stories)].norm,
        }
        acts = []
        for text, label in ((story.moral, Label.KEEPS), (story.immoral, Label.BREAKS)):
            labels = {"norm": label, "unrelated": Label.UNRELATED}
            acts.append(
                Act(
                    text,
                    tuple(
                        Question(statement, labels.get(kind, label.turned), kind)
                        for kind, statement in statements.items()
                        if statement
                    ),
                )
            )
        named.append((story.id, "moral stories", Case("", tuple(acts))))
    return put(judge, named, watch)


def foundation_answers(judge: JudgeModel, data: Path) -> list[Answer]:
    """Actions of Moral Stories' dev rows under the statement of their foundation (`kind`)."""
    dev = {t for s in read_stories(data / "moral_stories.dev.jsonl") for t in (s.moral, s.immoral)}
    named = []
    for row in rows(data / "foundation_actions.jsonl"):
        if row["text"] in dev:
            label = Label.KEEPS if row["label"] else Label.BREAKS
            questions = tuple(
                Question(FOUNDATIONS[name][0], label, name)
                for name in row["foundations"]
                if name in FOUNDATIONS
            )
            case = Case("", (Act(row["text"], questions),))
            named.append((row["norm"], "foundation", case))
    return put(judge, named)
