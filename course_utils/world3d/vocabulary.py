"""Every word the picture world knows, and the rules for what can be shown together.

A scene has one value from each of these tables. The same tables name the classes of the judge
(`course_utils.training.judge`). A word is never a single look: a colour is a range of hues, a time
is a range of hours, and so on.
"""

import colorsys

import numpy as np

SIZE = 128  # pixels: width and height of every picture

PEOPLE = ("man", "woman")
ANIMALS = ("dog", "cat", "rabbit", "duck")
CREATURES = (*PEOPLE, "robot", *ANIMALS)  # on a bench, they sit
SOLIDS = ("ball", "cube", "cone")  # without a colour of their own: a scene must give one
OBJECTS = (*SOLIDS, "house", "boat", "tree", "car", "snowman", "mushroom")
THINGS = CREATURES + OBJECTS
VIEWS = ("wave", "cityscape", "bench")  # the place itself is the subject
SUBJECTS = VIEWS + THINGS

STREET = (*PEOPLE, "robot", "dog", "cat", "car")  # what stands in a city street
OUTDOORS = (*CREATURES, *SOLIDS, "house", "tree")  # what stands anywhere in the open
SUBJECTS_AT = {  # place: what can be seen there
    "sea": ("wave",),
    "city": ("cityscape", *STREET),
    "winter city": ("cityscape", *STREET, "snowman"),
    "park bench": ("bench", *CREATURES, *SOLIDS),
    "park": (*OUTDOORS, "car", "snowman", "mushroom"),
    "beach": (*OUTDOORS, "boat", "car", "snowman"),
    "snow": (*OUTDOORS, "car", "snowman", "mushroom"),
    "meadow": (*OUTDOORS, "car", "mushroom"),
}
PLACES = tuple(SUBJECTS_AT)

RELATIONS = ("left of", "right of", "next to", "in front of", "behind")  # as the viewer sees it
BULK = {  # 1 small, 2 as large as a person, 3 larger: what stands behind is not the smaller one
    **dict.fromkeys((*ANIMALS, *SOLIDS, "mushroom"), 1),
    **dict.fromkeys((*PEOPLE, "robot", "snowman"), 2),
    **dict.fromkeys(("house", "boat", "tree", "car"), 3),
}

COLORS = {  # name: ranges of hue in degrees, of saturation, and of value
    "red": ((-9, 5), (0.78, 0.95), (0.62, 0.92)),
    "orange": ((22, 32), (0.82, 1.00), (0.88, 1.00)),
    "yellow": ((47, 57), (0.65, 0.95), (0.88, 1.00)),
    "green": ((95, 150), (0.50, 0.90), (0.38, 0.75)),
    "blue": ((200, 219), (0.65, 0.95), (0.50, 0.95)),
    "purple": ((272, 294), (0.50, 0.85), (0.42, 0.75)),
    "pink": ((322, 345), (0.32, 0.58), (0.92, 1.00)),
    "white": ((0, 360), (0.00, 0.05), (0.90, 1.00)),
    "black": ((0, 360), (0.00, 0.30), (0.05, 0.16)),
}

TIMES = ("day", "sunset", "dusk", "night")
HOURS = {  # time: range of the height of the sun; 0 is deep night, 1 is noon
    "day": (0.46, 1.00),
    "sunset": (0.30, 0.48),
    "dusk": (0.19, 0.32),
    "night": (0.00, 0.21),
}
WEATHERS = ("clear", "cloudy", "foggy")

STYLES = (
    "photo",
    "oil painting",
    "palette knife painting",
    "watercolor",
    "pencil sketch",
    "pixel art",
)
MERITS = ("beautiful", "high resolution")
FLAWS = ("zoomed in", "blurry", "oversaturated", "warped", "low resolution")
QUALITIES = ("plain", *MERITS, *FLAWS)

UNSEEN_PAIRS = (  # kept out of training to measure composition: a colour and a thing
    ("purple", "robot"),
    ("green", "cat"),
    ("blue", "dog"),
    ("pink", "ball"),
    ("orange", "cube"),
    ("yellow", "cone"),
    ("white", "boat"),
    ("red", "tree"),
)
UNSEEN_TWO = (  # kept out of training, too: two things in either order; None is any colour
    ((None, "cat"), (None, "rabbit")),
    ((None, "dog"), (None, "duck")),
    ((None, "man"), (None, "robot")),
    ((None, "woman"), (None, "car")),
    ((None, "house"), (None, "snowman")),
    ((None, "ball"), (None, "mushroom")),
    (("blue", "ball"), ("red", "cube")),
    (("green", "ball"), ("yellow", "cube")),
    (("black", "cube"), ("white", "cone")),
    (("purple", "cone"), ("orange", "ball")),
)


def random_color(name: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """Sample one of the many colours that share a name.

    Args:
        name: a key of COLORS.
        rng: random generator.
    Returns:
        sRGB, each from 0 to 255.
    Raises:
        ValueError: the name is not in COLORS.
    """
    check_choice("color", name, tuple(COLORS))
    hue, saturation, value = (rng.uniform(*limits) for limits in COLORS[name])
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def check_choice(what: str, given: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError, with everything that is allowed, where the given value is not."""
    if given not in allowed:
        raise ValueError(f"unknown {what}: {given!r}. Try one of: {', '.join(allowed)}")
