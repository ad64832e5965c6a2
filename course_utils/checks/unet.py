"""Checks for the exercises of notebook 03."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect, expect_list, expect_tensor


@attempted
def check_join_skip(join_skip: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 03: how an up block takes in what the way down left for it."""
    x, skip = torch.arange(16.0).view(2, 2, 2, 2), -torch.ones(2, 2, 2, 2)
    expect_tensor(
        join_skip(x, skip),
        torch.cat([x, skip], dim=1),
        {
            "a ResNet adds; a U-Net puts side by side: torch.cat.": x + skip,
            "that joins the batches: channels are dimension 1.": torch.cat([x, skip], dim=0),
            "that joins the heights: channels are dimension 1.": torch.cat([x, skip], dim=2),
            "that joins the widths: channels are dimension 1.": torch.cat([x, skip], dim=3),
            "x comes first, then the skip.": torch.cat([skip, x], dim=1),
        },
        "the channels of x, then those of the skip.",
    )


@attempted
def check_map_sizes(map_sizes: Callable[[int, int], list[int]]) -> None:
    """Notebook 03: the resolutions that the blocks of the way down work at."""
    expect_list(
        map_sizes(64, 4),
        [64, 32, 16, 8],
        {
            (64, 32, 16, 8, 4): "the last block does not shrink what it gives.",
            (32, 16, 8, 4): "the first block works at the size of the latents.",
            (32, 16, 8, 8): "that is what the blocks give; asked is what they work at.",
            (8, 16, 32, 64): "that is the way up.",
            (64, 48, 32, 16): "each level is half as large as the one before.",
        },
        "halve from block to block, with //.",
    )
    expect(map_sizes(16, 3), [16, 8, 4], {}, "it must work for every size and number of blocks.")


@attempted
def check_implied_noise(implied_noise: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 03: the noise that lies between a noisy latent and a clean one."""
    x0, xt, a = torch.tensor([1.0, -2.0]), torch.tensor([2.0, 3.0]), torch.tensor(0.36)
    expect_tensor(
        implied_noise(xt, x0, a),
        torch.tensor([1.75, 5.25]),
        {
            "take the square root of alpha_bar_t, and of 1 − alpha_bar_t.": (xt - a * x0) / (1 - a),
            "divide by √(1 − ᾱ_t): the noise was made smaller before it was added.": xt - 0.6 * x0,
            "x0 was made smaller, too: by √ᾱ_t.": (xt - x0) / 0.8,
            "the two factors are exchanged: that is the formula for x0.": (xt - 0.8 * x0) / 0.6,
            "subtract √ᾱ_t · x0: it is in xt already.": (xt + 0.6 * x0) / 0.8,
        },
        "(x_t − √ᾱ_t · x_0) / √(1 − ᾱ_t).",
    )


@attempted
def check_extra_parameters(extra_parameters: Callable[[int], int]) -> None:
    """Notebook 03: how many more numbers a UNet has whose latents come with more channels."""
    expect(
        extra_parameters(9),
        14_400,
        {
            25_920: "four channels are there already: count those that are new.",
            26_240: "count what is new: the bias was there before, and four channels.",
            14_720: "there is one bias for each output channel, and it was there before.",
            1_600: "each kernel is 3 × 3: nine numbers.",
            4_800: "each kernel has 3 · 3 numbers, not 3.",
            45: "each of the 320 output channels has kernels of its own.",
            14_400.0: "parameters are whole numbers.",
        },
        "new channels × 320 output channels × 3 × 3.",
    )
    expect(extra_parameters(5), 2_880, {}, "it must work for any number of channels.")
