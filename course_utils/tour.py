"""Notebook 00: what a Stable Diffusion pipeline is made of, and how data flows through it."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils import plotting

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PURPOSE = {  # component: (what it is for, why it may be None)
    "vae": ("turns pictures into latents and latents into pictures", ""),
    "text_encoder": ("turns tokens into vectors the UNet can listen to", ""),
    "tokenizer": ("cuts a prompt into tokens and numbers them", ""),
    "unet": ("predicts the noise in noisy latents", ""),
    "scheduler": ("says how much noise there is at each step and removes it", ""),
    "safety_checker": (
        "blacks out pictures it takes for offensive",
        "the pocket model can only draw its own harmless world",
    ),
    "feature_extractor": (
        "prepares pictures for the safety checker",
        "there is no safety checker to prepare them for",
    ),
    "image_encoder": (
        "lets a picture stand in for a prompt (IP-Adapter)",
        "needed only once an IP-Adapter is loaded",
    ),
}


@dataclass(frozen=True)
class Component:
    """One line of the table of components.

    Attributes:
        name: its name in `pipe.components`.
        kind: its class, or "None".
        parameters: how many numbers were learned; 0 for what is not a network.
        note: what it is for, or, where it is None, why.
    """

    name: str
    kind: str
    parameters: int
    note: str


@dataclass(frozen=True)
class Station:
    """One call of a network while a picture is drawn: what went in and what came out."""

    name: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    calls: int


def count_parameters(module: nn.Module) -> int:
    """How many numbers a network has learned."""
    return sum(parameter.numel() for parameter in module.parameters())


def components(pipe: "StableDiffusionPipeline") -> list[Component]:
    """The components of a pipeline, in its own order.

    Args:
        pipe: any Stable Diffusion pipeline.
    Returns:
        a Component for each name in `pipe.components`.
    """
    return [_component(name, part) for name, part in pipe.components.items()]


def _component(name: str, part) -> Component:
    purpose, why_none = PURPOSE.get(name, ("", ""))
    if part is None:
        return Component(name, "None", 0, f"not here: {why_none}")
    parameters = count_parameters(part) if isinstance(part, nn.Module) else 0
    return Component(name, type(part).__name__, parameters, purpose)


def components_table(pipe: "StableDiffusionPipeline") -> str:
    """The components as text, one line each."""
    rows = [("component", "class", "parameters", "what it is for")]
    rows += [
        (c.name, c.kind, f"{c.parameters:,}" if c.parameters else "–", c.note)
        for c in components(pipe)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {count:>{widths[2]}}  {note}"
        for name, kind, count, note in rows
    )


@torch.no_grad()
def trace(pipe: "StableDiffusionPipeline", prompt: str, **options) -> list[Station]:
    """Draw a picture and write down the shapes at every network on the way.

    Args:
        pipe: the pipeline to watch.
        prompt: what to draw.
        options: passed on to the pipeline, for instance num_inference_steps.
    Returns:
        the stations in the order of the data: text_encoder, unet, vae decoder.
    """
    networks = {"text_encoder": pipe.text_encoder, "unet": pipe.unet, "vae": pipe.vae.decoder}
    seen: dict[str, list[Station]] = {name: [] for name in networks}

    def watch(name):
        def hook(module, args, kwargs, output):
            takes = args[0] if args else next(iter(kwargs.values()))
            gives = output if isinstance(output, torch.Tensor) else output[0]
            calls = len(seen[name]) + 1
            seen[name].append(Station(name, tuple(takes.shape), tuple(gives.shape), calls))

        return hook

    with ExitStack() as stack:
        for name, network in networks.items():
            handle = network.register_forward_hook(watch(name), with_kwargs=True)
            stack.callback(handle.remove)
        pipe(prompt, **options)
    return [stations[-1] for stations in seen.values()]


def diagram(stations: list[Station], highlight: str = "") -> Figure:
    """The way from a prompt to a picture, drawn from what `trace` saw.

    Args:
        stations: text encoder, UNet and decoder, from `trace`.
        highlight: "text", "unet", "scheduler" or "vae": the others fade.
    """
    text, unet, decoder = stations
    shapes = {
        "tokens": text.takes,
        "embeddings": text.gives,
        "latents": decoder.takes,
        "picture": decoder.gives,
    }
    return plotting.pipeline_diagram(shapes, unet.calls, highlight)
