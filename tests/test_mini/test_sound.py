"""RefVOS-Mini: soundtracks, AVSBench's layouts, scenes for motion."""

import csv
import json
import pickle
import wave

import numpy as np
import pytest
import torch
from PIL import Image

from refvos.errors import InputError
from refvos.io.log_mel import examples_per_second
from refvos.io.log_mel_files import read_log_mel
from refvos.io.sound_files import read_sound
from refvos.mini import make_mini, make_video
from refvos.mini.attributes import HELD_OUT, KINDS
from refvos.mini.contact_sheet import draw_contact_sheet
from refvos.mini.scene import draw_scene
from refvos.mini.seconds import SMALLEST_AREA, steady_kinds, times_of_seconds
from refvos.mini.sound import (
    envelope,
    several_sources,
    single_source,
    sounding_mask,
)
from refvos.mini.timbres import SAMPLE_RATE, TIMBRES
from tests.builders import hashes

SHAPE = (64, 96)
MADE = {'train': 3, 'val': 1, 'test': 2, 'frames': 5, 'size': SHAPE}
QUIET = {'workers': 0, 'progress': False}


@pytest.fixture(scope='module')
def videos():
    return {
        split: [make_video(0, split, i, 6, SHAPE, 'sound') for i in range(25)]
        for split in ('train', 'test')
    }


@pytest.fixture(scope='module')
def root(shared_mini):
    return shared_mini(**MADE, layouts=['avsbench-s4', 'avsbench-ms3'])


def spectra(waveform):
    """Mean and deviation of each second's log-mel, (seconds, 128)."""
    sound = torch.from_numpy(waveform / np.abs(waveform).max())
    log_mel = examples_per_second(sound)[:, 0]
    return torch.cat([log_mel.mean(1), log_mel.std(1)], 1).numpy()


# ---------------------------------------------------------------- soundtracks


def test_timbres_differ():
    """The nearest second of another draw is of the same kind."""
    assert set(TIMBRES) == set(KINDS)
    features, kinds = [], []
    for kind, timbre in TIMBRES.items():
        for seed in range(4):
            rng = np.random.default_rng(seed)
            features.append(spectra(timbre(rng, 2 * SAMPLE_RATE)))
            kinds += [(kind, seed)] * 2
    features = np.concatenate(features)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    for row, (kind, seed) in enumerate(kinds):
        others = [i for i, each in enumerate(kinds) if each != (kind, seed)]
        nearest = min(others, key=lambda i: distance[row, i])
        assert kinds[nearest][0] == kind


def test_switching_is_within_the_second_and_without_a_click():
    gain = envelope([False, True, True, False])
    assert gain.shape == (4 * SAMPLE_RATE,)
    one, three = SAMPLE_RATE, 3 * SAMPLE_RATE
    assert (gain[:one] == 0).all() and (gain[three:] == 0).all()
    assert gain[2 * SAMPLE_RATE - 400 : 2 * SAMPLE_RATE + 400] == (
        pytest.approx(1)
    )
    assert np.abs(np.diff(gain)).max() < 0.01
    assert gain.max() == pytest.approx(1)


def test_single_source_is_one_kind_that_is_always_seen(videos):
    for video in videos['train'] + videos['test']:
        soundtrack = single_source(video)
        assert soundtrack.waveform.shape == (5 * SAMPLE_RATE,)
        ((kind,),) = set(soundtrack.sounding)
        rows = [
            row
            for row, item in enumerate(video.scene.objects)
            if item.kind == kind
        ]
        alone = [
            item.kind
            for item in video.scene.objects
            if [o.kind for o in video.scene.objects].count(item.kind) == 1
        ]
        # No other object is of the sounding kind if that is possible.
        assert len(rows) == 1 or not set(alone) & set(
            steady_kinds(video.facts)
        )
        assert any(o.kind != kind for o in video.scene.objects)
        for second, time in enumerate(soundtrack.times):
            mask = sounding_mask(video, soundtrack, second)
            areas = video.facts.areas[rows, time]
            assert mask.sum() == areas.sum() >= SMALLEST_AREA


