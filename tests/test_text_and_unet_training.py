"""The training of text encoder and UNet, at tiny size."""

import pytest
import torch

from course_utils.training.attributes import CLASSES, scene_classes
from course_utils.training.loop import dice
from course_utils.training.text import (
    Reader,
    byte_symbols,
    clip_tokenizer,
    make_text_encoder,
    reading_loss,
    token_ids,
)
from course_utils.training.unet import make_unet, noise_loss, start_from
from course_utils.world import sample

TINY_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
TINY_UNET = {
    "block_out_channels": [16, 16],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "layers_per_block": 1,
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
}
SAMPLES = [sample(seed) for seed in range(8)]
EVERYTHING = slice(None)


def test_the_tokenizer_is_clip_s():
    tokenizer = clip_tokenizer()
    ids = tokenizer("A painting of a flooble").input_ids
    assert ids == [49406, 320, 3086, 539, 320, 4062, 1059, 49407]
    assert len(tokenizer) == 49408 and tokenizer.model_max_length == 77


def test_every_byte_has_its_own_symbol():
    symbols = byte_symbols()
    assert len(set(symbols)) == 256 and symbols[0] == "!" and symbols[-1] == chr(256 + 67)


def test_tokens_never_seen_have_zero_embeddings_and_keep_them():
    ids = token_ids(clip_tokenizer(), [s.caption for s in SAMPLES])
    reader = Reader(make_text_encoder(TINY_TEXT, ids.unique()))
    loss = reading_loss(ids, scene_classes([vars(s.scene) for s in SAMPLES]), 40)
    optimizer = torch.optim.AdamW(reader.parameters(), 0.1)
    before = reader.text_encoder.get_input_embeddings().weight.detach().clone()
    loss(reader, torch.arange(8), dice(0, 0), EVERYTHING)["loss"].backward()
    optimizer.step()
    after = reader.text_encoder.get_input_embeddings().weight.detach()
    unseen = torch.ones(49408, dtype=torch.bool)
    unseen[ids.unique()] = False
    assert not after[unseen].any()
    assert (after[~unseen] != before[~unseen]).any(dim=1).all()


def test_the_reader_learns_to_tell_scenes():
    torch.manual_seed(0)
    ids = token_ids(clip_tokenizer(), [s.caption for s in SAMPLES])
    reader = Reader(make_text_encoder(TINY_TEXT, ids.unique()))
    loss = reading_loss(ids, scene_classes([vars(s.scene) for s in SAMPLES]), 40)
    optimizer = torch.optim.AdamW(reader.parameters(), 0.01)
    values = []
    for step in range(30):
        optimizer.zero_grad()
        value = loss(reader, torch.arange(8), dice(0, step), EVERYTHING)["loss"]
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]
    assert set(reader(ids[:1])) == set(CLASSES)


def silent_model(value: float):
    """A UNet that always predicts the same, and remembers what it was asked."""

    class Silent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.value = torch.nn.Parameter(torch.tensor(value))

        def forward(self, xt, t, c):
            self.asked = xt, t, c
            return type("O", (), {"sample": self.value.expand_as(xt[:, :4])})

    return Silent()


def noise_setup(dropout: float):
    latents = {"mean": torch.ones(4, 4, 2, 2).half(), "std": torch.zeros(4, 4, 2, 2).half()}
    words, silence = torch.ones(4, 77, 16).half(), torch.zeros(77, 16)
    return noise_loss(latents, words, silence, {"dropout": dropout, "gamma": 5})


@pytest.mark.parametrize(("dropout", "heard"), [(0.0, 1.0), (1.0, 0.0)])
def test_captions_are_dropped_as_often_as_asked(dropout, heard):
    model = silent_model(0.0)
    noise_setup(dropout)(model, torch.arange(4), dice(0, 0), EVERYTHING)
    assert model.asked[2].mean() == heard


def test_the_loss_of_a_network_that_says_nothing_is_the_variance_of_noise():
    losses = [
        noise_setup(0.1)(silent_model(0.0), torch.arange(4), dice(0, n), EVERYTHING)["mse"].item()
        for n in range(200)
    ]
    assert sum(losses) / 200 == pytest.approx(1.0, abs=0.05)


def test_shares_of_a_batch_are_parts_of_the_whole():
    loss, model = noise_setup(0.5), silent_model(0.0)
    loss(model, torch.arange(4), dice(0, 3), EVERYTHING)
    whole = model.asked
    loss(model, torch.arange(4), dice(0, 3), slice(2, 4))
    assert all(torch.equal(part, all_[2:]) for part, all_ in zip(model.asked, whole, strict=True))


def test_a_unet_of_its_configuration_runs():
    unet = make_unet(TINY_UNET)
    out = unet(torch.zeros(1, 4, 8, 8), torch.tensor(5), torch.zeros(1, 77, 16)).sample
    assert out.shape == (1, 4, 8, 8)


def test_what_lies_beside_the_latents_reaches_the_unet():
    model, condition = silent_model(0.0), torch.arange(4).view(4, 1, 1, 1).expand(4, 5, 2, 2).half()
    latents = {"mean": torch.ones(4, 4, 2, 2).half(), "std": torch.zeros(4, 4, 2, 2).half()}
    words, silence = torch.ones(4, 77, 16).half(), torch.zeros(77, 16)
    loss = noise_loss(latents, words, silence, {"dropout": 0.0, "gamma": 5}, condition)
    loss(model, torch.tensor([3, 1]), dice(0, 0), EVERYTHING)
    xt = model.asked[0]
    assert xt.shape == (2, 9, 2, 2)
    assert (xt[0, 4:] == 3).all() and (xt[1, 4:] == 1).all()


def test_a_wider_unet_starts_as_the_old_one(tmp_path):
    torch.manual_seed(0)
    old = make_unet(TINY_UNET)
    old.save_pretrained(tmp_path)
    wide = start_from(tmp_path, more_channels=5)
    x, beside = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 8, 8)
    t, c = torch.tensor(5), torch.randn(1, 77, 16)
    same = wide(torch.cat([x, beside], dim=1), t, c).sample
    assert torch.allclose(old(x, t, c).sample, same, atol=1e-5)
    with torch.no_grad():
        wide.conv_in.weight[:, 4:] += 1
    assert not torch.allclose(wide(torch.cat([x, beside], dim=1), t, c).sample, same, atol=1e-2)
