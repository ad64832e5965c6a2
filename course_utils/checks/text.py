"""Checks for the exercises of notebook 02."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect, expect_number, expect_tensor


@attempted
def check_pad_or_cut(pad_or_cut: Callable[[list[int], int], list[int]]) -> None:
    """Notebook 02: ids of any number to ids of one number."""
    start, end = 49406, 49407
    ids = [start, 320, 1929, end]
    expect(
        tuple(pad_or_cut(ids, 6)),
        (start, 320, 1929, end, end, end),
        {
            tuple(ids): "it is too short: fill it up to `length`.",
            (start, 320, 1929, end, 0, 0): "CLIP fills up with its end token, 49407, not with 0.",
            (end, end, *ids): "the filling comes behind the words.",
            (start, 320, 1929, end, start, start): "fill up with the end token, not the start.",
            (start, 320, 1929, end, end): "it is one too short.",
        },
        "the ids, then end tokens until there are `length`.",
    )
    expect(
        tuple(pad_or_cut([start, 1, 2, 3, 4, end], 4)),
        (start, 1, 2, end),
        {
            (start, 1, 2, 3): "the end token must stay: cut words, then put it back.",
            (start, 1, 2, 3, 4, end): "a long prompt must be cut to `length`.",
            (start, 3, 4, end): "the last words go, not the first.",
            (2, 3, 4, end): "the start token must stay: the last words go.",
            (start, 1, 2, 3, end): "it is one too long: start and end count, too.",
        },
        "the first ids and the end token, `length` together.",
    )


@attempted
def check_embed(embed: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 02: token vectors and place vectors, added."""
    E = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    P = torch.tensor([[10.0, 0.0], [20.0, 0.0], [30.0, 0.0], [40.0, 0.0]])
    ids = torch.tensor([3, 1, 1])
    expect_tensor(
        embed(E, P, ids),
        E[ids] + P[:3],
        {
            "the places are missing: add the first rows of P.": E[ids],
            "a place is where a token stands, not its id: P[:len(ids)].": E[ids] + P[ids],
            "that is the places alone: add the rows of E.": P[:3],
            "the vectors are added, not multiplied.": E[ids] * P[:3],
            "the vectors are added, not put side by side.": torch.cat([E[ids], P[:3]], dim=-1),
            "places count from 0.": E[ids] + P[1:4],
        },
        "row ids[i] of E plus row i of P.",
    )


@attempted
def check_causal_mask(causal_mask: Callable[[int], Tensor]) -> None:
    """Notebook 02: who may listen to whom."""
    given, ones = causal_mask(3), torch.ones(3, 3)
    expect_tensor(
        given,
        ones.tril(),
        {
            "it looks ahead: row i may look at columns 0 to i.": ones.triu(),
            "a token may also look at itself: keep the diagonal.": ones.tril(-1),
            "that marks what is hidden; True is what may be seen.": ones.triu(1),
            "everybody sees everybody: hide what comes later.": ones,
            "everybody sees only itself: what came before may be seen, too.": torch.eye(3),
        },
        "a square table, True on the diagonal and below it.",
    )
    if given.dtype != torch.bool:
        raise AssertionError(f"you gave {given.dtype}: give bool, so that ~ can turn it round.")


@attempted
def check_cosine(cosine: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 02: the cosine of the angle between two vectors."""
    a, b = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 2.0])
    expect_number(
        cosine(a, b),
        0.8,
        {
            "that is the dot product: divide by both lengths.": 8.0,
            "you divided by the length of b alone.": 4.0,
            "you divided by the length of a alone.": 1.6,
            "divide by the lengths, not by their squares.": 0.08,
            "that is the distance between the ends.": 3.6056,
            "that is the angle: its cosine is asked for.": 0.6435,
        },
        "a · b / (|a| · |b|).",
    )
