"""Whatever fails, fails closed, and names the file, the field and the mend."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer

from core import paths
from core.cli.main import app
from core.files import LARGEST
from core.session.hold import Hold
from tests.cli.conftest import Placet
from tests.nasty import SPOKEN

GOAL = 'goal = "Have more bakeries open an account."\n'
VALUE = '[[values]]\nid = "consent"\nstatement = "Write only to people who agreed."\n'


def profile(*lines: str) -> bytes:
    return ("schema = 1\n" + "\n".join(lines)).encode()


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n", "the file is empty"),
    "ten megabytes": (b"# " + b"x" * 10_000_000, f"at most {LARGEST:,} bytes are read"),
    "binary": (b"\x7fELF\x02\x01\x01" + bytes(range(128, 256)), "is not UTF-8 text"),
    "not TOML": (b"hello there", "this is not TOML"),
    "deep": (b"schema = 1\nx = " + b"[" * 9000, "not TOML|nested too deeply"),
    "no version": (GOAL.encode(), "schema: the version is missing"),
    "wrongly typed version": (b'schema = "1"\n', "schema: the version is no whole number"),
    "unknown version": (b"schema = 2\n", "schema: version 2 is not known here"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("kind", ["scenario", "profile", "profile check"])
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(
    placet: Placet, tmp_path: Path, kind: str, name: str
) -> None:
    content, told = BAD_FILES[name]
    file = tmp_path / "file.toml"
    file.write_bytes(content)
    session = tmp_path / "session.toml"

    ran = {
        "scenario": lambda: placet("decide", file, "--policy", "echo", "--session", session),
        "profile": lambda: placet(
            "decide", "--demo", "--profile", file, "--policy", "echo", "--session", session
        ),
        "profile check": lambda: placet("profiles", "check", file),
    }[kind]()

    assert (ran.status, ran.out) == (1, "")
    assert str(file) in ran.trouble
    assert any(part in ran.trouble for part in told.split("|"))
    assert not session.exists()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no device without an end")
def test_a_device_without_an_end_is_not_read_to_its_end(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Path, "read_bytes")  # which would fill the memory before it failed

    ran = placet("profiles", "check", "/dev/zero")

    assert (ran.status, ran.out) == (1, "")
    assert "/dev/zero: the file is too long" in ran.trouble


@pytest.mark.parametrize(
    ("content", "field", "told"),
    [
        (profile('name = "p"'), "", "missing required field `values`"),
        (profile('name = "p"', "values = []"), "", "there are no values"),
        (profile('name = "p"', VALUE, VALUE), "", "the id 'consent' stands there twice"),
        (profile('name = "p"', VALUE + "weight = 1.5"), "values[0].weight", "<= 1.0"),
        (profile('name = "p"', VALUE + "weight = -1"), "values[0].weight", ">= 0.0"),
        (profile('name = "p"', VALUE + "weight = nan"), "values[0]", "weight"),
        (profile('name = "p"', VALUE + 'weight = "much"'), "values[0].weight", "got `str`"),
        (profile('name = "p"', VALUE + "weight = 0"), "", "every weight is 0"),
        (
            profile('name = "p"', VALUE + 'foundation = "fun"'),
            "values[0].foundation",
            "It may be care, fairness, loyalty, authority, sanctity.",
        ),
        (profile('name = "p"', '[[values]]\nid = "a"'), "values[0]", "`statement`"),
        (profile('name = "p"', "[values]"), "values", "Begin each of them with `[[values]]`"),
        (profile("name = 7", VALUE), "name", "expected `str`, got `int`"),
        (profile("name = 2026-01-02", VALUE), "name", "expected `str`"),
        (profile('name = "p"', VALUE.replace("consent", "My Id")), "values[0]", "lower-case"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_with_its_field(
    placet: Placet, tmp_path: Path, content: bytes, field: str, told: str
) -> None:
    file = tmp_path / "profile.toml"
    file.write_bytes(content)

    ran = placet("decide", "--demo", "--policy", "echo", "--profile", file)

    assert (ran.status, ran.out) == (1, "")
    assert f"{file}: {field}" in ran.trouble
    assert told in ran.trouble


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (profile(), "missing required field `goal`"),
        (profile('goal = ""'), "the goal is empty"),
        (profile("goal = 7"), "goal: expected `str`, got `int`"),
        (profile(f'goal = "{"x" * 20_001}"'), "the goal is longer than 20000 characters"),
        (profile(GOAL, "[[candidates]]\ntext = ' '"), "the text of a candidate is empty"),
        (profile(GOAL, "[[candidates]]"), "candidates[0]: object missing required field `text`"),
        (profile(GOAL, '[[candidates]]\ntext = "t"\nmove = "B"'), "move: invalid enum value 'B'"),
        (profile(GOAL, '[[candidates]]\ntext = "t"\nmove = "B"'), "It may be C, D."),
        (profile(GOAL, 'profile = "nonesuch"'), "there is no profile named 'nonesuch'"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_with_its_field(
    placet: Placet, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "scenario.toml"
    file.write_bytes(content)

    ran = placet("decide", file, "--policy", "echo")

    assert (ran.status, ran.out) == (1, "")
    assert told in ran.trouble


@pytest.mark.parametrize(
    ("command", "status", "there"),
    [
        (["decide", "--demo", "--policy", "echo"], 1, False),
        (["profiles", "show", "finance-outreach"], 1, False),
        (["profiles", "list"], 0, True),
        (["scenarios", "list"], 0, True),
        (["profiles", "check"], 1, False),
        (["session", "list"], 1, False),
    ],
)
def test_a_folder_of_ones_own_without_rights_is_named(
    placet: Placet,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    status: int,
    there: bool,
) -> None:
    def refusing(self: Path) -> Iterator[Path]:
        if self.is_relative_to(home):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return whole(self)

    whole = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", refusing)

    ran = placet(*command)

    assert (ran.status, bool(ran.out)) == (status, there)
    assert f"{home}/" in ran.trouble and "it cannot be read (Permission denied)" in ran.trouble


def test_a_name_with_a_folder_in_it_is_a_file_and_never_a_shipped_one(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["decide", "./bank-outreach", "--policy", "echo"],
        ["profiles", "show", "./finance-outreach"],
    ):
        ran = placet(*arguments)
        assert (ran.status, ran.out) == (1, "")
        assert "outreach: there is no such file" in ran.trouble


def test_a_tilde_is_a_home_wherever_a_file_is_named(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "rosa"))
    (tmp_path / "rosa").mkdir()
    (tmp_path / "rosa" / "text").write_text("Wait.")

    asked = ("judge", "--file", "~/text", "--judge", "echo", "--output", "~/told")
    assert placet(*asked).status == 0
    assert placet("decide", "--demo", "--policy", "echo", "--session", "~/s.toml").status in (0, 3)
    assert placet("session", "export", "~/s.toml", "~/s.md").status == 0
    ran = placet("judge", "Wait.", "--judge", "echo", "--output", "~nobody-here/told")

    assert {path.name for path in (tmp_path / "rosa").iterdir()} == {
        "text",
        "told",
        "s.toml",
        "s.md",
    }
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("~")]
    assert (ran.status, ran.out) == (1, "") and "there is no such user" in ran.trouble


def parameters_that_name_a_path(group: typer.Typer) -> Iterator[tuple[str, Any]]:
    for command in group.registered_commands:
        assert command.callback
        hints = get_type_hints(command.callback, include_extras=True)
        for name, (kind, told) in (
            (name, get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Annotated
        ):
            if kind is Path or Path in {*get_args(kind)} or list[Path] in {*get_args(kind)}:
                yield f"{command.callback.__name__} {name}", told
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from parameters_that_name_a_path(inner.typer_instance)


def test_every_parameter_that_names_a_path_reads_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.md").touch()

    found = dict(parameters_that_name_a_path(app))

    assert {"train_judge data", "tune out", "evaluate_judge files", "decide output"} <= {*found}
    for name, told in found.items():
        assert told.parser and told.parser("~/x.md") == tmp_path / "x.md", name


def test_a_path_that_has_to_be_there_is_looked_for_before_anything_is_done(
    placet: Placet, tmp_path: Path
) -> None:
    for command in (("judge", "--data", "x"), ("prefer",), ("refine",)):
        ran = placet("train", *command, "--begin=~/none", "--out", tmp_path / "out")
        assert (ran.status, ran.out) == (1, "")
        assert "~/none: there is no such file or folder" in ran.trouble
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(placet: Placet, tmp_path: Path) -> None:
    for arguments, told in (
        (["decide", "nonesuch"], "`placet scenarios list` shows those there are"),
        (["decide", tmp_path / "none.toml"], f"{tmp_path}/none.toml: there is no such file"),
        (["decide", "--demo", "--profile", "none"], "there is no profile named 'none'"),
        (["decide", "--demo", "--policy", "none"], "there is no model 'none'"),
        (["decide", "--demo", "--policy", "echo", "--judge", "a/b"], "a/b is not on this machine"),
        (["judge", "--file", tmp_path / "none", "--policy", "echo"], "there is no such file"),
        (["session", "verify", tmp_path / "none"], "there is no such file"),
        (["session", "report", tmp_path], "this is a folder, not a file"),
        (["models", "remove", "none"], "is not among the pulled models"),
        (["decide", "--demo", "--policy", ".", "--judge", "echo"], "there is no config.json"),
    ):
        ran = placet(*arguments)
        assert (ran.status, ran.out) == (1, ""), arguments
        assert told in ran.trouble, ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["decide", "--demo", "--policy", "echo", "--device", "tpu"], "'tpu' is not one of auto"),
        (["judge", "x", "--policy", "echo", "--dtype", "int4"], "'int4' is not one of auto"),
        (["judge", "x", "--file", "y", "--policy", "echo"], "give a text or --file"),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    placet: Placet, arguments: list[str], told: str
) -> None:
    ran = placet(*arguments)

    assert (ran.status, ran.out) == (2, "") and told in ran.err


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["judge", "Pay \udcff now."], "the argument"),
        (["align", "Pay \udcff now."], "the argument"),
        (["align", "Pay now.", "--guidance", "\udcff"], "--guidance"),
    ],
)
def test_no_other_text_is_judged_than_the_one_given(
    placet: Placet, arguments: list[str], where: str
) -> None:
    ran = placet(*arguments, "--policy", "echo")

    assert (ran.status, ran.out) == (1, "")
    assert f"{where}: this is not UTF-8 text" in ran.trouble


@pytest.mark.parametrize("command", ["judge", "align"])
def test_an_empty_argument_is_no_standard_input(placet: Placet, command: str) -> None:
    ran = placet(command, "", "--policy", "echo", stdin=b"from elsewhere")

    assert (ran.status, ran.out) == (1, "") and "the argument: there is no text" in ran.trouble


@pytest.mark.parametrize("option", ["--output", "--session"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    from core.cli import decide

    monkeypatch.setattr(decide, "load_team", None)

    ran = placet("decide", "--demo", "--policy", "echo", option, tmp_path)

    assert (ran.status, ran.out) == (1, "")
    assert f"{tmp_path}: it cannot be written (Is a directory)" in ran.trouble


def test_no_folder_is_made_for_what_is_refused(placet: Placet, tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "told"
    asked = ("judge", "x", "--policy", "echo", "--output", file)

    assert placet(*asked, "--profile", "none").status == 1 and not (tmp_path / "new").exists()
    assert placet(*asked).status == 0 and file.exists()


def test_a_link_stays_one_and_a_pipe_is_written_into(placet: Placet, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    for name in ("link", "pipe"):
        assert placet("judge", "x", "--policy", "echo", "--output", tmp_path / name).status == 0

    assert (tmp_path / "link").is_symlink() and "risk" in (tmp_path / "file").read_text()
    assert b"risk" in os.read(reader, 9_999) and (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_one_text_too_long_for_the_policy_takes_no_other_with_it(
    placet: Placet, tiny_gpt2: Path
) -> None:
    texts = ["Write to them.", "Write to the bakers. " * 900]
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()

    ran = placet("align", "--policy", tiny_gpt2, "--judge", "echo", "--format", "jsonl", stdin=rows)

    assert ran.status == 0, ran.err
    first, second = map(json.loads, ran.out.splitlines())
    assert "tokens; tiny-gpt2 reads at most" in second["kept_because"]
    assert second["text"] == texts[1] and "risk" in first


def test_judging_needs_no_policy(placet: Placet) -> None:
    ran = placet("judge", "x", "--policy", "none", "--judge", "echo")

    assert ran.status == 0 and "risk" in ran.out


def test_keys_that_are_not_known_are_warned_about_and_the_work_is_done(
    placet: Placet, tmp_path: Path
) -> None:
    file = tmp_path / "profile.toml"
    file.write_bytes(profile('name = "p"', 'mood = "calm"', VALUE + "wieght = 0.5"))

    ran = placet("decide", "--demo", "--policy", "echo", "--profile", file)

    assert ran.status in (0, 3)
    assert "the key 'mood' is not known here" in ran.err
    assert "the key 'values[0].wieght' is not known here" in ran.err


def test_a_goal_longer_than_the_models_window_is_refused_and_no_value_is_dropped(
    placet: Placet, tmp_path: Path, tiny_gpt2: Path
) -> None:
    file, session = tmp_path / "scenario.toml", tmp_path / "session.toml"
    file.write_bytes(profile(f'goal = "{"Write to the bakers. " * 900}"'))

    ran = placet("decide", file, "--policy", tiny_gpt2, "--judge", "prompted", "--session", session)

    assert (ran.status, ran.out) == (1, "")
    assert "tokens; tiny-gpt2 reads at most" in ran.trouble
    assert "Shorten goal or context" in ran.trouble
    assert not session.exists()


def test_candidates_that_cannot_be_judged_for_length_are_unjudged_and_never_the_plan(
    placet: Placet, tmp_path: Path, tiny_gpt2: Path
) -> None:
    file = tmp_path / "scenario.toml"
    long = "Write to the bakers. " * 900
    file.write_bytes(profile(GOAL, f'[[candidates]]\ntext = "{long}"'))

    ran = placet("decide", file, "--policy", "echo", "--judge", tiny_gpt2)

    assert ran.status == 3
    assert "UNJUDGED" in ran.out
    assert "There is no plan" in ran.out
    assert "reads at most" in " ".join(ran.out.split()), "nobody is told why there is no verdict"


@pytest.mark.parametrize("option", ["--session", "--output"])
@pytest.mark.parametrize(
    ("number", "told"),
    [(28, "No space left on device"), (13, "Permission denied"), (30, "Read-only file system")],
)
@pytest.mark.parametrize("step", ["mkstemp", "fsync"])
def test_a_full_disk_or_missing_rights_are_told_of_and_nothing_is_half_written(
    placet: Placet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    number: int,
    told: str,
    step: str,
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "file"
    if option == "--output":
        file.write_text("what was there before")

    def refused(*args: object, **kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(*((tempfile, "mkstemp") if step == "mkstemp" else (os, "fsync")), refused)
        ran = placet("decide", "--demo", "--policy", "echo", option, file)

    assert (ran.status, ran.out) == (1, "")
    assert f"{file}: it cannot be written ({told})" in ran.trouble
    assert "Check the space on the disk and the rights" in ran.trouble
    there = {path.name: path.read_text() for path in folder.iterdir()}
    assert there == ({"file": "what was there before"} if option == "--output" else {})


@pytest.mark.parametrize("option", ["--output", "--session"])
def test_a_link_to_itself_is_told_of(placet: Placet, tmp_path: Path, option: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    more = ["--output", tmp_path / "report"] if option == "--session" else []

    ran = placet("decide", "--demo", "--policy", "echo", option, tmp_path / "loop", *more)

    assert (ran.status, ran.out) == (1, "")
    assert "loop: it cannot be reached (Too many levels of symbolic links)" in ran.trouble


@pytest.mark.parametrize("name", ["r" * 255, "ü" * 127])
def test_a_name_as_long_as_a_file_can_have_is_written(
    placet: Placet, tmp_path: Path, name: str
) -> None:
    ran = placet("judge", "x", "--policy", "echo", "--output", tmp_path / name)

    assert ran.status == 0 and "risk" in (tmp_path / name).read_text()


def test_a_session_is_never_written_over(placet: Placet, tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    placet("decide", "--demo", "--policy", "echo", "--session", file)
    before = file.read_bytes()

    ran = placet("decide", "--demo", "--policy", "echo", "--seed", 1, "--session", file)

    assert (ran.status, ran.out) == (1, "")
    assert f"{file}: there is a file already" in ran.trouble and "Name another" in ran.trouble
    assert file.read_bytes() == before


def test_a_session_that_another_wrote_just_before_is_kept(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(self: Hold) -> None:
        file.write_text("another's")
        whole(self)

    file, whole = tmp_path / "session.toml", Hold.take
    monkeypatch.setattr(Hold, "take", take)

    ran = placet("decide", "--demo", "--policy", "echo", "--session", file)

    assert (ran.status, ran.out, file.read_text()) == (1, "", "another's")
    assert f"{file}: there is a file already" in ran.trouble


def test_a_report_is_not_written_over_a_session(placet: Placet, tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    asked = ("decide", "--demo", "--policy", "echo", "--session", file)
    assert placet(*asked, "--output", file).status == 2
    placet(*asked)
    text = file.read_text("utf-8")
    file.write_text(text[text.index("schema") :], encoding="utf-8")  # its comment is no part of it
    before = file.read_bytes()
    for command in (
        ("session", "report", file, "--output", file),
        ("decide", "--demo", "--policy", "echo", "--output", file),
        ("judge", "x", "--judge", "echo", "--output", file),
    ):
        ran = placet(*command)
        assert (ran.status, ran.out) == (1, "")
        assert f"{file}: this is a session" in ran.trouble and "Name another" in ran.trouble
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("decide s.toml", "s.toml p.toml link"),
        ("decide --demo --profile p.toml", "p.toml"),
        ("baseline tutorial s.toml", "s.toml p.toml link"),
        ("judge --file text", "text"),
        ("align x --scenario s.toml", "s.toml p.toml link"),
        ("judge x --profile ./link", "p.toml link"),
    ],
)
def test_no_result_takes_the_place_of_what_was_read(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, names: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_bytes(profile('name = "p"', VALUE))
    (tmp_path / "s.toml").write_bytes(profile(GOAL, 'profile = "./p.toml"'))
    (tmp_path / "text").write_text("Wait.")
    (tmp_path / "link").symlink_to("p.toml")
    before = {path: path.read_bytes() for path in tmp_path.glob("[pstl]*")}

    for name in names.split():
        ran = placet(*command.split(), "--policy", "echo", "--output", name)
        assert (ran.status, ran.out) == (1, "")
        assert f"{name}: this is read here, and it is not written over" in ran.trouble
    assert {path: path.read_bytes() for path in before} == before


def test_what_is_written_keeps_the_files_mode_and_a_linked_pipe_is_one(
    placet: Placet, tmp_path: Path
) -> None:
    (tmp_path / "shared").touch(0o664)
    (tmp_path / "shared").chmod(0o664)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("shared", "link", "new"):
        assert placet("judge", "x", "--judge", "echo", "--output", tmp_path / name).status == 0
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o664
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert b"risk" in os.read(reader, 9_999)
    os.close(reader)


def test_json_is_json_whatever_stands_in_the_text(placet: Placet) -> None:
    text = "Ring\u2028everybody\x9b31m \u200f\U0001fae8 tonight."
    row = json.dumps({"text": text}).encode()
    ran = placet("judge", "--judge", "echo", "--format", "jsonl", stdin=row)
    [line] = ran.out.splitlines()
    assert json.loads(line)["text"] == text and line.isascii()


def test_no_actions_are_no_error(placet: Placet, tiny_gpt2: Path) -> None:
    ran = placet("judge", "--judge", tiny_gpt2, "--format", "jsonl", stdin=b"\n")
    assert (ran.status, ran.out) == (0, "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a goal that goes on " * 20, "there is no scenario named"),
        ("~nobody-here/x.toml", "~nobody-here/x.toml: there is no such user"),
        ("a\0b.toml", "it cannot be reached (embedded null byte)"),
    ],
)
def test_a_name_that_no_file_can_have_is_not_found(placet: Placet, name: str, told: str) -> None:
    ran = placet("decide", name, "--policy", "echo")
    assert (ran.status, ran.out) == (1, "")
    assert told in ran.trouble


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["models", "path", "~nobody-here/y"], "~nobody-here/y: there is no such user"),
        (["models", "path", "a" * 300], "it cannot be reached (File name too long)"),
        (["models", "pull", "a" * 200 + "/" + "b" * 200], "(File name too long)"),
        (["models", "remove", "a" * 300], "(File name too long)"),
        (["decide", "--demo", "--policy", "a" * 300], "(File name too long)"),
        (["models", "path", ""], "there is no model ''"),
        (["models", "verify", ""], "there is no model ''"),
        (["models", "verify", "echo"], "echo is a stand-in without weights"),
    ],
)
def test_a_name_that_no_model_can_have_is_told_of(
    placet: Placet, command: list[str], told: str
) -> None:
    paths.models().mkdir(parents=True)

    ran = placet(*command)

    assert (ran.status, ran.out) == (1, "")
    assert told in ran.trouble and "went wrong" not in ran.trouble


def test_a_folder_that_nobody_may_look_into_is_named(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(self: Path, **more: bool) -> os.stat_result:
        if shut in self.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return whole(self, **more)

    whole, shut = Path.stat, tmp_path / "shut"
    shut.mkdir()
    monkeypatch.setattr(Path, "stat", refusing)

    for option, file in (
        ("--judge", shut),
        ("--judge", shut / "x"),
        ("--session", shut / "s.toml"),
    ):
        ran = placet("decide", "--demo", "--policy", "echo", option, file)
        assert (ran.status, ran.out) == (1, "")
        assert f"{file}" in ran.trouble
        assert "it cannot be reached (Permission denied)" in ran.trouble


def test_a_home_of_nobody_is_told_of(placet: Placet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_HOME", "~nobody-here/y")

    ran = placet("profiles", "list")

    assert (ran.status, ran.out) == (1, "")
    assert ran.trouble.startswith("placet: PLACET_HOME: there is no such user: ~nobody-here/y")


def test_a_place_where_no_file_can_be_is_told_of(placet: Placet, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "session.toml", tmp_path):
        ran = placet("decide", "--demo", "--policy", "echo", "--session", place)
        assert (ran.status, ran.out) == (1, "")
        assert f"{place}: it cannot be written" in ran.trouble
    assert sorted(path.name for path in tmp_path.iterdir() if "placet" not in path.name) == ["file"]


@pytest.mark.parametrize("text", [text for text in SPOKEN if "\0" not in text], ids=repr)
def test_text_from_anywhere_is_printed_literally(placet: Placet, text: str) -> None:
    ran = placet("judge", text[:2000], "--policy", "echo")

    assert ran.status == 0
    for char in ran.out:
        assert char == "\n" or (char.isprintable() or ord(char) > 127), repr(char)
    assert "\u202e" not in ran.out
    assert "\x9b" not in ran.out


def test_the_name_of_a_file_cannot_smuggle_an_escape_sequence_into_an_error(
    placet: Placet, tmp_path: Path
) -> None:
    ran = placet("decide", tmp_path / "a\x1b[31mred\u202e.toml", "--policy", "echo")

    assert ran.status == 1
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
