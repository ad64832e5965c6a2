"""Figures of notebook 10. They show its runs, and take those that are there already."""

from matplotlib.figure import Figure

from course_utils import plotting
from course_utils.drawing import make_scheduler
from course_utils.models import load
from course_utils.training import miniature, textual_inversion
from course_utils.training.flooble import flooble
from course_utils.training.live import run_figure
from course_utils.training.runs import home

RUNS = home("10_training")
ASKED = (
    "a flooble on a beach",
    "a flooble in the snow",
    "a flooble in a park",
    "a flooble on a park bench",
    "a flooble on a beach at night",
)
SEEN = (("beach", "day"), ("snow", "day"), ("park", "day"), ("park bench", "day"))
SEEN += (("beach", "night"),)


def in_the_making() -> Figure:
    """10: the loss of the small UNet, and what it draws on the way."""
    _, history = miniature.train_miniature(
        bundled(), miniature.MINIATURE, RUNS, miniature.MOMENTS, miniature.PROMPTS
    )
    return run_figure(history, miniature.PROMPTS, width=8.4)


def new_word() -> Figure:
    """10: floobles as they are, and as the model draws them before and after it was taught."""
    pipe = bundled()
    folder, _ = textual_inversion.train_word(pipe, textual_inversion.WORD, RUNS)
    taught = textual_inversion.with_word(pipe, folder)
    options = {"steps": 12, "g": 4.0, "seed": 7}
    shown = [flooble(3, place, time).picture for place, time in SEEN]
    for model in (pipe, taught):
        shown += miniature.samples(model, model.unet, ASKED, **options)
    titles = [*ASKED, *["before"] * len(ASKED), *["after"] * len(ASKED)]
    return plotting.show_pictures(shown, titles, columns=len(ASKED), size=1.6)


def bundled():
    """The bundled model with the notebook's scheduler."""
    pipe = load("pocket")
    pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
    return pipe
