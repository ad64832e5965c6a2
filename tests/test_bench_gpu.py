"""The benchmark for a GPU, small and on the CPU."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import bench_gpu  # noqa: E402

SMALL = ["--device", "cpu", "--model", "tiny", "--size", "64", "--steps", "2", "--budget", "999"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small a model is faster on it."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def job():
    """The tiny model's, untreated; treatments are taken back."""
    return bench_gpu.Job(bench_gpu.make_pipe("tiny", "cpu", torch.float32), 64, 2)


def run(capsys, *more: str) -> tuple[int, str]:
    code = bench_gpu.main([*SMALL, *more])
    return code, capsys.readouterr().out


def test_rows_are_printed_and_saved(capsys, tmp_path):
    code, out = run(capsys, "--json", str(tmp_path / "figures.json"))
    report = json.loads((tmp_path / "figures.json").read_text())
    assert code == 0
    assert [row["treatment"] for row in report["rows"]] == ["plain", "channels-last"]
    assert all(row["latents_equal"] and row["pictures_equal"] for row in report["rows"])
    assert all(min(row["ms"]) > 0 and min(row["seconds"]) > 0 for row in report["rows"])
    assert set(report["left_out"]) == {"cuda-graphs", "best"}
    assert report["unet_calls"] == 3 and report["floor_ms"] > 0
    assert "\nplain " in out and "\nchannels-last " in out and " NO" not in out
    assert "cuda-graphs   left out: CUDA graphs need a CUDA GPU" in out


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_ours_and_theirs_are_equal_in_half_precision(capsys, precision):
    code, out = run(capsys, "--precision", precision, "--treatments", "plain")
    assert code == 0 and "yes     yes" in out


def test_a_difference_is_noticed(capsys, monkeypatch):
    guide = bench_gpu.pipeline.guide
    monkeypatch.setattr(bench_gpu.pipeline, "guide", lambda eps, g: guide(eps, g + 1))
    code, out = run(capsys, "--treatments", "plain")
    assert code == 1 and "NO      NO" in out


def test_numbers_that_say_nothing_are_no_row(capsys, monkeypatch):
    guide = bench_gpu.pipeline.guide
    monkeypatch.setattr(bench_gpu.pipeline, "guide", lambda eps, g: guide(eps, g) * torch.nan)
    code, out = run(capsys, "--treatments", "plain,channels-last")
    assert code == 1 and out.count("failed: ValueError: the latents are not finite") == 2


def test_after_the_budget_no_row_begins(capsys):
    code, out = run(capsys, "--budget", "0")
    assert code == 0 and "plain         left out: " in out and "the budget is 0 s" in out


def test_without_cuda_one_sentence_says_what_to_do(capsys, monkeypatch):
    program = ROOT / "benchmarks" / "bench_gpu.py"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.chdir(ROOT.parent)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(program), run_name="__main__")
    out, err = capsys.readouterr()
    assert stopped.value.code == 1 and not out
    assert err.strip() == bench_gpu.NO_CUDA and "--device cpu" in bench_gpu.NO_CUDA


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--treatments", "plain,magic"), "no such treatment: magic. Choose of: plain,"),
        (("--size", "100"), "multiple of 64, got 100"),
        (("--steps", "0"), "1 or more, got 0"),
    ],
)
def test_bad_options_are_refused(capsys, more, message):
    with pytest.raises(SystemExit):
        bench_gpu.main([*SMALL, *more])
    assert message in capsys.readouterr().err


def test_a_guided_step_of_the_real_model_takes_1_61_tflop():
    assert bench_gpu.flops_per_step("sd-2.1", 512) / 1e12 == pytest.approx(1.61, abs=0.005)


def test_the_treatments_without_their_compiler(job, monkeypatch):
    """All but torch.compile itself, which takes a minute here: ours equals theirs."""
    modes = []

    def fake(function, mode):
        modes.append(mode)
        return function

    monkeypatch.setattr(torch, "compile", fake)
    own = dict(job.pipe.unet.named_modules()).keys()
    for treatment in bench_gpu.TREATMENTS:
        row, _ = bench_gpu.measure(job, treatment, 1.0, None)
        assert row.latents_equal and row.pictures_equal
    assert modes == ["default", "reduce-overhead", "reduce-overhead"]
    assert "forward" not in vars(job.pipe.unet)
    assert own <= dict(job.pipe.unet.named_modules()).keys()


def test_a_treatment_is_taken_back(job):
    right = bench_gpu.ours(job)
    weight = job.pipe.unet.conv_in.weight
    with bench_gpu.treated(job, "channels-last"):
        assert weight.is_contiguous(memory_format=torch.channels_last)
    assert weight.is_contiguous()
    assert np.array_equal(bench_gpu.ours(job), right)


def test_cached_prompts_change_nothing(job):
    context = bench_gpu.pipeline.embed(job.pipe, [bench_gpu.PROMPT], bench_gpu.NEGATIVE)
    cached = job._replace(cached=context)
    for form in (bench_gpu.ours, bench_gpu.theirs):
        assert torch.equal(form(cached, latents=True), form(job, latents=True))


def test_a_run_is_timed_from_part_to_part(job):
    one = bench_gpu.draw(bench_gpu.ours, job)
    assert 0 < one.step * 3 < one.picture
    assert one.pixels.shape == (64, 64, 3) and one.pixels.dtype == np.uint8
