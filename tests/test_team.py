"""Which models play which part."""

import subprocess
import sys
from ast import literal_eval
from pathlib import Path

from core.team import load_team
from core.watch import AnyNote, Progress, Watch


def test_a_model_that_is_missing_is_said_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys\n"
        "from core.errors import ModelProblem\n"
        "from core.team import load_team\n"
        "try:\n"
        "    load_team('owner/not-here')\n"
        "except ModelProblem as error:\n"
        "    print(error.problem, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "the model owner/not-here is not on this machine False"


def test_a_load_tells_how_far_it_is_from_the_first_import_to_the_last_layer(
    tiny_llama: Path, tiny_gpt2: Path
) -> None:
    script = (
        "import sys\n"
        "from core.team import load_team\n"
        "from core.watch import Watch\n"
        "told = []\n"
        "def say(note):\n"
        "    told.append((note.stage, note.done, note.total, 'core.models.load' in sys.modules))\n"
        "load_team(sys.argv[1], sys.argv[2], dtype='float32', watch=Watch(say))\n"
        "print(told)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tiny_llama), str(tiny_gpt2)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = literal_eval(done.stdout)

    assert {(stage, total) for stage, _, total, _ in told} == {("load", 100)}
    steps = [step for _, step, _, _ in told]
    assert steps[0] == 0
    assert steps[-1] == 100
    assert steps == sorted(steps)
    assert any(0 < step < 60 for step in steps), "the imports are told of"
    assert any(60 < step < 80 for step in steps), "the policy's weights are told of"
    assert any(80 < step < 100 for step in steps), "the judge's weights are told of"


def test_a_second_load_has_no_imports_to_wait_for(tiny_llama: Path, tiny_gpt2: Path) -> None:
    import core.models.load  # noqa: F401

    told: list[AnyNote] = []
    load_team(str(tiny_llama), str(tiny_gpt2), dtype="float32", watch=Watch(told.append))

    steps = [note.done for note in told if isinstance(note, Progress)]
    assert steps == sorted(steps)
    assert any(0 < step < 50 for step in steps)
    assert steps[-1] == 100
