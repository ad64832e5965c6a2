# %% [markdown]
# # 04 · Schedulers
#
# **How is noise put in and taken out?**
#
# You should know: notebook 03, or that the UNet points at the noise in a latent ·
# Time: 45 minutes · Needs: any laptop, no GPU, no download
#
# The scheduler has learned nothing. It is a table of numbers and a formula. The table says how much
# noise there is at each timestep; the formula says how to get from one timestep to a less noisy one,
# given what the UNet said. Yet it decides whether a picture takes 10 calls of the UNet or 1,000.

# %%
import inspect

import matplotlib.pyplot as plt
import torch

import course_utils
from course_utils import checks, drawing, pipeline, plotting, schedulers, tour, vae
from course_utils.schedulers import SAMPLERS, Euler
from course_utils.world import HELD_OUT, Scene, render, sample

pipe = course_utils.load()
alpha_bar = pipe.scheduler.alphas_cumprod
side = drawing.own_size(pipe)  # of its pictures: 128 for the pocket model


def noise(batch, seed):
    """Standard normal noise in the shape of the latents, (B, 4, h, w)."""
    dice = torch.Generator().manual_seed(seed)
    return pipeline.initial_noise(pipe, batch, side, side, dice).float().cpu()


# %% [markdown]
# **When you are done with this notebook you can**
#
# - read a noise schedule in each of its three notations,
# - put noise in, and take one step back by hand, in two of the eight ways,
# - say what the others do differently, and swap one for another in a pipeline,
# - measure which of them needs the fewest calls.

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=10)
tour.diagram(stations, highlight="scheduler")
plt.show()

# %% [markdown]
# ## 1 · How much is left
#
# Imagine noise put in by 1,000 small portions. Portion $t$ adds noise of variance $\beta_t$ and makes
# everything else a little smaller, so that the sum keeps its variance. The picture's share of the variance
# after $t$ portions is a product, and it tells all there is to know:
#
# $$\bar\alpha_t = \prod_{k \le t} (1 - \beta_k), \qquad
# \mathrm{SNR}_t = \frac{\bar\alpha_t}{1 - \bar\alpha_t}, \qquad
# \sigma_t = \sqrt{\frac{1 - \bar\alpha_t}{\bar\alpha_t}}$$
#
# | symbol | variable | shape | says |
# |---|---|---|---|
# | $\beta_t$ | `betas` | (T,) = (1000,) | noise in portion $t$ |
# | $\bar\alpha_t$ | `alpha_bar` | (T,) | the picture's share of the variance |
# | $1 - \bar\alpha_t$ | | (T,) | the noise's share |
# | $\mathrm{SNR}_t$ | `snr` | (T,) | signal over noise, as variances |
# | $\sigma_t$ | `sigma` | (T,) | noise over signal, as deviations |
#
# (The picture itself is multiplied by the root, $\sqrt{\bar\alpha_t}$.) $\bar\alpha$, SNR and $\sigma$ are
# one number in three notations: papers differ in which they use. Three rules for $\beta$ are in use. Ho et
# al. let it grow in a straight line; Stable Diffusion lets $\sqrt\beta$ do so; Nichol and Dhariwal choose
# $\bar\alpha$ directly, as a cosine.

# %%
green, grey, ink = plotting.PALETTE["scheduler"], plotting.MUTED, plotting.INK
styles = {"linear": (grey, "--", 1.3), "scaled_linear": (green, "-", 3), "cosine": (ink, ":", 1.8)}
figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), layout="constrained")
for name, (color, line, width) in styles.items():
    a = schedulers.alphas_cumprod(schedulers.betas(name))
    print(f"{name:14} alpha-bar falls from {a[0]:.4f} at t = 0 to {a[-1]:.4f} at t = 999")
    curves = (a, schedulers.signal_to_noise(a), schedulers.sigma(a))
    for axis, curve in zip(axes, curves, strict=True):
        axis.plot(curve, line, color=color, lw=width, label=name.replace("_", " "))
