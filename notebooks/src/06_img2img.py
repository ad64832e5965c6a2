# %% [markdown]
# # 06 · Img2Img
#
# **How do I repaint a picture I already have?**
#
# You should know: notebook 05, or the loop that takes noise out of latents ·
# Time: 40 minutes · Needs: any laptop, no GPU, no download
#
# So far every picture began as pure noise, and all we could say about it was a prompt. But a picture
# says more than words: what stands where, in which light. Img2Img lets a picture and a prompt speak
# together. It needs no new network and no new training; it only begins the loop somewhere else.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

import course_utils
from course_utils import checks, img2img, pipeline, plotting, schedulers, tour, vae
from course_utils.drawing import make_scheduler, own_size
from course_utils.world import Scene, render

pipe = course_utils.load(task="img2img")
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed, steps, g = 7, 20, 3
side = own_size(pipe)  # of its pictures: 128 for the pocket model
drawn = render(Scene("man", "park bench", color="red"), 0).at(side)
picture = drawn.picture

# %% [markdown]
# **When you are done with this notebook you can**
#
# - write Img2Img yourself, and prove that it is the library's,
# - say which steps a *strength* leaves, and why the others are not needed,
# - choose a strength by what it should keep: places, things or brush strokes,
# - repaint a picture of your own.

# %%
options = {"image": picture, "strength": 0.6, "num_inference_steps": steps}
stations = tour.trace(pipe, "a man", **options, generator=torch.Generator().manual_seed(seed))
decoder = stations[-1]
latents, given = (plotting.shape_text(shape[1:]) for shape in (decoder.takes, decoder.gives))
way = [
    ("picture", given, "data"),
    ("VAE encoder", "notebook 01", "vae"),
    ("latents", latents, "data"),
    ("scheduler", "adds noise", "scheduler"),
    ("UNet", f"{stations[1].calls} calls", "unet"),
    ("VAE decoder", "notebook 01", "vae"),
    ("picture", given, "data"),
]
plotting.chain(way)
plt.show()

# %% [markdown]
# All of these boxes are old friends. But one number deserves a question: we asked for 20 steps. Why was the
# UNet called only 12 times?

# %% [markdown]
# ## 1 · A picture under noise
#
# The UNet was trained on pictures under noise, and asked what is noise. It never learned where a noisy
# latent comes from. In notebook 05 it came out of the loop: noise with most of the noise removed. It
# may as well be a picture with noise *added*: if the amount fits the timestep, the UNet cannot tell
# the difference. That is the whole idea, published as **SDEdit** (Meng et al. 2022). So encode the
# picture, and jump to timestep $t$ as in notebook 04:
#
# $$z_0 = \mathcal E(x), \qquad z_t = \sqrt{\bar\alpha_t}\, z_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $x$ | `x`, the picture in −1..1 | (1, 3, 128, 128) |
# | $z_0$ | `z0` | (1, 4, 16, 16) |
# | $\varepsilon$ | `eps` | (1, 4, 16, 16) |
# | $z_t$ | `zt` | (1, 4, 16, 16) |
#
# A man on a bench, drawn by the program that drew the training pictures, with more and more noise on
# his latents, decoded:

# %%
generator = torch.Generator().manual_seed(seed)
x = vae.to_tensor(picture)
z0 = vae.encode(pipe.vae, x, generator)
eps = torch.randn(z0.shape, generator=generator).to(z0)
print("picture", tuple(x.shape), " latents", tuple(z0.shape))

alpha_bar = pipe.scheduler.alphas_cumprod
times = [1, 60, 120, 200, 300, 500, 999]
noisy = [schedulers.add_noise(z0, eps, alpha_bar[t : t + 1]) for t in times]
shown = [pipeline.decode(pipe, zt)[0] for zt in noisy]
plotting.show_pictures([picture, *shown], ["the picture", *[f"t = {t}" for t in times]], size=1.35)
plt.show()

# %% [markdown]
# Noise eats the small things first: the face, then the slats of the bench. The red shirt, light above and
# green below last longest, and near the end there is nothing to be seen. (The eye gives up before the UNet
# does, which has practised.) What the noise has eaten the UNet must invent, and the prompt tells it what.
# What is left it takes for granted. So **the timestep we jump to decides what is kept.**

