"""How much of a load is done."""

import sys
import time
import types

import pytest

from core.models import share
from core.models.share import FOREIGN, importing, loading, part, with_transformers
from core.watch import AnyNote, Progress, Watch


def test_a_part_moves_the_whole_between_its_two_ends() -> None:
    told: list[float] = []
    hear = part(part(told.append, 0.5, 1.0), 0.0, 0.5)

    for done in (0.0, 0.5, 1.0, 7.0):
        hear(done)

    assert told == [0.5, 0.625, 0.75, 0.75]


def test_the_time_left_follows_from_the_speed_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 100.5, 103.0, 104.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    told: list[AnyNote] = []
    say = loading(Watch(told.append))

    for done in (0.0, 0.02, 0.75, 1.0):
        say(done)

    assert told == [
        Progress(stage="load", done=0, total=100),
        Progress(stage="load", done=2, total=100),
        Progress(stage="load", done=75, total=100, seconds_left=1.0),
        Progress(stage="load", done=100, total=100),
    ]


def test_imports_are_counted_while_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "MODULES", 10)
    told: list[float] = []

    with importing(told.append):
        for number in range(5):
            monkeypatch.setitem(sys.modules, f"placet_test_{number}", types.ModuleType("made"))
        deadline = time.monotonic() + 5
        while 0.5 not in told and time.monotonic() < deadline:
            time.sleep(0.01)

    assert 0.5 in told
    assert told[-1] == 1.0


def test_the_import_of_transformers_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.delitem(sys.modules, "core.models.foreign", raising=False)

    rest = with_transformers(told.append)
    rest(0.5)
    assert told == sorted(told)
    assert told[-2:] == [FOREIGN, FOREIGN + 0.5 * (1 - FOREIGN)]

    told.clear()
    with_transformers(told.append)(0.5)
    assert told == [0.5]