def test_several_sources_go_on_and_off(videos):
    numbers = set()
    for video in videos['train']:
        soundtrack = several_sources(video)
        present = {item.kind for item in video.scene.objects}
        sounding = {kind for kinds in soundtrack.sounding for kind in kinds}
        assert sounding and sounding <= present
        assert len(set(soundtrack.sounding)) > 1
        numbers |= {len(kinds) for kinds in soundtrack.sounding}
        for second, kinds in enumerate(soundtrack.sounding):
            mask = sounding_mask(video, soundtrack, second)
            ids = video.rendering.ids[soundtrack.times[second]]
            by_id = {int(o.id): o.kind for o in video.scene.objects}
            for id, kind in by_id.items():
                assert (mask[ids == id] == (kind in kinds)).all()
            # Seconds without a source are silent but for the noise.
            piece = soundtrack.waveform.reshape(5, -1)[second] / 32767
            loudness = np.sqrt(np.mean(piece**2))
            assert loudness > 0.03 if kinds else loudness < 0.003
    assert numbers >= {0, 1, 2}


def test_soundtracks_match_their_schedule(videos):
    """With noise, the most similar clip is of the same kind."""
    soundtracks = [
        single_source(video) for part in videos.values() for video in part
    ]
    features = np.stack([spectra(each.waveform)[2] for each in soundtracks])
    kinds = np.array([each.sounding[2][0] for each in soundtracks])
    assert set(kinds) == set(KINDS)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (kinds[distance.argmin(1)] == kinds).all()


def test_the_same_scene_sounds_the_same(videos):
    again = make_video(0, 'train', 3, 6, SHAPE, 'sound')
    for make in (single_source, several_sources):
        one, two = make(videos['train'][3]), make(again)
        assert np.array_equal(one.waveform, two.waveform)
        assert one.sounding == two.sounding
        other = make(videos['train'][4])
        assert not np.array_equal(one.waveform, other.waveform)


def test_frames_of_the_seconds():
    assert times_of_seconds(5) == [0, 1, 2, 3, 4]
    assert times_of_seconds(36) == [0, 9, 18, 26, 35]
    assert times_of_seconds(2) == [0, 0, 0, 1, 1]


@pytest.mark.parametrize('scenes', ['sound', 'one-moves'])
def test_held_out_combinations_stay_held_out(scenes):
    for index in range(15):
        video = make_video(1, 'train', index, 6, SHAPE, scenes)
        found = {item.combination for item in video.scene.objects}
        assert not found & HELD_OUT
        video = make_video(1, 'test', index, 6, SHAPE, scenes)
        assert any(item.unseen for item in video.scene.objects)


# -------------------------------------------------------------------- layouts


def test_s4_layout(root):
    with open(root / 's4_meta_data.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['split'] for row in rows] == [
        *['train'] * 3, 'val', *['test'] * 2
    ]  # fmt: skip
    data = root / 's4_data'
    for row in rows:
        name, group = row['name'], f'{row["split"]}/{row["category"]}'
        numbered = [f'{name}_{number}.png' for number in range(1, 6)]
        masks = numbered[:1] if row['split'] == 'train' else numbered
        for folder, wanted in (
            ('visual_frames', numbered),
            ('gt_masks', masks),
        ):
            found = data / folder / group / name
            assert sorted(path.name for path in found.iterdir()) == wanted
        assert (data / 'audio_wav' / group / f'{name}.wav').is_file()
        assert (data / 'audio_log_mel' / group / f'{name}.pkl').is_file()


def test_files_match_the_scene(root):
    video = make_video(0, 'test', 1, 5, SHAPE, 'sound')
    soundtrack = several_sources(video)
    data = root / 'ms3_data'
    for second in range(5):
        frame = data / f'visual_frames/test_00001/test_00001.mp4_{second + 1}'
        frame = np.asarray(Image.open(f'{frame}.png'))
        assert np.array_equal(frame, video.rendering.frames[second])
        mask = data / f'gt_masks/test/test_00001/test_00001_{second + 1}.png'
        mask = np.asarray(Image.open(mask))
        expected = sounding_mask(video, soundtrack, second)
        assert np.array_equal(mask, 255 * expected)
    with wave.open(str(data / 'audio_wav/test/test_00001.wav')) as file:
        assert file.getparams()[:4] == (1, 2, 16000, 80000)
        samples = np.frombuffer(file.readframes(80000), '<i2')
    assert np.array_equal(samples, soundtrack.waveform)


