# %% [markdown]
# # 05 · The pipeline
#
# **Can I write the whole pipeline myself?**
#
# You should know: notebooks 01 to 04, or what a VAE, a text encoder, a UNet and a scheduler do ·
# Time: 40 minutes · Needs: any laptop, no GPU, no download
#
# **When you are done with this notebook you can**
#
# - write the loop that turns noise and a prompt into a picture,
# - say what guidance, the negative prompt and the seed do to the picture,
# - prove that your loop is the library's, bit for bit.

# %%
import matplotlib.pyplot as plt
import torch

import course_utils
from course_utils import checks, pipeline, plotting, tour
from course_utils.drawing import make_scheduler

pipe = course_utils.load("pocket")
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed = 7

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=30)
tour.diagram(stations)
plt.show()

# %% [markdown]
# ## 1 · Step by step
#
# Every part is on the table. We put them together once, slowly, without a function, for the
# article's own prompt: 30 steps, guidance 8.
#
# First the words. Guidance compares what the UNet predicts *with* the prompt and *without* it, so
# it needs two stacks of vectors. Where the prompt is missing, the **negative prompt** speaks.

# %%
prompt = "Beautiful picture of a wave breaking"
negative_prompt = "zoomed in, blurry, oversaturated, warped"
steps, g = 30, 8

ids = pipe.tokenizer(
    [negative_prompt, prompt], padding="max_length", truncation=True, return_tensors="pt"
).input_ids
with torch.no_grad():
    context = pipe.text_encoder(ids)[0]
print("tokens ", tuple(ids.shape))
print("context", tuple(context.shape))

# %% [markdown]
# Then the noise, as strong as the scheduler wants it.

# %%
pipe.scheduler.set_timesteps(steps)
generator = torch.Generator().manual_seed(seed)
z = torch.randn((1, 4, 16, 16), generator=generator) * pipe.scheduler.init_noise_sigma
print("latents", tuple(z.shape), " first timesteps", pipe.scheduler.timesteps[:4].tolist())

# %% [markdown]
# Now the loop. Six lines, and each is an idea:
#
# | line | idea | notebook |
# |---|---|---|
# | `torch.cat([z, z])` | ask twice in one batch: without and with the prompt | this one |
# | `scale_model_input` | some schedulers keep latents in another scale | 04 |
# | `pipe.unet(…)` | which part of this is noise? | 03 |
# | `chunk` | the two answers | this one |
# | `u + g * (c - u)` | guidance: go further in the direction of the prompt | this one |
# | `step` | take some of the noise away | 04 |

# %%
with torch.no_grad():
    for t in pipe.scheduler.timesteps:
        doubled = pipe.scheduler.scale_model_input(torch.cat([z, z]), t)
        u, c = pipe.unet(doubled, t, context).sample.chunk(2)
        eps = u + g * (c - u)
        z = pipe.scheduler.step(eps, t, z).prev_sample

plotting.show_pictures(pipeline.decode(pipe, z), [prompt], size=3)
plt.show()

# %% [markdown]
# That is Stable Diffusion. Everything else is convenience.
#
# `course_utils.pipeline.text_to_image` is the same loop as one function. Read it; you know every
# line of it.

# %%
import inspect

source = inspect.getsource(pipeline.text_to_image)
print(source[source.index("    prompts =") :])

# %% [markdown]
# ## 2 · What the UNet has in mind
#
# The UNet predicts noise. But whoever knows the noise knows the picture: with
#
# $$z_t = \sqrt{\bar\alpha_t}\, z_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon
# \quad\Rightarrow\quad \hat z_0 = \frac{z_t - \sqrt{1-\bar\alpha_t}\,\hat\varepsilon}{\sqrt{\bar\alpha_t}}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $z_t$ | `z` | (1, 4, 16, 16) |
# | $\hat\varepsilon$ | `eps` | (1, 4, 16, 16) |
# | $\hat z_0$ | `z0` | (1, 4, 16, 16) |
# | $\bar\alpha_t$ | `alpha_bar` | one number |
#
# So at every step we can decode the picture the UNet has in mind. Above: the noisy latents, decoded.
# Below: the clean estimate.

