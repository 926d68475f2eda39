"""The candidates as a list: ranked, filtered, sorted, with what is being written."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, overload

from core.domain.candidate import Candidate, Standing
from core.domain.verdict import UNJUDGED, Risk, Verdict
from core.session.state import State

_SHOWN: dict[str, str] = {Standing.PENDING: "to decide", Risk.UNJUDGED: "not judged"}
"""What the screen calls them, where that is another word."""


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


class Rows(Sequence[Row]):
    """Rows by their keys. Each is made when it is drawn: of thousands, only those in view."""

    def __init__(self, keys: Sequence[str], make: Callable[[str], Row]) -> None:
        self._keys = keys
        self._make = make

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return Rows(self._keys[place], self._make)
        return self._make(self._keys[place])

    def place(self, key: str) -> int | None:
        """Where the row of that key is, if it is there."""
        return self._keys.index(key) if key in self._keys else None


def listing(
    state: State,
    *,
    order: Order = Order.RANK,
    needle: str = "",
    hidden: frozenset[str] = frozenset(),
    before: Mapping[str, int] | None = None,
    drafts: Mapping[str, str] | None = None,
    doing: Mapping[str, str] | None = None,
) -> Rows:
    """The rows to draw. `before` holds the ranks that counted before the weights changed.

    Where any verdict is `hidden`, no rank tells in the order, so that it gives nothing away.
    """
    drafts, doing, before = drafts or {}, doing or {}, before or {}
    ranked = state.ranking()
    ranks = {name: place for place, name in enumerate(ranked, start=1)}
    if hidden and order in (Order.RANK, Order.ALIGNMENT):
        order = Order.ARRIVAL
    names = ranked if order is Order.RANK else list(state.candidates)
    if order is Order.STANDING:
        names.sort(
            key=lambda name: (state.candidates[name].standing.decided, not hidden and ranks[name])
        )
    elif order is Order.ALIGNMENT:
        names.sort(key=lambda name: state.order(name)[1])
    tokens = needle.lower().split()
    if tokens:
        names = [name for name in names if _has(state, name, tokens, name in hidden)]

    def row(name: str) -> Row:
        if name not in state.candidates:
            return Row(name, 0, None, UNJUDGED, drafts[name], 0, bool(hidden), "writing")
        candidate, kept_back = state.candidates[name], name in hidden
        return Row(
            key=name,
            rank=0 if hidden else ranks[name],
            candidate=candidate,
            verdict=UNJUDGED if kept_back else state.verdict(name),
            text=drafts.get(name, candidate.text),
            moved=before[name] - ranks[name] if name in before and not hidden else 0,
            hidden=kept_back,
            doing=doing.get(name, ""),
        )

    return Rows([*names, *(name for name in drafts if name not in state.candidates)], row)


def _has(state: State, name: str, tokens: Sequence[str], kept_back: bool) -> bool:
    """Whether a candidate has all of these words: in its text, its standing or its risk."""
    candidate, verdict = state.candidates[name], state.verdict(name)
    risk = "hidden" if kept_back else "stale" if verdict.stale else verdict.risk
    told = [name, candidate.text]
    told += [f"{one} {_SHOWN.get(one, '')}" for one in (candidate.standing, risk)]
    hay = " ".join(told).lower()
    return all(token in hay for token in tokens)
