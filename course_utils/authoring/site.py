"""Build the site: the executed notebooks, the reference and the glossary as pages for a browser.

    python -m course_utils.authoring.site [--out build/site] [--staged build/site-src]

Nothing is copied by hand. `stage` lays out what Sphinx reads, in the same places as in the
repository, so that links and pictures hold; `render` runs Sphinx on it, every warning an error.
The pages ask nothing of the network.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import nbformat
import yaml
from nbformat import NotebookNode

from course_utils.authoring.execute import ENVIRONMENT
from course_utils.authoring.source import NOTEBOOKS, ROOT, BuildError, repository

SITE = ROOT / "site"
STAGED = ROOT / "build" / "site-src"
OUT = ROOT / "build" / "site"
PACKAGE = ROOT / "course_utils"

TEXTS = ("README.zh-CN.md", "CONTRIBUTING.md", "course_utils/pocket/README.md")  # pages as they are
INTRO, SECTIONS = "<!-- README: its introduction -->", "<!-- README: its sections -->"
MODULES = "<!-- API: {} -->"  # where a group of modules is listed
TERM = ("en", "zh", "means", "means_zh", "see")  # what an entry of the glossary holds
GROUPS = ("topics", "checks", "house", "world", "training", "authoring")

PICTURE_LINK = re.compile(r"\[!\[([^\]]*)\]\([^)]*\)\]\(([^)]*)\)")  # a badge, for instance
TARGET = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")  # of a link within the repository
COLAB = "https://colab.research.google.com/github/"
BINDER = "https://mybinder.org/v2/gh/"


# what Sphinx reads


def stage(folder: Path = STAGED) -> Path:
    """Lay out what Sphinx reads.

    Args:
        folder: made anew.
    Returns:
        the folder.
    Raises:
        BuildError: a notebook has not been executed, or an entry of the glossary is not whole.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SITE, folder)
    shutil.copytree(ROOT / "figures", folder / "figures")
    (folder / "index.md").write_text(front_page(), "utf-8")
    for name in TEXTS:
        _write(folder / name, relink((ROOT / name).read_text("utf-8"), name))
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        _write(folder / "notebooks" / path.name, nbformat.writes(notebook_page(path)))
    for name in modules():
        _write(folder / "api" / f"{name}.rst", module_page(name))
    _write(folder / "api" / "index.md", reference_page())
    _write(folder / "glossary.rst", glossary_page(glossary()))
    return folder


def front_page() -> str:
    """site/index.md with the README in it: its introduction, and its sections."""
    text = (ROOT / "README.md").read_text("utf-8").partition("\n")[2]  # without the title
    intro, mark, sections = relink(text, "README.md").partition("\n## ")
    page = (SITE / "index.md").read_text("utf-8")
    return page.replace(INTRO, intro.strip()).replace(SECTIONS, mark.strip() + " " + sections)


def notebook_page(path: Path) -> NotebookNode:
    """A notebook as it is, but for its badges: links in words stand in their place.

    Raises:
        BuildError: a code cell has not been executed.
    """
    notebook = nbformat.read(path, as_version=4)
    if any(cell.cell_type == "code" and not cell.execution_count for cell in notebook.cells):
        raise BuildError(f"{path.name} has not been executed. Run `make notebooks`.")
    title = notebook.cells[0]
    title.source = with_links(title.source, f"notebooks/{path.name}")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source, f"notebooks/{path.name}")
    return notebook


def with_links(title: str, path: str) -> str:
    """The first cell of a notebook with the line that opens it elsewhere, in place of badges."""
    heading, _, rest = PICTURE_LINK.sub("", title).partition("\n")
    return f"{heading}\n\n{launch_line(path)}\n\n{rest.strip()}"


def launch_line(path: str) -> str:
    """Links that open a notebook on Colab and Binder, and where it lies."""
    address, tag = repository()
    name = address.removeprefix("https://github.com/")
    places = {
        "Open in Colab": f"{COLAB}{name}/blob/{tag}/{path}",
        "Open in Binder": f"{BINDER}{name}/{tag}?labpath={quote(path, safe='')}",
        "The notebook itself": f"{address}/blob/{tag}/{path}",
    }
    return " ".join(f"[{text}]({place}){{.launch}}" for text, place in places.items())


def relink(text: str, path: str) -> str:
    """Markdown whose links hold on the site.

    Pictures that are links become words. What is no page of the site is linked in the repository.

    Args:
        text: the Markdown.
        path: of its file in the repository.
    """
    address, tag = repository()

    def link(match: re.Match) -> str:
        """Where a link of this file leads on the site."""
        target = os.path.normpath(Path(path).parent / match.group())
        if target == "README.md":
            return os.path.relpath("index.md", Path(path).parent)
        return match.group() if staged(target) else f"{address}/blob/{tag}/{target}"

    return TARGET.sub(link, PICTURE_LINK.sub(r"[\1](\2)", text))


