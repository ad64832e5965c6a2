"""Train the text encoder: a small CLIP text transformer that reads the world's captions.

The real one was trained to tell which caption belongs to which picture. Ours is trained to tell,
from the words read so far, what the scene is. Both end as a stack of vectors, one for each token,
that the UNet listens to; as in Stable Diffusion, the encoder is frozen from then on.

    python -m course_utils.training.text [configuration]
"""

import gzip
import importlib.metadata
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from course_utils.training.attributes import CLASSES, Heads, scene_classes
from course_utils.training.data import world_pictures
from course_utils.training.loop import Config, fit, read_config

BUILD = Path("build/train")
POCKET_TOKENIZER = Path(__file__).parents[1] / "pocket" / "tokenizer"
CLIP_MERGES = 48_894


def clip_tokenizer() -> CLIPTokenizer:
    """The real CLIP tokenizer: 49,408 tokens, prompts of 77.

    Read from the bundled model; made from the vocabulary in the package open_clip_torch (MIT)
    where there is no bundled model yet.
    """
    if POCKET_TOKENIZER.is_dir():
        return CLIPTokenizer.from_pretrained(POCKET_TOKENIZER)
    package = importlib.metadata.distribution("open_clip_torch")
    packed = Path(str(package.locate_file("open_clip/bpe_simple_vocab_16e6.txt.gz")))
    lines = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : CLIP_MERGES + 1]
    merges = [tuple(line.split()) for line in lines]
    symbols = byte_symbols()
    words = [*symbols, *(s + "</w>" for s in symbols), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)


def byte_symbols() -> list[str]:
    """A printable character for each of the 256 bytes, in the order of CLIP's vocabulary:
    printable bytes stand for themselves, the others for the characters from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [chr(256 + n) for n in range(256 - len(printable))]
    return [chr(byte) for byte in printable] + others


class Reader(nn.Module):
    """The text encoder, and heads that say from each token's vector what the scene is."""

    def __init__(self, text_encoder: CLIPTextModel):
        super().__init__()
        self.text_encoder = text_encoder
        self.heads = Heads(text_encoder.config.hidden_size)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        """Token ids (B, L) → logits (B, L, classes) for each attribute."""
        return self.heads(self.text_encoder(ids).last_hidden_state)


def make_text_encoder(sizes: dict, known_ids: Tensor) -> CLIPTextModel:
    """A CLIP text transformer whose embedding is zero for every token it will never see."""
    config = CLIPTextConfig(
        vocab_size=49408,
        max_position_embeddings=77,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=49407,
        **sizes,
    )
    text_encoder = CLIPTextModel(config)
    unknown = torch.ones(config.vocab_size, dtype=torch.bool)
    unknown[known_ids] = False
    with torch.no_grad():
        text_encoder.get_input_embeddings().weight[unknown] = 0
    return text_encoder


def token_ids(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Captions → token ids, padded or cut to 77; (N, 77) int64."""
    return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids


def reading_loss(ids: Tensor, classes: dict[str, Tensor], heard: int):
    """Cross-entropy of every attribute at the first `heard` tokens of every caption."""

    def loss(model, indices, generator, share):
        device = next(model.parameters()).device
        logits = model(ids[indices[share], :heard].to(device))
        losses = {
            name: F.cross_entropy(
                logits[name][:, 1:].flatten(0, 1).float(),
                classes[name][indices[share]].repeat_interleave(heard - 1).to(device),
            )
            for name in CLASSES
        }
        return {"loss": sum(losses.values()), **losses}

    return loss


def train_text(config: Config, folder: Path, stop_after: int | None = None) -> CLIPTextModel:
    """Train, or go on training, the text encoder of a configuration; returns its average."""
    world = world_pictures(folder.parent, config.examples)
    ids = token_ids(clip_tokenizer(), world.captions)
    torch.manual_seed(config.seed)
    reader = Reader(make_text_encoder(config.model, ids.unique()))
    loss = reading_loss(ids, scene_classes(world.scenes), config.options["heard"])
    return fit(reader, loss, config, folder, stop_after).text_encoder


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "text"
    trained = train_text(read_config(name), BUILD / name)
    trained.save_pretrained(BUILD / name / "text_encoder")
    print(f"saved to {BUILD / name / 'text_encoder'}")
