"""How a picture is composed: where things stand, and where the camera has to be.

A picture is planned on the picture plane: how tall the subject appears, where it stands between the
edges, how high the horizon is. `fit_camera` then finds the camera that shows it so. Fractions of
the picture run from 0 (left, top) to 1 (right, bottom).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from course_utils.world3d.ground import Ground
from course_utils.world3d.render import Camera, Lamp
from course_utils.world3d.shapes import Shape, bounding_middle

LOWEST, HIGHEST = 0.45, 2.6  # metres: the eye of the camera above the ground
DARK_HOUR = 0.3  # lamps and windows are lit while the sun is lower
LARGEST = 0.6  # a subject's height times its width is at most the square of this fraction
MARGIN = 0.035  # fraction of the picture that stays free between the subject and the edges


@dataclass
class Spot:
    """Where a thing can stand.

    Attributes:
        at: its feet, (3,), metres.
        yaw: the way it faces, degrees; 0 is towards the viewer.
        room: the widest thing that fits there, metres.
    """

    at: tuple[float, float, float]
    yaw: float = 0.0
    room: float = 2.0


@dataclass
class Scenery:
    """A place without its subject.

    Attributes:
        things: shapes by the name of their mask ("trees", "buildings", ...).
        ground: what everything stands on.
        lamps: lights that burn at this hour.
        camera: the view of the place, where the place itself is what is shown; None where the
            camera is to follow the subject.
        spots: where a subject may stand, in order of preference; empty for around the origin.
    """

    things: dict[str, list[Shape]]
    ground: Ground
    lamps: list[Lamp] = field(default_factory=list)
    camera: Camera | None = None
    spots: list[Spot] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """A plan of the picture.

    Attributes:
        azimuth: how far the camera looks to the right of straight ahead, degrees.
        fov: angle of view, degrees.
        horizon: where the horizon is, fraction from the top.
        height: how tall the subject appears, fraction of the picture.
        middle: where its middle is, as a share of the way that the edges leave it, 0 to 1.
        bottom: where its lowest point is, fraction from the top.
    """

    azimuth: float
    fov: float
    horizon: float
    height: float
    middle: float
    bottom: float


def half_extent(shape: Shape, direction: np.ndarray) -> float:
    """How far a shape reaches from `bounding_middle` along a direction of length 1, metres."""
    x, y, z = np.abs(shape.rotation.T @ direction)
    a, b, c = shape.size
    if shape.kind == "ellipsoid":
        return float(np.linalg.norm((a * x, b * y, c * z)))
    if shape.kind == "limb":
        return float(b * y / 2 + max(a, c))
    if shape.kind == "torus":
        return float(a * np.hypot(x, z) + b)
    if shape.kind in ("cylinder", "cone"):
        return float(max(a, c if shape.kind == "cone" else 0) * np.hypot(x, z) + b * y)
    return float(a * x + b * y / (2 if shape.kind == "prism" else 1) + c * z)


def bounds(shapes: Sequence[Shape]) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest x, y, z of the shapes, two arrays (3,), metres."""
    middles = np.array([bounding_middle(s) for s in shapes])
    reach = np.array([[half_extent(s, axis) for axis in np.eye(3)] for s in shapes])
    return (middles - reach).min(0), (middles + reach).max(0)


