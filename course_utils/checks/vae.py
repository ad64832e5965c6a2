"""Checks for the exercises of notebook 01."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect, expect_number, expect_tensor


@attempted
def check_scale_pixels(scale_pixels: Callable[[Tensor], Tensor]) -> None:
    """Notebook 01: whole numbers 0..255 to the range of the VAE."""
    pixels = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    p = pixels.float()
    expect_tensor(
        scale_pixels(pixels),
        torch.tensor([[-1.0, -0.6, 1.0]]),
        {
            "that is 0 to 1; the VAE was trained on -1 to 1.": p / 255,
            "that is 0 to 2: subtract 1.": p / 127.5,
            "255 must become exactly 1: divide by 127.5, not by 128.": p / 128 - 1,
            "uint8 ends at 255 and starts again at 0: divide first, then multiply.": (
                2 * pixels
            ).float()
            / 255
            - 1,
            "that is -127.5 to 127.5: divide by 127.5.": p - 127.5,
        },
        "0 becomes -1 and 255 becomes 1, along a straight line.",
    )


@attempted
def check_draw_latents(draw_latents: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 01: latents from the mean, the logarithm of the variance, and noise."""
    mean, var, eps = torch.tensor([[1.0, 2.0], [0.25, 4.0], [2.0, -1.0]])
    expect_tensor(
        draw_latents(mean, var.log(), eps),
        mean + var.sqrt() * eps,
        {
            "exp(logvar) is the variance σ²; the noise is multiplied by σ.": mean + var * eps,
            "logvar is a logarithm: exp(0.5 * logvar) is σ.": mean + var.log() * eps,
            "log σ = ½ · log σ²: you halved it, now take exp.": mean + 0.5 * var.log() * eps,
            "exp(0.5 * logvar) is σ: the sign is +.": mean + eps / var.sqrt(),
            "that is the mean: add σ · ε.": mean,
            "σ belongs to the noise, not to the mean: μ + σ · ε.": var.sqrt() * mean + eps,
        },
        "z = μ + σ · ε with σ = exp(½ · logvar).",
    )


@attempted
def check_psnr(psnr: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 01: how near two pictures are, in decibels."""
    x, y = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.2)
    expect_number(
        psnr(x, y),
        20.0,
        {
            "our pictures reach from -1 to 1: R is 2, not 1.": 13.9794,
            "our pictures reach from -1 to 1: R is 2, not 255.": 62.1102,
            "decibels take the logarithm to base 10: torch.log10.": 46.0517,
            "10 times the logarithm of the squares, not 20 times.": 40.0,
            "both R and the difference are squared.": 10.0,
            "the mean square stands below the line: R² / mse.": -20.0,
        },
        "10 · log₁₀(R² / mean((x − y)²)), with R = 2.",
    )


@attempted
def check_returned_size(returned_size: Callable[[int, int], tuple[int, int]]) -> None:
    """Notebook 01: the size that comes back from the round trip."""
    expect(
        returned_size(100, 71),
        (96, 64),
        {
            (100, 71): "what does not fill a block of 8 is lost: divide with //.",
            (96, 72): "round down: half a block is no block.",
            (104, 72): "round down: half a block is no block.",
            (12, 8): "those are the latents; the decoder makes them 8 times larger again.",
            (64, 96): "height comes first.",
        },
        "whole blocks of 8 pixels, and 8 pixels for each.",
    )
    expect(returned_size(64, 128), (64, 128), {}, "multiples of 8 come back as they were.")
