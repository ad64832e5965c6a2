"""Checks for the exercises: each calls the learner's function and says what is wrong with it.

Every check answers "ok", or "not attempted yet" where the function still raises
NotImplementedError; a wrong answer raises an AssertionError that names the likely mistake.
"""

from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn


def attempted(check: Callable[[Callable], None]) -> Callable[[Callable], None]:
    """Turn a check that returns or raises into one that prints what came of it."""

    def run(answer: Callable) -> None:
        try:
            check(answer)
        except NotImplementedError:
            print(f"{answer.__name__}: not attempted yet")
        else:
            print(f"{answer.__name__}: ok")

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


def expect(given, wanted, mistakes: dict, otherwise: str) -> None:
    """Raise an AssertionError unless given equals wanted.

    Args:
        mistakes: wrong value → what probably went wrong.
        otherwise: what to say of any other wrong value.
    """
    if given == wanted and type(given) is type(wanted):
        return
    for value, hint in mistakes.items():
        if given == value:
            raise AssertionError(f"you gave {given!r}: {hint}")
    raise AssertionError(f"you gave {given!r}, expected {wanted!r}: {otherwise}")


def expect_close(given: Tensor, wanted: Tensor, mistakes: dict[float, str]) -> None:
    """Raise an AssertionError unless two small tensors agree; mistakes as in `expect`."""
    if tuple(given.shape) != tuple(wanted.shape):
        raise AssertionError(f"you gave shape {tuple(given.shape)}, expected {tuple(wanted.shape)}.")
    if torch.allclose(given, wanted, rtol=1e-4, atol=1e-5):
        return
    for value, hint in mistakes.items():
        if torch.allclose(given, torch.full_like(wanted, value), rtol=1e-4, atol=1e-5):
            raise AssertionError(hint)
    raise AssertionError(f"you gave {given.tolist()}, expected {wanted.tolist()}: read the equation again.")


@attempted
def check_latent_shape(latent_shape: Callable[[int, int], tuple]) -> None:
    """Notebook 00: the shape of the latents of a picture."""
    expect(
        latent_shape(128, 192),
        (1, 4, 16, 24),
        {
            (1, 4, 24, 16): "height comes before width in a tensor.",
            (1, 3, 16, 24): "latents have four channels; pictures have three.",
            (1, 4, 128, 192): "the VAE makes height and width eight times smaller.",
            (4, 16, 24): "a batch dimension comes first: 1 picture.",
            (1, 16, 24, 4): "channels come before height and width.",
            (1, 4, 16.0, 24.0): "shapes are whole numbers: divide with //.",
        },
        "count a batch of 1, four channels, and an eighth of height and width.",
    )
    expect(latent_shape(512, 512), (1, 4, 64, 64), {}, "it must work for every size.")


@attempted
def check_megabytes(megabytes: Callable[[nn.Module, int], float]) -> None:
    """Notebook 00: how much memory a network's weights take."""
    layer = nn.Linear(1000, 500)  # 500,500 parameters
    given = megabytes(layer, 2)
    for value, hint in {
        0.5005: "each parameter takes more than one byte: multiply by bytes_each.",
        1.0: "the bias has parameters too.",
        4.004: "bits are not bytes: with 16 bits a parameter takes 2 bytes.",
        2.002: "use bytes_each, not always 4 bytes.",
        1001.0: "that is kilobytes: divide by 1,000,000.",
        1001000.0: "that is bytes: divide by 1,000,000.",
    }.items():
        if abs(given - value) < 1e-6 * value:
            raise AssertionError(f"you gave {given!r}: {hint}")
    if abs(given - 1.001) > 1e-6:
        raise AssertionError(f"you gave {given!r}, expected 1.001: parameters × bytes ÷ 1,000,000.")


@attempted
def check_network_calls(network_calls: Callable[[int, bool], int]) -> None:
    """Notebook 00: how many latents the UNet sees while a picture is drawn by DDIM."""
    expect(
        network_calls(30, True),
        60,
        {
            30: "with guidance every step asks twice: with the prompt and without it.",
            31: "DDIM asks once a step; one more is PNDM's habit.",
            900: "guidance doubles the work of a step; it does not square it.",
            15: "guidance doubles the work; it does not halve it.",
        },
        "steps, times two where there is guidance.",
    )
    expect(network_calls(30, False), 30, {60: "without guidance every step asks once."},
           "without guidance every step asks once.")


@attempted
def check_guide(guide: Callable) -> None:
    """Notebook 05: classifier-free guidance."""
    u, c = torch.tensor([[[[1.0]]]]), torch.tensor([[[[3.0]]]])
    expect_close(
        guide(torch.cat([u, c]), 2.0),
        torch.tensor([[[[5.0]]]]),
        {
            -1.0: "the prediction without the prompt comes first in the batch.",
            7.0: "start from the prediction without the prompt: u + g * (c - u).",
            4.0: "g multiplies the difference of c and u: u + g * (c - u).",
            6.0: "you scaled c alone; start from u and add g times the difference.",
            3.0: "that is the prediction with the prompt; g has no effect.",
        },
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


class _CountingScheduler:
    """A stand-in that notices what a denoising loop forgets."""

    init_noise_sigma = 10.0

    def set_timesteps(self, steps: int) -> None:
        self.timesteps = torch.arange(steps, 0, -1)

    def scale_model_input(self, sample: Tensor, t: Tensor) -> Tensor:
        return sample / 5

    def step(self, eps: Tensor, t: Tensor, z: Tensor, **options) -> SimpleNamespace:
        return SimpleNamespace(prev_sample=z - 0.1 * eps * t)


def _counting_unet(x: Tensor, t: Tensor, context: Tensor, **options) -> SimpleNamespace:
    return SimpleNamespace(sample=x + context[:, :1, :1, None] * t)


@attempted
def check_denoise(denoise: Callable) -> None:
    """Notebook 05: the loop, run on a stand-in scheduler and UNet whose every use leaves a trace."""
    pipe = SimpleNamespace(scheduler=_CountingScheduler(), unet=_counting_unet)
    context = torch.tensor([1.0, 2.0]).reshape(2, 1, 1).expand(2, 77, 8)
    hints = {
        "init_noise_sigma": "multiply the noise by scheduler.init_noise_sigma before the loop.",
        "scale": "pass the latents through scheduler.scale_model_input before the UNet.",
        "swapped": "context has the negative prompt first: u, c = ….chunk(2).",
        "unguided": "combine the two predictions: u + g * (c - u).",
    }
    traces = {_denoised(context, forget): hint for forget, hint in hints.items()}
    given = denoise(pipe, context, torch.ones(1, 4, 2, 2), 3, 2.0)
    if tuple(given.shape) != (1, 4, 2, 2):
        raise AssertionError(f"you gave shape {tuple(given.shape)}: one picture's latents come out.")
    expect_close(given[0, 0, 0, 0], torch.tensor(_denoised(context, "")), traces)


def _denoised(context: Tensor, forget: str) -> float:
    """The right loop on the stand-ins, but for one thing forgotten."""
    scheduler, z = _CountingScheduler(), torch.ones(1, 4, 2, 2)
    scheduler.set_timesteps(3)
    z = z * (1 if forget == "init_noise_sigma" else scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        x = z if forget == "scale" else scheduler.scale_model_input(z, t)
        u, c = (_counting_unet(x, t, part).sample for part in context.split(1))
        u, c = (c, u) if forget == "swapped" else (u, c)
        z = scheduler.step(c if forget == "unguided" else u + 2.0 * (c - u), t, z).prev_sample
    return float(z[0, 0, 0, 0])
