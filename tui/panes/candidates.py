"""The candidates: rank, standing, risk, `r·c` and first words; texts grow as they come."""

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from core.domain.candidate import Candidate, Source
from tui.draw import MUTED, STANDING, bar, fit, pad, risk_mark, share
from tui.flow.listing import Order, Row, Rows
from tui.line import Line
from tui.literal import cut, cut_start
from tui.rows import RowList

_WIDE = 90
"""Cells from which on there is room for longer bars."""


class CandidateList(RowList[Row]):
    """The lines."""

    HEADER = 1
    ALONE = True

    def __init__(self) -> None:
        super().__init__(id="candidate-list")
        self.hint = Content("")

    def key_of(self, row: Row) -> str:
        """The candidate's id."""
        return row.key

    def place_of(self, key: str) -> int | None:
        """Where the candidate is, without making every row."""
        rows = self.rows
        return rows.place(key) if isinstance(rows, Rows) else super().place_of(key)

    def header(self, width: int) -> Content:
        """What the columns are."""
        bars = 10 if width >= _WIDE else 6
        name = "id   " if width >= _WIDE else ""
        told = f"    #    {name}standing    risk    {'r·c':<{bars + 6}}action"
        return Content.styled(fit(told, width), MUTED)

    def draw(self, row: Row, width: int, under_cursor: bool) -> Content:
        """One candidate, or one that is being written."""
        bars = 10 if width >= _WIDE else 6
        mark = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        moved = Content("   ")
        if row.moved:
            arrow, style = ("▲", "$text-success") if row.moved > 0 else ("▼", "$text-warning")
            moved = pad(Content.styled(f"{arrow}{min(99, abs(row.moved))}", style), 3)
        rank = Content(f"{row.rank or '·':>3} ")
        if row.candidate is None:
            standing = pad(Content.styled("…writing", "$text-accent"), 12)
        else:
            word, style = STANDING[row.candidate.standing]
            standing = pad(Content.styled(f"{word:<11} ", style), 12)
        doing = row.doing and row.candidate is not None and not row.hidden
        if doing and (row.verdict.judgement is None or row.doing == "re-aligning"):
            risk = Content.styled(f"… {row.doing[:5]}", "$text-accent")
        else:
            risk = risk_mark(row.verdict, hidden=row.hidden)
        if row.verdict.judgement is None or row.verdict.stale or row.hidden:
            scored = Content.styled(pad(Content("  ·"), bars + 6).plain, MUTED)
        else:
            scored = Content.assemble(
                f"{share(row.verdict.alignment):>3} ", bar(row.verdict.alignment, bars), "  "
            )
        speaker = _speaker(row.candidate)
        named = Content("")
        if width >= _WIDE:
            named = pad(Content.styled(row.key if row.candidate else "", MUTED), 5)
        start = mark + rank + moved + named + standing + pad(risk, 8) + scored
        room = width - start.cell_length
        text = speaker + row.text
        if row.candidate is None or row.doing == "re-aligning":  # show where it grows
            return start + Content(cut_start(text, room - 1)) + Content.styled("▏", "$primary")
        decided = row.candidate.standing.decided and not under_cursor
        return start + Content.styled(cut(text, room), MUTED if decided else "")

    def empty(self) -> Content:
        """What to press."""
        return self.hint


def _speaker(candidate: Candidate | None) -> str:
    """Whose answer a candidate is, where a moral agent or the aggregator wrote its text."""
    if candidate is None:
        return ""
    origin = candidate.current.origin
    if origin.source is Source.AGENT:
        return f"{origin.name}: "
    return "synthesis: " if origin.source is Source.AGGREGATOR else ""


class FilterLine(Line):
    """The words that candidates have to contain."""

    BINDINGS: ClassVar[list[BindingType]] = []

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(CandidatesPane.FilterClosed())
        elif event.key == "down":
            event.stop()
            event.prevent_default()
            self.post_message(CandidatesPane.FilterDone())


class CandidatesPane(Vertical):
    """The list with its filter."""

    class Filtered(Message):
        """Other words."""

        def __init__(self, needle: str) -> None:
            self.needle = needle
            super().__init__()

    class FilterClosed(Message):
        """No filter any more."""

    class FilterDone(Message):
        """The filter stays, and the list has the focus again."""

    def compose(self) -> ComposeResult:
        """The filter is out of sight until it is asked for."""
        field = FilterLine(
            id="filter", placeholder="filter: words, a risk or a standing", compact=True
        )
        field.display = False
        yield field
        yield CandidateList()

    @property
    def list(self) -> CandidateList:
        """The lines."""
        return self.query_one(CandidateList)

    @property
    def filtering(self) -> bool:
        """Whether the filter is in view, with words or without."""
        return self.query_one("#filter", Input).display

    def open_filter(self) -> None:
        """Lets words be typed."""
        field = self.query_one("#filter", Input)
        field.display = True
        self.screen.set_focus(field)  # at once: the next key is one of the words

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Filtered(event.value))

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.FilterDone())

    def close_filter(self) -> None:
        """Takes the filter away."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.screen.set_focus(self.list)

    def titles(
        self,
        total: int,
        open_: int,
        shown: int,
        order: Order,
        needle: str,
        *,
        blind: bool,
        hiding: bool,
    ) -> None:
        """Says how many there are, and how they are sorted: by no rank while one is hidden."""
        parts = ["3 Candidates"]
        if total:
            parts += [str(total), f"{open_} to decide" if open_ else "all decided"]
        if needle:
            parts.append(f"{shown} shown")
        if (title := " · ".join(parts)) != str(self.border_title):
            self.border_title = Content(title)
        sort = "arrival" if hiding and order in (Order.RANK, Order.ALIGNMENT) else order.value
        under = f"by {sort}" + (" · blind" if blind else "")
        if under != str(self.border_subtitle):
            self.border_subtitle = Content(under)
