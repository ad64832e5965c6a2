"""`make train` leads from nothing to a model that draws: every program of it, one step each."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import yaml

import course_utils.models
import course_utils.training.data as data
import course_utils.training.loop as loop
from course_utils.models import load, read_segmenter

ROOT = Path(__file__).parents[1]
EXAMPLES = 16
SHORT = {"examples": EXAMPLES, "steps": 1, "batch": 4, "precision": "no", "warmup": 1, "threads": 1}


def recipe(target: str) -> list[tuple[str, list[str]]]:
    """What `make target` runs: (module, arguments) of each line."""
    body = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [shlex.split(line.strip().lstrip("@")) for line in body[1].splitlines()]
    return [(words[2], words[3:]) for words in lines]


def shorten(configs: Path, target: Path) -> None:
    """Copies of all configurations that train one step on a few pictures."""
    for file in configs.rglob("*.yaml"):
        copy = target / file.relative_to(configs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        told = yaml.safe_load(file.read_text()) | SHORT
        if "unseen" in told.get("options", {}):
            told["options"]["unseen"] = 4
        copy.write_text(yaml.safe_dump(told))


def run_here(module: str, arguments: list[str], monkeypatch) -> None:
    """Run a program as a process of its own would, but in this one."""
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def test_every_program_finds_what_the_one_before_it_made(tmp_path, monkeypatch):
    shorten(loop.CONFIGS, tmp_path / "configs")
    rendered = data.world_pictures

    def few_pictures(folder, count, **options):
        return rendered(folder, min(count, EXAMPLES), **options)

    bundled = [file for file in course_utils.models.POCKET.rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in bundled}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "CONFIGS", tmp_path / "configs")
    monkeypatch.setattr(data, "world_pictures", few_pictures)
    monkeypatch.setattr(course_utils.models, "POCKET", tmp_path / "pocket")
    for module, arguments in (*recipe("train"), *recipe("train-gpu")):
        run_here(module, arguments, monkeypatch)
    assert before == {file: file.read_bytes() for file in bundled}  # our own is as it was
    made = tmp_path / "pocket"
    for task, channels in {"text-to-image": 4, "img2img": 4, "inpaint": 9, "depth2img": 5}.items():
        assert load(str(made), task).unet.config.in_channels == channels
    assert read_segmenter(made / "segmenter").model.config.projection_dim == 128
    assert (made / "judge").is_dir() and "cannot do" in (made / "README.md").read_text()


def test_the_larger_configurations_build_on_each_other():
    heard, unet = loop.read_config("large/text").model, loop.read_config("large/unet").model
    assert unet["cross_attention_dim"] == heard["hidden_size"]
    assert [arguments for _, arguments in recipe("train-large")] == [
        ["large/vae"],
        ["large/text"],
        ["large/unet"],
        ["large", "build/model"],
    ]


@pytest.mark.parametrize("name", ["large/vae", "large/text", "large/unet", "gpu/vae", "gpu/unet"])
def test_a_configuration_in_a_folder_is_found_by_its_path(name):
    assert loop.read_config(name).examples > loop.read_config(Path(name).name).examples


def test_a_configuration_like_another_takes_what_it_does_not_name_itself():
    on_gpu, on_cpu = loop.read_config("gpu/unet"), loop.read_config("unet")
    assert on_gpu.model == on_cpu.model and on_gpu.precision == on_cpu.precision == "bf16"
    assert on_gpu.batch > on_cpu.batch
    assert on_gpu.options == on_cpu.options | {
        "text_encoder": "pocket/text_encoder",
        "start_from": "pocket/unet",
    }
