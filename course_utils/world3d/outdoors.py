"""Park, meadow, snow and beach, laid out around what the camera sees.

Scenery is placed in the picture: so far ahead of the camera, at such a fraction of the picture's
width. It never hides the subject.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.world3d import plants, scenery, things
from course_utils.world3d.arranging import Things, all_shapes
from course_utils.world3d.ground import Ground
from course_utils.world3d.modelling import BRIGHT, blended, chance, move, vary
from course_utils.world3d.render import Camera, Lamp
from course_utils.world3d.shapes import Shape, cone, ellipsoid, mix, place, shade
from course_utils.world3d.staging import (
    DARK_HOUR,
    Scenery,
    bounds,
    depths,
    ground_at,
    outline,
    picture_width,
    view_axes,
)

Rng = np.random.Generator

APART = 2.5  # metres between the subject and what stands behind it


@dataclass(frozen=True)
class View:
    """What the camera sees of the subject, for laying out the place around it.

    Attributes:
        camera: of the picture.
        box: frame around the subject: left, top, right, bottom, fractions of the picture.
        near, far: how far from the camera the subject begins and ends, metres.
        hour: height of the sun.
    """

    camera: Camera
    box: tuple[float, float, float, float]
    near: float
    far: float
    hour: float

    @property
    def first(self) -> float:
        """How far ahead the nearest ground that is seen lies, metres."""
        dip = -np.arcsin(view_axes(self.camera)[2][1]) + np.deg2rad(self.camera.fov) / 2
        return float(self.camera.eye[1] / np.tan(max(dip, 0.05)))

    @property
    def horizon(self) -> float:
        """Where the horizon is, fraction of the picture from the top."""
        _, up, ahead = view_axes(self.camera)
        return float(0.5 + ahead[1] / up[1] / picture_width(self.camera.fov))

    @property
    def dark(self) -> bool:
        """Whether lamps are lit."""
        return self.hour < DARK_HOUR

    def at(self, across: float, ahead: float) -> np.ndarray:
        """The point of the ground `ahead` metres away at a fraction of the picture's width."""
        return ground_at(self.camera, across, ahead)

    def hides(self, shapes: Sequence[Shape]) -> bool:
        """Whether the shapes stand before the subject, or in the picture close behind it."""
        if depths(shapes, self.camera)[0] > self.far + 0.5:
            return False
        left, top, right, bottom = outline(shapes, self.camera)
        gap = 0.02
        beside = right < self.box[0] - gap or left > self.box[2] + gap
        return not (beside or top > self.box[3] - 0.01 or bottom < self.box[1])


# ---------------------------------------------------------------------------------- the places


def park(view: View, shown: Things, rng: Rng) -> Scenery:
    """A lawn with trees, hills far away, sometimes a path, bushes, a lamp."""
    hue, autumn = rng.uniform(68, 106), rng.choice((0.0, 0.1, 0.8), p=(0.5, 0.25, 0.25))
    lawn = scenery.hsv(hue, rng.uniform(0.52, 0.74), rng.uniform(0.44, 0.62))
    ground = Ground("grass", lawn, _near_color(lawn, rng), rng.uniform(0.7, 1.5))
    lamps: list[Lamp] = []
    furniture = {
        "trees": _trees(view, autumn, rng, near="tree" not in shown),
        "hills": _hills(view, lawn, rng),
        "bushes": _bushes(view, autumn, rng) if chance(rng, 0.5) else [],
        "path": _path(view, rng) if chance(rng, 0.35) else [],
        "lamp": _lamp_post(view, lamps, rng) if chance(rng, 0.75 if view.dark else 0.3) else [],
        "flowers": _flowers(view, int(rng.integers(3, 9)), rng) if chance(rng, 0.3) else [],
        "grass tufts": _tufts(view, lawn, rng) if chance(rng, 0.3) else [],
    }
    if view.dark:
        lamps.append(_lamp_out_of_sight(view, rng))
    return Scenery(_within(furniture, shown), ground, lamps)


