"""Where a model computes: on which device, in which precision, with which savings of memory.

| found | precision | savings, one after the other, until it fits |
|---|---|---|
| CUDA | float16 | VAE tiling and CPU offload; VAE tiling and sequential CPU offload; the CPU |
| MPS | float32, or float16 where that does not fit | attention slicing |
| neither | float32 on the CPU | none: a model larger than the memory is refused |

A model of less than 100 million parameters stays on the CPU in float32: it is quick there, and the
same bits everywhere are worth more. The estimate is for pictures of 512×512 with guidance, one at
a time: the weights, the largest tensors alive at once (counted on the meta device), and what the
device itself takes. Attention slicing is left to MPS: on CUDA attention never holds all its scores
at once, and slicing would only slow it down.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from course_utils.errors import ModelError, check_choice

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

DEVICES = ("cuda", "mps", "cpu")
SMALL = 100_000_000  # parameters
BYTES = {"float16": 2, "float32": 4}
DECODER = 193 * 2**20  # numbers alive at once where the VAE decodes a picture of 512×512
SCORES = 2 * 8 * 4096**2  # attention of two times 64×64 latents, 8 heads
OVERHEAD = 512 * 2**20  # bytes: the device's own, workspaces, fragments
TILING, SLICING = "VAE tiling", "attention slicing"
NO_GPU = "no GPU: the pocket model needs none"
OFFLOAD, SEQUENTIAL = "CPU offload", "sequential CPU offload"


class Machine(NamedTuple):
    """What there is to compute on.

    Attributes:
        cuda: bytes free on the CUDA device, None without one.
        mps: whether there is an Apple GPU, which shares the main memory.
        memory: bytes of main memory.
    """

    cuda: int | None
    mps: bool
    memory: int


class Plan(NamedTuple):
    """How a model will be run.

    Attributes:
        device: "cuda", "mps" or "cpu".
        precision: "float16" or "float32".
        savings: of "attention slicing", "VAE tiling", "CPU offload", "sequential CPU offload".
        needs: bytes of the device's memory, an estimate.
    """

    device: str
    precision: str
    savings: tuple[str, ...]
    needs: int

    def __str__(self) -> str:
        savings = f" with {' and '.join(self.savings)}" if self.savings else ""
        needs = f"about {self.needs / 10**9:.1f} GB of memory"
        return f"{self.device} in {self.precision}{savings}, {needs}"


def find_machine() -> Machine:
    """What torch finds on this machine."""
    import psutil
    import torch

    cuda = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
    return Machine(cuda, torch.backends.mps.is_available(), psutil.virtual_memory().total)


def found() -> str:
    """What torch finds to compute on, in one line."""
    import torch

    if torch.cuda.is_available():
        return f"GPU: {torch.cuda.get_device_name()}"
    return "GPU: Apple" if torch.backends.mps.is_available() else NO_GPU


def memory_needed(
    parameters: Mapping[str, int], device: str, precision: str, savings: tuple[str, ...] = ()
) -> int:
    """An estimate of the bytes of memory that a picture of 512×512 takes.

    Args:
        parameters: of each network, such as {"unet": 865_910_724, …}.
        device: "cuda", "mps" or "cpu".
        precision: "float16" or "float32".
        savings: as in `Plan`.
    """
    held = sum(parameters.values())
    if OFFLOAD in savings:
        held = max(parameters.values(), default=0)
    if SEQUENTIAL in savings:
        held = 0
    working = DECODER
    if device == "mps":
        working = max(DECODER, 3 * SCORES // (2 if SLICING in savings else 1))
    return (held + working) * BYTES[precision] + OVERHEAD


def make_plan(parameters: Mapping[str, int], machine: Machine, device: str | None = None) -> Plan:
    """The best way to run a model on a machine.

    Args:
        parameters: of each network.
        device: "cuda", "mps" or "cpu" where it was asked for; None to choose.
    Raises:
        ValueError: no such device.
        ModelError: the device is not there, or the model is larger than the main memory; that
            last is not asked where the device was given.
    """
    check_device(device, machine)
    if device is None and sum(parameters.values()) < SMALL:
        device = "cpu"
    plans = [p for p in all_plans(parameters, machine) if device in (None, p.device)]
    for plan in plans:
        if fits(plan, machine):
            return plan
    if device is not None:
        return plans[-1]  # as asked
    raise ModelError(
        f"The model needs about {plan.needs / 10**9:.1f} GB of memory, this machine has "
        f"{machine.memory / 10**9:.1f} GB. Take a larger machine, such as a free one on Colab, "
        "load('pocket'), or load(…, device='cpu') to try all the same."
    )


def all_plans(parameters: Mapping[str, int], machine: Machine) -> list[Plan]:
    """Every way to run a model on a machine, the best first."""
    ways = []
    if machine.cuda is not None:
        ways += [("cuda", "float16", ())]
        ways += [("cuda", "float16", (TILING, step)) for step in (OFFLOAD, SEQUENTIAL)]
    if machine.mps:
        ways += [("mps", "float32", ()), ("mps", "float32", (SLICING,))]
        ways += [("mps", "float16", ()), ("mps", "float16", (SLICING,))]
    ways += [("cpu", "float32", ())]
    return [Plan(*way, memory_needed(parameters, *way)) for way in ways]


def fits(plan: Plan, machine: Machine) -> bool:
    """Whether there is memory enough; MPS leaves a quarter of it to the rest of the system."""
    has = {"cuda": machine.cuda, "mps": machine.memory * 3 // 4, "cpu": machine.memory}
    return plan.needs <= has[plan.device]


def check_device(device: str | None, machine: Machine) -> None:
    """Refuse a device that is unknown or not there."""
    if device is None:
        return
    check_choice("device", device, DEVICES)
    there = {"cuda": machine.cuda is not None, "mps": machine.mps, "cpu": True}
    if not there[device]:
        raise ModelError(
            f"torch finds no {device} device here. Leave device out, or take one of: "
            f"{', '.join(name for name in DEVICES if there[name])}."
        )


def place(pipe: "DiffusionPipeline", plan: Plan) -> None:
    """Put a pipeline where the plan says, by the library's own means."""
    if SLICING in plan.savings:
        pipe.enable_attention_slicing()
    if TILING in plan.savings:
        pipe.vae.enable_tiling()
    if OFFLOAD in plan.savings:
        pipe.enable_model_cpu_offload(device=plan.device)
    elif SEQUENTIAL in plan.savings:
        pipe.enable_sequential_cpu_offload(device=plan.device)
    elif plan.device != "cpu":
        pipe.to(plan.device)


def moved_to(network: "torch.nn.Module", x: "torch.Tensor") -> "torch.Tensor":
    """A tensor where a network computes, in its precision; itself where it is there already.

    A network that was offloaded is fetched first, as calling it would.
    """
    hook = getattr(network, "_hf_hook", None)  # accelerate's
    if hook is not None:
        hook.pre_forward(network)
    hooks = [getattr(part, "_hf_hook", None) for part in network.modules()]
    places = [place for hook in hooks if (place := getattr(hook, "execution_device", None))]
    return x.to(places[0] if places else network.device, network.dtype)