for axis, title in zip(axes, ("share left, ᾱ", "signal to noise, SNR", "noise, σ"), strict=True):
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("timestep t")
axes[0].legend(fontsize=8)
axes[1].set(yscale="log", ylim=(1e-4, 1e4))
axes[2].set(yscale="log", ylim=(1e-2, 1e2))
plt.show()

# %% [markdown]
# The thick line is Stable Diffusion's, and the pocket model's. At $t = 0$ nearly all of the variance is the
# picture's, at $t = 999$ half a percent. (It is easy to plot this the wrong way round: small $t$ means
# *little* noise.) The cosine goes down to nothing; Stable Diffusion's does not quite, and so its UNet
# has never seen pure noise.

# %% [markdown]
# ## 2 · Noise in
#
# Because sums of normal noise are normal again, nobody needs to add a thousand portions. One jump
# does it:
#
# $$x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1 - \bar\alpha_t}\; \epsilon$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $x_0$ | `x0` | (B, C, h, w) = (1, 4, 16, 16) |
# | $\epsilon$ | `eps` | (1, 4, 16, 16), mean 0, variance 1 |
# | $x_t$ | `xt` | (1, 4, 16, 16) |
#
# The squares of the two factors add up to 1. So if latents have variance 1 (that is what the scaling
# factor of notebook 01 was for), $x_t$ has variance 1 at every $t$, and the UNet always sees numbers
# of the same size.

# %%
picture = render(Scene("house", "snow", "red"), 3).at(side).picture
x0 = vae.encode(pipe.vae, vae.to_tensor(picture)).float().cpu()  # schedulers like it exact
eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))

noisy = []
for t in (0, 100, 250, 400, 550, 700, 850, 999):
    xt = alpha_bar[t].sqrt() * x0 + (1 - alpha_bar[t]).sqrt() * eps
    theirs = pipe.scheduler.add_noise(x0, eps, torch.tensor([t]))
    print(
        f"t = {t:3}: share {alpha_bar[t]:6.1%}, deviation {xt.std():.2f}, "
        f"equal to diffusers: {torch.equal(xt, theirs)}"
    )
    noisy.append((f"t = {t}", vae.to_picture(vae.decode(pipe.vae, xt))))

titles, pictures = zip(*noisy, strict=True)
plotting.show_pictures(pictures, titles, columns=8, size=1.3)
plt.show()

# %% [markdown]
# ## 3 · One step back
#
# Backwards there is no such jump. The UNet names the noise, and so the picture it has in mind; but at
# much noise that is a blur (notebook 03). So we trust it only a little: go to a slightly smaller
# timestep $s$, and ask again. Which $s$? Stable Diffusion goes in equal strides, counted up from 0 (the
# settings call this **leading**), and adds 1 to each:

# %%
print("10 steps:", schedulers.spaced(10).tolist())

# %% [markdown]
# The first way to step is **DDPM**, which undoes the portions of section 1. Given $x_t$ and the guess
# $\hat x_0$, the mean of what came before is a mix of the two, and there is chance left:
#
# $$x_s = \frac{\sqrt{\bar\alpha_s}\,\beta}{1 - \bar\alpha_t}\,\hat x_0 +
# \frac{\sqrt{\alpha}\,(1 - \bar\alpha_s)}{1 - \bar\alpha_t}\,x_t +
# \sqrt{\frac{1 - \bar\alpha_s}{1 - \bar\alpha_t}\beta}\;\cdot\text{noise},
# \qquad \alpha = \frac{\bar\alpha_t}{\bar\alpha_s},\ \beta = 1 - \alpha$$
#
# The second is **DDIM**: no chance. Take the guess, and put back less of *the very same* noise. It is
# the formula of section 2 with the timestep changed:
#
# $$x_s = \sqrt{\bar\alpha_s}\;\hat x_0 + \sqrt{1 - \bar\alpha_s}\;\hat\epsilon$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\bar\alpha_t$, $\bar\alpha_s$ | `a_t`, `a_s` | one number each |
# | $\hat\epsilon$ | `eps` | (1, 4, 16, 16) |
# | $\hat x_0$ | `x0` | (1, 4, 16, 16) |
# | $x_t$ → $x_s$ | `x` | (1, 4, 16, 16) |


