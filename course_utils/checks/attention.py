"""Checks for the exercises of notebook 09."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect_tensor


@attempted
def check_attention_of_head(attention_of_head: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 09: softmax(q kᵀ / √d)."""
    q = torch.tensor([[1.0, 0, 2, -1], [0, 3, 1, 1]])
    k = torch.tensor([[2.0, 1, 0, 1], [0, 1, 1, 0], [-1, 0, 2, 1]])
    scores = q @ k.T  # d = 4: √d = 2
    expect_tensor(
        attention_of_head(q, k),
        (scores / 2).softmax(dim=-1),
        {
            "divide the scores by √d before the softmax.": scores.softmax(dim=-1),
            "divide by √d, not by d.": (scores / 4).softmax(dim=-1),
            "d is the width of a query, not their number: q.shape[-1].": (
                (scores / 2**0.5).softmax(dim=-1)
            ),
            "d is the width of a query, not the number of tokens: q.shape[-1].": (
                (scores / 3**0.5).softmax(dim=-1)
            ),
            "each place divides among the tokens: softmax along dim=-1.": (
                (scores / 2).softmax(dim=0)
            ),
            "those are the scores: the softmax is missing.": scores / 2,
            "divide before the softmax, not after it.": scores.softmax(dim=-1) / 2,
            "a row for each place, a column for each token: q @ k.T.": (
                (scores.T / 2).softmax(dim=-1)
            ),
        },
        "softmax(q kᵀ / √d) along the tokens.",
    )


@attempted
def check_map_of_word(map_of_word: Callable) -> None:
    """Notebook 09: a word's map, from recorded attention."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(2, 3, 4, 6, 8, generator=generator)  # (steps, layers, heads, 2 · 3, L)
    shares = seen[..., [2, 5]].sum(dim=-1)  # (steps, layers, heads, 2 · 3)
    one = shares.mean(dim=(0, 1, 2))
    expect_tensor(
        map_of_word(seen, [2, 5], (2, 3)),
        one.view(2, 3),
        {
            "the shares of a word's tokens are added, not averaged.": one.view(2, 3) / 2,
            "take all tokens of the word, not the first alone.": (
                seen[..., 2].mean(dim=(0, 1, 2)).view(2, 3)
            ),
            "take all tokens of the word, not the last alone.": (
                seen[..., 5].mean(dim=(0, 1, 2)).view(2, 3)
            ),
            "take the mean over steps, layers and heads, not the sum.": 24 * one.view(2, 3),
            "fold it at the end: view(size).": one,
            "size is (h, w): h rows of w places.": one.view(3, 2),
            "the places go along the rows: view(2, 3), not view(3, 2).T.": one.view(3, 2).T,
            "that is one step: take the mean over all.": shares[-1].mean(dim=(0, 1)).view(2, 3),
            "that is the first step: take the mean over all.": (
                shares[0].mean(dim=(0, 1)).view(2, 3)
            ),
        },
        "add the columns, average the first three dimensions, fold what is left.",
    )


@attempted
def check_turn_tokens(turn_tokens: Callable) -> None:
    """Notebook 09: re-weighted attention whose rows sum to 1."""
    probs = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], [[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]]])
    weights = torch.tensor([1.0, 3.0, 3.0])
    turned = probs * weights
    expect_tensor(
        turn_tokens(probs, [1, 2], 3.0),
        turned / turned.sum(dim=-1, keepdim=True),
        {
            "each row must sum to 1 again: divide by its sum.": turned,
            "nothing has changed: multiply the columns by the factor.": probs,
            "a row is one place and all its tokens: sum along dim=-1.": (
                turned / turned.sum(dim=-2, keepdim=True)
            ),
            "each row has a sum of its own: sum along dim=-1.": turned / turned.sum(),
            "the wrong way round: these columns are multiplied, not divided, and not the others.": (
                _share_of(probs / weights)
            ),
            "multiply all of the columns, not the first alone.": _share_of(
                probs * torch.tensor([1.0, 3.0, 1.0])
            ),
            "divide by the sum; a second softmax makes all of it even.": turned.softmax(dim=-1),
            "the factor multiplies; it is not added.": _share_of(
                probs + torch.tensor([0.0, 3.0, 3.0])
            ),
        },
        "multiply the columns by the factor, then divide each row by its sum.",
    )
    expect_tensor(
        turn_tokens(probs, [0], 0.0),
        _share_of(probs * torch.tensor([0.0, 1.0, 1.0])),
        {},
        "a factor of 0 silences a token, and the others share its part.",
    )


def _share_of(weights: Tensor) -> Tensor:
    """Rows made to sum to 1."""
    return weights / weights.sum(dim=-1, keepdim=True)
