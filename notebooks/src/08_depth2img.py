# %% [markdown]
# # 08 · Depth2Img
#
# **How do I change everything in a picture but its layout?**
#
# You should know: notebook 06 for the loop, notebook 07 for a UNet with more channels ·
# Time: 40 minutes · Needs: any laptop, no GPU, no download
#
# Img2Img keeps colours. By the time its strength has made a house of the boat, the house no longer stands where the
# boat stood. Often we want the opposite: keep *where things are*, forget how they looked. So tell the
# UNet where things are, and nothing else. Give it the **depth** of the picture.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import data
from torch import Tensor

import course_utils
from course_utils import checks, depth2img, img2img, inpaint, pipeline, plotting, vae
from course_utils.drawing import make_scheduler, own_size
from course_utils.world import HELD_OUT, Scene, render, sample

pipe = course_utils.load(task="depth2img")
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed, steps, g = 7, 12, 4
side = own_size(pipe)  # of its pictures: 128 for the pocket model
size = pipe.unet.config.sample_size  # of its latents: 16
drawn = render(Scene("man", "park bench", color="red"), 0).at(side)
picture = drawn.picture

# %% [markdown]
# **When you are done with this notebook you can**
#
# - estimate the depth of a picture, and say how wrong the estimate is,
# - say what the fifth channel of a depth UNet holds, and what of the depth is left in it,
# - write Depth2Img yourself, and prove that it is the library's,
# - draw a picture from a layout that you invented.

# %%
way = [
    ("picture", f"3 × {side} × {side}", "data"),
    ("DPT", "how near?", "vae"),
    ("depth", f"1 × {size} × {size}", "data"),
    ("five channels", f"5 × {size} × {size}", "data"),
    ("UNet", "sees the layout", "unet"),
    ("VAE decoder", "notebook 01", "vae"),
    ("picture", f"3 × {side} × {side}", "data"),
]
plotting.chain(way)
plt.show()

# %% [markdown]
# ## 1 · How far away is everything?
#
# A photograph does not say. But whoever has seen many pictures with their depth can guess, from sizes, from
# what hides what, from how high something stands. That is what a **depth estimator** does. Stable Diffusion's is
# DPT-Hybrid (Ranftl et al. 2021): a small convolutional network looks first, a transformer relates the parts, a
# convolutional head draws the map. It does not tell the distance but its inverse, how **near** something is, up to a
# scale and an offset that differ from picture to picture.
#
# Ours is a tiny one of the same kind. It was trained on the true depth of our world, so its scale is known: it says
# 10 divided by metres, and nothing is farther than the sky, which hangs at 50 m.
#
# $$\hat d = \frac{10}{\max(\hat s,\, 0.2)}, \qquad \text{error} = \operatorname{mean} \frac{|\hat d - d|}{d}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $d$, the true depth in metres | `drawn.depth` | (128, 128) |
# | $\hat s$, the nearness that is estimated | `near` | (1, 128, 128) |
# | $\hat d$, the estimated depth | `metres(near)` | (1, 128, 128) |
#
# Why the inverse? Because one metre more means much at two metres, and nothing at the horizon.


# %%
def metres(near):
    """Distance from nearness; nothing is farther than the sky."""
    return 10 / np.maximum(np.asarray(near), 0.2)


def pixels(near):
    """Nearness for each pixel of the picture, (1, H, W): an estimator may see it smaller or larger."""
    return F.interpolate(near[None], (side, side), mode="bicubic")[0].float().cpu()


near = depth2img.estimate_depth(pipe, picture)
print("nearness", tuple(near.shape), f"from {near.min():.1f} to {near.max():.1f}")
for name, mask in drawn.masks.items():
    here, guess = np.median(drawn.depth[mask]), np.median(metres(pixels(near)[0])[mask])
    print(f"{name:7} true {here:5.1f} m, estimated {guess:5.1f} m")

truth = 10 / drawn.depth
guess = pixels(near)[0].numpy()
maps = [truth, guess, np.abs(guess - truth)]
plotting.show_pictures([picture], size=2)
plotting.show_maps(
    maps, ["true", "estimated", "difference"], size=2.2, signed=False, bar="nearness, 10 / metres"
)
plt.show()

# %% [markdown]
# On pictures that it never saw in training, in all styles:


# %%
def measured_error(near, depth):
    """Mean of |d̂ − d| / d."""
    return float((np.abs(metres(near) - depth) / depth).mean())


