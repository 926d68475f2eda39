"""Windows that ask for something. They keep what was typed, and none approves on enter alone."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from tui.draw import MUTED, lines
from tui.keymap import key_of
from tui.keys import Place, bindings
from tui.line import Line
from tui.literal import cut, literal
from tui.rows import RowList
from tui.scroll import TextScroll

T = TypeVar("T")

Held = Callable[[str], bool]
"""Whether a key is still held down from before the dialog opened."""


class Knob(Static, can_focus=True):
    """A button in one line, with the key that does the same."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "press", "press", show=False)]

    class Pressed(Message):
        """It was pressed."""

        def __init__(self, knob: "Knob") -> None:
            self.knob = knob
            super().__init__()

        @property
        def control(self) -> "Knob":
            """The button."""
            return self.knob

    def __init__(self, label: str, key: str, *, id: str, classes: str = "") -> None:
        shown = Content.styled(f"{key} ", "bold $footer-key-foreground") if key else Content("")
        super().__init__(shown + Content(label), id=id, classes=classes, markup=False)

    def on_click(self) -> None:
        """A click presses it."""
        self.action_press()

    def action_press(self) -> None:
        """Says so."""
        self.post_message(self.Pressed(self))


async def _unless_held(self: Widget, event: events.Key) -> None:
    """A key that is still held down from opening the dialog types nothing."""
    dialog = self.screen
    if isinstance(dialog, Dialog) and dialog.swallows(event.key):
        event.stop()
        event.prevent_default()


class Field(Line):
    """A line of text."""

    _on_key = _unless_held


class Area(TextArea):
    """Several lines of text."""

    _on_key = _unless_held


class About(TextScroll):
    """What a dialog is about. Where that is long it scrolls: the field below it stays in view."""

    def __init__(self, text: Content) -> None:
        super().__init__(Static(text, markup=False), classes="about")

    def allow_focus(self) -> bool:
        """Tab stops here only where there is more to see."""
        return self.max_scroll_y > 0


class Dialog(ModalScreen[T]):
    """A window above the screen. Escape closes it; `None` is its answer then."""

    CSS_PATH = "dialogs.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.DIALOG)
    AUTO_FOCUS = ".first"

    def __init__(self, title: str, *, held: Held | None = None) -> None:
        super().__init__()
        self.heading = title
        self._held = held
        self._answered = False

    def compose(self) -> ComposeResult:
        """A frame; subclasses fill it."""
        with Vertical(classes="window") as window:
            window.border_title = Content(self.heading)
            yield from self.inside()

    def inside(self) -> ComposeResult:
        """What stands in the frame."""
        yield from ()

    def swallows(self, key: str) -> bool:
        """Whether that key is only the one that opened the dialog, still held down."""
        if self._held is None:
            return False
        if self._held(key):
            return True
        self._held = None
        return False

    @property
    def closes(self) -> str:
        """The key that closes it."""
        return key_of(self.app, "close")

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Answers, once, and only on top: of two keys that come together the second is nobody's."""
        if self._answered or not self.is_current:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    def action_close(self) -> None:
        """Closes without an answer."""
        self.dismiss(None)

    @on(Knob.Pressed, "#close")
    def _close_pressed(self) -> None:
        self.action_close()


