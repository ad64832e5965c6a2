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

pipe = course_utils.load()
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed = 7

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=10)
tour.diagram(stations)
plt.show()

# %% [markdown]
# ## 1 · Step by step
#
# Every part is on the table. We put them together once, slowly, without a function, for the
# article's own prompt: 30 steps, guidance 8.
#
# First the words. Guidance compares what the UNet predicts *with* the prompt and *without* it, so
# it needs two stacks of vectors. Where the prompt is missing, the **negative prompt** speaks. (On a
# GPU, what meets must be on one device: `.to(pipe.device)` sends the tokens to the text encoder, and
# `.to(context)` the noise to where its answer is, in the same precision. On a CPU nothing changes.)

# %%
prompt = "Beautiful picture of a wave breaking"
negative_prompt = "zoomed in, blurry, oversaturated, warped"
steps, g = 30, 8

ids = pipe.tokenizer(
    [negative_prompt, prompt], padding="max_length", truncation=True, return_tensors="pt"
).input_ids
with torch.no_grad():
    context = pipe.text_encoder(ids.to(pipe.device))[0]
print("tokens ", tuple(ids.shape))
print("context", tuple(context.shape))

# %% [markdown]
# Then the noise, as strong as the scheduler wants it.

# %%
pipe.scheduler.set_timesteps(steps)
generator = torch.Generator().manual_seed(seed)
size = pipe.unet.config.sample_size  # 16: width and height of the latents
z = torch.randn((1, 4, size, size), generator=generator).to(context)
z = z * pipe.scheduler.init_noise_sigma
print("latents", tuple(z.shape), " first timesteps", pipe.scheduler.timesteps[:4].tolist())

# %% [markdown]
# Now the loop. Five lines, six ideas:
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
# `course_utils.pipeline.text_to_image` is the same as a function, and `denoise` is its loop. Read
# them; you know every line. (`extra` and `after` wait for notebooks 07 and 08.)

# %%
import inspect

for function in (pipeline.text_to_image, pipeline.denoise):
    body = inspect.getsource(function).split('"""')[-1]
    print(f"# {function.__name__}({', '.join(inspect.signature(function).parameters)}){body}")

# %% [markdown]
# | helper | what it does |
# |---|---|
# | `check_inputs` | refuses what would fail later, or be changed in silence |
# | `embed` | tokenizer and text encoder: the negative prompts first, then the prompts |
# | `initial_noise` | noise in the shape of the latents |
# | `guide` | `chunk`, then `u + g * (c - u)` |
# | `step_options` | the generator, for schedulers that throw dice at every step |
# | `clean_estimate` | only for `watch`: see the next section |

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
chosen = seen[::2]
noisy = [pipeline.decode(pipe, z)[0] for _, z, _ in chosen]
clean = [pipeline.decode(pipe, z0)[0] for _, _, z0 in chosen]
titles = [f"t = {t}" for t, _, _ in chosen[::2]] + [""] * len(chosen[::2])
plotting.show_pictures(noisy[::2] + clean[::2], titles, columns=len(chosen[::2]), size=1.5)
plt.show()

# %% [markdown]
# The first guess has no detail: the average of everything the prompt could mean, in colours that
# guidance makes too strong. Place and light are settled first, the thing next, its edges last. The
# early steps decide *what*, the late ones *how*.

# %% [markdown]
# Here is every second step, twice as many as above. When can you tell that it is a man? When does he have a yellow shirt?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Scrubber


def at_step(step):
    """The noisy latents and the clean estimate, decoded."""
    i = (step - 1) // 2
    pictures = {"the noisy latents": noisy[i], "the clean estimate": clean[i]}
    return pictures, f"step {step} of {len(seen)}, t = {chosen[i][0]}"


Scrubber(at_step, {"step": range(1, len(seen) + 1, 2)})

# %% [markdown]
# ## 3 · Guidance
#
# $$\varepsilon = \varepsilon_u + g\,(\varepsilon_c - \varepsilon_u)$$
#
# With $g = 1$ the network's plain opinion is left. With $g > 1$ we go past it, in the direction that
# tells a picture with this prompt from any picture. Nine prompts, each from its own noise, which is
# the same for all three values of $g$; and the first three once more, with the largest $g$ and more steps:

