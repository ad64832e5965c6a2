"""The seven places: what lies behind and under the subject.

Each place paints itself and returns where its subject stands: (x, y, z) with y the row of its
feet and z its depth in metres.
"""

from collections.abc import Callable

import numpy as np

from course_utils.world.canvas import FAR, Brush, Canvas, Color, shade
from course_utils.world.scene import Scene
from course_utils.world.things import HEIGHT, paint_thing

Spot = tuple[float, float, float]
SEATED = {"man": 0.25, "woman": 0.21, "robot": 0.19}  # how far the legs hang below the seat
SMALL = 0.66  # height of a small thing, in usual heights

LIGHT = {"day": (1.0, 1.0, 1.0), "sunset": (1.0, 0.8, 0.68), "night": (0.36, 0.42, 0.6)}
SUBJECT_LIGHT = {"day": (1.0, 1.0, 1.0), "sunset": (1.0, 0.92, 0.86), "night": (0.8, 0.84, 0.94)}
SKY = {  # top and bottom of the gradient
    "day": ((92, 170, 240), (206, 232, 252)),
    "sunset": ((88, 60, 140), (255, 150, 70)),
    "night": ((10, 14, 44), (38, 48, 96)),
}
WINTER_SKY = {**SKY, "day": ((158, 174, 202), (222, 228, 238))}
WHITE, SNOW = (255, 255, 255), (240, 244, 250)
BRICKS = ((164, 96, 78), (104, 116, 140), (190, 168, 140), (126, 128, 132), (146, 110, 104))


