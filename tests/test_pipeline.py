"""Notebook 05: the hand-written loop equals diffusers' pipeline, bit for bit."""

from contextlib import contextmanager
from inspect import signature

import diffusers
import numpy as np
import pytest
import torch

from course_utils import depth2img, img2img, inpaint, pipeline
from course_utils.pipeline import check_inputs, text_to_image

SCHEDULERS = {
    "PNDM": diffusers.PNDMScheduler,
    "DDPM": diffusers.DDPMScheduler,
    "DDIM": diffusers.DDIMScheduler,
    "LMS": diffusers.LMSDiscreteScheduler,
    "Euler": diffusers.EulerDiscreteScheduler,
    "EulerAncestral": diffusers.EulerAncestralDiscreteScheduler,
    "Heun": diffusers.HeunDiscreteScheduler,
    "DPM++ 2M": diffusers.DPMSolverMultistepScheduler,
}
STEPS = 6  # so that every scheduler leaves its first ones, which differ, behind
PROMPT, NEGATIVE = "a small robot sitting on a park bench", "zoomed in, blurry, warped"
CASES = {
    "plain": {"prompt": PROMPT},
    "without guidance": {"prompt": PROMPT, "guidance_scale": 1.0},
    "negative": {"prompt": PROMPT, "negative_prompt": NEGATIVE, "guidance_scale": 8.0},
    "batch": {
        "prompt": [PROMPT, "a wave breaking"],
        "negative_prompt": [NEGATIVE, "pixel art"],
    },
    "96 by 160": {"prompt": PROMPT, "height": 96, "width": 160},
}


@contextmanager
def scheduled(pipe, name: str):
    """A pipeline with another scheduler, for a while."""
    own = pipe.scheduler
    pipe.scheduler = SCHEDULERS[name].from_config(own.config)
    try:
        yield pipe
    finally:
        pipe.scheduler = own


def theirs(pipe, output_type, **options):
    options = {"num_inference_steps": STEPS, **options}
    return pipe(
        **options, generator=torch.Generator().manual_seed(5), output_type=output_type
    ).images


def ours(pipe, **options):
    options = {"num_inference_steps": STEPS, **options}
    return text_to_image(pipe, **options, generator=torch.Generator().manual_seed(5))


def drawn(pipe, **options):
    """Our picture, (H, W, 3)."""
    return np.asarray(pipeline.decode(pipe, ours(pipe, **options))[0])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_latents_equal_the_pipeline_s(tiny, scheduler, case):
    with scheduled(tiny, scheduler) as pipe:
        assert torch.equal(ours(pipe, **CASES[case]), theirs(pipe, "latent", **CASES[case]))


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_pocket_model_s_picture_equals_the_pipeline_s(pocket, scheduler):
    with scheduled(pocket, scheduler) as pipe:
        right = np.asarray(theirs(pipe, "pil", **CASES["negative"])[0])
        assert np.array_equal(drawn(pipe, **CASES["negative"]), right)


@pytest.mark.parametrize("g", [1.0, 8.0])
def test_no_negative_prompt_is_the_empty_one(tiny, g):
    none, empty, other = (
        ours(tiny, prompt=[PROMPT] * 2, negative_prompt=given, guidance_scale=g)
        for given in (None, "", "a wave")
    )
    assert torch.equal(none, empty)
    assert torch.equal(none, other) == (g == 1)


PIPELINES = {
    text_to_image: diffusers.StableDiffusionPipeline,
    img2img.img2img: diffusers.StableDiffusionImg2ImgPipeline,
    inpaint.inpaint: diffusers.StableDiffusionInpaintPipeline,
    inpaint.inpaint_blended: diffusers.StableDiffusionInpaintPipeline,
    depth2img.depth2img: diffusers.StableDiffusionDepth2ImgPipeline,
}


@pytest.mark.parametrize("function", PIPELINES)
def test_the_negative_prompt_left_out_is_what_it_is_in_diffusers(function):
    own, library = signature(function), signature(PIPELINES[function].__call__)
    assert own.parameters["negative_prompt"].default is None
    assert library.parameters["negative_prompt"].default is None


