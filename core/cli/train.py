"""`placet train` and `placet evaluate`: how the shipped weights were made, and their figures."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from core import library
from core.cli.options import AsJson, Policy, Seed, path_option
from core.cli.output import Meter, announce, drawable, give, give_json, needs, say
from core.errors import PlacetError
from core.files import path_of, writable_folder
from core.models import catalog
from core.team import load_team

train = typer.Typer(help="Train what Placet ships (extra `train`).", no_args_is_help=True)
evaluate = typer.Typer(
    help="Measure judge, policy, aligner, moral agents and aggregator.", no_args_is_help=True
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.training.agents import AgentConfig
    from core.training.aggregator import AggregatorConfig
    from core.training.ppo import Figures
    from core.training.refine import RefineConfig
    from core.training.steps import Progress, Report
    from core.training.texts import Scene

Settings = TypeVar("Settings")
Tuning = TypeVar("Tuning", "AgentConfig", "AggregatorConfig", "RefineConfig")

CORPUS = Path(__file__).parent.parent / "training" / "corpus"

Out = Annotated[Path, path_option(help="Folder for checkpoints, weights and card.")]
ConfigFile = Annotated[Path | None, path_option("--config", help="Hyper-parameters (TOML).")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Bound the steps of each stage.", show_default=False)
]
Updates = Annotated[
    int | None, typer.Option("--limit", min=1, help="Bound the updates.", show_default=False)
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="A quick look at so many items.", show_default=False)
]


@train.command("judge")
def train_judge(
    data: Annotated[Path, path_option(help="Folder with the data sets; see docs/judge.md.")],
    out: Out,
    config: ConfigFile = None,
    resume: Resume = False,
    steps: Steps = None,
    begin: Annotated[
        Path | None, path_option(help="Train these weights further.", exists=True)
    ] = None,
) -> None:
    """Train the judge, calibrate it, and write its card with all figures."""
    needs("peft")
    from core.models.adapters import digest
    from core.models.judge_model import HEADS
    from core.training import calibrate, heads, measure
    from core.training.heads_config import HeadsConfig

    settings = config_of(HeadsConfig, config)
    base = catalog.locate(catalog.DEFAULT)
    begun = digest(begin, HEADS) if begin else ""  # now, for `out` may be the same folder
    writable_folder(out)
    with Meter() as meter:
        tell = _teller(meter)
        heads.train(settings, data, CORPUS / "judge", base, out, resume, tell, steps, begin)
        table = calibrate.finish(
            out, base, catalog.DEFAULT, settings, data, CORPUS / "judge", meter.watch, begun
        )
    give(measure.as_text(table) + "\n", None)


@train.command("policy")
def train_policy(
    out: Out, config: ConfigFile = None, resume: Resume = False, steps: Steps = None
) -> None:
    """Train the adapter that proposes and rewrites."""
    needs("peft")
    from core.training import sft

    settings = config_of(sft.SftConfig, config)
    base = catalog.locate(catalog.DEFAULT)
    writable_folder(out)
    with Meter() as meter:
        sft.train(settings, CORPUS, base, out, catalog.DEFAULT, resume, _teller(meter), steps)
    say(str(out))


@train.command("refine")
def train_refine(
    begin: Annotated[Path, path_option(help="The adapter to refine.", exists=True)],
    out: Out,
    config: ConfigFile = None,
    resume: Resume = False,
    limit: Updates = None,
) -> None:
    """Refine the policy by PPO: the judge's word, fit to the scenario and variety are its reward.

    The figures of each update go into log.jsonl as they come.
    """
    needs("peft")
    from core.models.load import load_judge
    from core.training import refine

    settings = bounded(config_of(refine.RefineConfig, config), limit)
    base = catalog.locate(catalog.DEFAULT)
    writable_folder(out)
    with Meter() as meter:
        meter.show("loading the judge", stage="loading the judge")
        judge, _ = load_judge()
        card = refine.refine(
            settings,
            CORPUS,
            judge,
            base,
            begin,
            out,
            catalog.DEFAULT,
            resume=resume,
            progress=update_teller(meter),
        )
    say(ending(card, out))


@train.command("prefer")
def train_prefer(
    begin: Annotated[Path, path_option(help="The adapter to go on from.", exists=True)],
    out: Out,
    config: ConfigFile = None,
    resume: Resume = False,
    steps: Steps = None,
) -> None:
    """Train the policy on texts of its own that were graded by a reader."""
    needs("peft")
    from core.training import prefer

    settings = config_of(prefer.PreferConfig, config)
    base = catalog.locate(catalog.DEFAULT)
    writable_folder(out)
    with Meter() as meter:
        prefer.prefer(
            settings, CORPUS, base, begin, out, catalog.DEFAULT, resume, _teller(meter), steps
        )
    say(str(out))


@evaluate.command("judge")
def evaluate_judge(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="JSON lines with value, context, action, label (keeps, breaks or unrelated; 1 or "
            "0), or norm, moral_action, immoral_action; or TOML situations. Without any, the third "
            "of the corpus that is never trained on.",
            parser=path_of,
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    limit: Limit = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Beside a word list, n-grams, the default model asked in words, and the "
            "tutorial's review in free text (slow; 40 rows are read by it at most).",
        ),
    ] = False,
    picture: Annotated[
        Path | None, path_option(help="Draw reliability and AUROC (SVG or PNG).")
    ] = None,
) -> None:
    """How well the judge tells keeping from breaking on labelled rows, with 95 % intervals.

    By domain, too, and by value where at least five rows keep it and five break it: the ten asked
    most often in the table, all of them with --json. Lines that share group, context and action
    are about one action.
    """
    from core.models.load import load_judge
    from core.training import answers, examine, measure
    from core.training.labelled import held_out, read_labelled

    drawable(picture)
    sets = [(file.name, read_labelled(file, limit)) for file in files or ()]
    with Meter() as meter:
        meter.show("loading the judge", stage="loading the judge")
        judge, _ = load_judge()
        table: list[measure.Row] = []
        rivals = _rivals(meter) if compare else []
        values: list[measure.Row] = []
        found: list[answers.Answer] = []
        for name, named in sets or [("held out", held_out(CORPUS / "judge", limit))]:
            stage = f"judging {name}"
            meter.show(stage, stage=stage)
            try:
                told = answers.put(judge.model, named, meter.watch.timed(stage))
            except PlacetError as error:
                error.where = f"{name}: {error.where}"
                raise
            table += examine.labelled_rows(name, named, told, judge.model.card, rivals)
            values += examine.by_value(name, told)[: None if as_json else examine.VALUES]
            found += told
    if as_json:
        give_json(
            [
                {"set": row.set, "figure": row.figure, **_figure(row.value)}
                | ({"action_only": _figure(row.action_only)} if row.action_only else {})
                for row in table + values
            ]
        )
    else:
        give(measure.as_text(table + values) + "\n", None)
    if picture:  # last, so that a picture that fails takes no measurement with it
        from core.training.pictures import judge_picture

        judge_picture(picture, found, table)


@evaluate.command("policy")
def evaluate_policy(
    policy: Policy = "",
    count: Annotated[int, typer.Option(min=1, help="Proposals a scenario.")] = 4,
    seed: Seed = 0,
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """What the policy proposes for scenarios it never saw, counted; texts by hand beside it.

    The scenarios are the held-out ones of the corpus. "low" alone is of those that ship, which have
    values: the share judged LOW. --limit bounds both. With --json the texts come too: read some.
    """
    from core.training import measure_policy

    scenes = [scene for scene in _held_out(policy) if scene.actions]
    held, shipped = [scene.scenario for scene in scenes], library.shipped()
    among = [*held, *(one for one, _ in shipped)]  # of a few alone every text would be on its topic
    with Meter() as meter:
        team = load_team(policy, watch=meter.watch)
        announce(*team.used.values())
        found = measure_policy.measure_proposals(
            team.policy,
            held[:limit],
            count=count,
            seed=seed,
            among=among,
            judged=shipped[:limit],
            reviewer=team.judge,
            watch=meter.watch,
        )
    _give_figures([measure_policy.proposals_by_hand(scenes[:limit], among), found], as_json)


@evaluate.command("align")
def evaluate_align(
    policy: Policy = "",
    rewrites: Annotated[int, typer.Option(min=1, help="Rewrites an action.")] = 4,
    seed: Seed = 0,
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """What becomes of harmful actions that the aligner never saw, counted; by hand beside it.

    "mended" is the share of the actions judged HIGH for which the whole stage gives a text judged
    LOW whose words still fit its own goal better than any other. With --json the texts come too.
    """
    from core.training import measure_policy

    mendings = measure_policy.to_mend(_held_out(policy))
    among = [one.scenario for one in mendings]  # of a few alone every text would be on its topic
    with Meter() as meter:
        team = load_team(policy, watch=meter.watch)
        announce(*team.used.values())
        found = measure_policy.measure_rewrites(
            team.policy,
            mendings[:limit],
            rewrites=rewrites,
            seed=seed,
            among=among,
            reviewer=team.judge,
            watch=meter.watch,
        )
    _give_figures([measure_policy.rewrites_by_hand(mendings[:limit], among), found], as_json)


def _teller(meter: Meter) -> Report:
    def tell(now: Progress) -> None:
        meter.show(
            f"{now.stage} {now.step}/{now.steps} · loss {now.loss:.3f} · "
            f"{now.tokens_per_second:,.0f} tokens/s · {now.seconds_left:,.0f} s left",
            stage=now.stage,
        )

    return tell


def _held_out(policy: str) -> list[Scene]:
    """The scenarios of the corpus that the policy of that name never saw."""
    from core.training.cards import held_out_shares
    from core.training.sft import SftConfig
    from core.training.texts import held_out, read_scenes

    adapter = catalog.adapter_of(policy or catalog.OWN)
    shares = held_out_shares(adapter) if adapter else ()
    share = min(shares, default=SftConfig().held_out)
    return [scene for scene in read_scenes(CORPUS, True) if held_out(scene, share)]


def _give_figures(rows: Any, as_json: bool) -> None:
    from core.training import policy_figures

    if as_json:
        give_json([asdict(row) for row in rows])
    else:
        give(policy_figures.as_table(rows) + "\n", None)


def _rivals(meter: Meter) -> Any:
    """Everything the judge can be compared with on this machine."""
    import numpy as np

    from core.baseline import review_score
    from core.models.load import load_text_model
    from core.training import rivals
    from core.training.data import Split, corpus_case, split_situations

    meter.show("fitting n-grams, loading the rivals", stage="rivals")
    learnt = [corpus_case(one) for one in split_situations(CORPUS / "judge", Split.TRAIN)]
    model = load_text_model(catalog.DEFAULT)

    def reviewed(asked: Any) -> Any:
        return np.array(
            [review_score(model, one.value, one.action, meter.watch) for one in asked], float
        )

    return [
        rivals.word_list(),
        rivals.ngrams(rivals.questions(learnt)),
        rivals.prompted(model, meter.watch),
        rivals.Rival("the tutorial's review in free text", reviewed, most=40),
    ]


def _figure(figure: Any) -> dict[str, Any]:
    return {
        "value": round(figure.value, 4),
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
        "n": figure.n,
    }


def bounded(settings: Tuning, updates: int | None) -> Tuning:
    """The settings of a run by PPO, with so many updates where a number is given."""
    return replace(settings, ppo=replace(settings.ppo, steps=updates)) if updates else settings


def ending(card: Mapping[str, Any], folder: Path) -> str:
    """How a run by PPO ended, and where its adapter lies."""
    ended = ", ended since it drifted too far from the base model" if card["ran_away"] else ""
    return f"{card['steps']} updates{ended}: {folder}"


def update_teller(meter: Meter) -> Callable[[Figures], None]:
    """Shows the figures of each update of a run by PPO."""

    def tell(now: Figures) -> None:
        meter.show(
            f"update {now.step}/{now.steps} · reward {now.reward:.3f} · KL {now.kl:.1f} · "
            f"entropy {now.entropy:.2f} · {now.length:.0f} tokens · {now.samples} samples · "
            f"{now.seconds:.1f} s",
            stage=f"update {now.step - now.step % 10} of {now.steps}",
        )

    return tell


def config_of(kind: type[Settings], path: Path | None) -> Settings:
    """The settings of that kind in a file, or the defaults without one."""
    from core.training.settings import load_settings

    return load_settings(kind, path) if path else kind()
