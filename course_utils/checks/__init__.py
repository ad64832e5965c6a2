"""Checks for the exercises: each calls the learner's function and says what is wrong with it.

Every check answers "ok", or "not attempted yet" where the function still raises
NotImplementedError; a wrong answer raises an AssertionError that names the likely mistake. There is
one module for each notebook.
"""

from course_utils.checks.attention import (
    check_attention_of_head,
    check_map_of_word,
    check_turn_tokens,
)
from course_utils.checks.depth2img import (
    check_five_channels,
    check_likeness,
    check_normalised,
    check_relative_error,
)
from course_utils.checks.img2img import (
    check_prepare,
    check_repainted,
    check_steps_left,
    check_strength_for,
)
from course_utils.checks.inpaint import (
    check_cut_out,
    check_keep_the_rest,
    check_nine_channels,
    check_paste,
)
from course_utils.checks.pipeline import check_clean_estimate, check_denoise, check_guide
from course_utils.checks.schedulers import check_heun_step, check_order, check_snr, check_timesteps
from course_utils.checks.text import check_causal_mask, check_cosine, check_embed, check_pad_or_cut
from course_utils.checks.tour import check_latent_shape, check_latents_seen, check_megabytes
from course_utils.checks.training import (
    check_moving_average,
    check_noise_from_velocity,
    check_noise_loss,
    check_times_seen,
    check_velocity,
)
from course_utils.checks.unet import (
    check_extra_parameters,
    check_implied_noise,
    check_join_skip,
    check_map_sizes,
)
from course_utils.checks.vae import (
    check_draw_latents,
    check_psnr,
    check_returned_size,
    check_scale_pixels,
)
