"""Which models play which part."""

import subprocess
import sys


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
