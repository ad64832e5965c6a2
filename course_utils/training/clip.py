"""Train CLIP on the world: which caption belongs to which picture.

A text transformer and a vision transformer each make one vector; the vectors of a picture and of
its own caption should point the same way, and those of all other pairs of a batch should not
(Radford et al. 2021). The text transformer then becomes the text encoder of the pocket model and
is frozen, as in Stable Diffusion. The whole of CLIP measures how well a picture fits a prompt.

    python -m course_utils.training.clip [configuration]
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

from course_utils.training.attributes import UNNAMED, Heads, classes_of, scene_classes
from course_utils.training.data import Pictures, world_pictures
from course_utils.training.judge import HELD_OUT_RENDERS, right
from course_utils.training.loop import Config, fit, read_config
from course_utils.training.report import write_json
from course_utils.training.text import clip_tokenizer, make_text_encoder, token_ids
from course_utils.training.vae import to_model
from course_utils.world import HELD_OUT
from course_utils.world.vocabulary import SIZE

BUILD = Path("build/train")
LARGEST_SCALE = 100.0  # of the logits, as in CLIP: 1 / temperature
PROBE_STEPS = 200
PROBE_CAPTIONS = 500  # with thousands, even an untrained encoder's vectors tell nearly all


class Matcher(nn.Module):
    """CLIP, and where asked a classifier for each attribute of the scene at every token."""

    def __init__(self, clip: CLIPModel, classify: bool = False, world: str = "world"):
        super().__init__()
        self.clip = clip
        width = clip.config.text_config.hidden_size
        self.heads = Heads(width, classes_of(world)) if classify else None

    def forward(self, x: Tensor, ids: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Args: pictures x (B, 3, H, W) in -1..1; token ids of their captions (B, L).
        Returns: logits (B, B), [i, j] for picture i and caption j; logits of the attributes,
        (B, L, classes) each, none without classifiers."""
        seen = self.clip.get_image_features(x).pooler_output
        read = self.clip.get_text_features(ids)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 is too coarse for logits
            scale = self.clip.logit_scale.exp().clamp(max=LARGEST_SCALE)
            logits = scale * cosines(seen.float(), read.pooler_output.float())
        return logits, self.heads(read.last_hidden_state) if self.heads else {}


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Vectors (N, D) and (M, D) → the cosine of each pair, (N, M)."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).mT


def make_clip(sizes: dict, known_ids: Tensor) -> CLIPModel:
    """A small CLIP for pictures of 128×128, whose embedding is zero for tokens it never sees.

    Args:
        sizes: "text" and "vision", passed to their configurations, and "projection_dim".
        known_ids: the tokens of all captions.
    """
    text_encoder = make_text_encoder(sizes["text"], known_ids)
    config = CLIPConfig(
        text_config=text_encoder.config.to_dict(),
        vision_config={"image_size": SIZE, **sizes["vision"]},
        projection_dim=sizes["projection_dim"],
        attn_implementation="eager",  # on the CPU its backward pass is faster
    )
    clip = CLIPModel(config)
    clip.text_model.load_state_dict(text_encoder.state_dict())
    return clip


def longest(ids: Tensor, end: int = 49407) -> int:
    """How many tokens the longest caption has, with its start and end; ids (N, 77)."""
    return int((ids != end).sum(dim=1).max()) + 1


