"""How each thing is painted, in units of its own height, standing at the origin."""

from collections.abc import Callable

import numpy as np

from course_utils.world.canvas import SUPERSAMPLE, Brush, Canvas, Color, shade

NATURAL = {  # colour of a thing whose caption names none
    "man": (96, 112, 128),
    "woman": (150, 104, 120),
    "robot": (168, 178, 190),
    "dog": (156, 102, 58),
    "cat": (146, 142, 140),
    "house": (226, 204, 166),
    "boat": (142, 92, 50),
    "tree": (64, 140, 52),
    "ball": (246, 246, 246),  # solids go without a colour in pencil sketches only
    "cube": (246, 246, 246),
    "cone": (246, 246, 246),
}
HEIGHT = {  # pixels, at the usual size
    "man": 74,
    "woman": 72,
    "robot": 78,
    "dog": 52,
    "cat": 52,
    "ball": 48,
    "cube": 48,
    "cone": 56,
    "house": 66,
    "boat": 58,
    "tree": 74,
}
SKIN, HAIR, CLOTH, DARK = (240, 196, 160), (70, 44, 28), (52, 56, 92), (30, 28, 32)


def paint_thing(
    canvas: Canvas, name: str, color: Color | None, x: float, y: float, height: float, z: float
) -> None:
    """Paint the thing called name, standing at (x, y), `height` pixels tall, z metres away."""
    PAINTERS[name](Brush(canvas, name, x, y, height, z), color or NATURAL[name])


def _man(b: Brush, color: Color) -> None:
    b.box(-0.13, 0.0, -0.02, 0.36, CLOTH)
    b.box(0.02, 0.0, 0.13, 0.36, CLOTH)
    b.box(-0.02, 0.2, 0.02, 0.36, shade(CLOTH, 0.8))
    _shirt(b, color)
    b.disc(0, 0.85, 0.115, 0.125, SKIN)
    b.poly([(-0.12, 0.87), (-0.11, 0.97), (0, 1.0), (0.11, 0.97), (0.12, 0.87), (0, 0.91)], HAIR)
    _eyes(b, 0.84, 0.045, DARK)


def _woman(b: Brush, color: Color) -> None:
    b.disc(0, 0.8, 0.165, 0.19, HAIR)
    b.box(-0.165, 0.58, 0.165, 0.8, HAIR)
    b.box(-0.09, 0.0, -0.02, 0.2, SKIN)
    b.box(0.02, 0.0, 0.09, 0.2, SKIN)
    b.box(-0.2, 0.4, -0.13, 0.66, SKIN)
    b.box(0.13, 0.4, 0.2, 0.66, SKIN)
    b.poly(
        [(-0.13, 0.7), (0.13, 0.7), (0.12, 0.48), (0.25, 0.14), (-0.25, 0.14), (-0.12, 0.48)], color
    )
    b.poly([(0.04, 0.7), (0.13, 0.7), (0.12, 0.48), (0.25, 0.14), (0.1, 0.14)], shade(color, 0.85))
    b.disc(0, 0.83, 0.105, 0.12, SKIN)
    b.poly([(-0.12, 0.84), (-0.1, 0.96), (0, 0.99), (0.1, 0.96), (0.12, 0.84), (0.02, 0.92)], HAIR)
    _eyes(b, 0.82, 0.042, DARK)


def _shirt(b: Brush, color: Color) -> None:
    b.box(-0.26, 0.4, -0.16, 0.7, shade(color, 0.9))
    b.box(0.16, 0.4, 0.26, 0.7, shade(color, 0.75))
    b.disc(-0.21, 0.39, 0.05, 0.05, SKIN)
    b.disc(0.21, 0.39, 0.05, 0.05, SKIN)
    b.box(-0.17, 0.33, 0.17, 0.73, color)
    b.box(0.07, 0.33, 0.17, 0.73, shade(color, 0.85))


