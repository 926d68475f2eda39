"""What all tests share: a home of their own, bounded examples, and no model that is not there."""

import os
from pathlib import Path

# Workers share the cores: one thread each, and none that spins while it waits.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from core.models import catalog
from tests import tiny

settings.register_profile(
    "placet",
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("placet")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tests of the real model out where that model is not on this machine."""
    if catalog.on_disk(catalog.DEFAULT):
        return
    without = [item for item in items if item.get_closest_marker("model")]
    items[:] = [item for item in items if not item.get_closest_marker("model")]
    config.hook.pytest_deselected(items=without)


@pytest.fixture(autouse=True)
def home(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path | None:
    """Keeps the developer's own files out of the tests, and the tests' files out of theirs."""
    if request.node.get_closest_marker("model"):
        return None
    root = tmp_path / "placet-home"
    monkeypatch.setenv("PLACET_HOME", str(root))
    return root


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random GPT-2 with a byte-level BPE."""
    return tiny.gpt2(tmp_path_factory.mktemp("models") / "tiny-gpt2")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random Llama for chat with a sentencepiece tokenizer."""
    return tiny.llama(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random T5 with a sentencepiece tokenizer."""
    return tiny.t5(tmp_path_factory.mktemp("models") / "tiny-t5")
