"""The light of an hour and of the weather: sun or moon, sky, clouds, stars, fog."""

from dataclasses import dataclass

import numpy as np

from course_utils.world3d.noise import noise
from course_utils.world3d.trace import linear

# Colours by the height of the sun, from deep night (0) to noon (1); sRGB, 0 to 255. Between the
# rows they are mixed, so that the hour is a continuum.
HOURS = np.array([0.0, 0.14, 0.24, 0.33, 0.42, 0.55, 0.75, 1.0])
ZENITH = [(6, 10, 34), (12, 18, 52), (34, 42, 96), (74, 74, 140), (96, 120, 186),
          (70, 132, 214), (36, 108, 222), (24, 90, 212)]  # fmt: skip
HORIZON = [(22, 34, 76), (38, 46, 96), (110, 84, 128), (244, 128, 86), (255, 190, 122),
           (214, 222, 232), (178, 214, 248), (160, 206, 250)]  # fmt: skip
SUNLIGHT = [(92, 112, 168), (92, 112, 168), (110, 104, 140), (255, 138, 76), (255, 184, 112),
            (255, 226, 184), (255, 243, 222), (255, 248, 236)]  # fmt: skip
STRENGTH = [1.35, 1.25, 1.0, 1.4, 1.75, 2.0, 2.1, 2.15]  # of the sun, or the moon
AMBIENT = [1.0, 1.0, 1.15, 1.0, 0.9, 0.9, 0.95, 1.0]  # of the sky
HEIGHT = [0.8, 0.75, 0.5, 0.22, 0.30, 0.5, 0.85, 1.25]  # of sun or moon, radians
WEATHERS = ("clear", "cloudy", "foggy")


@dataclass(frozen=True)
class Light:
    """Everything that shines on a picture. Colours are linear light, (3,).

    Attributes:
        sun: direction towards the sun, or the moon, that casts shadows, (3,), length 1.
        sunlight: its light.
        zenith, horizon: the sky above and where it meets the ground.
        ambient: how strongly the sky lights things, 0 to 1.
        disc: direction of the disc that is seen, and its colour; it may stand elsewhere than `sun`,
            since a low sun behind the things would leave their faces dark.
        disc_color, disc_size: its light, and half its angle in radians; size 0 hides it.
        halo: strength of the glow around the disc.
        cover, cloud: share of the sky in clouds, 0 to 1, and their light.
        stars: brightness of the stars, 0 to 1.
        fog: metres in which the fog hides two thirds of a thing.
    """

    sun: np.ndarray
    sunlight: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ambient: float
    disc: np.ndarray
    disc_color: np.ndarray
    disc_size: float
    halo: float
    cover: float
    cloud: np.ndarray
    stars: float
    fog: float


def make_light(hour: float, weather: str, rng: np.random.Generator) -> Light:
    """The light of one moment.

    Args:
        hour: height of the sun: 0 deep night, 0.24 dusk, 0.36 sunset, 1 noon.
        weather: one of WEATHERS.
        rng: varies direction, colours and clouds.
    """
    side = rng.uniform(-1.1, 1.1)
    height = _at(hour, HEIGHT) * rng.uniform(0.8, 1.15)
    zenith, horizon = _color(hour, ZENITH, rng), _color(hour, HORIZON, rng)
    zenith = zenith * (1 + 0.45 * np.clip((hour - 0.4) / 0.2, 0, 1))
    sunlight = _color(hour, SUNLIGHT, rng) * _at(hour, STRENGTH) * rng.uniform(0.9, 1.1)
    cover = {"clear": rng.uniform(0.0, 0.4), "cloudy": rng.uniform(0.7, 1.0), "foggy": 0.0}[weather]
    gray = {"clear": 0.0, "cloudy": rng.uniform(0.45, 0.75), "foggy": rng.uniform(0.6, 0.85)}[
        weather
    ]
    zenith, horizon = _toward_gray(zenith, gray, 1.15), _toward_gray(horizon, 0.8 * gray, 0.85)
    night = float(np.clip((0.24 - hour) / 0.08, 0, 1))
    low = float(np.clip(1 - abs(hour - 0.34) / 0.12, 0, 1))
    return Light(
        sun=_direction(side, height, -0.75),
        sunlight=sunlight * (1 - 0.75 * gray),
        zenith=zenith,
        horizon=horizon,
        ambient=_at(hour, AMBIENT) * (1 + 0.35 * gray),
        disc=_disc(hour, night, rng),
        disc_color=np.array([0.95, 0.92, 0.80]) if night else np.array([3.0, 1.9, 0.9]) + 2 * hour,
        disc_size=0.0 if gray or 0.16 < hour < 0.28 else rng.uniform(0.034, 0.05),
        halo=(0.25 * night + 0.9 * low) * (1 - gray),
        cover=cover,
        cloud=_cloud_light(horizon, sunlight, hour),
        stars=night * max(0.0, 1 - 2.2 * gray) * rng.uniform(0.5, 1.0),
        fog=rng.uniform(5, 9) if weather == "foggy" else rng.uniform(45, 90),
    )


