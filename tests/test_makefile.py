"""The make targets that no other test runs: what they start, and that it starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKE = ["make", "-o", ".venv/.installed", f"PY={sys.executable}"]  # installs nothing


def planned(target: str, folder: Path, user: int) -> str:
    """What `make target` would run for this user."""
    known = folder / "id"
    known.write_text(f"#!/bin/sh\necho {user}\n")
    known.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    command = [*MAKE, "-n", target]
    environment = os.environ | {"PATH": path}
    return subprocess.check_output(command, cwd=ROOT, env=environment, text=True)


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_the_lab_may_run_as_root_only_for_root(tmp_path, user, allowed):
    command = planned("lab", tmp_path, user)
    assert "jupyterlab" in command and "notebooks/00_tour.ipynb" in command
    assert ("--allow-root" in command) == allowed


def test_the_lab_starts_for_whoever_runs_this(tmp_path):
    """In a container that is root; no browser is opened."""
    own = {"BROWSER": "true", "JUPYTER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    lab = subprocess.Popen(
        [*MAKE, "lab"], cwd=ROOT, env=os.environ | own, start_new_session=True, **pipes
    )
    try:
        address = next((line for line in lab.stderr if "http://" in line), None)
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.communicate()
    assert address


def test_equality_is_tested_with_the_kernels_of_two_older_processors(tmp_path):
    lines = planned("test-kernels", tmp_path, 1000).splitlines()
    kernels = [line.partition(" ")[0] for line in lines if "test_pipeline.py" in line]
    assert kernels == ["ATEN_CPU_CAPABILITY=default", "ATEN_CPU_CAPABILITY=avx2"]
    assert "make test-kernels" in (ROOT / ".ci" / "run").read_text()
