"""The picture world in three dimensions: ray-traced toys with captions, depth, normals and masks,
one picture for each seed.

The next bundled model is trained on it. Today's was trained on the flat world in
`course_utils.world`, and the notebooks still use that one.
"""

from course_utils.world3d.sample import HELD_OUT, Sample, render, sample
from course_utils.world3d.scene import Scene, random_scene

__all__ = ["HELD_OUT", "Sample", "Scene", "random_scene", "render", "sample"]
