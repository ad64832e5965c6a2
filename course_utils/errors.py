"""What goes wrong, said in one sentence: what was given, what is allowed, what to try."""

from collections.abc import Iterable

EPSILON = "epsilon"


class ModelError(ValueError):
    """A model that cannot be found, or must not be read."""


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a name that is not in the list.

    Raises:
        ValueError: names what was given and everything that is allowed.
    """
    if value not in list(allowed):
        raise ValueError(f"Unknown {what} {value!r}. Choose one of: {', '.join(allowed)}.")


def check_prediction_type(scheduler) -> None:
    """Refuse a scheduler whose UNet answers with something else than the noise.

    Raises:
        ValueError: the prediction type is "v_prediction" or "sample", say.
    """
    kind = getattr(scheduler, "config", {}).get("prediction_type", EPSILON)
    if kind != EPSILON:
        raise ValueError(
            f"the scheduler's prediction_type is {kind!r}, and only {EPSILON!r} is allowed here: a "
            'UNet that predicts noise. Try load("sd-2.1") or load("sd-1.5"), or draw with pipe(…).'
        )


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
