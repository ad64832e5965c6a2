# %% [markdown]
# # 02 · Text
#
# **How do words become numbers?**
#
# You should know: what a vector is; notebook 00 helps · Time: 35 minutes · Needs: any laptop,
# no GPU, no download
#
# The UNet cannot read. What it gets from your prompt is a stack of 77 vectors, always 77, whether
# you wrote one word or a novel. Two parts make them: the **tokenizer**, which is a list and some
# rules, and the **text encoder**, which is a network.

# %%
import matplotlib.pyplot as plt
import torch

import course_utils
from course_utils import checks, plotting, text, tour
from course_utils.drawing import make_scheduler

pipe = course_utils.load()
pipe.scheduler = make_scheduler("dpm++", pipe.scheduler)  # a steadier one: see notebook 04

# %% [markdown]
# **When you are done with this notebook you can**
#
# - say how a prompt is cut into tokens, and which words of a long one are lost,
# - run the text encoder layer by layer, and show who listens to whom,
# - change a prompt where no word would do: swap and mix the vectors themselves,
# - say what becomes of a word the model never read.

# %%
stations = tour.trace(pipe, "a dog", num_inference_steps=10)
tour.diagram(stations, highlight="text")
plt.show()

# %% [markdown]
# ## 1 · Words to numbers
#
# The tokenizer holds 49,408 pieces of text and gives each a number. Common words are a piece of
# their own. All others are put together from shorter pieces, down to single letters, so that
# nothing is ever unknown *to the tokenizer*:
#
# $$\text{text} \;\longmapsto\; (\mathrm{id}_0, \mathrm{id}_1, \dots, \mathrm{id}_{L-1}), \qquad
# 0 \le \mathrm{id}_i < 49408$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $\mathrm{id}_i$ | `number` | one whole number |
# | $L$ | `len(pairs)` | tokens, with a start and an end |
#
# This is the real tokenizer of Stable Diffusion, not a small copy. Let us ask it about something
# that does not exist:

# %%
pairs = text.tokens("A painting of a flooble")
for number, piece in pairs:
    print(f"{number:>6}  {piece}")

# %%
plotting.chips([piece for _, piece in pairs], [str(number) for number, _ in pairs])
plt.show()

# %% [markdown]
# Nobody ever saw a flooble, but *floo* and *ble* are in the list. Capitals are gone, and a start and
# an end were put around it. (In the list itself a piece that ends a word carries a mark: this one is
# `ble</w>`. So *ble* at the end of a word and *ble* within one are two pieces.) Some more:

# %%
words = ["robot", "ROBOT", "cityscape", "watercolor", "oversaturated", "Chelsea", "brrrrr", "苹果"]
for word in words:
    pieces = [piece for _, piece in text.tokens(word)[1:-1]]
    print(f"{word:15} {len(pieces)}  {' · '.join(pieces)}")

# %% [markdown]
# The list was made by counting: start from single bytes, join the two neighbours that stand
# together most often in a mountain of English text, and do it again, 48,894 times. That is *byte
# pair encoding*. English words are short in it; other scripts fall apart into bytes, which no
# longer show as letters.

# %% [markdown]
# ## 2 · Always 77
#
# The text encoder was trained on exactly 77 places. So every prompt gets 77 tokens: a short one
# is filled up with end tokens, a long one is cut.
#
# $$(\underbrace{\text{start},\, w_1, \dots, w_n,\, \text{end}}_{n+2},\,
# \underbrace{\text{end}, \dots, \text{end}}_{77-n-2}), \qquad n \le 75$$
#
# | symbol | variable | shape |
# |---|---|---|
# | all of it | `ids` | (1, 77) |
# | $w_i$ | `ids[0, i]` | one of 49,408 |
# | $n$ | `count` | one number |

# %%
prompt = "a small robot sitting on a park bench"
ids = text.token_ids(prompt, pipe.tokenizer)
count = len(text.tokens(prompt)) - 2
print(f"{count} tokens and {ids.shape[1] - 2 - count} end tokens to fill up:", tuple(ids.shape))
print(ids[0, :14].tolist(), "…")
theirs = pipe.tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt")
print("equal to the tokenizer's own:", torch.equal(ids, theirs.input_ids))

# %% [markdown]
# And a prompt as they are traded on the internet? What is pale below is never read by anyone.