class Ask(Dialog[str | None]):
    """Asks for a line of text: a reason, guidance, a name."""

    def __init__(
        self,
        title: str,
        *,
        about: Content | None = None,
        placeholder: str = "",
        value: str = "",
        do: str = "OK",
        required: str = "",
        danger: bool = False,
        meant: Callable[[], bool] | None = None,
        keep: Callable[[str], None] | None = None,
        held: Held | None = None,
    ) -> None:
        """`required` is what to say where nothing was typed; empty where that will do.

        With `meant`, which tells an enter of its own from a held key's, `value` is sent by a
        second one: the first may have been typed ahead by who did not know that it is there.
        """
        super().__init__(title, held=held)
        self._about = about
        self._placeholder = placeholder
        self._value = value
        self._do = do
        self._required = required
        self._danger = danger
        self._meant = meant
        self._warned = False
        self._keep = keep

    def inside(self) -> ComposeResult:
        """A line to type in."""
        if self._about is not None:
            yield About(self._about)
        yield Field(self._value, placeholder=self._placeholder, classes="first", id="line")
        yield Static("", id="problem", markup=False)
        with Horizontal(classes="buttons"):
            yield Knob(self._do, "enter", id="do")
            yield Knob("Cancel", self.closes, id="close")

    def on_mount(self) -> None:
        """Danger has a frame of its own."""
        self.set_class(self._danger, "-danger")

    @on(Input.Submitted)
    @on(Knob.Pressed, "#do")
    def _submitted(self) -> None:
        text = self.query_one("#line", Input).value.strip()
        if self._required and not text:
            self._refuse(self._required)
        elif self._meant and text == self._value.strip():
            self._send_again(self._meant())
        else:
            self.dismiss(text)

    def _send_again(self, meant: bool) -> None:
        if meant and self._warned:
            self.dismiss(self._value.strip())
        elif meant:
            self._warned = True
            self._refuse("This is what you typed before. Enter again, if you still mean it.")

    def _refuse(self, why: str) -> None:
        self.query_one("#problem", Static).update(Content.styled(f"! {why}", "$text-error"))
        self.query_one("#line", Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        """What is typed is kept; whoever asked lets go of it once it has done its work."""
        if self._keep:
            self._keep(event.value)


class Edit(Dialog[dict[str, str] | None]):
    """Lets some texts be edited: each has a name, and what it holds."""

    def __init__(
        self,
        title: str,
        texts: dict[str, str],
        *,
        short: Sequence[str] = (),
        about: Content | None = None,
        check: Callable[[dict[str, str]], str] | None = None,
        tell: Callable[[dict[str, str]], str] | None = None,
        draft: dict[str, str] | None = None,
        keep: Callable[[dict[str, str] | None], None] | None = None,
        held: Held | None = None,
    ) -> None:
        """Those named in `short` take one line. `check` gives what is wrong, if anything.

        `tell` gives what is to be said of the texts while they are typed.
        `draft` is what was made of `texts` the last time, and not sent.
        """
        super().__init__(title, held=held)
        self._texts = texts
        self._draft = draft or texts
        self._short = short
        self._about = about
        self._check = check
        self._tell = tell
        self._keep = keep

    def inside(self) -> ComposeResult:
        """A field for each text."""
        if self._about is not None:
            yield About(self._about)
        for number, (name, text) in enumerate(self._draft.items()):
            yield Static(literal(name), classes="label", markup=False)
            first = "first" if number == 0 else ""
            if name in self._short:
                yield Field(text, id=f"field-{number}", classes=first)
            else:
                yield Area(
                    text,
                    id=f"field-{number}",
                    classes=first,
                    tab_behavior="focus",
                    soft_wrap=True,
                    highlight_cursor_line=False,
                )
        yield Static("", id="problem", markup=False)
        with Horizontal(classes="buttons"):
            yield Knob("Save", key_of(self.app, "take-over"), id="do")
            yield Knob("Cancel", self.closes, id="close")
            yield Static("tab  next field", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Several areas share the room that one has."""
        self.set_class(len(self.query(Area)) > 1, "-several")

    def _now(self) -> dict[str, str]:
        told = {}
        for number, name in enumerate(self._texts):
            field = self.query_one(f"#field-{number}")
            told[name] = field.value if isinstance(field, Input) else ""
            if isinstance(field, TextArea):
                told[name] = field.text
        return told

    @on(Knob.Pressed, "#do")
    def action_done(self) -> None:
        """Takes the texts over, if nothing is wrong with them."""
        told = self._now()
        if self._check and (problem := self._check(told)):
            self.query_one("#problem", Static).update(
                Content.styled("! ", "$text-error") + literal(problem, "$text-error")
            )
            return
        self.dismiss(told)

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _typed(self) -> None:
        """What is typed is kept; whoever asked lets go of it once it has done its work."""
        now = self._now()
        if self._tell:
            self.query_one("#problem", Static).update(literal(self._tell(now), MUTED))
        if self._keep:
            self._keep(None if now == self._texts else now)


class Choice(NamedTuple):
    """Something to pick."""

    key: str
    label: str
    detail: str = ""


class _Choices(RowList[Choice]):
    can_focus = False

    def key_of(self, row: Choice) -> str:
        return row.key

    def draw(self, row: Choice, width: int, under_cursor: bool) -> Content:
        mark = Content.styled("▸ " if under_cursor else "  ", "$primary")
        left = min(max(24, width // 2), width - 2)
        return (
            mark
            + Content(cut(row.label, left))
            + Content.styled(cut(row.detail, max(0, width - left - 2)), MUTED)
        )

    def empty(self) -> Content:
        return Content.styled("  Nothing matches.", MUTED)


class _Words(Field):
    """What narrows a list down. The letter that moves in other lists is typed here: arrows move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "screen.down", show=False),
        Binding("up", "screen.up", show=False),
        Binding("pagedown", "screen.page_down", show=False),
        Binding("pageup", "screen.page_up", show=False),
    ]


