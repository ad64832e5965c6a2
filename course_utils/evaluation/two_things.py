"""Two things in a prompt: are both in the picture, each in its colour, and where they should be?

The best known fault of Stable Diffusion is that attributes leak from one thing to the other.
"""

from collections.abc import Sequence

import numpy as np

from course_utils.evaluation.material import (
    SETTINGS,
    TWO_SEEDS,
    UNSEEN_TWO_SEEDS,
    Material,
    draw,
    fields,
    held_out_scenes,
)
from course_utils.evaluation.tables import Row, Tables, share
from course_utils.world3d.caption import RELATED
from course_utils.world3d.sample import sample
from course_utils.world3d.scene import Scene

Named = dict[str, str | None]  # the fields of a scene, or what the judge names in a picture


def both_seen(asked: Named, seen: Named) -> bool:
    """Whether the two things of a picture are those asked for, in either order."""
    return {asked["subject"], asked["other"]} == {seen["subject"], seen["other"]}


def colors_of(named: Named) -> dict[str, str | None]:
    """Thing → its colour."""
    return {named["subject"]: named["color"], named["other"]: named["other_color"]}


def has_color(asked: Named) -> bool:
    """Whether a colour was asked for, of either thing."""
    return any(colors_of(asked).values())


def bound(asked: Named, seen: Named) -> bool:
    """Whether both things are seen, and each has the colour that was asked for it, if any."""
    found = colors_of(seen)
    wanted = {thing: color for thing, color in colors_of(asked).items() if color}
    return both_seen(asked, seen) and all(found[thing] == c for thing, c in wanted.items())


def two_colors(asked: Named) -> bool:
    """Whether different colours were asked for of the two things."""
    one, two = colors_of(asked).values()
    return None not in (one, two) and one != two


def leaked(asked: Named, seen: Named) -> bool:
    """Whether both things are seen, and one of them has the other's colour; of `two_colors`."""
    if not both_seen(asked, seen):
        return False
    found = colors_of(seen)
    (one, first), (two, second) = colors_of(asked).items()
    return found[one] == second or found[two] == first


def related(asked: Named, seen: Named) -> bool:
    """Whether both things are seen, and stand as asked; "next to" is left or right."""
    if not both_seen(asked, seen):
        return False
    relation = asked["relation"]
    if relation == "next to":
        return seen["relation"] in ("left of", "right of")
    same = asked["subject"] == seen["subject"]
    return seen["relation"] == (relation if same else RELATED[relation][1])


def two_thing_shares(asked: Sequence[Named], seen: Sequence[Named]) -> Row:
    """Shares of pictures: both seen; colours bound, where any was asked for; one has the other's
    colour, where two different ones were asked for; related as asked."""
    pairs = list(zip(asked, seen, strict=True))
    return {
        "both seen": share([both_seen(*pair) for pair in pairs]),
        "colours bound": share([bound(*pair) for pair in pairs if has_color(pair[0])]),
        "colours leaked": share([leaked(*pair) for pair in pairs if two_colors(pair[0])]),
        "relation": share([related(*pair) for pair in pairs]),
    }


def two_things(material: Material) -> Tables:
    """Scenes of two things: as training shows them, and half as many that it never shows."""
    known = held_out_scenes(TWO_SEEDS, material.count, two=True)
    few = max(material.count // 2, 1)
    new = held_out_scenes(UNSEEN_TWO_SEEDS, few, unseen=True, two=True)
    return {
        "Prompts with two things": rows(material, known, TWO_SEEDS, unseen=False),
        "Two things that training never shows": rows(material, new, UNSEEN_TWO_SEEDS, unseen=True),
    }


def rows(material: Material, scenes: list[Scene], first: int, unseen: bool) -> list[Row]:
    """What the judge sees on renders, a quarter as many and 16 at least, and in drawn pictures."""
    few = min(len(scenes), max(len(scenes) // 4, 16))
    renders = [sample(first + n, unseen, two=True).picture for n in range(few)]
    seen = {"renders": np.stack([np.asarray(picture) for picture in renders])}
    seen |= {setting.name: draw(material.pipe, scenes, setting) for setting in SETTINGS}
    return [
        {"pictures": name}
        | two_thing_shares(fields(scenes[: len(pictures)]), material.judge.names(pictures))
        for name, pictures in seen.items()
    ]
