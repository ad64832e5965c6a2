"""Pictures of the world, rendered once and kept on disk."""

import json
import os
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_utils.training.loop import first_process_first
from course_utils.world import sample
from course_utils.world.vocabulary import SIZE


def world_pictures(folder: Path, count: int, first: int = 0, workers: int = 2):
    """Render `count` pictures of the world from seed `first` on, or find them rendered.

    Args:
        folder: where they are kept.
        count: how many.
        first: the first seed.
        workers: processes to render with.
    Returns:
        pictures, a memory map (count, 128, 128, 3) uint8; captions; scenes as dictionaries.
    """
    stem = folder / f"world-{first}-{count}"
    pictures, texts = stem.with_suffix(".npy"), stem.with_suffix(".json")
    with first_process_first():
        if not texts.exists():
            _render(pictures, texts, range(first, first + count), workers)
    told = json.loads(texts.read_text())
    return np.load(pictures, mmap_mode="r"), told["captions"], told["scenes"]


def _render(pictures: Path, texts: Path, seeds: range, workers: int) -> None:
    pictures.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(seeds), SIZE, SIZE, 3)
    store = np.lib.format.open_memmap(pictures, mode="w+", dtype=np.uint8, shape=shape)
    captions, scenes = [], []
    with get_context("spawn").Pool(workers) as pool:
        told = pool.imap(_draw, seeds, chunksize=64)
        for place, (pixels, caption, scene) in enumerate(
            tqdm(told, "world", len(seeds), mininterval=10)
        ):
            store[place] = pixels
            captions.append(caption)
            scenes.append(scene)
    store.flush()
    texts.with_suffix(".new").write_text(json.dumps({"captions": captions, "scenes": scenes}))
    os.replace(texts.with_suffix(".new"), texts)


def _draw(seed: int):
    drawn = sample(seed)
    return np.asarray(drawn.picture), drawn.caption, asdict(drawn.scene)
