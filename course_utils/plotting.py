"""How the course draws: pictures in rows, and diagrams of boxes. Knows no topic's inside."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, MUTED, PALE = "#22304a", "#7d8aa3", "#eef2f8"
ACCENT = "#e4572e"
PALETTE = {  # one colour for each part of the pipeline, in every figure of the course
    "text": "#f2b134",
    "unet": "#4a7fd6",
    "scheduler": "#2fa37c",
    "vae": "#c2589b",
    "data": "#eef2f8",
}


def show_pictures(
    pictures: Sequence, titles: Sequence[str] = (), columns: int | None = None, size: float = 1.7
) -> Figure:
    """Pictures in a grid, each under its title.

    Args:
        pictures: PIL pictures, or arrays (H, W, 3) or (H, W).
        titles: one for each picture, or none at all.
        columns: pictures in a row; all in one row where left out, at most 8.
        size: width of a picture in inches.
    Returns:
        the figure, still open: end the cell with plt.show().
    """
    if titles and len(titles) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures, but {len(titles)} titles: give one for each.")
    columns = columns or min(len(pictures), 8)
    rows = -(-len(pictures) // columns)
    height = size * (1.18 if titles else 1.02)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, height * rows), squeeze=False, layout="compressed"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture in zip(axes.flat, pictures, strict=False):
        array = np.asarray(picture)
        axis.imshow(array, cmap="gray" if array.ndim == 2 else None, interpolation="nearest")
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(wrap(title, int(13 * size)), fontsize=8, color=INK)
    return figure


def wrap(text: str, width: int) -> str:
    """Break a title into lines of at most `width` characters, between words."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def box(axis: Axes, x: float, y: float, w: float, h: float, text: str, part: str = "data",
        faded: bool = False) -> None:
    """A rounded box with its centre at (x, y), coloured by the part of the pipeline it is."""
    axis.add_patch(FancyBboxPatch(
        (x - w / 2, y - h / 2), w, h, boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=PALETTE[part], edgecolor=INK if part == "data" else "none",
        linewidth=0.8, alpha=0.3 if faded else 1.0,
    ))
    dark = part in ("data", "text")
    axis.text(x, y, text, ha="center", va="center", fontsize=8.5, linespacing=1.35,
              color=INK if dark or faded else "white")


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0):
    """An arrow between two points, curved where bend is not 0."""
    axis.add_patch(FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=11, color=MUTED, linewidth=1.3,
        connectionstyle=f"arc3,rad={bend}",
    ))


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty drawing board of width × height units, an inch each; no axes."""
    figure, axis = plt.subplots(figsize=(width, height), layout="constrained")
    axis.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axis.axis("off")
    return figure, axis


def shape_text(shape: Sequence[int]) -> str:
    """(1, 4, 16, 16) → '1 × 4 × 16 × 16'."""
    return " × ".join(str(n) for n in shape)


def pipeline_diagram(shapes: dict[str, Sequence[int]], steps: int, highlight: str = "") -> Figure:
    """The way from a prompt to a picture, with the shapes seen on the way.

    Args:
        shapes: for "tokens", "embeddings", "latents" and "picture", the shape that was seen.
        steps: how often the UNet was called.
        highlight: "text", "unet", "scheduler" or "vae": the others fade.
    """
    figure, axis = blank(10.4, 3.3)
    fade = {part: bool(highlight) and part != highlight for part in PALETTE}
    top, low, w, h = 2.45, 0.75, 1.5, 0.72
    box(axis, 0.9, top, w, h, "prompt")
    box(axis, 2.95, top, w, h, f"tokenizer\n{shape_text(shapes['tokens'])}", "text", fade["text"])
    box(axis, 5.05, top, w + 0.2, h, f"text encoder\n{shape_text(shapes['embeddings'])}", "text", fade["text"])
    box(axis, 0.9, low, w, h, f"noise\n{shape_text(shapes['latents'])}")
    box(axis, 5.05, low, w + 0.2, h, f"UNet\n{steps} calls", "unet", fade["unet"])
    box(axis, 7.3, low, w, h, "scheduler\nremoves noise", "scheduler", fade["scheduler"])
    box(axis, 7.3, top, w, h, "VAE decoder", "vae", fade["vae"])
    box(axis, 9.4, top, w + 0.1, h, f"picture\n{shape_text(shapes['picture'])}")
    arrow(axis, (1.65, top), (2.2, top))
    arrow(axis, (3.7, top), (4.2, top))
    arrow(axis, (5.05, top - h / 2), (5.05, low + h / 2))
    arrow(axis, (1.65, low), (4.2, low))
    arrow(axis, (5.9, low), (6.55, low))
    arrow(axis, (7.3, low - h / 2), (5.05, low - h / 2), bend=-0.28)
    arrow(axis, (7.3, low + h / 2), (7.3, top - h / 2))
    arrow(axis, (8.05, top), (8.6, top))
    axis.text(6.2, 0.04, "again, with a little less noise", ha="center", fontsize=7.5, color=MUTED)
    return figure
