"""What a model is measured on: held-out scenes, their renders, and what the model draws of them."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel

from course_utils.drawing import make_scheduler
from course_utils.training import evaluate
from course_utils.training.data import Pictures, world_pictures
from course_utils.training.judge import Judge
from course_utils.world3d.caption import describe
from course_utils.world3d.sample import HELD_OUT, make_generator
from course_utils.world3d.scene import Scene, random_scene

WORLD = "world3d"
REFERENCE_SEEDS = HELD_OUT  # renders that drawn pictures are compared with, and the judge is judged
PROMPT_SEEDS = HELD_OUT + 1_000_000
UNSEEN_SEEDS = HELD_OUT + 2_000_000
TWO_SEEDS = HELD_OUT + 3_000_000
UNSEEN_TWO_SEEDS = HELD_OUT + 4_000_000


@dataclass(frozen=True)
class Setting:
    """How pictures are drawn.

    Attributes:
        name: what tables call it.
        steps: of the scheduler.
        guidance: scale of classifier-free guidance.
        scheduler: a key of `drawing.SCHEDULERS`; None is the model's own.
    """

    name: str
    steps: int
    guidance: float
    scheduler: str | None = None


ARTICLE = Setting("the article's settings", 30, 8.0)
FAST = Setting("DPM++, 20 steps, guidance 5", 20, 5.0, "dpm++")
SETTINGS = (ARTICLE, FAST)


def held_out_scenes(
    first: int, count: int, unseen: bool = False, two: bool | None = None
) -> list[Scene]:
    """The scenes of `count` seeds, without rendering them; arguments as of `sample`."""
    return [random_scene(make_generator(first + n), unseen, two) for n in range(count)]


def draw(pipe: StableDiffusionPipeline, scenes: Sequence[Scene], setting: Setting) -> np.ndarray:
    """Draw what `describe` says of each scene, each picture from its own seed.

    Args:
        pipe: its scheduler stays as it is.
        scenes: N of them.
        setting: how.
    Returns:
        (N, H, W, 3) uint8.
    """
    if setting.scheduler:
        pipe = copy.copy(pipe)
        pipe.scheduler = make_scheduler(setting.scheduler, pipe.scheduler)
    prompts = [describe(scene) for scene in scenes]
    return evaluate.draw(pipe, prompts, setting.guidance, setting.steps)


class Material:
    """A model, its judge, and the pictures to measure it on, each made when first asked for."""

    def __init__(
        self,
        pipe: StableDiffusionPipeline,
        judge: Judge,
        count: int,
        folder: Path,
        clip: CLIPModel | None = None,
    ):
        """
        Args:
            pipe: the model, on the CPU.
            judge: of the world in three dimensions, on the CPU.
            count: how many prompts; what is dear takes fewer.
            folder: where renders are kept.
            clip: trained on the world, on the CPU; only `clip_score` needs it.
        """
        self.pipe, self.judge, self.clip = pipe, judge, clip
        self.count, self.folder = count, folder
        self._drawn = {}

    @cached_property
    def scenes(self) -> list[Scene]:
        """The scenes of the prompts, `count`, mixed as in training."""
        return held_out_scenes(PROMPT_SEEDS, self.count)

    @cached_property
    def renders(self) -> Pictures:
        """True pictures of the same scenes, in the same order."""
        return world_pictures(self.folder, self.count, first=PROMPT_SEEDS, world=WORLD)

    @cached_property
    def reference(self) -> Pictures:
        """Renders of other held-out scenes, twice `count`."""
        return world_pictures(self.folder, 2 * self.count, first=REFERENCE_SEEDS, world=WORLD)

    def drawn(self, setting: Setting) -> np.ndarray:
        """What the model draws of the scenes, (count, H, W, 3) uint8."""
        if setting not in self._drawn:
            self._drawn[setting] = draw(self.pipe, self.scenes, setting)
        return self._drawn[setting]


def fields(scenes: Sequence[Scene]) -> list[dict]:
    """Scenes as `Pictures` and `scene_classes` hold them."""
    return [asdict(scene) for scene in scenes]


def of_style(pictures: np.ndarray, scenes: Sequence[dict], style: str) -> np.ndarray:
    """Those of the pictures (N, H, W, 3) whose scenes have a style."""
    return pictures[[place for place, scene in enumerate(scenes) if scene["style"] == style]]
