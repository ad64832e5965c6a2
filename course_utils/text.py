"""Notebook 02: the tokenizer and the text encoder by hand. Words to numbers to vectors.

`encode` runs the layers of a CLIPTextModel one after the other; its result equals the model's own,
bit for bit.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.models import POCKET

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer


@dataclass(frozen=True)
class Stage:
    """One stop on the way through the text encoder: its name, the shape there, its parameters."""

    name: str
    shape: tuple[int, ...]
    parameters: int


@cache
def bundled_tokenizer() -> "CLIPTokenizer":
    """The real CLIP tokenizer, which comes with the pocket model: 49,408 tokens."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(POCKET / "tokenizer")


def tokens(text: str, tokenizer: "CLIPTokenizer | None" = None) -> list[tuple[int, str]]:
    """Cut a text into tokens and number them; neither padded nor cut off.

    Args:
        text: any text.
        tokenizer: the bundled one where it is left out.
    Returns:
        (id, piece of text) for the start, every piece, and the end.
    Raises:
        TypeError: text is not a string.
    Source: Radford et al. 2021, section 2.4; Sennrich et al. 2016. Notebook 02, section 1.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be one string, got {text!r}. Try tokens('a dog on a beach').")
    tokenizer = tokenizer or bundled_tokenizer()
    ids = tokenizer(text, verbose=False).input_ids
    return [(i, tokenizer.decode([i])) for i in ids]


def pad_or_cut(ids: list[int], length: int = 77, pad: int = 49407) -> list[int]:
    """Bring ids to the one length the text encoder was trained on.

    Args:
        ids: start, words, end.
        length: how many come out.
        pad: what fills the places behind the end; CLIP's own is the end token itself.
    Returns:
        `length` ids. Where there were more, the last words are gone and the end token is kept.
    Raises:
        ValueError: length has no room for start and end.
    Source: notebook 02, section 2.
    """
    if length < 2:
        raise ValueError(f"length must be 2 or more, for start and end, got {length}. Try 77.")
    if len(ids) > length:
        return [*ids[: length - 1], ids[-1]]
    return [*ids, *[pad] * (length - len(ids))]


def token_ids(text: str, tokenizer: "CLIPTokenizer | None" = None) -> Tensor:
    """A prompt as the text encoder takes it.

    Args:
        text: the prompt.
        tokenizer: the bundled one where it is left out.
    Returns:
        (1, 77) int64.
    """
    tokenizer = tokenizer or bundled_tokenizer()
    ids = [i for i, _ in tokens(text, tokenizer)]
    padded = pad_or_cut(ids, tokenizer.model_max_length, tokenizer.pad_token_id)
    return torch.tensor([padded])


def lost(text: str, tokenizer: "CLIPTokenizer | None" = None) -> str:
    """The end of a prompt that the text encoder never sees; empty where all of it fits.

    Args:
        text: the prompt.
        tokenizer: the bundled one where it is left out.
    Returns:
        the pieces beyond the 75th, as text.
    Source: notebook 02, section 2.
    """
    tokenizer = tokenizer or bundled_tokenizer()
    ids = [i for i, _ in tokens(text, tokenizer)]
    return tokenizer.decode(ids[tokenizer.model_max_length - 1 : -1]).strip()


@torch.no_grad()
def embed(text_encoder: "CLIPTextModel", ids: Tensor) -> Tensor:
    """A vector for each token and one for its place, added: x_i = E[id_i] + P[i].

    Args:
        text_encoder: holds the tables E, (49408, D), and P, (77, D).
        ids: (B, L) int64.
    Returns:
        (B, L, D).
    Raises:
        ValueError: more tokens than there are places.
    Source: Vaswani et al. 2017, section 3.4; Radford et al. 2019. Notebook 02, section 3.
    """
    tables = text_encoder.embeddings
    E, P = tables.token_embedding.weight, tables.position_embedding.weight
    length = ids.shape[-1]
    if length > len(P):
        raise ValueError(
            f"the text encoder has {len(P)} places, got {length} tokens. "
            "Try text.token_ids(prompt)."
        )
    return E[ids] + P[:length]


def causal_mask(length: int) -> Tensor:
    """Who may listen to whom: a token to itself and to what stands before it.

    Returns:
        (L, L) bool; [i, j] says whether token i may look at token j.
    Source: Radford et al. 2021, section 2.4. Notebook 02, section 4.
    """
    return torch.ones(length, length, dtype=torch.bool).tril()


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, L, D) → (B, heads, L, D / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


@torch.no_grad()
def attention_weights(attention: nn.Module, x: Tensor) -> Tensor:
    """How much each token listens to each: A = softmax(Q Kᵀ / √d + M), M = −∞ for later tokens.

    Args:
        attention: the `self_attn` of a layer.
        x: what goes into it, (B, L, D).
    Returns:
        (B, heads, L, L), every row sums to 1.
    Source: Vaswani et al. 2017, eq. 1. Notebook 02, section 4.
    """
    q, k = (split_heads(p(x), attention.num_heads) for p in (attention.q_proj, attention.k_proj))
    scores = q @ k.mT * attention.scale  # (B, heads, L, L)
    scores = scores.masked_fill(~causal_mask(x.shape[1]).to(x.device), -torch.inf)
    return scores.softmax(dim=-1)


@torch.no_grad()
def attend(attention: nn.Module, x: Tensor) -> Tensor:
    """Masked self-attention: every token gathers what it listens to, A V, for all heads at once.

    The same as `attention_weights(attention, x) @ v`, in torch's fused form that the model uses.

    Args:
        attention: the `self_attn` of a layer.
        x: (B, L, D).
    Returns:
        (B, L, D).
    Source: Vaswani et al. 2017, eq. 1. Notebook 02, section 4.
    """
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    q, k, v = (split_heads(p(x), attention.num_heads) for p in projections)
    gathered = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=attention.scale)
    return attention.out_proj(gathered.transpose(1, 2).flatten(2))


@torch.no_grad()
def apply_layer(layer: nn.Module, x: Tensor) -> Tensor:
    """One layer of the transformer: listen to the others, then think for yourself.

    Args:
        layer: one of `text_encoder.encoder.layers`.
        x: (B, L, D).
    Returns:
        (B, L, D).
    Source: Radford et al. 2019, section 2.3. Notebook 02, section 4.
    """
    x = x + attend(layer.self_attn, layer.layer_norm1(x))
    mlp = layer.mlp
    return x + mlp.fc2(mlp.activation_fn(mlp.fc1(layer.layer_norm2(x))))


@torch.no_grad()
def transform(text_encoder: "CLIPTextModel", x: Tensor) -> Tensor:
    """Embedded tokens to what the UNet hears: all layers, then a last normalisation.

    Args:
        text_encoder: the model.
        x: from `embed`, or changed by hand, (B, L, D).
    Returns:
        (B, L, D).
    """
    for layer in text_encoder.encoder.layers:
        x = apply_layer(layer, x)
    return text_encoder.final_layer_norm(x)


def encode(text_encoder: "CLIPTextModel", ids: Tensor) -> Tensor:
    """Token ids to what the UNet hears: `embed`, then `transform`.

    Args:
        text_encoder: the model.
        ids: (B, L) int64.
    Returns:
        (B, L, D).
    Source: Radford et al. 2021, section 2.4. Notebook 02, section 7.
    """
    return transform(text_encoder, embed(text_encoder, ids))


def influence(text_encoder: "CLIPTextModel", ids: Tensor) -> Tensor:
    """How far each token's vector moves when one token is taken out of the sum.

    Args:
        text_encoder: the model.
        ids: one prompt, (1, L).
    Returns:
        (L, L); [i, j] is the length of the change of vector i when the embedding of token j is
        set to zero, in units of vector i's own length.
    Source: notebook 02, section 4.
    """
    x = embed(text_encoder, ids)  # (1, L, D)
    muted = x * (1 - torch.eye(x.shape[1]).to(x))[..., None]  # (L, L, D)
    before = transform(text_encoder, x)
    after = torch.cat([transform(text_encoder, one) for one in muted.split(1)])
    return ((after - before).norm(dim=-1) / before.norm(dim=-1)).T


def known(text_encoder: "CLIPTextModel", ids: Tensor) -> Tensor:
    """Which tokens the model met in training: the others kept an embedding of zeros.

    Args:
        text_encoder: the pocket model's; a real one knows every token.
        ids: any shape, int64.
    Returns:
        bool, same shape.
    """
    return text_encoder.embeddings.token_embedding.weight[ids].any(dim=-1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between vectors: a·b / (|a| |b|).

    Args:
        a: (N, D).
        b: (M, D).
    Returns:
        (N, M), -1..1: 1 where they point the same way.
    Source: notebook 02, section 5.
    """
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).mT


