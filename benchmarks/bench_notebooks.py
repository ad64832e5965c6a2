"""How long each notebook of the learner's runs, and groups of them, two at a time on two cores.

make bench
"""

import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from course_utils.authoring.course import Result, results_table, run_course
from course_utils.authoring.execute import JOBS
from course_utils.authoring.source import NOTEBOOKS

LIMITS = {"00 to 05": 180, "06 to 08": 90}  # seconds for these notebooks together
REST = "09 and on"


def group(name: str) -> str:
    """The group a notebook belongs to."""
    inside = [span for span in LIMITS if span[:2] <= name[:2] <= span[-2:]]
    return inside[0] if inside else REST


def timed(notebooks: list[Path]) -> tuple[list[Result], float]:
    """Run copies of some notebooks; their results, and the seconds until the last one ended."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as pages:
        results = run_course(notebooks, Path(pages), Progress(disable=True))
    return results, time.monotonic() - start


def main() -> None:
    """Run a copy of each notebook once and print the times."""
    console, notebooks = Console(), sorted(NOTEBOOKS.glob("*.ipynb"))
    results, seconds = [], {}
    for span in (*LIMITS, REST):
        chosen = [path for path in notebooks if group(path.name) == span]
        ran, seconds[span] = timed(chosen)
        results += ran
    console.print(results_table(results))
    console.print(f"Notebooks running at a time: {JOBS}", highlight=False)
    for span, wall in seconds.items():
        limit = f" (at most {LIMITS[span]})" if span in LIMITS else ""
        console.print(f"{span}: {wall:.0f} s{limit}", highlight=False)
    console.print(f"all notebooks: {sum(seconds.values()):.0f} s", highlight=False)


if __name__ == "__main__":
    main()
