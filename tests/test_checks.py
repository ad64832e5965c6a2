"""Every exercise check takes the solution and refuses plausible wrong answers by name."""

import pytest
from torch import nn

from course_utils import checks


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


ANSWERS = [  # check, solution, then wrong answers: (answer, a word of the message)
    (
        checks.check_latent_shape,
        lambda height, width: (1, 4, height // 8, width // 8),
        [
            (lambda height, width: (1, 4, width // 8, height // 8), "height comes before width"),
            (lambda height, width: (1, 3, height // 8, width // 8), "four channels"),
            (lambda height, width: (1, 4, height, width), "eight times smaller"),
            (lambda height, width: (4, height // 8, width // 8), "batch dimension"),
            (lambda height, width: (1, 4, height / 8, width / 8), "//"),
            (lambda height, width: (1, 4, 16, 24), "every size"),
        ],
    ),
    (
        checks.check_megabytes,
        lambda module, bytes_each: parameters(module) * bytes_each / 1_000_000,
        [
            (lambda module, bytes_each: parameters(module) / 1_000_000, "more than one byte"),
            (lambda module, bytes_each: module.weight.numel() * bytes_each / 1e6, "bias"),
            (lambda module, bytes_each: parameters(module) * 4 / 1e6, "not always 4"),
            (lambda module, bytes_each: parameters(module) * bytes_each / 1e3, "kilobytes"),
            (lambda module, bytes_each: float(parameters(module) * bytes_each), "1,000,000"),
        ],
    ),
    (
        checks.check_network_calls,
        lambda steps, guidance: steps * (2 if guidance else 1),
        [
            (lambda steps, guidance: steps, "asks twice"),
            (lambda steps, guidance: steps + 1, "PNDM"),
            (lambda steps, guidance: steps**2, "square"),
            (lambda steps, guidance: 2 * steps, "asks once"),
        ],
    ),
]
WRONG = [(check, wrong, word) for check, _, wrongs in ANSWERS for wrong, word in wrongs]


def unattempted(*arguments):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize(("check", "solution"), [(check, good) for check, good, _ in ANSWERS])
def test_the_solution_is_accepted(check, solution, capsys):
    check(solution)
    assert capsys.readouterr().out.endswith(": ok\n")


@pytest.mark.parametrize(("check", "wrong", "word"), WRONG)
def test_a_wrong_answer_is_refused_and_its_mistake_named(check, wrong, word):
    with pytest.raises(AssertionError, match=word):
        check(wrong)


@pytest.mark.parametrize("check", [check for check, _, _ in ANSWERS])
def test_an_empty_exercise_blocks_nothing(check, capsys):
    check(unattempted)
    assert capsys.readouterr().out == "unattempted: not attempted yet\n"


def test_every_check_of_the_course_is_in_the_table():
    known = {name for name in vars(checks) if name.startswith("check_")}
    assert known == {check.__name__ for check, _, _ in ANSWERS}
    assert all(len(wrongs) >= 3 for _, _, wrongs in ANSWERS)
