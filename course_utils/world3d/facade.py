"""Windows on the walls of buildings, a pattern: by day dark glass, at night some are lit."""

from typing import NamedTuple

import numpy as np

from course_utils.world3d.light import Light
from course_utils.world3d.materials import MATERIALS
from course_utils.world3d.trace import Hits, Solids, linear

FACADE = list(MATERIALS).index("facade")
GLASS = linear(np.array([0.2, 0.25, 0.31]))
CURTAIN = linear(np.array([0.6, 0.57, 0.51]))
WARM, COOL = linear(np.array([[1.0, 0.70, 0.30], [1.0, 0.88, 0.66]]))  # light behind windows
SNOW = linear(np.array([0.95, 0.97, 1.0]))
SIGNS = linear(np.array([[0.8, 0.2, 0.16], [0.13, 0.42, 0.3], [0.16, 0.3, 0.6], [0.86, 0.6, 0.16]]))


class Facade(NamedTuple):
    """The windows on a box: its `detail`, for the material "facade".

    Attributes:
        column, storey: width and height of what belongs to one window, metres, roughly: a whole
            number of windows fits on each wall.
        wide, tall: share of that width and height that is glass, 0 to 1.
        shop: height of the ground floor, metres; 0 for none.
        lit: share of the windows that are lit.
        trim: brightness of frames and sills, as a factor of the wall's.
        snow: snow on the sills, 0 or 1.
        seed: which windows are lit, 0 to 1.
    """

    column: float
    storey: float
    wide: float = 0.5
    tall: float = 0.6
    shop: float = 0.0
    lit: float = 0.0
    trim: float = 1.25
    snow: float = 0.0
    seed: float = 0.0


class Cells(NamedTuple):
    """Which window P points of walls belong to.

    Attributes:
        u, v: place in its cell, -0.5 to 0.5, v up; (P,).
        width, height: of the cell, metres.
        blur_u, blur_v: size of a pixel, in cells.
        wide, tall: half of the window's size, in cells.
        street: whether it belongs to the ground floor.
        luck: three random numbers of the window, 0 to 1, (P, 3).
        wall: two random numbers of the wall, (P, 2).
    """

    u: np.ndarray
    v: np.ndarray
    width: np.ndarray
    height: np.ndarray
    blur_u: np.ndarray
    blur_v: np.ndarray
    wide: np.ndarray
    tall: np.ndarray
    street: np.ndarray
    luck: np.ndarray
    wall: np.ndarray


def paint_facades(paint, hits: Hits, solids: Solids, rays, light: Light, pixel: float) -> None:
    """Paint windows on all boxes of the material "facade".

    Args:
        paint: `render.Paint` of R rays; changed in place.
        hits, solids: what the rays meet.
        rays: their directions, (R, 3).
        light: the sky that windows mirror.
        pixel: angle between neighbouring rays, radians; what is finer is averaged.
    """
    at = np.flatnonzero((hits.group >= 0) & (hits.material == FACADE))
    shape = hits.shape[at]
    own = np.einsum("nij,ni->nj", solids.axes[shape], hits.normal[at])
    upright = np.abs(own[:, 1]) < 0.5
    at, shape, own = at[upright], shape[upright], own[upright]
    if not len(at):
        return
    detail = Facade(*solids.detail[shape, : len(Facade._fields)].T)
    cells = find_cells(detail, hits, solids, at, own, rays, pixel)
    color = paint.color[at]
    trim = np.minimum(color * detail.trim[:, None], 1)
    color = _ledges(color, trim, cells, detail)
    frame = _inside(cells, 0.05 / cells.width, 0.07 / cells.height)
    color += frame[:, None] * (trim - color)
    glass = (_inside(cells, 0, 0) * (1 - _bars(cells)))[:, None]
    pane, emitted = _panes(cells, detail, light, own, rays[at])
    paint.color[at] = color + glass * (pane - color)
    paint.emitted[at] += glass * emitted
    _signs(paint, at, cells, detail)


