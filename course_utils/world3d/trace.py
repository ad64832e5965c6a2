"""Sphere tracing: where a ray meets the solids, how much of the sun and of the sky that point sees.

Every solid is a signed distance function: how far a point is from its surface, negative inside
(Hart 1996, "Sphere tracing"; the formulas of most solids and the soft shadow are well known from
Inigo Quilez' articles on distance functions). A ray may always advance by the distance to the
nearest surface, so it takes long steps through empty space and short ones near a thing. Shadows
and occlusion are computed from the same distances, so they are smooth and have no grain.

The loops run over single rays and are compiled by numba. Nothing here is random.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from course_utils.world3d.materials import MATERIALS
from course_utils.world3d.shapes import KINDS, Shape, bounding_box, bounding_middle, bounding_radius
from course_utils.world3d.surf import distance_table

ROUNDING, BLEND, GROUP, KIND = range(15, 19)  # columns of Solids.forms
ELLIPSOID, BOX, CYLINDER, CONE, LIMB, TORUS, PRISM, WAVE = range(len(KINDS))
GROUND, NOTHING = -1, -2  # what a ray meets, where it is no thing
FAR = 60.0  # metres; what is farther belongs to the sky
CANDIDATES = 192  # solids that one ray can pass close to
DETAILS = 12  # numbers that a shape can hand to its material
SUN_WIDTH = 0.06  # half the angle of the sun as seen from a thing, radians; the real one is 0.005
REACH = 0.9  # metres around a point in which solids hide the sky from it

# The table of distances from a wave of height 1: its corner in z and y, its grid, its size.
LEFT, LOW, STEP = -2.3, -0.55, 0.04
COLUMNS, ROWS, CURLS = 132, 48, 16
ROUND_LIP = 0.02  # added all around, in heights of the wave
NO_WAVES = np.zeros((0, 0, 0), np.float32)

compiled = njit(cache=True, error_model="numpy")


class Solids(NamedTuple):
    """All shapes of a picture as arrays, N shapes in G groups; a group is one named thing.

    Attributes:
        kind, material: indices into KINDS and MATERIALS, (N,).
        center, size, color: (N, 3); colours are linear, 0 to 1.
        axes: the shape's own axes as columns, (N, 3, 3).
        rounding, blend: metres, (N,).
        low, high: corners of a box that holds the shape, in its own axes around its centre, (N, 3).
        ball, radius: middle and radius of a ball that holds the shape, (N, 3) and (N,).
        group: which thing, (N,).
        starts: the first shape of each group, and N, (G + 1,).
        middle, reach: a ball that holds each group, (G, 3) and (G,).
        detail: numbers that some materials need, (N, DETAILS), filled up with zeros.
        forms: what distances need, side by side, (N, 19): center, axes row by row, size,
            rounding, blend, group, kind.
        waves: `wave_table`, or an empty one where there is no wave.
    """

    kind: np.ndarray
    material: np.ndarray
    center: np.ndarray
    size: np.ndarray
    color: np.ndarray
    axes: np.ndarray
    rounding: np.ndarray
    blend: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ball: np.ndarray
    radius: np.ndarray
    group: np.ndarray
    starts: np.ndarray
    middle: np.ndarray
    reach: np.ndarray
    detail: np.ndarray
    forms: np.ndarray
    waves: np.ndarray


class Hits(NamedTuple):
    """What R rays meet.

    Attributes:
        distance: metres along the ray, (R,); infinite where it meets nothing.
        group: index of the thing, GROUND or NOTHING, (R,).
        material: index into MATERIALS, (R,).
        shape: index of the solid, (R,); 0 where it meets none.
        normal, color, local: (R, 3); local is the point in the shape's own axes, metres.
        sun: share of the sun's disc that is seen, (R,), 0 to 1.
        sky: share of the sky that is seen, (R,), 0 to 1.
    """

    distance: np.ndarray
    group: np.ndarray
    material: np.ndarray
    shape: np.ndarray
    normal: np.ndarray
    color: np.ndarray
    local: np.ndarray
    sun: np.ndarray
    sky: np.ndarray


def gather(groups: Sequence[Sequence[Shape]]) -> Solids:
    """Shapes as arrays, one group for each list; lists may not be empty."""
    shapes = [shape for group in groups for shape in group]
    counts = [len(group) for group in groups]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    names = list(MATERIALS)
    corners = [bounding_box(s) for s in shapes]
    ball = np.array([bounding_middle(s) for s in shapes]).reshape(-1, 3)
    radius = np.array([bounding_radius(s) for s in shapes])
    fillet = _widest_fillets(ball, radius, np.array([s.blend for s in shapes]), starts)
    radius = radius + fillet
    middle, reach = _bounds(ball, radius, starts)
    return Solids(
        kind=np.array([KINDS.index(s.kind) for s in shapes], np.int64),
        material=np.array([names.index(s.material) for s in shapes], np.int64),
        center=np.array([s.center for s in shapes], float).reshape(-1, 3),
        size=np.array([s.size for s in shapes], float).reshape(-1, 3),
        color=linear(np.array([s.color for s in shapes], float).reshape(-1, 3) / 255),
        axes=np.array([s.rotation for s in shapes], float).reshape(-1, 3, 3),
        rounding=np.array([s.rounding for s in shapes], float),
        blend=np.array([s.blend for s in shapes], float),
        low=np.array([c[0] for c in corners]).reshape(-1, 3) - fillet[:, None],
        high=np.array([c[1] for c in corners]).reshape(-1, 3) + fillet[:, None],
        ball=ball,
        radius=radius,
        group=np.repeat(np.arange(len(groups)), counts),
        starts=starts,
        middle=middle,
        reach=reach,
        detail=np.array([_padded(s.detail) for s in shapes], float).reshape(-1, DETAILS),
        forms=np.array([_form(s, g) for g, group in enumerate(groups) for s in group]).reshape(
            -1, 19
        ),
        waves=wave_table() if any(s.kind == "wave" for s in shapes) else NO_WAVES,
    )


@lru_cache(maxsize=1)
def wave_table() -> np.ndarray:
    """Signed distances from the profiles of a wave of height 1, (ROWS, COLUMNS, CURLS) float32."""
    z, y = LEFT + STEP * np.arange(COLUMNS), LOW + STEP * np.arange(ROWS)
    return distance_table(z, y, CURLS)


def _form(shape: Shape, group: int) -> np.ndarray:
    """A row of `Solids.forms`."""
    last = (shape.rounding, shape.blend, group, KINDS.index(shape.kind))
    return np.concatenate([shape.center, shape.rotation.ravel(), shape.size, last])


def _padded(detail: Sequence[float]) -> list[float]:
    return list(detail) + [0.0] * (DETAILS - len(detail))


def linear(color: np.ndarray) -> np.ndarray:
    """sRGB values, 0 to 1, as amounts of light (the simple power law of 2.2)."""
    return np.clip(color, 0, None) ** 2.2


def _widest_fillets(ball, radius, blend, starts) -> np.ndarray:
    """For each shape the widest fillet to its neighbours: there it is seen beyond its surface."""
    widest = blend.copy()
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        part = slice(first, last)
        gaps = np.linalg.norm(ball[part, None] - ball[None, part], axis=-1)
        meets = gaps < radius[part, None] + radius[None, part] + blend[None, part]
        later = np.arange(first, last)[None] > np.arange(first, last)[:, None]
        fillets = np.where(meets & later, blend[None, part], 0)
        widest[part] = np.maximum(widest[part], fillets.max(1))
    return widest


def _bounds(center: np.ndarray, radius: np.ndarray, starts: np.ndarray):
    """For each group a ball that holds all of its shapes' balls."""
    middle, reach = [], []
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        low = (center[first:last] - radius[first:last, None]).min(0)
        high = (center[first:last] + radius[first:last, None]).max(0)
        m = (low + high) / 2
        middle.append(m)
        reach.append((np.linalg.norm(center[first:last] - m, axis=1) + radius[first:last]).max())
    return np.array(middle).reshape(-1, 3), np.array(reach)


