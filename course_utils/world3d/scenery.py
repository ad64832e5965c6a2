"""Small and far things that furnish a place: hills, trees, flowers, rocks, fences, huts.

They are seen from afar or in passing, so each has few shapes. Like all things they are built around
the origin with their feet on the ground.
"""

import colorsys

import numpy as np

from course_utils.world3d.modelling import BRIGHT, blended, chance, vary
from course_utils.world3d.plants import BARKS, LEAVES, NEEDLES, SNOW
from course_utils.world3d.shapes import (
    Color,
    Shape,
    box,
    cone,
    cylinder,
    ellipsoid,
    limb,
    mix,
    place,
    prism,
    shade,
    torus,
    turn,
)
from course_utils.world3d.things import LAMPLIGHT

Rng = np.random.Generator

AUTUMN = [(206, 164, 50), (226, 124, 40), (188, 70, 40), (150, 96, 48)]
ROCKS = [(118, 112, 108), (150, 142, 132), (172, 152, 130)]
PETALS = [(240, 70, 64), (250, 204, 62), (250, 246, 240), (150, 110, 220), (244, 140, 190),
          (84, 120, 226), (250, 150, 60)]  # fmt: skip
SHELLS = [(250, 232, 214), (244, 196, 176), (214, 176, 150), (236, 236, 236)]


def hsv(hue: float, saturation: float, value: float) -> Color:
    """A colour from a hue in degrees, a saturation and a value, both 0 to 1; sRGB, 0 to 255."""
    rgb = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return tuple(255 * v for v in rgb)


def hill(half_width: float, height: float, color: Color) -> list[Shape]:
    """A round hill: the top of a ball that lies deep in the ground."""
    radius = (half_width**2 + height**2) / (2 * height)
    return [ellipsoid((0, height - radius, 0), radius, color, blend=0.6)]


def leafy_color(rng: Rng, autumn: float) -> Color:
    """The green of a tree, or with the probability `autumn` one of its autumn colours."""
    return vary(blended(AUTUMN if chance(rng, autumn) else LEAVES, rng.random()), rng, 8)


def round_tree(height: float, color: Color, rng: Rng) -> list[Shape]:
    """A tree with a round or a tall crown of three or four balls of leaves."""
    bark = vary(blended(BARKS, rng.random()), rng, 6)
    trunk = height * rng.uniform(0.3, 0.42)
    wide, tall = height * rng.uniform(0.22, 0.34), (height - trunk * 0.8) / 2
    middle = height - tall
    parts = [
        limb((0, 0, 0), (rng.uniform(-0.04, 0.04) * height, middle, 0), 0.05 * height, bark,
             tip=0.03 * height, material="wood"),
        ellipsoid((0, middle, 0), (wide, tall, wide), color, material="leaf", blend=0.03 * height),
    ]  # fmt: skip
    turned = rng.uniform(0, 360)
    for k in range(int(rng.integers(2, 4))):
        out = turn("y", turned + 360 * k / 3 + rng.uniform(-30, 30)) @ (0.75 * wide, 0, 0)
        at = out + (0, middle - rng.uniform(0.1, 0.35) * tall, 0)
        radius = wide * rng.uniform(0.55, 0.8)
        tint = shade(color, rng.uniform(0.88, 1.12))
        parts.append(ellipsoid(at, radius, tint, material="leaf", blend=0.05 * height))
    return parts


def bush(radius: float, color: Color, rng: Rng) -> list[Shape]:
    """Two or three balls of leaves, as wide as twice `radius`."""
    parts = []
    for k in range(int(rng.integers(2, 4))):
        at = ((k - 0.8) * 0.55 * radius, 0.35 * radius, rng.uniform(-0.3, 0.3) * radius)
        size = radius * rng.uniform(0.5, 0.75)
        tint = shade(color, rng.uniform(0.9, 1.1))
        parts.append(ellipsoid(at, size, tint, material="leaf", blend=0.1 * radius))
    return parts