def find_cells(detail: Facade, hits: Hits, solids: Solids, at, own, rays, pixel: float) -> Cells:
    """The cells of the pattern that the points at[P] belong to; own are their normals, (P, 3)."""
    local, size = hits.local[at], solids.size[hits.shape[at]]
    sideways = np.abs(own[:, 0]) > np.abs(own[:, 2])
    along = np.where(sideways, local[:, 2], local[:, 0])
    half = np.where(sideways, size[:, 2], size[:, 0])
    up = local[:, 1] + size[:, 1]
    street = up < detail.shop
    floors = 2 * size[:, 1] - detail.shop
    width, columns = _fit(2 * half, np.where(street, 1.7, 1.0) * detail.column)
    height, _ = _fit(floors, detail.storey)
    height = np.where(street, detail.shop, height)
    column = (along + half) / width
    row = np.where(street, up / np.maximum(detail.shop, 0.1), (up - detail.shop) / height)
    i, j = np.floor(column), np.floor(row)
    face = sideways * 2 + (np.sum(own, axis=1) > 0) + 4 * hits.shape[at]
    dots = np.abs(np.einsum("ij,ij->i", hits.normal[at], rays[at]))
    size_of_pixel = pixel * hits.distance[at]
    return Cells(
        u=column - i - 0.5,
        v=row - j - 0.5,
        width=width,
        height=height,
        blur_u=size_of_pixel / width / np.maximum(dots, 0.1),
        blur_v=size_of_pixel / height,
        wide=np.where(street, 0.43, 0.5 * detail.wide),
        tall=np.where(street, 0.34, 0.5 * detail.tall),
        street=street,
        luck=_hash(i, j + 50 * street, face, detail.seed, 3),
        wall=_hash(np.where(street, i, 0), 0, face, detail.seed + 0.5, 2),
    )


