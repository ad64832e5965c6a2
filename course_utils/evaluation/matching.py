"""CLIP score: how well a picture and its prompt match, in the eyes of a CLIP of the world."""

import numpy as np

from course_utils.evaluation.material import SETTINGS, Material
from course_utils.evaluation.tables import Tables
from course_utils.training.clip import similarities
from course_utils.world3d.caption import describe


def own_and_shuffled(scores: np.ndarray) -> tuple[float, float]:
    """The mean of the diagonal, and of all the rest: the floor.

    Args:
        scores: [i, j], the cosine of picture i and caption j, (N, N), N at least 2.
    """
    count = len(scores)
    own = float(np.trace(scores))
    return own / count, (float(scores.sum()) - own) / (count * (count - 1))


def clip_score(material: Material) -> Tables:
    """The mean cosine of pictures with their own captions, and with those of all others: of
    drawn pictures, and of renders of the same scenes.

    Source: Hessel et al. 2021, "CLIPScore", without its factor of 2.5.
    """
    captions = [describe(scene) for scene in material.scenes]
    pictures = {"renders": material.renders.pictures}
    pictures |= {setting.name: material.drawn(setting) for setting in SETTINGS}
    rows = []
    for name, these in pictures.items():
        own, shuffled = own_and_shuffled(similarities(material.clip, these, captions).numpy())
        rows.append({"pictures": name, "own caption": own, "shuffled captions": shuffled})
    return {"CLIP score: mean cosine of a picture and a caption": rows}
