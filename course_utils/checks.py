"""Checks for the exercises: each calls the learner's function and says what is wrong with it.

Every check answers "ok", or "not attempted yet" where the function still raises
NotImplementedError; a wrong answer raises an AssertionError that names the likely mistake.
"""

from collections.abc import Callable

from torch import nn


def attempted(check: Callable[[Callable], None]) -> Callable[[Callable], None]:
    """Turn a check that returns or raises into one that prints what came of it."""

    def run(answer: Callable) -> None:
        try:
            check(answer)
        except NotImplementedError:
            print(f"{answer.__name__}: not attempted yet")
        else:
            print(f"{answer.__name__}: ok")

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


def expect(given, wanted, mistakes: dict, otherwise: str) -> None:
    """Raise an AssertionError unless given equals wanted.

    Args:
        mistakes: wrong value → what probably went wrong.
        otherwise: what to say of any other wrong value.
    """
    if given == wanted and type(given) is type(wanted):
        return
    for value, hint in mistakes.items():
        if given == value:
            raise AssertionError(f"you gave {given!r}: {hint}")
    raise AssertionError(f"you gave {given!r}, expected {wanted!r}: {otherwise}")


@attempted
def check_latent_shape(latent_shape: Callable[[int, int], tuple]) -> None:
    """Notebook 00: the shape of the latents of a picture."""
    expect(
        latent_shape(128, 192),
        (1, 4, 16, 24),
        {
            (1, 4, 24, 16): "height comes before width in a tensor.",
            (1, 3, 16, 24): "latents have four channels; pictures have three.",
            (1, 4, 128, 192): "the VAE makes height and width eight times smaller.",
            (4, 16, 24): "a batch dimension comes first: 1 picture.",
            (1, 16, 24, 4): "channels come before height and width.",
            (1, 4, 16.0, 24.0): "shapes are whole numbers: divide with //.",
        },
        "count a batch of 1, four channels, and an eighth of height and width.",
    )
    expect(latent_shape(512, 512), (1, 4, 64, 64), {}, "it must work for every size.")


@attempted
def check_megabytes(megabytes: Callable[[nn.Module, int], float]) -> None:
    """Notebook 00: how much memory a network's weights take."""
    layer = nn.Linear(1000, 500)  # 500,500 parameters
    given = megabytes(layer, 2)
    for value, hint in {
        0.5005: "each parameter takes more than one byte: multiply by bytes_each.",
        1.0: "the bias has parameters too.",
        4.004: "bits are not bytes: with 16 bits a parameter takes 2 bytes.",
        2.002: "use bytes_each, not always 4 bytes.",
        1001.0: "that is kilobytes: divide by 1,000,000.",
        1001000.0: "that is bytes: divide by 1,000,000.",
    }.items():
        if abs(given - value) < 1e-6 * value:
            raise AssertionError(f"you gave {given!r}: {hint}")
    if abs(given - 1.001) > 1e-6:
        raise AssertionError(f"you gave {given!r}, expected 1.001: parameters × bytes ÷ 1,000,000.")


@attempted
def check_network_calls(network_calls: Callable[[int, bool], int]) -> None:
    """Notebook 00: how many latents the UNet sees while a picture is drawn by DDIM."""
    expect(
        network_calls(30, True),
        60,
        {
            30: "with guidance every step asks twice: with the prompt and without it.",
            31: "DDIM asks once a step; one more is PNDM's habit.",
            900: "guidance doubles the work of a step; it does not square it.",
            15: "guidance doubles the work; it does not halve it.",
        },
        "steps, times two where there is guidance.",
    )
    expect(network_calls(30, False), 30, {60: "without guidance every step asks once."},
           "without guidance every step asks once.")
