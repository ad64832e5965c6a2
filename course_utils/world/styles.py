"""Styles and quality words as filters on the finished picture.

Pictures here are float arrays (128, 128, 3) in 0..1. Textures are coarse, and repeat every 16
pixels and not every 8: a pattern as wide as one latent looks the same to the VAE everywhere, so
that its latents are flat, and from flat latents no decoder made of convolutions draws a pattern.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from course_utils.world.vocabulary import SIZE

ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE]
EDGE = np.minimum.reduce(
    [ROWS, COLUMNS, SIZE - 1 - ROWS, SIZE - 1 - COLUMNS]
)  # pixels to the border
PAPER = np.array([0.97, 0.95, 0.90])


def apply_style(picture: np.ndarray, style: str) -> np.ndarray:
    """Repaint a picture in one of the STYLES; (128, 128, 3) in 0..1, in and out."""
    return STYLE_FILTERS[style](picture).clip(0, 1)


def apply_quality(
    picture: np.ndarray, depth: np.ndarray, labels: np.ndarray, quality: str, rng
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give a picture one of the QUALITIES; what moves pixels moves depth and labels too."""
    if quality in MOVES:
        return MOVES[quality](picture, depth, labels, rng)
    return QUALITY_FILTERS[quality](picture).clip(0, 1), depth, labels


def _blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")


def _saturate(picture: np.ndarray, factor: float) -> np.ndarray:
    gray = picture @ np.array([0.299, 0.587, 0.114])
    return gray[..., None] + factor * (picture - gray[..., None])


def _oil(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray((255 * picture).astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    flat = np.asarray(image, np.float64) / 255
    along, across = np.pi / 8 * (COLUMNS + ROWS), np.pi / 16 * (COLUMNS - ROWS)
    stroke = np.sin(along + 1.6 * np.sin(across))[..., None]
    varnish = np.array([1.02, 0.95, 0.78])
    return ((flat - 0.5) * 1.1 + 0.48) * varnish * (1 + 0.13 * stroke)


def _palette_knife(picture: np.ndarray) -> np.ndarray:
    """Dabs of 16 by 8 pixels, laid like bricks: bright where the knife set down, dark behind."""
    shift = 8 * (ROWS // 8 % 2)
    row, column = ROWS % 8, (COLUMNS + shift) % 16
    mean = ndimage.uniform_filter(picture, (8, 16, 1), mode="nearest")
    center = (COLUMNS - column + 8).clip(0, SIZE - 1)
    dabs = mean[ROWS - row + 4, center]
    ridge = np.where(column < 3, 1.28, np.where(column > 12, 0.72, 1.04 - 0.02 * row))[..., None]
    return _saturate(0.55 * dabs + 0.45 * picture, 1.3) * ridge


def _pencil(picture: np.ndarray) -> np.ndarray:
    gray = picture @ np.array([0.299, 0.587, 0.114])
    lines = np.sqrt(
        sum(ndimage.gaussian_gradient_magnitude(picture[..., c], 1.0) ** 2 for c in range(3))
    )
    tone = 1 - 0.3 * (1 - gray) - np.minimum(3.2 * lines, 0.85)
    return tone.clip(0.08, 1)[..., None] * PAPER


def _watercolor(picture: np.ndarray) -> np.ndarray:
    soft = _blur(picture, 1.2)
    pigment = soft - 0.9 * (_blur(picture, 3.0) - soft)
    wash = 0.62 * pigment + 0.38
    border = (EDGE - 7 - 2 * np.sin(COLUMNS * np.pi / 8) - 2 * np.cos(ROWS * np.pi / 8)) / 4
    cover = border.clip(0, 1)[..., None]
    return cover * wash + (1 - cover) * PAPER


def _pixel_art(picture: np.ndarray) -> np.ndarray:
    blocks = picture.reshape(SIZE // 4, 4, SIZE // 4, 4, 3).mean(axis=(1, 3))
    steps = np.round(3 * ((blocks - 0.5) * 1.25 + 0.5).clip(0, 1)) / 3
    return np.repeat(np.repeat(steps, 4, axis=0), 4, axis=1)


def _beautiful(picture: np.ndarray) -> np.ndarray:
    glow = 1 - (1 - picture) * (1 - 0.4 * _blur(picture, 5.0))
    radius = np.hypot(ROWS - 63.5, COLUMNS - 63.5) / 90
    return _saturate(glow, 1.2) * (1.02 - 0.75 * radius**3)[..., None]


def _high_resolution(picture: np.ndarray) -> np.ndarray:
    return picture + 0.9 * (picture - _blur(picture, 3.0))


def _blurry(picture: np.ndarray) -> np.ndarray:
    return _blur(picture, 3.2)


def _oversaturated(picture: np.ndarray) -> np.ndarray:
    return (_saturate(picture, 2.4) - 0.5) * 1.5 + 0.5


def _low_resolution(picture: np.ndarray) -> np.ndarray:
    blocks = picture.reshape(SIZE // 8, 8, SIZE // 8, 8, 3).mean(axis=(1, 3))
    return np.repeat(np.repeat(blocks, 8, axis=0), 8, axis=1)


def _resample(picture, depth, labels, rows, columns):
    """Look up every output pixel at (rows, columns) of the input; nearest for depth, labels."""
    at = np.stack([rows, columns])
    picture = np.stack(
        [ndimage.map_coordinates(picture[..., c], at, order=1, mode="nearest") for c in range(3)],
        -1,
    )
    depth, labels = (
        ndimage.map_coordinates(a, at, order=0, mode="nearest") for a in (depth, labels)
    )
    return picture, depth, labels


def _zoomed_in(picture, depth, labels, rng):
    row, column = rng.uniform(76, 84), rng.uniform(54, 74)
    return _resample(
        picture, depth, labels, row + (ROWS - 63.5) / 2.2, column + (COLUMNS - 63.5) / 2.2
    )


def _warped(picture, depth, labels, rng):
    phase = rng.uniform(0, 2 * np.pi)
    rows = ROWS + 6 * np.sin(2 * np.pi * COLUMNS / 42 + phase)
    columns = COLUMNS + 6 * np.sin(2 * np.pi * ROWS / 42)
    return _resample(picture, depth, labels, rows, columns)


STYLE_FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "photo": lambda picture: picture,
    "oil painting": _oil,
    "palette knife painting": _palette_knife,
    "pencil sketch": _pencil,
    "watercolor": _watercolor,
    "pixel art": _pixel_art,
}
QUALITY_FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda picture: picture,
    "beautiful": _beautiful,
    "high resolution": _high_resolution,
    "blurry": _blurry,
    "oversaturated": _oversaturated,
    "low resolution": _low_resolution,
}
MOVES: dict[str, Callable] = {"zoomed in": _zoomed_in, "warped": _warped}