def paint_place(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> Spot | None:
    """Paint the place of a scene; returns the spot of its subject, or None where the place
    itself is the subject."""
    return PAINTERS[scene.place](canvas, scene, rng)


def ground_depth(horizon: float) -> Callable[[float], float]:
    """Depth of flat ground seen in a row: a plane below the camera, 2 m away at row 128."""
    return lambda row: float(min(2.0 * (128 - horizon) / max(row - horizon, 1e-3), FAR))


def _sky(canvas: Canvas, horizon: float, scene: Scene, rng, colors=SKY) -> None:
    canvas.light = (1.0, 1.0, 1.0)
    canvas.bands(0, horizon, *colors[scene.time], "sky")
    x = rng.uniform(14, 114)
    y = rng.uniform(12, 22)
    if scene.time == "sunset":
        canvas.ellipse(x, horizon - 12, 11, 11, (255, 226, 120), "sun", FAR)
    elif scene.time == "night":
        canvas.ellipse(x, y, 9, 9, (244, 240, 214), "moon", FAR)
    elif colors is SKY:
        for dx, dy, r in ((-9, 2, 6), (0, 0, 8), (9, 2, 6)):
            canvas.ellipse(x + dx, y + dy, 1.4 * r, 0.7 * r, (244, 250, 255), "cloud", FAR)
    canvas.light = LIGHT[scene.time]


def _ground(canvas: Canvas, horizon: float, top: Color, bottom: Color, name: str):
    z = ground_depth(horizon)
    canvas.bands(horizon, 128, top, bottom, name, z)
    return z


def _spot(rng: np.random.Generator, z) -> Spot:
    y = rng.uniform(106, 118)
    return rng.uniform(44, 84), y, z(y)


def _sea(canvas: Canvas, scene: Scene, rng) -> None:
    horizon = rng.uniform(40, 52)
    _sky(canvas, horizon, scene, rng)
    _ground(canvas, horizon, (54, 130, 176), (20, 74, 128), "sea")
    x, y, r = rng.uniform(64, 92), rng.uniform(76, 84), rng.uniform(24, 30)
    z = ground_depth(horizon)(y + r)
    hill = np.arange(-4, 133, 4)
    swell = (y + r) - (1.9 * r) * np.exp(-(((hill - x) / (1.5 * r)) ** 2))
    swell = np.where(hill > x, np.maximum(swell, y - 0.2 * r + (hill - x) * 0.8), swell)
    crest = list(zip(hill.tolist(), swell.tolist(), strict=True))
    canvas.polygon([(-4, y + r), *crest, (132, y + r)], (30, 150, 160), "wave", z)
    canvas.ellipse(x + 0.35 * r, y + 0.25 * r, 0.8 * r, 0.78 * r, (16, 84, 116), "wave", z)
    canvas.ellipse(x + 0.45 * r, y + 0.35 * r, 0.55 * r, 0.55 * r, (12, 60, 96), "wave", z)
    canvas.light = SUBJECT_LIGHT[scene.time]
    canvas.arc((x + 0.3 * r, y + 0.2 * r), 1.02 * r, (190, 375), 0.3 * r, WHITE, "wave", z)
    for k, u in enumerate(np.linspace(-0.1, 1.0, 9)):
        rise = 2.5 * np.sin(2.1 * k + x)
        canvas.ellipse(128 * u + 8, y + 1.05 * r + rise, 10, 5.5, WHITE, "wave", z)


def _city(canvas: Canvas, scene: Scene, rng, winter: bool = False) -> None:
    horizon = 102.0
    _sky(canvas, horizon, scene, rng, WINTER_SKY if winter else SKY)
    ground = ((232, 238, 246), (250, 252, 255)) if winter else ((92, 94, 100), (66, 68, 74))
    canvas.light = SUBJECT_LIGHT[scene.time] if winter else LIGHT[scene.time]
    _ground(canvas, horizon, *ground, "snow" if winter else "street")
    for z, rise in ((30.0, 22), (18.0, 0)):
        x = -rng.uniform(0, 12)
        while x < 128:
            width = float(rng.choice([18, 24, 30]))
            top = rng.uniform(34, 66) - rise + (8 if z > 20 else 0)
            _building(canvas, scene, rng, x, top, width, z, winter)
            x += width + (0 if rng.random() < 0.7 else 6)
    if winter:
        canvas.light = (1.0, 1.0, 1.0)
        for _ in range(14):
            canvas.ellipse(rng.uniform(0, 128), rng.uniform(0, 100), 1.6, 1.6, WHITE, "snow", 5.0)


def _winter_city(canvas: Canvas, scene: Scene, rng) -> None:
    _city(canvas, scene, rng, winter=True)


def _building(canvas: Canvas, scene: Scene, rng, x, top, width, z, winter: bool) -> None:
    far = z > 20
    wall = shade(BRICKS[rng.integers(len(BRICKS))], 1.35 if far else 1.0)
    canvas.light = LIGHT[scene.time]
    canvas.rectangle(x, top, x + width - 1, 106, wall, "buildings", z)
    canvas.rectangle(x + width - 4, top, x + width - 1, 106, shade(wall, 0.8), "buildings", z)
    if winter:
        canvas.light = SUBJECT_LIGHT[scene.time]
        canvas.rectangle(x - 1, top - 4, x + width, top + 2, SNOW, "buildings", z)
    if far:
        return
    dark = shade(wall, 0.55)
    for wy in np.arange(top + 7, 96, 10):
        for wx in np.arange(x + 4, x + width - 7, 7):
            lit = scene.time != "day" and rng.random() < 0.6
            canvas.light = (1.0, 1.0, 1.0) if lit else LIGHT[scene.time]
            canvas.rectangle(
                wx, wy, wx + 4, wy + 6, (255, 216, 110) if lit else dark, "buildings", z
            )


def _park(canvas: Canvas, scene: Scene, rng) -> Spot:
    horizon = rng.uniform(54, 64)
    _sky(canvas, horizon, scene, rng)
    z = _ground(canvas, horizon, (112, 178, 72), (62, 140, 50), "grass")
    for x in (rng.uniform(4, 24), rng.uniform(46, 80), rng.uniform(102, 124)):
        height = rng.uniform(34, 48)
        _background_tree(canvas, x, horizon + rng.uniform(5, 9), height, z(horizon + 9))
    return _spot(rng, z)


def _background_tree(canvas: Canvas, x: float, y: float, height: float, z: float) -> None:
    b = Brush(canvas, "trees", x, y, height, z)
    b.box(-0.07, 0.0, 0.07, 0.45, (96, 68, 46))
    b.disc(0, 0.66, 0.4, 0.34, (40, 108, 48))
    b.disc(-0.1, 0.74, 0.22, 0.19, (64, 136, 60))


def _park_bench(canvas: Canvas, scene: Scene, rng) -> Spot:
    _park(canvas, scene, rng)
    x, seat, z = rng.uniform(56, 72), rng.uniform(93, 98), 4.0
    wood, iron = (158, 96, 52), (46, 46, 52)
    canvas.shadow(x, seat + 17, 50, 4)
    for leg in (x - 42, x + 37):
        canvas.rectangle(leg, seat - 26, leg + 5, seat + 17, iron, "bench", z)
    for plank in (seat - 28, seat - 17):
        canvas.rectangle(x - 48, plank, x + 48, plank + 8, wood, "bench", z)
        canvas.rectangle(x - 48, plank + 6, x + 48, plank + 8, shade(wood, 0.7), "bench", z)
    canvas.rectangle(x - 50, seat - 3, x + 50, seat + 3, shade(wood, 1.15), "bench", z - 0.3)
    canvas.rectangle(x - 50, seat + 3, x + 50, seat + 6, shade(wood, 0.65), "bench", z - 0.3)
    return x + rng.uniform(-20, 20), seat + 1, z - 0.3


def _beach(canvas: Canvas, scene: Scene, rng) -> Spot:
    horizon = rng.uniform(44, 54)
    _sky(canvas, horizon, scene, rng)
    z = _ground(canvas, horizon, (40, 150, 190), (70, 186, 206), "sea")
    shore = horizon + rng.uniform(16, 22)
    canvas.bands(shore, 128, (246, 226, 172), (226, 194, 130), "sand", z)
    canvas.bands(shore - 1.5, shore + 1.5, WHITE, WHITE, "foam", z)
    return _spot(rng, z)


def _snow(canvas: Canvas, scene: Scene, rng) -> Spot:
    horizon = rng.uniform(58, 68)
    _sky(canvas, horizon, scene, rng, WINTER_SKY)
    if scene.time == "night":
        canvas.light = (0.55, 0.6, 0.76)
    z = _ground(canvas, horizon, (222, 230, 242), (248, 250, 255), "snow")
    for x in (rng.uniform(4, 24), rng.uniform(102, 124)):
        _fir(canvas, x, horizon + rng.uniform(5, 9), rng.uniform(36, 50), z(horizon + 9))
    return _spot(rng, z)


def _fir(canvas: Canvas, x: float, y: float, height: float, z: float) -> None:
    b = Brush(canvas, "trees", x, y, height, z)
    b.box(-0.05, 0.0, 0.05, 0.2, (88, 64, 46))
    for v, half in ((0.14, 0.34), (0.4, 0.27), (0.64, 0.19)):
        b.poly([(-half, v), (0, v + 0.36), (half, v)], (38, 88, 66))
    b.poly([(-0.1, 0.83), (0, 1.0), (0.1, 0.83)], SNOW)


def paint_scene(canvas: Canvas, scene: Scene, color: Color | None, rng) -> None:
    """Paint a whole scene: its place, and its subject on the spot."""
    spot = paint_place(canvas, scene, rng)
    if spot is None or scene.subject == "bench":
        return
    x, y, z = spot
    canvas.light = SUBJECT_LIGHT[scene.time]
    height = HEIGHT[scene.subject] * rng.uniform(0.92, 1.08) * (SMALL if scene.small else 1)
    if scene.place == "park bench":
        y += SEATED.get(scene.subject, 0.0) * height
    else:
        canvas.shadow(x, y, 0.42 * height, 0.09 * height)
    paint_thing(canvas, scene.subject, color, x, y, height, z)


PAINTERS: dict[str, Callable[[Canvas, Scene, np.random.Generator], Spot | None]] = {
    "sea": _sea,
    "city": _city,
    "winter city": _winter_city,
    "park bench": _park_bench,
    "park": _park,
    "beach": _beach,
    "snow": _snow,
}
