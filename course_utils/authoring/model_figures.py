"""Figures that the bundled model draws."""

import matplotlib.pyplot as plt
import torch
from diffusers import StableDiffusionPipeline
from matplotlib.figure import Figure

from course_utils.models import POCKET
from course_utils.plotting import INK, show_pictures

ARTICLE = (  # the article's prompts, in its order
    "Palette knife painting of an winter cityscape",
    "Beautiful picture of a wave breaking",
    "An oil painting of a man on a bench",
    "A small robot, high resolution, sitting on a park bench",
)
OTHERS = (
    "A wave breaking at sunset",
    "A cityscape at night",
    "A red house in the snow, watercolor",
    "A pencil sketch of a dog on a bench",
)
SETTINGS = {"num_inference_steps": 30, "guidance_scale": 4.0}


def plain_pipeline() -> StableDiffusionPipeline:
    """The bundled model through plain diffusers, nothing of ours in between."""
    pipe = StableDiffusionPipeline.from_pretrained(POCKET, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe: StableDiffusionPipeline, prompt: str, seeds: range) -> list:
    """One picture of a prompt for each seed."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return pipe([prompt] * len(seeds), generator=generators, **SETTINGS).images


def prompts() -> Figure:
    """Eight prompts, one picture each: what the README shows."""
    pipe = plain_pipeline()
    texts = [text for pair in zip(ARTICLE, OTHERS, strict=True) for text in pair]
    pictures = [draw(pipe, text, range(3, 4))[0] for text in texts]
    return show_pictures(pictures, texts, columns=4, size=2.2)


def seeds() -> Figure:
    """The contact sheet: each of the article's prompts from eight seeds, none left out."""
    pipe = plain_pipeline()
    figure, axes = plt.subplots(len(ARTICLE), 8, figsize=(12, 7.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12)
    for row, prompt in zip(axes, ARTICLE, strict=True):
        for axis, picture in zip(row, draw(pipe, prompt, range(8)), strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.axis("off")
        title = row[0].set_title(prompt, loc="left", fontsize=9, color=INK)
        title.set_in_layout(False)  # it may run over the pictures beside it
    return figure
