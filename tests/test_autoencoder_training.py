"""The training of the autoencoder at tiny size: each loss does what it is for, and runs resume."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from course_utils.training import autoencoder, perceptual, photographs
from course_utils.training.autoencoder import (
    Gallery,
    Log,
    Training,
    Weights,
    crops,
    detail,
    latent_shape,
    make_gallery,
    make_vae,
    measures,
    read_log,
    reconstructed,
    reconstruction_loss,
    to_model,
    to_pixels,
    train_autoencoder,
)
from course_utils.training.discriminator import (
    PatchDiscriminator,
    adaptive_weight,
    frozen,
    hinge_loss,
)
from course_utils.training.loop import Config, dice, fit, read_config
from course_utils.training.muon import muon, orthogonal
from course_utils.training.perceptual import load_perceptual

LOSSES = {"perceptual": 0.1, "adversarial": 0.1, "adversarial_start": 2, "kl": 1e-3}
TINY = Config(
    examples=16,
    steps=6,
    batch=4,
    learning_rate=1e-3,
    warmup=2,
    save_every=2,
    threads=1,
    ema_decay=0.5,
    model={"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4},
    options={
        "crop": 32,
        "muon": True,
        "photographs": 0.2,
        "held_out": 2,
        "measure_every": 2,
        "perceptual": "judge",
        "losses": LOSSES,
    },
)
SHIPPED = ("autoencoder", "ablation/all", "ablation/no_perceptual", "ablation/no_adversarial")


@pytest.fixture(scope="module")
def world() -> np.ndarray:
    """Smooth pictures in place of renders, (18, 128, 128, 3)."""
    small = torch.rand(18, 3, 8, 8, generator=dice(0, 0)) * 2 - 1
    return to_pixels(torch.nn.functional.interpolate(small, (128, 128), mode="bilinear"))


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=dice(1, 0)) * 2 - 1


@pytest.fixture(autouse=True)
def few_photographs(monkeypatch):
    monkeypatch.setattr(autoencoder, "HELD_OUT_CROPS", 2)


def weights(module) -> list[torch.Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def tiny_training(**losses) -> Training:
    torch.manual_seed(0)
    chosen = Weights(**losses)
    return Training(
        make_vae(TINY.model),
        chosen,
        load_perceptual("judge", None) if chosen.perceptual else None,
        PatchDiscriminator(4) if chosen.adversarial else None,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory, world):
    """An autoencoder whose training was never stopped, and the folder of its run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "HELD_OUT_CROPS", 2)
        folder = tmp_path_factory.mktemp("whole") / "run"
        return train_autoencoder(TINY, folder, world), folder


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_run_with_all_losses_resumes_to_the_same_weights(tmp_path, world, whole, killed_after):
    """Before the discriminator's start and after it."""
    folder = tmp_path / "run"
    train_autoencoder(TINY, folder, world, stop_after=killed_after)
    resumed = train_autoencoder(TINY, folder, world)
    assert same(weights(whole[0]), weights(resumed))
    assert resumed.config.scaling_factor == whole[0].config.scaling_factor > 0
    assert read_log(folder) == read_log(whole[1])


def test_the_log_has_losses_and_measures_of_each_moment(whole):
    log = read_log(whole[1])
    assert [line["step"] for line in log] == [2, 4, 6]
    wanted = {"reconstruction", "perceptual", "kl", "adversarial", "discriminator", "world_psnr"}
    assert all(wanted <= set(line) for line in log)


def test_a_step_measured_twice_counts_once(tmp_path):
    log = Log(tmp_path, {})
    log.write(2, {"loss": 3.0})
    log.write(4, {"loss": 2.0})
    log.write(4, {"loss": 1.0})
    assert read_log(tmp_path) == [{"step": 2, "loss": 3.0}, {"step": 4, "loss": 1.0}]


def test_the_latents_have_unit_variance_after_scaling(whole, world):
    vae = whole[0]
    latents = vae.encode(to_model(world)).latent_dist.sample(dice(5, 0))
    assert float(latents.detach().std()) * vae.config.scaling_factor == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("extra", [{}, {"perceptual": 1.0}, {"adversarial": 1.0}])
def test_every_loss_is_named_and_finite(noise, extra):
    losses = tiny_training(**extra)(noise, torch.zeros(2, 4, 4, 4))
    names = {"loss", "reconstruction", "kl"}
    if "perceptual" in extra:
        names |= {"perceptual"}
    if "adversarial" in extra:
        names |= {"adversarial", "adversarial_weight", "discriminator"}
    assert set(losses) == names
    assert all(bool(torch.isfinite(value)) for value in losses.values())


