"""A text that may be longer than its place, and the keys of a list to scroll it with."""

from typing import ClassVar

from textual.binding import BindingType
from textual.containers import VerticalScroll

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
