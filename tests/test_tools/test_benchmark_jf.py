"""Timing J&F, and the plain implementation that it is compared with."""

import json

import numpy as np
import pytest

from refvos.errors import InputError
from refvos.evaluation import boundary_f, region_similarity
from tests.builders import load_script

SMALL = ['--videos', '2', '--frames', '3', '--size', '60', '90']


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/analysis_tools/benchmark_jf.py')


def test_rows_of_the_table(tool, capsys):
    rows = tool.main([*SMALL, '--workers', '0', '1'])
    assert [row['metric'] for row in rows] == [
        'plain',
        'JFMetric, 0 workers',
        'JFMetric, 1 workers',
    ]
    assert rows[0]['ratio'] == 1
    assert all(row['frames_a_second'] > 0 for row in rows)
    for row in rows[1:]:
        for name in ('J', 'F'):
            assert row[name] == pytest.approx(rows[0][name], abs=1e-7)
    # Neither all right nor all wrong.
    assert 10 < rows[0]['J'] < 99 and 10 < rows[0]['F'] < 99
    printed = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in printed] == rows


def test_the_plain_implementation_is_the_definition(tool):
    rng = np.random.default_rng(0)
    pred, gt = rng.random((2, 20, 14, 19)) < 0.4
    gt[3] = pred[5] = False
    gt[4] = pred[4] = False
    found = [tool.plain_scores(p, g) for p, g in zip(pred, gt)]
    expected = np.stack([region_similarity(pred, gt), boundary_f(pred, gt)], 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_other_numbers_are_refused(tool, monkeypatch):
    monkeypatch.setattr(tool, 'plain_scores', lambda pred, gt: [0.5, 0.5])
    with pytest.raises(InputError, match=r'JFMetric: J is .*expected 50'):
        tool.main([*SMALL, '--workers', '0'])


def test_numbers_below_one(tool):
    with pytest.raises(InputError, match='--frames: number is 0; expected'):
        tool.main(['--frames', '0'])
