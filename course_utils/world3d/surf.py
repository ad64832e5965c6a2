"""The shape of a breaking wave.

In profile a wave goes from a swell, over a steep face, to a barrel whose lip falls over. Distances
from these profiles are computed once and kept in a table, which is read between its entries, so
that the sphere tracer gets them for little.
"""

import numpy as np
from numba import njit
from scipy.interpolate import CubicSpline

# The front of the wave in profile, from its back over the crest, along the lip and down the face to
# the foot: (z, y), y up, running towards negative z; height 1. One row for each stage of breaking.
PROFILES = np.array(
    [
        [(2.8, -0.06), (1.7, 0.14), (1.0, 0.44), (0.45, 0.79), (0.08, 0.96), (-0.08, 0.98),
         (-0.18, 0.96), (-0.27, 0.9), (-0.36, 0.8), (-0.44, 0.68), (-0.53, 0.53), (-0.66, 0.35),
         (-0.88, 0.17), (-1.3, 0.03), (-2.1, -0.06)],
        [(2.8, -0.06), (1.7, 0.17), (0.95, 0.52), (0.4, 0.86), (0.0, 1.01), (-0.18, 1.04),
         (-0.31, 1.03), (-0.36, 0.98), (-0.35, 0.9), (-0.35, 0.76), (-0.37, 0.57), (-0.45, 0.36),
         (-0.66, 0.16), (-1.15, 0.02), (-2.1, -0.06)],
        [(2.8, -0.06), (1.7, 0.2), (0.9, 0.58), (0.35, 0.91), (-0.1, 1.07), (-0.42, 1.09),
         (-0.7, 1.0), (-0.86, 0.85), (-0.68, 0.88), (-0.42, 0.84), (-0.24, 0.63), (-0.26, 0.37),
         (-0.5, 0.13), (-1.1, 0.01), (-2.1, -0.06)],
        [(2.8, -0.06), (1.7, 0.24), (0.9, 0.64), (0.35, 0.95), (-0.14, 1.1), (-0.58, 1.08),
         (-0.98, 0.86), (-1.19, 0.46), (-1.0, 0.66), (-0.64, 0.84), (-0.25, 0.72), (-0.14, 0.42),
         (-0.36, 0.13), (-1.0, 0.0), (-2.1, -0.06)],
    ]
)  # fmt: skip
LIP = 7  # which of the points is the tip of the lip


def distance_table(z: np.ndarray, y: np.ndarray, curls: int) -> np.ndarray:
    """Signed distances of the points of a grid from a wave of height 1, in its profile.

    Args:
        z, y: where the columns (C,) and the rows (R,) of the grid lie.
        curls: the number of stages K from a swell to a barrel.
    Returns:
        (R, C, K) float32, negative in the water.
    """
    table = np.empty((len(y), len(z), curls), np.float32)
    for k, curl in enumerate(np.linspace(0, 1, curls)):
        outline = np.concatenate([profile(curl), [(-2.1, -0.6), (2.8, -0.6)]])
        _fill_distances(outline, z, y, table[:, :, k])
    return table


def profile(curl: float, points: int = 90) -> np.ndarray:
    """A smooth outline between the rows of PROFILES: (points, 2); curl from 0, a swell, to 1."""
    rough = control_points(curl)
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(rough, axis=0), axis=1) ** 0.5)])
    return CubicSpline(way, rough)(np.linspace(0, way[-1], points))


def control_points(curl: float) -> np.ndarray:
    """The row of PROFILES at this curl, (15, 2)."""
    place = curl * (len(PROFILES) - 1)
    first = min(int(place), len(PROFILES) - 2)
    return PROFILES[first] + (place - first) * (PROFILES[first + 1] - PROFILES[first])


def lip(curl: float) -> np.ndarray:
    """The tip of the lip at this curl, (z, y), for a wave of height 1."""
    return control_points(curl)[LIP]


@njit(cache=True, error_model="numpy")
def _fill_distances(outline, z, y, out):
    """Distance of each point of the grid from the closed outline, negative inside."""
    n = len(outline)
    for r in range(len(y)):
        for c in range(len(z)):
            best, inside = 1e9, False
            for i in range(n):
                a, b = outline[i], outline[i - 1]
                ez, ey, wz, wy = b[0] - a[0], b[1] - a[1], z[c] - a[0], y[r] - a[1]
                t = min(max((wz * ez + wy * ey) / (ez * ez + ey * ey), 0.0), 1.0)
                best = min(best, (wz - t * ez) ** 2 + (wy - t * ey) ** 2)
                if (a[1] > y[r]) != (b[1] > y[r]) and z[c] < a[0] + (y[r] - a[1]) / ey * ez:
                    inside = not inside
            out[r, c] = (-1.0 if inside else 1.0) * np.sqrt(best)
