"""What the mini training leaves behind."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from refvos.commands import runs
from refvos.errors import InputError
from tests.builders import load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/train_mini.py')


def save_checkpoint(path, size):
    state = {
        'weight': torch.full((size,), 1 / 3),
        'counter': torch.tensor(7),
    }
    torch.save({'state_dict': state, 'meta': {}}, path)


def test_weights_are_kept_in_half_precision(tool, tmp_path):
    save_checkpoint(tmp_path / 'iter_1.pth', 4)
    target = tmp_path / 'new' / 'model.safetensors'
    tool.keep_weights(str(tmp_path / 'iter_1.pth'), target)
    kept = load_file(target)
    assert kept['weight'].dtype == torch.float16
    assert kept['weight'].tolist() == pytest.approx([1 / 3] * 4, abs=2e-4)
    assert kept['counter'].item() == 7


def test_weights_too_large_for_git_are_refused(tool, tmp_path):
    save_checkpoint(tmp_path / 'iter_1.pth', 2_600_000)
    target = tmp_path / 'model.safetensors'
    with pytest.raises(InputError, match='at most 5000000'):
        tool.keep_weights(str(tmp_path / 'iter_1.pth'), target)
    assert not target.exists()


def test_time_is_summed_over_stages_and_restarts(tmp_path):
    logs = {
        # Two logs, one after a restart, one of the second stage.
        'first/a': [(50, 0.5), (100, 0.3)],
        'first/b': [(130, 1.0)],
        'second/a': [(50, 2.0)],
        # Another model's.
        'third/a': [(50, 9.0)],
    }
    for name, records in logs.items():
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        lines = [
            {'loss': 1.0, 'step': step, 'time': seconds}
            for step, seconds in records
        ]
        lines.append({'J&F': 50.0, 'step': 100, 'time': 9.0})
        (folder / 'scalars.json').write_text(
            '\n'.join(json.dumps(line) for line in lines)
        )
    # The first record of a run stands for the logger's interval, 50.
    expected = 50 * 0.5 + 50 * 0.3 + 50 * 1.0 + 50 * 2.0
    stages = [tmp_path / 'first', tmp_path / 'second']
    assert runs.training_seconds(stages) == pytest.approx(expected)


def test_weights_are_scored_with_right_and_wrong_references(
    tool, tmp_path, monkeypatch
):
    asked = []

    def main(argv):
        asked.append(argv)
        return {'J&F': 5.678 if '--wrong-references' in argv else 76.543}

    monkeypatch.setattr(runs.test, 'main', main)
    weights = Path('some.safetensors')
    scores = tool.score_in(tmp_path, 'configs/some.py', weights)
    assert scores == {
        'test': {'J&F': 76.54},
        'test_with_wrong_references': {'J&F': 5.68},
    }
    folder = str(tmp_path / 'some' / 'test')
    common = ['configs/some.py', 'some.safetensors', '--work-dir', folder]
    assert asked == [common, [*common, '--wrong-references']]
