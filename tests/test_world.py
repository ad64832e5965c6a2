"""The picture world: exact, repeatable, and without the pairs that must stay unseen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.world import HELD_OUT, Scene, render, sample
from course_utils.world.canvas import FAR
from course_utils.world.caption import mask_phrases
from course_utils.world.styles import QUALITY_FILTERS, STYLE_FILTERS
from course_utils.world.vocabulary import (
    COLORS,
    FLAWS,
    MERITS,
    PLACES,
    QUALITIES,
    STYLES,
    SUBJECTS_AT,
    THINGS,
    TIMES,
    UNSEEN_PAIRS,
)

seeds = st.integers(min_value=0, max_value=2**40)


@pytest.fixture(scope="module")
def many():
    return [sample(seed) for seed in range(400)]


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_seed_gives_the_same_bytes_again(seed):
    one, two = sample(seed), sample(seed)
    assert one.picture.tobytes() == two.picture.tobytes()
    assert one.caption == two.caption and one.scene == two.scene
    assert np.array_equal(one.depth, two.depth)
    assert {n: m.tobytes() for n, m in one.masks.items()} == {
        n: m.tobytes() for n, m in two.masks.items()
    }


def test_different_seeds_give_different_pictures(many):
    assert len({s.picture.tobytes() for s in many}) == len(many)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_masks_cover_the_picture_once(seed):
    masks = np.stack(list(sample(seed).masks.values()))
    assert (masks.sum(axis=0) == 1).all()


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_depth_is_in_metres_and_the_sky_is_far(seed):
    drawn = sample(seed)
    assert drawn.depth.dtype == np.float32 and drawn.depth.shape == (128, 128)
    assert drawn.depth.min() >= 1.5 and drawn.depth.max() <= FAR
    if "sky" in drawn.masks:
        assert (drawn.depth[drawn.masks["sky"]] == FAR).all()


@pytest.mark.parametrize("thing", THINGS)
def test_mask_and_depth_are_where_the_thing_is(thing):
    """Remove the thing: exactly the pixels of its mask change their depth."""
    color = "blue" if thing in ("ball", "cube", "cone") else None
    drawn = render(Scene(thing, "beach", color), 5)
    mask = drawn.masks[thing]
    assert 150 < mask.sum() < 6000
    assert np.unique(drawn.depth[mask]).size == 1
    around = np.asarray(drawn.picture)[~mask].astype(float)
    inside = np.asarray(drawn.picture)[mask].astype(float)
    assert abs(inside.mean(0) - around.mean(0)).max() > 5


@pytest.mark.parametrize("color", COLORS)
def test_a_colored_thing_has_its_color(color):
    drawn = render(Scene("ball", "park", color), 3)
    seen = np.median(np.asarray(drawn.picture)[drawn.masks["ball"]], axis=0)
    distances = {name: np.abs(seen - rgb).sum() for name, rgb in COLORS.items()}
    assert min(distances, key=distances.get) == color


def test_unseen_pairs_never_occur_unless_asked_for(many):
    seen = {(s.scene.color, s.scene.subject) for s in many}
    assert seen.isdisjoint(UNSEEN_PAIRS)
    asked = {(s.scene.color, s.scene.subject) for s in (sample(n, unseen=True) for n in range(80))}
    assert asked == set(UNSEEN_PAIRS)


def test_every_word_of_the_tables_occurs(many):
    scenes = [s.scene for s in many]
    assert {s.place for s in scenes} == set(PLACES)
    assert {s.style for s in scenes} == set(STYLES)
    assert {s.quality for s in scenes} == set(QUALITIES)
    assert {s.time for s in scenes} == set(TIMES)
    assert {s.subject for s in scenes} == {x for known in SUBJECTS_AT.values() for x in known}


@pytest.mark.parametrize("words", ["small", *MERITS, *FLAWS, *STYLES[1:], "sunset", "night"])
def test_every_word_has_a_visible_meaning(words):
    """The same dice with and without the word give clearly different pictures."""
    field = {"small": "small", "sunset": "time", "night": "time"}.get(
        words, "style" if words in STYLES else "quality"
    )
    value = True if words == "small" else words
    plain = render(Scene("robot", "park bench"), 11, partial=False)
    changed = render(Scene("robot", "park bench", **{field: value}), 11, partial=False)
    difference = np.abs(np.asarray(plain.picture, float) - np.asarray(changed.picture, float))
    assert difference.mean() > 2
    assert words in changed.caption and words not in plain.caption


@pytest.mark.parametrize("seed", range(100))
def test_a_caption_says_what_is_there_and_nothing_else(many, seed):
    scene, caption = many[seed].scene, many[seed].caption
    for flaw in FLAWS:
        assert flaw not in caption or scene.quality in FLAWS
    for style in STYLES[1:]:
        assert style not in caption or scene.style == style
    for color in COLORS:
        if scene.color != color:
            assert color not in caption.replace(",", "").split()


def test_all_style_and_quality_filters_keep_the_range():
    noise = np.random.default_rng(0).random((128, 128, 3))
    for paint in [*STYLE_FILTERS.values(), *QUALITY_FILTERS.values()]:
        assert paint(noise).shape == noise.shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"subject": "dragon", "place": "park"}, "dragon"),
        ({"subject": "dog", "place": "moon"}, "park bench"),
        ({"subject": "dog", "place": "sea"}, "wave"),
        ({"subject": "ball", "place": "park"}, "needs a color"),
        ({"subject": "ball", "place": "park", "color": "mauve"}, "red, orange"),
        ({"subject": "wave", "place": "sea", "color": "red"}, "no color"),
        ({"subject": "dog", "place": "park", "time": "noon"}, "day, sunset, night"),
        ({"subject": "dog", "place": "park", "style": "fresco"}, "watercolor"),
        ({"subject": "dog", "place": "park", "quality": "ugly"}, "blurry"),
        ({"subject": "dog", "place": "park", "style": "pencil sketch", "color": "red"}, "sketch"),
        ({"subject": "dog", "place": "park", "style": "pixel art", "quality": "blurry"}, "photo"),
    ],
)
def test_an_impossible_scene_says_what_is_possible(fields, message):
    with pytest.raises(ValueError, match=message):
        Scene(**fields)


@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), (1.5, TypeError), ("7", TypeError), (None, TypeError), (True, TypeError)],
)
def test_a_bad_seed_is_refused(seed, error):
    with pytest.raises(error, match="seed must be"):
        sample(seed)


def test_the_edges_of_seeds_work():
    assert sample(0).picture.size == sample(HELD_OUT * 10).picture.size == (128, 128)


def test_only_the_subject_s_phrases_have_its_color():
    scene = Scene("ball", "beach", "orange")
    assert mask_phrases("ball", scene) == [
        "the orange ball",
        "an orange ball",
        "orange ball",
        "the ball",
        "a ball",
        "ball",
    ]
    assert mask_phrases("sky", scene) == ["the sky", "a sky", "sky"]


def test_people_are_called_by_their_clothes():
    assert mask_phrases("man", Scene("man", "beach", "red"))[0] == "the man in a red shirt"
    woman = Scene("woman", "park", "orange")
    assert mask_phrases("woman", woman)[1] == "a woman in an orange dress"


def test_a_picture_in_another_size():
    """For a model that draws in another size: what belongs together stays together."""
    one = sample(4)
    assert one.at(128) is one
    for side in (64, 192, 512):
        other = one.at(side)
        assert other.picture.size == (side, side) and other.depth.shape == (side, side)
        cover = sum(mask.astype(int) for mask in other.masks.values())
        assert cover.shape == (side, side) and (cover == 1).all()
        for name, mask in other.masks.items():
            assert mask.mean() == pytest.approx(one.masks[name].mean(), abs=0.02)
            assert set(other.depth[mask]) <= set(one.depth[one.masks[name]])
    doubled = one.at(256)
    assert np.array_equal(doubled.depth, one.depth.repeat(2, 0).repeat(2, 1))
    small = np.asarray(doubled.picture.resize((128, 128)), int)
    assert np.abs(small - np.asarray(one.picture, int)).mean() < 3
