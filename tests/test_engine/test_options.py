"""Values of --cfg-options."""

import argparse

import pytest

from refvos.engine.options import OptionsAction, parse_value
from refvos.errors import InputError


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-5', 1e-5),
        ('true', True),
        ('False', False),
        ('None', None),
        ('none', 'none'),
        ('a b', 'a b'),
        ('"3"', '3'),
        ('[1,2]', [1, 2]),
        ('[(1, 2), [a, b], c]', [(1, 2), ['a', 'b'], 'c']),
        ("['a,b','c']", ['a,b', 'c']),
        ('(4,)', (4,)),
        ('[]', []),
        ('0.9,0.999', [0.9, 0.999]),
        ('data/a,b', 'data/a,b'),
        ('1,b', '1,b'),
        ('"f(a,b)"', 'f(a,b)'),
        ('f(a)', 'f(a)'),
        ('', ''),
    ],
)
def test_values(text, value):
    found = parse_value(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize('text', ['f(a,b)', '[a,b],[c]', '[(1,2]', '["a,b]'])
def test_unclear_values(text):
    with pytest.raises(ValueError):
        parse_value(text)


def test_the_option_is_named():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    arguments = ['--cfg-options', 'a.b=1', 'c=x=y']
    assert parser.parse_args(arguments).cfg_options == {'a.b': 1, 'c': 'x=y'}
    for given, words in (
        ('work_dir=f(a,b)', "work_dir is 'f(a,b)'; expected a value"),
        ('work_dir', "option is 'work_dir'; expected KEY=VALUE"),
    ):
        with pytest.raises(InputError) as caught:
            parser.parse_args(['--cfg-options', given])
        assert f'--cfg-options: {words}' in str(caught.value)
