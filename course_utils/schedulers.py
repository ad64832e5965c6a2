"""Notebook 04: how noise is put in, and eight ways to take it out again.

Every sampler is a class with one method, `step`. Its docstring opens with the names that its code
shares with the paper; its result equals that of diffusers' own `step`, bit for bit.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from scipy.integrate import quad
from torch import Generator, Tensor

from course_utils.errors import check_prediction_type

if TYPE_CHECKING:
    from diffusers import SchedulerMixin, StableDiffusionPipeline

STEPS_OFFSET = 1  # Stable Diffusion visits 1, 1 + stride, …: the timesteps it was published with
SCHEDULES = ("linear", "scaled_linear", "cosine")
SPACINGS = ("leading", "trailing")
CONFIG = {  # setting of a scheduler: what it means
    "num_train_timesteps": "how many noise levels the UNet was trained on, T",
    "beta_start": "variance of the noise added by the first of them",
    "beta_end": "variance of the noise added by the last",
    "beta_schedule": "how beta grows between the two",
    "trained_betas": "a table of betas that replaces the three lines above",
    "prediction_type": "what the UNet predicts: epsilon is the noise",
    "timestep_spacing": "leading: count up from 0 in equal strides",
    "steps_offset": "and add this to each timestep",
    "skip_prk_steps": "PNDM: no Runge-Kutta steps at the start; multistep at once",
    "set_alpha_to_one": "after the last step: is alpha-bar 1, or what it is at t = 0?",
    "clip_sample": "cut the clean estimate to -1..1? Right for pixels, wrong for latents",
}


# the noise schedule


def betas(schedule: str, T: int = 1000) -> Tensor:
    """Variance of the noise that each timestep adds, β_t.

    Args:
        schedule: "linear" (Ho et al. 2020, section 4), "scaled_linear" (Rombach et al. 2022: linear
            in √β) or "cosine" (Nichol and Dhariwal 2021, eq. 17).
        T: how many timesteps.
    Returns:
        (T,), in (0, 1), float32.
    Raises:
        ValueError: no such schedule.
    Source: notebook 04, section 1.
    """
    if schedule == "linear":
        return torch.linspace(0.0001, 0.02, T)
    if schedule == "scaled_linear":
        return torch.linspace(0.00085**0.5, 0.012**0.5, T) ** 2
    if schedule == "cosine":
        f = [math.cos((i / T + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(T + 1)]
        return torch.tensor([min(1 - f[i + 1] / f[i], 0.999) for i in range(T)])
    raise ValueError(f"Unknown schedule {schedule!r}. Choose one of: {', '.join(SCHEDULES)}.")


def alphas_cumprod(betas: Tensor) -> Tensor:
    """How much of the clean sample's variance is left at each step: ᾱ_t = Π_{s ≤ t} (1 − β_s).

    Args:
        betas: (T,), in (0, 1).
    Returns:
        (T,), falling, in (0, 1).
    Source: Ho et al. 2020, between eq. 3 and 4. Notebook 04, section 1.
    """
    return torch.cumprod(1 - betas, dim=0)


def signal_to_noise(alpha_bar: Tensor) -> Tensor:
    """Variance of the signal over variance of the noise: SNR = ᾱ / (1 − ᾱ).

    Source: Kingma et al. 2021, eq. 1 and 2. Notebook 04, section 1.
    """
    return alpha_bar / (1 - alpha_bar)


def sigma(alpha_bar: Tensor) -> Tensor:
    """Noise over signal, as standard deviations: σ = √((1 − ᾱ) / ᾱ) = 1 / √SNR.

    Source: Karras et al. 2022, table 1. Notebook 04, section 1.
    """
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def add_noise(x0: Tensor, eps: Tensor, alpha_bar_t: Tensor) -> Tensor:
    """Jump from a clean sample straight to step t: x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · ε.

    Args:
        x0: clean latents, (B, C, h, w).
        eps: standard normal noise, same shape.
        alpha_bar_t: cumulative signal share at t, (B,), in (0, 1]; on any device.
    Returns:
        noisy latents, (B, C, h, w).
    Raises:
        ValueError: shapes differ, or alpha_bar_t leaves (0, 1].
    Source: Ho et al. 2020, eq. 4. Notebook 04, section 2.
    """
    if x0.shape != eps.shape or alpha_bar_t.shape != x0.shape[:1]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (x0, eps, alpha_bar_t))
        raise ValueError(
            f"x0, eps and alpha_bar_t have shapes {shapes}: give noise of the latents' own shape, "
            f"and one alpha_bar for each of the {len(x0)} samples."
        )
    if not ((alpha_bar_t > 0) & (alpha_bar_t <= 1)).all():
        raise ValueError(
            f"alpha_bar_t must lie in (0, 1], got {alpha_bar_t.tolist()}: "
            "take it from alphas_cumprod, not from betas or timesteps."
        )
    a = alpha_bar_t.to(x0)[:, None, None, None]
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


def predict_x0(xt: Tensor, eps: Tensor, alpha_bar_t: Tensor) -> Tensor:
    """The clean sample that predicted noise implies: x_0 = (x_t − √(1 − ᾱ_t) · ε) / √ᾱ_t.

    Args:
        xt: noisy latents, (B, C, h, w).
        eps: the noise in them, same shape.
        alpha_bar_t: one number, in (0, 1].
    Source: Ho et al. 2020, eq. 15. Notebook 03, section 4, and notebook 04, section 3.
    """
    return (xt - (1 - alpha_bar_t).sqrt() * eps) / alpha_bar_t.sqrt()


def spaced(steps: int, spacing: str = "leading", T: int = 1000) -> Tensor:
    """The timesteps that a sampler visits, from much noise to little.

    Args:
        steps: how many.
        spacing: "leading" counts up from 0 and leaves a gap at the noisy end; "trailing" counts
            down from T − 1 and leaves it at the clean end.
        T: how many timesteps training knew.
    Returns:
        (steps,), falling, int64.
    Raises:
        ValueError: no such spacing.
    Source: Lin et al. 2023, table 2. Notebook 04, section 3.
    """
    if spacing == "leading":
        return STEPS_OFFSET + T // steps * torch.arange(steps).flip(0)
    if spacing == "trailing":
        return (T - T / steps * torch.arange(steps, dtype=torch.float64)).round().long() - 1
    raise ValueError(f"Unknown spacing {spacing!r}. Choose one of: {', '.join(SPACINGS)}.")


# samplers that keep x_t as it was in training: mixed so that its variance stays 1


class Sampler:
    """Which timesteps are visited, and what every sampler needs at each of them.

    Args:
        alpha_bar: ᾱ of the noise schedule, (T,).
        steps: 1 to T − 1.
        spacing: "leading", as Stable Diffusion does, or "trailing".
    Attributes:
        timesteps: what the UNet is told at each call, falling, (calls,), int64.
        init_noise_sigma: what standard normal noise is multiplied by to start from.
    Raises:
        ValueError: steps are out of range, or no such spacing.
    """

    def __init__(self, alpha_bar: Tensor, steps: int, spacing: str = "leading") -> None:
        T = len(alpha_bar)
        if not 1 <= steps < T:
            raise ValueError(f"steps must be from 1 to {T - 1}, got {steps}. Try 30.")
        self.alpha_bar, self.steps, self.spacing = alpha_bar, steps, spacing
        self.stride = T // steps
        self.timesteps = spaced(steps, spacing, T)
        self.init_noise_sigma = torch.tensor(1.0)
        self.prepare()

    def prepare(self) -> None:
        """What a sampler needs besides: other timesteps, a memory."""

    def scale_model_input(self, x: Tensor, i: int) -> Tensor:
        """What the UNet looks at in call i: here, x itself."""
        return x

    def alpha_bar_at(self, t: int) -> Tensor:
        """ᾱ at a timestep; past the end, what it is at 0."""
        return self.alpha_bar[max(int(t), 0)]

    def step(self, eps: Tensor, i: int, x: Tensor, generator: Generator | None = None) -> Tensor:
        """Take some noise away.

        Args:
            eps: what the UNet predicted in call i, (B, C, h, w).
            i: which call it was, from 0; calls come in order.
            x: noisy latents, (B, C, h, w).
            generator: where the samplers that add noise of their own draw it.
        Returns:
            latents with a little less noise, (B, C, h, w).
        """
        raise NotImplementedError


class DDPM(Sampler):
    """Step back by chance: the mean of all ways that lead here, and fresh noise.

    | code | paper | meaning |
    |---|---|---|
    | a_t, a_s | ᾱ_t, ᾱ_{t−1} | signal share now and one step on |
    | alpha, beta | α_t, β_t | signal kept and noise added between the two |
    | mean | μ̃_t(x_t, x_0) | the mean of x_{t−1}, given x_t and x_0 |
    | variance | β̃_t | and its variance |

    Source: Ho et al. 2020, eq. 6, 7 and 15. Notebook 04, section 3.
    """

    def step(self, eps, i, x, generator=None):
        """eq. 6: x_{t−1} ~ N(μ̃_t, β̃_t); arguments as in `Sampler.step`."""
        last = i == len(self.timesteps) - 1
        a_t = self.alpha_bar_at(self.timesteps[i])
        a_s = torch.tensor(1.0) if last else self.alpha_bar_at(self.timesteps[i + 1])
        alpha = a_t / a_s
        beta = 1 - alpha
        x0 = predict_x0(x, eps, a_t)
        mean = a_s.sqrt() * beta / (1 - a_t) * x0 + alpha.sqrt() * (1 - a_s) / (1 - a_t) * x
        variance = ((1 - a_s) / (1 - a_t) * beta).clamp(min=1e-20)
        return mean + variance.sqrt() * torch.randn(x.shape, generator=generator).to(x)


class DDIM(Sampler):
    """Guess the clean sample, then put back less of the very same noise.

    | code | paper | meaning |
    |---|---|---|
    | a_t, a_s | α_t, α_{t−1} (DDIM writes ᾱ as α) | signal share now and one step on |
    | x0 | "predicted x_0" | the clean sample that eps implies |
    | direction | "direction pointing to x_t" | the noise to put back; σ_t = 0 |

    Source: Song et al. 2021, eq. 12. Notebook 04, section 3.
    """

    def step(self, eps, i, x, generator=None):
        """eq. 12 with σ_t = 0: no chance at all; arguments as in `Sampler.step`."""
        t = self.timesteps[i]
        a_t, a_s = self.alpha_bar_at(t), self.alpha_bar_at(t - self.stride)
        x0 = predict_x0(x, eps, a_t)
        direction = (1 - a_s).sqrt() * eps
        return a_s.sqrt() * x0 + direction


class PNDM(Sampler):
    """DDIM's step, along a mean of the last four predictions instead of the last one alone.

    | code | paper | meaning |
    |---|---|---|
    | before | e_t, e_{t−δ}, … | the last predictions, newest first |
    | mean | ε′_t | their mean, weighted as Adams and Bashforth did |
    | move | φ(x_t, ε′_t, t, t − δ) | the transfer from t to t − δ |

    The first stride is walked twice, the second time with the mean of the predictions at both its
    ends: one call more than steps.
    Source: Liu et al. 2022, section 3 (PLMS). Notebook 04, section 5.
    """

    def prepare(self):
        """The second timestep twice, and a memory of predictions."""
        t = self.timesteps
        self.timesteps = torch.cat([t[:1], t[1:2], t[1:]])
        self.before, self.start = [], None

    def step(self, eps, i, x, generator=None):
        """x_{t−δ} = φ(x_t, ε′_t); arguments as in `Sampler.step`."""
        t = self.timesteps[i]
        if i == 1:
            return self.move((eps + self.before[0]) / 2, t + self.stride, self.start)
        if i == 0:
            self.start = x
        self.before = [eps, *self.before[:3]]
        return self.move(self.mean(*self.before), t, x)

    @staticmethod
    def mean(e0: Tensor, e1=None, e2=None, e3=None) -> Tensor:
        """The polynomial through the last predictions, averaged over the step to come."""
        if e1 is None:
            return e0
        if e2 is None:
            return (3 * e0 - e1) / 2
        if e3 is None:
            return (23 * e0 - 16 * e1 + 5 * e2) / 12
        return (1 / 24) * (55 * e0 - 59 * e1 + 37 * e2 - 9 * e3)

    def move(self, eps: Tensor, t: int, x: Tensor) -> Tensor:
        """From t to t − δ: DDIM's step, written so that x_0 does not appear."""
        a_t, a_s = self.alpha_bar_at(t), self.alpha_bar_at(t - self.stride)
        scale = a_t * (1 - a_s).sqrt() + (a_t * (1 - a_t) * a_s).sqrt()
        return (a_s / a_t).sqrt() * x - (a_s - a_t) * eps / scale


