"""A street of a city: houses on both sides, a skyline behind, traffic, trees, lamps, and snow."""

from dataclasses import dataclass

import numpy as np

from course_utils.world3d.facade import Facade
from course_utils.world3d.ground import Ground
from course_utils.world3d.modelling import blended, chance, move, vary
from course_utils.world3d.plants import tree
from course_utils.world3d.render import Camera, Lamp
from course_utils.world3d.shapes import (
    Color,
    Shape,
    box,
    cone,
    cylinder,
    ellipsoid,
    limb,
    place,
    prism,
    shade,
    turn,
)
from course_utils.world3d.staging import Scenery, Spot
from course_utils.world3d.things import lamp_post

Rng = np.random.Generator

BRICK = ((128, 60, 46), (158, 82, 60), (184, 108, 78), (140, 92, 74))
STUCCO = ((232, 214, 176), (226, 190, 132), (214, 168, 128), (206, 212, 196), (184, 198, 212))
STONE = ((214, 200, 172), (196, 182, 156), (178, 172, 164), (152, 150, 150))
TOWERS = ((118, 136, 160), (150, 166, 186), (96, 108, 128), (176, 168, 160), (146, 116, 98))
ROOFS = ((76, 70, 74), (108, 72, 60), (140, 78, 58), (92, 92, 98))
CARS = ((196, 48, 40), (236, 178, 44), (60, 110, 176), (228, 228, 224), (52, 58, 66), (70, 134, 96))
AWNINGS = ((188, 52, 44), (44, 112, 84), (48, 84, 140), (224, 168, 60), (228, 222, 210))
PAVING = ((196, 186, 170), (168, 160, 152), (186, 158, 132), (150, 152, 156))
SNOW = (244, 247, 252)
IRON = (58, 60, 66)
NEAR = -5.0  # where the rows of houses begin, z in metres


@dataclass(frozen=True)
class Plan:
    """How the city is laid out, and what the moment makes of it.

    Attributes:
        road: half the width of the road, metres.
        line: where the houses begin on both sides.
        end: where the rows of houses end, or where a house front closes a square.
        square: a square that a front of houses closes, instead of a street to the horizon.
        view: whether the city is what is shown, so that nothing needs room.
        winter: with snow.
        night: lamps burn.
        lit: share of the windows that are lit.
    """

    road: float
    line: float
    end: float
    square: bool
    view: bool
    winter: bool
    night: bool
    lit: float


def build_city(scene, hour: float, rng: Rng, winter: bool = False) -> Scenery:
    """A street along z with a skyline at its end, or a square before a front of houses.

    Args:
        scene: where its subject is "cityscape", or it is None, the city itself is what is shown.
        hour: height of the sun, 0 to 1; windows and lamps are lit when it is low.
        rng: varies everything.
        winter: with snow, and with some lit windows by day.
    Returns:
        a scenery with a camera for the view, and spots in the street.
    """
    plan = _plan(scene is None or scene.subject == "cityscape", hour, winter, rng)
    things = {
        "buildings": _rows(plan, rng) + _front(plan, rng) + _skyline(plan, rng),
        "trees": _trees(plan, rng),
        "cars": _traffic(plan, rng),
    }
    things["lamps"], lamps = _street_lamps(plan, rng)
    if winter:
        things["snow"] = _snowbanks(plan, rng)
        things["snowflakes"] = _snowflakes(rng) if chance(rng, 0.75) else []
    elif not plan.square and chance(rng, 0.4):
        things["crosswalk"] = _crosswalk(plan.road, rng)
    if plan.square and plan.view and chance(rng, 0.6):
        things["fountain"] = _fountain(plan, rng)
    spots = [Spot((x, 0.0, 0.0), rng.uniform(-20, 20)) for x in _places_to_stand(scene, plan, rng)]
    camera = _camera(plan, rng) if plan.view else None
    return Scenery(things, _street(plan, rng), lamps, camera, spots)


def lit_share(hour: float, winter: bool) -> float:
    """The share of the windows that are lit at an hour: none by day, but in winter."""
    share = float(np.interp(hour, (0.0, 0.2, 0.3, 0.4, 0.5), (0.5, 0.55, 0.4, 0.14, 0.0)))
    return max(share, 0.16) if winter else share


def _plan(view: bool, hour: float, winter: bool, rng: Rng) -> Plan:
    square, road = chance(rng, 0.32), rng.uniform(1.5, 2.1)
    line = rng.uniform(4.5, 7.5) if square else road + rng.uniform(0.9, 1.5)
    end = rng.uniform(9, 15) if square else 30.0
    return Plan(road, line, end, square, view, winter, hour < 0.32, lit_share(hour, winter))


