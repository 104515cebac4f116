"""Little shared memory slows data loading down; nothing waits for ever."""

from collections import namedtuple

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from refvos.engine import shared_memory
from refvos.engine.shared_memory import (
    avoid_small_shared_memory,
    share_tensors,
)
from refvos.errors import InputError, one_line

Usage = namedtuple('Usage', 'total used free')


def config():
    loader = dict(num_workers=2, persistent_workers=True, prefetch_factor=4)
    return Config(dict(train_dataloader=loader, val_dataloader=None))


@pytest.mark.parametrize(('free', 'workers'), [(2**26, 0), (2**33, 2)])
def test_workers_need_shared_memory(monkeypatch, free, workers):
    monkeypatch.setattr(
        shared_memory.shutil, 'disk_usage', lambda _: Usage(0, 0, free)
    )
    cfg = config()
    avoid_small_shared_memory(cfg)
    loader = cfg.train_dataloader
    assert loader.num_workers == workers
    # torch refuses these without workers.
    assert loader.persistent_workers is bool(workers)
    assert ('prefetch_factor' in loader) is bool(workers)


class NoSpace(torch.Tensor):
    def share_memory_(self):
        raise RuntimeError('unable to allocate shared memory\nmore')


class Videos(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        item = {'inputs': [torch.zeros(4).as_subclass(NoSpace)]}
        share_tensors(item)
        return item


def test_a_worker_without_space_ends_in_one_line():
    with pytest.raises(InputError) as caught:
        next(iter(DataLoader(Videos(), num_workers=1)))
    line = one_line(caught.value)
    assert line.startswith('/dev/shm: free space is ')
    assert '--shm-size' in line and 'unable to allocate' in line
    # In the main process there is nothing to share.
    assert len(Videos()[0]['inputs']) == 1
