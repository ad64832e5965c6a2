"""How many looks a word has: the spread of a colour's and a time's renders."""

import numpy as np
from skimage.color import rgb2lab

from course_utils.evaluation.material import Material
from course_utils.evaluation.tables import Row, Tables
from course_utils.training.data import Pictures
from course_utils.world3d.caption import CLOTHES
from course_utils.world3d.vocabulary import COLORS, TIMES


def color_spread(colors: np.ndarray) -> Row:
    """What colours have in common, and what not.

    Args:
        colors: sRGB, 0 to 255, (N, 3), N at least 1.
    Returns:
        "N"; "mean colour", as #rrggbb; "lightness", its standard deviation, of 100; "ΔE", the
        root mean square distance from the mean in CIELAB, where 2 is just seen and 100 is black
        to white.
    """
    lab = rgb2lab(colors / 255)
    away = lab - lab.mean(axis=0)
    red, green, blue = colors.mean(axis=0).round().astype(int)
    return {
        "N": len(colors),
        "mean colour": f"#{red:02x}{green:02x}{blue:02x}",
        "lightness": float(away[:, 0].std()),
        "ΔE": float(np.sqrt(np.square(away).sum(axis=1).mean())),
    }


def thing_colors(world: Pictures, color: str) -> np.ndarray:
    """The mean colour of every thing that a scene gives a colour, (N, 3); not of people and
    snowmen, whose clothes alone have it."""
    found = []
    for place, scene in enumerate(world.scenes):
        named = {scene["subject"]: scene["color"], scene["other"]: scene["other_color"]}
        for thing, given in named.items():
            if given == color and thing not in CLOTHES and thing in world.names[place]:
                mask = world.labels[place] == world.names[place].index(thing) + 1
                found.append(world.pictures[place][mask].mean(axis=0))
    return np.array(found).reshape(-1, 3)


def time_colors(world: Pictures, time: str) -> np.ndarray:
    """The mean colour of every picture of a time, (N, 3); not of pencil sketches, which have
    none."""
    found = [
        world.pictures[place].mean(axis=(0, 1))
        for place, scene in enumerate(world.scenes)
        if scene["time"] == time and scene["style"] != "pencil sketch"
    ]
    return np.array(found).reshape(-1, 3)


def word_spread(material: Material) -> Tables:
    """The spread over reference renders of every word of colour and of time."""
    kinds = {
        "Colours: mean colour of the thing": (COLORS, thing_colors),
        "Times: mean colour of the picture": (TIMES, time_colors),
    }
    return {
        title: spread_rows(material.reference, words, collect)
        for title, (words, collect) in kinds.items()
    }


def spread_rows(world: Pictures, words, collect) -> list[Row]:
    """For every word that some pictures have: the spread of the colours collected for it."""
    found = {word: collect(world, word) for word in words}
    return [{"word": word} | color_spread(c) for word, c in found.items() if len(c)]
