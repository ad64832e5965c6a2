"""Notebook 00: the table of components and the way of the data."""

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from course_utils import tour


def test_every_component_of_the_pipeline_is_listed_in_its_order(pocket):
    listed = tour.components(pocket)
    assert [c.name for c in listed] == list(pocket.components)
    assert {c.name for c in listed} == set(tour.PURPOSE)


def test_what_is_none_says_why_and_what_is_not_says_what_for(pocket):
    for component in tour.components(pocket):
        assert (component.kind == "None") == (pocket.components[component.name] is None)
        assert component.note.startswith("not here: ") == (component.kind == "None")
        assert len(component.note) > 12


def test_parameters_are_counted(pocket):
    assert tour.count_parameters(nn.Linear(10, 3)) == 33
    counted = {c.name: c.parameters for c in tour.components(pocket)}
    assert counted["unet"] == sum(p.numel() for p in pocket.unet.parameters())
    assert counted["scheduler"] == counted["tokenizer"] == 0


def test_the_table_has_a_line_for_each_component(pocket):
    lines = tour.components_table(pocket).splitlines()
    assert len(lines) == 1 + len(pocket.components)
    assert "UNet2DConditionModel" in lines[1 + list(pocket.components).index("unet")]


@pytest.mark.parametrize(("guidance", "latents"), [(1.0, 1), (5.0, 2)])
def test_the_trace_follows_the_data(pocket, guidance, latents):
    text, unet, vae = tour.trace(
        pocket,
        "a dog",
        num_inference_steps=3,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(0),
    )
    width = pocket.text_encoder.config.hidden_size
    assert (text.takes, text.gives) == ((1, 77), (1, 77, width))
    assert unet.takes == unet.gives == (latents, 4, 16, 16)
    assert unet.calls == 4  # PNDM asks once more than there are steps
    assert (vae.takes, vae.gives) == ((1, 4, 16, 16), (1, 3, 128, 128))


def test_the_trace_takes_its_hooks_away_again(pocket):
    tour.trace(pocket, "a dog", num_inference_steps=1)
    assert not pocket.unet._forward_hooks and not pocket.vae.decoder._forward_hooks


def test_the_diagram_shows_what_the_trace_saw(pocket):
    figure = tour.diagram(tour.trace(pocket, "a dog", num_inference_steps=3), highlight="vae")
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "4 calls" in words and "1 × 4 × 16 × 16" in words and "1 × 3 × 128 × 128" in words
    plt.close(figure)
