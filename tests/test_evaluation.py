"""The measures of the next pocket model, each on cases whose answer is known."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm
from skimage.color import rgb2lab

from course_utils.errors import ModelError
from course_utils.evaluation import (
    __main__ as program,
)
from course_utils.evaluation import attributes as judging
from course_utils.evaluation import (
    distances,
    matching,
    material,
    spread,
    stability,
    tables,
    texture,
    two_things,
)
from course_utils.training.attributes import (
    CLASSES_OF,
    UNNAMED,
    classes_of,
    in_order,
    scene_classes,
)
from course_utils.training.data import Pictures
from course_utils.training.judge import Judge, judge_loss, named_loss
from course_utils.training.loop import dice, read_config
from course_utils.world3d.caption import describe
from course_utils.world3d.sample import HELD_OUT
from course_utils.world3d.scene import Scene, is_unseen
from course_utils.world3d.vocabulary import STYLES

BALL_AND_CUBE = Scene("ball", "park", "red", other="cube", other_color="blue", relation="left of")
CUBE_AND_BALL = Scene("cube", "park", "blue", other="ball", other_color="red", relation="right of")
ASKED = asdict(BALL_AND_CUBE)
NOISE = np.random.default_rng(0)


class Eyes:
    """A judge that sees in each picture the scene whose number is its first pixel."""

    world = "world3d"

    def __init__(self, scenes):
        self.scenes = scenes

    def classes(self, pictures):
        return scene_classes([self.scenes[number] for number in pictures[:, 0, 0, 0]], "world3d")


def numbered(count):
    """Pictures, each of which says its number to `Eyes`."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)


def seen_as(**changes):
    """What a judge would see of a red ball left of a blue cube, but for some changes."""
    return ASKED | changes


# classes


def test_both_worlds_have_classes_and_no_other_has():
    assert "relation" in classes_of("world3d") and "relation" not in classes_of("world")
    with pytest.raises(ValueError, match="world3d"):
        classes_of("world4d")


def test_two_things_are_the_same_scene_told_from_either():
    assert in_order(asdict(CUBE_AND_BALL)) == in_order(ASKED) == ASKED
    told = scene_classes(2 * [ASKED] + [asdict(CUBE_AND_BALL)], "world3d")
    assert all(len(set(numbers.tolist())) == 1 for numbers in told.values())


def test_what_a_scene_lacks_is_unnamed_and_a_second_thing_is_none():
    scenes = [Scene("dog", "park"), Scene("dog", "park", style="pencil sketch")]
    told = scene_classes([asdict(scene) for scene in scenes], "world3d")
    assert told["other"].tolist() == [CLASSES_OF["world3d"]["other"].index("none")] * 2
    for name in ("color", "other_color", "relation"):
        assert told[name].tolist() == [UNNAMED] * 2
    assert told["time"][0] != UNNAMED and told["time"][1] == told["weather"][1] == UNNAMED


def test_next_to_is_left_or_right_and_not_asked_of_the_judge():
    next_to = ASKED | {"relation": "next to"}
    assert scene_classes([next_to], "world3d")["relation"].tolist() == [UNNAMED]


# the judge


def test_an_attribute_that_no_picture_has_costs_nothing():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = named_loss(logits, torch.full((3,), UNNAMED))
    loss.backward()
    assert loss == 0 and not logits.grad.any()
    numbers = torch.tensor([1, UNNAMED, 2])
    mean = torch.nn.functional.cross_entropy(logits[[0, 2]], numbers[[0, 2]])
    assert named_loss(logits, numbers).item() == pytest.approx(mean.item())


def test_the_judge_has_a_head_for_each_attribute_and_learns_them():
    torch.manual_seed(0)
    judge = Judge("world3d")
    pictures = NOISE.integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    scenes = [ASKED, asdict(Scene("wave", "sea")), ASKED, asdict(Scene("dog", "park"))]
    loss = judge_loss(pictures, scene_classes(scenes, "world3d"))
    optimizer = torch.optim.AdamW(judge.parameters(), 0.003)
    values = []
    for step in range(6):
        found = loss(judge, torch.arange(4), dice(0, step), slice(None))["loss"]
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        values.append(found.item())
    assert values[-1] < values[0]
    assert set(judge.eval().names(pictures)[0]) == set(CLASSES_OF["world3d"])
    assert judge.features(pictures).shape == (4, 160)


def test_the_configuration_of_the_judge_is_of_this_world():
    config = read_config("world3d/judge")
    assert config.world == "world3d" and config.options["mirrored"]


