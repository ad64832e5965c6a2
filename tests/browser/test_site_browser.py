"""Every page of the site in a real browser, from the folder, with the network off.

Needs playwright and Chromium: pip install -e '.[browser]' && python -m playwright install chromium
(or Chromium on the PATH). With SITE_SHOTS=folder it leaves pictures of some pages there.
"""

import os
from itertools import product
from pathlib import Path

import pytest

from course_utils.authoring import site as builder

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[browser]'")

WIDTHS, SCHEMES = (390, 1440), ("light", "dark")
SHOTS = os.environ.get("SITE_SHOTS")
SHOWN = (
    "index",
    "README.zh-CN",
    "glossary",
    "figures",
    "notebooks/00_tour",
    "notebooks/04_schedulers",
    "api/index",
    "api/course_utils.schedulers",
    "course_utils/pocket/README",
)
CONTRAST = 4.5  # the least between letters and their ground

LOADED = """async () => {
    await document.fonts.ready;
    if (window.MathJax) await MathJax.startup.promise;
    for (const picture of document.images) picture.loading = "eager";
    await Promise.all([...document.images].map(picture => picture.decode().catch(() => {})));
}"""
MISSING = """() => [...document.images].filter(p => !p.naturalWidth).map(p => p.src)"""
UNSET = """() => [...document.querySelectorAll("mjx-merror")].map(e => e.textContent).concat(
    [...document.querySelectorAll(".math:not(:has(mjx-container))")].map(e => e.textContent))"""
TOO_WIDE = """() => {
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= wide) return [];
    return [...document.querySelectorAll("article *")]
        .filter(e => e.getBoundingClientRect().right > wide + 1)
        .map(e => e.tagName + "." + e.className + ": " + e.textContent.slice(0, 40)).slice(0, 5)
        .concat([`body of ${document.documentElement.scrollWidth} pixels`]);
}"""
CLIPPED = """() => {
    const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    const wide = document.documentElement.clientWidth;
    return [...document.querySelectorAll("article :is(p, li, td, th, dt, pre, img, h1, h2, h3)")]
        .filter(e => e.getBoundingClientRect().right > wide + 1 && !scrolls(e))
        .map(e => e.tagName + ": " + e.textContent.slice(0, 40));
}"""
FAINT = """(least) => {
    const numbers = color => color.match(/[\\d.]+/g).map(Number);
    const light = color => numbers(color).slice(0, 3)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => {
        for (; e; e = e.parentElement) {
            const color = numbers(getComputedStyle(e).backgroundColor);
            if (color.length < 4 || color[3] > 0.5) return getComputedStyle(e).backgroundColor;
        }
        return "rgb(255, 255, 255)";
    };
    const found = new Set();
    for (const e of document.querySelectorAll("article *")) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.checkVisibility() || e.closest("mjx-assistive-mml, .headerlink")) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < least) found.add(
            `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 30)}`);
    }
    return [...found].slice(0, 5);
}"""


def page_names() -> list[str]:
    """Pages that are sure to be there; sources of modules are opened in one test."""
    notebooks = [f"notebooks/{path.stem}" for path in sorted(builder.NOTEBOOKS.glob("*.ipynb"))]
    modules = [f"api/{name}" for name in ["index", *builder.modules()]]
    texts = [name.removesuffix(".md") for name in builder.TEXTS]
    return ["index", "glossary", "figures", "search", "genindex", *texts, *notebooks, *modules]


@pytest.fixture(scope="session")
def tab(browser):
    """One page without a network that keeps everything that goes wrong."""
    context = browser.new_context(offline=True)
    page, wrong = context.new_page(), []
    page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(m.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("request", lambda r: r.url.startswith("http") and wrong.append(f"asked for {r.url}"))
    yield page, wrong
    context.close()


def open_page(tab, path: Path) -> list[str]:
    """Open a page, wait for pictures and formulas, and say what went wrong."""
    page, wrong = tab
    wrong.clear()
    page.set_viewport_size({"width": WIDTHS[1], "height": 900})
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate(LOADED)
    return wrong


def looks(page, name: str) -> list[str]:
    """What is ugly about an open page, at every width and in every scheme."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}, faint: {x}" for x in page.evaluate(FAINT, CONTRAST)]
    for width in WIDTHS:  # the scheme changes colours alone
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate(TOO_WIDE) + page.evaluate(CLIPPED)
        found += [f"{width} wide: {x}" for x in wide]
    if SHOTS and name in SHOWN:
        shoot(page, name)
    return found


def shoot(page, name: str) -> None:
    """Leave a picture of a page at every width and in every scheme."""
    for scheme, width in product(SCHEMES, WIDTHS):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        shot = f"{name.replace('/', '-')}-{width}-{scheme}.png"
        page.screenshot(path=Path(SHOTS) / shot, full_page=True)


@pytest.mark.parametrize("name", page_names())
def test_a_page_opens_whole_and_readable(site, tab, name):
    assert open_page(tab, site / f"{name}.html") == []
    page = tab[0]
    assert page.evaluate(MISSING) == []
    assert page.evaluate(UNSET) == []
    assert looks(page, name) == []
    assert tab[1] == []


def test_every_other_page_opens_too(site, tab):
    named = {site / f"{name}.html" for name in page_names()}
    for path in sorted(set(site.rglob("*.html")) - named):
        assert open_page(tab, path) == []
        assert tab[0].evaluate(TOO_WIDE) == []


def test_a_solution_unfolds(site, tab):
    open_page(tab, site / "notebooks" / "00_tour.html")
    solution = tab[0].locator("details").first
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()


@pytest.mark.parametrize(("words", "page"), [("alphas_cumprod", "schedulers"), ("潜变量", "gloss")])
def test_the_search_finds_it_without_a_server(site, tab, words, page):
    tab[1].clear()
    tab[0].goto((site / "search.html").as_uri() + f"?q={words}")
    tab[0].wait_for_selector("#search-results li a", timeout=20_000)
    found = tab[0].locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
    assert any(page in address for address in found)
    assert tab[1] == []


def test_a_missing_picture_and_a_request_would_be_seen(tab, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<img src="none.png"><script src="https://example.org/x.js"></script>')
    wrong = " ".join(open_page(tab, page))
    assert "none.png" in wrong and "asked for https://example.org/x.js" in wrong
    assert tab[0].evaluate(MISSING)