def test_the_discriminator_rests_until_its_start(noise):
    training = tiny_training(adversarial=1.0, adversarial_start=1)
    first, second = (training(noise, torch.zeros(2, 4, 4, 4)) for _ in range(2))
    assert float(first["adversarial_weight"]) == float(first["discriminator"]) == 0
    assert float(second["adversarial_weight"]) > 0 and float(second["discriminator"]) > 0


def test_each_network_learns_from_its_own_loss_alone(noise):
    """The gradient of the discriminator is that of the hinge loss, untouched by the decoder's."""
    training = tiny_training(adversarial=1.0)
    y, _ = training.round_trip(noise, torch.zeros(2, 4, 4, 4))
    training(noise, torch.zeros(2, 4, 4, 4))["loss"].backward()
    found = [weight.grad.clone() for weight in training.discriminator.parameters()]
    training.zero_grad()
    judged = training.discriminator(noise), training.discriminator(y.detach())
    hinge_loss(*judged).backward()
    for gradient, weight in zip(found, training.discriminator.parameters(), strict=True):
        torch.testing.assert_close(gradient, weight.grad)


def test_the_feature_network_is_not_trained(noise):
    training = tiny_training(perceptual=1.0)
    before = weights(training.perceptual)
    optimizer = torch.optim.AdamW(training.parameters(), 0.1)
    training(noise, torch.zeros(2, 4, 4, 4))["loss"].backward()
    optimizer.step()
    assert same(before, weights(training.perceptual))


def test_the_perceptual_distance_sees_blur_more_than_light(noise):
    """Of two changes with the same squared error it minds the one that we mind."""
    distance = load_perceptual("judge", None)
    crop = photographs.photograph_crops(("chelsea",), 1)
    x = to_model(crop)
    blur = torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    lighter = x + (blur - x).square().mean().sqrt()
    assert float(distance(x, x)) == 0
    assert float(distance(x, blur)) > 2 * float(distance(x, lighter))


def test_a_transformer_s_tokens_are_compared_too(noise):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = CLIPVisionConfig(**sizes, num_hidden_layers=1, image_size=128, patch_size=16)
    distance = perceptual.PerceptualDistance(CLIPVisionModel(config), interpolate_pos_encoding=True)
    assert float(distance(noise, noise)) == 0 < float(distance(noise, -noise))


def test_an_unknown_perceptual_distance_says_what_is_known():
    with pytest.raises(ValueError, match="none, judge, clip"):
        load_perceptual("vgg", None)


def test_a_discriminator_learns_to_tell_blur(world):
    torch.manual_seed(0)
    network = PatchDiscriminator(8)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(60):
        real = torch.randn(8, 3, 16, 16, generator=dice(2, step))
        fake = torch.nn.functional.avg_pool2d(real, 3, stride=1, padding=1)
        loss = hinge_loss(network(real), network(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(network(real).mean()) > float(network(fake).mean()) + 0.5


def test_the_hinge_loss_is_zero_beyond_the_margin():
    assert hinge_loss(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, -3.0])) == 0
    assert hinge_loss(torch.zeros(2), torch.zeros(2)) == 1


def test_the_adaptive_weight_makes_gradients_equally_long():
    last = torch.tensor([1.0, 2.0], requires_grad=True)
    weight = adaptive_weight((3 * last).sum(), (0.5 * last).sum(), last)
    assert float(weight) == pytest.approx(6, rel=1e-3) and not weight.requires_grad


def test_a_frozen_network_passes_gradients_through():
    network, x = PatchDiscriminator(4), torch.zeros(1, 3, 16, 16, requires_grad=True)
    with frozen(network):
        network(x).mean().backward()
    assert x.grad is not None
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())


def test_the_reconstruction_loss_counts_edges(noise):
    flat, striped = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    striped[..., ::2] = 1
    none, half = Weights(squared=0, edges=0), Weights(squared=0, edges=0.5)
    assert float(reconstruction_loss(flat, flat, half)) == 0
    assert float(reconstruction_loss(flat, striped, none)) == pytest.approx(0.5)
    assert float(reconstruction_loss(flat, striped, half)) == pytest.approx(1)


def test_detail_is_what_blur_takes_away():
    sharp = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    flat = np.full((2, 16, 16, 3), 128, np.uint8)
    assert detail(sharp).shape == (2,)
    assert (detail(sharp) > 0.1).all() and (detail(flat) < 1e-9).all()
    assert measures(sharp, sharp)["detail"] == 1


def test_pictures_come_back_as_pixels(world):
    assert np.array_equal(to_pixels(to_model(world)), world)


