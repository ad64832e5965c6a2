"""The solids that every thing of the world is built from, and how things are put in their place.

A thing is a list of shapes. It is built around the origin: feet on the ground (y = 0), facing the
viewer, who stands far down the negative z axis; x points to the viewer's right, y up. One unit is
a metre. Shapes of one thing that have a `blend` melt into each other like clay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

KINDS = ("ellipsoid", "box", "cylinder", "cone", "limb", "torus", "prism", "wave")
Color = tuple[float, float, float]  # sRGB, 0 to 255
Point = Sequence[float]


@dataclass(frozen=True)
class Shape:
    """One solid.

    Attributes:
        kind: one of KINDS.
        center: its middle, (3,), metres.
        size: what the kind makes of it, (3,), metres; see the function of that name.
        color: sRGB, 0 to 255.
        rotation: its own axes as columns, (3, 3).
        material: a key of `materials.MATERIALS`.
        blend: radius in metres of the fillet to the shapes before it in its thing; 0 for none.
        rounding: radius in metres of its edges, within its size.
        detail: numbers that its material needs, if any; see `facade` and `breaker`.
    """

    kind: str
    center: np.ndarray
    size: np.ndarray
    color: Color
    rotation: np.ndarray
    material: str = "matte"
    blend: float = 0.0
    rounding: float = 0.0
    detail: tuple[float, ...] = ()


def ellipsoid(center: Point, radii: Point | float, color: Color, **options) -> Shape:
    """An ellipsoid with three radii, or a ball with one."""
    return _shape("ellipsoid", center, np.ones(3) * radii, color, **options)


def box(center: Point, halves: Point, color: Color, rounding: float = 0.02, **options) -> Shape:
    """A box with half its width, height and depth; its edges are rounded."""
    return _shape("box", center, halves, color, rounding=rounding, **options)


def cylinder(
    center: Point, radius: float, half: float, color: Color, rounding: float = 0.02, **options
) -> Shape:
    """An upright cylinder with half its height."""
    return _shape("cylinder", center, (radius, half, radius), color, rounding=rounding, **options)


def cone(
    center: Point,
    radius: float,
    half: float,
    color: Color,
    top: float = 0.0,
    rounding: float = 0.02,
    **options,
) -> Shape:
    """An upright cone with half its height, cut off where its radius is `top`."""
    return _shape("cone", center, (radius, half, top), color, rounding=rounding, **options)


def limb(
    start: Point, end: Point, radius: float, color: Color, tip: float | None = None, **options
):
    """A stick with round ends from `start` to `end` (the middles of the balls at its ends), as
    thick as `radius` at the start and `tip` at the end: arms, legs, tails, branches, snouts."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(end - start))
    size = (radius, length, radius if tip is None else tip)
    axes = options.pop("rotation", np.eye(3)) @ _axes_along((end - start) / max(length, 1e-9))
    return _shape("limb", start, size, color, rotation=axes, **options)


def torus(center: Point, radius: float, thickness: float, color: Color, **options) -> Shape:
    """A lying ring: `radius` to the middle of the tube, `thickness` the tube's own radius."""
    return _shape("torus", center, (radius, thickness, 0.0), color, **options)


def prism(
    center: Point, half_width: float, height: float, half_depth: float, color: Color, **options
) -> Shape:
    """A gable roof: a triangle `height` tall over a base 2 · half_width wide, drawn out along z;
    its centre is the middle of the base."""
    return _shape("prism", center, (half_width, height, half_depth), color, **options)


def turn(axis: str, degrees: float) -> np.ndarray:
    """The rotation about an axis "x", "y" or "z", counterclockwise seen from its tip; (3, 3)."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


def place(
    shapes: Sequence[Shape], at: Point = (0, 0, 0), yaw: float = 0.0, scale: float = 1.0
) -> list[Shape]:
    """The same shapes scaled about the origin, turned about y by `yaw` degrees, moved to `at`."""
    rotation, at = turn("y", yaw), np.asarray(at, float)
    return [
        replace(
            s,
            center=rotation @ (s.center * scale) + at,
            size=s.size * scale,
            rotation=rotation @ s.rotation,
            blend=s.blend * scale,
            rounding=s.rounding * scale,
        )
        for s in shapes
    ]


def shade(color: Color, factor: float) -> Color:
    """The colour made darker (factor below 1) or lighter (above 1)."""
    return tuple(float(min(255.0, max(0.0, factor * v))) for v in color)


def mix(a: Color, b: Color, share: float) -> Color:
    """The colour at `share` of the way from a to b."""
    return tuple(float((1 - share) * x + share * y) for x, y in zip(a, b, strict=True))


def bounding_middle(shape: Shape) -> np.ndarray:
    """The middle of a ball that holds the shape, (3,), metres."""
    up = shape.rotation[:, 1] * shape.size[1]
    return shape.center + up / 2 if shape.kind in ("limb", "prism") else shape.center


def bounding_radius(shape: Shape) -> float:
    """The radius of that ball, in metres."""
    x, y, z = shape.size
    return float(
        {
            "ellipsoid": max(x, y, z),
            "torus": x + y,
            "limb": y / 2 + max(x, z),
            "cone": np.hypot(max(x, z), y),
            "cylinder": np.hypot(x, y),
            "prism": np.sqrt(x * x + y * y / 4 + z * z),
            "wave": np.sqrt(x * x + 9 * y * y),
        }.get(shape.kind, np.sqrt(x * x + y * y + z * z))
    )


def bounding_box(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a box that holds the shape, in its own axes around its centre, 2 × (3,)."""
    x, y, z = shape.size
    wide = max(x, z)
    high = {
        "cylinder": (x, y, x),
        "cone": (wide, y, wide),
        "limb": (wide, y + z, wide),
        "torus": (x + y, y, x + y),
        "wave": (x, 1.25 * y, 3.7 * y),
    }.get(shape.kind, (x, y, z))
    low = {"limb": (-wide, -x, -wide), "prism": (-x, 0.0, -z), "wave": (-x, -0.7 * y, -2.3 * y)}
    return np.array(low.get(shape.kind, np.negative(high))), np.array(high)


def wave(
    center: Point, half: float, height: float, broken: float, color: Color, **options
) -> Shape:
    """A breaking wave along x, `half` its length, running towards negative z; see `surf`. At
    x = half it is a swell; `broken`, 0 to 1, says how much of it has curled over."""
    return _shape("wave", center, (half, height, broken), color, **options)


def _shape(kind: str, center: Point, size: Point, color: Color, rotation=None, **options) -> Shape:
    axes = np.eye(3) if rotation is None else np.asarray(rotation, float)
    return Shape(kind, np.asarray(center, float), np.asarray(size, float), color, axes, **options)


def _axes_along(direction: np.ndarray) -> np.ndarray:
    """Three axes as columns, the second of which points along `direction`."""
    helper = np.array([1.0, 0, 0]) if abs(direction[0]) < 0.9 else np.array([0, 0, 1.0])
    first = np.cross(direction, helper)
    first /= max(float(np.linalg.norm(first)), 1e-9)
    return np.stack([first, direction, np.cross(first, direction)], axis=1)
