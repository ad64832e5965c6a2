"""Pictures to measure on, clear of everything that was trained on. Light: notebooks import it."""

from course_utils.world import Sample, sample
from course_utils.world.vocabulary import FLAWS, THINGS


def held_out_things(count: int, first: int) -> list[Sample]:
    """Pictures of one thing somewhere, without flaws, whose captions leave nothing out.

    Args:
        count: how many.
        first: the seed to begin at, HELD_OUT or later.
    """
    found, seed = [], first
    while len(found) < count:
        drawn = sample(seed, partial=False)
        if drawn.scene.subject in THINGS and drawn.scene.quality not in FLAWS:
            found.append(drawn)
        seed += 1
    return found
