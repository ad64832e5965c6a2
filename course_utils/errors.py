"""What goes wrong, said in one sentence: what was given, what is allowed, what to try."""

from collections.abc import Iterable


class ModelError(ValueError):
    """A model that cannot be found, or must not be read."""


def check_choice(what: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a name that is not in the list.

    Raises:
        ValueError: names what was given and everything that is allowed.
    """
    if value not in list(allowed):
        raise ValueError(f"Unknown {what} {value!r}. Choose one of: {', '.join(allowed)}.")


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
