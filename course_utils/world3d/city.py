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
SNOW = (244, 247, 252)
IRON = (58, 60, 66)
NEAR, FAR_END = -5.0, 30.0  # where the rows of houses begin and end, z in metres


@dataclass(frozen=True)
class Weather:
    """What the buildings need to know of the moment: snow lies or not, share of lit windows."""

    winter: bool
    lit: float


def build_city(scene, hour: float, rng: Rng, winter: bool = False) -> Scenery:
    """A street along z, with a skyline at its end.

    Args:
        scene: where its subject is "cityscape", or it is None, the city itself is what is shown.
        hour: height of the sun, 0 to 1; windows and lamps are lit when it is low.
        rng: varies everything.
        winter: with snow, and with some lit windows by day.
    Returns:
        a scenery with a camera for the view, and spots in the street.
    """
    view = scene is None or scene.subject == "cityscape"
    weather = Weather(winter, lit_share(hour, winter))
    road = rng.uniform(1.5, 2.1)
    line = road + rng.uniform(0.9, 1.5)
    things = {
        "buildings": _rows(line, weather, rng) + _skyline(line, weather, rng),
        "trees": _trees(road, view, winter, rng),
        "cars": _traffic(road, view, hour < 0.32, winter, rng),
    }
    things["lamps"], lamps = _street_lamps(road, view, hour < 0.32, winter, rng)
    if winter:
        things["snow"] = _snowbanks(road, line, rng)
        things["snowflakes"] = _snowflakes(rng)
    elif chance(rng, 0.4):
        things["crosswalk"] = _crosswalk(road, rng)
    spots = [Spot((x, 0.0, 0.0), rng.uniform(-20, 20)) for x in _places_to_stand(road, line, rng)]
    return Scenery(things, _street(road, winter, rng), lamps, _camera(rng) if view else None, spots)


def lit_share(hour: float, winter: bool) -> float:
    """The share of the windows that are lit at an hour: none by day, but in winter."""
    share = float(np.interp(hour, (0.0, 0.2, 0.3, 0.4, 0.5), (0.5, 0.55, 0.4, 0.14, 0.0)))
    return max(share, 0.16) if winter else share


def _camera(rng: Rng) -> Camera:
    eye = np.array((rng.uniform(-1.1, 1.1), rng.uniform(1.5, 4.0), -9.0))
    target = (rng.uniform(-2.2, 2.2), eye[1] + rng.uniform(0.2, 1.7), 4.0)
    return Camera(eye, target, rng.uniform(44, 58))


def _places_to_stand(road: float, line: float, rng: Rng) -> list[float]:
    """Places across the street: on the road, and on the pavements, in random order."""
    pavement = 0.5 * (road + line)
    return list(rng.permutation([rng.uniform(-0.6, 0.6) * road, pavement - 0.3, 0.3 - pavement]))


def _street(road: float, winter: bool, rng: Rng) -> Ground:
    if winter:
        return Ground("street", vary((196, 203, 214), rng, 12), (238, 242, 248))
    asphalt = vary((98, 98, 104), rng, 16)
    return Ground("street", asphalt, shade(asphalt, rng.uniform(0.8, 1.2)), road=road)


# ------------------------------------------------------------------------------- buildings
def _rows(line: float, weather: Weather, rng: Rng) -> list[Shape]:
    """Houses side by side on the left and on the right."""
    shapes = []
    for side in (-1, 1):
        z, tall = NEAR + rng.uniform(-2, 0), rng.uniform(3, 6)
        while z < FAR_END:
            depth, width = rng.uniform(2.4, 4.8), rng.uniform(2.6, 4.0)
            storeys = int(np.clip(rng.normal(tall, 1.4), 2, 9))
            house = _house((width, depth), storeys, weather, rng)
            x = side * (line + rng.uniform(0, 0.25) + width / 2)
            shapes += move(house, (x, 0, z + depth / 2))
            if z < 14 and chance(rng, 0.5):
                shapes.append(_awning(side, x - side * width / 2, z, depth, rng))
            z += depth + (rng.uniform(1.2, 2.4) if chance(rng, 0.14) else rng.uniform(0.0, 0.08))
    return shapes


