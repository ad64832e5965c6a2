"""One integer seed makes one picture with everything known about it."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from course_utils.world import caption as captions
from course_utils.world.canvas import Canvas
from course_utils.world.places import paint_scene
from course_utils.world.scene import Scene, random_scene
from course_utils.world.styles import apply_quality, apply_style
from course_utils.world.vocabulary import COLORS

HELD_OUT = 1_000_000_000  # seeds from here on are never used in training


@dataclass(frozen=True)
class Sample:
    """A picture of the world and everything known about it.

    Attributes:
        picture: RGB, 128×128.
        caption: what a person would type to get it.
        depth: distance in metres, (128, 128) float32; the sky is 50 m away.
        masks: for each named thing, where it is seen, (128, 128) bool; together they cover
            the picture, and no two overlap.
        scene: the description all of this was made from.
    """

    picture: Image.Image
    caption: str
    depth: np.ndarray
    masks: dict[str, np.ndarray]
    scene: Scene

    def at(self, side: int) -> "Sample":
        """The same, `side` pixels wide and high: for a model that draws in another size.

        The picture is resampled; depth and masks take the nearest pixel. A thing too small for
        that loses its mask. At 128 nothing changes.
        """
        if (side, side) == self.picture.size:
            return self
        middles = ((np.arange(side) + 0.5) * self.depth.shape[0] / side).astype(int)
        near = np.ix_(middles, middles)
        return replace(
            self,
            picture=self.picture.resize((side, side), Image.Resampling.LANCZOS),
            depth=self.depth[near],
            masks={name: m[near] for name, m in self.masks.items() if m[near].any()},
        )


def sample(seed: int, unseen: bool = False, partial: bool = True) -> Sample:
    """Draw the picture that belongs to a seed: same seed, same bytes.

    Args:
        seed: 0 or larger; training uses seeds below HELD_OUT only.
        unseen: draw a scene with one of the UNSEEN_PAIRS instead.
        partial: whether the caption may leave things out, see `caption`.
    Returns:
        picture, caption, depth, masks and scene.
    Raises:
        TypeError: seed is not a whole number.
        ValueError: seed is negative.
    """
    rng = _dice(seed)
    scene = random_scene(rng, unseen)
    return render(scene, rng, partial)


def render(scene: Scene, rng: np.random.Generator | int, partial: bool = True) -> Sample:
    """Draw a given scene; the dice choose its pose, its layout and its words.

    Args:
        scene: what to draw.
        rng: the dice, or a seed for them.
        partial: whether the caption may leave things out, see `caption`.
    """
    rng = rng if isinstance(rng, np.random.Generator) else _dice(rng)
    canvas = Canvas()
    paint_scene(canvas, scene, COLORS.get(scene.color), rng)
    picture, depth, labels = canvas.finish()
    picture = apply_style(picture / 255, scene.style)
    picture, depth, labels = apply_quality(picture, depth, labels, scene.quality, rng)
    masks = {name: labels == number for number, name in enumerate(canvas.names, start=1)}
    return Sample(
        picture=Image.fromarray((255 * picture).round().astype(np.uint8)),
        caption=captions.caption(scene, rng, partial),
        depth=depth,
        masks={name: mask for name, mask in masks.items() if mask.any()},
        scene=scene,
    )


def _dice(seed: int) -> np.random.Generator:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be a whole number, got {seed!r}. Try sample(0).")
    if seed < 0:
        raise ValueError(f"seed must be 0 or larger, got {seed}. Try sample(0).")
    return np.random.default_rng(int(seed))
