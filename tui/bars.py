"""The lines at the top and at the bottom: where we are, what runs, what to press."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.draw import MUTED, bar
from tui.flow.news import Notice, Tone
from tui.keymap import key_of
from tui.keys import BY_ID, Key
from tui.literal import cut, literal

ROOMY = 110
"""Cells from which on the footer keeps its height, so that nothing jumps from pane to pane."""


class Item(NamedTuple):
    """A key in the footer."""

    shown: str
    label: str
    action: str
    node: DOMNode
    tooltip: str
    group: int
    """0 for what comes first to mind, 1 for the rest, which is drawn fainter."""


def items(node: DOMNode, keys: Iterable[Key]) -> list[Item]:
    """Keys that work on a node and come first to mind."""
    return [
        Item(key_of(node.app, key.id), key.label, key.action, node, key.tooltip, 0) for key in keys
    ]


def moving(node: DOMNode) -> Item:
    """Both ways through a list, as one."""
    key = BY_ID["down"]
    shown = f"{key_of(node.app, 'down')} {key_of(node.app, 'up')}"
    return Item(shown, key.label, key.action, node, key.tooltip, 0)


class KeyBar(Widget):
    """All keys that work now, in as many lines as it takes. Each can be clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[Item, ...] = ()
        self._most = 1

    def show(self, items: tuple[Item, ...]) -> None:
        """Shows other keys; the screen is laid out anew only where they take other lines."""
        if items != self.items:
            width = self.size.width
            before = self.get_content_height(None, None, width)
            self.items = items
            self._most = max(self._most, len(self._flow(items, width)))
            self.refresh(layout=self.get_content_height(None, None, width) != before)

    def on_resize(self) -> None:
        """At another width it takes other lines."""
        self._most = 1

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many lines as the keys take."""
        lines = max(1, len(self._flow(self.items, width)))
        return max(lines, self._most) if width >= ROOMY else lines

    @staticmethod
    def _flow(items: Sequence[Item], width: int) -> list[list[tuple[int, Item]]]:
        """The items of each line, with the column each begins at."""
        out: list[list[tuple[int, Item]]] = [[]]
        at = 1
        for item in items:
            size = cell_len(item.shown) + 1 + cell_len(item.label)
            if at + size > width - 1 and out[-1]:
                out.append([])
                at = 1
            out[-1].append((at, item))
            at += size + 2
        return out

    def render(self) -> RenderResult:
        """The lines."""
        parts = []
        for line in self._flow(self.items, self.size.width):
            text = Content(" ")
            for place, (_, item) in enumerate(line):
                text += Content("  " if place else "")
                text += Content.styled(item.shown, "bold $footer-key-foreground")
                style = MUTED if item.group else "$footer-description-foreground"
                text += Content.styled(f" {item.label}", style)
            parts.append(text)
        return Content("\n").join(parts)

    def item_at(self, x: int, y: int) -> Item | None:
        """The key at a place."""
        flow = self._flow(self.items, self.size.width)
        if 0 <= y < len(flow):
            for begin, item in flow[y]:
                if begin <= x < begin + cell_len(item.shown) + 1 + cell_len(item.label):
                    return item
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The sentence about a key, as a tooltip."""
        item = self.item_at(event.x, event.y)
        self.tooltip = item.tooltip if item else None

    async def on_click(self, event: events.Click) -> None:
        """A click is as good as the key."""
        if item := self.item_at(event.x, event.y):
            await self.app.run_action(item.action, item.node)


