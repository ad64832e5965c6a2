"""Checks for the exercises of notebook 05."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import alike, attempted, expect_close, expect_latents, expect_tensor
from course_utils.checks.stand_ins import CountingScheduler, counting_unet, stand_in


@attempted
def check_guide(guide: Callable) -> None:
    """Notebook 05: classifier-free guidance, of two pictures."""
    u, c = torch.tensor([[1.0, 10.0], [3.0, 20.0]])[..., None, None, None]  # (2, 1, 1, 1) each
    eps, g = torch.cat([u, c]), 2.0
    given = guide(eps, g)
    for a, b in ((eps[0], eps[1]), (eps[:1], eps[1:2]), (eps[::2], eps[1::2])):
        if isinstance(given, Tensor) and alike(given, a + g * (b - a)):
            raise AssertionError(
                "the first B are without the prompt: use chunk(2), not eps[0] and eps[1]."
            )
    expect_tensor(
        given,
        u + g * (c - u),
        {
            "the prediction without the prompt comes first in the batch.": c + g * (u - c),
            "start from the prediction without the prompt: u + g * (c - u).": c + g * (c - u),
            "g multiplies the difference of c and u: u + g * (c - u).": g * (c - u),
            "you scaled c alone; start from u and add g times the difference.": g * c,
            "that is the prediction with the prompt; g has no effect.": c,
        },
        "u + g * (c - u).",
    )


@attempted
def check_clean_estimate(clean_estimate: Callable) -> None:
    """Notebook 05: the clean latents that a noise prediction implies."""
    z0, eps, alpha_bar = torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor(0.36)
    z = alpha_bar.sqrt() * z0 + (1 - alpha_bar).sqrt() * eps  # 0.6 · 2 + 0.8 · 1 = 2
    expect_close(
        clean_estimate(z, eps, alpha_bar),
        z0,
        {
            float((z - (1 - alpha_bar) * eps) / alpha_bar): "take the square roots of ᾱ and 1 − ᾱ.",
            float(z - 0.8 * eps): "divide by √ᾱ at the end.",
            float((z - 0.6 * eps) / 0.8): "you exchanged √ᾱ and √(1 − ᾱ).",
            float((z + 0.8 * eps) / 0.6): "subtract the noise; do not add it.",
        },
    )


@attempted
def check_denoise(denoise: Callable) -> None:
    """Notebook 05: the loop, on a stand-in scheduler and UNet whose every use leaves a trace."""
    pipe = stand_in(CountingScheduler())
    context = torch.tensor([1.0, 2.0]).reshape(2, 1, 1).expand(2, 77, 8)
    hints = {
        "init_noise_sigma": "multiply the noise by scheduler.init_noise_sigma before the loop.",
        "scale": "pass the latents through scheduler.scale_model_input before the UNet.",
        "swapped": "context has the negative prompt first: u, c = ….chunk(2).",
        "unguided": "combine the two predictions: u + g * (c - u).",
    }
    traces = {_denoised(context, forget): hint for forget, hint in hints.items()}
    given = denoise(pipe, context, torch.ones(1, 4, 2, 2), 3, 2.0)
    expect_latents(given)
    expect_close(given[0, 0, 0, 0], torch.tensor(_denoised(context, "")), traces)


def _denoised(context: Tensor, forget: str) -> float:
    """The right loop on the stand-ins, but for one thing forgotten."""
    scheduler, z = CountingScheduler(), torch.ones(1, 4, 2, 2)
    scheduler.set_timesteps(3)
    z = z * (1 if forget == "init_noise_sigma" else scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        x = z if forget == "scale" else scheduler.scale_model_input(z, t)
        u, c = (counting_unet(x, t, part).sample for part in context.split(1))
        u, c = (c, u) if forget == "swapped" else (u, c)
        z = scheduler.step(c if forget == "unguided" else u + 2.0 * (c - u), t, z).prev_sample
    return float(z[0, 0, 0, 0])
