"""Every exercise check takes the solution and refuses plausible wrong answers by name."""

import math
import traceback

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import checks, img2img, pipeline, text


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


def denoise_by_keywords(pipe, context, z, steps, g):
    """The same, called as diffusers' own pipelines call their parts."""
    scheduler = pipe.scheduler
    scheduler.set_timesteps(num_inference_steps=steps, device=pipe.device)
    z = z * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        x = scheduler.scale_model_input(sample=torch.cat([z, z]), timestep=t)
        eps = pipe.unet(sample=x, timestep=t, encoder_hidden_states=context)[0]
        u, c = eps.chunk(2)
        z = scheduler.step(model_output=u + g * (c - u), timestep=t, sample=z)[0]
    return z


def denoise_with_tuples(pipe, context, z, steps, g):
    """The same, with `return_dict=False`, and the two answers one after the other."""
    pipe.scheduler.set_timesteps(steps)
    z = z * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        x = pipe.scheduler.scale_model_input(z, t)
        (u,), (c,) = (
            pipe.unet(x, t, encoder_hidden_states=part, return_dict=False)
            for part in context.chunk(2)
        )
        (z,) = pipe.scheduler.step(u + g * (c - u), int(t), z, return_dict=False)
    return z


def heun_step(x, slope, sigma, sigma_next):
    length = sigma_next - sigma
    first = slope(x, sigma)
    return x + length * (first + slope(x + length * first, sigma_next)) / 2


def prepare(scheduler, z0, eps, n, strength):
    scheduler.set_timesteps(n)
    left = scheduler.timesteps[n - int(n * strength) :]
    return (scheduler.add_noise(z0, eps, left[:1]) if len(left) else z0), left


def prepare_wrong(mistake):
    """What goes before the Img2Img loop, with one thing wrong."""

    def answer(scheduler, z0, eps, n, strength):
        z, left = prepare(scheduler, z0, eps, n, strength)
        every, k, noise = scheduler.timesteps, int(n * strength), scheduler.add_noise
        return {
            "all": lambda: (noise(z0, eps, every[:1]), every),
            "wrong end": lambda: (noise(z0, eps, every[:1]), every[: n - k]),
            "one too few": lambda: (noise(z0, eps, left[1:2]), left[1:]),
            "one too many": lambda: (z, every[n - k - 1 :]),
            "no noise": lambda: (z0, left),
            "most noise": lambda: (noise(z0, eps, every[:1]), left),
            "least noise": lambda: (noise(z0, eps, every[-1:]), left),
            "next noise": lambda: (noise(z0, eps, left[1:2]), left),
            "scaled": lambda: (z * scheduler.init_noise_sigma, left),
            "exchanged": lambda: (noise(eps, z0, left[:1]), left),
            "no tensor": lambda: (noise(z0, eps, 5), left),
            "latents alone": lambda: z,
            "rounded": lambda: (z, every[n - math.ceil(n * strength) :]),
            "minus nothing": lambda: (z, every[-k:]),
            "always noise": lambda: (noise(z0, eps, (left if k else every)[:1]), left),
        }[mistake]()

    return answer


def repainted(pipe, context, z0, eps, n, strength, g, mistake=""):
    """The Img2Img loop, with one mistake."""
    scheduler = pipe.scheduler
    z, left = prepare(scheduler, z0, eps, n, 1.0 if mistake == "strength" else strength)
    every = scheduler.timesteps
    z = z0 if mistake == "noise" else z
    z = scheduler.add_noise(z0, eps, every[:1]) if mistake == "first" else z
    z = z * scheduler.init_noise_sigma if mistake == "sigma" else z
    for t in every if mistake == "skip" else left:
        x = torch.cat([z, z])
        x = x if mistake == "scale" else scheduler.scale_model_input(x, t)
        u, c = pipe.unet(x, t, context).sample.chunk(2)
        u, c = (c, u) if mistake == "swapped" else (u, c)
        z = scheduler.step(c if mistake == "guidance" else u + g * (c - u), t, z).prev_sample
    return z


def repainted_by_keywords(pipe, context, z0, eps, n, strength, g):
    scheduler = pipe.scheduler
    scheduler.set_timesteps(n)
    left = scheduler.timesteps[n - int(n * strength) :]
    z = scheduler.add_noise(original_samples=z0, noise=eps, timesteps=left[:1])
    for t in left:
        x = scheduler.scale_model_input(torch.cat([z, z]), t)
        u, c = pipe.unet(x, t, encoder_hidden_states=context, return_dict=False)[0].chunk(2)
        z = scheduler.step(u + g * (c - u), t, z).prev_sample
    return z


