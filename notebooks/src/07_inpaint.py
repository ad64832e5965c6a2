# %% [markdown]
# # 07 · Inpainting
#
# **How do I replace one thing in a picture, and keep all the rest?**
#
# You should know: notebook 06, or how Img2Img begins the loop with a picture ·
# Time: 45 minutes · Needs: any laptop, no GPU, no download
#
# A dog sits on a bench, and we want a small robot there: the same bench, the same trees, not a pixel
# changed around it. A prompt cannot say *where*. A second picture can: the **mask**.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch import Tensor

import course_utils
from course_utils import checks, img2img, inpaint, pipeline, plotting, vae
from course_utils.drawing import make_scheduler, own_size
from course_utils.world import Scene, render

pipe = course_utils.load(task="inpaint")
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed, steps, g = 8, 12, 3
side = own_size(pipe)  # of its pictures: 128 for the pocket model
size = pipe.unet.config.sample_size  # of its latents: 16
drawn = render(Scene("dog", "park bench", quality="high resolution"), 5).at(side)
picture = drawn.picture
prompt = "A small robot, high resolution, sitting on a park bench"

# %% [markdown]
# **When you are done with this notebook you can**
#
# - make a mask in three ways: painted by hand, asked for with words, or computed,
# - say what the nine channels of an inpainting UNet are, and why an ordinary UNet has four,
# - write both loops yourself, and prove that they are the library's,
# - keep what lies outside the mask, to the last byte, and say why that needs one more line.

# %%
way = [
    ("picture", f"3 × {side} × {side}", "data"),
    ("mask", f"1 × {side} × {side}", "data"),
    ("VAE encoder", "of the rest", "vae"),
    ("nine channels", f"9 × {size} × {size}", "data"),
    ("UNet", "sees the hole", "unet"),
    ("VAE decoder", "notebook 01", "vae"),
    ("paste", "inside only", "data"),
]
plotting.chain(way)
plt.show()

# %% [markdown]
# ## 1 · Why Img2Img is not enough
#
# The tool we have is Img2Img. It takes the whole picture, or nothing. Here it is at three strengths; the
# same prompt, the same noise:


# %%
def options(seed=seed, steps=steps):
    """What all loops of this notebook are given."""
    generator = torch.Generator().manual_seed(seed)
    return {"num_inference_steps": steps, "guidance_scale": g, "generator": generator}


ordinary = course_utils.load(task="img2img")  # a UNet of four channels, as so far
ordinary.scheduler = make_scheduler("dpm++", ordinary.scheduler)
tries = [0.2, 0.4, 0.7]
shown = [
    pipeline.decode(ordinary, img2img.img2img(ordinary, prompt, picture, s, **options()))[0]
    for s in tries
]
plotting.show_pictures([picture, *shown], ["input", *[f"strength {s}" for s in tries]], size=2)
plt.show()

# %% [markdown]
# At 0.2 there is half a robot in half a dog. At 0.7 the robot is done. Sky, trees and grass are where they were,
# but not one of them is as it was: softer, in other colours, with other edges. We wanted them untouched. We need two
# strengths: everything for the dog, and nothing for the rest.

# %% [markdown]
# ## 2 · A mask says where
#
# A mask is a picture of ones and zeros. White, 1, is to be painted anew; black, 0, is to be kept:
#
# $$m \in \{0, 1\}^{H \times W}$$
#
# Where does one come from? First: **computed.** Who drew the picture by program knows where everything is.
# The pictures of our world come with a mask of each thing.

# %%
print("things with a mask:", ", ".join(drawn.masks))
exact = drawn.masks["dog"]
print("the dog covers", f"{exact.mean():.1%}", "of the picture")

# %% [markdown]
# Second: **painted by hand.** A brush has a width and goes through points; `inpaint.paint_mask` makes a mask of
# that. And because nobody likes to type points, `MaskPainter` collects them: paint on the picture (or: arrow
# keys move the brush, space puts it down and lifts it), then run the cell after it.

