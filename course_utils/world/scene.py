"""The structured description of a picture, and the dice that make one."""

from dataclasses import dataclass

import numpy as np

from course_utils.world.vocabulary import (
    COLORS,
    FLAWS,
    MERITS,
    PLACES,
    QUALITIES,
    SOLIDS,
    STYLES,
    SUBJECTS_AT,
    TIMES,
    UNSEEN_PAIRS,
    VIEWS,
)

PLACE_ODDS = (0.10, 0.08, 0.09, 0.22, 0.18, 0.17, 0.16)
TIME_ODDS_VIEW = (0.40, 0.30, 0.30)
TIME_ODDS_THING = (0.76, 0.12, 0.12)
STYLE_ODDS = (0.45, 0.13, 0.12, 0.10, 0.10, 0.10)


@dataclass(frozen=True)
class Scene:
    """What is in a picture: one value from each table of `vocabulary`.

    Attributes:
        subject: what the picture is of.
        place: where it is.
        color: colour of the thing, or of a person's clothes; None is its natural colour.
        small: drawn at two thirds of its usual height.
        time: "day", "sunset" or "night".
        style: how it is painted.
        quality: one merit, one flaw, or "plain".
    Raises:
        ValueError: a value outside its table, or two values that cannot stand together.
    """

    subject: str
    place: str
    color: str | None = None
    small: bool = False
    time: str = "day"
    style: str = "photo"
    quality: str = "plain"

    def __post_init__(self):
        _check("place", self.place, PLACES)
        _check(f"subject at the place {self.place!r}", self.subject, SUBJECTS_AT[self.place])
        _check("time", self.time, TIMES)
        _check("style", self.style, STYLES)
        _check("quality", self.quality, QUALITIES)
        if self.color is not None:
            _check("color", self.color, tuple(COLORS))
        if self.subject in VIEWS and (self.color or self.small):
            raise ValueError(f"a {self.subject} has no color and no size: leave both out")
        if self.style == "pencil sketch" and (self.color or self.time != "day"):
            raise ValueError("a pencil sketch shows no color and no time of day: leave both out")
        if self.subject in SOLIDS and self.color is None and self.style != "pencil sketch":
            raise ValueError(f"a {self.subject} needs a color: one of {', '.join(COLORS)}")
        if self.style != "photo" and self.quality in FLAWS:
            raise ValueError(f"only a photo can be {self.quality}: leave the style at 'photo'")


def random_scene(rng: np.random.Generator, unseen: bool = False) -> Scene:
    """Throw the dice for one scene.

    Args:
        rng: the dice.
        unseen: draw only scenes with a pair from UNSEEN_PAIRS (for evaluation); otherwise
            those pairs never occur.
    Returns:
        a valid scene.
    """
    if unseen:
        color, subject = UNSEEN_PAIRS[rng.integers(len(UNSEEN_PAIRS))]
        place = str(rng.choice([p for p in PLACES if subject in SUBJECTS_AT[p]]))
        return Scene(subject, place, color)
    place = str(rng.choice(PLACES, p=PLACE_ODDS))
    subject = str(rng.choice(SUBJECTS_AT[place]))
    view = subject in VIEWS
    style = str(rng.choice(STYLES, p=STYLE_ODDS))
    time = str(rng.choice(TIMES, p=TIME_ODDS_VIEW if view else TIME_ODDS_THING))
    if place == "park bench" and view:
        time = str(rng.choice(TIMES, p=TIME_ODDS_THING))
    color = None if view else _random_color(rng, subject)
    small = not view and bool(rng.random() < (0.5 if subject == "robot" else 0.1))
    quality = _random_quality(rng, style)
    if style == "pencil sketch":
        time, color = "day", None
    return Scene(subject, place, color, small, time, style, quality)


def _random_color(rng: np.random.Generator, subject: str) -> str | None:
    if subject not in SOLIDS and rng.random() < 0.3:
        return None
    allowed = [color for color in COLORS if (color, subject) not in UNSEEN_PAIRS]
    return str(rng.choice(allowed))


def _random_quality(rng: np.random.Generator, style: str) -> str:
    roll = rng.random()
    if roll < 0.2:
        return str(rng.choice(MERITS))
    if style == "photo" and roll < 0.5:
        return str(rng.choice(FLAWS))
    return "plain"


def _check(what: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"unknown {what}: {given!r}. Try one of: {', '.join(allowed)}")
