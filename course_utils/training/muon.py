"""Muon: an optimizer that turns every step of a weight matrix into a nearly orthogonal one.

Adam rescales each weight by itself. Muon rescales the directions of a whole matrix: all singular
values of its step become about one, so that rare directions are learned as fast as common ones. On
the autoencoder it needs about half as many steps. Biases, the scales of normalisation, and the
first and last layers stay with Adam.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
"""

import torch
from torch import Tensor, nn

from course_utils.training.loop import Config

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the iteration that makes a matrix orthogonal
ITERATIONS = 5
MOMENTUM = 0.95
ADAM = (0.9, 0.99)


def muon(model: nn.Module, config: Config, outer: tuple[str, ...]) -> "Muon":
    """The optimizer of a model, for `fit`.

    Args:
        model: its trained weights are taken.
        config: its learning rate and weight decay.
        outer: parts of names; matrices with such a name are left to Adam.
    """
    matrices, others = [], []
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            inner = weight.ndim >= 2 and not any(part in name for part in outer)
            (matrices if inner else others).append(weight)
    groups = [{"params": matrices, "orthogonal": True}, {"params": others, "orthogonal": False}]
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    return Muon(groups, config.learning_rate, config.weight_decay, dtype)


class Muon(torch.optim.Optimizer):
    """Muon for the groups that say `orthogonal`, AdamW for the others, at one learning rate.

    Args:
        groups: of weights, as for every optimizer, with the entry `orthogonal`.
        lr: learning rate.
        weight_decay: share of a weight that goes at each step, relative to the learning rate.
        dtype: of the products that make a matrix orthogonal; bfloat16 is precise enough.
    """

    def __init__(self, groups: list[dict], lr: float, weight_decay: float, dtype: torch.dtype):
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """One step for every weight that has a gradient; no closure is called."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                change = self._muon if group["orthogonal"] else self._adam
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(group["lr"] * change(weight))

    def _muon(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        mean = state["mean"].lerp_(weight.grad, 1 - MOMENTUM)
        matrix = weight.grad.lerp(mean, MOMENTUM).flatten(1)
        size = 0.2 * max(matrix.shape) ** 0.5  # as long a step as Adam's: Liu et al. 2025, eq. 4
        return size * orthogonal(matrix.to(self.dtype)).to(weight.dtype).view(weight.shape)

    def _adam(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        state["step"] += 1
        mean = state["mean"].lerp_(weight.grad, 1 - ADAM[0])
        square = state["square"].lerp_(weight.grad.square(), 1 - ADAM[1])
        first, second = (1 - beta ** float(state["step"]) for beta in ADAM)
        return (mean / first) / ((square / second).sqrt() + 1e-8)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix (m, n) with its singular values between 0.7 and 1.2, by the iteration of
    Newton and Schulz."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
