"""Styles and qualities of the world in three dimensions, on pictures that numpy draws quickly."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from course_utils.world3d.qualities import FILTERS, MOVES, apply_quality
from course_utils.world3d.styles import BLOCK, STYLES, apply_style
from course_utils.world3d.vocabulary import QUALITIES
from course_utils.world3d.vocabulary import STYLES as STYLE_WORDS

ROWS, COLUMNS = np.mgrid[0:128, 0:128].astype(float)
FEW = 40  # pictures that an average is taken over


def stand_in(seed: int) -> SimpleNamespace:
    """What the renderer returns, of a ball with two eyes on a lawn under a sky."""
    rng = np.random.default_rng(seed)
    horizon = (
        40 + 25 * rng.random() + 6 * np.sin(COLUMNS / 128 * rng.uniform(1, 3) + rng.uniform(0, 6))
    )
    sky = horizon > ROWS
    depth = np.where(sky, 60, 150 / np.maximum(ROWS - horizon + 4, 1)).clip(0, 60)
    colors = rng.uniform([[0.15], [0.15], [0.45]], 0.9, (3, 3))
    picture = np.where(sky[..., None], colors[0], colors[1]) + 0.1 * (ROWS / 128)[..., None]
    normals = np.where(sky[..., None], 0.0, [0.0, 1.0, 0.0])
    labels = np.where(sky, 2, 1)
    size, x, y = rng.uniform(16, 30), rng.uniform(35, 93), rng.uniform(60, 95)
    across, down = (COLUMNS - x) / size, (ROWS - y) / size
    ball = across**2 + down**2 < 1
    toward = np.sqrt((1 - across**2 - down**2).clip(0))
    normals[ball] = np.stack([across, -down, -toward], -1)[ball]
    picture[ball] = (colors[2] * (0.4 + 0.6 * (0.5 * toward - 0.4 * down)[..., None]))[ball]
    eyes = ball & (np.hypot(np.abs(across) - 0.35, down + 0.2) < 0.16)
    picture[eyes] = 0.05
    depth[ball], labels[ball] = 4, 0
    arrays = depth.astype(np.float32), normals.astype(np.float32), labels.astype(np.uint8)
    return SimpleNamespace(
        picture=picture.clip(0, 1).astype(np.float32),
        eyes=eyes,
        depth=arrays[0],
        normals=arrays[1],
        labels=arrays[2],
        names=["ball", "grass", "sky"],
    )


def painted(style: str, scene: int, seed: int) -> np.ndarray:
    return apply_style(stand_in(scene), style, np.random.default_rng(seed))


def residual(picture: np.ndarray) -> np.ndarray:
    """What is finer than a blur of 1.5 pixels."""
    return picture - ndimage.gaussian_filter(picture, (1.5, 1.5, 0))


def test_the_styles_are_those_of_the_vocabulary():
    assert set(STYLES) == set(STYLE_WORDS)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_keeps_shape_and_range(style):
    for seed in range(4):
        picture = painted(style, seed, seed)
        assert picture.shape == (128, 128, 3) and np.issubdtype(picture.dtype, np.floating)
        assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_style_paints_a_blank_picture(style, level):
    blank = stand_in(0)
    blank.picture = np.full((128, 128, 3), level, np.float32)
    blank.depth = np.full((128, 128), 60, np.float32)
    blank.normals, blank.labels = np.zeros_like(blank.normals), np.full_like(blank.labels, 2)
    assert np.isfinite(apply_style(blank, style, np.random.default_rng(0))).all()


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_gives_the_same_picture_and_leaves_the_render_alone(style):
    render = stand_in(1)
    before = [a.copy() for a in (render.picture, render.depth, render.normals, render.labels)]
    first = apply_style(render, style, np.random.default_rng(5))
    assert np.array_equal(first, apply_style(render, style, np.random.default_rng(5)))
    after = [render.picture, render.depth, render.normals, render.labels]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("style", STYLES)
def test_another_seed_gives_another_texture(style):
    one, other = painted(style, 1, 5), painted(style, 1, 6)
    assert np.abs(one - other).mean() > 0.002
    if style != "photo":
        difference = ((residual(one) - residual(other)) ** 2).mean()
        assert difference > 0.3 * (residual(one) ** 2).mean()


@pytest.mark.parametrize("style", STYLES)
def test_no_style_has_a_texture_that_is_the_same_everywhere(style):
    residuals = np.array([residual(painted(style, seed, seed)) for seed in range(FEW)])
    shared = (residuals.mean(axis=0) ** 2).mean()
    assert shared < 0.05 * (residuals**2).mean()


@pytest.mark.parametrize("style", [s for s in STYLES if s != "photo"])
def test_a_style_is_seen(style):
    """Nobody takes it for the photo."""
    for seed in range(3):
        assert np.abs(painted(style, seed, seed) - stand_in(seed).picture).mean() > 0.02


@pytest.mark.parametrize("style", STYLES)
def test_eyes_are_still_dark(style):
    contrast = []
    for seed in range(6):
        level = painted(style, seed, seed).mean(-1)
        eyes = stand_in(seed).eyes
        around = ndimage.binary_dilation(eyes, iterations=5) & ~ndimage.binary_dilation(eyes)
        contrast.append(level[around].mean() - level[eyes].mean())
    assert min(contrast) > 0.05 and np.mean(contrast) > 0.12


def test_a_pencil_has_no_colour():
    for seed in range(5):
        assert np.ptp(painted("pencil sketch", seed, seed), axis=-1).max() < 0.05


def test_the_palette_knife_has_stronger_colours_than_oil():
    def colour(style):
        return np.mean([np.ptp(painted(style, s, s), axis=-1).mean() for s in range(5)])

    assert colour("palette knife painting") > 1.1 * colour("oil painting")


def test_pixel_art_has_blocks_and_few_colours():
    corners = set()
    for seed in range(8):
        picture = painted("pixel art", seed, seed)
        assert 4 <= len(np.unique(picture.reshape(-1, 3), axis=0)) <= 20
        corners.add(block_corner(picture))
    assert len(corners) > 3  # the grid is cut elsewhere in each


def block_corner(picture: np.ndarray) -> tuple[int, int]:
    """Row and column where the first whole block starts; fails where there are no blocks."""
    changes = [np.abs(np.diff(picture, axis=axis)).max(axis=(1 - axis, 2)) > 0 for axis in (0, 1)]
    steps = [(np.flatnonzero(change) + 1) % BLOCK for change in changes]
    assert all(len(set(step)) == 1 for step in steps)
    return int(steps[0][0]), int(steps[1][0])


def test_watercolor_leaves_white_paper_round_some_pictures_only():
    def frame(seed):
        picture = painted("watercolor", 3, seed)
        return (
            np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).min(-1).mean()
        )

    frames = np.array([frame(seed) for seed in range(12)])
    assert frames.max() > 0.85 and np.ptp(frames) > 0.1


def test_an_unknown_style_is_refused_by_name():
    with pytest.raises(ValueError, match="fresco.*photo, oil painting.*pixel art"):
        apply_style(stand_in(0), "fresco", np.random.default_rng(0))


# ---------------------------------------------------------------- qualities


def judged(quality: str, seed: int):
    r = stand_in(seed)
    rng = np.random.default_rng(seed)
    return apply_quality(r.picture, r.depth, r.normals, r.labels, quality, rng)


def test_the_qualities_are_those_of_the_vocabulary():
    assert {"plain", *FILTERS, *MOVES} == set(QUALITIES)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_quality_keeps_shapes_ranges_and_types(quality):
    r = stand_in(2)
    picture, depth, normals, labels = judged(quality, 2)
    assert picture.shape == (128, 128, 3) and picture.min() >= 0 and picture.max() <= 1
    assert depth.shape == r.depth.shape and depth.dtype == r.depth.dtype
    assert normals.shape == r.normals.shape and normals.dtype == r.normals.dtype
    assert labels.shape == r.labels.shape and labels.dtype == r.labels.dtype


@pytest.mark.parametrize("quality", QUALITIES)
def test_only_what_moves_pixels_moves_depth_normals_and_labels(quality):
    r = stand_in(2)
    _, *known = judged(quality, 2)
    same = [
        np.array_equal(a, b) for a, b in zip(known, (r.depth, r.normals, r.labels), strict=True)
    ]
    assert same == [quality not in MOVES] * 3


@pytest.mark.parametrize("quality", MOVES)
def test_moved_labels_lie_where_the_moved_picture_shows_them(quality):
    r = stand_in(2)
    r.picture = np.eye(3, dtype=np.float32)[r.labels]  # each thing in a colour of its own
    rng = np.random.default_rng(0)
    picture, depth, _, labels = apply_quality(r.picture, r.depth, r.normals, r.labels, quality, rng)
    assert (picture.argmax(-1) == labels).mean() > 0.98
    assert (depth[labels == 2] > 59).all() and (depth[labels == 0] == 4).all()


@pytest.mark.parametrize("quality", [q for q in QUALITIES if q != "plain"])
def test_a_quality_differs_from_picture_to_picture(quality):
    r = stand_in(2)
    arrays = r.picture, r.depth, r.normals, r.labels
    one, other = (apply_quality(*arrays, quality, np.random.default_rng(s))[0] for s in (0, 1))
    assert np.abs(one - other).mean() > 0.001 and np.abs(one - r.picture).mean() > 0.002
    assert np.array_equal(one, apply_quality(*arrays, quality, np.random.default_rng(0))[0])


def test_qualities_do_what_they_say():
    def sharp(p):
        return (residual(p) ** 2).mean()

    def colour(p):
        return np.ptp(p, axis=-1).mean()

    for seed in range(5):
        plain = stand_in(seed).picture
        assert sharp(judged("high resolution", seed)[0]) > 1.3 * sharp(plain)
        assert sharp(judged("blurry", seed)[0]) < 0.3 * sharp(plain)
        assert colour(judged("oversaturated", seed)[0]) > 1.3 * colour(plain)
        assert colour(judged("beautiful", seed)[0]) > 1.02 * colour(plain)
        distinct = len(np.unique(judged("low resolution", seed)[0].reshape(-1, 3), axis=0))
        assert distinct < 31**2


def test_an_unknown_quality_is_refused_by_name():
    r = stand_in(0)
    with pytest.raises(ValueError, match="grainy.*plain, beautiful.*low resolution"):
        apply_quality(
            *(r.picture, r.depth, r.normals, r.labels), "grainy", np.random.default_rng(0)
        )