def _robot(b: Brush, color: Color) -> None:
    dark = shade(color, 0.62)
    b.box(-0.2, 0.0, -0.05, 0.16, dark)
    b.box(0.05, 0.0, 0.2, 0.16, dark)
    b.box(-0.36, 0.16, -0.26, 0.4, dark)
    b.box(0.26, 0.16, 0.36, 0.4, dark)
    b.box(-0.24, 0.12, 0.24, 0.42, color)
    b.box(-0.03, 0.86, 0.03, 0.95, dark)
    b.disc(0, 0.94, 0.06, 0.06, (230, 70, 60))
    b.box(-0.4, 0.56, 0.4, 0.74, dark)
    b.box(-0.33, 0.44, 0.33, 0.88, color)
    b.box(-0.28, 0.51, 0.28, 0.81, (22, 30, 48))
    b.disc(-0.135, 0.66, 0.105, 0.105, (120, 245, 255))
    b.disc(0.135, 0.66, 0.105, 0.105, (120, 245, 255))


def _dog(b: Brush, color: Color) -> None:
    dark, light = shade(color, 0.66), shade(color, 1.3)
    b.poly([(0.3, 0.1), (0.56, 0.4), (0.5, 0.46), (0.24, 0.24)], color)
    b.disc(0.06, 0.24, 0.32, 0.25, color)
    b.box(-0.22, 0.0, -0.09, 0.5, color)
    b.box(-0.05, 0.0, 0.08, 0.5, shade(color, 0.85))
    b.disc(-0.12, 0.7, 0.28, 0.26, color)
    b.disc(-0.14, 0.58, 0.15, 0.12, light)
    b.disc(-0.14, 0.63, 0.055, 0.045, DARK)
    b.disc(-0.4, 0.66, 0.09, 0.22, dark)
    b.disc(0.16, 0.66, 0.09, 0.22, dark)
    b.disc(-0.23, 0.76, 0.035, 0.045, _eye(color))
    b.disc(-0.03, 0.76, 0.035, 0.045, _eye(color))


def _cat(b: Brush, color: Color) -> None:
    dark = shade(color, 0.68)
    b.poly([(0.22, 0.02), (0.5, 0.1), (0.56, 0.5), (0.47, 0.56), (0.42, 0.2), (0.2, 0.16)], dark)
    b.poly(
        [(-0.26, 0.0), (0.28, 0.0), (0.22, 0.4), (0.1, 0.56), (-0.1, 0.56), (-0.22, 0.36)], color
    )
    b.box(-0.04, 0.0, 0.02, 0.26, dark)
    b.poly([(-0.27, 0.66), (-0.26, 1.0), (-0.06, 0.86)], color)
    b.poly([(0.27, 0.66), (0.26, 1.0), (0.06, 0.86)], color)
    b.poly([(-0.22, 0.8), (-0.22, 0.93), (-0.13, 0.87)], (240, 170, 170))
    b.poly([(0.22, 0.8), (0.22, 0.93), (0.13, 0.87)], (240, 170, 170))
    b.disc(0, 0.68, 0.28, 0.22, color)
    b.disc(-0.11, 0.7, 0.055, 0.06, _eye(color))
    b.disc(0.11, 0.7, 0.055, 0.06, _eye(color))
    b.disc(0, 0.6, 0.035, 0.028, (240, 130, 140))


def _ball(b: Brush, color: Color) -> None:
    b.disc(0, 0.5, 0.5, 0.5, color)
    rows, columns = _grid(b)
    light = (columns + 0.18) ** 2 + (rows - 0.7) ** 2
    inside = columns**2 + (rows - 0.5) ** 2 <= 0.25
    factors = np.clip(1.25 - 1.1 * light, 0.55, 1.25) + 0.45 * np.exp(-light / 0.012)
    _shade_block(b, np.where(inside, factors, 1))


def _cube(b: Brush, color: Color) -> None:
    b.poly([(-0.5, 0.0), (0.2, 0.0), (0.2, 0.72), (-0.5, 0.72)], color)
    b.poly([(-0.5, 0.72), (0.2, 0.72), (0.5, 1.0), (-0.2, 1.0)], shade(color, 1.3))
    b.poly([(0.2, 0.0), (0.5, 0.26), (0.5, 1.0), (0.2, 0.72)], shade(color, 0.62))


