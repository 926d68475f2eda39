"""What a run is asked for, a line a field."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from core.engine.tuning import OPPONENTS, Wish, changed
from core.games.matrix import GAMES
from core.games.players import PLAYERS
from core.games.rewards import RULES, Reward
from core.games.run import LEARNER
from tui.dialogs import Choice
from tui.draw import MUTED
from tui.literal import cut, literal
from tui.rows import RowList

NEVER = "never"
"""The choice of no second reward."""


class Field(NamedTuple):
    """One field of the wish."""

    key: str
    label: str
    value: Callable[[Wish], str]
    put: Callable[[Wish, str], Wish]
    """The wish with another value, given as text."""
    choices: Sequence[Choice] = ()
    """What there is to choose from; empty for a number."""
    step: int = 1
    """How far a number moves with one key."""
    about: str = ""


def _rewards() -> list[Choice]:
    return [
        Choice(name.value, name.value, (rule.__doc__ or "").strip()) for name, rule in RULES.items()
    ]


_GAMES = [Choice(game.name, game.title, game.name) for game in GAMES.values()]
_OPPONENTS = [
    Choice(name, name, PLAYERS[name].title if name in PLAYERS else "learns too, by the same reward")
    for name in OPPONENTS
]

FIELDS = (
    Field(
        "game",
        "game",
        lambda wish: wish.game,
        lambda wish, told: changed(wish, game=told),
        _GAMES,
        about="One of the five, or a 2×2 game of your own from a TOML file.",
    ),
    Field(
        "reward",
        "reward",
        lambda wish: wish.reward.value,
        lambda wish, told: changed(wish, reward=Reward(told)),
        _rewards(),
    ),
    Field(
        "opponent",
        "opponent",
        lambda wish: wish.opponent,
        lambda wish, told: changed(wish, opponent=told),
        _OPPONENTS,
        about=f"A fixed strategy, or `{LEARNER}`.",
    ),
    Field(
        "episodes",
        "episodes",
        lambda wish: str(wish.episodes),
        lambda wish, told: changed(wish, episodes=_number(told, 1)),
        step=50,
        about="Consecutive rounds from a random state, then a step of learning.",
    ),
    Field(
        "seed",
        "seed",
        lambda wish: str(wish.seed),
        lambda wish, told: changed(wish, seed=_number(told, 0)),
        about="The same seed and settings give the same run.",
    ),
    Field(
        "switch",
        "then reward",
        lambda wish: wish.switch_to.value if wish.switch_to else NEVER,
        lambda wish, told: changed(wish, switch_to=None if told == NEVER else Reward(told)),
        [Choice(NEVER, NEVER, "one reward all along"), *_rewards()],
        about="Unlearning: another reward from some episode on.",
    ),
    Field(
        "switch-at",
        "after episode",
        lambda wish: str(wish.switch_at),
        lambda wish, told: changed(wish, switch_at=_number(told, 1)),
        step=50,
        about="Counts only with a second reward.",
    ),
)


def _number(told: str, least: int) -> int:
    """A whole number; `ValueError` says what is wrong with it."""
    try:
        number = int(told)
    except ValueError:
        raise ValueError(f"{told[:20]!r} is not a whole number") from None
    if not least <= number <= 1_000_000:
        raise ValueError(f"give a number from {least} to 1,000,000")
    return number


def stepped(field: Field, wish: Wish, by: int) -> Wish:
    """The wish with the field one choice, or one step, further or back."""
    now = field.value(wish)
    if field.choices:
        keys = [choice.key for choice in field.choices]
        place = keys.index(now) if now in keys else -1 if by > 0 else 0
        return field.put(wish, keys[(place + by) % len(keys)])
    # To the multiple before or after: 1 → 50 → 100, and not 51.
    steps = int(now) // field.step + 1 if by > 0 else (int(now) - 1) // field.step
    number = steps * field.step
    least = 0 if field.key == "seed" else 1
    return field.put(wish, str(max(least, min(1_000_000, number))))


class SettingList(RowList[Field]):
    """The fields with what was chosen."""

    wish = Wish()

    def key_of(self, row: Field) -> str:
        """The field."""
        return row.key

    def draw(self, row: Field, width: int, under_cursor: bool) -> Content:
        """Its label and value."""
        mark = Content.styled("▸ " if under_cursor else "  ", "bold $primary")
        value = row.value(self.wish)
        if row.key == "game" and value not in GAMES:
            value = Path(value).name
        idle = row.key == "switch-at" and not self.wish.switch_to
        start = mark + Content.styled(f"{row.label:<13}", MUTED)
        room = max(0, width - start.cell_length - 4)
        told = Content.styled(cut(value, room).rstrip(), MUTED if idle else "bold")
        return start + Content.styled("‹ ", MUTED) + told + Content.styled(" ›", MUTED)


class SettingPane(Vertical):
    """The fields, and what the one under the cursor means."""

    def compose(self) -> ComposeResult:
        """The list, then the sentence."""
        yield SettingList(id="setting-list")
        yield Static(id="setting-about", markup=False)

    def on_mount(self) -> None:
        """Its title."""
        self.border_title = Content("1 Setting")
        self.list.show(FIELDS)

    @property
    def list(self) -> SettingList:
        """The fields."""
        return self.query_one(SettingList)

    def show(self, wish: Wish) -> None:
        """Draws the values."""
        rows = self.list
        if rows.wish != wish or not rows.rows:
            rows.wish = wish
            rows.show(FIELDS)
        self.tell()

    def tell(self) -> None:
        """The sentence about the field under the cursor, or about its value."""
        field = self.list.current
        if field is None:
            return
        value = field.value(self.list.wish)
        detail = next((choice.detail for choice in field.choices if choice.key == value), "")
        if field.key == "game":
            detail = _cells(value)
        sentences = [part for part in (detail, field.about) if part]
        told = " ".join(f"{part[:1].upper()}{part[1:].rstrip('.')}." for part in sentences)
        self.query_one("#setting-about", Static).update(literal(told, MUTED))


def _cells(name: str) -> str:
    game = GAMES.get(name)
    if game is None:
        return f"{name}."
    cells = (("CC", game.cc), ("CD", game.cd), ("DC", game.dc), ("DD", game.dd))
    return "  ".join(f"{cell} {mine:g},{theirs:g}" for cell, (mine, theirs) in cells) + "."
