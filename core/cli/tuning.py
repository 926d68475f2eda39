"""`placet games tune`: a model learns a game, by a reward of its own, in a folder."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from core import paths
from core.cli.options import Seed, path_option
from core.cli.output import Meter, needs, say, warn
from core.errors import BadInput, Cancelled
from core.games import run
from core.games.matrix import TRAINING_GAME, load_game
from core.games.players import find_player
from core.games.rewards import Reward, find_reward
from core.models import catalog


def tune(
    context: typer.Context,
    reward: Annotated[
        str,
        typer.Option(help=f"What a move is worth: {', '.join(Reward)}.", show_default=False),
    ] = "",
    opponent: Annotated[
        str,
        typer.Option(help=f"A player, or `{run.LEARNER}`: a second model that learns alike."),
    ] = "tft",
    episodes: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Of 5 rounds; against a learner of 3.")
    ] = 300,
    seed: Seed = 1,
    switch_to: Annotated[
        str, typer.Option(help="Another reward from then on: unlearning.", show_default=False)
    ] = "",
    switch_at: Annotated[
        int | None, typer.Option(min=1, help="After so many episodes. Default: half of them.")
    ] = None,
    game: Annotated[str, typer.Option(help="A name or a TOML file.")] = TRAINING_GAME.name,
    model: Annotated[
        str, typer.Option(help="The model that learns: a name or a folder.")
    ] = catalog.DEFAULT,
    out: Annotated[
        Path | None,
        path_option(help="The run's folder. Default: one named after the settings."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on; with --out alone, by the folder's settings.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Of the processor.")] = 2,
) -> None:
    """Let a model learn a game by a reward, against an opponent.

    Ctrl-C stops after the update that is under way; --resume goes on as if nothing had happened.
    """
    needs("peft")
    with Meter() as meter:
        if resume and out and not reward:
            _nothing_beside(context)
            settings = run.read_settings(out, warn)
        else:
            settings = _settings(
                reward, opponent, episodes, seed, switch_to, switch_at, game, model, meter
            )
        folder = out or paths.runs() / settings.name
        with stoppable() as stopped:
            meter.show(f"loading {settings.model}", stage="load")
            outcome = _run(settings, folder, resume, threads, stopped, meter)
    if outcome is None:
        warn(f"stopped; `placet games tune --resume --out {folder}` goes on")
        raise Cancelled
    if outcome.ran_away:
        warn("ended early: the policy drifted too far from the untuned model")
    say(_told(outcome) + str(folder))


def _nothing_beside(context: typer.Context) -> None:
    """Refuses what would not count beside the folder's own settings."""
    for name in context.params:
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in ("resume", "out", "threads"):
            raise typer.BadParameter(
                "without --reward the folder's settings count: leave this out",
                param_hint=f"--{name.replace('_', '-')}",
            )


def _settings(
    reward: str,
    opponent: str,
    episodes: int,
    seed: int,
    switch_to: str,
    switch_at: int | None,
    game: str,
    model: str,
    meter: Meter,
) -> run.RunSettings:
    if not reward:
        raise typer.BadParameter("say what a move is worth", param_hint="--reward")
    if switch_at is not None and not switch_to:
        raise typer.BadParameter("say to which reward: --switch-to", param_hint="--switch-at")
    if switch_to and switch_at is None:
        switch_at = max(1, episodes // 2)
    other = find_player(opponent).name if opponent != run.LEARNER else opponent
    base = catalog.locate(model)
    if not base.is_dir():
        raise BadInput("only a model's folder can learn", where=str(base))
    if catalog.adapter_of(model):
        raise BadInput(
            "a model with an adapter on it cannot learn",
            where=model,
            mend="Name the model below it.",
        )
    from core.games.tune import usual
    from core.models.load import check_files
    from core.models.manifest import weights_digest

    meter.show(f"checking the files of {model}", stage="load")  # gigabytes may have to be read
    check_files(base)
    learning = usual(base)
    try:
        return run.RunSettings(
            game=load_game(game, warn),
            reward=find_reward(reward),
            opponent=other,
            episodes=episodes,
            seed=seed,
            switch_to=find_reward(switch_to) if switch_to else None,
            switch_at=switch_at,
            model=model if _by_name(model, base) else str(base.resolve()),
            digest=weights_digest(base),
            learning=learning,
        )
    except ValueError as error:
        raise BadInput(str(error), where="--switch-at") from None


def _by_name(model: str, base: Path) -> bool:
    """Whether a model was found by its name, and so from wherever a run is gone on with."""
    return catalog.entry(model) is not None or base == catalog.folder(model)


def _run(
    settings: run.RunSettings,
    folder: Path,
    resume: bool,
    threads: int,
    stopped: Callable[[], bool],
    meter: Meter,
) -> run.Outcome | None:
    from core.games.tune import tune as learn

    base = run.base_of(settings, folder)

    def tell(update: run.Update) -> None:
        meter.show(
            f"{update.phase} {update.step}/{update.steps} · reward {update.reward:.2f} · "
            f"KL {update.kl:.2f} · illegal {update.actions['illegal']:.0%} · "
            f"{update.seconds_left:,.0f} s left",
            stage=update.phase,
        )

    return learn(settings, folder, base, resume=resume, threads=threads, stopped=stopped, tell=tell)


def _told(outcome: run.Outcome) -> str:
    shares = "  ".join(f"{name} {share:.0%}" for name, share in outcome.end.actions.items())
    return (
        f"{outcome.episodes} episodes, {outcome.updates} updates, {outcome.seconds:,.0f} s; "
        f"the reply format took {outcome.format_updates} updates\n"
        f"{shares}\n"
        f"deontological regret {outcome.end.deontological_regret:.2f}, "
        f"utilitarian {outcome.end.utilitarian_regret:.2f}\n"
    )


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C or a request to end is heard, not obeyed; a second one interrupts at once."""
    heard = False

    def hear(*_: object) -> None:
        nonlocal heard
        if heard:
            raise KeyboardInterrupt
        heard = True

    before: dict[int, Any] = {
        number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
