"""The values: each with its weight as a bar and a number, and the statement of the one in view."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from core.domain.values import Profile, Value
from tui.draw import MUTED, bar, weight
from tui.keys import Place, bindings
from tui.literal import cut, literal
from tui.rows import RowList
from tui.scroll import Told, entitle

STEP = 0.05
"""How far one press moves a weight."""


def title_of(value_id: str) -> str:
    """A value's id as a person would write it."""
    words = value_id.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


class ValueList(RowList[Value]):
    """One line a value."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.VALUES)
    ALONE = True

    class Weigh(Message):
        """A weight is to be another."""

        def __init__(self, value: str, weight: float) -> None:
            self.value = value
            self.weight = weight
            super().__init__()

    class Switch(Message):
        """A value is to be off, or on again, whichever it is not by then."""

        def __init__(self, value: str) -> None:
            self.value = value
            super().__init__()

    class Nudge(Message):
        """A weight is to be more, or less, than it is by then."""

        def __init__(self, value: str, by: float) -> None:
            self.value = value
            self.by = by
            super().__init__()

    def __init__(self) -> None:
        super().__init__(id="value-list")

    def key_of(self, row: Value) -> str:
        """The value's id."""
        return row.id

    def show(self, rows: Sequence[Value]) -> None:
        """Draws other values; the longest of their names makes the columns."""
        if [row.id for row in rows] != [row.id for row in self.rows]:
            self._drawn.clear()
        super().show(rows)

    def _columns(self, width: int) -> tuple[int, int]:
        longest = max((len(row.id) for row in self.rows), default=8)
        name = min(longest, max(8, width // 2))
        return name, max(4, min(24, width - name - 11))

    def draw(self, row: Value, width: int, under_cursor: bool) -> Content:
        """Name, bar and number."""
        name, bars = self._columns(width)
        mark = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        if row.weight == 0:
            return Content.assemble(mark, (cut(title_of(row.id), name), MUTED), ("  ○ off", MUTED))
        return Content.assemble(
            mark, cut(title_of(row.id), name), "  ", bar(row.weight, bars), " ", weight(row.weight)
        )

    def clicked(self, number: int, x: int) -> None:
        """A click on the bar sets the weight."""
        name, bars = self._columns(self.scrollable_content_region.width)
        start = 2 + name + 2
        if start <= x < start + bars:
            self.post_message(
                self.Weigh(self.rows[number].id, round((x - start + 1) / bars / STEP) * STEP)
            )

    def action_weight(self, steps: int) -> None:
        """Moves the weight."""
        if row := self.current:
            self.post_message(self.Nudge(row.id, steps * STEP))

    def action_switch(self) -> None:
        """Switches off, or back on at the weight it had."""
        if row := self.current:
            self.post_message(self.Switch(row.id))

    def action_ask(self, what: str) -> None:
        """Has something else done about the values, at once: the next key belongs to a dialog."""
        screen: Any = self.screen
        screen.ask_values(what, self.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No weight moves by what is typed ahead of a dialog."""
        return not (action in ("weight", "switch") and getattr(self.screen, "asking", False))


class Statement(Told):
    """What a value says. Where there is no room for all of it, that is seen."""

    def render_line(self, y: int) -> Strip:
        """One line; the last one in view ends with an ellipsis where there are more."""
        strip = super().render_line(y)
        width, height = self.size
        if y < height - 1 or self.get_content_height(self.size, self.size, width) <= height:
            return strip
        return Strip([*strip.crop(0, width - 2), Segment(" …", self.rich_style)])


class ValuesPane(Vertical):
    """The list, with the statement below."""

    def compose(self) -> ComposeResult:
        """The statement has the last lines."""
        yield ValueList()
        yield Statement(id="statement", markup=False)

    @property
    def list(self) -> ValueList:
        """The lines."""
        return self.query_one(ValueList)

    def show(self, profile: Profile) -> None:
        """Draws a profile."""
        name = literal(profile.title or profile.name, one_line=True)
        entitle(self, Content("1 Values · ") + name)
        self.list.show(list(profile.values))
        self.show_statement()

    def show_statement(self) -> None:
        """Writes out what the value under the cursor says."""
        row = self.list.current
        self.query_one(Statement).tell(literal(row.statement, MUTED) if row else Content(""))
