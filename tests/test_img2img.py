"""Notebook 06: Img2Img by hand equals diffusers' pipeline, bit for bit."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import img2img
from course_utils.drawing import SCHEDULERS, make_scheduler
from course_utils.img2img import fit_picture, last_timesteps
from course_utils.pipeline import decode
from course_utils.world import sample

PICTURE, OTHER = sample(3).picture, sample(4).picture
PROMPT, NEGATIVE = "a small robot on a park bench", "a wave breaking"
TASK_SCHEDULERS = [name for name in SCHEDULERS if name != "ddpm"]
CASES = {
    "weak": {"prompt": PROMPT, "strength": 0.3},
    "middle": {"prompt": PROMPT, "strength": 0.6, "negative_prompt": NEGATIVE},
    "forgotten": {"prompt": PROMPT, "strength": 1.0},
    "no guidance": {"prompt": PROMPT, "strength": 0.6, "guidance_scale": 1.0},
    "batch": {"prompt": [PROMPT, NEGATIVE], "image": [PICTURE, OTHER], "strength": 0.6},
    "wide": {"prompt": PROMPT, "image": PICTURE.crop((0, 16, 128, 112)), "strength": 0.6},
}


def options(case: dict) -> dict:
    seeded = {"generator": torch.Generator().manual_seed(5)}
    return {"image": PICTURE, "num_inference_steps": 6, "guidance_scale": 6.0, **case, **seeded}


@pytest.mark.parametrize("scheduler", TASK_SCHEDULERS)
@pytest.mark.parametrize("case", CASES)
def test_latents_equal_the_pipeline_s(tiny_img2img, scheduler, case):
    pipe = tiny_img2img
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    ours = img2img.img2img(pipe, **options(CASES[case]))
    theirs = pipe(**options(CASES[case]), output_type="latent").images
    assert torch.equal(ours, theirs)


def test_the_picture_equals_the_pipeline_s(tiny_img2img):
    ours = decode(tiny_img2img, img2img.img2img(tiny_img2img, **options(CASES["middle"])))
    theirs = tiny_img2img(**options(CASES["middle"])).images
    assert np.array_equal(np.asarray(ours[0]), np.asarray(theirs[0]))


def forget_the_posterior(monkeypatch, pipe):
    monkeypatch.setattr(img2img, "latents", lambda p, x, g: img2img.vae.encode(p.vae, x))


def encode_without_the_scaling_factor(monkeypatch, pipe):
    latents, s = img2img.latents, pipe.vae.config.scaling_factor
    monkeypatch.setattr(img2img, "latents", lambda p, x, g: latents(p, x, g) / s)


def start_at_the_beginning(monkeypatch, pipe):
    monkeypatch.setattr(img2img, "last_timesteps", lambda s, n, strength: last_timesteps(s, n, 1.0))


def forget_the_noise(monkeypatch, pipe):
    monkeypatch.setattr(img2img, "noisy", lambda s, z, t, g: z)


FAULTS = [
    forget_the_posterior,
    encode_without_the_scaling_factor,
    start_at_the_beginning,
    forget_the_noise,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(tiny_img2img, monkeypatch, fault):
    theirs = tiny_img2img(**options(CASES["middle"]), output_type="latent").images
    fault(monkeypatch, tiny_img2img)
    assert not torch.equal(img2img.img2img(tiny_img2img, **options(CASES["middle"])), theirs)


def test_strength_zero_gives_the_picture_s_own_latents(tiny_img2img):
    tiny_img2img.scheduler = make_scheduler("ddim", tiny_img2img.scheduler)
    z = img2img.img2img(tiny_img2img, **options({"prompt": PROMPT, "strength": 0.0}))
    x = img2img.pixels(PICTURE, 1)
    assert torch.equal(z, img2img.latents(tiny_img2img, x, torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("scheduler", TASK_SCHEDULERS)
def test_strength_is_the_share_of_the_steps(pocket, scheduler):
    made = make_scheduler(scheduler, pocket.scheduler)
    made.set_timesteps(20)
    every = made.timesteps
    for strength in (0.0, 0.04, 0.05, 0.5, 0.99, 1.0):
        left = last_timesteps(made, 20, strength)
        dropped = (20 - math.floor(20 * strength)) * made.order
        assert torch.equal(left, every[dropped:])
        extra = {"pndm": 1, "heun": -1 if strength else 0}.get(scheduler, 0)
        assert len(left) == max(int(20 * strength) * made.order + extra, 0)


BAD = [
    ({"strength": 1.2}, ValueError, "strength must lie in 0..1, got 1.2"),
    ({"strength": -0.1}, ValueError, "strength must lie in 0..1"),
    ({"strength": float("nan")}, ValueError, "got nan"),
    ({"strength": "much"}, TypeError, "number from 0 to 1, got 'much'"),
    ({"image": PICTURE.convert("RGBA")}, ValueError, "must be RGB, got RGBA"),
    ({"image": PICTURE.convert("L")}, ValueError, "must be RGB, got L"),
    ({"image": PICTURE.resize((1, 1))}, ValueError, "multiples of 8, got 1 × 1"),
    ({"image": PICTURE.resize((100, 128))}, ValueError, "got 100 × 128. Try img2img.fit_picture"),
    ({"image": np.zeros((128, 128, 3))}, TypeError, "got ndarray"),
    ({"image": [np.zeros((128, 128, 3))]}, TypeError, "got ndarray"),
    ({"image": None}, TypeError, "got NoneType"),
    ({"image": [PICTURE, OTHER]}, ValueError, "1 prompts but 2 pictures"),
    (
        {"prompt": [PROMPT] * 2, "image": [PICTURE, PICTURE.resize((64, 64))]},
        ValueError,
        "different sizes",
    ),
    ({"prompt": 7}, TypeError, "prompt must be a string"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
def test_bad_input_gets_one_clear_sentence(pocket, given, error, message):
    with pytest.raises(error) as caught:
        img2img.img2img(pocket, **{"prompt": PROMPT, "image": PICTURE, **given})
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_fit_picture_leaves_a_fitting_picture_alone():
    assert np.array_equal(np.asarray(fit_picture(PICTURE)), np.asarray(PICTURE))


def test_fit_picture_obeys_the_camera(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    PICTURE.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(fit_picture(tmp_path / "photo.png")), np.asarray(PICTURE))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "P", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(8, 8), (4000, 3000), (9, 500)])
def test_fit_picture_takes_every_kind(mode, size):
    fitted = fit_picture(Image.new(mode, size))
    assert fitted.mode == "RGB" and fitted.size == (128, 128)


def test_fit_picture_shows_white_where_nothing_is():
    assert np.asarray(fit_picture(Image.new("RGBA", (16, 16), (0, 0, 0, 0)))).min() == 255


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((Image.new("RGB", (1, 1)),), ValueError, "1 × 1 pixels, too few"),
        ((np.zeros((8, 8)),), TypeError, "got ndarray"),
        (("no such file.png",), ValueError, "cannot read a picture"),
        ((PICTURE, 100), ValueError, "multiple of 8, got 100"),
    ],
)
def test_fit_picture_refuses(given, error, message):
    with pytest.raises(error, match=message):
        fit_picture(*given)
