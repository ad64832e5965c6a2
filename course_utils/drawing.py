"""One prompt, one picture: every argument checked, then diffusers' pipeline.

The checks that need no model import nothing heavy, so that a typing error is answered at once.
"""

import copy
import math
import numbers
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import check_choice

if TYPE_CHECKING:
    from diffusers import SchedulerMixin, StableDiffusionPipeline
    from PIL.Image import Image
    from transformers import CLIPTokenizer

SCHEDULERS = {
    "pndm": "PNDMScheduler",
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
}
SCHEDULER, STEPS, GUIDANCE = "dpm++", 25, 5.0  # as the bundled model's figures were measured
SETTINGS_WHY = (
    "Why not PNDM, 30 steps and guidance 8, as with Stable Diffusion: the bundled model's world is "
    "so small that a prompt settles nearly everything in a picture. Guidance then pulls so hard "
    "that PNDM overshoots more with each step, and the picture is lost in glaring colours. At 30 "
    "steps it draws well up to guidance 4; dpm++, ddim and euler do up to 8."
)
MAX_STEPS = 998  # so that timesteps stay below 1000 for every scheduler, with an offset of 1
MAX_GUIDANCE = 100
MAX_SEED = 2**63 - 1
END_OF_WORD = "</w>"


def draw(
    pipe: "StableDiffusionPipeline",
    prompt: str,
    negative: str = "",
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    seed: int = 0,
    scheduler: str = SCHEDULER,
    size: tuple[int, int] | None = None,
) -> "Image":
    """Draw one picture. The pipeline itself stays as it is.

    The settings are good ones for the bundled model, see `SETTINGS_WHY`; `pipe` alone draws by its
    own.

    Args:
        pipe: from `load()`.
        prompt: at most 75 tokens, at least one of them a word that the model knows.
        negative: what the picture should not show; at most 75 tokens, may be empty.
        steps: denoising steps, 1 to 998.
        guidance: scale of classifier-free guidance, 0 to 100; up to 1 means none.
        seed: 0 to 2**63 - 1. Same arguments, same picture.
        scheduler: a key of `SCHEDULERS`.
        size: (W, H) in pixels, multiples of 8, half to four times the model's own size.
    Raises:
        TypeError, ValueError: what was given, what is allowed, what to try.
    """
    import torch

    check_options(prompt, steps, guidance, seed, scheduler)
    check_words(pipe, prompt)
    check_length(pipe.tokenizer, "prompt", prompt)
    check_length(pipe.tokenizer, "negative prompt", negative)
    width, height = check_size(size or (own_size(pipe),) * 2, own_size(pipe))
    pipe = copy.copy(pipe)
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    return pipe(
        prompt,
        negative_prompt=negative,
        num_inference_steps=steps,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(int(seed)),
        width=width,
        height=height,
    ).images[0]


def make_scheduler(name: str, like: "SchedulerMixin") -> "SchedulerMixin":
    """A fresh scheduler of `SCHEDULERS`, with the noise schedule of another."""
    import diffusers

    return getattr(diffusers, SCHEDULERS[name]).from_config(like.config)


def check_options(prompt: str, steps: int, guidance: float, seed: int, scheduler: str) -> None:
    """All that can be checked without a model; arguments as in `draw`."""
    if not isinstance(prompt, str):
        raise TypeError(f"The prompt must be one string, not {type(prompt).__name__}.")
    if not prompt.strip():
        raise ValueError("The prompt is empty. Say what to draw, such as 'a wave breaking'.")
    check_number("steps", steps, 1, MAX_STEPS, whole=True)
    check_number("guidance", guidance, 0, MAX_GUIDANCE)
    check_number("seed", seed, 0, MAX_SEED, whole=True)
    check_choice("scheduler", scheduler, SCHEDULERS)


def check_number(name: str, value: float, low: int, high: int, whole: bool = False) -> None:
    """Refuse what is not a number from low to high: text, True, NaN, infinity."""
    kind, words = (numbers.Integral, "a whole number") if whole else (numbers.Real, "a number")
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name} must be {words} from {low} to {high}, not {value!r}.")
    if not (math.isfinite(value) and low <= value <= high):
        nearest = min(max(value, low), high)
        hint = f" The nearest is {nearest}." if math.isfinite(value) else ""
        raise ValueError(f"{name} must be {words} from {low} to {high}, not {value}.{hint}")


def own_size(pipe: "StableDiffusionPipeline") -> int:
    """Side in pixels of the square pictures that the model was trained on."""
    return pipe.unet.config.sample_size * pipe.vae_scale_factor


