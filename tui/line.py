"""A line to type in."""

from textual import events
from textual.widgets import Input


class Line(Input):
    """A line of text. Several that are pasted become one; Textual would take the first alone."""

    def _on_paste(self, event: events.Paste) -> None:
        event.text = " ".join(event.text.splitlines())
