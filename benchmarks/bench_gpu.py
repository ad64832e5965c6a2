"""The real architecture on a GPU: our loop against diffusers' pipeline, form by form.

    make bench-gpu

Stable Diffusion 2.1 with random weights (nothing is downloaded), 512×512, 50 steps, float16. Each
treatment of the UNet is given to our loop and to diffusers' StableDiffusionPipeline, which run on
the very same modules, in turn. Printed of each: milliseconds per guided step (one call of the UNet
on two latents; PNDM makes one call more than steps), the share of the floor below which no form
can come, seconds per picture from the prompt to the pixels, and memory.

The floor: the operations of a guided step, counted on the meta device, at the rate of the largest
matrix products that this device was seen to make.

    python benchmarks/bench_gpu.py --device cpu --model tiny --size 64 --steps 2
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where nothing is installed

import diffusers
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import pipeline
from course_utils.errors import first_line
from course_utils.models import POCKET, part_config, quiet

with quiet():
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

PROMPT, NEGATIVE = "a small robot sitting on a park bench", "blurry"
GUIDANCE = 7.5
PAIRS = 3
BUDGET = 150  # seconds; the last row may begin just before
TOKENS = 77  # length of a prompt once padded
SIDES = {"cuda": 8192, "cpu": 256}  # of the matrices whose product is timed
TINY = {  # the same kinds of layers, hardly any of them
    "unet": {
        "sample_size": 16,
        "block_out_channels": [8, 8],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": 8,
        "attention_head_dim": 2,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    },
    "vae": {
        "block_out_channels": [4, 4, 8, 8],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    "text_encoder": {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    },
}
NO_CUDA = (
    "This benchmark needs a CUDA GPU, and torch finds none here; to try it small without one: "
    "python benchmarks/bench_gpu.py --device cpu --model tiny --size 64 --steps 2"
)


class Job(NamedTuple):
    """What is drawn, and with what.

    Attributes:
        pipe: both loops run on its modules.
        size: side of the picture in pixels.
        steps: of the scheduler.
        cached: the embedded prompts, (2, L, D), the negative one first; None to embed them anew.
    """

    pipe: StableDiffusionPipeline
    size: int
    steps: int
    cached: Tensor | None = None


class Run(NamedTuple):
    """One picture and what it took.

    Attributes:
        step: seconds per call of the UNet, in the loop alone.
        picture: seconds from the prompt to the pixels.
        pixels: (H, W, 3) uint8.
        memory: bytes of the device at the worst moment; 0 on the CPU.
    """

    step: float
    picture: float
    pixels: np.ndarray
    memory: int


@dataclass
class Row:
    """One treatment, measured; the pairs are (ours, theirs).

    Attributes:
        ms: milliseconds per guided step, medians.
        ratio: ours / theirs, the median over the pairs.
        floor: ms over the floor's milliseconds.
        seconds: per picture, medians.
        memory: GiB at the worst moment.
        latents_equal, pictures_equal: ours and theirs, bit for bit.
        from_plain: how far our picture is from that of the first row, in steps of 255.
        ready: seconds for the treatment and the first pictures: compilation, mostly.
    """

    treatment: str
    ms: tuple[float, float]
    ratio: float
    floor: tuple[float, float]
    seconds: tuple[float, float]
    memory: tuple[float, float]
    latents_equal: bool
    pictures_equal: bool
    from_plain: int
    ready: float


@dataclass
class Report:
    """Everything that was measured, as it stands in the JSON file."""

    device: str
    torch: str
    diffusers: str
    model: str
    size: int
    steps: int
    precision: str
    unet_calls: int
    tflop_per_step: float
    matmul_tflops: float
    floor_ms: float
    rows: list[Row] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


# ---- the model


def part(model: str, name: str) -> dict:
    """The configuration of one part of the real architecture, or of the tiny one."""
    return TINY[name] if model == "tiny" else part_config(model, name)


def make_pipe(model: str, device: str, dtype: torch.dtype) -> StableDiffusionPipeline:
    """The pipeline with random weights, made where it will run.

    Layers start as torch starts them: small enough that the numbers stay finite in float16.
    """
    torch.manual_seed(0)
    with quiet():
        with torch.device(device), default_dtype(dtype):
            networks = {
                "unet": UNet2DConditionModel.from_config(part(model, "unet")),
                "vae": AutoencoderKL.from_config(part(model, "vae")),
                "text_encoder": CLIPTextModel(
                    CLIPTextConfig.from_dict(part(model, "text_encoder"))
                ),
            }
        for network in networks.values():
            network.eval().requires_grad_(False).to(dtype=dtype)
    return assemble(networks)


def assemble(networks: dict[str, nn.Module]) -> StableDiffusionPipeline:
    """Networks, and the bundled model's tokenizer and scheduler, as one pipeline."""
    pipe = StableDiffusionPipeline(
        **networks,
        tokenizer=CLIPTokenizer.from_pretrained(POCKET / "tokenizer"),
        scheduler=diffusers.PNDMScheduler.from_pretrained(POCKET / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """New tensors of floats have this precision, for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


# ---- the floor


def flops_per_step(model: str, size: int) -> int:
    """Floating point operations of one guided step: the UNet on two latents.

    Args:
        size: side of the picture in pixels.
    """
    with quiet(), torch.device("meta"):
        unet = UNet2DConditionModel.from_config(part(model, "unet")).eval()
        side = size // pipeline.FACTOR
        z = torch.empty(2, unet.config.in_channels, side, side)
        c = torch.empty(2, TOKENS, unet.config.cross_attention_dim)
        with FlopCounterMode(display=False) as counter:
            unet(z, 1, c)
    return counter.get_total_flops()


def matmul_rate(device: str, dtype: torch.dtype, tries: int = 10) -> float:
    """Operations per second of the best of a few large matrix products."""
    side = SIDES[device]
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(tries + 1):  # the first warms up
        start = now(device)
        a @ b
        seconds.append(now(device) - start)
    return 2 * side**3 / min(seconds[1:])


# ---- the two loops


def ours(job: Job, latents: bool = False) -> Tensor | np.ndarray:
    """The course's loop: the picture, (H, W, 3) uint8, or its latents, (1, C, h, w)."""
    embed = pipeline.embed if job.cached is None else lambda *_: job.cached
    with patch.object(pipeline, "embed", embed):
        z = pipeline.text_to_image(
            job.pipe,
            PROMPT,
            NEGATIVE,
            num_inference_steps=job.steps,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(0),
            height=job.size,
            width=job.size,
        )
    return z if latents else np.asarray(pipeline.decode(job.pipe, z)[0])


def theirs(job: Job, latents: bool = False) -> Tensor | np.ndarray:
    """diffusers' pipeline: the picture, (H, W, 3) uint8, or its latents, (1, C, h, w)."""
    words = {"prompt": PROMPT, "negative_prompt": NEGATIVE}
    if job.cached is not None:
        u, c = job.cached.chunk(2)
        words = {"prompt_embeds": c, "negative_prompt_embeds": u}
    made = job.pipe(
        **words,
        num_inference_steps=job.steps,
        guidance_scale=GUIDANCE,
        generator=torch.Generator().manual_seed(0),
        height=job.size,
        width=job.size,
        output_type="latent" if latents else "pil",
    ).images
    return made if latents else np.asarray(made[0])


# ---- what is done to both


def channels_last(pipe: StableDiffusionPipeline, _: ExitStack) -> None:
    """The UNet's weights and activations with the channels of a pixel side by side."""
    pipe.unet.to(memory_format=torch.channels_last)


def compiled(pipe: StableDiffusionPipeline, stack: ExitStack) -> None:
    """channels-last, and the UNet through torch.compile."""
    channels_last(pipe, stack)
    stack.enter_context(compiled_unet(pipe.unet, "default"))


def cuda_graphs(pipe: StableDiffusionPipeline, stack: ExitStack) -> None:
    """channels-last, and the UNet through torch.compile, replayed as one CUDA graph."""
    channels_last(pipe, stack)
    stack.enter_context(compiled_unet(pipe.unet, "reduce-overhead"))


def best(pipe: StableDiffusionPipeline, stack: ExitStack) -> None:
    """All that helps: CUDA graphs, one product for query, key and value, a channels-last VAE; the
    prompts are embedded beforehand."""
    pipe.unet.fuse_qkv_projections()
    stack.callback(pipe.unet.unfuse_qkv_projections)
    pipe.vae.to(memory_format=torch.channels_last)
    cuda_graphs(pipe, stack)


TREATMENTS: dict[str, Callable[[StableDiffusionPipeline, ExitStack], None]] = {
    "plain": lambda pipe, stack: None,
    "channels-last": channels_last,
    "compiled": compiled,
    "cuda-graphs": cuda_graphs,
    "best": best,
}
GRAPHS = ("cuda-graphs", "best")


@contextmanager
def treated(job: Job, treatment: str) -> Iterator[Job]:
    """A job with a treatment, which is taken back afterwards."""
    pipe = job.pipe
    with ExitStack() as stack:
        stack.callback(forget)
        for network in (pipe.unet, pipe.vae):
            stack.callback(network.to, memory_format=torch.contiguous_format)
        TREATMENTS[treatment](pipe, stack)
        with torch.no_grad():
            cached = pipeline.embed(pipe, [PROMPT], NEGATIVE) if treatment == "best" else None
        yield job._replace(cached=cached)


@contextmanager
def compiled_unet(unet: UNet2DConditionModel, mode: str) -> Iterator[None]:
    """One compiled network for both loops, for a while.

    The loops hand over the same numbers in different ways, for each of which torch would compile a
    network of its own: it takes twice as long and gives nobody anything. So here the arguments are
    first brought into one form.
    """
    run = torch.compile(unet.forward, mode=mode)

    def forward(sample, timestep, encoder_hidden_states, return_dict=True, **unused):
        assert not any(value is not None for value in unused.values()), unused
        torch.compiler.cudagraph_mark_step_begin()
        with torch.inference_mode():
            eps = run(sample, timestep.to(sample.device), encoder_hidden_states, return_dict=False)
        return UNet2DConditionOutput(sample=eps[0]) if return_dict else eps

    with patch.object(unet, "forward", forward):
        yield


def forget() -> None:
    """Drop compiled code, its graphs, and the memory they hold."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


# ---- measuring


def now(device: str | torch.device) -> float:
    """Seconds on the clock, once the device has done what it was told."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def draw(form: Callable[[Job], np.ndarray], job: Job) -> Run:
    """Draw a picture and time it: the whole, and the loop between scheduler and VAE."""
    device, marks = job.pipe.device, []

    def noted(function: Callable) -> Callable:
        def call(*arguments, **options):
            marks.append(now(device))
            return function(*arguments, **options)

        return call

    scheduler, vae = job.pipe.scheduler, job.pipe.vae
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with (
        patch.object(scheduler, "set_timesteps", noted(scheduler.set_timesteps)),
        patch.object(vae, "decode", noted(vae.decode)),
    ):
        start = now(device)
        pixels = form(job)
        end = now(device)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return Run((marks[1] - marks[0]) / len(scheduler.timesteps), end - start, pixels, memory)


def draw_pair(job: Job, turn: int) -> tuple[Run, Run]:
    """Our run and theirs; who begins changes from turn to turn."""
    forms = (theirs, ours) if turn % 2 else (ours, theirs)
    runs = {form: draw(form, job) for form in forms}
    return runs[ours], runs[theirs]


def first_pictures(job: Job) -> tuple[bool, np.ndarray]:
    """Warm up both loops and look at what they give.

    Returns:
        whether the latents are equal, and our picture, (H, W, 3) uint8.
    Raises:
        ValueError: numbers not finite, or a picture of one colour: equality would say nothing.
    """
    z, right = ours(job, latents=True), theirs(job, latents=True)
    if not (torch.isfinite(z).all() and torch.isfinite(right).all()):
        raise ValueError("the latents are not finite: other weights are needed to compare them.")
    pixels = ours(job)
    theirs(job)
    if pixels.std() == 0:
        raise ValueError("the picture is of one colour: other weights are needed to compare it.")
    return torch.equal(z, right), pixels


def measure(job: Job, treatment: str, floor_ms: float, plain: np.ndarray | None) -> tuple:
    """One treatment of both loops.

    Args:
        plain: the first row's picture, (H, W, 3) uint8; None in the first row.
    Returns:
        the row, and our picture.
    """
    device, start = job.pipe.device, now(job.pipe.device)
    with treated(job, treatment) as job:
        latents_equal, pixels = first_pictures(job)
        ready = now(device) - start
        pairs = [draw_pair(job, turn) for turn in range(PAIRS)]
    ms = middle(pairs, lambda run: 1000 * run.step)
    row = Row(
        treatment,
        ms=ms,
        ratio=median(a.step / b.step for a, b in pairs),
        floor=tuple(one / floor_ms for one in ms),
        seconds=middle(pairs, lambda run: run.picture),
        memory=middle(pairs, lambda run: run.memory / 2**30),
        latents_equal=latents_equal,
        pictures_equal=all(np.array_equal(run.pixels, pixels) for pair in pairs for run in pair),
        from_plain=0 if plain is None else int(np.abs(pixels.astype(int) - plain).max()),
        ready=ready,
    )
    return row, pixels


def middle(pairs: list[tuple[Run, Run]], of: Callable[[Run], float]) -> tuple[float, float]:
    """Medians over the pairs: ours, theirs."""
    mine, other = zip(*pairs, strict=True)
    return median(map(of, mine)), median(map(of, other))


# ---- the report


def begin(options: argparse.Namespace) -> Report:
    """What is known before the first row: the device and the floor."""
    dtype = getattr(torch, options.precision)
    flops, rate = flops_per_step(options.model, options.size), matmul_rate(options.device, dtype)
    scheduler = diffusers.PNDMScheduler.from_pretrained(POCKET / "scheduler")
    scheduler.set_timesteps(options.steps)
    return Report(
        device=torch.cuda.get_device_name() if options.device == "cuda" else "CPU",
        torch=torch.__version__,
        diffusers=diffusers.__version__,
        model=options.model,
        size=options.size,
        steps=options.steps,
        precision=options.precision,
        unet_calls=len(scheduler.timesteps),
        tflop_per_step=flops / 1e12,
        matmul_tflops=rate / 1e12,
        floor_ms=1000 * flops / rate,
    )


def say(*words: str) -> None:
    """Print at once, so that a run that is cut short has shown what it measured."""
    print(*words, flush=True)


HEAD = (
    f"{'treatment':13} {'ms per step':>17} {'ours /':>7} {'over the floor':>15} "
    f"{'s per picture':>15} {'GiB at most':>13}  {'equal':15} {'apart':>5} {'ready':>7}\n"
    f"{'':13} {'ours':>8} {'theirs':>8} {'theirs':>7} {'ours':>7} {'theirs':>7} "
    f"{'ours':>7} {'theirs':>7} {'ours':>6} {'theirs':>6}  {'latents picture':15} "
    f"{'/255':>5} {'after s':>7}"
)


def show_head(report: Report) -> None:
    """What stands above the rows."""
    say(f"{report.device}, torch {report.torch}, diffusers {report.diffusers}")
    say(
        f"{report.model} with random weights, {report.size}×{report.size}, {report.precision}, "
        f"{report.steps} steps: {report.unet_calls} calls of the UNet"
    )
    say(
        f"floor: {report.tflop_per_step:.3g} TFLOP a guided step, matrix products measured at "
        f"{report.matmul_tflops:.3g} TFLOP/s: {report.floor_ms:.3g} ms"
    )
    say(HEAD)


def show_row(row: Row) -> None:
    """One line of the table."""
    equal = " ".join(
        f"{'yes' if same else 'NO':7}" for same in (row.latents_equal, row.pictures_equal)
    )
    say(
        f"{row.treatment:13} {row.ms[0]:8.2f} {row.ms[1]:8.2f} {row.ratio:7.3f} "
        f"{row.floor[0]:7.2f} {row.floor[1]:7.2f} {row.seconds[0]:7.2f} {row.seconds[1]:7.2f} "
        f"{row.memory[0]:6.2f} {row.memory[1]:6.2f}  {equal} {row.from_plain:5} {row.ready:7.1f}"
    )


def show_end(report: Report) -> None:
    """The fastest form, and what the equality rests on."""
    if report.rows:
        say("All latents are finite, no picture is of one colour. apart: our picture from the")
        say(f"first row's. Ratios are medians over {PAIRS} pairs, ours and theirs in turn.")
        row = min(report.rows, key=lambda row: row.ms[0])
        say(
            f"fastest form of our loop: {row.treatment}, {row.ms[0]:.2f} ms a step, "
            f"{row.floor[0]:.2f} times the floor"
        )


def save(report: Report, path: Path | None) -> None:
    """Write the report as JSON, if a path was given."""
    if path:
        path.write_text(json.dumps(asdict(report), indent=1) + "\n")


# ---- the program


def reason_to_leave_out(treatment: str, options: argparse.Namespace, spent: float) -> str | None:
    """Why a row is not measured, or None."""
    if treatment in GRAPHS and options.device != "cuda":
        return "CUDA graphs need a CUDA GPU"
    if spent > options.budget:
        return f"{spent:.0f} s are spent, the budget is {options.budget:.0f} s"
    return None


def measure_all(options: argparse.Namespace, report: Report, start: float) -> None:
    """Every row, shown and saved as soon as it is there."""
    pipe = make_pipe(options.model, options.device, getattr(torch, options.precision))
    job, plain = Job(pipe, options.size, options.steps), None
    for treatment in options.treatments:
        reason = reason_to_leave_out(treatment, options, time.perf_counter() - start)
        try:
            if reason is None:
                row, pixels = measure(job, treatment, report.floor_ms, plain)
                plain = pixels if plain is None else plain
                report.rows.append(row)
                show_row(row)
        except Exception as error:  # whatever a compiler may say: the other rows are still wanted
            reason = f"failed: {type(error).__name__}: {first_line(error)}"
        if reason:
            report.left_out[treatment] = reason
            say(f"{treatment:13} left out: {reason}")
        save(report, options.json)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; on the CPU nothing is compiled unless it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=["sd-2.1", "sd-1.5", "tiny"], default="sd-2.1")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--precision", choices=["float16", "bfloat16", "float32"])
    parser.add_argument("--size", type=int, default=512, help="side in pixels, a multiple of 8")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--treatments", help=f"of {','.join(TREATMENTS)}; all where left out")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds; no row begins later")
    parser.add_argument("--json", type=Path, help="write the figures here, after every row")
    options = parser.parse_args(arguments)
    on_cpu = options.device == "cpu"
    options.precision = options.precision or ("float32" if on_cpu else "float16")
    asked = options.treatments or ",".join(n for n in TREATMENTS if n != "compiled" or not on_cpu)
    options.treatments = asked.split(",")
    if unknown := [name for name in options.treatments if name not in TREATMENTS]:
        parser.error(f"no such treatment: {unknown[0]}. Choose of: {', '.join(TREATMENTS)}.")
    if options.size < 64 or options.size % 64:
        parser.error(f"--size must be a multiple of 64, got {options.size}. Try 512.")
    if options.steps < 1:
        parser.error(f"--steps must be 1 or more, got {options.steps}. Try 50.")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Print the table.

    Returns:
        the exit code: 1 without a GPU, where a row failed, or where ours and theirs differ.
    """
    start, options = time.perf_counter(), parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print(NO_CUDA, file=sys.stderr)
        return 1
    report = begin(options)
    show_head(report)
    measure_all(options, report, start)
    show_end(report)
    failed = any(reason.startswith("failed") for reason in report.left_out.values())
    equal = all(row.latents_equal and row.pictures_equal for row in report.rows)
    return int(failed or not equal)


if __name__ == "__main__":
    sys.exit(main())
