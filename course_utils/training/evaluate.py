"""How good is the pocket model? Its figures, measured on pictures and prompts it never saw.

    python -m course_utils.training.evaluate [folder of a model]

Writes a table, and `build/evaluate.json`.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from rich.console import Console
from rich.table import Table
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tqdm.auto import tqdm

from course_utils.drawing import make_scheduler
from course_utils.models import POCKET, POCKET_THREADS
from course_utils.training.attributes import CLASSES, scene_classes
from course_utils.training.data import world_pictures
from course_utils.training.judge import FLOOR, Judge, held_out_accuracy, load_judge, right
from course_utils.training.report import write_json
from course_utils.training.vae import to_model
from course_utils.world import HELD_OUT, Sample, sample

REPORT = Path("build/evaluate.json")
PROMPTS, FEWER, BATCH = 240, 64, 8
SAMPLER = "dpm++"  # PNDM, the model's default, needs more steps where guidance is strong
STEPS, GUIDANCE, GUIDANCES = 25, 5.0, (1.0, 3.0, 5.0, 8.0)
PROMPT_SEEDS = HELD_OUT + 1_000_000  # clear of the renders that judge the judge


def held_out_prompts(count: int, unseen: bool = False) -> list[Sample]:
    """Scenes no training program has seen, with captions that leave nothing out.

    Args:
        count: how many.
        unseen: only scenes with one of the UNSEEN_PAIRS.
    """
    seeds = range(PROMPT_SEEDS, PROMPT_SEEDS + count)
    return [sample(seed, unseen, partial=False) for seed in seeds]


def draw(pipe: StableDiffusionPipeline, prompts: list[str], guidance: float, steps: int = STEPS):
    """Draw one picture for each prompt, each from its own seed; (N, 128, 128, 3) uint8."""
    pictures = []
    for first in tqdm(range(0, len(prompts), BATCH), f"guidance {guidance:g}", mininterval=10):
        part = prompts[first : first + BATCH]
        seeds = [torch.Generator().manual_seed(first + i) for i in range(len(part))]
        drawn = pipe(
            part,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=seeds,
            output_type="np",
        )
        pictures.append((255 * drawn.images).round().astype(np.uint8))
    return np.concatenate(pictures)


def prompt_accuracy(pipe, judge: Judge, samples: list[Sample], guidance: float) -> dict[str, float]:
    """Share of pictures in which the judge sees what the prompt asked for, by attribute."""
    pictures = draw(pipe, [s.caption for s in samples], guidance)
    return right(judge.classes(pictures), scene_classes([asdict(s.scene) for s in samples]))


@torch.no_grad()
def vae_quality(vae, pictures: np.ndarray) -> dict[str, float]:
    """Round trip of pictures (N, 128, 128, 3) uint8: mean PSNR in decibels and mean SSIM."""
    psnr, ssim = [], []
    for i in range(0, len(pictures), 16):
        x = pictures[i : i + 16]
        y = vae.decode(vae.encode(to_model(x)).latent_dist.mode()).sample
        y = (255 * (y / 2 + 0.5).clamp(0, 1)).round().byte().permute(0, 2, 3, 1).numpy()
        for a, b in zip(x, y, strict=True):
            psnr.append(peak_signal_noise_ratio(a, b))
            ssim.append(structural_similarity(a, b, channel_axis=-1))
    return {"vae_psnr": float(np.mean(psnr)), "vae_ssim": float(np.mean(ssim))}


def seconds_per_image(pipe, steps: int = 30, guidance: float = 8.0) -> float:
    """Median time of five single pictures, the first one thrown away."""
    times = []
    for seed in range(6):
        start = time.perf_counter()
        pipe(
            "a dog on a park bench",
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator().manual_seed(seed),
        )
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))


def evaluate(folder: Path = POCKET, prompts: int = PROMPTS) -> dict:
    """Measure a model; raises RuntimeError where the judge is not fit to judge."""
    judge = load_judge()
    judged, judged_unseen = (held_out_accuracy(judge, unseen=unseen) for unseen in (False, True))
    if min(*judged.values(), *judged_unseen.values()) < FLOOR:
        raise RuntimeError(
            f"the judge is right on held-out renders in {judged}, on pairs kept from the model in "
            f"{judged_unseen}; every attribute needs {FLOOR}. "
            "Train it longer: python -m course_utils.training.judge"
        )
    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(SAMPLER, pipe.scheduler)
    samples = held_out_prompts(prompts)
    renders = world_pictures(Path("build/train"), 2000, first=HELD_OUT).pictures
    few = samples[:FEWER]  # enough to see what guidance does
    guided = {g: prompt_accuracy(pipe, judge, few, g) for g in GUIDANCES}
    return {
        "judge": judged,
        "judge_unseen_pairs": judged_unseen,
        **vae_quality(pipe.vae, renders[:256]),
        "prompts": prompts,
        "prompt_accuracy": prompt_accuracy(pipe, judge, samples, GUIDANCE),
        "guidance": {f"{g:g}": shares for g, shares in guided.items()},
        "unseen_pairs": prompt_accuracy(
            pipe, judge, held_out_prompts(FEWER, unseen=True), GUIDANCE
        ),
        "seconds_per_image": seconds_per_image(pipe),
    }


def print_report(report: dict) -> None:
    """The figures as a table."""
    table = Table(title="The pocket model, judged")
    table.add_column("share of pictures with the right …")
    for name in CLASSES:
        table.add_column(name, justify="right")
    rows = {f"{report['prompts']} prompts": report["prompt_accuracy"]}
    rows |= {f"guidance {g}": shares for g, shares in report["guidance"].items()}
    rows |= {
        "unseen pairs": report["unseen_pairs"],
        "judge on renders": report["judge"],
        "judge on unseen pairs": report["judge_unseen_pairs"],
    }
    for title, shares in rows.items():
        table.add_row(title, *(f"{shares[name]:.3f}" for name in CLASSES))
    console = Console(width=110)
    console.print(table)
    console.print(
        f"VAE round trip {report['vae_psnr']:.2f} dB, SSIM {report['vae_ssim']:.3f}; "
        f"{report['seconds_per_image']:.2f} s a picture"
    )


if __name__ == "__main__":
    torch.set_num_threads(POCKET_THREADS)
    figures = evaluate(Path(sys.argv[1]) if len(sys.argv) > 1 else POCKET)
    write_json(REPORT, figures)
    print_report(figures)
