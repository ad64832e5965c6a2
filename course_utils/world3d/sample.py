"""One integer seed makes one picture with everything known about it."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from course_utils.world3d import caption as captions
from course_utils.world3d.places import build_stage
from course_utils.world3d.qualities import apply_quality
from course_utils.world3d.render import render_stage
from course_utils.world3d.scene import Scene, random_scene
from course_utils.world3d.styles import apply_style

HELD_OUT = 1_000_000_000  # seeds from here on are never used in training


@dataclass(frozen=True)
class Sample:
    """A picture of the world and everything known about it.

    Attributes:
        picture: RGB, 128×128.
        caption: what a person would type to get it.
        depth: metres along the viewing axis, (128, 128) float32; the sky is 60 m away.
        normals: directions of the surfaces, x right, y up, z away, (128, 128, 3) float32; zero in
            the sky.
        masks: for each named thing, where it is seen, (128, 128) bool; together they cover
            the picture, and no two overlap.
        scene: the description all of this was made from.
    """

    picture: Image.Image
    caption: str
    depth: np.ndarray
    normals: np.ndarray
    masks: dict[str, np.ndarray]
    scene: Scene

    def at(self, side: int) -> "Sample":
        """The same, `side` pixels wide and high: for a model that draws in another size.

        The picture is resampled; depth, normals and masks take the nearest pixel. A thing too
        small for that loses its mask. At 128 nothing changes.
        """
        if (side, side) == self.picture.size:
            return self
        middles = ((np.arange(side) + 0.5) * self.depth.shape[0] / side).astype(int)
        near = np.ix_(middles, middles)
        return replace(
            self,
            picture=self.picture.resize((side, side), Image.Resampling.LANCZOS),
            depth=self.depth[near],
            normals=self.normals[near],
            masks={name: m[near] for name, m in self.masks.items() if m[near].any()},
        )


def sample(
    seed: int, unseen: bool = False, partial: bool = True, two: bool | None = None
) -> Sample:
    """Draw the picture that belongs to a seed: same seed, same picture.

    Args:
        seed: 0 or larger; training uses seeds below HELD_OUT only.
        unseen: draw a scene that training never shows instead; see `random_scene`.
        partial: whether the caption may leave things out, see `caption`.
        two: with a second thing, or without; where it is None, one scene in six has one.
    Returns:
        picture, caption, depth, normals, masks and scene. Equal on every processor to within one
        grey level.
    Raises:
        TypeError: seed is not a whole number.
        ValueError: seed is negative.
    """
    rng = make_generator(seed)
    return render(random_scene(rng, unseen, two), rng, partial)


def render(scene: Scene, rng: np.random.Generator | int, partial: bool = True) -> Sample:
    """Draw a given scene; the generator decides what its words leave open: camera, light, poses,
    hues, brush strokes, and the words of the caption.

    Args:
        scene: what to draw.
        rng: a random generator, or a seed for one.
        partial: whether the caption may leave things out, see `caption`.
    Raises:
        TypeError: scene is no Scene, or rng neither a generator nor a whole number.
        ValueError: the seed is negative.
    """
    if not isinstance(scene, Scene):
        raise TypeError(f"scene must be a Scene, got {scene!r}. Try Scene('dog', 'park').")
    rng = rng if isinstance(rng, np.random.Generator) else make_generator(rng)
    for_words, for_stage, rng = rng.spawn(3)  # another style changes neither layout nor words
    caption = captions.caption(scene, for_words, partial)
    drawn = render_stage(build_stage(scene, for_stage))
    picture, depth, normals, labels = apply_quality(
        apply_style(drawn, scene.style, rng),
        drawn.depth,
        drawn.normals,
        drawn.labels,
        scene.quality,
        rng,
    )
    masks = {name: labels == number for number, name in enumerate(drawn.names)}
    return Sample(
        picture=Image.fromarray((255 * picture).round().astype(np.uint8)),
        caption=caption,
        depth=depth,
        normals=normals,
        masks={name: mask for name, mask in masks.items() if mask.any()},
        scene=scene,
    )


def make_generator(seed: int) -> np.random.Generator:
    """The random generator of a picture; TypeError or ValueError for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be a whole number, got {seed!r}. Try sample(0).")
    if seed < 0:
        raise ValueError(f"seed must be 0 or larger, got {seed}. Try sample(0).")
    return np.random.default_rng(int(seed))
