"""What the screens beside the review screen have in common: a frame, and a footer of their own."""

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.app import ComposeResult, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from tui.bars import ActivityLine, KeyBar, items, moving
from tui.draw import lines
from tui.flow.news import Notice
from tui.keymap import command
from tui.keys import KEYS, Key, Place, bindings
from tui.scroll import TextScroll

T = TypeVar("T")


class Page(Screen[T]):
    """A screen that is gone to and come back from. Escape goes back."""

    CSS_PATH = "page.tcss"
    HEADING: ClassVar[str] = ""
    PLACES: ClassVar[tuple[Place, ...]] = ()
    """Whose keys work here, beside those of every page."""
    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.PAGE)

    def compose(self) -> ComposeResult:
        """The frame, filled by the subclass."""
        with Vertical(id="frame") as frame:
            frame.border_title = Content(self.HEADING)
            yield from self.inside()
        yield ActivityLine()
        yield KeyBar()

    def inside(self) -> ComposeResult:
        """What stands in the frame."""
        yield from ()

    def on_mount(self) -> None:
        """The footer: how to move, and the keys of this screen."""
        self.query_one(KeyBar).show((moving(self.inner), *items(self, self._keys())))

    @property
    def inner(self) -> DOMNode:
        """What the keys of a list move in."""
        return self.focused or self

    def commands(self) -> Iterable[SystemCommand]:
        """The palette's entries: the keys of this screen by their names."""
        return (command(self, key, self) for key in self._keys())

    def _keys(self) -> Iterable[Key]:
        """The keys of this screen, then those of every page."""
        places = dict.fromkeys((*self.PLACES, Place.PAGE))
        return [key for place in places for key in KEYS if key.place is place]

    def say(self, notice: Notice | None) -> None:
        """Shows a line at the bottom."""
        self.query_one(ActivityLine).saying(notice, Content(""))

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leaves, unless something stands above it: that would be closed in its place."""
        return super().dismiss(result) if self.is_current else AwaitComplete()

    def action_back(self) -> None:
        """Goes back."""
        self.dismiss(None)


class TextPage(Page[None]):
    """A page of text that scrolls."""

    def inside(self) -> ComposeResult:
        """The text."""
        with TextScroll(id="body"):
            yield Static(lines(*self.parts()), id="text", markup=False)

    def parts(self) -> list[Content]:
        """The lines."""
        return []
