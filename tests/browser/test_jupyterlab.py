"""Every notebook with a widget in JupyterLab in a real browser: each control is moved by keyboard,
and says and shows what belongs to its value.

Needs what `test_site_browser` needs. The notebooks run on a small untrained model. LAB_MODEL=pocket
takes the bundled one, and LAB_SHOTS=folder leaves a picture of each widget there.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from any_model import with_fewer

from course_utils.authoring.execute import ENVIRONMENT, code_cells, kernel_environment
from course_utils.authoring.source import ROOT, build_cells, places

pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[browser]'")
from playwright.sync_api import expect

SHOTS, MODEL = os.environ.get("LAB_SHOTS"), os.environ.get("LAB_MODEL")
MOST = 4  # steps that a picture of the untrained model takes: more would tell nothing new
LAST = "step 23 of 24, t = " if MODEL else f"step {MOST - 1} of {MOST}, t = "
PATIENCE = 60_000  # milliseconds for one answer
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},  # all outputs are there
}
RUN = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
READY = "() => window.jupyterapp?.restored.then(() => true)"
OPEN = """async ([path, fresh]) => {  // one kernel for all: imports take seconds
    const { commands, serviceManager, shell } = window.jupyterapp;
    window.kernel ??= await serviceManager.kernels.startNew({}, { handleComms: false });
    shell.currentWidget?.dispose();
    const { content } = await window.kernel.requestExecute({ code: fresh }).done;
    if (content.status !== "ok") throw new Error(content.evalue);
    const where = { path, factory: "Notebook", kernel: window.kernel.model };
    const { context, sessionContext } = await commands.execute("docmanager:open", where);
    await Promise.all([context.ready, sessionContext.ready]);
}"""
FRESH = """import os, ipywidgets
os.environ["COURSE_MODEL"] = {!r}  # the menu of models changes it
ipywidgets.Widget.close_all()
%reset -f"""
FAILED = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type*='stderr']"
SOURCES = "all => all.map(picture => picture.src)"
DRAG = """async slider => {
    const status = slider.closest(".explorer").querySelector("[role=status]");
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    const rest = () => new Promise(done => setTimeout(done, 400)); // longer than an explorer's
    const before = slider.value;
    const seen = [];
    await rest(); // what moved before has been sent
    const hear = (_, { direction, msg }) =>
        direction === "send" && seen.push("drawing: " + msg.header.msg_type);
    kernel.anyMessage.connect(hear);
    for (const value of [before, slider.min, slider.max]) {
        slider.value = value;
        slider.dispatchEvent(new Event("input"));
        seen.push(status.textContent);
    }
    await rest();
    seen.push(status.textContent);
    kernel.anyMessage.disconnect(hear);
    slider.value = before;
    slider.dispatchEvent(new Event("input"));
    return seen;
}"""
DATA = "board => board.toDataURL()"

# name of a control, keys, and what the text then says; the controls of a widget in their order
MOVES = {
    "01_vae": [[("noise", ["End", "ArrowLeft"], "1.75 times as strong")]],
    "03_unet": [
        [
            ("t", ["Home", "ArrowRight"], "t = 50, 95% of the variance is the ball's"),
            ("prompt", ["Home"], "t = 50, 95% of the variance is the ball's; it hears: (nothing)"),
        ]
    ],
    "04_schedulers": [
        [
            ("sampler", ["Home"], "ddpm, 5 steps: 5 calls of the UNet, error"),
            ("steps", ["Home"], "ddpm, 2 steps: 2 calls of the UNet, error"),
        ]
    ],
    "05_pipeline": [
        [("step", ["End"], LAST)],
        [
            ("g", ["ArrowRight"], "a house, g = 2, not: (nothing)"),
            ("negative prompt", ["End"], "a house, g = 2, not: high resolution"),
        ],
    ],
    "06_img2img": [
        [
            ("strength", ["ArrowLeft"], "a man on a bench; strength 0.15 leaves 3 of 20"),
            ("prompt", ["End"], "a beach; strength 0.15 leaves 3 of 20"),
        ]
    ],
    "08_depth2img": [
        [
            (
                "x",
                ["ArrowRight"],
                "a red ball in the snow; the disc has radius 22 and stands at x = 96",
            ),
            ("radius", ["ArrowLeft"], "the disc has radius 20 and stands at x = 96"),
            ("prompt", ["End"], "a green tree on a beach; the disc has radius 20"),
        ]
    ],
    "09_attention": [
        [
            ("step", ["End"], "step 12 of 12: “ball” gets"),
            ("word", ["End"], "step 12 of 12: “beach”"),
        ]
    ],
}
WITH_WIDGETS = [p for p in places() if "nbval-ignore-output" in p.source.read_text("utf-8")]


@pytest.fixture(scope="session")
def lab(tmp_path_factory, smallest_folder):
    """JupyterLab on the notebooks as the sources have them: its address."""
    folder = tmp_path_factory.mktemp("lab")
    for place in WITH_WIDGETS:
        nbformat.write(as_opened(place), folder / f"{place.name}.ipynb")
    for name, setting in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(setting))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    ours = environment(folder, MODEL or smallest_folder)
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command(folder, port), env=ours, stdout=log, stderr=log)
    try:
        wait_for(address, server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def as_opened(place) -> nbformat.NotebookNode:
    """A notebook as its source has it; on the untrained model it asks for fewer steps."""
    notebook = build_cells(place, "student")
    for cell in [] if MODEL else code_cells(notebook):
        cell.source = with_fewer(cell.source, MOST)
    return notebook


def command(folder: Path, port: int) -> list[str]:
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    options += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    options += ["--ServerApp.disable_check_xsrf=True", "--ServerApp.log_level=ERROR"]
    return [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *options]


def environment(folder: Path, model) -> dict[str, str]:
    """Ours, with a home of its own, and the model that the kernels load."""
    homes = {"HOME": folder, "JUPYTERLAB_SETTINGS_DIR": folder / "settings"}
    homes |= {"JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces", "PYTHONPATH": ROOT}
    ours = {**kernel_environment(), **ENVIRONMENT, "COURSE_MODEL": str(model)}
    ours |= {name: str(place) for name, place in homes.items()}
    return ours if MODEL else ours | frugal(folder)


def frugal(folder: Path) -> dict[str, str]:
    """For the small model: one thread, and figures, which are not what is looked at, small and
    uncut."""
    file, profile = folder / "matplotlibrc", folder / "ipython" / "profile_default"
    file.write_text("figure.dpi: 30")
    profile.mkdir(parents=True)
    options = "c.InlineBackend.print_figure_kwargs = {'bbox_inches': None}\n"
    (profile / "ipython_kernel_config.py").write_text(options)
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return threads | {"MATPLOTLIBRC": str(file), "IPYTHONDIR": str(profile.parent)}


def wait_for(address: str, server: subprocess.Popen) -> None:
    from urllib.request import urlopen

    for _ in range(120):
        assert server.poll() is None, "JupyterLab did not start"
        try:
            return urlopen(f"{address}/api/status", timeout=5).close()
        except OSError:
            time.sleep(0.5)
    raise AssertionError("JupyterLab did not answer within a minute")


@pytest.fixture(scope="session")
def tab(browser):
    """One page, and what goes wrong on it."""
    page, wrong = browser.new_page(viewport={"width": 1250, "height": 1000}), []
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), badge)  # of the title; no network
    page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page, wrong
    page.close()


def badge(route) -> None:
    route.fulfill(content_type="image/svg+xml", body="<svg xmlns='http://www.w3.org/2000/svg'/>")


@pytest.fixture
def opened(lab, tab, smallest_folder):
    """Opens a notebook, in the place of the one before, and runs all its cells."""
    page, wrong = tab
    wrong.clear()
    fresh = FRESH.format(str(MODEL or smallest_folder))

    def run_all(name):
        if lab not in page.url:
            page.goto(f"{lab}/lab?reset", timeout=2 * PATIENCE)
            page.wait_for_function(READY)
        page.evaluate(OPEN, [f"{name}.ipynb", fresh])
        bar = page.locator("#jp-main-statusbar")
        expect(bar).to_contain_text("| Idle", timeout=2 * PATIENCE)
        assert page.evaluate(RUN)
        return page

    return run_all


@pytest.mark.parametrize("place", WITH_WIDGETS, ids=lambda place: place.name)
def test_every_control_works_by_keyboard(place, opened, tab):
    page = opened(place.name)
    assert page.locator(FAILED).all_inner_texts() == []
    widgets = page.locator(".explorer")
    moves = MOVES.get(place.name, [])
    assert widgets.count() == len(moves)
    for number, move in enumerate(moves):
        explore(page, widgets.nth(number), move)
        shoot(widgets.nth(number), f"{place.name}-{number}")
    for kind, use in OTHERS.items():
        for widget in page.locator(kind).all():
            use(page, widget)
            shoot(widget, f"{place.name}-{use.__name__}")
    assert page.locator(FAILED).all_inner_texts() == []
    assert tab[1] == []


def explore(page, widget, moves) -> None:
    """Focus each control, press its keys, and see the text and other pictures."""
    assert [name for name, *_ in moves] == widget.locator("label").all_inner_texts()
    controls = widget.locator("input, select")
    for slider in widget.get_by_role("slider").all():
        assert not any("drawing" in text for text in slider.evaluate(DRAG))  # only when let go
    controls.first.focus()
    for number, (name, keys, text) in enumerate(moves):
        if number:
            page.keyboard.press("Tab")
        expect(controls.nth(number)).to_be_focused()
        expect(page.get_by_label(name, exact=True).and_(controls.nth(number))).to_have_count(1)
        before = widget.locator("img").evaluate_all(SOURCES)
        for key in keys:
            page.keyboard.press(key)
        expect(widget.locator(".explorer-waits")).to_have_count(0)
        expect(widget.get_by_role("status")).to_contain_text(text)
        pictures = widget.locator("img")
        assert len(before) == pictures.count() > 0
        assert before != pictures.evaluate_all(SOURCES)
        assert all(one.evaluate("img => img.naturalWidth") for one in pictures.all())
        assert all(text in one.get_attribute("alt") for one in pictures.all())


def paint(page, painter) -> None:
    """Paint, undo, change the brush; then the cell below shows the mask."""
    board, said = painter.locator("canvas"), painter.get_by_role("status")
    expect(said).to_have_text("3 strokes · brush up")
    before = board.evaluate(DATA)
    board.focus()
    for key in ["ArrowUp", "ArrowUp", "Space", "ArrowRight", "ArrowRight", "Space"]:
        page.keyboard.press(key)
    expect(said).to_have_text("4 strokes · brush up")
    painted = board.evaluate(DATA)
    assert painted != before
    for key in ("Tab", "ArrowRight", "Tab", "Enter"):  # the brush, then the button that undoes
        page.keyboard.press(key)
    expect(said).to_have_text("3 strokes · brush up")
    assert board.evaluate(DATA) not in (before, painted)  # its round is larger
    below = page.locator(".jp-CodeCell", has_text="mine = painter.mask")
    shown = below.locator(".jp-OutputArea img").get_attribute("src")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # clear
    expect(said).to_have_text("0 strokes · brush up")
    below.locator(".cm-content").focus()
    page.keyboard.press("Control+Enter")
    expect(below.locator(".jp-OutputArea img")).not_to_have_attribute("src", shown)


def type_tokens(page, widget) -> None:
    """The table follows every letter, and says what is lost."""
    widget.get_by_label("prompt").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("a dog <b>")
    expect(widget.get_by_role("status")).to_contain_text("5 tokens between start and end; 70")
    expect(widget).to_contain_text(re.compile(r"dog\s*1929\s*<\s*283\s*b\s*321"))
    page.keyboard.type(" cat" * 72)
    expect(widget.get_by_role("status")).to_contain_text("77 tokens between start and end, 2 too")
    expect(widget.locator("s")).to_have_text(["cat", "cat"])


def choose(page, menu) -> None:
    """The drop-down of models says what a model needs."""
    menu.get_by_label("model").focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect(menu).to_contain_text("pocket needs nothing")


OTHERS = {  # what else there is to move
    ".mask-painter": paint,
    ".widget-vbox:has(.widget-text)": type_tokens,
    ".widget-vbox:has(select)": choose,
}


def shoot(widget, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        widget.screenshot(path=Path(SHOTS) / f"{name}.png")
