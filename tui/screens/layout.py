"""Where the four panes and the lines round them stand."""

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.bars import ActivityLine, KeyBar, StatusLine, TabLine
from tui.panes.candidates import CandidatesPane
from tui.panes.scenario import ScenarioPane
from tui.panes.values import ValuesPane
from tui.panes.verdicts import VerdictPane


class Layout(Screen[None]):
    """The panes, empty. Below 110 columns three of them share a place."""

    CSS_PATH = "layout.tcss"
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """What has the focus. Panes show that themselves; all the rest need not be painted anew."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """From the top down, and from left to right."""
        yield StatusLine()
        yield Static(id="banner", markup=False)
        yield TabLine(id="tabs")
        with Container(id="panes"):
            with Vertical(id="left"):
                yield ValuesPane(id="values", classes="pane")
                yield ScenarioPane(id="scenario", classes="pane")
            with Vertical(id="right"):
                yield CandidatesPane(id="candidates", classes="pane")
                yield VerdictPane(id="verdict", classes="pane")
        with Vertical(id="bottom"):
            yield ActivityLine()
            yield KeyBar()

    def ask_values(self, what: str, value: str) -> None:
        """Does what a key of the values stands for; nothing, as long as there is no session."""

    def ask_scenario(self, what: str) -> None:
        """Does what a key of the scenario stands for; nothing, as long as there is no session."""
