"""Checks for the exercises of notebook 10."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect_number, expect_tensor


@attempted
def check_noise_loss(noise_loss: Callable) -> None:
    """Notebook 10: the loss of a batch of two, for a network that gives back what it sees."""
    x0 = torch.tensor([[1.0, 2.0], [3.0, -1.0]])[..., None, None]  # (2, 2, 1, 1)
    eps = torch.tensor([[0.5, -1.0], [2.0, 0.0]])[..., None, None]
    alpha_bar, t = torch.tensor([0.9, 0.64, 0.36, 0.04]), torch.tensor([2, 1])
    a = alpha_bar[t][:, None, None, None]
    heard = torch.tensor([[[2.0]], [[3.0]]])  # (2, 1, 1): what the network is to hear
    asked = []

    def model(xt: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked.append((xt, t, c))
        return xt * c[..., None]

    def error(xt: Tensor, target: Tensor) -> Tensor:
        return xt * heard[..., None] - target

    xt = a.sqrt() * x0 + (1 - a).sqrt() * eps
    right = error(xt, eps).square()
    given = torch.as_tensor(noise_loss(model, x0, eps, t, heard, alpha_bar))
    if not asked:
        raise AssertionError("the network was not asked: model(xt, t, c).")
    expect_tensor(
        given,
        right.mean(),
        {
            "the network is to find the noise: compare with eps, not with x0.": error(xt, x0)
            .square()
            .mean(),
            "compare with eps, not with the noisy latents.": error(xt, xt).square().mean(),
            "mean squared error: square the difference.": error(xt, eps).abs().mean(),
            "the mean over all numbers, not their sum.": right.sum(),
            "a loss is one number: take the mean.": right,
            "the mean of the squares; no root of it.": right.mean().sqrt(),
            "take the square roots of ᾱ and of 1 − ᾱ.": error(a * x0 + (1 - a) * eps, eps)
            .square()
            .mean(),
            "√ᾱ goes with x0, √(1 − ᾱ) with eps.": error((1 - a).sqrt() * x0 + a.sqrt() * eps, eps)
            .square()
            .mean(),
            "show the network the noisy latents, not the clean ones.": error(x0, eps)
            .square()
            .mean(),
        },
        "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε, ask the network, mean squared error to ε.",
    )


@attempted
def check_moving_average(moving_average: Callable) -> None:
    """Notebook 10: one step of the running average of weights."""
    average, weights = torch.tensor([1.0, -2.0]), torch.tensor([5.0, 2.0])
    expect_tensor(
        moving_average(average, weights, 0.75),
        torch.tensor([2.0, -1.0]),
        {
            "decay is the share of the old average: it is near 1.": torch.tensor([4.0, 1.0]),
            "the new weights count 1 − decay: the shares add up to 1.": torch.tensor([5.75, 0.5]),
            "the old average counts decay, not all of it.": torch.tensor([2.25, -1.5]),
            "those are the new weights: nothing is averaged.": weights,
            "nothing has moved: add a part of the new weights.": average,
            "that is the plain mean: use decay.": torch.tensor([3.0, 0.0]),
        },
        "decay · average + (1 − decay) · weights.",
    )


@attempted
def check_velocity(velocity: Callable) -> None:
    """Notebook 10: the target of v-prediction, for two pictures."""
    x0, eps, a = _velocity_example()
    expect_tensor(
        velocity(x0, eps, torch.tensor([0.36, 0.64])),
        a.sqrt() * eps - (1 - a).sqrt() * x0,
        {
            "the other way round: the noise comes with a plus.": (1 - a).sqrt() * x0
            - a.sqrt() * eps,
            "√ᾱ goes with the noise here, √(1 − ᾱ) with x0.": (1 - a).sqrt() * eps - a.sqrt() * x0,
            "that is the noisy latents: v is at a right angle to them.": a.sqrt() * x0
            + (1 - a).sqrt() * eps,
            "subtract the second part.": a.sqrt() * eps + (1 - a).sqrt() * x0,
            "take the square roots of ᾱ and of 1 − ᾱ.": a * eps - (1 - a) * x0,
            "each part has its factor: √ᾱ and √(1 − ᾱ).": eps - x0,
        },
        "√ᾱ · ε − √(1 − ᾱ) · x0; a number for each picture: alpha_bar[:, None, None, None].",
    )


@attempted
def check_noise_from_velocity(noise_from_velocity: Callable) -> None:
    """Notebook 10: the noise that a velocity implies, for two pictures."""
    x0, eps, a = _velocity_example()
    xt, v = a.sqrt() * x0 + (1 - a).sqrt() * eps, a.sqrt() * eps - (1 - a).sqrt() * x0
    expect_tensor(
        noise_from_velocity(xt, v, torch.tensor([0.36, 0.64])),
        eps,
        {
            "that is x0: the noise takes √ᾱ of v and √(1 − ᾱ) of x_t, added.": x0,
            "add the two parts.": a.sqrt() * v - (1 - a).sqrt() * xt,
            "√ᾱ goes with v, √(1 − ᾱ) with x_t.": (1 - a).sqrt() * v + a.sqrt() * xt,
            "take the square roots of ᾱ and of 1 − ᾱ.": a * v + (1 - a) * xt,
            "the other sign: √ᾱ v + √(1 − ᾱ) x_t.": (1 - a).sqrt() * xt - a.sqrt() * v,
            "that is v itself: x_t is needed, too.": v,
        },
        "√ᾱ · v + √(1 − ᾱ) · x_t.",
    )


def _velocity_example() -> tuple[Tensor, Tensor, Tensor]:
    """Clean latents, noise, and the signal share of two pictures, ready to be multiplied."""
    x0 = torch.tensor([[1.0, 2.0], [3.0, -1.0]])[..., None, None]
    eps = torch.tensor([[0.5, -1.0], [2.0, 0.25]])[..., None, None]
    return x0, eps, torch.tensor([0.36, 0.64])[:, None, None, None]


@attempted
def check_times_seen(times_seen: Callable) -> None:
    """Notebook 10: how often a run sees each of its examples."""
    expect_number(
        times_seen(600, 16, 2, 240),
        80.0,
        {
            "every process has a batch of its own: multiply by processes.": 40.0,
            "the batch is for each process, not for all: multiply, do not divide.": 20.0,
            "that is how many pictures are seen in all: divide by the examples.": 19_200.0,
            "a step sees a whole batch: multiply by it.": 5.0,
            "examples divides.": 0.0125,
        },
        "steps · batch · processes / examples.",
    )
    expect_number(
        times_seen(100, 8, 1, 3200),
        0.25,
        {"// rounds down: a quarter is not nothing. Divide with /.": 0.0},
        "steps · batch · processes / examples; less than once is possible.",
    )
