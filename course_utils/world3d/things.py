"""The things of the world: the makers of all subjects by name, and the scenery around them.

Each maker returns the shapes of one thing around the origin: feet on the ground (y = 0), facing the
viewer (negative z). The colour is that of its main part, or None for natural colours. Every call
draws its own proportions and details from the generator.
"""

from collections.abc import Callable

import numpy as np

from course_utils.world3d.animals import cat, dog, duck, rabbit
from course_utils.world3d.characters import man, robot, woman
from course_utils.world3d.modelling import (
    BRIGHT,
    DARK,
    blended,
    brightness,
    chain,
    chance,
    eye,
    front,
    move,
    smile,
    spin,
    vary,
)
from course_utils.world3d.plants import LEAVES, SNOW, mushroom, tree
from course_utils.world3d.plants import fir as fir
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

Rng = np.random.Generator

LAMPLIGHT = (255, 206, 110)
PANE = (150, 196, 222)
GLASS = (58, 78, 100)  # of a car
IRON = (52, 54, 60)
TOYS = [
    (214, 60, 50),
    (244, 176, 60),
    (84, 168, 90),
    (70, 126, 210),
    (160, 90, 190),
    (230, 120, 160),
]
WALLS = [(240, 226, 196), (226, 190, 140), (206, 150, 120), (214, 220, 216), (186, 206, 214)]
ROOFS = [(176, 70, 50), (128, 66, 48), (92, 78, 80), (86, 96, 116), (150, 96, 60)]
WOODS = [(120, 78, 48), (166, 110, 64), (200, 148, 92), (150, 120, 96)]
CARS = [(206, 60, 52), (70, 130, 190), (232, 190, 80), (120, 170, 140), (236, 228, 212)]


# ---------------------------------------------------------------------------------- solids


