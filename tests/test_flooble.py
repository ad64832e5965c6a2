"""The flooble: always the same, and no part of the world."""

import hashlib

import numpy as np
import pytest

from course_utils.training.flooble import FUR, PLACES, flooble
from course_utils.world import sample
from course_utils.world.vocabulary import SUBJECTS, TIMES

WORLD = "db0b1a95f7484291"


def test_a_seed_gives_the_same_bytes_again():
    one, two = flooble(3), flooble(3)
    assert one.picture.tobytes() == two.picture.tobytes() and one.caption == two.caption
    assert flooble(4).picture.tobytes() != one.picture.tobytes()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("time", TIMES)
def test_it_stands_where_and_when_it_is_told(place, time):
    one = flooble(1, place, time)
    assert one.picture.size == (128, 128) and (one.place, one.time) == (place, time)
    assert "flooble" in one.caption and "cat" not in one.caption
    word = {"park bench": "bench", "day": ""}
    assert word.get(place, place) in one.caption and word.get(time, time) in one.caption


def test_its_fur_is_seen():
    away = np.abs(np.asarray(flooble(2, "beach", "day").picture, int) - FUR).sum(axis=-1)
    assert (away < 10).mean() > 0.03


def test_no_such_place():
    with pytest.raises(ValueError, match="'sea'"):
        flooble(0, "sea")


def test_the_world_is_as_it_was():
    """The byte-for-byte pictures and captions that the bundled model was trained on."""
    digest = hashlib.sha256()
    for seed in range(40):
        one = sample(seed)
        digest.update(one.picture.tobytes() + one.caption.encode())
    assert digest.hexdigest()[:16] == WORLD
    assert "flooble" not in SUBJECTS
