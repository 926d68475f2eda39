"""The models on this machine and in the catalogue: choose policy and judge, bring one."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from core.models import catalog
from tui.bars import ActivityLine, stands
from tui.draw import MUTED, bar
from tui.flow.jobs import Kind
from tui.flow.news import READING, Change, Notice, Tone
from tui.flow.work import Work
from tui.keymap import key_of
from tui.keys import Place, bindings
from tui.literal import cut, literal
from tui.rows import RowList
from tui.screens.page import Page


class Offer:
    """A model that can be chosen or brought."""

    def __init__(self, name: str) -> None:
        known = catalog.entry(name)
        self.name = name
        self.here = catalog.on_disk(name)
        self.size = known.bytes if known else 0
        self.licence = known.licence if known else ""
        brought = catalog.entry(catalog.DEFAULT) if name == catalog.OWN else known
        self.source = (brought.source if brought else "") or "the Hugging Face Hub"
        self.title = (
            known.title
            if known
            else {
                catalog.ECHO: "a stand-in without weights: what it writes means nothing",
                catalog.OWN: "the default model with what Placet trained on top",
                catalog.PROMPTED: "the policy model, asked for its verdict in words",
            }.get(name, "")
        )
        if name == catalog.PROMPTED:
            self.here = True


def pulled_as(name: str) -> str:
    """The model that is brought for that one: what Placet trained comes with Placet itself."""
    return catalog.DEFAULT if name == catalog.OWN else name


def serves(work: Work, role: str, name: str) -> bool:
    """Whether that model is in use as policy or judge. Placet's own go by their parts' names."""
    if role not in work.models:
        return False
    used = work.models[role].name
    return used == name or (name == catalog.OWN and used.startswith(f"{catalog.DEFAULT}+"))


def offers() -> list[Offer]:
    """The catalogue, then what else lies on this machine, then the ones without weights."""
    names = [catalog.OWN, *(entry.name for entry in catalog.entries())]
    names += catalog.pulled()
    names += [catalog.PROMPTED, catalog.ECHO]
    return [Offer(name) for name in dict.fromkeys(names)]


class ModelList(RowList[Offer]):
    """One line a model."""

    HEADER = 1

    def __init__(self, work: Work) -> None:
        super().__init__(id="models")
        self._work = work

    def key_of(self, row: Offer) -> str:
        """Its name."""
        return row.name

    def header(self, width: int) -> Content:
        """The columns."""
        told = f"  {'in use':<15} {'on disk':<9} {'size':>8}  {'licence':<11} model"
        return Content.styled(told[:width], MUTED)

    def draw(self, row: Offer, width: int, under_cursor: bool) -> Content:
        """What is known about it."""
        mark = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        roles = [role for role in ("judge", "policy") if serves(self._work, role, row.name)]
        pulling = self._work.pulling
        if pulling and pulling.model == pulled_as(row.name):
            progress = pulling.progress
            here = bar(progress.done / progress.total if progress and progress.total else 0, 9)
        else:
            here = Content.styled(
                f"{'✓ yes' if row.here else '– no':<9}", "$text-success" if row.here else MUTED
            )
        size = f"{row.size / 1e9:.2f} GB" if row.size else ""
        start = mark + Content.styled(f"{' + '.join(roles):<15} ", "$text-accent") + here
        start += Content(f" {size:>8}  {row.licence:<11} ")
        room = max(0, width - start.cell_length)
        name = Content(cut(row.name, room).rstrip())
        title = cut(row.title, room - name.cell_length - 2)
        return start + name + Content.styled(f"  {title}", MUTED)


class ModelsScreen(Page[None]):
    """Policy and judge."""

    HEADING = "Models"
    PLACES = (Place.MODELS,)
    BINDINGS: ClassVar[list[BindingType]] = bindings(*PLACES)

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._end: Callable[[], None] = lambda: None

    def inside(self) -> ComposeResult:
        """The list, and what is known about the one under the cursor."""
        yield ModelList(self._work)
        yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        """Follows what the worker says."""
        self._end = self._work.news.subscribe(self._changed, self._said)
        self._draw()

    def on_unmount(self) -> None:
        """Listens no more."""
        self._end()

    def _changed(self, change: Change) -> None:
        if change & Change.WORK and stands(self):
            self._draw()

    def _said(self, notice: Notice) -> None:
        self._tell()
        self.set_timer(READING, self._tell)  # the bar is back where one runs

    @property
    def _bring(self) -> str:
        return key_of(self.app, "bring")

    def _draw(self) -> None:
        self.query_one(ModelList).show(offers())
        self._detail()
        self._tell()

    def _tell(self) -> None:
        if not stands(self):
            return
        work, line = self._work, self.query_one(ActivityLine)
        if job := work.pulling or work.current:
            key = key_of(self.app, "stop-bringing") if job.kind is Kind.PULL else ""
            more = len(work.jobs) - 1
            line.running(job.told, *job.steps, job.seconds_left, more, key, work.news.fresh)
        else:
            line.saying(work.news.last, Content(""))

    @on(RowList.Moved)
    def _detail(self) -> None:
        row = self.query_one(ModelList).current
        told = Content("")
        if row and row.here:
            told = Content.styled("On this machine: ", MUTED) + literal(row.title, MUTED)
        elif row:
            told = Content.styled(
                f"{self._bring} brings it from {row.source}. "
                "Nothing else in Placet uses the network.",
                MUTED,
            )
        self.query_one("#detail", Static).update(told)

    def action_use(self, role: str) -> None:
        """Loads it for a role; once it is there, it is kept for the next start."""
        row = self.query_one(ModelList).current
        if row is None:
            return
        if not row.here:
            told = f"{row.name} is not on this machine. {self._bring} brings it."
            self._work.news.say(told, Tone.WARNING)
            return
        if row.name == catalog.PROMPTED and role != "judge":
            told = "That is a way to judge, not a model that proposes."
            self._work.news.say(told, Tone.WARNING)
            return
        chosen = dict.fromkeys(("policy", "judge") if role == "both" else (role,), row.name)
        # As they were asked for: once loaded, Placet's own models go by their parts' names.
        asked = dict(zip(("policy", "judge"), self._work.wanted, strict=True))
        self._work.load(**(asked | chosen), chosen=chosen)
        self._work.news.say(f"Loading {row.name} as {' and '.join(chosen)}.")

    def action_bring(self) -> None:
        """Pulls it."""
        row = self.query_one(ModelList).current
        if row is None or row.here:
            self._work.news.say("It is on this machine already.")
            return
        self._work.pull(pulled_as(row.name))
        self._work.news.say(f"Bringing {row.name} from {row.source}.")

    def action_stop(self) -> None:
        """Cancels what runs."""
        if not self._work.stop_pulling():
            self._work.news.say("Nothing is being brought.")