# %%
novel = (
    "beautiful picture of a wave breaking on the sea at sunset, high resolution, highly detailed, "
    "sharp focus, trending on artstation, cinematic lighting, volumetric light, dramatic clouds, "
    "golden hour, masterpiece, best quality, award winning, ultra realistic, 8k, octane render, "
    "unreal engine, ray tracing, wide angle, depth of field, intricate, elegant, vivid colors, "
    "by a famous painter, and please, without any boats"
)
pieces = [piece for _, piece in text.tokens(novel)[1:-1]]
print(f"{len(pieces)} tokens, {len(pieces) - 75} too many. Lost: {text.lost(novel)!r}")
plotting.chips(pieces, faded=[place >= 75 for place in range(len(pieces))])
plt.show()

# %% [markdown]
# Commas cost a token each. And what you write last is lost first, in diffusers with a warning in
# the log, elsewhere without a word. (Some other programs encode a long prompt in pieces of 75 tokens and
# join the vectors.)

# %% [markdown]
# Type a prompt of your own. Which costs more, an exclamation mark or *oversaturated*? Your name? 猫? And how many times can
# you write *a dog and* before the first word is lost?

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import token_table

token_table(pipe.tokenizer, prompt)

# %% [markdown]
# ## 3 · Numbers to vectors
#
# A number of a token says nothing: 1929, the dog, is not a little more than 1928. So the first
# layer of the text encoder is a table, with one row of learned numbers for each token. A second
# table has one row for each of the 77 places, because otherwise "a man on a dog" and "a dog on a
# man" would be the same heap of words. The two rows are added:
#
# $$x_i = E[\mathrm{id}_i] + P[i]$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $E$ | `E` | (49408, D), with D = 128 in the pocket model |
# | $P$ | `P` | (77, D) |
# | $x$ | `x` | (1, L, D) |

# %%
E = pipe.text_encoder.embeddings.token_embedding.weight.detach()  # the numbers, not to be learned
P = pipe.text_encoder.embeddings.position_embedding.weight.detach()
short = torch.tensor([[number for number, _ in text.tokens(prompt)]], device=pipe.device)
x = E[short] + P[: short.shape[1]]
print("E", tuple(E.shape), " P", tuple(P.shape), " x", tuple(x.shape))
with torch.no_grad():  # nothing is learned here: torch need keep nothing for it
    theirs = pipe.text_encoder.embeddings(short)
print("equal to the model's own:", torch.equal(x, theirs))

# %%
names = ["start", *(piece for _, piece in text.tokens(prompt)[1:-1]), "end"]
tables = [table[:, :64] for table in (E[short][0], P[: short.shape[1]], x[0])]
titles = ["E[id]: which token", "P[i]: which place", "x: their sum"]
figure = plotting.show_maps(tables, titles, columns=1, size=8, bar="value")
for axis in figure.axes[:3]:
    axis.axis("on")
    axis.set_xticks([])
    axis.set_yticks(range(len(names)), names, fontsize=7)
plt.show()

# %% [markdown]
# Each line is a token, each column one of the first 64 of its 128 numbers. In the uppermost table two
# lines are equal: the two *a* of the prompt. In their sum they differ, because they stand in
# different places.

# %% [markdown]
# ## 4 · Words look back
#
# So far no word knows of any other. *Attention* changes that. Every token asks a question $q$;
# every token holds out a key $k$ and a value $v$. Where question and key fit, the value is taken
# over:
#
# $$h = \operatorname{LayerNorm}(x), \qquad Q = h\,W_Q, \quad K = h\,W_K, \quad V = h\,W_V$$
#
# $$A = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt d} + M\right), \qquad
# x \leftarrow x + (A V)\,W_O, \qquad
# M_{ij} = \begin{cases} 0 & j \le i \\ -\infty & j > i \end{cases}$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $h$: $x$, each vector brought to mean 0 and variance 1 | `h` | (1, L, D) |
# | $W_Q$, $W_K$, $W_V$, $W_O$: learned, each with a bias | `q_proj`, `k_proj`, `v_proj`, `out_proj` | (D, D) |
# | $Q$, $K$, $V$ | `q`, `k`, `v` | (1, heads, L, d), with 4 heads of d = 32 |
# | $M$ | −∞ where `~mask` is True | (L, L) |
# | $A$ | `weights` | (1, heads, L, L) |
#
# The mask $M$ forbids looking ahead: after the softmax, minus infinity is 0. The attention of one layer,
# written out:

# %%
layer = pipe.text_encoder.encoder.layers[0]
attention, mask = layer.self_attn, text.causal_mask(x.shape[1]).to(x.device)
with torch.no_grad():
    h = layer.layer_norm1(x)
    q, k, v = (
        text.split_heads(project(h), attention.num_heads)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    scores = q @ k.mT / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    gathered = attention.out_proj((weights @ v).transpose(1, 2).flatten(2))
print("weights", tuple(weights.shape), " gathered", tuple(gathered.shape))
close = torch.finfo(x.dtype).eps ** 0.5  # equal in half of the digits
print("as the model does it:", torch.allclose(gathered, text.attend(attention, h), atol=close))

# %%
plotting.heat_map(weights[0, 0], [f"{name} asks" for name in names], names, size=0.45, high=1.0)
plotting.show_maps(
    weights[0, :4],
    [f"head {n}" for n in range(4)],
    size=2.1,
    signed=False,
    limit=1,
    bar="attention",
)
plt.show()

# %% [markdown]
# A row for each token that asks, a column for each it may listen to; every row adds up to 1. First head 0
# alone, with its numbers, then all four. The upper right is black in all heads, without exception.
#
# That is the attention half of a layer. The other half is a small two-layer network (**MLP**) that works on
# every token by itself. Both add their result to $x$. After three such layers, what does each vector
# know? Take one token's vector out of the sum and see which others move:

# %%
matrix = text.influence(pipe.text_encoder, short)
plotting.heat_map(matrix, [f"{name} hears" for name in names], names, size=0.52, high=1.0)
plt.show()
print("a later word never changes an earlier vector:", bool((matrix.triu(1) == 0).all()))

# %% [markdown]
# The number is how far the vector moves, in units of its own length: at 0.1 it hardly changes, at 1 by as
# much as it is long. Empty squares are exactly zero, not small. So "a" in "a dog" is the same vector as in
# "a cat"; only the animal and what comes *behind* it know of it. CLIP took this mask over from language
# models. A consequence: only the last token, the end, has heard everything, so CLIP uses it as the summary.
#
# Look down the columns. *Robot* is heard by all that follow, because it says most about the picture.
# And everybody hears the start, which says nothing at all: a place to look where there is nothing
# to hear.
#
# And the end tokens that fill up the 77 places? They come last, so they have heard everything, too.
# The UNet listens to all of them.

# %%
vectors, other = (
    text.encode(pipe.text_encoder, text.token_ids(prompt, pipe.tokenizer))
    for prompt in ("a red ball on a beach", "a red ball in the snow")
)
moved = (vectors - other).norm(dim=-1)[0] > 0
print("places that differ:", "".join("×" if place else "·" for place in moved.tolist()))

# %% [markdown]
# The first four places, start, *a red ball*, are equal to the last bit; all others are not.
#
# That is the whole text encoder: a table, a few layers like this one, a last normalisation. Drawn
# from the model:

# %%
stops = text.stages(pipe.text_encoder)
plotting.chain(
    [(s.name, plotting.shape_text(s.shape), "text" if s.parameters else "data") for s in stops]
)
plt.show()

# %% [markdown]
# ## 5 · Prompts nobody can type
#
# Vectors can be calculated with. First a swap: take the embedded prompt about a dog, and put the
# row of the cat in the dog's place.
#
# $$x_2 \leftarrow E[\text{cat}] + P[2], \qquad
# x_2 \leftarrow (1-w)\, E[\text{dog}] + w\, E[\text{cat}] + P[2]$$
#
# | symbol | variable | shape |
# |---|---|---|
# | $x$ | `x` | (1, 77, D) |
# | $E[\text{dog}]$, $E[\text{cat}]$ | `dog`, `cat` | (D,) |
# | $w$ | `w` | one number |

# %%
ids = text.token_ids("a dog in the snow", pipe.tokenizer)
dog, cat = (E[text.tokens(word)[1][0]] for word in ("dog", "cat"))


def mixed(w):
    """What the UNet hears when the animal is w cat and 1 − w dog."""
    x = text.embed(pipe.text_encoder, ids)
    x[0, 2] = (1 - w) * dog + w * cat + P[2]
    return text.transform(pipe.text_encoder, x)


typed = text.encode(pipe.text_encoder, text.token_ids("a cat in the snow", pipe.tokenizer))
print("swapped by hand = typed:", torch.equal(mixed(1), typed))

# %% [markdown]
# The swap is the same as typing *cat*. But half a cat nobody can type:


# %%
def draw(vectors, seed=3):
    """Draw from vectors in place of a prompt."""
    generator = torch.Generator().manual_seed(seed)
    return pipe(
        prompt_embeds=vectors, num_inference_steps=12, guidance_scale=4, generator=generator
    ).images[0]


weights = (0, 0.25, 0.5, 0.75, 1)
plotting.show_pictures([draw(mixed(w)) for w in weights], [f"{w:.0%} cat" for w in weights], size=2)
plt.show()

# %% [markdown]
# The vectors change evenly; the picture does not. It is a dog up to the middle and a cat at three quarters:
# the UNet has seen dogs and cats, and turns over from the one to the other on the way.
#
# One can mix later, too, after the encoder: not two words, but two whole prompts.

# %%
day, night = (
    text.encode(pipe.text_encoder, text.token_ids(prompt, pipe.tokenizer))
    for prompt in ("a wave breaking during the day", "a wave breaking at night")
)
weights = (0, 0.5, 0.75, 1)
pictures = [draw(torch.lerp(day, night, w)) for w in weights]
plotting.show_pictures(pictures, [f"{w:.0%} night" for w in weights], size=2)
plt.show()

# %% [markdown]
# Here, too, it turns over: half way it is night already. Nearby vectors, similar pictures. So which prompts
# are near each other? The angle between their summaries, the end token's vectors, tells:
#
# $$\cos(a, b) = \frac{a \cdot b}{|a|\,|b|}$$

# %%
prompts = [
    "a wave breaking at night",
    "a cityscape at night",
    "a dog on a park bench",
    "a cat on a park bench",
    "a cat in the snow",
    "an oil painting of a cat in the snow",
    "a flooble",
]
summaries = text.summary(pipe.text_encoder, prompts, pipe.tokenizer)
similarity = text.cosine(summaries, summaries)
numbers = [str(number) for number in range(1, len(prompts) + 1)]
rows = [f"{prompt}  {number}" for prompt, number in zip(prompts, numbers, strict=True)]
plotting.heat_map(similarity, rows, numbers, size=0.55, digits=1)
plt.show()

# %% [markdown]
# The dog and the cat on the bench are near; so are the two cats in the snow, painted or not. Words
# for a place and a time bring prompts together as words for a thing do. And the flooble? *floo* and *ble*
# are silence here, as we shall see at once: its vector says "a" and no more, and that is a little like
# most prompts.

# %% [markdown]
# **What our encoder cannot do.** CLIP learned from 400 million captions. Ours was trained on the
# captions of the small world and has met fewer than a hundred different tokens. The rows of all
# others stayed zero: to our model they are silence. Watch what that does.

# %%
for prompt in ("a painting of a flooble", "a tiger on a beach", "a giraffe on a beach"):
    ids = text.token_ids(prompt)[0, : len(text.tokens(prompt))]
    seen = text.known(pipe.text_encoder, ids)
    strangers = [piece for (_, piece), s in zip(text.tokens(prompt), seen, strict=True) if not s]
    print(f"{prompt:25}", strangers)
tiger, giraffe = (
    text.encode(pipe.text_encoder, text.token_ids(f"a {animal} on a beach", pipe.tokenizer))
    for animal in ("tiger", "giraffe")
)
print("a tiger is a giraffe:", torch.equal(tiger, giraffe))
print("tokens it knows:", int(text.known(pipe.text_encoder, torch.arange(len(E))).sum()))

# %%
strange = ["a painting of a flooble", "a tiger on a beach", "a giraffe on a beach"]
heard = [text.encode(pipe.text_encoder, text.token_ids(p, pipe.tokenizer)) for p in strange]
pictures = [draw(vectors) for vectors in heard]
plotting.show_pictures(pictures, strange, size=2.3)
plt.show()

# %% [markdown]
# Tiger and giraffe give the same picture, to the last pixel: *something* on a beach. A real CLIP
# has a row for every token, and would make a guess at the flooble from the words in which it met *floo* and
# *ble*.

# %% [markdown]
# ## 6 · Exercises
#
# **Exercise 1** (easy, 5 minutes). Bring a list of ids to a given length: fill up with end tokens,
# 49407, or cut, so that the end token stays.


# %% tags=["exercise"]
def pad_or_cut(ids: list[int], length: int) -> list[int]:
    """Exactly `length` ids: start, words, end, filling."""
    # solution
    if len(ids) > length:
        return [*ids[: length - 1], ids[-1]]
    return [*ids, *[49407] * (length - len(ids))]
    # end solution


checks.check_pad_or_cut(pad_or_cut)

# %% [markdown]
# **Exercise 2** (easy, 3 minutes). Embed a prompt, given the two tables.


# %% tags=["exercise"]
def embed(E: torch.Tensor, P: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Tables E (vocabulary, D) and P (77, D), ids (L,) → x (L, D)."""
    # solution
    return E[ids] + P[: len(ids)]
    # end solution


checks.check_embed(embed)

# %% [markdown]
# **Exercise 3** (medium, 5 minutes). Who may look at whom? Make the causal mask.


# %% tags=["exercise"]
def causal_mask(length: int) -> torch.Tensor:
    """(L, L) bool: [i, j] is True where token i may look at token j."""
    # solution
    return torch.ones(length, length, dtype=torch.bool).tril()
    # end solution


checks.check_causal_mask(causal_mask)

# %% [markdown]
# **Exercise 4** (easy, 3 minutes). How alike are two vectors?


# %% tags=["exercise"]
def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Cosine of the angle between a (D,) and b (D,)."""
    # solution
    return (a @ b) / (a.norm() * b.norm())
    # end solution


checks.check_cosine(cosine)

# %% [markdown]
# ## 7 · The proof
#
# `text.encode` is the whole text encoder in about 30 lines. The pipeline has a function of its
# own for all of this, `encode_prompt`. Ours must give what the UNet would get, with the prompt
# and without.

# %%
prompt = "A small robot, high resolution, sitting on a park bench"
with torch.no_grad():
    c, u = pipe.encode_prompt(prompt, pipe.device, 1, True, negative_prompt="blurry")
for what, words, theirs in (("prompt", prompt, c), ("negative prompt", "blurry", u)):
    ours = text.encode(pipe.text_encoder, text.token_ids(words, pipe.tokenizer))
    print(f"{what} equal:", torch.equal(ours, theirs), tuple(ours.shape))

# %% [markdown]
# ## 8 · At full size
#
# Same tokenizer, same kind of layers, only more and wider ones. The article feeds the flooble to the
# real text encoder and gets (1, 8, 1024); padded, (1, 77, 1024).

# %%
from course_utils.models import architecture, find_real

flooble = torch.tensor([[number for number, _ in pairs]])
padded = text.token_ids("A painting of a flooble")
for name in ("pocket", "sd-1.5", "sd-2.1"):
    model = architecture(name, "text_encoder")
    shapes = [tuple(text.encode(model, ids.to("meta")).shape) for ids in (flooble, padded)]
    stops = text.stages(model)
    total, table = sum(s.parameters for s in stops), stops[1].parameters
    print(
        f"{name:7} {shapes[0]}  {shapes[1]}  {len(stops) - 3:2} layers  {total:>11,} parameters, "
        f"{table / total:.0%} of them tables"
    )

# %% [markdown]
# In the pocket model nearly everything is the table of 49,408 rows, and nearly all of the table
# is zeros. (Stable Diffusion 2.1 differs in one more detail: its tokenizer fills up with "!",
# whose id is 0, and not with the end token. Ask `pipe.tokenizer.pad_token` and you need not
# remember.)
#
# To the real text encoder a flooble is *something*. The prompts of section 5 once more, where its weights are on this
# machine: which are near each other?

# %% tags=["needs-download"]
full = find_real(pipe)
if full:
    summaries = text.summary(full.text_encoder, prompts, full.tokenizer)
    similarity = text.cosine(summaries, summaries).float().cpu()
    plotting.heat_map(similarity, rows, numbers, size=0.55)
    plt.show()
    for words, row in zip(prompts, similarity - 2 * torch.eye(len(prompts)), strict=True):
        print(f"{words:37} is nearest to  {prompts[int(row.argmax())]}")

# %% [markdown]
# Choose another model here, and run this notebook again from its first cell. (For all notebooks at once, set the
# environment variable `COURSE_MODEL` before Jupyter starts: to a name, a hub id, or the path of a folder.)

# %% tags=["nbval-ignore-output"]
from course_utils.widgets import choose_model

choose_model()

# %% [markdown]
# ## 9 · Recap
#
# - The tokenizer cuts a prompt into pieces from a list of 49,408; no word is unknown to it.
# - Always 77 tokens: short prompts are filled up, and of long ones the end is lost.
# - A row for the token plus a row for the place; then layers of attention in which words look back.
# - A later word never changes an earlier vector; the end token has heard everything.
# - Vectors can be swapped and mixed. Words the model never read are silence.
#
# Next: **03 · The UNet**: what goes in, what comes out, and what happens in between?
