"""Reading checkpoints: what is let in and what is not."""

import argparse
import hashlib
import os
import shutil
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import save_file

from refvos.errors import InputError
from refvos.io import downloads
from refvos.io.safe_checkpoint import load_checkpoint_file, set_trust
from refvos.io.weights import serialize_weights


class RunsCommand:
    """Unpickled without restriction, it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


class Reaches:
    """Unpickled without restriction, it is an attribute of something."""

    def __init__(self, owner, name):
        self.owner, self.name = owner, name

    def __reduce__(self):
        return getattr, (self.owner, self.name)


@pytest.fixture(autouse=True)
def distrust():
    set_trust(False)
    yield
    set_trust(False)


@pytest.fixture
def hostile(tmp_path):
    path, marker = tmp_path / 'hostile.pth', tmp_path / 'ran'
    weights = {'weight': torch.ones(1, 1)}
    torch.save({'state_dict': weights, 'meta': RunsCommand(marker)}, path)
    return str(path), marker


def assert_refused(error, path):
    message = str(error.value)
    assert message.startswith(f'{path}: ')
    assert 'posix.system' in message and '--trust-checkpoint' in message
    assert len(message.splitlines()) == 1


def test_pickle_that_runs_code_is_refused(hostile):
    path, marker = hostile
    with pytest.raises(InputError) as error:
        load_checkpoint_file(path)
    assert_refused(error, path)
    assert not marker.exists()


def test_trusted_pickle_is_read_and_runs(hostile):
    path, marker = hostile
    content = load_checkpoint_file(path, trust=True)
    assert content['state_dict']['weight'].item() == 1
    assert marker.exists()


@pytest.mark.parametrize('protocol', [2, 4, 5])
@pytest.mark.parametrize('in_zip', [True, False])
def test_refused_in_every_format(tmp_path, protocol, in_zip):
    path, marker = tmp_path / 'hostile.pt', tmp_path / 'ran'
    torch.save(
        {'meta': RunsCommand(marker)},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=in_zip,
    )
    with pytest.raises(InputError, match='--trust-checkpoint') as error:
        load_checkpoint_file(str(path))
    assert len(str(error.value).splitlines()) == 1
    assert not marker.exists()


def test_refused_wherever_mmengine_loads(hostile, monkeypatch, tmp_path):
    path, marker = hostile
    module = torch.nn.Linear(1, 1, bias=False)
    with pytest.raises(InputError) as error:
        load_checkpoint(module, path)
    assert_refused(error, path)

    initialised = BaseModule({'type': 'Pretrained', 'checkpoint': path})
    initialised.linear = module
    with pytest.raises(InputError) as error:
        initialised.init_weights()
    assert_refused(error, path)

    hub = tmp_path / 'hub'
    address = 'https://example.org/some/hostile.pth?x=1'
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(hub))
    monkeypatch.setattr(
        downloads, 'fetch', lambda url, part: shutil.copy(path, part)
    )
    with pytest.raises(InputError) as error:
        load_checkpoint(module, address)
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    assert_refused(error, hub / 'checkpoints' / digest / 'hostile.pth')
    with pytest.raises(InputError):
        load_checkpoint(module, 'torchvision://resnet18')
    assert not marker.exists()


def test_no_loader_of_mmengine_is_left():
    modules = {f.__module__ for f in CheckpointLoader._schemes.values()}
    assert modules == {'refvos.io.safe_checkpoint'}


def test_trust_reaches_mmengine(hostile):
    path, marker = hostile
    module = torch.nn.Linear(1, 1, bias=False)
    set_trust(True)
    load_checkpoint(module, path)
    assert module.weight.item() == 1
    assert marker.exists()


@pytest.mark.parametrize('name', ['__init__', 'update', '__dict__'])
def test_getattr_reaches_nothing_but_the_statistics(tmp_path, name):
    # HistoryBuffer.__init__.__globals__ would lead anywhere.
    path = tmp_path / 'reaching.pth'
    torch.save({'meta': Reaches(HistoryBuffer, name)}, path)
    with pytest.raises(InputError, match='getattr'):
        load_checkpoint_file(str(path))


def test_what_mmengine_and_the_published_code_save_is_read(tmp_path):
    path = str(tmp_path / 'full.pth')
    content = {
        'model': {'weight': torch.arange(3.0)},
        'epoch': 11,
        'args': argparse.Namespace(lr=1e-4, masks=True),
        'message_hub': {
            'log_scalars': {'loss': HistoryBuffer([4.0, 2.0], [1, 1])},
            'runtime_info': {'best_score': np.float64(0.25)},
        },
        'palette': np.array([[1, 2], [3, 4]], dtype=np.uint8),
        'flags': np.array([True, False]),
        'names': np.array(['a', 'bc']),
    }
    torch.save(content, path)
    read = load_checkpoint_file(path)
    assert read['model']['weight'].tolist() == [0, 1, 2]
    assert read['args'].lr == 1e-4
    assert read['message_hub']['log_scalars']['loss'].mean() == 3
    assert read['message_hub']['runtime_info']['best_score'] == 0.25
    assert read['palette'].tolist() == [[1, 2], [3, 4]]
    assert read['flags'].tolist() == [True, False]
    assert read['names'].tolist() == ['a', 'bc']


def test_safetensors_in_half_precision_reach_the_model(tmp_path):
    path = str(tmp_path / 'half.safetensors')
    save_file({'weight': torch.tensor([[1.5]], dtype=torch.half)}, path)
    assert load_checkpoint_file(path)['weight'].dtype == torch.half
    module = torch.nn.Linear(1, 1, bias=False)
    load_checkpoint(module, path, map_location='cpu', strict=True)
    assert module.weight.dtype == torch.float
    assert module.weight.item() == 1.5


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('share', [0, 0.01, 0.5, 0.99])
def test_cut_short_at_any_place(tmp_path, suffix, share):
    path = tmp_path / f'cut{suffix}'
    weights = {'weight': torch.zeros(100)}
    (save_file if suffix == '.safetensors' else torch.save)(weights, path)
    whole = path.read_bytes()
    size = int(share * len(whole))
    path.write_bytes(whole[:size])
    with pytest.raises(InputError) as error:
        load_checkpoint_file(str(path))
    message = str(error.value)
    assert f'size in bytes is {size};' in message
    assert len(message.splitlines()) == 1


def test_missing_folder_and_wrong_content(tmp_path):
    with pytest.raises(InputError, match="checkpoint is 'missing'"):
        load_checkpoint_file(str(tmp_path / 'none.pth'))
    with pytest.raises(InputError, match="checkpoint is 'a folder'"):
        load_checkpoint_file(str(tmp_path))
    path = str(tmp_path / 'tensor.pth')
    torch.save(torch.zeros(2), path)
    with pytest.raises(InputError, match="content is 'Tensor'"):
        load_checkpoint_file(path)


def message_of(path):
    with pytest.raises(InputError) as error:
        load_checkpoint_file(str(path))
    (line,) = str(error.value).splitlines()
    assert line.startswith(f'{path}: ') and len(line) < 1000
    return line


class Calls:
    """Pickled as the call of a function."""

    def __init__(self, *call, state=None):
        self.call, self.state = call, state

    def __reduce__(self):
        return (self.call[0], self.call[1:], self.state)


class NumbersOf(np.ndarray):
    pass


@pytest.mark.parametrize('in_zip', [True, False])
@pytest.mark.parametrize(
    ('wanted', 'words'),
    [
        # Its bytes would become pointers.
        (Calls(np.ndarray, (1,), np.dtype('f8'), b'A' * 8), 'a Marker'),
        (np.dtype('O'), "numpy.dtype('O8')"),
        (np.array([None]), 'numpy.dtype'),
        (np.zeros(1, [('a', 'O')]), "numpy.dtype('V8')"),
        (np.zeros(1, 'M8[s]'), 'numpy.dtype'),
        (NumbersOf((1,)), 'NumbersOf'),
        (
            Calls(np.dtype, 'f8', False, True, state=(3, '<', None, ('a',))),
            'size in bytes',
        ),
        (
            Calls(
                np.dtype,
                'f8',
                False,
                True,
                state=(3, '<', None, ('a',), {}, 8, 1, 63),
            ),
            'numpy.dtype of structures',
        ),
        (Calls(bytearray, 2**50), 'a bytearray of a int'),
        (torch.zeros(2, 2).to_sparse(), '_rebuild_sparse_tensor'),
        (torch.empty(2, device='meta'), '_rebuild_meta_tensor'),
        ({((1,), 2): 3}, 'a tuple as a key'),
    ],
)
def test_what_is_not_let_in(tmp_path, wanted, words, in_zip):
    path = tmp_path / 'a.pth'
    torch.save({'meta': wanted}, path, _use_new_zipfile_serialization=in_zip)
    assert words in message_of(path)


def test_lists_that_share_their_parts(tmp_path):
    """Written out, they would fill the memory."""
    value = ['a' * 50]
    for _ in range(12):
        value = [value] * 12
    path = tmp_path / 'a.pth'
    for content in (
        {'state_dict': {'a': value}},
        {'state_dict': value},
        {'a': Calls(np.dtype, value)},
        {'a': Calls(np.dtype, 'f8', state=value)},
    ):
        torch.save(content, path)
        with pytest.raises(InputError) as error:
            load_checkpoint(torch.nn.Linear(1, 1), str(path))
        assert len(str(error.value)) < 1000


def test_tensors_larger_than_their_storage(tmp_path):
    path = tmp_path / 'a.pth'
    many = {str(n): torch.zeros(1).expand(2**26) for n in range(5)}
    for state in ({'a': torch.zeros(1).expand(2**40)}, many):
        torch.save({'state_dict': state}, path)
        assert 'tensors that repeat numbers stand for' in message_of(path)
    storage = torch.zeros(4, 4)._typed_storage()
    for size, stride, end in (((17,), (1,), 17), ((4, 4), (5, 1), 19)):
        tensor = Calls(
            torch._utils._rebuild_tensor_v2,
            *(storage, 0, size, stride, False, OrderedDict()),
        )
        torch.save({'state_dict': {'a': tensor}}, path)
        assert f'a tensor of {end} elements over 16' in message_of(path)
    # A part of a storage, one in another order, numbers repeated: these are
    # tensors that models save.
    whole = torch.arange(12.0).view(3, 4)
    repeated = torch.ones(1).expand(3, 5)
    torch.save({'a': whole[1:, ::2], 'b': whole.T, 'c': repeated}, path)
    content = load_checkpoint_file(str(path))
    assert torch.equal(content['c'], repeated)
    assert content['a'].tolist() == [[4, 6], [8, 10]]
    assert torch.equal(content['b'], whole.T)


def repack(path, change, **options):
    """Write a checkpoint's records again, some of them changed."""
    with zipfile.ZipFile(path) as archive:
        records = {
            name: change(name, archive.read(name))
            for name in archive.namelist()
        }
    with zipfile.ZipFile(path, 'w', **options) as archive:
        for name, content in records.items():
            archive.writestr(name, content)


