"""The open sea with a breaking wave."""

import numpy as np

from course_utils.world3d.ground import Ground
from course_utils.world3d.modelling import blended
from course_utils.world3d.render import Camera
from course_utils.world3d.shapes import Shape, ellipsoid, mix, turn, wave
from course_utils.world3d.staging import Scenery
from course_utils.world3d.surf import lip
from course_utils.world3d.trace import crest

DEEP = ((10, 74, 86), (8, 66, 104), (10, 48, 98), (14, 40, 84))  # green seas to blue ones
BRIGHT = (
    (96, 214, 170),
    (84, 220, 200),
    (92, 206, 226),
    (104, 190, 232),
)  # the same, light in them
WHITE = (247, 250, 251)


def build_sea(scene, hour: float, rng: np.random.Generator) -> Scenery:
    """A wave that breaks, seen from the sea before it.

    Args:
        scene: the scene; nothing of it matters here.
        hour: height of the sun, 0 to 1.
        rng: varies everything.
    Returns:
        a scenery with a camera of its own and without spots.
    """
    hue = rng.uniform()
    deep, bright = blended(DEEP, hue), blended(BRIGHT, np.clip(hue + rng.normal(0, 0.12), 0, 1))
    half, height, broken = rng.uniform(4.5, 6.5), rng.uniform(1.5, 2.3), rng.uniform(0.1, 0.9)
    side = 1 if rng.random() < 0.5 else -1
    axes = turn("y", side * rng.uniform(30, 58)) @ np.diag([side, 1.0, 1.0])
    water = wave(
        (0, 0, 0), half, height, broken, deep, rotation=axes, material="breaker", detail=bright
    )
    foam = _lip_foam(water, rng) + _fallen_foam(water, rng) + _spray(water, rng)
    ground = Ground(
        "sea",
        mix(deep, bright, 0.2),
        deep,
        sea=(mix(deep, bright, 0.25), deep),
        swell=rng.uniform(0.7, 1.3),
    )
    return Scenery({"wave": [water, *foam]}, ground, [], _camera(height, side, rng))


def _camera(height: float, side: int, rng: np.random.Generator) -> Camera:
    """From the sea before the wave, level with its face or a little above it."""
    eye = (
        side * rng.uniform(-0.6, 1.0),
        height * rng.uniform(0.35, 1.0),
        -3 * height - rng.uniform(2.6, 5.2),
    )
    target = (side * rng.uniform(-1.1, -0.1), height * rng.uniform(0.42, 0.62), 0)
    return Camera(eye, target, rng.uniform(32, 40))


def _lip_foam(water: Shape, rng: np.random.Generator) -> list[Shape]:
    """Foam that the lip throws forward: small balls that melt together."""
    return [
        _blob(water, x, lip(curl) + rng.normal(0, 0.03, 2), rng.uniform(0.016, 0.042) * tall, rng)
        for x, tall, curl, _ in _along(water, 70, rng)
        if curl > 0.5
    ]


def _fallen_foam(water: Shape, rng: np.random.Generator) -> list[Shape]:
    """Heaps of foam where the lip falls into the sea; higher, the longer ago it fell."""
    foam = []
    for x, tall, curl, over in _along(water, 100, rng):
        if over > 0:
            size = rng.uniform(0.03, 0.075) * (1 + min(over, 0.8)) * tall
            height = rng.uniform(0, 0.1 + 0.6 * min(over, 0.6)) * rng.uniform(0.3, 1)
            at = (lip(curl)[0] + rng.normal(-0.06, 0.17), height)
            foam.append(_blob(water, x, at, size, rng))
    return foam


def _spray(water: Shape, rng: np.random.Generator) -> list[Shape]:
    """Drops that fly off the crest and up from where the lip falls."""
    drops = []
    for x, tall, curl, over in _along(water, 46, rng):
        if curl > 0.4:
            fallen = over > 0 and rng.random() < 0.45
            start = (lip(curl)[0], 0.15) if fallen else lip(curl) + (0.25, 0.1)
            away = np.abs(rng.normal(0, 0.16)) * np.array([rng.uniform(-0.8, 1.2), 1.0])
            size = rng.uniform(0.006, 0.016) * tall
            drops.append(_blob(water, x, start + away, size, rng, melt=False))
    return drops


def _along(water: Shape, count: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Places along the crest: x, the height, the curl, and how far it has broken after that."""
    half, height, broken = water.size
    places = []
    for x in half * np.sort(rng.uniform(-1, 1, count)):
        tall, curl, _, over = crest(x, half, height, broken)
        places.append((x, tall, curl, over))
    return places


def _blob(water: Shape, x: float, at, radius: float, rng: np.random.Generator, melt=True) -> Shape:
    """A ball of foam at a point (z, y) of the profile, in heights of the wave."""
    tall, _, back, _ = crest(x, *water.size)
    center = water.center + water.rotation @ (x, at[1] * tall, at[0] * tall + back)
    return ellipsoid(center, radius, WHITE, material="foam", blend=1.2 * radius if melt else 0.0)
