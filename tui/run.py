"""The application from its start to its end, for the command line."""

from msgspec.structs import replace

from core import library
from core.config import load_config
from core.errors import BadInput
from tui.app import PlacetApp
from tui.opening import new_session, session_file


def run_review(
    target: str | None = None,
    *,
    profile: str = "",
    policy: str = "",
    judge: str = "",
    device: str = "auto",
    dtype: str = "auto",
    seed: int | None = None,
) -> int:
    """Opens the review screen and gives the exit status.

    Raises `PlacetError` where there is nothing to open, or where what there is cannot be read.
    """
    strange: list[str] = []
    config = load_config(warn=strange.append)
    if seed is not None:
        config = replace(config, defaults=replace(config.defaults, seed=seed))
    defaults = config.defaults
    target = target or defaults.scenario
    path = session_file(target)
    if path and profile:
        raise BadInput(
            "a session has its own values",
            where="--profile",
            mend="Leave it out; in the review other values can be loaded.",
        )
    app = PlacetApp(
        path
        or new_session(
            target, profile or defaults.profile, config.operator, settings=defaults.settings
        ),
        policy=policy,
        judge=judge,
        device=device,
        dtype=dtype,
        config=config,
    )
    if path and path.stem == target and (hidden := library.scenarios_named(target)):
        strange.insert(0, f"this is the session {path.stem}; the scenario is {hidden[0]}")
    app.work.news.warn(strange)
    app.run()
    if app.failed:
        raise app.failed
    return app.return_code or 0
