"""Start a program on two processes, as `accelerate launch` does."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import psutil

LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
LAUNCH += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
LAUNCH += ["--dynamo_backend", "no", "--main_process_port", "0"]
SETTINGS = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
PATIENCE = 150  # seconds; a quiet machine takes about 16
ATTEMPTS = 2  # once, on a busy machine, 300 seconds were not enough; the cause is not known


def launch(program: list[str], folder: Path, settings: dict[str, str] = SETTINGS) -> None:
    """Run a program on two processes.

    Args:
        program: what follows `accelerate launch`.
        folder: where to run it.
        settings: the environment.
    Raises:
        AssertionError: it failed, or did not end at any attempt.
    """
    for _ in range(ATTEMPTS):
        started = subprocess.Popen(
            [*LAUNCH, *program],
            cwd=folder,
            env=settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, said = started.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            launcher = psutil.Process(started.pid)
            for process in [*launcher.children(recursive=True), launcher]:
                process.kill()
            _, said = started.communicate()
            warnings.warn(f"no end after {PATIENCE} seconds: started once more", stacklevel=2)
            continue
        assert started.returncode == 0, said[-2000:]
        return
    raise AssertionError(f"no end after {ATTEMPTS} times {PATIENCE} seconds: {said[-2000:]}")
