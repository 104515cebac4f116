"""What the fuzzing found, made small: each is refused, or done again."""

import hashlib
import json
import re
import zipfile

import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope

from refvos.apis.results import holds_results
from refvos.datasets.converters.ref_davis17 import (
    convert_ref_davis17,
    read_categories,
)
from refvos.engine.checkpoint_hook import find_latest_checkpoint
from refvos.engine.checkpoint_options import noted_options
from refvos.errors import InputError
from refvos.io.log_mel_files import read_log_mel
from refvos.io.sound_cache import SoundCache
from refvos.io.video_frames import index_video
from refvos.mini.make import read_summary

DEEP = '[' * 100_000 + ']' * 100_000


@pytest.mark.parametrize(
    'header',
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
        b"{'descr': '<f4', 'other': False, 'shape': (2, 3)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1 << 60,)}",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<U4', 'fortran_order': False, 'shape': (0,)}",
    ],
)
def test_cached_features_with_a_broken_header_are_made_again(tmp_path, header):
    source = tmp_path / 'a.wav'
    source.touch()
    cache = SoundCache(str(tmp_path))
    body = b'\x93NUMPY\x01\0' + len(header).to_bytes(2, 'little') + header
    entry = cache.entry(str(source), {})
    with open(entry, 'wb') as file:
        file.write(hashlib.sha256(body).digest() + body)
    made = torch.ones(2)
    assert torch.equal(cache.get(str(source), {}, lambda: made), made)
    # And kept as they should be.
    assert torch.equal(cache.get(str(source), {}, None), made)


def test_lists_within_lists_are_no_results_no_summary_and_no_options(tmp_path):
    (tmp_path / 'predictions.json').write_text(DEEP)
    assert not holds_results(tmp_path)
    (tmp_path / 'mini.json').write_text(DEEP)
    assert read_summary(tmp_path) == {}
    with pytest.raises(InputError, match=r'model_options is .*as JSON'):
        noted_options({'model_options': DEEP}, 'a.pth')


def test_a_checkpoint_whose_record_has_a_broken_name_is_not_whole(tmp_path):
    torch.save({'a': torch.ones(1)}, tmp_path / 'iter_1.pth')
    torch.save({'a': torch.ones(1)}, tmp_path / 'iter_2.pth')
    path = tmp_path / 'iter_2.pth'
    with zipfile.ZipFile(path) as archive:
        place = archive.start_dir
    content = bytearray(path.read_bytes())
    # The flag of UTF-8 names, and a byte that UTF-8 does not have.
    content[place + 9] |= 0x08
    content[place + 46] = 0xEF
    path.write_bytes(content)
    found = find_latest_checkpoint(str(tmp_path))
    assert found == str(tmp_path / 'iter_1.pth')


def test_category_maps_without_a_frame(tmp_path):
    init_default_scope('mmdet')
    (tmp_path / 'train').mkdir()
    file = tmp_path / 'train/meta.json'
    objects = {'1': {'category': 'a', 'frames': []}}
    file.write_text(json.dumps({'videos': {'v': {'objects': objects}}}))
    with pytest.raises(InputError) as error:
        DATASETS.build(
            {
                'type': 'CategoryMapsDataset',
                'data_root': str(tmp_path),
                'classes': ['a'],
            }
        )
    assert str(error.value) == (
        f'{file}: frames of objects is 0; expected at least one'
    )


@pytest.mark.parametrize('name', ['a\0b', 'x' * 300, '\ud800'])
def test_a_video_with_a_name_that_no_file_can_have(tmp_path, name):
    path = f'{tmp_path}/{name}.mp4'
    with pytest.raises(InputError, match='expected a video'):
        index_video(path)


def test_a_log_mel_file_with_a_broken_directory(tmp_path):
    path = tmp_path / 'a.pkl'
    torch.save(torch.zeros(1, 1, 96, 64), path)
    content = path.read_bytes()
    # The number of disks, beside the end of the directory.
    place = content.rindex(b'PK\x06\x07')
    path.write_bytes(content[: place + 16] + b'\2' + content[place + 17 :])
    with pytest.raises(InputError, match='expected one tensor or array'):
        read_log_mel(str(path))


def test_categories_that_are_no_categories(tmp_path):
    (tmp_path / 'davis_semantics.json').write_text('{"v": NaN}')
    with pytest.raises(InputError, match='v is nan; expected categories by'):
        read_categories(tmp_path)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'v\xe1', "content is .*can't decode.*; expected names in UTF-8"),
        (b'../../v', "video is '../../v'; expected the name of a folder"),
        (b'/tmp', "video is '/tmp'; expected the name of a folder"),
        (b'..', "video is '..'; expected the name of a folder"),
    ],
)
def test_names_of_videos_stay_in_their_folders(tmp_path, content, said):
    texts = tmp_path / 'davis_text_annotations'
    texts.mkdir()
    for name in ('annot1', 'annot1_full_video', 'annot2', 'annot2_full_video'):
        (texts / f'Davis17_{name}.txt').write_text('v 1 "a dog"\n')
    lists = tmp_path / 'DAVIS/ImageSets/2017'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('')
    (lists / 'val.txt').write_bytes(content)
    with pytest.raises(InputError) as error:
        convert_ref_davis17(tmp_path, tmp_path / 'made', progress=False)
    line = str(error.value)
    assert line.startswith(f'{lists / "val.txt"}: ')
    assert re.search(said, line), line
