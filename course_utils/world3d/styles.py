"""Six styles: algorithms that repaint a rendered picture, each time a little differently.

Oil, palette knife and pencil lay thousands of strokes on a canvas of twice the picture's size;
where the strokes go, which way and in what order follows from the picture, and all chance comes
from the generator that is passed in. Nothing repeats on a grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from PIL import Image
from scipy import ndimage
from skimage.feature import structure_tensor

from course_utils.world3d.ground import KINDS
from course_utils.world3d.vocabulary import SIZE, check_choice

BLOCK = 4  # pixels: width and height of a block of pixel art
SKY = 59.0  # metres: nothing but the sky is as far
ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE].astype(float)
LUMA = np.array([0.299, 0.587, 0.114])


def apply_style(render, style: str, rng: np.random.Generator) -> np.ndarray:
    """Repaint a render in one of the STYLES.

    Args:
        render: has picture (128, 128, 3) in 0..1, depth (128, 128) in metres, normals
            (128, 128, 3), labels (128, 128) integers.
        style: a key of STYLES.
        rng: decides every stroke; the same generator gives the same picture.
    Returns:
        (128, 128, 3) in 0..1.
    Raises:
        ValueError: there is no such style.
    """
    check_choice("style", style, tuple(STYLES))
    return STYLES[style](render, rng).clip(0, 1)


# ---------------------------------------------------------------- shared by the styles


def gray(picture: np.ndarray) -> np.ndarray:
    """Luminance, (128, 128)."""
    return picture @ LUMA


def saturate(picture: np.ndarray, factor: float) -> np.ndarray:
    """Move colours away from (factor above 1) or towards their own gray."""
    level = gray(picture)[..., None]
    return level + factor * (picture - level)


def blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of (H, W) or (H, W, C), over rows and columns only."""
    sigmas = (sigma, sigma) + (0,) * (picture.ndim - 2)
    return ndimage.gaussian_filter(picture, sigmas, mode="nearest", truncate=3)