def meadow(view: View, shown: Things, rng: Rng) -> Scenery:
    """Flowers all over the grass, rolling hills, far trees, sometimes a fence or a barn."""
    grass = scenery.hsv(rng.uniform(66, 112), rng.uniform(0.5, 0.74), rng.uniform(0.5, 0.7))
    ground = Ground("grass", grass, _near_color(grass, rng), rng.uniform(0.9, 1.8))
    lamps: list[Lamp] = []
    count = int(np.clip(95 - len(all_shapes(shown)), 12, rng.integers(25, 56)))
    furniture = {
        "flowers": _flowers(view, count, rng),
        "hills": _hills(view, grass, rng, high=1.4),
        "trees": _far_trees(view, int(rng.integers(1, 5)), rng.choice((0.0, 0.5)), rng),
        "fence": _fence(view, rng) if chance(rng, 0.4) else [],
        "barn": _barn(view, rng) if chance(rng, 0.3) else [],
        "grass tufts": _tufts(view, grass, rng),
        "lantern": _lantern(view, lamps, rng) if view.dark and chance(rng, 0.65) else [],
        "fireflies": _fireflies(view, rng) if view.dark and chance(rng, 0.5) else [],
    }
    return Scenery(_within(furniture, shown), ground, lamps)


def snow(view: View, shown: Things, rng: Rng) -> Scenery:
    """Snow, firs, white hills, sometimes a hut with a lit window, or falling flakes."""
    white = scenery.hsv(rng.uniform(200, 235), rng.uniform(0.01, 0.08), rng.uniform(0.76, 0.89))
    ground = Ground("snow", white, shade(white, 0.95), rng.uniform(0.6, 1.6))
    lamps: list[Lamp] = []
    furniture = {
        "trees": _firs(view, rng),
        "hills": _hills(view, mix(white, (150, 176, 214), 0.25), rng, high=1.3),
        "hut": [],
        "lantern": _lantern(view, lamps, rng) if view.dark and chance(rng, 0.55) else [],
        "snowdrifts": _snowdrifts(view, rng),
        "snowflakes": _snowflakes(view, rng) if chance(rng, 0.3) else [],
    }
    if "house" not in shown and chance(rng, 0.55 if view.dark else 0.3):
        furniture["hut"] = _hut(view, lamps, rng)
    return Scenery(_within(furniture, shown), ground, lamps)


def beach(view: View, shown: Things, rng: Rng) -> Scenery:
    """Sand and sea, with a parasol, palms, rocks or shells, and a sail or a headland far away."""
    sand = scenery.hsv(rng.uniform(32, 46), rng.uniform(0.22, 0.44), rng.uniform(0.7, 0.88))
    shore, lamps = _shore(shown, rng), []
    green = rng.uniform(-22, 14)
    ground = Ground(
        "sand",
        sand,
        mix(sand, (206, 168, 116), rng.uniform(0.1, 0.4)),
        rng.uniform(0.6, 1.5),
        shore=shore,
        sea=(
            scenery.hsv(186 + green, rng.uniform(0.5, 0.65), rng.uniform(0.68, 0.8)),
            scenery.hsv(206 + green, rng.uniform(0.75, 0.9), rng.uniform(0.45, 0.6)),
        ),
        swell=rng.uniform(0.3, 1.2),
    )
    furniture = {
        "palms": _palms(view, shore, rng) if chance(rng, 0.4) else [],
        "parasol": _parasol(view, shore, rng) if chance(rng, 0.6) else [],
        "rocks": _rocks(view, shore, rng) if chance(rng, 0.5) else [],
        "shells": _shells(view, shore, rng) if chance(rng, 0.6) else [],
        "sails": _sails(view, shore, rng) if "boat" not in shown and chance(rng, 0.35) else [],
        "hills": _headland(view, rng) if chance(rng, 0.5) else [],
        "grass tufts": _dune_grass(view, shore, rng) if chance(rng, 0.35) else [],
        "campfire": _campfire(view, shore, lamps, rng) if view.dark and chance(rng, 0.6) else [],
    }
    return Scenery(_within(furniture, shown), ground, lamps)


