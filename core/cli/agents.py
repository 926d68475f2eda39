"""`placet train agent, aggregator, second` and `placet evaluate agents, aggregator`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import library, paths
from core.cli.options import AsJson, Seed, path_option
from core.cli.output import Meter, drawable, give, give_json, needs
from core.cli.train import (
    CORPUS,
    ConfigFile,
    Limit,
    Resume,
    Updates,
    bounded,
    config_of,
    ending,
    update_teller,
)
from core.domain.values import Profile, Value
from core.errors import BadInput, ModelProblem
from core.files import writable_folder
from core.models import agents as known
from core.models import catalog
from core.models.base import AGGREGATOR
from core.stages.advise import SAMPLES

if TYPE_CHECKING:
    from core.models.voices import AdapterVoices
    from core.training.answering import Write
    from core.training.questions import Question

Data = Annotated[Path, path_option(help="Folder with the data sets; see docs/cmva.md.")]
OptionalData = Annotated[
    Path | None,
    path_option("--data", help="Folder with the data sets, for their held-out questions."),
]
ProfileName = Annotated[str, typer.Option("--profile", help="A name or a file.")]
Out = Annotated[
    Path | None,
    path_option(
        help="Folder for adapter, log and card. Default: where `placet decide --agents` looks "
        "for it.",
    ),
]
Answers = Annotated[
    Path | None,
    path_option(help="Keep what was answered here, and take it from there (JSON lines)."),
]
Picture = Annotated[Path | None, path_option(help="Draw it (SVG or PNG).")]
SECOND = catalog.WEIGHTS / "second"
FOUNDATIONS = "moral-foundations"


def train_agent(
    value: Annotated[str, typer.Option(help="Id of the value in its profile.")],
    data: Data,
    profile: ProfileName = FOUNDATIONS,
    out: Out = None,
    config: ConfigFile = None,
    resume: Resume = False,
    limit: Updates = None,
) -> None:
    """Train the moral agent of a value: PPO, with the judge's score of the value as reward.

    The figures of each update go into log.jsonl as they come.
    """
    needs("peft")
    from core.models.load import load_judge
    from core.models.second import SecondJudge
    from core.training import agents
    from core.training.questions import read_questions

    settings = bounded(config_of(agents.AgentConfig, config), limit)
    own, chosen = _value(profile, value)
    questions = read_questions(data)
    base = catalog.locate(catalog.DEFAULT)
    folder = out or known.own(own.name, value)
    writable_folder(folder)
    with Meter() as meter:
        meter.show("loading the judges", stage="loading the judges")
        judge, _ = load_judge()
        second = SecondJudge.load(base, SECOND)
        card = agents.train_agent(
            settings,
            chosen,
            [one.statement for one in own.values if one.id != value],
            own.name,
            judge,
            second,
            questions,
            base,
            folder,
            catalog.DEFAULT,
            resume=resume,
            progress=update_teller(meter),
        )
    lines = [f"{'':<12} {'base':>7} {'agent':>7}"]
    lines += [
        f"{figure:<12} {before:7.3f} {card['agent_figures'][figure]:7.3f}"
        for figure, before in card["base_figures"].items()
    ]
    give("\n".join([*lines, ending(card, folder)]) + "\n", None)


def train_aggregator(
    data: Data,
    profile: ProfileName = FOUNDATIONS,
    out: Out = None,
    config: ConfigFile = None,
    resume: Resume = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Bound the steps of an epoch, and the updates.", show_default=False
        ),
    ] = None,
) -> None:
    """Train the aggregator: one answer from the profile and the moral agents' answers.

    The agents answer first; their answers are kept beside the adapter. It learns people's answers,
    then by PPO what serves the profile.
    """
    needs("peft")
    from core.models.adapters import digest
    from core.models.load import load_judge
    from core.stages.advise import SAMPLING
    from core.training import aggregator
    from core.training.answering import answer_all
    from core.training.questions import read_questions
    from core.training.steps import Progress

    settings = bounded(config_of(aggregator.AggregatorConfig, config), limit)
    chosen = library.load_profile(profile)
    learnt, _ = read_questions(data)
    folder = out or paths.agents() / AGGREGATOR
    writable_folder(folder)
    keep = folder / aggregator.ANSWERS
    if keep.exists() and not resume:
        keep.unlink()
    with Meter() as meter:
        _, speakers = _speakers(chosen, meter)
        judge, _ = load_judge()

        def answers(questions: Sequence[str]) -> Mapping[str, Sequence[str]]:
            said = answer_all(
                speakers, questions, SAMPLING, 1, keep=keep, tell=_teller(meter), watch=meter.watch
            )
            return {who: [texts[0] for texts in many] for who, many in said.items()}

        def tell(now: Progress) -> None:
            meter.show(f"{now.stage} {now.step}/{now.steps} · loss {now.loss:.3f}", stage=now.stage)

        card = aggregator.train(
            settings,
            learnt,
            answers,
            {who: digest(adapter) for who, adapter in known.agents_of(chosen).items()},
            chosen,
            judge,
            catalog.locate(catalog.DEFAULT),
            folder,
            catalog.DEFAULT,
            resume=resume,
            progress=tell,
            updated=update_teller(meter),
            limit=limit,
        )
    give(f"held-out loss {card['held_out_loss']:.3f}\n{ending(card, folder)}\n", None)


def evaluate_agents(
    data: OptionalData = None,
    profile: ProfileName = FOUNDATIONS,
    samples: Annotated[
        int, typer.Option(min=1, max=64, help="Answers of each agent; the best is kept.")
    ] = 1,
    as_json: AsJson = False,
    limit: Limit = None,
    seed: Seed = 0,
    answers: Answers = None,
    picture: Picture = None,
) -> None:
    """How far each agent's answers conform to its value, beside the base model's.

    On our own questions and, with --data, on the held-out ones of the data sets as well.
    """
    from core.models.load import load_judge
    from core.models.second import SecondJudge
    from core.training import measure_agents as measure

    drawable(picture)
    chosen = library.load_profile(profile)
    kept, own = _questions(data)
    questions = [one.text for one in (*own, *kept)][:limit]
    with Meter() as meter:
        voices, speakers = _speakers(chosen, meter)
        judge, _ = load_judge()
        second = SecondJudge.load(catalog.locate(catalog.DEFAULT), SECOND)
        found = measure.measure_agents(
            speakers,
            measure.speaker(voices, None),
            judge,
            second,
            questions,
            chosen,
            samples=samples,
            seed=seed,
            keep=answers,
            tell=_teller(meter),
            watch=meter.watch,
        )
    if picture:
        from core.training.agent_pictures import agents_picture

        agents_picture(picture, found)
    if as_json:
        give_json(measure.as_json(found))
    else:
        give(measure.as_table(found) + "\n", None)


def evaluate_aggregator(
    data: OptionalData = None,
    profile: ProfileName = FOUNDATIONS,
    samples: Annotated[
        int,
        typer.Option(min=1, max=64, help="Answers of each agent, and syntheses; the best is kept."),
    ] = SAMPLES,
    as_json: AsJson = False,
    limit: Limit = None,
    seed: Seed = 0,
    answers: Answers = None,
    picture: Picture = None,
) -> None:
    """The aggregator beside the best agent, the base model, and the base model prompted, by r·c.

    With --data also by ROUGE, on the held-out questions that a person answered.
    """
    needs("rouge_score")
    from core.models.load import load_judge
    from core.training import measure_aggregator as measure
    from core.training.data import evenly
    from core.training.measure_agents import speaker

    drawable(picture)
    chosen = library.load_profile(profile)
    kept, own = _questions(data)
    cases = evenly(measure.cases_of(kept, own, chosen), limit)
    folder = known.aggregator()
    if folder is None:
        raise ModelProblem(
            "there is no aggregator",
            where=str(paths.agents() / AGGREGATOR),
            mend="`placet train aggregator --data DIR` trains one.",
        )
    with Meter() as meter:
        voices, speakers = _speakers(chosen, meter)
        judge, _ = load_judge()
        methods, steering = measure.measure_aggregator(
            speakers,
            speaker(voices, None),
            speaker(voices, folder),
            judge,
            cases,
            samples=samples,
            seed=seed,
            keep=answers,
            tell=_teller(meter),
            watch=meter.watch,
        )
    if picture:
        from core.training.agent_pictures import aggregator_picture

        aggregator_picture(picture, methods)
    if as_json:
        give_json(measure.as_json(methods, steering))
    else:
        give(measure.as_table(methods, steering) + "\n", None)


def train_second(data: Data, out: Annotated[Path, path_option(help="Folder for it.")]) -> None:
    """Fit the second judge: never a reward, only a check on the agents. Takes some minutes."""
    needs("peft")
    from core.training import second

    base = catalog.locate(catalog.DEFAULT)
    writable_folder(out)
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


def _questions(data: Path | None) -> tuple[list[Question], list[Question]]:
    """The held-out questions of the data sets, if they are named, and our own."""
    from core.training.questions import own_questions, read_questions

    return read_questions(data)[1] if data else [], own_questions()


def _speakers(profile: Profile, meter: Meter) -> tuple[AdapterVoices, dict[str, Write]]:
    """The model that speaks, and the agents of the profile's values."""
    from core.models.load import load_voices
    from core.models.voices import AdapterVoices
    from core.training.measure_agents import speaker

    folders = known.agents_of(profile)
    meter.show("loading the model", stage="loading the model")
    voices = AdapterVoices(load_voices())
    return voices, {who: speaker(voices, folder) for who, folder in folders.items()}


def _teller(meter: Meter) -> Callable[[str, int, int], None]:
    def tell(who: str, done: int, of: int) -> None:
        name = who or "the base model"
        meter.show(f"{name}: {done} of {of}", stage=name)

    return tell


def _value(profile: str, value: str) -> tuple[Profile, Value]:
    """The profile and its value of that id."""
    found = library.load_profile(profile)
    try:
        return found, found.value(value)
    except KeyError:
        raise BadInput(
            f"the profile {found.name} has no value {value!r}",
            where="--value",
            mend=f"It has {', '.join(one.id for one in found.values)}.",
        ) from None
