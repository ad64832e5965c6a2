"""The command and the function that draw: diffusers' own picture, or one clear sentence."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

import course_utils.__main__
from course_utils import models
from course_utils.__main__ import main
from course_utils.drawing import (
    GUIDANCE,
    MAX_STEPS,
    SCHEDULER,
    SCHEDULERS,
    STEPS,
    draw,
    known_words,
    make_scheduler,
    parse_size,
    unknown_words,
)
from course_utils.training import evaluate
from course_utils.training.judge import load_judge

ROOT = Path(__file__).parents[1]
LONG = " ".join(["a small robot on a park bench"] * 71 + ["a wave breaking"])


@pytest.fixture
def run(tiny_folder, tmp_path, monkeypatch, capsys):
    """Run `draw` with the tiny model in place of the bundled one.

    Returns a function: arguments → (exit status, standard error).
    """
    monkeypatch.setattr(models, "POCKET", tiny_folder)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        try:
            main(["draw", *arguments])
            status = 0
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        assert out == ""
        return status, err

    return run


def check_sentence(status: int, message: str, words: list[str]):
    assert status == 2
    assert message.startswith("course_utils")
    assert message.count("\n") == 1 and message.endswith("\n")
    assert "Traceback" not in message
    assert all(word in message for word in words), message


# the picture


def same_as_diffusers(folder: Path, ours: Image.Image, scheduler: str = SCHEDULER) -> bool:
    """Whether plain diffusers draws the same pixels: 4 steps, guidance 5, seed 3."""
    plain = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    plain.scheduler = make_scheduler(scheduler, plain.scheduler)
    plain.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    theirs = plain("a wave breaking", num_inference_steps=4, guidance_scale=5, generator=generator)
    return np.array_equal(ours, theirs.images[0])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_draw_is_diffusers_own_picture(tiny, tiny_folder, scheduler):
    ours = draw(tiny, "a wave breaking", steps=4, seed=3, scheduler=scheduler)
    assert same_as_diffusers(tiny_folder, ours, scheduler)


def test_draw_with_the_pocket_is_diffusers_own_picture(pocket):
    ours = draw(pocket, "a wave breaking", steps=4, seed=3)
    assert same_as_diffusers(models.POCKET, ours)


def check_picture(picture, subject: str, **others: str):
    """It shows what was asked for, and its colours have not run away to black and white."""
    drawn = np.asarray(picture)
    seen = load_judge().names(drawn[None])[0]
    assert {"subject": subject, **others}.items() <= seen.items()
    assert ((drawn < 4) | (drawn > 251)).mean() < 0.1


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_s_command_draws_what_it_says(readme, tmp_path, monkeypatch):
    text = (ROOT / readme).read_text("utf-8")
    arguments = shlex.split(re.search(r"-m course_utils (draw .*)", text)[1])
    assert "a small robot sitting on a park bench" in arguments
    monkeypatch.chdir(tmp_path)
    main(arguments)
    check_picture(Image.open("robot.png"), "robot", place="park bench")


@pytest.mark.parametrize("card", ["pocket/README.md", "training/card.md"])
@pytest.mark.parametrize("seed", range(2))
def test_the_model_card_s_example_draws_what_it_says(card, seed, monkeypatch):
    text = (ROOT / "course_utils" / card).read_text("utf-8")
    example = r"```python\n(.*)\n(pipe\(.*\.images\[0\])\n```"
    code, call = re.search(example, text, re.DOTALL).groups()
    monkeypatch.chdir(ROOT)
    names = {}
    exec(code, names)
    names["pipe"].set_progress_bar_config(disable=True)
    torch.manual_seed(seed)
    check_picture(eval(call, names), "man", place="park bench", style="oil painting")


def test_the_usual_settings_are_those_of_the_card_s_figures():
    measured = evaluate.SAMPLER, evaluate.STEPS, evaluate.GUIDANCE
    assert measured == (SCHEDULER, STEPS, GUIDANCE)


def test_help_says_why_the_settings_are_not_stable_diffusion_s(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["draw", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "denoising steps (25)" in said and "guidance scale (5)" in said and "(dpm++)" in said
    assert "Why not PNDM, 30 steps and guidance 8" in said


def test_draw_leaves_the_pipeline_as_it_was(tiny):
    before = dict(tiny.components), dict(tiny.config)
    draw(tiny, "a wave", steps=1, scheduler="euler", size=(64, 72))
    assert (dict(tiny.components), dict(tiny.config)) == before


def test_every_argument_changes_the_picture(tiny):
    usual = {"prompt": "a wave breaking", "steps": 3}
    others = [
        {},
        {"prompt": "a small robot"},
        {"negative": "a bench"},
        {"steps": 5},
        {"guidance": 1.0},
        {"seed": 1},
        {"scheduler": "euler"},
        {"size": (64, 128)},
    ]
    pictures = {draw(tiny, **usual | other).tobytes() for other in others}
    assert len(pictures) == len(others)


@pytest.mark.parametrize("size", [(64, 512), (72, 104), (512, 64)])
def test_allowed_sizes_are_drawn(tiny, size):
    assert draw(tiny, "a wave", steps=1, size=size).size == size


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 2, MAX_STEPS])
def test_allowed_steps_stay_on_the_schedule(tiny, scheduler, steps):
    made = make_scheduler(scheduler, tiny.scheduler)
    made.set_timesteps(steps)
    assert made.timesteps.min() >= 0 and made.timesteps.max() < 1000
    if steps <= 2:
        draw(tiny, "a wave", steps=steps, scheduler=scheduler)


def test_seeds_and_guidance_at_their_ends_are_drawn(tiny):
    for options in ({"seed": 2**63 - 1}, {"guidance": 0}, {"guidance": 100}):
        draw(tiny, "a wave", steps=1, **options)


def test_command_writes_the_same_picture(run, tiny, tmp_path):
    arguments = ["a wave", "--negative", "a bench", "--steps", "2", "--guidance", "3", "--seed"]
    arguments += ["5", "--scheduler", "lms", "--size", "64x72", "-o", "wave.PNG"]
    assert run(*arguments) == (0, "")
    ours = draw(tiny, "a wave", "a bench", 2, 3.0, 5, "lms", (64, 72))
    with Image.open(tmp_path / "wave.PNG") as written:
        assert written.format == "PNG"
        assert np.array_equal(written, ours)


def test_command_warns_of_unknown_words_and_draws(run, tmp_path):
    status, message = run("a flooble wave, 猫!", "--steps", "1")
    assert status == 0
    assert message == "course_utils draw: never seen in training: flooble, 猫\n"
    assert (tmp_path / "out.png").exists()


def test_command_in_a_process_of_its_own(tiny_folder, tmp_path):
    command = [sys.executable, "-m", "course_utils", "draw", "a wave", "--steps", "2", "-o"]
    command += [tmp_path / "out.png", "--scheduler", "lms", "--model", tiny_folder]
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    offline = os.environ | {"HF_HUB_OFFLINE": "1"} | one_thread
    done = subprocess.run(command, cwd=ROOT, env=offline, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Image.open(tmp_path / "out.png") as picture:
        torch.set_num_threads(1)  # as in the other process: the count changes the last bits
        expected = draw(models.load(str(tiny_folder)), "a wave", steps=2, scheduler="lms")
        assert np.array_equal(picture, expected)


def test_command_draws_with_the_usual_settings_unless_told_otherwise(run, tiny, tmp_path):
    assert run("a wave") == (0, "")
    with Image.open(tmp_path / "out.png") as picture:
        assert np.array_equal(picture, draw(tiny, "a wave", "", 25, 5.0, 0, "dpm++"))


@pytest.mark.parametrize(("words", "hurries"), [(None, True), (["draw", ""], False)])
def test_only_a_process_of_its_own_is_hurried(words, hurries, monkeypatch):
    """Without words main takes the process's own, and the process ends soon."""
    asked = []
    monkeypatch.setattr(course_utils.__main__, "hurry", lambda: asked.append(True))
    monkeypatch.setattr(sys, "argv", ["course-utils", "draw", ""])
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert bool(asked) == hurries


