"""Checks for the exercises of notebook 06."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import (
    attempted,
    expect,
    expect_close,
    expect_latents,
    expect_number,
    expect_tensor,
)
from course_utils.checks.stand_ins import Img2ImgScheduler, counting_unet, stand_in


@attempted
def check_steps_left(steps_left: Callable[[int, float], int]) -> None:
    """Notebook 06: how often Img2Img calls the UNet."""
    expect(
        steps_left(25, 0.3),
        7,
        {
            25: "strength has no effect: some steps are skipped.",
            18: "those are the steps that are skipped.",
            17: "those are about the steps that are skipped.",
            8: "round down: 7.5 steps are 7.",
            7.5: "steps are whole numbers: round down.",
            7.0: "steps are whole numbers: int(…).",
            0: "round down at the end: n · strength first.",
        },
        "n · strength, rounded down.",
    )
    expect(
        steps_left(20, 0),
        0,
        {1: "strength 0 changes nothing: not even one step is left."},
        "strength 0 leaves no step.",
    )
    expect(steps_left(50, 1), 50, {}, "strength 1 leaves every step.")


@attempted
def check_strength_for(strength_for: Callable[[int, list[int]], float]) -> None:
    """Notebook 06: the strength that begins at a timestep."""
    expect_number(
        strength_for(601, [801, 601, 401, 201, 1]),
        0.8,
        {
            "that is the share that is skipped: count from t to the end.": 0.2,
            "the step at t is to be done, too: count it.": 0.6,
            "the step before t is skipped: count from t on.": 1.0,
            "timesteps are no shares: count the steps from t to the end.": 0.601,
            "strength compares numbers of steps, not timesteps.": 601 / 801,
            "that is how many steps are left: divide by all of them.": 4.0,
        },
        "the number of steps from t to the end, divided by the number of all.",
    )
    expect_number(strength_for(801, [801, 401, 1]), 1.0, {}, "to begin at the first is strength 1.")


@attempted
def check_prepare(prepare: Callable) -> None:
    """Notebook 06: the latents before the loop, and the timesteps that are left."""
    z0, eps = torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 0.5)
    z, left = _prepared(prepare, z0, eps, 0.5)  # of 10, 9, … 1 the last five: 5, 4, 3, 2, 1
    expect(
        left,
        (5, 4, 3, 2, 1),
        {
            tuple(range(10, 0, -1)): "those are all timesteps: skip those above the picture's.",
            (10, 9, 8, 7, 6): "those are the ones to skip: the last ones are left.",
            (4, 3, 2, 1): "it is one too few: of 10 steps, 0.5 leaves 5.",
            (6, 5, 4, 3, 2, 1): "it is one too many: of 10 steps, 0.5 leaves 5.",
        },
        "the last ⌊n · strength⌋ of scheduler.timesteps.",
    )
    expect_tensor(
        z,
        z0 + 5 * eps,
        {
            "the noise is missing: scheduler.add_noise.": z0,
            "that is the noise of the first of all timesteps: take the first that is left.": (
                z0 + 10 * eps
            ),
            "that is the noise of the last timestep: take the first that is left.": z0 + eps,
            "the first one left is timesteps[:1], not the one before or after.": z0 + 4 * eps,
            "no init_noise_sigma here: add_noise makes the noise as strong as it must be.": (
                10 * (z0 + 5 * eps)
            ),
            "z0 comes first in add_noise, then the noise.": eps + 5 * z0,
        },
        "scheduler.add_noise(z0, eps, timesteps[:1]).",
    )
    expect(_prepared(prepare, z0, eps, 0.75)[1], (7, 6, 5, 4, 3, 2, 1), {}, "7.5 steps are 7.")
    z, left = _prepared(prepare, z0, eps, 0.0)
    expect(left, (), {}, "strength 0 leaves no step: timesteps[n:], not timesteps[-0:].")
    expect_tensor(z, z0, {}, "where no step is left, the latents stay as they are.")


def _prepared(prepare: Callable, z0: Tensor, eps: Tensor, strength: float) -> tuple[Tensor, tuple]:
    """What the learner's function gives for ten steps: the latents, and the timesteps."""
    given = prepare(Img2ImgScheduler(), z0, eps, 10, strength)
    if not isinstance(given, tuple) or len(given) != 2:
        raise AssertionError("give two things: the noisy latents and the timesteps.")
    return given[0], tuple(int(t) for t in given[1])


@attempted
def check_repainted(repainted: Callable) -> None:
    """Notebook 06: Img2Img, on a stand-in scheduler and UNet whose every use leaves a trace."""
    hints = {
        "noise": "put noise on the latents before the loop: scheduler.add_noise.",
        "first": "put in the noise of the first timestep that is left, not of all.",
        "skip": "go through the timesteps that are left, not through all.",
        "sigma": "no init_noise_sigma here: add_noise makes the noise as strong as it must be.",
        "scale": "pass the latents through scheduler.scale_model_input before the UNet.",
        "swapped": "context has the negative prompt first: u, c = ….chunk(2).",
        "unguided": "combine the two predictions: u + g * (c - u).",
        "strength": "that is what strength 1 gives: strength has no effect.",
    }
    traces = {_repainted(mistake): hint for mistake, hint in hints.items()}
    pipe = stand_in(Img2ImgScheduler())
    context = torch.tensor([1.0, 2.0]).reshape(2, 1, 1).expand(2, 77, 8)
    z0, eps = torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 0.5)
    given = repainted(pipe, context, z0, eps, 4, 0.5, 2.0)
    expect_latents(given)
    expect_close(given[0, 0, 0, 0], torch.tensor(_repainted("")), traces)


def _repainted(mistake: str) -> float:
    """Img2Img on the stand-ins with z0 = 3, eps = ½, n = 4, strength ½, g = 2; one mistake."""
    scheduler, z = Img2ImgScheduler(), torch.full((1, 4, 2, 2), 3.0)
    scheduler.set_timesteps(4)
    every, left = scheduler.timesteps, scheduler.timesteps[0 if mistake == "strength" else 2 :]
    if mistake != "noise":
        z = scheduler.add_noise(
            z, torch.full_like(z, 0.5), (every if mistake == "first" else left)[:1]
        )
    z = z * scheduler.init_noise_sigma if mistake == "sigma" else z
    for t in every if mistake == "skip" else left:
        x = z if mistake == "scale" else scheduler.scale_model_input(z, t)
        u, c = (counting_unet(x, t, torch.full((1, 77, 8), said)).sample for said in (1.0, 2.0))
        u, c = (c, u) if mistake == "swapped" else (u, c)
        z = scheduler.step(c if mistake == "unguided" else u + 2.0 * (c - u), t, z).prev_sample
    return float(z[0, 0, 0, 0])
