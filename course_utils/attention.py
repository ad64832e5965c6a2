"""Notebook 09: cross-attention, seen and changed. Which word drew which pixel?

diffusers lets every attention layer be computed by a processor of one's own
(`unet.set_attn_processor`). Ours compute what diffusers' AttnProcessor computes, bit for bit, and
hand the attention out on the way: `recorded` keeps it, `reweighted` changes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from course_utils import vae
from course_utils.errors import check_choice
from course_utils.pipeline import embed

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, UNet2DConditionModel
    from diffusers.models.attention_processor import Attention
    from transformers import CLIPTokenizer

LAYERS = {"cross": "attn2", "self": "attn1"}  # what diffusers calls the two layers of a block
END_OF_WORD = "</w>"  # what the tokenizer writes behind the last token of a word
TIMESTEPS = (100, 300, 500)  # how noisy a finished picture is made before the UNet looks at it
FLAT = 1e-6  # a map that varies less than this has nothing to cut


class OpenProcessor:
    """diffusers' AttnProcessor with its attention in plain sight: softmax(q kᵀ / √d) v.

    It serves the transformer blocks of a UNet. `use` is given the attention, and what it returns
    is used.
    """

    def __call__(
        self,
        attn: "Attention",
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """One attention layer; names and order of the arguments are diffusers'.

        Args:
            attn: the layer, with its projections.
            hidden_states: what the pixels are, (B, h·w, D).
            encoder_hidden_states: what they look at, (B, L, D'); themselves where left out.
            attention_mask: added to the scores, as diffusers has it.
            temb: not used in a UNet's transformer blocks.
        Returns:
            (B, h·w, D).
        Source: Vaswani et al. 2017, eq. 1. Notebook 09, section 1.
        """
        heard = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        mask = attn.prepare_attention_mask(attention_mask, heard.shape[1], len(heard))
        q, k, v = attn.to_q(hidden_states), attn.to_k(heard), attn.to_v(heard)
        q, k, v = (attn.head_to_batch_dim(part) for part in (q, k, v))  # (B·heads, …, d)
        probs = attn.get_attention_scores(q, k, mask)  # (B·heads, h·w, L)
        probs = self.use(probs.unflatten(0, (-1, attn.heads))).flatten(0, 1)
        gathered = attn.batch_to_head_dim(torch.bmm(probs, v))  # (B, h·w, D)
        return attn.to_out[1](attn.to_out[0](gathered))

    def use(self, probs: Tensor) -> Tensor:
        """The attention to use in place of this one, (B, heads, h·w, L)."""
        return probs


class RecordingProcessor(OpenProcessor):
    """Keeps the attention of the last of the batch: with guidance, that of the prompt.

    Attributes:
        seen: one tensor (heads, h·w, L) for each call, in float32, on the CPU.
        heads: whether to keep each head, or their mean alone (heads = 1).
    """

    def __init__(self, heads: bool = True):
        self.seen: list[Tensor] = []
        self.heads = heads

    def use(self, probs: Tensor) -> Tensor:
        """Keep it and leave it as it is."""
        last = probs[-1].detach().float()
        last = last if self.heads else last.mean(dim=0, keepdim=True)
        self.seen.append(last.to("cpu", copy=True))
        return probs


class ReweightingProcessor(OpenProcessor):
    """Multiplies the attention that some tokens get: M_ij becomes factor · M_ij.

    Attributes:
        columns: places of the tokens.
        factor: below 1 turns them down, above 1 up.
        guided: whether the first half of the batch is the negative prompt's: it is left alone.
        renormalise: whether each pixel's attention is made to sum to 1 again.
    """

    def __init__(self, columns: list[int], factor: float, guided: bool, renormalise: bool):
        self.columns, self.factor = columns, factor
        self.guided, self.renormalise = guided, renormalise

    def use(self, probs: Tensor) -> Tensor:
        """Source: Hertz et al. 2022, section 3.2, attention re-weighting."""
        weights = torch.ones(probs.shape[-1], dtype=probs.dtype, device=probs.device)
        weights[self.columns] = self.factor
        first = len(probs) // 2 if self.guided else 0
        changed = probs[first:] * weights
        if self.renormalise:
            changed = changed / changed.sum(dim=-1, keepdim=True)
        return torch.cat([probs[:first], changed])


class Maps:
    """The attention that was recorded, by resolution.

    Attributes:
        processors: what recorded it, by the name of the layer.
        latents: (h, w) of the latents, once the UNet was called.
    """

    def __init__(self, processors: dict[str, RecordingProcessor]):
        self.processors = processors
        self.latents: tuple[int, int] | None = None

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """(h, w) of the map of every layer, by its name.

        Raises:
            ValueError: nothing was recorded.
        """
        if self.latents is None:
            raise ValueError("nothing was recorded: call the pipeline inside the with block.")
        places = {name: p.seen[0].shape[1] for name, p in self.processors.items() if p.seen}
        return {name: map_size(n, self.latents) for name, n in places.items()}

    @property
    def resolutions(self) -> list[int]:
        """The heights of the maps, the finest first."""
        return sorted({h for h, _ in self.sizes.values()}, reverse=True)

    def layers(self, resolution: int) -> list[str]:
        """The names of the layers whose maps have this height, in the order of the data.

        Raises:
            ValueError: there is no such resolution.
        """
        check_choice("resolution", str(resolution), [str(height) for height in self.resolutions])
        return [name for name, (h, _) in self.sizes.items() if h == resolution]

    def __getitem__(self, resolution: int) -> Tensor:
        """All maps of one height: (steps, layers, heads, h·w, L), each row a sum of 1."""
        names = self.layers(resolution)
        return torch.stack([torch.stack(self.processors[name].seen) for name in names], dim=1)


def map_size(places: int, latents: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of a map with so many places, in a UNet that halves these latents level by level.

    Raises:
        ValueError: no level has as many.
    """
    h, w = latents
    while h * w > places:
        h, w = -(-h // 2), -(-w // 2)
    if h * w != places:
        raise ValueError(f"latents of {latents} have no level of {places} places.")
    return h, w


@contextmanager
def recorded(pipe: "DiffusionPipeline", kind: str = "cross", heads: bool = True) -> Iterator[Maps]:
    """Record the attention of every call of the UNet inside the with block.

    Args:
        pipe: any with a UNet of Stable Diffusion; afterwards its processors are the old ones.
        kind: "cross", pixels that look at tokens, or "self", pixels that look at pixels.
        heads: whether to keep each head, or their mean alone: less memory.
    Yields:
        the maps, which fill up with every call.
    Raises:
        ValueError: no such kind, or a with block inside another of its kind.
    Source: Tang et al. 2022 (DAAM). Notebook 09, section 1.
    """
    unet, names = pipe.unet, layer_names(pipe.unet, kind)
    maps = Maps({name: RecordingProcessor(heads) for name in names})

    def note(module, args, kwargs):
        maps.latents = tuple((args[0] if args else kwargs["sample"]).shape[2:])

    hook = unet.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with processed(unet, maps.processors):
            yield maps
    finally:
        hook.remove()


@contextmanager
def reweighted(
    pipe: "DiffusionPipeline",
    prompt: str,
    word: str,
    factor: float,
    guided: bool = True,
    echo: bool = False,
    renormalise: bool = False,
) -> Iterator[None]:
    """Turn the attention of one word up or down inside the with block, in every layer and step.

    Args:
        pipe: afterwards its processors are the old ones.
        prompt: what will be drawn.
        word: one or more words of the prompt.
        factor: what the attention is multiplied by, after the softmax; 0 or more.
        guided: whether the pipeline asks without the prompt as well; that half is left alone.
        echo: turn every token behind the word as well, since all of them have heard it.
        renormalise: let each pixel's attention sum to 1 again; the same as ln(factor) added to
            the word's scores before the softmax.
    Raises:
        TypeError, ValueError: no such word; a factor that is no number, or below 0.
    Source: Hertz et al. 2022, section 3.2, attention re-weighting. Notebook 09, section 5.
    """
    if not isinstance(factor, Real) or isinstance(factor, bool):
        raise TypeError(f"factor must be a number, got {factor!r}. Try 2.")
    if not 0 <= factor < float("inf"):
        raise ValueError(f"factor must be 0 or more and finite, got {factor}. Try 2.")
    columns = token_places(pipe.tokenizer, prompt, word)
    if echo:
        columns = list(range(columns[0], pipe.tokenizer.model_max_length))
    one = ReweightingProcessor(columns, float(factor), guided, renormalise)
    with processed(pipe.unet, dict.fromkeys(layer_names(pipe.unet, "cross"), one)):
        yield


@contextmanager
def processed(unet: "UNet2DConditionModel", processors: dict[str, OpenProcessor]) -> Iterator[None]:
    """Let some attention layers be computed by these processors, then by the old ones again."""
    before = unet.attn_processors
    if any(isinstance(before[name], OpenProcessor) for name in processors):
        raise ValueError(
            "these layers are recorded or reweighted already: leave the other with block first."
        )
    unet.set_attn_processor({**before, **processors})
    try:
        yield
    finally:
        unet.set_attn_processor(dict(before))


def layer_names(unet: "UNet2DConditionModel", kind: str = "cross") -> list[str]:
    """The names of the processors of one kind of layer, in the order of the data."""
    check_choice("kind", kind, LAYERS)
    parts = ("down_blocks", "mid_block", "up_blocks")
    found = [name for name in unet.attn_processors if f".{LAYERS[kind]}." in name]
    return sorted(found, key=lambda name: parts.index(name.split(".")[0]))


def cross_attention(unet: "UNet2DConditionModel") -> dict[int, tuple[int, int]]:
    """Where a UNet looks at the prompt: height of the maps → (layers, heads of each), the finest
    first; also for a UNet on the meta device.

    Args:
        unet: of Stable Diffusion; its latents are as large as it was trained for.
    """
    found, levels = {}, len(unet.config.block_out_channels)
    for name in layer_names(unet, "cross"):
        part, number = name.split(".")[:2]
        level = {"down_blocks": int(number) if number.isdigit() else 0, "mid_block": levels - 1}
        level["up_blocks"] = levels - 1 - level["down_blocks"]
        height = unet.config.sample_size // 2 ** level[part]
        heads = unet.get_submodule(name.removesuffix(".processor")).heads
        found[height] = (found.get(height, (0, heads))[0] + 1, heads)
    return dict(sorted(found.items(), reverse=True))


def words(tokenizer: "CLIPTokenizer", text: str) -> list[tuple[str, list[int]]]:
    """The words of a prompt, each with the places of its tokens; the start is place 0.

    Args:
        tokenizer: CLIP's.
        text: any text; what is cut off beyond the 75th token is left out.
    Returns:
        pairs such as ("flooble", [5, 6]); a comma is a word.
    Raises:
        TypeError: text is not a string.
    Source: notebook 02, section 1.
    """
    if not isinstance(text, str):
        raise TypeError(f"a prompt is one string, got {text!r}. Try 'a dog on a beach'.")
    ids = tokenizer(text, truncation=True).input_ids
    found, begun = [], []
    for place, token in enumerate(tokenizer.convert_ids_to_tokens(ids)[1:-1], start=1):
        begun.append((place, token))
        if token.endswith(END_OF_WORD):
            name = "".join(piece for _, piece in begun).removesuffix(END_OF_WORD)
            found.append((name, [place for place, _ in begun]))
            begun = []
    return found


def token_places(tokenizer: "CLIPTokenizer", prompt: str, word: str) -> list[int]:
    """Where in a prompt the tokens of a word stand, wherever it occurs.

    Args:
        tokenizer: CLIP's.
        prompt: the prompt.
        word: one word, or several that follow each other, such as "park bench".
    Returns:
        places, the start of the text being 0.
    Raises:
        TypeError: prompt or word is not a string.
        ValueError: the word is not in the prompt.
    """
    known, wanted = words(tokenizer, prompt), [name for name, _ in words(tokenizer, word)]
    names, n = [name for name, _ in known], len(wanted)
    starts = [i for i in range(len(names)) if n and names[i : i + n] == wanted]
    if not starts:
        raise ValueError(
            f"the prompt has no word {word!r}. Its words are: {', '.join(dict.fromkeys(names))}."
        )
    return [place for i in starts for _, places in known[i : i + n] for place in places]


def word_map(
    maps: Maps,
    tokenizer: "CLIPTokenizer",
    prompt: str,
    word: str,
    resolution: int | None = None,
    layer: int | None = None,
    head: int | None = None,
    step: int | None = None,
) -> Tensor:
    """How much each place looks at a word: the share of its attention that the word's tokens get.

    What is left out is averaged over. Maps of several resolutions are brought to the finest.

    Args:
        maps: of kind "cross", from `recorded`.
        tokenizer: CLIP's.
        prompt: what the UNet heard.
        word: one or more words of it; the shares of their tokens are added.
        resolution: height of the maps to take.
        layer, head: which of those at this resolution, counted from 0; give a resolution, too.
        step: which call of the UNet, counted from 0.
    Returns:
        (h, w), 0 to 1.
    Raises:
        TypeError, ValueError: no such word, resolution, layer, head or step; nothing recorded.
    Source: Tang et al. 2022 (DAAM), with a mean for their sum. Notebook 09, section 2.
    """
    columns = token_places(tokenizer, prompt, word)
    if resolution is None and (layer is not None or head is not None):
        raise ValueError(
            "layers and heads are counted at one resolution: say which, "
            f"resolution={maps.resolutions[0]} for instance."
        )
    finest = maps.sizes[maps.layers(maps.resolutions[0])[0]]
    found = []
    for height in maps.resolutions if resolution is None else [resolution]:
        shares = chosen(maps[height], layer, head, step)[..., columns].sum(dim=-1)
        size = maps.sizes[maps.layers(height)[0]]
        one = shares.mean(dim=(0, 2)).unflatten(-1, size)  # (layers, h, w)
        found.append(one if resolution is not None else upsampled(one, finest))
    return torch.cat(found).mean(dim=0)


def chosen(attention: Tensor, layer: int | None, head: int | None, step: int | None) -> Tensor:
    """Some of the maps of one resolution; what is left out stays whole.

    Args:
        attention: (steps, layers, heads, h·w, L).
    Returns:
        the same with 1 where a number was given.
    Raises:
        ValueError: a number that is out of range.
    """
    for axis, (name, number) in enumerate({"step": step, "layer": layer, "head": head}.items()):
        count = attention.shape[axis]
        if number is None:
            continue
        if not isinstance(number, Integral) or not 0 <= number < count:
            raise ValueError(f"{name} must be one of 0 to {count - 1} here, got {number!r}.")
        attention = attention.narrow(axis, int(number), 1)
    return attention


def upsampled(one: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps in another size, bilinear, so that shares stay in 0..1.

    Args:
        one: (h, w), or (N, h, w).
        size: (H, W).
    Returns:
        (H, W), or (N, H, W).
    """
    many = one if one.ndim == 3 else one[None]
    many = F.interpolate(many[None], size=tuple(size), mode="bilinear", align_corners=False)[0]
    return many if one.ndim == 3 else many[0]


def who_looks_where(maps: Maps, resolution: int | None = None) -> Tensor:
    """How much each place looks at each other: the mean over steps, layers and heads.

    Args:
        maps: of kind "self", from `recorded`.
        resolution: height of the maps; the finest where left out.
    Returns:
        (h·w, h·w), each row a sum of 1.
    """
    return maps[maps.resolutions[0] if resolution is None else resolution].mean(dim=(0, 1, 2))


def spread(one: Tensor, looks: Tensor) -> Tensor:
    """Give each place the mean of a map over the places it looks at: m' = S m.

    Args:
        one: (h, w).
        looks: S, from `who_looks_where`, (h·w, h·w).
    Returns:
        (h, w).
    Raises:
        ValueError: S was recorded at another resolution.
    Source: Nguyen et al. 2023 (Dataset Diffusion), self-attention exponentiation with exponent 1.
    Notebook 09, section 4.
    """
    if looks.shape != (one.numel(), one.numel()):
        raise ValueError(
            f"a map of {tuple(one.shape)} needs looks of {(one.numel(),) * 2}, got "
            f"{tuple(looks.shape)}: take both at the same resolution."
        )
    return (looks @ one.flatten()).view_as(one)


def attention_mask(one: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Cut a map in two: what is bright belongs to the word.

    Args:
        one: (h, w).
        size: (W, H) of the picture, as PIL has it.
    Returns:
        (H, W) bool: above the threshold that separates dark and bright best.
    Raises:
        ValueError: the map is the same everywhere, or not finite.
    Source: Otsu 1979. Notebook 09, section 4.
    """
    from skimage.filters import threshold_otsu

    if not torch.isfinite(one).all() or one.max() - one.min() < FLAT:
        raise ValueError(
            "the map is the same everywhere, or not finite: there is nothing to cut out. "
            "Try another word."
        )
    large = upsampled(one, size[::-1]).numpy()
    return large > threshold_otsu(large)


@torch.no_grad()
def look_at(
    pipe: "DiffusionPipeline",
    picture: Image.Image,
    prompt: str,
    timesteps: tuple[int, ...] = TIMESTEPS,
    generator: Generator | None = None,
) -> tuple[Maps, Maps]:
    """Attention in a picture that is finished: make it noisy and let the UNet look at it.

    Args:
        pipe: its VAE, text encoder, scheduler and UNet are used.
        picture: RGB, sides multiples of 8.
        prompt: what is in it.
        timesteps: one call of the UNet for each; the noise is new for each.
        generator: where the noise comes from.
    Returns:
        cross- and self-attention, the mean over heads alone.
    Raises:
        TypeError, ValueError: a picture that is not RGB; no timesteps.
    Source: Tang et al. 2022; Wang et al. 2023 (DiffSegmenter). Notebook 09, section 4.
    """
    if not timesteps:
        raise ValueError(f"give at least one timestep, for instance {TIMESTEPS}.")
    x = vae.to_tensor(picture).to(pipe.vae.device, pipe.vae.dtype)
    z0, context = vae.encode(pipe.vae, x), embed(pipe, [prompt], guided=False)
    with recorded(pipe, heads=False) as cross, recorded(pipe, "self", heads=False) as own:
        for t in torch.tensor(timesteps):
            eps = torch.randn(z0.shape, generator=generator, dtype=z0.dtype).to(z0.device)
            z = pipe.scheduler.add_noise(z0, eps, t[None])
            pipe.unet(pipe.scheduler.scale_model_input(z, t), t, context)
    return cross, own
