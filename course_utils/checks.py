"""Checks for the exercises: each calls the learner's function and says what is wrong with it.

Every check answers "ok", or "not attempted yet" where the function still raises
NotImplementedError; a wrong answer raises an AssertionError that names the likely mistake.
"""

import math
from collections.abc import Callable
from functools import wraps
from numbers import Integral
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
    from diffusers.schedulers.scheduling_utils import SchedulerOutput


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
    layer = nn.Linear(900, 500)  # 450,500 parameters
    given = megabytes(layer, 2)
    for value, hint in {
        0.4505: "each parameter takes more than one byte: multiply by bytes_each.",
        0.9: "the bias has parameters too.",
        7.208: "bits are not bytes: bytes_each counts bytes already.",
        1.802: "use bytes_each, not always 4 bytes.",
        0.901 * 1e6 / 2**20: "that is MiB, of 2²⁰ bytes; a megabyte has 1,000,000.",
        901.0: "that is kilobytes: divide by 1,000,000.",
        901_000.0: "that is bytes: divide by 1,000,000.",
        0.0: "// rounds down to whole megabytes: divide with /.",
        1.0: "do not round: a part of a megabyte counts, too.",
    }.items():
        if math.isclose(given, value, rel_tol=1e-6, abs_tol=1e-9):
            raise AssertionError(f"you gave {given!r}: {hint}")
    if abs(given - 0.901) > 1e-6:
        raise AssertionError(f"you gave {given!r}, expected 0.901: parameters × bytes ÷ 1,000,000.")


@attempted
def check_latents_seen(latents_seen: Callable[[int, bool], int]) -> None:
    """Notebook 00: how many latents the UNet sees while a picture is drawn by DDIM."""
    expect(
        latents_seen(30, True),
        60,
        {
            30: "with guidance every step asks twice: with the prompt and without it.",
            31: "DDIM asks once a step; one more is PNDM's habit.",
            900: "guidance doubles the work of a step; it does not square it.",
            15: "guidance doubles the work; it does not halve it.",
        },
        "steps, times two where there is guidance.",
    )
    expect(
        latents_seen(30, False),
        30,
        {60: "without guidance every step asks once."},
        "without guidance every step asks once.",
    )


@attempted
def check_guide(guide: Callable) -> None:
    """Notebook 05: classifier-free guidance, of two pictures."""
    u, c = torch.tensor([[1.0, 10.0], [3.0, 20.0]])[..., None, None, None]  # (2, 1, 1, 1) each
    eps, g = torch.cat([u, c]), 2.0
    given = guide(eps, g)
    for a, b in ((eps[0], eps[1]), (eps[:1], eps[1:2]), (eps[::2], eps[1::2])):
        if isinstance(given, Tensor) and _alike(given, a + g * (b - a)):
            raise AssertionError(
                "the first B are without the prompt: use chunk(2), not eps[0] and eps[1]."
            )
    expect_tensor(
        given,
        u + g * (c - u),
        {
            "the prediction without the prompt comes first in the batch.": c + g * (u - c),
            "start from the prediction without the prompt: u + g * (c - u).": c + g * (c - u),
            "g multiplies the difference of c and u: u + g * (c - u).": g * (c - u),
            "you scaled c alone; start from u and add g times the difference.": g * c,
            "that is the prediction with the prompt; g has no effect.": c,
        },
        "u + g * (c - u).",
    )


@attempted
def check_clean_estimate(clean_estimate: Callable) -> None:
    """Notebook 05: the clean latents that a noise prediction implies."""
    z0, eps, alpha_bar = torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor(0.36)
    z = alpha_bar.sqrt() * z0 + (1 - alpha_bar).sqrt() * eps  # 0.6 · 2 + 0.8 · 1 = 2
    expect_close(
        clean_estimate(z, eps, alpha_bar),
        z0,
        {
            float((z - (1 - alpha_bar) * eps) / alpha_bar): "take the square roots of ᾱ and 1 − ᾱ.",
            float(z - 0.8 * eps): "divide by √ᾱ at the end.",
            float((z - 0.6 * eps) / 0.8): "you exchanged √ᾱ and √(1 − ᾱ).",
            float((z + 0.8 * eps) / 0.6): "subtract the noise; do not add it.",
        },
    )


