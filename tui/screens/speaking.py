"""Whom each moral agent speaks for: its answer, what it is worth, and the synthesis beside them."""

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from core.domain.candidate import Candidate, Source
from tui.bars import stands
from tui.draw import MUTED, bar, lines, share, weight
from tui.flow.jobs import Kind
from tui.flow.news import Change
from tui.flow.review import Review
from tui.literal import literal
from tui.panes.values import title_of
from tui.screens.page import TextPage
from tui.scroll import TextScroll, Told

NARROW = 100
"""Cells below which the synthesis stands above the agents instead of beside them."""


_BLIND = "its verdict is shown once it is decided"


class SpeakingScreen(TextPage):
    """The last answer of each agent on the left, the last synthesis on the right."""

    HEADING = "Speak for"

    def __init__(self, review: Review, ask_key: str) -> None:
        super().__init__()
        self._review = review
        self._ask_key = ask_key
        self._end: Callable[[], None] = lambda: None
        self._due = False

    def inside(self) -> ComposeResult:
        """Two columns, or one where there is little room."""
        with Horizontal(id="sides"):
            with TextScroll(id="body"):
                yield Told(id="text", markup=False)
            if self.app.size.width >= NARROW:
                with TextScroll(id="beside"):
                    yield Told(id="synthesis", markup=False)

    def on_mount(self) -> None:
        """Draws all, and again as answers and verdicts come."""
        self._end = self._review.news.subscribe(self._changed, self.say)
        self._draw()

    def on_unmount(self) -> None:
        """Listens no more."""
        self._end()

    def _changed(self, change: Change) -> None:
        if change & Change.CANDIDATES and not self._due:
            self._due = True
            self.call_later(self._draw)

    def _draw(self) -> None:
        self._due = False
        if not stands(self):
            return
        agents, synthesis = lines(*self.parts()), lines(*self.together())
        if self.query("#synthesis"):
            self.query_one("#synthesis", Told).tell(synthesis)
        else:
            agents = lines(synthesis, Content(""), agents)
        self.query_one("#text", Told).tell(agents)

    def parts(self) -> list[Content]:
        """An agent a value, in the profile's order."""
        profile = self._review.session.state.profile
        found = {one.origin.name: one for one in self._from(Source.AGENT)}
        none = "no answer; {} asks again" if found else "no answer yet; {} asks"
        if self._asking:
            none = "being asked"
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
                parts.append(Content.styled(none.format(self._ask_key), MUTED))
            parts.append(Content(""))
        return parts

    def together(self) -> list[Content]:
        """The synthesis, how it serves each value, and whose words it shares."""
        title = Content.styled("Synthesis", "bold $primary")
        made = list(self._from(Source.AGGREGATOR))
        if not made:
            none = "none yet" if self._asking else f"none yet; {self._ask_key} asks the agents"
            return [title, Content.styled(none, MUTED)]
        last = made[-1]
        parts = [title, literal(last.text), *_changed(last), Content("")]
        verdict = self._review.session.verdict(last.id)
        if self._review.hides(last.id):
            parts.append(Content.styled(f"{last.id}  {_BLIND}", MUTED))
        elif verdict.stale or not verdict.scores:
            parts.append(Content.styled(f"{last.id}  without a verdict", MUTED))
        else:
            parts.append(Content(f"{last.id}  r·c {share(verdict.alignment)}"))
            for value in self._review.session.state.profile.active:
                score = verdict.scores.get(value.id, 0.0)
                told = Content.assemble((f"{title_of(value.id):<24} ", MUTED), bar(score, 12))
                parts.append(told + Content(f" {share(score)}"))
        origin = literal(f"shares its words with: {last.origin.name}", MUTED, one_line=True)
        return [*parts, Content(""), origin]

    @property
    def _asking(self) -> bool:
        return any(job.kind is Kind.CONSULT for job in self._review.work.jobs.values())

    def _from(self, source: Source) -> Iterable[Candidate]:
        """Candidates that an agent or the aggregator brought, oldest first."""
        every = self._review.session.candidates.values()
        return (one for one in every if one.origin.source is source)

    def _worth(self, said: Candidate, value: str) -> Content:
        verdict = self._review.session.verdict(said.id)
        if self._review.hides(said.id):
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
