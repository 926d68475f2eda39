"""The application: wiring only."""

import gc
from collections.abc import Callable, Iterable
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from core.config import Config
from core.session.session import Session
from tui.flow.engine import EngineLike, Hear, real
from tui.flow.looking import Looking
from tui.flow.news import News
from tui.flow.review import Review, new_path
from tui.flow.work import Defaults, Work
from tui.keymap import keymap
from tui.keys import KEYS, Place
from tui.opening import Opened
from tui.screens.review import ReviewScreen
from tui.theme import DARK, THEMES


class PlacetApp(App[int]):
    """One worker, and one session at a time."""

    TITLE = "placet"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        opened: Opened,
        *,
        policy: str = "",
        judge: str = "",
        device: str = "auto",
        dtype: str = "auto",
        config: Config | None = None,
        seed: int | None = None,
        engine: Callable[[Hear], EngineLike] = real,
        looking: Callable[[], Looking] = Looking,
    ) -> None:
        """`engine` and `looking` are what tests put something of their own in for."""
        super().__init__()
        self.config = config or Config()
        defaults = self.config.defaults
        self.work = Work(
            engine,
            News(),
            Defaults(
                defaults.candidates, defaults.rewrites, defaults.seed if seed is None else seed
            ),
        )
        self._opened = opened
        self._looking = looking
        self.work.first = (policy or defaults.policy, judge or defaults.judge, device, dtype)
        self.set_keymap(keymap(self.config.keys))
        for theme in THEMES:
            self.register_theme(theme)
        known = self.config.theme in self.available_themes
        self.theme = self.config.theme if known else DARK.name
        self.review = self._review(opened)

    def on_mount(self) -> None:
        """Draws first; the worker starts once there is something to look at."""
        self.push_screen(ReviewScreen(self.review))
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        gc.freeze()  # what the start made stays until the end
        gc.enable()
        self.run_worker(self._start(), group="engine")

    async def _start(self) -> None:
        await self.work.start()
        self.judge_what_came_in()

    def _review(self, opened: Opened) -> Review:
        session: Session = opened.session
        return Review(
            session,
            self.work,
            opened.path or new_path(session.state.scenario),
            looking=self._looking(),
            blind=self.config.blind,
            resumed=opened.path is not None,
        )

    def judge_what_came_in(self) -> None:
        """Has candidates that came with a new scenario judged; a resumed session is left alone."""
        if self._opened.path is None and self.review.stuck():
            self.review.check()

    async def show(self, opened: Opened) -> None:
        """Leaves the session, which is saved, and shows another one."""
        await self.review.close()
        self._opened = opened
        self.review = self._review(opened)
        self.work.news.last = None
        await self.switch_screen(ReviewScreen(self.review))
        self.judge_what_came_in()

    async def action_quit(self) -> None:
        """Leaves: what happened is on disk, and the worker has stopped."""
        await self.review.close()
        await self.work.stop()
        self.exit(0)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every key of the review screen by its name, then Textual's own."""
        if isinstance(screen, ReviewScreen):
            for key in KEYS:
                if key.place is Place.REVIEW and key.id not in ("palette", "quit"):
                    yield SystemCommand(
                        f"{key.label[:1].upper()}{key.label[1:]} ({screen.key_of(key.id)})",
                        key.tooltip,
                        lambda action=key.action: self.run_worker(
                            self.run_action(action, screen), group="palette"
                        ),
                    )
            yield from screen.pane_commands()
        yield from super().get_system_commands(screen)


def run_review(
    target: str | None = None,
    *,
    profile: str = "",
    policy: str = "",
    judge: str = "",
    device: str = "auto",
    dtype: str = "auto",
    seed: int = 0,
) -> int:
    """Opens the review screen and gives the exit status. Raises `PlacetError` before it opens."""
    from core.config import load_config
    from tui.opening import open_target

    config = load_config()
    opened = open_target(
        target or config.defaults.scenario,
        profile or config.defaults.profile,
        config.operator,
    )
    app = PlacetApp(
        opened,
        policy=policy,
        judge=judge,
        device=device,
        dtype=dtype,
        config=config,
        seed=seed or None,
    )
    return app.run() or 0
