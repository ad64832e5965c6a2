"""Checks for the exercises of notebook 07."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.checks.answer import attempted, expect_tensor
from course_utils.checks.stand_ins import Img2ImgScheduler


@attempted
def check_cut_out(cut_out: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Notebook 07: the picture with its hole."""
    x = torch.linspace(-1, 1, 18).reshape(1, 3, 2, 3)
    m = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]])
    expect_tensor(
        cut_out(x, m),
        x * (1 - m),
        {
            "that is the hole without the picture: multiply by 1 - m.": x * m,
            "-1 is black; in -1..1 the grey of the hole is 0.": x * (1 - m) - m,
            "1 is white; in -1..1 the grey of the hole is 0.": x * (1 - m) + m,
            "subtracting the mask makes the hole darker; multiply by 1 - m.": x - m,
            "in -1..1 the grey of the hole is 0, not one half.": x * (1 - m) + m / 2,
        },
        "x ⊙ (1 − m): the picture where m is 0, and 0 where m is 1.",
    )


@attempted
def check_nine_channels(nine_channels: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """Notebook 07: what the inpainting UNet sees, for both halves of guidance."""
    z = torch.arange(24.0).reshape(1, 4, 2, 3)
    small, kept = 50 + torch.arange(6.0).reshape(1, 1, 2, 3), -1 - z
    nine = torch.cat([z, small, kept], dim=1)

    def twice(*parts):
        return torch.cat([torch.cat(parts, dim=1)] * 2)

    expect_tensor(
        nine_channels(z, small, kept),
        torch.cat([nine, nine]),
        {
            "guidance asks twice: give the nine channels two times, as a batch of 2.": nine,
            "the second time is another picture of the batch: dim=0.": torch.cat([nine] * 2, dim=1),
            "the mask comes before the kept latents.": twice(z, kept, small),
            "the noisy latents come first.": twice(small, kept, z),
            "the noisy latents come first, then the mask.": twice(kept, small, z),
            "the noisy latents come before the mask.": twice(small, z, kept),
        },
        "noisy latents, mask, kept latents along dim=1; then the whole twice along dim=0.",
    )


@attempted
def check_paste(paste: Callable) -> None:
    """Notebook 07: the painted picture inside the mask, the old one outside."""
    picture = torch.arange(18, dtype=torch.uint8).reshape(2, 3, 3)
    painted, mask = 200 + picture, torch.tensor([[True, False, False], [False, True, False]])
    given = paste(picture, painted, mask)
    m = mask[..., None].int()
    expect_tensor(
        given,
        torch.where(mask[..., None], painted, picture),
        {
            "inside and outside are exchanged: True is to be painted.": torch.where(
                mask[..., None], picture, painted
            ),
            "that is the painted picture: outside the mask, take the old one.": painted,
            "that is the old picture: inside the mask, take the painted one.": picture,
            "outside the mask stands black: add the old picture there.": painted * m,
            "that is the sum: inside the mask the old picture must go.": picture + painted * m,
            "half and half is not kept: take the one or the other.": (picture.int() + painted) // 2,
        },
        "painted where the mask is True, the picture elsewhere.",
    )
    if given.dtype != torch.uint8:
        raise AssertionError(f"you gave {given.dtype}: a picture's bytes are torch.uint8.")


class _LoudScheduler(Img2ImgScheduler):
    """The same, and there is noise at timestep 0, too."""

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        return super().add_noise(original_samples, noise, timesteps) + noise


@attempted
def check_keep_the_rest(keep_the_rest: Callable) -> None:
    """Notebook 07: the step that lets any UNet inpaint."""
    z, z0, eps = (torch.full((1, 4, 2, 2), value) for value in (7.0, 3.0, 0.5))
    hole = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    scheduler, t = _LoudScheduler(), torch.tensor([3])

    def mixed(inside: Tensor, outside: Tensor) -> Tensor:
        return hole * inside + (1 - hole) * outside

    known = z0 + 4 * eps
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, t),
        mixed(z, known),
        {
            "inside and outside are exchanged: hole is 1 where the UNet paints.": mixed(known, z),
            "the kept part must be as noisy as the rest: scheduler.add_noise.": mixed(z, z0),
            "nothing is kept: outside the hole put the noisy picture.": z,
            "nothing is painted: inside the hole leave z.": known,
            "add the noise to z0, not to z.": mixed(z, z + 4 * eps),
            "z0 comes first in add_noise, then the noise.": mixed(z, eps + 4 * z0),
            "inside the hole z has its noise already.": mixed(z + 4 * eps, known),
        },
        "hole ⊙ z + (1 − hole) ⊙ add_noise(z0, eps, t).",
    )
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, torch.tensor([0])),
        mixed(z, z0 + eps),
        {},
        "timestep 0 is no end: only None is (`if t is None`, not `if not t`).",
    )
    expect_tensor(
        keep_the_rest(scheduler, z, z0, eps, hole, None),
        mixed(z, z0),
        {},
        "after the last step t is None: there is no noise left, the picture itself is kept.",
    )