def pair_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of finding each picture's caption and each caption's picture; logits (B, B).
    Source: Radford et al. 2021, figure 3."""
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def attribute_loss(logits: dict[str, Tensor], classes: dict[str, Tensor]) -> Tensor:
    """Mean cross-entropy of every attribute, over those that have it, summed.

    Args:
        logits: attribute → (N, classes).
        classes: attribute → (N,), UNNAMED where there is none.
    """
    losses = []
    for name, told in logits.items():
        named = (classes[name] != UNNAMED).sum().clamp(min=1)
        losses.append(F.cross_entropy(told.float(), classes[name], reduction="sum") / named)
    return sum(losses)


def shifted(pixels: np.ndarray, most: int, generator: torch.Generator) -> np.ndarray:
    """Each picture moved by up to `most` pixels, its edge repeated where it left; (B, H, W, 3).
    Left stays left: pictures are never mirrored or cut."""
    size = pixels.shape[1]
    moves = torch.randint(-most, most + 1, (2, len(pixels), 1), generator=generator).numpy()
    rows, columns = (np.arange(size) + moves).clip(0, size - 1)
    return pixels[np.arange(len(pixels))[:, None, None], rows[:, :, None], columns[:, None]]


def matching_loss(pictures: np.ndarray, ids: Tensor, classes: dict[str, Tensor], options: dict):
    """The loss of a Matcher for `fit`: `pair_loss`, and with classifiers `attribute_loss` at
    every token but the first. Each process of several matches the pictures of its own share.

    Args:
        pictures: (N, 128, 128, 3) uint8.
        ids: token ids of their captions, (N, 77); only as many are read as the longest has.
        classes: attribute → (N,), see `scene_classes`.
        options: shift, in pixels; attributes, the weight of `attribute_loss`.
    """
    ids = ids[:, : longest(ids)]

    def loss(model, indices, generator, share):
        device = next(model.parameters()).device
        x = to_model(shifted(pictures[indices.numpy()], options["shift"], generator)[share])
        place = indices[share]
        logits, told = model(x.to(device), ids[place].to(device))
        pairs = pair_loss(logits)
        if not told:
            return {"loss": pairs}
        read = {name: value[:, 1:].flatten(0, 1) for name, value in told.items()}
        truth = {
            name: numbers[place].repeat_interleave(ids.shape[1] - 1).to(device)
            for name, numbers in classes.items()
        }
        named = attribute_loss(read, truth)
        return {"loss": pairs + options["attributes"] * named, "pairs": pairs, "named": named}

    return loss


def train_clip(config: Config, folder: Path, stop_after: int | None = None) -> CLIPModel:
    """Train, or go on training, the CLIP of a configuration; returns its average."""
    world = world_pictures(folder.parent, config.examples, world=config.world)
    ids = token_ids(clip_tokenizer(), world.captions)
    torch.manual_seed(config.seed)
    clip = make_clip(config.model, ids.unique())
    matcher = Matcher(clip, config.options["attributes"] > 0, config.world)
    classes = scene_classes(world.scenes, config.world)
    loss = matching_loss(world.pictures, ids, classes, config.options)
    clip = fit(matcher, loss, config, folder, stop_after).clip
    with torch.no_grad():
        clip.logit_scale.clamp_(max=math.log(LARGEST_SCALE))
    return clip.cpu().eval()


@torch.no_grad()
def similarities(clip: CLIPModel, pictures: np.ndarray, captions: list[str]) -> Tensor:
    """The cosine of every picture with every caption, (N, M): CLIP scores."""
    parts = [to_model(pictures[i : i + 64]) for i in range(0, len(pictures), 64)]
    seen = [clip.get_image_features(x).pooler_output for x in parts]
    ids = token_ids(clip_tokenizer(), captions)
    read = [clip.get_text_features(part).pooler_output for part in ids.split(256)]
    return cosines(torch.cat(seen), torch.cat(read))


def retrieval(scores: Tensor, captions: list[str], among: int) -> tuple[float, float]:
    """How often the most similar of `among` is the right one.

    Args:
        scores: similarity of each picture to each caption, (N, N).
        captions: of these pictures; where two are the same words, either is right.
        among: size of the groups to search in.
    Returns:
        share of pictures whose caption is found, and of captions whose picture is found.
    """
    words = np.array(captions)
    found = []
    for first in range(0, len(words) - among + 1, among):
        group = slice(first, first + among)
        best = [scores[group, group].argmax(dim=dim).numpy() for dim in (1, 0)]
        found.append([(words[group][place] == words[group]).mean() for place in best])
    return tuple(float(share) for share in np.mean(found, axis=0))


class TokenProbe(nn.Module):
    """What one cross-attention layer can read: a query for each attribute attends to all tokens,
    and a linear classifier names what was gathered."""

    def __init__(self, width: int, world: str = "world"):
        super().__init__()
        self.heads = Heads(width, classes_of(world))
        self.queries = nn.Parameter(torch.randn(len(self.heads), width))
        self.keys, self.values = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, context: Tensor) -> dict[str, Tensor]:
        """Vectors of the tokens (B, L, D) → logits (B, classes) for each attribute."""
        scores = self.queries @ self.keys(context).mT / context.shape[-1] ** 0.5  # (B, A, L)
        gathered = scores.softmax(dim=-1) @ self.values(context)  # (B, A, D)
        return {name: self.heads[name](gathered[:, n]) for n, name in enumerate(self.heads)}


def train_probe(probe: nn.Module, features: Tensor, classes: dict[str, Tensor]) -> None:
    """Train a probe on frozen features: (N, D), or (N, L, D) for a TokenProbe."""
    optimizer = torch.optim.AdamW(probe.parameters(), 0.003)
    generator = torch.Generator().manual_seed(0)
    for _ in range(PROBE_STEPS):
        some = torch.randperm(len(features), generator=generator)[:256]
        loss = attribute_loss(probe(features[some]), {n: c[some] for n, c in classes.items()})
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def text_features(text_encoder: CLIPTextModel, captions: list[str]) -> dict[str, Tensor]:
    """What a probe reads of N captions: "pooled", the vector of the end token, (N, D); "tokens",
    as the UNet gets them, (N, 77, D)."""
    read = [text_encoder(ids) for ids in token_ids(clip_tokenizer(), captions).split(256)]
    return {
        "pooled": torch.cat([part.pooler_output for part in read]),
        "tokens": torch.cat([part.last_hidden_state for part in read]),
    }


def probed(
    text_encoder: CLIPTextModel, known: Pictures, unseen: Pictures, world: str = "world"
) -> dict[str, dict]:
    """What can be told of a scene from its encoded caption: accuracy for each attribute.

    Args:
        text_encoder: on the CPU.
        known: pictures whose captions and scenes train the probes.
        unseen: pictures to measure on.
        world: which world they are of.
    Returns:
        "pooled" and "tokens", see `text_features`, → attribute → accuracy. Captions leave things
        out: not even a perfect encoder reaches 1.
    """
    torch.manual_seed(0)
    count, width = min(PROBE_CAPTIONS, len(known.captions)), text_encoder.config.hidden_size
    features = text_features(text_encoder, known.captions[:count])
    asked = text_features(text_encoder, unseen.captions)
    classes, truth = (scene_classes(s, world) for s in (known.scenes[:count], unseen.scenes))
    probes = {"pooled": Heads(width, classes_of(world)), "tokens": TokenProbe(width, world)}
    found = {}
    for kind, probe in probes.items():
        train_probe(probe, features[kind], classes)
        with torch.no_grad():
            told = probe(asked[kind])
        found[kind] = right({name: logits.argmax(1) for name, logits in told.items()}, truth)
    return found


def measured(
    clip: CLIPModel, known: Pictures, unseen: Pictures, world: str = "world"
) -> dict[str, dict]:
    """How well pictures and captions find each other, and what the text encoder's vectors tell.

    Args:
        clip: on the CPU.
        known: pictures that it was trained on.
        unseen: pictures to measure on, 256 or more.
        world: which world they are of.
    """
    scores = similarities(clip, unseen.pictures, unseen.captions)
    found = {}
    for among in (64, 256):
        caption, picture = retrieval(scores, unseen.captions, among)
        found[f"top-1 of {among}"] = {"caption": caption, "picture": picture}
    return found | probed(clip.text_model, known, unseen, world)


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "clip"
    config = read_config(name)
    folder = BUILD / name
    trained = train_clip(config, folder)
    trained.save_pretrained(folder / "clip")
    trained.text_model.save_pretrained(folder / "text_encoder")
    renders = world_pictures(folder.parent, HELD_OUT_RENDERS, first=HELD_OUT, world=config.world)
    known = world_pictures(folder.parent, config.examples, world=config.world)
    report = measured(trained, known, renders, config.world)
    write_json(folder / "report.json", report)
    for measure, values in report.items():
        print(f"{measure:12}", *(f"{part} {value:.3f} " for part, value in values.items()))
    print(f"saved to {folder}: clip, text_encoder, report.json")
