"""Notebook 03: the UNet, outside and inside: its blocks, shapes, cost and forward pass."""

import copy
import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils import plotting

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

Shape = tuple[int, ...]
TOKENS = 77  # length of a prompt once padded
PITCH, ROW, WIDTH, HEIGHT = 1.42, 1.0, 1.28, 0.62  # of the diagram, in inches


@dataclass(frozen=True)
class Block:
    """One stage of a UNet: what a single latent meets on its way through.

    Attributes:
        name: its name in the model, such as "down_blocks.0".
        takes, gives: shapes of its input and output, (C, h, w) or (D,).
        skips: how many tensors it takes from the way down; 0 but for up blocks.
        listens: whether it looks at the prompt, by cross-attention.
        parameters: how many numbers were learned.
        flops: floating point operations of one call, 2 for a multiplication and addition.
    """

    name: str
    takes: Shape
    gives: Shape
    skips: int
    listens: bool
    parameters: int
    flops: int


def parts(unet: "UNet2DConditionModel") -> dict[str, nn.Module]:
    """The stages of a UNet by name, in the order of the data; together, all its parameters."""
    downs = {f"down_blocks.{i}": block for i, block in enumerate(unet.down_blocks)}
    ups = {f"up_blocks.{i}": block for i, block in enumerate(unet.up_blocks)}
    return {
        "time_embedding": unet.time_embedding,
        "conv_in": unet.conv_in,
        **downs,
        "mid_block": unet.mid_block,
        **ups,
        "conv_norm_out": unet.conv_norm_out,
        "conv_out": unet.conv_out,
    }


@torch.no_grad()
def watch(
    unet: "UNet2DConditionModel", z: Tensor, t: Tensor | int, c: Tensor
) -> dict[str, tuple[Shape, Shape]]:
    """Call the UNet once and write down what goes into each of its stages and what comes out.

    Args:
        unet: on any device, also on meta.
        z: noisy latents, (B, C, h, w).
        t: the timestep.
        c: the encoded prompt, (B, L, D).
    Returns:
        the shapes (takes, gives) by the names of `parts`, with the batch in front.
    """
    seen = {}

    def note(name):
        def hook(module, args, kwargs, output):
            takes = args[0] if args else kwargs["hidden_states"]
            gives = output[0] if isinstance(output, tuple) else output
            seen[name] = (tuple(takes.shape), tuple(gives.shape))

        return hook

    with ExitStack() as stack:
        for name, part in parts(unet).items():
            handle = part.register_forward_hook(note(name), with_kwargs=True)
            stack.callback(handle.remove)
        unet(z, t, c)
    return {name: seen[name] for name in parts(unet)}


def blocks(unet: "UNet2DConditionModel", size: int | None = None) -> list[Block]:
    """Every stage of a UNet with its shapes and its cost, for one latent.

    The counting happens on a copy on the meta device: exact, and free.

    Args:
        unet: any, also one from `architecture()`.
        size: h and w of the latents; the model's own where left out.
    Returns:
        the stages in the order of the data.
    """
    twin = copy.deepcopy(unet).to("meta")
    inputs = meta_inputs(unet, size or unet.config.sample_size)
    with FlopCounterMode(display=False) as counter:
        shapes = watch(twin, *inputs)
    counts = counter.get_flop_counts()
    return [
        Block(
            name=name,
            takes=shapes[name][0][1:],
            gives=shapes[name][1][1:],
            skips=len(part.resnets) if name.startswith("up") else 0,
            listens=getattr(part, "has_cross_attention", False),
            parameters=sum(weight.numel() for weight in part.parameters()),
            flops=sum(counts.get(f"{type(twin).__name__}.{name}", {}).values()),
        )
        for name, part in parts(twin).items()
    ]


