"""Sound files are read as 16 kHz mono, or refused in one line."""

import numpy as np
import pytest
import torch

from refvos.errors import InputError
from refvos.io import sound_files
from refvos.io.sound_files import fit_sound, read_sound
from tests.test_apis.videos import make_frames, write_mp4

from .sounds import RATE, noise, tone, write_stream, write_wav


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        read_sound(path, **options)
    message = str(caught.value)
    assert '\n' not in message
    return message


def assert_close(waveform, expected, tolerance, edge=200):
    """Compare up to the ends, where a resampler lacks samples."""
    assert waveform.dtype == torch.float32
    assert waveform.shape == expected.shape
    difference = np.abs(waveform.numpy() - expected)
    assert difference[edge : len(difference) - edge].max() < tolerance


# ------------------------------------------------------------------- formats


@pytest.mark.parametrize('suffix', ['wav', 'flac', 'WAV'])
def test_sixteen_bits_are_exact(tmp_path, suffix):
    path = write_wav(tmp_path / f'a.{suffix}', noise(0.3))
    assert (read_sound(path).numpy() == noise(0.3)).all()
    assert (read_sound(str(path)).numpy() == noise(0.3)).all()


def test_channels_are_averaged_before_resampling(tmp_path):
    """8 kHz stereo."""
    left, right = tone(440, 1, 8000), tone(1000, 1, 8000)
    path = write_wav(tmp_path / 'a.wav', np.stack((left, right), 1), 8000)
    expected = (tone(440, 1) + tone(1000, 1)) / 2
    assert_close(read_sound(path), expected, 1e-3)


@pytest.mark.parametrize('subtype', ['PCM_24', 'PCM_U8', 'FLOAT', 'DOUBLE'])
def test_sample_formats(tmp_path, subtype):
    path = write_wav(tmp_path / 'a.wav', tone(440, 0.5), subtype=subtype)
    tolerance = {'PCM_U8': 1 / 128, 'PCM_24': 2**-23}.get(subtype, 1e-7)
    assert_close(read_sound(path), tone(440, 0.5), tolerance, edge=0)


def test_48_khz_loses_frequencies_above_8_khz(tmp_path):
    both = tone(440, 1, 48000) + tone(12000, 1, 48000)
    path = write_wav(tmp_path / 'a.wav', both, 48000)
    assert_close(read_sound(path), tone(440, 1), 2e-3)
    assert_close(read_sound(path, 48000), both, 1e-4)


@pytest.mark.parametrize('rate', [44100, 44099, 22051])
def test_odd_rates(tmp_path, rate):
    """44.099 kHz would need a filter of 700 million numbers."""
    path = write_wav(tmp_path / 'a.wav', tone(440, 1, rate), rate)
    waveform = read_sound(path).numpy()
    assert abs(len(waveform) - RATE) <= 20
    # The frequency, by the number of upward zero crossings.
    upwards = (waveform[:-1] < 0) & (waveform[1:] >= 0)
    assert abs(upwards.sum() - 440) <= 1


@pytest.mark.parametrize(
    ('name', 'codec', 'rate', 'tolerance'),
    [
        ('a.mp4', 'aac', 48000, 0.1),
        ('a.m4a', 'aac', 44100, 0.1),
        ('a.webm', 'libopus', 48000, 0.02),
        ('a.ogg', 'libopus', 48000, 0.02),
        ('a.mp3', 'libmp3lame', 44100, 0.05),
        ('a.mkv', 'pcm_s24le', 8000, 1e-3),
        ('a.b:c.mov', 'pcm_s16le', 16000, 1e-4),
    ],
)
def test_lossy_and_video_formats(tmp_path, name, codec, rate, tolerance):
    stereo = np.stack((tone(440, 1, rate), tone(440, 1, rate) / 2), 1)
    path = write_stream(tmp_path / name, stereo, rate, codec)
    waveform = read_sound(path)
    # Coders round up to their blocks.
    assert RATE <= len(waveform) <= RATE * 1.1
    assert_close(waveform[:RATE], tone(440, 1) * 0.75, tolerance, edge=2000)


