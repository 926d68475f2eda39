"""Files of one's own: found by name, changed without losing what is not known here."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from core import library, paths
from core.bench import setting
from core.config import Config, change_config, load_config
from core.domain.scenario import Scenario
from core.domain.values import Profile
from core.errors import BadInput
from core.files import convert, toml_files, write_whole
from core.games.matrix import Game, load_game
from core.library import (
    load_profile,
    load_scenario,
    profile_for,
    profiles,
    save_profile,
    save_scenario,
    scenarios,
)
from tests.nasty import SPOKEN
from tests.nouns import CONSENT, PROFILE, SCENARIO, handed_in


def test_placet_home_moves_everything(home: Path) -> None:
    for place in (paths.models, paths.sessions, paths.profiles, paths.state, paths.config):
        assert home in place().parents


def test_a_saved_profile_is_found_by_its_name() -> None:
    path = save_profile(PROFILE)

    assert load_profile("house") == load_profile(str(path)) == PROFILE
    assert next(iter(profiles().values())) == PROFILE


def test_a_saved_scenario_is_found_by_its_name_with_its_candidates() -> None:
    scenario = msgspec.structs.replace(handed_in("Write to them."), name="mine")
    save_scenario(scenario)

    assert load_scenario("mine") == scenario
    assert next(iter(scenarios().values())) == scenario


def test_saving_a_profile_keeps_the_keys_that_are_not_known_here() -> None:
    path = save_profile(PROFILE)
    text = path.read_text("utf-8")
    text = text.replace("schema = 1", 'schema = 1\nmood = "calm"')
    text = text.replace('id = "consent"', 'owner = "Ben", id = "consent"')
    path.write_text(text, "utf-8")
    warned: list[str] = []

    save_profile(load_profile("house", warned.append).with_weights({CONSENT: 0.1}))

    again = path.read_text("utf-8")
    assert 'mood = "calm"' in again
    assert 'owner = "Ben"' in again
    assert load_profile("house").weights[CONSENT] == 0.1
    assert len(warned) == 2


@pytest.mark.parametrize("text", SPOKEN, ids=range(len(SPOKEN)))
def test_nasty_text_survives_in_a_scenario_file(tmp_path: Path, text: str) -> None:
    scenario = Scenario(goal=text, context=text, name="s")

    assert load_scenario(str(save_scenario(scenario, tmp_path / "s.toml"))) == scenario


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden", "x\ny", "Ünï"])
def test_a_name_cannot_lead_out_of_the_folder_of_profiles(name: str) -> None:
    path = save_profile(msgspec.structs.replace(PROFILE, name=name))

    assert path.parent == paths.profiles()
    assert path.is_file()


def test_the_profile_is_the_one_named_or_the_scenarios_or_the_default() -> None:
    assert profile_for(SCENARIO).name == "finance-outreach"
    own = msgspec.structs.replace(SCENARIO, profile="it-operations")
    assert profile_for(own).name == "it-operations"
    assert profile_for(own, "public-service").name == "public-service"


def test_every_shipped_scenario_names_a_profile_that_is_there() -> None:
    found = list(scenarios().values())

    assert len(found) >= 6
    for scenario in found:
        assert profile_for(scenario).values
    assert "bank-outreach" in [scenario.name for scenario in found]


def test_the_configuration_is_optional_and_a_change_leaves_the_rest_as_it_was() -> None:
    assert load_config() == Config()
    write_whole(paths.config(), 'schema = 1\noperator = "rosa"\nmood = "calm"\n')

    change_config(theme="nord")

    assert load_config() == Config(theme="nord", operator="rosa")
    assert 'mood = "calm"' in paths.config().read_text("utf-8")


def test_a_configuration_that_makes_no_sense_names_the_field() -> None:
    write_whole(paths.config(), "schema = 1\n[defaults]\ncandidates = 0\n")

    with pytest.raises(BadInput, match=r"config.toml: defaults.candidates: expected `int` >= 1"):
        load_config()


def test_where_a_folder_cannot_be_flushed_a_file_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = os.fsync

    def refusing(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        flush(handle)

    monkeypatch.setattr(os, "fsync", refusing)
    write_whole(tmp_path / "file", "there")
    assert (tmp_path / "file").read_text() == "there"


def test_a_number_of_too_many_digits_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f"schema = {'1' * 5000}\n")
    with pytest.raises(BadInput, match="not TOML"):
        load_profile(str(tmp_path / "p.toml"))


def test_what_is_not_known_of_a_candidate_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('schema = 1\ngoal = "g"\n[[candidates]]\ntext = "t"\ntone = "x"\n')
    save_scenario(load_scenario(str(path)), path)
    assert 'tone = "x"' in path.read_text()


def test_what_cannot_be_matched_is_written_over(tmp_path: Path) -> None:
    values, cards = tmp_path / "p.toml", tmp_path / "s.toml"
    values.write_text("schema = 1\n[[values]]\nid = []\n")
    cards.write_text("schema = 1\n[[candidates]]\ntext = {}\n")

    save_profile(PROFILE, values)
    save_scenario(handed_in("Wait."), cards)

    assert load_profile(str(values)) == PROFILE
    assert load_scenario(str(cards)).candidates == handed_in("Wait.").candidates


def test_unknown_keys_are_warned_about_wherever_they_stand() -> None:
    warned: list[str] = []
    table = {
        "goal": "g",
        "schema": 1,
        "mood": 1,
        "candidates": [{"text": "t"}, {"text": "u", "tone": "x"}],
    }

    convert(table, Scenario, "s.toml", warned.append)

    assert [line.split("'")[1] for line in warned] == ["mood", "candidates[1].tone"]


def test_what_is_listed_is_found_by_its_name_and_what_is_not_is_told_of() -> None:
    folder = paths.profiles()
    folder.mkdir(parents=True, exist_ok=True)
    text = (paths.SHIPPED / "finance-outreach.toml").read_text(encoding="utf-8")
    named = text.replace('name = "finance-outreach"', 'name = "workshop-rules"', 1)
    (folder / "mine.toml").write_text(named, encoding="utf-8")
    (folder / "heavy.toml").write_text(text.replace("weight = 1.0", "weight = 1.5", 1), "utf-8")
    warned: list[str] = []

    listed = [profile.name for profile in library.profiles(warned.append).values()]

    assert "workshop-rules" in listed
    assert library.load_profile("workshop-rules").name == "workshop-rules"
    assert len(warned) == 1 and "heavy.toml" in warned[0]


def test_a_copy_that_kept_its_name_goes_before_the_shipped_one() -> None:
    path = paths.profiles() / "ours.toml"
    save_profile(msgspec.structs.replace(PROFILE, name=library.DEFAULT_PROFILE), path)
    scenario = msgspec.structs.replace(SCENARIO, name=library.DEMO)
    save_scenario(scenario, paths.profiles() / "scenarios" / "ours.toml")

    assert load_profile(library.DEFAULT_PROFILE).values == PROFILE.values
    assert profile_for(SCENARIO).values == PROFILE.values
    assert load_scenario(library.DEMO) == scenario
    assert library.called(path, library.DEFAULT_PROFILE) == "finance-outreach (ours.toml)"


def test_what_ships_is_what_ships_whatever_the_operator_wrote() -> None:
    before, bench = library.shipped(), setting(40)
    save_profile(msgspec.structs.replace(PROFILE, name=library.DEFAULT_PROFILE))
    save_profile(msgspec.structs.replace(PROFILE, name="aaa"))
    own = msgspec.structs.replace(before[0][0], goal="Another one.", profile="nowhere")
    for name in (library.DEMO, "mine"):
        save_scenario(msgspec.structs.replace(own, name=name))

    assert library.shipped() == before and setting(40) == bench
    assert len(before) == len(toml_files(paths.SHIPPED / "scenarios"))


def test_a_byte_order_mark_is_no_part_of_a_profile(tmp_path: Path) -> None:
    text = save_profile(PROFILE).read_text("utf-8")
    (tmp_path / "marked.toml").write_text("\ufeff" + text, "utf-8")

    assert load_profile(str(tmp_path / "marked.toml")) == PROFILE


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (load_profile, '[[values]]\nid = "a"\nstatement = "Be nice."\n'),
        (load_scenario, 'goal = "g"\n'),
        (load_game, "cc = [3, 3]\ncd = [2, 5]\ndc = [5, 2]\ndd = [0, 0]\n"),
    ],
    ids=["profile", "scenario", "game"],
)
def test_a_name_from_a_file_that_is_not_utf_8_can_be_kept(
    tmp_path: Path, load: Callable[[str], Profile | Scenario | Game], text: str
) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.toml")
    path.write_text(f"schema = 1\n{text}")

    assert load(str(path)).name == "caf?"
