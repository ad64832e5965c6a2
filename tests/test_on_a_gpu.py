"""Every notebook on a GPU, or on what stands for one here: `two_devices`."""

import pytest
from any_model import check_said, run
from two_devices import second_device

from course_utils import devices
from course_utils.authoring.source import places


@pytest.fixture
def gpu_model(hub_model, monkeypatch):
    """The small model, as `load()` treats a large one: on the GPU, in half precision."""
    monkeypatch.setattr(devices, "SMALL", 0)
    with second_device():
        yield


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_runs_unchanged(place, gpu_model):
    """No tensor of the CPU meets one of the GPU, and what is said to be true is true there, too."""
    check_said(place, run(place))
