"""Whom each moral agent speaks for: its answer, what it is worth, and the synthesis beside them."""

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from core.domain.candidate import Candidate, Source
from core.session.session import Session
from tui.draw import MUTED, bar, lines, share, weight
from tui.literal import literal
from tui.panes.values import title_of
from tui.screens.page import TextPage
from tui.scroll import TextScroll

NARROW = 100
"""Cells below which the synthesis stands above the agents instead of beside them."""


_BLIND = "its verdict is shown once it is decided"


class SpeakingScreen(TextPage):
    """The last answer of each agent on the left, the last synthesis on the right."""

    HEADING = "Speak for"

    def __init__(
        self, session: Session, ask_key: str, hides: Callable[[str], bool] = lambda name: False
    ) -> None:
        """`hides` tells of which candidates the verdict is kept back."""
        super().__init__()
        self._session = session
        self._ask_key = ask_key
        self._hides = hides

    def inside(self) -> ComposeResult:
        """Two columns, or one where there is little room."""
        agents, synthesis = lines(*self.parts()), lines(*self.together())
        if self.app.size.width < NARROW:
            with TextScroll(id="body"):
                yield Static(lines(synthesis, Content(""), agents), id="text", markup=False)
            return
        with Horizontal(id="sides"):
            with TextScroll(id="body"):
                yield Static(agents, id="text", markup=False)
            with TextScroll(id="beside"):
                yield Static(synthesis, markup=False)

    def parts(self) -> list[Content]:
        """An agent a value, in the profile's order."""
        profile = self._session.state.profile
        found = {one.origin.name: one for one in self._from(Source.AGENT)}
        asked = bool(found)
        parts: list[Content] = []
        for value in profile.values:
            said = found.get(value.id)
            parts.append(
                Content.assemble(
                    (title_of(value.id), "bold $primary"), (f"  ×{weight(value.weight)}", MUTED)
                )
            )
            if said is not None:
                parts += [literal(said.text), *_changed(said), self._worth(said, value.id)]
            elif value.weight == 0:
                parts.append(Content.styled("off: nobody is asked to speak for it", MUTED))
            else:
                none = "no answer; {} asks again" if asked else "no answer yet; {} asks"
                parts.append(Content.styled(none.format(self._ask_key), MUTED))
            parts.append(Content(""))
        return parts

    def together(self) -> list[Content]:
        """The synthesis, how it serves each value, and whose words it shares."""
        title = Content.styled("Synthesis", "bold $primary")
        made = list(self._from(Source.AGGREGATOR))
        if not made:
            return [title, Content.styled(f"none yet; {self._ask_key} asks the agents", MUTED)]
        last = made[-1]
        parts = [title, literal(last.text), *_changed(last), Content("")]
        verdict = self._session.verdict(last.id)
        if self._hides(last.id):
            parts.append(Content.styled(f"{last.id}  {_BLIND}", MUTED))
        elif verdict.stale or not verdict.scores:
            parts.append(Content.styled(f"{last.id}  without a verdict", MUTED))
        else:
            parts.append(Content(f"{last.id}  r·c {share(verdict.alignment)}"))
            for value in self._session.state.profile.active:
                score = verdict.scores.get(value.id, 0.0)
                told = Content.assemble((f"{title_of(value.id):<24} ", MUTED), bar(score, 12))
                parts.append(told + Content(f" {share(score)}"))
        origin = literal(f"shares its words with: {last.origin.name}", MUTED, one_line=True)
        return [*parts, Content(""), origin]

    def _from(self, source: Source) -> Iterable[Candidate]:
        """Candidates that an agent or the aggregator brought, oldest first."""
        every = self._session.candidates.values()
        return (one for one in every if one.origin.source is source)

    def _worth(self, said: Candidate, value: str) -> Content:
        verdict = self._session.verdict(said.id)
        if self._hides(said.id):
            return Content.styled(f"{said.id}  {_BLIND}", MUTED)
        if verdict.stale or value not in verdict.scores:
            return Content.styled(f"{said.id}  without a verdict", MUTED)
        told = f"{said.id}  r {share(verdict.scores[value])}   r·c {share(verdict.alignment)}"
        return Content.styled(told, MUTED)


def _changed(said: Candidate) -> list[Content]:
    """A line where the text is no longer the one that the agent or the aggregator wrote."""
    if len(said.revisions) == 1:
        return []
    who = said.current.origin.source.value
    return [Content.styled(f"changed since, last by the {who}", MUTED)]