# %%
strokes = [(28, [(54, 52), (66, 52)]), (30, [(62, 70), (70, 84)]), (10, [(78, 88), (94, 76)])]
k = side / 128  # they were made on a picture of 128 × 128
strokes = [(k * width, [(k * x, k * y) for x, y in points]) for width, points in strokes]
painted = inpaint.paint_mask(picture.size, strokes)
print(
    "mode", painted.mode, "size", painted.size, "covers", f"{np.mean(np.asarray(painted) > 0):.1%}"
)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import MaskPainter

painter = MaskPainter(picture, strokes)
painter

# %%
mine = painter.mask
tints = [plotting.tinted(picture, mask) for mask in (exact, mine)]
plotting.show_pictures([picture, *tints], ["picture", "computed", "painted by hand"], size=2)
plt.show()

# %% [markdown]
# Third: **asked for with words.** CLIPSeg (Lüddecke and Ecker 2022) is a network that is given a picture and a
# phrase, and says of every pixel whether it belongs to what the phrase names. Our small one was trained on
# the masks of the world, from nothing; the real one stands on CLIP. `inpaint.mask_from_words` asks it. Since
# we know the truth, we can measure it, with the usual **intersection over union**: the pixels in both masks,
# divided by the pixels in at least one (`inpaint.iou`). 1 is perfect.

# %%
segmenter = course_utils.load_segmenter()
asked = ["the dog", "the bench", "the sky", "trees", "the grass"]
found = {words: inpaint.mask_from_words(segmenter, picture, words) for words in asked}
for words, mask in found.items():
    print(f"{words:10} IoU {inpaint.iou(mask, drawn.masks[words.removeprefix('the ')]):.2f}")
tints = [plotting.tinted(picture, mask) for mask in found.values()]
plotting.show_pictures(tints, asked, size=1.8)
plt.show()

# %% [markdown]
# Good, and not perfect: look at the edges. A mask from words wants a look before it is used.
#
# All three ways give the same kind of thing, and `inpaint.mask_tensor` takes any of them: a PIL picture, an array or
# a tensor; bool, bytes from 0 to 255, or floats from 0 to 1. It is strict about what the library passes over in
# silence or answers with a riddle: a mask that covers nothing, one of another size than the picture, numbers outside
# 0 to 1. Half-white pixels? The library cuts at ½, and so do we: there is no half-repainted.

