"""Our loop against diffusers' pipeline on the same weights, and what makes our loop faster.

    make bench

One warm picture, 30 steps, guidance 8, always the same seed. Each form is timed in turn with
diffusers' StableDiffusionPipeline; its ratio is the median over the pairs.
"""

import copy
import shutil
import sys
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from PIL.Image import Image
from timing import Forms, in_turn, ratio

from course_utils import load, pipeline

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PROMPT = "a wave breaking"
PAIRS = 25  # enough to tell a hundredth on a machine whose single pairs differ by three
COMPILERS = ("g++", "clang++", "cl")


def theirs(pipe: "StableDiffusionPipeline") -> Image:
    """The picture, drawn by diffusers."""
    seed = torch.Generator().manual_seed(0)
    return pipe(PROMPT, num_inference_steps=30, guidance_scale=8.0, generator=seed).images[0]


def ours(pipe: "StableDiffusionPipeline") -> Image:
    """The same picture, drawn by the course's own loop."""
    seed = torch.Generator().manual_seed(0)
    z = pipeline.text_to_image(
        pipe, PROMPT, num_inference_steps=30, guidance_scale=8.0, generator=seed
    )
    return pipeline.decode(pipe, z)[0]


def forms(pipe: "StableDiffusionPipeline") -> Forms:
    """What might be faster: a name for each, and the function that draws the picture that way."""
    last, plain = copy.deepcopy(pipe), copy.deepcopy(pipe)
    for network in (last.unet, last.vae):
        network.to(memory_format=torch.channels_last)
    plain.unet.set_attn_processor(AttnProcessor())
    found = {
        "cached text": with_cached_text(pipe),
        "inference mode": torch.inference_mode()(lambda: ours(pipe)),
        "two threads": lambda: with_threads(2, pipe),
        "channels-last": lambda: ours(last),
        "attention without SDPA": lambda: ours(plain),
    }
    return found | compiled_forms(copy.deepcopy(pipe))


def compiled_forms(pipe: "StableDiffusionPipeline") -> Forms:
    """The UNet through torch.compile, alone and with all that helps; nothing without a compiler."""
    if not any(shutil.which(name) for name in COMPILERS):
        print("torch.compile: skipped, there is no C++ compiler here")
        return {}
    pipe.unet.compile()
    together = torch.inference_mode()(with_cached_text(pipe))
    return {"compiled": lambda: ours(pipe), "compiled, inference mode, cached text": together}


def with_cached_text(pipe: "StableDiffusionPipeline") -> Callable[[], Image]:
    """Our loop, the prompts embedded beforehand."""
    context = pipeline.embed(pipe, [PROMPT])

    def run() -> Image:
        with patch.object(pipeline, "embed", return_value=context):
            return ours(pipe)

    return run


def with_threads(count: int, pipe: "StableDiffusionPipeline") -> Image:
    """Our loop on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return ours(pipe)
    finally:
        torch.set_num_threads(before)


def difference(picture: Image, right: Image) -> str:
    """ "equal", or how far two pictures are apart."""
    gap = np.abs(np.asarray(picture, dtype=int) - np.asarray(right, dtype=int)).max()
    return f"up to {gap} of 255 apart" if gap else "equal"


def compare(pipe: "StableDiffusionPipeline") -> None:
    """Print our loop against diffusers' pipeline."""
    pair = {"ours": lambda: ours(pipe), "theirs": lambda: theirs(pipe)}
    times = in_turn(pair, PAIRS)
    middle = {name: median(seconds) for name, seconds in times.items()}
    print(f"one picture: our loop {middle['ours']:.3f} s, diffusers {middle['theirs']:.3f} s")
    print(f"ratio: {ratio(times['ours'], times['theirs']):.3f} (at most 1.00)")
    print(f"pictures: {difference(ours(pipe), theirs(pipe))}")


def compare_forms(pipe: "StableDiffusionPipeline") -> None:
    """Print a table of the forms of our loop, each with its ratio to diffusers' pipeline."""
    right, shares = theirs(pipe), {}
    found = forms(pipe)
    print(f"{'our loop':40} {'seconds':>7} {'ratio':>6}  picture")
    for name, form in found.items():
        times = in_turn({"ours": form, "theirs": lambda: theirs(pipe)})
        shares[name] = ratio(times["ours"], times["theirs"])
        gap = difference(form(), right)
        print(f"{name:40} {median(times['ours']):7.3f} {shares[name]:6.3f}  {gap}", flush=True)
    fastest = min(shares, key=shares.get)
    print(f"fastest form: {fastest}, ratio {shares[fastest]:.3f}")


def main(model: str = "pocket") -> None:
    """Print both."""
    pipe = load(model)
    compare(pipe)
    compare_forms(pipe)


if __name__ == "__main__":
    main(*sys.argv[1:])