def view_axes(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors to the right, up and ahead of a camera, each (3,)."""
    ahead = np.asarray(camera.target, float) - np.asarray(camera.eye, float)
    ahead /= np.linalg.norm(ahead)
    right = np.cross((0.0, 1.0, 0.0), ahead)
    right /= np.linalg.norm(right)
    return right, np.cross(ahead, right), ahead


def picture_width(fov: float) -> float:
    """How many metres of a plane one metre ahead the picture shows."""
    return 2 * float(np.tan(np.deg2rad(fov) / 2))


def outline(shapes: Sequence[Shape], camera: Camera) -> tuple[float, float, float, float]:
    """The frame around shapes in the picture: left, top, right, bottom, as fractions."""
    return _outline(_measure(shapes, camera), np.asarray(camera.eye, float), camera)


def depths(shapes: Sequence[Shape], camera: Camera) -> tuple[float, float]:
    """The nearest and the farthest distance of the shapes from the camera, level, metres."""
    ahead = view_axes(camera)[2] * (1, 0, 1)
    ahead = ahead / np.linalg.norm(ahead)
    at = [(bounding_middle(s) - camera.eye) @ ahead for s in shapes]
    reach = [half_extent(s, ahead) for s in shapes]
    return float(np.subtract(at, reach).min()), float(np.add(at, reach).max())


def ground_at(camera: Camera, across: float, ahead: float) -> np.ndarray:
    """The point of the ground a level distance `ahead` of the camera, metres, that lies at the
    fraction `across` of the picture's width; (3,)."""
    right, _, axis = view_axes(camera)
    level = axis * (1, 0, 1) / np.hypot(axis[0], axis[2])
    depth = ahead * np.hypot(axis[0], axis[2]) - camera.eye[1] * axis[1]
    point = np.asarray(camera.eye, float) + ahead * level
    point = point + (across - 0.5) * picture_width(camera.fov) * depth * right
    return point * (1, 0, 1)


def plan_frame(
    shapes: Sequence[Shape], height: float, rng: np.random.Generator, turned: float = 16.0
) -> Frame:
    """Sample a plan in which the camera stands neither too low nor too high.

    Args:
        shapes: the subject.
        height: how tall it appears; less, where it would become too wide.
        rng: varies everything else.
        turned: how far the camera may look to the side, degrees.
    """
    low, high = bounds(shapes)
    tall, wide = high[1] - low[1], high[0] - low[0]
    height = min(height, 0.86 * tall / wide, LARGEST * np.sqrt(tall / wide))
    metre = height / tall
    last = 0.95 - max(low[1], 0) * metre  # the ground below it is in the picture
    first = min(max(height + MARGIN, 0.25 + (LOWEST - low[1]) * metre, 0.66 * last), last)
    bottom = first + (last - first) * rng.beta(1.4, 1.1)
    feet = bottom + low[1] * metre
    above = (max(0.25, feet - HIGHEST * metre), min(0.6, feet - LOWEST * metre))
    return Frame(
        azimuth=rng.uniform(-turned, turned),
        fov=rng.uniform(28, 42),
        horizon=rng.uniform(above[0], max(above)),
        height=height,
        middle=rng.beta(1.2, 1.2),
        bottom=bottom,
    )


def fit_camera(shapes: Sequence[Shape], frame: Frame) -> Camera:
    """The camera that shows the shapes as planned."""
    width = picture_width(frame.fov)
    dip = np.arctan((0.5 - frame.horizon) * width)
    side = np.deg2rad(frame.azimuth)
    ahead = np.array([np.cos(dip) * np.sin(side), -np.sin(dip), np.cos(dip) * np.cos(side)])
    low, high = bounds(shapes)
    eye = (low + high) / 2 - ahead * (high[1] - low[1]) / frame.height / width
    right, up, _ = view_axes(Camera(eye, eye + ahead))
    measures = _measure(shapes, Camera(eye, eye + ahead))
    for _ in range(14):
        distance = ((low + high) / 2 - eye) @ ahead
        left, top, far_right, bottom = _outline(measures, eye, Camera(eye, eye + ahead, frame.fov))
        wide = far_right - left
        rest = max(1 - wide - 2 * MARGIN, 0)
        wanted = MARGIN + wide / 2 + rest * frame.middle if rest else 0.5
        excess = max((bottom - top) / frame.height, wide / (1 - 2 * MARGIN))
        eye = eye + right * ((left + far_right) / 2 - wanted) * width * distance
        eye = eye - up * (bottom - frame.bottom) * width * distance
        eye = eye - ahead * distance * (excess - 1)
    return Camera(eye, eye + ahead, frame.fov)


def _measure(shapes: Sequence[Shape], camera: Camera) -> np.ndarray:
    """For each shape its middle, and how far it reaches to the right and up; (N, 5)."""
    right, up, _ = view_axes(camera)
    return np.array(
        [[*bounding_middle(s), half_extent(s, right), half_extent(s, up)] for s in shapes]
    )


def _outline(measures: np.ndarray, eye: np.ndarray, camera: Camera):
    right, up, ahead = view_axes(camera)
    at = measures[:, :3] - eye
    depth = np.maximum(at @ ahead, 0.1) * picture_width(camera.fov)
    across, down = at @ right / depth + 0.5, 0.5 - at @ up / depth
    wide, tall = measures[:, 3] / depth, measures[:, 4] / depth
    return (
        float((across - wide).min()),
        float((down - tall).min()),
        float((across + wide).max()),
        float((down + tall).max()),
    )