def check_size(size: tuple[int, int], own: int) -> tuple[int, int]:
    """Refuse sides that are no multiples of 8 or far from the model's own size.

    Args:
        size: (W, H) in pixels.
        own: side of the pictures that the model was trained on.
    Returns:
        the same size.
    """
    low, high = own // 2, own * 4
    nearest = tuple(min(max(8 * round(side / 8), low), high) for side in size)
    if tuple(size) != nearest:
        raise ValueError(
            f"The size {size[0]}x{size[1]} cannot be drawn: each side must be a multiple of 8 from "
            f"{low} to {high}. The nearest is {nearest[0]}x{nearest[1]}."
        )
    return size


def parse_size(text: str) -> tuple[int, int]:
    """ "128x96" → (128, 96): W, H; "128" → (128, 128)."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.removeprefix("-").isdecimal() for side in sides):
        raise ValueError(f"Cannot read the size {text!r}. Give WxH or one number: 128x96, 128.")
    return int(sides[0]), int(sides[-1])


def check_output(path: Path) -> None:
    """Refuse a file that could not be written later; leaves nothing behind."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"The output {str(path)!r} must be a .png file, such as out.png.")
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise ValueError(
            f"Cannot write {str(path)!r}: {error.strerror}. "
            "Give -o a file in a folder that exists and that you may write to, such as out.png."
        ) from error
    if not existed:
        path.unlink()


def split_words(tokenizer: "CLIPTokenizer", text: str) -> list[list[str]]:
    """The tokens of a text, word by word; punctuation marks are words of their own."""
    words: list[list[str]] = [[]]
    for token in tokenizer.tokenize(text):
        words[-1].append(token)
        if token.endswith(END_OF_WORD):
            words.append([])
    return [word for word in words if word]


def spell(tokenizer: "CLIPTokenizer", tokens: list[str]) -> str:
    """Tokens → the text they stand for, a space between its words."""
    return tokenizer.convert_tokens_to_string(tokens).replace(END_OF_WORD, " ").strip()


def check_length(tokenizer: "CLIPTokenizer", name: str, text: str) -> None:
    """Refuse a text that CLIP would cut off in silence."""
    room = tokenizer.model_max_length - 2  # the start and the end take one each
    tokens = tokenizer.tokenize(text)
    if len(tokens) > room:
        lost = spell(tokenizer, tokens[room:]).split()
        shown = " ".join(lost[:8]) + (" …" if len(lost) > 8 else "")
        raise ValueError(
            f"The {name} has {len(tokens)} tokens, and the text encoder reads {room}. "
            f"Shorten it: everything from {shown!r} on would be lost."
        )


def unknown_words(pipe: "StableDiffusionPipeline", prompt: str) -> list[str]:
    """The words of a prompt that the model never met in training, in their order.

    A token that never occurred in training keeps an embedding of zeros; a word is unknown if
    any of its tokens is. Punctuation does not count.
    """
    return [word for word, known in judge_words(pipe, prompt) if not known]


def judge_words(pipe: "StableDiffusionPipeline", prompt: str) -> list[tuple[str, bool]]:
    """Each word of a prompt and whether the model knows it."""
    tokenizer = pipe.tokenizer
    met = pipe.text_encoder.get_input_embeddings().weight.ne(0).any(dim=-1)  # (vocabulary,)
    judged = []
    for tokens in split_words(tokenizer, prompt):
        word = spell(tokenizer, tokens)
        if any(letter.isalnum() for letter in word):
            judged.append((word, bool(met[tokenizer.convert_tokens_to_ids(tokens)].all())))
    return judged


def known_words(pipe: "StableDiffusionPipeline") -> list[str]:
    """Every one-token word that the model met in training, in alphabetical order."""
    weight = pipe.text_encoder.get_input_embeddings().weight
    tokens = pipe.tokenizer.convert_ids_to_tokens(weight.any(dim=-1).nonzero().flatten().tolist())
    words = (token.removesuffix(END_OF_WORD) for token in tokens if token.endswith(END_OF_WORD))
    return sorted(word for word in words if word.isalpha())


def check_words(pipe: "StableDiffusionPipeline", prompt: str) -> None:
    """Refuse a prompt of which the model knows no word at all."""
    if not any(known for _, known in judge_words(pipe, prompt)):
        some = ", ".join(islice((word for word in known_words(pipe) if len(word) > 3), 20))
        raise ValueError(
            f"The model knows no word of the prompt {prompt!r}. It reads English, and few words "
            f"of it; try some of these: {some}."
        )
