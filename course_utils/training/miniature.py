"""Notebook 10: a small UNet, trained in about two minutes on a corner of the world.

Only the UNet is new: its latents are those of a model that is there, and it hears the prompt
through that model's own text encoder.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from course_utils import pipeline
from course_utils.errors import check_prediction_type
from course_utils.models import POCKET, POCKET_THREADS
from course_utils.training.loop import Config, fit
from course_utils.training.runs import History, alone, fingerprint, run_folder
from course_utils.training.unet import (
    encode_captions,
    encode_pictures,
    encoded,
    make_unet,
    noise_loss,
)
from course_utils.training.vae import to_model
from course_utils.world import Scene, render

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

CORNER = (  # what the small UNet is shown; a blue ball in the snow is left out on purpose
    Scene("wave", "sea"),
    Scene("wave", "sea", time="sunset"),
    Scene("wave", "sea", time="night"),
    Scene("ball", "beach", "red"),
    Scene("ball", "snow", "red"),
    Scene("ball", "beach", "blue"),
)
SIZES = {
    "block_out_channels": [32, 64, 96],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "layers_per_block": 1,
    "attention_head_dim": [1, 2, 3],
    "norm_num_groups": 8,
    "use_linear_projection": True,
}
MINIATURE = Config(
    examples=240,
    steps=600,
    batch=16,
    learning_rate=2e-3,
    warmup=50,
    ema_decay=0.99,
    save_every=50,
    threads=POCKET_THREADS,
    model=SIZES,
    options={"dropout": 0.1, "gamma": 5, "draw": {"steps": 12, "g": 3.0, "seed": 4}},
)
MOMENTS = (100, 200, 400, 600)  # after how many steps it draws
PROMPTS = (
    "a wave breaking",
    "a wave breaking at sunset",
    "a wave breaking at night",
    "a red ball on a beach",
    "a blue ball on a beach",
    "a red ball in the snow",
    "a blue ball in the snow",  # which it was never shown
)


def is_bundled(pipe: "StableDiffusionPipeline") -> bool:
    """Whether a pipeline is the pocket model."""
    return Path(pipe.name_or_path) == POCKET


def corner(count: int, scenes: Sequence[Scene] = CORNER) -> list[tuple[Image.Image, str]]:
    """`count` pictures of each scene, with captions that leave nothing out."""
    drawn = [render(scene, seed, partial=False) for seed in range(count) for scene in scenes]
    return [(one.picture, one.caption) for one in drawn]


def make_miniature(pipe: "StableDiffusionPipeline", sizes: dict) -> UNet2DConditionModel:
    """A small untrained UNet for the latents and the text encoder of a model; sizes as in SIZES."""
    wanted = ("sample_size", "cross_attention_dim")
    unet = make_unet(sizes | {name: pipe.unet.config[name] for name in wanted})
    unet.set_attn_processor(AttnProcessor())  # on a GPU, too: whose own may round gradients anew
    return unet


def with_unet(pipe: "StableDiffusionPipeline", unet) -> "StableDiffusionPipeline":
    """The same pipeline with another UNet; the one given stays as it is."""
    other = copy.copy(pipe)
    other.unet = unet
    return other


def prepared(
    pipe: "StableDiffusionPipeline",
    make: Callable[[], Iterable[tuple[Image.Image, str]]],
    folder: Path,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Latents, heard captions and silence for `noise_loss`; kept in the folder.

    Args:
        pipe: whose VAE and text encoder encode.
        make: gives N pictures with their captions; called where the folder does not have them.
        folder: of the run.
    """
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor

    def encode() -> dict[str, Tensor]:
        pictures, captions = zip(*make(), strict=True)
        arrays = np.stack([np.asarray(one.resize((side, side))) for one in pictures])
        vae = copy.deepcopy(pipe.vae)  # which is laid out anew in memory
        seen = encode_pictures(vae, arrays, pipe.device, bar=False)
        return seen | {"words": heard(pipe, [*captions, ""])}

    kept = encoded(folder, "encoded", encode)
    kept = {name: value.to(pipe.device) for name, value in kept.items()}
    words = kept.pop("words")
    return kept, words[:-1], words[-1].float()


@torch.no_grad()
def clean_latents(pipe: "StableDiffusionPipeline", pictures: Sequence[Image.Image]) -> Tensor:
    """The middle of each picture's latents, scaled, (N, 4, h, w)."""
    x = to_model(np.stack([np.asarray(picture) for picture in pictures]), pipe.device)
    return pipe.vae.encode(x).latent_dist.mode() * pipe.vae.config.scaling_factor


def heard(pipe: "StableDiffusionPipeline", captions: Sequence[str]) -> Tensor:
    """What the UNet will hear of captions, (N, 77, D) in half precision."""
    ids = pipe.tokenizer(
        list(captions), padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    return encode_captions(pipe.text_encoder, ids, pipe.device)


def samples(pipe, unet, prompts: Sequence[str], steps: int, g: float, seed: int):
    """Pictures of some prompts by another UNet, always from the same noise."""
    dice = torch.Generator().manual_seed(seed)
    z = pipeline.text_to_image(
        with_unet(pipe, unet),
        list(prompts),
        num_inference_steps=steps,
        guidance_scale=g,
        generator=dice,
    )
    return pipeline.decode(pipe, z)


def train_miniature(
    pipe: "StableDiffusionPipeline",
    config: Config,
    parent: Path,
    moments: Sequence[int] = (),
    prompts: Sequence[str] = (),
    show=None,
    stop_after: int | None = None,
) -> tuple[UNet2DConditionModel, History]:
    """Train the small UNet, go on training it, or find it trained.

    Args:
        pipe: whose VAE and text encoder it works with.
        config: of the run; `examples` are drawn, the same number of each scene of the CORNER.
        parent: where runs are kept, see `runs.home`.
        moments, show: see `History`.
        prompts: what is drawn at the moments.
        stop_after: leave after this many steps, as if killed.
    Returns:
        the UNet with its averaged weights, and what was seen on the way.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    """
    check_prediction_type(pipe.scheduler)
    settings = asdict(config) | {"parts": fingerprint(pipe.vae, pipe.text_encoder)}
    settings |= {"moments": list(moments), "prompts": list(prompts)}
    folder = run_folder(parent, "miniature", settings)
    with alone(folder), repeatable():
        latents, words, silence = prepared(
            pipe, lambda: corner(config.examples // len(CORNER)), folder
        )
        torch.manual_seed(config.seed)
        unet = make_miniature(pipe, config.model)
        history = History(folder, config.steps, moments, show=show).recalled()
        history.draw = lambda unet: samples(pipe, unet, prompts, **config.options["draw"])
        loss = noise_loss(latents, words, silence, config.options)
        unet = fit(unet, loss, config, folder, stop_after, history, pipe.device)
    return unet.eval().requires_grad_(False), history


@contextmanager
def repeatable() -> Iterator[None]:
    """On a GPU, convolutions add up their gradients in one order only. Afterwards this is as it
    was, and so is the number of threads, which training sets."""
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.deterministic
    cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cudnn.deterministic = before[1]