def test_a_round_trip_keeps_the_shape(world):
    assert reconstructed(make_vae(TINY.model), world[:3]).shape == (3, 128, 128, 3)


def test_crops_lie_on_a_grid_of_eight_pixels(world):
    cut = crops(world, torch.tensor([0, 1, 0]), 64, dice(0, 0))
    assert cut.shape == (3, 64, 64, 3)
    corners = [(y, x) for y in range(0, 65, 8) for x in range(0, 65, 8)]
    assert any(np.array_equal(world[0, y : y + 64, x : x + 64], cut[0]) for y, x in corners)


def test_photographs_have_their_share(world):
    gallery = make_gallery(world, 0.1)
    assert len(gallery) == 20 and len(gallery.photographs) == 2
    assert np.array_equal(gallery[17], world[17])
    assert np.array_equal(gallery[18], gallery.photographs[0])
    assert len(make_gallery(world, 0)) == len(world)
    assert isinstance(gallery, Gallery)


def test_photographs_to_measure_on_are_not_trained_on():
    assert not set(photographs.TRAINING) & set(photographs.HELD_OUT)
    for name in photographs.TRAINING + photographs.HELD_OUT:
        assert min(photographs.photograph(name).size) >= photographs.SIDE


def test_crops_of_photographs_are_repeatable():
    first, again = (photographs.photograph_crops(("coins", "coffee"), 3) for _ in range(2))
    assert first.shape == (3, 128, 128, 3) and np.array_equal(first, again)


@pytest.mark.parametrize(("levels", "channels", "side"), [(4, 4, 8), (3, 4, 16), (4, 16, 8)])
def test_the_latents_have_the_configuration_s_shape(levels, channels, side):
    sizes = {**TINY.model, "block_out_channels": [8] * levels, "latent_channels": channels}
    vae = make_vae(sizes)
    assert latent_shape(vae, 64) == (channels, side, side)
    latents = vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean
    assert latents.shape[1:] == latent_shape(vae, 64)


@pytest.mark.parametrize("name", [*SHIPPED, "ablation/no_kl"])
def test_the_shipped_configurations_read(name):
    config = read_config(name)
    assert config.steps > 100
    Weights(**config.options["losses"])


def test_the_shipped_autoencoder_is_small():
    vae = make_vae(read_config("autoencoder").model)
    assert sum(weight.numel() for weight in vae.parameters()) < 5e6


def test_it_runs_from_the_command_line(tmp_path, world):
    np.save(tmp_path / "world.npy", world)
    entries = vars(TINY) | {"steps": 2}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(entries))
    command = [sys.executable, "-m", "course_utils.training.autoencoder", "tiny.yaml"]
    command += ["--data", "world.npy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "build/train/tiny/vae/config.json").is_file()
    assert "scaling factor" in done.stdout


def test_training_lowers_the_loss(tmp_path, world):
    config = replace(TINY, steps=40, examples=16)
    training = tiny_training(perceptual=0.1, adversarial=0.1, adversarial_start=20)
    eps, x = torch.zeros(4, 4, 4, 4), to_model(world[:4, :32, :32])
    before = float(training(x, eps)["reconstruction"])
    loss = autoencoder.autoencoder_loss(world, 32, (4, 4, 4))
    after = fit(training, loss, config, tmp_path)(x, eps)["reconstruction"]
    assert float(after) < 0.8 * before


def test_muon_s_steps_are_nearly_orthogonal():
    for shape in ((8, 40), (40, 8)):
        step = orthogonal(torch.randn(*shape, generator=dice(3, 0)))
        sizes = torch.linalg.svdvals(step)
        assert step.shape == shape and float(sizes.min()) > 0.5 and float(sizes.max()) < 1.3


def test_muon_leaves_the_outer_layers_to_adam():
    optimizer = muon(make_vae(TINY.model), TINY, autoencoder.OUTER)
    matrices, others = (group["params"] for group in optimizer.param_groups)
    assert min(weight.ndim for weight in matrices) >= 2
    assert sum(weight.ndim == 4 for weight in others) == 6  # two each of conv_in, conv_out, quant


def test_muon_learns_what_adam_learns():
    """A linear map from noisy examples."""
    torch.manual_seed(0)
    wanted, layer = torch.randn(4, 6), torch.nn.Linear(6, 4)
    optimizer = muon(layer, replace(TINY, learning_rate=0.03, weight_decay=0.0), ())
    for step in range(500):
        x = torch.randn(16, 6, generator=dice(4, step))
        loss = (layer(x) - x @ wanted.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), wanted, atol=0.1, rtol=0)
