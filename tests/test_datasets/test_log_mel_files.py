"""Log-mel files are read without running pickled code."""

import io
import os
import pickle

import numpy as np
import pytest
import torch

from refvos.errors import InputError
from refvos.io.log_mel_files import read_log_mel


@pytest.fixture
def examples():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 1, 96, 64, generator=generator)


def write(path, content, protocol=None):
    path.write_bytes(pickle.dumps(content, protocol))
    return str(path)


def refused(path):
    with pytest.raises(InputError) as caught:
        read_log_mel(str(path))
    message = str(caught.value)
    assert message.startswith(f'{path}: ') and '\n' not in message
    return message


class Calls:
    """An object that is pickled as a function call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('form', ['tensor', 'part', 'array', 'big-endian'])
def test_pickles(tmp_path, examples, protocol, form):
    content = {
        'tensor': examples,
        'part': torch.cat((examples, examples + 1))[:5],
        'array': examples.numpy(),
        'big-endian': examples.numpy().astype('>f8'),
    }[form]
    found = read_log_mel(write(tmp_path / 'a.pkl', content, protocol))
    assert found.dtype == torch.float32 and torch.equal(found, examples)


def test_file_of_torch(tmp_path, examples):
    torch.save(examples.double(), tmp_path / 'a.pkl')
    assert torch.equal(read_log_mel(str(tmp_path / 'a.pkl')), examples)


def test_no_code_runs(tmp_path):
    marker = tmp_path / 'ran'
    command = Calls(os.system, f'touch {marker}')
    old_form, new_form = io.BytesIO(), tmp_path / 'new.pkl'
    torch.save(command, old_form, _use_new_zipfile_serialization=False)
    torch.save(command, new_form)
    from_bytes = torch.storage._load_from_bytes
    for hidden in (
        command,
        Calls(from_bytes, pickle.dumps(command)),
        Calls(from_bytes, old_form.getvalue()),
        Calls(pickle.loads, pickle.dumps(command)),
        np.array([command], dtype=object),
    ):
        path = write(tmp_path / 'a.pkl', hidden)
        assert 'one tensor or array of numbers alone' in refused(path)
    assert 'one tensor or array of numbers alone' in refused(new_form)
    assert not marker.exists()
    # The command runs if the pickle is loaded without restriction.
    with open(tmp_path / 'a.pkl', 'wb') as file:
        pickle.dump(command, file)
    with open(tmp_path / 'a.pkl', 'rb') as file:
        pickle.load(file)
    assert marker.exists()


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (torch.zeros(5, 96, 64), "'Tensor (5, 96, 64)'"),
        (torch.zeros(0, 1, 96, 64), "'Tensor (0, 1, 96, 64)'"),
        (torch.zeros(5, 1, 64, 96), "'Tensor (5, 1, 64, 96)'"),
        (torch.zeros(5, 1, 96, 64).int(), "'Tensor (5, 1, 96, 64)'"),
        (np.zeros((5, 1, 96, 64), '?'), "'ndarray (5, 1, 96, 64)'"),
        ([1.0], "'list ()'"),
        ({'log_mel': torch.zeros(1)}, "'dict ()'"),
    ],
)
def test_other_content(tmp_path, content, found):
    path = write(tmp_path / 'a.pkl', content)
    assert refused(path) == (
        f'{path}: content is {found}; expected floats of shape '
        '(seconds, 1, 96, 64)'
    )


def test_numbers_that_are_not_finite(tmp_path, examples):
    examples[3, 0, 7, 9] = float('nan')
    path = write(tmp_path / 'a.pkl', examples)
    assert refused(path) == f'{path}: a number is nan; expected finite numbers'


def test_broken_files(tmp_path, examples):
    path = write(tmp_path / 'a.pkl', examples)
    whole = (tmp_path / 'a.pkl').read_bytes()
    for size in (0, 10, 1000, len(whole) - 10):
        (tmp_path / 'a.pkl').write_bytes(whole[:size])
        assert 'content is ' in refused(path)
    torch.save(examples, path)
    whole = (tmp_path / 'a.pkl').read_bytes()
    (tmp_path / 'a.pkl').write_bytes(whole.replace(b'data.pkl', b'dada.pkl'))
    assert 'content is ' in refused(path)
    (tmp_path / 'a.pkl').write_bytes(whole[: len(whole) // 2])
    assert 'content is ' in refused(path)
    assert "file is 'missing'" in refused(tmp_path / 'no.pkl')