unseen = [sample(HELD_OUT + n).at(side) for n in range(30)]
seen = [pixels(depth2img.estimate_depth(pipe, one.picture))[0] for one in unseen]
errors = [measured_error(near, one.depth) for near, one in zip(seen, unseen, strict=True)]
print(f"mean relative error on {len(unseen)} pictures: {np.mean(errors):.1%}")
order = np.argsort(errors)
chosen = [int(order[n]) for n in (0, 15, 29)]
shown = [unseen[n] for n in chosen]
guesses = [seen[n] for n in chosen]
titles = [f"error {errors[n]:.0%}" for n in chosen]
plotting.show_pictures([one.picture for one in shown], titles, size=1.8)
plotting.show_maps(
    [part for one, guess in zip(shown, guesses, strict=True) for part in (10 / one.depth, guess)],
    ["true", "estimated"] * 3,
    columns=6,
    size=1.4,
    signed=False,
    bar="nearness",
)
plt.show()

# %% [markdown]
# The best, the middle and the worst of them. The worst are pictures that are zoomed in: no horizon, no ground, no
# feet, and so no hint how far away anything is. Look at the middle one, too: its edges are soft, and round the edges of
# things, where near and far meet, nearly all of its error sits.
#
# ## 2 · The fifth channel
#
# The UNet works on latents of 16 × 16, so the depth map is made that small. Then it is stretched to −1..1: the
# farthest is −1, the nearest 1.
#
# $$\delta = 2\,\frac{\hat s_\downarrow - \min \hat s_\downarrow}{\max \hat s_\downarrow - \min
# \hat s_\downarrow} - 1, \qquad \hat\varepsilon = \epsilon_\theta\big([\,z_t,\; \delta\,],\; t,\; c\big)$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\hat s_\downarrow$, nearness, made small (bicubic) | – | (1, 1, 16, 16) |
# | $\delta$, the fifth channel | `depth` | (1, 1, 16, 16) |

# %%
depth = depth2img.depth_channel(near, 1, [size, size])
twice = depth2img.depth_channel(2 * near + 3, 1, [size, size])
print("depth", tuple(depth.shape), f"from {depth.min():.0f} to {depth.max():.0f}")
print(
    "twice as near and three more:",
    "the same" if torch.allclose(depth, twice, atol=1e-2) else "another",
)

generator = torch.Generator().manual_seed(seed)
x = vae.to_tensor(picture)
z0 = vae.encode(pipe.vae, x, generator)
eps = torch.randn(z0.shape, generator=generator).to(z0)
strength = 0.9
timesteps = img2img.last_timesteps(pipe.scheduler, steps, strength)
start = pipe.scheduler.add_noise(z0, eps, timesteps[:1])
five = torch.cat([start, depth], dim=1)
print("five channels", tuple(five.shape), " the UNet takes", pipe.unet.config.in_channels)
names = [f"z, {n}" for n in range(4)] + ["depth"]
plotting.show_maps(five[0], names, size=1.7, limit=3)
plt.show()

# %% [markdown]
# Where the depth is 1 or −1 is decided within each picture, so neither metres nor their ratios are left: a toy in
# front of a book and a tower in front of a mountain may give the same channel. What is left is **layout**: what is
# nearer than what, and where.
#
# The UNet came about as that of notebook 07: the pocket UNet, a fifth input channel with weights 0, and some
# more training, this time with the true depth of each picture.
#
# ## 3 · The loop
#
# Img2Img with a fifth channel. You have written every line of it before.

# %%
prompt = "An oil painting of a man on a bench"
with torch.no_grad():
    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids
    context = pipe.text_encoder(ids.to(pipe.device))[0]

    z = start
    for t in timesteps:
        seen = torch.cat([pipe.scheduler.scale_model_input(z, t), depth], dim=1)
        u, c = pipe.unet(torch.cat([seen, seen]), t, context).sample.chunk(2)
        z = pipe.scheduler.step(u + g * (c - u), t, z).prev_sample

result = pipeline.decode(pipe, z)[0]
fine = depth2img.depth_channel(near, 1, [side, side])[0, 0]
plotting.show_pictures([picture, fine, result], ["input", "its depth", prompt], size=2.6)
plt.show()

