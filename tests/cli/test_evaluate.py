"""`placet evaluate`: what is measured, with a model that needs no weights and with the real one."""

import json
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from core import library
from core.cli.output import give_json, needs
from core.domain.scenario import Scenario
from core.errors import PlacetError
from core.models import load
from core.models.catalog import ADAPTER_CONFIG
from core.models.judge_model import Reading
from core.models.readout import Asked, Calibration
from core.team import load_team
from core.watch import Watch
from tests.cli.conftest import Placet
from tests.cli.conftest import placet as placet

ROOT = Path(__file__).resolve().parents[2]

ROWS = [
    {"value": "Never by telephone.", "action": "Write them a letter.", "label": "keeps"},
    {"value": "Never by telephone.", "action": "Ring them tonight.", "label": "breaks"},
    {"value": "Two people sign.", "action": "Ring them tonight.", "label": "unrelated"},
]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    told = [{"context": "A shop.", "group": str(n), **row} for n, row in enumerate(ROWS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    return file


def test_the_policy_is_measured_beside_texts_by_hand(placet: Placet) -> None:
    ran = placet("evaluate", "policy", "--policy", "echo", "--limit", 3, "--json")
    assert ran.status == 0, ran.err
    hand, own = json.loads(ran.out)
    assert hand["model"] == "written by hand"
    assert own["asked"] == 3 * 4
    assert len(own["texts"]) == len(hand["texts"]) == 3
    assert own["usable"] == pytest.approx(sum(map(len, own["texts"])) / 12) != 0
    assert own["low"] is not None and hand["low"] is None  # there are values where nobody wrote
    assert "echo" in ran.err


def test_no_scenario_that_the_adapter_was_trained_on_counts_as_unseen(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft")
    stand_in = load_team("echo")
    monkeypatch.setattr("core.cli.train.load_team", lambda *_, **__: stand_in)
    (tmp_path / ADAPTER_CONFIG).touch()

    def asked() -> int:
        ran = placet("evaluate", "policy", "--policy", tmp_path, "--count", 1, "--json")
        assert ran.status == 0, ran.err
        return int(json.loads(ran.out)[1]["asked"])

    found = [asked()]
    for name, config in (
        ("policy.toml", "[config]\nheld_out = 0.1"),
        ("refined.toml", "[config]\nheld_out = 0.05"),
        ("preferred.toml", "[config]\nlooked_at = 0.2\n[config.sft]\nheld_out = 0.02"),
    ):
        (tmp_path / name).write_text(config, "utf-8")
        found.append(asked())

    assert found == sorted(set(found), reverse=True)
    (tmp_path / "refined.toml").write_text("[config]\n", "utf-8")
    ran = placet("evaluate", "policy", "--policy", tmp_path)
    assert ran.status == 1 and "refined.toml: config: the card does not say" in ran.trouble


def test_of_scenarios_with_values_those_that_ship_are_judged_alone(
    placet: Placet, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Scenario] = []

    def noting(_: object, scenario: Scenario, *__: object, **___: object) -> list[None]:
        judged.append(scenario)
        return []

    monkeypatch.setattr("core.training.measure_policy.judge", noting)
    mine = home / "profiles" / "scenarios"
    mine.mkdir(parents=True)
    (mine / "a.toml").write_text('schema = 1\ngoal = "Mine."\nprofile = "nowhere"\n', "utf-8")

    shipped = [scenario for scenario, _ in library.shipped()]

    for more, all_of_them in ((), shipped), (("--limit", 2), shipped[:2]):
        judged.clear()
        ran = placet("evaluate", "policy", "--policy", "echo", "--count", 1, "--json", *more)
        assert ran.status == 0, ran.err
        hand, own = json.loads(ran.out)
        assert own["asked"] == len(own["texts"]) == len(hand["texts"])
        assert judged == all_of_them


def test_the_aligner_is_measured_in_a_table(placet: Placet) -> None:
    ran = placet("evaluate", "align", "--policy", "echo", "--limit", 2)
    assert ran.status == 0, ran.err
    assert ran.out.split()[:4] == ["written", "by", "hand", "echo"]
    assert ran.out.splitlines()[1].split() == ["asked", "2", "2"]
    assert "mended" in ran.out


@pytest.mark.model
def test_the_judge_is_measured_beside_its_rivals_and_drawn(
    placet: Placet, rows: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "judge.svg"
    ran = placet("evaluate", "judge", rows, "--json", "--compare", "--picture", picture)
    assert ran.status == 0, ran.err
    sets = {row["set"] for row in json.loads(ran.out)}
    assert {"rows.jsonl", "rows.jsonl · word list", "rows.jsonl · n-grams"} <= sets
    assert len(sets) == 5
    assert picture.read_text("utf-8").lstrip().startswith("<?xml")


class Counting:
    """A judge that has no opinion and notes what it read."""

    card = {"thresholds": {"respect": 0.5, "violation": 0.5}}
    calibration = Calibration()
    room = 1000

    def __init__(self) -> None:
        self.read_so_far: list[Asked] = []

    def tokenize(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def read(self, asked: Sequence[Asked], watch: Watch) -> list[Reading]:
        self.read_so_far += asked
        return [
            Reading(torch.zeros(len(one.questions[0]), 3), torch.zeros(len(one.actions)))
            for one in asked
        ]


def test_a_row_is_judged_once_with_a_picture_too(
    placet: Placet, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    model = Counting()
    monkeypatch.setattr(load, "load_judge", lambda: (SimpleNamespace(model=model), None))
    picture = tmp_path / "judge.svg"

    ran = placet("evaluate", "judge", rows, "--json", "--picture", picture)

    assert ran.status == 0, ran.err
    assert {row["set"] for row in json.loads(ran.out)} == {"rows.jsonl"}
    assert len(model.read_so_far) == len(ROWS)
    assert picture.stat().st_size > 1000


def test_a_picture_that_fails_takes_no_measurement_with_it(
    placet: Placet, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")

    def full(*_: object) -> None:
        raise PlacetError("no space is left")

    model = SimpleNamespace(model=Counting())
    monkeypatch.setattr(load, "load_judge", lambda: (model, None))
    monkeypatch.setattr("core.training.pictures.judge_picture", full)

    ran = placet("evaluate", "judge", rows, "--picture", tmp_path / "judge.svg")

    assert ran.status == 1 and "no space is left" in ran.trouble
    assert "AUROC keeps/breaks" in ran.out


def test_the_table_has_ten_values_and_json_all(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SimpleNamespace(model=Counting())
    monkeypatch.setattr(load, "load_judge", lambda: (model, None))
    file = tmp_path / "rows.jsonl"
    told = [
        {"value": f"Value {v}.", "action": f"Do {n}.", "label": n % 2}
        for v in range(12)
        for n in range(10)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")

    table = placet("evaluate", "judge", file).out
    found = json.loads(placet("evaluate", "judge", file, "--json").out)

    assert table.count("rows.jsonl: Value") == 10
    assert sum(row["set"].startswith("rows.jsonl: Value") for row in found) == 12


def test_a_context_that_does_not_fit_is_named_with_its_file_and_row(
    placet: Placet, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Counting()
    model.room = 2
    monkeypatch.setattr(load, "load_judge", lambda: (SimpleNamespace(model=model), None))

    ran = placet("evaluate", "judge", rows)

    assert ran.status == 1 and "rows.jsonl: 0: context: " in ran.trouble


@pytest.mark.model
def test_without_files_the_held_out_third_is_judged(placet: Placet) -> None:
    ran = placet("evaluate", "judge", "--limit", 3, "--json")
    assert ran.status == 0, ran.err
    told = {(row["set"], row["figure"]): row for row in json.loads(ran.out)}
    harmful, harmless = (
        told["held out", f"{a} that come out LOW"]["n"] for a in ("harmful", "harmless")
    )
    assert harmful + harmless == told["held out", "calibration error of P(harm)"]["n"] >= 12


@pytest.mark.parametrize("what", ["judge", "agents", "aggregator"])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(
    placet: Placet, tmp_path: Path, what: str
) -> None:
    (tmp_path / "file").touch()
    for picture in (tmp_path / "found.pudding", tmp_path / "file" / "found.svg"):
        ran = placet("evaluate", what, "--picture", picture)
        assert ran.status == 1
        assert str(picture.parent) in ran.trouble
        assert "loading" not in ran.err


def test_labelled_rows_are_read_before_the_judge_is_loaded(placet: Placet, tmp_path: Path) -> None:
    (tmp_path / "bin.dat").write_bytes(b"\x7fELF\xff")
    for name, told in (("none.jsonl", "there is no such file"), ("bin.dat", "byte 5 is not UTF-8")):
        ran = placet("evaluate", "judge", tmp_path / name)
        assert (ran.status, ran.out) == (1, "")
        assert f"{name}: {told}" in ran.trouble
        assert "loading" not in ran.err


def test_what_is_missing_of_the_extra_is_named_with_all_its_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [one.partition(">")[0] for one in project["optional-dependencies"]["train"]]

    with pytest.raises(PlacetError) as missing:
        needs("there_is_no_such_package")

    assert f"`pip install {' '.join(names)}`" in missing.value.mend


def test_a_number_that_is_none_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    give_json({"a": math.nan, "b": [math.inf, 0.5]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, 0.5],
    }
