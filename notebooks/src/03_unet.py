# %% [markdown]
# # 03 · The UNet
#
# **What goes into the UNet, what comes out, and what happens in between?**
#
# You should know: notebooks 01 and 02, or that pictures become latents and prompts become vectors ·
# Time: 35 minutes · Needs: any laptop, no GPU, no download
#
# The UNet is the part that draws. It is the largest (in the real model by far), it is asked again and
# again, and nearly everything the model knows about the world is in it. Yet its task can be said in one
# sentence: *look at this noisy latent and tell me which part of it is noise.*

# %%
import matplotlib.pyplot as plt
import torch

import course_utils
from course_utils import checks, img2img, pipeline, plotting, schedulers, tour, unet, vae
from course_utils.drawing import own_size
from course_utils.world import Scene, render

pipe = course_utils.load()
alpha_bar = pipe.scheduler.alphas_cumprod

# %% [markdown]
# **When you are done with this notebook you can**
#
# - feed the UNet by hand and read its answer,
# - draw its U from memory, with the shape after every block and what each block costs,
# - say how a timestep and a prompt get in, and what each of them changes,
# - write its forward pass yourself.

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=10)
tour.diagram(stations, highlight="unet")
plt.show()

# %% [markdown]
# ## 1 · Three things in, one thing out
#
# To ask the UNet a question we know the answer to, take a picture, turn it into latents, and add
# noise ourselves. How much noise belongs to a timestep, $\bar\alpha_t$ says; notebook 04 is about
# that. Here it is enough that $\bar\alpha_t$ is the picture's share of the variance, and falls from nearly
# 1 to nearly 0 (the picture itself is multiplied by the root, $\sqrt{\bar\alpha_t}$).
#
# $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\; \epsilon, \qquad
# \hat\epsilon = \epsilon_\theta(x_t, t, c)$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $x_0$ | `x0`, clean latents | (B, C, h, w) = (1, 4, 16, 16) |
# | $\epsilon$ | `eps`, the noise we add | (1, 4, 16, 16) |
# | $x_t$ | `xt`, what the UNet sees | (1, 4, 16, 16) |
# | $t$ | `t`, the timestep | a number from 0 to 999 |
# | $c$ | `c`, the encoded prompt | (B, L, D) = (1, 77, 128) |
# | $\hat\epsilon$ | `eps_hat`, the answer | (1, 4, 16, 16) |

# %%
picture = render(Scene("ball", "beach", "red"), 2).at(own_size(pipe)).picture
x0 = vae.encode(pipe.vae, vae.to_tensor(picture))
eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0)).to(x0)
t = 400
xt = schedulers.add_noise(x0, eps, alpha_bar[[t]])

with torch.no_grad():
    c, _ = pipe.encode_prompt("a red ball on a beach", pipe.device, 1, False)
    eps_hat = pipe.unet(xt, t, c).sample

for name, value in (("xt", xt), ("c", c), ("eps_hat", eps_hat)):
    print(f"{name:8}{tuple(value.shape)}")
print(f"share of the noise that it missed: {unet.change(eps, eps_hat) ** 2:.0%}")

# %% [markdown]
# Out comes the shape that went in: a guess at the noise, number by number. (`unet.change` is the length
# of the difference over the length of the first, $\lVert\hat\epsilon - \epsilon\rVert / \lVert\epsilon\rVert$;
# its square is a share of the variance.) This is also how it was trained: a picture, noise and a timestep
# are drawn at random, and the weights are moved a little so that $\lVert\hat\epsilon - \epsilon\rVert^2$
# becomes smaller; then the next. Notebook 10 does it.
#
# Here are the four channels of what it saw, $x_t$, what it answered, $\hat\epsilon$, and, on a scale of its
# own, its mistake, $\hat\epsilon - \epsilon$.

