"""The readers of the project, each with a small file that it reads."""

import hashlib
import io
import json
import pickle
import pickletools
import random
import shutil
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import av
import h5py
import numpy as np
import soundfile
import torch
from mmdet.registry import DATASETS
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from PIL import Image
from scipy.io import savemat

from refvos.apis.results import holds_results
from refvos.apis.video_reader import describe_video, read_video, stream_video
from refvos.datasets.converters.ref_davis17 import convert_ref_davis17
from refvos.datasets.layout import find_benchmarks
from refvos.datasets.mask_check import check_video
from refvos.engine.checkpoint_hook import find_latest_checkpoint
from refvos.engine.checkpoint_options import noted_options
from refvos.errors import InputError
from refvos.io import images
from refvos.io.log_mel_files import read_log_mel
from refvos.io.masks import read_masks
from refvos.io.safe_checkpoint import load_checkpoint_file, read_meta
from refvos.io.sound_cache import SoundCache, pack
from refvos.io.sound_files import read_sound
from refvos.io.video_frames import pixel_aspect_of, read_video_frames
from refvos.io.weights import check_fit, checkpoint_weights, serialize_weights
from refvos.mini import make_mini
from refvos.mini.attributes import FILLS, KINDS
from refvos.mini.make import read_summary
from tests.builders import load_script
from tests.fuzzing.door import Door
from tests.fuzzing.mutations import (
    Mutation,
    damage_bytes,
    damage_json,
    damage_lines,
    damage_mat,
    damage_pickle,
    damage_png,
    damage_safetensors,
    damage_zip,
    either,
)
from tests.test_datasets.folders import WINDOW_STEPS

ANALYZE = load_script('tools/analysis_tools/analyze_results.py')
PUBLISH = load_script('tools/model_converters/publish_model.py')
HEIGHT, WIDTH, FRAMES = 24, 32, 4
RATE = 16000


def try_all(calls: Iterable[Callable[[], object]]) -> None:
    """Call all; raise the first error after the last call.

    Raises:
        InputError: One of them refuses its input.
    """
    refused = None
    for call in calls:
        try:
            call()
        except InputError as error:
            refused = refused or error
    if refused is not None:
        raise refused


# ------------------------------------------------------------------- pictures


def pixels(seed: int = 0) -> np.ndarray:
    """Make smooth noise, (HEIGHT, WIDTH, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(
        0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8
    )
    return coarse.repeat(8, 0).repeat(8, 1)


MOVING = ('moving.gif', 'moving.webp', 'moving.png', 'pages.tif')
IDS = ('ids.png', 'deep.png', 'deep.tif')


def write_pictures(folder: Path) -> None:
    """Write a picture in each format and mode that is read in its own way."""
    picture = Image.fromarray(pixels())
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    for suffix in ('bmp', 'jp2', 'ppm', 'tif', 'webp'):
        picture.save(folder / f'a.{suffix}')
    picture.save(folder / 'a.jpg', exif=exif)
    picture.save(folder / 'progressive.jpg', progressive=True)
    picture.save(folder / 'a.png', exif=exif)
    grey = picture.convert('L')
    ids = Image.fromarray((np.asarray(grey) > 128).astype(np.uint8), 'P')
    ids.putpalette([0, 0, 0, 255, 0, 0])
    ids.save(folder / 'ids.png')
    deep = np.asarray(grey).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / 'deep.png')
    Image.fromarray(deep).save(folder / 'deep.tif', compression='tiff_lzw')
    picture.putalpha(grey)
    picture.save(folder / 'alpha.png')
    pages = [Image.fromarray(pixels(seed)) for seed in range(3)]
    for name in MOVING:
        pages[0].save(
            folder / name, save_all=True, append_images=pages[1:], duration=90
        )


def read_picture(folder: Path, name: str) -> None:
    path = str(folder / name)
    calls: List[Callable[[], object]] = [
        lambda: read_video(path),
        lambda: list(stream_video(path, fps=5)),
        lambda: describe_video(path),
    ]
    if name not in MOVING:
        content = images.read_bytes(path, 'a picture')
        calls += [
            lambda: images.read_image(path),
            lambda: images.read_reduced_image(path, 8),
            lambda: images.image_size(path),
            lambda: images.decode_binary_mask(content, path),
        ]
        if name in IDS:
            calls.append(lambda: images.decode_id_map(content, path))
    try_all(calls)


# ----------------------------------------------------------- videos and sounds

CONTAINERS = {
    'a.mp4': ('libx264', 'aac'),
    'a.mov': ('mjpeg', 'pcm_s16le'),
    'a.webm': ('libvpx-vp9', 'libopus'),
    'a.mkv': ('ffv1', 'flac'),
    'a.avi': ('mpeg4', 'libmp3lame'),
}
SOUND_RATE = 48000


def write_videos(folder: Path) -> None:
    """Write a short video with sound in each container."""
    for name, codecs in CONTAINERS.items():
        write_video(folder / name, *codecs)


def write_video(path: Path, codec: str, sound_codec: str) -> None:
    """Write equal bytes each time: no dates, no random identifiers."""
    options = {'fflags': '+bitexact'}
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream(codec, Fraction(8))
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = {'mjpeg': 'yuvj420p', 'ffv1': 'bgr0'}.get(
            codec, 'yuv420p'
        )
        stream.codec_context.thread_count = 1
        track = container.add_stream(sound_codec, SOUND_RATE)
        track.layout = 'mono'
        for seed in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(pixels(seed), 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        size = SOUND_RATE * FRAMES // 8
        samples = np.sin(np.arange(size) / 20)[None] / 2
        sound = av.AudioFrame.from_ndarray(
            samples.astype(np.float32), 'fltp', 'mono'
        )
        sound.sample_rate, sound.pts = SOUND_RATE, 0
        for part in converted(sound, track):
            container.mux(track.encode(part))
        container.mux(track.encode(None))


def converted(sound: av.AudioFrame, track: Any) -> List[av.AudioFrame]:
    """Convert samples to a codec's format, in frames of its size."""
    resampler = av.AudioResampler(
        format=track.format, layout='mono', rate=SOUND_RATE
    )
    return [*resampler.resample(sound), *resampler.resample(None)]


