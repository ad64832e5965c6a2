"""Draw the figures of the course into figures/, each by code.

    python -m course_utils.authoring.figures [names...]

A figure is a function that returns a matplotlib figure; FIGURES says which there are.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from scipy.ndimage import distance_transform_edt

from course_utils.authoring import (
    model_figures,
    part_figures,
    task_figures,
    training_figures,
    world_figures,
)
from course_utils.authoring.pictures import smaller_png
from course_utils.authoring.source import ROOT, BuildError
from course_utils.plotting import INK, MUTED, wrap
from course_utils.world import HELD_OUT, Sample, Scene, random_scene, sample
from course_utils.world.vocabulary import FLAWS

FOLDER = ROOT / "figures"
LIMIT = 300 * 1024  # bytes of a figure
DPI = 120


def world() -> Figure:
    """What the picture world holds: a varied sheet, then depth and masks of some pictures."""
    figure = plt.figure(figsize=(9, 8.5), layout="constrained", facecolor="white")
    sheet, insides = figure.subfigures(2, 1, height_ratios=[3.6, 1.2], hspace=0.02)
    chosen = varied_samples(18)
    photos = [s for s in chosen if s.scene.style == "photo"]
    draw_sheet(sheet, chosen)
    draw_insides(insides, sorted(photos, key=lambda s: -len(s.masks))[:2])
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "00_world": world,
    "00_world3d": world_figures.world,
    "00_prompts": model_figures.prompts,
    "00_seeds": model_figures.seeds,
    "01_vae": part_figures.round_trip,
    "02_text": part_figures.who_hears_whom,
    "03_unet": part_figures.real_unet,
    "04_schedulers": part_figures.noise_in,
    "05_pipeline": part_figures.filmstrip,
    "06_img2img": model_figures.img2img,
    "07_inpaint": task_figures.replaced,
    "08_depth2img": task_figures.repainted,
    "09_attention": task_figures.by_word,
    "10_training": training_figures.in_the_making,
    "10_flooble": training_figures.new_word,
}


def varied_samples(count: int, candidates: int = 300) -> list[Sample]:
    """Samples that together show as much of the world as possible, none of them flawed.

    Args:
        count: how many.
        candidates: how many held-out seeds to choose from.
    Returns:
        samples chosen one after the other, each for what was seen least before it.
    """
    seeds = range(HELD_OUT, HELD_OUT + candidates)
    pool = {seed: random_scene(np.random.default_rng(seed)) for seed in seeds}  # as `sample` does
    pool = {seed: scene for seed, scene in pool.items() if scene.quality not in FLAWS}
    seen, chosen = Counter(), []
    for _ in range(count):
        best = min(pool, key=lambda seed: sum(seen[value] for value in _values(pool[seed])))
        seen.update(_values(pool.pop(best)))
        chosen.append(sample(best))
    return chosen


def _values(scene: Scene) -> list[str]:
    """What to show in variety: subjects count twice."""
    return [scene.subject, scene.subject, scene.place, scene.style, scene.time, str(scene.color)]


def draw_sheet(board: SubFigure, samples: list[Sample]) -> None:
    """Pictures, six in a row, each over its caption."""
    board.suptitle("The picture world, each picture with its caption", color=INK, fontsize=11)
    axes = board.subplots(len(samples) // 6, 6)
    for axis, s in zip(axes.flat, samples, strict=True):
        show(axis, s.picture)
        write_below(axis, wrap(s.caption, 25), INK)


def draw_insides(board: SubFigure, samples: list[Sample]) -> None:
    """Picture, depth and masks of each sample, side by side."""
    board.suptitle("What else is known of every picture", color=INK, fontsize=11)
    axes = board.subplots(1, 3 * len(samples))
    for s, (picture, depth, masks) in zip(samples, axes.reshape(-1, 3), strict=True):
        show(picture, s.picture, "picture")
        show(depth, np.log(s.depth), "depth, near is bright", cmap="magma_r")
        show(masks, label_map(s), "masks", cmap="Set2", vmin=0, vmax=8)
        name_masks(masks, s)


def show(axis: Axes, picture, title: str = "", **style) -> None:
    """One picture without axes, with a small title under it."""
    axis.imshow(picture, interpolation="nearest", **style)
    axis.axis("off")
    write_below(axis, title, MUTED)


def write_below(axis: Axes, text: str, color: str) -> None:
    """A few small words, centred under a picture."""
    below = {"xy": (0.5, 0), "xycoords": "axes fraction", "textcoords": "offset points"}
    place = {"xytext": (0, -3), "ha": "center", "va": "top"}
    axis.annotate(text, **below, **place, fontsize=6.5, color=color)


def label_map(s: Sample) -> np.ndarray:
    """The masks of a sample in one picture, a number for each thing."""
    labels = np.zeros(s.depth.shape)
    for number, mask in enumerate(s.masks.values()):
        labels[mask] = number
    return labels


def name_masks(axis: Axes, s: Sample) -> None:
    """Write the name of each thing where its mask is widest."""
    for name, mask in s.masks.items():
        room = distance_transform_edt(np.pad(mask, 1))
        widest = np.argwhere(room > 0.9 * room.max())
        y, x = widest[len(widest) // 2]
        axis.text(x, y, name, ha="center", va="center", fontsize=6, color=INK)


def save(figure: Figure, path: Path, limit: int = LIMIT) -> int:
    """Write a figure as PNG, on a palette where it would be too large.

    Returns:
        the size of the file in bytes.
    Raises:
        BuildError: the figure stays larger than the limit.
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    plt.close(figure)
    drawn = file.getvalue()
    ways = ({}, {"palette": True, "dither": True}, {"palette": True})
    found = (smaller_png(drawn, **way) for way in ways)
    png = next((small for small in found if len(small) <= limit), smaller_png(drawn, palette=True))
    if len(png) > limit:
        raise BuildError(
            f"{path.name} takes {len(png):,} bytes, {limit:,} are allowed. "
            "Draw it smaller, or show fewer pictures."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)
    return len(png)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="course_utils.authoring.figures", description=__doc__)
    parser.add_argument("names", nargs="*", help="for instance 00_world; all if left out")
    names = parser.parse_args(arguments).names or list(FIGURES)
    plt.switch_backend("agg")
    try:
        for name in names:
            if name not in FIGURES:
                raise BuildError(f"no figure {name!r}. Choose one of: {', '.join(FIGURES)}.")
            size = save(FIGURES[name](), FOLDER / f"{name}.png")
            print(f"{name}.png: {size / 1024:.0f} KiB")
    except BuildError as error:
        sys.exit(f"figures: {error}")


if __name__ == "__main__":
    main()