def look_at_sky(directions: np.ndarray, light: Light, seed: int, pixel: float = 0.0) -> np.ndarray:
    """The light that comes from the sky.

    Args:
        directions: (R, 3), length 1.
        light: of the hour.
        seed: which clouds and stars.
        pixel: angle between neighbouring rays in radians; finer detail is left out.
    Returns:
        linear light, (R, 3).
    """
    up = np.clip(directions[:, 1:2], 0, 1)
    sky = light.horizon + (light.zenith - light.horizon) * np.clip(up * 1.9, 0, 1) ** 0.62
    toward = np.clip(directions @ light.disc, -1, 1)
    if light.halo:
        glow = np.exp(-(1 - toward) * 14) * 0.5 + np.exp(-(1 - toward) * 90) * 0.5
        sky = (
            sky + light.halo * glow[:, None] * np.minimum(light.disc_color, 1) * light.horizon * 1.6
        )
    if light.stars:
        sky = sky + light.stars * _stars(directions, seed)[:, None]
    if light.disc_size:
        edge = (np.arccos(toward) - light.disc_size) / 0.008
        sky = sky + (light.disc_color - sky) * np.clip(0.5 - edge, 0, 1)[:, None]
    return _with_clouds(sky, directions, light, seed, pixel)


def _with_clouds(sky, directions, light: Light, seed: int, pixel: float) -> np.ndarray:
    above = directions[:, 1] > 0.01
    if light.cover <= 0.02 or not above.any():
        return sky
    d = directions[above]
    at = d / (d[:, 1:2] + 0.14)
    points = np.stack([0.85 * at[:, 0], np.full(len(d), 0.37), 1.3 * at[:, 2]], 1)
    wide = pixel / (d[:, 1] + 0.14) ** 2
    thick = noise(points, seed, 5, wide)
    toward = noise(points + 0.22 * light.sun * (1, 0, 1), seed, 3, wide)
    bound = 0.46 - 0.8 * light.cover
    cover = np.clip((thick - bound) / 0.42, 0, 1) * np.clip(d[:, 1] / 0.09, 0, 1)
    bright = np.clip(0.82 + 0.9 * (thick - toward), 0.5, 1.15)[:, None]
    sky[above] += (light.cloud * bright - sky[above]) * (0.92 * cover * (2 - cover))[:, None]
    return sky


def _stars(directions: np.ndarray, seed: int) -> np.ndarray:
    """A few soft points of light: the peaks of a fine random field."""
    peaks = noise(directions * 80, seed + 7, 1)
    return np.clip((peaks * 1.75 - 0.86) / 0.1, 0, 1) * np.clip(directions[:, 1] * 6, 0, 1)


def _at(hour: float, values) -> float:
    return float(np.interp(hour, HOURS, values))


def _color(hour: float, rows, rng: np.random.Generator) -> np.ndarray:
    """The colour of an hour, varied a little, as linear light."""
    color = np.array([_at(hour, [row[c] for row in rows]) for c in range(3)])
    return linear(np.clip(color * rng.uniform(0.92, 1.08) + rng.uniform(-6, 6, 3), 3, 255) / 255)


def _toward_gray(color: np.ndarray, share: float, bright: float) -> np.ndarray:
    gray = bright * color @ np.array([0.25, 0.6, 0.15])
    return (1 - share) * color + share * gray * np.array([0.97, 1.0, 1.04])


def _cloud_light(horizon, sunlight, hour: float) -> np.ndarray:
    lit = 0.30 * sunlight + 0.62 * horizon
    return lit * (1.05 if hour > 0.4 else 0.9)


def _direction(azimuth: float, height: float, front: float) -> np.ndarray:
    """A unit vector `height` radians above the horizon; front -1 is behind the viewer."""
    flat = np.array([np.sin(azimuth), 0, front * np.cos(azimuth)])
    flat /= np.linalg.norm(flat)
    return np.cos(height) * flat + np.array([0, np.sin(height), 0])


def _disc(hour: float, night: float, rng: np.random.Generator) -> np.ndarray:
    """Where the sun or the moon stands in the picture; a high sun stands above its upper edge."""
    if night:
        return _direction(rng.uniform(-0.26, 0.26), rng.uniform(0.14, 0.3), 1)
    return _direction(rng.uniform(-0.28, 0.28), 0.02 + 1.5 * max(hour - 0.28, 0.0), 1)
