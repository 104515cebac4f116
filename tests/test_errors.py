"""One line says what is wrong, whatever was given."""

import argparse
import fractions
from pathlib import Path

import numpy as np
import pytest
import torch

from refvos.errors import InputError, describe, short_repr


@pytest.mark.parametrize(
    ('value', 'shown'),
    [
        ("it's", '"it\'s"'),
        (b'a', "b'a'"),
        ([1, (2.5,), {'a': {None}}], "[1, (2.5,), {'a': {None}}]"),
        ([[], (), {}, set()], '[[], (), {}, set()]'),
        (np.float64(0.5), 'np.float64(0.5)'),
        (fractions.Fraction(1, 3), 'Fraction(1, 3)'),
        (torch.float16, 'torch.float16'),
        (torch.zeros(2, 3), '<Tensor (2, 3)>'),
        (np.array([None]), '<ndarray (1,)>'),
        (int, "<class 'int'>"),
        (Path('a'), "PosixPath('a')"),
        (argparse.Namespace(a=[0] * 1000), '<Namespace>'),
        ('x' * 81, "'" + 'x' * 59 + '... (81 characters)'),
    ],
)
def test_values(value, shown):
    assert short_repr(value) == shown


def test_values_without_end():
    shared, endless, deep = ['a'], [], []
    for _ in range(40):
        shared = [shared] * 12
    endless.append(endless)
    for _ in range(100_000):
        deep = [deep]
    for value in (shared, endless, deep, {'a': shared}, tuple(shared)):
        assert len(short_repr(value)) < 100
    assert short_repr([7] * 1000).endswith('... (list of 1000)')
    assert short_repr(10**5000) == '<int of 16610 bits>'


def test_one_line():
    line = describe('a\nb.json', 'c\r', 'd\n', 'e\x1b[31m\udc80')
    assert line == ("a\\nb.json: c\\r is 'd\\n'; expected e\\x1b[31m\\udc80")
    long = str(InputError.of('f' * 10**6, 'g' * 10**6, 'h' * 10**6, 'i'))
    assert len(long) < 3000
