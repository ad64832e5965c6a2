"""Sources become notebooks, notebooks run, pages and figures are written; mistakes are named."""

import base64
import io
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from course_utils.authoring import (
    build,
    course,
    execute,
    figures,
    model_figures,
    part_figures,
    source,
)
from course_utils.authoring.pictures import smaller_png
from course_utils.authoring.source import BuildError, Place
from course_utils.world import render

EXERCISE = '''# %% tags=["exercise"]
def double(x: int) -> int:
    """Twice x."""
    # solution
    y = x + x
    return y
    # end solution


try:
    print(double(2))
except NotImplementedError:
    print("not attempted yet")
'''
SMALL = f"""# %% [markdown]
# # A small notebook

# %%
import os
print(os.path.basename(os.getcwd()))

# %% [markdown]
# Double it.

{EXERCISE}
# %% tags=["needs-gpu"]
print("no GPU")
"""


def place(folder: Path, text: str, name: str = "00_small") -> Place:
    """A notebook with the given source."""
    made = Place(name, folder)
    made.source.parent.mkdir(parents=True, exist_ok=True)
    made.source.write_text(text)
    return made


def png(noise: bool) -> bytes:
    """A picture that compresses badly, or well; written without compression."""
    pixels = np.mgrid[0:48, 0:64, 0:3].sum(0)
    if noise:
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape)
    return png_bytes(Image.fromarray(pixels.astype(np.uint8)))


