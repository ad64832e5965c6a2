"""Scenes of the picture world: valid, without rare classes, and never with unseen combinations."""

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
from skimage.color import rgb2lab

from course_utils.world3d.scene import (
    Scene,
    draw_hour,
    is_unseen,
    places_of,
    possible_relations,
    random_scene,
)
from course_utils.world3d.vocabulary import (
    BULK,
    COLORS,
    FLAWS,
    HOURS,
    MERITS,
    PLACES,
    QUALITIES,
    RELATIONS,
    SOLIDS,
    STYLES,
    SUBJECTS,
    SUBJECTS_AT,
    THINGS,
    TIMES,
    UNSEEN_PAIRS,
    UNSEEN_TWO,
    VIEWS,
    WEATHERS,
    random_color,
)

COUNT = 3000
TABLES = {
    "subject": SUBJECTS,
    "place": PLACES,
    "color": tuple(COLORS),
    "time": TIMES,
    "style": STYLES,
    "weather": WEATHERS,
}


def scenes_from(seed, count=COUNT, **options):
    rng = np.random.default_rng(seed)
    return [random_scene(rng, **options) for _ in range(count)]


@pytest.fixture(scope="module")
def most():
    return scenes_from(0, 3 * COUNT)


@pytest.fixture(scope="module")
def many(most):
    return most[:COUNT]


def share(scenes, holds):
    return np.mean([bool(holds(scene)) for scene in scenes])


def test_the_same_seed_gives_the_same_scenes(many):
    assert scenes_from(0, 50) == many[:50] != scenes_from(1, 50)


def test_a_scene_comes_back_from_its_dictionary(many):
    assert all(Scene(**asdict(scene)) == scene for scene in many)


def test_random_values_are_plain_python(many):
    for scene in many[:300]:
        assert {type(value) for value in asdict(scene).values()} <= {str, bool, type(None)}


@pytest.mark.parametrize("field", TABLES)
def test_no_value_is_rare_and_none_is_unknown(many, field):
    counts = Counter(getattr(scene, field) for scene in many)
    assert set(counts) - {None} == set(TABLES[field])
    assert all(counts[value] > 0.035 * COUNT for value in TABLES[field])


def test_every_quality_and_relation_occurs(many):
    assert {scene.quality for scene in many} == set(QUALITIES)
    assert {scene.relation for scene in many} == {None, *RELATIONS}


def test_every_thing_occurs_at_each_of_its_places(most):
    seen = {(scene.place, scene.subject) for scene in most}
    assert seen == {(place, subject) for place, known in SUBJECTS_AT.items() for subject in known}


def test_every_thing_has_every_color_but_the_unseen(most):
    seen = {(scene.color, scene.subject) for scene in most}
    possible = {(color, thing) for color in COLORS for thing in THINGS}
    assert possible - seen == set(UNSEEN_PAIRS)


def test_nights_are_nearly_as_frequent_as_days(many):
    assert 0.45 < share(many, lambda s: s.time == "day") < 0.57
    assert 0.35 < share(many, lambda s: s.time in ("dusk", "night", "sunset")) < 0.55


def test_photos_are_most_frequent(many):
    assert 0.36 < share(many, lambda s: s.style == "photo") < 0.44


def test_one_scene_in_six_has_two_things(many):
    assert 0.145 < share(many, lambda s: s.other) < 0.19


def test_two_things_or_one_on_request():
    assert all(scene.other for scene in scenes_from(4, 500, two=True))
    assert not any(scene.other for scene in scenes_from(4, 500, two=False))


def test_what_stands_behind_is_not_smaller(many):
    for scene in scenes_from(5, 1000, two=True):
        front, back = scene.subject, scene.other
        if scene.relation == "behind":
            front, back = back, front
        if scene.relation in ("in front of", "behind"):
            assert BULK[front] <= BULK[back] and scene.place != "park bench"


def test_unseen_combinations_never_occur_in_training(many):
    for scene in many + scenes_from(6, 2000, two=True):
        assert not is_unseen(scene)
        pairs = {(scene.color, scene.subject), (scene.other_color, scene.other)}
        assert pairs.isdisjoint(UNSEEN_PAIRS)


def test_unseen_scenes_have_exactly_the_unseen_pairs():
    unseen = scenes_from(7, 500, unseen=True)
    assert {(scene.color, scene.subject) for scene in unseen} == set(UNSEEN_PAIRS)
    assert all(is_unseen(scene) and scene.other is None for scene in unseen)


