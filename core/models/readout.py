"""What the judge reads: the layout of its prompt, and the linear heads over its hidden states.

Training and inference share this file, so that a judge is asked exactly as it was taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from core.models.trees import Node, Tree

LAYOUT_VERSION = 1
"""Raised whenever a segment's wording changes; weights hold for one layout only."""

Tokenize = Callable[[str], Sequence[int]]
"""Text → token ids, with no special tokens added."""


class Order(Enum):
    """Which field comes first. The second order serves to check a verdict's stability."""

    CONTEXT_FIRST = "context-first"
    ACTION_FIRST = "action-first"


def context_segment(context: str) -> str:
    """What all actions share."""
    return f"Context: {context.strip()}\n"


def action_segment(action: str) -> str:
    """What is judged; harm is read at its last token."""
    return f"Action: {action.strip()}\n"


def value_segment(value: str, label: str = "Value") -> str:
    """`label` may be "Value" or "Rule": both were trained, the second for stability checks."""
    return f"{label}: {value.strip()}\nRespected:"


@dataclass(frozen=True, slots=True)
class Asked:
    """A tree and where its answers stand in it."""

    tree: Tree
    actions: tuple[int, ...]
    """For each action, the node at whose last token harm is read."""
    values: tuple[tuple[int, ...], ...]
    """For each action and value, the node at whose last token respect is read."""

    @property
    def questions(self) -> tuple[list[int], list[int]]:
        """Nodes of all questions in order, and beside each the node of its action."""
        asked = [leaf for row in self.values for leaf in row]
        about = [end for end, row in zip(self.actions, self.values, strict=True) for _ in row]
        return asked, about


def ask(
    tokenize: Tokenize,
    context: str,
    actions: Sequence[str],
    values: Sequence[Sequence[str]],
    order: Order = Order.CONTEXT_FIRST,
    label: str = "Value",
) -> Asked:
    """One context, its actions, and for each action its own values, as a tree.

    Segments are tokenised apart, so that where one ends never depends on what follows. Without a
    context the actions are roots.
    """
    nodes: list[Node] = []

    def add(text: str, parent: int) -> int:
        nodes.append(Node(tuple(tokenize(text)), parent))
        return len(nodes) - 1

    with_context = bool(context.strip())
    shared = order is Order.CONTEXT_FIRST and with_context
    root = add(context_segment(context), -1) if shared else -1
    ends: list[int] = []
    leaves: list[tuple[int, ...]] = []
    for action, asked in zip(actions, values, strict=True):
        end = add(action_segment(action), root)
        if with_context and not shared:
            end = add(context_segment(context), end)
        ends.append(end)
        leaves.append(tuple(add(value_segment(value, label), end) for value in asked))
    return Asked(tuple(nodes), tuple(ends), tuple(leaves))


MEETING = 32
"""Factors in which an action and a value meet."""


class Heads(nn.Module):
    """Heads over hidden states that are first brought to unit root mean square.

    `harm` is linear in the action's state. What a value makes of an action (keeps, unrelated,
    breaks) is linear in the value's state, plus a low-rank bilinear term: "what the action is"
    times "what the statement wants". Without it, turning a statement round is an exclusive-or that
    a linear read-out has to wait for the layers to compute (low-rank bilinear pooling, Kim et al.
    2017).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.respect = nn.Linear(width, 3)
        self.harm = nn.Linear(width, 1)
        self.acts = nn.Linear(width, MEETING, bias=False)
        self.wants = nn.Linear(width, MEETING, bias=False)
        self.meeting = nn.Linear(MEETING, 3, bias=False)

    @staticmethod
    def normed(states: Tensor) -> Tensor:
        """Hidden states [n, width] of any dtype → float32 [n, width], each of unit RMS."""
        states = states.float()
        return states * torch.rsqrt(states.pow(2).mean(-1, keepdim=True) + 1e-6)

    def respect_logits(self, values: Tensor, actions: Tensor) -> Tensor:
        """Normed states of questions and of their actions, each [n, width] → [n, 3]."""
        logits: Tensor = self.respect(values) + self.meeting(
            self.acts(actions) * self.wants(values)
        )
        return logits

    def harm_logit(self, actions: Tensor) -> Tensor:
        """Normed states [n, width] → [n]."""
        logit: Tensor = self.harm(actions)
        return logit[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How logits become probabilities; fitted on held-out data, never on what was trained on."""

    respect_temperature: float = 1.0
    respect_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the logits of keeps, unrelated and breaks after the temperature."""
    neutral: float = 0.7
    """Credit given to P(unrelated), 0 to 1."""
    score_scale: float = 1.0
    score_bias: float = 0.0
    """Applied to the score's log-odds: among values that are kept or broken, the three chances
    alone are too timid, since some always goes to unrelated."""
    harm_scale: float = 1.0
    harm_bias: float = 0.0

    def respect(self, logits: Tensor) -> Tensor:
        """[n, 3] → probabilities [n, 3] of keeps, unrelated, breaks."""
        return torch.softmax(
            logits / self.respect_temperature + torch.tensor(self.respect_bias), dim=-1
        )

    def score(self, logits: Tensor) -> Tensor:
        """[n, 3] → scores [n] in [0, 1]: P(keeps) + neutral · P(unrelated), made bolder."""
        chances = self.respect(logits)
        timid = chances[:, 0] + self.neutral * chances[:, 1]
        return torch.sigmoid(self.score_scale * torch.logit(timid, 1e-6) + self.score_bias)

    def harm(self, logit: Tensor) -> Tensor:
        """[n] → P(the action does harm) [n]."""
        return torch.sigmoid(self.harm_scale * logit + self.harm_bias)
