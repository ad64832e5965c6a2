"""Quality words: what makes a finished picture better or worse, each more or less strongly."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from course_utils.world3d.styles import COLUMNS, ROWS, blur, gray, saturate, smooth_noise, vignette
from course_utils.world3d.vocabulary import QUALITIES, SIZE, check_choice

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def apply_quality(
    picture: np.ndarray,
    depth: np.ndarray,
    normals: np.ndarray,
    labels: np.ndarray,
    quality: str,
    rng: np.random.Generator,
) -> Arrays:
    """Give a picture one of `vocabulary.QUALITIES`; what is known of its pixels moves with them.

    Args:
        picture: (128, 128, 3) in 0..1.
        depth: (128, 128) in metres.
        normals: (128, 128, 3).
        labels: (128, 128), integers.
        quality: one of them; "plain" changes nothing.
        rng: decides how strong it is, and where.
    Returns:
        picture, depth, normals, labels, each as it came in, in shape and range.
    Raises:
        ValueError: there is no such quality.
    """
    check_choice("quality", quality, QUALITIES)
    if quality in MOVES:
        rows, columns = MOVES[quality](rng)
        nearest = (_whole(rows), _whole(columns))
        moved = look_up(picture, rows, columns).clip(0, 1)
        return moved, depth[nearest], normals[nearest], labels[nearest]
    if quality in FILTERS:
        picture = FILTERS[quality](picture, rng).clip(0, 1)
    return picture, depth, normals, labels


def look_up(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The picture at places between its pixels, by cubic splines; (128, 128, 3)."""
    planes = [
        ndimage.map_coordinates(picture[..., c], [rows, columns], order=3, mode="nearest")
        for c in range(3)
    ]
    return np.stack(planes, axis=-1)


def _whole(places: np.ndarray) -> np.ndarray:
    return places.round().astype(int).clip(0, SIZE - 1)


# ---------------------------------------------------------------- merits


def beautiful(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A glow around what is light, richer colours, warm lights over cool shadows, a vignette."""
    strength = rng.uniform(0.6, 1.3)
    light = blur(picture**3, rng.uniform(3, 6))
    deep = picture + 0.3 * strength * (picture * picture * (3 - 2 * picture) - picture)
    glowing = 1 - (1 - deep) * (1 - 0.35 * strength * light)
    rich = _vibrant(glowing, 1 + 0.6 * strength)
    warmth = strength * rng.uniform(0.04, 0.12) * (gray(rich)[..., None] - 0.35)
    toned = rich * (1 + warmth * np.array([1.0, 0.3, -1.0]))
    return toned * vignette(rng.uniform(0.15, 0.35) * strength)


def _vibrant(picture: np.ndarray, factor: float) -> np.ndarray:
    """More colour, most of it where there is little: nothing that is full of colour clips."""
    spread = np.ptp(picture, axis=-1, keepdims=True)
    return picture + (1 - spread) * (saturate(picture, factor) - picture)


def high_resolution(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crisp: fine and middle detail stand out more."""
    fine = picture - blur(picture, rng.uniform(0.7, 1.1))
    middle = picture - blur(picture, rng.uniform(3, 5))
    return picture + rng.uniform(0.6, 1.2) * fine + rng.uniform(0.15, 0.35) * middle


# ---------------------------------------------------------------- flaws


def blurry(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or taken with a hand that moved."""
    if rng.random() < 0.65:
        return blur(picture, rng.uniform(1.8, 4.0))
    angle, length = rng.uniform(0, np.pi), rng.uniform(10, 22)
    steps = np.linspace(-length / 2, length / 2, 13)
    shifts = [(s * np.sin(angle), s * np.cos(angle), 0) for s in steps]
    moved = [ndimage.shift(picture, s, order=1, mode="nearest") for s in shifts]
    return blur(np.mean(moved, axis=0), 0.8)


def oversaturated(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Glaring colours, and too much contrast."""
    glaring = saturate(picture, rng.uniform(1.9, 3.0))
    return (glaring - 0.5) * rng.uniform(1.15, 1.6) + 0.5


def low_resolution(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Squares of 4.5 to 9 pixels; where the first one is cut differs."""
    step = rng.uniform(4.5, 9)
    count = int(np.ceil(SIZE / step)) + 1
    start = rng.uniform(-step, SIZE - (count - 1) * step, 2)
    box = np.concatenate([start[::-1], start[::-1] + count * step])
    margin = 16
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    planes = [Image.fromarray(padded[..., c].astype(np.float32)) for c in range(3)]
    small = [p.resize((count, count), Image.BOX, box=tuple(box + margin)) for p in planes]
    rows = ((np.arange(SIZE) + 0.5 - start[0]) // step).astype(int)
    columns = ((np.arange(SIZE) + 0.5 - start[1]) // step).astype(int)
    return np.stack(small, axis=-1)[np.ix_(rows, columns)].astype(float)


def zoomed_in(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which place of the picture each pixel shows: a part of it, enlarged."""
    factor = rng.uniform(1.8, 2.8)
    row, column = rng.uniform(54, 82), rng.uniform(44, 83)
    return row + (ROWS - 63.5) / factor, column + (COLUMNS - 63.5) / factor


def warped(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which place of the picture each pixel shows: as in a crooked mirror."""
    amount, size = rng.uniform(4.5, 7.5), rng.uniform(10, 16)
    return tuple(at + amount * smooth_noise(rng, size) for at in (ROWS, COLUMNS))


FILTERS: dict[str, Callable] = {
    "beautiful": beautiful,
    "high resolution": high_resolution,
    "blurry": blurry,
    "oversaturated": oversaturated,
    "low resolution": low_resolution,
}
MOVES: dict[str, Callable] = {"zoomed in": zoomed_in, "warped": warped}
