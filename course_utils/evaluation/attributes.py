"""Does a picture show what the prompt asked for? The judge says, attribute by attribute."""

import numpy as np

from course_utils.evaluation.material import (
    ARTICLE,
    SETTINGS,
    UNSEEN_SEEDS,
    WORLD,
    Material,
    draw,
    fields,
    held_out_scenes,
)
from course_utils.evaluation.tables import Row, Tables, share
from course_utils.training.attributes import UNNAMED, scene_classes
from course_utils.training.data import world_pictures
from course_utils.training.judge import FLOOR, Judge


def attribute_shares(judge: Judge, pictures: np.ndarray, scenes: list[dict]) -> Row:
    """Share of pictures in which the judge sees what was asked for, by attribute.

    Args:
        judge: of the world in three dimensions.
        pictures: (N, H, W, 3) uint8.
        scenes: the fields of the scene that each should show.
    Returns:
        attribute → `share` over the pictures whose scene has it.
    """
    seen, truth = judge.classes(pictures), scene_classes(scenes, WORLD)
    hits = {name: (seen[name] == numbers)[numbers != UNNAMED] for name, numbers in truth.items()}
    return {name: share(found.tolist()) for name, found in hits.items()}


def attributes(material: Material) -> Tables:
    """The judge on renders, and on what the model draws: of prompts as in training at each
    setting, and of pairs of a colour and a thing that training never shows."""
    judge, scenes = material.judge, fields(material.scenes)
    known = material.reference
    fitness = attribute_shares(judge, known.pictures, known.scenes)
    rows = [{"pictures": "renders"} | fitness]
    rows += [
        {"pictures": setting.name} | attribute_shares(judge, material.drawn(setting), scenes)
        for setting in SETTINGS
    ]
    return {
        "Share of pictures that show what the prompt asked for": rows,
        "The same, of pairs that training never shows": unseen_pairs(material),
        f"What the judge is not fit to judge: right on fewer than {FLOOR} of renders": unfit(
            fitness
        ),
    }


def unseen_pairs(material: Material) -> list[Row]:
    """Attributes of scenes with one of the UNSEEN_PAIRS, half as many: of renders, and drawn at
    the article's settings."""
    count = max(material.count // 2, 1)
    renders = world_pictures(material.folder, count, UNSEEN_SEEDS, unseen=True, world=WORLD)
    pictures = draw(material.pipe, held_out_scenes(UNSEEN_SEEDS, count, unseen=True), ARTICLE)
    return [
        {"pictures": name} | attribute_shares(material.judge, these, renders.scenes)
        for name, these in (("renders", renders.pictures), (ARTICLE.name, pictures))
    ]


def unfit(fitness: Row) -> list[Row]:
    """The attributes that a judge names right on fewer than FLOOR of renders."""
    return [
        {"attribute": name, "renders": value}
        for name, value in fitness.items()
        if value["share"] is not None and value["share"] < FLOOR
    ]