def test_records_that_torch_does_not_write(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'a': torch.zeros(1000)}, path)
    repack(path, lambda name, content: content)
    assert load_checkpoint_file(str(path))['a'].shape == (1000,)
    repack(
        path,
        lambda name, content: content,
        compression=zipfile.ZIP_DEFLATED,
    )
    assert 'is compressed' in message_of(path)
    torch.save({'a': torch.zeros(1000)}, path)
    repack(path, lambda n, c: c[:-4] if '/data/' in n else c)
    assert 'a storage of other than 4000 bytes' in message_of(path)


@pytest.mark.parametrize('count', [50, 50_000])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_one_changed_byte_is_noticed(tmp_path, suffix, count):
    path = tmp_path / f'a{suffix}'
    weights = {'weight': torch.full((count,), 1.5)}
    whole = serialize_weights(weights, {'epoch': '6'}, suffix)
    path.write_bytes(whole)
    read = load_checkpoint_file(str(path))
    assert read.get('state_dict', read)['weight'].sum() == 1.5 * count
    changed = bytearray(whole)
    changed[whole.find(b'\x00\x00\xc0\x3f' * 10) + 22] ^= 1
    path.write_bytes(changed)
    assert 'the check sum' in message_of(path)
    # The file is trusted, the disk is not.
    with pytest.raises(InputError, match='the check sum'):
        load_checkpoint_file(str(path), trust=True)


