"""Notebook 04: the noise schedule, and eight samplers that equal diffusers' own."""

import warnings

import pytest
import torch
from diffusers import DDPMScheduler, PNDMScheduler

from course_utils import schedulers
from course_utils.drawing import SCHEDULERS, make_scheduler
from course_utils.schedulers import SAMPLERS, DPMSolverPP2M, add_noise, agrees, sample
from course_utils.training.export import PNDM

ALPHA_BAR = schedulers.alphas_cumprod(schedulers.betas("scaled_linear"))
DETERMINISTIC = [name for name in SAMPLERS if name not in schedulers.CHANCE]


@pytest.fixture(scope="module")
def pndm() -> PNDMScheduler:
    return PNDMScheduler.from_config(PNDM)


def noise(seed: int = 0, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 4, 6, 5, generator=torch.Generator().manual_seed(seed))


def curved_model(xt: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Not a good denoiser, but one that bends with x and with t."""
    return (0.9 * xt + 0.3).tanh() + 0.1 * torch.sin(3 * xt + 0.01 * float(t))


def gaussian_model(xt: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """What a perfect UNet would say if all clean latents were normal, mean 1, deviation 0.5."""
    a = ALPHA_BAR[int(t)]
    return (1 - a).sqrt() / (0.25 * a + 1 - a) * (xt - a.sqrt())


# the noise schedule


@pytest.mark.parametrize(
    ("schedule", "theirs", "start", "end"),
    [
        ("linear", "linear", 0.0001, 0.02),
        ("scaled_linear", "scaled_linear", 0.00085, 0.012),
        ("cosine", "squaredcos_cap_v2", 0.0001, 0.02),
    ],
)
def test_schedules_equal_those_of_diffusers(schedule, theirs, start, end):
    known = DDPMScheduler(beta_schedule=theirs, beta_start=start, beta_end=end)
    betas = schedulers.betas(schedule)
    assert torch.equal(betas, known.betas)
    assert torch.equal(schedulers.alphas_cumprod(betas), known.alphas_cumprod)


def test_the_article_had_its_axis_the_wrong_way_round():
    assert ALPHA_BAR[0].item() == pytest.approx(0.999, abs=5e-4)
    assert ALPHA_BAR[999].item() == pytest.approx(0.0047, abs=5e-5)


def test_sigma_and_signal_to_noise_say_the_same():
    snr = schedulers.signal_to_noise(ALPHA_BAR)
    assert torch.allclose(schedulers.sigma(ALPHA_BAR), snr.rsqrt())
    assert schedulers.signal_to_noise(torch.tensor(0.5)).item() == 1


def test_no_such_schedule():
    with pytest.raises(ValueError, match="'quadratic'.*linear, scaled_linear, cosine"):
        schedulers.betas("quadratic")


# noise in


def test_add_noise_equals_diffusers(pndm):
    x0, eps, t = noise(1), noise(2), torch.tensor([0, 999])
    assert torch.equal(add_noise(x0, eps, ALPHA_BAR[t]), pndm.add_noise(x0, eps, t))


def test_add_noise_keeps_the_variance():
    x0, eps = (
        torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(s)) for s in (0, 1)
    )
    for t in (10, 300, 700):
        assert add_noise(x0, eps, ALPHA_BAR[[t]]).var().item() == pytest.approx(1, abs=0.03)


def test_predict_x0_takes_the_noise_out_again():
    x0, eps = noise(1), noise(2)
    xt = add_noise(x0, eps, ALPHA_BAR[[300, 300]])
    assert torch.allclose(schedulers.predict_x0(xt, eps, ALPHA_BAR[300]), x0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((noise(0), noise(0, 1), ALPHA_BAR[[1, 2]]), "the latents' own shape"),
        ((noise(0), noise(1), ALPHA_BAR[[1]]), "each of the 2 samples"),
        ((noise(0), noise(1), torch.tensor([1.0, 0.0])), r"in \(0, 1\]"),
        ((noise(0), noise(1), torch.tensor([300.0, 5.0])), "not from betas or timesteps"),
    ],
)
def test_add_noise_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        add_noise(*arguments)


# noise out


def test_the_table_has_the_course_s_samplers():
    assert set(SAMPLERS) == set(SCHEDULERS)


@pytest.mark.parametrize("spacing", schedulers.SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 30])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_equals_diffusers_own(name, steps, spacing):
    theirs = make_scheduler(name, PNDMScheduler.from_config(PNDM | {"timestep_spacing": spacing}))
    theirs.set_timesteps(steps)
    assert agrees(SAMPLERS[name](ALPHA_BAR, steps, spacing), theirs, curved_model, noise())


@pytest.mark.parametrize(("name", "steps"), [("ddim", 999), ("dpm++", 998), ("euler", 999)])
def test_so_does_every_step_of_the_longest_trajectory(name, steps, pndm):
    theirs = make_scheduler(name, pndm)
    theirs.set_timesteps(steps)
    assert agrees(SAMPLERS[name](ALPHA_BAR, steps), theirs, curved_model, noise())


def test_dpm_leaves_a_timestep_out_and_so_has_one_less():
    with pytest.raises(ValueError, match="at most 998 steps, got 999"):
        SAMPLERS["dpm++"](ALPHA_BAR, 999)


def test_no_such_spacing():
    with pytest.raises(ValueError, match="'linspace'.*leading, trailing"):
        SAMPLERS["ddim"](ALPHA_BAR, 10, "linspace")


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_equals_diffusers_own_with_the_pocket_model(name, pocket):
    theirs = make_scheduler(name, pocket.scheduler)
    theirs.set_timesteps(3)
    model = schedulers.listen(pocket, "a wave breaking", g=5)
    start = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    assert agrees(SAMPLERS[name](pocket.scheduler.alphas_cumprod, 3), theirs, model, start)


@pytest.mark.parametrize("name", SAMPLERS)
def test_agrees_notices_a_sampler_that_is_off_by_a_hair(name, pndm, monkeypatch):
    right = SAMPLERS[name].step
    monkeypatch.setattr(
        SAMPLERS[name], "step", lambda self, eps, *rest: right(self, eps * (1 + 1e-6), *rest)
    )
    theirs = make_scheduler(name, pndm)
    theirs.set_timesteps(4)
    assert not agrees(SAMPLERS[name](ALPHA_BAR, 4), theirs, curved_model, noise())


def test_agrees_notices_what_the_unet_looks_at(pndm, monkeypatch):
    monkeypatch.setattr(SAMPLERS["euler"], "scale_model_input", lambda self, x, i: x)
    theirs = make_scheduler("euler", pndm)
    theirs.set_timesteps(4)
    assert not agrees(SAMPLERS["euler"](ALPHA_BAR, 4), theirs, curved_model, noise())


def test_agrees_notices_other_timesteps(pndm):
    pndm.set_timesteps(5)
    assert not agrees(SAMPLERS["ddim"](ALPHA_BAR, 4), pndm, curved_model, noise())


@pytest.mark.parametrize(("name", "calls"), [("ddim", 10), ("pndm", 11), ("heun", 19)])
def test_how_often_the_unet_is_asked(name, calls):
    asked = []
    model = lambda xt, t: asked.append(int(t)) or curved_model(xt, t)  # noqa: E731
    sample(SAMPLERS[name](ALPHA_BAR, 10), model, noise())
    assert len(asked) == calls == len(SAMPLERS[name](ALPHA_BAR, 10).timesteps)


@pytest.mark.parametrize("steps", [0, 1000, -3])
def test_steps_out_of_range(steps):
    with pytest.raises(ValueError, match=f"from 1 to 999, got {steps}"):
        SAMPLERS["euler"](ALPHA_BAR, steps)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_perfect_model_leads_to_its_world(name):
    start = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    end = sample(
        SAMPLERS[name](ALPHA_BAR, 50), gaussian_model, start, torch.Generator().manual_seed(1)
    )
    assert end.mean().item() == pytest.approx(1, abs=0.08)  # ᾱ is not quite 0 at the start
    assert end.std().item() == pytest.approx(0.5, abs=0.06)


@pytest.fixture(scope="module")
def reference() -> torch.Tensor:
    return sample(SAMPLERS["euler"](ALPHA_BAR, 999, "trailing"), gaussian_model, noise())


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_errors_fall_as_steps_grow(name, reference):
    errors = schedulers.errors(name, [5, 10, 50], gaussian_model, noise(), ALPHA_BAR, reference)
    assert errors[0] > errors[1] > errors[2] > 0


def test_ideal_model_of_one_picture_is_the_gaussian_one():
    model = schedulers.ideal_model(torch.ones(1, 4, 6, 5), ALPHA_BAR, spread=0.5)
    for t in (1, 500, 999):
        assert torch.allclose(model(noise(), t), gaussian_model(noise(), t), atol=1e-5)


def test_ideal_model_thinks_of_the_nearest_picture():
    pictures = noise(5, batch=3)
    xt = ALPHA_BAR[300].sqrt() * pictures[:2]
    eps = schedulers.ideal_model(pictures, ALPHA_BAR, spread=0.01)(xt, torch.tensor(300))
    assert torch.allclose(eps, torch.zeros(2, 4, 6, 5), atol=1e-4)


def test_ideal_model_leads_to_one_of_its_pictures():
    pictures = noise(5, batch=3)
    model = schedulers.ideal_model(pictures, ALPHA_BAR, spread=0.01)
    end = sample(DPMSolverPP2M(ALPHA_BAR, 50), model, noise(6, batch=1))
    assert min((end - picture).abs().max() for picture in pictures) < 0.1


def test_samplers_say_nothing(pndm):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for sampler in SAMPLERS.values():
            sample(sampler(ALPHA_BAR, 20), curved_model, noise())


# the model and its words


def test_listen_guides_as_the_pipeline_does(tiny):
    xt = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        c, u = tiny.encode_prompt("a wave", tiny.device, 1, do_classifier_free_guidance=True)
        eps_u = tiny.unet(xt, 500, u.expand(2, -1, -1)).sample
        eps_c = tiny.unet(xt, 500, c.expand(2, -1, -1)).sample
        guided = schedulers.listen(tiny, "a wave", g=3)(xt, 500)
        plain = schedulers.listen(tiny, "a wave")(xt, 500)
    assert torch.equal(plain, eps_c)
    assert torch.allclose(guided, eps_u + 3 * (eps_c - eps_u), atol=1e-5)


def test_every_setting_of_the_pipeline_s_scheduler_is_explained(tiny):
    names = {name for name in tiny.scheduler.config if not name.startswith("_")}
    assert names == set(schedulers.CONFIG)
    lines = schedulers.config_table(tiny.scheduler).splitlines()
    assert len(lines) == len(names)
    assert any("scaled_linear" in line for line in lines)
