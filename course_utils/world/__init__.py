"""The picture world: procedural pictures with captions, depth and masks, one for each seed."""

from course_utils.world.sample import HELD_OUT, Sample, render, sample
from course_utils.world.scene import Scene, random_scene

__all__ = ["HELD_OUT", "Sample", "Scene", "random_scene", "render", "sample"]