def _cone(b: Brush, color: Color) -> None:
    b.disc(0, 0.06, 0.42, 0.06, color)
    b.poly([(-0.42, 0.06), (0, 1.0), (0.42, 0.06)], color)
    rows, columns = _grid(b)
    half = 0.42 * np.clip(1 - (rows - 0.06) / 0.94, 0.01, 1)
    side = columns / half
    body = (rows > 0.06) & (abs(side) <= 1)
    rim = (rows <= 0.06) & ((columns / 0.42) ** 2 + ((rows - 0.06) / 0.06) ** 2 <= 1)
    factors = np.clip(1.2 - 0.42 * (side + 0.45) ** 2, 0.5, 1.2)
    _shade_block(b, np.where(body | rim, factors, 1))


def _house(b: Brush, color: Color) -> None:
    roof = (122, 58, 44)
    b.box(-0.42, 0.0, 0.42, 0.56, color)
    b.box(0.2, 0.0, 0.42, 0.56, shade(color, 0.88))
    b.box(0.2, 0.72, 0.3, 0.96, shade(roof, 0.8))
    b.poly([(-0.54, 0.54), (0, 1.0), (0.54, 0.54)], roof)
    b.box(-0.09, 0.0, 0.1, 0.34, (92, 58, 38))
    for u in (-0.33, 0.17):
        b.box(u, 0.24, u + 0.18, 0.42, (250, 250, 250))
        b.box(u + 0.02, 0.26, u + 0.16, 0.4, (120, 190, 230))


def _boat(b: Brush, color: Color) -> None:
    b.box(-0.03, 0.2, 0.03, 1.0, (96, 66, 44))
    b.poly([(0.05, 0.32), (0.05, 0.97), (0.5, 0.34)], (250, 248, 238))
    b.poly([(-0.05, 0.34), (-0.05, 0.86), (-0.36, 0.36)], (226, 222, 210))
    b.poly([(-0.62, 0.28), (0.62, 0.28), (0.42, 0.0), (-0.42, 0.0)], color)
    b.poly([(-0.5, 0.1), (0.5, 0.1), (0.42, 0.0), (-0.42, 0.0)], shade(color, 0.72))


def _tree(b: Brush, color: Color) -> None:
    b.box(-0.07, 0.0, 0.07, 0.45, (104, 70, 44))
    b.disc(-0.2, 0.54, 0.2, 0.17, shade(color, 0.75))
    b.disc(0.2, 0.54, 0.2, 0.17, shade(color, 0.75))
    b.disc(0.0, 0.68, 0.32, 0.3, color)
    b.disc(-0.08, 0.77, 0.18, 0.15, shade(color, 1.2))


def _eyes(b: Brush, v: float, u: float, color: Color) -> None:
    b.disc(-u, v, 0.018, 0.022, color)
    b.disc(u, v, 0.018, 0.022, color)


def _eye(fur: Color) -> Color:
    return (250, 230, 120) if sum(fur) < 240 else DARK


def _grid(b: Brush) -> tuple[np.ndarray, np.ndarray]:
    """v of every row and u of every column of the block around a thing, as it is shaded."""
    left, top = _corner(b)
    side = round(1.1 * b.height * SUPERSAMPLE)
    ticks = (np.arange(side) + 0.5) / SUPERSAMPLE
    return ((b.y - top - ticks) / b.height)[:, None], ((left + ticks - b.x) / b.height)[None, :]


def _shade_block(b: Brush, factors: np.ndarray) -> None:
    b.canvas.shading(*_corner(b), factors)


def _corner(b: Brush) -> tuple[float, float]:
    left, top = b.point(-0.55, 1.05)
    return round(left * SUPERSAMPLE) / SUPERSAMPLE, round(top * SUPERSAMPLE) / SUPERSAMPLE


PAINTERS: dict[str, Callable[[Brush, Color], None]] = {
    "man": _man,
    "woman": _woman,
    "robot": _robot,
    "dog": _dog,
    "cat": _cat,
    "ball": _ball,
    "cube": _cube,
    "cone": _cone,
    "house": _house,
    "boat": _boat,
    "tree": _tree,
}
