"""The candidates as a list: ranked, filtered, sorted, with what is being written."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from core.domain.candidate import Candidate
from core.domain.verdict import UNJUDGED, Verdict
from core.session.state import State


class Order(Enum):
    """What the list is sorted by."""

    RANK = "rank"
    ARRIVAL = "arrival"
    STANDING = "standing"
    ALIGNMENT = "r·c"

    @property
    def next(self) -> "Order":
        """The one after, round and round."""
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


class Row(NamedTuple):
    """One line of the list."""

    key: str
    """The candidate's id, or the name of a draft."""
    rank: int
    """1 for the best; 0 for a draft, and where ranks would give the verdict away."""
    candidate: Candidate | None
    verdict: Verdict
    text: str
    moved: int
    """Places gained since the weights were last changed; negative for places lost."""
    hidden: bool
    """Whether the verdict is kept back until there is a decision."""
    doing: str
    """What is being done about it, as one word."""


def listing(
    state: State,
    *,
    order: Order = Order.RANK,
    needle: str = "",
    hidden: frozenset[str] = frozenset(),
    before: Mapping[str, int] | None = None,
    drafts: Mapping[str, str] | None = None,
    doing: Mapping[str, str] | None = None,
) -> list[Row]:
    """The rows to draw. `before` holds the ranks that counted before the weights changed.

    Where any verdict is `hidden`, the list keeps the order of arrival, so that the order gives
    nothing away.
    """
    drafts, doing = drafts or {}, doing or {}
    ranked = state.ranking()
    ranks = {name: place for place, name in enumerate(ranked, start=1)}
    if hidden and order in (Order.RANK, Order.ALIGNMENT):
        order = Order.ARRIVAL
    names = ranked if order is Order.RANK else list(state.candidates)
    if order is Order.STANDING:
        names.sort(key=lambda name: (state.candidates[name].standing.decided, ranks[name]))
    elif order is Order.ALIGNMENT:
        names.sort(key=lambda name: -state.verdict(name).alignment)
    tokens = needle.lower().split()
    rows = []
    for name in names:
        candidate, verdict = state.candidates[name], state.verdict(name)
        kept_back = name in hidden
        told = "" if kept_back else f"{verdict.risk} {'stale' if verdict.stale else ''}"
        if tokens:
            hay = f"{name} {candidate.standing.value} {told} {candidate.text}".lower()
            if not all(token in hay for token in tokens):
                continue
        rows.append(
            Row(
                key=name,
                rank=0 if hidden else ranks[name],
                candidate=candidate,
                verdict=UNJUDGED if kept_back else verdict,
                text=drafts.get(name, candidate.text),
                moved=before[name] - ranks[name] if before and name in before else 0,
                hidden=kept_back,
                doing=doing.get(name, ""),
            )
        )
    rows += [
        Row(name, 0, None, UNJUDGED, text, 0, bool(hidden), "writing")
        for name, text in drafts.items()
        if name not in state.candidates
    ]
    return rows
