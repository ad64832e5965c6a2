"""How the course draws: pictures in rows, and diagrams of boxes. Knows no topic's inside."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor

INK, MUTED, PALE = "#22304a", "#7d8aa3", "#eef2f8"
ACCENT = "#e4572e"
PALETTE = {  # one colour for each part of the pipeline, in every figure of the course
    "text": "#f2b134",
    "unet": "#4a7fd6",
    "scheduler": "#2fa37c",
    "vae": "#c2589b",
    "data": "#eef2f8",
}


def array(values) -> np.ndarray:
    """A picture, or numbers in any form, as an array; a tensor may be on any device."""
    if not isinstance(values, Tensor):
        return np.asarray(values)
    known = values.float() if values.is_floating_point() else values  # numpy has no bfloat16
    return known.detach().cpu().numpy()


def show_pictures(
    pictures: Sequence, titles: Sequence[str] = (), columns: int | None = None, size: float = 1.7
) -> Figure:
    """Pictures in a grid, each under its title.

    Args:
        pictures: PIL pictures, or arrays or tensors (H, W, 3) or (H, W).
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
    titles = [wrap(title, int(13 * size)) for title in titles]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    shapes = [np.shape(picture)[:2] for picture in pictures]
    height = size * max(high / wide for high, wide in shapes) + 0.15 * lines + 0.06
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, height * rows), squeeze=False, layout="compressed"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, picture in zip(axes.flat, pictures, strict=False):
        pixels = array(picture)
        axis.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None, interpolation="nearest")
    for axis, title in zip(axes.flat, titles, strict=False):
        # y=1 is where titles stand anyway; left out, matplotlib measures every tick to find it
        axis.set_title(title, fontsize=8, color=INK, y=1)
    return figure


def tinted(picture, mask, color: str = ACCENT, share: float = 0.65) -> np.ndarray:
    """A picture with a colour laid over what a mask covers.

    Args:
        picture: RGB, a PIL picture or an array (H, W, 3) of 0..255.
        mask: (H, W), a PIL picture or an array; above 0 is covered.
        color: of the layer.
        share: how much of it is seen, 0 to 1.
    Returns:
        (H, W, 3) uint8.
    """
    shown = np.array(picture, np.float32)
    layer = 255 * np.array(to_rgb(color), np.float32)
    covered = np.asarray(mask) > 0
    shown[covered] = (1 - share) * shown[covered] + share * layer
    return shown.astype(np.uint8)


def glowing(picture, values, limit: float | None = None, share: float = 0.65) -> np.ndarray:
    """Numbers laid over a picture that has lost its colours: dark at 0, bright at the limit.

    Args:
        picture: RGB, a PIL picture or an array (H, W, 3) of 0..255.
        values: array (H, W), 0 or more.
        limit: the number that is brightest; the largest of the values where left out.
        share: how much of the numbers is seen, 0 to 1.
    Returns:
        (H, W, 3) uint8.
    """
    grey = np.array(picture, np.float32).mean(axis=2, keepdims=True)
    values = array(values).astype(np.float32)
    bright = np.clip(values / (limit or float(values.max()) or 1.0), 0, 1)
    layer = 255 * plt.get_cmap("inferno")(bright)[..., :3]
    return ((1 - share) * grey + share * layer).round().astype(np.uint8)


