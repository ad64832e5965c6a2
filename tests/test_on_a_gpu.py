"""Every notebook on a GPU, or on what stands for one here: `two_devices`."""

import pytest
import torch
from any_model import check_said, run
from test_miniature import SHORT, equal
from two_devices import second_device

from course_utils import devices
from course_utils.authoring.source import places
from course_utils.training import unet
from course_utils.training.miniature import train_miniature

MOST = 4  # steps for a picture, as many as 04 compares: the stand-in is slow


@pytest.fixture
def gpu_model(smallest_folder, monkeypatch):
    """The small model, as `load()` treats a large one: on the GPU, in half precision."""
    torch.set_num_threads(1)
    monkeypatch.setenv("COURSE_MODEL", str(smallest_folder))
    monkeypatch.setattr(devices, "SMALL", 0)
    monkeypatch.setattr(unet, "DEVICE", torch.device("cuda"))  # as where torch finds a GPU
    with second_device():
        yield


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_runs_unchanged(place, gpu_model):
    """No tensor of the CPU meets one of the GPU, and what is said to be true is true there, too."""
    check_said(place, run(place, most=MOST))


def test_what_is_beside_a_model_on_the_cpu_is_trained_there(tiny, tmp_path, monkeypatch):
    """As the bundled model is, on a machine with a GPU, too."""
    alone, _ = train_miniature(tiny, SHORT, tmp_path / "alone")
    monkeypatch.setattr(unet, "DEVICE", torch.device("cuda"))
    with second_device():
        beside, _ = train_miniature(tiny, SHORT, tmp_path / "beside")
    assert equal(alone, beside)
