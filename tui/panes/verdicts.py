"""The verdict on the candidate under the cursor, its full text, and how its versions differ."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.content import Content

from core.domain.because import because
from core.domain.candidate import Candidate, Revision
from core.domain.diff import Change, word_diff
from core.domain.payoffs import Lens
from core.domain.values import Profile
from core.domain.verdict import AT_STAKE, Risk, Verdict
from core.domain.whatif import WhatIf
from tui.draw import ADVICE, MUTED, RISK, bar, fit, lines, share, weight
from tui.literal import cut, literal
from tui.panes.values import title_of
from tui.scroll import TextScroll, Told, entitle


class View(NamedTuple):
    """All that the pane shows."""

    candidate: Candidate
    verdict: Verdict
    profile: Profile
    hidden: bool = False
    to_do: str = ""
    """What has to happen before it can be approved."""
    doing: str = ""
    draft: str = ""
    weighed: bool = False
    """Whether `what_if` has been worked out."""
    what_if: WhatIf | None = None
    judged_at: str = ""
    compare: tuple[int, int] | None = None
    """The two versions whose difference is shown."""
    raw: bool = False
    payoffs: bool = False
    """Whether the scenario carries a payoff table."""
    lens: Lens | None = None
    """What that table says of this text, if it knows which move it is."""
    key_of: Callable[[str], str] = str
    """The key that a binding has now, as it is shown."""


class VerdictPane(TextScroll):
    """One candidate in full."""

    _view: View | None = None
    _drawn = 0
    """Columns that it was drawn for."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Told(id="verdict-text", markup=False)

    def show(self, view: View | None, empty: Content) -> None:
        """Draws it."""
        self._view = view
        if view is None:
            entitle(self, Content("4 Verdict"), Content(""))
            self.query_one("#verdict-text", Told).tell(empty)
            return
        about = literal(_about(view), one_line=True)
        entitle(self, Content("4 Verdict · ") + about, Content(_standing(view)))
        self._draw(view)

    def on_resize(self) -> None:
        """Under a dialog the last width comes after the screen was drawn."""
        if self._view is not None and self._drawn != self._columns():
            self._draw(self._view)

    def _draw(self, view: View) -> None:
        self._drawn = self._columns()
        self.query_one("#verdict-text", Told).tell(lines(*draw(view, self._drawn)))

    def _columns(self) -> int:
        return max(20, self.scrollable_content_region.width - 2)


def draw(view: View, width: int) -> list[Content]:
    """The pane's text, from the most urgent down."""
    candidate = view.candidate
    parts = _headline(view)
    if view.payoffs and not view.hidden:
        parts += lens_lines(view.lens, width)
    parts.append(Content(""))
    if view.draft:
        parts += [literal(view.draft, MUTED) + Content.styled("▏", "$primary"), Content("")]
    if view.compare is not None:
        parts += difference(
            candidate.revisions,
            *view.compare,
            width,
            f"{view.key_of('older')} {view.key_of('newer')}",
        )
    else:
        parts.append(literal(candidate.text))
    parts.append(Content(""))
    if view.verdict.scores and not view.hidden and not view.verdict.stale:
        parts += _scores(view, width)
    if view.raw and not view.hidden:
        parts += _raw(view, width)
    parts += _remarks(candidate)
    return parts


def _about(view: View) -> str:
    candidate = view.candidate
    many = len(candidate.revisions)
    version = f", version {many}" if many > 1 else ""
    when = f", judged {view.judged_at[11:16]}" if view.judged_at and not view.hidden else ""
    return f"{candidate.id}{version}{when}"


def _standing(view: View) -> str:
    many = len(view.candidate.revisions)
    return f"{many} versions · {view.key_of('difference')} difference" if many > 1 else ""


def _headline(view: View) -> list[Content]:
    if view.hidden:
        return [
            Content.assemble(
                ("▒ The verdict is hidden until you have decided. ", "$text-accent"),
                (f"{view.key_of('blind')} switches blind mode off.", MUTED),
            )
        ]
    verdict = view.verdict
    if verdict.stale or verdict.risk is Risk.UNJUDGED:
        mark = "~ STALE" if verdict.stale else "· UNJUDGED"
        told = Content.styled(mark, "bold $text-warning") + "   " + Content(view.to_do)
        if not view.doing and not view.candidate.standing.decided:
            told += Content.styled(f" {view.key_of('judge')}", "bold $footer-key-foreground")
            told += Content.styled(" has it judged.", MUTED)
        parts = [told]
        if view.candidate.trouble:
            parts.append(
                Content.styled("! ", "$text-error") + literal(view.candidate.trouble, MUTED)
            )
        return parts
    shape, word, style = RISK[verdict.risk]
    advice = ADVICE[verdict.recommendation]
    told = Content.assemble(
        (f"{shape} {word} {verdict.risk_probability:.0%}", f"bold {style.removeprefix('bold ')}"),
        ("   judge advises ", MUTED),
        (advice, "bold"),
        ("   r·c ", MUTED),
        (share(verdict.alignment), "bold"),
        ("   harm ", MUTED),
        (share(verdict.harm), "bold"),
    )
    names = [title_of(issue.value) for issue in verdict.issues]
    parts = [told]
    if names:
        parts.append(
            Content.styled("at stake ", MUTED) + literal(", ".join(names), "$text-warning")
        )
    if view.candidate.trouble:
        parts.append(Content.styled("! ", "$text-error") + literal(view.candidate.trouble, MUTED))
    return parts


