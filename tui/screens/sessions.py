"""The sessions on this machine: browse, resume, verify, compare, export."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from core import paths
from core.domain.candidate import Candidate, Standing
from core.errors import PlacetError, Refused
from core.files import write_whole, written_at
from core.session.session import Session
from core.session.store import load
from tui.dialogs import Choice, Pick, Show
from tui.draw import MUTED, lines, pad, risk_mark
from tui.flow.news import Notice, Tone
from tui.flow.saving import Saver
from tui.keys import Place, bindings
from tui.literal import cut, literal
from tui.rows import RowList
from tui.screens.page import Page
from tui.screens.replacing import may_replace


class SessionList(RowList[Path]):
    """One line a file, the newest first."""

    HEADER = 1

    def __init__(self, open_now: Path) -> None:
        super().__init__(id="sessions")
        self.open_now = open_now

    def key_of(self, row: Path) -> str:
        """Its path."""
        return str(row)

    def header(self, width: int) -> Content:
        """The columns."""
        return Content.styled(f"  {'changed':<17} {'size':>9}  session"[:width], MUTED)

    def draw(self, row: Path, width: int, under_cursor: bool) -> Content:
        """When, how large, and its name."""
        mark = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        try:
            stat = row.stat()
            when = datetime.fromtimestamp(stat.st_mtime)
            told = f"{when:%Y-%m-%d %H:%M}  {stat.st_size / 1e3:>6.0f} kB"
        except OSError:
            told = f"{'gone':<26}"
        here = (
            Content.styled("  (open here)", "$text-accent") if row == self.open_now else Content("")
        )
        start = mark + Content.styled(f"{told}  ", MUTED)
        room = width - start.cell_length - here.cell_length
        return start + Content(cut(row.stem, room).rstrip()) + here

    def empty(self) -> Content:
        """What to do."""
        return Content.styled("  No sessions yet: one is kept as soon as something happens.", MUTED)


class SessionsScreen(Page[str | None]):
    """What was decided before."""

    HEADING = "Sessions"
    PLACES = (Place.SESSIONS,)
    BINDINGS: ClassVar[list[BindingType]] = bindings(*PLACES)

    def __init__(self, saver: Saver, *, blind: bool = False) -> None:
        """`saver` keeps the session that is open.

        `blind`: verdicts on what is not decided are kept back here too.
        """
        super().__init__()
        self._saver = saver
        self._blind = blind
        self._busy = False

    def inside(self) -> ComposeResult:
        """The list, and what the one under the cursor is about."""
        yield SessionList(self._saver.path)
        yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        """The newest first."""
        found = sorted(paths.sessions().glob("*.toml"), key=written_at, reverse=True)
        self.query_one(SessionList).show(found)
        self._detail()

    async def _read(self, path: Path) -> Session:
        """The session in a file; the one that is open is whole there first."""
        if path == self._saver.path:
            await asyncio.shield(self._saver.flush())  # whoever looks elsewhere ends no saving
            if self._saver.dirty:
                raise Refused("the newest of it cannot be saved", where=str(path))
        return await asyncio.to_thread(load, path)

    @on(RowList.Moved)
    def _detail(self) -> None:
        row = self.query_one(SessionList).current
        if row is not None:
            self.run_worker(self._look(row), group="look", exclusive=True)

    async def _look(self, path: Path) -> None:
        detail = self.query_one("#detail", Static)
        await asyncio.sleep(0.1)
        try:
            session = await self._read(path)
        except PlacetError as error:
            detail.update(
                Content.styled("! ", "$text-error") + literal(error.problem, "$text-error")
            )
            return
        detail.update(lines(*summary(session)))

    @on(RowList.Chosen)
    def action_resume(self) -> None:
        """Opens it; whoever reads it says what is wrong with it."""
        if row := self.query_one(SessionList).current:
            self.dismiss(None if row == self._saver.path else str(row))

    def _do(self, what: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
        """Does something with the session under the cursor; nothing else begins meanwhile."""
        row = self.query_one(SessionList).current
        if row is None or self._busy:
            return
        self._busy = True

        async def run() -> None:
            try:
                await what(row)
            except PlacetError as error:
                name = Path(error.where or row).stem
                self.say(Notice(f"{name}: {error.problem}", Tone.ERROR))
            finally:
                self._busy = False

        self.run_worker(run(), group="doing")

    def action_verify(self) -> None:
        """Checks the chain of events."""
        self._do(self._verify)

    async def _verify(self, path: Path) -> None:
        many = len((await self._read(path)).records)
        self.say(Notice(f"{path.stem}: ok, {many} events, each follows from the one before."))

    def action_compare(self) -> None:
        """Shows two side by side."""
        self._do(self._compare)

    async def _compare(self, path: Path) -> None:
        others = [other for other in self.query_one(SessionList).rows if other != path]
        if not others:
            self.say(Notice("There is no other session to compare with.", Tone.WARNING))
            return
        told = await self.app.push_screen_wait(
            Pick("Compare with", [Choice(str(other), other.stem) for other in others])
        )
        if told is None:
            return
        other = Path(told)
        parts = compared(await self._read(path), await self._read(other), blind=self._blind)
        await self.app.push_screen_wait(Show(f"{path.stem} and {other.stem}", *parts))

    def action_export(self, kind: str) -> None:
        """Writes a report beside the session."""
        self._do(lambda path: self._export(path, kind))

    async def _export(self, path: Path, kind: str) -> None:
        from core.games.lens import lens
        from core.session.report import report

        names = {"md": "markdown", "html": "html", "json": "json"}
        written = path.with_suffix(f".{kind}")
        if not await may_replace(self.app, "file", [written]):
            return
        session = await self._read(path)
        await asyncio.to_thread(lambda: write_whole(written, report(session, names[kind], lens)))
        self.say(Notice(f"Exported as {written}."))


def summary(session: Session) -> list[Content]:
    """What a session is about, and how it stands."""
    state = session.state
    many = Counter(candidate.standing for candidate in session.candidates.values())
    told = ", ".join(
        f"{many[standing]} {standing.value}" for standing in Standing if many[standing]
    )
    return [
        literal(state.scenario.title or state.scenario.goal, "bold", one_line=True),
        literal(cut(state.scenario.goal, 160).rstrip(), MUTED),
        Content(f"{len(session.candidates)} candidates: {told or 'none yet'}"),
        Content.styled(f"{len(session.records)} events, begun {session.records[0].at} by ", MUTED)
        + literal(session.records[0].by, MUTED, one_line=True),
    ]


def compared(ours: Session, theirs: Session, *, blind: bool = False) -> list[Content]:
    """Candidates of the same text side by side, then those that only one has.

    `blind`: without the risk of what one of the two has not decided.
    """
    by_text: dict[str, list[Candidate]] = {}
    for candidate in theirs.candidates.values():
        by_text.setdefault(candidate.text, []).append(candidate)
    pairs: list[tuple[Candidate | None, Candidate | None]] = []
    for candidate in ours.candidates.values():
        same = by_text.get(candidate.text)
        pairs.append((candidate, same.pop(0) if same else None))
    pairs += [(None, candidate) for same in by_text.values() for candidate in same]
    parts = [Content.styled(f"{'here':<20}{'there':<20}action", MUTED)]
    for one, other in pairs:
        found = [candidate for candidate in (one, other) if candidate]
        hidden = blind and not all(candidate.standing.decided for candidate in found)
        parts.append(
            _standing(ours, one, hidden)
            + _standing(theirs, other, hidden)
            + literal(cut(found[0].text, 120).rstrip())
        )
    return parts


def _standing(session: Session, candidate: Candidate | None, hidden: bool) -> Content:
    if candidate is None:
        return Content(f"{'—':<20}")
    mark = risk_mark(session.verdict(candidate.id), hidden=hidden)
    told = pad(mark, 8) + Content(candidate.standing.value)
    return told.pad_right(max(1, 20 - told.cell_length))
