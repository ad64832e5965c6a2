"""What the benchmarks share: things timed in turn, so that a busy moment meets them all alike."""

import time
from collections.abc import Callable
from statistics import median

Forms = dict[str, Callable[[], object]]
ROUNDS = 5


def in_turn(forms: Forms, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Wall-clock seconds of each form, round by round; a first round warms up and is not counted.

    Args:
        forms: name → what to time.
        rounds: how often each is timed.
    Returns:
        name → seconds, one number for each round.
    """
    times = [{name: _seconds(form) for name, form in forms.items()} for _ in range(rounds + 1)]
    return {name: [one[name] for one in times[1:]] for name in forms}


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Median over the pairs of ours / theirs."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def _seconds(form: Callable[[], object]) -> float:
    start = time.perf_counter()
    form()
    return time.perf_counter() - start
