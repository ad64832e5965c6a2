"""Every exercise check takes the solution and refuses plausible wrong answers by name."""

import pytest
import torch
from torch import nn

from course_utils import checks, text


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def denoise(pipe, context, z, steps, g, forget=""):
    """The denoising loop, with one thing forgotten."""
    pipe.scheduler.set_timesteps(steps)
    z = z if forget == "init_noise_sigma" else z * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        x = torch.cat([z, z])
        x = x if forget == "scale" else pipe.scheduler.scale_model_input(x, t)
        u, c = pipe.unet(x, t, context).sample.chunk(2)
        u, c = (c, u) if forget == "swapped" else (u, c)
        z = pipe.scheduler.step(c if forget == "guidance" else u + g * (c - u), t, z).prev_sample
    return z


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
    (
        checks.check_scale_pixels,
        lambda pixels: pixels / 127.5 - 1,
        [
            (lambda pixels: pixels / 255, "trained on -1 to 1"),
            (lambda pixels: pixels / 127.5, "subtract 1"),
            (lambda pixels: pixels / 128 - 1, "not by 128"),
            (lambda pixels: 2 * pixels / 255 - 1, "starts again at 0"),
            (lambda pixels: pixels - 127.5, "divide by 127.5"),
            (lambda pixels: pixels, "along a straight line"),
            (lambda pixels: pixels.numpy(), "give a tensor"),
        ],
    ),
    (
        checks.check_draw_latents,
        lambda mean, logvar, eps: mean + (0.5 * logvar).exp() * eps,
        [
            (lambda mean, logvar, eps: mean + logvar.exp() * eps, "is the variance"),
            (lambda mean, logvar, eps: mean + logvar * eps, "is a logarithm"),
            (lambda mean, logvar, eps: mean + 0.5 * logvar * eps, "now take exp"),
            (lambda mean, logvar, eps: mean + (-0.5 * logvar).exp() * eps, "the sign"),
            (lambda mean, logvar, eps: mean, "that is the mean"),
            (lambda mean, logvar, eps: (0.5 * logvar).exp() * mean + eps, "belongs to the noise"),
        ],
    ),
    (
        checks.check_psnr,
        lambda x, y: 10 * torch.log10(4 / (x - y).square().mean()),
        [
            (lambda x, y: 10 * torch.log10(1 / (x - y).square().mean()), "not 1"),
            (lambda x, y: 10 * torch.log10(255**2 / (x - y).square().mean()), "not 255"),
            (lambda x, y: 10 * torch.log(4 / (x - y).square().mean()), "base 10"),
            (lambda x, y: 20 * torch.log10(4 / (x - y).square().mean()), "not 20"),
            (lambda x, y: 10 * torch.log10(2 / (x - y).abs().mean()), "squared"),
            (lambda x, y: 10 * torch.log10((x - y).square().mean() / 4), "below the line"),
        ],
    ),
    (
        checks.check_returned_size,
        lambda height, width: (8 * (height // 8), 8 * (width // 8)),
        [
            (lambda height, width: (height, width), "does not fill a block"),
            (lambda height, width: (height / 8 * 8, width / 8 * 8), "//"),
            (lambda height, width: (8 * round(height / 8), 8 * round(width / 8)), "round down"),
            (lambda height, width: (8 * -(-height // 8), 8 * -(-width // 8)), "round down"),
            (lambda height, width: (height // 8, width // 8), "those are the latents"),
            (lambda height, width: (8 * (width // 8), 8 * (height // 8)), "height comes first"),
            (lambda height, width: (96, 64), "multiples of 8"),
        ],
    ),
    (
        checks.check_pad_or_cut,
        text.pad_or_cut,
        [
            (lambda ids, length: ids[:length], "too short"),
            (lambda ids, length: (ids + [0] * length)[:length], "not with 0"),
            (lambda ids, length: [49407] * (length - len(ids)) + ids, "behind the words"),
            (lambda ids, length: (ids + [49406] * length)[:length], "not the start"),
            (lambda ids, length: (ids + [49407] * length)[:length], "must stay"),
            (lambda ids, length: ids + [49407] * (length - len(ids)), "must be cut"),
            (
                lambda ids, length: (
                    ids + [49407] * (length - len(ids)) if len(ids) < length else ids[-length:]
                ),
                "start token must stay",
            ),
        ],
    ),
    (
        checks.check_embed,
        lambda E, P, ids: E[ids] + P[: len(ids)],
        [
            (lambda E, P, ids: E[ids], "places are missing"),
            (lambda E, P, ids: E[ids] + P[ids], "not its id"),
            (lambda E, P, ids: P[: len(ids)], "places alone"),
            (lambda E, P, ids: E[ids] * P[: len(ids)], "not multiplied"),
            (lambda E, P, ids: torch.cat([E[ids], P[: len(ids)]], dim=-1), "side by side"),
            (lambda E, P, ids: E[ids] + P[1 : len(ids) + 1], "count from 0"),
        ],
    ),
    (
        checks.check_causal_mask,
        lambda length: torch.ones(length, length, dtype=torch.bool).tril(),
        [
            (lambda length: torch.ones(length, length).bool().triu(), "looks ahead"),
            (lambda length: torch.ones(length, length).bool().tril(-1), "keep the diagonal"),
            (lambda length: torch.ones(length, length).bool().triu(1), "what is hidden"),
            (lambda length: torch.ones(length, length).bool(), "everybody sees everybody"),
            (lambda length: torch.eye(length).bool(), "only itself"),
            (lambda length: torch.ones(length, length).tril(), "give bool"),
        ],
    ),
    (
        checks.check_cosine,
        lambda a, b: a @ b / (a.norm() * b.norm()),
        [
            (lambda a, b: a @ b, "dot product"),
            (lambda a, b: a @ b / b.norm(), "length of b alone"),
            (lambda a, b: a @ b / a.norm(), "length of a alone"),
            (lambda a, b: a @ b / (a @ a) / (b @ b), "not by their squares"),
            (lambda a, b: (a - b).norm(), "distance"),
            (lambda a, b: torch.acos(a @ b / (a.norm() * b.norm())), "the angle"),
        ],
    ),
]
ANSWERS += [
    (
        checks.check_guide,
        lambda eps, g: eps.chunk(2)[0] + g * (eps.chunk(2)[1] - eps.chunk(2)[0]),
        [
            (lambda eps, g: eps.chunk(2)[1] + g * (eps.chunk(2)[0] - eps.chunk(2)[1]), "first"),
            (lambda eps, g: eps.chunk(2)[1] + g * (eps.chunk(2)[1] - eps.chunk(2)[0]), "start"),
            (lambda eps, g: g * (eps.chunk(2)[1] - eps.chunk(2)[0]), "difference"),
            (lambda eps, g: g * eps.chunk(2)[1], "scaled c alone"),
            (lambda eps, g: eps.chunk(2)[1], "no effect"),
            (lambda eps, g: eps, "shape"),
        ],
    ),
    (
        checks.check_clean_estimate,
        lambda z, eps, a: (z - (1 - a).sqrt() * eps) / a.sqrt(),
        [
            (lambda z, eps, a: (z - (1 - a) * eps) / a, "square roots"),
            (lambda z, eps, a: z - (1 - a).sqrt() * eps, "divide"),
            (lambda z, eps, a: (z - a.sqrt() * eps) / (1 - a).sqrt(), "exchanged"),
            (lambda z, eps, a: (z + (1 - a).sqrt() * eps) / a.sqrt(), "subtract"),
        ],
    ),
    (
        checks.check_denoise,
        denoise,
        [
            (lambda *a: denoise(*a, forget="init_noise_sigma"), "init_noise_sigma"),
            (lambda *a: denoise(*a, forget="scale"), "scale_model_input"),
            (lambda *a: denoise(*a, forget="swapped"), "negative prompt first"),
            (lambda *a: denoise(*a, forget="guidance"), "combine"),
            (lambda *a: torch.cat([denoise(*a)] * 2), "shape"),
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