def names_of(things: Mapping[str, Sequence[Shape]]) -> list[str]:
    """The names of the things that have at least one shape, in order."""
    return [name for name, shapes in things.items() if shapes]


@compiled
def shape_distance(kind, x, y, z, a, b, c, r):
    """Signed distance in metres of a point, in the shape's own axes, from its surface."""
    if kind == ELLIPSOID:
        if a == b and b == c:
            return np.sqrt(x * x + y * y + z * z) - a
        k0 = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
        k1 = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2)
        return k0 * (k0 - 1) / k1 if k1 > 1e-9 else -min(a, min(b, c))
    if kind == BOX:
        dx, dy, dz = abs(x) - a + r, abs(y) - b + r, abs(z) - c + r
        inside = min(max(dx, max(dy, dz)), 0.0)
        dx, dy, dz = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
        return inside + np.sqrt(dx * dx + dy * dy + dz * dz) - r
    if kind == CYLINDER:
        dx, dy = np.sqrt(x * x + z * z) - a + r, abs(y) - b + r
        inside = min(max(dx, dy), 0.0)
        dx, dy = max(dx, 0.0), max(dy, 0.0)
        return inside + np.sqrt(dx * dx + dy * dy) - r
    if kind == CONE:
        return cone_distance(np.sqrt(x * x + z * z), y, b - r, max(a - r, 0.0), max(c - r, 0.0)) - r
    if kind == LIMB:
        return limb_distance(np.sqrt(x * x + z * z), y, b, a, c)
    if kind == TORUS:
        q = np.sqrt(x * x + z * z) - a
        return np.sqrt(q * q + y * y) - b
    if kind == PRISM:
        s = np.sqrt(a * a + b * b)
        slope = (abs(x) * b + (y - b) * a) / s
        return max(max(slope, -y), abs(z) - c)
    return 1e9


