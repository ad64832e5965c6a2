"""The ground: grass, sand, snow, streets, and the sea with its shore."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from course_utils.world3d.noise import noise
from course_utils.world3d.shapes import Color
from course_utils.world3d.trace import linear

KINDS = ("grass", "sand", "snow", "street", "sea")


@dataclass(frozen=True)
class Ground:
    """The plane y = 0.

    Attributes:
        kind: one of KINDS.
        color: sRGB, 0 to 255.
        patches: colour of irregular patches in it, sRGB, 0 to 255.
        rough: strength of its unevenness, 0 to 2.
        shore: distance z in metres behind which lies the sea, None for none.
        sea: colours of shallow and of deep water.
        swell: height of the waves of the sea, 0 to 2.
        road: half width in metres of the road along z between pavements; streets only.
    """

    kind: str
    color: Color
    patches: Color
    rough: float = 1.0
    shore: float | None = None
    sea: tuple[Color, Color] = ((70, 178, 190), (18, 84, 140))
    swell: float = 0.7
    road: float | None = None
    mean: np.ndarray = field(init=False)

    def __post_init__(self):
        shown = self.sea[0] if self.kind == "sea" else self.color
        object.__setattr__(self, "mean", linear(np.array(shown) / 255))


class Surface(NamedTuple):
    """The ground at P points: linear color (P, 3), normal (P, 3), label, shine and mirror (P,)."""

    color: np.ndarray
    normal: np.ndarray
    label: np.ndarray
    shine: np.ndarray
    mirror: np.ndarray


def ground_names(ground: Ground) -> list[str]:
    """What the parts of the ground are called: the kind, and "sea" behind a shore."""
    return [ground.kind] + (["sea"] if ground.shore is not None else [])


def look_at_ground(points, size, ground: Ground, seed: int, first_label: int) -> Surface:
    """How the ground looks.

    Args:
        points: (P, 3), metres, y = 0.
        size: of a pixel on the ground, metres, (P,).
        ground, seed: which.
        first_label: label of the first of `ground_names`.
    """
    if ground.kind == "sea":
        return _sea(points, size, ground, seed, first_label, np.full(len(points), 9.0))
    land = _land(points, size, ground, seed, first_label)
    if ground.shore is None:
        return land
    off = points[:, 2] - ground.shore + 0.5 * noise(points * (0.35, 0, 0.1), seed + 5, 2)
    wet = np.clip(1 + off / 0.9, 0, 1)[:, None]
    color = land.color * (1 - 0.45 * wet)
    sea = _sea(points, size, ground, seed, first_label + 1, off)
    foam = np.exp(-(((off - 0.12) / 0.13) ** 2)) + 0.5 * np.exp(-(((off - 0.75) / 0.1) ** 2))
    lather = 1 + 0.7 * noise(points * (2.2, 0, 4), seed + 6, 2, size * 3)
    foam = np.clip(foam * lather, 0, 1)[:, None]
    under = (off > 0)[:, None]
    color = np.where(under, sea.color, color)
    color = color + foam * (linear(np.array([0.95, 0.97, 0.97])) - color)
    under = under[:, 0]
    return Surface(
        color,
        np.where(under[:, None], sea.normal, land.normal),
        np.where(under, sea.label, land.label),
        np.where(under, sea.shine, land.shine + 0.2 * wet[:, 0] * (off < 0)),
        np.where(under, sea.mirror * (1 - foam[:, 0]), 0.05 * (wet[:, 0] > 0.5)),
    )


def _land(points, size, ground: Ground, seed: int, label: int) -> Surface:
    """Colour in patches, finer mottling, and an uneven surface."""
    color, patches = linear(np.array(ground.color) / 255), linear(np.array(ground.patches) / 255)
    patch = np.clip(0.5 + 1.1 * noise(points * (0.45, 0, 0.45), seed, 3, size * 0.45), 0, 1)[
        :, None
    ]
    base = (1 - patch) * color + patch * patches
    wavelength, strength = {
        "grass": ((4.2, 0, 2.6), 0.34),
        "sand": ((1.2, 0, 3.4), 0.10),
        "snow": ((0.8, 0, 1.1), 0.05),
        "street": ((3.0, 0, 3.0), 0.12),
    }[ground.kind]
    fine = noise(points * wavelength, seed + 1, 3, size * max(wavelength))
    base = base * (1 + ground.rough * strength * fine)[:, None]
    count = len(points)
    label = np.full(count, label)
    normal = _uneven(points, size, ground, seed)
    if ground.road is not None:
        base = _paint_road(base, points, ground)
    return Surface(base, normal, label, np.full(count, 0.02), np.zeros(count))


def _uneven(points, size, ground: Ground, seed: int) -> np.ndarray:
    """Normals of a surface whose height is a random field: differences over a few centimetres."""
    scale = {"grass": (1.6, 0.10), "sand": (1.1, 0.09), "snow": (0.7, 0.16), "street": (2.0, 0.01)}
    frequency, height = scale[ground.kind]
    at = points * (frequency, 0, frequency)
    here = noise(at, seed + 2, 2, size * frequency)
    right = noise(at + (0.12, 0, 0), seed + 2, 2, size * frequency)
    away = noise(at + (0, 0, 0.12), seed + 2, 2, size * frequency)
    tilt = ground.rough * height * frequency / 0.12
    return _normal(tilt * (right - here), tilt * (away - here))


def _sea(points, size, ground: Ground, seed: int, label: int, off: np.ndarray) -> Surface:
    """Shallow water is lighter; waves tilt the surface, which mirrors many parts of the sky."""
    shallow, deep = (linear(np.array(c) / 255) for c in ground.sea)
    depth = np.clip(off / 6, 0, 1)[:, None]
    rng = np.random.default_rng(seed)
    slope_x, slope_z = np.zeros(len(points)), np.zeros(len(points))
    for k in range(7):
        angle = rng.normal(np.pi / 2, 0.5)
        wavelength = 1.9 * 0.68**k * rng.uniform(0.8, 1.2)
        along = (
            (np.cos(angle) * points[:, 0] + np.sin(angle) * points[:, 2]) * 2 * np.pi / wavelength
        )
        fade = np.clip(2 - 3.5 * size / wavelength, 0, 1)
        bend = noise(points * (0.7, 0, 0.7), seed + 20 + k, 1) * 2.5
        slope = ground.swell * 0.055 * fade * np.cos(along + bend + rng.uniform(0, 6.3))
        slope_x += np.cos(angle) * slope
        slope_z += np.sin(angle) * slope
    tone = 1 + 0.25 * noise(points * (0.5, 0, 1.6), seed + 9, 2, size * 1.6)
    color = ((1 - depth) * shallow + depth * deep) * tone[:, None]
    count = len(points)
    return Surface(
        color,
        _normal(slope_x, slope_z),
        np.full(count, label),
        np.full(count, 0.8),
        np.full(count, 0.16),
    )


def _paint_road(base, points, ground: Ground) -> np.ndarray:
    """Pavements beside the road, and a broken line along its middle."""
    x, z = points[:, 0], points[:, 2]
    pavement = (np.abs(x) > ground.road)[:, None]
    base = np.where(pavement, base * 0.4 + 0.6 * linear(np.array((176, 170, 162)) / 255), base)
    curb = (np.abs(np.abs(x) - ground.road) < 0.06)[:, None]
    line = ((np.abs(x) < 0.05) & (z % 1.6 < 0.8))[:, None]
    base = np.where(curb, linear(np.array((120, 116, 112)) / 255), base)
    return np.where(line, linear(np.array((228, 222, 204)) / 255), base)


def _normal(slope_x: np.ndarray, slope_z: np.ndarray) -> np.ndarray:
    n = np.stack([-slope_x, np.ones(len(slope_x)), -slope_z], axis=1)
    return n / np.sqrt(np.einsum("ij,ij->i", n, n))[:, None]
