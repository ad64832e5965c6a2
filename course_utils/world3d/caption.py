"""A small grammar that says in words what a scene is.

It says the same scene in many ways, and leaves out every piece of information often, each
independently of the others: a model trained on these captions learns what is likely at every level
of detail.
"""

from dataclasses import dataclass

import numpy as np

from course_utils.world3d.scene import Scene
from course_utils.world3d.vocabulary import ANIMALS, CREATURES, FLAWS, PEOPLE, VIEWS

UNSAID = {  # how often a piece of information is left out
    "color": 0.25,
    "small": 0.2,
    "place": 0.25,
    "time": 0.3,
    "day": 0.75,
    "style": 0.18,
    "photo": 0.5,
    "weather": 0.6,
    "clear": 0.85,
    "merit": 0.2,
    "other": 0.1,
    "relation": 0.25,
    "name": 0.06,
}
SHORT, ONLY_FLAWS = 0.04, 0.2  # how often a caption is a word or two; how often it lists flaws
CAPITAL, NO_ARTICLE = 0.25, 0.3

WHERE = {  # place: what follows a thing that is there
    "city": ("in a city", "in the city", "on a city street"),
    "winter city": ("in a winter city", "in a city in winter", "on a winter street"),
    "park bench": ("on a bench", "on a park bench"),
    "park": ("in a park", "in the park"),
    "beach": ("on a beach", "on the beach", "at the beach"),
    "snow": ("in the snow",),
    "meadow": ("in a meadow", "in a meadow with flowers", "in a field of flowers"),
}
VIEWED = {  # place: what to call the view of it
    "sea": ("a wave breaking", "a breaking wave", "a wave breaking on the sea"),
    "city": ("a cityscape", "a city skyline"),
    "winter city": ("a winter cityscape", "an winter cityscape", "a cityscape in winter"),
    "park bench": ("a park bench", "an empty park bench", "a bench in a park"),
}
NOUNS = {  # place: its name
    "sea": "the sea",
    "city": "a city",
    "winter city": "a city in winter",
    "park bench": "a park bench",
    "park": "a park",
    "beach": "a beach",
    "snow": "snow",
    "meadow": "a meadow",
}
VAGUE = dict.fromkeys(PEOPLE, "person") | dict.fromkeys(ANIMALS, "animal")
WHEN = {
    "day": ("during the day", "in daylight"),
    "sunset": ("at sunset",),
    "dusk": ("at dusk",),
    "night": ("at night",),
}
SKIES = {  # weather: at any time, and by day or by night
    "clear": (("under a clear sky",), "clear"),
    "cloudy": (("under a cloudy sky", "under clouds"), "cloudy"),
    "foggy": (("in the fog", "in fog"), "foggy"),
}
CLOTHES = {"man": "shirt", "woman": "dress", "snowman": "scarf"}
MEDIA = {  # style: before what is shown, after it, and before it when the style is left out
    "photo": (("a photo of", "a photograph of"), ("photo",), "a picture of"),
    "oil painting": (("an oil painting of",), ("oil painting", "in oil"), "a painting of"),
    "palette knife painting": (
        ("a palette knife painting of",),
        ("palette knife painting", "painted with a palette knife"),
        "a painting of",
    ),
    "watercolor": (
        ("a watercolor of", "a watercolor painting of"),
        ("in watercolor", "watercolor"),
        "a painting of",
    ),
    "pencil sketch": (
        ("a pencil sketch of", "a pencil drawing of"),
        ("pencil sketch", "in pencil"),
        "a drawing of",
    ),
    "pixel art": (("pixel art of",), ("pixel art",), "a picture of"),
}
RELATED = {  # relation: how to say it, and the relation seen from the other thing
    "left of": (("left of", "to the left of"), "right of"),
    "right of": (("right of", "to the right of"), "left of"),
    "next to": (("next to", "beside"), "next to"),
    "in front of": (("in front of",), "behind"),
    "behind": (("behind",), "in front of"),
}
UNCOUNTED = ("sky", "sea", "water", "grass", "sand", "snow", "ground")


@dataclass(frozen=True)
class Said:
    """Which pieces of information a caption contains."""

    name: bool = True
    color: bool = True
    small: bool = True
    other: bool = True
    other_color: bool = True
    relation: bool = True
    place: bool = True
    time: bool = True
    weather: bool = True
    style: bool = True
    quality: bool = True


