"""The stand-in for a second device refuses what torch refuses, and computes all else."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from two_devices import CPU, CUDA, second_device

from course_utils.training.loop import Config, fit

CALLS = {  # of x there, c the same on the CPU, s and t without dimensions there and on the CPU
    "numbers": lambda x, c, s, t: 2 * x + 1,
    "one device": lambda x, c, s, t: x @ x.T + s,
    "the CPU": lambda x, c, s, t: c * c + t,
    "two devices": lambda x, c, s, t: x + c,
    "two devices, in place": lambda x, c, s, t: x.add_(c),
    "no dimension on the CPU": lambda x, c, s, t: x * t,
    "no dimension there": lambda x, c, s, t: c * s,
    "no dimension on either": lambda x, c, s, t: s + t,
    "a product": lambda x, c, s, t: x @ c.T,
    "side by side": lambda x, c, s, t: torch.cat([c, x]),
    "a stack": lambda x, c, s, t: torch.stack([x, c]),
    "a mask": lambda x, c, s, t: x.masked_fill(c > 0, 0.0),
    "a choice": lambda x, c, s, t: torch.where(c > 0, x, x),
    "a mixture": lambda x, c, s, t: torch.lerp(x, x, t),
    "rows by number": lambda x, c, s, t: x.index_select(0, c[0].long()),
    "rows of a table": lambda x, c, s, t: F.embedding(c[:, 0].long(), x),
    "a copy": lambda x, c, s, t: c.copy_(x),
    "made alike": lambda x, c, s, t: torch.zeros_like(x),
}


def outcome(call, *tensors) -> str:
    """Where the result is, or that there is none."""
    try:
        return str(call(*tensors).device)
    except RuntimeError as error:
        assert "same device" in str(error)
        return "refused"


@pytest.mark.parametrize("call", CALLS)
def test_it_refuses_what_torch_refuses(call):
    """torch's FakeTensor knows the rules of a real GPU, and has no numbers."""
    shapes = [((2, 3), "cuda:0"), ((2, 3), "cpu"), ((), "cuda:0"), ((), "cpu")]
    with FakeTensorMode() as mode:
        fakes = [
            FakeTensor(mode, torch.empty(shape, device="meta"), torch.device(device))
            for shape, device in shapes
        ]
        wanted = outcome(CALLS[call], *fakes)
    with second_device():
        ours = [torch.ones(shape).to(device) for shape, device in shapes]
        assert outcome(CALLS[call], *ours) == wanted


def test_the_ways_there_and_back():
    c = torch.arange(6.0).view(2, 3)
    with second_device():
        for x in (c.cuda(), c.to("cuda"), c.to("cuda:0"), c.to(device=torch.device("cuda"))):
            assert x.device == torch.device("cuda", 0) and x.is_cuda and not x.is_cpu
            assert x.to("cuda") is x and c.to("cpu") is c
            assert not x.cpu().is_cuda and torch.equal(x.cpu(), c) and x.tolist() == c.tolist()
        half = c.to(x.device, torch.float16)
        assert half.dtype == torch.float16 and half.is_cuda
        assert c.to(half).dtype == torch.float16 and c.to(half).is_cuda
        assert x.to("meta").is_meta and f"{x[1, 2]:.1f}" == "5.0" and float(x.sum()) == 15
        x[0] += 1
        assert x.is_cuda and x.tolist()[0] == [1, 2, 3] and c[0].tolist() == [0, 1, 2]


def test_what_is_made_there():
    with second_device():
        made = [
            torch.ones(2, device="cuda"),
            torch.tensor([1.0, 1.0], device="cuda"),
            torch.ones_like(torch.empty(2), device="cuda"),
            torch.randn(2, device="cuda"),
            torch.randn(2, generator=torch.Generator()).cuda(),
        ]
        assert all(x.is_cuda for x in made)
        assert not torch.zeros_like(made[0], device="cpu").is_cuda
        assert torch.tensor([made[0][0], 2]).tolist() == [1, 2]
        assert not torch.empty(2, device="cpu", pin_memory=True).is_cuda
        with pytest.raises(RuntimeError, match="'cuda' device type for generator but found 'cpu'"):
            torch.randn(2, generator=torch.Generator(), device="cuda")


def test_what_numpy_cannot_see():
    with second_device():
        x = torch.ones(2, device="cuda")
        for see in (np.asarray, np.median, lambda x: x.numpy()):
            with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
                see(x)


def test_an_index_may_come_from_the_cpu_and_not_go_there():
    c, places = torch.ones(4), torch.tensor([0, 2])
    with second_device():
        x = c.cuda()
        x[places] = 3.0
        assert x[places].tolist() == [3, 3] and x[places.cuda()].is_cuda
        for index in (places.cuda(), c.cuda() > 0):
            with pytest.raises(RuntimeError, match="indices should be either on cpu or on the sam"):
                c[index]


def test_a_network_goes_there_whole():
    """Its weights, its buffers and its copies; what it computes is the same to the bit."""
    net, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval(), torch.randn(1, 3, 8, 8)
    right = net(x)
    with second_device():
        net.to("cuda")
        weights = [*net.parameters()]
        assert all(a is b for a, b in zip(weights, net.to("cuda").parameters(), strict=True))
        twin = copy.deepcopy(net)
        for one in (net, twin):
            assert all(part.is_cuda for part in one.state_dict().values())
            assert all(isinstance(weight, nn.Parameter) for weight in one.parameters())
            with pytest.raises(RuntimeError, match="same device"):
                one(x)
            with torch.inference_mode():
                assert torch.equal(one(x.cuda()).cpu(), right)
        assert all(part.is_meta for part in twin.to("meta").state_dict().values())
        net.to("cpu")
    assert torch.equal(net(x), right)


def squared_error(net, indices, generator, share) -> dict:
    """For `fit`: the network should answer with noise."""
    device = next(net.parameters()).device
    x, wanted = (torch.randn(4, 3, 8, 8, generator=generator).to(device) for _ in range(2))
    return {"loss": (net(x) - wanted).square().mean()}


def test_a_network_learns_there_what_it_learns_here(tmp_path):
    """To the bit, also where it goes on from its checkpoint."""
    config = Config(4, 4, 4, 0.1, {}, {}, warmup=1, ema_decay=0.5, save_every=2, threads=1)
    start = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, 3, 3, padding=1))
    here = fit(copy.deepcopy(start), squared_error, config, tmp_path / "here", device=CPU)
    with second_device():
        options = config, tmp_path / "there"
        fit(copy.deepcopy(start), squared_error, *options, stop_after=2, device=CUDA)
        there = fit(copy.deepcopy(start), squared_error, *options, device=CUDA)
        assert all(weight.is_cuda for weight in there.parameters())
        there.to("cpu")
    pairs = [*zip(start.parameters(), here.parameters(), there.parameters(), strict=True)]
    assert all(torch.equal(b, c) and not torch.equal(a, b) for a, b, c in pairs)


def test_afterwards_there_is_no_gpu():
    before = torch.cuda.is_available()
    with second_device():
        assert torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > 2**30
    assert torch.cuda.is_available() == before
