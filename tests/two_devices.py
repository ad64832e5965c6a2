"""A second device for machines that have one: tensors that say they are on "cuda".

Inside `second_device()` torch finds a GPU. What is sent there is held in main memory, in a `There`,
and every operation that mixes it with tensors of the CPU is refused, as a real GPU refuses it:

| allowed | refused |
|---|---|
| tensors of one device; with them numbers, and CPU tensors of no dimension | any other mix |
| a tensor there, indexed by one of the CPU | the other way round |
| .to(device), .cpu(), copy_, float(x), x.item(), x.tolist() | .numpy(), np.asarray (a TypeError) |
| noise drawn by CPU dice on the CPU, then sent | noise drawn there by CPU dice |

Gradients flow among tensors that are there; none comes back through a copy from the other device.
The numbers are the CPU's own, so results that are equal to the bit on one device are so on the
other. Source: https://docs.pytorch.org/docs/stable/notes/cuda.html and torch's FakeTensor.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import torch
import torch.nn.functional as F
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
MEMORY = 80 * 2**30  # bytes
aten = torch.ops.aten
INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
COPIED = {aten.copy_, aten._foreach_copy_}
STRICT = {aten.embedding, aten.index_select, aten.gather}  # here no dimension is no excuse
WHOLE = {  # computed as one operation, which is quicker than by their parts
    *(F.linear, F.conv2d, F.group_norm, F.layer_norm, F.silu, F.gelu, F.dropout, torch.cat),
    *(F.scaled_dot_product_attention, Tensor.add, Tensor.mul, Tensor.div, Tensor.chunk),
    *(Tensor.view, Tensor.reshape, Tensor.transpose, Tensor.permute, Tensor.contiguous),
}
SEEN = {*WHOLE, Tensor.to, Tensor.cuda, Tensor.cpu, torch.tensor}  # whatever they are given
TO = (  # the ways to call Tensor.to, by the type of the first argument
    (torch.dtype, ("dtype", "non_blocking", "copy")),
    (Tensor, ("other", "non_blocking", "copy")),
    (object, ("device", "dtype", "non_blocking", "copy")),
)
FOUND = {  # what torch.cuda says
    "is_available": True,
    "is_bf16_supported": True,
    "device_count": 1,
    "current_device": 0,
    "mem_get_info": (MEMORY, MEMORY),
    "get_device_name": "a second device",
    "empty_cache": None,
    "synchronize": None,
}


class There(Tensor):
    """A tensor that says it is on the GPU; `held` has its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    @staticmethod
    def __new__(cls, held: Tensor):
        return Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=held.device,
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})

    def __repr__(self) -> str:
        return f"There({self.held})"

    def __format__(self, spec: str) -> str:
        return format(self.held, spec)

    def __deepcopy__(self, memo: dict):
        new = There(self.held.clone())
        return torch.nn.Parameter(new, self.requires_grad) if hasattr(self, "_is_param") else new

    def __reduce_ex__(self, protocol: int) -> tuple:
        """In files there are numbers; torch.load has to be told where they go."""
        return self.held.__reduce_ex__(protocol)

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def tolist(self) -> list:
        return self.held.tolist()

    def numpy(self, *args, **kwargs):
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the "
            "tensor to host memory first."
        )

    __array__ = numpy


