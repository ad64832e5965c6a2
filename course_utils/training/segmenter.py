"""Train the segmenter: a small CLIPSeg that finds in a picture what a phrase names.

The masks that the world was drawn with teach it. Its text transformer starts from the pocket
model's text encoder; words that captions lack ("moon", "buildings") are learned here. The real
one starts from CLIP, which knows already what words and pictures have in common. Ours learns it on
the way: from every phrase, and from every patch of a picture, a classifier must tell the name.

    python -m course_utils.training.segmenter [configuration]
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPTextModel, CLIPTokenizer
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from course_utils.inpaint import iou
from course_utils.training.attributes import UNNAMED
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
    """The forward pass of training: several phrases for each picture, gradients throughout, where
    CLIPSegForImageSegmentation keeps CLIP frozen, and the two classifiers of names."""

    def __init__(self, segmenter: CLIPSegForImageSegmentation, names: int):
        super().__init__()
        self.segmenter = segmenter
        self.words = nn.Linear(segmenter.config.projection_dim, names)
        self.patches = nn.Linear(segmenter.config.vision_config.hidden_size, names)

    def forward(self, x: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Args: pictures x (B, 3, H, W) in -1..1; token ids (B·K, L), K phrases for each picture.
        Returns: logits: "masks" (B·K, H, W), "words" (B·K, names), "patches" (B, h·w, names)."""
        clip, layers = self.segmenter.clip, self.segmenter.extract_layers
        states = clip.vision_model(x, output_hidden_states=True).hidden_states
        seen = [states[layer + 1] for layer in layers]
        read = clip.get_text_features(ids).pooler_output
        asked = [state.repeat_interleave(len(ids) // len(x), dim=0) for state in seen]
        return {
            "masks": self.segmenter.decoder(asked, read).logits,
            "words": self.words(read),
            "patches": self.patches(seen[-1][:, 1:]),
        }


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
    start_small(segmenter)
    return segmenter


def start_small(segmenter: CLIPSegForImageSegmentation) -> None:
    """Let the parts that learn from nothing start with weights that suit their sizes.

    transformers gives the decoder's first layers weights of size 1, made to be loaded over: all
    that words say would drown in them, and nothing would be learned. At first the words change
    little (`film_mul` is about 1), and three pixels of four are taken for background.
    """
    decoder, seen = segmenter.decoder, segmenter.clip.vision_model.embeddings
    for reduce in decoder.reduces:
        nn.init.normal_(reduce.weight, std=reduce.in_features**-0.5)
    for film, bias in ((decoder.film_mul, 1.0), (decoder.film_add, 0.0)):
        nn.init.normal_(film.weight, std=0.02)
        nn.init.constant_(film.bias, bias)
    nn.init.normal_(decoder.transposed_convolution.weight, std=0.02)
    nn.init.constant_(decoder.transposed_convolution.bias, -1.1)
    for embedding in (seen.patch_embedding, seen.position_embedding):
        nn.init.normal_(embedding.weight, std=0.1)


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
    world: Pictures, place: int, phrases: dict, options: dict, generator: torch.Generator
) -> tuple[str, str, int]:
    """A question about a picture: a name, a phrase for it, and the label that it should find.

    Args:
        world: pictures with labels and names.
        place: which of them.
        phrases: see all_phrases.
        options: how often to ask for what is not there (nowhere), for what the picture is of
            (subject), and for that in any colour that it may have (recolored): who asks for "the
            red dog" means the dog, and a dog in a new colour is found by its shape.
        generator: chooses.
    """

    def choose(things):
        return things[int(torch.randint(len(things), (), generator=generator))]

    def happens(share):
        return float(torch.rand((), generator=generator)) < share

    names, scene = world.names[place], Scene(**world.scenes[place])
    if happens(options["nowhere"]):
        name = choose(absent(names, phrases))
        return name, choose(phrases[name]), NOWHERE
    subject = scene.subject in names and happens(options["subject"])
    name = scene.subject if subject else choose(names)
    any_color = subject and happens(options["recolored"])
    phrase = choose(phrases[name] if any_color else mask_phrases(name, scene))
    return name, phrase, names.index(name) + 1


def patch_names(labels: Tensor, names: list[list[str]], known: list[str], patch: int) -> Tensor:
    """What is in the middle of every patch, as a place in `known`.

    Args:
        labels: (B, H, W) uint8, see Pictures.
        names: what these labels mean, for each picture.
        known: every name there is.
        patch: side of a patch in pixels.
    Returns:
        (B, h·w) int64, UNNAMED where there is nothing.
    """
    middles = labels[:, patch // 2 :: patch, patch // 2 :: patch].flatten(1).long()
    numbers = [torch.tensor([UNNAMED, *(known.index(name) for name in own)]) for own in names]
    return pad_sequence(numbers, batch_first=True, padding_value=UNNAMED).gather(1, middles)


def mask_loss(world: Pictures, phrases: dict, tokenizer: CLIPTokenizer, options: dict):
    """The loss of the segmenter for `fit`: binary cross-entropy + 1 − soft Dice coefficient of the
    masks + cross-entropy of the names of phrases and patches.

    Args:
        world: pictures with labels and names.
        phrases: see all_phrases.
        tokenizer: CLIP's.
        options: asked, the number of phrases about each picture; heard, the tokens of a phrase
            that are read; and see `ask`.
    """
    known, each = list(phrases), options["asked"]

    def questions(places, generator):
        pairs = places.repeat_interleave(each).tolist()
        asked = [ask(world, place, phrases, options, generator) for place in pairs]
        names, words, numbers = zip(*asked, strict=True)
        ids = token_ids(tokenizer, list(words))[:, : options["heard"]]
        parts = ids, torch.tensor([known.index(name) for name in names]), torch.tensor(numbers)
        return [part.unflatten(0, (-1, each)) for part in parts]

    def loss(model, indices, generator, share):
        ids, names, numbers = questions(indices, generator)
        labels = torch.from_numpy(np.array(world.labels[indices.numpy()]))
        masks = (labels[:, None] == numbers[:, :, None, None]).float()  # (B, K, H, W)
        x = roughen(to_model(world.pictures[indices.numpy()]), generator)
        device = next(model.parameters()).device
        x, ids, names, masks = (part[share].to(device) for part in (x, ids, names, masks))
        told = {name: value.float() for name, value in model(x, ids.flatten(0, 1)).items()}
        patch = SIZE // round(told["patches"].shape[1] ** 0.5)
        own = [world.names[place] for place in indices[share].tolist()]
        seen = patch_names(labels[share], own, known, patch).to(device)
        return losses(told, masks.flatten(0, 1), names.flatten(), seen.flatten())

    return loss


def losses(told: dict[str, Tensor], masks: Tensor, words: Tensor, patches: Tensor):
    """What a Searcher told wrong: every loss by its name, and "loss", their sum.

    Args:
        told: see Searcher.
        masks: the true ones, (B·K, H, W) in 0..1.
        words: places of the names that the phrases mean, (B·K,).
        patches: places of the names in the patches, (B·h·w,).
    """
    parts = {
        "bce": F.binary_cross_entropy_with_logits(told["masks"], masks),
        "dice": 1 - soft_dice(told["masks"].sigmoid(), masks).mean(),
        "words": F.cross_entropy(told["words"], words),
        "patches": F.cross_entropy(told["patches"].flatten(0, 1), patches),
    }
    return {"loss": sum(parts.values()), **parts}


def soft_dice(seen: Tensor, truth: Tensor) -> Tensor:
    """Twice what two masks share, over what they have together; masks (N, H, W) in 0..1 → (N,).
    One pixel more on each side makes two empty masks equal."""
    both, either = (seen * truth).sum(dim=(1, 2)), (seen + truth).sum(dim=(1, 2))
    return (2 * both + 1) / (either + 1)


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
            seen = (segmenter(input_ids=ids, pixel_values=x).logits > 0).numpy()
            found += [iou(one, truth) for one, truth in zip(seen, masks.values(), strict=True)]
    return float(np.mean(found))


def train_segmenter(
    config: Config, folder: Path, stop_after: int | None = None
) -> CLIPSegForImageSegmentation:
    """Train, or go on training, the segmenter of a configuration; returns its average."""
    world, tokenizer = (
        world_pictures(folder.parent, config.examples, world=config.world),
        clip_tokenizer(),
    )
    phrases = all_phrases(world)
    known_ids = token_ids(tokenizer, sum(phrases.values(), [])).unique()
    text_encoder = CLIPTextModel.from_pretrained(
        folder.parent / config.options["text_encoder"], dtype=torch.float32
    )
    torch.manual_seed(config.seed)
    searcher = Searcher(make_segmenter(config.model, text_encoder, known_ids), len(phrases))
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
