"""Checks for the exercises of notebook 08."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect_number, expect_tensor


@attempted
def check_relative_error(relative_error: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 08: how wrong estimated depth is."""
    predicted, truth = torch.tensor([[5.0, 2.0], [1.0, 0.5]]), torch.tensor([[2.0, 4.0], [8.0, 25]])
    metres = 10 / predicted  # 2, 5, 10, 20
    difference = metres - truth
    expect_number(
        relative_error(predicted, truth),
        float((difference.abs() / truth).mean()),
        {
            "predicted is 10 / metres: turn it round first.": float(
                ((predicted - truth).abs() / truth).mean()
            ),
            "predicted is 10 / metres, not 1 / metres.": float(
                ((1 / predicted - truth).abs() / truth).mean()
            ),
            "too near and too far must not cancel: take the absolute value.": float(
                (difference / truth).mean()
            ),
            "relative to the true distance: divide by it.": float(difference.abs().mean()),
            "relative to the true distance, not to the estimated one.": float(
                (difference.abs() / metres).mean()
            ),
            "divide each difference by its own distance, then take the mean.": float(
                difference.abs().mean() / truth.mean()
            ),
        },
        "the mean of |d̂ − d| / d, with d̂ = 10 / predicted.",
    )


@attempted
def check_normalised(normalised: Callable[[Tensor], Tensor]) -> None:
    """Notebook 08: inverse depth to -1..1, each picture for itself."""
    seen = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]], [[[10.0, 20.0], [20.0, 30.0]]]])
    low, high = (f(seen, dim=(2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    part = (seen - low) / (high - low)
    expect_tensor(
        normalised(seen),
        2 * part - 1,
        {
            "that is 0 to 1: times 2, minus 1.": part,
            "that is 0 to 2: subtract 1.": 2 * part,
            "the nearest must become 1, the farthest -1.": 1 - 2 * part,
            "each picture for itself: amin and amax over height and width only.": 2
            * (seen - seen.min())
            / (seen.max() - seen.min())
            - 1,
            "the smallest must become -1: subtract it before you divide.": 2 * seen / high - 1,
            "divide by the range, largest minus smallest.": 2 * (seen - low) / high - 1,
        },
        "2 · (seen − smallest) / (largest − smallest) − 1, for each picture.",
    )


@attempted
def check_five_channels(five_channels: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 08: what the depth UNet sees, for two pictures and both halves of guidance."""
    z = torch.arange(48.0).reshape(2, 4, 2, 3)
    depth = torch.linspace(-1, 1, 12).reshape(2, 1, 2, 3)
    five = torch.cat([z, depth], dim=1)
    expect_tensor(
        five_channels(z, depth),
        torch.cat([five, five]),
        {
            "guidance asks twice: give the five channels two times.": five,
            "first all pictures without the prompt, then all with it: 1, 2, 1, 2.": (
                five.repeat_interleave(2, dim=0)
            ),
            "the latents come first, then the depth.": torch.cat(
                [torch.cat([depth, z], dim=1)] * 2
            ),
            "the second time is another part of the batch: dim=0.": torch.cat([five] * 2, dim=1),
        },
        "latents and depth along dim=1, then the whole twice along dim=0.",
    )


@attempted
def check_likeness(likeness: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 08: the correlation of two depth maps."""
    a, b = torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.tensor([[2.0, 1.0], [5.0, 12.0]])
    p, q = a - a.mean(), b - b.mean()
    wanted = (p * q).mean() / (p.square().mean() * q.square().mean()).sqrt()
    expect_number(
        likeness(a, b),
        float(wanted),
        {
            "torch's std divides by n − 1 here: take std(correction=0).": float(wanted * 3 / 4),
            "that is the covariance: divide by both standard deviations.": float((p * q).mean()),
            "subtract the means first: only differences count.": float(
                (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()
            ),
            "divide by the standard deviations, not by the variances.": float(
                (p * q).mean() / (p.square().mean() * q.square().mean())
            ),
            "that is its square: layouts that are turned round would look alike.": float(wanted**2),
            "the mean of the products, not their sum.": float(
                (p * q).sum() / (p.square().mean() * q.square().mean()).sqrt()
            ),
        },
        "mean((a − ā)(b − b̄)) / (σ_a · σ_b).",
    )
    expect_number(likeness(a, -3 * a + 1), -1.0, {}, "near and far exchanged is -1.")
