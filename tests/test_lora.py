"""The LoRA of notebook 10: saved and loaded by diffusers, equal to what was trained."""

import copy
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from course_utils.training.lora import (
    LAYERS,
    SHOWN,
    STYLE,
    Trained,
    add_lora,
    blueprint,
    frozen_copy,
    load_lora,
    off_paper,
    save_lora,
    train_lora,
    trained_numbers,
)
from course_utils.world import sample

SHORT = replace(STYLE, steps=4, examples=12, batch=2, warmup=1, save_every=2)
FILE = "pytorch_lora_weights.safetensors"


def own(pipe):
    """A copy of a pipeline that may be changed."""
    changed = copy.copy(pipe)
    changed.unet = copy.deepcopy(pipe.unet)
    return changed


def asked(unet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 16, 16, generator=generator)
    c = torch.randn(1, 77, unet.config.cross_attention_dim, generator=generator)
    with torch.no_grad():
        return unet(x, torch.tensor(400), c).sample


def with_random_lora(pipe):
    unet = add_lora(frozen_copy(pipe), rank=2)
    for number, (name, w) in enumerate(unet.named_parameters()):
        if "lora" in name:
            torch.nn.init.normal_(w, generator=torch.Generator().manual_seed(number))
    return unet


def test_a_blueprint_is_blue_and_white_and_a_render_is_not():
    picture = sample(4).picture
    assert off_paper(blueprint(picture)) < 0.01 < 0.1 < off_paper(picture)
    drawn = np.asarray(blueprint(picture), int)
    assert (drawn[..., 2] >= drawn[..., 0]).all() and drawn.std() > 10


def test_a_flat_picture_is_bare_paper():
    assert (
        np.asarray(blueprint(Image.new("RGB", (8, 8), (200, 30, 90)))).std(axis=(0, 1)).max() == 0
    )


def test_at_first_a_lora_changes_nothing(tiny):
    unet = frozen_copy(tiny)
    before = asked(unet)
    assert torch.equal(before, asked(add_lora(unet, rank=2)))


def test_only_the_lora_is_trained(tiny):
    unet = add_lora(frozen_copy(tiny), rank=2)
    names = [name for name, w in unet.named_parameters() if w.requires_grad]
    assert names and all("lora" in name for name in names)
    assert {end for end in LAYERS for name in names if f"{end}.lora" in name} == set(LAYERS)
    assert sum(w.numel() for w in Trained(unet).parameters()) == trained_numbers(unet)
    assert all(w.requires_grad for w in tiny.unet.parameters())  # as it was loaded


def test_all_of_a_lora_is_saved_and_loaded(tiny, tmp_path):
    """Layer by layer: a file in two forms of names would lose some without a word."""
    unet, loaded = with_random_lora(tiny), own(tiny)
    save_lora(tiny, unet, tmp_path)
    load_lora(loaded, tmp_path, "mine")
    there, back = (
        {n.replace(".mine.", ".default."): w for n, w in net.named_parameters() if "lora" in n}
        for net in (unet, loaded.unet)
    )
    assert there.keys() == back.keys() and len(load_file(tmp_path / FILE)) == len(there)
    assert all(torch.equal(there[name], back[name]) for name in there)
    assert torch.allclose(asked(unet), asked(loaded.unet), atol=1e-4)
    assert not torch.allclose(asked(unet), asked(tiny.unet), atol=1e-2)


def test_scale_zero_is_the_model_as_it_was(tiny, tmp_path):
    save_lora(tiny, with_random_lora(tiny), tmp_path)
    loaded = own(tiny)
    load_lora(loaded, tmp_path, "mine")
    loaded.set_adapters("mine", 0.0)
    assert torch.allclose(asked(loaded.unet), asked(tiny.unet), atol=1e-5)
    half, whole = [], []
    for scale, kept in ((0.5, half), (1.0, whole)):
        loaded.set_adapters("mine", scale)
        kept.append(asked(loaded.unet))
    assert not torch.allclose(half[0], whole[0], atol=1e-3)


def test_a_lora_learns_goes_on_and_leaves_the_model_alone(tiny, tmp_path):
    before = asked(tiny.unet)
    folder, seen = train_lora(tiny, SHORT, tmp_path / "a")
    again, seen_again = train_lora(tiny, SHORT, tmp_path / "a")
    assert folder == again and seen.losses == seen_again.losses and seen.done == SHORT.steps
    assert torch.equal(before, asked(tiny.unet)) and "lora" not in str(tiny.unet)
    learned = load_file(folder / FILE)
    assert all(value.any() for name, value in learned.items() if "lora_B" in name)


def test_what_is_asked_for_later_was_not_shown():
    shown = {(scene.subject, scene.place) for scene in SHOWN}
    assert not {subject for subject, _ in shown} & {"robot", "boat", "cityscape", "woman", "cone"}
    assert all(place not in ("park bench", "city") for _, place in shown)