# %% [markdown]
# The same bench, the same man in the same place, all of it paint. Of 12 steps, strength 0.9 left 10: the picture
# itself is nearly forgotten, its depth is not, since it is told again in every step.
#
# As one function it is `depth2img.depth2img`:

# %%
source = inspect.getsource(depth2img.depth2img)
print(source[source.index("    prompts =") :])

# %% [markdown]
# ## 4 · Layout kept, content changed
#
# Does it do what Img2Img cannot? Two pictures in which the thing stands at the side, prompts for another thing in
# another light, and the same noise for both ways:


# %%
def repaint(which, wish, image, strength, seed=seed, **more):
    """Img2Img or Depth2Img, decoded."""
    loop = depth2img.depth2img if which is pipe else img2img.img2img
    settings = {"num_inference_steps": steps, "guidance_scale": g, "strength": strength}
    settings["generator"] = torch.Generator().manual_seed(seed)
    return pipeline.decode(which, loop(which, wish, image, **settings, **more))[0]


ordinary = course_utils.load(task="img2img")
ordinary.scheduler = make_scheduler("dpm++", ordinary.scheduler)
ways = {"Img2Img": ordinary, "Depth2Img": pipe}
strengths = (0.6, 1.0)
boat = render(Scene("boat", "beach", color="yellow"), 22).at(side)
man = render(Scene("man", "park bench", color="red"), 4).at(side)
tasks = {"A red house on a beach at sunset": boat, "A robot on a park bench at night": man}
shown, titles = [], []
for wish, scene in tasks.items():
    shown.append(scene.picture)
    titles.append(wish)
    for name, which in ways.items():
        shown += [repaint(which, wish, scene.picture, strength) for strength in strengths]
        titles += [f"{name}, {strength}" for strength in strengths]
plotting.show_pictures(shown, titles, columns=5, size=1.8)
plt.show()

# %% [markdown]
# The prompt has its way in all of them. But the higher the strength, the more Img2Img lets go of the layout: house
# and robot move to the middle, where things usually are. With the depth they stay where boat and man were, and as
# large. **Depth lets you take a high strength and still keep the layout.**
#
# The prompts leave beach and park where they are, for a reason. In our world the depth of a beach, with the sea behind
# it, is that of no other place. The UNet has learned that as well: asked for a house *in the snow*, it would believe
# the depth, and paint a beach.
#
# Now measured: how far did the thing move? Where it was, the world tells; where it is now, the segmenter of
# notebook 07 finds. Strength 0.8, each picture drawn with three noises:


# %%
segmenter = course_utils.load_segmenter()


def middle(mask):
    """Where a mask has its middle, in pixels from the left; nan where it is empty."""
    columns = np.nonzero(np.asarray(mask))[1]
    return columns.mean() if len(columns) else np.nan


def moved(which, wish, scene, what, strength):
    """How far the thing moved sideways, in pixels, for each of three seeds."""
    drawn = [repaint(which, wish, scene.picture, strength, seed=n) for n in range(3)]
    found = [middle(inpaint.mask_from_words(segmenter, one, what)) for one in drawn]
    return [abs(x - middle(scene.masks[scene.scene.subject])) for x in found]


for name, which in ways.items():
    house = torch.tensor(moved(which, "A red house on a beach at sunset", boat, "the house", 0.8))
    robot = torch.tensor(moved(which, "A robot on a park bench at night", man, "the robot", 0.8))
    print(f"{name:9} house {house.nanmean():4.1f} pixels, robot {robot.nanmean():4.1f}")

# %% [markdown]
# With the depth the house moves an eighth as far, the robot a tenth. Why do they move at all? Look at the depth of man and bench above: in
# the estimated map the two melt together, and on 16 × 16 places a man is four wide.
# **The UNet can keep no more of the layout than the depth tells it.** The evaluation of the pocket model measures the same in
# another way, on 200 pictures: by the correlation of the depth of result and input (exercise 4), and whether the
# judge sees the style that was asked for; its figures are in the model card.
#
# ## 5 · A layout of your own
#
# The depth map need not come from a picture. Where things stand you can write down. A plain that begins at
# your feet and ends at the horizon, and a ball on it, as near as the ground it stands on:


# %%
def plain_with_balls(*balls, horizon=62):
    """Nearness of a plain, with balls (x, y, radius) on it: (1, 128, 128)."""
    rows, columns = np.indices((128, 128))
    near = np.maximum(0.2, (rows - horizon) / 16)
    for x, y, radius in balls:
        near[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = (y + radius - horizon) / 16
    return torch.from_numpy(near).float()[None]


grey = Image.new("RGB", (side, side), (128, 128, 128))
layouts = [
    plain_with_balls((36, 78, 22)),
    plain_with_balls((88, 78, 22)),
    plain_with_balls((64, 74, 32)),
    plain_with_balls((30, 80, 14), (90, 74, 26)),
]
wishes = ["a red ball in the snow", "a green tree on a beach"]
rows = [[repaint(pipe, wish, grey, 1.0, depth_map=one) for one in layouts] for wish in wishes]
shown = [depth2img.depth_channel(one, 1, [side, side])[0, 0] for one in layouts] + rows[0] + rows[1]
titles = ["invented depth"] * 4 + [wish for wish in wishes for _ in layouts]
plotting.show_pictures(shown, titles, columns=4, size=1.5)
plt.show()

# %% [markdown]
# Place the ball yourself. Make it smaller: does the ball shrink with it, and does the model lose it? What becomes of a tree at the edge?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Explorer


def placed_ball(x, radius, wish):
    """An invented depth, and what is drawn at it."""
    invented = plain_with_balls((x, 78, radius))
    channel = depth2img.depth_channel(invented, 1, [side, side])[0, 0]
    near = ((channel + 1) * 127.5).byte().numpy()
    drawn = repaint(pipe, wish, grey, 1.0, depth_map=invented)
    said = f"{wish}; the disc has radius {radius} and stands at x = {x} of 128"
    return {"invented depth": near, "the picture": drawn}, said


choices = {"x": range(16, 113, 8), "radius": range(6, 41, 2), "prompt": wishes}
Explorer(placed_ball, choices, {"x": 88, "radius": 22})

# %% [markdown]
# The ball follows: left, right, large. So does the tree: its crown takes the place of the disc, and the trunk, of
# which the depth says nothing, it finds itself. Two balls in the depth make one in the picture, since no caption of our world names two things. The
# depth says *where*, the prompt says *what*, and what the model has never seen neither of them can say.
#
# (Why a grey picture? Depth2Img wants one to begin with, and at strength 1 a tenth of its latents is still in. So we
# give one that says nothing.)
#
# And a picture of your own? The loop will take it. But our estimator has seen nothing but its small world:

# %%
originals = [Image.fromarray(one) for one in (data.chelsea(), data.astronaut())]
photos = [img2img.fit_picture(one, side) for one in originals]
guesses = [depth2img.estimate_depth(pipe, one)[0] for one in photos]
wishes = ["a cat in a park", "a woman in an orange dress on a beach"]
drawn_anew = [repaint(pipe, *pair, 0.9) for pair in zip(wishes, photos, strict=True)]
shown = [
    part
    for photo, guess, new in zip(photos, guesses, drawn_anew, strict=True)
    for part in (photo, guess, new)
]
plotting.show_pictures(shown, ["photograph", "its depth, we guess", "repainted"] * 2, size=1.7)
plt.show()

# %% [markdown]
# It sees things standing on a ground under a sky, since it knows nothing else, and what is painted follows that guess:
# a cat-sized something, a figure in orange. The real estimator was trained on more than a million pictures with their
# depth, and your file goes in as `img2img.fit_picture("holiday.jpg", 512)`.
#
# ## 6 · Exercises
#
# **Exercise 1** (easy, 5 minutes). How wrong is an estimate? `predicted` is nearness, 10 / metres; `truth` is
# in metres.


# %% tags=["exercise"]
def relative_error(predicted: Tensor, truth: Tensor) -> float:
    """Mean of |d̂ − d| / d over two maps (H, W)."""
    # solution
    return float(((10 / predicted - truth).abs() / truth).mean())
    # end solution


checks.check_relative_error(relative_error)

# %% [markdown]
# **Exercise 2** (medium, 5 minutes). The fifth channel: each picture's nearness stretched to −1..1.


# %% tags=["exercise"]
def normalised(near: Tensor) -> Tensor:
    """(B, 1, h, w) in any unit → (B, 1, h, w) in −1..1."""
    # solution
    low, high = near.amin(dim=(2, 3), keepdim=True), near.amax(dim=(2, 3), keepdim=True)
    return 2 * (near - low) / (high - low) - 1
    # end solution


checks.check_normalised(normalised)

# %% [markdown]
# **Exercise 3** (medium, 5 minutes). What the UNet sees when B pictures are drawn with guidance: first all of
# them for the negative prompt, then all for the prompt.


# %% tags=["exercise"]
def five_channels(z: Tensor, depth: Tensor) -> Tensor:
    """(B, 4, h, w), (B, 1, h, w) → (2B, 5, h, w)."""
    # solution
    five = torch.cat([z, depth], dim=1)
    return torch.cat([five, five])
    # end solution


checks.check_five_channels(five_channels)

# %% [markdown]
# **Exercise 4** (medium, 8 minutes). How alike are two layouts? Write the correlation yourself.


# %% tags=["exercise"]
def layout_likeness(a: Tensor, b: Tensor) -> float:
    """Correlation of two depth maps (H, W): −1 to 1."""
    # solution
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())
    # end solution


