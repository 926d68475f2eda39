"""The wheel holds all that is needed, and runs where nothing of the repository is."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        cwd=Path(sys.prefix),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet",
        "--disable-pip-version-check", "--wheel-dir", folder, ROOT,
    )  # fmt: skip
    (found,) = folder.glob("placet-*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_carries_core_screen_profiles_and_scenarios_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for part in (
        "core/cli/main.py",
        "core/models/load.py",
        "tui/__init__.py",
        "profiles/finance-outreach.toml",
        "profiles/scenarios/bank-outreach.toml",
    ):
        assert part in names, part
    for package in ("core", "tui", "profiles"):
        there = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).rglob("*")
            if path.suffix in (".py", ".tcss", ".toml", ".safetensors")
            and "corpus" not in path.parts
        }
        assert there <= set(names), sorted(there - set(names))[:5]
    assert not [name for name in names if name.startswith("tests/")]
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_carries_every_file_the_readme_links() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    carried = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]

    linked = set(re.findall(r"\]\(([^)#:]+)", (ROOT / "README.md").read_text("utf-8")))
    assert linked and {name.partition("/")[0] for name in linked} <= set(carried)


@pytest.mark.slow
def test_the_wheel_runs_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "clean"
    venv.create(place, with_pip=False)
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index",
        "--quiet", "--disable-pip-version-check", wheel,
    )  # fmt: skip
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(packages.strip()) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = str(tmp_path / "home")

    where = run(python, "-c", "import core, tui; print(core.__file__, tui.__file__)", PYTHONPATH="")
    version = run(scripts / "placet", "--version", PYTHONPATH="", PLACET_HOME=home)
    profiles = run(scripts / "placet", "profiles", "list", PYTHONPATH="", PLACET_HOME=home)
    decision = subprocess.run(
        [scripts / "placet", "decide", "--demo", "--policy", "echo"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "PLACET_HOME": home},
        cwd=tmp_path,
    )

    assert all(str(place) in path for path in where.split())
    assert version.startswith("placet ")
    assert len(profiles.splitlines()) >= 6
    assert decision.returncode in (0, 3), decision.stderr
    assert "Placet: Bank outreach" in decision.stdout