def test_a_soundtrack_that_starts_late_and_has_a_gap(tmp_path):
    samples = noise(1.0)[:, None]
    path = write_stream(
        tmp_path / 'a.mkv',
        samples,
        RATE,
        'pcm_s16le',
        starts=(0.5, 2.0),
        with_video=True,
    )
    half = samples[: RATE // 2, 0], samples[RATE // 2 :, 0]
    silence = np.zeros(RATE // 2), np.zeros(RATE)
    expected = np.concatenate((silence[0], half[0], silence[1], half[1]))
    assert (read_sound(path).numpy() == expected).all()
    # Without a video, time begins with the sound.
    alone = write_stream(
        tmp_path / 'b.mkv', samples, RATE, 'pcm_s16le', starts=(0.5,)
    )
    assert (read_sound(alone).numpy() == samples[:, 0]).all()


@pytest.mark.parametrize(
    'starts',
    [
        (0.0,),
        (0.0, 0.5),
        (0.25, 0.75),
        # A gap before the first frame, and one after.
        (0.0, 0.375, 0.625, 1.0),
    ],
)
def test_time_begins_with_the_first_frame(tmp_path, starts):
    """Earlier sound is dropped."""
    samples = noise(1.0)[:, None]
    path = write_stream(
        tmp_path / 'a.mkv',
        samples,
        RATE,
        'pcm_s16le',
        starts=starts,
        with_video=True,
        video_start=0.5,
    )
    parts = np.split(samples[:, 0], len(starts))
    whole = np.zeros(round(starts[-1] * RATE) + len(parts[-1]), np.float32)
    for start, part in zip(starts, parts, strict=True):
        first = round(start * RATE)
        whole[first : first + len(part)] = part
    found = read_sound(path).numpy()
    assert np.array_equal(found, whole[RATE // 2 :])


def test_floats_above_full_scale_are_clipped(tmp_path):
    path = write_wav(tmp_path / 'a.wav', 3 * tone(440, 0.5), subtype='FLOAT')
    expected = np.clip(3 * tone(440, 0.5), -1, 1)
    assert_close(read_sound(path), expected, 1e-6, edge=0)


def test_silence_is_a_sound(tmp_path):
    path = write_wav(tmp_path / 'a.wav', np.zeros((44100, 2)), 44100)
    assert torch.equal(read_sound(path), torch.zeros(RATE))


# ---------------------------------------------------------------- long sounds


@pytest.fixture
def hour_and_second(tmp_path):
    samples = np.zeros(3601 * 1000)
    samples[:2000] = tone(100, 2, 1000)
    return write_wav(tmp_path / 'a.wav', samples, 1000)


def test_more_than_an_hour_is_refused(hour_and_second):
    assert refused(hour_and_second) == (
        f"{hour_and_second}: length in seconds is 'more than 3600'; expected "
        'at most 3600, or max_seconds, to read the start'
    )


def test_only_the_start_is_read(hour_and_second, tmp_path, monkeypatch):
    monkeypatch.setattr(sound_files, 'BLOCK', 500)
    read = []
    for source in (sound_files.SoundFileSource, sound_files.StreamSource):

        def count(self, blocks=source.blocks):
            for block in blocks(self):
                read.append(len(block))
                yield block

        monkeypatch.setattr(source, 'blocks', count)
    waveform = read_sound(hour_and_second, max_seconds=1.2)
    assert_close(waveform, tone(100, 1.2), 1e-3, edge=400)
    assert read == [500, 500, 500]
    read.clear()
    path = write_stream(tmp_path / 'b.mkv', noise(9)[:, None], RATE, 'flac')
    waveform = read_sound(path, max_seconds=1.2)
    assert (waveform.numpy() == noise(9)[: round(1.2 * RATE)]).all()
    # FLAC's own blocks.
    assert sum(read) < 1.2 * RATE + 4 * 4608


def test_max_seconds_beyond_the_end(tmp_path):
    path = write_wav(tmp_path / 'a.wav', noise(0.3))
    assert (read_sound(path, max_seconds=5).numpy() == noise(0.3)).all()
    assert 'max_seconds is 0; expected a number above 0' in refused(
        path, max_seconds=0
    )


def test_integers_stored_as_floats(tmp_path):
    path = write_wav(
        tmp_path / 'a.wav', 32768 * tone(440, 0.5), subtype='FLOAT'
    )
    assert refused(path).startswith(f'{path}: a sample after 0.0 s is ')
    assert refused(path).endswith('expected fractions of full scale, -1 to 1')


# ------------------------------------------------------------------ bad input


def test_video_without_sound(tmp_path):
    path = write_mp4(tmp_path / 'a.mp4', make_frames(2))
    assert refused(path) == (
        f'{path} has no sound track; expected a sound file, or a video file '
        'with sound'
    )


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('kind', ['wav', 'mkv'])
def test_numbers_that_are_not_finite(tmp_path, value, kind):
    samples = noise(3.0)
    samples[int(2.5 * RATE)] = value
    path = tmp_path / f'a.{kind}'
    if kind == 'wav':
        write_wav(path, samples, subtype='FLOAT')
    else:
        write_stream(path, samples[:, None], RATE, 'pcm_f32le')
    line = refused(path)
    assert line.startswith(f'{path}: a sample after ')
    assert f'is {value}; expected finite numbers' in line
    # Samples beyond max_seconds are not checked.
    assert len(read_sound(path, max_seconds=2)) == 2 * RATE


def test_no_samples(tmp_path):
    path = write_wav(tmp_path / 'a.wav', np.zeros(0))
    assert refused(path) == f'{path}: samples is 0; expected at least one'


@pytest.mark.parametrize('name', ['a.wav', 'a.flac', 'a.mp3', 'a.mp4'])
@pytest.mark.parametrize('content', [b'', b'\0' * 4000, b'nonsense' * 300])
def test_no_sound_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    line = refused(path)
    assert line.startswith(f'{path}: content is ')
    assert line.endswith('expected a sound that is whole')


def test_text_is_no_sound(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('not a sound\n' * 100)
    assert 'has no sound track; expected a sound file' in refused(path)


def test_missing_file(tmp_path):
    path = tmp_path / 'no.wav'
    expected = 'expected a sound or video file'
    assert refused(path) == f"{path}: file is 'missing'; {expected}"
    assert refused(tmp_path) == f"{tmp_path}: file is 'a folder'; {expected}"


def test_truncated_files(tmp_path):
    """The rest of a wav is read; an mp4 has lost its index."""
    path = write_wav(tmp_path / 'a.wav', noise(1))
    path.write_bytes(path.read_bytes()[: 44 + RATE])
    assert (read_sound(path).numpy() == noise(1)[: RATE // 2]).all()
    stereo = np.stack((tone(440, 1, 48000),) * 2, 1)
    path = write_stream(tmp_path / 'a.mp4', stereo, 48000, 'aac')
    path.write_bytes(path.read_bytes()[:-300])
    assert refused(path).startswith(f'{path}: content is ')


def test_implausible_sample_rate(tmp_path):
    path = write_wav(tmp_path / 'a.wav', noise(1), 50)
    assert refused(path) == (
        f'{path}: sample rate is 50; expected 1000 to 768000 samples a second'
    )


# ------------------------------------------------------------------- fitting


def test_fit_sound():
    waveform = torch.arange(1, 7.0)
    assert fit_sound(waveform, 1, 4).tolist() == [1, 2, 3, 4]
    assert fit_sound(waveform, 2, 4).tolist() == [1, 2, 3, 4, 5, 6, 0, 0]
    assert fit_sound(waveform, 1.5, 4).tolist() == waveform.tolist()
    assert len(fit_sound(waveform, 5)) == 80000