def _camera(plan: Plan, rng: Rng) -> Camera:
    """At the eye level of a grown-up or up to that of a first floor, turned somewhat aside."""
    eye = np.array((rng.uniform(-0.7, 0.7) * plan.road, rng.uniform(1.4, 4.2), -9.0))
    turned = rng.uniform(-4.5, 4.5) - 0.6 * eye[0]
    target = (eye[0] + turned, eye[1] + rng.uniform(0.1, 1.9), 4.0)
    return Camera(eye, target, rng.uniform(42, 58))


def _places_to_stand(scene, plan: Plan, rng: Rng) -> list[float]:
    """Places across the street: on the road, where cars are, and on the pavements."""
    lane, pavement = rng.uniform(-0.6, 0.6) * plan.road, plan.road + 0.2
    if scene is not None and scene.subject == "car":
        return [lane]
    return [float(x) for x in rng.permutation([lane, pavement, -pavement])]


def _street(plan: Plan, rng: Rng) -> Ground:
    if plan.winter:
        return Ground("street", vary((196, 203, 214), rng, 12), (238, 242, 248))
    if plan.square:
        paving = vary(blended(PAVING, rng.random()), rng, 12)
        return Ground("street", paving, shade(paving, rng.uniform(0.85, 1.1)))
    asphalt = vary((98, 98, 104), rng, 16)
    return Ground("street", asphalt, shade(asphalt, rng.uniform(0.8, 1.2)), road=plan.road)


# ------------------------------------------------------------------------------- buildings
def _rows(plan: Plan, rng: Rng) -> list[Shape]:
    """Houses side by side on the left and on the right."""
    shapes = []
    for side in (-1, 1):
        z, tall = NEAR + rng.uniform(-2, 0), rng.uniform(3, 6)
        while z < plan.end - 2.5 * plan.square:
            depth, width = rng.uniform(2.4, 4.8), rng.uniform(2.6, 4.0)
            house = _house((width, depth), _storeys(tall, rng), plan, rng)
            x = side * (plan.line + rng.uniform(0, 0.25) + width / 2)
            shapes += move(house, (x, 0, z + depth / 2))
            if z < 14 and chance(rng, 0.5):
                shapes.append(_awning(side, x - side * width / 2, z, depth, rng))
            z += depth + (rng.uniform(1.2, 2.4) if chance(rng, 0.14) else rng.uniform(0.0, 0.08))
    return shapes


def _front(plan: Plan, rng: Rng) -> list[Shape]:
    """Houses side by side that look at the viewer across a square."""
    shapes, x, tall = [], -rng.uniform(15, 17), rng.uniform(3, 5.5)
    while plan.square and x < 15:
        width = rng.uniform(2.4, 4.4)
        house = _house((width, 3.0), _storeys(tall, rng), plan, rng)
        shapes += move(house, (x + width / 2, 0, plan.end + 1.5 + rng.uniform(0, 0.2)))
        x += width + (rng.uniform(1.0, 2.0) if chance(rng, 0.1) else rng.uniform(0.0, 0.08))
    return shapes


def _storeys(tall: float, rng: Rng) -> int:
    return int(np.clip(rng.normal(tall, 1.4), 2, 9))


def _skyline(plan: Plan, rng: Rng) -> list[Shape]:
    """Towers where the street ends and behind the rows."""
    shapes, highest = [], rng.uniform(9, 22)
    for z in np.linspace(plan.end + 4, 46, 14) + rng.uniform(-0.5, 0.5, 14):
        half = np.array((rng.uniform(1.0, 2.2), 0, rng.uniform(1.0, 2.0)))
        x = rng.uniform(-1, 1) * (5 + 0.25 * z)
        shapes += move(_tower(half, highest * rng.uniform(0.4, 1.0), plan, rng), (x, 0, z))
    return shapes


def _house(size, storeys: int, plan: Plan, rng: Rng) -> list[Shape]:
    """A house of walls with windows, with one of several roofs: (width, depth) along x and z."""
    storey, shop = rng.uniform(1.0, 1.35), rng.uniform(1.3, 1.6)
    palette = (BRICK, STUCCO, STONE)[rng.integers(3)]
    wall = vary(blended(palette, rng.random()), rng, 14)
    height = shop + storeys * storey
    windows = Facade(
        column=rng.uniform(0.75, 1.15),
        storey=storey,
        wide=rng.uniform(0.4, 0.62),
        tall=rng.uniform(0.5, 0.68),
        shop=shop,
        lit=plan.lit,
        trim=rng.uniform(0.7, 1.5),
        snow=float(plan.winter),
        seed=rng.random(),
    )
    halves = (size[0] / 2, height / 2, size[1] / 2)
    walls = box((0, height / 2, 0), halves, wall, material="facade", detail=windows)
    roof = _gable if storeys < 6 and chance(rng, 0.4) else _flat_roof
    return [walls, *roof(size, height, wall, plan, rng)]