def wrap(text: str, width: int) -> str:
    """Break a title into lines of at most `width` characters, between words."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def box(
    axis: Axes,
    x: float,
    y: float,
    w: float,
    h: float,
    text: str,
    part: str = "data",
    faded: bool = False,
) -> None:
    """A rounded box with its centre at (x, y), coloured by the part of the pipeline it is."""
    axis.add_patch(
        FancyBboxPatch(
            (x - w / 2, y - h / 2),
            w,
            h,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=PALETTE[part],
            edgecolor=INK if part == "data" else "none",
            linewidth=0.8,
            alpha=0.3 if faded else 1.0,
        )
    )
    dark = part in ("data", "text")
    axis.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=8.5,
        linespacing=1.35,
        color=INK if dark or faded else "white",
    )


def arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0):
    """An arrow between two points, curved where bend is not 0."""
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            color=MUTED,
            linewidth=1.3,
            connectionstyle=f"arc3,rad={bend}",
        )
    )


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
    box(
        axis,
        5.05,
        top,
        w + 0.2,
        h,
        f"text encoder\n{shape_text(shapes['embeddings'])}",
        "text",
        fade["text"],
    )
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
    arrow(axis, (7.3, low - h / 2), (5.05, low - h / 2), bend=-0.45)
    arrow(axis, (7.3, low + h / 2), (7.3, top - h / 2))
    arrow(axis, (8.05, top), (8.6, top))
    axis.text(
        6.2,
        0.04,
        "again, with a little less noise",
        ha="center",
        fontsize=7.5,
        color=MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
    return figure


def show_maps(
    maps: Sequence,
    titles: Sequence[str] = (),
    columns: int | None = None,
    size: float = 1.7,
    signed: bool = True,
    limit: float | None = None,
    bar: str = "",
) -> Figure:
    """Numbers as colours, all on one scale, with the scale beside them.

    Args:
        maps: arrays or tensors (H, W).
        titles, columns, size: as in `show_pictures`.
        signed: blue below 0, white at 0, red above; otherwise dark at 0 and bright at the limit.
        limit: the number at the end of the scale; the largest of all where left out.
        bar: what the numbers are.
    """
    maps = [array(one) for one in maps]
    limit = limit or max(float(np.abs(one).max()) for one in maps)
    figure = show_pictures(maps, titles, columns, size)
    axes = list(figure.axes)
    images = [image for axis in axes for image in axis.images]
    for image in images:
        image.set(cmap="RdBu_r" if signed else "inferno", clim=(-limit if signed else 0, limit))
    scale = figure.colorbar(images[0], ax=axes, shrink=0.85, aspect=18, pad=0.02)
    scale.set_label(bar, fontsize=8, color=INK)
    scale.ax.tick_params(labelsize=7)
    scale.outline.set_visible(False)
    return figure


def heat_map(
    table,
    rows: Sequence[str],
    columns: Sequence[str] = (),
    size: float = 0.5,
    digits: int = 1,
    low: float = 0.0,
    high: float | None = None,
) -> Figure:
    """A table of numbers as coloured squares, each with its number.

    Args:
        table: array or tensor (N, M).
        rows, columns: names; the columns are named like the rows where left out.
        size: side of a square in inches.
        digits: behind the point; a number that is exactly 0 is left blank.
        low, high: ends of the scale; the largest number where high is left out.
    """
    table, columns = array(table), list(columns) or list(rows)
    high = float(table.max()) if high is None else high
    left, above = (0.075 * max(map(len, names)) for names in (rows, columns))  # inches
    board = (size * len(columns) + left + 0.3, size * len(rows) + 0.75 * above)
    figure, axis = plt.subplots(figsize=board, layout="constrained")
    axis.imshow(table, cmap="Blues", vmin=low, vmax=high, aspect="equal")
    axis.set_xticks(range(len(columns)), columns, rotation=40, ha="left", fontsize=8, color=INK)
    axis.set_yticks(range(len(rows)), rows, fontsize=8, color=INK)
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    for (i, j), value in np.ndenumerate(table):
        dark = value > (low + high) / 2
        axis.text(
            j,
            i,
            f"{value:.{digits}f}" if value else "",
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if dark else INK,
        )
    return figure


def hourglass(stages: Sequence[tuple[str, Sequence[int], str]], width: float = 10.4) -> Figure:
    """Pictures and feature maps on their way through a network, each as high as it has pixels.

    Args:
        stages: name, shape (C, H, W), and part of the pipeline that gives the colour.
        width: of the figure in inches.
    """
    figure, axis = blank(width, 3.2)
    tallest = max(shape[1] for _, shape, _ in stages)
    thickest = np.log2(max(shape[0] for _, shape, _ in stages))
    step, edge = width / len(stages), 0.0
    for number, (name, (channels, height, across), part) in enumerate(stages):
        x, tall = (number + 0.5) * step, 2.0 * height / tallest
        wide = 0.6 * step * np.log2(channels) / thickest
        axis.add_patch(
            FancyBboxPatch(
                (x - wide / 2, 1.85 - tall / 2),
                wide,
                tall,
                boxstyle="round,pad=0,rounding_size=0.03",
                facecolor=PALETTE[part],
                edgecolor=INK if part == "data" else "none",
                linewidth=0.8,
            )
        )
        side = f"{height}²" if height == across else f"{height}×{across}"
        axis.text(x, 0.55, name, ha="center", fontsize=7.5, color=INK)
        axis.text(x, 0.28, f"{channels} × {side}", ha="center", fontsize=6.5, color=MUTED)
        if number:
            arrow(axis, (edge, 1.85), (x - wide / 2, 1.85))
        edge = x + wide / 2
    return figure


def chain(stages: Sequence[tuple[str, str, str]], width: float = 10.4) -> Figure:
    """Boxes in a row, an arrow from each to the next.

    Args:
        stages: name, note under it, and part of the pipeline that gives the colour.
        width: of the figure in inches.
    """
    figure, axis = blank(width, 1.0)
    step = width / len(stages)
    for number, (name, note, part) in enumerate(stages):
        x = (number + 0.5) * step
        box(axis, x, 0.5, 0.78 * step, 0.72, f"{name}\n{note}", part)
        if number:
            arrow(axis, (x - 0.61 * step, 0.5), (x - 0.39 * step, 0.5))
    return figure


def chips(
    labels: Sequence[str],
    notes: Sequence[str] = (),
    faded: Sequence[bool] = (),
    width: float = 10.4,
) -> Figure:
    """Words in small boxes, one after another like the text of a page.

    Args:
        labels: what stands in the boxes.
        notes: what stands under each; nothing where left out.
        faded: which boxes are pale; none where left out.
        width: of the figure in inches.
    """
    notes, faded = list(notes) or [""] * len(labels), list(faded) or [False] * len(labels)
    line, places, x, row = 0.72 if any(notes) else 0.42, [], 0.05, 0
    for label, note in zip(labels, notes, strict=True):
        wide = 0.2 + 0.085 * max(len(label), len(note))
        x, row = (x, row) if x + wide <= width else (0.05, row + 1)
        places.append((x + wide / 2, row, wide))
        x += wide + 0.07
    figure, axis = blank(width, line * (row + 1))
    for (x, row, wide), label, note, pale in zip(places, labels, notes, faded, strict=True):
        y = line * (places[-1][1] - row + 1) - 0.2
        box(axis, x, y, wide, 0.3, label, "data" if pale else "text", faded=pale)
        axis.text(x, y - 0.32, note, ha="center", va="center", fontsize=7, color=MUTED)
    return figure
