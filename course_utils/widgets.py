"""What a learner can touch. Each widget is a thin shell over a plain function of a topic module."""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import Dropdown, Label, VBox
from PIL import Image

from course_utils import models, vae
from course_utils.inpaint import Stroke, check_stroke, paint_mask

STATIC = Path(__file__).parent / "static"


class MaskPainter(anywidget.AnyWidget):
    """A picture on which a mask is painted, by pointer or by keyboard.

    Args:
        picture: RGB, any size.
        strokes: what is painted already, each as in `inpaint.paint_mask`.
        brush: width of the brush in pixels, at least 1.
    Attributes:
        strokes, brush: as above; both may be set.
        mask: what the strokes cover, a PIL picture of mode "L" in the size of the picture.
    Raises:
        TypeError, ValueError: a picture that is not RGB, a stroke or a brush that cannot be.
    Source: notebook 07, section 2.
    """

    _esm = STATIC / "mask_painter.js"
    _css = STATIC / "mask_painter.css"
    png = traitlets.Bytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    brush = traitlets.Float(16).tag(sync=True)
    strokes = traitlets.List().tag(sync=True)

    def __init__(
        self, picture: Image.Image, strokes: Sequence[Stroke] = (), brush: float = 16
    ) -> None:
        vae.to_tensor(picture)  # refuses what is no RGB picture
        file = io.BytesIO()
        picture.save(file, "png")
        size = list(picture.size)
        super().__init__(png=file.getvalue(), size=size, strokes=list(strokes), brush=brush)

    @traitlets.validate("strokes")
    def _check_strokes(self, proposal) -> list:
        """Plain lists of plain numbers, as JSON has them."""
        checked = map(check_stroke, proposal["value"])
        return [[width, [list(point) for point in points]] for width, points in checked]

    @traitlets.validate("brush")
    def _check_brush(self, proposal) -> float:
        if not (math.isfinite(proposal["value"]) and proposal["value"] >= 1):
            raise ValueError(f"brush must be at least 1 pixel, got {proposal['value']}. Try 16.")
        return proposal["value"]

    @property
    def mask(self) -> Image.Image:
        """What the strokes cover: mode "L", 255 where the brush was, else 0."""
        return paint_mask(tuple(self.size), self.strokes)


def choose_model(task: str = "text-to-image") -> VBox:
    """A drop-down of the models that the notebook can run on; below it, what the chosen one needs.

    Args:
        task: as in `models.load`: not every model can do each.
    Source: the section "At full size" of every notebook; see `models.choose`.
    """
    names = models.choices(task)
    menu = Dropdown(options=names, value=names[0], description="model")
    menu.value = os.environ.get("COURSE_MODEL") or "pocket"
    said = Label("")
    menu.observe(lambda change: setattr(said, "value", models.choose(change.new, task)), "value")
    return VBox([menu, said])
