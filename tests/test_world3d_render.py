"""The renderer of the world: distances, depth, shadows and masks against formulas."""

from dataclasses import replace

import numpy as np
import pytest

from course_utils.world3d.ground import Ground
from course_utils.world3d.light import WEATHERS, make_light
from course_utils.world3d.noise import noise
from course_utils.world3d.render import Camera, Stage, look_through, render_stage
from course_utils.world3d.shapes import (
    bounding_middle,
    bounding_radius,
    box,
    cone,
    cylinder,
    ellipsoid,
    limb,
    place,
    prism,
    torus,
    turn,
)
from course_utils.world3d.trace import FAR, gather, solid_distance, trace

RED, GREEN = (200, 40, 40), (80, 150, 60)
SHAPES = [
    ellipsoid((0.1, 1, 0), 0.5, RED),
    ellipsoid((0, 1, 0.2), (0.6, 0.3, 0.4), RED),
    box((0, 1, 0), (0.5, 0.3, 0.4), RED),
    cylinder((0, 1, 0), 0.4, 0.5, RED),
    cone((0, 1, 0), 0.5, 0.6, RED, top=0.1),
    limb((0, 0.6, 0), (0.3, 1.4, 0.2), 0.2, RED, tip=0.1),
    torus((0, 1, 0), 0.5, 0.15, RED),
    prism((0, 0.8, 0), 0.6, 0.5, 0.5, RED),
]
KINDS = [f"{shape.kind}{shape.size.round(1)}" for shape in SHAPES]


def stage(things, hour=0.8, sun=(0.5, 0.7, -0.5), **camera) -> Stage:
    light = make_light(hour, "clear", np.random.default_rng(0))
    light = replace(light, sun=np.array(sun) / np.linalg.norm(sun), fog=1e6)
    camera = Camera(**({"eye": (0, 1.4, -5), "target": (0, 0.7, 0)} | camera))
    return Stage(things, camera, light, Ground("grass", GREEN, GREEN))


@pytest.mark.parametrize("shape", SHAPES, ids=KINDS)
def test_rays_end_on_the_surface_and_never_jump_over_it(shape):
    solids = gather([[shape]])
    rays = look_through(Camera((1.5, 2, -4), (0, 1, 0), 25)).rays(np.arange(0, 128**2, 23))
    eye = np.array([1.5, 2.0, -4.0])
    hits = trace(solids, eye, rays, np.array([0.0, 1, 0]), ground=False)
    steps = np.arange(2.5, 7, 0.01)
    for ray, distance in zip(rays[::5], hits.distance[::5], strict=True):
        inside = [
            solid_distance(solids.forms, solids.waves, 0, *(eye + t * ray)) < -0.004 for t in steps
        ]
        first = steps[np.argmax(inside)] if any(inside) else np.inf
        assert distance <= first
    points = eye + hits.distance[hits.group == 0, None] * rays[hits.group == 0]
    assert len(points) > 50
    assert max(abs(solid_distance(solids.forms, solids.waves, 0, *p)) for p in points) < 0.006


@pytest.mark.parametrize("shape", SHAPES, ids=KINDS)
def test_the_bounding_ball_holds_the_shape(shape):
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.2, 1.2, (4000, 3)) + (0, 1, 0)
    solids = gather([[shape]])
    inside = np.array([solid_distance(solids.forms, solids.waves, 0, *p) < 0 for p in points])
    assert inside.any()
    away = np.linalg.norm(points[inside] - bounding_middle(shape), axis=1)
    assert away.max() <= bounding_radius(shape) + 1e-9


def test_the_depth_of_a_ball_is_that_of_a_sphere():
    middle, radius = np.array([0.3, 0.8, 0.4]), 0.8
    drawn = stage({"ball": [ellipsoid(middle, radius, RED)]})
    render = render_stage(drawn)
    view = look_through(drawn.camera)
    rays, axis = view.rays(np.arange(128**2)).reshape(128, 128, 3), view.axis
    to = middle - np.array(drawn.camera.eye)
    along = rays @ to
    inside = along**2 - to @ to + radius**2
    expected = (along - np.sqrt(np.maximum(inside, 0))) * (rays @ axis)
    mask = (render.labels == render.names.index("ball")) & (inside > 0.06)
    assert mask.sum() > 1500
    assert np.abs(render.depth - expected)[mask].max() < 0.012
    assert np.ptp(render.depth[mask]) > 0.4
    surface = np.array(drawn.camera.eye) + rays * ((render.depth / (rays @ axis))[..., None])
    outward = (surface - middle) / radius
    assert np.einsum("ijk,ijk->ij", outward, render.normals)[mask].min() > 0.99


def test_flat_ground_lies_where_the_camera_says():
    render = render_stage(stage({"ball": [ellipsoid((9, 0.1, 9), 0.1, RED)]}))
    view = look_through(Camera((0, 1.4, -5), (0, 0.7, 0)))
    ray = view.rays(np.array([120 * 128 + 64]))[0]
    assert render.depth[120, 64] == pytest.approx(-1.4 / ray[1] * (ray @ view.axis), rel=0.001)
    assert render.depth[0, 0] == FAR


