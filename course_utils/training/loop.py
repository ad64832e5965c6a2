"""The one training loop: resumable, the same on one process or many, on CPU or GPU.

Every step throws its own dice: what is random in step n (which examples, which noise) comes
from a generator seeded with (seed, n) alone. So a run that was killed and resumed sees exactly
what a run that was never killed sees, and p processes share the batch that one would take.
"""

import math
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import yaml
from accelerate import Accelerator, PartialState
from accelerate.utils import ProjectConfiguration
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils import models

CHECKPOINT = "checkpoint.pt"
CONFIGS = Path(__file__).parent / "configs"
UNREADABLE = (RuntimeError, EOFError, LookupError, AttributeError, ValueError)  # for torch.load
Watch = Callable[[int, dict[str, Tensor], nn.Module, EMAModel], None]


@dataclass(frozen=True)
class Config:
    """What a training run needs to know; one small file in `configs` for each run.

    Attributes:
        examples: how many pictures of the world to train on.
        steps: optimizer steps in all.
        batch: examples in a step, over all processes together.
        learning_rate: highest rate; reached after `warmup` steps, then a cosine to zero.
        ema_decay: of the running average of the weights, which is what is exported.
        precision: "no" (float32), "bf16" or "fp16" (CUDA).
        compile: whether torch.compile makes the network faster first; worth its minute on a GPU.
        save_every: steps between checkpoints.
        threads: CPU threads; part of what makes a run repeatable.
        world: which world the pictures are of, see `data.WORLDS`.
        model: sizes of the network, passed to its class.
        options: what this run alone needs.
    """

    examples: int
    steps: int
    batch: int
    learning_rate: float
    model: dict
    options: dict
    warmup: int = 100
    weight_decay: float = 0.01
    ema_decay: float = 0.999
    precision: str = "no"
    compile: bool = False
    save_every: int = 250
    threads: int = 2
    seed: int = 0
    world: str = "world"


def first_process_first():
    """A context in which the first process on a machine goes before the others: what it writes,
    they find."""
    return PartialState(cpu=not torch.cuda.is_available()).local_main_process_first()


def read_config(name: str | Path) -> Config:
    """Read a run's configuration.

    An entry `like: unet` takes every entry of that other one which the file does not name itself;
    of `model` and `options`, part by part.

    Args:
        name: a file in `configs` without its ending ("unet", "gpu/unet"), or the path of a YAML
            file.
    Raises:
        ValueError: no such file, or an entry that Config does not know.
    """
    values = read_entries(name)
    unknown = set(values) - {field.name for field in fields(Config)}
    if unknown:
        raise ValueError(f"{name}: unknown entries {', '.join(sorted(unknown))}.")
    return Config(**values)


def trained_part(build: Path, name: str) -> Path:
    """The folder of a trained part that another one needs.

    Args:
        build: where the parts of this training are.
        name: a folder in it ("vae/vae"), or in the bundled model ("pocket/vae").
    """
    inside = name.removeprefix("pocket/")
    return build / name if inside == name else models.POCKET / inside


def read_entries(name: str | Path) -> dict:
    """The entries of a configuration, and those of the one that it is like."""
    path = Path(name) if str(name).endswith(".yaml") else CONFIGS / f"{name}.yaml"
    if not path.is_file():
        files = [p.relative_to(CONFIGS).with_suffix("") for p in CONFIGS.rglob("*.yaml")]
        known = ", ".join(sorted(file.as_posix() for file in files))
        raise ValueError(f"no configuration {str(name)!r}. Try one of: {known}, or a .yaml file.")
    values = yaml.safe_load(path.read_text())
    if "like" not in values:
        return values
    other = read_entries(values.pop("like"))
    parts = {part: other[part] | values.get(part, {}) for part in ("model", "options")}
    return other | values | parts