def test_log_mel_files_are_those_of_the_sounds(root):
    """Pickles as in AVSBench, read by pickle and by read_log_mel."""
    data = root / 'ms3_data'
    path = data / 'audio_log_mel/val/valid_00000.pkl'
    found = pickle.loads(path.read_bytes())
    assert (found.shape, found.dtype) == ((5, 1, 96, 64), torch.float32)
    assert torch.equal(read_log_mel(str(path)), found)
    sound = read_sound(str(data / 'audio_wav/val/valid_00000.wav'))
    torch.testing.assert_close(
        examples_per_second(sound), found, rtol=0, atol=6e-5
    )


def test_sounds_do_not_change_other_layouts(root, tmp_path):
    """Equal bytes, although tensors have other addresses each time."""
    layouts = ['avsbench-ms3', 'ref-youtube-vos', 'avsbench-s4']
    make_mini(tmp_path / 'all', **MADE, **QUIET, layouts=layouts)
    make_mini(tmp_path / 'words', **MADE, **QUIET)
    together = hashes(tmp_path / 'all')
    sounds, words = hashes(root), hashes(tmp_path / 'words')
    for part in (sounds, words):
        for name in ('mini.json', 'contact_sheet.jpg'):
            del part[name]
    assert len(sounds) > 100 and len(words) > 50
    assert {**sounds, **words}.items() <= together.items()
    summary = json.loads((tmp_path / 'words/mini.json').read_text())
    assert 'scenes' not in summary['arguments']


def test_contact_sheet_of_sounds(videos):
    sheet = draw_contact_sheet(videos['test'][:2])
    # Two rows per video of five frames, enlarged twice, with captions.
    assert sheet.shape == (4 * (2 * 64 + 22), 5 * 2 * 96, 3)


# --------------------------------------------------------------------- motion


def test_motion_alone_tells_objects_apart():
    for index in range(20):
        video = make_video(0, 'train', index, 8, SHAPE, 'one-moves')
        objects = video.scene.objects
        assert len(objects) == 2
        for attribute in ('kind', 'colour', 'size', 'fill'):
            assert len({getattr(o, attribute) for o in objects}) == 1
        assert sum(o.motion == 'still' for o in objects) == 1
        assert {e.kind for e in video.expressions} == {'motion'}
        meant = {e.object_id for e in video.expressions}
        assert {o.id for o in objects if o.motion != 'still'} <= meant
        for expression in video.expressions:
            row = expression.description.singled_out(video.facts)
            assert objects[row].id == expression.object_id


def test_most_training_expressions_refer_to_the_moving_object():
    for split, expected in (('train', 0.2), ('test', 1.0)):
        videos = [
            make_video(0, split, index, 6, (48, 64), 'one-moves')
            for index in range(80)
        ]
        still = [
            len({e.object_id for e in video.expressions}) == 2
            for video in videos
        ]
        # Three standard errors.
        error = (expected * (1 - expected) / len(videos)) ** 0.5
        assert abs(np.mean(still) - expected) <= 3 * error


def test_places_do_not_reveal_which_object_moves():
    """If drawn independently, moving objects would be nearer the middle."""
    shares, turned = [], []
    for index in range(600):
        rng = np.random.default_rng((11, index))
        scene = draw_scene(rng, 'train', (96, 128), 8, 'one-moves')
        still, moving = sorted(
            scene.objects, key=lambda o: o.motion != 'still'
        )
        outer = [
            np.abs(np.array(item.path) / (128, 96) - 0.5).max(1)
            for item in (still, moving)
        ]
        shares.append((outer[0] < outer[1]).mean())
        turned.append(np.abs(still.angles[0]) - np.abs(moving.angles).mean())
    # Four standard errors; independent draws gave a share of 0.32.
    assert abs(np.mean(shares) - 0.5) < 4 * np.std(shares) / 600**0.5
    assert abs(np.mean(turned)) < 4 * np.std(turned) / 600**0.5


def test_motion_layout_and_its_arguments(tmp_path):
    summary = make_mini(
        tmp_path / 'set', **{**MADE, **QUIET, 'frames': 6}, scenes='one-moves'
    )
    counts = summary['counts']['train']
    assert counts['motion'] == counts['expressions'] > 0
    assert summary['arguments']['scenes'] == 'one-moves'
    with pytest.raises(InputError, match="scenes is 'sound'; expected one of"):
        make_mini(tmp_path / 'no', **MADE, **QUIET, scenes='sound')
