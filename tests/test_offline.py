"""No network access at run time, except in `placet models pull`, and the same outcome each time."""

import json
import socket
from pathlib import Path

import pytest

from core.decide import Options, decide
from core.games.lens import lens
from core.library import DEMO, load_profile, load_scenario
from core.session.report import as_json
from core.session.session import Session
from core.team import load_team


def decided(folder: Path, dtype: str = "auto") -> Session:
    team = load_team(str(folder), "prompted", dtype=dtype)
    options = Options(candidates=3, rounds=1, rewrites=2, seed=7)
    return decide(team, load_scenario(DEMO), load_profile("finance-outreach"), options)


def test_no_network_access_at_run_time(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refused(self: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("there is no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: tried.append(args))

    session = decided(tiny_gpt2)

    assert session.state.plan is not None
    assert tried == []


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
def test_same_seed_same_models_and_same_settings_give_the_same_candidates_and_verdicts(
    request: pytest.FixtureRequest, name: str
) -> None:
    folder = request.getfixturevalue(name)

    def told() -> str:
        found = as_json(decided(folder), lens)
        return json.dumps([found["candidates"], found["plan"] and found["plan"]["text"]])

    first = told()

    assert told() == first
    assert "scores" in first or json.loads(first)[0] == []
