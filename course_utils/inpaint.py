"""Notebook 07: inpainting by hand, with a UNet that sees the hole and with one that does not.

`inpaint` (nine channels) and `inpaint_blended` (four) give the latents of diffusers'
StableDiffusionInpaintPipeline, bit for bit.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Generator, Tensor

from course_utils import vae
from course_utils.img2img import Pictures, last_timesteps, latents, noisy, pixels
from course_utils.pipeline import (
    FACTOR,
    Watch,
    check_inputs,
    check_unet_channels,
    denoise,
    embed,
    placed,
)

if TYPE_CHECKING:
    from diffusers import StableDiffusionInpaintPipeline

    from course_utils.models import Segmenter

Mask = Image.Image | np.ndarray | Tensor
Stroke = tuple[float, Sequence[tuple[float, float]]]  # of a brush: its width, its way (x, y)
THRESHOLD = 0.5  # what is as bright or brighter is repainted


@torch.no_grad()
def inpaint(
    pipe: "StableDiffusionInpaintPipeline",
    prompt: str | list[str],
    image: Pictures,
    mask: Mask | list[Mask],
    strength: float = 1.0,
    negative_prompt: str | list[str] | None = None,
    num_inference_steps: int = 50,
    guidance_scale: float = 7.5,
    generator: Generator | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Repaint what the mask covers, with a UNet of nine channels: the noisy latents (4), the mask
    (1), and the latents of the picture with its hole (4).

    Args:
        pipe: from `load(task="inpaint")`.
        prompt: what the whole picture should show, one or B.
        image: RGB, sides multiples of 8; one for all prompts, or one for each.
        mask: white (1) is repainted, black (0) is kept; see `mask_tensor`.
        strength: 1 starts from pure noise, less from the noised picture.
        negative_prompt, num_inference_steps, guidance_scale, generator, watch: as in
            `pipeline.text_to_image`.
    Returns:
        latents z, (B, C, h, w); `composite` puts the kept pixels back.
    Raises:
        TypeError, ValueError: see `pipeline.check_inputs`, `img2img.pixels` and `mask_tensor`.
    Source: Rombach et al. 2022, section 4.5. Notebook 07.
    """
    check_inputs(pipe, prompt, negative_prompt, num_inference_steps, guidance_scale, generator)
    check_unet_channels(pipe, 9, "inpaint_blended")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    x, m = pixels(image, len(prompts)), mask_tensors(mask, image, len(prompts))
    timesteps = started(pipe.scheduler, num_inference_steps, strength)
    context = embed(pipe, prompts, negative_prompt, guidance_scale > 1)
    if strength == 1:
        z = pure_noise(pipe, x, generator) * pipe.scheduler.init_noise_sigma
    else:
        z = latents(pipe, x, generator).contiguous()  # as diffusers: the last bits depend on it
        z = noisy(pipe.scheduler, z, timesteps, generator)
    extra = hole_channels(pipe, x, m, generator)
    return denoise(pipe, z, timesteps, context, guidance_scale, generator, watch, extra)


def hole_channels(pipe, x: Tensor, m: Tensor, generator: Generator | None) -> Tensor:
    """The five channels that say where the hole is and what is around it.

    Args:
        x: pictures, (B, 3, H, W) in -1..1.
        m: masks, (B, 1, H, W), 1 where the picture is repainted.
    Returns:
        the mask, small, and the latents of the picture with grey in its hole, (B, 1 + C, h, w).
    """
    z = latents(pipe, x * (m < THRESHOLD), generator)
    return torch.cat([small(m).to(z), z], dim=1)


