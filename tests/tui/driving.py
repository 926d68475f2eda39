"""How tests drive the screen: with an engine of their own, a clock of their own, and patience."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from core.config import Config
from core.domain.candidate import Standing
from core.domain.scenario import Scenario
from core.errors import PlacetError
from core.library import load_profile
from core.session.session import Session
from core.session.store import Store
from tests.tui.fake import FakeEngine
from tui.app import PlacetApp
from tui.dialogs import Dialog
from tui.flow.laboratory import Laboratory
from tui.flow.looking import Looking
from tui.flow.review import Review
from tui.opening import Opened, new_session
from tui.panes.candidates import CandidatesPane
from tui.screens.review import ReviewScreen

TUNER = (sys.executable, str(Path(__file__).with_name("tuner.py")))
"""A learner that learns at once."""

PATIENCE = 30.0
"""Seconds until a test gives up waiting."""


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


class Desk:
    """The app under test, and all that one wants to know about it."""

    def __init__(self, app: PlacetApp, pilot: Pilot[Any], clock: Clock, fakes: list[FakeEngine]):
        self.app, self.pilot, self.clock = app, pilot, clock
        self._fakes = fakes

    @property
    def engine(self) -> FakeEngine:
        return self._fakes[0]

    @property
    def review(self) -> Review:
        return self.app.review

    @property
    def session(self) -> Session:
        return self.review.session

    @property
    def screen(self) -> ReviewScreen:
        stack = self.app.screen_stack
        return next(screen for screen in stack if isinstance(screen, ReviewScreen))

    @property
    def cursor(self) -> str:
        return self.screen.query_one(CandidatesPane).list.key

    @property
    def dialog(self) -> Dialog[Any] | None:
        top = self.app.screen
        return top if isinstance(top, Dialog) else None

    @property
    def said(self) -> str:
        last = self.review.news.last
        return last.text if last else ""

    def standing(self, name: str) -> Standing:
        return self.session.candidates[name].standing

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Waits until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what or 'it'} never came: {self.said!r}"
            await asyncio.sleep(0.005)
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*("space" if char == " " else char for char in text))

    async def settle(self) -> None:
        """Lets what is under the cursor be there for a while."""
        await self.pilot.pause()
        self.screen.draw()
        self.clock.forward(2)

    async def go_to(self, name: str) -> None:
        self.screen.query_one(CandidatesPane).list.go_to(name)
        await self.settle()

    async def propose(self) -> None:
        many = len(self.session.candidates)
        await self.press("g")
        await self.until(
            lambda: len(self.session.candidates) > many and not self.review.work.jobs, "proposals"
        )
        await self.settle()

    async def answered(self) -> None:
        """Waits until a dialog is there."""
        await self.until(lambda: self.dialog is not None, "a dialog")

    async def closed(self) -> None:
        """Waits until no dialog is there."""
        await self.until(lambda: self.dialog is None, "the dialog's end")

    async def begin_again(self, key: str, typed: str) -> None:
        """Opens a dialog, types, leaves it with escape, and opens it once more."""
        await self.press(key)
        await self.answered()
        await self.type(typed)
        await self.press("escape")
        await self.closed()
        await self.settle()
        await self.press(key)
        await self.answered()

    def text(self) -> str:
        """What stands on the screen, line by line."""
        return "\n".join(dump(self.app))


def dump(app: PlacetApp) -> Iterable[str]:
    """The lines of the screen as text."""
    width, height = app.size
    for strip in app.screen._compositor.render_strips():
        yield "".join(segment.text for segment in strip)[: width * 2]
    del height


@asynccontextmanager
async def desk(
    opened: Opened | None = None,
    *,
    size: tuple[int, int] = (140, 40),
    config: Config | None = None,
    auto: bool = True,
    name: str = "fake-model",
    texts: tuple[str, ...] | None = None,
    tuner: tuple[str, ...] = TUNER,
    patience: float = PATIENCE,
) -> AsyncIterator[Desk]:
    """The app on the demo scenario, at a size, with a fake engine."""
    clock = Clock()
    fakes: list[FakeEngine] = []

    def make(hear: Any) -> FakeEngine:
        more = {} if texts is None else {"texts": texts}
        fakes.append(FakeEngine(hear, auto=auto, name=name, **more))
        return fakes[-1]

    app = PlacetApp(
        opened or new_session(),
        config=config,
        engine=make,
        looking=lambda: Looking(clock),
        laboratory=lambda: Laboratory(command=tuner, every=0.01, patience=patience),
        policy=name,
        judge=name,
    )
    async with app.run_test(size=size) as pilot:
        found = Desk(app, pilot, clock, fakes)
        await found.until(lambda: fakes and isinstance(app.screen, ReviewScreen), "the screen")
        if auto:
            await found.until(lambda: app.work.models, "the models")
        await found.settle()
        yield found


def new(scenario: Scenario, profile: str = "finance-outreach") -> Opened:
    """A new session on a scenario."""
    return Opened(Session.start(load_profile(profile), scenario), None)


def full(store: Store, session: object) -> None:
    """In the place of `Store.save`, a disk without room."""
    raise PlacetError("it cannot be written (No space left on device)", where=str(store.path))
