"""What grows in the world: trees, firs, mushrooms.

Each maker returns the shapes of one plant around the origin, its foot on the ground (y = 0).
"""

import numpy as np

from course_utils.world3d.modelling import (
    BRIGHT,
    blended,
    brightness,
    chance,
    front,
    move,
    spin,
    vary,
)
from course_utils.world3d.shapes import (
    Color,
    Shape,
    cone,
    cylinder,
    ellipsoid,
    limb,
    place,
    shade,
    torus,
    turn,
)

Rng = np.random.Generator

SNOW = (244, 248, 255)
BARKS = [(96, 68, 50), (128, 92, 64), (150, 130, 112)]
LEAVES = [(54, 116, 48), (86, 150, 58), (128, 168, 64), (62, 128, 84)]
NEEDLES = [(34, 88, 60), (52, 112, 66), (40, 96, 84)]
CAPS = [(206, 46, 40), (222, 90, 46), (180, 110, 66)]


def tree(
    color: Color | None,
    rng: Rng,
    pose: str = "standing",
    night: bool = False,
    snow: float = 0.0,
) -> list[Shape]:
    """A tree about 2.4 m tall: a trunk and a crown of blended lobes, at times with apples; `snow`
    (0 to 1) caps the lobes, or lies on the branches of a tree without leaves."""
    bark = vary(blended(BARKS, rng.random()), rng)
    if snow > 0 and color is None and chance(rng, 0.4):
        return _bare_tree(bark, snow, rng)
    crown = vary(blended(LEAVES, rng.random()), rng) if color is None else color
    width, tall = rng.uniform(0.62, 0.88), rng.uniform(0.55, 0.8)
    middle = np.array((rng.uniform(-0.08, 0.08), 2.3 - tall, 0))
    leaves = _crown(middle, width, tall, crown, rng)
    parts = _trunk(middle, width, bark, rng) + leaves
    if snow > 0:
        parts += _caps(leaves, snow)
    elif color is None and chance(rng, 0.2):
        parts += _apples(leaves, rng)
    return parts


def _trunk(middle, width: float, bark: Color, rng: Rng) -> list[Shape]:
    wood = {"material": "wood"}
    parts = [
        limb((0, 0.16, 0), middle, rng.uniform(0.13, 0.17), bark, 0.09, **wood),
        cone((0, 0.15, 0), 0.22, 0.15, bark, 0.13, 0.04, blend=0.1, **wood),
    ]
    fork = middle * (1, 0.6, 1)
    for s in (-1, 1):
        tip = middle + (s * 0.45 * width, 0, 0)
        parts.append(limb(fork, tip, 0.06, bark, 0.04, blend=0.06, **wood))
    return parts


def _crown(middle, width: float, tall: float, color: Color, rng: Rng) -> list[Shape]:
    leaf = {"material": "leaf", "blend": 0.1}
    lobes = [ellipsoid(middle, (0.82 * width, 0.82 * tall, 0.75 * width), color, **leaf)]
    count, turned = int(rng.integers(4, 8)), rng.uniform(0, 2 * np.pi)
    for i in range(count):
        angle = turned + 2 * np.pi * i / count + rng.uniform(-0.3, 0.3)
        way = np.array((np.cos(angle), np.sin(angle), rng.uniform(-0.7, 0.3)))
        size = rng.uniform(0.42, 0.58) * np.array((width, 0.9 * tall, width))
        at = middle + way * 0.58 * np.array((width, tall, width))
        tint = shade(color, 1 + 0.1 * np.sin(angle) + rng.uniform(-0.04, 0.04))
        lobes.append(ellipsoid(at, size, tint, **leaf))
    return lobes


def _apples(lobes: list[Shape], rng: Rng) -> list[Shape]:
    color = blended([(214, 44, 36), (240, 180, 50)], rng.random())
    apples = []
    for lobe in lobes:
        x, y = lobe.size[:2] * rng.uniform(-0.55, 0.55, 2)
        apples.append(
            ellipsoid(lobe.center + front(lobe.size, x, y), 0.055, color, material="gloss")
        )
    return apples


def _bare_tree(bark: Color, snow: float, rng: Rng) -> list[Shape]:
    """A tree in winter: a trunk, six branches that fork, snow along their upper sides."""
    top = np.array((rng.uniform(-0.1, 0.1), 1.5, 0))
    wood = [
        limb((0, 0.16, 0), top, 0.15, bark, 0.09, material="wood"),
        cone((0, 0.15, 0), 0.22, 0.15, bark, 0.13, 0.04, blend=0.1, material="wood"),
    ]
    white = []
    for i, s in enumerate((-1, 1, -1, 1, -1, 1)):
        foot = top * (1, 0.55 + 0.09 * i, 1)
        bend = foot + (s * rng.uniform(0.28, 0.4), rng.uniform(0.22, 0.4), rng.uniform(-0.15, 0.15))
        ends = [bend + (s * reach, rise, 0) for reach, rise in ((0.3, 0.2), (0.08, 0.36))]
        wood.append(limb(foot, bend, 0.07, bark, 0.05, blend=0.05, material="wood"))
        wood += [limb(bend, end, 0.05, bark, 0.025, blend=0.03, material="wood") for end in ends]
        lift = np.array((0, 0.03 + 0.02 * snow, 0))
        white.append(limb(foot + lift, bend + lift, 0.05, SNOW, 0.045, material="snow"))
        white.append(
            limb(bend + lift, ends[0] + lift, 0.045, SNOW, 0.025, material="snow", blend=0.03)
        )
    return wood + white


