"""Runs of a tiny random model: it learns, leaves a whole folder, stops, and goes on."""

import json
import math
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from random import Random

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from core.errors import BadInput
from core.games import rewards, run
from core.games.matrix import STATES, TRAINING_GAME, Game, State
from core.games.prompts import Words, prompts
from core.games.rewards import Reward
from core.models.catalog import ADAPTER_WEIGHTS
from core.session.hold import Held
from tests import tiny

pytest.importorskip("peft")

from core.cli.tuning import stoppable
from core.games.tune import LEARNING, PER_UPDATE, learning, tune
from core.training.adapted import Adapted
from core.training.replies import prompt_tokens
from core.training.rollouts import Policy
from core.training.spoken import Speaker

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft calls it
)

WORDS = Words("eng", "ten")
"""Single tokens that the tiny model likes, so that it has little to find."""

SETTINGS = run.RunSettings(
    game=TRAINING_GAME,
    reward=Reward.GAME,
    opponent="tit-for-tat",
    episodes=160,
    seed=1,
    words=WORDS,
    model="tiny",
    digest="ab",
    learning={
        **LEARNING,
        PER_UPDATE: 8,
        "rank": 4,
        "first_layer": 1,
        "rate": 3e-3,
        "kl_coefficient": 0.05,
    },
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base") / "llama")


def short(episodes: int = 24, **changes: object) -> run.RunSettings:
    return msgspec.structs.replace(SETTINGS, episodes=episodes, **changes)


def logged(folder: Path) -> list[dict[str, object]]:
    """The log's lines without the clock's."""
    lines = (folder / run.LOG).read_text("utf-8").splitlines()
    rows: list[dict[str, object]] = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]


@pytest.fixture(scope="module")
def learned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, run.Outcome]:
    folder = tmp_path_factory.mktemp("runs") / "ut"
    outcome = tune(SETTINGS, folder, base)
    assert outcome
    return folder, outcome


def test_the_format_is_found_and_what_is_rewarded_is_done(
    learned: tuple[Path, run.Outcome],
) -> None:
    _, outcome = learned

    assert sum(chances.illegal for chances in outcome.before.chances.values()) / 4 > 0.8
    assert outcome.illegal < 0.2
    assert outcome.end.actions["D|C"] + outcome.end.actions["D|D"] > 0.8
    assert 0 < outcome.format_updates < outcome.updates == 20
    assert outcome.format_episodes == outcome.format_updates * 8


def test_a_runs_folder_is_whole(learned: tuple[Path, run.Outcome]) -> None:
    folder, outcome = learned

    assert run.read_settings(folder) == SETTINGS
    assert run.read_outcome(folder) == outcome
    updates, _ = run.read_updates(folder)
    assert [one.step for one in updates] == list(range(1, 21))
    assert [one.episodes for one in updates] == list(range(8, 161, 8))
    assert all(sum(one.actions.values()) == pytest.approx(1) for one in updates)
    phases = [one.phase for one in updates]
    assert phases == sorted(phases) and set(phases) == {run.FORMAT, run.LEARNING}
    assert (folder / ADAPTER_WEIGHTS).exists()


def test_episodes_follow_the_rules(learned: tuple[Path, run.Outcome]) -> None:
    episodes, _ = run.read_episodes(learned[0])

    assert [one.number for one in episodes] == list(range(1, 161))
    for episode in episodes:
        assert len(episode.plays) == 5
        for play in episode.plays:
            assert (play.move is not None) == (play.reply in ("eng", "ten"))
            assert play.opponent == play.state.own  # tit-for-tat
            rule = rewards.RULES[Reward.GAME]
            assert play.reward == rewards.reward(
                rule, TRAINING_GAME, play.state, play.move, play.opponent
            )
        for play, after in zip(episode.plays, episode.plays[1:], strict=False):
            assert after.state == State(play.move or play.state.own, play.opponent)
    assert {episode.plays[0].state for episode in episodes} == set(STATES)