def summary(
    text_encoder: "CLIPTextModel", prompts: list[str], tokenizer: "CLIPTokenizer"
) -> Tensor:
    """One vector for each prompt: that of its end token, which has heard all of it.

    Args:
        text_encoder: the model.
        prompts: N prompts.
        tokenizer: the model's.
    Returns:
        (N, D).
    Source: Radford et al. 2021, section 2.4. Notebook 02, section 5.
    """
    ids = torch.cat([token_ids(prompt, tokenizer) for prompt in prompts])
    end = (ids == tokenizer.eos_token_id).int().argmax(dim=-1)  # the first end token
    return encode(text_encoder, ids)[torch.arange(len(ids)), end]


@torch.no_grad()
def stages(text_encoder: "CLIPTextModel", length: int = 77) -> list[Stage]:
    """Send a prompt through a text encoder and write down the shapes on the way.

    Args:
        text_encoder: any CLIPTextModel; also one on the meta device, where nothing is computed.
        length: tokens of the prompt.
    Returns:
        "tokens", "embeddings", "layer 1" and so on, "normalise".
    """
    ids = torch.zeros(1, length, dtype=torch.int64, device=text_encoder.device)
    x = embed(text_encoder, ids)
    seen = [Stage("tokens", tuple(ids.shape), 0)]
    seen.append(Stage("embeddings", tuple(x.shape), _count(text_encoder.embeddings)))
    for number, layer in enumerate(text_encoder.encoder.layers, start=1):
        x = apply_layer(layer, x)
        seen.append(Stage(f"layer {number}", tuple(x.shape), _count(layer)))
    x = text_encoder.final_layer_norm(x)
    return [*seen, Stage("normalise", tuple(x.shape), _count(text_encoder.final_layer_norm))]


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