def _caps(lobes: list[Shape], snow: float) -> list[Shape]:
    """Snow on the upper sides of the lobes of a crown."""
    caps = []
    for lobe in lobes[1:]:
        at = lobe.center + (0, 0.42 * lobe.size[1] + 0.03, 0)
        size = lobe.size * (0.8, 0.6 + 0.1 * snow, 0.8)
        caps.append(ellipsoid(at, size, SNOW, material="snow", blend=0.05 if caps else 0.0))
    return caps


def fir(rng: Rng, snow: float = 0.0) -> list[Shape]:
    """A fir about 2.4 m tall: three to five cones on a trunk; `snow` (0 to 1) lies on them."""
    color = vary(blended(NEEDLES, rng.random()), rng)
    count, wide = int(rng.integers(3, 6)), rng.uniform(0.5, 0.72)
    bark = vary(blended(BARKS, rng.random()), rng)
    parts = [cylinder((0, 0.18, 0), rng.uniform(0.08, 0.12), 0.2, bark, material="wood")]
    for i in range(count):
        share = i / count
        radius, low = wide * (1 - 0.8 * share), 0.3 + 1.75 * share
        half = 0.5 * (2.4 - low) / (count - i) ** 0.55
        half = min(half, 0.42)
        lean = turn("z", rng.uniform(-4, 4)) @ turn("x", rng.uniform(-4, 4))
        tint = shade(color, 0.9 + 0.25 * share)
        parts.append(
            cone((0, low + half, 0), radius, half, tint, 0.02, 0.04, rotation=lean, material="leaf")
        )
        if snow > 0:
            parts.append(_snow_on_tier(low, half, radius, lean, snow))
    return parts


def _snow_on_tier(low: float, half: float, radius: float, lean, snow: float) -> Shape:
    share = 0.45 + 0.4 * snow
    wide = radius * share * 1.05 + 0.03
    center = np.array((0, low + half, 0)) + lean @ (0, half * (1 - share) + 0.02, 0)
    return cone(center, wide, half * share, SNOW, 0.03, 0.03, rotation=lean, material="snow")


def mushroom(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A toadstool about 1 m tall with dots on its cap, sometimes with a little one beside it."""
    cap = vary(blended(CAPS, rng.random()), rng) if color is None else color
    parts = _toadstool(cap, rng)
    if chance(rng, 0.45):
        s, size = rng.choice((-1, 1)), rng.uniform(0.36, 0.48)
        parts += place(_toadstool(cap, rng), (s * rng.uniform(0.36, 0.46), 0, -0.22), 0, size)
    return parts


def _toadstool(cap: Color, rng: Rng) -> list[Shape]:
    stem = vary((246, 234, 208), rng, 5)
    wide, tall, thick = rng.uniform(0.42, 0.54), rng.uniform(0.32, 0.44), rng.uniform(0.12, 0.16)
    base = 1.0 - tall
    foot = limb((0, 1.3 * thick, 0), (0, base + 0.05, 0), 1.3 * thick, stem, 0.85 * thick)
    ring = torus((0, 0.6 * base, 0), 0.9 * thick, 0.04, shade(stem, 0.95), blend=0.05)
    head = _dome(wide, tall, cap, shade(stem, 0.9))
    head += move(_dots((wide, 0.73 * tall, wide), cap, rng), (0, 0.28 * tall, 0))
    head = spin(move(head, (0, base, 0)), turn("z", rng.uniform(-7, 7)), (0, base, 0))
    return [foot, ring, *head]


def _dome(wide: float, tall: float, color: Color, gills: Color) -> list[Shape]:
    """A cap with a round rim, on a foot at the origin; its underside has another colour."""
    rim = 0.28 * tall
    high = tall - rim
    return [
        cylinder((0, rim, 0), wide, rim, color, rim, material="gloss", blend=0.05),
        ellipsoid((0, rim, 0), (0.9 * wide, high, 0.9 * wide), color, material="gloss", blend=0.12),
        ellipsoid((0, rim - 0.04, 0), (0.86 * wide, high, 0.86 * wide), gills),
    ]


def _dots(r, cap: Color, rng: Rng) -> list[Shape]:
    """Flat dots all over the cap: one near its top, two rings around it."""
    color = BRIGHT if brightness(cap) < 200 else (214, 96, 70)
    spots = [(rng.uniform(0, 360), rng.uniform(70, 88))]
    for rise, count in ((48, 5), (13, 6)):
        first = rng.uniform(0, 360)
        spots += [
            (first + 360 * (i + rng.uniform(-0.2, 0.2)) / count, rise + rng.uniform(-6, 6))
            for i in range(count)
        ]
    dots = []
    for around, rise in spots:
        reach = np.interp(rise, (13, 48), (1.0, 0.92))  # the rim is rounder than the crown
        at = turn("y", around) @ turn("x", rise) @ np.array((0, 0, -1.0)) * r * (reach, 1, reach)
        steep = np.rad2deg(np.arctan(np.tan(np.deg2rad(rise)) * r[0] / r[1]))
        size = rng.uniform(0.045, 0.08)
        axes = turn("y", around) @ turn("x", steep)
        dots.append(ellipsoid(at, (size, size, 0.02), color, rotation=axes))
    return dots