class _CountingScheduler:
    """A stand-in that notices what a denoising loop forgets; it is called as diffusers' are."""

    init_noise_sigma = 10.0

    def set_timesteps(self, num_inference_steps: int, device=None) -> None:
        self.timesteps = torch.arange(num_inference_steps, 0, -1)

    def scale_model_input(self, sample: Tensor, timestep: Tensor | int | None = None) -> Tensor:
        return sample / 5

    def step(
        self,
        model_output: Tensor,
        timestep: Tensor | int,
        sample: Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> "SchedulerOutput | tuple[Tensor]":
        from diffusers.schedulers.scheduling_utils import SchedulerOutput

        before = sample - 0.1 * model_output * timestep
        return SchedulerOutput(prev_sample=before) if return_dict else (before,)


def _counting_unet(
    sample: Tensor,
    timestep: Tensor | int,
    encoder_hidden_states: Tensor,
    return_dict: bool = True,
    **options,
) -> "UNet2DConditionOutput | tuple[Tensor]":
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

    eps = sample + encoder_hidden_states[:, :1, :1, None] * timestep
    return UNet2DConditionOutput(sample=eps) if return_dict else (eps,)


def _stand_in(scheduler: _CountingScheduler) -> SimpleNamespace:
    """What a loop needs of a pipeline."""
    return SimpleNamespace(scheduler=scheduler, unet=_counting_unet, device=torch.device("cpu"))


def _expect_one(given) -> None:
    """Raise an AssertionError unless these are the latents of one picture of 2 × 2."""
    if not isinstance(given, Tensor):
        raise AssertionError(f"you gave a {type(given).__name__}: give the latents, a tensor.")
    if tuple(given.shape) != (1, 4, 2, 2):
        raise AssertionError(
            f"you gave shape {tuple(given.shape)}: one picture's latents come out."
        )


@attempted
def check_denoise(denoise: Callable) -> None:
    """Notebook 05: the loop, on a stand-in scheduler and UNet whose every use leaves a trace."""
    pipe = _stand_in(_CountingScheduler())
    context = torch.tensor([1.0, 2.0]).reshape(2, 1, 1).expand(2, 77, 8)
    hints = {
        "init_noise_sigma": "multiply the noise by scheduler.init_noise_sigma before the loop.",
        "scale": "pass the latents through scheduler.scale_model_input before the UNet.",
        "swapped": "context has the negative prompt first: u, c = ….chunk(2).",
        "unguided": "combine the two predictions: u + g * (c - u).",
    }
    traces = {_denoised(context, forget): hint for forget, hint in hints.items()}
    given = denoise(pipe, context, torch.ones(1, 4, 2, 2), 3, 2.0)
    _expect_one(given)
    expect_close(given[0, 0, 0, 0], torch.tensor(_denoised(context, "")), traces)


def _denoised(context: Tensor, forget: str) -> float:
    """The right loop on the stand-ins, but for one thing forgotten."""
    scheduler, z = _CountingScheduler(), torch.ones(1, 4, 2, 2)
    scheduler.set_timesteps(3)
    z = z * (1 if forget == "init_noise_sigma" else scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        x = z if forget == "scale" else scheduler.scale_model_input(z, t)
        u, c = (_counting_unet(x, t, part).sample for part in context.split(1))
        u, c = (c, u) if forget == "swapped" else (u, c)
        z = scheduler.step(c if forget == "unguided" else u + 2.0 * (c - u), t, z).prev_sample
    return float(z[0, 0, 0, 0])


def expect_tensor(given, wanted: Tensor, mistakes: dict[str, Tensor], otherwise: str) -> None:
    """Raise an AssertionError unless two tensors agree in shape and numbers.

    Args:
        mistakes: what probably went wrong → the tensor it leads to.
        otherwise: what to say of any other wrong tensor.
    """
    if not isinstance(given, Tensor):
        raise AssertionError(f"you gave a {type(given).__name__}: give a tensor.")
    if _alike(given, wanted):
        return
    for hint, value in mistakes.items():
        if _alike(given, value):
            raise AssertionError(hint)
    if given.shape != wanted.shape:
        shapes = f"you gave shape {tuple(given.shape)}, expected {tuple(wanted.shape)}"
        raise AssertionError(f"{shapes}: {otherwise}")
    raise AssertionError(f"you gave {given.tolist()}, expected {wanted.tolist()}: {otherwise}")


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5)


def expect_number(given: float, wanted: float, mistakes: dict[str, float], otherwise: str) -> None:
    """The same for one number, given as a float or as a tensor."""
    given, wanted = torch.as_tensor(given), torch.tensor(wanted)
    tensors = {hint: torch.tensor(value) for hint, value in mistakes.items()}
    expect_tensor(given, wanted, tensors, otherwise)


@attempted
def check_scale_pixels(scale_pixels: Callable[[Tensor], Tensor]) -> None:
    """Notebook 01: whole numbers 0..255 to the range of the VAE."""
    pixels = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    p = pixels.float()
    expect_tensor(
        scale_pixels(pixels),
        torch.tensor([[-1.0, -0.6, 1.0]]),
        {
            "that is 0 to 1; the VAE was trained on -1 to 1.": p / 255,
            "that is 0 to 2: subtract 1.": p / 127.5,
            "255 must become exactly 1: divide by 127.5, not by 128.": p / 128 - 1,
            "uint8 ends at 255 and starts again at 0: divide first, then multiply.": (
                2 * pixels
            ).float()
            / 255
            - 1,
            "that is -127.5 to 127.5: divide by 127.5.": p - 127.5,
        },
        "0 becomes -1 and 255 becomes 1, along a straight line.",
    )


@attempted
def check_draw_latents(draw_latents: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 01: latents from the mean, the logarithm of the variance, and noise."""
    mean, var, eps = torch.tensor([[1.0, 2.0], [0.25, 4.0], [2.0, -1.0]])
    expect_tensor(
        draw_latents(mean, var.log(), eps),
        mean + var.sqrt() * eps,
        {
            "exp(logvar) is the variance σ²; the noise is multiplied by σ.": mean + var * eps,
            "logvar is a logarithm: exp(0.5 * logvar) is σ.": mean + var.log() * eps,
            "log σ = ½ · log σ²: you halved it, now take exp.": mean + 0.5 * var.log() * eps,
            "exp(0.5 * logvar) is σ: the sign is +.": mean + eps / var.sqrt(),
            "that is the mean: add σ · ε.": mean,
            "σ belongs to the noise, not to the mean: μ + σ · ε.": var.sqrt() * mean + eps,
        },
        "z = μ + σ · ε with σ = exp(½ · logvar).",
    )


@attempted
def check_psnr(psnr: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 01: how near two pictures are, in decibels."""
    x, y = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.2)
    expect_number(
        psnr(x, y),
        20.0,
        {
            "our pictures reach from -1 to 1: R is 2, not 1.": 13.9794,
            "our pictures reach from -1 to 1: R is 2, not 255.": 62.1102,
            "decibels take the logarithm to base 10: torch.log10.": 46.0517,
            "10 times the logarithm of the squares, not 20 times.": 40.0,
            "both R and the difference are squared.": 10.0,
            "the mean square stands below the line: R² / mse.": -20.0,
        },
        "10 · log₁₀(R² / mean((x − y)²)), with R = 2.",
    )


@attempted
def check_returned_size(returned_size: Callable[[int, int], tuple[int, int]]) -> None:
    """Notebook 01: the size that comes back from the round trip."""
    expect(
        returned_size(100, 71),
        (96, 64),
        {
            (100, 71): "what does not fill a block of 8 is lost: divide with //.",
            (96, 72): "round down: half a block is no block.",
            (104, 72): "round down: half a block is no block.",
            (12, 8): "those are the latents; the decoder makes them 8 times larger again.",
            (64, 96): "height comes first.",
        },
        "whole blocks of 8 pixels, and 8 pixels for each.",
    )
    expect(returned_size(64, 128), (64, 128), {}, "multiples of 8 come back as they were.")


@attempted
def check_pad_or_cut(pad_or_cut: Callable[[list[int], int], list[int]]) -> None:
    """Notebook 02: ids of any number to ids of one number."""
    start, end = 49406, 49407
    ids = [start, 320, 1929, end]
    expect(
        tuple(pad_or_cut(ids, 6)),
        (start, 320, 1929, end, end, end),
        {
            tuple(ids): "it is too short: fill it up to `length`.",
            (start, 320, 1929, end, 0, 0): "CLIP fills up with its end token, 49407, not with 0.",
            (end, end, *ids): "the filling comes behind the words.",
            (start, 320, 1929, end, start, start): "fill up with the end token, not the start.",
            (start, 320, 1929, end, end): "it is one too short.",
        },
        "the ids, then end tokens until there are `length`.",
    )
    expect(
        tuple(pad_or_cut([start, 1, 2, 3, 4, end], 4)),
        (start, 1, 2, end),
        {
            (start, 1, 2, 3): "the end token must stay: cut words, then put it back.",
            (start, 1, 2, 3, 4, end): "a long prompt must be cut to `length`.",
            (start, 3, 4, end): "the last words go, not the first.",
            (2, 3, 4, end): "the start token must stay: the last words go.",
            (start, 1, 2, 3, end): "it is one too long: start and end count, too.",
        },
        "the first ids and the end token, `length` together.",
    )


@attempted
def check_embed(embed: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 02: token vectors and place vectors, added."""
    E = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    P = torch.tensor([[10.0, 0.0], [20.0, 0.0], [30.0, 0.0], [40.0, 0.0]])
    ids = torch.tensor([3, 1, 1])
    expect_tensor(
        embed(E, P, ids),
        E[ids] + P[:3],
        {
            "the places are missing: add the first rows of P.": E[ids],
            "a place is where a token stands, not its id: P[:len(ids)].": E[ids] + P[ids],
            "that is the places alone: add the rows of E.": P[:3],
            "the vectors are added, not multiplied.": E[ids] * P[:3],
            "the vectors are added, not put side by side.": torch.cat([E[ids], P[:3]], dim=-1),
            "places count from 0.": E[ids] + P[1:4],
        },
        "row ids[i] of E plus row i of P.",
    )


@attempted
def check_causal_mask(causal_mask: Callable[[int], Tensor]) -> None:
    """Notebook 02: who may listen to whom."""
    given, ones = causal_mask(3), torch.ones(3, 3)
    expect_tensor(
        given,
        ones.tril(),
        {
            "it looks ahead: row i may look at columns 0 to i.": ones.triu(),
            "a token may also look at itself: keep the diagonal.": ones.tril(-1),
            "that marks what is hidden; True is what may be seen.": ones.triu(1),
            "everybody sees everybody: hide what comes later.": ones,
            "everybody sees only itself: what came before may be seen, too.": torch.eye(3),
        },
        "a square table, True on the diagonal and below it.",
    )
    if given.dtype != torch.bool:
        raise AssertionError(f"you gave {given.dtype}: give bool, so that ~ can turn it round.")


@attempted
def check_cosine(cosine: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 02: the cosine of the angle between two vectors."""
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 2.0])
    expect_number(
        cosine(a, b),
        0.8,
        {
            "that is the dot product: divide by both lengths.": 8.0,
            "you divided by the length of b alone.": 4.0,
            "you divided by the length of a alone.": 1.6,
            "divide by the lengths, not by their squares.": 0.08,
            "that is the distance between the ends.": 3.6056,
            "that is the angle: its cosine is asked for.": 0.6435,
        },
        "a · b / (|a| · |b|).",
    )


