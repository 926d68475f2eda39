"""Two Placets never write to one session file."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import PlacetError
from core.session.hold import Held, Hold

HOLDER = """
import sys, time
from pathlib import Path
from core.session.hold import Hold
hold = Hold(Path(sys.argv[1]))
hold.take()
print("taken", flush=True)
time.sleep(600)
"""


def test_a_file_that_somebody_has_is_refused_with_their_name(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    first = Hold(file)
    first.take()
    first.take()  # it is ours already

    with pytest.raises(Held, match=rf"another Placet has .* process {os.getpid()}, since"):
        Hold(file).take()

    first.free()
    second = Hold(file)
    second.take()
    second.free()
    assert list(tmp_path.iterdir()) == []


def test_the_same_file_by_another_name_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link.toml").symlink_to(tmp_path / "session.toml")
    first = Hold(tmp_path / "session.toml")
    first.take()

    with pytest.raises(Held):
        Hold(tmp_path / "link.toml").take()
    first.free()


def test_another_process_has_a_file_until_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "taken\n"
        with pytest.raises(Held, match=f"process {other.pid}"):
            Hold(file).take()
        os.kill(other.pid, signal.SIGKILL)
    hold = Hold(file)
    hold.take()
    hold.free()


@pytest.mark.parametrize("told", ["", "{", "[]", '{"by": 3}', "\x00"])
def test_whoever_does_not_say_who_they_are_is_kept_out_just_the_same(
    tmp_path: Path, told: str
) -> None:
    file = tmp_path / "session.toml"
    first = Hold(file)
    first.take()
    (tmp_path / ".session.toml.lock").write_text(told)

    with pytest.raises(Held, match="does not say who"):
        Hold(file).take()
    first.free()


def test_a_place_where_no_lock_can_lie_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(PlacetError, match=r"session\.toml: it cannot be written \("):
        Hold(tmp_path / "file" / "session.toml").take()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PlacetError, match=r"session\.toml: it cannot be written \("):
            Hold(tmp_path / "session.toml").take()
    finally:
        tmp_path.chmod(0o700)
