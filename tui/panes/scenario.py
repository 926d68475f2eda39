"""The scenario: what is asked, and where."""

from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from core.domain.scenario import Scenario
from tui.draw import MUTED, lines
from tui.keymap import key_of
from tui.keys import Place, bindings
from tui.literal import literal
from tui.scroll import TextScroll, Told, entitle


class ScenarioPane(TextScroll):
    """Goal and context."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.SCENARIO)

    def compose(self) -> ComposeResult:
        """One text."""
        yield Told(id="scenario-text", markup=False)

    def show(self, scenario: Scenario) -> None:
        """Draws a scenario."""
        title = scenario.title or scenario.name
        told = Content(" · ") + literal(title, one_line=True) if title else Content("")
        entitle(self, Content("2 Scenario") + told)
        none = Content.styled(f"None yet. {key_of(self.app, 'scenario-edit')} writes one.", MUTED)
        self.query_one("#scenario-text", Told).tell(
            lines(
                Content.styled("Goal", "bold $primary"),
                literal(scenario.goal),
                Content(""),
                Content.styled("Context", "bold $primary"),
                literal(scenario.context) if scenario.context.strip() else none,
            )
        )

    def on_click(self, event: events.Click) -> None:
        """A double click edits."""
        if event.chain == 2:
            self.action_ask("edit")

    def action_ask(self, what: str) -> None:
        """Has something done about the scenario, at once: the next key belongs to a dialog."""
        screen: Any = self.screen
        screen.ask_scenario(what)
