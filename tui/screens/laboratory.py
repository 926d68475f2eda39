"""The laboratory: set up a game, a reward and an opponent, and watch a model learn."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import Screen

from core.engine.tuning import Wish
from core.errors import PlacetError, Refused, reason
from tui.bars import ActivityLine, KeyBar, StatusLine, TabLine, items, stands
from tui.dialogs import Ask, Pick
from tui.draw import MUTED, lines, press
from tui.flow.laboratory import Laboratory, Phase, Row
from tui.flow.news import Change, Notice, Tone
from tui.flow.work import Work
from tui.keymap import command, key_of
from tui.keys import KEYS, Place, bindings
from tui.panes.run import RunPane, View
from tui.panes.runs import RunList
from tui.panes.setting import Field, SettingList, SettingPane, stepped
from tui.rows import RowList

_PANES = ("setting", "runs", "run")


class LaboratoryScreen(Screen[None]):
    """Setting and runs at the left, one run at the right. Below 110 columns they share a place."""

    CSS_PATH = "laboratory.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = bindings(Place.LAB)
    AUTO_FOCUS = "#setting-list"

    def __init__(self, laboratory: Laboratory, work: Work) -> None:
        super().__init__()
        self.laboratory = laboratory
        self._work = work
        self._ends: list[Callable[[], None]] = []
        self._phase: Phase | None = None
        """How the run in view stood when it was drawn."""
        self._phases: object = None
        self._choosing = False
        self._due = False

    def compose(self) -> ComposeResult:
        """From the top down, and from left to right."""
        yield StatusLine()
        yield TabLine((("setting", "1 Setting"), ("runs", "2 Runs"), ("run", "3 Run")))
        with Container(id="panes"):
            with Vertical(id="left"):
                yield SettingPane(id="setting", classes="pane")
                yield RunList(id="runs").add_class("pane")
            yield RunPane(id="run", classes="pane")
        with Vertical(id="bottom"):
            yield ActivityLine()
            yield KeyBar()

    def on_mount(self) -> None:
        """Draws all, and again whenever something changes."""
        self.query_one(RunList).border_title = Content("2 Runs")
        self._ends = [
            self.laboratory.subscribe(self._changed),
            self._work.news.subscribe(self._worked, self._heard),
        ]
        self.set_interval(1.0, self._look_again)
        self.add_class("-at-setting")
        self.query_one(KeyBar).show(
            tuple(items(self, (key for key in KEYS if key.place is Place.LAB and key.show)))
        )
        self._draw()

    def commands(self) -> Iterable[SystemCommand]:
        """The palette's entries: the keys of this screen by their names."""
        return (
            command(self, key, self)
            for key in KEYS
            if key.place is Place.LAB and key.id != "lab-palette"
        )

    def _look_again(self) -> None:
        """A run that another process is at is followed by what it logs, until it ends."""
        if Phase.ELSEWHERE in (self.laboratory.phase, self._phase):
            self.laboratory.look_again()

    def on_unmount(self) -> None:
        """Listens no more."""
        for end in self._ends:
            end()

    def on_resize(self, event: events.Resize) -> None:
        """Charts are as wide as there is room."""
        self.call_after_refresh(self._draw)

    # Drawing

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            self.call_later(self._draw)

    def _worked(self, change: Change) -> None:
        if change & Change.WORK:
            self._changed()

    def _heard(self, notice: Notice) -> None:
        """What goes wrong with the models is told here too; what the session warns of, there."""
        if notice.tone is Tone.ERROR:
            self.laboratory.say(*notice)

    def _draw(self) -> None:
        self._due = False
        if not stands(self):
            return
        laboratory = self.laboratory
        self.query_one(SettingPane).show(laboratory.wish)
        seen, phase = laboratory.seen, laboratory.phase
        self._phase = phase
        view = View(seen, phase, self._key, laboratory.seconds) if seen and phase else None
        self.query_one(RunPane).show(view, self._nothing())
        done = len(seen.updates) if seen else 0
        known = bool(seen and seen.settings)
        phases = (phase, seen and seen.folder, known, laboratory.tuning, done // 10)
        if phases != self._phases:  # the list reads every run's folder
            self._phases = phases
            self.run_worker(self._list(), group="list", exclusive=True)
        self._tell()

    async def _list(self) -> None:
        try:
            rows = await asyncio.to_thread(self.laboratory.rows)
        except OSError as error:
            self.laboratory.say(f"The runs cannot be listed: {error.strerror}", Tone.ERROR)
            return
        if not stands(self):
            return
        runs = self.query_one(RunList)
        runs.show(rows)
        if (seen := self.laboratory.seen) and not runs.has_focus:
            runs.go_to(str(seen.folder))

    def _tell(self) -> None:
        tuning = self.laboratory.tuning
        left = [Content.styled("▶ a run goes on", "$text-accent")] if tuning else []
        right = [Content.styled("offline", MUTED)]
        policy = self._work.models.get("policy")
        if policy:
            from tui.literal import literal

            right.append(literal(f"policy {policy.name}", MUTED, one_line=True))
        self.query_one(StatusLine).tell("The moral games laboratory", left, right)
        hint = Content.styled(
            "A run goes on while you review; quitting Placet stops it with a checkpoint.", MUTED
        )
        self.query_one(ActivityLine).saying(self.laboratory.last, hint)

    def _key(self, name: str) -> str:
        return key_of(self.app, name)

    def _press(self, name: str, told: str) -> Content:
        return press(self._key(name), told)

    def _nothing(self) -> Content:
        return lines(
            Content.styled("No run is in view.", MUTED),
            Content(""),
            self._press("lab-start", "starts one with the setting at the left"),
            self._press("lab-choose", "changes a field of the setting, or opens a run of the list"),
            self._press("lab-run", "comes back here"),
            Content(""),
            Content.styled(
                "The model learns in a process of its own. When Placet quits the run stops with a "
                "checkpoint, and can go on later.",
                MUTED,
            ),
        )

    # Cursor and focus

    def action_pane(self, name: str) -> None:
        """Goes to a pane."""
        for each in _PANES:
            self.set_class(each == name, f"-at-{each}")
        self.query_one(TabLine).active = name
        self.query_one("#setting-list" if name == "setting" else f"#{name}").focus()
        self.call_after_refresh(self._draw)

    def action_next_pane(self, by: int) -> None:
        """Goes to the next pane, or the one before."""
        self.action_pane(_PANES[(_PANES.index(self._at) + by) % len(_PANES)])

    @property
    def _at(self) -> str:
        found = self.focused.ancestors_with_self if self.focused else ()
        return next((name for name in _PANES if self.query_one(f"#{name}") in found), "setting")

    @on(RowList.Moved, "#setting-list")
    def _moved(self) -> None:
        self.query_one(SettingPane).tell()

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_lab("choose")

    # What the operator asks for

    def action_back(self) -> None:
        """Back to the review."""
        self.dismiss(None)

    async def action_step(self, by: int) -> None:
        """Moves the value of the field under the cursor."""
        await self._do("step", self._step(by))

    async def _step(self, by: int) -> None:
        field = self.query_one(SettingList).current
        if field is not None and self._at == "setting":
            self._wish_for(stepped(field, self.laboratory.wish, by))

    def _wish_for(self, wish: Wish) -> None:
        """Takes a wish on; a game that could not be learnt is told of now, not when it starts."""
        wish.check_game()
        self.laboratory.wish = wish
        self._draw()

    def action_lab(self, what: str) -> None:
        """Does what a key stands for; what is refused is said."""
        does: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "start": self.laboratory.start,
            "pause": self.laboratory.pause_or_go_on,
            "stop": self.laboratory.stop,
            "choose": self._choose,
            "try": self._try,
            "help": self._help,
        }
        if what == "choose":
            if self._choosing:  # of two keys that come together the second is nobody's
                return
            self._choosing = True
        # A process is started and ended whether or not this screen stays.
        runner = self.app if what in ("start", "pause", "stop") else self
        runner.run_worker(self._do(what, does[what]()), group=f"lab-{what}")

    async def _do(self, what: str, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except PlacetError as error:
            self.laboratory.say(error.sentence, Tone.WARNING)
            return
        except (OSError, RuntimeError, ValueError) as error:  # of a path that was typed, as a rule
            self.laboratory.say(f"That cannot be done ({reason(error)}).", Tone.WARNING)
            return
        finally:
            if what == "choose":
                self._choosing = False
        if what == "start" and self.is_attached and self.has_class("-narrow"):
            self.action_pane("run")

    async def _choose(self) -> None:
        if self._at == "setting" and (field := self.query_one(SettingList).current):
            await self._change(field)
        elif self._at == "runs" and (row := self.query_one(RunList).current):
            self._open(row)

    def _open(self, row: Row) -> None:
        self.laboratory.open(row.folder)
        self.action_pane("run")

    async def _change(self, field: Field) -> None:
        wish = self.laboratory.wish
        if field.choices:
            told = await self.app.push_screen_wait(
                Pick(field.label.capitalize(), field.choices, paths=field.key == "game")
            )
        else:
            told = await self.app.push_screen_wait(
                Ask(
                    field.label.capitalize(),
                    value=field.value(wish),
                    required="It needs a number.",
                    do="Set",
                )
            )
        if told is None:
            return
        try:
            changed = field.put(self.laboratory.wish, told)
        except ValueError as error:
            raise Refused(f"{field.label}: {error}") from None
        self._wish_for(changed)

    async def _try(self) -> None:
        """Has the tuned model propose."""
        seen = self.laboratory.seen
        if seen is None:
            raise Refused("no run is in view", mend=f"{self._key('lab-choose')} opens one.")
        if not seen.tuned:
            raise Refused(
                f"{seen.folder.name} has no adapter yet",
                mend="It is written when the run stops or ends.",
            )
        self.laboratory.say(
            f"Loading {seen.folder.name}: once it is there, it proposes in the review until Placet "
            "is left."
        )
        self._work.news.say(f"Loading the laboratory's run {seen.folder.name} as the policy.")
        self._work.load(str(Path(seen.folder)), self._work.wanted[1])

    async def _help(self) -> None:
        from tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self._key))
