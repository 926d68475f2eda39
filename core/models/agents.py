"""Which moral agents there are on this machine, and whom each speaks for. No torch here.

An agent that the operator trained for a value of a profile comes before a shipped one. A shipped
agent speaks for its own statement, and for values that name its foundation.
"""

import tomllib
from pathlib import Path

from core import paths
from core.domain.values import Profile, Value
from core.errors import ModelProblem
from core.library import file_name
from core.models.base import AGGREGATOR
from core.models.catalog import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from core.models.catalog import WEIGHTS as SHIPPED

CARD = "agent.toml"


def shipped() -> Path:
    """Where the agents that come with Placet lie, a folder a foundation."""
    return SHIPPED / "agents"


def own(profile: str, value: str) -> Path:
    """Where the agent of a profile's value is put when it is trained."""
    return paths.agents() / file_name(profile) / file_name(value)


def agent_of(profile: Profile, value: Value) -> Path | None:
    """The adapter's folder of the agent that speaks for a value, if there is one."""
    for folder in (own(profile.name, value.id), shipped() / value.id):
        if _whole(folder) and _told(folder).get("statement") == value.statement:
            return folder
    if value.foundation and _whole(found := shipped() / value.foundation.value):
        return found
    return None


def agents_of(profile: Profile) -> dict[str, Path]:
    """Folders by value id, for the values that count, in the profile's order.

    Raises:
        ModelProblem: there is none.
    """
    found = {value.id: folder for value in profile.active if (folder := agent_of(profile, value))}
    if not found:
        first = profile.active[0].id if profile.active else profile.values[0].id
        raise ModelProblem(
            f"there is no moral agent for any value of {profile.name}",
            where=str(paths.agents()),
            mend=f"`placet train agent --value {first} --profile {profile.name} --data DIR` trains "
            "one; docs/cmva.md says from which data.",
        )
    return found


def aggregator() -> Path | None:
    """The aggregator's adapter, if there is one: the operator's own before the shipped one."""
    folders = (paths.agents() / AGGREGATOR, shipped() / AGGREGATOR)
    return next((folder for folder in folders if _whole(folder)), None)


def _whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS))


def _told(folder: Path) -> dict[str, object]:
    """The card, or nothing where it cannot be read: then the agent speaks for nobody."""
    try:
        return tomllib.loads((folder / CARD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
