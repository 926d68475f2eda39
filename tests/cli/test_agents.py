"""`placet train agent` and its kin: what is missing is named, with the mend."""

from pathlib import Path
from typing import Any

import pytest

from core.models import agents, catalog
from core.models.adapters import digest
from tests.cli.conftest import Placet

pytest.importorskip("peft")
pytest.importorskip("rouge_score")

from core.models.judge_model import HEADS
from core.training import calibrate, heads


@pytest.fixture(autouse=True)
def none_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(agents, "shipped", lambda: tmp_path / "none")


def test_a_value_that_the_profile_lacks_is_refused(placet: Placet, tmp_path: Path) -> None:
    ran = placet("train", "agent", "--value", "honour", "--data", tmp_path)

    assert ran.status == 1
    assert "no value 'honour'" in ran.trouble and "care, fairness, loyalty" in ran.trouble


@pytest.mark.parametrize("command", [("agent", "--value", "care"), ("aggregator",)])
def test_data_that_is_not_there_is_named(
    placet: Placet, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = placet("train", *command, "--data", tmp_path)

    assert ran.status == 1
    assert "moral_stories.dev.jsonl" in ran.trouble and "--data" in ran.trouble


@pytest.mark.parametrize(
    "command", [("judge", "--data", "."), ("policy",), ("second", "--data", ".")]
)
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(catalog, "locate", lambda name: tmp_path)
    (tmp_path / "file").touch()

    ran = placet("train", *command, "--out", tmp_path / "file" / "out")

    assert ran.status == 1
    assert f"{tmp_path}/file/out: it cannot be written" in ran.trouble


def test_a_judge_trained_further_names_the_weights_that_it_began_from(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may lie where the new ones are written."""
    told: list[str] = []

    def finish(*args: Any) -> list[Any]:
        told.append(args[-1])
        return []

    for name in (catalog.ADAPTER_CONFIG, catalog.ADAPTER_WEIGHTS, HEADS):
        (tmp_path / name).write_text(name)
    begun = digest(tmp_path, HEADS)
    monkeypatch.setattr(catalog, "locate", lambda name: tmp_path)
    monkeypatch.setattr(heads, "train", lambda *_: (tmp_path / HEADS).write_text("new"))
    monkeypatch.setattr(calibrate, "finish", finish)

    ran = placet("train", "judge", "--data", tmp_path, "--begin", tmp_path, "--out", tmp_path)

    assert ran.status == 0 and told == [begun]


def test_settings_that_do_not_exist_are_refused(placet: Placet, tmp_path: Path) -> None:
    settings = tmp_path / "agent.toml"
    settings.write_text("speed = 9\n", "utf-8")

    ran = placet("train", "agent", "--value", "care", "--data", tmp_path, "--config", settings)

    assert ran.status == 1 and "speed" in ran.trouble


def test_without_agents_there_is_nothing_to_measure(placet: Placet) -> None:
    ran = placet("evaluate", "agents", "--limit", 2)

    assert ran.status == 1
    assert "placet train agent --value care --profile moral-foundations" in ran.trouble


def test_without_an_aggregator_there_is_nothing_to_measure(placet: Placet) -> None:
    ran = placet("evaluate", "aggregator", "--limit", 2)

    assert ran.status == 1 and "placet train aggregator" in ran.trouble
