"""Every notebook that is there: built from its source, executed, clean, small, and free of this
machine's paths. What its cells print is compared by nbval, see `make test`."""

import re
from pathlib import Path

import nbformat
import pytest

from course_utils.authoring import build, execute
from course_utils.authoring.source import FORMS, NOTEBOOKS, ROOT, places

PLACES = places()
TEXT = ("text/plain", "text/html", "text/markdown")
BUILT = [(place, form) for place in PLACES for form in FORMS]
HERE = [re.escape(str(folder)) for folder in (ROOT, Path.home())]
ELSEWHERE = [r"/(?:home|root|Users|tmp|mnt|content)/\w", r"[A-Z]:\\", "site-packages"]
MACHINE = re.compile("|".join([*HERE, *ELSEWHERE]))

every_form = pytest.mark.parametrize(
    ("place", "form"), BUILT, ids=[f"{place.name}-{form}" for place, form in BUILT]
)


def read(place, form):
    return nbformat.read(place.built(form), as_version=4)


def test_there_is_a_notebook():
    assert "00_tour" in [place.name for place in PLACES]


def test_every_notebook_has_a_source():
    assert build.strays(NOTEBOOKS) == []


@every_form
def test_cells_are_what_the_source_says(place, form):
    assert build.differences(place, form) == []


@every_form
def test_every_cell_ran_without_a_word_on_stderr(place, form):
    notebook = read(place, form)
    assert execute.problems(notebook) == []
    assert execute.code_cells(notebook)


@every_form
def test_it_is_small_enough(place, form):
    assert place.built(form).stat().st_size <= execute.LIMIT


@every_form
def test_it_names_no_place_on_a_machine(place, form):
    found = [
        f"cell {number}: {match.group()}"
        for number, text in enumerate(texts(read(place, form)), start=1)
        for match in MACHINE.finditer(text)
    ]
    assert found == []


@every_form
def test_ids_are_unique_and_the_format_is_valid(place, form):
    notebook = read(place, form)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@every_form
def test_metadata_is_the_same_on_every_machine(place, form):
    assert read(place, form).metadata == nbformat.from_dict(execute.METADATA)


def test_cells_that_need_more_only_print_one_line(record_property):
    """Offline and without a GPU such a cell says why it does nothing."""
    for place in PLACES:
        for tag, names in build.needs(place).items():
            record_property(f"{place.name}: {tag}", names)
        for cell in read(place, "student").cells:
            if set(build.NEEDS) & set(cell.metadata.get("tags", [])):
                printed = "".join(output.get("text", "") for output in cell.outputs)
                assert len(printed.strip().splitlines()) == 1, cell.source


def texts(notebook) -> list[str]:
    """Source and text outputs of each cell."""
    return [
        "\n".join([cell.source, *map(_output_text, cell.get("outputs", []))])
        for cell in notebook.cells
    ]


def _output_text(output) -> str:
    data = output.get("data", {})
    return "\n".join([output.get("text", ""), *(str(data.get(kind, "")) for kind in TEXT)])


@pytest.mark.parametrize("text", ["/home/ada/x.py", "/Users/ada", r"C:\Users", "/tmp/b", str(ROOT)])
def test_a_machine_path_would_be_seen(text):
    assert MACHINE.search(text)


@pytest.mark.parametrize("text", ["notebooks/src/00_tour.py", "1 / 2", "h/8 and w/8"])
def test_other_text_is_no_machine_path(text):
    assert not MACHINE.search(text)
