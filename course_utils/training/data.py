"""Pictures of the world, rendered once and kept on disk."""

import json
import os
import re
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from course_utils.errors import check_choice
from course_utils.training.loop import first_process_first
from course_utils.world.vocabulary import SIZE

MAPS = {  # what is kept for every picture: shape and type
    "pictures": ((SIZE, SIZE, 3), np.uint8),
    "depth": ((SIZE, SIZE), np.float16),
    "labels": ((SIZE, SIZE), np.uint8),
}
TOLD = ("names", "captions", "scenes")  # what is kept in words
CHUNK = 16  # pictures that a process draws at a time
WORLDS = ("world", "world3d")  # packages of course_utils with a function `sample`


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
    folder: Path,
    count: int,
    first: int = 0,
    unseen: bool = False,
    workers: int | None = None,
    world: str = "world",
) -> Pictures:
    """Render `count` pictures of a world from seed `first` on, or find them rendered.

    Rendering that was interrupted goes on where it stopped.

    Args:
        folder: where they are kept.
        count: how many.
        first: the first seed.
        unseen: only scenes with one of the UNSEEN_PAIRS.
        workers: processes to render with; one for each processor where left out.
        world: one of WORLDS.
    Raises:
        ValueError: no such world.
    """
    check_choice("world", world, WORLDS)
    files = _files(folder / f"{world}-{first}-{count}{'-unseen' if unseen else ''}")
    with first_process_first():
        if not all(file.exists() for file in files.values()):
            _render(files, range(first, first + count), partial(_draw, world, unseen), workers)
    maps = {name: np.load(files[name], mmap_mode="r") for name in MAPS}
    return Pictures(**maps, **json.loads(files["told"].read_text()))


def with_mirrored(world: Pictures) -> Pictures:
    """All pictures, and then each of them as a mirror shows it: left and right change places, in
    the captions and scenes as well. All in memory."""
    swap = {"left": "right", "right": "left"}
    turn = re.compile(r"\b(left|right)\b")

    def swapped(text: str) -> str:
        return turn.sub(lambda found: swap[found[0]], text)

    def both(maps: np.ndarray) -> np.ndarray:
        return np.concatenate([maps, maps[:, :, ::-1]])

    scenes = [
        scene | {"relation": swapped(scene["relation"])} if scene.get("relation") else scene
        for scene in world.scenes
    ]
    return Pictures(
        pictures=both(world.pictures),
        depth=both(world.depth),
        labels=both(world.labels),
        names=2 * world.names,
        captions=world.captions + [swapped(caption) for caption in world.captions],
        scenes=world.scenes + scenes,
    )


def _files(stem: Path) -> dict[str, Path]:
    """Where each map is kept, and in "told" the words."""
    return {
        "told": stem.with_name(f"{stem.name}.json"),
        "pictures": stem.with_name(f"{stem.name}.npy"),
        "depth": stem.with_name(f"{stem.name}-depth.npy"),
        "labels": stem.with_name(f"{stem.name}-labels.npy"),
    }


def _render(files: dict[str, Path], seeds: range, draw, workers: int | None) -> None:
    """Write new files beside the old ones, then put them in their place: never half a file, and
    whoever has an old one open keeps it."""
    new = {name: file.with_name(file.name + ".new") for name, file in files.items()}
    new["told"].parent.mkdir(parents=True, exist_ok=True)
    done = _lines(new["told"]) if all(file.exists() for file in new.values()) else []
    maps = {
        name: np.lib.format.open_memmap(
            new[name], *(("r+",) if done else ("w+", dtype, (len(seeds), *shape)))
        )
        for name, (shape, dtype) in MAPS.items()
    }
    drawn = _drawn(seeds[len(done) :], draw, workers)
    bar = tqdm(drawn, "world", len(seeds), initial=len(done), mininterval=10)
    with new["told"].open("a" if done else "w") as lines:
        for place, found in enumerate(bar, start=len(done)):
            for name, store in maps.items():
                store[place] = found.pop(name)
            lines.write(json.dumps(found) + "\n")
            lines.flush()
    for store in maps.values():
        store.flush()
    told = _lines(new["told"])
    new["told"].write_text(json.dumps({name: [line[name] for line in told] for name in TOLD}))
    for name, file in files.items():
        os.replace(new[name], file)


def _lines(file: Path) -> list[dict]:
    """What an interrupted run has written: whole lines only, and none where it was at its end."""
    text = file.read_text()
    whole = text[: text.rfind("\n") + 1]
    file.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


def _drawn(seeds: range, draw, workers: int | None):
    """The pictures of all seeds in order; many are drawn by other processes."""
    if len(seeds) <= CHUNK or workers == 1:
        yield from map(draw, seeds)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(draw, seeds, chunksize=CHUNK)


def _draw(world: str, unseen: bool, seed: int) -> dict:
    """One picture, with a value for every field of Pictures."""
    drawn = import_module(f"course_utils.{world}").sample(seed, unseen)
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
