"""The corpus of the policy and the aligner: our own scenarios, actions and rewrites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from core.domain.scenario import Scenario
from core.training.data import hashed_share, rows

POLICY = "policy.jsonl"
ALIGN = "align.jsonl"


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


def held_out(scene: Scene, share: float) -> bool:
    """Whether a scenario is kept for testing: by the hash of its goal, so that nothing leaks."""
    return hashed_share(scene.scenario.goal) < share


def _scene(row: dict[str, Any]) -> Scene:
    return Scene(Scenario(goal=row["goal"], context=row["context"]))
