"""A session on disk is the session: it comes back unchanged, and a change to it is named."""

import getpass
import os
import random
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from core.domain.candidate import Origin, Source
from core.domain.verdict import Recommendation, Risk
from core.errors import BadInput, PlacetError, Tampered
from core.files import dump_toml
from core.session.events import FIRST, unseal
from core.session.session import Session
from core.session.store import Store, is_session, load
from tests.nasty import SPOKEN
from tests.nouns import CALL, CONSENT, LETTER, PROFILE, SCENARIO
from tests.session.operations import OPERATIONS, Operation, after, do, judge_current, started

HEADER = re.compile(rb"^\[\[events\]\]$", re.MULTILINE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small session with one of most things in it."""
    path = tmp_path / "session.toml"
    Store(path).save(small())
    return path


def small() -> Session:
    session = started(LETTER, CALL)
    judge_current(session, "c1", Risk.LOW, Recommendation.APPROVE)
    judge_current(session, "c2", Risk.HIGH, Recommendation.REJECT)
    session.choose("c1", "LOW risk", {"total_s": 1.25})
    session.edit("c2", "Ring the bakeries that have agreed to it. “Ça va?”")
    session.approve("c1")
    session.reject("c2", "Nobody has agreed.")
    session.undo()
    session.set_weights({CONSENT: 0.25})
    session.note("Ask the branch again.")
    return session


def blocks(raw: bytes) -> list[tuple[int, int]]:
    """Where each event begins and ends."""
    starts = [match.start() for match in HEADER.finditer(raw)]
    return list(zip(starts, [*starts[1:], len(raw)], strict=True))


def rewritten(file: Path, order: list[int]) -> Path:
    """The file with its events in that order, its upper part as it was."""
    raw = file.read_bytes()
    parts = [raw[start:end].rstrip(b"\n") + b"\n\n" for start, end in blocks(raw)]
    top = raw[: blocks(raw)[0][0]]
    file.write_bytes(top + b"".join(parts[index] for index in order))
    return file


def told(file: Path) -> str:
    """What is said when the file is read; empty if it is read without a word."""
    try:
        load(file)
    except PlacetError as error:
        return str(error)
    return ""


# What is a session


def test_a_session_without_its_comment_is_one_and_so_is_one_that_was_cut(file: Path) -> None:
    whole = file.read_bytes()
    assert is_session(file)

    file.write_bytes(whole[whole.index(b"schema") :])
    assert told(file) == "" and is_session(file)

    file.write_bytes(whole[: whole.index(b"schema")])
    assert is_session(file)


@pytest.mark.parametrize(
    "goal",
    [
        '"Explain [[events]] in TOML."',
        '"""\n[[events]]\nevents_so_far = 1\n"""',
        '"""\nevents_so_far = 1"""',
        '"x"\n[payoffs]\nevents_so_far = 1',
    ],
)
def test_a_scenario_that_speaks_of_events_is_no_session(tmp_path: Path, goal: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(f"schema = 1\ngoal = {goal}\n", encoding="utf-8")

    assert not is_session(path)


def test_of_a_huge_binary_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    with path.open("wb") as binary:
        binary.write(b"\xff\x00" * 100)
        binary.seek(1 << 36)  # more than a machine has room to read it into
        binary.write(b"\nevents_so_far = 1\n")

    assert not is_session(path)


# Whole and unchanged


@given(OPERATIONS)
def test_any_session_survives_a_round_trip_through_toml_unchanged(
    tmp_path: Path, operations: list[Operation]
) -> None:
    session = after(operations)
    path = tmp_path / "session.toml"
    Store(path).save(session)

    back = load(path, operator="rosa")

    assert [record.table for record in back.records] == [record.table for record in session.records]
    assert back.records == session.records
    assert back.state == session.state
    again = tmp_path / "again.toml"
    Store(again).save(back)
    assert again.read_bytes() == path.read_bytes()


@given(OPERATIONS, OPERATIONS)
@settings(max_examples=25)
def test_saving_step_by_step_gives_the_same_file_as_saving_once(
    tmp_path: Path, first: list[Operation], then: list[Operation]
) -> None:
    session = after(first)
    steps = Store(tmp_path / "steps.toml")
    steps.save(session)
    for operation in then:
        do(session, operation)
        steps.save(session)

    assert steps.path.read_text("utf-8") == Store(tmp_path / "once.toml").render(session)


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_nasty_text_comes_back_from_disk_letter_by_letter(tmp_path: Path, text: str) -> None:
    session = started(text)
    session.reject("c1", text)
    session.note(text)
    path = tmp_path / "session.toml"
    Store(path).save(session)

    back = load(path)

    assert back.candidates["c1"].text == text
    assert back.candidates["c1"].reason == text.strip()
    assert back.state.notes == [text]


def test_a_login_name_that_is_not_utf_8_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", os.fsdecode(b"jos\xe9"))
    path = tmp_path / "session.toml"

    Store(path).save(Session.start(PROFILE, SCENARIO))

    assert load(path).records[0].by == "jos?"


def test_a_machine_without_accounts_has_an_operator_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> str:
        raise ImportError("no module named pwd")

    monkeypatch.setattr(getpass, "getuser", nobody)

    assert Session.start(PROFILE, SCENARIO).operator == "unknown"


def test_a_session_goes_on_from_the_file_where_it_was_left(file: Path) -> None:
    session = load(file, operator="ben")
    session.note("Taken up again.")
    Store(file).save(session)

    assert told(file) == ""
    assert [record.by for record in load(file).records[-2:]] == ["rosa", "ben"]


def test_a_person_can_read_the_file_from_the_top(file: Path) -> None:
    lines = file.read_text("utf-8").splitlines()

    assert lines[0].startswith("# A session of Placet")
    before_events = lines[: lines.index("[[events]]")]
    assert "schema = 1" in before_events
    assert f'text = "{LETTER}"' in before_events
    assert 'standing = "approved"' in before_events
    assert 'risk = "LOW"' in before_events


# Tampered with


def content(raw: bytes) -> object:
    return tomllib.loads(raw.decode("utf-8"))["events"]


def positions() -> Iterator[tuple[int, int]]:
    """A seeded sample of offsets into the events, each with another byte to put there."""
    draw = random.Random(11)
    values = [ord(char) for char in " \n\t\"'#=.[]0e1a\\"] + [0, 13, 128, 255]
    for _ in range(900):
        yield draw.randrange(10**6), draw.choice([*values, draw.randrange(256)])


def test_any_single_byte_change_to_an_events_content_is_named_by_verify(file: Path) -> None:
    raw = file.read_bytes()
    where = blocks(raw)
    same = content(raw)
    first, changed = where[0][0], 0
    for offset, value in positions():
        place = first + offset % (len(raw) - first)
        spoilt = bytearray(raw)
        spoilt[place] = value
        number = next(index for index, (_, end) in enumerate(where, start=1) if place < end)
        in_header = place < where[number - 1][0] + len("[[events]]")
        file.write_bytes(bytes(spoilt))
        said = told(file)
        if said:
            changed += 1
            named = re.search(r"event (\d+) \(([^)]*)\)", said)
            assert named, (place, value, said)
            assert int(named[1]) in (number, number - in_header), (place, value, said)
            assert said.startswith(str(file))
        else:
            assert content(bytes(spoilt)) == same, (place, value)
    assert changed > 700


def test_every_byte_of_an_event_counts(file: Path) -> None:
    raw = file.read_bytes()
    start, end = blocks(raw)[-1]
    for place in range(start, end):
        if raw[place : place + 1].isalnum():
            spoilt = bytearray(raw)
            spoilt[place] = ord("7") if raw[place] != ord("7") else ord("8")
            file.write_bytes(bytes(spoilt))
            assert f"event {len(blocks(raw))} (" in told(file), place


def test_a_changed_event_is_named_with_its_number_and_kind(file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace('reason = "Nobody', 'reason = "Somebody'))

    assert "event 9 (rejected) was changed" in told(file)


def test_a_dropped_event_is_named(file: Path) -> None:
    count = len(load(file).records)

    for gone in range(count - 1):
        raw = file.read_bytes()
        rewritten(file, [index for index in range(count) if index != gone])
        assert f"event {gone + 1} (" in told(file)
        assert "does not follow from the one before" in told(file)
        file.write_bytes(raw)


def test_a_truncated_log_is_named_by_the_first_event_that_is_missing(file: Path) -> None:
    count = len(load(file).records)

    for length in range(1, count):
        raw = file.read_bytes()
        rewritten(file, list(range(length)))
        assert f"event {length + 1} (unknown) is missing" in told(file)
        file.write_bytes(raw)


def test_an_inserted_event_is_named(file: Path) -> None:
    count = len(load(file).records)

    rewritten(file, [0, 1, 1, *range(2, count)])

    assert "event 3 (proposed) does not follow" in told(file)


def test_two_events_in_each_others_place_are_named(file: Path) -> None:
    count = len(load(file).records)
    order = list(range(count))
    order[4], order[5] = order[5], order[4]

    rewritten(file, order)

    assert "event 5 (chosen) does not follow" in told(file)


def test_an_event_of_another_session_does_not_fit_in(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other.toml"
    Store(other).save(started(LETTER))
    foreign = other.read_bytes()
    start, _ = blocks(foreign)[1]

    file.write_bytes(file.read_bytes() + b"\n" + foreign[start:])

    assert "event 13 (proposed) does not follow" in told(file)


def test_a_file_cut_off_anywhere_is_refused(file: Path) -> None:
    raw = file.read_bytes()

    for length in range(0, len(raw.rstrip()) - 1, 97):
        file.write_bytes(raw[:length])
        assert told(file) != "", length


@pytest.mark.parametrize(
    ("was", "now", "part"),
    [
        ('standing = "approved"', 'standing = "rejected"', "candidates"),
        ('risk = "UNJUDGED"', 'risk = "LOW"', "candidates"),
        ("Have more bakeries", "Have fewer bakeries", "scenario"),
        ('why = "LOW risk"', 'why = "no risk"', "plan"),
        ("weight = 0.25", "weight = 0.75", "profile"),
        ("seed = 7", "seed = 8", "settings"),
        ('name = "fake"', 'name = "real"', "models"),
        ("Ask the branch again.", "Ask nobody.", "notes"),
    ],
)
def test_an_upper_part_that_was_tampered_with_is_noticed(
    file: Path, was: str, now: str, part: str
) -> None:
    text = file.read_text("utf-8")
    top, mark, events = text.partition("[[events]]")
    assert was in top
    file.write_text(top.replace(was, now, 1) + mark + events, "utf-8")

    assert f"what the upper part says of `{part}` does not follow" in told(file)


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ('[plan]\ncandidate = "c1"\nwhy = "approved by the board"\ntext = "x"', "plan"),
        ('[[candidates]]\nid = "c1"\nstanding = "approved"', "candidates"),
    ],
)
def test_a_plan_or_candidate_that_no_event_brought_is_noticed_in_the_upper_part(
    tmp_path: Path, lines: str, part: str
) -> None:
    file = tmp_path / "session.toml"
    Store(file).save(started())
    top, mark, events = file.read_text("utf-8").partition("[[events]]")
    file.write_text(f"{top}\n{lines}\n{mark}{events}", "utf-8")

    assert f"what the upper part says of `{part}` does not follow" in told(file)


FORGED = '[[candidates]]\nid = "c9"\nstanding = "approved"\nrisk = "LOW"\ntext = "Hide the fees."\n'


@pytest.mark.parametrize("place", range(1, 6))
@pytest.mark.parametrize("lines", [FORGED, '[plan]\ncandidate = "c1"\n', "[other]\nkey = 1\n"])
def test_a_table_slipped_in_below_an_event_is_noticed(file: Path, place: int, lines: str) -> None:
    top, *events = file.read_text("utf-8").split("[[events]]")
    events[place - 1] += f"\n{lines}\n"
    file.write_text("[[events]]".join((top, *events)), "utf-8")

    assert f"event {place + 1} (unknown) does not fit" in told(file)


def test_a_candidate_slipped_in_beside_the_others_is_noticed(file: Path) -> None:
    top, mark, events = file.read_text("utf-8").partition("[[events]]")
    file.write_text(f"{top}\n{FORGED}\n{mark}{events}", "utf-8")

    assert "what the upper part says of `candidates` does not follow" in told(file)


@pytest.mark.parametrize(
    "lines",
    [
        '[["events"]]\nkind = "approved"\nby = "boss"\n',
        "[['events']]\nkind = 'approved'\n",
        'events = [{kind = "approved", by = "boss"}]\n',
    ],
)
def test_an_event_slipped_in_above_the_first_is_noticed(file: Path, lines: str) -> None:
    text = file.read_text("utf-8")
    place = text.index("schema = 1") if lines.startswith("events") else text.index("[[events]]")
    file.write_text(f"{text[:place]}{lines}{text[place:]}", "utf-8")

    assert "event 1 (unknown) does not fit" in told(file)


def test_a_note_that_no_event_brought_is_noticed_in_the_upper_part(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    Store(file).save(started(LETTER))
    text = file.read_text("utf-8").replace("schema = 1", 'schema = 1\nnotes = ["All fine."]', 1)
    file.write_text(text, "utf-8")

    assert "what the upper part says of `notes` does not follow" in told(file)


def test_a_head_that_was_changed_is_noticed(file: Path) -> None:
    text = file.read_text("utf-8")
    head = load(file).head
    file.write_text(text.replace(head, "0" * 64, 1), "utf-8")

    assert told(file) != ""


# Versions and keys that are not known here


def test_an_unknown_major_version_is_refused(file: Path) -> None:
    file.write_text(file.read_text("utf-8").replace("schema = 1", "schema = 2", 1), "utf-8")

    assert told(file) == (
        f"{file}: schema: version 2 is not known here; this Placet reads version 1\n"
        "  Use a newer Placet."
    )


def test_unknown_keys_in_an_event_are_part_of_the_chain_and_survive(tmp_path: Path) -> None:
    from core.session.events import _digest

    session = started(LETTER)
    session.note("A remark.")
    table = dict(session.records[-1].table) | {"mood": "calm", "more": {"nested": [1, 2]}}
    table["digest"] = _digest(table)
    session.records[-1] = unseal(table, 3, session.records[1].digest)
    path = tmp_path / "session.toml"
    Store(path).save(session)

    back = load(path)
    back.note("Another.")
    Store(path).save(back)

    assert load(path).records[2].table["mood"] == "calm"
    assert load(path).records[2].table["more"] == {"nested": [1, 2]}
    path.write_text(path.read_text("utf-8").replace('"calm"', '"angry"'), "utf-8")
    assert "event 3 (noted) was changed" in told(path)


def newer(file: Path) -> None:
    """Puts keys of a newer Placet into the tables of the upper part."""
    text = file.read_text("utf-8")
    for was, more in (
        ("schema = 1\n", 'mood = "calm"\n'),
        ("[profile]\n", "audited = 2026-11-25\n"),
        (f'id = "{CONSENT}",', ' colour = "green",'),
        ("[scenario]\n", "deadline = 3.5\n"),
        ('id = "c2"\n', 'votes = ["rosa", "ben"]\n'),
    ):
        assert was in text
        text = text.replace(was, was + more, 1)
    file.write_text(text, "utf-8")


def test_unknown_keys_in_the_upper_part_are_warned_about_and_kept_at_the_next_save(
    file: Path,
) -> None:
    newer(file)
    warned: list[str] = []
    store = Store(file)

    session = store.read(warn=warned.append)
    session.note("Taken up again.")
    session.set_weights({CONSENT: 0.5})
    store.save(session)

    top = tomllib.loads(file.read_text("utf-8"))
    assert top["mood"] == "calm"
    assert str(top["profile"]["audited"]) == "2026-11-25"
    assert top["profile"]["values"][0]["colour"] == "green"
    assert top["scenario"]["deadline"] == 3.5
    assert top["candidates"][1]["votes"] == ["rosa", "ben"]
    assert len(warned) == 5
    assert any("'candidates.c2.votes' is not known here" in line for line in warned)
    assert load(file).state == session.state


def test_unknown_keys_go_where_their_table_has_gone(file: Path) -> None:
    newer(file)
    store = Store(file)
    session = store.read()
    session.set_profile(
        structs.replace(session.state.profile, values=session.state.profile.values[1:])
    )
    store.save(session)

    top = tomllib.loads(file.read_text("utf-8"))
    assert top["mood"] == "calm"
    assert all("colour" not in value for value in top["profile"]["values"])
    assert load(file).state == session.state


def test_a_key_of_ours_beside_unknown_ones_is_checked_all_the_same(file: Path) -> None:
    newer(file)
    text = file.read_text("utf-8")
    top, mark, events = text.partition("[[events]]")
    file.write_text(top.replace('standing = "approved"', 'standing = "pending"') + mark + events)

    assert "what the upper part says of `candidates` does not follow" in told(file)


def test_an_event_that_is_there_already_is_never_written_anew(file: Path) -> None:
    raw = file.read_text("utf-8").replace("\nseq = 2\n", "\n# as somebody left it\nseq  =  2\n")
    file.write_text(raw, "utf-8")
    store = Store(file)
    session = store.read()
    session.note("One more.")
    store.save(session)

    assert "# as somebody left it\nseq  =  2\n" in file.read_text("utf-8")
    assert load(file).state == session.state


def test_an_event_of_an_unknown_kind_is_refused_and_named() -> None:
    from core.session.events import _digest

    table: dict[str, object] = {
        "seq": 1, "kind": "sung", "at": "now", "by": "rosa", "previous": FIRST,
    }  # fmt: skip
    table["digest"] = _digest(table)

    with pytest.raises(Tampered, match=r"event 1 \(sung\) cannot be read"):
        unseal(table, 1, FIRST)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no session, or not a whole one\n  Where it was one, a copy of it is needed"),
        (b"schema = 1\n", "there are no events"),
        (b"schema = 1\nevents = []\n", "there are no events"),
        (b"hello", "there are no events"),
        (b"schema = 2\n", "schema: version 2 is not known here"),
        (b"\x00\xff\xfe" * 50, "not UTF-8"),
        (b"schema = 1\n[[events]]\n", "event 1"),
        (b'schema = 1\n[[events]]\nkind = "started"\n', r"event 1 (started)"),
        (b"schema = 1\n[[events]]\nseq = " + b"[" * 5000, "event 1"),
    ],
)
def test_what_is_no_session_is_refused_in_a_line(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "session.toml"
    path.write_bytes(raw)

    with pytest.raises(PlacetError) as caught:
        load(path)

    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_session_that_was_cut_before_its_events_is_no_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "session.toml"
    text = Store(path).render(started(LETTER))
    for end in (100, text.index("goal = ") + 9, text.index("[[events]]")):
        path.write_text(text[:end], "utf-8")
        with pytest.raises(BadInput, match="not a whole one") as caught:
            load(path)
        assert "schema" not in str(caught.value)


def test_a_session_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="a folder, not a file"):
        load(tmp_path)


# Written whole or not at all


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_no_litter(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = file.read_bytes()
    session = load(file)
    session.note("This does not fit any more.")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(PlacetError, match="No space left on device"):
        Store(file).save(session)

    assert file.read_bytes() == before
    assert list(file.parent.glob("*session*")) == [file]
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def test_ctrl_c_in_the_middle_of_a_save_leaves_the_old_file_and_no_litter(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    session = load(file)
    session.note("Interrupted.")

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Store(file).save(session)

    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def test_a_save_that_failed_can_be_made_good(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, store = load(file), Store(file)
    session.note("This fits the second time.")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(PlacetError):
        patch.setattr(os, "replace", full)
        store.save(session)
    session.note("And so does this.")
    store.save(session)

    assert load(file).state == session.state


@given(st.text(max_size=60))
def test_a_comment_marker_or_header_in_a_text_does_not_split_an_event(text: str) -> None:
    session = started("\n[[events]]\n" + text + "\n# [[events]]")

    rendered = Store(Path("unused.toml")).render(session)

    assert len(HEADER.findall(rendered.encode("utf-8"))) == len(session.records)
    assert dump_toml({"text": text}).count("\n") == 1


def test_a_save_rests_while_it_writes_many_candidates_anew(tmp_path: Path) -> None:
    session = started()
    for number in range(200):
        session.propose(f"Write to owner {number}.", Origin(Source.POLICY, "a model"))
    store = Store(tmp_path / "session.toml")
    rests: list[Store] = []
    store.rest = lambda: rests.append(store)
    text = store.render(session)
    assert text == Store(store.path).render(session)
    assert len(rests) == 3
    session.note("nothing about a candidate")
    store.render(session)
    assert len(rests) == 3  # nothing about them is written anew
