"""The city and the sea: windows, snow and waves, in pictures and in numbers."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils.world3d.city import build_city, lit_share
from course_utils.world3d.facade import Facade
from course_utils.world3d.ground import Ground
from course_utils.world3d.light import make_light
from course_utils.world3d.render import Camera, Render, Stage, render_stage
from course_utils.world3d.sea import build_sea
from course_utils.world3d.shapes import box
from course_utils.world3d.surf import lip, profile
from course_utils.world3d.trace import crest, wave_distance, wave_table

DAY, NIGHT = 0.8, 0.05


def draw(scenery, hour: float, seed: int, **changes) -> Render:
    light = replace(make_light(hour, "clear", np.random.default_rng(seed)), **changes)
    return render_stage(
        Stage(scenery.things, scenery.camera, light, scenery.ground, scenery.lamps, seed)
    )


def mask(render: Render, name: str) -> np.ndarray:
    return render.labels == render.names.index(name)


def wall(hour: float, **windows) -> Render:
    """A wall of 4 x 5 windows, seen from straight ahead."""
    detail = Facade(column=1.0, storey=1.0, wide=0.6, tall=0.6, **windows)
    house = box((0, 2.5, 0), (2, 2.5, 1), (150, 90, 70), 0.0, material="facade", detail=detail)
    camera = Camera((0, 2.5, -12), (0, 2.5, 0), 28)
    light = replace(make_light(hour, "clear", np.random.default_rng(0)), fog=1e6)
    street = Ground("street", (90, 90, 90), (90, 90, 90))
    return render_stage(Stage({"buildings": [house]}, camera, light, street))


def window_cells(render: Render, channels: bool = False) -> np.ndarray:
    """The mean brightness of each of the 20 windows of `wall`, or its mean color."""
    metre = 11 * np.tan(np.deg2rad(14)) / 64  # of the wall in a pixel
    columns = np.round(63.5 + (np.arange(4) - 1.5) / metre).astype(int)
    rows = np.round(63.5 + (np.arange(5) - 2) / metre).astype(int)
    parts = [render.picture[r - 4 : r + 5, c - 4 : c + 5] for r in rows for c in columns]
    cells = np.array([part.mean((0, 1)) for part in parts])
    return cells if channels else cells.mean(-1)


def test_windows_are_lit_at_night_and_dark_by_day():
    dark, lit = (window_cells(wall(NIGHT, lit=share)) for share in (0.0, 1.0))
    assert dark.mean() < 0.4 and lit.mean() > 0.6
    assert (lit > dark).all()
    assert lit_share(DAY, winter=False) == 0


def test_windows_mirror_the_sky_by_day():
    red, _, blue = np.moveaxis(window_cells(wall(DAY), channels=True), -1, 0)
    assert (blue > red + 0.03).mean() > 0.6  # the others have curtains


def test_as_many_windows_are_lit_as_asked_for():
    dark, half, lit = (window_cells(wall(NIGHT, lit=share, seed=0.3)) for share in (0, 0.5, 1))
    assert 0.25 < (half > (dark + lit) / 2).mean() < 0.75


def test_lit_windows_are_warm():
    picture = wall(NIGHT, lit=1.0).picture
    bright = picture[picture.mean(-1) > 0.6]
    assert len(bright) > 500
    assert (bright[:, 0] > bright[:, 2] + 0.1).mean() > 0.9


@pytest.mark.parametrize(("hour", "winter", "low", "high"), [
    (0.05, False, 0.4, 0.7), (0.36, False, 0.1, 0.4), (0.8, False, 0.0, 0.0), (0.8, True, 0.1, 0.3),
])  # fmt: skip
def test_the_hour_decides_how_many_windows_are_lit(hour, winter, low, high):
    assert low <= lit_share(hour, winter) <= high


def test_windows_far_away_turn_into_their_mean():
    house = box((0, 5, 20), (9, 5, 1), (200, 60, 50), material="facade", detail=Facade(0.04, 0.04))
    street = Ground("street", (90, 90, 90), (90, 90, 90))
    light = replace(make_light(DAY, "clear", np.random.default_rng(0)), fog=1e6)
    camera = Camera((0, 5, -14), (0, 5, 20), 12)
    render = render_stage(Stage({"buildings": [house]}, camera, light, street))
    seen = render.picture[60:70, 40:90]
    assert seen.std(axis=(0, 1)).max() < 0.03


@pytest.mark.parametrize("winter", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_a_city_has_houses_a_street_and_sky(seed, winter):
    scenery = build_city(None, DAY, np.random.default_rng(seed), winter=winter)
    render = draw(scenery, DAY, seed)
    assert 0.2 < mask(render, "buildings").mean() < 0.85
    assert mask(render, "sky").mean() > 0.03
    below = mask(render, "street") | mask(render, "snow") if winter else mask(render, "street")
    assert below.mean() > 0.05


def test_roofs_are_white_in_winter_only():
    for winter in (False, True):
        scenery = build_city(None, DAY, np.random.default_rng(3), winter=winter)
        scenery.camera = Camera((0, 16, -16), (0, 3, 8), 50)
        render = draw(scenery, DAY, 3, fog=1e6)
        roofs = mask(render, "buildings") & (render.normals[..., 1] > 0.9)
        assert roofs.sum() > 300
        white = (render.picture[roofs].min(-1) > 0.85).mean()
        assert white > 0.65 if winter else white < 0.4


def test_it_snows_only_in_a_winter_city():
    names = [set(build_city(None, DAY, np.random.default_rng(5), winter=w).things) for w in (0, 1)]
    assert "snow" not in names[0] and {"snow", "snowflakes"} <= names[1]


def test_lamps_burn_at_night():
    at_night, by_day = (build_city(None, h, np.random.default_rng(2)).lamps for h in (NIGHT, DAY))
    assert at_night and not by_day


@pytest.mark.parametrize("winter", [False, True])
def test_nothing_stands_near_the_spot_of_a_subject(winter):
    class Place:
        subject = "dog"

    for seed in range(6):
        scenery = build_city(Place, DAY, np.random.default_rng(seed), winter=winter)
        assert scenery.camera is None
        spot = np.array(scenery.spots[0].at)
        for name in ("trees", "cars", "lamps"):
            for shape in scenery.things[name]:
                away = shape.center - spot
                assert away[2] > 0.4 or abs(away[0]) > 1.0, name


@pytest.mark.parametrize("seed", range(4))
def test_a_wave_fills_much_of_the_picture_and_its_foam_is_white(seed):
    render = draw(build_sea(None, DAY, np.random.default_rng(seed)), DAY, seed)
    wave = mask(render, "wave")
    assert 0.12 < wave.mean() < 0.8
    assert mask(render, "sky").mean() > 0.05
    assert mask(render, "sea").mean() > 0.015
    colors = render.picture[wave]
    brightest = colors[np.argsort(colors.min(-1))[-len(colors) // 50 :]]
    assert brightest.min() > 0.75
    bluish = (colors[:, 2] > colors[:, 0] + 0.1) & (colors[:, 1] > colors[:, 0])
    assert bluish.mean() > 0.35


def test_waves_and_cities_differ_from_seed_to_seed_and_not_for_one_seed():
    for build in (build_sea, build_city):
        first, again, other = (
            draw(build(None, DAY, np.random.default_rng(seed)), DAY, seed).picture
            for seed in (0, 0, 1)
        )
        assert np.array_equal(first, again)
        assert np.abs(first - other).mean() > 0.03


def test_waves_break_to_both_sides():
    seas = [build_sea(None, DAY, np.random.default_rng(seed)) for seed in range(12)]
    mirrored = {np.linalg.det(sea.things["wave"][0].rotation) < 0 for sea in seas}
    assert mirrored == {True, False}


def test_the_profile_of_a_wave_curls_over():
    swell, barrel = profile(0.0), profile(1.0)
    assert (np.diff(swell[:, 0]) < 0).all()  # a swell has one height at each place
    assert (np.diff(barrel[:, 0]) > 0).any()  # under the lip of a barrel there is air
    assert lip(1.0)[0] < lip(0.0)[0] and lip(1.0)[1] < lip(0.0)[1]


def test_the_table_of_a_wave_never_claims_more_than_the_distance():
    """Rays that advance by these distances never jump over the surface."""
    rng, table, size = np.random.default_rng(0), wave_table(), (5.5, 2.0, 0.6)
    x, y, z = rng.uniform((-5, 0, -5), (5, 2.6, 6), (3000, 3)).T
    step = rng.normal(size=(3000, 3))
    step *= (rng.uniform(0.02, 3, 3000) / np.linalg.norm(step, axis=1))[:, None]
    here = np.array([wave_distance(table, *p, *size) for p in zip(x, y, z, strict=True)])
    moved = np.stack([x, y, z], 1) + step
    there = np.array([wave_distance(table, *p, *size) for p in moved])
    crossed = (here > 0) & (there < -0.03) & (np.abs(moved[:, 0]) < 5.5)
    assert crossed.sum() > 100
    assert (here[crossed] <= 1.15 * np.linalg.norm(step[crossed], axis=1)).all()


def test_a_wave_is_a_swell_at_one_end_and_broken_at_the_other():
    curls = [crest(x, 5.0, 2.0, 0.5)[1] for x in (-4.5, 4.5)]
    assert curls[0] > 0.95 and curls[1] < 0.2
