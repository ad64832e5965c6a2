"""From process start to the picture on disk: our command against the shortest diffusers script.

    make bench

Both draw the same prompt with the bundled weights, offline, in turn; medians of five pairs. Then
the time of one warm picture and the size of the weights.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from timing import in_turn, ratio

ROOT = Path(__file__).parents[1]
POCKET = ROOT / "course_utils" / "pocket"
PROMPT = "a wave breaking"
SETTINGS = {"scheduler": "pndm", "steps": 30, "guidance": 8.0}  # those of PLAIN
PLAIN = """
import sys
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained(sys.argv[1])
pipe(sys.argv[2], num_inference_steps=30, guidance_scale=8).images[0].save(sys.argv[3])
"""


def run(command: list) -> None:
    """A process that must end well."""
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=offline, check=True, stderr=subprocess.DEVNULL
    )


def start_to_picture(model: Path) -> dict[str, list[float]]:
    """Seconds of our command and of plain diffusers, in pairs."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "out.png"
        options = [part for name, value in SETTINGS.items() for part in (f"--{name}", str(value))]
        ours = ["-m", "course_utils", "draw", PROMPT, "--model", model, "-o", picture, *options]
        plain = ["-c", PLAIN, model, PROMPT, picture]
        return in_turn({"ours": lambda: run(ours), "plain": lambda: run(plain)})


def warm_picture(model: str) -> float:
    """Median time of a picture, 30 steps, guidance 8, once the model is loaded."""
    from course_utils import draw, load

    pipe = load(model)
    return median(in_turn({"draw": lambda: draw(pipe, PROMPT, **SETTINGS)})["draw"])


def main(model: str = "pocket") -> None:
    """Print the figures of must-show 4."""
    folder = POCKET if model == "pocket" else Path(model)
    times = start_to_picture(folder)
    ours, plain = (median(times[name]) for name in ("ours", "plain"))
    print(f"process start to picture: ours {ours:.2f} s, plain diffusers {plain:.2f} s")
    print(f"ratio: {ratio(times['ours'], times['plain']):.2f} (at most 1.0)")
    print(f"one picture, warm: {warm_picture(model):.2f} s (at most 2.5)")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"bundled files: {size / 2**20:.1f} MiB (at most 96)")


if __name__ == "__main__":
    main(*sys.argv[1:])
