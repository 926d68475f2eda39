"""The scenario: what is asked, and where."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from core.domain.scenario import Scenario
from tui.draw import MUTED, lines
from tui.keymap import key_of
from tui.keys import Place, bindings
from tui.literal import literal
from tui.scroll import TextScroll, Told, entitle


class ScenarioPane(TextScroll):
    """Goal and context."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.SCENARIO)

    class Asked(Message):
        """Something is to be done about the scenario."""

        def __init__(self, what: str) -> None:
            self.what = what
            super().__init__()

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
            self.post_message(self.Asked("edit"))

    def action_edit_scenario(self) -> None:
        """Edits in place."""
        self.post_message(self.Asked("edit"))

    def action_external_editor(self) -> None:
        """Edits in the operator's editor."""
        self.post_message(self.Asked("editor"))

    def action_library(self) -> None:
        """Another scenario."""
        self.post_message(self.Asked("library"))

    def action_take_in(self) -> None:
        """Candidates from a file."""
        self.post_message(self.Asked("import"))

    def action_save_scenario(self) -> None:
        """Keeps it."""
        self.post_message(self.Asked("save"))