class _Calls(TorchFunctionMode):
    """Sees every call that may name a device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if not kwargs and func not in SEEN:
            return func(*args)
        kwargs = kwargs or {}
        if func in WHOLE and whole(args, kwargs):
            return computed(func, args, kwargs)
        if func is Tensor.to:
            return sent(*args, **kwargs)
        if func in (Tensor.cuda, Tensor.cpu):
            return sent(args[0], CUDA if func is Tensor.cuda else CPU)
        if func is torch.tensor:  # which reads the numbers, wherever they are
            args = held(args)
        if kwargs.get("device") is None:
            return func(*args, **kwargs)
        return made(func, args, **kwargs)


def whole(args, kwargs) -> bool:
    """Whether a call may be computed as one: something is there, and nothing wants a gradient,
    which torch finds by the parts."""
    tensors = [*tensors_in((*args, *kwargs.values()))]
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    return not learns and any(isinstance(x, There) for x in tensors)


def sent(x: Tensor, *args, **kwargs) -> Tensor:
    """`Tensor.to`."""
    names = next(names for kind, names in TO if isinstance(args[0] if args else None, kind))
    options = {**dict(zip(names, args, strict=False)), **kwargs}
    other = options.pop("other", None)
    if other is not None:
        options |= {"device": other.device, "dtype": other.dtype}
    device = torch.device(options.pop("device", None) or x.device)
    if device.type == x.device.type:
        return x.to(**options)
    held = x.held if isinstance(x, There) else x
    options["copy"] = True
    return placed(held.to(device="cpu" if device.type == "cuda" else device, **options), device)


def placed(x: Tensor, device: torch.device) -> Tensor:
    """A fresh tensor of the CPU, said to be on a device."""
    return There(x.detach()) if device.type == "cuda" else x


def made(func, args, device, **kwargs):
    """A function that makes a tensor on the device it is told."""
    device, dice = torch.device(device), kwargs.get("generator")
    if dice is not None and dice.device.type != device.type:
        raise RuntimeError(
            f"Expected a '{device.type}' device type for generator but found '{dice.device.type}'"
        )
    kwargs.pop("pin_memory", None)  # which only a real GPU can
    new = func(*args, device="cpu" if device.type == "cuda" else device, **kwargs)
    if not isinstance(new, Tensor):
        return new
    return placed(new.held if isinstance(new, There) else new, device)


def computed(func, args: tuple, kwargs: dict):
    """One operation: refused where it mixes devices, else computed on the CPU."""
    tensors = [*tensors_in((*args, *kwargs.values()))]
    operation = getattr(func, "overloadpacket", func)
    check(operation, tensors)
    results = func(*held(args), **{name: held(value) for name, value in kwargs.items()})
    if operation in COPIED and not isinstance(tensors[0], There):
        return tensors[0]  # which is on the CPU
    return said_there(results, {id(x.held): x for x in tensors if isinstance(x, There)})


def applied(apply, network: nn.Module, fn, *args) -> nn.Module:
    """`Module._apply`: weights that stay where they are stay the same objects, too."""
    weights = {name: weight for name, weight in network._parameters.items() if weight is not None}
    with torch.no_grad():
        stay = {name: weight for name, weight in weights.items() if fn(weight) is weight}
    apply(network, fn, *args)
    network._parameters.update(stay)
    return network


def tensors_in(values) -> Iterator[Tensor]:
    """The tensors among some values, and in lists of them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def held(value):
    """The same without a word of the GPU."""
    if isinstance(value, list | tuple):
        return [held(one) for one in value]
    return value.held if isinstance(value, There) else value


def said_there(value, known: dict[int, There]):
    """The same on the GPU; what was there and has changed in place stays itself."""
    if isinstance(value, list | tuple):
        return type(value)(said_there(one, known) for one in value)
    if not isinstance(value, Tensor):
        return value
    return known[id(value)] if id(value) in known else There(value)


def check(operation, tensors: list[Tensor]) -> None:
    """Refuse to mix devices.

    Raises:
        RuntimeError: as torch does on a GPU.
    """
    if operation in COPIED or all(isinstance(x, There) for x in tensors):
        return
    if operation in INDEXED:
        return check_index(*tensors)
    strict = operation in STRICT
    devices = {str(x.device) for x in tensors if strict or x.ndim or x.device.type != "cpu"}
    if len(devices) > 1:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{' and '.join(sorted(devices))}! (when calling {operation})"
        )


def check_index(x: Tensor, *others: Tensor) -> None:
    """A tensor there takes indices from the CPU; one of the CPU takes none from there."""
    if not isinstance(x, There):
        raise RuntimeError(
            "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
        )


@contextmanager
def second_device() -> Iterator[None]:
    """Let torch find a GPU."""
    with ExitStack() as stack:
        for name, answer in FOUND.items():
            stack.enter_context(patch.object(torch.cuda, name, lambda *_, a=answer, **__: a))
        stack.enter_context(patch.object(torch, "inference_mode", torch.no_grad))  # There is none
        apply = nn.Module._apply
        stack.enter_context(
            patch.object(nn.Module, "_apply", lambda *args, **__: applied(apply, *args))
        )
        AcceleratorState._reset_state(True)  # accelerate looks for devices once in a process
        stack.callback(AcceleratorState._reset_state, True)
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, before)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # a weight there is new
        stack.enter_context(_Calls())
        yield