checks.check_likeness(layout_likeness)

# %% [markdown]
# ## 7 · The proof
#
# Seven schedulers, two strengths, our function against `StableDiffusionDepth2ImgPipeline`, which estimates the
# depth itself: `torch.equal` on the latents.

# %%
import warnings

warnings.filterwarnings("ignore", "In CPU autocast")  # a half precision that a CPU need not have
given = {"prompt": prompt, "image": picture, "num_inference_steps": 3, "guidance_scale": g}
own = pipe.scheduler
print(type(pipe).__name__)
for name in ("pndm", "ddim", "lms", "euler", "euler-ancestral", "heun", "dpm++"):
    pipe.scheduler = make_scheduler(name, own)
    equal = []
    for strength in (0.6, 1.0):
        ours, theirs = (torch.Generator().manual_seed(1) for _ in range(2))
        z = depth2img.depth2img(pipe, strength=strength, generator=ours, **given)
        library = pipe(strength=strength, generator=theirs, output_type="latent", **given)
        equal.append(torch.equal(z, library.images))
    print(f"{type(pipe.scheduler).__name__:32} equal:", *equal)
pipe.scheduler = own

# %% [markdown]
# ## 8 · At full size
#
# Stable Diffusion 2 came with a depth model, and its UNet is the usual one with one channel more. The picture should
# have 512 × 512 pixels. (It is the 2.0 model: there was no 2.1 of it.)

# %%
from course_utils.models import architecture, find_real

usual, seeing = (architecture("sd-2.1", part) for part in ("unet", "depth_unet"))
sizes = [sum(p.numel() for p in network.parameters()) for network in (usual, seeing)]
print(f"{sizes[0]:,} → {sizes[1]:,} parameters, {sizes[1] - sizes[0]:,} more")
print(
    "first convolution:", tuple(usual.conv_in.weight.shape), "→", tuple(seeing.conv_in.weight.shape)
)

# %% [markdown]
# 320 filters of 3 × 3 weights: 2,880 numbers, and the network sees depth. The years since have made a
# principle of it. **ControlNet** (Zhang et al. 2023) leaves the UNet's weights alone. A copy of its encoder is
# trained beside it; the copy sees depth, edges, or the pose of a stick figure, and what it gives is added to the UNet's
# skip connections (notebook 03). Layout is one of many things that one can tell a UNet without words.
#
# Here is the astronaut by the real estimator and the real UNet, where they are on this machine:

# %% tags=["needs-download"]
full = find_real(pipe, "depth2img")
if full:
    photo = img2img.fit_picture(originals[1], own_size(full))
    near = depth2img.estimate_depth(full, photo)
    options = {"num_inference_steps": 30, "generator": torch.Generator().manual_seed(seed)}
    wish = "a bronze statue of a woman in a park"
    z = depth2img.depth2img(full, wish, photo, near, strength=0.9, **options)
    shown = [photo, near[0].float().cpu(), *pipeline.decode(full, z)]
    plotting.show_pictures(shown, ["photograph", "its depth", wish], size=3)
    plt.show()

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model("depth2img")

# %% [markdown]
# ## 9 · Recap
#
# - A depth estimator guesses from one picture how near everything is; its error can be measured.
# - The fifth channel keeps the layout and drops the metres: −1 is the farthest, 1 the nearest.
# - Depth2Img is Img2Img with that channel. It keeps places where Img2Img keeps colours.
# - So its strength can be high, even 1, where hardly more than the depth of the input is left.
# - The layout may be invented.
#
# You have now written every pipeline of the article. Next: **09 · Attention**: which word drew which pixel?
