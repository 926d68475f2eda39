"""The house stands as it was drawn: who may import whom, also where imports are deferred."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

WALK = """
import importlib, pkgutil, sys

class Closed:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {closed!r}:
            raise ImportError(f"{{name}} is not for this room")

sys.meta_path.insert(0, Closed())
sys.path.insert(0, {root!r})
package = importlib.import_module({package!r})
below = pkgutil.walk_packages(package.__path__, {package!r} + ".")
names = [{package!r}, *(found.name for found in below)]
count = 0
for name in names:
    if not name.endswith("__main__") and not name.startswith({without!r}):
        importlib.import_module(name)
        count += 1
print(count)
"""

PURE = {
    "operator",
    "collections", "collections.abc", "dataclasses", "difflib", "enum", "functools", "hashlib",
    "itertools", "json", "math", "msgspec", "re", "typing", "unicodedata",
}  # fmt: skip
"""What a noun may know of: nothing that reads, writes or connects."""


def walked(package: str, closed: set[str], without: tuple[str, ...] = ()) -> int:
    """How many modules of `package` can be imported in a process where `closed` cannot."""
    script = WALK.format(closed=closed, root=str(ROOT), package=package, without=without)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """Every module that the files below `folder` name in an import, wherever it stands."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.module or ""


def test_core_imports_without_textual() -> None:
    assert walked("core", {"textual"}, ("core.training", "core.games")) > 40


def test_tui_imports_without_torch_and_transformers() -> None:
    assert walked("tui", {"torch", "transformers", "peft", "accelerate"}) > 5


def test_the_commands_that_need_no_weights_start_without_torch() -> None:
    assert walked("core.cli", {"torch", "transformers", "textual"}) > 5


def test_no_file_of_the_core_names_textual_even_in_a_deferred_import() -> None:
    named = [(path, name) for path, name in imports("core") if name.split(".")[0] == "textual"]

    assert named == []


def test_no_file_of_the_screen_names_torch_or_transformers_even_in_a_deferred_import() -> None:
    named = [
        (path, name)
        for path, name in imports("tui")
        if name.split(".")[0] in ("torch", "transformers", "peft", "accelerate")
    ]

    assert named == []


def test_the_domain_does_no_input_and_no_output() -> None:
    found = list(imports("core/domain"))
    foreign = [
        (path.name, name)
        for path, name in found
        if name not in PURE and not name.startswith("core.domain")
    ]

    assert foreign == []
    assert len(found) > 20
    for path in (ROOT / "core" / "domain").glob("*.py"):
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert not {"open", "print", "input", "eval", "exec"} & set(calls), path


@pytest.mark.parametrize("folder", ["core/domain", "core/session", "core/stages"])
def test_nouns_sessions_and_stages_reach_for_no_model_and_no_screen(folder: str) -> None:
    for path, name in imports(folder):
        assert name.split(".")[0] not in ("torch", "transformers", "typer", "textual"), path
        assert not name.startswith(("core.cli", "core.engine", "tui")), path
