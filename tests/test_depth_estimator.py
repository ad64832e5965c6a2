"""The depth estimator: its training at tiny size, its measure, and its place in diffusers."""

from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionDepth2ImgPipeline, UNet2DConditionModel
from transformers import DPTForDepthEstimation

from course_utils.training.data import world_pictures
from course_utils.training.depth_estimator import (
    INVERSE,
    depth_error,
    depth_loss,
    make_depth_estimator,
    make_feature_extractor,
    metres,
    train_depth_estimator,
)
from course_utils.training.export import PNDM
from course_utils.training.loop import Config, dice
from course_utils.training.vae import to_model
from course_utils.world import sample
from course_utils.world.canvas import FAR

TINY = Config(
    examples=8,
    steps=4,
    batch=4,
    learning_rate=1e-3,
    warmup=1,
    save_every=1,
    threads=1,
    ema_decay=0.5,
    model={
        "patch_size": 16,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.2,
        "backbone_out_indices": [0, 1],
        "reassemble_factors": [4, 2],
        "neck_hidden_sizes": [8, 8],
        "fusion_hidden_size": 8,
    },
    options={},
)
EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A folder with a few rendered pictures."""
    folder = tmp_path_factory.mktemp("build")
    world_pictures(folder, TINY.examples)
    return folder


@pytest.fixture(scope="module")
def world(build):
    return world_pictures(build, TINY.examples)


def new_estimator() -> DPTForDepthEstimation:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    estimator = make_depth_estimator(TINY.model)
    torch.nn.init.normal_(estimator.head.head[4].weight, std=0.5)  # as if it had learned something
    return estimator


def test_it_learns(world):
    estimator, loss = new_estimator(), depth_loss(world)
    optimizer = torch.optim.AdamW(estimator.parameters(), 0.01)
    values = []
    for _ in range(12):
        optimizer.zero_grad()
        losses = loss(estimator, torch.arange(4), dice(0, 0), EVERYTHING)
        losses["loss"].backward()
        optimizer.step()
        values.append(losses["log"].item())
    assert values[-1] < 0.8 * values[0]


def test_it_starts_alive(world):
    said = make_depth_estimator(TINY.model)(to_model(world.pictures[:2])).predicted_depth
    assert torch.equal(said, torch.ones(2, 128, 128))


def test_every_trained_parameter_has_a_gradient(world):
    estimator = new_estimator()
    depth_loss(world)(estimator, torch.arange(2), dice(0, 0), EVERYTHING)["loss"].backward()
    assert all(p.grad is not None for p in estimator.parameters() if p.requires_grad)


def test_shares_of_a_batch_are_parts_of_the_whole(world):
    estimator, loss = new_estimator(), depth_loss(world)
    whole, *parts = (
        loss(estimator, torch.arange(4), dice(0, 0), share)["loss"].item()
        for share in (EVERYTHING, slice(0, 2), slice(2, 4))
    )
    assert parts[0] != parts[1] and sum(parts) / 2 == pytest.approx(whole, rel=1e-5)


def test_it_resumes_to_the_same_weights(build):
    whole = train_depth_estimator(TINY, build / "a").state_dict()
    stopped = train_depth_estimator(TINY, build / "b", stop_after=2).state_dict()
    resumed = train_depth_estimator(TINY, build / "b").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(whole[name], stopped[name]) for name in whole)


def answers(predicted_depth: torch.Tensor):
    """An estimator that always says the same."""
    return lambda x: SimpleNamespace(predicted_depth=predicted_depth)


@pytest.mark.parametrize(("away", "error"), [(1.0, 0.0), (1.25, 0.25), (0.5, 0.5)])
def test_the_error_of_a_known_answer(world, away, error):
    truth = np.minimum(world.depth, 20)  # nothing that is cut off at the sky
    estimator = answers(INVERSE / (away * torch.from_numpy(truth).float()))
    assert depth_error(estimator, world.pictures, truth) == pytest.approx(error, abs=1e-5)


def test_nothing_is_farther_than_the_sky():
    said = metres(torch.tensor([0.0, INVERSE / FAR, INVERSE / 2]))
    assert torch.allclose(said, torch.tensor([FAR, FAR, 2.0]))


def test_a_saved_estimator_says_the_same(tmp_path, world):
    estimator = new_estimator().eval()
    estimator.save_pretrained(tmp_path)
    again = DPTForDepthEstimation.from_pretrained(tmp_path, attn_implementation="eager")
    again = deepcopy(again).to(memory_format=torch.channels_last)  # as ours lies, to the last bit
    x = to_model(world.pictures[:2])
    said = estimator(x).predicted_depth
    assert said.shape == (2, 128, 128) and said.min() >= 0
    assert torch.equal(again(x).predicted_depth, said)


@pytest.mark.parametrize("size", [(128, 128), (64, 96)])
def test_the_feature_extractor_makes_the_estimator_s_input(size):
    picture = sample(0).picture
    x = make_feature_extractor()(picture.resize(size), return_tensors="pt").pixel_values
    assert x.shape == (1, 3, 128, 128)
    if size == picture.size:
        assert torch.allclose(x, to_model(np.asarray(picture)[None]), atol=1e-6)


@pytest.fixture
def depth_pipe(tiny_parts):
    """A depth-to-image pipeline with a tiny estimator."""
    torch.manual_seed(0)
    config = {n: v for n, v in tiny_parts["unet"].config.items() if not n.startswith("_")}
    unet = UNet2DConditionModel(**{**config, "in_channels": 5})
    pipe = StableDiffusionDepth2ImgPipeline(
        **{**tiny_parts, "unet": unet},
        scheduler=PNDMScheduler.from_config(PNDM),
        depth_estimator=new_estimator().eval(),
        feature_extractor=make_feature_extractor(),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def test_diffusers_asks_the_estimator(depth_pipe, tmp_path):
    picture = sample(0).picture
    depth_pipe.save_pretrained(tmp_path)
    again = StableDiffusionDepth2ImgPipeline.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    depth = again.prepare_depth_map(picture, None, 1, False, torch.float32, torch.device("cpu"))
    assert depth.shape == (1, 1, 16, 16) and depth.min() == -1 and depth.max() == 1
    options = {"prompt": "a wave breaking", "image": picture, "num_inference_steps": 4}
    drawn = [
        pipe(**options, generator=torch.Generator().manual_seed(1), output_type="np").images
        for pipe in (depth_pipe, again)
    ]
    assert drawn[0].shape == (1, 128, 128, 3)
    assert np.allclose(drawn[0], drawn[1], atol=1e-3)
