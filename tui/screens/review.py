"""The review screen: four panes over one session. It draws, and hands on what the operator asks."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.content import Content
from textual.dom import DOMNode
from textual.timer import Timer
from textual.widgets import Input

from core.domain.whatif import WhatIf
from core.errors import PlacetError
from core.games.lens import lens
from tui.bars import TabLine, stands
from tui.draw import MUTED, lines
from tui.flow.news import READING, Change, Notice
from tui.flow.review import Review
from tui.keymap import command
from tui.keys import DECISIONS, KEYS, Place, bindings
from tui.literal import literal
from tui.panes.candidates import CandidatesPane
from tui.panes.scenario import ScenarioPane
from tui.panes.values import ValueList, ValuesPane
from tui.panes.verdicts import VerdictPane, View
from tui.rows import RowList
from tui.screens import telling
from tui.screens.workplace import Workplace

FRAME = 1 / 10
"""Seconds between two drawings of what streams in."""

REST = 0.15
"""Seconds that the cursor rests before the *what if* line is worked out."""


class ReviewScreen(Workplace):
    """What an operator looks at all day."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.REVIEW)
    AUTO_FOCUS = "#candidate-list"

    def __init__(self, review: Review) -> None:
        super().__init__(review)
        self._due = Change(0)
        self._timer: Timer | None = None
        self._rest: Timer | None = None
        self._what_if: tuple[object, WhatIf | None] = (None, None)
        self._end: Callable[[], None] = lambda: None
        self._at = "candidates"
        self._under_palette = False

    def on_mount(self) -> None:
        """Draws all, and again whenever something changes."""
        self.review.news.key_of = self.key_of
        self._end = self.review.news.subscribe(self.changed, self._said)
        self.draw(Change.ALL)

    def on_unmount(self) -> None:
        """Listens no more."""
        self._end()

    # Drawing

    def changed(self, change: Change) -> None:
        """Draws soon: at once what the operator did, in frames what streams in."""
        streaming = change in Change.DRAFTS | Change.WORK | Change.SAVING
        self._due |= change
        if not streaming and not self.review.work.hearing:
            self.call_later(self._draw_due)
        elif self._timer is None:
            self._timer = self.set_timer(FRAME, self._draw_due)

    def _draw_due(self) -> None:
        if self._timer:
            self._timer.stop()
            self._timer = None
        due, self._due = self._due, Change(0)
        if due:
            self.draw(due)

    def draw(self, change: Change = Change.ALL) -> None:
        """Draws what has changed, if there is still something to draw on."""
        if not stands(self):
            return
        review = self.review
        if change & Change.VALUES:
            self.query_one(ValuesPane).show(review.profile)
        if change & Change.SCENARIO:
            self.query_one(ScenarioPane).show(review.scenario)
        if change & (Change.CANDIDATES | Change.DRAFTS | Change.VALUES):
            self._draw_candidates()
        if change & (Change.CANDIDATES | Change.DRAFTS | Change.VALUES | Change.SCENARIO):
            self.draw_verdict()
        telling.bars(self)

    def _draw_candidates(self) -> None:
        review = self.review
        pane = self.query_one(CandidatesPane)
        rows = review.rows()
        total, open_ = review.counts()
        pane.list.hint = self._nothing(bool(total))
        pane.titles(
            total,
            open_,
            len(rows),
            review.order,
            review.needle,
            blind=review.blind,
            hiding=review.hiding,
        )
        pane.list.show(rows)
        pane.styles.height = self._height_for(len(rows))

    def _height_for(self, rows: int) -> int | None:
        """Lines for the list: no more than it needs, so that the verdict has the rest."""
        if self.has_class("-narrow"):
            return max(6, min(rows + 3, int(self.size.height * 0.36))) if rows else None
        return max(9, min(rows + 4, int(self.size.height * 0.42)))

    def draw_verdict(self) -> None:
        """Draws the candidate under the cursor in full, and notes that it is in view."""
        review = self.review
        row = self.query_one(CandidatesPane).list.current
        pane = self.query_one(VerdictPane)
        name = row.key if row else ""
        found = review.candidate(name)
        if found is None:
            review.looking.at(name, None)
            pane.show(None, self._no_verdict(name))
            return
        hidden = review.hides(name)
        verdict = review.session.verdict(name)
        shows = (found.current.digest, hidden, verdict.risk, verdict.recommendation, verdict.stale)
        review.looking.at(name, (*shows, found.standing))
        if verdict.judgement and not hidden:
            review.shown(name)
        many = len(found.revisions)
        if self.compare and self._versions != (name, many):  # a newer one would not be seen
            self.compare = (many - 2, many - 1) if many > 1 else None
        self._versions = (name, many)
        known = (name, review.profile, len(review.session.records), review.hiding)
        busy = review.work.busy_with(name)
        pane.show(
            View(
                candidate=found,
                verdict=verdict,
                profile=review.profile,
                hidden=hidden,
                to_do=review.what_to_do(name),
                doing=busy.value if busy else "",
                draft=review.draft(name),
                weighed=self._what_if[0] == known,
                what_if=self._what_if[1],
                judged_at=_local(review.judged_at(name)),
                compare=self.compare,
                raw=self.raw,
                payoffs=review.scenario.payoffs is not None,
                lens=lens(review.scenario, found.text),
                key_of=self.key_of,
            ),
            Content(""),
        )
        if self._what_if[0] != known and verdict.judgement and not hidden:
            if self._rest:
                self._rest.stop()
            self._rest = self.set_timer(REST, lambda: self._work_out(known))

    def _work_out(self, known: tuple[str, object, int, bool]) -> None:
        name = known[0]
        if stands(self) and self.query_one(CandidatesPane).list.key == name:
            self._what_if = (known, self.review.what_if(name))
            self.draw_verdict()

    def _said(self, notice: Notice) -> None:
        self._due |= Change.WORK
        self.call_later(self._draw_due)
        self.set_timer(READING, lambda: self.changed(Change.WORK))  # the bar is back where one runs

    # What to say where there is nothing

    def _nothing(self, filtered: bool) -> Content:
        if filtered:
            return lines(
                Content(""),
                Content.styled("  No candidate has all these words.", MUTED),
                self.press("cancel", "shows all again"),
            )
        if self.review.work.trouble and not self.review.work.jobs:
            return lines(
                Content(""),
                Content.styled("  The models are not there.", MUTED),
                Content(""),
                self.press("models", f"then {self.key_of('bring')}: brings the default model"),
                self.press("models", "chooses another one"),
                self.press("propose", "tries again"),
            )
        take_in = self.key_of("scenario-import")
        return lines(
            Content(""),
            Content.styled("  Nothing to decide yet.", MUTED),
            Content(""),
            self.press("propose", "has the model propose actions for this goal"),
            self.press("scenario", f"then {take_in}: takes in candidates from a file"),
            self.press("open", "opens another scenario, or a session"),
        )

    def _no_verdict(self, name: str) -> Content:
        if name and (draft := self.review.draft(name)):
            return lines(
                Content.styled("Being written; it is judged as soon as it is whole.", MUTED),
                Content(""),
                literal(draft) + Content.styled("▏", "$primary"),
            )
        if name:
            return Content.styled("About to be written.", MUTED)
        return lines(
            Content.styled("Here stand the verdict on the candidate under the cursor,", MUTED),
            Content.styled("its full text and its versions.", MUTED),
            Content(""),
            self.press("models", "brings a model, or chooses one")
            if self.review.work.trouble
            else self.press("propose", "proposes candidates"),
        )

    # Cursor and focus

    @on(RowList.Moved, "#candidate-list")
    def _moved(self, event: RowList.Moved) -> None:
        self.compare = None
        if event.by_hand:  # a key held down goes on where its line left the list
            self.review.looking.other_key()
        self.query_one(VerdictPane).scroll_home(animate=False)
        self.draw_verdict()

    @on(RowList.Moved, "#value-list")
    def _value_moved(self) -> None:
        self.query_one(ValuesPane).show_statement()

    @on(RowList.Chosen, "#candidate-list")
    def _chosen(self) -> None:
        self.action_pane("verdict")

    def on_descendant_focus(self) -> None:
        """The footer shows what works here."""
        for name in ("values", "scenario", "candidates"):
            if self.focused and self.query_one(f"#{name}") in self.focused.ancestors_with_self:
                self._at_pane(name)
        telling.bars(self)

    def on_screen_resume(self) -> None:
        """It is in view again; the palette hid nothing, and its command is meant."""
        if not self._under_palette:
            self.review.looking.back()
        self._under_palette = False

    def on_screen_suspend(self) -> None:
        """Something else comes into view; a window leaves what it is about in sight."""
        self._under_palette = isinstance(self.app.screen, CommandPalette)
        if not self.app.screen.is_modal:
            self.review.looking.away()

    def on_resize(self) -> None:
        """Widths have changed."""
        self.call_after_refresh(self._share_place)
        self.call_after_refresh(self.draw, Change.CANDIDATES)

    def _at_pane(self, name: str) -> None:
        self._at = name
        self.query_one(TabLine).active = name
        self._share_place()

    def _share_place(self) -> None:
        """Shows the pane that is gone to, where three of them share a place.

        Not done where there is room for all, since a class of the screen restyles all in it.
        """
        if self.has_class("-narrow"):
            for other in ("values", "scenario", "candidates"):
                self.set_class(other == self._at, f"-at-{other}")

    def action_pane(self, name: str) -> None:
        """Goes to a pane."""
        if name != "verdict":
            self._at_pane(name)
        targets = {"values": "#value-list", "candidates": "#candidate-list"}
        # At once, so that the next key, however soon, is one of that pane's.
        self.set_focus(self.query_one(targets.get(name, f"#{name}")))

    def _step(self, by: int) -> None:
        names = ["values", "scenario", "candidates", "verdict"]
        now = 2
        for place, name in enumerate(names):
            if self.focused and self.query_one(f"#{name}") in self.focused.ancestors_with_self:
                now = place
        self.action_pane(names[(now + by) % 4])

    def action_next_pane(self) -> None:
        """Goes to the next pane."""
        self._step(1)

    def action_previous_pane(self) -> None:
        """Goes to the pane before."""
        self._step(-1)

    # What the operator asks for; how it is done stands in the modules beside this one

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No decision key works while text is typed here, nor anything while a question is put.

        A dialog takes a moment to open. What is typed ahead of it is meant for it, and must not be
        read as keys of this screen.
        """
        if action != "do":
            return True
        typing = isinstance(self.focused, Input)
        return not self.asking and not (typing and parameters[0] in DECISIONS)

    def action_do(self, what: str) -> None:
        """Does what a key stands for. Whatever a guard refuses is said, and nothing is changed."""
        from tui.screens import doing  # late: text fields are not needed for the first paint

        try:
            doing.DO[what](self)
        except PlacetError as error:
            self.refused(error)

    def commands(self) -> Iterable[SystemCommand]:
        """The palette's entries: every key that works on this screen, by its name."""
        places: dict[Place, tuple[DOMNode, str]] = {
            Place.REVIEW: (self, ""),
            Place.VALUES: (self.query_one(ValuesPane).list, "Values"),
            Place.SCENARIO: (self.query_one(ScenarioPane), "Scenario"),
            Place.LIST: (self.query_one(CandidatesPane).list, "Candidates"),
        }
        for key in KEYS:
            # The palette is open already, and knows how to quit.
            if key.place in places and key.id not in ("palette", "quit"):
                yield command(self, key, *places[key.place])

    @on(ValueList.Weigh)
    @on(ValueList.Nudge)
    @on(ValueList.Switch)
    def _weigh(self, event: ValueList.Weigh | ValueList.Nudge | ValueList.Switch) -> None:
        weight = self.review.profile.weights.get(event.value)
        if weight is None:  # it went between two keys
            return
        if isinstance(event, ValueList.Nudge):
            weight += event.by
        elif isinstance(event, ValueList.Switch):
            weight = 0.0 if weight else self.review.session.last_weight(event.value)
        else:
            weight = event.weight
        try:
            self.review.set_weight(event.value, weight)
        except PlacetError as error:
            self.refused(error)

    def ask_values(self, what: str, value: str) -> None:
        """Does what a key of the values stands for."""
        from tui.screens import editing

        self.do(editing.VALUES[what](self, value))

    def ask_scenario(self, what: str) -> None:
        """Does what a key of the scenario stands for."""
        from tui.screens import editing

        self.do(editing.SCENARIO[what](self))

    @on(CandidatesPane.Filtered)
    def _filtered(self, event: CandidatesPane.Filtered) -> None:
        self.review.set_needle(event.needle)

    @on(CandidatesPane.FilterDone)
    def _filter_done(self) -> None:
        self.set_focus(self.query_one(CandidatesPane).list)

    @on(CandidatesPane.FilterClosed)
    def filter_closed(self) -> None:
        """Shows all again."""
        self.query_one(CandidatesPane).close_filter()
        self.review.set_needle("")


def _local(at: str) -> str:
    """A time of the log, as it is at this workstation."""
    try:
        return datetime.fromisoformat(at).astimezone().isoformat()
    except ValueError:
        return at