def small_fir(height: float, rng: Rng, snow: float = 0.0) -> list[Shape]:
    """A fir of three tiers; `snow`, 0 to 1, is how much of each tier lies under snow."""
    needles = vary(blended(NEEDLES, rng.random()), rng, 8)
    wide = height * rng.uniform(0.24, 0.33)
    parts = [cylinder((0, 0.08 * height, 0), 0.05 * height, 0.1 * height, BARKS[0])]
    tiers = ((0.12, 0.52, 1.0), (0.36, 0.76, 0.76), (0.6, 1.0, 0.5))  # from, to, share of the width
    for k, (low, high, share) in enumerate(tiers):
        half, middle = (high - low) * height / 2, (high + low) * height / 2
        parts.append(cone((0, middle, 0), share * wide, half, needles, 0.0, 0.012 * height,
                          material="leaf"))  # fmt: skip
        if snow > 0:
            cap = min(0.45 + 0.4 * snow + 0.05 * k, 0.9)
            lift, radius = (1 - cap) * half + 0.03 * height, cap * share * wide + 0.012 * height
            parts.append(cone((0, middle + lift, 0), radius, cap * half, SNOW, 0.0,
                              0.014 * height, material="snow"))  # fmt: skip
    return parts


def flower(height: float, color: Color, rng: Rng, near: bool) -> list[Shape]:
    """A blossom on a stalk; near the camera it shows a heart and a leaf."""
    radius = height * rng.uniform(0.2, 0.3)
    lean = rng.uniform(-0.2, 0.2, 2) * height
    top = np.array([lean[0], height, lean[1]])
    blossom = ellipsoid(top, (radius, 0.6 * radius, radius), color)
    if not near:
        return [blossom]
    stalk = (74, 138, 58)
    heart = ellipsoid(top + (0, 0.3 * radius, -0.55 * radius), 0.45 * radius, (250, 206, 70))
    leaf = ellipsoid((0.1 * height, 0.35 * height, 0), (0.2 * height, 0.05 * height, 0.07 * height),
                     stalk, rotation=turn("z", 35))  # fmt: skip
    return [limb((0, 0, 0), top, 0.035 * height, stalk), blossom, heart, leaf]


def tuft(height: float, color: Color, rng: Rng) -> list[Shape]:
    """A tuft of four blades of grass."""
    return [
        limb((0.1 * k * height, 0, 0), ((0.4 * k + rng.uniform(-0.15, 0.15)) * height, height, 0),
             0.07 * height, shade(color, rng.uniform(0.95, 1.25)), tip=0.015 * height)
        for k in (-1.5, -0.5, 0.5, 1.5)
    ]  # fmt: skip


def rock(radius: float, color: Color, rng: Rng) -> list[Shape]:
    """A rock of two rounded boulders."""
    radii = radius * rng.uniform((0.8, 0.5, 0.7), (1.1, 0.75, 1.0))
    second = 0.7 * radius * rng.uniform((0.7, 0.6, 0.6), (1.0, 0.9, 0.9))
    return [
        ellipsoid((0, 0.15 * radius, 0), radii, color, material="stone", rotation=turn("z", 8)),
        ellipsoid((0.6 * radius, 0, -0.2 * radius), second, color, material="stone",
                  blend=0.15 * radius),
    ]  # fmt: skip


def path(points: np.ndarray, width: float, color: Color) -> list[Shape]:
    """A path along points of the ground, (N, 3): round bars that lie so deep in the ground that
    only a flat strip of them, `width` metres across, is seen."""
    radius = 2.5 * width
    deep = np.array([0, np.sqrt(radius**2 - width**2 / 4), 0])
    return [
        limb(a - deep, b - deep, radius, color, blend=0.0)
        for a, b in zip(points, points[1:], strict=False)
    ]


def fence(points: np.ndarray, height: float, color: Color) -> list[Shape]:
    """A fence of posts at points of the ground, (N, 3), and two rails between them."""
    up = np.array([0, height, 0])
    shapes = [limb(p, p + up, 0.05, color, material="wood") for p in points]
    for share in (0.45, 0.85):
        a, b = points[0] + share * up, points[-1] + share * up
        shapes.append(limb(a, b, 0.035, shade(color, 0.95), material="wood"))
    return shapes