def _flat_roof(size, height: float, wall: Color, plan: Plan, rng: Rng) -> list[Shape]:
    """A cornice around a flat roof, and what stands on it."""
    x, z = size[0] / 2, size[1] / 2
    edge = shade(wall, rng.uniform(0.75, 1.3))
    parts = [box((0, height, 0), (x + 0.09, 0.12, z + 0.03), edge, material="stone")]
    if plan.winter:
        parts.append(_snow_slab((0, height + 0.16, 0), (x + 0.1, 0.09, z + 0.04)))
    else:
        tar = vary(blended(ROOFS, rng.random()), rng)
        parts.append(box((0, height + 0.09, 0), (x - 0.02, 0.05, z - 0.1), tar, material="stone"))
    kind = rng.integers(5)
    at = np.array((rng.uniform(-0.4, 0.4) * x, height, rng.uniform(-0.4, 0.4) * z))
    if kind == 0:
        parts += move(_water_tank(plan.winter, rng), at)
    elif kind == 1:
        parts += move(_roof_house(edge, plan.winter), at)
    elif kind == 2:
        top = at + (0, rng.uniform(0.8, 1.8), 0)
        parts += [
            limb(at, top, 0.025, IRON),
            limb(top - (0.2, 0.25, 0), top + (0.2, -0.25, 0), 0.015, IRON),
        ]
    elif kind == 3:
        parts.append(box(at + (0, 0.35, 0), (0.16, 0.35, 0.16), shade(wall, 0.8), material="brick"))
    return parts


def _gable(size, height: float, wall: Color, plan: Plan, rng: Rng) -> list[Shape]:
    """A roof with its ridge along the street or across it."""
    rise = rng.uniform(0.7, 1.5)
    across = chance(rng, 0.4)
    half, length = (size[1] / 2, size[0] / 2) if across else (size[0] / 2, size[1] / 2)
    axes = turn("y", 90) if across else np.eye(3)
    tiles = vary(blended(ROOFS, rng.random()), rng)
    color, material = (SNOW, "snow") if plan.winter else (tiles, "brick")
    roof = prism(
        (0, height, 0), half + 0.12, rise, length + 0.06, color, rotation=axes, material=material
    )
    front = prism(
        (0, height - 0.04, 0),
        half - 0.03,
        rise - 0.1,
        length + 0.09,
        wall,
        rotation=axes,
        material="stone",
    )
    at = np.array((rng.uniform(-0.5, 0.5) * size[0] / 2, height + 0.6 * rise, 0.3 * size[1] / 2))
    chimney = box(at, (0.14, 0.5, 0.14), shade(wall, 0.75), material="brick")
    cap = [_snow_slab(at + (0, 0.52, 0), (0.15, 0.05, 0.15))] if plan.winter else []
    return [roof, front, chimney, *cap]


def _tower(half: np.ndarray, height: float, plan: Plan, rng: Rng) -> list[Shape]:
    """A high building in one to three steps, some with a spire."""
    color = vary(blended(TOWERS, rng.random()), rng, 16)
    glass = chance(rng, 0.4)
    windows = Facade(
        column=rng.uniform(0.5, 0.8),
        storey=rng.uniform(0.6, 0.95),
        wide=rng.uniform(0.8, 0.92) if glass else rng.uniform(0.4, 0.65),
        tall=rng.uniform(0.75, 0.9) if glass else rng.uniform(0.45, 0.65),
        lit=plan.lit,
        trim=rng.uniform(0.85, 1.25),
        snow=float(plan.winter),
        seed=rng.random(),
    )
    parts, low = [], 0.0
    for step in range(rng.integers(1, 4)):
        share = 0.76**step
        high = height * (1 - 0.45 * 0.5**step) if step else height * rng.uniform(0.6, 0.75)
        halves = (share * half[0], (high - low) / 2, share * half[2])
        middle = (0, (low + high) / 2, 0)
        parts.append(box(middle, halves, color, material="facade", detail=windows))
        if plan.winter:
            parts.append(_snow_slab((0, high, 0), (halves[0] + 0.04, 0.1, halves[2] + 0.04)))
        low = high
    if chance(rng, 0.35):
        parts.append(cone((0, low + 0.5, 0), 0.5 * halves[0], 0.5, shade(color, 0.8)))
        parts.append(limb((0, low + 0.8, 0), (0, low + 2.2, 0), 0.05, IRON, 0.02))
    return parts


