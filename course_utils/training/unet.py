"""Train the UNet: to tell the noise in noisy latents, listening to a caption.

    python -m course_utils.training.unet [configuration]

The pictures are encoded once; so are the captions, since the text encoder is frozen. The UNets
for inpainting and Depth2Img are the same program: they start from the trained UNet, and see more
channels.
"""

from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm.auto import tqdm
from transformers import CLIPTextModel

from course_utils.training.conditions import CONDITIONS
from course_utils.training.data import Pictures, with_mirrored, world_pictures
from course_utils.training.loop import (
    Config,
    first_process_first,
    fit,
    read_config,
    trained_part,
)
from course_utils.training.text import clip_tokenizer, token_ids
from course_utils.training.vae import to_model

BUILD = Path("build/train")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SCHEDULE = {  # the article's noise schedule
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def make_unet(sizes: dict, more_channels: int = 0) -> UNet2DConditionModel:
    """A UNet for four-channel latents, and what it sees beside them; sizes as in its config."""
    channels = {"sample_size": 16, "in_channels": 4 + more_channels, "out_channels": 4}
    unet = UNet2DConditionModel(**(sizes | channels))
    if DEVICE.type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # at these sizes faster there
    return unet.to(memory_format=torch.channels_last)


def start_from(folder: Path, more_channels: int = 0) -> UNet2DConditionModel:
    """A trained UNet to go on from. Channels that it does not have yet start at zero, so that at
    first the new UNet does exactly what the old one did.

    Args:
        folder: of the trained UNet, with its config and safetensors.
        more_channels: that the new one sees beside the latents.
    Source: so did the Stable Diffusion 1.5 inpainting UNet begin, says its model card.
    """
    config = UNet2DConditionModel.load_config(folder)
    sizes = {name: value for name, value in config.items() if not name.startswith("_")}
    unet = make_unet(sizes, more_channels)
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    old = weights["conv_in.weight"].float()
    wider = torch.zeros_like(unet.conv_in.weight)
    wider[:, : old.shape[1]] = old
    unet.load_state_dict(weights | {"conv_in.weight": wider})
    return unet


@torch.no_grad()
def encode_pictures(
    vae: AutoencoderKL, pictures, device: torch.device, bar: bool = True
) -> dict[str, Tensor]:
    """The distribution of the scaled latents of every picture: mean and std, (N, 4, 16, 16)."""
    vae = vae.eval().to(device).to(memory_format=torch.channels_last)
    mean, std = [], []
    for i in tqdm(range(0, len(pictures), 64), "latents", mininterval=10, disable=not bar):
        q = vae.encode(to_model(pictures[i : i + 64], device)).latent_dist
        mean.append((q.mean * vae.config.scaling_factor).cpu().half())
        std.append((q.std * vae.config.scaling_factor).cpu().half())
    return {"mean": torch.cat(mean).contiguous(), "std": torch.cat(std).contiguous()}


@torch.no_grad()
def encode_captions(text_encoder: CLIPTextModel, ids: Tensor, device: torch.device) -> Tensor:
    """What the UNet will hear: token ids (N, 77) → (N, 77, D) in half precision."""
    text_encoder = text_encoder.eval().to(device)
    parts = [text_encoder(part.to(device)).last_hidden_state.cpu().half() for part in ids.split(64)]
    return torch.cat(parts)


def encoded(folder: Path, name: str, make) -> dict[str, Tensor]:
    """Tensors kept in a file, made on first use."""
    path = folder / f"{name}.safetensors"
    with first_process_first():
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            save_file(make(), path)
    return load_file(path, device=str(DEVICE))


def noise_loss(
    latents: dict[str, Tensor],
    words: Tensor,
    silence: Tensor,
    options: dict,
    condition: Tensor | None = None,
):
    """The loss of the UNet for `fit`: squared error of the noise, min-SNR weighted.

    Args:
        latents: mean and std of the scaled latents, each (N, 4, h, w).
        words: encoded captions, (N, 77, D).
        silence: the encoded empty caption, (77, D), heard instead with probability `dropout`.
        options: dropout; gamma of the min-SNR weighting (Hang et al. 2023).
        condition: what the UNet sees beside the latents, (N, K, h, w).
    All tensors lie on one device, where the loss is computed; the dice are thrown on the CPU.
    """
    device = latents["mean"].device
    alpha_bar = DDPMScheduler(**SCHEDULE).alphas_cumprod.to(device)
    snr = alpha_bar / (1 - alpha_bar)
    weight = snr.clamp(max=options["gamma"]) / snr

    def loss(model, indices, generator, share):
        batch, shape = len(indices), (len(indices), *latents["mean"].shape[1:])
        thrown = (
            indices,
            torch.randn(shape, generator=generator),
            torch.randn(shape, generator=generator),
            torch.randint(len(alpha_bar), (batch,), generator=generator),
            torch.rand(batch, generator=generator) < options["dropout"],
        )
        place, xi, eps, t, dropped = (dice[share].to(device) for dice in thrown)
        x0 = latents["mean"][place].float() + latents["std"][place].float() * xi
        c = torch.where(dropped[:, None, None], silence, words[place].float())
        a = alpha_bar[t][:, None, None, None]
        xt = a.sqrt() * x0 + (1 - a).sqrt() * eps
        if condition is not None:
            xt = torch.cat([xt, condition[place].float()], dim=1)
        error = (model(xt, t, c).sample.float() - eps).square().mean(dim=(1, 2, 3))
        return {"loss": (weight[t] * error).mean(), "mse": error.mean()}

    return loss


def train_unet(config: Config, folder: Path, stop_after: int | None = None) -> UNet2DConditionModel:
    """Train, or go on training, the UNet of a configuration; returns its average."""
    options, build = config.options, folder.parent
    world = world_pictures(build, config.examples, world=config.world)
    if options.get("mirrored"):
        world, config = with_mirrored(world), replace(config, examples=2 * config.examples)
    latents, condition = seen_things(world, build / options["vae"], options.get("condition"))
    words, silence = heard_words(world, trained_part(build, options["text_encoder"]), build)
    torch.manual_seed(config.seed)
    more_channels = 0 if condition is None else condition.shape[1]
    if options.get("start_from"):
        unet = start_from(trained_part(build, options["start_from"]), more_channels)
    else:
        unet = make_unet(config.model, more_channels)
    loss = noise_loss(latents, words, silence, options, condition)
    return fit(unet, loss, config, folder, stop_after)


def seen_things(world: Pictures, folder: Path, condition: str | None):
    """The latents of all pictures, and what the UNet sees beside them: see `noise_loss`.

    Args:
        folder: of the trained VAE; what it encodes is kept there.
        condition: a key of CONDITIONS, or None.
    """
    vae, count = AutoencoderKL.from_pretrained(folder), len(world.pictures)
    latents = encoded(
        folder, f"latents-{count}", lambda: encode_pictures(vae, world.pictures, DEVICE)
    )
    if condition is None:
        return latents, None
    make = CONDITIONS[condition]
    name = f"{condition}-{count}"
    seen = encoded(folder, name, lambda: {"channels": make(world, vae, DEVICE)})
    return latents, seen["channels"]


def heard_words(world: Pictures, folder: Path, kept: Path) -> tuple[Tensor, Tensor]:
    """The encoded captions of all pictures, and the encoded empty caption: see `noise_loss`.

    Args:
        folder: of the trained text encoder.
        kept: where what it encodes is kept.
    """
    tokenizer, text_encoder = clip_tokenizer(), CLIPTextModel.from_pretrained(folder)

    def encode(captions: list[str]) -> Tensor:
        return encode_captions(text_encoder, token_ids(tokenizer, captions), DEVICE)

    name = f"words-{len(world.captions)}"
    words = encoded(kept, name, lambda: {"words": encode(world.captions)})["words"]
    return words, encode([""])[0].float().to(DEVICE)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "unet"
    trained = train_unet(read_config(name), BUILD / name)
    trained.save_pretrained(BUILD / name / "unet")
    print(f"saved to {BUILD / name / 'unet'}")
