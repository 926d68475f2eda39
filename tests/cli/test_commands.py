"""Every command, with the stand-in: results on standard output, the rest on standard error."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core import __version__, paths
from core.cli.judge import NO_ANSWER
from core.cli.output import Meter, giving
from core.domain.scenario import Scenario
from core.domain.values import Profile, Value
from core.errors import BadInput, Cancelled
from core.library import save_profile, save_scenario
from core.models import agents, catalog
from core.session.report import FORMATS
from core.session.store import load
from core.stages.align import align as run_align
from core.stages.judge import PromptedJudge, Row
from tests.cli.conftest import Placet
from tests.nouns import CALL, LETTER, measured

VERDICT = {"risk", "risk_probability", "harm", "scores", "alignment", "recommendation", "issues"}
ROOT = Path(__file__).resolve().parents[2]
PIPE = subprocess.PIPE


def started(*arguments: object, cwd: Path = ROOT) -> "subprocess.Popen[str]":
    """`placet` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "core", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdin=subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
    )


# Decide


def test_decide_asks_the_agents_and_says_whose_each_candidate_is(placet: Placet) -> None:
    ran = placet(
        "decide", "--demo", "--agents", "--candidates", 1, "--rounds", 0, "--policy", "echo",
        "--format", "json",
    )  # fmt: skip

    origins = [one["origin"].split(":")[0] for one in json.loads(ran.out)["candidates"]]
    assert origins.count("agent") >= 3 and "policy" in origins
    plain = placet("decide", "--demo", "--agents", "--candidates", 1, "--policy", "echo")
    assert "agent: consent" in plain.out


