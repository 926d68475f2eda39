"""Questions put to a judge, with the answers and what they ought to have been.

One pass over the model yields raw logits; calibrating them afterwards costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import TypeVar

import torch

from core.domain.danger import features
from core.domain.verdict import Risk, RiskRule
from core.errors import BadInput, ModelProblem
from core.models.judge_model import JudgeModel
from core.models.readout import Asked, Calibration, action_segment, ask, value_segment
from core.models.trained import windows
from core.models.trees import depth
from core.stages.heads import STRIDE, TREE_TOKENS, WINDOW
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

TREE = 4 * TREE_TOKENS
"""Tokens of actions and values in one tree, without its context: the largest situation of the
corpus has 864. An action's values are read in pieces of `TREE_TOKENS`."""

_NONE = (math.nan, math.nan, math.nan)

T = TypeVar("T")

_Part = tuple[str, list[int]]
"""An action, or a window of it, and which of the questions are asked of it there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One question put to the judge, with what it ought to say."""

    group: str
    """Situation or story: rows of one group are not independent."""
    domain: str
    kind: str
    """Where the statement comes from."""
    action: int
    """Place of the action among all of its group."""
    value: str
    label: Label
    logits: tuple[float, float, float]
    """As they come from the head: keeps, unrelated, breaks. Of an action in several windows, as
    they come from the one of lowest score; the chances and harm are of the worst."""
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
    """(group, domain, case) → every question answered, in order, under the judge's calibration.

    A long action is read as by `HeadsJudge`: in windows, of which the worst counts.

    Raises:
        BadInput: a context with an action and a value does not fit into the model's positions.
        ModelProblem: the judge gave a number that is none.
    """
    tokenize = lru_cache(maxsize=4096)(judge.tokenize)
    blank: list[Answer] = []
    trees: list[list[_Part]] = []
    asked: list[Asked] = []

    def below(place: int) -> int:
        return len(tokenize(value_segment(blank[place].value)))

    def tokens(part: _Part) -> int:
        return len(tokenize(action_segment(part[0]))) + sum(map(below, part[1]))

    actions = Counter[str]()
    for group, domain, case in named:
        parts: list[_Part] = []
        for act in case.acts:
            places = range(len(blank), len(blank) + len(act.questions))
            blank += [
                Answer(group, domain, q.kind, actions[group], q.value, q.label, _NONE, math.nan)
                for q in act.questions
            ]
            actions[group] += 1
            some = [*_filled(places, below, TREE_TOKENS)]
            pieces = windows(lambda text: len(tokenize(text)), act.text, WINDOW, STRIDE)
            parts += [(window, span) for window in pieces for span in some]
        for tree in _filled(parts, tokens, TREE):
            trees.append(tree)
            asked.append(
                ask(
                    tokenize,
                    case.context,
                    [window for window, _ in tree],
                    [[blank[place].value for place in span] for _, span in tree],
                    case.order,
                    case.label,
                )
            )
            if (deep := depth(asked[-1].tree)) > judge.room:
                raise BadInput(
                    f"with an action and a value it comes to {deep} tokens; "
                    f"the judge reads at most {judge.room}",
                    where=f"{group}: context",
                    mend="Shorten it.",
                )
    heard: list[list[Answer]] = [[] for _ in blank]
    for tree, reading in zip(trees, judge.read(asked, watch=watch), strict=True):
        logits = iter(reading.respect.tolist())
        for (_, span), harm in zip(tree, reading.harm.tolist(), strict=True):
            for place in span:
                found = replace(blank[place], logits=tuple(next(logits)), harm_logit=harm)
                if not all(map(math.isfinite, (*found.logits, harm))):
                    raise ModelProblem("the judge gave a number that is none", where=found.group)
                heard[place].append(found)
    told = iter(calibrated([one for many in heard for one in many], judge.calibration))
    return [_worst([next(told) for _ in many]) for many in heard]


def _filled(parts: Iterable[T], tokens: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Neighbours together, as many as fit: the mask over a tree grows with its square."""
    some: list[T] = []
    length = 0
    for part in parts:
        more = tokens(part)
        if some and length + more > most:
            yield some
            some, length = [], 0
        some.append(part)
        length += more
    if some:
        yield some


def _worst(many: Sequence[Answer]) -> Answer:
    """The answer to one question, of those to the windows of its action."""
    return replace(
        min(many, key=lambda one: one.score),
        chances=max((one.chances for one in many), key=itemgetter(Label.BREAKS.value)),
        harm_logit=max(one.harm_logit for one in many),
        harm=max(one.harm for one in many),
    )


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
