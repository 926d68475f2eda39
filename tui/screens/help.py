"""All keys, and what they do."""

from collections.abc import Callable

from textual.content import Content

from tui.draw import MUTED, STANDING
from tui.keys import KEYS, Place
from tui.screens.page import TextPage

_RULES = (
    "Approving takes one key only where the judge finds the risk LOW or MED and advises it.",
    "Against the judge's advice it takes two steps and a typed reason.",
    "No verdict, or a stale one, can never be approved: have it judged first.",
    "Decision keys are ignored for 0.4 s after what is under the cursor has changed,",
    "and while they are held down.",
    "Everything is saved by itself, and everything you do can be undone.",
)


class HelpScreen(TextPage):
    """What to press."""

    HEADING = "Help"

    def __init__(self, key_of: Callable[[str], str]) -> None:
        super().__init__()
        self._key_of = key_of

    def parts(self) -> list[Content]:
        """First the rules, then the keys by place."""
        parts = [Content.styled("How a decision is made", "bold $primary")]
        parts += [Content(f"  {rule}") for rule in _RULES]
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
                "   standings: ",
                ", ".join(word for word, _ in STANDING.values()),
            ),
        ]
        for place in Place:
            found = [key for key in KEYS if key.place is place]
            if not found:
                continue
            parts += [Content(""), Content.styled(f"Keys {place.value}", "bold $primary")]
            for key in found:
                more = key.key.split(",")[1:]
                also = f" (also {', '.join(more)})" if more else ""
                parts.append(
                    Content.styled(f"  {self._key_of(key.id):>9}  ", "bold $footer-key-foreground")
                    + Content(f"{key.label:<15} ")
                    + Content.styled(f"{key.tooltip}{also}", MUTED)
                    + Content.styled(f"  [{key.id}]", "$foreground 35%")
                )
        parts += [
            Content(""),
            Content.styled(
                "Keys can be changed in config.toml by the names in brackets: "
                '[keys]  approve = "A"',
                MUTED,
            ),
        ]
        return parts
