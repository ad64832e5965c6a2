"""Notebook 10: a new word for a new thing. All weights are frozen; the rows of the word's tokens in
the embedding are learned, and beside them, if wanted, a LoRA in the UNet.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from course_utils.errors import check_prediction_type
from course_utils.models import POCKET_THREADS
from course_utils.training.flooble import NAME, NEAREST, flooble
from course_utils.training.loop import Config, fit
from course_utils.training.lora import Trained, add_lora, frozen_copy, load_lora, save_lora
from course_utils.training.miniature import prepared, repeatable
from course_utils.training.runs import History, alone, fingerprint, run_folder
from course_utils.training.unet import noise_loss

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel

WORD_FILE = "word.safetensors"
LORA_FILE = "pytorch_lora_weights.safetensors"  # diffusers' name for it
WORD = Config(
    examples=64,
    steps=160,
    batch=6,
    learning_rate=4e-3,
    warmup=10,
    ema_decay=0.98,
    save_every=50,
    threads=POCKET_THREADS,
    model={},
    options={"dropout": 0.0, "gamma": 5, "rank": 8, "start": NEAREST, "pace": 0.25},
)
WORD_ALONE = replace(WORD, steps=200, batch=8, options=WORD.options | {"rank": 0})


def word_ids(tokenizer, word: str) -> list[int]:
    """The tokens of a word, without start and end."""
    return tokenizer(word).input_ids[1:-1]


def rows_of(text_encoder: "CLIPTextModel", ids: Sequence[int]) -> Tensor:
    """A copy of rows of the embedding, (K, D)."""
    table = text_encoder.get_input_embeddings().weight
    return table.detach()[list(ids)].clone()


@contextmanager
def reading(text_encoder: "CLIPTextModel", ids: Sequence[int], rows: Tensor) -> Iterator[None]:
    """For a while some tokens have other rows of the embedding; gradients reach these.

    Args:
        text_encoder: its own table stays as it is.
        ids: K tokens.
        rows: (K, D).
    """

    def put_in(_, given: tuple[Tensor], found: Tensor) -> Tensor:
        for number, row in zip(ids, rows, strict=True):
            found = torch.where((given[0] == number)[..., None], row, found)
        return found

    handle = text_encoder.get_input_embeddings().register_forward_hook(put_in)
    try:
        yield
    finally:
        handle.remove()


class Inversion(nn.Module):
    """What is trained: the rows of a word, and the LoRA of a UNet where it has one. In place of
    vectors it hears token ids, since the vectors change with the rows."""

    def __init__(self, text_encoder, unet, ids: Sequence[int], start: Tensor, pace: float):
        """Both networks frozen, but for what a LoRA brings."""
        super().__init__()
        self.moved, self.start, self.pace = nn.Parameter(torch.zeros_like(start)), start, pace
        self.unet = Trained(unet)
        self.ids, self.text_encoder = tuple(ids), (text_encoder,)

    @property
    def rows(self) -> Tensor:
        """The rows as they are now, (K, D); they move `pace` times as fast as the LoRA."""
        return self.start + self.pace * self.moved

    def forward(self, xt: Tensor, t: Tensor, tokens: Tensor):
        """Noisy latents (B, 4, h, w), timesteps (B,), tokens as numbers (B, 77, 1)."""
        with reading(self.text_encoder[0], self.ids, self.rows):
            c = self.text_encoder[0](tokens[..., 0].long())[0]
        return self.unet(xt, t, c)


def train_word(
    pipe: "StableDiffusionPipeline", config: Config, parent: Path, show=None
) -> tuple[Path, History]:
    """Teach a model the word "flooble", go on teaching it, or find it taught.

    Args:
        pipe: stays as it is.
        config: of the run. Options: `rank` of the LoRA, 0 for none: then the rows alone are
            learned; `start`, the words whose rows they start from; `pace`, see `Inversion`.
        parent: where runs are kept, see `runs.home`.
        show: see `History`.
    Returns:
        the folder with the word, for `with_word`, and what was seen on the way.
    Raises:
        ValueError: see `errors.check_prediction_type`.
    Source: Gal et al. 2022 for the rows; with weights of the UNet, Kumari et al. 2022.
    """
    check_prediction_type(pipe.scheduler)
    settings = asdict(config) | {"parts": fingerprint(pipe.vae, pipe.text_encoder, pipe.unet)}
    folder = run_folder(parent, "word", settings)
    with alone(folder), repeatable():
        latents, tokens, silence = seen_floobles(pipe, config.examples, folder)
        unet = frozen_copy(pipe)
        if config.options["rank"]:
            add_lora(unet, config.options["rank"], config.seed)
        ids = word_ids(pipe.tokenizer, NAME)
        start = rows_of(pipe.text_encoder, word_ids(pipe.tokenizer, config.options["start"]))
        text_encoder = copy.deepcopy(pipe.text_encoder).requires_grad_(False)
        model = Inversion(text_encoder, unet, ids, start, config.options["pace"])
        history = History(folder, config.steps, show=show).recalled()
        loss = noise_loss(latents, tokens, silence, config.options)
        model = fit(model, loss, config, folder, watch=history, device=pipe.device)
        save_file({"rows": model.rows.detach().cpu().contiguous()}, folder / WORD_FILE)
        if config.options["rank"]:
            save_lora(pipe, unet, folder)
    return folder, history


def seen_floobles(pipe, count: int, folder: Path) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Latents of floobles, and the tokens of their captions in place of heard words."""
    seen = [flooble(seed) for seed in range(count)]
    captions = [one.caption for one in seen]
    latents, _, _ = prepared(pipe, lambda: [(one.picture, one.caption) for one in seen], folder)
    ids = pipe.tokenizer(
        [*captions, ""], padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(pipe.device)[..., None]
    return latents, ids[:-1], ids[-1].float()


def with_word(pipe: "StableDiffusionPipeline", folder: Path) -> "StableDiffusionPipeline":
    """A copy of a model that knows the word of a folder from `train_word`."""
    taught = copy.copy(pipe)
    taught.text_encoder = copy.deepcopy(pipe.text_encoder)
    table = taught.text_encoder.get_input_embeddings().weight
    rows = load_file(folder / WORD_FILE)["rows"]
    table.data[word_ids(pipe.tokenizer, NAME)] = rows.to(table)
    if (folder / LORA_FILE).exists():
        taught.unet = copy.deepcopy(pipe.unet)
        load_lora(taught, folder, NAME)
    return taught
