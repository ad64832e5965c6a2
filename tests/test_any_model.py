"""The course does not lean on its bundled model: every notebook runs on a folder with the structure
of Stable Diffusion 2.1, small and untrained, with the quirks that the hub's files have."""

import json
import re
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, LMSDiscreteScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, DPTConfig, DPTForDepthEstimation

from course_utils import depth2img, img2img, inpaint, pipeline
from course_utils.authoring.execute import ENVIRONMENT, code_cells, execute, problems
from course_utils.authoring.source import build_cells, places
from course_utils.models import CONFIGS, DEFAULTS, POCKET, TASKS, load
from course_utils.world import sample

SIDE, LATENT = 64, 8  # of a picture and of its latents: not those of the bundled model
DEPTH_SIDE = 96  # what the depth estimator sees: neither of the two
UNTRUE = {  # lines that rightly say False
    "04_schedulers": ["DDPM, dice 1 and DDPM, dice 2 are equal: False"],
    "02_text": ["a tiger is a giraffe: False"],
}
UNET = CONFIGS["sd-2.1"]["unet"] | {
    "sample_size": LATENT,
    "block_out_channels": [8, 8, 16, 16],
    "norm_num_groups": 8,
    "attention_head_dim": [1, 1, 2, 2],
    "layers_per_block": 1,
}
VAE = {key: value for key, value in CONFIGS["sd-2.1"]["vae"].items() if key != "scaling_factor"}
VAE |= {"block_out_channels": [8, 8, 16, 16], "norm_num_groups": 8, "sample_size": SIDE}
VAE |= {"layers_per_block": 1}
TEXT = CONFIGS["sd-2.1"]["text_encoder"] | {"intermediate_size": 1024, "num_hidden_layers": 1}
DPT = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": DEPTH_SIDE,
    "patch_size": 16,
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [4] * 4,
    "fusion_hidden_size": 8,
}
# what the files of 2.1 and of its relatives say on the hub
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.10.0.dev0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.8.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
TEXT_FILE = TEXT | {
    "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "dropout": 0.0,
    "eos_token_id": 2,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "pad_token_id": 1,
    "projection_dim": 512,
    "torch_dtype": "float32",
    "transformers_version": "4.25.0.dev0",
    "vocab_size": 49408,
}
UNET_FILE = UNET | {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.10.0.dev0",
    "act_fn": "silu",
    "center_input_sample": False,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "out_channels": 4,
}
VAE_FILE = VAE | {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.8.0",
    "act_fn": "silu",
    "in_channels": 3,
    "out_channels": 3,
}
FEATURES = {  # of the depth model
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "DPTFeatureExtractor",
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "resample": 2,
    "size": DEPTH_SIDE,
}
OLD_TOKENIZER = {
    "add_prefix_space": False,
    "bos_token": "<|startoftext|>",
    "do_lower_case": True,
    "eos_token": "<|endoftext|>",
    "errors": "replace",
    "model_max_length": 77,
    "pad_token": "!",
    "tokenizer_class": "CLIPTokenizer",
    "unk_token": "<|endoftext|>",
}
OLD_NAMES = {
    ".to_q.": ".query.",
    ".to_k.": ".key.",
    ".to_v.": ".value.",
    ".to_out.0.": ".proj_attn.",
}


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory) -> Path:
    """A small model with the structure and the files of Stable Diffusion 2.1, for all tasks."""
    folder = tmp_path_factory.mktemp("models") / "like-2.1"
    torch.manual_seed(0)
    vae = AutoencoderKL(**VAE).state_dict()
    write(folder / "vae", VAE_FILE, {old_name(key): weight for key, weight in vae.items()})
    words = CLIPTextModel(CLIPTextConfig(**TEXT)).state_dict()
    words = {f"text_model.{key}": weight for key, weight in words.items()}
    words["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write(folder / "text_encoder", TEXT_FILE, words, "model")
    for part, channels in {"unet": 4, "inpaint_unet": 9, "depth_unet": 5}.items():
        config = UNET | {"in_channels": channels}
        weights = UNet2DConditionModel(**config).state_dict()
        write(folder / part, UNET_FILE | {"in_channels": channels}, weights)
    write_depth(folder)
    write_tokenizer(folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    write_json(folder / "model_index.json", INDEX)
    return folder


def write(folder: Path, config: dict, weights: dict, stem: str = "diffusion_pytorch_model") -> None:
    write_json(folder / "config.json", config)
    whole = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(whole, folder / f"{stem}.safetensors", metadata={"format": "pt"})


def write_json(file: Path, content: dict) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2))


def old_name(key: str) -> str:
    """The name that a weight of the VAE's attention has in the hub's file."""
    for new, old in OLD_NAMES.items():
        key = key.replace(new, old)
    return key


def write_depth(folder: Path) -> None:
    """An estimator that sees something, though it has learned nothing."""
    estimator = DPTForDepthEstimation(DPTConfig(**DPT)).eval()
    for weights in estimator.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    torch.nn.init.constant_(estimator.head.head[4].bias, 2.0)  # so that the last ReLU lets it pass
    estimator.save_pretrained(folder / "depth_estimator")
    write_json(folder / "feature_extractor" / "preprocessor_config.json", FEATURES)


def write_tokenizer(folder: Path) -> None:
    """CLIP's tokenizer as the hub has it: two files of its vocabulary, and "!" to fill up."""
    model = json.loads((POCKET / "tokenizer" / "tokenizer.json").read_text("utf-8"))["model"]
    write_json(folder / "vocab.json", model["vocab"])
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]), "utf-8")
    write_json(folder / "tokenizer_config.json", OLD_TOKENIZER)


@pytest.fixture
def hub_model(hub_folder, monkeypatch) -> Path:
    """The same, where COURSE_MODEL says so to us and to every kernel; on one thread: so small a
    model is faster on it."""
    monkeypatch.setenv("COURSE_MODEL", str(hub_folder))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setitem(ENVIRONMENT, name, "1")
    return hub_folder


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_runs_unchanged(place, hub_model):
    """Shapes, loops, checks and proofs: all that is said to be true is true here, too."""
    notebook = build_cells(place, "solution")
    execute(notebook, place.built("solution").parent)
    assert problems(notebook) == []
    lines = [line for cell in code_cells(notebook) for line in printed(cell)]
    untrue = [line for line in lines if re.search(r":.*\bFalse\b", line)]
    assert untrue == [*UNTRUE.get(place.name, [])]
    assert any(re.search(r"(equal|nine)\b.*\bTrue\b", line) for line in lines)
    for cell in code_cells(notebook):
        if "exercise" in cell.metadata.get("tags", []):
            assert re.fullmatch(r"\w+: ok", "".join(printed(cell)))


@pytest.mark.parametrize("place", places(), ids=lambda place: place.name)
def test_the_notebook_takes_nothing_for_granted(place):
    """Convolutions would run on latents of the bundled model's size, too, and say nothing."""
    code = "\n".join(cell.source for cell in code_cells(build_cells(place, "solution")))
    assert re.findall(r'load\("pocket"|4, 16, 16|\[16, 16\]|"cpu", 1', code) == []
    assert "load(" in code


def printed(cell) -> list[str]:
    return "".join(output.get("text", "") for output in cell.outputs).splitlines()


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