# %%
seen = []
pipeline.text_to_image(
    pipe,
    "a man in a yellow shirt on a beach",
    num_inference_steps=24,
    guidance_scale=6,
    generator=torch.Generator().manual_seed(seed),
    watch=lambda i, t, z, z0: seen.append((t, z, z0)),
)
chosen = seen[::4]
noisy = [pipeline.decode(pipe, z)[0] for _, z, _ in chosen]
clean = [pipeline.decode(pipe, z0)[0] for _, _, z0 in chosen]
titles = [f"t = {t}" for t, _, _ in chosen] + [""] * len(clean)
plotting.show_pictures(noisy + clean, titles, columns=len(chosen), size=1.5)
plt.show()

# %% [markdown]
# The first guess has no detail: the average of everything the prompt could mean, in colours that
# guidance makes too strong. Place and light are settled first, the thing next, its edges last. The
# early steps decide *what*, the late ones *how*.

# %% [markdown]
# ## 3 · Guidance
#
# $$\varepsilon = \varepsilon_u + g\,(\varepsilon_c - \varepsilon_u)$$
#
# With $g = 1$ the network's plain opinion is left. With $g > 1$ we go past it, in the direction that
# tells a picture with this prompt from any picture. The same noise, five values of $g$:

# %%
scales = [0, 1, 3, 8, 15]
prompts = ["a purple cat in a park", "an oil painting of a man on a bench"]
pictures, titles = [], []
for text in prompts:
    for scale in scales:
        z = pipeline.text_to_image(
            pipe,
            text,
            num_inference_steps=25,
            guidance_scale=scale,
            generator=torch.Generator().manual_seed(3),
        )
        pictures += pipeline.decode(pipe, z)
        titles.append(f"g = {scale}")
plotting.show_pictures(pictures, titles, columns=len(scales), size=1.8)
plt.show()

# %% [markdown]
# Diffusers reads every $g \le 1$ as *no guidance*, and so do we: the first two columns are equal.
# Does guidance really make the picture obey? The project's judge, a classifier trained on true
# pictures of the world, can say. Eight pictures for each value; too few for a second digit, enough to
# see the difference:

# %%
import numpy as np

from course_utils.training.judge import load_judge

judge = load_judge()
asked = [("dog", "red"), ("robot", "blue"), ("ball", "green"), ("house", "yellow")] * 2
texts = [f"a {color} {subject} in the snow" for subject, color in asked]
for scale in (1, 3, 8):
    z = pipeline.text_to_image(
        pipe,
        texts,
        num_inference_steps=20,
        guidance_scale=scale,
        generator=torch.Generator().manual_seed(0),
    )
    told = judge.names(np.stack([np.asarray(p) for p in pipeline.decode(pipe, z)]))
    right = sum((t["subject"], t["color"]) == a for t, a in zip(told, asked, strict=True))
    print(f"g = {scale}: {right} of {len(asked)} pictures show the thing in the colour asked for")

# %% [markdown]
# ## 4 · The negative prompt
#
# Nothing new happens here. The negative prompt merely takes the place of the empty prompt in
# $\varepsilon_u$: guidance then moves *from* it *towards* the prompt.

# %%
negatives = ["", "blurry", "oversaturated", "night"]
pictures = []
for text in negatives:
    z = pipeline.text_to_image(
        pipe,
        "a cityscape",
        negative_prompt=text,
        num_inference_steps=25,
        guidance_scale=5,
        generator=torch.Generator().manual_seed(11),
    )
    pictures += pipeline.decode(pipe, z)
plotting.show_pictures(pictures, [f"not: {text or '(nothing)'}" for text in negatives], size=2.2)
plt.show()

