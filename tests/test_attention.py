"""Notebook 09: attention is recorded and turned without changing a bit that should stay."""

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor

from course_utils import attention
from course_utils.attention import Maps, RecordingProcessor, recorded, reweighted, word_map
from course_utils.inpaint import iou
from course_utils.models import architecture
from course_utils.pipeline import text_to_image
from course_utils.training import evaluate_attention as evaluation
from course_utils.world import HELD_OUT, sample
from course_utils.world.vocabulary import FLAWS, THINGS

PROMPT = "a small robot on a park bench"
SIZES = {16: 2, 8: 1}  # of the made-up maps: layers at each height


@pytest.fixture
def open_tiny(tiny):
    """The tiny model with diffusers' own open processor; its processors come back afterwards."""
    before = tiny.unet.attn_processors
    tiny.unet.set_attn_processor(AttnProcessor())
    yield tiny
    tiny.unet.set_attn_processor(dict(before))


def latents(pipe, **more) -> Tensor:
    options = {"num_inference_steps": 3, "guidance_scale": 5.0, "output_type": "latent"}
    dice = torch.Generator().manual_seed(3)
    return pipe(PROMPT, generator=dice, **{**options, **more}).images


def made_up(tokens: int = 77) -> Maps:
    """Maps of two resolutions with random shares, two steps, two heads."""
    generator = torch.Generator().manual_seed(0)
    maps = Maps({})
    maps.latents = (16, 16)
    for height, layers in SIZES.items():
        for layer in range(layers):
            one = maps.processors[f"down_blocks.{height}.{layer}"] = RecordingProcessor()
            for _ in range(2):
                scores = torch.rand(2, height * height, tokens, generator=generator)
                one.seen.append(scores.softmax(dim=-1))
    return maps


@pytest.mark.parametrize("more", [{}, {"guidance_scale": 1.0}, {"num_images_per_prompt": 2}])
def test_latents_with_recording_equal_latents_without(open_tiny, more):
    without = latents(open_tiny, **more)
    with recorded(open_tiny), recorded(open_tiny, "self"):
        assert torch.equal(latents(open_tiny, **more), without)
    with reweighted(open_tiny, PROMPT, "robot", 1.0):
        assert torch.equal(latents(open_tiny, **more), without)


def test_the_pocket_model_s_latents_stay_and_are_near_the_fused_kernel_s(pocket):
    def draw():
        dice = torch.Generator().manual_seed(0)
        return text_to_image(pocket, PROMPT, num_inference_steps=2, generator=dice)

    fused, default = draw(), pocket.unet.attn_processors
    with recorded(pocket), recorded(pocket, "self"):
        watched = draw()
    try:
        pocket.unet.set_attn_processor(AttnProcessor())
        theirs = draw()
    finally:
        pocket.unet.set_attn_processor(dict(default))
    assert torch.equal(watched, theirs)
    assert torch.allclose(watched, fused, atol=1e-3)


def mix_up_heads(monkeypatch):
    monkeypatch.setattr(RecordingProcessor, "use", lambda self, probs: probs.flip(1))


def mix_up_the_batch(monkeypatch):
    monkeypatch.setattr(RecordingProcessor, "use", lambda self, probs: probs.flip(0))


@pytest.mark.parametrize("fault", [mix_up_heads, mix_up_the_batch])
def test_a_planted_fault_is_noticed(open_tiny, monkeypatch, fault):
    without = latents(open_tiny)
    fault(monkeypatch)
    with recorded(open_tiny):
        assert not torch.equal(latents(open_tiny), without)


def test_what_is_recorded_is_the_prompt_s_attention(open_tiny):
    """Computed once more from the layer's own input, the prompt's half of the batch."""
    layer = open_tiny.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn2
    given = []
    hook = layer.register_forward_hook(
        lambda module, args, kwargs, out: given.append((args[0], kwargs["encoder_hidden_states"])),
        with_kwargs=True,
    )
    with recorded(open_tiny) as maps:
        latents(open_tiny, num_inference_steps=1)
    hook.remove()
    pixels, tokens = (part[1] for part in given[0])
    q, k = layer.to_q(pixels), layer.to_k(tokens)
    q, k = (part.unflatten(-1, (layer.heads, -1)).transpose(0, 1) for part in (q, k))
    wanted = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
    number = maps.layers(8).index("down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor")
    assert torch.allclose(maps[8][0, number], wanted, atol=1e-6)


