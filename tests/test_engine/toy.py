"""A model and a data set that train in milliseconds."""

import os
import time

import torch
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch.utils.data import Dataset

from refvos.errors import InputError
from refvos.io import atomic


@MODELS.register_module()
class ToyModel(BaseModel):
    """Fits y = 2x with one weight, starting from 0."""

    def __init__(self, width: int = 1):
        super().__init__()
        self.linear = torch.nn.Linear(1, width, bias=False)
        torch.nn.init.zeros_(self.linear.weight)

    def forward(self, inputs, targets=None, mode='tensor'):
        x = torch.stack([torch.as_tensor(i) for i in inputs]).view(-1, 1)
        y = torch.stack([torch.as_tensor(t) for t in targets]).view(-1, 1)
        if mode == 'loss':
            return {'loss': ((self.linear(x) - y) ** 2).mean()}
        error = (self.linear(x) - y).abs()
        return [{'error': e.item()} for e in error]


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Pairs (x, 2x) for x = 1/8, 2/8, ..."""

    metainfo = {'classes': ('line',)}

    def __init__(self, size: int = 8, bad_index=None):
        self.size = size
        self.bad_index = bad_index

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if index == self.bad_index:
            raise InputError.of('toy.json', 'items.3', 'x', 'a number')
        x = (index + 1) / 8
        return {
            'inputs': torch.tensor(x),
            'targets': torch.tensor(2 * x),
        }


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """The mean error and the number of samples that it is of."""

    def __init__(self, per_expression_table=None, **kwargs):
        super().__init__(**kwargs)
        self.per_expression_table = per_expression_table

    def process(self, data_batch, data_samples):
        self.results += [sample['error'] for sample in data_samples]

    def compute_metrics(self, results):
        return {
            'error': sum(results) / len(results),
            # A float: mmengine's JSON has null for an int.
            'samples': float(len(results)),
        }


@HOOKS.register_module()
class ToyPause(Hook):
    """Gives a test the time to kill the training.

    ``TOY_PAUSE=save:2`` stops in the writing of ``epoch_2.pth``, after the
    bytes and before the rename; ``TOY_PAUSE=iter:9`` before the 9th step.
    """

    def before_train(self, runner):
        where, _, self.number = os.environ.get('TOY_PAUSE', '').partition(':')
        self.at_iter = where == 'iter'
        if where == 'save':
            replace = os.replace

            def slow_replace(source, target):
                if target.endswith(f'epoch_{self.number}.pth'):
                    self.pause(runner)
                replace(source, target)

            atomic.os.replace = slow_replace

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.at_iter and runner.iter == int(self.number):
            self.pause(runner)

    def pause(self, runner):
        # Of every process of the training.
        with open(os.path.join(runner.work_dir, 'paused'), 'a') as file:
            file.write(f'{os.getpid()}\n')
        time.sleep(600)
