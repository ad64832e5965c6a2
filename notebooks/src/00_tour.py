# %% [markdown]
# # 00 · The tour
#
# **What happens between a prompt and a picture?**
#
# You should know: a little Python · Time: 20 minutes · Needs: any laptop, no GPU, no download
#
# Stable Diffusion is not one network. It is a handful of parts, each simple enough to hold in
# your head, that pass numbers to each other. This course takes them apart one by one. First,
# though, let it draw.
#
# The course began with an article that takes the pipeline apart step by step: part eleven of a
# Chinese series, with code from unit 3 of Hugging Face's *diffusion-models-class*, written for
# diffusers 0.11. Where a notebook says "the article", it means this one.

# %%
import matplotlib.pyplot as plt
import torch

import course_utils
from course_utils import checks, plotting, tour

pipe = course_utils.load()
generator = torch.Generator().manual_seed(8)
picture = pipe("beautiful picture of a wave breaking", generator=generator).images[0]

plotting.show_pictures([picture], size=3)
plt.show()

# %% [markdown]
# That picture did not exist before you ran the cell. A network that we trained, and that came
# with the notebook, made it out of noise.
#
# **When you are done with this notebook you can**
#
# - name every component of a Stable Diffusion pipeline and say what it is for,
# - follow the data through them, shape by shape,
# - say what our small model can draw, what it cannot, and how it differs from the real one.

# %% [markdown]
# ## 1 · The parts
#
# `pipe` is an ordinary `StableDiffusionPipeline` from the library *diffusers*. It keeps its parts
# in a dictionary. Three are networks, with numbers that were learned; two are plain code; three
# places are empty.

# %%
print(tour.components_table(pipe))

# %% [markdown]
# Three words in that table carry the whole course:
#
# | word | what it means here |
# |---|---|
# | **latents** | a small stand-in for a picture: four channels, an eighth as wide and as high |
# | **noise** | random numbers with mean 0 and variance 1; what a picture starts from |
# | **token** | a word, or a piece of one, as a whole number |
#
# The three empty places are not errors. The safety checker guards models that have seen the whole
# internet; ours has seen only a toy world. The feature extractor serves the safety checker. The
# image encoder is for prompting with pictures, which needs an extra adapter.

# %% [markdown]
# ## 2 · Following the data
#
# Reading a table of parts tells you little about how they work together. So let us watch: the
# next cell draws a picture while a small hook on each network writes down the shapes that go in
# and come out.

# %%
prompt = "a small robot sitting on a park bench"
stations = tour.trace(
    pipe,
    prompt,
    generator=torch.Generator().manual_seed(2),
    num_inference_steps=10,
    guidance_scale=4,
)
for station in stations:
    print(f"{station.name:12} takes {station.takes}  gives {station.gives}  calls: {station.calls}")

# %% [markdown]
# The text encoder was called twice: for the prompt, and for an empty one. So at every step the UNet
# can answer twice, with the prompt and without it; that is why it sees *two* latents. **Guidance**
# compares the two answers and exaggerates the difference, here 4 times (notebook 05). And why 11 calls
# for 10 steps? That is a habit of this scheduler (notebook 04). The figure below is drawn from what the
# hooks saw.

# %%
tour.diagram(stations)
plt.show()

# %% [markdown]
# Read it along the arrows:
#
# 1. The **tokenizer** turns the prompt into 77 numbers, the **text encoder** turns those into 77
#    vectors. This happens before the loop, not in it.
# 2. We start from **noise** in the shape of latents.
# 3. The **UNet** looks at the noisy latents and at the vectors, and says which part of what it sees
#    is noise. The **scheduler** takes a little of that away. This happens again and again.
# 4. The **VAE decoder** turns the latents that are left into a picture. This happens once.
#
# The loop runs on latents of 4 × 16 × 16 = 1,024 numbers and not on pictures of
# 3 × 128 × 128 = 49,152: 48 times fewer numbers, at 64 times fewer places. That is what made Stable
# Diffusion small enough for ordinary computers.

# %% [markdown]
# ## 3 · What it draws
#
# The prompts below are the ones this course will take apart. Two things are new. All eight are drawn in one call,
# as one **batch**. And the pipeline gets another scheduler, *DPM++*, which needs 15 steps for what the one it came
# with needs 50 for (notebook 04 shows why). ("an winter" is the article's spelling; we keep it, because another spelling is
# another prompt.)

# %%
from course_utils.drawing import make_scheduler

own = pipe.scheduler
pipe.scheduler = make_scheduler("dpm++", own)


def draw(prompts):
    """One picture for each prompt."""
    dice = torch.Generator().manual_seed(8)
    return pipe(prompts, num_inference_steps=15, guidance_scale=4, generator=dice).images


prompts = [
    "Beautiful picture of a wave breaking",
    "A wave breaking at sunset",
    "Palette knife painting of an winter cityscape",
    "A cityscape at night",
    "An oil painting of a man on a bench",
    "A small robot, high resolution, sitting on a park bench",
    "A dog on a park bench",
    "A pencil sketch of a cat in the snow",
]
plotting.show_pictures(draw(prompts), prompts, columns=4, size=2.2)
plt.show()

