"""Opening the review screen. Imports nothing that the first picture can do without."""

import gc
import os
import sys

from core.errors import PlacetError


def open_screen(
    target: str = "",
    *,
    profile: str = "",
    policy: str = "",
    judge: str = "",
    device: str = "auto",
    dtype: str = "auto",
    seed: int | None = None,
) -> int:
    """The review screen until the operator leaves it; gives the exit status."""
    if not all(one and one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr)):
        raise PlacetError(
            "the review screen needs a terminal", mend="`placet decide` does without one."
        )
    gc.disable()  # the application turns it on again after the first picture
    sys.setswitchinterval(0.001)  # a key does not wait for long on a save in another thread
    os.environ.setdefault("TEXTUAL_FPS", "120")  # nor for the next frame; read when it is imported
    from tui.run import run_review

    return run_review(
        target or None,
        profile=profile,
        policy=policy,
        judge=judge,
        device=device,
        dtype=dtype,
        seed=seed,
    )
