"""Notebook 02: the tokenizer's ids, and the text encoder by hand equals transformers'."""

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel

from course_utils import text
from course_utils.models import architecture

FLOOBLE = [  # the article's own
    (49406, "<|startoftext|>"),
    (320, "a"),
    (3086, "painting"),
    (539, "of"),
    (320, "a"),
    (4062, "floo"),
    (1059, "ble"),
    (49407, "<|endoftext|>"),
]
PROMPT = "a small robot sitting on a park bench"
LONG = "a dog " * 36 + "on a beach in the snow"  # 78 tokens


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def tiny_encoder(request):
    """Random weights; the activations of both generations."""
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        hidden_act=request.param,
        eos_token_id=49407,
    )
    return CLIPTextModel(config).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return text.bundled_tokenizer()


def test_flooble_gives_the_eight_pairs_of_the_article():
    assert text.tokens("A painting of a flooble") == FLOOBLE


@pytest.mark.parametrize("given", [None, 3, ["a dog"], b"a dog"])
def test_what_is_no_string_has_no_tokens(given):
    with pytest.raises(TypeError, match="one string"):
        text.tokens(given)


@pytest.mark.parametrize("prompt", ["", "a dog", PROMPT, LONG, "ünïcode, 🤖!", "  A   Dog "])
def test_ids_equal_those_of_the_tokenizer(prompt, tokenizer):
    theirs = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt")
    assert torch.equal(text.token_ids(prompt), theirs.input_ids)


def test_another_tokenizers_padding_is_kept(tokenizer):
    class PadsWithZero:  # as that of Stable Diffusion 2.1 does
        pad_token_id, model_max_length = 0, 77
        decode = staticmethod(tokenizer.decode)

        def __call__(self, *given, **options):
            return tokenizer(*given, **options)

    ids = text.token_ids("a dog", PadsWithZero())
    assert ids[0, :6].tolist() == [49406, 320, 1929, 49407, 0, 0]


@pytest.mark.parametrize("length", [2, 3, 5, 8, 77])
def test_padding_and_cutting_give_one_length_and_keep_the_end(length):
    ids = [49406, 1, 2, 3, 4, 49407]
    out = text.pad_or_cut(ids, length)
    assert len(out) == length and out[0] == 49406 and 49407 in out
    assert out[1 : min(length, 6) - 1] == ids[1 : min(length, 6) - 1]


def test_there_must_be_room_for_start_and_end():
    with pytest.raises(ValueError, match="room|2 or more"):
        text.pad_or_cut([49406, 49407], 1)


def test_the_lost_words_are_those_beyond_the_75th():
    assert text.lost(PROMPT) == ""
    assert text.lost("dog " * 75) == ""
    assert text.lost("dog " * 75 + "cat") == "cat"
    assert text.lost(LONG) == "in the snow"


def test_embedding_by_hand_equals_transformers(tiny_encoder):
    ids = text.token_ids(PROMPT)
    with torch.no_grad():
        theirs = tiny_encoder.embeddings(input_ids=ids)
    assert torch.equal(text.embed(tiny_encoder, ids), theirs)


def test_the_text_encoder_by_hand_equals_transformers(tiny_encoder):
    ids = torch.cat([text.token_ids(PROMPT), text.token_ids("")])
    with torch.no_grad():
        theirs = tiny_encoder(ids).last_hidden_state
    assert torch.equal(text.encode(tiny_encoder, ids), theirs)


def test_more_tokens_than_places_are_refused(tiny_encoder):
    with pytest.raises(ValueError, match="77 places, got 78"):
        text.embed(tiny_encoder, torch.zeros(1, 78, dtype=torch.int64))