def staged(path: str) -> bool:
    """Whether a file of the repository is part of the site."""
    notebook = re.fullmatch(r"notebooks/\w+\.ipynb", path)
    return path in TEXTS or path.startswith("figures/") or bool(notebook)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# the reference


def modules() -> list[str]:
    """The public modules of the package, by their full names; found as files, none is imported."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(name.startswith("_") for name in names):
            found.append(".".join(names))
    return found


def group(name: str) -> str:
    """Where a module stands in the reference: one of GROUPS."""
    parts = name.split(".")
    if len(parts) > 1 and parts[1] in GROUPS:
        return parts[1]
    topics = {path.stem.partition("_")[2] for path in NOTEBOOKS.glob("*.ipynb")}
    return "topics" if parts[-1] in topics else "house"


def module_page(name: str) -> str:
    """The page of a module: what its docstrings say. A package only says what it is."""
    alone = "   :no-members:\n" if file_of(name).name == "__init__.py" else ""
    title = short(name)
    return f"{title}\n{'=' * len(title)}\n\n.. automodule:: {name}\n{alone}"


def short(name: str) -> str:
    """A module's name without that of the package."""
    return name.removeprefix("course_utils.")


def file_of(name: str) -> Path:
    """Where a module is written."""
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def summary(name: str) -> str:
    """The first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(file_of(name).read_text("utf-8")))
    return (docstring or "").partition("\n")[0]


def reference_page() -> str:
    """site/api/index.md with the modules in it, group by group."""
    page, everything = (SITE / "api" / "index.md").read_text("utf-8"), []
    for title in GROUPS:
        members = sorted((n for n in modules() if group(n) == title), key=_notebook_first)
        rows = "".join(f"| [{short(n)}]({n}.rst) | {summary(n)} |\n" for n in members)
        page = page.replace(MODULES.format(title), f"| module | |\n|---|---|\n{rows}")
        everything += members
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *everything, "```"])
    return page.replace(MODULES.format("all"), toctree)


def _notebook_first(name: str) -> str:
    """The key that puts a topic's module where its notebook stands."""
    found = sorted(NOTEBOOKS.glob(f"??_{name.rpartition('.')[2]}.ipynb"))
    return found[0].stem if found else name


# the glossary


def glossary(path: Path = SITE / "glossary.yaml") -> list[dict]:
    """The terms, in the order of the alphabet.

    Returns:
        for each term: `en` and `zh`, its names; `means` and `means_zh`, a sentence each; and
        `see`, the notebook that explains it.
    Raises:
        BuildError: an entry lacks something, or names a notebook that is not there.
    """
    terms = yaml.safe_load(path.read_text("utf-8"))
    for term in terms:
        if lacking := [key for key in TERM if not term.get(key)]:
            raise BuildError(f"the glossary's entry {term} lacks {', '.join(lacking)}.")
        if not (NOTEBOOKS / f"{term['see']}.ipynb").is_file():
            raise BuildError(f"the glossary's {term['en']!r} names no notebook: {term['see']}.")
    return sorted(terms, key=lambda term: term["en"].lower())


def glossary_page(terms: list[dict]) -> str:
    """site/glossary.rst with the terms behind it."""
    entries = [
        f"   {term['en']}\n   {term['zh']}\n      {term['means']}\n\n"
        f"      .. rst-class:: language-zh-CN\n\n      {term['means_zh']}\n\n"
        f"      :doc:`/notebooks/{term['see']}`\n"
        for term in terms
    ]
    page = (SITE / "glossary.rst").read_text("utf-8")
    return "\n".join([page, ".. glossary::\n", *entries])


# Sphinx


def render(folder: Path, out: Path) -> None:
    """Run Sphinx, every warning an error.

    Args:
        folder: as `stage` leaves it.
        out: made anew.
    Raises:
        BuildError: Sphinx found something wrong, or is not installed.
    """
    shutil.rmtree(out, ignore_errors=True)
    options = ["-q", "-n", "-W", "--keep-going", "-d", str(folder / ".doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(folder), str(out)]
    environment = os.environ | ENVIRONMENT | {"TRANSFORMERS_VERBOSITY": "error"}
    if subprocess.run(command, env=environment).returncode:
        raise BuildError("Sphinx says above what is wrong. If it is not there: make setup")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="course_utils.authoring.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="where the pages go")
    parser.add_argument("--staged", type=Path, default=STAGED, help="where Sphinx finds its input")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        render(stage(options.staged.resolve()), options.out.resolve())
    except BuildError as error:
        sys.exit(f"site: {error}")
    pages = len(list(options.out.rglob("*.html")))
    print(f"{pages} pages in {time.monotonic() - start:.0f} s. Open {options.out}/index.html")


if __name__ == "__main__":
    main()
