"""All keys, and what they do."""

from collections.abc import Callable
from textwrap import wrap

from textual.content import Content

from tui.draw import MUTED, STANDING
from tui.keymap import others_of
from tui.keys import KEYS, Place
from tui.screens.page import TextPage

_RULES = (
    "Approving takes one key only where the judge finds the risk LOW or MED and advises it.",
    "Against the judge's advice it takes two steps and a typed reason.",
    "No verdict, or a stale one, can never be approved: have it judged first.",
    "Decision keys are ignored for 0.4 s after what is under the cursor has changed, and while "
    "they are held down.",
    "Everything is saved by itself. Decisions, edits, weights, values and the scenario can be "
    "undone; candidates, once they came, stay.",
)


_INDENT = 28
"""Cells before what a key does: room for the key and its word."""


def _hung(text: str, indent: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, all of them indented."""
    return wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


class HelpScreen(TextPage):
    """What to press."""

    HEADING = "Help"

    def __init__(self, key_of: Callable[[str], str]) -> None:
        super().__init__()
        self._key_of = key_of

    def parts(self) -> list[Content]:
        """First the rules, then the keys by place."""
        width = max(40, self.app.size.width - 6)
        parts = [Content.styled("How a decision is made", "bold $primary")]
        parts += [Content(line) for rule in _RULES for line in _hung(rule, "  ", width)]
        parts += [
            Content(""),
            Content.assemble(
                "  ",
                ("○ LOW", "$text-success"),
                "   ",
                ("◐ MED", "$text-warning"),
                "   ",
                ("● HIGH", "bold $text-error"),
                "   ",
                ("~ stale", "$text-warning"),
                "   ",
                ("· not judged", MUTED),
            ),
            Content(f"  standings: {', '.join(word for word, _ in STANDING.values())}"),
        ]
        for place in Place:
            found = [key for key in KEYS if key.place is place]
            if not found:
                continue
            parts += [Content(""), Content.styled(f"Keys {place.value}", "bold $primary")]
            for key in found:
                more = others_of(self.app, key.id)
                also = f" (also {', '.join(more)})" if more else ""
                told = _hung(f"{key.tooltip}{also} [{key.id}]", " " * _INDENT, width)
                parts.append(
                    Content.styled(f"  {self._key_of(key.id):>9}  ", "bold $footer-key-foreground")
                    + Content(f"{key.label:<14} ")
                    + Content.styled(told[0].strip(), MUTED)
                )
                parts += [Content.styled(line, MUTED) for line in told[1:]]
        parts += [
            Content(""),
            Content.styled(
                "Keys can be changed in config.toml by the names in brackets: "
                '[keys]  approve = "A"',
                MUTED,
            ),
        ]
        return parts
