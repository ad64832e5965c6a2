"""The things that a scene names: where they stand, and from where they are seen."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from course_utils.world3d import things
from course_utils.world3d.modelling import chance, move
from course_utils.world3d.render import Camera
from course_utils.world3d.scene import Scene
from course_utils.world3d.shapes import Shape, bounding_middle, place
from course_utils.world3d.staging import DARK_HOUR, bounds, fit_camera, plan_frame
from course_utils.world3d.trace import gather, trace
from course_utils.world3d.vocabulary import PEOPLE, VIEWS, random_color

Rng = np.random.Generator
Things = dict[str, list[Shape]]

DRAUGHT = 0.08  # metres of a boat that are under water
HIPS_AT = -0.05  # z of the hips on a bench, whose seat reaches from -0.28 to 0.28, metres


def arrange(scene: Scene, hour: float, rng: Rng) -> Things:
    """One thing, or two side by side or one behind the other, around the origin."""
    shown = {scene.subject: _thing(scene.subject, scene.color, scene, hour, rng)}
    if scene.other is None:
        return shown
    shown[scene.other] = _thing(scene.other, scene.other_color, scene, hour, rng)
    shown = _comparable(shown, rng)
    if scene.relation in ("in front of", "behind"):
        return _one_behind_the_other(shown, scene, rng)
    shown = _side_by_side(shown, scene, rng)
    return _boat_to_the_water(shown, rng) if "boat" in shown else shown


def _thing(
    name: str, color: str | None, scene: Scene, hour: float, rng: Rng, pose: str = "standing"
) -> list[Shape]:
    """One thing at the origin, turned somewhere between left and right."""
    paint = None if color is None else random_color(color, rng)
    winter = scene.place in ("snow", "winter city")
    world = {"night": hour < DARK_HOUR, "snow": rng.uniform(0.3, 1.0) if winter else 0.0}
    yaw = rng.uniform(-14, 14) if pose == "sitting" else rng.normal(0, 17)
    parts = place(things.THINGS[name](paint, rng, pose, **world), yaw=float(np.clip(yaw, -40, 40)))
    return move(parts, (0, -DRAUGHT, 0)) if name == "boat" else parts


def _comparable(shown: Things, rng: Rng) -> Things:
    """Shrink the larger of two things, so that the smaller one is not tiny beside it."""
    sizes = {name: _size(parts) for name, parts in shown.items()}
    allowed = rng.uniform(1.4, 1.9) * min(sizes.values())
    return {
        name: place(parts, scale=min(1.0, allowed / sizes[name])) for name, parts in shown.items()
    }


def _size(parts: Sequence[Shape]) -> float:
    low, high = bounds(parts)
    return float(np.sqrt((high[0] - low[0]) * (high[1] - low[1])))


def _side_by_side(shown: Things, scene: Scene, rng: Rng) -> Things:
    """The subject to the left or to the right of the other thing."""
    (one, first), (two, second) = shown.items()
    left = {"left of": True, "right of": False}.get(scene.relation, chance(rng, 0.5))
    sign = -1 if left else 1
    wide = [(bounds(parts)[1] - bounds(parts)[0])[0] / 2 for parts in (first, second)]
    gap = rng.uniform(0.05, 0.3) * (wide[0] + wide[1])
    depth = rng.uniform(-0.25, 0.25) * (wide[0] + wide[1])
    first, second = _centered(first), _centered(second)
    return {
        one: move(first, (sign * (wide[0] + gap / 2), 0, depth)),
        two: move(second, (-sign * (wide[1] + gap / 2), 0, -depth)),
    }


def _boat_to_the_water(shown: Things, rng: Rng) -> Things:
    """A boat moved back so far that the shore can run before it."""
    dry = max(bounds(parts)[1][2] for name, parts in shown.items() if name != "boat")
    back = dry - bounds(shown["boat"])[0][2] + rng.uniform(0.3, 0.7)
    return {**shown, "boat": move(shown["boat"], (0, 0, max(back, 0.0)))}


def _centered(parts: Sequence[Shape]) -> list[Shape]:
    low, high = bounds(parts)
    return move(parts, -(low + high) / 2 * (1, 0, 1))


def _one_behind_the_other(shown: Things, scene: Scene, rng: Rng) -> Things:
    """Both are seen: the one in front covers at most a third of the width of the other."""
    names = list(shown) if scene.relation == "in front of" else list(shown)[::-1]
    front, back = (_centered(shown[name]) for name in names)
    sizes = [bounds(parts)[1] - bounds(parts)[0] for parts in (front, back)]
    depth = (sizes[0][2] + sizes[1][2]) / 2 + rng.uniform(0.15, 0.5)
    covered = rng.uniform(0.08, 0.34) * min(sizes[1][0], 1.5 * sizes[0][0])
    across = rng.choice((-1, 1)) * ((sizes[0][0] + sizes[1][0]) / 2 - covered)
    moved = {
        names[0]: move(front, (across / 2, 0, -depth / 2)),
        names[1]: move(back, (-across / 2, 0, depth / 2)),
    }
    return {name: moved[name] for name in shown}


def arrange_on_bench(scene: Scene, hour: float, rng: Rng) -> tuple[Things, Things]:
    """The bench, and who or what is on it."""
    shapes, height, _ = things.bench(rng)
    yaw = rng.uniform(-24, 24)
    bench = {"bench": place(shapes, yaw=yaw)}
    if scene.subject in VIEWS:
        return bench, {}
    named = [(scene.subject, scene.color), (scene.other, scene.other_color)]
    sitters = {
        name: _fitting_a_seat(name, _thing(name, color, scene, hour, rng, "sitting"))
        for name, color in named
        if name
    }
    along = _seats(scene, sitters, bounds(shapes)[1][0] - 0.08, rng)
    return bench, {
        name: place(move(parts, (along[name], height, 0)), yaw=yaw)
        for name, parts in sitters.items()
    }


def _fitting_a_seat(name: str, parts: Sequence[Shape]) -> list[Shape]:
    """A person's knees come over the front edge; everything else stands on the seat."""
    if name in (*PEOPLE, "robot"):
        return move(parts, (0, 0, HIPS_AT))
    low, high = bounds(parts)
    parts = place(parts, scale=min(1.0, 0.66 / (high[2] - low[2])))
    return move(_centered(parts), (0, 0, -0.02))


