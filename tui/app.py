"""The application: wiring only."""

import gc
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from core.config import Config
from core.errors import PlacetError
from core.session.store import Store
from tui.flow.engine import EngineLike, Hear, real
from tui.flow.looking import Looking
from tui.flow.news import News
from tui.flow.review import Review, new_path
from tui.flow.work import Work
from tui.keymap import keymap
from tui.opening import Opened
from tui.panes.candidates import FilterLine
from tui.screens.review import ReviewScreen
from tui.theme import DARK, THEMES

if TYPE_CHECKING:
    from tui.flow.laboratory import Laboratory


class PlacetApp(App[int]):
    """One worker, and one session at a time."""

    TITLE = "placet"
    ENABLE_COMMAND_PALETTE = True

    review: Review
    """The session that is open, once its file is read."""

    def __init__(
        self,
        opened: Opened | Path,
        *,
        policy: str = "",
        judge: str = "",
        device: str = "auto",
        dtype: str = "auto",
        config: Config | None = None,
        engine: Callable[[Hear], EngineLike] = real,
        looking: Callable[[], Looking] = Looking,
        laboratory: "Callable[[], Laboratory] | None" = None,
    ) -> None:
        """`opened` may be the file of a session, which is read once the screen is there.

        `engine`, `looking` and `laboratory` are what tests put something of their own in for.
        """
        super().__init__()
        self.config = config or Config()
        defaults = self.config.defaults
        self.work = Work(engine, News(), defaults)
        self.failed: PlacetError | None = None
        """Why the session could not be opened, where that ended the application."""
        self._make_laboratory = laboratory
        self._opened: Opened | None = None
        self._file = opened if isinstance(opened, Path) else None
        self._looking = looking
        self._asked_to_leave = False
        self._leaving = False
        self.work.wanted = (policy or defaults.policy, judge or defaults.judge)
        self.work.place, self.work.unasked = (device, dtype), True
        self.set_keymap(keymap(self.config.keys))
        for theme in THEMES:
            self.register_theme(theme)
        known = self.config.theme in self.available_themes
        self.theme = self.config.theme if known else DARK.name
        if self.config.theme and not known:
            self.work.news.warn(
                [f"there is no theme {self.config.theme!r}; the palette lists those there are"]
            )
        if isinstance(opened, Opened):
            self._take(opened)

    @cached_property
    def laboratory(self) -> "Laboratory":
        """The laboratory, from when somebody first goes there."""
        from tui.flow.laboratory import Laboratory

        return (self._make_laboratory or Laboratory)()

    def on_mount(self) -> None:
        """Draws soon: what is painted before the application is mounted is thrown away."""
        self.call_later(self._draw)

    def _draw(self) -> None:
        """Draws first; worker and reading start once there is something to look at."""
        store = None
        if self._file:
            from tui.screens.opening import OpeningScreen

            store = Store(self._file)
            self.push_screen(OpeningScreen(store))
        else:
            self.push_screen(ReviewScreen(self.review))
        self.call_after_refresh(self._begin, store)

    def on_unmount(self) -> None:
        """Lets others have the session, and ends a run, however this ends."""
        if "laboratory" in vars(self):
            self.laboratory.leave()
        if self._opened:
            self.review.saver.free()

    def _begin(self, store: Store | None) -> None:
        gc.freeze()  # what the start made stays until the end
        gc.enable()
        self.run_worker(self._start(store), group="engine")

    async def _start(self, store: Store | None) -> None:
        await self.work.start()
        if store:
            await self._read(store)
        else:
            self._begun()

    async def _read(self, store: Store) -> None:
        """Reads the session that the application was opened with, and shows it."""
        from tui.screens.opening import take_up

        try:
            opened = await take_up(self, store, self.config.operator, self.work.news)
        except PlacetError as error:
            self.failed, opened = error, None
        if opened is None:
            await self.work.stop()
            self.exit(1, return_code=1)
        else:
            self._take(opened)
            gc.freeze()  # so does a long session: a pass through it takes longer than a key
            await self._show()

    def _take(self, opened: Opened) -> None:
        session = opened.session
        blind = self.review.blind if self._opened else self.config.blind
        self._opened = opened
        self.review = Review(
            session,
            self.work,
            opened.store or Store(new_path(session.state.scenario)),
            looking=self._looking(),
            blind=blind,
            resumed=opened.store is not None and not opened.copied,
        )

    def _begun(self) -> None:
        """Has candidates that came with a new scenario judged; a resumed session is left alone."""
        if self._opened and self._opened.copied:
            self.review.saver.ask()
        elif self._opened and not self._opened.store and self.review.stuck():
            self.review.check()

    async def show(self, opened: Opened) -> None:
        """Leaves the session, which is saved, and shows another one."""
        await self._close()
        self._take(opened)
        await self._show()

    async def _show(self) -> None:
        """Shows the session in the place of the screen that is there; the palette may lie on it."""
        while len(self.screen_stack) > 2:  # Textual's own screen is the first
            await self.pop_screen()
        self._asked_to_leave = False
        await self.switch_screen(ReviewScreen(self.review))
        self._begun()

    async def _close(self) -> None:
        if self._opened:
            await self.review.close()

    async def action_quit(self) -> None:
        """Leaves, if what happened is on disk; else asks first. Asked twice, it leaves."""
        if isinstance(self.screen, ReviewScreen) and self.screen.asking:
            return  # typed ahead of a dialog that is on its way
        saver = self.review.saver if self._opened else None
        if saver:
            await saver.flush()
        if saver is None or not saver.dirty or self._asked_to_leave:
            await self._leave(True)
            return
        self._asked_to_leave = True
        from tui.dialogs import Confirm

        told = f"{saver.problem}\n\nWhat is not saved is lost then. Save as keeps it elsewhere."
        self.push_screen(Confirm("Leave without saving?", told, do="Leave"), self._leave)

    async def _leave(self, yes: bool | None) -> None:
        """Leaves: worker and run have stopped then."""
        self._asked_to_leave = False
        if not yes or self._leaving:
            return
        self._leaving = True
        if "laboratory" in vars(self) and self.laboratory.tuning:
            self.work.news.say("Stopping the laboratory's run with a checkpoint.")
            await self.laboratory.close()
        await self._close()
        await self.work.stop()
        self.exit(0)

    def on_key(self, event: events.Key) -> None:
        """A word typed ahead of the filter went to the list, and comes here: it is put in place."""
        if isinstance(self.focused, FilterLine) and event.is_printable and event.character:
            event.prevent_default()
            self.focused.insert_text_at_cursor(event.character)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: what the keys of the screen do, by name, then Textual's own.

        Not those that fill the screen with one pane: what is decided must be in view.
        """
        if commands := getattr(screen, "commands", None):
            yield from commands()
        for found in super().get_system_commands(screen):
            if found.title not in ("Maximize", "Minimize"):
                yield found