@compiled
def cone_distance(q, y, h, low, top):
    """Distance from a cone cut off flat: radius `low` at -h, `top` at h; q is off its axis."""
    cax = q - min(q, low if y < 0 else top)
    cay = abs(y) - h
    kx, ky = top - low, 2 * h
    u = min(max(((top - q) * kx + (h - y) * ky) / (kx * kx + ky * ky), 0.0), 1.0)
    cbx, cby = q - top + kx * u, y - h + ky * u
    sign = -1.0 if cbx < 0 and cay < 0 else 1.0
    return sign * np.sqrt(min(cax * cax + cay * cay, cbx * cbx + cby * cby))


@compiled
def limb_distance(q, y, h, low, top):
    """Distance from the hull of two balls: radius `low` at 0, `top` at height h."""
    b = min(max((low - top) / h, -1.0), 1.0)
    a = np.sqrt(1 - b * b)
    k = -b * q + a * y
    if k < 0:
        return np.sqrt(q * q + y * y) - low
    if k > a * h:
        return np.sqrt(q * q + (y - h) ** 2) - top
    return a * q + b * y - low


@compiled
def crest(x, half, height, broken):
    """A wave along x: its height there; how far it has curled over, 0 to 1; by how many metres its
    crest lies back; and how far it has broken after that, 0 to about 1."""
    u = x / half
    tall = height * (1 - 0.55 * u * u) * (1 + 0.04 * np.sin(2.3 * x + 7 * broken))
    stage = 0.3 + 1.2 * broken - 1.3 * u + 0.06 * np.sin(3.7 * x + 9 * broken)
    curl = min(max(stage, 0.0), 1.0)
    back = height * (0.8 * u * u + 0.08 * np.sin(1.4 * x))
    return tall, curl * curl * (3 - 2 * curl), back, max(stage - 1.0, 0.0)


@compiled
def wave_distance(table, x, y, z, half, height, broken):
    """Signed distance in metres of a point from a wave along x, `half` its length."""
    tall, curl, back, _ = crest(min(max(x, -half), half), half, height, broken)
    d = table_distance(table, (z - back) / tall, y / tall, curl) - ROUND_LIP
    return max(0.82 * d * tall, abs(x) - half)


