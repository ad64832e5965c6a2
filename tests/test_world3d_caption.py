"""Captions of the picture world: varied, true, short, and often incomplete."""

import re
from collections import Counter

import numpy as np
import pytest
from transformers import CLIPTokenizer

from course_utils.models import POCKET
from course_utils.world3d.caption import (
    CLOTHES,
    NOUNS,
    RELATED,
    WHERE,
    caption,
    describe,
    mask_phrases,
)
from course_utils.world3d.scene import Scene, places_of, random_scene
from course_utils.world3d.vocabulary import (
    COLORS,
    FLAWS,
    PLACES,
    RELATIONS,
    STYLES,
    SUBJECTS,
    THINGS,
    TIMES,
    VIEWS,
)

COUNT = 20_000
NEGATIVE = "zoomed in, blurry, oversaturated, warped"
PROMPTS = [  # of the article, and of the course's own pages; each with a scene that it describes
    ("Beautiful picture of a wave breaking", Scene("wave", "sea", quality="beautiful")),
    (
        "Palette knife painting of an winter cityscape",
        Scene("cityscape", "winter city", style="palette knife painting"),
    ),
    (
        "a palette knife painting of a winter cityscape",
        Scene("cityscape", "winter city", style="palette knife painting"),
    ),
    ("An oil painting of a man on a bench", Scene("man", "park bench", style="oil painting")),
    (
        "A small robot, high resolution, sitting on a park bench",
        Scene("robot", "park bench", small=True, quality="high resolution"),
    ),
    ("A dog on a bench", Scene("dog", "park bench")),
    ("A red house on a beach at sunset", Scene("house", "beach", "red", time="sunset")),
    ("a dog in the snow, blurry", Scene("dog", "snow", quality="blurry")),
    ("a cat on a beach, oil painting", Scene("cat", "beach", style="oil painting")),
    ("a wave breaking at night", Scene("wave", "sea", time="night")),
    ("a cat and a dog on a bench", Scene("cat", "park bench", other="dog", relation="next to")),
    (
        "a red ball to the left of a blue cube",
        Scene("ball", "park", "red", other="cube", other_color="blue", relation="left of"),
    ),
    (
        "a woman in a red dress sitting on a park bench at sunset",
        Scene("woman", "park bench", "red", time="sunset"),
    ),
]


NAMES = {  # place: words for it that fit no other place
    "sea": {"sea"},
    "winter city": {"winter"},
    "beach": {"beach"},
    "snow": {"snow"},
    "meadow": {"meadow", "field", "flowers"},
}


def words(text):
    return re.findall(r"[a-z]+", text.lower())


@pytest.fixture(scope="module")
def many():
    """Pairs of a scene and its caption."""
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(COUNT)]
    return [(scene, caption(scene, rng)) for scene in scenes]


def captions_of(scene, count=1000, **options):
    rng = np.random.default_rng(0)
    return [caption(scene, rng, **options) for _ in range(count)]


def share_with(scene, pattern):
    return np.mean([bool(re.search(pattern, text)) for text in captions_of(scene)])


def test_the_same_seed_gives_the_same_captions():
    scene = Scene("dog", "park", "red")
    assert captions_of(scene, 50) == captions_of(scene, 50)


@pytest.mark.parametrize(("prompt", "scene"), PROMPTS, ids=[prompt for prompt, _ in PROMPTS])
def test_every_prompt_of_the_course_is_in_the_grammar(prompt, scene):
    assert prompt.lower() in {text.lower() for text in captions_of(scene, 8000)}


def test_the_negative_prompt_is_in_the_grammar(many):
    lists = [set(text.lower().split(", ")) for _, text in many]
    assert set(NEGATIVE.split(", ")) in lists


def test_the_words_are_few_and_contain_all_prompts(many):
    known = {word for _, text in many for word in words(text)}
    for prompt in [NEGATIVE, *(prompt for prompt, _ in PROMPTS)]:
        assert set(words(prompt)) <= known
    assert len(known) < 125


def test_no_word_is_rare(many):
    counts = Counter(word for _, text in many for word in set(words(text)))
    rare = {word: count for word, count in counts.items() if count < COUNT / 1000}
    assert not rare


def test_captions_are_short(many):
    tokenizer = CLIPTokenizer.from_pretrained(POCKET / "tokenizer")
    rng = np.random.default_rng(1)
    full = [
        f(scene) for scene, _ in many[:2000] for f in (describe, lambda s: caption(s, rng, False))
    ]
    texts = {text for _, text in many} | set(full)
    assert max(map(len, tokenizer(sorted(texts)).input_ids)) <= 40


