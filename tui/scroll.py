"""Texts that are painted where they change, and one that may be longer than its place."""

from typing import ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.keys import Place, bindings


class TextScroll(VerticalScroll, can_focus=True):
    """Scrolls at once: of keys that come faster than a frame, none is lost."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.LIST)

    def action_down(self) -> None:
        """A line down."""
        self.scroll_down(animate=False, immediate=True)

    def action_up(self) -> None:
        """A line up."""
        self.scroll_up(animate=False, immediate=True)

    def action_page_down(self) -> None:
        """A page down."""
        self.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self.scroll_page_up(animate=False)

    def action_first(self) -> None:
        """To the top."""
        self.scroll_home(animate=False, immediate=True)

    def action_last(self) -> None:
        """To the end."""
        self.scroll_end(animate=False, immediate=True)


class Told(Static):
    """A text that is told again and again, and is often the same, or as high, as before."""

    def tell(self, content: Content) -> None:
        """Shows another text. The screen is laid out anew only where that takes other lines."""
        shown = self.content
        if isinstance(shown, Content) and content.is_same(shown):
            return
        self.update(content, layout=False)
        width, height = self.scrollable_content_region.size
        if self.styles.auto_dimensions and (
            not width or self.get_content_height(self.size, self.size, width) != height
        ):
            self.refresh(layout=True)


def entitle(pane: Widget, title: Content, under: Content | None = None) -> None:
    """Writes a pane's title, and what stands on its lower border; the same again paints nothing."""
    if title.markup != pane.border_title:
        pane.border_title = title
    if under is not None and under.markup != (pane.border_subtitle or ""):
        pane.border_subtitle = under
