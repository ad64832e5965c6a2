"""The structured description of a picture, and how one is sampled.

A scene holds words only. What varies within a word (the hour, the camera, the pose, the exact hue)
is sampled from the same seed when the scene is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.world3d.vocabulary import (
    BULK,
    COLORS,
    FLAWS,
    HOURS,
    MERITS,
    PLACES,
    QUALITIES,
    RELATIONS,
    SOLIDS,
    STYLES,
    SUBJECTS,
    SUBJECTS_AT,
    THINGS,
    TIMES,
    UNSEEN_PAIRS,
    UNSEEN_TWO,
    VIEWS,
    WEATHERS,
    check_choice,
)

Named = tuple[str | None, str | None]  # a colour, or None for any, and a thing

SUBJECT_WEIGHTS = {  # relative; 1 for the rest
    "wave": 1.25,
    "cityscape": 1.5,
    **dict.fromkeys(("man", "woman", "robot", "dog", "cat"), 1.1),
}
PLACE_WEIGHTS = {"park bench": 1.3, "city": 0.9}  # of a thing's places; 1 for the rest
COLORED_STYLES = tuple(style for style in STYLES if style != "pencil sketch")
TIME_ODDS = (0.45, 0.20, 0.12, 0.23)
WEATHER_ODDS = (0.60, 0.24, 0.16)
STYLE_ODDS = (0.40, 0.12, 0.12, 0.12, 0.12, 0.12)
MERIT_ODDS, FLAW_ODDS = 0.2, 0.3  # the latter of photos
COLORED_ODDS, SMALL_ODDS, SMALL_ROBOT_ODDS = 0.75, 0.15, 0.5
TWO_ODDS = 0.22  # of scenes with a thing, which makes one in six of all


@dataclass(frozen=True)
class Scene:
    """What is in a picture: one value from each table of `vocabulary`.

    Attributes:
        subject: what the picture is of, one of SUBJECTS.
        place: where it is, one of PLACES.
        color: colour of the thing, or of what a person wears; None is its natural colour.
        small: clearly smaller than usual.
        time: one of TIMES.
        style: how the picture is made, one of STYLES.
        quality: one of MERITS or FLAWS, or "plain".
        weather: one of WEATHERS.
        other: a second thing, or None.
        other_color: the colour of the second thing; None is its natural colour.
        relation: where the subject is, seen from the second thing: one of RELATIONS.
    Raises:
        TypeError: `small` is neither True nor False.
        ValueError: a value is not in its table, or two values cannot be shown together.
    """

    subject: str
    place: str
    color: str | None = None
    small: bool = False
    time: str = "day"
    style: str = "photo"
    quality: str = "plain"
    weather: str = "clear"
    other: str | None = None
    other_color: str | None = None
    relation: str | None = None

    def __post_init__(self):
        _check_words(self)
        _check_thing(self, self.subject, self.color, self.small)
        _check_look(self)
        if self.other is not None:
            _check_thing(self, self.other, self.other_color, small=False)
            _check_two(self)
        elif self.relation is not None or self.other_color is not None:
            raise ValueError(
                f"relation={self.relation!r} and other_color={self.other_color!r} describe a "
                "second thing, and there is none. Try other='ball' with other_color='red' and "
                "relation='next to', or leave all three out."
            )


def _check_words(scene: Scene) -> None:
    """Every value is in its table."""
    check_choice("place", scene.place, PLACES)
    check_choice("subject", scene.subject, SUBJECTS)
    check_choice("time", scene.time, TIMES)
    check_choice("style", scene.style, STYLES)
    check_choice("quality", scene.quality, QUALITIES)
    check_choice("weather", scene.weather, WEATHERS)
    for what, known in (("color", COLORS), ("other", SUBJECTS), ("other_color", COLORS)):
        if getattr(scene, what) is not None:
            check_choice(what, getattr(scene, what), tuple(known))
    if not isinstance(scene.small, bool):
        raise TypeError(f"small is True or False, got {scene.small!r}. Try small=True.")


def _check_thing(scene: Scene, thing: str, color: str | None, small: bool) -> None:
    """A thing suits its place, its colour and its size."""
    if thing not in SUBJECTS_AT[scene.place]:
        raise ValueError(
            f"a {thing} cannot be at the place {scene.place!r}. Try another place for it: "
            f"{', '.join(places_of(thing))}; or another thing at this place: "
            f"{', '.join(SUBJECTS_AT[scene.place])}."
        )
    if thing in VIEWS and (color or small):
        raise ValueError(f"a {thing} has no color and no size: leave out color and small.")
    if thing in SOLIDS and color is None and scene.style != "pencil sketch":
        raise ValueError(f"a {thing} needs a color: try one of {', '.join(COLORS)}.")


def _check_look(scene: Scene) -> None:
    """The style shows everything else that the scene says."""
    colored = scene.color or scene.other_color
    if scene.style == "pencil sketch" and (
        colored or scene.time != "day" or scene.weather != "clear"
    ):
        raise ValueError(
            "a pencil sketch shows no color, no time of day and no weather: leave them out, "
            "or try style='watercolor'."
        )
    if scene.style != "photo" and scene.quality in FLAWS:
        raise ValueError(
            f"only a photo can be {scene.quality}, and the style is {scene.style!r}: leave it at "
            f"'photo', or try one of these qualities: plain, {', '.join(MERITS)}."
        )


def _check_two(scene: Scene) -> None:
    """Both things are seen, and can be told apart by name."""
    one, other = scene.subject, scene.other
    if one in VIEWS or other in VIEWS:
        raise ValueError(
            f"a {one} and a {other} cannot be two things of one scene, because a view (one of "
            f"{', '.join(VIEWS)}) fills the picture. Try two of: {', '.join(THINGS)}."
        )
    if one == other:
        raise ValueError(f"subject and other are both {one!r}: try two different things.")
    allowed = possible_relations(one, other, scene.place)
    if scene.relation not in allowed:
        raise ValueError(
            f"the relation of a {one} and a {other} at the place {scene.place!r} cannot be "
            f"{scene.relation!r}: one of them would not be seen, or it is no relation. "
            f"Try one of: {', '.join(allowed)}."
        )


def places_of(*things: str) -> list[str]:
    """Where all of these can be seen together, in the order of PLACES."""
    return [place for place in PLACES if set(things) <= set(SUBJECTS_AT[place])]


def possible_relations(subject: str, other: str, place: str) -> tuple[str, ...]:
    """How two things can stand so that both are seen: on a bench, side by side; elsewhere the
    smaller one is never behind."""
    blocked = set()
    if place == "park bench" or BULK[subject] > BULK[other]:
        blocked.add("in front of")
    if place == "park bench" or BULK[subject] < BULK[other]:
        blocked.add("behind")
    return tuple(relation for relation in RELATIONS if relation not in blocked)


def is_unseen(scene: Scene) -> bool:
    """Whether training must not show this: it has one of UNSEEN_PAIRS or of UNSEEN_TWO."""
    named = [(scene.color, scene.subject), (scene.other_color, scene.other)]
    if any(pair in UNSEEN_PAIRS for pair in named):
        return True
    return any(
        _fits(one, named[i]) and _fits(two, named[1 - i]) for one, two in UNSEEN_TWO for i in (0, 1)
    )


def _fits(asked: Named, given: Named) -> bool:
    """Whether a colour and a thing are the ones asked for; the colour None is any."""
    return asked[1] == given[1] and asked[0] in (None, given[0])


def draw_hour(time: str, rng: np.random.Generator) -> float:
    """Sample the hour of light that a word for the time leaves open.

    Args:
        time: one of TIMES; the ranges of neighbours overlap a little.
        rng: random generator.
    Returns:
        0 in deep night, about 0.25 at dusk, 0.4 at sunset, 1 at noon.
    Raises:
        ValueError: the time is not in TIMES.
    """
    check_choice("time", time, TIMES)
    return float(rng.uniform(*HOURS[time]))


def random_scene(rng: np.random.Generator, unseen: bool = False, two: bool | None = None) -> Scene:
    """Sample one scene.

    Args:
        rng: random generator.
        unseen: sample only scenes that training never shows (for evaluation): with a pair of
            UNSEEN_PAIRS, or of UNSEEN_TWO where `two` is true. Otherwise neither ever occurs.
        two: with a second thing, or without; if None, one scene in six has one, and none of the
            unseen.
    Returns:
        a valid scene.
    """
    if unseen:
        return _unseen_two(rng) if two else _unseen_pair(rng)
    scene = _any_scene(rng, two)
    while is_unseen(scene):
        scene = _any_scene(rng, two)
    return scene


def _any_scene(rng: np.random.Generator, two: bool | None) -> Scene:
    subject = _weighted(rng, THINGS if two else SUBJECTS, SUBJECT_WEIGHTS)
    place = _weighted(rng, places_of(subject), PLACE_WEIGHTS)
    if two is None:
        two = subject in THINGS and rng.random() < TWO_ODDS
    known = [thing for thing in SUBJECTS_AT[place] if thing in THINGS and thing != subject]
    other = _weighted(rng, known, SUBJECT_WEIGHTS) if two else None
    return _complete(rng, (None, subject), (None, other), place, STYLES)


def _unseen_pair(rng: np.random.Generator) -> Scene:
    pair = UNSEEN_PAIRS[rng.integers(len(UNSEEN_PAIRS))]
    place = _weighted(rng, places_of(pair[1]), PLACE_WEIGHTS)
    return _complete(rng, pair, (None, None), place, COLORED_STYLES)


def _unseen_two(rng: np.random.Generator) -> Scene:
    pair = UNSEEN_TWO[rng.integers(len(UNSEEN_TWO))]
    one, two = pair if rng.random() < 0.5 else pair[::-1]
    place = _weighted(rng, places_of(one[1], two[1]), PLACE_WEIGHTS)
    return _complete(rng, one, two, place, COLORED_STYLES)


def _complete(
    rng: np.random.Generator, one: Named, two: Named, place: str, styles: tuple[str, ...]
) -> Scene:
    """Sample everything that one or two things at a place leave open."""
    odds = [STYLE_ODDS[STYLES.index(style)] for style in styles]
    style = str(rng.choice(styles, p=np.divide(odds, sum(odds))))
    sketch = style == "pencil sketch"
    colors = [None if sketch else color or _random_color(rng, name) for color, name in (one, two)]
    relation = rng.choice(possible_relations(one[1], two[1], place)) if two[1] else None
    small_odds = SMALL_ROBOT_ODDS if one[1] == "robot" else SMALL_ODDS
    return Scene(
        subject=one[1],
        place=place,
        color=colors[0],
        small=one[1] in THINGS and bool(rng.random() < small_odds),
        time="day" if sketch else str(rng.choice(TIMES, p=TIME_ODDS)),
        style=style,
        quality=_random_quality(rng, style),
        weather="clear" if sketch else str(rng.choice(WEATHERS, p=WEATHER_ODDS)),
        other=two[1],
        other_color=colors[1],
        relation=relation and str(relation),
    )


def _weighted(rng: np.random.Generator, known: Sequence[str], weights: dict[str, float]) -> str:
    """One of the known words, by their weights."""
    odds = np.array([weights.get(word, 1.0) for word in known])
    return str(rng.choice(known, p=odds / odds.sum()))


def _random_color(rng: np.random.Generator, thing: str | None) -> str | None:
    """A colour that training may show on a thing; often none, where it has one of its own."""
    if thing not in THINGS or (thing not in SOLIDS and rng.random() > COLORED_ODDS):
        return None
    return str(rng.choice([color for color in COLORS if (color, thing) not in UNSEEN_PAIRS]))


def _random_quality(rng: np.random.Generator, style: str) -> str:
    share = rng.random()
    if share < MERIT_ODDS:
        return str(rng.choice(MERITS))
    if style == "photo" and share < MERIT_ODDS + FLAW_ODDS:
        return str(rng.choice(FLAWS))
    return "plain"
