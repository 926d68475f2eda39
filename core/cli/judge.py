"""`placet judge` and `placet align`: one stage, on text from an argument, a file or a pipe."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import typer

from core import library
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
from core.cli.output import Meter, announce, give, giving, stdin_text, warn, writable
from core.domain.because import because
from core.domain.candidate import Case
from core.domain.scenario import Scenario
from core.domain.text import plain, storable
from core.domain.values import Profile
from core.domain.verdict import UNJUDGED, Judgement, Risk, Verdict, assess
from core.errors import BadInput
from core.files import read_text
from core.session.report import verdict_json
from core.stages.align import align as run_align
from core.stages.judge import Judge, judge_rows
from core.team import load_reviewer, load_team
from core.watch import AnyNote, Measured, Watch

STANDALONE_GOAL = "Decide whether this action may be taken."
NO_ANSWER = "the judge gave no answer that fits these values"
FORMATS = ("text", "json", "jsonl")

Text = Annotated[
    str | None,
    typer.Argument(help="The action. Without it, or with -, standard input.", show_default=False),
]
File = Annotated[Path | None, path_option("--file", help="Read from this file instead.")]
ScenarioName = Annotated[
    str, typer.Option("--scenario", help="Goal and context: a name or a file.", show_default=False)
]
Format = Annotated[
    str, choice(FORMATS, help="text, json, or jsonl: one JSON object a line in, one a line out.")
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

    Only the text must be there; an id comes out as it went in. A line that cannot be read comes
    out UNJUDGED, with the reason as its "problem". All lines are read before the first is judged.
    """
    setting, values = _setting(scenario, profile, file, output)
    rows = list(_rows(text, file, format, setting))
    with Meter() as meter, giving(output, meter) as add:
        reviewer = load_reviewer(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        announce(reviewer.used)
        _tell_values(values, scenario, profile)
        told = _Told(format, output, values, add)
        _judged(
            reviewer,
            values,
            rows,
            meter.watch,
            lambda row, judgement, problem: told.add(row, row.text, judgement, problem),
        )
    told.finish()


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
    """Rewrites that keep the goal and lose the harm, judged; the best one, or the text as it is.

    With --format jsonl each input line is {"text", "context", "goal", "id"}, as for `judge`, and
    all lines are read before the first is rewritten. Beside the verdict on the text that is given,
    "original" has the one on the text as it was, and "kept_because" says why it was left so.
    """
    setting, values = _setting(scenario, profile, file, output)
    _whole(guidance, "--guidance")
    rows = list(_rows(text, file, format, setting))
    with Meter() as meter, giving(output, meter) as add:
        team = load_team(policy, judge, device=device, dtype=dtype, watch=meter.watch)
        announce(*team.used.values())
        _tell_values(values, scenario, profile)
        told = _Told(format, output, values, add)
        judged: list[tuple[_Row, Judgement | None, str]] = []
        for asked in rows:  # each is told before the next takes its time
            _judged(team.judge, values, [asked], meter.watch, lambda *one: judged.append(one))
            row, judgement, problem = judged.pop()
            before = assess(judgement, values) if judgement else UNJUDGED
            more: dict[str, Any] = {"original": {"text": row.text, **verdict_json(before)}}
            if row.problem:
                told.add(row, row.text, None, problem, more)
                continue
            [result] = run_align(
                team.policy,
                team.judge,
                row.scenario,
                values,
                [Case(text=row.text, judgement=judgement, guidance=guidance)],
                rewrites=rewrites,
                seed=seed,
                watch=meter.watch,
            )
            if result.why:
                more["kept_because"] = result.why
            found = result.judgement or judgement
            told.add(row, result.text or row.text, found, problem, more)
    told.finish()


def _setting(
    scenario: str, profile: str, file: Path | None, output: Path | None
) -> tuple[Scenario, Profile]:
    """What the texts are judged by; refuses an `output` that would take the place of an input."""
    chosen = library.load_scenario(scenario, warn) if scenario else Scenario(goal=STANDALONE_GOAL)
    values = library.profile_for(chosen, profile, warn)
    writable(output, read=(file, *library.files_named(scenario, profile or chosen.profile)))
    return chosen, values


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
    problem: str = ""
    """Why there is no text to ask about."""


def _rows(text: str | None, file: Path | None, format: str, setting: Scenario) -> Iterator[_Row]:
    """The texts to judge, each with its scenario."""
    if text is not None and file:
        raise typer.BadParameter("give a text or --file, one of the two")
    argument = None if text == "-" else text
    lines = format == "jsonl" and argument is None
    damaged = "surrogateescape" if lines else "strict"  # of lines, the damaged one alone is refused
    if argument is not None:
        source, where = _whole(argument, "the argument"), "the argument"
    elif file and str(file) != "-":
        source, where = read_text(file, largest=256_000_000, errors=damaged), str(file)
    else:
        source, where = stdin_text(damaged), "standard input"
    source = source.removeprefix("\ufeff")
    if not lines:
        if not source.strip():
            raise BadInput("there is no text", where=where)
        yield _Row(setting, source.strip(), {})
        return
    for number, line in enumerate(source.split("\n"), start=1):
        if line.strip():
            yield _row(line, f"{where}, line {number}", setting)


def _whole(text: str, where: str) -> str:
    """`text`; `BadInput` unless UTF-8 can carry all of it, for else another would be judged."""
    if storable(text) != text:
        raise BadInput("this is not UTF-8 text", where=where)
    return text


def _row(line: str, place: str, setting: Scenario) -> _Row:
    """What a line asks. One that cannot be read takes no other with it: its row says why."""
    try:
        given = json.loads(_whole(line, ""), object_pairs_hook=_each_once)
    except BadInput as error:
        return _Row(setting, "", {}, f"{place}: {error}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return _Row(setting, "", {}, f'{place}: this is not a JSON object with a "text"')
    name = {"id": given["id"]} if "id" in given else {}
    if not _shallow(name):
        return _Row(setting, "", {}, f"{place}: id: its brackets stand too deep")
    try:
        json.dumps(name, allow_nan=False)
    except ValueError:
        return _Row(setting, "", {}, f"{place}: id: this is a number that JSON does not have")
    try:
        there, action = _asked(given, setting)
    except (ValueError, BadInput) as error:
        return _Row(setting, "", name, f"{place}: {error}")
    return _Row(there, action, name)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; `BadInput` where a key stands there twice: others may go by the first."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise BadInput("a key stands there twice")
    return told


def _shallow(told: Any, most: int = 100) -> bool:
    """Whether brackets stand at most so deep: what can just be read could not be written again."""
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return most >= 0 and all(_shallow(one, most - 1) for one in inner)


def _asked(given: dict[str, Any], setting: Scenario) -> tuple[Scenario, str]:
    """The scenario and the action that an object names. Raises `ValueError` and `BadInput`."""
    if "text" not in given:
        raise ValueError('this is not a JSON object with a "text"')
    for key in ("text", "context", "goal"):
        if not isinstance(given.get(key), str | None):
            raise ValueError(f"{key}: this is not a text in quotes")
        _whole(given.get(key) or "", key)
    action = given["text"] or ""
    if not action.strip():
        raise ValueError("text: it is empty")
    scenario = Scenario(
        goal=given.get("goal") or setting.goal,
        context=given.get("context", setting.context) or "",
    )
    return scenario, action


def _judged(
    reviewer: Judge,
    profile: Profile,
    rows: Iterable[_Row],
    watch: Watch,
    tell: Callable[[_Row, Judgement | None, str], object],
) -> None:
    """Tells of each row, in order and as it comes, its judgement, or why there is none."""
    for problem, group in groupby(rows, key=lambda row: row.problem):
        some = list(group)
        if problem:
            for row in some:
                tell(row, None, problem)
            continue

        def heard(note: AnyNote, some: list[_Row] = some) -> None:
            if isinstance(note, Measured):
                tell(some[note.row], note.judgement, note.problem)
            watch.say(note)

        asked = [(row.scenario, row.text) for row in some]
        judge_rows(reviewer, asked, profile, watch=Watch(heard, watch.is_cancelled))


class _Told:
    """The answers: a line each, at once, where lines are wanted."""

    def __init__(
        self, format: str, output: Path | None, profile: Profile, add: Callable[[str], None]
    ) -> None:
        self._format = format
        self._output = output
        self._profile = profile
        self._add = add
        self._parts: list[str] = []
        self._problems: list[str] = []
        """Why there is no verdict, of each row without one."""

    def add(
        self,
        row: _Row,
        text: str,
        judgement: Judgement | None,
        problem: str,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """One answer: the text, and its verdict or the problem."""
        verdict = assess(judgement, self._profile) if judgement else UNJUDGED
        told = {**row.id, "text": text, **verdict_json(verdict), **more}
        if verdict.risk is Risk.UNJUDGED:
            told["problem"] = problem or NO_ANSWER
            self._problems.append(told["problem"])
        if self._format == "text":
            self._parts.append(_text(told, verdict, self._profile))
        elif self._format == "json":
            self._parts.append(json.dumps(told, indent=2) + "\n")
        else:
            self._parts.append(json.dumps(told) + "\n")  # ASCII: no text can act
            self._add(self._parts[-1])

    def finish(self) -> None:
        """The rest, and how many have no verdict; exit status 1 where nothing has one."""
        if self._format != "jsonl" or not self._parts:
            give("".join(self._parts), self._output)
        if not self._problems:
            return
        many = f" ({len(self._problems)} of {len(self._parts)} texts)"
        warn(f"UNJUDGED{many if len(self._parts) > 1 else ''}: {self._problems[0]}")
        if len(self._problems) == len(self._parts):
            raise typer.Exit(1)


def _text(told: Mapping[str, Any], verdict: Verdict, profile: Profile) -> str:
    lines = [plain(str(told["text"]))]
    if verdict.judgement is None:
        return "\n".join([*lines, f"UNJUDGED: {plain(told['problem'])}"]) + "\n"
    lines.append(
        f"risk {verdict.risk} ({verdict.risk_probability:.0%}), harm {verdict.harm:.2f}, "
        f"alignment {verdict.alignment:.2f}, recommends: {verdict.recommendation}"
    )
    lines.append(because(verdict.judgement, profile))
    lines += [f"  {name:<24} {score:.2f}" for name, score in verdict.scores.items()]
    lines += [f"at stake: {plain(issue.text)}" for issue in verdict.issues]
    if "kept_because" in told:
        lines.append(f"left as it was: {told['kept_because']}")
    return "\n".join(filter(None, lines)) + "\n"