def _water_tank(winter: bool, rng: Rng) -> list[Shape]:
    wood, radius = vary((126, 92, 66), rng), rng.uniform(0.26, 0.38)
    legs = [
        limb((x, 0, z), (x, 0.45, z), 0.03, IRON)
        for x in (-0.6 * radius, 0.6 * radius)
        for z in (-0.6 * radius, 0.6 * radius)
    ]
    lid = SNOW if winter else shade(wood, 0.7)
    barrel = cylinder((0, 0.75, 0), radius, 0.32, wood, material="wood")
    return [*legs, barrel, cone((0, 1.2, 0), 1.12 * radius, 0.15, lid)]


def _roof_house(color: Color, winter: bool) -> list[Shape]:
    parts = [box((0, 0.35, 0), (0.5, 0.35, 0.4), color, material="stone")]
    return parts + ([_snow_slab((0, 0.72, 0), (0.54, 0.07, 0.44))] if winter else [])


def _awning(side: int, x: float, z: float, depth: float, rng: Rng) -> Shape:
    """A slanting cloth over a shop window, at the wall at x."""
    color = vary(blended(AWNINGS, rng.random()), rng)
    axes = turn("z", side * 24)
    half = rng.uniform(0.25, 0.45) * depth
    return box(
        (x - side * 0.22, 1.02, z + depth / 2),
        (0.3, 0.03, half),
        color,
        rotation=axes,
        material="cloth",
    )


def _snow_slab(center, halves) -> Shape:
    return box(center, halves, SNOW, rounding=0.05, material="snow")


# ------------------------------------------------------------------------------- the street
def _along_road(plan: Plan, gap: tuple[float, float], rng: Rng, end: float = 22.0) -> list[float]:
    """Distances z along the street, at irregular gaps; none near a subject or before it."""
    z, places = (-4.0 if plan.view else 2.4) + rng.uniform(0, 2), []
    while z < min(end, plan.end - 4.0 * plan.square):
        places.append(z)
        z += rng.uniform(*gap)
    return places


def _trees(plan: Plan, rng: Rng) -> list[Shape]:
    """A row of trees on one side, or here and there on a square."""
    side, shapes = rng.choice((-1, 1)), []
    for z in _along_road(plan, (3.5, 8.0), rng, 14):
        green = place(tree(None, rng, snow=float(plan.winter)), scale=rng.uniform(0.8, 1.1))
        x = rng.uniform(plan.road + 0.4, plan.line - 0.6) if plan.square else plan.road + 0.35
        shapes += move(green, (side * x, 0, z))
        side = rng.choice((-1, 1)) if plan.square else side
    return shapes


def _street_lamps(plan: Plan, rng: Rng) -> tuple[list[Shape], list[Lamp]]:
    """Lamp posts on both sides; those near the viewer light the street."""
    shapes, lamps = [], []
    post, light = lamp_post(rng, plan.night)
    for i, z in enumerate(_along_road(plan, (3.6, 5.0), rng, 20)):
        at = np.array(((-1) ** i * (plan.road + 0.18), 0, z))
        shapes += move(post, at)
        if plan.winter:
            cap = at + light + (0, 0.2, 0)
            shapes.append(ellipsoid(cap, (0.14, 0.07, 0.14), SNOW, material="snow"))
        if plan.night and len(lamps) < 5:
            lamps.append(Lamp(at + light, (255, 206, 130), rng.uniform(2.2, 3.2)))
    return shapes, lamps


def _traffic(plan: Plan, rng: Rng) -> list[Shape]:
    """Cars that drive away on the right lane and come on the left one; before a front of houses,
    cars that pass."""
    shapes = []
    if plan.square:
        for x in np.cumsum(rng.uniform(2.2, 6.0, 5)) - 9:
            parts = place(_car(False, plan, rng), yaw=float(rng.choice((-90, 90))))
            shapes += move(parts, (x, 0, plan.end - rng.uniform(1.3, 1.6)))
        return shapes
    for side in (-1, 1):
        for z in _along_road(plan, (3.5, 9.0), rng, 20):
            parts = _car(side < 0, plan, rng)
            shapes += move(parts, (side * (plan.road - 0.62 + rng.uniform(-0.08, 0.08)), 0, z))
    return shapes


