"""The configuration file."""

from pathlib import Path

import pytest

from core.config import LARGEST_SEED, Config, Defaults, change_config, load_config
from core.errors import BadInput
from core.files import read_toml


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


def test_choosing_models_keeps_the_comments_and_the_order(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        """\
# Ours.
schema = 1

[keys]  # as in the other one
approve = "A"

[defaults]
# The small one is enough.
policy = "small"  # 0.1 GB
judge = 'echo'
seed = 7
# That is all.
"""
    )
    change_config(path, defaults=Defaults(policy="large", candidates=6, seed=7), theme="nord")
    assert (
        path.read_text()
        == """\
# Ours.
schema = 1
theme = "nord"

[keys]  # as in the other one
approve = "A"

[defaults]
# The small one is enough.
policy = "large"  # 0.1 GB
seed = 7
candidates = 6
# That is all.
"""
    )


def test_a_table_that_was_not_there_comes_last(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf# Ours.\r\nschema = 1\r\n")
    change_config(path, defaults=Defaults(policy='a "b" = c'))
    assert load_config(path).defaults.policy == 'a "b" = c'
    assert path.read_bytes().startswith(b"# Ours.\r\nschema = 1\r\n\n[defaults]\n")


@pytest.mark.parametrize(
    "text",
    [
        'defaults = {policy = "small", seed = 7}\n',
        'defaults.policy = "small"\ndefaults.seed = 7\n',
        '[defaults]\n"policy" = "small"\nseed = 7\n',
        '[defaults]\npolicy = """\nsmall"""\nseed = 7\n',
        '["defaults"]\npolicy = "sm\\u0061ll"\nseed = 7\n',
        'x = """\n[defaults]\npolicy = "small"\n"""\n[defaults]\npolicy = "small"\nseed = 7\n',
        '[[x]]\npolicy = "small"\n[defaults]\npolicy = "small"\nseed = 7\n',
        '[defaults]\npolicy = "small"\nseed = 7\n[[x]]\npolicy = "small"\n',
    ],
)
def test_a_change_is_written_whatever_toml_the_file_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"schema = 1\n{text}")
    before = read_toml(path)
    assert load_config(path).defaults == Defaults(policy="small", seed=7)
    change_config(path, defaults=Defaults(judge="echo", seed=8))
    assert read_toml(path) == before | {"defaults": {"judge": "echo", "seed": 8}}
