"""The things of the world: size, stance and colours, and that no two are the same."""

from collections import Counter

import numpy as np
import pytest

from course_utils.world3d.materials import MATERIALS
from course_utils.world3d.shapes import KINDS
from course_utils.world3d.staging import bounds
from course_utils.world3d.things import HEIGHTS, THINGS, bench, fir, flooble, lamp_post
from course_utils.world3d.trace import gather, linear, trace
from course_utils.world3d.vocabulary import THINGS as NAMES

SEEDS = range(6)
TEAL = (11, 120, 77)  # no maker uses it by itself
CHARACTERS = ("man", "woman", "robot")
PETS = ("dog", "cat", "rabbit")
PARTLY = {"snowman", "tree", "house", "boat", "cube"}  # other parts may be larger
SCENERY = {
    "bench": lambda rng: bench(rng)[0],
    "lamp post": lambda rng: lamp_post(rng)[0],
    "fir": fir,
    "snowy fir": lambda rng: fir(rng, 0.7),
    "flooble": lambda rng: flooble(None, rng),
}

named = pytest.mark.parametrize("name", THINGS)


def made(name, seed, color=None, **options):
    return THINGS[name](color, np.random.default_rng(seed), **options)


def numbers(shapes):
    return np.concatenate(
        [
            np.hstack([s.center, s.size, s.color, s.rotation.ravel(), s.blend, s.rounding])
            for s in shapes
        ]
    )


def colors_seen(shapes, count=64):
    """How often each colour is seen from the front, along level rays."""
    low, high = bounds(shapes)
    x, y = np.meshgrid(np.linspace(low[0], high[0], count), np.linspace(low[1], high[1], count))
    origins = np.stack([x.ravel(), y.ravel(), np.full(x.size, low[2] - 1)], 1)
    ahead = np.tile((0.0, 0.0, 1.0), (x.size, 1))
    hits = trace(gather([shapes]), origins, ahead, np.array((0.0, 1.0, 0.0)), ground=False)
    return Counter(tuple(c) for c in np.round(hits.color[hits.group >= 0], 3))


def test_every_thing_of_the_vocabulary_can_be_made():
    assert set(THINGS) == set(HEIGHTS) == set(NAMES)


@named
@pytest.mark.parametrize("pose", ["standing", "sitting"])
def test_shapes_are_finite_and_known(name, pose):
    for seed in SEEDS:
        shapes = made(name, seed, pose=pose)
        assert 0 < len(shapes) <= 60
        assert np.isfinite(numbers(shapes)).all()
        assert {s.kind for s in shapes} <= set(KINDS)
        assert {s.material for s in shapes} <= set(MATERIALS)
        assert all(0 <= v <= 255 for s in shapes for v in s.color)


@named
def test_heights_and_feet(name):
    for seed in range(20):
        low, high = bounds(made(name, seed))
        assert high[1] == pytest.approx(HEIGHTS[name], rel=0.25)
        assert abs(low[1]) <= 0.05
        assert np.abs(low + high)[[0, 2]].max() < 1.2  # around the origin


@named
def test_a_seed_makes_the_same_thing_and_two_seeds_differ(name):
    one, again, other = made(name, 1), made(name, 1), made(name, 2)
    assert np.array_equal(numbers(one), numbers(again))
    assert not np.array_equal(numbers(one)[:12], numbers(other)[:12])


@named
def test_the_given_color_is_what_one_sees(name):
    key = tuple(np.round(linear(np.array(TEAL) / 255), 3))
    for seed in SEEDS:
        seen = colors_seen(made(name, seed, TEAL))
        assert seen[key] > 0.08 * seen.total()
        assert name in PARTLY or seen.most_common(1)[0][0] == key


@pytest.mark.parametrize("name", CHARACTERS)
def test_sitting_people_bend_their_legs_over_the_edge_of_a_seat(name):
    for seed in SEEDS:
        shapes = made(name, seed, pose="sitting")
        low, high = bounds(shapes)
        assert -0.5 < low[1] < -0.25
        assert high[1] > 0.6 * HEIGHTS[name]
        below = [s for s in shapes if bounds([s])[1][1] < 0]
        assert below and all(bounds([s])[1][2] < -0.2 for s in below)


@pytest.mark.parametrize("name", PETS)
def test_sitting_pets_stay_on_the_seat(name):
    for seed in SEEDS:
        low, high = bounds(made(name, seed, pose="sitting"))
        assert abs(low[1]) <= 0.05
        assert high[2] - low[2] < 0.9


@pytest.mark.parametrize("name", ["house", "car"])
def test_night_lights_windows_and_lamps(name):
    for seed in SEEDS:
        glowing = [s for s in made(name, seed, night=True) if s.material == "glow"]
        assert glowing and not any(s.material == "glow" for s in made(name, seed))


@pytest.mark.parametrize("name", ["house", "tree", "car"])
def test_snow_lies_on_top(name):
    for seed in SEEDS:
        shapes = made(name, seed, snow=0.6)
        white = [s for s in shapes if s.material == "snow"]
        assert white and bounds(white)[1][1] > 0.8 * bounds(shapes)[1][1]
        assert not any(s.material == "snow" for s in made(name, seed))


@named
def test_every_maker_takes_night_and_snow(name):
    assert made(name, 0, night=True, snow=0.5)


@pytest.mark.parametrize("name", SCENERY)
def test_scenery_stands_on_the_ground_and_varies(name):
    pieces = [SCENERY[name](np.random.default_rng(seed)) for seed in SEEDS]
    assert all(abs(bounds(shapes)[0][1]) <= 0.05 for shapes in pieces)
    assert len({numbers(shapes).tobytes() for shapes in pieces}) == len(SEEDS)


def test_a_bench_tells_where_one_sits():
    for seed in SEEDS:
        shapes, height, z = bench(np.random.default_rng(seed))
        planks = [s for s in shapes if s.material == "wood"]
        seat = [s for s in planks if abs(s.center[1] - height) < 0.05]
        assert 2 <= len(seat) <= 4
        assert bounds(seat)[1][1] == pytest.approx(height, abs=0.01)
        assert bounds(seat)[0][2] < z < bounds(seat)[1][2]
        assert 1.9 < np.ptp([b[0] for b in bounds(shapes)]) < 2.6


def test_a_lamp_shines_from_its_lantern():
    shapes, at = lamp_post(np.random.default_rng(0))
    glowing = [s for s in shapes if s.material == "glow"]
    low, high = bounds(glowing)
    assert (low < at).all() and (at < high).all()
    assert not any(s.material == "glow" for s in lamp_post(np.random.default_rng(0), False)[0])
