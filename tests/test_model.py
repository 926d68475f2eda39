"""The real default model: the demo is decided the same way twice, and its session holds."""

import json
from pathlib import Path

import pytest

from core.models import catalog
from core.session.store import load
from tests.cli.conftest import Placet
from tests.cli.conftest import placet as placet

pytestmark = [pytest.mark.model, pytest.mark.slow]


PROMPTED = [
    "--policy", catalog.DEFAULT, "--judge", "prompted", "--candidates", "2", "--rewrites", "2",
]  # fmt: skip
"""The same model asked in words, for less: what takes long is reading."""


@pytest.mark.parametrize("models", [[], PROMPTED], ids=["own", "prompted"])
def test_the_demo_with_seed_7_gives_the_same_decision_twice_and_verify_passes(
    placet: Placet, tmp_path: Path, models: list[str]
) -> None:
    told = []
    for number in (1, 2):
        file = tmp_path / f"{number}.toml"
        ran = placet(
            "decide", "--demo", "--seed", 7, "--format", "json", "--session", file, *models
        )
        assert ran.status in (0, 3), ran.err
        told.append(json.loads(ran.out))
        verified = placet("session", "verify", file)
        assert (verified.status, verified.out[:3]) == (0, "ok:")

    one, other = told
    assert one["candidates"] == other["candidates"]
    assert (one["plan"] is None) == (other["plan"] is None)
    if one["plan"]:
        assert one["plan"]["text"] == other["plan"]["text"]
    assert len(one["candidates"]) >= 1
    assert all(candidate["verdict"]["risk"] != "UNJUDGED" for candidate in one["candidates"])
    assert load(tmp_path / "1.toml").state.profile == load(tmp_path / "2.toml").state.profile
