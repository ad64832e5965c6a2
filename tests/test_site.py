"""The site: what is laid out for Sphinx, what becomes of it, and the two READMEs. What a browser
makes of the pages is in tests/browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from course_utils.authoring import site as builder
from course_utils.authoring.docstrings import to_rst
from course_utils.authoring.source import NOTEBOOKS, ROOT, BuildError, repository

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
BADGE = "[![Colab](https://example.org/badge.svg)](https://example.org/open)"
FETCHED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Page(HTMLParser):
    """What a page links to, what it fetches, and which anchors it has."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.links, self.fetched, self.anchors = path, [], [], set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given.get("id"), given.get("name")} - {None}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get(FETCHED.get(tag, "")):
            self.fetched.append(given[FETCHED[tag]])


@pytest.fixture(scope="session")
def pages(site) -> dict[Path, Page]:
    """Every page of the site, read."""
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def is_external(address: str) -> bool:
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


# the pages


@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_has_its_page_with_all_its_pictures(site, pages, name):
    page = pages[site / "notebooks" / f"{name}.html"]
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    drawn = sum("image/png" in output.get("data", {}) for output in outputs)
    assert drawn
    assert sum("_images" in picture for picture in page.fetched) == drawn


@pytest.mark.parametrize("name", NAMES)
def test_every_notebook_can_be_launched_at_the_one_address(site, pages, name):
    address, tag = repository()
    links = pages[site / "notebooks" / f"{name}.html"].links
    slug = address.removeprefix("https://github.com/")
    colab = "https://colab.research.google.com/github"
    assert f"{colab}/{slug}/blob/{tag}/notebooks/{name}.ipynb" in links
    assert f"https://mybinder.org/v2/gh/{slug}/{tag}?labpath=notebooks%2F{name}.ipynb" in links


@pytest.mark.parametrize("name", NAMES)
def test_solutions_are_folded(site, name):
    page = (site / "notebooks" / f"{name}.html").read_text("utf-8")
    folded = re.findall(r"<details>\s*<summary>Solution</summary>(.*?)</details>", page, re.DOTALL)
    assert folded
    assert all('class="highlight' in solution for solution in folded)


@pytest.mark.parametrize("name", builder.modules())
def test_every_public_module_has_its_page(site, pages, name):
    assert f"module-{name}" in pages[site / "api" / f"{name}.html"].anchors


def test_functions_of_a_module_are_in_the_reference(site, pages):
    anchors = pages[site / "api" / "course_utils.schedulers.html"].anchors
    assert {"course_utils.schedulers.add_noise", "course_utils.schedulers.Euler.step"} <= anchors


def test_every_figure_is_shown(site, pages):
    shown = {Path(picture).name for picture in pages[site / "figures.html"].fetched}
    assert {path.name for path in (ROOT / "figures").glob("*.png")} <= shown


def test_every_link_leads_somewhere(pages):
    dead = []
    for page in pages.values():
        for link in [*page.links, *page.fetched]:
            if is_external(link):
                continue
            parts = urlsplit(link)
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            anchors = pages[target].anchors if target in pages else set()
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                dead.append(f"{page.path.name}: {link}")
    assert dead == []


def test_nothing_is_fetched_from_the_network(site, pages):
    found = [f"{page.path.name}: {x}" for page in pages.values() for x in page.fetched]
    assert [line for line in found if is_external(line.partition(": ")[2])] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text("utf-8"))


def test_no_page_names_the_place_it_was_built_in(site, pages):
    here = (str(ROOT), str(site.parent), str(Path.home()))
    found = [path.name for path in pages if any(x in path.read_text("utf-8") for x in here)]
    assert found == []


def test_there_is_mathematics_and_its_script_is_ours(site, pages):
    page = pages[site / "notebooks" / "04_schedulers.html"]
    script = next(address for address in page.fetched if "tex-svg.js" in address)
    assert not is_external(script)
    assert (page.path.parent / urlsplit(script).path).stat().st_size > 1_000_000


def test_pages_in_chinese_say_so(site):
    assert 'lang="zh-CN"' in (site / "README.zh-CN.html").read_text("utf-8")[:500]
    assert (site / "glossary.html").read_text("utf-8").count('lang="zh-cn"') >= 45


# what is laid out


def test_a_badge_becomes_words():
    assert builder.relink(f"See {BADGE}.", "README.md") == "See [Colab](https://example.org/open)."


def test_launch_links_stand_in_place_of_badges():
    cell = builder.with_links(f"# Title\n\n{BADGE}\n{BADGE}\n\nText", "notebooks/x.ipynb")
    title, links, text = re.split(r"\n{2,}", cell)
    assert (title, text) == ("# Title", "Text")
    assert "badge" not in links
    assert links.count("{.launch}") == 3


@pytest.mark.parametrize(
    ("path", "link", "expected"),
    [
        ("README.md", "notebooks/00_tour.ipynb", "notebooks/00_tour.ipynb"),
        ("README.zh-CN.md", "README.md", "index.md"),
        ("course_utils/pocket/README.md", "../../README.md", "../../index.md"),
        ("README.md", "#here", "#here"),
        ("README.md", "https://example.org/x", "https://example.org/x"),
        ("README.md", "LICENSE", "{address}/blob/{tag}/LICENSE"),
        ("notebooks/a.ipynb", "../tests/test_vae.py", "{address}/blob/{tag}/tests/test_vae.py"),
    ],
)
def test_a_link_holds_on_the_site(path, link, expected):
    address, tag = repository()
    expected = expected.format(address=address, tag=tag)
    assert builder.relink(f"[x]({link})", path) == f"[x]({expected})"