PLACES: dict[str, Callable[[View, Things, Rng], Scenery]] = {
    "park": park,
    "park bench": park,
    "meadow": meadow,
    "snow": snow,
    "beach": beach,
}


# ---------------------------------------------------------------------------------- furniture


def _within(furniture: Things, shown: Things, most: int = 165) -> Things:
    """The furniture, without what is missed least where there would be too many shapes to draw."""
    kept = dict(furniture)
    for name in ("snowflakes", "grass tufts", "fence", "bushes", "flowers", "path"):
        if sum(map(len, kept.values())) + len(all_shapes(shown)) > most:
            kept.pop(name, None)
    return kept


def _near_color(color, rng: Rng):
    """A colour for the patches of a ground of another colour."""
    return shade(mix(color, (190, 180, 70), rng.uniform(0, 0.3)), rng.uniform(0.85, 1.2))


def _put(view: View, shapes: Sequence[Shape], across: float, ahead: float, yaw: float = 0.0):
    """The shapes at a place that the camera sees; none, where they would hide the subject."""
    put = place(shapes, view.at(across, ahead), yaw)
    return [] if view.hides(put) else put


def _spread(count: int, rng: Rng, low: float = -0.05, high: float = 1.05) -> np.ndarray:
    """Fractions of the picture's width, (count,), irregular but not in one heap."""
    return low + (high - low) * (np.arange(count) + rng.uniform(0, 1, count)) / max(count, 1)


def _aside(view: View, rng: Rng) -> float:
    """A fraction of the picture's width, more often beside the subject than behind it."""
    tries = rng.uniform(-0.05, 1.05, 4)
    middle = (view.box[0] + view.box[2]) / 2
    far_enough = tries[np.abs(tries - middle) > 0.25]
    return float(far_enough[0] if len(far_enough) else tries[0])


def _behind(view: View, rng: Rng, size: float, reach: float = 14.0) -> float:
    """How far ahead something `size` metres tall can stand and still be seen nearly whole."""
    above = max(view.horizon + rng.uniform(-0.03, 0.12), 0.1) * picture_width(view.camera.fov)
    whole = (size - view.camera.eye[1]) / above
    return max(view.far + APART, whole) + reach * rng.beta(1.1, 1.8)


def _trees(view: View, autumn: float, rng: Rng, near: bool) -> list[Shape]:
    """One or two trees nearby, unless the subject is one, a few farther away, and a wood on the
    horizon."""
    shapes = []
    for _ in range(int(rng.integers(1, 3)) if near else 0):
        across, scale = _aside(view, rng), rng.uniform(0.9, 1.5)
        parts = plants.tree(scenery.leafy_color(rng, autumn), rng)
        ahead = _behind(view, rng, 2.4 * scale, 5)
        shapes += _put(view, place(parts, scale=scale), across, ahead, rng.uniform(0, 360))
    shapes += _far_trees(view, int(rng.integers(1, 5)), autumn, rng)
    return shapes + (_wood(view, autumn, rng) if chance(rng, 0.6) else [])


