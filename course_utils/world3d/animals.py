"""The animals of the world: dog, cat, rabbit, duck.

Each maker returns the shapes of one animal around the origin: paws on the ground (y = 0), facing
the viewer (negative z). Ducks, and those that stand on four legs, are seen half from the side and
look at the viewer. Sitting, they sit up as pets do.
"""

import numpy as np

from course_utils.world3d.modelling import (
    BRIGHT,
    DARK,
    bent,
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
    vary,
)
from course_utils.world3d.shapes import (
    Color,
    Point,
    Shape,
    box,
    cone,
    ellipsoid,
    limb,
    mix,
    place,
    shade,
    torus,
    turn,
)

Rng = np.random.Generator

DOGS = [(92, 60, 42), (158, 102, 58), (206, 154, 92), (232, 206, 164), (120, 112, 108)]
CATS = [(86, 82, 84), (150, 144, 140), (216, 146, 74), (190, 160, 124), (236, 226, 212)]
RABBITS = [(150, 116, 88), (196, 166, 132), (176, 172, 170), (238, 232, 226)]
DUCKS = [(250, 208, 60), (252, 224, 112), (246, 240, 226)]


def dog(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A dog of about 0.95 m that sits; if `pose` is "standing" it may be on its four legs."""
    coat = vary(blended(DOGS, rng.random()), rng) if color is None else color
    light = mix(coat, (255, 244, 226), rng.uniform(0.5, 0.75))
    four = pose == "standing" and chance(rng, 0.4)
    aside = rng.choice((-1, 1)) * rng.uniform(25, 60) if four else 0.0
    body = _dog_on_four_legs(coat, light, rng) if four else _dog_sitting(coat, light, rng)
    neck = np.array((0, 0.62, -0.2)) if four else np.array((0, 0.6, -0.06))
    band = [(200, 48, 44), (44, 92, 180), (240, 190, 60)][rng.integers(3)]
    body.append(torus(neck - (0, 0.03, 0), 0.145, 0.03, band, material="gloss"))
    body.append(ellipsoid(neck + (0, -0.09, -0.16), 0.035, (244, 200, 80), material="metal"))
    head = move(_dog_head(coat, light, rng), neck + (0, 0.12, -0.03))
    head = spin(head, turn("y", -0.75 * aside) @ nod(rng), neck)
    return place(body + head, yaw=aside, scale=rng.uniform(0.94, 1.06))


def cat(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A cat of about 0.8 m that sits; if `pose` is "standing" it may be on its four legs."""
    coat = vary(blended(CATS, rng.random()), rng) if color is None else color
    light = mix(coat, (255, 250, 242), rng.uniform(0.5, 0.8))
    four = pose == "standing" and chance(rng, 0.3)
    aside = rng.choice((-1, 1)) * rng.uniform(25, 60) if four else 0.0
    body = _cat_on_four_legs(coat, light, rng) if four else _cat_sitting(coat, light, rng)
    neck = np.array((0, 0.46, -0.2)) if four else np.array((0, 0.46, -0.05))
    head = move(_cat_head(coat, light, rng), neck + (0, 0.1, -0.03))
    head = spin(head, turn("y", -0.75 * aside) @ nod(rng), neck)
    return place(body + head, yaw=aside, scale=rng.uniform(0.86, 0.98))


def rabbit(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A rabbit of about 0.75 m, ears included, sitting up."""
    coat = vary(blended(RABBITS, rng.random()), rng) if color is None else color
    light = mix(coat, (255, 250, 244), rng.uniform(0.5, 0.8))
    body = _rabbit_body(coat, light, rng)
    neck = np.array((0, 0.33, -0.04))
    head = move(_rabbit_head(coat, light, rng), neck + (0, 0.1, -0.02))
    return place(body + spin(head, nod(rng), neck), scale=rng.uniform(0.87, 0.98))


def duck(color: Color | None, rng: Rng, pose: str = "standing", **world) -> list[Shape]:
    """A duck of about 0.7 m on two webbed feet, seen half from the side."""
    coat = vary(blended(DUCKS, rng.random()), rng) if color is None else color
    bill = blended([(252, 150, 30), (255, 120, 40), (250, 180, 50)], rng.random())
    aside = rng.choice((-1, 1)) * rng.uniform(15, 50)
    body = _duck_body(coat, bill, rng)
    neck = np.array((0, 0.42, -0.14))
    head = move(_duck_head(coat, bill, rng), neck + (0, 0.12, -0.01))
    head = spin(head, turn("y", -0.5 * aside) @ nod(rng), neck)
    return place(body + head, yaw=aside, scale=rng.uniform(0.87, 0.98))


def _puff(center: Point, radii: Point | float, color: Color, blend: float = 0.0, **options):
    """A furry ellipsoid."""
    return ellipsoid(center, radii, color, blend=blend, material="fur", **options)


def _leg(
    start: Point, end: Point, radius: float, color: Color, tip: float, blend: float = 0.0
) -> Shape:
    """A furry limb: a leg, a neck, a long body."""
    return limb(start, end, radius, color, tip, blend=blend, material="fur")


def _dog_sitting(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.9, 1.12)
    body = [
        _puff((0, 0.2, 0.14), (0.21 * w, 0.2, 0.22), coat),
        _leg((0, 0.24, 0.1), (0, 0.52, -0.02), 0.2 * w, coat, 0.14, 0.1),
    ]
    for s in (-1, 1):
        body.append(_puff((s * 0.18 * w, 0.14, 0.05), (0.1, 0.14, 0.18), coat, 0.04))
        body.append(_puff((s * 0.21 * w, 0.05, -0.13), (0.075, 0.05, 0.12), coat, 0.04))
        body.append(_leg((s * 0.09, 0.4, -0.1), (s * 0.1, 0.09, -0.17), 0.075, coat, 0.06, 0.05))
        body.append(_puff((s * 0.1, 0.055, -0.205), (0.078, 0.055, 0.1), light, 0.03))
    body.append(_puff((0, 0.38, -0.1), (0.1, 0.15, 0.09), light, 0.03))
    return body + _dog_tail((0.0, 0.12, 0.32), coat, light, rng)


def _dog_on_four_legs(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.9, 1.12)
    body = [
        _leg((0, 0.42, 0.3), (0, 0.44, -0.1), 0.16 * w, coat, 0.19 * w),
        _leg((0, 0.46, -0.14), (0, 0.64, -0.22), 0.16, coat, 0.12, 0.08),
    ]
    body += _four_legs(0.108, 0.36, (-0.14, 0.33), (0.085, 0.06), coat, light, rng)
    body.append(_puff((0, 0.42, -0.25), (0.1, 0.13, 0.06), light, 0.03))
    return body + _dog_tail((0.0, 0.5, 0.42), coat, light, rng)


def _four_legs(
    x: float, top: float, places, thickness, coat: Color, light: Color, rng: Rng
) -> list[Shape]:
    """Legs and paws of an animal that stands or walks.

    Args:
        x: how far the legs are to the side, metres.
        top: height of the hips.
        places: z of the front legs and of the hind legs.
        thickness: radius of a leg at its top and at the paw.
    """
    (thick, thin), legs = thickness, []
    for s in (-1, 1):
        for z in places:
            foot = z + rng.uniform(-0.05, 0.05)
            ankle = (1.05 * s * x, 1.3 * thin, foot)
            legs.append(_leg((0.95 * s * x, top, z), ankle, thick, coat, thin, 0.045))
            paw = (1.05 * s * x, 0.9 * thin, foot - 0.5 * thin)
            legs.append(_puff(paw, (1.25 * thin, 0.9 * thin, 1.6 * thin), light, 0.025))
    return legs


def _dog_tail(root, coat: Color, light: Color, rng: Rng) -> list[Shape]:
    s, rise, root = rng.choice((-1, 1)), rng.uniform(0.15, 0.28), np.asarray(root)
    points = (root, root + (s * 0.2, 0.2 * rise, 0.12), root + (s * 0.24, rise + 0.12, 0.06))
    colors = [coat, coat, coat, light]
    radii = (0.06, 0.06, 0.055, 0.048, 0.036)
    return chain(bent(points, 5), radii, colors, material="fur", blend=0.015)


def _dog_head(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    r = (rng.uniform(0.205, 0.23), 0.2, 0.19)
    long = rng.uniform(0.1, 0.15)
    head = [
        _puff((0, 0, 0), r, coat),
        _puff((0, -0.07, -0.14), (0.125, 0.095, long), light, 0.04),
        _puff((0, -0.13, -0.12), (0.085, 0.06, 0.09), light, 0.03),
    ]
    head += _dog_ears(coat, rng)
    if chance(rng, 0.4):
        at = front(r, rng.choice((-1, 1)) * 0.09, 0.06, -0.05)
        head.append(_puff(at, (0.085, 0.095, 0.06), shade(coat, 0.55)))
    return head + _dog_face(r, long, rng)


def _dog_face(r, long: float, rng: Rng) -> list[Shape]:
    """Nose, eyes, mouth, and often the tongue; the snout is `long` metres."""
    nose = ellipsoid((0, -0.03, -0.14 - long), (0.055, 0.042, 0.04), DARK, material="gloss")
    spread, size = rng.uniform(0.085, 0.1), rng.uniform(0.048, 0.056)
    face = [nose, *eyes(r, spread, 0.055, size, rng, pupil=(0.72, 0.76), lift=0.004)]
    snout, at = (0.125, 0.095, long), (0, -0.07, -0.14)
    face += smile(snout, -0.06, 0.075, 0.035, DARK, 0.011, lift=0.002, middle=at)
    if chance(rng, 0.5):
        at, hang = (0, -0.165, -0.1 - 0.75 * long), turn("x", -15)
        face.append(ellipsoid(at, (0.042, 0.06, 0.03), (238, 110, 120), rotation=hang))
    return face


def _dog_ears(coat: Color, rng: Rng) -> list[Shape]:
    """Two hanging ears, which at times stick out to the sides."""
    dark, length = shade(coat, rng.uniform(0.55, 0.8)), rng.uniform(0.17, 0.2)
    spread = rng.uniform(12, 34) if chance(rng, 0.85) else rng.uniform(45, 75)
    ears = []
    for s in (-1, 1):
        axes = turn("z", s * spread) @ turn("x", 8)
        at = (s * 0.17, 0.13, 0) - axes @ (0, 0.8 * length, 0)
        size = (0.065, length, 0.1)
        ears.append(_puff(at, size, dark, 0.02, rotation=axes))
    return ears


def _cat_sitting(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.9, 1.15)
    body = [
        _puff((0, 0.17, 0.1), (0.185 * w, 0.17, 0.19), coat),
        _leg((0, 0.2, 0.07), (0, 0.43, -0.02), 0.165 * w, coat, 0.105, 0.1),
    ]
    for s in (-1, 1):
        body.append(_puff((s * 0.15 * w, 0.12, 0.03), (0.085, 0.12, 0.15), coat, 0.04))
        body.append(
            _leg((s * 0.065, 0.33, -0.08), (s * 0.072, 0.07, -0.14), 0.055, coat, 0.045, 0.04)
        )
        body.append(_puff((s * 0.075, 0.04, -0.165), (0.056, 0.04, 0.07), light, 0.025))
    body.append(_puff((0, 0.31, -0.09), (0.07, 0.12, 0.06), light, 0.03))
    s, up = rng.choice((-1, 1)), rng.uniform(0.25, 0.5)
    tail = [(0.08, 0.06, 0.24), (0.36, 0.05, 0.22), (0.46, 0.4 * up, 0.14), (0.2, up, 0.12)]
    tail.append((0.3 + rng.uniform(-0.14, 0.12), up + 0.15, 0.12))
    return body + _cat_tail(np.array(tail) * (s, 1, 1), coat, light, rng)


def _cat_on_four_legs(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.9, 1.12)
    body = [
        _leg((0, 0.33, 0.26), (0, 0.34, -0.1), 0.13 * w, coat, 0.14 * w),
        _leg((0, 0.36, -0.12), (0, 0.46, -0.2), 0.12, coat, 0.1, 0.06),
    ]
    body += _four_legs(0.078, 0.28, (-0.13, 0.28), (0.06, 0.042), coat, light, rng)
    s = rng.choice((-1, 1))
    tail = [(0, 0.38, 0.34), (s * 0.04, 0.48, 0.46), (s * 0.08, 0.64, 0.5), (s * 0.03, 0.78, 0.46)]
    tail.append((s * rng.uniform(-0.1, 0.1), 0.86, 0.42))
    return body + _cat_tail(tail, coat, light, rng)


def _cat_tail(points, coat: Color, light: Color, rng: Rng) -> list[Shape]:
    tip = light if chance(rng, 0.5) else shade(coat, 0.6)
    colors = [coat] * 5 + [tip] * 2
    return chain(bent(points, 8), np.linspace(0.05, 0.036, 8), colors, material="fur", blend=0.015)


def _cat_head(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    r = (rng.uniform(0.19, 0.21), 0.162, 0.16)
    head = [_puff((0, 0, 0), r, coat)]
    for s in (-1, 1):
        head.append(_puff((s * 0.11, -0.06, -0.04), (0.105, 0.075, 0.09), coat, 0.04))
    head += _cat_ears(coat, rng)
    for s in (-1, 1):
        head.append(_puff((s * 0.035, -0.065, -0.145), (0.05, 0.042, 0.045), light, 0.015))
    head.append(
        ellipsoid((0, -0.035, -0.185), (0.028, 0.02, 0.018), (236, 128, 140), material="gloss")
    )
    head += _cat_mouth_and_whiskers(coat)
    if chance(rng, 0.55):
        head += _tabby(r, shade(coat, 0.6))
    iris = blended([(120, 190, 90), (190, 210, 90), (246, 190, 70)], rng.random())
    iris = iris if chance(rng, 0.8) else (110, 180, 230)
    slit = (rng.uniform(0.42, 0.66), 0.76)
    look = {"iris": iris, "pupil": slit, "white": shade(coat, 0.5), "lift": 0.002}
    return head + eyes(r, 0.088, 0.025, rng.uniform(0.056, 0.064), rng, **look)


def _cat_ears(coat: Color, rng: Rng) -> list[Shape]:
    ears, tilt, tall = [], rng.uniform(8, 24), rng.uniform(0.09, 0.115)
    for s in (-1, 1):
        axes = turn("z", -s * tilt) @ turn("x", -6)
        at = np.array((s * 0.125, 0.155, -0.01))
        ears.append(
            cone(at, 0.085, tall, coat, 0.012, 0.012, rotation=axes, blend=0.03, material="fur")
        )
        inside = at + axes @ np.array((0, -0.015, -0.035))
        ears.append(cone(inside, 0.056, 0.7 * tall, (240, 160, 160), 0.008, 0.008, rotation=axes))
    return ears


def _cat_mouth_and_whiskers(coat: Color) -> list[Shape]:
    hair = BRIGHT if brightness(coat) < 150 else (120, 104, 98)
    parts = []
    for s in (-1, 1):
        lip = ((0, -0.062, -0.2), (s * 0.022, -0.096, -0.19), (s * 0.058, -0.086, -0.182))
        parts += chain(lip, (0.007, 0.008, 0.006), DARK)
        for rise in (0.0, -0.035):
            start = (s * 0.075, -0.06 + 0.4 * rise, -0.165)
            parts.append(limb(start, (s * 0.22, -0.045 + 1.6 * rise, -0.15), 0.005, hair))
    return parts


def _tabby(r, dark: Color) -> list[Shape]:
    """Three stripes on the forehead."""
    return [
        _leg(front(r, x, 0.085, -0.008), front(r, 1.2 * x, 0.14, -0.01), 0.018, dark, 0.018)
        for x in (-0.05, 0.0, 0.05)
    ]


def _rabbit_body(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.92, 1.14)
    body = [
        _puff((0, 0.18, 0.05), (0.175 * w, 0.18, 0.175), coat),
        _puff((0, 0.29, -0.01), (0.12, 0.12, 0.12), coat, 0.06),
    ]
    for s in (-1, 1):
        body.append(_puff((s * 0.13 * w, 0.12, 0.02), (0.08, 0.11, 0.13), coat, 0.04))
        foot = turn("y", -s * rng.uniform(5, 20))
        body.append(
            _puff((s * 0.12 * w, 0.04, -0.13), (0.06, 0.042, 0.13), light, 0.02, rotation=foot)
        )
        body.append(
            _leg((s * 0.09, 0.27, -0.08), (s * 0.05, 0.19, -0.16), 0.045, coat, 0.042, 0.03)
        )
    body.append(_puff((0, 0.16, -0.09), (0.1, 0.13, 0.07), light, 0.03))
    body.append(_puff((0, 0.1, 0.24), 0.07, light, 0.02))
    return body


def _rabbit_head(coat: Color, light: Color, rng: Rng) -> list[Shape]:
    r = (rng.uniform(0.155, 0.175), 0.145, 0.145)
    head = [_puff((0, 0, 0), r, coat)]
    for s in (-1, 1):
        head.append(_puff((s * 0.075, -0.06, -0.05), (0.085, 0.07, 0.08), coat, 0.03))
    head += _rabbit_ears(coat, rng)
    for s in (-1, 1):
        head.append(_puff((s * 0.03, -0.055, -0.13), (0.045, 0.036, 0.04), light, 0.015))
    head.append(box((0, -0.098, -0.14), (0.022, 0.028, 0.012), BRIGHT, 0.008, material="gloss"))
    head.append(
        ellipsoid((0, -0.025, -0.165), (0.026, 0.02, 0.016), (236, 120, 136), material="gloss")
    )
    spread, size = rng.uniform(0.078, 0.09), rng.uniform(0.047, 0.055)
    return head + eyes(r, spread, 0.025, size, rng, pupil=(0.76, 0.8), lift=0.003)


def _rabbit_ears(coat: Color, rng: Rng) -> list[Shape]:
    ears, bent = [], rng.integers(5)
    length = rng.uniform(0.13, 0.16)
    for i, s in enumerate((-1, 1)):
        tilt = 62 if i == bent else rng.uniform(4, 20)
        axes = turn("z", -s * tilt)
        root = np.array((s * 0.07, 0.11, 0.0))
        middle = root + axes @ np.array((0, 0.85 * length, 0))
        ears.append(_puff(middle, (0.05, length, 0.035), coat, 0.02, rotation=axes))
        inner = middle + axes @ np.array((0, 0, -0.022))
        ears.append(ellipsoid(inner, (0.029, 0.8 * length, 0.02), (242, 168, 172), rotation=axes))
    return ears


def _duck_body(coat: Color, bill: Color, rng: Rng) -> list[Shape]:
    w = rng.uniform(0.92, 1.1)
    wing = shade(coat, rng.uniform(0.82, 0.95))
    body = [
        _puff((0, 0.28, 0.05), (0.2 * w, 0.175, 0.26), coat),
        _puff((0, 0.32, -0.1), (0.15, 0.15, 0.14), coat, 0.08),
        _leg((0, 0.32, 0.22), (0, 0.47, 0.36), 0.1, coat, 0.025, 0.08),
    ]
    for s in (-1, 1):
        axes = turn("z", s * rng.uniform(8, 25)) @ turn("x", -14)
        body.append(
            _puff((s * 0.19 * w, 0.31, 0.08), (0.055, 0.11, 0.19), wing, 0.02, rotation=axes)
        )
        body.append(limb((s * 0.09, 0.17, 0.03), (s * 0.1, 0.04, 0.02), 0.028, bill))
        for spread in (-22, 0, 22):
            toe = turn("y", spread) @ np.array((0, 0, -0.11))
            body.append(
                limb(
                    (s * 0.1, 0.025, 0.02),
                    toe + (s * 0.1, 0.022, 0.0),
                    0.025,
                    bill,
                    0.022,
                    blend=0.04,
                )
            )
    return body


def _duck_head(coat: Color, bill: Color, rng: Rng) -> list[Shape]:
    r = (0.155, 0.15, 0.15)
    open_bill = rng.uniform(0.0, 16.0)
    head = [_puff((0, 0, 0), r, coat)]
    for lean in (-0.03, 0.03):
        tuft = (lean + rng.uniform(-0.02, 0.02), 0.2, 0.05)
        head.append(_leg((0, 0.13, 0.0), tuft, 0.03, coat, 0.015, 0.03))
    spread, size = rng.uniform(0.078, 0.092), rng.uniform(0.042, 0.05)
    head += _bill(bill, open_bill)
    return head + eyes(r, spread, 0.045, size, rng, pupil=(0.7, 0.74), lift=0.003)


def _bill(color: Color, opened: float) -> list[Shape]:
    """A duck's bill, `opened` by so many degrees."""
    gloss, dark = {"material": "gloss"}, shade(color, 0.85)
    tip, low = turn("x", -4), turn("x", -4 - opened)
    return [
        ellipsoid((0, -0.03, -0.2), (0.085, 0.03, 0.11), color, rotation=tip, **gloss),
        ellipsoid((0, -0.055, -0.17), (0.068, 0.024, 0.09), dark, rotation=low, **gloss),
        ellipsoid((0, -0.02, -0.13), (0.075, 0.05, 0.05), color, blend=0.02, **gloss),
    ]
