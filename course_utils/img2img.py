"""Notebook 06: Img2Img by hand. Noise a picture part of the way, and denoise it from there.

`img2img` gives the latents of diffusers' StableDiffusionImg2ImgPipeline, bit for bit.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Generator, Tensor

from course_utils import vae
from course_utils.pipeline import FACTOR, Watch, check_inputs, denoise, embed

if TYPE_CHECKING:
    from diffusers import StableDiffusionImg2ImgPipeline

Pictures = Image.Image | list[Image.Image]


@torch.no_grad()
def img2img(
    pipe: "StableDiffusionImg2ImgPipeline",
    prompt: str | list[str],
    image: Pictures,
    strength: float = 0.8,
    negative_prompt: str | list[str] | None = None,
    num_inference_steps: int = 50,
    guidance_scale: float = 7.5,
    generator: Generator | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """From a picture and a prompt to latents: encode, add noise, and take it away again.

    Args:
        pipe: its parts are used, its `__call__` is not.
        prompt: one prompt, or B prompts.
        image: RGB, sides multiples of 8; one for all prompts, or one for each.
        strength: 0 (nothing changes) to 1 (the picture is forgotten): the share of the steps.
        negative_prompt, num_inference_steps, guidance_scale, generator, watch: as in
            `pipeline.text_to_image`.
    Returns:
        latents z, (B, C, h, w), ready for `pipeline.decode`.
    Raises:
        TypeError, ValueError: see `pipeline.check_inputs`, `check_strength` and `pixels`.
    Source: SDEdit, Meng et al. 2022, algorithm 1. Notebook 06.
    """
    check_inputs(pipe, prompt, negative_prompt, num_inference_steps, guidance_scale, generator)
    prompts = [prompt] if isinstance(prompt, str) else prompt
    x = pixels(image, len(prompts))
    timesteps = last_timesteps(pipe.scheduler, num_inference_steps, strength)
    context = embed(pipe, prompts, negative_prompt, guidance_scale > 1)
    z = noisy(pipe.scheduler, latents(pipe, x, generator), timesteps, generator)
    return denoise(pipe, z, timesteps, context, guidance_scale, generator, watch)


def last_timesteps(scheduler, num_inference_steps: int, strength: float) -> Tensor:
    """The timesteps that are left when a picture starts part of the way: the last ones.

    Of n steps, the last ⌊n · strength⌋; a scheduler that calls the UNet twice a step (Heun) has
    two timesteps for each.

    Args:
        scheduler: it is told where it begins.
        num_inference_steps: n.
        strength: 0 to 1.
    Raises:
        ValueError: strength leaves 0..1.
    Source: notebook 06, section 2.
    """
    check_strength(strength)
    scheduler.set_timesteps(num_inference_steps)
    first = (num_inference_steps - int(num_inference_steps * strength)) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return scheduler.timesteps[first:]


def latents(pipe, x: Tensor, generator: Generator | None) -> Tensor:
    """Pictures to latents, drawn from the posterior as diffusers does; see `vae.encode`.

    The pictures, (B, 3, H, W), may be on any device and in any precision.
    """
    return vae.encode(pipe.vae, x, generator or torch.default_generator)


def noisy(scheduler, z: Tensor, timesteps: Tensor, generator: Generator | None) -> Tensor:
    """Latents with the noise of the first of these timesteps; unchanged where there is none."""
    if not len(timesteps):
        return z
    eps = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
    return scheduler.add_noise(z, eps, timesteps[:1].repeat(len(z)))


def pixels(image: Pictures, batch: int) -> Tensor:
    """Pictures as the VAE takes them, one for each prompt: (B, 3, H, W) in -1..1.

    Raises:
        TypeError: not PIL pictures.
        ValueError: not RGB, sides no multiples of 8, or not one for each prompt.
    """
    pictures = [image] * batch if isinstance(image, Image.Image) else image
    if not isinstance(pictures, list):
        raise TypeError(
            f"image must be a PIL picture or a list of them, got {type(image).__name__}. "
            "Try PIL.Image.fromarray(array) on a uint8 array (H, W, 3)."
        )
    if len(pictures) != batch:
        raise ValueError(f"{batch} prompts but {len(pictures)} pictures: give one for each.")
    for picture in pictures:
        if isinstance(picture, Image.Image):
            check_sides(picture)
    if len({np.shape(picture) for picture in pictures}) > 1:
        raise ValueError("the pictures have different sizes: resize them to one size first.")
    return torch.cat([vae.to_tensor(picture) for picture in pictures])


def check_sides(picture: Image.Image) -> None:
    """Refuse a picture whose sides are no multiples of 8."""
    if picture.width % FACTOR or picture.height % FACTOR:
        raise ValueError(
            f"width and height must be multiples of {FACTOR}, got {picture.width} × "
            f"{picture.height}. Try img2img.fit_picture(picture, 128)."
        )


def check_strength(strength: float) -> None:
    """Refuse a strength outside 0..1."""
    if not isinstance(strength, int | float) or isinstance(strength, bool):
        raise TypeError(f"strength must be a number from 0 to 1, got {strength!r}. Try 0.6.")
    if not math.isfinite(strength) or not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in 0..1, got {strength}. Try 0.6.")


def fit_picture(picture: Image.Image | str | Path, side: int = 128) -> Image.Image:
    """Make any picture one that the model can take: upright, RGB, square, `side` pixels wide.

    A camera's note on how it was held is obeyed, what is transparent becomes white, the longer
    side is cut at both ends, and the rest is resized (Lanczos).

    Args:
        picture: a PIL picture, or the path of a file that Pillow can read.
        side: width and height of the result, a multiple of 8.
    Raises:
        TypeError: neither a picture nor a path.
        ValueError: no picture in the file, or one smaller than 8 × 8; side no multiple of 8.
    """
    if side < FACTOR or side % FACTOR:
        raise ValueError(f"side must be a multiple of {FACTOR}, got {side}. Try 128.")
    picture = open_picture(picture)
    if min(picture.size) < FACTOR:
        raise ValueError(
            f"the picture has {picture.width} × {picture.height} pixels, too few to show anything: "
            f"give one of at least {FACTOR} × {FACTOR}."
        )
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    flat = Image.alpha_composite(paper, upright).convert("RGB")
    return ImageOps.fit(flat, (side, side), Image.Resampling.LANCZOS)


def open_picture(picture: Image.Image | str | Path) -> Image.Image:
    """A picture, or what is in its file; errors as in `fit_picture`."""
    if isinstance(picture, Image.Image):
        return picture
    if not isinstance(picture, str | Path):
        raise TypeError(
            f"picture must be a PIL picture or a path, got {type(picture).__name__}. "
            "Try PIL.Image.fromarray(array) on a uint8 array (H, W, 3)."
        )
    try:
        return Image.open(picture)
    except OSError as error:
        raise ValueError(f"cannot read a picture from {picture}: {error}") from error