def ball(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A toy ball about 1 m across; plain, with a band, or with caps."""
    main = vary(blended(TOYS, rng.random()), rng) if color is None else color
    radius, pattern = rng.uniform(0.44, 0.54), rng.random()
    trim = BRIGHT if brightness(main) < 190 else mix(main, (60, 90, 160), 0.6)
    parts = [ellipsoid((0, 0, 0), radius, main, material="gloss")]
    if pattern < 0.3:
        parts.append(_band(radius, (0.86, 1.012), trim))
    elif pattern < 0.5:
        parts.append(_band(radius, (1.012, 0.8), trim))
    axes = turn("z", rng.uniform(-50, 50)) @ turn("x", rng.uniform(-40, 40))
    return move(spin(parts, axes), (0, radius, 0))


def _band(radius: float, factors: tuple[float, float], color: Color) -> Shape:
    """A stripe round a ball, or a cap at both its ends: an ellipsoid that rises a little out of it.
    The factors are its radii along the axis and around it, in radii of the ball."""
    along, around = factors
    radii = (radius * around, radius * along, radius * around)
    return ellipsoid((0, 0, 0), radii, color, material="gloss")


def cube(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A cube about 0.95 m wide, plain or with a raised panel on each side, like a toy block."""
    main = vary(blended(TOYS, rng.random()), rng) if color is None else color
    half, edge = rng.uniform(0.42, 0.5), rng.uniform(0.02, 0.1)
    material = ("matte", "gloss", "wood")[rng.integers(3)]
    parts = [box((0, half, 0), (half, half, half), main, edge, material=material)]
    if chance(rng, 0.4):
        panel = mix(main, BRIGHT, 0.22) if brightness(main) < 215 else shade(main, 0.86)
        for axis in range(3):
            halves = np.full(3, 0.74 * half)
            halves[axis] = 1.02 * half
            parts.append(box((0, half, 0), halves, panel, 0.02, material=material))
    return place(parts, yaw=rng.uniform(-45, 45))


def cone_solid(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A cone about 1.1 m tall; plain, or with a foot and white bands like those on a road."""
    main = vary(blended(TOYS, rng.random()), rng) if color is None else color
    half, radius = rng.uniform(0.5, 0.6), rng.uniform(0.36, 0.5)
    tip = rng.uniform(0.0, 0.06)
    body = cone((0, half, 0), radius, half, main, tip, 0.02, material="gloss")
    if chance(rng, 0.6):
        return [body]
    band = BRIGHT if brightness(main) < 200 else (226, 96, 40)
    rings = [_ring(radius, tip, half, low, 0.13, band) for low in (0.3, 0.58)]
    foot = box((0, 0.03, 0), (1.15 * radius, 0.035, 1.15 * radius), shade(main, 0.85), 0.03)
    return place([body, *rings, foot], yaw=rng.uniform(-45, 45))


def _ring(radius: float, tip: float, half: float, low: float, tall: float, color: Color) -> Shape:
    """A band round a cone from the share `low` of its height on, `tall` of its height wide."""
    bottom, top = (radius + (tip - radius) * share + 0.008 for share in (low, low + tall))
    middle = 2 * half * (low + tall / 2)
    return cone((0, middle, 0), bottom, half * tall, color, top, 0.004, material="gloss")


# ---------------------------------------------------------------------------------- buildings


def house(
    color: Color | None,
    rng: Rng,
    pose: str = "standing",
    night: bool = False,
    snow: float = 0.0,
) -> list[Shape]:
    """A cottage about 2.2 m tall; `night` lights its windows, `snow` (0 to 1) lies on its roof."""
    wall = vary(blended(WALLS, rng.random()), rng) if color is None else color
    half = np.array((rng.uniform(0.72, 0.95), rng.uniform(0.54, 0.66), rng.uniform(0.55, 0.7)))
    rise = half[0] * rng.uniform(0.75, 1.1)
    across = chance(rng, 0.35)  # the ridge runs from left to right
    parts = [box((0, half[1], 0), half, wall, 0.004)]
    parts += _roof(half, rise, across, wall, snow, rng)
    parts += _front(half, wall, night, rng)
    if not across and chance(rng, 0.7):
        parts += _round_window((0, 2 * half[1] + 0.3 * rise, -half[2]), 0.13, wall, night)
    return parts


def _roof(half, rise: float, across: bool, wall: Color, snow: float, rng: Rng) -> list[Shape]:
    """Gable, two slabs, a chimney, and snow on the slabs."""
    color = vary(blended(ROOFS, rng.random()), rng)
    if across:
        half = half[[2, 1, 0]]
        rise = min(rise, 1.15 * half[0])
    slope = np.rad2deg(np.arctan2(rise, half[0]))
    length = np.hypot(rise, half[0])
    top = 2 * half[1]
    parts = [prism((0, top - 0.005, 0), half[0], rise, half[2], wall)]
    for s in (-1, 1):
        axes = turn("z", -s * slope)
        middle = np.array((s * 0.53 * half[0], top + 0.47 * rise, 0))
        slab = (0.5 * length + 0.08, 0.045, half[2] + 0.11)
        parts.append(
            box(middle + axes @ (0, 0.04, 0), slab, color, 0.02, rotation=axes, material="brick")
        )
        if snow > 0:
            cover = np.array(slab) * (0.97, 0, 0.97) + (0, 0.02 + 0.05 * snow, 0)
            lift = axes @ (0, 0.075 + 0.05 * snow, 0)
            parts.append(
                box(
                    middle + lift,
                    cover,
                    SNOW,
                    cover[1],
                    rotation=axes,
                    material="snow",
                    blend=0.03 if s > 0 else 0,
                )
            )
    parts += _chimney(half, top, rise, snow, rng)
    return spin(parts, turn("y", 90)) if across else parts


def _chimney(half, top: float, rise: float, snow: float, rng: Rng) -> list[Shape]:
    s = rng.choice((-1, 1))
    x, z = s * half[0] * rng.uniform(0.35, 0.6), rng.uniform(-0.25, 0.4) * half[2]
    height = top + rise + rng.uniform(0.0, 0.15)
    low = top + rise * (1 - abs(x) / half[0]) - 0.1
    color = vary((164, 84, 66), rng)
    middle = ((height + low) / 2, (height - low) / 2)
    parts = [
        box((x, middle[0], z), (0.1, middle[1], 0.1), color, 0.01, material="brick"),
        box((x, height, z), (0.125, 0.035, 0.125), shade(color, 0.8), 0.01, material="stone"),
    ]
    if snow > 0:
        parts.append(
            ellipsoid(
                (x, height + 0.03, z), (0.13, 0.03 + 0.05 * snow, 0.13), SNOW, material="snow"
            )
        )
    return parts


def _front(half, wall: Color, night: bool, rng: Rng) -> list[Shape]:
    """The door and the windows of the front, and one window on each side wall."""
    trim = BRIGHT if brightness(wall) < 215 else (150, 110, 80)
    z = -half[2]
    places = [(-0.56, 0.0, 0.56), (-0.38, 0.4), (0.38, -0.4)][rng.choice(3, p=(0.6, 0.2, 0.2))]
    door = 1 if len(places) == 3 else 0
    parts = _door((places[door] * half[0], 0, z), half[1], trim, rng)
    size = (0.15 * rng.uniform(0.9, 1.2), 0.18 * rng.uniform(0.9, 1.2))
    extras = (chance(rng, 0.45), chance(rng, 0.45), vary(blended(TOYS, rng.random()), rng))
    for i, x in enumerate(places):
        if i != door:
            parts += _window(size, trim, night, (x * half[0], 1.15 * half[1], z))
            parts += move(_dressing(size, *extras, rng), (x * half[0], 1.15 * half[1], z))
    for s in (-1, 1):
        parts += _window(size, trim, night, (s * half[0], 1.15 * half[1], 0), -90 * s)
    return parts + (_bushes(half, rng) if chance(rng, 0.4) else [])


def _dressing(size, shutters: bool, flowers: bool, color: Color, rng: Rng) -> list[Shape]:
    """Shutters beside a window and a box of flowers below it, around the window's middle."""
    (w, h), parts = size, []
    if shutters:
        for s in (-1, 1):
            parts.append(
                box((s * (w + 0.1), 0, -0.015), (0.06, h + 0.02, 0.02), shade(color, 0.8), 0.01)
            )
    if flowers:
        parts.append(
            box(
                (0, -h - 0.07, -0.06), (w + 0.02, 0.04, 0.05), (128, 84, 54), 0.015, material="wood"
            )
        )
        parts.append(
            ellipsoid((0, -h - 0.03, -0.06), (w, 0.04, 0.05), (80, 140, 60), material="leaf")
        )
        for x in np.linspace(-0.75, 0.75, 4) * w:
            at = (x + rng.uniform(-0.01, 0.01), -h + rng.uniform(-0.01, 0.015), -0.085)
            parts.append(ellipsoid(at, 0.036, color))
    return parts


def _bushes(half, rng: Rng) -> list[Shape]:
    """A bush at each front corner."""
    green, parts = vary(blended(LEAVES, rng.random()), rng), []
    for s in (-1, 1):
        size = rng.uniform(0.16, 0.24)
        at = (s * half[0] * rng.uniform(0.85, 1.0), 0.95 * size, -half[2] - 0.1)
        parts.append(ellipsoid(at, (1.15 * size, size, size), green, material="leaf"))
    return parts


def _door(at, half: float, trim: Color, rng: Rng) -> list[Shape]:
    color = vary(
        blended([(110, 66, 42), (60, 92, 110), (150, 60, 50), (70, 100, 70)], rng.random()), rng
    )
    at, tall = np.asarray(at, float), 0.62 * half
    return [
        box(at + (0, tall, 0), (0.185, tall + 0.03, 0.02), trim, 0.01),
        box(at + (0, tall, -0.01), (0.15, tall, 0.025), color, 0.015, material="wood"),
        ellipsoid(at + (0.1, 0.95 * tall, -0.045), 0.024, (250, 206, 90), material="metal"),
        box(at + (0, 0.03, -0.1), (0.24, 0.035, 0.12), (168, 164, 160), 0.015, material="stone"),
    ]


def _window(size, trim: Color, night: bool, at, yaw: float = 0.0) -> list[Shape]:
    """A window with a frame and a cross, on a wall whose outside is turned by `yaw` degrees."""
    w, h = size
    parts = [box((0, 0, 0), (w + 0.035, h + 0.035, 0.02), trim, 0.01), _pane(w, h, night)]
    parts.append(box((0, 0, -0.02), (0.012, h, 0.012), trim, 0.004))
    parts.append(box((0, 0, -0.02), (w, 0.012, 0.012), trim, 0.004))
    parts.append(box((0, -h - 0.05, -0.03), (w + 0.07, 0.022, 0.05), trim, 0.01))
    return move(spin(parts, turn("y", yaw)), at)


def _pane(w: float, h: float, night: bool) -> Shape:
    if night:
        return box((0, 0, -0.01), (w, h, 0.016), LAMPLIGHT, 0.005, material="glow")
    return box((0, 0, -0.01), (w, h, 0.016), PANE, 0.005, material="glass")


def _round_window(at, size: float, wall: Color, night: bool) -> list[Shape]:
    trim = BRIGHT if brightness(wall) < 215 else (150, 110, 80)
    color, material = (LAMPLIGHT, "glow") if night else (PANE, "glass")
    flat = turn("x", 90)
    return [
        cylinder(at, size, 0.03, trim, 0.01, rotation=flat),
        cylinder(at, 0.72 * size, 0.045, color, 0.01, rotation=flat, material=material),
    ]


# ---------------------------------------------------------------------------------- vehicles


def boat(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A sailing boat about 1.5 m tall, seen half from the side; its keel is at y = 0."""
    hull = vary(blended(TOYS, rng.random()), rng) if color is None else color
    long, wide = rng.uniform(0.66, 0.8), rng.uniform(0.24, 0.29)
    mast = (rng.uniform(-0.02, 0.1), rng.uniform(1.38, 1.55))
    parts = _hull(hull, long, wide)
    parts.append(
        limb((mast[0], 0.2, 0), (mast[0], mast[1], 0), 0.028, (150, 104, 62), 0.02, material="wood")
    )
    parts += _sails(mast, long, rng)
    if chance(rng, 0.6):
        parts += _cabin(hull, long, wide)
    return place(parts, yaw=rng.choice((0, 180)) + rng.uniform(-40, 40))


def _hull(color: Color, long: float, wide: float) -> list[Shape]:
    """A round-bellied hull whose bow rises to a point, a rail around its top, a wooden deck."""
    trim = BRIGHT if brightness(color) < 190 else (60, 90, 150)
    gloss = {"material": "gloss"}
    return [
        limb((-0.68 * long, 0.25, 0), (0.1 * long, 0.21, 0), 0.15, color, 0.2, blend=0.1, **gloss),
        limb((0.1 * long, 0.21, 0), (long, 0.41, 0), 0.2, color, 0.035, blend=0.1, **gloss),
        ellipsoid((-0.05, 0.21, 0), (0.74 * long, 0.2, wide), color, blend=0.12, **gloss),
        ellipsoid((0, 0.385, 0), (1.02 * long, 0.045, wide), trim, **gloss),
        ellipsoid(
            (-0.02, 0.4, 0), (0.88 * long, 0.045, 0.8 * wide), (196, 146, 92), material="wood"
        ),
    ]


def _sails(mast: tuple[float, float], long: float, rng: Rng) -> list[Shape]:
    color = vary(blended([(250, 246, 236), (244, 228, 196), (250, 250, 252)], rng.random()), rng, 3)
    stripe = vary(blended(TOYS, rng.random()), rng)
    x, top = mast
    drop, angle = top - 0.52, rng.uniform(30, 38)
    second = mix(color, stripe, 0.7) if chance(rng, 0.5) else color
    return [
        _sail((x - 0.03, top - 0.05), drop, -angle, color),
        _sail((x + 0.05, top - 0.2), 0.85 * drop, rng.uniform(24, 30), second),
        box((x - 0.08, top, 0), (0.075, 0.045, 0.012), stripe, 0.008, material="cloth"),
    ]


def _sail(peak, drop: float, angle: float, color: Color) -> Shape:
    """A three-cornered sail that hangs from `peak` (x, y) along the mast, `drop` metres down, and
    opens by `angle` degrees, backwards if negative."""
    axes = turn("z", angle / 2)
    wide, tall = drop * np.sin(np.deg2rad(abs(angle) / 2)), drop * np.cos(np.deg2rad(angle / 2))
    middle = np.array((*peak, 0)) - axes @ (0, tall, 0)
    return prism(middle, wide, tall, 0.018, color, rotation=axes, material="cloth")


def _cabin(hull: Color, long: float, wide: float) -> list[Shape]:
    z = 0.55 * wide
    parts = [box((-0.25, 0.46, 0), (0.2, 0.1, z), mix(hull, BRIGHT, 0.75), 0.04, material="gloss")]
    for s in (-1, 1):
        for x in (-0.33, -0.19):
            parts.append(ellipsoid((x, 0.47, s * z), (0.04, 0.04, 0.015), PANE, material="glass"))
    return parts


def car(
    color: Color | None,
    rng: Rng,
    pose: str = "standing",
    night: bool = False,
    snow: float = 0.0,
) -> list[Shape]:
    """A round little car about 1 m tall and 1.9 m long, its nose to one side and somewhat towards
    the viewer; `night` lights its lamps."""
    main = vary(blended(CARS, rng.random()), rng) if color is None else color
    roundness = rng.uniform(0.12, 0.2)
    parts = _car_body(main, roundness, rng)
    parts += _car_lights(night)
    for x in (-0.55, 0.55):
        for s in (-1, 1):
            parts += _wheel((x, 0.22, s * 0.4), s)
    if snow > 0:
        parts.append(
            ellipsoid((0.08, 0.98, 0), (0.36, 0.04 + 0.05 * snow, 0.3), SNOW, material="snow")
        )
    return place(parts, yaw=rng.choice((0, 180)) + rng.uniform(-45, 45))


def _car_body(main: Color, roundness: float, rng: Rng) -> list[Shape]:
    """Body, cabin, windows and bumpers; the nose is at negative x."""
    back = rng.uniform(0.05, 0.18)
    roof = box((back, 0.76, 0), (0.44, 0.24, 0.37), main, 0.2, blend=0.08, material="gloss")
    parts = [box((0, 0.42, 0), (0.93, 0.24, 0.46), main, roundness, material="gloss"), roof]
    parts.append(box((back, 0.77, 0), (0.36, 0.135, 0.385), GLASS, 0.06, material="glass"))
    parts.append(box((back, 0.77, 0), (0.455, 0.135, 0.29), GLASS, 0.06, material="glass"))
    parts.append(box((back, 0.77, 0), (0.03, 0.16, 0.388), main, 0.02, material="gloss"))
    for s in (-1, 1):
        parts.append(
            box((s * 0.92, 0.28, 0), (0.05, 0.045, 0.44), (206, 210, 216), 0.04, material="metal")
        )
        parts.append(
            box(
                (back + 0.12, 0.55, s * 0.465),
                (0.05, 0.015, 0.012),
                (220, 222, 226),
                0.01,
                material="metal",
            )
        )
    parts.append(box((-0.93, 0.42, 0), (0.02, 0.06, 0.14), DARK, 0.02, material="gloss"))
    return parts


def _car_lights(night: bool) -> list[Shape]:
    lamp, material = ((255, 240, 180), "glow") if night else ((250, 248, 232), "gloss")
    parts = []
    for s in (-1, 1):
        parts.append(
            ellipsoid(
                (-0.9, 0.48, s * 0.3), (0.05, 0.085, 0.085), (200, 204, 210), material="metal"
            )
        )
        parts.append(
            ellipsoid((-0.93, 0.48, s * 0.3), (0.04, 0.065, 0.065), lamp, material=material)
        )
        parts.append(
            ellipsoid((0.91, 0.46, s * 0.33), (0.04, 0.06, 0.06), (220, 50, 40), material=material)
        )
    return parts


def _wheel(at, side: int) -> list[Shape]:
    flat, at = turn("x", 90), np.asarray(at, float)
    return [
        cylinder(at, 0.22, 0.09, (40, 40, 44), 0.05, rotation=flat),
        cylinder(
            at + (0, 0, side * 0.065),
            0.125,
            0.04,
            (214, 216, 222),
            0.02,
            rotation=flat,
            material="metal",
        ),
    ]


# ---------------------------------------------------------------------------------- snowman


def snowman(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A snowman about 1.4 m tall; `color` is that of his scarf and hat."""
    wear = vary(blended(TOYS, rng.random()), rng) if color is None else color
    low = rng.uniform(0.36, 0.42)
    r = np.array((0.27, 0.25, 0.25)) * rng.uniform(0.95, 1.08)
    chest, head = 1.55 * low, 1.55 * low + 0.42
    parts = [
        ellipsoid((0, 0.86 * low, 0), (low, 0.9 * low, 0.95 * low), SNOW, material="snow"),
        ellipsoid((0, chest, 0), (0.74 * low, 0.25, 0.72 * low), SNOW, material="snow", blend=0.05),
    ]
    parts += _twigs(chest, 0.7 * low, rng)
    body = (0.74 * low, 0.25, 0.72 * low)
    parts += [_coal(front(body, 0, y) + (0, chest, 0), 0.03) for y in (-0.1, 0.02)]
    top = [ellipsoid((0, 0, 0), r, SNOW, material="snow"), *_coal_face(r, rng), *_hat(r, wear, rng)]
    tilt = turn("y", rng.uniform(-15, 15)) @ turn("z", rng.uniform(-7, 7))
    parts += _scarf(head - 0.2, wear, rng)
    return parts + spin(move(top, (0, head, 0)), tilt, (0, head - 0.2, 0))


def _coal(at, size: float) -> Shape:
    return ellipsoid(at, size, (38, 36, 40), material="gloss")


def _coal_face(r, rng: Rng) -> list[Shape]:
    """Eyes and mouth of coal, a carrot for a nose."""
    face = []
    for s in (-1, 1):
        at = front(r, s * 0.09, 0.06)
        face += [_coal(at, 0.042), ellipsoid(at + (-0.012, 0.016, -0.034), 0.011, BRIGHT)]
    curve = rng.uniform(0.02, 0.05)
    for x in (-0.1, -0.05, 0.0, 0.05, 0.1):
        face.append(_coal(front(r, x, -0.115 + curve * (10 * x) ** 2), 0.018))
    nose = front(r, 0, -0.02)
    tip = nose + (rng.uniform(-0.05, 0.05), rng.uniform(-0.04, 0.03), -rng.uniform(0.14, 0.22))
    return [*face, limb(nose, tip, 0.042, (240, 130, 40), 0.012)]


def _hat(r, color: Color, rng: Rng) -> list[Shape]:
    """A top hat with a band, or a woollen hat with a bobble."""
    trim = BRIGHT if brightness(color) < 190 else (90, 110, 160)
    low = 0.68 * r[1]
    if chance(rng, 0.5):
        tall = rng.uniform(0.1, 0.14)
        return [
            cylinder((0, low, 0), 0.27, 0.02, color, material="cloth"),
            cylinder((0, low + tall, 0), 0.175, tall, color, 0.02, material="cloth"),
            cylinder((0, low + 0.045, 0), 0.18, 0.03, trim, 0.01, material="cloth"),
        ]
    return [
        ellipsoid((0, low - 0.04, 0.02), (0.24, 0.2, 0.23), color, material="cloth"),
        torus((0, low - 0.04, 0.02), 0.225, 0.045, trim, material="cloth"),
        ellipsoid((0, low + 0.18, 0.02), 0.07, trim, material="cloth"),
    ]


def _scarf(height: float, color: Color, rng: Rng) -> list[Shape]:
    s = rng.choice((-1, 1))
    knot = np.array((s * 0.1, height - 0.01, -0.22))
    end = shade(color, 0.85)
    return [
        torus((0, height, 0), 0.19, 0.065, color, material="cloth"),
        limb(knot, knot + (s * 0.05, -0.26, -0.06), 0.055, end, 0.06, material="cloth", blend=0.02),
        limb(knot, knot + (s * 0.15, -0.16, 0.0), 0.05, end, 0.055, material="cloth", blend=0.02),
    ]


def _twigs(height: float, reach: float, rng: Rng) -> list[Shape]:
    bark, parts = vary((98, 68, 48), rng), []
    for s in (-1, 1):
        lift = rng.uniform(0.02, 0.3)
        elbow = np.array((s * (reach + 0.2), height + 0.5 * lift, -0.05))
        hand = elbow + (s * 0.13, 0.5 * lift, -0.03)
        parts += chain(((s * 0.8 * reach, height, 0), elbow, hand), (0.03, 0.026, 0.018), bark)
        parts.append(limb(elbow, elbow + (s * 0.09, 0.13, 0.02), 0.02, bark, 0.015))
    return parts


# ---------------------------------------------------------------------------------- the park


def bench(rng: Rng) -> tuple[list[Shape], float, float]:
    """A park bench with wooden planks on iron legs.

    Returns:
        its shapes; the height of its seat; the z of the middle of its seat, both in metres.
    """
    wood = vary(blended(WOODS, rng.random()), rng)
    half, height = rng.uniform(1.0, 1.2), rng.uniform(0.46, 0.54)
    parts = _planks(wood, half, height, rng)
    iron = vary(IRON, rng, 8)
    for s in (-1, 1):
        parts += _bench_side(s * (half - rng.uniform(0.14, 0.22)), height, iron)
    return parts, height, -0.02


def _planks(wood: Color, half: float, height: float, rng: Rng) -> list[Shape]:
    """Two to four planks of the seat, two or three of the back."""
    seat, back = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    parts = []
    deep, tall = 0.56 / seat, 0.42 / back
    for i in range(seat):
        z = -0.28 + deep * (i + 0.5)
        parts.append(
            box(
                (0, height - 0.03, z),
                (half, 0.03, 0.5 * deep - 0.018),
                vary(wood, rng, 5),
                0.015,
                material="wood",
            )
        )
    lean = turn("x", 12)
    for i in range(back):
        y = 0.2 + tall * (i + 0.5)
        at = np.array((0, height, 0.29)) + lean @ (0, y, 0)
        parts.append(
            box(
                at,
                (half, 0.5 * tall - 0.025, 0.025),
                vary(wood, rng, 5),
                0.015,
                rotation=lean,
                material="wood",
            )
        )
    return parts


def _bench_side(x: float, height: float, iron: Color) -> list[Shape]:
    """One of the two iron frames: legs, the bar under the seat, the post of the back, an arm."""
    knee = (x, height - 0.08, 0.3)
    bars = [
        ((x, 0.03, -0.27), (x, height - 0.08, -0.24)),
        ((x, 0.03, 0.36), knee),
        ((x, height - 0.08, -0.24), knee),
        (knee, (x, height + 0.62, 0.45)),
        ((x, height - 0.08, -0.24), (x, height + 0.2, -0.24)),
        ((x, height + 0.2, -0.24), (x, height + 0.24, 0.34)),
    ]
    return [limb(a, b, 0.032, iron, material="metal") for a, b in bars]


def lamp_post(rng: Rng, night: bool = True) -> tuple[list[Shape], np.ndarray]:
    """A street lamp about 2.8 m tall, lit if `night`.

    Returns:
        its shapes; where its light is, (3,), metres.
    """
    height, iron = rng.uniform(2.3, 2.9), vary((48, 56, 58), rng, 10)
    lamp, light = np.array((0, height, 0)), {"material": "glow" if night else "gloss"}
    parts = [
        cone((0, 0.16, 0), 0.15, 0.16, iron, 0.06, material="metal"),
        limb((0, 0.2, 0), (0, height - 0.2, 0), 0.045, iron, 0.036, material="metal"),
        torus((0, 0.36, 0), 0.05, 0.025, iron, material="metal"),
        cylinder(lamp - (0, 0.2, 0), 0.09, 0.025, iron, material="metal"),
    ]
    if chance(rng, 0.5):
        parts.append(ellipsoid(lamp, rng.uniform(0.15, 0.19), (255, 236, 186), **light))
        parts.append(cone(lamp + (0, 0.2, 0), 0.09, 0.05, iron, 0.02, material="metal"))
        return parts, lamp
    parts.append(cone(lamp, 0.09, 0.16, (255, 236, 186), 0.15, 0.02, **light))
    parts.append(cone(lamp + (0, 0.22, 0), 0.21, 0.08, iron, 0.03, 0.02, material="metal"))
    parts.append(ellipsoid(lamp + (0, 0.33, 0), 0.04, iron, material="metal"))
    return parts, lamp


# ---------------------------------------------------------------------------------- invented


def flooble(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A creature that exists nowhere else, about 1.1 m tall: a round striped body, three eyes on
    stalks, a spiral tail and four stub feet. No training picture shows it."""
    main = vary((30, 158, 156), rng, 6) if color is None else color
    stripe = vary((250, 140, 40), rng, 6)
    wide, tall = rng.uniform(0.37, 0.42), rng.uniform(0.32, 0.37)
    r = np.array((wide, tall, wide))
    body = [ellipsoid((0, 0, 0), r, main)]
    body += [_hoop(r, y, stripe) for y in (-0.2, -0.03, 0.14)]
    body += _stalks(r, main, rng)
    body += smile(
        (r[0] + 0.02, r[1], r[2] + 0.02), -0.115, 0.13, 0.06, (90, 30, 50), 0.02, 0.8, 0.015
    )
    body = move(body, (0, 0.4, 0)) + _spiral_tail(main, stripe, rng)
    for x, z in ((-0.2, -0.18), (0.2, -0.18), (-0.2, 0.18), (0.2, 0.18)):
        body.append(ellipsoid((x, 0.07, z), (0.1, 0.07, 0.12), stripe))
    return body


def _hoop(r, y: float, color: Color) -> Shape:
    """A raised stripe around a body of revolution at the height y."""
    wide = r[0] * np.sqrt(1 - (y / r[1]) ** 2) + 0.02
    return cylinder((0, y, 0), wide, 0.05, color, 0.045)


def _stalks(r, color: Color, rng: Rng) -> list[Shape]:
    parts = []
    for x in (-0.2, 0.0, 0.2):
        foot = np.array((x, r[1] * 0.75, -0.02))
        top = foot + (0.6 * x + rng.uniform(-0.03, 0.03), rng.uniform(0.22, 0.34), -0.02)
        parts.append(limb(foot, top, 0.055, color, 0.04, blend=0.04))
        parts += move(eye((0.09, 0.09, 0.09), 0, 0, 0.085, lift=-0.045, pupil=(0.55, 0.6)), top)
        parts.insert(-4, ellipsoid(top, 0.09, color))
    return parts


def _spiral_tail(main: Color, stripe: Color, rng: Rng) -> list[Shape]:
    """A tail that rolls up beside the body."""
    s = rng.choice((-1, 1))
    turns = np.linspace(0, 2.2 * np.pi, 10)
    size = 0.22 * (1 - 0.088 * np.arange(10))
    points = [
        (s * (0.56 + k * -np.cos(a)), 0.36 - k * np.sin(a) * 1.0, 0.12)
        for k, a in zip(size, turns, strict=True)
    ]
    points = [(s * 0.3, 0.36, 0.12), *points]
    colors = [main if i % 2 else stripe for i in range(10)]
    return chain(points, list(np.linspace(0.075, 0.04, 11)), colors, blend=0.0)


THINGS: dict[str, Callable] = {
    "man": man,
    "woman": woman,
    "robot": robot,
    "dog": dog,
    "cat": cat,
    "rabbit": rabbit,
    "duck": duck,
    "ball": ball,
    "cube": cube,
    "cone": cone_solid,
    "house": house,
    "boat": boat,
    "tree": tree,
    "car": car,
    "snowman": snowman,
    "mushroom": mushroom,
}

HEIGHTS: dict[str, float] = {
    "man": 1.5,
    "woman": 1.5,
    "robot": 1.45,
    "dog": 0.95,
    "cat": 0.8,
    "rabbit": 0.75,
    "duck": 0.7,
    "ball": 0.98,
    "cube": 0.92,
    "cone": 1.1,
    "house": 2.2,
    "boat": 1.5,
    "tree": 2.4,
    "car": 1.0,
    "snowman": 1.4,
    "mushroom": 1.0,
}