# %% [markdown]
# ## 5 · Seeds and batches
#
# The prompt says what; the noise says which one. Eight seeds, one prompt, one batch:

# %%
z = pipeline.text_to_image(
    pipe,
    ["a man in a yellow shirt on a beach"] * 8,
    num_inference_steps=25,
    guidance_scale=6,
    generator=torch.Generator().manual_seed(4),
)
plotting.show_pictures(pipeline.decode(pipe, z), columns=8, size=1.4)
plt.show()

# %% [markdown]
# ## 6 · Exercises
#
# **Exercise 1** (easy, 5 minutes). Write guidance: two predictions come in one batch, without the
# prompt first.


# %% tags=["exercise"]
def guide(eps: torch.Tensor, g: float) -> torch.Tensor:
    """Classifier-free guidance: (2B, C, h, w) → (B, C, h, w)."""
    # solution
    u, c = eps.chunk(2)
    return u + g * (c - u)
    # end solution


checks.check_guide(guide)

# %% [markdown]
# **Exercise 2** (easy, 5 minutes). Write the clean estimate of section 2.


# %% tags=["exercise"]
def clean_estimate(z: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """The clean latents that a noise prediction implies, same shape as z."""
    # solution
    return (z - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()
    # end solution


checks.check_clean_estimate(clean_estimate)

# %% [markdown]
# **Exercise 3** (15 minutes). The loop itself, for a scheduler that needs no generator.


# %% tags=["exercise"]
def denoise(pipe, context: torch.Tensor, z: torch.Tensor, steps: int, g: float) -> torch.Tensor:
    """Take the noise out of z, (1, 4, h, w); context (2, 77, D) has the negative prompt first."""
    # solution
    pipe.scheduler.set_timesteps(steps)
    z = z * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        doubled = pipe.scheduler.scale_model_input(torch.cat([z, z]), t)
        with torch.no_grad():
            u, c = pipe.unet(doubled, t, context).sample.chunk(2)
        z = pipe.scheduler.step(u + g * (c - u), t, z).prev_sample
    return z
    # end solution


checks.check_denoise(denoise)

# %% [markdown]
# ## 7 · The proof
#
# Our function against diffusers' own pipeline, for four schedulers: equal means every one of the
# 1,024 numbers has the same 32 bits.

# %%
import diffusers

own = pipe.scheduler
for name in (
    "PNDMScheduler",
    "DDIMScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
):
    pipe.scheduler = getattr(diffusers, name).from_config(own.config)
    options = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "guidance_scale": 8.0,
        "num_inference_steps": 10,
    }
    ours = pipeline.text_to_image(pipe, **options, generator=torch.Generator().manual_seed(1))
    theirs = pipe(
        **options, generator=torch.Generator().manual_seed(1), output_type="latent"
    ).images
    print(f"{name:32} equal: {torch.equal(ours, theirs)}")
pipe.scheduler = own

# %% [markdown]
# ## 8 · At full size
#
# The loop does not change. What changes is the work: a guided step of Stable Diffusion 2.1 at 512²
# costs 1.61 TFLOP, that is 2 × 804 GFLOP for the UNet.

# %%
from course_utils.models import architecture

for name in ("pocket", "sd-2.1"):
    unet = architecture(name, "unet")
    side = unet.config.sample_size
    print(
        f"{name:7} latents 4 × {side} × {side}, text width {unet.config.cross_attention_dim}, "
        f"{sum(p.numel() for p in unet.parameters()):,} parameters"
    )

# %% [markdown]
# ## 9 · Recap
#
# - The pipeline is one loop: ask the UNet twice, guide, let the scheduler step.
# - At every step there is a clean picture in the UNet's mind; it sharpens from place to edges.
# - Guidance trades variety for obedience; the negative prompt is where guidance starts from.
# - The seed is the noise, and the noise is the picture's layout.
# - Ours and the library's are the same, bit for bit.
#
# Next: **06 · Img2Img**: what else can the same parts do?
