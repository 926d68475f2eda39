"""What candidates pay, where that can be told as a game of two, and what it shows of each."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Letter = Literal["C", "D"]
"""A move: cooperate or defect."""

Points = Annotated[float, Meta(ge=0, le=100)]
"""Never negative: a constant added to all payoffs changes no game."""

Cell = tuple[Points, Points]
"""What whoever acts gets, and the other side."""


class Payoffs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A 2×2 table for a scenario. The first letter of a cell is the move of whoever acts.

    Which move a candidate is, the candidate says itself (`HandedIn.move`).
    """

    opponent: str = ""
    """Who the other side is, as a reader is to be told."""
    opponent_last: Letter
    """What the other side did last; the deontological rule asks for nothing else."""
    cc: Cell
    cd: Cell
    dc: Cell
    dd: Cell

    def __post_init__(self) -> None:
        if len(self.opponent) > 60:
            raise ValueError("the name of the opponent has at most 60 characters")
        if not any(map(sum, (self.cc, self.cd, self.dc, self.dd))):
            raise ValueError("every payoff is 0, so nothing is at stake")


class Lens(Struct, frozen=True, kw_only=True):
    """One candidate seen as a move: its rewards under two moral principles.

    It stands beside the verdict and never changes it.
    """

    move: Letter
    opponent: str
    opponent_last: Letter
    deontological: float
    """-ξ where it defects after the other side cooperated, else 0."""
    xi: float
    utilitarian: tuple[float, float]
    """The sum of both payoffs if the other side now cooperates, and if it now defects."""
    best: float
    """The highest sum in the table."""

    @property
    def told(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """A line for each principle: its name, and what it says."""
        other = self.opponent or "the other side"
        if self.opponent_last == "D":
            norm = f"the norm asks nothing after {other} defected"
        elif self.move == "D":
            norm = f"defects after {other} cooperated"
        else:
            norm = f"cooperates as {other} did"
        if_c, if_d = self.utilitarian
        return (
            ("deontological", f"{self.deontological:g}: {norm}"),
            (
                "utilitarian",
                f"{if_c:g} if they cooperate now, {if_d:g} if they defect; at most {self.best:g}",
            ),
        )

    @property
    def table(self) -> dict[str, Any]:
        """The same for other programs."""
        return {
            "move": self.move,
            "opponent_last": self.opponent_last,
            "xi": self.xi,
            "deontological": self.deontological,
            "utilitarian": dict(zip("CD", self.utilitarian, strict=True)),
            "best": self.best,
        }
