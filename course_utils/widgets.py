"""What a learner can touch. Each widget is a thin shell over a plain function of a topic module."""

import base64
import html
import io
import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import numpy as np
import traitlets
from ipywidgets import HTML, Dropdown, Label, Layout, Text, VBox
from PIL import Image

from course_utils import models, plotting, text, vae
from course_utils.errors import first_line
from course_utils.inpaint import Stroke, check_stroke, paint_mask

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

STATIC = Path(__file__).parent / "static"
SIDE = 256  # pixels: no picture is sent larger to an explorer
Shown = tuple[Mapping[str, object], str]  # pictures by their captions, and a line about them


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


class Explorer(anywidget.AnyWidget):
    """Controls, and below them the pictures that a function draws for their values.

    It is asked when a control is let go, never while one is dragged, and once for the same values.

    Args:
        draw: takes a value of each control, in their order; returns pictures by their captions,
            PIL pictures or arrays of uint8, and a line that says what is shown.
        choices: the values of each control by its name. Numbers become a slider, words a menu.
        start: the value that a control begins with; its first where left out.
    Attributes:
        place: which of its values each control has, counted from 0; may be set.
        frame: what is drawn for these values: its place, pictures and text.
    Raises:
        ValueError: no control, one without values, a start or a place that is not there.
        TypeError: a picture that is none. What draw raises for the first picture is raised, too;
            later it is shown in the place of the text.
    Source: sections of notebooks 03 to 06 and 08.
    """

    _esm = STATIC / "explorer.js"
    _css = STATIC / "explorer.css"
    controls = traitlets.List().tag(sync=True)
    frames = traitlets.Dict().tag(sync=True)  # that the browser shows without asking
    frame = traitlets.Dict().tag(sync=True)
    place = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        draw: Callable[..., Shown],
        choices: Mapping[str, Sequence],
        start: Mapping[str, object] | None = None,
    ) -> None:
        self._draw = draw
        self._choices = {name: list(values) for name, values in choices.items()}
        self._drawn: dict[tuple[int, ...], dict] = {}
        place = start_place(self._choices, start or {})
        controls = [control(name, values) for name, values in self._choices.items()]
        super().__init__(
            controls=controls, place=place, frame=self._frame(place), frames=self._ready()
        )
        self.observe(self._answer, "place")

    def _ready(self) -> dict[str, dict]:
        """The frames that are drawn before anything moves: none."""
        return {}

    def _frame(self, place: Sequence[int]) -> dict:
        """What draw shows for a place, drawn once."""
        key = tuple(place)
        if key not in self._drawn:
            values = [choice[i] for choice, i in zip(self._choices.values(), key, strict=True)]
            self._drawn[key] = {"place": list(key), **packed(*self._draw(*values))}
        return self._drawn[key]

    def _answer(self, change) -> None:
        try:
            self.frame = self._frame(change["new"])
        except Exception as error:  # of any kind: it is told where the pictures would be
            sentence = f"This cannot be drawn: {first_line(error)}"
            self.frame = {"place": list(change["new"]), "pictures": [], "text": sentence}

    @traitlets.validate("place")
    def _check_place(self, proposal) -> list[int]:
        place, counts = proposal["value"], {name: len(v) for name, v in self._choices.items()}
        inside = [0 <= i < n for i, n in zip(place, counts.values(), strict=False)]
        if len(place) != len(counts) or not all(inside):
            allowed = ", ".join(f"{name} from 0 to {n - 1}" for name, n in counts.items())
            raise ValueError(f"place must have {allowed}, got {place}.")
        return place


class Scrubber(Explorer):
    """An explorer whose pictures are all there before anything moves, so that dragging shows them.

    Arguments, attributes and errors as of `Explorer`; draw should have little to do.
    Source: sections of notebooks 01, 05 and 09.
    """

    def _ready(self) -> dict[str, dict]:
        places = itertools.product(*(range(len(values)) for values in self._choices.values()))
        return {",".join(map(str, place)): self._frame(place) for place in places}


def control(name: str, values: Sequence) -> dict:
    """What the browser has to know of a control: its name, its kind, and how each value reads."""
    if not values:
        raise ValueError(f"the control {name!r} has no values: give at least one.")
    slider = all(isinstance(value, Real) for value in values)
    labels = [f"{value:g}" if slider else str(value) or "(nothing)" for value in values]
    return {"name": name, "slider": slider, "labels": labels}


def start_place(choices: Mapping[str, list], start: Mapping[str, object]) -> list[int]:
    """Where each control begins, counted from 0."""
    if not choices:
        raise ValueError("there is no control: give at least one, such as {'t': [0, 500, 999]}.")
    for name, value in start.items():
        if value not in choices.get(name, []):
            raise ValueError(f"start has {name!r}: {value!r}, but the controls are {choices}.")
    return [values.index(start[name]) if name in start else 0 for name, values in choices.items()]


def packed(pictures: Mapping[str, object], said: str) -> dict:
    """Pictures and text in the form in which they go to the browser: PNG in base64."""
    shown = [{"caption": name, "png": png(one)} for name, one in pictures.items()]
    return {"pictures": shown, "text": said}


def png(picture) -> str:
    """A picture, PIL or an array of uint8, as PNG in base64, no side longer than `SIDE`."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.asarray(picture))
    if picture.mode not in ("L", "RGB"):
        raise TypeError(f"a picture must be grey or RGB, uint8; got mode {picture.mode!r}.")
    if max(picture.size) > SIDE:
        picture = picture.copy()
        picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "png", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def token_table(tokenizer: "CLIPTokenizer", prompt: str) -> VBox:
    """A line to type in; below it, the tokens of what stands in it, at every letter.

    Args:
        tokenizer: the model's.
        prompt: what the line holds at first.
    Source: notebook 02, section 2; see `text.tokens`.
    """
    line = Text(value=prompt, description="prompt", layout=Layout(width="95%", max_width="60em"))
    table = HTML(tokens_as_html(prompt, tokenizer))
    line.observe(
        lambda change: setattr(table, "value", tokens_as_html(change["new"], tokenizer)), "value"
    )
    return VBox([line, table])


def tokens_as_html(prompt: str, tokenizer: "CLIPTokenizer") -> str:
    """How many tokens there are and which are lost, then each with its number below it."""
    pairs, room = text.tokens(prompt, tokenizer), tokenizer.model_max_length
    kept = [*range(min(len(pairs), room) - 1), len(pairs) - 1]  # the end token stays
    said = f"{len(pairs) - 2} tokens between start and end"
    if len(pairs) > room:
        said += f", {len(pairs) - room} too many. Lost: {text.lost(prompt, tokenizer)}"
    else:
        said += f"; {room - len(pairs)} places are filled up."
    boxes = "".join(token_box(piece, i, place in kept) for place, (i, piece) in enumerate(pairs))
    return f'<div role="status">{html.escape(said)}</div><div>{boxes}</div>'


def token_box(piece: str, number: int, kept: bool) -> str:
    """One token: its piece of text in a box, its number below; struck through where it is lost."""
    color = plotting.PALETTE["text"] if kept else plotting.PALE
    style = f"background: {color}; color: {plotting.INK}; border-radius: 4px; padding: 1px 6px;"
    name = html.escape(piece) if kept else f"<s>{html.escape(piece)}</s>"
    outer = "display: inline-block; text-align: center; line-height: 1.5; margin: 3px 2px;"
    return f'<span style="{outer}"><span style="{style}">{name}</span><br>{number}</span>'


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
