"""Figures of the world in three dimensions."""

from dataclasses import replace

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plotting import INK, wrap
from course_utils.world3d import HELD_OUT, Sample, Scene, render
from course_utils.world3d.caption import describe
from course_utils.world3d.vocabulary import STYLES

ACROSS = 6  # pictures in a row
SCENES = (
    Scene("wave", "sea"),
    Scene("man", "park bench"),
    Scene("robot", "park bench", small=True),
    Scene("cityscape", "winter city"),
    Scene("dog", "beach", "red", time="sunset"),
    Scene("cat", "park bench", other="dog", relation="next to"),
    Scene("house", "snow", "yellow", time="night"),
    Scene("woman", "meadow", "blue"),
    Scene("boat", "beach", "green"),
    Scene("cityscape", "city", time="night"),
    Scene("ball", "park", "red", other="cube", other_color="blue", relation="left of"),
    Scene("duck", "meadow", weather="foggy"),
)
PAINTED = Scene("cat", "park", "orange")


def world() -> Figure:
    """Everyday scenes as photos, and one scene in every style, each over its caption."""
    rows = len(SCENES) // ACROSS + 1
    figure = plt.figure(figsize=(9, 1.95 * rows), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, ACROSS)
    for axis, scene in zip(axes.flat, SCENES, strict=False):
        show(axis, render(scene, HELD_OUT))
    for axis, style in zip(axes[-1], STYLES, strict=True):
        plain = {"color": None} if style == "pencil sketch" else {}
        show(axis, render(replace(PAINTED, style=style, **plain), HELD_OUT + 8))
    return figure


def show(axis: Axes, sample: Sample) -> None:
    """A picture, smoothly enlarged, over what it shows."""
    axis.imshow(sample.picture, interpolation="lanczos")
    axis.axis("off")
    words = (
        describe(sample.scene).removesuffix(" under a clear sky").removesuffix(" during the day")
    )
    axis.set_title(wrap(words, 24), y=-0.05, va="top", pad=0, fontsize=7.5, color=INK)
