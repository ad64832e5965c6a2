"""The drawing helpers put everything where it belongs."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_utils import plotting


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_pictures_stand_in_a_grid_under_their_titles():
    pictures = [np.full((8, 8, 3), n / 10) for n in range(5)]
    figure = plotting.show_pictures(pictures, list("abcde"), columns=3)
    assert len(figure.axes) == 6
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c", "d", "e", ""]
    assert np.array_equal(figure.axes[4].images[0].get_array(), pictures[4])


def test_a_gray_picture_is_shown_in_gray():
    figure = plotting.show_pictures([np.eye(4)])
    assert figure.axes[0].images[0].get_cmap().name == "gray"


def test_missing_titles_are_noticed():
    with pytest.raises(ValueError, match="2 pictures, but 1 titles"):
        plotting.show_pictures([np.eye(4)] * 2, ["one"])


def test_a_tint_covers_what_the_mask_covers_and_nothing_else():
    picture = np.full((4, 6, 3), 100, np.uint8)
    mask = np.zeros((4, 6), bool)
    mask[1, 2] = True
    seen = plotting.tinted(picture, mask, color="#ff0000", share=0.5)
    assert seen[1, 2].tolist() == [177, 50, 50]
    assert np.array_equal(seen[~mask], picture[~mask]) and picture[1, 2, 0] == 100


def test_a_glow_is_dark_at_zero_and_bright_at_the_limit_on_a_grey_picture():
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[..., 0] = 90  # red: grey of 30
    values = np.array([[0, 1, 2], [4, 8, 0]], np.float32)
    seen = plotting.glowing(picture, values, share=0.5)
    assert seen.shape == (2, 3, 3) and seen.dtype == np.uint8
    dark, bright = (255 * np.array(plt.get_cmap("inferno")(end)[:3]) for end in (0.0, 1.0))
    assert np.allclose(seen[0, 0], 15 + dark / 2, atol=1)
    assert np.allclose(seen[1, 1], 15 + bright / 2, atol=1)
    assert np.array_equal(plotting.glowing(picture, values, limit=4)[1, 1],
                          plotting.glowing(picture, values, limit=4)[1, 0])  # fmt: skip
    assert np.array_equal(plotting.glowing(picture, 0 * values)[0, 0],
                          plotting.glowing(picture, 0 * values)[1, 1])  # fmt: skip


def test_the_diagram_shows_the_shapes_it_was_given():
    shapes = {
        "tokens": (1, 77),
        "embeddings": (1, 77, 5),
        "latents": (1, 4, 6, 7),
        "picture": (1, 3, 48, 56),
    }
    figure = plotting.pipeline_diagram(shapes, steps=13)
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "1 × 4 × 6 × 7" in words and "1 × 77 × 5" in words and "13 calls" in words


@pytest.mark.parametrize("part", ["text", "unet", "scheduler", "vae"])
def test_the_highlighted_part_alone_is_not_faded(part):
    shapes = dict.fromkeys(("tokens", "embeddings", "latents", "picture"), (1,))
    figure = plotting.pipeline_diagram(shapes, 1, highlight=part)
    strong = {
        p.get_facecolor()[:3]
        for p in figure.axes[0].patches
        if p.get_alpha() == 1.0 and hasattr(p, "get_boxstyle")
    }
    colors = {plt.matplotlib.colors.to_rgb(plotting.PALETTE[p]) for p in (part, "data")}
    assert {tuple(c) for c in strong} == colors
