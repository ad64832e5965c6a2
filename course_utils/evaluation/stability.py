"""Do guided samplers stay stable? Where they do not, the latents grow and the picture glares."""

import copy

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.drawing import make_scheduler
from course_utils.evaluation.material import Material
from course_utils.evaluation.tables import Row, Tables, share
from course_utils.training.evaluate import BATCH
from course_utils.world3d.caption import describe

SAMPLERS = ("pndm", "lms", "euler", "heun", "dpm++", "ddim")
STEPS, GUIDANCES = 30, (3.0, 8.0, 12.0)
EXACT, EXACT_STEPS = "ddim", 100  # what the others are compared with
NEAR = 0.1
PROMPTS = 200


def starting_noise(pipe: StableDiffusionPipeline, count: int) -> Tensor:
    """Standard normal latents, each from its own seed, (count, C, h, w)."""
    side = pipe.unet.config.sample_size
    shape = (pipe.unet.config.in_channels, side, side)
    seeds = [torch.Generator().manual_seed(seed) for seed in range(count)]
    return torch.stack([torch.randn(shape, generator=seed) for seed in seeds])


def final_latents(
    pipe: StableDiffusionPipeline,
    prompts: list[str],
    noise: Tensor,
    sampler: str,
    steps: int,
    guidance: float,
) -> Tensor:
    """What a sampler makes of noise, before the VAE.

    Args:
        pipe: its scheduler stays as it is.
        prompts: N of them.
        noise: standard normal, (N, C, h, w).
        sampler: a key of `drawing.SCHEDULERS`.
        steps: at least 1.
        guidance: scale of classifier-free guidance.
    Returns:
        latents, (N, C, h, w).
    """
    pipe = copy.copy(pipe)
    pipe.scheduler = make_scheduler(sampler, pipe.scheduler)
    parts = [
        pipe(
            prompts[first : first + BATCH],
            latents=noise[first : first + BATCH],
            num_inference_steps=steps,
            guidance_scale=guidance,
            output_type="latent",
        ).images
        for first in tqdm(range(0, len(prompts), BATCH), f"{sampler} {guidance:g}", mininterval=10)
    ]
    return torch.cat(parts)


def spread_ratios(latents: Tensor, exact: Tensor) -> np.ndarray:
    """Standard deviation of each latent over that of its exact one; (N, C, h, w) twice → (N,)."""
    return (latents.flatten(1).std(dim=1) / exact.flatten(1).std(dim=1)).numpy()


def stability(material: Material) -> Tables:
    """For every sampler and guidance: the ratio of the final latents' standard deviation to that
    of DDIM with 100 steps from the same noise, and how often the two are within 10 %."""
    prompts = [describe(scene) for scene in material.scenes[:PROMPTS]]
    noise, rows = starting_noise(material.pipe, len(prompts)), []
    for guidance in GUIDANCES:
        exact = final_latents(material.pipe, prompts, noise, EXACT, EXACT_STEPS, guidance)
        for sampler in SAMPLERS:
            latents = final_latents(material.pipe, prompts, noise, sampler, STEPS, guidance)
            ratios = spread_ratios(latents, exact)
            rows.append({"sampler": sampler, "guidance": guidance} | ratio_row(ratios))
    return {f"Standard deviation of latents over that of DDIM, {EXACT_STEPS} steps": rows}


def ratio_row(ratios: np.ndarray) -> Row:
    """What a table tells of ratios (N,): the middle, the ends, and the share within NEAR of 1."""
    return {
        "median": float(np.median(ratios)),
        "lowest": float(ratios.min()),
        "highest": float(ratios.max()),
        "within 10 %": share((np.abs(ratios - 1) <= NEAR).tolist()),
    }
