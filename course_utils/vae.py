"""Notebook 01: the autoencoder by hand. Pictures to latents an eighth as wide and high, and back.

`encode` and `decode` call the layers of a diffusers AutoencoderKL one after the other; their
results equal those of its own `encode` and `decode`, bit for bit. What they are given is brought
to the autoencoder, and their results stay there: on its device, in its precision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Generator, Tensor, nn

from course_utils.devices import moved_to

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

FACTOR = 8  # pixels to a latent, along each side
LOGVAR_RANGE = (-30.0, 20.0)  # log σ² is kept inside, so that σ is neither 0 nor infinite
RANGE = 2.0  # from the darkest to the brightest value of a picture in -1..1


@dataclass(frozen=True)
class Stage:
    """One stop on the way through the autoencoder.

    Attributes:
        name: "down 1", for instance; "picture" and "latents" are what goes in and comes out.
        shape: (C, H, W) of what leaves it.
        parameters: how many numbers were learned there.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int


def to_tensor(picture: Image.Image) -> Tensor:
    """A picture as the VAE takes it: x = 2 · p/255 − 1.

    Args:
        picture: RGB, any size.
    Returns:
        (1, 3, H, W) float32 in -1..1.
    Raises:
        TypeError: not a PIL picture.
        ValueError: not RGB.
    Source: notebook 01, section 1.
    """
    if not isinstance(picture, Image.Image):
        raise TypeError(
            f"picture must be a PIL picture, got {type(picture).__name__}. "
            "Try PIL.Image.fromarray(array) on a uint8 array (H, W, 3)."
        )
    if picture.mode != "RGB":
        raise ValueError(f"picture must be RGB, got {picture.mode}. Try picture.convert('RGB').")
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32)[None] / 255)  # (1, H, W, 3)
    return 2 * pixels.permute(0, 3, 1, 2) - 1


