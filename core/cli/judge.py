"""`placet judge` and `placet align`: one stage, on text from an argument, a file or a pipe."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from core import library
from core.cli.options import Device, Dtype, JudgeModel, Policy, ProfileName, Rewrites, Seed
from core.cli.output import Meter, announce, give, one_of, stdin_text, warn, writable
from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.text import plain, storable
from core.domain.values import Profile
from core.domain.verdict import UNJUDGED, Judgement, Verdict, assess
from core.errors import BadInput
from core.files import read_text
from core.session.report import verdict_json
from core.stages.align import align as run_align
from core.stages.judge import Judge, judge_rows
from core.team import load_reviewer, load_team
from core.watch import AnyNote, Measured, Watch

STANDALONE_GOAL = "Decide whether this action may be taken."
FORMATS = ("text", "json", "jsonl")

Text = Annotated[
    str | None,
    typer.Argument(help="The action. Without it, or with -, standard input.", show_default=False),
]
File = Annotated[
    Path | None, typer.Option("--file", help="Read from this file instead.", show_default=False)
]
ScenarioName = Annotated[
    str, typer.Option("--scenario", help="Goal and context: a name or a file.", show_default=False)
]
Output = Annotated[Path | None, typer.Option(help="Write the result here.", show_default=False)]
Format = Annotated[
    str, typer.Option(help="text, json, or jsonl: one JSON object a line in, one a line out.")
]


def judge(
    text: Text = None,
    profile: ProfileName = "",
    scenario: ScenarioName = "",
    file: File = None,
    format: Format = "text",
    policy: Policy = "",
    judge: JudgeModel = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
    output: Output = None,
) -> None:
    """Verdicts on texts. With --format jsonl each input line is {"text", "context", "goal", "id"}.

    Only the text must be there; an id comes out as it went in.
    """
    one_of("--format", format, FORMATS)
    writable(output)
    setting, values = _setting(scenario, profile)
    rows = list(_rows(text, file, format, setting))
    problems: dict[int, str] = {}
    with Meter() as meter:
        reviewer = load_reviewer(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        announce(reviewer.used)
        _tell_values(values, scenario, profile)
        judgements = _judged(reviewer, values, rows, problems, meter.watch)
    told = []
    for place, (row, judgement) in enumerate(zip(rows, judgements, strict=True)):
        verdict = assess(judgement, values) if judgement else UNJUDGED
        trouble = {"problem": problems[place]} if place in problems else {}
        told.append(({**row.id, "text": row.text, **verdict_json(verdict), **trouble}, verdict))
    _give(told, format, output)


def align(
    text: Text = None,
    profile: ProfileName = "",
    scenario: ScenarioName = "",
    file: File = None,
    guidance: Annotated[str, typer.Option(help="What the rewrite should heed.")] = "",
    rewrites: Rewrites = 4,
    seed: Seed = 0,
    format: Format = "text",
    policy: Policy = "",
    judge: JudgeModel = "",
    device: Device = "auto",
    dtype: Dtype = "auto",
    output: Output = None,
) -> None:
    """Rewrites that keep the goal and lose the harm, judged; the best one, or the text as it is."""
    one_of("--format", format, FORMATS)
    writable(output)
    setting, values = _setting(scenario, profile)
    rows = list(_rows(text, file, format, setting))
    told = []
    with Meter() as meter:
        team = load_team(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        announce(*team.used.values())
        _tell_values(values, scenario, profile)
        problems: dict[int, str] = {}
        judgements = _judged(team.judge, values, rows, problems, meter.watch)
        for place, (asked, judgement) in enumerate(zip(rows, judgements, strict=True)):
            case = Case(text=asked.text, judgement=judgement, guidance=guidance)
            [result] = run_align(
                team.policy,
                team.judge,
                asked.scenario,
                values,
                [case],
                rewrites=rewrites,
                seed=seed,
                watch=meter.watch,
            )
            before = assess(judgement, values) if judgement else UNJUDGED
            after = assess(result.judgement, values) if result.judgement else before
            row: dict[str, Any] = {
                **asked.id,
                "text": result.text or asked.text,
                **verdict_json(after),
                "original": {"text": asked.text, **verdict_json(before)},
            }
            if result.why:
                row["kept_because"] = result.why
            if place in problems and not result.judgement:
                row["problem"] = problems[place]
            told.append((row, after))
    _give(told, format, output)


def _setting(scenario: str, profile: str) -> tuple[Scenario, Profile]:
    chosen = library.load_scenario(scenario, warn) if scenario else Scenario(goal=STANDALONE_GOAL)
    return chosen, library.profile_for(chosen, profile, warn)


def _tell_values(values: Profile, scenario: str, profile: str) -> None:
    """Says so where nobody chose the values that count."""
    if not scenario and not profile:
        warn(f"judged by the values of {values.name}; --profile names others")


class _Row(NamedTuple):
    """What is asked about."""

    scenario: Scenario
    text: str
    id: dict[str, Any]
    """What the caller knows it by, if anything."""


def _rows(text: str | None, file: Path | None, format: str, setting: Scenario) -> Iterator[_Row]:
    """The texts to judge, each with its scenario."""
    if text is not None and file:
        raise typer.BadParameter("give a text or --file, one of the two")
    if text is not None and text != "-":
        source, where = text, "the argument"
    elif file and str(file) != "-":
        source, where = read_text(file, largest=256_000_000), str(file)
    else:
        source, where = stdin_text(), "standard input"
    source = source.removeprefix("\ufeff")
    if format != "jsonl":
        if not source.strip():
            raise BadInput("there is no text", where=where)
        yield _Row(setting, storable(source.strip()), {})
        return
    for number, line in enumerate(source.split("\n"), start=1):
        if line.strip():
            yield _row(line, f"{where}, line {number}", setting)


def _row(line: str, place: str, setting: Scenario) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or "text" not in row:
        raise BadInput('this is not a JSON object with a "text"', where=place)
    for name in ("text", "context", "goal"):
        if not isinstance(row.get(name) or "", str):
            raise BadInput("this is not a text in quotes", where=f"{place}: {name}")
    action = row["text"] or ""
    if not action.strip():
        raise BadInput("the text is empty", where=f"{place}: text")
    try:
        there = Scenario(
            goal=storable(row.get("goal") or setting.goal),
            context=storable(row.get("context", setting.context) or ""),
        )
    except ValueError as error:
        raise BadInput(str(error), where=place) from None
    return _Row(there, storable(action), {"id": row["id"]} if "id" in row else {})


def _judged(
    reviewer: Judge,
    profile: Profile,
    rows: list[_Row],
    problems: dict[int, str],
    watch: Watch,
) -> list[Judgement | None]:
    """A judgement a row; why there is none goes into `problems`."""

    def heard(note: AnyNote) -> None:
        if isinstance(note, Measured) and note.problem:
            problems[note.row] = note.problem
        watch.say(note)

    asked = [(row.scenario, row.text) for row in rows]
    return judge_rows(reviewer, asked, profile, watch=Watch(heard, watch.is_cancelled))


def _give(rows: list[tuple[dict[str, Any], Verdict]], format: str, output: Path | None) -> None:
    """The result, and on standard error how much of it has no verdict; 1 where nothing has one."""
    give(_told(rows, format), output)
    without = [row for row, verdict in rows if verdict.risk is UNJUDGED.risk]
    if without:
        why = without[0].get("problem", "there is no verdict")
        many = f" ({len(without)} of {len(rows)} texts)" if len(rows) > 1 else ""
        warn(f"UNJUDGED{many}: {why}")
        if len(without) == len(rows):
            raise typer.Exit(1)


def _told(rows: list[tuple[dict[str, Any], Verdict]], format: str) -> str:
    if format == "json":
        found = [row for row, _ in rows]
        told = found[0] if len(found) == 1 else found
        return json.dumps(told, indent=2) + "\n"
    if format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row, _ in rows)  # ASCII: no text can act
    parts = []
    for row, verdict in rows:
        parts.append(plain(str(row["text"])))
        if "problem" in row:
            parts.append(f"UNJUDGED: {plain(row['problem'])}")
            continue
        parts.append(
            f"risk {verdict.risk} ({verdict.risk_probability:.0%}), harm {verdict.harm:.2f}, "
            f"alignment {verdict.alignment:.2f}, recommends: {verdict.recommendation}"
        )
        parts += [f"  {name:<24} {score:.2f}" for name, score in verdict.scores.items()]
        parts += [f"at stake: {plain(issue.text)}" for issue in verdict.issues]
        if "kept_because" in row:
            parts.append(f"left as it was: {row['kept_because']}")
    return "\n".join(parts) + "\n"
