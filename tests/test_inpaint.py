"""Notebook 07: inpainting by hand equals diffusers' pipeline, bit for bit."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image
from test_img2img import NEGATIVE, OTHER, PICTURE, PROMPT, TASK_SCHEDULERS

from course_utils import img2img, inpaint
from course_utils.drawing import make_scheduler
from course_utils.inpaint import composite, iou, mask_tensor, paint_mask
from course_utils.pipeline import decode
from course_utils.world import sample


def box_mask(size=(128, 128), box=(40, 24, 104, 96)) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


MASK, ANOTHER = box_mask(), box_mask(box=(8, 8, 50, 120))
CASES = {
    "from noise": {"prompt": PROMPT, "strength": 1.0},
    "from the picture": {"prompt": PROMPT, "strength": 0.6, "negative_prompt": NEGATIVE},
    "no guidance": {"prompt": PROMPT, "strength": 1.0, "guidance_scale": 1.0},
    "batch": {
        "prompt": [PROMPT, NEGATIVE],
        "image": [PICTURE, OTHER],
        "mask": [MASK, ANOTHER],
        "strength": 0.6,
    },
    "wide": {
        "prompt": PROMPT,
        "image": PICTURE.crop((0, 16, 128, 112)),
        "mask": box_mask((128, 96)),
        "strength": 1.0,
    },
}


def options(case: dict) -> dict:
    given = {"image": PICTURE, "mask": MASK, "num_inference_steps": 6, "guidance_scale": 6.0}
    return {**given, **case, "generator": torch.Generator().manual_seed(5)}


def theirs(pipe, case: dict, output_type: str = "latent"):
    """diffusers' result; it makes every picture square unless it is told not to."""
    given = options(case)
    first = given["image"][0] if isinstance(given["image"], list) else given["image"]
    given["mask_image"] = given.pop("mask")
    return pipe(**given, width=first.width, height=first.height, output_type=output_type).images


