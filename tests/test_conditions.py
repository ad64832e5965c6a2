"""What the UNets of inpainting and Depth2Img see in training."""

import copy

import numpy as np
import pytest
import torch

from course_utils.depth2img import depth_channel
from course_utils.inpaint import box_around, hole_channels, mask_tensor
from course_utils.training import conditions
from course_utils.training.conditions import depth_channels, inpaint_channels, random_mask
from course_utils.training.data import world_pictures
from course_utils.training.vae import to_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return world_pictures(tmp_path_factory.mktemp("world"), 6)


def test_the_unet_sees_the_hole_as_the_pipeline_shows_it(world, pocket, monkeypatch):
    """Up to half precision, and to the mean where the pipeline throws dice."""
    own = copy.deepcopy(pocket.vae)  # training lays it out anew, which changes its last bits
    seen = inpaint_channels(world, own, CPU).float()
    assert seen.shape == (6, 5, 16, 16)
    for k in range(6):
        mask = random_mask(world.labels[k], np.random.default_rng(k))
        m = mask_tensor(mask, (128, 128))
        shown = hole_channels(pocket, to_model(world.pictures[k][None]), m, None)[0]
        assert torch.equal(seen[k, :1], shown[:1])
        assert (seen[k, 1:] - shown[1:]).abs().mean() < 0.1


def test_the_unet_sees_depth_as_the_pipeline_shows_it(world):
    seen = depth_channels(world, None, CPU)
    shown = depth_channel(
        torch.from_numpy(1 / world.depth[3].astype(np.float32))[None], 1, [16, 16]
    )
    assert seen.shape == (6, 1, 16, 16)
    assert torch.allclose(seen[3].float(), shown[0], atol=1e-3)


@pytest.mark.parametrize("kind", conditions.MASKS)
def test_masks_of_every_kind_cover_something(world, monkeypatch, kind):
    monkeypatch.setattr(conditions, "MASKS", {kind: 1.0})
    masks = [random_mask(world.labels[n % 6], np.random.default_rng(n)) for n in range(30)]
    assert all(mask.shape == (128, 128) and mask.dtype == bool and mask.any() for mask in masks)
    assert len({mask.tobytes() for mask in masks}) == (1 if kind == "everything" else 30)
    again = random_mask(world.labels[0], np.random.default_rng(0))
    assert np.array_equal(again, masks[0])


def test_a_thing_is_covered_whole(world, monkeypatch):
    monkeypatch.setattr(conditions, "MASKS", {"thing": 1.0})
    for n in range(30):
        labels = world.labels[n % 6]
        mask = random_mask(labels, np.random.default_rng(n))
        whole = [k for k in np.unique(labels) if k and mask[labels == k].all()]
        assert whole, f"mask {n} covers no thing whole"


def test_around_is_the_smallest_box():
    mask = np.zeros((10, 12), bool)
    mask[3, 4] = mask[5, 7] = True
    box = np.zeros((10, 12), bool)
    box[3:6, 4:8] = True
    assert np.array_equal(box_around(mask), box)
    box[:] = False
    box[1:8, 2:10] = True
    assert np.array_equal(box_around(mask, 2), box)