def test_a_judge_of_another_world_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "BUILD", tmp_path / "build")
    save_file(Judge().state_dict(), tmp_path / "flat.safetensors")
    save_file(Judge("world3d").state_dict(), tmp_path / "solid.safetensors")
    assert program.find_judge(tmp_path, tmp_path / "solid.safetensors").world == "world3d"
    with pytest.raises(ModelError, match="training.judge world3d/judge"):
        program.find_judge(tmp_path, tmp_path / "flat.safetensors")
    with pytest.raises(ModelError, match="No judge"):
        program.find_judge(tmp_path)
    assert not program.find_judge(tmp_path, quick=True).training


# shares and tables


def test_a_share_has_wilson_s_interval():
    told = tables.share([True] * 8 + [False] * 2)
    assert told["share"] == 0.8 and told["count"] == 10
    assert told["low"] == pytest.approx(0.490, abs=0.001)  # Wilson's for 8 of 10
    assert told["high"] == pytest.approx(0.943, abs=0.001)
    assert tables.share([])["share"] is None


def test_tables_are_markdown():
    rows = [{"what": "dogs", "share": tables.share([True, True])}, {"what": "none", "share": 0.25}]
    lines = tables.markdown({"Things": rows}).splitlines()
    assert lines[0] == "### Things" and lines[2] == "| what | share |"
    assert lines[4] == "| dogs | 1.000 (0.34–1.00, n 2) |" and lines[5] == "| none | 0.250 |"
    assert tables.cell(tables.share([])) == "–"


# scenes and prompts


@pytest.mark.parametrize("two", [None, True])
def test_scenes_are_held_out_and_unseen_where_asked(two):
    seen = material.held_out_scenes(material.PROMPT_SEEDS, 40, two=two)
    assert not any(map(is_unseen, seen)) and material.PROMPT_SEEDS > HELD_OUT
    assert all(map(is_unseen, material.held_out_scenes(material.UNSEEN_SEEDS, 40, True, two)))
    assert not two or all(scene.other for scene in seen)


def test_pictures_are_drawn_from_the_descriptions_as_the_setting_says(tiny, monkeypatch):
    asked = {}

    def draw(pipe, prompts, guidance, steps):
        asked.update(prompts=prompts, guidance=guidance, steps=steps, scheduler=pipe.scheduler)

    monkeypatch.setattr(material.evaluate, "draw", draw)
    own = type(tiny.scheduler)
    for setting, scheduler in ((material.ARTICLE, "PNDM"), (material.FAST, "DPMSolverMultistep")):
        material.draw(tiny, [BALL_AND_CUBE], setting)
        assert asked["prompts"] == [describe(BALL_AND_CUBE)]
        assert type(asked["scheduler"]).__name__ == f"{scheduler}Scheduler"
        assert (asked["steps"], asked["guidance"]) == (setting.steps, setting.guidance)
    assert type(tiny.scheduler) is own


# attributes


def test_attributes_are_counted_where_a_scene_has_them():
    scenes = [asdict(Scene("dog", "park", "red")), asdict(Scene("cat", "park"))]
    wrong = [scenes[0] | {"color": "pink"}, scenes[1] | {"subject": "duck"}]
    shares = judging.attribute_shares(Eyes(wrong), numbered(2), scenes)
    assert shares["subject"]["share"] == 0.5 and shares["place"]["share"] == 1
    assert shares["color"]["share"] == 0 and shares["color"]["count"] == 1
    assert shares["relation"]["count"] == 0
    assert {row["attribute"] for row in judging.unfit(shares)} == {"subject", "color"}


# two things


@pytest.mark.parametrize(
    ("seen", "both", "bound", "leaked", "related"),
    [
        (ASKED, True, True, False, True),
        (asdict(CUBE_AND_BALL), True, True, False, True),
        (seen_as(color="blue", other_color="red"), True, False, True, True),
        (seen_as(color="blue"), True, False, True, True),
        (seen_as(color="green"), True, False, False, True),
        (seen_as(relation="behind"), True, True, False, False),
        (seen_as(other="cone"), False, False, False, False),
        (seen_as(other="ball"), False, False, False, False),
        (seen_as(other="none"), False, False, False, False),
        (asdict(CUBE_AND_BALL) | {"relation": "left of"}, True, True, False, False),
    ],
)
def test_things_colors_and_relations_are_told_apart(seen, both, bound, leaked, related):
    assert two_things.both_seen(ASKED, seen) == both
    assert two_things.bound(ASKED, seen) == bound
    assert two_things.leaked(ASKED, seen) == leaked
    assert two_things.related(ASKED, seen) == related


