"""Notebook 01: the autoencoder by hand equals diffusers', and its measures measure."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from course_utils import vae
from course_utils.models import architecture
from course_utils.world import HELD_OUT, sample


@pytest.fixture(scope="module")
def tiny_vae():
    """Random weights, four levels like the real one, and a scaling factor of its own."""
    torch.manual_seed(0)
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[4, 4, 8, 8],
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.5,
    ).eval()


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def dice():
    return torch.Generator().manual_seed(4)


def random_picture(width=24, height=16):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_pictures_become_tensors_as_in_the_pipeline():
    picture = random_picture()
    ours = vae.to_tensor(picture)
    theirs = VaeImageProcessor().preprocess(picture)
    assert torch.equal(ours, theirs) and ours.shape == (1, 3, 16, 24)
    assert ours.stride() == theirs.stride()  # the last bits of what is made of it depend on it


def test_tensors_become_pictures_as_in_the_pipeline():
    x = 1.5 * torch.randn(1, 3, 16, 24, generator=dice())  # some of it outside -1..1
    theirs = VaeImageProcessor().postprocess(x)[0]
    assert np.array_equal(np.asarray(vae.to_picture(x)), np.asarray(theirs))


def test_a_picture_survives_the_way_to_a_tensor_and_back():
    picture = random_picture()
    assert np.array_equal(np.asarray(vae.to_picture(vae.to_tensor(picture))), np.asarray(picture))


def test_the_encoder_by_hand_equals_diffusers(tiny_vae, x):
    mean, std = vae.posterior(tiny_vae, x)
    with torch.no_grad():
        theirs = tiny_vae.encode(x).latent_dist
    assert mean.shape == (2, 4, 4, 6)
    assert torch.equal(mean, theirs.mean) and torch.equal(std, theirs.std)


@pytest.mark.parametrize("generator", [None, dice])
def test_encoding_draws_and_scales_as_the_pipeline_does(tiny_vae, x, generator):
    with torch.no_grad():
        theirs = tiny_vae.encode(x).latent_dist
    z = theirs.sample(generator()) if generator else theirs.mode()
    ours = vae.encode(tiny_vae, x, generator() if generator else None)
    assert torch.equal(ours, tiny_vae.config.scaling_factor * z)


def test_the_decoder_by_hand_equals_diffusers(tiny_vae):
    z = torch.randn(2, 4, 3, 5, generator=dice())
    with torch.no_grad():
        theirs = tiny_vae.decode(z / tiny_vae.config.scaling_factor).sample
    ours = vae.decode(tiny_vae, z)
    assert ours.shape == (2, 3, 24, 40) and torch.equal(ours, theirs)


def test_the_posterior_is_sampled_with_its_standard_deviation():
    mean, std = torch.full((1, 4, 64, 64), 3.0), torch.full((1, 4, 64, 64), 0.5)
    z = vae.draw_latents(mean, std, dice())
    assert abs(float(z.mean()) - 3) < 0.02 and abs(float(z.std()) - 0.5) < 0.02
    assert torch.equal(z, vae.draw_latents(mean, std, dice()))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((3, 16, 16), r"\(B, 3, H, W\)"),
        ((1, 1, 16, 16), r"\(B, 3, H, W\)"),
        ((1, 3, 16, 20), "multiples of 8, got 16 × 20.*16 × 16"),
        ((1, 3, 7, 32), "got 7 × 32.*8 × 32"),
        ((1, 3, 0, 8), "multiples of 8"),
    ],
)
def test_a_wrong_shape_is_refused(tiny_vae, shape, words):
    with pytest.raises(ValueError, match=words):
        vae.encode(tiny_vae, torch.zeros(shape))


@pytest.mark.parametrize("value", [255.0, -1.01, float("nan")])
def test_a_wrong_range_is_refused(tiny_vae, value):
    with pytest.raises(ValueError, match="-1..1"):
        vae.encode(tiny_vae, torch.full((1, 3, 8, 8), value))


def test_pictures_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="fromarray"):
        vae.to_tensor(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="convert"):
        vae.to_tensor(Image.new("RGBA", (8, 8)))
    with pytest.raises(ValueError, match="one picture"):
        vae.to_picture(torch.zeros(2, 3, 8, 8))


def test_what_is_no_latent_is_refused(tiny_vae):
    with pytest.raises(ValueError, match=r"\(B, 4, h, w\), got \(1, 3, 8, 8\)"):
        vae.decode(tiny_vae, torch.zeros(1, 3, 8, 8))


def test_psnr_equals_that_of_scikit_image(x):
    y = (x + 0.1 * torch.randn(x.shape, generator=dice())).clamp(-1, 1)
    theirs = peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=2)
    assert vae.psnr(x, y) == pytest.approx(theirs, rel=1e-5)
    assert vae.psnr(x, x) == float("inf")


def test_ssim_falls_from_one_as_noise_grows(x):
    noise = torch.randn(x[:1].shape, generator=dice())
    values = [vae.ssim(x[:1], (x[:1] + level * noise)) for level in (0, 0.1, 0.5, 2)]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True) and values[-1] < 0.3


def test_ssim_knows_the_range_of_the_pictures(x):
    y = -x[:1] / 2
    theirs = structural_similarity(
        *(picture[0].permute(1, 2, 0).numpy() for picture in (x[:1], y)),
        channel_axis=2,
        data_range=2,
    )
    assert vae.ssim(x[:1], y) == pytest.approx(float(theirs), abs=1e-6)


def test_the_difference_is_in_grey_levels_of_0_to_255():
    black, white = -torch.ones(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    red = black.clone()
    red[:, 0] = 1
    assert np.allclose(vae.difference(black, white), 255)
    assert np.allclose(vae.difference(black, red), 85)


@pytest.mark.parametrize("measure", [vae.psnr, vae.ssim, vae.difference])
def test_pictures_of_different_shapes_are_not_compared(measure):
    with pytest.raises(ValueError, match="same shape"):
        measure(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 16))


def test_the_stages_hold_every_parameter_and_the_right_shapes(tiny_vae):
    stages = vae.stages(tiny_vae, 32, 48)
    assert sum(s.parameters for s in stages) == sum(p.numel() for p in tiny_vae.parameters())
    shapes = {s.name: s.shape for s in stages}
    assert (stages[0].name, stages[0].shape) == ("picture", (3, 32, 48))
    assert (stages[-1].name, stages[-1].shape) == ("picture", (3, 32, 48))
    assert shapes["μ, log σ²"] == (8, 4, 6) and shapes["latents"] == (4, 4, 6)
    assert shapes["down 1"] == (4, 16, 24) and shapes["up 4"] == (4, 32, 48)


def test_the_real_autoencoder_has_the_shapes_of_the_article():
    real = architecture("sd-2.1", "vae")
    x = torch.empty(1, 3, 512, 512, device="meta")
    z = vae.encode(real, x)
    assert z.shape == (1, 4, 64, 64)
    assert vae.decode(real, z).shape == (1, 3, 512, 512)
    assert sum(s.parameters for s in vae.stages(real, 64, 64)) == 83_653_863


def test_the_bundled_autoencoder_brings_pictures_back(pocket):
    x = torch.cat([vae.to_tensor(sample(HELD_OUT + i).picture) for i in range(6)])
    z = vae.encode(pocket.vae, x)
    assert z.shape == (6, 4, 16, 16)
    assert vae.psnr(vae.decode(pocket.vae, z), x) > 22


def test_the_scaling_factor_gives_the_latents_unit_variance(pocket):
    x = torch.cat([vae.to_tensor(sample(HELD_OUT + i).picture) for i in range(40)])
    z = vae.encode(pocket.vae, x, dice())
    assert float(z.std()) == pytest.approx(1, abs=0.08)
