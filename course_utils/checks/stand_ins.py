"""A scheduler and a UNet of a line each, whose every use leaves a trace in the latents."""

from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
    from diffusers.schedulers.scheduling_utils import SchedulerOutput


class CountingScheduler:
    """A stand-in that notices what a denoising loop forgets; it is called as diffusers' are."""

    init_noise_sigma = 10.0

    def set_timesteps(self, num_inference_steps: int, device=None) -> None:
        self.timesteps = torch.arange(num_inference_steps, 0, -1)

    def scale_model_input(self, sample: Tensor, timestep: Tensor | int | None = None) -> Tensor:
        return sample / 5

    def step(
        self,
        model_output: Tensor,
        timestep: Tensor | int,
        sample: Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> "SchedulerOutput | tuple[Tensor]":
        from diffusers.schedulers.scheduling_utils import SchedulerOutput

        before = sample - 0.1 * model_output * timestep
        return SchedulerOutput(prev_sample=before) if return_dict else (before,)


def counting_unet(
    sample: Tensor,
    timestep: Tensor | int,
    encoder_hidden_states: Tensor,
    return_dict: bool = True,
    **options,
) -> "UNet2DConditionOutput | tuple[Tensor]":
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

    eps = sample + encoder_hidden_states[:, :1, :1, None] * timestep
    return UNet2DConditionOutput(sample=eps) if return_dict else (eps,)


def stand_in(scheduler: CountingScheduler) -> SimpleNamespace:
    """What a loop needs of a pipeline."""
    return SimpleNamespace(scheduler=scheduler, unet=counting_unet, device=torch.device("cpu"))


class Img2ImgScheduler(CountingScheduler):
    """The stand-in again, and it can put noise in: more of it at larger timesteps."""

    order = 1

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Taken note of by real schedulers; this one looks every timestep up."""

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        if timesteps is None:
            raise AssertionError("t is None after the last step: keep z0 itself there, unnoised.")
        if getattr(timesteps, "shape", None) != (1,):
            raise AssertionError("give add_noise the timestep as a tensor of shape (1,).")
        return original_samples + noise * timesteps