def test_next_to_is_right_on_either_side_and_unasked_colors_are_free():
    asked = seen_as(relation="next to", other_color=None)
    assert two_things.related(asked, ASKED) and two_things.related(asked, asdict(CUBE_AND_BALL))
    assert not two_things.related(asked, seen_as(relation="behind"))
    assert two_things.bound(asked, seen_as(other_color="pink"))


def test_shares_of_colors_count_only_scenes_with_colors():
    plain = asdict(Scene("dog", "park", other="cat", relation="behind"))
    told = two_things.two_thing_shares([ASKED, plain], [ASKED, plain])
    assert told["both seen"]["count"] == 2 and told["colours bound"]["count"] == 1
    assert told["colours leaked"]["count"] == 1 and told["relation"]["share"] == 1


# CLIP score


def test_own_captions_are_the_diagonal():
    assert matching.own_and_shuffled(np.array([[0.9, 0.1], [0.3, 0.7]])) == pytest.approx(
        (0.8, 0.2)
    )


# distances


def gaussians():
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(2, 5, 5))
    return rng.normal(size=(2, 5)), roots @ roots.mT


def test_the_frechet_distance_of_gaussians_is_the_formula():
    (mean_a, mean_b), (a, b) = gaussians()
    formula = np.square(mean_a - mean_b).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert distances.frechet(mean_a, a, mean_b, b) == pytest.approx(formula)
    assert distances.frechet(mean_a, a, mean_a, a) == pytest.approx(0, abs=1e-9)
    one_wide = distances.frechet(np.zeros(1), np.eye(1) * 4, np.ones(1), np.eye(1) * 9)
    assert one_wide == pytest.approx(1 + (2 - 3) ** 2)


def test_the_frechet_distance_of_samples_nears_that_of_their_gaussians():
    (mean_a, mean_b), (a, b) = gaussians()
    rng = np.random.default_rng(2)
    samples = [rng.multivariate_normal(*g, size=40000) for g in ((mean_a, a), (mean_b, b))]
    exact = distances.frechet(mean_a, a, mean_b, b)
    assert distances.frechet_distance(*samples) == pytest.approx(exact, rel=0.05)


def test_few_pictures_make_a_frechet_distance_larger():
    drawn, one, two = np.random.default_rng(3).normal(size=(3, 240, 20))
    rows = distances.frechet_rows(drawn + 1, one, two)
    assert [row["N"] for row in rows] == [15, 30, 60, 120, 240]
    floors = [row["floor"] for row in rows]
    assert floors == sorted(floors, reverse=True)
    assert rows[-1]["drawn"] == pytest.approx(20, rel=0.2)  # 20 means, each 1 away
    assert rows[-1]["ratio"] == pytest.approx(rows[-1]["drawn"] / floors[-1])


def test_the_mean_distance_is_that_of_all_pairs():
    assert distances.mean_distance(np.array([[0.0, 0], [3, 3], [3, 3]])) == pytest.approx(2)


def test_diversity_compares_pictures_of_one_prompt_only():
    pictures = np.repeat(np.arange(2, dtype=np.uint8), distances.SEEDS)[:, None, None, None]

    class Blind:
        def features(self, pictures):
            return np.tile(np.eye(distances.SEEDS), (2, 1))

    told = distances.differences(type("M", (), {"judge": Blind()}), pictures)
    assert told["pixels"] == 0
    assert told["features"] == pytest.approx(np.sqrt(2 / distances.SEEDS))


# stability


def test_the_ratio_of_identical_latents_is_one_and_of_doubled_ones_two():
    latents = torch.randn(3, 4, 16, 16)
    assert stability.spread_ratios(latents, latents).tolist() == [1.0, 1.0, 1.0]
    assert stability.spread_ratios(2 * latents, latents) == pytest.approx(2 * np.ones(3))


def test_latents_that_are_off_or_not_numbers_are_not_near():
    row = stability.ratio_row(np.array([1.0, 0.95, 1.2, np.nan]))
    assert row["within 10 %"]["share"] == 0.5


def test_the_same_sampler_gives_the_same_latents_and_leaves_the_pipeline_alone(tiny):
    tiny.set_progress_bar_config(disable=True)
    noise = stability.starting_noise(tiny, 2)
    own = tiny.scheduler
    again = [
        stability.final_latents(tiny, ["a wave", "a robot"], noise, "ddim", 3, 2.0)
        for _ in range(2)
    ]
    assert again[0].shape == noise.shape == (2, 4, 16, 16)
    assert stability.spread_ratios(*again).tolist() == [1.0, 1.0] and tiny.scheduler is own