def test_captions_are_varied(many):
    assert len({text for _, text in many}) > 0.6 * COUNT
    assert len(set(captions_of(Scene("dog", "park bench", "red", time="night")))) > 300


def test_a_seventh_to_a_third_begin_with_a_capital(many):
    assert 1 / 7 < np.mean([text[0].isupper() for _, text in many]) < 1 / 3


def test_captions_are_well_formed(many):
    for scene, text in [*many, *((scene, describe(scene)) for scene, _ in many[:2000])]:
        assert text == text.strip() and text, scene
        assert "  " not in text and " ," not in text and ",," not in text and "None" not in text
        for word in re.findall(r"\b[Aa] (\w+)", text):
            assert word[0] not in "aeiou", text
        for word in re.findall(r"\b[Aa]n (\w+)", text):
            assert word[0] in "aeiou" or word == "winter", text


def test_no_word_is_said_twice_in_a_row(many):
    for _, text in many:
        spoken = words(text)
        assert all(one != two for one, two in zip(spoken, spoken[1:], strict=False)), text


def test_captions_are_true(many):
    """Whatever a caption names is in the scene."""
    for scene, text in many:
        spoken = set(words(text))
        assert spoken & set(COLORS) <= {scene.color, scene.other_color}, text
        named = spoken & set(THINGS) | spoken & set(VIEWS) - {"bench"}
        assert named <= {scene.subject, scene.other}, text
        assert not spoken & (set(TIMES) - {scene.time}), text
        for place, only_there in NAMES.items():
            assert not spoken & only_there or scene.place == place, text
        for style in STYLES[1:]:
            assert style not in text.lower() or scene.style == style, text
        assert ("photo" not in text.lower()) or scene.style == "photo", text
        if not set(text.lower().split(", ")) <= set(FLAWS):
            assert all(flaw not in text.lower() or scene.quality == flaw for flaw in FLAWS), text


def test_a_flaw_is_always_said(many):
    for scene, text in many:
        if scene.quality in FLAWS:
            assert scene.quality in text.lower()


@pytest.mark.parametrize(
    ("scene", "pattern", "low", "high"),
    [
        (Scene("ball", "park", "red"), "red", 0.65, 0.75),
        (Scene("ball", "park", "red"), "(?i)ball", 0.9, 0.96),
        (Scene("ball", "park", "red"), "(?i)park", 0.68, 0.78),
        (Scene("cat", "park"), "daylight|the day|day", 0.2, 0.36),
        (Scene("cat", "park", time="night"), "(?i)night", 0.62, 0.75),
        (Scene("cat", "park", time="dusk"), "(?i)dusk", 0.62, 0.75),
        (Scene("cat", "park", style="watercolor"), "(?i)watercolor", 0.75, 0.86),
        (Scene("cat", "park", style="photo"), "(?i)photo", 0.4, 0.55),
        (Scene("cat", "park", weather="foggy"), "(?i)fog", 0.33, 0.45),
        (Scene("cat", "park"), "(?i)clear", 0.09, 0.2),
        (Scene("cat", "park", small=True), "(?i)small|little", 0.7, 0.82),
        (Scene("cat", "park", quality="beautiful"), "(?i)beautiful", 0.7, 0.83),
        (Scene("cat", "park", other="dog", relation="next to"), "dog", 0.77, 0.9),
        (Scene("cat", "park", other="dog", relation="left of"), "left of|right of", 0.54, 0.7),
    ],
)
def test_each_piece_of_information_is_said_often_and_left_out_often(scene, pattern, low, high):
    assert low < share_with(scene, pattern) < high


def test_pieces_are_left_out_independently():
    texts = captions_of(Scene("ball", "beach", "red", time="night"), 4000)
    said = np.array(
        [[word in text.lower() for word in ("red", "beach", "night")] for text in texts]
    )
    said = said[[len(words(text)) > 2 for text in texts]]
    assert abs(np.corrcoef(said.T) - np.eye(3)).max() < 0.12
    assert len({tuple(row) for row in said.tolist()}) == 8


def test_some_captions_are_a_word_or_two(many):
    short = np.mean([len(words(text)) <= 2 for scene, text in many if scene.quality not in FLAWS])
    assert 0.03 < short < 0.2


