"""A training's settings in a file: what is named counts, and what makes no sense is named."""

from pathlib import Path

import pytest

from core.errors import BadInput
from core.files import dump_toml
from core.training.heads_config import HeadsConfig
from core.training.settings import load_settings, same_settings

pytest.importorskip("peft")

from core.training.agents import AgentConfig
from core.training.aggregator import AggregatorConfig
from core.training.ppo import PpoConfig
from core.training.refine import RefineConfig
from core.training.sft import SftConfig


def test_what_is_not_named_keeps_its_default_in_tables_too(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("max_tokens = 9\n[ppo]\nsteps = 7\nrate = 1\n", "utf-8")

    found = load_settings(AgentConfig, path)

    assert (found.max_tokens, found.ppo.steps, found.ppo.rate) == (9, 7, 1.0)
    assert found.ppo.rank == AgentConfig().ppo.rank != PpoConfig().rank


@pytest.mark.parametrize(
    ("kind", "text", "field", "told"),
    [
        (SftConfig, "speed = 3", "speed", "no such setting"),
        (AgentConfig, "[ppo]\nspeed = 3", "ppo.speed", "no such setting"),
        (AggregatorConfig, "sft = 3", "sft", "expected `object`, got `int`"),
        (AggregatorConfig, '[sft]\nepochs = "many"', "sft.epochs", "expected `int`, got `str`"),
        (PpoConfig, "rank = 1.5", "rank", "expected `int`, got `float`"),
        (PpoConfig, "exact_kl = 1", "exact_kl", "expected `bool`, got `int`"),
        (PpoConfig, 'baseline = "none"', "baseline", "invalid enum value 'none'"),
        (AgentConfig, '[ppo]\nbaseline = "none"', "ppo.baseline", "invalid enum value 'none'"),
        (HeadsConfig, "[[stages]]\npeak_rate = 1", "stages[0]", "missing required field `name`"),
        (
            HeadsConfig,
            '[[stages]]\nname = "a"\npeak_rate = 1\nend_rate = 0\nstories = 1\nspeed = 1',
            "stages[0].speed",
            "no such setting",
        ),
        (SftConfig, "epochs = 0", "epochs", ">= 1"),
        (SftConfig, "held_out = 0", "held_out", "> 0"),
        (RefineConfig, "held_out = 1", "held_out", "< 1"),
        (RefineConfig, "full_fit = 0", "full_fit", "> 0"),
        (RefineConfig, "full_keep = 0", "full_keep", "> 0"),
        (PpoConfig, "kl_target = 0", "kl_target", "> 0"),
        (PpoConfig, "kl_horizon = 0", "kl_horizon", "> 0"),
        (PpoConfig, "scale_floor = 0", "scale_floor", "> 0"),
        (SftConfig, "more_values = 1.5", "more_values", "<= 1"),
        (AgentConfig, "[ppo]\nrate = -1", "ppo.rate", ">= 0"),
        (HeadsConfig, "threads = 0", "threads", ">= 1"),
        (SftConfig, "rank =", "", "this is not TOML"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_file_and_field(
    tmp_path: Path, kind: type, text: str, field: str, told: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(BadInput, match=told) as caught:
        load_settings(kind, path)

    assert caught.value.where == f"{path}: {field}".rstrip(": ")


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"about": {"data": {"a.jsonl": 3}}}, "about.data.a.jsonl", "with 2, not 3"),
        ({"about": {}}, "about.data", "with {'a.jsonl': 2}, not None"),
        ({"stages": [{"rate": 1.0}, {"rate": 3.0}]}, "stages[1].rate", "with 2.0, not 3.0"),
        ({"stages": [{"rate": 1.0}]}, "stages[1]", "with {'rate': 2.0}, not None"),
    ],
)
def test_of_settings_in_tables_the_one_that_differs_is_named(
    tmp_path: Path, changed: dict[str, object], field: str, told: str
) -> None:
    path = tmp_path / "settings.toml"
    begun: dict[str, object] = {
        "threads": 1,
        "about": {"data": {"a.jsonl": 2}},
        "stages": [{"rate": 1.0}, {"rate": 2.0}],
    }
    path.write_text(dump_toml(begun), "utf-8")
    same_settings(path, begun | {"threads": 2}, {"threads"})

    with pytest.raises(BadInput) as caught:
        same_settings(path, begun | changed)

    assert caught.value.where == f"{path}: {field}"
    assert told in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path, told in ((tmp_path / "none", "no such file"), (tmp_path / "binary", "not UTF-8")):
        with pytest.raises(BadInput, match=told):
            load_settings(SftConfig, path)
