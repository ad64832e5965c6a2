"""A new word, at tiny size: only its rows move, and they are found again."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from course_utils.training.lora import frozen_copy
from course_utils.training.textual_inversion import (
    LORA_FILE,
    WORD,
    WORD_ALONE,
    WORD_FILE,
    Inversion,
    reading,
    rows_of,
    train_word,
    with_word,
    word_ids,
)

SHORT = {"steps": 4, "examples": 4, "batch": 2, "warmup": 1, "save_every": 2}
ALONE = replace(WORD_ALONE, **SHORT)


def ids_of(pipe, text: str) -> torch.Tensor:
    return pipe.tokenizer(text, padding="max_length", return_tensors="pt").input_ids


def heard(pipe, text: str) -> torch.Tensor:
    with torch.no_grad():
        return pipe.text_encoder(ids_of(pipe, text))[0]


def test_the_word_of_the_article_has_two_tokens(pocket):
    ids = word_ids(pocket.tokenizer, "flooble")
    assert ids == [4062, 1059]
    assert not rows_of(pocket.text_encoder, ids).any()


def test_for_a_while_tokens_have_other_rows(tiny):
    ids, rows = word_ids(tiny.tokenizer, "flooble"), torch.ones(2, 8)
    before = heard(tiny, "a flooble"), heard(tiny, "a robot")
    with reading(tiny.text_encoder, ids, rows):
        within = heard(tiny, "a flooble"), heard(tiny, "a robot")
    after = heard(tiny, "a flooble")
    table = tiny.text_encoder.get_input_embeddings().weight
    assert torch.equal(before[0], after) and not torch.allclose(before[0], within[0])
    assert torch.equal(before[1], within[1])
    old = table.data[ids].clone()
    table.data[ids] = rows
    assert torch.equal(heard(tiny, "a flooble"), within[0])
    table.data[ids] = old


def test_gradients_reach_the_rows_and_nothing_else(tiny):
    ids = word_ids(tiny.tokenizer, "flooble")
    words = copy.deepcopy(tiny.text_encoder).requires_grad_(False)
    model = Inversion(words, frozen_copy(tiny), ids, torch.zeros(2, 8), pace=0.5)
    assert [name for name, _ in model.named_parameters()] == ["moved"]
    tokens = ids_of(tiny, "a flooble")[..., None].float()
    xt = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    model(xt, torch.tensor([500]), tokens).sample.square().mean().backward()
    assert model.moved.grad.any(dim=1).all()
    assert all(w.grad is None for w in (*words.parameters(), *model.unet.network[0].parameters()))


def test_rows_move_at_their_pace(tiny):
    model = Inversion(tiny.text_encoder, frozen_copy(tiny), [1, 2], torch.ones(2, 8), pace=0.5)
    with torch.no_grad():
        model.moved += 4
    assert (model.rows == 3).all()


@pytest.mark.parametrize("config", [ALONE, replace(WORD, **SHORT)], ids=["rows", "rows and LoRA"])
def test_a_word_is_learned_and_found_again(tiny, tmp_path, config):
    before = [w.clone() for w in (*tiny.unet.parameters(), *tiny.text_encoder.parameters())]
    folder, seen = train_word(tiny, config, tmp_path)
    again, seen_again = train_word(tiny, config, tmp_path)
    assert again == folder and seen.losses == seen_again.losses and seen.done == 4
    after = (*tiny.unet.parameters(), *tiny.text_encoder.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(w.grad is None for w in after)
    assert (folder / LORA_FILE).exists() == bool(config.options["rank"])
    taught = with_word(tiny, folder)
    assert not torch.equal(heard(taught, "a flooble"), heard(tiny, "a flooble"))
    assert torch.equal(heard(taught, "a robot"), heard(tiny, "a robot"))
    assert ("lora" in str(taught.unet)) == bool(config.options["rank"])


def test_rows_start_from_the_words_that_are_nearest(tiny, tmp_path):
    config = replace(ALONE, learning_rate=0.0, options=ALONE.options | {"start": "small robot"})
    folder, _ = train_word(tiny, config, tmp_path)
    start = rows_of(tiny.text_encoder, word_ids(tiny.tokenizer, "small robot"))
    assert torch.equal(load_file(folder / WORD_FILE)["rows"], start) and start.any()
