"""The first cell of a notebook, as Colab would run it: torch is there, the course is not. And what
Binder and a dev container are told."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
import yaml

from course_utils.authoring.execute import code_cells
from course_utils.authoring.source import FORMS, ROOT, build_cells, places, tomllib
from course_utils.devices import NO_GPU

BUNDLED = ("pocket", "static")  # folders of the package that are no code
NOT_OURS = ("course_utils", "__editable__")  # the course itself, in whatever way it is installed
OFFLINE = {  # pip takes what is there, and asks nobody
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip spells: without
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_FIND_LINKS": "",
}
AS_ON_COLAB = """
import json, sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
sys.modules["google.colab"] = module_from_spec(ModuleSpec("google.colab", None))
for cell in json.loads(sys.argv[1]):
    exec(cell, {"__name__": "__main__"})
import course_utils, torch
print(json.dumps([course_utils.__file__, torch.__file__, torch.__version__]))
"""
AND_LOADED = "print(len(course_utils.load().components))"
WITHOUT = """
from importlib.util import find_spec
print(find_spec("torch").origin)
import course_utils
"""


def first_cell(place, form) -> str:
    return code_cells(build_cells(place, form))[0].source


@pytest.fixture
def colab(tmp_path) -> Path:
    """The Python of a fresh environment that sees everything installed here but the course."""
    folder, seen = tmp_path, tmp_path / "seen"
    seen.mkdir()
    for path in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(path).iterdir():
            if not entry.name.startswith(NOT_OURS):
                (seen / entry.name).symlink_to(entry)
    venv.create(folder / "venv", symlinks=True)
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "seen.pth").write_text(f"{seen}\n")
    return folder / "venv" / "bin" / "python"


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of the tree, to install from: a build leaves its traces."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_utils", folder / "course_utils", ignore=ignore)
    return folder


def start(python: Path, program: str, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    """Run a program there, with nothing of our own environment that could show it the course."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "COURSE_MODEL")
    environment = {k: v for k, v in os.environ.items() if k not in hidden} | OFFLINE | more
    return subprocess.run(
        [python, "-c", program, *arguments],
        env=environment,
        cwd=python.parent,
        capture_output=True,
        text=True,
    )


def printed(done: subprocess.CompletedProcess) -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_first_cell_installs_the_course_and_leaves_torch_alone(colab, source):
    before = start(colab, WITHOUT)
    assert "No module named 'course_utils'" in before.stderr
    cells = [first_cell(place, "student") for place in places()]
    program = AS_ON_COLAB + AND_LOADED
    first = start(colab, program, json.dumps(cells[:1]), COURSE_SOURCE=str(source))
    device, told, parts = printed(first)
    assert device == NO_GPU or device.startswith("GPU")
    course, torch_file, version = json.loads(told)
    package = Path(course).parent
    assert package.is_relative_to(colab.parents[1] / "lib")
    assert (torch_file, version, parts) == (before.stdout.strip(), torch.__version__, "8")
    installed = [path.name for path in package.parent.iterdir()]
    assert not [name for name in installed if name.startswith(("torch", "numpy", "diffusers"))]
    for folder in BUNDLED:
        assert files(package / folder) == files(ROOT / "course_utils" / folder) != set()
    again = start(colab, AS_ON_COLAB, json.dumps(cells), COURSE_SOURCE="is not asked for")
    assert printed(again) == [device] * len(cells) + [told]


def test_torch_is_never_replaced(colab, source, tmp_path):
    """Where the course would want another torch, pip refuses, though it could have it."""
    project = source / "pyproject.toml"
    project.write_text(re.sub('"torch>=[^"]*"', '"torch>=99"', project.read_text()))
    about = "torch-99.0.dist-info"
    with ZipFile(tmp_path / "torch-99.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 99.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    more = {"COURSE_SOURCE": str(source), "PIP_FIND_LINKS": str(tmp_path)}
    done = start(colab, AS_ON_COLAB, json.dumps([first_cell(places()[0], "student")]), **more)
    assert done.returncode != 0 and "CalledProcessError" in done.stderr
    assert not list((colab.parents[1] / "lib").glob("*/site-packages/torch*"))


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found}


def test_the_first_cell_is_the_same_everywhere():
    cells = {first_cell(place, form) for place in places() for form in FORMS}
    assert len(cells) == 1 and '"google.colab" in sys.modules' in cells.pop()


def test_anywhere_else_the_first_cell_does_nothing(capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    exec(first_cell(places()[0], "student"), {})
    assert capsys.readouterr().out == "" and "google.colab" not in sys.modules


def test_what_is_published_is_said_in_one_place():
    """The address and the tag in every badge and first cell are those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address, tag = project["urls"]["Repository"], f"v{project['version']}"
    place = places()[0]
    title, first = build_cells(place, "solution").cells[:2]
    name = address.removeprefix("https://github.com/")
    assert f'"git+{address}@{tag}"' in first.source
    assert f"/github/{name}/blob/{tag}/notebooks/solutions/{place.name}.ipynb)" in title.source
    assert f"/gh/{name}/{tag}?labpath=notebooks%2Fsolutions%2F{place.name}.ipynb)" in title.source
    sources = [path.read_text() for path in (ROOT / "notebooks" / "src").glob("*.py")]
    assert not any("github.com" in text or "google.colab" in text for text in sources)


def conda(file: str) -> list:
    return yaml.safe_load((ROOT / file).read_text())["dependencies"]


def test_binder_and_the_dev_container_take_the_same_python():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    python = container["image"].rpartition(":")[2]
    assert f"python={python}" in conda("environment.yml")
    assert f"python={python}" in conda("binder/environment.yml")


def test_binder_takes_a_torch_that_the_course_can_use():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [oldest] = [line for line in project["dependencies"] if line.startswith("torch")]
    assert oldest.replace("torch", "pytorch-cpu") in conda("binder/environment.yml")


def test_binder_and_the_dev_container_run_what_is_there():
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    [extra] = re.findall(r"'\.\[(\w+)\]'", script.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extra in project["optional-dependencies"]
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    target = container["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