@compiled
def table_distance(table, z, y, curl):
    """The table read between its entries; outside, with the way to its edge."""
    c, r, k = (z - LEFT) / STEP, (y - LOW) / STEP, curl * (CURLS - 1)
    ci, ri = min(max(c, 0.0), COLUMNS - 1.001), min(max(r, 0.0), ROWS - 1.001)
    beyond = STEP * np.sqrt((c - ci) ** 2 + (r - ri) ** 2)
    i, j, m = int(ri), int(ci), min(int(k), CURLS - 2)
    v, u, w = ri - i, ci - j, k - m
    near = (1 - w) * table[i, j, m] + w * table[i, j, m + 1]
    right = (1 - w) * table[i, j + 1, m] + w * table[i, j + 1, m + 1]
    above = (1 - w) * table[i + 1, j, m] + w * table[i + 1, j, m + 1]
    across = (1 - w) * table[i + 1, j + 1, m] + w * table[i + 1, j + 1, m + 1]
    low, high = near + u * (right - near), above + u * (across - above)
    d = low + v * (high - low)
    return np.sqrt(d * d + beyond * beyond) if beyond > 0 else d


@compiled
def solid_distance(forms, waves, k, x, y, z):
    """Distance of a point of the world from shape k; see `Solids.forms`."""
    f = forms[k]
    dx, dy, dz = x - f[0], y - f[1], z - f[2]
    px = dx * f[3] + dy * f[6] + dz * f[9]
    py = dx * f[4] + dy * f[7] + dz * f[10]
    pz = dx * f[5] + dy * f[8] + dz * f[11]
    if f[KIND] == WAVE:
        return wave_distance(waves, px, py, pz, f[12], f[13], f[14])
    return shape_distance(int(f[KIND]), px, py, pz, f[12], f[13], f[14], f[ROUNDING])


@compiled
def join(d, e, blend):
    """The smooth minimum of two distances: a fillet as wide as `blend` where they meet."""
    h = max(blend - abs(d - e), 0.0) / max(blend, 1e-9)
    return min(d, e) - h * h * blend * 0.25


@compiled
def scene_distance(forms, waves, near, count, x, y, z):
    """Distance of a point from the nearest of the shapes in near[:count], melted group by group."""
    best, d, group = 1e9, 1e9, -1.0
    for i in range(count):
        k = near[i]
        e = solid_distance(forms, waves, k, x, y, z)
        if forms[k, GROUP] != group:
            best, d, group = min(best, d), e, forms[k, GROUP]
        elif forms[k, BLEND] > 0:
            d = join(d, e, forms[k, BLEND])
        else:
            d = min(d, e)
    return min(best, d)


@compiled
def find_near_ray(s, o, d, widen, near):
    """The shapes that a ray, a cone that opens by `widen`, passes: their number, the distances at
    which the first begins and the last ends."""
    count, first, last = 0, 1e9, 0.0
    for g in range(len(s.reach)):
        if ball_on_ray(s.middle, s.reach, g, o, d, widen) < -1e8:
            continue
        for k in range(s.starts[g], s.starts[g + 1]):
            b = ball_on_ray(s.ball, s.radius, k, o, d, widen)
            if b < -1e8 or count == CANDIDATES:
                continue
            enter, leave = box_on_ray(s, k, o, d, widen * max(b + s.radius[k], 0.0))
            if leave > max(enter, 0.0):
                near[count] = k
                count += 1
                first, last = min(first, enter), max(last, leave)
    return count, max(first, 0.0), last


@compiled
def ball_on_ray(middle, radius, k, o, d, widen):
    """How far along a ray ball k lies, or -1e9 where the ray misses it."""
    x, y, z = middle[k, 0] - o[0], middle[k, 1] - o[1], middle[k, 2] - o[2]
    b = x * d[0] + y * d[1] + z * d[2]
    reach = radius[k] + widen * max(b, 0.0)
    return b if b >= -radius[k] and x * x + y * y + z * z - b * b < reach * reach else -1e9


