"""Episodes of a run: played by the policy as it is now, for the PPO trainer to learn from.

All 16 prompts of a game are read in one pass, so every reply is drawn from exact chances and the
pass costs the same however many episodes an update has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Protocol

import msgspec

from core.files import as_table
from core.games import rewards, run
from core.games.matrix import STATES, Game, Move, State
from core.games.players import RANDOM, Chances, Player, Tabled, find_player
from core.games.prompts import ASKINGS, ORDERS, Asking, Words, prompts
from core.games.regret import ACTION_TYPES, action_type, exact
from core.training.ppo import Figures
from core.training.ppo_run import add_lines, cut_lines
from core.training.rollouts import Rollout
from core.training.spoken import Reply, Speaker, Spoken

STEPS, STEPS_WITH_LEARNER = 5, 3
"""Rounds of an episode against a fixed opponent, and against one that learns too."""

LEGAL = 0.95
"""Share of legal replies at which the first phase is over: exact, over the 16 prompts."""

ORDER = tuple(Move)


class Learns(Protocol):
    """Whatever learns from rollouts: the second learner's trainer."""

    def update(self, rollouts: Sequence[Rollout], step: int) -> Any:
        """See `Ppo.update`."""

    def state(self) -> dict[str, Any]:
        """See `Ppo.state`."""

    def restore(self, state: dict[str, Any]) -> None:
        """See `Ppo.restore`."""


class Seat:
    """A model at the table: its prompts, and what it says to them now."""

    def __init__(self, speaker: Speaker, game: Game, words: Words) -> None:
        self.game = game
        self.words = words
        self._speaker = speaker
        self._prompts = list(prompts(game, words).values())
        self._ask(untuned=True)  # remembered, in one and the same pass whether resumed or not
        self.spoken: Spoken

    def _ask(self, *, untuned: bool = False) -> Spoken:
        words = [self.words.word(move) for move in ORDER]
        return self._speaker.ask(self._prompts, words, untuned=untuned)

    def listen(self) -> None:
        """Reads the policy as it is now."""
        self.spoken = self._ask()

    def reply(self, state: State, rng: Random) -> tuple[tuple[int, ...], Reply, Move | None]:
        """The prompt in tokens, what is replied to it, and the move that this is."""
        row = ASKINGS.index(Asking(state, rng.choice(ORDERS), rng.choice(ORDERS)))
        reply = self.spoken.draw(row, rng)
        return self.spoken.prompts[row], reply, None if reply.word is None else ORDER[reply.word]

    def player(self, name: str) -> Tabled:
        """The policy as a player, exactly, all orders of the words alike."""
        return Tabled(name, {self.game: by_state(self.spoken.chances())})


def by_state(found: Sequence[Sequence[float]]) -> dict[State, Chances]:
    """Chances by state, from those of C and D after each of the 16 prompts."""
    known = {}
    for state in STATES:
        rows = [row for asking, row in zip(ASKINGS, found, strict=True) if asking.state == state]
        cooperate, defect = (sum(part) / len(rows) for part in zip(*rows, strict=True))
        known[state] = Chances(cooperate, defect, max(0.0, 1 - cooperate - defect))
    return known


class Progress(msgspec.Struct):
    """What a run has come to so far; goes into its checkpoints."""

    updates: int = 0
    episodes: int = 0
    format_updates: int = 0
    format_episodes: int = 0
    phase: str = run.FORMAT
    seconds: float = 0.0
    before: run.Snapshot | None = None
    at_switch: run.Snapshot | None = None


