"""What several test files share: the bundled model, and a tiny untrained one of the same kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

TINY_PROMPT = "a wave breaking, a small robot on a park bench"  # the tiny model's whole vocabulary


@pytest.fixture(scope="session")
def pocket():
    """The bundled model. Do not change it: every test shares it."""
    from course_utils.models import load

    return load("pocket")


@pytest.fixture(scope="session")
def tiny_parts():
    """Arguments of `export` for a model of the same kind with random weights."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from course_utils.training.text import clip_tokenizer, make_text_encoder

    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    sizes = {"norm_num_groups": 4, "layers_per_block": 1, "block_out_channels": [4, 4, 8, 8]}
    return {
        "vae": AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            latent_channels=4,
            sample_size=128,
            **sizes,
        ),
        "unet": UNet2DConditionModel(
            sample_size=16,
            block_out_channels=[8, 8],
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=8,
            attention_head_dim=2,
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        ),
        "text_encoder": make_text_encoder(
            {
                "hidden_size": 8,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
            },
            torch.tensor(tokenizer(TINY_PROMPT).input_ids),
        ),
        "tokenizer": tokenizer,
    }


@pytest.fixture(scope="session")
def tiny_folder(tiny_parts, tmp_path_factory) -> Path:
    """The tiny model as `export` writes it. Copy it before you change a file."""
    from course_utils.training.export import export, export_beside

    folder = tmp_path_factory.mktemp("models") / "tiny"
    export(folder, **tiny_parts)
    export_beside(folder, **tiny_extras(tiny_parts["unet"].config))
    return folder


def tiny_extras(unet_config) -> dict:
    """What the other tasks need beside the tiny model, with random weights."""
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    sizes |= {"image_size": 128, "patch_size": 16, "backbone_out_indices": [0, 1, 2, 3]}
    sizes |= {"intermediate_size": 16, "neck_hidden_sizes": [4] * 4, "fusion_hidden_size": 8}
    like = {name: value for name, value in unet_config.items() if name[0] != "_"}
    estimator = DPTForDepthEstimation(DPTConfig(**sizes)).eval()
    for weights in estimator.parameters():
        torch.nn.init.normal_(weights, std=0.3)  # so that it sees something
    torch.nn.init.constant_(estimator.head.head[4].bias, 2.0)  # and the last ReLU lets it pass
    return {
        "inpaint_unet": UNet2DConditionModel.from_config(like | {"in_channels": 9}),
        "depth_unet": UNet2DConditionModel.from_config(like | {"in_channels": 5}),
        "depth_estimator": estimator,
        "feature_extractor": DPTImageProcessor(size={"height": 128, "width": 128}),
    }


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    """The tiny model, loaded, on one thread: more would change the last bits. Do not change it:
    every test shares it."""
    return load_tiny(tiny_folder, "text-to-image")


@pytest.fixture(scope="session")
def tiny_img2img(tiny_folder):
    """The tiny model for Img2Img; as `tiny`."""
    return load_tiny(tiny_folder, "img2img")


@pytest.fixture(scope="session")
def tiny_inpaint(tiny_folder):
    """The tiny model for inpainting, nine channels; as `tiny`."""
    return load_tiny(tiny_folder, "inpaint")


@pytest.fixture(scope="session")
def tiny_depth2img(tiny_folder):
    """The tiny model for Depth2Img, five channels; as `tiny`."""
    return load_tiny(tiny_folder, "depth2img")


def load_tiny(folder, task):
    import torch

    from course_utils.models import load

    torch.set_num_threads(1)
    return load(str(folder), task)


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory) -> Path:
    """A small model with the structure and the files of Stable Diffusion 2.1, for all tasks."""
    from any_model import write_model

    folder = tmp_path_factory.mktemp("models") / "like-2.1"
    write_model(folder)
    return folder


@pytest.fixture(scope="session")
def smallest_folder(tmp_path_factory) -> Path:
    """A model for all tasks that is as small as it can be."""
    from any_model import NARROW, SHALLOW, write_model

    folder = tmp_path_factory.mktemp("models") / "smallest"
    write_model(folder, SHALLOW, NARROW)
    return folder


@pytest.fixture
def hub_model(hub_folder, monkeypatch) -> Path:
    """The same, where COURSE_MODEL says so; on one thread: so small a model is faster on it."""
    import torch

    torch.set_num_threads(1)
    monkeypatch.setenv("COURSE_MODEL", str(hub_folder))
    return hub_folder


@pytest.fixture(scope="session")
def site(tmp_path_factory, testrun_uid) -> Path:
    """The site, built as `make site` builds it, every warning an error. Do not change it.

    Built once, also where several processes share the tests.
    """
    parallel = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if parallel else base) / f"site-{testrun_uid}"
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            build_site(folder)
            (folder / "built").touch()
    return folder / "pages"


def build_site(folder: Path) -> None:
    from course_utils.authoring.source import ROOT

    places = ["--staged", str(folder / "staged"), "--out", str(folder / "pages")]
    command = [sys.executable, "-m", "course_utils.authoring.site", *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
