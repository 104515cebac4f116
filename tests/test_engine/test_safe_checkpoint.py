"""Reading checkpoints: what is let in and what is not."""

import argparse
import os
import shutil

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import save_file

from refvos.errors import InputError
from refvos.io.safe_checkpoint import load_checkpoint_file, set_trust


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
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(hub))
    monkeypatch.setattr(
        torch.hub,
        'download_url_to_file',
        lambda url, target, progress: shutil.copy(path, target),
    )
    with pytest.raises(InputError) as error:
        load_checkpoint(module, 'https://example.org/some/hostile.pth?x=1')
    assert_refused(error, hub / 'checkpoints' / 'hostile.pth')
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
