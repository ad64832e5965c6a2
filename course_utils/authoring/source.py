"""From the source a person edits to the cells of the two notebooks made of it.

A source is `notebooks/src/NN_name.py` in the percent format. It becomes a student notebook, where
each exercise is open and its solution lies folded under it, and a solution notebook, where each
exercise is solved. Under its title every notebook gets badges that open it elsewhere, and a cell
that installs the course on Colab.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
FORMS = ("student", "solution")

EXERCISE = "exercise"  # the tag of a cell that holds a solution
BEGIN, END = "# solution", "# end solution"
YOUR_TURN = 'raise NotImplementedError("your turn")'

BADGES = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]\
(https://colab.research.google.com/github/{repository}/blob/{tag}/{path})
[![Open in Binder](https://mybinder.org/badge_logo.svg)]\
(https://mybinder.org/v2/gh/{repository}/{tag}?labpath={quoted})"""
FIRST_CELL = """\
# @title On Colab: install the course, and leave torch as it is. Elsewhere this does nothing.
import os
import subprocess
import sys
from importlib import metadata, util

if "google.colab" in sys.modules:
    if not util.find_spec("course_utils"):
        course = os.environ.get("COURSE_SOURCE", "git+{address}@{tag}")
        wanted = [course, "torch==" + metadata.version("torch")]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wanted], check=True)
    from course_utils import devices
    print(devices.found())"""

FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # in JupyterLab; on Colab
KEPT = ("tags", *FOLDED)  # of the metadata of a cell

METADATA = {  # the same on every machine
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}


class BuildError(Exception):
    """A notebook that cannot be built; the message says where and why."""


@dataclass(frozen=True)
class Place:
    """Where a notebook lives.

    Attributes:
        name: for instance "00_tour".
        folder: the folder of all notebooks.
    """

    name: str
    folder: Path = NOTEBOOKS

    @property
    def source(self) -> Path:
        """The file a person edits."""
        return self.folder / "src" / f"{self.name}.py"

    def built(self, form: str) -> Path:
        """The notebook made of it, in the form "student" or "solution"."""
        folder = self.folder / "solutions" if form == "solution" else self.folder
        return folder / f"{self.name}.ipynb"


def places(names: list[str] | None = None, folder: Path = NOTEBOOKS) -> list[Place]:
    """The notebooks that have a source, in order.

    Args:
        names: only these, by name or by the path of their source; all where left out.
        folder: the folder of all notebooks.
    Raises:
        BuildError: a name without a source.
    """
    known = sorted(path.stem for path in (folder / "src").glob("*.py"))
    wanted = [Path(name).stem for name in names] if names else known
    for name in wanted:
        if name not in known:
            raise BuildError(
                f"no notebook {name!r}. Choose one of: {', '.join(known) or 'none yet'}."
            )
    return [Place(name, folder) for name in wanted]


def build_cells(place: Place, form: str) -> NotebookNode:
    """Make one form of a notebook from its source, not executed.

    Args:
        place: which notebook.
        form: "student" or "solution".
    Returns:
        a notebook with fixed cell ids and metadata and no outputs.
    Raises:
        BuildError: the markers of a solution do not fit.
    """
    if form not in FORMS:
        raise BuildError(f"no form {form!r} of a notebook. Choose one of: {', '.join(FORMS)}.")
    source = jupytext.read(place.source, fmt="py:percent")
    cells = []
    for number, cell in enumerate(source.cells, start=1):
        check_markers(cell, f"{place.name}, cell {number}")
        cells += _forms(cell, form)
    if cells and cells[0].source.startswith("# "):
        cells[:1] = opened_elsewhere(cells[0], place, form)
    for position, cell in enumerate(cells):
        cell.id = cell_id(place.name, position)
    return new_notebook(cells=cells, metadata=METADATA)


def opened_elsewhere(title: NotebookNode, place: Place, form: str) -> list[NotebookNode]:
    """The cell with the title, badges under it, and the cell that installs the course, folded."""
    address, tag = repository()
    path = f"notebooks/{place.built(form).relative_to(place.folder).as_posix()}"
    name = address.removeprefix("https://github.com/")
    badges = BADGES.format(repository=name, tag=tag, path=path, quoted=quote(path, safe=""))
    heading, _, rest = title.source.partition("\n")
    title.source = f"{heading}\n\n{badges}\n{rest}"
    first = new_code_cell(FIRST_CELL.format(address=address, tag=tag), metadata=FOLDED)
    return [title, first]


@cache
def repository() -> tuple[str, str]:
    """Where the course is published, and the tag of this version, as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project["urls"]["Repository"], f"v{project['version']}"


def cell_id(name: str, position: int) -> str:
    """The id of a cell: eight hexadecimal digits, always the same for the same place."""
    return hashlib.sha256(f"{name}/{position}".encode()).hexdigest()[:8]


def check_markers(cell: NotebookNode, where: str) -> None:
    """Refuse a cell whose solution markers do not fit its tags or each other.

    Raises:
        BuildError: names the cell and what is wrong.
    """
    markers = [line.strip() for line in cell.source.splitlines() if line.strip() in (BEGIN, END)]
    if markers != [BEGIN, END] * (len(markers) // 2):
        raise BuildError(f"{where}: each '{BEGIN}' needs an '{END}' after it, got {markers}.")
    if markers and EXERCISE not in _tags(cell):
        raise BuildError(f"{where} holds a solution: give it the tag '{EXERCISE}'.")
    if not markers and EXERCISE in _tags(cell):
        raise BuildError(f"{where} is an exercise: mark its solution by '{BEGIN}' and '{END}'.")


def open_exercise(source: str) -> str:
    """The source of an exercise with an error to be replaced where its solution was."""
    lines, inside = [], False
    for line in source.splitlines():
        mark = line.strip()
        if mark == BEGIN:
            lines.append(line.replace(BEGIN, YOUR_TURN))
        if mark in (BEGIN, END):
            inside = mark == BEGIN
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def solved_exercise(source: str) -> str:
    """The source of an exercise with its solution, without the markers."""
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))


def folded_solution(source: str) -> str:
    """Markdown that hides the solution of an exercise until it is clicked."""
    end = source.rindex(END)
    code = solved_exercise(source[:end]).rstrip()
    return f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"


def _forms(cell: NotebookNode, form: str) -> list[NotebookNode]:
    """The cells that one cell of the source becomes."""
    if EXERCISE not in _tags(cell):
        return [_copy(cell, cell.source)]
    if form == "solution":
        return [_copy(cell, solved_exercise(cell.source))]
    opened = _copy(cell, open_exercise(cell.source))
    return [opened, new_markdown_cell(folded_solution(cell.source))]


def _copy(cell: NotebookNode, source: str) -> NotebookNode:
    """A fresh cell of the same kind that keeps nothing but the tags."""
    make = new_code_cell if cell.cell_type == "code" else new_markdown_cell
    tags = cell.metadata.get("tags")
    return make(source, metadata={"tags": list(tags)} if tags else {})


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))