@pytest.fixture(scope="session")
def tiny_four(tiny):
    """diffusers' inpainting pipeline around the tiny UNet of four channels."""
    pipe = StableDiffusionInpaintPipeline(**tiny.components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("scheduler", TASK_SCHEDULERS)
@pytest.mark.parametrize("case", CASES)
def test_nine_channels_equal_the_pipeline_s(tiny_inpaint, scheduler, case):
    pipe = tiny_inpaint
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    assert torch.equal(inpaint.inpaint(pipe, **options(CASES[case])), theirs(pipe, CASES[case]))


@pytest.mark.parametrize("scheduler", TASK_SCHEDULERS)
@pytest.mark.parametrize("case", CASES)
def test_four_channels_equal_the_pipeline_s(tiny_four, scheduler, case):
    pipe = tiny_four
    pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    ours = inpaint.inpaint_blended(pipe, **options(CASES[case]))
    assert torch.equal(ours, theirs(pipe, CASES[case]))


def test_the_picture_equals_the_pipeline_s(tiny_inpaint):
    case = CASES["from the picture"]
    ours = decode(tiny_inpaint, inpaint.inpaint(tiny_inpaint, **options(case)))[0]
    assert np.array_equal(np.asarray(ours), np.asarray(theirs(tiny_inpaint, case, "pil")[0]))


def show_the_whole_picture(monkeypatch):
    monkeypatch.setattr(
        inpaint,
        "hole_channels",
        lambda p, x, m, g: torch.cat([inpaint.small(m), img2img.latents(p, x, g)], dim=1),
    )


def swap_the_channels(monkeypatch):
    channels = inpaint.hole_channels
    monkeypatch.setattr(
        inpaint, "hole_channels", lambda p, x, m, g: channels(p, x, m, g).roll(-1, dims=1)
    )


def turn_the_mask_round(monkeypatch):
    mask = inpaint.mask_tensor
    monkeypatch.setattr(inpaint, "mask_tensor", lambda m, size: 1 - mask(m, size))


def encode_without_the_scaling_factor(monkeypatch):
    encode = img2img.latents
    monkeypatch.setattr(inpaint, "latents", lambda p, x, g: 2 * encode(p, x, g))


FAULTS = [
    show_the_whole_picture,
    swap_the_channels,
    turn_the_mask_round,
    encode_without_the_scaling_factor,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(tiny_inpaint, monkeypatch, fault):
    case = CASES["from the picture"]
    fault(monkeypatch)
    assert not torch.equal(
        inpaint.inpaint(tiny_inpaint, **options(case)), theirs(tiny_inpaint, case)
    )


def test_outside_the_mask_the_composite_is_the_picture_itself():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    done = np.asarray(composite(PICTURE, Image.fromarray(noise), MASK))
    hole = np.asarray(MASK) > 0
    assert np.array_equal(done[~hole], np.asarray(PICTURE)[~hole])
    assert np.array_equal(done[hole], noise[hole])
    with pytest.raises(ValueError, match="differ in size"):
        composite(PICTURE, PICTURE.resize((64, 64)), MASK)


HOLE = np.asarray(MASK) > 0
SOFT = np.linspace(0, 1, 128, dtype=np.float32)[None].repeat(128, 0)
GOOD = {
    "PIL, L": (MASK, HOLE),
    "PIL, 1": (MASK.convert("1"), HOLE),
    "array of bool": (HOLE, HOLE),
    "array of uint8": (np.asarray(MASK), HOLE),
    "array of floats": (HOLE.astype(np.float64), HOLE),
    "tensor of floats": (torch.from_numpy(HOLE).float(), HOLE),
    "tensor of bool": (torch.from_numpy(HOLE), HOLE),
    "soft": (SOFT, SOFT >= 0.5),
    "soft, uint8": ((255 * SOFT).astype(np.uint8), (255 * SOFT).astype(np.uint8) >= 128),
    "mirrored": (HOLE[:, ::-1], HOLE[:, ::-1]),
    "all white": (Image.new("L", (128, 128), 255), np.ones((128, 128), bool)),
}


@pytest.mark.parametrize("kind", GOOD)
def test_masks_of_every_kind(kind):
    mask, hole = GOOD[kind]
    tensor = mask_tensor(mask, (128, 128))
    assert tensor.shape == (1, 1, 128, 128) and tensor.dtype == torch.float32
    assert np.array_equal(tensor[0, 0].numpy(), hole.astype(np.float32))


def test_a_mask_of_the_world_is_a_mask():
    drawn = sample(3)
    name, mask = next(iter(drawn.masks.items()))
    assert mask_tensor(mask, drawn.picture.size).sum() == mask.sum(), name


BAD = [
    ({"mask": Image.new("L", (128, 128))}, ValueError, "covers nothing: make white"),
    ({"mask": box_mask((64, 64))}, ValueError, "mask is 64 × 64 pixels, the picture 128 × 128"),
    ({"mask": box_mask((128, 64))}, ValueError, "mask is 128 × 64 pixels"),
    ({"mask": MASK.convert("RGB")}, ValueError, 'must be "L" or "1", got RGB'),
    ({"mask": MASK.convert("RGBA")}, ValueError, "got RGBA"),
    ({"mask": np.zeros((128, 128, 3), np.uint8)}, ValueError, "(H, W), got (128, 128, 3)"),
    ({"mask": np.zeros((128, 128), np.int64)}, ValueError, "bool, uint8 or floats, got int64"),
    ({"mask": HOLE.astype(np.uint8)}, ValueError, "got 0 to 1. Try mask.astype(bool)"),
    ({"mask": paint_mask((128, 128), [(3, [(20, 10), (20, 120)])])}, ValueError, "so thin"),
    ({"mask": HOLE * 255.0}, ValueError, "lie in 0..1, got 0 to 255"),
    ({"mask": HOLE * np.nan}, ValueError, "lie in 0..1, got nan"),
    ({"mask": "the dog"}, TypeError, "got str"),
    ({"mask": None}, TypeError, "got NoneType"),
    ({"mask": [MASK, MASK]}, ValueError, "1 prompts but 2 masks"),
    ({"image": PICTURE.convert("RGBA")}, ValueError, "must be RGB, got RGBA"),
    ({"image": PICTURE.convert("L")}, ValueError, "must be RGB, got L"),
    ({"image": PICTURE.resize((1, 1))}, ValueError, "multiples of 8"),
    ({"strength": 0.0}, ValueError, "leaves none of 6 steps"),
    ({"strength": 2.0}, ValueError, "strength must lie in 0..1"),
    ({"prompt": []}, ValueError, "at least one prompt"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD)
@pytest.mark.parametrize("way", ["inpaint", "inpaint_blended"])
def test_bad_input_gets_one_clear_sentence(tiny_inpaint, tiny_four, way, given, error, message):
    pipe = tiny_inpaint if way == "inpaint" else tiny_four
    pipe.scheduler = make_scheduler("ddim", pipe.scheduler)
    with pytest.raises(error) as caught:
        getattr(inpaint, way)(pipe, **options({"prompt": PROMPT, **given}))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_unet_for_another_loop_is_refused(tiny_inpaint, tiny_four):
    with pytest.raises(ValueError, match=r"takes 4 channels, .* feeds it 9. Try inpaint_blended"):
        inpaint.inpaint(tiny_four, PROMPT, PICTURE, MASK)
    with pytest.raises(ValueError, match=r"takes 9 channels, .* feeds it 4. Try inpaint"):
        inpaint.inpaint_blended(tiny_inpaint, PROMPT, PICTURE, MASK)


@pytest.fixture(scope="session")
def tiny_segmenter():
    """An untrained CLIPSeg of tiny size that still tells words apart."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, CLIPSegProcessor
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    from course_utils.models import Segmenter
    from course_utils.training.text import clip_tokenizer

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2}
    config = CLIPSegConfig(
        text_config=sizes,
        vision_config=sizes | {"image_size": 32, "patch_size": 8},
        projection_dim=8,
        extract_layers=[0, 1],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=8,
    )
    torch.manual_seed(0)
    model = CLIPSegForImageSegmentation(config).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    sees = ViTImageProcessorPil(size={"height": 32, "width": 32})
    return Segmenter(model, CLIPSegProcessor(sees, clip_tokenizer()))


def test_a_dot_is_a_disc():
    rows, columns = np.indices((64, 96))
    disc = (columns - 40) ** 2 + (rows - 30) ** 2 <= 10**2
    painted = np.array(paint_mask((96, 64), [(20, [(40, 30)])])) == 255
    assert painted.shape == disc.shape
    rim = 2 * np.pi * 10  # a pixel or so of it may be rounded either way
    assert (painted != disc).sum() < rim


@pytest.mark.parametrize(
    "old", [PICTURE.convert("L"), PICTURE.convert("RGBA"), OTHER.resize((64, 64))]
)
def test_a_composite_of_other_than_two_rgb_pictures_of_one_size_is_refused(old):
    with pytest.raises(ValueError, match=r"RGB|differ in size"):
        composite(old, PICTURE, MASK)


def test_a_stroke_is_as_wide_as_its_brush_and_round_at_its_ends():
    mask = np.array(paint_mask((128, 128), [(12, [(30, 50), (90, 50)])])) == 255
    assert abs(mask[:, 60].sum() - 12) <= 1
    assert mask[50, 24:97].all() and not mask[50, :23].any() and not mask[50, 98:].any()
    assert not mask[45, 25] and not mask[45, 95]  # the corners of a square end


def test_strokes_add_up_and_nothing_painted_is_an_empty_mask():
    left, right = (8, [(20, 20)]), (8, [(90, 90)])
    both = np.array(paint_mask((128, 128), [left, right]))
    parts = [np.array(paint_mask((128, 128), [one])) for one in (left, right)]
    assert np.array_equal(both, np.maximum(*parts))
    assert paint_mask((16, 8), []).getextrema() == (0, 0)


@pytest.mark.parametrize(
    "stroke",
    [
        (0, [(1, 1)]),
        (0.3, [(1, 1)]),
        (5, []),
        (float("inf"), [(1, 1)]),
        (5, [(1, float("nan"))]),
        (5, [(1, 2, 3)]),
        (5, 1),
        ("thick", [(1, 1)]),
        7,
    ],
)
def test_a_stroke_that_cannot_be_is_refused(stroke):
    with pytest.raises(ValueError, match="at least one point"):
        paint_mask((16, 16), [stroke])


def test_a_mask_from_words_is_the_segmenter_s_answer(tiny_segmenter):
    wide = PICTURE.crop((0, 16, 128, 112))
    dog, cat = (inpaint.mask_from_words(tiny_segmenter, wide, w) for w in ("the dog", "a cat"))
    assert dog.mode == "L" and dog.size == wide.size
    assert set(np.unique(dog)) == {0, 255}
    assert not np.array_equal(np.asarray(dog), np.asarray(cat))
    square = inpaint.mask_from_words(tiny_segmenter, wide.resize((32, 32)), "the dog")
    given = tiny_segmenter.processor(
        text=["the dog"], images=[wide.resize((32, 32))], return_tensors="pt"
    )
    seen = tiny_segmenter.model(**given).logits.view(32, 32) >= 0
    assert np.array_equal(np.asarray(square) > 0, seen.numpy())


@pytest.mark.parametrize(
    ("picture", "words", "message"),
    [
        (PICTURE, "", "must name a thing"),
        (PICTURE, 7, "must name a thing"),
        (PICTURE.convert("L"), "the dog", "must be RGB, got L"),
    ],
)
def test_a_mask_from_words_refuses(tiny_segmenter, picture, words, message):
    with pytest.raises(ValueError, match=message):
        inpaint.mask_from_words(tiny_segmenter, picture, words)


def test_iou_counts_pixels():
    a, b = np.zeros((2, 4, 4), bool)
    assert iou(a, b) == 1.0
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(a, ~a) == 0.0
    assert iou(*(Image.fromarray(np.uint8(255) * mask) for mask in (a, b))) == iou(a, b)
    with pytest.raises(ValueError, match="masks of one size"):
        iou(a, b[:3])
