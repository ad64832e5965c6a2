"""Notebook 08: Depth2Img by hand equals diffusers' pipeline, bit for bit."""

import numpy as np
import pytest
import torch
from test_img2img import NEGATIVE, OTHER, PICTURE, PROMPT, TASK_SCHEDULERS

from course_utils import depth2img
from course_utils.depth2img import depth_channel, estimate_depth
from course_utils.drawing import make_scheduler
from course_utils.pipeline import decode
from course_utils.world import sample

NEARNESS = torch.from_numpy(1 / sample(3).depth)[None]
CASES = {
    "estimated": {"prompt": PROMPT, "strength": 0.6, "negative_prompt": NEGATIVE},
    "given": {"prompt": PROMPT, "strength": 1.0, "depth_map": NEARNESS},
    "no guidance": {"prompt": PROMPT, "strength": 0.8, "guidance_scale": 1.0},
    "batch": {"prompt": [PROMPT, NEGATIVE], "image": [PICTURE, OTHER], "strength": 0.8},
    "wide": {"prompt": PROMPT, "image": PICTURE.crop((0, 16, 128, 112)), "strength": 0.6},
}


def options(case: dict) -> dict:
    seeded = {"generator": torch.Generator().manual_seed(5)}
    return {"image": PICTURE, "num_inference_steps": 6, "guidance_scale": 6.0, **case, **seeded}


@pytest.mark.parametrize("scheduler", TASK_SCHEDULERS)
@pytest.mark.parametrize("case", CASES)
def test_latents_equal_the_pipeline_s(tiny_depth2img, scheduler, case):
    pipe = tiny_depth2img
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    ours = depth2img.depth2img(pipe, **options(CASES[case]))
    assert torch.equal(ours, pipe(**options(CASES[case]), output_type="latent").images)


def test_the_picture_equals_the_pipeline_s(tiny_depth2img):
    ours = decode(tiny_depth2img, depth2img.depth2img(tiny_depth2img, **options(CASES["given"])))
    theirs = tiny_depth2img(**options(CASES["given"])).images
    assert np.array_equal(np.asarray(ours[0]), np.asarray(theirs[0]))


def test_the_estimator_sees_every_picture_by_itself(tiny_depth2img):
    both = estimate_depth(tiny_depth2img, [PICTURE, OTHER])
    assert both.shape == (2, 128, 128)
    assert torch.allclose(both[1:], estimate_depth(tiny_depth2img, OTHER), atol=0.01)
    assert not torch.equal(both[0], both[1])


def turn_depth_round(monkeypatch):
    channel = depth2img.depth_channel
    monkeypatch.setattr(depth2img, "depth_channel", lambda *given: -channel(*given))


def forget_the_depth(monkeypatch):
    channel = depth2img.depth_channel
    monkeypatch.setattr(depth2img, "depth_channel", lambda *given: 0 * channel(*given))


@pytest.mark.parametrize("fault", [turn_depth_round, forget_the_depth])
def test_a_planted_fault_is_noticed(tiny_depth2img, monkeypatch, fault):
    theirs = tiny_depth2img(**options(CASES["given"]), output_type="latent").images
    fault(monkeypatch)
    assert not torch.equal(depth2img.depth2img(tiny_depth2img, **options(CASES["given"])), theirs)


def test_the_depth_channel_forgets_unit_and_offset():
    one, other = (depth_channel(seen, 1, [16, 16]) for seen in (NEARNESS, 2 * NEARNESS + 3))
    assert one.shape == (1, 1, 16, 16)
    assert one.min() == -1 and one.max() == 1
    assert torch.allclose(one, other, atol=1e-5)
    assert depth_channel(NEARNESS, 3, [16, 16]).shape == (3, 1, 16, 16)


BAD = [
    ({"depth_map": torch.ones(1, 128, 128)}, ValueError, "not the same everywhere"),
    ({"depth_map": torch.full((1, 8, 8), torch.nan)}, ValueError, "must be finite"),
    ({"depth_map": NEARNESS.numpy()}, TypeError, "must be a tensor of floats"),
    ({"depth_map": NEARNESS.long()}, TypeError, "tensor of floats, got torch.int64"),
    ({"depth_map": "near"}, TypeError, "tensor of floats, got str"),
    ({"depth_map": NEARNESS[0]}, ValueError, "must be (1, H, W), got (128, 128)"),
    ({"depth_map": NEARNESS.repeat(2, 1, 1)}, ValueError, "got (2, 128, 128)"),
    ({"image": PICTURE.convert("RGBA")}, ValueError, "must be RGB, got RGBA"),
    ({"image": PICTURE.resize((12, 128))}, ValueError, "multiples of 8"),
    ({"image": np.asarray(PICTURE)}, TypeError, "got ndarray"),
    ({"strength": -1}, ValueError, "strength must lie in 0..1"),
]


def test_a_unet_for_another_loop_is_refused(tiny_img2img):
    with pytest.raises(ValueError, match=r"takes 4 channels, .* feeds it 5. Try img2img"):
        depth2img.depth2img(tiny_img2img, PROMPT, PICTURE)


def test_only_rgb_pictures_have_their_depth_estimated(tiny_depth2img):
    with pytest.raises(ValueError, match="must be RGB, got L"):
        depth2img.estimate_depth(tiny_depth2img, PICTURE.convert("L"))


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_bad_input_gets_one_clear_sentence(tiny_depth2img, given, error, message):
    with pytest.raises(error) as caught:
        depth2img.depth2img(tiny_depth2img, **options({"prompt": PROMPT, **given}))
    assert message in str(caught.value) and "\n" not in str(caught.value)