@attempted
def check_join_skip(join_skip: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 03: how an up block takes in what the way down left for it."""
    x, skip = torch.arange(16.0).view(2, 2, 2, 2), -torch.ones(2, 2, 2, 2)
    expect_tensor(
        join_skip(x, skip),
        torch.cat([x, skip], dim=1),
        {
            "a ResNet adds; a U-Net puts side by side: torch.cat.": x + skip,
            "that joins the batches: channels are dimension 1.": torch.cat([x, skip], dim=0),
            "that joins the heights: channels are dimension 1.": torch.cat([x, skip], dim=2),
            "that joins the widths: channels are dimension 1.": torch.cat([x, skip], dim=3),
            "x comes first, then the skip.": torch.cat([skip, x], dim=1),
        },
        "the channels of x, then those of the skip.",
    )


@attempted
def check_map_sizes(map_sizes: Callable[[int, int], list[int]]) -> None:
    """Notebook 03: the resolutions that the blocks of the way down work at."""
    given = map_sizes(64, 4)
    if not isinstance(given, list):
        raise AssertionError(f"you gave a {type(given).__name__}: give a list.")
    for sizes, hint in (
        ([64, 32, 16, 8, 4], "the last block does not shrink what it gives."),
        ([32, 16, 8, 4], "the first block works at the size of the latents."),
        ([32, 16, 8, 8], "that is what the blocks give; asked is what they work at."),
        ([8, 16, 32, 64], "that is the way up."),
        ([64, 48, 32, 16], "each level is half as large as the one before."),
    ):
        if given == sizes:
            raise AssertionError(f"you gave {given}: {hint}")
    expect(given, [64, 32, 16, 8], {}, "halve from block to block, with //.")
    expect(map_sizes(16, 3), [16, 8, 4], {}, "it must work for every size and number of blocks.")


@attempted
def check_implied_noise(implied_noise: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 03: the noise that lies between a noisy latent and a clean one."""
    x0, xt, a = torch.tensor([1.0, -2.0]), torch.tensor([2.0, 3.0]), torch.tensor(0.36)
    expect_tensor(
        implied_noise(xt, x0, a),
        torch.tensor([1.75, 5.25]),
        {
            "take the square root of alpha_bar_t, and of 1 − alpha_bar_t.": (xt - a * x0) / (1 - a),
            "divide by √(1 − ᾱ_t): the noise was made smaller before it was added.": xt - 0.6 * x0,
            "x0 was made smaller, too: by √ᾱ_t.": (xt - x0) / 0.8,
            "the two factors are exchanged: that is the formula for x0.": (xt - 0.8 * x0) / 0.6,
            "subtract √ᾱ_t · x0: it is in xt already.": (xt + 0.6 * x0) / 0.8,
        },
        "(x_t − √ᾱ_t · x_0) / √(1 − ᾱ_t).",
    )


@attempted
def check_extra_parameters(extra_parameters: Callable[[int], int]) -> None:
    """Notebook 03: how many more numbers a UNet has whose latents come with more channels."""
    expect(
        extra_parameters(9),
        14_400,
        {
            25_920: "four channels are there already: count those that are new.",
            26_240: "count what is new: the bias was there before, and four channels.",
            14_720: "there is one bias for each output channel, and it was there before.",
            1_600: "each kernel is 3 × 3: nine numbers.",
            4_800: "each kernel has 3 · 3 numbers, not 3.",
            45: "each of the 320 output channels has kernels of its own.",
            14_400.0: "parameters are whole numbers.",
        },
        "new channels × 320 output channels × 3 × 3.",
    )
    expect(extra_parameters(5), 2_880, {}, "it must work for any number of channels.")


@attempted
def check_snr(snr: Callable[[Tensor], Tensor]) -> None:
    """Notebook 04: the signal-to-noise ratio of a noisy latent."""
    expect_number(
        snr(torch.tensor(0.8)),
        4.0,
        {
            "noise over signal: turn it round.": 0.25,
            "that is the ratio of deviations; SNR compares variances: no square root.": 2.0,
            "that is sigma: noise over signal, as deviations.": 0.5,
            "that is the share of the signal; divide by the share of the noise.": 0.8,
            "that is in decibels: no logarithm here.": 6.0206,
        },
        "ᾱ / (1 − ᾱ).",
    )


@attempted
def check_timesteps(timesteps: Callable[[int], list[int]]) -> None:
    """Notebook 04: the timesteps that DDIM visits."""
    given = timesteps(4)
    if not isinstance(given, list):
        raise AssertionError(f"you gave a {type(given).__name__}: give a list.")
    for times, hint in (
        ([750, 500, 250, 0], "steps_offset is 1: add it to each."),
        ([1, 251, 501, 751], "from much noise to little: the largest comes first."),
        ([0, 250, 500, 750], "the largest comes first, and steps_offset is 1."),
        ([999, 749, 499, 249], "that is the spacing 'trailing'; 'leading' counts up from 0."),
        ([999, 666, 333, 0], "that is the spacing 'linspace'; 'leading' counts up from 0."),
        ([1001, 751, 501, 251], "training knows no timestep above 999: count from 0, add 1."),
        ([4, 3, 2, 1], "the timesteps of training go up to 999: take strides of 1000 // steps."),
    ):
        if given == times:
            raise AssertionError(f"you gave {given}: {hint}")
    expect(given, [751, 501, 251, 1], {}, "1 + i · (1000 // steps), the largest first.")
    expect(timesteps(3), [667, 334, 1], {}, "the stride is a whole number: 1000 // steps.")
    given = timesteps(30)
    if given != [1 + 33 * i for i in reversed(range(30))]:
        raise AssertionError(
            f"for 30 steps you gave {len(given)} timesteps, the first {given[0]}, and not 30 from "
            "958 on: the stride is 1000 // steps, and there are exactly `steps` of them."
        )


@attempted
def check_heun_step(heun_step: Callable) -> None:
    """Notebook 04: one step of Heun's method."""
    answer = heun_step(torch.tensor(1.0), lambda x, sigma: x * sigma**2, 2.0, 1.0)
    expect_number(
        answer,
        0.5,
        {
            "you went the wrong way: the step is sigma_next − sigma, and negative.": 5.5,
            "that is Euler's step: look at the slope at its end as well.": -3.0,
            "you went along the end's slope alone: take the mean of both.": 4.0,
            "take the mean of the slopes: divide their sum by 2.": 0.0,
            "the second step starts from x again, not from where the first one ended.": -3.5,
            "the slope at the end is asked there: at sigma_next.": 5.0,
            "the slope at the end is asked there: not at x, but where Euler's step ends.": -1.5,
            "that is the midpoint method: look at the end of Euler's step, not half way.": 3.25,
        },
        "x + (sigma_next − sigma) · (d + d′) / 2, with d′ = slope(x + (sigma_next − sigma) · d, "
        "sigma_next).",
    )


@attempted
def check_order(order: Callable[[float, float], float]) -> None:
    """Notebook 04: the order of a method, from its errors with n and with 2n steps."""
    expect_number(
        order(0.8, 0.1),
        3.0,
        {
            "that is how many times smaller it got: 2 to which power is that?": 8.0,
            "the steps were doubled: take the logarithm to base 2.": 2.0794,
            "that is the logarithm to base 10: take base 2.": 0.9031,
            "the first error is the larger one: divide it by the second.": -3.0,
            "errors are compared by their ratio.": 0.7,
        },
        "log2(error_n / error_2n).",
    )


@attempted
def check_steps_left(steps_left: Callable[[int, float], int]) -> None:
    """Notebook 06: how often Img2Img calls the UNet."""
    expect(
        steps_left(25, 0.3),
        7,
        {
            25: "strength has no effect: some steps are skipped.",
            18: "those are the steps that are skipped.",
            17: "those are about the steps that are skipped.",
            8: "round down: 7.5 steps are 7.",
            7.5: "steps are whole numbers: round down.",
            7.0: "steps are whole numbers: int(…).",
            0: "round down at the end: n · strength first.",
        },
        "n · strength, rounded down.",
    )
    expect(
        steps_left(20, 0),
        0,
        {1: "strength 0 changes nothing: not even one step is left."},
        "strength 0 leaves no step.",
    )
    expect(steps_left(50, 1), 50, {}, "strength 1 leaves every step.")


@attempted
def check_strength_for(strength_for: Callable[[int, list[int]], float]) -> None:
    """Notebook 06: the strength that begins at a timestep."""
    expect_number(
        strength_for(601, [801, 601, 401, 201, 1]),
        0.8,
        {
            "that is the share that is skipped: count from t to the end.": 0.2,
            "the step at t is to be done, too: count it.": 0.6,
            "the step before t is skipped: count from t on.": 1.0,
            "timesteps are no shares: count the steps from t to the end.": 0.601,
            "strength compares numbers of steps, not timesteps.": 601 / 801,
            "that is how many steps are left: divide by all of them.": 4.0,
        },
        "the number of steps from t to the end, divided by the number of all.",
    )
    expect_number(strength_for(801, [801, 401, 1]), 1.0, {}, "to begin at the first is strength 1.")


class _Img2ImgScheduler(_CountingScheduler):
    """The stand-in again, and it can put noise in: more of it at larger timesteps."""

    order = 1

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Taken note of by real schedulers; this one looks every timestep up."""

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        if timesteps is None:
            raise AssertionError("t is None after the last step: keep z0 itself there, unnoised.")
        if getattr(timesteps, "shape", None) != (1,):
            raise AssertionError("give add_noise the timestep as a tensor of shape (1,).")
        return original_samples + noise * timesteps


@attempted
def check_prepare(prepare: Callable) -> None:
    """Notebook 06: the latents before the loop, and the timesteps that are left."""
    z0, eps = torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 0.5)
    z, left = _prepared(prepare, z0, eps, 0.5)  # of 10, 9, … 1 the last five: 5, 4, 3, 2, 1
    expect(
        left,
        (5, 4, 3, 2, 1),
        {
            tuple(range(10, 0, -1)): "those are all timesteps: skip those above the picture's.",
            (10, 9, 8, 7, 6): "those are the ones to skip: the last ones are left.",
            (4, 3, 2, 1): "it is one too few: of 10 steps, 0.5 leaves 5.",
            (6, 5, 4, 3, 2, 1): "it is one too many: of 10 steps, 0.5 leaves 5.",
        },
        "the last ⌊n · strength⌋ of scheduler.timesteps.",
    )
    expect_tensor(
        z,
        z0 + 5 * eps,
        {
            "the noise is missing: scheduler.add_noise.": z0,
            "that is the noise of the first of all timesteps: take the first that is left.": (
                z0 + 10 * eps
            ),
            "that is the noise of the last timestep: take the first that is left.": z0 + eps,
            "the first one left is timesteps[:1], not the one before or after.": z0 + 4 * eps,
            "no init_noise_sigma here: add_noise makes the noise as strong as it must be.": (
                10 * (z0 + 5 * eps)
            ),
            "z0 comes first in add_noise, then the noise.": eps + 5 * z0,
        },
        "scheduler.add_noise(z0, eps, timesteps[:1]).",
    )
    expect(_prepared(prepare, z0, eps, 0.75)[1], (7, 6, 5, 4, 3, 2, 1), {}, "7.5 steps are 7.")
    z, left = _prepared(prepare, z0, eps, 0.0)
    expect(left, (), {}, "strength 0 leaves no step: timesteps[n:], not timesteps[-0:].")
    expect_tensor(z, z0, {}, "where no step is left, the latents stay as they are.")


def _prepared(prepare: Callable, z0: Tensor, eps: Tensor, strength: float) -> tuple[Tensor, tuple]:
    """What the learner's function gives for ten steps: the latents, and the timesteps."""
    given = prepare(_Img2ImgScheduler(), z0, eps, 10, strength)
    if not isinstance(given, tuple) or len(given) != 2:
        raise AssertionError("give two things: the noisy latents and the timesteps.")
    return given[0], tuple(int(t) for t in given[1])


@attempted
def check_repainted(repainted: Callable) -> None:
    """Notebook 06: Img2Img, on a stand-in scheduler and UNet whose every use leaves a trace."""
    hints = {
        "noise": "put noise on the latents before the loop: scheduler.add_noise.",
        "first": "put in the noise of the first timestep that is left, not of all.",
        "skip": "go through the timesteps that are left, not through all.",
        "sigma": "no init_noise_sigma here: add_noise makes the noise as strong as it must be.",
        "scale": "pass the latents through scheduler.scale_model_input before the UNet.",
        "swapped": "context has the negative prompt first: u, c = ….chunk(2).",
        "unguided": "combine the two predictions: u + g * (c - u).",
        "strength": "that is what strength 1 gives: strength has no effect.",
    }
    traces = {_repainted(mistake): hint for mistake, hint in hints.items()}
    pipe = _stand_in(_Img2ImgScheduler())
    context = torch.tensor([1.0, 2.0]).reshape(2, 1, 1).expand(2, 77, 8)
    z0, eps = torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 0.5)
    given = repainted(pipe, context, z0, eps, 4, 0.5, 2.0)
    _expect_one(given)
    expect_close(given[0, 0, 0, 0], torch.tensor(_repainted("")), traces)


