"""A candidate seen as a move: its rewards, where its scenario carries a payoff table."""

import json
from pathlib import Path
from typing import Any

import pytest

from core import library
from core.domain.scenario import HandedIn, Scenario
from core.errors import BadInput
from core.files import convert
from core.games.lens import lens
from core.library import load_scenario, save_scenario
from core.session.report import FORMATS, report
from core.session.session import Session
from core.session.store import Store
from tests.nasty import SPOKEN
from tests.nouns import CALL, LETTER, PROFILE, handed_in

TABLE = {"opponent_last": "C", "cc": [3, 3], "cd": [0, 4], "dc": [4, 0], "dd": [1, 1]}


def scenario(**changes: Any) -> Scenario:
    table = {
        "goal": "Share the ramp.",
        "payoffs": {**TABLE, "opponent": "the bakers", **changes},
        "candidates": [{"text": LETTER, "move": "C"}, {"text": CALL, "move": "D"}],
    }
    return convert(table, Scenario, "ramp.toml")


def test_the_rewards_are_those_of_the_published_rules() -> None:
    keeps, breaks = lens(scenario(), LETTER), lens(scenario(), CALL)

    assert keeps
    assert breaks
    assert (keeps.deontological, keeps.utilitarian, keeps.best) == (0, (6, 4), 6)
    assert (breaks.deontological, breaks.utilitarian, breaks.best) == (-3, (4, 2), 6)


def test_the_norm_asks_nothing_after_a_defection() -> None:
    seen = lens(scenario(opponent_last="D"), CALL)

    assert seen
    assert seen.deontological == 0
    assert "asks nothing after the bakers defected" in seen.told[0][1]


def test_nothing_is_said_of_a_text_that_was_edited_or_has_no_move() -> None:
    assert lens(scenario(), CALL + " Soon.") is None
    assert lens(Scenario(goal="g"), CALL) is None


def test_no_candidate_is_looked_at_where_there_are_no_payoffs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = handed_in(LETTER, CALL)
    monkeypatch.setattr(HandedIn, "__getattribute__", lambda *_: pytest.fail("looked at"))

    assert lens(asked, CALL) is None


@pytest.mark.parametrize(
    ("table", "field", "problem"),
    [
        ({"payoffs": {**TABLE, "cc": [3, -1]}}, "payoffs.cc[1]", ">= 0"),
        ({"payoffs": {**TABLE, "cc": [3]}}, "payoffs.cc", "length 2"),
        ({"payoffs": {**TABLE, "cc": [float("nan"), 1]}}, "payoffs.cc", ""),
        ({"payoffs": {**TABLE, "opponent_last": "c"}}, "payoffs.opponent_last", "'c'"),
        ({"payoffs": {**TABLE, "opponent": "x" * 61}}, "payoffs", "60 characters"),
        ({"payoffs": {"opponent_last": "C", "cc": [3, 3]}}, "payoffs", "`cd`"),
        (
            {"payoffs": {**TABLE, "cc": [0, 0], "cd": [0, 0], "dc": [0, 0], "dd": [0, 0]}},
            "payoffs",
            "nothing is at stake",
        ),
        ({"payoffs": TABLE, "candidates": [{"text": "t"}]}, "payoffs", 'give each `move = "C"`'),
        ({"candidates": [{"text": "t", "move": "D"}]}, "candidates[0].move", "add [payoffs]"),
        ({"candidates": [{"text": "t", "move": "E"}]}, "candidates[0].move", "'E'"),
    ],
)
def test_a_bad_table_names_file_and_field(table: dict[str, Any], field: str, problem: str) -> None:
    moves = {"candidates": [{"text": "t", "move": "C"}]}

    with pytest.raises(BadInput) as raised:
        convert({"goal": "g", **moves, **table}, Scenario, "ramp.toml")

    told = str(raised.value)
    assert told.startswith("ramp.toml")
    assert field in told
    assert problem in told


def test_unknown_keys_of_the_table_are_warned_about_and_kept(tmp_path: Path) -> None:
    path = save_scenario(scenario(), tmp_path / "ramp.toml")
    path.write_text(path.read_text("utf-8").replace("[payoffs]", '[payoffs]\nmood = "calm"'))
    warned: list[str] = []

    save_scenario(load_scenario(str(path), warned.append), path)

    assert ["payoffs.mood" in line for line in warned] == [True]
    assert 'mood = "calm"' in path.read_text("utf-8")


def test_a_session_keeps_table_and_moves_and_its_chain_holds(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.toml")
    session = Session.start(PROFILE, scenario(), operator="rosa")
    session.set_scenario(scenario(opponent_last="D"))
    store.save(session)

    again = Store(store.path).read()

    assert again.state.scenario == scenario(opponent_last="D")
    assert again.head == session.head
    assert "[scenario.payoffs]" in store.path.read_text("utf-8")


def test_a_newer_placets_key_in_a_sessions_table_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.toml")
    store.save(Session.start(PROFILE, scenario(), operator="rosa"))
    text = store.path.read_text("utf-8")
    store.path.write_text(text.replace("[scenario.payoffs]", '[scenario.payoffs]\nunit = "h"', 1))
    warned: list[str] = []

    store = Store(store.path)
    store.save(store.read(warn=warned.append))

    assert any("scenario.payoffs.unit" in line for line in warned)
    assert 'unit = "h"' in store.path.read_text("utf-8")


@pytest.mark.parametrize("kind", FORMATS)
def test_reports_tell_what_the_table_says(kind: str) -> None:
    session = Session.start(PROFILE, scenario(), operator="rosa")
    told = report(session, kind, lens)

    if kind == "json":
        first, second = json.loads(told)["candidates"]
        assert second["lens"] == {
            "move": "D", "opponent_last": "C", "xi": 3, "deontological": -3,
            "utilitarian": {"C": 4, "D": 2}, "best": 6,
        }  # fmt: skip
        assert first["lens"]["deontological"] == 0
    else:
        assert "Deontological reward -3: defects after the" in told
        assert "Utilitarian reward 4 if they cooperate now" in told


def test_a_report_says_nothing_where_there_is_no_table() -> None:
    session = Session.start(PROFILE, handed_in("Write to them."), operator="rosa")

    for kind in FORMATS:
        assert "lens" not in report(session, kind, lens)
        assert "ontological" not in report(session, kind, lens)


@pytest.mark.parametrize("name", [text for text in SPOKEN if len(text) <= 60])
def test_a_nasty_name_of_the_other_side_does_no_harm(name: str) -> None:
    session = Session.start(PROFILE, scenario(opponent=name), operator="rosa")

    for kind in FORMATS:
        assert "\x1b" not in report(session, kind, lens)


def test_the_example_that_ships_has_a_move_to_keep_to_and_one_that_breaks_faith() -> None:
    found = library.load_scenario("shared-loading-bay")
    seen = [lens(found, one.text) for one in found.candidates]

    assert [one and one.deontological for one in seen] == [0, -3, None]
