"""Checks for the exercises of notebook 00."""

import math
from collections.abc import Callable

from torch import nn

from course_utils.checks.answer import attempted, expect


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
    layer = nn.Linear(900, 500)  # 450,500 parameters
    given = megabytes(layer, 2)
    for value, hint in {
        0.4505: "each parameter takes more than one byte: multiply by bytes_each.",
        0.9: "the bias has parameters too.",
        7.208: "bits are not bytes: bytes_each counts bytes already.",
        1.802: "use bytes_each, not always 4 bytes.",
        0.901 * 1e6 / 2**20: "that is MiB, of 2²⁰ bytes; a megabyte has 1,000,000.",
        901.0: "that is kilobytes: divide by 1,000,000.",
        901_000.0: "that is bytes: divide by 1,000,000.",
        0.0: "// rounds down to whole megabytes: divide with /.",
        1.0: "do not round: a part of a megabyte counts, too.",
    }.items():
        if math.isclose(given, value, rel_tol=1e-6, abs_tol=1e-9):
            raise AssertionError(f"you gave {given!r}: {hint}")
    if abs(given - 0.901) > 1e-6:
        raise AssertionError(f"you gave {given!r}, expected 0.901: parameters × bytes ÷ 1,000,000.")


@attempted
def check_latents_seen(latents_seen: Callable[[int, bool], int]) -> None:
    """Notebook 00: how many latents the UNet sees while a picture is drawn by DDIM."""
    expect(
        latents_seen(30, True),
        60,
        {
            30: "with guidance every step asks twice: with the prompt and without it.",
            31: "DDIM asks once a step; one more is PNDM's habit.",
            900: "guidance doubles the work of a step; it does not square it.",
            15: "guidance doubles the work; it does not halve it.",
        },
        "steps, times two where there is guidance.",
    )
    expect(
        latents_seen(30, False),
        30,
        {60: "without guidance every step asks once."},
        "without guidance every step asks once.",
    )
