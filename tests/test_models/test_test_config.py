"""The options of a segmentor at test time."""

import pytest

from refvos.errors import InputError
from refvos.models import TestConfig
from tests.builders import build_model, message_of

CONFIG = 'configs/_base_/models/referformer_mini.py'


def test_defaults():
    config = TestConfig.from_dict(None)
    assert config == TestConfig()
    assert (config.threshold, config.frame_chunk) == (0.5, None)
    assert (config.candidates, config.soft_masks) == (0, False)


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [
        ('frame_chnk', 'frame_chunk'),
        ('keep_candidates', 'candidates'),
        ('keep_soft_masks', 'soft_masks'),
        ('postprocess', 'post_process'),
    ],
)
def test_an_unknown_key_names_the_nearest_field(name, nearest):
    message = message_of(TestConfig.from_dict, {name: 4})
    assert message.startswith(f'test_cfg: {name} is 4; expected one of ')
    assert message.endswith(f'(did you mean {nearest}?)')
    with pytest.raises(InputError, match=f'did you mean {nearest}'):
        build_model(CONFIG, {f'model.test_cfg.{name}': 4})


def test_a_key_unlike_all_fields_names_none():
    message = message_of(TestConfig.from_dict, {'zzz': 1})
    assert 'did you mean' not in message and 'null_threshold' in message


@pytest.mark.parametrize(
    ('field', 'value', 'expected'),
    [
        ('threshold', 1.0, 'a number between 0 and 1'),
        ('threshold', float('nan'), 'a number between 0 and 1'),
        ('threshold', '0.5', 'a number between 0 and 1'),
        ('threshold', True, 'a number between 0 and 1'),
        ('frame_chunk', 0, 'None or an integer from 1'),
        ('frame_chunk', 2.0, 'None or an integer from 1'),
        ('candidates', True, 'a number of queries: 0 for none, -1 for all'),
        ('candidates', -2, 'a number of queries: 0 for none, -1 for all'),
        ('soft_masks', 1, "False, True or 'linear'"),
        ('soft_masks', 'log', "False, True or 'linear'"),
        ('precision', 'int8', 'None, bf16 or fp16'),
        ('precision', ['bf16'], 'None, bf16 or fp16'),
        ('compact_features', None, 'True or False'),
        ('features_on', 'gpuu', "None or a device, as 'cpu'"),
        ('features_on', 1.5, "None or a device, as 'cpu'"),
        ('null_threshold', 2, 'None, or 0 to 1'),
        ('null_threshold', False, 'None, or 0 to 1'),
    ],
)
def test_a_wrong_value_is_refused(field, value, expected):
    assert message_of(TestConfig.from_dict, {field: value}) == (
        f'test_cfg: {field} is {value!r}; expected {expected}'
    )


def test_options_hold_inside_the_block_only():
    model = build_model(CONFIG)
    before = model.test_cfg
    with pytest.raises(KeyError), model.test_options(candidates=5):
        assert model.test_cfg == before.changed(candidates=5)
        with model.test_options(threshold=0.3):
            assert model.test_cfg.candidates == 5
            assert model.test_cfg.threshold == 0.3
        raise KeyError
    assert model.test_cfg is before
    with (
        pytest.raises(InputError, match='did you mean candidates'),
        model.test_options(candidate=5),
    ):
        pass


def test_values_cannot_be_assigned():
    with pytest.raises(AttributeError):
        TestConfig().threshold = 0.3
