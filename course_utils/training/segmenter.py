"""Train the segmenter: a small CLIPSeg that finds in a picture what a phrase names.

The masks that the world was drawn with teach it. Its text transformer starts from the pocket
model's text encoder; words that captions lack ("moon", "buildings") are learned here.

    python -m course_utils.training.segmenter [configuration]
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPTextModel, CLIPTokenizer
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from course_utils.training.data import Pictures, roughen, world_pictures
from course_utils.training.loop import Config, fit, read_config
from course_utils.training.text import clip_tokenizer, token_ids
from course_utils.training.vae import to_model
from course_utils.world import HELD_OUT, Scene
from course_utils.world.caption import mask_phrases
from course_utils.world.vocabulary import SIZE

BUILD = Path("build/train")
HELD_OUT_RENDERS = 500
SMALLEST = 0.005  # share of a picture below which a mask does not count in `mean_iou`
NOWHERE = 255  # the label of what is not in a picture


class Searcher(nn.Module):
    """The forward pass of training: several phrases for each picture, and gradients throughout,
    while CLIPSegForImageSegmentation keeps CLIP itself frozen."""

    def __init__(self, segmenter: CLIPSegForImageSegmentation):
        super().__init__()
        self.segmenter = segmenter

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in -1..1 and token ids (B·K, L), K phrases for each picture in
        turn → logits (B·K, H, W)."""
        clip, decoder = self.segmenter.clip, self.segmenter.decoder
        states = clip.vision_model(x, output_hidden_states=True).hidden_states
        seen = [states[layer + 1] for layer in self.segmenter.extract_layers]
        seen = [state.repeat_interleave(len(ids) // len(x), dim=0) for state in seen]
        return decoder(seen, clip.get_text_features(ids).pooler_output).logits


def make_segmenter(
    sizes: dict, text_encoder: CLIPTextModel, known_ids: Tensor
) -> CLIPSegForImageSegmentation:
    """A segmenter for pictures of 128×128 that starts with a trained text encoder.

    Args:
        sizes: as in its configuration.
        text_encoder: its weights are copied; rows of its embedding that are zero stay zero, but
            for known_ids.
        known_ids: the tokens that it will hear.
    """
    told = text_encoder.config
    text = {
        "hidden_size": told.hidden_size,
        "intermediate_size": told.intermediate_size,
        "num_hidden_layers": told.num_hidden_layers,
        "num_attention_heads": told.num_attention_heads,
        "pad_token_id": told.pad_token_id,
    }
    vision = {"image_size": SIZE, **sizes["vision"]}
    rest = {name: value for name, value in sizes.items() if name != "vision"}
    rest["attn_implementation"] = "eager"  # on the CPU its way back is faster
    config = CLIPSegConfig(text_config=text, vision_config=vision, **rest)
    segmenter = CLIPSegForImageSegmentation(config)
    clip = segmenter.clip
    fresh = clip.text_model.get_input_embeddings().weight[known_ids].detach().clone()
    clip.text_model.load_state_dict(text_encoder.state_dict())
    with torch.no_grad():
        rows = clip.text_model.get_input_embeddings().weight
        silent = ~rows[known_ids].any(dim=1)
        rows[known_ids[silent]] = fresh[silent]
    for idle in (clip.visual_projection, clip.vision_model.post_layernorm):
        idle.requires_grad_(False)  # answers do not depend on them: no process waits for them
    clip.logit_scale.requires_grad_(False)
    return segmenter


def make_image_processor() -> ViTImageProcessorPil:
    """What makes a PIL picture into the segmenter's input: (3, 128, 128) in -1..1."""
    half = [0.5, 0.5, 0.5]
    return ViTImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=half, image_std=half
    )


def all_phrases(world: Pictures) -> dict[str, list[str]]:
    """Every name that a mask has in these pictures → every phrase there is for it."""
    phrases = {}
    for names, scene in zip(world.names, world.scenes, strict=True):
        for name in names:
            phrases.setdefault(name, set()).update(mask_phrases(name, Scene(**scene)))
    return {name: sorted(phrases[name]) for name in sorted(phrases)}


def absent(names: list[str], known: Iterable[str]) -> list[str]:
    """The known names of what is not in a picture; "tree" is not absent where "trees" are."""
    here = {name.removesuffix("s") for name in names}
    return [name for name in known if name.removesuffix("s") not in here]


def ask(
    world: Pictures, place: int, phrases: dict, nowhere: float, generator: torch.Generator
) -> tuple[str, int]:
    """A phrase for a picture, and the label it should find.

    Args:
        world: pictures with labels and names.
        place: which of them.
        phrases: see all_phrases.
        nowhere: how often to ask for what is not in the picture.
        generator: chooses.
    """

    def choose(things):
        return things[int(torch.randint(len(things), (), generator=generator))]

    names = world.names[place]
    if float(torch.rand((), generator=generator)) < nowhere:
        return choose(phrases[choose(absent(names, phrases))]), NOWHERE
    name = choose(names)
    return choose(mask_phrases(name, Scene(**world.scenes[place]))), names.index(name) + 1


def mask_loss(world: Pictures, phrases: dict, tokenizer: CLIPTokenizer, options: dict):
    """The loss of the segmenter for `fit`: binary cross-entropy + 1 − soft Dice coefficient.

    Args:
        world: pictures with labels and names.
        phrases: see all_phrases.
        tokenizer: CLIP's.
        options: asked, the number of phrases about each picture; nowhere, how often one names
            what is not there; heard, the tokens of a phrase that are read.
    """
    each = options["asked"]

    def loss(model, indices, generator, share):
        places = indices.repeat_interleave(each).tolist()
        asked = [ask(world, place, phrases, options["nowhere"], generator) for place in places]
        ids = token_ids(tokenizer, [phrase for phrase, _ in asked])[:, : options["heard"]]
        numbers = torch.tensor([number for _, number in asked]).unflatten(0, (-1, each))
        labels = torch.from_numpy(np.array(world.labels[indices.numpy()]))
        truth = (labels[:, None] == numbers[:, :, None, None]).float()  # (B, K, H, W)
        x = roughen(to_model(world.pictures[indices.numpy()]), generator)
        parts = x, ids.unflatten(0, (-1, each)), truth
        device = next(model.parameters()).device
        x, ids, truth = (part[share].to(device) for part in parts)
        logits = model(x, ids.flatten(0, 1)).float()
        bce = F.binary_cross_entropy_with_logits(logits, truth.flatten(0, 1))
        dice = 1 - soft_dice(logits.sigmoid(), truth.flatten(0, 1)).mean()
        return {"loss": bce + dice, "bce": bce, "dice": dice}

    return loss


def soft_dice(seen: Tensor, truth: Tensor) -> Tensor:
    """Twice what two masks share, over what they have together; masks (N, H, W) in 0..1 → (N,).
    One pixel more on each side makes two empty masks equal."""
    both, either = (seen * truth).sum(dim=(1, 2)), (seen + truth).sum(dim=(1, 2))
    return (2 * both + 1) / (either + 1)


def iou(seen: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of bool masks (N, H, W) → (N,); 1 where both are empty."""
    both, either = (seen & truth).sum(dim=(1, 2)), (seen | truth).sum(dim=(1, 2))
    return torch.where(either == 0, 1.0, both / either)


@torch.no_grad()
def mean_iou(
    segmenter: CLIPSegForImageSegmentation,
    world: Pictures,
    tokenizer: CLIPTokenizer,
    subjects_only: bool = False,
) -> float:
    """Mean intersection over union at threshold 0.5, over every named thing of every picture
    that covers at least SMALLEST of it.

    Args:
        segmenter: on the CPU.
        world: pictures with labels and names.
        tokenizer: CLIP's.
        subjects_only: ask for what the picture is of, and for nothing else.
    """
    found = []
    for place, names in enumerate(world.names):
        scene = Scene(**world.scenes[place])
        masks = {name: world.labels[place] == n for n, name in enumerate(names, start=1)}
        masks = {
            name: mask
            for name, mask in masks.items()
            if mask.mean() >= SMALLEST and (name == scene.subject or not subjects_only)
        }
        if masks:
            ids = token_ids(tokenizer, [mask_phrases(name, scene)[0] for name in masks])
            x = to_model(world.pictures[place][None]).repeat(len(masks), 1, 1, 1)
            seen = segmenter(input_ids=ids, pixel_values=x).logits > 0
            found.append(iou(seen, torch.from_numpy(np.stack(list(masks.values())))))
    return float(torch.cat(found).mean())


def train_segmenter(
    config: Config, folder: Path, stop_after: int | None = None
) -> CLIPSegForImageSegmentation:
    """Train, or go on training, the segmenter of a configuration; returns its average."""
    world, tokenizer = world_pictures(folder.parent, config.examples), clip_tokenizer()
    phrases = all_phrases(world)
    known_ids = token_ids(tokenizer, sum(phrases.values(), [])).unique()
    text_encoder = CLIPTextModel.from_pretrained(
        folder.parent / config.options["text_encoder"], dtype=torch.float32
    )
    torch.manual_seed(config.seed)
    searcher = Searcher(make_segmenter(config.model, text_encoder, known_ids))
    searcher = searcher.to(memory_format=torch.channels_last)
    loss = mask_loss(world, phrases, tokenizer, config.options)
    return fit(searcher, loss, config, folder, stop_after).segmenter


if __name__ == "__main__":
    import sys

    name = sys.argv[1] if len(sys.argv) > 1 else "segmenter"
    trained = train_segmenter(read_config(name), BUILD / name).cpu().eval()
    trained.save_pretrained(BUILD / name / "segmenter")
    renders = world_pictures(BUILD, HELD_OUT_RENDERS, first=HELD_OUT)
    unseen = world_pictures(BUILD, HELD_OUT_RENDERS, first=HELD_OUT, unseen=True)
    tokenizer = clip_tokenizer()
    print(f"saved to {BUILD / name}; intersection over union")
    print(f"held-out renders {mean_iou(trained, renders, tokenizer):.3f}")
    print(f"pairs never seen {mean_iou(trained, unseen, tokenizer, True):.3f}")
