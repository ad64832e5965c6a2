"""How good are the models of notebooks 07 and 08? Measured on pictures they never saw.

    python -m course_utils.training.evaluate_tasks

Writes a table, and `build/evaluate_tasks.json`.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from tqdm.auto import tqdm

from course_utils.depth2img import estimate_depth
from course_utils.drawing import make_scheduler
from course_utils.inpaint import box_around, composite
from course_utils.models import POCKET_THREADS, load, load_segmenter
from course_utils.training import held_out
from course_utils.training.attributes import scene_classes
from course_utils.training.data import world_pictures
from course_utils.training.depth_estimator import depth_error
from course_utils.training.evaluate import BATCH, GUIDANCE, SAMPLER, STEPS
from course_utils.training.judge import Judge, load_judge, right
from course_utils.training.report import write_json
from course_utils.training.segmenter import mean_iou
from course_utils.world import HELD_OUT, Sample, Scene
from course_utils.world.caption import caption
from course_utils.world.vocabulary import (
    COLORS,
    STYLES,
    SUBJECTS_AT,
    THINGS,
    UNSEEN_PAIRS,
)

REPORT = Path("build/evaluate_tasks.json")
PICTURES = 200
SEEDS = HELD_OUT + 2_000_000  # clear of all other held-out pictures
MARGIN = 8  # pixels around the thing that is replaced


def held_out_things(count: int) -> list[Sample]:
    """Pictures that nothing else is measured on; see `held_out.held_out_things`."""
    return held_out.held_out_things(count, SEEDS)


def another_subject(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene with another thing in it, in a colour that it may have."""
    known = [s for s in SUBJECTS_AT[scene.place] if s in THINGS and s != scene.subject]
    subject = str(rng.choice(known))
    colors = [color for color in COLORS if (color, subject) not in UNSEEN_PAIRS]
    color = None if scene.style == "pencil sketch" else str(rng.choice(colors))
    return replace(scene, subject=subject, color=color, small=False)


def another_style(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same scene painted in another style; a pencil shows no colour and no time of day."""
    style = str(rng.choice([s for s in STYLES if s != scene.style]))
    if "pencil sketch" in (style, scene.style):
        style = "pencil sketch" if scene.style != "pencil sketch" else "photo"
    if style == "pencil sketch":
        return replace(scene, style=style, color=None, time="day")
    if scene.color is None and scene.subject in ("ball", "cube", "cone"):
        return replace(scene, style=style, color="red")
    return replace(scene, style=style)


def repaint(pipe, scenes: list[Scene], **pictures) -> list[Image.Image]:
    """Draw every scene's caption into or over the pictures given.

    Args:
        pipe: for inpainting or Depth2Img.
        scenes: what to draw, N.
        pictures: N pictures for each name that the pipeline takes: image, mask_image.
    """
    prompts = [caption(s, np.random.default_rng(k), partial=False) for k, s in enumerate(scenes)]
    painted = []
    for first in tqdm(range(0, len(scenes), BATCH), type(pipe).__name__, mininterval=10):
        part = slice(first, first + BATCH)
        seeds = [torch.Generator().manual_seed(first + i) for i in range(len(prompts[part]))]
        painted += pipe(
            prompts[part],
            **{name: given[part] for name, given in pictures.items()},
            strength=1.0,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=seeds,
        ).images
    return painted


def judged(judge: Judge, pictures: list[Image.Image], scenes: list[Scene]) -> dict[str, float]:
    """Share of pictures in which the judge sees what the scene says, by attribute."""
    seen = judge.classes(np.stack([np.asarray(picture) for picture in pictures]))
    return right(seen, scene_classes([asdict(scene) for scene in scenes]))


def inpainting(judge: Judge, samples: list[Sample]) -> dict:
    """Replace the thing in each picture: is the new one seen, and is the rest untouched?"""
    pipe = ready("inpaint")
    rng = np.random.default_rng(0)
    scenes = [another_subject(s.scene, rng) for s in samples]
    holes = [box_around(s.masks[s.scene.subject], MARGIN) for s in samples]
    masks = [Image.fromarray(hole).convert("L") for hole in holes]
    images = [s.picture for s in samples]
    painted = repaint(pipe, scenes, image=images, mask_image=masks)
    done = [composite(*three) for three in zip(images, painted, masks, strict=True)]
    kept = [
        np.array_equal(np.asarray(new)[~hole], np.asarray(old)[~hole])
        for new, old, hole in zip(done, images, holes, strict=True)
    ]
    drifted = [
        np.abs(np.asarray(new, int) - np.asarray(old, int))[~hole].mean()
        for new, old, hole in zip(painted, images, holes, strict=True)
    ]
    return {
        **judged(judge, done, scenes),
        "outside_identical": float(np.mean(kept)),
        "outside_difference_before_pasting": float(np.mean(drifted)),  # of 255
    }


def depth_to_image(judge: Judge, samples: list[Sample]) -> dict:
    """Repaint each picture in another style: is the style seen, and is the layout kept?"""
    pipe = ready("depth2img")
    rng = np.random.default_rng(0)
    scenes = [another_style(s.scene, rng) for s in samples]
    images = [s.picture for s in samples]
    painted = repaint(pipe, scenes, image=images)
    return {**judged(judge, painted, scenes), "depth_correlation": layout(pipe, images, painted)}


def layout(pipe, before: list[Image.Image], after: list[Image.Image]) -> float:
    """Mean correlation of the estimated depth of pictures before and after."""
    pairs = zip(before, after, strict=True)
    depths = [[estimate_depth(pipe, p).flatten().numpy() for p in pair] for pair in pairs]
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in depths]))


def ready(task: str):
    """The pocket pipeline for a task, with the sampler that all judging uses."""
    pipe = load("pocket", task)
    pipe.scheduler = make_scheduler(SAMPLER, pipe.scheduler)
    return pipe


def evaluate_tasks(count: int = PICTURES) -> dict:
    """Measure everything on `count` held-out pictures."""
    judge, samples = load_judge(), held_out_things(count)
    folder = Path("build/train")
    renders = world_pictures(folder, count, first=SEEDS)
    pairs = world_pictures(folder, count, first=SEEDS, unseen=True)
    segmenter, processor = load_segmenter()
    tokenizer = processor.tokenizer
    estimator = load("pocket", "depth2img").depth_estimator
    return {
        "pictures": count,
        "depth_error": depth_error(estimator, renders.pictures, renders.depth),
        "mask_iou": {
            "held-out pictures": mean_iou(segmenter, renders, tokenizer),
            "held-out pairs": mean_iou(segmenter, pairs, tokenizer, subjects_only=True),
        },
        "inpaint": inpainting(judge, samples),
        "depth2img": depth_to_image(judge, samples),
    }


def print_report(report: dict) -> None:
    """The figures as a table."""
    table = Table("what", "measure", "value", title=f"{report['pictures']} held-out pictures")
    for what, value in report.items():
        for measure, number in (value if isinstance(value, dict) else {"": value}).items():
            table.add_row(what, measure, f"{number:.3f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    torch.set_num_threads(POCKET_THREADS)
    figures = evaluate_tasks()
    write_json(REPORT, figures)
    print_report(figures)