def test_some_captions_do_not_name_the_thing():
    texts = " | ".join(captions_of(Scene("dog", "beach"), 3000))
    assert "animal" in texts and re.search(r"of a beach|\| a beach", texts)
    assert "person in red" in " | ".join(captions_of(Scene("woman", "beach", "red"), 3000))
    assert "something red" in " | ".join(captions_of(Scene("cube", "beach", "red"), 3000))


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_relation_is_said_from_either_side(relation):
    scene = Scene("cat", "park", other="dog", relation=relation)
    texts = " | ".join(captions_of(scene, 1500))
    said, mirrored = RELATED[relation][0], RELATED[RELATED[relation][1]][0]
    assert all(f"cat {words} a dog" in texts for words in said)
    assert all(f"dog {words} a cat" in texts for words in mirrored)
    if relation != "next to":
        assert not any(f"dog {words} a cat" in texts for words in said)
        assert not any(f"cat {words} a dog" in texts for words in mirrored)


def test_relations_are_mirrored_twice():
    assert all(RELATED[RELATED[relation][1]][1] == relation for relation in RELATIONS)


def test_only_what_can_sit_is_sitting():
    assert share_with(Scene("robot", "park bench"), "sitting") > 0.25
    assert share_with(Scene("ball", "park bench", "red"), "sitting") == 0
    ball = {"other": "ball", "other_color": "red", "relation": "next to"}
    assert share_with(Scene("robot", "park bench", **ball), "sitting") == 0


def test_a_complete_caption_leaves_nothing_out():
    scene = Scene("woman", "beach", "orange", small=True, weather="foggy", quality="blurry")
    for text in captions_of(scene, 200, partial=False):
        assert {"woman", "orange", "beach"} <= set(words(text)), text
        assert re.search("small|little", text) and re.search("(?i)day", text), text
        assert re.search("(?i)photo", text) and re.search("(?i)fog", text), text
        assert "blurry" in text.lower()


def test_a_complete_caption_names_two_things_and_their_places(many):
    rng = np.random.default_rng(0)
    for scene, _ in many:
        if scene.other and scene.relation != "next to":
            text = caption(scene, rng, partial=False).lower()
            assert {scene.subject, scene.other} <= set(words(text))
            assert any(words in text for relation in RELATED.values() for words in relation[0])


def test_a_pencil_sketch_says_no_time():
    assert not share_with(Scene("dog", "park", style="pencil sketch"), "(?i)day|sky")


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (
            Scene("robot", "park bench", small=True, time="night", quality="high resolution"),
            "a photo of a small robot on a bench at night under a clear sky, high resolution",
        ),
        (
            Scene("cityscape", "winter city", style="oil painting", weather="foggy"),
            "an oil painting of a winter cityscape during the day in the fog",
        ),
        (
            Scene("ball", "beach", "red", other="man", relation="left of", other_color="orange"),
            "a photo of a red ball left of a man in an orange shirt on a beach during the day "
            "under a clear sky",
        ),
        (Scene("dog", "meadow", style="pencil sketch"), "a pencil sketch of a dog in a meadow"),
        (
            Scene("wave", "sea", style="pixel art", time="dusk", weather="cloudy"),
            "pixel art of a wave breaking at dusk under a cloudy sky",
        ),
    ],
)
def test_the_description_says_everything_in_the_same_words(scene, text):
    assert describe(scene) == text == describe(scene)


def test_no_two_scenes_have_the_same_description(many):
    descriptions = {}
    for scene, _ in many:
        assert descriptions.setdefault(describe(scene), scene) == scene


def test_mask_phrases():
    scene = Scene("ball", "beach", "orange", other="woman", other_color="red", relation="left of")
    assert mask_phrases("ball", scene) == [
        "the orange ball",
        "an orange ball",
        "orange ball",
        "the ball",
        "a ball",
        "ball",
    ]
    assert mask_phrases("woman", scene)[:2] == [
        "the woman in a red dress",
        "a woman in a red dress",
    ]
    assert mask_phrases("tree", scene) == ["the tree", "a tree", "tree"]
    assert mask_phrases("trees", scene) == ["the trees", "trees"]
    assert mask_phrases("sand", scene) == ["the sand", "sand"]


@pytest.mark.parametrize("name", SUBJECTS)
def test_mask_phrases_begin_with_the_best_known(name):
    place = {"wave": "sea", "cityscape": "city", "bench": "park bench"}.get(name, "beach")
    place = "snow" if name == "mushroom" else place
    scene = Scene(name, place, None if name in VIEWS else "blue")
    phrases = mask_phrases(name, scene)
    assert phrases[0].startswith("the ") and name in phrases
    assert len(phrases) == (3 if name in VIEWS else 6)
    assert all("blue" in phrase for phrase in phrases[:3]) or name in VIEWS


def test_a_caption_can_say_every_place_of_things():
    assert set(WHERE) == {place for thing in THINGS for place in places_of(thing)}
    assert set(NOUNS) == set(PLACES)


def test_clothes_are_worn_by_things():
    assert set(CLOTHES) <= set(THINGS)
