"""What the review screen begins with: a session taken up again, or a new one on a scenario."""

from pathlib import Path
from typing import NamedTuple

from core import library, paths
from core.errors import BadInput, PlacetError
from core.files import Warn
from core.session.events import Settings
from core.session.hold import Held
from core.session.session import Session
from core.session.store import Store, is_session, session_named


class Opened(NamedTuple):
    """A session, and where it is kept."""

    session: Session
    store: Store | None
    """`None` for a new session, which has no file yet."""
    copied: bool = False
    """Whether it was read from another file than it is kept in from now on."""


def new_session(
    target: str = "", profile: str = "", operator: str = "", *, settings: Settings | None = None
) -> Opened:
    """A session on a scenario, by its name or file; on the demo scenario where none is named.

    Raises `PlacetError`: scenario or profile is missing or cannot be read.
    """
    scenario = library.load_scenario(target or library.DEMO)
    values = library.profile_for(scenario, profile)
    return Opened(Session.start(values, scenario, settings=settings, operator=operator), None)


def open_session(store: Store, operator: str = "", *, warn: Warn | None = None) -> Opened:
    """The session in a file, which nobody else can open then. `Held` says who has it already."""
    try:
        store.hold.take()
    except Held:
        raise
    except PlacetError:
        pass  # it can be read all the same; saving says what is wrong
    try:
        return Opened(store.read(operator=operator, warn=warn), store)
    except BaseException:
        store.hold.free()
        raise


def open_copy(store: Store, operator: str = "", *, warn: Warn | None = None) -> Opened:
    """The session in a file that somebody else has open, kept in a file of its own from now on."""
    session = store.read(operator=operator, warn=warn)
    return Opened(session, store.at(_copy_of(store.path)), copied=True)


def _copy_of(path: Path) -> Path:
    number = 1
    while (found := paths.sessions() / f"{path.stem}-copy-{number}.toml").exists():
        number += 1
    return found


def session_file(target: str) -> Path | None:
    """The file of the session that `target` names, if it is one.

    Raises `BadInput` where a file of that name cannot be read.
    """
    if not target:
        return None
    path = session_named(target)
    try:
        found = path.is_file() and (is_session(path) or path.parent == paths.sessions())
    except OSError as error:
        raise BadInput(f"it cannot be read ({error.strerror})", where=str(path)) from None
    return path if found else None