def _seats(scene: Scene, sitters: Things, half: float, rng: Rng) -> dict[str, float]:
    """Where along a bench, whose seat reaches from -half to half, each of the sitters is."""
    wide = {name: (bounds(parts)[1] - bounds(parts)[0])[0] / 2 for name, parts in sitters.items()}
    if scene.other is None:
        reach = max(half - wide[scene.subject], 0.05)
        return {scene.subject: rng.uniform(-reach, reach)}
    sign = {"left of": -1, "right of": 1}.get(scene.relation, int(rng.choice((-1, 1))))
    total = sum(wide.values())
    gap = rng.uniform(0.0, 1.0) * max(2 * (half - total), 0.0)
    middle = rng.uniform(-1, 1) * max(half - total - gap / 2, 0.0)
    return {
        scene.subject: middle + sign * (wide[scene.subject] + gap / 2),
        scene.other: middle - sign * (wide[scene.other] + gap / 2),
    }


def find_camera(scene: Scene, shown: Things, rng: Rng, turned: float = 16.0) -> Camera:
    """The camera for the things that are to be seen."""
    shapes = all_shapes(shown)
    height = rng.uniform(0.48, 0.75)
    if scene.other is not None:
        height = rng.uniform(0.48, 0.68)
    if scene.small:
        height *= rng.uniform(0.58, 0.72)
    turned = min(turned, 5.0) if scene.other else turned  # or one could come to hide the other
    return fit_camera(shapes, plan_frame(shapes, height, rng, turned))


def find_camera_at_bench(scene: Scene, bench: Things, shown: Things, rng: Rng) -> Camera:
    """Most of the bench is seen; who sits at its right end is at the right of the picture."""
    shapes = all_shapes(shown or bench)
    low, high = bounds(shapes)
    metre = rng.uniform(0.42, 0.62) * (rng.uniform(0.7, 0.85) if scene.small else 1.0)
    height = (high[1] - low[1]) * metre if shown else rng.uniform(0.28, 0.42)
    frame = plan_frame(shapes, min(height, 0.68), rng)
    if shown:
        first, last = bounds(bench["bench"])
        share = (low[0] + high[0] - first[0] - last[0]) / (last[0] - first[0])
        middle = float(np.clip(0.5 + 0.5 * share + rng.uniform(-0.15, 0.15), 0, 1))
        frame = replace(frame, middle=middle)
    return fit_camera(shapes, frame)


def seen_share(shown: Things, furniture: Things, camera: Camera) -> float:
    """The share of the parts of the things that no furniture hides from the camera, 0 to 1."""
    met = _met([bounding_middle(s) for s in all_shapes(shown)], shown, furniture, camera)
    return float(np.mean([name in ("", "shown") for name in met]))


def has_behind_its_head(name: str, shown: Things, furniture: Things, camera: Camera) -> bool:
    """Whether the named furniture seems to grow out of the top of one of the things."""
    tops = []
    for parts in shown.values():
        low, high = bounds(parts)
        tops.append((low + high) / 2 * (1, 0, 1) + (0, 1.1 * high[1], 0))
    return name in _met(tops, shown, furniture, camera)


def _met(points, shown: Things, furniture: Things, camera: Camera) -> list[str]:
    """What the camera sees in the direction of each point, (N, 3): the name of furniture, "shown",
    or "" for ground and sky."""
    groups = {"shown": all_shapes(shown), **{n: p for n, p in furniture.items() if p}}
    eye = np.asarray(camera.eye, float)
    rays = np.array(points) - eye
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    hits = trace(gather(list(groups.values())), eye, rays, np.array([0.0, 1.0, 0.0]))
    return [list(groups)[k] if k >= 0 else "" for k in hits.group]


def all_shapes(shown: Things) -> list[Shape]:
    return [shape for parts in shown.values() for shape in parts]
