"""Figures of notebooks 01 to 05: each part of the pipeline in one picture."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from course_utils import pipeline, plotting, schedulers, text, unet, vae
from course_utils.drawing import make_scheduler
from course_utils.models import architecture, load
from course_utils.plotting import INK, PALETTE
from course_utils.world import Scene, render

MAN = Scene("man", "park bench", color="yellow")
TIMES = (1, 60, 150, 300, 500, 700, 900, 999)
SENTENCE = "a small robot sitting on a park bench"


def round_trip() -> Figure:
    """01: a picture, the four channels of its latents, and what comes back."""
    pipe, picture = load("pocket"), render(MAN, 5).picture
    z = vae.encode(pipe.vae, vae.to_tensor(picture))
    returned = vae.to_picture(vae.decode(pipe.vae, z))
    shown = [picture, *z[0].numpy(), returned]
    titles = ["3 × 128 × 128", *[f"latent channel {n}" for n in range(4)], "there and back"]
    figure = plotting.show_pictures(shown, titles, size=1.6)
    for axis in figure.axes[1:5]:
        axis.images[0].set(cmap="RdBu_r", clim=(-3, 3))
    return figure


def who_hears_whom() -> Figure:
    """02: how much each token's vector depends on each token before it."""
    pipe = load("pocket")
    pairs = text.tokens(SENTENCE)
    ids = torch.tensor([[number for number, _ in pairs]])
    names = ["start", *[piece for _, piece in pairs[1:-1]], "end"]
    heard = text.influence(pipe.text_encoder, ids)
    return plotting.heat_map(heard, [f"{name} hears" for name in names], names, 0.5, high=1.0)


def real_unet() -> Figure:
    """03: the UNet of Stable Diffusion 2.1, drawn from the network itself."""
    return unet.unet_diagram(unet.blocks(architecture("sd-2.1", "unet")))


def noise_in() -> Figure:
    """04: how much of a picture is left at each timestep, and what that looks like."""
    pipe = load("pocket")
    alpha_bar = pipe.scheduler.alphas_cumprod
    x0 = vae.encode(pipe.vae, vae.to_tensor(render(Scene("house", "snow", "red"), 3).picture))
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    figure = plt.figure(figsize=(9.6, 3.4), layout="constrained")
    curve, strip = figure.subfigures(2, 1, height_ratios=[1.5, 1])
    axis = curve.subplots()
    axis.plot(alpha_bar, color=PALETTE["scheduler"], lw=2.5)
    axis.plot(TIMES, alpha_bar[list(TIMES)], "o", color=INK, ms=4)
    axis.set(xlabel="timestep t", ylabel="share left, ᾱ", ylim=(0, 1.05))
    axis.spines[["top", "right"]].set_visible(False)
    for place, t in zip(strip.subplots(1, len(TIMES)), TIMES, strict=True):
        noisy = schedulers.add_noise(x0, eps, alpha_bar[t : t + 1])
        place.imshow(pipeline.decode(pipe, noisy)[0], interpolation="nearest")
        place.set_title(f"t = {t}", fontsize=8, color=INK)
        place.axis("off")
    return figure


def filmstrip() -> Figure:
    """05: the noisy latents and the clean estimate, decoded, along the loop."""
    pipe = load("pocket")
    pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
    seen = []
    pipeline.text_to_image(
        pipe,
        "a man in a yellow shirt on a beach",
        num_inference_steps=24,
        guidance_scale=6,
        generator=torch.Generator().manual_seed(7),
        watch=lambda i, t, z, z0: seen.append((t, z, z0)),
    )
    chosen = [*seen[::4], seen[-1]]
    noisy = [pipeline.decode(pipe, z)[0] for _, z, _ in chosen]
    clean = [pipeline.decode(pipe, z0)[0] for _, _, z0 in chosen]
    titles = [f"t = {t}" for t, _, _ in chosen] + [""] * len(clean)
    return plotting.show_pictures(noisy + clean, titles, columns=len(chosen), size=1.4)