def test_a_mistake_is_answered_without_importing_torch(tmp_path):
    code = (
        "import sys; from course_utils.__main__ import main\n"
        "try: main(['draw', 'a wave', '--steps', '0'])\n"
        "except SystemExit as exit: print(exit.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert "steps must be a whole number from 1 to 998, not 0" in done.stderr


# what is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], ["prompt is empty", "'a wave breaking'"]),
        (["  \n"], ["prompt is empty"]),
        ([LONG], ["500 tokens", "reads 75", "would be lost"]),
        (["a wave", "--negative", LONG], ["The negative prompt has 500 tokens"]),
        (["ein Hündchen spielt"], ["knows no word", "'ein Hündchen spielt'", "bench, breaking"]),
        (["在公园长椅上的猫"], ["knows no word", "English"]),
        (["скамейка в парке"], ["knows no word"]),
        (["🌊 !?"], ["knows no word"]),
        (["a wave", "--size", "0"], ["0x0", "multiple of 8 from 64 to 512", "is 64x64"]),
        (["a wave", "--size", "7"], ["7x7", "is 64x64"]),
        (["a wave", "--size", "130"], ["130x130", "is 128x128"]),
        (["a wave", "--size", "4096"], ["4096x4096", "is 512x512"]),
        (["a wave", "--size", "128x130"], ["128x130", "is 128x128"]),
        (["a wave", "--size=-128"], ["-128x-128", "is 64x64"]),
        (["a wave", "--size", "big"], ["'big'", "WxH"]),
        (["a wave", "--size", "64x64x64"], ["'64x64x64'", "WxH"]),
        (["a wave", "--steps", "0"], ["from 1 to 998, not 0", "nearest is 1"]),
        (["a wave", "--steps", "-1"], ["from 1 to 998, not -1", "nearest is 1"]),
        (["a wave", "--steps", "1000"], ["not 1000", "nearest is 998"]),
        (["a wave", "--steps", "2.5"], ["--steps", "'2.5'"]),
        (["a wave", "--guidance", "nan"], ["from 0 to 100, not nan"]),
        (["a wave", "--guidance", "inf"], ["from 0 to 100, not inf"]),
        (["a wave", "--guidance", "-2"], ["not -2.0", "nearest is 0"]),
        (["a wave", "--guidance", "much"], ["--guidance", "'much'"]),
        (["a wave", "--seed", "-1"], ["seed must be", "nearest is 0"]),
        (["a wave", "--seed", str(2**64)], ["seed must be"]),
        (["a wave", "--scheduler", "plms"], ["Unknown scheduler 'plms'", "pndm", "dpm++"]),
        (["a wave", "--model", "sd-5"], ["Unknown model 'sd-5'", "pocket, sd-2.1, sd-1.5"]),
        (["a wave", "-o", "no/where/out.png"], ["no/where/out.png", "No such file"]),
        (["a wave", "-o", "/proc/out.png"], ["/proc/out.png"]),
        (["a wave", "-o", "."], ["'.' must be a .png file"]),
        (["a wave", "-o", "out.gif"], ["'out.gif' must be a .png file"]),
        (["a wave", "-o", "folder.png"], ["'folder.png'", "directory"]),
        ([], ["prompt"]),
        (["a wave", "--stepps", "3"], ["--stepps"]),
    ],
)
def test_command_refuses(run, tmp_path, arguments, words):
    (tmp_path / "folder.png").mkdir()
    check_sentence(*run(*arguments), words)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def flip(file: Path):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(("damage", "word"), [(flip, "damaged"), (Path.unlink, "missing")])