def dice(seed: int, step: int) -> torch.Generator:
    """The generator of one training step; a CPU generator on every device."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def learning_rate(step: int, config: Config) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    part = (step - config.warmup) / max(config.steps - config.warmup, 1)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * part))


def adamw(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """The usual optimizer, for all weights of a model."""
    return torch.optim.AdamW(
        model.parameters(),
        config.learning_rate,
        (0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
    )


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Tensor, torch.Generator, slice], dict[str, Tensor]],
    config: Config,
    folder: Path,
    stop_after: int | None = None,
    watch: Watch | None = None,
    device: torch.device | None = None,
    make_optimizer: Callable[[nn.Module, Config], torch.optim.Optimizer] = adamw,
) -> nn.Module:
    """Train a model until its last step, from the last checkpoint if there is one.

    Args:
        model: what to train; moved to the device at hand.
        loss: function of (model, indices, generator, share): indices are this step's examples,
            (batch,); `share` is the part of them that belongs to this process. It must draw
            noise for the whole batch and then take its share. Returns named losses; "loss" is
            minimised, the others are written down.
        config: see Config.
        folder: where checkpoints and TensorBoard metrics go.
        stop_after: leave after this many steps, as if killed (for tests).
        watch: called after every step with (steps done, losses, model, average), before a
            checkpoint is written; `averaged` makes a model of the last two. Then no bar is shown.
        device: where to train; where left out, on a CUDA device if there is one.
        make_optimizer: function of (model, config), called when the model is on its device.
    Returns:
        the model with the averaged weights.
    Raises:
        ValueError: the checkpoint cannot be read.
    """
    torch.set_num_threads(config.threads)
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),  # the same for all runs of a process
        mixed_precision=config.precision,
        dynamo_backend="inductor" if config.compile else "no",
        log_with="tensorboard",
        project_config=ProjectConfiguration(project_dir=str(folder), logging_dir=str(folder)),
    )
    accelerator.init_trackers("metrics")
    model.to(device or accelerator.device)
    optimizer = make_optimizer(model, config)
    average = EMAModel(model.parameters(), decay=config.ema_decay, foreach=True)
    first = _resume(folder / CHECKPOINT, model, optimizer, average)
    trained, optimizer = accelerator.prepare(model, optimizer, device_placement=[False, False])
    share = _share(config.batch, accelerator)
    last = config.steps if stop_after is None else min(first + stop_after, config.steps)
    progress = tqdm(
        range(first, last),
        initial=first,
        total=config.steps,
        disable=not accelerator.is_main_process or watch is not None,
        mininterval=10,
        dynamic_ncols=True,
    )
    for step in progress:
        generator = dice(config.seed, step)
        indices = torch.randint(config.examples, (config.batch,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        with accelerator.autocast():
            losses = loss(trained, indices, generator, share)
        accelerator.backward(losses["loss"])
        accelerator.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.step(model.parameters())
        if step % 20 == 0:
            values = {
                name: float(accelerator.reduce(value.detach().float(), "mean"))
                for name, value in losses.items()
            }
            accelerator.log(values, step=step)
            progress.set_postfix({name: f"{value:.4f}" for name, value in values.items()})
        done = step + 1
        if watch and accelerator.is_main_process:
            watch(done, losses, model, average)
        if accelerator.is_main_process and (done % config.save_every == 0 or done == last):
            _save(folder / CHECKPOINT, done, model, optimizer, average, config)
    accelerator.wait_for_everyone()  # lets the threads that shared gradients finish: torch may hang
    accelerator.end_training()  # where the network is dropped before them
    average.copy_to(model.parameters())
    return model


@contextmanager
def averaged(model: nn.Module, average: EMAModel) -> Iterator[nn.Module]:
    """The model with its averaged weights, for a while; its own come back."""
    average.store(model.parameters())
    average.copy_to(model.parameters())
    try:
        yield model
    finally:
        average.restore(model.parameters())


def _share(batch: int, accelerator: Accelerator) -> slice:
    if batch % accelerator.num_processes:
        raise ValueError(
            f"a batch of {batch} cannot be shared by {accelerator.num_processes} processes: "
            f"choose a multiple of {accelerator.num_processes}."
        )
    part = batch // accelerator.num_processes
    return slice(accelerator.process_index * part, (accelerator.process_index + 1) * part)


def _save(path: Path, step: int, model, optimizer, average, config: Config) -> None:
    """Write a checkpoint beside the old one, then put it in its place: never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict(),
        "config": asdict(config),
    }
    torch.save(state, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def _resume(path: Path, model, optimizer, average) -> int:
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path.parent.name}/{path.name} is damaged and cannot be read. Delete its folder, and "
            "the run begins anew."
        ) from error
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    average.load_state_dict(state["average"])
    average.to(next(model.parameters()).device)
    return state["step"]