# %%
def ddim_step(x, eps, a_t, a_s):
    x0 = (x - (1 - a_t).sqrt() * eps) / a_t.sqrt()
    return a_s.sqrt() * x0 + (1 - a_s).sqrt() * eps


def ddpm_step(x, eps, a_t, a_s, noise):
    x0 = (x - (1 - a_t).sqrt() * eps) / a_t.sqrt()
    beta = 1 - a_t / a_s
    mean = a_s.sqrt() * beta / (1 - a_t) * x0 + (a_t / a_s).sqrt() * (1 - a_s) / (1 - a_t) * x
    return mean + ((1 - a_s) / (1 - a_t) * beta).sqrt() * noise


# %% [markdown]
# Both get the same start, twice, with other dice the second time. `listen` gives us the UNet with a
# prompt in its ear, guidance included.

# %%
model = schedulers.listen(pipe, "a cityscape at sunset", g=6)
start = noise(1, seed=5)
times = schedulers.spaced(12)


@torch.no_grad()
def draw(step, dice):
    x = start
    for t in times:
        a_t, a_s = alpha_bar[t], alpha_bar[max(t - 1000 // 12, 0)]
        x = step(x, model(x, t), a_t, a_s, torch.randn(x.shape, generator=dice))
    return vae.to_picture(vae.decode(pipe.vae, x))


steps = {"DDPM": ddpm_step, "DDIM": lambda x, eps, a_t, a_s, noise: ddim_step(x, eps, a_t, a_s)}
drawn = [
    (f"{name}, dice {d}", draw(step, torch.Generator().manual_seed(d)))
    for name, step in steps.items()
    for d in (1, 2)
]
titles, pictures = zip(*drawn, strict=True)
for i in (0, 2):
    print(f"{titles[i]} and {titles[i + 1]} are equal: {pictures[i] == pictures[i + 1]}")
plotting.show_pictures(pictures, titles, size=2.2)
plt.show()

# %% [markdown]
# DDPM ends in two pictures, DDIM both times in the same: all that DDIM knows of chance is the noise
# it starts from. That makes it a *map* from noise to pictures, and lets us ask how exactly it is drawn.

# %% [markdown]
# ## 4 · A curve to follow
#
# Write $x = x_t / \sqrt{\bar\alpha_t} = x_0 + \sigma\epsilon$: the picture at full strength under noise of
# size $\sigma$. Then DDIM's step becomes the simplest there is, because the slope is just the noise:
#
# $$\frac{dx}{d\sigma} = \frac{x - \hat x_0}{\sigma} = \hat\epsilon, \qquad
# x_{i+1} = x_i + (\sigma_{i+1} - \sigma_i)\,\hat\epsilon$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\sigma_i$ | `sampler.sigmas[i]` | one number |
# | $x_i$ | `x` | (B, C, h, w) |
# | $x_i / \sqrt{\sigma_i^2 + 1}$ | `scale_model_input(x, i)` | what the UNet sees: $x_t$ again |
#
# That is **Euler**'s method from 1768 for a differential equation: walk straight on along the slope
# found here. The true path is a curve. To see it we take a world so small that it fits on a page: its
# pictures have one pixel, and there are three of them, at −1.5, 0.2 and 1.5 (dotted). A perfect UNet for
# this world can be written down (`schedulers.ideal_model`). The strides are counted down from 999 here, which
# is called **trailing**, so that all walks begin in the same place; a dot is a call.

# %%
tiny_world = torch.tensor([-1.5, 0.2, 1.5]).view(3, 1, 1, 1)
perfect = schedulers.ideal_model(tiny_world, alpha_bar, spread=0.1)
starts = torch.linspace(-1.8, 1.8, 13).view(-1, 1, 1, 1)


def path(steps):
    sampler = Euler(alpha_bar, steps, "trailing")
    x = [starts * sampler.init_noise_sigma]
    for i, t in enumerate(sampler.timesteps):
        x.append(sampler.step(perfect(sampler.scale_model_input(x[-1], i), t), i, x[-1]))
    return sampler.sigmas, torch.cat(x, dim=1).flatten(1).T


figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained", sharey=True)
for axis, steps in zip(axes, (6, 15, 300), strict=True):
    axis.plot(
        *path(steps),
        "-o" if steps < 100 else "-",
        ms=2.5,
        lw=1.1,
        color=plotting.PALETTE["scheduler"],
    )
    for value in tiny_world.flatten():
        axis.axhline(value, color=plotting.MUTED, linestyle=":", linewidth=1.2, zorder=0)
    axis.set(xlim=(3.2, -0.05), ylim=(-4.5, 4.5), xlabel="σ, falling", title=f"{steps} steps")
axes[0].set_ylabel("x")
plt.show()

# %% [markdown]
# Where the noise is large all paths run nearly straight, to the mean of the whole world. Near the end
# they decide for one picture and bend. With 300 steps the curve is there; with 6 steps some paths miss
# their picture. All that follows is about walking this curve in few steps.

# %% [markdown]
# ## 5 · Eight ways down
#
# | name | how it steps | calls for n steps | chance |
# |---|---|---|---|
# | **DDPM** | the mean of all ways back, and fresh noise | n | yes |
# | **DDIM** | guess the picture, put back less of the same noise | n | no |
# | **PNDM** | DDIM along a mean of the last four answers | n + 1 | no |
# | **LMS** | along the polynomial through the last four slopes | n | no |
# | **Euler** | straight on | n | no |
# | **Euler ancestral** | further down than asked, then up again with fresh noise | n | yes |
# | **Heun** | try Euler, look at the slope there, take the mean | 2n − 1 | no |
# | **DPM++ 2M** | solve the known part exactly, follow $\hat x_0$ along a line | n | no |
#
# In `course_utils.schedulers` each is a short class; `SAMPLERS` holds them under their names in small
# letters. Two of them, to read: Heun looks *ahead*, DPM++ looks *back*. DPM++ counts its way in $\lambda$:
#
# | code | symbol | meaning |
# |---|---|---|
# | `rates(i)` | $\alpha$, $\sigma$, $\lambda$ | before call $i$: √ᾱ, √(1 − ᾱ) and log(α / σ) |
# | `h` | $h$ | the length of this step in $\lambda$ |
# | `r` | $r$ | the length of the step before, over $h$ |
# | `x0`, `before` | $\hat x_0$ | the clean estimate now, and one call ago |
# | `D1` | $D_1$ | how much $\hat x_0$ changes over a step, if it goes on as it did |
# | `gain` | $\alpha_t (e^{-h} - 1)$ | how much of $\hat x_0$ comes in (with the sign turned) |

# %%
print(inspect.getsource(SAMPLERS["heun"].step))
print(inspect.getsource(SAMPLERS["dpm++"].step))

# %% [markdown]
# A pipeline has one of them in its place for the scheduler. All share the same settings, so one can be made
# from the settings of another. That is the article's swap:

# %%
from diffusers import LMSDiscreteScheduler

print(schedulers.config_table(pipe.scheduler))

original = pipe.scheduler
pipe.scheduler = LMSDiscreteScheduler.from_config(original.config)
print("\nnow:", type(pipe.scheduler).__name__)

# %%
prompt = "Palette knife painting of an winter cityscape"
picture = pipe(
    prompt, num_inference_steps=20, guidance_scale=3, generator=torch.Generator().manual_seed(42)
).images[0]
pipe.scheduler = original

plotting.show_pictures([picture], ["by LMS"], size=2.2)
plt.show()

# %% [markdown]
# (Give `from_config` the *config*, not the scheduler: that was allowed once and is an error now.) The
# same prompt and the same noise, by all eight samplers, ours. The guidance is a gentle 3; section 6
# shows why.

# %%
model = schedulers.listen(pipe, prompt, g=3)
start = noise(1, seed=42)
pictures, titles = [], []
for name, make in SAMPLERS.items():
    sampler = make(alpha_bar, 20)
    z = schedulers.sample(sampler, model, start, torch.Generator().manual_seed(1))
    pictures.append(vae.to_picture(vae.decode(pipe.vae, z)))
    titles.append(f"{name}, {len(sampler.timesteps)} calls")
plotting.show_pictures(pictures, titles, columns=4, size=2.2)
plt.show()

# %% [markdown]
# Six are nearly one picture: they follow the same curve, more or less exactly. The two that throw dice on
# the way, DDPM and Euler ancestral, end elsewhere.

# %% [markdown]
# ## 6 · How many steps?
#
# To *measure* how exactly a sampler follows the curve, we need to know where the curve ends: a thousand
# steps will do. A perfect UNet makes that cheap and takes its mistakes out of the question. So here is a
# world of eight pictures, each with some room around it, in which everything can be computed:
#
# $$\hat\epsilon(x_t) = \frac{\sqrt{1 - \bar\alpha_t}}{v_t} \sum_k w_k\,
# \big(x_t - \sqrt{\bar\alpha_t}\,m_k\big), \qquad
# w = \operatorname{softmax}_k\left(-\frac{\lVert x_t - \sqrt{\bar\alpha_t}\, m_k \rVert^2}{2 v_t}\right)$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $m_k$ | `memories`, the pictures | (8, 4, 16, 16) |
# | $v_t$ | $\bar\alpha_t r^2 + 1 - \bar\alpha_t$, with room $r = 0.5$ | one number |
# | | `start` | (B, 4, 16, 16), B = 7 |

# %%
samples = [sample(HELD_OUT + k).at(side) for k in range(8)]
memories = torch.cat([vae.encode(pipe.vae, vae.to_tensor(one.picture)) for one in samples])
world = schedulers.ideal_model(memories.float().cpu(), alpha_bar)
start = noise(7, seed=0)
reference = schedulers.sample(SAMPLERS["heun"](alpha_bar, 999, "trailing"), world, start)

steps = [5, 10, 20, 50, 100]
errors = {}
print("steps   " + "".join(f"{n:>8}" for n in steps))
for name in ("euler", "ddim", "dpm++", "heun", "pndm", "lms"):
    errors[name] = schedulers.errors(name, steps, world, start, alpha_bar, reference)
    print(f"{name:8}" + "".join(f"{error:8.3f}" for error in errors[name]))

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for name, values in errors.items():
    calls = [len(SAMPLERS[name](alpha_bar, n, "trailing").timesteps) for n in steps]
    axis.loglog(calls, values, "o-", ms=4, label=name)
axis.loglog(steps, [1.2 / n for n in steps], ":", color=plotting.MUTED)
axis.text(
    5.2, 0.25, "dotted: half the error for twice the calls", fontsize=7.5, color=plotting.MUTED
)
axis.set(
    ylim=(None, 0.4),
    xlabel="calls of the UNet",
    ylabel="error against 999 steps",
    xticks=steps,
    xticklabels=steps,
)
axis.minorticks_off()
axis.legend(fontsize=8, ncols=2)
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Euler and DDIM halve their error when the steps are doubled: they are of *first order*. Those that
# remember four answers, PNDM and LMS, gain much more from the same number of calls.
#
# Heun pays two calls for a step. It is of *second* order, yet here it falls like Euler. Its last step, to
# $\sigma = 0$, has no slope to look ahead to and is Euler's; that one step makes nearly all of the error. Here
# the last step alone is walked finely, one timestep at a time:

# %%
fine = SAMPLERS["heun"](alpha_bar, 999, "trailing")


def fine_end(n):
    """The error of Heun in n steps, of which the last is cut into timesteps."""
    coarse = SAMPLERS["heun"](alpha_bar, n, "trailing")
    x, last = start * coarse.init_noise_sigma, coarse.timesteps[-1]
    for i, t in enumerate(coarse.timesteps[:-1]):
        x = coarse.step(world(coarse.scale_model_input(x, i), t), i, x)
    for i in range(fine.timesteps.tolist().index(last) + 1, len(fine.timesteps)):
        x = fine.step(world(fine.scale_model_input(x, i), fine.timesteps[i]), i, x)
    return (x - reference).square().mean(dim=(1, 2, 3)).sqrt().median().item()


print("heun    " + "".join(f"{error:8.3f}" for error in errors["heun"]))
print("fine end" + "".join(f"{fine_end(n):8.3f}" for n in steps))

# %% [markdown]
# Now twice the steps leave about a third of the error; a perfect second order would leave a quarter.
#
# So take PNDM and the fewest steps? Now the pocket model, with guidance, and for a reference 40
# steps of DPM++. The number is the error.

# %%
model = schedulers.listen(pipe, "a cat on a beach", g=6)
start = noise(1, seed=1)
reference = schedulers.sample(SAMPLERS["dpm++"](alpha_bar, 40, "trailing"), model, start)
pictures, titles = [], []
for name in ("pndm", "ddim", "dpm++"):
    for steps in (5, 10, 20):
        z = schedulers.sample(SAMPLERS[name](alpha_bar, steps, "trailing"), model, start)
        error = (z - reference).square().mean().sqrt()
        pictures.append(vae.to_picture(vae.decode(pipe.vae, z)))
        titles.append(f"{name}, {steps} steps: {error:.2f}")
plotting.show_pictures(pictures, titles, columns=3, size=1.9)
plt.show()

# %% [markdown]
# The order has turned round: PNDM is worst. At five steps plain DDIM is safest; from ten on DPM++ and DDIM
# are close. Why? PNDM draws a polynomial through its last four answers. A perfect
# model answers smoothly; a real one, its differences made six times larger by guidance, does not, and where
# answers jump the polynomial overshoots. With many short steps it is safe: Stable Diffusion was published
# with 50 of them. DPM++ was made for guided models: it looks back once only, at the clean estimate, which
# changes less than the noise. Ten to twenty steps of it are enough; nobody draws with 1,000 any more.

# %% [markdown]
# How few steps are enough for a cat that you would accept? Look for the smallest number for each sampler; one may have none. (The two that throw dice end at a
# cat of their own: their error says little. A new picture takes a moment, one that was drawn before does not.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Explorer


def cat_by(sampler, steps, model=model, start=start, reference=reference):
    """The cat, and how far its latents are from the reference."""
    made = SAMPLERS[sampler](alpha_bar, steps, "trailing")
    z = schedulers.sample(made, model, start, torch.Generator().manual_seed(1))
    error = (z - reference).square().mean().sqrt()
    ends = {"this sampler": z, "the reference": reference}
    pictures = {name: vae.to_picture(vae.decode(pipe.vae, z)) for name, z in ends.items()}
    calls = len(made.timesteps)
    return pictures, f"{sampler}, {steps} steps: {calls} calls of the UNet, error {error:.2f}"


Explorer(
    cat_by,
    {"sampler": list(SAMPLERS), "steps": [2, 3, 5, 8, 12, 20, 30, 50]},
    {"sampler": "dpm++", "steps": 5},
)

# %% [markdown]
# ## 7 · Exercises
#
# **Exercise 1** (easy, 3 minutes). The signal-to-noise ratio, from the share that is left.


# %% tags=["exercise"]
def snr(alpha_bar_t: torch.Tensor) -> torch.Tensor:
    """Variance of the signal over variance of the noise, same shape."""
    # solution
    return alpha_bar_t / (1 - alpha_bar_t)
    # end solution


checks.check_snr(snr)

# %% [markdown]
# **Exercise 2** (medium, 6 minutes). Which timesteps does DDIM visit? The settings say: `leading`, 1,000
# timesteps in training, `steps_offset` 1. Section 3 shows what comes out for 10 steps.


# %% tags=["exercise"]
def timesteps(steps: int) -> list[int]:
    """From much noise to little."""
    # solution
    return [1 + i * (1000 // steps) for i in reversed(range(steps))]
    # end solution


checks.check_timesteps(timesteps)

# %% [markdown]
# **Exercise 3** (medium, 10 minutes). One step of Heun's method. `slope(x, sigma)` gives $dx/d\sigma$ at any
# place. First walk as Euler would; ask for the slope *there*; then go back and walk along the mean of the
# two.


# %% tags=["exercise"]
def heun_step(x: torch.Tensor, slope, sigma: float, sigma_next: float) -> torch.Tensor:
    """From sigma to sigma_next, same shape as x."""
    # solution
    length = sigma_next - sigma
    first = slope(x, sigma)
    second = slope(x + length * first, sigma_next)
    return x + length * (first + second) / 2
    # end solution


checks.check_heun_step(heun_step)

# %% [markdown]
# **Exercise 4** (think, 5 minutes). A method is of order $p$ when its error falls like $1/n^p$. You measured
# the error with n steps and with 2n steps. What is $p$?


# %% tags=["exercise"]
def order(error_n: float, error_2n: float) -> float:
    """The order of a method: 1 for Euler."""
    # solution
    import math

    return math.log2(error_n / error_2n)
    # end solution


checks.check_order(order)

# %% [markdown]
# ## 8 · The proof
#
# For each of the eight: our sampler and diffusers' own, each on its own way from the same noise, with the
# model's UNet between. After *every* step the latents must be equal, to the last bit.

# %%
model = schedulers.listen(pipe, "a wave breaking")
start = noise(1, seed=0)
for name, make in SAMPLERS.items():
    theirs = drawing.make_scheduler(name, pipe.scheduler)
    theirs.set_timesteps(4)
    equal = schedulers.agrees(make(alpha_bar, 4), theirs, model, start)
    print(f"{name:16}{type(theirs).__name__:34}equal: {equal}")

# %% [markdown]
# ## 9 · At full size
#
# Nothing changes. Stable Diffusion 1.5 and 2.1-base have the very table of section 5; the larger 2.1
# differs in one line, `prediction_type`: its UNet predicts a mix of noise and picture called *v*. What
# does change is the price of a call, and with it what a good sampler is worth:

# %%
from course_utils import unet
from course_utils.models import architecture, find_real

flops = sum(block.flops for block in unet.blocks(architecture("sd-2.1", "unet")))
for name, steps in (("ddpm", 999), ("ddim", 50), ("pndm", 50), ("heun", 20), ("dpm++", 20)):
    calls = len(SAMPLERS[name](alpha_bar, steps).timesteps)
    print(
        f"{name:8}{steps:4} steps: {calls:4} calls, each for two latents: "
        f"{2 * calls * flops / 1e12:8,.1f} trillion operations"
    )

# %% [markdown]
# Is it worth it? The winter cityscape of section 5, from the real model where it is on this machine:

# %% tags=["needs-download"]
full = find_real(pipe)
if full:
    ways = [("pndm", 50), ("pndm", 10), ("dpm++", 10)]
    pictures = [
        drawing.draw(full, prompt, steps=n, guidance=7.5, seed=42, scheduler=name)
        for name, n in ways
    ]
    plotting.show_pictures(pictures, [f"{name}, {n} steps" for name, n in ways], size=3)
    plt.show()

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model()

# %% [markdown]
# ## 10 · Recap
#
# - A scheduler is a table, $\bar\alpha_t$, and a step; nothing in it was learned.
# - Noise goes in with one jump; it comes out in steps, because the UNet's guess is a blur at first.
# - DDPM and Euler ancestral throw dice on the way; the others follow one curve from noise to picture.
# - Better samplers follow the curve in fewer steps by looking back (PNDM, LMS, DPM++); with guidance, looking
#   back too far goes wrong. Looking ahead (Heun) takes two calls a step, and its last step is Euler's.
# - `from_config(pipe.scheduler.config)` swaps one for another.
#
# Next: **05 · The pipeline**: can I write the whole pipeline myself?
