"""Pictures of the world, rendered once and kept on disk."""

import json
import os
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.training.loop import first_process_first
from course_utils.world import sample
from course_utils.world.vocabulary import SIZE

MAPS = {  # what is kept for every picture: shape and type
    "pictures": ((SIZE, SIZE, 3), np.uint8),
    "depth": ((SIZE, SIZE), np.float16),
    "labels": ((SIZE, SIZE), np.uint8),
}
CHUNK = 64  # pictures that a process draws at a time


@dataclass(frozen=True)
class Pictures:
    """Rendered pictures and everything known about them; the maps stay on disk.

    Attributes:
        pictures: (N, 128, 128, 3) uint8.
        depth: distance in metres, (N, 128, 128) float16.
        labels: which thing is seen, (N, 128, 128) uint8: k is the k-th of the picture's names,
            0 is nothing named.
        names: for each picture, the names of the things in it.
        captions: for each picture, what a person would type to get it.
        scenes: the descriptions the pictures were made from, as dictionaries.
    """

    pictures: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    names: list[list[str]]
    captions: list[str]
    scenes: list[dict]


def world_pictures(
    folder: Path, count: int, first: int = 0, unseen: bool = False, workers: int | None = None
) -> Pictures:
    """Render `count` pictures of the world from seed `first` on, or find them rendered.

    Args:
        folder: where they are kept.
        count: how many.
        first: the first seed.
        unseen: only scenes with one of the UNSEEN_PAIRS.
        workers: processes to render with; one for each processor where left out.
    """
    files = _files(folder / f"world-{first}-{count}{'-unseen' if unseen else ''}")
    with first_process_first():
        if not all(file.exists() for file in files.values()):
            _render(files, range(first, first + count), unseen, workers)
    maps = {name: np.load(files[name], mmap_mode="r") for name in MAPS}
    return Pictures(**maps, **json.loads(files["told"].read_text()))


def _files(stem: Path) -> dict[str, Path]:
    """Where each map is kept, and in "told" the words."""
    return {
        "told": stem.with_name(f"{stem.name}.json"),
        "pictures": stem.with_name(f"{stem.name}.npy"),
        "depth": stem.with_name(f"{stem.name}-depth.npy"),
        "labels": stem.with_name(f"{stem.name}-labels.npy"),
    }


def _render(files: dict[str, Path], seeds: range, unseen: bool, workers: int | None) -> None:
    """Write new files beside the old ones, then put them in their place: never half a file, and
    whoever has an old one open keeps it."""
    new = {name: file.with_name(file.name + ".new") for name, file in files.items()}
    new["told"].parent.mkdir(parents=True, exist_ok=True)
    maps = {
        name: np.lib.format.open_memmap(new[name], "w+", dtype, (len(seeds), *shape))
        for name, (shape, dtype) in MAPS.items()
    }
    told = {"names": [], "captions": [], "scenes": []}
    drawn = _drawn(seeds, unseen, workers)
    for place, found in enumerate(tqdm(drawn, "world", len(seeds), mininterval=10)):
        for name, store in maps.items():
            store[place] = found[name]
        for name, words in told.items():
            words.append(found[name])
    for store in maps.values():
        store.flush()
    new["told"].write_text(json.dumps(told))
    for name, file in files.items():
        os.replace(new[name], file)


def _drawn(seeds: range, unseen: bool, workers: int | None):
    """The pictures of all seeds in order; many are drawn by other processes."""
    draw = partial(_draw, unseen=unseen)
    if len(seeds) <= CHUNK:
        yield from map(draw, seeds)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(draw, seeds, chunksize=CHUNK)


def _draw(seed: int, unseen: bool) -> dict:
    """One picture, with a value for every field of Pictures."""
    drawn = sample(seed, unseen)
    masks = drawn.masks.values()
    labels = sum(np.uint8(number) * mask for number, mask in enumerate(masks, start=1))
    return {
        "pictures": np.asarray(drawn.picture),
        "depth": drawn.depth,
        "labels": labels,
        "names": list(drawn.masks),
        "captions": drawn.caption,
        "scenes": asdict(drawn.scene),
    }


def roughen(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (B, 3, H, W) with a little noise and blur, so that what learns from renders also
    understands what the pocket model draws."""
    x = x + 0.1 * torch.rand(len(x), 1, 1, 1, generator=generator) * torch.randn(
        x.shape, generator=generator
    )
    blurred = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return torch.lerp(x, blurred, torch.rand(len(x), 1, 1, 1, generator=generator))
