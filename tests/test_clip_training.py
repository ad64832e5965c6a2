"""The training of CLIP, at tiny size."""

import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPTextModel

from course_utils.training.attributes import CLASSES, UNNAMED, Heads, scene_classes
from course_utils.training.clip import (
    LARGEST_SCALE,
    Matcher,
    TokenProbe,
    attribute_loss,
    longest,
    make_clip,
    matching_loss,
    pair_loss,
    retrieval,
    shifted,
    text_features,
    train_clip,
    train_probe,
)
from course_utils.training.loop import Config, dice
from course_utils.training.text import clip_tokenizer, token_ids
from course_utils.world import sample

TINY = {
    "text": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    },
    "vision": {
        "patch_size": 32,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    },
    "projection_dim": 8,
}
SAMPLES = [sample(seed) for seed in range(8)]
PICTURES = np.stack([np.asarray(s.picture) for s in SAMPLES])
CAPTIONS = [s.caption for s in SAMPLES]
CLASSES_OF_SAMPLES = scene_classes([vars(s.scene) for s in SAMPLES])
EVERYTHING = slice(None)


@pytest.fixture(scope="module")
def ids():
    return token_ids(clip_tokenizer(), CAPTIONS)


@pytest.fixture
def clip(ids):
    torch.manual_seed(0)
    return make_clip(TINY, ids.unique())


def loss_of(ids, **options):
    return matching_loss(PICTURES, ids, CLASSES_OF_SAMPLES, {"shift": 2, "attributes": 0} | options)


def trained_for(model, loss, steps):
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    values = []
    for step in range(steps):
        optimizer.zero_grad()
        value = loss(model, torch.arange(8), dice(0, step), EVERYTHING)["loss"]
        value.backward()
        optimizer.step()
        values.append(value.item())
    return values


def test_the_vector_of_a_caption_is_that_of_its_first_end_token(clip, ids):
    read = clip.text_model(ids)
    ends = (ids != 49407).sum(dim=1)
    assert torch.equal(read.pooler_output, read.last_hidden_state[torch.arange(8), ends])
    short = clip.text_model(ids[:, : longest(ids)]).pooler_output
    assert torch.allclose(short, read.pooler_output, atol=1e-6)


def test_the_longest_caption_counts_its_start_and_end():
    assert longest(token_ids(clip_tokenizer(), ["a dog", "a dog on a beach", ""])) == 7


def test_tokens_that_no_caption_has_stay_zero(clip, ids):
    trained_for(Matcher(clip), loss_of(ids), 2)
    rows = clip.text_model.get_input_embeddings().weight
    assert set(rows.any(dim=1).nonzero().flatten().tolist()) == set(ids.unique().tolist())


def test_pictures_and_captions_that_belong_together_are_found_at_no_loss():
    assert pair_loss(100 * torch.eye(4)) < 1e-6
    assert pair_loss(torch.zeros(4, 4)).item() == pytest.approx(np.log(4))


def test_the_logits_are_scaled_cosines_and_the_scale_has_an_end(clip, ids):
    with torch.no_grad():
        clip.logit_scale.fill_(9.0)
    logits, told = Matcher(clip)(torch.randn(8, 3, 128, 128), ids)
    assert logits.abs().max() <= LARGEST_SCALE and not told


def test_what_is_trained_agrees_with_the_loss_of_transformers(clip, ids):
    x = torch.randn(8, 3, 128, 128)
    own = pair_loss(Matcher(clip)(x, ids)[0])
    assert own.item() == pytest.approx(clip(ids, x, return_loss=True).loss.item(), abs=1e-5)


@pytest.mark.parametrize("weight", [0, 0.5])
def test_matching_is_learned(clip, ids, weight):
    matcher = Matcher(clip, classify=weight > 0)
    values = trained_for(matcher, loss_of(ids, attributes=weight), 40)
    assert values[-1] < 0.7 * values[0]


def test_the_attributes_count_as_much_as_asked(clip, ids):
    def losses(model, weight):
        loss = loss_of(ids, attributes=weight)
        return loss(model, torch.arange(8), dice(0, 0), EVERYTHING)

    matcher = Matcher(clip, classify=True)
    once, twice = losses(matcher, 1), losses(matcher, 2)
    assert (twice["loss"] - once["loss"]).item() == pytest.approx(once["named"].item(), rel=1e-4)
    assert set(losses(Matcher(clip), 0)) == {"loss"}


def test_attributes_that_no_scene_has_cost_nothing_and_leave_gradients():
    heads = Heads(4)
    logits = heads(torch.randn(3, 4))
    loss = attribute_loss(logits, {name: torch.full((3,), UNNAMED) for name in CLASSES})
    loss.backward()
    assert loss == 0 and all(p.grad is not None for p in heads.parameters())


def test_a_shifted_picture_is_moved_but_never_mirrored():
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)
    assert np.array_equal(shifted(picture, 0, dice(0, 0)), picture)
    seen = {shifted(picture, 1, dice(0, n))[0, ..., 0].tobytes() for n in range(60)}
    rows = [(np.arange(4) + move).clip(0, 3) for move in (-1, 0, 1)]
    assert seen == {picture[0, ..., 0][np.ix_(a, b)].tobytes() for a in rows for b in rows}


def test_retrieval_counts_equal_captions_as_right():
    scores = torch.tensor([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 0.5]])
    assert retrieval(scores, ["a cat", "a dog", "a man"], 3) == pytest.approx((1 / 3, 1 / 3))
    assert retrieval(scores, ["a dog", "a dog", "a man"], 3) == (1.0, 1.0)


def test_probes_read_pooled_and_token_vectors(clip):
    features = text_features(clip.text_model, CAPTIONS)
    assert features["pooled"].shape == (8, 16) and features["tokens"].shape == (8, 77, 16)
    for kind, probe in (("pooled", Heads(16)), ("tokens", TokenProbe(16))):
        train_probe(probe, features[kind], CLASSES_OF_SAMPLES)
        told = probe(features[kind])["subject"].argmax(dim=1)
        assert (told == CLASSES_OF_SAMPLES["subject"]).float().mean() > 0.8


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    options = {"shift": 2, "attributes": 0.5}
    config = Config(8, 4, 4, 0.01, TINY, options, warmup=1, save_every=1, threads=1)
    whole = train_clip(config, tmp_path / "whole")
    train_clip(config, tmp_path / "parts", stop_after=2)
    parts = train_clip(config, tmp_path / "parts")
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True)
    )


def test_what_is_saved_loads_again(clip, ids, tmp_path):
    clip.text_model.save_pretrained(tmp_path / "text_encoder")
    clip.half().save_pretrained(tmp_path / "clip")
    text_encoder = CLIPTextModel.from_pretrained(tmp_path / "text_encoder")
    whole = CLIPModel.from_pretrained(tmp_path / "clip", dtype=torch.float32)
    read = [model(ids).last_hidden_state for model in (text_encoder, whole.text_model)]
    assert torch.allclose(*read, atol=1e-2)
