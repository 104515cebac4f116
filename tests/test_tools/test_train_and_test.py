"""tools/train.py, tools/test.py and their scripts, on a toy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from refvos.commands import test as test_tool
from refvos.commands import train
from refvos.engine import cli
from refvos.engine.cli import one_line, run_tool
from refvos.errors import InputError
from refvos.io.safe_checkpoint import set_trust
from tests.builders import environment, free_port

ROOT = Path(__file__).parents[2]
CONFIG = 'tests/test_engine/toy_config.py'


class RunsCommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    yield
    set_trust(False)


@pytest.fixture
def weights(tmp_path):
    """The toy's weight 1.75: the mean error over 1/8 .. 5/8 is 0.09375."""
    path = tmp_path / 'toy.pth'
    torch.save(
        {'state_dict': {'linear.weight': torch.full((1, 1), 1.75)}}, path
    )
    return str(path)


def script(*command):
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment(
            PYTHON=sys.executable, PORT=free_port(), OMP_NUM_THREADS=1
        ),
        capture_output=True,
        text=True,
        timeout=500,
    )


def test_testing_gives_the_metric(weights, tmp_path):
    metrics = test_tool.main(
        [
            *(CONFIG, weights, '--work-dir', str(tmp_path)),
            *('--cfg-options', 'experiment_name=one'),
        ]
    )
    # 0.25 * mean(1/8, 2/8, 3/8, 4/8, 5/8)
    assert metrics == {'error': pytest.approx(0.09375), 'samples': 5}


def test_two_processes_give_the_metric_of_one(weights, tmp_path):
    done = script(
        'tools/dist_test.sh',
        CONFIG,
        weights,
        2,
        '--work-dir',
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob('*/*.json')
    assert json.loads(path.read_text()) == {
        'error': pytest.approx(0.09375),
        'samples': 5,
        'data_time': pytest.approx(0, abs=60),
        'time': pytest.approx(0, abs=60),
    }


def test_hostile_checkpoint_ends_with_one_line(tmp_path):
    path, marker = tmp_path / 'hostile.pth', tmp_path / 'ran'
    weight = {'linear.weight': torch.ones(1, 1)}
    torch.save({'state_dict': weight, 'x': RunsCommand(marker)}, path)
    arguments = [CONFIG, path, '--work-dir', tmp_path]
    done = script(sys.executable, 'tools/test.py', *arguments)
    assert done.returncode == 2
    errors = [x for x in done.stderr.splitlines() if x.startswith('error')]
    assert errors == [
        f"error: {path}: what the pickle wants is 'posix.system'; expected "
        'tensors and plain data only; a file from a source that you trust is '
        'read with --trust-checkpoint'
    ]
    assert done.stderr.splitlines()[-1] == errors[0]
    assert 'Traceback' not in done.stderr
    assert not marker.exists()

    test_tool.main(
        [str(argument) for argument in arguments]
        + ['--trust-checkpoint', '--cfg-options', 'experiment_name=trust']
    )
    assert marker.exists()


def run(capsys, main, *argv):
    status = run_tool(main, [str(a) for a in argv])
    return status, capsys.readouterr().err.splitlines()[-1]


def test_error_in_a_worker_is_one_line(capsys, weights, tmp_path):
    status, line = run(
        capsys,
        test_tool.main,
        *(CONFIG, weights, '--work-dir', tmp_path, '--cfg-options'),
        'experiment_name=worker',
        'test_dataloader.num_workers=1',
        'test_dataloader.dataset.bad_index=3',
    )
    assert status == 2
    assert line == "error: toy.json: items.3 is 'x'; expected a number"


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        (
            ['none.py'],
            "none.py: config is 'missing'; expected a .py, .json or .yaml "
            'file',
        ),
        (
            [CONFIG, '--cfg-options', 'model.witdh=3'],
            '--cfg-options: model.witdh is 3; expected one of the arguments '
            'of ToyModel (did you mean width?)',
        ),
        (
            [CONFIG, '--cfg-options', 'param_scheduler.7.begin=1'],
            '--cfg-options: param_scheduler.7.begin is 1; expected a place '
            'that the config has',
        ),
        (
            [CONFIG, '--resume', 'none.pth'],
            "none.pth: --resume is 'missing'; expected a .pth, .pt or "
            '.safetensors file',
        ),
        (
            [CONFIG, '--load-from', 'none.pth'],
            "none.pth: --load-from is 'missing'; expected a .pth",
        ),
    ],
)
def test_bad_arguments_of_training(capsys, options, line):
    status, said = run(capsys, train.main, *options)
    assert status == 2
    assert said.startswith(f'error: {line}')


def test_mixed_precision_needs_a_gpu(capsys, monkeypatch):
    monkeypatch.setattr(train, 'get_device', lambda: 'cpu')
    status, said = run(capsys, train.main, CONFIG, '--amp')
    assert status == 2
    assert said == "error: --amp fp16: device is 'cpu'; expected a GPU"


@pytest.mark.parametrize(
    ('content', 'line'),
    [
        ('model = dict(', 'the config fails with SyntaxError'),
        ("_base_ = 'none.py'", 'the config fails with FileNotFoundError'),
        ("model = dict(type='A')", "model.type is 'A'; expected one of"),
        (
            "custom_imports = dict(imports=['no_such_package'])",
            'the config fails with ImportError',
        ),
        ('a = 1', 'train_dataloader is None; expected a dataloader'),
    ],
)
def test_bad_configs(capsys, tmp_path, content, line):
    path = tmp_path / 'c.py'
    path.write_text(content)
    status, said = run(capsys, train.main, path)
    assert status == 2
    assert said.startswith(f'error: {path}: {line}')


