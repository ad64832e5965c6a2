"""Widgets are thin: what they show and keep, without a browser."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from course_utils.inpaint import paint_mask
from course_utils.widgets import MaskPainter, choose_model
from course_utils.world import sample

PICTURE = sample(4).picture
STROKES = [(12, [(30, 50), (90, 50)]), (20, [(64, 100)])]


def test_the_painter_shows_the_picture_itself():
    shown = Image.open(io.BytesIO(MaskPainter(PICTURE).png))
    assert np.array_equal(np.asarray(shown), np.asarray(PICTURE))


def test_the_painter_s_mask_is_the_plain_function_s():
    painter = MaskPainter(PICTURE, STROKES)
    assert np.array_equal(painter.mask, paint_mask(PICTURE.size, STROKES))
    assert painter.mask.size == PICTURE.size


def test_strokes_from_the_browser_change_the_mask():
    wide = PICTURE.crop((0, 0, 128, 96))
    painter = MaskPainter(wide)
    assert painter.mask.getextrema() == (0, 0)
    painter.set_state({"strokes": [[16.0, [[10.5, 20.0], [40.0, 20.25]]]]})  # as JSON brings them
    assert painter.mask.size == (128, 96)
    assert painter.mask.getpixel((25, 20)) == 255 and painter.mask.getpixel((25, 60)) == 0


def test_numbers_of_any_kind_reach_the_browser_as_plain_ones():
    points = np.array([[1, 2], [3, 4]], np.float32)
    painter = MaskPainter(PICTURE, [(np.float32(9), points)])
    assert painter.strokes == [[9.0, [[1.0, 2.0], [3.0, 4.0]]]]
    assert type(painter.strokes[0][0]) is float and type(painter.strokes[0][1][0][0]) is float


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"picture": np.asarray(PICTURE)}, "PIL"),
        ({"picture": PICTURE.convert("L")}, "RGB"),
        ({"brush": 0}, "at least 1 pixel"),
        ({"brush": float("nan")}, "at least 1 pixel"),
        ({"strokes": [(12, [])]}, "at least one point"),
        ({"strokes": [(12, [(1, 2, 3)])]}, "finite numbers"),
    ],
)
def test_bad_input_is_refused_at_once(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MaskPainter(**{"picture": PICTURE, **given})


def test_strokes_set_later_are_checked_too():
    painter = MaskPainter(PICTURE, STROKES)
    with pytest.raises(ValueError, match="finite numbers"):
        painter.strokes = [(float("inf"), [(1, 1)])]
    assert len(painter.strokes) == 2


def test_the_drop_down_chooses_the_model_and_says_what_it_needs(monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", "usb/sd")
    menu, said = choose_model("depth2img").children
    assert menu.options == ("pocket", "sd-2.1", "usb/sd") and menu.value == "usb/sd"
    assert menu.description == "model" and said.value == ""
    menu.value = "pocket"
    assert os.environ["COURSE_MODEL"] == "pocket"
    assert said.value.startswith("pocket needs nothing") and "from its first cell" in said.value


def test_the_drop_down_begins_at_the_bundled_model(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    menu, _ = choose_model().children
    assert (menu.value, menu.options) == ("pocket", ("pocket", "sd-2.1", "sd-1.5"))
    assert "COURSE_MODEL" not in os.environ  # looking changes nothing
