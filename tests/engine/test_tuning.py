"""A run's process: what it is asked for, and how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.engine.tuning import Tuning, Wish
from core.errors import BadInput
from core.games.rewards import Reward
from tests.tui.driving import TUNER


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(game="nonesuch"), "no game named"),
        (Wish(opponent="nonesuch"), "opponent"),
        (Wish(episodes=0), "episodes"),
        (Wish(seed=-1), "seed"),
    ],
)
def test_a_wish_that_makes_no_sense_names_the_field(wish: Wish, field: str) -> None:
    with pytest.raises(BadInput, match=field):
        wish.check()


def test_a_wish_for_a_game_that_could_not_be_learnt_says_what_the_run_would_say(
    tmp_path: Path,
) -> None:
    game = tmp_path / "rich.toml"
    game.write_text("schema = 1\ncc = [0, 20]\ncd = [0, 20]\ndc = [0, 30]\ndd = [0, 30]\n")
    with pytest.raises(BadInput, match="by inequity a legal move may be worth -30") as caught:
        Wish(game=str(game), reward=Reward.INEQUITY).check()
    assert caught.value.where == "game rich" and caught.value.mend
    Wish(game=str(game), reward=Reward.RAWLS).check()


def test_a_wish_is_told_as_the_command_takes_it(tmp_path: Path) -> None:
    wish = Wish(game="games/a.toml", switch_to=Reward.UTILITARIAN, switch_at=20, episodes=40)
    told = wish.arguments

    assert told[:2] == ("--game", str(Path("games/a.toml").absolute()))
    assert told[-4:] == ("--switch-to", "ut", "--switch-at", "20")
    assert "--switch-at" not in Wish().arguments
    assert wish.folder(tmp_path).name == "de-then-ut-vs-tit-for-tat-a-1"
    assert Wish(game="/x/..toml").folder(tmp_path).parent == tmp_path


async def test_the_process_stands_back_and_a_second_folder_has_a_name_of_its_own(
    tmp_path: Path,
) -> None:
    wish = Wish(opponent="learner")
    tuning = Tuning(wish.folder(tmp_path), wish.arguments, command=TUNER)
    await tuning.start()
    assert tuning.pid
    assert os.getpriority(os.PRIO_PROCESS, tuning.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    os.kill(tuning.pid, signal.SIGKILL)
    await asyncio.wait_for(tuning.ended.wait(), 30)
    assert tuning.trouble
    (tmp_path / "de-vs-learner-prisoners-dilemma-1").mkdir(exist_ok=True)

    assert wish.folder(tmp_path).name == "de-vs-learner-prisoners-dilemma-1.2"


TELLS = """
from core.cli.output import Meter, warn
with Meter() as meter:
    for stage in ("load", "format", "learning"):
        meter.show(stage, stage=stage)
warn("ended early")
print("through")
"""


def test_a_run_goes_on_when_nobody_hears_it_any_more() -> None:
    hears, tells = os.pipe()
    os.close(hears)  # as the system does when Placet is killed
    ran = subprocess.run(
        [sys.executable, "-c", TELLS], stdout=subprocess.PIPE, stderr=tells, check=False
    )
    os.close(tells)

    assert (ran.returncode, ran.stdout) == (0, b"through\n")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("exit 130", ""),
        ("exit 0", ""),
        ("echo 'placet: /run/last.pt: it cannot be written' >&2; exit 1", "cannot be written"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
async def test_a_stop_that_failed_is_no_good_one(ends: str, told: str, tmp_path: Path) -> None:
    hears = tmp_path / "hears"
    script = (
        f"trap '{ends.replace(chr(39), chr(34))}' TERM; : > \"$1\"; while :; do sleep .02; done"
    )
    tuning = Tuning(hears, (), command=("sh", "-c", script))
    await tuning.start()
    while not hears.exists():
        await asyncio.sleep(0.01)
    tuning.ask_to_stop()
    await asyncio.wait_for(tuning.ended.wait(), 60)

    assert told in str(tuning.trouble) if told else tuning.trouble is None
