"""The segmenter: its training at tiny size, the questions it is asked, and its measure."""

from collections import Counter
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CLIPSegForImageSegmentation, CLIPTextModel

from course_utils.training.attributes import UNNAMED
from course_utils.training.data import Pictures, world_pictures
from course_utils.training.loop import Config, dice
from course_utils.training.segmenter import (
    NOWHERE,
    Searcher,
    absent,
    all_phrases,
    ask,
    make_segmenter,
    mask_loss,
    mean_iou,
    patch_names,
    soft_dice,
    train_segmenter,
)
from course_utils.training.text import clip_tokenizer, make_text_encoder, token_ids
from course_utils.training.vae import to_model
from course_utils.world import Scene
from course_utils.world.caption import mask_phrases

TINY = Config(
    examples=8,
    steps=4,
    batch=4,
    learning_rate=1e-3,
    warmup=1,
    save_every=1,
    threads=1,
    ema_decay=0.5,
    model={
        "vision": {
            "patch_size": 16,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
        "projection_dim": 16,
        "extract_layers": [0, 1],
        "reduce_dim": 16,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 32,
    },
    options={
        "text_encoder": "text_encoder",
        "asked": 2,
        "nowhere": 0.2,
        "subject": 0.4,
        "recolored": 0.5,
        "heard": 12,
    },
)
TINY_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
EVERYTHING = slice(None)
NAMES = 25  # more than so few pictures have
TOKENIZER = clip_tokenizer()


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A folder with a few rendered pictures and a tiny text encoder."""
    folder = tmp_path_factory.mktemp("build")
    captions = world_pictures(folder, TINY.examples).captions
    torch.manual_seed(0)
    heard = token_ids(TOKENIZER, captions).unique()
    make_text_encoder(TINY_TEXT, heard).save_pretrained(folder / "text_encoder")
    return folder


@pytest.fixture(scope="module")
def world(build):
    return world_pictures(build, TINY.examples)


@pytest.fixture(scope="module")
def text_encoder(build):
    return CLIPTextModel.from_pretrained(build / "text_encoder")


@pytest.fixture
def known_ids(world):
    phrases = [phrase for known in all_phrases(world).values() for phrase in known]
    return token_ids(TOKENIZER, phrases).unique()


@pytest.fixture
def segmenter(text_encoder, known_ids):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return make_segmenter(TINY.model, text_encoder, known_ids)


def tiny_loss(world):
    return mask_loss(world, all_phrases(world), TOKENIZER, TINY.options)


def test_it_learns(world, segmenter):
    searcher, loss = Searcher(segmenter, NAMES), tiny_loss(world)
    optimizer = torch.optim.AdamW(searcher.parameters(), 0.01)
    values = []
    for _ in range(30):
        optimizer.zero_grad()
        losses = loss(searcher, torch.arange(4), dice(0, 0), EVERYTHING)
        losses["loss"].backward()
        optimizer.step()
        values.append(losses["bce"].item())
    assert values[-1] < 0.8 * values[0]


class Oracle(torch.nn.Module):
    """Answers from the labels, by the words of each question."""

    def __init__(self, world):
        super().__init__()
        self.phrases = all_phrases(world)
        self.known = list(self.phrases)
        self.world, self.nothing = world, torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, ids):
        phrases = TOKENIZER.batch_decode(ids, skip_special_tokens=True)
        places = torch.arange(len(x)).repeat_interleave(len(ids) // len(x)).tolist()
        masks = [self.mask(place, words) for place, words in zip(places, phrases, strict=True)]
        return {
            "masks": torch.from_numpy(np.stack(masks)) * 40.0 - 20 + self.nothing,
            "words": 99 * F.one_hot(torch.tensor([self.number(words) for words in phrases]), NAMES),
            "patches": 99 * F.one_hot(torch.stack([self.patches(n) for n in range(len(x))]), NAMES),
        }

    def mask(self, place, phrase):
        names, scene = self.world.names[place], Scene(**self.world.scenes[place])
        found = [n for n, name in enumerate(names, 1) if phrase in mask_phrases(name, scene)]
        return np.isin(self.world.labels[place], found)

    def number(self, phrase):
        return [phrase in known for known in self.phrases.values()].index(True)

    def patches(self, place):
        names = self.world.names[place]
        labels = self.world.labels[place, 8::16, 8::16].flatten()
        return torch.tensor([self.known.index(names[label - 1]) for label in labels])


def test_who_knows_the_answers_has_no_loss(world):
    losses = tiny_loss(world)(Oracle(world), torch.arange(8), dice(0, 0), EVERYTHING)
    assert all(value < 1e-4 for value in losses.values())


def test_every_trained_parameter_has_a_gradient(world, segmenter):
    tiny_loss(world)(Searcher(segmenter, NAMES), torch.arange(4), dice(0, 0), EVERYTHING)[
        "loss"
    ].backward()
    assert all(p.grad is not None for p in segmenter.parameters() if p.requires_grad)


def test_shares_of_a_batch_are_parts_of_the_whole(world, segmenter):
    searcher, loss = Searcher(segmenter, NAMES), tiny_loss(world)
    whole, *parts = (
        loss(searcher, torch.arange(4), dice(0, 0), share)["loss"].item()
        for share in (EVERYTHING, slice(0, 2), slice(2, 4))
    )
    assert parts[0] != parts[1] and sum(parts) / 2 == pytest.approx(whole, rel=1e-5)


def test_it_resumes_to_the_same_weights(build):
    whole = train_segmenter(TINY, build / "a").state_dict()
    stopped = train_segmenter(TINY, build / "b", stop_after=2).state_dict()
    resumed = train_segmenter(TINY, build / "b").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_it_is_trained_on_what_transformers_will_answer(world, segmenter):
    """Two phrases for each picture: as if each picture were given twice."""
    ids = token_ids(TOKENIZER, ["the sky", "a dog", "red ball", "the sea"])
    x = to_model(world.pictures[:2])
    theirs = segmenter(input_ids=ids, pixel_values=x.repeat_interleave(2, dim=0)).logits
    ours = Searcher(segmenter, NAMES)(x, ids[:, : TINY.options["heard"]])["masks"]
    assert ours.shape == (4, 128, 128)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_it_starts_with_the_text_encoder_and_words_of_its_own(text_encoder, segmenter, known_ids):
    heard = text_encoder.get_input_embeddings().weight
    own = segmenter.clip.text_model.get_input_embeddings().weight
    silent = ~heard.any(dim=1)
    assert torch.equal(own[~silent], heard[~silent])
    known = torch.zeros(len(own), dtype=torch.bool)
    known[known_ids] = True
    assert own[known].any(dim=1).all() and silent[known].any()
    assert not own[silent & ~known].any()
    ids = token_ids(TOKENIZER, ["a wave breaking"])
    if not silent[ids].any():
        theirs = text_encoder(ids).last_hidden_state
        assert torch.allclose(segmenter.clip.text_model(ids).last_hidden_state, theirs, atol=1e-5)


def test_tokens_never_heard_keep_zero_embeddings(world, segmenter, known_ids):
    searcher, loss = Searcher(segmenter, NAMES), tiny_loss(world)
    rows = segmenter.clip.text_model.get_input_embeddings().weight
    zero = ~rows.detach().any(dim=1)
    optimizer = torch.optim.AdamW(searcher.parameters(), 0.1)
    loss(searcher, torch.arange(4), dice(0, 0), EVERYTHING)["loss"].backward()
    optimizer.step()
    assert zero.sum() > 49_000 and not rows[zero].any()


def test_a_saved_segmenter_answers_the_same(tmp_path, world, segmenter):
    segmenter.eval().save_pretrained(tmp_path)
    again = CLIPSegForImageSegmentation.from_pretrained(tmp_path, attn_implementation="eager")
    again = deepcopy(again)  # to even addresses: those of a mapped file change the last bits
    asked = {
        "input_ids": token_ids(TOKENIZER, ["the sky"]),
        "pixel_values": to_model(world.pictures[:1]),
    }
    assert torch.equal(again(**asked).logits, segmenter(**asked).logits)


def questions(world, **options):
    """Two hundred questions: (place, name, phrase, label)."""
    phrases = all_phrases(world)
    options = {"nowhere": 0.0, "subject": 0.0, "recolored": 0.0, **options}
    places = [n % TINY.examples for n in range(200)]
    return [(p, *ask(world, p, phrases, options, dice(0, n))) for n, p in enumerate(places)]


def test_questions_fit_their_pictures(world):
    asked = Counter()
    for place, name, phrase, label in questions(world, nowhere=0.2):
        names, scene = world.names[place], Scene(**world.scenes[place])
        assert phrase in all_phrases(world)[name]
        asked[label == NOWHERE] += 1
        present = {p: k for k, name in enumerate(names, 1) for p in mask_phrases(name, scene)}
        assert present.get(phrase, NOWHERE) == label
    assert 20 < asked[True] < 60


def test_what_the_picture_is_of_is_asked_for_as_often_as_told(world):
    subjects = [scene["subject"] for scene in world.scenes]
    always = questions(world, subject=1.0)
    with_one = [one for one in always if subjects[one[0]] in world.names[one[0]]]
    assert with_one and all(name == subjects[place] for place, name, _, _ in with_one)


def test_a_thing_in_another_colour_is_still_that_thing(world):
    phrases = {name: [f"the teal {name}"] for name in all_phrases(world)}
    options = {"nowhere": 0.0, "subject": 1.0, "recolored": 1.0}
    for place, names in enumerate(world.names):
        subject = world.scenes[place]["subject"]
        if subject in names:
            asked = ask(world, place, phrases, options, dice(0, place))
            assert asked == (subject, f"the teal {subject}", names.index(subject) + 1)


def test_one_tree_is_not_absent_among_trees():
    assert absent(["sky", "trees"], ["ball", "sky", "tree", "trees"]) == ["ball"]


def test_patches_are_named_by_their_middle():
    labels = torch.zeros(2, 4, 4, dtype=torch.uint8)
    labels[0, 1, 1], labels[0, 1, 3], labels[1, 3, 3] = 2, 1, 1
    names = [["sky", "ball"], ["ball"]]
    seen = patch_names(labels, names, ["ball", "dog", "sky"], patch=2)
    assert seen.tolist() == [[0, 2, UNNAMED, UNNAMED], [UNNAMED, UNNAMED, UNNAMED, 0]]


HALF = np.arange(128) < 64
LABELS = np.where(np.broadcast_to(HALF, (128, 128)), 1, 2).astype(np.uint8)
LABELS[:8, :8] = 3  # 64 pixels: too few to count
ONE = Pictures(
    pictures=np.zeros((1, 128, 128, 3), np.uint8),
    depth=np.ones((1, 128, 128), np.float16),
    labels=LABELS[None],
    names=[["sky", "ball", "cloud"]],
    captions=["a red ball on a beach"],
    scenes=[vars(Scene("ball", "beach", "red"))],
)


def finds(*masks):
    """A segmenter that finds these masks, in the order of questions, and remembers the words."""

    def answer(input_ids, pixel_values):
        answer.asked = TOKENIZER.batch_decode(input_ids, skip_special_tokens=True)
        return SimpleNamespace(logits=torch.from_numpy(np.stack(masks)) * 2.0 - 1)

    return answer


def test_the_measure_of_known_answers():
    sky, ball = LABELS == 1, LABELS == 2
    assert mean_iou(finds(sky, ball), ONE, TOKENIZER) == 1
    assert mean_iou(finds(ball, sky), ONE, TOKENIZER) == 0
    everything, halves = np.ones_like(sky), (1 - 64 / 128**2) / 2
    assert mean_iou(finds(everything, everything), ONE, TOKENIZER) == pytest.approx(halves)
    assert mean_iou(finds(ball), ONE, TOKENIZER, subjects_only=True) == 1


def test_the_measure_asks_with_colour():
    segmenter = finds(LABELS == 1, LABELS == 2)
    mean_iou(segmenter, ONE, TOKENIZER)
    assert segmenter.asked == ["the sky", "the red ball"]


def test_masks_are_compared_as_they_should():
    a = torch.zeros(3, 4, 4, dtype=torch.bool)
    b = a.clone()
    a[1, :2], b[1, 1:3] = True, True  # 4 pixels in common, 12 together
    a[2] = True
    assert torch.allclose(soft_dice(a.float(), b.float()), torch.tensor([1, 9 / 17, 1 / 17]))
