"""`placet decide`: a decision without a screen; `placet baseline`: what to compare it with."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core import library
from core.baseline import tutorial as tutorial_loop
from core.cli.options import (
    Device,
    Dtype,
    JudgeModel,
    Output,
    Policy,
    ProfileName,
    Rewrites,
    Seed,
    choice,
    path_option,
)
from core.cli.output import Meter, announce, give, warn, writable
from core.decide import Options
from core.decide import decide as run
from core.errors import BadInput
from core.games.lens import lens
from core.models import catalog
from core.models.agents import agents_of
from core.session.report import FORMATS, report
from core.session.store import Store
from core.team import load_team, load_voices

NOTHING_ACCEPTABLE = 3

baseline = typer.Typer(help="Other ways to decide, for comparison.", no_args_is_help=True)

ScenarioName = Annotated[
    str, typer.Argument(help="A scenario: a name or a file.", show_default=False)
]


def decide(
    scenario: ScenarioName = "",
    demo: Annotated[
        bool, typer.Option("--demo", help="The scenario that comes with Placet.")
    ] = False,
    profile: ProfileName = "",
    candidates: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            show_default=False,
            help="How many to propose. Default: 4, or none where the scenario brings its own.",
        ),
    ] = None,
    agents: Annotated[
        bool,
        typer.Option(
            "--agents",
            help="A candidate more from the moral agent of each value that counts, and one from "
            "the aggregator.",
        ),
    ] = False,
    rounds: Annotated[int, typer.Option(min=0, max=16, help="Rounds of re-aligning.")] = 1,
    rewrites: Rewrites = 4,
    seed: Seed = 0,
    policy: Policy = "",
    judge: JudgeModel = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
    format: Annotated[str, choice(FORMATS)] = "text",
    output: Output = None,
    session: Annotated[Path | None, path_option(help="Keep the session here (TOML).")] = None,
) -> None:
    """Propose, judge, re-align, judge again, choose. Exit status 3: nothing was acceptable."""
    if demo == bool(scenario):
        raise typer.BadParameter("give a scenario or --demo, one of the two")
    chosen = library.load_scenario(library.DEMO if demo else scenario, warn)
    values = library.profile_for(chosen, profile, warn)
    if session and output and session.resolve() == output.resolve():
        raise typer.BadParameter("--session and --output name the same file")
    writable(output, read=library.files_named(scenario, profile or chosen.profile))
    store = Store(session) if session else None
    options = Options(
        candidates=candidates, rounds=rounds, rewrites=rewrites, seed=seed, agents=agents
    )
    if agents and policy != catalog.ECHO:
        agents_of(values)  # before anything is loaded: is there an agent at all?
    with store.hold if store else nullcontext(), Meter() as meter:
        if session and session.is_file():  # within the hold, so that none comes after the look
            raise BadInput(
                "there is a file already, which would be lost",
                where=str(session),
                mend="Name another one; `placet review` goes on with a session.",
            )
        writable(session)
        team = load_team(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        if format == "json":  # every other report says so itself
            announce(*team.used.values())
        if agents:
            team = replace(team, voices=load_voices(policy, device=device, dtype=dtype))
        keep = store.save if store else lambda session: None
        decided = run(team, chosen, values, options, keep=keep, watch=meter.watch)
    give(report(decided, format, lens), output)
    if decided.state.plan is None or not decided.state.plan.candidate:
        raise typer.Exit(NOTHING_ACCEPTABLE)


@baseline.command()
def tutorial(
    scenario: ScenarioName,
    profile: ProfileName = "",
    candidates: Annotated[int, typer.Option(min=1, max=256, help="How many to propose.")] = 4,
    seed: Seed = 0,
    policy: Policy = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
    format: Annotated[str, choice(("text", "json"))] = "text",
    output: Output = None,
) -> None:
    """The tutorial's loop: one call at a time, a review in free text, risk by substring."""
    chosen = library.load_scenario(scenario, warn)
    values = library.profile_for(chosen, profile, warn)
    writable(output, read=library.files_named(scenario, profile or chosen.profile))
    with Meter() as meter:
        # the policy reviews its own actions, so no judge is loaded
        team = load_team(policy, catalog.PROMPTED, device=device, dtype=dtype, watch=meter.watch)
        announce(*team.used.values())
        result = tutorial_loop(
            team.policy, chosen, values, candidates=candidates, seed=seed, watch=meter.watch
        )
    told = json.dumps(result.as_json(), indent=2) + "\n" if format == "json" else result.report()
    give(told, output)


@baseline.callback()
def _group() -> None:
    """Other ways to decide, for comparison."""