# %% [markdown]
# ## 4 · What it knows, and what it does not
#
# The pocket model has seen nothing but the small world of pictures that this project draws by
# program: waves, cities, a park with a bench, a beach, snow; people, robots, dogs, cats and a
# few solid things in nine colours; six styles of painting. Left and right of each pair: a picture
# of that world, and what the model makes of the same caption.

# %%
from course_utils.world import HELD_OUT, sample

samples = [sample(HELD_OUT + n, partial=False) for n in (10, 13, 2, 16)]
drawn = draw([s.caption for s in samples])
pairs = [picture for s, d in zip(samples, drawn, strict=True) for picture in (s.picture, d)]
titles = [title for s in samples for title in (s.caption, "the model's picture")]
plotting.show_pictures(pairs, titles, columns=4, size=2.2)
plt.show()

# %% [markdown]
# These four pictures were not in its training, and it was given only their captions: the layout is its
# own. But it is a small model. The robot's arms are gone, the cat's legs have melted together, and what was an edge is
# often a smudge. And outside its world it is lost:

# %%
strange = ["a bowl of fruit", "an astronaut riding a horse"]
for prompt in strange:
    print(f"{prompt!r}: unknown words: {', '.join(course_utils.unknown_words(pipe, prompt))}")
plotting.show_pictures(draw(strange), strange, size=2.2)
plt.show()
pipe.scheduler = own

# %% [markdown]
# A word it never read says nothing to it, so it draws *something* from its world. It learned from
# 36,000 pictures; the real Stable Diffusion learned from about two billion (LAION), more than 50,000 times
# as many. It gets lost in the same way, only further out.

# %% [markdown]
# ## 5 · Exercises
#
# Replace the line that raises an error by your own, then run the cell. The check tells you what
# it thinks of it.
#
# **Exercise 1** (easy, 3 minutes). Which shape do the latents of one picture of the given height and
# width have?


# %% tags=["exercise"]
def latent_shape(height: int, width: int) -> tuple[int, int, int, int]:
    """The shape of the latents of one picture, (B, C, h, w)."""
    # solution
    return (1, 4, height // 8, width // 8)
    # end solution


checks.check_latent_shape(latent_shape)

# %% [markdown]
# **Exercise 2** (easy, 5 minutes). How many megabytes (millions of bytes) do the weights of a
# network take when each parameter takes `bytes_each` bytes? A float32 takes 4, a float16 takes 2.


# %% tags=["exercise"]
def megabytes(module: torch.nn.Module, bytes_each: int) -> float:
    """Size of the weights of a network, in millions of bytes."""
    # solution
    count = sum(parameter.numel() for parameter in module.parameters())
    return count * bytes_each / 1_000_000
    # end solution


checks.check_megabytes(megabytes)

# %% [markdown]
# **Exercise 3** (think, 3 minutes). The scheduler DDIM asks the UNet once a step. With guidance,
# each step needs the UNet's opinion with the prompt and without it. How many latents does the UNet
# look at while one picture is drawn?


# %% tags=["exercise"]
def latents_seen(steps: int, guidance: bool) -> int:
    """How many latents the UNet looks at for one picture."""
    # solution
    return steps * (2 if guidance else 1)
    # end solution


checks.check_latents_seen(latents_seen)

# %% [markdown]
# ## 6 · The proof
#
# Is `course_utils.load` a trick? Load the same folder with plain diffusers, nothing of ours in
# between, and draw from the same seed: the pictures must be equal, pixel by pixel.

# %%
import numpy as np
from diffusers import StableDiffusionPipeline

from course_utils.models import quiet, variant_of

with quiet():  # no progress bars
    plain = StableDiffusionPipeline.from_pretrained(
        pipe.name_or_path,
        variant=variant_of(pipe),  # which weight files: the real model may come in half precision
        dtype=pipe.dtype,
        safety_checker=None,
        requires_safety_checker=False,
    ).to(pipe.device)
plain.set_progress_bar_config(disable=True)
ours, theirs = (
    p("a cat on a beach", num_inference_steps=10, generator=torch.Generator().manual_seed(0))
    for p in (pipe, plain)
)
print("equal:", np.array_equal(np.asarray(ours.images[0]), np.asarray(theirs.images[0])))

# %% [markdown]
# ## 7 · At full size
#
# The real Stable Diffusion has the same parts in the same places. We can build them here without
# downloading anything, on torch's *meta* device, where tensors have shapes but no numbers.

# %%
from course_utils.models import architecture

for part in ("text_encoder", "unet", "vae"):
    counts = [
        tour.count_parameters(architecture(name, part)) for name in ("pocket", "sd-1.5", "sd-2.1")
    ]
    print(f"{part:12}  pocket {counts[0]:>11,}   SD 1.5 {counts[1]:>11,}   SD 2.1 {counts[2]:>11,}")

# %% [markdown]
# The cells of this course run on their weights, too, only longer: on a CPU a picture takes minutes. What the text
# says of the pictures then no longer fits, of course: it speaks of the pocket model's.
#
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model()

# %% [markdown]
# ## 8 · Recap
#
# - A pipeline is a tokenizer, a text encoder, a UNet, a scheduler and a VAE.
# - The prompt is read before the loop; in it, the UNet and the scheduler take turns; the VAE decodes once.
# - The loop runs on latents: 48 times fewer numbers than the picture.
# - The pocket model is real and really trained, and knows only its own small world.
# - The real model differs in size, not in kind.
#
# Next: **01 · The VAE**: what does the UNet really look at?
