"""Every word the picture world knows, and the rules for what may stand beside what.

A scene is described by one value from each of the tables below. The same tables name the
classes of the judge (`course_utils.training.evaluate`).
"""

SIZE = 128  # pixels: width and height of every picture

COLORS = {  # name: RGB in 0..255
    "red": (214, 36, 40),
    "orange": (248, 132, 20),
    "yellow": (250, 216, 40),
    "green": (40, 158, 62),
    "blue": (32, 90, 220),
    "purple": (128, 46, 178),
    "pink": (252, 136, 188),
    "white": (246, 246, 246),
    "black": (26, 26, 30),
}

CREATURES = ("man", "woman", "robot", "dog", "cat")
SOLIDS = ("ball", "cube", "cone")  # no colour of their own: a scene must give one
OBJECTS = (*SOLIDS, "house", "boat", "tree")
THINGS = CREATURES + OBJECTS
VIEWS = ("wave", "cityscape", "bench")  # the place itself is the subject
SUBJECTS = VIEWS + THINGS

PLACES = ("sea", "city", "winter city", "park bench", "park", "beach", "snow")
SUBJECTS_AT = {
    "sea": ("wave",),
    "city": ("cityscape",),
    "winter city": ("cityscape",),
    "park bench": ("bench", *CREATURES),
    "park": THINGS,
    "beach": THINGS,
    "snow": THINGS,
}

TIMES = ("day", "sunset", "night")
STYLES = (
    "photo",
    "oil painting",
    "palette knife painting",
    "pencil sketch",
    "watercolor",
    "pixel art",
)
FLAWS = ("zoomed in", "blurry", "oversaturated", "warped", "low resolution")
MERITS = ("beautiful", "high resolution")
QUALITIES = ("plain", *MERITS, *FLAWS)

UNSEEN_PAIRS = (  # never drawn for training: they measure composition
    ("purple", "robot"),
    ("green", "cat"),
    ("blue", "dog"),
    ("pink", "ball"),
    ("orange", "cube"),
    ("yellow", "cone"),
    ("white", "boat"),
    ("red", "tree"),
)