class Episodes:
    """The sampler of a run (see `core.training.samplers.Sampler`)."""

    def __init__(
        self,
        settings: run.RunSettings,
        seat: Seat,
        per_update: int,
        log: Path,
        stopped: Callable[[], bool],
        rival: tuple[Seat, Learns] | None = None,
    ) -> None:
        """`log` gets a line an episode; `rival` is the second learner."""
        self.settings = settings
        self.progress = Progress()
        self._seat = seat
        self._per_update = per_update
        self._log = log
        self._stopped = stopped
        self._rival = rival
        self._opponent: Player = RANDOM if rival else find_player(settings.opponent)
        self._played: list[run.Episode] = []
        self._now: run.Snapshot
        self._began = 0.0

    def sample(self, policy: object, step: int, generator: Any) -> list[Rollout]:
        """See `Sampler.sample`."""
        self._began = time.monotonic()
        if not self._played:  # the first of this sitting
            cut_lines(self._log, step)
        rng = Random(generator.initial_seed())
        self._look()
        before = self.progress.episodes
        switch = self.settings.switch_at or 0
        end = switch if before < switch else self.settings.episodes
        count = min(self._per_update, end - before)  # an update is of one rule
        mine: list[Rollout] = []
        theirs: list[Rollout] = []
        self._played = [
            self._episode(before + n, step + 1, rng, mine, theirs) for n in range(count)
        ]
        add_lines(self._log, map(as_table, self._played))
        if self._rival:
            self._rival[1].update(theirs, step)
        self.progress.updates += 1
        self.progress.episodes += count
        if self.progress.phase == run.FORMAT:
            self.progress.format_updates += 1
            self.progress.format_episodes += count
        return mine

    def _look(self) -> None:
        """Reads the policy, notes what is to be noted of it, and says which phase this is."""
        if self._rival:
            self._rival[0].listen()
        self._now = now = self.read()
        self.progress.before = self.progress.before or now
        switch = self.settings.switch_at
        if switch is not None and now.episodes >= switch:
            self.progress.at_switch = self.progress.at_switch or now
        illegal = sum(chances.illegal for chances in now.chances.values()) / len(now.chances)
        if illegal <= 1 - LEGAL:
            self.progress.phase = run.LEARNING

    def read(self) -> run.Snapshot:
        """The policy as it is now."""
        self._seat.listen()
        player, game = self._seat.player("own"), self._seat.game
        steps = STEPS_WITH_LEARNER if self._rival else STEPS
        test = exact(player, RANDOM, game)
        return run.Snapshot(
            episodes=self.progress.episodes,
            chances={"".join(state): chances for state, chances in player.known[game].items()},
            actions=exact(player, self._opponent, game, steps).actions,
            deontological_regret=test.deontological_regret,
            utilitarian_regret=test.utilitarian_regret,
        )

    def rule(self, episode: int) -> rewards.Reward:
        """The reward in force in an episode, counted from 0."""
        settings = self.settings
        if settings.switch_to is None or settings.switch_at is None:
            return settings.reward
        return settings.reward if episode < settings.switch_at else settings.switch_to

    def _episode(
        self, number: int, step: int, rng: Random, mine: list[Rollout], theirs: list[Rollout]
    ) -> run.Episode:
        named = self.rule(number)
        state, plays = rng.choice(STATES), []
        for _ in range(STEPS_WITH_LEARNER if self._rival else STEPS):
            asked, reply, own = self._seat.reply(state, rng)
            if self._rival:
                told, answer, other = self._rival[0].reply(state.turned, rng)
            else:
                chances = self._opponent.chances(self._seat.game.turned, state.turned)
                other = chances.draw(rng)
            made = State(own or state.own, other or state.opponent)
            worth = self._worth(named, self._seat.game, state, own, made.opponent)
            mine.append(Rollout(asked, reply.tokens, worth))
            if self._rival:
                turned = self._rival[0].game
                value = self._worth(named, turned, state.turned, other, made.own)
                theirs.append(Rollout(told, answer.tokens, value))
            plays.append(run.Step(state, reply.text, own, made.opponent, worth))
            state = made
        return run.Episode(number=number + 1, step=step, rule=named, plays=tuple(plays))

    def _worth(
        self, named: rewards.Reward, game: Game, state: State, own: Move | None, other: Move
    ) -> float:
        rule = rewards.RULES[named]
        return rewards.reward(rule, game, state, own, other, self.settings.xi)

    def line(self, figures: Figures) -> run.Update:
        """The log's line on the update that was just made."""
        plays = [play for episode in self._played for play in episode.plays]
        actions = dict.fromkeys(ACTION_TYPES, 0.0)
        for play in plays:
            actions[action_type(play.move, play.state)] += 1 / len(plays)
        seconds = time.monotonic() - self._began
        self.progress.seconds += seconds
        mean = self.progress.seconds / self.progress.updates
        return run.Update(
            step=figures.step,
            steps=figures.steps,
            episodes=self.progress.episodes,
            phase=self.progress.phase,
            rule=self._played[-1].rule,
            reward=figures.reward,
            kl=figures.kl,
            entropy=figures.entropy,
            seconds=seconds,
            seconds_left=mean * (figures.steps - figures.step),
            actions=actions,
            deontological_regret=self._now.deontological_regret,
            utilitarian_regret=self._now.utilitarian_regret,
        )

    def extra(self) -> Mapping[str, float]:
        """Nothing beyond the line."""
        return {}

    def state(self) -> dict[str, Any]:
        """See `Sampler.state`."""
        rival = {"rival": self._rival[1].state()} if self._rival else {}
        return {"progress": as_table(self.progress), **rival}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Sampler.restore`."""
        self.progress = msgspec.convert(state["progress"], Progress)
        if self._rival:
            self._rival[1].restore(state["rival"])

    def finished(self) -> bool:
        """Whether the operator wants the run to stop."""
        return self._stopped()
