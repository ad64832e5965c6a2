# %% [markdown]
# # 09 · Attention
#
# **Which word drew which pixel?**
#
# You should know: notebook 02 for the text encoder, 03 for the UNet, 05 for the loop ·
# Time: 40 minutes · Needs: any laptop, no GPU, no download
#
# The prompt goes into the UNet in one way only: through **cross-attention**. At each place of the picture the UNet
# asks, and the tokens answer; how much each token is listened to is a number between 0 and 1. Nobody told the model
# where in its training pictures the ball was. Has it found out?

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

import course_utils
from course_utils import attention, checks, inpaint, pipeline, plotting
from course_utils.drawing import make_scheduler
from course_utils.training import evaluate_attention
from course_utils.world import Scene, render

pipe = course_utils.load()
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)
seed, steps, g = 7, 12, 4
side = pipe.vae_scale_factor * pipe.unet.config.sample_size  # of a picture, in pixels

# %% [markdown]
# **When you are done with this notebook you can**
#
# - take the attention out of any Stable Diffusion, with the library's own interface,
# - draw it by word, by head, by resolution and by step, and say what it shows and what it does not,
# - make a mask of it, and measure the mask against the truth,
# - turn a word up and down.

# %%
h = w = pipe.unet.config.sample_size
length, width = pipe.tokenizer.model_max_length, pipe.unet.config.cross_attention_dim
way = [
    ("latents", f"{h * w} places ask", "data"),
    ("prompt", f"{length} tokens answer", "text"),
    ("cross-attention", f"{h * w} × {length} shares", "unet"),
    ("one word", f"{h} × {w} shares", "data"),
    ("Otsu", "bright or dark?", "scheduler"),
    ("mask", f"{side} × {side}", "data"),
]
plotting.chain(way)
plt.show()

# %% [markdown]
# ## 1 · Attention, taken out
#
# A cross-attention layer makes a **query** of each place, and a **key** and a **value** of each token. A place gets
# the mean of the values, weighted by how well its query fits the keys:
#
# $$M = \operatorname{softmax}\!\Big(\frac{q k^\top}{\sqrt d}\Big), \qquad \text{out} = M v$$
#
# | symbol | variable | shape, for one picture |
# |---|---|---|
# | $q$, from the pixels | `q` | (heads, h·w, d) |
# | $k$, $v$, from the tokens | `k`, `v` | (heads, 77, d) |
# | $M$, who listens to whom | `probs` | (heads, h·w, 77), each row a sum of 1 |
#
# $M$ is what we are after. But by default it exists nowhere: a fused kernel goes from $q, k, v$ straight to the
# output. diffusers lets us put in a **processor** of our own, layer by layer: an object that is called in place of the
# computation. Ours does it in the open, and hands the attention to `use`:

# %%
source = inspect.getsource(attention.OpenProcessor.__call__)
print(source.split('"""')[-1].strip("\n"))
print(inspect.getsource(attention.RecordingProcessor.use))

# %% [markdown]
# `attention.recorded(pipe)` puts a `RecordingProcessor` into every cross-attention layer with
# `unet.set_attn_processor`, and the old processors back when the with block ends. With guidance the batch is a pair,
# without the prompt and with it; the second is kept.

# %%
prompt = "a red ball on a beach"


def draw(prompt, seed=seed, watch=None):
    """One picture, with the settings of this notebook."""
    dice = torch.Generator().manual_seed(seed)
    z = pipeline.text_to_image(
        pipe, prompt, num_inference_steps=steps, guidance_scale=g, generator=dice, watch=watch
    )
    return pipeline.decode(pipe, z)[0]


minds = []  # the clean estimate of every step
with attention.recorded(pipe) as maps:
    picture = draw(prompt, watch=lambda i, t, z, z0: minds.append(z0))

print("height  steps, layers, heads, places, tokens")
for height in maps.resolutions:
    print(f"{height:6} ", tuple(maps[height].shape))
every = torch.cat([maps[height].flatten(0, 3) for height in maps.resolutions])
close = 10 * torch.finfo(pipe.dtype).eps  # as exact as the model computes
total = every.sum(-1)
print(f"{len(every):,} rows, each a sum of 1:", torch.allclose(total, torch.ones(1), atol=close))

