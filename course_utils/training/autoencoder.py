"""Train the autoencoder as Stable Diffusion's was: pictures to latents an eighth as wide, and back.

Four losses, each for one reason:

- **reconstruction**, L1 and a little squared error: the pixels are right;
- **perceptual**, a trained network sees the same in both pictures: what matters is right;
- **adversarial**, a discriminator cannot tell the reconstruction from the original: strokes and
  grain are sharp where they cannot be right to the pixel;
- **KL divergence**, with a tiny weight: the latents stay near a standard normal distribution.

    python -m course_utils.training.autoencoder [configuration] [--data pictures.npy]

Source: Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models", app. G.
"""

import argparse
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn

from course_utils.training.data import world_pictures
from course_utils.training.discriminator import (
    PatchDiscriminator,
    adaptive_weight,
    fine_detail,
    frozen,
    hinge_loss,
)
from course_utils.training.loop import Config, adamw, averaged, dice, fit, read_config, trained_part
from course_utils.training.muon import muon
from course_utils.training.perceptual import PerceptualDistance, load_perceptual
from course_utils.training.photographs import HELD_OUT, TRAINING, photograph_crops

BUILD = Path("build/train")
GRID = 8  # pixels; corners of crops are multiples of it, and so of a latent's side
OUTER = ("conv_in", "conv_out", "quant_conv", "discriminator")  # what Muon leaves to Adam
HELD_OUT_CROPS = 16  # of photographs, to measure on


@dataclass(frozen=True)
class Weights:
    """How much each loss counts, as in the `losses` of a configuration.

    Attributes:
        squared: of the squared error, beside L1.
        edges: of the L1 of differences between neighbouring pixels.
        perceptual: of the perceptual distance.
        adversarial: of the adversarial loss, relative to a gradient as long as the others'.
        kl: of the KL divergence, a number per latent.
        adversarial_start: after how many steps the discriminator comes in.
    """

    squared: float = 4.0
    edges: float = 0.5
    perceptual: float = 0.0
    adversarial: float = 0.0
    kl: float = 1e-5
    adversarial_start: int = 0


class Training(nn.Module):
    """The autoencoder with all that its losses need; `forward` returns the losses.

    The autoencoder and the discriminator share one optimizer: neither loss has a gradient for the
    other's weights.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        weights: Weights,
        perceptual: PerceptualDistance | None = None,
        discriminator: PatchDiscriminator | None = None,
    ):
        super().__init__()
        self.vae, self.weights = vae, weights
        self.perceptual, self.discriminator = perceptual, discriminator
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # kept in checkpoints

    def forward(self, x: Tensor, eps: Tensor) -> dict[str, Tensor]:
        """Args: pictures x (B, 3, H, W) in -1..1; standard normal eps of the latents' shape.
        Returns: "loss", which is minimised, and each of its parts."""
        y, kl = self.round_trip(x, eps)
        losses = {"reconstruction": reconstruction_loss(x, y, self.weights), "kl": kl}
        likeness = losses["reconstruction"]
        if self.perceptual:
            losses["perceptual"] = self.perceptual(x, y)
            likeness = likeness + self.weights.perceptual * losses["perceptual"]
        total = likeness + self.weights.kl * kl
        if self.discriminator:
            self.steps += 1
            game = self.contest(x, y, likeness)
            total = total + game["adversarial_weight"] * game["adversarial"] + game["discriminator"]
            losses |= game
        return {"loss": total, **losses}

    def round_trip(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Encode, sample, decode: the reconstruction (B, 3, H, W), and the KL divergence of the
        latents from N(0, 1), a number per latent."""
        q = self.vae.encode(x).latent_dist
        mean, logvar = q.mean.float(), q.logvar.float()
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
        z = mean + (0.5 * logvar).exp() * eps
        return self.vae.decode(z).sample.float(), kl

    def contest(self, x: Tensor, y: Tensor, likeness: Tensor) -> dict[str, Tensor]:
        """The losses of discriminator and decoder against each other.

        Before its start the discriminator rests; its loss is zero then, and so is every gradient.
        """
        if self.steps <= self.weights.adversarial_start:
            rest = sum(0 * weight.sum() for weight in self.discriminator.parameters())
            return {
                "adversarial": rest.detach(),
                "adversarial_weight": rest.detach(),
                "discriminator": rest,
            }
        with frozen(self.discriminator):
            adversarial = -self.discriminator(y).mean()
        weight = adaptive_weight(likeness, adversarial, self.vae.decoder.conv_out.weight)
        real, fake = self.discriminator(x), self.discriminator(y.detach())
        return {
            "adversarial": adversarial,
            "adversarial_weight": self.weights.adversarial * weight,
            "discriminator": hinge_loss(real, fake),
        }


