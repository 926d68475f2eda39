"""A run's folder: what was asked for, what happened, what came of it. Screens read it as it grows.

- `run.toml`: the settings (`RunSettings`), written before anything else.
- `log.jsonl`: a line an update (`Update`).
- `episodes.jsonl`: a line an episode (`Episode`).
- `figures.json`: written when the run is through (`Outcome`); until then it is not there.
- `adapter_config.json`, `adapter_model.safetensors`: the adapter, in peft's format.
- `opponent/`: the second learner's adapter, if there was one.
- `checkpoints/`: what a stopped run needs to go on.

Logs are only ever added to, but for a resumed run, which takes out what came after its checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from core.errors import BadInput
from core.files import SCHEMA, Warn, as_table, convert, dump_toml, read_text, read_toml, write_whole
from core.games.matrix import TRAINING_GAME, Game, Move, State
from core.games.players import Chances, find_player
from core.games.prompts import TRAINING_WORDS, Words
from core.games.rewards import ILLEGAL, RULES, XI_TRAINING, Reward, lowest
from core.models import catalog
from core.models.manifest import weights_digest
from core.session.hold import Hold

SETTINGS = "run.toml"
LOG = "log.jsonl"
EPISODES = "episodes.jsonl"
FIGURES = "figures.json"
OPPONENT = "opponent"

LEARNER = "learner"
"""The opponent that learns too, by the same reward, with an adapter of its own."""

FORMAT, LEARNING = "format", "learning"
"""The phases of a run: until most replies are legal, and from there on."""

Line = TypeVar("Line", bound=Struct)


def setting_name(reward: Reward, switch_to: Reward | None, opponent: str) -> str:
    """What is trained, in short; see `group_names` for what else sets runs apart."""
    return f"{reward}-then-{switch_to}-vs-{opponent}" if switch_to else f"{reward}-vs-{opponent}"


def run_name(reward: Reward, switch_to: Reward | None, opponent: str, game: str, seed: int) -> str:
    """The usual name of a run's folder, whatever characters the game's name has."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", game).strip("-")[:40] or "game"
    return f"{setting_name(reward, switch_to, opponent)}-{plain}-{seed}"


def check_game(
    game: Game, reward: Reward, switch_to: Reward | None, opponent: str, xi: float = XI_TRAINING
) -> None:
    """Refuses a game in which replies that are no move would be learnt.

    Raises:
        BadInput: a legal move may be worth no more than a reply that is none.
    """
    seats = (game, game.turned) if opponent == LEARNER else (game,)
    for name in filter(None, (reward, switch_to)):
        least = min(lowest(RULES[name], seat, xi) for seat in seats)
        if least <= ILLEGAL:
            raise BadInput(
                f"by {name} a legal move may be worth {least:g}, and a reply that is no move is "
                f"worth {ILLEGAL:g}",
                where=f"game {game.name}",
                mend="Bring its payoffs nearer to each other and to 0, or choose another reward.",
            )


class RunSettings(Struct, frozen=True, kw_only=True):
    """All that decides how a run comes out."""

    game: Game
    reward: Reward
    opponent: str
    """A classic player's name, or `LEARNER`."""
    episodes: Annotated[int, Meta(ge=1)]
    seed: int
    switch_to: Reward | None = None
    """The reward after episode `switch_at`: unlearning."""
    switch_at: Annotated[int, Meta(ge=1)] | None = None
    words: Words = TRAINING_WORDS
    xi: float = XI_TRAINING
    model: str
    digest: str
    """SHA-256 of the model's weights."""
    learning: Mapping[str, str | int | float | bool] = {}
    """The trainer's settings by name."""

    def __post_init__(self) -> None:
        if (self.switch_to is None) != (self.switch_at is None):
            raise ValueError("switch_to and switch_at belong together")
        if self.switch_at is not None and self.switch_at >= self.episodes:
            raise ValueError("switch_at is not before the last episode")

    @property
    def setting(self) -> str:
        """See `setting_name`; another game than the usual one is named too."""
        told = setting_name(self.reward, self.switch_to, self.opponent)
        return told if self.game == TRAINING_GAME else f"{told}-on-{self.game.name}"

    @property
    def name(self) -> str:
        """The usual name of the run's folder."""
        return run_name(self.reward, self.switch_to, self.opponent, self.game.name, self.seed)


def group_names(runs: Sequence[RunSettings]) -> list[str]:
    """What each run is told under: its setting, and what sets it apart from others of that setting.

    Runs share it that differ in their seed only.
    """
    tables = [
        dict(_fields({**as_table(one), "digest": one.digest[:12], "seed": 0})) for one in runs
    ]
    names = []
    for settings, own in zip(runs, tables, strict=True):
        others = [
            other
            for one, other in zip(runs, tables, strict=True)
            if one.setting == settings.setting
        ]
        apart = [
            f"{name} {value}"
            for name, value in own.items()
            if any(other.get(name) != value for other in others)
        ]
        names.append(", ".join([settings.setting, *apart]))
    return names


