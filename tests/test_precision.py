"""Every loop in half precision, as on a GPU: equal to diffusers' pipeline, bit for bit."""

import copy
from unittest.mock import patch

import pytest
import torch
from accelerate import cpu_offload_with_hook
from diffusers import DiffusionPipeline
from test_depth2img import NEARNESS
from test_img2img import NEGATIVE, PICTURE, PROMPT
from test_inpaint import MASK, tiny_four  # noqa: F401  a fixture

from course_utils.depth2img import depth2img
from course_utils.drawing import make_scheduler
from course_utils.img2img import img2img
from course_utils.inpaint import inpaint, inpaint_blended
from course_utils.pipeline import text_to_image

PRECISIONS = (torch.bfloat16, torch.float16)
SCHEDULERS = ("pndm", "euler", "dpm++")
HOLE = {"image": PICTURE, "mask": MASK}
CASES = {  # the loop, the tiny model it needs, what it is asked for
    "text": (text_to_image, "tiny", {}),
    "img2img": (img2img, "tiny_img2img", {"image": PICTURE, "strength": 0.6}),
    "inpaint": (inpaint, "tiny_inpaint", HOLE | {"strength": 1.0}),
    "inpaint from the picture": (inpaint, "tiny_inpaint", HOLE | {"strength": 0.6}),
    "blended": (inpaint_blended, "tiny_four", HOLE | {"strength": 1.0}),
    "blended from the picture": (inpaint_blended, "tiny_four", HOLE | {"strength": 0.6}),
    "depth": (depth2img, "tiny_depth2img", {"image": PICTURE, "strength": 0.6}),
    "depth given": (depth2img, "tiny_depth2img", {"image": PICTURE, "depth_map": NEARNESS}),
}


def copied(pipe):
    """A pipeline with networks of its own; the tokenizer, slowest to copy, is shared."""
    return copy.deepcopy(pipe, {id(pipe.tokenizer): pipe.tokenizer})


def seeded(options: dict) -> dict:
    given = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": 4}
    return {
        **given,
        "guidance_scale": 6.0,
        **options,
        "generator": torch.Generator().manual_seed(5),
    }


def theirs(pipe, options):
    given = seeded(options)
    if "mask" in given:
        given["mask_image"] = given.pop("mask")
    return pipe(**given, output_type="latent").images


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_latents_equal_the_pipeline_s_in_half_precision(case, dtype, scheduler, request):
    loop, model, options = CASES[case]
    pipe = copied(request.getfixturevalue(model)).to(dtype)
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    z = loop(pipe, **seeded(options))
    assert z.dtype == dtype and torch.isfinite(z).all() and z.float().std() > 0.1
    assert torch.equal(z, theirs(pipe, options))


@pytest.mark.parametrize("case", CASES)
def test_what_a_loop_makes_goes_where_the_pipeline_computes(case, request):
    """Under CPU offload `pipe.device` is the CPU: the meta device plays the GPU's part here."""
    loop, model, options = CASES[case]
    pipe = copied(request.getfixturevalue(model))
    asked = []

    def device(self):
        asked.append(True)
        return torch.device("cpu")

    with (
        patch.object(DiffusionPipeline, "_execution_device", property(device)),
        patch.object(DiffusionPipeline, "device", property(lambda self: torch.device("meta"))),
    ):
        loop(pipe, **seeded(options))
    assert asked


def test_an_offloaded_vae_is_fetched_before_it_encodes(tiny_img2img):
    pipe = copied(tiny_img2img)
    right = img2img(pipe, **seeded({"image": PICTURE}))
    pipe.vae, _ = cpu_offload_with_hook(pipe.vae, torch.device("cpu"))
    fetched = []
    pre_forward = pipe.vae._hf_hook.pre_forward
    pipe.vae._hf_hook.pre_forward = lambda *given: fetched.append(1) or pre_forward(*given)
    z = img2img(pipe, **seeded({"image": PICTURE}))
    assert fetched and torch.equal(z, right)
