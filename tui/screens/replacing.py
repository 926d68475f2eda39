"""The question before anything is written over."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.app import App

from core import paths
from tui.dialogs import Confirm


async def may_replace(app: App[Any], what: str, found: Iterable[Path]) -> bool:
    """Asks, where one of these files is there: it would be written over, or no longer be found."""
    there = next((path for path in found if path.exists()), None)
    if there is None:
        return True
    told = f"{there}\nexists already."
    if there.is_relative_to(paths.SHIPPED):
        told = f"{there.stem} comes with Placet. Yours takes its place wherever it is named."
    yes = await app.push_screen_wait(Confirm(f"Replace the {what}?", told, do="Replace"))
    return bool(yes)
