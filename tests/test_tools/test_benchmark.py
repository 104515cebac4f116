"""Timing a model."""

import json

import pytest

from refvos.errors import InputError
from tests.builders import ROOT, load_script, write_sound_config

MINI = str(ROOT / 'configs/mini/referformer_mini.py')
SMALL = [MINI, '--size', '64', '96']


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/benchmark.py')


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (['a.py'], [['a.py']]),
        (
            ['a.py', '--frames', '5', '--against', '--amp', 'bf16'],
            [
                ['a.py', '--frames', '5'],
                ['a.py', '--frames', '5', '--amp', 'bf16'],
            ],
        ),
        (
            ['a.py', '--threads', '2', '--against', 'b.py', '--frames', '1'],
            [
                ['a.py', '--threads', '2'],
                ['b.py', '--threads', '2', '--frames', '1'],
            ],
        ),
        (
            ['a.py', '--against', 'b.py', '--against', '--train'],
            [['a.py'], ['b.py'], ['a.py', '--train']],
        ),
    ],
)
def test_what_is_measured(tool, given, expected):
    assert tool.variants(given) == expected


def test_two_measurements(tool, capsys):
    rows = tool.main(
        [*SMALL, '--frames', '1', '3', '--references', '2']
        + ['--against', '--frames', '2', '--train']
    )
    assert [row['frames'] for row in rows] == [1, 3, 2]
    for row in rows[:2]:
        parts = row['encode_s'] + row['answer_s']
        # Besides there is the text, and masks become run lengths.
        assert 0 < parts < row['total_s']
        assert row['s_a_frame'] == pytest.approx(
            row['total_s'] / row['frames'], abs=1e-3
        )
        assert row['peak_gib'] > 0.2
        assert 0 < row['of_matmul'] < 1
    assert rows[1]['tflop'] > rows[0]['tflop'] > 0
    assert 'encode_s' not in rows[2]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines[:3]] == rows
    assert lines[3].split()[:2] == ['label', 'frames']
    assert len(lines) == 7


@pytest.mark.parametrize('train', [[], ['--train']])
def test_a_model_of_sounds(tool, tmp_path, train):
    """In this process; a longer sound takes more operations."""
    config = write_sound_config(tmp_path / 'sound.py')
    flops = {}
    for seconds in ('2', '4'):
        arguments = [config, '--size', '64', '96', '--frames', '1', *train]
        (found,) = tool.main([*arguments, '--child', '--seconds', seconds])
        assert found['total_s'] > 0
        flops[seconds] = found['tflop']
    assert flops['4'] > flops['2'] > 0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([MINI, '--frames', '0'], '--frames: number is 0; expected at least'),
        ([MINI, '--rounds', '0'], '--rounds: number is 0'),
        ([MINI, '--seconds', '0'], '--seconds: number is 0'),
        (['no.py'], "no.py: config is 'missing'"),
        (
            [*SMALL, '--cfg-options', 'model.test_cfg.precision=int8'],
            "test_cfg: precision is 'int8'; expected None, bf16 or fp16",
        ),
    ],
)
def test_bad_arguments(tool, arguments, message):
    with pytest.raises(InputError, match=message):
        tool.main(arguments)
