"""Put the trained parts together: the pocket model as an ordinary diffusers folder.

    python -m course_utils.training.export [size [folder]]

Takes the autoencoder, the UNet and the text encoder from `build/train`, what is there for the
other tasks, and the judge's figures, where there are any, from `build/evaluate.json` and
`build/evaluate_tasks.json`. With a size ("gpu", "large") it takes everything from that folder of
`build/train`; what was not trained there stays the bundled model's. It writes the bundled model, or
another folder.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPSegForImageSegmentation,
    CLIPTextModel,
    CLIPTokenizer,
    DPTForDepthEstimation,
)

from course_utils.models import POCKET, file_checksum
from course_utils.training.depth_estimator import make_feature_extractor
from course_utils.training.report import write_json
from course_utils.training.segmenter import make_image_processor
from course_utils.training.text import clip_tokenizer
from course_utils.training.unet import SCHEDULE

BUILD = Path("build")
CARD = Path(__file__).with_name("card.md")
UNCHECKED = {"README.md", "checksums.json"}  # the card is for people, and may be corrected
PNDM = SCHEDULE | {  # Stable Diffusion's own; clip_sample is for a DDIM or DDPM made from it
    "prediction_type": "epsilon",
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "clip_sample": False,
}


def export(
    folder: Path,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write a Stable Diffusion folder that plain diffusers loads; weights in half precision.

    Args:
        folder: made if it is missing; files of the same names are written over.
        vae: its config holds the measured scaling_factor.
        unet: as trained.
        text_encoder: as trained; embeddings of tokens never seen are zero.
        tokenizer: CLIP's own.
    """
    pipe = StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=PNDMScheduler.from_config(PNDM),
        safety_checker=None,
        requires_safety_checker=False,
        feature_extractor=None,
        image_encoder=None,
    )
    pipe.save_pretrained(folder)
    for part in ("vae", "unet", "text_encoder"):
        slim(folder / part)
    write_checksums(folder)


def export_beside(folder: Path, **parts) -> None:
    """Write more networks into a folder that `export` made: what other tasks need.

    Args:
        folder: of the model.
        parts: name of the folder inside → what has a `save_pretrained`, for instance
            inpaint_unet=UNet2DConditionModel(…).
    """
    for name, part in parts.items():
        part.save_pretrained(folder / name)
        slim(folder / name)
    write_checksums(folder)


def slim(folder: Path) -> None:
    """Make one part ready to ship: half precision, and no word of where it was made."""
    for file in folder.glob("*.safetensors"):
        halve(file)
    for file in folder.glob("config.json"):
        forget_origin(file)


def halve(file: Path) -> None:
    """Store a weight file in float16. The configuration still says float32: every loader gives
    all parts in that precision unless it is asked for another."""
    weights = {name: weight.half() for name, weight in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})


def forget_origin(file: Path) -> None:
    """Take out of a configuration the folder that the part was trained in."""
    config = json.loads(file.read_text())
    config.pop("_name_or_path", None)
    write_json(file, config)


def write_checksums(folder: Path) -> None:
    """Write checksums.json: file → SHA-256, for all that `load` reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    checksums = {name: file_checksum(folder / name) for name in names if name not in UNCHECKED}
    write_json(folder / "checksums.json", checksums)


def model_card(figures: dict) -> str:
    """The model card, with the judge's figures.

    Args:
        figures: build/evaluate.json; empty where the model has not been judged.
    """
    rows = [f"| {name.replace('_', ' ')} | {value:g} |" for name, value in flatten(figures)]
    table = ["| measure | value |", "|---|---|", *rows] if rows else ["Not judged yet."]
    return CARD.read_text("utf-8").replace("{figures}", "\n".join(table))


def flatten(figures: dict, prefix: str = "") -> list[tuple[str, float]]:
    """Nested figures as (name, number), one level of a name after another."""
    pairs = []
    for name, value in figures.items():
        if isinstance(value, dict):
            pairs += flatten(value, f"{prefix}{name}: ")
        elif isinstance(value, int | float):
            pairs.append((prefix + name, value))
    return pairs


def other_tasks(train: Path) -> dict:
    """What has been trained for inpainting, Depth2Img and masks from words: folder → part."""
    parts = {}
    for name in ("inpaint_unet", "depth_unet"):
        if (train / name / "unet").is_dir():
            parts[name] = UNet2DConditionModel.from_pretrained(train / name / "unet")
    if (train / "depth_estimator" / "depth_estimator").is_dir():
        folder = train / "depth_estimator" / "depth_estimator"
        parts["depth_estimator"] = DPTForDepthEstimation.from_pretrained(folder)
        parts["feature_extractor"] = make_feature_extractor()
    if (train / "segmenter" / "segmenter").is_dir():
        folder = train / "segmenter" / "segmenter"
        parts["segmenter"] = CLIPSegForImageSegmentation.from_pretrained(folder)
    return parts


def main(size: str = "", target: str | Path = POCKET) -> None:
    """Export what `build/train` holds of a size; arguments as on the command line."""
    train, folder = BUILD / "train" / size, Path(target)
    vae, text = newest(train, "vae_decoder/vae", "vae/vae"), newest(train, "text/text_encoder")
    export(
        folder,
        AutoencoderKL.from_pretrained(vae),
        UNet2DConditionModel.from_pretrained(train / "unet" / "unet"),
        CLIPTextModel.from_pretrained(text, dtype=torch.float32),
        clip_tokenizer(),
    )
    export_beside(folder, **other_tasks(train))
    if (folder / "segmenter").is_dir():
        make_image_processor().save_pretrained(folder / "segmenter")
    if folder == POCKET:
        slim(folder / "judge")
        (folder / "README.md").write_text(model_card(all_figures()), "utf-8")
    write_checksums(folder)
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"wrote {folder.name}: {total / 2**20:.1f} MiB")


def newest(train: Path, *names: str) -> Path:
    """The first of these folders that was trained; else the bundled model's of the last name."""
    trained = [train / name for name in names if (train / name).is_dir()]
    return trained[0] if trained else POCKET / Path(names[-1]).name


def all_figures() -> dict:
    """What the judge said, of all that was judged."""
    figures = {}
    for judged in ("evaluate", "evaluate_tasks", "evaluate_attention"):
        file = BUILD / f"{judged}.json"
        figures |= json.loads(file.read_text()) if file.exists() else {}
    return figures


if __name__ == "__main__":
    main(*sys.argv[1:])
