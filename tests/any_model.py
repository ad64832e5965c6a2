"""A small untrained model built like Stable Diffusion 2.1, and how notebooks are run on it: in this
process, without drawing their figures, which takes a tenth of the time."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import matplotlib.pyplot as plt
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, DPTConfig, DPTForDepthEstimation

from course_utils.authoring.execute import code_cells
from course_utils.authoring.source import Place, build_cells
from course_utils.models import CONFIGS, POCKET

SIDE, LATENT = 64, 8  # of a picture and of its latents: not those of the bundled model
DEPTH_SIDE = 96  # what the depth estimator sees: neither of the two
UNET = CONFIGS["sd-2.1"]["unet"] | {
    "sample_size": LATENT,
    "block_out_channels": [8, 8, 16, 16],
    "norm_num_groups": 8,
    "attention_head_dim": [1, 1, 2, 2],
    "layers_per_block": 1,
}
SHALLOW = {  # where levels, and the width of the text, tell nothing: a third of the time
    "block_out_channels": [8, 16],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": [1, 2],
    "cross_attention_dim": 32,
}
NARROW = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
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
MANY = re.compile(  # how cells ask for steps, and for pictures to take a mean of
    r"(steps=|^steps = |^steps, g = |make\(alpha_bar, |held_out_things\()(\d+)", re.MULTILINE
)
UNTRUE = {  # lines that rightly say False
    "04_schedulers": ["DDPM, dice 1 and DDPM, dice 2 are equal: False"],
    "02_text": ["a tiger is a giraffe: False"],
}


def write_model(folder: Path, unet: dict | None = None, text: dict | None = None) -> None:
    """The structure and the files of Stable Diffusion 2.1, for all tasks, but for what is given."""
    torch.manual_seed(0)
    vae = AutoencoderKL(**VAE).state_dict()
    write(folder / "vae", VAE_FILE, {old_name(key): weight for key, weight in vae.items()})
    text = text or {}
    words = CLIPTextModel(CLIPTextConfig(**TEXT | text)).state_dict()
    words = {f"text_model.{key}": weight for key, weight in words.items()}
    words["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write(folder / "text_encoder", TEXT_FILE | text, words, "model")
    for part, channels in {"unet": 4, "inpaint_unet": 9, "depth_unet": 5}.items():
        own = {"in_channels": channels} | (unet or {})
        weights = UNet2DConditionModel(**UNET | own).state_dict()
        write(folder / part, UNET_FILE | own, weights)
    write_depth(folder)
    write_tokenizer(folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
    write_json(folder / "model_index.json", INDEX)


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
    torch.manual_seed(0)
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


def run(place: Place, most: int | None = None) -> list[tuple[bool, list[str]]]:
    """Run every cell of a notebook, exercises solved.

    Args:
        place: which notebook.
        most: steps that a picture may take, and pictures that a mean may be of, where a cell asks
            for more; as it asks if left out.
    Returns:
        for each cell whether it is an exercise, and the lines it printed.
    Raises:
        AssertionError: a cell wrote to stderr, or kept gradients of what it does not train; and
            whatever a cell raises.
    """
    names, ran = {"__name__": "__main__"}, []
    for number, cell in enumerate(code_cells(build_cells(place, "solution")), start=1):
        said, wrong = io.StringIO(), io.StringIO()
        told = cell.source if most is None else with_fewer(cell.source, most)
        code = compile(told, f"{place.name}, code cell {number}", "exec")
        with (
            redirect_stdout(said),
            redirect_stderr(wrong),
            patch.object(plt, "show", lambda: plt.close("all")),
            gradients_for_training_only(),
        ):
            exec(code, names)
        assert wrong.getvalue() == ""
        ran.append(("exercise" in cell.metadata.get("tags", []), said.getvalue().splitlines()))
    return ran


@contextmanager
def gradients_for_training_only() -> Iterator[None]:
    """A network that is not being trained must not run where torch keeps what gradients need: in a
    loop, memory would grow with every step."""

    def look(module: torch.nn.Module, _) -> None:
        asks = any(weight.requires_grad for weight in module.parameters(recurse=False))
        kept = asks and torch.is_grad_enabled() and not module.training
        assert not kept, f"{type(module).__name__} runs outside torch.no_grad()"

    handle = torch.nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


def with_fewer(source: str, most: int) -> str:
    """A cell that asks for at most so many steps and pictures."""
    return MANY.sub(lambda found: f"{found[1]}{min(int(found[2]), most)}", source)


def check_said(place: Place, ran: list[tuple[bool, list[str]]]) -> None:
    """What a notebook says is true, but where it rightly is not; every exercise is solved."""
    lines = [line for _, said in ran for line in said]
    assert [line for line in lines if re.search(r":.*\bFalse\b", line)] == [
        *UNTRUE.get(place.name, [])
    ]
    assert any(re.search(r"(equal|nine)\b.*\bTrue\b", line) for line in lines)
    for exercise, said in ran:
        assert not exercise or re.fullmatch(r"\w+: ok", "".join(said))