def test_unseen_scenes_of_two_things_have_exactly_the_unseen_pairs_of_things():
    unseen = scenes_from(8, 800, unseen=True, two=True)
    assert all(is_unseen(scene) for scene in unseen)
    found = {frozenset((scene.subject, scene.other)) for scene in unseen}
    assert found == {frozenset((one, two)) for (_, one), (_, two) in UNSEEN_TWO}
    for scene in unseen:
        pairs = {(scene.color, scene.subject), (scene.other_color, scene.other)}
        assert pairs.isdisjoint(UNSEEN_PAIRS)  # so that only the combination is new


def test_unseen_combinations_are_known_in_either_order():
    scene = Scene("cat", "park", other="rabbit", relation="next to")
    assert is_unseen(scene) and is_unseen(replace(scene, subject="rabbit", other="cat"))
    assert is_unseen(
        Scene("cube", "park", "red", other="ball", other_color="blue", relation="left of")
    )


def test_the_prompts_of_the_course_are_no_unseen_combinations():
    shown = [
        Scene("ball", "beach", "red", other="cube", other_color="blue", relation="left of"),
        Scene("cat", "park bench", other="dog", relation="next to"),
        Scene("robot", "park bench", small=True, quality="high resolution"),
        Scene("man", "park bench", "red", style="oil painting"),
        Scene("house", "beach", "red", time="sunset"),
        Scene("boat", "beach", "yellow", time="sunset"),
        Scene("dog", "park bench", "white", time="sunset"),
    ]
    assert not any(is_unseen(scene) for scene in shown)


def test_flaws_are_for_photos_and_a_sketch_shows_neither_color_nor_light(many):
    for scene in many:
        assert scene.quality not in FLAWS or scene.style == "photo"
        if scene.style == "pencil sketch":
            assert scene.color is scene.other_color is None
            assert (scene.time, scene.weather) == ("day", "clear")
        elif scene.subject in SOLIDS:
            assert scene.color


def test_views_have_no_color_no_size_and_no_company(many):
    for scene in many:
        if scene.subject in VIEWS:
            assert not (scene.color or scene.small or scene.other)


@pytest.mark.parametrize("time", TIMES)
def test_the_hour_fills_its_range(time):
    rng = np.random.default_rng(0)
    hours = [draw_hour(time, rng) for _ in range(500)]
    low, high = HOURS[time]
    assert low <= min(hours) < low + 0.02 and high - 0.02 < max(hours) <= high


def test_the_hours_of_all_scenes_are_a_continuum(many):
    rng = np.random.default_rng(0)
    hours = np.array([draw_hour(scene.time, rng) for scene in many])
    counts = np.histogram(hours, bins=20, range=(0, 1))[0]
    assert counts.min() > 0.6 * COUNT / 20 and counts.max() < 1.9 * COUNT / 20


def test_neighbouring_times_overlap_a_little():
    ordered = sorted(HOURS.values())
    for (_, end), (start, _) in zip(ordered, ordered[1:], strict=False):
        assert 0 < end - start < 0.05
    assert ordered[0][0] == 0 and ordered[-1][1] == 1


def test_an_unknown_time_has_no_hour():
    with pytest.raises(
        ValueError, match="unknown time: 'noon'. Try one of: day, sunset, dusk, night"
    ):
        draw_hour("noon", np.random.default_rng(0))


@pytest.fixture(scope="module")
def colors():
    """Many colours of each name, (300, 3) in CIELAB."""
    rng = np.random.default_rng(0)
    return {
        name: rgb2lab(np.array([random_color(name, rng) for _ in range(300)]) / 255)
        for name in COLORS
    }


def test_colors_are_in_range():
    rng = np.random.default_rng(0)
    for name in COLORS:
        sampled = np.array([random_color(name, rng) for _ in range(200)])
        assert sampled.shape == (200, 3) and sampled.min() >= 0 and sampled.max() <= 255


@pytest.mark.parametrize("name", COLORS)
def test_a_color_is_a_wide_range(colors, name):
    assert colors[name].std(axis=0).max() > 2


@pytest.mark.parametrize("name", COLORS)
def test_no_color_could_have_another_name(colors, name):
    """Every sampled colour is far from every sampled colour of another name."""
    for other in set(COLORS) - {name}:
        distance = np.linalg.norm(colors[name][:, None] - colors[other][None], axis=2)
        assert distance.min() > 18, other