def caption(scene: Scene, rng: np.random.Generator, partial: bool = True) -> str:
    """Say a scene in words.

    Args:
        scene: what is in the picture.
        rng: chooses among synonyms and word orders, and what to leave out.
        partial: leave things out, as in people's prompts, or name nothing but flaws, as in
            negative prompts. Otherwise everything is said, except that a sky is clear.
    Returns:
        the caption, as a prompt would be typed, without a full stop.
    """
    if not partial:
        text = _sentence(scene, Said(weather=scene.weather != "clear"), rng)
    elif scene.quality in FLAWS and rng.random() < ONLY_FLAWS:
        text = _flaws(scene, rng)
    elif rng.random() < SHORT:
        text = _short(scene, rng)
    else:
        text = _sentence(scene, _random_said(scene, rng), rng)
    return text[0].upper() + text[1:] if rng.random() < CAPITAL else text


def describe(scene: Scene) -> str:
    """Say everything about a scene, always in the same words."""
    return _sentence(scene, Said(), None)


def mask_phrases(name: str, scene: Scene) -> list[str]:
    """What a person would call the thing of a mask: with its colour first, where it has one.

    Args:
        name: of a mask, see Sample.
        scene: what the picture is of; only its one or two things have a colour.
    Returns:
        phrases such as "the red ball", "a red ball", "red ball", "the ball", "a ball", "ball".
    """
    color = {scene.other: scene.other_color, scene.subject: scene.color}.get(name)
    uncounted = name in UNCOUNTED or name.endswith("s")
    phrases = []
    for noun in dict.fromkeys([colored(name, color), name]):
        phrases += [f"the {noun}", noun] if uncounted else [f"the {noun}", a(noun), noun]
    return phrases


def colored(noun: str, color: str | None) -> str:
    """A thing with its colour, or the colour of what it wears; without an article."""
    if color is None:
        return noun
    if noun in CLOTHES:
        return f"{noun} in {a(color)} {CLOTHES[noun]}"
    if noun == "person":
        return f"person in {color}"
    return f"{color} {noun}"