# %%
asked = [("dog", "red", "snow"), ("robot", "blue", "beach"), ("cat", "purple", "park bench")]
asked += [("dog", "pink", "park"), ("robot", "black", "park bench"), ("cat", "blue", "beach")]
asked += [("dog", "white", "park bench"), ("robot", "green", "snow"), ("cat", "yellow", "park")]
at = {"snow": "in the snow", "beach": "on a beach", "park": "in a park"}
at["park bench"] = "on a park bench"
texts = [f"a {color} {thing} {at[place]}" for thing, color, place in asked]
print(*texts, sep="\n")


# %%
def guided(texts, g, steps):
    """Latents for some prompts; the noise of each is always the same."""
    noise = torch.Generator().manual_seed(4)
    return pipeline.text_to_image(
        pipe, texts, num_inference_steps=steps, guidance_scale=g, generator=noise
    )


latents = {scale: guided(texts, scale, 12) for scale in (1, 3, 12)}
drawn = {scale: pipeline.decode(pipe, z) for scale, z in latents.items()}
finer = guided(texts[:3], 12, 25)
print("g = 0 draws what g = 1 draws:", torch.equal(*(guided(texts[0], g, 1) for g in (0, 1))))
for count, z in ((12, latents[12][:3]), (25, finer)):
    print(f"g = 12, {count} steps: the latents spread by {z.std():.2f}")

# %% [markdown]
# The first three, a row for each prompt:

# %%
columns = {f"g = {scale}": pictures[:3] for scale, pictures in drawn.items()}
columns["g = 12, 25 steps"] = pipeline.decode(pipe, finer)
pictures = [column[row] for row in range(3) for column in columns.values()]
plotting.show_pictures(pictures, [*columns] * 3, columns=len(columns), size=1.8)
plt.show()

# %% [markdown]
# At $g = 12$ twelve steps are too few: guidance makes the difference of the two answers 12 times larger,
# and the sampler overshoots (notebook 04); the latents should spread by about 1. With 25 steps the same
# noise gives clean pictures, but for some blots. What remains is a stronger colour, and, over many pictures, less variety.
#
# (By the equation, $g = 0$ would not hear the prompt at all. But diffusers reads every $g \le 1$ as *no
# guidance*, and so do we.)
#
# Does guidance really make the picture obey? The project's judge, a classifier trained on true
# pictures of the world, can say (of the pocket model's pictures: it knows no other). How many of the nine pictures of 12 steps show the thing, the colour
# and the place that were asked for:

# %%
import numpy as np

from course_utils.training.judge import load_judge

judge = load_judge()
print(f"  g  thing colour  place    (of {len(asked)})")
for scale, pictures in drawn.items():
    told = judge.names(np.stack(pictures))
    seen = [(t["subject"], t["color"], t["place"]) for t in told]
    counts = (np.array(seen) == np.array(asked)).sum(axis=0)
    print(f"{scale:3}", *(f"{count:6}" for count in counts))

# %% [markdown]
# The large differences count: the grainy pictures of the last line show fewer things, and far fewer colours. One
# more or less of nine may be luck. The larger test in the model card (`course_utils/pocket/README.md`) finds hardly
# a gain for the thing: it is right in 95 % of the pictures at $g = 1$, in 97 % at 3 and at 5, in 94 % at 8.
#
# What guidance does for this small model is seen rather than counted: edges and parts become definite.
# Some words are obeyed more often, though: colours in 93 % of the pictures at $g = 1$, in all of them at
# $g = 3$; words like "high resolution" in 94 %, then in all. The real Stable Diffusion learned from captions that are far vaguer, and needs guidance much
# more.

# %% [markdown]
# ## 4 · The negative prompt
#
# Nothing new happens here. The negative prompt merely takes the place of the empty prompt in
# $\varepsilon_u$: guidance then moves *from* it *towards* the prompt. So it can decide what the
# prompt leaves open. "a house" does not say where the house stands. (The time of day would not do: in
# this world's captions it is day unless they say so.) Six houses for each negative prompt, always
# from the same noise:

