"""The real training program, as it is started: on two processes, and killed in the middle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import two_processes
import yaml
from safetensors.torch import load
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_text_and_unet_training import TINY_TEXT, TINY_UNET
from test_train_chain import run_here

from course_utils.training.loop import CHECKPOINT
from course_utils.training.text import clip_tokenizer, make_text_encoder, token_ids
from course_utils.world import sample

CONFIG = {
    "examples": 16,
    "steps": 60,
    "batch": 4,
    "learning_rate": 0.001,
    "warmup": 5,
    "save_every": 20,
    "threads": 1,
    "ema_decay": 0.9,
    "model": TINY_UNET,
    "options": {"vae": "vae/vae", "text_encoder": "text/text_encoder", "dropout": 0.1, "gamma": 5},
}
PROGRAM = [sys.executable, "-m", "course_utils.training.unet", "tiny.yaml"]
PATHS = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
SETTINGS = {**two_processes.SETTINGS, "PYTHONPATH": os.pathsep.join(PATHS)}


def place(folder: Path, vae) -> Path:
    """A folder to train in: a configuration, a VAE and a text encoder, all tiny."""
    torch.manual_seed(0)
    ids = token_ids(clip_tokenizer(), [sample(seed).caption for seed in range(16)])
    vae.save_pretrained(folder / "build" / "train" / "vae" / "vae")
    words = make_text_encoder(TINY_TEXT, ids.unique())
    words.save_pretrained(folder / "build" / "train" / "text" / "text_encoder")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


def run_alone(folder: Path) -> None:
    """Run the program in this process: nothing new has to be imported."""
    torch.set_num_threads(1)  # as in the other processes: the count changes the last bits
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_here(PROGRAM[2], PROGRAM[3:], patch)


def kill_in_the_middle(folder: Path) -> None:
    """Start the program, and kill it, with a signal it cannot catch, when it has written its first
    checkpoint."""
    program = subprocess.Popen(
        PROGRAM, cwd=folder, env=SETTINGS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 300
    while not checkpoint(folder).exists() and program.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    program.send_signal(signal.SIGKILL)
    assert program.wait() == -signal.SIGKILL


def checkpoint(folder: Path) -> Path:
    return folder / "build" / "train" / "tiny.yaml" / CHECKPOINT


def trained(folder: Path) -> bytes:
    unet = folder / "build" / "train" / "tiny.yaml" / "unet"
    return (unet / "diffusion_pytorch_model.safetensors").read_bytes()


def curve(folder: Path) -> list[float]:
    """The losses that were written down on the way."""
    events = EventAccumulator(str(folder / "build" / "train" / "tiny.yaml" / "metrics"))
    events.Reload()
    return [one.value for one in events.Scalars("loss")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_parts) -> Path:
    """A run of one process, never interrupted."""
    folder = place(tmp_path_factory.mktemp("whole"), tiny_parts["vae"])
    run_alone(folder)
    return folder


def test_a_killed_program_started_again_ends_with_the_same_bytes(whole, tmp_path, tiny_parts):
    folder = place(tmp_path, tiny_parts["vae"])
    kill_in_the_middle(folder)
    step = torch.load(checkpoint(folder), weights_only=True)["step"]
    assert 0 < step < CONFIG["steps"]
    run_alone(folder)
    assert trained(folder) == trained(whole)


def test_two_processes_have_the_losses_and_the_weights_of_one(whole, tmp_path, tiny_parts):
    """Each takes half of the batch; to the rounding of float32, which 60 steps make larger."""
    folder = place(tmp_path, tiny_parts["vae"])
    two_processes.launch(PROGRAM[1:], folder, SETTINGS)
    one, two = curve(whole), curve(folder)
    assert len(one) == CONFIG["steps"] // 20
    assert two == pytest.approx(one, rel=1e-3)
    assert one[-1] < 0.9 * one[0]
    together = load(trained(folder))
    for name, weight in load(trained(whole)).items():
        torch.testing.assert_close(together[name], weight, rtol=1e-3, atol=1e-4)
