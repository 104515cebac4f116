"""A sound as the reference."""

import json
import os

import av
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from refvos.__main__ import main
from refvos.apis import RefVOSInferencer, results
from refvos.apis.sound_cue import find_sound
from refvos.io.sound_files import fit_sound, read_sound
from refvos.visualization import visualizer
from refvos.visualization.overlay import draw_overlay
from refvos.visualization.sound import LOUD

from ..builders import ROOT, SOUND_ENCODER, message_of
from ..test_datasets.sounds import RATE, noise, tone, write_wav
from .conftest import cut_masks_in_half
from .videos import make_frames, write_images, write_mp4

FRAMES = make_frames(8)
FPS = 4
SECONDS = 2
TEXT = 'the red square'


def make_inferencer(folder, with_text):
    """A small MUTR with random weights, from files as a user has them."""
    config = Config.fromfile(ROOT / 'configs/mini/mutr_mini_text.py')
    config.model.sound_encoder = SOUND_ENCODER
    if not with_text:
        config.model.text_encoder = None
    config.test_dataloader.dataset.pipeline.insert(2, dict(type='LoadSound'))
    path = folder / 'config.py'
    config.dump(path)
    torch.manual_seed(0)
    init_default_scope('mmdet')
    model = MODELS.build(config.model)
    model.init_weights()
    torch.nn.init.normal_(model.class_branches[-1].weight)
    sound = torch.from_numpy(tone(440, SECONDS)).float()
    cut_masks_in_half(model, sound)
    weights = folder / 'weights.pth'
    torch.save({'state_dict': model.state_dict()}, weights)
    return RefVOSInferencer(path, weights, 'cpu'), path, weights


@pytest.fixture(scope='module')
def hearing(tmp_path_factory):
    """A model of sounds alone."""
    folder = tmp_path_factory.mktemp('hearing')
    return make_inferencer(folder, with_text=False)[0]


@pytest.fixture(scope='module')
def both(tmp_path_factory):
    """A model of texts and sounds, its config and its weights."""
    return make_inferencer(tmp_path_factory.mktemp('both'), with_text=True)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """Two seconds to see, three to hear: a tone that ends after one."""
    sound = np.concatenate(
        [tone(440, 1, 44100), np.zeros(44100), noise(1, 44100)]
    )
    path = tmp_path_factory.mktemp('video') / 'a.mp4'
    return write_mp4(path, FRAMES, FPS, sound)


def answers(result):
    return [(p.score, p.masks) for p in result.predictions]


def heard(result):
    return result.predictions[-1].reference.sound


# ------------------------------------------------------------------ the sound


