"""The corpus of the policy and the aligner: our own scenarios, actions and rewrites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from core.domain.scenario import Scenario
from core.domain.text import words
from core.training.data import (
    Harm,
    Label,
    Proposal,
    Situation,
    Split,
    hashed_share,
    rows,
    split_situations,
)

POLICY = "policy.jsonl"
ALIGN = "align.jsonl"
JUDGE = "judge"
"""The judge's situations, in the folder of the corpus."""

KEPT = 0.4
"""Share of an action's words that its better twin has too, at least."""

NEW = 6
"""Words of the twin that neither the action nor the context has, at most: none need be guessed."""

TOLD = 0.3
"""Share of a proposal's long words that its context has too, at least: few are made up."""

LONG = 5
"""Letters by which long words are told apart and compared, so that endings don't count."""

_NAMES = re.compile(r"(?<=[^.!?:] )[A-Z][a-z]+|\d[\d.,]*")
"""Figures, and words with a capital letter within a sentence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An action to rewrite."""

    action: str
    values: tuple[str, ...]
    """Statements at stake, in the organisation's words."""
    guidance: str
    """What the operator asks for besides; often empty."""
    rewrite: str
    """How it should read; the action itself where nothing is wrong with it."""

    @property
    def changed(self) -> bool:
        """Whether there was anything to mend."""
        return self.rewrite != self.action

    def among(self, rng: Random, others: Sequence[str]) -> Wish:
        """With its values in any order, one of `others` among them if there are any."""
        values = [*self.values, *([rng.choice(others)] if others else [])]
        rng.shuffle(values)
        return replace(self, values=tuple(dict.fromkeys(values)))


@dataclass(frozen=True, slots=True)
class Scene:
    """A scenario with what can be learnt from it."""

    scenario: Scenario
    actions: tuple[str, ...] = ()
    """Good next actions."""
    wishes: tuple[Wish, ...] = ()

    @property
    def changes(self) -> tuple[Wish, ...]:
        """The actions that need mending."""
        return tuple(one for one in self.wishes if one.changed)


def first_clause(action: str) -> str:
    """An action up to its first comma, colon or semicolon, where eight words stand before it.

    A small model that learns the whole sentence strays in its second half. Quotations, brackets and
    tool calls stay whole.
    """
    if action.startswith("{"):
        return action
    for end in re.finditer(r"[,;:] ", action):
        start = action[: end.start()]
        whole = start.count("(") == start.count(")") and start.count('"') % 2 == 0
        if whole and len(start.split()) >= 8:
            return f"{start}."
    return action


def read_scenes(corpus: Path, rewrites_propose: bool, first_clauses: bool = False) -> list[Scene]:
    """All scenarios of both files, in order.

    With `rewrites_propose`, rewrites in plain words count as actions of their scenario too; with
    `first_clauses`, actions end with their first clause. Rewrites stay as they are.
    """
    scenes: dict[str, Scene] = {}
    for row in rows(corpus / POLICY):
        scene = scenes.setdefault(row["goal"], _scene(row))
        scenes[row["goal"]] = replace(scene, actions=(*scene.actions, row["action"]))
    for row in rows(corpus / ALIGN):
        scene = scenes.setdefault(row["goal"], _scene(row))
        wish = Wish(row["action"], tuple(row["values"]), row["guidance"], row["rewrite"])
        actions = scene.actions
        if rewrites_propose and not wish.rewrite.startswith("{"):
            actions = (*actions, wish.rewrite)
        scenes[row["goal"]] = replace(scene, actions=actions, wishes=(*scene.wishes, wish))
    if not first_clauses:
        return list(scenes.values())
    return [
        replace(scene, actions=tuple(dict.fromkeys(map(first_clause, scene.actions))))
        for scene in scenes.values()
    ]


def situation_scenes(corpus: Path) -> list[Scene]:
    """What the judge's situations, those that it is trained on, teach a policy.

    Their actions often come as twins that differ in what decides. So one that goes against a value
    is rewritten as its twin that does not; one that is good, and says little but what its context
    told, is proposed. The context is all there is of a goal.
    """
    made = []
    for one in split_situations(corpus / JUDGE, Split.TRAIN):
        good = [action for action in one.actions if _good(action)]
        wishes = [
            Wish(bad.text, tuple(one.values[value] for value in _broken(bad)), "", twin.text)
            for bad in one.actions
            if _broken(bad) and (twin := _twin(bad, good, one.context))
        ]
        proposed = [action.text for action in good if _follows(action, one)]
        if wishes or proposed:
            scenario = Scenario(goal=one.context or one.domain)
            made.append(Scene(scenario, tuple(proposed), tuple(wishes)))
    return made


def _broken(action: Proposal) -> list[str]:
    return [value for value, label in action.labels.items() if label is Label.BREAKS]


def _good(action: Proposal) -> bool:
    return action.harm is Harm.NONE and not _broken(action)


def _twin(bad: Proposal, good: Sequence[Proposal], context: str) -> Proposal | None:
    """The good action most like this one that keeps what it breaks, call for call, if any."""
    mine, told = set(words(bad.text)), set(words(context))

    def kept(other: Proposal) -> float:
        return len(mine & set(words(other.text))) / max(1, len(mine))

    twins = [
        other
        for other in good
        if all(other.labels[value] is Label.KEEPS for value in _broken(bad))
        and other.text.startswith("{") == bad.text.startswith("{")
        and kept(other) >= KEPT
        and len(set(words(other.text)) - mine - told) <= NEW
    ]
    return max(twins, key=kept, default=None)


def _follows(action: Proposal, one: Situation) -> bool:
    """Whether an action in plain words keeps a value and could have been thought of."""
    if action.text.startswith("{") or Label.KEEPS not in action.labels.values():
        return False
    context = one.context.lower()
    if any(name.lower() not in context for name in _NAMES.findall(action.text)):
        return False
    told = {word[:LONG] for word in words(context)}
    long = [word for word in words(action.text) if len(word) >= LONG]
    return sum(word[:LONG] in told for word in long) >= TOLD * max(1, len(long))


def held_out(scene: Scene, share: float) -> bool:
    """Whether a scenario is kept for testing: by the hash of its goal, so that nothing leaks."""
    return hashed_share(scene.scenario.goal) < share


def _scene(row: dict[str, Any]) -> Scene:
    return Scene(Scenario(goal=row["goal"], context=row["context"]))