def _repainted(mistake: str) -> float:
    """Img2Img on the stand-ins with z0 = 3, eps = ½, n = 4, strength ½, g = 2; one mistake."""
    scheduler, z = _Img2ImgScheduler(), torch.full((1, 4, 2, 2), 3.0)
    scheduler.set_timesteps(4)
    every, left = scheduler.timesteps, scheduler.timesteps[0 if mistake == "strength" else 2 :]
    if mistake != "noise":
        z = scheduler.add_noise(
            z, torch.full_like(z, 0.5), (every if mistake == "first" else left)[:1]
        )
    z = z * scheduler.init_noise_sigma if mistake == "sigma" else z
    for t in every if mistake == "skip" else left:
        x = z if mistake == "scale" else scheduler.scale_model_input(z, t)
        u, c = (_counting_unet(x, t, torch.full((1, 77, 8), said)).sample for said in (1.0, 2.0))
        u, c = (c, u) if mistake == "swapped" else (u, c)
        z = scheduler.step(c if mistake == "unguided" else u + 2.0 * (c - u), t, z).prev_sample
    return float(z[0, 0, 0, 0])


@attempted
def check_cut_out(cut_out: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 07: the picture with its hole."""
    x = torch.linspace(-1, 1, 18).reshape(1, 3, 2, 3)
    m = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]])
    expect_tensor(
        cut_out(x, m),
        x * (1 - m),
        {
            "that is the hole without the picture: multiply by 1 - m.": x * m,
            "-1 is black; in -1..1 the grey of the hole is 0.": x * (1 - m) - m,
            "1 is white; in -1..1 the grey of the hole is 0.": x * (1 - m) + m,
            "subtracting the mask makes the hole darker; multiply by 1 - m.": x - m,
            "in -1..1 the grey of the hole is 0, not one half.": x * (1 - m) + m / 2,
        },
        "x ⊙ (1 − m): the picture where m is 0, and 0 where m is 1.",
    )


@attempted
def check_nine_channels(nine_channels: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 07: what the inpainting UNet sees, for both halves of guidance."""
    z = torch.arange(24.0).reshape(1, 4, 2, 3)
    small, kept = 50 + torch.arange(6.0).reshape(1, 1, 2, 3), -1 - z
    nine = torch.cat([z, small, kept], dim=1)

    def twice(*parts):
        return torch.cat([torch.cat(parts, dim=1)] * 2)

    expect_tensor(
        nine_channels(z, small, kept),
        torch.cat([nine, nine]),
        {
            "guidance asks twice: give the nine channels two times, as a batch of 2.": nine,
            "the second time is another picture of the batch: dim=0.": torch.cat([nine] * 2, dim=1),
            "the mask comes before the kept latents.": twice(z, kept, small),
            "the noisy latents come first.": twice(small, kept, z),
            "the noisy latents come first, then the mask.": twice(kept, small, z),
            "the noisy latents come before the mask.": twice(small, z, kept),
        },
        "noisy latents, mask, kept latents along dim=1; then the whole twice along dim=0.",
    )


@attempted
def check_paste(paste: Callable) -> None:
    """Notebook 07: the painted picture inside the mask, the old one outside."""
    picture = torch.arange(18, dtype=torch.uint8).reshape(2, 3, 3)
    painted, mask = 200 + picture, torch.tensor([[True, False, False], [False, True, False]])
    given = paste(picture, painted, mask)
    m = mask[..., None].int()
    expect_tensor(
        given,
        torch.where(mask[..., None], painted, picture),
        {
            "inside and outside are exchanged: True is to be painted.": torch.where(
                mask[..., None], picture, painted
            ),
            "that is the painted picture: outside the mask, take the old one.": painted,
            "that is the old picture: inside the mask, take the painted one.": picture,
            "outside the mask stands black: add the old picture there.": painted * m,
            "that is the sum: inside the mask the old picture must go.": picture + painted * m,
            "half and half is not kept: take the one or the other.": (picture.int() + painted) // 2,
        },
        "painted where the mask is True, the picture elsewhere.",
    )
    if given.dtype != torch.uint8:
        raise AssertionError(f"you gave {given.dtype}: a picture's bytes are torch.uint8.")


class _LoudScheduler(_Img2ImgScheduler):
    """The same, and there is noise at timestep 0, too."""

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        return super().add_noise(original_samples, noise, timesteps) + noise


@attempted
def check_keep_the_rest(keep_the_rest: Callable) -> None:
    """Notebook 07: the step that lets any UNet inpaint."""
    z, z0, eps = (torch.full((1, 4, 2, 2), value) for value in (7.0, 3.0, 0.5))
    hole = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    scheduler, t = _LoudScheduler(), torch.tensor([3])

    def mixed(inside: Tensor, outside: Tensor) -> Tensor:
        return hole * inside + (1 - hole) * outside

    known = z0 + 4 * eps
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, t),
        mixed(z, known),
        {
            "inside and outside are exchanged: hole is 1 where the UNet paints.": mixed(known, z),
            "the kept part must be as noisy as the rest: scheduler.add_noise.": mixed(z, z0),
            "nothing is kept: outside the hole put the noisy picture.": z,
            "nothing is painted: inside the hole leave z.": known,
            "add the noise to z0, not to z.": mixed(z, z + 4 * eps),
            "z0 comes first in add_noise, then the noise.": mixed(z, eps + 4 * z0),
            "inside the hole z has its noise already.": mixed(z + 4 * eps, known),
        },
        "hole ⊙ z + (1 − hole) ⊙ add_noise(z0, eps, t).",
    )
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, torch.tensor([0])),
        mixed(z, z0 + eps),
        {},
        "timestep 0 is no end: only None is (`if t is None`, not `if not t`).",
    )
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, None),
        mixed(z, z0),
        {},
        "after the last step t is None: there is no noise left, the picture itself is kept.",
    )