def _fields(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a table holds, tables within it by their path."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in _fields(value))
        else:
            yield name, value


class Update(Struct, frozen=True, kw_only=True):
    """What an update was like; means over its samples, before the adapter was moved."""

    step: int
    """Counted from 1."""
    steps: int
    """Updates that the run is expected to take."""
    episodes: int
    """Played so far, this update's among them."""
    phase: str
    """`FORMAT` or `LEARNING`."""
    rule: Reward
    """The reward in force."""
    reward: float
    kl: float
    """Drift from the untuned model, nats a reply."""
    entropy: float
    """Nats a token."""
    seconds: float
    seconds_left: float
    actions: Mapping[str, float]
    """Shares of `regret.ACTION_TYPES` in the samples, summing to 1."""
    deontological_regret: float | None = None
    """Exact, on the training game's own prompts against a random opponent, as in the test."""
    utilitarian_regret: float | None = None


class Step(Struct, frozen=True):
    """A decision of an episode."""

    state: State
    reply: str
    """As the model wrote it, to where it was a word or could no longer become one."""
    move: Move | None
    """`None` for an illegal reply."""
    opponent: Move
    reward: float


class Episode(Struct, frozen=True, kw_only=True):
    """Consecutive rounds from a state drawn at random."""

    number: int
    """Counted from 1."""
    step: int
    """The update that it was played for."""
    rule: Reward
    plays: tuple[Step, ...]


class Snapshot(Struct, frozen=True, kw_only=True):
    """The policy at one time, read exactly off the training game's 16 prompts."""

    episodes: int
    """Played until then."""
    chances: Mapping[str, Chances]
    """Replies by state (`CC`, `CD`, `DC`, `DD`; one's own last move first)."""
    actions: Mapping[str, float]
    """Expected shares of `regret.ACTION_TYPES` in an episode against the training opponent; one
    that learns too is held to be random."""
    deontological_regret: float
    utilitarian_regret: float


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a run that is through."""

    updates: int
    episodes: int
    format_updates: int
    """Updates of the first phase, in which the reply format was found."""
    format_episodes: int
    seconds: float
    """In updates, over all sittings."""
    before: Snapshot
    at_switch: Snapshot | None = None
    end: Snapshot
    illegal: float
    """Share of illegal replies among the last sampled ones, 0 to 1."""
    ran_away: bool = False
    """Ended early, since the policy drifted too far from the untuned model."""


def hold(folder: Path) -> Hold:
    """The right to write a run's folder: two at once would mix their logs and checkpoints."""
    return Hold(
        folder / SETTINGS,
        taken="another process is at it",
        mend="Let it come to its end, or stop it first.",
    )


def write_settings(folder: Path, settings: RunSettings) -> None:
    """Begins a run's folder."""
    table = {key: value for key, value in as_table(settings).items() if value is not None}
    write_whole(folder / SETTINGS, dump_toml({"schema": SCHEMA, **table}))


def read_settings(folder: Path, warn: Warn | None = None) -> RunSettings:
    """The settings of a run.

    Raises:
        BadInput: the folder holds none, or they cannot be used; file and field are named.
    """
    if not (folder / SETTINGS).is_file():
        raise BadInput(
            "this is no run's folder: it has no run.toml",
            where=str(folder),
            mend="`placet games tune` makes one.",
        )
    settings = convert(read_toml(folder / SETTINGS), RunSettings, str(folder / SETTINGS), warn)
    if settings.opponent != LEARNER:
        try:
            find_player(settings.opponent)
        except BadInput as error:
            where = f"{folder / SETTINGS}: opponent"
            raise BadInput(error.problem, where=where, mend=error.mend) from None
    return settings


def base_of(settings: RunSettings, folder: Path) -> Path:
    """The folder of the model that a run in `folder` tunes.

    Raises:
        BadInput: it has other weights than when the run was begun.
        ModelProblem: it is not on this machine.
    """
    base = catalog.locate(settings.model)
    if weights_digest(base) != settings.digest:
        raise BadInput(
            f"{settings.model} has other weights than when the run was begun",
            where=str(folder / SETTINGS),
            mend="Bring the weights that it was begun with, or begin another folder.",
        )
    return base


def read_updates(folder: Path, start: int = 0) -> tuple[list[Update], int]:
    """The log from byte `start` on, and the byte to go on from; see `read_lines`."""
    return read_lines(folder / LOG, Update, start)


def read_episodes(folder: Path, start: int = 0) -> tuple[list[Episode], int]:
    """The episodes from byte `start` on, and the byte to go on from; see `read_lines`."""
    return read_lines(folder / EPISODES, Episode, start)


def read_lines(path: Path, kind: type[Line], start: int = 0) -> tuple[list[Line], int]:
    """Whole lines from byte `start` on, and the byte to go on from.

    A last line without its end is left for the next time. A file that is not there yet has none,
    and one shorter than `start` was cut by a resumed run: it is read from its beginning.

    Raises:
        BadInput: a line is not of that kind; file and line are named.
    """
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) < start:
                start = 0
            file.seek(start)
            read = file.read()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise BadInput(f"it cannot be read ({error.strerror})", where=str(path)) from None
    whole = read[: read.rfind(b"\n") + 1]
    decoder = msgspec.json.Decoder(kind)
    rows = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            rows.append(decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            place = f"line {number}" if start == 0 else f"line {number} after byte {start}"
            raise BadInput(
                f"this is no line of such a log: {error}", where=f"{path}: {place}"
            ) from None
    return rows, start + len(whole)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Ends a run's folder."""
    text = msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode()
    write_whole(folder / FIGURES, text + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """What came of a run; `None` while it is not through.

    Raises:
        BadInput: the file cannot be used.
    """
    path = folder / FIGURES
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(read_text(path), type=Outcome)
    except msgspec.DecodeError as error:
        raise BadInput(f"these are no figures of a run: {error}", where=str(path)) from None


def standing(folder: Path) -> tuple[bool, int]:
    """Whether a run came to its last episode, and how many it has learned from.

    Raises:
        BadInput: its log or its figures cannot be used.
    """
    if outcome := read_outcome(folder):
        return not outcome.ran_away, outcome.episodes
    updates, _ = read_updates(folder)
    return False, updates[-1].episodes if updates else 0


def find_runs(root: Path) -> list[Path]:
    """The run folders in `root`, by name."""
    return sorted(path.parent for path in root.glob(f"*/{SETTINGS}"))