def test_every_picture_starts_from_its_own_noise_whatever_the_count(tiny):
    assert torch.equal(stability.starting_noise(tiny, 3)[:2], stability.starting_noise(tiny, 2))


# texture


def grain(count, seed=0):
    """Pictures of nothing but noise, all different."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def test_a_plain_picture_has_no_detail_and_contrast_counts_squared():
    assert texture.energy(np.full((2, 16, 16, 3), 90, np.uint8)) == pytest.approx(0, abs=1e-12)
    halved = (grain(1) // 2).astype(np.uint8)
    assert texture.energy(grain(1)) / texture.energy(halved) == pytest.approx(4, rel=0.02)


def test_a_fixed_texture_is_found_and_noise_has_none():
    same = np.repeat(grain(1), 20, axis=0)
    assert texture.fixed_texture(same) == pytest.approx(1, abs=1e-4)
    assert texture.fixed_texture(grain(20)) == pytest.approx(1 / 20, rel=0.1)


def test_a_perfect_round_trip_keeps_everything():
    pictures = np.random.default_rng(5).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    pictures[..., :2] //= 2
    near = np.clip(pictures.astype(int) + 1, 0, 255).astype(np.uint8)
    told = texture.round_trip(pictures, near)
    assert told["N"] == 2 and told["detail"] == pytest.approx(1, abs=0.01)
    assert told["PSNR"] == pytest.approx(20 * np.log10(255), abs=0.1) and told["SSIM"] > 0.99


# spread


def two_pictures():
    """A red ball on the left half, once dark and once light; the second one at night."""
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    pictures[0, :, :2, 0], pictures[1, :, :2, 0] = 100, 200
    labels = np.full((2, 4, 4), 2, np.uint8)
    labels[:, :, :2] = 1
    scenes = [asdict(Scene("ball", "park", "red", time=time)) for time in ("day", "night")]
    return Pictures(pictures, labels, labels, 2 * [["ball", "grass"]], ["", ""], scenes)


def test_the_color_of_a_thing_is_that_under_its_mask():
    found = spread.thing_colors(two_pictures(), "red")
    assert found.tolist() == [[100, 0, 0], [200, 0, 0]]
    assert not len(spread.thing_colors(two_pictures(), "blue"))
    assert spread.time_colors(two_pictures(), "night").tolist() == [[100, 0, 0]]


def test_the_spread_of_colors_is_their_distance_from_the_mean():
    told = spread.color_spread(np.array([[100.0, 0, 0], [200, 0, 0]]))
    one, two = rgb2lab(np.array([[100, 0, 0], [200, 0, 0]]) / 255)
    assert told["N"] == 2 and told["mean colour"] == "#960000"
    assert told["ΔE"] == pytest.approx(np.linalg.norm(one - two) / 2)
    assert spread.color_spread(np.array([[9.0, 9, 9]]))["ΔE"] == 0


# the program


@pytest.fixture
def few(tiny, tmp_path, monkeypatch):
    """The tiny model, an untrained judge, and a CLIP that is always right, on two prompts."""
    torch.manual_seed(0)
    monkeypatch.setattr(matching, "similarities", lambda clip, *pairs: torch.eye(2))
    monkeypatch.setattr(stability, "STEPS", 2)
    monkeypatch.setattr(stability, "EXACT_STEPS", 2)
    monkeypatch.setattr(distances, "SEEDS", 2)
    return material.Material(tiny, Judge("world3d").eval(), 2, tmp_path)


def test_every_measure_runs_and_is_written(few, tmp_path, capsys):
    found = program.evaluate(few, list(program.MEASURES), tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert written == {"count": 2} | found
    ddim = [row for rows in found["stability"].values() for row in rows if row["sampler"] == "ddim"]
    assert [row["median"] for row in ddim] == [1.0, 1.0, 1.0]
    styles = {row["style"] for row in next(iter(found["texture"].values()))}
    assert styles <= set(STYLES)
    assert "## two_things" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"), [(["beauty"], "word_spread"), (["--count", "1"], "2 or more")]
)
def test_what_is_measured_is_checked_first(given, told, capsys):
    with pytest.raises(SystemExit):
        program.main(given)
    assert told in capsys.readouterr().err


def test_everything_is_measured_where_nothing_is_named():
    assert program.read_arguments([]).what == list(program.MEASURES)
    assert program.read_arguments(["--quick"]).count == program.QUICK < program.COUNT
