"""The course does not lean on its bundled model: every notebook runs on a folder with the structure
of Stable Diffusion 2.1, small and untrained, with the quirks that the hub's files have."""

import re

import pytest
import torch
from any_model import LATENT, SIDE, check_said, run
from diffusers import LMSDiscreteScheduler
from PIL import Image
from safetensors.torch import load_file

from course_utils import depth2img, img2img, inpaint, pipeline
from course_utils.authoring.execute import code_cells
from course_utils.authoring.source import build_cells, places
from course_utils.models import DEFAULTS, TASKS, load
from course_utils.world import sample


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_runs_unchanged(place, hub_model):
    """Shapes, loops, checks and proofs: all that is said to be true is true here, too."""
    check_said(place, run(place))


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_takes_nothing_for_granted(place):
    """Convolutions would run on latents of the bundled model's size, too, and say nothing."""
    code = "\n".join(cell.source for cell in code_cells(build_cells(place, "solution")))
    assert re.findall(r'load\("pocket"|4, 16, 16|\[16, 16\]|"cpu", 1', code) == []
    assert "load(" in code


def test_it_is_as_the_hub_has_it(hub_folder):
    """What the other test relies on: old names of weights, of settings, and of the filling."""
    pipe = load(str(hub_folder))
    words = load_file(hub_folder / "text_encoder" / "model.safetensors")
    table = pipe.text_encoder.embeddings.token_embedding.weight
    assert torch.equal(table, words["text_model.embeddings.token_embedding.weight"])
    vae = load_file(hub_folder / "vae" / "diffusion_pytorch_model.safetensors")
    query = pipe.vae.encoder.mid_block.attentions[0].to_q.weight
    assert torch.equal(query, vae["encoder.mid_block.attentions.0.query.weight"])
    assert pipe.vae.config.scaling_factor == 0.18215
    assert pipe.tokenizer.pad_token_id == 0 and len(pipe.tokenizer) == 49408
    assert table.shape[1] == 1024 == pipe.unet.config.cross_attention_dim
    sizes = pipe.vae_scale_factor, pipe.unet.config.sample_size
    assert sizes == (8, LATENT) != (8, load("pocket").unet.config.sample_size)


def test_a_scheduler_made_from_another_keeps_its_timesteps(hub_folder):
    """The hub's file does not say how timesteps are spaced; that is not left to the next class."""
    scheduler = load(str(hub_folder)).scheduler
    assert DEFAULTS not in scheduler.config and scheduler.config.clip_sample is False
    lms = LMSDiscreteScheduler.from_config(scheduler.config)
    lms.set_timesteps(10)
    assert lms.timesteps.tolist() == list(range(901, 0, -100))


@pytest.mark.parametrize("task", TASKS)
def test_the_loops_are_the_librarys_in_half_precision_too(hub_folder, task):
    """As a GPU runs them: pictures, masks and noise go where the networks are, and as they are."""
    pipe = load(str(hub_folder), task).to(dtype=torch.float16)
    picture = sample(4).at(SIDE).picture
    mask = Image.fromarray(inpaint.box_around(sample(4).at(SIDE).masks["boat"], 8))
    ours, given = {
        "text-to-image": (pipeline.text_to_image, {}),
        "img2img": (img2img.img2img, {"image": picture}),
        "inpaint": (inpaint.inpaint, {"image": picture, "mask": mask}),
        "depth2img": (depth2img.depth2img, {"image": picture}),
    }[task]
    options = {"num_inference_steps": 2, "guidance_scale": 3.0}
    dice, other_dice = (torch.Generator().manual_seed(1) for _ in range(2))
    z = ours(pipe, "a dog", **given, **options, generator=dice)
    renamed = {"mask_image" if name == "mask" else name: value for name, value in given.items()}
    more = {"strength": 1.0} if task == "inpaint" else {}
    options |= {"generator": other_dice, "output_type": "latent", **more}
    theirs = pipe("a dog", **renamed, **options).images
    assert z.dtype == torch.float16 and torch.equal(z, theirs)