def hut(color: Color, rng: Rng, lit: bool) -> list[Shape]:
    """A hut under snow, about 2.5 m wide, with one window, which is lit or dark."""
    pane, glass = (LAMPLIGHT, "glow") if lit else ((92, 112, 132), "glass")
    wide, tall = rng.uniform(1.05, 1.4), rng.uniform(0.7, 0.95)
    at, front = rng.uniform(0.35, 0.5) * wide, -0.92
    return [
        box((0, tall, 0), (wide, tall, 0.9), color, material="wood"),
        prism((0, 2 * tall - 0.04, 0), wide + 0.22, 0.95, 1.05, SNOW),
        box((at, 1.05 * tall, front), (0.26, 0.26, 0.04), pane, material=glass),
        box((-at, 0.62 * tall, front), (0.24, 0.62 * tall, 0.04), shade(color, 0.55)),
        box((0.5 * wide, 2 * tall + 0.75, 0.2), (0.14, 0.4, 0.14), shade(color, 0.8)),
        box((0.5 * wide, 2 * tall + 1.18, 0.2), (0.18, 0.07, 0.18), SNOW),
    ]


def barn(color: Color, rng: Rng) -> list[Shape]:
    """A barn about 4 m wide with a white-rimmed gate."""
    wide, tall = rng.uniform(1.7, 2.3), rng.uniform(1.0, 1.3)
    roof = shade(color, 0.45) if chance(rng, 0.5) else (112, 106, 104)
    return [
        box((0, tall, 0), (wide, tall, 2.0), color, material="wood"),
        prism((0, 2 * tall - 0.04, 0), wide, 1.2, 1.98, color),
        box((-0.53 * wide, 2 * tall + 0.58, 0), (0.62 * wide, 0.06, 2.2), roof,
            rotation=turn("z", np.rad2deg(np.arctan2(1.2, wide)))),
        box((0.53 * wide, 2 * tall + 0.58, 0), (0.62 * wide, 0.06, 2.2), roof,
            rotation=turn("z", -np.rad2deg(np.arctan2(1.2, wide)))),
        box((0, 0.7 * tall, -2.0), (0.62, 0.72 * tall, 0.05), BRIGHT),
        box((0, 0.68 * tall, -2.02), (0.54, 0.66 * tall, 0.05), shade(color, 0.7)),
    ]  # fmt: skip


def parasol(color: Color, second: Color, rng: Rng) -> list[Shape]:
    """A leaning parasol about 2 m tall."""
    lean = turn("z", rng.uniform(-14, 14)) @ turn("x", rng.uniform(-10, 10))
    tall, wide = rng.uniform(1.7, 2.1), rng.uniform(0.85, 1.15)
    up = lean[:, 1]
    return [
        limb((0, 0, 0), tall * up, 0.035, (232, 224, 210)),
        cone((tall - 0.12) * up, wide, 0.11, color, 0.62 * wide, rotation=lean),
        cone((tall + 0.1) * up, 0.62 * wide, 0.1, second, 0.3 * wide, rotation=lean),
        cone((tall + 0.26) * up, 0.3 * wide, 0.07, color, 0.0, rotation=lean),
    ]


def palm(height: float, rng: Rng) -> list[Shape]:
    """A palm tree with a bent trunk and drooping leaves."""
    bend = rng.uniform(-0.3, 0.3) * height
    steps = np.linspace(0, 1, 4)
    points = np.stack([bend * steps**2, height * steps, 0 * steps], axis=1)
    bark, leaf = vary((150, 116, 80), rng), vary((70, 138, 62), rng, 14)
    radii = (0.055 * height, 0.045 * height, 0.036 * height, 0.03 * height)
    shapes = [
        limb(points[k], points[k + 1], radii[k], bark, tip=radii[k + 1], material="wood")
        for k in range(3)
    ]
    first, count = rng.uniform(0, 360), int(rng.integers(6, 9))
    for k in range(count):
        around = turn("y", first + 360 * k / count + rng.uniform(-12, 12))
        length, droop = height * rng.uniform(0.2, 0.27), rng.uniform(-28, 12)
        shapes += _frond(points[-1], around, length, droop, shade(leaf, rng.uniform(0.8, 1.15)))
    return shapes