def _car(coming: bool, plan: Plan, rng: Rng) -> list[Shape]:
    """A small car along z; seen from its front where it is coming."""
    paint, roof = vary(CARS[rng.integers(len(CARS))], rng), rng.uniform(0.3, 0.42)
    parts = [
        box((0, 0.4, 0), (0.42, 0.2, 0.9), paint, 0.12, material="gloss"),
        box((0, 0.68, 0.08), (0.36, 0.2, 0.5), (44, 54, 66), 0.12, material="glass", blend=0.04),
        box(
            (0, 0.86, 0.08),
            (0.33, 0.05, roof),
            SNOW if plan.winter else paint,
            0.04,
            material="gloss",
        ),
    ]
    if plan.winter:
        parts.append(box((0, 0.6, -0.68), (0.36, 0.04, 0.18), SNOW, 0.04, material="snow"))
    for x in (-0.38, 0.38):
        parts += [ellipsoid((x, 0.2, z), (0.08, 0.2, 0.2), (30, 30, 34)) for z in (-0.55, 0.55)]
        front = (255, 244, 214) if coming else (214, 30, 24)
        light = "glow" if plan.night else "gloss"
        parts.append(ellipsoid((0.68 * x, 0.44, -0.89), (0.08, 0.055, 0.04), front, material=light))
    return parts


def _fountain(plan: Plan, rng: Rng) -> list[Shape]:
    """A round basin with a smaller one above it, in the middle of a square."""
    stone, radius = vary(blended(STONE, rng.random()), rng), rng.uniform(0.9, 1.3)
    top, water = 0.8 * radius, SNOW if plan.winter else (90, 160, 190)
    material = "snow" if plan.winter else "water"
    parts = [
        cylinder((0, 0.2, 0), radius, 0.2, stone, 0.06, material="stone"),
        cylinder((0, 0.36, 0), 0.86 * radius, 0.06, water, material=material),
        limb((0, 0.3, 0), (0, top, 0), 0.16, stone, 0.1, material="stone"),
        ellipsoid((0, top, 0), (0.42 * radius, 0.12, 0.42 * radius), stone, material="stone"),
        ellipsoid(
            (0, top + 0.06, 0), (0.36 * radius, 0.09, 0.36 * radius), water, material=material
        ),
        ellipsoid((0, top + 0.24, 0), (0.1, 0.16, 0.1), stone, material="stone"),
    ]
    return move(parts, (rng.uniform(-0.6, 0.6), 0, rng.uniform(0.0, 0.4) * plan.end))


def _crosswalk(road: float, rng: Rng) -> list[Shape]:
    z, half = rng.uniform(1.5, 6), rng.uniform(0.5, 0.8)
    count = int(road / 0.36)
    return [
        box((x, 0, z), (0.14, 0.006, half), (226, 224, 216), 0.004)
        for x in np.linspace(-road + 0.3, road - 0.3, count)
    ]


def _snowbanks(plan: Plan, rng: Rng) -> list[Shape]:
    """Snow on the pavements, and heaps of it along the kerbs."""
    shapes = []
    for side in (-1, 1):
        middle, half = side * (plan.road + plan.line + 0.2) / 2, (plan.line - plan.road + 0.2) / 2
        shapes.append(box((middle, 0, 12), (half, 0.05, 24), SNOW, 0.04, material="snow"))
        for z in _along_road(plan, (1.0, 2.6), rng, 18):
            radii = (rng.uniform(0.14, 0.3), rng.uniform(0.1, 0.24), rng.uniform(0.4, 1.1))
            at = (side * (plan.road + rng.uniform(-0.05, 0.15)), 0.02, z)
            shapes.append(ellipsoid(at, radii, SNOW, material="snow", blend=0.15))
    return shapes


def _snowflakes(rng: Rng) -> list[Shape]:
    """Falling snow: few flakes near the viewer, more farther off."""
    z = rng.uniform(-6.5, 5, rng.integers(30, 70))
    wide, high = rng.uniform(-0.5, 0.5, len(z)) * (z + 10), rng.uniform(0, 0.75, len(z)) * (z + 10)
    sizes = 0.012 + 0.0016 * (z + 9) * rng.uniform(0.6, 1.4, len(z))
    at = np.stack([wide, 0.4 + high, z], axis=1)
    return [ellipsoid(p, r, SNOW, material="snow") for p, r in zip(at, sizes, strict=True)]
