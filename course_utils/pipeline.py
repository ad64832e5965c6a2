"""Notebook 05: the whole pipeline by hand.

`text_to_image` is the loop of the article on today's library: its latents and its picture equal
those of diffusers' StableDiffusionPipeline, bit for bit.
"""

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from course_utils.errors import check_prediction_type

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

FACTOR = 8  # pixels to a latent
Watch = Callable[[int, int, Tensor, Tensor], None]


@torch.no_grad()
def text_to_image(
    pipe: "StableDiffusionPipeline",
    prompt: str | list[str],
    negative_prompt: str | list[str] | None = None,
    num_inference_steps: int = 50,
    guidance_scale: float = 7.5,
    generator: Generator | None = None,
    height: int | None = None,
    width: int | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """From prompts to latents: embed, draw noise, and take it away step by step.

    Args:
        pipe: its tokenizer, text encoder, UNet and scheduler are used, its `__call__` is not.
        prompt: one prompt, or B prompts.
        negative_prompt: what to move away from; one for all prompts, one for each, or None: the
            empty prompt.
        num_inference_steps: 1 or more.
        guidance_scale: g; no guidance where it is 1 or less.
        generator: where the noise comes from.
        height, width: of the picture in pixels, multiples of 8; the model's own where left out.
        watch: called after every step with (i, t, z, z0): the latents, and the clean ones that
            the UNet has in mind, (B, C, h, w).
    Returns:
        latents z, (B, C, h, w), ready for `decode`.
    Raises:
        TypeError, ValueError: see `check_inputs`.
    Source: Rombach et al. 2022; guidance: Ho and Salimans 2022, eq. 6. Notebook 05.
    """
    check_inputs(
        pipe, prompt, negative_prompt, num_inference_steps, guidance_scale, generator, height, width
    )
    prompts = [prompt] if isinstance(prompt, str) else prompt
    context = embed(pipe, prompts, negative_prompt, guidance_scale > 1)
    pipe.scheduler.set_timesteps(num_inference_steps)
    z = initial_noise(pipe, len(prompts), height, width, generator)
    z = z * pipe.scheduler.init_noise_sigma
    return denoise(pipe, z, pipe.scheduler.timesteps, context, guidance_scale, generator, watch)


def denoise(
    pipe: "StableDiffusionPipeline",
    z: Tensor,
    timesteps: Tensor,
    context: Tensor,
    g: float,
    generator: Generator | None = None,
    watch: Watch | None = None,
    extra: Tensor | None = None,
    after: Callable[[int, Tensor], Tensor] | None = None,
) -> Tensor:
    """The loop of every pipeline: ask the UNet for the noise, guide, take some of it away.

    Args:
        z: noisy latents, (B, C, h, w).
        timesteps: the ones to go through, from the noisiest on.
        context: what the UNet hears, from `embed`.
        g: guidance scale; no guidance where it is 1 or less.
        generator: for schedulers that add noise of their own.
        watch: see `text_to_image`.
        extra: channels the UNet sees beside the latents, (B, K, h, w): notebooks 07 and 08.
        after: called with (i, z) after step i; the loop goes on with what it returns: notebook 07.
    Returns:
        latents z, (B, C, h, w).
    Raises:
        ValueError: see `errors.check_prediction_type`.
    """
    scheduler, guided = pipe.scheduler, g > 1
    check_prediction_type(scheduler)
    options = step_options(scheduler, generator)
    told = timesteps.to(z.device)  # for the UNet, all at once: the loop waits for no GPU
    if extra is not None:
        extra = torch.cat([extra, extra]) if guided else extra
    for i, t in enumerate(timesteps):
        doubled = scheduler.scale_model_input(torch.cat([z, z]) if guided else z, t)
        seen = doubled if extra is None else torch.cat([doubled, extra], dim=1)
        with torch.inference_mode():  # no_grad, and nothing is noted for a way back: 3 % faster
            eps = pipe.unet(seen, told[i], context).sample
        eps = guide(eps, g) if guided else eps
        if watch:
            watch(i, int(t), z, clean_estimate(scheduler, z, eps, t))
        z = scheduler.step(eps, t, z, **options).prev_sample
        z = after(i, z) if after else z
    return z


def placed(pipe: "StableDiffusionPipeline", x: Tensor) -> Tensor:
    """A tensor where the pipeline computes, in its precision; itself where it is there already."""
    return x.to(pipe._execution_device, pipe.unet.dtype)  # pipe.device is the CPU under offload


@torch.no_grad()
def embed(
    pipe: "StableDiffusionPipeline",
    prompts: list[str],
    negative_prompt: str | list[str] | None = None,
    guided: bool = True,
) -> Tensor:
    """What the UNet hears: the negative prompts first, then the prompts.

    Args:
        negative_prompt: one for all, one for each, or None: the empty prompt.
        guided: whether there is guidance; without it the prompts are all that is needed.
    Returns:
        (2B, L, D), or (B, L, D) without guidance.
    """
    if not guided:
        return _encode(pipe, prompts)
    negatives = "" if negative_prompt is None else negative_prompt
    if isinstance(negatives, str):
        negatives = [negatives] * len(prompts)
    return torch.cat([_encode(pipe, negatives), _encode(pipe, prompts)])


def _encode(pipe: "StableDiffusionPipeline", texts: list[str]) -> Tensor:
    ids = pipe.tokenizer(
        texts, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    return pipe.text_encoder(ids.to(pipe._execution_device))[0]


def initial_noise(
    pipe: "StableDiffusionPipeline",
    batch: int,
    height: int | None,
    width: int | None,
    generator: Generator | None,
) -> Tensor:
    """Standard normal noise in the shape of the latents, (B, C, h, w)."""
    own = pipe.unet.config.sample_size
    h, w = (side // FACTOR if side else own for side in (height, width))
    shape = (batch, pipe.unet.config.in_channels, h, w)
    eps = torch.randn(shape, generator=generator, dtype=pipe.unet.dtype)
    return placed(pipe, eps)


def guide(eps: Tensor, g: float) -> Tensor:
    """Classifier-free guidance: ε = ε_u + g · (ε_c − ε_u).

    Args:
        eps: predictions without and with the prompt, one behind the other, (2B, C, h, w).
        g: guidance scale; 1 follows the prompt plainly, more exaggerates it.
    Returns:
        (B, C, h, w).
    Source: Ho and Salimans 2022, eq. 6. Notebook 05, section 3.
    """
    u, c = eps.chunk(2)
    return u + g * (c - u)


def clean_estimate(scheduler, z: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """The clean latents that a noise prediction implies: z_0 = (z_t − √(1−ᾱ_t) ε) / √ᾱ_t.

    Schedulers that count noise in sigmas keep z scaled by 1/√ᾱ_t; for them z_0 = z − σ_t ε.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    Source: Ho et al. 2020, eq. 4 solved for x_0; Karras et al. 2022. Notebook 05, section 4.
    """
    check_prediction_type(scheduler)
    alpha_bar = scheduler.alphas_cumprod[int(t)].to(z)
    if float(scheduler.init_noise_sigma) > 1:
        return z - ((1 - alpha_bar) / alpha_bar).sqrt() * eps
    return (z - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()


def step_options(scheduler, generator: Generator | None) -> dict:
    """The generator, for schedulers that add noise of their own at each step."""
    return (
        {"generator": generator}
        if "generator" in inspect.signature(scheduler.step).parameters
        else {}
    )


@torch.no_grad()
def decode(pipe: "StableDiffusionPipeline", z: Tensor) -> list[Image.Image]:
    """Latents (B, C, h, w) → pictures."""
    x = pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample  # (B, 3, H, W) in about -1..1
    pixels = (x / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).float().cpu().numpy()
    return [Image.fromarray(p) for p in (pixels * 255).round().astype(np.uint8)]


def check_inputs(
    pipe, prompt, negative_prompt, steps, guidance, generator, height=None, width=None
) -> None:
    """Refuse what would fail later or be changed in silence; arguments as in `text_to_image`.

    Raises:
        TypeError: a prompt that is no text, steps that are no whole number.
        ValueError: no prompts, lists of different length, steps below 1, a guidance scale that
            is no number, a side that is no multiple of 8, a generator on another device, a model
            that does not predict noise.
    """
    check_prediction_type(pipe.scheduler)
    prompts = _texts("prompt", prompt)
    negatives = _texts("negative_prompt", "" if negative_prompt is None else negative_prompt)
    if not prompts:
        raise ValueError("prompt is an empty list: give at least one prompt.")
    if isinstance(negative_prompt, list) and len(negatives) != len(prompts):
        raise ValueError(
            f"{len(prompts)} prompts but {len(negatives)} negative prompts: give one negative "
            "prompt for all, or one for each."
        )
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"num_inference_steps must be a whole number, got {steps!r}. Try 30.")
    if steps < 1:
        raise ValueError(f"num_inference_steps must be 1 or more, got {steps}. Try 30.")
    if not math.isfinite(guidance):
        raise ValueError(f"guidance_scale must be a finite number, got {guidance}. Try 7.5.")
    for name, side in (("height", height), ("width", width)):
        if side is not None and (side < FACTOR or side % FACTOR):
            nearest = max(FACTOR, FACTOR * round(side / FACTOR))
            raise ValueError(f"{name} must be a multiple of {FACTOR}, got {side}. Try {nearest}.")
    if generator is not None and generator.device.type != "cpu":
        raise ValueError(
            f"the generator is on {generator.device}, but noise is drawn on the CPU so that every "
            "machine draws the same: use torch.Generator()."
        )


def _texts(name: str, value) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a string or a list of strings, got {value!r}.")
    return texts


def check_unet_channels(pipe, channels: int, other: str) -> None:
    """Refuse a UNet made for another number of channels."""
    has = pipe.unet.config.in_channels
    if has != channels:
        raise ValueError(
            f"this UNet takes {has} channels, and this loop feeds it {channels}. Try {other}, or "
            "another task in load(…)."
        )