def read_media(folder: Path, name: str) -> None:
    path = str(folder / name)
    try_all(
        (
            lambda: read_video(path),
            lambda: list(stream_video(path, fps=5)),
            lambda: describe_video(path),
            lambda: read_video_frames(path, [0, 2, 1, 2]),
            lambda: pixel_aspect_of(path),
            lambda: read_sound(path),
            lambda: read_sound(path, max_seconds=0.2),
        )
    )


def write_sounds(folder: Path) -> None:
    """Write a short sound in each format."""
    samples = (np.sin(np.arange(RATE // 4) / 20) / 2).astype(np.float32)
    both = np.stack((samples, samples), 1)
    for name, subtype in (
        ('a.wav', 'PCM_16'),
        ('floats.wav', 'FLOAT'),
        ('a.flac', 'PCM_16'),
        ('a.ogg', 'VORBIS'),
    ):
        soundfile.write(folder / name, both, RATE, subtype)
    for name, codec in (('a.mp3', 'libmp3lame'), ('a.m4a', 'aac')):
        with av.open(
            str(folder / name), 'w', options={'fflags': '+bitexact'}
        ) as container:
            track = container.add_stream(codec, SOUND_RATE)
            track.layout = 'mono'
            sound = av.AudioFrame.from_ndarray(samples[None], 'fltp', 'mono')
            sound.sample_rate, sound.pts = SOUND_RATE, 0
            for part in converted(sound, track):
                container.mux(track.encode(part))
            container.mux(track.encode(None))


def read_sound_file(folder: Path, name: str) -> None:
    path = folder / name
    try_all(
        (
            lambda: read_sound(path),
            lambda: read_sound(path, max_seconds=0.1),
        )
    )


def write_log_mels(folder: Path) -> None:
    """Write log-mel examples in each form that is read."""
    tensor = torch.arange(2.0 * 96 * 64).reshape(2, 1, 96, 64) / 1000
    (folder / 'tensor.pkl').write_bytes(pickle.dumps(tensor))
    (folder / 'array.pkl').write_bytes(pickle.dumps(tensor.numpy()))
    torch.save(tensor, folder / 'saved.pkl')


def read_log_mel_file(folder: Path, name: str) -> None:
    read_log_mel(str(folder / name))


def write_cache(folder: Path) -> None:
    """Write a sound, and the entry of a cache for its features."""
    (folder / 'a.wav').write_bytes(b'')
    (folder / 'entry').write_bytes(pack(torch.zeros(2, 3)))


def read_cache(folder: Path) -> None:
    cache = SoundCache(str(folder))
    source = str(folder / 'a.wav')
    shutil.copy(folder / 'entry', cache.entry(source, {}))
    try:
        cache.get(source, {}, lambda: torch.ones(1))
    finally:
        Path(cache.entry(source, {})).unlink()


# --------------------------------------------------------------- checkpoints


def some_weights() -> Dict[str, torch.Tensor]:
    return {
        'backbone.weight': torch.arange(12.0).reshape(3, 4),
        'backbone.bias': torch.zeros(3, dtype=torch.half),
        'head.count': torch.tensor(3),
    }


def some_checkpoint() -> Dict[str, Any]:
    """Make what mmengine writes while it trains."""
    return {
        'meta': {'epoch': 1, 'iter': 2, 'cfg': 'a = 1', 'seed': 0},
        'state_dict': some_weights(),
        'optimizer': {
            'state': {0: {'step': torch.tensor(1.0)}},
            'param_groups': [{'lr': 0.1, 'betas': (0.9, 0.99)}],
        },
        'message_hub': {
            'log_scalars': {'train/loss': HistoryBuffer([4.0, 2.0], [1, 1])},
            'runtime_info': {'best': np.float64(0.25), 'names': {'a', 'b'}},
        },
    }


def write_checkpoints(folder: Path) -> None:
    """Write a checkpoint in each form."""
    whole = some_checkpoint()
    torch.save(whole, folder / 'epoch_1.pth')
    torch.save(whole, folder / 'old.pth', _use_new_zipfile_serialization=False)
    torch.save(
        {'state_dict': some_weights(), 'epoch': 3},
        folder / 'oldest.pt',
        pickle_protocol=4,
        _use_new_zipfile_serialization=False,
    )
    note = {'model_options': '{"model.num_queries": 5}'}
    for suffix in ('.safetensors', '.pth'):
        content = serialize_weights(some_weights(), note, suffix)
        if suffix == '.safetensors':
            content = in_order(content)
        (folder / f'published{suffix}').write_bytes(content)


def in_order(content: bytes) -> bytes:
    """Sort a safetensors file's notes, which are written in any order."""
    (size,) = struct.unpack('<Q', content[:8])
    header = json.loads(content[8 : 8 + size])
    header['__metadata__'] = dict(sorted(header['__metadata__'].items()))
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + content[8 + size :]


def read_checkpoint(folder: Path, name: str) -> None:
    path = str(folder / name)
    for made in folder.glob('made-*'):
        made.unlink()

    def fit() -> None:
        content = load_checkpoint_file(path)
        weights = checkpoint_weights(content, path)
        noted_options(read_meta(content, path), path)
        check_fit(weights, some_weights(), path)

    try_all(
        (
            fit,
            lambda: CheckpointLoader.load_checkpoint(path),
            lambda: PUBLISH.main(
                [path, str(folder / 'made'), '--half', '--format', 'both']
            ),
        )
    )


def find_checkpoint(folder: Path) -> None:
    find_latest_checkpoint(str(folder))


# ---------------------------------------------------------------- data sets


def write_mini(folder: Path, *layouts: str) -> None:
    make_mini(
        folder, 1, 1, 1, 2, (64, 64), workers=0, layouts=layouts,
        progress=False,
    )  # fmt: skip


TEST_STEPS = [
    {'type': 'LoadFrames'},
    {'type': 'LoadTubes', 'as_rle': True},
    {'type': 'PackRefInputs'},
]
TRAIN_STEPS = [
    {'type': 'SampleClip', 'num_frames': 2},
    {'type': 'LoadFrames'},
    {'type': 'LoadTubes'},
    {'type': 'PackRefInputs'},
]


def read_set(folder: Path, described: Dict[str, Any], steps: Any) -> None:
    """Build a data set, check its videos, and load all of its items."""
    dataset = DATASETS.build(
        {**described, 'data_root': str(folder), 'pipeline': steps}
    )
    named = dataset.named_objects()
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        check_video(item, named.get(item['video_id']))
        dataset.prepare_data(index)


def read_benchmark(
    folder: Path,
    benchmark: str,
    described: Dict[str, Any],
    train: str = '',
    test: str = '',
    window: bool = False,
) -> None:
    """Check a data set's layout, then read it for training and testing."""
    init_default_scope('mmdet')
    calls: List[Callable[[], object]] = [
        partial(find_benchmarks()[benchmark], str(folder))
    ]
    for split, is_test in ((train, False), (test, True)):
        if not split and described['type'] != 'JHMDBSentencesDataset':
            continue
        steps = TEST_STEPS if is_test else TRAIN_STEPS
        options = dict(described, test_mode=is_test)
        if split:
            options['split'] = split
        calls.append(
            partial(
                read_set, folder, options, WINDOW_STEPS if window else steps
            )
        )
    try_all(calls)


def write_ytvos(folder: Path) -> None:
    write_mini(folder, 'ref-youtube-vos')


def read_ytvos(folder: Path) -> None:
    try_all(
        (
            partial(
                read_benchmark,
                folder,
                'ref-youtube-vos',
                {'type': 'RefYouTubeVOSDataset'},
                'train',
                'valid',
            ),
            partial(read_categories, folder),
            partial(read_summary, folder),
        )
    )


def read_categories(folder: Path) -> None:
    init_default_scope('mmdet')
    dataset = DATASETS.build(
        {
            'type': 'CategoryMapsDataset',
            'data_root': str(folder),
            'classes': [f'{f} {k}' for f in FILLS for k in KINDS],
            'pipeline': [{'type': 'LoadCategoryMap'}],
        }
    )
    for index in range(len(dataset)):
        dataset.prepare_data(index)


def write_davis(folder: Path) -> None:
    write_mini(folder, 'ref-davis17')
    davis = folder / 'DAVIS'
    (davis / 'davis_semantics.json').write_text(
        json.dumps(
            {
                name: {'1': 'circle', '2': 'star'}
                for name in (davis / 'ImageSets/2017/val.txt')
                .read_text()
                .split()
            }
        )
    )


def convert_davis(folder: Path) -> None:
    shutil.rmtree(folder / 'converted', ignore_errors=True)
    convert_ref_davis17(folder, folder / 'converted', progress=False)


def write_converted_davis(folder: Path) -> None:
    raw = folder.with_name(f'{folder.name}-raw')
    write_davis(raw)
    convert_ref_davis17(raw, folder, copy=True, progress=False)


def write_a2d(folder: Path) -> None:
    write_mini(folder, 'a2d', 'jhmdb')


def write_mevis(folder: Path) -> None:
    write_mini(folder, 'mevis')


def write_refcoco(folder: Path) -> None:
    write_mini(folder, 'refcoco')


def write_refcoco_pickles(folder: Path) -> None:
    """Leave the authors' form alone, which is the second choice."""
    write_refcoco(folder)
    for file in (folder / 'coco').glob('*/instances_*.json'):
        file.unlink()


def read_refcoco(folder: Path) -> None:
    read_benchmark(
        folder / 'coco',
        'refcoco',
        {'type': 'RefCOCODataset', 'name': 'refcoco'},
        'train',
        'val',
    )


def write_avsbench(folder: Path) -> None:
    write_mini(folder, 'avsbench-s4', 'avsbench-ms3')


# Masks whose readers take a file of their own.
MASK_SHAPE = (HEIGHT, WIDTH)


def write_mask_files(folder: Path) -> None:
    """Write masks as MATLAB and HDF5 have them."""
    masks = np.zeros((*MASK_SHAPE, 3), np.uint8)
    masks[4:9, 5:15] = 1
    for name, packed in (('plain.mat', False), ('packed.mat', True)):
        stream = io.BytesIO()
        savemat(
            stream,
            {'note': 'text', 'part_mask': masks},
            do_compression=packed,
        )
        # Without the date in the header.
        text = b'MATLAB 5.0 MAT-file'.ljust(116)
        (folder / name).write_bytes(text + stream.getvalue()[116:])
    for name, options in (
        ('plain.h5', {}),
        ('packed.h5', {'compression': 'gzip', 'shuffle': True}),
    ):
        with h5py.File(folder / name, 'w') as file:
            file['instance'] = np.array([1, 2])
            file.create_dataset(
                'reMask', data=masks[..., :2].transpose(2, 1, 0), **options
            )


def read_mask_file(folder: Path, name: str) -> None:
    frame = {'frame_id': str(folder), 'ori_shape': MASK_SHAPE}
    if name.endswith('.h5'):
        frame['h5_path'] = str(folder / name)
    else:
        frame.update(mat_path=str(folder / name), mat_index=1)
    read_masks(frame, ['1'])


# ------------------------------------------------------------- other tables


def write_table(folder: Path) -> None:
    """Write a table of tools/test.py --out, and the results of a video."""
    (folder / 'a.csv').write_text(
        'video,reference,text,kind,objects,J,F,J&F\n'
        'v1,0,the red circle,appearance,1,50.0,60.0,55.0\n'
        'v1,1,"the blue, small star",place,1 2,10.5,20.5,15.5\n'
    )
    (folder / 'a.json').write_text(
        '[{"video": "v1", "reference": "0", "text": "the red circle", '
        '"kind": "place", "objects": ["1"], "J": 5.5, "F": 1.5, "J&F": 3.5}]'
    )
    (folder / 'predictions.json').write_text('{"made_by": "refvos"}')


def read_table(folder: Path, name: str) -> None:
    shutil.rmtree(folder / 'made', ignore_errors=True)
    ANALYZE.main([str(folder / name), '--out', str(folder / 'made')])


def read_results(folder: Path) -> None:
    holds_results(folder)


# ----------------------------------------------------------------- all of them


def collect() -> List[Door]:
    """List all doors."""
    doors: List[Door] = []

    def add(
        name: str,
        file: str,
        make: Callable[[Path], object],
        read: Callable[[Path], object],
        *mutations: Mutation,
    ) -> None:
        mutate = either(*mutations) if mutations else damage_bytes
        doors.append(Door(name, file, make, read, mutate))

    for name in (
        *('a.bmp', 'a.jp2', 'a.ppm', 'a.tif', 'a.webp', 'a.jpg'),
        *('progressive.jpg', 'a.png', 'ids.png', 'deep.png', 'deep.tif'),
        *('alpha.png', *MOVING),
    ):
        more = (damage_png, damage_bytes) if name.endswith('.png') else ()
        add(
            f'picture {name}',
            name,
            write_pictures,
            partial(read_picture, name=name),
            *more,
        )
    for name in CONTAINERS:
        read = partial(read_media, name=name)
        add(f'video {name}', name, write_videos, read)
    for name in (
        *('a.wav', 'floats.wav', 'a.flac', 'a.ogg', 'a.mp3', 'a.m4a'),
    ):
        read = partial(read_sound_file, name=name)
        add(f'sound {name}', name, write_sounds, read)
    for name in ('tensor.pkl', 'array.pkl', 'saved.pkl'):
        more = (damage_zip,) if name == 'saved.pkl' else (damage_pickle,)
        read = partial(read_log_mel_file, name=name)
        add(f'log-mel {name}', name, write_log_mels, read, *more, damage_bytes)
    add(
        'cache of sounds', 'entry', write_cache, read_cache,
        damage_features, damage_bytes,
    )  # fmt: skip
    for name, change in (
        ('epoch_1.pth', damage_zip),
        ('old.pth', damage_legacy),
        ('oldest.pt', damage_legacy),
        ('published.safetensors', damage_safetensors),
        ('published.pth', damage_zip),
    ):
        read = partial(read_checkpoint, name=name)
        add(
            f'checkpoint {name}', name, write_checkpoints, read,
            change, change, damage_bytes,
        )  # fmt: skip
    add(
        'newest checkpoint', 'epoch_1.pth', write_checkpoints,
        find_checkpoint, damage_zip, damage_bytes,
    )  # fmt: skip
    for name, change in (
        ('plain.mat', damage_bytes),
        ('packed.mat', damage_mat),
        ('plain.h5', damage_bytes),
        ('packed.h5', damage_bytes),
    ):
        read = partial(read_mask_file, name=name)
        add(f'masks {name}', name, write_mask_files, read, change)
    structured = (damage_json, damage_json, damage_json, damage_bytes)
    lists = 'meta_expressions/{}/meta_expressions.json'
    for name, file in (
        ('expressions', lists.format('train')),
        ('expressions (valid)', lists.format('valid')),
        ('objects', 'train/meta.json'),
        ('summary', 'mini.json'),
    ):
        add(
            f'Ref-YouTube-VOS {name}', file, write_ytvos, read_ytvos,
            *structured,
        )  # fmt: skip
    add(
        'Ref-DAVIS17 texts',
        'davis_text_annotations/Davis17_annot1.txt',
        write_davis,
        convert_davis,
        damage_lines,
        damage_bytes,
    )
    add(
        'Ref-DAVIS17 videos',
        'DAVIS/ImageSets/2017/val.txt',
        write_davis,
        convert_davis,
        damage_lines,
        damage_bytes,
    )
    add(
        'Ref-DAVIS17 categories',
        'DAVIS/davis_semantics.json',
        write_davis,
        convert_davis,
        *structured,
    )
    read_davis = partial(
        read_benchmark,
        benchmark='ref-davis17',
        described={'type': 'RefDAVIS17Dataset'},
        train='train',
        test='valid',
    )
    for name, file in (
        ('expressions', lists.format('valid')),
        ('objects', 'valid/meta.json'),
    ):
        add(
            f'Ref-DAVIS17 {name}', file, write_converted_davis, read_davis,
            *structured,
        )  # fmt: skip
    for name, folder, file in (
        ('expressions', 'train', 'meta_expressions.json'),
        ('masks', 'train', 'mask_dict.json'),
        ('masks (valid)', 'valid_u', 'mask_dict.json'),
    ):
        add(
            f'MeViS {name}',
            f'mevis/{folder}/{file}',
            write_mevis,
            read_mevis,
            *structured,
        )
    add(
        'A2D-Sentences rows',
        'a2d_sentences_single_frame_train_annotations.json',
        write_a2d,
        partial(
            read_benchmark,
            benchmark='a2d-sentences',
            described={'type': 'A2DSentencesDataset'},
            train='train',
            test='test',
            window=True,
        ),
        *structured,
    )
    add(
        'JHMDB-Sentences rows',
        'jhmdb_sentences_samples_metadata.json',
        write_a2d,
        partial(
            read_benchmark,
            benchmark='jhmdb-sentences',
            described={'type': 'JHMDBSentencesDataset'},
            window=True,
        ),
        *structured,
    )
    for split in ('train', 'val'):
        add(
            f'RefCOCO {split}',
            f'coco/refcoco/instances_refcoco_{split}.json',
            write_refcoco,
            read_refcoco,
            *structured,
        )
    add(
        'RefCOCO references',
        'coco/refcoco/refs(unc).p',
        write_refcoco_pickles,
        read_refcoco,
        damage_pickle,
        damage_bytes,
    )
    add(
        'RefCOCO instances',
        'coco/refcoco/instances.json',
        write_refcoco_pickles,
        read_refcoco,
        *structured,
    )
    for subset in ('s4', 'ms3'):
        add(
            f'AVSBench {subset} list',
            f'{subset}_meta_data.csv',
            write_avsbench,
            partial(
                read_benchmark,
                benchmark=f'avsbench-{subset}',
                described={'type': 'AVSBenchDataset', 'subset': subset},
                train='train',
                test='val',
            ),
            damage_lines,
            damage_bytes,
        )
    add(
        'table a.csv', 'a.csv', write_table,
        partial(read_table, name='a.csv'), damage_lines, damage_bytes,
    )  # fmt: skip
    add(
        'table a.json', 'a.json', write_table,
        partial(read_table, name='a.json'), *structured,
    )  # fmt: skip
    add(
        'results of a video', 'predictions.json', write_table, read_results,
        *structured,
    )  # fmt: skip
    return doors


def read_mevis(folder: Path) -> None:
    read_benchmark(
        folder / 'mevis', 'mevis', {'type': 'MeViSDataset'}, 'train', 'valid_u'
    )


def damage_legacy(content: bytes, chance: random.Random) -> bytes:
    """Change one of the pickles that a file before torch 1.6 begins with."""
    ends = []
    stream = io.BytesIO(content)
    for _ in range(5):
        for _ in pickletools.genops(stream):
            pass
        ends.append(stream.tell())
    which = chance.choice((0, 1, 2, 3, 3, 3, 3, 4))
    start = ends[which - 1] if which else 0
    part = damage_pickle(content[start : ends[which]], chance)
    return content[:start] + part + content[ends[which] :]


def damage_features(content: bytes, chance: random.Random) -> bytes:
    """Change features in numpy's form; their digest stays right."""
    size = hashlib.sha256().digest_size
    body = damage_bytes(content[size:], chance)
    return hashlib.sha256(body).digest() + body


DOORS = collect()