@attempted
def check_relative_error(relative_error: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 08: how wrong estimated depth is."""
    predicted, truth = torch.tensor([[5.0, 2.0], [1.0, 0.5]]), torch.tensor([[2.0, 4.0], [8.0, 25]])
    metres = 10 / predicted  # 2, 5, 10, 20
    difference = metres - truth
    expect_number(
        relative_error(predicted, truth),
        float((difference.abs() / truth).mean()),
        {
            "predicted is 10 / metres: turn it round first.": float(
                ((predicted - truth).abs() / truth).mean()
            ),
            "predicted is 10 / metres, not 1 / metres.": float(
                ((1 / predicted - truth).abs() / truth).mean()
            ),
            "too near and too far must not cancel: take the absolute value.": float(
                (difference / truth).mean()
            ),
            "relative to the true distance: divide by it.": float(difference.abs().mean()),
            "relative to the true distance, not to the estimated one.": float(
                (difference.abs() / metres).mean()
            ),
            "divide each difference by its own distance, then take the mean.": float(
                difference.abs().mean() / truth.mean()
            ),
        },
        "the mean of |d̂ − d| / d, with d̂ = 10 / predicted.",
    )


@attempted
def check_normalised(normalised: Callable[[Tensor], Tensor]) -> None:
    """Notebook 08: inverse depth to -1..1, each picture for itself."""
    seen = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]], [[[10.0, 20.0], [20.0, 30.0]]]])
    low, high = (f(seen, dim=(2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    part = (seen - low) / (high - low)
    expect_tensor(
        normalised(seen),
        2 * part - 1,
        {
            "that is 0 to 1: times 2, minus 1.": part,
            "that is 0 to 2: subtract 1.": 2 * part,
            "the nearest must become 1, the farthest -1.": 1 - 2 * part,
            "each picture for itself: amin and amax over height and width only.": 2
            * (seen - seen.min())
            / (seen.max() - seen.min())
            - 1,
            "the smallest must become -1: subtract it before you divide.": 2 * seen / high - 1,
            "divide by the range, largest minus smallest.": 2 * (seen - low) / high - 1,
        },
        "2 · (seen − smallest) / (largest − smallest) − 1, for each picture.",
    )


@attempted
def check_five_channels(five_channels: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 08: what the depth UNet sees, for two pictures and both halves of guidance."""
    z = torch.arange(48.0).reshape(2, 4, 2, 3)
    depth = torch.linspace(-1, 1, 12).reshape(2, 1, 2, 3)
    five = torch.cat([z, depth], dim=1)
    expect_tensor(
        five_channels(z, depth),
        torch.cat([five, five]),
        {
            "guidance asks twice: give the five channels two times.": five,
            "first all pictures without the prompt, then all with it: 1, 2, 1, 2.": (
                five.repeat_interleave(2, dim=0)
            ),
            "the latents come first, then the depth.": torch.cat(
                [torch.cat([depth, z], dim=1)] * 2
            ),
            "the second time is another part of the batch: dim=0.": torch.cat([five] * 2, dim=1),
        },
        "latents and depth along dim=1, then the whole twice along dim=0.",
    )


@attempted
def check_likeness(likeness: Callable[[Tensor, Tensor], float]) -> None:
    """Notebook 08: the correlation of two depth maps."""
    a, b = torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.tensor([[2.0, 1.0], [5.0, 12.0]])
    p, q = a - a.mean(), b - b.mean()
    wanted = (p * q).mean() / (p.square().mean() * q.square().mean()).sqrt()
    expect_number(
        likeness(a, b),
        float(wanted),
        {
            "torch's std divides by n − 1 here: take std(correction=0).": float(wanted * 3 / 4),
            "that is the covariance: divide by both standard deviations.": float((p * q).mean()),
            "subtract the means first: only differences count.": float(
                (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()
            ),
            "divide by the standard deviations, not by the variances.": float(
                (p * q).mean() / (p.square().mean() * q.square().mean())
            ),
            "that is its square: layouts that are turned round would look alike.": float(wanted**2),
            "the mean of the products, not their sum.": float(
                (p * q).sum() / (p.square().mean() * q.square().mean()).sqrt()
            ),
        },
        "mean((a − ā)(b − b̄)) / (σ_a · σ_b).",
    )
    expect_number(likeness(a, -3 * a + 1), -1.0, {}, "near and far exchanged is -1.")


@attempted
def check_attention_of_head(attention_of_head: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 09: softmax(q kᵀ / √d)."""
    q = torch.tensor([[1.0, 0, 2, -1], [0, 3, 1, 1]])
    k = torch.tensor([[2.0, 1, 0, 1], [0, 1, 1, 0], [-1, 0, 2, 1]])
    scores = q @ k.T  # d = 4: √d = 2
    expect_tensor(
        attention_of_head(q, k),
        (scores / 2).softmax(dim=-1),
        {
            "divide the scores by √d before the softmax.": scores.softmax(dim=-1),
            "divide by √d, not by d.": (scores / 4).softmax(dim=-1),
            "d is the width of a query, not their number: q.shape[-1].": (
                (scores / 2**0.5).softmax(dim=-1)
            ),
            "d is the width of a query, not the number of tokens: q.shape[-1].": (
                (scores / 3**0.5).softmax(dim=-1)
            ),
            "each place divides among the tokens: softmax along dim=-1.": (
                (scores / 2).softmax(dim=0)
            ),
            "those are the scores: the softmax is missing.": scores / 2,
            "divide before the softmax, not after it.": scores.softmax(dim=-1) / 2,
            "a row for each place, a column for each token: q @ k.T.": (
                (scores.T / 2).softmax(dim=-1)
            ),
        },
        "softmax(q kᵀ / √d) along the tokens.",
    )


@attempted
def check_map_of_word(map_of_word: Callable) -> None:
    """Notebook 09: a word's map, from recorded attention."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(2, 3, 4, 6, 8, generator=generator)  # (steps, layers, heads, 2 · 3, L)
    shares = seen[..., [2, 5]].sum(dim=-1)  # (steps, layers, heads, 2 · 3)
    one = shares.mean(dim=(0, 1, 2))
    expect_tensor(
        map_of_word(seen, [2, 5], (2, 3)),
        one.view(2, 3),
        {
            "the shares of a word's tokens are added, not averaged.": one.view(2, 3) / 2,
            "take all tokens of the word, not the first alone.": (
                seen[..., 2].mean(dim=(0, 1, 2)).view(2, 3)
            ),
            "take all tokens of the word, not the last alone.": (
                seen[..., 5].mean(dim=(0, 1, 2)).view(2, 3)
            ),
            "take the mean over steps, layers and heads, not the sum.": 24 * one.view(2, 3),
            "fold it at the end: view(size).": one,
            "size is (h, w): h rows of w places.": one.view(3, 2),
            "the places go along the rows: view(2, 3), not view(3, 2).T.": one.view(3, 2).T,
            "that is one step: take the mean over all.": shares[-1].mean(dim=(0, 1)).view(2, 3),
            "that is the first step: take the mean over all.": (
                shares[0].mean(dim=(0, 1)).view(2, 3)
            ),
        },
        "add the columns, average the first three dimensions, fold what is left.",
    )


@attempted
def check_turn_tokens(turn_tokens: Callable) -> None:
    """Notebook 09: re-weighted attention whose rows sum to 1."""
    probs = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]]])
    weights = torch.tensor([1.0, 3.0, 3.0])
    turned = probs * weights
    expect_tensor(
        turn_tokens(probs, [1, 2], 3.0),
        turned / turned.sum(dim=-1, keepdim=True),
        {
            "each row must sum to 1 again: divide by its sum.": turned,
            "nothing has changed: multiply the columns by the factor.": probs,
            "a row is one place and all its tokens: sum along dim=-1.": (
                turned / turned.sum(dim=-2, keepdim=True)
            ),
            "each row has a sum of its own: sum along dim=-1.": turned / turned.sum(),
            "the wrong way round: these columns are multiplied, not divided, and not the others.": (
                _share_of(probs / weights)
            ),
            "multiply all of the columns, not the first alone.": _share_of(
                probs * torch.tensor([1.0, 3.0, 1.0])
            ),
            "divide by the sum; a second softmax makes all of it even.": turned.softmax(dim=-1),
            "the factor multiplies; it is not added.": _share_of(
                probs + torch.tensor([0.0, 3.0, 3.0])
            ),
        },
        "multiply the columns by the factor, then divide each row by its sum.",
    )
    expect_tensor(
        turn_tokens(probs, [0], 0.0),
        _share_of(probs * torch.tensor([0.0, 1.0, 1.0])),
        {},
        "a factor of 0 silences a token, and the others share its part.",
    )