# %%
houses = {}
for text in ("", "in the snow", "in a park", "blurry"):
    z = pipeline.text_to_image(
        pipe,
        ["a house"] * 6,
        negative_prompt=text,
        num_inference_steps=8,
        guidance_scale=5,
        generator=torch.Generator().manual_seed(2),
    )
    houses[text or "(nothing)"] = pipeline.decode(pipe, z)

# %%
names = ["snow", "park", "beach", "high resolution"]
print("not            ", "  ".join(names), " (of 6)")
for text, pictures in houses.items():
    told = judge.names(np.stack(pictures))
    seen = [t["place"] for t in told] + [t["quality"] for t in told]
    print(f"{text:12}", *(f"{seen.count(name):6}" for name in names))

pictures = [picture for row in houses.values() for picture in row]
titles = [title for text in houses for title in [f"not: {text}"] + [""] * 5]
plotting.show_pictures(pictures, titles, columns=6, size=1.6)
plt.show()

# %% [markdown]
# Look down a column: the noise is the same, what the prompt left open is not. A place becomes rare
# where it is named, and others take its share. "blurry" names no place; it pushes the pictures from
# the blurry ones to the sharp ones, and that is why such words are popular in negative prompts.
#
# What the prompt does say is another matter: a negative prompt that contradicts it pulls against it,
# and the picture suffers. And without guidance ($g \le 1$) there is no $\varepsilon_u$, so a
# negative prompt does nothing at all.

# %% [markdown]
# Try both together. At $g = 1$ no negative prompt changes anything. How large must $g$ be before "in a park" drives the houses out
# of the park? And at which $g$ are the ten steps that it takes here no longer enough?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Explorer


def houses_without(g, negative):
    """Three houses, always from the same noise."""
    dice = torch.Generator().manual_seed(2)
    z = pipeline.text_to_image(pipe, ["a house"] * 3, negative, 10, g, dice)
    pictures = {f"house {n}": one for n, one in enumerate(pipeline.decode(pipe, z), start=1)}
    return pictures, f"a house, g = {g}, not: {negative or '(nothing)'}"


refused = ["", "in the snow", "in a park", "on a beach", "blurry", "high resolution"]
Explorer(houses_without, {"g": [1, 2, 3, 5, 8, 12, 20], "negative prompt": refused})

# %% [markdown]
# ## 5 · Seeds and batches
#
# The prompt says what; the noise says which one. One prompt, one batch, and eight noises, one after the
# other from one seed:

# %%
z = pipeline.text_to_image(
    pipe,
    ["a man in a yellow shirt on a beach"] * 8,
    num_inference_steps=12,
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
        "num_inference_steps": 6,
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
from course_utils.models import architecture, find_real

for name in ("pocket", "sd-2.1"):
    unet = architecture(name, "unet")
    side = unet.config.sample_size
    print(
        f"{name:7} latents 4 × {side} × {side}, text width {unet.config.cross_attention_dim}, "
        f"{sum(p.numel() for p in unet.parameters()):,} parameters"
    )

# %% [markdown]
# Our loop, on the real model where it is on this machine: the article's picture, with the article's settings.

# %% tags=["needs-download"]
full = find_real(pipe)
if full:
    generator = torch.Generator().manual_seed(seed)
    z = pipeline.text_to_image(full, prompt, negative_prompt, steps, g, generator)
    plotting.show_pictures(pipeline.decode(full, z), [prompt], size=4)
    plt.show()

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model()

# %% [markdown]
# ## 9 · Recap
#
# - The pipeline is one loop: ask the UNet twice, guide, let the scheduler step.
# - At every step there is a clean picture in the UNet's mind; it sharpens from place to edges.
# - Guidance goes past the UNet's own opinion, away from the negative prompt; a large $g$ needs more steps.
# - The seed gives the noise, and the noise decides what the prompt leaves open.
# - Ours and the library's are the same, bit for bit.
#
# Next: **06 · Img2Img**: how do I repaint a picture I already have?