def test_maps_have_steps_layers_heads_places_and_tokens(open_tiny):
    with recorded(open_tiny) as maps, recorded(open_tiny, "self") as own:
        latents(open_tiny)
    with recorded(open_tiny, heads=False) as means:
        latents(open_tiny)
    calls = 4  # PNDM asks once more
    assert maps.resolutions == own.resolutions == [8]
    assert maps[8].shape == (calls, 4, 2, 64, 77) and own[8].shape == (calls, 4, 2, 64, 64)
    assert torch.allclose(maps[8].sum(-1), torch.ones(1)) and maps[8].min() >= 0
    assert torch.allclose(means[8], maps[8].mean(dim=2, keepdim=True), atol=1e-6)
    order = [name.split(".")[0] for name in maps.layers(8)]
    assert order == ["down_blocks", "mid_block", "up_blocks", "up_blocks"]


def test_a_picture_that_is_not_square(open_tiny):
    with recorded(open_tiny) as maps:
        latents(open_tiny, height=96, width=160, num_inference_steps=1)
    assert maps.sizes[maps.layers(6)[0]] == (6, 10)
    assert word_map(maps, open_tiny.tokenizer, PROMPT, "robot").shape == (6, 10)


@pytest.mark.parametrize(
    ("places", "size"), [(240, (12, 20)), (60, (6, 10)), (15, (3, 5)), (6, (2, 3))]
)
def test_map_size_halves_as_the_unet_does(places, size):
    assert attention.map_size(places, (12, 20)) == size


def test_map_size_refuses_what_no_level_has():
    with pytest.raises(ValueError, match="no level of 50 places"):
        attention.map_size(50, (12, 20))


@pytest.mark.parametrize(
    "watch", [recorded, lambda pipe: reweighted(pipe, PROMPT, "robot", 0)], ids=["rec", "reweight"]
)
def test_the_old_processors_come_back_after_an_error(tiny, watch):
    before = tiny.unet.attn_processors
    with pytest.raises(RuntimeError, match="oh"), watch(tiny):
        assert tiny.unet.attn_processors != before
        raise RuntimeError("oh")
    assert tiny.unet.attn_processors == before
    assert not tiny.unet._forward_pre_hooks


def test_a_with_block_inside_its_like_is_refused_and_leaves_the_outer_one(tiny):
    with recorded(tiny) as maps:
        inner = dict(tiny.unet.attn_processors)
        with (
            pytest.raises(ValueError, match="leave the other with block"),
            reweighted(tiny, PROMPT, "robot", 2),
        ):
            pass
        with pytest.raises(ValueError, match="leave the other"), recorded(tiny):
            pass
        assert tiny.unet.attn_processors == inner
        latents(tiny, num_inference_steps=1)
    assert maps.resolutions == [8]


def test_words_know_their_tokens(tiny):
    text = "A painting of a flooble, 2 dogs"
    found = dict(attention.words(tiny.tokenizer, text))
    assert found["flooble"] == [5, 6] and found[","] == [7] and found["painting"] == [2]
    places = attention.token_places(tiny.tokenizer, text, "a")
    assert places == [1, 4]
    assert attention.token_places(tiny.tokenizer, text, "A Flooble") == [4, 5, 6]


def test_words_that_are_cut_off_have_no_place(tiny):
    text = "dog " * 75 + "cat"
    assert len(attention.words(tiny.tokenizer, text)) == 75
    with pytest.raises(ValueError, match="no word 'cat'. Its words are: dog.$"):
        attention.token_places(tiny.tokenizer, text, "cat")


def test_a_word_map_adds_tokens_and_averages_the_rest(tiny):
    maps, text = made_up(), "a flooble"
    one = word_map(maps, tiny.tokenizer, text, "flooble", resolution=16)
    assert torch.allclose(one, maps[16][..., [2, 3]].sum(-1).mean((0, 1, 2)).view(16, 16))
    picked = word_map(maps, tiny.tokenizer, text, "a", 16, layer=1, head=0, step=1)
    assert torch.equal(picked, maps[16][1, 1, 0, :, 1].view(16, 16))
    every = word_map(maps, tiny.tokenizer, text, "flooble")
    coarse = word_map(maps, tiny.tokenizer, text, "flooble", resolution=8)
    large = attention.upsampled(coarse, (16, 16))
    assert torch.allclose(every, (2 * one + large) / 3)  # two layers and one
    assert every.min() >= 0 and every.max() <= 1


