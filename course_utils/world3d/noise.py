"""Smooth random fields over space: the irregularities of grass, sand, wood, leaves and clouds."""

import numpy as np
from numba import njit


def noise(
    points: np.ndarray, seed: int, octaves: int = 3, footprint: np.ndarray | float = 0.0
) -> np.ndarray:
    """Sum of value noise of wavelengths 1, 1/2, 1/4 ..., each half as strong as the one before.

    Args:
        points: where, in wavelengths of the coarsest octave, (N, 3).
        seed: which field.
        octaves: how many wavelengths.
        footprint: size of a pixel at each point, in the same unit, (N,) or one for all; waves
            too short for it are left out, so that they do not turn into grain.
    Returns:
        (N,), mean about 0, in -1 to 1.
    """
    points = np.ascontiguousarray(points, float)
    footprint = np.ascontiguousarray(np.broadcast_to(footprint, len(points)), float)
    out = np.zeros(len(points))
    _sum_octaves(points, seed, octaves, footprint, out)
    return out


@njit(cache=True, error_model="numpy")
def _sum_octaves(points, seed, octaves, footprint, out):
    for i in range(len(points)):
        total, weight, size = 0.0, 1.0, 1.0
        for octave in range(octaves):
            fade = min(max(2.0 - 2.5 * footprint[i] * size, 0.0), 1.0)
            if fade == 0.0:
                break
            x, y, z = points[i, 0] * size, points[i, 1] * size, points[i, 2] * size
            total += weight * fade * (2 * _value_noise(x, y, z, seed + 31 * octave) - 1)
            weight *= 0.5
            size *= 2.0
        out[i] = total / 1.75


@njit(cache=True, error_model="numpy")
def _value_noise(x, y, z, seed):
    """Random numbers on the corners of a unit lattice, blended smoothly in between; 0 to 1."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _corner(i + a, j + b, k + c, seed)
    return total


@njit(cache=True, error_model="numpy")
def _corner(i, j, k, seed):
    """A number in 0 to 1 that looks random, from integers (a multiplicative hash)."""
    h = (i * 374761393 + j * 668265263 + k * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777215.0