# samplers that keep x = x_0 + σ ε: the clean sample at full strength under noise of size σ


class SigmaSampler(Sampler):
    """Samplers that follow a curve: dx/dσ = (x − x_0(x, σ)) / σ.

    Attributes:
        sigmas: size of the noise before each call, and 0 at the end, (calls + 1,).
    Source: Karras et al. 2022, algorithm 1. Notebook 04, section 4.
    """

    def prepare(self):
        """σ at every timestep, and 0 behind the last; the start has x_0's variance in it, too."""
        self.sigmas = torch.cat([sigma(self.alpha_bar)[self.timesteps], torch.zeros(1)])
        largest = self.sigmas[0]
        leading = self.spacing == "leading"
        self.init_noise_sigma = (largest**2 + 1).sqrt() if leading else largest

    def scale_model_input(self, x, i):
        """x as the UNet knows it from training: its variance brought back to 1."""
        return x / (self.sigmas[i] ** 2 + 1).sqrt()

    @staticmethod
    def slope(eps: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """dx/dσ = (x − x_0) / σ, which is eps again up to rounding."""
        x0 = x - sigma * eps
        return (x - x0) / sigma


class Euler(SigmaSampler):
    """Walk straight on, along the slope found here.

    | code | paper | meaning |
    |---|---|---|
    | sigmas[i], sigmas[i + 1] | t_i, t_{i+1} | size of the noise now and one step on |
    | slope | d_i | dx/dσ here |

    Source: Karras et al. 2022, algorithm 1 without lines 6 to 8. Notebook 04, section 4.
    """

    def step(self, eps, i, x, generator=None):
        """x_{i+1} = x_i + (σ_{i+1} − σ_i) d_i; arguments as in `Sampler.step`."""
        slope = self.slope(eps, x, self.sigmas[i])
        return x + slope * (self.sigmas[i + 1] - self.sigmas[i])


class EulerAncestral(SigmaSampler):
    """Walk further down than asked, then climb back with fresh noise.

    | code | k-diffusion | meaning |
    |---|---|---|
    | now, then | sigma_from, sigma_to | size of the noise now and one step on |
    | up | sigma_up | how much of the noise to come is fresh |
    | down | sigma_down | how far to walk, so that down² + up² = then² |

    Source: k-diffusion, `get_ancestral_step`; the split is DDPM's variance β̃_t. Notebook 04,
    section 5.
    """

    def step(self, eps, i, x, generator=None):
        """x = (Euler's step to `down`) + up · noise; arguments as in `Sampler.step`."""
        now, then = self.sigmas[i], self.sigmas[i + 1]
        up = (then**2 * (now**2 - then**2) / now**2).sqrt()
        down = (then**2 - up**2).sqrt()
        x = x + self.slope(eps, x, now) * (down - now)
        return x + torch.randn(x.shape, generator=generator).to(x) * up


class Heun(SigmaSampler):
    """Walk as Euler would, look at the slope there, and go back to walk along the mean of both.

    | code | paper | meaning |
    |---|---|---|
    | slope | d_i, then d_i′ | dx/dσ at the start of the step, then at its end |
    | start | x_i, d_i, t_{i+1} − t_i | where the step began, its slope, its length |

    Two calls to a step, but one for the last: at σ = 0 there is no slope.
    Source: Karras et al. 2022, algorithm 1. Notebook 04, section 5.
    """

    def prepare(self):
        """Every timestep twice but the first, and a memory of where the step began."""
        super().prepare()
        self.timesteps = self.timesteps.repeat_interleave(2)[1:]
        self.sigmas = torch.cat([self.sigmas.repeat_interleave(2)[1:-2], torch.zeros(1)])
        self.start = None

    def step(self, eps, i, x, generator=None):
        """x_{i+1} = x_i + (σ_{i+1} − σ_i) (d_i + d_i′) / 2; arguments as in `Sampler.step`."""
        slope = self.slope(eps, x, self.sigmas[i])
        if i % 2 == 0:
            length = self.sigmas[i + 1] - self.sigmas[i]
            self.start = x, slope, length
            return x + slope * length
        x, first, length = self.start
        return x + (first + slope) / 2 * length


class LMS(SigmaSampler):
    """Walk along the polynomial through the last four slopes.

    | code | textbook | meaning |
    |---|---|---|
    | slopes | f_n, f_{n−1}, … | dx/dσ at the last places, newest first |
    | weight(i, j) | b_j | how far slope j carries: ∫ of its Lagrange polynomial |

    Source: the method of Adams and Bashforth for steps of unequal length; k-diffusion,
    `sample_lms`. Notebook 04, section 5.
    """

    def prepare(self):
        """A memory of slopes."""
        super().prepare()
        self.slopes = []

    def step(self, eps, i, x, generator=None):
        """x_{i+1} = x_i + Σ_j b_j d_{i−j}; arguments as in `Sampler.step`."""
        self.slopes = [self.slope(eps, x, self.sigmas[i]), *self.slopes[:3]]
        return x + sum(self.weight(i, j) * slope for j, slope in enumerate(self.slopes))

    def weight(self, i: int, j: int) -> float:
        """∫ from σ_i to σ_{i+1} of the polynomial that is 1 at σ_{i−j} and 0 at the others."""
        others = [k for k in range(len(self.slopes)) if k != j]

        def lagrange(tau):
            value = 1.0
            for k in others:
                value *= (tau - self.sigmas[i - k]) / (self.sigmas[i - j] - self.sigmas[i - k])
            return value

        return quad(lagrange, self.sigmas[i], self.sigmas[i + 1], epsrel=1e-4)[0]


class DPMSolverPP2M(SigmaSampler):
    """Solve the part of the equation that is known exactly; follow x_0 along a line for the rest.

    | code | paper | meaning |
    |---|---|---|
    | alpha, sigma | α_t, σ_t | √ᾱ and √(1 − ᾱ) |
    | lam | λ_t = log(α_t / σ_t) | half the logarithm of the signal-to-noise ratio |
    | h | h_i | the step's length in λ |
    | r | r_i | the length of the step before, over h |
    | before | x_θ(x_{i−1}) | the clean estimate one step ago |
    | D1 | the slope of x_θ, times h | how fast the clean estimate changes |

    The first and the last step have no slope to follow and are DDIM's. It starts from noise of
    size 1; with the spacing "leading" it leaves out the timestep nearest to 0.
    Source: Lu et al. 2022b, algorithm 2. Notebook 04, section 5.
    """

    def prepare(self):
        """Its own timesteps, and a memory of the last clean estimate."""
        if self.spacing == "leading":
            T = len(self.alpha_bar)
            if self.steps + 1 == T:
                raise ValueError(f"DPM++ takes at most {T - 2} steps, got {self.steps}. Try 30.")
            self.timesteps = spaced(self.steps + 1, "leading", T)[:-1]
        super().prepare()
        self.init_noise_sigma = torch.tensor(1.0)
        self.before = None

    def scale_model_input(self, x, i):
        """x itself: this sampler keeps x_t as it was in training."""
        return x

    def rates(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """α, σ and λ before call i."""
        alpha = 1 / (self.sigmas[i] ** 2 + 1).sqrt()
        sigma = self.sigmas[i] * alpha
        return alpha, sigma, alpha.log() - sigma.log()

    def step(self, eps, i, x, generator=None):
        """x_t = (σ_t/σ_s) x_s − α_t (e^{−h} − 1)(x_θ + D1/2); arguments as in `Sampler.step`."""
        (alpha_s, sigma_s, lam_s), (alpha_t, sigma_t, lam_t) = self.rates(i), self.rates(i + 1)
        x0 = (x - sigma_s * eps) / alpha_s
        h = lam_t - lam_s
        gain = alpha_t * (torch.exp(-h) - 1.0)
        result = (sigma_t / sigma_s) * x - gain * x0
        if 0 < i < len(self.timesteps) - 1:
            r = (lam_s - self.rates(i - 1)[2]) / h
            D1 = (1.0 / r) * (x0 - self.before)
            result = result - 0.5 * gain * D1
        self.before = x0
        return result


SAMPLERS = {
    "ddpm": DDPM,
    "ddim": DDIM,
    "pndm": PNDM,
    "lms": LMS,
    "euler": Euler,
    "euler-ancestral": EulerAncestral,
    "heun": Heun,
    "dpm++": DPMSolverPP2M,
}
CHANCE = ("ddpm", "euler-ancestral")  # these draw fresh noise at every step

# the way down

Model = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def sample(
    sampler: Sampler, model: Model, noise: Tensor, generator: Generator | None = None
) -> Tensor:
    """From noise to clean latents: the whole reverse process.

    Args:
        sampler: fresh; it remembers what it has seen.
        model: (x_t, t) → eps, such as `listen(pipe, "a dog")`.
        noise: standard normal, (B, C, h, w).
        generator: where samplers of `CHANCE` draw their noise.
    Returns:
        latents, (B, C, h, w).
    """
    x = noise * sampler.init_noise_sigma
    for i, t in enumerate(sampler.timesteps):
        eps = model(sampler.scale_model_input(x, i), t)
        x = sampler.step(eps, i, x, generator)
    return x


@torch.no_grad()
def listen(pipe: "StableDiffusionPipeline", prompt: str, g: float = 1.0) -> Model:
    """The UNet with a prompt in its ear: (x_t, t) → eps.

    The UNet is asked where it computes and in its own precision; its answer comes back as x_t is,
    so that a sampler may go on in float32 on the CPU whatever the model.

    Args:
        pipe: whose UNet and text encoder to use.
        prompt: what to draw.
        g: guidance scale; up to 1 means none.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    """
    check_prediction_type(pipe.scheduler)
    c, u = pipe.encode_prompt(prompt, pipe.device, 1, do_classifier_free_guidance=g > 1)

    def model(xt: Tensor, t: Tensor) -> Tensor:
        z = xt.to(c)
        if g <= 1:
            return pipe.unet(z, t, c.expand(len(z), -1, -1)).sample.to(xt)
        both = torch.cat([u, c]).repeat_interleave(len(z), dim=0)  # (2B, L, D)
        eps_u, eps_c = pipe.unet(torch.cat([z, z]), t, both).sample.to(xt).chunk(2)
        return eps_u + g * (eps_c - eps_u)

    return model


def ideal_model(pictures: Tensor, alpha_bar: Tensor, spread: float = 0.5) -> Model:
    """What a perfectly trained UNet would say if the world held nothing but these pictures.

    The world is a mixture of Gaussians, one around each picture; the mean of ε, given x_t, is then
    known exactly. No network is asked, so a thousand steps take no time.

    Args:
        pictures: latents, (N, C, h, w).
        alpha_bar: ᾱ of the noise schedule, (T,).
        spread: standard deviation around each picture.
    Source: Karras et al. 2022, appendix B.3, with a spread. Notebook 04, section 6.
    """

    def model(xt: Tensor, t: Tensor) -> Tensor:
        a = alpha_bar[int(t)]
        away = xt[:, None] - a.sqrt() * pictures  # (B, N, C, h, w)
        variance = a * spread**2 + 1 - a
        nearness = -away.square().sum(dim=(2, 3, 4)) / (2 * variance)
        share = nearness.softmax(dim=1)[:, :, None, None, None]
        return (1 - a).sqrt() / variance * (share * away).sum(dim=1)

    return model


@torch.no_grad()
def agrees(
    ours: Sampler, theirs: "SchedulerMixin", model: Model, noise: Tensor, seed: int = 0
) -> bool:
    """Whether our sampler equals diffusers' after every step of a whole trajectory, bit for bit.

    Args:
        ours: fresh.
        theirs: after `set_timesteps` with the same number of steps.
        model: (x_t, t) → eps.
        noise: standard normal, (B, C, h, w).
        seed: of the noise that samplers of `CHANCE` draw.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    """
    check_prediction_type(theirs)
    if ours.timesteps.tolist() != theirs.timesteps.tolist():
        return False
    chance = isinstance(ours, DDPM | EulerAncestral)
    dice, their_dice = (torch.Generator().manual_seed(seed) for _ in range(2))
    x, their_x = noise * ours.init_noise_sigma, noise * theirs.init_noise_sigma
    for i, t in enumerate(theirs.timesteps):
        seen, their_seen = ours.scale_model_input(x, i), theirs.scale_model_input(their_x, t)
        eps = model(their_seen, t)
        x = ours.step(eps, i, x, dice)
        options = {"generator": their_dice} if chance else {}
        their_x = theirs.step(eps, t, their_x, **options).prev_sample
        if not (torch.equal(seen, their_seen) and torch.equal(x, their_x)):
            return False
    return True


def errors(
    name: str, steps: list[int], model: Model, noise: Tensor, alpha_bar: Tensor, reference: Tensor
) -> list[float]:
    """How far a sampler of few steps ends from where it should; all start at T − 1.

    Args:
        name: a key of `SAMPLERS`.
        steps: how many steps, for each try.
        model: (x_t, t) → eps.
        noise: standard normal, (B, C, h, w).
        alpha_bar: ᾱ of the noise schedule, (T,).
        reference: where very many steps end, (B, C, h, w).
    Returns:
        for each number of steps the root mean square, median of the batch; latents have size 1.
    """
    ends = [sample(SAMPLERS[name](alpha_bar, n, "trailing"), model, noise) for n in steps]
    misses = [(end - reference).square().mean(dim=(1, 2, 3)).sqrt() for end in ends]  # (B,) each
    return [miss.median().item() for miss in misses]


def config_table(scheduler: "SchedulerMixin") -> str:
    """The configuration of a scheduler, each line with its meaning."""
    settings = {name: scheduler.config.get(name) for name in CONFIG if name in scheduler.config}
    return "\n".join(
        f"{name:<20} {'–' if value is None else value!s:<14} {CONFIG[name]}"
        for name, value in settings.items()
    )