def test_agents_that_are_not_there_are_told_of_before_a_model_is_looked_for(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(agents, "shipped", lambda: tmp_path)
    ran = placet("decide", "--demo", "--agents")

    assert ran.status == 1 and not ran.out
    assert "placet train agent --value" in ran.trouble
    assert "loading" not in ran.err


def test_the_demo_is_decided_and_the_report_alone_is_on_standard_output(placet: Placet) -> None:
    ran = placet("decide", "--demo", "--policy", "echo", "--seed", 7)

    assert ran.status in (0, 3)
    assert ran.out.startswith("Placet: Bank outreach to small family businesses\n====")
    assert "stand-in without weights" in ran.out
    assert "loading the models" not in ran.out
    assert ran.trouble == ""
    assert "placet: proposing…" in ran.err
    assert "stand-in" in placet("decide", "--demo", "--policy", "echo", "--format", "json").trouble


def test_the_same_seed_gives_the_same_decision_and_another_seed_another(placet: Placet) -> None:
    def decided(seed: int) -> object:
        told = json.loads(
            placet("decide", "--demo", "--policy", "echo", "--seed", seed, "--format", "json").out
        )
        return told["candidates"], told["plan"]

    assert decided(7) == decided(7)
    assert decided(7) != decided(8)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_goes_to_standard_output_or_whole_into_a_file(
    placet: Placet, tmp_path: Path, format: str
) -> None:
    file = tmp_path / "reports" / "report"
    asked = ("decide", "night-incident", "--policy", "echo", "--format", format)

    printed = placet(*asked)
    written = placet(*asked, "--output", file)

    assert printed.status == written.status
    assert written.out == ""
    assert len(file.read_text("utf-8").splitlines()) == len(printed.out.splitlines())
    assert [path.name for path in file.parent.iterdir()] == ["report"]


def test_a_payoff_table_speaks_in_decisions_and_in_reports(placet: Placet, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    decided = placet("decide", "shared-loading-bay", "--policy", "echo", "--session", file)

    assert "Deontological reward -3: defects after the" in decided.out
    assert placet("session", "report", file).out == decided.out
    placet("session", "export", file, tmp_path / "s.html")
    assert "Deontological reward -3" in (tmp_path / "s.html").read_text("utf-8")


def test_a_session_is_kept_verified_reported_and_exported(placet: Placet, tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    decided = placet("decide", "--demo", "--policy", "echo", "--session", file, "--seed", 7)
    assert decided.status in (0, 3)

    verified = placet("session", "verify", file)
    assert verified.status == 0
    assert verified.out == f"ok: {len(load(file).records)} events, last digest {load(file).head}\n"
    assert placet("session", "report", file).out == decided.out
    for ending in ("md", "html", "json", "txt"):
        exported = placet("session", "export", file, tmp_path / f"out.{ending}")
        assert exported.status == 0
        assert (tmp_path / f"out.{ending}").stat().st_size > 100
    assert placet("session", "export", file, tmp_path / "out.pdf").status == 2


def test_a_session_that_was_changed_fails_verification_with_number_and_kind(
    placet: Placet, tmp_path: Path
) -> None:
    file = tmp_path / "session.toml"
    placet("decide", "--demo", "--policy", "echo", "--session", file)
    text = file.read_text("utf-8")
    events = text.index("[[events]]")
    file.write_text(
        text[:events] + text[events:].replace("Echo 1", "Echo 2").replace("Echo 3", "Echo 4")
    )
    assert file.read_text("utf-8") != text

    ran = placet("session", "verify", file)

    assert ran.status == 1
    assert ran.out == ""
    assert re.search(r"event \d+ \([a-z]+\) was changed", ran.trouble)


def test_where_nothing_is_acceptable_the_status_is_3_and_the_report_says_so(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.models.echo import Echo

    def never(self: Echo, prompts: list[object], answers: tuple[str, ...], watch: object) -> object:
        worst = [0.0] * (len(answers) - 1) + [1.0]
        return [worst for _ in prompts]

    monkeypatch.setattr(Echo, "choose", never)

    ran = placet("decide", "--demo", "--policy", "echo")

    assert ran.status == 3
    assert "There is no plan: the judge would approve none of the candidates" in ran.out


def test_options_reach_the_pipeline(placet: Placet) -> None:
    told = json.loads(
        placet(
            "decide", "hidden-dog", "--policy", "echo", "--format", "json", "--candidates", 2,
            "--rounds", 0, "--rewrites", 3, "--seed", 5, "--profile", "moral-foundations",
        ).out
    )  # fmt: skip

    assert told["settings"] == {"candidates": 2, "rounds": 0, "rewrites": 3, "seed": 5}
    assert told["profile"]["name"] == "moral-foundations"
    assert len(told["candidates"]) == 2
    assert all(one["aligned"] is None for one in told["candidates"])
    assert told["models"]["policy"]["name"] == "echo"


# One stage


@pytest.mark.parametrize("way", ["argument", "file", "standard input"])
def test_a_text_is_judged_from_wherever_it_comes(placet: Placet, tmp_path: Path, way: str) -> None:
    file = tmp_path / "action.txt"
    file.write_text(LETTER, "utf-8")
    ways: dict[str, list[object]] = {"argument": [LETTER], "file": ["--file", file]}
    arguments = ways.get(way, [])

    ran = placet("judge", *arguments, "--policy", "echo", "--format", "json", stdin=LETTER.encode())

    assert ran.status == 0
    told = json.loads(ran.out)
    assert set(told) >= {"text", *VERDICT}
    assert told["text"] == LETTER
    assert told["risk"] in ("LOW", "MED", "HIGH")


def test_many_texts_are_judged_one_json_object_a_line(placet: Placet) -> None:
    rows: list[dict[str, str | None]] = [
        {"text": LETTER},
        {"text": CALL, "context": "A bank."},
        {"text": "Write\u2028to them, “all of them”", "context": None},
        {"text": LETTER},
    ]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)

    ran = placet("judge", "--policy", "echo", "--format", "jsonl", stdin=lines.encode("utf-8"))

    assert ran.status == 0
    told = [json.loads(line) for line in ran.out.strip().split("\n")]
    assert [row["text"] for row in told] == [row["text"] for row in rows]
    assert told[0] == told[3]
    assert told[0]["scores"] != told[1]["scores"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hello", 'not a JSON object with a "text"'),
        ("[]", 'not a JSON object with a "text"'),
        ('{"context": "x"}', 'not a JSON object with a "text"'),
        ('{"text": 7}', "line 2: text: this is not a text in quotes"),
        ('{"text": 0}', "line 2: text: this is not a text in quotes"),
        ('{"text": null}', "line 2: text: it is empty"),
        ('{"text": "x", "context": 7}', "line 2: context: this is not a text in quotes"),
        ('{"text": "x", "context": []}', "line 2: context: this is not a text in quotes"),
        ('{"text": "x", "goal": false}', "line 2: goal: this is not a text in quotes"),
        ("[" * 20_000, 'not a JSON object with a "text"'),
        ('{"text": ""}', "line 2: text: it is empty"),
        ('{"text": "x", "goal": " "}', "the goal is empty"),
        (json.dumps({"text": "x", "context": "y" * 20_001}), "context is longer than"),
        ('{"text": "x", "id": NaN}', "line 2: id: this is a number that JSON does not have"),
        ('{"text": "x", "id": [1e400]}', "line 2: id: this is a number that JSON does not have"),
        (f'{{"text": "x", "id": {"[" * 101}{"]" * 101}}}', "id: its brackets stand too deep"),
        ('{"text": "a\\ud800b"}', "line 2: text: this is not UTF-8 text"),
        ('{"text": "x", "text": "y"}', "line 2: a key stands there twice"),
        ('{"text": "x", "id": {"a": 1, "a": 2}}', "line 2: a key stands there twice"),
        ('{"text": "x", "context": "\\udfff"}', "line 2: context: this is not UTF-8 text"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(placet: Placet, line: str, told: str) -> None:
    lines = json.dumps({"text": LETTER}) + "\n" + line

    lines += "\n" + json.dumps({"text": CALL, "id": 3})

    for command in ("judge", "align"):
        ran = placet(command, "--policy", "echo", "--format", "jsonl", stdin=lines.encode())

        assert ran.status == 0
        first, second, third = map(json.loads, ran.out.splitlines())
        assert "problem" not in first | third and third["id"] == 3
        assert second["risk"] == "UNJUDGED"
        assert (
            second["problem"].startswith("standard input, line 2: ") and told in second["problem"]
        )
        assert f"UNJUDGED (1 of 3 texts): {second['problem']}" in ran.err


@pytest.mark.parametrize("asked", [[], ["--file", "rows.jsonl"]])
def test_a_byte_that_is_no_text_takes_no_other_line_with_it(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    lines = b'{"text": "Wait."}\n{"text": "x", "id": "\xff"}\n\xff\n{"text": "Ask."}\n'
    (tmp_path / "rows.jsonl").write_bytes(lines)
    monkeypatch.chdir(tmp_path)

    ran = placet("judge", *asked, "--policy", "echo", "--format", "jsonl", stdin=lines)

    told = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert [row["text"] for row in told] == ["Wait.", "", "", "Ask."]
    assert [row["risk"] == "UNJUDGED" for row in told] == [False, True, True, False]
    assert told[1]["problem"].endswith(", line 2: this is not UTF-8 text")


def test_an_id_in_brackets_however_deep_takes_no_other_line_with_it(placet: Placet) -> None:
    ids = ["[" * deep + "]" * deep for deep in (100, *range(700, 1000))]
    lines = "".join(f'{{"text": "Write.", "id": {one}}}\n' for one in ids)

    ran = placet("judge", "--policy", "echo", "--format", "jsonl", stdin=lines.encode())

    told = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0 and len(told) == len(ids)
    assert json.dumps(told[0]["id"]) == ids[0] and all("problem" in row for row in told[1:])


def test_where_no_line_can_be_read_the_command_fails(placet: Placet) -> None:
    ran = placet("judge", "--policy", "echo", "--format", "jsonl", stdin=b'{"id": "a"}\n\n[]\n')

    assert ran.status == 1
    assert [json.loads(line).get("id") for line in ran.out.splitlines()] == ["a", None]


def test_lines_that_were_judged_before_an_interruption_are_told(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(self: PromptedJudge, rows: list[Row], *rest: Any, **more: Any) -> Any:
        yield from whole(self, rows[:2], *rest, **more)
        raise Cancelled

    whole = PromptedJudge.measure
    monkeypatch.setattr(PromptedJudge, "measure", measure)
    lines = "\n".join(json.dumps({"text": text}) for text in (LETTER, CALL, "Wait."))
    asked = ("judge", "--policy", "echo", "--format", "jsonl")

    printed = placet(*asked, stdin=lines.encode())
    written = placet(*asked, "--output", tmp_path / "told.jsonl", stdin=lines.encode())

    assert (printed.status, written.status, written.out) == (130, 130, "")
    assert [json.loads(line)["text"] for line in printed.out.splitlines()] == [LETTER, CALL]
    assert (tmp_path / "told.jsonl").read_text() == printed.out
    assert [path.name for path in tmp_path.glob("*told*")] == ["told.jsonl"]


def test_a_line_is_in_its_file_as_soon_as_it_is_judged(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(self: PromptedJudge, rows: list[Row], *rest: Any, **more: Any) -> Any:
        for row in rows:
            seen.append(file.read_text())
            yield from whole(self, [row], *rest, **more)

    file, whole = tmp_path / "told.jsonl", PromptedJudge.measure
    seen: list[str] = []
    file.write_text("what was there before\n")
    file.chmod(0o640)
    (tmp_path / "link").symlink_to(file)
    monkeypatch.setattr(PromptedJudge, "measure", measure)
    lines = "\n".join(json.dumps({"text": text}) for text in (LETTER, CALL, "Wait."))

    ran = placet(
        "judge", "--policy", "echo", "--format", "jsonl", "--output", tmp_path / "link",
        stdin=lines.encode(),
    )  # fmt: skip

    assert ran.status == 0
    assert [text.count("\n") for text in seen] == [1, 1, 2]
    assert seen[0] == "what was there before\n" and seen[2].startswith(seen[1])
    assert (tmp_path / "link").is_symlink() and file.stat().st_mode & 0o777 == 0o640
    assert len(file.read_text().splitlines()) == 3


def test_a_stage_is_named_once_between_lines_where_no_terminal_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Meter() as meter, giving(None, meter) as add:
        for line in ("one\n", "two\n"):
            meter.show("reading 1/2", stage="read")
            add(line)

    assert capsys.readouterr() == ("one\ntwo\n", "placet: reading…\n")


def test_lines_go_into_a_pipe_one_after_another(placet: Placet, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    lines = b'{"text": "Wait."}\n{"text": "Write."}\n'
    asked = ("judge", "--policy", "echo", "--format", "jsonl", "--output", tmp_path / "pipe")

    assert placet(*asked, stdin=lines).status == 0

    told = [json.loads(line)["text"] for line in os.read(reader, 9_999).splitlines()]
    os.close(reader)
    assert told == ["Wait.", "Write."]


def test_a_line_is_aligned_and_told_before_the_next_is_looked_at(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def align(*told: Any, **more: Any) -> Any:
        if told[-1][0].text == CALL:
            raise Cancelled
        return run_align(*told, **more)

    monkeypatch.setattr("core.cli.judge.run_align", align)
    lines = "\n".join(json.dumps({"text": text}) for text in (LETTER, CALL))

    ran = placet("align", "--policy", "echo", "--format", "jsonl", stdin=lines.encode())

    assert ran.status == 130
    assert [json.loads(line)["original"]["text"] for line in ran.out.splitlines()] == [LETTER]


def test_a_text_is_re_aligned_or_left_with_the_reason(placet: Placet) -> None:
    ran = placet("align", CALL, "--policy", "echo", "--format", "json", "--guidance", "By letter.")

    assert ran.status == 0
    told = json.loads(ran.out)
    assert told["original"]["text"] == CALL
    assert set(told) >= {"text", *VERDICT}
    assert (told["text"] == CALL) == ("kept_because" in told)


@pytest.mark.parametrize("command", ["judge", "align"])
def test_help_names_what_a_line_may_hold(placet: Placet, command: str) -> None:
    told = " ".join(placet(command, "--help").out.split())
    assert '{"text", "context", "goal", "id"}' in told
    assert "all lines are read before the first is" in told.lower()


@pytest.mark.parametrize("command", ["align", "bench", "decide", "baseline tutorial"])
def test_help_says_what_every_option_is_for(placet: Placet, command: str) -> None:
    told = placet(*command.split(), "--help").out

    assert re.findall(r"(--\S+) <[a-z ]+> +\[", told) == []


@pytest.mark.parametrize("command", ["judge", "align"])
@pytest.mark.parametrize("text", [LETTER, '{"text": "Write."}', "Ring them.\nThen write."])
def test_an_argument_is_a_text_whatever_the_format(placet: Placet, command: str, text: str) -> None:
    ran = placet(command, text, "--policy", "echo", "--format", "jsonl")

    told = json.loads(ran.out)
    assert (ran.status, told.get("original", told)["text"]) == (0, text)


def test_nothing_to_judge_is_refused(placet: Placet) -> None:
    ran = placet("judge", "--policy", "echo", stdin=b" \n")

    assert (ran.status, ran.out) == (1, "")
    assert "standard input: there is no text" in ran.trouble


def test_the_tutorials_loop_runs_for_comparison(placet: Placet) -> None:
    ran = placet("baseline", "tutorial", "bank-outreach", "--policy", "echo", "--candidates", 2)

    assert ran.status == 0
    assert "final plan:" in ran.out
    assert "reviews could be read" in ran.out


def test_the_tutorials_loop_needs_no_judge_and_can_be_read_by_programs(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("core.team._reviewer")
    asked = ("baseline", "tutorial", "bank-outreach", "--policy", "echo", "--candidates", 2)

    ran = placet(*asked, "--format", "json", "--output", tmp_path / "loop.json")

    assert (ran.status, ran.out) == (0, "")
    told = json.loads((tmp_path / "loop.json").read_text())
    assert set(told) == {"schema", "candidates", "plan", "timings"}
    assert set(told["candidates"][0]) == {"text", "risk", "review", "aligned"}
    assert placet(*asked, "--format", "html").status == 2


# Profiles, scenarios, models


def test_profiles_and_scenarios_are_listed_shown_and_checked(placet: Placet) -> None:
    profiles, scenarios = placet("profiles", "list").out, placet("scenarios", "list").out

    names = [line.split()[0] for line in profiles.splitlines()]
    assert set(names) >= {
        "finance-outreach", "clinical-operations", "people-and-hiring", "it-operations",
        "public-service", "moral-foundations",
    }  # fmt: skip
    assert len(scenarios.splitlines()) >= 6
    for name in names:
        shown = placet("profiles", "show", name)
        assert shown.status == 0
        assert 5 <= sum(line[:1].isdigit() for line in shown.out.splitlines()) <= 8
    for line in scenarios.splitlines():
        assert "Goal: " in placet("scenarios", "show", line.split()[0]).out
    checked = placet("profiles", "check")
    assert checked.status == 0
    assert checked.out.count("ok  ") == len(names)
    checked = placet("scenarios", "check")
    assert checked.status == 0
    assert checked.out.count("ok  ") == len(scenarios.splitlines())


def test_profiles_check_tells_every_broken_one_and_fails(placet: Placet) -> None:
    folder = paths.profiles()
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("schema = 1\nvalues = []\n")
    (folder / "worse.toml").write_text("schema = 9\n")

    ran = placet("profiles", "check")

    assert ran.status == 1
    assert "broken.toml" in ran.err
    assert "worse.toml: schema" in ran.err
    assert ran.out.count("ok  ") >= 6


def test_no_name_and_no_title_makes_a_line_of_its_own(placet: Placet) -> None:
    forged, folder = "x\nok  forged\x1b[2J", paths.profiles()
    value = Value(id="tea", statement=forged)
    save_profile(Profile(name=forged, title=forged, values=(value,)), folder / "p.toml")
    scene = Scenario(goal="g", name=forged, title=forged, profile=str(folder / "p.toml"))
    save_scenario(scene, folder / "scenarios" / "s.toml")
    paths.sessions().mkdir(parents=True)
    (paths.sessions() / f"{forged}.toml").touch()

    for command in (
        ("profiles", "list"),
        ("profiles", "check"),
        ("scenarios", "list"),
        ("scenarios", "check"),
        ("session", "list"),
    ):
        ran = placet(*command)
        assert ran.status == 0 and "x ok  forged" in ran.out, command
        assert "\nok  forged" not in ran.out and "\x1b" not in ran.out, command
    shown = placet("profiles", "show", folder / "p.toml").out
    assert shown.endswith("tea: x ok  forged\ufffd[2J\n")


def test_scenarios_check_tells_of_those_that_cannot_be_judged(
    placet: Placet, tmp_path: Path
) -> None:
    (tmp_path / "lost.toml").write_text('schema = 1\ngoal = "Wait."\nprofile = "gone"\n')
    (tmp_path / "empty.toml").write_text("schema = 1\n")

    ran = placet("scenarios", "check", tmp_path / "lost.toml", tmp_path / "empty.toml")

    assert (ran.status, ran.out) == (1, "")
    assert "scenario lost: profile: there is no profile named 'gone'" in ran.err
    assert "empty.toml: object missing required field `goal`" in ran.err


def test_ones_own_profile_goes_before_the_shipped_one(placet: Placet) -> None:
    folder = paths.profiles()
    folder.mkdir(parents=True)
    (folder / "finance-outreach.toml").write_text(
        'schema = 1\nname = "finance-outreach"\nvalues = [{id = "tea", statement = "Offer tea."}]\n'
    )

    assert "Offer tea." in placet("profiles", "show", "finance-outreach").out
    assert placet("profiles", "list").out.count("finance-outreach") == 1


def test_models_are_listed_with_what_is_here(placet: Placet, tiny_gpt2: Path) -> None:
    before = placet("models", "list").out
    pulled = placet("models", "pull", "someone/tiny", "--from", tiny_gpt2)
    after = placet("models", "list").out

    assert catalog.DEFAULT in before
    assert "Apache-2.0" in before
    assert "MB of disk" in before
    assert "echo" in before
    assert pulled.status == 0
    assert f"bringing someone/tiny from {tiny_gpt2}" in pulled.err
    assert "someone--tiny" in after
    assert "someone--tiny" not in before
    assert placet("models", "path", "someone/tiny").out.strip() == str(
        paths.models() / "someone--tiny"
    )
    assert placet("models", "verify", "someone/tiny").out.startswith("ok  someone/tiny  sha256 ")
    assert placet("models", "remove", "someone/tiny").status == 0
    assert placet("models", "path", "someone/tiny").status == 1


def test_the_version_is_told(placet: Placet) -> None:
    ran = placet("--version")

    assert (ran.status, ran.out) == (0, f"placet {__version__}\n")


# Exit statuses


@pytest.mark.parametrize(
    "arguments",
    [
        ["decide"],
        ["decide", "--demo", "bank-outreach"],
        ["decide", "--demo", "--format", "xml"],
        ["decide", "--demo", "--seed", "-1"],
        ["decide", "--demo", "--seed", "seven"],
        ["decide", "--demo", "--nonesuch"],
        ["judge", "x", "--format", "yaml"],
        ["nonesuch"],
        ["session", "verify"],
        ["session"],
        ["models", "remove"],
    ],
)
def test_wrong_usage_is_status_2_with_nothing_on_standard_output(
    placet: Placet, arguments: list[str]
) -> None:
    ran = placet(*arguments)

    assert ran.status == 2
    assert "Usage: placet" in ran.err + ran.out
    assert "Traceback" not in ran.err


def test_the_review_screen_needs_a_terminal(placet: Placet) -> None:
    ran = placet("review")

    assert (ran.status, ran.out) == (1, "")
    assert "needs a terminal" in ran.trouble


@pytest.mark.parametrize("seed", [2**31, 2**63, 10**30])
def test_a_seed_of_any_size_is_used_or_refused_as_usage(
    placet: Placet, tiny_gpt2: Path, seed: int
) -> None:
    ran = placet(
        "decide", "--demo", "--policy", tiny_gpt2, "--judge", "echo", "--seed", seed,
        "--candidates", 1, "--rounds", 0,
    )  # fmt: skip

    assert ran.status in (0, 2, 3)
    assert "Traceback" not in ran.err


def test_ctrl_c_in_mid_run_is_status_130_and_leaves_nothing_half_written(
    tmp_path: Path, tiny_gpt2: Path
) -> None:
    outputs = ["--session", tmp_path / "session.toml", "--output", tmp_path / "report.txt"]
    process = started(
        "decide", "--demo", "--policy", tiny_gpt2, "--judge", "prompted", "--dtype", "float32",
        "--candidates", 256, "--rounds", 16, "--rewrites", 64, *outputs,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "writing" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert not list(tmp_path.glob("*session*")) + list(tmp_path.glob("*report*"))
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


@pytest.mark.parametrize("place", ["typer.core.TyperGroup.parse_args", "core.library.load_profile"])
def test_ctrl_c_before_a_model_is_at_work_is_told(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)

    ran = placet("profiles", "show", "finance-outreach")

    assert (ran.status, ran.out, ran.trouble) == (130, "", "placet: interrupted")


def test_ctrl_c_while_the_commands_are_imported_is_told(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    for module, command in (("main", "profiles"), ("screen", "review")):
        monkeypatch.setitem(sys.modules, f"core.cli.{module}", Interrupted(module))
        ran = placet(command)
        assert (ran.status, ran.out, ran.trouble) == (130, "", "placet: interrupted")


def test_a_reader_that_goes_away_ends_the_command_without_a_traceback() -> None:
    process = started("profiles", "show", "finance-outreach")
    assert process.stdout is not None
    process.stdout.close()

    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize(
    ("streams", "status", "told"),
    [
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">&-", 1, "placet: standard output: it is closed"),
        (">/dev/full", 1, "placet: standard output: it cannot be written (No space left on dev"),
        (">&- 2>&-", 1, ""),
    ],
)
@pytest.mark.parametrize("command", [["judge", "Wait.", "--judge", "echo"], ["profiles", "list"]])
def test_a_closed_or_full_stream_loses_no_result_in_silence(
    command: list[str], streams: str, status: int, told: str
) -> None:
    words = shlex.join([sys.executable, "-m", "core", *command])
    ran = subprocess.run(
        ["sh", "-c", f"{words} {streams}"], cwd=ROOT, capture_output=True, text=True
    )

    assert ran.returncode == status
    assert ran.stdout.startswith(("Wait.\nrisk", "clinical-operations") if status == 0 else "")
    assert bool(ran.stdout) == (status == 0) and "placet:" not in ran.stdout
    assert told in ran.stderr and "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr and "went wrong" not in ran.stderr


def test_usage_is_status_2_though_nobody_can_read_it() -> None:
    words = shlex.join([sys.executable, "-m", "core", "nonesuch"])
    ran = subprocess.run(["sh", "-c", f"{words} 2>&-"], cwd=ROOT, capture_output=True)

    assert (ran.returncode, ran.stdout) == (2, b"")


def test_an_error_nobody_foresaw_is_a_line_and_its_details_are_in_a_log(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the moon is full \udcff")  # as a file's name may be

    monkeypatch.setattr("core.cli.decide.run", broken)

    ran = placet("decide", "--demo", "--policy", "echo")

    assert (ran.status, ran.out) == (1, "")
    assert "something went wrong: RuntimeError: the moon is full" in ran.trouble
    assert "the moon is full" in (paths.state() / "placet.log").read_text()


def test_a_dash_is_standard_input_and_an_id_comes_out_as_it_went_in(placet: Placet) -> None:
    line = "\ufeff" + json.dumps({"id": 7, "text": LETTER}) + "\n"
    for given in (["-"], ["--file", "-"]):
        ran = placet("judge", *given, "--policy", "echo", "--format", "jsonl", stdin=line.encode())
        assert ran.status == 0
        row = json.loads(ran.out)
        assert (row["id"], row["text"]) == (7, LETTER)


def test_the_values_that_nobody_chose_are_named(placet: Placet) -> None:
    ran = placet("judge", LETTER, "--policy", "echo")
    assert "judged by the values of finance-outreach; --profile names others" in ran.err
    ran = placet("judge", LETTER, "--policy", "echo", "--profile", "people-and-hiring")
    assert ran.status == 0 and "judged by" not in ran.err


def test_a_text_is_told_why_its_risk_is_what_it_is(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scorer(PromptedJudge):
        def measure(self, rows: Sequence[Row], profile: Profile, *_: object, **__: object) -> Any:
            scores = {value.id: 0.25 for value in profile.values}
            return [measured(text, scores, profile=profile) for _, text in rows]

    monkeypatch.setattr("core.team.PromptedJudge", Scorer)

    ran = placet("judge", CALL, "--policy", "echo")

    assert "\nHIGH because harm 0.86 has reached 0.70; what weighs most is consent (75%" in ran.out


def test_what_has_no_verdict_is_told_and_fails(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(*_: object) -> list[list[float]]:
        raise BadInput("it is too long for the window")

    monkeypatch.setattr("core.models.echo.Echo.choose", too_long)
    line = json.dumps({"text": LETTER})

    ran = placet("judge", "--policy", "echo", "--format", "jsonl", stdin=line.encode())

    assert json.loads(ran.out)["risk"] == "UNJUDGED"
    assert ran.status == 1 and "UNJUDGED: it is too long for the window" in ran.err


@pytest.mark.parametrize("format", ["text", "json", "jsonl"])
def test_an_answer_about_other_values_is_told_as_no_verdict_and_fails(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(
        "core.stages.judge.PromptedJudge.measure",
        lambda _self, rows, *_, **__: [measured(text, {"other": 0.9}) for _, text in rows],
    )
    given = json.dumps({"text": LETTER}) if format == "jsonl" else LETTER

    ran = placet("judge", "--policy", "echo", "--format", format, stdin=given.encode())

    assert "UNJUDGED" in ran.out and NO_ANSWER in ran.out
    assert ran.status == 1 and f"UNJUDGED: {NO_ANSWER}" in ran.err


def test_echo_lies_nowhere(placet: Placet) -> None:
    for command in ("path", "pull"):
        ran = placet("models", command, "echo")
        assert (ran.status, ran.out) == (1, "") and "without weights" in ran.err


def test_sessions_are_listed_and_named(placet: Placet, tmp_path: Path) -> None:
    assert placet("session", "list").out == ""
    assert placet("session", "verify", "none").status == 1
    file = tmp_path / "bank.toml"
    assert placet("decide", "--demo", "--policy", "echo", "--session", file).status in (0, 3)
    paths.sessions().mkdir(parents=True, exist_ok=True)
    file.replace(paths.sessions() / "bank.toml")
    assert placet("session", "list").out.split() == ["bank", str(paths.sessions() / "bank.toml")]
    assert placet("session", "verify", "bank").out.startswith("ok")
    other = paths.sessions() / "bank"  # what is named with its folder is the file of that path
    other.write_text("no session", "utf-8")
    assert placet("session", "verify", other).status == 1
    assert placet("session", "verify", "./bank").status == 1
    for name in ("a" * 252, "a" * 300, "~nosuch/x"):
        ran = placet("session", "verify", name)
        assert ran.status == 1 and "something went wrong" not in ran.trouble


def test_sessions_are_listed_by_when_they_were_written_last(placet: Placet) -> None:
    folder = paths.sessions()
    folder.mkdir(parents=True)
    for name, second in (("b", 3), ("a", 2), ("c", 1)):
        (folder / f"{name}.toml").touch()
        os.utime(folder / f"{name}.toml", (second, second))

    told = [line.split()[0] for line in placet("session", "list").out.splitlines()]

    assert told == ["b", "a", "c"]
