"""load() and architecture(): the right networks, checked files, one clear sentence otherwise."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from unittest.mock import call, create_autospec

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from course_utils import hub, models
from course_utils.devices import Machine, Plan, make_plan, memory_needed, place
from course_utils.hub import Copy
from course_utils.models import DEFAULTS, POCKET, ModelError, architecture, check_folder, load

ROOT = Path(__file__).parents[1]
PARAMETERS = {  # of the published weights
    ("sd-2.1", "unet"): 865_910_724,
    ("sd-2.1", "inpaint_unet"): 865_925_124,
    ("sd-2.1", "depth_unet"): 865_913_604,
    ("sd-2.1", "vae"): 83_653_863,
    ("sd-2.1", "text_encoder"): 340_387_840,
    ("sd-1.5", "unet"): 859_520_964,
    ("sd-1.5", "inpaint_unet"): 859_535_364,
    ("sd-1.5", "vae"): 83_653_863,
    ("sd-1.5", "text_encoder"): 123_060_480,
}


built = cache(architecture)  # each takes a third of a second


def parameters(network) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.fixture
def copy(tiny_folder, tmp_path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


# architecture


@pytest.mark.parametrize(("model", "part"), PARAMETERS)
def test_architecture_has_the_published_size(model, part):
    network = built(model, part)
    assert parameters(network) == PARAMETERS[model, part]
    assert {weight.device.type for weight in network.parameters()} == {"meta"}
    assert not network.training


@pytest.mark.parametrize(
    ("model", "heads", "projection", "activation"),
    [("sd-2.1", [5, 10, 20], "Linear", "gelu"), ("sd-1.5", [8, 8, 8], "Conv2d", "quick_gelu")],
)
def test_architecture_differs_where_the_count_does_not(model, heads, projection, activation):
    attentions = [block.attentions[0] for block in built(model, "unet").down_blocks[:3]]
    assert [a.transformer_blocks[0].attn1.heads for a in attentions] == heads
    assert {type(a.proj_in).__name__ for a in attentions} == {projection}
    assert built(model, "text_encoder").config.hidden_act == activation


def test_architecture_runs_on_meta():
    unet = built("sd-2.1", "depth_unet")
    latents, words = (
        torch.empty(shape, device="meta") for shape in [(2, 5, 64, 64), (2, 77, 1024)]
    )
    assert unet(latents, 1, words).sample.shape == (2, 4, 64, 64)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_architecture_of_the_pocket_is_that_of_its_weights(pocket, part):
    shapes = {name: w.shape for name, w in architecture("pocket", part).named_parameters()}
    assert shapes == {name: w.shape for name, w in getattr(pocket, part).named_parameters()}


@pytest.mark.parametrize(("part", "channels"), models.IN_CHANNELS.items())
def test_pocket_unets_differ_in_their_first_layer(tiny_folder, monkeypatch, part, channels):
    monkeypatch.setattr(models, "POCKET", tiny_folder)
    assert architecture("pocket", part).conv_in.in_channels == channels


NEW_PROCESS = """
import sys, time
import diffusers.models.unets
from course_utils import architecture, load
start = time.perf_counter()
networks = [architecture("sd-2.1", part) for part in ("unet", "vae", "text_encoder")]
print(time.perf_counter() - start)
print(next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line))
load(sys.argv[1])
"""


@pytest.fixture(scope="module")
def new_process(tiny_folder) -> subprocess.CompletedProcess:
    """A process that builds three architectures, tells their seconds and its own kilobytes, and
    loads a model."""
    command = [sys.executable, "-c", NEW_PROCESS, tiny_folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_architecture_is_quick_and_small(new_process):
    seconds, kilobytes = map(float, new_process.stdout.split())
    assert seconds < 2
    assert kilobytes < 600e3


@pytest.mark.parametrize(
    ("model", "part", "words"),
    [
        ("sd-3", "unet", ["'sd-3'", "pocket, sd-2.1, sd-1.5"]),
        ("", "unet", ["Unknown model ''"]),
        (None, "unet", ["Unknown model None"]),
        ("sd-2.1", "decoder", ["'decoder'", "inpaint_unet", "text_encoder"]),
        ("sd-2.1", "", ["Unknown part ''"]),
        ("sd-1.5", "depth_unet", ["no depth_unet of sd-1.5", "architecture('sd-2.1'"]),
    ],
)
def test_architecture_refuses(model, part, words):
    with pytest.raises(ValueError) as error:
        architecture(model, part)
    assert all(word in str(error.value) for word in words), error.value


# load


def check_ready(pipe):
    for network in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}
        assert {weight.device.type for weight in network.parameters()} == {"cpu"}
        assert not network.training
    assert pipe.safety_checker is None and pipe.image_encoder is None
    assert type(pipe.scheduler).__name__ == "PNDMScheduler"


def test_the_tiny_model_is_ready(tiny):
    check_ready(tiny)


def test_the_pocket_model_is_ready(pocket):
    check_ready(pocket)
    assert torch.get_num_threads() == models.POCKET_THREADS


def test_load_is_silent_and_leaves_the_loggers_alone(tiny_folder, capfd):
    from diffusers.utils import logging

    before = logging.get_verbosity()
    load(str(tiny_folder))
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == before
    assert logging.is_progress_bar_enabled()


def test_load_in_a_new_process_is_silent(new_process):
    assert (new_process.returncode, new_process.stderr) == (0, "")
    assert new_process.stdout.count("\n") == 2  # its own


def test_import_of_the_package_is_quick():
    code = "import sys, course_utils; print('torch' in sys.modules)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert time.perf_counter() - start < 2


def test_the_package_knows_its_names():
    import course_utils

    assert course_utils.load is load
    assert course_utils.architecture is architecture
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        course_utils.lode  # noqa: B018


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("sd-4", "text-to-image", ["Unknown model 'sd-4'", "pocket, sd-2.1, sd-1.5"]),
        ("", "text-to-image", ["Unknown model"]),
        ("tests", "text-to-image", ["Unknown model 'tests'", "model_index.json"]),
        ("pocket", "text-to-speech", ["Unknown task 'text-to-speech'", "text-to-image"]),
        ("sd-1.5", "depth2img", ["no sd-1.5 for depth2img", "sd-2.1"]),
    ],
)
def test_load_refuses(name, task, words):
    with pytest.raises(ValueError) as error:
        load(name, task)
    assert all(word in str(error.value) for word in words), error.value


def flip(file: Path):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


CHECKED = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
]


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize(("damage", "word"), [(flip, "damaged"), (Path.unlink, "missing")])
def test_load_refuses_a_damaged_or_missing_file(copy, name, damage, word):
    damage(copy / name)
    with pytest.raises(ModelError) as error:
        load(str(copy))
    message = str(error.value)
    assert f"{name} is {word}" in message and "git checkout" in message


def test_the_bundled_model_is_never_read_unchecked(copy, monkeypatch):
    monkeypatch.setattr(models, "POCKET", copy)
    (copy / "checksums.json").unlink()
    with pytest.raises(ModelError, match=r"checksums\.json is missing"):
        load("pocket")
    shutil.rmtree(copy)
    with pytest.raises(ModelError, match=r"checksums\.json is missing"):
        load("pocket")


def test_a_folder_without_checksums_loads_unless_it_is_broken(copy):
    (copy / "checksums.json").unlink()
    load(str(copy))
    file = copy / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="Cannot read the model in"):
        load(str(copy))


def test_pickles_are_never_read(copy):
    (copy / "checksums.json").unlink()
    for file in copy.rglob("*.safetensors"):
        file.with_suffix(".bin").write_bytes(b"cos\nsystem\n(S'touch poisoned'\ntR.")
        file.unlink()
    with pytest.raises(ModelError, match="pickle files only.*safe_serialization"):
        load(str(copy))


def test_code_of_a_model_is_never_run(copy):
    (copy / "checksums.json").unlink()
    index = json.loads((copy / "model_index.json").read_text())
    index["unet"] = ["poison", "UNet2DConditionModel"]
    (copy / "model_index.json").write_text(json.dumps(index))
    (copy / "unet" / "poison.py").write_text("raise SystemExit('poisoned')")
    with pytest.raises(ModelError, match="code of its own"):
        load(str(copy))


def test_a_broken_index_is_named(copy):
    (copy / "checksums.json").unlink()
    (copy / "model_index.json").write_text("{")
    with pytest.raises(ModelError, match=r"Cannot read .*model_index\.json"):
        load(str(copy))


# names (the downloads themselves are in test_hub.py)


def folder_as_hub(monkeypatch, folder: Path, variant=None) -> list:
    """Make every hub give this folder; what is asked of it."""
    asked = []

    def fetch(ids, parts, half, announce):
        asked.append((ids, parts, half))
        announce(ids[0], {"unet": 4_000_000}, variant)
        return Copy(ids[0], folder, variant)

    monkeypatch.setattr(hub, "fetch", fetch)
    return asked


@pytest.mark.parametrize(
    ("name", "task", "ids"),
    [
        ("sd-2.1", "text-to-image", models.HUB_IDS["sd-2.1"]["unet"]),
        ("sd-1.5", "img2img", models.HUB_IDS["sd-1.5"]["unet"]),
        ("sd-1.5", "inpaint", models.HUB_IDS["sd-1.5"]["inpaint_unet"]),
        ("sd-2.1", "depth2img", models.HUB_IDS["sd-2.1"]["depth_unet"]),
        ("owner/name", "text-to-image", ("owner/name",)),
    ],
)
def test_load_asks_the_hub_for_what_the_task_needs(
    monkeypatch, tiny_folder, capsys, name, task, ids
):
    asked = folder_as_hub(monkeypatch, tiny_folder)
    load(name, task)
    depth = ("depth_estimator", "feature_extractor") if task == "depth2img" else ()
    assert asked == [(ids, (*models.SHARED, "unet", *depth), False)]
    before, after = capsys.readouterr().out.splitlines()
    run = r"on cpu in float32, about \d\.\d GB of memory\."
    assert re.fullmatch(rf"{name}: 4 MB from {ids[0]}, to run {run}", before)
    assert re.fullmatch(rf"{name}: {ids[0]} {run}", after)


@pytest.mark.parametrize(("variant", "width"), [(None, 4), ("fp16", 2)])
def test_memory_is_estimated_before_the_download(monkeypatch, capsys, variant, width):
    def fetch(ids, parts, half, announce):
        announce(ids[0], {part: width * count for part, count in SD21.items()}, variant)
        raise hub.Refused("downloading.")

    monkeypatch.setattr(hub, "fetch", fetch)
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, 8 * GB))
    with pytest.raises(ModelError, match="downloading"):
        load("sd-2.1")
    assert "to run on cpu in float32, about 6.5 GB of memory." in capsys.readouterr().out
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, 4 * GB))
    with pytest.raises(ModelError, match="needs about 6.5 GB of memory, this machine has 4.0 GB"):
        load("sd-2.1")


def test_all_ids_of_a_task_are_known_and_different():
    for name, unets in models.HUB_IDS.items():
        assert set(unets) <= {unet for _, unet in models.TASKS.values()}, name
        ids = [hub_id for ids in unets.values() for hub_id in ids]
        assert len(set(ids)) == len(ids)
        assert all(models.HUB_ID.fullmatch(hub_id) for hub_id in ids)
    assert re.fullmatch(r"20\d\d-\d\d", models.HUB_IDS_CHECKED)


def test_an_id_that_cannot_be_had_may_be_a_mistyped_path(monkeypatch):
    def fetch(*_):
        raise hub.Refused("Cannot download: usb/sd is gone (404).")

    monkeypatch.setattr(hub, "fetch", fetch)
    with pytest.raises(ModelError, match=r"^There is no folder 'usb/sd' here\. Cannot download"):
        load("usb/sd")
    with pytest.raises(ModelError, match=r"^Cannot download"):
        load("sd-2.1")


def test_a_folder_comes_before_a_hub_id_of_the_same_name(monkeypatch, tiny_folder, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "sd").symlink_to(tiny_folder)
    monkeypatch.setattr(hub, "fetch", None)
    load("usb/sd")


def test_modelscope_by_its_prefix(monkeypatch, tiny_folder, capsys):
    def fetch(model_id, parts, half):
        return Copy(f"modelscope:{model_id}", tiny_folder, None)

    monkeypatch.setattr(hub, "fetch_modelscope", fetch)
    load("modelscope:owner/name")
    assert capsys.readouterr().out.startswith("modelscope:owner/name: modelscope:owner/name on cpu")


def test_course_model_names_the_model(monkeypatch, tiny_folder, pocket):
    monkeypatch.setenv("COURSE_MODEL", str(tiny_folder))
    assert load().unet.config.sample_size == 16
    assert load().vae.config.block_out_channels == [4, 4, 8, 8]
    assert load("pocket").vae.config == pocket.vae.config  # what is asked for comes first
    monkeypatch.setenv("COURSE_MODEL", "")
    assert load().vae.config == pocket.vae.config
    monkeypatch.delenv("COURSE_MODEL")
    assert load().vae.config == pocket.vae.config


def test_a_folder_with_half_precision_files_only(tiny_parts, copy):
    """As the cache has them where the download was for a GPU."""
    (copy / "checksums.json").unlink()
    for file in copy.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    for task in ("text-to-image", "inpaint", "depth2img"):
        pipe = load(str(copy), task)
        assert pipe.unet.dtype == torch.float32
    key, weight = next(iter(tiny_parts["vae"].state_dict().items()))
    assert torch.equal(pipe.vae.state_dict()[key], weight.half().float())


def test_weights_are_counted_without_reading_them(tiny_folder, tiny):
    counts = models.count_parameters(Copy("", tiny_folder, None), "text-to-image")
    assert counts == {
        part: parameters(getattr(tiny, part)) for part in ("vae", "text_encoder", "unet")
    }


def test_a_plan_needs_no_weights():
    assert models.published_parameters("sd-2.1") == SD21
    assert models.published_parameters("sd-1.5", "inpaint")["unet"] == 859_535_364
    with pytest.raises(ValueError, match="no depth_unet of sd-1.5"):
        models.published_parameters("sd-1.5", "depth2img")


def test_a_device_is_checked(tiny_folder):
    with pytest.raises(ValueError, match="Unknown device 'gpu'. Choose one of: cuda, mps, cpu"):
        load("pocket", device="gpu")
    if not torch.backends.mps.is_available():
        with pytest.raises(ModelError, match=r"finds no mps device here.*cpu\.$"):
            load(str(tiny_folder), device="mps")


# devices: what would be done on machines that are not here

SD21 = {
    "unet": 865_910_724,
    "vae": 83_653_863,
    "text_encoder": 340_387_840,
}
GB = 10**9
TILED = "VAE tiling"
PLANS = {  # cuda bytes free, mps, memory: device, precision, savings
    "a large card": ((24 * GB, False, 32 * GB), ("cuda", "float16", ())),
    "a card of 4 GB": ((4 * GB, False, 16 * GB), ("cuda", "float16", ())),
    "a small card": ((3 * GB, False, 16 * GB), ("cuda", "float16", (TILED, "CPU offload"))),
    "a tiny card": (
        (2 * GB, False, 16 * GB),
        ("cuda", "float16", (TILED, "sequential CPU offload")),
    ),
    "a useless card": ((GB // 2, False, 16 * GB), ("cpu", "float32", ())),
    "a large Mac": ((None, True, 32 * GB), ("mps", "float32", ())),
    "a Mac of 11 GB": ((None, True, 11 * GB), ("mps", "float32", ("attention slicing",))),
    "a Mac of 8 GB": ((None, True, 8 * GB), ("mps", "float16", ())),
    "a Mac of 6 GB": ((None, True, 6 * GB), ("mps", "float16", ("attention slicing",))),
    "no GPU": ((None, False, 8 * GB), ("cpu", "float32", ())),
}


@pytest.mark.parametrize(("machine", "expected"), PLANS.values(), ids=PLANS)
def test_the_best_plan_that_fits(machine, expected):
    plan = make_plan(SD21, Machine(*machine))
    assert plan[:3] == expected
    assert plan.needs == memory_needed(SD21, *expected)


def test_a_model_larger_than_the_machine_is_refused_unless_asked_for():
    machine = Machine(None, False, 4 * GB)
    with pytest.raises(ModelError, match=r"about 6\.5 GB.* has 4\.0 GB.*Colab.*device='cpu'"):
        make_plan(SD21, machine)
    assert make_plan(SD21, machine, "cpu").device == "cpu"


def test_a_small_model_stays_on_the_cpu():
    machine = Machine(24 * GB, True, 32 * GB)
    assert make_plan({"unet": 10**6}, machine)[:3] == ("cpu", "float32", ())
    assert make_plan({"unet": 10**6}, machine, "cuda")[:3] == ("cuda", "float16", ())
    assert make_plan({"unet": 10**6}, machine, "mps").device == "mps"


def test_a_device_that_was_asked_for_is_used_as_well_as_can_be():
    machine = Machine(GB // 2, False, 16 * GB)
    assert make_plan(SD21, machine, "cuda").savings == (TILED, "sequential CPU offload")


def test_a_plan_says_what_it_is():
    plan = make_plan(SD21, Machine(3 * GB, False, 16 * GB))
    words = "cuda in float16 with VAE tiling and CPU offload, about 2.7 GB of memory"
    assert str(plan) == words


@pytest.mark.parametrize(
    ("savings", "calls"),
    [
        ((), [call.to("cuda")]),
        (("attention slicing",), [call.enable_attention_slicing(), call.to("cuda")]),
        (
            (TILED, "CPU offload"),
            [call.vae.enable_tiling(), call.enable_model_cpu_offload(device="cuda")],
        ),
        (
            (TILED, "sequential CPU offload"),
            [call.vae.enable_tiling(), call.enable_sequential_cpu_offload(device="cuda")],
        ),
    ],
)
def test_place_uses_the_librarys_own_savings(savings, calls):
    pipe = create_autospec(StableDiffusionPipeline, instance=True)
    pipe.vae = create_autospec(AutoencoderKL, instance=True)
    place(pipe, Plan("cpu", "float32", (), 0))
    assert pipe.mock_calls == []
    place(pipe, Plan("cuda", "float16", savings, 0))
    assert pipe.mock_calls == calls


def test_place_slices_and_tiles(tiny_folder):
    pipe = load(str(tiny_folder))
    place(pipe, Plan("cpu", "float32", ("attention slicing", TILED), 0))
    assert pipe.vae.use_tiling
    names = {type(p).__name__ for p in pipe.unet.attn_processors.values()}
    assert names == {"SlicedAttnProcessor"}
    assert pipe("a wave", num_inference_steps=1, output_type="np").images.shape == (1, 128, 128, 3)


# the folders that export writes


def check_plain_diffusers(folder: Path):
    """What the model card promises: plain diffusers, no arguments, float32 everywhere."""
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    for network in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a wave", num_inference_steps=2).images[0].size == (128, 128)


def test_plain_diffusers_loads_an_export(tiny_folder):
    check_plain_diffusers(tiny_folder)


def test_plain_diffusers_loads_the_pocket(pocket):
    check_plain_diffusers(POCKET)


def test_export_keeps_the_weights_to_half_precision(tiny, tiny_parts):
    for part in ("vae", "unet", "text_encoder"):
        original = tiny_parts[part].state_dict()
        for name, weight in getattr(tiny, part).state_dict().items():
            assert torch.equal(weight, original[name].half().to(weight.dtype)), name


def test_export_writes_the_articles_scheduler(tiny):
    config = tiny.scheduler.config
    assert (config.beta_start, config.beta_end) == (0.00085, 0.012)
    assert (config.beta_schedule, config.timestep_spacing) == ("scaled_linear", "leading")
    assert (config.steps_offset, config.skip_prk_steps, config.set_alpha_to_one) == (1, True, False)
    assert config.clip_sample is False


def test_export_names_no_other_folder(tiny_folder):
    for file in tiny_folder.rglob("*.json"):
        assert "_name_or_path" not in file.read_text("utf-8")


def test_the_bundled_files_are_all_checked(pocket):
    files = {f.relative_to(POCKET).as_posix() for f in POCKET.rglob("*") if f.is_file()}
    listed = set(json.loads((POCKET / "checksums.json").read_text()))
    assert files == listed | {"checksums.json", "README.md"}
    assert sum(os.path.getsize(POCKET / name) for name in files) < 96 * 2**20
    check_folder(POCKET)


def test_card_shows_the_judges_figures():
    from course_utils.training.export import model_card

    card = model_card({"vae_psnr": 25.5, "prompt_accuracy": {"color": 0.8125}})
    assert "| vae psnr | 25.5 |" in card
    assert "| prompt accuracy: color | 0.8125 |" in card
    assert "Not judged yet" in model_card({})
    assert "{" not in card.replace("{figures}", "{")


# Another model in the notebooks


def test_a_model_that_is_not_the_bundled_one_is_the_real_one(tiny, monkeypatch):
    monkeypatch.setattr(hub, "cached_copy", None)
    assert models.find_real(tiny) is tiny


@pytest.mark.parametrize(
    ("task", "call"),
    [("text-to-image", "load('sd-2.1')"), ("inpaint", "load('sd-2.1', task='inpaint')")],
)
def test_one_line_says_why_there_is_no_real_model(pocket, monkeypatch, capsys, task, call):
    monkeypatch.setattr(hub, "fetch", None)  # nothing is downloaded
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, 16 * GB))
    assert models.find_real(pocket, task) is None
    [line] = capsys.readouterr().out.splitlines()
    assert line == (
        f"Not run here: sd-2.1 is not on this machine. course_utils.{call} downloads it, once "
        "(about 5 GB)."
    )
    monkeypatch.setattr(models, "find_machine", lambda: Machine(16 * GB, False, 16 * GB))
    models.find_real(pocket, task)
    assert "(about 3 GB)" in capsys.readouterr().out


def in_cache(monkeypatch, folder, present):
    """Make the cache hold this model under one id."""

    def cached_copy(hub_id, parts, half):
        if hub_id != present:
            raise ModelError(f"{hub_id} is not in the cache")
        return Copy(hub_id, folder, None)

    monkeypatch.setattr(hub, "cached_copy", cached_copy)
    monkeypatch.setattr(hub, "fetch", None)


def test_a_real_model_is_taken_from_the_cache(pocket, tiny_folder, monkeypatch, capsys):
    in_cache(monkeypatch, tiny_folder, models.HUB_IDS["sd-2.1"]["inpaint_unet"][1])
    found = models.find_real(pocket, "inpaint")
    assert found.unet.config.in_channels == 9 and not found.unet.training
    assert DEFAULTS not in found.scheduler.config
    assert capsys.readouterr().out.startswith("sd-2.1: stabilityai/stable-diffusion-2-inpainting")
    assert models.find_real(pocket, "img2img") is None


def test_a_real_model_that_is_too_large_is_one_line(pocket, tiny_folder, monkeypatch, capsys):
    in_cache(monkeypatch, tiny_folder, models.HUB_IDS["sd-2.1"]["unet"][0])
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, 10**6))
    monkeypatch.setattr(models, "count_parameters", lambda *_: SD21)
    assert models.find_real(pocket) is None
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Not run here: The model needs about 6.5 GB of memory")


def test_a_large_model_on_the_cpu_gets_all_threads(tiny_folder, monkeypatch):
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, 16 * GB))
    monkeypatch.setattr(models, "THREADS", 3)
    torch.set_num_threads(1)
    try:
        load(str(tiny_folder))
        assert torch.get_num_threads() == 1
        monkeypatch.setattr(models, "count_parameters", lambda *_: SD21)
        load(str(tiny_folder))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


def test_models_to_choose_from(monkeypatch):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    assert models.choices() == ["pocket", "sd-2.1", "sd-1.5"]
    assert models.choices("depth2img") == ["pocket", "sd-2.1"]
    monkeypatch.setenv("COURSE_MODEL", "usb/sd")
    assert models.choices() == ["pocket", "sd-2.1", "sd-1.5", "usb/sd"]
    monkeypatch.setenv("COURSE_MODEL", "sd-1.5")
    assert models.choices() == ["pocket", "sd-2.1", "sd-1.5"]


@pytest.mark.parametrize(
    ("name", "memory", "said"),
    [
        ("pocket", 16, "pocket needs nothing: it comes with the course."),
        ("usb/sd", 16, "usb/sd is loaded from there."),
        ("sd-2.1", 16, "sd-2.1 is downloaded once (about 5 GB), and runs on cpu in float32, about"),
        ("sd-2.1", 4, "sd-2.1: The model needs about 6.5 GB of memory, this machine has 4.0 GB."),
    ],
)
def test_a_choice_says_what_it_needs(monkeypatch, name, memory, said):
    monkeypatch.setenv("COURSE_MODEL", "")  # so that it is put back
    monkeypatch.setattr(models, "find_machine", lambda: Machine(None, False, memory * GB))
    monkeypatch.setattr(hub, "fetch", None)
    line = models.choose(name)
    assert line.startswith(said) and line.endswith(
        " Now run the notebook again from its first cell."
    )
    assert "\n" not in line and os.environ["COURSE_MODEL"] == name


def test_a_choice_that_is_here_says_so(monkeypatch, tiny_folder):
    monkeypatch.setenv("COURSE_MODEL", "")
    in_cache(monkeypatch, tiny_folder, "stable-diffusion-v1-5/stable-diffusion-v1-5")
    said = models.choose("sd-1.5")
    assert "sd-1.5 is on this machine (stable-diffusion-v1-5/stable-diffusion-v1-5)." in said


def test_the_segmenter_goes_with_the_model(tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    bundled = models.load_segmenter()
    assert capsys.readouterr().out == ""
    home = Path(shutil.copytree(tiny_folder, tmp_path / "home"))
    monkeypatch.setenv("COURSE_MODEL", str(home))
    same = models.load_segmenter()
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{home} has no segmenter. This is the bundled one")
    shutil.copytree(POCKET / "segmenter", home / "segmenter")
    weight = "decoder.film_mul.bias"
    wanted = bundled.model.state_dict()[weight]
    assert torch.equal(same.model.state_dict()[weight], wanted)
    file = home / "segmenter" / "model.safetensors"
    weights = load_file(file)
    save_file(weights | {weight: weights[weight] + 1}, file, metadata={"format": "pt"})
    own = models.load_segmenter()
    assert torch.equal(own.model.state_dict()[weight], (weights[weight] + 1).float())
    assert capsys.readouterr().out == ""
    assert torch.equal(models.load_segmenter("pocket").model.state_dict()[weight], wanted)
