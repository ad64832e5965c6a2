"""How well does a word's attention find its thing? Measured on pictures the model never saw.

    python -m course_utils.training.evaluate_attention

Writes a table, and `build/evaluate_attention.json`.
"""

from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from course_utils.attention import (
    attention_mask,
    look_at,
    spread,
    who_looks_where,
    word_map,
    words,
)
from course_utils.inpaint import iou, mask_from_words
from course_utils.models import Segmenter, load, load_segmenter
from course_utils.training import held_out
from course_utils.training.report import write_json
from course_utils.world import HELD_OUT, Sample

REPORT = Path("build/evaluate_attention.json")
PICTURES = 80
SEEDS = HELD_OUT + 3_000_000  # clear of all other held-out pictures


def held_out_things(count: int) -> list[Sample]:
    """Pictures that nothing else is measured on; see `held_out.held_out_things`."""
    return held_out.held_out_things(count, SEEDS)


def another_word(tokenizer, caption: str, word: str, rng: np.random.Generator) -> str:
    """Any other word of a caption; a comma is none."""
    others = [name for name, _ in words(tokenizer, caption) if name != word and name.isalpha()]
    return str(rng.choice(others))


def masks(pipe, segmenter: Segmenter, drawn: Sample, number: int) -> dict[str, np.ndarray]:
    """Every mask of a picture's thing that is to be judged.

    Args:
        pipe: for text-to-image.
        segmenter: from `load_segmenter`.
        drawn: the picture, its caption and what is in it.
        number: seeds the noise, and the choice of the other word.
    Returns:
        (H, W) bool for "attention", "attention, spread", "segmenter" and "random word".
    """
    thing, caption, size = drawn.scene.subject, drawn.caption, drawn.picture.size
    other = another_word(pipe.tokenizer, caption, thing, np.random.default_rng(number))
    dice = torch.Generator().manual_seed(number)
    cross, own = look_at(pipe, drawn.picture, caption, generator=dice)
    one, its = (word_map(cross, pipe.tokenizer, caption, word) for word in (thing, other))
    seen = mask_from_words(segmenter, drawn.picture, f"the {thing}")
    return {
        "attention": attention_mask(one, size),
        "attention, spread": attention_mask(spread(one, who_looks_where(own)), size),
        "segmenter": np.asarray(seen) > 0,
        "random word": attention_mask(its, size),
    }


def ious(pipe, segmenter: Segmenter, samples: list[Sample]) -> list[dict[str, float]]:
    """Intersection over union with the true mask of the thing, by the names of `masks`."""
    found = []
    for number, drawn in enumerate(samples):
        truth = drawn.masks[drawn.scene.subject]
        guesses = masks(pipe, segmenter, drawn, number)
        found.append({name: iou(mask, truth) for name, mask in guesses.items()})
    return found


def evaluate_attention(count: int = PICTURES) -> dict:
    """Measure everything on `count` held-out pictures."""
    found = ious(load("pocket"), load_segmenter(), held_out_things(count))
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    return {"attention_pictures": count, "attention_iou": means}


def print_report(report: dict) -> None:
    """The figures as a table."""
    title = f"Mean IoU with the true mask, {report['attention_pictures']} held-out pictures"
    table = Table("mask from", "IoU", title=title)
    for name, value in report["attention_iou"].items():
        table.add_row(name, f"{value:.3f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    figures = evaluate_attention()
    write_json(REPORT, figures)
    print_report(figures)
