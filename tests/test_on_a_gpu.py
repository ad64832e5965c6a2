"""Every notebook on a GPU, or on what stands for one here: `two_devices`."""

import pytest
import torch
from any_model import NARROW, SHALLOW, check_said, run, write_model
from two_devices import second_device

from course_utils import devices
from course_utils.authoring.source import places

MOST = 6  # steps for a picture: the stand-in is slow, and more would tell nothing new


@pytest.fixture(scope="module")
def shallow_folder(tmp_path_factory):
    """A model for all tasks, as small as it can be."""
    folder = tmp_path_factory.mktemp("models") / "shallow"
    write_model(folder, SHALLOW, NARROW)
    return folder


@pytest.fixture
def gpu_model(shallow_folder, monkeypatch):
    """The small model, as `load()` treats a large one: on the GPU, in half precision."""
    torch.set_num_threads(1)
    monkeypatch.setenv("COURSE_MODEL", str(shallow_folder))
    monkeypatch.setattr(devices, "SMALL", 0)
    with second_device():
        yield


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_runs_unchanged(place, gpu_model):
    """No tensor of the CPU meets one of the GPU, and what is said to be true is true there, too."""
    check_said(place, run(place, most=MOST))