def test_attention_written_out_equals_the_fused_form(tiny_encoder):
    attention = tiny_encoder.encoder.layers[0].self_attn
    x = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weights = text.attention_weights(attention, x)
        v = text.split_heads(attention.v_proj(x), attention.num_heads)
        slow = attention.out_proj((weights @ v).transpose(1, 2).flatten(2))
        assert torch.allclose(slow, text.attend(attention, x), atol=1e-6)
    assert weights.shape == (2, 2, 9, 9)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 2, 9))
    assert torch.equal(weights == 0, ~text.causal_mask(9).expand(2, 2, 9, 9))


def test_a_later_word_never_changes_an_earlier_vector(tiny_encoder):
    a, b = (text.encode(tiny_encoder, text.token_ids(f"a red {end}")) for end in ("ball", "house"))
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.isclose(a[:, 3:], b[:, 3:]).all(dim=-1).any()


def test_influence_runs_forward_only(tiny_encoder):
    matrix = text.influence(tiny_encoder, torch.tensor([[i for i, _ in FLOOBLE]]))
    assert matrix.shape == (8, 8)
    assert torch.equal(matrix > 0, text.causal_mask(8))


def test_a_token_is_known_where_its_embedding_is_not_zero(tiny_encoder):
    table = tiny_encoder.embeddings.token_embedding.weight
    with torch.no_grad():
        kept = table[4062].clone()
        table[4062] = 0
        assert text.known(tiny_encoder, torch.tensor([[320, 4062]])).tolist() == [[True, False]]
        table[4062] = kept


def test_the_cosine_knows_parallel_and_perpendicular():
    a, b = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([[3.0, 0.0], [0.0, 5.0], [-1, 0]])
    assert torch.equal(text.cosine(a, b), torch.tensor([[1.0, 0, -1], [1, 0, -1]]))


def test_a_prompt_is_summed_up_by_its_end_token(tiny_encoder, tokenizer):
    prompts = ["a dog", PROMPT]
    ids = torch.cat([text.token_ids(p) for p in prompts])
    with torch.no_grad():
        theirs = tiny_encoder(ids).pooler_output
    assert torch.equal(text.summary(tiny_encoder, prompts, tokenizer), theirs)


def test_the_stages_hold_every_parameter(tiny_encoder):
    stages = text.stages(tiny_encoder)
    assert [s.name for s in stages] == ["tokens", "embeddings", "layer 1", "layer 2", "normalise"]
    assert sum(s.parameters for s in stages) == sum(p.numel() for p in tiny_encoder.parameters())
    assert stages[0].shape == (1, 77) and stages[-1].shape == (1, 77, 16)


@pytest.mark.parametrize(
    ("model", "layers", "width", "parameters"),
    [("sd-2.1", 23, 1024, 340_387_840), ("sd-1.5", 12, 768, 123_060_480)],
)
def test_the_real_text_encoders_have_the_shapes_of_the_article(model, layers, width, parameters):
    stages = text.stages(architecture(model, "text_encoder"))
    assert stages[-1].shape == (1, 77, width)
    assert len(stages) == layers + 3
    assert sum(s.parameters for s in stages) == parameters
    assert text.stages(architecture(model, "text_encoder"), 8)[-1].shape == (1, 8, width)


def test_our_vectors_are_what_the_pipeline_gives_its_unet(pocket):
    with torch.no_grad():
        theirs, empty = pocket.encode_prompt(PROMPT, "cpu", 1, True)
    for prompt, vectors in ((PROMPT, theirs), ("", empty)):
        ids = text.token_ids(prompt, pocket.tokenizer)
        assert torch.equal(text.encode(pocket.text_encoder, ids), vectors)


def test_unseen_words_are_all_the_same_to_the_bundled_model(pocket):
    tiger, giraffe = (text.token_ids(f"a {word} on a beach") for word in ("tiger", "giraffe"))
    assert not text.known(pocket.text_encoder, torch.stack([tiger, giraffe]))[..., 2].any()
    assert text.known(pocket.text_encoder, text.token_ids(PROMPT)).all()
    assert torch.equal(*(text.encode(pocket.text_encoder, ids) for ids in (tiger, giraffe)))
