"""The training programs at tiny size: they learn, they resume, they share."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from two_processes import launch

from course_utils.training import loop
from course_utils.training.data import world_pictures
from course_utils.training.loop import Config, dice, fit, learning_rate, read_config
from course_utils.training.vae import chroma, crops, edges, make_vae, train_vae
from course_utils.world import sample
from course_utils.world.vocabulary import UNSEEN_PAIRS

TINY_VAE = Config(
    examples=16,
    steps=6,
    batch=4,
    learning_rate=1e-3,
    warmup=2,
    save_every=2,
    threads=1,
    ema_decay=0.5,
    model={"block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4},
    options={"crop": 32, "kl_weight": 1e-3},
)
LINE = replace(TINY_VAE, examples=64, steps=30, batch=8, learning_rate=0.1, model={}, options={})


def line_loss(model, indices, generator, share):
    """Learn y = 2x + 1 from noisy points; a loss small enough to follow by eye."""
    x = indices[:, None].float() / 64
    y = 2 * x + 1 + 0.01 * torch.randn(x.shape, generator=generator)
    assert len(y[share]) * int(os.environ.get("WORLD_SIZE", 1)) == len(y)
    return {"loss": (model(x[share]) - y[share]).square().mean()}


def new_line() -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(1, 1)


def weights(module) -> list[torch.Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_fit_learns(tmp_path):
    config = replace(LINE, steps=300)
    model = fit(new_line(), line_loss, config, tmp_path)
    assert model.weight.item() == pytest.approx(2, abs=0.2)
    assert model.bias.item() == pytest.approx(1, abs=0.2)


@pytest.fixture(scope="module")
def whole_line(tmp_path_factory) -> list[torch.Tensor]:
    """The weights at the end of a run that was never killed."""
    return weights(fit(new_line(), line_loss, LINE, tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("killed_after", range(1, 30))
def test_a_run_killed_at_any_step_ends_with_the_same_weights(tmp_path, whole_line, killed_after):
    fit(new_line(), line_loss, LINE, tmp_path / "cut", stop_after=killed_after)
    resumed = fit(new_line(), line_loss, LINE, tmp_path / "cut")
    assert same(whole_line, weights(resumed))


def test_the_autoencoder_resumes_to_the_same_weights(tmp_path):
    whole = train_vae(TINY_VAE, tmp_path / "a" / "vae")
    train_vae(TINY_VAE, tmp_path / "b" / "vae", stop_after=3)
    resumed = train_vae(TINY_VAE, tmp_path / "b" / "vae")
    assert same(weights(whole), weights(resumed))
    assert resumed.config.scaling_factor == whole.config.scaling_factor > 0


def test_a_finer_decoder_leaves_the_latents_as_they_are(tmp_path):
    whole = train_vae(TINY_VAE, tmp_path / "vae")
    whole.save_pretrained(tmp_path / "vae" / "vae")
    options = {"decoder_of": "vae/vae", "crop": 32, "kl_weight": 0}
    finer = train_vae(replace(TINY_VAE, options=options), tmp_path / "vae_decoder")
    assert same(weights(whole.encoder), weights(finer.encoder))
    assert same(weights(whole.quant_conv), weights(finer.quant_conv))
    assert not same(weights(whole.decoder), weights(finer.decoder))
    assert finer.config.scaling_factor == whole.config.scaling_factor


def test_other_weights_are_noticed(tmp_path):
    one = fit(new_line(), line_loss, LINE, tmp_path / "one")
    two = fit(new_line(), line_loss, replace(LINE, seed=1), tmp_path / "two")
    assert not same(weights(one), weights(two))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_every_process_has_its_own_part_of_a_batch(processes):
    """That together they train as one does: the next test, and test_launch.py."""
    each = [SimpleNamespace(num_processes=processes, process_index=i) for i in range(processes)]
    parts = [list(range(8))[loop._share(8, process)] for process in each]
    assert sum(parts, []) == list(range(8))
    assert {len(part) for part in parts} == {8 // processes}
    with pytest.raises(ValueError, match="a batch of 9 cannot be shared by 2 processes"):
        loop._share(9, SimpleNamespace(num_processes=2, process_index=0))


SHARED = """
import sys, torch
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_training import LINE, fit, line_loss, new_line
model = fit(new_line(), line_loss, LINE, Path({folder!r}))
from accelerate import PartialState
process = PartialState()
name = f"{{process.process_index}}-of-{{process.num_processes}}"
torch.save(model.state_dict(), Path({folder!r}) / name)
"""


def test_two_processes_share_a_batch(tmp_path):
    """Under `accelerate launch`, two processes end where one does (to float32 rounding)."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    launch([str(script)], tmp_path)
    alone = fit(new_line(), line_loss, LINE, tmp_path / "alone").state_dict()
    for end in ("0-of-2", "1-of-2"):
        shared = torch.load(tmp_path / end, weights_only=True)
        for name, value in alone.items():
            torch.testing.assert_close(shared[name], value, rtol=1e-5, atol=1e-6)


