"""A training run, drawn while it goes on: its loss, and what it draws by now."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.plotting import INK, MUTED, PALE, PALETTE, wrap
from course_utils.training.runs import History


def run_figure(history: History, prompts: Sequence[str] = (), width: float = 9.6) -> Figure:
    """The loss of every step so far, and under it the samples, a row for each moment.

    Args:
        history: of the run.
        prompts: of the samples; none where left out.
        width: of the figure in inches.
    """
    rows = len(history.moments) if prompts else 0
    tall = 0.93 * width / max(len(prompts), 1)
    figure = plt.figure(figsize=(width, 1.9 + tall * rows + 0.3 * bool(rows)), layout="constrained")
    boards = figure.subfigures(2, 1, height_ratios=[1.9, tall * rows + 0.3]) if rows else [figure]
    draw_loss(boards[0].subplots(), history)
    if rows:
        axes = boards[1].subplots(rows, len(prompts), squeeze=False)
        draw_samples(axes, history, prompts)
    return figure


def draw_loss(axis: Axes, history: History) -> None:
    """The loss against the step; where the curve ends, the run is now."""
    color = PALETTE["unet"]
    axis.plot(range(1, history.done + 1), history.losses, color=color, alpha=0.25, lw=0.8)
    axis.plot(range(1, history.done + 1), history.smooth(), color=color, lw=2)
    for moment in history.moments:
        axis.axvline(moment, color=MUTED, lw=0.8, ls=":")
    axis.set(xlim=(0, history.steps), yscale="log", xlabel="step", ylabel="squared error")
    axis.set_title(f"{history.done} of {history.steps} steps", fontsize=9, color=INK)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=7, which="both")


def draw_samples(axes, history: History, prompts: Sequence[str]) -> None:
    """Samples of each moment, pale squares where they are still to come."""
    for row, moment in zip(axes, history.moments, strict=True):
        pictures = history.samples.get(moment, [None] * len(prompts))
        for axis, picture in zip(row, pictures, strict=True):
            axis.set(xticks=[], yticks=[], facecolor=PALE, aspect="equal")
            axis.spines[:].set_visible(False)
            if picture is not None:
                axis.imshow(picture, interpolation="nearest")
        row[0].set_ylabel(f"step {moment}", fontsize=8, color=INK)
    for axis, prompt in zip(axes[0], prompts, strict=True):
        axis.set_title(wrap(prompt, 20), fontsize=7, color=INK)


class Live:
    """Shows a run in the output of a cell, and the same output again and again as it goes on.

    Args:
        prompts: of the samples.
        every: steps between two pictures of the run.
    """

    def __init__(self, prompts: Sequence[str] = (), every: int = 50):
        self.prompts, self.every, self.handle = prompts, every, None

    def __call__(self, history: History) -> None:
        """After a step: draw the run where it is time for that."""
        if history.done % self.every == 0 or history.done == history.steps:
            self.draw(history)

    def draw(self, history: History) -> None:
        """Draw the run as it is now, in place of what was drawn before."""
        figure = run_figure(history, self.prompts)
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
        plt.close(figure)
