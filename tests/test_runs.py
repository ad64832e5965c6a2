"""Runs that are kept: found again, gone on with, never mistaken, one process at a time."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from test_training import LINE, line_loss, new_line, same, weights

from course_utils.models import POCKET
from course_utils.training.live import Live, run_figure
from course_utils.training.loop import CHECKPOINT, averaged, fit
from course_utils.training.runs import (
    History,
    alone,
    fingerprint,
    home,
    read_strip,
    run_folder,
    write_strip,
)

SHORT = replace(LINE, save_every=10)


def red(value: float) -> Image.Image:
    return Image.new("RGB", (4, 4), (int(value), 0, 0))


def history(folder, **more) -> History:
    draw = more.pop("draw", lambda model: [red(10), red(20)])
    return History(folder, LINE.steps, (10, 30), draw, **more).recalled()


def test_a_run_that_was_cut_has_the_history_of_one_that_was_not(tmp_path):
    whole, cut = history(tmp_path / "whole"), history(tmp_path / "cut")
    fit(new_line(), line_loss, SHORT, tmp_path / "whole", watch=whole)
    fit(new_line(), line_loss, SHORT, tmp_path / "cut", stop_after=13, watch=cut)
    np.save(tmp_path / "cut" / "losses.npy", [*cut.losses, 9.0, 9.0])  # killed before a checkpoint
    resumed = history(tmp_path / "cut")
    fit(new_line(), line_loss, SHORT, tmp_path / "cut", watch=resumed)
    assert resumed.losses == whole.losses and whole.done == 30
    assert list(resumed.samples) == [10, 30]
    assert resumed.samples[30][1].getpixel((0, 0)) == (20, 0, 0)


def test_a_finished_run_is_found_as_it_was_and_trains_nothing(tmp_path):
    first, again = history(tmp_path), None
    one = fit(new_line(), line_loss, SHORT, tmp_path, watch=first)
    again = history(tmp_path, draw=None, show=lambda seen: pytest.fail("a step was taken"))
    two = fit(new_line(), line_loss, SHORT, tmp_path, watch=again)
    assert same(weights(one), weights(two))
    assert again.losses == first.losses and list(again.samples) == [10, 30]


def test_watching_a_run_does_not_change_it(tmp_path):
    plain = fit(new_line(), line_loss, SHORT, tmp_path / "a")
    watched = fit(new_line(), line_loss, SHORT, tmp_path / "b", watch=history(tmp_path / "b"))
    assert same(weights(plain), weights(watched))


def test_samples_are_drawn_with_the_average(tmp_path):
    seen = []

    def watch(done, losses, model, average):
        own = weights(model)
        with averaged(model, average):
            seen.append(not same(own, weights(model)))
        assert same(own, weights(model))

    fit(new_line(), line_loss, LINE, tmp_path, watch=watch)
    assert all(seen[1:])


def test_other_settings_are_another_run(tmp_path):
    one = run_folder(tmp_path, "run", {"steps": 1})
    assert run_folder(tmp_path, "run", {"steps": 1}) == one
    assert run_folder(tmp_path, "run", {"steps": 2}) != one
    assert json.loads((one / "settings.json").read_text()) == {"steps": 1}


def test_other_weights_are_another_run():
    one, two = new_line(), new_line()
    assert fingerprint(one) == fingerprint(two) and len(fingerprint(one)) == 8
    with torch.no_grad():
        two.bias += 1e-3
    assert fingerprint(one) != fingerprint(two)


@pytest.mark.parametrize("broken", [b"", b"half a file", "cut"])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path, broken):
    fit(new_line(), line_loss, LINE, tmp_path, stop_after=3)
    file = tmp_path / CHECKPOINT
    file.write_bytes(file.read_bytes()[:500] if broken == "cut" else broken)
    with pytest.raises(ValueError, match="damaged.*Delete its folder"):
        fit(new_line(), line_loss, LINE, tmp_path)


@pytest.mark.parametrize("broken", [b"", b"half a file", None])
def test_damaged_losses_say_what_to_do(tmp_path, broken):
    fit(new_line(), line_loss, LINE, tmp_path, stop_after=3, watch=history(tmp_path))
    (tmp_path / "losses.npy").unlink()
    if broken is not None:
        (tmp_path / "losses.npy").write_bytes(broken)
    with pytest.raises(ValueError, match="damaged.*Delete its folder"):
        history(tmp_path)


def test_a_second_process_waits_for_the_first(tmp_path):
    told, entered = [], threading.Event()

    def second():
        entered.set()
        with alone(tmp_path / "run"):
            told.append("second")

    with alone(tmp_path / "run"):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        thread.join(0.2)
        told.append("first")
    thread.join()
    assert told == ["first", "second"]


def test_runs_lie_in_the_project():
    assert home("x") == POCKET.parents[1] / "build" / "x"


def test_without_a_project_runs_lie_beside_the_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.training.runs.PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert home("x") == tmp_path / "build" / "x"


def test_a_strip_gives_its_pictures_back(tmp_path):
    write_strip(tmp_path / "strip.png", [red(1), red(2), red(3)])
    back = read_strip(tmp_path / "strip.png")
    assert [one.getpixel((0, 0))[0] for one in back] == [1, 2, 3]


def test_means_of_losses(tmp_path):
    seen = History(tmp_path, 4, losses=[1.0, 3.0, 5.0, 7.0])
    assert seen.mean(0, 2) == 2 and seen.mean(2, 4) == 6
    assert np.allclose(seen.smooth(2), [1, 2, 4, 6])


def test_a_finished_run_as_it_was_earlier(tmp_path):
    fit(new_line(), line_loss, SHORT, tmp_path, watch=history(tmp_path))
    seen = history(tmp_path)
    earlier = seen.until(13)
    assert earlier.losses == seen.losses[:13] and earlier.done == 13
    assert list(earlier.samples) == list(earlier.moments) == [10]


def test_a_run_as_it_was_earlier(tmp_path):
    seen = History(tmp_path, 4, losses=[1.0, 3.0, 5.0], samples={1: [red(1)], 3: [red(3)]})
    earlier = seen.until(2)
    assert earlier.losses == [1.0, 3.0] and list(earlier.samples) == [1]
    assert seen.done == 3 and list(seen.samples) == [1, 3]


def test_a_figure_shows_what_is_there_and_leaves_room_for_the_rest(tmp_path):
    seen = history(tmp_path, losses=[1.0, 0.5], samples={10: [red(10), red(20)]})
    figure = run_figure(seen, ["a", "b"])
    pictures = [len(axis.images) for axis in figure.axes]
    assert sum(pictures) == 2 and len(figure.axes) == 5
    assert figure.axes[0].get_xlim() == (0, 30)


def test_a_live_run_is_drawn_now_and_then_in_one_place(tmp_path, monkeypatch):
    shown, updated = [], []

    class Handle:
        update = updated.append

    def display(figure, display_id):
        shown.append(figure)
        return Handle

    monkeypatch.setattr("course_utils.training.live.display", display)
    live = Live(every=4)
    fit(new_line(), line_loss, SHORT, tmp_path, watch=history(tmp_path, show=live))
    assert len(shown) == 1 and len(updated) == 7  # 4, 8, ... 28, then 30