def lens_lines(lens: Lens | None, width: int) -> list[Content]:
    """What two moral rewards say of the text as a move; it never changes the verdict."""
    if lens is None:
        return [Content.styled("lens  the payoff table names no move for this text", MUTED)]
    (duty, first), (welfare, second) = lens.told
    breaks = lens.deontological < 0
    mark = Content.styled("✗ " if breaks else "  ", "$text-error")
    return [
        Content.styled(f"{duty:<13}  ", MUTED) + mark + literal(cut(first, width - 17).rstrip()),
        Content.styled(f"{welfare:<13}  ", MUTED) + Content("  ") + Content(second),
    ]


def _scores(view: View, width: int) -> list[Content]:
    verdict, profile = view.verdict, view.profile
    name = min(22, max(len(value.id) for value in profile.values))
    bars = max(8, min(60, width - name - 22))
    parts = [
        Content.styled(
            fit(f"{'':<{name + 2}}{'how well it holds':<{bars}}  score  weight", width), MUTED
        )
    ]
    unstable = verdict.judgement.unstable if verdict.judgement else ()
    for value in profile.values:
        score = verdict.scores.get(value.id)
        if score is None:
            continue
        off = value.weight == 0
        at_stake = score < AT_STAKE and not off
        style = MUTED if off else "$text-error" if at_stake else "$primary"
        # A bar as long as the weight allows, filled as far as the score goes.
        room = max(1, round(bars * value.weight))
        drawn = bar(score, room, style) + Content(" " * (bars - room))
        mark = " ✗" if at_stake else "  "
        doubt = " ≈" if value.id in unstable else ""
        parts.append(
            Content.assemble(
                (cut(title_of(value.id), name), MUTED if off else ""),
                "  ",
                drawn,
                (f"  {share(score):>5}", MUTED if off else ""),
                ("    off " if off else f"  ×{weight(value.weight)}", MUTED),
                (mark, "$text-error"),
                (doubt, MUTED),
            )
        )
    if unstable:
        parts.append(Content.styled("≈ changed sides when the wording was paraphrased", MUTED))
    parts.append(Content(""))
    if verdict.judgement:
        told = verdict.judgement.explanation or because(verdict.judgement, profile, title_of)
        parts += [literal(told)] if told else []
    if verdict.judgement:  # the line is there from the start, so that nothing below it jumps
        found = what_if_line(view) if view.weighed else Content.styled("…", MUTED)
        parts.append(Content.styled("what if  ", MUTED) + found)
    if parts[-1].plain:
        parts.append(Content(""))
    return parts


def what_if_line(view: View) -> Content:
    """The smallest change of one weight that would change something, as a sentence."""
    found = view.what_if
    if found is None:
        return Content("No weight by itself would change the advice, or what comes first.")
    way = "up" if found.change > 0 else "down"
    then = (
        f"would make this {RISK[found.risk][1]}"
        if found.risk is not None and found.risk is not view.verdict.risk
        else f"would turn the advice to: {ADVICE[found.recommendation]}"
        if found.recommendation is not None
        else f"would put {found.winner} first"
    )
    return Content.assemble(
        (title_of(found.value), "bold"),
        f" {way} by {abs(found.change):.2f} to {found.weight:.2f} {then}",
    )


def difference(
    revisions: Sequence[Revision], older: int, newer: int, width: int, other: str
) -> list[Content]:
    """What was taken out and put in between two versions, word by word."""
    before, after = revisions[older], revisions[newer]
    title = f"version {older + 1} → {newer + 1}"
    rule = Content.styled(f"── {title} " + "─" * max(0, width - len(title) - 4), MUTED)
    runs = []
    for change, text in word_diff(before.text, after.text):
        if change is Change.REMOVED:
            runs.append(literal(f"[-{text.strip()}-]", "strike $text-error") + _space(text))
        elif change is Change.ADDED:
            runs.append(literal(f"{{+{text.strip()}+}}", "bold $text-success") + _space(text))
        else:
            runs.append(literal(text))
    by = Content.styled("by ", MUTED) + literal(str(after.origin), MUTED, one_line=True)
    if after.guidance:
        by += Content.styled(", asked: ", MUTED) + literal(after.guidance, MUTED)
    if len(revisions) > 2:
        by += Content.styled(f"    {other} other versions", MUTED)
    return [rule, Content("").join(runs), by]


def _space(text: str) -> str:
    return text[len(text.rstrip()) :]


def _raw(view: View, width: int) -> list[Content]:
    judgement = view.verdict.judgement
    told = judgement.raw if judgement else ""
    title = "── what the judge gave, word for word "
    rule = Content.styled(title + "─" * max(0, width - len(title)), MUTED)
    none = "It gave numbers only." if judgement else "There is nothing: it was never judged."
    return [rule, literal(told) if told.strip() else Content.styled(none, MUTED), Content("")]


def _remarks(candidate: Candidate) -> list[Content]:
    parts = []
    origin = Content.styled("from ", MUTED) + literal(str(candidate.origin), MUTED, one_line=True)
    if candidate.reason:
        parts.append(
            Content.styled(f"{candidate.standing.value}: ", MUTED) + literal(candidate.reason)
        )
    parts += [Content.styled("note: ", MUTED) + literal(note) for note in candidate.notes]
    return [*parts, origin]
