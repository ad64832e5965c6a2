"""The characters of the world: man, woman, robot.

Each maker returns the shapes of one character around the origin: feet on the ground (y = 0), facing
the viewer (negative z). A man, woman or robot that sits has the underside of the hips at y = 0, the
thighs forward and the shins hanging below, ready to be set on a seat.
"""

from dataclasses import dataclass

import numpy as np

from course_utils.world3d.modelling import (
    BRIGHT,
    DARK,
    blended,
    brightness,
    chain,
    chance,
    eyes,
    front,
    move,
    nod,
    smile,
    spin,
    spot,
    vary,
)
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
    shade,
    torus,
    turn,
)

Rng = np.random.Generator

SKINS = [
    (255, 221, 196),
    (240, 196, 160),
    (216, 160, 116),
    (172, 114, 76),
    (122, 78, 52),
    (106, 71, 54),
]
HAIRS = [(40, 30, 28), (64, 42, 30), (104, 66, 38), (150, 96, 48), (214, 168, 92), (240, 208, 136)]
RED_HAIR, GREY_HAIR = (186, 84, 36), (188, 186, 184)
TROUSERS = [(44, 54, 92), (62, 84, 128), (70, 64, 62), (128, 104, 76), (58, 66, 58)]
CLOTHES = [(70, 110, 160), (96, 140, 120), (176, 84, 70), (220, 196, 150), (130, 110, 150)]
SHOES = [(54, 38, 32), (40, 40, 46), (120, 72, 44), (196, 192, 186)]
PUMPS = [(190, 56, 60), (236, 226, 214), (110, 70, 60), (70, 80, 120)]
METALS = [(150, 162, 178), (188, 196, 204), (126, 150, 160), (196, 178, 150)]
HEAD = (0.235, 0.25, 0.225)  # radii of a person's head
HIPS, SEAT = 0.41, 0.13  # height of the middle of the hips, standing and sitting


@dataclass(frozen=True)
class Person:
    """What the parts of one man or woman have in common."""

    skin: Color
    hair: Color
    top: Color  # shirt or dress
    sitting: bool
    girth: float  # 1 for the usual figure
    shoulder: float  # half the distance between the shoulders, metres