@compiled
def box_on_ray(s, k, o, d, margin):
    """Where along a ray the box around shape k, `margin` larger on all sides, begins and ends; it
    ends before it begins where the ray misses it."""
    enter, leave = -1e9, 1e9
    for c in range(3):
        at, slope = 0.0, 0.0
        for r in range(3):
            at += s.axes[k, r, c] * (o[r] - s.center[k, r])
            slope += s.axes[k, r, c] * d[r]
        low, high = s.low[k, c] - margin - at, s.high[k, c] + margin - at
        if abs(slope) < 1e-12:
            if low > 0 or high < 0:
                return 1e9, -1e9
            continue
        enter = max(enter, min(low / slope, high / slope))
        leave = min(leave, max(low / slope, high / slope))
    return enter, leave


@compiled
def march(s, near, count, o, d, first, last):
    """The distance along a ray at which it meets one of the shapes in near[:count], or -1."""
    forms, waves, t = s.forms, s.waves, first
    for _ in range(110):
        if t > last:
            return -1.0
        h = scene_distance(
            forms, waves, near, count, o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
        )
        if h < 0.0006 * t:
            return t
        t += 0.92 * h
    return t


@compiled
def sun_seen(s, p, sun, near):
    """The share of the sun's disc seen from a point, 0 to 1: the nearest miss of the ray to it,
    measured in half widths of the disc, decides."""
    count, _, last = find_near_ray(s, p, sun, SUN_WIDTH, near)
    if count == 0:
        return 1.0
    forms, waves = s.forms, s.waves
    clear, t = 1.0, 0.015
    for _ in range(90):
        h = scene_distance(
            forms, waves, near, count, p[0] + t * sun[0], p[1] + t * sun[1], p[2] + t * sun[2]
        )
        clear = min(clear, h / (SUN_WIDTH * t))
        if clear < -1.0 or t > last:
            break
        t += min(max(h, 0.012 + 0.02 * t), 0.6)
    clear = max(clear, -1.0)
    return 0.25 * (1 + clear) ** 2 * (2 - clear)


@compiled
def sky_seen(s, p, n, near):
    """The share of the sky seen from a point, 0 to 1: along the normal, distances that grow slower
    than the way walked tell of something near."""
    count = 0
    for g in range(len(s.reach)):
        if gap(s.middle, s.reach, g, p) > REACH:
            continue
        for k in range(s.starts[g], s.starts[g + 1]):
            if count < CANDIDATES and gap(s.ball, s.radius, k, p) < REACH:
                near[count] = k
                count += 1
    forms, waves = s.forms, s.waves
    hidden, weight = 0.0, 1.0
    for i in range(5):
        h = 0.03 + 0.85 * REACH * (i / 4.0) ** 1.6
        x, y, z = p[0] + h * n[0], p[1] + h * n[1], p[2] + h * n[2]
        d = min(scene_distance(forms, waves, near, count, x, y, z), y)
        hidden += weight * max(h - d, 0.0) / h
        weight *= 0.72
    return np.exp(-0.5 * hidden)  # never quite 0: light also comes back from other surfaces


@compiled
def gap(middle, radius, k, p):
    """Distance of a point from ball k."""
    x, y, z = middle[k, 0] - p[0], middle[k, 1] - p[1], middle[k, 2] - p[2]
    return np.sqrt(x * x + y * y + z * z) - radius[k]


@compiled
def normal_at(s, near, count, p, wide, n):
    """The direction in which the distance grows fastest, into n; differences over `wide` metres."""
    forms, waves = s.forms, s.waves
    n[:] = 0
    for i in range(4):
        ex = wide if i == 0 or i == 3 else -wide
        ey = wide if i >= 2 else -wide
        ez = wide if i == 1 or i == 3 else -wide
        d = scene_distance(forms, waves, near, count, p[0] + ex, p[1] + ey, p[2] + ez)
        n[0] += ex * d
        n[1] += ey * d
        n[2] += ez * d
    n /= max(np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2), 1e-12)


@compiled
def nearest_shape(s, near, count, p, color):
    """The shape on whose surface p lies; its colour, mixed within fillets, goes into color."""
    forms, waves = s.forms, s.waves
    best, found = 1e9, near[0]
    for i in range(count):
        e = solid_distance(forms, waves, near[i], p[0], p[1], p[2])
        if e < best:
            best, found = e, near[i]
    total = 0.0
    color[:] = 0
    for i in range(count):
        k = near[i]
        if s.group[k] != s.group[found] or (k != found and min(s.blend[k], s.blend[found]) == 0):
            continue
        e = solid_distance(forms, waves, k, p[0], p[1], p[2]) - best
        w = max(1 - e / (0.25 * max(s.blend[k], s.blend[found]) + 1e-6), 0.0)
        color += w * s.color[k]
        total += w
    color /= total
    return found


