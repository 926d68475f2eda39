"""Writes the README's pictures from the real application: `make screenshots`.

The default models judge and propose; the pictures show what they gave.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.config import Config
from tui.app import PlacetApp
from tui.opening import new_session

HERE = Path(__file__).parent
PATIENCE = 600.0


async def picture(name: str, size: tuple[int, int], theme: str, scenario: str, keys: str) -> None:
    """Opens a scenario, waits for the models, presses `keys`, and writes `name`.svg."""
    app = PlacetApp(new_session(scenario, "", "operator"), config=Config(theme=theme))
    async with app.run_test(size=size) as pilot:

        async def until(done: Callable[[], bool]) -> None:
            end = time.monotonic() + PATIENCE
            while not done():
                if time.monotonic() > end:
                    raise TimeoutError(f"{name}: the models did not answer")
                await pilot.pause(0.1)

        def judged() -> bool:
            session = app.review.session
            return bool(session.candidates) and all(
                session.verdict(candidate).judgement for candidate in session.candidates
            )

        if not app.review.session.candidates:
            await pilot.press("g")
        await until(judged)
        await pilot.pause(1.0)
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause(0.6)  # the guard against accidents takes 0.4 s
        await until(judged)
        await pilot.pause(1.0)
        svg = app.export_screenshot(title="placet")
        (HERE / f"{name}.svg").write_text(svg, "utf-8")
        await app.work.stop()


def main() -> None:
    """Writes all of them."""
    import os

    from core.models import catalog

    models = catalog.locate(catalog.DEFAULT).parent
    with tempfile.TemporaryDirectory() as home:
        os.environ["PLACET_HOME"] = home
        Path(home, "models").symlink_to(models)
        asyncio.run(picture("review", (140, 40), "", "hiring-shortlist", "j j s j"))
        asyncio.run(picture("review-small", (80, 24), "", "night-incident", "j"))


if __name__ == "__main__":
    main()
