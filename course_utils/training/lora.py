"""Notebook 10: a LoRA that teaches a frozen UNet a new style, with the library peft.

The style is one that the world does not have: a blueprint, white lines on blue paper.
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from scipy import ndimage
from torch import nn

from course_utils.errors import check_prediction_type
from course_utils.models import POCKET_THREADS, quiet
from course_utils.training.loop import Config, fit
from course_utils.training.miniature import corner, prepared, repeatable
from course_utils.training.runs import History, alone, fingerprint, run_folder
from course_utils.training.unet import noise_loss
from course_utils.world import Scene

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

BLUE, WHITE = np.array([0.08, 0.22, 0.55]), np.array([0.93, 0.96, 1.0])  # paper and ink
LAYERS = (  # that get a LoRA: the linear ones of attention, of what is around it, of the time
    *("to_q", "to_k", "to_v", "to_out.0"),
    *("proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "time_emb_proj"),
)
SHOWN = (  # what the LoRA sees as blueprints: no robot, no boat, no city, no bench
    *(Scene(thing, place) for thing in ("house", "tree", "dog") for place in ("park", "beach")),
    *(Scene("ball", place, "red") for place in ("park", "snow")),
    *(Scene(thing, "snow") for thing in ("man", "house", "cat")),
    Scene("wave", "sea"),
)
STYLE = Config(
    examples=96,
    steps=160,
    batch=6,
    learning_rate=5e-3,
    warmup=10,
    ema_decay=0.98,
    save_every=50,
    threads=POCKET_THREADS,
    model={},
    options={"dropout": 0.1, "gamma": 5, "rank": 8},
)


def blueprint(picture: Image.Image) -> Image.Image:
    """A picture as white lines on blue paper, the lines where its colours change."""
    x = np.asarray(picture, np.float64) / 255
    edges = [ndimage.gaussian_gradient_magnitude(x[..., c], 1.2) for c in range(3)]
    ink = (5 * np.linalg.norm(edges, axis=0)).clip(0, 1)[..., None]
    drawn = (1 - ink) * BLUE + ink * WHITE
    return Image.fromarray((255 * drawn).round().astype(np.uint8))


def off_paper(picture) -> float:
    """How far the pixels are from any mixture of the blueprint's blue and white, 0 to about 1.

    Args:
        picture: RGB, a PIL picture or an array (H, W, 3) of 0..255.
    Returns:
        the mean distance to the line between the two colours; 0 for a blueprint.
    """
    x = np.asarray(picture, np.float64) / 255 - BLUE
    line = WHITE - BLUE
    along = ((x @ line) / (line @ line)).clip(0, 1)
    return float(np.linalg.norm(x - along[..., None] * line, axis=-1).mean())


def blueprints(count: int) -> list[tuple[Image.Image, str]]:
    """`count` blueprints of each scene of SHOWN, with captions that do not say so."""
    return [(blueprint(picture), said) for picture, said in corner(count, SHOWN)]


class Trained(nn.Module):
    """The weights of a network that are trained, and the call of the whole: the frozen rest is
    neither averaged nor kept in checkpoints."""

    def __init__(self, network: nn.Module):
        super().__init__()
        learned = {n: w for n, w in network.named_parameters() if w.requires_grad}
        self.learned = nn.ParameterDict({n.replace(".", "/"): w for n, w in learned.items()})
        self.network = (network,)  # in a tuple, so that its weights are not counted again

    def forward(self, *arguments, **options):
        return self.network[0](*arguments, **options)


def frozen_copy(pipe: "StableDiffusionPipeline") -> UNet2DConditionModel:
    """A copy of a model's UNet, laid out for training beside the frozen weights."""
    unet = copy.deepcopy(pipe.unet).requires_grad_(False)
    if pipe.device.type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # of small networks the faster one there
    return unet.to(memory_format=torch.channels_last)


def add_lora(
    unet: UNet2DConditionModel, rank: int, seed: int = 0, modules: Sequence[str] = LAYERS
) -> UNet2DConditionModel:
    """Put a LoRA beside layers of a frozen UNet, in place: W x becomes W x + B A x.

    Args:
        rank: of A and B; B starts at zero, so that at first nothing changes.
        seed: of A.
        modules: the ends of the layers' names.
    Source: Hu et al. 2021, section 4.1. Notebook 10, section 5.
    """
    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(modules)))
    return unet


def trained_numbers(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(w.numel() for w in network.parameters() if w.requires_grad)


def train_lora(
    pipe: "StableDiffusionPipeline", config: Config, parent: Path, show=None
) -> tuple[Path, History]:
    """Train a LoRA on blueprints, go on training it, or find it trained.

    Args:
        pipe: stays as it is.
        config: of the run; the option `rank` is that of the LoRA.
        parent: where runs are kept, see `runs.home`.
        show: see `History`.
    Returns:
        the folder it was saved to by diffusers, and what was seen on the way.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    """
    check_prediction_type(pipe.scheduler)
    settings = asdict(config) | {"parts": fingerprint(pipe.vae, pipe.text_encoder, pipe.unet)}
    folder = run_folder(parent, "lora", settings)
    with alone(folder), repeatable():
        latents, words, silence = prepared(
            pipe, lambda: blueprints(config.examples // len(SHOWN)), folder
        )
        unet = add_lora(frozen_copy(pipe), config.options["rank"], config.seed)
        history = History(folder, config.steps, show=show).recalled()
        loss = noise_loss(latents, words, silence, config.options)
        fit(Trained(unet), loss, config, folder, watch=history, device=pipe.device)
        save_lora(pipe, unet, folder)
    return folder, history


def save_lora(pipe: "StableDiffusionPipeline", unet: UNet2DConditionModel, folder: Path) -> None:
    """Write the LoRA of a UNet as diffusers keeps it: one file of safetensors.

    The names are peft's own. (diffusers' `convert_state_dict_to_diffusers` gives those of attention
    an older form; of a file with both forms its loader takes one, and drops the rest.)
    """
    pipe.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))


def load_lora(pipe: "StableDiffusionPipeline", folder: Path, name: str) -> None:
    """Put a LoRA that diffusers keeps in a folder into a pipeline, in place, without a word."""
    with quiet():
        pipe.load_lora_weights(folder, adapter_name=name)