def test_arguments_reach_the_config(tmp_path, weights):
    args = train.parse_args(
        [CONFIG, '--load-from', weights, '--resume', '--seed', '7']
    )
    cfg = Config.fromfile(CONFIG)
    train.apply_args(cfg, args)
    assert (cfg.load_from, cfg.resume) == (None, True)
    assert cfg.randomness == {'seed': 7}
    with pytest.raises(SystemExit):
        train.parse_args([CONFIG, '--load-from', 'a', '--resume', 'b'])
    # Most configs say nothing of it.
    cfg.pop('randomness')
    train.apply_args(cfg, args)
    assert cfg.randomness == {'seed': 7}


def test_table_goes_to_the_metric_that_writes_one():
    cfg = Config.fromfile(CONFIG)
    cfg.test_evaluator = [{'type': 'DumpResults'}, {'type': 'ToyMetric'}]
    test_tool.set_table(cfg, 'a.csv')
    assert cfg.test_evaluator == [
        {'type': 'DumpResults'},
        {'type': 'ToyMetric', 'per_expression_table': 'a.csv'},
    ]
    cfg.test_evaluator = {'type': 'DumpResults'}
    with pytest.raises(InputError, match=r"test_evaluator is \['DumpRes"):
        test_tool.set_table(cfg, 'a.csv')


def test_drawing_takes_the_hook_there_is(tmp_path):
    cfg = Config({'custom_hooks': [{'type': 'ToyPause'}]})
    hook = {'type': 'RefVOSVisualizationHook', 'out_dir': str(tmp_path)}
    test_tool.set_drawing(cfg, str(tmp_path))
    assert cfg.custom_hooks == [{'type': 'ToyPause'}, hook]
    cfg = Config({'custom_hooks': [{**hook, 'out_dir': 'a', 'max_videos': 2}]})
    test_tool.set_drawing(cfg, str(tmp_path))
    assert cfg.custom_hooks == [{**hook, 'max_videos': 2}]
    cfg = Config({'model': {}})
    test_tool.set_drawing(cfg, str(tmp_path))
    assert cfg.custom_hooks == [hook]


def test_wrong_references_reach_the_data_set(weights, tmp_path):
    # The toy's data set doesn't know the flag and says so.
    with pytest.raises(TypeError, match='wrong_references'):
        test_tool.main(
            [
                *(CONFIG, weights, '--work-dir', str(tmp_path)),
                *('--wrong-references', '--cfg-options'),
                'experiment_name=wrong',
            ]
        )


def test_one_line_of_wrapped_errors():
    worker = InputError(
        'Caught InputError in DataLoader worker process 0.\n'
        'Original Traceback (most recent call last):\n  File "a.py"\n'
        'refvos.errors.InputError: a.json: b is 1; expected 2\n'
    )
    assert one_line(worker) == 'a.json: b is 1; expected 2'
    assert one_line(InputError('a: b is 1')) == 'a: b is 1'


@pytest.mark.parametrize('name', ['dist_train', 'dist_test'])
def test_scripts_pass_their_arguments_on(tmp_path, name):
    echo = tmp_path / 'echo'
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    mine = ['a b.py', *(['w.pth'] if name == 'dist_test' else [])]
    done = subprocess.run(
        [f'tools/{name}.sh', *mine, '3', '--cfg-options', 'a="[1, 2]"'],
        env={**os.environ, 'PYTHON': echo, 'NNODES': '2', 'NODE_RANK': '1'},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        'tools/dist_launch.py',
        '--nnodes=2',
        '--node-rank=1',
        '--master-addr=127.0.0.1',
        '--master-port=29500',
        '--nproc-per-node=3',
        f'tools/{name[5:]}.py',
        *mine,
        '--launcher',
        'pytorch',
        '--cfg-options',
        'a="[1, 2]"',
    ]
    usage = subprocess.run(
        [f'tools/{name}.sh'], capture_output=True, text=True
    )
    assert usage.returncode == 2
    assert f'tools/{name}.sh CONFIG' in usage.stderr


@pytest.mark.parametrize('name', ['slurm_train', 'slurm_test'])
def test_slurm_scripts_call_srun(tmp_path, name):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    done = subprocess.run(
        [f'tools/{name}.sh', 'part', 'job', 'c.py', 'x', '--seed', '1'],
        env={
            'PATH': f'{tmp_path}:{os.environ["PATH"]}',
            'GPUS': '16',
            'SRUN_ARGS': '--mem 8G',
        },
        capture_output=True,
        text=True,
    )
    given = ['x', '--launcher=slurm']
    if name == 'slurm_train':
        given = ['--work-dir=x', '--launcher=slurm']
    assert done.stdout.splitlines() == [
        '--partition=part',
        '--job-name=job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        '--mem',
        '8G',
        'python',
        '-u',
        f'tools/{name[6:]}.py',
        'c.py',
        *given,
        '--seed',
        '1',
    ]


@pytest.mark.parametrize('keep', [True, False])
def test_large_buffers_are_kept_unless_told_otherwise(monkeypatch, keep):
    calls = []
    monkeypatch.setattr(cli, 'keep_large_buffers', lambda: calls.append(1))
    assert run_tool(lambda argv: None, [], keep_buffers=keep) == 0
    assert len(calls) == int(keep)
