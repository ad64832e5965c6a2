"""Photographs that scikit-image ships with its package, for an autoencoder of the world's pictures.

A learner will give the autoencoder a photograph of a real cat, so it sees a few real ones. All are
free: public domain or CC0, or without known restrictions (see the docstrings of `skimage.data`).
"""

from collections.abc import Iterable

import numpy as np
from PIL import Image
from skimage import data

SIDE = 128
TRAINING = (
    "astronaut",
    "coffee",
    "rocket",
    "hubble_deep_field",
    "coins",
    "brick",
    "gravel",
    "grass",
)
HELD_OUT = ("chelsea", "camera")


def photograph(name: str) -> Image.Image:
    """One of scikit-image's photographs, in colour."""
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def photograph_crops(names: Iterable[str], count: int, seed: int = 0) -> np.ndarray:
    """Squares cut from photographs at random places and scales, half of them mirrored.

    Args:
        names: functions of `skimage.data`; each is used as often as the others.
        count: how many squares.
        seed: of the random places.
    Returns:
        (count, 128, 128, 3) uint8.
    """
    rng = np.random.default_rng(seed)
    photographs = [photograph(name) for name in names]
    crops = [random_square(photographs[i % len(photographs)], rng) for i in range(count)]
    return np.stack(crops)


def random_square(picture: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """A square between 128 pixels and the whole height or width, made 128 wide: (128, 128, 3)."""
    longest = min(picture.size)
    side = int(SIDE * (longest / SIDE) ** rng.random())
    x, y = (int(rng.integers(0, length - side + 1)) for length in picture.size)
    square = picture.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.LANCZOS)
    pixels = np.asarray(square)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels
