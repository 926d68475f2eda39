"""The application from its start to its end, for the command line."""

from core.config import load_config
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
    target = target or config.defaults.scenario
    app = PlacetApp(
        session_file(target)
        or new_session(target, profile or config.defaults.profile, config.operator),
        policy=policy,
        judge=judge,
        device=device,
        dtype=dtype,
        config=config,
        seed=seed,
    )
    app.work.news.warn(strange)
    app.run()
    if app.failed:
        raise app.failed
    return app.return_code or 0
