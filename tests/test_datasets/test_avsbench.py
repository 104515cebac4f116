"""AVSBench: S4 and MS3, layout, items, sounds and bad input."""

import csv
import pickle
import shutil
import wave

import mmdet.datasets  # noqa: F401  (a fork prints a line once)
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as rle_codec

from refvos.datasets import AVSBenchDataset
from refvos.datasets.layout import find_benchmarks
from refvos.datasets.transforms import LoadTubes, PackRefInputs, SampleClip
from refvos.errors import InputError
from refvos.io.log_mel import examples_per_second
from refvos.structures import Reference

from .folders import square

SIZE = (16, 24)
RATE = 16000
PIPELINE = [
    dict(type='LoadSound', as_waveform=True),
    dict(type='LoadFrames'),
    dict(type='LoadTubes'),
    dict(type='PackRefInputs'),
]
TEST_PIPELINE = [
    *PIPELINE[:2],
    dict(type='LoadTubes', as_rle=True),
    dict(type='PackRefInputs'),
]


def mask_of(number):
    """Mask of frame 1 to 5: a square that moves right; none in 4."""
    if number == 4:
        return np.zeros(SIZE, np.uint8)
    return square(SIZE, 2, 2 * number)


def tone(pitch, seconds=5):
    time = np.arange(seconds * RATE) / RATE
    return (0.3 * np.sin(2 * np.pi * pitch * time) * 32767).astype(np.int16)


def write_sound(folder, group, name, pitch, forms=('wav', 'pkl')):
    samples = tone(pitch)
    wav = folder / 'audio_wav' / group / f'{name}.wav'
    log_mel = folder / 'audio_log_mel' / group / f'{name}.pkl'
    for path in (wav, log_mel):
        path.parent.mkdir(parents=True, exist_ok=True)
    if 'wav' in forms:
        with wave.open(str(wav), 'wb') as file:
            file.setparams((1, 2, RATE, 0, 'NONE', ''))
            file.writeframes(samples.tobytes())
    if 'pkl' in forms:
        sound = torch.from_numpy(samples / 32768)
        log_mel.write_bytes(pickle.dumps(examples_per_second(sound)))


def write_clip(folder, frames, masks, name, numbers=range(1, 6), mode='L'):
    """Write frames of grey 10 times their number, and masks of a PNG mode."""
    stem, _ = frames.rsplit('/', 1)
    (folder / stem).mkdir(parents=True)
    (folder / masks).mkdir(parents=True)
    for number in range(1, 6):
        frame = np.full((*SIZE, 3), 10 * number, np.uint8)
        Image.fromarray(frame).save(folder / f'{frames}_{number}.png')
    for number in numbers:
        mask = Image.fromarray(255 * mask_of(number))
        if mode == 'bits':
            mask = Image.fromarray(mask_of(number))
        elif mode == 'P':
            mask = Image.fromarray(mask_of(number), 'P')
            mask.putpalette([0, 0, 0, 128, 0, 0])
        elif mode != 'L':
            mask = mask.convert(mode)
        mask.save(folder / f'{masks}/{name}_{number}.png')


