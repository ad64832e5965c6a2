"""A canvas that paints colour, depth and labels with the same stroke.

Because every shape goes to all three at once, depth and masks are exact by construction.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from course_utils.world.vocabulary import SIZE

SUPERSAMPLE = 2  # shapes are drawn this much larger, then averaged: smooth edges
FAR = 50.0  # metres: the depth of the sky

Color = Sequence[float]
Point = tuple[float, float]


def shade(color: Color, factor: float) -> tuple[float, ...]:
    """Lighten (factor > 1, towards white) or darken (factor < 1, towards black) a colour."""
    if factor <= 1:
        return tuple(factor * channel for channel in color)
    return tuple(channel + (255 - channel) * (factor - 1) for channel in color)


class Canvas:
    """Paints from back to front; what is painted last hides what lies behind it.

    Attributes:
        light: RGB factors in 0..1 that multiply every colour (the time of day).
        names: the label of each named thing, in the order of painting; their place + 1 is
            their number in the label image.
    """

    def __init__(self):
        side = SIZE * SUPERSAMPLE
        self.light = (1.0, 1.0, 1.0)
        self.names: list[str] = []
        self._layers = {
            "picture": Image.new("RGB", (side, side)),
            "depth": Image.new("F", (side, side), FAR),
            "labels": Image.new("L", (side, side), 0),
        }
        self._pens = {name: ImageDraw.Draw(image) for name, image in self._layers.items()}

    def polygon(self, points: Sequence[Point], color: Color, name: str, z: float) -> None:
        """Fill a polygon; points in picture coordinates (0..128), z in metres."""
        points = [(SUPERSAMPLE * x, SUPERSAMPLE * y) for x, y in points]
        for layer, fill in self._fills(color, name, z).items():
            self._pens[layer].polygon(points, fill=fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color, name: str, z: float):
        """Fill an ellipse with centre (x, y) and radii (rx, ry)."""
        box = [SUPERSAMPLE * v for v in (x - rx, y - ry, x + rx, y + ry)]
        for layer, fill in self._fills(color, name, z).items():
            self._pens[layer].ellipse(box, fill=fill)

    def rectangle(
        self, x0: float, y0: float, x1: float, y1: float, color: Color, name: str, z: float
    ):
        """Fill a rectangle with corners (x0, y0) and (x1, y1)."""
        box = [SUPERSAMPLE * x0, SUPERSAMPLE * y0, SUPERSAMPLE * x1 - 1, SUPERSAMPLE * y1 - 1]
        if box[2] < box[0] or box[3] < box[1]:
            return
        for layer, fill in self._fills(color, name, z).items():
            self._pens[layer].rectangle(box, fill=fill)

    def arc(
        self,
        center: Point,
        radius: float,
        angles: tuple[float, float],
        width: float,
        color: Color,
        name: str,
        z: float,
    ):
        """Draw a thick arc between two angles in degrees, clockwise from three o'clock."""
        x, y = center
        box = [SUPERSAMPLE * v for v in (x - radius, y - radius, x + radius, y + radius)]
        width = round(SUPERSAMPLE * width)
        for layer, fill in self._fills(color, name, z).items():
            self._pens[layer].arc(box, *angles, fill=fill, width=width)

    def bands(self, y0: float, y1: float, top: Color, bottom: Color, name: str, z_of_row=None):
        """Fill full-width rows from y0 to y1 with a vertical gradient.

        Args:
            z_of_row: function from a row to its depth in metres; FAR where left out.
        """
        first, last = round(SUPERSAMPLE * y0), round(SUPERSAMPLE * y1)
        side = SIZE * SUPERSAMPLE
        for row in range(first, last):
            part = (row - first) / max(last - first - 1, 1)
            color = [(1 - part) * a + part * b for a, b in zip(top, bottom, strict=True)]
            z = FAR if z_of_row is None else z_of_row((row + 0.5) / SUPERSAMPLE)
            for layer, fill in self._fills(color, name, z).items():
                self._pens[layer].line([(0, row), (side, row)], fill=fill)

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float = 0.3):
        """Darken an ellipse of the picture; a shadow has no depth and no label of its own."""
        picture = self._layers["picture"]
        box = [round(SUPERSAMPLE * v) for v in (x - rx, y - ry, x + rx, y + ry)]
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        ImageDraw.Draw(mask).ellipse([0, 0, *mask.size], fill=round(255 * strength))
        picture.paste((10, 10, 30), box, mask)

    def shading(self, x0: float, y0: float, factors: np.ndarray):
        """Multiply a block of the picture, upper left corner (x0, y0), by factors.

        Args:
            factors: (rows, columns) at the supersampled resolution; 1 leaves a pixel alone,
                above 1 lightens it towards white.
        """
        picture = self._layers["picture"]
        left, top = round(SUPERSAMPLE * x0), round(SUPERSAMPLE * y0)
        rows, columns = factors.shape
        block = picture.crop((left, top, left + columns, top + rows))
        pixels = np.asarray(block, np.float32)
        f = factors[..., None].astype(np.float32)
        lit = np.where(f <= 1, pixels * f, pixels + (255 - pixels) * (f - 1))
        picture.paste(Image.fromarray(lit.clip(0, 255).astype(np.uint8)), (left, top))

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns picture (128, 128, 3) uint8, depth (128, 128) float32 in metres, labels
        (128, 128) uint8."""
        picture = np.asarray(self._layers["picture"].reduce(SUPERSAMPLE))
        middle = SUPERSAMPLE // 2
        depth = np.asarray(self._layers["depth"])[middle::SUPERSAMPLE, middle::SUPERSAMPLE]
        labels = np.asarray(self._layers["labels"])[middle::SUPERSAMPLE, middle::SUPERSAMPLE]
        return picture, depth.astype(np.float32), labels.copy()

    def _fills(self, color: Color, name: str, z: float) -> dict:
        if name not in self.names:
            self.names.append(name)
        ink = tuple(round(c * f) for c, f in zip(color, self.light, strict=True))
        return {"picture": ink, "depth": float(z), "labels": self.names.index(name) + 1}


class Brush:
    """Paints one thing in its own coordinates: u to the right and v up from the point where
    it stands, both in units of its height."""

    def __init__(self, canvas: Canvas, name: str, x: float, y: float, height: float, z: float):
        self.canvas, self.name, self.x, self.y, self.height, self.z = canvas, name, x, y, height, z

    def point(self, u: float, v: float) -> Point:
        return self.x + u * self.height, self.y - v * self.height

    def poly(self, points: Sequence[Point], color: Color):
        self.canvas.polygon([self.point(u, v) for u, v in points], color, self.name, self.z)

    def disc(self, u: float, v: float, ru: float, rv: float, color: Color):
        x, y = self.point(u, v)
        h = self.height
        self.canvas.ellipse(x, y, ru * h, rv * h, color, self.name, self.z)

    def box(self, u0: float, v0: float, u1: float, v1: float, color: Color):
        (x0, y0), (x1, y1) = self.point(u0, v1), self.point(u1, v0)
        self.canvas.rectangle(x0, y0, x1, y1, color, self.name, self.z)
