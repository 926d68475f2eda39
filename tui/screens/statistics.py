"""How the operator decided so far."""

from textual.content import Content

from core.domain.verdict import Risk
from core.session.session import Session
from core.session.statistics import Agreement, statistics
from tui.draw import MUTED, RISK, bar, pad
from tui.screens.page import TextPage


class StatisticsScreen(TextPage):
    """Numbers about the decisions that stand."""

    HEADING = "Statistics"

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def parts(self) -> list[Content]:
        """From the plain to the subtle."""
        found = statistics(self._session.records)
        if not found.decisions:
            return [
                Content("No decisions yet."),
                Content.styled("Approve or reject a candidate, and come back.", MUTED),
            ]
        parts = [
            _line("decisions", str(found.decisions)),
            _line("approved", str(found.approved)),
            _line("rejected", str(found.rejected)),
            _line("taken back", str(found.undone)),
        ]
        if found.median_seconds is not None:
            parts.append(
                _line(
                    "time a decision",
                    f"{found.median_seconds:.1f} s (median), {found.total_seconds:.0f} s in all",
                )
            )
        parts += [Content(""), Content.styled("Agreement with the judge", "bold $primary")]
        for name, agreement in (
            ("all", found.all),
            ("verdict in view", found.open),
            ("decided blind", found.blind),
        ):
            parts.append(_agreement(name, agreement))
        if found.sway is not None:
            parts.append(
                _line("sway", f"{found.sway:+.0%}  more agreement with the verdict in view")
            )
        parts.append(
            Content.styled(
                "Cohen's kappa: 1 is full agreement, 0 is what chance would give.", MUTED
            )
        )
        parts += [Content(""), Content.styled("Against the judge, by risk", "bold $primary")]
        for risk in Risk:
            many = found.decided_by_risk.get(risk, 0)
            if not many:
                continue
            over = found.overrides_by_risk.get(risk, 0)
            shape, word, style = RISK[risk]
            parts.append(
                pad(Content.styled(f"  {shape} {word}", style), 22)
                + bar(over / many, 20)
                + Content(f"  {over} of {many}")
            )
        return parts


def _line(name: str, told: str) -> Content:
    return Content.styled(f"  {name:<20}", MUTED) + Content(told)


def _agreement(name: str, agreement: Agreement) -> Content:
    if agreement.share is None:
        return _line(name, "none yet")
    kappa = "kappa not defined" if agreement.kappa is None else f"kappa {agreement.kappa:+.2f}"
    return (
        Content.styled(f"  {name:<20}", MUTED)
        + bar(agreement.share, 20)
        + Content(
            f"  {agreement.share:>4.0%}  {agreement.agreed} of {agreement.decisions}   {kappa}"
        )
    )