def test_a_shadow_moves_when_the_sun_does():
    ball = {"ball": [ellipsoid((0, 1, 0), 0.4, RED)]}
    left, right = (
        render_stage(stage(ball, sun=(side, 0.8, -0.2))).picture.sum(-1) for side in (1, -1)
    )
    ground = np.s_[70:, :]
    darker = (
        np.argwhere(right[ground] - left[ground] > 0.3),
        np.argwhere(left[ground] - right[ground] > 0.3),
    )
    assert min(map(len, darker)) > 100
    assert darker[0][:, 1].mean() < 50 < 78 < darker[1][:, 1].mean()


def test_shadows_have_no_grain():
    """Light on even ground changes smoothly: no pixel stands out from its neighbours."""
    drawn = stage({"ball": [ellipsoid((0, 1.2, 0.5), 0.4, RED)]}, sun=(0.8, 0.7, -0.2))
    drawn = replace(drawn, ground=Ground("snow", (200, 200, 200), (200, 200, 200), rough=0))
    gray = render_stage(drawn).picture.mean(-1)[85:, :]
    middle = gray[1:-1, 1:-1]
    around = (gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:]) / 4
    assert np.ptp(middle) > 0.25
    assert np.abs(middle - around).max() < 0.2 * np.ptp(middle)  # grain: more than half


def test_masks_cover_the_picture():
    things = {
        "ball": [ellipsoid((0, 0.5, 0), 0.5, RED)],
        "box": [box((1, 0.4, 1), (0.4,) * 3, RED)],
    }
    render = render_stage(stage(things))
    assert render.names == ["ball", "box", "grass", "sky"]
    assert set(np.unique(render.labels)) == {0, 1, 2, 3}
    assert (render.depth[render.labels == 3] == FAR).all()
    assert (render.depth[render.labels != 3] < FAR).all()
    lengths = np.linalg.norm(render.normals, axis=-1)
    assert np.abs(lengths[render.labels != 3] - 1).max() < 1e-3
    assert (lengths[render.labels == 3] == 0).all()


def test_a_blend_fills_the_crease_between_two_shapes():
    def middle(blend):
        pair = [ellipsoid((-0.3, 1, 0), 0.35, RED), ellipsoid((0.3, 1, 0), 0.35, RED, blend=blend)]
        render = render_stage(stage({"pair": pair}, target=(0, 1, 0)))
        return (render.labels == 0)[:, 62:66].sum()

    assert middle(0.2) > 1.2 * middle(0.0)


def test_water_mirrors_what_stands_behind_it():
    ground = Ground("sand", (230, 200, 150), (230, 200, 150), shore=-2.5, swell=0.0)
    post = [box((0, 1, 2), (0.6, 1, 0.1), (230, 20, 20), material="glow")]
    drawn = replace(stage({"post": post}), ground=ground)
    picture = render_stage(drawn).picture
    labels = render_stage(drawn).labels
    sea = labels == 2
    redness = picture[..., 0] - picture[..., 1]
    columns = np.arange(128)
    below = sea & (np.abs(columns - 64) < 8)
    beside = sea & (np.abs(columns - 64) > 45)
    assert redness[below].max() > redness[beside].max() + 0.1


def test_things_scale_turn_and_move():
    moved = place([ellipsoid((1, 0, 0), (0.5, 0.2, 0.1), RED)], at=(0, 2, 0), yaw=90, scale=2)[0]
    assert moved.center == pytest.approx([0, 2, -2])
    assert moved.size == pytest.approx([1, 0.4, 0.2])
    assert moved.rotation @ (0, 0, 1) == pytest.approx([1, 0, 0])
    assert turn("z", 90) @ (1, 0, 0) == pytest.approx([0, 1, 0])


def test_the_hour_is_a_continuum():
    """From night to noon the light grows in small steps, whatever lies between the words."""
    pictures = [
        render_stage(stage({"ball": [ellipsoid((0, 0.5, 0), 0.5, RED)]}, hour=h)).picture
        for h in np.linspace(0, 1, 18)
    ]
    steps = [np.abs(a - b).mean() for a, b in zip(pictures, pictures[1:], strict=False)]
    assert max(steps) < 0.16
    assert pictures[-1].mean() > 2 * pictures[0].mean()


@pytest.mark.parametrize("weather", WEATHERS)
def test_weather_changes_the_light(weather):
    light = make_light(0.9, weather, np.random.default_rng(1))
    clear = make_light(0.9, "clear", np.random.default_rng(1))
    assert (light.sunlight.mean() < clear.sunlight.mean()) == (weather != "clear")
    assert (light.fog < 20) == (weather == "foggy")


def test_noise_is_smooth_repeatable_and_fades_where_pixels_are_large():
    points = np.random.default_rng(0).uniform(0, 50, (5000, 3))
    values = noise(points, 3)
    assert np.array_equal(values, noise(points, 3))
    assert not np.allclose(values, noise(points, 4))
    assert abs(values.mean()) < 0.05 and values.std() > 0.15 and np.abs(values).max() <= 1
    assert np.abs(noise(points + 1e-4, 3) - values).max() < 0.01
    assert np.abs(noise(points, 3, footprint=1.0)).max() == 0
