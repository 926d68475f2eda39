"""What the review screen begins with: a session taken up again, or a new one on a scenario."""

from pathlib import Path
from typing import NamedTuple

from core import library, paths
from core.errors import BadInput
from core.session.session import Session
from core.session.store import load

_MARK = "[[events]]"


class Opened(NamedTuple):
    """A session, and where it is kept."""

    session: Session
    path: Path | None
    """`None` for a new session, which has no file yet."""


def open_target(target: str = "", profile: str = "", operator: str = "") -> Opened:
    """The session in a file, or a new one on a scenario's name or file.

    Raises `PlacetError`: a file that is missing, cannot be read, or was tampered with.
    """
    path = _session(target)
    if path is not None:
        return Opened(load(path, operator=operator), path)
    scenario = library.load_scenario(target or library.DEMO)
    values = library.profile_for(scenario, profile)
    return Opened(Session.start(values, scenario, operator=operator), None)


def _session(target: str) -> Path | None:
    """The file of the session that `target` names, if it is one."""
    if not target:
        return None
    kept = paths.sessions() / f"{target}.toml"
    path = kept if kept.is_file() else Path(target).expanduser()
    if path.is_dir():
        raise BadInput("this is a folder, not a session or a scenario", where=str(path))
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                if _MARK.encode() in block:
                    return path
    except OSError as error:
        raise BadInput(f"it cannot be read ({error.strerror})", where=str(path)) from None
    return path if path.parent == paths.sessions() else None