# %%
empty = inpaint.mask_from_words(segmenter, picture, "the boat")
for mask in (empty, exact[: side // 2], exact.astype(float) * 7):
    try:
        inpaint.mask_tensor(mask, picture.size)
    except ValueError as error:
        print(error)

# %% [markdown]
# For the robot we take a box around the dog, with some room: a robot need not have the outline of a dog.

# %%
room = side // 16
box = inpaint.box_around(exact, margin=room)
hole = Image.fromarray(box)
print(hole.size, hole.mode, f"covers {box.mean():.1%}")

# %% [markdown]
# ## 3 · Nine channels
#
# To paint *into* a picture, the UNet must know what is around the hole. So it gets more to see than noisy
# latents: the mask, and the latents of the picture with its hole. All have the same height and width, so
# they are stacked like the colours of a picture:
#
# $$\hat\varepsilon = \epsilon_\theta\big([\,z_t,\; m_\downarrow,\; \mathcal E(x \odot (1-m))\,],\; t,\; c\big)$$
#
# | symbol | variable | channels | changes from step to step? |
# |---|---|---|---|
# | $z_t$, the noisy latents | `z` | 4 | yes |
# | $m_\downarrow$, the mask, every eighth pixel | `small` | 1 | no |
# | $\mathcal E(x \odot (1-m))$, the latents of what is kept | `kept` | 4 | no |

# %%
x, m = vae.to_tensor(picture), inpaint.mask_tensor(hole, picture.size)
generator = torch.Generator().manual_seed(seed)
noise = pipeline.placed(pipe, torch.randn((1, 4, size, size), generator=generator))
masked = x * (1 - m)
small, kept = inpaint.hole_channels(pipe, x, m, generator).split([1, 4], dim=1)
nine = torch.cat([noise, small, kept], dim=1)
print("noise", tuple(noise.shape), " mask", tuple(small.shape), " kept", tuple(kept.shape))
print("together", tuple(nine.shape), " the UNet takes", pipe.unet.config.in_channels)

names = [f"z, {n}" for n in range(4)] + ["mask"] + [f"kept, {n}" for n in range(4)]
plotting.show_pictures([picture, vae.to_picture(masked)], ["x", "x ⊙ (1 − m)"], size=2)
plotting.show_maps(nine[0], names, columns=9, size=1.15, limit=3)
plt.show()

# %% [markdown]
# The mask keeps every eighth pixel, so a stroke thinner than 8 can fall between them; then nothing would be painted,
# and our functions say so.
#
# In the hole of $x \odot (1-m)$ there is a 0, and 0 is grey. The encoder does not know what a hole is; it
# encodes a grey box. Only the mask tells grey that is there from grey that means "unknown".
#
# Where does a UNet with nine channels come from? From the one with four. Its first convolution got five more
# input channels with all weights 0, so it did at first exactly what it did before; then it was trained on,
# with random masks. Did it learn to look at the new channels? The size of the weights tells:

# %%
weights = pipe.unet.conv_in.weight.detach()  # (D, 9, 3, 3)
before = ordinary.unet.conv_in.weight.detach()
print("before:", tuple(before.shape), " now:", tuple(weights.shape))
for name, channels in {"z": slice(0, 4), "mask": slice(4, 5), "kept": slice(5, 9)}.items():
    print(f"{name:5} root mean square weight {weights[:, channels].square().mean().sqrt():.3f}")

# %% [markdown]
# The loop is the old one. One line is new:

# %%
with torch.no_grad():
    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids
    context = pipe.text_encoder(ids.to(pipe.device))[0]

    pipe.scheduler.set_timesteps(steps)
    z = noise * pipe.scheduler.init_noise_sigma
    for t in pipe.scheduler.timesteps:
        seen = torch.cat([pipe.scheduler.scale_model_input(z, t), small, kept], dim=1)  # new
        u, c = pipe.unet(torch.cat([seen, seen]), t, context).sample.chunk(2)
        z = pipe.scheduler.step(u + g * (c - u), t, z).prev_sample

result = pipeline.decode(pipe, z)[0]
plotting.show_pictures(
    [picture, plotting.tinted(picture, hole), result], ["input", "mask", prompt], size=2.4
)
plt.show()

# %% [markdown]
# The article's own example. Three remarks on the code:
#
# - Mask and kept latents are *not* scaled by `scale_model_input`: they carry no noise.
# - We began with pure noise, everywhere, not only in the hole. The UNet paints the whole picture; it knows the
#   kept part, so it paints that again.
# - Strengths below 1 work, too: then `z` begins as the noised picture, as in notebook 06, and a trace of the
#   old thing shines through.
#
# As one function it is `inpaint.inpaint`:

# %%
source = inspect.getsource(inpaint.inpaint)
print(source[source.index("    prompts =") :])

# %% [markdown]
# How large should the hole be? The same noise in three holes, and in a fourth picture what the segmenter found:

# %%
from scipy.ndimage import binary_dilation

wider = Image.fromarray(binary_dilation(exact, iterations=5))
holes = {
    "the outline": exact,
    "5 pixels more": wider,
    "a box": hole,
    "found by words": found["the dog"],
}
filled = []
for mask in holes.values():
    z = inpaint.inpaint(pipe, prompt, picture, mask, **options())
    filled.append(inpaint.composite(picture, pipeline.decode(pipe, z)[0], mask))
tints = [plotting.tinted(picture, mask) for mask in holes.values()]
plotting.show_pictures(tints + filled, [*holes] * 2, columns=4, size=1.7)
plt.show()

# %% [markdown]
# The mask is not only a permission, it is a hint. In a dog's outline the UNet paints something of a dog's
# outline, for in training a hole had often the shape of what was in it. **Leave room for what shall come.**
#
# One more thing about the prompt. It says what the *whole* picture shows, not what is in the hole; so the UNet
# was trained. Three dogs, each with two prompts: one that suits the picture, one that does not.

# %%
looks = {
    "plain": Scene("dog", "park bench"),
    "oil painting": Scene("dog", "park bench", style="oil painting"),
    "sunset": Scene("dog", "park bench", time="sunset"),
}
dogs = [render(scene, 2).at(side) for scene in looks.values()]
boxes = [inpaint.box_around(dog.masks["dog"], margin=room) for dog in dogs]
fitting = [
    "A small robot sitting on a park bench",
    "An oil painting of a small robot sitting on a park bench",
    "A small robot sitting on a park bench at sunset",
]
rows = [[dog.picture for dog in dogs]]
for prompts in (fitting, [prompt] * 3):
    z = inpaint.inpaint(pipe, prompts, rows[0], boxes, **options())
    pictures = pipeline.decode(pipe, z)
    rows.append([inpaint.composite(*three) for three in zip(rows[0], pictures, boxes, strict=True)])
shown = [row[i] for i in range(3) for row in rows]
plotting.show_pictures(shown, ["input", "suits", "does not suit"] * 3, columns=9, size=1.2)
plt.show()

# %% [markdown]
# "High resolution" is a look of the whole picture in our world: hard edges, strong colours. In a plain picture
# it makes a patch. Nothing is wrong with the UNet; it was asked for two things that do not go together. **Say
# in the prompt what the rest of the picture looks like.**

# %% [markdown]
# ## 4 · What lies outside
#
# "It paints that again." Does it paint the same? Let us not look, but count: how many pixels outside the mask
# are exactly those of the input, and how far off are the others? For comparison, a picture that only went
# through the VAE and back.

# %%
returned = vae.to_picture(vae.decode(pipe.vae, vae.encode(pipe.vae, x)))
pasted = inpaint.composite(picture, result, hole)
outside = ~box


def outside_difference(other):
    """Absolute difference to the input outside the mask, (N, 3), of 255."""
    a, b = (np.asarray(one).astype(int)[outside] for one in (picture, other))
    return np.abs(a - b)


stages = {"VAE alone": returned, "inpainted": result, "inpainted and pasted": pasted}
print(f"outside the mask: {outside.sum():,} pixels")
for name, other in stages.items():
    difference = outside_difference(other)
    same = (difference == 0).all(axis=1).mean()
    print(f"{name:21} the same {same:7.2%}   mean difference {difference.mean():5.2f} of 255")

# %%
maps = [
    np.abs(np.asarray(one).astype(int) - np.asarray(picture).astype(int)).mean(axis=2)
    for one in stages.values()
]
plotting.show_maps(
    maps, list(stages), size=2.4, signed=False, limit=60, bar="difference to the input"
)
plt.show()

# %% [markdown]
# Hardly any pixel is the same. Much of that is the toll of the VAE (notebook 01): nothing that has been latents
# comes back exactly. The UNet adds its own share. The remedy is not a better network. It is one line:
#
# $$x_\text{out} = m \odot x_\text{painted} + (1 - m) \odot x$$
#
# `inpaint.composite` does it, with bytes, not with floats; so *the same* means the same. The price is a seam:
# inside, the toll was paid, outside, it was not. Look at the border of the box:

# %%
left, top, right, bottom = hole.getbbox()
nearby = (left - 12, top - 12, right + 12, bottom + 12)
crops = [one.crop(nearby) for one in (picture, result, pasted)]
plotting.show_pictures(crops, ["input", "inpainted", "inpainted and pasted"], size=2.2)
plt.show()

# %% [markdown]
# ## 5 · A UNet that never saw a hole
#
# Is the nine-channel UNet needed at all? There is an older way that works with *every* UNet. After each step,
# throw away what the UNet made of the kept part, and put the true picture there, under just the noise that the
# step has reached (Song et al. 2021; RePaint, Lugmayr et al. 2022, equation 8):
#
# $$z_{t-1} \leftarrow m_\downarrow \odot z_{t-1} + (1 - m_\downarrow) \odot
# \big(\sqrt{\bar\alpha_{t-1}}\, z_0 + \sqrt{1 - \bar\alpha_{t-1}}\, \varepsilon\big)$$
#
# That is RePaint's step without what is RePaint's own: it also goes back and repeats, and draws a new $\varepsilon$
# each time, where we keep one, as diffusers does. `scheduler.add_noise` knows what "as noisy as the step" means for
# each scheduler.
#
# The function is `inpaint.inpaint_blended`. For a hard test, a task in which the whole picture matters: the right half of a
# wave at sunset is lost. Both ways, six pictures each:

# %%
sea = render(Scene("wave", "sea", time="sunset"), 3).at(side).picture
half = Image.new("L", sea.size)
half.paste(255, (side // 2, 0, side, side))
prompts, rows = ["a wave breaking at sunset"] * 6, []
for which, loop in ((pipe, inpaint.inpaint), (ordinary, inpaint.inpaint_blended)):
    latents = loop(which, prompts, sea, half, **options(3))
    rows.append([inpaint.composite(sea, one, half) for one in pipeline.decode(which, latents)])
titles = ["input", *["9 channels"] * 6, "lost", *["4 channels"] * 6]
plotting.show_pictures(
    [sea, *rows[0], plotting.tinted(sea, half), *rows[1]], titles, columns=7, size=1.35
)
plt.show()

# %% [markdown]
# Without one more weight, the pocket UNet finishes a wave: that is remarkable. It sees the kept half, as noisy as
# everything else, and at each step it fits its own half to it a little more. But look for the sun. It stands in the
# kept half, and yet some of its pictures get a second one. We counted 24 pictures a way (the seeds 0 to 3): no
# second sun with nine channels, 6 with four. The reason is *when* a UNet learns what is kept. Under the noise of the first
# steps the four-channel UNet can hardly see the sun, and that is when the places of things are decided (notebook
# 06). The nine-channel UNet sees the kept half without noise from the first step on.
#
# The other side: in the nine-channel pictures the seam in the middle is easier to see. That UNet paints the
# kept half again and lets its colours drift a little, and pasting cuts them off; putting the true latents back
# at every step does not let them drift.
#
# | | nine channels | four channels |
# |---|---|---|
# | needs | a UNet trained for it | any UNet |
# | knows what is kept | from the first step, clean | as noisy as the step |
# | kept latents at the end | painted again, nearly the same | exactly those of the input |
# | kept pixels | after pasting | after pasting |
#
# ## 6 · Exercises
#
# **Exercise 1** (easy, 3 minutes). The picture with its hole, as the VAE encoder gets to see it.


# %% tags=["exercise"]
def cut_out(x: Tensor, m: Tensor) -> Tensor:
    """x: (1, 3, H, W) in -1..1; m: (1, 1, H, W), 1 in the hole → (1, 3, H, W)."""
    # solution
    return x * (1 - m)
    # end solution


checks.check_cut_out(cut_out)

# %% [markdown]
# **Exercise 2** (medium, 5 minutes). What the UNet sees. Guidance asks twice, so all of it twice: once for the
# negative prompt, once for the prompt.


# %% tags=["exercise"]
def nine_channels(z: Tensor, small: Tensor, kept: Tensor) -> Tensor:
    """(1, 4, h, w), (1, 1, h, w), (1, 4, h, w) → (2, 9, h, w)."""
    # solution
    nine = torch.cat([z, small, kept], dim=1)
    return torch.cat([nine, nine])
    # end solution


checks.check_nine_channels(nine_channels)

# %% [markdown]
# **Exercise 3** (easy, 5 minutes). Put the kept pixels back. Bytes in, bytes out.


# %% tags=["exercise"]
def paste(picture: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    """Two pictures (H, W, 3) uint8 and a mask (H, W) bool → (H, W, 3) uint8."""
    # solution
    return torch.where(mask[..., None], painted, picture)
    # end solution


checks.check_paste(paste)

# %% [markdown]
# **Exercise 4** (hard, 10 minutes). The line that lets any UNet inpaint. It runs after each step; `t` is the
# timestep that the step has reached, of shape (1,), or None after the last.


# %% tags=["exercise"]
def keep_the_rest(
    scheduler, z: Tensor, z0: Tensor, eps: Tensor, hole: Tensor, t: Tensor | None
) -> Tensor:
    """Latents, all (1, 4, h, w); hole (1, 1, h, w) is 1 where the UNet paints."""
    # solution
    known = z0 if t is None else scheduler.add_noise(z0, eps, t)
    return hole * z + (1 - hole) * known
    # end solution


checks.check_keep_the_rest(keep_the_rest)

# %% [markdown]
# ## 7 · The proof
#
# Both of our functions against diffusers' own pipeline, which takes either UNet and chooses its way by the
# number of channels: seven schedulers, strength 1 and, with nine channels, 0.6; `torch.equal`. (The tests of the course
# compare many more cases.)

# %%
given = {"prompt": prompt, "image": picture, "num_inference_steps": 2, "guidance_scale": g}
four = type(pipe)(**ordinary.components, requires_safety_checker=False)
four.set_progress_bar_config(disable=True)
own = pipe.scheduler
for name in ("pndm", "ddim", "lms", "euler", "euler-ancestral", "heun", "dpm++"):
    equal = {9: [], 4: []}
    for which, loop in ((pipe, inpaint.inpaint), (four, inpaint.inpaint_blended)):
        which.scheduler = make_scheduler(name, own)
        for strength in (1.0, 0.6) if which is pipe else (1.0,):
            ours, theirs = (torch.Generator().manual_seed(1) for _ in range(2))
            z = loop(which, mask=hole, strength=strength, generator=ours, **given)
            library = which(
                mask_image=hole, strength=strength, generator=theirs, output_type="latent", **given
            )
            equal[which.unet.config.in_channels].append(torch.equal(z, library.images))
    print(f"{type(pipe.scheduler).__name__:32} nine: {equal[9]}  four: {equal[4]}")
pipe.scheduler = own

# %% [markdown]
# ## 8 · At full size
#
# The real inpainting UNets have nine channels as well, and this loop draws with them. (There never was a 2.1 of it; that is the 2.0 model, with a UNet of the same shape.) How much does it cost a network of 866 million parameters to see a hole?

# %%
from course_utils.models import architecture, find_real

for name in ("sd-1.5", "sd-2.1"):
    usual, seeing = (architecture(name, part) for part in ("unet", "inpaint_unet"))
    sizes = [sum(p.numel() for p in network.parameters()) for network in (usual, seeing)]
    print(f"{name}: {sizes[0]:,} → {sizes[1]:,} parameters, {sizes[1] - sizes[0]:,} more")
print(
    "the first convolution:",
    tuple(usual.conv_in.weight.shape),
    "→",
    tuple(seeing.conv_in.weight.shape),
)

# %% [markdown]
# Five channels more into 320 filters of 3 × 3 weights: 14,400 numbers, 17 in a million of the network. The
# training behind them was no small thing; its authors report 440,000 steps for the 1.5 model.
#
# The dog and its robot, by our function and the real model, where it is on this machine:

# %% tags=["needs-download"]
full = find_real(pipe, "inpaint")
if full:
    large = (own_size(full),) * 2
    dog, mask = picture.resize(large), hole.resize(large)
    generator = torch.Generator().manual_seed(seed)
    z = inpaint.inpaint(full, prompt, dog, mask, num_inference_steps=30, generator=generator)
    robot = inpaint.composite(dog, pipeline.decode(full, z)[0], mask)
    shown = [dog, plotting.tinted(dog, mask), robot]
    plotting.show_pictures(shown, ["input", "mask", prompt], size=3)
    plt.show()

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model("inpaint")

# %% [markdown]
# ## 9 · Recap
#
# - A mask says where. It can be computed, painted, or asked for with words; white is painted anew.
# - An inpainting UNet sees nine channels: noisy latents, mask, latents of what is kept.
# - It paints the whole picture. Only pasting keeps the rest to the byte; the seam is the VAE's toll.
# - Any UNet can inpaint if the kept part is put back after every step.
# - The prompt describes the whole picture; the hole needs room for what shall come.
#
# Next: **08 · Depth2Img**: can I keep the layout, and change everything else?