def _frond(root: np.ndarray, around: np.ndarray, length: float, droop: float, color: Color):
    """A leaf of a palm: an arch of two flat blades."""
    inner = around @ turn("z", droop + 22)
    knee = root + inner @ (0.85 * length, 0, 0)
    outer = around @ turn("z", droop - 28)
    return [
        ellipsoid((root + knee) / 2, (0.55 * length, 0.05 * length, 0.15 * length), color,
                  rotation=inner, material="leaf"),
        ellipsoid(knee + outer @ (0.42 * length, 0, 0),
                  (0.6 * length, 0.045 * length, 0.16 * length), color, rotation=outer,
                  material="leaf", blend=0.06 * length),
    ]  # fmt: skip


def far_sail(rng: Rng) -> list[Shape]:
    """A sailing boat on the horizon, about 3 m tall."""
    hull, sail = vary((150, 92, 66), rng, 40), vary((244, 238, 224), rng, 12)
    return [
        ellipsoid((0, 0.1, 0), (1.15, 0.34, 0.4), hull),
        prism((0.34, 0.5, 0), 0.62, 2.4, 0.03, sail),
        prism((-0.42, 0.5, 0), 0.36, 1.7, 0.03, shade(sail, 0.94)),
    ]


def shell(radius: float, rng: Rng) -> list[Shape]:
    """A shell or a pebble on the sand."""
    color = blended(SHELLS, rng.random())
    radii = radius * rng.uniform((0.8, 0.35, 0.6), (1.1, 0.55, 0.9))
    return [ellipsoid((0, 0.2 * radius, 0), radii, color, rotation=turn("y", rng.uniform(0, 360)))]


def towel(color: Color, rng: Rng) -> list[Shape]:
    """A striped towel that lies on the sand."""
    stripe = mix(color, BRIGHT, 0.7)
    cloth = box((0, 0.012, 0), (0.42, 0.012, 0.85), color, 0.01, material="cloth")
    bars = [box((0, 0.016, z), (0.42, 0.012, 0.1), stripe, 0.01) for z in (-0.5, 0.0, 0.5)]
    return place([cloth, *bars], yaw=rng.uniform(-40, 40))


def lantern(rng: Rng) -> list[Shape]:
    """A lantern that burns on the ground, about 0.4 m tall."""
    iron = vary((58, 52, 50), rng, 10)
    return [
        cylinder((0, 0.025, 0), 0.12, 0.025, iron, material="metal"),
        cylinder((0, 0.16, 0), 0.085, 0.12, LAMPLIGHT, material="glow"),
        cone((0, 0.33, 0), 0.13, 0.055, iron, 0.03, material="metal"),
        torus((0, 0.42, 0), 0.05, 0.014, iron, rotation=turn("x", 90), material="metal"),
    ]


def campfire(rng: Rng) -> list[Shape]:
    """Logs and flames, about 0.5 m tall."""
    logs = [
        limb((0.3 * np.cos(a), 0.04, 0.3 * np.sin(a)), (-0.05 * np.cos(a), 0.16, -0.05 * np.sin(a)),
             0.05, vary(BARKS[1], rng), material="wood")
        for a in rng.uniform(0, 6.3) + np.arange(5) * 1.26
    ]  # fmt: skip
    flames = [
        limb((x, 0.14, 0), (x + rng.uniform(-0.05, 0.05), tall * rng.uniform(0.8, 1.2), 0),
             0.1, color, tip=0.012, material="glow", blend=0.05)
        for x, tall, color in ((-0.08, 0.36, (250, 120, 36)), (0.07, 0.4, (250, 140, 40)),
                               (0.0, 0.5, (255, 190, 70)))
    ]  # fmt: skip
    return [*flames, *logs]


def snowdrift(half_width: float, height: float) -> list[Shape]:
    """A low mound of snow."""
    radii = (half_width, 1.4 * height, 0.6 * half_width)
    return [ellipsoid((0, -0.4 * height, 0), radii, SNOW, material="snow")]
