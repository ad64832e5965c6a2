"""What every check stands on: how an answer is tried, and how what it gives is compared."""

from collections.abc import Callable
from functools import wraps
from numbers import Integral

import torch
from torch import Tensor


def attempted(check: Callable[[Callable], None]) -> Callable[[Callable], None]:
    """Turn a check that returns or raises into one that prints what came of it.

    An answer that gives nothing is refused; of a refusal only its message is left, so that the
    traceback is short.
    """

    @wraps(check)
    def run(answer: Callable) -> None:
        try:
            check(something(answer))
        except NotImplementedError:
            print(f"{answer.__name__}: not attempted yet")
        except AssertionError as error:
            raise AssertionError(str(error)) from None
        else:
            print(f"{answer.__name__}: ok")

    return run


def something(answer: Callable) -> Callable:
    """The learner's function, which may not give None, and works on copies of our tensors."""

    @wraps(answer)
    def given(*arguments, **options):
        value = answer(*map(copied, arguments), **{k: copied(v) for k, v in options.items()})
        if value is None:
            raise AssertionError("your function gave nothing: is `return` missing?")
        return value

    return given


def copied(value):
    """A tensor of its own where one is given; anything else as it is."""
    return value.clone() if isinstance(value, Tensor) else value


def expect(given, wanted, mistakes: dict, otherwise: str) -> None:
    """Raise an AssertionError unless given equals wanted.

    A list will do for a tuple and np.int64(16) for 16, but 16.0 will not.

    Args:
        mistakes: wrong value → what probably went wrong.
        otherwise: what to say of any other wrong value.
    """
    value, wanted = plain(given), plain(wanted)
    if value == wanted and repr(value) == repr(wanted):  # 16.0 is not 16
        return
    for mistake, hint in mistakes.items():
        if value == mistake:
            raise AssertionError(f"you gave {given!r}: {hint}")
    if value == wanted:
        raise AssertionError(
            f"you gave {given!r}: give whole numbers: divide with //, or use int(…)."
        )
    raise AssertionError(f"you gave {given!r}, expected {wanted!r}: {otherwise}")


def expect_list(given, wanted: list, mistakes: dict, otherwise: str) -> None:
    """The same for a list, and nothing but a list will do; of the mistakes, tuples."""
    if not isinstance(given, list):
        raise AssertionError(f"you gave a {type(given).__name__}: give a list.")
    expect(given, wanted, mistakes, otherwise)


def plain(value):
    """Lists and shapes as tuples, and whole numbers of any type as int; all else as it is."""
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    return int(value) if isinstance(value, Integral) else value


def expect_close(given: Tensor, wanted: Tensor, mistakes: dict[float, str]) -> None:
    """Raise an AssertionError unless two small tensors agree; mistakes as in `expect`."""
    if tuple(given.shape) != tuple(wanted.shape):
        raise AssertionError(
            f"you gave shape {tuple(given.shape)}, expected {tuple(wanted.shape)}."
        )
    if torch.allclose(given, wanted, rtol=1e-4, atol=1e-5):
        return
    for value, hint in mistakes.items():
        if torch.allclose(given, torch.full_like(wanted, value), rtol=1e-4, atol=1e-5):
            raise AssertionError(hint)
    raise AssertionError(
        f"you gave {given.tolist()}, expected {wanted.tolist()}: read the equation again."
    )


def expect_tensor(given, wanted: Tensor, mistakes: dict[str, Tensor], otherwise: str) -> None:
    """Raise an AssertionError unless two tensors agree in shape and numbers.

    Args:
        mistakes: what probably went wrong → the tensor it leads to.
        otherwise: what to say of any other wrong tensor.
    """
    if not isinstance(given, Tensor):
        raise AssertionError(f"you gave a {type(given).__name__}: give a tensor.")
    if alike(given, wanted):
        return
    for hint, value in mistakes.items():
        if alike(given, value):
            raise AssertionError(hint)
    if given.shape != wanted.shape:
        shapes = f"you gave shape {tuple(given.shape)}, expected {tuple(wanted.shape)}"
        raise AssertionError(f"{shapes}: {otherwise}")
    raise AssertionError(f"you gave {given.tolist()}, expected {wanted.tolist()}: {otherwise}")


def alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


def expect_number(given: float, wanted: float, mistakes: dict[str, float], otherwise: str) -> None:
    """The same for one number, given as a float or as a tensor."""
    given, wanted = torch.as_tensor(given), torch.tensor(wanted)
    tensors = {hint: torch.tensor(value) for hint, value in mistakes.items()}
    expect_tensor(given, wanted, tensors, otherwise)


def expect_latents(given) -> None:
    """Raise an AssertionError unless these are the latents of one picture of 2 × 2."""
    if not isinstance(given, Tensor):
        raise AssertionError(f"you gave a {type(given).__name__}: give the latents, a tensor.")
    if tuple(given.shape) != (1, 4, 2, 2):
        raise AssertionError(
            f"you gave shape {tuple(given.shape)}: one picture's latents come out."
        )
