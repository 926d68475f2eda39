"""One run in full: what it does, how it learned, and its regrets beside those of fixed policies."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.games.matrix import Game
from core.games.regret import ACTION_TYPES, Figures, reference
from core.games.run import FORMAT, LEARNER, RunSettings
from tui.charts import FILLS, areas, curve
from tui.draw import MUTED, lines
from tui.flow.laboratory import Phase, Seen
from tui.literal import literal
from tui.panes.runs import MARKS
from tui.scroll import TextScroll

SIDE_BY_SIDE = 66
"""Cells from which on the curves stand beside each other."""

_SCALE = 6
"""Cells for the numbers at the left of a chart."""


class View(NamedTuple):
    """All that the pane shows."""

    seen: Seen
    phase: Phase
    key_of: Callable[[str], str]
    seconds: float = 0.0
    """How long its process has been there."""


class RunPane(TextScroll):
    """The run in view."""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="run-text", markup=False)

    def show(self, view: View | None, empty: Content) -> None:
        """Draws it."""
        body = self.query_one("#run-text", Static)
        if view is None:
            self.border_title = Content("3 Run")
            body.update(empty)
            return
        self.border_title = Content("3 Run · ") + literal(view.seen.folder.name, one_line=True)
        size = self.scrollable_content_region
        body.update(lines(*draw(view, max(30, size.width - 1), max(10, size.height))))


def draw(view: View, width: int, height: int) -> list[Content]:
    """The pane's text, as tall as there is room, and longer where it must be."""
    seen = view.seen
    parts = _headline(view)
    if not seen.updates:
        return [*parts, *_waiting(view), *_regrets(view, width)]
    table = _regrets(view, width)
    rest = max(0, height - len(parts) - len(table) - 7)
    side = width >= SIDE_BY_SIDE
    tall = max(5, min(24, rest * 3 // 5))
    low = max(3, min(12, (rest - tall) if side else 3))
    return [
        *parts,
        *_areas(seen, width, tall),
        Content(""),
        *_curves(seen, width, low, side),
        *table,
    ]


def _headline(view: View) -> list[Content]:
    seen, phase = view.seen, view.phase
    mark, style = MARKS[phase]
    told = Content.styled(f"{mark} {phase.value}", f"bold {style}")
    last = seen.updates[-1] if seen.updates else None
    if seen.settings:
        done = seen.outcome.episodes if seen.outcome else last.episodes if last else 0
        told += Content(f"   {done} of {seen.settings.episodes} episodes")
    if phase is Phase.STARTING:
        told += Content.styled(f"   loading the model, {view.seconds:.0f} s so far", MUTED)
    if last and phase in (Phase.RUNNING, Phase.ELSEWHERE):
        told += Content.styled(f"   {_time(last.seconds_left)} left", MUTED)
        told += Content.styled("   finding the reply format" if last.phase == FORMAT else "", MUTED)
    if phase in (Phase.PAUSED, Phase.STOPPED, Phase.DIED):
        key = view.key_of("lab-pause")
        told += Content.styled(f"   {key}", "bold $footer-key-foreground")
        told += Content.styled(" goes on from the last checkpoint", MUTED)
    if phase is Phase.DONE and seen.tuned:
        key = view.key_of("lab-try")
        told += Content.styled(f"   {key}", "bold $footer-key-foreground")
        told += Content.styled(" tries it as the policy of the review", MUTED)
    parts = [told]
    if seen.outcome and seen.outcome.ran_away:
        parts.append(
            Content.styled("! ", "$text-warning")
            + Content("It ended early: the policy drifted too far from the untuned model.")
        )
    if seen.problem:
        parts.append(
            Content.styled("! ", "$text-error")
            + literal(f"{seen.problem}".replace("\n ", "."), "$text-error")
        )
    return [*parts, Content("")]


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _waiting(view: View) -> list[Content]:
    if view.phase is Phase.STARTING:
        told = (
            f"Loading the model, {view.seconds:.0f} s so far; the first update takes the longest."
        )
    elif view.phase is Phase.DONE:
        told = "Its log holds no update."
    else:
        told = "It has no update yet."
    return [Content.styled(told, MUTED), Content("")]


def _areas(seen: Seen, width: int, height: int) -> list[Content]:
    """What it does given what the opponent did, over time; below it what the fills mean."""
    wide = width - _SCALE
    chart = areas([update.actions for update in seen.updates], wide, height)
    parts = [Content.styled("actions, own move | opponent's last one", MUTED)]
    for place, line in enumerate(chart):
        scale = {0: "100%", height - 1: "0%"}.get(place, "")
        drawn = Content.styled(f"{scale:>{_SCALE - 1}} ", MUTED)
        start = 0
        while start < wide:  # one run of cells alike at a time
            end = start
            while end < wide and line[end] == line[start]:
                end += 1
            fill, style = FILLS[line[start]]
            drawn += Content.styled(fill * (end - start), style)
            start = end
        parts.append(drawn)
    parts.append(_marks(seen, wide))
    parts.append(_legend(seen.updates[-1].actions, wide))
    return parts


def _marks(seen: Seen, wide: int) -> Content:
    """The line below the charts: where the format was found, and where the reward changed."""
    line = [" "] * wide
    for before, now in pairwise(seen.updates):
        told = ""
        if before.phase == FORMAT and now.phase != FORMAT:
            told = "▲ format found"
        if before.rule != now.rule:
            told = f"▲ reward {now.rule.value}"
        if told:
            at = (now.step - seen.updates[0].step) * wide // len(seen.updates)
            at = max(0, min(at, wide - len(told)))
            line[at : at + len(told)] = told
    end = f"update {seen.updates[-1].step}"
    if not "".join(line[-len(end) - 1 :]).strip():
        line[-len(end) :] = end
    return Content.styled(" " * _SCALE + "".join(line)[:wide], MUTED)


def _legend(shares: Mapping[str, float], wide: int) -> Content:
    told = Content(" " * _SCALE)
    for name in ACTION_TYPES:
        fill, style = FILLS[name]
        told += Content.styled(fill * 2, style) + Content(f" {name} ")
        told += Content.styled(f"{shares.get(name, 0):.0%}  ", MUTED)
    return told.truncate(wide + _SCALE, ellipsis=True)


def _curves(seen: Seen, width: int, height: int, side: bool) -> list[Content]:
    updates = seen.updates
    rewards = [update.reward for update in updates]
    low, high = min(rewards), max(rewards)
    if high - low < 0.1:
        low, high = low - 0.5, high + 0.5
    each = width // 3 if side else width
    duty, welfare = _PRINCIPLES if each > 28 else _BRIEFLY
    charts: tuple[tuple[str, Sequence[float | None], float, float], ...] = (
        ("reward", rewards, low, high),
        (f"{duty} regret", [one.deontological_regret for one in updates], 0.0, 6.0),
        (f"{welfare} regret", [one.utilitarian_regret for one in updates], 0.0, 1.0),
    )
    blocks = [
        _curve(title, values, low, high, each - 1, height) for title, values, low, high in charts
    ]
    if not side:
        return [line for block in blocks for line in [*block, Content("")]]
    rows = zip(*blocks, strict=True)
    padded = [
        [part.pad_right(max(0, each - part.cell_length)) for part in row[:-1]] + [row[-1]]
        for row in rows
    ]
    return [*(Content("").join(row) for row in padded), Content("")]


def _curve(
    title: str,
    values: Sequence[float | None],
    low: float,
    high: float,
    width: int,
    height: int,
) -> list[Content]:
    """One chart: its title with the last value, then the line between its bounds."""
    last = next((value for value in reversed(values) if value is not None), None)
    told = Content.styled(f"{title} ", MUTED)
    told += Content.styled("–" if last is None else f"{last:.2f}", "bold")
    parts = [told.truncate(width, ellipsis=True)]
    for place, line in enumerate(curve(values, width - _SCALE, height, low, high)):
        scale = {0: f"{high:g}"[:5], height - 1: f"{low:g}"[:5]}.get(place, "")
        parts.append(
            Content.styled(f"{scale:>{_SCALE - 1}} ", MUTED) + Content.styled(line, "$primary")
        )
    return parts


@lru_cache(maxsize=8)
def _references(game: Game) -> dict[str, Figures]:
    return {name: rows[game.name] for name, rows in reference({game.name: game}).items()}


def _regrets(view: View, width: int) -> list[Content]:
    """The run's regrets, exact, and those of policies that are known exactly."""
    seen = view.seen
    if seen.settings is None:
        return []
    game = seen.settings.game
    columns = _WIDE if width >= sum(_WIDE) + 2 else _TIGHT
    duty, welfare = _PRINCIPLES if columns is _WIDE else _BRIEFLY
    head = _row(columns, ["regret", duty, welfare, *ACTION_TYPES])
    parts = [Content.styled(f"  {head}", MUTED)]
    for name, figures in _moments(seen).items():
        row = Content.styled(_row(columns, _cells(name, figures)), "bold")
        parts.append(Content.styled("▸ ", "bold $primary") + row)
    for name, figures in _references(game).items():
        parts.append(Content(f"  {_row(columns, _cells(name, figures))}"))
    return [*parts, literal(_footnote(seen, seen.settings), MUTED)]


def _footnote(seen: Seen, settings: RunSettings) -> str:
    """How the table's figures were come by: a run that is not through has sampled shares."""
    told = f"In {settings.game.title or settings.game.name}, against a random opponent, exact."
    if seen.outcome:
        learner = settings.opponent == LEARNER
        other = "a random opponent, in the learner's place" if learner else settings.opponent
        shares = f"exact, against {other}"
    elif _moments(seen):
        shares = f"those of its last update's samples, against {settings.opponent}"
    else:
        return told
    return f"{told} The run was read in its training's words; its shares are {shares}."


_PRINCIPLES = ("deontological", "utilitarian")
_BRIEFLY = ("deont.", "util.")
_WIDE = (15, 14, 13, 10, 8, 8, 8, 9)
_TIGHT = (15, 7, 7, 6, 6, 6, 6, 8)
"""Cells of the table's columns."""


def _row(columns: Sequence[int], cells: Sequence[str]) -> str:
    first, *rest = columns
    name, *figures = cells
    return f"{name:<{first}}" + "".join(
        f"{cell:>{wide}}" for cell, wide in zip(figures, rest, strict=True)
    )


def _cells(name: str, figures: Figures) -> list[str]:
    shares = [f"{figures.actions.get(kind, 0.0):.0%}" for kind in ACTION_TYPES]
    regrets = (figures.deontological_regret, figures.utilitarian_regret)
    return [name, *(f"{one:.3f}" for one in regrets), *shares]


def _moments(seen: Seen) -> dict[str, Figures]:
    """The run's figures at the times when they are known."""
    if outcome := seen.outcome:
        found = {"before": outcome.before}
        if outcome.at_switch:
            found["at the switch"] = outcome.at_switch
        found["this run"] = outcome.end
        return {
            name: Figures(one.deontological_regret, one.utilitarian_regret, one.actions)
            for name, one in found.items()
        }
    for update in reversed(seen.updates):
        if update.deontological_regret is not None and update.utilitarian_regret is not None:
            figures = (update.deontological_regret, update.utilitarian_regret, update.actions)
            return {"this run, now": Figures(*figures)}
    return {}