def png_bytes(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png", compress_level=0)
    return file.getvalue()


def picture_notebook(data: bytes):
    """A notebook whose only output is a picture."""
    encoded = base64.b64encode(data).decode()
    output = new_output("display_data", data={"image/png": encoded})
    return new_notebook(cells=[new_code_cell("draw()", execution_count=1, outputs=[output])])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The small notebook in both forms, executed, and its place."""
    made = place(tmp_path_factory.mktemp("house") / "notebooks", SMALL)
    return made, {form: build.build(made, form) for form in source.FORMS}


# Sources


def test_the_student_form_opens_the_exercise_and_folds_the_solution(tmp_path):
    cells = source.build_cells(place(tmp_path, SMALL), "student").cells
    assert [cell.cell_type for cell in cells] == [
        "markdown",
        "code",
        "code",
        "markdown",
        "code",
        "markdown",
        "code",
    ]
    opened, folded = cells[4].source, cells[5].source
    assert '"""Twice x."""\n    raise NotImplementedError("your turn")\n\n\ntry:' in opened
    assert "x + x" not in opened
    assert folded.startswith("<details><summary>Solution</summary>\n\n```python\ndef double")
    assert "    y = x + x\n    return y\n```" in folded
    assert "print(double(2))" not in folded


def test_the_solution_form_keeps_the_solution_without_markers(tmp_path):
    cells = source.build_cells(place(tmp_path, SMALL), "solution").cells
    assert len(cells) == 6
    assert '"""Twice x."""\n    y = x + x\n    return y\n\n\ntry:' in cells[4].source
    assert "solution" not in cells[4].source
    assert "NotImplementedError(" not in cells[4].source


def test_a_title_gets_badges_and_the_cell_that_installs_the_course(tmp_path):
    title, first, *rest = source.build_cells(place(tmp_path, SMALL), "student").cells
    assert title.source.startswith("# A small notebook\n\n[![Open in Colab](https://colab.")
    assert title.source.count("](https://") == 4
    assert "google.colab" in first.source and "google.colab" not in rest[0].source
    untitled = source.build_cells(place(tmp_path, "# %%\n1\n", "01_next"), "student").cells
    assert [cell.source for cell in untitled] == ["1"]


def test_ids_are_fixed_and_unique(tmp_path):
    made = place(tmp_path, SMALL)
    first, second = ([c.id for c in source.build_cells(made, "student").cells] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    assert source.cell_id("00_small", 0) == "fe68138b"
    assert source.cell_id("00_small", 0) != source.cell_id("01_other", 0)


def test_metadata_is_the_same_on_every_machine(tmp_path):
    notebook = source.build_cells(place(tmp_path, SMALL), "student")
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info
    assert [dict(cell.metadata) for cell in notebook.cells if cell.metadata] == [
        source.FOLDED,
        {"tags": ["exercise"]},
        {"tags": ["needs-gpu"]},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXERCISE.replace("    # end solution\n", ""), "needs an '# end solution'"),
        (EXERCISE.replace("# solution", "# end solution"), "needs an '# end solution'"),
        (EXERCISE.replace('tags=["exercise"]', ""), "give it the tag 'exercise'"),
        ('# %% tags=["exercise"]\nx = 1\n', "mark its solution by '# solution'"),
    ],
)
def test_wrong_markers_are_named(tmp_path, text, message):
    with pytest.raises(BuildError, match=f"00_small, cell 1.*{message}"):
        source.build_cells(place(tmp_path, text), "student")


def test_an_unknown_form_is_named(tmp_path):
    with pytest.raises(BuildError, match="'teacher'.*student, solution"):
        source.build_cells(place(tmp_path, SMALL), "teacher")


def test_places_are_found_by_name_and_by_path(tmp_path):
    first, second = place(tmp_path, SMALL), place(tmp_path, SMALL, "01_next")
    assert source.places(folder=tmp_path) == [first, second]
    assert source.places(["01_next", str(first.source)], tmp_path) == [second, first]
    with pytest.raises(BuildError, match="no notebook 'x'. Choose one of: 00_small, 01_next"):
        source.places(["x"], tmp_path)
    assert source.places(folder=tmp_path / "empty") == []


# Building


def test_both_forms_are_executed_and_written(built):
    made, notebooks = built
    for form, answer in (("student", "not attempted yet"), ("solution", "4")):
        assert nbformat.read(made.built(form), as_version=4) == notebooks[form]
        nbformat.validate(notebooks[form])
        assert execute.problems(notebooks[form]) == []
        assert notebooks[form].cells[4].outputs[0].text == f"{answer}\n"


def test_a_notebook_runs_in_its_own_folder(built):
    folders = [notebook.cells[2].outputs[0].text for notebook in built[1].values()]
    assert folders == ["notebooks\n", "solutions\n"]


def test_the_cell_for_colab_is_folded_away(built):
    """JupyterLab hides its source; Colab shows its title in place of it."""
    made, notebooks = built
    for notebook in notebooks.values():
        folded = [cell for cell in notebook.cells if set(cell.metadata) & set(source.FOLDED)]
        assert [cell.id for cell in folded] == [notebook.cells[1].id]
        assert folded[0].metadata == source.FOLDED
        assert folded[0].source.startswith("# @title On Colab: install")
        nbformat.validate(notebook)
    notebook = nbformat.read(made.built("student"), as_version=4)
    notebook.cells[1].metadata = {}
    assert build._essence(notebook.cells[1]) != build._essence(notebooks["student"].cells[1])


def test_nothing_of_the_machine_is_kept(built):
    made, notebooks = built
    text = made.built("student").read_text()
    assert 'execution":' not in text
    assert str(made.folder) not in text
    assert notebooks["student"].metadata == nbformat.from_dict(source.METADATA)


def test_building_twice_gives_the_same_bytes(built):
    made, _ = built
    before = made.built("student").read_bytes()
    build.build(made, "student")
    assert made.built("student").read_bytes() == before


def test_a_built_notebook_is_what_its_source_says(built):
    assert [build.differences(built[0], form) for form in source.FORMS] == [[], []]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("A small", "A large"), "cell 1 differs"),
        (lambda text: text + "\n# %%\nprint(1)\n", "has 7 cells, its source gives 8"),
        (lambda text: text.replace("needs-gpu", "needs-download"), "cell 7 differs"),
    ],
)
def test_a_changed_source_is_noticed(built, tmp_path, change, message):
    made = place(tmp_path, change(SMALL))
    made.built("student").write_bytes(built[0].built("student").read_bytes())
    found = build.differences(made, "student")
    assert len(found) == 1
    assert message in found[0]


def test_a_missing_notebook_and_a_stray_one_are_noticed(tmp_path):
    made = place(tmp_path, SMALL)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "old.ipynb").write_text("{}")
    assert build.differences(made, "solution") == ["00_small.ipynb (solution form) is missing"]
    assert build.strays(tmp_path) == ["solutions/old.ipynb"]


def test_cells_with_needs_are_listed_by_name(tmp_path):
    found = build.needs(place(tmp_path, SMALL))
    assert found == {"needs-download": [], "needs-gpu": ['00_small, cell 7: print("no GPU")']}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; print('oh', file=sys.stderr)", "cell 1 wrote to stderr: oh"),
        ("", "cell 1 was not executed"),
    ],
)
def test_a_notebook_that_goes_wrong_is_not_written(tmp_path, code, message):
    made = place(tmp_path, f"# %%\n{code}\n\n# %%\nprint('end')\n")
    with pytest.raises(BuildError, match=f"(?s)00_small, student form: .*{message}"):
        build.build(made, "student")
    assert not made.built("student").exists()


def test_notebooks_are_built_on_the_bundled_model_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODEL", "sd-2.1")
    with pytest.raises(BuildError, match="COURSE_MODEL is set"):
        build.build(place(tmp_path, SMALL), "student")


def test_a_cell_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "TIMEOUT", 1)
    made = place(tmp_path, "# %%\nimport time\ntime.sleep(60)\n")
    with pytest.raises(BuildError, match="(?s)time.sleep.*took longer than 1 s"):
        build.build(made, "student")


def test_kernels_see_a_fixed_environment(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    environment = execute.kernel_environment()
    assert "MPLBACKEND" not in environment
    assert environment["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nothing"], "build: no notebook 'nothing'"), (["--check", "nothing"], "build: no notebook")],
)
def test_the_command_line_names_a_mistake(arguments, message):
    with pytest.raises(SystemExit, match=message):
        build.main(arguments)


# Outputs


def test_widget_views_are_dropped():
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "x"}
    outputs = [new_output("display_data", data=view), new_output("stream", text="kept")]
    notebook = new_notebook(cells=[new_code_cell("x", outputs=outputs, metadata={"a": 1})])
    execute.clean(notebook)
    assert [output.output_type for output in notebook.cells[0].outputs] == ["stream"]
    assert notebook.cells[0].metadata == {}


def test_problems_are_found():
    outputs = [
        new_output("error", ename="ValueError", evalue="no"),
        new_output("stream", name="stderr", text="warning\n"),
    ]
    cells = [new_code_cell("x"), new_code_cell("y", execution_count=2, outputs=outputs)]
    assert execute.problems(new_notebook(cells=cells)) == [
        "cell 1 was not executed",
        "cell 2 raised ValueError: no",
        "cell 2 wrote to stderr: warning",
    ]


def test_pictures_stay_exact_where_there_is_room():
    before = png(noise=False)
    notebook = picture_notebook(before)
    execute.compress(notebook)
    after = base64.b64decode(execute.pictures(notebook)[0]["image/png"])
    assert len(after) < len(before)
    same = [np.asarray(Image.open(io.BytesIO(data))) for data in (before, after)]
    np.testing.assert_array_equal(*same)


def test_pictures_get_a_palette_where_there_is_not():
    notebook = picture_notebook(png(noise=True))
    execute.compress(notebook, limit=8000)
    after = base64.b64decode(execute.pictures(notebook)[0]["image/png"])
    assert Image.open(io.BytesIO(after)).mode == "P"
    assert execute.size(notebook) <= 8000


def test_a_notebook_that_stays_too_large_is_refused():
    with pytest.raises(BuildError, match="2,000 are allowed. Show fewer or smaller pictures"):
        execute.compress(picture_notebook(png(noise=True)), limit=2000)


def test_transparent_pictures_become_white_on_a_palette():
    clear = png_bytes(Image.new("RGBA", (64, 64), (255, 0, 0, 0)))
    small = Image.open(io.BytesIO(smaller_png(clear, palette=True)))
    assert small.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


# The course


def run(folder: Path, pages: Path):
    console = Console(file=io.StringIO(), width=200)
    with Progress(console=console) as progress:
        results = course.run_course(sorted(folder.glob("*.ipynb")), pages, progress)
    console.print(course.results_table(results))
    return results, console.file.getvalue()


def test_the_course_leaves_pages_with_pictures(tmp_path):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    notebook = new_notebook(cells=[new_code_cell(code), new_code_cell("print(6 * 7)")])
    notebook.metadata = nbformat.from_dict(source.METADATA)
    nbformat.write(notebook, tmp_path / "00_plot.ipynb")
    before = (tmp_path / "00_plot.ipynb").read_bytes()
    results, printed = run(tmp_path, tmp_path / "pages")
    page = results[0].page.read_text()
    assert (results[0].outcome, results[0].cells) == ("ok", 2)
    assert "data:image/png;base64," in page
    assert "42" in page
    assert (tmp_path / "00_plot.ipynb").read_bytes() == before
    assert all(word in printed for word in ("notebook", "cells", "seconds", "result", "00_plot"))


def test_a_failed_notebook_still_has_its_page(tmp_path, capsys):
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), tmp_path / "00_bad.ipynb")
    with pytest.raises(SystemExit) as stopped:
        course.main(tmp_path, tmp_path / "pages")
    assert stopped.value.code == 1
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out
    assert "ZeroDivisionError" in (tmp_path / "pages" / "00_bad.html").read_text()


def test_a_course_without_notebooks_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        course.main(tmp_path, tmp_path / "pages")
    assert stopped.value.code == 2
    assert "make notebooks" in capsys.readouterr().out


# Figures


def test_a_figure_is_written_within_its_limit(tmp_path):
    figure = plt.figure(figsize=(2, 2))
    figure.add_subplot().imshow(np.random.default_rng(0).random((64, 64)))
    size = figures.save(figure, tmp_path / "deep" / "a.png")
    assert (tmp_path / "deep" / "a.png").stat().st_size == size
    with pytest.raises(BuildError, match="a.png takes .* bytes, 100 are allowed"):
        figures.save(figure, tmp_path / "a.png", limit=100)


def test_an_unknown_figure_is_named():
    with pytest.raises(SystemExit, match="figures: no figure 'x'. Choose one of: 00_world"):
        figures.main(["x"])


def test_the_sheet_of_the_world_is_varied():
    chosen = figures.varied_samples(12, candidates=120)
    assert len({s.scene.subject for s in chosen}) >= 10
    assert len({s.scene.style for s in chosen}) == 6
    assert not {s.scene.quality for s in chosen} & set(figures.FLAWS)
    assert chosen[0].scene == figures.varied_samples(1, candidates=120)[0].scene


def test_the_img2img_figure_shows_each_input_and_what_every_strength_makes_of_it(
    tiny_img2img, monkeypatch
):
    monkeypatch.setattr(model_figures, "plain_pipeline", lambda kind: tiny_img2img)
    monkeypatch.setattr(model_figures, "SETTINGS", {"num_inference_steps": 5, "guidance_scale": 1})
    rows = np.reshape(model_figures.img2img().axes, (len(model_figures.REPAINTED), 6))
    plt.close("all")
    for row, (scene, prompt) in zip(rows, model_figures.REPAINTED, strict=True):
        shown = [np.asarray(axis.images[0].get_array()) for axis in row]
        assert np.array_equal(shown[0], np.asarray(render(scene, 0).picture))
        assert len({picture.tobytes() for picture in shown}) == 6
        assert [text.get_text() for text in row[0].texts] == [prompt]


def test_every_notebook_has_a_figure_that_code_draws():
    drawn = {path.stem for path in figures.FOLDER.glob("*.png")}
    assert drawn == set(figures.FIGURES)
    assert {place.name[:2] for place in source.places()} == {name[:2] for name in drawn}


def test_the_figure_of_the_scheduler_shows_more_and_more_noise():
    figure = part_figures.noise_in()
    plt.close("all")
    strip = [np.asarray(axis.images[0].get_array(), float) for axis in figure.axes if axis.images]
    away = [np.abs(picture - strip[0]).mean() for picture in strip]
    assert len(strip) == len(part_figures.TIMES) and away == sorted(away)


def test_every_figure_in_the_folder_is_small_enough():
    drawn = list(figures.FOLDER.glob("*.png"))
    assert drawn
    assert [path.name for path in drawn if path.stat().st_size > figures.LIMIT] == []