def write_list(path, header, rows):
    with open(path, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([header.split(','), *rows])


S4 = 'name,start,category,split'
S4_ROWS = [
    ('a_0', 0, 'dog', 'train'),
    ('b_5', 5, 'dog', 'train'),
    ('c_0', 0, 'cat', 'train'),
    ('d_0', 0, 'cat', 'test'),
]


@pytest.fixture
def s4(tmp_path):
    folder = tmp_path / 's4_data'
    for pitch, (name, _, category, split) in enumerate(S4_ROWS, 2):
        group = f'{split}/{category}'
        numbers = [1] if split == 'train' else range(1, 6)
        frames = f'visual_frames/{group}/{name}/{name}'
        write_clip(folder, frames, f'gt_masks/{group}/{name}', name, numbers)
        write_sound(folder, group, name, 100 * pitch)
    write_list(tmp_path / 's4_meta_data.csv', S4, S4_ROWS)
    return tmp_path


@pytest.fixture
def ms3(tmp_path):
    folder = tmp_path / 'ms3_data'
    rows = []
    for name, mode in (('v', 'P'), ('w', 'RGB'), ('x', 'bits'), ('y', '1')):
        frames = f'visual_frames/{name}/{name}.mp4'
        write_clip(folder, frames, f'gt_masks/val/{name}', name, mode=mode)
        write_sound(folder, 'val', name, 300)
        rows.append((name, 'val'))
    write_list(tmp_path / 'ms3_meta_data.csv', 'video_id,split', rows)
    return tmp_path


def pitch_of(reference):
    """Frequency of a tone of 5 seconds, in Hz."""
    spectrum = torch.fft.rfft(reference.sound).abs()
    return int(spectrum.argmax()) / 5


def gt_masks(sample):
    """Ground truth of the five frames, (5, H, W); None is empty."""
    tube = sample.gt_tubes['1']
    empty = np.zeros(SIZE, np.uint8)
    return np.stack(
        [empty if r is None else rle_codec.decode(r) for r in tube]
    )


# ------------------------------------------------------------------- reading


def test_s4_training_has_the_first_mask(s4):
    data = AVSBenchDataset(str(s4), 's4', 'train', pipeline=PIPELINE)
    assert len(data) == 3
    item = data[1]
    sample = item['data_samples']
    assert sample.video_id == 'b_5'
    assert item['inputs'].shape == (5, 3, *SIZE)
    # All five frames, in order; one has ground truth.
    assert item['inputs'][:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50]
    assert sample.gt_labelled == [True, False, False, False, False]
    assert [len(frame.gt_instances) for frame in sample] == [1, 0, 0, 0, 0]
    mask = sample.video_data_samples[0].gt_instances.masks.masks[0]
    assert np.array_equal(mask, mask_of(1))
    (reference,) = sample.references
    assert (reference.id, reference.text, reference.cue) == ('0', None, None)
    assert reference.sound.shape == (5 * RATE,)
    assert pitch_of(reference) == 300


def test_s4_test_has_all_masks(s4):
    data = AVSBenchDataset(
        str(s4), 's4', 'test', test_mode=True, pipeline=TEST_PIPELINE
    )
    (sample,) = (item['data_samples'] for item in data)
    assert 'gt_labelled' not in sample
    assert sample.frame_ids == ['1', '2', '3', '4', '5']
    assert np.array_equal(gt_masks(sample), [mask_of(i) for i in range(1, 6)])
    assert pitch_of(sample.references[0]) == 500


def test_ms3_reads_masks_of_any_mode(ms3):
    """The name is in the first column, whatever its header."""
    data = AVSBenchDataset(
        str(ms3), 'ms3', 'val', test_mode=True, pipeline=TEST_PIPELINE
    )
    samples = [item['data_samples'] for item in data]
    assert [sample.video_id for sample in samples] == ['v', 'w', 'x', 'y']
    for sample in samples:
        assert np.array_equal(
            gt_masks(sample), [mask_of(i) for i in range(1, 6)]
        )
    training = AVSBenchDataset(str(ms3), 'ms3', 'val', pipeline=PIPELINE)
    sample = training[0]['data_samples']
    assert 'gt_labelled' not in sample
    # Nothing sounds in the fourth second, which is labelled.
    assert [len(frame.gt_instances) for frame in sample] == [1, 1, 1, 0, 1]


def test_shorter_clips_keep_the_labelled_frame(s4):
    steps = [dict(type='SampleClip', num_frames=3), *PIPELINE]
    data = AVSBenchDataset(str(s4), 's4', 'train', pipeline=steps)
    for _ in range(5):
        item = data[0]
        sample = item['data_samples']
        # The first frame occurs once or more; no other frame is labelled.
        assert item['inputs'].shape[0] == 3
        assert sample.frame_ids[0] == '1'
        assert sample.gt_labelled == [i == '1' for i in sample.frame_ids]


def test_clip_without_a_labelled_frame_is_replaced():
    frame = {'img': np.zeros((*SIZE, 3), np.uint8), 'ori_shape': SIZE}
    results = {
        'frames': [dict(frame, labelled=False, frame_id='2')],
        'references': [Reference('0', object_ids=('1',))],
        'labels': {},
    }
    assert LoadTubes().transform(results) is None


def test_sound_forms(s4):
    log_mel = s4 / 's4_data/audio_log_mel/test/cat/d_0.pkl'
    wav = s4 / 's4_data/audio_wav/test/cat/d_0.wav'

    def sound_files(form):
        data = AVSBenchDataset(
            str(s4), 's4', 'test', sound_form=form, test_mode=True
        )
        info = data.get_data_info(0)
        assert info['seconds'] == 5
        return info.get('sound_path'), info.get('log_mel_path')

    assert sound_files('auto') == (str(wav), None)
    assert sound_files('wav') == (str(wav), None)
    assert sound_files('log_mel') == (None, str(log_mel))
    wav.unlink()
    assert sound_files('auto') == (None, str(log_mel))
    steps = [dict(type='LoadSound'), *TEST_PIPELINE[1:]]
    data = AVSBenchDataset(
        str(s4), 's4', 'test', test_mode=True, pipeline=steps
    )
    (reference,) = data[0]['data_samples'].references
    assert reference.sound.shape == (5, 1, 96, 64)
    log_mel.unlink()
    expected = rf'{wav}: file is .missing.; .* row 3 of .*{log_mel}'
    with pytest.raises(InputError, match=expected):
        sound_files('auto')


def test_sounds_with_their_category(s4):
    """Inputs and labels of a sound classifier."""
    steps = [
        dict(type='LoadSound'),
        dict(type='PackSoundCategory', classes=['cat', 'dog']),
    ]
    data = AVSBenchDataset(str(s4), 's4', 'train', pipeline=steps)
    assert [item['labels'] for item in data] == [
        ['cat', 'dog'].index(category)
        for *_, category, split in S4_ROWS
        if split == 'train'
    ]
    assert data[0]['inputs'].shape == (5, 1, 96, 64)
    steps[1]['classes'] = ['dog']
    data = AVSBenchDataset(str(s4), 's4', 'test', pipeline=steps)
    message = "clip 'd_0': category is 'cat'; expected one of"
    with pytest.raises(InputError, match=message):
        data[0]


def test_wrong_sounds_are_of_another_category(s4, ms3, logged):
    data = AVSBenchDataset(
        str(s4), 's4', 'train', wrong_references=True, pipeline=PIPELINE
    )
    # dog, dog, cat: the next of another category, cyclically.
    pitches = [pitch_of(i['data_samples'].references[0]) for i in data]
    assert pitches == [400, 400, 200]
    # The ground truth does not change.
    assert [i['data_samples'].video_id for i in data] == ['a_0', 'b_5', 'c_0']
    with pytest.raises(InputError, match='a reference that can be used'):
        AVSBenchDataset(str(s4), 's4', 'test', wrong_references=True)
    assert 'row 3' in logged[0] and 'take the sound from' in logged[0]
    data = AVSBenchDataset(str(ms3), 'ms3', 'val', wrong_references=True)
    infos = [data.get_data_info(i) for i in range(4)]
    names = [info['sound_path'].rpartition('/')[2] for info in infos]
    assert names == ['w.wav', 'x.wav', 'y.wav', 'v.wav']


# ------------------------------------------------------------------ bad input


def test_unusable_rows_are_left_out_with_one_warning(s4, logged):
    rows = [
        *S4_ROWS,
        ('e', 0, 'cat', 'trian'),
        ('', 0, 'cat', 'train'),
        ('f', 0, ' ', 'train'),
        ('g',),
    ]
    write_list(s4 / 's4_meta_data.csv', S4, rows)
    assert len(AVSBenchDataset(str(s4), 's4', 'train')) == 3
    (message,) = logged
    assert 'left out 4' in message
    assert all(f'row {number} is' in message for number in (4, 5, 6, 7))


@pytest.mark.parametrize(
    'content, message',
    [
        (None, "file is 'missing'"),
        (b'name,split\na,train\n', 'columns is .*; expected category'),
        (b'name,category\na,dog\n', 'columns is .*; expected split'),
        (b'\xff\xfe\x00n', 'expected a CSV file in UTF-8'),
        (b'name,category,split\n', 'a reference that can be used'),
    ],
)
def test_broken_lists_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / 's4_meta_data.csv').write_bytes(content)
    with pytest.raises(InputError, match=message):
        AVSBenchDataset(str(tmp_path), 's4', 'train')