class StatusLine(Widget):
    """Where we are on the left, how the machine does on the right."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self._left: Sequence[Content] = ()
        self._right: Sequence[Content] = ()
        self._title = ""

    def tell(self, title: str, left: Sequence[Content], right: Sequence[Content]) -> None:
        """Shows other things; those at the end are left out first where there is no room."""
        if (title, left, right) != (self._title, self._left, self._right):
            self._title, self._left, self._right = title, left, right
            self.refresh()

    def render(self) -> RenderResult:
        """One line."""
        width = self.size.width
        name = Content.styled(" placet ", "bold $primary")
        gap = Content.styled(" · ", MUTED)
        right = list(self._right)
        left = list(self._left)

        def used() -> int:
            parts = sum(part.cell_length + 3 for part in (*left, *right))
            return name.cell_length + parts + 2

        while right and used() > width - 12:
            right.pop(0)
        while left and used() > width - 12:
            left.pop()
        room = max(0, width - used())
        title = (
            Content(cut(self._title, min(room, cell_len(self._title)))) if room > 3 else Content("")
        )
        start = name + title
        for part in left:
            start += Content("   ") + part
        end = gap.join(right) + Content(" ")
        return start + Content(" " * max(1, width - start.cell_length - end.cell_length)) + end


class ActivityLine(Widget):
    """What runs and how far it is; else the last thing that was said."""

    def __init__(self) -> None:
        super().__init__(id="activity")
        self._text = Content("")

    def running(
        self,
        what: str,
        done: int,
        total: int,
        left: float,
        more: int,
        key: str,
        notice: Notice | None = None,
    ) -> None:
        """Shows a bar, and before it `what` runs, or a notice that has just come.

        Where there is too little room, that is cut, and not how to cancel it.
        """
        tail = Content("")
        if total:
            tail += Content.assemble(
                "  ", bar(done / total, 16), Content.styled("▏", MUTED), f" {done} of {total}"
            )
        else:
            tail += Content.styled(" …", MUTED)
        if left >= 1:
            tail += Content.styled(f"   {left:.0f} s left", MUTED)
        if more:
            tail += Content.styled(f"   {more} more waiting", MUTED)
        if key:
            tail += Content.styled(f"   {key}", "bold $footer-key-foreground")
            tail += Content.styled(" cancels", MUTED)
        room = self.size.width - tail.cell_length - 1
        if notice is None:
            head = Content.styled(f" {cut(what, min(room, cell_len(what)))}", "bold $text-accent")
        else:
            head = _told(notice).truncate(max(room, 1), ellipsis=True)
        self._show(head + tail)

    def saying(self, notice: Notice | None, hint: Content) -> None:
        """Shows what was said last, or a hint."""
        self._show(Content(" ") + hint if notice is None else _told(notice))

    def _show(self, text: Content) -> None:
        if not text.is_same(self._text):
            self._text = text
            self.refresh()

    def render(self) -> RenderResult:
        """One line."""
        return self._text.truncate(self.size.width, ellipsis=True)


def _told(notice: Notice) -> Content:
    mark, style = {
        Tone.INFORMATION: ("·", "$text-accent"),
        Tone.WARNING: ("!", "bold $text-warning"),
        Tone.ERROR: ("!", "bold $text-error"),
    }[notice.tone]
    return Content.styled(f" {mark} ", style) + literal(notice.text, one_line=True)


class TabLine(Widget):
    """The panes by name, where they share a place."""

    NAMES = (("values", "1 Values"), ("scenario", "2 Scenario"), ("candidates", "3 Candidates"))

    active: reactive[str] = reactive("candidates")

    def __init__(self, names: Sequence[tuple[str, str]] = NAMES, *, id: str = "tabs") -> None:
        """The panes by their ids, with what is shown of each."""
        super().__init__(id=id)
        self._names = names

    def render(self) -> RenderResult:
        """One line."""
        parts = [Content(" ")]
        for name, label in self._names:
            style = "bold reverse $primary" if name == self.active else MUTED
            parts.append(Content.styled(f" {label} ", style))
            parts.append(Content(" "))
        return Content("").join(parts)

    async def on_click(self, event: events.Click) -> None:
        """Goes to the pane."""
        at = 1
        for name, label in self._names:
            if at <= event.x < at + len(label) + 2:
                await self.app.run_action(f"pane('{name}')", self.screen)
            at += len(label) + 3


def stands(screen: Screen[Any]) -> bool:
    """Whether there is something to draw on: when Placet ends, the lines go before their screen."""
    return screen.is_attached and bool(screen.query(ActivityLine))
