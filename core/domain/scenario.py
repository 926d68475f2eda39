"""What is asked, where, and which candidates somebody handed in."""

import json
from typing import Literal

from msgspec import Struct

from core.domain.payoffs import Letter, Payoffs
from core.domain.text import digest

LONGEST_TEXT = 20_000
"""Characters that a goal, a context or a candidate may have."""


class HandedIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A candidate action that came with the scenario."""

    text: str
    source: str = ""
    """Who proposed it."""
    move: Letter | Literal[""] = ""
    """Which move of the scenario's payoff table it is, if any."""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("the text of a candidate is empty")
        if len(self.text) > LONGEST_TEXT:
            raise ValueError(f"the text of a candidate is longer than {LONGEST_TEXT} characters")


class Scenario(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A goal in a context."""

    goal: str
    context: str = ""
    name: str = ""
    title: str = ""
    profile: str = ""
    """Name of the value profile that suits it, if any."""
    payoffs: Payoffs | None = None
    """What its candidates pay, where that can be told as a game of two."""
    candidates: tuple[HandedIn, ...] = ()

    def __post_init__(self) -> None:
        if not self.goal.strip():
            raise ValueError("the goal is empty")
        for what, text in (("goal", self.goal), ("context", self.context)):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"the {what} is longer than {LONGEST_TEXT} characters")
        moves = [number for number, one in enumerate(self.candidates) if one.move]
        if moves and not self.payoffs:
            raise ValueError(
                f"candidates[{moves[0]}].move: there is no payoff table; add [payoffs], or leave "
                "the move out"
            )
        if self.payoffs and not moves:
            raise ValueError(
                'payoffs: no candidate says which move it is; give each `move = "C"` or `"D"`'
            )

    @property
    def request(self) -> str:
        """Goal and context as one text: what an answer must not merely repeat."""
        return f"{self.goal} {self.context}"

    @property
    def digest(self) -> str:
        """SHA-256 over goal and context: a verdict holds only where it was given."""
        return digest(json.dumps([self.goal, self.context], ensure_ascii=False))