@pytest.mark.parametrize(
    'field, value',
    [('subset', 's5'), ('split', 'valid'), ('sound_form', 'mp3')],
)
def test_unknown_choices(tmp_path, field, value):
    chosen = {'subset': 's4', 'split': 'train', field: value}
    with pytest.raises(InputError, match=f'{field} is .{value}.; expected'):
        AVSBenchDataset(str(tmp_path), **chosen)


@pytest.mark.parametrize(
    'path, message',
    [
        ('visual_frames/test/cat/d_0/d_0_3.png', 'expected a frame'),
        ('gt_masks/test/cat/d_0/d_0_3.png', 'expected a mask'),
    ],
)
def test_missing_and_broken_files_are_named(s4, path, message):
    data = AVSBenchDataset(
        str(s4), 's4', 'test', test_mode=True, pipeline=TEST_PIPELINE
    )
    file = s4 / 's4_data' / path
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=f'{path}: content is .*whole image'):
        data[0]
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(file)
    with pytest.raises(InputError, match=f'{path}: size'):
        data[0]
    file.unlink()
    with pytest.raises(InputError, match=f'{path}: file .*{message}'):
        data[0]


def test_check_layout(s4, ms3):
    checks = find_benchmarks()
    assert checks['avsbench-s4'](str(s4)) == []
    assert checks['avsbench-ms3'](str(ms3)) == []
    folder = s4 / 's4_data'
    # A log-mel file is enough, and training needs the first mask only.
    (folder / 'audio_wav/train/dog/a_0.wav').unlink()
    assert checks['avsbench-s4'](str(s4)) == []
    (folder / 'audio_log_mel/train/dog/a_0.pkl').unlink()
    (folder / 'gt_masks/train/dog/a_0/a_0_1.png').unlink()
    (folder / 'gt_masks/test/cat/d_0/d_0_5.png').unlink()
    shutil.rmtree(folder / 'visual_frames/train/cat/c_0')
    assert checks['avsbench-s4'](str(s4)) == [
        f'{folder}/gt_masks/train/dog/a_0/a_0_1.png: one of 1 missing of 1 '
        'masks of the clip',
        f'{folder}/audio_wav/train/dog/a_0.wav: sound of the clip, or '
        f'{folder}/audio_log_mel/train/dog/a_0.pkl',
        f'{folder}/visual_frames/train/cat/c_0: folder with 5 frames of the '
        'clip',
        f'{folder}/gt_masks/test/cat/d_0/d_0_5.png: one of 1 missing of 5 '
        'masks of the clip',
    ]
    assert checks['avsbench-ms3'](str(folder)) == [
        f'{folder}/ms3_meta_data.csv: file of the published data set'
    ]


def test_transforms_keep_labels_with_their_frames():
    """SampleClip copies frames together with their labels."""
    frames = [{'labelled': False, 'frame_id': str(i)} for i in range(5)]
    frames[0] = {'frame_id': '0'}
    chosen = SampleClip(num_frames=4).transform(
        {'frames': frames, 'anchor': 0}
    )['frames']
    for frame in chosen:
        assert frame.get('labelled', True) == (frame['frame_id'] == '0')
        frame['img'] = np.zeros((*SIZE, 3), np.uint8)
        frame['ori_shape'] = SIZE
    packed = PackRefInputs().transform(
        {'frames': chosen, 'references': [], 'video_id': 'v'}
    )
    labels = packed['data_samples'].gt_labelled
    assert labels == [frame['frame_id'] == '0' for frame in chosen]
