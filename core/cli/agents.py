"""`placet train agent, second`: moral agents, and the judge that only watches over them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core import library, paths
from core.cli.output import Meter, give, needs
from core.cli.train import CORPUS, ConfigFile, Resume, config_of
from core.domain.values import Value
from core.errors import BadInput
from core.models import catalog

Data = Annotated[Path, typer.Option(help="Folder with the data sets; see docs/cmva.md.")]
SECOND = catalog.WEIGHTS / "second"
FOUNDATIONS = "moral-foundations"


def train_agent(
    value: Annotated[str, typer.Option(help="Id of the value in its profile.")],
    data: Data,
    profile: Annotated[
        str, typer.Option(help="Profile that has the value: a name or a file.")
    ] = FOUNDATIONS,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for adapter, log and card. Default: where `placet decide --agents` "
            "looks for it.",
            show_default=False,
        ),
    ] = None,
    config: ConfigFile = None,
    resume: Resume = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Bound the updates.", show_default=False)
    ] = None,
) -> None:
    """Train the moral agent of a value: PPO, with the judge's score of the value as reward.

    The figures of each update go into log.jsonl as they come.
    """
    needs("peft")
    from core.models.load import load_judge
    from core.models.second import SecondJudge
    from core.training import agents
    from core.training.ppo import Figures
    from core.training.questions import read_questions

    settings = config_of(agents.AgentConfig, config)
    if limit:
        settings = replace(settings, ppo=replace(settings.ppo, steps=limit))
    name, chosen = _value(profile, value)
    questions = read_questions(data)
    base = catalog.locate(catalog.DEFAULT)
    folder = out or paths.agents() / name / value
    with Meter() as meter:
        meter.show("loading the judges", stage="loading the judges")
        judge, _ = load_judge()
        second = SecondJudge.load(base, SECOND)

        def tell(now: Figures) -> None:
            meter.show(
                f"update {now.step}/{now.steps} · reward {now.reward:.3f} · KL {now.kl:.1f} · "
                f"entropy {now.entropy:.2f} · {now.length:.0f} tokens · {now.samples} samples · "
                f"{now.seconds:.1f} s",
                stage=f"update {now.step - now.step % 10} of {now.steps}",
            )

        card = agents.train_agent(
            settings,
            chosen,
            name,
            judge,
            second,
            questions,
            base,
            folder,
            catalog.DEFAULT,
            resume=resume,
            progress=tell,
        )
    lines = [f"{'':<12} {'base':>7} {'agent':>7}"]
    lines += [
        f"{figure:<12} {before:7.3f} {card['agent_figures'][figure]:7.3f}"
        for figure, before in card["base_figures"].items()
    ]
    ended = ", ended since it drifted too far from the base model" if card["ran_away"] else ""
    give("\n".join([*lines, f"{card['steps']} updates{ended}: {folder}"]) + "\n", None)


def train_second(data: Data, out: Annotated[Path, typer.Option(help="Folder.")] = SECOND) -> None:
    """Fit the second judge: never a reward, only a check on the agents. Takes some minutes."""
    needs("peft")
    from core.training import second

    base = catalog.locate(catalog.DEFAULT)
    with Meter() as meter:
        meter.show("fitting the second judge", stage="fitting the second judge")
        card = second.train(
            second.SecondConfig(), data, CORPUS / "judge", base, out, catalog.DEFAULT
        )
    lines = [
        f"{name:<12} AUROC {one['auroc']:.3f} accuracy {one['accuracy']:.3f} n={one['n']}"
        for name, one in card["measured_on"].items()
    ]
    give("\n".join([*lines, str(out)]) + "\n", None)


def _value(profile: str, value: str) -> tuple[str, Value]:
    """The profile's name and its value of that id."""
    found = library.load_profile(profile)
    try:
        return found.name, found.value(value)
    except KeyError:
        raise BadInput(
            f"the profile {found.name} has no value {value!r}",
            where="--value",
            mend=f"It has {', '.join(one.id for one in found.values)}.",
        ) from None