def to_picture(x: Tensor) -> Image.Image:
    """What the VAE gives as a picture: p = 255 · (x/2 + 1/2), rounded; the inverse of `to_tensor`.

    Args:
        x: (1, 3, H, W); what leaves -1..1 is cut off.
    Returns:
        RGB, (W, H).
    Raises:
        ValueError: not one picture of three channels.
    """
    if x.ndim != 4 or x.shape[:2] != (1, 3):
        raise ValueError(
            f"x must be one picture, (1, 3, H, W), got {tuple(x.shape)}. "
            "Try x[:1], or decode latents first."
        )
    pixels = (x[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


@torch.no_grad()
def posterior(vae: "AutoencoderKL", x: Tensor) -> tuple[Tensor, Tensor]:
    """What the encoder says of the latents: q(z|x) = N(μ, σ²), for each number its own μ and σ.

    Args:
        vae: the autoencoder.
        x: pictures, (B, 3, H, W) in -1..1; H and W multiples of 8.
    Returns:
        μ and σ, each (B, 4, h, w).
    Raises:
        ValueError: wrong shape, size or range.
    Source: Kingma and Welling 2014, eq. 9. Notebook 01, section 3.
    """
    check_pixels(x)
    x = moved_to(vae, x)
    net = vae.encoder
    h = net.conv_in(x)  # (B, C, H, W)
    for block in net.down_blocks:  # all but the last halve height and width
        h = block(h)
    h = net.mid_block(h)
    h = net.conv_out(net.conv_act(net.conv_norm_out(h)))  # (B, 8, h, w)
    mean, logvar = vae.quant_conv(h).chunk(2, dim=1)
    return mean, torch.exp(0.5 * logvar.clamp(*LOGVAR_RANGE))


def draw_latents(mean: Tensor, std: Tensor, generator: Generator | None = None) -> Tensor:
    """Throw the dice of the posterior: z = μ + σ · ε, with ε from N(0, 1).

    Args:
        mean, std: from `posterior`, (B, 4, h, w).
        generator: where ε comes from.
    Returns:
        (B, 4, h, w).
    Source: Kingma and Welling 2014, eq. 10. Notebook 01, section 3.
    """
    eps = torch.randn(mean.shape, generator=generator, dtype=mean.dtype).to(mean.device)
    return mean + std * eps


def encode(vae: "AutoencoderKL", x: Tensor, generator: Generator | None = None) -> Tensor:
    """Pictures to latents as the UNet sees them: z = s · (μ + σ · ε).

    Args:
        vae: the autoencoder; its config holds the scaling factor s.
        x: pictures, (B, 3, H, W) in -1..1; H and W multiples of 8.
        generator: for ε; the mean is taken where it is left out.
    Returns:
        (B, 4, h, w), with about unit variance.
    Raises:
        ValueError: wrong shape, size or range.
    Source: Rombach et al. 2022, section 3.1 and appendix G. Notebook 01, section 4.
    """
    mean, std = posterior(vae, x)
    z = mean if generator is None else draw_latents(mean, std, generator)
    return vae.config.scaling_factor * z


@torch.no_grad()
def decode(vae: "AutoencoderKL", z: Tensor) -> Tensor:
    """Latents to pictures; the inverse of `encode`, as far as there is one.

    Args:
        vae: the autoencoder.
        z: scaled latents, (B, 4, h, w).
    Returns:
        (B, 3, 8h, 8w), in about -1..1: nothing keeps it inside.
    Raises:
        ValueError: not four channels.
    Source: Rombach et al. 2022, section 3.1. Notebook 01, section 1.
    """
    channels = vae.config.latent_channels
    if z.ndim != 4 or z.shape[1] != channels:
        raise ValueError(
            f"z must be latents, (B, {channels}, h, w), got {tuple(z.shape)}. "
            "Try vae.encode(…) on a picture first."
        )
    z = moved_to(vae, z)
    net = vae.decoder
    h = net.conv_in(vae.post_quant_conv(z / vae.config.scaling_factor))  # (B, C, h, w)
    h = net.mid_block(h)
    for block in net.up_blocks:  # all but the last double height and width
        h = block(h)
    return net.conv_out(net.conv_act(net.conv_norm_out(h)))


def check_pixels(x: Tensor) -> None:
    """Refuse pictures that the encoder would misread in silence.

    Raises:
        ValueError: says what was given, what is allowed and what to try.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(
            f"x must be pictures, (B, 3, H, W), got {tuple(x.shape)}. Try vae.to_tensor(picture)."
        )
    height, width = x.shape[2:]
    if height % FACTOR or width % FACTOR or not height * width:
        nearest = [max(FACTOR, side // FACTOR * FACTOR) for side in (height, width)]
        raise ValueError(
            f"height and width must be multiples of {FACTOR}, got {height} × {width}. "
            f"Crop or resize the picture to {nearest[0]} × {nearest[1]}."
        )
    if x.device.type != "meta" and not x.abs().max() <= 1:
        raise ValueError(
            f"x must lie in -1..1, got {x.min():.3g} to {x.max():.3g}. Try 2 * pixels / 255 - 1."
        )


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio in decibels: 10 · log₁₀(R² / mean((x − y)²)), with R = 2.

    Args:
        x, y: pictures of the same shape, in -1..1.
    Returns:
        higher is nearer; infinite where they are equal.
    Raises:
        ValueError: shapes differ.
    Source: notebook 01, section 2.
    """
    x, y = compared(x, y)
    mse = (x - y).square().mean()
    return float(10 * torch.log10(RANGE**2 / mse))


def ssim(x: Tensor, y: Tensor) -> float:
    """Structural similarity: how alike brightness, contrast and pattern are, window by window.

    Args:
        x, y: one picture each, (1, 3, H, W) in -1..1, at least 7 pixels a side.
    Returns:
        1 where they are equal, about 0 where they have nothing in common.
    Raises:
        ValueError: shapes differ.
    Source: Wang et al. 2004, eq. 13; scikit-image's implementation. Notebook 01, section 2.
    """
    first, second = (picture[0].numpy() for picture in compared(x, y))
    return float(structural_similarity(first, second, channel_axis=0, data_range=RANGE))


def difference(x: Tensor, y: Tensor) -> np.ndarray:
    """Where two pictures differ: the mean over the colours of |x − y|, in grey levels.

    Args:
        x, y: one picture each, (1, 3, H, W) in -1..1.
    Returns:
        (H, W), 0 to 255.
    Raises:
        ValueError: shapes differ.
    """
    x, y = compared(x, y)
    return 255 / RANGE * (x - y).abs().mean(dim=1)[0].numpy()


def compared(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Two pictures of one shape from any device, both in float32 on the CPU.

    Raises:
        ValueError: shapes differ.
    """
    if x.shape != y.shape:
        raise ValueError(
            f"the pictures must have the same shape, got {tuple(x.shape)} and {tuple(y.shape)}. "
            "Crop or resize one of them."
        )
    return x.float().cpu(), y.float().cpu()


@torch.no_grad()
def stages(vae: "AutoencoderKL", height: int, width: int) -> list[Stage]:
    """Send a grey picture through an autoencoder and write down every shape on the way.

    Args:
        vae: any AutoencoderKL; also one on the meta device, where nothing is computed.
        height, width: of the picture in pixels, multiples of 8.
    Returns:
        "picture", the encoder's stages, "latents", the decoder's stages, "picture".
    """
    h = torch.zeros(1, 3, height, width, device=vae.device, dtype=vae.dtype)
    seen = [Stage("picture", tuple(h.shape[1:]), 0)]
    for name, layer in layers(vae):
        h = layer(h)
        seen.append(Stage(name, tuple(h.shape[1:]), _count(layer)))
    return seen


def layers(vae: "AutoencoderKL") -> list[tuple[str, Callable[[Tensor], Tensor]]]:
    """Everything a picture passes through, in its order; latents are the posterior's mean."""
    encoder, decoder = vae.encoder, vae.decoder
    return [
        ("conv in", encoder.conv_in),
        *((f"down {i}", block) for i, block in enumerate(encoder.down_blocks, start=1)),
        ("middle", encoder.mid_block),
        ("μ, log σ²", nn.Sequential(*_last(encoder), vae.quant_conv)),
        ("latents", lambda h: h.chunk(2, dim=1)[0]),
        ("conv in", nn.Sequential(vae.post_quant_conv, decoder.conv_in)),
        ("middle", decoder.mid_block),
        *((f"up {i}", block) for i, block in enumerate(decoder.up_blocks, start=1)),
        ("picture", nn.Sequential(*_last(decoder))),
    ]


def _last(net: nn.Module) -> tuple[nn.Module, ...]:
    return net.conv_norm_out, net.conv_act, net.conv_out


def _count(layer: Callable) -> int:
    return sum(p.numel() for p in layer.parameters()) if isinstance(layer, nn.Module) else 0