class Pick(Dialog[str | None]):
    """Lets one of several be picked; words narrow the list down, and a path may be typed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.LIST)

    def __init__(self, title: str, choices: Sequence[Choice], *, paths: bool = False) -> None:
        super().__init__(title)
        self._choices = list(choices)
        self._paths = paths

    def inside(self) -> ComposeResult:
        """A line to type in, and the list below."""
        hint = "words to narrow it down" + (", or the path of a file" if self._paths else "")
        yield _Words(placeholder=hint, classes="first", id="line")
        yield _Choices(id="choices")
        with Horizontal(classes="buttons"):
            yield Knob("Choose", "enter", id="do")
            yield Knob("Cancel", self.closes, id="close")
            yield Static("↑ ↓  move", classes="hint", markup=False)

    def on_mount(self) -> None:
        """All of them to begin with."""
        self.add_class("-tall")
        self.query_one(_Choices).show(self._choices)

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        tokens = event.value.lower().split()
        self.query_one(_Choices).show(
            [
                choice
                for choice in self._choices
                if all(token in f"{choice.label} {choice.detail}".lower() for token in tokens)
            ]
        )

    def action_down(self) -> None:
        """The next one."""
        self.query_one(_Choices).action_down()

    def action_up(self) -> None:
        """The one before."""
        self.query_one(_Choices).action_up()

    def action_page_down(self) -> None:
        """A page further."""
        self.query_one(_Choices).action_page_down()

    def action_page_up(self) -> None:
        """A page back."""
        self.query_one(_Choices).action_page_up()

    @on(Input.Submitted)
    @on(Knob.Pressed, "#do")
    @on(RowList.Chosen)
    def _chosen(self) -> None:
        typed = self.query_one("#line", Input).value.strip()
        rows = self.query_one(_Choices)
        if self._paths and typed and ("/" in typed or "." in typed) and not rows.rows:
            self.dismiss(typed)
        elif rows.key:
            self.dismiss(rows.key)


class Confirm(Dialog[bool | None]):
    """Asks yes or no; no has the focus."""

    def __init__(self, title: str, about: str, *, do: str) -> None:
        super().__init__(title)
        self._about = about
        self._do = do

    def inside(self) -> ComposeResult:
        """The question, and two buttons."""
        yield About(literal(self._about))
        with Horizontal(classes="buttons"):
            yield Knob("Cancel", self.closes, id="close", classes="first")
            yield Knob(self._do, "tab enter", id="do")

    @on(Knob.Pressed, "#do")
    def _yes(self) -> None:
        self.dismiss(True)


class Show(Dialog[None]):
    """Shows a text that may be long."""

    def __init__(self, title: str, *parts: Content) -> None:
        super().__init__(title)
        self._text = lines(*parts)

    def inside(self) -> ComposeResult:
        """The text, and how to close it."""
        with TextScroll(id="scroll", classes="first"):
            yield Static(self._text, id="text", markup=False)
        with Horizontal(classes="buttons"):
            yield Knob("Close", self.closes, id="close")
            keys = f"{key_of(self.app, 'down')} {key_of(self.app, 'up')}"
            yield Static(f"{keys}  scroll", classes="hint", markup=False)

    def on_mount(self) -> None:
        """There is room for a lot."""
        self.add_class("-tall")