def test_command_refuses_a_damaged_model(run, tiny_folder, tmp_path, monkeypatch, damage, word):
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "model"))
    monkeypatch.setattr(models, "POCKET", folder)
    damage(folder / "unet" / "diffusion_pytorch_model.safetensors")
    expected = [f"unet/diffusion_pytorch_model.safetensors is {word}", "git checkout"]
    check_sentence(*run("a wave"), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": None}, "one string, not NoneType"),
        ({"prompt": ["a wave"]}, "one string, not list"),
        ({"steps": True}, "steps must be a whole number"),
        ({"steps": "30"}, "not '30'"),
        ({"steps": 2.0}, "not 2.0"),
        ({"guidance": float("nan")}, "not nan"),
        ({"guidance": None}, "not None"),
        ({"seed": 0.5}, "seed must be"),
        ({"scheduler": "PNDMScheduler"}, "Unknown scheduler"),
        ({"size": (64, 130)}, "nearest is 64x128"),
        ({"size": (0, 0)}, "nearest is 64x64"),
    ],
)
def test_draw_refuses(tiny, options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        draw(tiny, **{"prompt": "a wave"} | options)


def test_draw_takes_numpy_numbers(tiny):
    draw(tiny, "a wave", steps=np.int64(1), guidance=np.float32(2), seed=np.int64(1))


# words


def test_known_words_are_those_of_training(tiny):
    words = ["a", "bench", "breaking", "on", "park", "robot", "small", "wave"]
    assert known_words(tiny) == words


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("A Wave, breaking!", []),
        ("a flooble wave", ["flooble"]),
        ("a waves", ["waves"]),
        ("a wave 3", ["3"]),
        ("猫 on a bench", ["猫"]),
        ("", []),
    ],
)
def test_unknown_words(tiny, prompt, unknown):
    assert unknown_words(tiny, prompt) == unknown


def test_a_model_with_every_row_trained_knows_every_word(tiny):
    weight = tiny.text_encoder.get_input_embeddings().weight
    before = weight.data.clone()
    try:
        weight.data.fill_(1)
        assert unknown_words(tiny, "flooble xyzzy") == []
    finally:
        weight.data.copy_(before)


def test_the_pocket_knows_the_articles_words(pocket):
    prompts = [
        "a wave breaking",
        "an oil painting of a man on a bench",
        "a small robot, high resolution, sitting on a park bench",
        "a palette knife painting of a winter cityscape",
    ]
    assert [unknown_words(pocket, prompt) for prompt in prompts] == [[]] * 4


@pytest.mark.parametrize(("text", "size"), [("128", (128, 128)), ("64X128", (64, 128))])
def test_parse_size(text, size):
    assert parse_size(text) == size
