"""What is painted, and when: no more than has changed, and never less."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.strip import Strip
from textual.widget import Widget

from core.engine.protocol import Propose
from core.watch import Growing
from tests.tui.driving import Desk, desk
from tests.tui.test_panes import crowded
from tui.panes.candidates import CandidateList
from tui.rows import RowList
from tui.screens.review import FRAME, ReviewScreen


def counting(
    monkeypatch: pytest.MonkeyPatch, kind: type, name: str
) -> Callable[[], list[tuple[Any, ...]]]:
    """Notes every call of a method; what it gives empties the notes."""
    real, seen = getattr(kind, name), []

    def noted(self: Any, *given: Any) -> Any:
        seen.append(given)
        return real(self, *given)

    monkeypatch.setattr(kind, name, noted)

    def taken() -> list[tuple[Any, ...]]:
        found = seen[:]
        seen.clear()
        return found

    return taken


def painted(on: Desk) -> list[Strip]:
    return [strip.simplify() for strip in on.app.screen._compositor.render_strips()]


def painted_anew(on: Desk) -> list[Strip]:
    """The screen with nothing kept of what was drawn before."""
    for widget in on.app.screen.walk_children(Widget):
        if isinstance(widget, RowList):
            widget._drawn.clear()
        widget._styles_cache.clear()
        widget._dirty_regions.clear()
        widget._set_dirty()
    return painted(on)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_after_any_key_the_screen_is_as_if_all_of_it_were_drawn_anew(
    size: tuple[int, int],
) -> None:
    keys = "j j k 1 minus minus j plus space 3 j o o s u b b o d v v 2 1 k minus 3 k k end home"
    async with desk(crowded(30), size=size) as on:
        for key in keys.split():
            await on.press(key)
            await on.settle()
            await on.pilot.pause(0.05)
            assert painted(on) == painted_anew(on), key
        on.review.set_needle("MED")
        await on.settle()
        await on.pilot.pause(0.05)
        assert painted(on) == painted_anew(on)
        on.review.set_needle("no candidate has these")
        await on.settle()
        await on.pilot.pause(0.05)
        assert painted(on) == painted_anew(on)


async def test_a_line_is_drawn_once_while_it_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = counting(monkeypatch, CandidateList, "draw")
    async with desk(crowded(30)) as on:
        await on.press("j")
        drawn()
        await on.press("k", "j", "k")
        on.screen.draw()
        await on.settle()
        assert not drawn()
        await on.press("j", "j")
        await on.settle()
        assert {row.key for row, *_ in drawn()} == {on.session.state.ranking()[2]}
        await on.press("s")
        await on.until(lambda: "deferred" in on.text())
        assert {row.key for row, *_ in drawn()} == {on.cursor}


async def test_a_weight_lays_nothing_out_anew() -> None:
    async with desk(crowded(30)) as on:
        await on.press("1", "minus")
        await on.until(lambda: "what if" in on.text() and "what if  …" not in on.text())
        laid_out: list[object] = []
        on.screen.screen_layout_refresh_signal.subscribe(on.screen, laid_out.append)
        await on.press("plus")
        await on.until(lambda: "what if  …" not in on.text())
        assert "1.00" in on.text()
        assert not laid_out


async def test_what_the_worker_says_is_drawn_in_frames_and_a_key_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk(crowded(3), auto=False) as on:
        await on.press("g")
        task = on.engine.last(Propose)
        await on.pilot.pause(2 * FRAME)
        drawn = counting(monkeypatch, ReviewScreen, "draw")
        before = time.monotonic()
        many = 0
        for number in range(50):
            on.engine.said(task, Growing(row=0, text="word " * number))
            await on.pilot.pause()
            many += len(drawn())
        assert many <= (time.monotonic() - before) / FRAME + 1
        await on.pilot.pause(2 * FRAME)
        drawn()
        on.engine.said(task, Growing(row=0, text="the last word"))
        on.review.next_order()
        await on.pilot.pause()
        assert len(drawn()) == 1
        await on.until(lambda: "the last word" in on.text())
