"""What the makers of things share: bending groups of shapes, palettes, eyes, smiles."""

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import numpy as np

from course_utils.world3d.shapes import Color, Point, Shape, ellipsoid, limb, mix, turn

DARK = (34, 27, 27)
BRIGHT = (252, 250, 246)


def spin(shapes: Sequence[Shape], rotation: np.ndarray, about: Point = (0, 0, 0)) -> list[Shape]:
    """The shapes rotated as one piece about a point; `rotation` is (3, 3)."""
    about = np.asarray(about, float)
    return [
        replace(s, center=rotation @ (s.center - about) + about, rotation=rotation @ s.rotation)
        for s in shapes
    ]


def move(shapes: Sequence[Shape], offset: Point) -> list[Shape]:
    """The shapes shifted by `offset` metres, (3,)."""
    return [replace(s, center=s.center + np.asarray(offset, float)) for s in shapes]


def nod(rng: np.random.Generator, turned: float = 15.0) -> np.ndarray:
    """A rotation for a head: turned up to `turned` degrees, tilted and nodding a little; (3, 3)."""
    return (
        turn("y", rng.uniform(-turned, turned))
        @ turn("z", rng.uniform(-8, 8))
        @ turn("x", rng.uniform(-5, 5))
    )


def blended(palette: Sequence[Color], share: float) -> Color:
    """The colour at `share` (0 to 1) of the way along a row of colours."""
    place = float(share) * (len(palette) - 1)
    first = min(int(place), len(palette) - 2)
    return mix(palette[first], palette[first + 1], place - first)


def vary(color: Color, rng: np.random.Generator, amount: float = 10.0) -> Color:
    """The colour with its brightness and its three channels moved at random by up to `amount`."""
    moved = np.asarray(color) + rng.uniform(-amount, amount) + rng.uniform(-amount, amount, 3) / 2
    return tuple(float(v) for v in np.clip(moved, 6, 252))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def brightness(color: Color) -> float:
    """How bright a colour looks, 0 to 255."""
    return float(np.dot(color, (0.299, 0.587, 0.114)))


def front(radii: Point, x: float, y: float, lift: float = 0.0) -> np.ndarray:
    """The point above (x, y) on the front of an ellipsoid around the origin, `lift` metres before
    its surface; (3,)."""
    rest = max(1 - (x / radii[0]) ** 2 - (y / radii[1]) ** 2, 0.02)
    return np.array([x, y, -radii[2] * np.sqrt(rest) - lift])


def facing(radii: Point, point: np.ndarray, share: float = 0.75) -> np.ndarray:
    """The rotation that turns the front of a flat shape along the surface of an ellipsoid at one of
    its points, by `share` of the full angle; (3, 3)."""
    x, y, z = np.asarray(point) / np.square(radii)
    sideways = np.rad2deg(np.arctan2(x, -z))
    upwards = np.rad2deg(np.arctan2(y, np.hypot(x, z)))
    return turn("y", -share * sideways) @ turn("x", share * upwards)


def eye(
    radii: Point,
    x: float,
    y: float,
    size: float,
    gaze: Point = (0, 0),
    iris: Color | None = None,
    pupil: Point = (0.64, 0.68),
    white: Color = BRIGHT,
    lift: float = 0.0,
) -> list[Shape]:
    """A round toy eye on the front of a head: the white, an iris or none, a pupil, a highlight.

    Args:
        radii: of the head, an ellipsoid around the origin, (3,), metres.
        x, y: where on its front the eye sits.
        size: radius of the white, metres.
        gaze: how far the pupil is off the middle, (2,), in sizes.
        iris: its colour; it fills most of the white.
        pupil: half its width and height, (2,), in sizes.
        lift: how far before the surface of the head.
    """
    at = front(radii, x, y, lift)
    layers = [ellipsoid((0, 0, 0), size * np.array([1, 1.08, 0.5]), white)]
    depth = 0.36 * size
    if iris is not None:
        layers.append(_disc(gaze, (0.86, 0.92), depth, size, iris))
        depth += 0.1 * size
    layers.append(_disc(gaze, pupil, depth, size, DARK))
    glint = size * np.array([gaze[0] - 0.22, gaze[1] + 0.24, 0]) - (0, 0, depth + 0.22 * size)
    layers.append(ellipsoid(glint, size * np.array([0.2, 0.2, 0.1]), (255, 255, 255)))
    return move(spin(layers, facing(radii, at)), at)


def eyes(
    radii: Point, spread: float, y: float, size: float, rng: np.random.Generator, **options
) -> list[Shape]:
    """Two eyes that look the same way, `spread` metres left and right of the middle."""
    gaze = (rng.uniform(-0.16, 0.16), rng.uniform(-0.12, 0.1))
    return [
        shape for side in (-1, 1) for shape in eye(radii, side * spread, y, size, gaze, **options)
    ]


def smile(
    radii: Point,
    y: float,
    width: float,
    curve: float,
    color: Color,
    thickness: float = 0.012,
    full: float = 0.0,
    lift: float = 0.0,
    middle: Point = (0, 0, 0),
) -> list[Shape]:
    """A mouth: a line of four sticks on the front of an ellipsoid around `middle`.

    Args:
        radii: of the ellipsoid, (3,), metres.
        y: height of the middle of the mouth.
        width, curve: how far its ends are to the side and up, metres.
        thickness: radius of the sticks; in the middle it is 1 + `full` times as much, which makes
            an open, laughing mouth.
        lift: how far before the surface.
    """
    shares = np.linspace(-1, 1, 5)
    sizes = thickness * (1 + full * (1 - shares**2))
    points = [
        front(radii, width * s, y + curve * s * s, lift + 0.75 * (thickness - size))
        + np.asarray(middle)
        for s, size in zip(shares, sizes, strict=True)
    ]
    return chain(points, list(sizes), color)


def spot(radii: Point, x: float, y: float, size: Point, color: Color) -> Shape:
    """A flat patch on the front of an ellipsoid around the origin, such as a cheek, half `size`
    (width, height) metres."""
    at = front(radii, x, y)
    return ellipsoid(at, (size[0], size[1], 0.012), color, rotation=facing(radii, at, 1.0))


def chain(points: Sequence[Point], radii: Sequence[float], colors, **options) -> list[Shape]:
    """Sticks from point to point, such as a tail: one radius for each point, one colour or a list
    with one for each stick."""
    count = len(points) - 1
    row = list(colors) if isinstance(colors, list) else [colors] * count
    return [
        limb(points[i], points[i + 1], radii[i], row[i], tip=radii[i + 1], **options)
        for i in range(count)
    ]


def bent(points: Sequence[Point], count: int) -> np.ndarray:
    """`count` points along the smooth (Bézier) curve that the given points pull towards them; the
    curve begins in the first and ends in the last; (count, 3)."""
    points = np.asarray(points, float)
    share = np.linspace(0, 1, count)[:, None]
    order = len(points) - 1
    weights = [comb(order, k) * share**k * (1 - share) ** (order - k) for k in range(order + 1)]
    return sum(w * p for w, p in zip(weights, points, strict=True))


def _disc(gaze: Point, width: Point, depth: float, size: float, color: Color) -> Shape:
    center = (gaze[0] * size, gaze[1] * size, -depth)
    radii = (width[0] * size, width[1] * size, 0.28 * size)
    return ellipsoid(center, radii, color)