def meta_inputs(unet: "UNet2DConditionModel", size: int) -> tuple[Tensor, int, Tensor]:
    """A latent, a timestep and a prompt that have shapes and no numbers."""
    config = unet.config
    z = torch.empty(1, config.in_channels, size, size, device="meta", dtype=unet.dtype)
    c = torch.empty(1, TOKENS, config.cross_attention_dim, device="meta", dtype=unet.dtype)
    return z, 1, c


def blocks_table(stages: list[Block]) -> str:
    """The stages as text: what each gives, whether it listens, what it holds and what it costs."""
    total, flops = sum(b.parameters for b in stages), sum(b.flops for b in stages)
    rows = [("block", "takes", "gives", "prompt", "parameters", "", "GFLOP", "")]
    rows += [
        (b.name, plotting.shape_text(b.takes), plotting.shape_text(b.gives),
         "listens" if b.listens else "", f"{b.parameters:,}", f"{b.parameters / total:.1%}",
         f"{b.flops / 1e9:.3f}", f"{b.flops / flops:.1%}")
        for b in stages
    ]  # fmt: skip
    rows += [("all", "", "", "", f"{total:,}", "", f"{flops / 1e9:.3f}", "")]
    widths = [max(len(row[i]) for row in rows) for i in range(8)]
    left = [f"{{:<{w}}}" for w in widths[:4]] + [f"{{:>{w}}}" for w in widths[4:]]
    return "\n".join("  ".join(left).format(*row).rstrip() for row in rows)


def unet_diagram(stages: list[Block]) -> Figure:
    """The U, drawn from the shapes that were seen: every row is a resolution.

    Args:
        stages: from `blocks`.
    """
    stages = [b for b in stages if len(b.takes) == 3 and b.name != "conv_norm_out"]
    sizes = sorted({b.takes[1] for b in stages}, reverse=True)
    depth = len(stages) // 2 - 1  # blocks on the way down
    figure, axis = plotting.blank((depth + 4.6) * PITCH, (len(sizes) + 0.75) * ROW)
    places = {}
    for i, block in enumerate(stages):
        row = sizes.index(block.takes[1])
        places[block.name] = (_column(i, depth) * PITCH, (len(sizes) - row) * ROW)
        _draw(axis, block, *places[block.name])
    for before, after in zip(stages, stages[1:], strict=False):
        _flow(axis, places[before.name], places[after.name])
    for i in range(depth):
        across = places[f"down_blocks.{depth - 1 - i}"], places[f"up_blocks.{i}"]
        up = stages[depth + 2 + i]
        label = f"{up.skips} skip connections at {up.takes[1]} × {up.takes[1]}"
        _skip(axis, *across, label, under=i == 0)
    for row, size in enumerate(sizes):
        axis.text(0.05, (len(sizes) - row) * ROW + 0.42, f"{size} × {size}", fontsize=8,
                  color=plotting.MUTED)  # fmt: skip
    _legend(axis)
    return figure


def _column(i: int, depth: int) -> float:
    """Where stage i stands: out to the left on the way down, mirrored on the way up."""
    last = 2 * depth + 2
    if i > last // 2:
        return depth + 4.6 - _column(last - i, depth)
    if i == 0:
        return 0.55
    return depth / 2 + 2.3 if i == last // 2 else 1.05 + i / 2


def _draw(axis: Axes, block: Block, x: float, y: float) -> None:
    """One stage: its name, what it gives, and a dot where it listens to the prompt."""
    edge = block.name.startswith("conv")
    name = block.name.replace("_blocks.", " ").replace("_block", "").replace("_", " ")
    text = f"{name}\n→ {plotting.shape_text(block.gives)}"
    plotting.box(axis, x, y, WIDTH, HEIGHT, text, "data" if edge else "unet")
    if block.listens:
        axis.plot(x + WIDTH / 2 - 0.1, y + HEIGHT / 2 - 0.1, "o", color=plotting.PALETTE["text"])