def _skyline(line: float, weather: Weather, rng: Rng) -> list[Shape]:
    """Towers where the street ends and behind the rows; the farther, the higher they may be."""
    shapes = []
    highest = rng.uniform(9, 20)
    for z in np.linspace(FAR_END + 2, 46, 14) + rng.uniform(-0.5, 0.5, 14):
        half = np.array((rng.uniform(1.0, 2.2), 0, rng.uniform(1.0, 2.0)))
        height = highest * rng.uniform(0.4, 1.0)
        x = rng.uniform(-1, 1) * (5 + 0.25 * z)
        shapes += move(_tower(half, height, weather, rng), (x, 0, z))
    return shapes


def _house(size, storeys: int, weather: Weather, rng: Rng) -> list[Shape]:
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
        lit=weather.lit,
        trim=rng.uniform(0.7, 1.5),
        snow=float(weather.winter),
        seed=rng.random(),
    )
    halves = (size[0] / 2, height / 2, size[1] / 2)
    walls = box((0, height / 2, 0), halves, wall, material="facade", detail=windows)
    roof = _gable if storeys < 6 and chance(rng, 0.4) else _flat_roof
    return [walls, *roof(size, height, wall, weather, rng)]


def _flat_roof(size, height: float, wall: Color, weather: Weather, rng: Rng) -> list[Shape]:
    """A cornice around a flat roof, and what stands on it."""
    x, z = size[0] / 2, size[1] / 2
    edge = shade(wall, rng.uniform(0.75, 1.3))
    parts = [box((0, height, 0), (x + 0.09, 0.12, z + 0.03), edge, material="stone")]
    if weather.winter:
        parts.append(_snow_slab((0, height + 0.16, 0), (x + 0.1, 0.09, z + 0.04)))
    kind = rng.integers(5)
    at = np.array((rng.uniform(-0.4, 0.4) * x, height, rng.uniform(-0.4, 0.4) * z))
    if kind == 0:
        parts += move(_water_tank(weather.winter, rng), at)
    elif kind == 1:
        parts += move(_roof_house(edge, weather.winter), at)
    elif kind == 2:
        top = at + (0, rng.uniform(0.8, 1.8), 0)
        parts += [
            limb(at, top, 0.025, IRON),
            limb(top - (0.2, 0.25, 0), top + (0.2, -0.25, 0), 0.015, IRON),
        ]
    elif kind == 3:
        parts.append(box(at + (0, 0.35, 0), (0.16, 0.35, 0.16), shade(wall, 0.8), material="brick"))
    return parts


def _gable(size, height: float, wall: Color, weather: Weather, rng: Rng) -> list[Shape]:
    """A roof with its ridge along the street or across it."""
    rise = rng.uniform(0.7, 1.5)
    across = chance(rng, 0.4)
    half, length = (size[1] / 2, size[0] / 2) if across else (size[0] / 2, size[1] / 2)
    axes = turn("y", 90) if across else np.eye(3)
    tiles = vary(blended(ROOFS, rng.random()), rng)
    color, material = (SNOW, "snow") if weather.winter else (tiles, "brick")
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
    cap = [_snow_slab(at + (0, 0.52, 0), (0.15, 0.05, 0.15))] if weather.winter else []
    return [roof, front, chimney, *cap]


def _tower(half: np.ndarray, height: float, weather: Weather, rng: Rng) -> list[Shape]:
    """A high building in one to three steps, some with a spire."""
    color = vary(blended(TOWERS, rng.random()), rng, 16)
    glass = chance(rng, 0.4)
    windows = Facade(
        column=rng.uniform(0.5, 0.8),
        storey=rng.uniform(0.6, 0.95),
        wide=rng.uniform(0.8, 0.92) if glass else rng.uniform(0.4, 0.65),
        tall=rng.uniform(0.75, 0.9) if glass else rng.uniform(0.45, 0.65),
        lit=weather.lit,
        trim=rng.uniform(0.85, 1.25),
        snow=float(weather.winter),
        seed=rng.random(),
    )
    parts, low = [], 0.0
    for step in range(rng.integers(1, 4)):
        share = 0.76**step
        high = height * (1 - 0.45 * 0.5**step) if step else height * rng.uniform(0.6, 0.75)
        halves = (share * half[0], (high - low) / 2, share * half[2])
        middle = (0, (low + high) / 2, 0)
        parts.append(box(middle, halves, color, material="facade", detail=windows))
        if weather.winter:
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
def _beside_road(view: bool, gap: tuple[float, float], rng: Rng, end: float = 22.0) -> list[float]:
    """Distances z along the street, at irregular gaps; none near a subject or before it."""
    z, places = (-4.0 if view else 2.4) + rng.uniform(0, 2), []
    while z < end:
        places.append(z)
        z += rng.uniform(*gap)
    return places


