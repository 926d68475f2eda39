"""Where Placet keeps things. `PLACET_HOME` moves all of it."""

import os
from pathlib import Path

import platformdirs

from core.errors import BadInput

SHIPPED = Path(__file__).resolve().parent.parent / "profiles"
"""The profiles and scenarios that come with Placet."""


def home() -> Path | None:
    """The folder that `PLACET_HOME` names, if it is set. `BadInput`: it is of no user there is."""
    named = os.environ.get("PLACET_HOME")
    try:
        return Path(named).expanduser().absolute() if named else None
    except RuntimeError:
        raise BadInput(
            f"there is no such user: {named}", where="PLACET_HOME", mend="Name the whole path."
        ) from None


def models() -> Path:
    """Model weights."""
    root = home()
    return root / "models" if root else Path(platformdirs.user_cache_dir("placet")) / "models"


def sessions() -> Path:
    """Sessions, one TOML file each."""
    return _data("sessions")


def profiles() -> Path:
    """The operator's own profiles; scenarios stand in its folder `scenarios`."""
    return _data("profiles")


def runs() -> Path:
    """Training runs of the games laboratory, a folder each."""
    return _data("runs")


def agents() -> Path:
    """Moral agents trained on this machine, each in `<profile>/<value>`."""
    return _data("agents")


def state() -> Path:
    """Logs and locks."""
    root = home()
    return root / "state" if root else Path(platformdirs.user_state_dir("placet"))


def config() -> Path:
    """The configuration file."""
    root = home()
    folder = root if root else Path(platformdirs.user_config_dir("placet"))
    return folder / "config.toml"


def _data(name: str) -> Path:
    return (home() or Path(platformdirs.user_data_dir("placet"))) / name