def _flow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from stage to stage: level, down or up."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        plotting.arrow(axis, (x0 + WIDTH / 2, y0), (x1 - WIDTH / 2, y1))
    else:
        drop = HEIGHT / 2 if y0 > y1 else -HEIGHT / 2
        plotting.arrow(axis, (x0, y0 - drop), (x1, y1 + drop))


def _skip(axis: Axes, start, end, label: str, under: bool) -> None:
    """What is handed across, from the way down to the way up."""
    (x0, y0), (x1, y1) = start, end
    label_y = y0 + 0.07
    if under:
        plotting.arrow(axis, (x0, y0 - HEIGHT / 2), (x1, y1 - HEIGHT / 2), bend=0.18)
        label_y = y0 - HEIGHT / 2 - 0.09 * (x1 - x0) - 0.15
    else:
        plotting.arrow(axis, (x0 + WIDTH / 2, y0), (x1 - WIDTH / 2, y1))
    axis.text((x0 + x1) / 2, label_y, label, ha="center", fontsize=8,
              color=plotting.MUTED)  # fmt: skip


def _legend(axis: Axes) -> None:
    axis.plot(0.15, 0.28, "o", color=plotting.PALETTE["text"])
    axis.text(0.3, 0.28, "listens to the prompt", va="center", fontsize=8, color=plotting.INK)
    axis.text(0.08, 0.06, "t goes into every blue block", va="center", fontsize=8,
              color=plotting.INK)  # fmt: skip


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """A timestep as waves: cos(t · f_k) and sin(t · f_k) with f_k = 10000^(−k / (width / 2)).

    Args:
        t: timesteps, (B,), 0 to T − 1.
        width: how many numbers; even.
    Returns:
        cosines, then sines, (B, width), in [-1, 1].
    Raises:
        ValueError: width is odd.
    Source: Vaswani et al. 2017, section 3.5; Ho et al. 2020, appendix B. Notebook 03, section 3.
    """
    if width % 2:
        raise ValueError(f"width must be even, got {width}: half cosines, half sines.")
    k = torch.arange(width // 2, dtype=torch.float32, device=t.device)
    frequencies = torch.exp(-math.log(10000) * k / (width // 2))
    angles = t[:, None].float() * frequencies  # (B, width / 2)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


@torch.no_grad()
def forward(unet: "UNet2DConditionModel", z: Tensor, t: int, c: Tensor) -> Tensor:
    """The UNet's forward pass in plain sight: down, across the bottom, up.

    Args:
        unet: a UNet of Stable Diffusion.
        z: noisy latents, (B, C, h, w); h and w halve evenly at every level.
        t: the timestep, 0 to T − 1.
        c: the encoded prompt, (B, L, D).
    Returns:
        the predicted noise eps, (B, C, h, w).
    Source: Ronneberger et al. 2015, figure 1; Rombach et al. 2022, figure 3. Notebook 03,
    section 7.
    """
    times = torch.full((len(z),), t, device=z.device)
    waves = timestep_embedding(times, unet.config.block_out_channels[0])
    time = unet.time_embedding(waves.to(z.dtype))  # (B, 4 · C_0)
    x = unet.conv_in(z)
    skips = [x]
    for block in unet.down_blocks:
        x, left = block(x, time, **_words(block, c))
        skips += left
    x = unet.mid_block(x, time, c)
    for block in unet.up_blocks:
        n = len(block.resnets)
        skips, taken = skips[:-n], skips[-n:]
        x = block(x, tuple(taken), time, **_words(block, c))
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(x)))


def _words(block: nn.Module, c: Tensor) -> dict[str, Tensor]:
    """The prompt, for a block that listens."""
    return {"encoder_hidden_states": c} if getattr(block, "has_cross_attention", False) else {}


def change(before: Tensor, after: Tensor) -> float:
    """How much a prediction changed, as a share of its size: ‖after − before‖ / ‖before‖."""
    return ((after - before).norm() / before.norm()).item()
