"""Stable Diffusion, dissected: the parts of a latent diffusion model, one module for each.

    from course_utils import load
    pipe = load()

Names are found on first use, so that `import course_utils` costs nothing.
"""

from importlib import import_module
from importlib.metadata import version

HOMES = {
    "load": "models",
    "load_segmenter": "models",
    "architecture": "models",
    "draw": "drawing",
    "unknown_words": "drawing",
}
__all__ = ["architecture", "draw", "load", "load_segmenter", "unknown_words"]


def __getattr__(name: str):
    """Find a name of the package in its module."""
    if name == "__version__":
        return version("course-utils")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
