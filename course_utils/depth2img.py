"""Notebook 08: Depth2Img by hand. Repaint a picture and keep how far away everything is.

`depth2img` gives the latents of diffusers' StableDiffusionDepth2ImgPipeline, bit for bit.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from PIL import Image
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
    from diffusers import StableDiffusionDepth2ImgPipeline


@torch.no_grad()
def depth2img(
    pipe: "StableDiffusionDepth2ImgPipeline",
    prompt: str | list[str],
    image: Pictures,
    depth_map: Tensor | None = None,
    strength: float = 0.8,
    negative_prompt: str | list[str] | None = None,
    num_inference_steps: int = 50,
    guidance_scale: float = 7.5,
    generator: Generator | None = None,
    watch: Watch | None = None,
) -> Tensor:
    """Img2Img with a fifth channel for the UNet: the depth of the picture.

    Args:
        pipe: from `load(task="depth2img")`.
        prompt: one prompt, or B prompts.
        image: RGB, sides multiples of 8; one for all prompts, or one for each.
        depth_map: inverse depth in any unit, (B, H', W'); estimated from the picture where it
            is left out.
        strength: 0 (nothing changes) to 1 (hardly more than the depth is kept).
        negative_prompt, num_inference_steps, guidance_scale, generator, watch: as in
            `pipeline.text_to_image`.
    Returns:
        latents z, (B, C, h, w), ready for `pipeline.decode`.
    Raises:
        TypeError, ValueError: see `pipeline.check_inputs`, `img2img.pixels`, `depth_channel`.
    Source: Stability AI's Stable Diffusion 2.0 depth model, 2022. Notebook 08.
    """
    check_inputs(pipe, prompt, negative_prompt, num_inference_steps, guidance_scale, generator)
    check_unet_channels(pipe, 5, "img2img")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    x = pixels(image, len(prompts))
    given = estimate_depth(pipe, image) if depth_map is None else brought(pipe, depth_map)
    depth = depth_channel(given, len(x), [side // FACTOR for side in x.shape[2:]])
    timesteps = last_timesteps(pipe.scheduler, num_inference_steps, strength)
    context = embed(pipe, prompts, negative_prompt, guidance_scale > 1)
    z = noisy(pipe.scheduler, latents(pipe, x, generator), timesteps, generator)
    return denoise(pipe, z, timesteps, context, guidance_scale, generator, watch, depth.to(z))


@torch.no_grad()
def estimate_depth(pipe: "StableDiffusionDepth2ImgPipeline", image: Pictures) -> Tensor:
    """What the depth estimator sees: inverse depth, large where something is near.

    Args:
        image: one RGB picture, or B of one size.
    Returns:
        (B, H', W'), in the estimator's own size and unit.
    Raises:
        TypeError, ValueError: a picture that is not RGB.
    """
    images = [image] if isinstance(image, Image.Image) else image
    for one in images:
        vae.to_tensor(one)  # refuses what is no RGB picture
    seen = pipe.feature_extractor(images=images, return_tensors="pt").pixel_values
    device, dtype = pipe._execution_device, pipe.depth_estimator.dtype
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):  # as diffusers
        return pipe.depth_estimator(seen.to(device, dtype)).predicted_depth


def brought(pipe: "StableDiffusionDepth2ImgPipeline", depth_map: Tensor) -> Tensor:
    """A depth map where the pipeline computes, and in its precision; `depth_channel` refuses what
    is no tensor of floats, so it is left as it is."""
    if not isinstance(depth_map, Tensor) or not depth_map.is_floating_point():
        return depth_map
    return placed(pipe, depth_map)


def depth_channel(depth_map: Tensor, batch: int, size: list[int]) -> Tensor:
    """A depth map as the UNet sees it: in the size of the latents, nearest 1, farthest -1.

    Unit and offset cancel out: what is left is the order, and how differences compare.

    Args:
        depth_map: inverse depth, (B, H', W') or (1, H', W').
        batch: B.
        size: [h, w] of the latents.
    Returns:
        (B, 1, h, w) in -1..1.
    Raises:
        TypeError: no tensor of floats.
        ValueError: wrong shape, numbers that are not finite, or the same depth everywhere.
    Source: notebook 08, section 2.
    """
    if not isinstance(depth_map, Tensor) or not depth_map.is_floating_point():
        kind = getattr(depth_map, "dtype", type(depth_map).__name__)
        raise TypeError(
            f"depth_map must be a tensor of floats, got {kind}. Try torch.as_tensor(depth).float()."
        )
    if depth_map.ndim != 3 or len(depth_map) not in (1, batch):
        raise ValueError(
            f"depth_map must be ({batch}, H, W), got {tuple(depth_map.shape)}. Try depth[None]."
        )
    small = F.interpolate(depth_map[:, None], size=size, mode="bicubic", align_corners=False)
    low, high = (f(small, dim=[1, 2, 3], keepdim=True) for f in (torch.amin, torch.amax))
    if not (torch.isfinite(small).all() and (high > low).all()):
        raise ValueError(
            "depth_map must be finite and not the same everywhere: it says nothing of the layout."
        )
    return (2 * (small - low) / (high - low) - 1).repeat(batch // len(depth_map), 1, 1, 1)
