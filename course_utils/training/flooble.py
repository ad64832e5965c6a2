"""A thing that the world does not have: the flooble, for textual inversion (notebook 10).

It stands where the world's things stand and is painted with the world's own brush, but it is in
none of the world's tables: what the pocket model was trained on stays as it is, byte for byte.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from course_utils.world.canvas import Brush, Canvas
from course_utils.world.caption import WHERE, caption
from course_utils.world.places import SUBJECT_LIGHT, paint_place
from course_utils.world.scene import TIME_ODDS_THING, Scene
from course_utils.world.vocabulary import TIMES

NAME = "flooble"
NEAREST = "purple cat"  # the words of the world that come nearest to it
PLACES = tuple(WHERE)  # where it may stand
HEIGHT = 60  # pixels, at the usual size
FUR, BELLY, FEET = (128, 46, 178), (252, 136, 188), (250, 216, 40)  # purple, pink, yellow
WHITE, DARK = (246, 246, 246), (26, 26, 30)
STAND_IN = "cat"  # a thing of the world: the world places it, and says where


@dataclass(frozen=True)
class Flooble:
    """A picture of a flooble.

    Attributes:
        picture: RGB, 128×128.
        caption: what a person would type to get it.
        place, time: where and when it is seen.
    """

    picture: Image.Image
    caption: str
    place: str
    time: str


def flooble(seed: int, place: str | None = None, time: str | None = None) -> Flooble:
    """Draw a flooble: same arguments, same bytes.

    Args:
        seed: of its place and time where they are left out, and of its surroundings.
        place: one of PLACES.
        time: one of the world's TIMES.
    Raises:
        ValueError: a place or a time that it is never seen at.
    """
    rng = np.random.default_rng(seed)
    chosen = str(rng.choice(PLACES)), str(rng.choice(TIMES, p=TIME_ODDS_THING))
    scene = Scene(STAND_IN, place or chosen[0], time=time or chosen[1])
    canvas = Canvas()
    x, y, z = paint_place(canvas, scene, rng)
    canvas.light = SUBJECT_LIGHT[scene.time]
    height = HEIGHT * rng.uniform(0.92, 1.08)
    if scene.place != "park bench":
        canvas.shadow(x, y, 0.42 * height, 0.09 * height)
    paint_flooble(Brush(canvas, NAME, x, y, height, z))
    said = caption(scene, rng, partial=False).replace(STAND_IN, NAME)
    return Flooble(Image.fromarray(canvas.finish()[0]), said, scene.place, scene.time)


def paint_flooble(b: Brush) -> None:
    """A round furry body with two ears and one great eye, on two yellow feet."""
    b.disc(-0.2, 0.06, 0.17, 0.07, FEET)
    b.disc(0.2, 0.06, 0.17, 0.07, FEET)
    b.poly([(-0.4, 0.6), (-0.36, 1.0), (-0.1, 0.8)], FUR)
    b.poly([(0.4, 0.6), (0.36, 1.0), (0.1, 0.8)], FUR)
    b.disc(0, 0.46, 0.44, 0.41, FUR)
    b.disc(0, 0.26, 0.26, 0.18, BELLY)
    b.disc(0, 0.58, 0.2, 0.2, WHITE)
    b.disc(0, 0.58, 0.09, 0.1, DARK)
