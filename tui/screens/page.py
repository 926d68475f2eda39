"""What the screens beside the review screen have in common: a frame, and a footer of their own."""

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.bars import ActivityLine, Item, KeyBar
from tui.draw import lines
from tui.flow.news import Notice
from tui.keys import shown

T = TypeVar("T")


class Page(Screen[T]):
    """A screen that is gone to and come back from. Escape goes back."""

    CSS_PATH = "page.tcss"
    HEADING: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back", tooltip="Back to the review", key_display="esc")
    ]

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
        """The footer: the keys of this screen."""
        seen = dict.fromkeys(
            binding
            for kind in (type(self), Page)
            for binding in kind.__dict__.get("BINDINGS", [])
            if isinstance(binding, Binding) and binding.show
        )
        self.query_one(KeyBar).show(
            tuple(
                Item(
                    binding.key_display or shown(binding.key),
                    binding.description,
                    binding.action,
                    self,
                    binding.tooltip,
                    0,
                )
                for binding in seen
            )
        )

    def say(self, notice: Notice | None) -> None:
        """Shows a line at the bottom."""
        self.query_one(ActivityLine).saying(notice, Content(""))

    def action_back(self) -> None:
        """Goes back."""
        self.dismiss(None)


class TextPage(Page[None]):
    """A page of text that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "down", tooltip="A line down", key_display="↓"),
        Binding("up,k", "scroll(-1)", "up", tooltip="A line up", key_display="↑"),
        Binding("pagedown,space", "scroll(12)", "page", tooltip="A page down", show=False),
        Binding("pageup", "scroll(-12)", "page up", tooltip="A page up", show=False),
    ]

    def inside(self) -> ComposeResult:
        """The text."""
        with VerticalScroll(id="body"):
            yield Static(lines(*self.parts()), id="text", markup=False)

    def parts(self) -> list[Content]:
        """The lines."""
        return []

    def action_scroll(self, by: int) -> None:
        """Scrolls."""
        self.query_one("#body").scroll_relative(y=by, animate=False, force=True, immediate=True)