def test_every_step_has_its_own_dice():
    drawn = {
        torch.rand(1, generator=dice(seed, step)).item() for seed in (0, 1) for step in range(9)
    }
    assert len(drawn) == 18


def test_the_learning_rate_rises_and_falls_to_zero():
    rates = [learning_rate(step, LINE) for step in range(LINE.steps + 1)]
    assert rates[0] == LINE.learning_rate / LINE.warmup
    assert max(rates) == LINE.learning_rate and rates[-1] == pytest.approx(0)


@pytest.mark.parametrize("name", ["vae", "text", "unet", "judge", "depth_estimator", "segmenter"])
def test_the_shipped_configurations_read(name):
    assert read_config(name).steps > 100


def test_a_bad_configuration_says_what_is_known(tmp_path):
    with pytest.raises(ValueError, match="text, unet"):
        read_config("unett")
    (tmp_path / "bad.yaml").write_text("examples: 1\nstepps: 2\n")
    with pytest.raises(ValueError, match="unknown entries stepps"):
        read_config(tmp_path / "bad.yaml")


def pictures(count: int):
    return np.stack([np.asarray(sample(seed).picture) for seed in range(count)])


def test_crops_lie_on_the_grid_of_the_latents():
    drawn = pictures(2)
    cut = crops(drawn, torch.tensor([0, 1, 0]), 64, dice(0, 0))
    assert cut.shape == (3, 64, 64, 3) and cut.dtype == np.uint8
    whole = drawn[0]
    corners = [(y, x) for y in range(0, 65, 8) for x in range(0, 65, 8)]
    assert any(np.array_equal(whole[y : y + 64, x : x + 64], cut[0]) for y, x in corners)


def test_chroma_sees_colour_and_not_light():
    gray = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert chroma(gray).abs().max() < 1e-6
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 1
    assert torch.allclose(chroma(red)[0, :, 0, 0], torch.tensor([1.0, -0.5]))


def test_edges_of_a_flat_picture_are_zero():
    down, across = edges(torch.ones(1, 3, 8, 8))
    assert down.shape == (1, 3, 7, 8) and across.shape == (1, 3, 8, 7)
    assert not down.any() and not across.any()


def test_the_autoencoder_has_factor_eight_and_four_channels():
    vae = make_vae(TINY_VAE.model)
    assert vae.encode(torch.zeros(1, 3, 64, 32)).latent_dist.mean.shape == (1, 4, 8, 4)


@pytest.mark.parametrize("chunk", [1, 64])
def test_the_kept_pictures_are_the_world_s(tmp_path, chunk, monkeypatch):
    monkeypatch.setattr("course_utils.training.data.CHUNK", chunk)  # 1: another process draws
    kept = world_pictures(tmp_path, 3, first=7, workers=1)
    for place, drawn in enumerate(sample(seed) for seed in range(7, 10)):
        assert np.array_equal(kept.pictures[place], np.asarray(drawn.picture))
        assert np.array_equal(kept.depth[place], drawn.depth.astype(np.float16))
        assert kept.names[place] == list(drawn.masks)
        for number, mask in enumerate(drawn.masks.values(), start=1):
            assert np.array_equal(kept.labels[place] == number, mask)
        assert kept.captions[place] == drawn.caption
        assert kept.scenes[place] == vars(drawn.scene)


def test_what_lacks_a_map_is_rendered_again_and_what_is_open_stays(tmp_path):
    before = world_pictures(tmp_path, 2)
    (tmp_path / "world-0-2-labels.npy").unlink()
    (tmp_path / "world-0-2.npy").write_bytes(b"half a file")
    after = world_pictures(tmp_path, 2)
    assert np.array_equal(before.labels, after.labels)
    assert np.array_equal(after.pictures[1], np.asarray(sample(1).picture))
    assert not list(tmp_path.glob("*.new"))


def test_unseen_pairs_are_kept_apart(tmp_path):
    apart = world_pictures(tmp_path, 2, unseen=True)
    assert {(s["color"], s["subject"]) for s in apart.scenes} <= set(UNSEEN_PAIRS)
    assert world_pictures(tmp_path, 2).scenes != apart.scenes
