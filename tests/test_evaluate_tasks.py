"""What is asked of inpainting and Depth2Img in the evaluation is fair, and is counted right."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils.training import evaluate_tasks as tasks
from course_utils.world import HELD_OUT, sample
from course_utils.world.vocabulary import FLAWS, SUBJECTS_AT, THINGS, UNSEEN_PAIRS


class Eyes:
    """A judge that sees what it is told to see."""

    def __init__(self, scenes):
        self.scenes = scenes

    def classes(self, pictures):
        from dataclasses import asdict

        assert pictures.dtype == np.uint8 and pictures.shape[1:] == (128, 128, 3)
        return tasks.scene_classes([asdict(scene) for scene in self.scenes[: len(pictures)]])


@pytest.fixture(scope="module")
def samples():
    return tasks.held_out_things(3)


def test_things_are_held_out_and_without_flaws(samples):
    assert tasks.SEEDS > HELD_OUT + 1_000_000
    for one in samples:
        assert one.scene.subject in THINGS and one.scene.quality not in FLAWS
        assert one.masks[one.scene.subject].any()


def test_another_subject_is_another_one_that_may_be_there():
    for number, one in enumerate(tasks.held_out_things(30)):
        scene, other = one.scene, tasks.another_subject(one.scene, np.random.default_rng(number))
        assert other.subject != scene.subject and other.subject in SUBJECTS_AT[scene.place]
        assert (other.color, other.subject) not in UNSEEN_PAIRS
        assert (other.place, other.time, other.style) == (scene.place, scene.time, scene.style)


@pytest.mark.parametrize("seed", range(30))
def test_another_style_is_another_one_of_the_same_scene(seed):
    scene = replace(sample(seed, partial=False).scene, quality="plain")
    other = tasks.another_style(scene, np.random.default_rng(seed))
    assert other.style != scene.style
    assert (other.subject, other.place) == (scene.subject, scene.place)
    if other.style == "pencil sketch":
        assert other.color is None and other.time == "day"


def test_a_pipeline_that_repaints_everything_keeps_the_outside_once_composited(
    samples, tiny_inpaint, monkeypatch
):
    monkeypatch.setattr(tasks, "ready", lambda task: tiny_inpaint)
    monkeypatch.setattr(tasks, "STEPS", 2)
    rng = np.random.default_rng(0)
    wanted = [tasks.another_subject(one.scene, rng) for one in samples]
    seen = tasks.inpainting(Eyes(wanted), samples)
    assert seen["subject"] == 1.0 and seen["outside_identical"] == 1.0
    assert seen["outside_difference_before_pasting"] > 1


def test_a_composite_that_touches_the_outside_is_counted(samples, tiny_inpaint, monkeypatch):
    monkeypatch.setattr(tasks, "ready", lambda task: tiny_inpaint)
    monkeypatch.setattr(tasks, "STEPS", 2)
    monkeypatch.setattr(tasks, "composite", lambda old, new, mask: new)
    scenes = [one.scene for one in samples]
    assert tasks.inpainting(Eyes(scenes), samples)["outside_identical"] == 0.0


def test_the_judge_s_no_is_counted(samples):
    scenes = [one.scene for one in samples]
    others = [replace(scenes[0], subject="tree" if scenes[0].subject != "tree" else "house")]
    pictures = [one.picture for one in samples]
    assert tasks.judged(Eyes(scenes), pictures, scenes)["subject"] == 1.0
    assert tasks.judged(Eyes(others + scenes[1:]), pictures, scenes)["subject"] == pytest.approx(
        2 / 3
    )


def test_layout_is_the_mean_correlation_of_the_depths(monkeypatch):
    maps = {"a": [1.0, 2.0, 3.0, 6.0], "b": [3.0, 5.0, 7.0, 13.0], "c": [6.0, 5.0, 4.0, 1.0]}
    monkeypatch.setattr(tasks, "estimate_depth", lambda pipe, name: torch.tensor([maps[name]]))
    assert tasks.layout(None, ["a"], ["b"]) == pytest.approx(1)
    assert tasks.layout(None, ["a"], ["c"]) == pytest.approx(-1)
    assert tasks.layout(None, ["a", "a"], ["b", "c"]) == pytest.approx(0, abs=1e-6)


def test_depth_to_image_is_asked_for_the_style(samples, tiny_depth2img, monkeypatch):
    monkeypatch.setattr(tasks, "ready", lambda task: tiny_depth2img)
    monkeypatch.setattr(tasks, "STEPS", 2)
    rng = np.random.default_rng(0)
    wanted = [tasks.another_style(one.scene, rng) for one in samples]
    seen = tasks.depth_to_image(Eyes(wanted), samples)
    assert seen["style"] == 1.0 and -1 <= seen["depth_correlation"] <= 1


def test_the_whole_evaluation_on_two_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where it keeps its pictures
    monkeypatch.setattr(tasks, "STEPS", 1)
    report = tasks.evaluate_tasks(2)
    assert report["pictures"] == 2 and 0 < report["depth_error"] < 1
    assert all(0.3 < share <= 1 for share in report["mask_iou"].values())
    assert report["inpaint"]["outside_identical"] == 1.0
    assert report["depth2img"]["depth_correlation"] <= 1.0


def test_the_report_shows_every_figure(capsys):
    tasks.print_report({"pictures": 3, "depth_error": 0.0815, "inpaint": {"subject": 0.9375}})
    told = capsys.readouterr().out
    assert "0.082" in told or "0.081" in told
    assert "0.938" in told or "0.937" in told