def repainted_by_the_module(pipe, context, z0, eps, n, strength, g):
    timesteps = img2img.last_timesteps(pipe.scheduler, n, strength)
    z = pipe.scheduler.add_noise(z0, eps, timesteps[:1])
    return pipeline.denoise(pipe, z, timesteps, context, g)


def attention_of_head(q, k, scale=None, dim=-1):
    return (q @ k.T / (scale or q.shape[-1] ** 0.5)).softmax(dim=dim)


def map_of_word(seen, columns, size):
    return seen[..., columns].sum(dim=-1).mean(dim=(0, 1, 2)).view(size)


def turned(probs, columns, factor):
    weights = torch.ones(probs.shape[-1])
    weights[columns] = factor
    return probs * weights


def turn_tokens(probs, columns, factor, dim=-1):
    return turned(probs, columns, factor) / turned(probs, columns, factor).sum(dim, keepdim=True)


def turn_the_others(probs, columns, factor):
    others = [j for j in range(probs.shape[-1]) if j not in columns]
    return turn_tokens(probs, others, factor)


def turn_by_sum(probs, columns, factor):
    added = probs.clone()
    added[..., columns] += factor
    return added / added.sum(dim=-1, keepdim=True)


def turn_one_way(probs, columns, factor):
    """Right for a factor that is not 0."""
    return (probs.log() + turned(torch.ones_like(probs), columns, factor or 1).log()).softmax(-1)


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
            (lambda module, bytes_each: parameters(module) * bytes_each * 8 / 1e6, "not bytes"),
            (lambda module, bytes_each: parameters(module) * bytes_each / 2**20, "MiB"),
            (lambda module, bytes_each: parameters(module) * bytes_each // 1_000_000, "//"),
            (lambda module, bytes_each: round(parameters(module) * bytes_each / 1e6), "round"),
        ],
    ),
    (
        checks.check_latents_seen,
        lambda steps, guidance: steps * (2 if guidance else 1),
        [
            (lambda steps, guidance: steps, "asks twice"),
            (lambda steps, guidance: steps + 1, "PNDM"),
            (lambda steps, guidance: steps**2, "square"),
            (lambda steps, guidance: 2 * steps, "asks once"),
            (lambda steps, guidance: steps * (2.0 if guidance else 1.0), "whole numbers"),
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
            (lambda height, width: (8.0 * (height // 8), 8.0 * (width // 8)), "whole numbers"),
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
            (lambda length: torch.ones(77, 77).bool().tril(), r"shape \(77, 77\)"),
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
            (lambda eps, g: eps[0] + g * (eps[1] - eps[0]), "use chunk"),
            (lambda eps, g: eps[:1] + g * (eps[1:2] - eps[:1]), "use chunk"),
            (lambda eps, g: eps[::2] + g * (eps[1::2] - eps[::2]), "use chunk"),
            (lambda eps, g: eps.chunk(2), "give a tensor"),
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
            (lambda *a: (denoise(*a),), "give the latents"),
        ],
    ),
]
ANSWERS += [
    (
        checks.check_join_skip,
        lambda x, skip: torch.cat([x, skip], dim=1),
        [
            (lambda x, skip: x + skip, "side by side"),
            (lambda x, skip: torch.cat([x, skip]), "joins the batches"),
            (lambda x, skip: torch.cat([x, skip], dim=2), "joins the heights"),
            (lambda x, skip: torch.cat([x, skip], dim=-1), "joins the widths"),
            (lambda x, skip: torch.cat([skip, x], dim=1), "x comes first"),
            (lambda x, skip: [x, skip], "give a tensor"),
            (lambda x, skip: x, "the channels of x, then"),
        ],
    ),
    (
        checks.check_map_sizes,
        lambda size, blocks: [size // 2**i for i in range(blocks)],
        [
            (lambda size, blocks: [size // 2**i for i in range(blocks + 1)], "does not shrink"),
            (
                lambda size, blocks: [size // 2 ** (i + 1) for i in range(blocks)],
                "works at the size",
            ),
            (lambda size, blocks: [32, 16, 8, 8], "what the blocks give"),
            (lambda size, blocks: [size // 2**i for i in range(blocks)][::-1], "the way up"),
            (lambda size, blocks: [64, 48, 32, 16], "half as large"),
            (lambda size, blocks: [size / 2**i for i in range(blocks)], "with //"),
            (lambda size, blocks: tuple(size // 2**i for i in range(blocks)), "give a list"),
            (lambda size, blocks: [64, 32, 16, 8], "every size"),
        ],
    ),
    (
        checks.check_implied_noise,
        lambda xt, x0, a: (xt - a.sqrt() * x0) / (1 - a).sqrt(),
        [
            (lambda xt, x0, a: (xt - a * x0) / (1 - a), "square root"),
            (lambda xt, x0, a: xt - a.sqrt() * x0, "divide"),
            (lambda xt, x0, a: (xt - x0) / (1 - a).sqrt(), "made smaller, too"),
            (lambda xt, x0, a: (xt - (1 - a).sqrt() * x0) / a.sqrt(), "exchanged"),
            (lambda xt, x0, a: (xt + a.sqrt() * x0) / (1 - a).sqrt(), "in xt already"),
            (lambda xt, x0, a: xt, "√"),
        ],
    ),
    (
        checks.check_extra_parameters,
        lambda channels: (channels - 4) * 320 * 3 * 3,
        [
            (lambda channels: channels * 320 * 9, "four channels are there already"),
            (lambda channels: channels * 320 * 9 + 320, "count what is new"),
            (lambda channels: (channels - 4) * 320 * 9 + 320, "one bias"),
            (lambda channels: (channels - 4) * 320, "nine numbers"),
            (lambda channels: (channels - 4) * 320 * 3, "not 3"),
            (lambda channels: (channels - 4) * 9, "kernels of its own"),
            (lambda channels: (channels - 4) * 320 * 9.0, "whole numbers"),
            (lambda channels: 14_400, "any number of channels"),
        ],
    ),
    (
        checks.check_snr,
        lambda a: a / (1 - a),
        [
            (lambda a: (1 - a) / a, "turn it round"),
            (lambda a: (a / (1 - a)).sqrt(), "no square root"),
            (lambda a: ((1 - a) / a).sqrt(), "that is sigma"),
            (lambda a: a, "share of the signal"),
            (lambda a: 10 * (a / (1 - a)).log10(), "decibels"),
        ],
    ),
    (
        checks.check_timesteps,
        lambda steps: [1 + i * (1000 // steps) for i in reversed(range(steps))],
        [
            (lambda steps: [i * (1000 // steps) for i in reversed(range(steps))], "steps_offset"),
            (lambda steps: [1 + i * (1000 // steps) for i in range(steps)], "largest comes first"),
            (lambda steps: [i * (1000 // steps) for i in range(steps)], "and steps_offset"),
            (lambda steps: [999 - i * (1000 // steps) for i in range(steps)], "trailing"),
            (lambda steps: [999 - i * 333 for i in range(steps)], "linspace"),
            (lambda steps: [1001 - i * (1000 // steps) for i in range(steps)], "above 999"),
            (lambda steps: [steps - i for i in range(steps)], "go up to 999"),
            (lambda steps: range(751, 0, -250), "give a list"),
            (lambda steps: [round(1 + i * 1000 / steps) for i in reversed(range(steps))], "whole"),
            (lambda steps: [*range(1, 1000, 1000 // steps)][::-1], "exactly"),
            (lambda steps: [int(1 + i * 1000 / steps) for i in reversed(range(steps))], "exactly"),
        ],
    ),
    (
        checks.check_heun_step,
        heun_step,
        [
            (lambda x, d, s, n: x + (n - s) * d(x, s), "Euler's"),
            (
                lambda x, d, s, n: x + (s - n) * (d(x, s) + d(x + (s - n) * d(x, s), n)) / 2,
                "wrong way",
            ),
            (lambda x, d, s, n: x + (n - s) * d(x + (n - s) * d(x, s), n), "end's slope alone"),
            (lambda x, d, s, n: 2 * heun_step(x, d, s, n) - x, "divide their sum"),
            (lambda x, d, s, n: heun_step(x, d, s, n) + (n - s) * d(x, s), "from x again"),
            (lambda x, d, s, n: heun_step(x, lambda y, _: d(y, s), s, n), "at sigma_next"),
            (lambda x, d, s, n: x + (n - s) * (d(x, s) + d(x, n)) / 2, "not at x"),
            (
                lambda x, d, s, n: x + (n - s) * d(x + (n - s) / 2 * d(x, s), (s + n) / 2),
                "midpoint",
            ),
        ],
    ),
    (
        checks.check_order,
        lambda once, twice: math.log2(once / twice),
        [
            (lambda once, twice: once / twice, "to which power"),
            (lambda once, twice: math.log(once / twice), "base 2"),
            (lambda once, twice: math.log10(once / twice), "base 10"),
            (lambda once, twice: math.log2(twice / once), "divide it by the second"),
            (lambda once, twice: once - twice, "by their ratio"),
        ],
    ),
]
ANSWERS += [
    (
        checks.check_steps_left,
        lambda n, strength: int(n * strength),
        [
            (lambda n, strength: n, "no effect"),
            (lambda n, strength: n - int(n * strength), "that are skipped"),
            (lambda n, strength: int(n * (1 - strength)), "about the steps that are skipped"),
            (lambda n, strength: round(n * strength), "round down"),
            (lambda n, strength: n * strength, "whole numbers"),
            (lambda n, strength: n * strength // 1, "int"),
            (lambda n, strength: n * int(strength), "round down at the end"),
            (lambda n, strength: max(1, int(n * strength)), "not even one"),
            (lambda n, strength: min(n - 1, int(n * strength)), "every step"),
        ],
    ),
    (
        checks.check_strength_for,
        lambda t, timesteps: sum(s <= t for s in timesteps) / len(timesteps),
        [
            (lambda t, timesteps: timesteps.index(t) / len(timesteps), "that is skipped"),
            (lambda t, timesteps: sum(s < t for s in timesteps) / len(timesteps), "count it"),
            (lambda t, timesteps: (sum(s <= t for s in timesteps) + 1) / len(timesteps), "from t"),
            (lambda t, timesteps: t / 1000, "no shares"),
            (lambda t, timesteps: t / timesteps[0], "not timesteps"),
            (lambda t, timesteps: sum(s <= t for s in timesteps), "divide"),
            (lambda t, timesteps: 0.8, "is strength 1"),
        ],
    ),
    (
        checks.check_prepare,
        prepare,
        [
            (prepare_wrong("all"), "those are all timesteps"),
            (prepare_wrong("wrong end"), "the ones to skip"),
            (prepare_wrong("one too few"), "one too few"),
            (prepare_wrong("one too many"), "one too many"),
            (prepare_wrong("no noise"), "noise is missing"),
            (prepare_wrong("most noise"), "first of all timesteps"),
            (prepare_wrong("least noise"), "last timestep"),
            (prepare_wrong("next noise"), "not the one before or after"),
            (prepare_wrong("scaled"), "no init_noise_sigma"),
            (prepare_wrong("exchanged"), "z0 comes first"),
            (prepare_wrong("no tensor"), "a tensor of shape"),
            (prepare_wrong("latents alone"), "two things"),
            (prepare_wrong("rounded"), "7.5 steps are 7"),
            (prepare_wrong("minus nothing"), "leaves no step"),
            (prepare_wrong("always noise"), "stay as they are"),
        ],
    ),
    (
        checks.check_repainted,
        repainted,
        [
            (lambda *a: repainted(*a, mistake="noise"), "put noise on the latents"),
            (lambda *a: repainted(*a, mistake="first"), "not of all"),
            (lambda *a: repainted(*a, mistake="skip"), "not through all"),
            (lambda *a: repainted(*a, mistake="sigma"), "no init_noise_sigma"),
            (lambda *a: repainted(*a, mistake="scale"), "scale_model_input"),
            (lambda *a: repainted(*a, mistake="swapped"), "negative prompt first"),
            (lambda *a: repainted(*a, mistake="guidance"), "combine"),
            (lambda *a: repainted(*a, mistake="strength"), "strength has no effect"),
            (lambda *a: torch.cat([repainted(*a)] * 2), "shape"),
        ],
    ),
]


def twice(*parts):
    return torch.cat([torch.cat(parts, dim=1)] * 2)


def keep_the_rest(scheduler, z, z0, eps, hole, t, mistake=""):
    """The step of four-channel inpainting, with one thing wrong."""
    known = z0 if t is None else scheduler.add_noise(z0, eps, t)
    if mistake == "clean":
        known = z0
    if mistake == "exchanged":
        return (1 - hole) * z + hole * known
    return hole * z + (1 - hole) * known


def noise_always(scheduler, z, z0, eps, hole, t):
    return keep_the_rest(scheduler, z, z0, eps, hole, torch.tensor([4]) if t is None else t)


def relative_error(predicted, truth, d=lambda p: 10 / p):
    return float(((d(predicted) - truth).abs() / truth).mean())


def normalised(seen, dim=(2, 3)):
    low, high = seen.amin(dim=dim, keepdim=True), seen.amax(dim=dim, keepdim=True)
    return 2 * (seen - low) / (high - low) - 1


def covariance(a, b):
    return ((a - a.mean()) * (b - b.mean())).mean()


def likeness(a, b):
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


ANSWERS += [
    (
        checks.check_cut_out,
        lambda x, m: torch.where(m.bool(), 0.0, x),
        [
            (lambda x, m: x * m, "hole without the picture"),
            (lambda x, m: torch.where(m.bool(), -1.0, x), "-1 is black"),
            (lambda x, m: torch.where(m.bool(), 1.0, x), "1 is white"),
            (lambda x, m: x - m, "subtracting"),
            (lambda x, m: torch.where(m.bool(), 0.5, x), "not one half"),
            (lambda x, m: x, "0 where m is 1"),
            (lambda x, m: x.zero_(), "0 where m is 1"),
        ],
    ),
    (
        checks.check_nine_channels,
        lambda z, small, kept: torch.cat([z, small, kept], dim=1).repeat(2, 1, 1, 1),
        [
            (lambda z, small, kept: torch.cat([z, small, kept], dim=1), "asks twice"),
            (lambda z, small, kept: torch.cat([z, small, kept] * 2, dim=1), "dim=0"),
            (lambda z, small, kept: twice(z, kept, small), "mask comes before"),
            (lambda z, small, kept: twice(small, kept, z), "noisy latents come first"),
            (lambda z, small, kept: twice(kept, small, z), "then the mask"),
            (lambda z, small, kept: twice(small, z, kept), "come before the mask"),
            (lambda z, small, kept: twice(z, kept), "along dim=1"),
            (lambda z, small, kept: twice(z.flip(1), small, kept), "along dim=1"),
        ],
    ),
    (
        checks.check_paste,
        lambda picture, painted, mask: torch.where(mask[..., None], painted, picture),
        [
            (lambda p, q, mask: torch.where(mask[..., None], p, q), "exchanged"),
            (lambda p, q, mask: q, "outside the mask, take the old"),
            (lambda p, q, mask: p.copy_(q), "outside the mask, take the old"),
            (lambda p, q, mask: p, "inside the mask, take"),
            (lambda p, q, mask: q * mask[..., None], "stands black"),
            (lambda p, q, mask: p + q * mask[..., None], "that is the sum"),
            (lambda p, q, mask: ((p.int() + q) // 2).byte(), "half and half"),
            (lambda p, q, mask: torch.where(mask[..., None], q, p).float(), "uint8"),
        ],
    ),
    (
        checks.check_keep_the_rest,
        keep_the_rest,
        [
            (lambda *a: keep_the_rest(*a, mistake="exchanged"), "exchanged"),
            (lambda *a: keep_the_rest(*a, mistake="clean"), "as noisy as the rest"),
            (lambda s, z, z0, eps, hole, t: z, "nothing is kept"),
            (lambda s, z, z0, eps, hole, t: s.add_noise(z0, eps, t), "nothing is painted"),
            (lambda s, z, z0, eps, hole, t: keep_the_rest(s, z, z, eps, hole, t), "not to z"),
            (lambda s, z, z0, eps, hole, t: keep_the_rest(s, z, eps, z0, hole, t), "comes first"),
            (noise_always, "no noise left"),
            (
                lambda s, z, z0, eps, hole, t: hole * z + (1 - hole) * s.add_noise(z0, eps, t),
                "t is None",
            ),
            (
                lambda s, z, z0, eps, hole, t: keep_the_rest(s, z, z0, eps, hole, t if t else None),
                "timestep 0",
            ),
            (lambda s, z, z0, eps, hole, t: z.copy_(z0), "picture|noisy|expected"),
        ],
    ),
    (
        checks.check_relative_error,
        relative_error,
        [
            (lambda p, d: relative_error(p, d, lambda p: p), "turn it round"),
            (lambda p, d: relative_error(p, d, lambda p: 1 / p), "not 1 / metres"),
            (lambda p, d: float(((10 / p - d) / d).mean()), "absolute value"),
            (lambda p, d: float((10 / p - d).abs().mean()), "divide by it"),
            (lambda p, d: float(((10 / p - d).abs() / (10 / p)).mean()), "estimated"),
            (lambda p, d: float((10 / p - d).abs().mean() / d.mean()), "own distance"),
        ],
    ),
    (
        checks.check_normalised,
        normalised,
        [
            (lambda seen: (normalised(seen) + 1) / 2, "0 to 1"),
            (lambda seen: normalised(seen) + 1, "0 to 2"),
            (lambda seen: -normalised(seen), "nearest must become 1"),
            (lambda seen: normalised(seen, (0, 1, 2, 3)), "for itself"),
            (lambda seen: 2 * seen / seen.amax(dim=(2, 3), keepdim=True) - 1, "before you divide"),
            (lambda seen: seen, "smallest"),
        ],
    ),
    (
        checks.check_five_channels,
        twice,
        [
            (lambda z, depth: torch.cat([z, depth], dim=1), "asks twice"),
            (lambda z, d: torch.cat([z, d], dim=1).repeat_interleave(2, dim=0), "1, 2, 1, 2"),
            (lambda z, depth: twice(depth, z), "latents come first"),
            (lambda z, depth: torch.cat([z, depth] * 2, dim=1), "dim=0"),
            (lambda z, depth: torch.cat([z, z]), "along dim=1"),
        ],
    ),
    (
        checks.check_likeness,
        likeness,
        [
            (covariance, "standard deviations"),
            (lambda a, b: torch.cosine_similarity(a.flatten(), b.flatten(), 0), "means first"),
            (lambda a, b: covariance(a, b) / (covariance(a, a) * covariance(b, b)), "variances"),
            (lambda a, b: likeness(a, b) ** 2, "square"),
            (lambda a, b: abs(likeness(a, b)), "exchanged"),
            (lambda a, b: 0.5, "expected"),
            (lambda a, b: covariance(a, b) / (a.std() * b.std()), "correction=0"),
        ],
    ),
    (
        checks.check_attention_of_head,
        attention_of_head,
        [
            (lambda q, k: attention_of_head(q, k, 1), "before the softmax"),
            (lambda q, k: attention_of_head(q, k, q.shape[-1]), "not by d"),
            (lambda q, k: attention_of_head(q, k, len(q) ** 0.5), "not their number"),
            (lambda q, k: attention_of_head(q, k, len(k) ** 0.5), "number of tokens"),
            (lambda q, k: attention_of_head(q, k, dim=0), "along dim=-1"),
            (lambda q, k: q @ k.T / q.shape[-1] ** 0.5, "softmax is missing"),
            (lambda q, k: attention_of_head(q, k, 1) / q.shape[-1] ** 0.5, "not after it"),
            (lambda q, k: attention_of_head(k, q), "a row for each place"),
            (lambda q, k: (q @ k.T).sigmoid(), "expected"),
        ],
    ),
    (
        checks.check_map_of_word,
        map_of_word,
        [
            (lambda m, j, size: m[..., j].mean(dim=(0, 1, 2, 4)).view(size), "not averaged"),
            (lambda m, j, size: map_of_word(m, j[:1], size), "first alone"),
            (lambda m, j, size: map_of_word(m, j[-1:], size), "last alone"),
            (lambda m, j, size: m[..., j].sum(dim=(0, 1, 2, 4)).view(size), "not the sum"),
            (lambda m, j, size: m[..., j].sum(dim=-1).mean(dim=(0, 1, 2)), "fold it"),
            (lambda m, j, size: map_of_word(m, j, size[::-1]), "h rows"),
            (lambda m, j, size: map_of_word(m, j, size[::-1]).T, "along the rows"),
            (lambda m, j, size: map_of_word(m[-1:], j, size), "one step"),
            (lambda m, j, size: map_of_word(m[:1], j, size), "first step"),
            (lambda m, j, size: map_of_word(m[:, :1], j, size), "first three dimensions"),
        ],
    ),
    (
        checks.check_turn_tokens,
        turn_tokens,
        [
            (turned, "divide by its sum"),
            (lambda probs, j, c: probs, "nothing has changed"),
            (lambda probs, j, c: turn_tokens(probs, j, c, dim=-2), "along dim=-1"),
            (lambda probs, j, c: turned(probs, j, c) / turned(probs, j, c).sum(), "its own"),
            (lambda probs, j, c: turn_tokens(probs, j, 1 / c), "not divided"),
            (turn_the_others, "wrong way round"),
            (lambda probs, j, c: turn_tokens(probs, j[:1], c), "first alone"),
            (lambda probs, j, c: turned(probs, j, c).softmax(-1), "second softmax"),
            (turn_by_sum, "not added"),
            (turn_one_way, "silences"),
        ],
    ),
]


def hand_loss(model, x0, eps, t, c, alpha_bar):
    """The loss of a diffusion model."""
    a = alpha_bar[t][:, None, None, None]
    return (model(a.sqrt() * x0 + (1 - a).sqrt() * eps, t, c) - eps).square().mean()


def loss_wrong(mistake):
    """The same with one thing wrong."""

    def answer(model, x0, eps, t, c, alpha_bar):
        a = alpha_bar[t][:, None, None, None]
        xt = a.sqrt() * x0 + (1 - a).sqrt() * eps
        found = model(xt, t, c)
        return {
            "clean": lambda: (found - x0).square().mean(),
            "noisy": lambda: (found - xt).square().mean(),
            "absolute": lambda: (found - eps).abs().mean(),
            "sum": lambda: (found - eps).square().sum(),
            "all": lambda: (found - eps).square(),
            "root": lambda: (found - eps).square().mean().sqrt(),
            "no roots": lambda: (model(a * x0 + (1 - a) * eps, t, c) - eps).square().mean(),
            "exchanged": lambda: hand_loss(model, x0, eps, t, c, 1 - alpha_bar),
            "no noise": lambda: (model(x0, t, c) - eps).square().mean(),
            "first": lambda: hand_loss(model, x0, eps, 0 * t, c, alpha_bar),
        }[mistake]()

    return answer


def hand_velocity(x0, eps, alpha_bar):
    a = alpha_bar[:, None, None, None]
    return a.sqrt() * eps - (1 - a).sqrt() * x0


def noise_of(xt, v, alpha_bar):
    a = alpha_bar[:, None, None, None]
    return a.sqrt() * v + (1 - a).sqrt() * xt


def four(alpha_bar):
    return alpha_bar[:, None, None, None]


ANSWERS += [  # notebook 10
    (
        checks.check_noise_loss,
        hand_loss,
        [
            (loss_wrong("clean"), "not with x0"),
            (loss_wrong("noisy"), "noisy latents"),
            (loss_wrong("absolute"), "square the difference"),
            (loss_wrong("sum"), "not their sum"),
            (loss_wrong("all"), "take the mean"),
            (loss_wrong("root"), "no root"),
            (loss_wrong("no roots"), "square roots"),
            (loss_wrong("exchanged"), "goes with x0"),
            (loss_wrong("no noise"), "not the clean ones"),
            (loss_wrong("first"), "mean squared error to ε"),
            (lambda model, x0, eps, t, c, a: eps.square().mean(), "not asked"),
        ],
    ),
    (
        checks.check_moving_average,
        lambda average, weights, decay: decay * average + (1 - decay) * weights,
        [
            (lambda a, w, d: d * w + (1 - d) * a, "share of the old"),
            (lambda a, w, d: d * a + w, "add up to 1"),
            (lambda a, w, d: a + (1 - d) * w, "not all of it"),
            (lambda a, w, d: w, "nothing is averaged"),
            (lambda a, w, d: a, "nothing has moved"),
            (lambda a, w, d: (a + w) / 2, "plain mean"),
        ],
    ),
    (
        checks.check_velocity,
        hand_velocity,
        [
            (lambda x0, eps, a: -hand_velocity(x0, eps, a), "comes with a plus"),
            (lambda x0, eps, a: hand_velocity(x0, eps, 1 - a), "goes with the noise"),
            (lambda x0, eps, a: hand_velocity(-eps, x0, a), "right angle"),
            (lambda x0, eps, a: hand_velocity(-x0, eps, a), "subtract"),
            (lambda x0, eps, a: four(a) * eps - (1 - four(a)) * x0, "square roots"),
            (lambda x0, eps, a: eps - x0, "has its factor"),
        ],
    ),
    (
        checks.check_noise_from_velocity,
        noise_of,
        [
            (lambda xt, v, a: four(a).sqrt() * xt - (1 - four(a)).sqrt() * v, "that is x0"),
            (lambda xt, v, a: noise_of(-xt, v, a), "add the two"),
            (lambda xt, v, a: noise_of(xt, v, 1 - a), "goes with v"),
            (lambda xt, v, a: four(a) * v + (1 - four(a)) * xt, "square roots"),
            (lambda xt, v, a: noise_of(xt, -v, a), "other sign"),
            (lambda xt, v, a: v, "v itself"),
        ],
    ),
    (
        checks.check_times_seen,
        lambda steps, batch, processes, examples: steps * batch * processes / examples,
        [
            (lambda s, b, p, n: s * b / n, "batch of its own"),
            (lambda s, b, p, n: s * b / p / n, "multiply, do not divide"),
            (lambda s, b, p, n: float(s * b * p), "divide by the examples"),
            (lambda s, b, p, n: s * p / n, "whole batch"),
            (lambda s, b, p, n: n / (s * b * p), "examples divides"),
            (lambda s, b, p, n: float(s * b * p // n), "rounds down"),
        ],
    ),
]
OTHERWISE = [  # right answers, written differently
    (
        checks.check_noise_loss,
        lambda model, x0, eps, t, c, alpha_bar: torch.nn.functional.mse_loss(
            model(
                xt=alpha_bar[t].view(-1, 1, 1, 1) ** 0.5 * x0
                + (1 - alpha_bar[t]).view(-1, 1, 1, 1) ** 0.5 * eps,
                t=t,
                c=c,
            ),
            eps,
        ).double(),
    ),
    (checks.check_moving_average, lambda a, w, d: torch.lerp(a, w, 1 - d)),
    (checks.check_moving_average, lambda a, w, d: a.double() + (1 - d) * (w - a)),
    (checks.check_velocity, lambda x0, eps, a: hand_velocity(x0.double(), eps, a.double())),
    (checks.check_times_seen, lambda s, b, p, n: torch.tensor(s * b * p) / n),
    (checks.check_times_seen, lambda s, b, p, n: np.float64(s * b * p / n)),
    (
        checks.check_attention_of_head,
        lambda q, k: torch.einsum("nd,ld->nl", q, k).div(q.shape[1] ** 0.5).softmax(1),
    ),
    (
        checks.check_map_of_word,
        lambda m, j, size: sum(m.mean(dim=(0, 1, 2))[:, i] for i in j).reshape(*size),
    ),
    (
        checks.check_turn_tokens,
        lambda probs, j, c: torch.nn.functional.normalize(turned(probs, j, c), p=1, dim=-1),
    ),
    (checks.check_cut_out, lambda x, m: x - x * m),
    (checks.check_cut_out, lambda x, m: x.masked_fill(m.bool(), 0)),
    (checks.check_nine_channels, lambda *p: torch.cat(p, 1).repeat_interleave(2, 0)),
    (checks.check_nine_channels, lambda *p: torch.cat(p, 1).expand(2, -1, -1, -1)),
    (checks.check_paste, lambda p, q, m: p * ~m[..., None] + q * m[..., None]),
    (
        checks.check_keep_the_rest,
        lambda s, z, z0, e, hole, t: torch.where(
            hole.bool(), z, z0 if t is None else s.add_noise(z0, e, t)
        ),
    ),
    (checks.check_relative_error, lambda p, d: float((10 / (p * d) - 1).abs().mean())),
    (
        checks.check_normalised,
        lambda x: torch.stack([2 * (one - one.min()) / (one.max() - one.min()) - 1 for one in x]),
    ),
    (checks.check_five_channels, lambda z, d: torch.cat([z, d], dim=1).repeat(2, 1, 1, 1)),
    (
        checks.check_likeness,
        lambda a, b: torch.cosine_similarity((a - a.mean()).flatten(), (b - b.mean()).flatten(), 0),
    ),
]
WRONG = [(check, wrong, word) for check, _, wrongs in ANSWERS for wrong, word in wrongs]


def unattempted(*arguments):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize(
    ("check", "solution"), [(check, good) for check, good, _ in ANSWERS] + OTHERWISE
)
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


OTHER_WAYS = [  # check, another right answer
    (checks.check_latent_shape, lambda height, width: [1, 4, height // 8, width // 8]),
    (checks.check_latent_shape, lambda height, width: torch.Size([1, 4, height // 8, width // 8])),
    (checks.check_latents_seen, lambda steps, guidance: np.int64(steps * (1 + guidance))),
    (checks.check_returned_size, lambda height, width: [height // 8 * 8, width // 8 * 8]),
    (checks.check_returned_size, lambda *size: torch.Size([n // 8 * 8 for n in size])),
    (checks.check_map_sizes, lambda size, blocks: list(size // 2 ** np.arange(blocks))),
    (checks.check_timesteps, lambda n: list(1 + np.arange(n)[::-1] * (1000 // n))),
    (checks.check_denoise, denoise_by_keywords),
    (checks.check_denoise, denoise_with_tuples),
    (checks.check_repainted, repainted_by_keywords),
    (checks.check_repainted, repainted_by_the_module),
]


@pytest.mark.parametrize(("check", "answer"), OTHER_WAYS)
def test_another_right_answer_is_accepted(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out.endswith(": ok\n")


@pytest.mark.parametrize("check", [check for check, _, _ in ANSWERS])
def test_an_answer_that_gives_nothing_misses_its_return(check):
    with pytest.raises(AssertionError, match="is `return` missing"):
        check(lambda *arguments: None)


def test_a_refusal_s_traceback_ends_in_the_wrapper():
    with pytest.raises(AssertionError) as caught:
        checks.check_snr(lambda alpha_bar: alpha_bar)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames[1:]] == ["run"]
    assert caught.value.__suppress_context__


def test_every_check_of_the_course_is_in_the_table():
    known = {name for name in vars(checks) if name.startswith("check_")}
    assert known == {check.__name__ for check, _, _ in ANSWERS}
    assert all(len(wrongs) >= 3 for _, _, wrongs in ANSWERS)
