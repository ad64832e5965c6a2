"""From a stage, which is things, ground, light and camera, to a picture with depth and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from course_utils.world3d.breaker import paint_waves
from course_utils.world3d.facade import paint_facades
from course_utils.world3d.ground import Ground, ground_names, look_at_ground
from course_utils.world3d.light import Light, look_at_sky
from course_utils.world3d.materials import MATERIALS
from course_utils.world3d.noise import noise
from course_utils.world3d.shapes import Color, Point, Shape
from course_utils.world3d.trace import FAR, GROUND, NOTHING, Hits, gather, linear, names_of, trace

SIZE = 128  # pixels on a side
SAMPLES = 2  # rays through a pixel, on a side
TABLE = np.array(
    [(m.shine, m.sharpness, m.mirror, m.mottle, m.glow, m.soft) for m in MATERIALS.values()]
)
GRAIN = np.array([m.grain for m in MATERIALS.values()])
WATER = list(MATERIALS).index("water")


@dataclass(frozen=True)
class Camera:
    """Where the picture is taken from.

    Attributes:
        eye, target: metres, (3,).
        fov: angle of view in degrees, from edge to edge.
    """

    eye: Point
    target: Point
    fov: float = 34.0


@dataclass(frozen=True)
class Lamp:
    """A point of light without a shadow.

    Attributes:
        at: metres, (3,).
        color: sRGB, 0 to 255.
        strength: its light at a distance of one metre; daylight is about 2.
    """

    at: Point
    color: Color = (255, 214, 140)
    strength: float = 1.5


@dataclass(frozen=True)
class Stage:
    """Everything that is in a picture.

    Attributes:
        things: name → shapes, in metres; each name becomes a mask.
        camera, light, ground: see there.
        lamps: lights that stand in the scene.
        seed: which texture the ground has, and which clouds the sky.
    """

    things: dict[str, list[Shape]]
    camera: Camera
    light: Light
    ground: Ground
    lamps: Sequence[Lamp] = field(default_factory=tuple)
    seed: int = 0


@dataclass(frozen=True)
class Render:
    """A picture and what is known of every pixel.

    Attributes:
        picture: sRGB, (128, 128, 3) float32, 0 to 1.
        depth: metres along the viewing axis, (128, 128) float32; FAR for the sky.
        normals: directions of the surfaces, x right, y up, z away, (128, 128, 3) float32; zero in
            the sky.
        labels: which name is seen, (128, 128) uint8, an index into names.
        names: the things, then the ground, then "sky".
    """

    picture: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    names: list[str]


class Paint(NamedTuple):
    """How the surfaces look that R rays meet; painters change it in place.

    Attributes:
        color, normal: (R, 3); colours are linear.
        emitted: light of their own, linear, (R, 3).
        shine, mirror, soft: see `materials.Material`, (R,).
    """

    color: np.ndarray
    normal: np.ndarray
    emitted: np.ndarray
    shine: np.ndarray
    mirror: np.ndarray
    soft: np.ndarray


def render_stage(stage: Stage) -> Render:
    """Take the picture."""
    rays, axis, pixel = camera_rays(stage.camera)
    eye = np.asarray(stage.camera.eye, float)
    names = names_of(stage.things)
    solids = gather([stage.things[name] for name in names])
    hits = trace(solids, eye, rays, stage.light.sun, bundle=SAMPLES**2)
    light, found = shade_hits(stage, solids, hits, eye, rays, pixel)
    names = names + ground_names(stage.ground) + ["sky"]
    labels = np.where(hits.group >= 0, hits.group, found)
    labels[hits.group == NOTHING] = len(names) - 1
    depth = np.minimum(
        np.where(np.isfinite(hits.distance), hits.distance, FAR) * (rays @ axis), FAR
    )
    depth[hits.group == NOTHING] = FAR
    return Render(*_to_pixels(develop(light), depth, hits.normal, labels), names)


def camera_rays(camera: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """The directions of all rays, (R, 3), those of one pixel in a row; the viewing axis, (3,); and
    the angle between rays."""
    side = SIZE * SAMPLES
    axis = _unit(np.asarray(camera.target, float) - np.asarray(camera.eye, float))
    right = _unit(np.cross((0.0, 1.0, 0.0), axis))
    up = np.cross(axis, right)
    half = np.tan(np.deg2rad(camera.fov) / 2)
    at = ((np.arange(side) + 0.5) / side * 2 - 1) * half
    rays = axis + at[None, :, None] * right - at[:, None, None] * up
    rays = _unit(rays).reshape(SIZE, SAMPLES, SIZE, SAMPLES, 3).swapaxes(1, 2)
    return rays.reshape(-1, 3), axis, 2 * half / side


def shade_hits(stage: Stage, solids, hits: Hits, eye, rays, pixel: float, mirrors: bool = True):
    """The light that comes along each ray, linear (R, 3), and the label of the ground it meets."""
    light, points = (
        stage.light,
        eye + rays * np.where(hits.group == NOTHING, 0, hits.distance)[:, None],
    )
    result = look_at_sky(rays, light, stage.seed, pixel)
    color, normal, material = hits.color.copy(), hits.normal.copy(), hits.material
    look = TABLE[material]
    shine, sharp, mirror, glow, soft = (look[:, k].copy() for k in (0, 1, 2, 4, 5))
    found = np.zeros(len(rays), np.int64)
    floor = hits.group == GROUND
    if floor.any():
        size = pixel * hits.distance[floor] / np.maximum(np.abs(rays[floor, 1]), 0.06)
        ground = look_at_ground(points[floor], size, stage.ground, stage.seed, len(solids.reach))
        color[floor], normal[floor], found[floor] = ground.color, ground.normal, ground.label
        shine[floor], mirror[floor], soft[floor], glow[floor] = (
            ground.shine,
            ground.mirror,
            0.1,
            0.0,
        )
        sharp[floor] = 60
    solid = hits.group >= 0
    color[solid] *= _mottling(hits, solid, look[:, 3], pixel, stage.seed)[:, None]
    paint = Paint(color, normal, np.zeros_like(color), shine, mirror, soft)
    paint_facades(paint, hits, solids, rays, light, pixel)
    paint_waves(paint, hits, solids, rays, light, pixel, stage.seed)
    seen = hits.group != NOTHING
    lit = _illuminate(
        color[seen], normal[seen], points[seen], rays[seen], hits.sun[seen], hits.sky[seen],
        shine[seen], sharp[seen], soft[seen], stage,
    )  # fmt: skip
    lit = lit + glow[seen, None] * (1.9 * color[seen] - lit) + paint.emitted[seen]
    if mirrors:
        lit = _reflect(
            lit, stage, solids, points[seen], normal[seen], rays[seen], mirror[seen], pixel
        )
    hazy = np.exp(-np.maximum(hits.distance[seen] - 2.5, 0) / light.fog)[:, None]
    level = look_at_sky(
        _unit(rays[seen] * (1, 0, 1) + (0, 0.03, 0)), _without_clouds(light), stage.seed
    )
    result[seen] = hazy * lit + (1 - hazy) * level
    return result, found


def _illuminate(color, normal, points, rays, sun, sky, shine, sharp, soft, stage: Stage):
    """Sun, sky, light thrown back by the ground, highlights and lamps."""
    light = stage.light
    facing = np.einsum("ij,j->i", normal, light.sun)
    direct = np.clip((facing + 0.5 * soft) / (1 + 0.5 * soft), 0, 1) * sun
    upward = 0.5 + 0.5 * normal[:, 1:2]
    air = light.ambient * (0.45 * light.zenith + 0.55 * light.horizon)
    bounce = (
        0.35
        * stage.ground.mean
        * (light.ambient * light.horizon + 0.35 * light.sunlight * light.sun[1])
    )
    around = sky[:, None] * (upward * air + (1 - upward) * bounce + 0.10 * air)
    lit = color * (direct[:, None] * light.sunlight + around)
    half = _unit(light.sun - rays)
    spark = np.clip(np.einsum("ij,ij->i", normal, half), 0, 1) ** sharp * shine * sun
    lit = lit + spark[:, None] * light.sunlight
    for lamp in stage.lamps:
        way = np.asarray(lamp.at, float) - points
        far = np.einsum("ij,ij->i", way, way)
        cosine = np.einsum("ij,ij->i", normal, way) / np.sqrt(far)
        power = lamp.strength * np.clip(0.25 + 0.75 * cosine, 0, 1) / (0.25 + far) * sky
        lit = lit + color * power[:, None] * linear(np.array(lamp.color) / 255)
    return lit


def _reflect(lit, stage: Stage, solids, points, normal, rays, mirror, pixel):
    """Mix in what the surfaces that mirror show: one more ray each, and no reflections in it."""
    cosine = np.clip(-np.einsum("ij,ij->i", normal, rays), 0, 1)
    share = mirror + (1 - mirror) * (mirror > 0) * 0.7 * (1 - cosine) ** 5
    bright = np.flatnonzero(share > 0.02)
    if not len(bright):
        return lit
    n, d = normal[bright], rays[bright]
    away = d - 2 * np.einsum("ij,ij->i", d, n)[:, None] * n
    away[:, 1] = np.abs(away[:, 1])
    start = points[bright] + 0.01 * n
    hits = trace(solids, start, away, stage.light.sun)
    calm = replace(stage, light=replace(stage.light, stars=0.0))  # stars would turn into grain
    seen, _ = shade_hits(calm, solids, hits, start, away, 2 * pixel, mirrors=False)
    lit[bright] += share[bright, None] * (np.minimum(seen, 3) - lit[bright])
    return lit


def _mottling(hits: Hits, solid, strength, pixel: float, seed: int) -> np.ndarray:
    """Irregular brightness of wood, leaves, fur and stone: a factor around 1 for each solid hit."""
    grain = GRAIN[hits.material[solid]]
    size = pixel * hits.distance[solid] / grain.min(1)
    field = noise(hits.local[solid] / grain, seed + 3, 2, size)
    return 1 + strength[solid] * field


def _without_clouds(light: Light) -> Light:
    return replace(light, cover=0.0, stars=0.0, disc_size=0.0)


def develop(light: np.ndarray) -> np.ndarray:
    """Linear light as an sRGB picture: bright values roll off softly, as on film."""
    return (1 - np.exp(-1.3 * np.maximum(light, 0))) ** (1 / 2.2)


def _to_pixels(picture, depth, normals, labels):
    """Average the samples of a pixel; depth and normal are those of what most of them see."""
    picture, depth, normals, labels = (
        a.reshape(SIZE, SIZE, SAMPLES**2, -1) for a in (picture, depth, normals, labels)
    )
    votes = (labels == labels.swapaxes(2, 3)).sum(3)
    winner = np.take_along_axis(labels[..., 0], votes.argmax(2)[..., None], 2)
    same = (labels[..., 0] == winner)[..., None]
    depth = (depth * same).sum(2)[..., 0] / same.sum(2)[..., 0]
    return (
        glow_around(picture.mean(2)).astype(np.float32),
        depth.astype(np.float32),
        _unit((normals * same).sum(2)).astype(np.float32),
        winner[..., 0].astype(np.uint8),
    )


def glow_around(picture: np.ndarray) -> np.ndarray:
    """A soft halo around what is brighter than anything that is only lit."""
    bright = np.clip(picture - 0.86, 0, 1)
    halo = sum(w * ndimage.gaussian_filter(bright, (s, s, 0)) for s, w in ((1.5, 0.5), (5, 0.9)))
    return np.clip(picture + halo, 0, 1)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt(np.einsum("...i,...i->...", v, v))[..., None], 1e-12)
