"""An engine for each test, ended after it, with its files in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from core.engine.client import Engine
from tests.engine.hearing import Ear


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's Placet keeps things."""
    monkeypatch.setenv("PLACET_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def ear() -> Ear:
    """Hears `engine`."""
    return Ear()


@pytest_asyncio.fixture
async def engine(ear: Ear) -> AsyncIterator[Engine]:
    """An engine with the stand-in for a worker; not started."""
    engine = ear.engine()
    yield engine
    await engine.stop()
