"""The package as pip installs it: whole, without a warning, and with its command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
NO_BYTECODE = shutil.ignore_patterns("__pycache__")


def pip(*arguments: str | Path) -> str:
    """Run pip, offline; returns all it says."""
    options = ["--no-index", "--no-deps", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", *arguments, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> tuple[Path, str]:
    """A wheel of a copy of the tree, and what was said while it was built."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "course_utils", folder / "course_utils", ignore=NO_BYTECODE)
    said = pip("wheel", "-v", "--no-build-isolation", "-w", folder, folder)
    [file] = folder.glob("*.whl")
    return file, said


def test_building_it_warns_of_no_package_that_is_none(wheel):
    assert "course_utils/pocket" in wheel[1]
    assert "absent from" not in wheel[1]


def test_it_holds_every_file(wheel):
    here = (ROOT / "course_utils").rglob("*")
    files = {path.relative_to(ROOT).as_posix() for path in here if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    assert not files - set(ZipFile(wheel[0]).namelist())


def test_its_command_is_the_course_s(wheel, tmp_path):
    pip("install", "--target", tmp_path, wheel[0])
    command = [tmp_path / "bin" / "course-utils", "draw", "a wave", "--steps", "0"]
    there = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "steps must be a whole number from 1 to 998, not 0" in done.stderr
