"""Widgets are thin: what they show and keep, without a browser."""

import base64
import io
import os
import re

import numpy as np
import pytest
from PIL import Image

from course_utils.inpaint import paint_mask
from course_utils.widgets import Explorer, MaskPainter, Scrubber, choose_model, token_table
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


# explorers and scrubbers


class Drawing:
    """Counts its calls; the grey of its picture tells them apart."""

    def __init__(self):
        self.calls = []

    def __call__(self, number, word):
        self.calls.append((number, word))
        if word == "no":
            raise ValueError("a word is missing.\nTry another.")
        grey = np.full((8, 12), 10 * number + len(word), np.uint8)
        return {"a picture": grey}, f"{number} times {word!r}"


CHOICES = {"number": range(1, 6), "a word": ["", "ball", "no"]}


def arrays(frame):
    """The pictures of a frame, by caption, as the browser sees them."""
    files = {one["caption"]: base64.b64decode(one["png"]) for one in frame["pictures"]}
    return {name: np.asarray(Image.open(io.BytesIO(file))) for name, file in files.items()}


def test_every_control_has_a_name_and_every_value_reads():
    controls = Explorer(lambda *_: ({}, ""), {**CHOICES, "share": [0.25, 1.0]}).controls
    assert [one["name"] for one in controls] == ["number", "a word", "share"]
    assert [one["slider"] for one in controls] == [True, False, True]
    assert controls[1]["labels"] == ["(nothing)", "ball", "no"]
    assert controls[2]["labels"] == ["0.25", "1"]


def test_an_explorer_draws_what_it_shows_once_and_no_more():
    draw = Drawing()
    explorer = Explorer(draw, CHOICES, {"number": 3})
    assert draw.calls == [(3, "")] and explorer.place == [2, 0] and explorer.frames == {}
    assert explorer.frame["text"] == "3 times ''"
    assert np.array_equal(arrays(explorer.frame)["a picture"], np.full((8, 12), 30))


def test_letting_go_draws_once_and_going_back_draws_nothing():
    draw = Drawing()
    explorer = Explorer(draw, CHOICES)
    for place in ([4, 1], [0, 0], [4, 1]):
        explorer.set_state({"place": place})  # as the browser brings it
    assert draw.calls == [(1, ""), (5, "ball")]
    assert explorer.frame["place"] == [4, 1] and explorer.frame["text"] == "5 times 'ball'"
    assert np.array_equal(arrays(explorer.frame)["a picture"], np.full((8, 12), 54))


def test_a_scrubber_has_all_pictures_before_anything_moves():
    draw = Drawing()
    scrubber = Scrubber(draw, {**CHOICES, "a word": ["", "ball"]}, {"number": 2})
    assert len(draw.calls) == len(set(draw.calls)) == 10 == len(scrubber.frames)
    assert scrubber.frames["4,1"]["text"] == "5 times 'ball'" and scrubber.place == [1, 0]
    scrubber.place = [4, 1]
    assert len(draw.calls) == 10


def test_an_error_is_one_sentence_and_the_next_picture_comes():
    explorer = Explorer(Drawing(), CHOICES)
    explorer.place = [0, 2]
    assert explorer.frame["pictures"] == []
    assert explorer.frame["text"] == "This cannot be drawn: a word is missing."
    explorer.place = [0, 1]
    assert explorer.frame["text"] == "1 times 'ball'"


def test_a_large_picture_is_made_smaller_and_stays_as_it_was():
    large = Image.new("RGB", (1024, 512))
    explorer = Explorer(lambda n: ({"large": large}, ""), {"n": [1]})
    assert arrays(explorer.frame)["large"].shape == (128, 256, 3) and large.size == (1024, 512)


@pytest.mark.parametrize(
    ("choices", "start", "message"),
    [
        ({}, {}, "no control"),
        ({"number": [], "a word": ["x"]}, {}, "'number' has no values"),
        (CHOICES, {"number": 9}, "'number': 9"),
        (CHOICES, {"colour": 1}, "'colour'"),
        (CHOICES, {"a word": "no"}, "a word is missing"),
    ],
)
def test_an_explorer_that_cannot_be_is_refused_at_once(choices, start, message):
    with pytest.raises(ValueError, match=message):
        Explorer(Drawing(), choices, start)


@pytest.mark.parametrize("picture", ["a dog", np.zeros((4, 4), np.float32), np.zeros((4, 4, 4))])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(TypeError):
        Explorer(lambda n: ({"a picture": picture}, ""), {"n": [1]})


@pytest.mark.parametrize("place", [[0], [5, 0], [-1, 0], [0, 0, 0]])
def test_a_place_that_is_not_there_is_refused(place):
    explorer = Explorer(Drawing(), CHOICES)
    with pytest.raises(ValueError, match="number from 0 to 4, a word from 0 to 2"):
        explorer.place = place
    assert explorer.place == [0, 0]


# the table of tokens


def test_the_table_follows_what_is_typed(pocket):
    line, table = token_table(pocket.tokenizer, "a dog").children
    assert line.description == "prompt" and line.continuous_update
    assert "2 tokens between start and end; 73 places are filled up" in table.value
    line.value = "a flooble"
    assert "3 tokens" in table.value and ">floo<" in table.value and ">1929<" not in table.value


def test_what_is_typed_stays_text(pocket):
    table = token_table(pocket.tokenizer, "<b>&<script>").children[1].value
    assert "<script" not in table and "<b>" not in table and "&lt;|startoftext|&gt;" in table


def test_the_table_says_what_is_lost(pocket):
    prompt = "a dog " * 37 + "on a beach"
    table = token_table(pocket.tokenizer, prompt).children[1].value
    assert "77 tokens between start and end, 2 too many. Lost: a beach" in table
    assert re.findall(r"<s>(\w+)</s>", table) == ["a", "beach"]


# the models


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
