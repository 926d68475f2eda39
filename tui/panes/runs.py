"""The runs on this machine, a line each."""

from textual.content import Content

from tui.draw import MUTED
from tui.flow.laboratory import Phase, Row
from tui.literal import cut
from tui.rows import RowList

MARKS = {
    Phase.STARTING: ("▶", "$text-accent"),
    Phase.RUNNING: ("▶", "$text-accent"),
    Phase.STOPPING: ("▷", "$text-accent"),
    Phase.PAUSED: ("‖", "$text-warning"),
    Phase.STOPPED: ("□", "$text-warning"),
    Phase.ELSEWHERE: ("»", "$text-warning"),
    Phase.DONE: ("✓", "$text-success"),
    Phase.DIED: ("!", "$text-error"),
    Phase.UNREADABLE: ("!", "$text-error"),
}
"""Shape and colour of how a run stands."""


class RunList(RowList[Row]):
    """The last changed first."""

    HEADER = 1

    def header(self, width: int) -> Content:
        """The columns."""
        return Content.styled(f"{'    run':<{max(8, width - 16)}}regrets de · ut"[:width], MUTED)

    def key_of(self, row: Row) -> str:
        """Its folder."""
        return str(row.folder)

    def draw(self, row: Row, width: int, under_cursor: bool) -> Content:
        """How it stands, its name, and what came of it."""
        mark, style = MARKS[row.phase]
        start = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        start += Content.styled(f"{mark} ", style)
        room = max(0, width - start.cell_length)
        told = cut(row.told, room // 2).rstrip()
        name = cut(row.folder.name, max(0, room - Content(told).cell_length - 1))
        return start + Content(name) + Content.styled(f" {told}", MUTED)

    def empty(self) -> Content:
        """What to do."""
        return Content.styled("  No runs yet.", MUTED)
