"""A small grammar that says in words what a scene is: many ways to say the same."""

import numpy as np

from course_utils.world.scene import Scene
from course_utils.world.vocabulary import FLAWS, MERITS, VIEWS

WHERE = {
    "park bench": (
        "on a bench",
        "on a park bench",
        "sitting on a bench",
        "sitting on a park bench",
    ),
    "park": ("in a park", "in the park"),
    "beach": ("on a beach", "on the beach"),
    "snow": ("in the snow",),
}
CLOTHES = {"man": "shirt", "woman": "dress"}
WHEN = {"day": ("", "", "", "during the day"), "sunset": ("at sunset",), "night": ("at night",)}


def caption(scene: Scene, rng: np.random.Generator, partial: bool = True) -> str:
    """Say a scene in words.

    Args:
        scene: what is in the picture.
        rng: chooses among synonyms and word orders.
        partial: now and then leave out the colour or the place, or name nothing but flaws, as
            learners' prompts and negative prompts do.
    Returns:
        the caption, as a prompt would be typed, without a full stop.
    """
    if partial and scene.quality in FLAWS and rng.random() < 0.2:
        return _flaws(scene, rng)
    color = bool(scene.color) and not (partial and rng.random() < 0.05)
    where = not (partial and rng.random() < 0.07)
    what = _subject(scene, rng, color)
    quality = scene.quality
    if quality in MERITS and rng.random() < 0.25:
        what, quality = f"{what}, {quality}", "plain"
    if where and scene.place in WHERE and scene.subject not in VIEWS:
        separator = ", " if ", " in what else " "
        what = f"{what}{separator}{rng.choice(WHERE[scene.place])}"
    when = str(rng.choice(WHEN[scene.time]))
    if when and rng.random() < 0.2:
        return f"{when}, {_styled(what, scene.style, quality, rng)}"
    what = f"{what}{', ' if ', ' in what else ' '}{when}" if when else what
    return _styled(what, scene.style, quality, rng)


def _subject(scene: Scene, rng: np.random.Generator, color: bool) -> str:
    if scene.subject == "wave":
        return str(rng.choice(["a wave breaking", "a breaking wave", "a wave breaking on the sea"]))
    if scene.subject == "cityscape" and scene.place == "winter city":
        return str(
            rng.choice(["a winter cityscape", "an winter cityscape", "a cityscape in winter"])
        )
    if scene.subject == "cityscape":
        return "a cityscape"
    if scene.subject == "bench":
        return str(rng.choice(["a park bench", "an empty park bench", "a bench in a park"]))
    noun = colored(scene.subject, scene.color if color else None)
    return _a(f"small {noun}" if scene.small else noun)


def colored(noun: str, color: str | None) -> str:
    """A thing and its colour, which is the colour of their clothes with people; no article."""
    if color is None:
        return noun
    if noun in CLOTHES:
        return f"{noun} in {_a(color)} {CLOTHES[noun]}"
    return f"{color} {noun}"


def mask_phrases(name: str, scene: Scene) -> list[str]:
    """What a person would call the thing of a mask: with its colour first, where it has one.

    Args:
        name: of a mask, see Sample.
        scene: what the picture is of; only its subject has a colour.
    Returns:
        phrases such as "the red ball", "a red ball", "red ball", "the ball", "a ball", "ball".
    """
    color = scene.color if name == scene.subject else None
    nouns = dict.fromkeys([colored(name, color), name])
    return [phrase for noun in nouns for phrase in (f"the {noun}", _a(noun), noun)]


def _styled(what: str, style: str, quality: str, rng: np.random.Generator) -> str:
    """Put style and quality before or behind what is shown."""
    medium = (
        str(rng.choice(["", "a photo of", "a picture of"]))
        if style == "photo"
        else f"{_a(style) if style != 'pixel art' else style} of"
    )
    if style != "photo" and rng.random() < 0.25:
        what, medium = f"{what}, {style}", ""
    if quality in MERITS and rng.random() < 0.7:
        medium = _a(f"{quality} {_bare(medium or 'a picture of')}")
    elif quality != "plain":
        what = f"{what}, {quality}"
    if medium and rng.random() < 0.3:
        medium = _bare(medium)
    if medium and rng.random() < 0.15:
        what = _bare(what)
    return f"{medium} {what}".strip()


def _bare(phrase: str) -> str:
    """A phrase without its article."""
    return phrase.removeprefix("a ").removeprefix("an ")


def _flaws(scene: Scene, rng: np.random.Generator) -> str:
    """A list of flaws, as in a negative prompt: the picture has one of them."""
    others = [flaw for flaw in FLAWS if flaw != scene.quality]
    flaws = [scene.quality, *rng.permutation(others)[: rng.integers(0, 5)]]
    return ", ".join(str(flaw) for flaw in rng.permutation(flaws))


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
