"""A perceptual distance: how differently a trained network sees two pictures.

Two pictures that look alike to us can differ in every pixel, as two lawns do. The feature maps of a
network that recognises things differ less between them than between a sharp picture and a blurred
one. The networks here are the course's own: the judge, or the image encoder of its CLIP.

Source: Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric".
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, CLIPVisionModel

NAMES = ("none", "judge", "clip")


class PerceptualDistance(nn.Module):
    """The distance of two pictures in the feature maps of a frozen network."""

    def __init__(self, network: nn.Module, **arguments):
        """
        Args:
            network: a vision model of transformers; its hidden states are compared.
            arguments: passed to the network with every picture.
        """
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.arguments = {"output_hidden_states": True, **arguments}

    def features(self, x: Tensor) -> list[Tensor]:
        """Pictures (B, 3, H, W) in -1..1 → feature maps of each layer, channels of unit length.

        Maps are (B, C, h, w), tokens of a transformer (B, C, L)."""
        states = self.network(x, **self.arguments).hidden_states
        return [unit_length(state if state.ndim == 4 else state.mT) for state in states]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean over layers and places of the squared distance of the features, 0 to 4.

        Args:
            x: the originals, (B, 3, H, W) in -1..1; no gradient flows to them.
            y: the pictures that are compared with them.
        """
        with torch.no_grad():
            wanted = self.features(x)
        parts = [
            (a - b).square().sum(1).mean() for a, b in zip(self.features(y), wanted, strict=True)
        ]
        return torch.stack(parts).mean()


def unit_length(features: Tensor) -> Tensor:
    """Divide the features (B, C, …) at each place by their length over the channels."""
    return F.normalize(features.float(), dim=1, eps=1e-3)


def load_perceptual(name: str, build: Path) -> PerceptualDistance | None:
    """The distance that a configuration names.

    Args:
        name: "judge" for the bundled judge, "clip" for the CLIP trained in `build`, "none".
        build: where the parts of this training are.
    Raises:
        ValueError: another name.
    """
    if name not in NAMES:
        raise ValueError(f"no perceptual distance {name!r}. Choose one of: {', '.join(NAMES)}.")
    if name == "none":
        return None
    if name == "judge":
        from course_utils.training.judge import load_judge  # the judge imports the autoencoder

        return PerceptualDistance(load_judge().network)
    clip = AutoConfig.from_pretrained(build / "clip" / "clip").vision_config
    network = CLIPVisionModel.from_pretrained(build / "clip" / "clip", config=clip)
    return PerceptualDistance(network, interpolate_pos_encoding=True)
