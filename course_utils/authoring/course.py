"""Run the whole course: every notebook, with its pages left in build/course.

    python -m course_utils.authoring.course

The notebooks themselves stay as they are; what runs is a copy.
"""

import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from course_utils.authoring.execute import JOBS, code_cells, execute
from course_utils.authoring.source import NOTEBOOKS, ROOT, BuildError

PAGES = ROOT / "build" / "course"
OK = "ok"


@dataclass(frozen=True)
class Result:
    """What came of running one notebook.

    Attributes:
        name: for instance "00_tour".
        cells: how many code cells it has.
        seconds: how long it ran.
        outcome: "ok", or the last line of the error.
        page: the rendered notebook.
    """

    name: str
    cells: int
    seconds: float
    outcome: str
    page: Path


def run_course(
    notebooks: list[Path], pages: Path, progress: Progress, jobs: int = JOBS
) -> list[Result]:
    """Run notebooks, some at a time, and render each.

    Args:
        notebooks: the files, which are only read.
        pages: where the HTML files go.
        progress: shows a bar for each notebook.
        jobs: how many run at a time, at least 1; each in a kernel of its own.
    Returns:
        a result for each, in the order given, also for those that failed.
    """
    pages.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda path: run_notebook(path, pages, progress), notebooks))


def run_notebook(path: Path, pages: Path, progress: Progress) -> Result:
    """Run a copy of one notebook and render it, whether or not it failed."""
    notebook = nbformat.read(path, as_version=4)
    bar = progress.add_task(path.stem, total=len(notebook.cells))
    start, outcome = time.monotonic(), OK
    try:
        execute(notebook, path.parent, lambda cell_index, **_: _advance(progress, bar, cell_index))
        progress.update(bar, completed=len(notebook.cells))
    except BuildError as error:
        outcome = str(error).strip().splitlines()[-1]
    seconds = time.monotonic() - start
    page = pages / f"{path.stem}.html"
    page.write_text(render(notebook, path), encoding="utf-8")
    return Result(path.stem, len(code_cells(notebook)), seconds, outcome, page)


def render(notebook: NotebookNode, path: Path) -> str:
    """A notebook as one HTML page that holds its pictures."""
    exporter = HTMLExporter(embed_images=True)
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    return exporter.from_notebook_node(notebook, resources)[0]


def results_table(results: list[Result]) -> Table:
    """The results as a table: notebook, cells, seconds, result."""
    table = Table("notebook", title="The course on the bundled model", title_justify="left")
    table.add_column("cells", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("result", overflow="fold")
    for result in results:
        style = "green" if result.outcome == OK else "red"
        row = (result.name, str(result.cells), f"{result.seconds:.1f}", result.outcome)
        table.add_row(*row, style=style)
    return table


def closing_words(results: list[Result], pages: Path) -> str:
    """What to do next."""
    shown = shlex.quote(str(pages.relative_to(ROOT) if pages.is_relative_to(ROOT) else pages))
    failed = [result.name for result in results if result.outcome != OK]
    if failed:
        return f"Failed: {', '.join(failed)}. The pages in {shown} show where."
    return f"The pages, with all pictures, are in {shown}.\nOpen the notebooks with:  make lab"


def _advance(progress: Progress, bar: int, cell_index: int) -> None:
    progress.update(bar, completed=cell_index + 1)


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, TimeElapsedColumn(), console=console)


def main(folder: Path = NOTEBOOKS, pages: Path = PAGES) -> None:
    """Run the course; the exit status is 1 if a notebook failed, 2 if there is none."""
    console = Console()
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        console.print("No notebooks here. Build them first:  make notebooks")
        sys.exit(2)
    with _progress(console) as progress:
        results = run_course(notebooks, pages, progress)
    console.print(results_table(results))
    console.print(closing_words(results, pages), highlight=False, soft_wrap=True)
    sys.exit(any(result.outcome != OK for result in results))


if __name__ == "__main__":
    main()
