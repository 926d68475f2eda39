"""`placet`: the commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from core import __version__
from core.cli import agents, bench, decide, games, judge, library, models, sessions, train
from core.cli.options import Device, Dtype, JudgeModel, Policy, ProfileName, SeedIfGiven
from core.cli.output import say
from core.cli.screen import open_screen
from core.errors import Cancelled


class Commands(TyperGroup):
    """All commands. An interruption is told by our own edge, where typer would end in silence."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Reads the command line; typer imports libraries for it. Raises `Cancelled`."""
        with _told():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for. Raises `Cancelled`."""
        with _told():
            return super().invoke(ctx)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Cancelled from None


app = typer.Typer(
    name="placet",
    cls=Commands,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("decide")(decide.decide)
app.command("judge")(judge.judge)
app.command("align")(judge.align)
app.command("bench")(bench.bench)
app.add_typer(library.profiles, name="profiles")
app.add_typer(library.scenarios, name="scenarios")
app.add_typer(models.app, name="models")
app.add_typer(sessions.app, name="session")
app.add_typer(decide.baseline, name="baseline")
app.add_typer(games.app, name="games")
train.train.command("agent")(agents.train_agent)
train.train.command("aggregator")(agents.train_aggregator)
train.train.command("second")(agents.train_second)
train.evaluate.command("agents")(agents.evaluate_agents)
train.evaluate.command("aggregator")(agents.evaluate_aggregator)
app.add_typer(train.train, name="train")
app.add_typer(train.evaluate, name="evaluate")


def _version(wanted: bool) -> None:
    if wanted:
        say(f"placet {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def placet(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Review what AI agents propose to do. Without a command: the review screen.

    Exit status: 0 done, 1 refused or failed, 2 usage, 3 done and nothing was acceptable,
    130 interrupted.
    """
    if context.invoked_subcommand is None:
        review()


@app.command()
def review(
    target: Annotated[
        str, typer.Argument(help="A scenario or a session: a name or a file.", show_default=False)
    ] = "",
    profile: ProfileName = "",
    policy: Policy = "",
    judge: JudgeModel = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
    seed: SeedIfGiven = None,
) -> None:
    """Open the review screen."""
    raise typer.Exit(
        open_screen(
            target,
            profile=profile,
            policy=policy,
            judge=judge,
            device=device,
            dtype=dtype,
            seed=seed,
        )
    )
