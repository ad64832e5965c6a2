"""From a scene, which is words, to a stage: light, ground, scenery, the things, and the camera.

The subject is put up first and the camera is fitted to it; the park, the beach, the snow and the
meadow are then laid out around what the camera sees. City and sea have modules of their own.
"""

from dataclasses import replace

import numpy as np

from course_utils.world3d.arranging import (
    Things,
    all_shapes,
    arrange,
    arrange_on_bench,
    find_camera,
    find_camera_at_bench,
    has_behind_its_head,
    seen_share,
)
from course_utils.world3d.city import build_city
from course_utils.world3d.light import make_light
from course_utils.world3d.outdoors import PLACES, View, headlights, window_lamps
from course_utils.world3d.render import Camera, Stage
from course_utils.world3d.scene import Scene, draw_hour
from course_utils.world3d.sea import build_sea
from course_utils.world3d.shapes import place
from course_utils.world3d.staging import Scenery, bounds, depths, outline

Rng = np.random.Generator

VIEW_DISTANCE = 8.0  # metres at which a wave or a street must still be seen through the fog


def build_stage(scene: Scene, rng: Rng) -> Stage:
    """Put up everything that a scene names, and everything that it leaves open.

    Args:
        scene: what is to be seen.
        rng: decides hour, light, sizes, poses, hues, scenery and camera.
    Returns:
        the stage, ready to be rendered.
    """
    hour = draw_hour(scene.time, rng)
    light = make_light(hour, scene.weather, rng)
    if scene.subject in ("wave", "cityscape"):
        setting, camera = _view(scene, hour, rng)
        shown: Things = {}
    elif scene.place in ("city", "winter city"):
        setting, camera, shown = _in_the_city(scene, hour, rng)
    else:
        setting, camera, shown = _in_the_open(scene, hour, rng)
    own = window_lamps(shown.get("house", [])) + headlights(shown.get("car", []))
    distance = depths(all_shapes(shown), camera)[0] if shown else VIEW_DISTANCE
    fog = max(light.fog, 2.6 * (distance - 2.5))  # so that the subject is seen
    return Stage(
        things={**shown, **{name: parts for name, parts in setting.things.items() if parts}},
        camera=camera,
        light=replace(light, fog=fog),
        ground=setting.ground,
        lamps=[*setting.lamps, *own],
        seed=int(rng.integers(1_000_000)),
    )


def _view(scene: Scene, hour: float, rng: Rng) -> tuple[Scenery, Camera]:
    if scene.place == "sea":
        setting = build_sea(scene, hour, rng)
    else:
        setting = build_city(scene, hour, rng, winter=scene.place == "winter city")
    return setting, setting.camera


def _in_the_city(scene: Scene, hour: float, rng: Rng) -> tuple[Scenery, Camera, Things]:
    """A street, and the subject where nothing of it stands in between, nor a tree right behind it;
    the last of eight tries, where there is no such place."""
    setting = build_city(scene, hour, rng, winter=scene.place == "winter city")
    parts = arrange(scene, hour, rng)
    low, high = bounds(all_shapes(parts))
    spots = [spot for spot in setting.spots if spot.room > high[0] - low[0]] or setting.spots
    for attempt in range(8):
        spot = spots[attempt % len(spots)]
        yaw = 0.0 if scene.other else spot.yaw
        shown = {name: place(shapes, spot.at, yaw) for name, shapes in parts.items()}
        camera = find_camera(scene, shown, rng, turned=9)
        clear = _cleared(setting.things, shown, camera, hour)
        crowned = has_behind_its_head("trees", shown, clear, camera)
        if seen_share(shown, clear, camera) > 0.96 and not crowned:
            break
    return replace(setting, things=clear), camera, shown


def _cleared(furniture: Things, shown: Things, camera: Camera, hour: float) -> Things:
    """The things of a street without heaps of snow before the subject, and without awnings so
    near the camera that they would hang over the picture."""
    whole = all_shapes(shown)
    view = View(camera, outline(whole, camera), *depths(whole, camera), hour)
    snow = [s for s in furniture.get("snow", []) if s.kind != "ellipsoid" or not view.hides([s])]
    walls = [
        s
        for s in furniture["buildings"]
        if s.material != "cloth" or depths([s], camera)[0] > view.near
    ]
    return {**furniture, "snow": snow, "buildings": walls}


def _in_the_open(scene: Scene, hour: float, rng: Rng) -> tuple[Scenery, Camera, Things]:
    """A place that is laid out around its subject."""
    if scene.place == "park bench":
        bench, shown = arrange_on_bench(scene, hour, rng)
        camera = find_camera_at_bench(scene, bench, shown, rng)
        shown = {**shown, **bench}
    else:
        shown = arrange(scene, hour, rng)
        camera = find_camera(scene, shown, rng)
    whole = all_shapes(shown)
    view = View(camera, outline(whole, camera), *depths(whole, camera), hour)
    setting = PLACES[scene.place](view, shown, rng)
    return setting, camera, shown
