"""What a scene is, as class numbers: what the text encoder learns to tell and the judge to see."""

import torch
from torch import Tensor, nn

from course_utils.world.vocabulary import COLORS, PLACES, QUALITIES, STYLES, SUBJECTS, TIMES

CLASSES = {  # what a scene is, as the judge and the text encoder's training name it
    "subject": SUBJECTS,
    "color": tuple(COLORS),
    "place": PLACES,
    "time": TIMES,
    "style": STYLES,
    "quality": QUALITIES,
}
UNNAMED = -100  # the class of a colour that a scene does not have: no loss, no score


def scene_classes(scenes: list[dict]) -> dict[str, Tensor]:
    """Scenes as class numbers: attribute → (N,) int64, UNNAMED where a scene has none."""
    return {
        attribute: torch.tensor(
            [UNNAMED if s[attribute] is None else names.index(s[attribute]) for s in scenes]
        )
        for attribute, names in CLASSES.items()
    }


class Heads(nn.ModuleDict):
    """One linear classifier for each attribute of a scene."""

    def __init__(self, width: int):
        super().__init__({name: nn.Linear(width, len(known)) for name, known in CLASSES.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: head(x) for name, head in self.items()}