def test_a_config_in_a_checkpoint_does_not_run(tmp_path):
    """mmengine would run it when the training is resumed."""
    path = str(tmp_path / 'a.pth')
    content = {'state_dict': {'weight': torch.ones(1, 1)}}
    torch.save({**content, 'meta': {'config': 'a = 1', 'cfg': 'a = 1'}}, path)
    read = CheckpointLoader.load_checkpoint(path)
    assert read['meta'] == {'cfg': 'a = 1'}


def test_object_store_without_its_client():
    with pytest.raises(InputError, match='petrel_client') as error:
        CheckpointLoader.load_checkpoint('s3://bucket/a.pth')
    assert str(error.value).startswith('s3://bucket/a.pth: object store is')


@pytest.mark.parametrize('prefix', [None, 'backbone'])
def test_pretrained_parts_get_some_weights(tmp_path, prefix):
    path, start = tmp_path / 'a.pth', f'{prefix}.' if prefix else ''
    content = {'fc.bias': torch.ones(3), f'{start}linear.weight': None}
    module = BaseModule(
        {'type': 'Pretrained', 'checkpoint': str(path), 'prefix': prefix}
    )
    module.linear = torch.nn.Linear(1, 1)
    content[f'{start}linear.weight'] = torch.full((1, 1), 3.0)
    torch.save(content, path)
    module.init_weights()
    assert module.linear.weight.item() == 3
    torch.save({f'other.{key}': v for key, v in content.items()}, path)
    module._is_init = False
    with pytest.raises(InputError, match='expected some of a BaseModule'):
        module.init_weights()
