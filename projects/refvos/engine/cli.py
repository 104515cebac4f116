"""What the command-line tools share."""

import argparse
import gc
import multiprocessing
import os
import os.path as osp
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Optional

import torch
from mmdet.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from torch.utils.data import get_worker_info

from ..errors import InputError
from ..io.safe_checkpoint import FILE_TYPES, set_trust
from .config_check import check_config, check_overrides
from .memory import keep_large_buffers

BAD_INPUT, STOPPED = 2, 128 + signal.SIGINT
# In seconds; see :func:`run_until_stopped`.
INTERRUPT_DELAY = 1.0


def run_tool(
    main: Callable[[Optional[Sequence[str]]], object],
    argv: Optional[Sequence[str]] = None,
    keep_buffers: bool = True,
) -> int:
    """Run a tool; bad input and Ctrl-C become one line on stderr.

    Args:
        main: Takes the arguments (None: those of the process). What a
            ``KeyboardInterrupt`` of its own says is added to that line.
        argv: What to give it.
        keep_buffers: See :func:`keep_large_buffers`.

    Returns:
        The exit status: 0, 2 for bad input, or 130 for Ctrl-C.
    """
    if keep_buffers:
        keep_large_buffers()
    with first_interrupt_only():
        try:
            run_until_stopped(main, argv)
        except InputError as error:
            print(f'error: {one_line(error)}', file=sys.stderr)
            return BAD_INPUT
        except KeyboardInterrupt as stop:
            return end_after_interrupt(str(stop))
    leave_process_group()
    return 0


@contextmanager
def first_interrupt_only() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` for the first SIGINT, ignore the others.

    A launcher sends a second one to processes that the terminal has
    interrupted already; it must not break their clean-up. Loader workers
    ignore all: the process that started them ends them.
    """

    def interrupt(signum: int, frame: Any) -> None:
        if get_worker_info() is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt

    # Python allows it in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_until_stopped(
    main: Callable[[Optional[Sequence[str]]], object],
    argv: Optional[Sequence[str]],
) -> None:
    """Run a tool's main function; prefer an interrupt to its consequences."""
    try:
        main(argv)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception:
        # A peer that was interrupted closes the connection; our own signal
        # may arrive after that error.
        if torch.distributed.is_initialized():
            time.sleep(INTERRUPT_DELAY)
        raise


def end_after_interrupt(advice: str) -> int:
    """Say that the tool was stopped, once for all processes of a run.

    Args:
        advice: How to go on; may be empty.
    """
    if os.environ.get('RANK', '0') == '0':
        print(f'\nstopped{"; " if advice else ""}{advice}', file=sys.stderr)
    if torch.distributed.is_initialized():
        # The group cannot be destroyed in step any more, and the
        # interpreter's exit would abort because of it.
        for child in multiprocessing.active_children():
            child.kill()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(STOPPED)
    return STOPPED


def leave_process_group() -> None:
    """Take the process group apart while everybody is still there.

    What still holds it (DDP's reducer, in a reference cycle with the
    runner) would be destroyed at the interpreter's exit, when the group's
    threads can no longer be joined: the process then aborts now and again.
    """
    if not torch.distributed.is_initialized():
        return
    gc.collect()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def one_line(error: InputError) -> str:
    """Say what was wrong with the input, without the way it came.

    An error from a data loader's worker arrives with the worker's traceback
    in its message.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    name = InputError.__name__
    return re.sub(rf'^(\w+\.)*{name}: ', '', last)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share."""
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help="folder of logs and checkpoints (default: the config's work_dir,"
        ' or work_dirs/<name of the config>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change entries of the config, e.g. '
        'train_dataloader.batch_size=2 model.num_queries=1 '
        'optim_wrapper.optimizer.lr=1e-5; a list is written "[a,b]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started '
        '(dist_*.sh and slurm_*.sh set it; default: none)',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints that hold more than tensors and plain data; '
        'such a file can run any code, so only from sources that you trust',
    )
    # torch.distributed.launch passes it; torchrun sets the variable.
    parser.add_argument(
        '--local-rank',
        '--local_rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument of what predicts."""
    parser.add_argument(
        '--amp',
        choices=['bf16', 'fp16'],
        help='predict in mixed precision; masks differ a little, mostly at '
        'their borders (CPUs: bf16 where they have it, fp16 is for GPUs)',
    )


def load_config(path: str) -> Config:
    """Read a config and import what it asks for.

    Args:
        path: A ``.py``, ``.json`` or ``.yaml`` file.

    Raises:
        InputError: It is missing or can't be read.
    """
    if not osp.isfile(path):
        raise InputError.of(
            path, 'config', 'missing', 'a .py, .json or .yaml file'
        )
    try:
        return Config.fromfile(path)
    except InputError:
        raise
    # A config is a program: whatever it raises is for its author to mend.
    except Exception as error:
        reason = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise InputError(f'{path}: the config fails with {reason}') from error


def prepare_config(args: argparse.Namespace) -> Config:
    """Read the config, apply the common arguments, check the result.

    Args:
        args: With ``config`` and those of :func:`add_common_arguments`.

    Raises:
        InputError: The config or an option is wrong.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    set_trust(args.trust_checkpoint)
    cfg = load_config(args.config)
    cfg.setdefault('default_scope', 'mmdet')
    check_config(cfg, args.config)
    if args.cfg_options:
        merge_options(cfg, args.cfg_options, '--cfg-options')
        check_config(cfg, '--cfg-options')
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def merge_options(cfg: Config, options: Mapping, source: str) -> None:
    """Put dotted options into a config.

    Args:
        cfg: Changed in place.
        options: Dotted names and values.
        source: Where the options came from, for messages.

    Raises:
        InputError: The config has no such place.
    """
    check_overrides(cfg, options)
    for name, value in options.items():
        try:
            cfg.merge_from_dict({name: value})
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise InputError.of(
                source,
                name,
                value,
                f'a place that the config has ({error})',
            ) from error


def check_checkpoint(path: str, option: str) -> None:
    """Refuse a local checkpoint that isn't there, before the work starts.

    Args:
        path: A file or an address (``https://``, ``torchvision://``, ...).
        option: The argument that named it.

    Raises:
        InputError: The file doesn't exist.
    """
    if '://' not in path and not osp.isfile(osp.expanduser(path)):
        raise InputError.of(path, option, 'missing', FILE_TYPES)


def build_runner(cfg: Config) -> Runner:
    """Start the process group if need be and build the runner.

    Without CUDA, processes talk through gloo; mmengine itself would want a
    GPU for each.
    """
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        _init_processes_on_cpu(cfg)
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)


def _init_processes_on_cpu(cfg: Config) -> None:
    if cfg.launcher != 'pytorch':
        raise InputError.of(
            '--launcher',
            'launcher',
            cfg.launcher,
            'pytorch, where there is no GPU',
        )
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    # mmengine would name a GPU here.
    wrapper.setdefault('device_ids', None)
    cfg.model_wrapper_cfg = wrapper