def reconstruction_loss(x: Tensor, y: Tensor, weights: Weights) -> Tensor:
    """L1, squared error, and L1 of the edges, of pictures (B, 3, H, W) in -1..1."""
    loss = F.l1_loss(y, x) + weights.squared * F.mse_loss(y, x)
    if weights.edges:
        pairs = zip(edges(y), edges(x), strict=True)
        loss = loss + weights.edges * sum(F.l1_loss(a, b) for a, b in pairs)
    return loss


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, down and across."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def make_vae(sizes: dict) -> AutoencoderKL:
    """An autoencoder with a level for each entry of `block_out_channels`; each level but the last
    halves the sides. Sizes as in its configuration; four latent channels where it names none."""
    levels = len(sizes["block_out_channels"])
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        sample_size=128,
        **{"latent_channels": 4, **sizes},
    )


def latent_shape(vae: AutoencoderKL, size: int) -> tuple[int, int, int]:
    """Channels, height and width of the latents of a square picture of `size` pixels."""
    side = size >> (len(vae.config.block_out_channels) - 1)
    return vae.config.latent_channels, side, side


def to_model(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 pictures (B, H, W, 3) → float32 (B, 3, H, W) in -1..1, on a device."""
    x = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def to_pixels(x: Tensor) -> np.ndarray:
    """Pictures (B, 3, H, W), nominally in -1..1 → uint8 (B, H, W, 3)."""
    return (255 * (x / 2 + 0.5).clamp(0, 1)).round().byte().permute(0, 2, 3, 1).cpu().numpy()


@dataclass(frozen=True)
class Gallery:
    """Pictures of the world and photographs, under one numbering; the world stays on disk.

    Attributes:
        world: (N, 128, 128, 3) uint8.
        photographs: (M, 128, 128, 3) uint8; numbered from N on.
    """

    world: np.ndarray
    photographs: np.ndarray

    def __len__(self) -> int:
        return len(self.world) + len(self.photographs)

    def __getitem__(self, index: int) -> np.ndarray:
        if index < len(self.world):
            return self.world[index]
        return self.photographs[index - len(self.world)]


def make_gallery(world: np.ndarray, share: float) -> Gallery:
    """The pictures to train on, of which about `share` (0 to 1) are crops of photographs."""
    count = round(len(world) * share / (1 - share))
    crops = photograph_crops(TRAINING, count) if count else world[:0]
    return Gallery(world, crops)


def crops(pictures, indices: Tensor, size: int, generator: torch.Generator) -> np.ndarray:
    """One square cut from each picture, its corner on a grid of 8 pixels.

    Args:
        pictures: (N, 128, 128, 3) uint8, an array or a Gallery.
        indices: which pictures, (B,).
        size: side of the square in pixels, a multiple of 8.
        generator: draws the corners.
    Returns:
        (B, size, size, 3) uint8.
    """
    places = (pictures[0].shape[0] - size) // GRID + 1
    corners = GRID * torch.randint(places, (len(indices), 2), generator=generator)
    cut = [
        pictures[i][y : y + size, x : x + size]
        for i, (y, x) in zip(indices.tolist(), corners.tolist(), strict=True)
    ]
    return np.stack(cut)


def autoencoder_loss(pictures, size: int, latents: tuple[int, int, int]):
    """The loss for `fit`: a Training's, on random squares of `size` pixels, whose latents have the
    shape `latents` (see `latent_shape`)."""

    def loss(model, indices, generator, share):
        x = crops(pictures, indices, size, generator)
        eps = torch.randn(len(indices), *latents, generator=generator)
        device = next(model.parameters()).device
        return model(to_model(x[share], device), eps[share].to(device))

    return loss


def make_training(config: Config, build: Path) -> Training:
    """What a configuration trains; with the option start_from, a folder, from that autoencoder."""
    torch.manual_seed(config.seed)
    start = config.options.get("start_from")
    if start:
        vae = AutoencoderKL.from_pretrained(trained_part(build, start))
    else:
        vae = make_vae(config.model)
    weights = Weights(**config.options["losses"])
    perceptual = (
        load_perceptual(config.options["perceptual"], build) if weights.perceptual else None
    )
    discriminator = PatchDiscriminator() if weights.adversarial else None
    training = Training(vae, weights, perceptual, discriminator)
    return training.to(memory_format=torch.channels_last)


def train_autoencoder(
    config: Config, folder: Path, world: np.ndarray, stop_after: int | None = None
) -> AutoencoderKL:
    """Train, or go on training, the autoencoder of a configuration; returns its average.

    Args:
        config: its options are crop, photographs (share of them), muon (or else AdamW), perceptual
            (see `load_perceptual`), losses (see Weights), held_out (how many pictures at the end of
            `world` are kept for measuring), measure_every (steps).
        folder: where checkpoints, metrics and the log go.
        world: pictures (N, 128, 128, 3) uint8.
        stop_after: leave after this many steps, as if killed (for tests).
    """
    options = config.options
    count = min(config.examples, len(world) - options["held_out"])
    gallery = make_gallery(world[:count], options["photographs"])
    log = Log(
        folder, {"world": world[-options["held_out"] :], "photographs": held_out_photographs()}
    )
    watch = log.watch(options["measure_every"])
    training = make_training(config, folder.parent)
    size = options["crop"]
    loss = autoencoder_loss(gallery, size, latent_shape(training.vae, size))
    config = replace(config, examples=len(gallery))
    optimizer = partial(muon, outer=OUTER) if options["muon"] else adamw
    vae = fit(training, loss, config, folder, stop_after, watch, make_optimizer=optimizer).vae
    vae.register_to_config(scaling_factor=measure_scaling(vae, world[:512]))
    return vae


def held_out_photographs() -> np.ndarray:
    """Squares of photographs that no autoencoder was trained on, (16, 128, 128, 3) uint8."""
    return photograph_crops(HELD_OUT, HELD_OUT_CROPS, seed=1)


@torch.no_grad()
def measure_scaling(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """1 / standard deviation of the latents: what brings them to unit variance."""
    device = next(vae.parameters()).device
    parts = [
        vae.encode(to_model(pictures[i : i + 32], device)).latent_dist.sample(dice(0, i)).cpu()
        for i in range(0, len(pictures), 32)
    ]
    return round(1 / float(torch.cat(parts).std()), 5)


@torch.no_grad()
def reconstructed(vae: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, 3) uint8 through the latents' mode and back, (N, H, W, 3) uint8."""
    device = next(vae.parameters()).device
    parts = []
    for first in range(0, len(pictures), 16):
        latents = vae.encode(to_model(pictures[first : first + 16], device)).latent_dist.mode()
        parts.append(to_pixels(vae.decode(latents).sample))
    return np.concatenate(parts)


def measures(pictures: np.ndarray, round_trips: np.ndarray) -> dict[str, float]:
    """Means over pictures (N, H, W, 3) uint8 and their reconstructions: "psnr" in decibels, "ssim",
    and "detail", the fine detail that is left (see `detail`), 1 where it is all there."""
    pairs = list(zip(pictures, round_trips, strict=True))
    psnr = [peak_signal_noise_ratio(x, y) for x, y in pairs]
    ssim = [structural_similarity(x, y, channel_axis=-1) for x, y in pairs]
    left = detail(round_trips).sum() / detail(pictures).sum()
    return {"psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim)), "detail": float(left)}


def detail(pictures: np.ndarray) -> np.ndarray:
    """Energy of fine detail in each picture (N, H, W, 3) uint8: the mean square of what averages
    of 3×3 pixels leave out; (N,)."""
    return fine_detail(to_model(pictures)).square().mean((1, 2, 3)).numpy()


class Log:
    """What a run has measured so far, a JSON object on each line of `log.jsonl`."""

    def __init__(self, folder: Path, held_out: dict[str, np.ndarray]):
        """
        Args:
            folder: of the run.
            held_out: name → pictures (N, 128, 128, 3) uint8 to measure the round trip of.
        """
        self.file = folder / "log.jsonl"
        self.held_out = held_out

    def watch(self, every: int):
        """A function that `fit` calls after each step; it measures after every `every` steps."""

        def watch(done, losses, model, average):
            if done % every:
                return
            with averaged(model, average):
                found = {
                    f"{name}_{measure}": value
                    for name, pictures in self.held_out.items()
                    for measure, value in measures(
                        pictures, reconstructed(model.vae, pictures)
                    ).items()
                }
            self.write(
                done, {name: float(value.detach()) for name, value in losses.items()} | found
            )

        return watch

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append a line, and print it."""
        rounded = {"step": step, **{name: round(value, 4) for name, value in values.items()}}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as lines:
            lines.write(json.dumps(rounded) + "\n")
        print(rounded, flush=True)


def read_log(folder: Path) -> list[dict[str, float]]:
    """The measurements of a run in the order of steps; of a step measured twice, the last."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return list({line["step"]: line for line in lines}.values())


def main() -> None:
    """Train the configuration named on the command line, and save what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configuration", nargs="?", default="autoencoder")
    parser.add_argument("--data", type=Path, help="pictures (N, 128, 128, 3) uint8, an .npy file")
    arguments = parser.parse_args()
    config = read_config(arguments.configuration)
    if arguments.data:
        world = np.load(arguments.data, mmap_mode="r")
    else:
        parent = (BUILD / arguments.configuration).parent
        world = world_pictures(parent, config.examples, world=config.world).pictures
    folder = BUILD / Path(arguments.configuration).with_suffix("")
    vae = train_autoencoder(config, folder, world)
    vae.float().save_pretrained(folder / "vae")
    print(f"saved to {folder / 'vae'}; scaling factor {vae.config.scaling_factor}")


if __name__ == "__main__":
    main()
