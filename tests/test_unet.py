"""Notebook 03: the UNet's blocks, their shapes and cost, and its forward pass by hand."""

from functools import cache

import matplotlib.pyplot as plt
import pytest
import torch

from course_utils import unet
from course_utils.models import architecture

TOTALS = {  # parameters, GFLOP of the published networks, for a latent of 64 × 64
    ("sd-2.1", "unet"): (865_910_724, 804.3),
    ("sd-2.1", "inpaint_unet"): (865_925_124, 804.4),
    ("sd-2.1", "depth_unet"): (865_913_604, 804.3),
    ("sd-1.5", "unet"): (859_520_964, 803.3),
    ("sd-1.5", "inpaint_unet"): (859_535_364, 803.4),
}
SD_21 = {  # what each stage gives
    "conv_in": (320, 64, 64),
    "down_blocks.0": (320, 32, 32),
    "down_blocks.1": (640, 16, 16),
    "down_blocks.2": (1280, 8, 8),
    "down_blocks.3": (1280, 8, 8),
    "mid_block": (1280, 8, 8),
    "up_blocks.0": (1280, 16, 16),
    "up_blocks.1": (1280, 32, 32),
    "up_blocks.2": (640, 64, 64),
    "up_blocks.3": (320, 64, 64),
    "conv_out": (4, 64, 64),
}


@cache
def real(model: str, part: str) -> list[unet.Block]:
    return unet.blocks(architecture(model, part))


@pytest.fixture
def sd_21():
    return real("sd-2.1", "unet")


def inputs(model, batch: int = 2, size: int = 16):
    dice = torch.Generator().manual_seed(0)
    z = torch.randn(batch, model.config.in_channels, size, size, generator=dice)
    return z, 321, torch.randn(batch, 77, model.config.cross_attention_dim, generator=dice)


@pytest.fixture
def drawing():
    yield
    plt.close("all")


# shapes and cost


@pytest.mark.parametrize(("model", "part"), TOTALS)
def test_the_blocks_hold_and_cost_what_the_network_does(model, part):
    stages = real(model, part)
    parameters, gflop = TOTALS[model, part]
    assert sum(b.parameters for b in stages) == parameters
    assert sum(b.flops for b in stages) / 1e9 == pytest.approx(gflop, abs=0.05)


def test_the_shape_after_every_block(sd_21):
    gives = {b.name: b.gives for b in sd_21}
    assert SD_21.items() <= gives.items()
    assert gives["time_embedding"] == (1280,)


def test_who_listens_and_what_is_handed_across(sd_21):
    assert [b.name for b in sd_21 if b.listens] == [
        *(f"down_blocks.{i}" for i in (0, 1, 2)),
        "mid_block",
        *(f"up_blocks.{i}" for i in (1, 2, 3)),
    ]
    assert [b.skips for b in sd_21 if b.skips] == [3, 3, 3, 3]


def test_a_larger_picture_costs_more_and_holds_no_more(tiny):
    small, large = unet.blocks(tiny.unet, 16), unet.blocks(tiny.unet, 32)
    assert [b.parameters for b in small] == [b.parameters for b in large]
    assert 4 < sum(b.flops for b in large) / sum(b.flops for b in small) < 16


def test_the_copy_on_meta_sees_what_the_live_model_does(tiny):
    live = unet.watch(tiny.unet, *inputs(tiny.unet, batch=1))
    for block in unet.blocks(tiny.unet):
        assert ((1, *block.takes), (1, *block.gives)) == live[block.name]
    assert tiny.unet.device.type == "cpu"


def test_the_pocket_model(pocket):
    live = unet.watch(pocket.unet, *inputs(pocket.unet, batch=1))
    stages = unet.blocks(pocket.unet)
    assert {b.name: ((1, *b.takes), (1, *b.gives)) for b in stages} == live
    assert sum(b.parameters for b in stages) == pocket.unet.num_parameters()


def test_watching_leaves_no_hooks(tiny):
    unet.watch(tiny.unet, *inputs(tiny.unet))
    assert not any(part._forward_hooks for part in unet.parts(tiny.unet).values())


def test_the_table(tiny):
    stages = unet.blocks(tiny.unet)
    header, *rows, total = unet.blocks_table(stages).splitlines()
    assert header.split() == ["block", "takes", "gives", "prompt", "parameters", "GFLOP"]
    assert [row.split()[0] for row in rows] == list(unet.parts(tiny.unet))
    assert f"{tiny.unet.num_parameters():,}" in total
    assert [" listens " in row for row in rows] == [b.listens for b in stages]


# the diagram


@pytest.mark.parametrize("part", ["unet", "inpaint_unet"])
def test_the_diagram_has_every_stage_with_its_shape(part, drawing):
    axis = unet.unet_diagram(real("sd-2.1", part)).axes[0]
    texts = {text.get_text() for text in axis.texts}
    assert {"conv in\n→ 320 × 64 × 64", "down 2\n→ 1280 × 8 × 8", "up 3\n→ 320 × 64 × 64"} <= texts
    assert {"mid\n→ 1280 × 8 × 8", "conv out\n→ 4 × 64 × 64", "8 × 8"} <= texts
    assert {f"3 skip connections at {size} × {size}" for size in (64, 32, 16, 8)} <= texts
    assert len(axis.lines) == 7 + 1  # a dot for each that listens, and the legend's


def test_the_boxes_of_the_diagram_do_not_touch(sd_21, drawing):
    figure = unet.unet_diagram(sd_21)
    boxes = [p.get_bbox() for p in figure.axes[0].patches if hasattr(p, "get_boxstyle")]
    boxes = [b for b in boxes if b.width > 1]
    assert len(boxes) == 11
    for i, one in enumerate(boxes):
        assert one.x0 >= 0 and one.x1 <= figure.axes[0].get_xlim()[1]
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


# time


def test_timestep_embedding_equals_diffusers(tiny):
    t = torch.tensor([0, 1, 500, 999])
    width = tiny.unet.config.block_out_channels[0]
    assert torch.equal(unet.timestep_embedding(t, width), tiny.unet.time_proj(t))


def test_timestep_embedding_is_cosines_then_sines():
    waves = unet.timestep_embedding(torch.tensor([0]), 6)
    assert waves.tolist() == [[1, 1, 1, 0, 0, 0]]


def test_timestep_embedding_of_an_odd_width():
    with pytest.raises(ValueError, match="even, got 5"):
        unet.timestep_embedding(torch.tensor([1]), 5)


# the forward pass


def test_forward_equals_diffusers(tiny):
    z, t, c = inputs(tiny.unet)
    with torch.no_grad():
        theirs = tiny.unet(z, t, c).sample
    assert torch.equal(unet.forward(tiny.unet, z, t, c), theirs)


@pytest.mark.parametrize("t", [1, 999])
def test_forward_of_the_pocket_model_equals_diffusers(pocket, t):
    z, _, c = inputs(pocket.unet)
    with torch.no_grad():
        theirs = pocket.unet(z, t, c).sample
    assert torch.equal(unet.forward(pocket.unet, z, t, c), theirs)


def test_forward_hears_time_and_words(tiny):
    z, t, c = inputs(tiny.unet)
    plain = unet.forward(tiny.unet, z, t, c)
    assert unet.change(plain, unet.forward(tiny.unet, z, t + 500, c)) > 0
    assert unet.change(plain, unet.forward(tiny.unet, z, t, -c)) > 0


def test_change_is_a_share():
    assert unet.change(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 9.0])) == 1
