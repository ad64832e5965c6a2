"""What a scene is, as class numbers: what the text encoder learns to tell and the judge to see."""

from torch import Tensor, nn, tensor

from course_utils.errors import check_choice
from course_utils.world import vocabulary as flat
from course_utils.world3d import vocabulary as solid
from course_utils.world3d.caption import RELATED

CLASSES = {  # what a scene of the flat world is, as the judge and the text encoder name it
    "subject": flat.SUBJECTS,
    "color": tuple(flat.COLORS),
    "place": flat.PLACES,
    "time": flat.TIMES,
    "style": flat.STYLES,
    "quality": flat.QUALITIES,
}
CLASSES_OF = {  # world, see `data.WORLDS`: attribute → its classes
    "world": CLASSES,
    "world3d": {
        "subject": solid.SUBJECTS,
        "color": tuple(solid.COLORS),
        "place": solid.PLACES,
        "time": solid.TIMES,
        "weather": solid.WEATHERS,
        "style": solid.STYLES,
        "quality": solid.QUALITIES,
        "other": ("none", *solid.THINGS),
        "other_color": tuple(solid.COLORS),
        "relation": ("left of", "right of", "in front of", "behind"),
    },
}
UNNAMED = -100  # the class of a colour that a scene does not have: no loss, no score


def classes_of(world: str) -> dict[str, tuple[str, ...]]:
    """The attributes of a world's scenes, each with its classes.

    Args:
        world: one of `data.WORLDS`.
    Raises:
        ValueError: no such world.
    """
    check_choice("world", world, CLASSES_OF)
    return CLASSES_OF[world]


def scene_classes(scenes: list[dict], world: str = "world") -> dict[str, Tensor]:
    """Scenes as class numbers: attribute → (N,) int64, UNNAMED where a scene has none.

    Args:
        scenes: the fields of each scene.
        world: which world's scenes they are.
    """
    told = [what_is_seen(scene) for scene in scenes] if world == "world3d" else scenes
    return {
        attribute: tensor(
            [UNNAMED if s[attribute] is None else names.index(s[attribute]) for s in told]
        )
        for attribute, names in classes_of(world).items()
    }


def what_is_seen(scene: dict) -> dict:
    """The fields of a scene of world3d as a picture tells them.

    Which of two things is the subject cannot be seen: here it is the one that comes first in
    SUBJECTS. "Next to" is left or right in the picture, and a pencil sketch shows neither time nor
    weather: these are None. Where there is no second thing, `other` is "none".
    """
    seen = in_order(scene)
    if seen["relation"] == "next to":
        seen["relation"] = None
    if seen["style"] == "pencil sketch":
        seen |= {"time": None, "weather": None}
    return seen | {"other": seen["other"] or "none"}


def in_order(scene: dict) -> dict:
    """The same scene, told from the one of its two things that comes first in SUBJECTS."""
    one, other = scene["subject"], scene["other"]
    if other is None or solid.SUBJECTS.index(one) < solid.SUBJECTS.index(other):
        return dict(scene)
    return scene | {
        "subject": other,
        "color": scene["other_color"],
        "other": one,
        "other_color": scene["color"],
        "relation": RELATED[scene["relation"]][1],
    }


class Heads(nn.ModuleDict):
    """One linear classifier for each attribute of a scene."""

    def __init__(self, width: int, classes: dict[str, tuple[str, ...]] = CLASSES):
        """
        Args:
            width: of the vectors that are classified.
            classes: attribute → its classes, see `classes_of`.
        """
        super().__init__({name: nn.Linear(width, len(known)) for name, known in classes.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Vectors (…, width) → logits (…, classes) for each attribute."""
        return {name: head(x) for name, head in self.items()}
