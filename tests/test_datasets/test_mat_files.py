"""MATLAB's arrays as scipy writes them, and damaged ones."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from refvos.io.mat_files import read_mat_array


def written(compressed=False, **arrays):
    file = io.BytesIO()
    savemat(file, arrays, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize(
    'dtype', [bool, np.uint8, np.int16, np.float64, np.uint64]
)
def test_arrays(compressed, dtype):
    array = (np.arange(24).reshape(2, 3, 4) % 2).astype(dtype)
    content = written(compressed, a='text', part_mask=array, z={'b': 1})
    assert (read_mat_array(content, 'part_mask') == array).all()
    # Up to four bytes lie in the tag of an element.
    assert read_mat_array(written(x=np.uint8([[7, 8]])), 'x').tolist() == [
        [7, 8]
    ]


@pytest.mark.parametrize('value', ['text', {'b': 1}, np.ones(3) * 1j])
def test_no_arrays_of_numbers(value):
    with pytest.raises(ValueError, match='part_mask'):
        read_mat_array(written(part_mask=value), 'part_mask')
    with pytest.raises(ValueError, match='no variable other'):
        read_mat_array(written(part_mask=value), 'other')


@pytest.mark.parametrize('compressed', [False, True])
def test_every_flipped_bit_and_cut(compressed):
    """Each gives an array or a ValueError; scipy's reader crashed."""
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = written(compressed, part_mask=array)
    outcomes = set()
    for place in range(124, len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            for given in (bytes(damaged), content[:place]):
                try:
                    read_mat_array(given, 'part_mask')
                    outcomes.add('read')
                except ValueError:
                    outcomes.add('refused')
    assert outcomes == {'read', 'refused'}
