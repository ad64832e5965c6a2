"""How long each notebook of the learner's runs, and all of them together.

make bench
"""

import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from course_utils.authoring.course import results_table, run_course
from course_utils.authoring.source import NOTEBOOKS

LIMITS = {"00 to 05": 180, "06 to 08": 90}  # seconds for these notebooks together


def main() -> None:
    """Run a copy of each notebook once and print the times."""
    with tempfile.TemporaryDirectory() as pages:
        results = run_course(sorted(NOTEBOOKS.glob("*.ipynb")), Path(pages), Progress(disable=True))
    console = Console()
    console.print(results_table(results))
    for span, limit in LIMITS.items():
        first, last = span.split(" to ")
        total = sum(result.seconds for result in results if first <= result.name[:2] <= last)
        console.print(f"{span}: {total:.0f} s (at most {limit})", highlight=False)
    total = sum(result.seconds for result in results)
    console.print(f"all notebooks: {total:.0f} s", highlight=False)


if __name__ == "__main__":
    main()
