"""A list of lines with a cursor, drawn line by line: thousands of rows cost no more than ten."""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import RenderOptions, Visual

from tui.keys import Place, bindings

T = TypeVar("T")

_KEPT = 1000
"""Lines that are kept as they were drawn: some screens of them, not those of a long session."""


class AtLine(Message):
    """Something happened at the line `key` of a list."""

    def __init__(self, rows: "RowList[Any]", key: str) -> None:
        self.rows = rows
        self.key = key
        super().__init__()

    @property
    def control(self) -> "RowList[Any]":
        """The list."""
        return self.rows


class RowList(ScrollView, Generic[T], can_focus=True):
    """Lines of type `T`, one cell high each, with the cursor on one of them.

    Subclasses say how a line is drawn (`draw`) and which key it is known by (`key_of`): the cursor
    stays on the key, not on the place, when lines move.
    """

    DEFAULT_CSS = """
    RowList {
        height: 1fr; background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .rows--cursor { background: $primary 24%; color: $foreground; text-style: bold; }
        & > .rows--blurred { background: $primary 9%; color: $foreground; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor", "rows--blurred"}
    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.LIST)
    HEADER = 0
    """Lines at the top that do not scroll."""
    ALONE = False
    """Whether a line depends on its row and on nothing else: it is drawn once then, and again only
    for another row."""

    cursor: reactive[int] = reactive(0, repaint=False)

    class Moved(AtLine):
        """The cursor is on another line, or the line under it is another."""

        by_hand = True
        """Whether a key or a click moved it, and not the list that changed under it."""

    class Chosen(AtLine):
        """A line was clicked twice: what enter does is the screen's to say."""

    def __init__(self, *, id: str) -> None:
        """Nothing to show yet."""
        super().__init__(id=id)
        self.rows: Sequence[T] = []
        self._drawn: dict[tuple[int, bool, int, bool], tuple[T, Strip]] = {}
        self._painted: dict[int, Strip] = {}
        self._key = ""

    def key_of(self, row: T) -> str:
        """The name a line is known by."""
        raise NotImplementedError

    def draw(self, row: T, width: int, under_cursor: bool) -> Content:
        """A line, at most `width` cells wide."""
        raise NotImplementedError

    def header(self, width: int) -> Content:
        """The line at the top that does not scroll."""
        return Content("")

    def empty(self) -> Content:
        """What to say where there is nothing."""
        return Content("")

    @property
    def key(self) -> str:
        """The name of the line under the cursor; empty where there is none."""
        return self._key

    @property
    def current(self) -> T | None:
        """The line under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[T]) -> None:
        """Draws other lines. The cursor stays with its key, or at its place where that is gone."""
        old = self.key
        self.rows = rows
        if not self.ALONE:
            self._drawn.clear()
        place = self.place_of(old) if old else None
        if place is None:
            place = max(0, min(self.cursor, len(rows) - 1))
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows) + self.HEADER)
        self._place(place, by_hand=False)

    def go_to(self, key: str) -> None:
        """Puts the cursor on the line of that name."""
        place = self.place_of(key)
        if place is not None:
            self._place(place)

    def place_of(self, key: str) -> int | None:
        """Where the line of that name is, if it is there."""
        return next((n for n, row in enumerate(self.rows) if self.key_of(row) == key), None)

    def _place(self, number: int, *, by_hand: bool = True) -> None:
        number = max(0, min(number, len(self.rows) - 1))
        self.cursor = number
        key = self.key_of(self.rows[number]) if self.rows else ""
        self._scroll_into_view()
        self._repaint()
        if key != self._key:
            self._key = key
            # Straight to the screen, and not from pane to pane: what follows from it is there in
            # time for the same frame.
            moved = self.Moved(self, key)
            moved.by_hand = by_hand
            self.screen.post_message(moved)

    def _repaint(self) -> None:
        """Has those lines painted that are not as they were painted last."""
        width, height = self.scrollable_content_region.size
        if not self.rows or not self._painted:
            self.refresh()
            return
        for y in range(self.HEADER, height):
            if self._line(y) != self._painted.get(y):
                self.refresh(Region(0, y, width, 1))

    def _scroll_into_view(self) -> None:
        height = self.scrollable_content_region.height - self.HEADER
        if height <= 0:
            return
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def action_down(self) -> None:
        """The next line."""
        self._place(self.cursor + 1)

    def action_up(self) -> None:
        """The line before."""
        self._place(self.cursor - 1)

    def action_page_down(self) -> None:
        """A page further."""
        self._place(self.cursor + max(1, self.size.height - self.HEADER - 1))

    def action_page_up(self) -> None:
        """A page back."""
        self._place(self.cursor - max(1, self.size.height - self.HEADER - 1))

    def action_first(self) -> None:
        """The first line."""
        self._place(0)

    def action_last(self) -> None:
        """The last line."""
        self._place(len(self.rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """Puts the cursor where the mouse is."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADER:
            return
        number = offset.y - self.HEADER + self.scroll_offset.y
        if 0 <= number < len(self.rows):
            self._place(number)
            self.clicked(number, offset.x)
            if event.chain == 2:
                self.post_message(self.Chosen(self, self.key))

    def clicked(self, number: int, x: int) -> None:
        """A line was clicked at column `x`; the cursor is on it."""

    def on_resize(self) -> None:
        """Lines are as wide as the list."""
        self._drawn.clear()
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.rows) + self.HEADER)
        self._scroll_into_view()

    def notify_style_update(self) -> None:
        """Other colours: everything is drawn anew."""
        self._drawn.clear()
        super().notify_style_update()

    def on_focus(self) -> None:
        """The cursor is brighter with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor is fainter without the focus."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        self._painted[y] = strip = self._line(y)
        return strip

    def _line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not self.rows:
            return self._empty_line(y, width)
        if y < self.HEADER:
            return self._strip(self.header(width), width, "")
        number = y - self.HEADER + self.scroll_offset.y
        if number >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row, under = self.rows[number], number == self.cursor
        place = (number, under, width, self.has_focus)
        known = self._drawn.get(place)
        if known is None or known[0] != row:
            style = ("rows--cursor" if self.has_focus else "rows--blurred") if under else ""
            if len(self._drawn) >= _KEPT:
                self._drawn.clear()
            known = row, self._strip(self.draw(row, width, under), width, style)
            self._drawn[place] = known
        return known[1]

    def _empty_line(self, y: int, width: int) -> Strip:
        drawn = Visual.to_strips(
            self, self.empty(), width, None, self.visual_style, pad=True, apply_selection=False
        )
        return drawn[y] if y < len(drawn) else Strip.blank(width, self.rich_style)

    def _strip(self, content: Content, width: int, component: str) -> Strip:
        style = self.get_visual_style(component) if component else self.visual_style
        strips = content.render_strips(
            width, 1, style, RenderOptions(self._get_style, {"text_wrap": "nowrap"})
        )
        strip = strips[0] if strips else Strip.blank(width)
        return strip.adjust_cell_length(width, style.rich_style)
