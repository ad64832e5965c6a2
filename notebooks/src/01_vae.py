# %% [markdown]
# # 01 · The VAE
#
# **What does the UNet really look at?**
#
# You should know: notebook 00, or that Stable Diffusion works on latents ·
# Time: 30 minutes · Needs: any laptop, no GPU, no download
#
# The UNet never sees a picture. It sees a small stand-in with four channels, and a network called
# the **variational autoencoder**, VAE for short, translates between the two. Nothing else in the
# pipeline touches pixels. So whatever the VAE cannot keep, Stable Diffusion cannot draw.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from skimage import data

import course_utils
from course_utils import checks, pipeline, plotting, tour, vae
from course_utils.drawing import own_size
from course_utils.world import HELD_OUT, Scene, render, sample

pipe = course_utils.load()
side = own_size(pipe)  # of its pictures: 128 for the pocket model

# %% [markdown]
# **When you are done with this notebook you can**
#
# - send a picture to latents and back, say which layers it passes, how much was lost and where,
# - say what is variational about a VAE, and when it matters,
# - measure the mysterious number 0.18215,
# - explain why it is latents, and not pixels, that are noised and mixed.

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=10)
tour.diagram(stations, highlight="vae")
plt.show()

# %% [markdown]
# The pipeline needs only the decoder. The encoder is what the decoder was trained with; from
# notebook 06 on it will also turn *your* pictures into latents.

# %% [markdown]
# ## 1 · There and back
#
# A picture file holds whole numbers from 0 to 255. The VAE wants them between −1 and 1, and it
# answers in the same range:
#
# $$x = 2\,\frac{p}{255} - 1, \qquad z = \mathcal E(x), \qquad \hat x = \mathcal D(z)$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $p$ | `picture` | 128 × 128, RGB |
# | $x$, $\hat x$ | `x`, `back` | (B, 3, H, W) |
# | $z$ | `z` | (B, 4, h, w), with h = H / 8 and w = W / 8 |
# | $\mathcal E$, $\mathcal D$ | `vae.encode`, `vae.decode` | |
#
# Two pictures will keep us company: one of our small world, and a photograph of a cat named
# Chelsea, which comes with scikit-image.

# %%
drawn = render(Scene("man", "park bench", color="yellow"), 5).at(side).picture
photo = Image.fromarray(data.chelsea()).crop((90, 0, 390, 300)).resize((side, side))
x = torch.cat([vae.to_tensor(picture) for picture in (drawn, photo)])
z = vae.encode(pipe.vae, x)
back = vae.decode(pipe.vae, z)

print("pictures", tuple(x.shape), " latents", tuple(z.shape), " pictures", tuple(back.shape))
print(
    f"numbers in a picture: {x[0].numel():,}; in its latents: {z[0].numel():,}; "
    f"{x.numel() / z.numel():.0f} to 1"
)

# %%
pictures = [drawn, vae.to_picture(back[:1]), photo, vae.to_picture(back[1:])]
titles = ["drawn by program", "there and back", "photograph", "there and back"]
plotting.show_pictures(pictures, titles, size=2.3)
plt.show()

# %% [markdown]
# Of 48 numbers, one is left, and most of the picture is still there. How? The encoder is a stack of
# convolutions. Three times it halves the height and the width, and each time it gets more channels
# to remember with; at the narrowest place everything must pass through four. The decoder is the
# same stack the other way round. The figure is drawn from the network itself: a box is as high as the
# picture is there, and the wider, the more channels it has (on a logarithmic scale).

# %%
way = vae.stages(pipe.vae, side, side)
ends = ("picture", "latents")
plotting.hourglass([(s.name, s.shape, "data" if s.name in ends else "vae") for s in way])
plt.show()

# %% [markdown]
# The code is as short as the figure. This is how a picture goes in, and how one comes out:

# %%
for function in (vae.posterior, vae.decode):
    body = inspect.getsource(function).split("    net = ")[-1]
    print(f"# {function.__name__}\n    net = {body}")

# %% [markdown]
# Three halvings make a block of 8 × 8 pixels one latent. What if the last block is not full? (What a
# network is given must be on its device and in its precision: `.to(pipe.device, pipe.dtype)`. On a
# CPU that changes nothing; our own `vae.encode` does it by itself.)