def _far_trees(view: View, count: int, autumn: float, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(count, rng):
        height = rng.uniform(1.8, 3.6)
        parts = scenery.round_tree(height, scenery.leafy_color(rng, autumn), rng)
        ahead = 3 + _behind(view, rng, height, 16)
        shapes += _put(view, parts, across, ahead, rng.uniform(0, 360))
    return shapes


def _wood(view: View, autumn: float, rng: Rng) -> list[Shape]:
    """Crowns side by side at the end of the lawn."""
    first, ahead = rng.uniform(-0.2, 0.6), rng.uniform(24, 34)
    shapes = []
    for k in range(int(rng.integers(4, 9))):
        radius = rng.uniform(1.0, 1.9)
        color = mix(scenery.leafy_color(rng, autumn), (70, 104, 92), 0.3)
        at = view.at(first + 0.11 * k, ahead + rng.uniform(-2, 2)) + (0, 0.55 * radius, 0)
        radii = (1.15 * radius, radius, radius)
        shapes.append(ellipsoid(at, radii, color, material="leaf", blend=0.15))
    return shapes


def _hills(view: View, color, rng: Rng, high: float = 1.0) -> list[Shape]:
    """One to three hills on the horizon, in tints of the ground."""
    shapes = []
    eye, width = view.camera.eye[1], picture_width(view.camera.fov)
    for across in _spread(int(rng.integers(1, 4)), rng, -0.15, 1.15):
        ahead = rng.uniform(36, 50)
        height = eye + high * rng.uniform(0.03, 0.13) * width * ahead
        half = min(ahead * width * rng.uniform(0.3, 0.7), 1.2 * np.sqrt(height * ahead))
        tint = mix(shade(color, rng.uniform(0.75, 1.05)), (96, 132, 150), rng.uniform(0.1, 0.4))
        shapes += place(scenery.hill(half, height, tint), view.at(across, ahead))
    return shapes


def _bushes(view: View, autumn: float, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(int(rng.integers(1, 4)), rng):
        parts = scenery.bush(rng.uniform(0.4, 0.9), scenery.leafy_color(rng, autumn), rng)
        shapes += _put(view, parts, across, view.far + rng.uniform(0.6, 7), rng.uniform(-30, 30))
    return shapes


def _path(view: View, rng: Rng) -> list[Shape]:
    """A path that winds from the foreground into the distance."""
    start, end = rng.uniform(-0.2, 1.2, 2)
    ahead = np.array([0.4, 1.2, 2.2, 4.2]) * (view.near + view.far) / 2
    bend = rng.uniform(-0.25, 0.25)
    share = np.linspace(0, 1, len(ahead))
    across = start + (end - start) * share + bend * np.sin(np.pi * share)
    points = np.array([view.at(a, d) for a, d in zip(across, ahead, strict=True)])
    color = scenery.hsv(rng.uniform(26, 42), rng.uniform(0.12, 0.36), rng.uniform(0.64, 0.84))
    return scenery.path(points, rng.uniform(0.6, 1.3), color)


def _lamp_post(view: View, lamps: list[Lamp], rng: Rng) -> list[Shape]:
    """A lamp post that stands clear of the subject, and its light when it is dark."""
    shapes, light = things.lamp_post(rng, night=view.dark)
    for _ in range(10):
        across, ahead = _aside(view, rng), rng.uniform(view.near - 0.4, view.far + 5)
        put = _put(view, shapes, across, ahead)
        if put and outline(put, view.camera)[1] > -0.01 and 0 < across < 1:
            if view.dark:
                at = view.at(across, ahead) + light
                lamps.append(Lamp(tuple(at), things.LAMPLIGHT, rng.uniform(3, 6)))
            return put
    return []


def _lamp_out_of_sight(view: View, rng: Rng) -> Lamp:
    """Another lamp of the park, beside the camera, that shines on the subject."""
    across = rng.uniform(-1.0, -0.2) if chance(rng, 0.5) else rng.uniform(1.2, 2.0)
    at = view.at(across, view.near * rng.uniform(0.6, 0.9)) + (0, rng.uniform(1.6, 2.4), 0)
    way = at - view.at(0.5, view.near)
    return Lamp(tuple(at), things.LAMPLIGHT, rng.uniform(0.2, 0.6) * float(way @ way))


def _flowers(view: View, count: int, rng: Rng) -> list[Shape]:
    """Flowers of two or three colours, dense in front and sparse far away."""
    colors = [scenery.PETALS[k] for k in rng.permutation(len(scenery.PETALS))[: rng.integers(2, 5)]]
    shapes = []
    first = view.first
    for k, across in enumerate(rng.permutation(_spread(count, rng, 0.0, 1.0))):
        ahead = first + (3.2 * view.far - first) * (k / count) ** 1.5
        color = vary(colors[rng.integers(len(colors))], rng, 12)
        parts = scenery.flower(rng.uniform(0.14, 0.32), color, rng, near=k < min(12, count // 2))
        shapes += _put(view, parts, across, ahead)
    return shapes


def _tufts(view: View, color, rng: Rng, most: int = 8) -> list[Shape]:
    """Tufts of grass in the foreground."""
    shapes = []
    for across in _spread(int(rng.integers(2, most)), rng, 0, 1):
        parts = scenery.tuft(rng.uniform(0.1, 0.26), shade(color, rng.uniform(1.1, 1.5)), rng)
        ahead = rng.uniform(view.first, 1.4 * view.far)
        shapes += _put(view, parts, across, ahead, rng.uniform(0, 360))
    return shapes


def _light_on_the_ground(view: View, shapes, height: float, lamps: list[Lamp], rng: Rng):
    """Something that glows, near the subject and in the picture, and the light it gives."""
    for _ in range(8):
        across, ahead = rng.uniform(0.06, 0.94), view.near * rng.uniform(0.75, 1.1)
        put = _put(view, shapes, across, ahead, rng.uniform(0, 360))
        if put and outline(put, view.camera)[3] < 0.99:
            at = view.at(across, ahead) + (0, height, 0)
            lamps.append(Lamp(tuple(at), things.LAMPLIGHT, rng.uniform(0.9, 2.2)))
            return put
    return []


def _lantern(view: View, lamps: list[Lamp], rng: Rng) -> list[Shape]:
    return _light_on_the_ground(view, scenery.lantern(rng), 0.4, lamps, rng)


def _campfire(view: View, shore: float, lamps: list[Lamp], rng: Rng) -> list[Shape]:
    """A fire on the sand; none, where it would burn in the water."""
    own: list[Lamp] = []
    put = _light_on_the_ground(view, scenery.campfire(rng), 0.55, own, rng)
    if not put or own[0].at[2] > shore - 0.5:
        return []
    lamps += own
    return put


def _fireflies(view: View, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(int(rng.integers(6, 16)), rng, 0, 1):
        ahead = rng.uniform(view.first, 2 * view.far)
        at = view.at(across, ahead) + (0, rng.uniform(0.2, 1.3), 0)
        glow = vary((236, 240, 120), rng)
        fly = [ellipsoid(at, rng.uniform(0.012, 0.02), glow, material="glow")]
        shapes += [] if view.hides(fly) else fly
    return shapes


def _fence(view: View, rng: Rng) -> list[Shape]:
    """A fence across the picture, behind the subject."""
    ahead = view.far + rng.uniform(APART, 9)
    first, last = rng.uniform(-0.3, 0.3), rng.uniform(0.7, 1.3)
    slant, count = rng.uniform(-2, 2), int(rng.integers(5, 9))
    points = [
        view.at(first + (last - first) * s, ahead + slant * s) for s in np.linspace(0, 1, count)
    ]
    wood = vary(blended([(120, 86, 60), (180, 150, 116), (240, 236, 226)], rng.random()), rng)
    return scenery.fence(np.array(points), rng.uniform(0.7, 1.0), wood)


def _barn(view: View, rng: Rng) -> list[Shape]:
    color = vary(blended([(166, 54, 44), (196, 84, 60), (150, 116, 84)], rng.random()), rng)
    parts = scenery.barn(color, rng)
    return _put(view, parts, rng.uniform(-0.05, 1.05), rng.uniform(18, 34), rng.uniform(-50, 50))


def _firs(view: View, rng: Rng) -> list[Shape]:
    """One to three firs nearby, some farther away, and a dark wood on the horizon."""
    cover = rng.uniform(0.15, 1.0)
    shapes = []
    for _ in range(int(rng.integers(1, 4))):
        across, scale = _aside(view, rng), rng.uniform(0.8, 1.5)
        ahead = _behind(view, rng, 2.4 * scale, 6)
        shapes += _put(view, place(plants.fir(rng, cover), scale=scale), across, ahead)
    for across in _spread(int(rng.integers(1, 5)), rng):
        height = rng.uniform(1.8, 3.6)
        ahead = 3 + _behind(view, rng, height, 16)
        shapes += _put(view, scenery.small_fir(height, rng, cover), across, ahead)
    return shapes + (_fir_wood(view, rng) if chance(rng, 0.6) else [])


def _fir_wood(view: View, rng: Rng) -> list[Shape]:
    first, ahead = rng.uniform(-0.2, 0.6), rng.uniform(24, 36)
    shapes = []
    for k in range(int(rng.integers(5, 11))):
        half = rng.uniform(1.0, 1.9)
        color = mix(vary(plants.NEEDLES[1], rng), (216, 226, 240), rng.uniform(0.2, 0.5))
        at = view.at(first + 0.09 * k + rng.uniform(-0.03, 0.03), ahead + rng.uniform(-2, 2))
        shapes.append(cone(at + (0, half, 0), 0.6 * half, half, color, material="leaf"))
    return shapes


def _hut(view: View, lamps: list[Lamp], rng: Rng) -> list[Shape]:
    """A hut at some distance; at night its window shines on the snow."""
    wood = vary(blended([(112, 72, 48), (150, 92, 60), (170, 60, 48)], rng.random()), rng)
    across, ahead = rng.uniform(0.02, 0.98), view.far + rng.uniform(5, 15)
    yaw = rng.uniform(-35, 35)
    put = _put(view, scenery.hut(wood, rng, view.dark), across, ahead, yaw)
    lamps += window_lamps(put)
    return put


def window_lamps(parts: Sequence[Shape]) -> list[Lamp]:
    """The light that falls out of the nearest lit window of a house; none, where all are dark."""
    windows = [s for s in parts if s.material == "glow" and s.kind == "box"]
    if not windows:
        return []
    window = min(windows, key=lambda s: s.center[2])
    at = window.center + 0.9 * (window.rotation @ (0, -0.4, -1.0))
    return [Lamp(tuple(at), things.LAMPLIGHT, 0.9)]


def headlights(parts: Sequence[Shape]) -> list[Lamp]:
    """The light before the nose of a car; none, where its lamps are off."""
    bulbs = [s.center for s in parts if s.material == "glow" and min(s.color) > 100]
    if not bulbs:
        return []
    nose = np.mean(bulbs, axis=0)
    ahead = (nose - (bounds(parts)[0] + bounds(parts)[1]) / 2) * (1, 0, 1)
    at = nose + 0.6 * ahead / np.linalg.norm(ahead)
    return [Lamp(tuple(at), things.LAMPLIGHT, 0.7)]


def _snowdrifts(view: View, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(int(rng.integers(0, 4)), rng, -0.1, 1.1):
        parts = scenery.snowdrift(rng.uniform(0.6, 2.0), rng.uniform(0.12, 0.4))
        shapes += _put(view, parts, across, view.far + rng.uniform(0.8, 8), rng.uniform(-20, 20))
    return shapes


def _snowflakes(view: View, rng: Rng) -> list[Shape]:
    """A few flakes between the camera and the subject."""
    right, up, ahead = view_axes(view.camera)
    width = picture_width(view.camera.fov)
    shapes = []
    for _ in range(int(rng.integers(12, 28))):
        depth = rng.uniform(0.5, 1.8) * view.near
        x, y = rng.uniform(-0.5, 0.5, 2) * width * depth
        at = view.camera.eye + depth * ahead + x * right + y * up
        if at[1] > 0.1:
            size = rng.uniform(0.0035, 0.0075) * width * view.near
            shapes.append(ellipsoid(at, size, plants.SNOW, material="snow"))
    return shapes


def _shore(shown: Things, rng: Rng) -> float:
    """The z at which the sea begins: before a boat that lies behind the rest, else behind all."""
    dry = [bounds(parts)[1][2] for name, parts in shown.items() if name != "boat"]
    end = max((bounds(parts)[1][2] for parts in shown.values()), default=0.0)
    if "boat" not in shown:
        return end + rng.uniform(0.8, 5.5)
    bow = bounds(shown["boat"])[0][2]
    if dry and bow < max(dry):
        return end + rng.uniform(0.3, 1.0)
    return bow - rng.uniform(0.2, 0.9) if not dry else (bow + max(dry)) / 2


def _palms(view: View, shore: float, rng: Rng) -> list[Shape]:
    shapes = []
    for _ in range(int(rng.integers(1, 3))):
        across = rng.uniform(-0.05, 0.3) if chance(rng, 0.5) else rng.uniform(0.7, 1.05)
        shapes += _on_sand(view, scenery.palm(rng.uniform(2.4, 4.0), rng), across, 4, shore, rng)
    return shapes


def _on_sand(view: View, shapes, across: float, reach: float, shore: float, rng: Rng):
    """The shapes behind the subject or beside it, but not in the water."""
    ahead = view.far + rng.uniform(-0.8, reach)
    return _put(view, shapes, across, ahead) if view.at(across, ahead)[2] < shore - 0.4 else []


def _parasol(view: View, shore: float, rng: Rng) -> list[Shape]:
    """A parasol, and often a towel beside it."""
    colors = [vary(scenery.PETALS[k], rng) for k in rng.permutation(len(scenery.PETALS))[:2]]
    if chance(rng, 0.6):
        colors[1] = BRIGHT
    parts = scenery.parasol(*colors, rng)
    if chance(rng, 0.6):
        side = rng.choice((-1, 1)) * rng.uniform(0.5, 0.9)
        parts = parts + move(scenery.towel(colors[0], rng), (side, 0, rng.uniform(-0.4, 0.2)))
    for _ in range(6):
        put = _on_sand(view, parts, rng.uniform(0.0, 1.0), 6, shore, rng)
        if put and outline(put, view.camera)[1] > 0.01:
            return put
    return []


def _rocks(view: View, shore: float, rng: Rng) -> list[Shape]:
    """Rocks in the shallow water and on the sand."""
    color = vary(blended(scenery.ROCKS, rng.random()), rng)
    reach = max(shore - view.camera.eye[2], view.far) + 2.5
    shapes = []
    for across in _spread(int(rng.integers(1, 4)), rng):
        parts = scenery.rock(rng.uniform(0.2, 0.65), vary(color, rng, 6), rng)
        shapes += _put(view, parts, across, rng.uniform(view.far, reach), rng.uniform(0, 360))
    return shapes


def _shells(view: View, shore: float, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(int(rng.integers(2, 9)), rng, 0, 1):
        ahead = rng.uniform(view.first, view.far + 1)
        if view.at(across, ahead)[2] < shore - 0.3:
            shapes += _put(view, scenery.shell(rng.uniform(0.04, 0.09), rng), across, ahead)
    return shapes


def _dune_grass(view: View, shore: float, rng: Rng) -> list[Shape]:
    tufts = _tufts(view, (150, 156, 92), rng, 6)
    return [blade for blade in tufts if blade.center[2] < shore - 0.4]


def _sails(view: View, shore: float, rng: Rng) -> list[Shape]:
    shapes = []
    for across in _spread(int(rng.integers(1, 3)), rng, 0.02, 0.98):
        ahead = max(shore - view.camera.eye[2], view.far) + rng.uniform(12, 32)
        shapes += _put(view, scenery.far_sail(rng), across, ahead, rng.uniform(-40, 40))
    return shapes


def _headland(view: View, rng: Rng) -> list[Shape]:
    """Land that runs out into the sea on one side."""
    color = mix(scenery.leafy_color(rng, 0), (130, 128, 112), rng.uniform(0.1, 0.7))
    side, width = rng.choice((-1, 1)), picture_width(view.camera.fov)
    shapes = []
    for k in range(int(rng.integers(1, 4))):
        ahead = rng.uniform(42, 54)
        at = view.at(0.5 + side * (0.62 - 0.2 * k), ahead)
        height = view.camera.eye[1] + rng.uniform(0.03, 0.11) * (1 - 0.2 * k) * width * ahead
        half = rng.uniform(0.18, 0.36) * width * ahead
        shapes += place(scenery.hill(half, height, shade(color, rng.uniform(0.9, 1.1))), at)
    return shapes
