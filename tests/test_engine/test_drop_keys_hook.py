"""Fine-tuning that leaves some weights of the checkpoint out."""

import logging
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from tests.builders import build_model, load_config

ROOT = Path(__file__).parents[2]
# The toy starts from 0.
SAVED = 1.75


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'other.pth'
    weights = {'linear.weight': torch.full((1, 1), SAVED)}
    torch.save({'state_dict': weights}, path)
    return str(path)


def make_runner(tmp_path, prefix, **options):
    config = Config.fromfile(ROOT / 'tests/test_engine/toy_config.py')
    config.merge_from_dict(
        {
            'work_dir': str(tmp_path / 'work'),
            'custom_hooks': [{'type': 'DropKeysHook', 'prefixes': [prefix]}],
            # Training leaves the weight as it is found.
            'optim_wrapper.optimizer.lr': 0.0,
            'train_cfg.max_epochs': 1,
            **options,
        }
    )
    return Runner.from_cfg(config)


def weight_of(runner):
    return runner.model.linear.weight.item()


@pytest.mark.parametrize(
    ('prefix', 'start'), [('linear.', 0.0), ('class_branches.', SAVED)]
)
def test_dropped_weights_start_anew(
    tmp_path, checkpoint, prefix, start, caplog
):
    runner = make_runner(
        tmp_path,
        prefix,
        load_from=checkpoint,
        experiment_name=f'drop_{prefix}',
    )
    runner.logger.addHandler(caplog.handler)
    runner.train()
    assert weight_of(runner) == start
    (record,) = [r for r in caplog.records if 're-initialised' in r.message]
    count = 1 if prefix == 'linear.' else 0
    assert f'{count} weights {prefix}*' in record.message
    assert record.levelno == (logging.INFO if count else logging.WARNING)


def test_a_tested_checkpoint_is_whole(tmp_path, checkpoint):
    runner = make_runner(
        tmp_path, 'linear.', load_from=checkpoint, experiment_name='drop_test'
    )
    metrics = runner.test()
    assert weight_of(runner) == SAVED
    # 0.25 * mean(1/8, ..., 5/8)
    assert metrics['error'] == pytest.approx(0.09375)


def test_a_resumed_training_goes_on(tmp_path):
    first = make_runner(
        tmp_path,
        'linear.',
        experiment_name='drop_first',
        **{'optim_wrapper.optimizer.lr': 0.1},
    )
    first.train()
    assert weight_of(first) != 0
    second = make_runner(
        tmp_path,
        'linear.',
        experiment_name='drop_second',
        resume=True,
        load_from=str(tmp_path / 'work/epoch_1.pth'),
    )
    second.train()
    assert weight_of(second) == weight_of(first)


def test_fine_tuning_drops_the_class_branches_of_pre_training():
    schedules = 'configs/_base_/schedules'
    (hook,) = load_config(f'{schedules}/finetune_6e.py').custom_hooks
    names = build_model('configs/mini/referformer_mini.py').state_dict()
    (prefix,) = hook.prefixes
    dropped = [name for name in names if name.startswith(prefix)]
    # Weight and bias in each of four decoder layers.
    assert hook.type == 'DropKeysHook' and len(dropped) == 8
    for name in ('pretrain_12e', 'joint_12e', 'a2d_scratch_12e'):
        config = load_config(f'{schedules}/{name}.py')
        assert config.custom_hooks == []
        assert config.train_cfg.max_epochs == 12
        (scheduler,) = config.param_scheduler
        assert scheduler.milestones == [8, 10] and scheduler.end == 12
