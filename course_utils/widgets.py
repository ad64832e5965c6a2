"""What a learner can touch. Each widget is a thin shell over a plain function of a topic module."""

import io
from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets
from PIL import Image

from course_utils.inpaint import Stroke, paint_mask

STATIC = Path(__file__).parent / "static"


class MaskPainter(anywidget.AnyWidget):
    """A picture on which a mask is painted, by pointer or by keyboard.

    Attributes:
        strokes: what was painted, each stroke as in `inpaint.paint_mask`; may be set, too.
        brush: width of the brush in pixels.
        mask: what the strokes cover, a PIL picture of mode "L" in the size of the picture.
    Source: notebook 07, section 2.
    """

    _esm = STATIC / "mask_painter.js"
    _css = STATIC / "mask_painter.css"
    png = traitlets.Bytes().tag(sync=True)
    size = traitlets.List(traitlets.Int()).tag(sync=True)
    brush = traitlets.Float(16, min=1).tag(sync=True)
    strokes = traitlets.List().tag(sync=True)

    def __init__(self, picture: Image.Image, strokes: Sequence[Stroke] = (), brush: float = 16):
        file = io.BytesIO()
        picture.save(file, "png")
        kept = [[width, [list(point) for point in points]] for width, points in strokes]
        super().__init__(
            png=file.getvalue(), size=list(picture.size), strokes=kept, brush=float(brush)
        )

    @property
    def mask(self) -> Image.Image:
        return paint_mask(tuple(self.size), self.strokes)