# %%
titles = [f"{name}, channel {i}" for name in ("seen", "answer", "mistake") for i in range(4)]
plotting.show_maps([*xt[0], *eps_hat[0]], titles[:8], columns=4, size=1.6, limit=3)
plotting.show_maps((eps_hat - eps)[0], titles[8:], columns=4, size=1.6, limit=0.5)
plt.show()

# %% [markdown]
# The sea and the sand are gone from the second row: what is left is nearly pure noise. The mistakes
# sit where the picture has edges, because there a jump may be noise or may be the ball.
#
# Notice what the UNet does *not* do. It does not draw a clean picture, and it does not take the noise
# away. It only points at it. The scheduler does the rest.

# %% [markdown]
# ## 2 · The shape of a U
#
# To tell noise from picture you must see the fine grain *and* the whole scene. So the network looks
# at several scales. On the way down each block halves height and width and widens the channels; at
# the bottom four by four places see the whole picture at once; on the way up each block doubles height
# and width again. Detail lost on the way down is handed across: every block on the way up also gets
# what its opposite on the way down had seen. These are the **skip connections**.
#
# A small hook on each block writes down the shapes while a latent passes through. FLOPs are
# floating-point operations, two for each multiplication with its addition.

# %%
stages = unet.blocks(pipe.unet)
print(unet.blocks_table(stages))

# %%
unet.unet_diagram(stages)
plt.show()

# %% [markdown]
# Each row works at one resolution, and the skip connections stay in their row. Behind the arrow in a box
# stands what the block gives to the next. Now for what it costs:

# %%
inner = [b for b in stages if "block" in b.name]
names = [b.name.replace("_blocks.", " ").replace("_block", "") for b in inner]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.4), layout="constrained", sharey=True)
for axis, values, title in (
    (axes[0], [b.parameters / 1e6 for b in inner], "million parameters"),
    (axes[1], [b.flops / 1e9 for b in inner], "billion operations for one latent"),
):
    axis.barh(names, values, color=plotting.PALETTE["unet"])
    axis.set_title(title, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
axes[0].invert_yaxis()
plt.show()

# %% [markdown]
# The two do not go together. The *knowledge* sits at the bottom, where there are many channels; the
# *work* is at the top, where there are many places. And the way up costs more than the way down: its
# blocks also carry what came across, and each has one layer more.

# %% [markdown]
# ## 3 · How a number gets in: the timestep
#
# The same noisy latent means something else at another $t$. But a network cannot do much with one
# number between 0 and 999. So $t$ is first spread out over waves of different lengths, as the hands
# of a clock spread out the time: one tells seconds, one minutes, one hours.
#
# $$\gamma(t) = \big(\cos(t f_0), \dots, \cos(t f_{n-1}),\ \sin(t f_0), \dots, \sin(t f_{n-1})\big),
# \qquad f_k = 10000^{-k/n}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $t$ | `times` | (B,) |
# | $\gamma(t)$ | `waves` | (B, 2n) = (B, 64) |
# | | `time`, after two layers | (B, 256) |

# %%
times = torch.arange(1000)
waves = unet.timestep_embedding(times, pipe.unet.config.block_out_channels[0])
with torch.no_grad():
    time = pipe.unet.time_embedding(waves.to(x0))
print("waves", tuple(waves.shape), "→ time", tuple(time.shape))

figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
image = axis.imshow(waves[:500].T, aspect="auto", cmap="RdBu_r", interpolation="nearest")
axis.set(xlabel="timestep t", ylabel="cosines, then sines")
figure.colorbar(image, pad=0.01)
plt.show()

# %% [markdown]
# Two layers turn the waves into a vector of 256 numbers. In *every* residual layer a small linear layer of
# its own (`time_emb_proj`) turns this vector into one number per channel, and adds it. So the whole
# network knows how noisy its input is. What if we lie? Let us tell it of the latent from section
# 1 that it has another timestep than its own 400.

# %%
with torch.no_grad():
    for told in (1, 200, 400, 600, 999):
        answer = pipe.unet(xt, told, c).sample
        print(
            f"told t = {told:3}: size of the answer {answer.std():.2f}, "
            f"changed by {unet.change(eps_hat, answer):4.0%}, "
            f"missed {unet.change(eps, answer) ** 2:4.0%} of the noise"
        )

# %% [markdown]
# Only with the true timestep is hardly any of the noise missed (1 %). Told too small a $t$, it answers too
# loudly (1.61 at $t = 1$; the noise has size 1). Told too large a $t$, the size may look right (0.98), but more
# than a third of the noise is missed. A UNet must know how noisy its input is, and it believes what it is told.

# %% [markdown]
# ## 4 · The picture it has in mind
#
# Whoever knows the noise knows the picture: solve the equation of section 1 for $x_0$.
#
# $$\hat x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\;\hat\epsilon}{\sqrt{\bar\alpha_t}}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\hat\epsilon$ | `eps_hat` | (1, 4, 16, 16) |
# | $\hat x_0$ | `guess` | (1, 4, 16, 16) |
#
# So every answer of the UNet holds a whole picture. Below, the same ball under more and more noise, and
# the picture that the UNet has in mind each time.

# %%
seen, guesses = [], []
for t in (50, 200, 400, 600, 800, 950):
    xt = schedulers.add_noise(x0, eps, alpha_bar[[t]])
    with torch.no_grad():
        eps_hat = pipe.unet(xt, t, c).sample
    guess = schedulers.predict_x0(xt, eps_hat, alpha_bar[t])
    seen.append((f"x_t, t = {t}", xt))
    guesses.append((f"{alpha_bar[t]:.0%} left: the guess", guess))

titles, latents = zip(*seen, *guesses, strict=True)
pictures = [vae.to_picture(vae.decode(pipe.vae, z)) for z in latents]
plotting.show_pictures(pictures, titles, columns=6, size=1.6)
plt.show()

# %% [markdown]
# With a little noise the guess is the picture itself. With more it becomes vague: where the UNet cannot
# know, it gives the *mean* of all that could be there, and a mean of many pictures is a blur. That is
# why one call does not make a picture, and thirty calls do: take away a little of the noise, look
# again, and the guess gets sharper.

# %% [markdown]
# ## 5 · How words get in, and what they change
#
# A block with a dot in the diagram has **cross-attention**. It is the formula of notebook 02, but the
# questions come from the picture, and the keys and values from the words:
#
# $$A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt d}\right), \qquad
# Q = h\,W_Q, \quad K = c\,W_K, \quad V = c\,W_V, \qquad h \leftarrow h + (A V)\,W_O$$
#
# | symbol | what it is | shape |
# |---|---|---|
# | $h$ | the block's channels, a row for each place | (B, 256, 64) at 16 × 16 |
# | $c$ | the encoded prompt | (B, 77, 128) |
# | $A$ | for every head, how much a place listens to each token | (B, heads, 256, 77) |
#
# So each of the 16 × 16 places asks all 77 vectors, and takes over what fits its question. There is no
# mask: a place may listen to every token. ($h$ is normalised first, and an MLP follows, as in notebook 02.)
#
# Where the noise leaves a choice, the prompt decides. We keep the latent and the timestep, and change
# nothing but $c$. A map of the difference to the answer without a prompt shows *where* the words act.

# %%
prompts = ["", "a red ball on a beach", "a blue cube on a beach", "a cityscape at night"]
t = 750
xt = schedulers.add_noise(x0, eps, alpha_bar[[t]])
with torch.no_grad():
    encoded, _ = pipe.encode_prompt(prompts, pipe.device, 1, False)
    answers = pipe.unet(xt.expand(4, -1, -1, -1), t, encoded).sample  # (4, C, h, w)

guesses = schedulers.predict_x0(xt, answers, alpha_bar[t])
pictures = [vae.to_picture(vae.decode(pipe.vae, z[None])) for z in guesses]
plotting.show_pictures(pictures, [prompt or "no prompt" for prompt in prompts], size=2.2)
plt.show()

# %%
maps = (answers - answers[0]).square().mean(dim=1).sqrt()
for prompt, answer in zip(prompts[1:], answers[1:], strict=True):
    print(f"{prompt!r} changes the answer by {unet.change(answers[0], answer):.0%}")
plotting.show_maps(maps[1:], prompts[1:], signed=False, size=2.2, bar="change of ε̂")
plt.show()

# %% [markdown]
# Where the prompt agrees with what can be seen, it changes little (7 %); where it contradicts, much (30 %).
# And it pushes in the same direction at every step. Notebook 05 makes this push larger; that is called
# *guidance*. How the words find their places, block by block, is the subject of notebook 09.

# %% [markdown]
# Now tell the UNet that the red ball is a city. With little noise it does not believe you. Move $t$ up from 0: at which timestep
# does it begin to see the city, and what becomes of the ball on the way there?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Explorer


@torch.no_grad()
def in_mind(t, prompt):
    """The ball under noise, the noise that the UNet names, and the picture it has in mind."""
    xt = schedulers.add_noise(x0, eps, alpha_bar[[t]])
    eps_hat = pipe.unet(xt, t, encoded[[prompts.index(prompt)]]).sample
    named = {"what it sees": xt, "the noise it names": eps_hat}
    named["the picture it has in mind"] = schedulers.predict_x0(xt, eps_hat, alpha_bar[t])
    pictures = {name: vae.to_picture(vae.decode(pipe.vae, z)) for name, z in named.items()}
    share = f"{alpha_bar[t]:.0%} of the variance is the ball's"
    return pictures, f"t = {t}, {share}; it hears: {prompt or '(nothing)'}"


Explorer(in_mind, {"t": range(0, 1000, 50), "prompt": prompts}, {"t": 500, "prompt": prompts[3]})

# %% [markdown]
# ## 6 · Exercises
#
# **Exercise 1** (easy, 3 minutes). An up block takes in a skip by putting its channels behind its own.
# Do that.


# %% tags=["exercise"]
def join_skip(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) and (B, D, h, w) → (B, C + D, h, w)."""
    # solution
    return torch.cat([x, skip], dim=1)
    # end solution


checks.check_join_skip(join_skip)

# %% [markdown]
# **Exercise 2** (easy, 5 minutes). Which resolutions do the down blocks work at, from the first to the
# last, when the latents are `size` wide? Look at the rows of the diagram.


# %% tags=["exercise"]
def map_sizes(size: int, blocks: int) -> list[int]:
    """The width at which each of the down blocks works."""
    # solution
    return [size // 2**i for i in range(blocks)]
    # end solution


checks.check_map_sizes(map_sizes)

# %% [markdown]
# **Exercise 3** (medium, 8 minutes). In section 4 we solved for the picture. Now you have the noisy and
# the clean latents: which noise lies between them?


# %% tags=["exercise"]
def implied_noise(xt: torch.Tensor, x0: torch.Tensor, alpha_bar_t: torch.Tensor) -> torch.Tensor:
    """The noise that turns x0 into xt, same shape."""
    # solution
    return (xt - alpha_bar_t.sqrt() * x0) / (1 - alpha_bar_t).sqrt()
    # end solution


checks.check_implied_noise(implied_noise)

# %% [markdown]
# **Exercise 4** (think, 8 minutes). The UNet for inpainting takes nine channels instead of four, the one
# that sees depth takes five. Nothing else differs. Its first layer is a convolution with kernels of 3 × 3
# that gives 320 channels. How many more parameters does such a UNet have than the plain one?


# %% tags=["exercise"]
def extra_parameters(channels: int) -> int:
    """Parameters that a UNet with so many input channels has, and one with 4 has not."""
    # solution
    return (channels - 4) * 320 * 3 * 3
    # end solution


checks.check_extra_parameters(extra_parameters)

# %% [markdown]
# ## 7 · The proof
#
# This is the whole UNet: down, across the bottom, up. `skips` is a pile; on the way down each block puts
# what it has seen on top, on the way up each block takes its share from the top.


# %%
@torch.no_grad()
def forward(z, t, c):
    net = pipe.unet
    times = torch.full((len(z),), t, device=z.device)
    waves = unet.timestep_embedding(times, net.config.block_out_channels[0])
    time = net.time_embedding(waves.to(z.dtype))
    x = net.conv_in(z)
    skips = [x]
    for block in net.down_blocks:
        x, seen = block(x, time, c) if hasattr(block, "attentions") else block(x, time)
        skips += seen
    x = net.mid_block(x, time, c)
    for block in net.up_blocks:
        n = len(block.resnets)
        skips, taken = skips[:-n], tuple(skips[-n:])
        x = block(x, taken, time, *([c] if hasattr(block, "attentions") else []))
    return net.conv_out(net.conv_act(net.conv_norm_out(x)))


# %%
for t in (1, 400, 999):
    xt = schedulers.add_noise(x0, eps, alpha_bar[[t]])
    with torch.no_grad():
        theirs = pipe.unet(xt, t, c).sample
    print(f"t = {t:3}: equal: {torch.equal(forward(xt, t, c), theirs)}")

# %% [markdown]
# ## 8 · At full size
#
# The real UNet, on the *meta* device, where tensors have shapes and no numbers. It has a fourth level, two
# layers in a block instead of one, five times as many channels, and hears words of 1,024 numbers. The
# article's shapes: (1, 4, 64, 64) goes in, (1, 4, 64, 64) comes out.

# %%
from course_utils.models import architecture, find_real

real = unet.blocks(architecture("sd-2.1", "unet"))
print(unet.blocks_table(real))

# %%
unet.unet_diagram(real)
plt.show()

# %% [markdown]
# It is the same U. And its relatives, which notebooks 06 to 08 use, are the same again but for the first
# layer (your exercise 4):

# %%
for model, part in (
    ("sd-2.1", "unet"),
    ("sd-2.1", "inpaint_unet"),
    ("sd-2.1", "depth_unet"),
    ("sd-1.5", "unet"),
    ("sd-1.5", "inpaint_unet"),
):
    network = unet.blocks(architecture(model, part))
    taken = plotting.shape_text(next(b.takes for b in network if b.name == "conv_in"))
    print(
        f"{model} {part:13} takes {taken}, {sum(b.parameters for b in network):,} parameters, "
        f"{sum(b.flops for b in network) / 1e9:.1f} billion operations"
    )

# %% [markdown]
# What does the real one have in mind when it sees our ball under noise? The next cell asks it, where its weights are
# on this machine.

# %% tags=["needs-download"]
full = find_real(pipe)
if full:
    large = vae.to_tensor(img2img.fit_picture(picture, own_size(full)))
    clean = vae.encode(full.vae, pipeline.placed(full, large))
    eps = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)
    a, words = alpha_bar[[600]].to(clean), "a red ball on a beach"
    noisy = schedulers.add_noise(clean, eps, a)
    with torch.no_grad():
        answer = full.unet(noisy, 600, full.encode_prompt(words, full.device, 1, False)[0]).sample
    z = torch.cat([clean, noisy, schedulers.predict_x0(noisy, answer, a)])
    titles = ["picture", "what the UNet sees, t = 600", "what it has in mind"]
    plotting.show_pictures(pipeline.decode(full, z), titles, size=3)
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
# - In go a noisy latent, a timestep and a prompt; out comes a guess at the noise, in the latent's shape.
# - Down to few places with many channels, up again, and skips across: that is the U.
# - The timestep becomes waves, then a vector, and goes into every residual layer; words go in by
#   cross-attention, where each place of the picture asks all 77 of them.
# - A guess at the noise is a guess at the picture; under much noise it is a blur of all that could be.
# - The real UNet is a hundred times larger and has the same shape.
#
# Next: **04 · Schedulers**: how is noise put in and taken out?