@compiled
def trace_into(s, origins, directions, sun, ground, bundle, shadows, out):
    """Fill the arrays of `out` for every ray, see `trace`."""
    near, around = np.empty(CANDIDATES, np.int64), np.empty(CANDIDATES, np.int64)
    p, n, color = np.empty(3), np.empty(3), np.empty(3)
    for i in range(len(directions)):
        o, d = origins[i], directions[i]
        floor = -o[1] / d[1] if ground and d[1] < -1e-6 else 1e9
        count, first, last = find_near_ray(s, o, d, 0.0, near)
        t = march(s, near, count, o, d, first, min(last, min(floor, FAR))) if count else -1.0
        if t < 0 and floor >= FAR:
            continue
        if t >= 0:
            p[:] = o + t * d
            k = nearest_shape(s, near, count, p, color)
            normal_at(s, near, count, p, 0.05 if s.kind[k] == WAVE else 0.0015, n)
            out.group[i], out.material[i], out.shape[i] = s.group[k], s.material[k], k
            out.color[i] = color
            for c in range(3):
                for r in range(3):
                    out.local[i, c] += s.axes[k, r, c] * (p[r] - s.center[k, r])
        else:
            t = floor
            p[:] = o + t * d
            n[:] = (0.0, 1.0, 0.0)
            out.group[i] = GROUND
            out.local[i] = p
        out.distance[i] = t
        out.normal[i] = n
        if not shadows:
            out.sun[i] = 1.0
        elif not share_light(i, bundle, out):
            p += 0.004 * n
            if n[0] * sun[0] + n[1] * sun[1] + n[2] * sun[2] > 0:
                out.sun[i] = sun_seen(s, p, sun, around)
            out.sky[i] = sky_seen(s, p, n, around)


@compiled
def share_light(i, bundle, out):
    """Give a ray the shadow and occlusion of an earlier one of its bundle that met the same
    surface; False where there is none."""
    for j in range(i - i % bundle, i):
        turned = 1.0
        for c in range(3):
            turned -= out.normal[i, c] * out.normal[j, c]
        near = abs(out.distance[i] - out.distance[j]) < 0.04 * out.distance[i]
        if out.group[i] == out.group[j] and turned < 0.04 and near:
            out.sun[i], out.sky[i] = out.sun[j], out.sky[j]
            return True
    return False


def trace(
    solids: Solids,
    origins: np.ndarray,
    directions: np.ndarray,
    sun: np.ndarray,
    ground: bool = True,
    bundle: int = 1,
    shadows: bool = True,
) -> Hits:
    """Follow R rays to the first thing that each meets.

    Args:
        solids: from `gather`.
        origins, directions: (R, 3); directions have length 1.
        sun: direction towards the sun or moon, (3,), length 1.
        ground: whether the plane y = 0 is solid.
        bundle: that many rays in a row belong to one pixel; those that meet the same surface share
            its shadow and occlusion, which are smooth.
        shadows: whether to find out how much of the sun and of the sky is seen; otherwise all is.
    Returns:
        what they meet.
    """
    count = len(directions)
    hits = Hits(
        distance=np.full(count, np.inf),
        group=np.full(count, NOTHING, np.int64),
        material=np.zeros(count, np.int64),
        shape=np.zeros(count, np.int64),
        normal=np.zeros((count, 3)),
        color=np.zeros((count, 3)),
        local=np.zeros((count, 3)),
        sun=np.zeros(count),
        sky=np.ones(count),
    )
    origins = np.ascontiguousarray(np.broadcast_to(origins, (count, 3)), float)
    directions = np.ascontiguousarray(directions, float)
    trace_into(solids, origins, directions, np.asarray(sun, float), ground, bundle, shadows, hits)
    return hits
