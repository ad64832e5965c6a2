"""Checks for the exercises of notebook 04."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect, expect_list, expect_number


@attempted
def check_snr(snr: Callable[[Tensor], Tensor]) -> None:
    """Notebook 04: the signal-to-noise ratio of a noisy latent."""
    expect_number(
        snr(torch.tensor(0.8)),
        4.0,
        {
            "noise over signal: turn it round.": 0.25,
            "that is the ratio of deviations; SNR compares variances: no square root.": 2.0,
            "that is sigma: noise over signal, as deviations.": 0.5,
            "that is the share of the signal; divide by the share of the noise.": 0.8,
            "that is in decibels: no logarithm here.": 6.0206,
        },
        "ᾱ / (1 − ᾱ).",
    )


@attempted
def check_timesteps(timesteps: Callable[[int], list[int]]) -> None:
    """Notebook 04: the timesteps that DDIM visits."""
    given = timesteps(4)
    expect_list(
        given,
        [751, 501, 251, 1],
        {
            (750, 500, 250, 0): "steps_offset is 1: add it to each.",
            (1, 251, 501, 751): "from much noise to little: the largest comes first.",
            (0, 250, 500, 750): "the largest comes first, and steps_offset is 1.",
            (999, 749, 499, 249): "that is the spacing 'trailing'; 'leading' counts up from 0.",
            (999, 666, 333, 0): "that is the spacing 'linspace'; 'leading' counts up from 0.",
            (1001, 751, 501, 251): "training knows no timestep above 999: count from 0, add 1.",
            (4, 3, 2, 1): "the timesteps of training go up to 999: take strides of 1000 // steps.",
        },
        "1 + i · (1000 // steps), the largest first.",
    )
    expect(timesteps(3), [667, 334, 1], {}, "the stride is a whole number: 1000 // steps.")
    given = timesteps(30)
    if given != [1 + 33 * i for i in reversed(range(30))]:
        raise AssertionError(
            f"for 30 steps you gave {len(given)} timesteps, the first {given[0]}, and not 30 from "
            "958 on: the stride is 1000 // steps, and there are exactly `steps` of them."
        )


@attempted
def check_heun_step(heun_step: Callable) -> None:
    """Notebook 04: one step of Heun's method."""
    answer = heun_step(torch.tensor(1.0), lambda x, sigma: x * sigma**2, 2.0, 1.0)
    expect_number(
        answer,
        0.5,
        {
            "you went the wrong way: the step is sigma_next − sigma, and negative.": 5.5,
            "that is Euler's step: look at the slope at its end as well.": -3.0,
            "you went along the end's slope alone: take the mean of both.": 4.0,
            "take the mean of the slopes: divide their sum by 2.": 0.0,
            "the second step starts from x again, not from where the first one ended.": -3.5,
            "the slope at the end is asked there: at sigma_next.": 5.0,
            "the slope at the end is asked there: not at x, but where Euler's step ends.": -1.5,
            "that is the midpoint method: look at the end of Euler's step, not half way.": 3.25,
        },
        "x + (sigma_next − sigma) · (d + d′) / 2, with d′ = slope(x + (sigma_next − sigma) · d, "
        "sigma_next).",
    )


@attempted
def check_order(order: Callable[[float, float], float]) -> None:
    """Notebook 04: the order of a method, from its errors with n and with 2n steps."""
    expect_number(
        order(0.8, 0.1),
        3.0,
        {
            "that is how many times smaller it got: 2 to which power is that?": 8.0,
            "the steps were doubled: take the logarithm to base 2.": 2.0794,
            "that is the logarithm to base 10: take base 2.": 0.9031,
            "the first error is the larger one: divide it by the second.": -3.0,
            "errors are compared by their ratio.": 0.7,
        },
        "log2(error_n / error_2n).",
    )