def a(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _random_said(scene: Scene, rng: np.random.Generator) -> Said:
    """Leave out each piece of information independently."""

    def said(name):
        return bool(rng.random() >= UNSAID[name])

    return Said(
        name=said("name"),
        color=said("color"),
        small=said("small"),
        other=said("other"),
        other_color=said("color"),
        relation=said("relation"),
        place=said("place"),
        time=said("day" if scene.time == "day" else "time"),
        weather=said("clear" if scene.weather == "clear" else "weather"),
        style=said("photo" if scene.style == "photo" else "style"),
        quality=said("merit") or scene.quality in FLAWS,
    )


def _sentence(scene: Scene, said: Said, rng: np.random.Generator | None) -> str:
    """The pieces in some order; without a random generator always in the same words."""
    what, quality = _what(scene, said, rng), _quality(scene, said)
    where = "" if what == NOUNS[scene.place] else _where(scene, said, rng)
    if quality == "high resolution" and _happens(0.25, rng):
        what, quality = f"{what}, {quality}", ""
    conditions, first = _conditions(scene, said, rng), []
    if conditions and _happens(0.2, rng):
        first = [conditions.pop()]
    separator = ", " if ", " in what else " "
    shown = separator.join(filter(None, [what, where, *conditions]))
    return ", ".join([*first, _styled(shown, quality, scene, said, rng)])


def _what(scene: Scene, said: Said, rng: np.random.Generator | None) -> str:
    """The subject, and the second thing where there is one."""
    if scene.subject in VIEWS:
        return _view(scene, said, rng)
    color, small = scene.color if said.color else None, scene.small and said.small
    if not said.name:
        return _vague(scene, color, small, rng)
    thing = _thing(scene.subject, color, small, rng)
    if scene.other and said.other:
        color = scene.other_color if said.other_color else None
        return _two(scene, said, thing, _thing(scene.other, color, False, rng), rng)
    return _bare(thing) if _happens(NO_ARTICLE / 3, rng) else thing


def _view(scene: Scene, said: Said, rng: np.random.Generator | None) -> str:
    if not said.name:
        return NOUNS[scene.place]
    return _pick(VIEWED[scene.place], rng) if said.place else a(scene.subject)


def _vague(scene: Scene, color: str | None, small: bool, rng: np.random.Generator) -> str:
    """A thing that is not named: what kind it is, or only the place."""
    if rng.random() < 0.3:
        return NOUNS[scene.place]
    if scene.subject not in VAGUE and not small and rng.random() < 0.5:
        return f"something {color or ''}".strip()
    return _thing(VAGUE.get(scene.subject, "thing"), color, small, rng)


def _thing(noun: str, color: str | None, small: bool, rng: np.random.Generator | None) -> str:
    noun = colored(noun, color)
    return a(f"{_pick(('small', 'small', 'little'), rng)} {noun}" if small else noun)


def _two(scene: Scene, said: Said, one: str, other: str, rng: np.random.Generator | None) -> str:
    """Two things and how they stand to each other, seen from either of them."""
    relation = scene.relation
    if _happens(0.3, rng):
        one, other, relation = other, one, RELATED[relation][1]
    together = not said.relation or (relation == "next to" and _happens(0.5, rng))
    return f"{one} {'and' if together else _pick(RELATED[relation][0], rng)} {other}"


def _where(scene: Scene, said: Said, rng: np.random.Generator | None) -> str:
    if scene.subject in VIEWS or not said.place:
        return ""
    known = WHERE[scene.place]
    things = {scene.subject, scene.other} - {None}
    if scene.place == "park bench" and things <= set(CREATURES):
        known = (*known, *(f"sitting {where}" for where in known))
    return _pick(known, rng)


def _conditions(scene: Scene, said: Said, rng: np.random.Generator | None) -> list[str]:
    """Time and weather, which a pencil sketch does not show."""
    if scene.style == "pencil sketch":
        return []
    skies, adjective = SKIES[scene.weather]
    both = said.time and said.weather and scene.time in ("day", "night")
    if both and _happens(0.5, rng):
        return [f"on a {adjective} {scene.time}"]
    when = [_pick(WHEN[scene.time], rng)] if said.time else []
    return when + ([_pick(skies, rng)] if said.weather else [])


def _quality(scene: Scene, said: Said) -> str:
    return scene.quality if said.quality and scene.quality != "plain" else ""


def _styled(
    shown: str, quality: str, scene: Scene, said: Said, rng: np.random.Generator | None
) -> str:
    """Put style and quality before or after what is shown."""
    before, after = _medium(scene.style, said.style, rng)
    in_front = {"beautiful": 0.8, "zoomed in": 0.0, "high resolution": 0.4}.get(quality, 0.25)
    if quality and _happens(in_front, rng):
        counted = before != "pixel art of"
        before, quality = f"{quality} {_bare(before or 'a picture of')}", ""
        before = a(before) if counted else before
    if _happens(NO_ARTICLE, rng):
        before = _bare(before)
    return ", ".join(filter(None, [f"{before} {shown}".strip(), after, quality]))


def _medium(style: str, said: bool, rng: np.random.Generator | None) -> tuple[str, str]:
    """What names the style: before and after what is shown, one of the two at most."""
    before, after, neutral = MEDIA[style]
    if not said:
        return (neutral if _happens(0.3, rng) else ""), ""
    if _happens(0.25, rng):
        return "", _pick(after, rng)
    return _pick(before, rng), ""


def _short(scene: Scene, rng: np.random.Generator) -> str:
    """One piece of information, in one or two words; and the flaw, if there is one."""
    known = [a(scene.subject), scene.subject, _bare(NOUNS[scene.place])]
    if scene.style != "pencil sketch":
        known.append(scene.time)
    if scene.style != "photo":
        known.append(scene.style)
    if scene.color:
        known.append(scene.color)
    flaw = [scene.quality] if scene.quality in FLAWS else []
    return ", ".join([str(rng.choice(known)), *flaw])


def _flaws(scene: Scene, rng: np.random.Generator) -> str:
    """A list of flaws, as in a negative prompt: the picture has one of them."""
    others = [flaw for flaw in FLAWS if flaw != scene.quality]
    flaws = [scene.quality, *rng.permutation(others)[: rng.integers(0, 5)]]
    return ", ".join(str(flaw) for flaw in rng.permutation(flaws))


def _bare(phrase: str) -> str:
    """A phrase without its article."""
    return phrase.removeprefix("a ").removeprefix("an ").removeprefix("the ")


def _pick(known: tuple[str, ...], rng: np.random.Generator | None) -> str:
    """One of several ways to say the same; without a random generator the first."""
    return known[0] if rng is None else str(rng.choice(known))


def _happens(share: float, rng: np.random.Generator | None) -> bool:
    """Whether something rare happens this time; without a random generator it never does."""
    return rng is not None and bool(rng.random() < share)