def test_the_videos_own_soundtrack(hearing, video):
    result = hearing(video, sound=True)
    (prediction,) = result.predictions
    assert prediction.reference.id == '0'
    assert prediction.reference.text is None
    assert 0 < result.masks(0).mean() < 1
    assert heard(result).shape == (SECONDS * RATE,)
    # The tone, then silence; AAC blurs the border.
    inside = slice(RATE // 5, RATE * 4 // 5)
    first, second = (part[inside] for part in heard(result).split(RATE))
    effective = first.square().mean().sqrt()
    assert effective == pytest.approx(0.5 / 2**0.5, rel=0.02)
    assert second.abs().max() < 0.01
    track = read_sound(video, max_seconds=SECONDS)
    for same in (video, str(video), track, track.numpy().astype(float)):
        assert answers(hearing(video, sound=same)) == answers(result)
    other = hearing(video, sound=torch.from_numpy(noise(2)))
    assert answers(other) != answers(result)


def test_the_sound_is_as_long_as_the_video(hearing, video, tmp_path):
    """Frames over frames a second, wherever both come from."""
    whole = hearing(video, sound=True)
    thinned = hearing(video, sound=True, fps=2)
    assert len(thinned.frame_ids) == 4
    assert torch.equal(heard(thinned), heard(whole))
    names = [f'{i}.png' for i in range(8)]
    write_images(tmp_path / 'images', FRAMES, names)
    wav = write_wav(tmp_path / 'a.wav', noise(5))
    expected = torch.from_numpy(noise(5)).float()
    for fps, seconds in ((None, 8 / 6), (2, 4), (1, 8)):
        result = hearing(tmp_path / 'images', sound=wav, fps=fps)
        assert torch.equal(heard(result), fit_sound(expected, seconds))
    assert heard(result)[5 * RATE :].abs().max() == 0


def test_texts_and_a_sound_are_answered_apart_as_together(both, video):
    inferencer = both[0]
    texts = [TEXT, 'a ring']
    result = inferencer(video, texts, sound=True)
    references = [p.reference for p in result.predictions]
    assert [each.id for each in references] == ['0', '1', '2']
    assert [each.text for each in references] == [*texts, None]
    assert references[0].sound is None
    alone = inferencer(video, texts), inferencer(video, sound=True)
    assert answers(result) == answers(alone[0]) + answers(alone[1])
    assert answers(inferencer(video, TEXT, sound=False)) == answers(result)[:1]


# -------------------------------------------------------------------- windows


def test_one_window_is_the_whole_video(hearing, video, tmp_path):
    sound = read_sound(video)
    whole = hearing(video, None, tmp_path / 'whole', sound=sound)
    parts = hearing(video, None, tmp_path / 'parts', sound=sound, window=8)
    assert parts.predictions[0].masks == whole.predictions[0].masks
    assert torch.equal(heard(parts), heard(whole))
    for name in ('strip.png', 'masks/0_sound/00003.png'):
        one, two = tmp_path / 'whole' / name, tmp_path / 'parts' / name
        assert one.read_bytes() == two.read_bytes()


def test_a_window_hears_its_own_seconds(both):
    """5 frames, 2 of them again: windows begin at frames 0 and 3."""
    inferencer = both[0]
    sound = torch.from_numpy(noise(2)).float()
    stream = inferencer.stream(
        iter(FRAMES), TEXT, window=5, overlap=2, fps=FPS, sound=sound
    )
    streamed = list(stream)
    assert [frame.index for frame in streamed] == list(range(8))
    for start, fresh in ((0, 0), (3, 2)):
        own = sound[start * RATE // FPS :][: 5 * RATE // FPS]
        alone = inferencer(FRAMES[start : start + 5], TEXT, fps=FPS, sound=own)
        for frame in streamed[start + fresh : start + 5]:
            assert torch.equal(frame.references[1].sound, own)
            place = frame.index - start
            assert frame.moment == (place / 5, (place + 1) / 5)
            # With one query there is nothing to choose.
            for index, prediction in enumerate(alone.predictions):
                assert frame.masks[index] == prediction.masks[place]
                assert frame.scores[index] == prediction.score


def test_the_strip_of_windows_marks_each_frame_s_own_part(
    hearing, video, tmp_path, monkeypatch
):
    """Of a video of which not all frames are kept for the strip."""
    marked = []

    def overlay(frame, *args, moment, **kwargs):
        marked.append(moment)
        return draw_overlay(frame, *args, moment=moment, **kwargs)

    monkeypatch.setattr(results, 'MOST_SHOWN', 3)
    monkeypatch.setattr(visualizer, 'draw_overlay', overlay)
    hearing(video, out_dir=tmp_path / 'out', window=4, sound=True)
    # Eight frames, each in its window; then those of the strip.
    assert len(marked) == 8 + 2
    assert marked[8:] == [(0, 1 / 8), (4 / 8, 5 / 8)]


def test_results_in_windows(both, video, tmp_path):
    inferencer = both[0]
    result = inferencer(video, TEXT, tmp_path / 'out', window=4, sound=True)
    folders = sorted(os.listdir(tmp_path / 'out/masks'))
    assert folders == ['0_the-red-square', '1_sound']
    assert len(os.listdir(tmp_path / 'out/masks/1_sound')) == 8
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    kinds = [(p['kind'], p['sound']) for p in content['predictions']]
    assert kinds == [('text', None), ('sound', str(video))]
    assert torch.equal(heard(result), read_sound(video)[: SECONDS * RATE])


# ------------------------------------------------------------------ the files


def test_files(hearing, video, tmp_path):
    wav = write_wav(tmp_path / 'a.wav', tone(300, 2))
    result = hearing(video, out_dir=tmp_path / 'out', sound=str(wav))
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    (entry,) = content['predictions']
    assert entry['kind'] == 'sound' and entry['text'] is None
    assert entry['sound'] == str(wav)
    assert entry['folder'] == 'masks/0_sound'
    assert entry['score'] == result.predictions[0].score
    for frame, mask in enumerate(result.masks(0)):
        png = tmp_path / 'out/masks/0_sound' / f'{frame:05d}.png'
        assert (np.asarray(Image.open(png)) == mask * 255).all()
    # The waveform is below the frames, the part of each frame alight.
    strip = np.asarray(Image.open(tmp_path / 'out/strip.png'))
    alight = (strip == LOUD).all(-1)
    rows = np.flatnonzero(alight.any(1))
    assert rows.min() > 256
    width = (strip.shape[1] + 4) // 6 - 4
    for place, frame in enumerate((0, 1, 3, 4, 6, 7)):
        left = place * (width + 4)
        columns = np.flatnonzero(alight[:, left : left + width].any(0))
        assert columns.min() == pytest.approx(frame / 8 * width, abs=2)
        assert columns.max() == pytest.approx((frame + 1) / 8 * width, abs=3)
    with av.open(str(tmp_path / 'out/overlay.mp4')) as container:
        assert len(list(container.decode(video=0))) == 8


def test_command(both, video, tmp_path, capsys):
    inferencer, config, weights = both
    options = ['--config', str(config), '--checkpoint', str(weights)]
    options += ['--device', 'cpu', '--out-dir', str(tmp_path / 'out')]
    assert main([str(video), *options, '--sound']) == 0
    expected = inferencer(video, sound=True)
    score = expected.predictions[0].score
    printed = capsys.readouterr().out.splitlines()
    assert printed[-3:-1] == ['score  text', f'{score:5.2f}  [sound]']
    wav = write_wav(tmp_path / 'a.wav', noise(2))
    given = ['--text', TEXT, '--sound', str(wav)]
    assert main([str(video), *options, *given]) == 0
    expected = inferencer(video, TEXT, sound=wav)
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    found = [(p['kind'], p['score']) for p in content['predictions']]
    scores = [p.score for p in expected.predictions]
    assert found == list(zip(['text', 'sound'], scores, strict=True))


# ------------------------------------------------------------------ bad input


def test_models_without_the_encoder(inferencer, hearing, video):
    assert message_of(inferencer, video, TEXT, sound=True) == (
        'inferencer: sound is True; expected None: this ReferFormer takes '
        'text only'
    )
    assert message_of(inferencer, video, sound=np.zeros(9)) == (
        "inferencer: sound is 'samples'; expected None: this ReferFormer "
        'takes text only'
    )
    # Before the video is read.
    message = message_of(hearing, 'no-such.mp4', TEXT, sound=True)
    assert message.startswith(
        "MUTR: modality of reference '0' is 'text'; expected sound, which "
    )


def test_videos_without_a_sound(hearing, tmp_path):
    silent = write_mp4(tmp_path / 'a.mp4', FRAMES)
    out_dir = tmp_path / 'out'
    message = message_of(hearing, silent, out_dir=out_dir, sound=True)
    assert message == (
        f'{silent} has no sound track; expected a sound file, or a video '
        'file with sound'
    )
    folder = tmp_path / 'images'
    (image,) = write_images(folder, FRAMES[:1], ['0.png'])
    for source, name in (
        (folder, folder),
        (image, image),
        ([image], 'video'),
        (FRAMES, 'video'),
        (iter(FRAMES), 'video'),
    ):
        expected = (
            f'{name}: sound is True; expected the path of a sound: only a '
            'video file has one of its own'
        )
        assert expected == message_of(
            lambda each: list(hearing.stream(each, sound=True)), source
        )
        if source is not FRAMES:
            continue
        assert message_of(hearing, source, sound=True, window=4) == expected
        assert message_of(hearing, source, sound=True) == expected
    assert not out_dir.exists()


@pytest.mark.parametrize(
    ('sound', 'message'),
    [
        ('no.wav', "no.wav: file is 'missing'; expected a sound or video"),
        (7, 'inferencer: sound is 7; expected True, a path or an array'),
        (
            np.zeros(9, np.int16),
            "sound is 'int16 (9,)'; expected a waveform: floats",
        ),
        (
            torch.zeros(9, dtype=torch.int16),
            "sound is 'torch.int16 (9,)'; expected a waveform: floats",
        ),
        (np.array(['la']), "sound is '<U2 (1,)'; expected a waveform"),
        (np.zeros((), np.float32), "sound is 'float32 ()'; expected a"),
        (torch.zeros(2, 9), "sound is 'torch.float32 (2, 9)'; expected a"),
        (torch.zeros(0), "sound is 'torch.float32 (0,)'"),
        (torch.tensor([0.0, float('nan')]), 'is nan; expected finite'),
        (torch.tensor([0.0, 3000.0]), 'is 3000.0; expected fractions'),
    ],
)
def test_bad_sounds(hearing, sound, message):
    """Before the video is read: there is none."""
    assert message in message_of(hearing, 'no-such.mp4', sound=sound)


@pytest.mark.parametrize(
    'given', [lambda x: x[::-1], lambda x: x.astype('>f8'), np.longdouble]
)
def test_any_array_of_floats(given):
    """Views from behind, foreign byte orders, many digits."""
    samples = noise(0.1).astype(np.float32)
    cue = find_sound(given(samples), None)
    expected = np.ascontiguousarray(given(samples)).astype(np.float32)
    assert cue.samples.dtype == torch.float32
    assert (cue.samples.numpy() == expected).all()


def test_a_sound_that_breaks_off_later(hearing, video, tmp_path):
    """Its begin was sound; it is found out when all of it is read."""
    samples = noise(2)
    samples[RATE:] = np.nan
    wav = write_wav(tmp_path / 'a.wav', samples, subtype='FLOAT')
    message = message_of(hearing, video, out_dir=tmp_path / 'out', sound=wav)
    assert message.startswith(f'{wav}: a sample after')
    assert not (tmp_path / 'out').exists()
