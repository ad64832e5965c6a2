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
QUARTERS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))  # of a pixel
STEP = 0.05  # between neighbouring pixels, of brightness: where it is larger, look more closely
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


class View(NamedTuple):
    """A camera's eye, (3,), its viewing axis and the steps of a pixel to the right and down."""

    eye: np.ndarray
    axis: np.ndarray
    right: np.ndarray
    down: np.ndarray

    def rays(self, pixels: np.ndarray, shift: tuple[float, float] = (0, 0)) -> np.ndarray:
        """Unit vectors through pixels, numbered row by row, (R,), `shift` off their middles."""
        row, column = np.divmod(pixels, SIZE)
        x, y = (k + 0.5 - SIZE / 2 + s for k, s in zip((column, row), shift, strict=True))
        return _unit(self.axis + x[:, None] * self.right + y[:, None] * self.down)


def render_stage(stage: Stage) -> Render:
    """Take the picture: one ray through each pixel, and four more where its neighbours differ."""
    view, names = look_through(stage.camera), names_of(stage.things)
    solids = gather([stage.things[name] for name in names])
    names = names + ground_names(stage.ground) + ["sky"]
    pixels = np.arange(SIZE * SIZE)
    first = _seen_along(stage, solids, view, view.rays(pixels), len(names) - 1, 1)
    exposure = meter(first.light)
    close = np.repeat(np.flatnonzero(_uneven(first, exposure)), len(QUARTERS))
    shifts = np.tile(np.array(QUARTERS), (len(close) // len(QUARTERS), 1)).T
    more = _seen_along(stage, solids, view, view.rays(close, shifts), len(names) - 1, len(QUARTERS))
    seen = Seen(*map(np.concatenate, zip(first, more, strict=True)))
    pixels = np.concatenate([pixels, close])
    return Render(*_to_pixels(seen, pixels, exposure, len(names)), names)


def look_through(camera: Camera) -> View:
    """Where a camera stands and looks."""
    eye = np.asarray(camera.eye, float)
    axis = _unit(np.asarray(camera.target, float) - eye)
    right = _unit(np.cross((0.0, 1.0, 0.0), axis))
    pixel = 2 * np.tan(np.deg2rad(camera.fov) / 2) / SIZE
    return View(eye, axis, pixel * right, -pixel * np.cross(axis, right))


class Seen(NamedTuple):
    """What is seen along R rays: linear light (R, 3), depth (R,), normals (R, 3), labels (R,)."""

    light: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    labels: np.ndarray


def _seen_along(stage: Stage, solids, view: View, rays: np.ndarray, sky: int, bundle: int) -> Seen:
    hits = trace(solids, view.eye, rays, stage.light.sun, bundle=bundle)
    pixel = 0.6 * float(np.linalg.norm(view.right))  # finer than that, detail turns into grain
    light, ground = shade_hits(stage, solids, hits, view.eye, rays, pixel)
    far = hits.group == NOTHING
    labels = np.where(far, sky, np.where(hits.group >= 0, hits.group, ground))
    depth = np.where(far, FAR, np.minimum(hits.distance * (rays @ view.axis), FAR))
    return Seen(light, depth, hits.normal, labels)


def _uneven(seen: Seen, exposure: float) -> np.ndarray:
    """The pixels that show something else than a neighbour or are clearly brighter or darker."""
    bright = develop(seen.light, exposure).reshape(SIZE, SIZE, 3)
    labels = seen.labels.reshape(SIZE, SIZE)
    found = np.zeros((SIZE, SIZE), bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = np.abs(bright[here] - bright[there]).max(-1) > STEP
        differ |= labels[here] != labels[there]
        found[here] |= differ
        found[there] |= differ
    return found.ravel()


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
    bright = np.flatnonzero(share > 0.05)
    if not len(bright):
        return lit
    n, d = normal[bright], rays[bright]
    away = d - 2 * np.einsum("ij,ij->i", d, n)[:, None] * n
    away[:, 1] = np.abs(away[:, 1])
    start = points[bright] + 0.01 * n
    hits = trace(solids, start, away, stage.light.sun, shadows=False)
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


def meter(light: np.ndarray) -> float:
    """The exposure that suits linear light (R, 3): dark scenes get more, though not so much that
    night looks like day."""
    mean = np.minimum(np.maximum(light, 0) @ np.array([0.25, 0.6, 0.15]), 2).mean()
    return float(np.clip(1.3 * (0.5 / max(mean, 1e-6)) ** 0.35, 0.9, 2.4))


def develop(light: np.ndarray, exposure: float) -> np.ndarray:
    """Linear light as sRGB values, 0 to 1: bright values roll off softly, as on film."""
    return (1 - np.exp(-exposure * np.maximum(light, 0))) ** (1 / 2.2)


def _to_pixels(seen: Seen, pixels: np.ndarray, exposure: float, count: int):
    """Average the rays of each pixel; depth and normal are those of what most of them see.

    Args:
        seen: along R rays.
        pixels: which pixel each of them goes through, (R,).
        exposure: of the picture.
        count: of the labels.
    """

    def total(values: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                np.bincount(pixels, column, SIZE * SIZE)
                for column in values.T.reshape(-1, len(pixels))
            ],
            axis=-1,
        )

    votes = np.zeros((SIZE * SIZE, count))
    np.add.at(votes, (pixels, seen.labels), 1)
    winner = votes.argmax(1)
    same = (seen.labels == winner[pixels]).astype(float)
    rays = votes.sum(1)[:, None]
    picture = (total(develop(seen.light, exposure)) / rays).reshape(SIZE, SIZE, 3)
    depth = total(same * seen.depth) / total(same)
    normals = _unit(total(same[:, None] * seen.normals))
    return (
        glow_around(picture).astype(np.float32),
        depth.reshape(SIZE, SIZE).astype(np.float32),
        normals.reshape(SIZE, SIZE, 3).astype(np.float32),
        winner.reshape(SIZE, SIZE).astype(np.uint8),
    )


def glow_around(picture: np.ndarray) -> np.ndarray:
    """A soft halo around what is brighter than anything that is only lit."""
    bright = np.clip(picture - 0.86, 0, 1)
    halo = sum(w * ndimage.gaussian_filter(bright, (s, s, 0)) for s, w in ((1.5, 0.5), (5, 0.9)))
    return np.clip(picture + halo, 0, 1)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt(np.einsum("...i,...i->...", v, v))[..., None], 1e-12)