def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(base: Path, tmp_path: Path) -> None:
    once = tune(short(), tmp_path / "once", base)
    steps: list[int] = []
    assert (
        tune(
            short(),
            tmp_path / "again",
            base,
            stopped=lambda: len(steps) >= 2,
            tell=lambda update: steps.append(update.step),
        )
        is None
    )
    assert run.read_outcome(tmp_path / "again") is None
    again = tune(short(), tmp_path / "again", base, resume=True)

    assert once and again and steps == [1, 2]
    assert msgspec.structs.replace(again, seconds=0) == msgspec.structs.replace(once, seconds=0)
    assert logged(tmp_path / "again") == logged(tmp_path / "once")
    assert run.read_episodes(tmp_path / "again") == run.read_episodes(tmp_path / "once")
    first, second = (load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("once", "again"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert tune(short(), tmp_path / "again", base, resume=True) == again  # nothing is left to do


def test_a_folder_is_not_mixed_with_another_run(base: Path, tmp_path: Path) -> None:
    tune(short(8), tmp_path, base)

    with pytest.raises(BadInput, match="holds a run already"):
        tune(short(8), tmp_path, base)
    with pytest.raises(BadInput, match=r"reward: the run was begun with game, not ut"):
        tune(short(8, reward=Reward.UTILITARIAN), tmp_path, base, resume=True)


@pytest.mark.parametrize("log", [run.LOG, run.EPISODES])
def test_a_damaged_log_is_named_with_its_line_and_not_the_checkpoint(
    log: str, base: Path, tmp_path: Path
) -> None:
    steps: list[int] = []
    stop = {"stopped": lambda: len(steps) >= 2, "tell": lambda one: steps.append(one.step)}
    tune(short(), tmp_path, base, **stop)  # type: ignore[arg-type]
    lines = (tmp_path / log).read_text("utf-8").splitlines()
    (tmp_path / log).write_text("\n".join([lines[0], "{nonsense}", *lines[2:], '{"ha']), "utf-8")

    with pytest.raises(BadInput) as caught:
        tune(short(), tmp_path, base, resume=True)

    assert caught.value.where == f"{tmp_path / log}: line 2"


def test_two_processes_are_never_in_one_folder(base: Path, tmp_path: Path) -> None:
    with run.hold(tmp_path), pytest.raises(Held, match="another process is at it") as caught:
        tune(short(8), tmp_path, base)
    assert caught.value.where == str(tmp_path / run.SETTINGS)
    assert not (tmp_path / run.SETTINGS).exists()

    others: list[bool] = []
    tune(short(8), tmp_path, base, tell=lambda _: others.append(bool(run.hold(tmp_path).held())))
    assert others == [True]
    assert run.hold(tmp_path).held() is None


def test_the_reward_switches_at_its_episode(base: Path, tmp_path: Path) -> None:
    settings = short(switch_to=Reward.DEONTOLOGICAL, switch_at=12)
    outcome = tune(settings, tmp_path, base)

    rules = [episode.rule for episode in run.read_episodes(tmp_path)[0]]
    assert rules == [Reward.GAME] * 12 + [Reward.DEONTOLOGICAL] * 12
    assert outcome and outcome.at_switch and outcome.at_switch.episodes == 12
    updates, _ = run.read_updates(tmp_path)
    assert [(one.episodes, one.rule) for one in updates] == [
        (8, "game"), (12, "game"), (20, "de"), (24, "de"),
    ]  # fmt: skip
    assert {one.steps for one in updates} == {4} == {learning(settings).steps}


def test_a_switch_within_the_last_update_is_read_too(base: Path, tmp_path: Path) -> None:
    outcome = tune(short(8, switch_to=Reward.DEONTOLOGICAL, switch_at=6), tmp_path, base)

    assert outcome and outcome.at_switch and outcome.at_switch.episodes == 6


@pytest.mark.parametrize(
    ("turned", "changes"),
    [
        (False, {"reward": Reward.INEQUITY}),
        (False, {"switch_to": Reward.INEQUITY, "switch_at": 12}),
        (True, {"reward": Reward.INEQUITY, "opponent": run.LEARNER}),
    ],
)
def test_a_game_whose_moves_may_pay_no_more_than_no_move_is_refused(
    turned: bool, changes: Mapping[str, object], base: Path, tmp_path: Path
) -> None:
    game = Game(name="rich", cc=(0, 20), cd=(0, 20), dc=(0, 30), dd=(0, 30))
    settings = short(24, game=game.turned if turned else game, **changes)

    with pytest.raises(BadInput, match="by inequity a legal move may be worth -30") as caught:
        tune(settings, tmp_path / "run", base)

    assert caught.value.where == "game rich" and caught.value.mend
    assert not (tmp_path / "run").exists()


def test_a_second_learner_learns_too(base: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    settings = short(16, opponent=run.LEARNER)
    options = {"stopped": lambda: len(steps) >= 1, "tell": lambda one: steps.append(one.step)}
    once = tune(settings, tmp_path / "once", base)
    tune(settings, tmp_path / "again", base, **options)  # type: ignore[arg-type]
    again = tune(settings, tmp_path / "again", base, resume=True)

    episodes, _ = run.read_episodes(tmp_path / "once")
    assert {len(episode.plays) for episode in episodes} == {3}
    mine, theirs = (
        load_file(folder / ADAPTER_WEIGHTS)
        for folder in (tmp_path / "once", tmp_path / "once" / run.OPPONENT)
    )
    assert any(not torch.equal(mine[name], theirs[name]) for name in mine)
    assert once and again and once.end == again.end


def test_chances_are_those_of_the_model_and_draws_follow_them(base: Path) -> None:
    speaker = Speaker(Policy(Adapted(base, 4, 8, 1, "cpu"), 1024), base)
    asked = list(prompts(TRAINING_GAME, WORDS).values())
    words = [WORDS.cooperate, WORDS.defect]
    spoken = speaker.ask(asked, words)

    for row in (0, 9):
        before = prompt_tokens(speaker.tokenizer, asked[row])
        for place, spelled in enumerate(speaker.spell(asked[row], words)):
            ids = torch.tensor([[*before, *spelled]])
            with torch.no_grad():
                logits = speaker.policy.adapted.causal(input_ids=ids).logits[0].float()
            told = logits.log_softmax(-1)
            alone = sum(float(told[len(before) - 1 + n, token]) for n, token in enumerate(spelled))
            assert math.log(spoken.chances()[row][place]) == pytest.approx(alone, abs=0.2)
    rng = Random(1)
    drawn = [spoken.draw(3, rng).word for _ in range(4000)]
    for place, chance in enumerate(spoken.chances()[3]):
        assert drawn.count(place) / 4000 == pytest.approx(chance, abs=0.03)


def test_words_that_begin_alike_are_refused(base: Path) -> None:
    speaker = Speaker(Policy(Adapted(base, 4, 8, 1, "cpu"), 1024), base)
    asked = list(prompts(TRAINING_GAME, WORDS).values())

    with pytest.raises(BadInput, match="one begins with the other"):
        speaker.ask(asked, ["ten", "ten"])


def test_a_request_to_end_is_heard_and_a_second_one_obeyed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as stopped:
        assert not stopped()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


def test_settings_of_another_version_are_named(base: Path, tmp_path: Path) -> None:
    odd: Mapping[str, float] = {**LEARNING, "zeal": 3.0}  # type: ignore[dict-item]

    with pytest.raises(BadInput, match="zeal"):
        tune(short(learning=odd), tmp_path, base)


@pytest.mark.parametrize(
    ("name", "value"),
    [("baseline", "none"), ("rank", "4"), ("kl_target", 0.0), (PER_UPDATE, 0), (PER_UPDATE, "8")],
)
def test_settings_that_make_no_sense_are_named(name: str, value: float | str) -> None:
    settings = short(learning={**LEARNING, name: value})

    with pytest.raises(BadInput) as caught:
        learning(settings)

    assert caught.value.where == f"learning.{name}"


def test_the_usual_settings_are_the_trainers() -> None:
    found = learning(short(25, learning={**LEARNING, PER_UPDATE: 8}), threads=3)

    assert (found.steps, found.seed, found.threads) == (4, 1, 3)
    assert all(getattr(found, name) == LEARNING[name] for name in LEARNING if name != PER_UPDATE)
