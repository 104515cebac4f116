"""Texts and sounds, each through its own encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from refvos.errors import InputError
from refvos.io.log_mel import examples_per_second
from refvos.models.encoders import encode_modalities
from refvos.structures import Reference
from tests.builders import build_model, make_sample

SIZE, NUM_FRAMES = (64, 96), 5
TEXT = Reference('0', text='the red circle on the left')


def make_sound(seed):
    generator = torch.Generator().manual_seed(seed)
    waveform = torch.randn(5 * 16000, generator=generator)
    return Reference('1', sound=0.1 * waveform)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    model = build_model('configs/mini/mutr_mini_joint.py')
    model.init_weights()
    return model.eval()


def predict(model, references):
    generator = torch.Generator().manual_seed(0)
    video = torch.randint(0, 256, (NUM_FRAMES, 3, *SIZE), generator=generator)
    sample = make_sample(
        np.zeros((NUM_FRAMES, *SIZE), bool), references=references
    )
    batch = {'inputs': [video.to(torch.uint8)], 'data_samples': [sample]}
    return model.test_step(batch)[0].predictions


def test_one_video_is_asked_for_texts_and_sounds(model):
    seen = []
    hook = model.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]))
    )
    sounds = [make_sound(seed) for seed in (1, 2)]
    together = predict(model, [TEXT, *sounds])
    hook.remove()
    assert sum(seen) == NUM_FRAMES
    for prediction, reference in zip(together, [TEXT, *sounds], strict=True):
        (alone,) = predict(model, [reference])
        assert alone.masks == prediction.masks
        assert alone.score == pytest.approx(prediction.score, abs=1e-6)
    # Another sound, another answer.
    assert together[1].score != pytest.approx(together[2].score, abs=1e-6)


def test_sounds_as_samples_or_as_log_mel(model):
    """Both forms of a reference make the same tokens."""

    wave = make_sound(1)
    mel = Reference('1', sound=examples_per_second(wave.sound))
    with torch.no_grad():
        ours, theirs = (
            model.encode_references([each])['sound'].tokens
            for each in (wave, mel)
        )
    # Five seconds and, before them, all of it.
    assert ours.shape == (1, 6, model.embed_dims)
    torch.testing.assert_close(ours, theirs)


def test_a_batch_has_one_kind(model):
    with pytest.raises(InputError) as error:
        model.encode_references([TEXT, make_sound(1)])
    assert str(error.value).startswith(
        "MUTR: references of a batch is 'text and sound'; expected one kind"
    )


@pytest.mark.parametrize(
    ('config', 'reference', 'kind'),
    [
        ('configs/mini/mutr_mini_text.py', make_sound(1), 'sound'),
        ('configs/mini/mutr_mini_sound.py', TEXT, 'text'),
    ],
)
def test_a_modality_that_the_model_has_no_encoder_for(config, reference, kind):
    with pytest.raises(InputError) as error:
        build_model(config).encode_references([reference])
    taken = {'sound': 'text', 'text': 'sound'}[kind]
    assert (
        f"is '{kind}'; expected {taken}, which the model has an encoder for"
    ) in str(error.value)


def test_a_reference_has_one_modality(model):
    both = replace(make_sound(1), text='the red circle')
    with pytest.raises(InputError) as error:
        model.encode_references([both])
    assert str(error.value) == (
        "MUTR: modality of reference '1' is 'text and sound'; expected one of "
        'them: the model takes one modality at a time'
    )


def test_a_reference_without_modality(model):
    with pytest.raises(InputError, match=r"'9' is None; expected text or so"):
        model.encode_references([Reference('9')])


def test_modalities_are_those_with_an_encoder(model):
    assert model.modalities == ('text', 'sound')
    for name in ('text', 'sound'):
        model = build_model(f'configs/mini/mutr_mini_{name}.py')
        assert model.modalities == (name,)


def test_a_batch_where_some_lack_a_modality(model):
    """A missing modality is zeros; the others are as without it."""
    sounds = [make_sound(seed) for seed in (1, 2)]
    both = replace(sounds[1], text='a small green square')
    batch = [TEXT, sounds[0], both]
    with torch.no_grad():
        found = encode_modalities(model.reference_encoders, batch)
        texts = model.text_encoder([TEXT, both])
        heard = model.sound_encoder([sounds[0], both])
    assert list(found) == ['text', 'sound']
    for name, expected, rows, missing in (
        ('text', texts, [0, 2], 1),
        ('sound', heard, [1, 2], 0),
    ):
        tokens = found[name]
        assert tokens.present.tolist() == [i in rows for i in range(3)]
        for field in ('tokens', 'padding_mask', 'positions', 'sentence'):
            ours = getattr(tokens, field)
            assert torch.equal(ours[rows], getattr(expected, field))
        assert not tokens.tokens[missing].any()
        assert not tokens.sentence[missing].any()
        assert tokens.padding_mask[missing].all()
        assert tokens[missing : missing + 1].present.tolist() == [False]
    with pytest.raises(InputError, match=r"'text and sound'; expected one"):
        found.only()


def test_where_all_have_it_nothing_is_missing(model):
    with torch.no_grad():
        found = encode_modalities(model.reference_encoders, [TEXT, TEXT])
    assert list(found) == ['text']
    assert found.only() is found['text'] and found['text'].present is None


def test_a_model_without_encoders_is_refused():
    with pytest.raises(InputError, match='text_encoder and sound_encoder'):
        build_model(
            'configs/mini/mutr_mini_text.py', {'model.text_encoder': None}
        )


@pytest.mark.parametrize('reference', [TEXT, make_sound(1)])
def test_a_batch_trains_its_own_encoder_alone(model, reference):
    """What the other kind needs has no gradient, all else has."""
    model.train()
    masks = np.zeros((2, *SIZE), bool)
    masks[:, 8:30, 20:60] = True
    sample = make_sample(masks, references=[reference])
    inputs = torch.rand(1, 2, 3, *SIZE)
    model.zero_grad()
    losses = model(inputs, [sample], mode='loss')
    sum(losses.values()).backward()
    trained = {
        name.split('.')[0]
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    model.eval()
    own = 'text_encoder' if reference is TEXT else 'sound_encoder'
    other = {'text_encoder', 'sound_encoder'} - {own}
    assert own in trained and not other & trained
    assert {'backbone', 'mta', 'mti', 'fusion', 'mask_head'} <= trained
