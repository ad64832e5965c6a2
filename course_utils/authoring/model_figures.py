"""Figures that the bundled model draws."""

import matplotlib.pyplot as plt
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from matplotlib.figure import Figure

from course_utils.models import POCKET
from course_utils.plotting import INK, show_pictures
from course_utils.world import Scene, render

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
    "A pencil sketch of a cat in the snow",
)
REPAINTED = (  # the picture to start from, and what it is to become
    (Scene("man", "park bench", "red"), "An oil painting of a man on a bench"),
    (Scene("cityscape", "city"), "A winter cityscape at night"),
    (Scene("dog", "snow", "black"), "A watercolor of a yellow cat in the snow"),
)
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
SETTINGS = {"num_inference_steps": 30, "guidance_scale": 4.0}


def plain_pipeline(kind: type = StableDiffusionPipeline):
    """The bundled model through plain diffusers, nothing of ours in between."""
    pipe = kind.from_pretrained(POCKET, dtype=torch.float32)
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
    figure, axes = plt.subplots(len(ARTICLE), 8, figsize=(12, 6.9))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=0.96, wspace=0.04, hspace=0.2)
    for row, prompt in zip(axes, ARTICLE, strict=True):
        for axis, picture in zip(row, draw(pipe, prompt, range(8)), strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.axis("off")
        row[0].set_title(prompt, loc="left", fontsize=9, color=INK)
    return figure


def img2img() -> Figure:
    """Pictures of the world, each repainted with growing strength from the same noise."""
    pipe = plain_pipeline(StableDiffusionImg2ImgPipeline)
    figure, axes = plt.subplots(len(REPAINTED), 6, figsize=(9, 5.3))
    figure.subplots_adjust(left=0, right=1, bottom=0, top=0.92, wspace=0.04, hspace=0.3)
    titles = ["input", *[f"strength {strength:g}" for strength in STRENGTHS]]
    for row, (scene, prompt) in zip(axes, REPAINTED, strict=True):
        picture = render(scene, 0).picture
        repainted = [repaint(pipe, prompt, picture, strength) for strength in STRENGTHS]
        for axis, shown, title in zip(row, [picture, *repainted], titles, strict=True):
            axis.imshow(shown, interpolation="nearest")
            axis.set_title(title, fontsize=8, color=INK)
            axis.axis("off")
        row[0].text(0, -20, prompt, fontsize=9, color=INK)
    return figure


def repaint(pipe: StableDiffusionImg2ImgPipeline, prompt: str, picture, strength: float):
    """A picture repainted once; the noise is the same for every strength."""
    options = {"strength": strength, "generator": torch.Generator().manual_seed(7)}
    return pipe(prompt, picture, **options, **SETTINGS).images[0]