def man(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A man of about 1.5 m; `color` is that of his shirt."""
    person = _person(color, rng, pose, shoulder=0.2)
    body = _shirt(person, rng) + _trousers(person, rng)
    arms = _arms(person, rng, 0.085)
    head = _head(person, rng) + _man_hair(person, rng)
    return _assemble(person, body, arms, head, rng)


def woman(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A woman of about 1.45 m; `color` is that of her dress, which has a wide skirt."""
    person = _person(color, rng, pose, shoulder=0.165)
    body = _dress(person, rng)
    arms = _arms(person, rng, 0.068)
    lips = mix(person.skin, (206, 50, 80), 0.5)
    head = _head(person, rng, lips, lashes=True) + _woman_hair(person, rng)
    return _assemble(person, body, arms, head, rng)


def robot(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A toy robot of about 1.45 m with a screen or two lenses for a face."""
    main = vary(blended(METALS, rng.random()), rng) if color is None else color
    dark = shade(mix(main, (70, 76, 92), 0.55), 0.75)
    sitting = pose == "sitting"
    edge = rng.uniform(0.03, 0.12)
    halves = np.array([rng.uniform(0.22, 0.27), rng.uniform(0.2, 0.24), 0.17])
    low = 0.0 if sitting else 0.4
    body = _robot_legs(main, dark, sitting, rng)
    body += _robot_trunk(halves, low, edge, main, dark, rng)
    body += _robot_arms(halves, low, sitting, main, dark, rng)
    neck = low + 2 * halves[1]
    body.append(cylinder((0, neck + 0.03, 0), 0.07, 0.06, dark, material="metal"))
    head = move(_robot_head(edge, main, dark, rng), (0, neck + 0.25, 0))
    return place(body + spin(head, nod(rng), (0, neck, 0)), scale=rng.uniform(0.95, 1.05))


# ---------------------------------------------------------------------------------- people


def _person(color: Color | None, rng: Rng, pose: str, shoulder: float) -> Person:
    girth, tan = rng.uniform(0.88, 1.18), rng.random()
    return Person(
        skin=vary(blended(SKINS, tan), rng, 5),
        hair=_hair_color(tan, rng),
        top=vary(blended(CLOTHES, rng.random()), rng) if color is None else color,
        sitting=pose == "sitting",
        girth=girth,
        shoulder=shoulder * (0.6 + 0.4 * girth),
    )


def _hair_color(tan: float, rng: Rng) -> Color:
    """Grey at times; else from black to blond, or red, but dark with a dark skin (`tan` near 1)."""
    kind = rng.random()
    if kind < 0.12:
        return vary(GREY_HAIR, rng)
    if kind < 0.26 and tan < 0.4:
        return vary(RED_HAIR, rng)
    return vary(blended(HAIRS, rng.random() * (1.0 - 0.75 * tan)), rng, 6)


def _assemble(person: Person, body, arms, head, rng: Rng) -> list[Shape]:
    """Put the upper body on its hips, the head on its neck, and give the whole its size."""
    neck = (0, 0.5, 0)
    lean = turn("x", rng.uniform(-1, 5) if person.sitting else rng.uniform(-2, 2))
    head = place(head, (0, 0.735, -0.01), scale=rng.uniform(1.08, 1.18))
    upper = arms + spin(head, nod(rng), neck)
    whole = move(body + spin(upper, lean), (0, SEAT if person.sitting else HIPS, 0))
    return place(whole, scale=rng.uniform(0.95, 1.05))


def _shirt(person: Person, rng: Rng) -> list[Shape]:
    w = person.girth
    shirt = [
        ellipsoid((0, 0.19, 0), (0.215 * w, 0.27, 0.165 * w), person.top, material="cloth"),
        ellipsoid(
            (0, 0.04, 0), (0.2 * w, 0.1, 0.165 * w), person.top, material="cloth", blend=0.06
        ),
    ]
    trim = shade(person.top, 0.72 if brightness(person.top) > 80 else 1.9)
    radii = (0.215 * w, 0.27, 0.165 * w)
    if chance(rng, 0.5):
        return shirt + [
            ellipsoid(front(radii, 0, y) + (0, 0.19, 0), 0.02, trim, material="gloss")
            for y in (-0.13, -0.03, 0.07)
        ]
    pocket = front(radii, 0.09, 0.06) + (0, 0.19, 0.0)
    return [
        *shirt,
        box(pocket, (0.045, 0.045, 0.02), trim, material="cloth", rotation=turn("y", -25)),
    ]


def _trousers(person: Person, rng: Rng) -> list[Shape]:
    color = vary(blended(TROUSERS, rng.random()), rng)
    shoe = vary(blended(SHOES, rng.random()), rng)
    w = person.girth
    hips = ellipsoid((0, -0.01, 0), (0.195 * w, 0.12, 0.16 * w), color, material="cloth")
    legs = _legs(person, rng, color, 0.1, 0.082)
    return [hips, *legs, *_shoes(person, shoe)]


def _legs(person: Person, rng: Rng, color: Color, thick: float, thin: float) -> list[Shape]:
    """Two legs from the hips to the ankles; bent at the knees when sitting."""
    if not person.sitting:
        return [
            limb(
                (s * 0.1, -0.06, 0), (s * 0.11, 0.11 - HIPS, 0), thick, color, tip=thin, blend=0.03
            )
            for s in (-1, 1)
        ]
    legs = []
    for s in (-1, 1):
        knee, ankle = (s * 0.115, -0.02, -0.36), (s * 0.12, -0.36, -0.4)
        legs.append(limb((s * 0.1, -0.02, -0.04), knee, thick, color, blend=0.03))
        legs.append(limb(knee, ankle, thick, color, tip=thin, blend=0.03))
    return legs


def _shoes(person: Person, color: Color) -> list[Shape]:
    y, z = (-0.42, -0.44) if person.sitting else (-HIPS + 0.065, -0.045)
    return [
        box((s * 0.12, y, z), (0.085, 0.065, 0.13), color, 0.06, material="gloss") for s in (-1, 1)
    ]


def _dress(person: Person, rng: Rng) -> list[Shape]:
    w, cloth = person.girth, {"material": "cloth"}
    hem = shade(person.top, 0.8) if brightness(person.top) > 80 else shade(person.top, 1.6)
    bodice = ellipsoid((0, 0.24, 0), (0.17 * w, 0.22, 0.135 * w), person.top, **cloth)
    belt = torus((0, 0.13, 0), 0.13 * w, 0.028, mix(hem, BRIGHT, 0.5), **cloth)
    shoe = vary(blended(PUMPS, rng.random()), rng)
    legs = _legs(person, rng, person.skin, 0.075, 0.058) + _shoes(person, shoe)
    if person.sitting:
        lap = [
            ellipsoid((0, 0.0, -0.02), (0.22 * w, 0.13, 0.19), person.top, blend=0.09, **cloth),
            box((0, 0.0, -0.22), (0.24 * w, 0.115, 0.2), person.top, 0.1, blend=0.09, **cloth),
            box((0, -0.06, -0.37), (0.25 * w, 0.13, 0.1), person.top, 0.09, blend=0.07, **cloth),
        ]
        return [bodice, *lap, belt, *legs]
    wide, low = rng.uniform(0.26, 0.33), rng.uniform(-0.25, -0.17)
    half = 0.5 * (0.14 - low)
    skirt = [
        cone((0, low + half, 0), wide, half, person.top, 0.11 * w, 0.03, blend=0.07, **cloth),
        torus((0, low + 0.02, 0), wide - 0.025, 0.026, hem, **cloth),
    ]
    return [bodice, *skirt, belt, *legs]


def _arms(person: Person, rng: Rng, thickness: float) -> list[Shape]:
    """Two arms with sleeves, long or short, each in a posture of its own."""
    long_sleeve = chance(rng, 0.5)
    lower = person.top if long_sleeve else person.skin
    arms = []
    for side, angles in zip((-1, 1), _postures(person.sitting, rng), strict=True):
        start = np.array((side * person.shoulder, 0.34, 0))
        elbow = start + 0.17 * _toward(side, angles[0], angles[1])
        wrist = elbow + 0.15 * _toward(side, angles[2], angles[3])
        hand = elbow + 0.2 * _toward(side, angles[2], angles[3])
        sleeve = limb(
            start, elbow, thickness, person.top, 0.85 * thickness, material="cloth", blend=0.06
        )
        arms.append(sleeve)
        cuff = 0.02 * long_sleeve
        arms.append(limb(elbow, wrist, 0.8 * thickness, lower, 0.68 * thickness, blend=cuff))
        arms.append(ellipsoid(hand, 0.07, person.skin, blend=0.02 - cuff))
    collar = torus((0, 0.45, 0), 0.085, 0.03, shade(person.top, 0.85), material="cloth")
    return [*arms, collar, limb((0, 0.43, 0), (0, 0.55, 0), 0.08, person.skin)]


def _toward(side: int, outward: float, forward: float) -> np.ndarray:
    """The direction of an arm that is raised `outward` degrees, and swung `forward`."""
    out, fore = np.deg2rad(outward), np.deg2rad(forward)
    return np.array([side * np.sin(out), -np.cos(out) * np.cos(fore), -np.cos(out) * np.sin(fore)])


def _postures(sitting: bool, rng: Rng) -> list[tuple[float, ...]]:
    """For each arm: upper arm outward and forward, lower arm outward and forward, in degrees."""
    low = (
        (rng.uniform(14, 24), rng.uniform(8, 22), rng.uniform(-22, -4), rng.uniform(55, 80))
        if sitting
        else (rng.uniform(16, 36), rng.uniform(-12, 18), rng.uniform(4, 24), rng.uniform(5, 40))
    )
    other = (low[0] + rng.uniform(-5, 8), -low[1] if not sitting else low[1], low[2], low[3])
    special = rng.random()
    if special < 0.22:  # a wave of the hand
        other = (
            rng.uniform(75, 105),
            rng.uniform(0, 20),
            rng.uniform(140, 175),
            rng.uniform(-10, 10),
        )
    elif special < 0.36 and not sitting:  # hands on the hips
        low = other = (rng.uniform(42, 54), -10.0, rng.uniform(-50, -38), rng.uniform(15, 30))
    pair = [low, other]
    return pair if chance(rng, 0.5) else pair[::-1]


def _head(person: Person, rng: Rng, lips: Color | None = None, lashes: bool = False) -> list[Shape]:
    """Skull, ears, nose and face, around the middle of the head."""
    skin = person.skin
    r = np.array(HEAD) * (rng.uniform(0.96, 1.05), rng.uniform(0.97, 1.05), 1.0)
    head = [
        ellipsoid((0, 0, 0), r, skin, blend=0.02),
        ellipsoid((0, -0.1, -0.02), (0.78 * r[0], 0.15, 0.8 * r[2]), skin, blend=0.06),
    ]
    head += [
        ellipsoid((s * r[0], -0.02, 0.02), (0.045, 0.065, 0.04), skin, blend=0.03) for s in (-1, 1)
    ]
    size = rng.uniform(0.026, 0.037)
    nose = front(r, 0, -0.05, 0.01)
    head.append(ellipsoid(nose, (size, size, 1.15 * size), shade(skin, 0.94), blend=0.02))
    blush = mix(skin, (246, 108, 100), 0.26)
    head += [spot(r, s * 0.14, -0.08, (0.042, 0.034), blush) for s in (-1, 1)]
    return head + _face(r, person, rng, lips, lashes)


def _face(r, person: Person, rng: Rng, lips: Color | None, lashes: bool) -> list[Shape]:
    spread, size = rng.uniform(0.086, 0.098), rng.uniform(0.056, 0.066)
    face = eyes(r, spread, 0.015, size, rng, pupil=(0.76, 0.8))
    brow, rise = shade(person.hair, 0.75), rng.uniform(0.0, 0.014)
    for s in (-1, 1):
        inner = front(r, s * (spread - 0.035), 0.122 + rise, 0.002)
        outer = front(r, s * (spread + 0.045), 0.118, 0.002)
        face.append(limb(inner, outer, 0.012, brow, 0.01))
        if lashes:
            face += _lashes(r, s * spread, s, size)
    return face + _mouth(r, person.skin, lips, rng)


def _mouth(r, skin: Color, lips: Color | None, rng: Rng) -> list[Shape]:
    """A smiling mouth, open at times, then with a row of teeth."""
    dim = brightness(skin) < 110
    line = mix(skin, (236, 130, 120), 0.45) if dim else mix(shade(skin, 0.5), (140, 40, 40), 0.4)
    width, curve = rng.uniform(0.068, 0.088), rng.uniform(0.03, 0.05)
    if chance(rng, 0.6):
        full = 0.6 if lips else 0.1
        return smile(r, -0.15, width, curve, lips or line, 0.01, full, 0.014)
    mouth = smile(r, -0.152, width, curve, (116, 30, 36), 0.011, rng.uniform(1.4, 2.2), 0.02)
    teeth = front(r, 0, -0.132, 0.022)
    return [
        *mouth,
        box(teeth, (0.55 * width, 0.011, 0.012), BRIGHT, 0.008, rotation=turn("x", -25)),
    ]


def _lashes(r, x: float, side: int, size: float) -> list[Shape]:
    """A dark line over the outer half of an eye, with a flick at its end."""
    shares = ((0.1, 1.1), (0.85, 0.72), (1.35, 0.95))
    points = [front(r, x + side * a * size, 0.015 + b * size, 0.012) for a, b in shares]
    return chain(points, (0.008, 0.013, 0.006), DARK)


def _man_hair(person: Person, rng: Rng) -> list[Shape]:
    """Short hair of one of several cuts, or none; a beard, a moustache or glasses at times."""
    cut = _pick(rng, (_parted, _quiff, _curls, _crew_cut, _bald), (0.3, 0.22, 0.2, 0.18, 0.1))
    shapes = cut(person.hair, rng)
    if chance(rng, 0.2):
        shapes += _beard(person.hair, rng)
    elif chance(rng, 0.15):
        shapes += _moustache(person.hair)
    return shapes + (_glasses(rng) if chance(rng, 0.18) else [])


def _woman_hair(person: Person, rng: Rng) -> list[Shape]:
    """Long hair, a bob, a bun, two bunches or big curls; glasses at times."""
    cut = _pick(rng, (_long, _bob, _bun, _bunches, _big_curls), (0.3, 0.2, 0.17, 0.18, 0.15))
    return cut(person.hair, rng) + (_glasses(rng) if chance(rng, 0.12) else [])


def _pick(rng: Rng, options, weights):
    return options[int(rng.choice(len(options), p=weights))]


def _cap_of_hair(hair: Color, low: float = 0.065, size: float = 1.07) -> Shape:
    """A helmet of hair that leaves the face free; `low` moves the hairline up."""
    return ellipsoid((0, low, 0.05), (HEAD[0] * size, HEAD[1] * size, HEAD[2] * size), hair)


def _parted(hair: Color, rng: Rng) -> list[Shape]:
    s = rng.choice((-1, 1))
    sweep = limb((s * 0.15, 0.2, -0.13), (-s * 0.15, 0.155, -0.15), 0.06, hair, 0.05, blend=0.03)
    top = limb((s * 0.12, 0.25, -0.03), (-s * 0.12, 0.23, -0.05), 0.06, hair, blend=0.05)
    return [_cap_of_hair(hair), sweep, top]


def _quiff(hair: Color, rng: Rng) -> list[Shape]:
    lean = rng.uniform(-0.08, 0.08)
    tufts = [
        limb((x, 0.2, -0.12), (x + lean, 0.29 - abs(x) * 0.3, -0.16), 0.06, hair, 0.045, blend=0.03)
        for x in (-0.11, 0.0, 0.11)
    ]
    return [_cap_of_hair(hair), *tufts]


def _curls(hair: Color, rng: Rng) -> list[Shape]:
    balls = [_cap_of_hair(hair, 0.07)]
    for angle in np.linspace(-80, 80, 6) + rng.uniform(-8, 8, 6):
        x, y = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
        at = (0.21 * x, 0.06 + 0.2 * y, -0.09 + rng.uniform(-0.02, 0.02))
        balls.append(ellipsoid(at, rng.uniform(0.075, 0.095), hair, blend=0.03))
    return balls


def _crew_cut(hair: Color, rng: Rng) -> list[Shape]:
    return [_cap_of_hair(hair, rng.uniform(0.075, 0.1), 1.03)]


def _bald(hair: Color, rng: Rng) -> list[Shape]:
    return [ellipsoid((s * 0.2, -0.0, 0.06), (0.06, 0.1, 0.13), hair, blend=0.0) for s in (-1, 1)]


def _beard(hair: Color, rng: Rng) -> list[Shape]:
    return [
        ellipsoid((0, -0.2, -0.075), (0.15, rng.uniform(0.08, 0.11), 0.13), hair),
        limb((-0.2, -0.02, -0.03), (-0.13, -0.17, -0.08), 0.045, hair, 0.06, blend=0.03),
        limb((0.2, -0.02, -0.03), (0.13, -0.17, -0.08), 0.045, hair, 0.06, blend=0.03),
    ]


def _moustache(hair: Color) -> list[Shape]:
    return [
        limb((s * 0.015, -0.095, -0.235), (s * 0.085, -0.115, -0.2), 0.028, hair, 0.014)
        for s in (-1, 1)
    ]


def _glasses(rng: Rng) -> list[Shape]:
    color = blended([(40, 36, 40), (120, 60, 40), (60, 70, 110)], rng.random())
    rims = [
        torus(
            (s * 0.09, 0.03, -0.245),
            0.07,
            0.011,
            color,
            rotation=turn("y", -s * 15) @ turn("x", 90),
        )
        for s in (-1, 1)
    ]
    return [*rims, limb((-0.03, 0.035, -0.255), (0.03, 0.035, -0.255), 0.01, color)]


def _fringe(hair: Color, rng: Rng) -> list[Shape]:
    """Hair over the forehead, from a parting that may be anywhere."""
    part = rng.uniform(-0.1, 0.1)
    return [
        limb((part, 0.24, -0.11), (s * 0.19, 0.1, -0.12), 0.055, hair, 0.045, blend=0.03)
        for s in (-1, 1)
    ]


def _long(hair: Color, rng: Rng) -> list[Shape]:
    length = rng.uniform(-0.36, -0.22)
    locks = [
        limb((s * 0.22, 0.08, 0.0), (s * 0.235, length, 0.03), 0.07, hair, 0.055, blend=0.05)
        for s in (-1, 1)
    ]
    back = ellipsoid((0, -0.08, 0.12), (0.235, 0.08 - length, 0.12), hair, blend=0.05)
    return [_cap_of_hair(hair), *locks, back, *_fringe(hair, rng)]


def _bob(hair: Color, rng: Rng) -> list[Shape]:
    sides = [
        ellipsoid((s * 0.21, -0.03, 0.02), (0.085, rng.uniform(0.15, 0.18), 0.13), hair, blend=0.05)
        for s in (-1, 1)
    ]
    straight = limb((-0.14, 0.155, -0.14), (0.14, 0.155, -0.14), 0.055, hair, blend=0.03)
    return [_cap_of_hair(hair), *sides, straight]


def _bun(hair: Color, rng: Rng) -> list[Shape]:
    bun = ellipsoid(
        (rng.uniform(-0.06, 0.06), 0.33, 0.05), rng.uniform(0.09, 0.12), hair, blend=0.03
    )
    return [_cap_of_hair(hair), bun, *_fringe(hair, rng)]


def _bunches(hair: Color, rng: Rng) -> list[Shape]:
    band = [(226, 84, 100), (250, 200, 80), (80, 150, 200)][rng.integers(3)]
    drop, tails = rng.uniform(0.16, 0.26), []
    for s in (-1, 1):
        knot = np.array((s * 0.25, 0.06, 0.03))
        tails.append(
            limb(
                knot + (s * 0.05, 0, 0), knot + (s * 0.09, -drop, 0), 0.075, hair, 0.04, blend=0.02
            )
        )
        tails.append(ellipsoid(knot, 0.048, band, material="gloss"))
    return [_cap_of_hair(hair), *_fringe(hair, rng), *tails]


def _big_curls(hair: Color, rng: Rng) -> list[Shape]:
    balls = [ellipsoid((0, 0.08, 0.08), (0.3, 0.26, 0.22), hair)]
    for angle in np.linspace(-115, 115, 8) + rng.uniform(-8, 8, 8):
        x, y = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
        at = (0.25 * x, 0.06 + 0.21 * y, -0.03 + rng.uniform(-0.03, 0.03))
        balls.append(ellipsoid(at, rng.uniform(0.09, 0.115), hair, blend=0.04))
    return balls


# ---------------------------------------------------------------------------------- robot


def _robot_legs(main: Color, dark: Color, sitting: bool, rng: Rng) -> list[Shape]:
    thick, x = rng.uniform(0.06, 0.08), rng.uniform(0.11, 0.14)
    parts = []
    for s in (-1, 1):
        hip = (s * x, thick, -0.03) if sitting else (s * x, 0.42, 0)
        knee = (s * x, thick, -0.33) if sitting else (s * x, 0.26, -0.01)
        ankle = (s * x, -0.26, -0.35) if sitting else (s * x, 0.08, 0)
        parts.append(limb(hip, knee, thick, dark, material="metal"))
        parts.append(limb(knee, ankle, thick, dark, material="metal"))
        parts.append(ellipsoid(knee, 1.25 * thick, main, material="metal"))
        foot = (ankle[0], ankle[1] - 0.01, ankle[2] - 0.045)
        parts.append(box(foot, (0.105, 0.07, 0.15), main, 0.05, material="gloss"))
    return parts


def _robot_trunk(
    halves, low: float, edge: float, main: Color, dark: Color, rng: Rng
) -> list[Shape]:
    middle = np.array((0, low + halves[1], 0))
    face = -halves[2]
    panel = box(middle + (0, 0.02, face), (0.14, 0.11, 0.02), mix(main, BRIGHT, 0.6), 0.02)
    accents = [(240, 80, 60), (250, 200, 60), (80, 200, 120), (70, 160, 240)]
    order = rng.permutation(len(accents))
    trunk = [box(middle, halves, main, edge, material="gloss"), panel]
    for i, x in enumerate((-0.07, 0.0, 0.07)):
        at = middle + (x, 0.06, face - 0.02)
        trunk.append(ellipsoid(at, (0.028, 0.028, 0.018), accents[order[i]], material="glow"))
    gauge = middle + (0, -0.035, face - 0.02)
    trunk.append(box(gauge, (0.1, 0.03, 0.012), dark, 0.01))
    trunk.append(cylinder((0, low + 0.01, 0), 0.16, 0.03, dark, material="metal"))
    return trunk


def _robot_arms(
    halves, low: float, sitting: bool, main: Color, dark: Color, rng: Rng
) -> list[Shape]:
    arms = []
    for side, angles in zip((-1, 1), _postures(sitting, rng), strict=True):
        start = np.array((side * (halves[0] + 0.03), low + 2 * halves[1] - 0.1, 0))
        elbow = start + 0.17 * _toward(side, angles[0] + 6, angles[1])
        along = _toward(side, angles[2], angles[3])
        wrist = elbow + 0.15 * along
        arms.append(ellipsoid(start, 0.085, main, material="gloss"))
        arms += chain((start, elbow, wrist), (0.055, 0.055, 0.05), dark, material="metal")
        arms.append(ellipsoid(elbow, 0.07, main, material="metal"))
        arms.append(ellipsoid(wrist + 0.03 * along, 0.075, main, material="gloss"))
        for spread in (-0.05, 0.05):
            tip = wrist + 0.13 * along + (spread, 0, 0)
            arms.append(
                limb(wrist + 0.05 * along + (0.7 * spread, 0, 0), tip, 0.03, dark, material="metal")
            )
    return arms


def _robot_head(edge: float, main: Color, dark: Color, rng: Rng) -> list[Shape]:
    """The head around its own middle: a box, more or less round, with a face and antennas."""
    halves = np.array([rng.uniform(0.24, 0.3), rng.uniform(0.175, 0.21), 0.19])
    head = [box((0, 0, 0), halves, main, 0.8 * edge + 0.05, material="gloss")]
    for s in (-1, 1):
        ear = cylinder(
            (s * halves[0], 0, 0), 0.075, 0.035, dark, rotation=turn("z", 90), material="metal"
        )
        head.append(ear)
    light = [(110, 240, 255), (140, 255, 170), (255, 220, 110), (255, 150, 200)][rng.integers(4)]
    make = _screen_face if chance(rng, 0.6) else _lens_face
    return head + make(halves, light, dark, rng) + _antennas(halves, dark, rng)


def _screen_face(halves, light: Color, dark: Color, rng: Rng) -> list[Shape]:
    flat = (10.0, 10.0, halves[2] + 0.02)
    face = [
        box(
            (0, 0, -halves[2]),
            (0.8 * halves[0], 0.72 * halves[1], 0.02),
            (22, 27, 42),
            0.02,
            material="gloss",
        )
    ]
    tall, x = rng.uniform(0.8, 1.35), rng.uniform(0.085, 0.105)
    for s in (-1, 1):
        at = (s * x, 0.025, -flat[2])
        face.append(ellipsoid(at, (0.05, 0.05 * tall, 0.014), light, material="glow"))
    mouth = smile(flat, -0.095, 0.075, rng.uniform(0.01, 0.03), light, 0.013)
    return face + [_glowing(shape) for shape in mouth]


def _glowing(shape: Shape) -> Shape:
    return Shape(shape.kind, shape.center, shape.size, shape.color, shape.rotation, "glow")


def _lens_face(halves, light: Color, dark: Color, rng: Rng) -> list[Shape]:
    flat = (10.0, 10.0, halves[2])
    size, x, face = rng.uniform(0.07, 0.085), rng.uniform(0.095, 0.11), []
    for s in (-1, 1):
        face.append(
            torus(
                (s * x, 0.03, -halves[2]),
                size,
                0.02,
                dark,
                rotation=turn("x", 90),
                material="metal",
            )
        )
    face += eyes(flat, x, 0.03, size, rng)
    grille = [
        limb((-0.08, y, -halves[2]), (0.08, y, -halves[2]), 0.014, dark) for y in (-0.1, -0.14)
    ]
    return face + (grille if chance(rng, 0.4) else smile(flat, -0.12, 0.09, 0.035, dark, 0.015))


def _antennas(halves, dark: Color, rng: Rng) -> list[Shape]:
    spots = ((0.0,), (-0.12, 0.12))[rng.integers(2)]
    color = [(240, 64, 54), (255, 196, 60), (90, 200, 255)][rng.integers(3)]
    height, parts = rng.uniform(0.08, 0.15), []
    for x in spots:
        foot, tip = (x, halves[1] - 0.02, 0), (1.3 * x, halves[1] + height, 0)
        parts.append(limb(foot, tip, 0.018, dark, material="metal"))
        parts.append(ellipsoid(tip, 0.048, color, material="gloss"))
    return parts