def smooth_noise(rng: np.random.Generator, sigma: float, shape=(SIZE, SIZE)) -> np.ndarray:
    """Noise without a grid, features about `sigma` pixels wide, standard deviation 1."""
    step = max(1, int(sigma // 2.5))
    small = rng.standard_normal([s // step + 8 for s in shape])
    small = blur(small, sigma / step)
    if step > 1:
        size = [s * step for s in small.shape[::-1]]
        small = np.asarray(Image.fromarray(small.astype(np.float32)).resize(size, Image.BICUBIC))
    start = [int(rng.integers(0, a - b + 1)) for a, b in zip(small.shape, shape, strict=True)]
    noise = small[start[0] : start[0] + shape[0], start[1] : start[1] + shape[1]].astype(float)
    return (noise - noise.mean()) / (noise.std() + 1e-9)


def double(picture: np.ndarray) -> np.ndarray:
    """Twice the size, bilinear; (256, 256) or (256, 256, 3)."""
    channels = picture[..., None] if picture.ndim == 2 else picture
    planes = [
        Image.fromarray(channels[..., c].astype(np.float32)) for c in range(channels.shape[2])
    ]
    size = (2 * picture.shape[1], 2 * picture.shape[0])
    large = np.stack([np.asarray(p.resize(size, Image.BILINEAR)) for p in planes], -1)
    return large.reshape(large.shape[:2] + picture.shape[2:]).astype(float)


def halve(canvas: np.ndarray) -> np.ndarray:
    """Half the size, by the mean of 2 × 2 pixels."""
    return (canvas[::2, ::2] + canvas[1::2, ::2] + canvas[::2, 1::2] + canvas[1::2, 1::2]) / 4


def step_between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    t = ((values - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def vignette(strength: float) -> np.ndarray:
    """A factor that falls from 1 in the middle to 1 - strength in the corners; (128, 128, 1)."""
    radius = np.hypot(ROWS - 63.5, COLUMNS - 63.5) / 90
    return (1 - strength * radius**2.5)[..., None]


def contours(render, sigma: float) -> np.ndarray:
    """How much of an outline goes through each pixel, 0 to about 1: depth, normals, labels."""
    depth = np.log(np.maximum(render.depth, 0.1).astype(float))
    jump = ndimage.gaussian_gradient_magnitude(depth, sigma, mode="nearest")
    normals = render.normals.astype(float)
    turn = sum(
        ndimage.gaussian_gradient_magnitude(normals[..., c], sigma, mode="nearest")
        for c in range(3)
    )
    return np.maximum(6 * jump, 0.5 * turn).clip(0, 1)


def flow(level: np.ndarray, rng: np.random.Generator, sigma: float, wander: float) -> np.ndarray:
    """The direction of contours at each pixel, radians; (128, 128).

    Structure tensor of `level`, smoothed by `sigma`; where it is flat, the directions of a random
    field that turns slowly, as strong as `wander`.
    """
    rows, cross, columns = structure_tensor(level, sigma=sigma, mode="nearest", order="rc")
    along, slanted = rows - columns, -2 * cross  # twice the angle of the contour
    heading = rng.uniform(-0.6, 0.6) + 0.9 * smooth_noise(rng, 18)
    weight = wander * (1e-4 + 0.02 * np.hypot(along, slanted).mean())
    along = blur(along, 1) + weight * np.cos(2 * heading)
    slanted = blur(slanted, 1) + weight * np.sin(2 * heading)
    return 0.5 * np.arctan2(slanted, along)


# ---------------------------------------------------------------- strokes


class Paint(NamedTuple):
    """How paint lies in a stroke.

    Attributes:
        streak: how much its bristles differ in colour.
        ragged: the share of its length by which a bristle may end early.
        load: how thick the paint is.
        furrow, rim, bead: relief of the bristles, of the sides, and of the end of the stroke.
    """

    streak: float
    ragged: float
    load: float
    furrow: float
    rim: float
    bead: float


@dataclass(frozen=True)
class Tool:
    """One layer of strokes.

    Attributes:
        count: how many strokes are tried.
        length, width: their mean size in pixels of the picture.
        gain: a stroke is laid only if it brings the canvas nearer to the picture by this much, mean
            squared difference per pixel; ALWAYS lays every stroke.
        jitter: standard deviation of colour from stroke to stroke.
        soft: the colour is taken from the picture with a blur of this many pixels; 0: from one
            that is sharpened.
        spread: the strokes lie everywhere, not only where detail is missing.
        paint: how the paint lies.
    """

    count: int
    length: float
    width: float
    gain: float
    jitter: float
    soft: float
    spread: bool
    paint: Paint


ALWAYS = -np.inf
BROAD_BRUSH = Paint(streak=0.08, ragged=0.35, load=1.0, furrow=0.8, rim=0.3, bead=0.5)
BRUSH = Paint(streak=0.10, ragged=0.40, load=1.0, furrow=0.9, rim=0.5, bead=0.6)
THIN_BRUSH = Paint(streak=0.07, ragged=0.40, load=0.8, furrow=0.6, rim=0.3, bead=0.5)
POINTED_BRUSH = Paint(streak=0.03, ragged=0.20, load=0.5, furrow=0.2, rim=0.2, bead=0.2)
KNIFE = Paint(streak=0.12, ragged=0.10, load=1.6, furrow=0.15, rim=0.5, bead=0.9)
SMALL_KNIFE = Paint(streak=0.08, ragged=0.10, load=1.4, furrow=0.10, rim=0.4, bead=0.7)
KNIFE_TIP = Paint(streak=0.0, ragged=0.0, load=0.8, furrow=0.0, rim=0.3, bead=0.3)
GRAPHITE = Paint(streak=0.0, ragged=0.2, load=0.0, furrow=0.0, rim=0.0, bead=0.0)
SWAY = 0.1  # radians: standard deviation of the direction of strokes


@njit(cache=True)
def _coverage(dx, dy, stroke, bristles, ragged):
    """Share of a pixel under the stroke; its place across and along (-1 to 1); its bristle."""
    along = dx * stroke[2] + dy * stroke[3]
    across = -dx * stroke[3] + dy * stroke[2] - stroke[6] * along * along
    side, end = across / stroke[5], along / stroke[4]
    if abs(side) > 1.3:
        return 0.0, side, end, 0.5
    place = stroke[11] + (side + 1.5) * stroke[5] * 0.6
    first = int(place)
    rest = place - first
    bristle = bristles[first] * (1 - rest) + bristles[first + 1] * rest
    reach = stroke[4] * (1 - ragged * bristle) - stroke[7] * across
    cover = min(1.0, max(0.0, reach - abs(along) + 0.5))
    cover *= min(1.0, max(0.0, stroke[5] - abs(across) + 0.5))
    return cover, side, end, bristle


@njit(cache=True)
def _gain(canvas, target, stroke, bristles, ragged, box):
    """By how much the stroke lessens the mean squared difference to the target."""
    gain = area = 0.0
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            cover = _coverage(column - stroke[0], row - stroke[1], stroke, bristles, ragged)[0]
            if cover > 0.5:
                area += 1.0
                for c in range(3):
                    old = canvas[row, column, c] - target[row, column, c]
                    new = stroke[8 + c] - target[row, column, c]
                    gain += old * old - new * new
    return gain / max(area, 1.0)


@njit(cache=True)
def _lay(canvas, height, stroke, bristles, paint, box):
    """Put one stroke of paint on the canvas, and its thickness on the height map."""
    for row in range(box[0], box[1]):
        for column in range(box[2], box[3]):
            dx, dy = column - stroke[0], row - stroke[1]
            cover, side, end, bristle = _coverage(dx, dy, stroke, bristles, paint.ragged)
            if cover > 0.0:
                tone = 1.0 + paint.streak * (2.0 * bristle - 1.0)
                for c in range(3):
                    canvas[row, column, c] += cover * (
                        stroke[8 + c] * tone - canvas[row, column, c]
                    )
                tip = max(0.0, min(1.0, 2.5 * end - 1.5))
                relief = paint.furrow * (0.5 - bristle) + paint.rim * min(1.0, side**4)
                thick = paint.load * (1.0 + relief + paint.bead * tip)
                height[row, column] += cover * (thick - 0.6 * height[row, column])


@njit(cache=True)
def _box(stroke, rows, columns):
    """The pixels that a stroke may touch: first row, row after the last, the same for columns."""
    reach = int(stroke[4] + stroke[5]) + 2
    x, y = int(stroke[0]), int(stroke[1])
    return max(0, y - reach), min(rows, y + reach), max(0, x - reach), min(columns, x + reach)


@njit(cache=True)
def _paint(canvas, height, target, strokes, bristles, gain, paint):
    """Try the strokes one after the other; lay those that bring the canvas nearer to the target."""
    for stroke in strokes:
        box = _box(stroke, *height.shape)
        if _gain(canvas, target, stroke, bristles, paint.ragged, box) > gain:
            _lay(canvas, height, stroke, bristles, paint, box)


@njit(cache=True)
def _scribble(canvas, strokes, force, shade, bristles, ragged):
    """Darken the canvas along thin strokes; where they cross it gets a little darker still."""
    for number in range(len(strokes)):
        stroke = strokes[number]
        first, after, left, right = _box(stroke, *canvas.shape)
        for row in range(first, after):
            for column in range(left, right):
                dx, dy = column - stroke[0], row - stroke[1]
                cover, _, end, _ = _coverage(dx, dy, stroke, bristles, ragged)
                mark = cover * force[number] * shade[row, column] * (1.0 - 0.5 * end * end)
                lighter, darker = min(mark, canvas[row, column]), max(mark, canvas[row, column])
                canvas[row, column] = darker + 0.35 * lighter * (1.0 - darker)


def _bend(angle: np.ndarray, y: np.ndarray, x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Curvature of the flow along itself at (y, x), radians per pixel."""
    ends = []
    for sign in (-3, 3):
        row = (y + sign * np.sin(at)).clip(0, SIZE - 1).astype(int)
        column = (x + sign * np.cos(at)).clip(0, SIZE - 1).astype(int)
        ends.append(angle[row, column] - at)
    turns = [(t + np.pi / 2) % np.pi - np.pi / 2 for t in ends]
    return ((turns[1] - turns[0]) / 6).clip(-0.12, 0.12)


def _strokes(tool: Tool, picture, angle, rng, y, x, curved=1.0, skew=0.0) -> np.ndarray:
    """One row for each stroke, in pixels of the doubled canvas: x, y, cos, sin, half length, half
    width, bend, skew, red, green, blue, place in the row of bristles; (count, 12)."""
    count = len(y)
    row, column = y.clip(0, SIZE - 1).astype(int), x.clip(0, SIZE - 1).astype(int)
    at = angle[row, column]
    bend = curved * _bend(angle, y, x, at) / 4
    at = at + rng.normal(0, SWAY, count) + np.pi * rng.integers(0, 2, count)
    length = tool.length * rng.uniform(0.65, 1.3, count)
    width = tool.width * rng.uniform(0.7, 1.25, count)
    tilt, places = rng.uniform(-skew, skew, count), rng.uniform(0, 400, count)
    color = _jittered(picture[row, column], tool.jitter, rng)
    columns = [2 * x, 2 * y, np.cos(at), np.sin(at), length, width, bend, tilt]
    return np.column_stack([*columns, color, places])


def _jittered(color: np.ndarray, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """Colours a little lighter or darker, warmer or cooler, dark ones less so; (count, 3)."""
    shift = rng.normal(0, jitter, (len(color), 1)) + rng.normal(0, 0.45 * jitter, color.shape)
    return (color + shift * (0.15 + color.max(1, keepdims=True))).clip(0, 1)


def _rake(canvas: np.ndarray, height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light the relief of the paint from above, low; the picture in its own size again."""
    slope_y, slope_x = np.gradient(blur(height, 0.7))
    azimuth = rng.uniform(-2.7, -0.9)  # from the left to the right, always from above
    facing = -0.8 * (np.cos(azimuth) * slope_x + np.sin(azimuth) * slope_y)
    lit = halve(np.tanh(facing))[..., None]
    return halve(canvas) * (1 + 0.55 * lit) + 0.1 * lit.clip(0, None) ** 2


def _somewhere(rng, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points spread evenly at random, slightly beyond the borders too: rows, columns."""
    return rng.uniform(-3, SIZE + 3, count), rng.uniform(-3, SIZE + 3, count)


# ---------------------------------------------------------------- the styles


def photo(render, rng: np.random.Generator) -> np.ndarray:
    """A mild film look: white balance, contrast and vignette differ from picture to picture."""
    balance = 1 + rng.uniform(-0.035, 0.035) * np.array([1, 0.1, -1])
    picture = render.picture * balance
    curve = picture.clip(0, 1) ** rng.uniform(0.92, 1.1)
    s_curve = curve * curve * (3 - 2 * curve)
    picture = curve + rng.uniform(0, 0.3) * (s_curve - curve)
    return picture * vignette(rng.uniform(0, 0.22))


def oil(render, rng: np.random.Generator) -> np.ndarray:
    """Curved brush strokes along the contours, coarse to fine, thick paint, a warm varnish."""
    size, jitter = rng.uniform(0.88, 1.2), rng.uniform(0.02, 0.05)
    layers = (
        Tool(350, 22 * size, 8 * size, ALWAYS, jitter, 2.5, True, BROAD_BRUSH),
        Tool(1300, 13 * size, 4.8 * size, 0.0005, jitter, 1.0, True, BRUSH),
        Tool(1600, 8 * size, 2.8 * size, 0.0015, jitter / 2, 0.5, False, THIN_BRUSH),
        Tool(1500, 3.2, 1.9, 0.002, 0, 0, False, POINTED_BRUSH),
        Tool(1300, 2.2, 1.5, 0.002, 0, 0, False, POINTED_BRUSH),
    )
    picture = saturate(render.picture.astype(float), rng.uniform(1.0, 1.25)).clip(0, 1)
    angle = flow(gray(picture), rng, 2.0, 1.0)
    painted = _paint_layers(picture, layers, angle, rng, rng.random(512))
    varnish = 1 - rng.uniform(0.3, 1.0) * np.array([-0.02, 0.02, 0.12])
    return ((painted - 0.5) * 1.1 + 0.52) * varnish


def _paint_layers(picture, layers, angle, rng, bristles, curved=1.0, skew=0.0) -> np.ndarray:
    """Paint with one tool after the other, and light the relief; (128, 128, 3)."""
    target = double(picture)
    canvas, height = double(blur(picture, 4)), np.zeros((2 * SIZE, 2 * SIZE))
    crisp = (picture + 0.9 * (picture - blur(picture, 1.5))).clip(0, 1)
    need = min(1.0, 2.5 * (0.1 + float(picture.mean())) ** 2)  # less contrast in a dark picture
    for tool in layers:
        source = blur(picture, tool.soft) if tool.soft else crisp
        place = _somewhere(rng, tool.count)
        if not tool.spread:
            place = _where_wrong(canvas, picture, rng, tool)
        strokes = _strokes(tool, source, angle, rng, *place, curved, skew)
        _paint(canvas, height, target, strokes, bristles, need * tool.gain, tool.paint)
    return _rake(canvas, height, rng)


def _where_wrong(canvas, picture, rng, tool: Tool) -> tuple[np.ndarray, np.ndarray]:
    """Points, more of them where the picture has detail that the canvas lacks: rows, columns."""
    error = blur(((halve(canvas) - picture) ** 2).sum(-1), tool.width / 4) + 1e-4
    variance = blur((picture**2).sum(-1), 2) - (blur(picture, 2) ** 2).sum(-1)
    error = error * (variance.clip(0, 0.03) + 3e-4)
    pixel = rng.choice(SIZE * SIZE, tool.count, p=(error / error.sum()).ravel())
    return pixel // SIZE + rng.random(tool.count), pixel % SIZE + rng.random(tool.count)


def knife(render, rng: np.random.Generator) -> np.ndarray:
    """Broad, flat, angular patches of strong colour with ridges of paint at their edges."""
    size, jitter = rng.uniform(0.9, 1.15), rng.uniform(0.045, 0.07)
    layers = (
        Tool(260, 20 * size, 12 * size, ALWAYS, jitter, 2.5, True, KNIFE),
        Tool(700, 14 * size, 8.5 * size, -0.01, jitter, 1.0, True, KNIFE),
        Tool(900, 9 * size, 5 * size, 0.01, jitter / 2, 0.5, False, SMALL_KNIFE),
        Tool(1500, 3.6, 2.2, 0.006, 0, 0, False, KNIFE_TIP),
        Tool(1000, 2.4, 1.7, 0.006, 0, 0, False, KNIFE_TIP),
    )
    picture = _pure(render.picture.astype(float), rng.uniform(1.25, 1.5))
    angle = flow(gray(picture), rng, 2.5, 1.0)
    step, turn = np.pi / int(rng.integers(4, 6)), rng.uniform(0, np.pi)
    angle = np.round((angle - turn) / step) * step + turn  # the hand keeps to a few directions
    smears = ndimage.gaussian_filter1d(rng.random(512), 1.2)
    smears = (smears - smears.min()) / np.ptp(smears)
    return _paint_layers(picture, layers, angle, rng, smears, curved=0.0, skew=0.5)


def _pure(picture: np.ndarray, saturation: float) -> np.ndarray:
    """Stronger colour and contrast."""
    strong = saturate(picture, saturation).clip(0, 1)
    return strong + 0.35 * (strong * strong * (3 - 2 * strong) - strong)


def watercolor(render, rng: np.random.Generator) -> np.ndarray:
    """Thin washes of pigment on white paper: dark edges, blooms, grains, sometimes a drawing."""
    grain = 0.6 * smooth_noise(rng, 0.8) + 0.5 * smooth_noise(rng, 1.6)  # relief of the paper
    pigment = _washes(render.picture.astype(float), rng)
    cover = _painted_area(rng)
    pigment = _dry(pigment * cover[..., None], grain, rng)
    paper = np.array([0.985, 0.975, 0.95]) + rng.uniform(-0.012, 0.012, 3)
    picture = paper * (1 + 0.012 * grain[..., None]) * np.exp(-pigment)
    if rng.random() < 0.55:
        picture = picture * (1 - _drawn_under(render, grain, rng) * cover[..., None])
    return picture


def _washes(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Optical density of the pigment: a broad wash, then one with the detail; (128, 128, 3)."""
    light = picture.clip(0.04, 1) ** rng.uniform(0.75, 0.95)
    density = -np.log(saturate(light, 1.15).clip(0.05, 1))
    density = (density - rng.uniform(0.03, 0.1)).clip(0, None)
    detail = ndimage.median_filter(density, (5, 5, 1), mode="nearest")
    broad = _wobble(blur(detail, 2.0), rng, 1.6)
    fine = _wobble(0.4 * detail + 0.6 * density, rng, 0.7)
    washes = 0.25 * _edged(broad, 3.0, 0.5) + 0.75 * _edged(fine, 2.0, 0.6)
    return rng.uniform(0.7, 0.9) * washes


def _wobble(picture: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Move pixels by a smooth random field, `amount` pixels on average: no contour is straight."""
    at = [ROWS + amount * smooth_noise(rng, 5), COLUMNS + amount * smooth_noise(rng, 5)]
    planes = [
        ndimage.map_coordinates(picture[..., c], at, order=1, mode="nearest") for c in range(3)
    ]
    return np.stack(planes, -1)


def _edged(density: np.ndarray, sigma: float, amount: float) -> np.ndarray:
    """Pigment gathers where a wash ends: more of it inside its edges."""
    inside = (density - blur(density, sigma)).clip(0, None)
    return density + amount * 2 * inside


def _dry(pigment: np.ndarray, grain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven washes, blooms, and grains of pigment in the hollows of the paper."""
    uneven = 1 + rng.uniform(0.12, 0.22) * smooth_noise(rng, 9) + 0.07 * smooth_noise(rng, 3)
    for _ in range(int(rng.integers(0, 4))):
        uneven = uneven + _bloom(rng)
    settled = rng.uniform(0.05, 0.12) * grain[..., None] * np.sqrt(pigment)
    return (pigment * uneven.clip(0.3, 2)[..., None] + settled).clip(0, None)


def _bloom(rng: np.random.Generator) -> np.ndarray:
    """A drop of water that pushed the pigment outwards: pale within, a jagged dark rim."""
    row, column = rng.uniform(0, SIZE, 2)
    radius = np.hypot(ROWS - row, COLUMNS - column) + 2.2 * smooth_noise(rng, 3)
    beyond = (radius - rng.uniform(7, 20)) / 2.5
    pale = -0.22 / (1 + np.exp((beyond * 1.5).clip(-30, 30)))
    return rng.uniform(0.6, 1.2) * (pale + 0.3 * np.exp(-((beyond - 1) ** 2)))


def _painted_area(rng: np.random.Generator) -> np.ndarray:
    """Where there is paint, 0 to 1: an irregular margin stays white, or nothing does."""
    if rng.random() < 0.3:
        return np.ones((SIZE, SIZE))
    sides = np.stack([ROWS, SIZE - 1 - ROWS, COLUMNS, SIZE - 1 - COLUMNS])
    inside = (sides - rng.uniform(-4, 13, (4, 1, 1))).min(0)
    ragged = rng.uniform(0.5, 2.0) * smooth_noise(rng, 9) + rng.uniform(0.4, 1.2) * smooth_noise(
        rng, 2.5
    )
    return step_between(inside + ragged, -0.8, 1.0)


def _drawn_under(render, grain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A thin drawing in ink or pencil: how much light it takes away, (128, 128, 3)."""
    line = _line_art(render, rng, weight=rng.uniform(0.7, 1.0), accent=0.6)
    ink = np.array([0.75, 0.8, 0.85]) if rng.random() < 0.5 else np.array([0.5, 0.5, 0.48])
    return (line * (1 - 0.15 * grain)).clip(0, 1)[..., None] * ink * rng.uniform(0.6, 1.0)


# ---------------------------------------------------------------- pencil


def pencil(render, rng: np.random.Generator) -> np.ndarray:
    """Graphite on paper: contours of uneven weight, hatching that follows the shade; no colour."""
    hardness = rng.uniform(0, 1)  # 0: soft and dark
    grain = smooth_noise(rng, 0.9)
    tone = _tone(render.picture)
    tone = tone + rng.uniform(0, 0.5) * (render.depth > SKY)  # the sky is often left white
    lines = _line_art(render, rng, weight=1.35 - 0.4 * hardness, accent=1.0)
    hatching = _hatching(render, tone, rng)
    smudge = rng.uniform(0.05, 0.3) * (1 - blur(tone, 1.5))
    graphite = 1 - (1 - 0.95 * lines) * (1 - (0.72 - 0.2 * hardness) * hatching) * (1 - smudge)
    graphite = graphite * (1 - (0.1 + 0.1 * hardness) * grain)
    paper = rng.uniform(0.93, 0.99)
    return _paper_colour(paper * (1 - (0.9 - 0.15 * hardness) * graphite.clip(0, 1)), rng)


def _paper_colour(level: np.ndarray, rng) -> np.ndarray:
    """Gray on paper that is hardly warm or cool."""
    return level[..., None] * (1 + rng.uniform(-0.008, 0.015) * np.array([1, 0.3, -1]))


def _tone(picture: np.ndarray) -> np.ndarray:
    """How light the drawing is, 0 to 1: dark pictures are brought up to half light."""
    level = gray(picture.astype(float))
    low, high = np.percentile(level, (2, 98))
    level = ((level - low) / max(high - low, 0.15)).clip(0, 1)
    return level ** (np.log(0.62) / np.log(level.mean().clip(0.25, 0.9)))


def _line_art(render, rng, weight: float, accent: float) -> np.ndarray:
    """Contours drawn with short strokes that overlap and overshoot, 0 to 1; (128, 128).

    `weight` is the width of a line in pixels, `accent` the darkness of small dark details.
    """
    picture = render.picture.astype(float)
    outline, inner = contours(render, 0.8), 1.1 * _color_edges(picture)
    edge = np.maximum(outline, inner.clip(0, 1))
    angle = flow(edge, rng, 1.2, 0.0)
    thin = np.where(outline < edge, 0.7, 1).ravel()  # details within a thing
    force = (edge * (0.55 + 0.45 * np.exp(-render.depth / 9))).ravel()
    force = force * rng.uniform(0.6, 1, SIZE * SIZE)
    y, x = (at.ravel() + rng.normal(0.5, 0.25, SIZE * SIZE) for at in (ROWS, COLUMNS))
    strokes = _pencil_strokes(angle, rng, y, x, length=6.5, width=weight)
    strokes[:, 4] *= thin
    strokes[:, 5] *= thin * (0.6 + 0.6 * force)
    drawn = _ridges(edge, angle).ravel() & (rng.random(SIZE * SIZE) < 0.5)
    everywhere = np.ones((2 * SIZE, 2 * SIZE))
    lines = _draw(strokes[drawn], 0.3 + 0.6 * force[drawn], everywhere, rng)
    return np.maximum(lines, accent * _dark_details(gray(picture)))


def _color_edges(picture: np.ndarray) -> np.ndarray:
    """How fast the colours change, (128, 128)."""
    planes = np.moveaxis(picture, -1, 0)
    return sum(ndimage.gaussian_gradient_magnitude(p, 0.8, mode="nearest") for p in planes)


def _ridges(edge: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Whether a pixel is in the middle of an edge, (128, 128)."""
    return (edge > 0.2) & (edge >= _beside(edge, angle, 1)) & (edge > _beside(edge, angle, -1))


def _dark_details(level: np.ndarray) -> np.ndarray:
    """What is darker than all around it: eyes, mouths, gaps; 0 to 0.9; (128, 128)."""
    around = blur(level, 2.0)
    return (2.2 * (around - blur(level, 0.4)) / (0.15 + around) - 0.15).clip(0, 0.9)


def _pencil_strokes(angle, rng, y, x, length: float, width: float) -> np.ndarray:
    tool = Tool(len(y), length, width, ALWAYS, 0, 0, True, GRAPHITE)
    return _strokes(tool, np.zeros((SIZE, SIZE, 3)), angle, rng, y, x)


def _beside(edge: np.ndarray, angle: np.ndarray, sign: int) -> np.ndarray:
    """The value one pixel to the side of the contour."""
    at = [ROWS + sign * np.cos(angle), COLUMNS - sign * np.sin(angle)]
    return ndimage.map_coordinates(edge, at, order=1, mode="nearest")


def _hatching(render, tone: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two or three directions of hatching, each where it is darker; 0 to 1; (128, 128)."""
    normals = blur(render.normals.astype(float), 2)
    first = rng.uniform(0, np.pi)
    turn = rng.choice([-1, 1]) * rng.uniform(0.6, 1.2)
    light = np.ones((SIZE, SIZE))
    for number, (dark, limit) in enumerate(((0.8, 0.45), (0.5, 0.35), (0.3, 0.3))):
        angle = first + number * turn + normals[..., 0] + 0.5 * normals[..., 1]
        angle = angle + 0.1 * smooth_noise(rng, 14)
        shade = double(((dark - tone) / limit).clip(0, 1) ** 0.8)
        light = light * (1 - 0.6 * _hatch(angle, shade, rng))
    return 1 - light


def _hatch(angle: np.ndarray, shade: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows of pencil strokes along `angle`, as dark as `shade`; (128, 128)."""
    period, length = rng.uniform(3.5, 4.2), rng.uniform(13, 24)
    main = np.median(angle)
    across, along = np.mgrid[-100:100:period, -100 : 100 : 0.75 * length]
    across = across + rng.normal(0, 0.1 * period, across.shape) + rng.uniform(0, period)
    along = along + rng.uniform(0, length, (len(along), 1))
    along = along + rng.normal(0, 0.12 * length, along.shape)
    y = 64 + along * np.sin(main) + across * np.cos(main)
    x = 64 + along * np.cos(main) - across * np.sin(main)
    inside = (y > -4) & (y < SIZE + 4) & (x > -4) & (x < SIZE + 4)
    strokes = _pencil_strokes(angle, rng, y[inside], x[inside], length, 1.1)
    return _draw(strokes, rng.uniform(0.6, 1, len(strokes)), shade, rng)


def _draw(strokes: np.ndarray, force: np.ndarray, shade: np.ndarray, rng) -> np.ndarray:
    """Pencil strokes on white, as dark as `force` of each and `shade` there; (128, 128)."""
    canvas = np.zeros_like(shade)
    _scribble(canvas, strokes, force, shade, rng.random(512), GRAPHITE.ragged)
    return halve(canvas)


# ---------------------------------------------------------------- pixel art


def pixel_art(render, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 4 × 4 pixels in a palette of 10 to 20 colours, dark outlines, skies in dots."""
    corner = rng.integers(0, BLOCK, 2)  # where the first block is cut
    colors = _block_colors(render, corner, rng)
    sky = _blocks(render.depth, corner)[..., 0, :].mean(-1) > SKY
    palette = _palette(colors, int(rng.integers(12, 17)), rng)
    indices = _nearest(colors, palette, sky & (rng.random() < 0.45))
    drawn = _outlined(palette[indices], render, corner, rng)
    large = drawn.repeat(BLOCK, 0).repeat(BLOCK, 1)
    return large[corner[0] : corner[0] + SIZE, corner[1] : corner[1] + SIZE]


def _blocks(values: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Cut (128, 128, C) into blocks: (33, 33, C, 16), the borders repeated."""
    channels = values.reshape(SIZE, SIZE, -1)
    before, after = corner, SIZE + BLOCK - SIZE - corner
    padding = [(before[0], after[0]), (before[1], after[1]), (0, 0)]
    padded = np.pad(channels, padding, mode="edge")
    count = padded.shape[0] // BLOCK
    cut = padded.reshape(count, BLOCK, count, BLOCK, -1)
    return cut.transpose(0, 2, 4, 1, 3).reshape(count, count, -1, BLOCK * BLOCK)


def _block_colors(render, corner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One colour for each block, (33, 33, 3): the one that stands out, in small bright things."""
    picture = saturate(render.picture.astype(float), rng.uniform(1.1, 1.4))
    picture = (picture - 0.5) * rng.uniform(1.05, 1.2) + 0.5
    stands_out = 0.02 + ((picture - blur(picture, 3)) ** 2).sum(-1, keepdims=True)
    weighed = _blocks(np.concatenate([picture * stands_out, stands_out], -1), corner).sum(-1)
    details = np.sort(_blocks(_dark_details(gray(picture)), corner)[..., 0, :], -1)[..., -5:]
    dark = (1.6 * details.mean(-1, keepdims=True) - 0.5).clip(0, 0.85)  # eyes stay dark
    return (weighed[..., :3] / weighed[..., 3:] * (1 - dark)).clip(0, 1)


def _palette(colors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Colours of the blocks that are far apart, moved to the mean of what they stand for."""
    points = colors.reshape(-1, 3)
    chosen = [points[rng.integers(len(points))]]
    distance = np.full(len(points), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, ((points - chosen[-1]) ** 2).sum(-1))
        chosen.append(points[distance.argmax()])
    palette = np.array(chosen)
    for _ in range(4):
        nearest = ((points[:, None] - palette) ** 2).sum(-1).argmin(1)
        share = (nearest[:, None] == np.arange(count)).astype(float)
        palette = (share.T @ points + 0.01 * palette) / (share.sum(0)[:, None] + 0.01)
    return palette


def _nearest(colors: np.ndarray, palette: np.ndarray, dots: np.ndarray) -> np.ndarray:
    """The index of the nearest colour, (33, 33); between two like colours, in dots where asked."""
    distance = np.sqrt(((colors[:, :, None] - palette) ** 2).sum(-1))
    order = np.argsort(distance, axis=-1, kind="stable")[..., :2]
    first, second = np.take_along_axis(distance, order, -1).transpose(2, 0, 1)
    alike = np.abs(palette[order[..., 0]] - palette[order[..., 1]]).sum(-1) < 0.3
    low, high = order.min(-1), order.max(-1)
    share = first / (first + second + 1e-9)  # of the way to the second nearest
    share = np.where(order[..., 0] == low, share, 1 - share)
    dotted = np.where(share > _bayer(len(colors)), high, low)
    return np.where(dots & alike, dotted, order[..., 0])


def _bayer(count: int) -> np.ndarray:
    """Thresholds of ordered dithering between 0 and 1, (count, count)."""
    two = np.array([[0, 2], [3, 1]])
    four = np.block([[4 * two, 4 * two + 2], [4 * two + 3, 4 * two + 1]])
    return np.tile((four + 0.5) / 16, (count // 4 + 1, count // 4 + 1))[:count, :count]


def _outlined(drawn: np.ndarray, render, corner: np.ndarray, rng) -> np.ndarray:
    """Darken the blocks just outside things that are clearly in front of them; (33, 33, 3)."""
    depth = np.median(_blocks(render.depth, corner)[..., 0, :], -1)
    label = np.median(_blocks(render.labels, corner)[..., 0, :], -1).astype(int)
    solid = np.array([name not in (*KINDS, "sky") for name in render.names])[label]
    outline, dark = np.zeros(depth.shape, bool), np.zeros(drawn.shape)
    shade = (rng.uniform(0.15, 0.35) + 0.015 * depth[..., None]).clip(0, 0.6)
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near, other, thing, color = (
            _shifted(a, step) for a in (depth, label, solid, drawn * shade)
        )
        in_front = thing & (depth > 1.06 * near) & (label != other)
        outline |= in_front
        dark[in_front] = color[in_front]
    if outline.any():
        inks = _palette(dark[outline], int(rng.integers(1, 5)), rng)
        drawn[outline] = inks[((dark[outline][:, None] - inks) ** 2).sum(-1).argmin(1)]
    return drawn


def _shifted(blocks: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Move everything by whole blocks, the borders repeated."""
    steps = step + (0,) * (blocks.ndim - 2)
    return ndimage.shift(blocks, steps, order=0, mode="nearest")


STYLES: dict[str, Callable] = {
    "photo": photo,
    "oil painting": oil,
    "palette knife painting": knife,
    "watercolor": watercolor,
    "pencil sketch": pencil,
    "pixel art": pixel_art,
}