# %% [markdown]
# ## 2 · By word
#
# Average over steps, layers and heads, pick the column of a word, and fold its $h \cdot w$ numbers back into a map.
# This is DAAM, *diffusion attentive attribution maps* (Tang et al. 2022):
#
# $$A_{\text{word}} = \sum_{j \,\in\, \text{tokens of the word}} \; \operatorname{mean}_{\text{steps, layers, heads}} M_{\cdot j}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $M_{\cdot j}$, all places, token $j$ | `maps[16][..., j]` | (steps, layers, heads, h·w) |
# | $A_{\text{word}}$ | `attention.word_map(…)` | (16, 16), in 0..1 |
#
# Which tokens are a word's, `attention.words` says. Layers with coarser maps are brought to the finest first. Beside
# each word stands the largest share that any place gives it; the brightness is relative to that.


# %%
def glow(picture, one, limit=None):
    """A map laid over the picture."""
    return plotting.glowing(picture, attention.upsampled(one, picture.size[::-1]), limit)


def by_word(picture, maps, prompt, names=None):
    """The picture, then the map of each word."""
    names = names or dict.fromkeys(name for name, _ in attention.words(pipe.tokenizer, prompt))
    found = {name: attention.word_map(maps, pipe.tokenizer, prompt, name) for name in names}
    titles = [f"{name}: {one.max():.0%}" for name, one in found.items()]
    return [picture, *(glow(picture, one) for one in found.values())], [prompt, *titles]


print(attention.words(pipe.tokenizer, prompt))
plotting.show_pictures(*by_word(picture, maps, prompt), size=1.7)
plt.show()

# %% [markdown]
# It has found out. "ball" is listened to where the ball is, and so is "red". "a", which comes twice, lies over everything,
# and "beach" over the sand. But look at "on"! It means nothing round, and it marks the ball, as clearly as "ball" itself.
#
# Remember notebook 02: the text encoder reads from left to right, and each token's vector holds what came before it.
# "on" has heard "a red ball". **A map belongs to a token, and a token is more than its word.** Two more:

# %%
others = [
    "a woman in a red dress sitting on a park bench at sunset",
    "an oil painting of a blue house in the snow at night",
]
chosen = [["woman", "red", "dress", "bench", "sunset"]]
chosen += [["oil painting", "blue", "house", "snow", "night"]]
shown, titles = [], []
for text, names in zip(others, chosen, strict=True):
    with attention.recorded(pipe) as more:
        drawn = draw(text)
    pictures, words = by_word(drawn, more, text, names)
    shown, titles = shown + pictures, titles + words
plotting.show_pictures(shown, titles, columns=6, size=1.5)
plt.show()

# %% [markdown]
# The dress is told from the woman, and the blue walls from the roof; what concerns the whole picture lies over much of it.
# But "bench" marks the dress, and "snow" the house, for they have heard of these. From which tokens, then, are the
# bench and the snow drawn? The shares above the pictures are small, a few percent. Where does the rest go?

# %%
end = len(pipe.tokenizer(prompt).input_ids) - 1
groups = {"start": slice(0, 1), "words": slice(1, end), "end": slice(end, end + 1)}
groups["padding"] = slice(end + 1, length)
print(f"{'height':8}", *(f"{name:>8}" for name in groups))
for height in maps.resolutions:
    shares = maps[height].mean(dim=(0, 1, 2, 3))  # (L,)
    print(f"{height:6}  ", *(f"{shares[part].sum():8.0%}" for part in groups.values()))

# %% [markdown]
# To the start token, which is the same in every prompt: there a place looks that wants to hear nothing. And to the
# padding: dozens of end tokens, which come last and so have heard the whole prompt. Keep that in mind for section 5.
#
# ## 3 · By resolution, head and step
#
# The mean hides that the heads have different trades. Here is "ball" in every head of the layers at the two finest
# resolutions, as it was recorded, each on a scale of its own:

# %%
shown, titles = [], []
for height in maps.resolutions[:2]:
    _, layers, heads = maps[height].shape[:3]
    for layer in range(layers):
        way_there = maps.layers(height)[layer].split("_")[0]  # down, mid or up
        for head in range(heads):
            which = {"resolution": height, "layer": layer, "head": head}
            one = attention.word_map(maps, pipe.tokenizer, prompt, "ball", **which)
            shown.append(plotting.glowing(np.zeros((*one.shape, 3)), one, share=1))
            titles.append(f"{way_there} {height}: {one.max():.0%}")
plotting.show_pictures(shown, titles, columns=6, size=1.3)
plt.show()

# %% [markdown]
# On the way down the UNet hardly seems to know where the ball is. On the way up some heads do nothing but find the thing;
# at 8 × 8 one gives the word nearly half of its attention there. Others look for the horizon, or seem to look
# for nothing. A head has no task that anybody gave it, and for another word the picture would be another.
#
# And the steps? The mean over layers and heads, from noise to picture, all on one scale:

# %%
shown, titles = [], []
times = list(range(0, steps, 3))
for name in ("ball", "beach"):
    each = [attention.word_map(maps, pipe.tokenizer, prompt, name, step=step) for step in times]
    limit = max(float(one.max()) for one in each)
    shown += [glow(picture, one, limit) for one in each]
    titles += [f"{name}, step {step + 1}" for step in times]
plotting.show_pictures(shown, titles, columns=len(times), size=1.4)
plt.show()

# %% [markdown]
# Every step, over the picture that the UNet has in mind there (notebook 05). What changes after the first step: the picture, or where
# the words are heard? Compare "ball" with "beach".

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import Scrubber

estimates = [pipeline.decode(pipe, z0)[0] for z0 in minds]
listened = {
    name: [attention.word_map(maps, pipe.tokenizer, prompt, name, step=i) for i in range(steps)]
    for name in ("ball", "red", "beach")
}


def attended(step, word):
    """The clean estimate, alone and under the attention that a word gets."""
    mind, one = estimates[step - 1], listened[word][step - 1]
    limit = max(float(each.max()) for each in listened[word])
    pictures = {"the clean estimate": mind, f"attention to “{word}”": glow(mind, one, limit)}
    return pictures, f"step {step} of {steps}: “{word}” gets at most {one.max():.0%} of a place"


Scrubber(attended, {"step": range(1, steps + 1), "word": list(listened)})

# %% [markdown]
# After one step, when there is almost nothing but noise, the place of the ball is settled. The rest is a matter of
# outline. That fits notebook 05: the early steps decide *what* and *where*.
#
# ## 4 · A mask from a word
#
# Now the test. The world gives pictures with true masks, which the model has never seen. For such a picture there is
# no loop to record; but we can pretend. Encode it, put noise on it as in training, show it to the UNet with its
# caption, and record: `attention.look_at`, at three noise levels, of which it takes the mean. A mask is cut
# from the map by Otsu's threshold (1979), the one that parts dark from bright best.

# %%
print(inspect.getsource(attention.look_at).split('"""')[-1].strip("\n"))
dog = render(Scene("dog", "park bench", color="white", time="sunset"), 5)
cross, own = attention.look_at(
    pipe, dog.picture, dog.caption, generator=torch.Generator().manual_seed(seed)
)
one = attention.word_map(cross, pipe.tokenizer, dog.caption, "dog")
mask = attention.attention_mask(one, dog.picture.size)
print(dog.caption, "| IoU", round(inpaint.iou(mask, dog.masks["dog"]), 2))

# %% [markdown]
# There is a second kind of attention in every block: **self-attention**, in which places look at places. Where does
# the place under the cross look?