# %%
for height, width in [(128, 128), (120, 96), (127, 121), (100, 71)]:
    odd = torch.zeros(1, 3, height, width).to(pipe.device, pipe.dtype)
    with torch.no_grad():  # nothing is learned here: torch need keep nothing for it
        latents = pipe.vae.encode(odd).latent_dist.mean
        returned = pipe.vae.decode(latents).sample
    print(
        f"{height} × {width} → {latents.shape[2]} × {latents.shape[3]} → "
        f"{returned.shape[2]} × {returned.shape[3]}"
    )
try:
    vae.encode(pipe.vae, odd)
except ValueError as error:
    print("our own encode says:", error)

# %% [markdown]
# The network says nothing and returns a smaller picture. That is why *width and height must be
# multiples of 8*: pipelines that take a picture resize it first, and those that make one refuse.

# %% [markdown]
# ## 2 · What is lost
#
# Two measures. **PSNR** counts how far the pixels are off, in decibels; ten more mean a tenth of
# the squared error. **SSIM** slides a small window over both pictures and compares brightness,
# contrast and pattern; it is 1 where they are equal.
#
# $$\mathrm{PSNR} = 10 \log_{10} \frac{R^2}{\frac1N \sum_i (x_i - \hat x_i)^2}$$
#
# | symbol | variable | value |
# |---|---|---|
# | $x$, $\hat x$ | `x`, `back` | (1, 3, H, W) |
# | $R$ | `vae.RANGE` | 2: from −1 to 1 |
#
# Numbers mean little alone. So let a rival have as many: a thumbnail of 18 × 18 pixels in
# three colours is 972 numbers, the latents are 1,024.


# %%
def thumbnail(picture, n):
    """Shrink a picture to n × n pixels and blow it up again."""
    small = picture.resize((n, n), Image.Resampling.LANCZOS)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


n = int((z[0].numel() / 3) ** 0.5)  # so that three colours take no more numbers than the latents
small = torch.cat([vae.to_tensor(thumbnail(picture, n)) for picture in (drawn, photo)])
rivals = {f"VAE, {z[0].numel():,} numbers": back, f"{n} × {n} thumbnail": small}
print(f"{'':25}   PSNR   SSIM")
for i, picture in enumerate(("world", "photo")):
    for name, y in rivals.items():
        pair = x[i : i + 1], y[i : i + 1]
        print(f"{picture}: {name:18}  {vae.psnr(*pair):5.1f}  {vae.ssim(*pair):5.2f}")

# %% [markdown]
# Where does the loss sit? In the difference picture, bright means wrong.

# %%
errors = [vae.difference(x[i : i + 1], y[i : i + 1]) for i in range(2) for y in rivals.values()]
titles, bar = ["VAE", "thumbnail"] * 2, "grey levels of 255"
plotting.show_maps(errors, titles, size=2.3, signed=False, limit=80, bar=bar)
plt.show()

# %% [markdown]
# Large surfaces are nearly free of error. It sits on the edges, and in small things: an eye, a
# hand, the hair of a cat. That is why faces and letters are the weak spot of the real model, too;
# it has the same 48 to 1.
#
# On the man, the VAE is far ahead of the thumbnail. On the photograph it hardly is, because it has
# seen nothing but our small world: it learned which pictures are *likely*, and spends its numbers
# on those. Here is how it does on many pictures of that world, none of which it was trained on:

# %%
samples = [sample(HELD_OUT + seed).at(side) for seed in range(48)]
world = torch.cat([vae.to_tensor(one.picture) for one in samples])
returned = torch.cat([vae.decode(pipe.vae, vae.encode(pipe.vae, y)) for y in world.split(8)])
scores = torch.tensor([vae.psnr(a, b) for a, b in zip(world, returned, strict=True)])
best, worst = int(scores.argmax()), int(scores.argmin())
print(
    f"PSNR over 48 pictures of the world: mean {scores.mean():.1f}, "
    f"worst {scores.min():.1f}, best {scores.max():.1f} dB"
)

pictures = [vae.to_picture(t[i : i + 1]) for i in (worst, best) for t in (world, returned)]
plotting.show_pictures(
    pictures, ["the hardest", "there and back", "the easiest", "there and back"], size=2.3
)
plt.show()

# %% [markdown]
# Sharp corners are hard for it, and a blurry picture is easy: there is less to keep.