BAD_MAPS = [
    ({"word": "cat"}, ValueError, "no word 'cat'. Its words are: a, small, robot"),
    ({"word": ""}, ValueError, "no word ''"),
    ({"word": "park robot"}, ValueError, "no word 'park robot'"),
    ({"word": 3}, TypeError, "a prompt is one string, got 3"),
    ({"prompt": [PROMPT]}, TypeError, "a prompt is one string"),
    ({"resolution": 12}, ValueError, "Unknown resolution '12'. Choose one of: 16, 8"),
    ({"head": 0}, ValueError, "say which, resolution=16"),
    ({"layer": 1}, ValueError, "say which"),
    ({"resolution": 16, "head": 2}, ValueError, "head must be one of 0 to 1 here, got 2"),
    ({"resolution": 16, "layer": -1}, ValueError, "layer must be one of 0 to 1 here, got -1"),
    ({"step": 2}, ValueError, "step must be one of 0 to 1 here, got 2"),
    ({"step": 0.5}, ValueError, "step must be one of"),
    ({"maps": Maps({})}, ValueError, "nothing was recorded"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD_MAPS)
def test_a_word_map_that_cannot_be_is_refused_in_one_sentence(tiny, given, error, message):
    options = {"maps": made_up(), "prompt": PROMPT, "word": "robot", **given}
    with pytest.raises(error) as caught:
        word_map(tokenizer=tiny.tokenizer, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"factor": -1}, ValueError, "factor must be 0 or more and finite, got -1"),
        ({"factor": float("nan")}, ValueError, "finite, got nan"),
        ({"factor": float("inf")}, ValueError, "finite, got inf"),
        ({"factor": "2"}, TypeError, "factor must be a number, got '2'"),
        ({"factor": True}, TypeError, "got True"),
        ({"word": "cat"}, ValueError, "no word 'cat'"),
    ],
)
def test_a_bad_turn_is_refused(tiny, given, error, message):
    with (
        pytest.raises(error) as caught,
        reweighted(tiny, PROMPT, **{"word": "a", "factor": 2, **given}),
    ):
        pass
    assert message in str(caught.value)


def test_an_unknown_kind_is_refused(tiny):
    with (
        pytest.raises(ValueError, match="Unknown kind 'both'. Choose one of: cross, self"),
        recorded(tiny, "both"),
    ):
        pass


def test_reweighting_multiplies_one_word_of_the_prompt_s_half():
    probs = torch.rand(4, 2, 9, 77).softmax(dim=-1)
    one = attention.ReweightingProcessor([3, 4], 5.0, guided=True, renormalise=False)
    turned = one.use(probs.clone())
    assert torch.equal(turned[:2], probs[:2])
    assert torch.equal(turned[2:, ..., [3, 4]], 5 * probs[2:, ..., [3, 4]])
    assert torch.equal(turned[2:, ..., 5:], probs[2:, ..., 5:])
    one.guided = False
    assert torch.equal(one.use(probs.clone())[0, ..., [3, 4]], 5 * probs[0, ..., [3, 4]])


def test_renormalising_is_to_add_the_logarithm_before_the_softmax():
    scores = torch.randn(1, 2, 9, 77)
    one = attention.ReweightingProcessor([3, 4], 5.0, guided=False, renormalise=True)
    scores_up = scores.clone()
    scores_up[..., [3, 4]] += torch.tensor(5.0).log()
    assert torch.allclose(one.use(scores.softmax(-1)), scores_up.softmax(-1), atol=1e-6)


def test_a_word_turned_off_is_a_word_not_heard(open_tiny):
    """Only what stands behind the word changes nothing where the word itself is silent."""
    plain = latents(open_tiny)
    with reweighted(open_tiny, PROMPT, "robot", 0):
        silent = latents(open_tiny)
    with reweighted(open_tiny, PROMPT, "robot", 0, echo=True):
        deaf = latents(open_tiny)
    assert not torch.equal(plain, silent) and not torch.equal(silent, deaf)


