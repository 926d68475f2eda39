"""The configuration file."""

from pathlib import Path

import pytest

from core.config import LARGEST_SEED, Config, Defaults, change_config, load_config
from core.errors import BadInput


def test_without_a_file_the_defaults_count(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml") == Config()


@pytest.mark.parametrize(
    ("field", "value"), [("candidates", 0), ("seed", LARGEST_SEED + 1), ("seed", -1)]
)
def test_a_field_that_is_wrong_is_named(tmp_path: Path, field: str, value: int) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"schema = 1\n[defaults]\n{field} = {value}\n")
    with pytest.raises(BadInput) as caught:
        load_config(path)
    assert "config.toml" in caught.value.where
    assert f"defaults.{field}" in caught.value.where


def test_keys_not_known_are_warned_about_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('schema = 1\nfuture = "yes"\n[keys]\napprove = "A"\n')
    said: list[str] = []
    assert load_config(path, said.append).keys == {"approve": "A"}
    assert "future" in said[0]
    change_config(path, theme="nord", defaults=Defaults(policy="echo"))
    again = load_config(path)
    assert (again.theme, again.defaults.policy, again.keys) == ("nord", "echo", {"approve": "A"})
    assert 'future = "yes"' in path.read_text()


def test_keys_not_known_are_kept_in_a_table_that_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("schema = 1\n[defaults]\ntemperature = 0.3\ncandidates = 6\n")
    change_config(path, defaults=Defaults(policy="echo"))
    assert load_config(path).defaults == Defaults(policy="echo")
    change_config(path, defaults=Defaults())
    assert "temperature = 0.3" in path.read_text()
    assert load_config(path).defaults == Defaults()