# %% [markdown]
# ## 3 · A cloud, not a point
#
# So far we could be talking of any autoencoder. What is *variational* about this one: for each
# latent, the encoder gives two numbers, a mean and a spread. They describe a small cloud of
# latents that would all do, and one is drawn from it:
#
# $$q(z \mid x) = \mathcal N(\mu, \sigma^2), \qquad z = \mu + \sigma \cdot \varepsilon, \qquad
# \varepsilon \sim \mathcal N(0, 1)$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\mu$ | `mean` | (1, 4, 16, 16) |
# | $\sigma$ | `std` | (1, 4, 16, 16) |
# | $\varepsilon$ | inside `draw_latents` | (1, 4, 16, 16) |
#
# (The network gives $\log \sigma^2$, which may be any number; so eight channels leave it.)

# %%
mean, std = vae.posterior(pipe.vae, x[:1])
titles = [f"channel {number}" for number in range(4)]
plotting.show_maps(mean[0], titles, size=2.1, bar="mean μ")
plotting.show_maps(std[0], titles, size=2.1, signed=False, bar="spread σ")
plt.show()

# %% [markdown]
# Above: the four channels of the man on the bench. You can make him out. Latents are no secret
# code; they still are a picture, 16 × 16, in four strange colours. That is what the UNet looks at.
#
# Below: how unsure the encoder is of each. Does the draw matter? Compare the mean with three throws
# of the dice:

# %%
s = pipe.vae.config.scaling_factor
throws = [vae.draw_latents(mean, std, torch.Generator().manual_seed(n)) for n in range(3)]
decoded = [vae.decode(pipe.vae, s * latents) for latents in (mean, *throws)]
names = ["the mean", "throw 1", "throw 2", "throw 3"]
titles = [f"{name}: {vae.psnr(x[:1], y):.1f} dB" for name, y in zip(names, decoded, strict=True)]
print(f"latents spread over the picture by {mean.std():.2f}, each cloud by {std.mean():.2f}")
plotting.show_pictures([vae.to_picture(y) for y in decoded], titles, size=2.3)
plt.show()

# %% [markdown]
# The clouds are small beside the distances between them, so the throw changes little. Why have
# clouds at all? They were a demand during training: *any* point of the cloud must decode
# well. That makes neighbours in latent space look alike. Without it, the tiny errors of a UNet
# could land between the points the decoder knows. We come back to this in section 5.
#
# Left alone, training would cheat: shrink every $\sigma$ to 0, or move the means so far apart that the
# clouds no longer matter. A second term in its loss, the KL divergence of each cloud from
# $\mathcal N(0, 1)$, charges for both. In Stable Diffusion its weight is tiny, and so are the clouds.

# %% [markdown]
# ## 4 · The mysterious number
#
# In every Stable Diffusion program you find a line with 0.18215 in it. In the article: encode, then
# multiply by 0.18215; divide before you decode. It is no magic. Noise has variance 1, and the UNet
# works best when the latents have it, too. The latents of the real VAE happen to spread by
# 5.49. So:
#
# $$s = \frac{1}{\operatorname{std}(z)}, \qquad z \leftarrow s \cdot z$$
#
# | symbol | variable | value |
# |---|---|---|
# | $s$ | `vae.config.scaling_factor` | one number, measured once after training |
#
# Every VAE has its own. Let us measure ours on the 48 pictures of section 2:

# %%
clouds = [vae.posterior(pipe.vae, y) for y in world.split(8)]
mean, std = (torch.cat(parts) for parts in zip(*clouds, strict=True))
raw = vae.draw_latents(mean, std, torch.Generator().manual_seed(0)).float().cpu()
print(f"our latents spread by {raw.std():.2f}: 1 / {raw.std():.2f} = {1 / raw.std():.3f}")
print(f"the model's own number, from 512 pictures of its training: {s:.3f}")
print(f"the real model's: 0.18215 = 1 / {1 / 0.18215:.2f}")

# %%
bins = np.linspace(-5, 5, 81)
colors = ("#4a7fd6", "#f2b134", "#2fa37c", "#c2589b")
figure, axis = plt.subplots(figsize=(7.2, 2.8), layout="constrained")
for number, color in enumerate(colors):
    share, _ = np.histogram(s * raw[:, number].numpy(), bins, density=True)
    axis.stairs(share, bins, color=color, linewidth=1.4, label=f"channel {number}")
normal = np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi)
axis.plot(bins, normal, color=plotting.INK, linestyle="--", label="normal, variance 1")
axis.set(xlabel="scaled latent s · z", ylabel="share", yticks=[], xlim=(-5, 5))
axis.spines[["top", "right", "left"]].set_visible(False)
axis.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# One number for all four channels: together they have variance 1, though none of them is exactly
# normal. Forget it, and nothing crashes. The pictures are just wrong. Forgotten on the way in, it makes the
# latents 1 / s = 1.42 times as large as they should be; forgotten on the way out, s = 0.70 times:

# %%
scales = {"right": 1, "encoded without s": 1 / s, "decoded without 1 / s": s}
pictures = [vae.to_picture(vae.decode(pipe.vae, k * z[:1])) for k in scales.values()]
plotting.show_pictures(pictures, list(scales), size=2.3)
plt.show()

# %% [markdown]
# ## 5 · A walk through latent space
#
# Why do all this work on latents? They are smaller, yes. But they also behave better. Mix two
# pictures, weight by weight:
#
# $$z_w = (1 - w)\, z_a + w\, z_b$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $z_a$, $z_b$ | `a`, `b` | (1, 4, 16, 16) |
# | $w$ | `w` | one number from 0 to 1 |

# %%
a, b = (
    vae.to_tensor(render(Scene("dog", "snow", color=color), seed).at(side).picture)
    for color, seed in (("black", 3), ("orange", 8))
)
za, zb = vae.encode(pipe.vae, a), vae.encode(pipe.vae, b)
weights = (0, 0.25, 0.5, 0.75, 1)
pixels = [vae.to_picture(torch.lerp(a, b, w)) for w in weights]
latents = [vae.to_picture(vae.decode(pipe.vae, torch.lerp(za, zb, w))) for w in weights]
titles = [f"{space}, w = {w}" for space in ("pixels", "latents") for w in weights]
plotting.show_pictures([*pixels, *latents], titles, columns=5, size=1.7)
plt.show()

# %% [markdown]
# Above, two slides laid over each other. Below, the decoder does a little better: it sees one
# brown dog where the pixels show two. But half a tree stays half a tree. Moving through *meanings*
# is not the VAE's task; that takes the words and the UNet.
#
# Now noise. The same share of noise, added to pixels and to latents:

# %%
levels = (0, 0.05, 0.25, 1, 2)
generator = torch.Generator().manual_seed(0)
noise_x, noise_z = (torch.randn(t.shape, generator=generator).to(t) for t in (a, za))
spread = float(a.std())  # the latents' own is 1
pixels = [vae.to_picture(a + level * spread * noise_x) for level in levels]
latents = [vae.to_picture(vae.decode(pipe.vae, za + level * noise_z)) for level in levels]
titles = [f"{space} + {level:g} ε" for space in ("pixels", "latents") for level in levels]
plotting.show_pictures([*pixels, *latents], titles, columns=5, size=1.5)
plt.show()

# %% [markdown]
# Noise in pixels is grain: every dot on its own, and the eye looks through it. Noise in latents is
# *wrong content*: each of the 256 places of 8 × 8 pixels says something else, and the decoder
# believes it. A little is forgiven, which is what the clouds of section 3 were for. Where it is as
# strong as the latents themselves, or twice as strong, a dark patch is left of the dog, and the trees
# are gone. From there the UNet has to find a way back.

# %% [markdown]
# Drag to the right, or click the slider and use the arrow keys. At which strength has the dog lost its eyes, in the pixels and in
# the latents? And the trees: are they lost in both?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Scrubber


def under_noise(level):
    """The dog with noise in its pixels, and with as much noise in its latents."""
    pictures = {
        "noise in the pixels": vae.to_picture(a + level * spread * noise_x),
        "noise in the latents": vae.to_picture(vae.decode(pipe.vae, za + level * noise_z)),
    }
    return pictures, f"the noise is {level:g} times as strong as the picture"


Scrubber(under_noise, {"noise": [n / 4 for n in range(9)]})

# %% [markdown]
# ## 6 · Exercises
#
# **Exercise 1** (easy, 3 minutes). Bring the pixels of a file, whole numbers from 0 to 255, to the
# range of the VAE.