def swap_guidance(monkeypatch, pipe):
    monkeypatch.setattr(
        pipeline, "guide", lambda eps, g: eps.chunk(2)[1] + g * (eps.chunk(2)[0] - eps.chunk(2)[1])
    )


def drop_initial_sigma(monkeypatch, pipe):
    monkeypatch.setattr(
        pipeline,
        "initial_noise",
        lambda p, batch, h, w, generator: (
            torch.randn((batch, 4, 16, 16), generator=generator) / p.scheduler.init_noise_sigma
        ),
    )


def drop_scale_model_input(monkeypatch, pipe):
    monkeypatch.setattr(
        type(pipe.scheduler), "scale_model_input", lambda self, sample, t=None: sample
    )


def shift_timesteps(monkeypatch, pipe):
    call = pipe.unet.forward
    monkeypatch.setattr(pipe.unet, "forward", lambda x, t, c, **k: call(x, t + 1, c, **k))


def forget_the_negative_prompt(monkeypatch, pipe):
    embed = pipeline.embed
    monkeypatch.setattr(
        pipeline,
        "embed",
        lambda p, prompts, negative_prompt, guided: embed(p, prompts, None, guided),
    )


def decode_without_the_scaling_factor(monkeypatch, pipe):
    decode, s = pipeline.decode, pipe.vae.config.scaling_factor
    monkeypatch.setattr(pipeline, "decode", lambda p, z: decode(p, s * z))


FAULTS = [
    swap_guidance,
    drop_initial_sigma,
    drop_scale_model_input,
    shift_timesteps,
    forget_the_negative_prompt,
    decode_without_the_scaling_factor,
]


@pytest.fixture(scope="module")
def right(pocket):
    """diffusers' picture with Euler, which ours equals."""
    with scheduled(pocket, "Euler") as pipe:
        picture = np.asarray(theirs(pipe, "pil", **CASES["negative"])[0])
        assert np.array_equal(drawn(pipe, **CASES["negative"]), picture)
    return picture


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault, pocket, right, monkeypatch):
    """Each fault breaks the equality that the tests above demand (here with Euler)."""
    with scheduled(pocket, "Euler") as pipe:
        fault(monkeypatch, pipe)
        assert not np.array_equal(drawn(pipe, **CASES["negative"]), right)


def test_the_watcher_sees_every_step_and_the_clean_estimate_ends_at_the_result(pocket):
    seen = []
    z = text_to_image(
        pocket,
        PROMPT,
        num_inference_steps=10,
        generator=torch.Generator().manual_seed(1),
        watch=lambda i, t, zt, z0: seen.append((i, t, zt, z0)),
    )
    assert [i for i, *_ in seen] == list(range(11))
    far, near = (z - seen[0][3]).abs().mean(), (z - seen[-1][3]).abs().mean()
    assert near < 0.2 * far


BAD = [
    ({"height": 100}, ValueError, "multiple of 8, got 100. Try 96"),
    ({"width": 0}, ValueError, "multiple of 8, got 0. Try 8"),
    ({"prompt": 7}, TypeError, "prompt must be a string"),
    ({"prompt": []}, ValueError, "at least one prompt"),
    ({"prompt": ["a dog", None]}, TypeError, "list of strings"),
    (
        {"prompt": ["a dog"] * 3, "negative_prompt": ["x"] * 2},
        ValueError,
        "3 prompts but 2 negative",
    ),
    ({"negative_prompt": 7}, TypeError, "negative_prompt must be a string or a list of strings"),
    ({"num_inference_steps": 0}, ValueError, "1 or more, got 0"),
    ({"num_inference_steps": 2.5}, TypeError, "whole number, got 2.5"),
    ({"guidance_scale": float("nan")}, ValueError, "finite number, got nan"),
    ({"generator": "meta"}, ValueError, "torch.Generator()"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_bad_input_gets_one_clear_sentence(pocket, options, error, message):
    class Elsewhere:
        device = torch.device("meta")

    if "generator" in options:
        options = {"generator": Elsewhere()}
    with pytest.raises(error) as caught:
        text_to_image(pocket, **{"prompt": PROMPT, **options})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_good_input_passes(tiny):
    for negative_prompt in (None, "", "a cat", ["a cat"]):
        check_inputs(tiny, "a dog", negative_prompt, 1, 0.0, torch.Generator(), 8, None)
