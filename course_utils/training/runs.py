"""Training runs that a notebook shows: live, kept with their history, and found again.

A run lives in a folder that is named after its settings. It holds the loop's checkpoint and, beside
it, what was seen on the way: the loss of every step, and samples. So a run that was interrupted
goes on, one that is finished is shown as it was, and other settings never meet its files.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock
from PIL import Image
from torch import Tensor, nn

from course_utils.models import POCKET
from course_utils.training.loop import CHECKPOINT, averaged

if TYPE_CHECKING:
    from diffusers.training_utils import EMAModel

PROJECT = POCKET.parents[1]
Draw = Callable[[nn.Module], list[Image.Image]]


def home(name: str) -> Path:
    """Where a notebook keeps its runs: in `build` of the project, else beside the notebook."""
    inside = (PROJECT / "pyproject.toml").is_file()
    return (PROJECT if inside else Path.cwd()) / "build" / name


def fingerprint(*networks: nn.Module) -> str:
    """Eight hexadecimal digits that tell weights apart: of the first numbers of each tensor."""
    digest = hashlib.sha256()
    for network in networks:
        for value in network.state_dict().values():
            digest.update(value.flatten()[:16].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:8]


def run_folder(parent: Path, name: str, settings: dict) -> Path:
    """The folder of a run, made where it is not there: one for each choice of settings.

    Args:
        parent: from `home`.
        name: of the run.
        settings: all that decides how the run goes, as JSON can say it; kept in the folder.
    """
    told = json.dumps(settings, indent=2, sort_keys=True)
    folder = parent / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(told + "\n")
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While one process works in a folder, another that wants to waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        yield


@dataclass
class History:
    """What is seen of a run on its way; the `watch` of `fit`.

    Attributes:
        folder: of the run.
        steps: of the whole run.
        moments: after how many steps samples are drawn; none where empty.
        draw: makes samples with the averaged model.
        show: called after every step with the History.
        losses: "mse" where the loss names it, else "loss", of every step so far.
        samples: steps done → pictures.
    """

    folder: Path
    steps: int
    moments: Sequence[int] = ()
    draw: Draw | None = None
    show: Callable[["History"], None] | None = None
    losses: list[float] = field(default_factory=list)
    samples: dict[int, list[Image.Image]] = field(default_factory=dict)

    def recalled(self) -> "History":
        """Itself, with what its folder knows of the run; ValueError where that is damaged."""
        if (self.folder / CHECKPOINT).exists():
            self.losses = read_losses(self.folder / "losses.npy")
        for moment in self.moments:
            if self._file(moment).exists():
                self.samples[moment] = read_strip(self._file(moment))
        return self

    def __call__(
        self, done: int, losses: dict[str, Tensor], model: nn.Module, average: "EMAModel"
    ) -> None:
        value = losses.get("mse", losses["loss"])
        self.losses[done - 1 :] = [float(value.detach())]
        if done in self.moments and self.draw:
            with averaged(model, average):
                self.samples[done] = self.draw(model)
            write_strip(self._file(done), self.samples[done])
        self._keep()
        if self.show:
            self.show(self)

    @property
    def done(self) -> int:
        """Steps taken so far."""
        return len(self.losses)

    def mean(self, first: int, last: int) -> float:
        """Mean loss of steps first + 1 to last."""
        return float(np.mean(self.losses[first:last]))

    def until(self, step: int) -> "History":
        """What had been seen after so many steps."""
        samples = {moment: drawn for moment, drawn in self.samples.items() if moment <= step}
        moments = [moment for moment in self.moments if moment <= step]
        return replace(self, moments=moments, losses=self.losses[:step], samples=samples)

    def smooth(self, width: int = 20) -> np.ndarray:
        """The losses, each the mean of the last `width`."""
        sums = np.cumsum([0.0, *self.losses])
        ends = np.arange(1, len(sums))
        starts = np.maximum(ends - width, 0)
        return (sums[ends] - sums[starts]) / (ends - starts)

    def _keep(self) -> None:
        """Write the losses beside the old file, then put it in its place: never half a file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self.folder / "new.npy", self.losses)
        os.replace(self.folder / "new.npy", self.folder / "losses.npy")

    def _file(self, moment: int) -> Path:
        return self.folder / f"sample-{moment:05}.png"


def read_losses(file: Path) -> list[float]:
    """The losses of a run so far; ValueError where its file is missing or damaged."""
    try:
        return np.load(file).tolist()
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(
            f"{file.parent.name}/{file.name} is missing or damaged. Delete its folder, and the run "
            "begins anew."
        ) from error


def write_strip(file: Path, pictures: list[Image.Image]) -> None:
    """Square pictures side by side in one PNG."""
    side = pictures[0].height
    strip = Image.new("RGB", (side * len(pictures), side))
    for place, picture in enumerate(pictures):
        strip.paste(picture, (side * place, 0))
    strip.save(file)


def read_strip(file: Path) -> list[Image.Image]:
    """The pictures that `write_strip` wrote."""
    with Image.open(file) as strip:
        side = strip.height
        return [strip.crop((x, 0, x + side, side)) for x in range(0, strip.width, side)]