def test_spreading_takes_the_mean_over_what_is_looked_at():
    one = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    looks = torch.tensor([[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0.25, 0.25, 0.25, 0.25]])
    assert torch.equal(attention.spread(one, looks), torch.tensor([[0.5, 1.0], [0.0, 0.25]]))
    with pytest.raises(ValueError, match="needs looks of"):
        attention.spread(torch.ones(3, 3), looks)


def test_a_mask_is_cut_where_the_map_is_bright():
    one = torch.full((16, 16), 0.01)
    one[4:8, 2:10] = 0.05
    mask = attention.attention_mask(one, (128, 96))  # PIL's order
    assert mask.shape == (96, 128) and mask.dtype == bool
    truth = np.zeros((96, 128), bool)
    truth[24:48, 16:80] = True
    assert iou(mask, truth) > 0.9


@pytest.mark.parametrize("one", [torch.full((4, 4), 0.3), torch.full((4, 4), float("nan"))])
def test_a_map_without_contrast_has_no_mask(one):
    with pytest.raises(ValueError, match="nothing to cut out"):
        attention.attention_mask(one, (32, 32))


def test_looking_at_a_picture(tiny):
    picture = sample(3).picture
    draws = [torch.Generator().manual_seed(n) for n in (0, 0, 1)]
    seen = [attention.look_at(tiny, picture, PROMPT, (100, 500), dice) for dice in draws]
    cross, own = seen[0]
    assert cross[8].shape == (2, 4, 1, 64, 77) and own[8].shape == (2, 4, 1, 64, 64)
    assert torch.equal(cross[8], seen[1][0][8]) and not torch.equal(cross[8], seen[2][0][8])
    looks = attention.who_looks_where(own)
    assert looks.shape == (64, 64) and torch.allclose(looks.sum(-1), torch.ones(64))
    with pytest.raises(ValueError, match="at least one timestep"):
        attention.look_at(tiny, picture, PROMPT, ())
    with pytest.raises(ValueError, match="must be RGB, got L"):
        attention.look_at(tiny, Image.new("L", (128, 128)), PROMPT)


def test_where_the_real_unets_look_at_the_prompt():
    real = architecture("sd-2.1", "unet")
    assert attention.cross_attention(real) == {64: (5, 5), 32: (5, 10), 16: (5, 20), 8: (1, 20)}
    assert attention.cross_attention(architecture("sd-1.5", "unet"))[8] == (1, 8)


def test_what_is_told_of_a_unet_is_what_is_recorded(tiny):
    with recorded(tiny) as maps:
        latents(tiny, num_inference_steps=1)
    told = attention.cross_attention(tiny.unet)
    assert told == {height: maps[height].shape[1:3] for height in maps.resolutions}


def test_things_are_held_out_and_named_in_their_captions(tiny):
    assert evaluation.SEEDS > HELD_OUT + 2_000_000
    for one in evaluation.held_out_things(20):
        assert one.scene.subject in THINGS and one.scene.quality not in FLAWS
        assert attention.token_places(tiny.tokenizer, one.caption, one.scene.subject)


def test_another_word_is_another_one(tiny):
    rng = np.random.default_rng(0)
    caption = "a red ball, in the snow"
    seen = {evaluation.another_word(tiny.tokenizer, caption, "ball", rng) for _ in range(60)}
    assert seen == {"a", "red", "in", "the", "snow"}


def test_attention_finds_the_thing_and_a_random_word_does_not(pocket):
    from course_utils.models import load_segmenter

    found = evaluation.ious(pocket, load_segmenter(), evaluation.held_out_things(8))
    means = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert means["attention"] > 0.5 and means["attention, spread"] > means["attention"]
    assert means["segmenter"] > 0.6 and means["random word"] < 0.4


def test_the_report_shows_every_figure(capsys):
    evaluation.print_report({"attention_pictures": 3, "attention_iou": {"segmenter": 0.8125}})
    told = capsys.readouterr().out
    assert "segmenter" in told and "0.812" in told and "3 held-out" in told