def test_the_front_page_holds_the_whole_readme():
    page = builder.front_page()
    for line in (ROOT / "README.md").read_text("utf-8").splitlines()[1:]:
        if "](" not in line:
            assert line in page
    assert "<!-- README" not in page


def test_a_notebook_that_was_not_executed_is_refused(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(notebook, tmp_path / "00_new.ipynb")
    with pytest.raises(BuildError, match="00_new.ipynb has not been executed"):
        builder.notebook_page(tmp_path / "00_new.ipynb")


def test_a_warning_fails_the_build(tmp_path):
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "conf.py").write_text("")
    (folder / "index.rst").write_text("Title\n=====\n\n:doc:`nowhere`\n")
    with pytest.raises(BuildError, match="Sphinx says above"):
        builder.render(folder, tmp_path / "out")


def test_modules_are_found_without_private_ones():
    found = builder.modules()
    assert {"course_utils.vae", "course_utils.world.scene", "course_utils.hub"} <= set(found)
    assert not [name for name in found if "__" in name]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("course_utils.vae", "topics"),
        ("course_utils.models", "house"),
        ("course_utils.checks.vae", "checks"),
        ("course_utils.world", "world"),
        ("course_utils.training.vae", "training"),
        ("course_utils", "house"),
    ],
)
def test_a_module_stands_in_its_group(name, title):
    assert builder.group(name) == title


# docstrings


def test_a_table_of_bars_becomes_a_list_table():
    rst = to_rst(["Names:", "| code | paper |", "|---|---|", "| x0 | x_0 |"])
    assert rst[2] == ".. list-table::"
    assert [line.strip() for line in rst[5:9]] == ["* - code", "- paper", "* - x0", "- x_0"]


def test_other_bars_are_escaped_and_the_source_stands_alone():
    assert to_rst(["cos = a · b / |a|"]) == [r"cos = a · b / \|a\|"]
    assert to_rst(["    all.", "Source: eq. 4."]) == ["    all.", "", "**Source:** eq. 4."]


# the glossary


def test_every_term_is_whole_and_stands_once():
    terms = builder.glossary()
    assert 45 <= len(terms) <= 90
    for key in ("en", "zh"):
        assert len({term[key].lower() for term in terms}) == len(terms)
    for term in terms:
        assert CHINESE.search(term["means_zh"]) and term["means_zh"].endswith("。")
        assert not CHINESE.search(term["en"] + term["means"]) and term["means"].endswith(".")


def test_the_glossary_stands_in_the_order_of_the_alphabet():
    text = (builder.SITE / "glossary.yaml").read_text("utf-8")
    assert re.findall(r"^- en: (.*)$", text, re.M) == [term["en"] for term in builder.glossary()]


def test_every_term_is_on_its_page_and_leads_to_its_notebook(site, pages):
    page = (site / "glossary.html").read_text("utf-8")
    for term in builder.glossary():
        assert f">{term['en']}<" in page and f">{term['zh']}<" in page
        assert f"notebooks/{term['see']}.html" in pages[site / "glossary.html"].links


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{en: a, zh: 甲, means: A., see: 00_tour}", "lacks means_zh"),
        ("{en: a, zh: 甲, means: A., means_zh: 甲。, see: 99_none}", "names no notebook: 99_none"),
    ],
)
def test_an_entry_that_is_not_whole_is_refused(tmp_path, entry, complaint):
    (tmp_path / "glossary.yaml").write_text(f"- {entry}\n", "utf-8")
    with pytest.raises(BuildError, match=complaint):
        builder.glossary(tmp_path / "glossary.yaml")


# the two READMEs


def readme(language: str) -> str:
    return (ROOT / f"README{language}.md").read_text("utf-8")


def commands(text: str) -> list[str]:
    """What stands in the blocks of shell, without the comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]


def links(text: str) -> list[str]:
    """Targets of links and pictures, but for the one to the other language."""
    return [x for x in re.findall(r"\]\(([^)]*)\)", text) if not x.startswith("README")]


def table_rows(text: str) -> list[int]:
    """How many cells each row of a table has."""
    return [line.count("|") for line in text.splitlines() if line.startswith("|")]


def tree(text: str) -> list[str]:
    """The names in the drawing of the folders."""
    drawing = re.search(r"\n\n```\n(.*?)```", text, re.DOTALL).group(1)
    return [line.split()[0] for line in drawing.splitlines()]


@pytest.mark.parametrize("part", [commands, links, table_rows, tree])
def test_both_readmes_hold_the_same(part):
    assert part(readme("")) == part(readme(".zh-CN"))
    assert part(readme(""))


def test_the_readmes_have_as_many_sections_and_name_the_same_code():
    english, chinese = readme(""), readme(".zh-CN")
    assert len(re.findall("^## ", english, re.M)) == len(re.findall("^## ", chinese, re.M))
    assert set(re.findall(r"`([^`\n]+)`", english)) == set(re.findall(r"`([^`\n]+)`", chinese))


def test_each_readme_links_the_other():
    assert "](README.zh-CN.md)" in readme("")
    assert "](README.md)" in readme(".zh-CN")