# %%
looks = attention.who_looks_where(own)  # (h·w, h·w)
size = cross.sizes[cross.layers(cross.resolutions[0])[0]]
scale = dog.picture.height // size[0]  # pixels to a place
spots = {"dog": (70, 94), "sky": (60, 24), "tree": (18, 52), "bench": (36, 100)}  # x, y
shown = [dog.picture]
for x, y in spots.values():
    row = looks[y // scale * size[1] + x // scale]
    shown.append(glow(dog.picture, row.view(size), limit=0.6 * row.max()))
figure = plotting.show_pictures(
    shown, ["picture", *(f"from the {name}" for name in spots)], size=1.5
)
for axis, (x, y) in zip(figure.axes[1:], spots.values(), strict=True):
    axis.plot(x, y, "+", color="white", ms=10, mew=2)
plt.show()

# %% [markdown]
# At its like: the dog at the dog, the sky at the sky, a tree at the other trees, the bench at the bench, on both
# sides of the dog. Nobody told the model what a bench is.
#
# So ask each place what those think that it looks at: multiply the word's map by the self-attention,
# $m' = S\,m$, and what the word has missed of the dog is filled in by the rest of the dog (Nguyen et al. 2023 do this
# several times over; for us once is best).

# %%
spread = attention.spread(one, looks)
filled = attention.attention_mask(spread, dog.picture.size)
print("IoU", round(inpaint.iou(filled, dog.masks["dog"]), 2))
shown = [dog.picture, glow(dog.picture, one), plotting.tinted(dog.picture, mask)]
shown += [glow(dog.picture, spread), plotting.tinted(dog.picture, filled)]
shown += [plotting.tinted(dog.picture, dog.masks["dog"])]
titles = ["picture", "dog", "its mask", "dog, spread", "its mask", "truth"]
plotting.show_pictures(shown, titles, size=1.7)
plt.show()

# %% [markdown]
# One picture proves nothing. Twenty-four held-out ones do, against the segmenter of notebook 07, which was trained on
# true masks, and against the mask of any other word of the caption:

# %%
segmenter = course_utils.load_segmenter()
unseen = evaluate_attention.held_out_things(24)
found = evaluate_attention.ious(pipe, segmenter, unseen)
print(f"mean IoU with the true mask, {len(found)} pictures")
for name in found[0]:
    print(f"{name:18}{np.mean([one[name] for one in found]):.2f}")

parts = {"before the thing": [], "behind it": []}
for number, (drawn, scores) in enumerate(zip(unseen, found, strict=True)):
    dice, thing = np.random.default_rng(number), drawn.scene.subject
    other = evaluate_attention.another_word(pipe.tokenizer, drawn.caption, thing, dice)
    first, second = (
        attention.token_places(pipe.tokenizer, drawn.caption, word)[0] for word in (thing, other)
    )
    parts["behind it" if second > first else "before the thing"].append(scores["random word"])
for name, scores in parts.items():
    print(f"a random word {name}: {np.mean(scores):.2f}, {len(scores)} pictures")

# %% [markdown]
# The model was never shown a mask, and with self-attention it comes near one that was shown 24,000 pictures with theirs. A
# random word does far worse. And the last two lines are the lesson of section 2 in numbers: a word that stands before the
# thing finds it hardly ever, one behind it quite often, for it has heard of the thing.
#
# (Three noise levels, and to spread once: that we chose on other pictures. `make evaluate` measures 80, these 24
# among them.) The best, the middle and the worst, after spreading:

# %%
order = np.argsort([-one["attention, spread"] for one in found])
shown, titles = [], []
for number in (int(order[0]), int(order[len(order) // 2]), int(order[-1])):
    which, scores = unseen[number], found[number]
    guesses = evaluate_attention.masks(pipe, segmenter, which, number)
    truth = which.masks[which.scene.subject]
    shown += [which.picture, *(plotting.tinted(which.picture, one) for one in guesses.values())]
    shown += [plotting.tinted(which.picture, truth)]
    titles += [which.caption, *(f"{name}: {scores[name]:.2f}" for name in guesses), "truth"]
plotting.show_pictures(shown, titles, columns=6, size=1.5)
plt.show()

# %% [markdown]
# Pixel art has left hardly anything of a white tree in the snow: neither the word nor the segmenter finds it. And the
# edges: the maps have 16 × 16 places, of 8 × 8 pixels each, so their masks are rounded where the segmenter sees corners.
#
# ## 5 · A word, turned up and down
#
# If attention is how a word gets into the picture, then let us change it. Hertz et al. (2022, *Prompt-to-Prompt*)
# multiply one token's attention, after the softmax, and leave the others as they are:
#
# $$\tilde M_{ij} = \begin{cases} c \cdot M_{ij} & \text{if } j \text{ is a token of the word} \\
# M_{ij} & \text{otherwise} \end{cases}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $M$ | `probs` | (B, heads, h·w, 77) |
# | $c$ | `factor` | one number; 1 changes nothing |
#
# `attention.reweighted` does it in every layer and every step, with the same noise as ever:


# %%
def turned(prompt, word, factors, **more):
    """The prompt drawn with a word's attention multiplied, once for each factor."""
    pictures = []
    for factor in factors:
        with attention.reweighted(pipe, prompt, word, factor, **more):
            pictures.append(draw(prompt))
    return pictures, [f"{word} × {factor:g}" for factor in factors]


painted = "a cat on a beach, oil painting"
alone = turned(painted, "oil painting", [0, 1, 2, 4])
plotting.show_pictures(*alone, size=1.5)
plt.show()

# %% [markdown]
# Nothing, or next to it. With "oil painting" not heard at all the cat is still painted in oil. Is the code
# wrong? Let us go further: silence *all* words of the prompt. And then, for comparison, "oil painting" together with
# every token behind it:

# %%
with attention.reweighted(pipe, painted, painted, 0):
    silent = draw(painted)
with attention.reweighted(pipe, painted, "oil painting", 0, echo=True, renormalise=True):
    deaf = draw(painted)
titles = ["all tokens heard", "no word heard", "nothing heard from 'oil' on"]
plotting.show_pictures([alone[0][1], silent, deaf], titles, size=1.5)
plt.show()

# %% [markdown]
# The code is right. **Without a single word** the picture is the same: the padding knows the whole prompt, and the
# UNet listens to it more than to the words. Only where nobody is left who has heard of oil does the paint
# go. So to turn a word, turn all that have heard it, too: the tokens behind it. That is `echo=True`, ours, not the paper's.
#
# (`renormalise=True` lets each row sum to 1 again; it is the same as $\ln c$ added to the word's scores *before* the
# softmax. Here it is needed: with almost nothing left to hear, the layer's output would be smaller than the UNet has
# ever met.)

# %%
asked = [(painted, "oil painting"), ("a dog in the snow, blurry", "blurry")]
asked += [("a red ball on a beach at night", "at night")]
shown, titles = [], []
for text, word in asked:
    gone = turned(text, word, [0], echo=True, renormalise=True)
    rest = turned(text, word, [1, 2, 4], echo=True)
    shown, titles = shown + gone[0] + rest[0], titles + gone[1] + rest[1]
plotting.show_pictures(shown, titles, columns=4, size=1.8)
plt.show()

# %% [markdown]
# Now it turns. At 0 (renormalised; the others are not) the word is gone: a plain cat, a sharp dog, a bright day. To the
# right more paint, more blur, a darker night; at 4 there is little else left to see, and the picture falls apart. It works for words at the *end*
# of a prompt, since what stands behind the word is turned along with it.
#
# Hertz et al. turn single words, with success, in models that are far larger and have heard far more of them. But the text
# encoder of Stable Diffusion reads from left to right and fills up with end tokens as ours does. When a word does not
# react, ask who else has heard it.
#
# ## 6 · Exercises
#
# **Exercise 1** (easy, 5 minutes). The attention of one head. No fused kernel: softmax is enough.


# %% tags=["exercise"]
def attention_of_head(q: Tensor, k: Tensor) -> Tensor:
    """Queries (h·w, d) and keys (L, d) → who listens to whom, (h·w, L)."""
    # solution
    d = q.shape[-1]
    return (q @ k.T / d**0.5).softmax(dim=-1)
    # end solution


checks.check_attention_of_head(attention_of_head)

# %% [markdown]
# **Exercise 2** (medium, 8 minutes). The map of a word, from what was recorded at one resolution: the shares of its
# tokens added, the rest averaged, and folded.


# %% tags=["exercise"]
def map_of_word(recorded: Tensor, columns: list[int], size: tuple[int, int]) -> Tensor:
    """(steps, layers, heads, h·w, L), places of the tokens, (h, w) → (h, w)."""
    # solution
    shares = recorded[..., columns].sum(dim=-1)
    return shares.mean(dim=(0, 1, 2)).view(size)
    # end solution


checks.check_map_of_word(map_of_word)

# %% [markdown]
# **Exercise 3** (medium, 8 minutes). Turn tokens up or down, but let each row sum to 1 again.


# %% tags=["exercise"]
def turn_tokens(probs: Tensor, columns: list[int], factor: float) -> Tensor:
    """Attention (heads, h·w, L) with some columns multiplied; rows that sum to 1."""
    # solution
    weights = torch.ones(probs.shape[-1])
    weights[columns] = factor
    turned = probs * weights
    return turned / turned.sum(dim=-1, keepdim=True)
    # end solution


checks.check_turn_tokens(turn_tokens)

# %% [markdown]
# ## 7 · The proof
#
# Does recording change the picture? diffusers has a processor that computes the attention in the open, as ours
# does, `AttnProcessor`, and it is not the default. Against it, `torch.equal` on the latents of the library's own
# pipeline, for three schedulers; a factor of 1 must change nothing either.

# %%
from diffusers.models.attention_processor import AttnProcessor

own, default = pipe.scheduler, pipe.unet.attn_processors


def latents():
    """What diffusers' own pipeline makes of the prompt, as latents."""
    dice = torch.Generator().manual_seed(1)
    settings = {"num_inference_steps": 4, "guidance_scale": g, "output_type": "latent"}
    return pipe(prompt, generator=dice, **settings).images


for name in ("pndm", "ddim", "dpm++"):
    pipe.scheduler = make_scheduler(name, own)
    fused = latents()
    pipe.unet.set_attn_processor(AttnProcessor())
    theirs = latents()
    with attention.recorded(pipe), attention.recorded(pipe, "self"):
        watched = latents()
    with attention.reweighted(pipe, prompt, "ball", 1):
        turned_by_one = latents()
    pipe.unet.set_attn_processor(dict(default))
    equal = [torch.equal(theirs, z) for z in (watched, turned_by_one)]
    near = float((theirs - fused).norm() / fused.norm()) < 0.01
    print(f"{type(pipe.scheduler).__name__:28} equal: {equal}  near the fused kernel's: {near}")
pipe.scheduler = own
print("the old processors are back:", pipe.unet.attn_processors == default)

# %% [markdown]
# Equal to the last bit. From the fused kernel it differs in the last bits, as that adds up in another order.
#
# ## 8 · At full size
#
# Nothing in this notebook is made for the small model: load another one in the setup cell, and it records that. There
# is more to record:

# %%
from course_utils.models import architecture

for name in ("pocket", "sd-2.1"):
    unet = architecture(name, "unet")
    found, numbers = attention.cross_attention(unet), 0
    print(f"{name}: {sum(layers for layers, _ in found.values())} cross-attention layers")
    for height, (layers, heads) in found.items():
        numbers += layers * heads * height**2 * length
        print(f"  {height:2} × {height:2}: {layers} layers of {heads:2} heads")
    print(f"  {numbers:,} shares a step, {50 * 4 * numbers / 1e6:,.0f} MB for 50 steps")

# %% [markdown]
# More than two gigabytes. `recorded(pipe, heads=False)` keeps the mean over heads alone, about a tenth of that. What
# the maps are worth there, the authors of DAAM have measured on pictures that Stable Diffusion drew: a mean IoU of
# 0.59 to 0.65 for nouns. Prompt-to-Prompt, Attend-and-Excite (Chefer et al. 2023) and many others edit pictures by
# editing these maps.
#
# ## 9 · Recap
#
# - Cross-attention is the prompt's only way in: each place divides a sum of 1 among 77 tokens.
# - diffusers' processors let us take that out, or change it, without touching the library or a bit of the picture.
# - Steps, layers and heads averaged, a word's map finds its thing; some heads do nothing else.
# - A mask cut from it comes near that of a network trained on masks; self-attention brings it nearer.
# - A token is more than its word: what stands behind it has heard it. So turning one word alone may do nothing.
#
# Next: **10 · Training**: how is such a model made?
