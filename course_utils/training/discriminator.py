"""The discriminator: tells reconstructions from originals, patch by patch.

An average of all likely brush strokes is a blur, and a blur has the smallest squared error. A
network that is trained to tell strokes from blur at the same time forces the decoder to draw
strokes. As in Stable Diffusion's autoencoder it is a small convolutional network without a view of
the whole picture ("PatchGAN", Isola et al. 2017), trained with the hinge loss.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DETAIL_GAIN = 4  # brings fine detail to about the size of the picture's own values


class PatchDiscriminator(nn.Module):
    """Four convolutions; each logit sees a square of 26 pixels.

    Beside the picture they are given its fine detail, which is what a reconstruction lacks; with
    it the discriminator learns about four times as fast.
    """

    def __init__(self, width: int = 16):
        """
        Args:
            width: channels after the first convolution, a multiple of 4.
        """
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(8, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            nn.GroupNorm(8, 4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in -1..1 → logits (B, 1, H/4, W/4), high for originals."""
        return self.layers(torch.cat([x, DETAIL_GAIN * fine_detail(x)], dim=1)).float()


def fine_detail(x: Tensor) -> Tensor:
    """What averages of 3×3 pixels leave out of pictures (B, 3, H, W)."""
    return x - F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's loss: logits of originals above 1, of reconstructions below -1."""
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """The weight with which the adversarial loss pulls as hard as the reconstruction loss.

    Args:
        reconstruction: that loss of the autoencoder, a number.
        adversarial: the autoencoder's loss from the discriminator, a number.
        last: weights of the decoder's last layer; at these, gradients are compared.
    Returns:
        the ratio of their gradients' lengths, between 0 and 10,000, without a gradient.
    Source: Esser et al. 2021, "Taming transformers for high-resolution image synthesis", eq. 7.
    """
    lengths = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
        for loss in (reconstruction, adversarial)
    ]
    return (lengths[0] / (lengths[1] + 1e-4)).clamp(0, 1e4).detach()


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The network, whose weights get no gradient from what is computed meanwhile."""
    network.requires_grad_(False)
    try:
        yield network
    finally:
        network.requires_grad_(True)
