"""Train the UNet: to tell the noise in noisy latents, listening to a caption.

    python -m course_utils.training.unet [configuration]

The pictures are encoded once; so are the captions, since the text encoder is frozen.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm.auto import tqdm
from transformers import CLIPTextModel

from course_utils.training.data import world_pictures
from course_utils.training.loop import Config, first_process_first, fit, read_config
from course_utils.training.text import clip_tokenizer, token_ids
from course_utils.training.vae import to_model

BUILD = Path("build/train")
SCHEDULE = {  # the article's noise schedule
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def make_unet(sizes: dict) -> UNet2DConditionModel:
    """A UNet for four-channel latents; sizes as in its configuration."""
    unet = UNet2DConditionModel(sample_size=16, in_channels=4, out_channels=4, **sizes)
    unet.set_attn_processor(AttnProcessor())
    return unet.to(memory_format=torch.channels_last)


@torch.no_grad()
def encode_pictures(vae: AutoencoderKL, pictures, device: torch.device) -> dict[str, Tensor]:
    """The distribution of the scaled latents of every picture: mean and std, (N, 4, 16, 16)."""
    vae = vae.eval().to(device).to(memory_format=torch.channels_last)
    mean, std = [], []
    for i in tqdm(range(0, len(pictures), 32), "latents", mininterval=10):
        q = vae.encode(to_model(pictures[i : i + 32]).to(device)).latent_dist
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
    return load_file(path)


def noise_loss(latents: dict[str, Tensor], words: Tensor, silence: Tensor, options: dict):
    """The loss of the UNet for `fit`: squared error of the noise, min-SNR weighted.

    Args:
        latents: mean and std of the scaled latents, each (N, 4, h, w).
        words: encoded captions, (N, 77, D).
        silence: the encoded empty caption, (77, D), heard instead with probability `dropout`.
        options: dropout; gamma of the min-SNR weighting (Hang et al. 2023).
    """
    alpha_bar = DDPMScheduler(**SCHEDULE).alphas_cumprod
    snr = alpha_bar / (1 - alpha_bar)
    weight = snr.clamp(max=options["gamma"]) / snr

    def loss(model, indices, generator, share):
        mean, std = latents["mean"][indices].float(), latents["std"][indices].float()
        x0 = mean + std * torch.randn(mean.shape, generator=generator)
        eps = torch.randn(mean.shape, generator=generator)
        t = torch.randint(len(alpha_bar), (len(indices),), generator=generator)
        dropped = torch.rand(len(indices), generator=generator) < options["dropout"]
        c = torch.where(dropped[:, None, None], silence, words[indices].float())
        a = alpha_bar[t][:, None, None, None]
        xt = a.sqrt() * x0 + (1 - a).sqrt() * eps
        device = next(model.parameters()).device
        xt, t, c, eps = (value[share].to(device) for value in (xt, t, c, eps))
        error = (model(xt, t, c).sample.float() - eps).square().mean(dim=(1, 2, 3))
        return {"loss": (weight.to(device)[t] * error).mean(), "mse": error.mean()}

    return loss


def train_unet(config: Config, folder: Path, stop_after: int | None = None) -> UNet2DConditionModel:
    """Train, or go on training, the UNet of a configuration; returns its average."""
    build, options = folder.parent, config.options
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    text_encoder = CLIPTextModel.from_pretrained(build / options["text_encoder"])
    tokenizer = clip_tokenizer()
    pictures, captions, _ = world_pictures(build, config.examples)
    latents = encoded(
        build / options["vae"],
        f"latents-{config.examples}",
        lambda: encode_pictures(
            AutoencoderKL.from_pretrained(build / options["vae"]), pictures, device
        ),
    )
    words = encoded(
        build / options["text_encoder"],
        f"words-{config.examples}",
        lambda: {"words": encode_captions(text_encoder, token_ids(tokenizer, captions), device)},
    )["words"]
    silence = encode_captions(text_encoder, token_ids(tokenizer, [""]), device)[0].float()
    torch.manual_seed(config.seed)
    unet = make_unet(config.model)
    if options.get("start_from"):
        unet.load_state_dict(load_file(options["start_from"]))
    return fit(unet, noise_loss(latents, words, silence, options), config, folder, stop_after)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "unet"
    trained = train_unet(read_config(name), BUILD / name)
    trained.save_pretrained(BUILD / name / "unet")
    print(f"saved to {BUILD / name / 'unet'}")
