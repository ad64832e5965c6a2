"""The course does not lean on its bundled model: every notebook runs on a folder with the structure
of Stable Diffusion 2.1, small and untrained, with the quirks that the hub's files have."""

import re
from pathlib import Path

import diffusers
import pytest
import torch
from any_model import LATENT, SIDE, check_said, run
from diffusers import LMSDiscreteScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file
from transformers import DPTForDepthEstimation, DPTImageProcessor

from course_utils import depth2img, img2img, inpaint, pipeline
from course_utils.authoring.execute import code_cells
from course_utils.authoring.source import build_cells, places
from course_utils.models import DEFAULTS, POCKET, TASKS, load
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


def plain(folder: Path, task: str = "text-to-image"):
    """The pipeline as diffusers and transformers load it, nothing of ours in between."""
    kind, unet = TASKS[task]
    own = {} if unet == "unet" else {"unet": UNet2DConditionModel.from_pretrained(folder / unet)}
    if task == "depth2img":
        own["depth_estimator"] = DPTForDepthEstimation.from_pretrained(folder / "depth_estimator")
        own["feature_extractor"] = DPTImageProcessor.from_pretrained(folder / "feature_extractor")
    pipe = getattr(diffusers, kind).from_pretrained(folder, dtype=torch.float32, **own)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def asks_for_gradients(pipe) -> dict[tuple[str, str], bool]:
    """requires_grad of every weight of every network."""
    return {
        (name, weight): values.requires_grad
        for name, part in pipe.components.items()
        if isinstance(part, torch.nn.Module)
        for weight, values in part.named_parameters()
    }


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bundled", [True, False], ids=["pocket", "like 2.1"])
def test_weights_ask_for_gradients_as_diffusers_leaves_them(hub_folder, bundled, task):
    """torch.matmul chooses its kernel by it, under no_grad, too; on some processors, those with
    AVX2 for one, the kernels round differently, and pictures would not be equal to the bit."""
    ours = load("pocket" if bundled else str(hub_folder), task)
    theirs = plain(POCKET if bundled else hub_folder, task)
    assert asks_for_gradients(ours) == asks_for_gradients(theirs) != {}


@pytest.mark.parametrize("scheduler", ["PNDMScheduler", "DPMSolverMultistepScheduler"])
def test_load_s_pipeline_and_diffusers_draw_the_same(hub_folder, scheduler):
    pipes = load(str(hub_folder)), plain(hub_folder)
    for pipe in pipes:
        pipe.scheduler = getattr(diffusers, scheduler).from_config(pipes[0].scheduler.config)
    options = {"num_inference_steps": 10, "output_type": "latent"}
    ours, theirs = (
        pipe("a cat on a beach", generator=torch.Generator().manual_seed(0), **options).images
        for pipe in pipes
    )
    assert torch.equal(ours, theirs)


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