# %% tags=["exercise"]
def scale_pixels(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 in 0..255 → float32 in -1..1."""
    # solution
    return pixels.float() / 127.5 - 1
    # end solution


checks.check_scale_pixels(scale_pixels)

# %% [markdown]
# **Exercise 2** (medium, 5 minutes). The encoder gives the mean and the logarithm of the *variance*.
# Draw latents, with the noise that you are handed.


# %% tags=["exercise"]
def draw_latents(mean: torch.Tensor, logvar: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """A sample of N(μ, σ²), where logvar is log σ²."""
    # solution
    return mean + torch.exp(0.5 * logvar) * eps
    # end solution


checks.check_draw_latents(draw_latents)

# %% [markdown]
# **Exercise 3** (medium, 5 minutes). Measure how near two pictures are. Mind the range: ours
# reach from −1 to 1.


# %% tags=["exercise"]
def psnr(x: torch.Tensor, y: torch.Tensor) -> float:
    """Peak signal-to-noise ratio of two pictures in -1..1, in decibels."""
    # solution
    mse = (x - y).square().mean()
    return float(10 * torch.log10(2**2 / mse))
    # end solution


checks.check_psnr(psnr)

# %% [markdown]
# **Exercise 4** (think, 3 minutes). What size is a picture that comes back from the VAE?


# %% tags=["exercise"]
def returned_size(height: int, width: int) -> tuple[int, int]:
    """Height and width after the round trip, for any height and width from 8 on."""
    # solution
    return height // 8 * 8, width // 8 * 8
    # end solution


checks.check_returned_size(returned_size)

# %% [markdown]
# ## 7 · The proof
#
# `vae.encode` and `vae.decode` call the layers of the network one by one; read them, they are 20
# lines. Are they what the library does?

# %%
with torch.no_grad():
    theirs = pipe.vae.encode(x.to(pipe.device, pipe.dtype)).latent_dist
    picture_of_theirs = pipe.vae.decode(z / s).sample
mean, std = vae.posterior(pipe.vae, x)
print("mean and spread equal:", torch.equal(mean, theirs.mean) and torch.equal(std, theirs.std))

drawn_by_us, drawn_by_them = (
    draw(torch.Generator().manual_seed(4))
    for draw in (lambda g: vae.encode(pipe.vae, x, g), lambda g: s * theirs.sample(g))
)
print("latents equal:        ", torch.equal(drawn_by_us, drawn_by_them))
print("pictures equal:       ", torch.equal(vae.decode(pipe.vae, z), picture_of_theirs))
print("pixels equal:         ", torch.equal(x[:1], pipe.image_processor.preprocess(drawn)))

# %% [markdown]
# ## 8 · At full size
#
# The real VAE has the same four levels and the same four latent channels; only the number of
# channels in between differs. These are the article's shapes: a picture of 512 × 512, there and
# back.

# %%
from torch.utils.flop_counter import FlopCounterMode

from course_utils.models import architecture, find_real

real = architecture("sd-2.1", "vae")
big = torch.empty(1, 3, 512, 512, device="meta")
with FlopCounterMode(display=False) as encoding:
    latents = vae.encode(real, big)
with FlopCounterMode(display=False) as decoding:
    returned = vae.decode(real, latents)
print(tuple(big.shape), "→", tuple(latents.shape), "→", tuple(returned.shape))
print(f"parameters: {tour.count_parameters(real):,}, ours {tour.count_parameters(pipe.vae):,}")
print(
    f"encode {encoding.get_total_flops() / 1e9:,.1f}, "
    f"decode {decoding.get_total_flops() / 1e9:,.1f} billion operations"
)

# %%
way = vae.stages(real, 512, 512)
plotting.hourglass([(s.name, s.shape, "data" if s.name in ends else "vae") for s in way], width=12)
plt.show()

# %% [markdown]
# One decoding costs as much as three calls of the real UNet. That is no trouble, because it happens
# once. But it is what fills the memory when you draw large pictures.
#
# The next cell sends a photograph through the real weights where they are on this machine. It comes back much
# sharper than from ours; look at the letters and at the eyes.

# %% tags=["needs-download"]
full = find_real(pipe)
if full:
    photo = Image.fromarray(data.astronaut()).resize((own_size(full),) * 2)
    x = pipeline.placed(full, vae.to_tensor(photo))
    back = vae.decode(full.vae, vae.encode(full.vae, x))
    title = f"there and back: {vae.psnr(x, back):.1f} dB"
    plotting.show_pictures([photo, vae.to_picture(back)], ["photograph", title], size=3.5)
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
# - The UNet looks at latents: four channels, an eighth as wide and high, 48 times fewer numbers.
# - The round trip loses fine detail. What the VAE cannot keep, the pipeline cannot draw.
# - The encoder gives a cloud, mean and spread; for most purposes the mean will do.
# - The scaling factor is one divided by the spread of the latents; 0.18215 is the real model's.
# - Mixed or noisy latents decode to something picture-like; that is what makes them good to work on.
#
# Next: **02 · Text**: how do words become numbers?
