"""The small UNet of notebook 10, at tiny size."""

import copy
from dataclasses import replace

import pytest
import torch

from course_utils.training.loop import CHECKPOINT
from course_utils.training.miniature import (
    CORNER,
    MINIATURE,
    clean_latents,
    corner,
    is_bundled,
    make_miniature,
    prepared,
    repeatable,
    samples,
    train_miniature,
    with_unet,
)

SHORT = replace(MINIATURE, steps=6, examples=6, batch=2, warmup=2, save_every=2)


def equal(a, b) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_run_killed_and_resumed_ends_with_the_same_weights(tiny, tmp_path):
    whole, seen = train_miniature(tiny, SHORT, tmp_path / "a")
    train_miniature(tiny, SHORT, tmp_path / "b", stop_after=3)
    resumed, seen_too = train_miniature(tiny, SHORT, tmp_path / "b")
    assert equal(whole, resumed)
    assert seen.losses == seen_too.losses and seen.done == 6
    other, _ = train_miniature(tiny, replace(SHORT, seed=1), tmp_path / "c")
    assert not equal(whole, other)


def test_a_finished_run_is_shown_again_and_nothing_is_drawn(tiny, tmp_path, monkeypatch):
    asked = ["a wave breaking", "a robot"]
    one, seen = train_miniature(tiny, SHORT, tmp_path, [3, 6], asked)
    monkeypatch.setattr("course_utils.training.miniature.render", None)
    monkeypatch.setattr("course_utils.training.miniature.samples", None)
    two, again = train_miniature(tiny, SHORT, tmp_path, [3, 6], asked)
    assert equal(one, two) and seen.losses == again.losses
    for moment in (3, 6):
        drawn, kept = seen.samples[moment], again.samples[moment]
        assert [p.tobytes() for p in drawn] == [p.tobytes() for p in kept]


def test_other_prompts_are_another_run(tiny, tmp_path):
    train_miniature(tiny, SHORT, tmp_path, [6], ["a wave"])
    train_miniature(tiny, SHORT, tmp_path, [6], ["a robot"])
    assert len(list(tmp_path.glob("miniature-*"))) == 2


def test_a_damaged_run_says_so(tiny, tmp_path):
    train_miniature(tiny, SHORT, tmp_path)
    (file,) = tmp_path.glob(f"*/{CHECKPOINT}")
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        train_miniature(tiny, SHORT, tmp_path)


def test_training_changes_nothing_of_the_model(tiny, tmp_path):
    """Neither its weights, nor how they lie in memory, nor the threads it computes on."""
    before = [w.clone() for part in (tiny.vae, tiny.unet) for w in part.parameters()]
    pipe = copy.copy(tiny)
    pipe.vae = copy.deepcopy(tiny.vae).to(memory_format=torch.contiguous_format)
    strides = [w.stride() for w in pipe.vae.parameters()]
    torch.set_num_threads(1)
    train_miniature(pipe, replace(SHORT, threads=2), tmp_path)
    assert torch.get_num_threads() == 1
    after = [w for part in (tiny.vae, tiny.unet) for w in part.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert strides == [w.stride() for w in pipe.vae.parameters()]


def test_threads_come_back_after_an_error():
    torch.set_num_threads(1)
    with pytest.raises(KeyError), repeatable():
        assert torch.backends.cudnn.deterministic
        torch.set_num_threads(2)
        raise KeyError
    assert torch.get_num_threads() == 1 and not torch.backends.cudnn.deterministic


def test_the_corner_has_no_blue_ball_in_the_snow():
    said = [caption for _, caption in corner(2)]
    assert len(said) == 2 * len(CORNER)
    assert not any("blue" in one and "snow" in one for one in said)
    assert any("red" in one and "snow" in one for one in said)


def test_the_small_unet_fits_the_model(tiny, pocket):
    for pipe in (tiny, pocket):
        unet = make_miniature(pipe, MINIATURE.model)
        assert unet.config.cross_attention_dim == pipe.unet.config.cross_attention_dim
        assert unet.config.sample_size == pipe.unet.config.sample_size
    assert 1e6 < sum(w.numel() for w in unet.parameters()) < 3e6


def test_which_model_is_bundled(tiny, pocket):
    assert is_bundled(pocket) and not is_bundled(tiny)


def test_samples_come_from_the_other_unet(tiny):
    torch.manual_seed(0)
    other = make_miniature(tiny, MINIATURE.model)
    options = {"steps": 2, "g": 2.0, "seed": 1}
    one, two = (samples(tiny, unet, ["a robot"], **options)[0] for unet in (tiny.unet, other))
    assert one.tobytes() != two.tobytes() and one.size == (128, 128)
    assert with_unet(tiny, other).unet is other and tiny.unet is not other


def test_what_is_prepared_is_kept(tiny, tmp_path):
    made = corner(1)
    latents, words, silence = prepared(tiny, lambda: made, tmp_path)
    again, *_ = prepared(tiny, lambda: pytest.fail("made again"), tmp_path)
    assert torch.equal(latents["mean"], again["mean"])
    assert words.shape[:2] == (len(CORNER), 77) and silence.shape == words.shape[1:]
    exact = clean_latents(tiny, [picture for picture, _ in made])
    assert torch.allclose(latents["mean"].float(), exact, atol=1e-2)
