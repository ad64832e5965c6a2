"""How the water and the foam of a breaking wave are coloured."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numba import njit

from course_utils.world3d.light import Light, look_at_sky
from course_utils.world3d.materials import MATERIALS
from course_utils.world3d.noise import noise
from course_utils.world3d.surf import lip
from course_utils.world3d.trace import CURLS, Hits, Solids, crest, linear, table_distance

BREAKER, BALLS = (list(MATERIALS).index(name) for name in ("breaker", "foam"))
FOAM = linear(np.array([0.95, 0.98, 0.99]))
DEPTH = 0.2  # how far light comes through water, in heights of the wave
TIPS = np.array([lip(curl) for curl in np.linspace(0, 1, CURLS)])


class Measures(NamedTuple):
    """Where P points of a wave are, lengths in heights of the wave.

    Attributes:
        level: height over the sea.
        thin: how thin the water is there, 0 to 1.
        tip: distance from the tip of the lip.
        landing: distance from where the lip falls into the sea.
        curl, over: how far the wave has curled over, and how far it has broken after that.
        front: whether the point is before the crest, 0 to 1.
    """

    level: np.ndarray
    thin: np.ndarray
    tip: np.ndarray
    landing: np.ndarray
    curl: np.ndarray
    over: np.ndarray
    front: np.ndarray


def paint_waves(
    paint, hits: Hits, solids: Solids, rays: np.ndarray, light: Light, pixel: float, seed: int
) -> None:
    """Colour the water of waves from foot to lip, with its foam and the sky that it mirrors.

    Args:
        paint: `render.Paint` of R rays; changed in place.
        hits, solids: what the rays meet.
        rays: their directions, (R, 3).
        light: what shines through the lip.
        pixel: angle between neighbouring rays, radians.
        seed: which ripples and which foam.
    """
    through = 0.4 * light.sunlight + light.ambient * (light.horizon + light.zenith) / 2
    balls = (hits.group >= 0) & (hits.material == BALLS)
    paint.emitted[balls] += 0.13 * FOAM * through
    at = np.flatnonzero((hits.group >= 0) & (hits.material == BREAKER))
    if not len(at):
        return
    shape = hits.shape[at]
    own = np.einsum("nij,ni->nj", solids.axes[shape], hits.normal[at])
    m = measure(solids, shape, hits.local[at], own)
    bright = linear(solids.detail[shape, :3] / 255)
    foam = foam_share(m, hits.local[at] / solids.size[shape, 1:2], own[:, 1], seed)[:, None]
    normal = rippled(own, hits.local[at], (1 - 0.5 * foam) * np.exp(-1.2 * m.thin[:, None]), seed)
    paint.normal[at] = normal = np.einsum("nij,nj->ni", solids.axes[shape], normal)
    rise = np.clip(1.15 * m.level - 0.05, 0, 1)[:, None]
    inside = rise * m.front[:, None]
    share = np.clip(0.5 * rise + 0.7 * m.thin[:, None], 0, 1)
    water = hits.color[at] + share * (bright - hits.color[at])
    rough = noise(hits.local[at] * 6.0, seed + 42, 2)[:, None]
    paint.color[at] = water + foam * (FOAM * (0.86 + 0.16 * rough) - water)
    glowing = bright * through * (0.05 + 0.24 * inside + 0.32 * m.thin[:, None])
    mirrored = _sky_in(normal, rays[at], light, seed) * hits.sky[at, None]
    shadow = 0.3 * (1 - hits.sun[at, None]) * light.sunlight * paint.color[at]
    paint.emitted[at] += (1 - foam) * (glowing + mirrored) + 0.13 * foam * FOAM * through + shadow
    paint.shine[at] *= 1 - foam[:, 0]


def rippled(normal: np.ndarray, at: np.ndarray, strength: np.ndarray, seed: int) -> np.ndarray:
    """Normals of water whose surface has small waves along the crest: (P, 3), length 1."""
    field = np.stack(
        [noise(at * (2.6, 1.1, 1.1) + 7.3 * k, seed + 50, 3) for k in range(3)], axis=1
    )
    tilted = normal + 0.28 * strength * field
    return tilted / np.sqrt(np.einsum("ij,ij->i", tilted, tilted))[:, None]


def _sky_in(normal, rays, light: Light, seed: int) -> np.ndarray:
    """What the water mirrors of a sky without clouds: little, but at grazing angles."""
    cosine = np.einsum("ij,ij->i", normal, rays)
    away = rays - 2 * cosine[:, None] * normal
    away[:, 1] = np.abs(away[:, 1])
    share = 0.04 + 0.6 * (1 - np.clip(-cosine, 0, 1)) ** 4
    return share[:, None] * look_at_sky(away, replace(light, cover=0.0, stars=0.0), seed)


def foam_share(m: Measures, at: np.ndarray, upward: np.ndarray, seed: int) -> np.ndarray:
    """How much of the water is foam, (P,), 0 to 1.

    Args:
        m: measures of P points.
        at: the points in heights of the wave, in its own axes, (P, 3).
        upward: how far their normals point upward, (P,); under the lip there is no foam.
        seed: which.
    """
    streaks = noise(at * (5.0, 1.3, 1.3), seed + 40, 3)
    lace = 1 - 2.6 * np.abs(noise(at * (3.1, 2.6, 2.6), seed + 41, 3))
    curling = np.clip(2.2 * m.curl - 0.5, 0, 1)
    amount = 0.95 * curling * np.exp(-((m.tip / 0.17) ** 2)) * np.clip(0.7 + 1.5 * upward, 0, 1)
    amount += 0.55 * curling * m.front * np.clip(m.level - 0.15, 0, 1)
    amount += 0.8 * np.clip(3 * m.curl - 2, 0, 1) * np.exp(-((m.landing / 0.5) ** 2))
    amount += np.clip(1.6 * m.over, 0, 1) * (0.5 + 0.5 * m.front)
    return np.clip((amount + 0.55 * streaks + 0.3 * lace - 0.62) / 0.3, 0, 1)


def measure(solids: Solids, shape: np.ndarray, local: np.ndarray, normal: np.ndarray) -> Measures:
    """Measures of P points, given in the axes of their shapes; `normal` too, (P, 3)."""
    out = np.empty((len(shape), 7))
    _measure_into(solids.waves, solids.size[shape], local, normal, out)
    return Measures(*out.T)


@njit(cache=True)
def _measure_into(table, size, local, normal, out):
    for i in range(len(out)):
        tall, curl, back, over = crest(local[i, 0], size[i, 0], size[i, 1], size[i, 2])
        z, y = (local[i, 2] - back) / tall, local[i, 1] / tall
        nz, ny = normal[i, 2], normal[i, 1]
        inward = table_distance(table, z - DEPTH * nz, y - DEPTH * ny, curl)
        tip = TIPS[int(curl * (CURLS - 1))]
        out[i, 0] = y
        out[i, 1] = min(max(1 + inward / DEPTH, 0.0), 1.0)
        out[i, 2] = np.sqrt((z - tip[0]) ** 2 + (y - tip[1]) ** 2)
        out[i, 3] = np.sqrt((z - tip[0] + 0.1) ** 2 + y * y)
        out[i, 4], out[i, 5] = curl, over
        out[i, 6] = min(max(0.5 - 4 * (z + 0.12), 0.0), 1.0)
