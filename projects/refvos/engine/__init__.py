from .atomic import AtomicLocalBackend, remove_leftovers, write_atomically
from .bf16_optim_wrapper import BF16OptimWrapper
from .checkpoint_hook import (
    AtomicCheckpointHook,
    find_latest_checkpoint,
    is_whole,
)
from .config_check import check_config, check_overrides
from .drop_keys_hook import DropKeysHook
from .logger_hook import MasterLoggerHook
from .loops import ResumableEpochTrainLoop, ResumableIterTrainLoop
from .memory import keep_large_buffers
from .optim_constructor import GroupedOptimWrapperConstructor
from .prepare_for_test_hook import PrepareForTestHook
from .safe_checkpoint import (
    load_checkpoint_file,
    register_safe_loaders,
    set_trust,
)
from .weights import checkpoint_weights, half_precision, serialize_weights

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'BF16OptimWrapper',
    'DropKeysHook',
    'GroupedOptimWrapperConstructor',
    'MasterLoggerHook',
    'PrepareForTestHook',
    'ResumableEpochTrainLoop',
    'ResumableIterTrainLoop',
    'check_config',
    'check_overrides',
    'checkpoint_weights',
    'find_latest_checkpoint',
    'half_precision',
    'is_whole',
    'keep_large_buffers',
    'load_checkpoint_file',
    'register_safe_loaders',
    'remove_leftovers',
    'serialize_weights',
    'set_trust',
    'write_atomically',
]