def _fit(length: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The size nearest to the wanted one of which a whole number fills the length; that number."""
    count = np.maximum(np.round(length / wanted), 1)
    return length / count, count


def _inside(cells: Cells, more_u, more_v) -> np.ndarray:
    """Share of a pixel that lies in the window, enlarged on each side by a share of the cell."""
    low = cells.v + np.where(cells.street, 0.06, 0.0)
    u = _share(cells.wide + more_u - np.abs(cells.u), cells.blur_u)
    v = _share(cells.tall + more_v - np.abs(low), cells.blur_v)
    far_u, far_v = 2 * (cells.wide + more_u), 2 * (cells.tall + more_v)
    coarse_u, coarse_v = _coarse(cells.blur_u), _coarse(cells.blur_v)
    return (u + coarse_u * (far_u - u)) * (v + coarse_v * (far_v - v))


def _share(inside: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """How much of a pixel lies on the inner side of an edge."""
    return np.clip(inside / np.maximum(blur, 1e-4) + 0.5, 0, 1)


def _coarse(blur: np.ndarray) -> np.ndarray:
    """1 where a pixel holds several cells, so that only their mean can be shown; else 0."""
    return np.clip(2.2 * blur - 0.9, 0, 1)


def _ledges(color, trim, cells: Cells, detail: Facade) -> np.ndarray:
    """A thin ledge between storeys, and sills with snow on them."""
    under = -cells.tall - 0.09 / cells.height
    sill = _share(cells.wide + 0.08 / cells.width - np.abs(cells.u), cells.blur_u)
    sill *= _share(0.06 / cells.height - np.abs(cells.v - under), cells.blur_v)
    sill = (sill * ~cells.street * (1 - _coarse(cells.blur_v)))[:, None]
    snowy = (detail.snow > 0)[:, None]
    color = color + sill * (np.where(snowy, SNOW, trim) - color)
    ledge = _share(0.045 / cells.height - (0.5 - np.abs(cells.v)), cells.blur_v)
    return color + (0.5 * ledge * (1 - _coarse(cells.blur_v)))[:, None] * (trim - color)


def _panes(cells: Cells, detail: Facade, light: Light, own, rays) -> tuple[np.ndarray, np.ndarray]:
    """Color of the glass, and the light that comes from it: a lamp behind it, or the sky in it."""
    coarse = np.maximum(_coarse(cells.blur_u), _coarse(cells.blur_v))
    luck, v = cells.luck + coarse[:, None] * (0.5 - cells.luck), cells.v
    chance = np.where(cells.street, np.minimum(1.6 * detail.lit, 0.95), detail.lit)
    lit = _share((chance - cells.luck[:, 0]) * 8, np.full(len(v), 0.4))
    lit = (lit + coarse * (chance - lit))[:, None]
    curtain = (np.clip((v / cells.tall + 0.6 - 1.8 * luck[:, 1]) * 4, 0, 1) * ~cells.street)[
        :, None
    ]
    curtain = 0.75 * curtain * (luck[:, 2:3] > 0.35)
    goods = _goods(cells)[:, None]
    pane = GLASS * (0.55 + 0.9 * luck[:, 2:3]) + curtain * (CURTAIN - GLASS)
    warm = WARM + luck[:, 1:2] * (COOL - WARM)
    shine = warm * (0.75 + 0.9 * luck[:, 2:3]) * (1 - 0.45 * curtain) * (0.9 + 0.35 * v[:, None])
    grazing = 1 - np.abs(np.einsum("ij,ij->i", own, rays))[:, None]
    sky = light.horizon + (light.zenith - light.horizon) * (0.25 + 0.5 * luck[:, 1:2])
    sky = sky * (0.07 + 0.17 * luck[:, 0:1] + 0.3 * np.clip(grazing, 0, 1) ** 3)
    shine = shine * np.where(cells.street, 0.75 + 0.5 * v, 1.0)[:, None]
    shine = shine * (1 - goods) + 0.35 * goods * _sign_color(cells.luck[:, 1])
    return pane * (1 - lit), lit * shine + (1 - lit) * (1 - curtain) * sky


def _bars(cells: Cells) -> np.ndarray:
    """The bars across a window; seen from afar, there are none."""
    upright = _share(0.02 / cells.width - np.abs(cells.u), cells.blur_u)
    level = _share(0.02 / cells.height - np.abs(cells.v - 0.3 * cells.tall), cells.blur_v)
    near = np.clip(1.6 - 14 * np.maximum(cells.blur_u, cells.blur_v), 0, 1)
    return near * np.maximum(upright, level)


def _goods(cells: Cells) -> np.ndarray:
    """What stands in shop windows: dark shapes of different heights."""
    place = cells.u * 5.3
    high = _hash(np.floor(place), cells.street, 0, cells.luck[:, 0], 1)[:, 0]
    sides = _share(0.36 - np.abs(place - np.floor(place) - 0.5), 5.3 * cells.blur_u)
    return cells.street * sides * _share(0.45 * high - 0.36 - cells.v, cells.blur_v)


def _sign_color(luck: np.ndarray) -> np.ndarray:
    return SIGNS[(luck * len(SIGNS)).astype(int)]


def _signs(paint, at, cells: Cells, detail: Facade) -> None:
    """A board over each shop; at night it shines a little."""
    board = _share(0.42 - np.abs(cells.u), cells.blur_u) * _share(
        0.085 - np.abs(cells.v - 0.39), cells.blur_v
    )
    board = (board * cells.street)[:, None]
    color = _sign_color(cells.wall[:, 0])
    paint.color[at] += board * (color - paint.color[at])
    paint.emitted[at] += board * (
        0.8 * color * np.minimum(1.5 * detail.lit, 1)[:, None] - paint.emitted[at]
    )


def _hash(i, j, face, seed, count: int) -> np.ndarray:
    """Numbers between 0 and 1 that look random, the same for the same window: (P, count)."""
    key = i * 7919.0 + j * 104729.0 + face * 15485.863 + np.asarray(seed) * 99991.0
    bits = np.asarray(np.abs(key) * 64, np.uint64)[:, None] + np.arange(count, dtype=np.uint64)
    for shift, factor in (
        (33, 0xFF51AFD7ED558CCD),
        (29, 0xC4CEB9FE1A85EC53),
        (32, 0x9E3779B97F4A7C15),
    ):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return (bits >> np.uint64(40)).astype(float) / 2**24
