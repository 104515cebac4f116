"""Configs in YAML and JSON are data."""

import json
import os

import pytest

from refvos.engine.config_files import load_config
from refvos.errors import InputError
from tests.builders import ROOT


def refused(path):
    with pytest.raises(InputError) as caught:
        load_config(str(path))
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_data_on_top_of_a_config(tmp_path):
    base = str(ROOT / 'configs/mini/referformer_mini.py')
    content = {'_base_': base, 'model': {'num_queries': 3}}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    (tmp_path / 'a.yaml').write_text(
        f'_base_: {base}\nmodel:\n  num_queries: 3\n'
    )
    for name in ('a.json', 'a.yaml'):
        config = load_config(str(tmp_path / name))
        assert config.model.num_queries == 3
        assert config.model.type == 'ReferFormer'


@pytest.mark.parametrize('nested', [False, True])
def test_yaml_makes_no_objects(tmp_path, nested):
    mark = tmp_path / 'executed'
    (tmp_path / 'a.yaml').write_text(
        f"model: !!python/object/apply:os.system ['touch {mark}']\n"
    )
    (tmp_path / 'b.yml').write_text('_base_: a.yaml\n')
    path = tmp_path / ('b.yml' if nested else 'a.yaml')
    assert 'the config fails with ConstructorError' in refused(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ('content', 'field'),
    [
        ({'model': {'type': 'builtins.exec'}}, 'model.type'),
        ({'a': [{'type': 'subprocess.call'}]}, 'a.0.type'),
        ({'optim_wrapper': {'constructor': 'os.system'}}, '.constructor'),
        ({'default_scope': 'os'}, 'default_scope'),
        ({'custom_imports': {'imports': ['antigravity']}}, '.imports'),
        ({'custom_imports': {'imports': 'os'}}, '.imports'),
    ],
)
def test_names_outside_the_registries(tmp_path, content, field):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    message = refused(path)
    assert f'{field} is ' in message
    assert 'only a config in Python names other modules' in message


def test_no_config(tmp_path):
    os.mkfifo(tmp_path / 'a.py')
    assert 'missing' in refused(tmp_path / 'a.py')
    (tmp_path / 'a.json').write_text('[1')
    assert 'the config fails with' in refused(tmp_path / 'a.json')