def _share_of(weights: Tensor) -> Tensor:
    """Rows made to sum to 1."""
    return weights / weights.sum(dim=-1, keepdim=True)


@attempted
def check_noise_loss(noise_loss: Callable) -> None:
    """Notebook 10: the loss of a batch of two, for a network that gives back what it sees."""
    x0 = torch.tensor([[1.0, 2.0], [3.0, -1.0]])[..., None, None]  # (2, 2, 1, 1)
    eps = torch.tensor([[0.5, -1.0], [2.0, 0.0]])[..., None, None]
    alpha_bar, t = torch.tensor([0.9, 0.64, 0.36, 0.04]), torch.tensor([2, 1])
    a = alpha_bar[t][:, None, None, None]
    heard = torch.tensor([[[2.0]], [[3.0]]])  # (2, 1, 1): what the network is to hear
    asked = []

    def model(xt: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked.append((xt, t, c))
        return xt * c[..., None]

    def error(xt: Tensor, target: Tensor) -> Tensor:
        return xt * heard[..., None] - target

    xt = a.sqrt() * x0 + (1 - a).sqrt() * eps
    right = error(xt, eps).square()
    given = torch.as_tensor(noise_loss(model, x0, eps, t, heard, alpha_bar))
    if not asked:
        raise AssertionError("the network was not asked: model(xt, t, c).")
    expect_tensor(
        given,
        right.mean(),
        {
            "the network is to find the noise: compare with eps, not with x0.": error(xt, x0)
            .square()
            .mean(),
            "compare with eps, not with the noisy latents.": error(xt, xt).square().mean(),
            "mean squared error: square the difference.": error(xt, eps).abs().mean(),
            "the mean over all numbers, not their sum.": right.sum(),
            "a loss is one number: take the mean.": right,
            "the mean of the squares; no root of it.": right.mean().sqrt(),
            "take the square roots of ᾱ and of 1 − ᾱ.": error(a * x0 + (1 - a) * eps, eps)
            .square()
            .mean(),
            "√ᾱ goes with x0, √(1 − ᾱ) with eps.": error((1 - a).sqrt() * x0 + a.sqrt() * eps, eps)
            .square()
            .mean(),
            "show the network the noisy latents, not the clean ones.": error(x0, eps)
            .square()
            .mean(),
        },
        "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε, ask the network, mean squared error to ε.",
    )


@attempted
def check_moving_average(moving_average: Callable) -> None:
    """Notebook 10: one step of the running average of weights."""
    average, weights = torch.tensor([1.0, -2.0]), torch.tensor([5.0, 2.0])
    expect_tensor(
        moving_average(average, weights, 0.75),
        torch.tensor([2.0, -1.0]),
        {
            "decay is the share of the old average: it is near 1.": torch.tensor([4.0, 1.0]),
            "the new weights count 1 − decay: the shares add up to 1.": torch.tensor([5.75, 0.5]),
            "the old average counts decay, not all of it.": torch.tensor([2.25, -1.5]),
            "those are the new weights: nothing is averaged.": weights,
            "nothing has moved: add a part of the new weights.": average,
            "that is the plain mean: use decay.": torch.tensor([3.0, 0.0]),
        },
        "decay · average + (1 − decay) · weights.",
    )


@attempted
def check_velocity(velocity: Callable) -> None:
    """Notebook 10: the target of v-prediction, for two pictures."""
    x0, eps, a = _velocity_example()
    expect_tensor(
        velocity(x0, eps, torch.tensor([0.36, 0.64])),
        a.sqrt() * eps - (1 - a).sqrt() * x0,
        {
            "the other way round: the noise comes with a plus.": (1 - a).sqrt() * x0
            - a.sqrt() * eps,
            "√ᾱ goes with the noise here, √(1 − ᾱ) with x0.": (1 - a).sqrt() * eps - a.sqrt() * x0,
            "that is the noisy latents: v is at a right angle to them.": a.sqrt() * x0
            + (1 - a).sqrt() * eps,
            "subtract the second part.": a.sqrt() * eps + (1 - a).sqrt() * x0,
            "take the square roots of ᾱ and of 1 − ᾱ.": a * eps - (1 - a) * x0,
            "each part has its factor: √ᾱ and √(1 − ᾱ).": eps - x0,
        },
        "√ᾱ · ε − √(1 − ᾱ) · x0; a number for each picture: alpha_bar[:, None, None, None].",
    )


@attempted
def check_noise_from_velocity(noise_from_velocity: Callable) -> None:
    """Notebook 10: the noise that a velocity implies, for two pictures."""
    x0, eps, a = _velocity_example()
    xt, v = a.sqrt() * x0 + (1 - a).sqrt() * eps, a.sqrt() * eps - (1 - a).sqrt() * x0
    expect_tensor(
        noise_from_velocity(xt, v, torch.tensor([0.36, 0.64])),
        eps,
        {
            "that is x0: the noise takes √ᾱ of v and √(1 − ᾱ) of x_t, added.": x0,
            "add the two parts.": a.sqrt() * v - (1 - a).sqrt() * xt,
            "√ᾱ goes with v, √(1 − ᾱ) with x_t.": (1 - a).sqrt() * v + a.sqrt() * xt,
            "take the square roots of ᾱ and of 1 − ᾱ.": a * v + (1 - a) * xt,
            "the other sign: √ᾱ v + √(1 − ᾱ) x_t.": (1 - a).sqrt() * xt - a.sqrt() * v,
            "that is v itself: x_t is needed, too.": v,
        },
        "√ᾱ · v + √(1 − ᾱ) · x_t.",
    )


def _velocity_example() -> tuple[Tensor, Tensor, Tensor]:
    """Clean latents, noise, and the signal share of two pictures, ready to be multiplied."""
    x0 = torch.tensor([[1.0, 2.0], [3.0, -1.0]])[..., None, None]
    eps = torch.tensor([[0.5, -1.0], [2.0, 0.25]])[..., None, None]
    return x0, eps, torch.tensor([0.36, 0.64])[:, None, None, None]


@attempted
def check_times_seen(times_seen: Callable) -> None:
    """Notebook 10: how often a run sees each of its examples."""
    expect_number(
        times_seen(600, 16, 2, 240),
        80.0,
        {
            "every process has a batch of its own: multiply by processes.": 40.0,
            "the batch is for each process, not for all: multiply, do not divide.": 20.0,
            "that is how many pictures are seen in all: divide by the examples.": 19_200.0,
            "a step sees a whole batch: multiply by it.": 5.0,
            "examples divides.": 0.0125,
        },
        "steps · batch · processes / examples.",
    )
    expect_number(
        times_seen(100, 8, 1, 3200),
        0.25,
        {"// rounds down: a quarter is not nothing. Divide with /.": 0.0},
        "steps · batch · processes / examples; less than once is possible.",
    )
