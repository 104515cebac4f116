"""Data loaders on machines with little shared memory.

Worker processes of a data loader hand tensors over in ``/dev/shm``. In a
container it often has 64 MB, less than a video. The part of
``multiprocessing`` that sends them only prints its errors, and the loader
would wait for ever.
"""

import os
import shutil
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from ..errors import InputError, describe

SHARED = '/dev/shm'
LEAST = 256 * 2**20
REMEDY = 'more shared memory (docker run --shm-size=8g)'


def avoid_small_shared_memory(cfg: Config) -> None:
    """Load data in the main process if there is little shared memory.

    Args:
        cfg: Its dataloaders are changed; one line is logged then.
    """
    if not os.path.isdir(SHARED):
        return
    free = shutil.disk_usage(SHARED).free
    if free >= LEAST:
        return
    changed = []
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is not None and loader.get('num_workers'):
            loader.num_workers = 0
            loader.persistent_workers = False
            loader.pop('prefetch_factor', None)
            changed.append(name)
    if changed:
        print_log(
            describe(
                SHARED,
                'free space',
                f'{free // 2**20} MiB',
                f'at least {LEAST // 2**20} MiB for worker processes; data '
                f'is loaded without them (num_workers=0), which is slower; '
                f'{REMEDY} lets them run',
            ),
            logger='current',
            level=30,
        )


def share_tensors(data: Any) -> None:
    """Move the tensors of an item to shared memory, in a worker process.

    The sender would do so later, where an error is lost.

    Args:
        data: Dicts and lists of tensors and anything else.

    Raises:
        InputError: There is no space.
    """
    if get_worker_info() is None:
        return
    if isinstance(data, torch.Tensor):
        try:
            data.share_memory_()
        except RuntimeError as error:
            size = data.numel() * data.element_size()
            raise InputError.of(
                SHARED,
                'free space',
                f'{shutil.disk_usage(SHARED).free // 2**20} MiB',
                f'{size // 2**20 + 1} MiB for a video: {REMEDY}, or '
                f'num_workers=0 ({str(error).splitlines()[0]})',
            ) from None
    elif isinstance(data, dict):
        for value in data.values():
            share_tensors(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            share_tensors(value)
