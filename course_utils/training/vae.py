"""Train the autoencoder: pictures to latents an eighth as wide and high, and back.

python -m course_utils.training.vae [configuration]
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from course_utils.training.data import world_pictures
from course_utils.training.loop import Config, dice, fit, read_config, trained_part

BUILD = Path("build/train")
FACTOR = 8  # pixels to a latent


class RoundTrip(nn.Module):
    """Encode, sample, decode: the forward pass of training."""

    def __init__(self, vae: AutoencoderKL):
        super().__init__()
        self.vae = vae

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Args: pictures x (B, 3, H, W) in -1..1; standard normal eps (B, 4, h, w).
        Returns: reconstruction (B, 3, H, W); KL divergence from N(0, 1), a number per latent."""
        q = self.vae.encode(x).latent_dist
        mean, logvar = q.mean.float(), q.logvar.float()
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
        z = mean + (0.5 * logvar).exp() * eps
        return self.vae.decode(z).sample.float(), kl


def make_vae(sizes: dict) -> AutoencoderKL:
    """A four-level autoencoder with four latent channels; sizes as in its configuration."""
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=4,
        sample_size=128,
        **sizes,
    )


def to_model(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 pictures (B, H, W, 3) → float32 (B, 3, H, W) in -1..1, on a device."""
    x = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def crops(
    pictures: np.ndarray, indices: Tensor, size: int, generator: torch.Generator
) -> np.ndarray:
    """One square cut from each picture, its corner on the grid of the latents.

    Args:
        pictures: (N, 128, 128, 3) uint8.
        indices: which pictures, (B,).
        size: side of the square in pixels, a multiple of 8.
        generator: throws the corners.
    Returns:
        (B, size, size, 3) uint8.
    """
    places = (pictures.shape[1] - size) // FACTOR + 1
    corners = FACTOR * torch.randint(places, (len(indices), 2), generator=generator)
    cut = [
        pictures[i, y : y + size, x : x + size]
        for i, (y, x) in zip(indices.tolist(), corners.tolist(), strict=True)
    ]
    return np.stack(cut)


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, down and across."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def chroma(x: Tensor) -> Tensor:
    """Red against green and blue against yellow, averaged over 4×4 pixels: (B, 2, H/4, W/4)."""
    red, green, blue = F.avg_pool2d(x, 4).unbind(1)
    return torch.stack([red - green, blue - (red + green) / 2], dim=1)


def vae_loss(pictures: np.ndarray, options: dict):
    """The loss of the autoencoder for `fit`: L1 + 4·MSE + ½·L1 of the edges + colour + β·KL.

    The colour term is there because things are small: without it a pink dog comes back beige
    long after every edge is in place.
    """

    def loss(model, indices, generator, share):
        size = options["crop"]
        x = crops(pictures, indices, size, generator)
        eps = torch.randn(len(indices), 4, size // FACTOR, size // FACTOR, generator=generator)
        device = next(model.parameters()).device
        x, eps = to_model(x[share], device), eps[share].to(device)
        y, kl = model(x, eps)
        l1, mse = F.l1_loss(y, x), F.mse_loss(y, x)
        edge = sum(F.l1_loss(a, b) for a, b in zip(edges(y), edges(x), strict=True))
        hue = F.l1_loss(chroma(y), chroma(x)) + 4 * F.mse_loss(chroma(y), chroma(x))
        total = l1 + 4 * mse + 0.5 * edge + hue + options["kl_weight"] * kl
        return {"loss": total, "l1": l1, "mse": mse, "hue": hue, "kl": kl}

    return loss


def train_vae(config: Config, folder: Path, stop_after: int | None = None) -> AutoencoderKL:
    """Train, or go on training, the autoencoder of a configuration; returns its average.

    With the option start_from, a folder, it goes on from that autoencoder; with decoder_of only the
    decoder of that one is trained further: the latents stay what they are, so that a UNet trained
    on them stays right.
    """
    pictures = world_pictures(folder.parent, config.examples).pictures
    torch.manual_seed(config.seed)
    decoder_of = config.options.get("decoder_of")
    start = decoder_of or config.options.get("start_from")
    if start:
        vae = AutoencoderKL.from_pretrained(trained_part(folder.parent, start))
    else:
        vae = make_vae(config.model)
    if decoder_of:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    model = RoundTrip(vae).to(memory_format=torch.channels_last)
    vae = fit(model, vae_loss(pictures, config.options), config, folder, stop_after).vae
    if not decoder_of:
        vae.register_to_config(scaling_factor=measure_scaling(vae, pictures[:512]))
    return vae


@torch.no_grad()
def measure_scaling(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """1 / standard deviation of the latents: what brings them to unit variance."""
    device = next(vae.parameters()).device
    parts = [
        vae.encode(to_model(pictures[i : i + 32], device)).latent_dist.sample(dice(0, i)).cpu()
        for i in range(0, len(pictures), 32)
    ]
    return round(1 / float(torch.cat(parts).std()), 5)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "vae"
    trained = train_vae(read_config(name), BUILD / name)
    trained.float().save_pretrained(BUILD / name / "vae")
    print(f"saved to {BUILD / name / 'vae'}; scaling factor {trained.config.scaling_factor}")
