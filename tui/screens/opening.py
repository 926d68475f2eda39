"""Taking a session up from its file: the screen is there first, and the file is read beside it."""

import asyncio
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.content import Content

from core.session.hold import Held
from core.session.store import Store
from tui.bars import ActivityLine, Item, KeyBar, StatusLine
from tui.draw import MUTED
from tui.flow.news import News
from tui.keymap import key_of
from tui.literal import literal
from tui.opening import Opened, open_copy, open_session
from tui.panes.candidates import CandidatesPane
from tui.screens.layout import Layout

_LEAVE = "Leave without opening it"

FRAME = 0.1
"""Seconds between two looks at how far the reading is."""


class OpeningScreen(Layout):
    """The panes while the session for them is read."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, "app.quit", "quit", tooltip=_LEAVE, id=name)
        for name, key in (("quit", "q"), ("cancel", "escape"))
    ]

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def on_mount(self) -> None:
        """Says what is read, and how far that is."""
        path = self._store.path
        for pane, title in (
            ("values", "1 Values"),
            ("scenario", "2 Scenario"),
            ("candidates", "3 Candidates"),
            ("verdict", "4 Verdict"),
        ):
            self.query_one(f"#{pane}").border_title = Content(title)
        told = Content("\n  ") + literal(f"Reading {path.name}.", one_line=True)
        told += Content.styled("\n  Each event is checked against the one before.", MUTED)
        self.query_one(CandidatesPane).list.hint = told
        self.query_one(StatusLine).tell(
            path.stem, [Content.styled("… opening", "$text-accent")], []
        )
        leave = Item(key_of(self.app, "quit"), "quit", "app.quit", self, _LEAVE, 0)
        self.query_one(KeyBar).show((leave,))
        self._tell()
        self.set_interval(FRAME, self._tell)

    def _tell(self) -> None:
        done, total = self._store.read_so_far
        self.query_one(ActivityLine).running("reading", done, total, 0, 0, "")


async def take_up(app: App[Any], store: Store, operator: str, news: News) -> Opened | None:
    """The session in a file, read off the event loop; `None` where the operator would rather not.

    Where another Placet has the file, a copy is offered. To be called from a worker. Raises
    `PlacetError` where the file cannot be read.
    """
    warned: list[str] = []
    try:
        opened = await asyncio.to_thread(open_session, store, operator, warn=warned.append)
    except Held as error:
        from tui.dialogs import Confirm  # late: 30 ms that the first paint does without

        told = f"{error.problem[:1].upper()}{error.problem[1:]}.\n\n{store.path}\n\n"
        told += "A copy goes on from here by itself: what is decided there is not seen here."
        if not await app.push_screen_wait(Confirm("Open a copy?", told, do="Open a copy")):
            return None
        opened = await asyncio.to_thread(open_copy, store, operator, warn=warned.append)
    news.warn(warned)
    return opened