def test_an_unknown_color_is_refused():
    with pytest.raises(ValueError, match="unknown color: 'mauve'. Try one of: red, orange"):
        random_color("mauve", np.random.default_rng(0))


def test_possible_relations():
    assert possible_relations("cat", "dog", "park") == RELATIONS
    assert possible_relations("cat", "dog", "park bench") == ("left of", "right of", "next to")
    assert "behind" not in possible_relations("cat", "house", "park")
    assert "in front of" not in possible_relations("house", "cat", "park")


BALL = {"other": "ball", "other_color": "red", "relation": "next to"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"subject": "dragon"},
            "unknown subject: 'dragon'. Try one of: wave, cityscape, bench, man",
        ),
        ({"subject": None}, "unknown subject: None. Try one of: wave"),
        ({"subject": 3}, "unknown subject: 3. Try one of: wave"),
        (
            {"place": "moon"},
            "unknown place: 'moon'. Try one of: sea, city, winter city, park bench",
        ),
        ({"place": None}, "unknown place: None"),
        ({"place": "sea"}, "a dog cannot be at the place 'sea'. Try another place for it: city"),
        ({"subject": "boat"}, "another place for it: beach; or another thing at this place: man"),
        ({"subject": "ball"}, "a ball needs a color: try one of red, orange"),
        ({"color": "mauve"}, "unknown color: 'mauve'. Try one of: red, orange, yellow"),
        ({"color": ""}, "unknown color: ''"),
        ({"subject": "wave", "place": "sea", "color": "red"}, "a wave has no color and no size"),
        ({"subject": "bench", "place": "park bench", "small": True}, "a bench has no color and no"),
        ({"time": "noon"}, "unknown time: 'noon'. Try one of: day, sunset, dusk, night"),
        ({"weather": "rain"}, "unknown weather: 'rain'. Try one of: clear, cloudy, foggy"),
        ({"style": "fresco"}, "unknown style: 'fresco'. Try one of: photo, oil painting"),
        ({"quality": "ugly"}, "unknown quality: 'ugly'. Try one of: plain, beautiful"),
        ({"style": "pencil sketch", "color": "red"}, "a pencil sketch shows no color, no time"),
        ({"style": "pencil sketch", "time": "night"}, "leave them out, or try style='watercolor'"),
        ({"style": "pencil sketch", "weather": "foggy"}, "no time of day and no weather"),
        ({"style": "pencil sketch", **BALL}, "a pencil sketch shows no color"),
        (
            {"style": "pixel art", "quality": "blurry"},
            "only a photo can be blurry, and the style is 'pixel art'",
        ),
        ({**BALL, "other": "dragon"}, "unknown other: 'dragon'"),
        ({**BALL, "other": "boat"}, "a boat cannot be at the place 'park'"),
        ({**BALL, "other": "dog"}, "subject and other are both 'dog': try two different things"),
        ({**BALL, "place": "park bench", "other": "bench"}, "a bench has no color"),
        ({"place": "city", "other": "cityscape", "relation": "behind"}, "fills the picture"),
        ({**BALL, "other_color": None}, "a ball needs a color"),
        ({**BALL, "other_color": "mauve"}, "unknown other_color: 'mauve'"),
        ({**BALL, "relation": None}, "cannot be None: .* Try one of: left of, right of, next to"),
        ({**BALL, "relation": "above"}, "cannot be 'above'"),
        ({"other": "house", "relation": "behind"}, "a dog and a house .* cannot be 'behind'"),
        ({**BALL, "place": "park bench", "relation": "behind"}, "left of, right of, next to"),
        ({"relation": "behind"}, "describe a second thing, and there is none. Try other='ball'"),
        ({"other_color": "red"}, "describe a second thing, and there is none"),
    ],
)
def test_a_bad_scene_is_refused_with_a_sentence_that_helps(fields, message):
    with pytest.raises(ValueError, match=message):
        Scene(**({"subject": "dog", "place": "park"} | fields))


def test_small_is_true_or_false():
    with pytest.raises(TypeError, match="small is True or False, got 'yes'. Try small=True"):
        Scene("dog", "park", small="yes")


def test_every_unseen_pair_of_things_has_a_place():
    for (_, one), (_, two) in UNSEEN_TWO:
        assert len(places_of(one, two)) > 1


def test_the_tables_fit_together():
    assert set(BULK) == set(THINGS)
    assert {subject for known in SUBJECTS_AT.values() for subject in known} == set(SUBJECTS)
    assert set(MERITS).isdisjoint(FLAWS)
