"""What is given away: the weights, and nothing else."""

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from safetensors import safe_open
from torch import nn

from refvos.errors import InputError
from refvos.io.safe_checkpoint import load_checkpoint_file
from tests.builders import load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/model_converters/publish_model.py')


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint as a training leaves it."""
    weights = {
        'layer.weight': torch.tensor([[1 / 3, -2.0]]),
        'layer.num_batches_tracked': torch.tensor(70_000),
    }
    path = tmp_path / 'epoch_6.pth'
    content = {
        'state_dict': weights,
        'optimizer': {'state': {0: torch.ones(2)}},
        'message_hub': {'log_scalars': {}},
        'meta': {'epoch': 6, 'iter': 600, 'cfg': "root = '/home/me'"},
    }
    torch.save(content, path)
    return path


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_both_formats(tool, checkpoint, tmp_path):
    prefix = str(tmp_path / 'new' / 'model')
    paths = tool.main([str(checkpoint), prefix, '--format', 'both'])
    assert len(paths) == 2
    for path, suffix in zip(paths, ('pth', 'safetensors'), strict=True):
        name = re.fullmatch(rf'{prefix}-([0-9a-f]{{8}})\.{suffix}', path)
        assert name[1] == digest(path)[:8]
        content = load_checkpoint_file(path)
        if suffix == 'pth':
            assert set(content) == {'state_dict', 'meta'}
            assert content['meta']['epoch'] == '6'
            assert 'cfg' not in content['meta']
            content = content['state_dict']
        else:
            with safe_open(path, 'pt') as file:
                assert file.metadata()['iter'] == '600'
        assert set(content) == {'layer.weight', 'layer.num_batches_tracked'}
        assert content['layer.weight'].dtype == torch.float32
        assert content['layer.weight'].tolist() == [
            pytest.approx([1 / 3, -2.0], abs=1e-7)
        ]
        assert b'/home/me' not in Path(path).read_bytes()


def test_half_precision(tool, checkpoint, tmp_path):
    (path,) = tool.main([str(checkpoint), str(tmp_path / 'm'), '--half'])
    weights = load_checkpoint_file(path)['state_dict']
    # 1/3 to 11 bits: 1365 / 4096. A counter of 70000 would overflow.
    assert weights['layer.weight'].dtype == torch.float16
    assert weights['layer.weight'].tolist() == [[1365 / 4096, -2.0]]
    assert weights['layer.num_batches_tracked'].item() == 70_000


def test_too_large_for_half_precision(tool, tmp_path):
    path = tmp_path / 'large.pth'
    torch.save({'state_dict': {'w': torch.tensor([1.0, -1e5])}}, path)
    with pytest.raises(InputError, match=r'w: largest value is 100000\.0'):
        tool.main([str(path), str(tmp_path / 'm'), '--half'])
    assert sorted(tmp_path.iterdir()) == [path]


def test_averaged_weights(tool, tmp_path):
    """mmengine's own hook saves them: 3 averaged, 1 trained."""
    model = nn.Linear(1, 1, bias=False)
    hook = EMAHook()
    hook.before_run(SimpleNamespace(model=model))
    nn.init.constant_(model.weight, 1)
    nn.init.constant_(hook.ema_model.module.weight, 3)
    content = {'state_dict': model.state_dict()}
    hook.before_save_checkpoint(None, content)
    path = tmp_path / 'ema.pth'
    torch.save(content, path)
    (published,) = tool.main([str(path), str(tmp_path / 'm')])
    content = load_checkpoint_file(published)
    assert list(content['state_dict']) == ['weight']
    assert content['state_dict']['weight'].item() == 3


def test_tensors_of_one_storage(tool, tmp_path):
    """A view brings no more than itself; tied weights stay two names."""
    whole = torch.arange(100_000.0)
    state = {'a': whole[:2], 'b': whole[:2]}
    tied = tmp_path / 'tied.pth'
    torch.save({'state_dict': state}, tied)
    options = [str(tied), str(tmp_path / 'm'), '--format', 'both']
    for path in tool.main(options):
        content = load_checkpoint_file(path)
        content = content.get('state_dict', content)
        assert content['a'].tolist() == content['b'].tolist() == [0, 1]
        assert Path(path).stat().st_size < 10_000


def test_published_again(tool, checkpoint, tmp_path):
    options = ['--format', 'safetensors']
    (first,) = tool.main([str(checkpoint), str(tmp_path / 'm'), *options])
    (again,) = tool.main([first, str(tmp_path / 'again'), *options])
    first, again = load_checkpoint_file(first), load_checkpoint_file(again)
    assert set(first) == set(again)
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_no_weights(tool, tmp_path):
    path = tmp_path / 'foreign.pth'
    torch.save({'model': {'a': torch.ones(1)}, 'epoch': 5}, path)
    with pytest.raises(InputError, match=r'content\.model is .*converted'):
        tool.main([str(path), str(tmp_path / 'm')])
    assert sorted(tmp_path.iterdir()) == [path]
