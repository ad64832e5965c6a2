"""How long a picture of the world in three dimensions takes, style by style, on one core.

python benchmarks/bench_world.py [pictures per style]
"""

import sys
import time
from dataclasses import replace

import numpy as np

from course_utils.world3d import random_scene, render
from course_utils.world3d.vocabulary import STYLES


def seconds(style: str, count: int) -> list[float]:
    """Processor time of `count` random scenes in a style, in seconds."""
    found = []
    for seed in range(10 * count):
        scene = random_scene(np.random.default_rng(seed))
        if scene.style == style and len(found) < count:
            start = time.process_time()
            render(replace(scene, quality="plain"), seed)
            found.append(time.process_time() - start)
    return found


def main() -> None:
    """Print a Markdown table: median, nine tenths, and largest time of each style."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for style in STYLES:  # the first picture of a process also loads what numba has compiled
        render(random_scene(np.random.default_rng(0)), 0)
        seconds(style, 1)
    print("| style | median s | 90 % | largest |\n|---|---|---|---|")
    medians = []
    for style in STYLES:
        times = seconds(style, count)
        medians.append(np.median(times))
        print(f"| {style} | {medians[-1]:.3f} | {np.quantile(times, 0.9):.3f} | {max(times):.3f} |")
    print(f"\nMedian over styles: {np.median(medians):.3f} s")


if __name__ == "__main__":
    main()
