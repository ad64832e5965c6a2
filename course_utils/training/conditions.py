"""What the UNets of inpainting and Depth2Img see beside the latents, made once for each picture."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from scipy.ndimage import binary_dilation
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.depth2img import depth_channel
from course_utils.inpaint import box_around, paint_mask, small
from course_utils.pipeline import FACTOR
from course_utils.training.data import Pictures
from course_utils.training.vae import to_model

MASKS = {"thing": 0.5, "box": 0.2, "strokes": 0.2, "everything": 0.1}  # how often each is drawn
THING = (0.005, 0.5)  # shares of the picture between which a thing may be masked
PART = 32  # pictures at a time


@torch.no_grad()
def inpaint_channels(world: Pictures, vae: AutoencoderKL, device: torch.device) -> Tensor:
    """For each picture a random mask, and the latents of the picture with that hole.

    Args:
        world: N pictures with their labels.
        vae: its config holds the scaling factor.
        device: where the vae is to run.
    Returns:
        (N, 5, h, w) float16; channel 0 is the mask, the other four are scaled latents.
    """
    vae = vae.eval().to(device).to(memory_format=torch.channels_last)
    parts = []
    for first in tqdm(range(0, len(world.pictures), PART), "holes", mininterval=10):
        labels = world.labels[first : first + PART]
        masks = [random_mask(one, np.random.default_rng(first + i)) for i, one in enumerate(labels)]
        m = torch.from_numpy(np.stack(masks)[:, None]).float()
        x = to_model(world.pictures[first : first + PART]) * (1 - m)
        z = vae.encode(x.to(device)).latent_dist.mean.cpu() * vae.config.scaling_factor
        parts.append(torch.cat([small(m), z], dim=1).half())
    return torch.cat(parts)


def depth_channels(world: Pictures, vae: AutoencoderKL, device: torch.device) -> Tensor:
    """The true depth of each picture, as Depth2Img shows it to its UNet.

    Args:
        world: N pictures with their depth in metres.
        vae, device: not needed; here so that all conditions are made alike.
    Returns:
        (N, 1, h, w) float16: 1 is the nearest, -1 the farthest.
    """
    size = [side // FACTOR for side in world.depth.shape[1:]]
    parts = []
    for first in range(0, len(world.depth), PART):
        depth = torch.from_numpy(world.depth[first : first + PART].astype(np.float32))
        parts.append(depth_channel(1 / depth, len(depth), size).half())
    return torch.cat(parts)


CONDITIONS = {"inpaint": inpaint_channels, "depth": depth_channels}


def random_mask(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask as a person might make it: over a thing, a box, some strokes, or everything.

    Args:
        labels: which thing is seen where, (H, W), see `Pictures`.
        rng: the dice.
    Returns:
        (H, W) bool, never empty.
    """
    kind = rng.choice(list(MASKS), p=list(MASKS.values()))
    if kind == "thing":
        return thing_mask(labels, rng)
    if kind == "everything":
        return np.ones(labels.shape, bool)
    return (box_mask if kind == "box" else stroke_mask)(labels.shape, rng)


def thing_mask(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One thing of the picture with a margin, or the box around it; a box where there is none."""
    sizes = np.bincount(labels.ravel()) / labels.size
    things = [k for k, share in enumerate(sizes) if k and THING[0] <= share <= THING[1]]
    if not things:
        return box_mask(labels.shape, rng)
    mask = binary_dilation(labels == rng.choice(things), iterations=int(rng.integers(2, 9)))
    return box_around(mask) if rng.random() < 0.5 else mask


def box_mask(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A box with sides of a fifth to nine tenths of the picture's."""
    box = np.zeros(shape, bool)
    high, wide = (int(side * rng.uniform(0.2, 0.9)) for side in shape)
    top, left = (
        int(rng.integers(0, side - used + 1))
        for side, used in zip(shape, (high, wide), strict=True)
    )
    box[top : top + high, left : left + wide] = True
    return box


def stroke_mask(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """One to three thick strokes of a brush."""
    strokes = []
    for _ in range(rng.integers(1, 4)):
        points = rng.uniform(0, 1, (rng.integers(2, 5), 2)) * shape[::-1]
        strokes.append((min(shape) * rng.uniform(0.1, 0.25), points))
    return np.array(paint_mask(shape[::-1], strokes), bool)
