"""A metric says what it needs; the config need not repeat it."""

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from refvos.engine.metric_needs_hook import collect_needs
from refvos.errors import InputError
from refvos.evaluation import A2DMetric, AVSBenchMetric, RefDAVIS17Metric
from refvos.models import TestConfig
from refvos.structures import SoftMasks
from tests.builders import load_config
from tests.test_evaluation.videos import (
    SIZE,
    predict,
    predicted_sample,
    rle,
    square,
)

MASK = square(2, 2)


@MODELS.register_module()
class PreparedModel(BaseModel):
    """Returns a right mask, and soft masks as its options say."""

    def __init__(self, test_cfg=None):
        super().__init__()
        self.test_cfg = TestConfig.from_dict(test_cfg)

    def forward(self, inputs, mode='predict'):
        raise NotImplementedError

    def predict(self, data):
        for sample in data:
            prediction = predict([MASK] * 2, annotator='annot1')
            if self.test_cfg.soft_masks:
                soft = SoftMasks(SIZE, linear=self.linear)
                logits = 20 * torch.from_numpy(MASK).float() - 10
                soft.extend(logits.expand(2, -1, -1))
                prediction.soft_masks = soft
            sample.predictions = [prediction]
        return data

    test_step = val_step = predict

    @property
    def linear(self):
        return self.test_cfg.soft_masks == 'linear'


@DATASETS.register_module()
class PreparedDataset(Dataset):
    """One video with a square in both frames."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        prediction = predict([MASK] * 2, annotator='annot1')
        return predicted_sample([prediction], {'1': [rle(MASK)] * 2})


def make_runner(work_dir, metric, part='test', **test_cfg):
    loader = {
        'dataset': {'type': 'PreparedDataset'},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'collate_fn': {'type': 'pseudo_collate'},
        'batch_size': 1,
    }
    runtime = load_config('configs/_base_/default_runtime.py')
    runtime.merge_from_dict(
        {
            'model': {'type': 'PreparedModel', 'test_cfg': test_cfg},
            'work_dir': str(work_dir),
            'experiment_name': work_dir.name,
            f'{part}_dataloader': loader,
            f'{part}_evaluator': {'type': metric},
            f'{part}_cfg': {},
        }
    )
    return Runner.from_cfg(runtime)


@pytest.mark.parametrize('part', ['val', 'test'])
@pytest.mark.parametrize(
    ('metric', 'name', 'value'),
    [
        ('RefDAVIS17Metric', 'referring/J&F', True),
        ('AVSBenchMetric', 'F', 'linear'),
    ],
)
def test_the_default_runtime_sets_what_the_metric_needs(
    tmp_path, part, metric, name, value
):
    runner = make_runner(tmp_path, metric, part)
    metrics = getattr(runner, part)()
    assert metrics[name] == pytest.approx(100)
    assert runner.model.test_cfg == TestConfig(soft_masks=value)


def test_the_config_has_precedence(tmp_path):
    runner = make_runner(
        tmp_path, 'AVSBenchMetric', soft_masks=False, threshold=0.3
    )
    # Without soft masks there is no F.
    assert runner.test() == {'mIoU': 100}
    assert runner.model.test_cfg == TestConfig(threshold=0.3)


def test_a_metric_names_the_option_that_the_config_forbids(tmp_path):
    runner = make_runner(tmp_path, 'RefDAVIS17Metric', soft_masks='linear')
    with pytest.raises(
        InputError, match=r"soft_masks is 'linear'; .*test_cfg.soft_masks=True"
    ):
        runner.test()


def test_needs_of_several_metrics_are_merged():
    class Foreign(BaseMetric):
        process = compute_metrics = None

    metrics = [Foreign(), A2DMetric(), AVSBenchMetric(), AVSBenchMetric()]
    merged = {'candidates': -1, 'soft_masks': 'linear'}
    assert collect_needs(metrics, {}) == merged
    assert collect_needs(metrics, {'candidates': 3}) == {
        'soft_masks': 'linear'
    }


def test_contradicting_needs_are_named_unless_the_config_decides():
    metrics = [AVSBenchMetric(), RefDAVIS17Metric()]
    with pytest.raises(
        InputError,
        match=r'RefDAVIS17Metric: model.test_cfg.soft_masks is True; expected '
        r"'linear', which AVSBenchMetric needs",
    ):
        collect_needs(metrics, {})
    assert collect_needs(metrics, {'soft_masks': True}) == {}