def _trees(road: float, view: bool, winter: bool, rng: Rng) -> list[Shape]:
    side, shapes = rng.choice((-1, 1)), []
    for z in _beside_road(view, (3.5, 8.0), rng, 14):
        green = place(tree(None, rng, snow=float(winter)), (0, 0, 0), 0, rng.uniform(0.8, 1.1))
        shapes += move(green, (side * (road + 0.35), 0, z))
    return shapes


def _street_lamps(road: float, view: bool, night: bool, winter: bool, rng: Rng):
    """Lamp posts at both kerbs; those near the viewer light the street."""
    shapes, lamps = [], []
    post, light = lamp_post(rng, night)
    for i, z in enumerate(_beside_road(view, (3.6, 5.0), rng, 20)):
        at = np.array(((-1) ** i * (road + 0.18), 0, z))
        shapes += move(post, at)
        if winter:
            shapes.append(
                ellipsoid(at + light + (0, 0.2, 0), (0.14, 0.07, 0.14), SNOW, material="snow")
            )
        if night and len(lamps) < 5:
            lamps.append(Lamp(at + light, (255, 206, 130), rng.uniform(2.2, 3.2)))
    return shapes, lamps


def _traffic(road: float, view: bool, night: bool, winter: bool, rng: Rng) -> list[Shape]:
    """Cars on the right lane that drive away, and on the left one that come."""
    shapes = []
    for side in (-1, 1):
        for z in _beside_road(view, (3.5, 9.0), rng, 20):
            parts = _car(side < 0, night, winter, rng)
            shapes += move(parts, (side * (road - 0.62 + rng.uniform(-0.08, 0.08)), 0, z))
    return shapes


def _car(coming: bool, night: bool, winter: bool, rng: Rng) -> list[Shape]:
    """A small car along z; seen from its front where it is coming."""
    paint, roof = vary(CARS[rng.integers(len(CARS))], rng), rng.uniform(0.3, 0.42)
    parts = [
        box((0, 0.4, 0), (0.42, 0.2, 0.9), paint, 0.12, material="gloss"),
        box((0, 0.68, 0.08), (0.36, 0.2, 0.5), (44, 54, 66), 0.12, material="glass", blend=0.04),
        box((0, 0.86, 0.08), (0.33, 0.05, roof), SNOW if winter else paint, 0.04, material="gloss"),
    ]
    if winter:
        parts.append(box((0, 0.6, -0.68), (0.36, 0.04, 0.18), SNOW, 0.04, material="snow"))
    for x in (-0.38, 0.38):
        parts += [ellipsoid((x, 0.2, z), (0.08, 0.2, 0.2), (30, 30, 34)) for z in (-0.55, 0.55)]
        front = (255, 244, 214) if coming else (214, 30, 24)
        light = "glow" if night else "gloss"
        parts.append(ellipsoid((0.68 * x, 0.44, -0.89), (0.08, 0.055, 0.04), front, material=light))
    return parts


def _crosswalk(road: float, rng: Rng) -> list[Shape]:
    z, half = rng.uniform(1.5, 6), rng.uniform(0.5, 0.8)
    count = int(road / 0.36)
    return [
        box((x, 0, z), (0.14, 0.006, half), (226, 224, 216), 0.004)
        for x in np.linspace(-road + 0.3, road - 0.3, count)
    ]


def _snowbanks(road: float, line: float, rng: Rng) -> list[Shape]:
    """Snow on the pavements, and heaps of it along the kerbs."""
    shapes = []
    for side in (-1, 1):
        middle, half = side * (road + line + 0.2) / 2, (line - road + 0.2) / 2
        shapes.append(box((middle, 0, 12), (half, 0.05, 24), SNOW, 0.04, material="snow"))
        for z in _beside_road(True, (1.0, 2.6), rng, 18):
            radii = (rng.uniform(0.14, 0.3), rng.uniform(0.1, 0.24), rng.uniform(0.4, 1.1))
            at = (side * (road + rng.uniform(-0.05, 0.15)), 0.02, z)
            shapes.append(ellipsoid(at, radii, SNOW, material="snow", blend=0.15))
    return shapes


def _snowflakes(rng: Rng) -> list[Shape]:
    at = rng.uniform((-4, 0.2, -6), (4, 6, 9), (rng.integers(25, 60), 3))
    return [ellipsoid(p, rng.uniform(0.014, 0.03), SNOW, material="snow") for p in at]
