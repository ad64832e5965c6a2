"""One seed, one picture: the same everywhere, with everything known about it."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from course_utils.world3d import HELD_OUT, Scene, random_scene, render, sample
from course_utils.world3d.scene import is_unseen
from course_utils.world3d.trace import FAR

SEEDS = (2, 5, 27)
ELSEWHERE = {  # how to make this processor compute as an older one does
    "numpy without AVX-512": {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_ICL"},
    "numba for any x86-64": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}
SAVE = """
import sys, numpy as np
from course_utils.world3d import sample
np.save(sys.argv[1], np.stack([np.asarray(sample(int(s)).picture) for s in sys.argv[2:]]))
"""


@pytest.fixture(scope="module")
def samples():
    return [sample(seed) for seed in SEEDS]


def test_the_same_seed_gives_the_same_sample(samples):
    for seed, one in zip(SEEDS, samples, strict=True):
        again = sample(seed)
        assert np.array_equal(one.picture, again.picture)
        assert np.array_equal(one.depth, again.depth)
        assert (one.caption, one.scene) == (again.caption, again.scene)
    assert not np.array_equal(samples[0].picture, samples[1].picture)


@pytest.mark.parametrize("processor", ELSEWHERE)
def test_another_processor_gives_the_same_picture_to_one_grey_level(processor, samples, tmp_path):
    file = tmp_path / "pictures.npy"
    environment = {**os.environ, **ELSEWHERE[processor], "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", SAVE, str(file), *map(str, SEEDS)]
    subprocess.run(command, check=True, env=environment)
    here = np.stack([np.asarray(one.picture) for one in samples]).astype(int)
    assert np.abs(np.load(file) - here).max() <= 1


def test_masks_cover_the_picture_and_do_not_overlap(samples):
    for one in samples:
        assert (sum(mask.astype(int) for mask in one.masks.values()) == 1).all()
        assert one.depth.dtype == np.float32 and one.depth.shape == (128, 128)
        assert one.depth.min() > 0.2 and one.depth.max() <= FAR
        lengths = np.linalg.norm(one.normals, axis=-1)
        assert np.allclose(
            lengths[~one.masks.get("sky", np.zeros_like(lengths, bool))], 1, atol=1e-3
        )


def test_the_subject_has_a_mask_of_its_name():
    one = render(Scene("dog", "park", "red"), 3)
    assert one.masks["dog"].sum() > 300
    two = render(Scene("cat", "park bench", other="dog", relation="left of"), 3)
    left, right = (np.argwhere(two.masks[name])[:, 1].mean() for name in ("cat", "dog"))
    assert left < right
    assert two.masks["bench"].any()


def test_another_style_changes_neither_layout_nor_depth():
    scene = Scene("robot", "beach", "blue")
    photo, oil = (render(replace(scene, style=s), 4) for s in ("photo", "oil painting"))
    assert np.array_equal(photo.depth, oil.depth)
    assert not np.array_equal(photo.picture, oil.picture)


def test_unseen_scenes_are_those_that_training_never_shows():
    for seed in range(HELD_OUT, HELD_OUT + 20):
        rng = np.random.default_rng(seed)
        assert is_unseen(random_scene(rng, unseen=True))
        assert not is_unseen(random_scene(rng))


def test_a_sample_in_another_size(samples):
    small = samples[0].at(64)
    assert small.picture.size == (64, 64)
    assert small.depth.shape == (64, 64) and small.normals.shape == (64, 64, 3)
    assert samples[0].at(128) is samples[0]


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: sample(-1), ValueError, "seed must be 0 or larger, got -1. Try sample(0)"),
        (lambda: sample(1.5), TypeError, "seed must be a whole number, got 1.5"),
        (lambda: sample("7"), TypeError, "seed must be a whole number, got '7'"),
        (lambda: sample(True), TypeError, "seed must be a whole number, got True"),
        (lambda: sample(None), TypeError, "seed must be a whole number, got None"),
        (lambda: render("dog", 0), TypeError, "scene must be a Scene, got 'dog'. Try Scene("),
        (lambda: render(None, 0), TypeError, "scene must be a Scene, got None"),
        (lambda: render(Scene("dog", "park"), "x"), TypeError, "seed must be a whole number"),
        (lambda: render(Scene("dog", "park"), -3), ValueError, "seed must be 0 or larger"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert sentence in str(caught.value)
