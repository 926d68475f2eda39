"""`placet train` and `placet evaluate`: how the shipped weights were made, and their figures."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.output import Meter, give
from core.errors import BadInput, PlacetError
from core.models import catalog

train = typer.Typer(help="Train what Placet ships (extra `train`).", no_args_is_help=True)
evaluate = typer.Typer(help="Measure judge, policy and aligner.", no_args_is_help=True)

CORPUS = Path(__file__).parent.parent / "training" / "corpus"

Out = Annotated[Path, typer.Option(help="Folder for checkpoints, weights and card.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Hyper-parameters (TOML).", show_default=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Bound the steps of each stage.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="A quick look at so many items.", show_default=False)
]


@train.command("judge")
def train_judge(
    data: Annotated[Path, typer.Option(help="Folder with the data sets; see docs/judge.md.")],
    out: Out,
    config: ConfigFile = None,
    resume: Resume = False,
    steps: Steps = None,
) -> None:
    """Train the judge, calibrate it, and write its card with all figures."""
    _needs_peft()
    from core.training import calibrate, heads, measure
    from core.training.heads_config import HeadsConfig

    settings = _config(HeadsConfig, config)
    base = catalog.locate(catalog.DEFAULT)
    with Meter() as meter:

        def tell(now: heads.Progress) -> None:
            meter.show(
                f"{now.stage} {now.step}/{now.steps} · loss {now.loss:.3f} · "
                f"{now.tokens_per_second:,.0f} tokens/s · {now.seconds_left:,.0f} s left",
                stage=now.stage,
            )

        heads.train(settings, data, CORPUS / "judge", base, out, resume, tell, steps)
        meter.show("calibrating and measuring", stage="calibrating and measuring")
        table = calibrate.finish(out, base, catalog.DEFAULT, settings, data, CORPUS / "judge")
    give(measure.as_text(table) + "\n", None)


@train.command("policy")
def train_policy(
    out: Out, config: ConfigFile = None, resume: Resume = False, steps: Steps = None
) -> None:
    """Train the adapter that proposes and rewrites."""
    _needs_peft()
    from core.training import heads, sft

    settings = _config(sft.SftConfig, config)
    base = catalog.locate(catalog.DEFAULT)
    with Meter() as meter:

        def tell(now: heads.Progress) -> None:
            meter.show(
                f"{now.stage} {now.step}/{now.steps} · loss {now.loss:.3f} · "
                f"{now.tokens_per_second:,.0f} tokens/s · {now.seconds_left:,.0f} s left",
                stage=now.stage,
            )

        sft.train(settings, CORPUS, base, out, resume, tell, steps)
    typer.echo(str(out))


@evaluate.command("judge")
def evaluate_judge(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="JSON lines with value, context, action, label (keeps, breaks or unrelated; 1 or "
            "0), or norm, moral_action, immoral_action; or TOML situations."
        ),
    ],
    as_json: AsJson = False,
    limit: Limit = None,
) -> None:
    """How well the judge tells keeping from breaking on labelled rows, with 95 % intervals."""
    from core.models.load import load_judge
    from core.training import examine, measure
    from core.training.labelled import read_labelled

    with Meter() as meter:
        meter.show("loading the judge", stage="loading the judge")
        judge, _ = load_judge()
        table: list[measure.Row] = []
        for file in files:
            meter.show(f"judging {file.name}", stage=str(file))
            table += examine.labelled_rows(judge.model, file.name, read_labelled(file, limit))
    if as_json:
        rows = [
            {"set": row.set, "figure": row.figure, **_figure(row.value)}
            | ({"action_only": _figure(row.action_only)} if row.action_only else {})
            for row in table
        ]
        give(json.dumps(rows, indent=2) + "\n", None)
    else:
        give(measure.as_text(table) + "\n", None)


def _figure(figure: Any) -> dict[str, Any]:
    return {
        "value": round(figure.value, 4),
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
        "n": figure.n,
    }


def _config(kind: Any, path: Path | None) -> Any:
    if path is None:
        return kind()
    try:
        return kind.load(path)
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(f"the settings cannot be used ({error})", where=str(path)) from None


def _needs_peft() -> None:
    try:
        import peft  # noqa: F401
    except ImportError:
        raise PlacetError(
            "training needs the extra `train`", mend='`pip install "placet[train]"` brings it.'
        ) from None
