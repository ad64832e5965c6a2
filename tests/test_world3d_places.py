"""Tests of `world3d.places`: what a stage shows, and where."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils.world3d.places import build_stage
from course_utils.world3d.render import Render, Stage, render_stage
from course_utils.world3d.scene import Scene
from course_utils.world3d.shapes import ellipsoid
from course_utils.world3d.staging import bounds, fit_camera, outline, plan_frame

ALONE = [
    ("park", "dog"),
    ("park", "house"),
    ("park bench", "man"),
    ("park bench", "cat"),
    ("park bench", "bench"),
    ("beach", "boat"),
    ("beach", "woman"),
    ("snow", "snowman"),
    ("snow", "car"),
    ("meadow", "rabbit"),
    ("meadow", "mushroom"),
    ("city", "man"),
    ("winter city", "robot"),
]
TWO = [("park", "ball", "dog"), ("beach", "dog", "cat"), ("park bench", "cat", "dog")]


def stage_of(scene: Scene, seed: int) -> Stage:
    return build_stage(scene, np.random.default_rng(seed))


def mask(render: Render, name: str) -> np.ndarray:
    return render.labels == render.names.index(name)


def labels_of(stage: Stage) -> Render:
    """The picture without lamps, which labels do not need."""
    return render_stage(replace(stage, lamps=[]))


@pytest.mark.parametrize(("place", "subject"), ALONE)
@pytest.mark.parametrize("seed", range(3))
def test_the_subject_is_of_a_good_size_and_inside_the_picture(place, subject, seed):
    seen = mask(labels_of(stage_of(Scene(subject, place), seed)), subject)
    assert 0.02 < seen.mean() < 0.6
    border = seen.copy()
    border[1:-1, 1:-1] = False
    assert border.sum() <= 0.08 * seen.sum()


@pytest.mark.parametrize("seed", range(3))
def test_a_wave_leaves_room_for_the_sky(seed):
    render = labels_of(stage_of(Scene("wave", "sea"), seed))
    assert 0.1 < mask(render, "wave").mean() < 0.8  # it may run from edge to edge
    assert mask(render, "sky").mean() > 0.05


@pytest.mark.parametrize(("place", "one", "two"), TWO)
@pytest.mark.parametrize("relation", ["left of", "right of"])
@pytest.mark.parametrize("seed", range(3))
def test_left_and_right_are_those_of_the_viewer(place, one, two, relation, seed):
    color = "red" if one == "ball" else None
    scene = Scene(one, place, color=color, other=two, relation=relation)
    render = labels_of(stage_of(scene, seed))
    middles = [np.nonzero(mask(render, name))[1].mean() for name in (one, two)]
    assert (middles[0] < middles[1]) == (relation == "left of")


@pytest.mark.parametrize(
    ("place", "one", "two"), [("park", "dog", "car"), ("snow", "cat", "robot")]
)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_in_front_is_nearer_and_hides_only_a_part(place, one, two, seed):
    stage = stage_of(Scene(one, place, other=two, relation="in front of"), seed)
    render = labels_of(stage)
    depth = [np.median(render.depth[mask(render, name)]) for name in (one, two)]
    assert depth[0] < depth[1]
    alone = labels_of(replace(stage, things={two: stage.things[two]}))
    assert mask(render, two).sum() > 0.35 * mask(alone, two).sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_one_behind_is_farther_away(seed):
    render = labels_of(stage_of(Scene("tree", "meadow", other="rabbit", relation="behind"), seed))
    depth = [np.median(render.depth[mask(render, name)]) for name in ("tree", "rabbit")]
    assert depth[0] > depth[1]


@pytest.mark.parametrize("place", ["park", "park bench", "beach", "snow", "meadow"])
def test_the_same_seed_makes_the_same_stage(place):
    one, two = (stage_of(Scene("dog", place, time="night"), 5) for _ in range(2))
    assert list(one.things) == list(two.things)
    assert np.array_equal(one.camera.eye, two.camera.eye)
    for name, shapes in one.things.items():
        assert all(
            np.array_equal(a.center, b.center) and a.color == b.color
            for a, b in zip(shapes, two.things[name], strict=True)
        )
    assert [lamp.at for lamp in one.lamps] == [lamp.at for lamp in two.lamps]


@pytest.mark.parametrize("subject", ["man", "woman", "robot"])
@pytest.mark.parametrize("seed", range(3))
def test_the_feet_of_who_sits_on_a_bench_hang_before_the_seat_and_below_it(subject, seed):
    things = stage_of(Scene(subject, "park bench"), seed).things
    foot = min(things[subject], key=lambda shape: shape.center[1])
    seat = min(  # its foremost plank
        (s for s in things["bench"] if s.kind == "box" and s.material == "wood"),
        key=lambda s: s.center[2],
    )
    facing = -seat.rotation[:, 2]
    assert foot.center[1] < seat.center[1] - 0.1
    assert foot.center @ facing > seat.center @ facing + seat.size[2]
    assert foot.center[1] > 0


@pytest.mark.parametrize("place", ["park", "park bench", "beach", "snow", "meadow"])
def test_a_stage_has_few_enough_shapes_to_be_drawn_fast(place):
    counts = [
        sum(map(len, stage_of(Scene("dog", place, time=time), seed).things.values()))
        for seed in range(6)
        for time in ("day", "night")
    ]
    assert max(counts) <= 170
    assert np.median(counts) < 130


def test_no_scenery_stands_before_the_subject():
    for seed, place in enumerate(["park", "meadow", "beach", "snow"] * 2):
        stage = stage_of(Scene("man", place), seed)
        solid = {n: p for n, p in stage.things.items() if n != "snowflakes"}
        seen = mask(labels_of(replace(stage, things=solid)), "man").sum()
        alone = mask(labels_of(replace(stage, things={"man": stage.things["man"]})), "man").sum()
        assert seen > 0.97 * alone


@pytest.mark.parametrize("subject", ["house", "car"])
def test_a_house_and_a_car_shine_at_night_only(subject):
    assert stage_of(Scene(subject, "beach", time="night"), 1).lamps
    assert not stage_of(Scene(subject, "beach"), 1).lamps


def test_a_small_subject_is_smaller():
    def share(small):
        scenes = [stage_of(Scene("dog", "park", small=small), seed) for seed in range(12)]
        boxes = [outline(s.things["dog"], s.camera) for s in scenes]
        return np.mean([box[3] - box[1] for box in boxes])

    assert 0.5 < share(True) / share(False) < 0.8


def test_the_camera_shows_the_subject_as_planned():
    ball = [ellipsoid((0.3, 0.5, 0.2), 0.5, (200, 40, 40))]
    for seed in range(8):
        frame = plan_frame(ball, 0.6, np.random.default_rng(seed))
        camera = fit_camera(ball, frame)
        left, top, right, bottom = outline(ball, camera)
        assert bottom == pytest.approx(frame.bottom, abs=0.01)
        assert bottom - top == pytest.approx(frame.height, abs=0.01)
        assert 0 < left < right < 1
        assert 0.3 < camera.eye[1] < 3


def test_bounds_hold_a_shape():
    low, high = bounds([ellipsoid((1, 2, 3), (0.5, 1, 2), (0, 0, 0))])
    assert low == pytest.approx([0.5, 1, 1])
    assert high == pytest.approx([1.5, 3, 5])
