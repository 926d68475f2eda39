"""Ways from the review screen to other sessions and other screens."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from textual.content import Content

from core import library, paths
from core.domain.scenario import Scenario
from core.errors import Refused
from core.session.store import Store
from tui.dialogs import Ask, Choice, Pick, Show
from tui.draw import MUTED
from tui.flow.news import Tone
from tui.literal import literal
from tui.opening import Opened, new_session, session_file
from tui.screens.opening import take_up
from tui.screens.replacing import may_replace
from tui.screens.workplace import Workplace

if TYPE_CHECKING:
    from tui.flow.laboratory import Laboratory


@runtime_checkable
class Host(Protocol):
    """An application that shows one session after another."""

    async def show(self, opened: Opened) -> None:
        """Leaves the session that is open, and shows this one."""


@runtime_checkable
class Housed(Protocol):
    """An application with a laboratory."""

    laboratory: "Laboratory"


def save_as(screen: Workplace) -> None:
    """Keeps the session in another file from now on."""
    saver = screen.review.saver

    async def ask() -> None:
        told = await screen.app.push_screen_wait(
            Ask(
                "Save the session as",
                value=str(saver.path),
                do="Save",
                required="A file needs a name.",
            )
        )
        if told is None:
            return
        path = Path(told).expanduser().absolute()
        if path.is_dir():
            path /= saver.path.name
        path = path if path.suffix == ".toml" else path.with_name(path.name + ".toml")
        if path != saver.path and not await may_replace(screen.app, "file", [path]):
            return
        await saver.move(path)
        screen.review.news.say(f"Saved as {path}; it is kept there from now on.")

    screen.do(ask())


def open_(screen: Workplace) -> None:
    """Opens a session or a scenario."""

    async def ask() -> None:
        found = sorted(paths.sessions().glob("*.toml"), reverse=True)
        choices = [Choice(str(path), path.stem, "session") for path in found[:200]]
        choices += _scenarios()
        told = await screen.app.push_screen_wait(
            Pick("Open a session or a scenario", choices, paths=True)
        )
        if told is not None:
            await go(screen, told)

    screen.do(ask())


async def library_(screen: Workplace) -> None:
    """Begins a session on another scenario."""
    told = await screen.app.push_screen_wait(Pick("Scenarios", _scenarios(), paths=True))
    if told is not None:
        await go(screen, told)


def _scenarios() -> list[Choice]:
    return [
        Choice(str(path), scenario.title or scenario.name, _detail(path, scenario))
        for path, scenario in library.scenarios().items()
    ]


def _detail(path: Path, scenario: Scenario) -> str:
    many = len(scenario.candidates)
    told = f"scenario {library.called(path, scenario.name)}"
    return f"{told} · {many} handed in" if many else told


async def go(screen: Workplace, target: str) -> None:
    """Leaves this session, which is saved, and opens another one or a scenario."""
    app, review = screen.app, screen.review
    if not isinstance(app, Host):
        raise Refused("there is no other session to go to here")
    await review.saver.flush()
    if review.saver.dirty:
        raise Refused(
            "this session is not saved, and would be lost",
            mend=f"{screen.key_of('save-as')} saves it elsewhere first.",
        )
    opened: Opened | None
    if path := session_file(target):
        if path.resolve() == review.saver.path.resolve():
            raise Refused("this is the session that is open")
        review.news.say(f"Reading {path.name} …")
        opened = await take_up(app, Store(path), review.session.operator, review.news)
        if opened is None:
            review.news.say("Nothing was opened.")
            return
        review.news.settle()
    else:
        defaults, operator = review.work.defaults, review.session.operator
        opened = new_session(target, defaults.profile, operator, settings=defaults.settings)
        review.news.forget()
    # Not in a worker of this screen: it ends with the screen.
    app.run_worker(app.show(opened), group="show", exclusive=True)


def sessions(screen: Workplace) -> None:
    """Browses sessions."""
    from tui.screens.sessions import SessionsScreen

    async def ask() -> None:
        review = screen.review
        told = await screen.app.push_screen_wait(SessionsScreen(review.saver, blind=review.blind))
        if told is not None:
            await go(screen, told)

    screen.do(ask())


def models(screen: Workplace) -> None:
    """Chooses models."""
    from tui.screens.models import ModelsScreen

    screen.app.push_screen(ModelsScreen(screen.review.work))


def statistics(screen: Workplace) -> None:
    """Shows how it went so far."""
    from tui.screens.statistics import StatisticsScreen

    screen.app.push_screen(StatisticsScreen(screen.review.session))


def messages(screen: Workplace) -> None:
    """Shows what was said lately, the latest first: one line has seldom room for all."""
    marks = {Tone.INFORMATION: MUTED, Tone.WARNING: "$text-warning", Tone.ERROR: "$text-error"}
    told = [literal(one.text, marks[one.tone]) for one in reversed(screen.review.news.said)]
    shown = told or [Content.styled("Nothing yet.", MUTED)]
    screen.app.push_screen(Show("What was said", *shown))


def speak_for(screen: Workplace) -> None:
    """Shows whom each agent speaks for, and what it says."""
    from tui.screens.speaking import SpeakingScreen

    screen.app.push_screen(SpeakingScreen(screen.review, screen.key_of("agents")))


def laboratory(screen: Workplace) -> None:
    """Goes to the laboratory; a run there goes on when one comes back."""
    from tui.screens.laboratory import LaboratoryScreen

    app = screen.app
    if not isinstance(app, Housed):
        raise Refused("there is no laboratory here")
    app.push_screen(LaboratoryScreen(app.laboratory, screen.review.work))


def help_(screen: Workplace) -> None:
    """Shows all keys."""
    from tui.screens.help import HelpScreen

    screen.app.push_screen(HelpScreen(screen.key_of))


DO: dict[str, Callable[[Workplace], None]] = {
    "save_as": save_as,
    "open": open_,
    "sessions": sessions,
    "models": models,
    "statistics": statistics,
    "speak_for": speak_for,
    "messages": messages,
    "laboratory": laboratory,
    "help": help_,
}