# %% [markdown]
# ## 2 · The loop
#
# Nobody wants to think in timesteps. Img2Img asks for a **strength** from 0 (nothing changes) to 1 (the
# picture is forgotten). It is the share of the steps that are left to do:
#
# $$k = \lfloor n \cdot \text{strength} \rfloor, \qquad t_\text{start} = t_{n-k}$$
#
# | symbol | variable | value here |
# |---|---|---|
# | $n$ | `steps`: what you ask for | 20 |
# | strength | `strength` | 0.6 |
# | $k$ | `len(timesteps)`: how often the UNet is called | 12 |
# | $t_0 > t_1 > \dots$ | `pipe.scheduler.timesteps` | of all $n$ steps |
# | $t_\text{start}$ | `timesteps[0]` | the timestep we jump to |
#
# Now it is clear why strength cuts the steps. The scheduler's way leads from $t \approx 1000$ down to 0. A
# picture under a little noise is a good way down already, and the steps above would only take out noise
# that nobody put in.

# %%
strength = 0.6
timesteps = img2img.last_timesteps(pipe.scheduler, steps, strength)
every = pipe.scheduler.timesteps.tolist()
print("skipped", every[: steps - len(timesteps)])
print("left   ", timesteps.tolist())

# %% [markdown]
# The article's own example. The words and the loop are those of notebook 05; only what `z` holds before
# the loop is new.

# %%
prompt = "An oil painting of a man on a bench"
with torch.no_grad():
    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids
    context = pipe.text_encoder(ids.to(pipe.device))[0]

    z = start = pipe.scheduler.add_noise(z0, eps, timesteps[:1])
    for t in timesteps:
        doubled = pipe.scheduler.scale_model_input(torch.cat([z, z]), t)
        u, c = pipe.unet(doubled, t, context).sample.chunk(2)
        z = pipe.scheduler.step(u + g * (c - u), t, z).prev_sample

began, result = (pipeline.decode(pipe, latents)[0] for latents in (start, z))
titles = ["input", f"where the loop begins, t = {int(timesteps[0])}", f"result: {prompt}"]
plotting.show_pictures([picture, began, result], titles, size=2.6)
plt.show()

# %% [markdown]
# Bench, trees and man stand where they stood, and all of it is paint. Two details of the code:
#
# - The scheduler must know where it begins. `last_timesteps` tells it (`set_begin_index`); otherwise it
#   would look up its first timestep in its list.
# - No `init_noise_sigma` here. In notebook 05 it made pure noise as strong as the scheduler wants it;
#   `add_noise` does that on its own.
#
# `img2img.img2img` is the same as one function. You know every line of it:

# %%
import inspect

source = inspect.getsource(img2img.img2img)
print(source[source.index("    prompts =") :])

# %% [markdown]
# One detail of the picture is left: what became of the red shirt? The prompt does not mention it, so the
# UNet paints something nearer to what is usual, a darker shirt here, and a grey one where the strength is
# greater (section 3). **Say in the prompt what should stay.**


# %%
def repaint(prompts, pictures, strength, steps=steps, seed=seed):
    """Img2Img on one picture or several, decoded."""
    generator = torch.Generator().manual_seed(seed)
    settings = {"num_inference_steps": steps, "guidance_scale": g, "generator": generator}
    return pipeline.decode(pipe, img2img.img2img(pipe, prompts, pictures, strength, **settings))


said = "An oil painting of a man in a red shirt on a bench"
red = repaint(said, picture, strength)[0]
plotting.show_pictures([picture, result, red], ["input", prompt, said], size=2.6)
plt.show()

# %% [markdown]
# ## 3 · From nothing to everything
#
# One picture, one prompt, the same noise; only the strength grows. With the number of steps it leaves, the
# timestep it begins at, and how large picture and noise are there:

# %%
strengths = (0, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
print("strength  steps left  begins at  picture √ᾱ  noise √(1−ᾱ)")
for strength in strengths:
    left = img2img.last_timesteps(pipe.scheduler, steps, strength).tolist()
    a = alpha_bar[left[0]] if left else torch.tensor(1.0)
    first = f"t = {left[0]}" if left else "–"
    print(f"{strength:8} {len(left):11} {first:>10} {a.sqrt():11.2f} {(1 - a).sqrt():13.2f}")

# %%
film = [repaint(prompt, picture, strength)[0] for strength in strengths]
titles = [f"{strength}: {int(steps * strength)} steps" for strength in strengths]
plotting.show_pictures([picture, *film], ["input", *titles], size=1.35)
plt.show()

# %% [markdown]
# Read it from left to right, and you see what the noise eats, in its order: first the surface is a new one,
# then the colour of things, and at last where they stand.
#
# - Strength 0 is *not* the input. It went through the VAE and back; that toll is always paid.
# - Strength is a share of the steps, not of the noise. At strength 0.4 there is already more noise than
#   picture.
# - Low strengths get few steps. If 0.2 looks rough, ask for more: of 50 steps it leaves 10.
# - Strength 1 does not quite forget. The loop begins a little below $t = 999$, and even there (the schedule
#   of notebook 04 never comes to its end) the noise is not pure: see what the table says of the picture.
#
# (PNDM, which the model comes with, has one timestep more in its list, so it always makes one call more, even
# at strength 0. Heun calls twice a step.)

# %% [markdown]
# Another wish, and every strength. How much of it does the robot need, how much the oil paint, how much the beach?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Explorer


def repainted(strength, wish):
    """Where the loop begins, and where it ends."""
    left = img2img.last_timesteps(pipe.scheduler, steps, strength).tolist()
    began = schedulers.add_noise(z0, eps, alpha_bar[left[:1]]) if left else z0
    pictures = {"input": picture, "where the loop begins": pipeline.decode(pipe, began)[0]}
    pictures["result"] = repaint(wish, picture, strength)[0]
    return pictures, f"{wish}; strength {strength:g} leaves {len(left)} of {steps} steps"


wishes = [prompt, "A robot in a red shirt on a bench", "A man in a red shirt on a beach"]
Explorer(repainted, {"strength": [n / 20 for n in range(21)], "prompt": wishes}, {"strength": 0.2})

# %% [markdown]
# ## 4 · Faithful or free?
#
# SDEdit's authors name the price: a result can be faithful to the input, or free to obey the prompt, and
# strength trades one for the other. Let us measure it. Five men in five shirts go in, all on benches, and the
# prompt asks for three other things: another style, another person, another place.
#
# | measure | of what | says |
# |---|---|---|
# | PSNR to the input (notebook 01) | pixels | faithful |
# | does the judge see the colour that went in? | the one thing that the prompt does not mention | faithful |
# | does the judge see an oil painting? | the surface | free |
# | does the judge see a woman? | the thing | free |
# | does the judge see a beach? | the place | free |
#
# The judge, a classifier trained on true pictures of the world, is the one of notebook 05, and knows nothing else. To save time
# each run has 10 steps here, not 20. For comparison, the PSNR to the input of *somebody else*: a result
# that is no nearer to its own input has forgotten it.

# %%
from course_utils.training.judge import load_judge

judge = load_judge()
colors = ["red", "blue", "yellow", "green", "white"]
scenes = [Scene("man", "park bench", color=color) for color in colors]
men = [render(scene, i).at(side).picture for i, scene in enumerate(scenes)]
asked = ["An oil painting of a woman on a beach"] * len(men)


def nearness(pictures, results):
    """Mean PSNR of the results to the pictures, in dB."""
    pairs = zip(pictures, results, strict=True)
    return np.mean([vae.psnr(vae.to_tensor(a), vae.to_tensor(b)) for a, b in pairs])


def shares(results):
    """How many keep the colour, are oil paintings, show a woman, show a beach: 0 to 1 each."""
    seen = judge.names(np.stack([np.asarray(result) for result in results]))
    kept = [s["color"] == color for s, color in zip(seen, colors, strict=True)]
    asked_for = {"style": "oil painting", "subject": "woman", "place": "beach"}
    came = [[s[name] == value for s in seen] for name, value in asked_for.items()]
    return np.mean([kept, *came], axis=1)


# %%
results = [repaint(asked, men, strength, steps=10) for strength in strengths]
own = [nearness(men, result) for result in results]
other = [nearness(men[1:] + men[:1], result) for result in results]
seen = np.array([shares(result) for result in results])
print("strength | own input | another input | colour |  oil  | woman | beach")
for strength, a, b, row in zip(strengths, own, other, seen, strict=True):
    colour, *came = (f"{share:5.0%}" for share in row)
    print(f"{strength:8} | {a:6.1f} dB | {b:10.1f} dB | {colour:>6} |", " | ".join(came))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
left.plot(strengths, own, "o-", color=plotting.PALETTE["unet"], label="to its own input")
left.plot(strengths, other, "o--", color=plotting.MUTED, label="to another one")
left.set(xlabel="strength", ylabel="PSNR in dB", title="how near the result is")
curves = {"colour kept": "unet", "oil painting": "text", "woman": "vae", "beach": "scheduler"}
for (name, part), share in zip(curves.items(), seen.T, strict=True):
    right.plot(strengths, share, "o-", color=plotting.PALETTE[part], label=name)
right.set(
    xlabel="strength",
    ylabel="share of the pictures",
    title="what the judge sees",
    ylim=(-0.05, 1.05),
)
for axis, place in ((left, "upper right"), (right, (0.37, 0.5))):
    axis.legend(fontsize=8, loc=place)
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
chosen = [1, 3, 6]
rows = men + [result for i in chosen for result in results[i]]
titles = ["input"] * 5 + [f"strength {strengths[i]}" for i in chosen for _ in men]
plotting.show_pictures(rows, titles, columns=5, size=1.4)
plt.show()

# %% [markdown]
# No strength gives everything: while the requests of the prompt come true, what went in is lost. At strength
# 1 a result is hardly nearer to its own input than to another.
#
# But the curves do not all turn at the same place. The style is a matter of surfaces, and the last few steps
# settle that. Another person in the same place takes little more. Another place takes nearly all: as long as
# a bench can be made out under the noise, the UNet paints a bench, whatever the prompt says. Notebook 05 saw
# it from the other side: early steps decide *what* and *where*, late ones *how*. Hence a rule of thumb: low
# for another surface, in the middle for another thing in the same place, high for a picture that is merely
# like it.
#
# (Five pictures: read the shape of the curves, not their digits. And a classifier is content with less than
# an eye: that it sees a woman does not mean that she is well drawn.)

# %% [markdown]
# ## 5 · Again and again
#
# What if a low strength is not enough, and a high one too much? The output is a picture, so it can go in
# again. A man in a red shirt on a bench shall become a man in a yellow shirt on a beach: eight times with
# strength 0.2, once with strength 1, and, for comparison, eight times through the VAE alone.


# %%
def again(strength, times, wish="A man in a yellow shirt on a beach"):
    """The picture, and what each repainting makes of the one before; new noise each time."""
    film = [picture]
    for number in range(times):
        film += repaint(wish, film[-1], strength, seed=number)
    return film


films = {"0.2": again(0.2, 8), "0": again(0, 8), "1": again(1, 1)}
titles = ["input"] + [f"{number} × 0.2" for number in range(1, 9)]
titles += ["input"] + [f"{number} × 0" for number in range(1, 9)]
plotting.show_pictures(films["0.2"] + films["0"], titles, columns=9, size=1.15)
plt.show()

# %%
elsewhere = torch.from_numpy(~drawn.masks["man"])
for times, strength in ((8, 0.2), (1, 1)):
    end = vae.to_tensor(films[f"{strength}"][-1])
    told = judge.names(np.asarray(films[f"{strength}"][-1])[None])[0]
    kept = vae.psnr(x[..., elsewhere], end[..., elsewhere])
    print(f"{times} × strength {strength}, {times * int(steps * strength)} calls:")
    print(f"  shirt {told['color']}, place {told['place']}; the rest {kept:.1f} dB from the input")
ends = [picture, films["0.2"][-1], films["1"][-1]]
plotting.show_pictures(ends, ["input", "8 × strength 0.2", "1 × strength 1"], size=2.2)
plt.show()

# %% [markdown]
# The first pass cannot make red quite yellow: too much red is left under so little noise. It makes it a muddy
# mixture. The next pass does not know what went before; for it, that mixture is how the picture is, and it makes
# that more yellow. So small changes add up.
#
# The place does not change at all, though the prompt asks for it every time. No pass ever comes to the
# timesteps at which places are decided. So 8 × 0.2 is not 1.6, and not 1 either, although it calls the UNet
# more often. It is a *long* way within small noise.
#
# It has a price, and the second row shows one half of it: each pass pays the toll of the VAE. (In the first
# row the UNet repairs much of that.) The other half: each pass prefers what the model finds likely. Small
# and unusual things are worn away; look for the face.

# %% [markdown]
# ## 6 · A picture of your own
#
# Files come in all sizes. A camera may hold its picture sideways, with a note which side is up; a drawing
# may be transparent. The library complains of none of that: a picture with a fourth channel it *silently takes
# for latents*. `img2img.fit_picture` takes any picture, or the path of a file, and makes it one that fits:
# upright, three channels, square. Three that come with scikit-image, one of them turned by us:

# %%
cat, astronaut, logo = map(Image.fromarray, (data.chelsea(), data.astronaut(), data.logo()))
sideways = astronaut.crop((40, 0, 400, 420)).rotate(90, expand=True)
sideways.getexif()[0x0112] = 6  # the camera's note: turn it by 90 degrees
files = [sideways, logo, cat]
fitted = [img2img.fit_picture(file, side) for file in files]
for file, fits in zip(files, fitted, strict=True):
    print(f"{file.width} × {file.height} {file.mode:4} → {fits.width} × {fits.height} {fits.mode}")
pairs = [one for pair in zip(files, fitted, strict=True) for one in pair]
plotting.show_pictures(pairs, ["as it came", "fitted"] * 3, size=1.7)
plt.show()

# %% [markdown]
# And what does the pocket model make of photographs? It has never seen one.

# %%
photos = [fitted[2], fitted[0]]
wishes = [
    f"An oil painting of {what} in a park" for what in ("a cat", "a woman in an orange dress")
]
tried = (0, 0.2, 0.4, 0.7)
rows = [photos, *[repaint(wishes, photos, strength) for strength in tried]]
titles = ["photograph", *[f"strength {strength}" for strength in tried]]
pictures = [row[i] for i in (0, 1) for row in rows]
plotting.show_pictures(pictures, titles * 2, columns=5, size=1.8)
plt.show()

# %% [markdown]
# Not much, to be honest. Strength 0 shows that the VAE, too, knows nothing but its world. The cat is lost at
# once: at 0.2 its eyes are trees. The astronaut still has her outline there, in brush strokes. From then on the
# model uses the photograph as one uses a cloud: it sees figures in it. Orange becomes a dress, something
# dark becomes hair. A face it cannot keep, because
# it has none to offer. The real model has seen hundreds of millions of photographs, and can. The code is the
# same; your file goes in as `img2img.fit_picture("holiday.jpg", 512)`.

# %% [markdown]
# ## 7 · Exercises
#
# **Exercise 1** (easy, 3 minutes). How often is the UNet called?


# %% tags=["exercise"]
def steps_left(n: int, strength: float) -> int:
    """How many of n steps a strength leaves."""
    # solution
    return int(n * strength)
    # end solution


checks.check_steps_left(steps_left)

# %% [markdown]
# **Exercise 2** (medium, 5 minutes). The other way round: which strength makes the loop begin at timestep
# `t`? `timesteps` holds those of all n steps, from much noise to little, and `t` is one of them.


# %% tags=["exercise"]
def strength_for(t: int, timesteps: list[int]) -> float:
    """The strength that begins at t."""
    # solution
    return (len(timesteps) - timesteps.index(t)) / len(timesteps)
    # end solution


checks.check_strength_for(strength_for)

# %% [markdown]
# **Exercise 3** (medium, 8 minutes). Prepare the loop: tell the scheduler the number of steps, find the
# timesteps that are left, and put the noise of the first of them on the latents. `scheduler.add_noise`
# takes the timestep as a tensor of shape (1,). Nothing happens to the latents where no step is left.


# %% tags=["exercise"]
def prepare(scheduler, z0: Tensor, eps: Tensor, n: int, strength: float) -> tuple[Tensor, Tensor]:
    """Noisy latents, same shape as z0, and the timesteps that are left."""
    # solution
    scheduler.set_timesteps(n)
    timesteps = scheduler.timesteps[n - int(n * strength) :]
    z = scheduler.add_noise(z0, eps, timesteps[:1]) if len(timesteps) else z0
    return z, timesteps
    # end solution


checks.check_prepare(prepare)

# %% [markdown]
# **Exercise 4** (15 minutes). Img2Img itself, for a scheduler that needs no generator: from clean latents
# to repainted ones; at least one step is left. You may call `img2img.last_timesteps`.


# %% tags=["exercise"]
def repainted(
    pipe, context: Tensor, z0: Tensor, eps: Tensor, n: int, strength: float, g: float
) -> Tensor:
    """(1, 4, h, w) → (1, 4, h, w); context (2, 77, D) has the negative prompt first."""
    # solution
    timesteps = img2img.last_timesteps(pipe.scheduler, n, strength)
    z = pipe.scheduler.add_noise(z0, eps, timesteps[:1])
    for t in timesteps:
        doubled = pipe.scheduler.scale_model_input(torch.cat([z, z]), t)
        with torch.no_grad():
            u, c = pipe.unet(doubled, t, context).sample.chunk(2)
        z = pipe.scheduler.step(u + g * (c - u), t, z).prev_sample
    return z
    # end solution


checks.check_repainted(repainted)

# %% [markdown]
# ## 8 · The proof
#
# Our function against diffusers' own pipeline: seven schedulers, each with strength 0.5 and 1. Equal
# means every one of the 1,024 numbers has the same 32 bits. For that, chance must be thrown in the
# pipeline's order: first the VAE's cloud (notebook 01), then the noise, then what a scheduler may add at
# each step.

# %%
own = pipe.scheduler
options = {"prompt": prompt, "image": picture, "num_inference_steps": 4, "guidance_scale": g}
print(type(pipe).__name__)
for name in ("pndm", "ddim", "lms", "euler", "euler-ancestral", "heun", "dpm++"):
    pipe.scheduler = make_scheduler(name, own)
    equal = []
    for strength in (0.5, 1.0):
        options["strength"] = strength
        ours = img2img.img2img(pipe, **options, generator=torch.Generator().manual_seed(1))
        theirs = pipe(**options, generator=torch.Generator().manual_seed(1), output_type="latent")
        equal.append(torch.equal(ours, theirs.images))
    print(f"{type(pipe.scheduler).__name__:32} equal:", *equal)
pipe.scheduler = own

# %% [markdown]
# ## 9 · At full size
#
# Nothing in the loop changes: the same UNet, the same VAE, no other weights; and the picture should have
# 512 × 512 pixels. What does change is the price of a step, and so what strength saves. For the library's default of 50 steps, with
# guidance:

# %%
from torch.utils.flop_counter import FlopCounterMode

from course_utils import unet
from course_utils.models import architecture, find_real

real = architecture("sd-2.1", "vae")
with FlopCounterMode(display=False) as coding:  # there and back
    vae.decode(real, vae.encode(real, torch.empty(1, 3, 512, 512, device="meta")))
call = 2 * sum(block.flops for block in unet.blocks(architecture("sd-2.1", "unet")))
for strength in (0.2, 0.6, 0.8, 1):
    left = int(50 * strength)
    work = (coding.get_total_flops() + left * call) / 1e12
    print(f"strength {strength:3}: {left:2} steps, {work:5.1f} trillion operations")

# %% [markdown]
# The astronaut of section 6 once more, by our function and the real model, where it is on this machine:

# %% tags=["needs-download"]
full = find_real(pipe, "img2img")
if full:
    photo = img2img.fit_picture(astronaut, own_size(full))
    tried, shown = (0.4, 0.7), [photo]
    for strength in tried:
        options = {"num_inference_steps": 30, "generator": torch.Generator().manual_seed(seed)}
        z = img2img.img2img(full, wishes[1], photo, strength, **options)
        shown += pipeline.decode(full, z)
    plotting.show_pictures(shown, ["photograph", *[f"strength {s}" for s in tried]], size=3)
    plt.show()

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model("img2img")

# %% [markdown]
# ## 10 · Recap
#
# - Img2Img is the loop of notebook 05, begun part of the way: encode, add noise, denoise.
# - Strength is the share of the steps; those above the picture's noise are not needed.
# - What the noise has eaten is invented by the prompt: surfaces first, then things, then places.
# - Faithful or free: no strength gives both. Name in the prompt what should stay.
# - Many small repaintings add up to another surface or colour, but not to another place.
#
# Next: **07 · Inpaint**: can I change one thing and leave the rest alone?