@torch.no_grad()
def inpaint_blended(
    pipe: "StableDiffusionInpaintPipeline",
    prompt: str | list[str],
    image: Pictures,
    mask: Mask | list[Mask],
    strength: float = 1.0,
    negative_prompt: str | list[str] | None = None,
    num_inference_steps: int = 50,
    guidance_scale: float = 7.5,
    generator: Generator | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Repaint what the mask covers, with an ordinary UNet of four channels: after every step, what
    lies outside the mask is replaced by the picture itself, as noisy as the step is.

    Arguments, result and errors as in `inpaint`; pipe: from `load(task="img2img")`, say.
    Source: RePaint, Lugmayr et al. 2022, eq. 8, without its jumps. Notebook 07.
    """
    check_inputs(pipe, prompt, negative_prompt, num_inference_steps, guidance_scale, generator)
    check_unet_channels(pipe, 4, "inpaint")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    x, m = pixels(image, len(prompts)), mask_tensors(mask, image, len(prompts))
    timesteps = started(pipe.scheduler, num_inference_steps, strength)
    context = embed(pipe, prompts, negative_prompt, guidance_scale > 1)
    z0 = latents(pipe, x, generator).contiguous()  # as above
    eps = pure_noise(pipe, x, generator)
    hole_channels(pipe, x, m, generator)  # not used; diffusers throws these dice, so we do
    scheduler, hole = pipe.scheduler, small(m).to(z0)
    if strength == 1:
        z = eps * scheduler.init_noise_sigma
    else:
        z = scheduler.add_noise(z0, eps, timesteps[:1].repeat(len(z0)))

    def keep_the_rest(i: int, z: Tensor) -> Tensor:
        following = timesteps[i + 1 : i + 2]
        known = scheduler.add_noise(z0, eps, following) if len(following) else z0
        return (1 - hole) * known + hole * z

    return denoise(
        pipe, z, timesteps, context, guidance_scale, generator, watch, after=keep_the_rest
    )


def started(scheduler, num_inference_steps: int, strength: float) -> Tensor:
    """The timesteps left at this strength; at least one.

    Raises:
        ValueError: no step is left.
    """
    timesteps = last_timesteps(scheduler, num_inference_steps, strength)
    if not len(timesteps):
        raise ValueError(
            f"strength {strength} leaves none of {num_inference_steps} steps: nothing would be "
            "painted. Try a strength of 1."
        )
    return timesteps


def pure_noise(pipe, x: Tensor, generator: Generator | None) -> Tensor:
    """Standard normal noise for the latents of these pictures, (B, C, h, w)."""
    shape = (len(x), pipe.vae.config.latent_channels, *(side // FACTOR for side in x.shape[2:]))
    return placed(pipe, torch.randn(shape, generator=generator, dtype=pipe.unet.dtype))


def small(m: Tensor) -> Tensor:
    """A mask in the size of the latents, nearest pixel: (B, 1, H, W) → (B, 1, h, w)."""
    return F.interpolate(m, size=[side // FACTOR for side in m.shape[2:]])


def box_around(mask: np.ndarray, margin: int = 0) -> np.ndarray:
    """The smallest upright box around a mask that is not empty, with a margin in pixels.

    Args:
        mask: (H, W) bool.
        margin: 0 or more; cut off where the picture ends.
    Returns:
        (H, W) bool.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    box = np.zeros(mask.shape, bool)
    top, left = (max(places[0] - margin, 0) for places in (rows, columns))
    box[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin] = True
    return box


def mask_tensors(mask: Mask | list[Mask], image: Pictures, batch: int) -> Tensor:
    """Masks for B prompts, (B, 1, H, W): one for all, or one for each.

    Raises:
        TypeError, ValueError: as `mask_tensor`; or a mask that no latent sees.
    """
    masks = mask if isinstance(mask, list) else [mask] * batch
    if len(masks) != batch:
        raise ValueError(f"{batch} prompts but {len(masks)} masks: give one for each.")
    size = (image if isinstance(image, Image.Image) else image[0]).size
    m = torch.cat([mask_tensor(one, size) for one in masks])
    if not small(m).flatten(1).any(dim=1).all():
        raise ValueError(
            f"the mask is so thin that it falls between the latents, which see every {FACTOR}th "
            f"pixel: nothing would be painted. Make it at least {FACTOR} pixels wide."
        )
    return m


def mask_tensor(mask: Mask, size: tuple[int, int]) -> Tensor:
    """A mask of any kind as zeros and ones: half-bright or brighter is 1, to be repainted.

    Args:
        mask: a PIL picture of mode "1" or "L"; or an array or tensor, (H, W), of bool, of uint8
            in 0..255, or of floats in 0..1.
        size: (W, H) of the picture it belongs to.
    Returns:
        (1, 1, H, W) float32 of 0 and 1.
    Raises:
        TypeError: another kind of thing.
        ValueError: wrong mode, shape, range or size, or a mask that covers nothing.
    """
    values = torch.as_tensor(mask_values(mask)).cpu()
    if values.shape != (size[1], size[0]):
        given = " × ".join(str(side) for side in reversed(values.shape))
        raise ValueError(
            f"the mask is {given} pixels, the picture {size[0]} × {size[1]}. "
            "Resize the mask first: mask.resize(picture.size)."
        )
    if values.dtype == torch.uint8 and values.max() == 1:
        raise ValueError("a mask of uint8 goes from 0 to 255, got 0 to 1. Try mask.astype(bool).")
    bright = values.float() / (255 if values.dtype == torch.uint8 else 1)
    if not (bright.min() >= 0 and bright.max() <= 1):
        raise ValueError(
            f"a mask of floats must lie in 0..1, got {bright.min():.3g} to {bright.max():.3g}. "
            "Divide it by its largest value."
        )
    if not (bright >= THRESHOLD).any():
        raise ValueError("the mask covers nothing: make white what should be repainted.")
    return (bright >= THRESHOLD).float()[None, None]


def mask_values(mask: Mask) -> np.ndarray | Tensor:
    """The numbers of a mask, (H, W): bool, uint8 or float; errors as in `mask_tensor`."""
    if isinstance(mask, Image.Image):
        if mask.mode not in ("1", "L"):
            raise ValueError(f'a mask must be "L" or "1", got {mask.mode}. Try mask.convert("L").')
        return np.array(mask)
    if not isinstance(mask, np.ndarray | Tensor):
        raise TypeError(
            f"a mask must be a PIL picture, an array or a tensor, got {type(mask).__name__}."
        )
    if mask.ndim != 2:
        raise ValueError(
            f"a mask must be (H, W), got {tuple(mask.shape)}. "
            "Take one channel, for instance mask[..., 0]."
        )
    kind = str(mask.dtype).removeprefix("torch.")
    if not (kind in ("bool", "uint8") or kind.startswith(("float", "bfloat"))):
        raise ValueError(f"a mask must be of bool, uint8 or floats, got {kind}. Try mask > 0.")
    return np.array(mask, order="C") if isinstance(mask, np.ndarray) else mask


def paint_mask(size: tuple[int, int], strokes: Sequence[Stroke]) -> Image.Image:
    """A mask painted with a round brush.

    Args:
        size: (W, H) of the picture it is for.
        strokes: each the width of the brush and the points it went through, all in pixels from
            the upper left corner; one point makes a dot.
    Returns:
        mode "L": 255 where the brush was, else 0.
    Raises:
        ValueError: see `check_stroke`.
    Source: notebook 07, section 2.
    """
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for width, points in map(check_stroke, strokes):
        pen.line(points, fill=255, width=round(width))
        for x, y in points:
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return mask


def check_stroke(stroke: Stroke) -> tuple[float, list[tuple[float, float]]]:
    """A stroke of a brush as plain numbers: its width, and the points it went through.

    Raises:
        ValueError: no such pair, numbers that are not finite, a width below 1, or no points.
    """
    try:
        width, points = stroke
        width, points = float(width), [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError):
        width, points = math.nan, []
    numbers = [width, *(number for point in points for number in point)]
    if not (points and all(map(math.isfinite, numbers)) and width >= 1):
        raise ValueError(
            "a stroke is (width, [(x, y), …]) with finite numbers, a width of at least 1 and at "
            f"least one point, got {stroke!r:.80}. Try (12, [(20, 30), (60, 30)])."
        )
    return width, points


@torch.no_grad()
def mask_from_words(segmenter: "Segmenter", picture: Image.Image, words: str) -> Image.Image:
    """A mask of what words name, for instance "the dog".

    Args:
        segmenter: from `models.load_segmenter`.
        picture: RGB, any size.
        words: one thing; a word the segmenter never learned gets a guess.
    Returns:
        mode "L", in the size of the picture: 255 where the thing is seen, else 0. All 0 where it
        is not seen at all.
    Raises:
        TypeError, ValueError: no words, or a picture that is not RGB.
    Source: CLIPSeg, Lüddecke and Ecker 2022. Notebook 07, section 2.
    """
    if not isinstance(words, str) or not words.strip():
        raise ValueError(f'words must name a thing, got {words!r}. Try "the dog".')
    vae.to_tensor(picture)  # refuses what is no RGB picture
    given = segmenter.processor(text=[words], images=[picture], return_tensors="pt")
    logits = segmenter.model(**given).logits.view(1, 1, *given.pixel_values.shape[2:])
    logits = F.interpolate(logits, size=picture.size[::-1], mode="bilinear")
    return Image.fromarray(np.uint8(255) * (logits[0, 0].sigmoid() >= THRESHOLD).numpy())


def iou(seen: Image.Image | np.ndarray, truth: Image.Image | np.ndarray) -> float:
    """Intersection over union of two masks: what both cover, over what either covers.

    Args:
        seen, truth: masks: PIL pictures, or arrays (H, W); what is not zero belongs to the mask.
    Returns:
        0 to 1; 1 where both are empty.
    Raises:
        ValueError: the masks differ in shape.
    """
    a, b = np.asarray(seen, bool), np.asarray(truth, bool)
    if a.shape != b.shape:
        raise ValueError(f"masks of one size are compared, got {a.shape} and {b.shape}.")
    either = (a | b).sum()
    return float((a & b).sum() / either) if either else 1.0


def composite(picture: Image.Image, painted: Image.Image, mask: Mask) -> Image.Image:
    """Put the kept pixels back: the painted picture under the mask, the old one elsewhere.

    Args:
        picture: what was given to `inpaint`, RGB.
        painted: what came out of it, same size.
        mask: as in `mask_tensor`.
    Returns:
        RGB; outside the mask every byte is the old picture's.
    Raises:
        TypeError, ValueError: a picture that is not RGB, sizes that differ; see `mask_tensor`.
    """
    for one in (picture, painted):
        vae.to_tensor(one)  # refuses what is no RGB picture
    if picture.size != painted.size:
        raise ValueError(f"the pictures differ in size: {picture.size} and {painted.size}.")
    hole = mask_tensor(mask, picture.size)[0, 0].numpy().astype(bool)
    return Image.fromarray(np.where(hole[..., None], np.asarray(painted), np.asarray(picture)))
