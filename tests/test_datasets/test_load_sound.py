"""LoadSound: soundtracks of references, and their cache."""

import math
import multiprocessing
import os
import pickle

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS

from refvos.datasets.transforms import LoadSound, PackRefInputs, SampleClip
from refvos.datasets.transforms import sound as sound_transform
from refvos.errors import InputError
from refvos.io.log_mel import examples_per_second
from refvos.io.sound_cache import SoundCache
from refvos.structures import Reference

from .sounds import RATE, noise, write_wav

SILENCE = torch.full((1, 96, 64), math.log(0.01))


def load(loader=None, references=None, **item):
    """Return the sound of the single reference."""
    references = references or [Reference('0')]
    results = (loader or LoadSound())(dict(item, references=references))
    return results['references'][0].sound


def waveform(seconds):
    return torch.from_numpy(noise(seconds)).float()


@pytest.fixture
def wav(tmp_path):
    return str(write_wav(tmp_path / 'a.wav', noise(5)))


@pytest.fixture
def log_mel(tmp_path):
    """Log-mel examples of the same sound, plus one."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(examples_per_second(waveform(5)) + 1))
    return str(path)


# ------------------------------------------------------------------- loading


def test_one_example_a_second(wav):
    sound = load(sound_path=wav, seconds=5)
    assert sound.shape == (5, 1, 96, 64)
    torch.testing.assert_close(sound, examples_per_second(waveform(5)))
    assert torch.equal(load(sound_path=wav), sound)
    as_waveform = LoadSound(as_waveform=True)
    assert torch.equal(load(as_waveform, sound_path=wav), waveform(5))


def test_sound_is_preferred_to_log_mel(wav, log_mel):
    examples = examples_per_second(waveform(5))
    both = dict(sound_path=wav, log_mel_path=log_mel)
    assert torch.equal(load(**both), examples)
    assert torch.equal(load(log_mel_path=log_mel), examples + 1)
    both['sound_path'] = f'{wav}.gone'
    assert torch.equal(load(**both), examples + 1)


def test_shorter_and_longer_than_the_clip(wav, log_mel):
    whole = examples_per_second(waveform(5))
    for item, expected in (
        (dict(sound_path=wav), whole),
        (dict(log_mel_path=log_mel), whole + 1),
    ):
        sound = load(**item, seconds=7)
        assert torch.equal(sound[:5], expected)
        assert sound.shape == (7, 1, 96, 64)
        assert torch.equal(sound[5:], SILENCE.expand(2, 1, 96, 64))
        sound = load(**item, seconds=2)
        assert sound.shape == (2, 1, 96, 64)
        torch.testing.assert_close(sound, expected[:2])
        # Half a second or more counts as a second.
        assert len(load(**item, seconds=2.5)) == 3
        assert len(load(**item, seconds=2.4)) == 2
    as_waveform = LoadSound(as_waveform=True)
    sound = load(as_waveform, sound_path=wav, seconds=6)
    assert torch.equal(sound[: 5 * RATE], waveform(5))
    assert sound.shape == (6 * RATE,) and not sound[5 * RATE :].any()


def test_silent_soundtrack(tmp_path):
    path = write_wav(tmp_path / 'a.wav', np.zeros(3 * RATE))
    assert torch.equal(
        load(sound_path=str(path)), SILENCE.expand(3, 1, 96, 64)
    )


def test_references_without_a_sound_get_it(wav):
    own = torch.zeros(1, 1, 96, 64)
    given = [
        Reference('0'),
        Reference('1', sound=own),
        Reference('2', text='the dog', object_ids=('7',)),
    ]
    results = LoadSound()(dict(references=given, sound_path=wav))
    filled = results['references']
    assert [reference.id for reference in filled] == ['0', '1', '2']
    assert filled[1] is given[1]
    assert len(filled[0].sound) == len(filled[2].sound) == 5
    assert (filled[2].text, filled[2].object_ids) == ('the dog', ('7',))
    # Other items may share the given references.
    assert given[0].sound is None


def test_items_without_sound_do_not_change():
    given = [Reference('0', text='the dog')]
    results = LoadSound()(dict(references=given, seconds=5))
    assert results == dict(references=given, seconds=5)


def test_a_clip_keeps_the_sound_of_the_whole_video(wav):
    assert TRANSFORMS.get('LoadSound') is LoadSound
    pipeline = Compose(
        [SampleClip(num_frames=3), LoadSound(), PackRefInputs()]
    )
    frames = [
        dict(frame_id=str(i), img=np.zeros((4, 4, 3), np.uint8))
        for i in range(5)
    ]
    for frame in frames:
        frame.update(ori_shape=(4, 4))
    packed = pipeline(
        dict(
            video_id='a',
            frames=frames,
            anchor=None,
            references=[Reference('0')],
            sound_path=wav,
            seconds=5,
        )
    )
    assert packed['inputs'].shape[0] == 3
    (reference,) = packed['data_samples'].references
    torch.testing.assert_close(
        reference.sound, examples_per_second(waveform(5))
    )


def refused(loader=None, **item):
    with pytest.raises(InputError) as caught:
        load(loader, **item)
    return str(caught.value)


def test_bad_input_is_refused(tmp_path, wav, log_mel):
    gone = str(tmp_path / 'gone')
    for loader in (LoadSound(), LoadSound(cache_dir=str(tmp_path / 'cache'))):
        line = refused(loader, sound_path=f'{gone}.wav')
        assert line.startswith(f"{gone}.wav: file is 'missing'")
    line = refused(sound_path=f'{gone}.wav', log_mel_path=f'{gone}.pkl')
    assert line.startswith(f"{gone}.pkl: file is 'missing'")
    for seconds in (0, -1, float('nan'), 1e9):
        line = refused(sound_path=wav, seconds=seconds)
        assert line == (
            f'{wav}: seconds is {seconds}; expected above 0, at most 3600'
        )
    as_waveform = LoadSound(as_waveform=True)
    assert refused(as_waveform, log_mel_path=log_mel) == (
        f'{log_mel}: sound_path is None; expected a sound file: log-mel '
        'examples give no waveform'
    )
    with pytest.raises(InputError, match=r"cache_dir is 'x'; expected None"):
        LoadSound(as_waveform=True, cache_dir='x')


# --------------------------------------------------------------------- cache


@pytest.fixture
def reads(monkeypatch):
    """List the sound files that are read."""
    read = []
    read_sound = sound_transform.read_sound

    def watch(path, *args, **kwargs):
        read.append(os.path.basename(path))
        return read_sound(path, *args, **kwargs)

    monkeypatch.setattr(sound_transform, 'read_sound', watch)
    return read


def test_sounds_are_read_once(tmp_path, wav, reads):
    folder = tmp_path / 'new' / 'cache'
    plain = load(sound_path=wav, seconds=5)
    assert reads == ['a.wav']
    for _ in range(2):
        loader = LoadSound(cache_dir=str(folder))
        assert torch.equal(load(loader, sound_path=wav, seconds=5), plain)
    assert reads == ['a.wav'] * 2
    # Other settings and other files have their own entries.
    assert len(load(loader, sound_path=wav, seconds=3)) == 3
    assert len(load(loader, sound_path=wav)) == 5
    other = str(write_wav(tmp_path / 'b.wav', noise(2)))
    assert len(load(loader, sound_path=other, seconds=5)) == 5
    assert reads == ['a.wav'] * 4 + ['b.wav']
    assert len(os.listdir(folder)) == 4


def test_a_changed_sound_is_read_again(tmp_path, wav, reads):
    loader = LoadSound(cache_dir=str(tmp_path / 'cache'))
    load(loader, sound_path=wav)
    before = os.stat(wav)
    # The same size.
    write_wav(tmp_path / 'a.wav', noise(5)[::-1])
    os.utime(wav, ns=(before.st_atime_ns, before.st_mtime_ns + 1000))
    changed = load(loader, sound_path=wav)
    assert torch.equal(changed, load(sound_path=wav))
    assert reads == ['a.wav'] * 3
    # The same time.
    write_wav(tmp_path / 'a.wav', noise(4))
    os.utime(wav, ns=(before.st_atime_ns, before.st_mtime_ns + 1000))
    assert len(load(loader, sound_path=wav)) == 4


@pytest.mark.parametrize('damage', ['empty', 'cut', 'one bit', 'another'])
def test_damaged_entries_are_computed_again(tmp_path, wav, reads, damage):
    folder = tmp_path / 'cache'
    loader = LoadSound(cache_dir=str(folder))
    plain = load(loader, sound_path=wav)
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    entry.write_bytes(
        {
            'empty': b'',
            'cut': whole[:-100],
            'one bit': bytes(flipped),
            'another': b'\x93NUMPY' * 100,
        }[damage]
    )
    assert torch.equal(load(loader, sound_path=wav), plain)
    assert reads == ['a.wav'] * 2
    assert entry.read_bytes() == whole
    load(loader, sound_path=wav)
    assert reads == ['a.wav'] * 2


def fill(folder, source, barrier, wrong):
    """Request the same entries as other processes at the same time."""
    torch.set_num_threads(1)
    cache = SoundCache(folder)
    for number in range(20):
        barrier.wait()
        found = cache.get(
            source, dict(number=number), lambda n=number: torch.ones(5000) * n
        )
        if not torch.equal(found, torch.ones(5000) * number):
            wrong.value += 1


def test_several_processes_at_once(tmp_path, wav):
    context = multiprocessing.get_context('fork')
    barrier, wrong = context.Barrier(4), context.Value('i', 0)
    folder = str(tmp_path / 'cache')
    workers = [
        context.Process(target=fill, args=(folder, wav, barrier, wrong))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert wrong.value == 0
    assert len(os.listdir(folder)) == 20


def test_folder_that_cannot_be_written(tmp_path, wav):
    (tmp_path / 'file').write_text('')
    folder = str(tmp_path / 'file' / 'cache')
    loader = LoadSound(cache_dir=folder)
    assert refused(loader, sound_path=wav) == (
        f"{folder}: cache folder is 'Not a directory'; expected a folder "
        'that can be written'
    )
