"""Build the notebooks from their sources.

    python -m course_utils.authoring.build [names...] [--check]

Each source becomes a student and a solution notebook; both are executed. With --check nothing is
executed or written: the cells are made again and compared with the notebooks that are there.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_utils.authoring.execute import (
    JOBS,
    clean,
    code_cells,
    compress,
    execute,
    problems,
    size,
)
from course_utils.authoring.source import (
    FORMS,
    KEPT,
    NOTEBOOKS,
    BuildError,
    Place,
    build_cells,
    places,
)

NEEDS = ("needs-download", "needs-gpu")  # tags of cells that not every machine can run


def build(place: Place, form: str) -> NotebookNode:
    """Make one form of a notebook, run it and write it.

    Args:
        place: which notebook.
        form: "student" or "solution".
    Returns:
        the notebook as it was written.
    Raises:
        BuildError: a cell failed, wrote to stderr or did not run, the file is too large, or
            COURSE_MODEL asks for another model.
    """
    if os.environ.get("COURSE_MODEL"):
        raise BuildError("COURSE_MODEL is set: notebooks are built on the bundled model. Unset it.")
    notebook = build_cells(place, form)
    path = place.built(form)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        execute(notebook, path.parent)
        clean(notebook)
        compress(notebook)
    except BuildError as error:
        raise BuildError(f"{place.name}, {form} form: {error}") from error
    if found := problems(notebook):
        raise BuildError(f"{place.name}, {form} form: {'; '.join(found)}.")
    nbformat.write(notebook, path)
    return notebook


def differences(place: Place, form: str) -> list[str]:
    """How the notebook that is there differs from what its source gives, in its cells alone.

    Args:
        place: which notebook.
        form: "student" or "solution".
    Returns:
        one sentence for each difference; none where the notebook is up to date.
    """
    path = place.built(form)
    if not path.is_file():
        return [f"{path.name} ({form} form) is missing"]
    given = nbformat.read(path, as_version=4)
    wanted = build_cells(place, form)
    found = [
        f"{path.name} ({form} form), cell {number} differs from its source"
        for number, (a, b) in enumerate(zip(given.cells, wanted.cells, strict=False), start=1)
        if _essence(a) != _essence(b)
    ]
    if len(given.cells) != len(wanted.cells):
        count = f"{len(given.cells)} cells, its source gives {len(wanted.cells)}"
        found.append(f"{path.name} ({form} form) has {count}")
    return found


def strays(folder: Path = NOTEBOOKS) -> list[str]:
    """Notebooks without a source, as paths inside the folder."""
    expected = {place.built(form) for place in places(folder=folder) for form in FORMS}
    there = {*folder.glob("*.ipynb"), *(folder / "solutions").glob("*.ipynb")}
    return sorted(str(path.relative_to(folder)) for path in there - expected)


def needs(place: Place) -> dict[str, list[str]]:
    """The cells of a notebook that need more than the bundled model.

    Args:
        place: which notebook.
    Returns:
        for each tag of NEEDS, the cells that carry it, as "00_tour, cell 12: first line".
    """
    found = {tag: [] for tag in NEEDS}
    for number, cell in enumerate(build_cells(place, "student").cells, start=1):
        first_line = cell.source.partition("\n")[0]
        for tag in set(NEEDS) & set(cell.metadata.get("tags", [])):
            found[tag].append(f"{place.name}, cell {number}: {first_line}")
    return found


def check_all(chosen: list[Place]) -> None:
    """Compare notebooks with their sources.

    Raises:
        BuildError: names every difference.
    """
    found = [line for place in chosen for form in FORMS for line in differences(place, form)]
    if found:
        raise BuildError("; ".join(found) + ". Run `make notebooks`.")
    print(f"Notebooks compared with their sources: {len(chosen)}. No difference.")


def build_all(chosen: list[Place], jobs: int = JOBS) -> None:
    """Build both forms of notebooks, some notebooks at a time, and say what came of it."""
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(build_both, chosen))


def build_both(place: Place) -> None:
    """Build both forms of one notebook and say what came of it."""
    for form in FORMS:
        start = time.monotonic()
        notebook = build(place, form)
        print(
            f"{place.name}, {form} form: {len(code_cells(notebook))} code cells, "
            f"{time.monotonic() - start:.0f} s, {size(notebook) / 1024:.0f} KiB",
            flush=True,
        )


def _essence(cell: NotebookNode) -> tuple:
    """What of a cell comes from its source."""
    kept = [cell.metadata.get(name) for name in KEPT]
    return cell.get("id"), cell.cell_type, cell.source, kept


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="course_utils.authoring.build", description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks, for instance 00_tour; all if left out")
    parser.add_argument("--check", action="store_true", help="compare, execute nothing")
    options = parser.parse_args(arguments)
    try:
        chosen = places(options.names)
        check_all(chosen) if options.check else build_all(chosen)
    except BuildError as error:
        sys.exit(f"build: {error}")


if __name__ == "__main__":
    main()
