"""Small things that are drawn in many places: risk, standing, bars, numbers."""

from textual.content import Content

from core.domain.candidate import Standing
from core.domain.verdict import Recommendation, Risk, Verdict

RISK = {
    Risk.LOW: ("○", "LOW", "$text-success"),
    Risk.MED: ("◐", "MED", "$text-warning"),
    Risk.HIGH: ("●", "HIGH", "bold $text-error"),
    Risk.UNJUDGED: ("·", "—", "$foreground-muted"),
}
"""Shape, word and colour: no meaning is in the colour alone."""

STANDING = {
    Standing.PENDING: ("to decide", ""),
    Standing.REALIGNED: ("re-aligned", "$text-accent"),
    Standing.DEFERRED: ("deferred", "$foreground-muted"),
    Standing.APPROVED: ("✓ approved", "$text-success"),
    Standing.REJECTED: ("✗ rejected", "$foreground-muted"),
}

ADVICE = {
    Recommendation.APPROVE: "approve",
    Recommendation.MODIFY: "change it",
    Recommendation.REJECT: "reject",
}

MUTED = "$foreground-muted"
TRACK = "$foreground 18%"


def bar(share: float, width: int, style: str = "$primary") -> Content:
    """A heavy line as long as the share of `width` cells, exact to half of one; thin for the rest.

    Heavy and thin differ in shape, so that the bar reads without colour.
    """
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    full, half = divmod(halves, 2)
    drawn = "━" * full + "╸" * half
    return Content.assemble((drawn, style), ("─" * (width - len(drawn)), TRACK))


def share(number: float) -> str:
    """A number from 0 to 1 in three cells."""
    told = f"{number:.2f}"
    return "1.0" if told == "1.00" else told[1:]


def weight(number: float) -> str:
    """A weight in four cells."""
    return f"{number:.2f}"


def risk_mark(verdict: Verdict, *, hidden: bool = False) -> Content:
    """Shape and word of a risk, in six cells."""
    if hidden:
        return Content.styled("hidden", MUTED)
    if verdict.stale:
        return Content.styled("~ stale", "$text-warning")
    shape, word, style = RISK[verdict.risk]
    return Content.styled(f"{shape} {word}", style)


def fit(text: str, width: int) -> str:
    """Our own plain text in exactly `width` cells."""
    return text[:width].ljust(width)


def pad(content: Content, width: int) -> Content:
    """The content in exactly `width` cells."""
    missing = width - content.cell_length
    return content.pad_right(missing) if missing > 0 else content


def press(key: str, told: str) -> Content:
    """A key and what it does."""
    return Content.styled(f"{key:>5}  ", "bold $footer-key-foreground") + Content(told)


def lines(*parts: Content) -> Content:
    """The parts below each other."""
    return Content("\n").join(parts)
