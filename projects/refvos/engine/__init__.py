from .bf16_optim_wrapper import BF16OptimWrapper
from .checkpoint_fits_hook import CheckpointFitsHook
from .checkpoint_hook import (
    AtomicCheckpointHook,
    find_latest_checkpoint,
    is_whole,
)
from .checkpoint_options import CheckpointOptionsHook
from .config_check import check_config, check_overrides
from .drop_keys_hook import DropKeysHook
from .end_workers_hook import EndWorkersHook
from .logger_hook import MasterLoggerHook
from .loops import ResumableEpochTrainLoop, ResumableIterTrainLoop
from .memory import keep_large_buffers
from .metric_needs_hook import MetricNeedsHook
from .optim_constructor import GroupedOptimWrapperConstructor
from .prepare_for_test_hook import PrepareForTestHook
from .resumable_sampler import ResumableBatchSampler

__all__ = [
    'AtomicCheckpointHook',
    'BF16OptimWrapper',
    'CheckpointFitsHook',
    'CheckpointOptionsHook',
    'DropKeysHook',
    'EndWorkersHook',
    'GroupedOptimWrapperConstructor',
    'MasterLoggerHook',
    'MetricNeedsHook',
    'PrepareForTestHook',
    'ResumableBatchSampler',
    'ResumableEpochTrainLoop',
    'ResumableIterTrainLoop',
    'check_config',
    'check_overrides',
    'find_latest_checkpoint',
    'is_whole',
    'keep_large_buffers',
]
