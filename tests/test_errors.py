"""Models that do not predict noise are refused wherever their answer would be taken for it."""

import copy

import diffusers
import pytest
import torch
from PIL import Image

from course_utils import depth2img, img2img, inpaint, pipeline, schedulers
from course_utils.errors import check_prediction_type
from course_utils.training.lora import train_lora
from course_utils.training.miniature import train_miniature
from course_utils.training.textual_inversion import train_word

OTHERS = ("v_prediction", "sample")
PICTURE, MASK = Image.new("RGB", (128, 128)), Image.new("L", (128, 128), 255)
Z = torch.zeros(1, 4, 16, 16)
GIVEN = {  # what a loop is given beside the pipeline: the fixture that makes this
    pipeline.text_to_image: ("tiny", ["a wave"]),
    img2img.img2img: ("tiny_img2img", ["a wave", PICTURE]),
    inpaint.inpaint: ("tiny_inpaint", ["a wave", PICTURE, MASK]),
    inpaint.inpaint_blended: ("tiny_img2img", ["a wave", PICTURE, MASK]),
    depth2img.depth2img: ("tiny_depth2img", ["a wave", PICTURE]),
    pipeline.denoise: ("tiny", [Z, torch.tensor([1]), torch.zeros(2, 77, 8), 2.0]),
    schedulers.listen: ("tiny", ["a wave"]),
    train_lora: ("tiny", [None, None]),
    train_miniature: ("tiny", [None, None]),
    train_word: ("tiny", [None, None]),
}


def scheduler(kind: str, name: str = "PNDMScheduler"):
    made = getattr(diffusers, name)(prediction_type=kind)
    made.set_timesteps(4)
    return made


def refused(kind: str):
    return pytest.raises(ValueError, match=f"prediction_type is '{kind}'.*'epsilon'.*Try load")


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("function", GIVEN, ids=lambda one: one.__name__)
def test_a_model_that_predicts_something_else_is_refused(function, kind, request):
    fixture, given = GIVEN[function]
    pipe = copy.copy(request.getfixturevalue(fixture))
    pipe.scheduler = scheduler(kind)
    with refused(kind):
        function(pipe, *given)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler"])
def test_the_clean_estimate_and_the_comparison_refuse_it(kind, name):
    other = scheduler(kind, name)
    with refused(kind):
        pipeline.clean_estimate(other, Z, Z, 1)
    ours = schedulers.DDIM(other.alphas_cumprod, 4)
    with refused(kind):
        schedulers.agrees(ours, other, lambda xt, t: xt, Z)


def test_it_is_one_line():
    with pytest.raises(ValueError) as caught:
        check_prediction_type(scheduler("sample"))
    assert "\n" not in str(caught.value)


def test_noise_and_schedulers_that_do_not_say_are_taken():
    check_prediction_type(scheduler("epsilon"))
    check_prediction_type(object())
