"""Figures of notebooks 07 to 09, through plain diffusers: what a UNet with more channels draws, and
which word drew which pixel."""

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from course_utils import attention, inpaint, plotting
from course_utils.depth2img import depth_channel, estimate_depth
from course_utils.training.evaluate_tasks import ready
from course_utils.world import Scene, render

REPLACED = (  # the picture to start from, and what it is to show instead
    (Scene("dog", "park bench"), "A small robot sitting on a park bench"),
    (Scene("ball", "snow", "red"), "A green house in the snow"),
    (Scene("tree", "beach", time="sunset"), "A yellow boat on a beach at sunset"),
    (
        Scene("man", "park bench", "red", style="oil painting"),
        "An oil painting of a black cat on a bench",
    ),
)
REPAINTED = (  # the picture to start from, its seed, and what it is to become
    (Scene("man", "park bench", "red"), 4, "An oil painting of a man on a bench"),
    (Scene("boat", "beach", "yellow"), 22, "A red house on a beach at sunset"),
    (Scene("house", "snow", "blue"), 12, "A tree in the snow at sunset"),
    (Scene("dog", "park", "black"), 24, "A watercolor of a white cat in a park"),
)
WORDS = (  # what to draw, its seed, and the words whose attention is shown
    ("a red ball on a beach", 7, ("red", "ball", "beach")),
    ("an oil painting of a blue house in the snow at night", 7, ("oil painting", "blue", "house")),
    (
        "a woman in a red dress sitting on a park bench at sunset",
        7,
        ("woman", "dress", "sunset"),
    ),
    ("a small robot on a park bench", 7, ("small", "robot", "bench")),
)
MARGIN = 14  # pixels of the hole around the thing: room for what shall come
SETTINGS = {"num_inference_steps": 25, "guidance_scale": 4.0}


def dice(count: int) -> list[torch.Generator]:
    """A generator for each picture."""
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def replaced() -> Figure:
    """07: picture, mask and result, four times."""
    pipe = ready("inpaint")
    drawn = [render(scene, 2) for scene, _ in REPLACED]
    holes = [inpaint.box_around(one.masks[one.scene.subject], MARGIN) for one in drawn]
    masks = [Image.fromarray(hole).convert("L") for hole in holes]
    pictures, prompts = [one.picture for one in drawn], [prompt for _, prompt in REPLACED]
    painted = pipe(
        prompts,
        image=pictures,
        mask_image=masks,
        strength=1.0,
        generator=dice(len(drawn)),
        **SETTINGS,
    ).images
    done = [inpaint.composite(*three) for three in zip(pictures, painted, masks, strict=True)]
    tints = [plotting.tinted(*pair) for pair in zip(pictures, masks, strict=True)]
    return in_threes(pictures, tints, done, ("input", "mask"), prompts)


def repainted() -> Figure:
    """08: picture, depth and result, four times."""
    pipe = ready("depth2img")
    pictures = [render(scene, seed).picture for scene, seed, _ in REPAINTED]
    prompts = [prompt for _, _, prompt in REPAINTED]
    seen = estimate_depth(pipe, pictures)
    depths = depth_channel(seen, len(pictures), [128, 128])[:, 0].numpy()
    done = pipe(
        prompts, image=pictures, strength=0.9, generator=dice(len(pictures)), **SETTINGS
    ).images
    return in_threes(pictures, list(depths), done, ("input", "depth, estimated"), prompts)


def by_word() -> Figure:
    """09: a picture and where some words of its prompt are listened to, four times."""
    pipe, shown, titles = ready("text-to-image"), [], []
    for prompt, seed, words in WORDS:
        generator = torch.Generator().manual_seed(seed)
        with attention.recorded(pipe, heads=False) as maps:
            picture = pipe(prompt, generator=generator, **SETTINGS).images[0]
        shown.append(np.asarray(picture))
        for word in words:
            one = attention.word_map(maps, pipe.tokenizer, prompt, word)
            shown.append(plotting.glowing(picture, attention.upsampled(one, picture.size[::-1])))
        titles += [prompt, *words]
    return plotting.show_pictures(shown, titles, columns=8, size=1.4)


def in_threes(firsts, seconds, thirds, titles: tuple[str, str], prompts: list[str]) -> Figure:
    """Groups of three pictures, (H, W, 3) or (H, W), two groups in a row, the prompt above the
    third."""
    threes = zip(firsts, seconds, thirds, strict=True)
    shown = [np.asarray(picture) for three in threes for picture in three]
    names = [title for prompt in prompts for title in (*titles, prompt)]
    return plotting.show_pictures(shown, names, columns=6, size=1.75)
